/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's own fault injection, confined to the module: a call counts when
 * an address of the module's text is on its stack, whatever context it runs
 * in, so that softirq and work are counted as well as system calls. Which of
 * them fails is exact. The kernel counts matching calls for as long as it
 * lives and fails one when the count is a multiple of `interval`; count + n
 * has no other multiple up to there, so that the n-th call from now fails.
 */
#ifndef WS_SELFTESTS_INJECT_H
#define WS_SELFTESTS_INJECT_H

#include <stdbool.h>

enum kind { SLAB, PAGE, COPY, KINDS };

extern const char *const kind_name[KINDS];

/* Finds the knobs and the module's text: 0, or -1 after a line about it. */
int inject_init(void);

/* Let the n-th matching call from now on fail, counted from 1. */
void inject_arm(enum kind kind, unsigned long n);

/* Has it failed? */
bool inject_fired(enum kind kind);

/* No call of that kind fails any more. Only after inject_fired(). */
void inject_disarm(enum kind kind);

/* Have each failing call tell its stack in the kernel's log. */
void inject_tell(enum kind kind, bool on);

#endif
