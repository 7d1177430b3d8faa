// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz-kernel: programs of system calls and segments against the module, led by
 * coverage. Runs in a guest, as root.
 *
 *   fuzz-kernel [-d DIR] [-n PROGRAMS] [-s SEED] [-e] [-x] [PROGRAM...]
 *
 *   -d DIR       corpus, findings and sums are kept there
 *   -n PROGRAMS  so many (10000)
 *   -s SEED      all that is drawn follows from it
 *   -e           the first finding ends it
 *   -x           the guest's clock jumps where all wait (time-travel)
 *
 * With PROGRAM, files of programs, these and nothing else run. Exit status: 1
 * something was wrong, 3 the kernel complained and should run no longer.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cover.h"
#include "report.h"
#include "run.h"

#define CORPUS	20000

static struct run run;
static struct program *corpus[CORPUS];
static unsigned int corpus_count, findings;
static unsigned long limit = 10000;
static uint64_t seed = 1;
static bool one_only;

/* Sockets that frame: none, once the program is over */
static long sockets(void)
{
	static FILE *file;
	char line[200];
	long n = 0, value;

	if (!file)
		file = fopen("/proc/net/ws_stat", "r");
	if (!file)
		return 0;
	rewind(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "WsCurr%*s %ld", &value) == 1)
			n += value;
	return n;
}

/* Work that closes a socket may still run. */
static void check_sockets(void)
{
	unsigned int i;
	long n = 0;

	for (i = 0; i < 100; i++) {
		n = sockets();
		if (!n)
			return;
		usleep(fast_time ? 1000 : 10000);
	}
	wrong(&run, "%ld sockets are left after a reset", n);
}

/* Return: the kernel is still fit for more */
static bool try(const struct program *p)
{
	const char *log;

	report_next(p, totals.programs);
	execute(&run, p);
	check_sockets();
	log = report_kernel();
	if (*run.wrong)
		findings += report_finding(p, run.wrong, NULL);
	if (log) {
		findings++;
		report_finding(p, "the kernel complained", log);
	}
	return !log;
}

static void keep(const struct program *p)
{
	if (corpus_count == CORPUS)
		return;
	corpus[corpus_count] = malloc(sizeof(*p));
	*corpus[corpus_count++] = *p;
}

static bool fit = true;

static void try_old(const struct program *p)
{
	if (!fit)
		return;
	fit = try(p);
	execute_cover();
	keep(p);
}

/* Later ones found what is hard to find: they are drawn more often. */
static const struct program *draw(struct dice *d)
{
	unsigned int from = roll_one_in(d, 2) ? corpus_count * 3 / 4 : 0;

	return corpus[from + roll_below(d, corpus_count - from)];
}

static void make(struct program *p, struct dice *d)
{
	if (!corpus_count || roll_one_in(d, 8)) {
		program_make(p, d);
		return;
	}
	*p = *draw(d);
	program_mutate(p, draw(d), d);
}

static void sum_up(void)
{
	char line[200];

	snprintf(line, sizeof(line),
		 "seed %llu programs %lu calls %lu segments %lu blocks %u pairs %u corpus %u findings %u",
		 (unsigned long long)seed, totals.programs, totals.calls,
		 totals.segments, cover_blocks(), cover_pairs(), corpus_count,
		 findings);
	report_sum(line);
}

static int fuzz(void)
{
	struct program p;
	struct dice d;

	report_read(try_old);
	while (fit && totals.programs < limit && !(one_only && findings)) {
		if (totals.programs % 64 == 0 && report_stop())
			break;
		d.state = seed ^ totals.programs << 32;
		roll(&d);
		make(&p, &d);
		fit = try(&p);
		if (execute_cover()) {
			keep(&p);
			report_corpus(&p);
		}
	}
	sum_up();
	return fit ? findings != 0 : 3;
}

static int replay(int count, char **names)
{
	struct program p;
	FILE *file;

	verbose = true;
	for (; count > 0 && fit; count--, names++) {
		file = fopen(*names, "r");
		if (!file || program_read(&p, file)) {
			fprintf(stderr, "# %s: not read\n", *names);
			return 2;
		}
		fclose(file);
		fit = try(&p);
		printf("%s: %s\n", *names, *run.wrong ? run.wrong :
		       fit ? "nothing wrong" : "the kernel complained");
	}
	return fit ? findings != 0 : 3;
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "d:n:s:ex")) != -1) {
		switch (opt) {
		case 'd':
			dir = optarg;
			break;
		case 'n':
			limit = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			one_only = true;
			break;
		case 'x':
			fast_time = true;
			break;
		default:
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	if (unshare(CLONE_NEWNET) || report_open(dir) || execute_open()) {
		perror("fuzz-kernel");
		return 2;
	}
	return optind < argc ? replay(argc - optind, argv + optind) : fuzz();
}
