// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "pump.h"
#include "wire.h"

#define OUT	65536	/* bytes of raw's that are not acknowledged yet */
#define ROOM	32768	/* the window that the kernel is offered */
#define AGAIN	100	/* ms without progress, before all is sent again */
#define MSS	1460

static struct pump {
	struct wire w;
	pthread_t thread;
	int wake;		/* tells the thread to end */
	int end;		/* what raw is connected to */
	bool idle;		/* nothing is to be done before an event */
	unsigned int seed;

	/* raw's stream; out[0] is the byte that is acknowledged next */
	unsigned char out[OUT];
	size_t out_len;
	uint32_t base;		/* its sequence number */
	bool out_fin;		/* the end of it was read */
	bool urgent;
	uint32_t urgent_at;
	bool fin_told;		/* raw was told of the kernel's end */
	uint32_t acked_to;	/* what we acknowledged last */
	uint32_t room;		/* what we offered last */
} pump = { .end = -1, .wake = -1 };

static unsigned int below(struct pump *p, unsigned int n)
{
	p->seed = p->seed * 1103515245 + 12345;
	return (p->seed >> 16) % n;
}

/* ------- to the kernel ------- */

/* Bytes that are not those that were sent in this place */
static void other_bytes(struct pump *p, unsigned char *to, size_t n)
{
	static const unsigned char pongs[] = { 0x8a, 0x00 };
	unsigned int how = below(p, 4), i;

	for (i = 0; i < n; i++)
		to[i] = how == 0 ? pongs[i % 2] : how == 1 ? 0xff :
			how == 2 ? 0 : below(p, 256);
}

/* Of raw's stream, n bytes from seq on, and old ones before */
static int send_range(struct pump *p, uint32_t seq, size_t n, size_t old)
{
	struct segment s = wire_segment(&p->w);
	unsigned char data[WIRE_DATA];

	other_bytes(p, data, old);
	memcpy(data + old, p->out + (seq - p->base), n);
	s.seq = seq - old;
	s.data = data;
	s.len = old + n;
	s.flags |= TH_PUSH;
	if (p->urgent && !wire_before(p->urgent_at, s.seq)) {
		s.flags |= TH_URG;
		s.urgent = p->urgent_at + 1 - s.seq;
	}
	if (p->out_fin && seq + n == p->base + p->out_len)
		s.flags |= TH_FIN;
	return wire_send(&p->w, &s);
}

/* What the kernel has acknowledged goes. Return: something went */
static bool advance(struct pump *p)
{
	uint32_t n = p->w.acked - p->base;

	/* it had come before it was sent again */
	if (wire_before(p->w.next, p->w.acked))
		p->w.next = p->w.acked;
	if (!n || wire_before(p->w.acked, p->base))
		return false;
	if (n > p->out_len)	/* the FIN as well */
		n = p->out_len;
	p->base += n;
	p->out_len -= n;
	memmove(p->out, p->out + n, p->out_len);
	if (p->urgent && wire_before(p->urgent_at, p->base))
		p->urgent = false;
	return n;
}

static size_t some_size(struct pump *p, size_t left)
{
	static const unsigned int most[] = { 3, 20, 200, MSS, MSS, 9000 };
	size_t n = 1 + below(p, most[below(p, 6)]);

	return n < left ? n : left;
}

/* How many bytes before seq the kernel is known to have, and may see again */
static size_t some_old(struct pump *p, uint32_t seq)
{
	size_t n;

	if (seq != p->w.acked || below(p, 2))
		return 0;
	n = 1 + below(p, below(p, 2) ? 8 : 300);
	return n < 3000 ? n : 3000;
}

/* The next bytes, or those behind them first. Return: bytes that went */
static size_t send_some(struct pump *p, size_t left)
{
	size_t n = some_size(p, left), behind = 0;
	uint32_t at = p->w.next;

	if (left > n && !below(p, 4)) {
		behind = some_size(p, left - n);
		send_range(p, at + n, behind, 0);
		/* now and then into what is there already */
		if (below(p, 2))
			n += below(p, behind + 1);
	}
	send_range(p, at, n, some_old(p, at));
	return p->w.next - at;
}

