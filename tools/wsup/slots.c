// SPDX-License-Identifier: GPL-2.0
/*
 * How many connections there are, in all threads together. A connection counts
 * from its upgrade to its end: what only talks HTTP, or nothing, takes no place
 * away from others.
 */
#include <limits.h>
#include <stdatomic.h>

#include "serve.h"

static atomic_int used;
static atomic_int frozen = -1;	/* during a takeover: the limit */
static atomic_int waiting;	/* handshakes that are good, but for a slot */

/**
 * slot_take() - let one more connection be
 *
 * Return: false if --connections does not allow it now.
 */
bool slot_take(void)
{
	int limit = atomic_load(&frozen), n = atomic_load(&used);

	if (limit < 0)
		limit = serve.connections ? serve.connections : INT_MAX;
	do {
		if (n >= limit)
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

/**
 * slots_used() - how many connections there are
 *
 * Return: their number.
 */
uint32_t slots_used(void)
{
	return (uint32_t)atomic_load(&used);
}

/**
 * slots_freeze() - from now on no more connections than there are
 * @other: limit of the successor; 0: none
 *
 * The successor has as many fewer as are here, so that both together keep to
 * the limit. Without limits nothing is frozen.
 *
 * Return: how many there are.
 */
uint32_t slots_freeze(uint32_t other)
{
	if (other || serve.connections)
		atomic_store(&frozen, atomic_load(&used));
	return slots_used();
}

/**
 * slots_thaw() - undo slots_freeze()
 */
void slots_thaw(void)
{
	atomic_store(&frozen, -1);
	serve_wake();
}

/**
 * slots_reserve() - for connections that a predecessor hands over
 * @n: how many; negative: so many do not come
 */
void slots_reserve(int n)
{
	atomic_fetch_add(&used, n);
	if (n < 0)
		serve_wake();
}
