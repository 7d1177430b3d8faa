// SPDX-License-Identifier: GPL-2.0
/* WS_PING_INTERVAL, WS_PING_TIMEOUT and WS_RX_STALL_TIMEOUT */
#include "fixture.h"
#include "asleep.h"

PEER_FIXTURE_ALONE(keepalive)

/* Long enough that a timer of a few milliseconds would have fired */
#define A_WHILE	200

struct ping {
	size_t len;
	unsigned char body[125];
};

/* The next frame is a ping */
static int see_ping(struct peer *p, struct ping *ping)
{
	int b0, i;

	if (peer_header(p, &b0, &ping->len) || b0 != PING || ping->len > 125 ||
	    peer_read(p, ping->body, ping->len))
		return -1;
	for (i = 0; i < ping->len; i++)
		ping->body[i] ^= p->key[i % 4];
	return 0;
}

static int answer_ping(struct peer *p)
{
	struct ping ping;

	return see_ping(p, &ping) ?: peer_send(p, PONG, ping.body, ping.len);
}

TEST_F(keepalive, pings_an_idle_peer)
{
	struct ws_info info;
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, answer_ping(&self->p));
	/* so that no more come while we count */
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 0));
	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_LE(5, info.tx_pings);
	EXPECT_EQ(info.tx_pings, peer_stat("WsTxPing"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

/* A timeout that is longer than the interval does not take its place */
TEST_F(keepalive, interval_below_the_timeout)
{
	int i;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20 * PEER_LIMIT));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, answer_ping(&self->p));
}

TEST_F(keepalive, off_by_default)
{
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, A_WHILE));
}

TEST_F(keepalive, off_again)
{
	struct ping ping;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(0, see_ping(&self->p, &ping));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 0));
	while (peer_poll(self->p.raw, POLLIN, A_WHILE))
		ASSERT_EQ(0, see_ping(&self->p, &ping));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(keepalive, not_before_the_interval)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 86400000));
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, A_WHILE));
}

TEST_F(keepalive, shorter_interval_counts_at_once)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 86400000));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	EXPECT_EQ(0, answer_ping(&self->p));
}

TEST_F(keepalive, set_before_role)
{
	struct peer *p = &self->p;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, peer_set(p->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(0, peer_poll(p->raw, POLLIN, A_WHILE));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	EXPECT_EQ(0, answer_ping(p));
}

TEST_F(keepalive, default_of_the_namespace)
{
	ASSERT_EQ(0, peer_set_sysctl("ping_interval", 20));
	ASSERT_EQ(0, peer_set_sysctl("ping_timeout", 9000));
	ASSERT_EQ(0, peer_reopen(&self->p));
	EXPECT_EQ(20, peer_get(self->p.fd, WS_PING_INTERVAL));
	EXPECT_EQ(9000, peer_get(self->p.fd, WS_PING_TIMEOUT));
	EXPECT_EQ(0, answer_ping(&self->p));
}

static int pending_error(int fd)
{
	socklen_t len = sizeof(int);
	int error = -1;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -1 : error;
}

TEST_F(keepalive, dead_peer)
{
	int gone = POLLIN | POLLERR | POLLHUP | POLLRDHUP;
	struct ping ping;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(0, see_ping(&self->p, &ping));
	ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(self->fd, 0, PEER_LIMIT));
	EXPECT_EQ(gone, peer_poll(self->fd, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(0, peer_fails(self->fd, ETIMEDOUT));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(0, pending_error(self->fd));
	EXPECT_EQ(1006, peer_ended(self->fd).code);
	EXPECT_EQ(WS_CLOSE_BY_LOCAL, peer_ended(self->fd).by);
	EXPECT_EQ(0, peer_see_reset(&self->p));
	EXPECT_EQ(1, peer_stat("WsFailTimeout"));
	EXPECT_EQ(1, peer_stat("WsAborted"));
}

/* recv() is no better than others: the error is told once. */
TEST_F(keepalive, dead_peer_is_told_once)
{
	struct ping ping;
	int by_send;

	for (by_send = 0; by_send < 2; by_send++) {
		ASSERT_EQ(0, peer_reopen(&self->p));
		self->fd = self->p.fd;
		ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20));
		ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
		ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(self->fd, 0,
						       PEER_LIMIT));
		if (by_send)
			EXPECT_ERRNO(ETIMEDOUT,
				     send(self->fd, "x", 1, MSG_NOSIGNAL));
		else
			EXPECT_EQ(ETIMEDOUT, pending_error(self->fd));
		ASSERT_EQ(0, see_ping(&self->p, &ping));
		EXPECT_EQ(0, peer_see_reset(&self->p));
		EXPECT_EQ(0, pending_error(self->fd));
		EXPECT_EQ(0, peer_gets(self->fd, ""));
		EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, MSG_NOSIGNAL));
	}
}

