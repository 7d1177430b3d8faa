/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of RFC 6455 above single headers: what may follow what, limits,
 * Close bodies. Pure.
 */
#ifndef _WS_PROTOCOL_H
#define _WS_PROTOCOL_H

#include "frame.h"

/* Close codes, section 7.4.1, that we send or report by ourselves. */
#define WS_CODE_NORMAL		1000
#define WS_CODE_GOING_AWAY	1001
#define WS_CODE_PROTOCOL	1002
#define WS_CODE_NO_STATUS	1005	/* never on the wire */
#define WS_CODE_ABNORMAL	1006	/* never on the wire */
#define WS_CODE_BAD_DATA	1007
#define WS_CODE_POLICY		1008
#define WS_CODE_TOO_BIG		1009

/**
 * struct ws_rules - what a receiver accepts; constant while framing
 * @message_max: payload bytes of a message, 0 = no limit
 * @frame_max: payload bytes of a data frame, 0 = no limit
 * @fragments_max: frames of a message, 0 = no limit
 * @ext: WS_EXT bits: reserved bits and opcodes that were negotiated
 * @masked: frames must be masked (we are the server) or must not be
 */
struct ws_rules {
	u32	message_max;
	u32	frame_max;
	u32	fragments_max;
	u32	ext;
	bool	masked;
};

/**
 * struct ws_msg - the message a receiver is in the middle of
 * @len: payload bytes of its frames so far, the current one included
 * @frames: number of its frames so far
 * @b0: first byte of its first frame
 * @open: its last frame has not come
 */
struct ws_msg {
	u64	len;
	u32	frames;
	u8	b0;
	bool	open;
};

u16 ws_rules_check(const struct ws_rules *r, const struct ws_msg *m,
		   const struct ws_hdr *h);
void ws_msg_advance(struct ws_msg *m, const struct ws_hdr *h);
bool ws_close_code_valid(u16 code);
u16 ws_close_parse(const u8 *p, size_t n, u16 *code);

#endif /* _WS_PROTOCOL_H */
