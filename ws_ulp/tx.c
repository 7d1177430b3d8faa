// SPDX-License-Identifier: GPL-2.0
/*
 * Sending. A frame is the kernel's, whole, before its first byte leaves:
 * payload is captured first, then the header is made, and what the lower layer
 * does not take at once waits in the context. So a fault, a signal or a full
 * buffer never leaves half a frame behind.
 */
#include <linux/random.h>
#include <linux/skbuff.h>
#include <net/tcp.h>

#include "mask.h"
#include "trace.h"
#include "ws.h"

/* Frames up to this size go over the stack: two small copies, no page. */
#define SMALL	512

/* Flags of our calls: never sleep, never raise SIGPIPE in a stranger. */
#define SEND_FLAGS	(MSG_DONTWAIT | MSG_NOSIGNAL)

/**
 * struct send - what a call of sendmsg() asks for
 * @rec: messages of WS_RECORDS, or NULL
 * @nr_rec: their number
 * @b0: opcode and reserved bits
 * @typed: the caller named a type
 * @ctrl: it is a control frame
 * @begun: a fragment of this call has left
 * @busy: this call keeps other senders out
 */
struct send {
	const struct ws_txrec	*rec;
	u32			nr_rec;
	u8			b0;
	bool			typed;
	bool			ctrl;
	bool			begun;
	bool			busy;
};

static __always_inline unsigned int hdr_len(const struct ws_ctx *ctx, size_t n)
{
	return 2 + (n > 0xffff ? 8 : n > 125 ? 2 : 0) +
	       (ws_is(ctx, WS_F_CLIENT) ? 4 : 0);
}

/*
 * The lower layer's sendmsg. In softirq memory must not sleep, and the
 * running task's page fragment belongs to whatever was interrupted.
 */
static int lower_send(struct ws_ctx *ctx, struct msghdr *m, size_t len)
{
	struct sock *sk = ctx->sk;
	bool task_frag = sk->sk_use_task_frag;
	gfp_t gfp = sk->sk_allocation;
	int ret;

	if (in_softirq()) {
		sk->sk_allocation = GFP_ATOMIC | __GFP_NOWARN;
		sk->sk_use_task_frag = false;
	}
	m->msg_flags |= SEND_FLAGS;
	ctx->flags |= WS_F_TX_NOW;
	ret = tcp_sendmsg_locked(sk, m, len);
	ctx->flags &= ~WS_F_TX_NOW;
	ctx->tx_seq = tcp_sk(sk)->write_seq;
	sk->sk_allocation = gfp;
	sk->sk_use_task_frag = task_frag;
	if (unlikely(ret == -ENOMEM || ret == -ENOBUFS)) {
		/* no acknowledgement tells when there is memory again */
		ctx->flags |= WS_F_RETRY;
		ws_timer_set(ctx);
		return -EAGAIN;
	}
	return ret ? : -EAGAIN;
}

static int lower_send_pages(struct ws_ctx *ctx, const struct bio_vec *bv,
			    u32 nr, u32 len, struct ubuf_info *uarg)
{
	struct msghdr m = { .msg_ubuf = uarg };

	m.msg_flags = uarg ? MSG_ZEROCOPY : MSG_SPLICE_PAGES;
	iov_iter_bvec(&m.msg_iter, ITER_SOURCE, bv, nr, len);
	return lower_send(ctx, &m, len);
}

static void count_frames(struct ws_ctx *ctx, u32 frames)
{
	ctx->tx_frames += frames;
	ws_mib(ctx, WS_MIB_TX_FRAMES, frames);
}

static void count_data(struct ws_ctx *ctx, size_t bytes, u32 messages)
{
	ctx->tx_bytes += bytes;
	ws_mib(ctx, WS_MIB_TX_BYTES, bytes);
	if (messages)
		ws_mib(ctx, WS_MIB_TX_MESSAGES, messages);
}

static void count_frame(struct ws_ctx *ctx, u8 b0, size_t n)
{
	count_frames(ctx, 1);
	trace_ws_tx_frame(ctx->sk, b0, n);
	if (!ws_opcode_is_ctrl(b0 & WS_B0_OPCODE))
		count_data(ctx, n, !!(b0 & WS_B0_FIN));
}

static void batch_free(struct ws_batch *f)
{
	if (!f)
		return;
	for (; f->pos < f->nr; f->pos++)
		put_page(f->bv[f->pos].bv_page);
	net_zcopy_put(f->uarg);
	kfree(f);
}

static void batch_advance(struct ws_batch *f, u32 n)
{
	f->len -= n;
	while (n) {
		struct bio_vec *bv = &f->bv[f->pos];
		u32 step = min(n, bv->bv_len);

		bv->bv_offset += step;
		bv->bv_len -= step;
		n -= step;
		if (!bv->bv_len) {
			put_page(bv->bv_page);
			f->pos++;
		}
	}
}

