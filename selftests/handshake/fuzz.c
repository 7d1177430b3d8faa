// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer targets for what peers may send during a handshake: with
 * -DTARGET=REQUEST what clients send to a server, RESPONSE and PROXY what
 * servers and proxies send to a client.
 *
 * Each input is run three times: in one piece, byte by byte, and cut
 * at random. All must come to the same end, with the same words, and leave the
 * same bytes to whoever reads after it. The first byte of an input switches
 * parts of the configuration on, the second tells how it is cut.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "fuzz.h"

ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags);

#define INPUT_MAX	8192

enum { REQUEST, RESPONSE, PROXY };

enum {
	USERS		= 1,
	PATHS		= 2,
	PROTOCOLS	= 4,
	SMALL		= 8,
	ASK		= 16,
	REDIRECTS	= 32,
	SOCKS		= 64,
	HOSTS		= 128,
};

/* What becomes of an input; of all words one sum. */
struct outcome {
	int	result;
	int	status;
	size_t	body;
	size_t	left;		/* bytes behind the handshake */
	uint64_t words;
};

/*
 * An input cannot know what is random: it is the same each time. So each '$' of
 * an input stands for the right Sec-WebSocket-Accept.
 */
ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags)
{
	(void)flags;
	memset(data, 0x5a, len);
	return (ssize_t)len;
}

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
	if (flags & HOSTS)
		wsup_config_add(config, WSUP_HOST, "example.org");
	if (flags & ASK)
		wsup_config_set(config, WSUP_ASK, 1);
	if (flags & REDIRECTS)
		wsup_config_set(config, WSUP_REDIRECTS_MAX, 3);
	return config;
}

/* Takes what the library sent, and forgets it. */
static void drain(int fd)
{
	char data[65536];

	while (recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

enum { WHOLE, BYTES, RANDOM };

static size_t piece(int cut, unsigned int *seed, size_t left)
{
	size_t n;

	if (cut == WHOLE)
		return left;
	if (cut == BYTES)
		return 1;
	*seed = *seed * 1664525 + 1013904223;
	n = 1 + (*seed >> 28) * (*seed >> 24 & 1 ? 9 : 1);
	return n < left ? n : left;
}

/* An application that has a page for all that is no upgrade. */
static int step(struct wsup_hs *hs)
{
	int ret;

	while ((ret = wsup_step(hs)) == WSUP_REQUEST)
		if (!wsup_upgradable(hs))
			CHECK(!wsup_respond(hs, 200, "page", 4));
	return ret;
}

static int feed(struct wsup_hs *hs, int peer, const char *data, size_t len,
		int cut, unsigned int seed)
{
	int ret = step(hs);
	size_t n;

	while (len && ret == WSUP_AGAIN) {
		drain(peer);
		n = piece(cut, &seed, len);
		CHECK(write(peer, data, n) == (ssize_t)n);
		ret = step(hs);
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
		ret = step(hs);
	}
	return ret;
}

static void add(struct outcome *out, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		out->words = (out->words ^ *p++) * 0x100000001b3;
	out->words = (out->words ^ 0x100) * 0x100000001b3;
}

static void add_string(struct outcome *out, const char *s)
{
	if (s)
		add(out, s, strlen(s));
	else
		add(out, "", 1);
}

static void look(struct wsup_hs *hs, int ret, struct outcome *out)
{
	const char *name, *value;
	const void *body;
	size_t i;

	memset(out, 0, sizeof(*out));
	out->result = ret;
	out->status = wsup_status(hs);
	CHECK(ret == WSUP_DONE || (ret < 0 && *wsup_error(hs)));
	CHECK(wsup_step(hs) == ret);
	for (i = 0; wsup_field(hs, i, &name, &value); i++) {
		CHECK(*name && !strpbrk(value, "\r\n"));
		add_string(out, name);
		add_string(out, value);
	}
	body = wsup_body(hs, &out->body);
	CHECK(out->body <= 16384 && (!out->body || body));
	add(out, body, out->body);
	add_string(out, wsup_method(hs));
	add_string(out, wsup_target(hs));
	add_string(out, wsup_reason(hs));
	add_string(out, wsup_subprotocol(hs));
	add_string(out, wsup_user(hs));
	add_string(out, wsup_error(hs));
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

struct input {
	const char	*data;
	size_t		len;
	unsigned int	flags;
	unsigned int	seed;
};

static void run_server(const struct wsup_config *config, const struct input *in,
		       int cut, struct outcome *out)
{
	struct wsup_hs *hs;
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK(!wsup_accept_new(&hs, pair[0], config));
	look(hs, feed(hs, pair[1], in->data, in->len, cut, in->seed), out);
	check_rest(pair[0], in->data, in->len, out);
	wsup_free(hs);
	close(pair[0]);
	close(pair[1]);
}

static size_t expand(const struct input *in, char *to)
{
	char accept[ACCEPT_LEN + 1], key[KEY_LEN + 1];
	size_t i, n = 0;

	CHECK(!key_make(key) && !key_accept(key, accept));
	for (i = 0; i < in->len && n + ACCEPT_LEN <= INPUT_MAX; i++) {
		if (in->data[i] == '$') {
			memcpy(to + n, accept, ACCEPT_LEN);
			n += ACCEPT_LEN;
		} else {
			to[n++] = in->data[i];
		}
	}
	return n;
}

/* A handshake of a client that has just reached its proxy. */
static void at_proxy(struct wsup_hs *hs, unsigned int flags)
{
	struct client *client = &hs->client;

	CHECK(!url_parse(&client->proxy, flags & SOCKS ? "socks5://me:pw@p/" :
							 "http://me:pw@p/"));
	client->tunnel = true;
	client->state = flags & SOCKS ? CLIENT_SOCKS : CLIENT_TUNNEL;
}

static void run_client(const struct wsup_config *config, const struct input *in,
		       int cut, struct outcome *out)
{
	char text[INPUT_MAX];
	struct wsup_hs *hs;
	int pair[2], fd;
	size_t len;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK(!wsup_connect_new(&hs, "ws://host/a/b?c", pair[0], config));
	if (TARGET == PROXY)
		at_proxy(hs, in->flags);
	len = expand(in, text);
	look(hs, feed(hs, pair[1], text, len, cut, in->seed), out);
	fd = wsup_take_fd(hs);
	CHECK((fd >= 0) == (out->result == WSUP_DONE));
	check_rest(fd, text, len, out);
	if (fd >= 0)
		close(fd);
	wsup_free(hs);
	close(pair[1]);
}

static void run_all(const struct input *in)
{
	struct wsup_config *config = configure(in->flags);
	struct outcome out[RANDOM + 1];
	int cut;

	for (cut = WHOLE; cut <= RANDOM; cut++)
		if (TARGET == REQUEST)
			run_server(config, in, cut, &out[cut]);
		else
			run_client(config, in, cut, &out[cut]);
	for (cut = BYTES; cut <= RANDOM; cut++) {
		CHECK(out[cut].result == out[WHOLE].result);
		CHECK(out[cut].status == out[WHOLE].status);
		CHECK(out[cut].body == out[WHOLE].body);
		CHECK(out[cut].left == out[WHOLE].left);
		CHECK(out[cut].words == out[WHOLE].words);
	}
	wsup_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = {
		.data = (const char *)data + 2,
		.len = n - 2,
	};

	if (n < 2 || n > INPUT_MAX)
		return 0;
	in.flags = data[0];
	in.seed = data[1];
	run_all(&in);
	return 0;
}
