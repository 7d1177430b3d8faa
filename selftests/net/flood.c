// SPDX-License-Identifier: GPL-2.0
/*
 * Memory and progress. A peer sends as much of one kind as TCP's window lets
 * it, to a reader that comes late: what that can hold is bounded. And when the
 * reader has read, there is window again, which the peer sees for itself: it
 * never asks.
 */
#include <linux/sock_diag.h>
#include <poll.h>

#include "fixture.h"
#include "wired.h"

#ifndef SO_MEMINFO
#define SO_MEMINFO	55
#endif

#define SLOW	300	/* seconds: many frames, where KASAN checks each byte */
#define BUFFER	(64 << 10)
#define MESSAGE	16384	/* the longest */
#define ENOUGH	(2 * BUFFER)	/* bytes of a flood that nothing stops */
#define ONE_SKB	4096		/* memory of a segment */
#define SEGMENT	1400
#define SOON	300		/* ms */
#define STEPS	30		/* that they are counted in */

FIXTURE(flood) {
	struct peer p;
	int fd;
};

FIXTURE_VARIANT(flood) {
	int mode;
	int role;
};

FIXTURE_VARIANT_ADD(flood, stream_server) {
	.mode = WS_RX_STREAM, .role = WS_SERVER,
};

FIXTURE_VARIANT_ADD(flood, stream_client) {
	.mode = WS_RX_STREAM, .role = WS_CLIENT,
};

FIXTURE_VARIANT_ADD(flood, message_server) {
	.mode = WS_RX_MESSAGE, .role = WS_SERVER,
};

FIXTURE_VARIANT_ADD(flood, message_client) {
	.mode = WS_RX_MESSAGE, .role = WS_CLIENT,
};

FIXTURE_VARIANT_ADD(flood, records_server) {
	.mode = WS_RX_RECORDS, .role = WS_SERVER,
};

FIXTURE_VARIANT_ADD(flood, records_client) {
	.mode = WS_RX_RECORDS, .role = WS_CLIENT,
};

FIXTURE_SETUP(flood)
{
	int family = variant->role == WS_SERVER ? AF_INET : AF_INET6;

	ASSERT_EQ(0, open_wired(&self->p, family, variant->role));
	self->fd = self->p.fd;
	ASSERT_EQ(0, set_rcvbuf(self->fd, BUFFER));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, MESSAGE));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, variant->mode));
}

FIXTURE_TEARDOWN(flood)
{
	peer_close(&self->p);
}

/* What is sent, frame by frame; payload is a ramp, so that a loss shows. */
struct flood {
	struct peer *p;
	int mode;
	int b0;			/* of each frame */
	size_t len;
	int every;		/* so many frames make a message; 0: one each */
	bool ctrl;		/* payload is delivered though it is control */
	size_t first;		/* payload of a first fragment before all */

	unsigned long frames;
	unsigned long sent;	/* payload that is to be read */
	unsigned long got;
	unsigned long pieces;	/* records that go on */
	unsigned char buf[1 << 19];
	size_t n;		/* bytes in it, which are not acknowledged */
	uint32_t base;		/* sequence number of the first */
	unsigned int peak, rcvbuf;
};

static unsigned char ramp[4096 + 256];

static void next_frame(struct flood *f)
{
	int b0 = f->b0;
	size_t len = f->len;
	bool data = f->ctrl || !(b0 & 8);

	if (f->first && !f->frames) {	/* never ends */
		b0 = BINARY;
		len = f->first;
		data = true;
	} else if (f->every) {
		b0 = f->frames % f->every ? CONT : BINARY;
		if (f->frames % f->every == f->every - 1)
			b0 |= FIN;
	}
	f->n += peer_build(f->p, f->buf + f->n, b0, ramp + f->sent % 256, len);
	if (data)
		f->sent += len;
	f->frames++;
}

