// SPDX-License-Identifier: GPL-2.0
/* ws_ulp/frame.c: RFC 6455 section 5.2. */
#include "frame.h"
#include "tap.h"

static const u64 lengths[] = {
	0, 1, 2, 5, 124, 125, 126, 127, 128, 255, 256, 257, 65534, 65535,
	65536, 65537, 1u << 20, 0x7fffffff, 0x80000000, 0xffffffff,
	0x100000000, 0x0123456789abcdef, 0x7fffffffffffffff,
};

/* Parses in a buffer of just @n bytes, so that ASan sees a look beyond. */
static bool parse(struct ws_hdr *h, const void *p, size_t n)
{
	u8 *copy = malloc(n);
	bool whole;

	memcpy(copy, p, n);
	memset(h, 0xa5, sizeof(*h));
	whole = ws_hdr_parse(h, copy, n);
	free(copy);
	return whole;
}

static u32 key_of(const char *bytes)
{
	u32 key;

	memcpy(&key, bytes, sizeof(key));
	return key;
}

struct vector {
	const char	*bytes;
	size_t		n;
	struct ws_hdr	want;
};

static void same(const struct ws_hdr *h, const struct ws_hdr *want)
{
	CHECK_EQ(h->len, want->len);
	CHECK_EQ(h->key, want->key);
	CHECK_EQ(h->b0, want->b0);
	CHECK_EQ(h->masked, want->masked);
	CHECK_EQ(h->minimal, want->minimal);
	CHECK_EQ(h->size, want->size);
	CHECK_EQ(h->have, want->have);
}

TEST(rfc_examples, "RFC 6455 5.7")
{
	const struct vector v[] = {
		{ "\x81\x05Hello", 7, { 5, 0, 0x81, 0, 1, 2, 2 } },
		{ "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11,
		  { 5, key_of("\x37\xfa\x21\x3d"), 0x81, 1, 1, 6, 6 } },
		{ "\x01\x03Hel", 5, { 3, 0, 0x01, 0, 1, 2, 2 } },
		{ "\x80\x02lo", 4, { 2, 0, 0x80, 0, 1, 2, 2 } },
		{ "\x89\x05Hello", 7, { 5, 0, 0x89, 0, 1, 2, 2 } },
		{ "\x8a\x85\x37\xfa\x21\x3d", 6,
		  { 5, key_of("\x37\xfa\x21\x3d"), 0x8a, 1, 1, 6, 6 } },
		{ "\x82\x7e\x01\x00", 4, { 256, 0, 0x82, 0, 1, 4, 4 } },
		{ "\x82\x7f\0\0\0\0\0\x01\0\0", 10,
		  { 65536, 0, 0x82, 0, 1, 10, 10 } },
	};
	struct ws_hdr h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		CHECK(parse(&h, v[i].bytes, v[i].n), "example %zu", i);
		same(&h, &v[i].want);
	}
}

TEST(tunnel_examples, "RFC 6455 5.2")
{
	struct ws_hdr h, want;

	CHECK(parse(&h, "\x82\xfe\x01\x04\xc9\xd6\xdd\x29", 8), "binary");
	want = (struct ws_hdr){ 0x104, 0, 0x82, 1, 1, 8, 8 };
	want.key = key_of("\xc9\xd6\xdd\x29");
	same(&h, &want);
	CHECK(parse(&h, "\x81\xfe\x01\x58\xbd\x94\x2a\x31", 8), "base64");
	want = (struct ws_hdr){ 0x158, 0, 0x81, 1, 1, 8, 8 };
	want.key = key_of("\xbd\x94\x2a\x31");
	same(&h, &want);
}

TEST(nothing_yet, "RFC 6455 5.2")
{
	struct ws_hdr h;

	CHECK(!parse(&h, "", 0), "a header of no bytes");
	same(&h, &(struct ws_hdr){ .size = 2 });
}

