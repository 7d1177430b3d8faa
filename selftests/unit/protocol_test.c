// SPDX-License-Identifier: GPL-2.0
/* ws_ulp/protocol.c: every rule, by its clause of RFC 6455. */
#include "protocol.h"
#include "tap.h"

#define FIN	0x80
#define RSV1	0x40
#define RSV2	0x20
#define RSV3	0x10
#define CONT	0x0
#define TEXT	0x1
#define BINARY	0x2
#define CLOSE	0x8
#define PING	0x9
#define PONG	0xa
#define EXT_OP(opcode)	(1u << (8 + (opcode)))

static const struct ws_rules client;
static const struct ws_rules server = { .masked = true };
static const struct ws_msg none;
static const struct ws_msg open_text = {
	.len = 10, .frames = 1, .b0 = TEXT, .open = true,
};

/*
 * A header of @ext bytes of length as the parser gives it when it has seen
 * @have bytes; 14 is all of them.
 */
static struct ws_hdr hdr_of(u8 b0, bool masked, u64 len, unsigned int ext,
			    unsigned int have)
{
	u8 p[WS_HDR_MAX] = { b0 };
	unsigned int i, size = 2 + ext + (masked ? 4 : 0);
	struct ws_hdr h;

	p[1] = (ext == 8 ? 127 : ext == 2 ? 126 : len) | (masked ? 0x80 : 0);
	for (i = 0; i < ext; i++)
		p[2 + i] = len >> 8 * (ext - 1 - i);
	ws_hdr_parse(&h, p, have < size ? have : size);
	return h;
}

static unsigned int shortest(u64 len)
{
	return len < 126 ? 0 : len < 65536 ? 2 : 8;
}

static u16 check(const struct ws_rules *r, const struct ws_msg *m,
		 struct ws_hdr h)
{
	return ws_rules_check(r, m, &h);
}

/* The verdict on the first byte alone, as a client. */
static u16 on_b0(u32 ext, const struct ws_msg *m, u8 b0)
{
	struct ws_rules r = { .ext = ext };

	return check(&r, m, hdr_of(b0, false, 0, 0, 1));
}

/* The verdict on a whole header, as a client. */
static u16 on_whole(const struct ws_rules *r, const struct ws_msg *m, u8 b0,
		    u64 len)
{
	return check(r, m, hdr_of(b0, r->masked, len, shortest(len), 14));
}

TEST(nothing_yet_is_no_error, "RFC 6455 5.2")
{
	CHECK_EQ(check(&server, &none, hdr_of(0xff, true, 0, 0, 0)), 0);
}

TEST(plain_frames_pass, "RFC 6455 5.2")
{
	static const u8 b0[] = {
		TEXT, BINARY, FIN | TEXT, FIN | BINARY, FIN | CLOSE,
		FIN | PING, FIN | PONG,
	};
	unsigned int i, have;

	for (i = 0; i < sizeof(b0); i++)
		for (have = 0; have <= 6; have++) {
			CHECK_EQ(check(&server, &none, hdr_of(b0[i], true,
							      5, 0, have)), 0);
			CHECK_EQ(check(&client, &none, hdr_of(b0[i], false,
							      5, 0, have)), 0);
		}
}

TEST(rsv_not_negotiated, "RFC 6455 5.2")
{
	static const u8 opcode[] = { TEXT, BINARY, CLOSE, PING, PONG };
	unsigned int i, rsv;

	for (i = 0; i < sizeof(opcode); i++)
		for (rsv = 1; rsv < 8; rsv++)
			CHECK_EQ(on_b0(0, &none, FIN | rsv << 4 | opcode[i]),
				 1002);
}

TEST(rsv_negotiated, "RFC 6455 5.2, 9")
{
	CHECK_EQ(on_b0(RSV1, &none, FIN | RSV1 | TEXT), 0);
	CHECK_EQ(on_b0(RSV1, &none, RSV1 | BINARY), 0);
	CHECK_EQ(on_b0(RSV1, &none, FIN | RSV2 | TEXT), 1002);
	CHECK_EQ(on_b0(RSV1, &none, FIN | RSV1 | RSV3 | TEXT), 1002);
	CHECK_EQ(on_b0(RSV2 | RSV3, &none, FIN | RSV2 | RSV3 | TEXT), 0);
	CHECK_EQ(on_b0(RSV1, &none, FIN | RSV1 | PING), 0);
	CHECK_EQ(on_b0(RSV1, &open_text, FIN | RSV1 | PONG), 0);
}

