// SPDX-License-Identifier: GPL-2.0
/* Listening sockets: our own, or systemd's. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
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

/* It is for nobody else, and least of all for programs that are run. */
static int given(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ||
	    !listens)
		die("descriptor %d of systemd is no listening socket", fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
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
		(*listeners)[i] = given(SYSTEMD_FIRST + i);
	return count;
}

/* IPv6 and IPv4 have sockets of their own if there is an address of each. */
static int open_one(const struct addrinfo *ai, bool alone, bool shared)
{
	int fd, one = 1;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ai->ai_family == AF_INET6 && !alone)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (!bind(fd, ai->ai_addr, ai->ai_addrlen) &&
	    !listen(fd, SOMAXCONN))
		return fd;
	close(fd);
	return -errno;
}

static void set_port(struct addrinfo *ai, in_port_t port)
{
	if (ai->ai_family == AF_INET6)
		((struct sockaddr_in6 *)ai->ai_addr)->sin6_port = port;
	else
		((struct sockaddr_in *)ai->ai_addr)->sin_port = port;
}

static in_port_t port_of(const struct addrinfo *ai)
{
	if (ai->ai_family == AF_INET6)
		return ((struct sockaddr_in6 *)ai->ai_addr)->sin6_port;
	return ((struct sockaddr_in *)ai->ai_addr)->sin_port;
}

/*
 * Port 0 becomes the one that the kernel chose, for those that follow. A first
 * try without SO_REUSEPORT finds out whether the port is somebody else's.
 */
static int probe(struct addrinfo *ai, bool alone)
{
	int fd = open_one(ai, alone, false);

	if (fd < 0)
		return fd;
	getsockname(fd, ai->ai_addr, &ai->ai_addrlen);
	return fd;
}

/* Return: 0 or -errno; @listeners has one socket in @step. */
static int open_address(struct addrinfo *ai, bool alone, int count,
			int *listeners, int step)
{
	int i, fd = probe(ai, alone);

	listeners[0] = fd;
	if (fd >= 0 && count > 1)
		close(fd);
	for (i = 0; fd >= 0 && count > 1 && i < count; i++) {
		fd = open_one(ai, alone, true);
		listeners[i * step] = fd;
	}
	return fd < 0 ? fd : 0;
}

/* A host without IPv6 may still have an address of it for a name. */
static bool is_unusable(int err)
{
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL;
}

static int count_addresses(const struct addrinfo *ai)
{
	int n = 0;

	for (; ai; ai = ai->ai_next)
		n++;
	return n;
}

/*
 * Of each address each thread has one socket: those of a thread are together.
 * What cannot be used leaves a gap, closed at the end.
 */
static int open_all(const char *address, struct addrinfo *list, int count,
		    int *listeners)
{
	int i, n = 0, err, last = -EADDRNOTAVAIL, step = count_addresses(list);
	struct addrinfo *ai;
	in_port_t port = 0;

	for (i = 0, ai = list; ai; ai = ai->ai_next, i++) {
		if (!port_of(ai))
			set_port(ai, port);
		err = open_address(ai, step == 1, count, listeners + i, step);
		if (err && !is_unusable(err))
			die("%s: %s", address, strerror(-err));
		if (err)
			last = err;
		else
			port = port_of(ai);
	}
	for (i = 0; i < count * step; i++)
		if (listeners[i] > 0)
			listeners[n++] = listeners[i];
	if (!n)
		die("%s: %s", address, strerror(-last));
	return n;
}

/**
 * sockets_open() - get the sockets to accept from, or exit
 * @address: [ADDRESS:]PORT; NULL: systemd gave them
 * @count: how many to open, of each address
 * @listeners: receives them, to be freed
 *
 * Return: how many there are.
 */
int sockets_open(const char *address, int count, int **listeners)
{
	int n = from_systemd(listeners);
	struct addrinfo *list;

	if (n && address)
		die_usage("systemd gave a socket: no address is needed");
	if (n)
		return n;
	if (!address)
		die_usage("at which address?");
	list = parse_address(address);
	*listeners = allocate(count * count_addresses(list));
	n = open_all(address, list, count, *listeners);
	freeaddrinfo(list);
	return n;
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
