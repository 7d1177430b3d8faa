// SPDX-License-Identifier: GPL-2.0
/* WS_RX_MESSAGE: a reader is woken for whole messages */
#include "fixture.h"

static int open_message(struct peer *p, int family, int role)
{
	return peer_open(p, family, role) ?:
	       peer_set(p->fd, WS_RX_MODE, WS_RX_MESSAGE);
}

PEER_FIXTURE_AS(message, open_message)
PEER_VARIANTS_OVER_WIRE(message);

TEST_F(message, wakes_when_whole)
{
	char buf[64], c;
	size_t n = peer_build(&self->p, buf, FIN | CONT, " late", 5);

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "not too"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_write(&self->p, buf, n - 1));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 50));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, &c, 1, MSG_DONTWAIT));
	ASSERT_EQ(0, peer_write(&self->p, buf + n - 1, 1));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(0, peer_gets(self->fd, "not too late"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(message, blocked_reader_gets_the_whole)
{
	struct peer *p = &self->p;
	struct peer_job job;
	char buf[64];

	ASSERT_EQ(0, peer_start_recv(&job, self->fd, buf, sizeof(buf)));
	ASSERT_EQ(0, peer_text(p, TEXT, "one "));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, CONT, "two "));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "three"));
	ASSERT_EQ(13, peer_join(&job));
	EXPECT_EQ(0, memcmp(buf, "one two three", 13));
}

TEST_F(message, cmsg)
{
	struct peer_msg m;
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "abc"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "def"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(6, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN, m.frame.flags);
	EXPECT_EQ(0, m.frame.left);
}

TEST_F(message, short_buffer)
{
	struct peer_msg m;
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "0123456789"));
	m = peer_recvmsg(self->fd, buf, 4, 0);
	EXPECT_EQ(4, m.len);
	EXPECT_EQ(0, m.flags & (MSG_EOR | MSG_TRUNC));
	EXPECT_EQ(WS_F_FIRST, m.frame.flags & WS_F_FIRST);
	EXPECT_EQ(6, m.frame.left);
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(6, m.len);
	EXPECT_EQ(0, memcmp(buf, "456789", 6));
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	EXPECT_EQ(0, m.frame.flags & WS_F_FIRST);
}

TEST_F(message, trunc)
{
	struct peer_msg m;
	char buf[4];

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "0123456789"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "next"));
	m = peer_recvmsg(self->fd, buf, 4, MSG_TRUNC);
	EXPECT_EQ(10, m.len);
	EXPECT_EQ(MSG_TRUNC, m.flags & MSG_TRUNC);
	EXPECT_EQ(0, memcmp(buf, "0123", 4));
	EXPECT_EQ(0, peer_gets(self->fd, "next"));
}

TEST_F(message, trunc_of_what_fits)
{
	struct peer_msg m;
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "0123456789"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), MSG_TRUNC);
	EXPECT_EQ(10, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & (MSG_EOR | MSG_TRUNC));
	EXPECT_EQ(0, memcmp(buf, "0123456789", 10));
}

TEST_F(message, empty)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, TEXT, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, ""));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(0, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(TEXT, m.frame.opcode);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "read skips it"));
	EXPECT_EQ(0, peer_gets(self->fd, "read skips it"));
}

TEST_F(message, many)
{
	enum { N = 500 };
	char buf[16], *frames = malloc(N * 24);
	struct peer_job job;
	size_t n = 0;
	int i, len;

	for (i = 0; i < N; i++) {
		len = sprintf(buf, "message %d", i);
		n += peer_build(&self->p, frames + n, FIN | TEXT, buf, len);
	}
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frames, n));
	for (i = 0; i < N; i++) {
		sprintf(buf, "message %d", i);
		ASSERT_EQ(0, peer_gets(self->fd, buf));
	}
	EXPECT_EQ(n, peer_join(&job));
}

TEST_F(message, byte_by_byte)
{
	char data[300], frame[320], got[300];
	size_t n, i;

	peer_fill(data, sizeof(data), 30);
	n = peer_build(&self->p, frame, FIN | BINARY, data, sizeof(data));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, peer_write(&self->p, frame + i, 1));
	ASSERT_EQ(300, recv(self->fd, got, sizeof(got), 0));
	EXPECT_EQ(0, memcmp(got, data, sizeof(data)));
}

TEST_F(message, longest_by_default)
{
	size_t len = 65536;
	char *data = malloc(len), *got = malloc(len + 1);

	EXPECT_EQ(len, peer_get(self->fd, WS_RX_MESSAGE_MAX));
	peer_fill(data, len, 31);
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, len));
	ASSERT_EQ(len, recv(self->fd, got, len + 1, 0));
	EXPECT_EQ(0, memcmp(got, data, len));
}

