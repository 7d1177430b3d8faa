// SPDX-License-Identifier: GPL-2.0
/* Options: defaults, limits, lengths */
#include "fixture.h"

PEER_FIXTURE(sockopt)

static const struct limits {
	int option, value, min, max;
} limits[] = {
	{ WS_TX_FRAME_MAX, 65536, 125, 1 << 20 },
	{ WS_RX_FRAME_MAX, 0, 0, 0x7fffffff },
	{ WS_RX_MESSAGE_MAX, 0, 0, 0x7fffffff },
	{ WS_RX_FRAGMENTS_MAX, 0, 0, 0x7fffffff },
	{ WS_UTF8, 1, 0, 1 },
	{ WS_RX_CTRL, 0, 0, 7 },
	{ WS_RX_STALL_TIMEOUT, 0, 0, 86400000 },
	{ WS_PING_INTERVAL, 0, 0, 86400000 },
	{ WS_PING_TIMEOUT, 0, 0, 86400000 },
	{ WS_AUTO_PONG, 1, 0, 1 },
	{ WS_AUTO_CLOSE, 1, 0, 1 },
	{ WS_CLOSE_TIMEOUT, 30000, 1, 86400000 },
	{ WS_TX_TYPE, WS_OP_BINARY, WS_OP_TEXT, WS_OP_BINARY },
	{ WS_RX_MODE, WS_RX_STREAM, WS_RX_STREAM, WS_RX_RECORDS },
};

TEST_F(sockopt, defaults)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		EXPECT_EQ(limits[i].value, peer_get(self->fd,
						    limits[i].option))
			TH_LOG("option %d", limits[i].option);
}

TEST_F(sockopt, limits)
{
	const struct limits *l;

	for (l = limits; l < limits + ARRAY_SIZE(limits); l++) {
		EXPECT_EQ(0, peer_set(self->fd, l->option, l->min))
			TH_LOG("option %d", l->option);
		EXPECT_EQ(l->min, peer_get(self->fd, l->option));
		EXPECT_EQ(EINVAL, peer_set(self->fd, l->option, l->min - 1))
			TH_LOG("option %d", l->option);
		EXPECT_EQ(l->min, peer_get(self->fd, l->option));
		EXPECT_EQ(0, peer_set(self->fd, l->option, l->max))
			TH_LOG("option %d", l->option);
		EXPECT_EQ(l->max, peer_get(self->fd, l->option));
		EXPECT_EQ(EINVAL, peer_set(self->fd, l->option,
					   (int)(l->max + 1u)))
			TH_LOG("option %d", l->option);
		EXPECT_EQ(l->max, peer_get(self->fd, l->option));
		EXPECT_EQ(0, peer_set(self->fd, l->option, l->value));
	}
}

TEST_F(sockopt, short_values)
{
	int i, value = 1;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		EXPECT_ERRNO(EINVAL, setsockopt(self->fd, SOL_WS,
						limits[i].option, &value, 3));
		EXPECT_ERRNO(EINVAL, setsockopt(self->fd, SOL_WS,
						limits[i].option, NULL, 0));
		EXPECT_EQ(limits[i].value, peer_get(self->fd,
						    limits[i].option));
	}
}

TEST_F(sockopt, faults)
{
	int i, value = 0;
	socklen_t len = sizeof(value);

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		EXPECT_ERRNO(EFAULT, setsockopt(self->fd, SOL_WS,
						limits[i].option,
						(void *)8, 4));
		EXPECT_ERRNO(EFAULT, getsockopt(self->fd, SOL_WS,
						limits[i].option,
						(void *)8, &len));
		EXPECT_ERRNO(EFAULT, getsockopt(self->fd, SOL_WS,
						limits[i].option, &value,
						(void *)8));
	}
}

TEST_F(sockopt, get_short_and_long)
{
	unsigned char buf[8];
	socklen_t len = 2;

	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, 0x12345));
	memset(buf, 0xee, sizeof(buf));
	ASSERT_EQ(0, getsockopt(self->fd, SOL_WS, WS_TX_FRAME_MAX, buf, &len));
	EXPECT_EQ(2, len);
	EXPECT_EQ(0xee, buf[2]);
	len = sizeof(buf);
	ASSERT_EQ(0, getsockopt(self->fd, SOL_WS, WS_TX_FRAME_MAX, buf, &len));
	EXPECT_EQ(4, len);
	EXPECT_EQ(0xee, buf[4]);
	len = -1;
	EXPECT_ERRNO(EINVAL, getsockopt(self->fd, SOL_WS, WS_TX_FRAME_MAX,
					buf, &len));
}

