// SPDX-License-Identifier: GPL-2.0
/*
 * Incremental UTF-8 check, RFC 3629 (required by RFC 6455 section 8.1).
 *
 * A finite automaton of nine states. A state is the position of a 6-bit field
 * in a word; the table has one word for each byte, and the field at a state's
 * position holds the state that follows. So one step is a load, which does
 * not depend on the step before, and a shift: nothing to predict, and the
 * same speed for every script.
 */
#include "utf8.h"

enum {
	OK	= WS_UTF8_OK,	/* between characters */
	BAD	= 6,		/* no way out of it */
	TAIL1	= 12,		/* one more byte of 80 to BF, */
	TAIL2	= 18,		/* two more, */
	TAIL3	= 24,		/* three more */
	AFTER_E0 = 30,		/* A0 to BF next, else overlong; one more */
	AFTER_ED = 36,		/* 80 to 9F next, else a surrogate */
	AFTER_F0 = 42,		/* 90 to BF next, else overlong; two more */
	AFTER_F4 = 48,		/* 80 to 8F next, else above U+10FFFF */
};

#define STATE_BITS	63
#define BLOCK		16

#define TO(from, to)	((u64)(to) << (from))

/* What a byte does in all states that do not take it. */
#define NONE_BUT_OK	(TO(BAD, BAD) | TO(TAIL1, BAD) | TO(TAIL2, BAD) | \
			 TO(TAIL3, BAD) | TO(AFTER_E0, BAD) |		  \
			 TO(AFTER_ED, BAD) | TO(AFTER_F0, BAD) |	  \
			 TO(AFTER_F4, BAD))
#define LEAD(to)	(TO(OK, to) | NONE_BUT_OK)
#define TAIL(e0, ed, f0, f4)						  \
			(TO(OK, BAD) | TO(BAD, BAD) | TO(TAIL1, OK) |	  \
			 TO(TAIL2, TAIL1) | TO(TAIL3, TAIL2) |		  \
			 TO(AFTER_E0, e0) | TO(AFTER_ED, ed) |		  \
			 TO(AFTER_F0, f0) | TO(AFTER_F4, f4))

/* The grammar of RFC 3629 section 4. C0, C1 and F5 to FF never appear. */
static const u64 step[256] = {
	[0x00 ... 0x7f] = LEAD(OK),
	[0x80 ... 0x8f] = TAIL(BAD, TAIL1, BAD, TAIL2),
	[0x90 ... 0x9f] = TAIL(BAD, TAIL1, TAIL2, BAD),
	[0xa0 ... 0xbf] = TAIL(TAIL1, BAD, TAIL2, BAD),
	[0xc0 ... 0xc1] = LEAD(BAD),
	[0xc2 ... 0xdf] = LEAD(TAIL1),
	[0xe0]		= LEAD(AFTER_E0),
	[0xe1 ... 0xec] = LEAD(TAIL2),
	[0xed]		= LEAD(AFTER_ED),
	[0xee ... 0xef] = LEAD(TAIL2),
	[0xf0]		= LEAD(AFTER_F0),
	[0xf1 ... 0xf3] = LEAD(TAIL3),
	[0xf4]		= LEAD(AFTER_F4),
	[0xf5 ... 0xff] = LEAD(BAD),
};

static u64 next(u64 state, u8 byte)
{
	return step[byte] >> (state & STATE_BITS);
}

/* Is a block of 16 bytes ASCII? */
static bool is_ascii(const u8 *p)
{
	u64 a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, p + sizeof(a), sizeof(b));
	return !((a | b) & 0x8080808080808080ull);
}

/* Four steps a round: one long chain of shifts, all in registers. */
static u64 next_block(u64 state, const u8 *p)
{
	const u8 *end = p + BLOCK;

	for (; p < end; p += 4) {
		state = next(state, p[0]);
		state = next(state, p[1]);
		state = next(state, p[2]);
		state = next(state, p[3]);
	}
	return state & STATE_BITS;
}

/**
 * ws_utf8_check() - check the next piece of a text
 * @state: %WS_UTF8_OK before the first piece; written only when all of @p is
 *	good, and then %WS_UTF8_OK if and only if @p ends a character
 * @p: the piece, cut anywhere
 * @n: its bytes, any number
 *
 * A text is valid if all of its pieces are and the last leaves %WS_UTF8_OK.
 * RFC 3629 section 4; RFC 6455 sections 5.6 and 8.1.
 *
 * Return: @n if all bytes are good; else the index of the first byte with
 * which no continuation can make the text valid.
 */
size_t ws_utf8_check(u16 *state, const u8 *p, size_t n)
{
	u64 s = *state, after;
	size_t i = 0;

	for (; n - i >= BLOCK; i += BLOCK) {
		if (s == OK && is_ascii(p + i))
			continue;
		after = next_block(s, p + i);
		if (after == BAD)
			break;
		s = after;
	}
	for (; i < n; i++) {
		s = next(s, p[i]) & STATE_BITS;
		if (s == BAD)
			return i;
	}
	*state = s;
	return n;
}