TEST(first_byte_only, "RFC 6455 5.2")
{
	struct ws_hdr h;
	unsigned int b;

	for (b = 0; b < 256; b++) {
		u8 byte = b;

		CHECK(!parse(&h, &byte, 1), "a header of one byte");
		same(&h, &(struct ws_hdr){ .b0 = b, .size = 2, .have = 1 });
		CHECK_EQ(ws_hdr_opcode(&h), b % 16);
		CHECK_EQ(ws_hdr_fin(&h), b / 128);
		CHECK_EQ(ws_opcode_is_ctrl(ws_hdr_opcode(&h)), b % 16 >= 8);
	}
}

/* The size of a header and what two bytes say, for all of them. */
TEST(first_two_bytes, "RFC 6455 5.2")
{
	struct ws_hdr h;
	unsigned int i;

	for (i = 0; i < 65536; i++) {
		u8 p[2] = { i >> 8, i };
		u8 code = i & 0x7f;
		u8 size = 2 + (i & 0x80 ? 4 : 0) +
			  (code == 126 ? 2 : code == 127 ? 8 : 0);
		bool whole = parse(&h, p, 2);

		CHECK_EQ(whole, size == 2);
		CHECK_EQ(h.b0, p[0]);
		CHECK_EQ(h.masked, i >> 7 & 1);
		CHECK_EQ(h.size, size);
		CHECK_EQ(h.have, 2);
		CHECK_EQ(h.len, code < 126 ? code : 0);
	}
}

/* An independent encoder: @ext bytes of length, 0, 2 or 8. */
static size_t encode(u8 *out, u8 b0, u64 len, unsigned int ext, const u8 *key)
{
	size_t n = 2, i;

	out[0] = b0;
	out[1] = (ext == 8 ? 127 : ext == 2 ? 126 : len) + (key ? 128 : 0);
	for (i = 0; i < ext; i++)
		out[n++] = len >> 8 * (ext - 1 - i);
	for (i = 0; key && i < 4; i++)
		out[n++] = key[i];
	return n;
}

static unsigned int shortest(u64 len)
{
	return len < 126 ? 0 : len < 65536 ? 2 : 8;
}

/* A header cut after each of its bytes. */
static void parse_prefixes(const u8 *p, size_t n, const struct ws_hdr *want)
{
	struct ws_hdr h;
	size_t have;

	for (have = 0; have < n; have++) {
		CHECK(!parse(&h, p, have), "whole after %zu of %zu", have, n);
		CHECK_EQ(h.have, have);
		CHECK_EQ(h.key, 0);
		if (have < 2)
			continue;
		CHECK_EQ(h.b0, want->b0);
		CHECK_EQ(h.masked, want->masked);
		CHECK_EQ(h.size, n);
		CHECK_EQ(ws_hdr_len_end(&h), n - (want->masked ? 4 : 0));
		CHECK_EQ(ws_hdr_len_known(&h), have >= ws_hdr_len_end(&h));
		CHECK_EQ(h.len, ws_hdr_len_known(&h) ? want->len : 0);
		CHECK_EQ(h.minimal, ws_hdr_len_known(&h) && want->minimal);
	}
	for (have = n; have <= n + 3; have++) {
		CHECK(parse(&h, p, have), "not whole after %zu", have);
		same(&h, want);
	}
}

TEST(every_length_encoding_cut_everywhere, "RFC 6455 5.2")
{
	static const u8 ext[] = { 0, 2, 8 };
	static const u8 key[4] = { 1, 2, 3, 4 };
	u8 p[WS_HDR_MAX + 4] = { 0 };
	unsigned int e, m;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (e = 0; e < 3; e++)
			for (m = 0; m < 2; m++) {
				u64 len = lengths[i];
				struct ws_hdr want = {
					.len = len, .b0 = 0x82, .masked = m,
					.minimal = ext[e] == shortest(len),
					.key = m ? key_of((char *)key) : 0,
				};

				if (ext[e] < shortest(len))
					continue;
				n = encode(p, 0x82, len, ext[e],
					   m ? key : NULL);
				want.size = n;
				want.have = n;
				parse_prefixes(p, n, &want);
			}
}

