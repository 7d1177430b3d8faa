// SPDX-License-Identifier: GPL-2.0
/* ws_ulp/utf8.c against the grammar of RFC 3629 and a second decoder. */
#include "ref_utf8.h"
#include "tap.h"
#include "utf8.h"

/* Each byte at which RFC 3629 section 4 changes its mind, and its neighbour. */
static const u8 edges[] = {
	0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
	0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3,
	0xf4, 0xf5, 0xf7, 0xf8, 0xff,
};

#define EDGES	(sizeof(edges))

/* All of @p at once, in a buffer of just its size so that ASan sees more. */
static size_t check_exact(const u8 *p, size_t n, bool *whole)
{
	u16 state = WS_UTF8_OK;
	u8 *copy = malloc(n);
	size_t good;

	memcpy(copy, p, n);
	good = ws_utf8_check(&state, copy, n);
	free(copy);
	*whole = state == WS_UTF8_OK;
	return good;
}

static void same_as_ref(const u8 *p, size_t n)
{
	bool whole, want_whole;
	size_t good, want;

	want = ref_utf8(p, n, &want_whole);
	good = check_exact(p, n, &whole);
	CHECK(good == want, "%zu bytes, %02x %02x %02x %02x: %zu good, not %zu",
	      n, p[0], p[1], p[2], p[3], good, want);
	if (good == n)
		CHECK(whole == want_whole, "%zu bytes from %02x: boundary", n,
		      p[0]);
}

struct sample {
	const char	*text;
	size_t		n;
	size_t		good;
	bool		whole;
};

#define SAMPLE(text_, good_, whole_) \
	{ text_, sizeof(text_) - 1, good_, whole_ }
#define VALID(text_)	SAMPLE(text_, sizeof(text_) - 1, true)
#define CUT(text_)	SAMPLE(text_, sizeof(text_) - 1, false)

static void run_samples(const struct sample *s, size_t count)
{
	bool whole;
	size_t i;

	for (i = 0; i < count; i++) {
		size_t good = check_exact((const u8 *)s[i].text, s[i].n,
					  &whole);

		CHECK(good == s[i].good, "sample %zu: %zu good, not %zu", i,
		      good, s[i].good);
		CHECK(good < s[i].n || whole == s[i].whole,
		      "sample %zu: boundary", i);
	}
}

#define RUN(samples) \
	run_samples(samples, ARRAY_SIZE(samples))

TEST(every_length_first_and_last, "RFC 3629 3")
{
	static const struct sample s[] = {
		VALID(""), VALID("\x00"), VALID("\x7f"),
		VALID("\xc2\x80"), VALID("\xdf\xbf"),
		VALID("\xe0\xa0\x80"), VALID("\xef\xbf\xbf"),
		VALID("\xf0\x90\x80\x80"), VALID("\xf4\x8f\xbf\xbf"),
		VALID("\xed\x9f\xbf"), VALID("\xee\x80\x80"),
	};

	RUN(s);
}

TEST(overlong_at_first_impossible_byte, "RFC 3629 3")
{
	static const struct sample s[] = {
		SAMPLE("\xc0\x80", 0, false), SAMPLE("\xc1\xbf", 0, false),
		SAMPLE("\xe0\x80\x80", 1, false),
		SAMPLE("\xe0\x9f\xbf", 1, false),
		SAMPLE("\xf0\x80\x80\x80", 1, false),
		SAMPLE("\xf0\x8f\xbf\xbf", 1, false),
	};

	RUN(s);
}

TEST(surrogates, "RFC 3629 3")
{
	static const struct sample s[] = {
		SAMPLE("\xed\xa0\x80", 1, false),
		SAMPLE("\xed\xbf\xbf", 1, false),
		SAMPLE("\xed\xa0\x80\xed\xb0\x80", 1, false),
	};

	RUN(s);
}

TEST(above_10ffff, "RFC 3629 3")
{
	static const struct sample s[] = {
		SAMPLE("\xf4\x90\x80\x80", 1, false),
		SAMPLE("\xf5\x80\x80\x80", 0, false),
		SAMPLE("\xf8\x88\x80\x80\x80", 0, false),
		SAMPLE("\xfc\x84\x80\x80\x80\x80", 0, false),
		SAMPLE("\xfe", 0, false), SAMPLE("\xff", 0, false),
	};

	RUN(s);
}

TEST(tail_without_lead, "RFC 3629 4")
{
	static const struct sample s[] = {
		SAMPLE("\x80", 0, false), SAMPLE("\xbf", 0, false),
		SAMPLE("a\x80", 1, false), SAMPLE("\xc3\xa9\xa9", 2, false),
	};

	RUN(s);
}

TEST(lead_without_tail, "RFC 3629 4")
{
	static const struct sample s[] = {
		SAMPLE("\xc3z", 1, false), SAMPLE("\xe2\x82z", 2, false),
		SAMPLE("\xf0\x9f\x98z", 3, false),
		SAMPLE("\xe2\xe2\x82\xac", 1, false),
		SAMPLE("\xf0\x9f\xc3\xa9", 2, false),
	};

	RUN(s);
}

TEST(cut_character_is_no_boundary, "RFC 6455 8.1")
{
	static const struct sample s[] = {
		CUT("\xc3"), CUT("\xe2"), CUT("\xe2\x82"), CUT("\xf0"),
		CUT("\xf0\x9f"), CUT("\xf0\x9f\x98"), CUT("ok \xf4\x8f\xbf"),
	};

	RUN(s);
}

