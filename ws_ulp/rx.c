// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving. Two positions walk over the same bytes:
 *
 * the scanner runs in softirq, as soon as bytes arrive. It parses headers,
 * judges them, acts on control frames, and counts what there is to read. It
 * never touches the payload of a message;
 *
 * the reader runs in recvmsg(). It follows the scanner, takes payload out of
 * the receive queue, and passes over control frames that were handled before.
 *
 * Headers are read where they lie, so that neither keeps partial ones; a
 * reader that has caught up adopts what the scanner finds.
 */
#include <linux/tcp.h>
#include <net/busy_poll.h>
#include <net/inet_common.h>
#include <net/tcp.h>

#include "mask.h"
#include "trace.h"
#include "utf8.h"
#include "ws.h"

/* Frames that one pass may look at before it lets others run. */
#define SCAN_BUDGET	4096

static struct sk_buff *preload_of(const struct ws_ctx *ctx)
{
	return unlikely(ctx->aux) ? ctx->aux->preload : NULL;
}

static struct sk_buff *skb_after(struct ws_ctx *ctx, struct sk_buff *skb)
{
	if (unlikely(skb == preload_of(ctx)))
		return skb_peek(&ctx->sk->sk_receive_queue);
	return skb_peek_next(skb, &ctx->sk->sk_receive_queue);
}

/* Sequence number after the last byte that arrived in order. */
static u32 data_end(const struct ws_ctx *ctx)
{
	struct sk_buff *skb = skb_peek_tail(&ctx->sk->sk_receive_queue);

	if (skb)
		return TCP_SKB_CB(skb)->seq + skb->len;
	return preload_of(ctx) ? ctx->aux->preload_end : ctx->scan.seq;
}

/* The piece at the cursor's place, once skb and off are right. */
static void cursor_look(struct ws_cursor *cur)
{
	cur->n = U32_MAX;
	cur->p = cur->skb ? ws_skb_span(cur->skb, cur->off, &cur->n) : NULL;
	if (!cur->p)
		cur->n = 0;
}

/* From the tail, because what is looked for has just arrived. */
static struct ws_cursor cursor_at(struct ws_ctx *ctx, u32 seq)
{
	struct sk_buff *skb = preload_of(ctx);
	struct ws_cursor cur = { };

	if (unlikely(skb) && before(seq, ctx->aux->preload_end)) {
		cur.skb = skb;
		cur.off = seq - TCP_SKB_CB(skb)->seq;
		cursor_look(&cur);
		return cur;
	}
	skb_queue_reverse_walk(&ctx->sk->sk_receive_queue, skb) {
		if (before(seq, TCP_SKB_CB(skb)->seq))
			continue;
		cur.off = seq - TCP_SKB_CB(skb)->seq;
		if (cur.off < skb->len)
			cur.skb = skb;
		break;
	}
	cursor_look(&cur);
	return cur;
}

/*
 * By sequence numbers, not lengths: what follows the preload may be a buffer
 * whose first bytes the handshake had read.
 */
static void cursor_skip(struct ws_ctx *ctx, struct ws_cursor *cur, u32 n)
{
	cur->off += n;
	if (n < cur->n) {
		cur->p += n;
		cur->n -= n;
		return;
	}
	while (cur->skb && cur->off >= cur->skb->len) {
		u32 seq = TCP_SKB_CB(cur->skb)->seq + cur->off;

		cur->skb = skb_after(ctx, cur->skb);
		if (cur->skb)
			cur->off = seq - TCP_SKB_CB(cur->skb)->seq;
	}
	cursor_look(cur);
}

/* From the head, because that is where the reader is. */
static void cursor_head(struct ws_ctx *ctx, struct ws_cursor *cur, u32 seq)
{
	*cur = (struct ws_cursor){ .skb = preload_of(ctx) };
	if (!cur->skb)
		cur->skb = skb_peek(&ctx->sk->sk_receive_queue);
	if (cur->skb)
		cursor_skip(ctx, cur, seq - TCP_SKB_CB(cur->skb)->seq);
}

/* Up to n bytes at the cursor, from wherever they are. */
static const u8 *cursor_gather(struct ws_ctx *ctx, const struct ws_cursor *at,
			       u8 *buf, u32 *n)
{
	struct ws_cursor cur = *at;
	u32 want = *n, got = 0;

	while (cur.skb && got < want) {
		u32 step = min(want - got, cur.skb->len - cur.off);

		if (step && skb_copy_bits(cur.skb, cur.off, buf + got, step))
			break;
		got += step;
		cursor_skip(ctx, &cur, step);
	}
	*n = got;
	return buf;
}

