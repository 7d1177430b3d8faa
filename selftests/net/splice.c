// SPDX-License-Identifier: GPL-2.0
/* splice, sendfile and vmsplice: payload in pipes and files */
#include <sys/sendfile.h>

#include "fixture.h"

FIXTURE(splice) {
	struct peer p;
	int fd;
	int out, in;		/* ends of a pipe */
};

FIXTURE_VARIANT(splice) {
	int family;
	int role;
};

PEER_VARIANTS(splice);

FIXTURE_SETUP(splice)
{
	int line[2];

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, peer_open(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, pipe(line));
	self->fd = self->p.fd;
	self->out = line[0];
	self->in = line[1];
}

FIXTURE_TEARDOWN(splice)
{
	peer_close(&self->p);
	close(self->out);
	close(self->in);
}

/* A file that holds data */
static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("splice", 0);

	if (write(fd, data, len) != len)
		return -1;
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* What is in the pipe is exactly this */
static int pipe_has(int out, const char *text)
{
	char buf[256];
	ssize_t len = read(out, buf, sizeof(buf));

	return len == strlen(text) && !memcmp(buf, text, len) ? 0 : -1;
}

TEST_F(splice, out)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "payload"));
	ASSERT_EQ(7, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(0, pipe_has(self->out, "payload"));
}

TEST_F(splice, out_one_message)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_text(p, PING, "between"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "two"));
	ASSERT_EQ(0, peer_see_text(p, PONG, "between"));
	ASSERT_EQ(3, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(0, pipe_has(self->out, "one"));
	ASSERT_EQ(3, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(0, pipe_has(self->out, "two"));
}

TEST_F(splice, out_a_part)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "0123456789"));
	ASSERT_EQ(4, splice(self->fd, NULL, self->in, NULL, 4, 0));
	EXPECT_EQ(0, pipe_has(self->out, "0123"));
	EXPECT_EQ(0, peer_gets(self->fd, "456789"));
}

TEST_F(splice, out_nothing)
{
	EXPECT_ERRNO(EAGAIN, splice(self->fd, NULL, self->in, NULL, 100,
				    SPLICE_F_NONBLOCK));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_ERRNO(EAGAIN, splice(self->fd, NULL, self->in, NULL, 100,
				    SPLICE_F_NONBLOCK));
}

TEST_F(splice, out_the_end)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	EXPECT_EQ(1, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(0, splice(self->fd, NULL, self->in, NULL, 100, 0));
}

TEST_F(splice, out_an_error)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "good"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	EXPECT_EQ(4, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_ERRNO(EPROTO, splice(self->fd, NULL, self->in, NULL, 100, 0));
	ASSERT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(0, splice(self->fd, NULL, self->in, NULL, 100, 0));
}

TEST_F(splice, out_no_control)
{
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(&self->p, PING, "x"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EIO, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(1, peer_recvmsg(self->fd, buf, 8, 0).len);
}

TEST_F(splice, out_bad_text)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "good\377bad"));
	ASSERT_EQ(4, splice(self->fd, NULL, self->in, NULL, 100, 0));
	EXPECT_EQ(0, pipe_has(self->out, "good"));
	EXPECT_ERRNO(EILSEQ, splice(self->fd, NULL, self->in, NULL, 100, 0));
}

TEST_F(splice, out_to_a_file)
{
	size_t len = 500000, n, got = 0;
	char *data = malloc(len), *frame = malloc(len + PEER_HEADER);
	int file = file_of("", 0);
	struct peer_job job;
	ssize_t ret;

	peer_fill(data, len, 60);
	n = peer_build(&self->p, frame, FIN | BINARY, data, len);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frame, n));
	while (got < len) {
		ret = splice(self->fd, NULL, self->in, NULL, 65536, 0);
		ASSERT_LT(0, ret);
		ASSERT_EQ(ret, splice(self->out, NULL, file, NULL, ret, 0));
		got += ret;
	}
	EXPECT_EQ(n, peer_join(&job));
	ASSERT_EQ(len, pread(file, frame, len + 1, 0));
	EXPECT_EQ(0, memcmp(frame, data, len));
	close(file);
}

