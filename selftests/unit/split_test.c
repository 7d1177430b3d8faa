// SPDX-License-Identifier: GPL-2.0
/*
 * Any split of a stream gives the same result, and an error shows with the
 * byte that makes it. Each stream, in both roles, is cut at every pair of
 * places and fed to a receiver made of the pure files; what must come of it is
 * worked out from the list of frames, not from the bytes.
 */
#include "receiver.h"
#include "tap.h"

#define FIN	0x80
#define RSV1	0x40
#define RSV2	0x20
#define CONT	0x0
#define TEXT	0x1
#define BINARY	0x2
#define CLOSE	0x8
#define PING	0x9
#define PONG	0xa
#define EXT_OP(opcode)	(1u << (8 + (opcode)))

#define STREAM_MAX	300
#define FRAMES_MAX	10

#ifndef RANDOM_STREAMS
#define RANDOM_STREAMS	30
#endif

enum { ENC_SHORT, ENC_16, ENC_64 };

/* Where in its frame a stream goes wrong: the byte that shows it. */
enum { NOWHERE, AT_B0, AT_B1, AT_LEN, AT_END, AT_BYTE };

/**
 * struct frame - one frame of a stream
 * @b0: its first byte
 * @n: payload bytes
 * @data: payload, or NULL for a pattern
 * @enc: how the length is written
 * @flip: the mask bit is the wrong one for the role
 * @bad: where the stream goes wrong in this frame
 * @at: payload byte at which it does, for %AT_BYTE
 */
struct frame {
	u8		b0;
	u16		n;
	const char	*data;
	u8		enc;
	bool		flip;
	u8		bad;
	u16		at;
};

#define F(b0_, text_)	{ .b0 = b0_, .data = text_, .n = sizeof(text_) - 1 }
#define N(b0_, n_)	{ .b0 = b0_, .n = n_ }
#define BAD(b0_, text_, ...) \
	{ .b0 = b0_, .data = text_, .n = sizeof(text_) - 1, __VA_ARGS__ }

struct stream {
	const char	*name;
	u16		code;
	struct ws_rules	rules;
	struct frame	frame[FRAMES_MAX];
};

/* A stream as bytes, and what must come of it. */
struct built {
	u8		bytes[STREAM_MAX];
	size_t		n;
	size_t		fail_at;	/* bytes up to the one that fails */
	struct rx	want;
};

