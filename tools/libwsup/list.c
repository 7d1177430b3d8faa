// SPDX-License-Identifier: BSD-2-Clause
/* Lists of tokens in headers, RFC 9110 section 5.6. */
#include <string.h>

#include "internal.h"

/* Length of an element: a comma in a quoted string does not end it. */
static size_t element_length(const char *p)
{
	bool quoted = false;
	size_t n;

	for (n = 0; p[n] && (quoted || p[n] != ','); n++) {
		if (p[n] == '"')
			quoted = !quoted;
		else if (quoted && p[n] == '\\' && p[n + 1])
			n++;
	}
	return n;
}

static size_t trimmed(const char *p, size_t n)
{
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return n;
}

/**
 * list_next() - the next element that is not empty
 * @list: from LIST()
 * @item: receives its first character
 * @len: receives its length
 *
 * Return: false after the last one.
 */
bool list_next(struct list *list, const char **item, size_t *len)
{
	for (;;) {
		if (!list->p || !*list->p)
			list->p = head_next(list->head, list->name,
					    &list->from);
		if (!list->p)
			return false;
		list->p += strspn(list->p, ", \t");
		*item = list->p;
		list->p += element_length(list->p);
		*len = trimmed(*item, (size_t)(list->p - *item));
		if (*len)
			return true;
	}
}

/**
 * list_has() - does a header name a token?
 * @head: head
 * @name: of the header
 * @token: to look for
 * @exact: upper and lower case differ
 *
 * Return: true or false.
 */
bool list_has(const struct head *head, const char *name, const char *token,
	      bool exact)
{
	struct list list = LIST(head, name);
	size_t want = strlen(token), len;
	const char *item;

	while (list_next(&list, &item, &len)) {
		if (len != want || !ascii_same_n(item, token, len))
			continue;
		if (!exact || !memcmp(item, token, len))
			return true;
	}
	return false;
}
