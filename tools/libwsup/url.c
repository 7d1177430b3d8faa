// SPDX-License-Identifier: BSD-2-Clause
/* URLs of servers and proxies, and origins (RFC 3986, RFC 6454). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *default_port(const char *scheme, size_t len)
{
	static const struct {
		const char *scheme;
		const char *port;
	} known[] = {
		{ "ws", "80" }, { "wss", "443" },
		{ "http", "80" }, { "https", "443" },
		{ "socks5", "1080" }, { "socks5h", "1080" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].scheme) == len &&
		    ascii_same_n(known[i].scheme, scheme, len))
			return known[i].port;
	return NULL;
}

static bool port_valid(const char *port, size_t len)
{
	unsigned long value = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (!is_digit(port[i]))
			return false;
		value = 10 * value + (unsigned long)(port[i] - '0');
		if (value > 65535)
			return false;
	}
	return value > 0;
}

/* "user:password" out of "us%65r:pa%3Ass"; a missing password is empty. */
static int decode_user(struct url *url, const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	struct buf buf = {};
	size_t i;
	char c;

	for (i = 0; i < len; i++) {
		c = s[i];
		if (c == '%') {
			if (len - i < 3 || hex_pair(s + i + 1) < 0)
				goto bad;
			c = (char)hex_pair(s + i + 1);
			i += 2;
		}
		if (is_control(c))
			goto bad;
		if (s + i == colon)
			url->name = buf.len;
		buf_add(&buf, &c, 1);
	}
	if (!colon)
		url->name = buf.len;
	if (!colon)
		buf_add(&buf, ":", 1);
	buf_add(&buf, "", 1);
	url->user = buf.data;
	return buf.error;
bad:
	buf_free(&buf);
	return -WSUP_EURL;
}

static int copy(char **to, const char *s, size_t len)
{
	free(*to);
	*to = strndup(s, len);
	return *to ? 0 : -ENOMEM;
}

static int parse_port(struct url *url, const char *s, size_t len)
{
	const char *standard = default_port(url->scheme, strlen(url->scheme));

	if (len && *s != ':')
		return -WSUP_EURL;
	if (len <= 1) {
		url->default_port = true;
		return copy(&url->port, standard, strlen(standard));
	}
	if (!port_valid(s + 1, len - 1))
		return -WSUP_EURL;
	url->default_port = len - 1 == strlen(standard) &&
			    !memcmp(standard, s + 1, len - 1);
	return copy(&url->port, s + 1, len - 1);
}

/**
 * host_span() - how much of a text may stand for a host
 * @s: text
 * @literal: an IPv6 address, as in brackets, and not a name
 *
 * Return: number of characters.
 */
size_t host_span(const char *s, bool literal)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_~";
	static const char address[] = "0123456789abcdef:.";
	const char *chars = literal ? address : name;
	size_t n = 0;

	while (s[n] && strchr(chars, ascii_lower(s[n])))
		n++;
	return n;
}

/* host:port or [address]:port */
static int parse_host(struct url *url, const char *s, size_t len)
{
	bool literal = len && *s == '[';
	size_t n;
	int err;

	s += literal;
	len -= literal;
	n = host_span(s, literal);
	if (n > len)
		n = len;
	if (!n || (literal && (n == len || s[n] != ']')))
		return -WSUP_EURL;
	err = copy(&url->host, s, n);
	if (err)
		return err;
	n += literal;
	return parse_port(url, s + n, len - n);
}

static int parse_authority(struct url *url, const char *s, size_t len)
{
	const char *at = memrchr(s, '@', len);
	int err;

	if (at) {
		err = decode_user(url, s, (size_t)(at - s));
		if (err)
			return err;
		len -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	return parse_host(url, s, len);
}

/* RFC 6455 section 3: a resource name has no fragment. */
static bool chars_valid(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || *s == '#')
			return false;
	return true;
}

static int parse_path(struct url *url, const char *path)
{
	struct buf buf = {};

	buf_printf(&buf, "%s%s", *path == '/' ? "" : "/", path);
	url->path = buf.data;
	return buf.error;
}

/**
 * url_parse() - take a URL apart
 * @url: zeroed; to be freed with url_free() also after an error
 * @text: the URL
 *
 * Return: 0, -ENOMEM, -WSUP_EURL.
 */
