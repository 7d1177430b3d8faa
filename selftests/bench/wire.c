// SPDX-License-Identifier: GPL-2.0
/*
 * Framing in user space, by the best method there is: frames are unmasked
 * where recv() put them, moved down over the longer header that they came
 * with, and the whole buffer of replies leaves in one call.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"

#define FIN		0x80
#define OPCODE		0x0f
#define CONTROL		0x08
#define TEXT		0x1
#define BINARY		0x2
#define CLOSE		0x8
#define PING		0x9
#define PONG		0xa
#define MASKED		0x80

static const u8 key[4] = { 0x37, 0xfa, 0x21, 0x3d };

static size_t put_header(u8 *out, u8 b0, size_t len)
{
	out[0] = b0;
	if (len < 126) {
		out[1] = len;
		return 2;
	}
	if (len < 65536) {
		out[1] = 126;
		out[2] = len >> 8;
		out[3] = len;
		return 4;
	}
	dief("no frame of this benchmark is so long");
}

/* One frame, as a peer would build it. Returns its bytes. */
size_t wire_frame(u8 *out, u8 b0, const void *payload, size_t len,
		  bool masked)
{
	const u8 *p = payload;
	size_t hlen = put_header(out, b0, len), i;

	if (masked) {
		out[1] |= MASKED;
		memcpy(out + hlen, key, sizeof(key));
		hlen += sizeof(key);
	}
	for (i = 0; i < len; i++)
		out[hlen + i] = p[i] ^ (masked ? key[i & 3] : 0);
	return hlen + len;
}

/* n frames of so many bytes of payload. Returns their bytes. */
size_t wire_frames(u8 *out, u8 b0, size_t len, bool masked, unsigned int n)
{
	u8 payload[1024];
	size_t size = 0;

	memset(payload, 'x', sizeof(payload));
	if (len > sizeof(payload))
		dief("frames are too long");
	while (n--)
		size += wire_frame(out + size, b0, payload, len, masked);
	return size;
}

static void unmask(u8 *to, const u8 *from, size_t n, const u8 *k)
{
	u64 wide, word;
	u32 half;
	size_t i;

	memcpy(&half, k, sizeof(half));
	wide = (u64)half << 32 | half;
	for (; n >= sizeof(word); n -= sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		word ^= wide;
		memcpy(to, &word, sizeof(word));
		to += sizeof(word);
		from += sizeof(word);
	}
	for (i = 0; i < n; i++)
		to[i] = from[i] ^ k[i & 3];
}

/* What a server has to refuse; the reply's first byte, or 0. */
static u8 reply_to(u8 b0, u8 b1)
{
	if (!(b0 & FIN) || b0 & 0x70 || !(b1 & MASKED))
		return 0;
	switch (b0 & OPCODE) {
	case TEXT:
	case BINARY:
	case CLOSE:
		return b0;
	case PING:
		return FIN | PONG;
	default:
		return 0;
	}
}

/*
 * Turn whole frames of a client into a server's echoes and pongs, in place.
 * Sets used to the bytes of those frames. Returns bytes of replies.
 */
ssize_t wire_serve(u8 *buf, size_t len, size_t *used)
{
	size_t in = 0, out = 0, hlen, n;

	while (len - in >= 2) {
		const u8 *p = buf + in;
		u8 b0 = reply_to(p[0], p[1]), k[4];

		n = p[1] & 127;
		hlen = 2;
		if (!b0 || n == 127)
			return -EPROTO;
		if (n == 126) {
			if (len - in < 4)
				break;
			n = p[2] << 8 | p[3];
			hlen = 4;
		}
		if (len - in < hlen + sizeof(k) + n)
			break;
		memcpy(k, p + hlen, sizeof(k));
		out += put_header(buf + out, b0, n);
		unmask(buf + out, p + hlen + sizeof(k), n, k);
		out += n;
		in += hlen + sizeof(k) + n;
	}
	*used = in;
	return out;
}
