// SPDX-License-Identifier: GPL-2.0
/* WS_RX_STREAM: payload as it arrives, and where messages end */
#include "fixture.h"

PEER_FIXTURE(stream)
PEER_VARIANTS_OVER_WIRE(stream);

TEST_F(stream, text)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "hello"));
	EXPECT_EQ(0, peer_gets(self->fd, "hello"));
}

TEST_F(stream, read_and_readv)
{
	char a[3], b[8];
	struct iovec iov[] = { { a, 3 }, { b, 8 } };

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "scattered"));
	ASSERT_EQ(9, readv(self->fd, iov, 2));
	EXPECT_EQ(0, memcmp(a, "sca", 3));
	EXPECT_EQ(0, memcmp(b, "ttered", 6));
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "plain"));
	ASSERT_EQ(5, read(self->fd, b, 8));
	EXPECT_EQ(0, memcmp(b, "plain", 5));
}

TEST_F(stream, fragments)
{
	struct peer *p = &self->p;
	char buf[16];

	ASSERT_EQ(0, peer_text(p, TEXT, "one "));
	ASSERT_EQ(0, peer_text(p, CONT, "two "));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "three"));
	ASSERT_EQ(0, peer_recv(self->fd, buf, 13));
	EXPECT_EQ(0, memcmp(buf, "one two three", 13));
}

TEST_F(stream, first_fragment_before_the_rest)
{
	ASSERT_EQ(0, peer_text(&self->p, BINARY, "begin"));
	EXPECT_EQ(0, peer_gets(self->fd, "begin"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "end"));
	EXPECT_EQ(0, peer_gets(self->fd, "end"));
}

TEST_F(stream, part_of_a_frame)
{
	char buf[64];
	size_t n = peer_build(&self->p, buf, FIN | BINARY, "partial", 7);

	ASSERT_EQ(0, peer_write(&self->p, buf, n - 3));
	EXPECT_EQ(0, peer_gets(self->fd, "part"));
	ASSERT_EQ(0, peer_write(&self->p, buf + n - 3, 3));
	EXPECT_EQ(0, peer_gets(self->fd, "ial"));
}

TEST_F(stream, control_between_fragments)
{
	struct peer *p = &self->p;
	char buf[16];

	ASSERT_EQ(0, peer_text(p, TEXT, "split"));
	ASSERT_EQ(0, peer_text(p, PING, "now"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, " ends"));
	ASSERT_EQ(0, peer_recv(self->fd, buf, 10));
	EXPECT_EQ(0, memcmp(buf, "split ends", 10));
	EXPECT_EQ(0, peer_see_text(p, PONG, "now"));
}

static size_t build_sample(struct peer *p, char *buf, const char *data)
{
	size_t n = peer_build(p, buf, TEXT, "He", 2);

	n += peer_build(p, buf + n, PING, "x", 1);
	n += peer_build(p, buf + n, CONT, NULL, 0);
	n += peer_build(p, buf + n, FIN | CONT, "llo", 3);
	n += peer_build(p, buf + n, FIN | BINARY, NULL, 0);
	n += peer_build(p, buf + n, FIN | BINARY, data, 130);
	return n;
}

static void take_sample(struct __test_metadata *_metadata, struct peer *p,
			const char *data)
{
	char buf[130];

	ASSERT_EQ(0, peer_recv(p->fd, buf, 5));
	ASSERT_EQ(0, memcmp(buf, "Hello", 5));
	ASSERT_EQ(0, peer_see_text(p, PONG, "x"));
	ASSERT_EQ(0, peer_recv(p->fd, buf, 130));
	ASSERT_EQ(0, memcmp(buf, data, 130));
}

TEST_F(stream, any_cut)
{
	char data[130], buf[400];
	struct peer *p = &self->p;
	size_t cut, n;

	peer_fill(data, sizeof(data), 1);
	n = build_sample(p, buf, data);
	for (cut = 1; cut < n; cut++) {
		ASSERT_EQ(0, peer_write(p, buf, cut));
		ASSERT_EQ(0, peer_write(p, buf + cut, n - cut));
		take_sample(_metadata, p, data);
	}
}