TEST_F(keepalive, dead_peer_wakes_a_reader)
{
	struct peer_job job;
	char c;

	ASSERT_EQ(0, peer_start_recv(&job, self->fd, &c, 1));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	EXPECT_EQ(-ETIMEDOUT, peer_join(&job));
}

TEST_F(keepalive, dead_peer_wakes_a_sender)
{
	static char data[1 << 20];
	int small = 4096;
	struct peer_job job;

	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(sizeof(data), send(self->fd, data, sizeof(data), 0));
	ASSERT_EQ(0, peer_start(&job, self->fd, data, 1));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	EXPECT_EQ(-ETIMEDOUT, peer_join(&job));
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/*
 * Other answers than pongs, for longer than the timeout: 0 or -1, and the
 * longest time between two of them, as we see it.
 */
static int talk(struct peer *p, long long *longest)
{
	long long begin = now_ms(), last = begin, now = begin;
	struct ping ping;
	int ret = 0;

	*longest = 0;
	while (!ret && now < begin + 2000) {
		ret = see_ping(p, &ping) ?:
		      peer_text(p, FIN | TEXT, "alive") ?:
		      peer_gets(p->fd, "alive");
		now = now_ms();
		if (now - last > *longest)
			*longest = now - last;
		last = now;
	}
	return ret;
}

/* Not only a pong */
TEST_F(keepalive, any_byte_is_life)
{
	long long longest;
	int i, ret;

	/* where nobody lets us run we are silent, and that shows nothing */
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, peer_reopen(&self->p));
		ASSERT_EQ(0, peer_set(self->p.fd, WS_PING_TIMEOUT, 1000));
		ASSERT_EQ(0, peer_set(self->p.fd, WS_PING_INTERVAL, 50));
		ret = talk(&self->p, &longest);
		if (!ret || longest < 500)
			break;
	}
	EXPECT_EQ(0, ret);
}

/* A connection on which a long message is on its way to a small window */
static int send_long(struct peer *p, const void *data, size_t len)
{
	int small = 16384, window = 32768;

	setsockopt(p->raw, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window,
		   sizeof(window));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	return peer_set(p->fd, WS_TX_FRAME_MAX, len) ?:
	       send(p->fd, data, len, 0) != len;
}

/* A ping waits behind the message, and the peer takes all of that. */
TEST_F(keepalive, a_slow_reader_is_alive)
{
	static char data[1 << 20], got[1 << 20];
	struct peer *p = &self->p;
	size_t len;
	int b0, i, ret;

	peer_fill(data, sizeof(data), 30);
	for (i = 0; i < 5; i++) {
		struct peer_pace pace = { .step = 8192, .ms = 20 };

		ASSERT_EQ(0, peer_reopen(p));
		ASSERT_EQ(0, send_long(p, data, sizeof(data)));
		ASSERT_EQ(0, peer_set(p->fd, WS_PING_TIMEOUT, 800));
		ASSERT_EQ(0, peer_set(p->fd, WS_PING_INTERVAL, 50));
		ASSERT_EQ(0, peer_header(p, &b0, &len));
		ASSERT_EQ(sizeof(data), len);
		ret = peer_read_slowly(p, got, len, &pace);
		if (!ret || pace.longest < 400)
			break;	/* else it was dead indeed */
	}
	ASSERT_EQ(0, ret);
	for (i = 0; i < len; i++)
		ASSERT_EQ(data[i], (char)(got[i] ^ p->key[i % 4]));
	EXPECT_EQ(0, answer_ping(p));
	EXPECT_EQ(0, peer_poll(p->fd, POLLERR, 0));
}

TEST_F(keepalive, a_reader_that_stops_is_dead)
{
	static char data[1 << 20];
	struct peer_pace pace = { .step = 8192, .ms = 20 };
	struct peer *p = &self->p;
	size_t len;
	int b0;

	ASSERT_EQ(0, send_long(p, data, sizeof(data)));
	ASSERT_EQ(0, peer_set(p->fd, WS_PING_TIMEOUT, 800));
	ASSERT_EQ(0, peer_set(p->fd, WS_PING_INTERVAL, 50));
	ASSERT_EQ(0, peer_header(p, &b0, &len));
	ASSERT_EQ(0, peer_read_slowly(p, data, 100000, &pace));
	/* its TCP answers all the same that there is no room */
	ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(p->fd, 0, PEER_LIMIT));
	EXPECT_EQ(0, peer_fails(p->fd, ETIMEDOUT));
	EXPECT_EQ(1, peer_stat("WsFailTimeout"));
}