/* The frame that waits: its memory is the socket's, and so its cgroup's. */
static void wait_begin(struct ws_ctx *ctx, u32 len)
{
	struct ws_wait *w = &ctx->wait;

	WRITE_ONCE(w->len, len);
	if (sk_wmem_schedule(ctx->sk, len)) {
		sk_mem_charge(ctx->sk, len);
		w->charged = len;
	}
	ws_mib(ctx, WS_MIB_TX_WAITING, 1);
}

static void wait_advance(struct ws_wait *w, u32 n)
{
	WRITE_ONCE(w->len, w->len - n);
	if (w->batch) {
		batch_advance(w->batch, n);
		return;
	}
	w->one.bv_offset += n;
	w->one.bv_len -= n;
}

static void wait_end(struct ws_ctx *ctx)
{
	struct ws_wait *w = &ctx->wait;

	if (w->batch)
		batch_free(w->batch);
	else if (w->one.bv_page)
		put_page(w->one.bv_page);
	if (w->charged)
		sk_mem_uncharge(ctx->sk, w->charged);
	memset(w, 0, sizeof(*w));
}

static int wait_send(struct ws_ctx *ctx)
{
	struct ws_wait *w = &ctx->wait;
	struct ws_batch *f = w->batch;

	if (!f)
		return lower_send_pages(ctx, &w->one, 1, w->len, NULL);
	return lower_send_pages(ctx, f->bv + f->pos, f->nr - f->pos, f->len,
				f->uarg);
}

/**
 * ws_tx_drop() - forget the frame that waits
 * @ctx: context
 *
 * Context: socket lock held. Only when nothing can be sent any more.
 */
void ws_tx_drop(struct ws_ctx *ctx)
{
	wait_end(ctx);
}

/**
 * ws_tx_wake() - there is room: wake whoever waits for it
 * @ctx: context
 *
 * A sender in the middle of its message makes the socket unwritable for all
 * others, so the lower layer's wake-up, which asks that, would miss him.
 * Context: socket lock held, any context.
 */
void ws_tx_wake(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	ctx->proto->write_space(sk);
	if (!sk->sk_socket)
		return;
	if (ws_is(ctx, WS_F_TX_BUSY))
		wake_up_interruptible_all(sk_sleep(sk));
	if (ws_ctrl_waits(ctx))	/* then one more call is needed */
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
}

static bool tcp_over(const struct sock *sk)
{
	return sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN ||
	       !((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT));
}

/**
 * ws_tx_push() - hand the lower layer what waits
 * @ctx: context
 *
 * Context: socket lock held, any context.
 * Return: true when nothing waits any more.
 */
bool ws_tx_push(struct ws_ctx *ctx)
{
	struct ws_wait *w = &ctx->wait;
	int ret = 0;

	if (likely(!w->len))
		return true;
	while (w->len) {
		ret = wait_send(ctx);
		if (ret < 0)
			break;
		wait_advance(w, ret);
	}
	if (ret == -EAGAIN) {
		if (tcp_rtx_and_write_queues_empty(ctx->sk)) {
			/* no acknowledgement will call us */
			ctx->flags |= WS_F_RETRY;
			ws_timer_set(ctx);
		}
		return false;
	}
	wait_end(ctx);
	if (unlikely(ret < 0 && !tcp_over(ctx->sk))) {
		/* the rest of the frame is lost, and the stream with it */
		ws_abort(ctx, ECONNABORTED);
		return false;
	}
	ws_tx_wake(ctx);
	return true;
}

static struct ws_batch *batch_new(u32 pieces)
{
	struct ws_batch *f;

	f = kmalloc(struct_size(f, bv, pieces), GFP_KERNEL_ACCOUNT);
	if (f)
		*f = (struct ws_batch){ .max = pieces };
	return f;
}

/* Consumes the batch when it was accepted: what was not sent waits. */
static int batch_send(struct ws_ctx *ctx, struct ws_batch *f)
{
	int ret = lower_send_pages(ctx, f->bv, f->nr, f->len, f->uarg);

	if (ret < 0)
		return ret;
	batch_advance(f, ret);
	if (f->len) {
		ctx->wait.batch = f;
		wait_begin(ctx, f->len);
	} else {
		batch_free(f);
	}
	return 0;
}

/* What a fresh page fragment has at least: room for any header. */
#define FRAG_MIN	32

