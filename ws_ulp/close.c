// SPDX-License-Identifier: GPL-2.0
/*
 * shutdown() and close(). close() gives the descriptor back at once; the
 * kernel keeps the TCP socket, sends Close behind what was accepted, throws
 * away what still arrives and closes TCP when the handshake is complete.
 *
 * TCP and kernel TLS need a struct socket for that (an orphan gets no
 * callbacks and cannot send), so the sock moves to one of our own.
 */
#include <linux/bpf.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>
#include <net/inet_common.h>
#include <net/proto_memory.h>
#include <net/tcp.h>

#include "trace.h"
#include "ws.h"

static struct workqueue_struct *wq;

/**
 * ws_queue_work() - have ws_work() run for this context
 * @ctx: context
 *
 * Context: socket lock held, any context. The work holds a reference.
 * Return: it will run; false without memory.
 */
bool ws_queue_work(struct ws_ctx *ctx)
{
	struct ws_live *live = ws_live(ctx, GFP_ATOMIC);

	if (!live || ws_is(ctx, WS_F_GONE))
		return false;
	sock_hold(ctx->sk);
	if (!queue_work(wq, &live->work))
		__sock_put(ctx->sk);
	return true;
}

/* Sockets that linger, in all namespaces */
static atomic_t lingering;

/*
 * As many as TCP allows orphans by default. What net.ipv4.tcp_max_orphans was
 * set to, no module is told.
 */
static u32 lingering_max(void)
{
	return (init_net.ipv4.tcp_death_row.hashinfo->ehash_mask + 1) / 2;
}

/* TCP under memory pressure: no reason to wait for what a peer may say. */
static bool tcp_pressed(const struct ws_ctx *ctx)
{
	const struct proto *lower = ctx->proto->lower;

	return lower->memory_pressure && READ_ONCE(*lower->memory_pressure);
}

/* TCP is out of memory: where TCP itself kills an orphan. */
static bool tcp_starves(const struct sock *sk)
{
	return sk->sk_wmem_queued > SOCK_MIN_SNDBUF &&
	       sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 2);
}

static bool flushed(const struct ws_ctx *ctx)
{
	return ws_is(ctx, WS_F_CLOSE_SENT) && !ctx->wait.len;
}

/* A lack of memory that makes this socket linger no longer, or not at all */
static bool memory_short(const struct ws_ctx *ctx)
{
	return flushed(ctx) ? tcp_pressed(ctx) : tcp_starves(ctx->sk);
}

/**
 * ws_close_done() - may TCP be closed now
 * @ctx: context after close()
 *
 * Context: socket lock held, any context.
 * Return: true if so.
 */
bool ws_close_done(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;
	const struct ws_net *wn = ws_net(sock_net(sk));

	if (sk->sk_state == TCP_CLOSE || sk->sk_err ||
	    ws_is(ctx, WS_F_EXPIRED))
		return true;
	if (ws_is(ctx, WS_F_DETACHED) && memory_short(ctx))
		return true;
	if (!flushed(ctx))
		return false;
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		return true;
	/* a closed TCP socket would answer more of it with a reset */
	if (ctx->live && tcp_rtx_and_write_queues_empty(ctx->sk) &&
	    ctx->live->discarded > READ_ONCE(wn->close_discard))
		return true;
	return ws_is(ctx, WS_F_CLOSE_RCVD) && !ws_is(ctx, WS_F_CLIENT);
}

static void close_begin(struct ws_ctx *ctx)
{
	ctx->flags |= WS_F_RX_SHUT | WS_F_TX_SHUT;
	if (ctx->live)
		ctx->live->discarded = 0;
	if (!ws_is(ctx, WS_F_CLOSE_SENT)) {
		/* a ring outlives its process: a kernel thread ends it */
		if (!ctx->code_next && !ws_is(ctx, WS_F_CLOSE_RCVD) &&
		    current->flags & (PF_EXITING | PF_KTHREAD))
			ctx->code_next = WS_CODE_GOING_AWAY;
		ctx->flags |= WS_F_CLOSE_WANT;
		ws_closing(ctx);
	}
	ws_rx_scan(ctx);
	ws_tx_kick(ctx);
}

/* SO_LINGER {1, n}: close() itself waits. Return: what is left of n. */
static long close_wait(struct ws_ctx *ctx, long timeout)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;

	add_wait_queue(sk_sleep(sk), &wait);
	while (timeout && !ws_close_done(ctx) && !signal_pending(current))
		sk_wait_event(sk, &timeout, ws_close_done(ctx), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	return timeout;
}

