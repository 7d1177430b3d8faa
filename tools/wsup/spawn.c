// SPDX-License-Identifier: GPL-2.0
/* A process for each connection, with payload on its stdin and stdout. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "serve.h"

/* What we do with signals is none of its business. */
static void set_signals(posix_spawnattr_t *attr)
{
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigaddset(&set, SIGPIPE);
	posix_spawnattr_setsigdefault(attr, &set);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
				       POSIX_SPAWN_SETSIGDEF);
}

static int spawn(int fd, char **env, pid_t *pid)
{
	char * const argv[] = { "sh", "-c", (char *)serve.exec, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	set_signals(&attr);
	err = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
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

/* From here on the connection is the process; its socket is its own. */
static void exec_begin(struct loop *loop, struct conn *conn,
		       const struct wsup_hs *hs)
{
	struct environment env = {};
	pid_t pid = 0;
	int err;

	environment_fill(&env, conn->fd, hs);
	err = spawn(conn->fd, env.at, &pid);
	environment_free(&env);
	if (err) {
		complain("%s: %s", serve.exec, strerror(-err));
		conn_fail(loop, conn, 1011, "");
		return;
	}
	close(conn->fd);
	conn->fd = pidfd_open(pid, 0);
	if (conn->fd < 0)
		die("pidfd_open: %s", strerror(errno));
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
	.begin = exec_begin,
	.stop = exec_stop,
};
