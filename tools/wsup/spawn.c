// SPDX-License-Identifier: GPL-2.0
/* A process for each connection, with payload on its stdin and stdout. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "run.h"
#include "serve.h"

/*
 * The process that looks after the program is one of its own, so that a server
 * that ends, or hands over, is not missed.
 */
static noreturn void become_keeper(struct conn *conn, const struct wsup_hs *hs)
{
	char * const argv[] = { "/bin/sh", "-c", (char *)serve.exec, NULL };
	const struct program program = {
		.argv = argv,
		.name = serve.exec,
		.text = serve.text == WS_OP_TEXT,
		.lines = serve.lines,
		.bytes = serve.bytes,
		.grace = serve.grace,
	};
	int status, fd = dup(conn->fd);

	/* all that is the server's, its sockets above all */
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILURE);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	status = program_run(STDIN_FILENO, &program, hs);
	if (serve.verbose)
		program_report(&program, status);
	_exit(EXIT_SUCCESS);
}

static void on_end(struct loop *loop, struct op *op, int res,
		   unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);
	siginfo_t info;

	(void)flags;
	if (res != -ECANCELED)
		waitid(P_PIDFD, (id_t)conn->fd, &info, WEXITED);
	conn_close(loop, conn);
}

static void exec_prepare(int fd)
{
	if (!wsup_attach_dormant(fd))
		program_prepare(fd);
}

/* From here on the connection is the process; its socket is its own. */
static void exec_begin(struct loop *loop, struct conn *conn,
		       const struct wsup_hs *hs)
{
	pid_t pid = fork();

	if (!pid)
		become_keeper(conn, hs);
	if (pid < 0) {
		complain("fork: %s", strerror(errno));
		conn_fail(loop, conn, 1011, "");
		return;
	}
	close(conn->fd);
	conn->fd = pidfd_open(pid, 0);
	if (conn->fd < 0) {
		complain("pidfd_open: %s", strerror(errno));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		conn_close(loop, conn);
		return;
	}
	conn->op.done = on_end;
	loop_poll(loop, &conn->op, conn->fd, POLLIN);
}

/* A successor does not need to know them; they go on. */
static void exec_stop(struct loop *loop, struct conn *conn)
{
	if (serve_stop == STOP_HANDOVER)
		loop_cancel(loop, &conn->op);
	else
		pidfd_send_signal(conn->fd, SIGTERM, NULL, 0);
}

const struct mode exec_mode = {
	.name = "exec",
	.prepare = exec_prepare,
	.begin = exec_begin,
	.stop = exec_stop,
};