/* Likewise, without a copy where they are contiguous. */
static const u8 *cursor_peek(struct ws_ctx *ctx, const struct ws_cursor *cur,
			     u8 *buf, u32 *n)
{
	return *n <= cur->n ? cur->p : cursor_gather(ctx, cur, buf, n);
}

static bool delivers(const struct ws_ctx *ctx, u8 opcode)
{
	switch (opcode) {
	case WS_OP_CLOSE:
		return ctx->rx_ctrl & WS_CTRL_CLOSE;
	case WS_OP_PING:
		return ctx->rx_ctrl & WS_CTRL_PING;
	case WS_OP_PONG:
		return ctx->rx_ctrl & WS_CTRL_PONG;
	default:
		return ws_opcode_is_ctrl(opcode);	/* negotiated */
	}
}

static bool caught_up(const struct ws_ctx *ctx)
{
	return !ctx->rd.avail && !ctx->rd.events;
}

/* No header lies between the two: what the scanner parses both may take. */
static bool side_by_side(const struct ws_ctx *ctx)
{
	return ctx->rd.seq == ctx->scan.seq;
}

/* The reader begins the payload of a data frame. */
static void reader_enter(struct ws_reader *rd, const struct ws_hdr *h)
{
	if (ws_hdr_opcode(h) != WS_OP_CONT) {
		rd->msg_b0 = h->b0;
		rd->utf8 = WS_UTF8_OK;
		rd->first = true;
	}
	rd->b0 = h->b0;
	rd->left = h->len;
	rd->key = h->key;
}

static void scan_message_end(struct ws_ctx *ctx)
{
	ctx->rd.whole++;
	ws_mib(ctx, WS_MIB_RX_MESSAGES, 1);
}

static void scan_data(struct ws_ctx *ctx, const struct ws_hdr *h)
{
	bool empty_end = !h->len && ws_hdr_fin(h);

	ws_msg_advance(&ctx->scan.msg, h);
	if (empty_end) {
		/* something to read: the reader parses it itself */
		ctx->rd.events++;
		scan_message_end(ctx);
	} else if (side_by_side(ctx)) {
		reader_enter(&ctx->rd, h);
		ctx->rd.seq += h->size;
	}
	ctx->scan.seq += h->size;
	ctx->scan.left = h->len;
}

/* A whole control frame, or nothing yet. */
static bool scan_ctrl(struct ws_ctx *ctx, struct ws_cursor *cur,
		      const struct ws_hdr *h)
{
	u8 body[WS_CTRL_MAX] __uninitialized;
	u32 n = h->len;
	const u8 *p;
	u16 code;

	if (data_end(ctx) - ctx->scan.seq < h->size + n)
		return false;
	cursor_skip(ctx, cur, h->size);
	p = cursor_peek(ctx, cur, body, &n);
	if (p == body)
		ws_mask(body, n, h->key);
	else
		ws_mask_copy(body, p, n, h->key);
	if (ws_hdr_opcode(h) == WS_OP_CLOSE && ws_close_parse(body, n, &code)) {
		/* fails the connection here: the reader never comes to it */
		ws_rx_control(ctx, WS_OP_CLOSE, body, n);
		return true;
	}
	cursor_skip(ctx, cur, n);
	if (delivers(ctx, ws_hdr_opcode(h))) {
		ctx->rd.events++;
		ctx->rd.whole++;
	} else if (side_by_side(ctx)) {
		ctx->rd.seq += h->size + n;
	}
	ctx->scan.seq += h->size + n;
	ws_rx_control(ctx, ws_hdr_opcode(h), body, n);
	return true;
}

/* One header at the scanner's position. Return: something was taken. */
static bool scan_frame(struct ws_ctx *ctx, struct ws_cursor *cur)
{
	u8 buf[WS_HDR_MAX] __uninitialized;
	u32 n = min_t(u32, WS_HDR_MAX, data_end(ctx) - ctx->scan.seq);
	const u8 *p = cursor_peek(ctx, cur, buf, &n);
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
		if (!scan_ctrl(ctx, cur, &h))
			return false;
	} else {
		cursor_skip(ctx, cur, h.size);
		scan_data(ctx, &h);
	}
	ctx->rx_frames++;
	ws_mib(ctx, WS_MIB_RX_FRAMES, 1);
	trace_ws_rx_frame(ctx->sk, h.b0, h.len);
	if (ctx->live)
		ctx->live->stall_at = 0;
	return true;
}

