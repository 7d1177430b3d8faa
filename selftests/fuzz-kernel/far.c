// SPDX-License-Identifier: GPL-2.0
/* The far end: frames, good and bad, in segments, likely and unlikely. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "received.h"
#include "run.h"

static int tun = -1;

/* Where the kernel is in the peer's stream. */
static size_t known_now(struct run *r)
{
	uint64_t n;

	if (r->fd < 0 || received_now(r->fd, &n))
		n = r->w.acked - r->base;
	return n < STREAM ? n : STREAM;
}

/*
 * The place of a FIN counts as a byte once TCP has taken it. What became of one
 * out of order is not known. Return: bytes that are known
 */
static size_t see_fin(struct run *r, bool fin, long at, size_t known)
{
	if (fin && at > (long)r->model.known && known <= r->model.known)
		r->judge = false;
	if (fin && !r->fin_sent && known > r->model.known &&
	    known == (size_t)at + 1) {
		r->fin_sent = true;
		r->fin_at = at;
	}
	return r->fin_sent && known > r->fin_at ? r->fin_at : known;
}

/* Bytes of the peer's stream, in a segment of any kind */
static void send_at(struct run *r, struct segment *s, long at,
		    const uint8_t *data, size_t len)
{
	size_t known;

	s->seq = r->base + at;
	s->data = data;
	s->len = len;
	if (wire_send(&r->w, s))
		r->lost = true;
	disarm(r);
	if (r->lost)
		return;
	totals.segments++;
	known = known_now(r);
	known = see_fin(r, s->flags & TH_FIN, at + len, known);
	if (r->fd >= 0)
		model_segment(&r->model, at, data, len, known);
}

static struct segment segment(struct run *r, const struct operation *o)
{
	struct segment s = wire_segment(&r->w);

	s.flags |= o->b & 1 ? TH_PUSH : 0;
	return s;
}

/* From what is known on, in one segment or in equal ones */
static void send_next(struct run *r, const struct operation *o, size_t piece)
{
	size_t at = r->model.known, n, end = at + o->n;
	struct segment s = segment(r, o);
	unsigned int i;

	if (end > r->out_len)
		end = r->out_len;
	for (i = 0; at < end && i < 300; i++) {
		n = end - at < piece ? end - at : piece;
		send_at(r, &s, at, r->out + at, n);
		if (r->model.known != at + n)
			break;
		at += n;
		if (piece < 100)
			far_look(r);
		s = segment(r, o);
	}
}

static void send_some(struct run *r, const struct operation *o)
{
	send_next(r, o, WIRE_DATA);
}

static void send_crumbs(struct run *r, const struct operation *o)
{
	send_next(r, o, 1 + o->a % 16);
}

static void send_all(struct run *r, const struct operation *o)
{
	static const size_t pieces[] = { 1, 7, 536, 1460, 9000, WIRE_DATA };
	struct operation all = *o;

	all.n = STREAM;
	send_next(r, &all, pieces[o->a % 6]);
}

/* First bytes and lengths of frames, as a peer would put them in their place */
static void alter(uint8_t *p, size_t len, struct dice *d)
{
	static const uint8_t bytes[] = {
		0x8a, 0x89, 0x88, 0x82, 0x81, 0x02, 0x01, 0x00, 0x80, 0xfe,
		0xff, 0x7e, 0x7f, 0x7d, 0x85,
	};
	size_t i;

	for (i = 0; i < len; i++)
		if (roll_one_in(d, 2))
			p[i] = bytes[roll_below(d, sizeof(bytes))];
}

/*
 * A segment that begins before what is known and goes beyond it, with other
 * bytes in the old part, or everywhere.
 */
static void send_overlap(struct run *r, const struct operation *o)
{
	size_t known = r->model.known, len;
	size_t back = 1 + o->a % (o->b & 4 ? 4 : 40);
	struct segment s = segment(r, o);
	struct dice d = { o->seed };
	static uint8_t data[WIRE_DATA];

	if (back > known)
		back = known;
	len = back + o->n % 3000;
	if (known - back + len > r->out_len)
		len = r->out_len - (known - back);
	memcpy(data, r->out + known - back, len);
	alter(data, o->b & 2 ? len : back < len ? back : len, &d);
	send_at(r, &s, known - back, data, len);
}

/* Out of order, with its own bytes or, rarely, others */
static void send_gap(struct run *r, const struct operation *o)
{
	size_t at = r->model.known + 1 + o->a % 64, len = o->n;
	struct segment s = segment(r, o);
	struct dice d = { o->seed };
	static uint8_t data[WIRE_DATA];

	if (at >= r->out_len)
		return;
	if (len > r->out_len - at)
		len = r->out_len - at;
	if (len > sizeof(data))
		len = sizeof(data);
	memcpy(data, r->out + at, len);
	if (o->b % 8 == 2)
		alter(data, len, &d);
	send_at(r, &s, at, data, len);
}

