// SPDX-License-Identifier: GPL-2.0
/*
 * One header: what the parser says of a prefix it never takes back, what it
 * says of the whole the builder builds again, and wslay says the same.
 */
#include "frame.h"
#include "fuzz.h"
#ifdef HAVE_WSLAY
#include <wslay/wslay.h>
#endif

static void check_prefixes(const u8 *p, const struct ws_hdr *want, bool whole)
{
	struct ws_hdr h;
	size_t n;

	for (n = 0; n < want->have; n++) {
		FUZZ_CHECK(!ws_hdr_parse(&h, p, n));
		FUZZ_CHECK(h.have == n);
		FUZZ_CHECK(n < 1 || h.b0 == want->b0);
		FUZZ_CHECK(n < 2 || h.size == want->size);
		FUZZ_CHECK(n < 2 || h.masked == want->masked);
		FUZZ_CHECK(n < 2 || !ws_hdr_len_known(&h) ||
			   (h.len == want->len && h.minimal == want->minimal));
	}
	FUZZ_CHECK(ws_hdr_parse(&h, p, want->have) == whole);
	FUZZ_CHECK(!memcmp(&h, want, sizeof(h)));
}

static void check_build(const u8 *p, const struct ws_hdr *h)
{
	u8 out[WS_HDR_MAX];
	unsigned int n;

	n = ws_hdr_build(out, h->b0, h->len, h->masked ? &h->key : NULL);
	if (h->minimal)
		FUZZ_CHECK(n == h->size && !memcmp(out, p, n));
	else
		FUZZ_CHECK(n < h->size || h->len >> 63);
}

#ifdef HAVE_WSLAY
struct input {
	const u8	*p;
	size_t		n;
};

static ssize_t give(u8 *buf, size_t len, int flags, void *user_data)
{
	struct input *in = user_data;

	(void)flags;
	if (len > in->n)
		len = in->n;
	if (!len)
		return -1;
	memcpy(buf, in->p, len);
	in->p += len;
	in->n -= len;
	return len;
}

/* wslay refuses some headers by itself: those that 5.2 and 5.5 forbid. */
static bool wslay_takes(const struct ws_hdr *h)
{
	bool ctrl = ws_opcode_is_ctrl(ws_hdr_opcode(h));

	return h->minimal && !(ctrl && h->len > WS_CTRL_MAX) &&
	       !(ctrl && !ws_hdr_fin(h));
}

static void check_wslay(const u8 *p, const struct ws_hdr *h)
{
	const struct wslay_frame_callbacks cb = { .recv_callback = give };
	struct input in = { p, h->size };
	struct wslay_frame_iocb io = { 0 };
	wslay_frame_context_ptr ctx;
	ssize_t ret;

	FUZZ_CHECK(!wslay_frame_context_init(&ctx, &cb, &in));
	ret = wslay_frame_recv(ctx, &io);
	FUZZ_CHECK((ret == WSLAY_ERR_PROTO) == !wslay_takes(h));
	if (ret == 0) {
		FUZZ_CHECK(io.payload_length == h->len);
		FUZZ_CHECK(io.mask == h->masked);
		FUZZ_CHECK(io.opcode == ws_hdr_opcode(h));
		FUZZ_CHECK(io.fin == ws_hdr_fin(h));
		FUZZ_CHECK(io.rsv == (h->b0 >> 4 & 7));
	}
	wslay_frame_context_free(ctx);
}
#else
static void check_wslay(const u8 *p, const struct ws_hdr *h)
{
	(void)p;
	(void)h;
}
#endif

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	struct ws_hdr h;
	bool whole;

	whole = ws_hdr_parse(&h, data, n);
	FUZZ_CHECK(h.have == (n < h.size ? n : h.size));
	FUZZ_CHECK(whole == (n >= h.size));
	check_prefixes(data, &h, whole);
	if (!whole)
		return 0;
	check_build(data, &h);
	check_wslay(data, &h);
	return 0;
}
