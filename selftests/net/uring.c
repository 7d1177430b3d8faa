// SPDX-License-Identifier: GPL-2.0
/* The same calls by way of io_uring */
#include <liburing.h>

#include "fixture.h"

#define GROUP	1	/* of provided buffers */
#define BUFFERS	16

static struct io_uring ring;	/* each test is a process of its own */

static int open_ring(struct peer *p, int family, int role)
{
	return peer_open(p, family, role) ?:
	       io_uring_queue_init(64, &ring, 0);
}

PEER_FIXTURE_AS(uring, open_ring)

struct done {
	int id;
	int res;
	int flags;
};

/* What ends next, or -ETIME if nothing does within ms */
static struct done finished(int ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000,
	};
	struct io_uring_cqe *cqe;
	struct done d = { .res = -ETIME };
	int ret;

	io_uring_submit(&ring);
	do {
		ret = io_uring_wait_cqe_timeout(&ring, &cqe, &ts);
	} while (ret == -EINTR);
	if (ret)
		return d;
	d = (struct done){ cqe->user_data, cqe->res, cqe->flags };
	io_uring_cqe_seen(&ring, cqe);
	return d;
}

static int result(void)
{
	return finished(PEER_LIMIT).res;
}

/* Nothing ends, because nothing has come for it */
static int pending(void)
{
	return finished(50).res == -ETIME ? 0 : -1;
}

static void prep_recv(int fd, void *buf, size_t len, int flags)
{
	io_uring_prep_recv(io_uring_get_sqe(&ring), fd, buf, len, flags);
}

static void prep_send(int fd, const void *buf, size_t len, int flags)
{
	io_uring_prep_send(io_uring_get_sqe(&ring), fd, buf, len,
			   flags | MSG_NOSIGNAL);
}

TEST_F(uring, recv)
{
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "there"));
	prep_recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(5, result());
	EXPECT_EQ(0, memcmp(buf, "there", 5));
}

TEST_F(uring, recv_waits_for_payload)
{
	char buf[16], frame[32];
	size_t n = peer_build(&self->p, frame, FIN | TEXT, "late", 4);

	prep_recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_write(&self->p, frame, n - 4));
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_write(&self->p, frame + n - 4, 4));
	ASSERT_EQ(4, result());
	EXPECT_EQ(0, memcmp(buf, "late", 4));
}

TEST_F(uring, recv_tells_what_is_left)
{
	struct done d;
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "two"));
	ASSERT_EQ(0, peer_sync(&self->p));
	prep_recv(self->fd, buf, sizeof(buf), 0);
	d = finished(PEER_LIMIT);
	EXPECT_EQ(3, d.res);
	EXPECT_EQ(IORING_CQE_F_SOCK_NONEMPTY,
		  d.flags & IORING_CQE_F_SOCK_NONEMPTY);
	prep_recv(self->fd, buf, sizeof(buf), 0);
	d = finished(PEER_LIMIT);
	EXPECT_EQ(3, d.res);
	EXPECT_EQ(0, d.flags & IORING_CQE_F_SOCK_NONEMPTY);
}

TEST_F(uring, waitall_joins_messages)
{
	char buf[6];

	prep_recv(self->fd, buf, 6, MSG_WAITALL);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "abcd"));
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "efgh"));
	ASSERT_EQ(6, result());
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	EXPECT_EQ(0, peer_gets(self->fd, "gh"));
}

TEST_F(uring, recv_ends)
{
	char c;

	prep_recv(self->fd, &c, 1, 0);
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	EXPECT_EQ(0, result());
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(uring, recv_fails)
{
	char c;

	prep_recv(self->fd, &c, 1, 0);
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	EXPECT_EQ(-EPROTO, result());
	prep_recv(self->fd, &c, 1, 0);
	EXPECT_EQ(0, result());
}

TEST_F(uring, recvmsg)
{
	char control[CMSG_SPACE(sizeof(struct ws_frame))] = {}, buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct ws_frame frame;

	io_uring_prep_recvmsg(io_uring_get_sqe(&ring), self->fd, &msg, 0);
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "text"));
	ASSERT_EQ(4, result());
	EXPECT_EQ(MSG_EOR, msg.msg_flags & MSG_EOR);
	ASSERT_NE(NULL, CMSG_FIRSTHDR(&msg));
	memcpy(&frame, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(frame));
	EXPECT_EQ(TEXT, frame.opcode);
	EXPECT_EQ(WS_F_FIRST | WS_F_FIN, frame.flags);
}

