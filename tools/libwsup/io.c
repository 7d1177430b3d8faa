// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bytes to and from the peer, never waiting, whatever the descriptor's mode.
 *
 * Received bytes are looked at first and taken off the socket when it is known
 * whose they are. So what follows the handshake is still there, for whoever
 * reads it, in this process or another.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "internal.h"

#define CHUNK		4096

/* Takes @len bytes that a look showed. */
static int drop(int fd, char *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	/* somebody else reads from this socket */
	return (size_t)n == len ? 0 : -EIO;
}

/**
 * io_read() - receive a piece
 * @hs: handshake
 * @take: is given bytes, tells how many are its own, and returns 0 for
 *	more, IO_COMPLETE or an error
 *
 * One piece at a time: a peer that sends without end must not keep a caller
 * from looking at the time.
 *
 * Return: what @take returned if that was not 0, STEP_MORE, WSUP_AGAIN,
 * -WSUP_EEOF or -errno.
 */
int io_read(struct wsup_hs *hs, io_taker take)
{
	char data[CHUNK];
	size_t used;
	ssize_t n;
	int ret, err;

	n = recv(hs->fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return hs_wait(hs, POLLIN);
	if (n <= 0)
		return n ? -errno : -WSUP_EEOF;
	ret = take(hs, data, (size_t)n, &used);
	err = drop(hs->fd, data, used);
	if (err)
		return err;
	return ret ? ret : STEP_MORE;
}

/**
 * io_take_head() - an io_taker that reads a head
 * @hs: handshake
 * @data: bytes
 * @len: how many
 * @used: receives how many belong to the head
 *
 * Return: as head_feed().
 */
int io_take_head(struct wsup_hs *hs, const char *data, size_t len, size_t *used)
{
	return head_feed(&hs->head, data, len, used);
}

/**
 * io_write() - send of what is in @hs->out
 * @hs: handshake
 *
 * Return: IO_COMPLETE all is sent and @hs->out empty, STEP_MORE, WSUP_AGAIN, or
 * -errno.
 */
int io_write(struct wsup_hs *hs)
{
	ssize_t n;

	if (hs->out.error)
		return hs->out.error;
	if (hs->sent < hs->out.len) {
		n = send(hs->fd, hs->out.data + hs->sent,
			 hs->out.len - hs->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return hs_wait(hs, POLLOUT);
		if (n < 0)
			return -errno;
		hs->sent += (size_t)n;
		hs->sent_in_all += n;
	}
	if (hs->sent < hs->out.len)
		return STEP_MORE;
	hs->sent = 0;
	buf_reset(&hs->out);
	return IO_COMPLETE;
}

/**
 * io_progress() - has the peer taken anything since this was asked last?
 * @hs: handshake
 *
 * What the peer's TCP acknowledged counts: a socket is writable again only when
 * a good part of its buffer is free, which may be megabytes later.
 *
 * Return: true or false.
 */
bool io_progress(struct wsup_hs *hs)
{
	int64_t taken;
	int queued;

	if (ioctl(hs->fd, SIOCOUTQ, &queued))
		return false;
	taken = hs->sent_in_all - queued;
	if (taken <= hs->taken)
		return false;
	hs->taken = taken;
	return true;
}
