// SPDX-License-Identifier: GPL-2.0
/*
 * WS_RX_MESSAGE: the application is woken for whole messages, and sees no part
 * of one that turns bad. Messages stay in the stream until they are read. Of a
 * message that is not whole nothing can be read, so when it takes too much of
 * the receive buffer, because it came in thousands of segments or fragments,
 * its payload is gathered in buffers of our own.
 *
 * Control frames that the application wants come before the message that they
 * stand in.
 */
#include <linux/skbuff.h>
#include <net/tcp.h>

#include "mask.h"
#include "reader.h"
#include "stream.h"
#include "utf8.h"
#include "ws.h"

/* Room of a buffer of gathered payload: a page in all. */
#define CHUNK	SKB_WITH_OVERHEAD(4096)

/**
 * struct ws_msgq - what WS_RX_MESSAGE keeps besides the reader's position
 * @part: gathered payload of the message at the reader, which goes on there
 * @len: bytes in @part that were not read
 * @off: bytes of the first buffer in @part that were read
 * @ctrl_seq: control frames before it were delivered
 * @begun: a part of the message was returned
 * @in_ctrl: a part of a control frame was returned, and @ctrl is in it
 * @ctrl: the reader of control frames
 * @text: the frame at the scanner is text to be checked
 * @utf8: state of that check
 * @key: masking key at the scanner
 */
struct ws_msgq {
	struct sk_buff_head	part;
	u32			len;
	u32			off;
	u32			ctrl_seq;
	bool			begun;
	bool			in_ctrl;
	struct ws_reader	ctrl;
	bool			text;
	u16			utf8;
	u32			key;
};

/**
 * ws_msgq_open() - WS_RX_MESSAGE was set, or becomes active
 * @ctx: context
 *
 * It stays for as long as the socket. The caller sets the mode after this.
 * Context: process, socket lock held.
 * Return: 0, -ENOMEM.
 */
int ws_msgq_open(struct ws_ctx *ctx)
{
	struct ws_aux *aux = ws_aux(ctx, GFP_KERNEL);

	if (!aux)
		return -ENOMEM;
	if (!aux->msgq) {
		aux->msgq = kzalloc(sizeof(*aux->msgq), GFP_KERNEL_ACCOUNT);
		if (!aux->msgq)
			return -ENOMEM;
		__skb_queue_head_init(&aux->msgq->part);
	}
	aux->msgq->ctrl_seq = ctx->rd.seq;
	return 0;
}

/**
 * ws_msgq_purge() - forget the message at the reader: no call will read it
 * @ctx: context
 *
 * Context: socket lock held, any context.
 */
void ws_msgq_purge(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = unlikely(ctx->aux) ? ctx->aux->msgq : NULL;

	if (likely(!mq))
		return;
	__skb_queue_purge(&mq->part);
	mq->len = 0;
	mq->off = 0;
	mq->in_ctrl = false;
}

/**
 * ws_msgq_busy() - is a message there that was not read to its end?
 * @ctx: context in WS_RX_MESSAGE
 *
 * Context: socket lock held.
 * Return: true if so, whole or not.
 */
bool ws_msgq_busy(const struct ws_ctx *ctx)
{
	return ctx->rd.whole || ctx->rd.avail || ctx->scan.msg.open ||
	       ctx->scan.left || ctx->aux->msgq->len;
}

/* What is checked while it arrives: text, but not of an extension. */
static bool is_text(const struct ws_ctx *ctx, u8 b0)
{
	return ws_is(ctx, WS_F_UTF8) &&
	       (b0 & (WS_B0_OPCODE | WS_RSV_MASK)) == WS_OP_TEXT;
}

/**
 * ws_msgq_frame() - the scanner begins a data frame
 * @ctx: context in any mode
 * @h: its header
 *
 * Context: socket lock held, any context.
 */
void ws_msgq_frame(struct ws_ctx *ctx, const struct ws_hdr *h)
{
	struct ws_msgq *mq = ws_msgq(ctx);

	if (likely(!mq))
		return;
	mq->key = h->key;
	if (ws_hdr_opcode(h) == WS_OP_CONT)
		return;
	mq->text = is_text(ctx, h->b0);
	mq->utf8 = WS_UTF8_OK;
}

