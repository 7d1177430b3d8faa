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
	fputs("\n'wsup COMMAND --help' tells more, as does wsup(1).\n", to);
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

int main(int argc, char **argv)
{
	const struct command *c;
	static char name[32];

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
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
	command_name = c->name;
	/* as getopt_long() shall begin its messages */
	snprintf(name, sizeof(name), "wsup: %s", c->name);
	argv[1] = name;
	return c->run(argc - 1, argv + 1);
}