/* Negative behind a FIN */
static int32_t unsent(const struct pump *p)
{
	return p->base + p->out_len - p->w.next;
}

static size_t window(const struct pump *p)
{
	int32_t n = p->w.acked + p->w.window - p->w.next;

	return n > 0 ? n : 0;
}

static bool fin_waits(const struct pump *p)
{
	return p->out_fin && p->w.next - p->base == p->out_len;
}

/* As much as there is and the window takes */
static void send_out(struct pump *p)
{
	size_t left;

	advance(p);
	while (unsent(p) > 0 && window(p)) {
		/* only what is acknowledged may be sent with other bytes */
		if (wire_ask(&p->w, 0) < 0)
			return;
		advance(p);
		if (unsent(p) <= 0 || !window(p))
			break;
		left = (size_t)unsent(p) < window(p) ? unsent(p) : window(p);
		if (!send_some(p, left) || wire_drain(&p->w) < 0)
			return;
		advance(p);
	}
	if (fin_waits(p))
		wire_fin(&p->w);
	if (p->w.acked != p->w.next)
		wire_ask(&p->w, 0);
	wire_drain(&p->w);
	advance(p);
}

/* Nothing was acknowledged for a while: TCP may have had no room for it. */
static void send_again(struct pump *p)
{
	if (p->w.acked == p->w.next || !p->w.window)
		return;
	p->w.next = p->w.acked;
	send_out(p);
}

/* A reset where the kernel wants it, however late it said so */
static void reset(struct pump *p)
{
	int i;

	for (i = 0; i < 3 && !p->w.reset; i++) {
		wire_ask(&p->w, i);
		wire_reset(&p->w);
	}
	p->w.reset = true;
}

/* ------- from raw, and to it ------- */

static void drop_end(struct pump *p)
{
	close(p->end);
	p->end = -1;
}

/* What raw wrote. Return: there may be more */
static bool take(struct pump *p)
{
	size_t room = sizeof(p->out) - p->out_len;
	int mark = 0;
	ssize_t n;

	if (p->out_fin || !room)
		return false;
	__atomic_store_n(&p->idle, false, __ATOMIC_SEQ_CST);
	if (!ioctl(p->end, SIOCATMARK, &mark) && mark) {
		p->urgent = true;
		p->urgent_at = p->base + p->out_len;
	}
	n = recv(p->end, p->out + p->out_len, room, MSG_DONTWAIT);
	if (n > 0) {
		p->out_len += n;
	} else if (n == 0) {
		p->out_fin = true;
	} else if (errno != EAGAIN) {
		reset(p);
		drop_end(p);
	}
	return n > 0;
}