/**
 * ws_msgq_check() - judge payload at the scanner
 * @ctx: context in any mode
 * @at: the scanner's place
 * @n: bytes of the frame that have arrived
 *
 * Context: socket lock held, any context.
 * Return: how many are good; less than @n: the next one is not UTF-8.
 */
u32 ws_msgq_check(struct ws_ctx *ctx, const struct ws_cursor *at, u32 n)
{
	struct ws_msgq *mq = ws_msgq(ctx);
	struct ws_cursor cur;
	u8 buf[256] __uninitialized;
	u32 done = 0;

	if (likely(!mq || !mq->text))
		return n;
	cur = *at;
	while (done < n) {
		u32 step = min_t(u32, sizeof(buf), n - done), good;

		ws_cursor_gather(ctx, &cur, buf, &step);
		if (!step)
			break;
		ws_mask(buf, step, mq->key);
		good = ws_utf8_check(&mq->utf8, buf, step);
		done += good;
		if (good < step)
			break;
		mq->key = ws_mask_turn(mq->key, step);
		ws_cursor_skip(ctx, &cur, step);
	}
	return done;
}

/**
 * ws_msgq_text_ends() - may the message end at the scanner?
 * @ctx: context in any mode
 *
 * Context: socket lock held, any context.
 * Return: false: it is text, and ends in the middle of a character.
 */
bool ws_msgq_text_ends(const struct ws_ctx *ctx)
{
	const struct ws_msgq *mq = ws_msgq(ctx);

	return !mq || !mq->text || mq->utf8 == WS_UTF8_OK;
}

/**
 * ws_msgq_was_read() - was the control frame at this place delivered before?
 * @ctx: context in any mode
 * @seq: sequence number of its header
 *
 * Context: socket lock held, any context.
 * Return: true if so: the reader passes over it.
 */
bool ws_msgq_was_read(const struct ws_ctx *ctx, u32 seq)
{
	return ws_msgq(ctx) && before(seq, ctx->aux->msgq->ctrl_seq);
}

/**
 * ws_msgq_follow() - the reader has moved
 * @ctx: context in WS_RX_MESSAGE
 *
 * Sequence numbers are compared within 2 GB: ctrl_seq must not fall behind.
 * Context: socket lock held, any context.
 */
void ws_msgq_follow(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = ctx->aux->msgq;

	if (before(mq->ctrl_seq, ctx->rd.seq))
		mq->ctrl_seq = ctx->rd.seq;
}

static struct sk_buff *new_chunk(struct ws_ctx *ctx)
{
	struct sk_buff *skb = alloc_skb(CHUNK, GFP_ATOMIC | __GFP_NOWARN);

	if (skb && !sk_rmem_schedule(ctx->sk, skb, skb->truesize)) {
		kfree_skb(skb);
		return NULL;
	}
	if (skb)
		skb_set_owner_r(skb, ctx->sk);
	return skb;
}

/* More of the message's payload to the end of a buffer. */
static int fill_chunk(struct ws_ctx *ctx, struct sk_buff *skb, u32 *n)
{
	struct ws_pass ps = { .cmsg = true, .len = skb_tailroom(skb) };
	struct kvec kv = { skb_tail_pointer(skb), ps.len };
	struct iov_iter to;
	int err;

	iov_iter_kvec(&to, ITER_DEST, &kv, 1, ps.len);
	ps.to = &to;
	err = ws_rx_pass(ctx, &ps);
	skb_put(skb, ps.done);
	*n = ps.done;
	return err;
}

/* Return: bytes gathered; 0: no more; -errno, -ENOMEM among them. */
static int gather_some(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct sk_buff *skb = skb_peek_tail(&mq->part), *fresh = NULL;
	u32 n = 0;
	int err;

	if (!skb || !skb_tailroom(skb)) {
		fresh = new_chunk(ctx);
		if (!fresh)
			return -ENOMEM;
		skb = fresh;
	}
	err = fill_chunk(ctx, skb, &n);
	mq->len += n;
	if (fresh && n)
		__skb_queue_tail(&mq->part, fresh);
	else
		kfree_skb(fresh);
	return err ? : n;
}

/**
 * ws_msgq_gather() - make room for the rest of a message that is not whole
 * @ctx: context in WS_RX_MESSAGE that has nothing to read
 *
 * No cursor is good afterwards.
 * Context: socket lock held, any context.
 * Return: false: without memory; try again later.
 */
