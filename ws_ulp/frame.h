/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frame headers of RFC 6455 section 5.2: parse and build. Pure: no socket, no
 * allocation, no time; compiled unchanged into module, unit tests, fuzzers.
 */
#ifndef _WS_FRAME_H
#define _WS_FRAME_H

#include "pure.h"

#define WS_HDR_MIN	2
#define WS_HDR_MAX	14
#define WS_KEY_SIZE	4
#define WS_CTRL_MAX	125	/* payload of a control frame, section 5.5 */

#define WS_B0_FIN	0x80
#define WS_B0_OPCODE	0x0f
#define WS_B1_MASK	0x80
#define WS_B1_LEN	0x7f

/**
 * struct ws_hdr - a frame header, decoded
 * @len: payload bytes
 * @key: masking key as it stands in memory (load the four bytes), 0 if none
 * @b0: first byte: FIN, RSV1 to RSV3, opcode
 * @masked: the mask bit
 * @minimal: @len has its shortest encoding and its top bit is clear
 * @size: bytes of the header itself, 2 to 14
 * @have: bytes that the parser has seen, at most @size: from 1 on @b0 is
 *	known, from 2 on @masked and @size, once ws_hdr_len_known() also @len
 *	and @minimal, with @size all; what is not known is 0
 */
struct ws_hdr {
	u64	len;
	u32	key;
	u8	b0;
	bool	masked;
	bool	minimal;
	u8	size;
	u8	have;
};

static inline u8 ws_hdr_opcode(const struct ws_hdr *h)
{
	return h->b0 & WS_B0_OPCODE;
}

static inline bool ws_hdr_fin(const struct ws_hdr *h)
{
	return h->b0 & WS_B0_FIN;
}

/* Bytes up to the end of the length, where the key begins if there is one. */
static inline unsigned int ws_hdr_len_end(const struct ws_hdr *h)
{
	return h->size - (h->masked ? WS_KEY_SIZE : 0);
}

static inline bool ws_hdr_len_known(const struct ws_hdr *h)
{
	return h->have >= ws_hdr_len_end(h);
}

static inline bool ws_opcode_is_ctrl(u8 opcode)
{
	return opcode & 0x8;
}

bool ws_hdr_parse(struct ws_hdr *h, const u8 *p, size_t n);
unsigned int ws_hdr_build(u8 *out, u8 b0, u64 len, const u32 *key);

#endif /* _WS_FRAME_H */
