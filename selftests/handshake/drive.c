// SPDX-License-Identifier: GPL-2.0
/*
 * Drives one handshake of libwsup for the scripts in this directory and tells
 * on stdout, line by line, what the library said. The kernel is left out unless
 * attach=1, so this runs anywhere.
 *
 *	drive [NAME=VALUE]... accept FD
 *	drive [NAME=VALUE]... connect URL
 *
 * With step=1 the handshake is driven by wsup_step(), and "again" is printed
 * each time that it waits: a script knows then that all it sent was seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wsup.h>

static bool stepwise;
static const char *ask;

static const struct {
	const char *name;
	int what;
} numbers[] = {
	{ "timeout", WSUP_TIMEOUT }, { "head_max", WSUP_HEAD_MAX },
	{ "fields_max", WSUP_FIELDS_MAX }, { "body_max", WSUP_BODY_MAX },
	{ "requests_max", WSUP_REQUESTS_MAX },
	{ "redirects_max", WSUP_REDIRECTS_MAX }, { "attach", WSUP_ATTACH },
	{ "nonblock", WSUP_NONBLOCK }, { "proxy_env", WSUP_PROXY_ENV },
	{ "auth", WSUP_AUTH },
}, texts[] = {
	{ "header", WSUP_HEADER }, { "subprotocol", WSUP_SUBPROTOCOL },
	{ "origin", WSUP_ORIGIN }, { "allow_origin", WSUP_ALLOW_ORIGIN },
	{ "path", WSUP_PATH }, { "user", WSUP_USER }, { "realm", WSUP_REALM },
	{ "proxy", WSUP_PROXY },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static void set_option(struct wsup_config *config, const char *arg)
{
	const char *value = strchr(arg, '=') + 1;
	size_t i, len = (size_t)(value - 1 - arg);
	int err = -EINVAL;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strncmp(numbers[i].name, arg, len) &&
		    !numbers[i].name[len])
			err = wsup_config_set(config, numbers[i].what,
					      atol(value));
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strncmp(texts[i].name, arg, len) && !texts[i].name[len])
			err = wsup_config_add(config, texts[i].what, value);
	if (!strncmp("step=", arg, 5)) {
		stepwise = atoi(value);
		err = 0;
	}
	if (!strncmp("ask=", arg, 4)) {
		ask = value;
		err = wsup_config_set(config, WSUP_ASK, 1);
	}
	if (err) {
		printf("option %d\n", err);
		exit(0);
	}
}

static void print_hex(const char *what, const void *data, size_t len)
{
	const unsigned char *p = data;

	printf("%s ", what);
	while (len--)
		printf("%02x", *p++);
	printf("\n");
}

static void print_string(const char *what, const char *s)
{
	if (s)
		print_hex(what, s, strlen(s));
}

/* What the request looks like, and the answer that the script asked for. */
static void decide(struct wsup_hs *hs)
{
	static const char page[] = "<p>page";
	int err = 0, file;

	printf("request %d %s %s\n", wsup_upgradable(hs), wsup_method(hs),
	       wsup_target(hs));
	if (!strcmp(ask, "file") && !wsup_upgradable(hs)) {
		file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		err = wsup_respond_file(hs, 200, file, 100000);
	} else if (!strcmp(ask, "page") && !wsup_upgradable(hs)) {
		err = wsup_add_header(hs, "Content-Type: text/html");
		if (!err)
			err = wsup_respond(hs, 200, page, sizeof(page) - 1);
	} else if (!strcmp(ask, "refuse")) {
		err = wsup_respond(hs, 403, "no", 2);
	} else if (!strncmp(ask, "select:", 7)) {
		err = wsup_select(hs, ask + 7);
		if (!err)
			err = wsup_add_header(hs, "X-Added: yes");
	}
	printf("decided %d\n", err);
}

static int run_stepwise(struct wsup_hs *hs)
{
	struct pollfd pfd;
	int ret;

	while ((ret = wsup_step(hs)) == WSUP_AGAIN) {
		printf("again\n");
		fflush(stdout);
		pfd.fd = wsup_fd(hs);
		pfd.events = wsup_events(hs);
		poll(&pfd, 1, wsup_timeout(hs));
	}
	return ret;
}

static int run(struct wsup_hs *hs)
{
	int ret;

	do {
		ret = stepwise ? run_stepwise(hs) : wsup_run(hs);
		if (ret == WSUP_REQUEST)
			decide(hs);
	} while (ret == WSUP_REQUEST);
	return ret;
}

static void print_peer(struct wsup_hs *hs)
{
	const char *name, *value;
	const void *body;
	size_t i, len;

	printf("status %d\n", wsup_status(hs));
	print_string("error", wsup_error(hs));
	print_string("reason", wsup_reason(hs));
	print_string("subprotocol", wsup_subprotocol(hs));
	print_string("user", wsup_user(hs));
	for (i = 0; wsup_field(hs, i, &name, &value); i++) {
		print_string("name", name);
		print_string("value", value);
	}
	body = wsup_body(hs, &len);
	if (body)
		print_hex("body", body, len);
}

/* What is left in the stream for whoever comes after the handshake. */
static void print_rest(int fd)
{
	static char data[1 << 20];
	size_t len = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while ((n = read(fd, data + len, sizeof(data) - len)) > 0)
		len += (size_t)n;
	print_hex("rest", data, len);
}

int main(int argc, char **argv)
{
	struct wsup_config *config = wsup_config_new();
	struct wsup_hs *hs;
	int i, fd, ret;

	wsup_config_set(config, WSUP_ATTACH, 0);
	for (i = 1; i < argc - 2; i++)
		set_option(config, argv[i]);
	if (!strcmp(argv[i], "accept")) {
		fd = atoi(argv[i + 1]);
		ret = wsup_accept_new(&hs, fd, config);
	} else {
		fd = -1;
		ret = wsup_connect_new(&hs, argv[i + 1], -1, config);
	}
	if (!ret)
		ret = run(hs);
	printf("result %d\n", ret);
	print_peer(hs);
	fflush(stdout);
	if (ret == WSUP_DONE) {
		if (fd < 0)
			fd = wsup_take_fd(hs);
		print_rest(fd);
	}
	if (fd >= 0)
		close(fd);
	wsup_free(hs);
	wsup_config_free(config);
	return 0;
}
