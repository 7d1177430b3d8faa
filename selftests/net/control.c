// SPDX-License-Identifier: GPL-2.0
/* Pings, pongs and the Close handshake, which the kernel does of itself */
#include "fixture.h"

PEER_FIXTURE(control)
PEER_VARIANTS_OVER_WIRE(control);

TEST_F(control, ping_needs_no_reader)
{
	char data[125];
	size_t len;

	for (len = 0; len <= 125; len += 25) {
		peer_fill(data, len, len);
		ASSERT_EQ(0, peer_send(&self->p, PING, data, len));
		ASSERT_EQ(0, peer_see(&self->p, PONG, data, len));
	}
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(control, ping_of_a_stopped_process)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		close(self->p.raw);
		raise(SIGSTOP);
		_exit(0);
	}
	close(self->fd);
	self->p.fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(0, peer_sync(&self->p));
	kill(pid, SIGKILL);
	EXPECT_EQ(0, peer_see_close(&self->p, 1001, ""));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST_F(control, ping_behind_unread_data)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_text(&self->p, PING, "behind"));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "behind"));
	EXPECT_EQ(0, peer_gets(self->fd, "unread"));
}

TEST_F(control, pings_in_order)
{
	char i;

	for (i = 'a'; i <= 'z'; i++)
		ASSERT_EQ(0, peer_send(&self->p, PING, &i, 1));
	for (i = 'a'; i <= 'z'; i++)
		ASSERT_EQ(0, peer_see(&self->p, PONG, &i, 1));
}

TEST_F(control, ping_in_the_middle_of_a_sent_message)
{
	ASSERT_EQ(4, send(self->fd, "open", 4, MSG_MORE));
	ASSERT_EQ(0, peer_see_text(&self->p, BINARY, "open"));
	EXPECT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(6, send(self->fd, "closed", 6, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "closed"));
}

TEST_F(control, ping_wakes_a_blocked_reader_not)
{
	struct timeval ms = { .tv_usec = 50000 };
	struct peer_job job;
	char frames[64];
	size_t n = peer_build(&self->p, frames, PING, "hi", 2);

	setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof(ms));
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frames, n));
	EXPECT_EQ(0, peer_fails(self->fd, EAGAIN));
	EXPECT_EQ(n, peer_join(&job));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "hi"));
}

/* How often a sleeping thread gave up the processor; -1 if it does not sleep */
static long switches(pid_t tid)
{
	char path[64], line[128], state = 0;
	long n = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "r");
	while (file && n < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "State:\t", 7))
			state = line[7];
		if (!strncmp(line, "voluntary_ctxt_switches:", 24))
			n = strtol(line + 24, NULL, 10);
	}
	if (file)
		fclose(file);
	return state == 'S' ? n : -1;
}

struct sleeper {
	struct peer_job job;
	pid_t tid;
};

static ssize_t call_sleeper(struct peer_job *job)
{
	struct sleeper *s = (void *)job;
	char c;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_SEQ_CST);
	return recv(job->fd, &c, 1, 0);
}

TEST_F(control, no_switch_to_the_reader)
{
	struct sleeper s = { .job = { .call = call_sleeper,
				      .fd = self->fd } };
	long before = -1, now;
	int i, same = 0;
	pid_t tid;

	ASSERT_EQ(0, peer_start_call(&s.job));
	/* a lock on the way may make it sleep, but not for long */
	while (same < 5) {
		ASSERT_EQ(0, peer_sync(&self->p));
		tid = __atomic_load_n(&s.tid, __ATOMIC_SEQ_CST);
		now = tid ? switches(tid) : -1;
		same = now > 0 && now == before ? same + 1 : 0;
		before = now;
	}
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_text(&self->p, PONG, "nor does a pong"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(before, switches(tid));
	EXPECT_FALSE(s.job.done);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	EXPECT_EQ(1, peer_join(&s.job));
}

TEST_F(control, pong_unasked_is_ignored)
{
	ASSERT_EQ(0, peer_text(&self->p, PONG, "why"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "fine"));
	EXPECT_EQ(0, peer_gets(self->fd, "fine"));
}

static bool frame_waits(int fd)
{
	struct ws_info info;

	return !peer_info(fd, &info) && info.flags & WS_INFO_TX_WAITING;
}

/* A frame that no buffers hold: the rest of it waits in the context */
static void fill(struct __test_metadata *_metadata, struct peer *p,
		 const char *data, size_t len)
{
	int small = 4096;

	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(p->fd, WS_TX_FRAME_MAX, len));
	ASSERT_EQ(len, send(p->fd, data, len, MSG_DONTWAIT));
	EXPECT_ERRNO(EAGAIN, send(p->fd, data, len, MSG_DONTWAIT));
	EXPECT_TRUE(frame_waits(p->fd));
}

TEST_F(control, newest_pong_when_the_buffer_is_full)
{
	static char data[1 << 20];

	fill(_metadata, &self->p, data, sizeof(data));
	ASSERT_EQ(0, peer_text(&self->p, PING, "1"));
	ASSERT_EQ(0, peer_text(&self->p, PING, "2"));
	ASSERT_EQ(0, peer_text(&self->p, PING, "3"));
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, sizeof(data)));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "3"));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(control, close_when_the_buffer_is_full)
{
	static char data[1 << 20];

	fill(_metadata, &self->p, data, sizeof(data));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, 0));
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, sizeof(data)));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(control, auto_pong_off)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_AUTO_PONG, 0));
	ASSERT_EQ(0, peer_text(&self->p, PING, "silence"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "after"));
	ASSERT_EQ(0, peer_gets(self->fd, "after"));
	ASSERT_EQ(0, peer_set(self->fd, WS_AUTO_PONG, 1));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(control, pings_delivered)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(&self->p, PING, "see"));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "see"));
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	m = peer_recvmsg(self->fd, buf, 8, 0);
	EXPECT_EQ(3, m.len);
	EXPECT_EQ(0, memcmp(buf, "see", 3));
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	ASSERT_TRUE(m.framed);
	EXPECT_EQ(WS_OP_PING, m.frame.opcode);
}

