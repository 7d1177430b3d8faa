// SPDX-License-Identifier: GPL-2.0
/* WS_EXT: reserved bits and opcodes that the handshake negotiated */
#include "fixture.h"

PEER_FIXTURE(ext)
PEER_VARIANTS_OVER_WIRE(ext);

TEST_F(ext, received_bits)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV1 | WS_RSV3));
	ASSERT_EQ(0, peer_text(&self->p, FIN | WS_RSV1 | WS_RSV3 | TEXT, "x"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(1, m.len);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN | WS_F_RSV1 | WS_F_RSV3,
		  m.frame.flags);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "y"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN, m.frame.flags);
}

TEST_F(ext, bits_of_the_first_frame)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV1));
	ASSERT_EQ(0, peer_text(&self->p, WS_RSV1 | BINARY, "a"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(WS_F_FIRST | WS_F_RSV1, m.frame.flags);
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "b"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(WS_F_FIN | WS_F_RSV1, m.frame.flags);
}

TEST_F(ext, other_bits_fail)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV1 | WS_RSV3));
	ASSERT_EQ(0, peer_text(&self->p, FIN | WS_RSV2 | TEXT, "x"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
}

TEST_F(ext, data_opcode)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_EXT_OP(3)));
	/* not text: whatever bytes */
	ASSERT_EQ(0, peer_text(p, 3, "\xff"));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "\xfe"));
	ASSERT_EQ(0, peer_sync(p));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(2, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	EXPECT_EQ(3, m.frame.opcode);
	ASSERT_EQ(0, peer_text(p, FIN | 4, "x"));
	EXPECT_EQ(0, peer_see_close(p, 1002, ""));
}

TEST_F(ext, control_opcode)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_EXT_OP(11)));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	ASSERT_EQ(0, peer_text(p, FIN | 11, "ctl"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "b"));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, peer_gets(self->fd, "a"));
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(3, m.len);
	EXPECT_EQ(11, m.frame.opcode);
	EXPECT_EQ(0, memcmp(buf, "ctl", 3));
	EXPECT_EQ(0, peer_gets(self->fd, "b"));
}

TEST_F(ext, control_opcode_has_controls_rules)
{
	struct peer *p = &self->p;
	char data[126] = {};

	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_EXT_OP(11)));
	ASSERT_EQ(0, peer_send(p, FIN | 11, data, 126));
	EXPECT_EQ(0, peer_see_close(p, 1002, ""));
	ASSERT_EQ(0, peer_reopen(p));
	ASSERT_EQ(0, peer_set(p->fd, WS_EXT, WS_EXT_OP(11)));
	ASSERT_EQ(0, peer_send(p, 11, data, 1));
	EXPECT_EQ(0, peer_see_close(p, 1002, ""));
}

TEST_F(ext, send)
{
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_EXT, WS_RSV1 | WS_EXT_OP(3) |
			      WS_EXT_OP(11)));
	ASSERT_EQ(1, peer_sendmsg(fd, WS_RSV1 | TEXT, "a", 1, 0));
	ASSERT_EQ(1, peer_sendmsg(fd, 3, "b", 1, 0));
	ASSERT_EQ(1, peer_sendmsg(fd, WS_RSV1 | 3, "c", 1, 0));
	ASSERT_EQ(1, peer_sendmsg(fd, 11, "d", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | WS_RSV1 | TEXT, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | 3, "b"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | WS_RSV1 | 3, "c"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | 11, "d"));
}

TEST_F(ext, send_in_fragments)
{
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_EXT, WS_RSV1));
	ASSERT_EQ(1, peer_sendmsg(fd, WS_RSV1 | TEXT, "a", 1, MSG_MORE));
	ASSERT_EQ(1, send(fd, "b", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, WS_RSV1 | TEXT, "a"));
	/* the bit stands on the first frame */
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "b"));
}

TEST_F(ext, send_limits)
{
	char data[126] = {};
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_EXT, WS_RSV1 | WS_EXT_OP(11)));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, WS_RSV2 | TEXT, "a", 1, 0));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, 3, "a", 1, 0));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, 12, "a", 1, 0));
	EXPECT_EQ(-EMSGSIZE, peer_sendmsg(fd, 11, data, 126, 0));
	EXPECT_EQ(-EINVAL, peer_sendmsg(fd, 11, data, 1, MSG_MORE));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(ext, type_option_takes_no_bits)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV1 | WS_EXT_OP(3)));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_TX_TYPE, WS_RSV1 | TEXT));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_TX_TYPE, 3));
}

TEST_F(ext, taken_back)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV1));
	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, 0));
	EXPECT_EQ(-EINVAL, peer_sendmsg(self->fd, WS_RSV1 | TEXT, "a", 1, 0));
	ASSERT_EQ(0, peer_text(&self->p, FIN | WS_RSV1 | TEXT, "x"));
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
}

TEST_HARNESS_MAIN