static bool count_closing(struct ws_ctx *ctx)
{
	struct ws_net *wn = ws_net(sock_net(ctx->sk));

	if (atomic_inc_return(&wn->closing) > READ_ONCE(wn->closing_max))
		goto undo;
	if (atomic_inc_return(&lingering) > lingering_max())
		goto undo_all;
	ws_orphans_add(ctx->proto->lower, 1);
	ctx->flags |= WS_F_LINGER_CNT;
	return true;
undo_all:
	atomic_dec(&lingering);
undo:
	atomic_dec(&wn->closing);
	return false;
}

/**
 * ws_linger_end() - a socket that lingered gives its place back
 * @ctx: context, of any attached socket
 */
void ws_linger_end(struct ws_ctx *ctx)
{
	if (!ws_is(ctx, WS_F_LINGER_CNT))
		return;
	ctx->flags &= ~WS_F_LINGER_CNT;
	ws_orphans_add(ctx->proto->lower, -1);
	atomic_dec(&lingering);
	atomic_dec(&ws_net(sock_net(ctx->sk))->closing);
}

/**
 * ws_linger_release() - proto_ops.release of a socket that lingered
 * @sock: socket
 *
 * sock_release() calls it when TCP was closed: nothing is left to do, and what
 * inet_release() does, such as the hook of the cgroup, was done by close().
 *
 * Return: 0.
 */
int ws_linger_release(struct socket *sock)
{
	return 0;
}

/*
 * Move the sock to a socket of ours. A BPF program may use its operations at
 * any time, so that they are there before the sock is. sock_release() drops a
 * reference to their owner: over kernel TLS nothing else pins the module.
 *
 * Return: it lives on after close().
 */
static bool close_linger(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;
	struct socket *sock;

	if (memory_short(ctx) || !ws_live(ctx, GFP_KERNEL) ||
	    !count_closing(ctx))
		goto drop;
	if (sock_create_lite(sk->sk_family, SOCK_STREAM, IPPROTO_TCP, &sock))
		goto drop;
	/* sock_graft() takes the owner from here on some kernels. */
	SOCK_INODE(sock)->i_uid = sk->sk_uid;
	sock->state = SS_CONNECTED;
	sock->ops = &ctx->proto->linger_ops;
	__module_get(THIS_MODULE);
	if (test_bit(SOCK_NOSPACE, &sk->sk_socket->flags))
		set_bit(SOCK_NOSPACE, &sock->flags);
	sock_graft(sk, sock);
	ctx->flags |= WS_F_DETACHED;
	ws_mib(ctx, WS_MIB_LINGER, 1);
	ws_timer_set(ctx);
	return true;
drop:
	ws_mib(ctx, WS_MIB_LINGER_DROP, 1);
	return false;
}

static bool close_handshake(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	return ws_is(ctx, WS_F_ACTIVE) && sk->sk_state != TCP_CLOSE &&
	       !sk->sk_err && !ws_is(ctx, WS_F_ABORT) &&
	       !(sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime);
}

/* A frame cut short is worse than a reset: the peer must not trust it. */
static void close_prepare(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	if (!ws_is(ctx, WS_F_ACTIVE))
		return;
	if (ctx->wait.len || ws_is(ctx, WS_F_ABORT)) {
		sock_set_flag(sk, SOCK_LINGER);
		sk->sk_lingertime = 0;
	}
	if (!sock_flag(sk, SOCK_LINGER) || sk->sk_lingertime)
		ws_rx_purge(ctx);
}

static void stop_timer(struct ws_ctx *ctx)
{
	if (ctx->live && timer_delete_sync(&ctx->live->timer))
		sock_put(ctx->sk);
}

/**
 * ws_close() - proto.close of an attached socket
 * @sk: socket
 * @timeout: jiffies that SO_LINGER allows, or 0
 */
void ws_close(struct sock *sk, long timeout)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	struct proto *lower = ctx->proto->lower;

	lock_sock(sk);
	if (close_handshake(ctx)) {
		close_begin(ctx);
		if (timeout)
			timeout = close_wait(ctx, timeout);
		if (!ws_close_done(ctx) && close_linger(ctx)) {
			release_sock(sk);
			return;
		}
	}
	close_prepare(ctx);
	ws_detach(ctx);
	release_sock(sk);

	stop_timer(ctx);
	if (ctx->live && cancel_work_sync(&ctx->live->work))
		sock_put(sk);
	sock_hold(sk);
	lower->close(sk, timeout);
	ws_free(ctx);
	sock_put(sk);
}

