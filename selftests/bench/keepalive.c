// SPDX-License-Identifier: GPL-2.0
/*
 * P9: a round of keepalive: one end's timer, its ping, the other end's pong.
 * By the kernel at both ends, or by a process at each end that has nothing
 * else to do; and TCP's own keepalive, to compare. This process spins below
 * all others, and sums up what they and the interrupts take from it.
 *
 * Connections begin a tick apart, and so many that each tick has its round.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "bench.h"

#define FIN		0x80
#define MASKED		0x80
#define PAYLOAD		4
#define APART		4000000		/* ns, a tick of HZ=250 */
#define INTERVAL	100		/* ms */
#define CONNECTIONS	25
#define TCP_INTERVAL	1		/* s, the least there is */
#define TCP_CONNECTIONS	250
#define WINDOW		1000000000	/* ns */
#define RATIO_LIMIT	0.40

static u64 *rounds;

/* Bytes of a masked pong from those of a ping, with a key of its own. */
static size_t answer(const u8 *ping, u8 *out)
{
	u32 key = random(), body;

	if (ping[0] != (FIN | WS_OP_PING) || ping[1] != PAYLOAD)
		dief("this is not a ping");
	out[0] = FIN | WS_OP_PONG;
	out[1] = MASKED | PAYLOAD;
	memcpy(out + 2, &key, sizeof(key));
	memcpy(&body, ping + 2, sizeof(body));
	body ^= key;
	memcpy(out + 6, &body, sizeof(body));
	return 6 + PAYLOAD;
}

static int watch(const int *fd, unsigned int n)
{
	int ep = epoll_create1(0);
	unsigned int i;

	if (ep < 0)
		die("epoll_create1");
	for (i = 0; i < n; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev))
			die("epoll_ctl");
	}
	return ep;
}

/* The end that answers. */
static void answer_loop(const int *fd)
{
	int ep = watch(fd, CONNECTIONS), n, i;
	struct epoll_event ev[CONNECTIONS];
	u8 in[64], out[64];

	for (;;) {
		n = epoll_wait(ep, ev, CONNECTIONS, -1);
		for (i = 0; i < n; i++) {
			int s = fd[ev[i].data.u32];

			if (get_some(s, in, sizeof(in)) != 2 + PAYLOAD)
				dief("more than a ping");
			put(s, out, answer(in, out));
		}
	}
}

/* Milliseconds to the next ping that is due; sends those that are. */
static int send_due(const int *fd, u64 *due)
{
	static const u8 ping[2 + PAYLOAD] = { FIN | WS_OP_PING, PAYLOAD };
	u64 t = now(), next = ~0ull;
	unsigned int i;

	for (i = 0; i < CONNECTIONS; i++) {
		if (due[i] <= t) {
			put(fd[i], ping, sizeof(ping));
			due[i] = t + INTERVAL * 1000000ull;
		}
		if (due[i] < next)
			next = due[i];
	}
	return (next - t + 999999) / 1000000;
}

