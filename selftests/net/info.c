// SPDX-License-Identifier: GPL-2.0
/* WS_INFO, /proc/net/ws_stat and ss: exactly what happened, no more */
#include "fixture.h"

PEER_FIXTURE_ALONE(info)

static struct ws_info info_of(int fd)
{
	struct ws_info info;

	peer_info(fd, &info);
	return info;
}

TEST_F(info, state)
{
	struct peer *p = &self->p;
	struct ws_info info;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	info = info_of(p->fd);
	EXPECT_EQ(WS_STATE_DORMANT, info.state);
	EXPECT_EQ(0, info.role);
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	info = info_of(p->fd);
	EXPECT_EQ(WS_STATE_OPEN, info.state);
	EXPECT_EQ(variant->role, info.role);
	ASSERT_EQ(0, shutdown(p->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	EXPECT_EQ(WS_STATE_CLOSING, info_of(p->fd).state);
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	ASSERT_EQ(0, peer_gets(p->fd, ""));
	EXPECT_EQ(WS_STATE_CLOSED, info_of(p->fd).state);
}

TEST_F(info, received)
{
	struct peer *p = &self->p;
	struct ws_info info;

	ASSERT_EQ(0, peer_text(p, TEXT, "12345"));
	ASSERT_EQ(0, peer_text(p, PING, "not counted as bytes"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "678"));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, ""));
	ASSERT_EQ(0, peer_text(p, PONG, "asked by nobody"));
	ASSERT_EQ(0, peer_see_text(p, PONG, "not counted as bytes"));
	ASSERT_EQ(0, peer_sync(p));
	/* counted as it arrives, not as it is read */
	info = info_of(self->fd);
	EXPECT_EQ(8, info.rx_bytes);
	EXPECT_EQ(6, info.rx_frames);
	EXPECT_EQ(2, info.rx_pings);
	EXPECT_EQ(1, info.rx_pongs);
	EXPECT_EQ(2, info.tx_pongs);
	EXPECT_EQ(2, info.tx_frames);
	EXPECT_EQ(0, info.tx_bytes);
	EXPECT_EQ(0, info.tx_pings);
}

TEST_F(info, sent)
{
	struct ws_info info;

	ASSERT_EQ(5, send(self->fd, "12345", 5, MSG_MORE));
	ASSERT_EQ(4, peer_sendmsg(self->fd, WS_OP_PING, "ping", 4, 0));
	ASSERT_EQ(3, send(self->fd, "678", 3, 0));
	ASSERT_EQ(0, send(self->fd, "", 0, 0));
	info = info_of(self->fd);
	EXPECT_EQ(8, info.tx_bytes);
	EXPECT_EQ(4, info.tx_frames);
	EXPECT_EQ(0, info.rx_bytes);
	EXPECT_EQ(0, info.rx_frames);
}

TEST_F(info, message_open)
{
	EXPECT_EQ(0, info_of(self->fd).flags);
	ASSERT_EQ(1, send(self->fd, "a", 1, MSG_MORE));
	EXPECT_EQ(WS_INFO_TX_OPEN, info_of(self->fd).flags);
	ASSERT_EQ(1, send(self->fd, "b", 1, 0));
	EXPECT_EQ(0, info_of(self->fd).flags);
}

