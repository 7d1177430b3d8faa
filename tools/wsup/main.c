// SPDX-License-Identifier: GPL-2.0
/* wsup: WebSocket connections for people and scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wsup.h"

static const struct command commands[] = {
	{ "connect", cmd_connect, "talk to a server through stdin and stdout" },
	{ "serve", cmd_serve, "be a server" },
	{ "accept", cmd_accept, "run a program on a socket that was accepted" },
	{ "attach", cmd_attach, "the same after its handshake" },
	{ "stat", cmd_stat, "show the kernel's counters" },
	{ "info", cmd_info, "show the state of connections" },
	{ "doctor", cmd_doctor, "tell what works here, and what to do" },
};

const char *command_name;

static void print_help(FILE *to)
{
	const struct command *c;

	fputs("usage: wsup COMMAND [OPTION...] [ARGUMENT...]\n\n", to);
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)
		fprintf(to, "  %-10s %s\n", c->name, c->summary);
	fputs("\n'wsup help COMMAND' tells more, as does wsup(1).\n", to);
}

static const struct command *find_command(const char *name)
{
	const struct command *c;

	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static bool is(const char *arg, const char *shorter, const char *longer)
{
	return !strcmp(arg, shorter) || !strcmp(arg, longer);
}

static int run_command(const struct command *c, int argc, char **argv)
{
	static char name[32];

	command_name = c->name;
	/* as getopt_long() shall begin its messages */
	snprintf(name, sizeof(name), "wsup: %s", c->name);
	argv[0] = name;
	return c->run(argc, argv);
}

/* "wsup help COMMAND" is "wsup COMMAND --help". */
static int help_on(const char *command)
{
	char option[] = "--help";
	const struct command *c = find_command(command);
	char *args[3] = {};

	args[1] = option;
	if (c)
		return run_command(c, 2, args);
	fprintf(stderr, "wsup: no such command: %s\n", command);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (is(argv[1], "help", "--help") && argc > 2)
		return help_on(argv[2]);
	if (is(argv[1], "-h", "--help") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return 0;
	}
	if (is(argv[1], "-V", "--version")) {
		puts("wsup " WSUP_VERSION);
		return 0;
	}
	c = find_command(argv[1]);
	if (!c) {
		fprintf(stderr, "wsup: no such command: %s\n", argv[1]);
		return EXIT_USAGE;
	}
	return run_command(c, argc - 1, argv + 1);
}
