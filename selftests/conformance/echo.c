// SPDX-License-Identifier: GPL-2.0
/* The echo itself: attach by setsockopt(), recvmsg() and sendmsg(). */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "echo.h"

#ifndef TCP_ULP
#define TCP_ULP		31
#endif

/* More than a frame of ours, so that send() splits what recv() joined. */
#define BUFFER		(256 * 1024)

/* Longer than the runner waits: the module must end TCP without it. */
#define CLOSE_TIMEOUT	(600 * 1000)

/* A piece of a message, as recvmsg() gives it. */
struct piece {
	const char *data;
	size_t len;
	unsigned char opcode;
	bool last;
};

/* The message being sent back has begun: its type is no longer given. */
struct out {
	int fd;
	bool open;
};

/**
 * read_settings() - options that server and client share
 * @s: result
 * @argc: of main()
 * @argv: of main()
 *
 * Return: index of the first argument that is no option, -1 for a wrong call.
 */
int read_settings(struct settings *s, int argc, char **argv)
{
	static const char * const modes[] = { "stream", "message", "records" };
	int opt;

	*s = (struct settings) { WS_RX_STREAM, -1, -1, -1, 1 };
	while ((opt = getopt(argc, argv, "m:M:F:N:j:")) != -1) {
		switch (opt) {
		case 'm':
			for (s->mode = 2; s->mode >= 0; s->mode--)
				if (!strcmp(modes[s->mode], optarg))
					break;
			if (s->mode < 0)
				return -1;
			break;
		case 'M':
			s->message_max = atoi(optarg);
			break;
		case 'F':
			s->frame_max = atoi(optarg);
			break;
		case 'N':
			s->fragments_max = atoi(optarg);
			break;
		case 'j':
			s->processes = atoi(optarg);
			break;
		default:
			return -1;
		}
	}
	return optind;
}

/* An error goes to stderr with the option's name, unless TCP is gone. */
static int set(int fd, int level, int name, const void *value, socklen_t len,
	       const char *what)
{
	int err;

	if (!setsockopt(fd, level, name, value, len))
		return 0;
	err = errno;
	if (err != ENOTCONN)
		fprintf(stderr, "echo: %s: %s\n", what, strerror(err));
	errno = err;
	return -1;
}

static int set_int(int fd, int name, int value, const char *what)
{
	return set(fd, SOL_WS, name, &value, sizeof(value), what);
}

static int set_limits(int fd, const struct settings *s)
{
	if (s->message_max >= 0 &&
	    set_int(fd, WS_RX_MESSAGE_MAX, s->message_max, "WS_RX_MESSAGE_MAX"))
		return -1;
	if (s->frame_max >= 0 &&
	    set_int(fd, WS_RX_FRAME_MAX, s->frame_max, "WS_RX_FRAME_MAX"))
		return -1;
	if (s->fragments_max >= 0 &&
	    set_int(fd, WS_RX_FRAGMENTS_MAX, s->fragments_max,
		    "WS_RX_FRAGMENTS_MAX"))
		return -1;
	return 0;
}

/**
 * attach() - hand the connection to the module
 * @fd: socket whose handshake is done
 * @role: WS_SERVER or WS_CLIENT
 * @s: modes and limits
 * @h: bytes behind the handshake are preloaded from there
 *
 * Return: 0 or -1, see errno; all errors but ENOTCONN are told on stderr.
 */
int attach(int fd, int role, const struct settings *s, const struct head *h)
{
	if (set(fd, IPPROTO_TCP, TCP_ULP, "ws", sizeof("ws"), "TCP_ULP"))
		return -1;
	if (h->extra && set(fd, SOL_WS, WS_RX_PRELOAD, h->behind, h->extra,
			    "WS_RX_PRELOAD"))
		return -1;
	if (set_int(fd, WS_CLOSE_TIMEOUT, CLOSE_TIMEOUT, "WS_CLOSE_TIMEOUT") ||
	    set_int(fd, WS_RX_MODE, s->mode, "WS_RX_MODE") || set_limits(fd, s))
		return -1;
	return set_int(fd, WS_ROLE, role, "WS_ROLE");
}

/* The last call of a message has no MSG_MORE; only the first has a type. */
static ssize_t give_some(const struct out *o, const struct piece *p)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)p->data, p->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int opcode = p->opcode;
	struct cmsghdr *c;

	if (!o->open) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_WS;
		c->cmsg_type = WS_TX_TYPE;
		c->cmsg_len = CMSG_LEN(sizeof(opcode));
		memcpy(CMSG_DATA(c), &opcode, sizeof(opcode));
	}
	return sendmsg(o->fd, &msg, MSG_NOSIGNAL | (p->last ? 0 : MSG_MORE));
}

static int give(struct out *o, struct piece p)
{
	ssize_t n;

	if (!p.len && !p.last)
		return 0;
	do {
		n = give_some(o, &p);
		if (n < 0)
			return -1;
		p.data += n;
		p.len -= n;
		o->open = true;
	} while (p.len);
	o->open = !p.last;
	return 0;
}

/* Return: 1 for a piece, 0 for the end of the stream, -1 for an error. */
static int take(int fd, char *buf, struct piece *p)
{
	char control[CMSG_SPACE(sizeof(struct ws_frame))];
	struct iovec iov = { buf, BUFFER };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct ws_frame frame;
	struct cmsghdr *c;
	ssize_t n;

	n = recvmsg(fd, &msg, 0);
	if (n < 0)
		return -1;
	*p = (struct piece) { buf, n, 0, msg.msg_flags & MSG_EOR };
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_WS || c->cmsg_type != WS_FRAME)
			continue;
		memcpy(&frame, CMSG_DATA(c), sizeof(frame));
		p->opcode = frame.opcode;
	}
	return n || p->last;
}

static int echo_pieces(struct out *o, char *buf)
{
	struct piece p;
	int ret;

	while ((ret = take(o->fd, buf, &p)) > 0)
		if (give(o, p))
			return -1;
	return ret;
}

static int give_records(struct out *o, const char *buf, size_t n)
{
	struct piece p = { 0 };
	struct ws_rec rec;
	size_t at = 0;

	while (at < n) {
		if (n - at < sizeof(rec))
			return -1;
		memcpy(&rec, buf + at, sizeof(rec));
		at += sizeof(rec);
		if (rec.len > n - at)
			return -1;
		p.data = buf + at;
		p.len = rec.len;
		p.opcode = rec.opcode;
		p.last = !(rec.flags & WS_F_MORE);
		if (give(o, p))
			return -1;
		at += (rec.len + 7) & ~7u;
	}
	return 0;
}

static int echo_records(struct out *o, char *buf)
{
	ssize_t n;

	while ((n = recv(o->fd, buf, BUFFER, 0)) > 0)
		if (give_records(o, buf, n))
			return -1;
	return n;
}

/**
 * echo() - send every message back until the peer ends the connection
 * @fd: attached socket, blocking
 * @s: tells the mode that the socket is in
 *
 * Return: 0 at the end of the stream, -1 for an error, see errno.
 */
int echo(int fd, const struct settings *s)
{
	struct out o = { fd, false };
	char *buf = malloc(BUFFER);
	int ret = -1;

	if (buf)
		ret = s->mode == WS_RX_RECORDS ? echo_records(&o, buf) :
						 echo_pieces(&o, buf);
	free(buf);
	return ret;
}
