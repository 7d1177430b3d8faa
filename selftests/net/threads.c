// SPDX-License-Identifier: GPL-2.0
/* Several threads on one connection, and signals that interrupt them */
#include "fixture.h"
#include "asleep.h"

PEER_FIXTURE(threads)

static void on_signal(int sig)
{
}

/* Blocking calls end with EINTR, not anew */
static void interruptible(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
}

static void small_buffer(int fd)
{
	int small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

/* As it is: TCP raises it no more when it is read from */
static void fixed_buffer(int fd)
{
	int size;
	socklen_t len = sizeof(size);

	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len);
	size /= 2;	/* which the kernel doubles */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* The payload of the next frame, unmasked */
static int see_frame(struct peer *p, int *b0, unsigned char *buf, size_t *len)
{
	size_t i;

	if (peer_header(p, b0, len) || peer_read(p, buf, *len))
		return -1;
	for (i = 0; i < *len; i++)
		buf[i] ^= p->key[i % 4];
	return 0;
}

#define MESSAGES	100

struct sender {
	pthread_t thread;
	int fd;
	int letter;
	int failed;
};

/* Messages of one letter, of each size up to the largest frame */
static void *send_letters(void *arg)
{
	struct sender *s = arg;
	size_t len, step = 65536 / MESSAGES;
	char *data = malloc(65536);
	int i;

	memset(data, s->letter, 65536);
	for (i = 0; i < MESSAGES; i++) {
		len = 65536 - (i * 7 % MESSAGES) * step;
		s->failed += send(s->fd, data, len, MSG_NOSIGNAL) != len;
	}
	free(data);
	return NULL;
}

TEST_F(threads, messages_never_mix)
{
	struct sender s[3];
	unsigned char *buf = malloc(65536);
	int i, b0, seen[3] = {};
	size_t len, at;

	small_buffer(self->fd);
	for (i = 0; i < 3; i++) {
		s[i] = (struct sender){ .fd = self->fd, .letter = 'a' + i };
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, send_letters,
					    &s[i]));
	}
	for (i = 0; i < 3 * MESSAGES; i++) {
		ASSERT_EQ(0, see_frame(&self->p, &b0, buf, &len));
		ASSERT_EQ(FIN | BINARY, b0);
		ASSERT_LT(0, len);
		for (at = 1; at < len && buf[at] == buf[0]; at++)
			;
		ASSERT_EQ(len, at);
		ASSERT_TRUE(buf[0] >= 'a' && buf[0] <= 'c');
		seen[buf[0] - 'a']++;
	}
	for (i = 0; i < 3; i++) {
		pthread_join(s[i].thread, NULL);
		EXPECT_EQ(0, s[i].failed);
		EXPECT_EQ(MESSAGES, seen[i]);
	}
}

#define LONG	(2 << 20)

/* A message that a blocking sender is in the middle of */
static void begin_long(struct __test_metadata *_metadata, struct peer *p,
		       struct peer_job *job, char *data)
{
	peer_fill(data, LONG, 70);
	small_buffer(p->fd);
	fixed_buffer(p->raw);
	ASSERT_EQ(0, peer_start(job, p->fd, data, LONG));
	ASSERT_EQ(0, peer_see(p, BINARY, data, 65536));
	ASSERT_EQ(0, asleep(1));
}

TEST_F(threads, long_sender_keeps_others_out)
{
	char *data = malloc(LONG);
	struct peer *p = &self->p;
	struct peer_job job[2];

	begin_long(_metadata, p, &job[0], data);
	EXPECT_EQ(0, peer_poll(self->fd, POLLOUT, 0));
	EXPECT_ERRNO(EAGAIN, send(self->fd, "x", 1, MSG_DONTWAIT));
	ASSERT_EQ(0, peer_start(&job[1], self->fd, "other", 5));
	ASSERT_EQ(0, asleep(2));
	ASSERT_EQ(0, peer_see_message(p, CONT, data + 65536, LONG - 65536));
	EXPECT_EQ(0, peer_see_text(p, FIN | BINARY, "other"));
	EXPECT_EQ(LONG, peer_join(&job[0]));
	EXPECT_EQ(5, peer_join(&job[1]));
	EXPECT_EQ(POLLOUT, peer_poll(self->fd, POLLOUT, PEER_LIMIT));
}

static ssize_t call_ping(struct peer_job *job)
{
	return peer_sendmsg(job->fd, WS_OP_PING, job->buf, job->len, 0);
}

