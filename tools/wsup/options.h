/* SPDX-License-Identifier: GPL-2.0 */
/* Options of a command, as a table. */
#ifndef _WSUP_OPTIONS_H
#define _WSUP_OPTIONS_H

#include "wsup.h"

enum opt_kind {
	OPT_FLAG,	/* sets the bool at @to */
	OPT_INT,	/* number from @min to @max, to the int at @to */
	OPT_STRING,	/* to the const char pointer at @to */
	OPT_NUMBER,	/* number for wsup_config_set(@what) */
	OPT_TIME,	/* time, to the int at @to, or as OPT_NUMBER; ms */
	OPT_SECONDS,	/* time, to the int at @to in ms; without unit: s */
	OPT_TEXT,	/* text for wsup_config_add(@what) */
	OPT_SECRET,	/* the same, or "@FILE"; wiped from the arguments */
	OPT_PATH,	/* WSUP_PATH, and all under it */
	OPT_CALL,	/* @call gets the argument, or NULL if it takes none */
	OPT_VALUE,	/* sets the int at @to to @what */
	OPT_COMMAND,	/* the end; what follows belongs to a command */
};

struct opt {
	int		c;		/* short name, 0 for none */
	const char	*name;
	enum opt_kind	kind;
	int		what;
	void		*to;
	long		min;
	long		max;
	void		(*call)(const char *name, const char *value);
};

/* As long as anything that is measured in milliseconds, a handshake, lasts. */
#define DAY_MS	86400000
#define HOUR_MS	3600000

void parse_options(int argc, char **argv, const struct opt *options,
		   struct wsup_config *config, const char *help);

#endif /* _WSUP_OPTIONS_H */