bool ws_msgq_gather(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct sock *sk = ctx->sk;
	int ret = 1;

	if (atomic_read(&sk->sk_rmem_alloc) <= sk->sk_rcvbuf / 4)
		return true;
	while (ctx->rd.avail && ret > 0)
		ret = gather_some(ctx);
	ws_msgq_follow(ctx);
	if (ret < 0 && ret != -ENOMEM)
		ws_rx_judge(ctx, ret);
	else if (mq->len > sk->sk_rcvbuf / 2)
		/* SO_RCVBUF is smaller than when the limit was set */
		ws_rx_fail(ctx, WS_CODE_TOO_BIG);
	ws_stream_release(ctx);
	return ret != -ENOMEM;
}

/*
 * The next control frame to deliver: at the reader, or within the message that
 * begins or goes on there. Return: its place in *seq, or false.
 */
static bool find_ctrl(struct ws_ctx *ctx, u32 *seq)
{
	const struct ws_reader *rd = &ctx->rd;
	struct ws_msgq *mq = ctx->aux->msgq;
	bool ahead = after(mq->ctrl_seq, rd->seq);
	bool last = !ahead && rd->left && rd->b0 & WS_B0_FIN;
	u32 at = ahead ? mq->ctrl_seq : rd->seq, n;
	struct ws_cursor cur = ws_stream_at(ctx, at);
	u64 skip = ahead ? 0 : rd->left;
	u8 buf[WS_HDR_MAX] __uninitialized;
	struct ws_hdr h;

	while (rd->events && !last && skip < ctx->scan.seq - at) {
		at += skip;
		ws_cursor_skip(ctx, &cur, skip);
		n = min_t(u32, WS_HDR_MAX, ctx->scan.seq - at);
		if (!ws_hdr_parse(&h, ws_cursor_peek(ctx, &cur, buf, &n), n))
			return false;
		*seq = at;
		if (!ws_opcode_is_ctrl(ws_hdr_opcode(&h)))
			last = ws_hdr_fin(&h);
		else if (ws_rx_delivers(ctx, ws_hdr_opcode(&h)))
			return true;
		skip = h.size + h.len;
	}
	return false;
}

static int ctrl_pass(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct ws_reader main = ctx->rd, *rd = &ctx->rd;
	int err;

	/* the reader is in the control frame for as long as the pass lasts */
	rd->seq = mq->ctrl.seq;
	rd->left = mq->ctrl.left;
	rd->key = mq->ctrl.key;
	rd->b0 = mq->ctrl.b0;
	rd->ctrl_first = mq->ctrl.ctrl_first;
	err = ws_rx_pass(ctx, ps);
	mq->ctrl = *rd;
	main.events = rd->events;
	main.whole = rd->whole;
	*rd = main;
	return err;
}

/* Return: 1: a control frame was read; 0: there is none; or a negative errno */
static int read_ctrl(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	u32 seq;
	int err;

	if (!ctx->rd.whole)
		return 0;
	if (!mq->in_ctrl) {
		if (mq->begun || !find_ctrl(ctx, &seq))
			return 0;
		if (!ps->cmsg)
			return -EIO;
		mq->ctrl = (struct ws_reader){ .seq = seq };
		mq->ctrl_seq = seq;
	} else if (!ps->cmsg) {
		return -EIO;
	}
	err = ctrl_pass(ctx, ps);
	mq->in_ctrl = mq->ctrl.left;
	if (ps->eor)
		mq->ctrl_seq = mq->ctrl.seq;
	return err ? : 1;
}

/* Gathered payload. A peek leaves it where it is. */
static int read_part(struct ws_msgq *mq, struct ws_pass *ps)
{
	struct sk_buff *skb, *next;
	u32 off = mq->off, n;

	skb_queue_walk_safe(&mq->part, skb, next) {
		n = min_t(size_t, ps->len - ps->done, skb->len - off);
		if (!n)
			break;
		if (ps->to && copy_to_iter(skb->data + off, n, ps->to) != n)
			return -EFAULT;
		ps->done += n;
		off += n;
		if (!ps->peek) {
			mq->len -= n;
			mq->off = off;
		}
		if (off < skb->len)
			break;
		off = 0;
		if (ps->peek)
			continue;
		mq->off = 0;
		__skb_unlink(skb, &mq->part);
		kfree_skb(skb);
	}
	return 0;
}

