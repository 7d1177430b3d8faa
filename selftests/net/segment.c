// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that no TCP would send, as wire.h makes them: each byte of the
 * stream is one byte, the first that came, whatever comes later in its place.
 */
#include <poll.h>

#include "fixture.h"
#include "wired.h"

PEER_FIXTURE_AS(segment, open_wired)

TEST_F(segment, any_size)
{
	char data[300], buf[300];
	size_t size;

	peer_fill(data, sizeof(data), 90);
	for (size = 1; size < 400; size += size < 20 ? 1 : 77) {
		ASSERT_EQ(0, send_in(&self->p, PING, "ping", 4, size));
		ASSERT_EQ(0, see_pong(&self->p, "ping"));
		ASSERT_EQ(0, send_in(&self->p, FIN | BINARY, data, 300, size));
		ASSERT_EQ(0, peer_recv(self->fd, buf, 300));
		ASSERT_EQ(0, memcmp(buf, data, 300));
	}
}

PEER_FIXTURE_AS(plain, wire_peer)

/* What is held against ws_ulp holds for TCP itself. */
TEST_F(plain, first_copy)
{
	uint32_t at = wire.next;
	char buf[16];

	ASSERT_EQ(0, wire_append(&wire, "first", 5));
	ASSERT_EQ(0, wire_write(&wire, at, "other copy", 10));
	ASSERT_EQ(10, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "first copy", 10));
	ASSERT_EQ(1, wire_ask(&wire, PEER_LIMIT));
	EXPECT_EQ(wire.next, wire.acked);
}

TEST_F(plain, out_of_order)
{
	uint32_t at = wire.next;
	char buf[16];

	ASSERT_EQ(0, wire_write(&wire, at + 4, "5678", 4));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	/* what fills the gap comes to lie before what waited behind it */
	ASSERT_EQ(0, wire_write(&wire, at, "123456", 6));
	ASSERT_EQ(8, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "12345678", 8));
}

TEST_F(plain, both_ways)
{
	char buf[16];

	ASSERT_EQ(5, send(self->fd, "there", 5, 0));
	ASSERT_EQ(5, wire_take(&wire, buf, sizeof(buf), PEER_LIMIT, true));
	EXPECT_EQ(0, memcmp(buf, "there", 5));
	ASSERT_EQ(0, wire_append(&wire, "back", 4));
	ASSERT_EQ(4, recv(self->fd, buf, sizeof(buf), 0));
	ASSERT_EQ(0, wire_fin(&wire));
	ASSERT_EQ(0, recv(self->fd, buf, 1, 0));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, wire_take(&wire, buf, 1, PEER_LIMIT, true));
	EXPECT_TRUE(wire.fin);
}

/* ------- the same numbers with other bytes ------- */

/* The first a bytes; then all from b on, where those are not the same again */
static int send_again(const char *data, size_t n, size_t a, size_t b, int bits)
{
	uint32_t at = wire.next;
	char again[256];
	size_t i;

	for (i = 0; i < n; i++)
		again[i] = i < a ? data[i] ^ bits : data[i];
	return wire_append(&wire, data, a) ?:
	       wire_write(&wire, at + b, again + b, n - b);
}

/* Fragments with a ping between them, an empty message, and one more */
static size_t stream_of(struct peer *p, char *buf)
{
	size_t n = peer_build(p, buf, TEXT, "frag", 4);

	n += peer_build(p, buf + n, PING, "p", 1);
	n += peer_build(p, buf + n, FIN | CONT, "ments", 5);
	n += peer_build(p, buf + n, FIN | BINARY, "", 0);
	return n + peer_build(p, buf + n, FIN | TEXT, "next", 4);
}

/* Calls get(p) after each way to send it. */
static void cuts(struct __test_metadata *_metadata, struct peer *p,
		 int (*get)(struct peer *p))
{
	static const int bits[] = { 0x08, 0x01, 0xff };
	size_t a, i, n = 2;
	char data[128];

	for (a = 1; a < n; a++) {
		for (i = 0; i < 9; i++) {
			const size_t from[] = { 0, a / 2, a - 1 };

			n = stream_of(p, data);
			ASSERT_EQ(0, send_again(data, n, a, from[i / 3],
						bits[i % 3]));
			ASSERT_EQ(0, see_pong(p, "p"));
			ASSERT_EQ(0, get(p)) {
				TH_LOG("cut %zu, case %zu", a, i);
			}
			ASSERT_EQ(0, peer_poll(p->fd, POLLIN, 0));
		}
	}
}

static int get_bytes(struct peer *p)
{
	char buf[16];

	return peer_recv(p->fd, buf, 9) ?: memcmp(buf, "fragments", 9) ?:
	       peer_gets(p->fd, "next");
}