TEST_F(info, closed_by_us)
{
	struct peer *p = &self->p;
	struct ws_info info;

	ASSERT_EQ(0, peer_set_close(self->fd, 4001, "why"));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	ASSERT_EQ(0, peer_see_close(p, 4001, "why"));
	info = info_of(self->fd);
	EXPECT_EQ(WS_INFO_CLOSE_SENT | WS_INFO_LOCAL_FIRST, info.flags);
	EXPECT_EQ(4001, info.close_code_sent);
	EXPECT_EQ(0, info.close_code_rcvd);
	ASSERT_EQ(0, peer_send_close(p, 4002, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	info = info_of(self->fd);
	EXPECT_EQ(WS_INFO_CLOSE_SENT | WS_INFO_CLOSE_RCVD |
		  WS_INFO_LOCAL_FIRST, info.flags);
	EXPECT_EQ(4002, info.close_code_rcvd);
	EXPECT_EQ(WS_CLOSE_BY_LOCAL, peer_ended(self->fd).by);
}

TEST_F(info, closed_by_peer)
{
	struct ws_info info;

	ASSERT_EQ(0, peer_send_close(&self->p, 0, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(0, peer_see_close(&self->p, 0, ""));
	info = info_of(self->fd);
	EXPECT_EQ(WS_INFO_CLOSE_SENT | WS_INFO_CLOSE_RCVD, info.flags);
	EXPECT_EQ(1005, info.close_code_rcvd);
	EXPECT_EQ(1005, info.close_code_sent);
	EXPECT_EQ(WS_CLOSE_BY_PEER, peer_ended(self->fd).by);
}

TEST_F(info, failed)
{
	struct ws_info info;

	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(0, peer_see_close(&self->p, 1002, ""));
	info = info_of(self->fd);
	EXPECT_EQ(WS_STATE_CLOSED, info.state);
	EXPECT_EQ(WS_INFO_FAILED, info.flags & WS_INFO_FAILED);
	EXPECT_EQ(1002, info.close_code_sent);
}

TEST_F(info, mode)
{
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	EXPECT_EQ(WS_RX_RECORDS, info_of(self->fd).rx_mode);
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	EXPECT_EQ(WS_RX_MESSAGE, info_of(self->fd).rx_mode);
}

TEST_F(info, short_and_long_buffers)
{
	unsigned char buf[sizeof(struct ws_info) + 8];
	socklen_t len = 2;

	memset(buf, 0xee, sizeof(buf));
	ASSERT_EQ(0, getsockopt(self->fd, SOL_WS, WS_INFO, buf, &len));
	EXPECT_EQ(2, len);
	EXPECT_EQ(WS_STATE_OPEN, buf[0]);
	EXPECT_EQ(variant->role, buf[1]);
	EXPECT_EQ(0xee, buf[2]);
	len = sizeof(buf);
	ASSERT_EQ(0, getsockopt(self->fd, SOL_WS, WS_INFO, buf, &len));
	EXPECT_EQ(sizeof(struct ws_info), len);
	EXPECT_EQ(0xee, buf[sizeof(struct ws_info)]);
}

static const char *const names[] = {
	"WsCurrServer", "WsCurrClient", "WsAttach", "WsRxFrames", "WsRxBytes",
	"WsTxFrames", "WsTxBytes", "WsRxMessages", "WsTxMessages", "WsRxPing",
	"WsRxPong", "WsTxPing", "WsTxPong", "WsRxClose", "WsTxClose",
	"WsFailProtocol", "WsFailUtf8", "WsFailTooBig", "WsFailTimeout",
	"WsAborted", "WsLinger", "WsLingerDrop", "WsTxWaiting",
	"WsPongDropped",
};

#define NAMES	ARRAY_SIZE(names)

static void take_stats(long long *values)
{
	int i;

	for (i = 0; i < NAMES; i++)
		values[i] = peer_stat(names[i]);
}

/* "NAME COUNT ...": by how much counters grew; all others have not changed */
static void stats_grew(struct __test_metadata *_metadata,
		       const long long *before, const char *what)
{
	long long now[NAMES], want;
	const char *at;
	int i;

	take_stats(now);
	for (i = 0; i < NAMES; i++) {
		at = strstr(what, names[i]);
		want = at ? atoll(at + strlen(names[i])) : 0;
		EXPECT_EQ(before[i] + want, now[i])
			TH_LOG("%s", names[i]);
	}
}

TEST_F(info, stat_names)
{
	char name[64], line[NAMES + 1] = {};
	FILE *file = fopen("/proc/net/ws_stat", "r");
	long long value;
	int i;

	ASSERT_NE(NULL, file);
	while (fscanf(file, "%63s %lld", name, &value) == 2) {
		EXPECT_LE(0, value);
		for (i = 0; i < NAMES && strcmp(name, names[i]); i++)
			;
		line[i]++;
	}
	EXPECT_EQ(0, ferror(file));
	fclose(file);
	EXPECT_EQ(0, line[NAMES]);
	for (i = 0; i < NAMES; i++)
		EXPECT_EQ(1, line[i])
			TH_LOG("counter %d", i);
}

TEST_F(info, stat_received)
{
	struct peer *p = &self->p;
	long long before[NAMES];

	take_stats(before);
	ASSERT_EQ(0, peer_text(p, TEXT, "12345"));
	ASSERT_EQ(0, peer_text(p, PONG, "unasked"));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "678"));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, ""));
	ASSERT_EQ(0, peer_text(p, BINARY, "not a whole message"));
	ASSERT_EQ(0, peer_sync(p));
	stats_grew(_metadata, before, "WsRxFrames 6 WsRxBytes 27 "
		   "WsRxMessages 2 WsRxPong 1 WsRxPing 1 WsTxPong 1 "
		   "WsTxFrames 1");
}

TEST_F(info, stat_sent)
{
	long long before[NAMES];

	take_stats(before);
	ASSERT_EQ(5, send(self->fd, "12345", 5, MSG_MORE));
	ASSERT_EQ(4, peer_sendmsg(self->fd, WS_OP_PING, "ping", 4, 0));
	ASSERT_EQ(3, send(self->fd, "678", 3, 0));
	ASSERT_EQ(0, send(self->fd, "", 0, 0));
	stats_grew(_metadata, before, "WsTxFrames 4 WsTxBytes 8 "
		   "WsTxMessages 2");
}

TEST_F(info, stat_close)
{
	long long before[NAMES];

	take_stats(before);
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	stats_grew(_metadata, before, "WsRxFrames 1 WsRxClose 1 "
		   "WsTxFrames 1 WsTxClose 1");
}