static void scan_payload(struct ws_ctx *ctx, struct ws_cursor *cur, u32 avail)
{
	u32 n = min_t(u64, ctx->scan.left, avail);

	ctx->scan.seq += n;
	ctx->scan.left -= n;
	ctx->rd.avail += n;
	ctx->rx_bytes += n;
	ws_mib(ctx, WS_MIB_RX_BYTES, n);
	cursor_skip(ctx, cur, n);
	if (!ctx->scan.left && !ctx->scan.msg.open)
		scan_message_end(ctx);
}

/*
 * A run of short messages, which the reader will parse itself: what most
 * traffic is made of. @until is where the data ends. Return: how many.
 */
static u32 scan_short(struct ws_ctx *ctx, struct ws_cursor *cur, u32 until)
{
	const bool masked = ctx->rules.masked;
	const u32 hdr = ws_short_hdr(masked);
	const u32 max = ws_short_max(&ctx->rules);
	const u8 *p = cur->p, *end = p + cur->n;
	u32 frames = 0, bytes, len;

	if (ctx->scan.msg.open || trace_ws_rx_frame_enabled())
		return 0;
	while ((len = ws_short_message(p, end - p, masked, max))) {
		p += hdr + len;
		frames++;
	}
	if (!frames)
		return 0;
	len = p - cur->p;
	bytes = len - frames * hdr;
	ctx->scan.seq += len;
	if (ctx->scan.seq != until)
		cursor_skip(ctx, cur, len);
	ctx->rd.avail += bytes;
	ctx->rd.whole += frames;
	ctx->rx_bytes += bytes;
	ctx->rx_frames += frames;
	ws_mib(ctx, WS_MIB_RX_BYTES, bytes);
	ws_mib(ctx, WS_MIB_RX_FRAMES, frames);
	ws_mib(ctx, WS_MIB_RX_MESSAGES, frames);
	if (ctx->live)
		ctx->live->stall_at = 0;
	return frames;
}

static void scan_loop(struct ws_ctx *ctx, u32 end)
{
	struct ws_cursor cur = cursor_at(ctx, ctx->scan.seq);
	int budget = SCAN_BUDGET;
	u32 avail, frames;

	while (!ws_is(ctx, WS_F_RX_END)) {
		avail = end - ctx->scan.seq;
		if (!avail)
			break;
		if (ctx->scan.left) {
			scan_payload(ctx, &cur, avail);
			continue;
		}
		if (budget <= 0 && ws_queue_work(ctx))
			break;
		frames = scan_short(ctx, &cur, end);
		if (!frames && !scan_frame(ctx, &cur))
			break;
		budget -= frames ? : 1;
	}
}

/*
 * Not what the scanner found here: somebody writes to bytes that were sent. A
 * peer on this machine can, with sendfile() or zero copy, because over loopback
 * its pages are ours.
 */
static int reader_lost(struct ws_ctx *ctx)
{
	ws_abort(ctx, ECONNABORTED);
	return -EILSEQ;
}

/*
 * What is left is nothing to read: headers of empty fragments, control frames
 * that were handled. Nobody may ever call to pass them, and the window stays
 * closed over them.
 */
static void pass_quiet(struct ws_ctx *ctx)
{
	struct ws_pass ps = { };

	ws_rx_pass(ctx, &ps);
}

/* Bytes of a header and a control frame, all but the last. */
#define UNPARSED_MAX	(WS_HDR_MAX + WS_CTRL_MAX - 1)

/*
 * What is left is part of a header or of a control frame. Nobody can read it,
 * and the buffer that holds it, most of it read, may fill the receive buffer:
 * the rest would never come. It moves to a buffer of its size, the preload.
 */
