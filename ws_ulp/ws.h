/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that touch sockets share. Nothing here is seen outside of
 * the module; <linux/ws.h> is what applications see.
 *
 * Locking: unless a comment says otherwise, fields of struct ws_ctx are
 * protected by the socket lock: lock_sock() in a process, or in softirq the
 * spinlock with the socket not owned by a user. A callback that finds the
 * socket owned leaves a WS_DEFER_* bit, and ws_release_cb() acts on it.
 */
#ifndef _WS_WS_H
#define _WS_WS_H

#include <linux/bvec.h>
#include <linux/jiffies.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <uapi/linux/ws.h>

#include "compat.h"
#include "frame.h"
#include "protocol.h"
#include "stats.h"

#define WS_TX_FRAME_MAX_MIN	125
#define WS_TX_FRAME_MAX_MAX	BIT(20)
#define WS_PRELOAD_MAX		(64U << 10)
#define WS_MESSAGE_MAX_DEFAULT	(64U << 10)
#define WS_TIMEOUT_MAX		(24U * 3600 * 1000)	/* ms */

/* struct ws_ctx.flags */
enum {
	WS_F_ACTIVE	= BIT(0),	/* WS_ROLE was set */
	WS_F_CLIENT	= BIT(1),
	WS_F_CLOSE_SENT	= BIT(2),	/* our Close was accepted for sending */
	WS_F_CLOSE_RCVD	= BIT(3),
	WS_F_CLOSE_1ST	= BIT(4),	/* ours was sent before theirs came */
	WS_F_CLOSE_WANT	= BIT(5),	/* send Close as soon as possible */
	WS_F_FIN_SENT	= BIT(6),
	WS_F_FAILED	= BIT(7),	/* we failed the connection */
	WS_F_RX_END	= BIT(8),	/* nothing after scan.seq counts */
	WS_F_RX_SHUT	= BIT(9),	/* shutdown(SHUT_RD) or close() */
	WS_F_TX_SHUT	= BIT(10),	/* the application may send no more */
	WS_F_TX_OPEN	= BIT(11),	/* a message awaits its next fragment */
	WS_F_TX_BUSY	= BIT(12),	/* a blocking sender keeps others out */
	WS_F_TX_NOW	= BIT(13),	/* inside the lower sendmsg */
	WS_F_PING_WANT	= BIT(14),
	WS_F_PING_OUT	= BIT(15),	/* our ping awaits its pong */
	WS_F_DETACHED	= BIT(16),	/* close() was called, lingering */
	WS_F_GONE	= BIT(17),	/* no work and no timer any more */
	WS_F_AUTO_PONG	= BIT(18),
	WS_F_AUTO_CLOSE	= BIT(19),
	WS_F_UTF8	= BIT(20),
	WS_F_ECHO_DUE	= BIT(21),	/* Close once the reader is there */
	WS_F_ABORT	= BIT(22),	/* work: reset the connection */
	WS_F_RETRY	= BIT(23),	/* timer: memory was short */
	WS_F_TCP_GONE	= BIT(24),	/* TCP ended without Close: 1006 */
	WS_F_LINGER_CNT	= BIT(25),	/* counted in ws_net.closing */
	WS_F_EXPIRED	= BIT(26),	/* WS_CLOSE_TIMEOUT has passed */
	WS_F_BEHIND	= BIT(27),	/* the scanner: its work goes on */
	WS_F_PART_DUE	= BIT(28),	/* of a message, in WS_RX_RECORDS */
	WS_F_MAX_DEF	= BIT(29),	/* WS_RX_MESSAGE's default limit */
	WS_F_DEAD	= BIT(30),	/* WS_PING_TIMEOUT: sk_err tells it */
};

/*
 * struct ws_ctx.deferred: set by whoever finds the socket owned, with or
 * without its spinlock; taken by ws_release_cb()
 */
