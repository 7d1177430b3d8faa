/* SPDX-License-Identifier: GPL-2.0 */
/* What a program cannot bring about from outside. */
#ifndef _HANDSHAKE_INJECT_H
#define _HANDSHAKE_INJECT_H

#include <stdbool.h>

void inject_begin(long nth);
bool inject_reached(void);
void inject_minute(void);
long inject_digests(void);
long inject_calls(void);
void inject_flood(void);
void inject_addresses(const char *list);

#endif /* _HANDSHAKE_INJECT_H */