TEST_F(message, too_long_on_the_header)
{
	struct peer *p = &self->p;
	char *frame = malloc(65536 + 100);
	size_t n = peer_build(p, frame, FIN | BINARY, frame, 65537);

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good"));
	ASSERT_EQ(0, peer_write(p, frame, n - 65537));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(0, peer_fails(self->fd, EMSGSIZE));
	EXPECT_EQ(0, peer_see_close(p, 1009, ""));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(message, limit_of_all_fragments)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 10));
	ASSERT_EQ(0, peer_text(p, TEXT, "123456"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "7890"));
	ASSERT_EQ(0, peer_gets(self->fd, "1234567890"));
	ASSERT_EQ(0, peer_text(p, TEXT, "123456"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "78901"));
	ASSERT_EQ(0, peer_see_close(p, 1009, ""));
	/* a part of a message is nothing that one may see here */
	EXPECT_EQ(0, peer_fails(self->fd, EMSGSIZE));
}

TEST_F(message, limit_raises_the_buffer)
{
	int before, after, max = 1 << 20;
	char *data = malloc(max), *got = malloc(max);
	socklen_t len = sizeof(int);
	struct peer_job job;
	size_t n;

	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &before,
				&len));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, max));
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &after,
				&len));
	EXPECT_LT(before, after);
	peer_fill(data, max, 32);
	got = malloc(max + PEER_HEADER);
	n = peer_build(&self->p, got, FIN | BINARY, data, max);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, got, n));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(n, peer_join(&job));
	ASSERT_EQ(max, recv(self->fd, got, max, 0));
	EXPECT_EQ(0, memcmp(got, data, max));
}

TEST_F(message, limit_above_a_fixed_buffer)
{
	int small = 20000;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	EXPECT_EQ(ENOBUFS, peer_set(self->fd, WS_RX_MESSAGE_MAX, 1 << 20));
	EXPECT_EQ(65536, peer_get(self->fd, WS_RX_MESSAGE_MAX));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "works"));
	EXPECT_EQ(0, peer_gets(self->fd, "works"));
}

TEST_F(message, mode_with_a_fixed_buffer)
{
	int small = 4000;

	ASSERT_EQ(0, peer_reopen(&self->p));
	ASSERT_EQ(0, setsockopt(self->p.fd, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	EXPECT_EQ(ENOBUFS, peer_set(self->p.fd, WS_RX_MODE, WS_RX_MESSAGE));
	EXPECT_EQ(WS_RX_STREAM, peer_get(self->p.fd, WS_RX_MODE));
}

TEST_F(message, mode_only_between_messages)
{
	struct peer *p = &self->p;
	int fd = self->fd;

	ASSERT_EQ(0, peer_text(p, TEXT, "begun "));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(EBUSY, peer_set(fd, WS_RX_MODE, WS_RX_STREAM));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "done"));
	ASSERT_EQ(0, peer_gets(fd, "begun done"));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_STREAM));
	ASSERT_EQ(0, peer_text(p, TEXT, "begun "));
	ASSERT_EQ(0, peer_gets(fd, "begun "));
	EXPECT_EQ(EBUSY, peer_set(fd, WS_RX_MODE, WS_RX_MESSAGE));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "done"));
	ASSERT_EQ(0, peer_gets(fd, "done"));
	EXPECT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_MESSAGE));
}

TEST_F(message, mode_before_role)
{
	struct peer *p = &self->p;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, peer_set(p->fd, WS_RX_MODE, WS_RX_MESSAGE));
	ASSERT_EQ(0, peer_text(p, TEXT, "be"));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, peer_poll(p->fd, POLLIN, 0));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "fore"));
	EXPECT_EQ(0, peer_gets(p->fd, "before"));
}

TEST_F(message, bad_text_is_never_seen)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good, then\377bad"));
	/* nobody has to read for it to be found */
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(POLLIN | POLLERR, peer_poll(self->fd, POLLIN, 0));
	EXPECT_EQ(0, peer_fails(self->fd, EILSEQ));
	EXPECT_EQ(0, peer_see_close(p, 1007, ""));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(message, cut_message_is_never_seen)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "whole"));
	ASSERT_EQ(0, peer_text(&self->p, TEXT, "half"));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(0, peer_gets(self->fd, "whole"));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(message, close_after_unread_messages)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "two"));
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(0, peer_gets(self->fd, "one"));
	ASSERT_EQ(2, send(self->fd, "re", 2, 0));
	ASSERT_EQ(0, peer_gets(self->fd, "two"));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_text(p, FIN | BINARY, "re"));
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
}

