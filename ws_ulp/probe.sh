#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Usage: probe.sh INCLUDE-DIRECTORY: prints the WS_HAVE_* defines of compat.h
# that hold for the kernel headers there. No version is compared.
set -eu

inc=$1

have()
{
	if tr '\n' ' ' <"$inc/$2" 2>/dev/null | grep -Eq "$3"; then
		echo "#define WS_HAVE_$1 1"
	fi
}

have RECVMSG_ADDR_LEN net/sock.h \
	'\(\*recvmsg\)\(struct sock \*sk, struct msghdr \*msg,[[:space:]]*size_t len, int flags, int \*addr_len\)'
have ULP_NET_ADMIN net/tcp.h \
	'\(\*get_info\)\(struct sock \*sk, struct sk_buff \*skb, bool net_admin\)'
have TIMER_CONTAINER_OF linux/timer.h 'timer_container_of'
have ZEROCOPY_DEVMEM linux/skbuff.h \
	'msg_zerocopy_realloc\([^)]*bool devmem\)'
have ORPHAN_COUNT net/sock.h \
	'unsigned int __percpu[[:space:]]+\*orphan_count;'