enum {
	WS_DEFER_RX	= BIT(0),
	WS_DEFER_TX	= BIT(1),
	WS_DEFER_STATE	= BIT(2),
	WS_DEFER_TIMER	= BIT(3),
	WS_DEFER_WORK	= BIT(4),
};

struct ws_ctx;
struct ws_msgq;

/**
 * struct ws_proto - protos derived from one lower layer, built once
 * @list: in the table of attach.c
 * @dormant: before WS_ROLE: options and close only
 * @active: after WS_ROLE
 * @dormant_ops: before WS_ROLE: those of the lower layer, owned by us
 * @ops: after WS_ROLE
 * @linger_ops: after close(), of the socket that the kernel keeps
 * @lower: what the socket ran before; all calls go through it
 * @lower_ops: likewise
 * @data_ready: the socket's callbacks before ours
 * @write_space: likewise
 * @state_change: likewise
 */
struct ws_proto {
	struct list_head	list;
	struct proto		dormant;
	struct proto		active;
	struct proto_ops	dormant_ops;
	struct proto_ops	ops;
	struct proto_ops	linger_ops;
	struct proto		*lower;
	const struct proto_ops	*lower_ops;
	void			(*data_ready)(struct sock *sk);
	void			(*write_space)(struct sock *sk);
	void			(*state_change)(struct sock *sk);
};

/**
 * struct ws_reader - where the application is in the stream
 * @left: payload bytes of the current frame after @seq; 0 = at a header
 * @seq: sequence number of the next byte
 * @key: masking key, turned to that byte
 * @avail: payload bytes found by the scanner and not read yet
 * @events: empty messages and control frames to deliver, likewise
 * @whole: messages that are there to their end, likewise
 * @utf8: state of the text check
 * @b0: first byte of the current frame
 * @msg_b0: first byte of the current message's first frame
 * @first: no payload of the message was read yet
 * @ctrl_first: likewise of the control frame
 * @open: the last frame of the message that began was not read to its end
 *
 * A copy of it is all that MSG_PEEK and a fault have to restore.
 */
struct ws_reader {
	u64	left;
	u32	seq;
	u32	key;
	u32	avail;
	u32	events;
	u32	whole;
	u16	utf8;
	u8	b0;
	u8	msg_b0;
	bool	first;
	bool	ctrl_first;
	bool	open;
};

/**
 * struct ws_scan - how far headers were parsed ahead of the reader
 * @left: payload bytes of the current frame after @seq
 * @msg: the message that the stream is in at @seq
 * @seq: sequence number of the next byte
 * @level: of ws_rx_level(): what poll() sees without the lock
 */
struct ws_scan {
	u64		left;
	struct ws_msg	msg;
	u32		seq;
	u32		level;
};

/**
 * struct ws_batch - bytes of a frame, or of several, in pages
 * @uarg: completion of MSG_ZEROCOPY, or NULL
 * @len: bytes
 * @nr: pieces in use
 * @max: room of @bv
 * @pos: first piece that was not sent
 * @bv: pieces from @pos on; a reference to each page
 */
struct ws_batch {
	struct ubuf_info	*uarg;
	u32			len;
	u32			nr;
	u32			max;
	u32			pos;
	struct bio_vec		bv[] __counted_by(max);
};

/**
 * struct ws_wait - a frame that the lower layer took in part
 * @batch: what is left, or NULL: @one is
 * @one: the rest of a frame in one piece: needs no memory when it is short
 * @len: bytes left, 0 = no frame waits
 * @charged: bytes charged to the socket
 */
struct ws_wait {
	struct ws_batch		*batch;
	struct bio_vec		one;
	u32			len;
	u32			charged;
};

