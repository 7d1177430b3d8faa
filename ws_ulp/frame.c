// SPDX-License-Identifier: GPL-2.0
/* Frame headers of RFC 6455 section 5.2: parse and build. */
#include "frame.h"

/* Values of the 7-bit length that say where the real one stands. */
#define LEN_16	126
#define LEN_64	127

static unsigned int ext_len_size(u8 code)
{
	if (code < LEN_16)
		return 0;
	return code == LEN_16 ? 2 : 8;
}

static u64 load_be(const u8 *p, unsigned int n)
{
	u64 v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void store_be(u8 *p, u64 v, unsigned int n)
{
	while (n--) {
		p[n] = v;
		v >>= 8;
	}
}

/* "The minimal number of bytes MUST be used", "MSB MUST be 0": section 5.2. */
static bool len_is_minimal(u64 len, u8 code)
{
	if (code < LEN_16)
		return true;
	if (code == LEN_16)
		return len >= LEN_16;
	return len > 0xffff && !(len >> 63);
}

/**
 * ws_hdr_parse() - decode a frame header
 * @h: result; every field is written whatever @n is
 * @p: the header's first byte
 * @n: bytes at @p, any number; at most %WS_HDR_MAX are looked at
 *
 * Nothing is kept between calls: a caller whose header comes in pieces
 * collects it and calls again. Judges nothing (ws_rules_check() does), only
 * records in @h->minimal whether the length is encoded as section 5.2 wants.
 *
 * Return: true when the whole header was there, which is then @h->size bytes
 * long; else false, @h->have is @n and what can be known from so much is set.
 */
bool ws_hdr_parse(struct ws_hdr *h, const u8 *p, size_t n)
{
	unsigned int ext;
	u8 b1, code;

	memset(h, 0, sizeof(*h));
	h->size = WS_HDR_MIN;
	if (n)
		h->b0 = p[0];
	if (n < WS_HDR_MIN) {
		h->have = n;
		return false;
	}

	b1 = READ_BYTE(p + 1);
	code = b1 & WS_B1_LEN;
	ext = ext_len_size(code);
	h->masked = b1 & WS_B1_MASK;
	h->size += ext + (h->masked ? WS_KEY_SIZE : 0);
	h->have = n < h->size ? n : h->size;
	if (n < WS_HDR_MIN + ext)
		return false;

	h->len = ext ? load_be(p + WS_HDR_MIN, ext) : code;
	h->minimal = len_is_minimal(h->len, code);
	if (n < h->size)
		return false;
	if (h->masked)
		memcpy(&h->key, p + WS_HDR_MIN + ext, WS_KEY_SIZE);
	return true;
}

/**
 * ws_hdr_build() - write a frame header, with the shortest length encoding
 * @out: room for %WS_HDR_MAX bytes
 * @b0: first byte: FIN, reserved bits, opcode
 * @len: payload bytes, less than 2^63 (RFC 6455 section 5.2)
 * @key: masking key as it shall stand in memory, sets the mask bit (section
 *	5.3); NULL for a frame that is not masked
 *
 * Return: bytes written, 2 to %WS_HDR_MAX.
 */
unsigned int ws_hdr_build(u8 *out, u8 b0, u64 len, const u32 *key)
{
	unsigned int ext;
	u8 code = len;

	if (len >= LEN_16)
		code = len > 0xffff ? LEN_64 : LEN_16;
	ext = ext_len_size(code);
	out[0] = b0;
	out[1] = code | (key ? WS_B1_MASK : 0);
	store_be(out + WS_HDR_MIN, len, ext);
	if (!key)
		return WS_HDR_MIN + ext;
	memcpy(out + WS_HDR_MIN + ext, key, WS_KEY_SIZE);
	return WS_HDR_MIN + ext + WS_KEY_SIZE;
}
