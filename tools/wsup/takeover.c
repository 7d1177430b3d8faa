// SPDX-License-Identifier: GPL-2.0
/*
 * Handing a running server to its successor: first the listening sockets, then
 * every connection. Where a connection is in its stream of frames is known to
 * the kernel, so it is the descriptor that goes over, in the middle of a
 * message if need be.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve.h"

#define LISTENERS_MAX	1024

static int successor = -1;
static int predecessor = -1;
static struct op control_op;
static struct op predecessor_op;
static struct list early = { &early, &early };	/* connections, so far */

/**
 * packet_new() - something to tell a successor
 * @kind: what it is
 * @fd: descriptor that goes with it
 *
 * Return: to be freed.
 */
struct packet *packet_new(enum packet_kind kind, int fd)
{
	struct packet *packet = malloc(sizeof(*packet) + PACKET_DATA);

	if (!packet)
		die("%s", strerror(ENOMEM));
	packet->kind = kind;
	packet->len = 0;
	packet->nr_fds = fd >= 0;
	packet->fds[0] = fd;
	return packet;
}

/**
 * packet_add() - append to what is told
 * @packet: to append to
 * @data: bytes
 * @len: how many
 */
void packet_add(struct packet *packet, const void *data, size_t len)
{
	if (packet->len + len > PACKET_DATA)
		die("takeover: a connection has too much to tell");
	memcpy(packet->data + packet->len, data, len);
	packet->len += (uint32_t)len;
}

union control {
	struct cmsghdr	head;
	char		room[CMSG_SPACE(PACKET_FDS * sizeof(int))];
};

/* Return: false: there is no successor any more. */
static bool transmit(const struct packet *packet)
{
	uint32_t kind = packet->kind;
	struct iovec iov[] = {
		{ &kind, sizeof(kind) },
		{ (void *)packet->data, packet->len },
	};
	union control room = {
		.head = {
			.cmsg_len = CMSG_LEN(packet->nr_fds * sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	memcpy(CMSG_DATA(&room.head), packet->fds,
	       packet->nr_fds * sizeof(int));
	if (packet->nr_fds) {
		msg.msg_control = &room;
		msg.msg_controllen = CMSG_SPACE(packet->nr_fds * sizeof(int));
	}
	return sendmsg(successor, &msg, MSG_NOSIGNAL) >= 0;
}

/* Return: a packet; NULL at the end. */
static struct packet *receive(void)
{
	struct packet *packet = packet_new(0, -1);
	struct iovec iov[] = {
		{ &packet->kind, sizeof(packet->kind) },
		{ packet->data, PACKET_DATA },
	};
	union control room;
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = &room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *c;
	ssize_t n;

	n = recvmsg(predecessor, &msg, MSG_CMSG_CLOEXEC);
	if (n < (ssize_t)sizeof(packet->kind)) {
		free(packet);
		return NULL;
	}
	packet->len = (uint32_t)n - sizeof(packet->kind);
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		packet->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(packet->fds, CMSG_DATA(c),
		       packet->nr_fds * sizeof(int));
	}
	return packet;
}

/**
 * takeover_give() - hand a connection to the successor
 * @loop: of this thread
 * @conn: waits for nothing; freed
 */
void takeover_give(struct loop *loop, struct conn *conn)
{
	struct packet *packet = packet_new(PACKET_CONN, conn->fd);
	bool given;

	serve.mode->pack(conn, packet);
	given = transmit(packet);
	free(packet);
	if (given)
		conn_close(loop, conn);
	else
		conn_fail(loop, conn, 1001, "");
}

/**
 * takeover_give_listeners() - hand over the listening sockets of a loop
 * @loop: of this thread
 *
 * Who is in their queues does not notice.
 */
void takeover_give_listeners(struct loop *loop)
{
	struct packet *packet;
	size_t i;

	for (i = 0; i < loop->nr_listeners; i++) {
		packet = packet_new(PACKET_LISTENER, loop->listeners[i].fd);
		transmit(packet);
		free(packet);
	}
	packet = packet_new(PACKET_READY, -1);
	transmit(packet);
	free(packet);
}

static void on_successor(struct loop *loop, struct op *op, int res,
			 unsigned int flags)
{
	uint32_t loops = (uint32_t)serve.threads;

	(void)loop;
	(void)op;
	(void)flags;
	if (res < 0)
		die("--control: %s", strerror(-res));
	successor = res;
	if (write(successor, &loops, sizeof(loops)) < 0)
		die("takeover: %s", strerror(errno));
	serve_begin_stop(STOP_HANDOVER);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		die_usage("--control: too long: %s", path);
	strcpy(addr.sun_path, path);
	return addr;
}

/**
 * takeover_listen() - wait for a successor
 * @loop: of this thread
 * @path: where it finds us; only the same user may come
 */
void takeover_listen(struct loop *loop, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = address_of(path);
	mode_t mask = umask(0177);

	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 1))
		die("--control: %s: %s", path, strerror(errno));
	umask(mask);
	control_op.done = on_successor;
	io_uring_prep_accept(loop_sqe(loop, &control_op), fd, NULL, NULL,
			     SOCK_CLOEXEC);
}

static uint32_t dial(const char *path)
{
	struct sockaddr_un addr = address_of(path);
	uint32_t loops;

	predecessor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (predecessor < 0 ||
	    connect(predecessor, (struct sockaddr *)&addr, sizeof(addr)))
		die("--takeover: %s: %s", path, strerror(errno));
	if (read(predecessor, &loops, sizeof(loops)) != sizeof(loops))
		die("--takeover: %s: no answer", path);
	return loops;
}

/**
 * takeover_begin() - get the listening sockets of the server that runs, or exit
 * @path: where it is found
 * @listeners: receives them, to be freed
 *
 * Return: how many.
 */
size_t takeover_begin(const char *path, int **listeners)
{
	uint32_t loops = dial(path);
	struct packet *packet;
	size_t n = 0;

	*listeners = calloc(LISTENERS_MAX, sizeof(**listeners));
	if (!*listeners)
		die("%s", strerror(ENOMEM));
	while (loops) {
		packet = receive();
		if (!packet)
			die("--takeover: %s: it ended in between", path);
		if (packet->kind == PACKET_CONN) {
			list_add(&early, &packet->list);
			continue;
		}
		if (packet->kind == PACKET_READY)
			loops--;
		else if (packet->nr_fds == 1 && n < LISTENERS_MAX)
			(*listeners)[n++] = packet->fds[0];
		free(packet);
	}
	return n;
}

/* One after the other, each loop gets one. */
static void distribute(struct packet *packet)
{
	static unsigned int turn;

	if (packet->kind != PACKET_CONN || !packet->nr_fds)
		die("--takeover: this is another version");
	loop_give(turn++ % (unsigned int)serve.threads, packet);
}

static void wait_for_predecessor(struct loop *loop)
{
	loop_poll(loop, &predecessor_op, predecessor, POLLIN);
}

static void on_predecessor(struct loop *loop, struct op *op, int res,
			   unsigned int flags)
{
	struct packet *packet = receive();

	(void)op;
	(void)res;
	(void)flags;
	if (!packet) {
		close(predecessor);
		return;
	}
	distribute(packet);
	wait_for_predecessor(loop);
}

/**
 * takeover_continue() - get the connections, after takeover_begin()
 * @loop: of this thread
 */
void takeover_continue(struct loop *loop)
{
	struct list *link;

	while ((link = list_take(&early)))
		distribute(container_of(link, struct packet, list));
	predecessor_op.done = on_predecessor;
	wait_for_predecessor(loop);
}
