/* SPDX-License-Identifier: GPL-2.0 */
/* Masking of RFC 6455 section 5.3. Pure. */
#ifndef _WS_MASK_H
#define _WS_MASK_H

#include "pure.h"

/*
 * A key is a u32 in memory order: its first byte in memory masks the next
 * byte of payload. ws_mask_turn() moves it on by n bytes of payload.
 */
#ifdef __BYTE_ORDER__
#define WS_MASK_LE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#else
#error "byte order unknown"
#endif

static inline u32 ws_mask_turn(u32 key, u64 n)
{
	unsigned int s = (n & 3) * 8;

	return WS_MASK_LE ? key >> s | key << (-s & 31) :
			    key << s | key >> (-s & 31);
}

/* What masks the next byte. */
static inline u8 ws_mask_first(u32 key)
{
	return WS_MASK_LE ? key : key >> 24;
}

void ws_mask(u8 *buf, size_t n, u32 key);
void ws_mask_copy(u8 *dst, const u8 *src, size_t n, u32 key);

#endif /* _WS_MASK_H */
