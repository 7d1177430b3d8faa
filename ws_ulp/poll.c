// SPDX-License-Identifier: GPL-2.0
/* What a caller may do next, and how much of it: poll() and ioctl(). */
#include <linux/poll.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>

#include "ws.h"

/**
 * ws_poll() - proto_ops.poll of an active socket
 * @file: file
 * @sock: socket
 * @wait: poll table
 *
 * The lower layer's answer for the way out and for errors, ours for the way
 * in: POLLIN for payload and for the end, never for a part of a header or for
 * a control frame that the kernel handles.
 *
 * Return: EPOLL* bits.
 */
__poll_t ws_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	const struct ws_ctx *ctx = ws_ctx(sock->sk);
	__poll_t mask = ctx->proto->lower_ops->poll(file, sock, wait);
	u32 flags = READ_ONCE(ctx->flags);

	mask &= ~(EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLPRI);
	if (ws_rx_readable(ctx))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (flags & (WS_F_RX_END | WS_F_RX_SHUT) ||
	    READ_ONCE(sock->sk->sk_shutdown) & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP;
	if (flags & WS_F_FAILED && !ws_rx_level(ctx))
		mask |= EPOLLERR;
	/* The reset is a moment away, and nothing will be different then. */
	if (flags & WS_F_ABORT)
		mask |= EPOLLHUP;
	/* A send fails at once: no reason to wait for room. */
	if (flags & (WS_F_CLOSE_SENT | WS_F_CLOSE_WANT | WS_F_TX_SHUT |
		     WS_F_ABORT))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/**
 * ws_ioctl() - proto.ioctl of an active socket
 * @sk: socket
 * @cmd: SIOCINQ counts payload that one read returns now; SIOCOUTQ and
 *	SIOCOUTQNSD count wire bytes, a frame that waits included
 * @karg: result
 *
 * Return: 0, or a negative errno.
 */
int ws_ioctl(struct sock *sk, int cmd, int *karg)
{
	struct ws_ctx *ctx = ws_ctx(sk);
	int err;

	switch (cmd) {
	case SIOCINQ:
		lock_sock(sk);
		*karg = ws_rx_inq(ctx);
		release_sock(sk);
		return 0;
	case SIOCATMARK:
		*karg = 0;	/* the urgent pointer is ignored */
		return 0;
	}
	err = ctx->proto->lower->ioctl(sk, cmd, karg);
	if (!err && (cmd == SIOCOUTQ || cmd == SIOCOUTQNSD))
		*karg += READ_ONCE(ctx->wait.len);
	return err;
}

/**
 * ws_peek_len() - proto_ops.peek_len of an active socket
 * @sock: socket
 *
 * Context: process, socket lock not held.
 * Return: bytes that one read returns now.
 */
int ws_peek_len(struct socket *sock)
{
	struct sock *sk = sock->sk;
	int n;

	lock_sock(sk);
	n = ws_rx_inq(ws_ctx(sk));
	release_sock(sk);
	return n;
}