TEST_F(splice, in)
{
	ASSERT_EQ(7, write(self->in, "payload", 7));
	ASSERT_EQ(7, splice(self->out, NULL, self->fd, NULL, 7, 0));
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, "payload", 7));
}

TEST_F(splice, in_with_more)
{
	ASSERT_EQ(6, write(self->in, "abcdef", 6));
	ASSERT_EQ(4, splice(self->out, NULL, self->fd, NULL, 4,
			    SPLICE_F_MORE));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "abcd"));
	ASSERT_EQ(2, splice(self->out, NULL, self->fd, NULL, 2, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "ef"));
}

TEST_F(splice, in_user_pages)
{
	static char data[8192] __attribute__((aligned(4096)));
	struct iovec iov = { data + 100, 5000 };

	peer_fill(data, sizeof(data), 61);
	ASSERT_EQ(5000, vmsplice(self->in, &iov, 1, 0));
	ASSERT_EQ(5000, splice(self->out, NULL, self->fd, NULL, 5000, 0));
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, data + 100, 5000));
}

TEST_F(splice, echo)
{
	struct peer *p = &self->p;
	char data[3000];
	int i;

	for (i = 0; i < 20; i++) {
		peer_fill(data, sizeof(data), i);
		ASSERT_EQ(0, peer_send(p, FIN | BINARY, data, 3000));
		ASSERT_EQ(0, peer_sync(p));
		ASSERT_EQ(3000, splice(self->fd, NULL, self->in, NULL, 65536,
				       0));
		ASSERT_EQ(3000, splice(self->out, NULL, self->fd, NULL, 3000,
				       0));
		ASSERT_EQ(0, peer_see_message(p, BINARY, data, 3000));
	}
}

TEST_F(splice, in_after_close)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(1, write(self->in, "x", 1));
	EXPECT_ERRNO(EPIPE, splice(self->out, NULL, self->fd, NULL, 1, 0));
}

TEST_F(splice, sendfile)
{
	size_t lengths[] = { 1, 125, 126, 4096, 10000, 65536 }, i;
	char *data = malloc(65536);
	int file;

	peer_fill(data, 65536, 62);
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_TYPE, WS_OP_TEXT));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		file = file_of(data, lengths[i]);
		ASSERT_EQ(lengths[i], sendfile(self->fd, file, NULL,
					       lengths[i]));
		ASSERT_EQ(0, peer_see_message(&self->p, TEXT, data,
					      lengths[i]));
		close(file);
	}
}

TEST_F(splice, sendfile_a_part)
{
	int file = file_of("0123456789", 10);
	off_t at = 3;

	ASSERT_EQ(4, sendfile(self->fd, file, &at, 4));
	EXPECT_EQ(7, at);
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, "3456", 4));
	close(file);
}

struct sending {
	struct peer_job job;
	int file;
};

static ssize_t call_sendfile(struct peer_job *job)
{
	struct sending *s = (void *)job;

	return sendfile(job->fd, s->file, NULL, job->len);
}

TEST_F(splice, sendfile_long)
{
	struct sending s = { .job = { .call = call_sendfile } };
	size_t len = 1 << 20;
	char *data = malloc(len);

	peer_fill(data, len, 63);
	s.file = file_of(data, len);
	s.job.fd = self->fd;
	s.job.len = len;
	ASSERT_EQ(0, peer_start_call(&s.job));
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, data, len));
	EXPECT_EQ(len, peer_join(&s.job));
	close(s.file);
}