/* The message's payload behind what was gathered. */
static int read_rest(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_pass rest = { .to = ps->to, .len = ps->len,
				.done = ps->done, .cmsg = true };
	int err = ws_rx_pass(ctx, &rest);

	ps->done = rest.done;
	ps->eor = rest.eor;
	return err;
}

/* Bytes from the reader, which is in a whole message, to its end. */
static u32 message_left(struct ws_ctx *ctx)
{
	struct ws_reader saved = ctx->rd;
	struct ws_pass ps = { .len = INT_MAX, .cmsg = true };

	read_rest(ctx, &ps);
	ctx->rd = saved;
	return ps.done;
}

static void tell_frame(struct ws_ctx *ctx, struct ws_pass *ps, bool first,
		       u32 left)
{
	const struct ws_reader *rd = &ctx->rd;

	ps->frame.opcode = rd->msg_b0 & WS_B0_OPCODE;
	ps->frame.flags = rd->msg_b0 & WS_RSV_MASK;
	if (first)
		ps->frame.flags |= WS_F_FIRST;
	if (rd->b0 & WS_B0_FIN)
		ps->frame.flags |= WS_F_FIN;
	ps->frame.left = left;
}

/* A message that is whole. */
static int read_message(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	bool first = !mq->begun;
	u32 gathered = mq->len, left;
	int err;

	err = read_part(mq, ps);
	left = gathered - ps->done;	/* a peek takes nothing from mq->len */
	if (!err && !left)
		err = read_rest(ctx, ps);
	if (err && !ps->done)
		return err;
	if (!ps->eor && (ps->cmsg || flags & MSG_TRUNC))
		left += message_left(ctx);
	tell_frame(ctx, ps, first, ps->eor ? 0 : left);
	mq->begun = !ps->eor;
	if (err || ps->eor || !(flags & MSG_TRUNC))
		return err;
	/* the length of all of it, whatever there was room for */
	ps->done += left;
	ps->trunc = true;
	mq->begun = false;
	if (!ps->peek) {
		struct ws_pass rest = { .len = INT_MAX };

		ws_msgq_purge(ctx);
		err = read_rest(ctx, &rest);
	}
	return err;
}

static int read_next(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	int ret;

	for (;;) {
		ret = read_ctrl(ctx, ps);
		if (ret)
			return min(ret, 0);
		if (!ctx->rd.whole)
			return 0;
		ret = read_message(ctx, ps, flags);
		/* read() cannot tell an empty one from the end: skipped */
		if (ret || !ps->eor || ps->done || ps->cmsg)
			return ret;
		ps->eor = false;
	}
}

/**
 * ws_msgq_read() - take from the first whole message
 * @ctx: context in WS_RX_MESSAGE
 * @ps: what the caller has room for; filled with what was taken
 * @flags: MSG_TRUNC; MSG_PEEK is @ps->peek, and leaves no trace
 *
 * Context: process, socket lock held.
 * Return: as ws_rx_pass().
 */
int ws_msgq_read(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct ws_reader rd = ctx->rd, ctrl = mq->ctrl;
	bool begun = mq->begun, in_ctrl = mq->in_ctrl;
	u32 ctrl_seq;
	int err;

	ws_msgq_follow(ctx);
	ctrl_seq = mq->ctrl_seq;
	err = read_next(ctx, ps, flags);
	ps->stop = ps->eor || ps->trunc;
	if (ps->peek) {
		ctx->rd = rd;
		mq->ctrl = ctrl;
		mq->begun = begun;
		mq->in_ctrl = in_ctrl;
		mq->ctrl_seq = ctrl_seq;
	}
	return err;
}

/**
 * ws_msgq_inq() - bytes that a plain read returns now
 * @ctx: context in WS_RX_MESSAGE
 *
 * Context: socket lock held.
 * Return: bytes; 0 without a whole message.
 */
int ws_msgq_inq(struct ws_ctx *ctx)
{
	struct ws_pass ps = { .len = INT_MAX, .peek = true };

	ws_msgq_read(ctx, &ps, 0);
	return ps.done;
}