TEST(rsv_on_continuation, "RFC 6455 5.4")
{
	CHECK_EQ(on_b0(0, &open_text, FIN | RSV1), 1002);
	CHECK_EQ(on_b0(RSV1, &open_text, FIN | RSV1), 1002);
	CHECK_EQ(on_b0(0x70, &open_text, RSV3), 1002);
	CHECK_EQ(on_b0(0x70, &open_text, FIN), 0);
}

TEST(reserved_data_opcodes, "RFC 6455 5.2")
{
	u8 op;

	for (op = 3; op <= 7; op++) {
		CHECK_EQ(on_b0(0, &none, FIN | op), 1002);
		CHECK_EQ(on_b0(0x70, &none, op), 1002);
		CHECK_EQ(on_b0(~EXT_OP(op), &none, FIN | op), 1002);
	}
}

TEST(reserved_control_opcodes, "RFC 6455 5.2")
{
	u8 op;

	for (op = 11; op <= 15; op++) {
		CHECK_EQ(on_b0(0, &none, FIN | op), 1002);
		CHECK_EQ(on_b0(~EXT_OP(op), &open_text, FIN | op), 1002);
	}
}

TEST(negotiated_data_opcode_is_data, "RFC 6455 5.2, 5.8")
{
	u8 op;

	for (op = 3; op <= 7; op++) {
		struct ws_rules r = { .ext = EXT_OP(op), .frame_max = 1000 };
		struct ws_msg m = none;
		struct ws_hdr h = hdr_of(op, false, 500, 2, 14);

		CHECK_EQ(on_whole(&r, &m, op, 500), 0);
		CHECK_EQ(on_whole(&r, &open_text, op, 500), 1002);
		CHECK_EQ(on_whole(&r, &m, op, 1001), 1009);
		ws_msg_advance(&m, &h);
		CHECK(m.open && m.b0 == op, "opcode %u does not open", op);
		CHECK_EQ(on_whole(&r, &m, FIN | CONT, 5), 0);
	}
}

TEST(negotiated_control_opcode_is_control, "RFC 6455 5.5, 5.8")
{
	u8 op;

	for (op = 11; op <= 15; op++) {
		struct ws_rules r = { .ext = EXT_OP(op), .frame_max = 10 };

		CHECK_EQ(on_whole(&r, &none, FIN | op, 125), 0);
		CHECK_EQ(on_whole(&r, &open_text, FIN | op, 0), 0);
		CHECK_EQ(on_whole(&r, &none, FIN | op, 126), 1002);
		CHECK_EQ(on_whole(&r, &none, op, 0), 1002);
	}
}

TEST(control_frame_fragmented, "RFC 6455 5.5")
{
	CHECK_EQ(on_b0(0, &none, CLOSE), 1002);
	CHECK_EQ(on_b0(0, &none, PING), 1002);
	CHECK_EQ(on_b0(0, &open_text, PONG), 1002);
}

TEST(control_frame_of_125, "RFC 6455 5.5")
{
	CHECK_EQ(on_whole(&server, &none, FIN | PING, 125), 0);
	CHECK_EQ(on_whole(&client, &none, FIN | CLOSE, 125), 0);
}

TEST(control_frame_too_long, "RFC 6455 5.5")
{
	static const u8 op[] = { CLOSE, PING, PONG };
	unsigned int i, have;

	for (i = 0; i < sizeof(op); i++)
		for (have = 2; have <= 14; have++) {
			u8 b0 = FIN | op[i];

			CHECK_EQ(check(&server, &none,
				       hdr_of(b0, 1, 126, 2, have)), 1002);
			CHECK_EQ(check(&client, &none,
				       hdr_of(b0, 0, 65536, 8, have)), 1002);
			CHECK_EQ(check(&client, &none,
				       hdr_of(b0, 0, 5, 2, have)), 1002);
		}
}

TEST(control_frame_between_fragments, "RFC 6455 5.4, 5.5")
{
	CHECK_EQ(on_whole(&client, &open_text, FIN | PING, 3), 0);
	CHECK_EQ(on_whole(&client, &open_text, FIN | PONG, 0), 0);
	CHECK_EQ(on_whole(&client, &open_text, FIN | CLOSE, 2), 0);
}