TEST_F(stream, byte_by_byte)
{
	char data[130], buf[400];
	size_t i, n;

	peer_fill(data, sizeof(data), 2);
	n = build_sample(&self->p, buf, data);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, peer_write(&self->p, buf + i, 1));
	take_sample(_metadata, &self->p, data);
}

TEST_F(stream, short_reads)
{
	char data[300], got[300];
	size_t i;

	peer_fill(data, sizeof(data), 3);
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, sizeof(data)));
	for (i = 0; i < sizeof(data); i++)
		ASSERT_EQ(1, recv(self->fd, got + i, 1, 0));
	EXPECT_EQ(0, memcmp(got, data, sizeof(data)));
}

TEST_F(stream, messages_apart)
{
	char buf[64];
	size_t n = peer_build(&self->p, buf, FIN | TEXT, "first", 5);

	n += peer_build(&self->p, buf + n, FIN | TEXT, "second", 6);
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	EXPECT_EQ(0, peer_gets(self->fd, "first"));
	EXPECT_EQ(0, peer_gets(self->fd, "second"));

	/* and where they are no short ones */
	n = peer_build(&self->p, buf, TEXT, "fi", 2);
	n += peer_build(&self->p, buf + n, FIN | CONT, "rst", 3);
	n += peer_build(&self->p, buf + n, FIN | TEXT, "second", 6);
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	EXPECT_EQ(0, peer_gets(self->fd, "first"));
	EXPECT_EQ(0, peer_gets(self->fd, "second"));
}

TEST_F(stream, eor_with_the_last_byte)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "0123456789"));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(8, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	m = peer_recvmsg(self->fd, buf, 2, 0);
	EXPECT_EQ(2, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
}

TEST_F(stream, no_eor_between_fragments)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "abc"));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(3, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "d"));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(1, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
}

TEST_F(stream, frame_cmsg)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "0123456789"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "ab"));
	m = peer_recvmsg(self->fd, buf, 3, 0);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIRST, m.frame.flags);
	EXPECT_EQ(7, m.frame.left);
	EXPECT_EQ(0, m.frame.reserved | m.frame.reserved2);
	m = peer_recvmsg(self->fd, buf, 7, 0);
	EXPECT_EQ(7, m.len);
	EXPECT_EQ(0, m.frame.flags);
	EXPECT_EQ(0, m.frame.left);
	m = peer_recvmsg(self->fd, buf, 1, 0);
	EXPECT_EQ(1, m.len);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIN, m.frame.flags);
	EXPECT_EQ(1, m.frame.left);
}

TEST_F(stream, empty_message_with_cmsg)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, ""));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(0, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN, m.frame.flags);
}

TEST_F(stream, empty_message_skipped_by_read)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, ""));
	ASSERT_EQ(0, peer_text(&self->p, BINARY, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "full"));
	EXPECT_EQ(0, peer_gets(self->fd, "full"));
}

TEST_F(stream, empty_last_fragment)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "abc"));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(3, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, ""));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(0, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	EXPECT_TRUE(m.framed);
	EXPECT_EQ(WS_F_FIN, m.frame.flags);
}

TEST_F(stream, end_without_eor)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(0, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	EXPECT_FALSE(m.framed);
}

TEST_F(stream, long_frame)
{
	size_t len = 1 << 20, n;
	struct peer_job job;
	char *data = malloc(len), *got = malloc(len);
	char *frame = malloc(len + PEER_HEADER);

	peer_fill(data, len, 4);
	n = peer_build(&self->p, frame, FIN | BINARY, data, len);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frame, n));
	ASSERT_EQ(0, peer_recv(self->fd, got, len));
	EXPECT_EQ(n, peer_join(&job));
	EXPECT_EQ(0, memcmp(got, data, len));
}

