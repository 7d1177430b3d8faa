// SPDX-License-Identifier: GPL-2.0
/*
 * What is received, of streams made at random: good ones, broken ones, ones
 * that end too early, in any cuts, read by any calls. A model tells what has
 * to come of each.
 */
#include <sched.h>

#include "fixture.h"
#include "random.h"

#define BUFFER		(256 << 10)
#define MESSAGE_MAX	200000
#define FRAMES		400
#define PONGS		200

/* How a stream ends */
enum { CLOSED, BROKEN, BAD_TEXT, TOO_BIG, CUT, ENDS };

/* A frame that the reader is to see; in WS_RX_MESSAGE a whole message */
struct frame {
	const byte *data;
	size_t len;
	size_t more;		/* bytes behind len that nobody gets */
	int opcode;		/* of the message */
	int rsv;
	bool ctrl;
	bool fin;
	bool never;		/* the end of it is not told */
};

/* Where the reader is */
struct place {
	int at;
	size_t off;
	bool begun;		/* bytes of this message were read */
	bool maybe;		/* its end may have been told */
	bool passed;		/* empty messages may have been passed over */
};

struct round {
	struct dice dice, cuts;
	struct peer *p;
	int mode;
	int deliver;		/* WS_RX_CTRL */
	bool ext;
	bool check;		/* WS_UTF8 */
	int end;

	/* what is sent */
	byte wire[3 << 20];
	size_t len;
	byte data[2 << 20];
	size_t used;
	bool open;
	bool quiet;		/* all of it is there before it is read */

	/* what comes of it */
	struct frame frame[FRAMES];
	int nr;
	struct { byte len, data[125]; } pong[PONGS];
	int pongs, sure;
	bool over;		/* what follows has no consequence */
	int err;
	int code;		/* of the Close that comes back; -1 = none */
	int ended;		/* what WS_CLOSE reads */

	struct place place;
	int pipe[2];
	byte buf[BUFFER];
	bool tell;		/* the next call needs room for WS_FRAME */
	bool ready;		/* and must find something */
	bool told;		/* err was */
};

/* One call, or one record */
struct got {
	ssize_t n;
	int err;
	const byte *data;	/* NULL: thrown away */
	size_t size;
	bool room;		/* for WS_FRAME */
	bool known;		/* eor is */
	bool eor;
	bool trunc;
	bool peek;
	bool record;
	bool framed;
	struct ws_frame frame;
};

/* ------- making a stream ------- */

static void put(struct round *r, const void *p, size_t n)
{
	memcpy(r->wire + r->len, p, n);
	r->len += n;
}

static void put_header(struct round *r, int b0, unsigned long long len,
		       int wide, bool masked, byte key[4])
{
	byte h[10] = { b0, (wide == 8 ? 127 : wide == 2 ? 126 : len) |
			   (masked ? 0x80 : 0) };
	int i;

	for (i = wide; i > 0; i--, len >>= 8)
		h[1 + i] = len;
	put(r, h, 2 + wide);
	memset(key, 0, 4);
	if (masked && !one_in(&r->dice, 8))
		fill(&r->dice, key, 4);
	if (masked)
		put(r, key, 4);
}

static void put_frame(struct round *r, int b0, const byte *data, size_t len)
{
	bool masked = r->p->role == WS_SERVER;
	size_t i, at;
	byte key[4];

	put_header(r, b0, len, len < 126 ? 0 : len < 65536 ? 2 : 8, masked,
		   key);
	at = r->len;
	put(r, data, len);
	for (i = 0; i < len; i++)
		r->wire[at + i] ^= key[i % 4];
}

static byte *room(struct round *r, size_t n)
{
	byte *p = r->data + r->used;

	r->used += n;
	return p;
}

/* The reader is to see this. */
static struct frame *expect(struct round *r, int b0, int opcode,
			    const byte *data, size_t len)
{
	struct frame *f = &r->frame[r->nr];

	if (r->over)
		return NULL;
	r->nr++;
	*f = (struct frame){ .data = data, .len = len, .opcode = opcode & 15,
			     .rsv = opcode & WS_RSV_MASK, .ctrl = b0 & 8,
			     .fin = b0 & FIN };
	return f;
}

static bool delivered(const struct round *r, int opcode)
{
	switch (opcode) {
	case WS_OP_CLOSE:
		return r->deliver & WS_CTRL_CLOSE;
	case WS_OP_PING:
		return r->deliver & WS_CTRL_PING;
	case WS_OP_PONG:
		return r->deliver & WS_CTRL_PONG;
	default:
		return true;
	}
}

