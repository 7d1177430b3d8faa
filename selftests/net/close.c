// SPDX-License-Identifier: GPL-2.0
/* shutdown() and close(): the Close handshake in all orders, and its end */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"

PEER_FIXTURE_ALONE(close)

static const char *curr(const struct peer *p)
{
	return p->role == WS_SERVER ? "WsCurrServer" : "WsCurrClient";
}

/* close() of the last descriptor */
static int hang_up(struct peer *p)
{
	int ret = close(p->fd);

	p->fd = -1;
	return ret;
}

/* The peer answers Close; the server ends TCP first: RFC 6455 section 7.1.1 */
static void answer(struct __test_metadata *_metadata, struct peer *p)
{
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	if (p->role == WS_CLIENT) {
		ASSERT_EQ(0, peer_poll(p->raw, POLLIN, 0));
		ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	}
	ASSERT_EQ(0, peer_see_fin(p));
	ASSERT_EQ(0, peer_stat_is(curr(p), 0));
}

TEST_F(close, lingers_for_the_handshake)
{
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(1, peer_stat(curr(&self->p)));
	EXPECT_EQ(1, peer_stat("WsLinger"));
	answer(_metadata, &self->p);
	EXPECT_EQ(0, peer_stat("WsLingerDrop"));
}

TEST_F(close, behind_what_was_accepted)
{
	static char data[1 << 20];
	struct peer *p = &self->p;
	int small = 4096;

	peer_fill(data, sizeof(data), 20);
	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(4, send(self->fd, "head", 4, 0));
	ASSERT_EQ(sizeof(data), send(self->fd, data, sizeof(data), 0));
	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, peer_see_text(p, FIN | BINARY, "head"));
	ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, sizeof(data)));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	answer(_metadata, p);
}

TEST_F(close, abandons_an_open_message)
{
	ASSERT_EQ(4, send(self->fd, "half", 4, MSG_MORE));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_text(&self->p, BINARY, "half"));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	answer(_metadata, &self->p);
}

TEST_F(close, unread_data_is_no_reset)
{
	static char data[60000];
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_send(p, FIN | BINARY, data, sizeof(data)));
	ASSERT_EQ(0, peer_text(p, BINARY, "more"));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	answer(_metadata, p);
	EXPECT_EQ(0, peer_stat("WsAborted"));
}

/* The peer reset it: what we do then is no abort, whatever is unread. */
TEST_F(close, is_no_abort_after_a_reset)
{
	struct linger now = { .l_onoff = 1 };
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_sync(p));
	setsockopt(p->raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	ASSERT_EQ(0, close(p->raw));
	p->raw = -1;
	ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(self->fd, 0, PEER_LIMIT));
	ASSERT_EQ(0, hang_up(p));
	EXPECT_EQ(0, peer_stat_is(curr(p), 0));
	EXPECT_EQ(0, peer_stat("WsAborted"));
}

TEST_F(close, late_data_is_thrown_away)
{
	static char data[60000];
	struct peer *p = &self->p;
	int i;

	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, peer_send(p, FIN | BINARY, data, sizeof(data)));
	/* nothing goes after Close: no pong */
	ASSERT_EQ(0, peer_text(p, PING, "late"));
	answer(_metadata, p);
	EXPECT_EQ(0, peer_stat("WsTxPong"));
}

TEST_F(close, discards_so_much)
{
	static char data[60000];

	ASSERT_EQ(0, peer_set_sysctl("close_discard", 50000));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, 10000));
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 50));
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, 60000));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, answers_a_close_that_was_not_read)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "not read either"));
	ASSERT_EQ(0, peer_send_close(p, 3001, "reason"));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, peer_see_close(p, 3001, ""));
	if (variant->role == WS_CLIENT)
		ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(p));
	EXPECT_EQ(0, peer_stat_is(curr(p), 0));
}

