// SPDX-License-Identifier: GPL-2.0
/*
 * Payload from the application, captured before anything of its frame leaves:
 * unmask.c the other way round. Short payload goes by words within a section of
 * user access of its own, as a call for each copy costs more than the copy.
 */
#include <linux/fault-inject-usercopy.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/unaligned.h>

#include "ws.h"

#define get_word(type, p, u, i)						\
	do {								\
		type word;						\
									\
		unsafe_get_user(word, (const type __user *)((u) + (i)),	\
				fault);					\
		put_unaligned(word, (type *)((p) + (i)));		\
	} while (0)

#define get_two(type, p, u, i, j)					\
	do {								\
		get_word(type, p, u, i);				\
		get_word(type, p, u, j);				\
	} while (0)

/*
 * Within user_read_access_begin(): nothing here may be a call. The last words
 * go over some bytes a second time.
 */
static __always_inline bool get_short(u8 *p, const u8 __user *u, size_t len)
{
	size_t i = 0;

	if (len >= 16) {
		for (; i + 32 < len; i += 32) {
			get_two(u64, p, u, i, i + 8);
			get_two(u64, p, u, i + 16, i + 24);
		}
		if (i + 16 < len)
			get_two(u64, p, u, i, i + 8);
		get_two(u64, p, u, len - 16, len - 8);
	} else if (len >= 8) {
		get_two(u64, p, u, 0, len - 8);
	} else if (len >= 4) {
		get_two(u32, p, u, 0, len - 4);
	} else {
		for (; i < len; i++)
			get_word(u8, p, u, i);
	}
	return true;
fault:
	return false;
}

/* What iov_iter_advance() does for user memory in one piece. */
static void advance(struct iov_iter *from, size_t n)
{
	from->iov_offset += n;
	from->count -= n;
}

/**
 * ws_capture() - copy payload from the application
 * @p: where to; ours, with room for @n bytes
 * @from: where from; advanced by @n, or by anything after a fault
 * @n: bytes, at most what @from has
 *
 * Context: process.
 * Return: 0 or -EFAULT.
 */
int ws_capture(u8 *p, struct iov_iter *from, size_t n)
{
	const u8 __user *u = from->ubuf + from->iov_offset;
	bool taken;

	if (n > WS_SHORT_MAX || !iter_is_ubuf(from))
		/* the room is ours: no need to ask whether it is an object */
		return _copy_from_iter(p, n, from) == n ? 0 : -EFAULT;
	if (should_fail_usercopy() || !user_read_access_begin(u, n))
		return -EFAULT;
	taken = get_short(p, u, n);
	user_read_access_end();
	if (!taken)
		return -EFAULT;
	advance(from, n);
	return 0;
}

/* Payload that lies in one piece at the iterator's place: its length. */
static size_t segment(struct iov_iter *from)
{
	if (iter_is_ubuf(from))
		return from->count;
	while (from->iov_offset == iter_iov(from)->iov_len &&
	       from->nr_segs > 1) {
		from->__iov++;
		from->nr_segs--;
		from->iov_offset = 0;
	}
	return min(iter_iov(from)->iov_len - from->iov_offset, from->count);
}

/* As many as lie whole in this segment. */
static u32 capture_segment(u8 *p, u32 *room, struct iov_iter *from,
			   const struct ws_txrec *rec, u32 nr, bool masked)
{
	size_t there = segment(from);
	const u8 __user *u = iter_iov_addr(from), *begin = u, *end = u + there;
	const u32 hlen = ws_short_hdr(masked);
	const u16 mask = masked ? WS_B1_MASK << 8 : 0;
	const u8 *p_end = p + *room;
	u32 i;

	if (should_fail_usercopy() || !user_read_access_begin(u, there))
		return 0;
	for (i = 0; i < nr; i++) {
		u32 len = rec[i].len;

		if (len > WS_SHORT_MAX || u + len > end ||
		    p + hlen + len > p_end)
			break;
		put_unaligned_le16(ws_txrec_b0(&rec[i]) | len << 8 | mask, p);
		if (!get_short(p + hlen, u, len))
			break;
		u += len;
		p += hlen + len;
	}
	user_read_access_end();
	*room = p_end - p;
	advance(from, u - begin);
	return i;
}

/**
 * ws_capture_records() - frames of short messages, one behind the other
 * @p: where to
 * @room: bytes there; set to how many were written
 * @from: where from, user memory; advanced by what was taken
 * @rec: the messages
 * @nr: their number
 * @masked: set the mask bit, and leave four bytes for a key
 *
 * Stops at what is not short, has no room, lies in more than one piece, or
 * faults.
 *
 * Context: process.
 * Return: messages taken.
 */
u32 ws_capture_records(u8 *p, u32 *room, struct iov_iter *from,
		       const struct ws_txrec *rec, u32 nr, bool masked)
{
	u32 done = 0, left = *room, n;

	do {
		n = capture_segment(p + *room - left, &left, from, rec + done,
				    nr - done, masked);
		done += n;
	} while (n && done < nr);
	*room -= left;
	return done;
}
