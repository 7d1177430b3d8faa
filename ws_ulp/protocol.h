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

/**
 * ws_short_max() - the longest message that ws_short_message() may take
 * @r: what the receiver accepts
 *
 * Return: payload bytes, at most 125: what a length of seven bits can tell.
 */
static inline u32 ws_short_max(const struct ws_rules *r)
{
	u32 max = WS_CTRL_MAX - 1;

	/* 0 = no limit = the largest, once 1 is taken away */
	if (r->frame_max - 1 < max)
		max = r->frame_max - 1;
	if (r->message_max - 1 < max)
		max = r->message_max - 1;
	return max + 1;
}

/* As ws_short_message(), and tells the opcode: each byte is read once. */
static inline u32 ws_short_message_op(const u8 *p, size_t n, bool masked,
				      u32 max, u8 *opcode)
{
	u32 b0, len;

	if (n < WS_HDR_MIN)
		return 0;
	b0 = READ_BYTE(p);
	if (b0 != (WS_B0_FIN | 1) && b0 != (WS_B0_FIN | 2))
		return 0;
	len = READ_BYTE(p + 1) ^ (masked ? WS_B1_MASK : 0);
	if (len > max || n - WS_HDR_MIN < (masked ? WS_KEY_SIZE : 0) + len)
		return 0;
	*opcode = b0 & WS_B0_OPCODE;
	return len;
}

/**
 * ws_short_message() - is this a short message, all of it?
 * @p: a frame's first byte, outside of any other message
 * @n: bytes at @p, any number
 * @masked: ws_rules.masked
 * @max: of ws_short_max()
 *
 * Of what servers receive, most is text or binary data of at most 125 bytes in
 * one frame. A frame that is taken here would have passed ws_hdr_parse() and
 * ws_rules_check() too; about any other this tells nothing.
 *
 * Return: payload bytes, 1 to @max, which follow a header of ws_short_hdr()
 * bytes and are there; or 0.
 */
static inline u32 ws_short_message(const u8 *p, size_t n, bool masked, u32 max)
{
	u8 opcode;

	return ws_short_message_op(p, n, masked, max, &opcode);
}

static inline u32 ws_short_hdr(bool masked)
{
	return WS_HDR_MIN + (masked ? WS_KEY_SIZE : 0);
}

u16 ws_rules_check(const struct ws_rules *r, const struct ws_msg *m,
		   const struct ws_hdr *h);
void ws_msg_advance(struct ws_msg *m, const struct ws_hdr *h);
bool ws_close_code_valid(u16 code);
u16 ws_close_parse(const u8 *p, size_t n, u16 *code);

#endif /* _WS_PROTOCOL_H */
