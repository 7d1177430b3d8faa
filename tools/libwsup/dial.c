// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connecting to one of the addresses of a name, as RFC 8305 has it: kinds of
 * addresses take turns, and an address that has not answered after a moment is
 * joined by the next one. The first connection that is there wins.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

/* RFC 8305 section 5: the recommended Connection Attempt Delay */
#define DELAY_MS	250

/* Without a descriptor to wait for all of them: how often to look */
#define LOOK_MS		50

/* The next address of this family, or of others */
static struct addrinfo *next_of(struct addrinfo *ai, int family, bool same)
{
	while (ai && (ai->ai_family == family) != same)
		ai = ai->ai_next;
	return ai;
}

static void sort(struct dial *dial)
{
	int family = dial->list->ai_family;
	struct addrinfo *a = dial->list;
	struct addrinfo *b = next_of(a, family, false);

	while (a || b) {
		if (a) {
			dial->order[dial->n++] = a;
			a = next_of(a->ai_next, family, true);
		}
		if (b) {
			dial->order[dial->n++] = b;
			b = next_of(b->ai_next, family, false);
		}
	}
}

/**
 * dial_begin() - note the addresses to connect to
 * @dial: stopped
 * @list: from getaddrinfo(); @dial frees it
 *
 * Return: 0 or -ENOMEM.
 */
int dial_begin(struct dial *dial, struct addrinfo *list)
{
	struct addrinfo *ai;
	size_t n = 0;

	dial->list = list;
	for (ai = list; ai; ai = ai->ai_next)
		n++;
	dial->order = calloc(n, sizeof(*dial->order));
	if (!dial->order)
		return -ENOMEM;
	sort(dial);
	return 0;
}

static void drop(struct dial *dial, size_t i)
{
	if (dial->fd[i] >= 0)
		close(dial->fd[i]);
	for (dial->trying--; i < dial->trying; i++)
		dial->fd[i] = dial->fd[i + 1];
}

/**
 * dial_stop() - give up what is on its way, and forget the addresses
 * @dial: ready for dial_begin() afterwards
 */
void dial_stop(struct dial *dial)
{
	while (dial->trying)
		drop(dial, 0);
	if (dial->epoll >= 0)
		close(dial->epoll);
	if (dial->list)
		freeaddrinfo(dial->list);
	free(dial->order);
	*dial = (struct dial){ .epoll = -1 };
}

/* Where nothing answers, the oldest attempt has had its time. */
static void begin(struct dial *dial, const struct addrinfo *ai)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
						SOCK_NONBLOCK, 0);

	dial->error = -errno;
	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) && errno != EINPROGRESS) {
		dial->error = -errno;
		close(fd);
		return;
	}
	if (dial->trying == DIALS_MAX)
		drop(dial, 0);
	dial->fd[dial->trying++] = fd;
}

/* Takes the connection that is there, if one is; others have failed. */
static int look(struct dial *dial)
{
	socklen_t len = sizeof(int);
	int error, fd;
	size_t i = 0;

	while (i < dial->trying) {
		struct pollfd pfd = { .fd = dial->fd[i], .events = POLLOUT };

		error = 0;
		if (poll(&pfd, 1, 0) <= 0) {
			i++;
			continue;
		}
		getsockopt(pfd.fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (!error) {
			fd = dial->fd[i];
			dial->fd[i] = -1;
			return fd;
		}
		dial->error = -error;
		drop(dial, i);
		dial->due = 0;
	}
	return -1;
}

/* One descriptor that is ready when one of many is */
static int gather(struct dial *dial)
{
	struct epoll_event event = { .events = EPOLLOUT };
	size_t i;

	if (dial->epoll < 0)
		dial->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < dial->trying; i++)
		if (epoll_ctl(dial->epoll, EPOLL_CTL_ADD, dial->fd[i],
			      &event) && errno != EEXIST)
			return -1;
	return dial->epoll;
}

static int wait_for_one(struct wsup_hs *hs)
{
	struct dial *dial = &hs->client.dial;
	int64_t left = dial->due - hs_now();

	hs->poll_fd = dial->fd[dial->trying - 1];
	if (dial->trying > 1) {
		hs->poll_fd = gather(dial);
		if (hs->poll_fd < 0)
			return hs_wait_for(hs, POLLIN, LOOK_MS);
	}
	hs->events = dial->trying > 1 ? POLLIN : POLLOUT;
	if (dial->next == dial->n)
		return hs_wait(hs, hs->events);
	return hs_wait_for(hs, hs->events, left);
}

/**
 * dial_step() - go on with connecting
 * @hs: client's handshake, its dial begun
 *
 * Return: IO_COMPLETE: @hs->fd is connected, WSUP_AGAIN, STEP_MORE, or the
 * error of the last address.
 */
int dial_step(struct wsup_hs *hs)
{
	struct dial *dial = &hs->client.dial;

	hs->fd = look(dial);
	hs->poll_fd = hs->fd;
	if (hs->fd >= 0)
		return IO_COMPLETE;
	if (dial->next < dial->n && (!dial->trying || dial->due <= hs_now())) {
		begin(dial, dial->order[dial->next++]);
		dial->due = dial->trying ? hs_now() + DELAY_MS : 0;
		return STEP_MORE;
	}
	return dial->trying ? wait_for_one(hs) : dial->error;
}
