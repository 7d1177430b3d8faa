// SPDX-License-Identifier: GPL-2.0
/*
 * P11: memory of idle connections. All are open before the first figure is
 * taken, so that the difference is what framing adds to plain TCP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/ws.h>

#include "bench.h"

#define CONNECTIONS	10000
#define KERNEL_LIMIT	256

static long long field(const char *path, const char *name)
{
	char line[256], format[64];
	long long kib = -1;
	FILE *f = fopen(path, "r");

	if (!f)
		die(path);
	snprintf(format, sizeof(format), "%s %%lld kB", name);
	while (kib < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &kib) != 1)
			kib = -1;
	fclose(f);
	if (kib < 0)
		dief("no %s in %s", name, path);
	return kib * 1024;
}

/* What was freed a moment ago comes back after a grace period or two. */
static long long settled(const char *path, const char *name)
{
	long long last = -1, value = field(path, name);
	int same = 0;

	while (same < 5) {
		last = value;
		usleep(100000);
		value = field(path, name);
		same = value == last ? same + 1 : 0;
	}
	return value;
}

static long long slab(void)
{
	return settled("/proc/meminfo", "Slab:");
}

static long long rss(void)
{
	return settled("/proc/self/status", "VmRSS:");
}

/* In whole bytes: a page more or less is of somebody else. */
static double each(long long bytes)
{
	return (bytes + CONNECTIONS / 2) / CONNECTIONS;
}

void bench_idle(void)
{
	struct pair *p = calloc(CONNECTIONS, sizeof(*p));
	long long kernel, user, opened, plain;
	unsigned int i;

	if (!p)
		die("calloc");
	opened = slab();
	for (i = 0; i < CONNECTIONS; i++)
		pair_open(&p[i]);
	plain = slab();
	user = rss();
	report_raw("P11", "plain TCP with both ends", each(plain - opened),
		   "B/connection");
	for (i = 0; i < CONNECTIONS; i++)
		attach(p[i].app, WS_SERVER);
	kernel = slab();
	report_most("P11", "kernel memory", each(kernel - plain),
		    "B/idle connection", KERNEL_LIMIT);
	report_most("P11", "user memory", each(rss() - user),
		    "B/idle connection", 0);
	for (i = 0; i < CONNECTIONS; i++)
		set_int(p[i].app, SOL_WS, WS_PING_INTERVAL, 3600000);
	report_raw("P11", "kernel memory with keepalive",
		   each(slab() - plain), "B/idle connection");
	for (i = 0; i < CONNECTIONS; i++)
		pair_close(&p[i]);
	free(p);
}
