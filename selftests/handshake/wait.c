// SPDX-License-Identifier: GPL-2.0
/* Event loops that wait for one handshake. */
#include <errno.h>
#ifdef HAVE_URING
#include <liburing.h>
#endif
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "wait.h"

static int wait_poll(int fd, short events, int timeout)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, timeout);
}

static int wait_epoll(int fd, short events, int timeout)
{
	struct epoll_event event = {
		.events = (events & POLLIN ? EPOLLIN : 0) |
			  (events & POLLOUT ? EPOLLOUT : 0),
	};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int ret;

	if (epoll < 0)
		return -1;
	ret = fd < 0 ? 0 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	if (!ret)
		ret = epoll_wait(epoll, &event, 1, timeout);
	close(epoll);
	return ret;
}

#ifdef HAVE_URING

static int poll_once(struct io_uring *ring, int fd, short events, int timeout)
{
	struct __kernel_timespec ts = {
		.tv_sec = timeout / 1000,
		.tv_nsec = timeout % 1000 * 1000000LL,
	};
	struct io_uring_cqe *cqe = NULL;
	int ret;

	if (fd >= 0)
		io_uring_prep_poll_add(io_uring_get_sqe(ring), fd,
				       (unsigned int)events);
	ret = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &ts, NULL);
	/* when the time is over, it may tell how many it submitted */
	if (ret == -ETIME || (ret >= 0 && !cqe))
		return 0;
	return ret < 0 ? ret : cqe->res;
}

static int wait_uring(int fd, short events, int timeout)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(4, &ring, 0);

	if (!ret) {
		ret = poll_once(&ring, fd, events, timeout);
		io_uring_queue_exit(&ring);
	}
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

#endif

static const struct {
	const char *name;
	waiter wait;
} waiters[] = {
	{ "poll", wait_poll }, { "epoll", wait_epoll },
#ifdef HAVE_URING
	{ "uring", wait_uring },
#endif
};

/**
 * waiter_find() - event loop of this name
 * @name: "poll", "epoll" or "uring"
 *
 * Return: a function, or NULL.
 */
waiter waiter_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(waiters) / sizeof(waiters[0]); i++)
		if (!strcmp(waiters[i].name, name))
			return waiters[i].wait;
	return NULL;
}
