// SPDX-License-Identifier: GPL-2.0
/* MSG_PEEK and FIONREAD: what the next read returns, and no trace of asking */
#include "fixture.h"
#include "asleep.h"

PEER_FIXTURE(peek)
PEER_VARIANTS_OVER_WIRE(peek);

/* recv(MSG_PEEK) gives exactly this */
static int shows(int fd, const char *text)
{
	size_t len = strlen(text);
	char buf[256];

	return recv(fd, buf, sizeof(buf), MSG_PEEK) == len &&
	       !memcmp(buf, text, len) ? 0 : -1;
}

static int inq(int fd)
{
	int n = -1;

	return ioctl(fd, FIONREAD, &n) ? -1 : n;
}

TEST_F(peek, changes_nothing)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "look twice"));
	ASSERT_EQ(0, shows(self->fd, "look twice"));
	ASSERT_EQ(0, shows(self->fd, "look twice"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
	EXPECT_EQ(0, peer_gets(self->fd, "look twice"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(peek, in_the_middle_of_a_frame)
{
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "0123456789"));
	ASSERT_EQ(3, recv(self->fd, buf, 3, 0));
	ASSERT_EQ(0, shows(self->fd, "3456789"));
	ASSERT_EQ(2, recv(self->fd, buf, 2, MSG_PEEK));
	EXPECT_EQ(0, memcmp(buf, "34", 2));
	EXPECT_EQ(0, peer_gets(self->fd, "3456789"));
}

TEST_F(peek, stays_in_the_frame)
{
	struct peer *p = &self->p;
	char buf[16];
	int n;

	ASSERT_EQ(0, peer_text(p, BINARY, "abc"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "def"));
	ASSERT_EQ(0, peer_sync(p));
	n = recv(self->fd, buf, sizeof(buf), MSG_PEEK);
	EXPECT_LE(1, n);
	EXPECT_GE(3, n);
	EXPECT_EQ(0, memcmp(buf, "abc", n));
	EXPECT_EQ(0, peer_gets(self->fd, "abcdef"));
}

TEST_F(peek, of_the_next_message)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | BINARY, "one"));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, "two"));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, shows(self->fd, "one"));
	ASSERT_EQ(0, peer_gets(self->fd, "one"));
	ASSERT_EQ(0, shows(self->fd, "two"));
	EXPECT_EQ(0, peer_gets(self->fd, "two"));
}

TEST_F(peek, passes_control_frames)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t n = peer_build(p, buf, PING, "first", 5);

	n += peer_build(p, buf + n, FIN | TEXT, "then", 4);
	ASSERT_EQ(0, peer_write(p, buf, n));
	EXPECT_EQ(0, shows(self->fd, "then"));
	EXPECT_EQ(0, peer_see_text(p, PONG, "first"));
	EXPECT_EQ(0, shows(self->fd, "then"));
	EXPECT_EQ(0, peer_gets(self->fd, "then"));
	/* and answers each once */
	EXPECT_EQ(0, peer_sync(p));
}

TEST_F(peek, flags_and_cmsg)
{
	struct peer_msg m;
	char buf[8];
	int i;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "abc"));
	for (i = 0; i < 2; i++) {
		m = peer_recvmsg(self->fd, buf, 8, i ? 0 : MSG_PEEK);
		EXPECT_EQ(3, m.len);
		EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
		ASSERT_TRUE(m.framed);
		EXPECT_EQ(TEXT, m.frame.opcode);
		EXPECT_EQ(WS_F_FIRST | WS_F_FIN, m.frame.flags);
		EXPECT_EQ(0, m.frame.left);
	}
}

TEST_F(peek, empty_message)
{
	struct peer_msg m;
	char buf[8];
	int i;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, ""));
	for (i = 0; i < 3; i++) {
		m = peer_recvmsg(self->fd, buf, 8, i < 2 ? MSG_PEEK : 0);
		EXPECT_EQ(0, m.len);
		EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
		ASSERT_TRUE(m.framed);
	}
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