static void rescue_unparsed(struct ws_ctx *ctx)
{
	u32 n = data_end(ctx) - ctx->rd.seq;
	u8 buf[UNPARSED_MAX] __uninitialized;
	struct sock *sk = ctx->sk;
	struct ws_cursor cur;
	struct ws_aux *aux;
	struct sk_buff *skb;

	if (n > sizeof(buf) || preload_of(ctx) ||
	    atomic_read(&sk->sk_rmem_alloc) <= sk->sk_rcvbuf / 8)
		return;
	aux = ws_aux(ctx, GFP_ATOMIC);
	skb = aux ? alloc_skb(n, GFP_ATOMIC | __GFP_NOWARN) : NULL;
	cursor_head(ctx, &cur, ctx->rd.seq);
	cursor_gather(ctx, &cur, buf, &n);
	if (!skb || !sk_rmem_schedule(sk, skb, skb->truesize)) {
		kfree_skb(skb);
		ctx->flags |= WS_F_RETRY;
		ws_timer_set(ctx);
		return;
	}
	skb_put_data(skb, buf, n);
	skb_set_owner_r(skb, sk);
	TCP_SKB_CB(skb)->seq = ctx->rd.seq;
	aux->preload = skb;
	aux->preload_end = ctx->rd.seq + n;
	tcp_read_done(sk, n);
	ctx->tcp_seq = tcp_sk(sk)->copied_seq;
}

/**
 * ws_rx_consume() - give bytes that the reader has passed back to TCP
 * @ctx: context
 *
 * Context: socket lock held, any context.
 */
void ws_rx_consume(struct ws_ctx *ctx)
{
	struct sk_buff *skb = preload_of(ctx);
	struct sock *sk = ctx->sk;
	u32 from = ctx->tcp_seq;

	if (!side_by_side(ctx)) {
		if (caught_up(ctx))
			pass_quiet(ctx);
	} else if (unlikely(!caught_up(ctx) || ctx->rd.whole)) {
		reader_lost(ctx);
		return;
	}
	if (unlikely(skb)) {
		if (before(ctx->rd.seq, ctx->aux->preload_end))
			return;
		kfree_skb(skb);
		ctx->aux->preload = NULL;
	}
	if (after(ctx->rd.seq, from)) {
		tcp_read_done(sk, ctx->rd.seq - from);
		ctx->tcp_seq = tcp_sk(sk)->copied_seq;
	}
	if (caught_up(ctx) && side_by_side(ctx) && !ctx->rd.left &&
	    data_end(ctx) != ctx->rd.seq)
		rescue_unparsed(ctx);
}

/**
 * ws_rx_cut() - is the stream in the middle of something
 * @ctx: context
 *
 * Context: socket lock held.
 * Return: true if so: an end here is not a clean one.
 */
bool ws_rx_cut(const struct ws_ctx *ctx)
{
	return ctx->scan.msg.open || ctx->scan.left ||
	       data_end(ctx) != ctx->scan.seq;
}

/* Throw away what came after the end: TCP would reset over unread bytes. */
static void discard_rest(struct ws_ctx *ctx)
{
	u32 end = data_end(ctx);

	if (!after(end, ctx->rd.seq))
		return;
	if (ctx->live)
		ctx->live->discarded += end - ctx->rd.seq;
	ctx->rd.seq = end;
	ctx->scan.seq = end;
	ctx->rd.avail = 0;
	ctx->rd.events = 0;
	ctx->rd.whole = 0;
	ws_rx_consume(ctx);
}

/**
 * ws_rx_purge() - throw everything away: TCP would reset over unread bytes
 * @ctx: context of an active socket, about to be given back
 *
 * Context: socket lock held.
 */
void ws_rx_purge(struct ws_ctx *ctx)
{
	if (READ_ONCE(tcp_sk(ctx->sk)->copied_seq) == ctx->tcp_seq)
		discard_rest(ctx);
}

/* WS_RX_STALL_TIMEOUT runs while a frame has begun and not ended. */
static void watch_stall(struct ws_ctx *ctx)
{
	struct ws_live *live = ctx->live;

	if (!ctx->scan.left && data_end(ctx) == ctx->scan.seq) {
		live->stall_at = 0;
	} else if (!live->stall_at) {
		live->stall_at = (u32)jiffies | 1;
		ws_timer_set(ctx);
	}
}

/**
 * ws_rx_scan() - look at what has arrived
 * @ctx: context of an active socket
 *
 * Context: socket lock held, any context.
 */
