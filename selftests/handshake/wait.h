/* SPDX-License-Identifier: GPL-2.0 */
/* Event loops that wait for one handshake. */
#ifndef _HANDSHAKE_WAIT_H
#define _HANDSHAKE_WAIT_H

/* As poll() of one descriptor, or of none: negative with errno, 0 too late. */
typedef int (*waiter)(int fd, short events, int timeout);

waiter waiter_find(const char *name);

#endif /* _HANDSHAKE_WAIT_H */
