// SPDX-License-Identifier: GPL-2.0
/*
 * More at once than is looked at in one pass, by the peer of wire.h: frames
 * behind which TCP ends, pings, and short messages in large segments.
 */
#include <poll.h>

#include "fixture.h"
#include "asleep.h"
#include "wired.h"

#define SLOW	300	/* seconds: many frames, where KASAN checks each byte */
#define SOON	300	/* ms */

/* ------- short messages in records ------- */

/* Records of these bytes. Return: how many, none of which goes on; -1 */
static int whole_records(const unsigned char *p, ssize_t n)
{
	struct ws_rec rec;
	int nr = 0;

	for (; n > 0; nr++) {
		memcpy(&rec, p, sizeof(rec));
		if (rec.flags & WS_F_MORE || !(rec.flags & WS_F_FIRST))
			return -1;
		p += sizeof(rec) + ((rec.len + 7) & ~7);
		n -= sizeof(rec) + ((rec.len + 7) & ~7);
	}
	return n ? -1 : nr;
}

PEER_FIXTURE_AS(records, open_wired)

/* The part of a short message is none to be read, whatever lay before it. */
TEST_F(records, part_of_a_short_message)
{
	unsigned char data[286], wired[30 * 220 + 300], buf[1 << 14];
	struct peer *p = &self->p;
	size_t n = 0, last;
	int i;

	ASSERT_EQ(0, set_rcvbuf(self->fd, 8192));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	peer_fill(data, sizeof(data), 92);
	for (i = 0; i < 30; i++)
		n += peer_build(p, wired + n, FIN | BINARY, data, 200);
	last = peer_build(p, wired + n, FIN | BINARY, data, sizeof(data));
	ASSERT_EQ(0, wire_append(&wire, wired, n + 200));
	ASSERT_EQ(30, whole_records(buf, recv(self->fd, buf, sizeof(buf), 0)));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT));
	ASSERT_EQ(0, wire_append(&wire, wired + n + 200, last - 200));
	ASSERT_EQ(8 + 288, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(1, whole_records(buf, 8 + 288));
	EXPECT_EQ(0, memcmp(buf + 8, data, sizeof(data)));
}

static unsigned int next_size(unsigned int *seed, unsigned int limit)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % limit;
}

/* Also where a segment is a large part of the buffer */
TEST_F_TIMEOUT(records, short_messages_are_whole, SLOW)
{
	static unsigned char data[300], wired[65536], buf[131072];
	int made = 0, read = 0, nr;
	size_t n = 0, cut;
	unsigned int seed = 93;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	while (read < 6000) {
		while (n < 60000 && made < 6000)
			n += peer_build(&self->p, wired + n, FIN | BINARY, data,
					next_size(&seed, ++made ? 301 : 0));
		cut = 1 + next_size(&seed, 40000);
		cut = cut < n ? cut : n;
		cut = cut < open_window() ? cut : open_window();
		ASSERT_EQ(0, wire_append(&wire, wired, cut));
		ASSERT_LE(0, wire_ask(&wire, PEER_LIMIT));
		n -= cut;
		memmove(wired, wired + cut, n);
		/* now and then the reader is late */
		if (n && open_window() && !next_size(&seed, 4))
			continue;
		nr = recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (nr < 0) {
			ASSERT_EQ(EAGAIN, errno);
			continue;
		}
		nr = whole_records(buf, nr);
		ASSERT_LT(0, nr) {
			TH_LOG("a piece, after %d messages", read);
		}
		read += nr;
	}
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

/* Frames of nothing to read, until the window is closed or job has ended */
static int pour_nothing(struct peer *p, int b0, struct peer_job *job)
{
	char frames[1400];
	size_t n, total;

	for (total = 0; total < 1 << 20; total += n) {
		for (n = 0; n + PEER_HEADER < sizeof(frames);)
			n += peer_build(p, frames + n, b0, "", 0);
		n = n < open_window() ? n : open_window();
		if (!n || !peer_running(job))
			return 0;
		if (wire_append(&wire, frames, n) || wire_drain(&wire) < 0)
			return -1;
		if (!open_window() && wire_ask(&wire, SOON) < 0)
			return -1;
		wire.in_len = 0;	/* pongs */
	}
	return 0;
}

/* A reader sleeps, and the rest of a message will not fit in the buffer. */
static void wakes_for_a_part(struct __test_metadata *_metadata, struct peer *p,
			     int b0)
{
	char data[1000] = {}, got[2048];
	struct peer_job job;

	ASSERT_EQ(0, set_rcvbuf(p->fd, 65536));
	ASSERT_EQ(0, peer_set(p->fd, WS_RX_MODE, WS_RX_RECORDS));
	ASSERT_EQ(0, peer_start_recv(&job, p->fd, got, sizeof(got)));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, send_in(p, BINARY, data, sizeof(data), 1400));
	EXPECT_EQ(0, pour_nothing(p, b0, &job));
	EXPECT_EQ(8 + sizeof(data), peer_join(&job));
}