TEST_F(stream, many_empty_frames)
{
	enum { N = 20000 };
	char *buf = malloc(N * 6 + 64), got[2];
	struct peer_job job;
	size_t i, n;

	n = peer_build(&self->p, buf, BINARY, "a", 1);
	for (i = 0; i < N; i++)
		n += peer_build(&self->p, buf + n, CONT, NULL, 0);
	n += peer_build(&self->p, buf + n, FIN | CONT, "z", 1);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, buf, n));
	ASSERT_EQ(0, peer_recv(self->fd, got, 2));
	EXPECT_EQ(n, peer_join(&job));
	EXPECT_EQ(0, memcmp(got, "az", 2));
}

TEST_F(stream, dontwait)
{
	char c;

	EXPECT_ERRNO(EAGAIN, recv(self->fd, &c, 1, MSG_DONTWAIT));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, &c, 1, MSG_DONTWAIT));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_ERRNO(EAGAIN, read(self->fd, &c, 1));
}

TEST_F(stream, receive_timeout)
{
	struct timeval ms = { .tv_usec = 20000 };

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &ms,
				sizeof(ms)));
	EXPECT_EQ(0, peer_fails(self->fd, EAGAIN));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "later"));
	EXPECT_EQ(0, peer_gets(self->fd, "later"));
}

TEST_F(stream, waitall)
{
	struct peer_job job;
	char frames[64], buf[8];
	size_t n = peer_build(&self->p, frames, BINARY, "abc", 3);

	n += peer_build(&self->p, frames + n, FIN | CONT, "def", 3);
	n += peer_build(&self->p, frames + n, FIN | BINARY, "next", 4);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frames, n));
	/* the buffer is full, then: the message is over */
	EXPECT_EQ(5, recv(self->fd, buf, 5, MSG_WAITALL));
	EXPECT_EQ(1, recv(self->fd, buf + 5, 3, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	EXPECT_EQ(0, peer_gets(self->fd, "next"));
	EXPECT_EQ(n, peer_join(&job));
}

/* The window must open again while the call waits for more */
TEST_F(stream, waitall_longer_than_the_window)
{
	size_t len = variant->family & PEER_WIRE ? 1 << 20 : 8 << 20, n;
	struct peer_job job;
	char *data = malloc(len), *got = malloc(len);
	char *frame = malloc(len + PEER_HEADER);

	peer_fill(data, len, 9);
	n = peer_build(&self->p, frame, FIN | BINARY, data, len);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frame, n));
	ASSERT_EQ(len, recv(self->fd, got, len, MSG_WAITALL));
	EXPECT_EQ(n, peer_join(&job));
	EXPECT_EQ(0, memcmp(got, data, len));
}

TEST_F(stream, fault_loses_nothing)
{
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "intact"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EFAULT, recv(self->fd, (void *)8, 16, 0));
	EXPECT_EQ(0, peer_gets(self->fd, "intact"));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, buf, 16, MSG_DONTWAIT));
}

TEST_F(stream, fionread)
{
	int n = -1;

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "abc"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "de"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "next"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, ioctl(self->fd, FIONREAD, &n));
	EXPECT_EQ(5, n);
	EXPECT_EQ(0, peer_gets(self->fd, "abcde"));
	ASSERT_EQ(0, ioctl(self->fd, FIONREAD, &n));
	EXPECT_EQ(4, n);
}

TEST_F(stream, trunc_discards)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "discarded"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(7, recv(self->fd, NULL, 7, MSG_TRUNC));
	EXPECT_EQ(0, peer_gets(self->fd, "ed"));
}

/* The bytes are taken, so that the caller has to know that WS_FRAME is not */
TEST_F(stream, fault_in_the_control_message)
{
	char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = (void *)8, .msg_controllen = 64,
	};

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "taken"));
	ASSERT_EQ(5, recvmsg(self->fd, &msg, 0));
	EXPECT_EQ(MSG_CTRUNC, msg.msg_flags & MSG_CTRUNC);
	EXPECT_EQ(0, memcmp(buf, "taken", 5));
}

TEST_HARNESS_MAIN