/**
 * struct ws_live - timers and work, allocated on demand: an idle connection
 * without keepalive has none
 * @ctx: back
 * @timer: one for everything
 * @work: what needs a process
 * @ping_interval: WS_PING_INTERVAL, ms
 * @ping_timeout: WS_PING_TIMEOUT, ms
 * @stall_timeout: WS_RX_STALL_TIMEOUT, ms
 * @ping_at: our ping was due, or the peer took something, jiffies
 * @stall_at: 0, or a frame began, jiffies
 * @close_at: Close left, or we failed, or the echo is due, or the peer took
 *	something, jiffies
 * @mark: what the peer had taken when the timer looked last
 * @ping_us: 0, or our ping left, microseconds
 * @ping_id: payload of our last ping
 * @rtt_us: what the last pong told
 * @discarded: bytes thrown away since close()
 */
struct ws_live {
	struct ws_ctx		*ctx;
	struct timer_list	timer;
	struct work_struct	work;
	u32			ping_interval;
	u32			ping_timeout;
	u32			stall_timeout;
	u32			ping_at;
	u32			stall_at;
	u32			close_at;
	u32			mark;
	u32			ping_us;
	u32			ping_id;
	u32			rtt_us;
	u32			discarded;
};

/**
 * struct ws_aux - what few connections need, allocated on demand
 * @preload: stream bytes before TCP's own, or NULL
 * @preload_end: sequence number after them
 * @pong_len: bytes of @pong, a pong that waits to be sent; -1 = none
 * @pong: its payload
 * @tx_reason_len: bytes of @tx_reason
 * @rx_reason_len: bytes of @rx_reason
 * @tx_reason: what WS_CLOSE stored for our Close
 * @rx_reason: reason of the peer's Close
 * @msgq: what WS_RX_MESSAGE keeps, or NULL
 */
struct ws_aux {
	struct sk_buff		*preload;
	u32			preload_end;
	s16			pong_len;
	u8			pong[WS_CTRL_MAX];
	u8			tx_reason_len;
	u8			rx_reason_len;
	u8			tx_reason[WS_REASON_MAX];
	u8			rx_reason[WS_REASON_MAX];
	struct ws_msgq		*msgq;
};

/**
 * struct ws_ctx - one attached socket
 * @sk: the socket
 * @proto: what it runs, and what it ran before
 * @mibs: counters of its network namespace
 * @flags: WS_F_*
 * @deferred: WS_DEFER_*
 * @rx_mode: WS_RX_MODE
 * @tx_type: WS_OP_* of sends that name none
 * @rx_ctrl: WS_CTRL_* to deliver
 * @pong_end: sequence number after our last pong
 * @scan: the scanner
 * @rd: the reader
 * @rcu: once nothing else of it is used
 * @rules: what may arrive
 * @tcp_seq: expected copied_seq of TCP: what we have given back
 * @tx_seq: expected write_seq of TCP: what we have given it
 * @tx_frame_max: WS_TX_FRAME_MAX
 * @close_timeout: WS_CLOSE_TIMEOUT, ms
 * @last_rx: the last byte arrived, jiffies
 * @rx_err: positive errno for the reader, told once
 * @abort_err: likewise, for the work
 * @code_sent: of our Close, 0 = none
 * @code_rcvd: of the peer's, 0 = none
 * @code_next: of the Close to be sent, 0 = default
 * @wait: the frame that the lower layer did not take
 * @live: timer and work, or NULL
 * @aux: what few connections need, or NULL
 * @rx_pings: counter of WS_INFO, like all that follow
 * @rx_pongs: likewise
 * @tx_pings: likewise
 * @tx_pongs: likewise
 * @rx_bytes: likewise
 * @tx_bytes: likewise
 * @rx_frames: likewise
 * @tx_frames: likewise
 *
 * Idle connections are what servers have most of: 256 bytes is the limit.
 */
