/* SPDX-License-Identifier: GPL-2.0 */
/* Between a connection and two descriptors that programs read and write. */
#ifndef _WSUP_PUMP_H
#define _WSUP_PUMP_H

#include <poll.h>

#include "wsup.h"

#define PUMP_CHUNK	65536	/* WS_TX_FRAME_MAX: one send takes it whole */

/* Where a failure was, if not in the connection. */
enum pump_end {
	PUMP_SOCKET,
	PUMP_IN,
	PUMP_OUT,
};

/* Bytes on their way: those from @at to @ready can go on. */
struct pump_buffer {
	char	data[4 * PUMP_CHUNK + 1];
	size_t	at;
	size_t	ready;
	size_t	len;
};

/**
 * struct pump - the two directions, neither of which holds up the other
 * @sock: connection
 * @in: what is read from it is sent; -1: nothing more
 * @out: what is received is written to it; -1: nobody wants it
 * @lines: a line is a message, and a message a line; else there are only bytes
 * @text: what is sent has to be UTF-8; no character is cut
 * @guarded: @out is a terminal; what acts on it is shown, not done
 * @piece: write so much at a time
 * @ended: the peer has
 * @open: a message is sent in part
 * @messages: received to their end
 * @moved: when bytes moved last
 * @where: of a failure
 * @hidden: bytes of a message that a terminal is spared
 * @up: from @in to the connection
 * @down: from the connection to @out
 */
struct pump {
	int			sock;
	int			in;
	int			out;
	bool			lines;
	bool			text;
	bool			guarded;
	size_t			piece;
	bool			ended;
	bool			open;
	unsigned long		messages;
	long			moved;
	enum pump_end		where;
	size_t			hidden;
	struct pump_buffer	up;
	struct pump_buffer	down;
};

#define PUMP_FDS	3

void pump_wait_for(const struct pump *pump, struct pollfd *fds);
int pump_move(struct pump *pump, const struct pollfd *fds);
bool pump_sent(const struct pump *pump);
bool pump_idle(const struct pump *pump);
bool pump_written(const struct pump *pump);
int pump_finish(struct pump *pump);

#endif /* _WSUP_PUMP_H */
