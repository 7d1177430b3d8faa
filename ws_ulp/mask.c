// SPDX-License-Identifier: GPL-2.0
/*
 * Masking of RFC 6455 section 5.3, by words of eight bytes: the kernel has no
 * vector registers to spare here. Words are loaded and stored through
 * memcpy(), which any alignment allows and compilers turn into one access.
 */
#include "mask.h"

static void mask_word(u8 *dst, const u8 *src, u64 key)
{
	u64 w;

	memcpy(&w, src, sizeof(w));
	w ^= key;
	memcpy(dst, &w, sizeof(w));
}

/**
 * ws_mask_copy() - copy payload and mask or unmask it on the way
 * @dst: @n bytes, any alignment; does not overlap @src, but may be @src
 * @src: @n bytes, any alignment
 * @n: number of bytes, any
 * @key: masking key in memory order, turned by ws_mask_turn() so that its
 *	first byte belongs to the first byte at @src
 *
 * RFC 6455 section 5.3; masking and unmasking are the same.
 */
void ws_mask_copy(u8 *dst, const u8 *src, size_t n, u32 key)
{
	const u64 wide = (u64)key << 32 | key;
	u8 bytes[sizeof(key)];
	size_t i;

	for (; n >= 32; n -= 32, dst += 32, src += 32) {
		mask_word(dst, src, wide);
		mask_word(dst + 8, src + 8, wide);
		mask_word(dst + 16, src + 16, wide);
		mask_word(dst + 24, src + 24, wide);
	}
	for (; n >= 8; n -= 8, dst += 8, src += 8)
		mask_word(dst, src, wide);

	memcpy(bytes, &key, sizeof(bytes));
	for (i = 0; i < n; i++)
		dst[i] = src[i] ^ bytes[i & 3];
}

/**
 * ws_mask() - mask or unmask payload in place
 * @buf: @n bytes, any alignment; memory of our own, never a page of an skb
 * @n: number of bytes, any
 * @key: as for ws_mask_copy()
 *
 * RFC 6455 section 5.3.
 */
void ws_mask(u8 *buf, size_t n, u32 key)
{
	ws_mask_copy(buf, buf, n, key);
}