/* Contiguous room of our own, 1 to want bytes of it. */
static void *frame_room(struct sock *sk, struct ws_batch *f, u32 *want)
{
	struct page_frag *pf = sk_page_frag(sk);
	struct bio_vec *bv = f->bv + f->nr;
	void *p;

	/* once a batch also for a page that nobody else uses any more */
	if ((!f->nr || pf->size - pf->offset < FRAG_MIN) &&
	    !sk_page_frag_refill(sk, pf))
		return NULL;
	*want = min_t(u32, *want, pf->size - pf->offset);
	p = page_address(pf->page) + pf->offset;
	if (f->nr && bv[-1].bv_page == pf->page &&
	    bv[-1].bv_offset + bv[-1].bv_len == pf->offset) {
		bv[-1].bv_len += *want;
	} else {
		if (WARN_ON_ONCE(f->nr == f->max))
			return NULL;
		get_page(pf->page);
		bvec_set_page(bv, pf->page, *want, pf->offset);
		f->nr++;
	}
	pf->offset += *want;
	f->len += *want;
	return p;
}

/* Room for a header, and for as much of n bytes of payload as there is. */
static u8 *frame_hdr_room(struct sock *sk, struct ws_batch *f, u32 hlen,
			  size_t n, u32 *got)
{
	u32 room = min_t(size_t, hlen + n, U32_MAX);
	u8 *p = frame_room(sk, f, &room);

	if (WARN_ON_ONCE(p && room < hlen))
		return NULL;
	*got = room - hlen;
	return p;
}

/* The n bytes that are left; there is room for got of them at p. */
static int frame_copy(struct sock *sk, struct ws_batch *f, u8 *p, u32 got,
		      struct iov_iter *from, size_t n)
{
	while (n) {
		int err = ws_capture(p, from, got);

		if (err)
			return err;
		n -= got;
		if (!n)
			break;
		got = n;
		p = frame_room(sk, f, &got);
		if (!p)
			return -ENOMEM;
	}
	return 0;
}

/* Mask the n bytes of payload that begin at byte off. All ours, copied. */
static void frame_mask(struct ws_batch *f, u32 off, size_t n, u32 key)
{
	struct bio_vec *bv = f->bv;

	while (n) {
		u32 step;

		if (off >= bv->bv_len) {
			off -= bv++->bv_len;
			continue;
		}
		step = min_t(size_t, n, bv->bv_len - off);
		ws_mask(page_address(bv->bv_page) + bv->bv_offset + off, step,
			key);
		key = ws_mask_turn(key, step);
		off += step;
		n -= step;
	}
}

/* Call it after the payload was captured: RFC 6455 section 10.3. */
static u32 new_key(void)
{
	return get_random_u32();
}

/* Append one frame of n bytes of payload, copied. */
static int frame_add(struct ws_ctx *ctx, struct ws_batch *f,
		     struct iov_iter *from, size_t n, u8 b0)
{
	unsigned int hlen = hdr_len(ctx, n);
	u32 start = f->len, key, got;
	u8 *hdr = frame_hdr_room(ctx->sk, f, hlen, n, &got);
	int err;

	if (!hdr)
		return -ENOMEM;
	err = frame_copy(ctx->sk, f, hdr + hlen, got, from, n);
	if (unlikely(err))
		return err;
	if (ws_is(ctx, WS_F_CLIENT)) {
		key = new_key();
		frame_mask(f, start + hlen, n, key);
		ws_hdr_build(hdr, b0, n, &key);
	} else {
		ws_hdr_build(hdr, b0, n, NULL);
	}
	return 0;
}

static int send_copied(struct ws_ctx *ctx, struct iov_iter *from, size_t n,
		       u8 b0)
{
	struct ws_batch *f = batch_new(n / PAGE_SIZE + 3);
	int err;

	if (!f)
		return -ENOMEM;
	err = frame_add(ctx, f, from, n, b0);
	if (!err)
		err = batch_send(ctx, f);
	if (err)
		batch_free(f);
	return err;
}

/* The rest of a small frame, into the page that was made sure of before. */
static void keep_small(struct ws_ctx *ctx, const u8 *p, u32 n)
{
	struct page_frag *pf = sk_page_frag(ctx->sk);
	struct ws_wait *w = &ctx->wait;

	memcpy(page_address(pf->page) + pf->offset, p, n);
	get_page(pf->page);
	bvec_set_page(&w->one, pf->page, n, pf->offset);
	pf->offset += n;
	wait_begin(ctx, n);
}