static void put_ctrl(struct round *r, int opcode, const byte *data, size_t len)
{
	put_frame(r, FIN | opcode, data, len);
	if (delivered(r, opcode & 15))
		expect(r, FIN | opcode, opcode, data, len);
	if (opcode != WS_OP_PING)
		return;
	r->pong[r->pongs].len = len;
	memcpy(r->pong[r->pongs++].data, data, len);
	if (!r->over)
		r->sure = r->pongs;
}

static void some_ctrl(struct round *r)
{
	int opcode = one_in(&r->dice, 3) ? WS_OP_PONG : WS_OP_PING;
	size_t len = below(&r->dice, 126);
	byte *data = room(r, 125);

	if (r->ext && one_in(&r->dice, 3))
		opcode = 11;
	fill(&r->dice, data, len);
	if (r->pongs < PONGS - 1 && r->nr < FRAMES - 50)
		put_ctrl(r, opcode, data, len);
}

static size_t character(struct dice *d, byte *p)
{
	unsigned int c;

	switch (below(d, 4)) {
	case 0:
		c = 0x80 + below(d, 0x780);
		p[0] = 0xc0 | c >> 6;
		p[1] = 0x80 | (c & 63);
		return 2;
	case 1:
		c = 0x800 + below(d, 0xf800);
		if (c >= 0xd800 && c < 0xe000)
			c -= 0x1000;
		p[0] = 0xe0 | c >> 12;
		p[1] = 0x80 | (c >> 6 & 63);
		p[2] = 0x80 | (c & 63);
		return 3;
	case 2:
		c = 0x10000 + below(d, 0x100000);
		p[0] = 0xf0 | c >> 18;
		p[1] = 0x80 | (c >> 12 & 63);
		p[2] = 0x80 | (c >> 6 & 63);
		p[3] = 0x80 | (c & 63);
		return 4;
	default:
		p[0] = below(d, 0x80);
		return 1;
	}
}

static void fill_text(struct dice *d, byte *p, size_t len)
{
	bool ascii = one_in(d, 3);
	size_t i = 0, n;
	byte c[4];

	while (i < len) {
		n = ascii ? 1 : character(d, c);
		if (n > len - i || (n == 1 && ascii)) {
			p[i++] = 'a' + below(d, 26);
			continue;
		}
		memcpy(p + i, c, n);
		i += n;
	}
}

/* RFC 3629. Return: index of the first bad byte, n if there is none */
static size_t good_text(const byte *p, size_t n, bool *whole)
{
	size_t i = 0, k, more;
	byte low, high;

	*whole = false;
	for (; i < n; i += more + 1) {
		low = 0x80;
		high = 0xbf;
		if (p[i] < 0x80)
			more = 0;
		else if (p[i] >= 0xc2 && p[i] <= 0xdf)
			more = 1;
		else if (p[i] >= 0xe0 && p[i] <= 0xef)
			more = 2;
		else if (p[i] >= 0xf0 && p[i] <= 0xf4)
			more = 3;
		else
			return i;
		if (p[i] == 0xe0)
			low = 0xa0;
		if (p[i] == 0xf0)
			low = 0x90;
		if (p[i] == 0xed)
			high = 0x9f;
		if (p[i] == 0xf4)
			high = 0x8f;
		for (k = 1; k <= more; k++, low = 0x80, high = 0xbf) {
			if (i + k == n)
				return n;
			if (p[i + k] < low || p[i + k] > high)
				return i + k;
		}
	}
	*whole = true;
	return n;
}

static const char *const not_utf8[] = {
	"\xff", "\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
	"\342\202a", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80",
	"\303b", "\361\200\200c",
};

/* Text that turns bad somewhere, or ends in the middle of a character */
static void spoil(struct dice *d, byte *p, size_t len)
{
	const char *bad;
	size_t n, at;
	bool whole;

	if (one_in(d, 3))
		p[len - 1] = 0xe1;
	/* behind a first byte it may be a good second one */
	while (good_text(p, len, &whole) == len && whole) {
		bad = not_utf8[below(d, ARRAY_SIZE(not_utf8))];
		n = strlen(bad);
		at = below(d, len);
		memcpy(p + at, bad, n < len - at ? n : len - at);
	}
}

/*
 * What is left of a frame when text goes no further than that many bytes of
 * the message. at is where the frame begins.
 */
static void stop_at(struct round *r, struct frame *f, size_t at, size_t good,
		    bool whole)
{
	if (at + f->len <= good && (whole || !f->fin || at + f->len < good))
		return;
	if (at + f->len > good) {
		f->more = at + f->len - good;
		f->len = good - at;
	}
	f->never = true;
	r->over = true;
	if (!f->len && !f->more)
		r->nr--;
}

struct message {
	const byte *data;
	size_t len;
	int opcode;		/* with reserved bits */
	size_t good;		/* so far it is text, if it has to be */
	bool whole;
	bool open;		/* do not end it */
};

