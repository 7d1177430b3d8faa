// SPDX-License-Identifier: GPL-2.0
/*
 * Payload from the stack's buffers to the application: unmasked and checked
 * while it is copied. The buffers are never written to: after sendfile() over
 * loopback they are the file's own pages.
 */
#include <linux/fault-inject-usercopy.h>
#include <linux/iov_iter.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "mask.h"
#include "utf8.h"
#include "ws.h"

/*
 * On the stack: large enough to make the calls per piece cheap. Written before
 * it is read, so a hardened kernel need not zero it.
 */
#define BOUNCE	512

#define put_masked(to, from, i, key) \
	unsafe_put_user(get_unaligned((u64 *)((from) + (i))) ^ (key), \
			(u64 __user *)((to) + (i)), fault)

/* Step of iterate_and_advance2() for user memory: 0, or bytes not copied. */
static __always_inline
size_t unmask_to_user(void __user *to, size_t progress, size_t len, void *from,
		      void *priv2)
{
	u32 key = ws_mask_turn(*(u32 *)priv2, progress);
	u64 key8 = (u64)key << 32 | key;
	const u8 *p = from + progress;
	u8 __user *u = to;
	size_t i = 0;

	if (should_fail_usercopy() || !user_access_begin(u, len))
		return len;
	for (; len - i >= 32; i += 32) {
		put_masked(u, p, i, key8);
		put_masked(u, p, i + 8, key8);
		put_masked(u, p, i + 16, key8);
		put_masked(u, p, i + 24, key8);
	}
	for (; len - i >= 8; i += 8)
		put_masked(u, p, i, key8);
	for (; i < len; i++, key = ws_mask_turn(key, 1))
		unsafe_put_user(p[i] ^ ((u8 *)&key)[0], u + i, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return len - i;
}

static __always_inline
size_t unmask_to_kernel(void *to, size_t progress, size_t len, void *from,
			void *priv2)
{
	ws_mask_copy(to, from + progress, len,
		     ws_mask_turn(*(u32 *)priv2, progress));
	return 0;
}

static int copy_masked(const u8 *p, struct iov_iter *to, u32 len, u32 key)
{
	return iterate_and_advance2(to, len, (void *)p, &key, unmask_to_user,
				    unmask_to_kernel);
}

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
	int i;

	if (off < start) {
		*len = min(*len, start - off);
		return skb->data + off;
	}
	if (IS_ENABLED(CONFIG_HIGHMEM) || !skb_frags_readable(skb))
		return NULL;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *f = &skb_shinfo(skb)->frags[i];
		u32 size = skb_frag_size(f);

		if (off - start < size) {
			off -= start;
			*len = min(*len, size - off);
			return skb_frag_address(f) + off;
		}
		start += size;
	}
	return NULL;
}

static const u8 *span(struct sk_buff *skb, u32 off, u32 *len, u8 *bounce)
{
	const u8 *p = ws_skb_span(skb, off, len);

	if (likely(p))
		return p;
	*len = min_t(u32, *len, BOUNCE);
	return skb_copy_bits(skb, off, bounce, *len) ? NULL : bounce;
}

static int copy_text(struct ws_ctx *ctx, const u8 *p, struct iov_iter *to,
		     u32 len, u8 *bounce)
{
	u16 utf8 = ctx->rd.utf8;
	size_t good, done;

	len = min_t(u32, len, BOUNCE);
	if (p == bounce)
		ws_mask(bounce, len, ctx->rd.key);
	else
		ws_mask_copy(bounce, p, len, ctx->rd.key);
	good = ws_utf8_check(&utf8, bounce, len);
	if (!good)
		return -EILSEQ;
	/*
	 * Not copy_to_iter(): its check of the stack's bounds takes a lock
	 * that must not be taken in softirq.
	 */
	done = _copy_to_iter(bounce, good, to);
	if (done < good)
		iov_iter_revert(to, done);
	if (done < good)
		return -EFAULT;
	if (good == len)
		ctx->rd.utf8 = utf8;
	else	/* the next call starts at the bad byte, and fails there */
		ws_utf8_check(&ctx->rd.utf8, bounce, good);
	return good;
}

static int copy_span(struct ws_ctx *ctx, const u8 *p, struct iov_iter *to,
		     u32 len, u8 *bounce)
{
	struct ws_reader *rd = &ctx->rd;
	size_t done;

	if ((rd->msg_b0 & (WS_B0_OPCODE | WS_RSV_MASK)) == WS_OP_TEXT &&
	    ws_is(ctx, WS_F_UTF8) && !ws_opcode_is_ctrl(rd->b0))
		return copy_text(ctx, p, to, len, bounce);
	if (rd->key)
		done = copy_masked(p, to, len, rd->key);
	else
		done = _copy_to_iter(p, len, to);
	if (done < len) {
		iov_iter_revert(to, done);
		return -EFAULT;
	}
	return len;
}

/**
 * ws_copy_out() - copy payload at the reader's position
 * @ctx: context; moves its rd.left, key, avail, utf8 and seq on
 * @skb: buffer that holds the position
 * @off: the position within @skb
 * @to: where to; advanced by what is returned
 * @len: most bytes to take, at most rd.left and what @skb has after @off
 *
 * Text is checked with the bytes that it returns; a short count ends before
 * the first bad byte (RFC 6455 section 8.1). A fault in a piece leaves that
 * piece untaken.
 *
 * Return: bytes taken, or -EFAULT, or -EILSEQ at a bad byte.
 */
int ws_copy_out(struct ws_ctx *ctx, struct sk_buff *skb, u32 off,
		struct iov_iter *to, u32 len)
{
	struct ws_reader *rd = &ctx->rd;
	u8 bounce[BOUNCE] __uninitialized;
	u32 done = 0;

	while (done < len) {
		u32 n = len - done;
		const u8 *p = span(skb, off + done, &n, bounce);
		int ret = p ? copy_span(ctx, p, to, n, bounce) : -EFAULT;

		if (ret < 0)
			return done ? done : ret;
		done += ret;
		rd->left -= ret;
		rd->seq += ret;
		if (!ws_opcode_is_ctrl(rd->b0))
			rd->avail -= ret;
		rd->key = ws_mask_turn(rd->key, ret);
	}
	return done;
}