TEST_F(message, ping_between_fragments)
{
	ASSERT_EQ(0, peer_text(&self->p, TEXT, "split"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, " ends"));
	EXPECT_EQ(0, peer_gets(self->fd, "split ends"));
}

TEST_F(message, ping_behind_unread_messages)
{
	char buf[32];
	int i;

	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_sync(&self->p));
	for (i = 0; i < 50; i++)
		ASSERT_EQ(6, recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, buf, 1, MSG_DONTWAIT));
}

/* Nobody reads: the peer is stopped, and nothing is lost */
TEST_F(message, queue_is_bounded)
{
	static char frame[1100], data[1000], got[1100];
	size_t n, limit = 64 << 20, total = 0, i;
	struct peer *p = &self->p;
	ssize_t ret;

	memset(data, 'q', sizeof(data));
	n = peer_build(p, frame, FIN | TEXT, data, sizeof(data));
	do {
		ret = send(p->raw, frame + total % n, n - total % n,
			   MSG_DONTWAIT);
		total += ret > 0 ? ret : 0;
	} while ((ret > 0 || peer_poll(p->raw, POLLOUT, 100)) &&
		 total < limit);
	EXPECT_LT(total, limit);
	for (i = 0; i < total / n; i++) {
		ASSERT_EQ(1000, recv(self->fd, got, sizeof(got), 0));
		ASSERT_EQ(0, memcmp(got, data, sizeof(data)));
	}
}

TEST_F(message, waitall)
{
	struct peer_job job;
	char frames[64], buf[16];
	size_t n = peer_build(&self->p, frames, FIN | BINARY, "abcdef", 6);

	n += peer_build(&self->p, frames + n, FIN | BINARY, "next", 4);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frames, n));
	EXPECT_EQ(6, recv(self->fd, buf, sizeof(buf), MSG_WAITALL));
	EXPECT_EQ(0, peer_gets(self->fd, "next"));
	EXPECT_EQ(n, peer_join(&job));
}

TEST_F(message, fault)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "intact"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EFAULT, recv(self->fd, (void *)8, 16, 0));
	EXPECT_EQ(0, peer_gets(self->fd, "intact"));
}

TEST_F(message, shut_rd)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "thrown away"));
	EXPECT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(message, ping_delivered_in_a_message)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[32];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(p, TEXT, "split"));
	ASSERT_EQ(0, peer_text(p, PING, "see"));
	ASSERT_EQ(0, peer_see_text(p, PONG, "see"));
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(3, m.len);
	EXPECT_EQ(WS_OP_PING, m.frame.opcode);
	ASSERT_EQ(0, peer_text(p, FIN | CONT, " ends"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(10, m.len);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(0, memcmp(buf, "split ends", 10));
}

TEST_F(message, default_limit_goes_with_the_mode)
{
	int fd = self->fd;

	ASSERT_EQ(65536, peer_get(fd, WS_RX_MESSAGE_MAX));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_STREAM));
	EXPECT_EQ(0, peer_get(fd, WS_RX_MESSAGE_MAX));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_MESSAGE));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MESSAGE_MAX, 1000));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_STREAM));
	EXPECT_EQ(1000, peer_get(fd, WS_RX_MESSAGE_MAX));
}

/* Fragments of a byte each: headers and pings would fill the buffer */
TEST_F(message, tiny_fragments)
{
	enum { LEN = 65536 };
	char *data = malloc(LEN), *got = malloc(LEN), *wire = malloc(LEN * 16);
	struct peer *p = &self->p;
	struct peer_job job;
	size_t n = 0, i;

	peer_fill(data, LEN, 33);
	for (i = 0; i < LEN; i++) {
		n += peer_build(p, wire + n, (i == LEN - 1 ? FIN : 0) |
				(i ? CONT : BINARY), data + i, 1);
		if (i % 4 == 0)
			n += peer_build(p, wire + n, CONT, "", 0);
		if (i % 8 == 0)
			n += peer_build(p, wire + n, PONG, "", 0);
	}
	ASSERT_EQ(0, peer_start(&job, p->raw, wire, n));
	for (i = 0; i < LEN; i += 16384) {
		ssize_t some = recv(self->fd, got + i, 16384, 0);

		ASSERT_EQ(16384, some);
	}
	EXPECT_EQ(0, memcmp(got, data, LEN));
	EXPECT_EQ(n, peer_join(&job));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "next"));
	EXPECT_EQ(0, peer_gets(self->fd, "next"));
}

