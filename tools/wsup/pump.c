// SPDX-License-Identifier: GPL-2.0
/*
 * Between a connection and two descriptors that programs read and write.
 * Nothing waits but poll(), whatever the mode of the descriptors, which others
 * may share and is left alone.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "pump.h"
#include "text.h"

static bool is_empty(const struct pump_buffer *b)
{
	return b->at == b->ready;
}

/* Has the connection something to take? */
static bool sends(const struct pump *pump)
{
	return !is_empty(&pump->up) || (pump->in < 0 && pump->open);
}

static bool again(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/* Return: 0, or -errno with the place noted; waiting is no failure. */
static int failure(struct pump *pump, enum pump_end where)
{
	if (again(errno))
		return 0;
	pump->where = where;
	return -errno;
}

/**
 * pump_wait_for() - what there is to wait for
 * @pump: to be moved then
 * @fds: receives PUMP_FDS of them, -1 where there is nothing
 */
void pump_wait_for(const struct pump *pump, struct pollfd *fds)
{
	bool writes = !is_empty(&pump->down);
	bool reads = !pump->ended && !writes;
	bool out = sends(pump);

	fds[PUMP_SOCKET].fd = out || reads ? pump->sock : -1;
	fds[PUMP_SOCKET].events = (short)((out ? POLLOUT : 0) |
					  (reads ? POLLIN : 0));
	fds[PUMP_IN].fd = out ? -1 : pump->in;
	fds[PUMP_IN].events = POLLIN;
	fds[PUMP_OUT].fd = writes ? pump->out : -1;
	fds[PUMP_OUT].events = POLLOUT;
}

/**
 * pump_sent() - has all left that could be read?
 * @pump: moved
 *
 * Return: true if nothing will come from @in, and nothing waits.
 */
bool pump_sent(const struct pump *pump)
{
	return pump->in < 0 && !sends(pump);
}

/**
 * pump_written() - has all been written that will come?
 * @pump: moved
 *
 * Return: true if the peer has ended, and nothing waits.
 */
bool pump_written(const struct pump *pump)
{
	return pump->ended && is_empty(&pump->down);
}

/**
 * pump_idle() - has all been written that came?
 * @pump: moved
 *
 * Return: true if nothing received waits.
 */
bool pump_idle(const struct pump *pump)
{
	return is_empty(&pump->down);
}

/* What of the bytes can go on: all, or of a text its whole characters. */
static int judge(struct pump *pump)
{
	struct pump_buffer *b = &pump->up;

	b->ready = b->len;
	if (pump->text)
		b->ready = b->at + utf8_valid(b->data + b->at, b->len - b->at);
	if (b->ready == b->len ||
	    (pump->in >= 0 && utf8_length(b->data + b->ready,
					  b->len - b->ready) ==
			      UTF8_UNFINISHED))
		return 0;
	pump->where = PUMP_IN;
	return -EILSEQ;
}

static int read_in(struct pump *pump)
{
	struct pump_buffer *b = &pump->up;
	ssize_t n;

	/* the beginning of a character */
	b->len -= b->at;
	memmove(b->data, b->data + b->at, b->len);
	b->at = 0;
	n = read(pump->in, b->data + b->len, PUMP_CHUNK - b->len);
	if (n < 0) {
		b->ready = 0;
		return failure(pump, PUMP_IN);
	}
	if (!n)
		pump->in = -1;
	b->len += (size_t)n;
	return judge(pump);
}

/* Return: 1 a message or a part of one has left, 0 there is no room, -errno. */
static int send_piece(struct pump *pump, size_t len, bool more)
{
	struct pump_buffer *b = &pump->up;
	ssize_t n = send(pump->sock, b->data + b->at, len, MSG_NOSIGNAL |
			 MSG_DONTWAIT | (more ? MSG_MORE : 0));

	if (n < 0)
		return failure(pump, PUMP_SOCKET);
	b->at += (size_t)n;
	pump->open = more || (size_t)n < len;
	pump->moved = now_ms();
	return 1;
}

/* A complete line is a message; a part of a long one is a fragment. */
static int send_line(struct pump *pump)
{
	struct pump_buffer *b = &pump->up;
	const char *end = memchr(b->data + b->at, '\n', b->ready - b->at);
	size_t len = end ? (size_t)(end - b->data) - b->at : b->ready - b->at;
	int ret = send_piece(pump, len, !end);

	if (ret > 0 && end && !pump->open)
		b->at++;	/* the newline */
	return ret;
}

static int send_up(struct pump *pump)
{
	struct pump_buffer *b = &pump->up;
	int ret = 1;

	while (ret > 0 && !is_empty(b))
		ret = pump->lines ? send_line(pump)
				  : send_piece(pump, b->ready - b->at, false);
	/* the last line has no newline */
	if (ret > 0 && pump->in < 0 && pump->open)
		ret = send_piece(pump, 0, false);
	return ret < 0 ? ret : 0;
}

/*
 * A failure to send is nothing to tell about: who receives learns from the
 * kernel how the connection ended.
 */
static void send_or_drop(struct pump *pump)
{
	if (!send_up(pump))
		return;
	pump->in = -1;
	pump->open = false;
	pump->up.at = pump->up.ready;
}

/* Room for the control message makes the kernel show empty messages too. */
static ssize_t receive(int sock, char *data, size_t size, bool *end,
		       struct ws_frame *frame)
{
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(sizeof(*frame))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT);
	struct cmsghdr *c;

	memset(frame, 0, sizeof(*frame));
	if (n < 0)
		return n;
	*end = msg.msg_flags & MSG_EOR;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_WS && c->cmsg_type == WS_FRAME)
		memcpy(frame, CMSG_DATA(c), sizeof(*frame));
	return n;
}

