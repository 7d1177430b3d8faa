// SPDX-License-Identifier: GPL-2.0
/* recvmsg(): what an application reads, in which mode, and when it waits. */
#include <linux/tcp.h>
#include <net/busy_poll.h>
#include <net/tcp.h>

#include "ws.h"

/*
 * Nothing to read. Return: 0 = the end, a negative errno once, 1 = wait. A peek
 * leaves empty messages where they are, so that the end may be behind them.
 */
static int why_nothing(struct ws_ctx *ctx, bool peek, bool keep)
{
	struct sock *sk = ctx->sk;
	int err;

	if (ws_is(ctx, WS_F_RX_SHUT))
		return 0;
	if (ws_rx_at_end(ctx) || (peek && ws_is(ctx, WS_F_RX_END))) {
		ws_rx_reached_end(ctx);
	} else if (sk->sk_err) {
		return keep ? -sk->sk_err : sock_error(sk);
	} else if (sk->sk_shutdown & RCV_SHUTDOWN ||
		   sk->sk_state == TCP_CLOSE) {
		if (!ws_is(ctx, WS_F_TCP_GONE) && ws_rx_cut(ctx))
			ctx->rx_err = ECONNRESET;	/* cut in a message */
		ctx->flags |= WS_F_TCP_GONE;
	} else {
		return 1;
	}
	if (ws_is(ctx, WS_F_DEAD))
		return keep ? -sk->sk_err : sock_error(sk);
	err = ctx->rx_err;
	if (!keep)
		ctx->rx_err = 0;
	return -err;
}

/* A part of a message that fills the caller's buffer is a reason to wake. */
static bool fills(const struct ws_ctx *ctx, size_t room)
{
	return ctx->rx_mode == WS_RX_RECORDS &&
	       READ_ONCE(ctx->rd.avail) >= room;
}

/* Nothing more will come, or nothing more is wanted. */
static bool over(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	return READ_ONCE(ctx->flags) & (WS_F_RX_END | WS_F_RX_SHUT) ||
	       READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       inet_sk_state_load(sk) == TCP_CLOSE;
}

/*
 * Wait with the lock dropped until there may be something to read, besides
 * what a peek has passed over.
 */
static int wait_readable(struct ws_ctx *ctx, long *timeo, size_t room,
			 bool peek)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	u32 seen = peek ? ws_rx_level(ctx) : 0;
	struct sock *sk = ctx->sk;

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	sk_wait_event(sk, timeo, ws_rx_level(ctx) != seen || over(ctx) ||
		      fills(ctx, room), &wait);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
	return 0;
}

/* One walk; MSG_PEEK leaves no trace of it. */
static int read_stream(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader saved;
	int err;

	if (!ps->peek && !ps->done && ws_rx_pass_short(ctx, ps, false))
		return 0;
	saved = ctx->rd;
	err = ws_rx_pass(ctx, ps);
	if (ps->peek)
		ctx->rd = saved;
	return err;
}

static int read_message(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	int err = ws_msgq_read(ctx, ps, flags);

	ps->stop = ps->eor || ps->trunc;
	return err;
}

#define REC_MIN		(sizeof(struct ws_rec) + REC_ALIGN)

/* Zeros up to the next record, as far as there is room. */
static void pad_record(struct ws_pass *ps, u32 len)
{
	u32 n = min_t(size_t, -len & (REC_ALIGN - 1), ps->len - ps->done);

	ps->done += copy_to_iter(page_address(ZERO_PAGE(0)), n, ps->to);
}

/*
 * One record. The head is written after the payload, when the length is
 * known; a message that does not fit after others waits for the next call.
 */