TEST_F(segment, other_bytes)
{
	cuts(_metadata, &self->p, get_bytes);
}

static int peek_bytes(struct peer *p)
{
	char buf[32];

	if (recv(p->fd, buf, sizeof(buf), MSG_PEEK) != 4 ||
	    memcmp(buf, "frag", 4))
		return -1;
	return get_bytes(p);
}

TEST_F(segment, other_bytes_peeked)
{
	cuts(_metadata, &self->p, peek_bytes);
}

static int get_messages(struct peer *p)
{
	return peer_gets(p->fd, "fragments") ?: peer_gets(p->fd, "next");
}

TEST_F(segment, other_bytes_of_messages)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	cuts(_metadata, &self->p, get_messages);
}

static int get_records(struct peer *p)
{
	static const char want[] =
		"\011\0\0\0\001\003\0\0fragments\0\0\0\0\0\0\0"
		"\0\0\0\0\002\003\0\0"
		"\004\0\0\0\001\003\0\0next\0\0\0";
	char buf[128];

	if (recv(p->fd, buf, sizeof(buf), 0) != sizeof(want))
		return -1;
	return memcmp(buf, want, sizeof(want));
}

TEST_F(segment, other_bytes_of_records)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	cuts(_metadata, &self->p, get_records);
}

/* A frame whose first byte is b0; but when all of it comes, that is other. */
static int send_as(struct peer *p, int b0, int other, const void *data,
		   size_t len)
{
	uint32_t at = wire.next;
	char frame[256];
	size_t n = peer_build(p, frame, other, data, len);
	char first = b0;

	return wire_append(&wire, &first, 1) ?: wire_write(&wire, at, frame, n);
}

static void no_pong(struct __test_metadata *_metadata, struct peer *p,
		    int mode)
{
	static const char record[] = "\010\0\0\0\002\003\0\0no pong!";
	size_t head = mode == WS_RX_RECORDS ? 8 : 0;
	struct ws_info i;
	char buf[32];

	ASSERT_EQ(0, peer_set(p->fd, WS_RX_MODE, mode));
	ASSERT_EQ(0, send_as(p, FIN | BINARY, PONG, "no pong!", 8));
	ASSERT_EQ(POLLIN, peer_poll(p->fd, POLLIN, PEER_LIMIT));
	ASSERT_EQ(0, peer_info(p->fd, &i));
	EXPECT_EQ(0, i.rx_pongs);
	EXPECT_EQ(8, i.rx_bytes);
	EXPECT_EQ(head + 8, recv(p->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, record + 8 - head, head + 8));
	EXPECT_EQ(0, peer_poll(p->fd, POLLIN, 0));
}

TEST_F(segment, message_again_as_a_pong)
{
	no_pong(_metadata, &self->p, WS_RX_STREAM);
}

TEST_F(segment, message_again_as_a_pong_in_messages)
{
	no_pong(_metadata, &self->p, WS_RX_MESSAGE);
}

TEST_F(segment, message_again_as_a_pong_in_records)
{
	no_pong(_metadata, &self->p, WS_RX_RECORDS);
}

/* A pong came first. What was to be a message behind it is its body. */
TEST_F(segment, pong_again_as_a_message)
{
	struct ws_info i;

	ASSERT_EQ(0, send_as(&self->p, PONG, FIN | BINARY, "smuggled", 8));
	ASSERT_EQ(0, send_in(&self->p, PING, "ping", 4, 100));
	ASSERT_EQ(0, see_pong(&self->p, "ping"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	ASSERT_EQ(0, peer_info(self->fd, &i));
	EXPECT_EQ(1, i.rx_pongs);
	EXPECT_EQ(0, i.rx_bytes);
}

TEST_F(segment, empty_message_again_as_a_pong)
{
	struct peer_msg m;
	char buf[8];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, send_as(&self->p, FIN | BINARY, PONG, "", 0));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
		m = peer_recvmsg(self->fd, buf, sizeof(buf), MSG_DONTWAIT);
		ASSERT_EQ(0, m.len);
		EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	}
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(segment, message_again_as_close)
{
	ASSERT_EQ(0, send_as(&self->p, FIN | BINARY, CLOSE, "\003\350", 2));
	ASSERT_EQ(0, peer_gets(self->fd, "\003\350"));
	ASSERT_EQ(0, send_in(&self->p, PING, "ping", 4, 100));
	EXPECT_EQ(0, see_pong(&self->p, "ping"));
}

/* Each byte of a ping's body is that which came first. */
TEST_F(segment, body_of_a_ping)
{
	char frame[64];
	size_t n = 2, a;

	for (a = 1; a < n; a++) {
		n = peer_build(&self->p, frame, PING, "first!", 6);
		ASSERT_EQ(0, send_again(frame, n, a, a > 6 ? a - 5 : 0, 0x20));
		ASSERT_EQ(0, see_pong(&self->p, "first!"));
	}
}

/* Text was good and would be bad now; and the other way round it stays bad. */
TEST_F(segment, text)
{
	char frame[64];
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "good text", 9);

	ASSERT_EQ(0, send_again(frame, n, n - 4, n - 8, 0x80));
	ASSERT_EQ(0, peer_gets(self->fd, "good text"));
	n = peer_build(&self->p, frame, FIN | TEXT, "b\341\341\341 text", 9);
	ASSERT_EQ(0, send_again(frame, n, n - 4, n - 8, 0x80));
	ASSERT_EQ(0, peer_gets(self->fd, "b\341"));
	ASSERT_EQ(0, peer_fails(self->fd, EILSEQ));
}

