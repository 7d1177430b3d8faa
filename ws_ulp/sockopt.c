// SPDX-License-Identifier: GPL-2.0
/* Options of level SOL_WS; all other levels go to the lower layer. */
#include <linux/nospec.h>
#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <net/tcp.h>

#include "stream.h"
#include "utf8.h"
#include "ws.h"

/**
 * struct option - an option that is a bounded int in the context
 * @offset: of the u32 in struct ws_ctx
 * @min: least value
 * @max: greatest value
 */
struct option {
	u16	offset;
	u32	min;
	u32	max;
};

#define CTX(field)	offsetof(struct ws_ctx, field)

static const struct option options[] = {
	[WS_TX_FRAME_MAX] = { CTX(tx_frame_max), WS_TX_FRAME_MAX_MIN,
			      WS_TX_FRAME_MAX_MAX },
	[WS_RX_FRAME_MAX] = { CTX(rules.frame_max), 0, INT_MAX },
	[WS_RX_FRAGMENTS_MAX] = { CTX(rules.fragments_max), 0, INT_MAX },
	[WS_CLOSE_TIMEOUT] = { CTX(close_timeout), 1, WS_TIMEOUT_MAX },
};

/* NULL: it is no bounded int. The number is the caller's, hence nospec. */
static const struct option *find_option(int optname)
{
	u32 i = optname;

	if (i >= ARRAY_SIZE(options))
		return NULL;
	i = array_index_nospec(i, ARRAY_SIZE(options));
	return options[i].offset ? &options[i] : NULL;
}

static u32 *option_field(struct ws_ctx *ctx, const struct option *o)
{
	return (void *)ctx + o->offset;
}

/* Those of struct ws_live; 0 where there is none. */
static u32 *live_field(struct ws_live *live, int optname)
{
	switch (optname) {
	case WS_PING_INTERVAL:
		return &live->ping_interval;
	case WS_PING_TIMEOUT:
		return &live->ping_timeout;
	case WS_RX_STALL_TIMEOUT:
		return &live->stall_timeout;
	default:
		return NULL;
	}
}

static int set_live(struct ws_ctx *ctx, int optname, u32 val)
{
	if (val > WS_TIMEOUT_MAX)
		return -EINVAL;
	if (!val && !ctx->live)
		return 0;
	if (!ws_live(ctx, GFP_KERNEL))
		return -ENOMEM;
	*live_field(ctx->live, optname) = val;
	ws_timer_set(ctx);
	/* release_sock() sees whether a frame has begun already */
	if (ws_is(ctx, WS_F_ACTIVE))
		atomic_or(WS_DEFER_RX, &ctx->deferred);
	return 0;
}

static u32 switch_flag(int optname)
{
	switch (optname) {
	case WS_UTF8:
		return WS_F_UTF8;
	case WS_AUTO_PONG:
		return WS_F_AUTO_PONG;
	case WS_AUTO_CLOSE:
		return WS_F_AUTO_CLOSE;
	default:
		return 0;
	}
}

static int set_role(struct ws_ctx *ctx, u32 val)
{
	if (val != WS_SERVER && val != WS_CLIENT)
		return -EINVAL;
	if (ws_is(ctx, WS_F_ACTIVE))
		return -EALREADY;
	return ws_activate(ctx, val);
}

static int set_type(struct ws_ctx *ctx, u32 val)
{
	if (val != WS_OP_TEXT && val != WS_OP_BINARY)
		return -EINVAL;
	ctx->tx_type = val;
	return 0;
}

/* Opcodes 3 to 7 and 11 to 15 are the reserved ones. */
#define EXT_OPS	(0xf8u << 8 | 0xf8u << 16)

static int set_ext(struct ws_ctx *ctx, u32 val)
{
	if (val & ~(WS_RSV_MASK | EXT_OPS))
		return -EINVAL;
	WRITE_ONCE(ctx->rules.ext, val);
	return 0;
}