void ws_rx_scan(struct ws_ctx *ctx)
{
	const u32 end = data_end(ctx);

	if (unlikely(READ_ONCE(tcp_sk(ctx->sk)->copied_seq) != ctx->tcp_seq)) {
		/* A reader from before WS_ROLE took bytes of frames. */
		ws_abort(ctx, ECONNABORTED);
		return;
	}
	if (end == ctx->scan.seq && !ws_msgq(ctx) &&
	    !ws_is(ctx, WS_F_RX_END | WS_F_RX_SHUT))
		return;
	if (!ws_is(ctx, WS_F_RX_END)) {
		if (end != ctx->scan.seq) {
			ctx->last_rx = (u32)jiffies;
			ctx->flags &= ~WS_F_PING_OUT;	/* any byte is life */
			scan_loop(ctx, end);
		}
		if (ctx->live && ctx->live->stall_timeout)
			watch_stall(ctx);
	}
	if (ws_is(ctx, WS_F_RX_SHUT))
		ws_rx_drain(ctx);
	else if (ws_msgq(ctx))
		ws_msgq_fill(ctx);
	else if (ws_rx_at_end(ctx))
		ws_rx_purge(ctx);
	else if (caught_up(ctx))
		ws_rx_consume(ctx);
}

/**
 * ws_rx_fail() - the peer broke a rule at the scanner's position
 * @ctx: context
 * @code: Close code: 1002, 1007, 1009
 *
 * The application gets what came before, then the error.
 * Context: socket lock held, any context.
 */
void ws_rx_fail(struct ws_ctx *ctx, u16 code)
{
	if (ws_is(ctx, WS_F_FAILED))
		return;
	switch (code) {
	case WS_CODE_BAD_DATA:
		ws_mib(ctx, WS_MIB_FAIL_UTF8, 1);
		ws_fail(ctx, code, EILSEQ);
		break;
	case WS_CODE_TOO_BIG:
		ws_mib(ctx, WS_MIB_FAIL_TOO_BIG, 1);
		ws_fail(ctx, code, EMSGSIZE);
		break;
	default:
		ws_mib(ctx, WS_MIB_FAIL_PROTOCOL, 1);
		ws_fail(ctx, code, EPROTO);
	}
}

/*
 * Text turned bad at the reader: what the scanner found after it is void. Only
 * a read has come so far for good: a peek may have passed something over.
 */
static int reader_fail(struct ws_ctx *ctx, const struct ws_pass *ps)
{
	if (!ps->peek) {
		ctx->scan.seq = ctx->rd.seq;
		ctx->rd.avail = 0;
		ctx->rd.events = 0;
		ctx->rd.whole = 0;
		ws_rx_fail(ctx, WS_CODE_BAD_DATA);
	}
	return -EILSEQ;
}

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

	if (ws_opcode_is_ctrl(rd->b0)) {
		rd->events--;
		rd->whole--;
		ps->eor = true;
		ps->stop = true;
	} else if (rd->b0 & WS_B0_FIN) {
		/* ends inside a character; bytes that a peek shows stay */
		if (ps->to && rd->utf8 != WS_UTF8_OK &&
		    !(ps->peek && ps->done))
			return reader_fail(ctx, ps);
		rd->whole--;
		ps->eor = true;
		ps->stop = true;
	} else if (ps->peek) {
		ps->stop = ps->done;
	}
	return 0;
}

/* An empty control frame, or an empty last frame of a message. */
static int pass_empty(struct ws_ctx *ctx, struct ws_pass *ps)
{
	bool data = !ws_opcode_is_ctrl(ctx->rd.b0);
	int err;

	if (data)
		ctx->rd.events--;
	pass_frame(ps, &ctx->rd);
	err = pass_frame_end(ctx, ps);
	if (data && !ps->done && !ps->cmsg) {
		/* read() has no way to tell it from the end: skipped */
		ps->eor = false;
		ps->stop = false;
	}
	return err;
}

/* A header at the reader's position; the scanner has judged it. */
static int pass_header(struct ws_ctx *ctx, struct ws_pass *ps,
		       struct ws_cursor *cur)
{
	struct ws_reader *rd = &ctx->rd;
	u8 buf[WS_HDR_MAX] __uninitialized;
	u32 there = ctx->scan.seq - rd->seq;
	u32 n = min_t(u32, WS_HDR_MAX, there);
	const u8 *p = cursor_peek(ctx, cur, buf, &n);
	struct ws_hdr h;

