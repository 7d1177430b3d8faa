// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that get a connection as their stdin and stdout, and the process
 * that looks after one: it tells the peer how the program ended, and ends the
 * program when the peer has gone.
 *
 * A program reads and writes the connection itself where bytes are all that
 * matters. Lines and characters take two pipes, and copying between.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "pump.h"
#include "run.h"

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP	4U
#endif

#define NEVER		LONG_MAX
#define GONE_MS		1000	/* for a program whose peer has gone */
#define STALL_MS	10000	/* a peer that takes nothing of the rest */
#define LOOK_MS		50	/* what is left of a group tells us nothing */

/* How a program and all that it started come to an end, and when. */
static const struct {
	int	signal;
	int	wait;		/* then the next, in ms */
} steps[] = {
	{ SIGHUP, 2000 },
	{ SIGTERM, 3000 },
	{ SIGKILL, 1000 },
};

enum {
	STEP_HUP,
	STEP_TERM,
	STEP_KILL,
};

struct keeper {
	const struct program *program;
	int		fd;
	pid_t		pid;
	int		process;
	int		signals;
	int		status;
	bool		pumped;
	bool		over;		/* the program is */
	bool		closed;		/* and the peer knows */
	bool		urged;		/* it ended because we wanted it to */
	bool		stopped;	/* we were told to end */
	bool		peer_ended;
	bool		gone;		/* the connection is of no use */
	bool		garbled;	/* text that is none */
	size_t		step;
	long		due;		/* when the step is taken */
	long		stalled;	/* when what is unsent is given up */
	int		queued;
	struct pump	pump;
};

enum {
	FD_PEER = PUMP_FDS,
	FD_PROCESS,
	FD_SIGNALS,
	FDS,
};

/**
 * program_prepare() - let the peer's Close wait for the program's last words
 * @fd: connection; it need not be open yet
 */
void program_prepare(int fd)
{
	int off = 0;

	setsockopt(fd, SOL_WS, WS_AUTO_CLOSE, &off, sizeof(off));
}

/* To all that the program started, unless it left the group. */
static int signal_group(const struct keeper *k, int number)
{
	if (!pidfd_send_signal(k->process, number, NULL,
			       PIDFD_SIGNAL_PROCESS_GROUP))
		return 0;
	/* before Linux 6.9 */
	return errno == EINVAL ? kill(-k->pid, number) : -1;
}

static void end_by(struct keeper *k, size_t step, long when)
{
	if (k->step > step || (k->step == step && k->due <= when))
		return;
	k->step = step;
	k->due = when;
}

static void take_step(struct keeper *k)
{
	if (k->step < ARRAY_SIZE(steps) && now_ms() >= k->due) {
		k->urged |= !k->over;
		signal_group(k, steps[k->step].signal);
		signal_group(k, SIGCONT);
		k->due = now_ms() + steps[k->step++].wait;
	}
}

/* What was not ended by KILL in its time waits for a device. */
static bool given_up(const struct keeper *k)
{
	return k->step == ARRAY_SIZE(steps) && now_ms() >= k->due;
}


static void close_out(struct pump *pump)
{
	if (pump->out >= 0)
		close(pump->out);
	pump->out = -1;
}

/* The program sees that as well, and may have to tidy up. */
static void peer_gone(struct keeper *k)
{
	k->gone = true;
	k->peer_ended = true;
	close_out(&k->pump);
	end_by(k, STEP_HUP, now_ms() + GONE_MS);
}

/* Without Close nobody waits for an answer. */
static void peer_ended(struct keeper *k)
{
	struct ws_close close = {};
	socklen_t len = sizeof(close);

	k->peer_ended = true;
	if (getsockopt(k->fd, SOL_WS, WS_CLOSE, &close, &len) ||
	    close.code == 1006)
		end_by(k, STEP_HUP, now_ms() + GONE_MS);
	else
		end_by(k, STEP_HUP, now_ms() + k->program->grace);
}

static void look_at_peer(struct keeper *k, short events)
{
	if (events & (POLLHUP | POLLERR | POLLNVAL))
		peer_gone(k);
	else if (events & POLLRDHUP)
		peer_ended(k);
}

