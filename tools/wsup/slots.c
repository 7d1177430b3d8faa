// SPDX-License-Identifier: GPL-2.0
/*
 * How many connections there are, in all threads together. A connection counts
 * from its upgrade to its end: what only talks HTTP, or nothing, takes no place
 * away from others.
 */
#include <stdatomic.h>

#include "serve.h"

static atomic_int used;
static atomic_int waiting;	/* handshakes that are good, but for a slot */

/**
 * slot_take() - let one more connection be
 *
 * Return: false if --connections does not allow it now.
 */
bool slot_take(void)
{
	int n = atomic_load(&used);

	do {
		if (serve.connections && n >= serve.connections)
			return false;
	} while (!atomic_compare_exchange_weak(&used, &n, n + 1));
	return true;
}

/**
 * slot_put() - a connection has ended
 *
 * slot_wait() comes before another slot_take(), and the count falls before
 * @waiting is read, so one of the two sees the other.
 */
void slot_put(void)
{
	atomic_fetch_sub(&used, 1);
	if (atomic_load(&waiting))
		serve_wake();
}

/**
 * slot_wait() - a handshake begins to wait for a slot
 */
void slot_wait(void)
{
	atomic_fetch_add(&waiting, 1);
}

/**
 * slot_wait_end() - a handshake waits for a slot no more
 */
void slot_wait_end(void)
{
	atomic_fetch_sub(&waiting, 1);
}
