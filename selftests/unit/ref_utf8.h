/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second opinion on UTF-8: decodes, and after each byte asks whether any
 * code point can still come out of it. Shares nothing with ws_ulp/utf8.c, not
 * even the way of thinking: no table of allowed bytes, only RFC 3629's ranges
 * of code points.
 */
#ifndef _UNIT_REF_UTF8_H
#define _UNIT_REF_UTF8_H

#include "pure.h"	/* for its types */

/* Is there a code point between @lo and @hi that takes @tail + 1 bytes? */
static inline bool ref_possible(u32 lo, u32 hi, unsigned int tail)
{
	static const u32 least[] = { 0, 0x80, 0x800, 0x10000 };

	if (hi < least[tail] || lo > 0x10ffff)
		return false;
	return lo < 0xd800 || hi > 0xdfff;
}

/* Bytes that follow a lead byte, by its leading ones; 0 if it leads none. */
static inline unsigned int ref_tail(u8 lead)
{
	unsigned int ones = 0;

	while (ones < 8 && lead & 0x80 >> ones)
		ones++;
	return ones >= 2 && ones <= 4 ? ones - 1 : 0;
}

/*
 * Bytes of the character at @p that are good, of the @n there; *@whole tells
 * whether they are all of it.
 */
static inline size_t ref_char(const u8 *p, size_t n, bool *whole)
{
	unsigned int tail = ref_tail(p[0]), left;
	u32 v, room;
	size_t k;

	*whole = p[0] < 0x80;
	if (*whole || !tail)
		return *whole;
	v = p[0] & 0x3f >> tail;
	for (k = 0; k < n; k++) {
		if (k && (p[k] & 0xc0) != 0x80)
			return k;
		if (k)
			v = v << 6 | (p[k] & 0x3f);
		left = tail - k;
		room = (1u << 6 * left) - 1;
		if (!ref_possible(v << 6 * left, (v << 6 * left) | room, tail))
			return k;
		if (!left) {
			*whole = true;
			return k + 1;
		}
	}
	return n;
}

/* As ws_utf8_check() from the start; *@whole: ends at a boundary. */
static inline size_t ref_utf8(const u8 *p, size_t n, bool *whole)
{
	size_t i = 0;

	*whole = true;
	while (i < n && *whole)
		i += ref_char(p + i, n - i, whole);
	return i;
}

#endif /* _UNIT_REF_UTF8_H */