/* The first asks the program to end, the second does not ask. */
static void look_at_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	if (read(k->signals, &info, sizeof(info)) != sizeof(info))
		return;
	end_by(k, k->stopped ? STEP_KILL : STEP_TERM, now_ms());
	k->stopped = true;
}

static void look_at_process(struct keeper *k)
{
	k->over = true;
	if (waitpid(k->pid, &k->status, 0) < 0)
		k->status = EXIT_FAILURE << 8;
	k->stalled = now_ms() + STALL_MS;
}

static void pump_failed(struct keeper *k, int err)
{
	struct pump *pump = &k->pump;

	switch (pump->where) {
	case PUMP_OUT:		/* the program reads no more */
		close_out(pump);
		break;
	case PUMP_IN:
		complain("%s: what it writes is %s", k->program->name,
			 err == -EILSEQ ? "not UTF-8, without --text it may be"
					: strerror(-err));
		pump->in = -1;
		pump->up.at = pump->up.ready;
		k->garbled = true;
		end_by(k, STEP_HUP, now_ms());
		break;
	case PUMP_SOCKET:
		pump->ended = true;
		peer_gone(k);
		break;
	}
	pump->where = PUMP_SOCKET;
}

static void move(struct keeper *k, const struct pollfd *fds)
{
	int err = pump_move(&k->pump, fds);

	if (err)
		pump_failed(k, err);
	if (pump_written(&k->pump))
		close_out(&k->pump);
}

/* Is anything of the program's output still to be sent? */
static bool has_more(struct keeper *k)
{
	int ret, queued = 0;

	if (!k->pumped || k->gone)
		return false;
	ret = pump_finish(&k->pump);
	if (ret < 0)
		pump_failed(k, ret);
	if (ret)
		return false;
	ioctl(k->fd, SIOCOUTQ, &queued);
	if (queued != k->queued)
		k->stalled = now_ms() + STALL_MS;
	k->queued = queued;
	return now_ms() < k->stalled;
}

static int close_code(const struct keeper *k)
{
	if (k->stopped)
		return 1001;
	if (k->garbled)
		return 1011;
	return k->status && !(k->urged && k->peer_ended) ? 1011 : 1000;
}

/* What the program started and left behind may hold the connection as well. */
static void send_close(struct keeper *k)
{
	struct ws_close how = { .code = (__u16)close_code(k) };

	setsockopt(k->fd, SOL_WS, WS_CLOSE, &how,
		   offsetof(struct ws_close, reason));
	shutdown(k->fd, SHUT_WR);
	k->closed = true;
	end_by(k, STEP_HUP, now_ms());
}

static int time_left(const struct keeper *k)
{
	long left = k->due - now_ms();

	if (k->over && (left > LOOK_MS || k->due == NEVER))
		return LOOK_MS;
	if (k->due == NEVER)
		return -1;
	return left < 0 ? 0 : (int)left;
}

static void wait_for_something(struct keeper *k, struct pollfd *fds)
{
	int i;

	for (i = 0; i < FDS; i++)
		fds[i] = (struct pollfd){ .fd = -1 };
	if (k->pumped && !k->gone && !k->over)
		pump_wait_for(&k->pump, fds);
	else if (k->pumped && !k->gone && !k->closed)
		fds[PUMP_SOCKET] = (struct pollfd){ k->fd, POLLOUT };
	/*
	 * The kernel announces Close as it does payload, to those that wait for
	 * either. Waiting for POLLIN would not be waiting, as long as there is
	 * what the program has not read.
	 */
	if (!k->gone && !k->closed)
		fds[FD_PEER] = (struct pollfd){
			k->fd, k->peer_ended ? 0 : POLLRDHUP | POLLRDBAND };
	if (!k->over)
		fds[FD_PROCESS] = (struct pollfd){ k->process, POLLIN };
	fds[FD_SIGNALS] = (struct pollfd){ k->signals, POLLIN };
	if (poll(fds, FDS, time_left(k)) < 0 && errno != EINTR)
		die("poll: %s", strerror(errno));
}

static bool finished(struct keeper *k)
{
	if (!k->over || !k->closed)
		return false;
	return signal_group(k, 0) || given_up(k);
}

