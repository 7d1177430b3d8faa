/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stream: what has arrived, in order. Its bytes lie in the preload, which
 * comes first, and in TCP's receive queue, and have TCP's sequence numbers.
 *
 * TCP queues a segment that begins before rcv_nxt as it is, so several buffers
 * can hold the same sequence numbers, and not the same bytes. A sequence number
 * belongs to the first buffer in the queue that ends behind it, as for TCP's
 * own reader. ws_stream_find() is the only place that decides this, and a
 * cursor only moves to a buffer when the one before is used up, so that a byte
 * which was judged is the byte that is read later.
 */
#ifndef _WS_STREAM_H
#define _WS_STREAM_H

#include "ws.h"

const u8 *ws_skb_span(const struct sk_buff *skb, u32 off, u32 *len);
struct ws_cursor ws_stream_at(const struct ws_ctx *ctx, u32 seq);
const u8 *ws_cursor_gather(const struct ws_ctx *ctx,
			   const struct ws_cursor *at, u8 *buf, u32 *n);
u32 ws_stream_held(const struct ws_ctx *ctx, u32 enough);
void ws_stream_release(struct ws_ctx *ctx);
bool ws_stream_squeeze(struct ws_ctx *ctx);
void ws_stream_drop_preload(struct ws_ctx *ctx);
int ws_stream_preload(struct ws_ctx *ctx, const void *data, unsigned int len);

static inline struct sk_buff *ws_stream_first(const struct ws_ctx *ctx)
{
	return unlikely(ctx->aux) ? ctx->aux->preload : NULL;
}

/* Sequence number after the last byte of a buffer; a FIN has none here. */
static inline u32 ws_skb_end(const struct sk_buff *skb)
{
	return TCP_SKB_CB(skb)->seq + skb->len;
}

/* Sequence number after the last byte that arrived in order. */
static inline u32 ws_stream_end(const struct ws_ctx *ctx)
{
	const struct sk_buff *skb = skb_peek_tail(&ctx->sk->sk_receive_queue);

	if (skb)
		return ws_skb_end(skb);
	return ws_stream_first(ctx) ? ctx->aux->preload_end : ctx->scan.seq;
}

static inline struct sk_buff *ws_stream_next(const struct ws_ctx *ctx,
					     struct sk_buff *skb)
{
	if (unlikely(skb == ws_stream_first(ctx)))
		return skb_peek(&ctx->sk->sk_receive_queue);
	return skb_peek_next(skb, &ctx->sk->sk_receive_queue);
}

/* The piece at the cursor's place, once skb and off are right. */
static inline void ws_cursor_look(struct ws_cursor *cur)
{
	cur->n = U32_MAX;
	cur->p = cur->skb ? ws_skb_span(cur->skb, cur->off, &cur->n) : NULL;
	if (!cur->p)
		cur->n = 0;
}

/*
 * Forward by n bytes. By sequence numbers, not lengths, from one buffer to the
 * next: the first bytes of the next one may repeat the last of this one.
 */
static inline void ws_cursor_skip(const struct ws_ctx *ctx,
				  struct ws_cursor *cur, u32 n)
{
	cur->off += n;
	if (n < cur->n) {
		cur->p += n;
		cur->n -= n;
		return;
	}
	while (cur->skb && cur->off >= cur->skb->len) {
		u32 seq = TCP_SKB_CB(cur->skb)->seq + cur->off;

		cur->skb = ws_stream_next(ctx, cur->skb);
		if (cur->skb)
			cur->off = seq - TCP_SKB_CB(cur->skb)->seq;
	}
	ws_cursor_look(cur);
}

/* Up to *n bytes at the cursor: where they lie, or copied to buf. */
static inline const u8 *ws_cursor_peek(const struct ws_ctx *ctx,
				       const struct ws_cursor *cur, u8 *buf,
				       u32 *n)
{
	return *n <= cur->n ? cur->p : ws_cursor_gather(ctx, cur, buf, n);
}

#endif /* _WS_STREAM_H */
