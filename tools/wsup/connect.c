// SPDX-License-Identifier: GPL-2.0
/*
 * wsup connect: a connection between a server and stdin and stdout. The end of
 * stdin is not the end of the conversation: the answer is still to come.
 */
#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/ws.h>

#include "options.h"
#include "pump.h"
#include "run.h"
#include "secret.h"

#define NEVER	LONG_MAX

/* How long a server is silent that has answered all of a stdin's lines. */
#define SILENCE_MS	1000

static struct {
	bool		bytes;		/* stdin and stdout are streams */
	bool		lines;		/* of a program */
	int		type;		/* of what is sent */
	int		ping_interval;
	int		timeout;
	int		wait;		/* after the end of stdin; -1: usual */
	int		grace;
	bool		one;
	bool		stay;
	const char	*exec;
	const char	*user_file;
	bool		netrc;
	bool		verbose;
	int		fd;
} opt = { .timeout = 10000, .wait = -1, .grace = -1 };

static const char help[] =
"usage: wsup connect [OPTION...] URL\n"
"\n"
"Open a WebSocket connection to ws://[USER:PASSWORD@]HOST[:PORT][/PATH].\n"
"Each line of stdin is sent as a text message, each message received is\n"
"written to stdout as a line. After the end of stdin the connection is closed\n"
"when the server has been silent for a second, at once on a terminal. The exit\n"
"code is 0 if it was closed in order: code 1000, 1001 or none.\n"
"\n"
"  -w, --wait SECONDS       so long has the server to be silent\n"
"  -1, --one                close after one message was received\n"
"  -n, --no-close           let the server close\n"
"  -b, --bytes              stdin and stdout are streams of bytes, sent as\n"
"                           binary messages of whatever size\n"
"      --binary             send lines as binary messages\n"
"      --text               send bytes as text messages\n"
"  -e, --exec COMMAND       instead of stdin and stdout: those of COMMAND,\n"
"                           a line for the shell; bytes, with --text lines\n"
"      --lines              lines of COMMAND are messages\n"
"      --grace TIME         COMMAND may go on so long when the server has\n"
"                           closed (5s)\n"
"  -H, --header 'NAME: VALUE'  send a header\n"
"  -p, --subprotocol NAME   offer a subprotocol, best first\n"
"  -o, --origin ORIGIN      send an Origin header\n"
"  -u, --user NAME:PASSWORD credentials, if the server asks for them\n"
"      --user-file FILE     the same from a file\n"
"      --netrc              or from ~/.netrc\n"
"  -x, --proxy URL          http:// or socks5:// proxy; '': none; without\n"
"                           this option as ws_proxy, http_proxy, all_proxy\n"
"                           and no_proxy in the environment tell\n"
"  -L, --redirects N        follow so many redirects (0)\n"
"  -P, --ping-interval TIME ping a server that is silent this long\n"
"  -t, --timeout TIME       for the handshake, and for the answer to Close\n"
"                           (10s)\n"
"  -v, --verbose            tell how it began and ended\n"
"  -h, --help               this text\n";

/* How the connection ended, or began to. */
static struct ws_close close_state(int fd)
{
	struct ws_close close = {};
	socklen_t len = sizeof(close);

	if (getsockopt(fd, SOL_WS, WS_CLOSE, &close, &len))
		die("cannot tell how it ended: %s", strerror(errno));
	return close;
}

static void report(const struct ws_close *close)
{
	static const char * const by[] = {
		[WS_CLOSE_BY_NONE] = "",
		[WS_CLOSE_BY_LOCAL] = " by us",
		[WS_CLOSE_BY_PEER] = " by the server",
	};

	if (close->code == 1006) {
		complain("the server ended the connection without Close");
		return;
	}
	complain("closed%s: %d%s%.*s",
		 close->by < ARRAY_SIZE(by) ? by[close->by] : "", close->code,
		 close->len ? " " : "", close->len, close->reason);
}

