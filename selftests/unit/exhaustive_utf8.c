// SPDX-License-Identifier: GPL-2.0
/*
 * All 2^32 strings of four bytes through ws_utf8_check(), each alone, in two
 * pieces, and inside a block of 16 bytes of ASCII, against the reference
 * decoder. One child a processor; some minutes.
 */
#include "ref_utf8.h"
#include "tap.h"
#include "utf8.h"

#define BLOCK	32

struct verdict {
	size_t	good;
	bool	whole;
};

static void alone(u32 v, const u8 *s, const struct verdict *want)
{
	unsigned int at = v % 5;
	u16 state = WS_UTF8_OK;
	size_t good;

	good = ws_utf8_check(&state, s, at);
	if (good == at)
		good += ws_utf8_check(&state, s + at, 4 - at);
	CHECK(good == want->good, "%08x cut at %u: %zu good, not %zu", v, at,
	      good, want->good);
	CHECK(good < 4 || (state == WS_UTF8_OK) == want->whole,
	      "%08x cut at %u: boundary", v, at);
}

/* The ASCII behind an unfinished character is what is bad then. */
static void in_block(u32 v, u8 *block, const u8 *s, const struct verdict *want)
{
	unsigned int at = v % (BLOCK - 4);
	size_t good, expect = at + want->good;
	u16 state = WS_UTF8_OK;

	if (want->good == 4 && want->whole)
		expect = BLOCK;
	memcpy(block + at, s, 4);
	good = ws_utf8_check(&state, block, BLOCK);
	memset(block + at, 'a', 4);
	CHECK(good == expect, "%08x at %u of a block: %zu good, not %zu", v,
	      at, good, expect);
}

static void first_byte(u32 first)
{
	u8 block[BLOCK];
	u32 low;

	memset(block, 'a', sizeof(block));
	for (low = 0; low < 1u << 24; low++) {
		u8 s[4] = { first, low >> 16, low >> 8, low };
		u32 v = first << 24 | low;
		struct verdict want;

		want.good = ref_utf8(s, 4, &want.whole);
		alone(v, s, &want);
		in_block(v, block, s, &want);
	}
}

TEST(all_strings_of_four_bytes, "RFC 3629")
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), cpu;
	int status, failed = 0;
	u32 first;

	for (cpu = 0; cpu < cpus; cpu++) {
		pid_t pid = fork();

		CHECK(pid >= 0, "fork");
		if (pid)
			continue;
		for (first = cpu; first < 256; first += cpus)
			first_byte(first);
		exit(0);
	}
	while (wait(&status) > 0)
		failed += status != 0;
	CHECK(!failed, "%d parts failed", failed);
}

TAP_MAIN("exhaustive_utf8")
