// SPDX-License-Identifier: GPL-2.0
/* Messages, arguments, addresses. */
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/ws.h>

#include "text.h"
#include "wsup.h"

/*
 * Parts of a message may be a peer's words: nothing in it acts on a terminal,
 * and it is one line.
 */
static void message(const char *fmt, va_list args)
{
	char text[1024], shown[4 * sizeof(text)];

	/* in one piece, whoever else writes to the same place */
	vsnprintf(text, sizeof(text), fmt, args);
	printable(shown, sizeof(shown), text, strlen(text), "\t");
	fprintf(stderr, "wsup: %s: %s\n", command_name, shown);
}

/**
 * complain() - write a message to stderr
 * @fmt: as for printf(), without a newline
 */
void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
}

/**
 * die() - write a message to stderr and exit with 1
 * @fmt: as for printf(), without a newline
 */
void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
	exit(EXIT_FAILURE);
}

/**
 * die_usage() - write a message to stderr and exit with 2
 * @fmt: as for printf(), without a newline
 */
void die_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
	fprintf(stderr, "'wsup %s --help' tells more\n", command_name);
	exit(EXIT_USAGE);
}

/**
 * parse_number() - value of an option, or exit
 * @option: its name, for the message
 * @text: its value
 * @min: smallest value allowed
 * @max: largest value allowed
 *
 * Return: the value.
 */
long parse_number(const char *option, const char *text, long min, long max)
{
	long value;
	char *end;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		die_usage("%s: not a number from %ld to %ld: %s", option, min,
			  max, text);
	return value;
}

static const struct {
	const char	*name;
	long		ms;
} units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "min", 60000 },
	{ "s", 1000 }, { "ms", 1 },
};

/* Milliseconds in an unit, 0 if it is none. */
static long unit_ms(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(name, units[i].name))
			return units[i].ms;
	return 0;
}

/* A time in the largest unit that it is a multiple of. */
static const char *print_time(char *text, size_t size, long ms)
{
	size_t i;

	for (i = 0; ms % units[i].ms; i++)
		;
	snprintf(text, size, "%ld%s", ms / units[i].ms,
		 ms ? units[i].name : "");
	return text;
}

/**
 * parse_time() - value of an option that is a time, or exit
 * @option: its name, for the message
 * @text: its value, a number and a unit: 1.5s
 * @unit: the unit in ms of a number without one
 * @min: smallest value allowed, in ms
 * @max: largest value allowed, in ms
 *
 * Return: the value in ms.
 */
long parse_time(const char *option, const char *text, long unit, long min,
		long max)
{
	size_t digits = strspn(text, "0123456789.");
	double value = -1;
	char a[24], b[24];
	char *end = "";

	if (digits && digits < 20)
		value = strtod(text, &end);
	if (value >= 0 && *end)
		unit = unit_ms(end);
	value = unit ? value * unit + 0.5 : -1;
	if (value < min || value >= max + 1.0)
		die_usage("%s: not a time from %s to %s, as 500ms or 10s: %s",
			  option, print_time(a, sizeof(a), min),
			  print_time(b, sizeof(b), max), text);
	return (long)value;
}

/**
 * warn_foreign() - tell that an option does nothing
 * @given: was it given?
 * @option: its name
 * @where: where it would, or would not
 */
void warn_foreign(bool given, const char *option, const char *where)
{
	if (given)
		complain("%s does nothing %s", option, where);
}

/**
 * add_text() - wsup_config_add(), or exit
 * @config: to add to
 * @what: which text
 * @option: name of the option, for the message
 * @value: its value
 */
void add_text(struct wsup_config *config, enum wsup_text what,
	      const char *option, const char *value)
{
	int err = wsup_config_add(config, what, value);

	if (err == -EINVAL && what == WSUP_USER)
		die_usage("%s: not NAME:PASSWORD", option);
	if (err == -EINVAL && what == WSUP_HEADER)
		die_usage("%s: not 'NAME: VALUE', or one that is sent anyway",
			  option);
	if (err == -EINVAL)
		die_usage("%s: not acceptable: %s", option, value);
	if (err)
		die("%s", wsup_strerror(err));
}

/**
 * new_config() - wsup_config_new(), or exit
 *
 * Return: the configuration.
 */
struct wsup_config *new_config(void)
{
	struct wsup_config *config = wsup_config_new();

	if (!config)
		die("%s", wsup_strerror(-ENOMEM));
	return config;
}

/**
 * now_ms() - the time
 *
 * Return: milliseconds of CLOCK_MONOTONIC.
 */
long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/**
 * set_int() - set an option of level SOL_WS, or exit
 * @fd: attached socket
 * @option: which
 * @value: its value
 */
void set_int(int fd, int option, int value)
{
	if (setsockopt(fd, SOL_WS, option, &value, sizeof(value)))
		die("cannot set option %d: %s", option, strerror(errno));
}

/**
 * parse_address() - address to listen at, or exit
 * @text: [ADDRESS:]PORT; an IPv6 address in brackets; loopback by default, and
 *	with nothing before the colon all addresses
 *
 * Return: the first address, to be freed with freeaddrinfo().
 */
struct addrinfo *parse_address(const char *text)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	char host[256] = "127.0.0.1";
	const char *colon = strrchr(text, ':');
	struct addrinfo *list;
	size_t len, skip = 0;
	int err;

	if (colon) {
		len = (size_t)(colon - text);
		if (len >= 2 && *text == '[' && colon[-1] == ']') {
			skip = 1;
			len -= 2;
		}
		if (len >= sizeof(host) || (skip && !len))
			die_usage("not ADDRESS:PORT: %s", text);
		memcpy(host, text + skip, len);
		host[len] = '\0';
	}
	parse_number("PORT", colon ? colon + 1 : text, 0, 65535);
	err = getaddrinfo(*host ? host : NULL, colon ? colon + 1 : text,
			  &hints, &list);
	if (err)
		die("%s: %s", text, gai_strerror(err));
	return list;
}

/**
 * print_address() - the local address of a socket
 * @fd: bound socket
 * @text: receives ADDRESS:PORT
 * @size: of @text
 */
void print_address(int fd, char *text, size_t size)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&addr, &len) ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		die("cannot tell the address");
	snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		 port);
}