static int send_small(struct ws_ctx *ctx, struct iov_iter *from, size_t n,
		      u8 b0)
{
	unsigned int hlen = hdr_len(ctx, n);
	struct sock *sk = ctx->sk;
	struct page_frag *pf = sk_page_frag(sk);
	struct msghdr m = { };
	u8 buf[SMALL] __uninitialized;
	struct kvec kv;
	u32 key;
	int ret;

	/*
	 * TCP copies into the same page fragment, so what it does not take
	 * fits behind what it took.
	 */
	if ((!pf->page || pf->size - pf->offset < SMALL + FRAG_MIN) &&
	    !skb_page_frag_refill(SMALL + FRAG_MIN, pf, sk->sk_allocation))
		return -ENOMEM;
	ret = ws_capture(buf + hlen, from, n);
	if (ret)
		return ret;
	if (ws_is(ctx, WS_F_CLIENT)) {
		key = new_key();
		ws_mask(buf + hlen, n, key);
		ws_hdr_build(buf, b0, n, &key);
	} else {
		ws_hdr_build(buf, b0, n, NULL);
	}
	kv = (struct kvec){ buf, hlen + n };
	iov_iter_kvec(&m.msg_iter, ITER_SOURCE, &kv, 1, hlen + n);
	ret = lower_send(ctx, &m, hlen + n);
	if (ret >= 0 && ret < hlen + n)
		keep_small(ctx, buf + ret, hlen + n - ret);
	return ret < 0 ? ret : 0;
}

/*
 * Up to 16 pages of the caller's buffers, referenced. Those of a kernel's
 * buffer may be slab memory, which has no references to take: -EOPNOTSUPP.
 */
static ssize_t pin_some(struct iov_iter *from, struct page **pages, size_t n,
			u32 max, size_t *off)
{
	ssize_t got, i;

	if (user_backed_iter(from))
		return iov_iter_get_pages2(from, pages, n, max, off);
	got = iov_iter_extract_pages(from, &pages, n, max, 0, off);
	if (got <= 0)
		return got;
	max = DIV_ROUND_UP(*off + got, PAGE_SIZE);
	for (i = 0; i < max; i++)
		if (!sendpage_ok(pages[i]))
			return -EOPNOTSUPP;
	for (i = 0; i < max; i++)
		get_page(pages[i]);
	return got;
}

/* Reference the pages behind n bytes of the caller's buffers. */
static int frame_pin(struct ws_batch *f, struct iov_iter *from, size_t n)
{
	while (n) {
		struct page *pages[16], **p = pages;
		size_t off;
		ssize_t got;

		got = pin_some(from, pages, n, min_t(u32, 16, f->max - f->nr),
			       &off);
		if (got <= 0)
			return got ? got : -EFAULT;
		n -= got;
		f->len += got;
		while (got > 0) {
			u32 step = min_t(size_t, got, PAGE_SIZE - off);

			bvec_set_page(&f->bv[f->nr++], *p++, step, off);
			got -= step;
			off = 0;
		}
	}
	return 0;
}

/*
 * The caller's own pages behind a header of ours. They are pinned before the
 * header exists, so failing to pin is the call's error and nothing was sent.
 */
static int send_pinned(struct ws_ctx *ctx, struct iov_iter *from, size_t n,
		       u8 b0, struct ubuf_info *uarg)
{
	struct iov_iter saved = *from, part = *from;
	struct ws_batch *f;
	u8 *hdr;
	u32 got;
	int err;

	iov_iter_truncate(&part, n);	/* the pieces of this frame only */
	f = batch_new(iov_iter_npages(&part, INT_MAX) + 2);
	if (!f)
		return -ENOMEM;
	hdr = frame_hdr_room(ctx->sk, f, hdr_len(ctx, n), 0, &got);
	err = hdr ? frame_pin(f, from, n) : -ENOMEM;
	if (!err) {
		ws_hdr_build(hdr, b0, n, NULL);
		f->uarg = uarg;
		if (uarg)
			net_zcopy_get(uarg);
		err = batch_send(ctx, f);
	}
	if (err)
		batch_free(f);
	if (err != -EOPNOTSUPP)
		return err;
	*from = saved;
	return send_copied(ctx, from, n, b0);
}

static bool may_share(const struct ws_ctx *ctx, const struct msghdr *msg,
		      const struct ubuf_info *uarg)
{
	return !ws_is(ctx, WS_F_CLIENT) &&
	       ctx->sk->sk_route_caps & NETIF_F_SG &&
	       (uarg || msg->msg_flags & MSG_SPLICE_PAGES);
}

/* One frame, all or nothing: a failure leaves msg->msg_iter as it was. */
static int send_frame(struct ws_ctx *ctx, struct msghdr *msg, size_t n, u8 b0,
		      struct ubuf_info *uarg)
{
	struct iov_iter saved = msg->msg_iter;
	int err;

	if (n && may_share(ctx, msg, uarg))
		err = send_pinned(ctx, &msg->msg_iter, n, b0, uarg);
	else if (n <= SMALL - WS_HDR_MAX)
		err = send_small(ctx, &msg->msg_iter, n, b0);
	else
		err = send_copied(ctx, &msg->msg_iter, n, b0);
	if (err) {
		msg->msg_iter = saved;
		return err;
	}
	count_frame(ctx, b0, n);
	return 0;
}