/* ------- with a preload ------- */

static int start_with(struct peer *p, const void *data, size_t len)
{
	return peer_attach(p->fd) ?:
	       setsockopt(p->fd, SOL_WS, WS_RX_PRELOAD, data, len) ?:
	       peer_set(p->fd, WS_ROLE, p->role);
}

static size_t add(struct peer *p, char *buf, int b0, const char *text)
{
	return peer_build(p, buf, b0, text, strlen(text));
}

/* A ping and a message; the handshake reads the first a bytes. */
static void preload_again(struct __test_metadata *_metadata, struct peer *p,
			  const char *data, size_t n, size_t a)
{
	uint32_t at = wire.next;
	char again[64];
	size_t i;

	ASSERT_EQ(0, wire_append(&wire, data, a));
	ASSERT_EQ(0, peer_recv(p->fd, again, a));
	ASSERT_EQ(0, start_with(p, data, a));
	for (i = 0; i < n; i++)
		again[i] = i < a ? data[i] ^ 8 : data[i];
	ASSERT_EQ(0, wire_write(&wire, at, again, n));
	ASSERT_EQ(0, see_pong(p, "hi"));
	ASSERT_EQ(0, peer_gets(p->fd, "there"));
}

TEST_F(plain, preload_again)
{
	struct peer *p = &self->p;
	size_t n = 2, a;
	char data[64];

	for (a = 1; a < n; a++) {
		n = add(p, data, PING, "hi");
		n += add(p, data + n, FIN | TEXT, "there");
		preload_again(_metadata, p, data, n, a);
		peer_close(p);
		ASSERT_EQ(0, wire_peer(p, variant->family, variant->role));
	}
}

/*
 * Two bytes of a header that has more; then these again as those of a pong,
 * which is whole when as many bytes of the header follow as here do. Return:
 * how many bytes of the frame were sent
 */
static size_t cut_header(struct peer *p, const char *frame)
{
	bool masked = p->role == WS_SERVER;
	size_t n = masked ? 6 : 3;
	uint32_t at = wire.next;
	char again[6];

	memcpy(again, frame, n);
	again[0] = PONG;
	again[1] = masked ? 0x80 : 1;
	return wire_append(&wire, frame, 2) ?: wire_write(&wire, at, again, n) ?
	       0 : n;
}

/* The reader comes to the header as it came first: a message, and not whole */
static void pong_for_a_header(struct __test_metadata *_metadata,
			      struct peer *p, const char *before)
{
	char data[126], frame[sizeof(data) + PEER_HEADER], got[sizeof(data)];
	size_t n, sent;

	peer_fill(data, sizeof(data), 91);
	n = peer_build(p, frame, FIN | BINARY, data, sizeof(data));
	sent = cut_header(p, frame);
	ASSERT_NE(0, sent);
	ASSERT_EQ(0, peer_gets(p->fd, before));
	ASSERT_EQ(0, wire_append(&wire, frame + sent, n - sent));
	ASSERT_EQ(sizeof(data), recv(p->fd, got, sizeof(got), 0));
	EXPECT_EQ(0, memcmp(got, data, sizeof(data)));
}

TEST_F(plain, pong_for_a_header_behind_a_preload)
{
	char data[64];
	size_t n = add(&self->p, data, FIN | TEXT, "loaded before");

	ASSERT_EQ(0, wire_append(&wire, data, n));
	ASSERT_EQ(0, peer_recv(self->fd, data, n));
	ASSERT_EQ(0, start_with(&self->p, data, n));
	pong_for_a_header(_metadata, &self->p, "loaded before");
}

