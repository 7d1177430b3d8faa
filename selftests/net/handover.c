// SPDX-License-Identifier: GPL-2.0
/* Connections that change hands: fork, exec, SCM_RIGHTS, in the middle too */
#include <sys/wait.h>

#include "fixture.h"

PEER_FIXTURE(handover)

/* Give fd to whoever reads the other end of this socket */
static int give(int unix_fd, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(unix_fd, &msg, 0) == 1 ? 0 : -1;
}

static int take(int unix_fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(unix_fd, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int let_go(struct peer *p)
{
	int ret = close(p->fd);

	p->fd = -1;
	return ret;
}

static int exit_status(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(handover, to_a_child)
{
	pid_t pid = fork();

	if (!pid) {
		if (peer_gets(self->fd, "question") ||
		    send(self->fd, "answer", 6, 0) != 6)
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(0, let_go(&self->p));
	/* ours is gone, the connection is not */
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "question"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "answer"));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(0, peer_see_close(&self->p, 1001, ""));
}

TEST_F(handover, killed)
{
	pid_t pid = fork();

	if (!pid) {
		close(self->p.raw);
		for (;;)
			pause();
	}
	ASSERT_EQ(0, let_go(&self->p));
	ASSERT_EQ(0, peer_sync(&self->p));
	kill(pid, SIGKILL);
	ASSERT_EQ(SIGKILL, exit_status(pid));
	EXPECT_EQ(0, peer_see_close(&self->p, 1001, ""));
	/* the handshake is the kernel's now */
	ASSERT_EQ(0, peer_send_close(&self->p, 1001, ""));
	if (variant->role == WS_CLIENT)
		ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(&self->p));
}

TEST_F(handover, killed_while_it_sends)
{
	static char data[4 << 20];
	struct peer *p = &self->p;
	int b0, small = 4096;
	size_t at = 0, n;
	pid_t pid;

	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	pid = fork();
	if (!pid) {
		close(p->raw);
		peer_fill(data, sizeof(data), 80);
		send(self->fd, data, sizeof(data), 0);
		_exit(0);
	}
	ASSERT_EQ(0, let_go(p));
	ASSERT_EQ(0, peer_header(p, &b0, &n));
	kill(pid, SIGKILL);
	ASSERT_EQ(SIGKILL, exit_status(pid));
	/* whole frames all the same, and then Close */
	for (; b0 != CLOSE; at += n) {
		ASSERT_EQ(at ? CONT : BINARY, b0);
		ASSERT_EQ(65536, n);
		ASSERT_EQ(0, peer_read(p, data, n));
		ASSERT_EQ(0, peer_header(p, &b0, &n));
	}
	EXPECT_GT(sizeof(data), at);
	EXPECT_EQ(2, n);
}

TEST_F(handover, exit_keeps_the_code_that_was_set)
{
	pid_t pid;

	ASSERT_EQ(0, peer_set_close(self->fd, 4321, "mine"));
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_EQ(0, exit_status(pid));
	/* a copy of the descriptor is left: nothing happened */
	ASSERT_EQ(0, peer_sync(&self->p));
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	ASSERT_EQ(0, let_go(&self->p));
	kill(pid, SIGTERM);
	ASSERT_EQ(SIGTERM, exit_status(pid));
	EXPECT_EQ(0, peer_see_close(&self->p, 4321, "mine"));
}

TEST_F(handover, reads_in_the_middle_of_a_frame)
{
	char head[4] = {};
	pid_t pid;

	/* one byte of a character here, the others there */
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "abc\xe2\x82\xac!"));
	ASSERT_EQ(4, recv(self->fd, head, 4, 0));
	EXPECT_EQ(0, memcmp(head, "abc\xe2", 4));
	pid = fork();
	if (!pid)
		_exit(peer_gets(self->fd, "\x82\xac!") ? 1 : 0);
	EXPECT_EQ(0, exit_status(pid));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "back"));
	EXPECT_EQ(0, peer_gets(self->fd, "back"));
}