static const struct stream streams[] = {
	{ .name = "hello", .frame = { F(FIN | TEXT, "Hello") } },
	{ .name = "two messages", .frame = {
		F(FIN | TEXT, "Hello"), F(FIN | BINARY, "\x00\xff\x80") } },
	{ .name = "empty messages", .frame = {
		F(FIN | TEXT, ""), F(FIN | BINARY, ""), F(TEXT, ""),
		F(CONT, ""), F(FIN | CONT, ""), F(FIN | PING, ""),
		F(FIN | CLOSE, "") } },
	{ .name = "fragments", .frame = {
		F(TEXT, "one "), F(CONT, "two "), F(FIN | CONT, "three") } },
	{ .name = "control frames between fragments", .frame = {
		F(TEXT, "a"), F(FIN | PING, "Hello"), F(CONT, "bc"),
		F(FIN | PONG, ""), F(FIN | CONT, "d"),
		F(FIN | CLOSE, "\x03\xe8so long") } },
	{ .name = "nothing after close", .frame = {
		F(FIN | CLOSE, "\x03\xe9"), F(0xff, "junk") } },
	{ .name = "length of 125", .frame = { N(FIN | BINARY, 125) } },
	{ .name = "length of 126", .frame = { N(FIN | BINARY, 126) } },
	{ .name = "length of 256", .frame = { N(FIN | BINARY, 256) } },
	{ .name = "characters cut by frames", .frame = {
		F(TEXT, "\xe2"), F(CONT, "\x82"), F(FIN | PING, "\xff"),
		F(CONT, "\xac\xf0\x9f"), F(CONT, ""),
		F(FIN | CONT, "\x98\x80") } },
	{ .name = "binary is not text", .frame = {
		F(BINARY, "\xff\xc0"), F(FIN | CONT, "\x80\xe2") } },
	{ .name = "blocks of text", .frame = {
		F(TEXT, "sixteen bytes...and sixteen more"),
		F(CONT, "\xd0\xb4\xd0\xb0, \xe6\x88\x91\xe8\x83\xbd "),
		F(FIN | CONT, "and then ascii again for a while") } },
	{ .name = "base64 in fragments", .frame = {
		F(TEXT, "SG"), F(FIN | CONT, "VsbG8=") } },

	{ .name = "negotiated bit", .rules = { .ext = RSV1 }, .frame = {
		F(RSV1 | TEXT, "\xff\xfe"), F(FIN | CONT, "\xc0"),
		F(FIN | TEXT, "\xc3\xa9") } },
	{ .name = "negotiated opcodes",
	  .rules = { .ext = EXT_OP(3) | EXT_OP(12) }, .frame = {
		F(3, "ab"), F(FIN | 12, "ctl"), F(FIN | CONT, "\xff") } },
	{ .name = "at its limits",
	  .rules = { .frame_max = 5, .message_max = 9, .fragments_max = 3 },
	  .frame = {
		F(TEXT, "12345"), F(CONT, ""), F(FIN | CONT, "6789"),
		F(BINARY, "1234"), F(FIN | PING, "1234567"),
		F(FIN | CONT, "56789") } },

	{ .name = "rsv", .code = 1002, .frame = {
		F(FIN | TEXT, "ok"),
		BAD(FIN | RSV2 | TEXT, "no", .bad = AT_B0) } },
	{ .name = "rsv on continuation", .code = 1002,
	  .rules = { .ext = 0x70 }, .frame = {
		F(RSV1 | TEXT, "ok"),
		BAD(FIN | RSV1 | CONT, "no", .bad = AT_B0) } },
	{ .name = "reserved opcode", .code = 1002, .frame = {
		F(FIN | PING, "ok"), BAD(FIN | 5, "no", .bad = AT_B0) } },
	{ .name = "reserved control opcode", .code = 1002, .frame = {
		F(TEXT, "ok"), BAD(FIN | 11, "", .bad = AT_B0) } },
	{ .name = "fragmented ping", .code = 1002, .frame = {
		F(FIN | TEXT, "ok"), BAD(PING, "no", .bad = AT_B0) } },
	{ .name = "continuation of nothing", .code = 1002, .frame = {
		F(FIN | TEXT, "ok"),
		BAD(FIN | CONT, "VsbG8=", .bad = AT_B0) } },
	{ .name = "first frame twice", .code = 1002, .frame = {
		F(TEXT, "SG"), BAD(FIN | TEXT, "VsbG8=",
				       .bad = AT_B0) } },
	{ .name = "wrong mask bit", .code = 1002, .frame = {
		F(FIN | TEXT, "ok"),
		BAD(FIN | TEXT, "no", .flip = true, .bad = AT_B1) } },
	{ .name = "wrong mask bit of an empty ping", .code = 1002, .frame = {
		BAD(FIN | PING, "", .flip = true, .bad = AT_B1) } },
	{ .name = "long ping", .code = 1002, .frame = {
		F(TEXT, "ok"), { FIN | PING, 126, .bad = AT_B1 } } },
	{ .name = "ping with a long length", .code = 1002, .frame = {
		BAD(FIN | PING, "no", .enc = ENC_64, .bad = AT_B1) } },
	{ .name = "length too long, 16", .code = 1002, .frame = {
		F(FIN | TEXT, "ok"),
		BAD(FIN | TEXT, "no", .enc = ENC_16, .bad = AT_LEN) } },
	{ .name = "length too long, 64", .code = 1002, .frame = {
		F(FIN | TEXT, "ok"),
		{ FIN | BINARY, 200, .enc = ENC_64, .bad = AT_LEN } } },

	{ .name = "bad utf-8", .code = 1007, .frame = {
		F(FIN | TEXT, "ok"),
		BAD(FIN | TEXT, "good \xc0\x80 bad", .bad = AT_BYTE,
		    .at = 5) } },
	{ .name = "bad utf-8 in a block", .code = 1007, .frame = {
		BAD(FIN | TEXT, "0123456789abcdef01234\xed\xa0\x80.........",
		    .bad = AT_BYTE, .at = 22) } },
	{ .name = "bad utf-8 across frames", .code = 1007, .frame = {
		F(TEXT, "ok \xf4"), F(FIN | PING, "\x90"),
		BAD(CONT, "\x90\x80\x80", .bad = AT_BYTE, .at = 0) } },
	{ .name = "utf-8 cut at the end", .code = 1007, .frame = {
		F(TEXT, "ok \xe2"),
		BAD(FIN | CONT, "\x82", .bad = AT_END) } },
	{ .name = "utf-8 cut by an empty frame", .code = 1007, .frame = {
		F(TEXT, "ok \xe2\x82"), BAD(FIN | CONT, "", .bad = AT_END) } },

	{ .name = "frame too big", .code = 1009,
	  .rules = { .frame_max = 4 }, .frame = {
		F(FIN | TEXT, "1234"), F(FIN | PING, "12345"),
		BAD(FIN | TEXT, "12345", .bad = AT_B1) } },
	{ .name = "frame too big, 16", .code = 1009,
	  .rules = { .frame_max = 150 }, .frame = {
		{ FIN | BINARY, 151, .bad = AT_LEN } } },
	{ .name = "message too big", .code = 1009,
	  .rules = { .message_max = 8 }, .frame = {
		F(TEXT, "1234"), F(CONT, "5678"), F(CONT, ""),
		BAD(FIN | CONT, "9", .bad = AT_B1) } },
	{ .name = "too many fragments", .code = 1009,
	  .rules = { .fragments_max = 3 }, .frame = {
		F(TEXT, ""), F(CONT, ""), F(CONT, "x"), F(FIN | PING, ""),
		BAD(FIN | CONT, "", .bad = AT_B1) } },

	{ .name = "close of one byte", .code = 1002, .frame = {
		F(TEXT, "ok"), BAD(FIN | CLOSE, "\x03", .bad = AT_END) } },
	{ .name = "close with 1005", .code = 1002, .frame = {
		BAD(FIN | CLOSE, "\x03\xed", .bad = AT_END) } },
	{ .name = "close with a bad reason", .code = 1007, .frame = {
		BAD(FIN | CLOSE, "\x03\xe8 \xff", .bad = AT_END) } },
};

