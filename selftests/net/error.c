// SPDX-License-Identifier: GPL-2.0
/* A peer that breaks the protocol: which Close it gets, and what we read */
#include "fixture.h"

PEER_FIXTURE(error)
PEER_VARIANTS_OVER_WIRE(error);

/* The good bytes, then the error once, then the end; the peer's Close */
static void failed(struct __test_metadata *_metadata, struct peer *p,
		   const char *good, int code, int error)
{
	int soon = *good ? POLLOUT | POLLRDHUP | POLLIN : 0;
	struct ws_close c;

	if (*good) {
		/* known, and not answered before the reader gets there */
		ASSERT_EQ(POLLRDHUP, peer_poll(p->fd, POLLRDHUP, PEER_LIMIT));
		EXPECT_EQ(soon, peer_poll(p->fd, soon, 0));
		ASSERT_EQ(0, peer_gets(p->fd, good));
		ASSERT_EQ(5, send(p->fd, "reply", 5, 0));
		ASSERT_EQ(0, peer_see_text(p, FIN | BINARY, "reply"));
		EXPECT_EQ(0, peer_poll(p->raw, POLLIN, 0));
		EXPECT_EQ(POLLERR | POLLIN, peer_poll(p->fd, POLLIN, 0));
		EXPECT_EQ(0, peer_fails(p->fd, error));
		ASSERT_EQ(0, peer_see_close(p, code, ""));
	} else {
		ASSERT_EQ(0, peer_see_close(p, code, ""));
		EXPECT_EQ(POLLERR | POLLIN, peer_poll(p->fd, POLLIN, 0));
		EXPECT_EQ(0, peer_fails(p->fd, error));
	}
	EXPECT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(-1, send(p->fd, "x", 1, MSG_NOSIGNAL));
	c = peer_ended(p->fd);
	EXPECT_EQ(code, c.code);
	EXPECT_EQ(WS_CLOSE_BY_LOCAL, c.by);
}

/* A good message and a frame that starts with b0, in a segment */
static void frame_fails(struct __test_metadata *_metadata, struct peer *p,
			int b0, const void *data, size_t len, int code,
			int error)
{
	char buf[512];
	size_t n = peer_build(p, buf, FIN | TEXT, "good", 4);

	n += peer_build(p, buf + n, b0, data, len);
	ASSERT_EQ(0, peer_write(p, buf, n));
	failed(_metadata, p, "good", code, error);
}

/* The same for each of n first bytes, over connections of their own */
static void each_fails(struct __test_metadata *_metadata, struct peer *p,
		       const int *b0s, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		frame_fails(_metadata, p, b0s[i], "x", 1, 1002, EPROTO);
		ASSERT_EQ(0, peer_reopen(p));
	}
}

/* RFC 6455 section 5.2: RSV1 to RSV3 */
TEST_F(error, reserved_bits)
{
	int b0s[] = {
		0xc1, 0xa1, 0x91, 0x41, 0xf2, 0xc9, 0xa9, 0x9a, 0x98 | 0x40,
	};

	each_fails(_metadata, &self->p, b0s, ARRAY_SIZE(b0s));
}

TEST_F(error, reserved_data_opcodes)
{
	int b0s[] = { 0x83, 0x84, 0x85, 0x86, 0x87, 0x03 };

	each_fails(_metadata, &self->p, b0s, ARRAY_SIZE(b0s));
}

TEST_F(error, reserved_control_opcodes)
{
	int b0s[] = { 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x0b };

	each_fails(_metadata, &self->p, b0s, ARRAY_SIZE(b0s));
}

/* Section 5.5: control frames must not be fragmented */
TEST_F(error, fragmented_control)
{
	int b0s[] = { WS_OP_PING, WS_OP_PONG, WS_OP_CLOSE };

	each_fails(_metadata, &self->p, b0s, ARRAY_SIZE(b0s));
}

/* Section 5.4 */
TEST_F(error, continuation_of_nothing)
{
	int b0s[] = { FIN | CONT, CONT };

	each_fails(_metadata, &self->p, b0s, ARRAY_SIZE(b0s));
}

TEST_F(error, message_inside_a_message)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t n = peer_build(p, buf, TEXT, "open", 4);

	n += peer_build(p, buf + n, FIN | TEXT, "new", 3);
	ASSERT_EQ(0, peer_write(p, buf, n));
	failed(_metadata, p, "open", 1002, EPROTO);
}

/* Section 5.1: a client masks, a server does not */
TEST_F(error, wrong_mask)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t n = peer_build(p, buf, FIN | TEXT, "good", 4);

	n += peer_build_as(p, buf + n, FIN | TEXT, 0,
			   variant->role == WS_CLIENT, "bad", 3);
	ASSERT_EQ(0, peer_write(p, buf, n));
	failed(_metadata, p, "good", 1002, EPROTO);
}

