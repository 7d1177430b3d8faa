// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that carry nothing to read: empty fragments, control frames. They
 * belong to a message all the same, and must not fill the receive buffer.
 */
#include <linux/sock_diag.h>
#include <poll.h>

#include "fixture.h"

#define SMALL_BUFFER	(64 << 10)

PEER_FIXTURE(quiet)
PEER_VARIANTS_OVER_WIRE(quiet);

/* A message whose first fragment is empty, behind a message that is not read */
static void send_behind(struct __test_metadata *_metadata, struct peer *p)
{
	char buf[64];
	size_t n = peer_build(p, buf, FIN | BINARY, "before", 6);

	n += peer_build(p, buf + n, TEXT, NULL, 0);
	ASSERT_EQ(0, peer_write(p, buf, n));
}

TEST_F(quiet, empty_first_fragment_has_the_type)
{
	struct peer_msg m;
	char buf[16];

	send_behind(_metadata, &self->p);
	ASSERT_EQ(0, peer_gets(self->fd, "before"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "after"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(5, m.len);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN, m.frame.flags);
}

TEST_F(quiet, empty_first_fragment_has_the_type_of_a_message)
{
	struct peer_msg m;
	char buf[16];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	send_behind(_metadata, &self->p);
	ASSERT_EQ(0, peer_gets(self->fd, "before"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "after"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(5, m.len);
	EXPECT_EQ(TEXT, m.frame.opcode);
}

/* What follows an empty first fragment is checked as text too */
TEST_F(quiet, empty_first_fragment_of_bad_text)
{
	char buf[16];

	send_behind(_metadata, &self->p);
	ASSERT_EQ(0, peer_gets(self->fd, "before"));
	ASSERT_EQ(0, peer_send(&self->p, FIN | CONT, "\xff", 1));
	EXPECT_ERRNO(EILSEQ, recv(self->fd, buf, sizeof(buf), 0));
}

/* Frames as built by the peer, n times one after the other, all written */
static void send_many(struct __test_metadata *_metadata, struct peer *p,
		      int b0, unsigned int n)
{
	char buf[4096];
	size_t have = 0;

	while (n--) {
		have += peer_build(p, buf + have, b0, NULL, 0);
		if (have + PEER_HEADER > sizeof(buf) || !n) {
			ASSERT_EQ(0, peer_write(p, buf, have));
			have = 0;
		}
	}
}

static void small_buffer(struct __test_metadata *_metadata, int fd)
{
	int size = SMALL_BUFFER;

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size,
				sizeof(size)));
}

/*
 * More of them than the buffer holds, before and after the one message that
 * the application reads: it only waits for poll(), and calls no more than once.
 */
static void through(struct __test_metadata *_metadata, struct peer *p, int b0)
{
	unsigned int n = 2 * SMALL_BUFFER / 2;

	small_buffer(_metadata, p->fd);
	ASSERT_EQ(0, peer_text(p, TEXT, "read"));
	send_many(_metadata, p, b0, 100);
	ASSERT_EQ(0, peer_gets(p->fd, "read"));
	send_many(_metadata, p, b0, n);
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "on"));
	ASSERT_EQ(POLLIN, peer_poll(p->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(0, peer_gets(p->fd, "on"));
}

TEST_F(quiet, empty_fragments_do_not_fill_the_buffer)
{
	through(_metadata, &self->p, CONT);
}

TEST_F(quiet, pongs_do_not_fill_the_buffer)
{
	through(_metadata, &self->p, PONG);
}

/* Likewise while a call waits, and for more than the buffer holds */
TEST_F(quiet, wait_for_all_of_much)
{
	static char data[16 * SMALL_BUFFER], got[sizeof(data)];
	static char wire[sizeof(data) + PEER_HEADER];
	struct peer_job job;
	size_t n;

	peer_fill(data, sizeof(data), 1);
	small_buffer(_metadata, self->fd);
	n = peer_build(&self->p, wire, FIN | BINARY, data, sizeof(data));
	ASSERT_EQ(0, peer_start(&job, self->p.raw, wire, n));
	ASSERT_EQ(sizeof(got), recv(self->fd, got, sizeof(got), MSG_WAITALL));
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
	EXPECT_EQ(n, peer_join(&job));
}

/* Bytes of the receive buffer that are in use, overhead included */
static unsigned int in_use(int fd)
{
	unsigned int mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
		return -1;
	return mem[SK_MEMINFO_RMEM_ALLOC];
}

/* The first bytes of a frame, in the buffer that a long message fills */
static void behind_a_long_one(struct __test_metadata *_metadata,
			      struct peer *p, int b0, size_t cut)
{
	static char data[60000], got[sizeof(data)], wire[sizeof(data) + 64];
	/* an eighth of the buffer is little; over loopback it is even less */
	unsigned int little = p->family & PEER_WIRE ? SMALL_BUFFER / 4 : 8192;
	size_t n, len;

	small_buffer(_metadata, p->fd);
	peer_fill(data, sizeof(data), 2);
	n = peer_build(p, wire, FIN | BINARY, data, sizeof(data));
	len = n + peer_build(p, wire + n, b0, "tail", 4);
	ASSERT_EQ(0, peer_write(p, wire, n + cut));
	ASSERT_EQ(0, peer_recv(p->fd, got, sizeof(got)));
	ASSERT_EQ(0, memcmp(data, got, sizeof(data)));
	EXPECT_GE(little, in_use(p->fd));
	ASSERT_EQ(0, peer_write(p, wire + n + cut, len - n - cut));
}

TEST_F(quiet, part_of_a_header_holds_no_buffer)
{
	behind_a_long_one(_metadata, &self->p, FIN | TEXT, 1);
	EXPECT_EQ(0, peer_gets(self->fd, "tail"));
}

TEST_F(quiet, part_of_a_ping_holds_no_buffer)
{
	behind_a_long_one(_metadata, &self->p, PING, 4);
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "tail"));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_HARNESS_MAIN
