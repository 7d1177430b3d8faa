// SPDX-License-Identifier: GPL-2.0
/* What poll, select and epoll say, and that the calls agree with it */
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "fixture.h"

PEER_FIXTURE(poll)
PEER_VARIANTS_OVER_WIRE(poll);

static int epoll_on(int fd, int events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(0);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) ? -1 : ep;
}

/* Events, 0 for none within ms */
static int epoll_events(int ep, int ms)
{
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, ms);

	return n > 0 ? ev.events : n;
}

TEST_F(poll, nothing_yet)
{
	EXPECT_EQ(POLLOUT, peer_poll(self->fd, POLLIN | POLLOUT | POLLRDHUP |
				     POLLPRI, 0));
}

TEST_F(poll, in_for_payload)
{
	int in = POLLIN | POLLRDNORM;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	EXPECT_EQ(in, peer_poll(self->fd, in, PEER_LIMIT));
	ASSERT_EQ(0, peer_gets(self->fd, "x"));
	EXPECT_EQ(0, peer_poll(self->fd, in, 0));
}

TEST_F(poll, not_for_a_partial_header)
{
	char payload[200] = {}, buf[256];
	struct peer *p = &self->p;
	size_t ping, n, cut;

	/* one segment: the pong shows that the cut header is there */
	ping = peer_build(p, buf, PING, "p", 1);
	n = ping + peer_build(p, buf + ping, FIN | BINARY, payload, 200);
	for (cut = ping + 1; cut <= n - 200; cut++) {
		ASSERT_EQ(0, peer_write(p, buf, cut));
		ASSERT_EQ(0, peer_see_text(p, PONG, "p"));
		ASSERT_EQ(0, peer_poll(self->fd, POLLIN, 0));
		ASSERT_EQ(0, peer_write(p, buf + cut, n - cut));
		ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
		ASSERT_EQ(0, peer_recv(self->fd, payload, 200));
	}
}

TEST_F(poll, not_for_control)
{
	ASSERT_EQ(0, peer_text(&self->p, PONG, "unasked"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(poll, empty_message_is_an_event)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, ""));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	m = peer_recvmsg(self->fd, buf, 8, MSG_DONTWAIT);
	EXPECT_EQ(0, m.len);
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(poll, close_is_in_and_rdhup)
{
	int events = POLLIN | POLLRDHUP;

	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(events, peer_poll(self->fd, events, 0));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(events, peer_poll(self->fd, events, 0));
}

TEST_F(poll, end_of_tcp_is_in_and_rdhup)
{
	int events = POLLIN | POLLRDHUP;

	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(events, peer_poll(self->fd, events, 0));
}

TEST_F(poll, error_after_the_good_bytes)
{
	char buf[64];
	size_t n = peer_build(&self->p, buf, FIN | TEXT, "good", 4);

	n += peer_build(&self->p, buf + n, FIN | 3, "bad", 3);
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	EXPECT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
	ASSERT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(POLLIN | POLLERR, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(poll, hup_when_tcp_is_closed)
{
	int events = POLLIN | POLLRDHUP | POLLHUP;

	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(POLLHUP, peer_poll(self->fd, 0, PEER_LIMIT));
	EXPECT_EQ(events, peer_poll(self->fd, events, 0));
}

TEST_F(poll, out_while_closing)
{
	static char data[1 << 20];
	int small = 4096;

	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(sizeof(data), send(self->fd, data, sizeof(data), 0));
	EXPECT_EQ(0, peer_poll(self->fd, POLLOUT, 0));
	/* a send would fail at once, so it need not wait */
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(POLLOUT, peer_poll(self->fd, POLLOUT, 0));
}

TEST_F(poll, select)
{
	struct timeval limit = { .tv_sec = PEER_LIMIT / 1000 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	EXPECT_EQ(1, select(self->fd + 1, &in, &out, NULL, &limit));
	EXPECT_FALSE(FD_ISSET(self->fd, &in));
	EXPECT_TRUE(FD_ISSET(self->fd, &out));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	FD_SET(self->fd, &in);
	EXPECT_EQ(1, select(self->fd + 1, &in, NULL, NULL, &limit));
}

TEST_F(poll, epoll_level)
{
	int ep = epoll_on(self->fd, EPOLLIN);
	char c;

	ASSERT_EQ(0, epoll_events(ep, 0));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "ab"));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, PEER_LIMIT));
	ASSERT_EQ(1, recv(self->fd, &c, 1, 0));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 0));
	ASSERT_EQ(1, recv(self->fd, &c, 1, 0));
	EXPECT_EQ(0, epoll_events(ep, 0));
}

TEST_F(poll, epoll_edge_of_each_arrival)
{
	int ep = epoll_on(self->fd, EPOLLIN | EPOLLET);
	int i;

	ASSERT_EQ(0, epoll_events(ep, 0));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
		ASSERT_EQ(EPOLLIN, epoll_events(ep, PEER_LIMIT));
		ASSERT_EQ(0, epoll_events(ep, 0));
	}
	/* edges come without reading, and nothing was lost */
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, peer_gets(self->fd, "x"));
}

TEST_F(poll, epoll_no_edge_for_control)
{
	int ep = epoll_on(self->fd, EPOLLIN | EPOLLET);
	char buf[32];
	size_t n = peer_build(&self->p, buf, FIN | TEXT, "late", 4);

	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_write(&self->p, buf, 1));
	ASSERT_EQ(0, epoll_events(ep, 0));
	ASSERT_EQ(0, peer_write(&self->p, buf + 1, n - 1));
	ASSERT_EQ(EPOLLIN, epoll_events(ep, PEER_LIMIT));
	EXPECT_EQ(0, peer_gets(self->fd, "late"));
}

