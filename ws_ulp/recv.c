// SPDX-License-Identifier: GPL-2.0
/* recvmsg(): what an application reads, in which mode, and when it waits. */
#include <linux/compat.h>
#include <linux/tcp.h>
#include <net/busy_poll.h>
#include <net/tcp.h>

#include "reader.h"
#include "stream.h"
#include "ws.h"

/* No byte will follow those that TCP has queued. */
static bool tcp_ended(const struct sock *sk)
{
	return sk->sk_err || sk->sk_shutdown & RCV_SHUTDOWN ||
	       sk->sk_state == TCP_CLOSE;
}

static void note_tcp_end(struct ws_ctx *ctx)
{
	if (!ws_is(ctx, WS_F_TCP_GONE) && ws_rx_cut(ctx))
		ctx->rx_err = ECONNRESET;	/* cut in a message */
	ctx->flags |= WS_F_TCP_GONE;
}

/*
 * Nothing to read. Return: 0 = the end, a negative errno once, 1 = wait, 2 =
 * the scanner has more to look at. A peek leaves empty messages where they are,
 * so that the end may be behind them.
 */
static int why_nothing(struct ws_ctx *ctx, bool peek, bool keep)
{
	int err;

	if (ws_is(ctx, WS_F_RX_SHUT))
		return 0;
	if (ws_rx_at_end(ctx) || (peek && ws_is(ctx, WS_F_RX_END)))
		ws_rx_reached_end(ctx);
	else if (!tcp_ended(ctx->sk))
		return 1;
	else if (ws_is(ctx, WS_F_BEHIND))
		return 2;
	else if (ctx->sk->sk_err)
		return keep ? -ctx->sk->sk_err : sock_error(ctx->sk);
	else
		note_tcp_end(ctx);
	if (ws_is(ctx, WS_F_DEAD))
		return keep ? -ctx->sk->sk_err : sock_error(ctx->sk);
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

#define REC_MIN		(sizeof(struct ws_rec) + REC_ALIGN)

/*
 * Zeros up to the next record, as far as there is room. Return: bytes, or
 * -EFAULT.
 */
static int pad_record(struct ws_pass *ps, const struct ws_pass *one)
{
	u32 n = min_t(size_t, -one->done & (REC_ALIGN - 1),
		      one->len - one->done);

	if (copy_to_iter(page_address(ZERO_PAGE(0)), n, ps->to) != n)
		return -EFAULT;
	return n;
}

/*
 * One record. The head is written after the payload, when the length is
 * known; a message that does not fit after others waits for the next call.
 */
static int read_record(struct ws_ctx *ctx, struct ws_pass *ps)
{
	struct ws_pass one = { .to = ps->to, .cmsg = true, .cur = ps->cur };
	struct ws_reader saved = ctx->rd;
	struct iov_iter head = *ps->to, to = head;
	struct ws_rec rec = { };
	int err, pad;

	one.len = ps->len - ps->done - sizeof(rec);
	iov_iter_advance(ps->to, sizeof(rec));
	err = ws_rx_pass(ctx, &one);
	if ((!one.done && !one.eor) || (!one.eor && ps->done && !err))
		goto undo;
	rec.len = one.done;
	rec.opcode = one.frame.opcode;
	rec.flags = one.frame.flags | (one.eor ? 0 : WS_F_MORE);
	pad = pad_record(ps, &one);
	if (pad < 0 || copy_to_iter(&rec, sizeof(rec), &to) != sizeof(rec)) {
		err = -EFAULT;
		goto undo;
	}
	ps->done += sizeof(rec) + one.done + pad;
	ps->cur = one.cur;
	ps->stop = !one.eor;
	return err;
undo:
	*ps->to = head;
	ctx->rd = saved;
	ps->stop = true;
	return err;
}

/* A part of a message, because the whole of it will not come or not fit. */
static bool part_due(const struct ws_ctx *ctx, size_t room)
{
	return (ctx->rd.avail && ctx->rd.avail >= room) ||
	       ws_rx_part_due(ctx);
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

static int read_mode(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	if (ws_msgq(ctx))
		return ws_msgq_read(ctx, ps, flags);
	if (ctx->rx_mode == WS_RX_RECORDS)
		return read_records(ctx, ps);
	return read_stream(ctx, ps);
}

static int read_once(struct ws_ctx *ctx, struct ws_pass *ps, int flags)
{
	int err;

	ws_rx_scan(ctx);
	if (ps->peek)
		ws_rx_judge(ctx, ws_rx_pass_quiet(ctx));
	ps->cur = (struct ws_cursor){ };	/* the lock was dropped */
	err = read_mode(ctx, ps, flags);
	if (ps->peek)
		return err == -EBADMSG ? -ECONNABORTED : err;
	ws_rx_judge(ctx, err);
	/* a failed connection keeps its error in rx_err, to be told once */
	return err == -EILSEQ || err == -EBADMSG ? 0 : err;
}

/* Let others have the lock, and the processor. */
static void pause(struct sock *sk)
{
	release_sock(sk);
	cond_resched();
	lock_sock(sk);
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
		if (err <= 0)
			return err;
		/* the peer may wait for the window that was read from */
		ws_rx_consume(ctx);
		if (err == 2) {
			pause(ctx->sk);
			continue;
		}
		err = wait_readable(ctx, &timeo, ps->len -
				    sizeof(struct ws_rec), ps->peek);
		if (err)
			return err;
	}
}

/* io_uring asks what is left: 1 stands for "more, but not of this message" */
static int inq_hint(struct ws_ctx *ctx)
{
	const struct ws_reader *rd = &ctx->rd;

	if (rd->left && rd->avail && !ws_msgq(ctx))
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

/* Is there room for WS_FRAME? A 32-bit caller's header is shorter. */
static bool frame_fits(const struct msghdr *msg, int flags)
{
	size_t head = sizeof(struct cmsghdr);

#ifdef CONFIG_COMPAT
	if (flags & MSG_CMSG_COMPAT)
		head = sizeof(struct compat_cmsghdr);
#endif
	return msg->msg_controllen >= head + sizeof(struct ws_frame);
}

/* The bytes are taken: a caller whose memory faults learns that it is cut. */
static void put_frame(struct msghdr *msg, const struct ws_frame *frame)
{
	if (put_cmsg(msg, SOL_WS, WS_FRAME, sizeof(*frame), (void *)frame))
		msg->msg_flags |= MSG_CTRUNC;
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
		.cmsg = frame_fits(msg, flags),
	};
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	/* of the mode alone: what belongs to it is looked at with the lock */
	if (flags & MSG_TRUNC &&
	    READ_ONCE(ctx->rx_mode) != WS_RX_MESSAGE) {
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
		put_frame(msg, &ps.frame);
	return ps.done;
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
	ws_rx_judge(ctx, ws_rx_pass_quiet(ctx));
	if (ws_msgq(ctx))
		return ws_msgq_inq(ctx);
	saved = ctx->rd;
	if (ctx->rx_mode == WS_RX_RECORDS)
		ps.done = records_inq(ctx);
	else
		ws_rx_pass(ctx, &ps);
	ctx->rd = saved;
	return ps.done;
}

/*
 * As SO_RCVLOWAT does: a message must fit the receive buffer, and TCP must be
 * willing to offer it.
 */
static int raise_rcvbuf(struct sock *sk, u32 message_max)
{
	/* what is gathered of it leaves TCP half of the buffer */
	u64 need = 5ULL * message_max / 2 + 2 * SKB_TRUESIZE(4096);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 clamp;

	if (need > sk->sk_rcvbuf) {
		if (sk->sk_userlocks & SOCK_RCVBUF_LOCK ||
		    need > READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]))
			return -ENOBUFS;
		WRITE_ONCE(sk->sk_rcvbuf, need);
	}
	clamp = tcp_win_from_space(sk, sk->sk_rcvbuf);
	if (clamp > tp->window_clamp)
		WRITE_ONCE(tp->window_clamp, clamp);
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
	ctx->flags &= ~WS_F_MAX_DEF;
	return 0;
}