/* The end that asks: each connection is due after so long in silence. */
static void ping_loop(const int *fd)
{
	int ep = watch(fd, CONNECTIONS), n, i;
	struct epoll_event ev[CONNECTIONS];
	u64 due[CONNECTIONS], start = now();
	u8 in[64];

	for (i = 0; i < CONNECTIONS; i++)
		due[i] = start + (i + 1) * (u64)APART;
	for (;;) {
		n = epoll_wait(ep, ev, CONNECTIONS, send_due(fd, due));
		for (i = 0; i < n; i++) {
			unsigned int c = ev[i].data.u32;

			if (get_some(fd[c], in, sizeof(in)) != 6 + PAYLOAD ||
			    in[0] != (FIN | WS_OP_PONG))
				dief("this is not a pong");
			due[c] = now() + INTERVAL * 1000000ull;
			++*rounds;
		}
	}
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What the machine does of itself in the window. */
static u64 background;

static double per_round(const char *what, u64 (*count)(void))
{
	double insn;
	u64 n, busy;

	spin(WINDOW / 10);
	n = count();
	profile_begin();
	busy = spin(WINDOW);
	n = count() - n;
	profile_end("P9", what, n);
	if (!n)
		dief("no round in the window");
	insn = ((double)busy - (double)background) / n;
	report_raw("P9", what, insn, "insn/round");
	return insn;
}

static u64 user_rounds(void)
{
	return *rounds;
}

static u64 kernel_rounds(void)
{
	return stat_get("WsRxPong");
}

/* Probes that TCP sent, as it counts them. */
static u64 tcp_rounds(void)
{
	char names[8192], values[8192], *n, *v, *np, *vp;
	FILE *f = fopen("/proc/net/netstat", "r");

	if (!f)
		die("/proc/net/netstat");
	if (!fgets(names, sizeof(names), f) ||
	    !fgets(values, sizeof(values), f))
		dief("/proc/net/netstat is not as expected");
	fclose(f);
	n = strtok_r(names, " ", &np);
	v = strtok_r(values, " ", &vp);
	while (n && v && strcmp(n, "TCPKeepAlive")) {
		n = strtok_r(NULL, " ", &np);
		v = strtok_r(NULL, " ", &vp);
	}
	if (!n || !v)
		dief("TCP does not count its probes");
	return strtoull(v, NULL, 10);
}

struct all {
	struct pair	p[TCP_CONNECTIONS];
	int		peer[TCP_CONNECTIONS];
	int		app[TCP_CONNECTIONS];
	unsigned int	n;
};

static void open_all(struct all *all, unsigned int n)
{
	unsigned int i;

	all->n = n;
	for (i = 0; i < n; i++) {
		pair_open(&all->p[i]);
		all->peer[i] = all->p[i].peer;
		all->app[i] = all->p[i].app;
	}
}

static void close_all(struct all *all)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		pair_close(&all->p[i]);
}

static double in_user_space(void)
{
	pid_t asks, answers;
	struct all all;
	double insn;

	rounds = shared(sizeof(*rounds));
	open_all(&all, CONNECTIONS);
	answers = fork_child();
	if (!answers)
		answer_loop(all.peer);
	asks = fork_child();
	if (!asks)
		ping_loop(all.app);
	insn = per_round("round in user space", user_rounds);
	stop(asks);
	stop(answers);
	close_all(&all);
	return insn;
}

static double in_kernel(void)
{
	u64 pongs = stat_get("WsRxPong");
	struct all all;
	unsigned int i;
	double insn;

	open_all(&all, CONNECTIONS);
	for (i = 0; i < all.n; i++) {
		attach(all.peer[i], WS_CLIENT);
		attach(all.app[i], WS_SERVER);
		set_int(all.app[i], SOL_WS, WS_PING_INTERVAL, INTERVAL);
		spin(APART);
	}
	insn = per_round("round in the kernel", kernel_rounds);
	for (i = 0; i < all.n; i++)
		set_int(all.app[i], SOL_WS, WS_PING_INTERVAL, 0);
	pongs = stat_get("WsRxPong") - pongs;
	sent.pings += pongs;
	sent.rx_frames += 2 * pongs;
	sent.tx_frames += 2 * pongs;
	close_all(&all);
	return insn;
}

static double in_tcp(void)
{
	struct all all;
	unsigned int i;
	double insn;

	open_all(&all, TCP_CONNECTIONS);
	for (i = 0; i < all.n; i++) {
		int fd = all.app[i];

		set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, TCP_INTERVAL);
		set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, TCP_INTERVAL);
		set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		spin(APART);
	}
	insn = per_round("probe of TCP", tcp_rounds);
	close_all(&all);
	return insn;
}

void bench_keepalive(void)
{
	double user, kernel;

	profile_begin();
	background = spin(WINDOW);
	profile_end("P9", "background", 1);
	report_raw("P9", "background", background, "insn/window");
	user = in_user_space();
	kernel = in_kernel();
	in_tcp();
	report_ratio("P9", "keepalive", kernel / user,
		     "user space at both ends", RATIO_LIMIT);
}
