// SPDX-License-Identifier: GPL-2.0
/* The stream: where a byte lies, and when its buffer goes back to TCP. */
#include <linux/skbuff.h>
#include <net/inet_common.h>
#include <net/tcp.h>

#include "stream.h"

/* Bytes of unread stream that are worth a buffer of their own in any case. */
#define SQUEEZE_MIN	2048

/**
 * ws_skb_span() - contiguous bytes of a buffer, where they lie
 * @skb: buffer
 * @off: offset within @skb
 * @len: bytes wanted; set to how many there are, at most as many
 *
 * Return: NULL for what has to be copied out: lists of skbs, pages in high
 * memory and on devices.
 */
const u8 *ws_skb_span(const struct sk_buff *skb, u32 off, u32 *len)
{
	u32 start = skb_headlen(skb);
	const skb_frag_t *f, *last;

	if (off < start) {
		*len = min(*len, start - off);
		return skb->data + off;
	}
	if (IS_ENABLED(CONFIG_HIGHMEM) || !skb_frags_readable(skb))
		return NULL;
	/* by pointers: an index would be checked against the array's bounds */
	f = skb_shinfo(skb)->frags;
	last = f + skb_shinfo(skb)->nr_frags;
	for (off -= start; f < last; off -= skb_frag_size(f++)) {
		if (off < skb_frag_size(f)) {
			*len = min(*len, skb_frag_size(f) - off);
			return skb_frag_address(f) + off;
		}
	}
	return NULL;
}

/*
 * The buffer that a sequence number belongs to: the first one that ends behind
 * it. Buffers end in rising order, so a walk from the tail finds it as well;
 * what has just arrived is there, and all else is mostly in the first buffer.
 */
static struct sk_buff *stream_find(const struct ws_ctx *ctx, u32 seq)
{
	const struct sk_buff_head *q = &ctx->sk->sk_receive_queue;
	struct sk_buff *skb = ws_stream_first(ctx), *found = NULL;

	if (unlikely(skb) && before(seq, ctx->aux->preload_end))
		return skb;
	skb = skb_peek(q);
	if (!skb || after(ws_skb_end(skb), seq))
		return skb;
	skb_queue_reverse_walk(q, skb) {
		if (!after(ws_skb_end(skb), seq))
			break;
		found = skb;
	}
	return found;
}

/**
 * ws_stream_at() - the place of a sequence number
 * @ctx: context
 * @seq: sequence number, not before the first byte that is kept
 *
 * The cursor is good until the socket lock is dropped, or TCP is called.
 * Context: socket lock held, any context.
 * Return: the place; its skb is NULL when nothing has arrived there.
 */
struct ws_cursor ws_stream_at(const struct ws_ctx *ctx, u32 seq)
{
	struct ws_cursor cur = { .skb = stream_find(ctx, seq) };

	if (cur.skb)
		cur.off = seq - TCP_SKB_CB(cur.skb)->seq;
	ws_cursor_look(&cur);
	return cur;
}

/**
 * ws_cursor_gather() - copy bytes from wherever they are
 * @ctx: context
 * @at: the place of the first; stays there
 * @buf: where to
 * @n: bytes wanted; set to how many there are
 *
 * Context: socket lock held, any context.
 * Return: @buf.
 */
const u8 *ws_cursor_gather(const struct ws_ctx *ctx,
			   const struct ws_cursor *at, u8 *buf, u32 *n)
{
	struct ws_cursor cur = *at;
	u32 want = *n, got = 0;

	while (cur.skb && got < want) {
		u32 step = min(want - got, cur.skb->len - cur.off);

		if (step && skb_copy_bits(cur.skb, cur.off, buf + got, step))
			break;
		got += step;
		ws_cursor_skip(ctx, &cur, step);
	}
	*n = got;
	return buf;
}

/**
 * ws_stream_held() - memory of the bytes that the reader has not come to
 * @ctx: context
 * @enough: the count may stop here
 *
 * Buffers count with all that they take, but for what was read of the first.
 * Segments that wait for others before them do not count: TCP gets those sent
 * again whatever happens here.
 *
 * Context: socket lock held, any context.
 * Return: bytes; exact below @enough.
 */
u32 ws_stream_held(const struct ws_ctx *ctx, u32 enough)
{
	struct sk_buff *skb = stream_find(ctx, ctx->rd.seq);
	u32 read, held;

	if (!skb)
		return 0;
	read = ctx->rd.seq - TCP_SKB_CB(skb)->seq;
	held = skb->truesize - min_t(u32, read, skb->truesize);
	while (held < enough && (skb = ws_stream_next(ctx, skb)))
		held += skb->truesize;
	return held;
}

/* The only place that frees the preload. */
static void set_preload(struct ws_ctx *ctx, struct sk_buff *skb, u32 end)
{
	kfree_skb(ctx->aux->preload);	/* charged to the socket */
	ctx->aux->preload = skb;
	ctx->aux->preload_end = end;
}

