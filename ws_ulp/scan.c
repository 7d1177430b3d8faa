// SPDX-License-Identifier: GPL-2.0
/*
 * The scanner runs as soon as bytes arrive. It parses headers where they lie,
 * judges them, acts on control frames, and counts what there is to read. Of
 * payload it looks only at the text of WS_RX_MESSAGE, which is judged before
 * any of it is read.
 */
#include <linux/tcp.h>
#include <net/tcp.h>

#include "mask.h"
#include "reader.h"
#include "stream.h"
#include "trace.h"
#include "utf8.h"
#include "ws.h"

/* What one pass may do before others run: a frame costs 1, ... */
#define SCAN_BUDGET	4096

/* ... a control frame more, as it may be answered. */
#define CTRL_COST	16

/* Pings that a pass answers one by one; of more, only the newest. */
#define PONGS_MAX	32

/**
 * struct scan_pass - one walk of the scanner
 * @cur: the scanner's place; looked up again after each control frame, because
 *	an answer calls TCP, which may move what is in the queue
 * @end: the stream ended there when the pass began
 * @budget: what is left of SCAN_BUDGET
 * @pings: pings of this pass
 */
struct scan_pass {
	struct ws_cursor	cur;
	u32			end;
	int			budget;
	u32			pings;
};

/* The last frame of a message is there. */
static void scan_message_end(struct ws_ctx *ctx)
{
	if (unlikely(!ws_msgq_text_ends(ctx))) {
		ws_rx_fail(ctx, WS_CODE_BAD_DATA);
		return;
	}
	WRITE_ONCE(ctx->rd.whole, ctx->rd.whole + 1);
	ws_mib(ctx, WS_MIB_RX_MESSAGES, 1);
}

static void scan_data(struct ws_ctx *ctx, const struct ws_hdr *h)
{
	bool empty_end = !h->len && ws_hdr_fin(h);

	ws_msg_advance(&ctx->scan.msg, h);
	ws_msgq_frame(ctx, h);
	ctx->scan.left = h->len;
	if (empty_end) {
		/* something to read: the reader parses it itself */
		WRITE_ONCE(ctx->rd.events, ctx->rd.events + 1);
		ctx->scan.seq += h->size;
		scan_message_end(ctx);
		return;
	}
	if (ws_rx_side_by_side(ctx)) {
		ws_reader_enter(&ctx->rd, h);
		ctx->rd.seq += h->size;
	}
	ctx->scan.seq += h->size;
}

static void count_ctrl(struct ws_ctx *ctx, const struct ws_hdr *h)
{
	u32 size = h->size + h->len;

	if (ws_rx_delivers(ctx, ws_hdr_opcode(h))) {
		WRITE_ONCE(ctx->rd.events, ctx->rd.events + 1);
		WRITE_ONCE(ctx->rd.whole, ctx->rd.whole + 1);
	} else if (ws_rx_side_by_side(ctx)) {
		ctx->rd.seq += size;
	}
	ctx->scan.seq += size;
}

/* A whole control frame, or nothing yet. */
static bool scan_ctrl(struct ws_ctx *ctx, struct scan_pass *sp,
		      const struct ws_hdr *h)
{
	u8 body[WS_CTRL_MAX] __uninitialized;
	u8 opcode = ws_hdr_opcode(h);
	u32 n = h->len;
	const u8 *p;
	u16 code;

	if (sp->end - ctx->scan.seq < h->size + n)
		return false;
	ws_cursor_skip(ctx, &sp->cur, h->size);
	p = ws_cursor_peek(ctx, &sp->cur, body, &n);
	if (p == body)
		ws_mask(body, n, h->key);
	else
		ws_mask_copy(body, p, n, h->key);
	if (opcode == WS_OP_PING)
		sp->pings++;
	sp->budget -= CTRL_COST;
	/* an invalid Close fails the connection and is never delivered */
	if (opcode != WS_OP_CLOSE || !ws_close_parse(body, n, &code))
		count_ctrl(ctx, h);
	ws_ctrl_recv(ctx, opcode, body, n, sp->pings > PONGS_MAX);
	sp->cur = ws_stream_at(ctx, ctx->scan.seq);
	return true;
}

