// SPDX-License-Identifier: GPL-2.0
/* Urgent data: the pointer is ignored, its byte is one of the stream */
#include "fixture.h"

PEER_FIXTURE(urgent)
PEER_VARIANTS_OVER_WIRE(urgent);

static int write_urgent(struct peer *p, const void *buf, size_t len)
{
	return send(p->raw, buf, len, MSG_OOB) == len ? 0 : -1;
}

TEST_F(urgent, each_byte)
{
	struct peer *p = &self->p;
	char frame[32], buf[16];
	size_t n = peer_build(p, frame, FIN | TEXT, "urgent", 6), i;

	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, peer_write(p, frame, i));
		ASSERT_EQ(0, write_urgent(p, frame + i, 1));
		ASSERT_EQ(0, peer_write(p, frame + i + 1, n - i - 1));
		ASSERT_EQ(0, peer_recv(self->fd, buf, 6));
		ASSERT_EQ(0, memcmp(buf, "urgent", 6));
	}
	EXPECT_EQ(0, peer_sync(p));
}

TEST_F(urgent, all_bytes)
{
	struct peer *p = &self->p;
	char frame[32], buf[16];
	size_t n = peer_build(p, frame, FIN | TEXT, "urgent", 6), i;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, write_urgent(p, frame + i, 1));
	ASSERT_EQ(0, peer_recv(self->fd, buf, 6));
	EXPECT_EQ(0, memcmp(buf, "urgent", 6));
	EXPECT_EQ(0, peer_sync(p));
}

/* Clearing SO_OOBINLINE has no effect: TCP would take bytes of its own. */
TEST_F(urgent, inline_for_good)
{
	struct peer *p = &self->p;
	socklen_t len = sizeof(int);
	char frame[32], buf[16];
	int off = 0;
	size_t n, i;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_OOBINLINE, &off,
				sizeof(off)));
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_OOBINLINE, &off,
				&len));
	EXPECT_EQ(1, off);
	n = peer_build(p, frame, FIN | TEXT, "urgent", 6);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, write_urgent(p, frame + i, 1));
	ASSERT_EQ(0, peer_recv(self->fd, buf, 6));
	EXPECT_EQ(0, memcmp(buf, "urgent", 6));
	EXPECT_EQ(0, peer_sync(p));
}

TEST_F(urgent, ping)
{
	char frame[32];
	size_t n = peer_build(&self->p, frame, PING, "now", 3);

	ASSERT_EQ(0, write_urgent(&self->p, frame, n));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "now"));
}

TEST_F(urgent, whole_message)
{
	char frame[32];
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "urgent", 6);

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	ASSERT_EQ(0, peer_write(&self->p, frame, n - 3));
	ASSERT_EQ(0, write_urgent(&self->p, frame + n - 3, 3));
	EXPECT_EQ(0, peer_gets(self->fd, "urgent"));
}

TEST_F(urgent, nothing_tells)
{
	char frame[32], c;
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "u", 1);
	int mark = 1;

	ASSERT_EQ(0, write_urgent(&self->p, frame, n));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(0, peer_poll(self->fd, POLLPRI, 0));
	EXPECT_ERRNO(EOPNOTSUPP, recv(self->fd, &c, 1, MSG_OOB));
	ASSERT_EQ(0, ioctl(self->fd, SIOCATMARK, &mark));
	EXPECT_EQ(0, mark);
	EXPECT_EQ(0, peer_gets(self->fd, "u"));
}

TEST_HARNESS_MAIN