static void length_fails(struct __test_metadata *_metadata, struct peer *p,
			 int b0, int extended, size_t len)
{
	char buf[512], data[256] = {};
	size_t n = peer_build_as(p, buf, b0, extended, p->role == WS_SERVER,
				 data, len);

	ASSERT_EQ(0, peer_write(p, buf, n));
	failed(_metadata, p, "", 1002, EPROTO);
}

TEST_F(error, length_not_minimal_16)
{
	length_fails(_metadata, &self->p, FIN | TEXT, 2, 125);
}

TEST_F(error, length_not_minimal_64)
{
	length_fails(_metadata, &self->p, FIN | TEXT, 8, 200);
}

TEST_F(error, long_control)
{
	length_fails(_metadata, &self->p, PING, 2, 126);
}

TEST_F(error, length_top_bit)
{
	char header[] = "\x82\x7f\x80\0\0\0\0\0\0\0\1\2\3\4";

	if (variant->role == WS_SERVER)
		header[1] |= 0x80;
	ASSERT_EQ(0, peer_write(&self->p, header, 14));
	failed(_metadata, &self->p, "", 1002, EPROTO);
}

/* Section 5.5.1 */
TEST_F(error, close_body_of_one_byte)
{
	frame_fails(_metadata, &self->p, CLOSE, "\x03", 1, 1002, EPROTO);
}

TEST_F(error, close_codes)
{
	int codes[] = {
		1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535,
	};
	unsigned char body[2];
	int i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		body[0] = codes[i] >> 8;
		body[1] = codes[i];
		frame_fails(_metadata, &self->p, CLOSE, body, 2, 1002, EPROTO);
		ASSERT_EQ(0, peer_reopen(&self->p));
	}
}

TEST_F(error, close_reason_not_utf8)
{
	frame_fails(_metadata, &self->p, CLOSE, "\x03\xe8\xff", 3, 1007,
		    EILSEQ);
}

/* Text is checked as it is read */
TEST_F(error, text_not_utf8)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "good\377bad"));
	ASSERT_EQ(0, peer_gets(self->fd, "good"));
	failed(_metadata, p, "", 1007, EILSEQ);
}

TEST_F(error, text_ends_inside_a_character)
{
	struct peer *p = &self->p;
	char buf[8];

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "ok\xe2\x82"));
	ASSERT_LE(2, recv(self->fd, buf, sizeof(buf), 0));
	ASSERT_EQ(0, memcmp(buf, "ok", 2));
	failed(_metadata, p, "", 1007, EILSEQ);
}

TEST_F(error, frame_max)
{
	struct peer *p = &self->p;
	char buf[64], data[11] = "0123456789";
	size_t n;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAME_MAX, 10));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, data));
	ASSERT_EQ(0, peer_gets(self->fd, data));
	n = peer_build(p, buf, FIN | TEXT, data, 11);
	/* the header alone is enough */
	ASSERT_EQ(0, peer_write(p, buf, n - 11));
	failed(_metadata, p, "", 1009, EMSGSIZE);
}

TEST_F(error, message_max)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MESSAGE_MAX, 10));
	ASSERT_EQ(0, peer_text(p, TEXT, "123456"));
	ASSERT_EQ(0, peer_text(p, CONT, "7890"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "1"));
	failed(_metadata, p, "1234567890", 1009, EMSGSIZE);
}

TEST_F(error, fragments_max)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_FRAGMENTS_MAX, 2));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "b"));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_gets(self->fd, "ab"));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	ASSERT_EQ(0, peer_text(p, CONT, "b"));
	ASSERT_EQ(0, peer_text(p, CONT, "c"));
	failed(_metadata, p, "ab", 1009, EMSGSIZE);
}

TEST_F(error, tcp_ends_in_a_message)
{
	ASSERT_EQ(0, peer_text(&self->p, TEXT, "cut"));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(0, peer_gets(self->fd, "cut"));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(1006, peer_ended(self->fd).code);
}

TEST_F(error, tcp_ends_in_a_header)
{
	ASSERT_EQ(0, peer_write(&self->p, "\x81", 1));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_F(error, tcp_ends_between_messages)
{
	EXPECT_EQ(0, peer_ended(self->fd).code);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "whole"));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(0, peer_gets(self->fd, "whole"));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(1006, peer_ended(self->fd).code);
}

TEST_F(error, tcp_reset)
{
	struct linger now = { .l_onoff = 1 };

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "good"));
	ASSERT_EQ(0, peer_sync(&self->p));
	setsockopt(self->p.raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(self->p.raw);
	self->p.raw = -1;
	ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(self->fd, 0, PEER_LIMIT));
	EXPECT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNRESET));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(1006, peer_ended(self->fd).code);
}