TEST_F_TIMEOUT(records, wakes_before_empty_fragments, SLOW)
{
	wakes_for_a_part(_metadata, &self->p, CONT);
}

TEST_F_TIMEOUT(records, wakes_before_pings, SLOW)
{
	wakes_for_a_part(_metadata, &self->p, PING);
}

/* ------- TCP's end while there is much to look at ------- */

PEER_FIXTURE_AS(fin, open_wired)

/* So many frames, a message, Close, and FIN, all in one segment */
static void end_behind(struct __test_metadata *_metadata, struct peer *p,
		       int b0, int frames, bool closes)
{
	unsigned char *data = malloc(WIRE_DATA);
	struct segment s = wire_segment(&wire);
	size_t n = 0;

	while (frames--)
		n += peer_build(p, data + n, b0, "", 0);
	n += peer_build(p, data + n, FIN | TEXT, "behind", 6);
	if (closes)
		n += peer_build(p, data + n, CLOSE, "\003\350", 2);
	ASSERT_GE(WIRE_DATA, n);
	s.data = data;
	s.len = n;
	s.flags |= TH_FIN | TH_PUSH;
	ASSERT_EQ(0, wire_send(&wire, &s));
	free(data);
	ASSERT_EQ(0, peer_gets(p->fd, "behind"));
	ASSERT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(closes ? 1000 : 1006, peer_ended(p->fd).code);
}

TEST_F(fin, behind_pongs)
{
	end_behind(_metadata, &self->p, PONG, 10000, true);
}

TEST_F(fin, behind_pongs_without_close)
{
	end_behind(_metadata, &self->p, PONG, 10000, false);
}

TEST_F(fin, behind_empty_messages)
{
	end_behind(_metadata, &self->p, FIN | BINARY, 10000, true);
}

TEST_F(fin, behind_pongs_of_messages)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	end_behind(_metadata, &self->p, PONG, 10000, true);
}

TEST_F(fin, behind_empty_messages_of_messages)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	end_behind(_metadata, &self->p, FIN | BINARY, 10000, true);
}

/* In the middle of a frame, which comes again and is no longer */
TEST_F(fin, in_a_frame)
{
	struct segment s = wire_segment(&wire);
	char frame[64];
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "too short", 9);

	s.data = frame;
	s.len = n - 4;
	s.flags |= TH_FIN;
	ASSERT_EQ(0, wire_send(&wire, &s));
	ASSERT_EQ(0, wire_write(&wire, s.seq, frame, n - 4));
	ASSERT_EQ(0, peer_gets(self->fd, "too s"));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
}

