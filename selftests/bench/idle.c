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

#define PARTS		5	/* of the connections, one after the other */
#define PART		4000
#define CONNECTIONS	(PARTS * PART)
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

static int by_size(const void *a, const void *b)
{
	const long long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * In whole bytes, of the median part: somebody else takes pages, too, and gives
 * some back.
 */
static double each(long long part[PARTS])
{
	qsort(part, PARTS, sizeof(*part), by_size);
	return (part[PARTS / 2] + PART / 2) / PART;
}

static void with_slab(void (*call)(struct pair *p), struct pair *p,
		      long long grown[PARTS])
{
	long long before = slab(), after;
	int i, k;

	for (k = 0; k < PARTS; k++) {
		for (i = 0; i < PART; i++)
			call(p++);
		after = slab();
		grown[k] = after - before;
		before = after;
	}
}

static void attach_one(struct pair *p)
{
	attach(p->app, WS_SERVER);
}

static void ping_one(struct pair *p)
{
	set_int(p->app, SOL_WS, WS_PING_INTERVAL, 3600000);
}

void bench_idle(void)
{
	struct pair *p = calloc(CONNECTIONS, sizeof(*p));
	long long grown[PARTS], user;
	unsigned int i;

	if (!p)
		die("calloc");
	with_slab(pair_open, p, grown);
	report_raw("P11", "plain TCP with both ends", each(grown),
		   "B/connection");
	user = rss();
	with_slab(attach_one, p, grown);
	user = rss() - user;
	report_most("P11", "kernel memory", each(grown), "B/idle connection",
		    KERNEL_LIMIT);
	report_most("P11", "user memory", user / CONNECTIONS,
		    "B/idle connection", 0);
	with_slab(ping_one, p, grown);
	report_raw("P11", "kernel memory of keepalive", each(grown),
		   "B/idle connection");
	for (i = 0; i < CONNECTIONS; i++)
		pair_close(&p[i]);
	free(p);
}
