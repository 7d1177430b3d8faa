// SPDX-License-Identifier: GPL-2.0
/*
 * Echoing with type and boundaries kept. A message is sent on as it arrives,
 * long ones in parts; nothing is read while the peer does not take what was
 * read before.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/ws.h>

#include "serve.h"

/* At most WS_TX_FRAME_MAX, so that a send takes all or nothing. */
#define CHUNK	65536

/* So much is read before others get their turn. */
#define TURNS	16

static struct ws_frame frame_of(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct ws_frame frame = {};

	if (c && c->cmsg_level == SOL_WS && c->cmsg_type == WS_FRAME)
		memcpy(&frame, CMSG_DATA(c), sizeof(frame));
	return frame;
}

/* Return: 1 there is something to echo, 0 the end, -errno. */
static int receive(int fd, struct echo *echo)
{
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(sizeof(struct ws_frame))];
	} control;
	struct iovec iov = { .iov_base = echo->data, .iov_len = CHUNK };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	echo->more = !(msg.msg_flags & MSG_EOR);
	if (!n && echo->more)
		return 0;
	echo->len = (size_t)n;
	echo->type = frame_of(&msg).opcode;
	return 1;
}

/* The type goes with a message's first part; later parts have none. */
static ssize_t send_part(int fd, const struct echo *echo)
{
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(sizeof(int))];
	} control = {
		.head = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_WS,
			.cmsg_type = WS_TX_TYPE,
		},
	};
	struct iovec iov = { .iov_base = echo->data, .iov_len = echo->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int type = echo->type;

	if (!echo->open) {
		memcpy(CMSG_DATA(&control.head), &type, sizeof(type));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL |
				 (echo->more ? MSG_MORE : 0));
}

/* Return: 1 all is sent, 0 not yet, -errno. */
static int flush(int fd, struct echo *echo)
{
	ssize_t n;

	do {
		n = send_part(fd, echo);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		echo->len -= (size_t)n;
		echo->open = echo->more || echo->len;
		memmove(echo->data, echo->data + n, echo->len);
	} while (echo->len);
	return 1;
}

/* Return: events to wait for; 0: this connection is at its end. */
static short turn(int fd, struct echo *echo)
{
	int ret, i;

	for (i = 0; i < TURNS; i++) {
		ret = receive(fd, echo);
		if (ret <= 0)
			return ret == -EAGAIN ? POLLIN : 0;
		ret = flush(fd, echo);
		if (ret <= 0)
			return ret ? 0 : POLLOUT;
	}
	return POLLIN;
}

/* Keeps what could not be sent, and nothing else. */
static void keep(struct echo *echo, char *shared, short events)
{
	echo->data = NULL;
	if (events != POLLOUT)
		return;
	echo->data = malloc(echo->len ? echo->len : 1);
	if (echo->data)
		memcpy(echo->data, shared, echo->len);
}

/**
 * echo_step() - echo until there is something to wait for
 * @fd: attached socket
 * @echo: zeroed at first
 *
 * Return: POLLIN or POLLOUT, to be called again then; 0 at the end.
 */
short echo_step(int fd, struct echo *echo)
{
	static _Thread_local char shared[CHUNK];
	short events;
	int ret;

	if (echo->data) {
		ret = flush(fd, echo);
		if (ret <= 0)
			return ret ? 0 : POLLOUT;
		free(echo->data);
	}
	echo->data = shared;
	events = turn(fd, echo);
	keep(echo, shared, events);
	return events == POLLOUT && !echo->data ? 0 : events;
}

/**
 * echo_free() - free what was kept
 * @echo: of a connection that ends
 */
void echo_free(struct echo *echo)
{
	free(echo->data);
}