/* The urgent pointer, anywhere */
static void send_urgent(struct run *r, const struct operation *o)
{
	size_t at = r->model.known, len = o->n;
	struct segment s = segment(r, o);

	if (!r->role_set)	/* raw reads would leave the byte out */
		r->judge = false;
	if (len > r->out_len - at)
		len = r->out_len - at;
	if (len > WIRE_DATA)
		len = WIRE_DATA;
	s.flags |= TH_URG;
	s.urgent = o->a % 2 ? o->a / 2 : len;
	send_at(r, &s, at, r->out + at, len);
}

static void send_fin(struct run *r, const struct operation *o)
{
	size_t at = r->model.known, len = o->n;
	struct segment s = segment(r, o);

	if (o->a & 1 || len > r->out_len - at)
		len = r->out_len - at;
	if (len > WIRE_DATA)
		len = WIRE_DATA;
	s.flags |= TH_FIN;
	if (o->a & 2)		/* out of order */
		at += o->a >> 2;
	if (at + len > r->out_len)
		len = at < r->out_len ? r->out_len - at : 0;
	send_at(r, &s, at, r->out + at, len);
}

static void send_reset(struct run *r, const struct operation *o)
{
	struct segment s = segment(r, o);

	s.seq = r->base + r->model.known + (o->a & 1 ? o->n : 0);
	s.flags = TH_RST | (o->b & 2 ? TH_ACK : 0);
	wire_send(&r->w, &s);
	totals.segments++;
}

/* Flags and numbers that make no sense */
static void send_odd(struct run *r, const struct operation *o)
{
	struct segment s = segment(r, o);
	struct dice d = { o->seed };

	s.seq = r->base + r->model.known - roll_below(&d, 3);
	switch (o->b / 2 % 6) {
	case 0:
		s.flags = o->a & ~TH_RST;
		break;
	case 1:
		s.ack += o->n;
		break;
	case 2:
		s.ack -= o->n;
		break;
	case 3:
		s.stamp -= o->n;
		break;
	case 4:
		s.stamped = !s.stamped;
		break;
	default:
		s.seq -= o->n;
	}
	/* empty, so that the stream stays as it is */
	send_at(r, &s, (int32_t)(s.seq - r->base), NULL, 0);
}

static void set_window(struct run *r, const struct operation *o)
{
	r->w.room = o->a & 1 ? 0 : o->a & 2 ? 1 : o->n;
	wire_ack(&r->w);
	totals.segments++;
}

static void set_acks(struct run *r, const struct operation *o)
{
	r->acks = o->a & 1;
	if (r->acks)
		wire_ack(&r->w);
}

/* The first byte of a frame that is the next in its place, or is not */
static int first_byte(struct run *r, struct dice *d, unsigned int kind)
{
	static const uint8_t control[] = { 0x89, 0x8a, 0x89, 0x8a, 0x8a, 0x88 };
	bool fin = !roll_one_in(d, 3);
	int op;

	switch (kind % 16) {
	case 0 ... 7:
		op = r->open ? 0 : 1 + roll_below(d, 2);
		r->open = !fin;
		return op | fin << 7;
	case 8 ... 12:
		return control[roll_below(d, 6)];
	case 13:
		return (roll(d) & 0x70) | 0x80 | (1 + roll_below(d, 2));
	case 14:
		return 0x80 | roll_below(d, 16);
	default:
		return roll(d) & 0xff;
	}
}

/* Text or anything; Close has a code */
static void fill(uint8_t *p, size_t len, int b0, struct dice *d)
{
	static const char *const words[] = {
		"a", "text ", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\xc3", "\x80",
	};
	bool text = !roll_one_in(d, 4);
	unsigned int i, good = roll_one_in(d, 4) ? 7 : 5;
	const char *word = "";

	for (i = 0; i < len; i++) {
		if (!*word)
			word = words[roll_below(d, good)];
		p[i] = text ? (uint8_t)*word++ : roll(d);
	}
	if ((b0 & 15) == 8 && len >= 2 && !roll_one_in(d, 4)) {
		p[0] = 3;
		p[1] = 0xe8 + roll_below(d, 4);
	}
}

static size_t make_header(struct run *r, struct dice *d, uint8_t *p, int b0,
			  size_t len, uint8_t key[4])
{
	unsigned int more = len < 126 ? 0 : len < 65536 ? 2 : 8, i;
	bool masked = !r->program->client;
	uint64_t said = len;
	size_t n = 2;

	if (roll_one_in(d, 60))
		masked = !masked;
	if (roll_one_in(d, 40))
		more = more == 8 ? 8 : more + 2 + 4 * !!more;
	if (roll_one_in(d, 60))
		said = roll(d) >> roll_below(d, 64);
	p[0] = b0;
	p[1] = masked << 7 | (more == 8 ? 127 : more == 2 ? 126 : said & 127);
	for (i = more; i > 0; i--)
		p[n++] = said >> 8 * (i - 1);
	memset(key, 0, 4);
	for (i = 0; masked && i < 4; i++) {
		key[i] = roll(d);
		p[n++] = key[i];
	}
	return n;
}

