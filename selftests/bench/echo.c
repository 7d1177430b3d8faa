// SPDX-License-Identifier: GPL-2.0
/*
 * P4, P5: the whole way of an echo. The client writes a masked frame and
 * reads the reply; the server's process wakes up in between, takes one recv()
 * and one send(). Three servers: one that parses nothing, one that frames in
 * user space, one that leaves it to the kernel.
 */
#include <string.h>

#include <linux/ws.h>

#include "bench.h"

#define PAYLOAD		20
#define FIN		0x80
#define BYTES_LIMIT	1.02
#define IN_PLACE_LIMIT	1.00

struct trip {
	int	fd;
	u8	out[64];
	size_t	out_len;
	size_t	in_len;
	bool	counted;
};

static void trip(void *arg, unsigned int n)
{
	struct trip *t = arg;
	u8 in[64];

	if (t->counted) {
		sent.rx_frames += n;
		sent.rx_bytes += (u64)n * PAYLOAD;
		sent.tx_frames += n;
		sent.tx_bytes += (u64)n * PAYLOAD;
	}
	while (n--) {
		put(t->fd, t->out, t->out_len);
		get(t->fd, in, t->in_len);
	}
}

static double echo_cost(enum server_kind kind, const char *what)
{
	u8 payload[PAYLOAD], reply[64];
	struct trip t = { .counted = kind == SERVE_KERNEL };
	struct server s;
	struct pair p;
	double insn;

	memset(payload, 'x', PAYLOAD);
	t.out_len = wire_frame(t.out, FIN | WS_OP_BINARY, payload, PAYLOAD,
			       true);
	t.in_len = kind == SERVE_BYTES ? t.out_len :
		   wire_frame(reply, FIN | WS_OP_BINARY, payload, PAYLOAD,
			      false);
	pair_open(&p);
	if (kind == SERVE_KERNEL)
		attach(p.app, WS_SERVER);
	server_start(&s, kind, &p.app, 1);
	t.fd = p.peer;
	insn = cost("P5", what, trip, &t);
	server_stop(&s);
	pair_close(&p);
	return insn;
}

void bench_echo(void)
{
	double bytes = echo_cost(SERVE_BYTES, "echo unparsed");
	double place = echo_cost(SERVE_IN_PLACE, "echo framed in user space");
	double kernel = echo_cost(SERVE_KERNEL, "echo framed by the kernel");

	report_ratio("P4", "echo", kernel / bytes,
		     "an epoll echo that parses nothing", BYTES_LIMIT);
	report_ratio("P5", "echo", kernel / place,
		     "the in-place epoll server", IN_PLACE_LIMIT);
}