static void put_fragment(struct round *r, const struct message *m, size_t at,
			 size_t len, bool last)
{
	int b0 = (at || r->open ? CONT : m->opcode) | (last ? FIN : 0);
	struct frame *f = NULL;

	if (r->open)
		b0 = CONT | (last ? FIN : 0);
	put_frame(r, b0, m->data + at, len);
	r->open = !last;
	if (r->mode != WS_RX_MESSAGE) {
		f = expect(r, b0 & FIN, m->opcode, m->data + at, len);
		if (f)
			stop_at(r, f, at, m->good, m->whole);
	} else if (at + len > m->good || (last && !m->whole)) {
		r->over = true;
	} else if (last) {
		expect(r, FIN, m->opcode, m->data, m->len);
	}
}

static void put_message(struct round *r, const struct message *m)
{
	size_t at = 0, len, parts = one_in(&r->dice, 2) ? 1 :
				    1 + below(&r->dice, 6);
	struct dice *d = &r->dice;

	while (parts--) {
		len = m->len - at;
		if (parts)
			len = one_in(d, 4) ? 0 : below(d, len + 1);
		put_fragment(r, m, at, len, !parts && !m->open);
		at += len;
		while (one_in(d, parts ? 3 : 5))
			some_ctrl(r);
	}
}

static bool checked(const struct round *r, int opcode)
{
	return r->check && opcode == TEXT;
}

static void some_message(struct round *r, bool bad, bool open)
{
	static const int opcodes[] = {
		TEXT, BINARY, TEXT, TEXT | WS_RSV1, BINARY | WS_RSV1, 3,
	};
	struct dice *d = &r->dice;
	struct message m = { .open = open, .whole = true };
	byte *data;

	m.opcode = bad ? TEXT : opcodes[below(d, r->ext ? 6 : 2)];
	m.len = length(d) + bad;
	data = room(r, m.len);
	m.data = data;
	m.good = m.len;
	if (m.opcode == TEXT)
		fill_text(d, data, m.len);
	else
		fill(d, data, m.len);
	if (m.opcode == TEXT && (bad || !r->check) && m.len)
		spoil(d, data, m.len);
	if (checked(r, m.opcode))
		m.good = good_text(data, m.len, &m.whole);
	if (m.open)
		m.whole = true;
	put_message(r, &m);
}

/* A header that no receiver may take */
static void bad_header(struct round *r)
{
	bool masked = r->p->role == WS_SERVER;
	int type = BINARY, wide = 0, len = below(&r->dice, 126), op;
	byte key[4];

	if (r->open)
		type = CONT;
	switch (below(&r->dice, 8)) {
	case 0:
		op = 4 + below(&r->dice, 8);
		type = op < 8 ? op : op + 4;
		break;
	case 1:
		type |= WS_RSV2;
		break;
	case 2:
		masked = !masked;
		break;
	case 3:
		put_header(r, WS_OP_PING, len, 0, masked, key);
		return;
	case 4:
		type = WS_OP_PONG;
		wide = 2;
		len = 126;
		break;
	case 5:
		type = r->open ? TEXT : CONT;
		break;
	case 6:
		wide = 2;
		break;
	default:
		wide = 8;
		len = one_in(&r->dice, 2) ? 65535 : -1;
	}
	put_header(r, FIN | type, len, wide, masked, key);
}

static void bad_close(struct round *r)
{
	static const int codes[] = { 0, 999, 1004, 1005, 1006, 1015, 2999,
				     5000, 65535 };
	byte body[8] = { 1000 >> 8, 1000 & 255, 0xc3, '(' };
	int code = codes[below(&r->dice, ARRAY_SIZE(codes))];
	size_t len = 1 + below(&r->dice, 3) * 2;

	if (len == 5) {
		len = 4;
		r->err = EILSEQ;
		r->code = 1007;
	} else {
		body[0] = code >> 8;
		body[1] = code;
	}
	/* 1: too short; 3: the code; 4: the reason */
	put_frame(r, CLOSE, body, len);
}

static void some_garbage(struct round *r)
{
	size_t n = one_in(&r->dice, 2) ? 0 : below(&r->dice, 100);
	byte junk[100];

	fill(&r->dice, junk, n);
	put(r, junk, n);
}

static void end_broken(struct round *r)
{
	if (one_in(&r->dice, 2))
		some_message(r, false, true);
	r->err = EPROTO;
	r->code = 1002;
	if (one_in(&r->dice, 3))
		bad_close(r);
	else
		bad_header(r);
	some_garbage(r);
}

static void end_bad_text(struct round *r)
{
	r->err = EILSEQ;
	r->code = 1007;
	some_message(r, true, false);
	if (one_in(&r->dice, 2))
		some_message(r, false, false);
}

