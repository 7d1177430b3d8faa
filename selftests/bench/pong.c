// SPDX-License-Identifier: GPL-2.0
/*
 * P8: from ping to pong. The same server process waits in epoll_wait() both
 * times: woken to answer in user space, or never woken because the kernel
 * does.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/ws.h>

#include "bench.h"

#define FIN		0x80
#define PAYLOAD		4
#define RATIO_LIMIT	0.72
#define STOPPED		600	/* seconds */

struct ping {
	int	fd;
	u8	out[32];
	size_t	out_len;
	bool	counted;
};

static void ping(void *arg, unsigned int n)
{
	struct ping *p = arg;
	u8 in[PAYLOAD + 2];

	if (p->counted) {
		sent.rx_frames += n;
		sent.tx_frames += n;
		sent.pings += n;
	}
	while (n--) {
		put(p->fd, p->out, p->out_len);
		get(p->fd, in, sizeof(in));
	}
	if (in[0] != (FIN | WS_OP_PONG) || in[1] != PAYLOAD)
		dief("this is not a pong");
}

static void ping_init(struct ping *p, int fd, bool counted)
{
	p->fd = fd;
	p->counted = counted;
	p->out_len = wire_frame(p->out, FIN | WS_OP_PING, "abcd", PAYLOAD,
				true);
}

static double pong_cost(enum server_kind kind, const char *what)
{
	u64 wakeups, switches;
	struct server s;
	struct ping pg;
	struct pair p;
	double insn;

	pair_open(&p);
	if (kind == SERVE_KERNEL)
		attach(p.app, WS_SERVER);
	server_start(&s, kind, &p.app, 1);
	ping_init(&pg, p.peer, kind == SERVE_KERNEL);
	ping(&pg, 1);
	while (kind == SERVE_KERNEL && !server_switches(&s))
		sched_yield();	/* it has not come to epoll_wait() yet */
	wakeups = *s.wakeups;
	switches = server_switches(&s);
	insn = cost("P8", what, ping, &pg);
	switches = server_switches(&s) - switches;
	wakeups = *s.wakeups - wakeups;
	server_stop(&s);
	pair_close(&p);
	if (kind == SERVE_KERNEL) {
		report_most("P8", "pong", switches,
			    "wake-ups of the server", 0);
		report_most("P8", "pong", wakeups,
			    "system calls of the server", 0);
	}
	return insn;
}

void bench_pong(void)
{
	double place = pong_cost(SERVE_IN_PLACE, "pong from user space");
	double kernel = pong_cost(SERVE_KERNEL, "pong from the kernel");

	report_ratio("P8", "pong", kernel / place,
		     "the in-place epoll server", RATIO_LIMIT);
}

/* P10: idle time is skipped, so that ten minutes take a moment. */
void bench_stopped(void)
{
	struct timespec second = { .tv_sec = 1 };
	u64 start, i, before;
	struct server s;
	struct ping pg;
	struct pair p;

	pair_open(&p);
	attach(p.app, WS_SERVER);
	server_start(&s, SERVE_KERNEL, &p.app, 1);
	if (kill(s.pid, SIGSTOP) ||
	    waitpid(s.pid, NULL, WUNTRACED) != s.pid)
		die("SIGSTOP");
	ping_init(&pg, p.peer, true);
	before = stat_get("WsTxPong");
	start = now();
	for (i = 0; i < STOPPED; i++) {
		ping(&pg, 1);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL);
	}
	if (now() - start < STOPPED * 1000000000ull)
		dief("the clock does not run");
	report_least("P10", "stopped for 600 s",
		     stat_get("WsTxPong") - before, "pongs", STOPPED);
	server_stop(&s);
	pair_close(&p);
}
