// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client offers. RFC 6455 section 4.2.1 wants a handshake refused that
 * violates the grammar, whether or not we mean to take up the offer.
 */
#include <string.h>

#include "internal.h"

/* More subprotocols than anybody has: comparing them takes time. */
#define SUBPROTOCOLS_MAX	100

struct item {
	const char	*p;
	size_t		len;
};

static bool is_among(const struct item *items, size_t n, const char *p,
		     size_t len)
{
	while (n--)
		if (items[n].len == len && !memcmp(items[n].p, p, len))
			return true;
	return false;
}

/**
 * subprotocols_valid() - is Sec-WebSocket-Protocol well-formed, or absent?
 * @head: a request
 *
 * RFC 6455 section 4.1, 10: tokens, which "MUST all be unique strings".
 *
 * Return: true or false.
 */
bool subprotocols_valid(const struct head *head)
{
	struct list list = LIST(head, "Sec-WebSocket-Protocol");
	struct item items[SUBPROTOCOLS_MAX];
	const char *p;
	size_t len, n;

	for (n = 0; list_next(&list, &p, &len); n++) {
		if (n == SUBPROTOCOLS_MAX || !is_token(p, len) ||
		    is_among(items, n, p, len))
			return false;
		items[n] = (struct item){ p, len };
	}
	return n || !head_count(head, "Sec-WebSocket-Protocol");
}

static void skip_blanks(struct item *rest)
{
	while (rest->len && (*rest->p == ' ' || *rest->p == '\t')) {
		rest->p++;
		rest->len--;
	}
}

/* Takes @c, and blanks around it. */
static bool take(struct item *rest, char c)
{
	skip_blanks(rest);
	if (!rest->len || *rest->p != c)
		return false;
	rest->p++;
	rest->len--;
	skip_blanks(rest);
	return true;
}

static bool take_token(struct item *rest)
{
	size_t n = 0;

	while (n < rest->len && is_token(rest->p + n, 1))
		n++;
	rest->p += n;
	rest->len -= n;
	return n;
}

/* Section 9.1: without its quotes and backslashes it has to be a token. */
static bool take_quoted(struct item *rest)
{
	size_t n, chars = 0;

	for (n = 1; n < rest->len && rest->p[n] != '"'; n++, chars++) {
		if (rest->p[n] == '\\' && n + 1 < rest->len)
			n++;
		if (!is_token(rest->p + n, 1))
			return false;
	}
	if (n >= rest->len || !chars)
		return false;
	rest->p += n + 1;
	rest->len -= n + 1;
	return true;
}

static bool extension_valid(struct item rest)
{
	if (!take_token(&rest))
		return false;
	while (take(&rest, ';')) {
		if (!take_token(&rest))
			return false;
		if (!take(&rest, '='))
			continue;
		if (rest.len && *rest.p == '"' ? !take_quoted(&rest)
					       : !take_token(&rest))
			return false;
	}
	return !rest.len;
}

/**
 * extensions_valid() - is Sec-WebSocket-Extensions well-formed, or absent?
 * @head: a request
 *
 * RFC 6455 section 9.1: who receives a malformed one must fail the connection.
 *
 * Return: true or false.
 */
bool extensions_valid(const struct head *head)
{
	struct list list = LIST(head, "Sec-WebSocket-Extensions");
	bool any = false;
	struct item item;

	while (list_next(&list, &item.p, &item.len)) {
		if (!extension_valid(item))
			return false;
		any = true;
	}
	return any || !head_count(head, "Sec-WebSocket-Extensions");
}
