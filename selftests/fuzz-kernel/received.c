// SPDX-License-Identifier: GPL-2.0
/* Alone here, because glibc's header of TCP and the kernel's do not mix. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "received.h"

int received_now(int fd, uint64_t *bytes)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return -1;
	*bytes = info.tcpi_bytes_received;
	return 0;
}