/* The handshake of a socket after close() is over: close TCP. */
static void close_finish(struct ws_ctx *ctx)
{
	struct proto *lower = ctx->proto->lower;
	struct sock *sk = ctx->sk;
	struct socket *sock = sk->sk_socket;

	close_prepare(ctx);
	ws_detach(ctx);
	release_sock(sk);

	stop_timer(ctx);
	if (cancel_work(&ctx->live->work))
		sock_put(sk);
	lower->close(sk, 0);
	sock_release(sock);
	ws_free(ctx);
}

/*
 * lock_sock(), but without waiting: a program can make a copy of its own last,
 * and with it the lock of the socket, as long as it likes (userfaultfd), and
 * all sockets share the work queue. The owner queues the work again.
 */
static bool lock_unless_owned(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;
	bool owned;

	spin_lock_bh(&sk->sk_lock.slock);
	owned = sock_owned_by_user_nocheck(sk);
	if (owned)
		atomic_or(WS_DEFER_WORK, &ctx->deferred);
	else
		sk->sk_lock.owned = 1;
	spin_unlock_bh(&sk->sk_lock.slock);
	if (!owned)
		mutex_acquire(&sk->sk_lock.dep_map, 0, 1, _THIS_IP_);
	return !owned;
}

/*
 * tcp_abort() takes the lock itself, but for a BPF program, which holds it
 * already: so do we, and must not wait for it.
 */
static void abort_tcp(struct ws_ctx *ctx, int err)
{
	bool told = ws_is(ctx, WS_F_DEAD) && !ctx->sk->sk_err;
	struct sock *sk = ctx->sk;
	struct bpf_run_ctx locked = { }, *saved = bpf_set_run_ctx(&locked);

	if (has_current_bpf_ctx()) {
		tcp_abort(sk, err);
	} else {
		/* a kernel without BPF */
		release_sock(sk);
		tcp_abort(sk, err);
		lock_sock(sk);
	}
	bpf_reset_run_ctx(saved);
	if (told)
		WRITE_ONCE(sk->sk_err, 0);
}

/**
 * ws_work() - what needs a process: reset, close TCP, a scan without end
 * @work: of struct ws_live; holds a reference to the socket
 */
void ws_work(struct work_struct *work)
{
	struct ws_ctx *ctx = container_of(work, struct ws_live, work)->ctx;
	struct sock *sk = ctx->sk;
	int err;

	if (!lock_unless_owned(ctx))
		goto out;
	if (ws_is(ctx, WS_F_GONE)) {
		release_sock(sk);
		goto out;
	}
	err = ctx->abort_err;
	ctx->abort_err = 0;
	if (err)
		abort_tcp(ctx, err);
	if (ws_is(ctx, WS_F_DETACHED) && ws_close_done(ctx)) {
		close_finish(ctx);
		goto out;
	}
	atomic_or(WS_DEFER_RX, &ctx->deferred);
	release_sock(sk);
out:
	sock_put(sk);
}

/**
 * ws_shutdown() - proto_ops.shutdown of an active socket
 * @sock: socket
 * @how: SHUT_RD, SHUT_WR or SHUT_RDWR
 *
 * TCP's own shutdown state stays as it is until our FIN: Close, pongs and
 * queued frames have to leave first.
 *
 * Return: 0, -ENOTCONN, -EINVAL.
 */
int ws_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct ws_ctx *ctx = ws_ctx(sk);
	int err = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	lock_sock(sk);
	if (sk->sk_state == TCP_CLOSE)
		err = -ENOTCONN;
	if (how != SHUT_RD && !ws_is(ctx, WS_F_TX_SHUT)) {
		ctx->flags |= WS_F_TX_SHUT;
		if (!ws_is(ctx, WS_F_CLOSE_SENT))
			ctx->flags |= WS_F_CLOSE_WANT;
		ws_tx_kick(ctx);
	}
	if (how != SHUT_WR) {
		ctx->flags |= WS_F_RX_SHUT;
		ws_msgq_purge(ctx);
		ws_rx_scan(ctx);
	}
	ctx->proto->state_change(sk);	/* wake whoever polls */
	release_sock(sk);
	return err;
}

/**
 * ws_close_init() - at load: the work queue
 *
 * Return: 0, -ENOMEM.
 */
int ws_close_init(void)
{
	wq = alloc_workqueue("ws", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return wq ? 0 : -ENOMEM;
}

/**
 * ws_close_exit() - at unload: wait for work that is still running
 */
void ws_close_exit(void)
{
	destroy_workqueue(wq);
}