TEST(longer_encodings_are_not_minimal, "RFC 6455 5.2")
{
	struct ws_hdr h;

	CHECK(parse(&h, "\x82\x7e\x00\x7d", 4), "125 in 16 bits");
	CHECK(!h.minimal && h.len == 125, "125 in 16 bits");
	CHECK(parse(&h, "\x82\x7e\x00\x7e", 4), "126 in 16 bits");
	CHECK(h.minimal && h.len == 126, "126 in 16 bits");
	CHECK(parse(&h, "\x82\x7f\0\0\0\0\0\0\xff\xff", 10), "65535 in 64");
	CHECK(!h.minimal && h.len == 65535, "65535 in 64 bits");
	CHECK(parse(&h, "\x82\x7f\0\0\0\0\0\x01\0\0", 10), "65536 in 64 bits");
	CHECK(h.minimal && h.len == 65536, "65536 in 64 bits");
}

TEST(top_bit_of_64_is_not_minimal, "RFC 6455 5.2")
{
	struct ws_hdr h;

	CHECK(parse(&h, "\x82\x7f\x80\0\0\0\0\0\0\0", 10), "2^63");
	CHECK(!h.minimal, "2^63");
	CHECK(parse(&h, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10),
	      "2^64 - 1");
	CHECK(!h.minimal, "2^64 - 1");
	CHECK(parse(&h, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10),
	      "2^63 - 1");
	CHECK(h.minimal && h.len == ~0ull >> 1, "2^63 - 1");
}

TEST(build_is_shortest, "RFC 6455 5.2")
{
	u8 want[WS_HDR_MAX], got[WS_HDR_MAX + 2];
	static const u8 key[4] = { 9, 8, 7, 6 };
	u32 k = key_of((char *)key);
	unsigned int m;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (m = 0; m < 2; m++) {
			n = encode(want, 0xc1, lengths[i],
				   shortest(lengths[i]), m ? key : NULL);
			memset(got, 0xee, sizeof(got));
			CHECK_EQ(ws_hdr_build(got, 0xc1, lengths[i],
					      m ? &k : NULL), n);
			CHECK(!memcmp(got, want, n), "length %#llx",
			      (unsigned long long)lengths[i]);
			CHECK_EQ(got[n], 0xee);
		}
}

TEST(build_of_all_small_lengths, "RFC 6455 5.2")
{
	u8 out[WS_HDR_MAX];
	struct ws_hdr h;
	u64 len;

	for (len = 0; len < 70000; len++) {
		unsigned int n = ws_hdr_build(out, 0x82, len, NULL);

		CHECK(ws_hdr_parse(&h, out, n) && h.size == n && h.minimal &&
		      h.len == len, "length %llu", (unsigned long long)len);
	}
}

TEST(build_then_parse, "RFC 6455 5.2")
{
	unsigned long long seed = 6455;
	struct ws_hdr h, want;
	u8 out[WS_HDR_MAX];
	unsigned int i, n;

	for (i = 0; i < 200000; i++) {
		u64 len = ((u64)tap_random(&seed) << 32 | tap_random(&seed)) >>
			  (1 + tap_random(&seed) % 63);
		u32 key = tap_random(&seed) | 1;
		u8 b0 = tap_random(&seed);
		bool m = tap_random(&seed) & 1;

		n = ws_hdr_build(out, b0, len, m ? &key : NULL);
		CHECK(parse(&h, out, n), "not whole");
		want = (struct ws_hdr){ len, m ? key : 0, b0, m, true, n, n };
		same(&h, &want);
	}
}

TEST(key_of_zero_is_a_key, "RFC 6455 5.3")
{
	u8 out[WS_HDR_MAX];
	struct ws_hdr h;
	u32 key = 0;

	CHECK_EQ(ws_hdr_build(out, 0x82, 5, &key), 6);
	CHECK(parse(&h, out, 6), "not whole");
	CHECK(h.masked && !h.key, "mask bit");
}

TAP_MAIN("frame")
