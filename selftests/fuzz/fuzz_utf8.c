// SPDX-License-Identifier: GPL-2.0
/*
 * ws_utf8_check() against the reference decoder: the first byte says how the
 * rest is cut.
 */
#include "fuzz.h"
#include "ref_utf8.h"
#include "utf8.h"

static size_t check_cut(const u8 *p, size_t n, u32 seed, bool *whole)
{
	u16 state = WS_UTF8_OK;
	size_t at = 0, good;

	while (at < n) {
		size_t piece = fuzz_piece(&seed, n - at);

		good = ws_utf8_check(&state, p + at, piece);
		if (good < piece)
			return at + good;
		at += piece;
	}
	*whole = state == WS_UTF8_OK;
	return n;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	bool whole = true, cut_whole = true, want_whole = true;
	u16 state = WS_UTF8_OK;
	size_t want;

	if (!n)
		return 0;
	want = ref_utf8(data + 1, n - 1, &want_whole);
	FUZZ_CHECK(ws_utf8_check(&state, data + 1, n - 1) == want);
	whole = state == WS_UTF8_OK;
	FUZZ_CHECK(check_cut(data + 1, n - 1, data[0], &cut_whole) == want);
	if (want == n - 1)
		FUZZ_CHECK(whole == want_whole && cut_whole == want_whole);
	return 0;
}
