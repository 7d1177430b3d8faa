/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fixture of that name: an open connection over IPv4 or IPv6, with the
 * server's or the client's role at the end under test.
 */
#ifndef WS_SELFTESTS_FIXTURE_H
#define WS_SELFTESTS_FIXTURE_H

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "peer.h"

/*
 * The harness ends a test after so many seconds, whatever it is doing. Here
 * each step has a limit of its own, so that a busy machine fails none.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

#define PEER_VARIANTS(name)						\
FIXTURE_VARIANT_ADD(name, ipv4_server)					\
{									\
	.family = AF_INET, .role = WS_SERVER,				\
};									\
FIXTURE_VARIANT_ADD(name, ipv4_client)					\
{									\
	.family = AF_INET, .role = WS_CLIENT,				\
};									\
FIXTURE_VARIANT_ADD(name, ipv6_server)					\
{									\
	.family = AF_INET6, .role = WS_SERVER,				\
};									\
FIXTURE_VARIANT_ADD(name, ipv6_client)					\
{									\
	.family = AF_INET6, .role = WS_CLIENT,				\
}

/* Besides, over segments as no TCP makes them */
#define PEER_VARIANTS_OVER_WIRE(name)					\
FIXTURE_VARIANT_ADD(name, wire_ipv4_server)				\
{									\
	.family = AF_INET | PEER_WIRE, .role = WS_SERVER,		\
};									\
FIXTURE_VARIANT_ADD(name, wire_ipv6_client)				\
{									\
	.family = AF_INET6 | PEER_WIRE, .role = WS_CLIENT,		\
}

/* start is peer_open, or peer_connect for a test that attaches by itself */
#define PEER_FIXTURE_AS(name, start)					\
FIXTURE(name) {								\
	struct peer p;							\
	int fd;								\
};									\
FIXTURE_VARIANT(name) {							\
	int family;							\
	int role;							\
};									\
PEER_VARIANTS(name);							\
FIXTURE_SETUP(name)							\
{									\
	signal(SIGPIPE, SIG_IGN);					\
	ASSERT_EQ(0, start(&self->p, variant->family, variant->role));	\
	self->fd = self->p.fd;						\
}									\
FIXTURE_TEARDOWN(name)							\
{									\
	peer_close(&self->p);						\
}

#define PEER_FIXTURE(name)	PEER_FIXTURE_AS(name, peer_open)

/* In a network namespace of the test's own */
static inline int peer_open_alone(struct peer *p, int family, int role)
{
	return peer_netns() ?: peer_open(p, family, role);
}

#define PEER_FIXTURE_ALONE(name)	PEER_FIXTURE_AS(name, peer_open_alone)

/* A call that fails, and how */
#define EXPECT_ERRNO(error, call) do {					\
	errno = 0;							\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ(error, errno);					\
} while (0)

#endif
