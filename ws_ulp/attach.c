// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching to a socket and letting go of it: the context, and the protos
 * that stand between the socket and what it ran before.
 */
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/inet_common.h>

#include "stream.h"
#include "trace.h"
#include "ws.h"

/* Sockets that get a timer even when memory is out. */
#define LIVE_RESERVE	64

static struct kmem_cache *ctx_cache;
static struct kmem_cache *live_cache;
static mempool_t *live_pool;
static LIST_HEAD(protos);
static DEFINE_MUTEX(protos_lock);	/* protects protos */

/**
 * ws_ctx() - context of an attached socket
 * @sk: socket
 *
 * Context: the caller holds the socket lock, a reference to its file, or an
 * RCU read lock; only with the last the result can be NULL.
 * Return: the context; NULL: the socket is not ours, or no longer.
 */
struct ws_ctx *ws_ctx(const struct sock *sk)
{
	uintptr_t p = (uintptr_t)rcu_dereference_raw(__sk_user_data(sk));

	return (struct ws_ctx *)(p & SK_USER_DATA_PTRMASK);
}

/**
 * ws_aux() - the context's rarely needed part, allocated when missing
 * @ctx: context
 * @gfp: how to allocate
 *
 * Return: NULL without memory.
 */
struct ws_aux *ws_aux(struct ws_ctx *ctx, gfp_t gfp)
{
	if (!ctx->aux) {
		ctx->aux = kzalloc(sizeof(*ctx->aux),
				   gfp | __GFP_ACCOUNT | __GFP_NOWARN);
		if (ctx->aux)
			ctx->aux->pong_len = -1;
	}
	return ctx->aux;
}

/**
 * ws_live() - the context's timer and work, allocated when missing
 * @ctx: context
 * @gfp: how to allocate
 *
 * A reserve stands behind it, because a timer is wanted most when memory is
 * short.
 *
 * Return: the part, or NULL: there was no memory all the same.
 */
struct ws_live *ws_live(struct ws_ctx *ctx, gfp_t gfp)
{
	struct ws_live *live = ctx->live;

	if (live || ws_is(ctx, WS_F_GONE))
		return live;
	/* A pool that may sleep waits for ever: it is asked only not to. */
	live = kmem_cache_alloc(live_cache, gfp | __GFP_NOWARN);
	if (!live)
		live = mempool_alloc(live_pool, GFP_NOWAIT);
	if (!live)
		return NULL;
	memset(live, 0, sizeof(*live));
	live->ctx = ctx;
	live->close_at = (u32)jiffies;
	timer_setup(&live->timer, ws_timer, 0);
	INIT_WORK(&live->work, ws_work);
	smp_store_release(&ctx->live, live);	/* ss looks without a lock */
	return live;
}

/*
 * Callbacks of the socket. They run in softirq with the socket's spinlock, or
 * in a process that owns the socket; ctx cannot go away under them, because
 * ws_detach() restores the old ones under the same lock.
 */
static bool ws_defer(struct ws_ctx *ctx, u8 what)
{
	if (!sock_owned_by_user(ctx->sk))
		return false;
	atomic_or(what, &ctx->deferred);
	return true;
}

/* After close() nobody else looks whether the handshake is over. */
static void check_done(struct ws_ctx *ctx)
{
	if (ws_is(ctx, WS_F_DETACHED) && ws_close_done(ctx))
		ws_queue_work(ctx);
}

static void rx_event(struct ws_ctx *ctx)
{
	ws_rx_scan(ctx);
	check_done(ctx);
}

static void ws_data_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx(sk);

	if (ctx && !ws_defer(ctx, WS_DEFER_RX))
		rx_event(ctx);
}

static void ws_write_space(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx(sk);

	if (!ctx || ws_is(ctx, WS_F_TX_NOW) || ws_defer(ctx, WS_DEFER_TX))
		return;
	ws_tx_kick(ctx);
	if (!ctx->wait.len)	/* else SOCK_NOSPACE stays: one more call */
		ws_tx_wake(ctx);
	check_done(ctx);
}

static void ws_state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx(sk);

	if (!ctx)
		return;
	ctx->proto->state_change(sk);
	if (ws_defer(ctx, WS_DEFER_STATE))
		return;
	ws_tx_kick(ctx);	/* the peer's FIN may call for ours */
	check_done(ctx);
}

/*
 * Last act of an owner: whatever softirq could not do meanwhile. TCP's
 * sendmsg() calls it too, each time it looks at its backlog; but in the middle
 * of a frame nothing can be answered, so that has to wait for the real end.
 */