static int read_record(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_pass one = { .to = ps->to, .cmsg = true, .cur = ps->cur,
			       .peek = ps->peek };
	struct ws_reader saved = ctx->rd;
	struct iov_iter head = *ps->to;
	struct ws_rec rec = { };
	int err;

	one.len = ps->len - ps->done - sizeof(rec);
	iov_iter_advance(ps->to, sizeof(rec));
	err = ws_rx_pass(ctx, &one);
	if ((!one.done && !one.eor) || (!one.eor && ps->done && !err))
		goto undo;
	rec.len = one.done;
	rec.opcode = one.frame.opcode;
	rec.flags = one.frame.flags | (one.eor ? 0 : WS_F_MORE);
	if (copy_to_iter(&rec, sizeof(rec), &head) != sizeof(rec)) {
		err = -EFAULT;
		goto undo;
	}
	ps->done += sizeof(rec) + one.done;
	pad_record(ps, one.done);
	ps->cur = one.cur;
	ps->stop = !one.eor;
	return err;
undo:
	*ps->to = head;
	if (err != -EILSEQ)
		ctx->rd = saved;
	ps->stop = true;
	return err;
}

/* A part of a message, because the whole of it will not come or not fit. */
static bool part_due(const struct ws_ctx *ctx, size_t room)
{
	const struct sock *sk = ctx->sk;

	return ctx->rd.avail &&
	       (ctx->rd.avail >= room || ws_rx_ending(ctx) ||
		atomic_read(&sk->sk_rmem_alloc) > sk->sk_rcvbuf / 4);
}

static int read_records(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_reader saved = ctx->rd;
	int err = 0;

	if (ps->len < REC_MIN)
		return -EINVAL;
	if (!ctx->rd.whole && !part_due(ctx, ps->len - sizeof(struct ws_rec)))
		return 0;
	while (!err && !ps->stop && (ctx->rd.whole || !ps->done) &&
	       ps->len - ps->done >= REC_MIN)
		if (!ws_rx_pass_short(ctx, ps, true))
			err = read_record(ctx, ps);
	ps->stop = ps->done;
	if (ps->peek)
		ctx->rd = saved;
	return err;
}

static int read_once(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	int err;

	ws_rx_scan(ctx);
	ps->cur = (struct ws_cursor){ };	/* the lock was dropped */
	if (ws_msgq(ctx))
		err = read_message(ctx, ps, flags);
	else if (ctx->rx_mode == WS_RX_RECORDS)
		err = read_records(ctx, ps);
	else
		err = read_stream(ctx, ps);
	/* a failed connection keeps its error in rx_err, to be told once */
	return err == -EILSEQ && !ps->peek ? 0 : err;
}

/* As bytes on TCP, but across nothing that separates messages. */
static int read_wait(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	long timeo = sock_rcvtimeo(ctx->sk, flags & MSG_DONTWAIT);
	bool all = flags & MSG_WAITALL && !ps->peek &&
		   ctx->rx_mode == WS_RX_STREAM;
	int err;

	for (;;) {
		err = read_once(ctx, ps, flags);
		if (err || ps->stop || ps->done >= ps->len)
			return err;
		if (ps->done && !all)
			return 0;
		err = why_nothing(ctx, ps->peek, ps->peek || ps->done);
		/* the peer may wait for the window that was read from */
		if (err > 0)
			ws_rx_consume(ctx);
		if (err > 0)
			err = wait_readable(ctx, &timeo, ps->len -
					    sizeof(struct ws_rec), ps->peek);
		else if (!err)
			return 0;
		if (err)
			return err;
	}
}

/* io_uring asks what is left: 1 stands for "more, but not of this message" */
static int inq_hint(struct ws_ctx *ctx)
{
	const struct ws_reader *rd = &ctx->rd;

	if (rd->left && rd->avail)
		return min_t(u64, rd->left, rd->avail);
	return ws_rx_readable(ctx);
}

static int recv_locked(struct ws_ctx *ctx, struct msghdr *msg,
		       struct ws_pass *ps, int flags)
{
	int err = read_wait(ctx, ps, flags);

	if (!ps->peek)
		ws_rx_consume(ctx);
	if (msg->msg_get_inq)
		msg->msg_inq = inq_hint(ctx);
	return ps->done || ps->eor ? 0 : err;
}

