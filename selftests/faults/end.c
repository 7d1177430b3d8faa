// SPDX-License-Identifier: GPL-2.0
/* Options, control frames, failures and ends */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenes.h"

static int plain(struct link *l)
{
	char buf[3000];
	ssize_t n = recv(l->p.fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return -1;
	l->over |= !n;
	link_got(l, 0, buf, n, false);
	return 1;
}

static ssize_t by_send(struct link *l, const void *p, size_t len)
{
	return send(l->p.fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A message each way */
static int exchange(struct link *l)
{
	l->plain = true;
	link_message(l, TEXT, payload(TEXT, 1, 300), 300, 100);
	return link_read(l, plain) ?: link_settle(l) ?:
	       link_send(l, by_send, BINARY, payload(BINARY, 2, 900), 900) ?:
	       link_arrive(l);
}

static int set_close(struct link *l, int code, const char *reason)
{
	struct ws_close c = { .code = code, .len = strlen(reason) };

	memcpy(c.reason, reason, c.len);
	return link_set(l, SOL_WS, WS_CLOSE, &c,
			offsetof(struct ws_close, reason) + c.len);
}

static int saw_close(struct link *l, int code, const char *reason)
{
	if (l->error || l->in_end < 0)
		return 0;
	if (l->code != code || strcmp(l->reason, reason))
		return wrong("Close %d %s, not %d %s", l->code, l->reason,
			     code, reason);
	return 0;
}

static int set_all(struct link *l)
{
	static const int option[][2] = {
		{ WS_TX_TYPE, BINARY }, { WS_TX_FRAME_MAX, 70000 },
		{ WS_RX_FRAME_MAX, 100000 }, { WS_RX_MODE, WS_RX_MESSAGE },
		{ WS_RX_MESSAGE_MAX, 50000 }, { WS_RX_FRAGMENTS_MAX, 10 },
		{ WS_UTF8, 1 }, { WS_RX_CTRL, 0 }, { WS_PING_INTERVAL, 60000 },
		{ WS_PING_TIMEOUT, 50000 }, { WS_RX_STALL_TIMEOUT, 60000 },
		{ WS_AUTO_PONG, 1 }, { WS_AUTO_CLOSE, 1 },
		{ WS_CLOSE_TIMEOUT, 60000 }, { WS_EXT, 0 },
	};
	int value;
	size_t i;

	for (i = 0; i < sizeof(option) / sizeof(*option); i++) {
		if (link_set_int(l, option[i][0], option[i][1]) ||
		    link_get(l, SOL_WS, option[i][0], &value, sizeof(value)))
			return -1;
		if (value != option[i][1])
			return wrong("option %d is %d, not %d", option[i][0],
				     value, option[i][1]);
	}
	return 0;
}

static int options(struct link *l)
{
	struct ws_info info;

	if (set_all(l) || link_role(l) || set_all(l) || exchange(l) ||
	    set_close(l, 3000, "set and done") ||
	    link_get(l, SOL_WS, WS_INFO, &info, sizeof(info)))
		return -1;
	if (info.rx_bytes != 300 || info.tx_bytes != 900)
		return wrong("%llu bytes in, %llu out", info.rx_bytes,
			     info.tx_bytes);
	return link_finish(l) ?: saw_close(l, 3000, "set and done");
}

/* Answered in softirq, while nobody reads */
static int pings(struct link *l)
{
	char text[16];
	int i;

	if (link_role(l))
		return -1;
	for (i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		link_ping(l, text);
		if (i % 4 == 3 && link_settle(l))
			return -1;
	}
	return link_finish(l);
}

static int pings_behind(struct link *l)
{
	if (link_role(l))
		return -1;
	l->plain = true;
	link_message(l, BINARY, payload(BINARY, 1, 5000), 5000, 900);
	if (link_settle(l))	/* while the messages stay unread */
		return -1;
	return link_read(l, plain) ?: link_finish(l);
}

/* A timer's pings; what the peer answers is life. */
static int keepalive(struct link *l)
{
	if (link_set_int(l, WS_PING_INTERVAL, 20) || link_role(l))
		return -1;
	while ((l->pings < 3 || l->out_at < l->out.len) && !l->in_end)
		if (link_step(l))
			return -1;
	return exchange(l) ?: link_finish(l);
}

static void send_close(struct link *l, int code, const char *reason)
{
	unsigned char body[125] = { code >> 8, code };

	memcpy(body + 2, reason, strlen(reason));
	link_frame(l, CLOSE, body, 2 + strlen(reason));
	l->mute = true;
	l->answered = true;
}

/* The peer begins the end, behind a message. */
static int peer_closes(struct link *l)
{
	struct ws_close c;

	if (link_role(l) || exchange(l))
		return -1;
	link_message(l, BINARY, payload(BINARY, 4, 700), 700, 200);
	send_close(l, 1001, "gone");
	l->to_end = true;
	if (link_read(l, plain) ||
	    link_get(l, SOL_WS, WS_CLOSE, &c, sizeof(c)))
		return -1;
	/* without memory for the reason there is none, but the code */
	if (!l->error && (c.code != 1001 || (c.len ? c.len != 4 : !faulty) ||
			  memcmp(c.reason, "gone", c.len)))
		return wrong("WS_CLOSE is %d %.*s", c.code, c.len, c.reason);
	return link_finish(l) ?: saw_close(l, 1001, "");
}

static int shut(struct link *l, int how)
{
	if (!shutdown(l->p.fd, how))
		return 0;
	if (errno == ENOTCONN || errno == ECONNRESET) {
		l->error = errno;
		return 0;
	}
	return wrong("shutdown: %s", strerror(errno));
}

/* No more is sent, and the rest is read. */
static int shut_write(struct link *l)
{
	if (link_role(l) || exchange(l) || set_close(l, 1001, "no more") ||
	    shut(l, SHUT_WR))
		return -1;
	l->mute = true;
	while (l->code < 0 && !l->in_end)
		if (link_step(l))
			return -1;
	link_message(l, BINARY, payload(BINARY, 4, 4000), 4000, 900);
	if (link_read(l, plain))
		return -1;
	send_close(l, 1001, "");
	return link_finish(l) ?: saw_close(l, 1001, "no more");
}

/* Nothing is read any more, but pings are answered. */
static int shut_read(struct link *l)
{
	if (link_role(l) || exchange(l) || shut(l, SHUT_RD))
		return -1;
	link_frame(l, FIN | BINARY, payload(BINARY, 1, 9000), 9000);
	link_ping(l, "still there");
	return link_settle(l) ?:
	       link_send(l, by_send, BINARY, payload(BINARY, 5, 50), 50) ?:
	       link_arrive(l) ?: link_finish(l);
}

/* close() with much under way */
static int close_full(struct link *l)
{
	int size = 8192, i;

	setsockopt(l->p.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(l->p.raw, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (link_role(l) || set_close(l, 1001, "the last"))
		return -1;
	l->hold = true;
	for (i = 0; i < 3; i++)
		if (link_send(l, by_send, BINARY, payload(BINARY, i, 30000),
			      30000))
			return -1;
	return link_finish(l) ?: saw_close(l, 1001, "the last");
}

/* close() while the peer sends */
static int close_unread(struct link *l)
{
	if (link_role(l))
		return -1;
	link_frame(l, FIN | BINARY, payload(BINARY, 1, 9000), 9000);
	link_ping(l, "unread");
	return link_settle(l) ?: link_finish(l);
}

static int close_waits(struct link *l)
{
	struct linger linger = { 1, LIMIT / 1000 };
	struct peer_job job;

	if (link_role(l) || exchange(l))
		return -1;
	setsockopt(l->p.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	if (peer_start_close(&job, l->p.fd))
		return wrong("no thread");
	l->p.fd = -1;
	if (link_ended(l)) {
		shutdown(l->p.raw, SHUT_RDWR);
		peer_join(&job);
		return -1;
	}
	peer_join(&job);
	return saw_close(l, 1000, "");
}

/* Close as a message of the application */
static int close_by_cmsg(struct link *l)
{
	static const unsigned char body[] = { 3000 >> 8, 3000 & 0xff,
					      'b', 'y', 'e' };
	int spins = 0, ret = 1;
	ssize_t n;

	if (link_role(l) || exchange(l))
		return -1;
	do {
		n = peer_sendmsg(l->p.fd, WS_OP_CLOSE, body, sizeof(body),
				 MSG_DONTWAIT);
		errno = -n;
		if (n < 0)
			ret = link_again(l, &spins);
	} while (n < 0 && ret > 0);
	return ret < 0 ? -1 : link_finish(l) ?: saw_close(l, 3000, "bye");
}

/* Read up to the error that tells what the peer did wrong. */
static int fails(struct link *l, int error, int code)
{
	char buf[500];
	ssize_t n;

	for (;;) {
		link_pump(l);
		n = recv(l->p.fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			link_got(l, 0, buf, n, false);
		else if (n < 0 && errno == error)
			break;
		else if (n < 0 && errno == EAGAIN && link_wait(l, POLLIN))
			return -1;
		else if (n < 0 && errno != EAGAIN &&
			 link_failed(l, "recv") < 0)
			return -1;
		else if (!n || l->error)
			return wrong("no error, or %d, not %d", l->error,
				     error);
	}
	if (l->rx.got.len != l->rx.want.len)
		return wrong("%zu bytes before the error, not %zu",
			     l->rx.got.len, l->rx.want.len);
	return link_finish(l) ?: saw_close(l, code, "");
}

static int bad_frame(struct link *l)
{
	if (link_role(l) || exchange(l))
		return -1;
	link_message(l, BINARY, payload(BINARY, 4, 4000), 4000, 900);
	link_frame(l, FIN | 0x03, "reserved", 8);
	return fails(l, EPROTO, 1002);
}

static int bad_text(struct link *l)
{
	if (link_role(l) || exchange(l))
		return -1;
	link_message(l, TEXT, payload(TEXT, 4, 4000), 4000, 900);
	link_frame(l, FIN | TEXT, "\xff", 1);
	return fails(l, EILSEQ, 1007);
}

static int too_big(struct link *l)
{
	if (link_role(l) || link_set_int(l, WS_RX_MESSAGE_MAX, 5000) ||
	    exchange(l))
		return -1;
	link_frame(l, FIN | BINARY, payload(BINARY, 5, 5001), 5001);
	return fails(l, EMSGSIZE, 1009);
}

/* TCP ends in the middle of a message. */
static int cut(struct link *l)
{
	if (link_role(l) || exchange(l))
		return -1;
	link_frame(l, BINARY, payload(BINARY, 5, 500), 500);
	bytes_add(&l->rx.want, payload(BINARY, 5, 500), 500);
	while (l->out_at < l->out.len)
		if (link_step(l))
			return -1;
	shutdown(l->p.raw, SHUT_WR);
	l->to_end = true;
	if (link_read(l, plain))
		return -1;
	if (l->error != ECONNRESET || l->rx.got.len != l->rx.want.len)
		return wrong("error %d of a message that was cut", l->error);
	l->error = 0;
	return link_finish(l);
}

/* A network namespace of its own begins and ends. */
static int netns(struct link *l)
{
	int status = 0;
	pid_t pid;

	if (link_role(l))
		return -1;
	pid = fork();
	if (!pid) {
		while (unshare(CLONE_NEWNET))
			if (link_failed(l, "unshare") <= 0)
				_exit(1);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return wrong("unshare in a child: %d", status);
	return exchange(l) ?: link_finish(l);
}

const struct scene end_scenes[] = {
	{ "options", options, BOTH },
	{ "pings", pings, BOTH },
	{ "pings.behind", pings_behind, SERVER },
	{ "keepalive", keepalive, BOTH },
	{ "close.peer", peer_closes, BOTH },
	{ "close.full", close_full, BOTH },
	{ "close.unread", close_unread, BOTH },
	{ "close.waits", close_waits, BOTH },
	{ "close.cmsg", close_by_cmsg, BOTH },
	{ "shutdown.write", shut_write, BOTH },
	{ "shutdown.read", shut_read, BOTH },
	{ "fails.frame", bad_frame, BOTH },
	{ "fails.text", bad_text, BOTH },
	{ "fails.size", too_big, SERVER },
	{ "fails.cut", cut, SERVER },
	{ "netns", netns, SERVER },
	{ }
};
