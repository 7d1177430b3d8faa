// SPDX-License-Identifier: GPL-2.0
/* One send is one message: lengths, fragments, types, keys, errors */
#include <linux/sockios.h>

#include "fixture.h"
#include "asleep.h"

PEER_FIXTURE(send)

/* A message in a frame, sent by a thread: it may be longer than all buffers */
static void one_frame(struct __test_metadata *_metadata, struct peer *p,
		      size_t len)
{
	char *data = malloc(len + 1);
	struct peer_job job;

	peer_fill(data, len, len);
	ASSERT_EQ(0, peer_start(&job, p->fd, data, len));
	ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, len));
	ASSERT_EQ(len, peer_join(&job));
	free(data);
}

TEST_F(send, small_messages)
{
	size_t len;

	for (len = 0; len <= 130; len++)
		one_frame(_metadata, &self->p, len);
}

TEST_F(send, header_lengths)
{
	size_t lengths[] = { 125, 126, 65535, 65536 }, i;

	for (i = 0; i < 4; i++)
		one_frame(_metadata, &self->p, lengths[i]);
}

TEST_F(send, longest_frame)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, 1 << 20));
	one_frame(_metadata, &self->p, 1 << 20);
}

TEST_F(send, empty_message)
{
	struct msghdr msg = {};

	ASSERT_EQ(0, send(self->fd, NULL, 0, 0));
	ASSERT_EQ(0, sendmsg(self->fd, &msg, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, ""));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, ""));
}

TEST_F(send, long_message_in_fragments)
{
	size_t len = 200000, max = 65536, at;
	char *data = malloc(len);
	struct peer_job job;
	int b0 = BINARY;

	peer_fill(data, len, 6);
	ASSERT_EQ(0, peer_start(&job, self->fd, data, len));
	for (at = 0; at + max < len; at += max, b0 = CONT)
		ASSERT_EQ(0, peer_see(&self->p, b0, data + at, max));
	ASSERT_EQ(0, peer_see(&self->p, FIN | CONT, data + at, len - at));
	EXPECT_EQ(len, peer_join(&job));
}

TEST_F(send, frame_max)
{
	char data[251];

	peer_fill(data, sizeof(data), 7);
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, 125));
	ASSERT_EQ(125, send(self->fd, data, 125, 0));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, data, 125));
	ASSERT_EQ(251, send(self->fd, data, 251, 0));
	EXPECT_EQ(0, peer_see(&self->p, BINARY, data, 125));
	EXPECT_EQ(0, peer_see(&self->p, CONT, data + 125, 125));
	EXPECT_EQ(0, peer_see(&self->p, FIN | CONT, data + 250, 1));
}

TEST_F(send, gathered)
{
	struct iovec iov[] = { { "one", 3 }, { "", 0 }, { "two", 3 } };

	ASSERT_EQ(6, writev(self->fd, iov, 3));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "onetwo"));
}

TEST_F(send, sendmmsg)
{
	struct iovec iov[] = { { "a", 1 }, { "bc", 2 } };
	struct mmsghdr mm[] = {
		{ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = iov + 1, .msg_iovlen = 1 } },
	};

	ASSERT_EQ(2, sendmmsg(self->fd, mm, 2, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "bc"));
}

TEST_F(send, more)
{
	ASSERT_EQ(1, send(self->fd, "a", 1, MSG_MORE));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "a"));
	ASSERT_EQ(1, send(self->fd, "b", 1, MSG_MORE));
	EXPECT_EQ(0, peer_see_text(&self->p, CONT, "b"));
	ASSERT_EQ(1, send(self->fd, "c", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "c"));
	ASSERT_EQ(1, send(self->fd, "d", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "d"));
}

TEST_F(send, empty_send_ends_the_message)
{
	ASSERT_EQ(4, send(self->fd, "open", 4, MSG_MORE));
	ASSERT_EQ(0, send(self->fd, NULL, 0, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "open"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, ""));
}

TEST_F(send, type_by_option)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_TYPE, WS_OP_TEXT));
	ASSERT_EQ(4, send(self->fd, "text", 4, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "text"));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_TYPE, WS_OP_BINARY));
	ASSERT_EQ(3, send(self->fd, "bin", 3, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "bin"));
}

TEST_F(send, type_by_cmsg)
{
	int fd = self->fd;

	ASSERT_EQ(4, peer_sendmsg(fd, WS_OP_TEXT, "text", 4, 0));
	ASSERT_EQ(3, send(fd, "bin", 3, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "text"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "bin"));
}

