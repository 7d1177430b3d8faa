// SPDX-License-Identifier: GPL-2.0
/* Receiving, in each mode and by each call */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "scenes.h"

#define ROOM	65536

static int took(struct link *l, ssize_t n, int opcode, const void *buf,
		bool eor)
{
	if (n < 0)
		return -1;
	link_got(l, opcode, buf, n, eor);
	return 1;
}

/* read(): no boundaries, and the end is 0 bytes */
static int plain(struct link *l)
{
	char buf[3000];
	ssize_t n = recv(l->p.fd, buf, sizeof(buf), MSG_DONTWAIT);

	l->over |= !n;
	return took(l, n, 0, buf, false);
}

static int by_recvmsg(struct link *l, size_t room, int flags)
{
	static char buf[ROOM];
	struct peer_msg m = peer_recvmsg(l->p.fd, buf, room,
					 flags | MSG_DONTWAIT);

	if (m.len < 0) {
		errno = -m.len;
		return -1;
	}
	if (!m.len && !(m.flags & MSG_EOR)) {
		l->over = true;
		return 0;
	}
	if (!m.framed)
		return wrong("recvmsg without WS_FRAME");
	return took(l, m.len, m.frame.opcode, buf, m.flags & MSG_EOR);
}

static int framed(struct link *l)
{
	return by_recvmsg(l, ROOM, 0);
}

static int framed_short(struct link *l)
{
	return by_recvmsg(l, 700, 0);
}

/* A peek shows how the next read begins. */
static int peeked(struct link *l)
{
	static char peek[ROOM], buf[ROOM];
	ssize_t n, seen;

	seen = recv(l->p.fd, peek, 500, MSG_DONTWAIT | MSG_PEEK);
	if (seen < 0)
		return -1;
	do {
		n = recv(l->p.fd, buf, sizeof(buf), MSG_DONTWAIT);
	} while (n < 0 && errno != EAGAIN && link_failed(l, "recv") > 0);
	if (l->error)
		return 1;
	if (n < seen || (seen > 0 && memcmp(peek, buf, seen)))
		return wrong("peeked %zd bytes, read %zd", seen, n);
	l->over |= !n;
	return took(l, n, 0, buf, false);
}

/*
 * A message is peeked, and thrown away by a read of one byte. A peek is short
 * when a page of the buffer was not there.
 */
