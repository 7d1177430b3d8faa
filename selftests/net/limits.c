// SPDX-License-Identifier: GPL-2.0
/* Limits on what a peer may send, and floods of what no limit forbids */
#include "fixture.h"

#define SLOW	300	/* seconds: many frames, where KASAN checks each byte */

PEER_FIXTURE_ALONE(limits)

/* The header of a frame of len bytes, whatever len */
static size_t header(struct peer *p, char *buf, int b0, unsigned long long len)
{
	size_t n = peer_build_as(p, buf, b0, 8, p->role == WS_SERVER, "", 0);
	int i;

	for (i = 0; i < 8; i++)
		buf[2 + i] = len >> (56 - 8 * i);
	return n;
}

static void too_big(struct __test_metadata *_metadata, struct peer *p)
{
	ASSERT_EQ(0, peer_see_close(p, 1009, ""));
	EXPECT_EQ(0, peer_fails(p->fd, EMSGSIZE));
	EXPECT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(1009, peer_ended(p->fd).code);
	EXPECT_EQ(1, peer_stat("WsFailTooBig"));
}

TEST_F(limits, longest_length)
{
	char buf[PEER_HEADER];
	size_t n = header(&self->p, buf, FIN | BINARY, ~0ULL >> 1);

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAME_MAX, 0x7fffffff));
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	too_big(_metadata, &self->p);
}

TEST_F(limits, longest_length_of_a_message)
{
	char buf[PEER_HEADER];
	size_t n = header(&self->p, buf, FIN | CONT, ~0ULL >> 1);

	/* the sum must not wrap around */
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 0x7fffffff));
	ASSERT_EQ(0, peer_text(&self->p, BINARY, "x"));
	ASSERT_EQ(0, peer_gets(self->fd, "x"));
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	too_big(_metadata, &self->p);
}

/* No limit, no buffering: bytes of a frame that will never end */
TEST_F(limits, endless_frame)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[64];
	size_t n = header(p, buf, FIN | BINARY, 1ULL << 62);

	ASSERT_EQ(0, peer_write(p, buf, n));
	ASSERT_EQ(0, peer_write(p, "\0\0\0\0\0\0\0\0", 8));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(8, m.len);
	EXPECT_EQ((1ULL << 62) - 8, m.frame.left);
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
}

TEST_F(limits, frame_to_the_byte)
{
	char data[301] = {};

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAME_MAX, 300));
	ASSERT_EQ(0, peer_send(&self->p, BINARY, data, 300));
	ASSERT_EQ(0, peer_send(&self->p, FIN | CONT, data, 300));
	ASSERT_EQ(0, peer_recv(self->fd, data, 300));
	ASSERT_EQ(0, peer_recv(self->fd, data, 300));
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, 301));
	too_big(_metadata, &self->p);
}

TEST_F(limits, message_to_the_byte)
{
	struct peer *p = &self->p;
	char data[301] = {};
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 300));
	/* each message counts anew */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, peer_send(p, BINARY, data, 299));
		ASSERT_EQ(0, peer_sync(p));
		ASSERT_EQ(0, peer_send(p, FIN | CONT, data, 1));
		ASSERT_EQ(0, peer_recv(self->fd, data, 300));
	}
	ASSERT_EQ(0, peer_send(p, BINARY, data, 299));
	ASSERT_EQ(0, peer_recv(self->fd, data, 299));
	ASSERT_EQ(0, peer_send(p, FIN | CONT, data, 2));
	too_big(_metadata, p);
}

TEST_F(limits, control_is_no_fragment)
{
	struct peer *p = &self->p;
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAGMENTS_MAX, 2));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "b"));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, peer_gets(self->fd, "ab"));
}

TEST_F(limits, empty_fragments_count)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAGMENTS_MAX, 3));
	ASSERT_EQ(0, peer_text(p, TEXT, ""));
	ASSERT_EQ(0, peer_text(p, CONT, ""));
	ASSERT_EQ(0, peer_text(p, CONT, ""));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, ""));
	too_big(_metadata, p);
}

