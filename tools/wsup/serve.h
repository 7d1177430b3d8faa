/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of wsup serve share. */
#ifndef _WSUP_SERVE_H
#define _WSUP_SERVE_H

#include <stdint.h>

#include "wsup.h"

struct serve_options {
	struct wsup_config *config;
	bool	echo;
	bool	verbose;
	int	ping_interval;		/* ms, 0 = off */
	int	ping_timeout;		/* ms, 0 = off */
};

/*
 * What an echoing connection has not sent yet: part of a message, kept only
 * while the peer does not read.
 */
struct echo {
	char		*data;
	size_t		len;
	bool		more;		/* the message goes on after @data */
	bool		open;		/* a part of it was sent already */
	unsigned char	type;
};

short echo_step(int fd, struct echo *echo);
void echo_free(struct echo *echo);

#endif /* _WSUP_SERVE_H */
