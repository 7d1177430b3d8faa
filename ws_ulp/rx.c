// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: what happens when bytes arrive, and when the reader has passed
 * some. Two positions walk over the stream: the scanner (scan.c) as soon as
 * bytes are there, and the reader (reader.c) in recvmsg().
 */
#include <linux/tcp.h>
#include <net/tcp.h>

#include "reader.h"
#include "stream.h"
#include "trace.h"
#include "ws.h"

/**
 * ws_rx_level() - how much there is to read, in the mode's own unit
 * @ctx: context of an active socket
 *
 * The application is woken when it grows. A call that only looks moves the
 * reader and puts it back, which this does not show: poll() in another thread
 * would miss what is there, and nothing would wake it.
 *
 * Context: any.
 * Return: bytes and events, or messages, or messages and a part that is due.
 */
u32 ws_rx_level(const struct ws_ctx *ctx)
{
	return READ_ONCE(ctx->scan.level);
}

static u32 level_now(const struct ws_ctx *ctx)
{
	switch (ctx->rx_mode) {
	case WS_RX_MESSAGE:
		return ctx->rd.whole;
	case WS_RX_RECORDS:
		return ctx->rd.whole + ws_is(ctx, WS_F_PART_DUE);
	default:
		return ctx->rd.avail + ctx->rd.events;
	}
}

static void publish_level(struct ws_ctx *ctx)
{
	WRITE_ONCE(ctx->scan.level, level_now(ctx));
}

/**
 * ws_rx_part_due() - should a reader of records get a part of a message?
 * @ctx: context
 *
 * Only if what lies behind the reader takes a quarter of the receive buffer, or
 * nothing follows: else the whole message is worth to wait for.
 *
 * Context: socket lock held, any context.
 * Return: true if so.
 */
bool ws_rx_part_due(const struct ws_ctx *ctx)
{
	u32 limit = ctx->sk->sk_rcvbuf / 4;

	if (!ctx->rd.avail)
		return false;
	return ws_rx_ending(ctx) ||
	       (atomic_read(&ctx->sk->sk_rmem_alloc) > limit &&
		ws_stream_held(ctx, limit + 1) > limit);
}

/* poll() cannot ask this without the lock: it looks at the flag. */
static void note_part(struct ws_ctx *ctx)
{
	bool due;

	if (ctx->rx_mode != WS_RX_RECORDS)
		return;
	due = !ctx->rd.whole && ws_rx_part_due(ctx);
	if (due != ws_is(ctx, WS_F_PART_DUE))
		WRITE_ONCE(ctx->flags, ctx->flags ^ WS_F_PART_DUE);
}

/* What was found and not read is void. */
static void forget(struct ws_ctx *ctx)
{
	WRITE_ONCE(ctx->rd.avail, 0);
	WRITE_ONCE(ctx->rd.events, 0);
	WRITE_ONCE(ctx->rd.whole, 0);
	publish_level(ctx);
}

/**
 * ws_rx_void() - the stream is not what was scanned: no position in it counts
 * @ctx: context that is being aborted
 *
 * Frees nothing, so that a caller further up may still look at its buffers.
 * Context: socket lock held, any context.
 */
void ws_rx_void(struct ws_ctx *ctx)
{
	ctx->tcp_seq = tcp_sk(ctx->sk)->copied_seq;
	ctx->rd.seq = ctx->tcp_seq;
	ctx->rd.left = 0;
	ctx->scan.seq = ctx->tcp_seq;
	forget(ctx);
}

/*
 * The reader met bad text. Nothing behind it counts, not even another fault
 * that the scanner found there: the first one in the stream is told.
 */
static void fail_text(struct ws_ctx *ctx)
{
	ctx->scan.seq = ctx->rd.seq;
	forget(ctx);
	if (!ws_is(ctx, WS_F_FAILED)) {
		ws_rx_fail(ctx, WS_CODE_BAD_DATA);
	} else if (!ws_is(ctx, WS_F_ABORT)) {
		ctx->rx_err = EILSEQ;
		if (!ws_is(ctx, WS_F_CLOSE_SENT))
			ctx->code_next = WS_CODE_BAD_DATA;
	}
}

