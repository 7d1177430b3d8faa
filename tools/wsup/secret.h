/* SPDX-License-Identifier: GPL-2.0 */
/* What other users shall not read from our arguments. */
#ifndef _WSUP_SECRET_H
#define _WSUP_SECRET_H

#include "wsup.h"

void add_secret(struct wsup_config *config, enum wsup_text what,
		const char *option, char *value);
void add_secret_file(struct wsup_config *config, enum wsup_text what,
		     const char *option, const char *path);
void add_netrc(struct wsup_config *config, const char *url);
char *take_url(char *url);

#endif /* _WSUP_SECRET_H */