/* TCP's buffers up to a sequence number: the window opens by that much. */
static void give_back(struct ws_ctx *ctx, u32 seq)
{
	struct sock *sk = ctx->sk;

	if (!after(seq, ctx->tcp_seq))
		return;
	tcp_read_done(sk, seq - ctx->tcp_seq);
	ctx->tcp_seq = tcp_sk(sk)->copied_seq;
}

/**
 * ws_stream_release() - give back what lies before the reader
 * @ctx: context
 *
 * No cursor is good afterwards.
 * Context: socket lock held, any context.
 */
void ws_stream_release(struct ws_ctx *ctx)
{
	if (unlikely(ws_stream_first(ctx))) {
		if (before(ctx->rd.seq, ctx->aux->preload_end))
			return;
		set_preload(ctx, NULL, 0);
	}
	give_back(ctx, ctx->rd.seq);
}

/**
 * ws_stream_drop_preload() - forget the preload of a context
 * @ctx: context whose stream nobody walks any more, or that is dormant
 *
 * Context: socket lock held.
 */
void ws_stream_drop_preload(struct ws_ctx *ctx)
{
	if (ctx->aux)
		set_preload(ctx, NULL, 0);
}

/* Charged to the socket, or NULL. Long ones are in pages. */
static struct sk_buff *new_buffer(struct sock *sk, u32 len, gfp_t gfp)
{
	u32 linear = len <= SQUEEZE_MIN ? len : 0;
	struct sk_buff *skb;
	int err;

	skb = alloc_skb_with_frags(linear, len - linear, 0, &err, gfp);
	if (skb && !sk_rmem_schedule(sk, skb, skb->truesize)) {
		kfree_skb(skb);
		skb = NULL;
	}
	if (!skb)
		return NULL;
	skb_put(skb, linear);
	skb->data_len = len - linear;
	skb->len = len;
	skb_set_owner_r(skb, sk);
	return skb;
}

/* How much of the unread stream moves, and is it worth it? 0 if it is not. */
static u32 squeeze_len(const struct ws_ctx *ctx)
{
	struct sk_buff *skb = stream_find(ctx, ctx->rd.seq);
	u32 n = ws_stream_end(ctx) - ctx->rd.seq;

	if (!skb || !n)
		return 0;
	if (n <= SQUEEZE_MIN)	/* all of it, however many buffers it fills */
		return ws_stream_held(ctx, U32_MAX) > 2 * SKB_TRUESIZE(n) ||
		       skb->truesize > 2 * SKB_TRUESIZE(n) ? n : 0;
	n = ws_skb_end(skb) - ctx->rd.seq;
	return n <= WS_PRELOAD_MAX && skb->truesize / 2 > SKB_TRUESIZE(n) ?
	       n : 0;
}

static void copy_stream(const struct ws_ctx *ctx, struct sk_buff *to, u32 n)
{
	struct ws_cursor cur = ws_stream_at(ctx, ctx->rd.seq);
	u8 buf[256] __uninitialized;
	u32 off = 0, step;

	while (off < n) {
		step = min_t(u32, sizeof(buf), n - off);
		ws_cursor_gather(ctx, &cur, buf, &step);
		skb_store_bits(to, off, buf, step);
		ws_cursor_skip(ctx, &cur, step);
		off += step;
	}
}

/**
 * ws_stream_squeeze() - move unread bytes to a buffer of their size
 * @ctx: context whose unread bytes no call can read yet
 *
 * What is left may be a part of a header, or of a record: nothing can take it,
 * and the buffer that holds it, most of it read, may fill the receive buffer,
 * so that the rest would never come. It moves to a buffer of its own, the
 * preload.
 *
 * No cursor is good afterwards.
 * Context: socket lock held, any context.
 * Return: false: without memory; try again later.
 */
bool ws_stream_squeeze(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;
	struct sk_buff *skb;
	u32 n;

	if (atomic_read(&sk->sk_rmem_alloc) <= sk->sk_rcvbuf / 8)
		return true;
	n = squeeze_len(ctx);
	if (!n)
		return true;
	if (!ws_aux(ctx, GFP_ATOMIC))
		return false;
	skb = new_buffer(sk, n, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return false;
	copy_stream(ctx, skb, n);
	TCP_SKB_CB(skb)->seq = ctx->rd.seq;
	set_preload(ctx, skb, ctx->rd.seq + n);
	give_back(ctx, ctx->rd.seq + n);
	return true;
}

/**
 * ws_stream_preload() - bytes that the handshake had read come first
 * @ctx: context of a dormant socket
 * @data: the bytes
 * @len: how many; 0 takes back what was set before
 *
 * Context: process, socket lock held.
 * Return: 0, -ENOBUFS.
 */
int ws_stream_preload(struct ws_ctx *ctx, const void *data, unsigned int len)
{
	struct sk_buff *skb = NULL;

	if (!ws_aux(ctx, GFP_KERNEL))
		return -ENOBUFS;
	if (len) {
		skb = new_buffer(ctx->sk, len, GFP_KERNEL_ACCOUNT);
		if (!skb)
			return -ENOBUFS;
		skb_store_bits(skb, 0, data, len);
	}
	set_preload(ctx, skb, 0);
	return 0;
}