static int set_int(struct ws_ctx *ctx, int optname, u32 val)
{
	const struct option *o = find_option(optname);
	u32 flag = switch_flag(optname);

	if (o) {
		if (val < o->min || val > o->max)
			return -EINVAL;
		WRITE_ONCE(*option_field(ctx, o), val);
		return 0;
	}
	if (flag) {
		if (val > 1)
			return -EINVAL;
		ctx->flags = val ? ctx->flags | flag : ctx->flags & ~flag;
		return 0;
	}
	switch (optname) {
	case WS_ROLE:
		return set_role(ctx, val);
	case WS_TX_TYPE:
		return set_type(ctx, val);
	case WS_RX_MODE:
		return ws_rx_set_mode(ctx, val);
	case WS_RX_MESSAGE_MAX:
		return ws_rx_set_message_max(ctx, val);
	case WS_RX_CTRL:
		return ws_rx_set_ctrl(ctx, val);
	case WS_EXT:
		return set_ext(ctx, val);
	case WS_PING_INTERVAL:
	case WS_PING_TIMEOUT:
	case WS_RX_STALL_TIMEOUT:
		return set_live(ctx, optname, val);
	default:
		return -ENOPROTOOPT;
	}
}

static int check_close(const struct ws_close *c, unsigned int optlen)
{
	u16 utf8 = WS_UTF8_OK;

	if (c->len > WS_REASON_MAX ||
	    optlen < offsetof(struct ws_close, reason) + c->len || c->by)
		return -EINVAL;
	if (!ws_close_code_valid(c->code) ||
	    ws_utf8_check(&utf8, c->reason, c->len) != c->len ||
	    utf8 != WS_UTF8_OK)
		return -EINVAL;
	return 0;
}

static int set_close(struct ws_ctx *ctx, const struct ws_close *c)
{
	struct ws_aux *aux;

	if (ws_is(ctx, WS_F_CLOSE_SENT | WS_F_CLOSE_WANT | WS_F_FAILED))
		return -EALREADY;
	aux = ws_aux(ctx, GFP_KERNEL);
	if (!aux)
		return -ENOMEM;
	ctx->code_next = c->code;
	aux->tx_reason_len = c->len;
	memcpy(aux->tx_reason, c->reason, c->len);
	return 0;
}

/*
 * struct request - value of an option, copied from the caller's memory before
 * the socket lock is taken: a program may make the copy last as long as it
 * likes.
 */
struct request {
	union {
		u32		val;
		struct ws_close	close;
	};
	void	*preload;
};

static int copy_close(struct ws_close *c, sockptr_t optval,
		      unsigned int optlen)
{
	if (optlen < offsetof(struct ws_close, reason) || optlen > sizeof(*c))
		return -EINVAL;
	if (copy_from_sockptr(c, optval, optlen))
		return -EFAULT;
	return check_close(c, optlen);
}

static int copy_preload(void **copy, sockptr_t optval, unsigned int optlen)
{
	if (optlen > WS_PRELOAD_MAX)
		return -EMSGSIZE;
	if (!optlen)
		return 0;
	*copy = memdup_sockptr(optval, optlen);
	return PTR_ERR_OR_ZERO(*copy);
}

static int copy_request(struct request *req, int optname, sockptr_t optval,
			unsigned int optlen)
{
	switch (optname) {
	case WS_RX_PRELOAD:
		return copy_preload(&req->preload, optval, optlen);
	case WS_CLOSE:
		return copy_close(&req->close, optval, optlen);
	case WS_INFO:
		return -ENOPROTOOPT;
	}
	if (optlen < sizeof(req->val))
		return -EINVAL;
	if (copy_from_sockptr(&req->val, optval, sizeof(req->val)))
		return -EFAULT;
	return 0;
}

static int set_option(struct ws_ctx *ctx, int optname,
		      const struct request *req, unsigned int optlen)
{
	switch (optname) {
	case WS_RX_PRELOAD:
		if (ws_is(ctx, WS_F_ACTIVE))
			return -EALREADY;
		return ws_stream_preload(ctx, req->preload, optlen);
	case WS_CLOSE:
		return set_close(ctx, &req->close);
	default:
		return set_int(ctx, optname, req->val);
	}
}

