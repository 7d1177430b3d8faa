// SPDX-License-Identifier: GPL-2.0
/* MSG_ZEROCOPY: one call, one frame, one notification */
#include "fixture.h"

#include <linux/errqueue.h>

static int open_zerocopy(struct peer *p, int family, int role)
{
	int one = 1;

	return peer_open(p, family, role) ?:
	       setsockopt(p->fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
}

PEER_FIXTURE_AS(zerocopy, open_zerocopy)

/* The next notification: for calls low to high, 0 or -1 */
static int notified(int fd, struct sock_extended_err *e)
{
	char control[128];
	struct msghdr msg = {
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (!(peer_poll(fd, 0, PEER_LIMIT) & POLLERR) ||
	    recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return -1;
	memcpy(e, CMSG_DATA(cmsg), sizeof(*e));
	return e->ee_origin == SO_EE_ORIGIN_ZEROCOPY && !e->ee_errno ? 0 : -1;
}

/* Nothing more is told */
static int silent(int fd)
{
	char control[128];
	struct msghdr msg = {
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		return -1;
	return errno == EAGAIN ? 0 : -1;
}

TEST_F(zerocopy, one_notification)
{
	static char data[65536];
	struct sock_extended_err e;
	size_t len;

	peer_fill(data, sizeof(data), 70);
	for (len = 1; len <= 65536; len *= 16) {
		ASSERT_EQ(len, send(self->fd, data, len, MSG_ZEROCOPY));
		ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, len));
		ASSERT_EQ(0, notified(self->fd, &e));
		EXPECT_EQ(e.ee_info, e.ee_data);
		if (variant->role == WS_CLIENT)
			EXPECT_EQ(SO_EE_CODE_ZEROCOPY_COPIED, e.ee_code);
		ASSERT_EQ(0, silent(self->fd));
	}
}

TEST_F(zerocopy, numbered_in_order)
{
	static char data[4000];
	struct sock_extended_err e;
	unsigned int next = 0;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(4000, send(self->fd, data, 4000, MSG_ZEROCOPY));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, 4000));
	/* several may be told at once */
	while (next < 10) {
		ASSERT_EQ(0, notified(self->fd, &e));
		EXPECT_EQ(next, e.ee_info);
		ASSERT_GE(e.ee_data, e.ee_info);
		next = e.ee_data + 1;
	}
	EXPECT_EQ(10, next);
	EXPECT_EQ(0, silent(self->fd));
}

/* The buffer is the caller's again, and what was sent is what was there */
TEST_F(zerocopy, buffer_used_again)
{
	static char data[30000], sent[30000];
	struct sock_extended_err e;
	int i;

	for (i = 0; i < 5; i++) {
		peer_fill(data, sizeof(data), i);
		memcpy(sent, data, sizeof(data));
		ASSERT_EQ(30000, send(self->fd, data, 30000, MSG_ZEROCOPY));
		/* a client's mask does not go over the caller's pages */
		ASSERT_EQ(0, memcmp(sent, data, sizeof(data)));
		ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, sent, 30000));
		ASSERT_EQ(0, notified(self->fd, &e));
		memset(data, 0xee, sizeof(data));
	}
}

TEST_F(zerocopy, short_count_above_a_frame)
{
	static char data[100000];
	struct sock_extended_err e;

	peer_fill(data, sizeof(data), 71);
	/* one call is one frame, even blocking */
	ASSERT_EQ(65536, send(self->fd, data, 100000, MSG_ZEROCOPY));
	ASSERT_EQ(0, peer_see(&self->p, BINARY, data, 65536));
	ASSERT_EQ(100000 - 65536, send(self->fd, data + 65536, 100000 - 65536,
				       MSG_ZEROCOPY));
	ASSERT_EQ(0, peer_see(&self->p, FIN | CONT, data + 65536,
			      100000 - 65536));
	ASSERT_EQ(0, notified(self->fd, &e));
	EXPECT_EQ(0, e.ee_info);
	if (!e.ee_data)
		ASSERT_EQ(0, notified(self->fd, &e));
	EXPECT_EQ(1, e.ee_data);
	EXPECT_EQ(0, silent(self->fd));
}