/* Non-blocking: what a short sendfile began, the next ones continue */
TEST_F(splice, sendfile_in_steps)
{
	size_t len = 1 << 20, sent = 0, got = 0, n;
	char *data = malloc(len), *buf = malloc(len);
	int file, b0 = 0, first = BINARY, i;
	struct peer *p = &self->p;
	ssize_t ret;

	peer_fill(data, len, 64);
	file = file_of(data, len);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	while (!(b0 & FIN)) {
		ret = sent < len ? sendfile(self->fd, file, NULL, len - sent) :
				   0;
		if (ret < 0)
			ASSERT_EQ(EAGAIN, errno);
		if (ret > 0)
			sent += ret;
		ASSERT_EQ(0, peer_header(p, &b0, &n));
		ASSERT_EQ(first, b0 & ~FIN);
		ASSERT_LE(n, len - got);
		ASSERT_EQ(0, peer_read(p, buf + got, n));
		for (i = 0; i < n; i++)
			buf[got + i] ^= p->key[i % 4];
		got += n;
		first = CONT;
	}
	EXPECT_EQ(len, sent);
	EXPECT_EQ(len, got);
	EXPECT_EQ(0, memcmp(buf, data, len));
	close(file);
}

TEST_F(splice, sendfile_past_the_end)
{
	int file = file_of("short", 5);
	struct ws_info info;

	ASSERT_EQ(5, sendfile(self->fd, file, NULL, 100));
	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_EQ(WS_INFO_TX_OPEN, info.flags);
	ASSERT_EQ(0, send(self->fd, "", 0, 0));
	EXPECT_EQ(0, peer_see_message(&self->p, BINARY, "short", 5));
	close(file);
}

/* A client's mask goes over a copy, never over the file */
TEST_F(splice, file_is_not_changed)
{
	char data[5000], now[5000];
	int file, line[2];

	peer_fill(data, sizeof(data), 65);
	file = file_of(data, sizeof(data));
	ASSERT_EQ(5000, sendfile(self->fd, file, NULL, 5000));
	ASSERT_EQ(0, peer_see_message(&self->p, BINARY, data, 5000));
	ASSERT_EQ(0, pipe(line));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));
	ASSERT_EQ(5000, splice(file, NULL, self->in, NULL, 5000, 0));
	ASSERT_EQ(5000, splice(self->out, NULL, self->fd, NULL, 5000, 0));
	ASSERT_EQ(0, peer_see_message(&self->p, BINARY, data, 5000));
	ASSERT_EQ(5000, pread(file, now, 5000, 0));
	EXPECT_EQ(0, memcmp(now, data, 5000));
	close(file);
}

/*
 * What the peer sends by sendfile arrives over loopback in the file's own
 * pages: unmasking must not write there.
 */
TEST_F(splice, received_pages_are_not_changed)
{
	char data[20000], frame[20000 + PEER_HEADER], now[sizeof(frame)];
	size_t n;
	int file;

	peer_fill(data, sizeof(data), 66);
	n = peer_build(&self->p, frame, FIN | BINARY, data, sizeof(data));
	file = file_of(frame, n);
	ASSERT_EQ(n, sendfile(self->p.raw, file, NULL, n));
	ASSERT_EQ(0, peer_recv(self->fd, now, sizeof(data)));
	EXPECT_EQ(0, memcmp(now, data, sizeof(data)));
	ASSERT_EQ(n, pread(file, now, n, 0));
	EXPECT_EQ(0, memcmp(now, frame, n));
	close(file);
}

TEST_F(splice, received_pages_are_not_changed_by_messages)
{
	char data[20000], frame[20000 + PEER_HEADER], now[sizeof(frame)];
	size_t n;
	int file;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	memset(data, 't', sizeof(data));
	n = peer_build(&self->p, frame, FIN | TEXT, data, sizeof(data));
	file = file_of(frame, n);
	ASSERT_EQ(n, sendfile(self->p.raw, file, NULL, n));
	ASSERT_EQ(20000, recv(self->fd, now, sizeof(now), 0));
	EXPECT_EQ(0, memcmp(now, data, sizeof(data)));
	ASSERT_EQ(n, pread(file, now, n, 0));
	EXPECT_EQ(0, memcmp(now, frame, n));
	close(file);
}

TEST_HARNESS_MAIN