/**
 * ws_setsockopt() - proto.setsockopt of an attached socket
 * @sk: socket
 * @level: SOL_WS, or any other
 * @optname: option
 * @optval: value
 * @optlen: bytes of it
 *
 * Return: 0, or a negative errno.
 */
int ws_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		  unsigned int optlen)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	struct request req = { };
	int err;

	if (level == SOL_TCP && optname == TCP_REPAIR)
		return -EOPNOTSUPP;
	if (level != SOL_WS)
		return ctx->proto->lower->setsockopt(sk, level, optname,
						     optval, optlen);
	err = copy_request(&req, optname, optval, optlen);
	if (err)
		return err;
	lock_sock(sk);
	err = set_option(ctx, optname, &req, optlen);
	release_sock(sk);
	kfree(req.preload);
	return err;
}

static u8 info_state(const struct ws_ctx *ctx)
{
	if (!ws_is(ctx, WS_F_ACTIVE))
		return WS_STATE_DORMANT;
	if (ctx->sk->sk_state == TCP_CLOSE ||
	    (ws_is(ctx, WS_F_FAILED) && !ws_is(ctx, WS_F_ECHO_DUE)) ||
	    (ws_is(ctx, WS_F_CLOSE_SENT) && ws_is(ctx, WS_F_CLOSE_RCVD)))
		return WS_STATE_CLOSED;
	if (ws_is(ctx, WS_F_CLOSE_SENT | WS_F_CLOSE_WANT | WS_F_CLOSE_RCVD |
		       WS_F_FAILED))
		return WS_STATE_CLOSING;
	return WS_STATE_OPEN;
}

static u8 info_flags(const struct ws_ctx *ctx)
{
	static const struct { u32 flag; u8 info; } map[] = {
		{ WS_F_CLOSE_SENT, WS_INFO_CLOSE_SENT },
		{ WS_F_CLOSE_RCVD, WS_INFO_CLOSE_RCVD },
		{ WS_F_CLOSE_1ST, WS_INFO_LOCAL_FIRST },
		{ WS_F_FAILED, WS_INFO_FAILED },
		{ WS_F_TX_OPEN, WS_INFO_TX_OPEN },
	};
	u8 flags = ctx->wait.len ? WS_INFO_TX_WAITING : 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (ws_is(ctx, map[i].flag))
			flags |= map[i].info;
	return flags;
}

/**
 * ws_fill_info() - what WS_INFO and ss tell
 * @ctx: context
 * @info: filled, padding included
 *
 * Context: any; without the socket lock single fields may be old.
 */
void ws_fill_info(const struct ws_ctx *ctx, struct ws_info *info)
{
	const struct ws_live *live;

	memset(info, 0, sizeof(*info));
	info->state = info_state(ctx);
	if (ws_is(ctx, WS_F_ACTIVE))
		info->role = ws_is(ctx, WS_F_CLIENT) ? WS_CLIENT : WS_SERVER;
	info->rx_mode = ctx->rx_mode;
	info->flags = info_flags(ctx);
	info->close_code_sent = ctx->code_sent;
	info->close_code_rcvd = ctx->code_rcvd;
	live = READ_ONCE(ctx->live);
	info->rtt_us = live ? live->rtt_us : 0;
	info->rx_bytes = ctx->rx_bytes;
	info->tx_bytes = ctx->tx_bytes;
	info->rx_frames = ctx->rx_frames;
	info->tx_frames = ctx->tx_frames;
	info->rx_pings = ctx->rx_pings;
	info->rx_pongs = ctx->rx_pongs;
	info->tx_pings = ctx->tx_pings;
	info->tx_pongs = ctx->tx_pongs;
}

