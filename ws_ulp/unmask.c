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
#include "protocol.h"
#include "reader.h"
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
 * @cur: the position
 * @to: where to; advanced by what is returned
 * @len: most bytes to take, at most rd.left and what the buffer has there
 *
 * Text is checked with the bytes that it returns; a short count may end before
 * the first bad byte (RFC 6455 section 8.1). A fault leaves all untaken.
 *
 * Return: bytes taken, at least one; or -EFAULT, or -EILSEQ at a bad byte.
 */
int ws_copy_out(struct ws_ctx *ctx, const struct ws_cursor *cur,
		struct iov_iter *to, u32 len)
{
	u8 bounce[BOUNCE] __uninitialized;
	const u8 *p = cur->p;
	int ret;

	if (likely(p)) {
		len = min(len, cur->n);
	} else {
		len = min_t(u32, len, BOUNCE);
		if (skb_copy_bits(cur->skb, cur->off, bounce, len))
			return -EFAULT;
		p = bounce;
	}
	ret = copy_span(ctx, p, to, len, bounce);
	if (ret < 0)
		return ret;
	ctx->rd.key = ws_mask_turn(ctx->rd.key, ret);
	ws_reader_take(&ctx->rd, ret);
	return ret;
}

#define put_word(u, p, i, key, seen)					\
	do {								\
		u64 word = get_unaligned((const u64 *)((p) + (i))) ^ (key); \
									\
		(seen) |= word;						\
		unsafe_put_user(word, (u64 __user *)((u) + (i)), fault); \
	} while (0)

#define put_two(u, p, i, key, seen)					\
	do {								\
		put_word(u, p, i, key, seen);				\
		put_word(u, p, (i) + 8, key, seen);			\
	} while (0)

/*
 * Within user_access_begin(): nothing here may be a call. Instead of stepping
 * through what is left of the last words, they go over some bytes a second
 * time.
 */
static __always_inline bool put_short(u8 __user *u, const u8 *p, size_t len,
				      u32 key, u64 *bits)
{
	u64 wide = (u64)key << 32 | key;
	u32 end = ws_mask_turn(key, len);
	u64 wide_end = (u64)end << 32 | end;
	u64 seen = 0;
	size_t i = 0;

	if (len >= 32) {
		for (; i + 32 < len; i += 32) {
			put_two(u, p, i, wide, seen);
			put_two(u, p, i + 16, wide, seen);
		}
		put_two(u, p, len - 32, wide_end, seen);
		put_two(u, p, len - 16, wide_end, seen);
	} else if (len >= 16) {
		put_two(u, p, 0, wide, seen);
		put_two(u, p, len - 16, wide_end, seen);
	} else if (len >= 8) {
		put_word(u, p, 0, wide, seen);
		put_word(u, p, len - 8, wide_end, seen);
	} else {
		for (; i < len; i++, key = ws_mask_turn(key, 1)) {
			u8 byte = p[i] ^ ws_mask_first(key);

			seen |= byte;
			unsafe_put_user(byte, u + i, fault);
		}
	}
	*bits = seen;
	return true;
fault:
	return false;
}

/* What a record takes besides its payload, in all. */
static __always_inline size_t record_room(size_t len)
{
	return sizeof(struct ws_rec) + ALIGN(len, REC_ALIGN);
}

/* Head and padding; the payload then overwrites some of the latter. */
static __always_inline bool put_record(u8 __user *u, u32 len, u8 opcode)
{
	u64 __user *last = (u64 __user *)(u + record_room(len)) - 1;
	struct ws_rec __user *rec = (struct ws_rec __user *)u;
	__le32 rest = cpu_to_le32(opcode | (WS_F_FIRST | WS_F_FIN) << 8);

	/* two words instead of four fields */
	BUILD_BUG_ON(offsetof(struct ws_rec, flags) !=
		     offsetof(struct ws_rec, opcode) + 1);
	unsafe_put_user(0, last, fault);
	unsafe_put_user(len, &rec->len, fault);
	unsafe_put_user(rest, (__le32 __user *)&rec->opcode, fault);
	return true;
fault:
	return false;
}

/**
 * struct run - short messages on their way to the application
 * @p: the next header
 * @end: what was scanned ends here
 * @u: where the next message goes
 * @room: and where the room ends
 * @max: the longest
 * @masked: they are
 * @text: opcode whose payload has to be UTF-8, or -1
 * @opcode: of the last message
 */