struct ws_ctx {
	struct sock		*sk;
	struct ws_proto		*proto;
	struct ws_mibs __percpu	*mibs;
	u32			flags;
	atomic_t		deferred;
	u8			rx_mode;
	u8			tx_type;
	u8			rx_ctrl;
	u32			pong_end;
	struct ws_scan		scan;
	union {
		struct ws_reader rd;
		struct rcu_head	rcu;
	};
	struct ws_rules		rules;
	u32			tcp_seq;
	u32			tx_seq;
	u32			tx_frame_max;
	u32			close_timeout;
	u32			last_rx;
	u8			rx_err;
	u8			abort_err;
	u16			code_sent;
	u16			code_rcvd;
	u16			code_next;
	struct ws_wait		wait;
	struct ws_live		*live;
	struct ws_aux		*aux;
	u32			rx_pings;
	u32			rx_pongs;
	u32			tx_pings;
	u32			tx_pongs;
	u64			rx_bytes;
	u64			tx_bytes;
	u64			rx_frames;
	u64			tx_frames;
};

/* attach.c */
struct ws_ctx *ws_ctx(const struct sock *sk);
struct ws_aux *ws_aux(struct ws_ctx *ctx, gfp_t gfp);
struct ws_live *ws_live(struct ws_ctx *ctx, gfp_t gfp);
int ws_attach(struct sock *sk);
int ws_activate(struct ws_ctx *ctx, int role);
void ws_detach(struct ws_ctx *ctx);
void ws_free(struct ws_ctx *ctx);
int ws_attach_init(void);
void ws_attach_exit(void);

/**
 * struct ws_cursor - a place in the stream
 * @skb: buffer that holds @off, or NULL at the end
 * @off: offset within @skb
 * @n: bytes at @p
 * @p: bytes at the place that lie in one piece, or NULL: to be copied out
 */
struct ws_cursor {
	struct sk_buff	*skb;
	u32		off;
	u32		n;
	const u8	*p;
};

struct ws_pass;

/* rx.c */
void ws_rx_scan(struct ws_ctx *ctx);
void ws_rx_consume(struct ws_ctx *ctx);
void ws_rx_judge(struct ws_ctx *ctx, int err);
void ws_rx_void(struct ws_ctx *ctx);
bool ws_rx_cut(const struct ws_ctx *ctx);
void ws_rx_fail(struct ws_ctx *ctx, u16 code);
void ws_rx_drain(struct ws_ctx *ctx);
void ws_rx_purge(struct ws_ctx *ctx);
u32 ws_rx_level(const struct ws_ctx *ctx);
bool ws_rx_part_due(const struct ws_ctx *ctx);

/* scan.c */
void ws_scan(struct ws_ctx *ctx, u32 end);

/* recv.c */
bool ws_rx_readable(const struct ws_ctx *ctx);
int ws_rx_inq(struct ws_ctx *ctx);
int ws_rx_set_mode(struct ws_ctx *ctx, u32 mode);
int ws_rx_set_message_max(struct ws_ctx *ctx, u32 max);
int ws_rx_set_ctrl(struct ws_ctx *ctx, u32 mask);

/* msgq.c */
int ws_msgq_open(struct ws_ctx *ctx);
void ws_msgq_purge(struct ws_ctx *ctx);
bool ws_msgq_busy(const struct ws_ctx *ctx);
void ws_msgq_frame(struct ws_ctx *ctx, const struct ws_hdr *h);
u32 ws_msgq_check(struct ws_ctx *ctx, const struct ws_cursor *at, u32 n);
bool ws_msgq_text_ends(const struct ws_ctx *ctx);
bool ws_msgq_was_read(const struct ws_ctx *ctx, u32 seq);
bool ws_msgq_gather(struct ws_ctx *ctx);
void ws_msgq_follow(struct ws_ctx *ctx);
int ws_msgq_read(struct ws_ctx *ctx, struct ws_pass *ps, int flags);
int ws_msgq_inq(struct ws_ctx *ctx);

/* unmask.c */
#define REC_ALIGN	8

int ws_copy_out(struct ws_ctx *ctx, const struct ws_cursor *cur,
		struct iov_iter *to, u32 len);