static void end_too_big(struct round *r)
{
	byte key[4];

	r->err = EMSGSIZE;
	r->code = 1009;
	put_header(r, FIN | BINARY, MESSAGE_MAX + 1 +
		   (roll(&r->dice) >> (2 + below(&r->dice, 60))), 8,
		   r->p->role == WS_SERVER, key);
	some_garbage(r);
}

static void end_cut(struct round *r)
{
	size_t n, keep = r->len;

	r->code = -1;
	r->ended = 1006;
	if (one_in(&r->dice, 3))
		return;
	r->err = ECONNRESET;
	if (one_in(&r->dice, 2)) {
		some_message(r, false, true);
		return;
	}
	/* part of a ping, its header included */
	n = 1 + below(&r->dice, 5);
	put_frame(r, PING, (const byte *)"cut", 3);
	r->len = keep + n >= r->len ? r->len - 1 : keep + n;
}

static void end_closed(struct round *r)
{
	static const int codes[] = { 1000, 1001, 1003, 1007, 1014, 3000, 4999 };
	struct dice *d = &r->dice;
	byte *body = room(r, 125);
	size_t len = 0;

	r->code = 0;
	r->ended = 1005;
	if (!one_in(d, 4)) {
		r->code = codes[below(d, ARRAY_SIZE(codes))];
		r->ended = r->code;
		body[0] = r->code >> 8;
		body[1] = r->code;
		len = 2 + below(d, 124);
		fill_text(d, body + 2, len - 2);
	}
	put_ctrl(r, WS_OP_CLOSE, body, len);
	some_garbage(r);
}

static void make_stream(struct round *r)
{
	int n = below(&r->dice, one_in(&r->dice, 4) ? 20 : 5);

	while (n-- && r->len < 400000 && r->nr < FRAMES - 150)
		some_message(r, false, false);
	while (one_in(&r->dice, 3))
		some_ctrl(r);
	switch (r->end) {
	case BROKEN:
		end_broken(r);
		break;
	case BAD_TEXT:
		end_bad_text(r);
		break;
	case TOO_BIG:
		end_too_big(r);
		break;
	case CUT:
		end_cut(r);
		break;
	default:
		end_closed(r);
	}
	if (r->code >= 1002 && r->err)
		r->ended = r->code;
}

/* ------- sending it ------- */

static size_t cut(struct round *r, size_t left)
{
	size_t n;

	switch (below(&r->cuts, 6)) {
	case 0:
		n = 1 + below(&r->cuts, 8);
		break;
	case 1:
	case 2:
		n = 1 + below(&r->cuts, 2000);
		break;
	case 3:
		n = left;
		break;
	default:
		n = 1 + below(&r->cuts, 70000);
	}
	return n < left ? n : left;
}

static ssize_t write_stream(struct peer_job *job)
{
	struct round *r = job->buf;
	size_t at = 0, n;
	ssize_t sent;

	while (at < r->len) {
		n = cut(r, r->len - at);
		sent = send(job->fd, r->wire + at, n, MSG_NOSIGNAL);
		/* what follows a broken frame may meet a closed connection */
		if (sent < 0)
			return r->err ? 0 : -1;
		at += sent;
		if (one_in(&r->cuts, 3))
			sched_yield();
	}
	return r->end == CUT ? shutdown(job->fd, SHUT_WR) : 0;
}

/* ------- the model ------- */

static void step_over(struct round *r, struct place *at)
{
	const struct frame *f = &r->frame[at->at++];

	at->off = 0;
	if (!f->ctrl && f->fin)
		at->begun = false;
}

static bool tells_tail(const struct got *g)
{
	return !g->n && g->framed && g->eor && !(g->frame.flags & WS_F_FIRST);
}

static bool tells_empty(const struct got *g, const struct frame *f)
{
	return !g->n && g->framed && g->eor && g->frame.opcode == f->opcode;
}

/* Over what a call passes in silence, to what it has to tell of */
static const struct frame *seek(struct round *r, struct place *at,
				const struct got *g)
{
	const struct frame *f;

	for (; at->at < r->nr; step_over(r, at)) {
		f = &r->frame[at->at];
		if (f->ctrl || at->off < f->len)
			return f;
		if (!f->fin || f->never)
			continue;
		if (at->passed && !tells_empty(g, f))
			continue;
		/* the empty end of a message */
		if (at->maybe ? tells_tail(g) : g->room)
			return f;
		at->maybe = false;
	}
	return NULL;
}