static void ws_release_cb(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	int todo;

	ctx->proto->lower->release_cb(sk);
	if (ws_is(ctx, WS_F_TX_NOW))
		return;
	/* A sender from before WS_ROLE wrote between our frames. */
	if (unlikely(tcp_sk(sk)->write_seq != ctx->tx_seq))
		ws_abort(ctx, ECONNABORTED);
	/* SO_OOBINLINE was cleared: TCP would eat an urgent byte. */
	if (unlikely(!sock_flag(sk, SOCK_URGINLINE)))
		sock_set_flag(sk, SOCK_URGINLINE);
	if (likely(!atomic_read(&ctx->deferred)))
		return;
	todo = atomic_xchg(&ctx->deferred, 0);
	if (todo & WS_DEFER_RX)
		rx_event(ctx);
	if (todo & WS_DEFER_TIMER)
		ws_expire(ctx);
	if (todo & (WS_DEFER_TX | WS_DEFER_STATE))
		ws_tx_kick(ctx);
	if (todo & WS_DEFER_TX && !ctx->wait.len)
		ws_tx_wake(ctx);
	if (todo & WS_DEFER_WORK)
		ws_queue_work(ctx);
	check_done(ctx);
}

static int ws_no_disconnect(struct sock *sk, int flags)
{
	return -EOPNOTSUPP;
}

static int ws_set_rcvlowat(struct sock *sk, int val)
{
	/* Counted in wire bytes it would silence our own parser. */
	return val > 1 ? -EOPNOTSUPP : 0;
}

static void build_protos(struct ws_proto *p, struct sock *sk)
{
	struct proto_ops *ops = &p->ops;

	p->lower = sk->sk_prot;
	p->lower_ops = sk->sk_socket->ops;
	p->data_ready = sk->sk_data_ready;
	p->write_space = sk->sk_write_space;
	p->state_change = sk->sk_state_change;

	p->dormant = *p->lower;
	p->dormant.setsockopt = ws_setsockopt;
	p->dormant.getsockopt = ws_getsockopt;
	p->dormant.close = ws_close;
	p->dormant.disconnect = ws_no_disconnect;

	p->dormant_ops = *p->lower_ops;
	p->dormant_ops.owner = THIS_MODULE;

	p->active = p->dormant;
	p->active.recvmsg = ws_proto_recvmsg;
	p->active.sendmsg = ws_sendmsg;
	p->active.ioctl = ws_ioctl;
	p->active.release_cb = ws_release_cb;
	p->active.stream_memory_free = ws_tx_memory_free;
	p->active.sock_is_readable = NULL;
#ifdef CONFIG_BPF_SYSCALL
	p->active.psock_update_sk_prot = NULL;
#endif

	*ops = *p->lower_ops;
	ops->owner = THIS_MODULE;
	ops->poll = ws_poll;
	ops->shutdown = ws_shutdown;
	ops->peek_len = ws_peek_len;
	ops->set_rcvlowat = ws_set_rcvlowat;
	/* What would bypass the frames: raw bytes in or out, without us. */
	ops->splice_read = NULL;	/* copy_splice_read() calls recvmsg */
	ops->splice_eof = NULL;
	ops->set_peek_off = NULL;
	ops->read_sock = NULL;
	ops->read_skb = NULL;
	ops->sendmsg_locked = NULL;
	ops->mmap = sock_no_mmap;

	p->linger_ops = *ops;
	p->linger_ops.release = ws_linger_release;
}

static bool unchanged(const struct ws_proto *p, const struct sock *sk)
{
	return p->data_ready == sk->sk_data_ready &&
	       p->write_space == sk->sk_write_space &&
	       p->state_change == sk->sk_state_change;
}

/*
 * Entries live until the module goes: there are a handful, one for each lower
 * layer that was ever seen, and a socket may run one long after its context.
 */
static struct ws_proto *proto_get(struct sock *sk)
{
	struct ws_proto *p;

	mutex_lock(&protos_lock);
	list_for_each_entry(p, &protos, list)
		if (p->lower == sk->sk_prot &&
		    p->lower_ops == sk->sk_socket->ops && unchanged(p, sk))
			goto out;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (p) {
		build_protos(p, sk);
		list_add(&p->list, &protos);
	}
out:
	mutex_unlock(&protos_lock);
	return p;
}

static int check_socket(struct sock *sk)
{
	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return -EOPNOTSUPP;
	/* first: a server asks by a socket that is not connected */
	if (!ws_permitted(sock_net(sk)))
		return -EPERM;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) ||
	    !sk->sk_socket)
		return -ENOTCONN;
	if (rcu_access_pointer(__sk_user_data(sk)) ||
	    inet_csk(sk)->icsk_ulp_data)
		return -EBUSY;
	if (tcp_sk(sk)->repair || !READ_ONCE(sk->sk_prot->recvmsg) ||
	    sk->sk_socket->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	return 0;
}

