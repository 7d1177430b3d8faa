// SPDX-License-Identifier: GPL-2.0
/* Text is checked at the first bad byte, across any split */
#include "fixture.h"

PEER_FIXTURE(utf8)
PEER_VARIANTS_OVER_WIRE(utf8);

struct sample {
	const char *text;
	size_t good;		/* bytes before the first that cannot be */
};

static const struct sample bad[] = {
	{ "a\x80", 1 },				/* stray continuation */
	{ "a\xc0\xaf", 1 },			/* overlong */
	{ "a\xc1\xbf", 1 },
	{ "a\xe0\x80\xaf", 2 },
	{ "a\xf0\x80\x80\xaf", 2 },
	{ "a\xe0\x9f\xbf", 2 },
	{ "a\xf0\x8f\xbf\xbf", 2 },
	{ "a\xed\xa0\x80", 2 },			/* surrogates */
	{ "a\xed\xbf\xbf", 2 },
	{ "a\xf4\x90\x80\x80", 2 },		/* above U+10FFFF */
	{ "a\xf5\x80\x80\x80", 1 },
	{ "a\xfe", 1 },
	{ "a\xff", 1 },
	{ "a\302b", 2 },			/* cut short */
	{ "a\342\202b", 3 },
	{ "a\360\237\230b", 4 },
};

static const char *const good[] = {
	"plain", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
	"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
	"\xf4\x8f\xbf\xbf", "k\xc3\xb6sme \xce\xba\xe1\xbd\xb9",
	"mixed \xf0\x9f\x98\x80 text",
};

TEST_F(utf8, good_text)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, good[i]));
		ASSERT_EQ(0, peer_gets(self->fd, good[i]));
	}
}

TEST_F(utf8, good_text_byte_by_byte)
{
	struct peer *p = &self->p;
	size_t i, j, len;
	char buf[64];

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		len = strlen(good[i]);
		for (j = 0; j < len; j++)
			ASSERT_EQ(0, peer_send(p, j ? CONT : TEXT,
					       good[i] + j, 1));
		ASSERT_EQ(0, peer_text(p, FIN | CONT, ""));
		ASSERT_EQ(0, peer_recv(self->fd, buf, len));
		ASSERT_EQ(0, memcmp(buf, good[i], len));
	}
}

/* The good bytes come out, whatever the reads; then the error, once */
static void refused(struct __test_metadata *_metadata, struct peer *p,
		    const char *text, size_t n)
{
	char buf[16];

	ASSERT_EQ(0, peer_recv(p->fd, buf, n));
	ASSERT_EQ(0, memcmp(buf, text, n));
	ASSERT_EQ(0, peer_fails(p->fd, EILSEQ));
	ASSERT_EQ(0, peer_see_close(p, 1007, ""));
	ASSERT_EQ(0, peer_gets(p->fd, ""));
}

TEST_F(utf8, bad_text)
{
	struct peer *p = &self->p;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(0, peer_text(p, FIN | TEXT, bad[i].text));
		refused(_metadata, p, bad[i].text, bad[i].good);
		ASSERT_EQ(0, peer_reopen(p));
	}
}

/* One call has room for all of it, and gets what is good */
TEST_F(utf8, bad_text_with_room)
{
	struct peer *p = &self->p;
	char buf[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_EQ(0, peer_text(p, FIN | TEXT, bad[i].text));
		if (bad[i].good) {
			ASSERT_EQ(bad[i].good,
				  recv(p->fd, buf, sizeof(buf), 0));
			ASSERT_EQ(0, memcmp(buf, bad[i].text, bad[i].good));
		}
		ASSERT_EQ(-1, recv(p->fd, buf, sizeof(buf), 0));
		ASSERT_EQ(EILSEQ, errno);
		ASSERT_EQ(0, peer_see_close(p, 1007, ""));
		ASSERT_EQ(0, peer_reopen(p));
	}
}

TEST_F(utf8, bad_text_in_fragments)
{
	struct peer *p = &self->p;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (j = 0; bad[i].text[j]; j++)
			ASSERT_EQ(0, peer_send(p, j ? CONT : TEXT,
					       bad[i].text + j, 1));
		refused(_metadata, p, bad[i].text, bad[i].good);
		ASSERT_EQ(0, peer_reopen(p));
	}
}

/* The rest of the frame need not come */
TEST_F(utf8, fails_at_the_first_bad_byte)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t n = peer_build(p, buf, FIN | TEXT, "ok\xf5 and the rest", 17);

	ASSERT_EQ(0, peer_write(p, buf, n - 14));
	refused(_metadata, p, "ok", 2);
}

TEST_F(utf8, message_ends_inside_a_character)
{
	struct peer *p = &self->p;
	char buf[4];

	ASSERT_EQ(0, peer_text(p, TEXT, "\xf0\x9f"));
	ASSERT_EQ(0, peer_recv(self->fd, buf, 2));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, ""));
	refused(_metadata, p, "", 0);
}

TEST_F(utf8, control_inside_a_character)
{
	struct peer *p = &self->p;
	char buf[4];

	ASSERT_EQ(0, peer_text(p, TEXT, "\xf0\x9f"));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "\x98\x80"));
	ASSERT_EQ(0, peer_recv(self->fd, buf, 4));
	EXPECT_EQ(0, memcmp(buf, "\xf0\x9f\x98\x80", 4));
}

TEST_F(utf8, binary_is_not_checked)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "\xff\xfe\x80"));
	EXPECT_EQ(0, peer_gets(self->fd, "\xff\xfe\x80"));
}

TEST_F(utf8, off)
{
	char buf[64];
	size_t n;

	ASSERT_EQ(0, peer_set(self->fd, WS_UTF8, 0));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "\xff\xfe\x80"));
	EXPECT_EQ(0, peer_gets(self->fd, "\xff\xfe\x80"));
	/* nor is what is no short message */
	n = peer_build(&self->p, buf, TEXT, "\xff", 1);
	n += peer_build(&self->p, buf + n, FIN | CONT, "\xfe", 1);
	ASSERT_EQ(0, peer_write(&self->p, buf, n));
	EXPECT_EQ(0, peer_gets(self->fd, "\xff\xfe"));
}

TEST_F(utf8, extension_bit_stops_the_check)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV1));
	ASSERT_EQ(0, peer_text(&self->p, FIN | WS_RSV1 | TEXT, "\xff\xfe"));
	EXPECT_EQ(0, peer_gets(self->fd, "\xff\xfe"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "\xff"));
	refused(_metadata, &self->p, "", 0);
}

/* A copy that fails must not leave half a character behind */
TEST_F(utf8, fault_inside_a_character)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "\xe2\x82\xac!"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EFAULT, recv(self->fd, (void *)8, 8, 0));
	EXPECT_EQ(0, peer_gets(self->fd, "\xe2\x82\xac!"));
}

TEST_F(utf8, peek_inside_a_character)
{
	char buf[2];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "\xe2\x82\xac!"));
	ASSERT_EQ(2, recv(self->fd, buf, 2, MSG_PEEK));
	ASSERT_EQ(2, recv(self->fd, buf, 2, MSG_PEEK));
	ASSERT_EQ(1, recv(self->fd, buf, 1, 0));
	EXPECT_EQ(0, peer_gets(self->fd, "\x82\xac!"));
}

TEST_F(utf8, discarded_text_is_checked)
{
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "never read\xff"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1007, ""));
}

TEST_HARNESS_MAIN
