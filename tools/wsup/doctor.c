// SPDX-License-Identifier: GPL-2.0
/* wsup doctor: what works on this machine, and what to do about the rest. */
#include <errno.h>
#include <fts.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/ws.h>

#include "options.h"

static const char help[] =
"usage: wsup doctor\n"
"\n"
"Tell whether WebSocket framing in the kernel works here, for this user, and\n"
"what to do if it does not. The exit code is 0 if it works.\n"
"\n"
"  -h, --help  this text\n";

static void tell(const char *what, bool good, const char *detail)
{
	printf("%-9s %-3s  %s\n", what, good ? "ok" : "no", detail);
}

static void advise(const char *advice)
{
	printf("%15s%s\n", "", advice);
}

static bool read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(line, size, file);

	if (file)
		fclose(file);
	line[ok ? strcspn(line, "\n") : 0] = '\0';
	return ok;
}

/* Is there a file of this module for this kernel? */
static bool module_file(const char *release)
{
	char dir[128];
	char * const roots[] = { dir, NULL };
	bool found = false;
	FTSENT *entry;
	FTS *tree;

	snprintf(dir, sizeof(dir), "/lib/modules/%s", release);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (tree && !found && (entry = fts_read(tree)))
		found = entry->fts_info == FTS_F &&
			!strncmp(entry->fts_name, "ws_ulp.ko", 9);
	if (tree)
		fts_close(tree);
	return found;
}

static void check_module(const char *release)
{
	bool loaded = !access("/proc/net/ws_stat", F_OK);
	bool file = module_file(release);

	tell("module", loaded, loaded ? "ws_ulp is there" : "no ws_ulp");
	if (loaded)
		return;
	if (file)
		advise("load it, as root: modprobe ws_ulp");
	else
		advise("install it: package ws-ulp-dkms, or 'make install'");
}

static bool check_permission(void)
{
	char line[16], text[64];
	bool good;

	if (!read_line("/proc/sys/net/ws/enabled", line, sizeof(line)))
		return false;
	good = atoi(line) == 2 || (atoi(line) == 1 && !geteuid());
	snprintf(text, sizeof(text), "net.ws.enabled is %s", line);
	tell("policy", good, text);
	if (!good)
		advise("allow everybody, as root: sysctl net.ws.enabled=2");
	return good;
}

/* A connection over loopback: listener, client, server. */
static int make_pair(int pair[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || pair[0] < 0 ||
	    bind(listener, (struct sockaddr *)&addr, len) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(pair[0], (struct sockaddr *)&addr, len))
		err = -errno;
	if (!err)
		pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!err && pair[1] < 0)
		err = -errno;
	if (listener >= 0)
		close(listener);
	return err;
}

/* A message there and back. */
static int try_out(int client, int server)
{
	static const char message[] = "wsup doctor";
	char data[64];
	int err;

	err = wsup_attach(client, WS_CLIENT, NULL, 0);
	if (!err)
		err = wsup_attach(server, WS_SERVER, NULL, 0);
	if (err)
		return err;
	if (send(client, message, sizeof(message), MSG_NOSIGNAL) < 0 ||
	    recv(server, data, sizeof(data), 0) != sizeof(message) ||
	    send(server, data, sizeof(message), MSG_NOSIGNAL) < 0 ||
	    recv(client, data, sizeof(data), 0) != sizeof(message))
		return -EIO;
	return memcmp(data, message, sizeof(message)) ? -EIO : 0;
}

static bool check_attach(void)
{
	int pair[2] = { -1, -1 };
	int i, err = make_pair(pair);

	if (!err)
		err = try_out(pair[0], pair[1]);
	for (i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	tell("attach", !err, err ? wsup_attach_strerror(err)
				 : "a message went over loopback and back");
	return !err;
}

static void check_tls(void)
{
	char line[256];
	bool good = read_line("/proc/sys/net/ipv4/tcp_available_ulp", line,
			      sizeof(line)) && strstr(line, "tls");

	tell("tls", good, good ? "kernel TLS is there, for wss"
			       : "no kernel TLS: only ws");
	if (!good)
		advise("load it, as root: modprobe tls");
}

static void check_uring(void)
{
	struct io_uring ring;
	int err = io_uring_queue_init(2, &ring, 0);

	tell("io_uring", !err, err ? strerror(-err)
				   : "there, for wsup serve");
	if (!err)
		io_uring_queue_exit(&ring);
	else if (err == -EPERM)
		advise("see the sysctl kernel.io_uring_disabled");
}

/**
 * cmd_doctor() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_doctor(int argc, char **argv)
{
	static const struct opt options[] = { {} };
	struct utsname uts;
	bool good;

	parse_options(argc, argv, options, NULL, help);
	if (optind != argc)
		die_usage("no arguments are needed");
	uname(&uts);
	/* what the module uses came with 6.12 */
	good = atof(uts.release) >= 7 || strverscmp(uts.release, "6.12") >= 0;
	tell("kernel", good, uts.release);
	if (!good)
		advise("6.12 or newer is needed");
	check_module(uts.release);
	check_permission();
	good = check_attach();
	check_tls();
	check_uring();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
