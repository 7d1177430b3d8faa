// SPDX-License-Identifier: GPL-2.0
/*
 * Drives one handshake of libwsup for the scripts in this directory and tells
 * on stdout, line by line, what the library said. The kernel is left out unless
 * attach=1, so this runs anywhere.
 *
 *	drive [NAME=VALUE]... accept FD
 *	drive [NAME=VALUE]... connect URL
 *	drive [NAME=VALUE]... over=FD connect URL
 *	drive explain ERROR
 *
 * With step=1 the handshake is driven by wsup_step(), and "again" is printed
 * each time that it waits: a script knows then that all it sent was seen.
 * loop=NAME is the same with another event loop. call=1 is the one call that
 * does it all, call=2 that without looking at the handshake. fail=N lets the
 * Nth call fail that could for want of something. SIGUSR1 lets a minute pass.
 *
 * With addresses=A,B the name many.test has these. The value @FILE of a text is
 * the lines of a file.
 *
 * In the end no descriptor may be open that was not before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wsup.h>

#include "inject.h"
#include "wait.h"

static waiter stepwise;
static const char *ask;
static int over = -1;
static long fail;

/* Wait first; tell of signals; leave at so many waits; step behind the end */
static long eager, signals, give_up, repeat;

/* Go on without an option that is wrong; let the peer send without end */
static long careless, flood;

/* Calls of one wsup_step() that receive or send, at most */
static long most;
static long call;

static const struct {
	const char *name;
	long *value;
} ways[] = {
	{ "eager", &eager }, { "signals", &signals }, { "give_up", &give_up },
	{ "repeat", &repeat }, { "fail", &fail }, { "call", &call },
	{ "careless", &careless }, { "flood", &flood },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	int what;
} numbers[] = {
	{ "timeout", WSUP_TIMEOUT }, { "head_max", WSUP_HEAD_MAX },
	{ "fields_max", WSUP_FIELDS_MAX }, { "body_max", WSUP_BODY_MAX },
	{ "requests_max", WSUP_REQUESTS_MAX },
	{ "redirects_max", WSUP_REDIRECTS_MAX }, { "attach", WSUP_ATTACH },
	{ "nonblock", WSUP_NONBLOCK }, { "proxy_env", WSUP_PROXY_ENV },
	{ "auth", WSUP_AUTH }, { "users_only", WSUP_USERS_ONLY },
}, texts[] = {
	{ "header", WSUP_HEADER }, { "subprotocol", WSUP_SUBPROTOCOL },
	{ "origin", WSUP_ORIGIN }, { "allow_origin", WSUP_ALLOW_ORIGIN },
	{ "path", WSUP_PATH }, { "user", WSUP_USER }, { "realm", WSUP_REALM },
	{ "proxy", WSUP_PROXY }, { "host", WSUP_HOST },
};

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
			err = *value == '@' ?
				wsup_config_read(config, texts[i].what,
						 value + 1) :
				wsup_config_add(config, texts[i].what, value);
	if (!strncmp("step=", arg, 5)) {
		stepwise = atoi(value) ? waiter_find("poll") : NULL;
		err = 0;
	}
	if (!strncmp("loop=", arg, 5)) {
		stepwise = waiter_find(value);
		err = stepwise ? 0 : -EINVAL;
	}
	if (!strncmp("over=", arg, 5)) {
		over = atoi(value);
		err = 0;
	}
	if (!strncmp("addresses=", arg, 10)) {
		inject_addresses(value);
		err = 0;
	}
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (strncmp(ways[i].name, arg, len) || ways[i].name[len])
			continue;
		*ways[i].value = atol(value);
		err = 0;
	}
	if (!strncmp("ask=", arg, 4)) {
		ask = value;
		err = wsup_config_set(config, WSUP_ASK, 1);
	}
	if (err < 0 && !careless) {
		printf("option %d\nreached %d\n", err,
		       fail && inject_reached());
		print_string("error", wsup_config_error(config));
		exit(0);
	}
}

/* What the request looks like, and the answer that the script asked for. */
static void decide(struct wsup_hs *hs)
{
	static const char page[] = "<p>page";
	int err = 0, file;

	printf("request %d %s %s\n", wsup_upgradable(hs), wsup_method(hs),
	       wsup_target(hs));
	if (!strncmp(ask, "status:", 7)) {
		err = wsup_respond(hs, atoi(ask + 7), page, sizeof(page) - 1);
	} else if (!strcmp(ask, "nofile")) {
		err = wsup_respond_file(hs, 199, dup(0), 5);
		file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
		if (!wsup_upgradable(hs))
			wsup_respond_file(hs, 200, file, 1000000);
		else
			close(file);
	} else if (!strncmp(ask, "header:", 7)) {
		err = wsup_add_header(hs, ask + 7);
	} else if (!strcmp(ask, "redirect")) {
		err = wsup_add_header(hs, "Location: ws://elsewhere/");
		if (!err)
			err = wsup_respond(hs, 302, NULL, 0);
	} else if (!strncmp(ask, "file:", 5) && !wsup_upgradable(hs)) {
		file = open(ask + 5, O_RDONLY | O_CLOEXEC);
		err = wsup_respond_file(hs, 200, file,
					(size_t)lseek(file, 0, SEEK_END));
		lseek(file, 0, SEEK_SET);
	} else if (!strcmp(ask, "file") && !wsup_upgradable(hs)) {
		file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		err = wsup_respond_file(hs, 200, file, 100000);
	} else if (!strcmp(ask, "bigfile") && !wsup_upgradable(hs)) {
		file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		err = wsup_respond_file(hs, 200, file, 16 << 20);
	} else if (!strcmp(ask, "page") && !wsup_upgradable(hs)) {
		err = wsup_add_header(hs, "Content-Type: text/html");
		if (!err)
			err = wsup_respond(hs, 200, page, sizeof(page) - 1);
	} else if (!strcmp(ask, "refuse")) {
		err = wsup_respond(hs, 403, "no", 2);
	} else if (!strncmp(ask, "select:", 7)) {
		err = wsup_select(hs, ask[7] ? ask + 7 : NULL);
		if (!err)
			err = wsup_add_header(hs, "X-Added: yes");
	}
	printf("decided %d\n", err);
}

