// SPDX-License-Identifier: GPL-2.0
/*
 * wsup connect: a connection between a server and stdin and stdout. Two loops
 * that only wait: the kernel keeps the two directions apart, answers pings and
 * closes.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "options.h"
#include "run.h"
#include "secret.h"

#define CHUNK	65536

static struct {
	bool		bytes;		/* stdin and stdout are streams */
	int		type;		/* of what is sent */
	int		ping_interval;
	const char	*exec;
	const char	*user_file;
	bool		netrc;
	bool		verbose;
	int		fd;
} opt;

static const char help[] =
"usage: wsup connect [OPTION...] URL\n"
"\n"
"Open a WebSocket connection to ws://[USER:PASSWORD@]HOST[:PORT][/PATH].\n"
"Each line of stdin is sent as a text message, each message received is\n"
"written to stdout as a line. At the end of stdin the connection is closed.\n"
"The exit code is 0 if it was closed in order: code 1000, 1001 or none.\n"
"\n"
"  -b, --bytes              stdin and stdout are streams of bytes, sent as\n"
"                           binary messages of whatever size\n"
"      --binary             send lines as binary messages\n"
"      --text               send bytes as text messages\n"
"  -e, --exec COMMAND       instead of stdin and stdout: those of COMMAND,\n"
"                           a line for the shell\n"
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
"  -t, --timeout TIME       for the handshake (10s)\n"
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

	complain("closed%s: %d%s%.*s",
		 close->by < ARRAY_SIZE(by) ? by[close->by] : "", close->code,
		 close->len ? " " : "", close->len, close->reason);
}

static void write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= (size_t)n) {
		n = write(fd, data, len);
		if (n < 0)
			die("stdout: %s", strerror(errno));
	}
}

/* Sends all of it; @more: the message goes on after it. */
static bool send_all(const char *data, size_t len, bool more)
{
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ssize_t n;

	do {
		n = send(opt.fd, data, len, flags);
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	} while (len);
	return true;
}

/* Each complete line is a message; a part of a long one is a fragment. */
static bool send_lines(const char *data, size_t len, bool *open)
{
	const char *end;
	size_t n;

	while (len) {
		end = memchr(data, '\n', len);
		n = end ? (size_t)(end - data) : len;
		*open = !end;
		if (!send_all(data, n, *open))
			return false;
		n += !!end;
		data += n;
		len -= n;
	}
	return true;
}

/*
 * stdin to the server. A failure is nothing to tell about: the other loop
 * learns from the kernel how the connection ended.
 */
static void *send_loop(void *arg)
{
	bool open = false, ok = true;
	char data[CHUNK];
	ssize_t n = 0;

	while (ok && (n = read(STDIN_FILENO, data, sizeof(data))) > 0)
		ok = opt.bytes ? send_all(data, (size_t)n, false)
			       : send_lines(data, (size_t)n, &open);
	if (ok && n < 0)
		die("stdin: %s", strerror(errno));
	if (ok && open)		/* the last line has no newline */
		send_all("", 0, false);
	shutdown(opt.fd, SHUT_WR);
	return arg;
}

/* Room for the control message makes the kernel show empty messages too. */
static ssize_t receive(char *data, size_t size, bool *end)
{
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(sizeof(struct ws_frame))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(opt.fd, &msg, 0);

	*end = n >= 0 && msg.msg_flags & MSG_EOR;
	return n;
}

/* The server to stdout, until there is no more. */
static int receive_loop(void)
{
	char data[CHUNK + 1];
	ssize_t n;
	bool end;

	for (;;) {
		n = receive(data, CHUNK, &end);
		if (n < 0)
			return -errno;
		if (!n && !end)
			return 0;
		if (end && !opt.bytes)
			data[n++] = '\n';
		write_all(STDOUT_FILENO, data, (size_t)n);
	}
}

static int finish(int err)
{
	struct ws_close close = close_state(opt.fd);

	if (err)
		complain("%s", strerror(-err));
	if (opt.verbose)
		report(&close);
	return err || (close.code != 1000 && close.code != 1001 &&
		       close.code != 1005);
}

static int talk(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, send_loop, NULL))
		die("no thread");
	return finish(receive_loop());
}

/* Throws away what the command has left unread; 0 or -errno. */
static int wait_for_close(void)
{
	char data[CHUNK];
	ssize_t n;

	shutdown(opt.fd, SHUT_WR);
	do {
		n = recv(opt.fd, data, sizeof(data), 0);
	} while (n > 0);
	return n ? -errno : 0;
}

static int run_command(void)
{
	char * const argv[] = { "sh", "-c", (char *)opt.exec, NULL };
	int status, code;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		run_here(opt.fd, NULL, argv);
	if (waitpid(pid, &status, 0) < 0)
		die("wait: %s", strerror(errno));
	code = finish(wait_for_close());
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return EXIT_FAILURE;
	return code;
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
		{ 'b', "bytes", OPT_FLAG, .to = &opt.bytes },
		{ 0, "binary", OPT_VALUE, WS_OP_BINARY, &opt.type },
		{ 0, "text", OPT_VALUE, WS_OP_TEXT, &opt.type },
		{ 'e', "exec", OPT_STRING, .to = &opt.exec },
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
		{ 't', "timeout", OPT_TIME, WSUP_TIMEOUT,
		  .min = 1, .max = HOUR_MS },
		{ 'v', "verbose", OPT_FLAG, .to = &opt.verbose },
		{}
	};
	struct wsup_config *config = new_config();
	char *url;

	wsup_config_set(config, WSUP_PROXY_ENV, 1);
	parse_options(argc, argv, options, config, help);
	if (optind + 1 != argc)
		die_usage("exactly one URL is needed");
	if (!opt.type)
		opt.type = opt.bytes || opt.exec ? WS_OP_BINARY : WS_OP_TEXT;
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
