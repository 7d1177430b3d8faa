// SPDX-License-Identifier: GPL-2.0
/* Results: one line a target, and everything as CSV. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench.h"

static struct utsname host;
static FILE *csv;
static unsigned int met, missed;

void report_open(const char *path)
{
	uname(&host);
	if (!path)
		return;
	csv = fopen(path, "w");
	if (!csv)
		die(path);
	fprintf(csv, "kernel,target,what,value,unit,limit,verdict\n");
}

static void row(const char *target, const char *what, double value,
		const char *unit, double limit, const char *verdict)
{
	if (!csv)
		return;
	fprintf(csv, "%s,%s,%s,%.3f,%s,", host.release, target, what, value,
		unit);
	if (*verdict)
		fprintf(csv, "%g", limit);
	fprintf(csv, ",%s\n", verdict);
	fflush(csv);
}

static void verdict(const char *target, const char *what, const char *shown,
		    double value, const char *unit, double limit, bool ok)
{
	const char *word = ok ? "met" : "missed";

	if (profiling)
		return;
	if (ok)
		met++;
	else
		missed++;
	printf("%s %s %s %s (target %g) %s\n", target, what, shown, unit,
	       limit, word);
	fflush(stdout);
	row(target, what, value, unit, limit, word);
}

/* More than plain TCP takes. */
void report_over(const char *target, const char *what, double value,
		 const char *unit, double limit)
{
	char shown[32];

	snprintf(shown, sizeof(shown), "%+.0f", value);
	verdict(target, what, shown, value, unit, limit, value <= limit);
}

void report_ratio(const char *target, const char *what, double value,
		  const char *of, double limit)
{
	char shown[32], unit[64];

	snprintf(shown, sizeof(shown), "%.3f", value);
	snprintf(unit, sizeof(unit), "of %s", of);
	verdict(target, what, shown, value, unit, limit, value <= limit);
}

void report_most(const char *target, const char *what, double value,
		 const char *unit, double limit)
{
	char shown[32];

	snprintf(shown, sizeof(shown), limit && limit < 1 ? "%.3f" : "%.0f",
		 value);
	verdict(target, what, shown, value, unit, limit, value <= limit);
}

void report_least(const char *target, const char *what, double value,
		  const char *unit, double limit)
{
	char shown[32];

	snprintf(shown, sizeof(shown), "%.0f", value);
	verdict(target, what, shown, value, unit, limit, value >= limit);
}

/* What a verdict was computed from, or nobody set a limit for. */
void report_raw(const char *target, const char *what, double value,
		const char *unit)
{
	row(target, what, value, unit, 0, "");
}

int report_close(void)
{
	printf("bench: %s: %u met, %u missed\n", host.release, met, missed);
	if (csv && fclose(csv))
		die("writing results");
	return 0;
}
