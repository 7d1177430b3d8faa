// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target for what peers may send during a handshake. Each input is
 * run twice, in one piece and in many: both must come to the same end, and
 * leave the same bytes to whoever reads after it.
 *
 * The first byte tells what the rest is, the second how it is cut.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,	\
			__LINE__, #cond);				\
		abort();						\
	}								\
} while (0)

#define INPUT_MAX	8192

enum { USERS = 1, PATHS = 2, PROTOCOLS = 4, SMALL = 8 };

struct outcome {
	int	result;
	int	status;
	char	subprotocol[64];
	size_t	fields;
	size_t	left;		/* bytes behind the handshake */
};

static struct wsup_config *configure(unsigned int flags)
{
	struct wsup_config *config = wsup_config_new();

	wsup_config_set(config, WSUP_ATTACH, 0);
	wsup_config_set(config, WSUP_TIMEOUT, 600000);
	if (flags & USERS)
		wsup_config_add(config, WSUP_USER, "Aladdin:open sesame");
	if (flags & PATHS)
		wsup_config_add(config, WSUP_PATH, "/chat");
	if (flags & PROTOCOLS) {
		wsup_config_add(config, WSUP_SUBPROTOCOL, "chat");
		wsup_config_add(config, WSUP_SUBPROTOCOL, "superchat");
	}
	if (flags & SMALL) {
		wsup_config_set(config, WSUP_HEAD_MAX, 300);
		wsup_config_set(config, WSUP_FIELDS_MAX, 8);
		wsup_config_set(config, WSUP_BODY_MAX, 5);
	}
	return config;
}

/* Takes what the library sent, and forgets it. */
static void drain(int fd)
{
	char data[65536];

	while (recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

/* Seed 0: all at once. */
static size_t piece(unsigned int *seed, size_t left)
{
	size_t n;

	if (!*seed)
		return left;
	*seed = *seed * 1664525 + 1013904223;
	n = 1 + (*seed >> 28) * (*seed >> 24 & 1 ? 9 : 1);
	return n < left ? n : left;
}

static int feed(struct wsup_hs *hs, int peer, const char *data, size_t len,
		unsigned int seed)
{
	int ret = wsup_step(hs);
	size_t n;

	while (len && ret == WSUP_AGAIN) {
		drain(peer);
		n = piece(&seed, len);
		CHECK(write(peer, data, n) == (ssize_t)n);
		ret = wsup_step(hs);
		data += n;
		len -= n;
	}
	/* what was not wanted any more is behind the handshake as well */
	if (len)
		CHECK(send(peer, data, len, MSG_NOSIGNAL) == (ssize_t)len ||
		      errno == EPIPE);
	shutdown(peer, SHUT_WR);
	while (ret == WSUP_AGAIN) {
		drain(peer);
		ret = wsup_step(hs);
	}
	return ret;
}

static void look(struct wsup_hs *hs, int ret, struct outcome *out)
{
	const char *name, *value;
	const void *body;
	size_t i, len;

	memset(out, 0, sizeof(*out));
	out->result = ret;
	out->status = wsup_status(hs);
	CHECK(ret == WSUP_DONE || *wsup_error(hs));
	for (i = 0; wsup_field(hs, i, &name, &value); i++)
		out->fields += 1 + strlen(name) + strlen(value);
	body = wsup_body(hs, &len);
	CHECK(len <= 16384 && (!len || body));
	if (wsup_subprotocol(hs))
		snprintf(out->subprotocol, sizeof(out->subprotocol), "%s",
			 wsup_subprotocol(hs));
}

/* The bytes that are left have to be the last ones of the input. */
static void check_rest(int fd, const char *data, size_t len,
		       struct outcome *out)
{
	char rest[INPUT_MAX + 1];
	ssize_t n;

	if (out->result != WSUP_DONE)
		return;
	while ((n = read(fd, rest + out->left, sizeof(rest) - out->left)) > 0)
		out->left += (size_t)n;
	CHECK(out->left <= len);
	CHECK(!memcmp(rest, data + len - out->left, out->left));
}

static void run_server(const struct wsup_config *config, const char *data,
		       size_t len, unsigned int seed, struct outcome *out)
{
	struct wsup_hs *hs;
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK(!wsup_accept_new(&hs, pair[0], config));
	look(hs, feed(hs, pair[1], data, len, seed), out);
	check_rest(pair[0], data, len, out);
	wsup_free(hs);
	close(pair[0]);
	close(pair[1]);
}

/*
 * An input cannot know the key, and both runs have to have the same: it is
 * replaced, and each '$' of the input becomes the right answer.
 */
static size_t expand(struct wsup_hs *hs, const char *data, size_t len,
		     char *to)
{
	char accept[ACCEPT_LEN + 1];
	size_t i, n = 0;

	strcpy(hs->client.key, "dGhlIHNhbXBsZSBub25jZQ==");
	CHECK(!key_accept(hs->client.key, accept));
	for (i = 0; i < len && n + ACCEPT_LEN <= INPUT_MAX; i++) {
		if (data[i] == '$') {
			memcpy(to + n, accept, ACCEPT_LEN);
			n += ACCEPT_LEN;
		} else {
			to[n++] = data[i];
		}
	}
	return n;
}

static void run_client(const struct wsup_config *config, const char *data,
		       size_t len, unsigned int seed, struct outcome *out)
{
	char text[INPUT_MAX];
	struct wsup_hs *hs;
	int pair[2], fd;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK(!wsup_connect_new(&hs, "ws://host/", pair[0], config));
	CHECK(wsup_step(hs) == WSUP_AGAIN);
	len = expand(hs, data, len, text);
	look(hs, feed(hs, pair[1], text, len, seed), out);
	fd = wsup_take_fd(hs);
	CHECK((fd >= 0) == (out->result == WSUP_DONE));
	check_rest(fd, text, len, out);
	if (fd >= 0)
		close(fd);
	wsup_free(hs);
	close(pair[1]);
}

typedef void (*runner)(const struct wsup_config *config, const char *data,
		       size_t len, unsigned int seed, struct outcome *out);

static void compare(runner run, unsigned int flags, const char *data,
		    size_t len, unsigned int seed)
{
	struct wsup_config *config = configure(flags);
	struct outcome whole, cut;

	run(config, data, len, 0, &whole);
	run(config, data, len, seed, &cut);
	CHECK(whole.result == cut.result);
	CHECK(whole.status == cut.status);
	CHECK(whole.left == cut.left);
	CHECK(whole.fields == cut.fields);
	CHECK(!strcmp(whole.subprotocol, cut.subprotocol));
	wsup_config_free(config);
}

/* Two texts, as URL, Location, origin and host */
static void run_urls(const char *data, size_t len)
{
	char *text = strndup(data, len);
	struct url a = {}, b = {};
	char *second = strchr(text, '\n');

	if (second)
		*second++ = '\0';
	else
		second = text + strlen(text);
	url_same(text, second);
	if (!url_parse(&a, text)) {
		CHECK(*a.host && *a.port && *a.path == '/');
		if (!redirect_resolve(&a, second, &b))
			CHECK(*b.host && *b.path == '/');
	}
	url_free(&a);
	url_free(&b);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data + 2;

	if (n < 2 || n > INPUT_MAX)
		return 0;
	switch (data[0] >> 4) {
	case 0:
		compare(run_server, data[0], text, n - 2, data[1] + 1);
		break;
	case 1:
		compare(run_client, data[0], text, n - 2, data[1] + 1);
		break;
	case 2:
		run_urls(text, n - 2);
		break;
	}
	return 0;
}
