// SPDX-License-Identifier: GPL-2.0
/* The reader: passes over the stream, and what they find. */
#include <linux/uio.h>

#include "mask.h"
#include "reader.h"
#include "stream.h"
#include "utf8.h"
#include "ws.h"

/*
 * The header at the reader's position is no longer the one that the scanner
 * judged. Over loopback the queue can hold the sender's own pages (sendfile,
 * MSG_ZEROCOPY), which the sender may still write to.
 */
#define READER_LOST	(-EBADMSG)

static void pass_frame(struct ws_pass *ps, struct ws_reader *rd)
{
	bool ctrl = ws_opcode_is_ctrl(rd->b0);
	bool *first = ctrl ? &rd->ctrl_first : &rd->first;

	ps->frame.opcode = (ctrl ? rd->b0 : rd->msg_b0) & WS_B0_OPCODE;
	ps->frame.flags &= WS_F_FIRST;
	ps->frame.flags |= (ctrl ? rd->b0 : rd->msg_b0) & WS_RSV_MASK;
	if (rd->b0 & WS_B0_FIN)
		ps->frame.flags |= WS_F_FIN;
	if (!ps->done && *first)
		ps->frame.flags |= WS_F_FIRST;
	ps->frame.left = rd->left;
	*first = false;
}

/* The last byte of a frame was returned, or it has none. */
static int pass_frame_end(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader *rd = &ctx->rd;
	bool ctrl = ws_opcode_is_ctrl(rd->b0);

	if (!ctrl && !(rd->b0 & WS_B0_FIN)) {
		ps->stop = ps->peek && ps->done;
		return 0;
	}
	/* the message ends in the middle of a character */
	if (!ctrl && ps->to && rd->utf8 != WS_UTF8_OK)
		return -EILSEQ;
	if (ctrl)
		WRITE_ONCE(rd->events, rd->events - 1);
	else
		rd->open = false;
	WRITE_ONCE(rd->whole, rd->whole - 1);
	ps->eor = true;
	ps->stop = true;
	return 0;
}

/* An empty control frame, or an empty last frame of a message. */
static int pass_empty(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader *rd = &ctx->rd;
	bool data = !ws_opcode_is_ctrl(rd->b0);
	int err;

	if (data)
		WRITE_ONCE(rd->events, rd->events - 1);
	pass_frame(ps, rd);
	err = pass_frame_end(ctx, ps);
	if (data && !ps->done && !ps->cmsg) {
		/* read() has no way to tell it from the end: skipped */
		ps->eor = false;
		ps->stop = false;
	}
	return err;
}

/* Is this control frame for the application, and not shown to it yet? */
static bool shows_ctrl(const struct ws_ctx *ctx, u8 opcode)
{
	return ws_rx_delivers(ctx, opcode) &&
	       !ws_msgq_was_read(ctx, ctx->rd.seq);
}

/* Return: 1: the header is passed, its payload follows; 0: see ps->stop. */
static int pass_ctrl(struct ws_ctx *ctx, struct ws_pass *ps,
		     const struct ws_hdr *h)
{
	struct ws_reader *rd = &ctx->rd;
	u32 size = h->size + h->len;

	if (size > ctx->scan.seq - rd->seq)
		return READER_LOST;
	if (!shows_ctrl(ctx, ws_hdr_opcode(h))) {
		rd->seq += size;
		ws_cursor_skip(ctx, &ps->cur, size);
		return 0;
	}
	if (ps->done || ps->quiet) {
		ps->stop = true;
		return 0;
	}
	if (!ps->cmsg)
		return -EIO;
	rd->b0 = h->b0;
	rd->left = h->len;
	rd->key = h->key;
	rd->ctrl_first = true;
	return 1;
}

static int pass_data(struct ws_pass *ps, struct ws_reader *rd,
		     const struct ws_hdr *h)
{
	if (ps->quiet && !h->len && ws_hdr_fin(h)) {
		ps->stop = true;
		return 0;
	}
	ws_reader_enter(rd, h);
	return 1;
}

