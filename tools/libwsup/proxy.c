// SPDX-License-Identifier: BSD-2-Clause
/* Which proxy leads to a server, and how HTTP's are asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/*
 * Never HTTP_PROXY: in a CGI program's environment that is the Proxy header of
 * whoever sent the request.
 */
static const char *from_environment(void)
{
	static const char * const names[] = {
		"ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY",
	};
	const char *value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		value = secure_getenv(names[i]);
		if (value && *value)
			return value;
	}
	return NULL;
}

static bool excluded(const struct url *url)
{
	const char *list = secure_getenv("no_proxy");

	if (!list)
		list = secure_getenv("NO_PROXY");
	return list && no_proxy_covers(list, url);
}

static const char *proxy_for(const struct wsup_hs *hs)
{
	const char *proxy = config_text(hs->config, WSUP_PROXY);

	if (proxy)
		return *proxy ? proxy : NULL;
	if (!hs->config->number[WSUP_PROXY_ENV] ||
	    excluded(&hs->client.url))
		return NULL;
	return from_environment();
}

/* In the environment a proxy may stand without its scheme. */
static int parse(struct url *url, const char *text)
{
	struct buf buf = {};
	int err;

	if (strstr(text, "://"))
		return url_parse(url, text);
	buf_printf(&buf, "http://%s", text);
	err = buf.error ? buf.error : url_parse(url, buf.data);
	buf_free(&buf);
	return err;
}

/* https:// has its place between connecting and proxy_request(). */
static const char *unknown(const char *scheme)
{
	if (!strcmp(scheme, "https"))
		return "https:// proxies are not supported yet";
	if (!strncmp(scheme, "socks4", 6))
		return "version 4 of SOCKS is not supported, socks5:// is";
	return "a proxy has to be http:// or socks5://";
}

/**
 * proxy_choose() - find the proxy that leads to the server
 * @hs: client's handshake
 *
 * Return: 0, with client->proxy.host NULL if there is none; -WSUP_EURL,
 * -EPROTONOSUPPORT or -ENOMEM.
 */
int proxy_choose(struct wsup_hs *hs)
{
	static const char * const known[] = {
		"http", "socks5", "socks5h", "socks",
	};
	struct url *proxy = &hs->client.proxy;
	const char *text = proxy_for(hs);
	const char *rest;
	int err, scheme;
	size_t i;

	url_free(proxy);
	if (!text)
		return 0;
	rest = url_public(text, &scheme);
	err = parse(proxy, text);
	if (err)
		return hs_fail(hs, err, "%.*s%s: %s", scheme, text, rest,
			       proxy->why ? proxy->why : wsup_strerror(err));
	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(proxy->scheme, known[i]))
			return 0;
	return hs_fail(hs, -EPROTONOSUPPORT, "%.*s%s: %s", scheme, text, rest,
		       unknown(proxy->scheme));
}

/**
 * proxy_authority() - "host:port" of the server, as CONNECT names it
 * @hs: client's handshake
 * @out: to append to
 *
 * RFC 9110 section 9.3.6: always with the port.
 *
 * Return: 0 or -ENOMEM.
 */
int proxy_authority(const struct wsup_hs *hs, struct buf *out)
{
	url_host(&hs->client.url, out);
	return buf_printf(out, ":%s", hs->client.url.port);
}

/**
 * proxy_request() - ask an HTTP proxy for a tunnel
 * @hs: client's handshake, connected to the proxy
 *
 * Return: 0 or -ENOMEM.
 */
int proxy_request(struct wsup_hs *hs)
{
	const struct texts *headers = &hs->config->text[WSUP_HEADER];
	const struct buf *answer = &hs->client.proxy_auth;
	struct buf *out = &hs->out;
	size_t i;

	buf_printf(out, "CONNECT ");
	proxy_authority(hs, out);
	buf_printf(out, " HTTP/1.1\r\nHost: ");
	proxy_authority(hs, out);
	buf_printf(out, "\r\n");
	if (answer->len)
		buf_printf(out, "Proxy-Authorization: %.*s\r\n",
			   (int)answer->len, answer->data);
	for (i = 0; i < headers->n && !answer->len; i++)
		if (header_is(headers->at[i], "Proxy-Authorization"))
			buf_printf(out, "%s\r\n", headers->at[i]);
	return buf_printf(out, "\r\n");
}
