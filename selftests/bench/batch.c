// SPDX-License-Identifier: GPL-2.0
/*
 * P7: many small messages at once, in WS_RX_RECORDS and by WS_RECORDS. What a
 * further message costs is the difference between many and few in one call.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/ws.h>

#include "bench.h"

#define FIN		0x80
#define FEW		16
#define MANY		240
#define LONG		125
#define SHORT		20
#define FURTHER_LIMIT	120
#define PER_RECV	256
#define DEEP		2048
#define ROOM		(512 << 10)

struct batch {
	int		from;
	int		to;
	bool		rx;	/* the kernel parses at the other end */
	bool		tx;	/* the kernel frames at this end */
	bool		echo;	/* a server is at the other end */
	size_t		len;	/* payload of a message */
	size_t		wire;	/* bytes of a frame on the way there */
	size_t		back;	/* bytes that arrive for each */
};

static u8 out[ROOM], in[ROOM];

static size_t record_size(size_t len)
{
	return sizeof(struct ws_rec) + ((len + 7) & -8);
}

static void put_records(int fd, size_t len, unsigned int n)
{
	static union {
		struct cmsghdr align;
		u8	room[CMSG_SPACE(MANY * sizeof(struct ws_txrec))];
	} control;
	struct cmsghdr *cmsg = &control.align;
	struct ws_txrec *rec = (struct ws_txrec *)CMSG_DATA(cmsg);
	struct iovec iov = { .iov_base = out, .iov_len = n * len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = cmsg,
		.msg_controllen = CMSG_SPACE(n * sizeof(*rec)),
	};
	unsigned int i;

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_RECORDS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(*rec));
	for (i = 0; i < n; i++)
		rec[i] = (struct ws_txrec){ .len = len, .opcode = WS_OP_BINARY,
					    .flags = WS_F_FIN };
	if (sendmsg(fd, &msg, 0) != (ssize_t)iov.iov_len)
		die("sendmsg of records");
}

static void account(const struct batch *b, u64 n)
{
	if (b->rx || b->echo) {
		sent.rx_frames += b->rx ? n : 0;
		sent.rx_bytes += b->rx ? n * b->len : 0;
	}
	if (b->tx) {
		sent.tx_frames += n;
		sent.tx_bytes += n * b->len;
	}
}

static void turn(const struct batch *b, unsigned int messages)
{
	if (b->tx && !b->echo)
		put_records(b->from, b->len, messages);
	else
		put(b->from, out, messages * b->wire);
	get(b->to, in, messages * b->back);
}

static void few(void *arg, unsigned int n)
{
	account(arg, (u64)n * FEW);
	while (n--)
		turn(arg, FEW);
}

static void many(void *arg, unsigned int n)
{
	account(arg, (u64)n * MANY);
	while (n--)
		turn(arg, MANY);
}

static double further(struct batch *b, const char *what)
{
	double insn = slope("P7", what, few, many, b, MANY - FEW);

	report_raw("P7", what, insn, "insn/further message");
	return insn;
}

static void rx_further(size_t len)
{
	struct batch b = { .len = len };
	double tcp, ws;
	struct pair p;
	char what[64];

	pair_open(&p);
	b.from = p.peer;
	b.to = p.app;
	b.wire = wire_frames(out, FIN | WS_OP_BINARY, len, true, MANY) / MANY;
	b.back = b.wire;
	snprintf(what, sizeof(what), "rx %zu B on plain TCP", len);
	tcp = further(&b, what);
	attach(p.app, WS_SERVER);
	set_int(p.app, SOL_WS, WS_RX_MODE, WS_RX_RECORDS);
	b.rx = true;
	b.back = record_size(len);
	snprintf(what, sizeof(what), "rx %zu B in records", len);
	ws = further(&b, what);
	pair_close(&p);
	snprintf(what, sizeof(what), "rx further message of %zu B", len);
	report_over("P7", what, ws - tcp, "insn", FURTHER_LIMIT);
}

static void tx_further(size_t len)
{
	struct batch b = { .len = len };
	double tcp, ws;
	struct pair p;
	char what[64];

	pair_open(&p);
	b.from = p.app;
	b.to = p.peer;
	b.wire = wire_frames(out, FIN | WS_OP_BINARY, len, false, MANY) / MANY;
	b.back = b.wire;
	snprintf(what, sizeof(what), "tx %zu B on plain TCP", len);
	tcp = further(&b, what);
	attach(p.app, WS_SERVER);
	b.tx = true;
	snprintf(what, sizeof(what), "tx %zu B in records", len);
	ws = further(&b, what);
	pair_close(&p);
	snprintf(what, sizeof(what), "tx further message of %zu B", len);
	report_over("P7", what, ws - tcp, "insn", FURTHER_LIMIT);
}

static double echo_further(enum server_kind kind, const char *what)
{
	struct batch b = { .len = SHORT, .echo = true };
	struct server s;
	struct pair p;
	double insn;

	pair_open(&p);
	b.rx = kind == SERVE_RECORDS;
	b.tx = kind == SERVE_RECORDS;
	if (b.rx) {
		attach(p.app, WS_SERVER);
		set_int(p.app, SOL_WS, WS_RX_MODE, WS_RX_RECORDS);
	}
	b.from = p.peer;
	b.to = p.peer;
	b.wire = wire_frames(out, FIN | WS_OP_BINARY, SHORT, true, MANY) / MANY;
	b.back = kind == SERVE_BYTES ? b.wire : SHORT + 2;
	server_start(&s, kind, &p.app, 1);
	insn = further(&b, what);
	server_stop(&s);
	pair_close(&p);
	return insn;
}

/* How many messages does one recv() return when there are that many? */
static void per_recv(void)
{
	size_t size = wire_frames(out, FIN | WS_OP_BINARY, SHORT, true, DEEP);
	struct pair p;
	ssize_t n;

	pair_open(&p);
	attach(p.app, WS_SERVER);
	set_int(p.app, SOL_WS, WS_RX_MODE, WS_RX_RECORDS);
	put(p.peer, out, size);
	sent.rx_frames += DEEP;
	sent.rx_bytes += DEEP * SHORT;
	n = get_some(p.app, in, sizeof(in));
	report_least("P7", "one recv()", n / record_size(SHORT), "messages",
		     PER_RECV);
	pair_close(&p);
}

void bench_batch(void)
{
	double bytes, place, kernel;

	per_recv();
	rx_further(LONG);
	rx_further(SHORT);
	tx_further(LONG);
	tx_further(SHORT);
	bytes = echo_further(SERVE_BYTES, "echo unparsed");
	place = echo_further(SERVE_IN_PLACE, "echo framed in user space");
	kernel = echo_further(SERVE_RECORDS, "echo in records");
	report_raw("P7", "echo in place over unparsed", place - bytes, "insn");
	report_ratio("P7", "echo further message", kernel / place,
		     "the in-place epoll server", 1);
}