TEST_F(send, bad_types)
{
	int bad[] = { 0, 3, 7, 11, 15, 16, 0x41, 0x81, 256, -1 }, i;
	int fd = self->fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, peer_sendmsg(fd, bad[i], "x", 1, 0));
	EXPECT_EQ(EINVAL, peer_set(fd, WS_TX_TYPE, WS_OP_CONT));
	EXPECT_EQ(EINVAL, peer_set(fd, WS_TX_TYPE, WS_OP_PING));
	ASSERT_EQ(2, send(fd, "ok", 2, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "ok"));
}

TEST_F(send, type_while_open)
{
	int fd = self->fd;

	ASSERT_EQ(1, send(fd, "a", 1, MSG_MORE));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, WS_OP_TEXT, "x", 1, 0));
	EXPECT_EQ(0, peer_set(fd, WS_TX_TYPE, WS_OP_TEXT));
	ASSERT_EQ(1, send(fd, "b", 1, 0));
	ASSERT_EQ(1, send(fd, "c", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "b"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "c"));
}

TEST_F(send, ping_between_fragments)
{
	int fd = self->fd;

	ASSERT_EQ(1, send(fd, "a", 1, MSG_MORE));
	ASSERT_EQ(4, peer_sendmsg(fd, WS_OP_PING, "mine", 4, 0));
	ASSERT_EQ(1, send(fd, "b", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, PING, "mine"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "b"));
}

TEST_F(send, pong_unasked)
{
	ASSERT_EQ(0, peer_sendmsg(self->fd, WS_OP_PONG, "", 0, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, ""));
}

TEST_F(send, control_limits)
{
	char data[126];
	int fd = self->fd;

	peer_fill(data, sizeof(data), 8);
	EXPECT_EQ(-EMSGSIZE, peer_sendmsg(fd, WS_OP_PING, data, 126, 0));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, WS_OP_PING, data, 5, MSG_MORE));
	EXPECT_EQ(125, peer_sendmsg(fd, WS_OP_PING, data, 125, 0));
	EXPECT_EQ(0, peer_see(&self->p, PING, data, 125));
}

TEST_F(send, keys_differ)
{
	unsigned char zero[4] = {}, keys[32][4];
	int i, j, same = 0;

	if (variant->role == WS_SERVER) {
		one_frame(_metadata, &self->p, 100);
		EXPECT_EQ(0, memcmp(self->p.key, zero, 4));
		return;
	}
	for (i = 0; i < 32; i++) {
		one_frame(_metadata, &self->p, 8);
		memcpy(keys[i], self->p.key, 4);
		for (j = 0; j < i; j++)
			same += !memcmp(keys[i], keys[j], 4);
	}
	/* two of 32 are the same once in 8 million runs */
	EXPECT_EQ(0, same);
}

TEST_F(send, eor_is_ignored)
{
	ASSERT_EQ(1, send(self->fd, "a", 1, MSG_EOR));
	ASSERT_EQ(1, send(self->fd, "b", 1, MSG_EOR | MSG_MORE));
	ASSERT_EQ(1, send(self->fd, "c", 1, MSG_EOR));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "b"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "c"));
}

TEST_F(send, urgent_refused)
{
	EXPECT_ERRNO(EOPNOTSUPP, send(self->fd, "x", 1, MSG_OOB));
	ASSERT_EQ(2, send(self->fd, "ok", 2, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "ok"));
}

TEST_F(send, text_is_not_checked)
{
	ASSERT_EQ(2, peer_sendmsg(self->fd, WS_OP_TEXT, "\xff\xfe", 2, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "\xff\xfe"));
}

/* Two pages, of which the second cannot be read */
static char *half_mapped(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		munmap(p + page, page);
	return p + page;
}

TEST_F(send, fault_sends_nothing)
{
	char *edge = half_mapped();
	int there;

	memset(edge - 4000, 'x', 4000);
	for (there = 0; there < 20; there++)
		EXPECT_ERRNO(EFAULT, send(self->fd, edge - there, 20, 0));
	EXPECT_ERRNO(EFAULT, send(self->fd, edge - 10, 400, 0));
	EXPECT_ERRNO(EFAULT, send(self->fd, edge - 4000, 8000, 0));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(4000, send(self->fd, edge - 4000, 4000, 0));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, edge - 4000, 4000));
}