struct run {
	const u8	*p;
	const u8	*end;
	u8 __user	*u;
	u8 __user	*room;
	u32		max;
	bool		masked;
	int		text;
	u8		opcode;
};

/* Within user_access_begin(). Return: a message was taken. */
static __always_inline bool take_short(struct run *run, bool records)
{
	u8 opcode;
	size_t len = ws_short_message_op(run->p, run->end - run->p,
					 run->masked, run->max, &opcode);
	size_t room = records ? record_room(len) : len;
	const u8 *p = run->p + ws_short_hdr(run->masked);
	u8 __user *u = run->u;
	u32 key = 0;
	u64 bits;

	if (!len || room > run->room - u)
		return false;
	if (run->masked)
		key = get_unaligned((const u32 *)(p - WS_KEY_SIZE));
	if (records) {
		if (!put_record(u, len, opcode))
			return false;
		u += sizeof(struct ws_rec);
	}
	if (!put_short(u, p, len, key, &bits))
		return false;
	/* not ASCII: what ws_utf8_check() is for */
	if (bits & 0x8080808080808080 && opcode == run->text)
		return false;
	run->opcode = opcode;
	run->u += room;
	run->p = p + len;
	return true;
}

static __always_inline void run_begin(struct run *run, struct ws_ctx *ctx,
				      const u8 *p, u32 n, struct ws_pass *ps)
{
	run->p = p;
	run->end = p + n;
	run->u = ps->to->ubuf + ps->to->iov_offset;
	run->room = run->u + ps->len - ps->done;
	run->max = ws_short_max(&ctx->rules);
	run->masked = ctx->rules.masked;
	run->text = ws_is(ctx, WS_F_UTF8) ? WS_OP_TEXT : -1;
}

static void run_end(struct run *run, struct ws_ctx *ctx, struct ws_pass *ps,
		    u32 n, u32 messages)
{
	struct ws_reader *rd = &ctx->rd;
	u32 out = run->u - (u8 __user *)(ps->to->ubuf + ps->to->iov_offset);

	/* what iov_iter_advance() does for user memory in one piece */
	ps->to->iov_offset += out;
	ps->to->count -= out;
	ps->done += out;
	rd->seq += n;
	WRITE_ONCE(rd->avail, rd->avail - n +
		   messages * ws_short_hdr(run->masked));
	WRITE_ONCE(rd->whole, rd->whole - messages);
}

/**
 * ws_copy_short() - copy a short message at the reader's position
 * @ctx: context; moves its rd.avail, whole and seq on
 * @p: the position, a header
 * @n: bytes at @p that were scanned
 * @ps: what the caller has room for, user memory in one piece; gets on by what
 *	was copied
 *
 * A message that faults, does not fit, or is text beyond ASCII is left.
 *
 * Context: process.
 * Return: bytes of the stream that were passed.
 */
u32 ws_copy_short(struct ws_ctx *ctx, const u8 *p, u32 n, struct ws_pass *ps)
{
	struct run run __uninitialized;
	bool taken;

	run_begin(&run, ctx, p, n, ps);
	if (should_fail_usercopy() ||
	    !user_access_begin(run.u, ps->len - ps->done))
		return 0;
	taken = take_short(&run, false);
	user_access_end();
	if (!taken)
		return 0;
	n = run.p - p;
	run_end(&run, ctx, ps, n, 1);
	ps->eor = true;
	ps->stop = true;
	ps->frame.opcode = run.opcode;
	ps->frame.flags = WS_F_FIRST | WS_F_FIN;
	return n;
}

/**
 * ws_copy_short_records() - copy a run of them, each with its struct ws_rec
 * @ctx: as for ws_copy_short(), like all else
 * @p: likewise
 * @n: likewise
 * @ps: likewise
 *
 * All within one section of user access: to open one costs as much as to copy
 * a short message.
 *
 * Context: process.
 * Return: bytes of the stream that were passed.
 */
u32 ws_copy_short_records(struct ws_ctx *ctx, const u8 *p, u32 n,
			  struct ws_pass *ps)
{
	const u32 whole = ctx->rd.whole;
	struct run run __uninitialized;
	u32 messages = 0;

	run_begin(&run, ctx, p, n, ps);
	if (should_fail_usercopy() ||
	    !user_access_begin(run.u, ps->len - ps->done))
		return 0;
	while (messages < whole && take_short(&run, true))
		messages++;
	user_access_end();
	n = run.p - p;
	run_end(&run, ctx, ps, n, messages);
	return n;
}
