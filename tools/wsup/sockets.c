// SPDX-License-Identifier: GPL-2.0
/* Listening sockets: our own, or systemd's. */
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve.h"

#define SYSTEMD_FIRST	3

static int *allocate(int count)
{
	int *fds = calloc((size_t)count, sizeof(*fds));

	if (!fds)
		die("%s", strerror(ENOMEM));
	return fds;
}

/* sd_listen_fds(3) */
static int from_systemd(int **listeners)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	int i, count;

	if (!pid || !n || atol(pid) != getpid())
		return 0;
	count = atoi(n);
	if (count <= 0)
		return 0;
	*listeners = allocate(count);
	for (i = 0; i < count; i++)
		(*listeners)[i] = SYSTEMD_FIRST + i;
	return count;
}

static int open_one(const struct addrinfo *ai, bool shared)
{
	int fd, one = 1;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (!bind(fd, ai->ai_addr, ai->ai_addrlen) &&
	    !listen(fd, SOMAXCONN))
		return fd;
	close(fd);
	return -errno;
}

/*
 * Port 0 becomes the one that the kernel chose, for those that follow. A first
 * try without SO_REUSEPORT finds out whether the port is somebody else's.
 */
static int probe(struct addrinfo *ai)
{
	int fd = open_one(ai, false);

	if (fd < 0)
		return fd;
	getsockname(fd, ai->ai_addr, &ai->ai_addrlen);
	return fd;
}

static int open_all(const char *address, int count, int *listeners)
{
	struct addrinfo *ai = parse_address(address);
	int i, fd = probe(ai);

	listeners[0] = fd;
	if (fd >= 0 && count > 1)
		close(fd);
	for (i = 0; fd >= 0 && count > 1 && i < count; i++) {
		fd = open_one(ai, true);
		listeners[i] = fd;
	}
	if (fd < 0)
		die("%s: %s", address, strerror(-fd));
	freeaddrinfo(ai);
	return count;
}

/**
 * sockets_open() - get the sockets to accept from, or exit
 * @address: [ADDRESS:]PORT; NULL: systemd gave them
 * @count: how many to open
 * @listeners: receives them, to be freed
 *
 * Return: how many there are.
 */
int sockets_open(const char *address, int count, int **listeners)
{
	int n = from_systemd(listeners);

	if (n && address)
		die_usage("systemd gave a socket: no address is needed");
	if (n)
		return n;
	if (!address)
		die_usage("at which address?");
	*listeners = allocate(count);
	return open_all(address, count, *listeners);
}

/**
 * notify() - tell systemd, as sd_notify(3) does
 * @fmt: as for printf(): "READY=1" for instance
 */
void notify(const char *fmt, ...)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	char text[256];
	va_list args;
	int fd;

	if (!path || strlen(path) >= sizeof(addr.sun_path))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	strcpy(addr.sun_path, path);
	if (*path == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(path)));
	close(fd);
}