/* What was gathered is shown by a peek, counted, and cut like the rest */
TEST_F(message, gathered_is_as_any_other)
{
	enum { LEN = 40000 };
	char *data = malloc(LEN), *got = malloc(LEN), *wire = malloc(LEN * 16);
	struct peer *p = &self->p;
	struct peer_msg m;
	size_t n = 0, i;
	int len;

	peer_fill(data, LEN, 34);
	for (i = 0; i < LEN; i++)
		n += peer_build(p, wire + n, (i == LEN - 1 ? FIN : 0) |
				(i ? CONT : BINARY), data + i, 1);
	ASSERT_EQ(0, peer_write(p, wire, n));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	ASSERT_EQ(0, ioctl(self->fd, FIONREAD, &len));
	EXPECT_EQ(LEN, len);
	m = peer_recvmsg(self->fd, got, LEN, MSG_PEEK);
	EXPECT_EQ(LEN, m.len);
	EXPECT_EQ(0, memcmp(got, data, LEN));
	m = peer_recvmsg(self->fd, got, 5000, 0);
	EXPECT_EQ(5000, m.len);
	EXPECT_EQ(LEN - 5000, m.frame.left);
	EXPECT_EQ(WS_F_FIRST, m.frame.flags & WS_F_FIRST);
	m = peer_recvmsg(self->fd, got + 5000, LEN, MSG_PEEK);
	EXPECT_EQ(LEN - 5000, m.len);
	m = peer_recvmsg(self->fd, got + 5000, 15000, MSG_TRUNC);
	EXPECT_EQ(LEN - 5000, m.len);
	EXPECT_EQ(MSG_TRUNC, m.flags & MSG_TRUNC);
	EXPECT_EQ(0, m.frame.flags & WS_F_FIRST);
	EXPECT_EQ(0, memcmp(got, data, 20000));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "next"));
	EXPECT_EQ(0, peer_gets(self->fd, "next"));
}

/* What a mode can read is told when the mode is set */
TEST_F(message, mode_change_wakes)
{
	struct peer *p = &self->p;
	struct peer_job job;
	char buf[16];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	ASSERT_EQ(0, peer_start_recv(&job, self->fd, buf, sizeof(buf)));
	ASSERT_EQ(0, peer_text(p, BINARY, "part"));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_TRUE(peer_running(&job));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_STREAM));
	ASSERT_EQ(4, peer_join(&job));
	EXPECT_EQ(0, memcmp(buf, "part", 4));
}

/* A buffer made too small later cannot hold the message: no endless wait */
TEST_F(message, buffer_made_smaller)
{
	static char data[60000], wire[sizeof(data) + PEER_HEADER];
	struct peer_job job;
	int small = 2048;
	size_t n;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	n = peer_build(&self->p, wire, FIN | BINARY, data, sizeof(data));
	ASSERT_EQ(0, peer_start(&job, self->p.raw, wire, n));
	EXPECT_EQ(0, peer_fails(self->fd, EMSGSIZE));
	EXPECT_EQ(0, peer_see_close(&self->p, 1009, ""));
	peer_join(&job);
}

TEST_F(message, pings_delivered_in_their_order)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[32], ping[2] = "1";
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PONG));
	ASSERT_EQ(0, peer_text(p, PONG, "0"));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	for (i = 1; i < 4; i++) {
		ping[0] = '0' + i;
		ASSERT_EQ(0, peer_text(p, PONG, ping));
		ASSERT_EQ(0, peer_text(p, CONT, "b"));
	}
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "c"));
	ASSERT_EQ(0, peer_text(p, PONG, "4"));
	for (i = 0; i < 4; i++) {
		m = peer_recvmsg(self->fd, buf, sizeof(buf), MSG_PEEK);
		ASSERT_EQ(1, m.len);
		m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
		ASSERT_EQ(1, m.len);
		EXPECT_EQ(WS_OP_PONG, m.frame.opcode);
		EXPECT_EQ('0' + i, buf[0]);
	}
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(5, m.len);
	EXPECT_EQ(0, memcmp(buf, "abbbc", 5));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(1, m.len);
	EXPECT_EQ('4', buf[0]);
}

TEST_F(message, ping_delivered_in_pieces)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[32];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PONG));
	ASSERT_EQ(0, peer_text(p, TEXT, "split"));
	ASSERT_EQ(0, peer_text(p, PONG, "12345"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, " ends"));
	m = peer_recvmsg(self->fd, buf, 2, 0);
	EXPECT_EQ(2, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(3, m.len);
	EXPECT_EQ(0, memcmp(buf, "345", 3));
	EXPECT_EQ(WS_OP_PONG, m.frame.opcode);
	EXPECT_EQ(0, peer_gets(self->fd, "split ends"));
}

TEST_HARNESS_MAIN