static char *pool;
static size_t pool_size;	/* of each buffer */

/* Give the ring buffers to choose from */
static int provide(size_t size)
{
	int mask = io_uring_buf_ring_mask(BUFFERS), i, ret = -1;
	struct io_uring_buf_ring *br;

	br = io_uring_setup_buf_ring(&ring, BUFFERS, GROUP, 0, &ret);
	pool = malloc(BUFFERS * size);
	pool_size = size;
	if (!br || !pool)
		return -1;
	for (i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(br, pool + i * size, size, i, mask, i);
	io_uring_buf_ring_advance(br, BUFFERS);
	return 0;
}

static char *chosen(struct done d)
{
	return pool + (d.flags >> IORING_CQE_BUFFER_SHIFT) * pool_size;
}

static void prep_multishot(int fd, int ioprio)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->ioprio |= ioprio;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

TEST_F(uring, multishot)
{
	static const char * const text[] = { "one", "two", "three", "four" };
	struct done d;
	int i;

	ASSERT_EQ(0, provide(64));
	prep_multishot(self->fd, 0);
	ASSERT_EQ(0, pending());
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, text[i]));
	/* as many ends as messages, whatever arrives in one piece */
	for (i = 0; i < 4; i++) {
		d = finished(PEER_LIMIT);
		ASSERT_EQ(strlen(text[i]), d.res);
		ASSERT_EQ(IORING_CQE_F_MORE, d.flags & IORING_CQE_F_MORE);
		ASSERT_EQ(0, memcmp(chosen(d), text[i], d.res));
	}
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	d = finished(PEER_LIMIT);
	EXPECT_EQ(0, d.res);
	EXPECT_EQ(0, d.flags & IORING_CQE_F_MORE);
}

TEST_F(uring, multishot_of_a_long_message)
{
	char data[200], got[200];
	size_t at = 0;
	struct done d;

	peer_fill(data, sizeof(data), 90);
	ASSERT_EQ(0, provide(64));
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, sizeof(data)));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "next"));
	ASSERT_EQ(0, peer_sync(&self->p));
	prep_multishot(self->fd, 0);
	while (at < sizeof(data)) {
		d = finished(PEER_LIMIT);
		ASSERT_LT(0, d.res);
		ASSERT_LE(d.res, sizeof(data) - at);
		memcpy(got + at, chosen(d), d.res);
		at += d.res;
	}
	EXPECT_EQ(0, memcmp(data, got, sizeof(data)));
	d = finished(PEER_LIMIT);
	ASSERT_EQ(4, d.res);
	EXPECT_EQ(0, memcmp(chosen(d), "next", 4));
}

/* A bundle fills many buffers at once, and never goes on behind a message. */
TEST_F(uring, bundle)
{
	char data[200], longest = 0;
	size_t at = 0;
	struct done d;

	peer_fill(data, sizeof(data), 91);
	ASSERT_EQ(0, provide(32));
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data, 100));
	ASSERT_EQ(0, peer_send(&self->p, FIN | BINARY, data + 100, 100));
	ASSERT_EQ(0, peer_sync(&self->p));
	prep_multishot(self->fd, IORING_RECVSEND_BUNDLE);
	while (at < 200) {
		d = finished(PEER_LIMIT);
		ASSERT_LT(0, d.res);
		ASSERT_LE(d.res, 100 - at % 100);
		/* the buffers lie one behind the other */
		ASSERT_EQ(0, memcmp(chosen(d), data + at, d.res));
		longest = d.res > longest ? d.res : longest;
		at += d.res;
	}
	EXPECT_LT(32, longest);
}

TEST_F(uring, multishot_of_records)
{
	struct ws_rec rec;
	struct done d;
	char *at;
	int i;

	ASSERT_EQ(0, provide(256));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "record"));
	ASSERT_EQ(0, peer_sync(&self->p));
	prep_multishot(self->fd, 0);
	d = finished(PEER_LIMIT);
	/* one end for all of them */
	ASSERT_EQ(5 * 16, d.res);
	for (i = 0, at = chosen(d); i < 5; i++, at += 16) {
		memcpy(&rec, at, sizeof(rec));
		EXPECT_EQ(6, rec.len);
		EXPECT_EQ(TEXT, rec.opcode);
		EXPECT_EQ(0, memcmp(at + 8, "record\0\0", 8));
	}
}