/* Give back the last n bytes of frame_room(), unless somebody has got more. */
static void frame_room_back(struct sock *sk, struct ws_batch *f, u32 n)
{
	struct bio_vec *bv = f->bv + f->nr - 1;
	struct page_frag *pf = sk_page_frag(sk);

	if (pf->page == bv->bv_page &&
	    pf->offset == bv->bv_offset + bv->bv_len)
		pf->offset -= n;
	f->len -= n;
	bv->bv_len -= n;
	if (!bv->bv_len) {
		put_page(bv->bv_page);
		f->nr--;
	}
}

/* A key for each of the short messages whose frames begin at p */
static void mask_short(u8 *p, const struct ws_txrec *rec, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 key = new_key();

		memcpy(p + WS_HDR_MIN, &key, WS_KEY_SIZE);
		p += ws_short_hdr(true);
		ws_mask(p, rec[i].len, key);
		p += rec[i].len;
	}
}

/* As many short messages as there is room for. Return: their number. */
static u32 add_short(struct ws_ctx *ctx, struct ws_batch *f,
		     struct iov_iter *from, const struct ws_txrec *rec, u32 nr)
{
	u32 room = min_t(size_t, U32_MAX,
			 iov_iter_count(from) + (size_t)nr * WS_HDR_MAX);
	bool masked = ws_is(ctx, WS_F_CLIENT);
	u32 used;
	u8 *p;

	if (rec->len > WS_SHORT_MAX || !iov_iter_count(from) ||
	    !user_backed_iter(from))
		return 0;
	p = frame_room(ctx->sk, f, &room);
	if (!p)
		return 0;
	used = room;
	nr = ws_capture_records(p, &used, from, rec, nr, masked);
	frame_room_back(ctx->sk, f, room - used);
	if (masked)
		mask_short(p, rec, nr);
	return nr;
}

/* All messages of a batch in one go, so that they go or do not go together. */
static int send_records(struct ws_ctx *ctx, struct msghdr *msg,
			const struct send *s)
{
	struct iov_iter saved = msg->msg_iter;
	size_t sum = iov_iter_count(&saved) + s->nr_rec * WS_HDR_MAX;
	struct ws_batch *f = batch_new(sum / PAGE_SIZE * 2 + 4);
	int err = 0;
	u32 i, n;

	if (!f)
		return -ENOMEM;
	for (i = 0; !err && i < s->nr_rec; i += n) {
		const struct ws_txrec *rec = &s->rec[i];

		n = add_short(ctx, f, &msg->msg_iter, rec, s->nr_rec - i);
		if (n)
			continue;
		err = frame_add(ctx, f, &msg->msg_iter, rec->len,
				ws_txrec_b0(rec));
		n = 1;
	}
	if (!err)
		err = batch_send(ctx, f);
	if (err) {
		batch_free(f);
		msg->msg_iter = saved;
		return err;
	}
	count_frames(ctx, s->nr_rec);
	count_data(ctx, iov_iter_count(&saved) - iov_iter_count(&msg->msg_iter),
		   s->nr_rec);
	for (i = 0; trace_ws_tx_frame_enabled() && i < s->nr_rec; i++)
		trace_ws_tx_frame(ctx->sk, ws_txrec_b0(&s->rec[i]),
				  s->rec[i].len);
	return 0;
}

/**
 * ws_tx_ctrl() - send a control frame of the kernel
 * @ctx: context
 * @opcode: WS_OP_CLOSE, WS_OP_PING or WS_OP_PONG
 * @p: payload
 * @len: bytes of it, at most WS_CTRL_MAX
 *
 * Context: socket lock held, any context; not while a frame waits.
 * Return: 0 when accepted; -EAGAIN when nothing of it went anywhere.
 */
int ws_tx_ctrl(struct ws_ctx *ctx, u8 opcode, const u8 *p, unsigned int len)
{
	unsigned int hlen = hdr_len(ctx, len);
	struct ws_wait *w = &ctx->wait;
	u32 key;
	u8 *buf;
	int ret;

	if (w->len || ws_is(ctx, WS_F_TX_NOW))
		return -EAGAIN;
	buf = netdev_alloc_frag(hlen + len);
	if (!buf)
		return -EAGAIN;
	memcpy(buf + hlen, p, len);
	if (ws_is(ctx, WS_F_CLIENT)) {
		key = new_key();
		ws_mask(buf + hlen, len, key);
		ws_hdr_build(buf, WS_B0_FIN | opcode, len, &key);
	} else {
		ws_hdr_build(buf, WS_B0_FIN | opcode, len, NULL);
	}
	bvec_set_page(&w->one, virt_to_page(buf), hlen + len,
		      offset_in_page(buf));
	ret = lower_send_pages(ctx, &w->one, 1, hlen + len, NULL);
	if (ret < 0 || ret == hlen + len) {
		put_page(w->one.bv_page);
		w->one.bv_page = NULL;
	}
	if (ret < 0)
		return ret;
	if (ret < hlen + len) {
		wait_begin(ctx, hlen + len);
		wait_advance(w, ret);
	}
	count_frame(ctx, WS_B0_FIN | opcode, len);
	return 0;
}

