// SPDX-License-Identifier: GPL-2.0
/* wsup accept and wsup attach: connections that somebody else opened. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/ws.h>

#include "options.h"
#include "run.h"

static const char accept_help[] =
"usage: wsup accept [OPTION...] [--] COMMAND [ARGUMENT...]\n"
"\n"
"Complete the WebSocket handshake on a socket that was inherited, from inetd\n"
"or systemd (Accept=yes) for instance, then run COMMAND, with payload on its\n"
"stdin and stdout and the request in its environment, as for CGI.\n"
"\n"
"  -f, --fd N               the socket; 3 if systemd passed one, else 0\n"
"      --text               a line that COMMAND writes is a text message, and\n"
"                           each message a line\n"
"      --lines              the same with binary messages\n"
"  -b, --bytes              with --text: bytes, not lines\n"
"      --grace TIME         COMMAND may go on so long when the client has\n"
"                           closed (5s)\n"
"  -p, --subprotocol NAME   accept a subprotocol, best first\n"
"  -o, --origin ORIGIN      allow pages of this origin, too; '*': of any\n"
"      --host NAME          a name that pages may call this server; '*': any\n"
"      --path PATH          serve connections at this path and under it\n"
"      --auth NAME:PASSWORD ask for credentials\n"
"      --realm TEXT         what for\n"
"  -H, --header 'NAME: VALUE'  send a header\n"
"  -P, --ping-interval TIME ping a client that is silent this long\n"
"  -t, --timeout TIME       for the handshake (10s)\n"
"  -h, --help               this text\n";

static const char attach_help[] =
"usage: wsup attach --fd N --role ROLE [OPTION...] [--] COMMAND [ARGUMENT...]\n"
"\n"
"Let the kernel frame on a socket whose handshake is complete, then run\n"
"COMMAND, with payload on its stdin and stdout.\n"
"\n"
"  -f, --fd N          the socket\n"
"  -r, --role ROLE     server or client\n"
"      --preload FILE  bytes that were read behind the handshake\n"
"      --text          a line that COMMAND writes is a text message, and each\n"
"                      message a line\n"
"      --lines         the same with binary messages\n"
"  -b, --bytes         with --text: bytes, not lines\n"
"      --grace TIME    COMMAND may go on so long when the peer has closed (5s)\n"
"  -h, --help          this text\n";

static struct {
	int		fd;
	int		role;
	int		type;
	int		ping_interval;
	const char	*preload;
	bool		lines;
	bool		bytes;
	int		grace;
} opt = { .fd = -1, .type = WS_OP_BINARY, .grace = GRACE_MS };

/* As sd_listen_fds(3) does; with Accept=yes there is exactly one. */
static int default_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (pid && n && atol(pid) == getpid() && !strcmp(n, "1"))
		return 3;
	return STDIN_FILENO;
}