static u8 payload_byte(const struct frame *f, size_t i)
{
	if (f->data)
		return f->data[i];
	return i * 7 + 3;
}

static size_t put_header(u8 *out, const struct frame *f, bool masked)
{
	unsigned int ext = f->enc == ENC_64 ? 8 : f->enc == ENC_16 ||
			   f->n > 125 ? 2 : 0;
	size_t n = 2, i;

	out[0] = f->b0;
	out[1] = (ext == 8 ? 127 : ext == 2 ? 126 : f->n) | (masked ? 128 : 0);
	for (i = 0; i < ext; i++)
		out[n++] = (u64)f->n >> 8 * (ext - 1 - i);
	return n;
}

/*
 * The byte, counted from the frame's first, with which it must fail: the
 * header is @hdr bytes without the key and @whole_hdr with it.
 */
static size_t fail_offset(const struct frame *f, size_t hdr, size_t whole_hdr)
{
	switch (f->bad) {
	case AT_B0:
		return 1;
	case AT_B1:
		return 2;
	case AT_LEN:
		return hdr;
	case AT_BYTE:
		return whole_hdr + f->at + 1;
	default:
		return whole_hdr + f->n;
	}
}

static void put_frame(struct built *b, const struct frame *f, bool masked)
{
	u8 *out = b->bytes + b->n, key[4] = { 0 };
	size_t hdr = put_header(out, f, masked), n = hdr, i;

	if (masked) {
		memcpy(key, "\xa1\x5b\x0c\xee", 4);
		key[3] += b->n;
		memcpy(out + n, key, 4);
		n += 4;
	}
	if (f->bad)
		b->fail_at = b->n + fail_offset(f, hdr, n);
	for (i = 0; i < f->n; i++)
		out[n + i] = payload_byte(f, i) ^ key[i % 4];
	b->n += n + f->n;
}

/* What the receiver must have made of a frame that is good up to @good. */
static void expect_frame(struct rx *want, const struct frame *f, size_t good)
{
	u8 bytes[STREAM_MAX];
	size_t i;

	for (i = 0; i < good; i++)
		bytes[i] = payload_byte(f, i);
	if (f->b0 & 8) {
		if (!f->bad)
			rx_log(want->log, &want->log_len, f->b0, bytes, good);
		return;
	}
	if (f->b0 & 15)
		want->msg.b0 = f->b0;
	memcpy(want->part + want->part_len, bytes, good);
	want->part_len += good;
	if (!(f->b0 & FIN) || f->bad)
		return;
	rx_log(want->log, &want->log_len, want->msg.b0, want->part,
	       want->part_len);
	want->part_len = 0;
}

static void expect_close(struct rx *want, const struct frame *f)
{
	want->close_code = f->n < 2 ? 1005 : payload_byte(f, 0) << 8 |
					     payload_byte(f, 1);
	want->closed = true;
}