TEST(unmasked_to_server, "RFC 6455 5.1")
{
	static const u8 b0[] = { FIN | TEXT, BINARY, FIN | PING, FIN | CLOSE };
	unsigned int i;

	for (i = 0; i < sizeof(b0); i++) {
		CHECK_EQ(check(&server, &none, hdr_of(b0[i], 0, 1, 0, 1)), 0);
		CHECK_EQ(check(&server, &none, hdr_of(b0[i], 0, 1, 0, 2)),
			 1002);
	}
	CHECK_EQ(check(&server, &none, hdr_of(TEXT, 0, 500, 2, 2)), 1002);
}

TEST(masked_to_client, "RFC 6455 5.1")
{
	static const u8 b0[] = { FIN | TEXT, BINARY, FIN | PING, FIN | CLOSE };
	unsigned int i, have;

	for (i = 0; i < sizeof(b0); i++)
		for (have = 2; have <= 6; have++)
			CHECK_EQ(check(&client, &none,
				       hdr_of(b0[i], 1, 1, 0, have)), 1002);
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 1, 500, 2, 2)), 1002);
}

TEST(continuation_without_message, "RFC 6455 5.4")
{
	CHECK_EQ(on_b0(0, &none, FIN | CONT), 1002);
	CHECK_EQ(on_b0(0, &none, CONT), 1002);
	CHECK_EQ(on_b0(0, &open_text, CONT), 0);
	CHECK_EQ(on_b0(0, &open_text, FIN | CONT), 0);
}

TEST(new_message_inside_message, "RFC 6455 5.4")
{
	CHECK_EQ(on_b0(0, &open_text, FIN | TEXT), 1002);
	CHECK_EQ(on_b0(0, &open_text, TEXT), 1002);
	CHECK_EQ(on_b0(0, &open_text, BINARY), 1002);
}

TEST(length_not_minimal, "RFC 6455 5.2")
{
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 0, 2, 14)), 1002);
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 125, 2, 14)), 1002);
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 126, 2, 14)), 0);
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 125, 8, 14)), 1002);
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 65535, 8, 14)), 1002);
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 65536, 8, 14)), 0);
	CHECK_EQ(check(&server, &none, hdr_of(TEXT, 1, 65535, 8, 14)), 1002);
	CHECK_EQ(check(&server, &none, hdr_of(TEXT, 1, 65535, 8, 10)), 1002);
	CHECK_EQ(check(&server, &none, hdr_of(TEXT, 1, 65535, 8, 9)), 0);
}

TEST(length_top_bit, "RFC 6455 5.2")
{
	CHECK_EQ(check(&client, &none, hdr_of(TEXT, 0, 1ull << 63, 8, 14)),
		 1002);
	CHECK_EQ(check(&server, &none, hdr_of(TEXT, 1, ~0ull, 8, 14)), 1002);
	CHECK_EQ(check(&server, &none, hdr_of(TEXT, 1, ~0ull >> 1, 8, 14)), 0);
}

TEST(frame_too_big, "RFC 6455 7.4.1, 10.4")
{
	struct ws_rules r = { .frame_max = 1000 };

	CHECK_EQ(on_whole(&r, &none, FIN | TEXT, 1000), 0);
	CHECK_EQ(on_whole(&r, &none, FIN | TEXT, 1001), 1009);
	CHECK_EQ(on_whole(&r, &open_text, CONT, 1001), 1009);
	CHECK_EQ(on_whole(&r, &none, BINARY, ~0ull >> 1), 1009);
	r.frame_max = 100;
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 0, 100, 0, 2)), 0);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 0, 101, 0, 2)), 1009);
}

/* The key tells nothing about the length: the verdict does not wait for it. */
TEST(frame_too_big_before_key, "RFC 6455 7.4.1, 10.4")
{
	struct ws_rules r = { .frame_max = 100, .masked = true };

	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 101, 0, 2)), 1009);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 100, 0, 2)), 0);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 500, 2, 3)), 0);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 500, 2, 4)), 1009);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 1 << 20, 8, 9)), 0);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 1 << 20, 8, 10)), 1009);
}

TEST(control_frame_has_no_limit, "RFC 6455 5.5")
{
	struct ws_rules r = {
		.frame_max = 10, .message_max = 10, .fragments_max = 1,
	};

	CHECK_EQ(on_whole(&r, &none, FIN | PING, 125), 0);
	CHECK_EQ(on_whole(&r, &open_text, FIN | PING, 125), 0);
}