size_t make_frame(struct run *r, struct dice *d, uint8_t *to, size_t room,
		  unsigned int kind, size_t len)
{
	uint8_t key[4];
	size_t i, n;
	int b0;

	if (room < 16)
		return 0;
	b0 = first_byte(r, d, kind);
	if (b0 & 8 && !roll_one_in(d, 16))
		len %= 126;
	if (len > room - 16)
		len = room - 16;
	n = make_header(r, d, to, b0, len, key);
	fill(to + n, len, b0, d);
	for (i = 0; i < len; i++)
		to[n + i] ^= key[i & 3];
	return n + len;
}

static void add_frame(struct run *r, const struct operation *o)
{
	struct operation all = { .b = 1 };
	struct dice d = { o->seed };

	r->out_len += make_frame(r, &d, r->out + r->out_len,
				 STREAM - r->out_len, o->a, o->n);
	if (o->b & 1) {
		all.n = STREAM;
		send_next(r, &all, WIRE_DATA);
	}
}

/* The first bytes of one: the kernel has a part of its header. */
static void begin_frame(struct run *r, const struct operation *o)
{
	size_t begin = r->out_len - r->model.known;
	struct operation some = { .b = 1 }, frame = *o;

	frame.b = 0;
	add_frame(r, &frame);
	some.n = begin + 1 + o->b % 8;
	send_next(r, &some, WIRE_DATA);
}

/* Many short ones */
static void add_flood(struct run *r, const struct operation *o)
{
	unsigned int i, count = 1 + o->n % 500;
	struct operation all = { .b = 1 };
	struct dice d = { o->seed };

	for (i = 0; i < count; i++)
		r->out_len += make_frame(r, &d, r->out + r->out_len,
					 STREAM - r->out_len, o->a % 13,
					 o->b >> 4);
	if (o->b & 1) {
		all.n = STREAM;
		send_next(r, &all, o->b & 2 ? WIRE_DATA : 1460);
	}
}

static void add_raw(struct run *r, const struct operation *o)
{
	struct dice d = { o->seed };
	size_t n = o->n % 32;

	while (n-- && r->out_len < STREAM)
		r->out[r->out_len++] = roll(&d);
}

/* All that the kernel sent is whole frames, from its role on. */
static void check_sent(struct run *r)
{
	const uint8_t *data = r->w.in;
	size_t len = r->w.in_len, raw;
	const char *what;

	raw = len < r->raw_sent ? len : r->raw_sent;
	r->raw_sent -= raw;
	r->w.in_len = 0;
	if (!r->role_set)
		return;
	what = sent_check(&r->sent, data + raw, len - raw, r->program->client,
			  r->ext);
	if (what)
		wrong(r, "the kernel sent a frame with a wrong %s", what);
	if (r->w.fin && !r->raw_sent && (r->sent.left || r->sent.have))
		wrong(r, "the kernel sent FIN inside a frame");
}

void far_look(struct run *r)
{
	int n = wire_drain(&r->w);

	if (r->w.in_len || r->w.fin)
		check_sent(r);
	if (n > 0 && r->acks && !r->w.reset)
		wire_ack(&r->w);
}

/* In the place where the kernel is, which it may not have said yet */
void far_reset(struct run *r)
{
	wire_ask(&r->w, 0);
	wire_drain(&r->w);
	wire_reset(&r->w);
	wire_drain(&r->w);
}

int far_open(struct run *r, const struct program *p)
{
	if (tun < 0) {
		tun = wire_tun();
		if (tun < 0)
			return -1;
	}
	wire_init(&r->w, tun, p->ipv6 ? AF_INET6 : AF_INET);
	r->fd = wire_open(&r->w, p->connects);
	r->base = r->w.next;
	r->acks = true;
	return r->fd < 0 ? -1 : 0;
}

#define FAR(name, weight, run)	{ { name, weight, false }, true, false, run }

const struct call far_calls[] = {
	FAR("frame", 40, add_frame),
	FAR("begin", 12, begin_frame),
	FAR("flood", 6, add_flood),
	FAR("bytes", 2, add_raw),
	FAR("some", 12, send_some),
	FAR("crumbs", 5, send_crumbs),
	FAR("all", 16, send_all),
	FAR("overlap", 10, send_overlap),
	FAR("gap", 8, send_gap),
	FAR("urgent", 3, send_urgent),
	FAR("fin", 2, send_fin),
	FAR("reset", 1, send_reset),
	FAR("odd", 2, send_odd),
	FAR("window", 4, set_window),
	FAR("acks", 4, set_acks),
};

const unsigned int far_count = sizeof(far_calls) / sizeof(*far_calls);