/**
 * ws_recvmsg() - proto.recvmsg of an active socket
 * @sk: socket
 * @msg: where to; gets MSG_EOR, and WS_FRAME where there is room
 * @len: bytes of room
 * @flags: MSG_*
 *
 * Return: bytes, 0 at the end of the stream (and, with MSG_EOR, for an empty
 * message), or a negative errno.
 */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	struct iov_iter nowhere __uninitialized;
	struct ws_pass ps = {
		.to = &msg->msg_iter,
		.len = len,
		.peek = flags & MSG_PEEK,
		.cmsg = msg->msg_controllen >=
			CMSG_SPACE(sizeof(struct ws_frame)),
	};
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_TRUNC && !ws_msgq(ctx)) {
		/* as on TCP: take, do not copy */
		iov_iter_discard(&nowhere, ITER_DEST, len);
		ps.to = &nowhere;
	}
	if (sk_can_busy_loop(sk) &&
	    skb_queue_empty_lockless(&sk->sk_receive_queue) &&
	    sk->sk_state == TCP_ESTABLISHED)
		sk_busy_loop(sk, flags & MSG_DONTWAIT);

	lock_sock(sk);
	err = recv_locked(ctx, msg, &ps, flags);
	release_sock(sk);
	if (err)
		return err;
	if (ps.eor)
		msg->msg_flags |= MSG_EOR;
	if (ps.trunc)
		msg->msg_flags |= MSG_TRUNC;
	if (ctx->rx_mode != WS_RX_RECORDS && ps.cmsg && (ps.done || ps.eor))
		put_cmsg(msg, SOL_WS, WS_FRAME, sizeof(ps.frame), &ps.frame);
	return ps.done;
}

/**
 * ws_rx_level() - how much there is to read, in the mode's own unit
 * @ctx: context of an active socket
 *
 * The application is woken when it grows.
 * Context: any.
 * Return: bytes and events, or messages.
 */
u32 ws_rx_level(const struct ws_ctx *ctx)
{
	/* Pairs with ws_rx_set_mode(). */
	switch (smp_load_acquire(&ctx->rx_mode)) {
	case WS_RX_MESSAGE:
		return ws_msgq_ready(ctx);
	case WS_RX_RECORDS:
		return READ_ONCE(ctx->rd.whole) + part_due(ctx, SIZE_MAX);
	default:
		return READ_ONCE(ctx->rd.avail) + READ_ONCE(ctx->rd.events);
	}
}

/**
 * ws_rx_readable() - would a read return now
 * @ctx: context of an active socket
 *
 * Context: any; without the socket lock the answer may be old, and a wake-up
 * follows it.
 * Return: true if it would, be it the end or an error.
 */
bool ws_rx_readable(const struct ws_ctx *ctx)
{
	return ws_rx_level(ctx) || over(ctx);
}

/* Heads and padding count too; a part of a message comes alone. */
static int records_inq(struct ws_ctx *ctx)
{
	struct ws_cursor cur = { };
	u64 n = 0;

	while (ctx->rd.whole || (!n && part_due(ctx, SIZE_MAX))) {
		struct ws_pass ps = { .len = INT_MAX, .cmsg = true,
				      .cur = cur };

		if (ws_rx_pass(ctx, &ps) || (!ps.eor && (n || !ps.done)))
			break;
		n += sizeof(struct ws_rec) + ALIGN(ps.done, REC_ALIGN);
		if (!ps.eor)
			break;
		cur = ps.cur;
	}
	return min_t(u64, n, INT_MAX);
}

/**
 * ws_rx_inq() - bytes that one read returns now, as far as known
 * @ctx: context of an active socket
 *
 * Context: socket lock held.
 * Return: bytes.
 */
int ws_rx_inq(struct ws_ctx *ctx)
{
	struct ws_pass ps = { .len = INT_MAX };
	struct ws_reader saved;

	ws_rx_scan(ctx);
	if (ws_msgq(ctx))
		return ws_msgq_inq(ctx);
	saved = ctx->rd;
	if (ctx->rx_mode == WS_RX_RECORDS)
		ps.done = records_inq(ctx);
	else
		ws_rx_pass(ctx, &ps);
	if (!ws_is(ctx, WS_F_ABORT))
		ctx->rd = saved;
	return ps.done;
}