/* A header at the reader's position; the scanner has judged it. */
static int pass_header(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader *rd = &ctx->rd;
	u8 buf[WS_HDR_MAX] __uninitialized;
	u32 n = min_t(u32, WS_HDR_MAX, ctx->scan.seq - rd->seq);
	const u8 *p = ws_cursor_peek(ctx, &ps->cur, buf, &n);
	struct ws_hdr h;
	bool empty;
	int ret;

	if (!ws_hdr_parse(&h, p, n))
		return READER_LOST;
	empty = !h.len && ws_hdr_fin(&h);
	ret = ws_opcode_is_ctrl(ws_hdr_opcode(&h)) ?
	      pass_ctrl(ctx, ps, &h) : pass_data(ps, rd, &h);
	if (ret <= 0)
		return ret;
	rd->seq += h.size;
	ws_cursor_skip(ctx, &ps->cur, h.size);
	return empty ? pass_empty(ctx, ps) : 0;
}

static int pass_payload(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_cursor *cur = &ps->cur;
	struct ws_reader *rd = &ctx->rd;
	u32 n = ctx->scan.seq - rd->seq;
	int ret;

	/* an earlier caller had room for WS_FRAME, this one has not */
	if (ws_opcode_is_ctrl(rd->b0) && !ps->cmsg)
		return -EIO;
	n = min_t(u64, n, rd->left);
	n = min_t(size_t, n, ps->len - ps->done);
	n = min(n, cur->skb->len - cur->off);
	if (ps->to) {
		ret = ws_copy_out(ctx, cur, ps->to, n);
		if (ret < 0)
			return ret;
		n = ret;
	} else {
		rd->key = ws_mask_turn(rd->key, n);
		ws_reader_take(rd, n);
	}
	pass_frame(ps, rd);
	ps->done += n;
	ws_cursor_skip(ctx, cur, n);
	return rd->left ? 0 : pass_frame_end(ctx, ps);
}

/**
 * ws_rx_pass() - walk the reader as far as a call goes
 * @ctx: context; its rd moves on, and nothing else of it
 * @ps: what the caller has room for; filled with what was found
 *
 * Context: socket lock held, any context; in softirq @ps->to is no user's.
 * Return: 0, or a negative errno, even after bytes: the caller reports the
 * bytes and meets the error again. -EFAULT; -EIO: a control frame, and no room
 * to say so; and what ws_rx_judge() wants to know of: -EILSEQ: bad text,
 * -EBADMSG: the stream is not what was scanned.
 */
int ws_rx_pass(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader *rd = &ctx->rd;
	int err = 0;

	if (rd->seq == ctx->scan.seq)
		return 0;
	if (!ps->cur.skb)
		ps->cur = ws_stream_at(ctx, rd->seq);
	while (!err && !ps->stop && rd->seq != ctx->scan.seq) {
		if (unlikely(!ps->cur.skb))
			err = READER_LOST;
		else if (!rd->left)
			err = pass_header(ctx, ps);
		else if (ps->done < ps->len)
			err = pass_payload(ctx, ps);
		else
			break;
	}
	return err;
}

/**
 * ws_rx_pass_short() - the same for short messages that lie in one piece
 * @ctx: context
 * @ps: what the caller has room for; ps->done counts, frame and eor tell
 * @records: a run of messages, each with its struct ws_rec; else one message
 *
 * Context: process, socket lock held.
 * Return: something was passed. If not, ws_rx_pass() knows what to do.
 */
bool ws_rx_pass_short(struct ws_ctx *ctx, struct ws_pass *ps, bool records)
{
	struct ws_reader *rd = &ctx->rd;
	u32 n = ctx->scan.seq - rd->seq;
	u32 used;

	if (!rd->whole || rd->left || rd->open || !iter_is_ubuf(ps->to))
		return false;
	if (!ps->cur.skb)
		ps->cur = ws_stream_at(ctx, rd->seq);
	n = min(n, ps->cur.n);
	if (!records)	/* one is all that a call returns */
		return ws_copy_short(ctx, ps->cur.p, n, ps);
	used = ws_copy_short_records(ctx, ps->cur.p, n, ps);
	ws_cursor_skip(ctx, &ps->cur, used);
	return used;
}

/**
 * ws_rx_pass_quiet() - pass what no caller is ever shown
 * @ctx: context
 *
 * These are control frames that were handled, and empty fragments. Nothing that
 * an application sees changes with it, so calls that only look pass them for
 * good before they look, instead of passing them each time.
 *
 * Context: socket lock held, any context.
 * Return: 0, or -EBADMSG, see ws_rx_pass().
 */
int ws_rx_pass_quiet(struct ws_ctx *ctx)
{
	struct ws_pass ps = { .quiet = true, .cmsg = true };

	return ws_rx_pass(ctx, &ps);
}