/**
 * ws_rx_judge() - act on the verdict of a pass that counts
 * @ctx: context
 * @err: what ws_rx_pass() returned
 *
 * Context: socket lock held, any context.
 */
void ws_rx_judge(struct ws_ctx *ctx, int err)
{
	if (likely(!err))
		return;
	if (err == -EILSEQ)
		fail_text(ctx);
	else if (err == -EBADMSG)
		ws_abort(ctx, ECONNABORTED);
}

/*
 * No call can read what is left, and nothing else comes while it takes the
 * receive buffer: a part of a header, a control frame or a record, or the first
 * fragments of a message.
 */
static void relieve(struct ws_ctx *ctx)
{
	bool done = true;

	if (ws_is(ctx, WS_F_RX_END))
		return;
	if (ws_msgq(ctx) && ctx->rd.avail)
		done = ws_msgq_gather(ctx);
	if (done && ws_stream_end(ctx) != ctx->rd.seq)
		done = ws_stream_squeeze(ctx);
	if (done)
		return;
	ctx->flags |= WS_F_RETRY;
	ws_timer_set(ctx);
}

/**
 * ws_rx_consume() - give bytes that the reader has passed back to TCP
 * @ctx: context
 *
 * No cursor is good afterwards.
 * Context: socket lock held, any context.
 */
void ws_rx_consume(struct ws_ctx *ctx)
{
	if (!ws_rx_side_by_side(ctx)) {
		/* no recvmsg() may ever come for what it would not show */
		if (ws_rx_caught_up(ctx))
			ws_rx_judge(ctx, ws_rx_pass_quiet(ctx));
	} else if (unlikely(!ws_rx_caught_up(ctx) || ctx->rd.whole)) {
		ws_rx_judge(ctx, -EBADMSG);
	}
	ws_stream_release(ctx);
	if (ws_msgq(ctx))
		ws_msgq_follow(ctx);
	note_part(ctx);
	publish_level(ctx);
	if (ws_stream_end(ctx) != ctx->rd.seq && !ws_rx_level(ctx))
		relieve(ctx);
}

/**
 * ws_rx_cut() - is the stream in the middle of something
 * @ctx: context whose scanner is not behind
 *
 * Context: socket lock held.
 * Return: true if so: an end here is not a clean one.
 */
bool ws_rx_cut(const struct ws_ctx *ctx)
{
	return ctx->scan.msg.open || ctx->scan.left ||
	       ws_stream_end(ctx) != ctx->scan.seq;
}

/* Throw away what came after the end: TCP would reset over unread bytes. */
static void discard_rest(struct ws_ctx *ctx)
{
	u32 end = ws_stream_end(ctx);

	forget(ctx);
	ws_msgq_purge(ctx);
	if (!after(end, ctx->rd.seq))
		return;
	if (ctx->live)
		ctx->live->discarded += end - ctx->rd.seq;
	ctx->rd.seq = end;
	ctx->scan.seq = end;
	ws_stream_release(ctx);
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

	if (!ctx->scan.left && ws_stream_end(ctx) == ctx->scan.seq) {
		live->stall_at = 0;
	} else if (!live->stall_at) {
		live->stall_at = (u32)jiffies | 1;
		ws_timer_set(ctx);
	}
}

static void scan_more(struct ws_ctx *ctx, u32 end)
{
	if (end != ctx->scan.seq) {
		WRITE_ONCE(ctx->last_rx, (u32)jiffies);
		ctx->flags &= ~WS_F_PING_OUT;	/* any byte is life */
		ws_scan(ctx, end);
	}
	if (ctx->live && ctx->live->stall_timeout)
		watch_stall(ctx);
}

