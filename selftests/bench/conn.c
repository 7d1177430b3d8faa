// SPDX-License-Identifier: GPL-2.0
/* Connections over loopback. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "bench.h"

int listen_any(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 4096))
		die("listen");
	return fd;
}

void set_int(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static int connect_to(int listener)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (getsockname(listener, (struct sockaddr *)&addr, &len))
		die("getsockname");
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, len))
		die("connect");
	return fd;
}

/* One listener for all; it stays. */
void pair_open(struct pair *p)
{
	static int listener;

	if (!listener)
		listener = listen_any();
	p->peer = connect_to(listener);
	p->app = accept(listener, NULL, NULL);
	if (p->app < 0)
		die("accept");
	set_int(p->peer, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(p->app, IPPROTO_TCP, TCP_NODELAY, 1);
}

/*
 * The peer resets, so that no Close is on the way when the counters are
 * compared, nor a socket in TIME_WAIT when memory is.
 */
void pair_close(struct pair *p)
{
	struct linger reset = { .l_onoff = 1 };

	if (setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("SO_LINGER");
	close(p->peer);
	close(p->app);
}

void attach(int fd, int role)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, WS_ULP_NAME,
		       sizeof(WS_ULP_NAME)))
		die("TCP_ULP");
	set_int(fd, SOL_WS, WS_ROLE, role);
}

void put(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, 0);

	if (n < 0)
		die("send");
	if ((size_t)n != len)
		dief("sent %zd bytes of %zu", n, len);
}

ssize_t get_some(int fd, void *data, size_t room)
{
	ssize_t n = recv(fd, data, room, 0);

	if (n < 0)
		die("recv");
	if (!n)
		dief("recv: end of the stream");
	return n;
}

void get(int fd, void *data, size_t len)
{
	size_t done = 0;

	while (done < len)
		done += get_some(fd, (u8 *)data + done, len - done);
}