static int outq(int fd)
{
	int n = -1;

	ioctl(fd, SIOCOUTQ, &n);
	return n;
}

/*
 * Send whole messages until EAGAIN, asking poll before each: where it promises
 * room there is some, and where not, none comes but by an acknowledgment.
 */
static int fill(struct __test_metadata *_metadata, struct peer *p,
		const char *data, size_t len)
{
	int wire = len + (len < 126 ? 2 : len < 65536 ? 4 : 10) +
		   (p->role == WS_CLIENT ? 4 : 0);
	int n, out, before;
	ssize_t ret;

	for (n = 0;; n++) {
		before = outq(p->fd);
		out = peer_poll(p->fd, POLLOUT, 0);
		ret = send(p->fd, data, len, MSG_DONTWAIT);
		if (ret < 0)
			break;
		ASSERT_EQ(len, ret);
		if (outq(p->fd) == before + wire)
			ASSERT_EQ(POLLOUT, out);
	}
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, out);
	return n;
}

static void predicate(struct __test_metadata *_metadata, struct peer *p,
		      int sndbuf, size_t len)
{
	int ep, n, more = 5, b0, left = 0;
	char *data = calloc(1, len);
	size_t got;

	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	n = fill(_metadata, p, data, len);
	ep = epoll_on(p->fd, EPOLLOUT | EPOLLET);
	/* every frame that was accepted arrives; each edge is good for one */
	for (; n; n--) {
		ASSERT_EQ(0, peer_header(p, &b0, &got));
		ASSERT_EQ(len, got);
		ASSERT_EQ(0, peer_read(p, data, len));
		left = n;
		if (more && epoll_events(ep, 0) == EPOLLOUT) {
			ASSERT_EQ(len, send(p->fd, data, len, MSG_DONTWAIT));
			n += 1 + fill(_metadata, p, data, len);
			more--;
		}
	}
	EXPECT_EQ(1, left);
	EXPECT_EQ(POLLOUT, peer_poll(p->fd, POLLOUT, PEER_LIMIT));
	free(data);
}

TEST_F(poll, out_is_the_opposite_of_eagain)
{
	predicate(_metadata, &self->p, 50000, 1000);
}

TEST_F(poll, out_promises_a_frame_above_the_send_buffer)
{
	predicate(_metadata, &self->p, 8000, 65536);
}

/* More quiet frames than a pass of the scanner looks at, then this */
static size_t behind_much(struct peer *p, char **wire, int b0,
			  const char *text)
{
	enum { FRAMES = 30000 };
	char *buf = malloc((FRAMES + 2) * (PEER_HEADER + 16));
	size_t n = 0, i;

	for (i = 0; i < FRAMES; i++)
		n += peer_build(p, buf + n, PONG, "", 0);
	*wire = buf;
	return n + peer_build(p, buf + n, b0, text, strlen(text));
}

static ssize_t wait_for_in(struct peer_job *job)
{
	struct pollfd pfd = { .fd = job->fd, .events = POLLIN };

	return poll(&pfd, 1, PEER_LIMIT) == 1 ? pfd.revents : 0;
}

/* What one thread's call finds wakes another that waits for it */
static void found_by(struct __test_metadata *_metadata, struct peer *p,
		     bool peek)
{
	struct peer_job waits = { .call = wait_for_in, .fd = p->fd }, sends;
	char *wire, c;
	size_t n = behind_much(p, &wire, FIN | TEXT, "m");
	int len;

	ASSERT_EQ(0, peer_start_call(&waits));
	ASSERT_EQ(0, peer_start(&sends, p->raw, wire, n));
	while (peer_running(&waits)) {
		if (peek)
			recv(p->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
		else
			ASSERT_EQ(0, ioctl(p->fd, FIONREAD, &len));
	}
	EXPECT_EQ(POLLIN, peer_join(&waits));
	EXPECT_EQ(n, peer_join(&sends));
	EXPECT_EQ(0, peer_gets(p->fd, "m"));
	free(wire);
}

TEST_F(poll, woken_by_what_fionread_finds)
{
	found_by(_metadata, &self->p, false);
}

TEST_F(poll, woken_by_what_a_peek_finds)
{
	found_by(_metadata, &self->p, true);
}

static ssize_t look_often(struct peer_job *job)
{
	char buf[64];
	int i, n;

	for (i = 0; i < 20000; i++) {
		recv(job->fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
		ioctl(job->fd, FIONREAD, &n);
	}
	return 0;
}

/* A call that only looks hides nothing from another thread's poll() */
TEST_F(poll, while_another_thread_looks)
{
	struct peer_job job = { .call = look_often, .fd = self->fd };

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "there"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	ASSERT_EQ(0, peer_start_call(&job));
	while (peer_running(&job))
		ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
	EXPECT_EQ(0, peer_join(&job));
	EXPECT_EQ(0, peer_gets(self->fd, "there"));
}

/* TCP's end, while the scanner still has thousands of frames to look at */
TEST_F(poll, end_before_the_scanner_is_through)
{
	char *wire;
	size_t n = behind_much(&self->p, &wire, FIN | TEXT, "last");

	n += peer_build(&self->p, wire + n, CLOSE, "\x03\xe8", 2);
	ASSERT_EQ(0, peer_write(&self->p, wire, n));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_gets(self->fd, "last"));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(1000, peer_ended(self->fd).code);
	free(wire);
}

TEST_HARNESS_MAIN
