// SPDX-License-Identifier: GPL-2.0
/*
 * Masking against the definition in RFC 6455 section 5.3: four bytes of key,
 * one of alignment and turn, one of cuts, payload.
 */
#include "fuzz.h"
#include "mask.h"

#define HEAD	6

static void check_copy(const u8 *want, const u8 *src, size_t n, u32 key,
		       size_t align)
{
	u8 *room = malloc(n + align);

	ws_mask_copy(room + align, src, n, key);
	FUZZ_CHECK(!n || !memcmp(room + align, want, n));
	ws_mask(room + align, n, key);
	FUZZ_CHECK(!n || !memcmp(room + align, src, n));
	free(room);
}

static void check_cut(const u8 *want, const u8 *src, size_t n, u32 key,
		      u32 seed)
{
	u8 *out = malloc(n);
	size_t at = 0;

	while (at < n) {
		size_t piece = fuzz_piece(&seed, n - at);

		ws_mask_copy(out + at, src + at, piece, key);
		key = ws_mask_turn(key, piece);
		at += piece;
	}
	FUZZ_CHECK(!n || !memcmp(out, want, n));
	free(out);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	const u8 *key_bytes = data, *src = data + HEAD;
	size_t i, turn;
	u32 key;
	u8 *want;

	if (n < HEAD)
		return 0;
	n -= HEAD;
	turn = data[4] >> 4;
	memcpy(&key, key_bytes, sizeof(key));
	key = ws_mask_turn(key, turn);

	want = malloc(n);
	for (i = 0; i < n; i++)
		want[i] = src[i] ^ key_bytes[(i + turn) % 4];
	check_copy(want, src, n, key, data[4] & 15);
	check_cut(want, src, n, key, data[5]);
	free(want);
	return 0;
}
