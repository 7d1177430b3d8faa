// SPDX-License-Identifier: GPL-2.0
/* wsup stat: the counters of this network namespace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define PATH	"/proc/net/ws_stat"

static const char help[] =
"usage: wsup stat [-a] [NAME...]\n"
"\n"
"Show the counters of ws_ulp in this network namespace: those named, else\n"
"those that are not 0.\n"
"\n"
"  -a, --all   those that are 0 as well\n"
"  -h, --help  this text\n";

/* Those that were found are no longer there: NULL. */
static bool named(const char *name, int argc, char **argv)
{
	bool found = false;
	int i;

	for (i = 0; i < argc; i++) {
		if (!argv[i] || strcmp(name, argv[i]))
			continue;
		argv[i] = NULL;
		found = true;
	}
	return found;
}

static void show(FILE *from, bool all, int argc, char **argv)
{
	unsigned long long value;
	char name[64];

	while (fscanf(from, "%63s %llu", name, &value) == 2)
		if (argc ? named(name, argc, argv) : all || value)
			printf("%-24s %llu\n", name, value);
}

static int complain_missing(int argc, char **argv)
{
	int i, ret = EXIT_SUCCESS;

	for (i = 0; i < argc; i++) {
		if (!argv[i])
			continue;
		complain("no such counter: %s", argv[i]);
		ret = EXIT_FAILURE;
	}
	return ret;
}

/**
 * cmd_stat() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_stat(int argc, char **argv)
{
	bool all = false;
	const struct opt options[] = {
		{ 'a', "all", OPT_FLAG, .to = &all },
		{}
	};
	FILE *from;

	parse_options(argc, argv, options, NULL, help);
	from = fopen(PATH, "re");
	if (!from && errno == ENOENT)
		die("%s", wsup_attach_strerror(-ENOENT));
	if (!from)
		die(PATH ": %s", strerror(errno));
	show(from, all, argc - optind, argv + optind);
	fclose(from);
	return complain_missing(argc - optind, argv + optind);
}