/* Why it was no good end, if it was not; @err is the connection's. */
static int finish(int err, const char *missing)
{
	struct ws_close close = close_state(opt.fd);
	bool good = close.code == 1000 || close.code == 1001 ||
		    close.code == 1005;

	if (err)
		complain("%s", strerror(-err));
	if (opt.verbose || (!good && !err))
		report(&close);
	if (good && !err && missing)
		complain("%s", missing);
	return err || !good || missing ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The conversation through stdin and stdout. */
struct talk {
	bool		closing;	/* Close is sent */
	long		due;		/* to close, or to give up */
	int		queued;		/* bytes that TCP has not seen taken */
	struct pump	pump;
};

/*
 * Progress is what TCP acknowledged, and what came; not what a large buffer
 * has room for.
 */
static bool has_moved(struct talk *t, long limit)
{
	int queued = 0, before = t->queued;

	if (ioctl(opt.fd, SIOCOUTQ, &queued))
		queued = 0;
	t->queued = queued;
	if (queued < before)
		t->pump.moved = now_ms();
	t->due = t->pump.moved + limit;
	return t->due > now_ms();
}

static void begin_close(struct talk *t)
{
	shutdown(opt.fd, SHUT_WR);
	t->closing = true;
	t->pump.in = -1;
	t->pump.moved = now_ms();
	t->due = t->pump.moved + opt.timeout;
}

/* From the end of stdin on; without --wait an answer has no limit. */
static void begin_wait(struct talk *t)
{
	int wait = opt.wait;

	if (opt.stay || (opt.one && wait < 0))
		return;
	if (wait < 0)
		wait = isatty(STDIN_FILENO) ? 0 : SILENCE_MS;
	opt.wait = wait;
	has_moved(t, wait);
}

static void look(struct talk *t)
{
	struct pump *pump = &t->pump;

	if (!t->closing && opt.one && pump->messages && pump_idle(pump)) {
		pump->out = -1;
		begin_close(t);
	} else if (!t->closing && t->due == NEVER && pump_sent(pump)) {
		begin_wait(t);
	}
	if (now_ms() < t->due)
		return;
	if (t->closing && !has_moved(t, opt.timeout))
		die("the server does not answer Close");
	if (!t->closing && !has_moved(t, opt.wait))
		begin_close(t);
}

static int time_left(const struct talk *t)
{
	long left = t->due - now_ms();

	if (t->due == NEVER)
		return -1;
	return left < 0 ? 0 : (int)left;
}

static noreturn void fail(const struct pump *pump, int err)
{
	if (err == -EILSEQ && pump->where == PUMP_IN)
		die("stdin: not UTF-8: --binary or --bytes send anything");
	die("%s: %s", pump->where == PUMP_IN ? "stdin" : "stdout",
	    strerror(-err));
}

/* More at a time could wait for the reader of a pipe, though poll() did. */
static size_t piece_of(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) ? PUMP_CHUNK : PIPE_BUF;
}

