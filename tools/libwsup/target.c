// SPDX-License-Identifier: BSD-2-Clause
/* What a request is for, RFC 9112 section 3.2. */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* "http://", and so on: length, or 0 */
static size_t scheme_length(const char *target)
{
	static const char * const schemes[] = {
		"http://", "https://", "ws://", "wss://",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(schemes); i++)
		if (ascii_same_n(target, schemes[i], strlen(schemes[i])))
			return strlen(schemes[i]);
	return 0;
}

static int check_authority(const char *authority)
{
	struct url url = {};
	int err = *authority ? host_parse(&url, authority) : -WSUP_EURL;

	url_free(&url);
	return err;
}

static int from_absolute(struct head *head, size_t scheme)
{
	const char *rest = head_string(head, head->target) + scheme;
	struct buf authority = {}, path = {};
	int err;

	buf_printf(&authority, "%.*s", (int)strcspn(rest, "/?"), rest);
	rest += authority.len;
	buf_printf(&path, "%s%s", *rest == '/' ? "" : "/", rest);
	err = authority.error ? authority.error : path.error;
	if (!err)
		err = check_authority(authority.data);
	if (!err)
		err = head_set_target(head, path.data);
	if (!err)
		err = head_set(head, "Host", authority.data);
	buf_free(&authority);
	buf_free(&path);
	return err;
}

/**
 * target_normalise() - bring a request's target into origin form
 * @head: a request
 *
 * RFC 9112 section 3.2.2: a server must accept the absolute form, though only
 * proxies need it, and its authority counts then, whatever Host says. What
 * comes behind this sees one form, and one host.
 *
 * Return: 0, -WSUP_EURL, or -ENOMEM.
 */
int target_normalise(struct head *head)
{
	const char *target = head_string(head, head->target);
	size_t scheme = scheme_length(target);

	if (strchr(target, '#'))
		return -WSUP_EURL;
	/* RFC 9112 section 3.2.4: about the server as such */
	if (!strcmp(target, "*"))
		return strcmp(head_string(head, head->method), "OPTIONS") ?
			-WSUP_EURL : 0;
	if (*target == '/')
		return 0;
	return scheme ? from_absolute(head, scheme) : -WSUP_EURL;
}