TEST_F(close, peer_silent)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 50));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, talk_does_not_extend_the_timeout)
{
	struct peer *p = &self->p;
	char buf[32];
	size_t n = peer_build(p, buf, FIN | TEXT, "on and on", 9);
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 200));
	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	for (i = 0; i < PEER_LIMIT / 10; i++) {
		if (peer_poll(p->raw, POLLIN, 10))
			break;
		send(p->raw, buf, n, MSG_NOSIGNAL);
	}
	/* it ended: by FIN, or by a reset of what came too late */
	EXPECT_NE(PEER_LIMIT / 10, i);
	EXPECT_EQ(0, peer_stat_is(curr(p), 0));
}

TEST_F(close, peer_that_never_reads)
{
	static char data[1 << 20];
	int small = 4096, fd = self->fd;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(0, peer_set(fd, WS_CLOSE_TIMEOUT, 50));
	ASSERT_EQ(sizeof(data), send(fd, data, sizeof(data), 0));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_stat_is(curr(&self->p), 0));
	/* a frame that was cut never looks like a good end */
	do {
		n = recv(self->p.raw, data, sizeof(data), 0);
	} while (n > 0);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(ECONNRESET, errno);
}

#define LONG	(1 << 20)

/* A message of LONG bytes, on its way to a small window, and close() */
static int hang_up_behind(struct peer *p, const void *data, int timeout)
{
	int small = 16384, window = 32768;

	setsockopt(p->raw, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window,
		   sizeof(window));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	if (peer_set(p->fd, WS_TX_FRAME_MAX, LONG) ||
	    peer_set(p->fd, WS_CLOSE_TIMEOUT, timeout) ||
	    send(p->fd, data, LONG, 0) != LONG)
		return -1;
	return hang_up(p);
}

/* All of the message, slowly; pace->longest says how slowly */
static int see_long_slowly(struct peer *p, const char *data,
			   struct peer_pace *pace)
{
	static char got[LONG];
	size_t len, i;
	int b0;

	if (peer_header(p, &b0, &len) || b0 != (FIN | BINARY) || len != LONG ||
	    peer_read_slowly(p, got, len, pace))
		return -1;
	for (i = 0; i < len; i++)
		if (data[i] != (char)(got[i] ^ p->key[i % 4]))
			return -1;
	return 0;
}

/* It takes longer than the timeout, and never that long for a part. */
TEST_F(close, a_slow_reader_gets_all)
{
	static char data[LONG];
	struct peer *p = &self->p;
	int i, ret;

	peer_fill(data, sizeof(data), 40);
	for (i = 0; i < 5; i++) {
		struct peer_pace pace = { .step = 8192, .ms = 20 };

		ASSERT_EQ(0, peer_reopen(p));
		ASSERT_EQ(0, hang_up_behind(p, data, 800));
		ret = see_long_slowly(p, data, &pace) ?:
		      peer_see_close(p, 1000, "");
		if (!ret || pace.longest < 400)
			break;
	}
	ASSERT_EQ(0, ret);
	/* an answer may come too late by now */
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_stat_is(curr(p), 0));
}

TEST_F(close, a_slow_reader_that_linger_waited_for)
{
	struct linger l = { .l_onoff = 1, .l_linger = 1 };
	static char data[LONG];
	struct peer *p = &self->p;
	int i, ret, small = 16384, window = 32768;
	struct peer_job job;

	peer_fill(data, sizeof(data), 41);
	for (i = 0; i < 5; i++) {
		struct peer_pace pace = { .step = 8192, .ms = 20 };

		ASSERT_EQ(0, peer_reopen(p));
		setsockopt(p->raw, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window,
			   sizeof(window));
		setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small,
			   sizeof(small));
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		ASSERT_EQ(0, peer_set(p->fd, WS_TX_FRAME_MAX, LONG));
		ASSERT_EQ(0, peer_set(p->fd, WS_CLOSE_TIMEOUT, 800));
		ASSERT_EQ(LONG, send(p->fd, data, LONG, 0));
		ASSERT_EQ(0, peer_start_close(&job, p->fd));
		p->fd = -1;
		ret = see_long_slowly(p, data, &pace) ?:
		      peer_see_close(p, 1000, "");
		ASSERT_EQ(0, peer_join(&job));
		if (!ret || pace.longest < 400)
			break;
	}
	ASSERT_EQ(0, ret);
	/* an answer may come too late by now */
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_stat_is(curr(p), 0));
}