TEST(message_too_big, "RFC 6455 7.4.1, 10.4")
{
	struct ws_rules r = { .message_max = 1000 };

	CHECK_EQ(on_whole(&r, &none, TEXT, 1000), 0);
	CHECK_EQ(on_whole(&r, &none, TEXT, 1001), 1009);
	CHECK_EQ(on_whole(&r, &open_text, CONT, 990), 0);
	CHECK_EQ(on_whole(&r, &open_text, FIN | CONT, 991), 1009);
}

TEST(message_sum_does_not_overflow, "RFC 6455 5.2, 10.4")
{
	struct ws_rules r = { .message_max = 1000 };
	struct ws_msg m = open_text;

	CHECK_EQ(on_whole(&r, &m, CONT, ~0ull >> 1), 1009);
	m.len = ~0ull;
	CHECK_EQ(on_whole(&r, &m, CONT, 1), 1009);
	CHECK_EQ(on_whole(&r, &m, CONT, 500), 1009);
	CHECK_EQ(on_whole(&r, &m, CONT, 0), 1009);
	m.len = 1u << 31;
	r.message_max = ~0u;
	CHECK_EQ(on_whole(&r, &m, CONT, (1u << 31) - 1), 0);
	CHECK_EQ(on_whole(&r, &m, CONT, 1u << 31), 1009);
}

TEST(message_size_starts_anew, "RFC 6455 5.4")
{
	struct ws_rules r = { .message_max = 1000, .fragments_max = 1 };
	struct ws_msg over = { .len = 900, .frames = 9, .b0 = TEXT };

	CHECK_EQ(on_whole(&r, &over, FIN | TEXT, 1000), 0);
}

TEST(too_many_fragments, "RFC 6455 10.4")
{
	struct ws_rules r = { .fragments_max = 3 };
	struct ws_msg m = open_text;

	m.frames = 2;
	CHECK_EQ(on_whole(&r, &m, CONT, 0), 0);
	m.frames = 3;
	CHECK_EQ(on_whole(&r, &m, CONT, 0), 1009);
	CHECK_EQ(on_whole(&r, &m, FIN | CONT, 1), 1009);
	r.fragments_max = 1;
	CHECK_EQ(on_whole(&r, &none, TEXT, 1), 0);
	CHECK_EQ(on_whole(&r, &open_text, CONT, 1), 1009);
}

TEST(no_limit, "RFC 6455 5.2")
{
	struct ws_msg m = open_text;

	m.len = 1ull << 40;
	m.frames = ~0u;
	CHECK_EQ(on_whole(&server, &m, CONT, ~0ull >> 1), 0);
	CHECK_EQ(on_whole(&server, &none, BINARY, ~0ull >> 1), 0);
}

TEST(protocol_error_before_too_big, "RFC 6455 7.4.1")
{
	struct ws_rules r = {
		.frame_max = 10, .message_max = 10, .fragments_max = 1,
	};

	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 1, 500, 2, 14)), 1002);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 0, 125, 2, 14)), 1002);
	CHECK_EQ(check(&r, &none, hdr_of(TEXT, 0, 1ull << 63, 8, 14)), 1002);
	CHECK_EQ(check(&r, &open_text, hdr_of(TEXT, 0, 500, 2, 14)), 1002);
	CHECK_EQ(check(&r, &open_text, hdr_of(CONT, 0, 5, 0, 1)), 0);
	CHECK_EQ(check(&r, &open_text, hdr_of(CONT, 1, 5, 0, 2)), 1002);
	CHECK_EQ(check(&r, &open_text, hdr_of(CONT, 0, 125, 2, 14)), 1002);
}

/* The same rules again, told as one table of what is wrong with a header. */
static u16 oracle(const struct ws_rules *r, const struct ws_msg *m, u8 b0,
		  bool masked, u64 len, unsigned int ext)
{
	u8 op = b0 & 15;
	bool known = op <= 2 || (op >= 8 && op <= 10) || r->ext & EXT_OP(op);
	bool ctrl = op >= 8, first = op >= 1 && op <= 7;
	u8 rsv = b0 & 0x70;
	const bool wrong[] = {
		rsv & ~r->ext, rsv && op == CONT, !known,
		ctrl && !(b0 & FIN), ctrl && ext,
		first && m->open, op == CONT && !m->open,
		masked != r->masked, ext != shortest(len), len >> 63,
	};
	u64 before = first ? 0 : m->len, frames = first ? 0 : m->frames;
	const bool big[] = {
		r->frame_max && len > r->frame_max,
		r->message_max && before + len > r->message_max,
		r->fragments_max && frames + 1 > r->fragments_max,
	};
	size_t i;

	for (i = 0; i < sizeof(wrong); i++)
		if (wrong[i])
			return 1002;
	for (i = 0; i < sizeof(big) && !ctrl; i++)
		if (big[i])
			return 1009;
	return 0;
}