TEST_F(threads, control_goes_between_fragments)
{
	struct peer_job job, ping = {
		.call = call_ping, .fd = self->fd, .buf = "now", .len = 3,
	};
	unsigned char *buf = malloc(65536);
	char *data = malloc(LONG);
	struct peer *p = &self->p;
	size_t at = 65536, len;
	int b0, pings = 0, seen;

	begin_long(_metadata, p, &job, data);
	ASSERT_EQ(0, peer_start_call(&ping));
	/* nothing is read before it waits as well, for good, or has got in */
	for (seen = 0; peer_running(&ping) && seen < 50; poll(NULL, 0, 1))
		seen = count_asleep() < 2 ? 0 : seen + 1;
	ASSERT_EQ(0, peer_text(p, PING, "theirs"));
	do {
		ASSERT_EQ(0, see_frame(p, &b0, buf, &len));
		if (b0 == PING || b0 == PONG) {
			pings++;
			continue;
		}
		ASSERT_EQ(CONT, b0 & ~FIN);
		ASSERT_LE(len, LONG - at);
		ASSERT_EQ(0, memcmp(data + at, buf, len));
		at += len;
	} while (b0 != (FIN | CONT));
	/* both of them before the end, and not a byte of the message lost */
	EXPECT_EQ(2, pings);
	EXPECT_EQ(LONG, at);
	EXPECT_EQ(3, peer_join(&ping));
	EXPECT_EQ(LONG, peer_join(&job));
}

TEST_F(threads, signal_interrupts_a_long_sender)
{
	char *data = malloc(LONG);
	struct peer *p = &self->p;
	struct peer_job job;
	size_t at = 65536, n;
	ssize_t sent;
	int b0;

	interruptible();
	begin_long(_metadata, p, &job, data);
	ASSERT_EQ(0, pthread_kill(job.thread, SIGUSR1));
	sent = peer_join(&job);
	/* finished fragments only, and at least the one that we have seen */
	ASSERT_LE(65536, sent);
	ASSERT_GT(LONG, sent);
	ASSERT_EQ(0, sent % 65536);
	ASSERT_EQ(0, peer_start(&job, self->fd, data + sent, 1000));
	for (b0 = 0; !(b0 & FIN); at += n) {
		ASSERT_EQ(0, peer_header(p, &b0, &n));
		ASSERT_EQ(CONT, b0 & ~FIN);
		ASSERT_EQ(0, peer_read(p, data, n));
	}
	EXPECT_EQ(sent + 1000, at);
	EXPECT_EQ(1000, peer_join(&job));
}

TEST_F(threads, signal_before_the_first_byte)
{
	static char data[1 << 20];
	struct peer *p = &self->p;
	struct peer_job job;

	interruptible();
	small_buffer(self->fd);
	/* no buffers hold that: there is no room until the peer reads */
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(sizeof(data), send(self->fd, data, sizeof(data), 0));
	ASSERT_EQ(0, peer_start(&job, self->fd, "never", 5));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, pthread_kill(job.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, peer_join(&job));
	ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, sizeof(data)));
	/* not one byte of it went anywhere */
	EXPECT_EQ(0, peer_sync(p));
}

TEST_F(threads, signal_interrupts_a_reader)
{
	struct peer_job job;
	char buf[8];

	interruptible();
	ASSERT_EQ(0, peer_start_recv(&job, self->fd, buf, sizeof(buf)));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, pthread_kill(job.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, peer_join(&job));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "later"));
	EXPECT_EQ(0, peer_gets(self->fd, "later"));
}

TEST_F(threads, signal_in_waitall)
{
	struct peer *p = &self->p;
	char frame[32], buf[8];
	struct peer_job job;
	size_t n;

	interruptible();
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	n = peer_build(p, frame, FIN | TEXT, "in two", 6);
	ASSERT_EQ(0, peer_write(p, frame, n - 3));
	ASSERT_EQ(0, peer_start_recv(&job, self->fd, buf, sizeof(buf)));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, pthread_kill(job.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, peer_join(&job));
	ASSERT_EQ(0, peer_write(p, frame + n - 3, 3));
	EXPECT_EQ(0, peer_gets(self->fd, "in two"));
}

TEST_F(threads, pong_while_readers_and_senders_wait)
{
	char *data = malloc(LONG), c;
	struct peer_job job[2];
	int b0, pongs = 0;
	size_t n;

	ASSERT_EQ(0, peer_start_recv(&job[0], self->fd, &c, 1));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, peer_sync(&self->p));
	small_buffer(self->fd);
	ASSERT_EQ(0, peer_start(&job[1], self->fd, data, LONG));
	ASSERT_EQ(0, asleep(2));
	ASSERT_EQ(0, peer_text(&self->p, PING, "busy?"));
	do {
		ASSERT_EQ(0, peer_header(&self->p, &b0, &n));
		ASSERT_EQ(0, peer_read(&self->p, data, n));
		pongs += b0 == PONG;
	} while (b0 != (FIN | CONT));
	EXPECT_EQ(1, pongs);
	EXPECT_EQ(LONG, peer_join(&job[1]));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	EXPECT_EQ(1, peer_join(&job[0]));
}