TEST_F(close, a_reader_that_stops)
{
	struct peer_pace pace = { .step = 8192, .ms = 20 };
	static char data[LONG];
	struct peer *p = &self->p;
	ssize_t n;

	ASSERT_EQ(0, hang_up_behind(p, data, 1000));
	ASSERT_EQ(0, peer_read_slowly(p, data, LONG / 4, &pace));
	/* its TCP answers all the same that there is no room */
	ASSERT_EQ(0, peer_stat_is(curr(p), 0));
	do {
		n = recv(p->raw, data, sizeof(data), 0);
	} while (n > 0);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(ECONNRESET, errno);
}

TEST_F(close, owes_a_peer_that_sends_too_much)
{
	static char data[LONG], got[LONG];
	struct peer_pace pace = { .step = 8192, .ms = 0 };
	struct peer *p = &self->p;
	int b0, small = 32768;
	size_t len, at;

	peer_fill(data, sizeof(data), 42);
	ASSERT_EQ(0, peer_set_sysctl("close_discard", 10000));
	/* so that what is owed is not all in the peer's own buffer */
	ASSERT_EQ(0, setsockopt(p->raw, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	ASSERT_EQ(0, hang_up_behind(p, data, 30000));
	ASSERT_EQ(0, peer_header(p, &b0, &len));
	ASSERT_EQ(LONG, len);
	for (at = 0; at < len; at += 65536) {
		if (at < len / 2)
			ASSERT_EQ(0, peer_send(p, FIN | BINARY, data, 4000));
		ASSERT_EQ(0, peer_read_slowly(p, got + at, 65536, &pace));
	}
	for (at = 0; at < len; at++)
		ASSERT_EQ(data[at], (char)(got[at] ^ p->key[at % 4]));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	/* and now it has had its due */
	EXPECT_EQ(0, peer_see_fin(p));
	EXPECT_EQ(0, peer_stat_is(curr(p), 0));
}

TEST_F(close, limit_of_the_timeout)
{
	ASSERT_EQ(0, peer_set_sysctl("close_timeout_max", 100));
	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 86400000));
	EXPECT_EQ(86400000, peer_get(self->fd, WS_CLOSE_TIMEOUT));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

/* net.ipv4.tcp_mem, which only the initial namespace has */
static FILE *open_tcp_mem(const char *mode)
{
	int own = open("/proc/self/ns/net", O_RDONLY);
	int initial = open("/proc/1/ns/net", O_RDONLY);
	FILE *file = NULL;

	if (own >= 0 && !setns(initial, CLONE_NEWNET)) {
		file = fopen("/proc/sys/net/ipv4/tcp_mem", mode);
		setns(own, CLONE_NEWNET);
	}
	close(initial);
	close(own);
	return file;
}

static int get_tcp_mem(char *value, int size)
{
	FILE *file = open_tcp_mem("r");
	int ret;

	if (!file)
		return -1;
	ret = fgets(value, size, file) ? 0 : -1;
	fclose(file);
	return ret;
}

static int set_tcp_mem(const char *value)
{
	FILE *file = open_tcp_mem("w");
	int ret;

	if (!file)
		return -1;
	ret = fputs(value, file) < 0;
	return fclose(file) || ret ? -1 : 0;
}

/* Connections that hold megabytes, while TCP's limit is next to nothing */
struct pressure {
	struct peer p[4];
	char saved[100];
	int line[2];
	pid_t guard;
};

/* Puts the limit back, also if the test ends in the middle. */
static int guard(struct pressure *press)
{
	int fd;
	char c;

	if (pipe(press->line))
		return -1;
	press->guard = fork();
	if (!press->guard) {
		/* it holds no connection open */
		for (fd = 3; fd < 256; fd++)
			if (fd != press->line[0])
				close(fd);
		while (read(press->line[0], &c, 1) > 0)
			;
		_exit(set_tcp_mem(press->saved));
	}
	close(press->line[0]);
	return press->guard < 0 ? -1 : 0;
}

static int fill(int fd)
{
	static char data[65536];

	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return errno == EAGAIN ? 0 : -1;
}

static int press(struct pressure *press, const struct peer *like)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(press->p); i++)
		if (peer_connect(&press->p[i], like->family, like->role) ||
		    fill(press->p[i].raw))
			return -1;
	if (get_tcp_mem(press->saved, sizeof(press->saved)) ||
	    guard(press) || set_tcp_mem("1 1 1000000"))
		return -1;
	/* it begins with the next that takes memory */
	return fill(press->p[0].fd);
}

