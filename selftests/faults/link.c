// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "link.h"

/* A call may fail for want of memory so often while one thing fails once. */
#define SOFT_MAX	3

/* Events without anything to do, in a row */
#define SPINS_MAX	1000

#define PATTERN	(512 << 10)
#define STEP	64	/* between two characters of two bytes */

bool faulty;

int wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("# ", stdout);
	vfprintf(stdout, format, ap);
	fputc('\n', stdout);
	va_end(ap);
	errno = EBADMSG;	/* for callers that look: no fault */
	return -1;
}

void bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->room) {
		b->room = 2 * (b->len + len) + 4096;
		b->p = realloc(b->p, b->room);
		if (!b->p)
			abort();
	}
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void bytes_set(struct bytes *b, const void *p, size_t len)
{
	b->len = 0;
	bytes_add(b, p, len);
}

void bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ };
}

static bool bytes_same(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->p, b->p, a->len));
}

/* Is it how the other one begins? */
static bool begins(const struct bytes *all, const struct bytes *part)
{
	return part->len <= all->len &&
	       (!part->len || !memcmp(all->p, part->p, part->len));
}

static void put_message(struct bytes *b, int opcode, const void *p, size_t len)
{
	unsigned int n = len;

	bytes_add(b, &(unsigned char){ opcode }, 1);
	bytes_add(b, &n, sizeof(n));
	bytes_add(b, p, len);
}

const unsigned char *payload(int opcode, int i, size_t len)
{
	static unsigned char text[PATTERN], binary[PATTERN];
	size_t at = i * STEP % (PATTERN / 2), j;

	if (!text[0]) {
		peer_fill(binary, PATTERN, 1);
		for (j = 0; j < PATTERN; j++)
			text[j] = 'a' + (j + j / 26) % 26;
		for (j = STEP / 2; j < PATTERN; j += STEP)
			memcpy(text + j, "\xc3\xa9", 2);
	}
	if (len > PATTERN / 2 ||
	    (opcode == TEXT && len % STEP == STEP / 2 + 1))
		abort();	/* would end within a character */
	return opcode == TEXT ? text + at : binary + at;
}