TEST_F(uring, multishot_of_whole_messages)
{
	struct done d;

	ASSERT_EQ(0, provide(64));
	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	prep_multishot(self->fd, 0);
	ASSERT_EQ(0, peer_text(&self->p, TEXT, "in "));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_text(&self->p, FIN | CONT, "parts"));
	d = finished(PEER_LIMIT);
	ASSERT_EQ(8, d.res);
	EXPECT_EQ(0, memcmp(chosen(d), "in parts", 8));
}

static struct msghdr with_frame = {
	.msg_controllen = CMSG_SPACE(sizeof(struct ws_frame)),
};

static void prep_recvmsg_multishot(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recvmsg_multishot(sqe, fd, &with_frame, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

/* This message, with WS_FRAME in front of it */
static int framed(struct done d, int opcode, const char *text)
{
	struct io_uring_recvmsg_out *out;
	struct cmsghdr *cmsg;
	struct ws_frame frame;
	size_t len = strlen(text);

	if (d.res < 0)
		return -1;
	out = io_uring_recvmsg_validate(chosen(d), d.res, &with_frame);
	if (!out || !(out->flags & MSG_EOR) ||
	    io_uring_recvmsg_payload_length(out, d.res, &with_frame) != len ||
	    memcmp(io_uring_recvmsg_payload(out, &with_frame), text, len))
		return -1;
	cmsg = io_uring_recvmsg_cmsg_firsthdr(out, &with_frame);
	if (!cmsg || cmsg->cmsg_level != SOL_WS || cmsg->cmsg_type != WS_FRAME)
		return -1;
	memcpy(&frame, CMSG_DATA(cmsg), sizeof(frame));
	return frame.opcode == opcode ? 0 : -1;
}

TEST_F(uring, recvmsg_multishot)
{
	struct done d;

	ASSERT_EQ(0, provide(256));
	prep_recvmsg_multishot(self->fd);
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "text"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "binary"));
	d = finished(PEER_LIMIT);
	EXPECT_EQ(0, framed(d, TEXT, "text"));
	EXPECT_EQ(IORING_CQE_F_MORE, d.flags & IORING_CQE_F_MORE);
	EXPECT_EQ(0, framed(finished(PEER_LIMIT), BINARY, "binary"));
	/* an empty message looks like the end to it, but is delivered */
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, ""));
	d = finished(PEER_LIMIT);
	EXPECT_EQ(0, framed(d, BINARY, ""));
	EXPECT_EQ(0, d.flags & IORING_CQE_F_MORE);
	prep_recvmsg_multishot(self->fd);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "again"));
	EXPECT_EQ(0, framed(finished(PEER_LIMIT), TEXT, "again"));
}

TEST_F(uring, send)
{
	prep_send(self->fd, "first", 5, 0);
	EXPECT_EQ(5, result());
	prep_send(self->fd, "more", 4, MSG_MORE);
	EXPECT_EQ(4, result());
	prep_send(self->fd, NULL, 0, 0);
	EXPECT_EQ(0, result());
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "first"));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "more"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, ""));
}

TEST_F(uring, sends_in_a_chain)
{
	struct io_uring_sqe *sqe;
	char text[16];
	int i;

	for (i = 0; i < 10; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_send(sqe, self->fd, "0123456789" + i, 1, 0);
		sqe->flags |= IOSQE_IO_LINK;
	}
	sqe->flags &= ~IOSQE_IO_LINK;
	for (i = 0; i < 10; i++)
		EXPECT_EQ(1, result());
	for (i = 0; i < 10; i++) {
		sprintf(text, "%d", i);
		EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, text));
	}
}

TEST_F(uring, sendmsg)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov[] = { { "ga", 2 }, { "thered", 6 } };
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = 2,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_TX_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(cmsg) = WS_OP_TEXT;
	io_uring_prep_sendmsg(io_uring_get_sqe(&ring), self->fd, &msg, 0);
	ASSERT_EQ(8, result());
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "gathered"));
}

#define LONG	0x100000