static int ctx_defaults(struct ws_ctx *ctx, struct sock *sk)
{
	const struct ws_net *wn = ws_net(sock_net(sk));
	u32 interval = READ_ONCE(wn->ping_interval);

	ctx->sk = sk;
	ctx->mibs = wn->mibs;
	ctx->flags = WS_F_AUTO_PONG | WS_F_AUTO_CLOSE | WS_F_UTF8;
	ctx->tx_type = WS_OP_BINARY;
	ctx->tx_frame_max = 65536;
	ctx->tcp_seq = READ_ONCE(tcp_sk(sk)->copied_seq);
	ctx->rules.frame_max = READ_ONCE(wn->rx_frame_max);
	ctx->rules.message_max = READ_ONCE(wn->rx_message_max);
	ctx->rules.fragments_max = READ_ONCE(wn->rx_fragments_max);
	ctx->close_timeout = READ_ONCE(wn->close_timeout);
	if (!interval)
		return 0;
	if (!ws_live(ctx, GFP_KERNEL))
		return -ENOMEM;
	ctx->live->ping_interval = interval;
	ctx->live->ping_timeout = READ_ONCE(wn->ping_timeout);
	return 0;
}

static void ctx_free(struct ws_ctx *ctx)
{
	if (ctx->live)
		mempool_free(ctx->live, live_pool);
	kmem_cache_free(ctx_cache, ctx);
}

static struct ws_ctx *ctx_new(struct sock *sk)
{
	struct ws_ctx *ctx = kmem_cache_zalloc(ctx_cache, GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return NULL;
	ctx->proto = proto_get(sk);
	if (!ctx->proto || ctx_defaults(ctx, sk)) {
		ctx_free(ctx);
		return NULL;
	}
	return ctx;
}

/*
 * Another kernel user may claim the socket with the callback lock alone, so
 * that it is known to be free only with both locks held. Return: it was.
 */
static bool publish(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	write_lock_bh(&sk->sk_callback_lock);
	if (unlikely(rcu_access_pointer(__sk_user_data(sk)))) {
		write_unlock_bh(&sk->sk_callback_lock);
		return false;
	}
	__rcu_assign_sk_user_data_with_flags(sk, ctx, SK_USER_DATA_NOCOPY);
	/* The context first: whoever sees our proto must find it. */
	smp_wmb();
	WRITE_ONCE(sk->sk_prot, &ctx->proto->dormant);
	WRITE_ONCE(sk->sk_socket->ops, &ctx->proto->dormant_ops);
	write_unlock_bh(&sk->sk_callback_lock);
	return true;
}

static int attach(struct sock *sk)
{
	struct ws_ctx *ctx;
	int err;

	err = check_socket(sk);
	if (err)
		return err;
	ctx = ctx_new(sk);
	if (!ctx)
		return -ENOMEM;
	/* __sock_release() drops the reference of ops->owner, after close. */
	__module_get(THIS_MODULE);
	if (!publish(ctx)) {
		module_put(THIS_MODULE);
		ctx_free(ctx);
		return -EBUSY;
	}
	ws_mib(ctx, WS_MIB_ATTACH, 1);
	return 0;
}

/**
 * ws_attach() - make a TCP socket ours, dormant: bytes still pass through
 * @sk: socket
 *
 * Context: process, socket lock held.
 * Return: 0; -ENOTCONN, -EPERM, -EBUSY (another kernel user owns it),
 * -EOPNOTSUPP, -ENOMEM.
 */
int ws_attach(struct sock *sk)
{
	int err;

	sock_owned_by_me(sk);
	err = attach(sk);
	/* __tcp_set_ulp() took this away before, from a refused socket too */
	if (sk->sk_socket)
		set_bit(SOCK_SUPPORT_ZC, &sk->sk_socket->flags);
	return err;
}

/**
 * ws_activate() - WS_ROLE: framing starts in both directions
 * @ctx: context of a dormant socket
 * @role: WS_SERVER or WS_CLIENT
 *
 * Context: process, socket lock held.
 * Return: 0, or a negative errno, and the socket stays dormant.
 */
int ws_activate(struct ws_ctx *ctx, int role)
{
	struct ws_proto *p = ctx->proto;
	struct sock *sk = ctx->sk;
	struct socket *sock = sk->sk_socket;

	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -ENOTCONN;
	if (sk->sk_prot != &p->dormant || sock->ops != &p->dormant_ops ||
	    !unchanged(p, sk))
		return -EBUSY;	/* somebody else hooked it meanwhile */

	ctx->tcp_seq = tcp_sk(sk)->copied_seq;
	ctx->tx_seq = tcp_sk(sk)->write_seq;
	ctx->scan.seq = ctx->tcp_seq;
	if (ctx->aux && ctx->aux->preload) {
		struct sk_buff *skb = ctx->aux->preload;

		ctx->aux->preload_end = ctx->tcp_seq;
		ctx->scan.seq -= skb->len;
		TCP_SKB_CB(skb)->seq = ctx->scan.seq;
	}
	ctx->rd.seq = ctx->scan.seq;
	ctx->pong_end = tcp_sk(sk)->snd_nxt;
	if (ws_msgq(ctx))
		ws_msgq_open(ctx);	/* its positions begin here */
	ctx->rules.masked = role == WS_SERVER;
	ctx->flags |= WS_F_ACTIVE | (role == WS_CLIENT ? WS_F_CLIENT : 0);
	ctx->last_rx = (u32)jiffies;
	WRITE_ONCE(sk->sk_rcvlowat, 1);

	write_lock_bh(&sk->sk_callback_lock);
	/* an urgent byte is a byte of the stream */
	sock_set_flag(sk, SOCK_URGINLINE);
	sk->sk_data_ready = ws_data_ready;
	sk->sk_write_space = ws_write_space;
	sk->sk_state_change = ws_state_change;
	WRITE_ONCE(sk->sk_prot, &p->active);
	WRITE_ONCE(sock->ops, &p->ops);
	write_unlock_bh(&sk->sk_callback_lock);

	ws_mib(ctx, role == WS_SERVER ? WS_MIB_CURR_SERVER :
					WS_MIB_CURR_CLIENT, 1);
	trace_ws_attach(sk, role);
	ws_timer_set(ctx);
	/* Bytes may be there already: release_sock() looks, and wakes. */
	atomic_or(WS_DEFER_RX, &ctx->deferred);
	return 0;
}

/**
 * ws_detach() - give the socket back to the lower layer
 * @ctx: context; nobody finds it any more afterwards
 *
 * Restores only what is still ours. The caller stops timer and work and then
 * calls ws_free().
 * Context: process, socket lock held.
 */
void ws_detach(struct ws_ctx *ctx)
{
	struct ws_proto *p = ctx->proto;
	struct sock *sk = ctx->sk;

	ctx->flags |= WS_F_GONE;
	ws_tx_drop(ctx);
	ws_msgq_purge(ctx);
	ws_stream_drop_preload(ctx);
	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_data_ready == ws_data_ready)
		sk->sk_data_ready = p->data_ready;
	if (sk->sk_write_space == ws_write_space)
		sk->sk_write_space = p->write_space;
	if (sk->sk_state_change == ws_state_change)
		sk->sk_state_change = p->state_change;
	if (sk->sk_prot == &p->active || sk->sk_prot == &p->dormant)
		WRITE_ONCE(sk->sk_prot, p->lower);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);

	/* The place first: who sees the counter fall may want to take it. */
	ws_linger_end(ctx);
	ws_fault_settled(ctx);
	if (ws_is(ctx, WS_F_ACTIVE))
		ws_mib(ctx, ws_is(ctx, WS_F_CLIENT) ? WS_MIB_CURR_CLIENT :
						      WS_MIB_CURR_SERVER, -1);
}

