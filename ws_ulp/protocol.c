// SPDX-License-Identifier: GPL-2.0
/* The rules of RFC 6455 above single headers. */
#include "protocol.h"
#include "utf8.h"

#define OPCODE_CONT	0x0
#define RSV_BITS	0x70

/* Opcodes that section 5.2 reserves, one bit each: 3 to 7 and 11 to 15. */
#define RESERVED_OPCODES	0xf8f8

/* Where the bits for opcodes stand in struct ws_rules.ext. */
#define EXT_OPCODE_SHIFT	8

static bool opcode_known(const struct ws_rules *r, u8 opcode)
{
	u32 unknown = RESERVED_OPCODES & ~(r->ext >> EXT_OPCODE_SHIFT);

	return !(unknown >> opcode & 1);
}

static bool b0_ok(const struct ws_rules *r, const struct ws_msg *m,
		  const struct ws_hdr *h)
{
	u8 opcode = ws_hdr_opcode(h);

	/* 5.2: RSV1 to 3 "MUST be 0 unless an extension is negotiated" */
	if (h->b0 & RSV_BITS & ~r->ext)
		return false;
	/* 5.2: "If an unknown opcode is received ... MUST _Fail_" */
	if (!opcode_known(r, opcode))
		return false;
	/* 5.5: control frames "MUST NOT be fragmented" */
	if (ws_opcode_is_ctrl(opcode))
		return ws_hdr_fin(h);
	/* 5.4: a continuation continues; no other message comes in between */
	if (opcode != OPCODE_CONT)
		return !m->open;
	/* 5.4: reserved bits are the message's and stand in its first frame */
	return m->open && !(h->b0 & RSV_BITS);
}

static bool b1_ok(const struct ws_rules *r, const struct ws_hdr *h)
{
	/* 5.1: a client's frames are masked, a server's are not */
	if (h->masked != r->masked)
		return false;
	/* 5.5: control frames have "a payload length of 125 bytes or less" */
	return !ws_opcode_is_ctrl(ws_hdr_opcode(h)) ||
	       ws_hdr_len_end(h) == WS_HDR_MIN;
}

/* 7.4.1: 1009, "a message that is too big for it to process" (also 10.4) */
static bool limits_ok(const struct ws_rules *r, const struct ws_msg *m,
		      const struct ws_hdr *h)
{
	bool cont = ws_hdr_opcode(h) == OPCODE_CONT;
	u64 len = cont ? m->len : 0;

	if (ws_opcode_is_ctrl(ws_hdr_opcode(h)))
		return true;
	if (r->frame_max && h->len > r->frame_max)
		return false;
	if (r->fragments_max && cont && m->frames >= r->fragments_max)
		return false;
	/* compare before adding: the peer wrote h->len */
	return !r->message_max ||
	       (len <= r->message_max && h->len <= r->message_max - len);
}

/**
 * ws_rules_check() - may this frame come now?
 * @r: what the receiver accepts
 * @m: the message that it is in the middle of; not changed
 * @h: header from ws_hdr_parse(), whole or not
 *
 * A header that is not yet whole is judged by the bytes that there are, and
 * the last of its length settles it: the key is not waited for. A verdict never
 * changes with further bytes, so that it does not depend on how the stream was
 * cut: 1009 waits until 1002 is ruled out.
 *
 * Return: 0, or the Close code to fail the connection with:
 * %WS_CODE_PROTOCOL or %WS_CODE_TOO_BIG (RFC 6455 sections 5.1, 5.2, 5.4, 5.5
 * and 10.4).
 */
u16 ws_rules_check(const struct ws_rules *r, const struct ws_msg *m,
		   const struct ws_hdr *h)
{
	if (!h->have)
		return 0;
	if (!b0_ok(r, m, h))
		return WS_CODE_PROTOCOL;
	if (h->have < WS_HDR_MIN)
		return 0;
	if (!b1_ok(r, h))
		return WS_CODE_PROTOCOL;
	if (!ws_hdr_len_known(h))
		return 0;
	/* 5.2: the shortest encoding of the length, its top bit 0 */
	if (!h->minimal)
		return WS_CODE_PROTOCOL;
	return limits_ok(r, m, h) ? 0 : WS_CODE_TOO_BIG;
}

/**
 * ws_msg_advance() - account a data frame that ws_rules_check() accepted
 * @m: the message; a frame that is no continuation starts it anew
 * @h: whole header of a data frame; control frames are no part of a message
 *
 * RFC 6455 section 5.4.
 */
void ws_msg_advance(struct ws_msg *m, const struct ws_hdr *h)
{
	if (ws_hdr_opcode(h) != OPCODE_CONT) {
		m->len = 0;
		m->frames = 0;
		m->b0 = h->b0;
	}
	m->len += h->len;
	m->frames++;
	m->open = !ws_hdr_fin(h);
}

/**
 * ws_close_code_valid() - may this code stand in a Close frame?
 * @code: status code, host order
 *
 * RFC 6455 section 7.4 and IANA's registry: 1000 to 1003, 1007 to 1014 and
 * 3000 to 4999. 1004 is reserved; 1005, 1006 and 1015 are never on the wire.
 *
 * Return: true if it may.
 */
bool ws_close_code_valid(u16 code)
{
	return (code >= 1000 && code <= 1003) ||
	       (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

/**
 * ws_close_parse() - judge the payload of a Close frame
 * @p: payload, unmasked
 * @n: its bytes, 0 to %WS_CTRL_MAX
 * @code: the peer's code, valid or not; %WS_CODE_NO_STATUS where there is none
 *
 * Return: 0, or the Close code to fail the connection with: %WS_CODE_PROTOCOL
 * for a body of one byte (RFC 6455 section 5.5.1) or a code that must not be
 * sent (7.4), %WS_CODE_BAD_DATA for a reason that is not UTF-8 (5.5.1, 8.1).
 */
u16 ws_close_parse(const u8 *p, size_t n, u16 *code)
{
	u16 state = WS_UTF8_OK;

	*code = WS_CODE_NO_STATUS;
	if (!n)
		return 0;
	if (n == 1)
		return WS_CODE_PROTOCOL;
	*code = p[0] << 8 | p[1];
	if (!ws_close_code_valid(*code))
		return WS_CODE_PROTOCOL;
	p += 2;
	n -= 2;
	if (ws_utf8_check(&state, p, n) != n || state != WS_UTF8_OK)
		return WS_CODE_BAD_DATA;
	return 0;
}
