// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which pages a server lets in. A program that is no browser sends no Origin,
 * and could send any: these rules are about browsers (RFC 6455 section 10.2).
 *
 * That Origin and Host are the same shows that a page came from this server,
 * but only if no other site can give the server that name: if the Host is an
 * address, localhost, or a name that the configuration has. Every other name
 * may be that of a page's author, whose DNS answers with the address of this
 * server now.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "internal.h"

/**
 * host_parse() - take a Host header apart
 * @url: zeroed; to be freed with url_free() also after an error
 * @host: its value
 *
 * Return: 0, -ENOMEM, -WSUP_EURL.
 */
int host_parse(struct url *url, const char *host)
{
	struct buf buf = {};
	int err;

	if (strpbrk(host, "/?@"))
		return -WSUP_EURL;
	buf_printf(&buf, "http://%s", host);
	err = buf.error ? buf.error : url_parse(url, buf.data);
	buf_free(&buf);
	return err;
}

/**
 * host_valid() - can this be the name of a server?
 * @host: text
 *
 * Return: true for a name or an address, in brackets if it has colons, without
 * a port.
 */
bool host_valid(const char *host)
{
	size_t n;

	if (*host != '[') {
		n = host_span(host, false);
		return n && !host[n];
	}
	n = host_span(++host, true);
	return n && !strcmp(host + n, "]");
}

/* A name may end with the root's dot. */
static size_t name_length(const char *name)
{
	size_t len = strlen(name);

	return len && name[len - 1] == '.' ? len - 1 : len;
}

static bool same_name(const char *a, const char *b)
{
	size_t len = name_length(a);

	return len == name_length(b) && ascii_same_n(a, b, len);
}

static bool is_address(const char *host)
{
	struct in_addr addr;

	return strchr(host, ':') || inet_pton(AF_INET, host, &addr) == 1;
}

/* RFC 6761 section 6.3: so are all names below it. */
static bool is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t len = name_length(host), n = sizeof(name) - 1;

	return len >= n && ascii_same_n(host + len - n, name, n) &&
	       (len == n || host[len - n - 1] == '.');
}

static bool is_ours(const struct wsup_config *config, const char *host)
{
	const struct texts *names = &config->text[WSUP_HOST];
	size_t i;

	if (is_address(host) || is_localhost(host))
		return true;
	for (i = 0; i < names->n; i++)
		if (!strcmp(names->at[i], "*") ||
		    same_name(names->at[i], host))
			return true;
	return false;
}

/* 1: a list has the origin of this page; 0, -ENOMEM */
static int is_listed(const struct wsup_config *config, const char *origin)
{
	const struct texts *allowed = &config->text[WSUP_ALLOW_ORIGIN];
	int ret = 0;
	size_t i;

	for (i = 0; i < allowed->n && !ret; i++)
		ret = !strcmp(allowed->at[i], "*") ? 1 :
			origin_same(origin, allowed->at[i]);
	return ret;
}

/**
 * host_allowed() - may a request call this server by this name?
 * @config: has the names, and the origins that are allowed
 * @head: a request, its Host well-formed
 *
 * Without WSUP_HOST only the requests of pages are restricted: another program
 * does not ask a stranger's DNS for the name that it uses.
 *
 * Return: 1, 0, or -ENOMEM.
 */
int host_allowed(const struct wsup_config *config, const struct head *head)
{
	const char *origin = head_find(head, "Origin");
	const char *host = head_find(head, "Host");
	struct url url = {};
	int ret;

	if (!origin && !config->tried[WSUP_HOST])
		return 1;
	ret = origin ? is_listed(config, origin) : 0;
	if (ret || !host)
		return ret;
	ret = host_parse(&url, host);
	if (!ret)
		ret = is_ours(config, url.host);
	url_free(&url);
	return ret;
}

/**
 * origin_allowed() - may this page connect?
 * @config: has the origins that are allowed beside our own
 * @head: a request whose Host is allowed
 *
 * Return: 1, 0, or -ENOMEM.
 */
int origin_allowed(const struct wsup_config *config, const struct head *head)
{
	const char *origin = head_find(head, "Origin");
	int ret;

	if (!origin)
		return 1;
	if (head_count(head, "Origin") > 1)
		return 0;
	ret = is_listed(config, origin);
	return ret ? ret : url_same(origin, head_find(head, "Host"));
}
