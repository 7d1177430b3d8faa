// SPDX-License-Identifier: GPL-2.0
/*
 * What arrives in the middle of a send. TCP looks at its backlog after each 16
 * segments, long before the sender lets go of the socket; so here a frame is
 * hundreds of them.
 */
#include <stdio.h>

#include "fixture.h"

#define FRAME	(256 * 1024)

/* A segment is at most half of the largest window that the peer offered. */
static int small_windows(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_rmem", "w");

	if (!file)
		return -1;
	fputs("4096 4096 4096\n", file);
	return fclose(file);
}

static int open_alone(struct peer *p, int family, int role)
{
	return peer_netns() ?: small_windows() ?: peer_open(p, family, role);
}

PEER_FIXTURE_AS(midsend, open_alone)

/* Frames up to the data's, and a pong before or behind it */
static int see_data_and_pong(struct peer *p)
{
	bool data = false, pong = false;
	static char buf[FRAME];
	size_t n;
	int b0;

	while (!data || !pong) {
		if (peer_header(p, &b0, &n) || peer_read(p, buf, n))
			return -1;
		data |= b0 != PONG;
		pong |= b0 == PONG;
	}
	return 0;
}

TEST_F_TIMEOUT(midsend, ping, 300)
{
	struct pollfd begun = { self->p.raw, POLLIN };
	static char data[FRAME];
	int size = 8 * FRAME, i;
	struct peer_job job;

	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, FRAME));
	for (i = 0; i < 15; i++) {
		ASSERT_EQ(0, peer_start(&job, self->fd, data, FRAME));
		ASSERT_EQ(1, poll(&begun, 1, PEER_LIMIT));
		ASSERT_EQ(0, peer_text(&self->p, PING, "now"));
		ASSERT_EQ(0, see_data_and_pong(&self->p));
		ASSERT_EQ(FRAME, peer_join(&job));
	}
	EXPECT_EQ(15, peer_stat("WsTxPong"));
}

TEST_HARNESS_MAIN