static int truncated(struct link *l)
{
	static char buf[ROOM];
	ssize_t n, seen;
	char c;

	seen = recv(l->p.fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
	n = recv(l->p.fd, &c, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
	if (seen < 0 || n < 0)
		return -1;
	if (seen < n) {
		errno = EFAULT;
		return -1;
	}
	do {
		n = recv(l->p.fd, &c, 1, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno != EAGAIN && link_failed(l, "recv") > 0);
	if (n != seen && !l->error)
		return wrong("message of %zd bytes, peeked %zd", n, seen);
	l->over |= !seen;
	return took(l, seen, 0, buf, false);
}

static int take_records(struct link *l, const char *buf, size_t len)
{
	struct ws_rec rec;
	size_t at = 0;

	while (at < len) {
		if (len - at < sizeof(rec))
			return wrong("a record at %zu of %zu bytes", at, len);
		memcpy(&rec, buf + at, sizeof(rec));
		at += sizeof(rec);
		if (rec.len > len - at || rec.reserved)
			return wrong("a record of %u bytes at %zu of %zu",
				     rec.len, at, len);
		link_got(l, rec.opcode, buf + at, rec.len,
			 !(rec.flags & WS_F_MORE));
		at += rec.len;
		at += -at % 8;
	}
	return 1;
}

static int records(struct link *l)
{
	static char buf[8192] __attribute__((aligned(8)));
	ssize_t n = recv(l->p.fd, buf, sizeof(buf), MSG_DONTWAIT);

	l->over |= !n;
	return n < 0 ? -1 : take_records(l, buf, n);
}

static int spliced(struct link *l)
{
	static int fd[2] = { -1, -1 };
	char buf[ROOM];
	ssize_t n;

	if (fd[0] < 0 && pipe2(fd, O_NONBLOCK))
		return -1;
	n = splice(l->p.fd, NULL, fd[1], NULL, 16384, SPLICE_F_NONBLOCK);
	if (n < 0)
		return -1;
	l->over |= !n;
	return took(l, n ? read(fd[0], buf, n) : 0, 0, buf, false);
}

static int by_uring(struct link *l)
{
	static struct io_uring ring;
	struct io_uring_cqe *cqe;
	char buf[3000];
	int n;

	if (!ring.ring_fd && io_uring_queue_init(8, &ring, 0))
		return wrong("no io_uring");
	io_uring_prep_recv(io_uring_get_sqe(&ring), l->p.fd, buf, sizeof(buf),
			   MSG_DONTWAIT);
	io_uring_submit(&ring);
	do {
		n = io_uring_wait_cqe(&ring, &cqe);
	} while (n == -EINTR);
	n = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	if (n < 0) {
		errno = -n;
		return -1;
	}
	l->over |= !n;
	return took(l, n, 0, buf, false);
}

/* Messages of all forms; each third one in fragments, pings between them */
static void send_mixed(struct link *l)
{
	static const int len[] = {
		5, 0, 1, 125, 126, 600, 4000, 40, 9000, 70, 20000, 2,
	};
	unsigned int i;

	for (i = 0; i < sizeof(len) / sizeof(*len); i++) {
		int opcode = i % 2 ? TEXT : BINARY;

		link_message(l, opcode, payload(opcode, i, len[i]), len[i],
			     i % 3 ? 0 : len[i] / 3 + 1);
	}
	link_ping(l, "the last");
}

/* Many that are short, so that they are handled in one go */
static void send_short(struct link *l)
{
	int i, len;

	for (i = 0; i < 60; i++) {
		len = 1 + i * 7 % 100;
		len += len % 64 == 33;
		link_message(l, i % 2 ? TEXT : BINARY,
			     payload(i % 2 ? TEXT : BINARY, i, len), len, 0);
	}
	link_ping(l, "short");
}

static int read_all(struct link *l, reader read)
{
	return link_read(l, read) ?: link_settle(l) ?: link_finish(l);
}

static int stream(struct link *l, void (*send)(struct link *l), reader read)
{
	l->plain = read != framed && read != framed_short;
	if (link_role(l))
		return -1;
	send(l);
	return read_all(l, read);
}

static int stream_plain(struct link *l)
{
	return stream(l, send_mixed, plain);
}

static int stream_framed(struct link *l)
{
	return stream(l, send_mixed, framed);
}

static int stream_short(struct link *l)
{
	return stream(l, send_short, plain);
}

static int stream_short_framed(struct link *l)
{
	return stream(l, send_short, framed);
}

static int stream_peek(struct link *l)
{
	return stream(l, send_mixed, peeked);
}

static int stream_splice(struct link *l)
{
	return stream(l, send_mixed, spliced);
}

static int stream_uring(struct link *l)
{
	return stream(l, send_mixed, by_uring);
}

/* In pieces of a few bytes to a small buffer */
static int stream_drip(struct link *l)
{
	int size = 4096;

	if (setsockopt(l->p.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)))
		return wrong("SO_RCVBUF");
	l->plain = true;
	if (link_role(l))
		return -1;
	send_short(l);
	link_message(l, BINARY, payload(BINARY, 3, 2000), 2000, 90);
	l->step = 50;
	return read_all(l, plain);
}

/* Control frames are the reader's as well, in and between messages. */
static int deliver(struct link *l, int mode, reader read)
{
	l->deliver = WS_CTRL_PING | WS_CTRL_PONG;
	if (link_set_int(l, WS_RX_CTRL, l->deliver) ||
	    link_set_int(l, WS_RX_MODE, mode) || link_role(l))
		return -1;
	link_message(l, BINARY, payload(BINARY, 1, 8001), 8001, 4225);
	link_message(l, BINARY, payload(BINARY, 2, 8001), 8001, 4096);
	send_mixed(l);
	return read_all(l, read);
}

static int stream_ctrl(struct link *l)
{
	return deliver(l, WS_RX_STREAM, framed);
}

static int message_ctrl(struct link *l)
{
	return deliver(l, WS_RX_MESSAGE, framed);
}

static int records_ctrl(struct link *l)
{
	return deliver(l, WS_RX_RECORDS, records);
}

static int in_mode(struct link *l, int mode, void (*send)(struct link *l),
		   reader read)
{
	return link_set_int(l, WS_RX_MODE, mode) ?: stream(l, send, read);
}

static int message_framed(struct link *l)
{
	return in_mode(l, WS_RX_MESSAGE, send_mixed, framed);
}

static int message_pieces(struct link *l)
{
	return in_mode(l, WS_RX_MESSAGE, send_mixed, framed_short);
}

static int message_short(struct link *l)
{
	return in_mode(l, WS_RX_MESSAGE, send_short, plain);
}

static int message_trunc(struct link *l)
{
	return in_mode(l, WS_RX_MESSAGE, send_mixed, truncated);
}

static int records_mixed(struct link *l)
{
	if (link_set_int(l, WS_RX_MODE, WS_RX_RECORDS) || link_role(l))
		return -1;
	send_mixed(l);
	return read_all(l, records);
}

static int records_short(struct link *l)
{
	if (link_set_int(l, WS_RX_MODE, WS_RX_RECORDS) || link_role(l))
		return -1;
	send_short(l);
	return read_all(l, records);
}

/* The first bytes were read by the handshake. */
static int preload(struct link *l, int mode, reader read)
{
	size_t n;

	l->plain = read == plain;
	send_mixed(l);
	n = l->out.len / 2;
	if (link_set_int(l, WS_RX_MODE, mode) ||
	    link_set(l, SOL_WS, WS_RX_PRELOAD, l->out.p, n) || link_role(l))
		return -1;
	l->out_at = n;
	return read_all(l, read);
}

static int preload_stream(struct link *l)
{
	return preload(l, WS_RX_STREAM, plain);
}

static int preload_message(struct link *l)
{
	return preload(l, WS_RX_MESSAGE, framed);
}

static int preload_records(struct link *l)
{
	return preload(l, WS_RX_RECORDS, records);
}

const struct scene rx_scenes[] = {
	{ "stream.plain", stream_plain, BOTH },
	{ "stream.framed", stream_framed, BOTH },
	{ "stream.short", stream_short, BOTH },
	{ "stream.short_framed", stream_short_framed, SERVER },
	{ "stream.peek", stream_peek, BOTH },
	{ "stream.splice", stream_splice, SERVER },
	{ "stream.uring", stream_uring, BOTH },
	{ "stream.drip", stream_drip, BOTH },
	{ "stream.ctrl", stream_ctrl, SERVER },
	{ "message.framed", message_framed, BOTH },
	{ "message.pieces", message_pieces, SERVER },
	{ "message.short", message_short, BOTH },
	{ "message.trunc", message_trunc, SERVER },
	{ "message.ctrl", message_ctrl, BOTH },
	{ "records.mixed", records_mixed, BOTH },
	{ "records.short", records_short, BOTH },
	{ "records.ctrl", records_ctrl, SERVER },
	{ "preload.stream", preload_stream, BOTH },
	{ "preload.message", preload_message, BOTH },
	{ "preload.records", preload_records, SERVER },
	{ }
};
