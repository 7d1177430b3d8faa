// SPDX-License-Identifier: GPL-2.0
/* libFuzzer target for URLs, redirects and origins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fuzz.h"

/* Its host and port, written out, mean the same. */
static void check_authority(const struct url *url)
{
	struct url again = {};
	struct buf text = {};

	buf_printf(&text, "%s://", url->scheme);
	CHECK(!url_authority(url, &text));
	CHECK(!url_parse(&again, text.data));
	/* a zone stays here */
	CHECK(strcspn(url->host, "%") == strlen(again.host) &&
	      !strncmp(again.host, url->host, strlen(again.host)) &&
	      !strcmp(again.port, url->port));
	CHECK(origin_same(text.data, text.data) == 1);
	url_free(&again);
	buf_free(&text);
}

/* Two texts, as URL, Location, origin and host */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = strndup((const char *)data, n);
	struct url a = {}, b = {};
	char *second = strchr(text, '\n');

	if (second)
		*second++ = '\0';
	else
		second = text + strlen(text);
	CHECK(url_same(text, second) >= 0);
	CHECK(origin_same(text, second) == origin_same(second, text) ||
	      !origin_valid(text) || !origin_valid(second));
	if (!url_parse(&a, text)) {
		CHECK(*a.host && *a.port && *a.path == '/');
		check_authority(&a);
		if (!redirect_resolve(&a, second, &b))
			CHECK(*b.host && *b.path == '/');
	}
	url_free(&a);
	url_free(&b);
	free(text);
	return 0;
}
