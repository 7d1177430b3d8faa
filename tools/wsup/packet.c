// SPDX-License-Identifier: GPL-2.0
/* What one server tells the next: datagrams, with descriptors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

#define PACKET_DATA	0x20000

/**
 * packet_new() - something to tell the other server
 * @kind: what it is
 *
 * Return: to be freed with packet_free(), or NULL without memory.
 */
struct packet *packet_new(enum packet_kind kind)
{
	struct packet *packet = calloc(1, sizeof(*packet));

	if (packet)
		packet->kind = kind;
	return packet;
}

/**
 * packet_free() - free a packet, and close the descriptors left in it
 * @packet: may be NULL
 */
void packet_free(struct packet *packet)
{
	if (!packet)
		return;
	while (packet->taken < packet->nr_fds)
		close(packet->fds[packet->taken++]);
	free(packet->data);
	free(packet);
}

/**
 * packet_add() - append to what is told
 * @packet: to append to; without memory it is marked as such
 * @data: bytes
 * @len: how many
 */
void packet_add(struct packet *packet, const void *data, size_t len)
{
	char *all = NULL;

	if (packet->len + len <= PACKET_DATA)
		all = realloc(packet->data, packet->len + len);
	if (!all) {
		packet->failed = true;
		return;
	}
	packet->data = all;
	memcpy(all + packet->len, data, len);
	packet->len += (uint32_t)len;
}

/**
 * packet_add_fd() - let a descriptor go with what is told
 * @packet: to append to; the descriptor becomes the packet's
 * @fd: descriptor
 */
void packet_add_fd(struct packet *packet, int fd)
{
	packet->fds[packet->nr_fds++] = fd;
}

/**
 * packet_take_fd() - the next descriptor that came with a packet
 * @packet: received
 *
 * Return: the descriptor, now the caller's; -1 if there are no more.
 */
int packet_take_fd(struct packet *packet)
{
	return packet->taken < packet->nr_fds ? packet->fds[packet->taken++] :
						-1;
}

/**
 * packet_frame() - describe a packet to sendmsg()
 * @packet: to be sent; it must stay until it is
 * @frame: receives the description, which lies in it
 */
void packet_frame(const struct packet *packet, struct packet_frame *frame)
{
	size_t size = packet->nr_fds * sizeof(int);

	*frame = (struct packet_frame) {
		.kind = packet->kind,
		.iov = {
			{ &frame->kind, sizeof(frame->kind) },
			{ packet->data, packet->len },
		},
		.msg = { .msg_iov = frame->iov, .msg_iovlen = 2 },
	};
	if (!packet->nr_fds)
		return;
	frame->control.head.cmsg_len = CMSG_LEN(size);
	frame->control.head.cmsg_level = SOL_SOCKET;
	frame->control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&frame->control.head), packet->fds, size);
	frame->msg.msg_control = &frame->control;
	frame->msg.msg_controllen = CMSG_SPACE(size);
}

static void take_fds(struct packet *packet, struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	packet->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (packet->nr_fds > PACKET_FDS)
		packet->nr_fds = PACKET_FDS;
	memcpy(packet->fds, CMSG_DATA(c), packet->nr_fds * sizeof(int));
}

static int read_packet(int fd, struct packet *packet, int flags)
{
	struct packet_frame frame = {
		.iov = {
			{ &frame.kind, sizeof(frame.kind) },
			{ packet->data, PACKET_DATA },
		},
		.msg = {
			.msg_iov = frame.iov,
			.msg_iovlen = 2,
			.msg_control = &frame.control,
			.msg_controllen = sizeof(frame.control),
		},
	};
	ssize_t n = recvmsg(fd, &frame.msg, flags | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	if (!n)
		return -EPIPE;
	take_fds(packet, &frame.msg);
	if (n < (ssize_t)sizeof(frame.kind) ||
	    frame.msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EBADMSG;
	packet->kind = frame.kind;
	packet->len = (uint32_t)n - (uint32_t)sizeof(frame.kind);
	return 0;
}

/**
 * packet_receive() - a packet of the other server
 * @fd: connection to it
 * @flags: of recvmsg()
 * @packet: receives the packet, to be freed
 *
 * Return: 0, -EPIPE at the end, -EBADMSG for none of ours or one whose
 * descriptors there was no room for, or another -errno.
 */
int packet_receive(int fd, int flags, struct packet **packet)
{
	struct packet *new = packet_new(0);
	int err;

	*packet = NULL;
	if (new)
		new->data = malloc(PACKET_DATA);
	if (!new || !new->data) {
		packet_free(new);
		return -ENOMEM;
	}
	err = read_packet(fd, new, flags);
	if (err)
		packet_free(new);
	else
		*packet = new;
	return err;
}
