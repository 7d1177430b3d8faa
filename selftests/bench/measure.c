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
#define STEADY	0.1	/* from the least to the most, of the median */
#define TRIES	5
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

/* How much longer a long run takes than a short one: the median of some. */
static double median_turn(loop_fn loop, void *arg, unsigned int few,
			  double *spread)
{
	double v[ROUNDS];
	unsigned int i;
	u64 took;

	for (i = 0; i < ROUNDS; i++) {
		took = run(loop, arg, few);
		v[i] = (double)(run(loop, arg, 4 * few) - took) / (3 * few);
	}
	qsort(v, ROUNDS, sizeof(*v), compare);
	*spread = (v[ROUNDS - 1] - v[0]) / v[ROUNDS / 2];
	return v[ROUNDS / 2];
}

/*
 * Instructions of one turn of a loop, without what each run has once. Again,
 * when others ran in between: what a guest does after its boot, say.
 */
double cost_of(const char *target, const char *what, loop_fn loop, void *arg,
	       unsigned int few)
{
	double insn, spread = 0;
	unsigned int i = 0;

	loop(arg, few);		/* caches, windows and estimates settle */
	if (profiling) {
		profile_begin();
		loop(arg, PROFILED);
		profile_end(target, what, PROFILED);
		return 0;
	}
	do
		insn = median_turn(loop, arg, few, &spread);
	while ((spread < 0 || spread > STEADY) && ++i < TRIES);
	if (i == TRIES)
		fprintf(stderr, "bench: %s %s: not steady: %.0f %%\n", target,
			what, 100 * spread);
	report_raw(target, what, insn, "insn");
	return insn;
}

/* Of a turn that is short */
double cost(const char *target, const char *what, loop_fn loop, void *arg)
{
	return cost_of(target, what, loop, arg, FEW);
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