/**
 * ws_tx_memory_free() - proto.stream_memory_free of an active socket
 * @sk: socket
 * @wake: asked by poll and by wake-ups, not by TCP's own sendmsg
 *
 * One answer for poll and send: not writable while a frame waits or a blocking
 * sender is in the middle of a message.
 *
 * Return: true if writable.
 */
bool ws_tx_memory_free(const struct sock *sk, int wake)
{
	const struct ws_ctx *ctx = ws_ctx(sk);

	/* tx_ready() was asked before the frame began */
	if (!wake)
		return true;
	if (READ_ONCE(ctx->wait.len) || READ_ONCE(ctx->flags) & WS_F_TX_BUSY)
		return false;
	return !ctx->proto->lower->stream_memory_free ||
	       ctx->proto->lower->stream_memory_free(sk, wake);
}

static bool tx_over(const struct ws_ctx *ctx)
{
	return tcp_over(ctx->sk) ||
	       ws_is(ctx, WS_F_CLOSE_SENT | WS_F_CLOSE_WANT | WS_F_TX_SHUT |
			  WS_F_ABORT);
}

static int tx_over_error(struct ws_ctx *ctx)
{
	int err = sock_error(ctx->sk);

	return err ? err : -EPIPE;
}

/* mine: this call keeps others out, and not itself. */
static bool tx_ready(const struct ws_ctx *ctx, bool mine)
{
	const struct sock *sk = ctx->sk;

	if (READ_ONCE(ctx->wait.len))
		return false;
	if (!mine && READ_ONCE(ctx->flags) & WS_F_TX_BUSY)
		return false;
	return sk_stream_wspace(sk) >= sk_stream_min_wspace(sk) &&
	       READ_ONCE(sk->sk_wmem_queued) < READ_ONCE(sk->sk_sndbuf) &&
	       (!ctx->proto->lower->stream_memory_free ||
		ctx->proto->lower->stream_memory_free(sk, 1));
}

