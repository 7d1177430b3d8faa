/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection whose far end is wire.h's, for tests that know nothing of it: a
 * thread stands between. What is written to raw goes over the wire in segments
 * made at random: of any size, in other orders, some again, and then with other
 * bytes wherever the kernel has acknowledged what came first. What the kernel
 * sends comes out of raw.
 *
 * A window that is closed is waited for: the thread never asks whether it has
 * opened. There is one such connection at a time.
 */
#ifndef WS_SELFTESTS_PUMP_H
#define WS_SELFTESTS_PUMP_H

#include <stdbool.h>

#define PUMP_NAME	"ws-pump"	/* of the thread */

/* fd[0] is the far end, a plain TCP socket; fd[1] that under test */
int pump_open(int family, bool kernel_connects, int fd[2]);

/* All that was written to raw is received, or waits for a window */
void pump_settle(int raw);

/* Nothing is left of the connection. */
void pump_close(void);

#endif
