// SPDX-License-Identifier: GPL-2.0
/* The tracepoints ws:* */
#include <sys/stat.h>

#include "fixture.h"

#define TRACING	"/sys/kernel/tracing/instances/ws_selftest"

FIXTURE(trace) {
	struct peer p;
	int fd;
};

FIXTURE_VARIANT(trace) {
	int family;
	int role;
};

PEER_VARIANTS(trace);

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = write(fd, text, strlen(text)) < 0 ? -1 : 0;

	close(fd);
	return ret;
}

FIXTURE_SETUP(trace)
{
	/* a buffer of our own */
	ASSERT_EQ(0, mkdir(TRACING, 0700));
	ASSERT_EQ(0, write_file(TRACING "/events/ws/enable", "1"));
	ASSERT_EQ(0, peer_open(&self->p, variant->family, variant->role));
	self->fd = self->p.fd;
}

FIXTURE_TEARDOWN(trace)
{
	peer_close(&self->p);
	write_file(TRACING "/events/ws/enable", "0");
	rmdir(TRACING);
}

static int local_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	getsockname(fd, (void *)&ss, &len);
	/* at the same place in both families */
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

/* How many lines show this event of fd with these fields */
static int traced(int fd, const char *event, const char *fields)
{
	FILE *file = fopen(TRACING "/trace", "r");
	char line[512], start[32], port[32];
	int n = 0;

	snprintf(start, sizeof(start), " %s: ", event);
	snprintf(port, sizeof(port), " sport=%d ", local_port(fd));
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		strcat(line, " ");
		n += strstr(line, start) && strstr(line, port) &&
		     strstr(line, fields);
	}
	if (file)
		fclose(file);
	return n;
}

TEST_F(trace, attach)
{
	EXPECT_EQ(1, traced(self->fd, "ws_attach",
			    variant->role == WS_SERVER ? "role=server " :
							 "role=client "));
	EXPECT_EQ(1, traced(self->fd, "ws_attach",
			    variant->family == AF_INET ? "family=AF_INET " :
							 "family=AF_INET6 "));
}

TEST_F(trace, frames)
{
	char data[300] = {};
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_EXT, WS_RSV1));
	ASSERT_EQ(0, peer_text(&self->p, WS_RSV1 | TEXT, "abc"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_send(&self->p, FIN | CONT, data, 300));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(7, send(fd, "payload", 7, 0));
	EXPECT_EQ(1, traced(fd, "ws_rx_frame",
			    "fin=0 rsv=0x40 opcode=text len=3 "));
	EXPECT_EQ(1, traced(fd, "ws_rx_frame",
			    "fin=1 rsv=0x00 opcode=cont len=300 "));
	EXPECT_EQ(2, traced(fd, "ws_rx_frame",
			    "fin=1 rsv=0x00 opcode=ping len=4 "));
	EXPECT_EQ(2, traced(fd, "ws_tx_frame",
			    "fin=1 rsv=0x00 opcode=pong len=4 "));
	EXPECT_EQ(1, traced(fd, "ws_tx_frame",
			    "fin=1 rsv=0x00 opcode=binary len=7 "));
	/* headers only */
	EXPECT_EQ(0, traced(fd, "", "payload"));
}

TEST_F(trace, close)
{
	ASSERT_EQ(0, peer_send_close(&self->p, 0, ""));
	ASSERT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(1, traced(self->fd, "ws_close", "sent=0 code=1005 "));
	EXPECT_EQ(1, traced(self->fd, "ws_close", "sent=1 code=1005 "));
	EXPECT_EQ(0, traced(self->fd, "ws_fail", ""));
}

TEST_F(trace, failure)
{
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(1, traced(self->fd, "ws_fail", "code=1002 err=71 "));
	EXPECT_EQ(1, traced(self->fd, "ws_close", "sent=1 code=1002 "));
	EXPECT_EQ(0, traced(self->fd, "ws_rx_frame", ""));
}

TEST_F(trace, time_limits)
{
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_PING_TIMEOUT, 20));
	ASSERT_EQ(0, peer_set(fd, WS_PING_INTERVAL, 20));
	ASSERT_EQ(POLLHUP, POLLHUP & peer_poll(fd, 0, PEER_LIMIT));
	EXPECT_LE(2, traced(fd, "ws_expire", "what=ping "));
	EXPECT_EQ(1, traced(fd, "ws_fail", "code=0 err=110 "));
	ASSERT_EQ(0, peer_reopen(&self->p));
	fd = self->p.fd;
	ASSERT_EQ(0, peer_set(fd, WS_RX_STALL_TIMEOUT, 20));
	ASSERT_EQ(0, peer_write(&self->p, "\x82", 1));
	ASSERT_EQ(0, peer_see_close(&self->p, 1008, ""));
	EXPECT_EQ(1, traced(fd, "ws_expire", "what=stall "));
	ASSERT_EQ(0, peer_reopen(&self->p));
	fd = self->p.fd;
	ASSERT_EQ(0, peer_set(fd, WS_CLOSE_TIMEOUT, 20));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(0, peer_see_close(&self->p, 1000, ""));
	EXPECT_EQ(1, traced(fd, "ws_expire", "what=close "));
}

TEST_HARNESS_MAIN