/* Whose call has no room for WS_FRAME does not see it; others still do. */
static void passes_empty(struct __test_metadata *_metadata, struct peer *p)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, ""));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, "behind"));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, shows(p->fd, "behind"));
	EXPECT_EQ(6, inq(p->fd));
	m = peer_recvmsg(p->fd, buf, 8, 0);
	EXPECT_EQ(0, m.len);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(0, peer_gets(p->fd, "behind"));
}

TEST_F(peek, passes_an_empty_message)
{
	passes_empty(_metadata, &self->p);
}

TEST_F(peek, passes_a_whole_empty_message)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	passes_empty(_metadata, &self->p);
}

static ssize_t peek_call(struct peer_job *job)
{
	return recv(job->fd, job->buf, job->len, MSG_PEEK);
}

/* It stays in the queue: nothing to wake up for, again and again */
TEST_F(peek, sleeps_behind_an_empty_message)
{
	struct peer *p = &self->p;
	char buf[8];
	struct peer_job job = {
		.call = peek_call, .fd = self->fd, .buf = buf, .len = 8,
	};
	int mode;

	for (mode = WS_RX_STREAM; mode <= WS_RX_MESSAGE; mode++) {
		ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, mode));
		ASSERT_EQ(0, peer_text(p, FIN | TEXT, ""));
		ASSERT_EQ(0, peer_start_call(&job));
		ASSERT_EQ(0, asleep(1));
		ASSERT_EQ(0, peer_text(p, FIN | TEXT, "woken"));
		EXPECT_EQ(5, peer_join(&job));
		EXPECT_EQ(0, peer_gets(self->fd, "woken"));
	}
}

TEST_F(peek, end_behind_an_empty_message)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, ""));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	EXPECT_EQ(0, shows(self->fd, ""));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(0, m.len);
	EXPECT_TRUE(m.framed);
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(peek, nothing)
{
	char c;

	EXPECT_ERRNO(EAGAIN, recv(self->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT));
}

TEST_F(peek, waits)
{
	struct peer_job job;
	char frame[32];
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "awaited", 7);

	ASSERT_EQ(0, peer_start(&job, self->p.raw, frame, n));
	EXPECT_EQ(0, shows(self->fd, "awaited"));
	EXPECT_EQ(n, peer_join(&job));
	EXPECT_EQ(0, peer_gets(self->fd, "awaited"));
}

TEST_F(peek, end)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "last"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, shows(self->fd, "last"));
	ASSERT_EQ(0, peer_gets(self->fd, "last"));
	ASSERT_EQ(0, shows(self->fd, ""));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(peek, keeps_the_error)
{
	char c;

	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_ERRNO(EPROTO, recv(self->fd, &c, 1, MSG_PEEK));
	EXPECT_ERRNO(EPROTO, recv(self->fd, &c, 1, MSG_PEEK));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
	EXPECT_EQ(0, shows(self->fd, ""));
}

TEST_F(peek, keeps_the_reset)
{
	char c;

	ASSERT_EQ(0, peer_text(&self->p, BINARY, "cut"));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(0, peer_gets(self->fd, "cut"));
	EXPECT_ERRNO(ECONNRESET, recv(self->fd, &c, 1, MSG_PEEK));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(peek, fault)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "intact"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EFAULT, recv(self->fd, (void *)8, 16, MSG_PEEK));
	EXPECT_EQ(0, shows(self->fd, "intact"));
	EXPECT_EQ(0, peer_gets(self->fd, "intact"));
}

TEST_F(peek, bad_text_before_it_is_read)
{
	struct peer *p = &self->p;
	char buf[16];
	int n;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good\377bad"));
	n = recv(self->fd, buf, sizeof(buf), MSG_PEEK);
	EXPECT_EQ(4, n);
	EXPECT_EQ(0, memcmp(buf, "good", 4));
	EXPECT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(0, peer_fails(self->fd, EILSEQ));
	EXPECT_EQ(0, peer_see_close(p, 1007, ""));
}