TEST_F(sockopt, ext_bits)
{
	int good = WS_RSV_MASK | WS_EXT_OP(3) | WS_EXT_OP(7) | WS_EXT_OP(11) |
		   WS_EXT_OP(15);
	int op;

	EXPECT_EQ(0, peer_set(self->fd, WS_EXT, good));
	EXPECT_EQ(good, peer_get(self->fd, WS_EXT));
	for (op = 0; op < 16; op++)
		if (op < 3 || (op > 7 && op < 11))
			EXPECT_EQ(EINVAL, peer_set(self->fd, WS_EXT,
						   WS_EXT_OP(op)));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_EXT, FIN));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_EXT, 1));
	EXPECT_EQ(EINVAL, peer_set(self->fd, WS_EXT, 1 << 24));
	EXPECT_EQ(good, peer_get(self->fd, WS_EXT));
}

TEST_F(sockopt, close_lengths)
{
	struct ws_close c = { .code = 1000, .len = 4, .reason = "abcd" };
	int fd = self->fd;

	EXPECT_EQ(0, setsockopt(fd, SOL_WS, WS_CLOSE, &c, 8));
	EXPECT_EQ(0, setsockopt(fd, SOL_WS, WS_CLOSE, &c, sizeof(c)));
	EXPECT_ERRNO(EINVAL, setsockopt(fd, SOL_WS, WS_CLOSE, &c, 7));
	EXPECT_ERRNO(EINVAL, setsockopt(fd, SOL_WS, WS_CLOSE, &c, 3));
	EXPECT_ERRNO(EFAULT, setsockopt(fd, SOL_WS, WS_CLOSE, (void *)8, 8));
	c.by = WS_CLOSE_BY_LOCAL;
	EXPECT_ERRNO(EINVAL, setsockopt(fd, SOL_WS, WS_CLOSE, &c, sizeof(c)));
	c.by = 0;
	c.len = 124;
	EXPECT_ERRNO(EINVAL, setsockopt(fd, SOL_WS, WS_CLOSE, &c, sizeof(c)));
}

TEST_F(sockopt, info_cannot_be_set)
{
	struct ws_info info = {};

	EXPECT_ERRNO(ENOPROTOOPT, setsockopt(self->fd, SOL_WS, WS_INFO, &info,
					     sizeof(info)));
}

TEST_F(sockopt, preload_cannot_be_read)
{
	char buf[8];
	socklen_t len = sizeof(buf);

	EXPECT_ERRNO(ENOPROTOOPT, getsockopt(self->fd, SOL_WS, WS_RX_PRELOAD,
					     buf, &len));
}

TEST_F(sockopt, other_levels_work)
{
	int value = 0;
	socklen_t len = sizeof(value);

	ASSERT_EQ(0, setsockopt(self->fd, IPPROTO_TCP, TCP_KEEPIDLE,
				&(int){77}, sizeof(int)));
	ASSERT_EQ(0, getsockopt(self->fd, IPPROTO_TCP, TCP_KEEPIDLE, &value,
				&len));
	EXPECT_EQ(77, value);
}

TEST_F(sockopt, rcvlowat_stays_1)
{
	EXPECT_ERRNO(EOPNOTSUPP, setsockopt(self->fd, SOL_SOCKET, SO_RCVLOWAT,
					    &(int){1000}, sizeof(int)));
	EXPECT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){1},
				sizeof(int)));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	EXPECT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
}

TEST_F(sockopt, rcvlowat_before_role)
{
	struct peer *p = &self->p;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, setsockopt(p->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){1000},
				sizeof(int)));
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "x"));
	EXPECT_EQ(POLLIN, peer_poll(p->fd, POLLIN, PEER_LIMIT));
}

TEST_F(sockopt, options_before_role)
{
	struct peer *p = &self->p;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	EXPECT_EQ(0, peer_get(p->fd, WS_ROLE));
	ASSERT_EQ(0, peer_set(p->fd, WS_TX_TYPE, WS_OP_TEXT));
	ASSERT_EQ(0, peer_set(p->fd, WS_RX_FRAME_MAX, 4));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	ASSERT_EQ(1, send(p->fd, "x", 1, 0));
	EXPECT_EQ(0, peer_see_text(p, FIN | TEXT, "x"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "12345"));
	EXPECT_EQ(0, peer_see_close(p, 1009, ""));
}

TEST_HARNESS_MAIN