int url_parse(struct url *url, const char *text)
{
	const char *sep = strstr(text, "://");
	const char *host, *path;
	char *p;
	int err;

	if (!sep || !chars_valid(text) ||
	    !default_port(text, (size_t)(sep - text)))
		return -WSUP_EURL;
	err = copy(&url->scheme, text, (size_t)(sep - text));
	if (err)
		return err;
	for (p = url->scheme; *p; p++)
		*p = ascii_lower(*p);
	host = sep + 3;
	path = host + strcspn(host, "/?");
	err = parse_authority(url, host, (size_t)(path - host));
	return err ? err : parse_path(url, path);
}

/**
 * url_public() - where a URL goes on behind its credentials
 * @text: the URL, well-formed or not
 * @scheme: receives how long the scheme is that stands before them
 *
 * For sentences: others may read those.
 *
 * Return: a part of @text.
 */
const char *url_public(const char *text, int *scheme)
{
	const char *sep = strstr(text, "://");
	const char *rest = sep ? sep + 3 : text;
	const char *at = strrchr(rest, '@');

	*scheme = (int)(rest - text);
	return at ? at + 1 : rest;
}

/**
 * url_free() - free the parts of a URL
 * @url: zeroed afterwards
 */
void url_free(struct url *url)
{
	free(url->scheme);
	free(url->user);
	free(url->host);
	free(url->port);
	free(url->path);
	memset(url, 0, sizeof(*url));
}

/**
 * url_authority() - host and port as they stand in a Host header
 * @url: parsed
 * @buf: to append to
 *
 * Return: 0 or -ENOMEM.
 */
int url_authority(const struct url *url, struct buf *buf)
{
	bool literal = strchr(url->host, ':');

	buf_printf(buf, literal ? "[%s]" : "%s", url->host);
	if (!url->default_port)
		buf_printf(buf, ":%s", url->port);
	return buf->error;
}

static int parse_origin_like(struct url *url, const char *scheme, size_t len,
			     const char *rest)
{
	struct buf buf = {};
	int err;

	buf_printf(&buf, "%.*s://%s", (int)len, scheme, rest);
	err = buf.error ? buf.error : url_parse(url, buf.data);
	buf_free(&buf);
	return err;
}

/**
 * url_same() - does an origin belong to this host?
 * @origin: value of an Origin header
 * @host: value of a Host header
 *
 * A Host without a port has the default port of the origin's scheme: behind a
 * proxy that ends TLS the server cannot know which one the browser used.
 *
 * Return: 1, 0, or -ENOMEM.
 */
int url_same(const char *origin, const char *host)
{
	const char *sep = strstr(origin, "://");
	struct url a = {}, b = {};
	int err, same = 0;

	if (!origin_valid(origin) || !sep || strpbrk(host, "@/?"))
		return 0;
	err = url_parse(&a, origin);
	if (!err)
		err = parse_origin_like(&b, origin, (size_t)(sep - origin),
					host);
	if (!err)
		same = ascii_same(a.host, b.host) && !strcmp(a.port, b.port);
	url_free(&a);
	url_free(&b);
	return err == -ENOMEM ? err : same;
}

/**
 * origin_same() - are these origins the same?
 * @a: value of an Origin header
 * @b: origin_valid()
 *
 * RFC 6454 section 5: scheme, host and port are; a default port may be left
 * out. Of schemes that we do not know the texts have to be the same.
 *
 * Return: 1, 0, or -ENOMEM.
 */
int origin_same(const char *a, const char *b)
{
	struct url x = {}, y = {};
	int err, same = 0;

	if (!origin_valid(a) || ascii_same(a, b))
		return ascii_same(a, b);
	err = url_parse(&x, a);
	if (!err)
		err = url_parse(&y, b);
	if (!err)
		same = !strcmp(x.scheme, y.scheme) &&
		       ascii_same(x.host, y.host) && !strcmp(x.port, y.port);
	url_free(&x);
	url_free(&y);
	return err == -ENOMEM ? err : same;
}

/**
 * origin_valid() - is this of the form of an origin?
 * @origin: text
 *
 * Return: true for "null" and for scheme://host[:port], of any scheme.
 */
bool origin_valid(const char *origin)
{
	const char *sep = strstr(origin, "://");

	if (!sep)
		return !strcmp(origin, "null");
	return is_token(origin, (size_t)(sep - origin)) && sep[3] &&
	       !strpbrk(sep + 3, "/?#@, ");
}
