/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rounds made at random: what is sent and which calls are made is the choice of
 * a seed, how they meet in time is not. The seeds are 1, 2, ... unless
 * WS_RANDOM_SECONDS=N asks for so many seconds of ever other ones, or
 * WS_RANDOM_SEED=N for one round. A failure prints its seed.
 */
#ifndef WS_SELFTESTS_RANDOM_H
#define WS_SELFTESTS_RANDOM_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "peer.h"

typedef unsigned char byte;

struct dice {
	unsigned long long state;
};

/* splitmix64 */
static inline unsigned long long roll(struct dice *d)
{
	unsigned long long z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline size_t below(struct dice *d, size_t n)
{
	return roll(d) % n;
}

static inline bool one_in(struct dice *d, size_t n)
{
	return !below(d, n);
}

static inline void fill(struct dice *d, byte *p, size_t n)
{
	peer_fill(p, n, roll(d));
}

/* Lengths where headers change, and all others */
static inline size_t length(struct dice *d)
{
	static const size_t edge[] = {
		0, 1, 2, 3, 4, 124, 125, 126, 127, 128, 65535, 65536, 65537,
	};

	switch (below(d, 8)) {
	case 0:
	case 1:
		return edge[below(d, 10)];
	case 2:
		return edge[below(d, sizeof(edge) / sizeof(*edge))];
	case 3:
		return below(d, 5000);
	case 4:
		return one_in(d, 3) ? below(d, 100000) : below(d, 1000);
	default:
		return below(d, 140);
	}
}

/* Return: -1 after a line about what was wrong */
static inline int __printf(1, 2) wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("# ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return -1;
}

static inline int seed_of(int nr, unsigned long long *seed)
{
	const char *only = getenv("WS_RANDOM_SEED");

	*seed = nr;
	if (only)
		*seed = strtoull(only, NULL, 0);
	else if (getenv("WS_RANDOM_SECONDS") &&
		 getrandom(seed, sizeof(*seed), 0) != sizeof(*seed))
		return wrong("no seed: %s", strerror(errno));
	return 0;
}

static inline double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Calls one(arg, seed) for as long as it is to go on. Return: 0, -1 */
static inline int rounds(int (*one)(void *arg, unsigned long long seed),
			 void *arg)
{
	const char *limit = getenv("WS_RANDOM_SECONDS");
	double end = seconds() + (limit ? atof(limit) : 1);
	unsigned long long seed;
	int nr = 0;

	do {
		if (seed_of(++nr, &seed))
			return -1;
		if (one(arg, seed))
			return wrong("round %d: WS_RANDOM_SEED=%#llx", nr,
				     seed);
	} while (!getenv("WS_RANDOM_SEED") && seconds() < end);
	printf("# %d rounds\n", nr);
	return 0;
}

#endif