static void free_rcu(struct rcu_head *rcu)
{
	ctx_free(container_of(rcu, struct ws_ctx, rcu));
}

/**
 * ws_free() - free a detached context
 * @ctx: context; its timer and work are stopped
 *
 * Context: process. Readers under RCU (ss, poll) may still look at it.
 */
void ws_free(struct ws_ctx *ctx)
{
	if (ctx->aux)
		kfree(ctx->aux->msgq);
	kfree(ctx->aux);
	call_rcu(&ctx->rcu, free_rcu);
}

/**
 * ws_attach_init() - at load: where contexts come from
 *
 * Return: 0 or -ENOMEM.
 */
int ws_attach_init(void)
{
	BUILD_BUG_ON(sizeof(struct ws_ctx) > 256);
	ctx_cache = KMEM_CACHE(ws_ctx, SLAB_ACCOUNT);
	if (!ctx_cache)
		return -ENOMEM;
	live_cache = KMEM_CACHE(ws_live, SLAB_ACCOUNT);
	if (!live_cache)
		goto undo_ctx;
	live_pool = mempool_create_slab_pool(LIVE_RESERVE, live_cache);
	if (!live_pool)
		goto undo_live;
	return 0;

undo_live:
	kmem_cache_destroy(live_cache);
undo_ctx:
	kmem_cache_destroy(ctx_cache);
	return -ENOMEM;
}

/**
 * ws_attach_exit() - at unload: no socket refers to us any more
 */
void ws_attach_exit(void)
{
	struct ws_proto *p, *next;

	rcu_barrier();	/* free_rcu() is code of this module */
	mempool_destroy(live_pool);
	kmem_cache_destroy(live_cache);
	kmem_cache_destroy(ctx_cache);
	list_for_each_entry_safe(p, next, &protos, list)
		kfree(p);
}