static int relieve(struct pressure *press)
{
	int i, status;

	close(press->line[1]);
	if (waitpid(press->guard, &status, 0) != press->guard || status)
		return -1;
	for (i = 0; i < ARRAY_SIZE(press->p); i++)
		peer_close(&press->p[i]);
	return 0;
}

TEST_F(close, not_while_memory_is_short)
{
	struct peer *p = &self->p, q;
	struct pressure pressure;

	ASSERT_EQ(0, peer_open(&q, variant->family, variant->role));
	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	EXPECT_EQ(1, peer_stat("WsLinger"));
	ASSERT_EQ(0, press(&pressure, p));
	/* nothing happens at this one, but for the time that passes */
	EXPECT_EQ(0, peer_see_fin(p));
	EXPECT_EQ(0, peer_stat_is(curr(p), 1));
	EXPECT_EQ(0, hang_up(&q));
	EXPECT_EQ(0, peer_see_close(&q, 1000, ""));
	EXPECT_EQ(0, peer_see_fin(&q));
	EXPECT_EQ(1, peer_stat("WsLinger"));
	EXPECT_EQ(1, peer_stat("WsLingerDrop"));
	EXPECT_EQ(0, relieve(&pressure));
	peer_close(&q);
}

/* What was accepted still leaves: only the wait for an answer is saved. */
TEST_F(close, owes_what_it_owes_when_memory_is_short)
{
	static char data[LONG];
	struct pressure pressure;
	struct peer *p = &self->p;

	peer_fill(data, sizeof(data), 43);
	ASSERT_EQ(0, hang_up_behind(p, data, 30000));
	ASSERT_EQ(0, press(&pressure, p));
	EXPECT_EQ(0, peer_see(p, FIN | BINARY, data, LONG));
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
	EXPECT_EQ(0, peer_see_fin(p));
	EXPECT_EQ(0, relieve(&pressure));
}

/* TCP's orphans, of all namespaces */
static int orphans(void)
{
	FILE *file = fopen("/proc/net/sockstat", "r");
	int n = -1, got = 0;
	char line[200];

	while (file && got != 1 && fgets(line, sizeof(line), file))
		got = sscanf(line, "TCP: inuse %*d orphan %d", &n);
	if (file)
		fclose(file);
	return n;
}

static int orphans_are(int n)
{
	int ms;

	for (ms = 0; ms < PEER_LIMIT && orphans() != n; ms++)
		poll(NULL, 0, 1);
	return orphans() == n ? 0 : -1;
}

/* Where TCP lets modules count, they are counted, and not for ever. */
TEST_F(close, orphans_while_they_linger)
{
	enum { N = 5 };
	struct peer p[N];
	int i, before, now;

	/* those of the tests before go */
	orphans_are(0);
	before = orphans();
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, peer_open(&p[i], variant->family, variant->role));
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, hang_up(&p[i]));
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, peer_see_close(&p[i], 1000, ""));
	now = orphans() - before;
	EXPECT_TRUE(now == 0 || now == N) TH_LOG("%d of %d", now, N);
	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, peer_send_close(&p[i], 1000, ""));
		ASSERT_EQ(0, shutdown(p[i].raw, SHUT_WR));
		EXPECT_EQ(0, peer_see_fin(&p[i]));
		peer_close(&p[i]);
	}
	EXPECT_EQ(0, orphans_are(before));
}

TEST_F(close, none_may_linger)
{
	ASSERT_EQ(0, peer_set_sysctl("closing_max", 0));
	ASSERT_EQ(3, send(self->fd, "bye", 3, 0));
	ASSERT_EQ(0, hang_up(&self->p));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "bye"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat("WsLinger"));
	EXPECT_EQ(1, peer_stat("WsLingerDrop"));
}