TEST_F(keepalive, no_timeout_no_failure)
{
	struct ping ping;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 10));
	ASSERT_EQ(0, see_ping(&self->p, &ping));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, A_WHILE));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "late"));
	EXPECT_EQ(0, peer_gets(self->fd, "late"));
}

TEST_F(keepalive, timeout_alone_does_nothing)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 10));
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, A_WHILE));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

/* The reader is late, not the peer */
TEST_F(keepalive, waits_while_data_is_unread)
{
	struct ping ping;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(0, see_ping(&self->p, &ping));
	EXPECT_EQ(0, peer_poll(self->fd, POLLERR, A_WHILE));
	ASSERT_EQ(0, peer_gets(self->fd, "unread"));
	EXPECT_EQ(0, peer_fails(self->fd, ETIMEDOUT));
}

/* A part of a message that no call can read is no excuse for the peer */
TEST_F(keepalive, dead_in_a_message)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t n = peer_build(p, buf, FIN | BINARY, "never whole", 11);

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	ASSERT_EQ(0, peer_write(p, buf, n - 2));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	EXPECT_EQ(0, peer_fails(self->fd, ETIMEDOUT));
}

TEST_F(keepalive, round_trip_time)
{
	struct ws_info info;
	struct ping ping;
	int i;

	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_EQ(0, info.rtt_us);
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(POLLIN, peer_poll(self->p.raw, POLLIN, PEER_LIMIT));
	/* only the last ping counts: no more of them from here on */
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 0));
	ASSERT_EQ(0, peer_info(self->fd, &info));
	for (i = 0; i < info.tx_pings; i++)
		ASSERT_EQ(0, see_ping(&self->p, &ping));
	/* the pong of no ping of ours tells nothing */
	ASSERT_EQ(0, peer_text(&self->p, PONG, "something else"));
	ASSERT_EQ(0, peer_stat_is("WsRxPong", 1));
	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_EQ(0, info.rtt_us);
	ASSERT_EQ(0, peer_send(&self->p, PONG, ping.body, ping.len));
	ASSERT_EQ(0, peer_stat_is("WsRxPong", 2));
	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_LT(0, info.rtt_us);
	EXPECT_GT(PEER_LIMIT * 1000, info.rtt_us);
}

TEST_F(keepalive, between_fragments)
{
	ASSERT_EQ(4, send(self->fd, "open", 4, MSG_MORE));
	ASSERT_EQ(0, peer_see_text(&self->p, BINARY, "open"));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(0, answer_ping(&self->p));
	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 0));
	while (peer_poll(self->p.raw, POLLIN, A_WHILE))
		ASSERT_EQ(0, answer_ping(&self->p));
	ASSERT_EQ(3, send(self->fd, "end", 3, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "end"));
}

TEST_F(keepalive, none_after_close)
{
	struct ping ping;
	int b0;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(0, see_ping(&self->p, &ping));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	do {
		ASSERT_EQ(0, peer_header(&self->p, &b0, &ping.len));
		ASSERT_EQ(0, peer_read(&self->p, ping.body, ping.len));
	} while (b0 == PING);
	ASSERT_EQ(CLOSE, b0);
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, A_WHILE));
}

TEST_F(keepalive, of_a_stopped_process)
{
	int status, i;
	pid_t pid;

	ASSERT_EQ(0, peer_set(self->fd, WS_PING_INTERVAL, 20));
	pid = fork();
	if (!pid) {
		close(self->p.raw);
		raise(SIGSTOP);
		_exit(0);
	}
	close(self->fd);
	self->p.fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, answer_ping(&self->p));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