static int enter_message_mode(struct ws_ctx *ctx)
{
	u32 max = ctx->rules.message_max ? : WS_MESSAGE_MAX_DEFAULT;
	int err;

	/* Bytes that were counted as readable must stay so. */
	if (ws_is(ctx, WS_F_ACTIVE) &&
	    (ctx->scan.msg.open || ctx->scan.left ||
	     !ws_rx_caught_up(ctx)))
		return -EBUSY;
	err = raise_rcvbuf(ctx->sk, max);
	if (!err)
		err = ws_msgq_open(ctx);
	if (err)
		return err;
	if (!ctx->rules.message_max)
		ctx->flags |= WS_F_MAX_DEF;
	ctx->rules.message_max = max;
	return 0;
}

static int leave_message_mode(struct ws_ctx *ctx)
{
	if (ws_msgq_busy(ctx))
		return -EBUSY;
	if (ws_is(ctx, WS_F_MAX_DEF))
		ctx->rules.message_max = 0;
	ctx->flags &= ~WS_F_MAX_DEF;
	return 0;
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
	if (ctx->rd.open && !ctx->rd.first)
		return -EBUSY;
	if (ws_msgq(ctx))
		err = leave_message_mode(ctx);
	else if (mode == WS_RX_MESSAGE)
		err = enter_message_mode(ctx);
	if (err)
		return err;
	WRITE_ONCE(ctx->rx_mode, mode);
	WRITE_ONCE(ctx->flags, ctx->flags & ~WS_F_PART_DUE);
	if (!ws_is(ctx, WS_F_ACTIVE))
		return 0;
	ws_rx_consume(ctx);
	if (ws_rx_level(ctx))	/* in this mode it can be read */
		ctx->proto->data_ready(ctx->sk);
	return 0;
}

/**
 * ws_rx_set_ctrl() - WS_RX_CTRL
 * @ctx: context
 * @mask: WS_CTRL_* to deliver from now on
 *
 * What was scanned before keeps the meaning that it had then.
 * Context: process, socket lock held.
 * Return: 0, -EINVAL, -EBUSY: something was scanned, and not read yet.
 */
int ws_rx_set_ctrl(struct ws_ctx *ctx, u32 mask)
{
	if (mask & ~(WS_CTRL_CLOSE | WS_CTRL_PING | WS_CTRL_PONG))
		return -EINVAL;
	ws_rx_judge(ctx, ws_rx_pass_quiet(ctx));
	if (ctx->rd.seq != ctx->scan.seq && ctx->rx_ctrl != mask)
		return -EBUSY;
	ctx->rx_ctrl = mask;
	return 0;
}
