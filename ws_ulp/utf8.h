/* SPDX-License-Identifier: GPL-2.0 */
/* Incremental UTF-8 check, RFC 3629. Pure. */
#ifndef _WS_UTF8_H
#define _WS_UTF8_H

#include "pure.h"

/*
 * State between two pieces of a text: 0 at a character's boundary, anything
 * else in the middle of one. Fits 16 bits.
 */
#define WS_UTF8_OK	0

size_t ws_utf8_check(u16 *state, const u8 *p, size_t n);

#endif /* _WS_UTF8_H */
