/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which parts of the module a thread went through: KCOV. Softirq work counts
 * where it runs inside a system call of the thread, as a segment that is
 * written to TUN does.
 */
#ifndef WS_FUZZ_COVER_H
#define WS_FUZZ_COVER_H

#include <stdbool.h>
#include <stddef.h>

struct cover {
	int fd;
	unsigned long *area;
};

/* For the calling thread, to its end. Return: 0, or -1 without KCOV */
int cover_open(struct cover *c);
void cover_reset(struct cover *c);

/*
 * Join what the thread did since the reset to what is known. Return: how many
 * new pairs of blocks there were
 */
unsigned int cover_take(struct cover *c);

/* Blocks of the module, and pairs that follow each other, seen so far */
unsigned int cover_blocks(void);
unsigned int cover_pairs(void);

#endif