/* Binary messages are named, of text the controls are shown. */
static size_t guard(struct pump *pump, size_t len, bool end, bool binary)
{
	struct pump_buffer *b = &pump->down;
	char shown[sizeof(b->data)];

	if (binary) {
		pump->hidden += len;
		len = 0;
		if (end)
			complain("%zu bytes, binary: not for a terminal (-b)",
				 pump->hidden);
		if (end)
			pump->hidden = 0;
		return len;
	}
	len = printable(shown, sizeof(shown), b->data, len, "\t\n");
	memcpy(b->data, shown, len);
	return len;
}

static int receive_down(struct pump *pump)
{
	struct pump_buffer *b = &pump->down;
	struct ws_frame frame;
	bool end = false, binary;
	ssize_t n;

	n = receive(pump->sock, b->data, PUMP_CHUNK - 1, &end, &frame);
	if (n < 0)
		return failure(pump, PUMP_SOCKET);
	pump->moved = now_ms();
	pump->ended = !n && !end;
	pump->messages += end;
	binary = frame.opcode == WS_OP_BINARY;
	b->at = 0;
	b->len = (size_t)n;
	if (pump->guarded)
		b->len = guard(pump, b->len, end, binary);
	if (end && pump->lines && !(pump->guarded && binary))
		b->data[b->len++] = '\n';
	b->ready = b->len;
	return 0;
}

/* Who does not want what comes does not keep us from seeing its end. */
static int write_down(struct pump *pump)
{
	struct pump_buffer *b = &pump->down;
	size_t len = b->ready - b->at;
	ssize_t n = (ssize_t)len;

	if (len > pump->piece)
		len = pump->piece;
	if (pump->out >= 0)
		n = write(pump->out, b->data + b->at, len);
	if (n < 0)
		return failure(pump, PUMP_OUT);
	b->at += (size_t)n;
	return 0;
}

/**
 * pump_move() - move what can be moved
 * @pump: with descriptors
 * @fds: from pump_wait_for(), and poll() after it
 *
 * Return: 0, or -errno: of the connection unless @where tells otherwise;
 * -EILSEQ from @in: it is not UTF-8.
 */
int pump_move(struct pump *pump, const struct pollfd *fds)
{
	int err = 0;

	if (fds[PUMP_IN].revents)
		err = read_in(pump);
	if (!err && (fds[PUMP_IN].revents || fds[PUMP_SOCKET].revents))
		send_or_drop(pump);
	if (!err && fds[PUMP_SOCKET].revents && !pump->ended &&
	    is_empty(&pump->down))
		err = receive_down(pump);
	if (!err && !is_empty(&pump->down) &&
	    (fds[PUMP_OUT].revents || pump->out < 0))
		err = write_down(pump);
	return err;
}

/**
 * pump_finish() - take what @in still holds, whose writer has gone
 * @pump: moved
 *
 * Return: 1 all has been sent, 0 the connection has no room, -errno as
 * pump_move().
 */
int pump_finish(struct pump *pump)
{
	struct pollfd ready = { .fd = pump->in, .events = POLLIN };
	int err = 0;

	while (!err && is_empty(&pump->up) && pump->in >= 0) {
		/* somebody else may hold the other end, and write nothing */
		if (poll(&ready, 1, 0) <= 0) {
			pump->in = -1;
			err = judge(pump);
		} else {
			err = read_in(pump);
		}
		if (!err)
			send_or_drop(pump);
	}
	if (!err && sends(pump))
		send_or_drop(pump);
	return err ? err : pump_sent(pump);
}
