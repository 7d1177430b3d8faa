// SPDX-License-Identifier: GPL-2.0
/* WS_RX_PRELOAD: no byte is lost between the handshake and the first frame */
#include "fixture.h"

FIXTURE(preload) {
	struct peer p;
	int fd;
};

FIXTURE_VARIANT(preload) {
	int family;
	int role;
};

PEER_VARIANTS(preload);
PEER_VARIANTS_OVER_WIRE(preload);

FIXTURE_SETUP(preload)
{
	ASSERT_EQ(0, peer_connect(&self->p, variant->family, variant->role));
	self->fd = self->p.fd;
	ASSERT_EQ(0, peer_attach(self->fd));
}

FIXTURE_TEARDOWN(preload)
{
	peer_close(&self->p);
}

static int preload(int fd, const void *buf, size_t len)
{
	return setsockopt(fd, SOL_WS, WS_RX_PRELOAD, buf, len);
}

TEST_F(preload, any_cut)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t cut, n;

	for (cut = 0; cut <= 14; cut++) {
		if (cut) {
			peer_close(p);
			ASSERT_EQ(0, peer_connect(p, variant->family,
						  variant->role));
			ASSERT_EQ(0, peer_attach(p->fd));
		}
		n = peer_build(p, buf, PING, "hi", 2);
		n += peer_build(p, buf + n, FIN | TEXT, "there", 5);
		if (cut > n)
			break;
		ASSERT_EQ(0, preload(p->fd, buf, cut));
		ASSERT_EQ(0, peer_write(p, buf + cut, n - cut));
		ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
		ASSERT_EQ(0, peer_see_text(p, PONG, "hi"));
		ASSERT_EQ(0, peer_recv(p->fd, buf, 5));
		ASSERT_EQ(0, memcmp(buf, "there", 5));
	}
}

/* What a read of the handshake took was a part of a buffer of TCP's */
TEST_F(preload, rest_of_a_segment)
{
	static const char head[] = "HTTP/1.1 101 \r\n\r\n";
	const size_t skip = sizeof(head) - 1;
	struct peer *p = &self->p;
	char buf[96], back[96];
	size_t cut, n;

	for (cut = 0; cut <= 14; cut++) {
		if (cut) {
			peer_close(p);
			ASSERT_EQ(0, peer_connect(p, variant->family,
						  variant->role));
			ASSERT_EQ(0, peer_attach(p->fd));
		}
		memcpy(buf, head, skip);
		n = skip + peer_build(p, buf + skip, PING, "hi", 2);
		n += peer_build(p, buf + n, FIN | TEXT, "there", 5);
		if (skip + cut > n)
			break;
		ASSERT_EQ(0, peer_write(p, buf, n));
		ASSERT_EQ(skip + cut, recv(p->fd, back, skip + cut,
					   MSG_WAITALL));
		ASSERT_EQ(0, preload(p->fd, back + skip, cut));
		ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
		ASSERT_EQ(0, peer_see_text(p, PONG, "hi"));
		ASSERT_EQ(0, peer_recv(p->fd, back, 5));
		ASSERT_EQ(0, memcmp(back, "there", 5));
	}
}

TEST_F(preload, raises_one_event)
{
	char buf[64];
	size_t n = peer_build(&self->p, buf, FIN | TEXT, "whole", 5);

	ASSERT_EQ(0, preload(self->fd, buf, n));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(0, peer_gets(self->fd, "whole"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(preload, longest)
{
	size_t len = 65536, n;
	char *data = malloc(len), *buf = malloc(len + PEER_HEADER);

	peer_fill(data, len, 5);
	n = peer_build(&self->p, buf, FIN | BINARY, data, len);
	ASSERT_EQ(0, preload(self->fd, buf, len));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_write(&self->p, buf + len, n - len));
	ASSERT_EQ(0, peer_recv(self->fd, buf, len));
	EXPECT_EQ(0, memcmp(buf, data, len));
}

TEST_F(preload, too_long)
{
	char *buf = calloc(1, 65537);

	EXPECT_ERRNO(EMSGSIZE, preload(self->fd, buf, 65537));
}

TEST_F(preload, after_role)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EALREADY, preload(self->fd, "x", 1));
}

TEST_F(preload, fault)
{
	EXPECT_ERRNO(EFAULT, preload(self->fd, (void *)8, 100));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "clean"));
	EXPECT_EQ(0, peer_gets(self->fd, "clean"));
}

TEST_F(preload, taken_back)
{
	ASSERT_EQ(0, preload(self->fd, "rubbish", 7));
	ASSERT_EQ(0, preload(self->fd, NULL, 0));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "clean"));
	EXPECT_EQ(0, peer_gets(self->fd, "clean"));
}

TEST_F(preload, bad_frame)
{
	ASSERT_EQ(0, preload(self->fd, "\xff\xff", 2));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
}

TEST_F(preload, close_before_role)
{
	ASSERT_EQ(0, preload(self->fd, "never read", 10));
	close(self->fd);
	self->p.fd = -1;
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_HARNESS_MAIN
