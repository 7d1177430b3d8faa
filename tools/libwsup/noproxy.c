// SPDX-License-Identifier: BSD-2-Clause
/*
 * Servers that are reached without a proxy. No standard says what no_proxy
 * looks like; this takes what the programs that have it agree on, and what each
 * of them has beyond that.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* An element: a name, an address or a network, maybe with a port */
struct item {
	char	host[256];
	char	*bits;		/* of a network, as text, or NULL */
	char	*port;		/* or NULL */
};

static size_t without_dot(const char *name)
{
	size_t len = strlen(name);

	return len && name[len - 1] == '.' ? len - 1 : len;
}

/* "[::1]:80" has brackets so that the last colon is known for what it is. */
static void split_port(struct item *item)
{
	char *host = item->host, *end = strchr(host, ']');
	char *colon = strchr(host, ':');

	if (*host == '[' && end) {
		if (end[1] == ':')
			item->port = end + 2;
		*end = '\0';
		memmove(host, host + 1, (size_t)(end - host));
		if (item->port)
			return;
	} else if (colon && colon == strrchr(host, ':')) {
		item->port = colon + 1;
		*colon = '\0';
	}
}

static bool take_item(struct item *item, const char *p, size_t len)
{
	if (!len || len >= sizeof(item->host))
		return false;
	*item = (struct item){};
	memcpy(item->host, p, len);
	item->bits = strchr(item->host, '/');
	if (item->bits)
		*item->bits++ = '\0';
	split_port(item);
	return true;
}

/* Bytes of an address, and how many; 0: it is none. A zone is no part of it. */
static size_t address(const char *host, unsigned char bytes[16])
{
	char text[64];

	if (inet_pton(AF_INET, host, bytes) == 1)
		return 4;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(host, "%"), host);
	return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

static bool same_bits(const unsigned char *a, const unsigned char *b,
		      unsigned long bits)
{
	size_t n = bits / 8;
	unsigned int rest = 8 - bits % 8;

	return !memcmp(a, b, n) && (rest == 8 || a[n] >> rest == b[n] >> rest);
}

static bool covers_address(const struct item *item, const unsigned char *bytes,
			   size_t size)
{
	unsigned long bits = 8 * size;
	unsigned char net[16];
	char *end;

	if (address(item->host, net) != size)
		return false;
	if (item->bits) {
		if (!is_digit(*item->bits))
			return false;
		bits = strtoul(item->bits, &end, 10);
		if (*end || bits > 8 * size)
			return false;
	}
	return same_bits(net, bytes, bits);
}

/* "example.org", ".example.org" and "*.example.org" hold for all below. */
static bool covers_name(const char *name, const char *host)
{
	size_t len, host_len = without_dot(host);

	if (!strncmp(name, "*.", 2))
		name++;
	if (*name == '.')
		name++;
	len = without_dot(name);
	if (!len || host_len < len ||
	    !ascii_same_n(host + host_len - len, name, len))
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}

static bool covers(const struct item *item, const struct url *url)
{
	unsigned char bytes[16];
	size_t size = address(url->host, bytes);

	if (item->port && strcmp(item->port, url->port))
		return false;
	if (!strcmp(item->host, "*"))
		return true;
	if (size)
		return covers_address(item, bytes, size);
	return !item->bits && covers_name(item->host, url->host);
}

/**
 * no_proxy_covers() - is this server to be reached without a proxy?
 * @list: value of no_proxy: elements with commas or blanks between them
 * @url: of the server
 *
 * Return: true or false.
 */
bool no_proxy_covers(const char *list, const struct url *url)
{
	struct item item;
	size_t len;

	while (*list) {
		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (take_item(&item, list, len) && covers(&item, url))
			return true;
		list += len;
	}
	return false;
}