	if (!ws_hdr_parse(&h, p, n))
		return reader_lost(ctx);
	if (ws_opcode_is_ctrl(ws_hdr_opcode(&h))) {
		if (h.len > there - h.size)
			return reader_lost(ctx);
		if (!delivers(ctx, ws_hdr_opcode(&h))) {
			rd->seq += h.size + h.len;
			cursor_skip(ctx, cur, h.size + h.len);
			return 0;
		}
		if (ps->done || ps->data_only) {
			ps->stop = true;
			return 0;
		}
		if (!ps->cmsg)
			return -EIO;
		rd->b0 = h.b0;
		rd->left = h.len;
		rd->key = h.key;
		rd->ctrl_first = true;
	} else {
		reader_enter(rd, &h);
	}
	rd->seq += h.size;
	cursor_skip(ctx, cur, h.size);
	if (h.len || !ws_hdr_fin(&h))
		return 0;
	return pass_empty(ctx, ps);
}

static int pass_payload(struct ws_ctx *ctx, struct ws_pass *ps,
			struct ws_cursor *cur)
{
	struct ws_reader *rd = &ctx->rd;
	u32 n = ctx->scan.seq - rd->seq;
	int ret;

	/* the rest of one that a caller with room had begun */
	if (ws_opcode_is_ctrl(rd->b0) && !ps->cmsg)
		return -EIO;
	n = min_t(u64, n, rd->left);
	n = min_t(size_t, n, ps->len - ps->done);
	n = min(n, cur->skb->len - cur->off);
	if (ps->to) {
		ret = ws_copy_out(ctx, cur, ps->to, n);
		if (ret == -EILSEQ && ps->peek && ps->done) {
			ps->stop = true;	/* a later read will fail */
			return 0;
		}
		if (ret == -EILSEQ)
			return reader_fail(ctx, ps);
		if (ret < 0)
			return ret;
		n = ret;
	} else {
		rd->seq += n;
		rd->left -= n;
		if (!ws_opcode_is_ctrl(rd->b0))
			rd->avail -= n;
	}
	pass_frame(ps, rd);
	ps->done += n;
	cursor_skip(ctx, cur, n);
	return rd->left ? 0 : pass_frame_end(ctx, ps);
}

/**
 * ws_rx_pass() - walk the reader as far as a call goes
 * @ctx: context
 * @ps: what the caller has room for; filled with what was found
 *
 * Context: socket lock held, any context; in softirq @ps->to is no user's.
 * Return: 0, or a negative errno, even after bytes: the caller reports the
 * bytes and meets the error again. -EILSEQ has failed the connection, but not
 * with @ps->peek.
 */
int ws_rx_pass(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader *rd = &ctx->rd;
	struct ws_cursor cur = ps->cur;
	int err = 0;

	if (rd->seq == ctx->scan.seq)
		return 0;
	if (!cur.skb)
		cursor_head(ctx, &cur, rd->seq);
	while (!err && !ps->stop && rd->seq != ctx->scan.seq && cur.skb) {
		if (!rd->left)
			err = pass_header(ctx, ps, &cur);
		else if (ps->done < ps->len)
			err = pass_payload(ctx, ps, &cur);
		else
			break;
	}
	ps->cur = cur;
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

	if (!rd->whole || rd->left || !iter_is_ubuf(ps->to))
		return false;
	if (!ps->cur.skb)
		cursor_head(ctx, &ps->cur, rd->seq);
	n = min(n, ps->cur.n);
	if (!records)	/* one is all that a call returns */
		return ws_copy_short(ctx, ps->cur.p, n, ps);
	used = ws_copy_short_records(ctx, ps->cur.p, n, ps);
	cursor_skip(ctx, &ps->cur, used);
	return used;
}

/**
 * ws_rx_drain() - nobody reads: check, count and throw away
 * @ctx: context after shutdown(SHUT_RD) or close()
 *
 * Context: socket lock held, any context.
 */
void ws_rx_drain(struct ws_ctx *ctx)
{
	struct iov_iter nowhere;
	struct ws_pass ps;
	u32 seq;

	do {
		ps = (struct ws_pass){ .to = &nowhere, .len = INT_MAX,
				    .cmsg = true };
		iov_iter_discard(&nowhere, ITER_DEST, INT_MAX);
		seq = ctx->rd.seq;
		if (ws_rx_pass(ctx, &ps))
			break;
		if (ctx->live)
			ctx->live->discarded += ctx->rd.seq - seq;
	} while (ps.stop);
	ws_rx_consume(ctx);
	if (ws_rx_at_end(ctx)) {
		ws_rx_reached_end(ctx);
		discard_rest(ctx);
	}
}

