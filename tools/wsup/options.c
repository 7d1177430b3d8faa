// SPDX-License-Identifier: GPL-2.0
/* Options of a command, as a table. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "secret.h"

#define OPTIONS_MAX	48
#define LONG_ONLY	256	/* and above: index of an option */
#define HELP		255

static bool has_argument(const struct opt *o)
{
	return o->kind != OPT_FLAG && o->kind != OPT_VALUE &&
	       !(o->kind == OPT_CALL && !o->what);
}

/* The two forms in which getopt_long() wants to know; returns the last. */
static const struct opt *describe(const struct opt *options,
				  struct option *longs, char *shorts)
{
	const struct opt *o;
	int i;

	for (o = options; o->name; o++) {
		i = o - options;
		longs[i].name = o->name;
		longs[i].has_arg = has_argument(o);
		longs[i].val = LONG_ONLY + i;
		if (!o->c)
			continue;
		*shorts++ = (char)o->c;
		if (has_argument(o))
			*shorts++ = ':';
	}
	longs[o - options].name = "help";
	longs[o - options].val = HELP;
	strcpy(shorts, "h");
	return o;
}

static void set_number(struct wsup_config *config, const struct opt *o,
		       const char *name)
{
	long value = parse_number(name, optarg, o->min, o->max);

	if (wsup_config_set(config, o->what, value))
		die_usage("%s: out of range: %s", name, optarg);
}

static void set_time(struct wsup_config *config, const struct opt *o,
		     const char *name)
{
	long unit = o->kind == OPT_SECONDS ? 1000 : 1;
	long ms = parse_time(name, optarg, unit, o->min, o->max);

	if (o->to)
		*(int *)o->to = (int)ms;
	else if (wsup_config_set(config, o->what, ms))
		die_usage("%s: out of range: %s", name, optarg);
}

static void add_path(struct wsup_config *config, const char *name,
		     const char *path)
{
	size_t len = strlen(path);
	char *under;

	if (*path != '/')
		die_usage("%s: begins with no slash: %s", name, path);
	if (asprintf(&under, "%s%s*", path,
		     path[len - 1] == '/' ? "" : "/") < 0)
		die("%s", strerror(ENOMEM));
	add_text(config, WSUP_PATH, name, path);
	add_text(config, WSUP_PATH, name, under);
	free(under);
}

static void apply(const struct opt *o, struct wsup_config *config)
{
	char name[64];

	snprintf(name, sizeof(name), "--%s", o->name);
	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->to = true;
		break;
	case OPT_INT:
		*(int *)o->to = (int)parse_number(name, optarg, o->min,
						  o->max);
		break;
	case OPT_STRING:
		*(const char **)o->to = optarg;
		break;
	case OPT_NUMBER:
		set_number(config, o, name);
		break;
	case OPT_TIME:
	case OPT_SECONDS:
		set_time(config, o, name);
		break;
	case OPT_TEXT:
		add_text(config, o->what, name, optarg);
		break;
	case OPT_SECRET:
		add_secret(config, o->what, name, optarg);
		break;
	case OPT_PATH:
		add_path(config, name, optarg);
		break;
	case OPT_CALL:
		o->call(name, optarg);
		break;
	case OPT_VALUE:
		*(int *)o->to = o->what;
		break;
	case OPT_COMMAND:
		break;
	}
}

static const struct opt *find(const struct opt *options, int c)
{
	const struct opt *o;

	if (c >= LONG_ONLY)
		return options + (c - LONG_ONLY);
	for (o = options; o->name && o->c != c; o++)
		;
	return o->name ? o : NULL;
}

/**
 * parse_options() - take the options of a command, or exit
 * @argc: number of arguments
 * @argv: arguments, with the command's name; optind is set
 * @options: what there is, up to one without a name; --help comes by itself.
 *	Options may stand behind arguments, unless those are a command
 * @config: for OPT_NUMBER and OPT_TEXT
 * @help: text for --help
 */
void parse_options(int argc, char **argv, const struct opt *options,
		   struct wsup_config *config, const char *help)
{
	struct option longs[OPTIONS_MAX] = {};
	char shorts[2 * OPTIONS_MAX + 2];
	const struct opt *o;
	const char *form;
	int c;

	*shorts = '+';
	o = describe(options, longs, shorts + 1);
	form = o->kind == OPT_COMMAND ? shorts : shorts + 1;
	while ((c = getopt_long(argc, argv, form, longs, NULL)) != -1) {
		if (c == 'h' || c == HELP) {
			fputs(help, stdout);
			exit(0);
		}
		o = find(options, c);
		if (!o)		/* getopt_long() has told */
			exit(EXIT_USAGE);
		apply(o, config);
	}
}