TEST_F(close, so_many_may_linger)
{
	struct peer *p = &self->p, q, r;

	ASSERT_EQ(0, peer_set_sysctl("closing_max", 1));
	ASSERT_EQ(0, peer_open(&q, variant->family, variant->role));
	ASSERT_EQ(0, peer_open(&r, variant->family, variant->role));
	ASSERT_EQ(0, hang_up(p));
	ASSERT_EQ(0, hang_up(&q));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	ASSERT_EQ(0, peer_see_close(&q, 1000, ""));
	EXPECT_EQ(0, peer_see_fin(&q));
	EXPECT_EQ(0, peer_poll(p->raw, POLLIN, 0));
	EXPECT_EQ(1, peer_stat("WsLingerDrop"));
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	ASSERT_EQ(0, peer_stat_is(curr(p), 1));
	/* a place is free again */
	ASSERT_EQ(0, hang_up(&r));
	ASSERT_EQ(0, peer_see_close(&r, 1000, ""));
	EXPECT_EQ(2, peer_stat("WsLinger"));
	answer(_metadata, &r);
}

TEST_F(close, linger_0_resets)
{
	struct linger l = { .l_onoff = 1 };

	setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	ASSERT_EQ(0, hang_up(&self->p));
	EXPECT_EQ(0, peer_see_reset(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
	EXPECT_EQ(0, peer_stat("WsTxClose"));
}

TEST_F(close, linger_waits)
{
	struct linger l = { .l_onoff = 1, .l_linger = PEER_LIMIT / 1000 };
	struct peer *p = &self->p;
	struct peer_job job;

	setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	ASSERT_EQ(0, peer_start_close(&job, self->fd));
	p->fd = -1;
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	EXPECT_EQ(0, peer_poll(p->raw, POLLIN, 50));
	EXPECT_TRUE(peer_running(&job));
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_join(&job));
	EXPECT_EQ(0, peer_see_fin(p));
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

TEST_F(close, linger_waits_no_longer)
{
	struct linger l = { .l_onoff = 1, .l_linger = 1 };
	long long ms = now_ms();

	setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	ASSERT_EQ(0, hang_up(&self->p));
	ms = now_ms() - ms;
	EXPECT_LE(900, ms);
	EXPECT_GE(10000, ms);
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(close, of_the_last_descriptor)
{
	int copy = dup(self->fd);

	ASSERT_EQ(0, close(self->fd));
	self->p.fd = copy;
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(5, send(copy, "still", 5, 0));
	ASSERT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "still"));
	ASSERT_EQ(0, hang_up(&self->p));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(close, after_shutdown)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, hang_up(&self->p));
	EXPECT_EQ(1, peer_stat("WsLinger"));
	/* one Close is all that goes */
	answer(_metadata, &self->p);
	EXPECT_EQ(1, peer_stat("WsTxClose"));
}

TEST_F(close, after_the_handshake)
{
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, after_a_failure)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(0, peer_see_close(&self->p, 1002, ""));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, peer_ends_without_close)
{
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, peer_resets)
{
	struct linger l = { .l_onoff = 1 };

	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	setsockopt(self->p.raw, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	peer_close(&self->p);
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, peer_breaks_the_protocol)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 100));
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	/* Close went already, so FIN is all that can follow */
	EXPECT_EQ(0, peer_see_fin(&self->p));
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 0));
}

TEST_F(close, many_at_once)
{
	enum { N = 50 };
	struct peer p[N];
	int i;

	ASSERT_EQ(0, peer_set_sysctl("close_timeout", 100));
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, peer_open(&p[i], variant->family, variant->role));
	for (i = 0; i < N; i++)
		ASSERT_EQ(0, hang_up(&p[i]));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, peer_see_close(&p[i], 1000, ""));
		ASSERT_EQ(0, peer_see_fin(&p[i]));
	}
	EXPECT_EQ(0, peer_stat_is(curr(&self->p), 1));
	EXPECT_EQ(N, peer_stat("WsLinger"));
}

TEST_F(close, unload_refused_meanwhile)
{
	ASSERT_EQ(0, hang_up(&self->p));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_ERRNO(EAGAIN, syscall(SYS_delete_module, "ws_ulp", O_NONBLOCK));
	answer(_metadata, &self->p);
}