/* A peer cannot fill the kernel's log */
TEST_F(error, nothing_is_logged)
{
	int b0s[] = { 0xc1, 0x83, 0x8f, 0x09, 0x80 };
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char line[1024];

	ASSERT_LE(0, log);
	ASSERT_EQ(0, lseek(log, 0, SEEK_END));
	each_fails(_metadata, &self->p, b0s, ARRAY_SIZE(b0s));
	while (read(log, line, sizeof(line)) > 0)
		EXPECT_EQ(NULL, strstr(line, "ws"))
			TH_LOG("%s", line);
	close(log);
}

/* A good message, and behind it one that is not */
static void good_and_bad(struct __test_metadata *_metadata, struct peer *p)
{
	char buf[64];
	size_t n = peer_build(p, buf, FIN | TEXT, "good", 4);

	n += peer_build(p, buf + n, FIN | 3, "bad", 3);
	ASSERT_EQ(0, peer_write(p, buf, n));
	ASSERT_EQ(POLLRDHUP, peer_poll(p->fd, POLLRDHUP, PEER_LIMIT));
}

TEST_F(error, answered_in_time_without_a_reader)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_CLOSE_TIMEOUT, 50));
	good_and_bad(_metadata, p);
	ASSERT_EQ(0, peer_see_close(p, 1002, ""));
	EXPECT_ERRNO(EPIPE, send(self->fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
}

TEST_F(error, answered_after_shut_rd)
{
	good_and_bad(_metadata, &self->p);
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 0));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
}

TEST_F(error, answered_by_close)
{
	good_and_bad(_metadata, &self->p);
	EXPECT_EQ(0, peer_poll(self->p.raw, POLLIN, 0));
	ASSERT_EQ(0, close(self->fd));
	self->p.fd = -1;
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
}

/* Whatever code the application has for it, the fault's is the reason. */
TEST_F(error, answered_by_a_close_of_our_own)
{
	good_and_bad(_metadata, &self->p);
	EXPECT_EQ(EALREADY, peer_set_close(self->fd, 4000, "") ? errno : 0);
	ASSERT_EQ(2, peer_sendmsg(self->fd, WS_OP_CLOSE, "\x0f\xa0", 2, 0));
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
	EXPECT_EQ(1002, peer_ended(self->fd).code);
}

TEST_F(error, state_until_it_is_answered)
{
	struct ws_info info;

	good_and_bad(_metadata, &self->p);
	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_EQ(WS_STATE_CLOSING, info.state);
	EXPECT_EQ(WS_INFO_FAILED, info.flags);
	ASSERT_EQ(0, peer_gets(self->fd, "good"));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
	ASSERT_EQ(0, peer_info(self->fd, &info));
	EXPECT_EQ(WS_STATE_CLOSED, info.state);
}

TEST_F(error, nothing_after_the_failure)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_text(p, FIN | 3, "bad"));
	ASSERT_EQ(0, peer_see_close(p, 1002, ""));
	ASSERT_EQ(0, peer_text(p, PING, "unanswered"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_fails(self->fd, EPROTO));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	shutdown(p->raw, SHUT_WR);
	EXPECT_EQ(0, peer_see_fin(p));
}

/* The first fault in the stream is told, not the first that was found */
TEST_F(error, bad_text_before_a_bad_header)
{
	long long utf8 = peer_stat("WsFailUtf8");
	long long protocol = peer_stat("WsFailProtocol");
	char buf[64];
	size_t n = peer_build(&self->p, buf, FIN | TEXT, "a\377", 2);

	n += peer_build(&self->p, buf + n, FIN | 0x3, "", 0);
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	EXPECT_EQ(0, peer_gets(self->fd, "a"));
	EXPECT_EQ(0, peer_fails(self->fd, EILSEQ));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 1007, ""));
	EXPECT_EQ(utf8 + 1, peer_stat("WsFailUtf8"));
	EXPECT_EQ(protocol, peer_stat("WsFailProtocol"));
}

/* A fault is counted once, though the connection ends before it is answered */
TEST_F(error, counted_without_an_answer)
{
	long long count = peer_stat("WsFailProtocol");

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	EXPECT_EQ(count, peer_stat("WsFailProtocol"));
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_LINGER,
				&(struct linger){ 1, 0 },
				sizeof(struct linger)));
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	EXPECT_EQ(count + 1, peer_stat("WsFailProtocol"));
}

/* The answer to a fault ends a send that waits for room */
TEST_F(error, wakes_a_sender)
{
	enum { LEN = 8 << 20 };
	struct peer *p = &self->p;
	struct peer_job job;
	char *data = calloc(1, LEN);

	ASSERT_EQ(0, peer_start(&job, self->fd, data, LEN));
	while (!peer_poll(p->raw, POLLIN, 1) ||
	       peer_poll(self->fd, POLLOUT, 50))
		;
	ASSERT_EQ(0, peer_text(p, FIN | 3, "bad"));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
	EXPECT_GT(LEN, peer_join(&job));
	free(data);
}

TEST_HARNESS_MAIN
