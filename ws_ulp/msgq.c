// SPDX-License-Identifier: GPL-2.0
/*
 * WS_RX_MESSAGE: payload moves out of TCP's queue as it arrives, unmasked and
 * checked, into buffers charged to the receive buffer. The application is
 * woken for whole messages, and a peer that cuts its message into thousands
 * of segments does not fill the receive buffer with their overhead.
 */
#include <linux/skbuff.h>
#include <net/tcp.h>

#include "ws.h"

/* Room of a buffer whose message may go on: a small power of two in all. */
#define CHUNK	SKB_WITH_OVERHEAD(4096)

/**
 * struct ws_msgq - messages on their way to the application
 * @q: buffers, in order; a message is one or more of them
 * @whole: messages in @q that are there to their end
 * @part: the last buffer in @q belongs to a message that is not
 * @first: with @part, the first buffer of that message
 */
struct ws_msgq {
	struct sk_buff_head	q;
	u32			whole;
	bool			part;
	struct sk_buff		*first;
};

/**
 * struct chunk - what the control block of a buffer in ws_msgq.q holds
 * @frame: what its bytes belong to
 * @off: bytes of it that were read
 * @eor: the message ends with it
 */
struct chunk {
	struct ws_frame	frame;
	u32		off;
	bool		eor;
};

static struct chunk *chunk_of(const struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct chunk) > sizeof(skb->cb));
	return (struct chunk *)skb->cb;
}

/**
 * ws_msgq_open() - WS_RX_MESSAGE was set
 * @ctx: context
 *
 * The queue stays for as long as the socket: poll() looks at it without a
 * lock. The caller sets the mode after this.
 * Context: process, socket lock held.
 * Return: 0, -ENOMEM.
 */
int ws_msgq_open(struct ws_ctx *ctx)
{
	struct ws_aux *aux = ws_aux(ctx, GFP_KERNEL);

	if (!aux)
		return -ENOMEM;
	if (aux->msgq)
		return 0;
	aux->msgq = kzalloc(sizeof(*aux->msgq), GFP_KERNEL_ACCOUNT);
	if (!aux->msgq)
		return -ENOMEM;
	skb_queue_head_init(&aux->msgq->q);
	return 0;
}

/**
 * ws_msgq_purge() - forget all messages: nobody will read them
 * @ctx: context
 *
 * Context: process, socket lock held.
 */
void ws_msgq_purge(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = ctx->aux ? ctx->aux->msgq : NULL;

	if (!mq)
		return;
	__skb_queue_purge(&mq->q);
	WRITE_ONCE(mq->whole, 0);
	mq->part = false;
}

static struct sk_buff *new_chunk(struct ws_ctx *ctx)
{
	/* what is there to its end needs no room for more */
	u32 size = ctx->rd.whole ? min_t(u32, ctx->rd.avail, CHUNK) : CHUNK;
	struct sk_buff *skb = alloc_skb(size, GFP_ATOMIC | __GFP_NOWARN);

	if (skb && !sk_rmem_schedule(ctx->sk, skb, skb->truesize)) {
		kfree_skb(skb);
		skb = NULL;
	}
	if (!skb) {
		ctx->flags |= WS_F_RETRY;
		ws_timer_set(ctx);
		return NULL;
	}
	skb_set_owner_r(skb, ctx->sk);
	*chunk_of(skb) = (struct chunk){ };
	return skb;
}

/* A message turned bad: the application never sees a part of it. */
static void drop_part(struct ws_msgq *mq)
{
	struct sk_buff *skb;

	while (mq->part) {
		skb = skb_peek_tail(&mq->q);
		if (!skb || chunk_of(skb)->eor)
			break;
		__skb_unlink(skb, &mq->q);
		kfree_skb(skb);
	}
	mq->part = false;
}

/* Where more of the message that has begun goes. */
static struct sk_buff *tail_chunk(struct ws_msgq *mq)
{
	struct sk_buff *skb = mq->part ? skb_peek_tail(&mq->q) : NULL;

	return skb && skb_tailroom(skb) ? skb : NULL;
}