/* The peer breaks a rule: which counter tells */
static void fails(struct __test_metadata *_metadata, struct peer *p,
		  const char *data, size_t n, int code, const char *what)
{
	long long before[NAMES];
	char c;

	ASSERT_EQ(0, peer_reopen(p));
	ASSERT_EQ(0, peer_set(p->fd, WS_RX_FRAME_MAX, 10));
	ASSERT_EQ(0, peer_stat_is(p->role == WS_SERVER ? "WsCurrServer" :
							 "WsCurrClient", 1));
	take_stats(before);
	ASSERT_EQ(0, peer_send(p, data[0], data + 1, n - 1));
	ASSERT_EQ(-1, recv(p->fd, &c, 1, 0));
	ASSERT_EQ(0, peer_see_close(p, code, ""));
	stats_grew(_metadata, before, what);
}

TEST_F(info, stat_failures)
{
	struct peer *p = &self->p;

	fails(_metadata, p, "\x83x", 2, 1002,
	      "WsFailProtocol 1 WsTxFrames 1 WsTxClose 1");
	fails(_metadata, p, "\x82" "eleven byte", 12, 1009,
	      "WsFailTooBig 1 WsTxFrames 1 WsTxClose 1");
	fails(_metadata, p, "\x81\xff", 2, 1007,
	      "WsFailUtf8 1 WsTxFrames 1 WsTxClose 1 WsRxFrames 1 "
	      "WsRxBytes 1 WsRxMessages 1");
	fails(_metadata, p, "\x88\x03", 2, 1002,
	      "WsFailProtocol 1 WsTxFrames 1 WsTxClose 1 WsRxFrames 1 "
	      "WsRxClose 1");
}

TEST_F(info, stat_open_sockets)
{
	const char *mine = "WsCurrServer", *other = "WsCurrClient", *tmp;

	if (variant->role == WS_CLIENT) {
		tmp = mine;
		mine = other;
		other = tmp;
	}
	EXPECT_EQ(1, peer_stat(mine));
	EXPECT_EQ(0, peer_stat(other));
	EXPECT_EQ(1, peer_stat("WsAttach"));
	ASSERT_EQ(0, peer_reopen(&self->p));
	EXPECT_EQ(2, peer_stat("WsAttach"));
	EXPECT_EQ(0, peer_stat_is(mine, 1));
	peer_close(&self->p);
	EXPECT_EQ(0, peer_stat_is(mine, 0));
	EXPECT_EQ(0, peer_stat(other));
}

TEST_F(info, stat_of_a_dormant_socket)
{
	peer_close(&self->p);
	ASSERT_EQ(0, peer_stat_is("WsCurrServer", 0));
	ASSERT_EQ(0, peer_stat_is("WsCurrClient", 0));
	ASSERT_EQ(0, peer_connect(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(self->p.fd));
	EXPECT_EQ(2, peer_stat("WsAttach"));
	EXPECT_EQ(0, peer_stat("WsCurrServer") + peer_stat("WsCurrClient"));
}

TEST_F(info, stat_of_one_namespace)
{
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(1, peer_stat("WsRxPing"));
	ASSERT_EQ(0, peer_netns());
	EXPECT_EQ(0, peer_stat("WsRxPing"));
	/* a socket counts where it is, not where its user is */
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(0, peer_stat("WsRxPing"));
	EXPECT_EQ(2, info_of(self->fd).rx_pings);
}

TEST_F(info, frame_that_waits)
{
	static char data[1 << 20];
	struct peer *p = &self->p;
	int small = 4096;

	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, sizeof(data)));
	ASSERT_EQ(sizeof(data), send(self->fd, data, sizeof(data), 0));
	EXPECT_EQ(WS_INFO_TX_WAITING, info_of(self->fd).flags);
	EXPECT_EQ(1, peer_stat("WsTxWaiting"));
	/* of pings that cannot be answered, the newest counts */
	ASSERT_EQ(0, peer_text(p, PING, "1"));
	ASSERT_EQ(0, peer_text(p, PING, "2"));
	ASSERT_EQ(0, peer_text(p, PING, "3"));
	ASSERT_EQ(0, peer_stat_is("WsRxPing", 3));
	EXPECT_EQ(2, peer_stat("WsPongDropped"));
	EXPECT_EQ(0, peer_stat("WsTxPong"));
	ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, sizeof(data)));
	ASSERT_EQ(0, peer_see_text(p, PONG, "3"));
	EXPECT_EQ(0, info_of(self->fd).flags);
	EXPECT_EQ(1, peer_stat("WsTxPong"));
}

TEST_F(info, ss_names_the_ulp)
{
	FILE *ss = popen("ss -tieHn", "r");
	char line[4096];
	int found = 0;

	ASSERT_NE(NULL, ss);
	while (fgets(line, sizeof(line), ss))
		found += !!strstr(line, "tcp-ulp-ws");
	ASSERT_EQ(0, pclose(ss));
	EXPECT_EQ(1, found);
}

TEST_HARNESS_MAIN