TEST_F(close, fin_waits_for_the_handshake)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "data"));
	ASSERT_EQ(0, peer_gets(self->fd, "data"));
	EXPECT_EQ(0, peer_poll(p->raw, POLLIN | POLLRDHUP, 50));
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	if (variant->role == WS_CLIENT)
		ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(p));
}

TEST_F(close, held_connection_outlives_the_timeout)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 20));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 200));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "late answer"));
	EXPECT_EQ(0, peer_gets(self->fd, "late answer"));
}

TEST_F(close, pong_before_close)
{
	static char data[1 << 20];
	struct peer *p = &self->p;
	int small = 4096;

	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(sizeof(data), send(self->fd, data, sizeof(data), 0));
	ASSERT_EQ(0, peer_text(p, PING, "in time"));
	ASSERT_EQ(0, peer_stat_is("WsRxPing", 1));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, sizeof(data)));
	EXPECT_EQ(0, peer_see_text(p, PONG, "in time"));
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
}

TEST_F(close, shutdown_again)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 50));
	EXPECT_EQ(1, peer_stat("WsTxClose"));
}

TEST_F(close, shutdown_both_ways)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RDWR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, MSG_NOSIGNAL));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "thrown away"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	if (variant->role == WS_CLIENT)
		ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_F(close, shutdown_errors)
{
	int ms;

	EXPECT_ERRNO(EINVAL, shutdown(self->fd, 3));
	EXPECT_ERRNO(EINVAL, shutdown(self->fd, -1));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(self->fd, 0, PEER_LIMIT));
	/* nothing tells when the last acknowledgement has come */
	for (ms = 0; ms < PEER_LIMIT && !shutdown(self->fd, SHUT_WR); ms++)
		poll(NULL, 0, 1);
	EXPECT_ERRNO(ENOTCONN, shutdown(self->fd, SHUT_WR));
}

TEST_F(close, echo_without_a_reader)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 50));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "never read"));
	ASSERT_EQ(0, peer_send_close(&self->p, 4444, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 4444, ""));
	EXPECT_EQ(0, peer_gets(self->fd, "never read"));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(close, echo_to_a_blocked_reader)
{
	struct peer_job job;
	char c;

	ASSERT_EQ(0, peer_start_recv(&job, self->fd, &c, 1));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_join(&job));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(close, echo_to_splice)
{
	int line[2];

	ASSERT_EQ(0, pipe(line));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	EXPECT_EQ(0, splice(self->fd, NULL, line[1], NULL, 100, 0));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(close, echo_after_shut_rd)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(close, reply_of_our_own)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_AUTO_CLOSE, 0));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 50));
	ASSERT_EQ(0, peer_set_close(self->fd, 4005, "mine"));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_close(&self->p, 4005, "mine"));
}

TEST_F(close, stored_code_lasts_until_close)
{
	ASSERT_EQ(0, peer_set_close(self->fd, 4006, "first"));
	ASSERT_EQ(0, peer_set_close(self->fd, 4007, ""));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_ended(self->fd).code);
	EXPECT_EQ(WS_CLOSE_BY_NONE, peer_ended(self->fd).by);
	ASSERT_EQ(0, hang_up(&self->p));
	EXPECT_EQ(0, peer_see_close(&self->p, 4007, ""));
}

TEST_F(close, peers_close_in_a_message)
{
	ASSERT_EQ(0, peer_text(&self->p, TEXT, "half"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1001, "gone"));
	ASSERT_EQ(0, peer_gets(self->fd, "half"));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 1001, ""));
	EXPECT_EQ(1001, peer_ended(self->fd).code);
}

TEST_F(close, nothing_counts_after_peers_close)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t n = peer_build(p, buf, CLOSE, "\x03\xe8", 2);

	n += peer_build(p, buf + n, FIN | TEXT, "unseen", 6);
	n += peer_build(p, buf + n, PING, "unanswered", 10);
	ASSERT_EQ(0, peer_write(p, buf, n));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(p));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_stat("WsRxPing"));
}

TEST_HARNESS_MAIN