/* Return: 0 at once, 1 after a wait, in which all may have changed; -errno. */
static int wait_ready(struct ws_ctx *ctx, long *timeo, bool mine)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;
	int err = 1;

	if (likely(tx_ready(ctx, mine)))
		return 0;
	add_wait_queue(sk_sleep(sk), &wait);
	while (!tx_over(ctx) && !tx_ready(ctx, mine)) {
		/* Whoever frees space looks at these bits: one edge. */
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		err = -EAGAIN;
		if (!*timeo)
			break;
		err = sock_intr_errno(*timeo);
		if (signal_pending(current))
			break;
		err = 1;
		sk->sk_write_pending++;
		sk_wait_event(sk, timeo, tx_over(ctx) || tx_ready(ctx, mine),
			      &wait);
		sk->sk_write_pending--;
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* Memory is short: not the caller's fault, and no edge would follow. */
static int wait_memory(struct ws_ctx *ctx, long *timeo)
{
	ctx->flags |= WS_F_RETRY;
	ws_timer_set(ctx);
	if (!*timeo) {
		set_bit(SOCK_NOSPACE, &ctx->sk->sk_socket->flags);
		return -EAGAIN;
	}
	return sk_stream_wait_memory(ctx->sk, timeo);
}

static u8 first_byte(const struct ws_ctx *ctx, const struct send *s, bool fin)
{
	u8 b0 = fin ? WS_B0_FIN : 0;

	if (s->ctrl)
		return WS_B0_FIN | s->b0;
	if (ws_is(ctx, WS_F_TX_OPEN))
		return b0 | WS_OP_CONT;
	return b0 | (s->typed ? s->b0 : ctx->tx_type);
}

/*
 * A call that begins a message of its own cannot do so in an open one. Asked
 * after each wait, because others send while the lock is dropped.
 */
static bool begins_in_open(const struct ws_ctx *ctx, const struct send *s)
{
	return ws_is(ctx, WS_F_TX_OPEN) && !s->begun &&
	       ((s->typed && !s->ctrl) || s->rec);
}

/* Wait for room and send one frame or batch; loops while memory is short. */
static int send_one(struct ws_ctx *ctx, struct msghdr *msg, size_t n, bool fin,
		    const struct send *s, struct ubuf_info *uarg, long *timeo)
{
	bool slept = false;
	int err;

	do {
		err = wait_ready(ctx, timeo, s->busy || s->ctrl);
		if (err < 0)
			return err;
		slept |= err;
		if (slept && tx_over(ctx))
			return tx_over_error(ctx);
		if (slept && begins_in_open(ctx, s))
			return -EINVAL;
		err = s->rec ? send_records(ctx, msg, s) :
			       send_frame(ctx, msg, n,
					  first_byte(ctx, s, fin), uarg);
		if (err != -ENOMEM && err != -EAGAIN)
			return err;
		err = wait_memory(ctx, timeo);
		slept = true;
	} while (!err);
	return tx_over(ctx) ? tx_over_error(ctx) : err;
}

/* As many frames as the message takes. Return: bytes in finished frames. */
static ssize_t send_message(struct ws_ctx *ctx, struct msghdr *msg,
			    size_t size, struct send *s,
			    struct ubuf_info *uarg)
{
	long timeo = sock_sndtimeo(ctx->sk, msg->msg_flags & MSG_DONTWAIT);
	size_t sent = 0;
	int err;

	do {
		size_t n = min_t(size_t, size - sent, ctx->tx_frame_max);
		bool fin = sent + n == size && !(msg->msg_flags & MSG_MORE);

		err = send_one(ctx, msg, n, fin, s, uarg, &timeo);
		if (err)
			break;
		sent = s->rec ? size : sent + n;
		if (s->ctrl || s->rec)
			break;
		if (fin)
			ctx->flags &= ~WS_F_TX_OPEN;
		else
			ctx->flags |= WS_F_TX_OPEN;
		s->begun = true;
		if (sent < size && timeo && !s->busy) {
			s->busy = true;
			ctx->flags |= WS_F_TX_BUSY;
		}
	} while (sent < size && !uarg);
	if (s->busy) {
		ctx->flags &= ~WS_F_TX_BUSY;
		ws_tx_kick(ctx);
		ws_tx_wake(ctx);
	}
	return sent || !err ? sent : err;
}

static bool type_allowed(const struct ws_ctx *ctx, u8 b0)
{
	u32 ext = READ_ONCE(ctx->rules.ext);
	u8 opcode = b0 & WS_B0_OPCODE;

	if (b0 & WS_RSV_MASK & ~ext)
		return false;
	switch (opcode) {
	case WS_OP_TEXT:
	case WS_OP_BINARY:
	case WS_OP_CLOSE:
	case WS_OP_PING:
	case WS_OP_PONG:
		return true;
	case WS_OP_CONT:
		return false;
	default:
		return ext & WS_EXT_OP(opcode);
	}
}

static int parse_type(const struct ws_ctx *ctx, struct send *s,
		      struct cmsghdr *cmsg)
{
	u32 type;

	if (cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EINVAL;
	type = *(u32 *)CMSG_DATA(cmsg);
	if (type & ~(WS_B0_OPCODE | WS_RSV_MASK) || !type_allowed(ctx, type))
		return -EINVAL;
	s->b0 = type;
	s->typed = true;
	s->ctrl = ws_opcode_is_ctrl(type & WS_B0_OPCODE);
	return 0;
}

static bool record_allowed(const struct ws_ctx *ctx, const struct ws_txrec *r)
{
	u32 rest = le32_to_cpup((const __le32 *)&r->opcode);

	/* most are: text or binary, and no more bits */
	if (rest == (WS_OP_TEXT | WS_F_FIN << 8) ||
	    rest == (WS_OP_BINARY | WS_F_FIN << 8))
		return true;
	return !r->reserved && r->flags & WS_F_FIN &&
	       !(r->flags & ~(WS_F_FIN | WS_RSV_MASK)) &&
	       r->opcode <= WS_B0_OPCODE && !ws_opcode_is_ctrl(r->opcode) &&
	       type_allowed(ctx, r->opcode | (r->flags & WS_RSV_MASK));
}

static int parse_records(const struct ws_ctx *ctx, struct send *s,
			 struct cmsghdr *cmsg, size_t size)
{
	size_t n = cmsg->cmsg_len - CMSG_LEN(0);
	u64 sum = 0;
	u32 i;

	s->rec = CMSG_DATA(cmsg);
	s->nr_rec = n / sizeof(*s->rec);
	if (!n || n % sizeof(*s->rec))
		return -EINVAL;
	for (i = 0; i < s->nr_rec; i++) {
		if (!record_allowed(ctx, &s->rec[i]))
			return -EINVAL;
		sum += s->rec[i].len;
	}
	if (sum > READ_ONCE(ctx->tx_frame_max))
		return -EMSGSIZE;
	return sum == size ? 0 : -EINVAL;
}

/* Before the lock is taken: what it asks of the context are options. */
static int parse_cmsgs(const struct ws_ctx *ctx, struct msghdr *msg,
		       size_t size, struct send *s)
{
	struct cmsghdr *cmsg;
	int err = 0;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_WS)
			continue;
		if (cmsg->cmsg_type == WS_TX_TYPE && !s->typed)
			err = parse_type(ctx, s, cmsg);
		else if (cmsg->cmsg_type == WS_RECORDS && !s->rec)
			err = parse_records(ctx, s, cmsg, size);
		else
			err = -EINVAL;
		if (err)
			return err;
	}
	if ((s->typed && s->rec) ||
	    ((s->ctrl || s->rec) && msg->msg_flags & MSG_MORE))
		return -EINVAL;
	return s->ctrl && size > WS_CTRL_MAX ? -EMSGSIZE : 0;
}