/* Only empty fragments are left of this message, and its end. */
static bool nearly_over(const struct round *r, const struct place *at)
{
	int i = at->at;

	if (at->off < r->frame[i].len || r->frame[i].fin)
		return false;
	for (i++; i < r->nr; i++) {
		if (r->frame[i].ctrl || r->frame[i].len || r->frame[i].never)
			return false;
		if (r->frame[i].fin)
			return true;
	}
	return false;
}

static int compare_bytes(const struct got *g, const byte *want, size_t from,
			 size_t n)
{
	size_t i;

	for (i = 0; g->data && i < n && from + i < g->size; i++)
		if (g->data[from + i] != want[i])
			return wrong("byte %zu of %zd is %02x, not %02x",
				     from + i, g->n, g->data[from + i],
				     want[i]);
	return 0;
}

static int frame_is(const struct round *r, const struct got *g,
		    const struct frame *f, int flags, size_t left)
{
	int mask = WS_F_FIRST | WS_F_FIN | WS_RSV_MASK;

	if (!g->framed)
		return g->room ? wrong("no WS_FRAME") : 0;
	/*
	 * Where the bytes end may be a fragment of the message that is one, or
	 * an empty end of it that is bad.
	 */
	if ((r->mode == WS_RX_MESSAGE || r->end == BAD_TEXT) && !g->eor)
		mask &= ~WS_F_FIN;
	if (g->frame.opcode != f->opcode)
		return wrong("opcode %d, not %d", g->frame.opcode, f->opcode);
	flags |= f->rsv;
	if ((g->frame.flags ^ flags) & mask)
		return wrong("flags %02x, not %02x", g->frame.flags, flags);
	if (!g->record && !g->trunc && g->frame.left != left)
		return wrong("%lld bytes left, not %zu", g->frame.left, left);
	return 0;
}

static int take_ctrl(struct round *r, struct place *at, const struct got *g,
		     const struct frame *f)
{
	size_t left = f->len - at->off, n = g->n;
	int flags = WS_F_FIN | (at->off ? 0 : WS_F_FIRST);
	bool whole;

	if (n > left)
		return wrong("%zu of %zu bytes of a control frame", n, left);
	if (!g->room)
		return wrong("a control frame and no room to tell");
	if (compare_bytes(g, f->data + at->off, 0, n))
		return -1;
	if (g->trunc)
		n = left;
	whole = n == left;
	if (g->eor != whole && !g->trunc)
		return wrong("eor %d after %zu of %zu", g->eor, n, left);
	if (frame_is(r, g, f, flags, left - n))
		return -1;
	at->off += n;
	at->passed = false;
	if (at->off == f->len)
		step_over(r, at);
	return 0;
}

/* Return: the frame that they end in, or NULL */
static const struct frame *take_bytes(struct round *r, struct place *at,
				      const struct got *g)
{
	const struct frame *f = &r->frame[at->at];
	size_t done = 0, n;

	while (done < g->n) {
		if (at->off == f->len) {
			if (f->fin || at->at + 1 >= r->nr || f[1].ctrl) {
				wrong("%zd bytes, %zu too many", g->n,
				      g->n - done);
				return NULL;
			}
			step_over(r, at);
			f++;
			continue;
		}
		n = f->len - at->off;
		if (n > g->n - done)
			n = g->n - done;
		if (compare_bytes(g, f->data + at->off, done, n))
			return NULL;
		at->off += n;
		at->begun = true;
		at->passed = false;
		done += n;
	}
	return f;
}

static int take_data(struct round *r, struct place *at, const struct got *g)
{
	int flags = at->begun ? 0 : WS_F_FIRST;
	const struct frame *f = take_bytes(r, at, g);
	bool ended, tail;

	if (!f)
		return -1;
	/* a peek does not look whether text ends within a character */
	ended = f->fin && at->off == f->len && !f->more &&
		(!f->never || (g->peek && g->eor));
	tail = nearly_over(r, at);
	if (g->known && g->eor != ended && !g->trunc && !(tail && g->eor))
		return wrong("eor %d, not %d", g->eor, ended);
	if (f->fin || g->eor)
		flags |= WS_F_FIN;
	if (frame_is(r, g, f, flags, f->len - at->off + f->more))
		return -1;
	at->maybe = !g->known && tail;
	if (ended || (g->known && g->eor)) {
		while (!r->frame[at->at].fin)
			step_over(r, at);
		step_over(r, at);
	}
	return 0;
}

/* A call returned bytes or 0. Return: 1 at the end, -1 if it should not have */
static int take(struct round *r, const struct got *g)
{
	struct place at = r->place;
	const struct frame *f = seek(r, &at, g);
	int ret;

	if (!f && g->n)
		return wrong("%zd bytes behind the last", g->n);
	if (!f)
		return g->eor ? wrong("eor behind the last") : 1;
	if (!g->n && !g->eor)
		return wrong("the end at frame %d of %d", at.at, r->nr);
	if (g->peek && r->mode == WS_RX_STREAM && g->n > f->len - at.off)
		return wrong("peek shows %zd bytes, %zu are left", g->n,
			     f->len - at.off);
	ret = f->ctrl ? take_ctrl(r, &at, g, f) : take_data(r, &at, g);
	if (!ret && (!g->peek || g->record))
		r->place = at;
	return ret;
}