TEST_F(zerocopy, scattered)
{
	static char data[20000];
	struct sock_extended_err e;
	struct iovec iov[] = {
		{ data + 1, 3000 }, { data + 5000, 1 }, { data + 6001, 9000 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	char want[12001];

	peer_fill(data, sizeof(data), 72);
	memcpy(want, data + 1, 3000);
	memcpy(want + 3000, data + 5000, 1);
	memcpy(want + 3001, data + 6001, 9000);
	ASSERT_EQ(12001, sendmsg(self->fd, &msg, MSG_ZEROCOPY));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, want, 12001));
	EXPECT_EQ(0, notified(self->fd, &e));
}

TEST_F(zerocopy, with_more)
{
	static char data[2000];
	struct sock_extended_err e;

	ASSERT_EQ(2000, send(self->fd, data, 2000, MSG_ZEROCOPY | MSG_MORE));
	EXPECT_EQ(0, peer_see(&self->p, BINARY, data, 2000));
	ASSERT_EQ(0, send(self->fd, data, 0, MSG_ZEROCOPY));
	EXPECT_EQ(0, peer_see(&self->p, FIN | CONT, data, 0));
	EXPECT_EQ(0, notified(self->fd, &e));
}

/* Without SO_ZEROCOPY the flag means nothing, as on TCP */
TEST_F(zerocopy, not_asked_for)
{
	char data[1000] = {};

	ASSERT_EQ(0, peer_reopen(&self->p));
	ASSERT_EQ(1000, send(self->p.fd, data, 1000, MSG_ZEROCOPY));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, data, 1000));
	EXPECT_EQ(0, silent(self->p.fd));
}

TEST_F(zerocopy, fault)
{
	long page = sysconf(_SC_PAGESIZE);
	char *edge = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, edge);
	ASSERT_EQ(0, munmap(edge + page, page));
	edge += page;
	EXPECT_ERRNO(EFAULT, send(self->fd, edge - 2000, 4000, MSG_ZEROCOPY));
	/* neither a frame nor a notification */
	EXPECT_EQ(0, silent(self->fd));
	EXPECT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(2, send(self->fd, "ok", 2, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "ok"));
}

/* The process ends before its pages are sent */
TEST_F(zerocopy, sender_is_gone)
{
	size_t len = 60000;
	char *data = malloc(len);
	int status;
	pid_t pid;

	peer_fill(data, len, 73);
	pid = fork();
	if (!pid)
		_exit(send(self->fd, data, len, MSG_ZEROCOPY) != len);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, data, len));
}

TEST_F(zerocopy, closed_before_it_left)
{
	size_t len = 1 << 20;
	char *data = malloc(len);
	int small = 4096;

	peer_fill(data, len, 74);
	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, len));
	ASSERT_EQ(len, send(self->fd, data, len, MSG_ZEROCOPY));
	ASSERT_EQ(0, close(self->fd));
	self->p.fd = -1;
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, len));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

/* Many messages in one call are copied, and the notification says so. */
TEST_F(zerocopy, records)
{
	char control[CMSG_SPACE(2 * sizeof(struct ws_txrec))] = {};
	struct ws_txrec rec[] = {
		{ .len = 5, .opcode = WS_OP_TEXT, .flags = WS_F_FIN },
		{ .len = 3000, .opcode = WS_OP_BINARY, .flags = WS_F_FIN },
	};
	static char data[3005];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct sock_extended_err e;

	peer_fill(data, sizeof(data), 75);
	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_RECORDS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(rec));
	memcpy(CMSG_DATA(cmsg), rec, sizeof(rec));
	ASSERT_EQ(sizeof(data), sendmsg(self->fd, &msg, MSG_ZEROCOPY));
	EXPECT_EQ(0, peer_see(&self->p, FIN | TEXT, data, 5));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, data + 5, 3000));
	ASSERT_EQ(0, notified(self->fd, &e));
	EXPECT_EQ(SO_EE_CODE_ZEROCOPY_COPIED, e.ee_code);
	EXPECT_EQ(0, silent(self->fd));
}

TEST_F(zerocopy, control_frame)
{
	struct sock_extended_err e;

	ASSERT_EQ(4, peer_sendmsg(self->fd, WS_OP_PING, "ping", 4,
				  MSG_ZEROCOPY));
	EXPECT_EQ(0, peer_see_text(&self->p, PING, "ping"));
	EXPECT_EQ(0, notified(self->fd, &e));
}

TEST_HARNESS_MAIN
