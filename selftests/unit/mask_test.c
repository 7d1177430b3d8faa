// SPDX-License-Identifier: GPL-2.0
/*
 * ws_ulp/mask.c against masking byte by byte, as RFC 6455 section 5.3 has it.
 * MASK_LENGTH and MASK_ALIGN bound the exhaustive part.
 */
#include "mask.h"
#include "tap.h"

#ifndef MASK_LENGTH
#define MASK_LENGTH	136
#endif
#ifndef MASK_ALIGN
#define MASK_ALIGN	9
#endif

#define GUARD	16
#define ROOM	(MASK_LENGTH + MASK_ALIGN + 2 * GUARD)

static const u8 key_bytes[4] = { 0x37, 0xfa, 0x21, 0x3d };

static u32 key_at(u64 n)
{
	u32 key;

	memcpy(&key, key_bytes, sizeof(key));
	return ws_mask_turn(key, n);
}

/* "j = i MOD 4": section 5.3 */
static u8 masked(u8 byte, u64 i)
{
	return byte ^ key_bytes[i % 4];
}

static u8 pattern(size_t i)
{
	return i * 29 + 7;
}

static void fill(u8 *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = pattern(i);
}

/* @n bytes masked from @at on, as they lie in @dst, and nothing around. */
static void verify(const u8 *dst, size_t at, const u8 *src, size_t n,
		   unsigned int turn)
{
	size_t i;

	for (i = 0; i < n; i++)
		CHECK(dst[at + i] == masked(src[i], turn + i),
		      "turn %u, align %zu, length %zu: byte %zu", turn, at, n,
		      i);
	for (i = 0; i < at; i++)
		CHECK(dst[i] == pattern(i), "length %zu: wrote in front", n);
	for (i = at + n; i < ROOM; i++)
		CHECK(dst[i] == pattern(i), "length %zu: wrote behind", n);
}

TEST(rfc_example, "RFC 6455 5.7")
{
	u8 p[5] = { 0x7f, 0x9f, 0x4d, 0x51, 0x58 };

	ws_mask(p, sizeof(p), key_at(0));
	CHECK(!memcmp(p, "Hello", 5), "unmasked wrong");
}

TEST(tunnel_examples, "RFC 6455 5.3")
{
	u8 a[6] = { 0xdf, 0xd5, 0xde, 0x29, 0x36, 0xd7 };
	u8 c[8] = { 0x41, 0x73, 0x00, 0x0b, 0x70, 0x73, 0x6e, 0x45 };
	u8 b[6] = { 0xfb, 0xf3, 0x67, 0x75, 0xfc, 0xc4 };
	u32 key;

	memcpy(&key, "\xc9\xd6\xdd\x29", 4);
	ws_mask(a, sizeof(a), key);
	CHECK(!memcmp(a, "\x16\x03\x03\x00\xff\x01", 6), "TLS hello");
	memcpy(&key, "\xbd\x94\x2a\x31", 4);
	ws_mask(b, sizeof(b), key);
	CHECK(!memcmp(b, "FgMDAP", 6), "base64");
	memcpy(&key, "\x12\x34\x56\x78", 4);
	ws_mask(c, sizeof(c), key);
	CHECK(!memcmp(c, "SGVsbG8=", 8), "base64 with padding");
}

TEST(turn_moves_the_key, "RFC 6455 5.3")
{
	static const u64 far[] = { 1ull << 32, (1ull << 63) - 4 };
	unsigned int n, i, f;
	u8 got[4];
	u32 key;

	for (n = 0; n < 16; n++)
		for (f = 0; f < 3; f++) {
			key = key_at(n + (f ? far[f - 1] : 0));
			memcpy(got, &key, sizeof(got));
			for (i = 0; i < 4; i++)
				CHECK(got[i] == key_bytes[(n + i) % 4],
				      "turn %u, byte %u", n, i);
		}
}

TEST(in_place_every_turn_length_alignment, "RFC 6455 5.3")
{
	u8 src[ROOM], dst[ROOM];
	unsigned int turn;
	size_t n, at;

	for (turn = 0; turn < 8; turn++)
		for (n = 0; n <= MASK_LENGTH; n++)
			for (at = 0; at < MASK_ALIGN; at++) {
				fill(src, ROOM);
				fill(dst, ROOM);
				ws_mask(dst + GUARD + at, n, key_at(turn));
				verify(dst, GUARD + at, src + GUARD + at, n,
				       turn);
			}
}

static void copy_once(unsigned int turn, size_t n, size_t to, size_t from)
{
	u8 src[ROOM], dst[ROOM];

	fill(src, ROOM);
	fill(dst, ROOM);
	ws_mask_copy(dst + GUARD + to, src + from, n, key_at(turn));
	verify(dst, GUARD + to, src + from, n, turn);
}

TEST(copy_every_turn_length_alignment, "RFC 6455 5.3")
{
	unsigned int turn;
	size_t n, to, from;

	for (turn = 0; turn < 4; turn++)
		for (n = 0; n <= MASK_LENGTH; n++)
			for (to = 0; to < MASK_ALIGN; to++)
				for (from = 0; from < MASK_ALIGN; from++)
					copy_once(turn, n, to, from);
}

/* Buffers of just the size: ASan sees a read or a write beyond. */
TEST(stays_inside_its_buffers, "mask.c")
{
	size_t n;

	for (n = 0; n <= MASK_LENGTH; n++) {
		u8 *src = malloc(n), *dst = malloc(n);

		memset(src, 0x55, n);
		ws_mask_copy(dst, src, n, key_at(0));
		ws_mask(dst, n, key_at(0));
		CHECK(!n || !memcmp(dst, src, n), "length %zu", n);
		free(dst);
		free(src);
	}
}

TEST(every_pair_of_cuts, "RFC 6455 5.3")
{
	u8 src[300], whole[300], dst[300];
	size_t a, b;

	fill(src, sizeof(src));
	ws_mask_copy(whole, src, sizeof(src), key_at(0));
	for (a = 0; a <= sizeof(src); a++)
		for (b = a; b <= sizeof(src); b++) {
			ws_mask_copy(dst, src, a, key_at(0));
			ws_mask_copy(dst + a, src + a, b - a, key_at(a));
			ws_mask_copy(dst + b, src + b, sizeof(src) - b,
				     key_at(b));
			CHECK(!memcmp(dst, whole, sizeof(dst)),
			      "cut at %zu and %zu", a, b);
		}
}

TEST(key_of_zero_copies, "RFC 6455 5.3")
{
	u8 src[100], dst[100];

	fill(src, sizeof(src));
	ws_mask_copy(dst, src, sizeof(dst), 0);
	CHECK(!memcmp(dst, src, sizeof(dst)), "changed");
}

TAP_MAIN("mask")
