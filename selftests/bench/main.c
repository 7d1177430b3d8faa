// SPDX-License-Identifier: GPL-2.0
/*
 * usage: bench [-p] [-o FILE.csv] [NAME...]
 *
 * Measure against plain TCP and against framing in user space. One line a
 * target on stdout; all that was measured goes to FILE.csv. Exit status 1
 * when something could not be measured or the kernel's counters do not agree
 * with what was sent; a missed target is a line, not a failure. With -p
 * nothing is measured here: the loops run between marks for the emulator's
 * plugin (profile/).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const struct {
	const char	*name;
	void		(*run)(void);
	const char	*what;
} benchmarks[] = {
	{ "message", bench_message, "P4: one small message, each way" },
	{ "echo", bench_echo, "P4, P5: echo by an epoll server" },
	{ "batch", bench_batch, "P7: pipelined small messages" },
	{ "pong", bench_pong, "P8: ping to pong" },
	{ "keepalive", bench_keepalive, "P9: a round of keepalive" },
	{ "stopped", bench_stopped, "P10: pings to a stopped program" },
	{ "idle", bench_idle, "P11: memory of idle connections" },
	{ "serve", bench_serve, "P6: wsup serve --echo" },
	{ "relay", bench_relay, "P6: wsup serve --to" },
	{ "handshake", bench_handshake, "a handshake of wsup serve" },
};

static const char *running = "bench";

void dief(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "bench: %s: ", running);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void die(const char *what)
{
	dief("%s: %s", what, strerror(errno));
}

static void usage(void)
{
	unsigned int i;

	fprintf(stderr, "usage: bench [-p] [-o FILE.csv] [NAME...]\n");
	for (i = 0; i < ARRAY_SIZE(benchmarks); i++)
		fprintf(stderr, "  %-10s %s\n", benchmarks[i].name,
			benchmarks[i].what);
	exit(2);
}

static void run(unsigned int i)
{
	running = benchmarks[i].name;
	stat_begin();
	benchmarks[i].run();
	stat_end(running);
	running = "bench";
}

static void run_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(benchmarks); i++)
		if (!strcmp(benchmarks[i].name, name)) {
			run(i);
			return;
		}
	usage();
}

int main(int argc, char **argv)
{
	const char *csv = NULL;
	unsigned int i;
	int opt;

	while ((opt = getopt(argc, argv, "o:p")) != -1) {
		if (opt == 'o')
			csv = optarg;
		else if (opt == 'p')
			profiling = true;
		else
			usage();
	}
	report_open(csv);
	if (optind == argc)
		for (i = 0; i < ARRAY_SIZE(benchmarks); i++)
			run(i);
	for (; optind < argc; optind++)
		run_named(argv[optind]);
	return report_close();
}