/* n bytes of what the peer began and does not finish */
static void stalls(struct __test_metadata *_metadata, struct peer *p,
		   const char *begun, size_t n)
{
	ASSERT_EQ(0, peer_set(p->fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good"));
	ASSERT_EQ(0, peer_write(p, begun, n));
	ASSERT_EQ(0, peer_see_close(p, 1008, ""));
	ASSERT_EQ(0, peer_gets(p->fd, "good"));
	EXPECT_EQ(0, peer_fails(p->fd, ETIMEDOUT));
	EXPECT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(1008, peer_ended(p->fd).code);
	EXPECT_EQ(1, peer_stat("WsFailTimeout"));
}

TEST_F(keepalive, stall_in_a_header)
{
	stalls(_metadata, &self->p, "\x82", 1);
}

TEST_F(keepalive, stall_in_a_ping)
{
	char buf[32];
	size_t n = peer_build(&self->p, buf, PING, "never", 5);

	stalls(_metadata, &self->p, buf, n - 1);
}

TEST_F(keepalive, stall_in_payload)
{
	struct peer *p = &self->p;
	char buf[32];
	size_t n = peer_build(p, buf, FIN | BINARY, "never", 5);

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_write(p, buf, n - 2));
	ASSERT_EQ(0, peer_see_close(p, 1008, ""));
	/* what was good is there all the same */
	EXPECT_EQ(0, peer_gets(self->fd, "nev"));
	EXPECT_EQ(0, peer_fails(self->fd, ETIMEDOUT));
}

TEST_F(keepalive, stall_limit_set_later)
{
	ASSERT_EQ(0, peer_write(&self->p, "\x82", 1));
	ASSERT_EQ(0, peer_poll(self->fd, POLLIN, 50));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_see_close(&self->p, 1008, ""));
	EXPECT_EQ(0, peer_fails(self->fd, ETIMEDOUT));
}

TEST_F(keepalive, drops_of_bytes_do_not_help)
{
	static char data[10000], buf[10000 + PEER_HEADER];
	struct peer *p = &self->p;
	size_t n = peer_build(p, buf, FIN | BINARY, data, sizeof(data)), i;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 100));
	for (i = 0; i < n && !peer_poll(p->raw, POLLIN, 5); i++)
		ASSERT_EQ(0, peer_write(p, buf + i, 1));
	EXPECT_GT(n, i);
	EXPECT_EQ(0, peer_see_close(p, 1008, ""));
}

TEST_F(keepalive, no_stall_between_frames)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_text(&self->p, BINARY, "whole frame"));
	/* the message is not over, but the frame is */
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, A_WHILE));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "!"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_gets(self->fd, "whole frame!"));
}

TEST_F(keepalive, stall_in_what_was_preloaded)
{
	struct peer *p = &self->p;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, setsockopt(p->fd, SOL_WS, WS_RX_PRELOAD, "\x82", 1));
	ASSERT_EQ(0, peer_set(p->fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	EXPECT_EQ(0, peer_see_close(p, 1008, ""));
}

/* Set when the frame has begun already, and nothing more comes */
TEST_F(keepalive, stall_limit_in_a_frame)
{
	struct peer *p = &self->p;
	char buf[32];
	size_t n = peer_build(p, buf, FIN | TEXT, "never whole", 11);

	ASSERT_EQ(0, peer_write(p, buf, n - 2));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_see_close(p, 1008, ""));
}

/* One frame takes nearly all of the time, the next one has its own */
TEST_F(keepalive, stall_of_one_frame_is_not_the_next_ones)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t one = peer_build(p, buf, FIN | TEXT, "slow", 4), n;

	n = one + peer_build(p, buf + one, FIN | TEXT, "next", 4);
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 20 * A_WHILE));
	ASSERT_EQ(0, peer_write(p, buf, one - 1));
	EXPECT_EQ(0, peer_poll(p->raw, POLLIN, 12 * A_WHILE));
	/* the end of it, and the first byte of what comes behind */
	ASSERT_EQ(0, peer_write(p, buf + one - 1, 2));
	EXPECT_EQ(0, peer_poll(p->raw, POLLIN, 12 * A_WHILE));
	ASSERT_EQ(0, peer_write(p, buf + one + 1, n - one - 1));
	EXPECT_EQ(0, peer_gets(self->fd, "slow"));
	EXPECT_EQ(0, peer_gets(self->fd, "next"));
}

/* The peer has no window, because the application does not read */
TEST_F(keepalive, late_reader_is_no_stall)
{
	enum { LEN = 80000 };
	struct peer *p = &self->p;
	char *data = malloc(LEN + PEER_HEADER), *got = malloc(LEN);
	int small = 8192;
	struct peer_job job;
	size_t n;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	peer_fill(got, LEN, 90);
	n = peer_build(p, data, FIN | BINARY, got, LEN);
	ASSERT_EQ(0, peer_start(&job, p->raw, data, n));
	/* more than fits has arrived */
	while (ioctl(self->fd, FIONREAD, &small) || small < 8192)
		poll(NULL, 0, 1);
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, A_WHILE));
	EXPECT_EQ(0, peer_poll(p->raw, POLLIN, 3 * A_WHILE));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_STALL_TIMEOUT, 0));
	ASSERT_EQ(0, peer_recv(self->fd, got, LEN));
	EXPECT_EQ(n, peer_join(&job));
}

TEST_HARNESS_MAIN
