// SPDX-License-Identifier: GPL-2.0
/* WS_RX_CTRL: control frames that the application wants to see */
#include "fixture.h"

PEER_FIXTURE(ctrl)
PEER_VARIANTS_OVER_WIRE(ctrl);

/* recvmsg() gives exactly this, whole */
static int gets_whole(int fd, int opcode, const char *text)
{
	size_t len = strlen(text);
	struct peer_msg m;
	char buf[256];

	m = peer_recvmsg(fd, buf, sizeof(buf), 0);
	return m.len == len && !memcmp(buf, text, len) &&
	       m.flags & MSG_EOR && m.framed && m.frame.opcode == opcode &&
	       m.frame.flags & WS_F_FIN && !m.frame.left ? 0 : -1;
}

TEST_F(ctrl, in_order)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL,
			      WS_CTRL_PING | WS_CTRL_PONG));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_text(p, PING, "ping"));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, "two"));
	ASSERT_EQ(0, peer_text(p, PONG, "pong"));
	ASSERT_EQ(0, peer_text(p, PONG, ""));
	EXPECT_EQ(0, gets_whole(self->fd, TEXT, "one"));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PING, "ping"));
	EXPECT_EQ(0, gets_whole(self->fd, BINARY, "two"));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PONG, "pong"));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PONG, ""));
	/* seen and answered all the same */
	EXPECT_EQ(0, peer_see_text(p, PONG, "ping"));
}

TEST_F(ctrl, only_what_was_asked_for)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PONG));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	ASSERT_EQ(0, peer_text(p, PONG, "pong"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PONG, "pong"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(ctrl, close)
{
	struct peer_msg m;
	char buf[16];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_CLOSE));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "last"));
	ASSERT_EQ(0, peer_send_close(&self->p, 4000, "bye"));
	EXPECT_EQ(0, gets_whole(self->fd, TEXT, "last"));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_CLOSE, "\017\240bye"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(0, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	EXPECT_FALSE(m.framed);
	EXPECT_EQ(0, peer_see_close(&self->p, 4000, ""));
}

TEST_F(ctrl, close_without_body)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_CLOSE));
	ASSERT_EQ(0, peer_send_close(&self->p, 0, ""));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_CLOSE, ""));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_close(&self->p, 0, ""));
}

TEST_F(ctrl, in_pieces)
{
	char data[125], buf[125];
	struct peer_msg m;

	peer_fill(data, sizeof(data), 50);
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_send(&self->p, PING, data, sizeof(data)));
	m = peer_recvmsg(self->fd, buf, 100, 0);
	EXPECT_EQ(100, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN, m.frame.flags);
	EXPECT_EQ(25, m.frame.left);
	/* the rest is no data either */
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	m = peer_recvmsg(self->fd, buf + 100, 25, 0);
	EXPECT_EQ(25, m.len);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	EXPECT_EQ(WS_F_FIN, m.frame.flags);
	EXPECT_EQ(WS_OP_PING, m.frame.opcode);
	EXPECT_EQ(0, memcmp(buf, data, sizeof(data)));
}

TEST_F(ctrl, in_a_message)
{
	struct peer *p = &self->p;
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(p, TEXT, "a"));
	ASSERT_EQ(0, peer_text(p, PING, "ping"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "b"));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, "c"));
	ASSERT_EQ(0, peer_see_text(p, PONG, "ping"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(1, m.len);
	EXPECT_EQ(0, m.flags & MSG_EOR);
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PING, "ping"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(1, m.len);
	EXPECT_EQ('b', buf[0]);
	EXPECT_EQ(MSG_EOR, m.flags & MSG_EOR);
	EXPECT_EQ(TEXT, m.frame.opcode);
	EXPECT_EQ(WS_F_FIN, m.frame.flags);
	EXPECT_EQ(0, gets_whole(self->fd, BINARY, "c"));
}

TEST_F(ctrl, in_a_character)
{
	struct peer *p = &self->p;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(p, TEXT, "\xe2\x82"));
	ASSERT_EQ(0, peer_text(p, PING, "\xff"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "\xac"));
	ASSERT_EQ(2, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PING, "\xff"));
	EXPECT_EQ(0, peer_gets(self->fd, "\xac"));
}

TEST_F(ctrl, reader_without_room)
{
	struct peer *p = &self->p;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_text(p, PING, "ping"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "two"));
	ASSERT_EQ(0, peer_see_text(p, PONG, "ping"));
	EXPECT_EQ(0, peer_gets(self->fd, "one"));
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	EXPECT_EQ(0, peer_fails(self->fd, EIO));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PING, "ping"));
	EXPECT_EQ(0, peer_gets(self->fd, "two"));
}

TEST_F(ctrl, room_for_a_part_is_none)
{
	char control[CMSG_SPACE(sizeof(struct ws_frame)) - 8] = {}, buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(&self->p, PING, "ping"));
	EXPECT_ERRNO(EIO, recvmsg(self->fd, &msg, 0));
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PING, "ping"));
}

TEST_F(ctrl, peek)
{
	struct peer_msg m;
	char buf[8];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(&self->p, PING, "ping"));
	m = peer_recvmsg(self->fd, buf, sizeof(buf), MSG_PEEK);
	EXPECT_EQ(4, m.len);
	EXPECT_EQ(WS_OP_PING, m.frame.opcode);
	EXPECT_EQ(0, gets_whole(self->fd, WS_OP_PING, "ping"));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

TEST_F(ctrl, pong_by_the_application)
{
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_AUTO_PONG, 0));
	ASSERT_EQ(0, peer_set(fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(&self->p, PING, "ask"));
	ASSERT_EQ(0, gets_whole(fd, WS_OP_PING, "ask"));
	ASSERT_EQ(3, peer_sendmsg(fd, WS_OP_PONG, "own", 3, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, PONG, "own"));
}

TEST_F(ctrl, changes_when_all_is_read)
{
	int fd = self->fd;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "unread"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(EBUSY, peer_set(fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_gets(fd, "unread"));
	ASSERT_EQ(0, peer_set(fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(&self->p, PING, "x"));
	ASSERT_EQ(POLLIN, peer_poll(fd, POLLIN, PEER_LIMIT));
	EXPECT_EQ(EBUSY, peer_set(fd, WS_RX_CTRL, 0));
	ASSERT_EQ(0, gets_whole(fd, WS_OP_PING, "x"));
	ASSERT_EQ(0, peer_see_text(&self->p, PONG, "x"));
	ASSERT_EQ(0, peer_set(fd, WS_RX_CTRL, 0));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_poll(fd, POLLIN, 0));
}

TEST_F(ctrl, bad_close_is_not_delivered)
{
	char c;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_CLOSE));
	ASSERT_EQ(0, peer_send_close(&self->p, 1005, ""));
	ASSERT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(-EPROTO, peer_recvmsg(self->fd, &c, 1, 0).len);
	EXPECT_EQ(0, peer_gets(self->fd, ""));
}

TEST_HARNESS_MAIN