/*
 * One header at all of its lengths: the whole one is judged as the oracle
 * says, and no cut gives another verdict or takes one back.
 */
static void judge(const struct ws_rules *r, const struct ws_msg *m, u8 b0,
		  bool masked, u64 len, unsigned int ext)
{
	u16 want = oracle(r, m, b0, masked, len, ext), got, before = 0;
	unsigned int size = 2 + ext + (masked ? 4 : 0), have;

	for (have = 0; have <= size; have++) {
		got = check(r, m, hdr_of(b0, masked, len, ext, have));
		CHECK(!before || got == before, "b0 %02x: %u after %u", b0,
		      got, before);
		CHECK(!got || got == want, "b0 %02x, have %u: %u, not %u", b0,
		      have, got, want);
		before = got;
	}
	CHECK(got == want, "b0 %02x masked %d len %llu ext %u: %u, not %u", b0,
	      masked, (unsigned long long)len, ext, got, want);
}

static void judge_all(const struct ws_rules *r, const struct ws_msg *m)
{
	static const struct { u64 len; unsigned int ext; } l[] = {
		{ 0, 0 }, { 10, 0 }, { 100, 0 }, { 101, 0 }, { 125, 0 },
		{ 10, 2 }, { 125, 2 }, { 126, 2 }, { 65535, 2 }, { 10, 8 },
		{ 65535, 8 }, { 65536, 8 }, { 1ull << 62, 8 },
		{ 1ull << 63, 8 },
	};
	unsigned int b0, i;

	for (b0 = 0; b0 < 256; b0++)
		for (i = 0; i < ARRAY_SIZE(l); i++) {
			judge(r, m, b0, false, l[i].len, l[i].ext);
			judge(r, m, b0, true, l[i].len, l[i].ext);
		}
}

TEST(all_first_bytes_against_a_table, "RFC 6455 5")
{
	static const u32 ext[] = {
		0, RSV1, 0x70, EXT_OP(3) | EXT_OP(11), 0xf8f870, ~0u,
	};
	static const u32 max[] = { 0, 100, 110 };
	unsigned int e, i, k;

	for (e = 0; e < ARRAY_SIZE(ext); e++)
		for (i = 0; i < 3 * 3 * 3; i++)
			for (k = 0; k < 4; k++) {
				struct ws_rules r = {
					.ext = ext[e], .masked = k & 1,
					.frame_max = max[i % 3],
					.message_max = max[i / 3 % 3],
					.fragments_max = i / 9,
				};

				judge_all(&r, k & 2 ? &open_text : &none);
			}
}

/* What the long way says of n bytes at p: whole, allowed, short, no part. */
static u32 short_by_rules(const struct ws_rules *r, const u8 *p, size_t n)
{
	struct ws_hdr h;

	if (!ws_hdr_parse(&h, p, n) || ws_rules_check(r, &none, &h))
		return 0;
	if (h.b0 != (FIN | TEXT) && h.b0 != (FIN | BINARY))
		return 0;
	return h.len < 126 && n - h.size >= h.len ? h.len : 0;
}

static void short_messages(const struct ws_rules *r)
{
	u32 max = ws_short_max(r);
	u8 p[140] = { 0 };
	unsigned int i;
	size_t n;

	for (i = 0; i < 0x10000; i++) {
		p[0] = i >> 8;
		p[1] = i;
		for (n = 0; n < sizeof(p); n += n < 8 || n > 120 ? 1 : 7)
			CHECK_EQ(ws_short_message(p, n, r->masked, max),
				 short_by_rules(r, p, n));
	}
}

