// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that the sender still writes to. Over loopback what sendfile() sends is
 * the file's own page: the kernel finds a frame there when it arrives, and
 * something else when it is read.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "fixture.h"

/* In a namespace of its own, for its counters */
static int open_alone(struct peer *p, int family, int role)
{
	return peer_netns() ?: peer_open(p, family, role);
}

PEER_FIXTURE_AS(shared, open_alone)

#define FRAMES	8

struct stream {
	char buf[1024];
	size_t at[FRAMES];	/* where each frame begins */
	size_t len;
	int nr;
	int file;
};

static void add(struct stream *s, struct peer *p, int b0, const char *text)
{
	s->at[s->nr++] = s->len;
	s->len += peer_build(p, s->buf + s->len, b0, text, strlen(text));
}

/* Sent, arrived and scanned */
static int arrived(struct stream *s, struct peer *p)
{
	off_t from = 0;

	s->file = memfd_create("stream", 0);
	if (write(s->file, s->buf, s->len) != s->len ||
	    sendfile(p->raw, s->file, &from, s->len) != s->len)
		return -1;
	return peer_poll(p->fd, POLLIN, PEER_LIMIT) == POLLIN ? 0 : -1;
}

/* Then a byte of a frame changes. */
static int change(struct stream *s, int frame, int byte, int bits)
{
	size_t at = s->at[frame] + byte;

	s->buf[at] ^= bits;
	return pwrite(s->file, s->buf + at, 1, at) == 1 ? 0 : -1;
}

/* Some reads may still give something, then the connection is gone. */
static void ends(struct __test_metadata *_metadata, struct peer *p)
{
	char buf[2048];
	int i, err = 0;

	for (i = 0; i < 100 && !err; i++)
		if (recv(p->fd, buf, sizeof(buf), 0) <= 0)
			err = errno;
	EXPECT_EQ(ECONNABORTED, err);
	EXPECT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(-1, send(p->fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(1, peer_stat("WsAborted"));
}

/* No text: that would fail over the headers in it. */
static void messages(struct stream *s, struct peer *p)
{
	while (s->nr < FRAMES)
		add(s, p, FIN | BINARY, "abc");
}

static void length_changes(struct __test_metadata *_metadata, struct peer *p,
			   int mode, int bits)
{
	struct stream s = { };

	ASSERT_EQ(0, peer_set(p->fd, WS_RX_MODE, mode));
	messages(&s, p);
	ASSERT_EQ(0, arrived(&s, p));
	ASSERT_EQ(0, change(&s, 1, 1, bits));
	ends(_metadata, p);
	EXPECT_EQ(0, peer_see_reset(p));
}

TEST_F(shared, message_grows)
{
	length_changes(_metadata, &self->p, WS_RX_STREAM, 3 ^ 20);
}

TEST_F(shared, message_grows_in_records)
{
	length_changes(_metadata, &self->p, WS_RX_RECORDS, 3 ^ 20);
}

TEST_F(shared, message_shrinks)
{
	length_changes(_metadata, &self->p, WS_RX_STREAM, 3 ^ 0);
}

TEST_F(shared, message_shrinks_in_records)
{
	length_changes(_metadata, &self->p, WS_RX_RECORDS, 3 ^ 0);
}

TEST_F(shared, message_becomes_endless)
{
	length_changes(_metadata, &self->p, WS_RX_STREAM, 3 ^ 127);
}

TEST_F(shared, message_becomes_endless_in_records)
{
	length_changes(_metadata, &self->p, WS_RX_RECORDS, 3 ^ 127);
}

TEST_F(shared, last_header_is_cut)
{
	struct stream s = { };

	messages(&s, &self->p);
	ASSERT_EQ(0, arrived(&s, &self->p));
	ASSERT_EQ(0, change(&s, FRAMES - 1, 1, 3 ^ 127));
	ends(_metadata, &self->p);
}

TEST_F(shared, message_becomes_control)
{
	struct stream s = { };

	messages(&s, &self->p);
	ASSERT_EQ(0, arrived(&s, &self->p));
	ASSERT_EQ(0, change(&s, 3, 0, BINARY ^ WS_OP_PONG));
	ends(_metadata, &self->p);
}

static void control_changes(struct __test_metadata *_metadata, struct peer *p,
			    int byte, int bits)
{
	struct stream s = { };

	add(&s, p, FIN | BINARY, "abc");
	add(&s, p, PING, "now");
	messages(&s, p);
	ASSERT_EQ(0, arrived(&s, p));
	ASSERT_EQ(0, change(&s, 1, byte, bits));
	EXPECT_EQ(0, peer_gets(p->fd, "abc"));
	ends(_metadata, p);
	/* it was answered as it had arrived */
	EXPECT_EQ(0, peer_see_text(p, PONG, "now"));
}

TEST_F(shared, control_becomes_a_message)
{
	control_changes(_metadata, &self->p, 0, WS_OP_PING ^ BINARY);
}

/* The reader is in a preload then, which stays until it has been read. */
TEST_F(shared, control_grows_behind_a_preload)
{
	struct peer *p = &self->p;
	struct stream s = { };
	char buf[64];
	size_t n;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	n = peer_build(p, buf, FIN | TEXT, "preloaded", 9);
	ASSERT_EQ(0, setsockopt(p->fd, SOL_WS, WS_RX_PRELOAD, buf, n));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	add(&s, p, PONG, "");
	ASSERT_EQ(0, arrived(&s, p));
	ASSERT_EQ(0, peer_stat_is("WsRxPong", 1));
	ASSERT_EQ(0, change(&s, 0, 1, 126));
	EXPECT_EQ(0, peer_gets(p->fd, "preloaded"));
	EXPECT_EQ(0, peer_fails(p->fd, ECONNABORTED));
	EXPECT_EQ(1, peer_stat("WsAborted"));
}

TEST_F(shared, control_grows)
{
	control_changes(_metadata, &self->p, 1, 3 ^ 127);
}

TEST_F(shared, payload_changes)
{
	struct stream s = { };

	/* that is nobody's business but the sender's */
	add(&s, &self->p, FIN | BINARY, "abc");
	ASSERT_EQ(0, arrived(&s, &self->p));
	ASSERT_EQ(0, change(&s, 0, s.len - 1, 'c' ^ 'x'));
	EXPECT_EQ(0, peer_gets(self->fd, "abx"));
	EXPECT_EQ(0, peer_stat("WsAborted"));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_HARNESS_MAIN