TEST_F(handover, sends_the_rest_of_a_message)
{
	pid_t pid;

	ASSERT_EQ(0, peer_set(self->fd, WS_TX_TYPE, WS_OP_TEXT));
	ASSERT_EQ(5, send(self->fd, "begun", 5, MSG_MORE));
	pid = fork();
	if (!pid)
		_exit(send(self->fd, "ended", 5, 0) == 5 ? 0 : 1);
	EXPECT_EQ(0, exit_status(pid));
	ASSERT_EQ(3, send(self->fd, "new", 3, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, TEXT, "begun"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "ended"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "new"));
}

/* cat(1) knows nothing of WebSocket: what it reads it writes */
TEST_F(handover, to_another_program)
{
	struct peer *p = &self->p;
	char head[4];
	pid_t pid;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "not yours"));
	ASSERT_EQ(4, recv(self->fd, head, 4, 0));
	pid = fork();
	if (!pid) {
		dup2(self->fd, 0);
		dup2(self->fd, 1);
		close(self->fd);
		close(p->raw);
		execlp("cat", "cat", NULL);
		_exit(1);
	}
	ASSERT_EQ(0, let_go(p));
	EXPECT_EQ(0, peer_see_text(p, FIN | BINARY, "yours"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "echo"));
	EXPECT_EQ(0, peer_see_text(p, FIN | BINARY, "echo"));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
	EXPECT_EQ(0, exit_status(pid));
}

TEST_F(handover, closed_by_exec)
{
	int line[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(line));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, FD_CLOEXEC));
	pid = fork();
	if (!pid) {
		dup2(line[0], 0);
		close(line[1]);
		close(self->p.raw);
		execlp("cat", "cat", NULL);
		_exit(1);
	}
	ASSERT_EQ(0, let_go(&self->p));
	/* the process lives on: nobody is going away */
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
	close(line[1]);
	EXPECT_EQ(0, exit_status(pid));
}

TEST_F(handover, through_a_socket)
{
	struct peer *p = &self->p;
	int pair[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = fork();
	if (!pid) {
		/* a process that never had it */
		close(self->fd);
		close(p->raw);
		close(pair[0]);
		fd = take(pair[1]);
		if (peer_get(fd, WS_TX_TYPE) != WS_OP_TEXT ||
		    peer_set(fd, WS_TX_TYPE, WS_OP_BINARY) ||
		    peer_gets(fd, "second") || send(fd, "reply", 5, 0) != 5)
			_exit(1);
		_exit(close(fd));
	}
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_TYPE, WS_OP_TEXT));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "first"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "second"));
	ASSERT_EQ(0, peer_gets(self->fd, "first"));
	ASSERT_EQ(0, give(pair[0], self->fd));
	ASSERT_EQ(0, let_go(p));
	EXPECT_EQ(0, peer_see_text(p, FIN | BINARY, "reply"));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
}

TEST_F(handover, on_its_way)
{
	struct peer *p = &self->p;
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, give(pair[0], self->fd));
	ASSERT_EQ(0, let_go(p));
	/* no process has it open, and it answers all the same */
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "waiting"));
	p->fd = take(pair[1]);
	ASSERT_LE(0, p->fd);
	EXPECT_EQ(0, peer_gets(p->fd, "waiting"));
	/* and once more, to be lost with the socket it is in */
	ASSERT_EQ(0, give(pair[0], p->fd));
	ASSERT_EQ(0, let_go(p));
	close(pair[0]);
	close(pair[1]);
	EXPECT_EQ(0, peer_see_close(p, 1000, ""));
}

TEST_F(handover, dormant)
{
	struct peer *p = &self->p;
	pid_t pid;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	pid = fork();
	if (!pid)
		_exit(peer_set(p->fd, WS_ROLE, variant->role));
	EXPECT_EQ(0, exit_status(pid));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "framed"));
	EXPECT_EQ(0, peer_gets(p->fd, "framed"));
}

TEST_F(handover, copies_share_one_position)
{
	char a[4] = {}, b[4] = {};
	int copy = dup(self->fd);

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "12345678"));
	ASSERT_EQ(4, recv(self->fd, a, 4, 0));
	ASSERT_EQ(4, recv(copy, b, 4, 0));
	EXPECT_EQ(0, memcmp(a, "1234", 4));
	EXPECT_EQ(0, memcmp(b, "5678", 4));
	ASSERT_EQ(1, send(self->fd, "a", 1, MSG_MORE));
	ASSERT_EQ(1, send(copy, "b", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "b"));
	close(copy);
}

TEST_HARNESS_MAIN
