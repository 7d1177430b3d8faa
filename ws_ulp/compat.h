/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only file that knows how kernels differ. Everything else uses the newer
 * spelling, so that deleting this file ends the compatibility. The WS_HAVE_*
 * names come from probe.sh, which looks into the kernel's own headers: a
 * version number says little about a distribution's kernel.
 */
#ifndef _WS_COMPAT_H
#define _WS_COMPAT_H

#include <linux/timer.h>
#include <net/inet_common.h>
#include <net/sock.h>

#ifndef WS_HAVE_TIMER_CONTAINER_OF
#define timer_container_of(var, timer, field)	from_timer(var, timer, field)
#endif

/* proto.recvmsg lost its addr_len, which only the error queue needs. */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags);

#ifdef WS_HAVE_RECVMSG_ADDR_LEN
static inline int ws_proto_recvmsg(struct sock *sk, struct msghdr *msg,
				   size_t len, int flags, int *addr_len)
{
	if (unlikely(flags & MSG_ERRQUEUE))
		return inet_recv_error(sk, msg, len, addr_len);
	return ws_recvmsg(sk, msg, len, flags);
}
#else
static inline int ws_proto_recvmsg(struct sock *sk, struct msghdr *msg,
				   size_t len, int flags)
{
	if (unlikely(flags & MSG_ERRQUEUE))
		return inet_recv_error(sk, msg, len);
	return ws_recvmsg(sk, msg, len, flags);
}
#endif

/* ULP diagnostics learnt whether the reader is an administrator. */
#ifdef WS_HAVE_ULP_NET_ADMIN
#define WS_ULP_DIAG_ARGS	, bool net_admin
#else
#define WS_ULP_DIAG_ARGS
#endif

/* Device memory came as another way to zero copy. */
#ifdef WS_HAVE_ZEROCOPY_DEVMEM
#define ws_zerocopy_alloc(sk, size) msg_zerocopy_realloc(sk, size, NULL, false)
#else
#define ws_zerocopy_alloc(sk, size) msg_zerocopy_realloc(sk, size, NULL)
#endif

/* How many orphans TCP has is something that newer kernels keep to it. */
static inline void ws_orphans_add(const struct proto *lower, int n)
{
#ifdef WS_HAVE_ORPHAN_COUNT
	if (lower->orphan_count)
		this_cpu_add(*lower->orphan_count, n);
#endif
}

#endif /* _WS_COMPAT_H */
