// SPDX-License-Identifier: GPL-2.0
/* Module: registers the upper-layer protocol "ws" on TCP. */
#include <linux/inet_diag.h>
#include <linux/module.h>
#include <net/netlink.h>
#include <net/tcp.h>

#include "ws.h"

/* Attribute of ss in the ULP's nest: a struct ws_info. */
#define INET_ULP_INFO_WS	0x57

static int get_info(struct sock *sk, struct sk_buff *skb WS_ULP_DIAG_ARGS)
{
	const struct ws_ctx *ctx;
	struct ws_info info;
	int err = 0;

	rcu_read_lock();
	ctx = ws_ctx(sk);
	if (ctx) {
		ws_fill_info(ctx, &info);
		err = nla_put(skb, INET_ULP_INFO_WS, sizeof(info), &info);
	}
	rcu_read_unlock();
	return err;
}

static size_t get_info_size(const struct sock *sk WS_ULP_DIAG_ARGS)
{
	return nla_total_size(sizeof(struct ws_info));
}

static struct tcp_ulp_ops ws_ulp_ops __read_mostly = {
	.name		= WS_ULP_NAME,
	.owner		= THIS_MODULE,
	.init		= ws_attach,
	.get_info	= get_info,
	.get_info_size	= get_info_size,
};

static int __init ws_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(struct ws_frame) != 16);
	BUILD_BUG_ON(sizeof(struct ws_rec) != 8);
	BUILD_BUG_ON(sizeof(struct ws_txrec) != 8);
	BUILD_BUG_ON(sizeof(struct ws_close) != 128);
	BUILD_BUG_ON(sizeof(struct ws_info) != 64);

	err = ws_stats_init();
	if (err)
		return err;
	err = ws_attach_init();
	if (err)
		goto undo_stats;
	err = ws_close_init();
	if (err)
		goto undo_attach;
	err = tcp_register_ulp(&ws_ulp_ops);
	if (err)
		goto undo_close;
	return 0;

undo_close:
	ws_close_exit();
undo_attach:
	ws_attach_exit();
undo_stats:
	ws_stats_exit();
	return err;
}

static void __exit ws_exit(void)
{
	tcp_unregister_ulp(&ws_ulp_ops);
	ws_close_exit();
	ws_attach_exit();
	ws_stats_exit();
}

module_init(ws_init);
module_exit(ws_exit);

MODULE_DESCRIPTION("WebSocket framing as a TCP upper-layer protocol");
MODULE_LICENSE("GPL");
/* Inside of a kernel tree a module is of that kernel's version. */
#ifdef WS_VERSION
MODULE_VERSION(WS_VERSION);
#endif
MODULE_ALIAS_TCP_ULP("ws");