TEST(short_messages_as_by_the_rules, "RFC 6455 5.1, 5.2")
{
	const struct ws_rules of[] = {
		server, client,
		{ .masked = true, .frame_max = 1 },
		{ .frame_max = 125, .message_max = 100 },
		{ .frame_max = 126, .message_max = 126 },
		{ .masked = true, .message_max = 7, .ext = 0xffff },
		{ .frame_max = UINT32_MAX, .message_max = INT32_MAX },
	};
	unsigned int i;

	for (i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		short_messages(&of[i]);
}

TEST(advance_opens_and_closes, "RFC 6455 5.4")
{
	struct ws_msg m = { .len = 99, .frames = 7 };
	struct ws_hdr first = hdr_of(RSV1 | TEXT, 0, 10, 0, 14);
	struct ws_hdr next = hdr_of(CONT, 0, 300, 2, 14);
	struct ws_hdr last = hdr_of(FIN | CONT, 0, 0, 0, 14);

	ws_msg_advance(&m, &first);
	CHECK(m.open && m.len == 10 && m.frames == 1, "after the first");
	CHECK_EQ(m.b0, RSV1 | TEXT);
	ws_msg_advance(&m, &next);
	CHECK(m.open && m.len == 310 && m.frames == 2, "after the second");
	ws_msg_advance(&m, &last);
	CHECK(!m.open && m.len == 310 && m.frames == 3, "after the last");
	CHECK_EQ(m.b0, RSV1 | TEXT);
}

TEST(advance_single_frame, "RFC 6455 5.4")
{
	struct ws_msg m = { .len = 99, .frames = 7, .b0 = TEXT };
	struct ws_hdr h = hdr_of(FIN | BINARY, 0, 70000, 8, 14);

	ws_msg_advance(&m, &h);
	CHECK(!m.open && m.len == 70000 && m.frames == 1, "one frame");
	CHECK_EQ(m.b0, FIN | BINARY);
}

TEST(close_codes, "RFC 6455 7.4, IANA")
{
	unsigned int code;

	for (code = 0; code < 65536; code++) {
		bool want = code >= 3000 && code < 5000;

		switch (code) {
		case 1000: case 1001: case 1002: case 1003:
		case 1007: case 1008: case 1009: case 1010:
		case 1011: case 1012: case 1013: case 1014:
			want = true;
		}
		CHECK(ws_close_code_valid(code) == want, "code %u", code);
	}
}

static u16 close_of(const char *body, size_t n, u16 *code)
{
	u8 *copy = malloc(n);
	u16 ret;

	memcpy(copy, body, n);
	*code = 0xbad;
	ret = ws_close_parse(copy, n, code);
	free(copy);
	return ret;
}

TEST(close_without_code, "RFC 6455 5.5.1, 7.1.5")
{
	u16 code;

	CHECK_EQ(close_of("", 0, &code), 0);
	CHECK_EQ(code, 1005);
}

TEST(close_body_of_one_byte, "RFC 6455 5.5.1")
{
	u16 code;

	CHECK_EQ(close_of("\x03", 1, &code), 1002);
	CHECK_EQ(code, 1005);
}

TEST(close_with_code_and_reason, "RFC 6455 5.5.1")
{
	char body[125] = "\x0f\xa0";
	u16 code;

	CHECK_EQ(close_of("\x03\xe8", 2, &code), 0);
	CHECK_EQ(code, 1000);
	CHECK_EQ(close_of("\x03\xe9gone \xe2\x82\xac", 10, &code), 0);
	CHECK_EQ(code, 1001);
	memset(body + 2, 'r', 123);
	CHECK_EQ(close_of(body, sizeof(body), &code), 0);
	CHECK_EQ(code, 4000);
}

TEST(close_with_bad_code, "RFC 6455 7.4")
{
	static const u16 bad[] = {
		0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535,
	};
	unsigned int i;
	u16 code;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		char body[] = { bad[i] >> 8, bad[i], '\xff' };

		CHECK_EQ(close_of(body, 2, &code), 1002);
		CHECK_EQ(code, bad[i]);
		CHECK_EQ(close_of(body, 3, &code), 1002);
	}
}

TEST(close_reason_not_utf8, "RFC 6455 5.5.1, 8.1")
{
	u16 code;

	CHECK_EQ(close_of("\x03\xe8\xff", 3, &code), 1007);
	CHECK_EQ(code, 1000);
	CHECK_EQ(close_of("\x03\xe8ok\xed\xa0\x80", 7, &code), 1007);
	CHECK_EQ(close_of("\x03\xe8 \xc0\x80 and so on, and so on", 25,
			  &code), 1007);
}

TEST(close_reason_cut_in_a_character, "RFC 6455 5.5.1, 8.1")
{
	u16 code;

	CHECK_EQ(close_of("\x03\xe8\xe2\x82", 4, &code), 1007);
	CHECK_EQ(close_of("\x03\xe8\xe2\x82\xac", 5, &code), 0);
}

TAP_MAIN("protocol")