/* It came before what is to come before it. */
TEST_F(fin, out_of_order)
{
	struct segment s = wire_segment(&wire);
	char frame[64];
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "in order", 8);
	uint32_t at = wire.next;

	s.seq += 5;
	s.data = frame + 5;
	s.len = n - 5;
	s.flags |= TH_FIN;
	ASSERT_EQ(0, wire_send(&wire, &s));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	ASSERT_EQ(0, wire_write(&wire, at, frame, 5));
	ASSERT_EQ(0, peer_gets(self->fd, "in order"));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

/* ------- many pings ------- */

PEER_FIXTURE_AS(pings, open_wired)

/* A pong, whose body is a number. Return: that number; -1: nothing came */
static int see_number(struct peer *p, size_t len)
{
	unsigned char got[2 + 4 + 125];
	int mask = p->role == WS_CLIENT ? 4 : 0, i, nr;
	size_t at = 0, want = 2 + mask + len;
	ssize_t n;

	while (at < want) {
		if (!wire.in_len && wire_ask(&wire, SOON) < 0)
			return -1;
		if (!wire.in_len && wire_recv(&wire, NULL, SOON) < 1)
			return -1;
		if (!wire.in_len)
			continue;
		n = wire_take(&wire, got + at, want - at, SOON, true);
		if (n <= 0)
			return -1;
		at += n;
	}
	if (got[0] != PONG || (got[1] & 127) != len)
		return -1;
	for (i = 0; mask && i < 4; i++)
		got[6 + i] ^= got[2 + i];
	memcpy(&nr, got + 2 + mask, 4);
	return nr;
}

static size_t build_ping(struct peer *p, void *buf, int nr, size_t len)
{
	unsigned char body[125] = {};

	memcpy(body, &nr, sizeof(nr));
	return peer_build(p, buf, PING, body, len);
}

/* So many in one segment */
static int burst(struct peer *p, int nr)
{
	unsigned char *data = malloc(WIRE_DATA);
	size_t n = 0;
	int i, ret;

	for (i = 0; i < nr; i++)
		n += build_ping(p, data + n, i, 4);
	ret = n <= WIRE_DATA ? wire_append(&wire, data, n) : -1;
	free(data);
	return ret;
}

TEST_F(pings, few_are_answered_one_by_one)
{
	static const int few[] = { 1, 10, 32 };
	int i, nr;

	for (i = 0; i < ARRAY_SIZE(few); i++) {
		ASSERT_EQ(0, burst(&self->p, few[i]));
		for (nr = 0; nr < few[i]; nr++)
			ASSERT_EQ(nr, see_number(&self->p, 4));
	}
}

/* Of many in one segment the newest is, and not all before it */
TEST_F_TIMEOUT(pings, newest_of_many, SLOW)
{
	int many = 6000, last = -1, pongs = 0, nr;

	ASSERT_EQ(0, burst(&self->p, many));
	while (last < many - 1) {
		nr = see_number(&self->p, 4);
		ASSERT_LT(last, nr);
		last = nr;
		pongs++;
	}
	EXPECT_GE(many / 4, pongs);
}

/* The peer takes nothing: what waits for it stays little. */
TEST_F_TIMEOUT(pings, nothing_piles_up, SLOW)
{
	int i, waits = 0, most = 0, last = -1, nr;
	unsigned char frame[256];
	size_t n;

	wire.room = 0;
	ASSERT_EQ(0, wire_ack(&wire));
	for (i = 0; i < 1000; i++) {
		n = build_ping(&self->p, frame, i, 125);
		ASSERT_EQ(0, wire_append(&wire, frame, n));
		ASSERT_LE(0, wire_drain(&wire));
		ASSERT_EQ(0, ioctl(self->fd, TIOCOUTQ, &waits));
		most = waits > most ? waits : most;
	}
	EXPECT_GE(1024, most);
	wire.room = 65535;
	ASSERT_EQ(0, wire_ack(&wire));
	while (last < 999) {
		nr = see_number(&self->p, 125);
		ASSERT_LT(last, nr);
		last = nr;
	}
}

TEST_HARNESS_MAIN