TEST_F(control, close_is_echoed)
{
	struct ws_close c;

	ASSERT_EQ(0, peer_send_close(&self->p, 3333, "bye"));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 3333, ""));
	c = peer_ended(self->fd);
	EXPECT_EQ(3333, c.code);
	EXPECT_EQ(3, c.len);
	EXPECT_EQ(0, memcmp(c.reason, "bye", 3));
	EXPECT_EQ(WS_CLOSE_BY_PEER, c.by);
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(control, close_without_code)
{
	ASSERT_EQ(0, peer_send_close(&self->p, 0, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 0, ""));
	EXPECT_EQ(1005, peer_ended(self->fd).code);
	EXPECT_EQ(0, peer_ended(self->fd).len);
}

TEST_F(control, close_echoed_when_the_reader_comes_to_it)
{
	int both = POLLIN | POLLRDHUP;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "last"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	EXPECT_EQ(both, peer_poll(self->fd, both, 0));
	ASSERT_EQ(0, peer_gets(self->fd, "last"));
	ASSERT_EQ(5, send(self->fd, "reply", 5, 0));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "reply"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, 0));
}

TEST_F(control, server_ends_tcp_first)
{
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	if (variant->role == WS_SERVER) {
		EXPECT_EQ(0, peer_see_fin(&self->p));
		return;
	}
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 0));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_F(control, close_with_code_and_reason)
{
	ASSERT_EQ(0, peer_set_close(self->fd, 4999, "it's late"));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_close(&self->p, 4999, "it's late"));
	EXPECT_ERRNO(EALREADY, peer_set_close(self->fd, 1000, ""));
}

TEST_F(control, close_codes)
{
	int good[] = { 1000, 1003, 1007, 1014, 3000, 4999 }, i;
	int bad[] = { 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535 };

	for (i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT_EQ(0, peer_set_close(self->fd, good[i], ""));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERRNO(EINVAL, peer_set_close(self->fd, bad[i], ""));
	EXPECT_ERRNO(EINVAL, peer_set_close(self->fd, 1000, "\xc0\x80"));
	EXPECT_ERRNO(EINVAL, peer_set_close(self->fd, 1000, "cut \xe2\x82"));
}

TEST_F(control, longest_reason)
{
	char reason[124] = {};

	memset(reason, 'r', 123);
	ASSERT_EQ(0, peer_set_close(self->fd, 1001, reason));
	close(self->fd);
	self->p.fd = -1;
	EXPECT_EQ(0, peer_see_close(&self->p, 1001, reason));
}

TEST_F(control, half_close)
{
	ASSERT_EQ(3, send(self->fd, "ask", 3, 0));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "ask"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "answer"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, "done"));
	EXPECT_EQ(0, peer_gets(self->fd, "answer"));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(WS_CLOSE_BY_LOCAL, peer_ended(self->fd).by);
	EXPECT_EQ(1000, peer_ended(self->fd).code);
}

TEST_F(control, no_pong_after_close)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_text(&self->p, PING, "late"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	shutdown(self->p.raw, SHUT_WR);
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_F(control, both_close_at_once)
{
	char buf[64];
	size_t n = peer_build(&self->p, buf, CLOSE, "\x03\xe9", 2);

	/* ours leaves while theirs waits, read by nobody */
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_close(&self->p, 1001, ""));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	shutdown(self->p.raw, SHUT_WR);
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_F(control, close_abandons_an_open_message)
{
	ASSERT_EQ(4, send(self->fd, "half", 4, MSG_MORE));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "half"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(control, close_by_cmsg)
{
	int fd = self->fd;

	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, WS_OP_CLOSE, "\x03", 1, 0));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, WS_OP_CLOSE, "\x03\xed", 2, 0));
	EXPECT_EQ(5, peer_sendmsg(fd, WS_OP_CLOSE, "\3\350end", 5, 0));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, "end"));
	EXPECT_EQ(-EPIPE, peer_sendmsg(fd, WS_OP_CLOSE, "\x03\xe8", 2, 0));
}

TEST_F(control, auto_close_off)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_AUTO_CLOSE, 0));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(5, send(self->fd, "still", 5, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "still"));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

/* A process that has the last descriptor ends, by a signal or of itself */
static void die_by(struct __test_metadata *_metadata, struct peer *p, int sig)
{
	int status, line[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(line));
	pid = fork();
	if (!pid) {
		close(p->raw);
		close(line[1]);
		_exit(read(line[0], &c, 1));
	}
	close(p->fd);
	p->fd = -1;
	if (sig)
		kill(pid, sig);
	else
		close(line[1]);
	EXPECT_EQ(0, peer_see_close(p, 1001, ""));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST_F(control, close_by_sigkill)
{
	die_by(_metadata, &self->p, SIGKILL);
}

TEST_F(control, close_by_exit)
{
	die_by(_metadata, &self->p, 0);
}

TEST_F(control, shut_rd_keeps_control)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "thrown away"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(4, send(self->fd, "only", 4, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "only"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_HARNESS_MAIN