static void wait_for(struct wsup_hs *hs)
{
	if (stepwise(wsup_fd(hs), wsup_events(hs), wsup_timeout(hs)) >= 0 ||
	    errno == EINTR)
		return;
	printf("unable %d\n", errno);
	exit(0);
}

static int step(struct wsup_hs *hs)
{
	long calls = inject_calls();
	int ret = wsup_step(hs);

	calls = inject_calls() - calls;
	if (calls > most)
		most = calls;
	return ret;
}

static int run_stepwise(struct wsup_hs *hs)
{
	int ret;

	if (eager)
		wait_for(hs);
	while ((ret = step(hs)) == WSUP_AGAIN) {
		printf("again\n");
		fflush(stdout);
		if (give_up && !--give_up)
			break;
		wait_for(hs);
	}
	return ret;
}

/* Tells of signals, and that it is about to wait for more. */
static int run_interrupted(struct wsup_hs *hs)
{
	int ret;

	do {
		printf("again\n");
		fflush(stdout);
		ret = wsup_run(hs);
		printf("interrupted %d\n", ret == -EINTR);
		fflush(stdout);
	} while (ret == -EINTR);
	return ret;
}

static int run(struct wsup_hs *hs)
{
	int ret, i;

	do {
		ret = stepwise ? run_stepwise(hs) :
			signals ? run_interrupted(hs) : wsup_run(hs);
		if (ret == WSUP_REQUEST)
			decide(hs);
	} while (ret == WSUP_REQUEST || ret == -EINTR);
	for (i = 0; i < 3 * repeat; i++)
		if (wsup_step(hs) != ret)
			printf("unable 0\n");
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

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A lookup that nobody waits for any more closes its own when it ends. */
static bool fds_left(int n)
{
	int tries;

	for (tries = 0; tries < 100000 && count_fds() > n; tries++)
		sched_yield();
	return count_fds() > n;
}

static void on_minute(int signal)
{
	(void)signal;
	inject_minute();
}

static void begin(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_minute };
	int i;

	sigaction(SIGUSR1, &action, NULL);
	for (i = 1; i < argc - 2; i++)
		if (!strncmp(argv[i], "fail=", 5))
			fail = atol(argv[i] + 5);
	if (fail)
		inject_begin(fail);
}

/* The calls that do all of it; what they leave is then as after run(). */
static int call_once(const char *verb, const char *arg,
		     const struct wsup_config *config, struct wsup_hs **hs)
{
	struct wsup_hs **to = call == 1 ? hs : NULL;
	int ret;

	*hs = NULL;
	if (!strcmp(verb, "accept")) {
		ret = wsup_accept(atoi(arg), config, to);
		return ret ? ret : WSUP_DONE;
	}
	ret = wsup_connect(arg, config, to);
	if (ret < 0)
		return ret;
	over = ret;
	return WSUP_DONE;
}

static void explain(int error)
{
	print_string("error", wsup_strerror(error));
	print_string("reason", wsup_attach_strerror(error));
}

static void shake_hands(const char *verb, const char *arg,
			const struct wsup_config *config)
{
	int fd = strcmp(verb, "accept") ? -1 : atoi(arg);
	struct wsup_hs *hs;
	int ret;

	if (call)
		ret = call_once(verb, arg, config, &hs);
	else
		ret = fd < 0 ? wsup_connect_new(&hs, arg, over, config)
			     : wsup_accept_new(&hs, fd, config);
	if (!call && !ret) {
		over = -1;
		if (flood)
			inject_flood();
		ret = run(hs);
	}
	printf("result %d\n", ret);
	if (hs)
		print_peer(hs);
	fflush(stdout);
	if (ret == WSUP_DONE) {
		if (fd < 0)
			fd = call ? over : wsup_take_fd(hs);
		over = -1;
		printf("nonblock %d\n", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
		print_rest(fd);
	}
	if (fd >= 0)
		close(fd);
	if (over >= 0)
		close(over);
	wsup_free(hs);
}

int main(int argc, char **argv)
{
	struct wsup_config *config;
	int i, fds = count_fds();

	if (argc == 3 && !strcmp(argv[1], "explain")) {
		explain(atoi(argv[2]));
		return 0;
	}
	begin(argc, argv);
	config = wsup_config_new();
	if (config)
		wsup_config_set(config, WSUP_ATTACH, 0);
	for (i = 1; config && i < argc - 2; i++)
		set_option(config, argv[i]);
	if (config) {
		fds -= over >= 0 || !strcmp(argv[argc - 2], "accept");
		shake_hands(argv[argc - 2], argv[argc - 1], config);
	}
	wsup_config_free(config);
	printf("reached %d\n", fail && inject_reached());
	printf("digests %ld\nmost %ld\n", inject_digests(), most);
	return fds_left(fds);
}
