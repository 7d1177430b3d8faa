/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixtures whose peer is wire.h's: p->fd is the end under test, the other end
 * is the one and only wire. There is no p->raw.
 */
#ifndef WS_SELFTESTS_WIRED_H
#define WS_SELFTESTS_WIRED_H

#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "wire.h"

static struct wire wire;

/* Nothing of the end under test is to be left then. */
static inline void end_wire(void)
{
	wire_reset(&wire);
}

/* A connection to wire, nothing attached */
static inline int wire_peer(struct peer *p, int family, int role)
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
	p->end = end_wire;
	wire_init(&wire, tun, family);
	p->fd = wire_open(&wire, role == WS_CLIENT);
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return p->fd < 0 ? -1 : 0;
}

static inline int open_wired(struct peer *p, int family, int role)
{
	return wire_peer(p, family, role) ?: peer_attach(p->fd) ?:
	       peer_set(p->fd, WS_ROLE, role);
}

static inline int set_rcvbuf(int fd, int size)
{
	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* How far the window reaches beyond what was sent */
static inline size_t open_window(void)
{
	int32_t left = wire.acked + wire.window - wire.next;

	return left > 0 ? left : 0;
}

/* A frame as the next bytes, in segments of at most size */
static inline int send_in(struct peer *p, int b0, const void *data, size_t len,
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
static inline int see_pong(struct peer *p, const char *text)
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

#endif