TEST(error_leaves_state_alone, "utf8.c")
{
	u16 state = WS_UTF8_OK, before;

	CHECK_EQ(ws_utf8_check(&state, (const u8 *)"\xe2\x82", 2), 2);
	before = state;
	CHECK_EQ(ws_utf8_check(&state, (const u8 *)"\xff", 1), 0);
	CHECK_EQ(state, before);
	CHECK_EQ(ws_utf8_check(&state, (const u8 *)"\xac", 1), 1);
	CHECK_EQ(state, WS_UTF8_OK);
}

TEST(nothing_changes_nothing, "utf8.c")
{
	u16 state = WS_UTF8_OK, before;

	CHECK_EQ(ws_utf8_check(&state, NULL, 0), 0);
	CHECK_EQ(state, WS_UTF8_OK);
	CHECK_EQ(ws_utf8_check(&state, (const u8 *)"\xf0\x9f", 2), 2);
	before = state;
	CHECK_EQ(ws_utf8_check(&state, NULL, 0), 0);
	CHECK_EQ(state, before);
}

/* All strings of four edge bytes, which include all shorter ones. */
TEST(edge_bytes_against_reference, "RFC 3629 4")
{
	size_t i, n;
	u8 s[4];

	for (i = 0; i < EDGES * EDGES * EDGES * EDGES; i++) {
		s[0] = edges[i % EDGES];
		s[1] = edges[i / EDGES % EDGES];
		s[2] = edges[i / (EDGES * EDGES) % EDGES];
		s[3] = edges[i / (EDGES * EDGES * EDGES)];
		for (n = 1; n <= 4; n++)
			same_as_ref(s, n);
	}
}

/* All three-byte strings: with four bytes it is `make exhaustive`. */
TEST(three_bytes_against_reference, "RFC 3629 4")
{
	u8 s[4] = { 0 };
	unsigned int i;

	for (i = 0; i < 1u << 24; i++) {
		bool whole, want_whole;
		u16 state = WS_UTF8_OK;
		size_t good, want;

		s[0] = i >> 16;
		s[1] = i >> 8;
		s[2] = i;
		want = ref_utf8(s, 3, &want_whole);
		good = ws_utf8_check(&state, s, 3);
		whole = state == WS_UTF8_OK;
		CHECK(good == want && (good < 3 || whole == want_whole),
		      "%06x: %zu good, not %zu", i, good, want);
	}
}

static void place(u8 *buf, size_t n, const char *fill, const u8 *s, size_t at)
{
	size_t i, len = strlen(fill);

	for (i = 0; i < n; i++)
		buf[i] = fill[i % len];
	memcpy(buf + at, s, 3);
}

/*
 * Good and bad characters at each place of texts of each length up to 50, so
 * that words and blocks begin and end everywhere: in ASCII, and in text of
 * two, three and four bytes a character.
 */
TEST(every_place_in_a_block, "utf8.c")
{
	static const char * const fill[] = {
		"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	};
	unsigned int f, e;
	size_t n, at;
	u8 buf[50];

	for (f = 0; f < 4; f++)
		for (n = 4; n <= sizeof(buf); n++)
			for (at = 0; at + 3 <= n; at++)
				for (e = 0; e < EDGES * EDGES; e++) {
					u8 s[3] = { edges[e % EDGES], 0x80,
						    edges[e / EDGES] };

					place(buf, n, fill[f], s, at);
					same_as_ref(buf, n);
				}
}

static size_t check_pieces(const u8 *p, size_t a, size_t b, size_t n,
			   u16 *state)
{
	size_t good;

	*state = WS_UTF8_OK;
	good = ws_utf8_check(state, p, a);
	if (good == a)
		good += ws_utf8_check(state, p + a, b - a);
	if (good == b)
		good += ws_utf8_check(state, p + b, n - b);
	return good;
}

static void all_cuts(const u8 *p, size_t n)
{
	size_t a, b, good, want;
	u16 state, want_state;

	want = check_pieces(p, 0, 0, n, &want_state);
	for (a = 0; a <= n; a++)
		for (b = a; b <= n; b++) {
			good = check_pieces(p, a, b, n, &state);
			CHECK(good == want, "cut at %zu, %zu: %zu, not %zu", a,
			      b, good, want);
			CHECK(good < n || state == want_state,
			      "cut at %zu, %zu: state", a, b);
		}
}

TEST(every_pair_of_cuts, "RFC 6455 8.1")
{
	static const char text[] =
		"ascii, then \xc3\xa9t\xc3\xa9, \xe2\x82\xac 5, \xf0\x9f\x98"
		"\x80\xf4\x8f\xbf\xbf \xed\x9f\xbf\xee\x80\x80 and some more "
		"of ascii that fills blocks of sixteen bytes, \xd0\xb4\xd0\xb0"
		"\xd0\xb4\xd0\xb0\xe6\x88\x91\xe8\x83\xbd\xe5\x90\x9e";
	static const u8 bad[] = { 0xff, 0x80, 0xc0, 0xed };
	u8 copy[sizeof(text)];
	size_t i, k;

	all_cuts((const u8 *)text, sizeof(text) - 1);
	for (k = 0; k < sizeof(bad); k++)
		for (i = 0; i < sizeof(text) - 1; i += 5) {
			memcpy(copy, text, sizeof(copy));
			copy[i] = bad[k];
			all_cuts(copy, sizeof(copy) - 1);
		}
}

TEST(random_bytes_against_reference, "RFC 3629 4")
{
	unsigned long long seed = 3629;
	u8 buf[64];
	size_t i, n;

	for (i = 0; i < 300000; i++) {
		for (n = 0; n < sizeof(buf); n++)
			buf[n] = tap_random(&seed) % 8 ? 0x80 | n :
				edges[tap_random(&seed) % EDGES];
		same_as_ref(buf, 4 + tap_random(&seed) % (sizeof(buf) - 4));
	}
}

TAP_MAIN("utf8")
