// SPDX-License-Identifier: BSD-2-Clause
/* What a handshake is to be like. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "internal.h"

#define DEFAULTS {							\
	[WSUP_TIMEOUT]		= 10000,				\
	[WSUP_HEAD_MAX]		= 16384,				\
	[WSUP_FIELDS_MAX]	= 100,					\
	[WSUP_BODY_MAX]		= 16384,				\
	[WSUP_REQUESTS_MAX]	= 100,					\
	[WSUP_ATTACH]		= 1,					\
	[WSUP_AUTH]		= WSUP_AUTH_BASIC | WSUP_AUTH_DIGEST,	\
}

const struct wsup_config wsup_default_config = { .number = DEFAULTS };

static const struct {
	long	min;
	long	max;
} ranges[NUMBERS] = {
	[WSUP_TIMEOUT]		= { 1, 3600000 },
	[WSUP_HEAD_MAX]		= { 256, 1 << 20 },
	[WSUP_FIELDS_MAX]	= { 8, 10000 },
	[WSUP_BODY_MAX]		= { 0, 1 << 20 },
	[WSUP_REQUESTS_MAX]	= { 1, 1000000 },
	[WSUP_REDIRECTS_MAX]	= { 0, 20 },
	[WSUP_ATTACH]		= { 0, 1 },
	[WSUP_ASK]		= { 0, 1 },
	[WSUP_NONBLOCK]		= { 0, 1 },
	[WSUP_PROXY_ENV]	= { 0, 1 },
	[WSUP_AUTH]		= { 1, WSUP_AUTH_BASIC | WSUP_AUTH_DIGEST },
	[WSUP_USERS_ONLY]	= { 0, 1 },
};

struct wsup_config *wsup_config_new(void)
{
	struct wsup_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	memcpy(config->number, wsup_default_config.number,
	       sizeof(config->number));
	if (getrandom(config->secret, SECRET_LEN, 0) != SECRET_LEN) {
		free(config);
		return NULL;
	}
	return config;
}

void wsup_config_free(struct wsup_config *config)
{
	size_t i;

	if (!config)
		return;
	for (i = 0; i < TEXTS; i++)
		texts_free(&config->text[i]);
	nonces_free(config->nonces);
	free(config);
}

__printf(2, 3)
static int refuse(struct wsup_config *config, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(config->error, sizeof(config->error), fmt, args);
	va_end(args);
	return -EINVAL;
}

int wsup_config_set(struct wsup_config *config, enum wsup_number what,
		    long value)
{
	if (what < WSUP_TIMEOUT || what >= NUMBERS)
		return refuse(config, "there is no such number");
	if (value < ranges[what].min || value > ranges[what].max)
		return refuse(config, "has to be from %ld to %ld",
			      ranges[what].min, ranges[what].max);
	config->number[what] = value;
	return 0;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if (is_control(*s) && *s != '\t')
			return true;
	return false;
}

/**
 * header_valid() - may a caller have this header sent?
 * @header: "Name: value"
 *
 * Nothing that would start another line, and nothing that the handshake itself
 * is made of.
 *
 * Return: true or false.
 */
bool header_valid(const char *header)
{
	static const char * const ours[] = {
		"Connection", "Upgrade", "Content-Length", "Transfer-Encoding",
		"Sec-WebSocket-Key", "Sec-WebSocket-Accept",
		"Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
		"Sec-WebSocket-Extensions",
	};
	const char *colon = strchr(header, ':');
	size_t i, len;

	if (!colon || has_control(header))
		return false;
	len = (size_t)(colon - header);
	for (i = 0; i < ARRAY_SIZE(ours); i++)
		if (strlen(ours[i]) == len &&
		    ascii_same_n(ours[i], header, len))
			return false;
	return is_token(header, len);
}

/**
 * header_is() - does a line have this name?
 * @line: "Name: value"
 * @name: in upper or lower case
 *
 * Return: true or false.
 */
bool header_is(const char *line, const char *name)
{
	size_t len = strlen(name);

	return ascii_same_n(line, name, len) && line[len] == ':';
}

/* What a text has to be like. */
static const char *text_form(enum wsup_text what)
{
	static const char * const forms[TEXTS] = {
		[WSUP_HEADER] = "has to be 'Name: value', and none that "
				"belongs to the handshake",
		[WSUP_SUBPROTOCOL] = "has to be a token: letters, digits and "
				     "!#$%&'*+-.^_`|~",
		[WSUP_PATH] = "has to begin with a slash and to have no query; "
			      "what is no ASCII letter may have to be %20 and "
			      "so on",
		[WSUP_USER] = "has to be NAME:PASSWORD",
		[WSUP_REALM] = "must not have quotes or backslashes in it",
		[WSUP_HOST] = "has to be a name without a port, or *",
	};

	return forms[what] ? forms[what]
			   : "must not have control characters in it";
}