u32 ws_copy_short(struct ws_ctx *ctx, const u8 *p, u32 n, struct ws_pass *ps);
u32 ws_copy_short_records(struct ws_ctx *ctx, const u8 *p, u32 n,
			  struct ws_pass *ps);

/* capture.c */

/* What a length of seven bits can tell */
#define WS_SHORT_MAX	125

/* First byte of the frame of a message */
static inline u8 ws_txrec_b0(const struct ws_txrec *rec)
{
	return WS_B0_FIN | rec->opcode | (rec->flags & WS_RSV_MASK);
}

int ws_capture(u8 *p, struct iov_iter *from, size_t n);
u32 ws_capture_records(u8 *p, u32 *room, struct iov_iter *from,
		       const struct ws_txrec *rec, u32 nr, bool masked);

/* tx.c */
int ws_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
int ws_tx_ctrl(struct ws_ctx *ctx, u8 opcode, const u8 *p, unsigned int len);
bool ws_tx_push(struct ws_ctx *ctx);
void ws_tx_drop(struct ws_ctx *ctx);
void ws_tx_wake(struct ws_ctx *ctx);
bool ws_tx_memory_free(const struct sock *sk, int wake);

/* control.c */
void ws_ctrl_recv(struct ws_ctx *ctx, u8 opcode, const u8 *p,
		  unsigned int len, bool late);
void ws_rx_reached_end(struct ws_ctx *ctx);
bool ws_ctrl_waits(const struct ws_ctx *ctx);
void ws_tx_kick(struct ws_ctx *ctx);
void ws_timer_set(struct ws_ctx *ctx);
void ws_timer(struct timer_list *t);
void ws_closing(struct ws_ctx *ctx);
void ws_expire(struct ws_ctx *ctx);
void ws_fail(struct ws_ctx *ctx, u16 code, int err);
void ws_fault_settled(struct ws_ctx *ctx);
void ws_abort(struct ws_ctx *ctx, int err);

/* close.c */
void ws_close(struct sock *sk, long timeout);
int ws_shutdown(struct socket *sock, int how);
int ws_linger_release(struct socket *sock);
void ws_linger_end(struct ws_ctx *ctx);
bool ws_close_done(const struct ws_ctx *ctx);
void ws_work(struct work_struct *work);
bool ws_queue_work(struct ws_ctx *ctx);
int ws_close_init(void);
void ws_close_exit(void);

/* sockopt.c */
int ws_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		  unsigned int optlen);
int ws_getsockopt(struct sock *sk, int level, int optname,
		  char __user *optval, int __user *optlen);
void ws_fill_info(const struct ws_ctx *ctx, struct ws_info *info);

/* poll.c */
__poll_t ws_poll(struct file *file, struct socket *sock, poll_table *wait);
int ws_ioctl(struct sock *sk, int cmd, int *karg);
int ws_peek_len(struct socket *sock);

static inline bool ws_is(const struct ws_ctx *ctx, u32 flags)
{
	return ctx->flags & flags;
}

static inline void ws_mib(const struct ws_ctx *ctx, enum ws_mib mib, u64 n)
{
	this_cpu_add(ctx->mibs->v[mib], n);
}

static inline struct ws_msgq *ws_msgq(const struct ws_ctx *ctx)
{
	return ctx->rx_mode == WS_RX_MESSAGE ? ctx->aux->msgq : NULL;
}

/* All was read that comes before Close, a fault, or an abort. */
static inline bool ws_rx_at_end(const struct ws_ctx *ctx)
{
	if (!ws_is(ctx, WS_F_RX_END))
		return false;
	if (ws_msgq(ctx))	/* a part of a message is never read */
		return !ctx->rd.whole;
	return !ctx->rd.avail && !ctx->rd.events;
}

/* No byte will follow those that are there. */
static inline bool ws_rx_ending(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	return READ_ONCE(ctx->flags) & WS_F_RX_END || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       sk->sk_state == TCP_CLOSE;
}

#endif /* _WS_WS_H */
