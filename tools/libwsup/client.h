/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the client's side share. */
#ifndef _WSUP_CLIENT_H
#define _WSUP_CLIENT_H

#include "internal.h"

int client_fail(struct wsup_hs *hs, int error, const char *sentence);

int dial_begin(struct dial *dial, struct addrinfo *list);
void dial_stop(struct dial *dial);
int dial_step(struct wsup_hs *hs);

bool no_proxy_covers(const char *list, const struct url *url);
int proxy_choose(struct wsup_hs *hs);
int proxy_authority(const struct wsup_hs *hs, struct buf *out);
int proxy_request(struct wsup_hs *hs);
int socks_step(struct wsup_hs *hs);

int redirect_resolve(const struct url *base, const char *location,
		     struct url *to);

#endif /* _WSUP_CLIENT_H */
