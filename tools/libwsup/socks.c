// SPDX-License-Identifier: BSD-2-Clause
/*
 * SOCKS5, RFC 1928, with name and password, RFC 1929. Names are resolved by the
 * proxy: it may know what we do not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

enum {
	VERSION		= 5,
	NO_AUTH		= 0,
	PASSWORD	= 2,
	PASSWORD_VERSION = 1,
	CONNECT		= 1,
	IPV4		= 1,
	NAME		= 3,
	IPV6		= 4,
};

static int take_exactly(struct wsup_hs *hs, const char *data, size_t len,
			size_t *used)
{
	struct socks *socks = &hs->client.socks;
	size_t n = socks->need - socks->len;

	*used = len < n ? len : n;
	memcpy(socks->data + socks->len, data, *used);
	socks->len += *used;
	return socks->len == socks->need ? IO_COMPLETE : 0;
}

static void add_byte(struct buf *out, int byte)
{
	char c = (char)byte;

	buf_add(out, &c, 1);
}

static int next(struct wsup_hs *hs, enum socks_state state, size_t need)
{
	struct socks *socks = &hs->client.socks;

	socks->state = state;
	socks->need = need;
	socks->len = 0;
	return hs->out.error ? hs->out.error : STEP_MORE;
}

static int greet(struct wsup_hs *hs)
{
	bool password = hs->client.proxy.user;

	add_byte(&hs->out, VERSION);
	add_byte(&hs->out, 1 + password);
	add_byte(&hs->out, NO_AUTH);
	if (password)
		add_byte(&hs->out, PASSWORD);
	return next(hs, SOCKS_METHOD, 2);
}

static int add_string(struct buf *out, const char *s, size_t len)
{
	if (!len || len > 255)
		return -WSUP_EPROXY;
	add_byte(out, (int)len);
	return buf_add(out, s, len);
}

static int send_password(struct wsup_hs *hs)
{
	const char *user = hs->client.proxy.user;
	const char *colon = user + hs->client.proxy.name;

	add_byte(&hs->out, PASSWORD_VERSION);
	if (add_string(&hs->out, user, (size_t)(colon - user)) ||
	    add_string(&hs->out, colon + 1, strlen(colon + 1)))
		return client_fail(hs, -WSUP_EPROXY,
				   "name or password is empty or too long");
	return next(hs, SOCKS_PASSWORD, 2);
}

/* A zone would mean something else to the proxy. */
static int add_host(struct buf *out, const char *host)
{
	unsigned char address[16];
	char text[64];

	if (inet_pton(AF_INET, host, address) == 1) {
		add_byte(out, IPV4);
		return buf_add(out, address, 4);
	}
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(host, "%"), host);
	if (inet_pton(AF_INET6, text, address) == 1) {
		add_byte(out, IPV6);
		return buf_add(out, address, 16);
	}
	add_byte(out, NAME);
	return add_string(out, host, strlen(host));
}

/* The shortest answer has 5 bytes before its address's length is known. */
static int send_connect(struct wsup_hs *hs)
{
	const struct url *url = &hs->client.url;
	int port = atoi(url->port);

	add_byte(&hs->out, VERSION);
	add_byte(&hs->out, CONNECT);
	add_byte(&hs->out, 0);
	if (add_host(&hs->out, url->host))
		return client_fail(hs, -WSUP_EPROXY,
				   "the server's name is too long for SOCKS");
	add_byte(&hs->out, port >> 8);
	add_byte(&hs->out, port & 255);
	return next(hs, SOCKS_REPLY, 5);
}

static int on_method(struct wsup_hs *hs)
{
	const unsigned char *data = hs->client.socks.data;

	if (data[0] != VERSION)
		return client_fail(hs, -WSUP_EPROXY,
				   "this is not a SOCKS5 proxy");
	if (data[1] == NO_AUTH)
		return send_connect(hs);
	if (data[1] == PASSWORD && hs->client.proxy.user)
		return send_password(hs);
	return client_fail(hs, -WSUP_EAUTH,
			   "the proxy wants other credentials");
}

static int on_password(struct wsup_hs *hs)
{
	if (hs->client.socks.data[1])
		return client_fail(hs, -WSUP_EAUTH,
				   "the proxy refuses the credentials");
	return send_connect(hs);
}

static int explain(struct wsup_hs *hs, unsigned int code)
{
	static const char * const why[] = {
		[1] = "the proxy failed",
		[2] = "the proxy's rules do not allow it",
		[3] = "the proxy finds the network unreachable",
		[4] = "the proxy finds the host unreachable",
		[5] = "the proxy finds the connection refused",
		[6] = "the proxy found no way in time",
		[7] = "the proxy does not support CONNECT",
		[8] = "the proxy does not support this kind of address",
	};

	return client_fail(hs, -WSUP_EPROXY,
			   code < ARRAY_SIZE(why) ? why[code]
						  : "the proxy refuses");
}

/* First the part that tells how long the address is, then all of it. */
static int on_reply(struct wsup_hs *hs)
{
	struct socks *socks = &hs->client.socks;
	const unsigned char *data = socks->data;
	size_t need = 0;

	if (data[0] != VERSION)
		return client_fail(hs, -WSUP_EPROXY,
				   "this is not a SOCKS5 proxy");
	if (data[1])
		return explain(hs, data[1]);
	if (data[3] == IPV4)
		need = 4 + 4 + 2;
	else if (data[3] == IPV6)
		need = 4 + 16 + 2;
	else if (data[3] == NAME)
		need = 4 + 1 + data[4] + 2;
	if (!need)
		return client_fail(hs, -WSUP_EPROXY,
				   "this is not a SOCKS5 proxy");
	if (socks->len < need) {
		socks->need = need;
		return STEP_MORE;
	}
	return IO_COMPLETE;
}

static int on_message(struct wsup_hs *hs)
{
	switch (hs->client.socks.state) {
	case SOCKS_METHOD:
		return on_method(hs);
	case SOCKS_PASSWORD:
		return on_password(hs);
	case SOCKS_REPLY:
		return on_reply(hs);
	case SOCKS_GREET:
		break;
	}
	return greet(hs);
}

/**
 * socks_step() - go on with the negotiation
 * @hs: client's handshake, connected to the proxy; client->socks is zeroed at
 *	first
 *
 * Return: IO_COMPLETE the tunnel is there, STEP_MORE, WSUP_AGAIN, or an error
 * that was written down.
 */
int socks_step(struct wsup_hs *hs)
{
	int ret;

	if (hs->client.socks.state == SOCKS_GREET)
		return greet(hs);
	ret = io_write(hs);
	if (ret == IO_COMPLETE)
		ret = io_read(hs, take_exactly);
	if (ret == IO_COMPLETE)
		return on_message(hs);
	return ret < 0 ? client_fail(hs, ret, NULL) : ret;
}