/* Of a batch, too, there is one notification, and all of it is copied. */
static struct ubuf_info *get_uarg(struct ws_ctx *ctx, struct msghdr *msg,
				  size_t size, bool batch)
{
	struct sock *sk = ctx->sk;
	struct ubuf_info *uarg;

	if (!(msg->msg_flags & MSG_ZEROCOPY) || !size)
		return NULL;
	if (msg->msg_ubuf) {
		net_zcopy_get(msg->msg_ubuf);
		return msg->msg_ubuf;
	}
	if (!sock_flag(sk, SOCK_ZEROCOPY))
		return NULL;
	uarg = ws_zerocopy_alloc(sk, min_t(size_t, size, ctx->tx_frame_max));
	if (!uarg)
		return ERR_PTR(-ENOBUFS);
	if (batch || !may_share(ctx, msg, uarg))
		uarg_to_msgzc(uarg)->zerocopy = 0;	/* copied: says so */
	return uarg;
}

static ssize_t send_locked(struct ws_ctx *ctx, struct msghdr *msg,
			   size_t size, struct send *s)
{
	struct ubuf_info *uarg;
	ssize_t ret;

	if (tx_over(ctx))
		return tx_over_error(ctx);
	if (!ws_is(ctx, WS_F_TX_BUSY) && begins_in_open(ctx, s))
		return -EINVAL;
	uarg = get_uarg(ctx, msg, size, s->rec);
	if (IS_ERR(uarg))
		return PTR_ERR(uarg);
	ret = send_message(ctx, msg, size, s, uarg);
	if (uarg && ret < 0 && !msg->msg_ubuf)
		net_zcopy_put_abort(uarg, true);
	else
		net_zcopy_put(uarg);
	return ret;
}

/* Close from the application: the handshake begins, or is answered. */
static int send_close(struct ws_ctx *ctx, const u8 *body, size_t size)
{
	struct ws_aux *aux;
	u16 code;

	if (tx_over(ctx))
		return tx_over_error(ctx);
	if (ws_close_parse(body, size, &code))
		return -EINVAL;
	aux = ws_aux(ctx, GFP_KERNEL);
	if (!aux)
		return -ENOMEM;
	if (!ws_is(ctx, WS_F_FAILED)) {	/* else with the code of the fault */
		ctx->code_next = code;
		aux->tx_reason_len = size > 2 ? size - 2 : 0;
		memcpy(aux->tx_reason, body + 2, aux->tx_reason_len);
	}
	ctx->flags |= WS_F_CLOSE_WANT;
	ws_tx_kick(ctx);
	ctx->proto->state_change(ctx->sk);	/* other senders get EPIPE */
	return size;
}

/* The copy may take any time, so the lock is not held over it. */
static noinline int copy_close(struct ws_ctx *ctx, struct msghdr *msg,
			       size_t size)
{
	u8 body[WS_CTRL_MAX];
	int ret;

	if (copy_from_iter(body, size, &msg->msg_iter) != size)
		return -EFAULT;
	lock_sock(ctx->sk);
	ret = send_close(ctx, body, size);
	release_sock(ctx->sk);
	return ret;
}

/**
 * ws_sendmsg() - proto.sendmsg of an active socket
 * @sk: socket
 * @msg: payload and control messages
 * @size: bytes of payload
 *
 * Return: bytes in finished frames, or a negative errno when there are none.
 */
int ws_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	struct send s = { };
	ssize_t ret;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	ret = parse_cmsgs(ctx, msg, size, &s);
	if (ret)
		return ret;
	if (s.ctrl && (s.b0 & WS_B0_OPCODE) == WS_OP_CLOSE) {
		ret = copy_close(ctx, msg, size);
	} else {
		lock_sock(sk);
		ret = send_locked(ctx, msg, size, &s);
		release_sock(sk);
	}
	if (ret == -EPIPE && !(msg->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return ret;
}