TEST_F(threads, readers_share_the_messages)
{
	enum { READERS = 4, N = 100 };
	struct peer_job job[READERS];
	char buf[READERS][16];
	int i, j, got[N] = {};
	char text[16];

	/* each call gets one: which, nobody knows */
	for (i = 0; i < N; i += READERS) {
		for (j = 0; j < READERS; j++) {
			ASSERT_EQ(0, peer_start_recv(&job[j], self->fd,
						     buf[j], 16));
			sprintf(text, "%d", i + j);
			ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, text));
		}
		for (j = 0; j < READERS; j++) {
			ASSERT_LT(0, peer_join(&job[j]));
			buf[j][job[j].ret] = 0;
			ASSERT_GT(N, atoi(buf[j]));
			got[atoi(buf[j])]++;
		}
	}
	for (i = 0; i < N; i++)
		EXPECT_EQ(1, got[i]);
}

TEST_F(threads, shut_rd_wakes_a_reader)
{
	struct peer_job job;
	char c;

	ASSERT_EQ(0, peer_start_recv(&job, self->fd, &c, 1));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	EXPECT_EQ(0, peer_join(&job));
}

TEST_F(threads, shut_wr_wakes_a_sender)
{
	char *data = malloc(LONG);
	struct peer *p = &self->p;
	struct peer_job job;
	ssize_t sent;
	size_t at = 65536, n;
	int b0;

	begin_long(_metadata, p, &job, data);
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	sent = peer_join(&job);
	ASSERT_LE(65536, sent);
	ASSERT_GT(LONG, sent);
	/* what it was told left is there, and then Close */
	for (;;) {
		ASSERT_EQ(0, peer_header(p, &b0, &n));
		ASSERT_EQ(0, peer_read(p, data, n));
		if (b0 == CLOSE)
			break;
		ASSERT_EQ(CONT, b0);
		at += n;
	}
	EXPECT_EQ(sent, at);
}

TEST_F(threads, close_wakes_nobody_early)
{
	struct peer_job job;
	char buf[8];

	/* the call holds the file: the connection ends after it */
	ASSERT_EQ(0, peer_start_recv(&job, self->fd, buf, sizeof(buf)));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, close(self->fd));
	self->p.fd = -1;
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "last"));
	EXPECT_EQ(4, peer_join(&job));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(threads, records_wait_for_a_long_sender)
{
	struct ws_txrec rec[2] = {
		{ 1, WS_OP_TEXT, WS_F_FIN }, { 1, WS_OP_TEXT, WS_F_FIN },
	};
	char control[CMSG_SPACE(sizeof(rec))] = {};
	struct iovec iov = { "ab", 2 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	char *data = malloc(LONG);
	struct peer_job job;

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_RECORDS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(rec));
	memcpy(CMSG_DATA(cmsg), rec, sizeof(rec));
	begin_long(_metadata, &self->p, &job, data);
	EXPECT_ERRNO(EAGAIN, sendmsg(self->fd, &msg, MSG_DONTWAIT));
	ASSERT_EQ(0, peer_see_message(&self->p, CONT, data + 65536,
				      LONG - 65536));
	EXPECT_EQ(LONG, peer_join(&job));
	EXPECT_EQ(2, sendmsg(self->fd, &msg, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "b"));
}

struct echo {
	pthread_t thread;
	int fd;
	ssize_t total;
};

static void *read_all(void *arg)
{
	struct echo *e = arg;
	char buf[4096];
	ssize_t n;

	while ((n = recv(e->fd, buf, sizeof(buf), 0)) > 0)
		e->total += n;
	return NULL;
}

TEST_F(threads, both_ways_at_once)
{
	char *data = malloc(LONG), *frame = malloc(LONG + PEER_HEADER);
	struct peer_job in, out;
	struct echo e = { .fd = self->fd };
	size_t n;

	peer_fill(data, LONG, 71);
	n = peer_build(&self->p, frame, FIN | BINARY, data, LONG);
	ASSERT_EQ(0, pthread_create(&e.thread, NULL, read_all, &e));
	ASSERT_EQ(0, peer_start(&in, self->p.raw, frame, n));
	ASSERT_EQ(0, peer_start(&out, self->fd, data, LONG));
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, data, LONG));
	EXPECT_EQ(n, peer_join(&in));
	EXPECT_EQ(LONG, peer_join(&out));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	pthread_join(e.thread, NULL);
	EXPECT_EQ(LONG, e.total);
}

TEST_HARNESS_MAIN
