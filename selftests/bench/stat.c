// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own account of what was measured. A benchmark that sends less
 * than it believes, or a kernel that does less than it should, is fast: so
 * each frame that a peer sent or received has to be in /proc/net/ws_stat.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

struct sent sent;

static const struct {
	const char	*name;
	size_t		offset;
} counters[] = {
	{ "WsRxFrames", offsetof(struct sent, rx_frames) },
	{ "WsRxBytes", offsetof(struct sent, rx_bytes) },
	{ "WsTxFrames", offsetof(struct sent, tx_frames) },
	{ "WsTxBytes", offsetof(struct sent, tx_bytes) },
	{ "WsRxPing", offsetof(struct sent, pings) },
	{ "WsTxPong", offsetof(struct sent, pings) },
};

static u64 before[ARRAY_SIZE(counters)];

u64 stat_get(const char *name)
{
	FILE *f = fopen("/proc/net/ws_stat", "r");
	unsigned long long value;
	char word[64];

	if (!f)
		die("/proc/net/ws_stat");
	while (fscanf(f, "%63s %llu", word, &value) == 2)
		if (!strcmp(word, name)) {
			fclose(f);
			return value;
		}
	dief("no %s in /proc/net/ws_stat", name);
}

void stat_begin(void)
{
	unsigned int i;

	memset(&sent, 0, sizeof(sent));
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		before[i] = stat_get(counters[i].name);
}

void stat_end(const char *of)
{
	unsigned int i;
	u64 got, want;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		got = stat_get(counters[i].name) - before[i];
		want = *(u64 *)((char *)&sent + counters[i].offset);
		if (got != want)
			dief("%s: %s grew by %llu, the peers account for %llu",
			     of, counters[i].name, (unsigned long long)got,
			     (unsigned long long)want);
	}
}