static void watch_memory(struct flood *f)
{
	unsigned int mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	if (getsockopt(f->p->fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
		return;
	if (f->peak < mem[SK_MEMINFO_RMEM_ALLOC])
		f->peak = mem[SK_MEMINFO_RMEM_ALLOC];
	f->rcvbuf = mem[SK_MEMINFO_RCVBUF];
}

/* What is acknowledged goes; some of it may have come before it went again. */
static void advance(struct flood *f)
{
	uint32_t n = wire.acked - f->base;

	if (wire_before(wire.next, wire.acked))
		wire.next = wire.acked;
	f->base += n;
	f->n -= n;
	memmove(f->buf, f->buf + n, f->n);
}

static size_t unsent(const struct flood *f)
{
	return f->base + f->n - wire.next;
}

/*
 * Whether more may go. TCP may have had no memory for what was in its window,
 * and dropped it: this goes again.
 */
static int may_send(struct flood *f)
{
	if (!open_window() && (wire_ask(&wire, SOON) < 0 ||
			       wire_drain(&wire) < 0))
		return -1;
	advance(f);
	if (!open_window() && wire.window && wire.acked != wire.next)
		wire.next = wire.acked;
	return !!open_window();
}

/* The next segment */
static int send_next(struct flood *f)
{
	size_t n = unsent(f);
	int ret;

	if (n > open_window())
		n = open_window();
	if (n > SEGMENT)
		n = SEGMENT;
	ret = wire_append(&wire, f->buf + (wire.next - f->base), n);
	wire.in_len = 0;	/* pongs */
	return ret || wire_drain(&wire) < 0 ? -1 : n;
}

/* As much as the window takes, up to limit bytes. Return: how many; -1 */
static long pour(struct flood *f, size_t limit)
{
	size_t done = 0;
	int n;

	while (done < limit) {
		n = may_send(f);
		if (n <= 0)
			return n < 0 ? -1 : done;
		while (unsent(f) < SEGMENT)
			next_frame(f);
		n = send_next(f);
		if (n < 0)
			return -1;
		done += n;
		watch_memory(f);
	}
	return done;
}

static int check_ramp(struct flood *f, const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != ((f->got + i) & 255))
			return -1;
	f->got += n;
	return 0;
}

static int check_records(struct flood *f, const unsigned char *p, size_t n)
{
	struct ws_rec rec;
	size_t at = 0;

	while (at < n) {
		memcpy(&rec, p + at, sizeof(rec));
		at += sizeof(rec);
		if (check_ramp(f, p + at, rec.len))
			return -1;
		f->pieces += !!(rec.flags & WS_F_MORE);
		at += (rec.len + 7) & ~7;
	}
	return 0;
}

/* All that is there. Return: calls that gave something, -1 */
static int read_all(struct flood *f)
{
	static unsigned char buf[1 << 18];
	struct peer_msg m;
	int calls = 0;

	for (;; calls++) {
		m = peer_recvmsg(f->p->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (m.len == -EAGAIN)
			return calls;
		if (m.len < 0 || (!m.len && !(m.flags & MSG_EOR)))
			return -1;
		if (f->mode == WS_RX_RECORDS ? check_records(f, buf, m.len) :
					       check_ramp(f, buf, m.len))
			return -1;
		watch_memory(f);
	}
}

/*
 * One of the steps that time is counted in, because what a slow machine makes
 * late it makes late here as well. What comes meanwhile is no window, but
 * progress, which takes no step.
 */
static int step(int *steps)
{
	int ret = wire_recv(&wire, NULL, SOON / STEPS);

	*steps += !ret;
	return ret < 0 ? -1 : 0;
}

/* New bytes, or such as were dropped */
static bool peer_may_send(void)
{
	return open_window() || (wire.window && wire.acked != wire.next);
}

/* The window opens soon. */
static bool opens(void)
{
	int steps = 0;

	while (!peer_may_send() && steps < STEPS)
		if (step(&steps))
			return false;
	return peer_may_send();
}

static void bounded(struct __test_metadata *_metadata, const struct flood *f)
{
	EXPECT_LE(f->peak, 2 * f->rcvbuf + ONE_SKB) {
		TH_LOG("%lu frames, memory %u, SO_RCVBUF %u", f->frames,
		       f->peak, f->rcvbuf);
	}
}

/* What happens soon: 1: there is window, 2: something to read, 0: nothing */
static int moves(int fd)
{
	int steps = 0;

	while (steps <= STEPS) {
		if (peer_may_send())
			return 1;
		if (peer_poll(fd, POLLIN, 0) & POLLIN)
			return 2;
		if (step(&steps))
			break;
	}
	return 0;
}

/* The peer cannot go on: the reader is told of it, reads, and then it can. */
static void resolve(struct __test_metadata *_metadata, struct flood *f)
{
	int i = 0, what;

	do {
		what = moves(f->p->fd);
		ASSERT_NE(0, what) {
			TH_LOG("no window and nothing to read after %lu bytes",
			       f->got);
		}
		if (what == 2) {
			ASSERT_LT(0, read_all(f));
			ASSERT_GT(100, ++i);
		}
	} while (what != 1);
}

static void flood(struct __test_metadata *_metadata, struct flood *f)
{
	int i;

	for (i = 0; i < sizeof(ramp); i++)
		ramp[i] = i;
	for (i = 0; i < 2; i++) {
		ASSERT_LE(0, pour(f, ENOUGH));
		resolve(_metadata, f);
		ASSERT_LE(0, read_all(f));
		ASSERT_TRUE(opens()) {
			TH_LOG("round %d: all is read, and no window", i);
		}
	}
	bounded(_metadata, f);
}

/* The rest of the last frame and message: then all is there */
static void ends(struct __test_metadata *_metadata, struct flood *f)
{
	if (f->every || f->first)
		f->n += peer_build(f->p, f->buf + f->n, FIN | CONT, "", 0);
	while (f->n) {
		ASSERT_TRUE(opens());
		ASSERT_LE(0, may_send(f));
		if (unsent(f) && open_window())
			ASSERT_LT(0, send_next(f));
		ASSERT_LE(0, wire_ask(&wire, PEER_LIMIT));
		advance(f);
		ASSERT_LE(0, read_all(f));
	}
	/* what comes at once behind a hole is scanned in several passes */
	while (f->got != f->sent) {
		ASSERT_EQ(POLLIN, POLLIN & peer_poll(f->p->fd, POLLIN,
						     PEER_LIMIT));
		ASSERT_LT(0, read_all(f));
	}
	ASSERT_LE(0, read_all(f));
	EXPECT_EQ(f->sent, f->got);
}

/* Each kind, in each mode */
#define FLOOD(name, ...)						\
TEST_F_TIMEOUT(flood, name, SLOW)					\
{									\
	static struct flood f = { __VA_ARGS__ };			\
									\
	f.p = &self->p;							\
	f.mode = variant->mode;						\
	f.base = wire.next;						\
	if (f.ctrl)							\
		ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL,		\
				      WS_CTRL_PING | WS_CTRL_PONG));	\
	flood(_metadata, &f);						\
	ends(_metadata, &f);						\
}