/* A message comes in pieces only where the whole of it will not fit or come. */
static bool piece_allowed(const struct round *r, const struct got *rec,
			  size_t room, bool alone, bool begun)
{
	const struct frame *f = &r->frame[r->place.at];

	if (rec->eor || rec->peek || begun || r->end == BAD_TEXT)
		return true;
	if (!alone)
		return false;
	return rec->n == room || r->err || r->nr > 200 || f->ctrl ||
	       (r->place.at + 1 < r->nr && f[1].ctrl) || r->len > 20000 ||
	       r->deliver || r->ext;
}

static int take_records(struct round *r, const struct got *g)
{
	struct place start = r->place;
	struct ws_rec rec;
	struct got one;
	size_t at = 0;
	bool begun;

	if (!g->n)
		return take(r, g);
	while (at < g->n) {
		if (g->n - at < sizeof(rec))
			return wrong("%zd bytes, no record", g->n - at);
		memcpy(&rec, g->data + at, sizeof(rec));
		if (rec.len > g->n - at - sizeof(rec) || rec.reserved)
			return wrong("record of %u bytes in %zd", rec.len,
				     g->n - at);
		one = (struct got){
			.n = rec.len, .data = g->data + at + sizeof(rec),
			.size = rec.len, .room = true, .known = true,
			.eor = !(rec.flags & WS_F_MORE), .record = true,
			.framed = true, .peek = g->peek,
			.frame = { .opcode = rec.opcode, .flags = rec.flags },
		};
		begun = r->place.begun;
		if (take(r, &one))
			return -1;
		if (!piece_allowed(r, &one, g->size - at - sizeof(rec), !at,
				   begun))
			return wrong("a piece of %u bytes at %zu of %zu",
				     rec.len, at, g->size);
		at += sizeof(rec) + rec.len;
		for (; at % 8 && at < g->n; at++)
			if (g->data[at])
				return wrong("padding is not zero");
	}
	if (g->peek)
		r->place = start;
	return 0;
}

/* ------- reading ------- */

/* In up to four pieces; with room for WS_FRAME or without */
static void receive(struct round *r, struct got *g, int flags)
{
	char control[CMSG_SPACE(sizeof(struct ws_frame))] = {};
	struct iovec iov[4] = {};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 4 };
	struct cmsghdr *cmsg;
	size_t at = 0;
	int i;

	for (i = 0; i < 4; i++) {
		iov[i].iov_base = r->buf + at;
		iov[i].iov_len = i == 3 || one_in(&r->dice, 3) ? g->size - at :
				 below(&r->dice, g->size - at + 1);
		at += iov[i].iov_len;
	}
	if (g->room) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	g->n = recvmsg(r->p->fd, &msg, flags);
	g->err = errno;
	if (g->n < 0)
		return;
	g->known = true;
	g->eor = msg.msg_flags & MSG_EOR;
	g->trunc = msg.msg_flags & MSG_TRUNC;
	cmsg = g->room ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cmsg && cmsg->cmsg_level == SOL_WS && cmsg->cmsg_type == WS_FRAME) {
		g->framed = true;
		memcpy(&g->frame, CMSG_DATA(cmsg), sizeof(g->frame));
	}
}

static void receive_plain(struct round *r, struct got *g, int flags)
{
	g->n = recv(r->p->fd, r->buf, g->size, flags);
	g->err = errno;
}

static void receive_splice(struct round *r, struct got *g, bool wait)
{
	size_t got = 0;
	ssize_t n;

	g->n = splice(r->p->fd, NULL, r->pipe[1], NULL, g->size,
		      wait ? 0 : SPLICE_F_NONBLOCK);
	g->err = errno;
	while (g->n > 0 && got < g->n) {
		n = read(r->pipe[0], r->buf + got, g->n - got);
		if (n <= 0)
			break;
		got += n;
	}
}

/* What FIONREAD tells is there to be read */
static int receive_told(struct round *r, struct got *g)
{
	int told = -1;

	if (ioctl(r->p->fd, FIONREAD, &told))
		return wrong("FIONREAD: %s", strerror(errno));
	g->size = BUFFER;
	receive_plain(r, g, MSG_DONTWAIT);
	/* EIO: a control frame, and no room to tell */
	if (told && g->n < told && r->end != BAD_TEXT &&
	    (g->n >= 0 || g->err != EIO))
		return wrong("FIONREAD %d, recv %zd", told, g->n);
	if (r->quiet && !told && g->n > 0)
		return wrong("FIONREAD 0, recv %zd", g->n);
	return 0;
}

