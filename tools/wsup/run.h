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
noreturn void run_here(int fd, const struct wsup_hs *hs, char * const *argv);

#endif /* _WSUP_RUN_H */