static bool text_valid(enum wsup_text what, const char *value)
{
	if (what != WSUP_HEADER && has_control(value))
		return false;
	switch (what) {
	case WSUP_HEADER:
		return header_valid(value);
	case WSUP_SUBPROTOCOL:
		return is_token(value, strlen(value));
	case WSUP_PATH:
		return *value == '/' && !strchr(value, '?') &&
		       !value[uri_span(value)];
	case WSUP_USER:
		return strchr(value, ':');
	case WSUP_REALM:
		return !strpbrk(value, "\"\\");
	case WSUP_HOST:
		return !strcmp(value, "*") || host_valid(value);
	case WSUP_ALLOW_ORIGIN:
	case WSUP_ORIGIN:
	case WSUP_PROXY:
		return true;
	}
	return false;
}

/* RFC 9110: of these a request has one. */
static bool is_second(const struct texts *headers, const char *header)
{
	static const char * const single[] = {
		"Host", "Origin", "Authorization", "Proxy-Authorization",
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(single); i++)
		for (j = 0; j < headers->n; j++)
			if (header_is(header, single[i]) &&
			    header_is(headers->at[j], single[i]))
				return true;
	return false;
}

static bool texts_have(const struct texts *texts, const char *value)
{
	size_t i;

	for (i = 0; i < texts->n; i++)
		if (!strcmp(texts->at[i], value))
			return true;
	return false;
}

static int check_text(struct wsup_config *config, enum wsup_text what,
		      const char *value)
{
	const char *why;
	int err = 0;

	if (!text_valid(what, value))
		return refuse(config, "%s", text_form(what));
	if (what == WSUP_ALLOW_ORIGIN && strcmp(value, "*"))
		err = origin_check(value, &why);
	if (err)
		return err == -EINVAL ? refuse(config, "%s", why) : err;
	/* RFC 6455 section 4.1, 10: no subprotocol is offered twice */
	if (what == WSUP_SUBPROTOCOL && texts_have(&config->text[what], value))
		return refuse(config, "is there already");
	if (what == WSUP_HEADER && is_second(&config->text[what], value))
		return refuse(config, "is there already, with another value");
	return 0;
}

int wsup_config_add(struct wsup_config *config, enum wsup_text what,
		    const char *value)
{
	int err;

	if (what < WSUP_HEADER || what >= TEXTS)
		return refuse(config, "there is no such text");
	config->tried[what] = true;
	err = check_text(config, what, value);
	if (err)
		return err;
	if (what == WSUP_USER && !config->nonces) {
		config->nonces = nonces_new();
		if (!config->nonces)
			return -ENOMEM;
	}
	return texts_add(&config->text[what], value);
}

/* Without the line's end; not what is empty or begins with a '#'. */
static int add_line(struct wsup_config *config, enum wsup_text what, char *line)
{
	int err;

	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return 0;
	err = wsup_config_add(config, what, line);
	return err ? err : 1;
}

/* How many were added, or -errno */
static int add_lines(struct wsup_config *config, enum wsup_text what,
		     FILE *file)
{
	int ret = 0, n = 0, number = 0;
	char why[sizeof(config->error)];
	size_t size = 0;
	char *line = NULL;

	while (ret >= 0 && getline(&line, &size, file) >= 0) {
		ret = add_line(config, what, line);
		n += ret > 0;
		number++;
	}
	if (line)
		explicit_bzero(line, size);
	free(line);
	if (ret == -EINVAL) {
		strcpy(why, config->error);
		return refuse(config, "line %d %.120s", number, why);
	}
	if (ret >= 0 && ferror(file))
		ret = -errno;
	return ret < 0 ? ret : n;
}

int wsup_config_read(struct wsup_config *config, enum wsup_text what,
		     const char *path)
{
	FILE *file;
	int ret;

	if (what < WSUP_HEADER || what >= TEXTS)
		return refuse(config, "there is no such text");
	/* whatever comes of it, there is to be a restriction */
	config->tried[what] = true;
	file = fopen(path, "re");
	ret = file ? add_lines(config, what, file) : -errno;
	if (file)
		fclose(file);
	if (!ret) {
		refuse(config, "has no line that says anything");
		return -ENODATA;
	}
	if (ret < 0 && ret != -EINVAL)
		refuse(config, "%s", wsup_strerror(ret));
	return ret;
}

const char *wsup_config_error(const struct wsup_config *config)
{
	return config->error;
}

/**
 * config_text() - a text of which there is one
 * @config: configuration
 * @what: which
 *
 * Return: what was added last, or NULL.
 */
const char *config_text(const struct wsup_config *config, enum wsup_text what)
{
	const struct texts *texts = &config->text[what];

	return texts->n ? texts->at[texts->n - 1] : NULL;
}
