// SPDX-License-Identifier: BSD-2-Clause
/* Handing a connection to the kernel's framing. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <linux/ws.h>

#include "internal.h"

#define NO_MODULE							\
	"this kernel has no WebSocket support: run 'modprobe ws_ulp' as root"

/* A kernel that does not know the option at all has no ws_ulp either. */
static int attach_error(int err)
{
	return err == ENOPROTOOPT ? -ENOENT : -err;
}

/* A process may come back to what it, or another one, left dormant. */
static bool is_dormant(int fd)
{
	struct ws_info info = {};
	socklen_t len = sizeof(info);

	return !getsockopt(fd, SOL_WS, WS_INFO, &info, &len) &&
	       info.state == WS_STATE_DORMANT;
}

int wsup_attach_dormant(int fd)
{
	if (!setsockopt(fd, IPPROTO_TCP, TCP_ULP, WS_ULP_NAME,
			sizeof(WS_ULP_NAME)))
		return 0;
	if (errno == EEXIST && is_dormant(fd))
		return 0;
	return attach_error(errno);
}

/**
 * attach_role() - start framing
 * @fd: dormant
 * @role: WS_SERVER or WS_CLIENT
 *
 * Return: 0 or -errno.
 */
int attach_role(int fd, int role)
{
	return setsockopt(fd, SOL_WS, WS_ROLE, &role, sizeof(role)) ? -errno
								    : 0;
}

int wsup_attach(int fd, int role, const void *early, size_t len)
{
	int err = wsup_attach_dormant(fd);

	if (err)
		return err;
	if (len > 65536)
		return -EINVAL;
	if (len && setsockopt(fd, SOL_WS, WS_RX_PRELOAD, early,
			      (socklen_t)len))
		return -errno;
	return attach_role(fd, role);
}

const char *wsup_attach_strerror(int error)
{
	switch (error) {
	case -ENOENT:
		return NO_MODULE;
	case -EPERM:
		return "not permitted here: see the sysctl net.ws.enabled";
	case -ENOTCONN:
		return "not a connected socket";
	case -EEXIST:
		return "the socket has another upper-layer protocol already";
	case -EBUSY:
		return "something else in the kernel uses this socket";
	case -EOPNOTSUPP:
		return "not a socket of a kind that can carry WebSocket frames";
	}
	return wsup_strerror(error);
}
