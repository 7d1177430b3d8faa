// SPDX-License-Identifier: GPL-2.0
/*
 * Control frames, timers and the Close handshake: what the kernel does of
 * itself. Everything here runs under the socket lock, in softirq as well.
 */
#include <linux/ktime.h>
#include <linux/unaligned.h>
#include <net/tcp.h>

#include "trace.h"
#include "ws.h"

#define RETRY_JIFFIES	(HZ / 20 ? : 1)

/* Bytes that may wait behind a pong before the next one waits as well. */
#define PONGS_UNSENT_MAX	512

static bool tcp_sends(const struct sock *sk)
{
	return !sk->sk_err && !(sk->sk_shutdown & SEND_SHUTDOWN) &&
	       (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

/* TCP's FIN, once everything accepted was handed down. */
static void send_fin(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	ctx->flags |= WS_F_FIN_SENT;
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	ctx->proto->lower->shutdown(sk, SEND_SHUTDOWN);
	ctx->tx_seq = tcp_sk(sk)->write_seq;
	ctx->proto->state_change(sk);
}

/*
 * RFC 6455 section 7.1.1: the server closes TCP first; a client waits for it,
 * but not for ever.
 */
static bool fin_due(const struct ws_ctx *ctx)
{
	if (!ws_is(ctx, WS_F_CLOSE_SENT) || ws_is(ctx, WS_F_FIN_SENT))
		return false;
	if (ws_is(ctx, WS_F_EXPIRED) || ctx->sk->sk_shutdown & RCV_SHUTDOWN)
		return true;
	return !ws_is(ctx, WS_F_CLIENT) &&
	       ws_is(ctx, WS_F_CLOSE_RCVD | WS_F_FAILED);
}

static u16 close_code(const struct ws_ctx *ctx)
{
	if (ctx->code_next)
		return ctx->code_next;
	return ws_is(ctx, WS_F_CLOSE_RCVD) ? ctx->code_rcvd : WS_CODE_NORMAL;
}

static void count_fault(struct ws_ctx *ctx, u16 code)
{
	switch (code) {
	case WS_CODE_PROTOCOL:
		ws_mib(ctx, WS_MIB_FAIL_PROTOCOL, 1);
		break;
	case WS_CODE_BAD_DATA:
		ws_mib(ctx, WS_MIB_FAIL_UTF8, 1);
		break;
	case WS_CODE_TOO_BIG:
		ws_mib(ctx, WS_MIB_FAIL_TOO_BIG, 1);
	}
}

/**
 * ws_fault_settled() - no earlier fault can be found any more
 * @ctx: context
 *
 * Until the reader comes up to a fault it may find bad text before it, and then
 * that is the fault of this connection. So a fault is counted only here: when
 * it is about to be answered, or when the connection ends without an answer.
 * Context: socket lock held, any context.
 */
void ws_fault_settled(struct ws_ctx *ctx)
{
	if (ws_is(ctx, WS_F_ECHO_DUE) && ws_is(ctx, WS_F_FAILED))
		count_fault(ctx, ctx->code_next);
}

static int send_close(struct ws_ctx *ctx)
{
	u16 code = close_code(ctx);
	u8 body[WS_CTRL_MAX];
	unsigned int n = 0;
	int err;

	if (code != WS_CODE_NO_STATUS) {
		put_unaligned_be16(code, body);
		n = 2;
		if (ctx->aux && ctx->code_next) {
			memcpy(body + n, ctx->aux->tx_reason,
			       ctx->aux->tx_reason_len);
			n += ctx->aux->tx_reason_len;
		}
	}
	err = ws_tx_ctrl(ctx, WS_OP_CLOSE, body, n);
	if (err)
		return err;
	ws_fault_settled(ctx);
	ctx->flags &= ~(WS_F_CLOSE_WANT | WS_F_ECHO_DUE | WS_F_TX_OPEN |
			WS_F_PING_WANT);
	ctx->flags |= WS_F_CLOSE_SENT;
	if (!ws_is(ctx, WS_F_CLOSE_RCVD))
		ctx->flags |= WS_F_CLOSE_1ST;
	ctx->code_sent = code;
	ws_mib(ctx, WS_MIB_TX_CLOSE, 1);
	trace_ws_close(ctx->sk, true, code);
	ws_closing(ctx);
	return 0;
}

/*
 * A peer that pings and does not read would have TCP queue pongs without end.
 * While one of ours has not left, only a few hundred bytes may follow it.
 */
static bool pongs_pile_up(const struct ws_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(ctx->sk);
	u32 unsent = tp->write_seq - tp->snd_nxt;

	/* that it ends in what is unsent holds for no older one, ever */
	return unsent > PONGS_UNSENT_MAX &&
	       tp->write_seq - ctx->pong_end < unsent;
}

static int send_pong(struct ws_ctx *ctx, const u8 *p, unsigned int len)
{
	int err = ws_tx_ctrl(ctx, WS_OP_PONG, p, len);

	if (!err) {
		ctx->pong_end = tcp_sk(ctx->sk)->write_seq;
		ctx->tx_pongs++;
		ws_mib(ctx, WS_MIB_TX_PONG, 1);
	}
	return err;
}

/* Microseconds for round trips; never 0, which stands for none. */
static u32 now_us(void)
{
	return (u32)div_u64(ktime_get_ns(), NSEC_PER_USEC) | 1;
}

static int send_ping(struct ws_ctx *ctx)
{
	struct ws_live *live = ctx->live;
	u8 body[4];
	int err;

	put_unaligned_be32(live->ping_id + 1, body);
	err = ws_tx_ctrl(ctx, WS_OP_PING, body, sizeof(body));
	if (err)
		return err;
	live->ping_id++;
	live->ping_us = now_us();
	ctx->flags &= ~WS_F_PING_WANT;
	ctx->tx_pings++;
	ws_mib(ctx, WS_MIB_TX_PING, 1);
	return 0;
}

/* At most one pong waits, the newest: RFC 6455 section 5.5.3. */
static void keep_pong(struct ws_ctx *ctx, const u8 *p, unsigned int len)
{
	struct ws_aux *aux = ws_aux(ctx, GFP_ATOMIC);

	if (!aux || aux->pong_len >= 0)
		ws_mib(ctx, WS_MIB_PONG_DROPPED, 1);
	if (!aux)
		return;
	memcpy(aux->pong, p, len);
	aux->pong_len = len;
}

static int send_kept_pong(struct ws_ctx *ctx)
{
	int err = 0;

	if (likely(!ctx->aux || ctx->aux->pong_len < 0))
		return 0;
	if (pongs_pile_up(ctx)) {
		/* what an acknowledgement lets leave brings us back */
		set_bit(SOCK_NOSPACE, &ctx->sk->sk_socket->flags);
		return 0;
	}
	if (!ws_is(ctx, WS_F_CLOSE_SENT))
		err = send_pong(ctx, ctx->aux->pong, ctx->aux->pong_len);
	if (!err)
		ctx->aux->pong_len = -1;
	return err;
}

/**
 * ws_ctrl_waits() - is there a control frame that found no room
 * @ctx: context
 *
 * Context: socket lock held, any context.
 * Return: true if so.
 */
bool ws_ctrl_waits(const struct ws_ctx *ctx)
{
	return (ctx->aux && ctx->aux->pong_len >= 0) ||
	       ws_is(ctx, WS_F_PING_WANT | WS_F_CLOSE_WANT);
}

/* Nothing of it went: write space calls again, or a timer does. */
static void try_later(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	if (!tcp_rtx_and_write_queues_empty(sk))
		return;
	ctx->flags |= WS_F_RETRY;
	ws_timer_set(ctx);
}

static int kick(struct ws_ctx *ctx)
{
	int err;

	err = send_kept_pong(ctx);
	if (!err && ws_is(ctx, WS_F_PING_WANT))
		err = send_ping(ctx);
	if (!err && ws_is(ctx, WS_F_CLOSE_WANT))
		err = send_close(ctx);
	return err;
}

/**
 * ws_tx_kick() - send what waits, in order: a frame, pong, ping, Close, FIN
 * @ctx: context
 *
 * Context: socket lock held, any context.
 */
void ws_tx_kick(struct ws_ctx *ctx)
{
	int err;

	if (ws_is(ctx, WS_F_GONE | WS_F_TX_NOW) || !ws_is(ctx, WS_F_ACTIVE))
		return;
	if (!tcp_sends(ctx->sk)) {
		if (ctx->sk->sk_state == TCP_CLOSE)
			ws_tx_drop(ctx);
		return;
	}
	if (!ws_tx_push(ctx))
		return;
	err = kick(ctx);
	if (err == -EAGAIN && tcp_sends(ctx->sk))
		try_later(ctx);
	else if (unlikely(err && tcp_sends(ctx->sk)))
		ws_abort(ctx, ECONNABORTED);	/* nothing would try again */
	else if (!ctx->wait.len && fin_due(ctx))
		send_fin(ctx);
}

static void rx_ping(struct ws_ctx *ctx, const u8 *p, unsigned int len,
		    bool late)
{
	ctx->rx_pings++;
	ws_mib(ctx, WS_MIB_RX_PING, 1);
	if (!ws_is(ctx, WS_F_AUTO_PONG) || ws_is(ctx, WS_F_CLOSE_SENT) ||
	    !tcp_sends(ctx->sk))
		return;
	if (late) {	/* the end of the pass sends it */
		keep_pong(ctx, p, len);
		return;
	}
	if ((ctx->aux && ctx->aux->pong_len >= 0) || pongs_pile_up(ctx) ||
	    !ws_tx_push(ctx) || send_pong(ctx, p, len)) {
		keep_pong(ctx, p, len);
		ws_tx_kick(ctx);
	}
}

static void rx_pong(struct ws_ctx *ctx, const u8 *p, unsigned int len)
{
	struct ws_live *live = ctx->live;

	ctx->rx_pongs++;
	ws_mib(ctx, WS_MIB_RX_PONG, 1);
	if (live && len == 4 && live->ping_us &&
	    get_unaligned_be32(p) == live->ping_id) {
		live->rtt_us = (now_us() - live->ping_us) | 1;
		live->ping_us = 0;
	}
}

static void keep_reason(struct ws_ctx *ctx, const u8 *p, unsigned int len)
{
	struct ws_aux *aux;

	if (len <= 2)
		return;
	aux = ws_aux(ctx, GFP_ATOMIC);
	if (!aux)
		return;		/* the code is there all the same */
	aux->rx_reason_len = len - 2;
	memcpy(aux->rx_reason, p + 2, len - 2);
}

/*
 * The peer's Close. It is answered when the reader has come up to it, so that
 * a reply to what was sent before can still leave (RFC 6455 section 5.5.1
 * lets us delay), and in any case after WS_CLOSE_TIMEOUT.
 */
static void rx_close(struct ws_ctx *ctx, const u8 *p, unsigned int len)
{
	u16 code, bad = ws_close_parse(p, len, &code);

	ws_mib(ctx, WS_MIB_RX_CLOSE, 1);
	if (bad) {
		ws_rx_fail(ctx, bad);
		return;
	}
	ctx->flags |= WS_F_CLOSE_RCVD | WS_F_RX_END;
	ctx->code_rcvd = code;
	keep_reason(ctx, p, len);
	trace_ws_close(ctx->sk, false, code);
	if (ws_is(ctx, WS_F_CLOSE_SENT)) {
		ws_tx_kick(ctx);
	} else if (ws_is(ctx, WS_F_AUTO_CLOSE)) {
		ctx->flags |= WS_F_ECHO_DUE;
		ws_closing(ctx);
	}
}

/**
 * ws_ctrl_recv() - act on a control frame
 * @ctx: context
 * @opcode: its opcode; a negotiated one is only delivered
 * @p: payload, unmasked
 * @len: bytes of it
 * @late: of many in one pass: a pong is only kept, see ws_tx_kick()
 *
 * Context: socket lock held, any context. Called once for each frame, in
 * order, when the scanner passes it.
 */
void ws_ctrl_recv(struct ws_ctx *ctx, u8 opcode, const u8 *p,
		  unsigned int len, bool late)
{
	switch (opcode) {
	case WS_OP_PING:
		rx_ping(ctx, p, len, late);
		break;
	case WS_OP_PONG:
		rx_pong(ctx, p, len);
		break;
	case WS_OP_CLOSE:
		rx_close(ctx, p, len);
		break;
	}
}

/**
 * ws_rx_reached_end() - the reader has come up to Close, or to a fault: answer
 * @ctx: context
 *
 * Context: socket lock held, any context.
 */
void ws_rx_reached_end(struct ws_ctx *ctx)
{
	if (!ws_is(ctx, WS_F_ECHO_DUE))
		return;
	ws_fault_settled(ctx);
	ctx->flags &= ~WS_F_ECHO_DUE;
	ctx->flags |= WS_F_CLOSE_WANT;
	if (ws_is(ctx, WS_F_FAILED))
		ws_closing(ctx);	/* Close has a time of its own */
	ws_tx_kick(ctx);
	/* a sender that waits for room would only get EPIPE */
	ctx->proto->state_change(ctx->sk);
}

/*
 * Like the peer's Close, a fault is answered when the reader has come up to it,
 * so that replies to the good messages before it still leave. There is nothing
 * to wait for when the fault is that nothing came.
 */
static bool answer_at_once(const struct ws_ctx *ctx, u16 code)
{
	return code == WS_CODE_POLICY || ws_rx_at_end(ctx);
}

/**
 * ws_fail() - fail the connection: RFC 6455 section 7.1.7
 * @ctx: context
 * @code: Close code for the peer
 * @err: positive errno for the application, after all good bytes
 *
 * Context: socket lock held, any context.
 */
void ws_fail(struct ws_ctx *ctx, u16 code, int err)
{
	if (ws_is(ctx, WS_F_FAILED))
		return;
	ctx->flags |= WS_F_FAILED | WS_F_RX_END;
	ctx->flags &= ~WS_F_ECHO_DUE;
	ctx->rx_err = err;
	trace_ws_fail(ctx->sk, code, err);
	if (ws_is(ctx, WS_F_CLOSE_SENT)) {
		ws_timer_set(ctx);	/* from Close on; nothing extends it */
	} else {
		ctx->code_next = code;
		if (ctx->aux)
			ctx->aux->tx_reason_len = 0;
		/* without memory for a timer it would be for ever */
		if (answer_at_once(ctx, code) || !ws_live(ctx, GFP_ATOMIC))
			ctx->flags |= WS_F_CLOSE_WANT;
		else
			ctx->flags |= WS_F_ECHO_DUE;
		ws_closing(ctx);
	}
	if (!ws_is(ctx, WS_F_ECHO_DUE))
		count_fault(ctx, code);
	ws_tx_kick(ctx);
}

/**
 * ws_abort() - reset the connection, without Close
 * @ctx: context
 * @err: positive errno for the application
 *
 * Context: socket lock held, any context: tcp_abort() itself takes the lock,
 * so a work item calls it.
 */
void ws_abort(struct ws_ctx *ctx, int err)
{
	if (ws_is(ctx, WS_F_ABORT))
		return;
	if (err == ECONNABORTED)
		ws_rx_void(ctx);
	ctx->flags |= WS_F_ABORT | WS_F_FAILED | WS_F_RX_END;
	ctx->rx_err = err;
	ctx->abort_err = err;
	ws_mib(ctx, WS_MIB_ABORTED, 1);
	trace_ws_fail(ctx->sk, 0, err);
	ws_queue_work(ctx);
}

static bool pinging(const struct ws_ctx *ctx)
{
	return ctx->live->ping_interval && tcp_sends(ctx->sk) &&
	       !(ctx->sk->sk_shutdown & RCV_SHUTDOWN) &&
	       !ws_is(ctx, WS_F_CLOSE_SENT | WS_F_CLOSE_RCVD | WS_F_FAILED |
			   WS_F_CLOSE_WANT);
}

/* Someone must give up on this handshake: the application does not. */
static bool closing_timed(const struct ws_ctx *ctx)
{
	return ws_is(ctx, WS_F_DETACHED | WS_F_FAILED | WS_F_ECHO_DUE) &&
	       !ws_is(ctx, WS_F_EXPIRED);
}

static bool stall_timed(const struct ws_ctx *ctx)
{
	return ctx->live->stall_at && ctx->live->stall_timeout &&
	       !ws_is(ctx, WS_F_RX_END);
}

/*
 * Points in time are 32 bits of jiffies, and none of them lies ahead. After
 * weeks of silence they wrap around: then the limit, a day at most, runs once
 * more.
 */
static s32 ticks_left(u32 since, u32 ms)
{
	u32 past = (u32)jiffies - since, limit = msecs_to_jiffies(ms);

	return past < limit ? limit - past : 0;
}

static u32 close_limit(const struct ws_ctx *ctx)
{
	const struct ws_net *wn = ws_net(sock_net(ctx->sk));

	return min_t(u32, ctx->close_timeout,
		     READ_ONCE(wn->close_timeout_max));
}

static s32 close_left(const struct ws_ctx *ctx)
{
	return ticks_left(ctx->live->close_at, close_limit(ctx));
}

static s32 stall_left(const struct ws_ctx *ctx)
{
	/* its lowest bit is set so that it is never 0 */
	return ticks_left(ctx->live->stall_at & ~1U, ctx->live->stall_timeout);
}

static s32 ping_left(const struct ws_ctx *ctx)
{
	const struct ws_live *live = ctx->live;

	if (!ws_is(ctx, WS_F_PING_OUT))
		return ticks_left(ctx->last_rx, live->ping_interval);
	return ticks_left(live->ping_at, live->ping_timeout ? :
					 live->ping_interval);
}

/*
 * The answer to a ping that waits behind megabytes takes its time. Until then
 * it is a sign of life that the peer acknowledges, or that its window opens.
 */
static u32 taken(const struct ws_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(ctx->sk);

	return tp->snd_una + tcp_wnd_end(tp);
}

/*
 * What the peer has taken has moved since the timer looked last: a timeout
 * runs from then on. When that was only the last acknowledgement tells, which
 * may have been another, so the timer looks several times in a timeout.
 */
static void note_progress(struct ws_ctx *ctx, u32 mark, u32 *since)
{
	u32 acked = tcp_sk(ctx->sk)->rcv_tstamp, now = (u32)jiffies;

	if (mark == ctx->live->mark)
		return;
	ctx->live->mark = mark;
	if (now - acked < now - *since)
		*since = acked;
}

static s32 next_look(u32 ms)
{
	return max_t(s32, msecs_to_jiffies(ms) / 4, 1);
}

/* When the answer comes at once: no received byte arms the timer anew. */
static s32 next_ping(const struct ws_ctx *ctx)
{
	return max_t(s32, msecs_to_jiffies(ctx->live->ping_interval), 1);
}

/* After close(), or when we failed it, the connection ends for want of this. */
static bool closing_moves(const struct ws_ctx *ctx)
{
	return ws_is(ctx, WS_F_DETACHED) ||
	       (ws_is(ctx, WS_F_FAILED) && !ws_is(ctx, WS_F_ECHO_DUE));
}

/* Ticks to whatever comes next. Return: there is something. */
static bool next_event(const struct ws_ctx *ctx, s32 *left)
{
	*left = S32_MAX;
	if (pinging(ctx)) {
		*left = ping_left(ctx);
		if (ws_is(ctx, WS_F_PING_OUT) && ctx->live->ping_timeout)
			*left = min3(*left,
				     next_look(ctx->live->ping_timeout),
				     next_ping(ctx));
	}
	if (stall_timed(ctx))
		*left = min(*left, stall_left(ctx));
	if (closing_timed(ctx)) {
		*left = min(*left, close_left(ctx));
		if (closing_moves(ctx))
			*left = min(*left, next_look(close_limit(ctx)));
		if (ws_is(ctx, WS_F_DETACHED))	/* for TCP's memory */
			*left = min_t(s32, *left, HZ);
	}
	if (ws_is(ctx, WS_F_RETRY))
		*left = min_t(s32, *left, RETRY_JIFFIES);
	return *left != S32_MAX;
}

/**
 * ws_timer_set() - arm the timer for whatever comes next
 * @ctx: context
 *
 * One timer for all. Traffic does not touch it: when it fires too early it
 * looks again.
 * Context: socket lock held, any context.
 */
void ws_timer_set(struct ws_ctx *ctx)
{
	struct ws_live *live = ctx->live;
	unsigned long at;
	s32 left;

	if (ws_is(ctx, WS_F_GONE) || !ws_is(ctx, WS_F_ACTIVE))
		return;
	if (!live && ws_is(ctx, WS_F_RETRY))
		live = ws_live(ctx, GFP_ATOMIC);
	if (!live || !next_event(ctx, &left))
		return;
	at = jiffies + max(left, 1);
	if (!timer_pending(&live->timer) ||
	    time_before(at, live->timer.expires))
		sk_reset_timer(ctx->sk, &live->timer, at);
}

/**
 * ws_closing() - WS_CLOSE_TIMEOUT runs from now on
 * @ctx: context
 *
 * Or from the last acknowledgement, while the peer takes what it is owed.
 * Without memory for a timer nobody gives up: close() then does not wait.
 * Context: socket lock held, any context.
 */
void ws_closing(struct ws_ctx *ctx)
{
	struct ws_live *live = ws_live(ctx, GFP_ATOMIC);

	if (!live)
		return;
	live->close_at = (u32)jiffies;
	live->mark = tcp_sk(ctx->sk)->snd_una;
	ws_timer_set(ctx);
}

/*
 * The error is TCP's at once, so that it is told once: by recv(), send() or
 * SO_ERROR, whichever comes first.
 */
static void fail_dead(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	ws_mib(ctx, WS_MIB_FAIL_TIMEOUT, 1);
	ws_abort(ctx, ETIMEDOUT);
	ctx->flags |= WS_F_DEAD;
	ctx->rx_err = 0;
	WRITE_ONCE(sk->sk_err, ETIMEDOUT);
	ctx->proto->data_ready(sk);
}

static void expire_ping(struct ws_ctx *ctx)
{
	struct ws_live *live = ctx->live;

	if (!pinging(ctx))
		return;
	if (ws_is(ctx, WS_F_PING_OUT) && live->ping_timeout)
		note_progress(ctx, taken(ctx), &live->ping_at);
	if (ping_left(ctx) > 0)
		return;
	trace_ws_expire(ctx->sk, "ping");
	if (ws_is(ctx, WS_F_PING_OUT) && live->ping_timeout) {
		if (ws_rx_level(ctx)) {
			/* the reader is late, not the peer */
			live->ping_at = (u32)jiffies;
			return;
		}
		fail_dead(ctx);
		return;
	}
	live->ping_at = (u32)jiffies;
	live->mark = taken(ctx);
	ctx->flags |= WS_F_PING_WANT | WS_F_PING_OUT;
	ws_tx_kick(ctx);
}

/* What was not read has closed the window: the peer could not send more. */
static bool reader_is_late(const struct ws_ctx *ctx)
{
	return ws_rx_level(ctx) && tcp_receive_window(tcp_sk(ctx->sk)) <
				   inet_csk(ctx->sk)->icsk_ack.rcv_mss;
}

static void expire_stall(struct ws_ctx *ctx)
{
	if (!stall_timed(ctx) || stall_left(ctx) > 0)
		return;
	if (reader_is_late(ctx)) {
		ctx->live->stall_at = (u32)jiffies | 1;
		return;
	}
	trace_ws_expire(ctx->sk, "stall");
	ws_mib(ctx, WS_MIB_FAIL_TIMEOUT, 1);
	ws_fail(ctx, WS_CODE_POLICY, ETIMEDOUT);
	ctx->proto->data_ready(ctx->sk);
}

static void expire_close(struct ws_ctx *ctx)
{
	if (!closing_timed(ctx))
		return;
	if (closing_moves(ctx))
		note_progress(ctx, tcp_sk(ctx->sk)->snd_una,
			      &ctx->live->close_at);
	if (close_left(ctx) > 0)
		return;
	trace_ws_expire(ctx->sk, "close");
	if (ws_is(ctx, WS_F_ECHO_DUE) && !ws_is(ctx, WS_F_DETACHED)) {
		ws_rx_reached_end(ctx);
		return;
	}
	ctx->flags |= WS_F_EXPIRED;
	ws_tx_kick(ctx);
	ctx->proto->state_change(ctx->sk);
}

/**
 * ws_expire() - the timer fired
 * @ctx: context
 *
 * Context: socket lock held, any context.
 */
void ws_expire(struct ws_ctx *ctx)
{
	if (ws_is(ctx, WS_F_GONE))
		return;
	if (ws_is(ctx, WS_F_RETRY)) {
		ctx->flags &= ~WS_F_RETRY;
		ws_rx_scan(ctx);
		if (!ws_rx_level(ctx))
			ws_rx_consume(ctx);
		if (ws_rx_readable(ctx))	/* that may have failed it */
			ctx->proto->data_ready(ctx->sk);
		ws_tx_kick(ctx);
		if (!ctx->wait.len)
			ws_tx_wake(ctx);
	}
	expire_stall(ctx);
	expire_ping(ctx);
	expire_close(ctx);
	if (ws_is(ctx, WS_F_DETACHED) && ws_close_done(ctx))
		ws_queue_work(ctx);
	ws_timer_set(ctx);
}

/**
 * ws_timer() - timer callback
 * @t: of struct ws_live; holds a reference to the socket
 */
void ws_timer(struct timer_list *t)
{
	struct ws_live *live = timer_container_of(live, t, timer);
	struct ws_ctx *ctx = live->ctx;
	struct sock *sk = ctx->sk;

	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		atomic_or(WS_DEFER_TIMER, &ctx->deferred);
	else
		ws_expire(ctx);
	bh_unlock_sock(sk);
	sock_put(sk);
}