/**
 * ws_rx_preload() - WS_RX_PRELOAD: bytes that the handshake had read
 * @ctx: context of a dormant socket
 * @data: stream bytes before those in TCP's queue
 * @len: how many, at most WS_PRELOAD_MAX; 0 takes them back
 *
 * Context: process, socket lock held.
 * Return: 0, -ENOBUFS.
 */
int ws_rx_preload(struct ws_ctx *ctx, const void *data, unsigned int len)
{
	struct ws_aux *aux = ws_aux(ctx, GFP_KERNEL);
	struct sk_buff *skb = NULL;
	int err;

	if (!aux)
		return -ENOBUFS;
	if (len) {
		skb = alloc_skb_with_frags(0, len, PAGE_ALLOC_COSTLY_ORDER,
					   &err, GFP_KERNEL_ACCOUNT);
		if (skb) {
			skb->data_len = len;
			skb->len = len;
			skb_store_bits(skb, 0, data, len);
		}
		if (!skb)
			return -ENOBUFS;
		if (!sk_rmem_schedule(ctx->sk, skb, skb->truesize)) {
			kfree_skb(skb);
			return -ENOBUFS;
		}
		skb_set_owner_r(skb, ctx->sk);
	}
	kfree_skb(aux->preload);
	aux->preload = skb;
	return 0;
}

/* As SO_RCVLOWAT does: a message must fit the receive buffer. */
static int raise_rcvbuf(struct sock *sk, u32 message_max)
{
	u64 need = 2ULL * message_max + SKB_TRUESIZE(4096);

	if (need <= sk->sk_rcvbuf)
		return 0;
	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK ||
	    need > READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]))
		return -ENOBUFS;
	WRITE_ONCE(sk->sk_rcvbuf, need);
	return 0;
}

/**
 * ws_rx_set_message_max() - WS_RX_MESSAGE_MAX
 * @ctx: context
 * @max: bytes; 0 = no limit, but in WS_RX_MESSAGE
 *
 * Context: process, socket lock held.
 * Return: 0, -EINVAL, -ENOBUFS.
 */
int ws_rx_set_message_max(struct ws_ctx *ctx, u32 max)
{
	int err;

	if (max > INT_MAX)
		return -EINVAL;
	if (ws_msgq(ctx)) {
		if (!max)
			return -EINVAL;
		err = raise_rcvbuf(ctx->sk, max);
		if (err)
			return err;
	}
	ctx->rules.message_max = max;
	return 0;
}

static int enter_message_mode(struct ws_ctx *ctx)
{
	u32 max = ctx->rules.message_max ? : WS_MESSAGE_MAX_DEFAULT;
	int err;

	/* Bytes that were counted as readable must stay so. */
	if (ws_is(ctx, WS_F_ACTIVE) &&
	    (ctx->scan.msg.open || ctx->scan.left || ctx->rd.avail ||
	     ctx->rd.events))
		return -EBUSY;
	err = raise_rcvbuf(ctx->sk, max);
	if (!err)
		err = ws_msgq_open(ctx);
	if (!err)
		ctx->rules.message_max = max;
	return err;
}

/**
 * ws_rx_set_mode() - WS_RX_MODE
 * @ctx: context
 * @mode: WS_RX_STREAM, WS_RX_MESSAGE or WS_RX_RECORDS
 *
 * Context: process, socket lock held.
 * Return: 0, -EINVAL, -EBUSY in the middle of a message, -ENOBUFS, -ENOMEM.
 */
int ws_rx_set_mode(struct ws_ctx *ctx, u32 mode)
{
	int err = 0;

	if (mode > WS_RX_RECORDS)
		return -EINVAL;
	if (mode == ctx->rx_mode)
		return 0;
	if (ws_msgq(ctx) && !ws_msgq_empty(ctx))
		return -EBUSY;
	if (mode == WS_RX_MESSAGE)
		err = enter_message_mode(ctx);
	if (err)
		return err;
	/* Pairs with ws_rx_level(): the queue is there before the mode. */
	smp_store_release(&ctx->rx_mode, mode);
	return 0;
}
