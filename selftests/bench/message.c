// SPDX-License-Identifier: GPL-2.0
/*
 * P4: what a small message costs over the same bytes on plain TCP, received
 * and sent. Both ends are in this process, and no one waits: what is measured
 * is all that the two calls and the softirq between them do.
 */
#include <stdio.h>
#include <string.h>

#include <linux/ws.h>

#include "bench.h"

#define RX_LIMIT	300
#define TX_LIMIT	250
#define FIN		0x80

/* One turn of the loop: out of one socket, into the other. */
struct hop {
	int	from;
	int	to;
	u8	out[256];
	size_t	out_len;
	size_t	in_len;
	u64	*frames;	/* what the kernel is to count, or NULL */
	u64	*bytes;
	size_t	payload;
};

static void hop(void *arg, unsigned int n)
{
	struct hop *h = arg;
	u8 in[256];

	if (h->frames) {
		*h->frames += n;
		*h->bytes += (u64)n * h->payload;
	}
	while (n--) {
		put(h->from, h->out, h->out_len);
		get(h->to, in, h->in_len);
	}
}

static double over_tcp(const char *what, const struct hop *plain,
		       const struct hop *framed, int role)
{
	struct hop h = *plain;
	double tcp, ws;
	struct pair p;
	char name[64];
	bool rx = framed->frames == &sent.rx_frames;

	pair_open(&p);
	h.from = rx ? p.peer : p.app;
	h.to = rx ? p.app : p.peer;
	snprintf(name, sizeof(name), "%s on plain TCP", what);
	tcp = cost("P4", name, hop, &h);
	h = *framed;
	h.from = rx ? p.peer : p.app;
	h.to = rx ? p.app : p.peer;
	attach(p.app, role);
	snprintf(name, sizeof(name), "%s framed", what);
	ws = cost("P4", name, hop, &h);
	pair_close(&p);
	return ws - tcp;
}

static void rx(const char *role_name, int role, u8 opcode, size_t len)
{
	struct hop plain = { }, framed;
	u8 payload[128];
	char what[64];

	memset(payload, 'x', sizeof(payload));
	plain.out_len = wire_frame(plain.out, FIN | opcode, payload, len,
				   role == WS_SERVER);
	plain.in_len = plain.out_len;
	framed = plain;
	framed.in_len = len;
	framed.payload = len;
	framed.frames = &sent.rx_frames;
	framed.bytes = &sent.rx_bytes;
	snprintf(what, sizeof(what), "rx %s %s %zu B", role_name,
		 opcode == WS_OP_TEXT ? "text" : "binary", len);
	report_over("P4", what, over_tcp(what, &plain, &framed, role),
		    "insn/message", RX_LIMIT);
}

static void tx(const char *role_name, int role, size_t len)
{
	struct hop plain = { }, framed;
	u8 payload[128];
	char what[64];

	memset(payload, 'x', sizeof(payload));
	plain.out_len = wire_frame(plain.out, FIN | WS_OP_BINARY, payload, len,
				   role == WS_CLIENT);
	plain.in_len = plain.out_len;
	framed = plain;
	memcpy(framed.out, payload, len);
	framed.out_len = len;
	framed.payload = len;
	framed.frames = &sent.tx_frames;
	framed.bytes = &sent.tx_bytes;
	snprintf(what, sizeof(what), "tx %s binary %zu B", role_name, len);
	report_over("P4", what, over_tcp(what, &plain, &framed, role),
		    "insn/message", TX_LIMIT);
}

void bench_message(void)
{
	rx("server", WS_SERVER, WS_OP_BINARY, 20);
	rx("server", WS_SERVER, WS_OP_TEXT, 20);
	rx("server", WS_SERVER, WS_OP_BINARY, 125);
	rx("client", WS_CLIENT, WS_OP_BINARY, 20);
	tx("server", WS_SERVER, 20);
	tx("server", WS_SERVER, 125);
	tx("client", WS_CLIENT, 20);
}
