// SPDX-License-Identifier: GPL-2.0
/*
 * What a piece of work costs. The clock is the instruction counter; reading it
 * takes no system call. It does not run while the processor idles, but jumps:
 * so a loop that is measured leaves nothing to wait for but itself, or runs
 * under spin().
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

#define ROUNDS	5	/* the median counts */
#define FEW	400	/* calls in a short run, a fourth of a long one */

#define PROFILED	1000	/* calls in a window of the profile */

/* A look at the clock takes less; what takes longer was done by others. */
#define SPIN_GAP	200

u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static u64 run(loop_fn loop, void *arg, unsigned int n)
{
	u64 start = now();

	loop(arg, n);
	return now() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

/* No-operations that the emulator's plugin looks for: profile/count.c */
#define mark(n)	__asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long 0x57530000 + " \
				 #n : : : "memory")

bool profiling;

void profile_begin(void)
{
	if (profiling)
		mark(1);
}

/* Rows with this unit name the plugin's windows, in order. */
void profile_end(const char *target, const char *what, u64 turns)
{
	if (!profiling)
		return;
	mark(2);
	report_raw(target, what, turns, "turns profiled");
}

/*
 * Instructions of one turn of a loop: how much longer a long run takes than a
 * short one, so that what each run has once does not count.
 */
double cost(const char *target, const char *what, loop_fn loop, void *arg)
{
	double v[ROUNDS];
	unsigned int i;
	u64 few;

	loop(arg, FEW);		/* caches, windows and estimates settle */
	if (profiling) {
		profile_begin();
		loop(arg, PROFILED);
		profile_end(target, what, PROFILED);
		return 0;
	}
	for (i = 0; i < ROUNDS; i++) {
		few = run(loop, arg, FEW);
		v[i] = (double)(run(loop, arg, 4 * FEW) - few) / (3 * FEW);
	}
	report_raw(target, what, median(v, ROUNDS), "insn");
	return median(v, ROUNDS);
}

/* Likewise, of each of the further things that a turn of many has. */
double slope(const char *target, const char *what, loop_fn few, loop_fn many,
	     void *arg, unsigned int further)
{
	char name[64];
	double insn;

	snprintf(name, sizeof(name), "%s: few", what);
	insn = -cost(target, name, few, arg);
	snprintf(name, sizeof(name), "%s: many", what);
	insn += cost(target, name, many, arg);
	return insn / further;
}

static void set_policy(int policy)
{
	struct sched_param param = { };

	if (sched_setscheduler(0, policy, &param))
		die("sched_setscheduler");
}

/*
 * Instructions that others take in so much time, while this process runs below
 * all of them and only looks at the clock: interrupts, softirqs, and processes
 * that wake up.
 */
u64 spin(u64 duration)
{
	u64 start, last, t, others = 0;

	set_policy(SCHED_IDLE);
	start = now();
	last = start;
	do {
		t = now();
		if (t - last > SPIN_GAP)
			others += t - last;
		last = t;
	} while (t - start < duration);
	set_policy(SCHED_OTHER);
	return others;
}
