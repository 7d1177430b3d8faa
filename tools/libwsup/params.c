// SPDX-License-Identifier: BSD-2-Clause
/* Challenges and credentials as RFC 9110 section 11 writes them. */
#include <string.h>

#include "auth.h"

static const char * const names[PARAMS] = {
	[P_USERNAME]	= "username",
	[P_USERNAME_EXT] = "username*",
	[P_REALM]	= "realm",
	[P_NONCE]	= "nonce",
	[P_OPAQUE]	= "opaque",
	[P_URI]		= "uri",
	[P_QOP]		= "qop",
	[P_NC]		= "nc",
	[P_CNONCE]	= "cnonce",
	[P_RESPONSE]	= "response",
	[P_ALGORITHM]	= "algorithm",
	[P_STALE]	= "stale",
};

static size_t skip_blanks(const char *p, size_t len, size_t at)
{
	while (at < len && (p[at] == ' ' || p[at] == '\t'))
		at++;
	return at;
}

static size_t token_length(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_token(p + n, 1))
		n++;
	return n;
}

/* Copies a token or a quoted string, without quotes and backslashes. */
static bool copy_value(char to[PARAM_MAX], const char *p, size_t len)
{
	bool quoted = len >= 2 && *p == '"' && p[len - 1] == '"';
	size_t i, n = 0;

	for (i = quoted; i < len - quoted; i++) {
		if (quoted && p[i] == '\\' && i + 1 < len - 1)
			i++;
		if (n + 1 == PARAM_MAX)
			return false;
		to[n++] = p[i];
	}
	to[n] = '\0';
	return true;
}

static void store(struct params *params, const char *name, size_t name_len,
		  const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < PARAMS; i++) {
		if (strlen(names[i]) != name_len ||
		    !ascii_same_n(names[i], name, name_len))
			continue;
		/* RFC 9110 section 11.2: each occurs once */
		if (params->seen & 1u << i ||
		    !copy_value(params->v[i], value, len))
			params->over = true;
		params->seen |= 1u << i;
	}
}

/*
 * name=value, blanks allowed around it; false: this is no parameter. Without
 * @params it is only looked at.
 */
static bool take_param(struct params *params, const char *p, size_t len)
{
	size_t name_len = token_length(p, len);
	size_t at = skip_blanks(p, len, name_len);

	if (!name_len || at == len || p[at] != '=')
		return false;
	at = skip_blanks(p, len, at + 1);
	if (params)
		store(params, p, name_len, p + at, len - at);
	return true;
}

/* Only what is looked at: a head has room for many challenges. */
static void params_reset(struct params *params)
{
	size_t i;

	memset(params->scheme, 0, sizeof(params->scheme));
	for (i = 0; i < PARAMS; i++)
		*params->v[i] = '\0';
	params->over = false;
	params->seen = 0;
}

static void take_scheme(struct params *params, const char *p, size_t len)
{
	size_t n = token_length(p, len);
	size_t at = skip_blanks(p, len, n);

	params_reset(params);
	if (n < sizeof(params->scheme))
		memcpy(params->scheme, p, n);
	take_param(params, p + at, len - at);
}

/**
 * params_next() - next challenge of a header, or its credentials
 * @list: over the header's elements
 * @params: receives it
 *
 * RFC 9110 section 11.6.1: the commas between challenges look like those
 * between the parameters of one.
 *
 * Return: false after the last one.
 */
bool params_next(struct list *list, struct params *params)
{
	struct list ahead;
	const char *item;
	size_t len;

	if (!list_next(list, &item, &len))
		return false;
	take_scheme(params, item, len);
	for (ahead = *list; list_next(&ahead, &item, &len); *list = ahead) {
		if (!take_param(NULL, item, len))
			break;
		take_param(params, item, len);
	}
	return true;
}