static void take_action(struct ws_ctx *ctx)
{
	if (ws_is(ctx, WS_F_RX_SHUT))
		ws_rx_drain(ctx);
	else if (ws_rx_at_end(ctx))
		ws_rx_purge(ctx);
	else if (ws_rx_caught_up(ctx) || !level_now(ctx))
		ws_rx_consume(ctx);
	else
		note_part(ctx);
}

/* Nothing came since the last scan, and nothing waits for one. */
static bool nothing_new(const struct ws_ctx *ctx, u32 end)
{
	return end == ctx->scan.seq &&
	       !ws_is(ctx, WS_F_RX_END | WS_F_RX_SHUT) &&
	       !(ctx->rd.avail && !ws_rx_level(ctx)) && /* it may be due now */
	       (!ctx->live || !ctx->live->stall_timeout);
}

/**
 * ws_rx_scan() - look at what has arrived, and tell the application
 * @ctx: context of an active socket
 *
 * Wakes pollers and readers for what can be read: never for half a header, and
 * whoever finds it, be it softirq or another call on the socket.
 *
 * Context: socket lock held, any context.
 */
void ws_rx_scan(struct ws_ctx *ctx)
{
	const u32 end = ws_stream_end(ctx);
	struct tcp_sock *tp = tcp_sk(ctx->sk);
	u32 level, avail, flags;

	if (unlikely(READ_ONCE(tp->copied_seq) != ctx->tcp_seq)) {
		/* a reader from before WS_ROLE took bytes of frames */
		ws_abort(ctx, ECONNABORTED);
		return;
	}
	if (unlikely(ctx->abort_err))
		ws_queue_work(ctx);	/* there was no memory for it */
	if (nothing_new(ctx, end))
		return;
	if (unlikely(tp->urg_data))
		tp->urg_data = 0;	/* TCP's own reader never comes */
	level = ws_rx_level(ctx);
	avail = ctx->rd.avail;
	flags = ctx->flags;
	if (!ws_is(ctx, WS_F_RX_END))
		scan_more(ctx, end);
	take_action(ctx);
	publish_level(ctx);
	/* a reader of records may wait for a part that fills its buffer */
	if (ws_rx_level(ctx) > level ||
	    (ctx->rx_mode == WS_RX_RECORDS && ctx->rd.avail > avail) ||
	    (flags ^ ctx->flags) & (WS_F_RX_END | WS_F_FAILED))
		ctx->proto->data_ready(ctx->sk);
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
		ws_fail(ctx, code, EILSEQ);
		break;
	case WS_CODE_TOO_BIG:
		ws_fail(ctx, code, EMSGSIZE);
		break;
	default:
		ws_fail(ctx, code, EPROTO);
	}
}

static void drain_pass(struct ws_ctx *ctx)
{
	struct iov_iter nowhere;
	struct ws_pass ps;
	int err;

	do {
		ps = (struct ws_pass){ .to = &nowhere, .len = INT_MAX,
				    .cmsg = true };
		iov_iter_discard(&nowhere, ITER_DEST, INT_MAX);
		err = ws_rx_pass(ctx, &ps);
	} while (!err && ps.stop);
	ws_rx_judge(ctx, err);
}

/**
 * ws_rx_drain() - nobody reads: check, count and throw away
 * @ctx: context after shutdown(SHUT_RD) or close()
 *
 * Context: socket lock held, any context.
 */
void ws_rx_drain(struct ws_ctx *ctx)
{
	u32 seq = ctx->rd.seq;

	if (ws_msgq(ctx)) {	/* the scanner has checked the text */
		forget(ctx);
		ws_msgq_purge(ctx);
		ctx->rd.seq = ctx->scan.seq;
		ctx->rd.left = ctx->scan.left;
	} else {
		drain_pass(ctx);
	}
	if (ctx->live && after(ctx->rd.seq, seq))
		ctx->live->discarded += ctx->rd.seq - seq;
	ws_rx_consume(ctx);
	if (ws_rx_at_end(ctx)) {
		ws_rx_reached_end(ctx);
		discard_rest(ctx);
	}
}