static int talk(void)
{
	static struct talk t = { .due = NEVER };
	struct pump *pump = &t.pump;
	struct pollfd fds[PUMP_FDS];
	int err = 0;

	pump->sock = opt.fd;
	pump->in = STDIN_FILENO;
	pump->out = STDOUT_FILENO;
	pump->lines = !opt.bytes;
	pump->text = opt.type == WS_OP_TEXT;
	pump->guarded = !opt.bytes && isatty(STDOUT_FILENO);
	pump->piece = piece_of(STDOUT_FILENO);
	pump->moved = now_ms();
	while (!err && !pump_written(pump)) {
		pump_wait_for(pump, fds);
		if (poll(fds, PUMP_FDS, time_left(&t)) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		err = pump_move(pump, fds);
		if (err && pump->where != PUMP_SOCKET)
			fail(pump, err);
		look(&t);
	}
	return finish(err, opt.one && !pump->messages ?
		      "there was no message" : NULL);
}

/* Throws away what the program has left unread; 0 or -errno. */
static int wait_for_close(void)
{
	static struct talk t;
	struct pollfd fds[PUMP_FDS];
	int err = 0;

	t.pump.sock = opt.fd;
	t.pump.out = -1;
	begin_close(&t);
	while (!err && !pump_written(&t.pump)) {
		pump_wait_for(&t.pump, fds);
		if (poll(fds, PUMP_FDS, time_left(&t)) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		err = pump_move(&t.pump, fds);
		look(&t);
	}
	return err;
}

static int run_command(void)
{
	char * const argv[] = { "/bin/sh", "-c", (char *)opt.exec, NULL };
	const struct program program = {
		.argv = argv,
		.name = opt.exec,
		.text = opt.type == WS_OP_TEXT,
		.lines = opt.lines,
		.bytes = opt.bytes,
		.inherits = true,
		.grace = opt.grace,
	};
	int code, status = program_run(opt.fd, &program, NULL);

	program_report(&program, status);
	code = finish(wait_for_close(), NULL);
	return status ? EXIT_FAILURE : code;
}

static void begin(const char *url, struct wsup_config *config)
{
	struct wsup_hs *hs;

	opt.fd = wsup_connect(url, config, &hs);
	if (opt.fd < 0)
		die("%s", hs ? wsup_error(hs) : wsup_strerror(opt.fd));
	if (opt.verbose && wsup_subprotocol(hs))
		complain("connected, subprotocol %s", wsup_subprotocol(hs));
	else if (opt.verbose)
		complain("connected");
	wsup_free(hs);
	wsup_config_free(config);
	set_int(opt.fd, WS_TX_TYPE, opt.type);
	if (opt.ping_interval)
		set_int(opt.fd, WS_PING_INTERVAL, opt.ping_interval);
}

static void check_options(void)
{
	static const char with[] = "with --exec", without[] = "without --exec";

	warn_foreign(opt.exec && opt.wait >= 0, "--wait", with);
	warn_foreign(opt.exec && opt.one, "--one", with);
	warn_foreign(opt.exec && opt.stay, "--no-close", with);
	warn_foreign(!opt.exec && opt.lines, "--lines", without);
	warn_foreign(!opt.exec && opt.grace >= 0, "--grace", without);
	if (opt.grace < 0)
		opt.grace = GRACE_MS;
	if (!opt.type)
		opt.type = opt.bytes || opt.exec ? WS_OP_BINARY : WS_OP_TEXT;
}

/**
 * cmd_connect() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_connect(int argc, char **argv)
{
	static const struct opt options[] = {
		{ 'w', "wait", OPT_SECONDS, .to = &opt.wait, .max = DAY_MS },
		{ '1', "one", OPT_FLAG, .to = &opt.one },
		{ 'n', "no-close", OPT_FLAG, .to = &opt.stay },
		{ 'b', "bytes", OPT_FLAG, .to = &opt.bytes },
		{ 0, "binary", OPT_VALUE, WS_OP_BINARY, &opt.type },
		{ 0, "text", OPT_VALUE, WS_OP_TEXT, &opt.type },
		{ 'e', "exec", OPT_STRING, .to = &opt.exec },
		{ 0, "lines", OPT_FLAG, .to = &opt.lines },
		{ 0, "grace", OPT_TIME, .to = &opt.grace, .max = DAY_MS },
		{ 'H', "header", OPT_SECRET, WSUP_HEADER },
		{ 'p', "subprotocol", OPT_TEXT, WSUP_SUBPROTOCOL },
		{ 'o', "origin", OPT_TEXT, WSUP_ORIGIN },
		{ 'u', "user", OPT_SECRET, WSUP_USER },
		{ 0, "user-file", OPT_STRING, .to = &opt.user_file },
		{ 0, "netrc", OPT_FLAG, .to = &opt.netrc },
		{ 'x', "proxy", OPT_SECRET, WSUP_PROXY },
		{ 'L', "redirects", OPT_NUMBER, WSUP_REDIRECTS_MAX,
		  .max = 20 },
		{ 'P', "ping-interval", OPT_TIME, .to = &opt.ping_interval,
		  .max = DAY_MS },
		{ 't', "timeout", OPT_TIME, .to = &opt.timeout, .min = 1,
		  .max = HOUR_MS },
		{ 'v', "verbose", OPT_FLAG, .to = &opt.verbose },
		{}
	};
	struct wsup_config *config = new_config();
	char *url;

	wsup_config_set(config, WSUP_PROXY_ENV, 1);
	parse_options(argc, argv, options, config, help);
	wsup_config_set(config, WSUP_TIMEOUT, opt.timeout);
	if (optind + 1 != argc)
		die_usage("exactly one URL is needed");
	check_options();
	signal(SIGPIPE, SIG_DFL);
	url = take_url(argv[optind]);
	if (opt.user_file)
		add_secret_file(config, WSUP_USER, "--user-file",
				opt.user_file);
	if (opt.netrc)
		add_netrc(config, url);
	begin(url, config);
	free(url);
	return opt.exec ? run_command() : talk();
}
