/* SPDX-License-Identifier: GPL-2.0 */
/* Counters, settings and limits of a network namespace. */
#ifndef _WS_STATS_H
#define _WS_STATS_H

#include <linux/atomic.h>
#include <linux/percpu.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

struct ctl_table_header;

/* Order and names: ws_mib_names[] in stats.c. Append only. */
enum ws_mib {
	WS_MIB_CURR_SERVER,
	WS_MIB_CURR_CLIENT,
	WS_MIB_ATTACH,
	WS_MIB_RX_FRAMES,
	WS_MIB_RX_BYTES,
	WS_MIB_TX_FRAMES,
	WS_MIB_TX_BYTES,
	WS_MIB_RX_MESSAGES,
	WS_MIB_TX_MESSAGES,
	WS_MIB_RX_PING,
	WS_MIB_RX_PONG,
	WS_MIB_TX_PING,
	WS_MIB_TX_PONG,
	WS_MIB_RX_CLOSE,
	WS_MIB_TX_CLOSE,
	WS_MIB_FAIL_PROTOCOL,
	WS_MIB_FAIL_UTF8,
	WS_MIB_FAIL_TOO_BIG,
	WS_MIB_FAIL_TIMEOUT,
	WS_MIB_ABORTED,
	WS_MIB_LINGER,
	WS_MIB_LINGER_DROP,
	WS_MIB_TX_WAITING,
	WS_MIB_PONG_DROPPED,
	WS_MIB_NR
};

struct ws_mibs {
	u64	v[WS_MIB_NR];
};

/**
 * struct ws_net - what belongs to one network namespace
 * @mibs: counters of /proc/net/ws_stat
 * @closing: sockets that linger after close()
 * @enabled: sysctl: who may attach: 0 nobody, 1 CAP_NET_ADMIN, 2 all
 * @enabled_max: limit of @enabled: what was inherited, or the compiled-in one
 * @closing_max: sysctl: limit of @closing
 * @closing_max_max: limit of @closing_max, likewise
 * @close_discard: sysctl: bytes thrown away after close(), per socket
 * @close_discard_max: limit of @close_discard, likewise
 * @close_timeout: sysctl: default of WS_CLOSE_TIMEOUT, ms
 * @close_timeout_max: sysctl: limit of WS_CLOSE_TIMEOUT, ms
 * @close_timeout_max_max: limit of @close_timeout_max, likewise
 * @ping_interval: sysctl: default of WS_PING_INTERVAL, ms
 * @ping_timeout: sysctl: default of WS_PING_TIMEOUT, ms
 * @rx_frame_max: sysctl: default of WS_RX_FRAME_MAX, bytes
 * @rx_message_max: sysctl: default of WS_RX_MESSAGE_MAX, bytes
 * @rx_fragments_max: sysctl: default of WS_RX_FRAGMENTS_MAX
 * @sysctl: handle of the registered table
 *
 * A sysctl may change at any time: read it with READ_ONCE(). The *_max are
 * constant.
 */
struct ws_net {
	struct ws_mibs __percpu	*mibs;
	atomic_t		closing;
	int			enabled;
	int			enabled_max;
	int			closing_max;
	int			closing_max_max;
	int			close_discard;
	int			close_discard_max;
	int			close_timeout;
	int			close_timeout_max;
	int			close_timeout_max_max;
	int			ping_interval;
	int			ping_timeout;
	int			rx_frame_max;
	int			rx_message_max;
	int			rx_fragments_max;
	struct ctl_table_header	*sysctl;
};

extern unsigned int ws_net_id;

static inline struct ws_net *ws_net(const struct net *net)
{
	return net_generic(net, ws_net_id);
}

/* Any context: this_cpu_add() is safe against softirq and preemption. */
static inline void ws_count(const struct net *net, enum ws_mib mib, u64 n)
{
	this_cpu_add(ws_net(net)->mibs->v[mib], n);
}

/* stats.c */
bool ws_permitted(const struct net *net);
int ws_stats_init(void);
void ws_stats_exit(void);

/* sysctl.c */
int ws_sysctl_init(struct net *net, const struct ws_net *parent);
void ws_sysctl_exit(struct net *net);

#endif /* _WS_STATS_H */