FLOOD(empty_messages, .b0 = FIN | BINARY)
FLOOD(messages_of_1, .b0 = FIN | BINARY, .len = 1)
FLOOD(messages_of_2, .b0 = FIN | BINARY, .len = 2)
FLOOD(messages_of_125, .b0 = FIN | BINARY, .len = 125)
FLOOD(messages_of_4000, .b0 = FIN | BINARY, .len = 4000)
FLOOD(fragments_of_1, .every = 1000, .len = 1)
FLOOD(fragments_of_125, .every = 100, .len = 125)
FLOOD(empty_fragments, .every = 1000)
FLOOD(endless_empty_fragments, .b0 = CONT, .first = 1000)
FLOOD(pings_in_a_message, .b0 = PING, .len = 2, .first = 1000)
FLOOD(pongs_in_a_message, .b0 = PONG, .len = 125, .first = 1000)
FLOOD(pings, .b0 = PING, .len = 2)
FLOOD(pongs, .b0 = PONG)
FLOOD(delivered_pings, .b0 = PING, .len = 1, .ctrl = true)
FLOOD(delivered_pongs, .b0 = PONG, .len = 125, .ctrl = true)
FLOOD(delivered_empty_pongs, .b0 = PONG, .ctrl = true)

TEST_HARNESS_MAIN
