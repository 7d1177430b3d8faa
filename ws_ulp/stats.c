// SPDX-License-Identifier: GPL-2.0
/*
 * What a network namespace has of ours: its counters, and who may attach.
 */
#include <linux/capability.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "stats.h"

static_assert(IS_ENABLED(CONFIG_PROC_FS) && IS_ENABLED(CONFIG_SYSCTL));

static const char * const ws_mib_names[WS_MIB_NR] = {
	[WS_MIB_CURR_SERVER]	= "WsCurrServer",
	[WS_MIB_CURR_CLIENT]	= "WsCurrClient",
	[WS_MIB_ATTACH]		= "WsAttach",
	[WS_MIB_RX_FRAMES]	= "WsRxFrames",
	[WS_MIB_RX_BYTES]	= "WsRxBytes",
	[WS_MIB_TX_FRAMES]	= "WsTxFrames",
	[WS_MIB_TX_BYTES]	= "WsTxBytes",
	[WS_MIB_RX_MESSAGES]	= "WsRxMessages",
	[WS_MIB_TX_MESSAGES]	= "WsTxMessages",
	[WS_MIB_RX_PING]	= "WsRxPing",
	[WS_MIB_RX_PONG]	= "WsRxPong",
	[WS_MIB_TX_PING]	= "WsTxPing",
	[WS_MIB_TX_PONG]	= "WsTxPong",
	[WS_MIB_RX_CLOSE]	= "WsRxClose",
	[WS_MIB_TX_CLOSE]	= "WsTxClose",
	[WS_MIB_FAIL_PROTOCOL]	= "WsFailProtocol",
	[WS_MIB_FAIL_UTF8]	= "WsFailUtf8",
	[WS_MIB_FAIL_TOO_BIG]	= "WsFailTooBig",
	[WS_MIB_FAIL_TIMEOUT]	= "WsFailTimeout",
	[WS_MIB_ABORTED]	= "WsAborted",
	[WS_MIB_LINGER]		= "WsLinger",
	[WS_MIB_LINGER_DROP]	= "WsLingerDrop",
	[WS_MIB_TX_WAITING]	= "WsTxWaiting",
	[WS_MIB_PONG_DROPPED]	= "WsPongDropped",
};

unsigned int ws_net_id __read_mostly;
static bool all_nets_ready __read_mostly;

/*
 * A socket counted up on one CPU and down on another leaves a huge value on
 * the second: only the sum, which wraps around as they do, means something.
 */
static u64 fold(const struct ws_net *wn, enum ws_mib mib)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(wn->mibs, cpu)->v[mib]);
	return sum;
}

static int show_stat(struct seq_file *seq, void *v)
{
	const struct ws_net *wn = ws_net(seq->private);
	int i;

	for (i = 0; i < WS_MIB_NR; i++)
		seq_printf(seq, "%-32s\t%llu\n", ws_mib_names[i], fold(wn, i));
	return 0;
}

/**
 * ws_permitted() - may the current process attach in this namespace?
 * @net: network namespace of the socket
 *
 * net.ws.enabled decides: nobody, CAP_NET_ADMIN in the user namespace that
 * owns @net, everybody. Never asked again for an attached socket.
 * Context: process.
 * Return: true if it may.
 */
bool ws_permitted(const struct net *net)
{
	switch (READ_ONCE(ws_net(net)->enabled)) {
	case 0:
		return false;
	case 1:
		return ns_capable(net->user_ns, CAP_NET_ADMIN);
	default:
		return true;
	}
}

/*
 * Whose settings a namespace inherits: its creator's. At load, namespaces are
 * there whose creator is forgotten, and the current process has nothing to do
 * with them: its own namespace may have no data of ours yet.
 */
static const struct ws_net *parent_of(const struct net *net)
{
	if (net_eq(net, &init_net))
		return NULL;
	if (!READ_ONCE(all_nets_ready) || !current->nsproxy)
		return ws_net(&init_net);
	return ws_net(current->nsproxy->net_ns);
}

static int __net_init stats_net_init(struct net *net)
{
	struct ws_net *wn = ws_net(net);
	int err = -ENOMEM;

	wn->mibs = alloc_percpu(struct ws_mibs);
	if (!wn->mibs)
		return -ENOMEM;
	if (!proc_create_net_single("ws_stat", 0444, net->proc_net, show_stat,
				    NULL))
		goto free_mibs;
	err = ws_sysctl_init(net, parent_of(net));
	if (err)
		goto remove_proc;
	return 0;

remove_proc:
	remove_proc_entry("ws_stat", net->proc_net);
free_mibs:
	free_percpu(wn->mibs);
	return err;
}

static void __net_exit stats_net_exit(struct net *net)
{
	ws_sysctl_exit(net);
	remove_proc_entry("ws_stat", net->proc_net);
	free_percpu(ws_net(net)->mibs);
}

static struct pernet_operations stats_net_ops = {
	.init	= stats_net_init,
	.exit	= stats_net_exit,
	.id	= &ws_net_id,
	.size	= sizeof(struct ws_net),
};

/**
 * ws_stats_init() - at load: counters and settings for every namespace
 *
 * Before anything that can attach.
 * Return: 0, or a negative errno of the registration.
 */
int ws_stats_init(void)
{
	int err;

	err = register_pernet_subsys(&stats_net_ops);
	if (!err)
		WRITE_ONCE(all_nets_ready, true);
	return err;
}

/**
 * ws_stats_exit() - at unload: no socket counts any more
 */
void ws_stats_exit(void)
{
	unregister_pernet_subsys(&stats_net_ops);
}