TEST_F(send, fault_in_a_later_fragment)
{
	char *edge = half_mapped();

	memset(edge - 300, 'x', 300);
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, 200));
	/* one whole fragment left: that is what the call tells */
	ASSERT_EQ(200, send(self->fd, edge - 300, 600, 0));
	EXPECT_EQ(0, peer_see(&self->p, BINARY, edge - 300, 200));
	ASSERT_EQ(100, send(self->fd, edge - 100, 100, 0));
	EXPECT_EQ(0, peer_see(&self->p, FIN | CONT, edge - 100, 100));
}

/* A frame waits and the buffer is full */
static void fill(struct __test_metadata *_metadata, int fd, char *data,
		 size_t len)
{
	int small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(fd, WS_TX_FRAME_MAX, len));
	ASSERT_EQ(len, send(fd, data, len, 0));
	EXPECT_ERRNO(EAGAIN, send(fd, data, 1, MSG_DONTWAIT));
}

static char megabyte[1 << 20];

TEST_F(send, timeout)
{
	struct timeval ms = { .tv_usec = 20000 };

	fill(_metadata, self->fd, megabyte, sizeof(megabyte));
	setsockopt(self->fd, SOL_SOCKET, SO_SNDTIMEO, &ms, sizeof(ms));
	EXPECT_ERRNO(EAGAIN, send(self->fd, "x", 1, 0));
	/* not one byte of it went */
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, megabyte,
			      sizeof(megabyte)));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(send, reset_wakes_the_sender)
{
	struct linger now = { .l_onoff = 1 };
	struct peer_job job;

	fill(_metadata, self->fd, megabyte, sizeof(megabyte));
	ASSERT_EQ(0, peer_start(&job, self->fd, "x", 1));
	ASSERT_EQ(0, asleep(1));
	setsockopt(self->p.raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(self->p.raw);
	self->p.raw = -1;
	EXPECT_EQ(-ECONNRESET, peer_join(&job));
}

TEST_F(send, outq_counts_wire_bytes)
{
	size_t wire = sizeof(megabyte) + 2 + 8 +
		      (variant->role == WS_CLIENT ? 4 : 0);
	int out = -1, in = -1, ms;

	fill(_metadata, self->fd, megabyte, sizeof(megabyte));
	/* what the peer's TCP has is not ours any more */
	for (ms = 0; ms < PEER_LIMIT && in + out != wire; ms++) {
		ASSERT_EQ(0, ioctl(self->p.raw, SIOCINQ, &in));
		ASSERT_EQ(0, ioctl(self->fd, SIOCOUTQ, &out));
		poll(NULL, 0, 1);
	}
	EXPECT_EQ(wire, in + out);
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, megabyte,
			      sizeof(megabyte)));
	for (ms = 0; ms < PEER_LIMIT && out; ms++) {
		ASSERT_EQ(0, ioctl(self->fd, SIOCOUTQ, &out));
		poll(NULL, 0, 1);
	}
	EXPECT_EQ(0, out);
}

/* Whole fragments went: that many bytes are told, and the next call goes on */
TEST_F(send, short_count)
{
	size_t len = sizeof(megabyte), sent = 0;
	struct peer_job rest;
	int small = 4096;
	ssize_t n;

	peer_fill(megabyte, len, 10);
	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, 10000));
	/* while there is room; an acknowledgment may make some at any time */
	do {
		ASSERT_GT(len, sent);
		n = send(self->fd, megabyte + sent, len - sent, MSG_DONTWAIT);
		ASSERT_NE(0, n);
		sent += n > 0 ? n : 0;
		ASSERT_EQ(0, sent % 10000);
	} while (n > 0);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LT(0, sent);
	ASSERT_EQ(0, peer_start(&rest, self->fd, megabyte + sent, len - sent));
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, megabyte, len));
	EXPECT_EQ(len - sent, peer_join(&rest));
}

TEST_F(send, after_shutdown)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, 0));
	EXPECT_ERRNO(EPIPE, send(self->fd, NULL, 0, 0));
	EXPECT_EQ(-EPIPE, peer_sendmsg(self->fd, WS_OP_PING, "x", 1, 0));
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int sig)
{
	sigpipes++;
}

TEST_F(send, sigpipe)
{
	signal(SIGPIPE, count_sigpipe);
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(0, sigpipes);
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, 0));
	EXPECT_EQ(1, sigpipes);
}

TEST_HARNESS_MAIN