static int fill_chunk(struct ws_ctx *ctx, struct sk_buff *skb,
		      struct ws_pass *ps)
{
	struct iov_iter to;
	struct kvec kv;
	int err;

	ps->len = skb_tailroom(skb);
	ps->to = &to;
	kv = (struct kvec){ skb_tail_pointer(skb), ps->len };
	iov_iter_kvec(&to, ITER_DEST, &kv, 1, ps->len);
	err = ws_rx_pass(ctx, ps);
	skb_put(skb, ps->done);
	return err;
}

static void queue_part(struct ws_msgq *mq, struct sk_buff *skb)
{
	if (!mq->part)
		mq->first = skb;
	__skb_queue_tail(&mq->q, skb);
	mq->part = true;
}

/* More of a message. Return: something moved. */
static bool fill_data(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct ws_pass ps = { .cmsg = true, .data_only = mq->part };
	struct sk_buff *old = tail_chunk(mq);
	struct sk_buff *skb = old ? old : new_chunk(ctx);
	int err;

	if (!skb)
		return false;
	err = fill_chunk(ctx, skb, &ps);
	if (err)
		drop_part(mq);
	if (err || (!ps.done && !ps.eor)) {
		if (!old)
			kfree_skb(skb);
		return false;
	}
	ps.frame.flags |= chunk_of(skb)->frame.flags & WS_F_FIRST;
	chunk_of(skb)->frame = ps.frame;
	chunk_of(skb)->eor = ps.eor;
	if (!old)
		queue_part(mq, skb);
	if (ps.eor) {
		mq->part = false;
		WRITE_ONCE(mq->whole, mq->whole + 1);
	}
	return true;
}

/* A control frame to deliver, in the middle of a message: goes before it. */
static bool fill_ctrl(struct ws_ctx *ctx)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct ws_pass ps = { .cmsg = true };
	struct sk_buff *skb = new_chunk(ctx);

	if (!skb)
		return false;
	if (fill_chunk(ctx, skb, &ps) || !ps.eor) {
		kfree_skb(skb);
		return false;
	}
	chunk_of(skb)->frame = ps.frame;
	chunk_of(skb)->eor = true;
	__skb_queue_before(&mq->q, mq->first, skb);
	WRITE_ONCE(mq->whole, mq->whole + 1);
	return true;
}

/**
 * ws_msgq_fill() - move what the scanner found into the queue
 * @ctx: context in WS_RX_MESSAGE
 *
 * Context: socket lock held, any context.
 */
void ws_msgq_fill(struct ws_ctx *ctx)
{
	while (ctx->rd.avail || ctx->rd.events) {
		if (!fill_data(ctx) &&
		    !(ctx->aux->msgq->part && ctx->rd.events && fill_ctrl(ctx)))
			break;
		ws_rx_consume(ctx);
	}
	if (ws_rx_at_end(ctx)) {
		drop_part(ctx->aux->msgq);
		ws_rx_purge(ctx);
	} else if (!ctx->rd.avail && !ctx->rd.events) {
		ws_rx_consume(ctx);
	}
}

/**
 * ws_msgq_ready() - messages that are there to their end
 * @ctx: context in WS_RX_MESSAGE
 *
 * Context: any.
 * Return: their number.
 */
u32 ws_msgq_ready(const struct ws_ctx *ctx)
{
	return READ_ONCE(ctx->aux->msgq->whole);
}

/**
 * ws_msgq_empty() - is no part of any message there
 * @ctx: context in WS_RX_MESSAGE
 *
 * Context: socket lock held.
 * Return: true if there is none.
 */
bool ws_msgq_empty(const struct ws_ctx *ctx)
{
	return skb_queue_empty(&ctx->aux->msgq->q);
}

/* A message without bytes: read() cannot tell it from the end. */
static bool is_silent(const struct sk_buff *skb)
{
	const struct chunk *c = chunk_of(skb);

	return c->eor && c->off == skb->len &&
	       !ws_opcode_is_ctrl(c->frame.opcode);
}

/* Where the first whole message begins that a caller is to see, or NULL */
static struct sk_buff *first_seen(const struct ws_msgq *mq, bool cmsg)
{
	struct sk_buff *skb;
	u32 whole = mq->whole;