static void small_buffer(int fd)
{
	int small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

TEST_F(uring, waitall_sends_all_of_a_message)
{
	char *data = malloc(LONG);

	peer_fill(data, LONG, 92);
	small_buffer(self->fd);
	prep_send(self->fd, data, LONG, MSG_WAITALL);
	io_uring_submit(&ring);
	ASSERT_EQ(0, peer_see_message(&self->p, BINARY, data, LONG));
	EXPECT_EQ(LONG, result());
}

TEST_F(uring, short_send_leaves_it_open)
{
	char *data = malloc(LONG);
	int n;

	peer_fill(data, LONG, 93);
	small_buffer(self->fd);
	prep_send(self->fd, data, LONG, 0);
	n = result();
	ASSERT_LT(0, n);
	ASSERT_GT(LONG, n);
	ASSERT_EQ(0, n % 65536);
	prep_send(self->fd, data + n, LONG - n, MSG_WAITALL);
	io_uring_submit(&ring);
	ASSERT_EQ(0, peer_see_message(&self->p, BINARY, data, LONG));
	EXPECT_EQ(LONG - n, result());
}

TEST_F(uring, send_waits_for_room)
{
	static char data[LONG];
	struct peer *p = &self->p;

	small_buffer(self->fd);
	/* no buffers hold that: there is no room until the peer reads */
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, LONG));
	ASSERT_EQ(LONG, send(self->fd, data, LONG, 0));
	prep_send(self->fd, "patient", 7, 0);
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, LONG));
	EXPECT_EQ(7, result());
	EXPECT_EQ(0, peer_see_text(p, FIN | BINARY, "patient"));
}

/* The buffer is the kernel's until it says so, in a second completion. */
static void zc_ends(struct __test_metadata *_metadata, struct peer *p, int len)
{
	struct done d = finished(PEER_LIMIT);

	ASSERT_EQ(len, d.res);
	ASSERT_EQ(IORING_CQE_F_MORE, d.flags & IORING_CQE_F_MORE);
	d = finished(PEER_LIMIT);
	ASSERT_EQ(IORING_CQE_F_NOTIF, d.flags & IORING_CQE_F_NOTIF);
	if (p->role == WS_CLIENT)
		EXPECT_EQ(IORING_NOTIF_USAGE_ZC_COPIED, d.res);
}

TEST_F(uring, send_zc)
{
	int i, lengths[] = { 1, 4096, 65536 };
	char *data = malloc(65536);

	for (i = 0; i < 3; i++) {
		peer_fill(data, lengths[i], 94 + i);
		io_uring_prep_send_zc(io_uring_get_sqe(&ring), self->fd, data,
				      lengths[i], 0,
				      IORING_SEND_ZC_REPORT_USAGE);
		io_uring_submit(&ring);
		ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data,
				      lengths[i]));
		zc_ends(_metadata, &self->p, lengths[i]);
	}
}

/* A socket that is refused stays as it was, send_zc included. */
TEST_F(uring, send_zc_after_a_failed_attach)
{
	static char data[4096];
	struct done d;

	ASSERT_EQ(0, peer_netns());
	peer_close(&self->p);
	ASSERT_EQ(0, peer_connect(&self->p, variant->family, variant->role));
	self->fd = self->p.fd;
	ASSERT_EQ(0, peer_set_sysctl("enabled", 0));
	EXPECT_ERRNO(EPERM, peer_attach(self->fd));
	io_uring_prep_send_zc(io_uring_get_sqe(&ring), self->fd, data,
			      sizeof(data), 0, 0);
	io_uring_submit(&ring);
	ASSERT_EQ(0, peer_read(&self->p, data, sizeof(data)));
	d = finished(PEER_LIMIT);
	EXPECT_EQ(sizeof(data), d.res);
}

TEST_F(uring, send_zc_of_a_registered_buffer)
{
	struct iovec iov = { malloc(20000), 20000 };

	peer_fill(iov.iov_base, iov.iov_len, 97);
	ASSERT_EQ(0, io_uring_register_buffers(&ring, &iov, 1));
	io_uring_prep_send_zc_fixed(io_uring_get_sqe(&ring), self->fd,
				    iov.iov_base + 5000, 10000, 0,
				    IORING_SEND_ZC_REPORT_USAGE, 0);
	io_uring_submit(&ring);
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, iov.iov_base + 5000,
			      10000));
	zc_ends(_metadata, &self->p, 10000);
}

TEST_F(uring, sendmsg_zc)
{
	struct iovec iov[] = { { malloc(5000), 5000 }, { "tail", 4 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct io_uring_sqe *sqe;
	char want[5004];

	peer_fill(want, 5000, 98);
	memcpy(iov[0].iov_base, want, 5000);
	memcpy(want + 5000, "tail", 4);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_sendmsg_zc(sqe, self->fd, &msg, 0);
	sqe->ioprio |= IORING_SEND_ZC_REPORT_USAGE;
	io_uring_submit(&ring);
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, want, sizeof(want)));
	zc_ends(_metadata, &self->p, sizeof(want));
}