static void set_limits(int fd)
{
	struct timeval limit = { .tv_sec = LIMIT / 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int link_open(struct link *l, int family, int role)
{
	memset(l, 0, sizeof(*l));
	l->code = -1;
	if (peer_connect(&l->p, family, role))
		return -1;
	set_limits(l->p.fd);
	set_limits(l->p.raw);
	return link_set(l, IPPROTO_TCP, TCP_ULP, WS_ULP_NAME,
			sizeof(WS_ULP_NAME));
}

int link_role(struct link *l)
{
	return link_set_int(l, WS_ROLE, l->p.role);
}

void link_drop(struct link *l)
{
	struct linger now = { .l_onoff = 1 };
	struct side *side[] = { &l->rx, &l->tx };
	unsigned int i;

	if (l->p.raw >= 0)
		setsockopt(l->p.raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_close(&l->p);
	for (i = 0; i < 2; i++) {
		bytes_free(&side[i]->want);
		bytes_free(&side[i]->got);
		bytes_free(&side[i]->part);
	}
	bytes_free(&l->ctl);
	bytes_free(&l->want_ctl);
	bytes_free(&l->out);
	bytes_free(&l->in);
	bytes_free(&l->ping);
	bytes_free(&l->pong);
}

int link_failed(struct link *l, const char *call)
{
	switch (errno) {
	case ENOMEM:
	case ENOBUFS:
	case EFAULT:
		if (++l->soft <= SOFT_MAX)
			return 1;
		return wrong("%s fails again and again: %s", call,
			     strerror(errno));
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ETIMEDOUT:
		l->error = errno;
		return 0;
	}
	return wrong("%s: %s", call, strerror(errno));
}

int link_set(struct link *l, int level, int name, const void *p, size_t len)
{
	int ret;

	while (setsockopt(l->p.fd, level, name, p, len)) {
		ret = link_failed(l, "setsockopt");
		if (ret <= 0)
			return ret;
	}
	return 0;
}

int link_set_int(struct link *l, int option, int value)
{
	return link_set(l, SOL_WS, option, &value, sizeof(value));
}

int link_get(struct link *l, int level, int name, void *p, size_t len)
{
	socklen_t got;
	int ret;

	while (got = len, getsockopt(l->p.fd, level, name, p, &got)) {
		ret = link_failed(l, "getsockopt");
		if (ret <= 0)
			return ret;
	}
	return got == len ? 0 : wrong("option %d: %u bytes", name, got);
}

/* Frames of the end under test */
struct seen {
	int b0;
	unsigned char *p;
	size_t len;
};

static int see_data(struct link *l, const struct seen *f)
{
	struct side *tx = &l->tx;
	int opcode = f->b0 & 0x0f;

	if (!opcode != !!tx->opcode || f->b0 & 0x70)
		return wrong("frame %02x in a message of %d", f->b0,
			     tx->opcode);
	if (opcode != CONT)
		tx->opcode = opcode;
	bytes_add(&tx->part, f->p, f->len);
	if (!(f->b0 & FIN))
		return 0;
	put_message(&tx->got, tx->opcode, tx->part.p, tx->part.len);
	tx->opcode = 0;
	tx->part.len = 0;
	return 0;
}

static int see_close(struct link *l, const struct seen *f)
{
	if (l->code >= 0)
		return wrong("a second Close");
	if (f->len == 1)
		return wrong("a Close with half a code");
	l->code = f->len ? f->p[0] << 8 | f->p[1] : 1005;
	if (f->len > 2)
		memcpy(l->reason, f->p + 2, f->len - 2);
	if (!l->mute && !l->answered) {
		l->answered = true;
		link_frame(l, CLOSE, f->p, f->len);
	}
	return 0;
}

static int see_frame(struct link *l, const struct seen *f)
{
	if (!(f->b0 & 8))
		return l->code >= 0 ? wrong("data behind Close") :
				      see_data(l, f);
	if (f->len > 125)
		return wrong("control frame of %zu bytes", f->len);
	switch (f->b0) {
	case PING:
		l->pings++;
		link_frame(l, PONG, f->p, f->len);
		return 0;
	case PONG:
		bytes_set(&l->pong, f->p, f->len);
		return 0;
	case CLOSE:
		return see_close(l, f);
	}
	return wrong("frame %02x", f->b0);
}

static size_t big_endian(const unsigned char *p, int n)
{
	size_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* The next frame in what raw has read. Return: bytes of it, 0: not whole. */
static size_t next_frame(struct link *l, struct seen *f)
{
	size_t have = l->in.len - l->in_at, head = 2, i;
	unsigned char *p = l->in.p + l->in_at, *key;
	bool masked = l->p.role == WS_CLIENT;

	if (have < 2)
		return 0;
	f->b0 = p[0];
	f->len = p[1] & 127;
	head += f->len == 127 ? 8 : f->len == 126 ? 2 : 0;
	if (have < head)
		return 0;
	if (head > 2)
		f->len = big_endian(p + 2, head - 2);
	key = p + head;
	head += masked ? 4 : 0;
	if (have < head || have - head < f->len)
		return 0;
	f->p = p + head;
	for (i = 0; masked && i < f->len; i++)
		f->p[i] ^= key[i % 4];
	return head + f->len;
}

static int take_apart(struct link *l)
{
	bool masked, must = l->p.role == WS_CLIENT;
	struct seen f;
	size_t n;

	while (l->in.len - l->in_at >= 2) {
		masked = l->in.p[l->in_at + 1] >> 7;
		if (masked != must)
			return wrong("no frame at %zu, or its mask bit",
				     l->in_at);
		n = next_frame(l, &f);
		if (!n)
			break;
		l->in_at += n;
		if (see_frame(l, &f))
			return -1;
	}
	return 0;
}

static size_t pump_out(struct link *l)
{
	size_t len = l->out.len - l->out_at;
	ssize_t n;

	if (!len || l->in_end)
		return 0;
	if (l->step && len > l->step)
		len = l->step;
	n = send(l->p.raw, l->out.p + l->out_at, len,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0) {	/* what is left to read still comes */
		l->out_at = l->out.len;
		l->hold = false;
		return 0;
	}
	l->out_at += n;
	return n;
}

static size_t pump_in(struct link *l)
{
	unsigned char buf[65536];
	ssize_t n;

	if (l->in_end || l->hold)
		return 0;
	n = recv(l->p.raw, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		l->in_end = n ? -errno : 1;
		return 1;
	}
	bytes_add(&l->in, buf, n);
	return n;
}

size_t link_pump(struct link *l)
{
	return pump_out(l) + pump_in(l);
}

int link_wait(struct link *l, int events)
{
	struct pollfd pfd[2] = {
		{ .fd = events ? l->p.fd : -1, .events = events },
		{ .fd = l->in_end ? -1 : l->p.raw,
		  .events = l->hold ? 0 : POLLIN },
	};

	if (l->out_at < l->out.len)
		pfd[1].events |= POLLOUT;
	if (poll(pfd, 2, LIMIT) > 0)
		return 0;
	return wrong("nothing goes on: %zu of %zu bytes read, %zu of %zu sent"
		     ", %zu of %zu written", l->rx.got.len, l->rx.want.len,
		     l->tx.got.len, l->tx.sure, l->out_at, l->out.len);
}

void link_frame(struct link *l, int b0, const void *p, size_t len)
{
	unsigned char *buf = malloc(len + PEER_HEADER);

	if (!buf)
		abort();
	bytes_add(&l->out, buf, peer_build(&l->p, buf, b0, p, len));
	free(buf);
}

void link_ping(struct link *l, const char *text)
{
	link_frame(l, PING, text, strlen(text));
	bytes_set(&l->ping, text, strlen(text));
	if (l->deliver & WS_CTRL_PING)
		put_message(&l->want_ctl, WS_OP_PING, text, strlen(text));
}

void link_message(struct link *l, int opcode, const void *p, size_t len,
		  size_t piece)
{
	size_t at = 0, n;
	char text[16];

	if (l->plain)
		bytes_add(&l->rx.want, p, len);
	else
		put_message(&l->rx.want, opcode, p, len);
	if (!piece)
		piece = len;
	do {
		n = len - at < piece ? len - at : piece;
		link_frame(l, (at ? CONT : opcode) | (at + n == len ? FIN : 0),
			   p + at, n);
		at += n;
		snprintf(text, sizeof(text), "at %zu", at);
		if (at < len)
			link_ping(l, text);
	} while (at < len);
}

void link_got(struct link *l, int opcode, const void *p, size_t len, bool eor)
{
	struct side *rx = &l->rx;

	if (opcode & 8) {
		put_message(&l->ctl, opcode, p, len);
		return;
	}
	if (l->plain) {
		bytes_add(&rx->got, p, len);
		return;
	}
	bytes_add(&rx->part, p, len);
	if (!eor)
		return;
	put_message(&rx->got, opcode, rx->part.p, rx->part.len);
	rx->part.len = 0;
}

/* Is all there, or is nothing more to come? */
static bool read_done(const struct link *l)
{
	return l->over || l->error ||
	       (!l->to_end && l->rx.got.len >= l->rx.want.len &&
		l->ctl.len >= l->want_ctl.len);
}

static int read_once(struct link *l, reader read)
{
	int ret = read(l);

	if (ret < 0 && errno == EAGAIN)
		return 0;
	if (ret < 0 && link_failed(l, "read") < 0)
		return -1;
	return 1;
}

int link_read(struct link *l, reader read)
{
	int spins = 0, ret;
	size_t moved;

	while (!read_done(l)) {
		moved = link_pump(l);
		ret = read_once(l, read);
		if (ret < 0 || take_apart(l))
			return -1;
		if (!begins(&l->rx.want, &l->rx.got))
			return wrong("bytes that were not sent, or not in order"
				     ", or some of them lost");
		if (moved || ret) {
			spins = 0;
			continue;
		}
		if (++spins > SPINS_MAX)
			return wrong("events, and nothing to do");
		if (link_wait(l, POLLIN))
			return -1;
	}
	if (l->over && l->rx.got.len < l->rx.want.len && l->code < 0)
		return wrong("the end, with messages missing");
	return 0;
}

int link_step(struct link *l)
{
	if (!link_pump(l) && link_wait(l, 0))
		return -1;
	return take_apart(l);
}

static bool settled(const struct link *l)
{
	return l->in_end || (l->out_at == l->out.len &&
			     bytes_same(&l->ping, &l->pong));
}

int link_settle(struct link *l)
{
	if (take_apart(l))
		return -1;
	while (!settled(l))
		if (link_step(l))
			return -1;
	return 0;
}

void link_want(struct link *l, int opcode, const void *p, size_t len)
{
	put_message(&l->tx.want, opcode, p, len);
}

void link_accepted(struct link *l)
{
	l->tx.sure = l->tx.want.len;
}

int link_again(struct link *l, int *spins)
{
	size_t moved;

	if (errno != EAGAIN)
		return link_failed(l, "send");
	l->hold = false;
	moved = link_pump(l);
	if (take_apart(l))
		return -1;
	*spins = moved ? 0 : *spins + 1;
	if (*spins > SPINS_MAX)
		return wrong("writable, and not");
	return moved || !link_wait(l, POLLOUT) ? 1 : -1;
}

int link_send(struct link *l, sender send, int opcode, const void *p,
	      size_t len)
{
	int spins = 0, ret;
	size_t at = 0;
	ssize_t n;

	if (l->error)
		return 0;
	link_want(l, opcode, p, len);
	do {
		n = send(l, p + at, len - at);
		if (n >= 0) {
			at += n;
			spins = 0;
			continue;
		}
		ret = link_again(l, &spins);
		if (ret <= 0)
			return ret;
	} while (n < 0 || at < len);
	link_accepted(l);
	return 0;
}

int link_arrive(struct link *l)
{
	l->hold = false;
	if (take_apart(l))
		return -1;
	while (!l->in_end && l->tx.got.len < l->tx.sure)
		if (link_step(l))
			return -1;
	return 0;
}

/* What the reader got, against what was sent to it */
static int check_rx(struct link *l)
{
	struct side *rx = &l->rx;
	bool all = rx->got.len == rx->want.len;

	if (!begins(&rx->want, &rx->got))
		return wrong("bytes that were not sent, or not in order");
	if (rx->part.len && (all || rx->got.len + 5 > rx->want.len ||
			     memcmp(rx->part.p, rx->want.p + rx->got.len + 5,
				    rx->part.len)))
		return wrong("a part of a message that was not sent");
	if (!begins(&l->want_ctl, &l->ctl))
		return wrong("a control frame that was not sent");
	if (!l->error && !(all && l->ctl.len == l->want_ctl.len))
		return wrong("not all was read, and no error");
	return 0;
}

/* What raw got, against what was accepted */
static int check_tx(struct link *l)
{
	struct side *tx = &l->tx;

	if (!begins(&tx->want, &tx->got))
		return wrong("frames that nobody sent, or not in order");
	if (l->in_end < 0)
		return 0;
	if (l->code < 0)
		return wrong("the end of TCP without Close");
	if (l->in_at != l->in.len)
		return wrong("the end of TCP within a frame");
	if (!l->error && tx->got.len < tx->sure)
		return wrong("accepted messages are missing");
	return 0;
}

static int check_counters(struct link *l)
{
	const char *name = l->p.role == WS_SERVER ? "WsCurrServer" :
						    "WsCurrClient";
	int ms;

	/* the last step of a work item, and no event to wait for */
	for (ms = 0; peer_stat(name) > 0; ms++) {
		if (ms > LIMIT)
			return wrong("%s stays at %lld", name, peer_stat(name));
		poll(NULL, 0, 1);
	}
	return 0;
}

int link_ended(struct link *l)
{
	l->hold = false;
	if (take_apart(l))
		return -1;
	while (!l->in_end) {
		/* a server ends TCP first, RFC 6455 section 7.1.1 */
		if (l->p.role == WS_CLIENT && l->answered &&
		    l->out_at == l->out.len)
			shutdown(l->p.raw, SHUT_WR);
		if (link_step(l))
			return -1;
	}
	close(l->p.raw);
	l->p.raw = -1;
	if (check_rx(l) || check_tx(l))
		return -1;
	return check_counters(l);
}

int link_finish(struct link *l)
{
	close(l->p.fd);
	l->p.fd = -1;
	return link_ended(l);
}
