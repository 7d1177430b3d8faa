/* SPDX-License-Identifier: GPL-2.0 */
/* What the fuzz targets share. */
#ifndef _HANDSHAKE_FUZZ_H
#define _HANDSHAKE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,	\
			__LINE__, #cond);				\
		abort();						\
	}								\
} while (0)

#endif /* _HANDSHAKE_FUZZ_H */
