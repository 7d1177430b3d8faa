// SPDX-License-Identifier: BSD-2-Clause
/* Where a Location leads, RFC 3986 section 5.2. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static bool has_scheme(const char *s)
{
	return strcspn(s, ":/?") == strcspn(s, ":") && strchr(s, ':');
}

/* Up to the last slash of the path; the query has none of it. */
static int directory_length(const char *path)
{
	size_t len = strcspn(path, "?");

	while (len && path[len - 1] != '/')
		len--;
	return (int)len;
}

static void add_base(struct buf *text, const struct url *base)
{
	buf_printf(text, "%s://", base->scheme);
	url_authority(base, text);
}

/* Servers write what has no place in a URI, and browsers bear with it. */
static int add_encoded(struct buf *text, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (strchr("\"<>\\^`{|}", s[i]) || s[i] & 0x80)
			buf_printf(text, "%%%02X", (unsigned char)s[i]);
		else
			buf_add(text, s + i, 1);
	}
	/* so that there is a text, even an empty one */
	return buf_printf(text, "%s", "");
}

/* An absolute URL of any form of reference, without its fragment. */
static int absolute(const struct url *base, const char *location,
		    struct buf *text)
{
	int len = (int)strcspn(location, "#");

	if (!has_scheme(location)) {
		if (!strncmp(location, "//", 2))
			buf_printf(text, "%s:", base->scheme);
		else
			add_base(text, base);
		if (*location == '?')
			buf_printf(text, "%.*s", (int)strcspn(base->path, "?"),
				   base->path);
		else if (*location != '/')
			buf_printf(text, "%.*s", directory_length(base->path),
				   base->path);
	}
	return add_encoded(text, location, (size_t)len);
}

/* An HTTP server knows its place as http://; the upgrade is the same. */
static int to_websocket(struct url *url)
{
	const char *scheme = NULL;

	if (!strcmp(url->scheme, "http"))
		scheme = "ws";
	if (!strcmp(url->scheme, "https"))
		scheme = "wss";
	if (!scheme)
		return 0;
	free(url->scheme);
	url->scheme = strdup(scheme);
	return url->scheme ? 0 : -ENOMEM;
}

/**
 * redirect_resolve() - where a Location leads
 * @base: URL of the request
 * @location: value of the Location header
 * @to: zeroed; to be freed with url_free() also after an error
 *
 * Return: 0, -WSUP_EREDIRECT, or -ENOMEM.
 */
int redirect_resolve(const struct url *base, const char *location,
		     struct url *to)
{
	struct buf text = {};
	int err;

	err = absolute(base, location, &text);
	if (!err)
		err = url_parse(to, text.data);
	buf_free(&text);
	if (!err)
		err = to_websocket(to);
	if (err)
		return err == -ENOMEM ? err : -WSUP_EREDIRECT;
	return strcmp(to->scheme, "ws") ? -WSUP_EREDIRECT : 0;
}
