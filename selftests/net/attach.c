// SPDX-License-Identifier: GPL-2.0
/* Which sockets take "ws", and what they refuse from then on */
#include <arpa/inet.h>
#include <sys/syscall.h>

#include "fixture.h"

PEER_FIXTURE_AS(attach, peer_connect)

TEST_F(attach, not_connected)
{
	int fd = socket(variant->family, SOCK_STREAM, 0);

	EXPECT_ERRNO(ENOTCONN, peer_attach(fd));
	close(fd);
}

TEST_F(attach, listening)
{
	int fd = socket(variant->family, SOCK_STREAM, 0);

	ASSERT_EQ(0, listen(fd, 1));
	EXPECT_ERRNO(ENOTCONN, peer_attach(fd));
	close(fd);
}

TEST_F(attach, after_peers_end)
{
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(4, send(self->fd, "late", 4, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "late"));
}

TEST_F(attach, after_own_end)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_ERRNO(ENOTCONN, peer_attach(self->fd));
}

TEST_F(attach, name)
{
	char name[16] = {};
	socklen_t len = sizeof(name);

	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, getsockopt(self->fd, IPPROTO_TCP, TCP_ULP, name, &len));
	EXPECT_STREQ("ws", name);
}

TEST_F(attach, second_ulp)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_ERRNO(EEXIST, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EEXIST, peer_attach(self->fd));
}

TEST_F(attach, dormant_passes_bytes)
{
	char buf[8];

	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_write(&self->p, "\x81\x02hi", 4));
	ASSERT_EQ(0, peer_gets(self->fd, "\x81\x02hi"));
	ASSERT_EQ(3, send(self->fd, "abc", 3, 0));
	ASSERT_EQ(0, peer_read(&self->p, buf, 3));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
}

TEST_F(attach, dormant_close_sends_no_frame)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, close(self->fd));
	self->p.fd = -1;
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_F(attach, option_without_ulp)
{
	EXPECT_EQ(ENOPROTOOPT, peer_set(self->fd, WS_ROLE, WS_SERVER));
}

TEST_F(attach, role_bad_values)
{
	int role = variant->role;

	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_ROLE, 0));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_ROLE, 3));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_ROLE, -1));
	EXPECT_ERRNO(EINVAL, setsockopt(self->fd, SOL_WS, WS_ROLE, &role, 3));
	EXPECT_ERRNO(EFAULT, setsockopt(self->fd, SOL_WS, WS_ROLE, NULL, 4));
	EXPECT_EQ(0, peer_set(self->fd, WS_ROLE, role));
	EXPECT_EQ(role, peer_get(self->fd, WS_ROLE));
}

TEST_F(attach, role_twice)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_EQ(EALREADY, peer_set(self->fd, WS_ROLE, WS_SERVER));
	EXPECT_EQ(EALREADY, peer_set(self->fd, WS_ROLE, WS_CLIENT));
	EXPECT_EQ(variant->role, peer_get(self->fd, WS_ROLE));
}

TEST_F(attach, unknown_option)
{
	int value;
	socklen_t len = sizeof(value);

	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_EQ(ENOPROTOOPT, peer_set(self->fd, 0, 1));
	EXPECT_EQ(ENOPROTOOPT, peer_set(self->fd, 1000, 1));
	EXPECT_ERRNO(ENOPROTOOPT,
		     getsockopt(self->fd, SOL_WS, 1000, &value, &len));
}

static int disconnect(int fd)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return connect(fd, &sa, sizeof(sa));
}

TEST_F(attach, disconnect)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_ERRNO(EOPNOTSUPP, disconnect(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EOPNOTSUPP, disconnect(self->fd));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "still here"));
	EXPECT_EQ(0, peer_gets(self->fd, "still here"));
}

TEST_F(attach, listen_again)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EINVAL, listen(self->fd, 1));
}

TEST_F(attach, unload_refused)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_ERRNO(EAGAIN, syscall(SYS_delete_module, "ws_ulp", O_NONBLOCK));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EAGAIN, syscall(SYS_delete_module, "ws_ulp", O_NONBLOCK));
}

TEST_F(attach, data_before_role)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_text(p, PING, "early"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "bird"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_EQ(0, peer_see_text(p, PONG, "early"));
	EXPECT_EQ(0, peer_gets(self->fd, "bird"));
}

TEST_F(attach, refused_options)
{
	int fd = self->fd, one = 1, zero = 0;
	char zc[64] = {};
	socklen_t len = sizeof(zc);

	ASSERT_EQ(0, peer_attach(fd));
	ASSERT_EQ(0, peer_set(fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EOPNOTSUPP,
		     setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, 4));
	EXPECT_ERRNO(EOPNOTSUPP,
		     setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, 4));
	EXPECT_ERRNO(EOPNOTSUPP, getsockopt(fd, IPPROTO_TCP,
					    TCP_ZEROCOPY_RECEIVE, zc, &len));
}

TEST_HARNESS_MAIN