static void keep(struct keeper *k)
{
	struct pollfd fds[FDS];

	while (!finished(k)) {
		wait_for_something(k, fds);
		if (fds[FD_SIGNALS].revents)
			look_at_signals(k);
		if (k->pumped && !k->gone && !k->over)
			move(k, fds);
		if (!k->gone)
			look_at_peer(k, fds[FD_PEER].revents);
		if (fds[FD_PROCESS].revents)
			look_at_process(k);
		take_step(k);
		if (k->over && !k->closed && !has_more(k))
			send_close(k);
		else if (!k->over && given_up(k))
			break;
	}
}

/* What we do with signals is none of the program's business. */
static void set_attributes(posix_spawnattr_t *attr)
{
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(attr, &set);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
				       POSIX_SPAWN_SETSIGDEF |
				       POSIX_SPAWN_SETSID);
}

static int spawn(struct keeper *k, int in, int out, char **env)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	set_attributes(&attr);
	err = posix_spawnp(&k->pid, k->program->argv[0], &actions, &attr,
			   k->program->argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Above stdin, stdout and stderr, some of which may not be open. */
static void open_pipe(int *fds)
{
	int low[2], i;

	if (pipe2(low, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	for (i = 0; i < 2; i++) {
		fds[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			die("pipe: %s", strerror(errno));
		close(low[i]);
	}
}

static int spawn_pumped(struct keeper *k, char **env)
{
	int to[2], from[2], err;

	open_pipe(to);
	open_pipe(from);
	err = spawn(k, to[0], from[1], env);
	close(to[0]);
	close(from[1]);
	fcntl(to[1], F_SETFL, O_NONBLOCK);
	fcntl(from[0], F_SETFL, O_NONBLOCK);
	k->pump.sock = k->fd;
	k->pump.in = from[0];
	k->pump.out = to[1];
	k->pump.text = k->program->text;
	k->pump.lines = k->program->lines ||
			(k->program->text && !k->program->bytes);
	k->pump.piece = PUMP_CHUNK;
	return err;
}

static void catch_signals(struct keeper *k)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* or there would be nobody to wait for */
	signal(SIGCHLD, SIG_DFL);
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->signals < 0)
		die("signalfd: %s", strerror(errno));
}

static int start(struct keeper *k, const struct wsup_hs *hs)
{
	struct environment env = {};
	int err;

	if (!k->program->inherits)
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	environment_fill(&env, k->fd, hs);
	k->pumped = k->program->text || k->program->lines;
	err = k->pumped ? spawn_pumped(k, env.at)
			: spawn(k, k->fd, k->fd, env.at);
	environment_free(&env);
	if (err)
		return err;
	k->process = pidfd_open(k->pid, 0);
	if (k->process < 0)
		die("pidfd_open: %s", strerror(errno));
	return 0;
}

/**
 * program_run() - run a program on a connection until both have ended
 * @fd: connection; Close has been sent when this returns
 * @program: what to run
 * @hs: handshake, or NULL
 *
 * Return: how the program ended, as waitpid() tells it.
 */
int program_run(int fd, const struct program *program,
		const struct wsup_hs *hs)
{
	static struct keeper k;
	int err;

	k.program = program;
	k.due = NEVER;
	k.pump.out = -1;
	/* not stdin or stdout, which become the program's */
	k.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (k.fd < 0)
		die("%s", strerror(errno));
	program_prepare(k.fd);
	catch_signals(&k);
	err = start(&k, hs);
	if (err) {
		complain("%s: %s", program->name, strerror(-err));
		k.status = 127 << 8;
		send_close(&k);
	} else {
		keep(&k);
	}
	if (!k.closed)
		send_close(&k);
	close(k.fd);
	return k.status;
}

/**
 * program_code() - exit code that says how a program ended
 * @status: from program_run()
 *
 * Return: its own, or 128 and the signal's number, as a shell has it.
 */
int program_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/**
 * program_report() - tell that a program failed
 * @program: what was run
 * @status: from program_run(); nothing is told of 0
 */
void program_report(const struct program *program, int status)
{
	if (WIFSIGNALED(status))
		complain("%s: ended by signal %d (%s)", program->name,
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (status)
		complain("%s: exit code %d", program->name,
			 WEXITSTATUS(status));
}