TEST_F(limits, control_counts_for_no_message)
{
	struct peer *p = &self->p;
	char data[125] = {};

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 2));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	ASSERT_EQ(0, peer_send(p, PING, data, sizeof(data)));
	ASSERT_EQ(0, peer_see(p, PONG, data, sizeof(data)));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "b"));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, peer_gets(self->fd, "ab"));
}

TEST_F(limits, lifted)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAME_MAX, 1));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 1));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAME_MAX, 0));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 0));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "long enough"));
	EXPECT_EQ(0, peer_gets(self->fd, "long enough"));
}

TEST_F(limits, defaults_of_the_namespace)
{
	ASSERT_EQ(0, peer_set_sysctl("rx_frame_max", 100));
	ASSERT_EQ(0, peer_set_sysctl("rx_message_max", 10));
	ASSERT_EQ(0, peer_set_sysctl("rx_fragments_max", 5));
	ASSERT_EQ(0, peer_reopen(&self->p));
	EXPECT_EQ(100, peer_get(self->p.fd, WS_RX_FRAME_MAX));
	EXPECT_EQ(10, peer_get(self->p.fd, WS_RX_MESSAGE_MAX));
	EXPECT_EQ(5, peer_get(self->p.fd, WS_RX_FRAGMENTS_MAX));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "eleven byte"));
	too_big(_metadata, &self->p);
}

/* The namespace's default is one; an application may want another */
TEST_F(limits, above_the_default_of_the_namespace)
{
	ASSERT_EQ(0, peer_set_sysctl("rx_message_max", 3));
	ASSERT_EQ(0, peer_reopen(&self->p));
	ASSERT_EQ(0, peer_set(self->p.fd, WS_RX_MESSAGE_MAX, 0));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "long"));
	EXPECT_EQ(0, peer_gets(self->p.fd, "long"));
}

/* A peer that asks and never listens: one pong waits, the newest */
TEST_F_TIMEOUT(limits, pings_of_a_peer_that_never_reads, SLOW)
{
	unsigned int i, n = 2000, seq = 0, last = 0;
	unsigned char data[125], frame[139];
	struct peer *p = &self->p;
	int small = 4096, b0, k;
	size_t len;

	setsockopt(p->raw, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	memset(data, 'p', sizeof(data));
	for (i = 1; i <= n; i++) {
		memcpy(data, &i, sizeof(i));
		len = peer_build(p, frame, PING, data, sizeof(data));
		ASSERT_EQ(0, peer_write(p, frame, len));
	}
	while (seq < n) {
		ASSERT_EQ(0, peer_header(p, &b0, &len));
		ASSERT_EQ(PONG, b0);
		ASSERT_EQ(sizeof(data), len);
		ASSERT_EQ(0, peer_read(p, data, len));
		for (k = 0; k < len; k++)
			data[k] ^= p->key[k % 4];
		memcpy(&seq, data, sizeof(seq));
		ASSERT_LT(last, seq);
		last = seq;
	}
	EXPECT_EQ(n, peer_stat("WsRxPing"));
	EXPECT_EQ(n, peer_stat("WsTxPong") + peer_stat("WsPongDropped"));
	EXPECT_EQ(0, peer_sync(p));
}

TEST_F_TIMEOUT(limits, flood_of_empty_messages, SLOW)
{
	enum { N = 30000 };
	char *buf = malloc(N * 6 + 64), c;
	struct peer_job job;
	size_t n = 0;
	int i;

	for (i = 0; i < N; i++)
		n += peer_build(&self->p, buf + n, FIN | BINARY, "", 0);
	n += peer_build(&self->p, buf + n, FIN | BINARY, "z", 1);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, buf, n));
	while (recv(self->fd, &c, 1, 0) < 0)
		ASSERT_EQ(EAGAIN, errno);	/* the socket's own limit */
	EXPECT_EQ('z', c);
	EXPECT_EQ(n, peer_join(&job));
	EXPECT_EQ(N + 1, peer_stat("WsRxMessages"));
}

TEST_F(limits, flood_of_pongs)
{
	enum { N = 30000 };
	char *buf = malloc(N * 6 + 64);
	size_t n = 0;
	int i;

	for (i = 0; i < N; i++)
		n += peer_build(&self->p, buf + n, PONG, "", 0);
	/* nobody reads, and all of it goes */
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(N, peer_stat("WsRxPong"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_HARNESS_MAIN
