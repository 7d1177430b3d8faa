/* SPDX-License-Identifier: GPL-2.0 */
/* What the fuzz targets share. */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "pure.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

#define FUZZ_CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,	\
			__LINE__, #cond);				\
		abort();						\
	}								\
} while (0)

/*
 * The size of the next piece of a stream of which @left bytes are left. Small
 * pieces are the interesting ones; a seed of 0 gives single bytes.
 */
static inline size_t fuzz_piece(u32 *seed, size_t left)
{
	size_t piece;

	*seed *= 1664525;
	if (*seed)
		*seed += 1013904223;
	piece = 1 + (*seed >> 28);
	if (*seed >> 24 & 1)
		piece *= 9;
	return piece < left ? piece : left;
}

#endif /* _FUZZ_H */
