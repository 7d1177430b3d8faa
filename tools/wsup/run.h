/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that get a connection as their stdin and stdout. */
#ifndef _WSUP_RUN_H
#define _WSUP_RUN_H

#include "wsup.h"

/* Variables "NAME=value", NULL-terminated. */
struct environment {
	char	**at;
	size_t	n;
};

void environment_fill(struct environment *env, int fd,
		      const struct wsup_hs *hs);
void environment_free(struct environment *env);

/* How long a program may go on when its peer has closed. */
#define GRACE_MS	5000

/**
 * struct program - what to run
 * @argv: the program, NULL-terminated; looked for in PATH
 * @name: for messages
 * @text: it writes text
 * @lines: its lines are messages, and messages its lines
 * @bytes: not so, even with @text
 * @inherits: it gets the descriptors that we inherited
 * @grace: for how long it may go on when its peer has closed, in ms
 */
struct program {
	char * const	*argv;
	const char	*name;
	bool		text;
	bool		lines;
	bool		bytes;
	bool		inherits;
	int		grace;
};

void program_prepare(int fd);
int program_run(int fd, const struct program *program,
		const struct wsup_hs *hs);
int program_code(int status);
void program_report(const struct program *program, int status);

#endif /* _WSUP_RUN_H */