/* inetd makes stderr the socket too: messages would go to the client. */
static void protect_stderr(int fd)
{
	struct stat a, b;

	if (fstat(fd, &a) || fstat(STDERR_FILENO, &b) ||
	    a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
}

static int run(const struct wsup_hs *hs, char * const *argv)
{
	const struct program program = {
		.argv = argv,
		.name = *argv,
		.text = opt.type == WS_OP_TEXT,
		.lines = opt.lines,
		.bytes = opt.bytes,
		.grace = opt.grace,
	};

	set_int(opt.fd, WS_TX_TYPE, opt.type);
	if (opt.ping_interval)
		set_int(opt.fd, WS_PING_INTERVAL, opt.ping_interval);
	return program_code(program_run(opt.fd, &program, hs));
}

/**
 * cmd_accept() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_accept(int argc, char **argv)
{
	static const struct opt options[] = {
		{ 'f', "fd", OPT_INT, .to = &opt.fd, .max = INT_MAX },
		{ 0, "text", OPT_VALUE, WS_OP_TEXT, &opt.type },
		{ 0, "lines", OPT_FLAG, .to = &opt.lines },
		{ 'b', "bytes", OPT_FLAG, .to = &opt.bytes },
		{ 0, "grace", OPT_TIME, .to = &opt.grace, .max = DAY_MS },
		{ 'p', "subprotocol", OPT_TEXT, WSUP_SUBPROTOCOL },
		{ 'o', "origin", OPT_TEXT, WSUP_ALLOW_ORIGIN },
		{ 0, "host", OPT_TEXT, WSUP_HOST },
		{ 0, "path", OPT_PATH },
		{ 0, "auth", OPT_SECRET, WSUP_USER },
		{ 0, "realm", OPT_TEXT, WSUP_REALM },
		{ 'H', "header", OPT_TEXT, WSUP_HEADER },
		{ 'P', "ping-interval", OPT_TIME, .to = &opt.ping_interval,
		  .max = DAY_MS },
		{ 't', "timeout", OPT_TIME, WSUP_TIMEOUT,
		  .min = 1, .max = HOUR_MS },
		{ .kind = OPT_COMMAND }
	};
	struct wsup_config *config = new_config();
	struct wsup_hs *hs;
	int err;

	parse_options(argc, argv, options, config, accept_help);
	if (optind == argc)
		die_usage("which command?");
	if (opt.fd < 0)
		opt.fd = default_fd();
	protect_stderr(opt.fd);
	/* before the client's Close can come; if not, wsup_accept() tells */
	if (!wsup_attach_dormant(opt.fd))
		program_prepare(opt.fd);
	err = wsup_accept(opt.fd, config, &hs);
	if (err)
		die("%s", hs ? wsup_error(hs) : wsup_strerror(err));
	return run(hs, argv + optind);
}

static void set_role(const char *name, const char *value)
{
	if (!strcmp(value, "server"))
		opt.role = WS_SERVER;
	else if (!strcmp(value, "client"))
		opt.role = WS_CLIENT;
	else
		die_usage("%s: neither server nor client: %s", name, value);
}

static size_t read_preload(char *data, size_t size)
{
	FILE *from = fopen(opt.preload, "re");
	size_t n;

	if (!from)
		die("%s: %s", opt.preload, strerror(errno));
	n = fread(data, 1, size, from);
	if (ferror(from))
		die("%s: %s", opt.preload, strerror(errno));
	if (n == size)
		die("%s: more than 65536 bytes", opt.preload);
	fclose(from);
	return n;
}

/**
 * cmd_attach() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_attach(int argc, char **argv)
{
	static const struct opt options[] = {
		{ 'f', "fd", OPT_INT, .to = &opt.fd, .max = INT_MAX },
		{ 'r', "role", OPT_CALL, 1, .call = set_role },
		{ 0, "preload", OPT_STRING, .to = &opt.preload },
		{ 0, "text", OPT_VALUE, WS_OP_TEXT, &opt.type },
		{ 0, "lines", OPT_FLAG, .to = &opt.lines },
		{ 'b', "bytes", OPT_FLAG, .to = &opt.bytes },
		{ 0, "grace", OPT_TIME, .to = &opt.grace, .max = DAY_MS },
		{ .kind = OPT_COMMAND }
	};
	static char early[65537];
	size_t len = 0;
	int err;

	parse_options(argc, argv, options, NULL, attach_help);
	if (opt.fd < 0 || !opt.role)
		die_usage("--fd and --role are needed");
	if (optind == argc)
		die_usage("which command?");
	if (opt.preload)
		len = read_preload(early, sizeof(early));
	err = wsup_attach_dormant(opt.fd);
	if (!err) {
		program_prepare(opt.fd);
		err = wsup_attach(opt.fd, opt.role, early, len);
	}
	if (err)
		die("%s", wsup_attach_strerror(err));
	return run(NULL, argv + optind);
}