/* The same where the kernel itself put the beginning of a frame aside */
TEST_F(segment, pong_for_a_header_behind_a_rest)
{
	char data[1200] = {}, got[1000];
	size_t n = peer_build(&self->p, data, FIN | BINARY, data, 1000), rest;
	int small = 4096;

	setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	rest = add(&self->p, data + n, FIN | TEXT, "put aside");
	ASSERT_EQ(0, wire_append(&wire, data, n + 1));
	ASSERT_EQ(0, peer_recv(self->fd, got, 1000));
	ASSERT_EQ(0, wire_append(&wire, data + n + 1, rest - 1));
	pong_for_a_header(_metadata, &self->p, "put aside");
}

/* What fills a gap lies before what waited behind it, and is longer. */
TEST_F(segment, gap_filled_beyond_its_end)
{
	struct peer *p = &self->p;
	char frame[64], again[64];
	size_t n = 9, gap, i;
	uint32_t at;

	for (gap = 1; gap < n - 1; gap++) {
		at = wire.next;
		n = add(p, frame, PING, "hi");
		n += add(p, frame + n, FIN | TEXT, "in a gap");
		for (i = 0; i < n; i++)
			again[i] = i < n - 1 ? frame[i] ^ 8 : frame[i];
		ASSERT_EQ(0, wire_write(&wire, at + gap, again + gap, n - gap));
		ASSERT_EQ(0, wire_write(&wire, at, frame, n - 1));
		ASSERT_EQ(0, see_pong(p, "hi"));
		ASSERT_EQ(0, peer_gets(p->fd, "in a gap"));
	}
}

/* ------- urgent pointers, timestamps, windows ------- */

static int send_urgent(const void *data, size_t len, int pointer)
{
	struct segment s = wire_segment(&wire);

	s.flags |= TH_PUSH | TH_URG;
	s.urgent = pointer;
	s.data = data;
	s.len = len;
	return wire_send(&wire, &s);
}

static void urgent_anywhere(struct __test_metadata *_metadata, struct peer *p)
{
	static const int pointers[] = {
		0, 1, 2, 3, 6, 9, 12, 13, 14, 40, 300, 0x8000, 0xffff, 1, 2, 3,
	};
	char frame[64];
	size_t n;
	int i;

	for (i = 0; i < ARRAY_SIZE(pointers); i++) {
		n = add(p, frame, FIN | TEXT, "urgent");
		ASSERT_EQ(0, send_urgent(frame, n, pointers[i]));
		ASSERT_EQ(0, peer_gets(p->fd, "urgent"));
		ASSERT_EQ(0, peer_poll(p->fd, POLLPRI | POLLIN, 0));
		n = add(p, frame, PING, "now");
		ASSERT_EQ(0, send_urgent(frame, n, pointers[i]));
		ASSERT_EQ(0, see_pong(p, "now"));
	}
}

TEST_F(segment, urgent_anywhere)
{
	urgent_anywhere(_metadata, &self->p);
}

TEST_F(segment, urgent_anywhere_in_messages)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	urgent_anywhere(_metadata, &self->p);
}

/* An application that asks for urgent bytes apart changes nothing. */
TEST_F(segment, urgent_apart)
{
	int off = 0;

	setsockopt(self->fd, SOL_SOCKET, SO_OOBINLINE, &off, sizeof(off));
	urgent_anywhere(_metadata, &self->p);
}

/* A segment with this timestamp. Another one of the same numbers comes next. */
static int send_stamped(const void *data, size_t len, uint32_t stamp)
{
	struct segment s = wire_segment(&wire);
	uint32_t next = wire.next;
	int ret;

	s.stamped = true;
	s.stamp = stamp;
	s.data = data;
	s.len = len;
	ret = wire_send(&wire, &s);
	wire.next = next;
	return ret;
}

/* What TCP drops as too old is not what came first. */
TEST_F(segment, old_timestamp)
{
	static const uint32_t ages[] = { 100, 10, 0x70000000 };
	char frame[64], other[64];
	size_t n;
	int i;

	for (i = 0; i < ARRAY_SIZE(ages); i++) {
		n = add(&self->p, frame, FIN | TEXT, "in time");
		add(&self->p, other, FIN | TEXT, "too old");
		ASSERT_EQ(0, send_stamped(other, n - 1, wire.stamp - ages[i]));
		EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
		ASSERT_EQ(0, wire_append(&wire, frame, n));
		ASSERT_EQ(0, peer_gets(self->fd, "in time"));
	}
}

/* The peer takes one byte at a time. */
TEST_F_TIMEOUT(segment, window_of_one_byte, 120)
{
	wire.room = 1;
	ASSERT_EQ(0, send_in(&self->p, PING, "x", 1, 100));
	ASSERT_EQ(0, see_pong(&self->p, "x"));
	wire.room = 65535;
	ASSERT_EQ(0, send_in(&self->p, PING, "and more", 8, 1));
	EXPECT_EQ(0, see_pong(&self->p, "and more"));
}

TEST_HARNESS_MAIN