/* RFC 6455 section 7.1.5: the code of the Close that was received, or 1006. */
static void get_close(const struct ws_ctx *ctx, struct ws_close *c)
{
	bool ended = ctx->sk->sk_state == TCP_CLOSE ||
		     ctx->sk->sk_shutdown & RCV_SHUTDOWN;

	memset(c, 0, sizeof(*c));
	if (ws_is(ctx, WS_F_CLOSE_RCVD)) {
		c->code = ctx->code_rcvd;
		c->by = ws_is(ctx, WS_F_CLOSE_1ST) ? WS_CLOSE_BY_LOCAL :
						     WS_CLOSE_BY_PEER;
		if (ctx->aux) {
			c->len = ctx->aux->rx_reason_len;
			memcpy(c->reason, ctx->aux->rx_reason, c->len);
		}
	} else if (ws_is(ctx, WS_F_FAILED)) {
		c->code = ws_is(ctx, WS_F_ABORT) || !ctx->code_next ?
			  WS_CODE_ABNORMAL : ctx->code_next;
		c->by = WS_CLOSE_BY_LOCAL;
	} else if (ended && ws_is(ctx, WS_F_ACTIVE)) {
		c->code = WS_CODE_ABNORMAL;
		c->by = WS_CLOSE_BY_PEER;
	} else if (ws_is(ctx, WS_F_CLOSE_SENT)) {
		c->by = WS_CLOSE_BY_LOCAL;
	}
}

static int get_int(struct ws_ctx *ctx, int optname)
{
	const struct option *o = find_option(optname);
	u32 flag = switch_flag(optname);

	if (o)
		return *option_field(ctx, o);
	if (flag)
		return ws_is(ctx, flag);
	switch (optname) {
	case WS_ROLE:
		if (!ws_is(ctx, WS_F_ACTIVE))
			return 0;
		return ws_is(ctx, WS_F_CLIENT) ? WS_CLIENT : WS_SERVER;
	case WS_TX_TYPE:
		return ctx->tx_type;
	case WS_RX_MODE:
		return ctx->rx_mode;
	case WS_RX_MESSAGE_MAX:
		return ctx->rules.message_max;
	case WS_RX_CTRL:
		return ctx->rx_ctrl;
	case WS_EXT:
		return ctx->rules.ext;
	case WS_PING_INTERVAL:
	case WS_PING_TIMEOUT:
	case WS_RX_STALL_TIMEOUT:
		return ctx->live ? *live_field(ctx->live, optname) : 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* Into a buffer of ours under the lock; to the user, who may fault, after. */
union value {
	struct ws_info	info;
	struct ws_close	close;
	int		val;
};

static int read_option(struct ws_ctx *ctx, int optname, union value *v)
{
	switch (optname) {
	case WS_INFO:
		ws_fill_info(ctx, &v->info);
		return sizeof(v->info);
	case WS_CLOSE:
		get_close(ctx, &v->close);
		return sizeof(v->close);
	default:
		v->val = get_int(ctx, optname);
		return v->val < 0 ? v->val : sizeof(v->val);
	}
}

/**
 * ws_getsockopt() - proto.getsockopt of an attached socket
 * @sk: socket
 * @level: SOL_WS, or any other
 * @optname: option
 * @optval: where to
 * @optlen: room; set to what was written
 *
 * Return: 0, or a negative errno.
 */
int ws_getsockopt(struct sock *sk, int level, int optname,
		  char __user *optval, int __user *optlen)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	union value v;
	int len, size;

	if (level == SOL_TCP && optname == TCP_ZEROCOPY_RECEIVE &&
	    ws_is(ctx, WS_F_ACTIVE))
		return -EOPNOTSUPP;
	if (level != SOL_WS)
		return ctx->proto->lower->getsockopt(sk, level, optname,
						     optval, optlen);
	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	lock_sock(sk);
	size = read_option(ctx, optname, &v);
	release_sock(sk);
	if (size < 0)
		return size;
	len = min(len, size);
	if (put_user(len, optlen) || copy_to_user(optval, &v, len))
		return -EFAULT;
	return 0;
}
