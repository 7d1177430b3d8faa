// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that no TCP would send, as wire.h makes them: each byte of the
 * stream is one byte, the first that came, whatever comes later in its place.
 */
#include <poll.h>

#include "fixture.h"
#include "wire.h"

static struct wire wire;

/* A connection to wire, nothing attached */
static int wire_peer(struct peer *p, int family, int role)
{
	struct timeval limit = { .tv_sec = PEER_LIMIT / 1000 };
	static int tun = -1;

	if (tun < 0 && peer_netns())
		return -1;
	if (tun < 0)
		tun = wire_tun();
	if (tun < 0)
		return -1;
	memset(p, 0, sizeof(*p));
	p->family = family;
	p->role = role;
	p->seed = 1;
	p->raw = -1;
	wire_init(&wire, tun, family);
	p->fd = wire_open(&wire, role == WS_CLIENT);
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return p->fd < 0 ? -1 : 0;
}

static int open_segment(struct peer *p, int family, int role)
{
	return wire_peer(p, family, role) ?: peer_attach(p->fd) ?:
	       peer_set(p->fd, WS_ROLE, role);
}

PEER_FIXTURE_AS(segment, open_segment)

/* A frame as the next bytes, in segments of at most size */
static int send_in(struct peer *p, int b0, const void *data, size_t len,
		   size_t size)
{
	char *frame = malloc(len + PEER_HEADER);
	size_t n = peer_build(p, frame, b0, data, len), at;
	int ret = 0;

	for (at = 0; !ret && at < n; at += size)
		ret = wire_append(&wire, frame + at,
				  size < n - at ? size : n - at);
	free(frame);
	return ret;
}

/* Exactly this comes back. */
static int see_pong(struct peer *p, const char *text)
{
	size_t n = strlen(text), at = 0, want;
	unsigned char got[64];
	int i, mask = p->role == WS_CLIENT ? 4 : 0;
	ssize_t ret;

	for (want = 2 + mask + n; at < want; at += ret) {
		ret = wire_take(&wire, got + at, want - at, PEER_LIMIT, true);
		if (ret <= 0)
			return -1;
	}
	for (i = 0; mask && i < n; i++)
		got[6 + i] ^= got[2 + i % 4];
	return got[0] != PONG || (got[1] & 127) != n ||
	       memcmp(got + 2 + mask, text, n) ? -1 : 0;
}

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

TEST_HARNESS_MAIN