TEST_F(uring, splice_both_ways)
{
	int line[2];
	char buf[16];

	ASSERT_EQ(0, pipe(line));
	ASSERT_EQ(7, write(line[1], "through", 7));
	io_uring_prep_splice(io_uring_get_sqe(&ring), line[0], -1, self->fd,
			     -1, 7, 0);
	ASSERT_EQ(7, result());
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "through"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | BINARY, "and back"));
	io_uring_prep_splice(io_uring_get_sqe(&ring), self->fd, -1, line[1],
			     -1, 100, 0);
	ASSERT_EQ(8, result());
	ASSERT_EQ(8, read(line[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "and back", 8));
}

TEST_F(uring, poll)
{
	int i;

	io_uring_prep_poll_add(io_uring_get_sqe(&ring), self->fd, POLLIN);
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, pending());
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	EXPECT_EQ(POLLIN, result());
	ASSERT_EQ(0, peer_gets(self->fd, "x"));
	io_uring_prep_poll_multishot(io_uring_get_sqe(&ring), self->fd,
				     POLLIN);
	ASSERT_EQ(0, pending());
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
		EXPECT_EQ(POLLIN, result());
		ASSERT_EQ(0, peer_gets(self->fd, "x"));
	}
}

TEST_F(uring, cancelled_recv_loses_nothing)
{
	struct io_uring_sqe *sqe;
	struct done d;
	char buf[8];
	int i;

	prep_recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(0, pending());
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_cancel_fd(sqe, self->fd, 0);
	io_uring_sqe_set_data64(sqe, 1);
	for (i = 0; i < 2; i++) {
		d = finished(PEER_LIMIT);
		EXPECT_EQ(d.id ? 0 : -ECANCELED, d.res);
	}
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "kept"));
	EXPECT_EQ(0, peer_gets(self->fd, "kept"));
}

TEST_F(uring, end_of_the_ring_loses_nothing)
{
	char buf[8] = {};

	prep_recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(0, pending());
	io_uring_queue_exit(&ring);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "kept"));
	/* it ends behind our back: the call that it had may still be first */
	while (!peer_poll(self->fd, POLLIN, 1) &&
	       !__atomic_load_n(buf, __ATOMIC_SEQ_CST))
		;
	if (__atomic_load_n(buf, __ATOMIC_SEQ_CST)) {
		EXPECT_EQ(0, memcmp(buf, "kept", 4));
		ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "kept"));
	}
	EXPECT_EQ(0, peer_gets(self->fd, "kept"));
}

TEST_F(uring, shutdown)
{
	io_uring_prep_shutdown(io_uring_get_sqe(&ring), self->fd, SHUT_WR);
	ASSERT_EQ(0, result());
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
	prep_send(self->fd, "x", 1, 0);
	EXPECT_EQ(-EPIPE, result());
}

TEST_F(uring, close)
{
	io_uring_prep_close(io_uring_get_sqe(&ring), self->fd);
	self->p.fd = -1;
	ASSERT_EQ(0, result());
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(uring, registered_file)
{
	struct io_uring_sqe *sqe;
	char buf[8];

	ASSERT_EQ(0, io_uring_register_files(&ring, &self->fd, 1));
	ASSERT_EQ(0, close(self->fd));
	self->p.fd = -1;
	/* the ring holds it */
	ASSERT_EQ(0, peer_sync(&self->p));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, 0, buf, sizeof(buf), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "held"));
	EXPECT_EQ(4, result());
	ASSERT_EQ(0, io_uring_unregister_files(&ring));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

static int set_by_ring(int fd, int level, int option, void *value, int len)
{
	io_uring_prep_cmd_sock(io_uring_get_sqe(&ring),
			       SOCKET_URING_OP_SETSOCKOPT, fd, level, option,
			       value, len);
	return result();
}

TEST_F(uring, attach)
{
	struct peer *p = &self->p;
	int role = variant->role;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, role));
	ASSERT_EQ(0, set_by_ring(p->fd, IPPROTO_TCP, TCP_ULP, "ws", 3));
	ASSERT_EQ(0, set_by_ring(p->fd, SOL_WS, WS_ROLE, &role, sizeof(role)));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "framed"));
	EXPECT_EQ(0, peer_gets(p->fd, "framed"));
	EXPECT_EQ(-EALREADY, set_by_ring(p->fd, SOL_WS, WS_ROLE, &role,
					 sizeof(role)));
}

TEST_HARNESS_MAIN
