/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small WebSocket receiver in user space, put together from the pure files
 * in the way the module does it: fed with pieces of a stream cut anywhere, it
 * keeps a log of what came of it. Used by the split test and the fuzzers.
 */
#ifndef _UNIT_RECEIVER_H
#define _UNIT_RECEIVER_H

#include "mask.h"
#include "protocol.h"
#include "utf8.h"

#define RX_STREAM_MAX	4096	/* bytes of a stream that a receiver takes */

/* One finished message or control frame in the log; its payload follows. */
struct rx_entry {
	u8	b0;		/* of the first frame, without FIN */
	u32	len;
};

#define RX_LOG_MAX	(RX_STREAM_MAX * sizeof(struct rx_entry))

/**
 * struct rx - a receiver
 * @rules: set by the caller
 * @utf8: check text; set by the caller
 * @fail: Close code that the connection was failed with, or 0
 * @closed: a Close came; with @fail a bad one
 * @close_code: its code
 * @log: entries of finished messages and control frames
 * @log_len: bytes in @log
 * @part: good payload of the message that is not finished
 * @part_len: bytes in @part
 */
struct rx {
	struct ws_rules	rules;
	bool		utf8;
	u16		fail;
	bool		closed;
	u16		close_code;
	size_t		log_len;
	size_t		part_len;

	/* internal */
	struct ws_msg	msg;
	struct ws_hdr	h;
	u64		left;
	u32		key;
	u16		utf8_state;
	bool		in_payload;
	u8		hdr_len;
	u8		ctrl_len;
	u8		hdr[WS_HDR_MAX];
	u8		ctrl[WS_CTRL_MAX];
	u8		part[RX_STREAM_MAX];
	u8		log[RX_LOG_MAX];
};

void rx_init(struct rx *rx, const struct ws_rules *rules, bool utf8);
void rx_feed(struct rx *rx, const u8 *p, size_t n);
bool rx_done(const struct rx *rx);
bool rx_same(const struct rx *a, const struct rx *b);
void rx_log(u8 *log, size_t *log_len, u8 b0, const u8 *p, size_t n);

#endif /* _UNIT_RECEIVER_H */