TEST_F(peek, text_that_ends_in_a_character)
{
	char c;

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "good\343"));
	ASSERT_EQ(0, peer_gets(self->fd, "good\343"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, ""));
	EXPECT_ERRNO(EILSEQ, recv(self->fd, &c, 1, MSG_PEEK));
	EXPECT_EQ(0, peer_fails(self->fd, EILSEQ));
	EXPECT_EQ(0, peer_see_close(&self->p, 1007, ""));
}

/* What the peek has passed over is still there for who can see it */
TEST_F(peek, empty_message_before_bad_text)
{
	struct peer_msg m;
	char buf[8];
	int i;

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "\377"));
	ASSERT_EQ(0, peer_sync(&self->p));
	for (i = 0; i < 2; i++)
		EXPECT_ERRNO(EILSEQ, recv(self->fd, buf, 8, MSG_PEEK));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(0, m.len);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(BINARY, m.frame.opcode);
	EXPECT_EQ(0, peer_fails(self->fd, EILSEQ));
	EXPECT_EQ(0, peer_see_close(&self->p, 1007, ""));
}

TEST_F(peek, inq_of_a_part)
{
	char buf[64], c;
	size_t n = peer_build(&self->p, buf, FIN | BINARY, "0123456789", 10);

	EXPECT_EQ(0, inq(self->fd));
	ASSERT_EQ(0, peer_write(&self->p, buf, n - 4));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(6, inq(self->fd));
	ASSERT_EQ(1, recv(self->fd, &c, 1, 0));
	EXPECT_EQ(5, inq(self->fd));
	ASSERT_EQ(0, peer_write(&self->p, buf + n - 4, 4));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(9, inq(self->fd));
}

TEST_F(peek, inq_is_payload)
{
	char buf[16];
	size_t n = peer_build(&self->p, buf, FIN | BINARY, "x", 1);

	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, inq(self->fd));
	ASSERT_EQ(0, peer_write(&self->p, buf, n - 1));
	EXPECT_EQ(0, inq(self->fd));
	ASSERT_EQ(0, peer_write(&self->p, buf + n - 1, 1));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(1, inq(self->fd));
}

TEST_F(peek, whole_message)
{
	char buf[4];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	ASSERT_EQ(0, peer_text(&self->p, TEXT, "in "));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "parts"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(8, inq(self->fd));
	EXPECT_EQ(8, recv(self->fd, buf, 4, MSG_PEEK | MSG_TRUNC));
	EXPECT_EQ(0, memcmp(buf, "in p", 4));
	EXPECT_EQ(4, recv(self->fd, buf, 4, MSG_PEEK));
	EXPECT_EQ(8, inq(self->fd));
	EXPECT_EQ(0, peer_gets(self->fd, "in parts"));
}

TEST_F(peek, records)
{
	char a[64] = {}, b[64] = {};
	int n;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_sync(&self->p));
	n = recv(self->fd, a, sizeof(a), MSG_PEEK);
	EXPECT_EQ(16, n);
	EXPECT_EQ(16, recv(self->fd, b, sizeof(b), 0));
	EXPECT_EQ(0, memcmp(a, b, sizeof(a)));
}

TEST_F(peek, record_before_a_bad_one)
{
	struct peer *p = &self->p;
	char buf[64];
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "\377"));
	ASSERT_EQ(0, peer_sync(p));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(16, recv(self->fd, buf, sizeof(buf),
				   i < 2 ? MSG_PEEK : 0));
		EXPECT_EQ(0, memcmp(buf + sizeof(struct ws_rec), "good", 4));
	}
	EXPECT_ERRNO(EILSEQ, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, peer_see_close(p, 1007, ""));
}

TEST_HARNESS_MAIN
