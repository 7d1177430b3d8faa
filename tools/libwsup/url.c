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
		{ "socks", "1080" }, { "socks4", "1080" },
		{ "socks4a", "1080" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].scheme) == len &&
		    ascii_same_n(known[i].scheme, scheme, len))
			return known[i].port;
	return NULL;
}

/* Says what would be right. */
static int bad(struct url *url, const char *why)
{
	url->why = why;
	return -WSUP_EURL;
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
	return bad(url, "in name and password, % has two hexadecimal digits "
			"behind it, of a character that is no control");
}

static int copy(char **to, const char *s, size_t len)
{
	free(*to);
	*to = strndup(s, len);
	return *to ? 0 : -ENOMEM;
}

#define BAD_HOST "the host has to be a name, or an address, [::1] if it has colons"

static int parse_port(struct url *url, const char *s, size_t len)
{
	const char *standard = default_port(url->scheme, strlen(url->scheme));

	if (!standard || (len && *s != ':'))
		return bad(url, BAD_HOST);
	if (len <= 1) {
		url->default_port = true;
		return copy(&url->port, standard, strlen(standard));
	}
	if (!port_valid(s + 1, len - 1))
		return bad(url, "the port has to be from 1 to 65535");
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

/*
 * The zone of a link-local address behind its '%', which is "%25" in a URI (RFC
 * 6874), but is often typed as it is.
 */
static size_t zone_span(const char *s, const char **zone)
{
	size_t n;

	*zone = s;
	if (*s != '%')
		return 0;
	if (!strncmp(s, "%25", 3) && s[3] != ']')
		*zone = s + 2;
	n = host_span(*zone + 1, false);
	return n ? (size_t)(*zone + 1 + n - s) : 0;
}

static int copy_literal(struct url *url, const char *s, size_t len,
			const char *zone, size_t end)
{
	struct buf buf = {};

	buf_printf(&buf, "%.*s", (int)len, s);
	if (end)
		buf_printf(&buf, "%%%.*s", (int)(s + len + end - zone - 1),
			   zone + 1);
	url->host = buf.data;
	return buf.error;
}

/* [address]:port */
static int parse_literal(struct url *url, const char *s, size_t len)
{
	size_t n = host_span(s, true), end;
	const char *zone;
	int err;

	end = zone_span(s + n, &zone);
	if (!n || n + end >= len || s[n + end] != ']')
		return bad(url, BAD_HOST);
	err = copy_literal(url, s, n, zone, end);
	n += end + 1;
	return err ? err : parse_port(url, s + n, len - n);
}

/* host:port or [address]:port */
static int parse_host(struct url *url, const char *s, size_t len)
{
	size_t n;
	int err;

	if (len && *s == '[')
		return parse_literal(url, s + 1, len - 1);
	n = host_span(s, false);
	if (n > len)
		n = len;
	if (n < len && s[n] & 0x80)
		return bad(url, "a name with other letters than ASCII's has to "
				"be written as the DNS has it, xn--...");
	if (!n)
		return bad(url, BAD_HOST);
	err = copy(&url->host, s, n);
	return err ? err : parse_port(url, s + n, len - n);
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

/**
 * uri_span() - how much of a text may stand as path and query of a URI
 * @s: text
 *
 * RFC 3986 section 3.3 and 3.4; brackets as well, which queries often have.
 *
 * Return: number of characters.
 */
size_t uri_span(const char *s)
{
	static const char others[] = "-._~!$&'()*+,;=:@/?[]";
	size_t n = 0;

	for (;;) {
		if (s[n] == '%' && hex_pair(s + n + 1) >= 0)
			n += 3;
		else if (s[n] && (is_alnum(s[n]) || strchr(others, s[n])))
			n++;
		else
			return n;
	}
}

/* RFC 6455 section 3: a resource name has no fragment. */
static int check_path(struct url *url, const char *path)
{
	path += uri_span(path);
	if (*path == '#')
		return bad(url, "the URL of a WebSocket has no fragment: # has "
				"to be written as %23");
	if (*path == '%')
		return bad(url, "a % in a path has two hexadecimal digits "
				"behind it");
	if (*path)
		return bad(url, "blanks, quotes, <>\\^`{|}, controls and "
				"letters other than ASCII's are written as %20 "
				"and so on in a path");
	return 0;
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

	if (!sep || !default_port(text, (size_t)(sep - text)))
		return bad(url, "a URL begins with its scheme, as in "
				"ws://HOST:PORT/PATH");
	err = copy(&url->scheme, text, (size_t)(sep - text));
	if (err)
		return err;
	for (p = url->scheme; *p; p++)
		*p = ascii_lower(*p);
	host = sep + 3;
	path = host + strcspn(host, "/?#");
	err = parse_authority(url, host, (size_t)(path - host));
	if (!err)
		err = check_path(url, path);
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
 * url_host() - the host as it stands in a URI
 * @url: parsed
 * @buf: to append to
 *
 * RFC 6874 section 4: a zone means something on this machine only.
 *
 * Return: 0 or -ENOMEM.
 */
int url_host(const struct url *url, struct buf *buf)
{
	bool literal = strchr(url->host, ':');

	return buf_printf(buf, literal ? "[%.*s]" : "%.*s",
			  (int)strcspn(url->host, "%"), url->host);
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
	url_host(url, buf);
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

/**
 * origin_check() - can this be an origin that a browser sends?
 * @origin: text
 * @why: receives what would be right
 *
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int origin_check(const char *origin, const char **why)
{
	struct url url = {};
	int err = 0;

	*why = "has to be SCHEME://HOST[:PORT], null or *";
	/* what browsers send for a file, if they do not send null */
	if (!strcmp(origin, "file://"))
		return 0;
	if (!origin_valid(origin))
		return -EINVAL;
	if (strchr(origin, '*')) {
		*why = "has a *, which alone stands for all: name each origin";
		return -EINVAL;
	}
	if (ascii_same_n(origin, "ws", 2)) {
		*why = "is no page's origin: those begin with http:// or "
		       "https://";
		return -EINVAL;
	}
	if (ascii_same_n(origin, "http:", 5) ||
	    ascii_same_n(origin, "https:", 6))
		err = url_parse(&url, origin);
	if (err == -WSUP_EURL) {
		*why = url.why;
		err = -EINVAL;
	}
	url_free(&url);
	return err;
}