/* One header at the scanner's position. Return: something was taken. */
static bool scan_frame(struct ws_ctx *ctx, struct scan_pass *sp)
{
	u8 buf[WS_HDR_MAX] __uninitialized;
	u32 n = min_t(u32, WS_HDR_MAX, sp->end - ctx->scan.seq);
	const u8 *p = ws_cursor_peek(ctx, &sp->cur, buf, &n);
	struct ws_hdr h;
	bool whole;
	u16 code;

	whole = ws_hdr_parse(&h, p, n);
	code = ws_rules_check(&ctx->rules, &ctx->scan.msg, &h);
	if (unlikely(code)) {
		ws_rx_fail(ctx, code);
		return false;
	}
	if (!whole)
		return false;
	if (ws_opcode_is_ctrl(ws_hdr_opcode(&h))) {
		if (!scan_ctrl(ctx, sp, &h))
			return false;
	} else {
		ws_cursor_skip(ctx, &sp->cur, h.size);
		scan_data(ctx, &h);
	}
	sp->budget--;
	WRITE_ONCE(ctx->rx_frames, ctx->rx_frames + 1);
	ws_mib(ctx, WS_MIB_RX_FRAMES, 1);
	trace_ws_rx_frame(ctx->sk, h.b0, h.len);
	if (ctx->live)
		ctx->live->stall_at = 0;
	return true;
}

static void count_payload(struct ws_ctx *ctx, u32 n)
{
	WRITE_ONCE(ctx->rd.avail, ctx->rd.avail + n);
	WRITE_ONCE(ctx->rx_bytes, ctx->rx_bytes + n);
	ws_mib(ctx, WS_MIB_RX_BYTES, n);
}

static void scan_payload(struct ws_ctx *ctx, struct scan_pass *sp)
{
	u32 n = min_t(u64, ctx->scan.left, sp->end - ctx->scan.seq);
	u32 good = ws_msgq_check(ctx, &sp->cur, n);

	ctx->scan.seq += good;
	ctx->scan.left -= good;
	count_payload(ctx, good);
	if (unlikely(good < n)) {
		ws_rx_fail(ctx, WS_CODE_BAD_DATA);
		return;
	}
	ws_cursor_skip(ctx, &sp->cur, n);
	if (ctx->scan.left)
		return;
	if (ctx->live)
		ctx->live->stall_at = 0;
	if (!ctx->scan.msg.open)
		scan_message_end(ctx);
}

/*
 * A run of short messages, which the reader will parse itself: what most
 * traffic is made of. Return: something was taken.
 */
static bool scan_short(struct ws_ctx *ctx, struct scan_pass *sp)
{
	const bool masked = ctx->rules.masked;
	const u32 hdr = ws_short_hdr(masked);
	const u32 max = ws_short_max(&ctx->rules);
	/* a buffer may have grown since the pass began */
	const u32 there = min(sp->cur.n, sp->end - ctx->scan.seq);
	const u8 *p = sp->cur.p, *end = p + there;
	u32 frames = 0, len;

	if (ctx->scan.msg.open || trace_ws_rx_frame_enabled() || ws_msgq(ctx))
		return false;
	while ((len = ws_short_message(p, end - p, masked, max))) {
		p += hdr + len;
		frames++;
	}
	if (!frames)
		return false;
	len = p - sp->cur.p;
	ctx->scan.seq += len;
	if (ctx->scan.seq != sp->end)
		ws_cursor_skip(ctx, &sp->cur, len);
	count_payload(ctx, len - frames * hdr);
	WRITE_ONCE(ctx->rd.whole, ctx->rd.whole + frames);
	WRITE_ONCE(ctx->rx_frames, ctx->rx_frames + frames);
	ws_mib(ctx, WS_MIB_RX_FRAMES, frames);
	ws_mib(ctx, WS_MIB_RX_MESSAGES, frames);
	if (ctx->live)
		ctx->live->stall_at = 0;
	sp->budget -= frames;
	return true;
}

/**
 * ws_scan() - walk the scanner over what has arrived
 * @ctx: context
 * @end: where the stream ends
 *
 * A pass that used up its budget has the work go on, and %WS_F_BEHIND says so.
 * Context: socket lock held, any context.
 */
void ws_scan(struct ws_ctx *ctx, u32 end)
{
	struct scan_pass sp = {
		.cur = ws_stream_at(ctx, ctx->scan.seq),
		.end = end,
		.budget = SCAN_BUDGET,
	};

	ctx->flags &= ~WS_F_BEHIND;
	while (!ws_is(ctx, WS_F_RX_END) && before(ctx->scan.seq, end)) {
		if (ctx->scan.left) {
			scan_payload(ctx, &sp);
			continue;
		}
		if (sp.budget <= 0 && ws_queue_work(ctx)) {
			ctx->flags |= WS_F_BEHIND;
			break;
		}
		if (!scan_short(ctx, &sp) && !scan_frame(ctx, &sp))
			break;
	}
	if (sp.pings > PONGS_MAX)
		ws_tx_kick(ctx);	/* the newest one was kept */
}