static size_t some_size(struct round *r)
{
	static const size_t limit[] = { 8, 40, 200, 5000, 70000, BUFFER };
	size_t n = 1 + below(&r->dice, limit[below(&r->dice, 6)]);

	if (r->mode == WS_RX_RECORDS && n < 16 && !one_in(&r->dice, 8))
		n += 16;
	return n;
}

static int some_flags(struct round *r)
{
	int flags = one_in(&r->dice, 2) ? MSG_DONTWAIT : 0;

	if (one_in(&r->dice, 5))
		flags |= MSG_PEEK;
	else if (r->mode == WS_RX_STREAM && one_in(&r->dice, 8))
		flags |= MSG_WAITALL;
	return flags;
}

static int call(struct round *r, struct got *g, int *flags)
{
	*flags = some_flags(r);
	*g = (struct got){ .data = r->buf, .size = some_size(r) };
	if (r->ready)
		*flags = MSG_DONTWAIT;
	g->peek = *flags & MSG_PEEK;
	if (r->tell || r->ready) {
		if (g->size < 16)
			g->size = 16;
		g->room = true;
		receive(r, g, *flags);
		return 0;
	}
	switch (below(&r->dice, 8)) {
	case 0:
	case 1:
		receive_plain(r, g, *flags);
		break;
	case 2:
		*flags &= MSG_DONTWAIT;
		g->peek = false;
		receive_splice(r, g, !*flags);
		break;
	case 3:
		*flags = MSG_DONTWAIT;
		g->peek = false;
		return receive_told(r, g);
	case 4:
		receive(r, g, *flags);
		break;
	case 5:
		if (r->mode == WS_RX_RECORDS)
			return call(r, g, flags);
		g->room = one_in(&r->dice, 2);
		*flags |= MSG_TRUNC;
		receive(r, g, *flags);
		if (r->mode == WS_RX_STREAM)
			g->data = NULL;
		break;
	default:
		g->room = true;
		receive(r, g, *flags);
	}
	return 0;
}

static int wait_for_more(struct round *r, int flags)
{
	int events;

	if (!(flags & MSG_DONTWAIT))
		return wrong("waited too long");
	if (r->ready)
		return wrong("EAGAIN after POLLIN");
	events = peer_poll(r->p->fd, POLLIN, PEER_LIMIT);
	if (!(events & POLLIN))
		return wrong("poll gives %x", events);
	r->ready = true;
	return 0;
}

/* A call failed. Return: 0 if it had to. */
static int failed(struct round *r, struct got *g, int flags)
{
	struct place at = r->place;
	const struct frame *f;

	if (g->err == EAGAIN) {
		r->place.passed |= !g->room && !g->peek;
		return wait_for_more(r, flags);
	}
	if (g->err == EINVAL && r->mode == WS_RX_RECORDS && g->size < 16)
		return 0;
	r->ready = false;
	f = seek(r, &at, g);
	if (g->err == EIO && f && f->ctrl && !g->room) {
		if (!g->peek)
			r->place = at;
		r->tell = true;
		return 0;
	}
	if (f || g->err != r->err || r->told)
		return wrong("%s at frame %d of %d, not %s", strerror(g->err),
			     at.at, r->nr, strerror(r->err));
	if (!g->peek)
		r->place = at;
	r->told = !g->peek;
	return 0;
}

/* Return: 1 at the end */
static int read_some(struct round *r)
{
	struct got g;
	int flags, ret;

	errno = 0;
	if (call(r, &g, &flags))
		return -1;
	if (g.n < 0)
		return failed(r, &g, flags);
	r->ready = false;
	if (r->mode == WS_RX_RECORDS)
		g.room = true;
	if (r->mode == WS_RX_RECORDS)
		ret = take_records(r, &g);
	else
		ret = take(r, &g);
	if (ret < 0)
		return wrong("size %zu, flags %x, room %d", g.size, flags,
			     g.room);
	if (!g.peek)
		r->tell = false;
	if (ret && r->err && !r->told)
		return g.peek ? 0 : wrong("the end, not %s", strerror(r->err));
	return ret && !g.peek;
}

/* ------- what the peer sees ------- */

static int see_close(struct round *r, const byte *body, size_t len)
{
	int code = len < 2 ? 0 : body[0] << 8 | body[1];

	if (code != r->code || len > 2)
		return wrong("Close %d of %zu bytes, not %d", code, len,
			     r->code);
	return 0;
}