static void expect(struct rx *want, const struct frame *f)
{
	size_t good = f->bad == AT_BYTE ? f->at : f->n;

	if (f->bad && f->bad < AT_END)
		return;
	if ((f->b0 & 15) == CLOSE)
		expect_close(want, f);
	expect_frame(want, f, good);
}

static void build(struct built *b, const struct stream *s, bool server)
{
	struct ws_rules rules = s->rules;
	unsigned int i;

	rules.masked = server;
	b->n = 0;
	b->fail_at = 0;
	rx_init(&b->want, &rules, true);
	b->want.fail = s->code;
	for (i = 0; i < FRAMES_MAX && s->frame[i].b0 | s->frame[i].n |
	     !!s->frame[i].data; i++) {
		const struct frame *f = &s->frame[i];

		put_frame(b, f, server != f->flip);
		if (!b->want.closed)
			expect(&b->want, f);
	}
	CHECK(b->n <= STREAM_MAX, "%s: %zu bytes", s->name, b->n);
	CHECK(!b->fail_at == !s->code, "%s: where?", s->name);
}

static void feed(struct rx *rx, const struct built *b, size_t from, size_t to)
{
	rx_feed(rx, b->bytes + from, to - from);
	CHECK(!b->fail_at || !rx->fail == (to < b->fail_at),
	      "fails with %u after %zu bytes, not after %zu", rx->fail, to,
	      b->fail_at);
}

static void cut_at(const struct built *b, const char *name, size_t x, size_t y)
{
	static struct rx rx;

	rx_init(&rx, &b->want.rules, true);
	feed(&rx, b, 0, x);
	feed(&rx, b, x, y);
	feed(&rx, b, y, b->n);
	CHECK(rx_same(&rx, &b->want), "%s: cut at %zu and %zu: fail %u", name,
	      x, y, rx.fail);
}

static void cut_everywhere(const struct built *b, const char *name)
{
	size_t x, y;

	for (x = 0; x <= b->n; x++)
		for (y = x; y <= b->n; y++)
			cut_at(b, name, x, y);
}

static void byte_by_byte(const struct built *b, const char *name)
{
	static struct rx rx;
	size_t i;

	rx_init(&rx, &b->want.rules, true);
	for (i = 0; i < b->n; i++)
		feed(&rx, b, i, i + 1);
	CHECK(rx_same(&rx, &b->want), "%s: byte by byte", name);
}

static void each(void (*fn)(const struct built *, const char *), bool server)
{
	static struct built b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		build(&b, &streams[i], server);
		fn(&b, streams[i].name);
	}
}

TEST(byte_by_byte_as_server, "RFC 6455 5.2, 8.1")
{
	each(byte_by_byte, true);
}

TEST(byte_by_byte_as_client, "RFC 6455 5.2, 8.1")
{
	each(byte_by_byte, false);
}

TEST(every_pair_of_cuts_as_server, "RFC 6455 5.4, 8.1")
{
	each(cut_everywhere, true);
}

TEST(every_pair_of_cuts_as_client, "RFC 6455 5.4, 8.1")
{
	each(cut_everywhere, false);
}

/* A stream of random frames that are mostly good; one in four is damaged. */
static void build_random(struct built *b, unsigned long long *seed)
{
	static const u8 opcode[] = { TEXT, BINARY, PING, PONG };
	bool open = false;

	memset(b, 0, sizeof(*b));
	for (;;) {
		struct frame f = { .n = tap_random(seed) % 24 };
		u8 op = opcode[tap_random(seed) % 4];

		if (b->n + f.n + 6 > STREAM_MAX)
			break;
		f.b0 = op & 8 ? FIN | op : (open ? CONT : op);
		if (!(op & 8)) {
			open = tap_random(seed) & 1;
			f.b0 |= open ? 0 : FIN;
		}
		put_frame(b, &f, true);
	}
	if (!(tap_random(seed) % 4))
		b->bytes[tap_random(seed) % b->n] ^= tap_random(seed);
}

/* No oracle here: the whole stream at once is the model for all cuts. */
TEST(random_streams_cut_anywhere, "RFC 6455 5.4, 8.1")
{
	const struct ws_rules rules = {
		.masked = true, .ext = RSV1, .frame_max = 23,
		.message_max = 60, .fragments_max = 6,
	};
	unsigned long long seed = 300;
	static struct built b;
	unsigned int i;

	for (i = 0; i < RANDOM_STREAMS; i++) {
		build_random(&b, &seed);
		rx_init(&b.want, &rules, true);
		rx_feed(&b.want, b.bytes, b.n);
		cut_everywhere(&b, "random");
	}
}

TAP_MAIN("split")