/* What the kernel sent */
static void give(struct pump *p)
{
	struct linger now = { .l_onoff = 1 };
	ssize_t n = 0;

	if (p->w.in_len)
		n = send(p->end, p->w.in, p->w.in_len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		p->w.in_len -= n;
		memmove(p->w.in, p->w.in + n, p->w.in_len);
	} else if (n < 0 && errno != EAGAIN) {
		reset(p);
		drop_end(p);
		return;
	}
	if (p->w.in_len)
		return;
	if (p->w.reset) {
		setsockopt(p->end, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		drop_end(p);
	} else if (p->w.fin && !p->fin_told) {
		shutdown(p->end, SHUT_WR);
		p->fin_told = true;
	}
}

/* What came is acknowledged, and a window that was closed and opens is told. */
static void acknowledge(struct pump *p)
{
	p->w.room = p->w.in_len < ROOM ? ROOM - p->w.in_len : 0;
	if (p->w.reset || (p->w.got == p->acked_to &&
			   (p->room >= MSS || p->w.room <= p->room)))
		return;
	p->acked_to = p->w.got;
	p->room = p->w.room;
	wire_ack(&p->w);
}

/* ------- the thread ------- */

static bool told_to_end(struct pump *p, int ms)
{
	struct pollfd pfd[] = {
		{ p->wake, POLLIN }, { p->w.tun, POLLIN }, { p->end, 0 },
	};

	if (!p->out_fin && p->out_len < sizeof(p->out))
		pfd[2].events |= POLLIN;
	if (p->w.in_len)
		pfd[2].events |= POLLOUT;
	if (p->end >= 0 && !pfd[2].events)
		pfd[2].fd = -1;
	poll(pfd, 3, ms);
	return pfd[0].revents;
}

static bool all_acked(const struct pump *p)
{
	return p->w.acked == p->w.next && unsent(p) <= 0;
}

static void *pump_thread(void *arg)
{
	struct pump *p = arg;
	uint32_t before;
	bool waits;

	pthread_setname_np(pthread_self(), PUMP_NAME);
	do {
		before = p->w.acked;
		wire_drain(&p->w);
		advance(p);
		while (p->end >= 0 && take(p))
			send_out(p);
		if (!p->w.reset)
			send_out(p);
		if (p->end >= 0)
			give(p);
		acknowledge(p);
		waits = p->w.acked != p->w.next;
		__atomic_store_n(&p->idle, p->w.reset || all_acked(p) ||
				 !window(p), __ATOMIC_SEQ_CST);
		if (waits && before == p->w.acked && !p->w.reset)
			send_again(p);
	} while (!told_to_end(p, waits ? AGAIN : -1));
	return NULL;
}

/* Two ends over loopback */
static int pair(int fd[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&in, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&in, &len) ||
	    connect(fd[0], (void *)&in, len))
		return -1;
	fd[1] = accept(listener, NULL, NULL);
	close(listener);
	return fd[1] < 0 ? -1 : 0;
}

static int start(struct pump *p, int raw_end)
{
	int one = 1, size = 16384;

	p->end = raw_end;
	setsockopt(raw_end, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	setsockopt(raw_end, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(raw_end, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	p->base = p->w.next;
	p->acked_to = p->w.got;
	p->room = p->w.room;
	p->wake = eventfd(0, 0);
	return pthread_create(&p->thread, NULL, pump_thread, p);
}

int pump_open(int family, bool kernel_connects, int fd[2])
{
	static unsigned int seed;
	static int tun = -1;
	struct pump *p = &pump;
	int ends[2];

	if (tun < 0)
		tun = wire_tun();
	if (tun < 0 || p->wake >= 0 || pair(ends)) {
		fputs("# pump: cannot be opened\n", stderr);
		return -1;
	}
	memset(p, 0, sizeof(*p));
	p->seed = ++seed;
	wire_init(&p->w, tun, family);
	p->w.room = ROOM;
	p->w.scale = 0;
	fd[0] = ends[0];
	fd[1] = wire_open(&p->w, kernel_connects);
	return fd[1] < 0 ? -1 : start(p, ends[1]);
}

static bool settled(struct pump *p, int raw)
{
	int there = 0, left = 0, end = p->end;

	if (end < 0)
		return true;
	return !ioctl(raw, TIOCOUTQ, &left) && !left &&
	       !ioctl(end, FIONREAD, &there) && !there &&
	       __atomic_load_n(&p->idle, __ATOMIC_SEQ_CST);
}

void pump_settle(int raw)
{
	int i;

	for (i = 0; i < 10000 && !settled(&pump, raw); i++) {
		if (i < 100)
			sched_yield();
		else
			poll(NULL, 0, 1);
	}
}

void pump_close(void)
{
	struct pump *p = &pump;
	uint64_t one = 1;

	if (p->wake < 0)
		return;
	if (write(p->wake, &one, sizeof(one)) < 0)
		perror("# pump");
	pthread_join(p->thread, NULL);
	reset(p);
	if (p->end >= 0)
		drop_end(p);
	close(p->wake);
	p->wake = -1;
}
