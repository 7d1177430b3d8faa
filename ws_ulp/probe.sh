#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Usage: probe.sh INCLUDE-DIRECTORY: prints the WS_HAVE_* defines of compat.h
# that hold for the kernel headers there. No version is compared. Headers that
# look like neither kernel that compat.h knows are an error: the older branch
# might compile with them and be wrong.
set -eu

inc=$1

# either NAME FILE HAS LACKS: WS_HAVE_NAME is defined where FILE has the first of
# the patterns, and not where it has the second.
either()
{
	if text=$(tr -s '[:space:]' ' ' <"$inc/$2") 2>/dev/null; then
		if echo "$text" | grep -Eq "$3"; then
			echo "#define WS_HAVE_$1 1"
			return
		elif echo "$text" | grep -Eq "$4"; then
			return
		fi
	fi
	echo "ws_ulp/probe.sh: $inc/$2 has nothing that is known of" \
		"WS_HAVE_$1: this kernel needs a look at ws_ulp/compat.h" >&2
	exit 1
}

recvmsg='\(\*recvmsg\)\(struct sock \*sk, struct msghdr \*msg, size_t len, int flags'
either RECVMSG_ADDR_LEN net/sock.h "$recvmsg, int \\*addr_len\\)" "$recvmsg\\)"

get_info='\(\*get_info\)\(struct sock \*sk, struct sk_buff \*skb'
either ULP_NET_ADMIN net/tcp.h "$get_info, bool net_admin\\)" "$get_info\\)"

either TIMER_CONTAINER_OF linux/timer.h \
	'define timer_container_of\(' 'define from_timer\('

either ZEROCOPY_DEVMEM linux/skbuff.h \
	'msg_zerocopy_realloc\([^)]*bool devmem\)' \
	'msg_zerocopy_realloc\([^)]*struct ubuf_info \*uarg\)'

# The member stood between these two.
either ORPHAN_COUNT net/sock.h \
	'unsigned int __percpu \*orphan_count;' \
	'usersize; (/\*[^*]*\*/ )?struct request_sock_ops \*rsk_prot;'