	skb_queue_walk(&mq->q, skb) {
		if (!whole)
			break;
		if (cmsg || !is_silent(skb))
			return skb;
		whole--;
	}
	return NULL;
}

/* Bytes from there to the end of the message. */
static u32 message_left(const struct ws_msgq *mq, struct sk_buff *skb)
{
	u32 n = 0;

	skb_queue_walk_from(&mq->q, skb) {
		n += skb->len - chunk_of(skb)->off;
		if (chunk_of(skb)->eor)
			break;
	}
	return n;
}

/**
 * ws_msgq_inq() - bytes that a plain read returns now
 * @ctx: context in WS_RX_MESSAGE
 *
 * Context: socket lock held.
 * Return: bytes; 0 without a whole message.
 */
u32 ws_msgq_inq(const struct ws_ctx *ctx)
{
	const struct ws_msgq *mq = ctx->aux->msgq;
	struct sk_buff *skb = first_seen(mq, false);

	return skb ? message_left(mq, skb) : 0;
}

static void tell_frame(struct ws_pass *ps, const struct chunk *c, u32 left)
{
	u8 first = ps->done ? ps->frame.flags & WS_F_FIRST :
			      c->frame.flags & WS_F_FIRST && !c->off ?
			      WS_F_FIRST : 0;

	ps->frame = c->frame;
	ps->frame.flags = (c->frame.flags & ~WS_F_FIRST) | first;
	ps->frame.left = left;
}

/* n bytes of a buffer were read. */
static void chunk_done(struct ws_msgq *mq, struct sk_buff *skb, u32 n)
{
	struct chunk *c = chunk_of(skb);

	c->off += n;
	if (c->off < skb->len)
		return;
	if (c->eor)
		WRITE_ONCE(mq->whole, mq->whole - 1);
	__skb_unlink(skb, &mq->q);
	kfree_skb(skb);
}

/* Messages that the caller does not see go. */
static void drop_silent(struct ws_msgq *mq, const struct sk_buff *until)
{
	while (mq->whole && skb_peek(&mq->q) != until)
		chunk_done(mq, skb_peek(&mq->q), 0);
}

/* Take the rest of the first message away: MSG_TRUNC. */
static void drop_rest(struct ws_msgq *mq)
{
	struct sk_buff *skb;
	bool eor = false;

	while (!eor && (skb = skb_peek(&mq->q))) {
		eor = chunk_of(skb)->eor;
		chunk_done(mq, skb, skb->len - chunk_of(skb)->off);
	}
}

/**
 * ws_msgq_read() - take from the first whole message
 * @ctx: context in WS_RX_MESSAGE
 * @ps: what the caller has room for; filled with what was taken
 * @flags: MSG_PEEK, MSG_TRUNC
 *
 * Context: process, socket lock held.
 * Return: 0, -EFAULT, or -EIO: a control frame, and no room to say so.
 */
int ws_msgq_read(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	struct ws_msgq *mq = ctx->aux->msgq;
	struct sk_buff *skb = first_seen(mq, ps->cmsg), *next;
	bool end;
	u32 left;

	if (!ps->peek)
		drop_silent(mq, skb);
	if (!skb)
		return 0;
	left = message_left(mq, skb);
	skb_queue_walk_from_safe(&mq->q, skb, next) {
		struct chunk *c = chunk_of(skb);
		u32 n = min_t(size_t, ps->len - ps->done, skb->len - c->off);

		if (ws_opcode_is_ctrl(c->frame.opcode) && !ps->cmsg)
			return -EIO;
		if (n && copy_to_iter(skb->data + c->off, n, ps->to) != n)
			return -EFAULT;
		left -= n;
		tell_frame(ps, c, left);
		end = c->off + n == skb->len;
		ps->done += n;
		ps->eor = c->eor && end;
		if (!ps->peek)
			chunk_done(mq, skb, n);
		if (!end || ps->eor)
			break;
	}
	if (flags & MSG_TRUNC && left) {
		/* the length of all of it, whatever there was room for */
		ps->done += left;
		ps->trunc = true;
		if (!ps->peek)
			drop_rest(mq);
	}
	return 0;
}