/* Return: 1 after Close */
static int see_frame(struct round *r, int nr)
{
	size_t len, i;
	byte body[125];
	int b0;

	if (peer_header(r->p, &b0, &len) || len > 125 ||
	    peer_read(r->p, body, len))
		return -1;
	for (i = 0; i < len; i++)
		body[i] ^= r->p->key[i % 4];
	if (b0 == CLOSE && nr >= r->sure && r->code >= 0)
		return see_close(r, body, len) ? -1 : 1;
	if (b0 != PONG || nr >= r->pongs || len != r->pong[nr].len ||
	    memcmp(body, r->pong[nr].data, len))
		return wrong("frame %02x of %zu bytes, not pong %d of %d", b0,
			     len, nr, r->pongs);
	return 0;
}

static int see_end(struct round *r)
{
	int nr = 0, ret = 0;

	while (!ret && (r->code >= 0 || nr < r->sure))
		ret = see_frame(r, nr++);
	if (ret < 0)
		return -1;
	if (peer_ended(r->p->fd).code != r->ended)
		return wrong("ended by %d, not %d", peer_ended(r->p->fd).code,
			     r->ended);
	return 0;
}

/* ------- a round ------- */

static int set_up(struct round *r)
{
	struct linger reset = { .l_onoff = 1 };
	int fd;

	if (peer_reopen(r->p))
		return -1;
	fd = r->p->fd;
	setsockopt(r->p->raw, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (peer_set(fd, WS_RX_MODE, r->mode) ||
	    peer_set(fd, WS_RX_CTRL, r->deliver) ||
	    peer_set(fd, WS_UTF8, r->check) ||
	    (r->ext && peer_set(fd, WS_EXT, WS_RSV1 | WS_EXT_OP(3) |
					    WS_EXT_OP(11))))
		return wrong("options");
	if (r->mode == WS_RX_MESSAGE || one_in(&r->dice, 2))
		return peer_set(fd, WS_RX_MESSAGE_MAX, MESSAGE_MAX);
	return peer_set(fd, WS_RX_FRAME_MAX, MESSAGE_MAX);
}

static int read_all(struct round *r)
{
	struct peer_job job = { .call = write_stream, .fd = r->p->raw,
				.buf = r };
	int ret;

	if (peer_start_call(&job))
		return -1;
	if (r->len < 20000 && one_in(&r->dice, 3)) {
		if (peer_join(&job))
			return wrong("the stream cannot be sent");
		r->quiet = true;
	}
	do {
		ret = read_some(r);
	} while (!ret);
	if (ret < 0)
		peer_close(r->p);	/* the writer may wait for us */
	if (!r->quiet && peer_join(&job) && ret > 0)
		return wrong("the stream cannot be sent");
	return ret < 0 ? -1 : see_end(r);
}

static int receive_round(void *arg, unsigned long long seed)
{
	static const int ctrl[] = { 0, 0, 0, 0, 1, 2, 4, 7 };
	struct round *r = arg;
	struct peer *p = r->p;
	int mode = r->mode, ret;
	struct dice *d;

	memset(r, 0, sizeof(*r));
	r->p = p;
	r->mode = mode;
	d = &r->dice;
	d->state = seed;
	r->cuts.state = ~seed;
	r->deliver = ctrl[below(d, ARRAY_SIZE(ctrl))];
	r->ext = one_in(d, 6);
	r->end = one_in(d, 3) ? CLOSED : below(d, ENDS);
	r->check = r->end == BAD_TEXT || !one_in(d, 8);
	if (pipe(r->pipe))
		return -1;
	make_stream(r);
	ret = set_up(r) ?: read_all(r);
	if (ret)
		wrong("mode %d, ctrl %d, ext %d, utf8 %d, end %d, %zu bytes",
		      r->mode, r->deliver, r->ext, r->check, r->end, r->len);
	close(r->pipe[0]);
	close(r->pipe[1]);
	return ret;
}

PEER_FIXTURE(random)
PEER_VARIANTS_OVER_WIRE(random);

static void receives(struct __test_metadata *_metadata, struct peer *p,
		     int mode)
{
	struct round *r = calloc(1, sizeof(*r));

	ASSERT_NE(NULL, r);
	r->p = p;
	r->mode = mode;
	EXPECT_EQ(0, rounds(receive_round, r));
	free(r);
}

TEST_F_TIMEOUT(random, stream, 7200)
{
	receives(_metadata, &self->p, WS_RX_STREAM);
}

TEST_F_TIMEOUT(random, message, 7200)
{
	receives(_metadata, &self->p, WS_RX_MESSAGE);
}

TEST_F_TIMEOUT(random, records, 7200)
{
	receives(_metadata, &self->p, WS_RX_RECORDS);
}

TEST_HARNESS_MAIN
