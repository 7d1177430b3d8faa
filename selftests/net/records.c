// SPDX-License-Identifier: GPL-2.0
/* Many messages in a call: WS_RX_RECORDS and the cmsg WS_RECORDS */
#include "fixture.h"

static int open_records(struct peer *p, int family, int role)
{
	return peer_open(p, family, role) ?:
	       peer_set(p->fd, WS_RX_MODE, WS_RX_RECORDS);
}

PEER_FIXTURE_AS(records, open_records)
PEER_VARIANTS_OVER_WIRE(records);

#define WHOLE	(WS_F_FIRST | WS_F_FIN)

/* The record at *at is this one; on to the next */
static int record_is(const char *buf, size_t len, size_t *at, int opcode,
		     int flags, const void *data, size_t n)
{
	size_t end = *at + sizeof(struct ws_rec) + n;
	struct ws_rec rec;

	if (end > len)
		return -1;
	memcpy(&rec, buf + *at, sizeof(rec));
	if (rec.len != n || rec.opcode != opcode || rec.flags != flags ||
	    rec.reserved || memcmp(buf + *at + sizeof(rec), data, n))
		return -1;
	for (; end % 8 && end < len; end++)
		if (buf[end])
			return -1;
	*at = end;
	return 0;
}

TEST_F(records, many_in_a_call)
{
	struct peer *p = &self->p;
	char buf[256];
	size_t at = 0;
	ssize_t len;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "text"));
	ASSERT_EQ(0, peer_text(p, FIN | BINARY, ""));
	ASSERT_EQ(0, peer_text(p, BINARY, "in "));
	ASSERT_EQ(0, peer_text(p, CONT, ""));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "fragments"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "12345678"));
	ASSERT_EQ(0, peer_sync(p));
	memset(buf, 0xee, sizeof(buf));
	len = recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(16 + 8 + 24 + 16, len);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, WHOLE, "text", 4));
	EXPECT_EQ(0, record_is(buf, len, &at, BINARY, WHOLE, "", 0));
	EXPECT_EQ(0, record_is(buf, len, &at, BINARY, WHOLE, "in fragments",
			       12));
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, WHOLE, "12345678", 8));
	EXPECT_EQ(at, len);
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
}

/* What does not fit whole behind others waits for the next call */
TEST_F(records, whole_ones_only)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t at = 0;
	ssize_t len;

	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "one"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "0123456789"));
	ASSERT_EQ(0, peer_sync(p));
	len = recv(self->fd, buf, 33, 0);
	ASSERT_EQ(16, len);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, WHOLE, "one", 3));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
	at = 0;
	len = recv(self->fd, buf, 33, 0);
	ASSERT_EQ(24, len);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, WHOLE, "0123456789", 10));
}

TEST_F(records, fits_to_the_byte)
{
	char buf[64];
	size_t at = 0;
	ssize_t len;

	/* there is no room for the padding, and none is needed */
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "0123456789"));
	len = recv(self->fd, buf, 18, 0);
	ASSERT_EQ(18, len);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, WHOLE, "0123456789", 10));
}

TEST_F(records, longer_than_the_buffer)
{
	char buf[64];
	size_t at = 0;
	ssize_t len;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "0123456789abcdefghij"));
	ASSERT_EQ(0, peer_sync(&self->p));
	len = recv(self->fd, buf, 16, 0);
	ASSERT_EQ(16, len);
	EXPECT_EQ(WS_F_MORE, buf[5] & WS_F_MORE);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, buf[5], "01234567", 8));
	EXPECT_EQ(WS_F_FIRST, buf[5] & WS_F_FIRST);
	at = 0;
	len = recv(self->fd, buf, 16, 0);
	ASSERT_EQ(16, len);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, buf[5], "89abcdef", 8));
	EXPECT_EQ(WS_F_MORE, buf[5] & (WS_F_MORE | WS_F_FIRST));
	at = 0;
	len = recv(self->fd, buf, 64, 0);
	ASSERT_EQ(16, len);
	EXPECT_EQ(0, record_is(buf, len, &at, TEXT, WS_F_FIN, "ghij", 4));
}

TEST_F(records, poll_waits_for_the_whole)
{
	char frame[64], buf[64];
	size_t n = peer_build(&self->p, frame, FIN | CONT, "whole", 5), at = 0;

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "the "));
	ASSERT_EQ(0, peer_write(&self->p, frame, n - 1));
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 50));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT));
	ASSERT_EQ(0, peer_write(&self->p, frame + n - 1, 1));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	ASSERT_EQ(24, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 24, &at, TEXT, WHOLE, "the whole", 9));
}

TEST_F(records, buffer_too_small)
{
	char buf[16];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	EXPECT_ERRNO(EINVAL, recv(self->fd, buf, 15, 0));
	EXPECT_EQ(16, recv(self->fd, buf, 16, 0));
}

TEST_F(records, blocking)
{
	struct peer_job job;
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_start_recv(&job, self->fd, buf, sizeof(buf)));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "x"));
	ASSERT_EQ(16, peer_join(&job));
	EXPECT_EQ(0, record_is(buf, 16, &at, TEXT, WHOLE, "x", 1));
}

TEST_F(records, control_never_shows)
{
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "a"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "b"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(32, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 32, &at, TEXT, WHOLE, "a", 1));
	EXPECT_EQ(0, record_is(buf, 32, &at, TEXT, WHOLE, "b", 1));
}

TEST_F(records, control_wanted)
{
	struct peer *p = &self->p;
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_CTRL, WS_CTRL_PING));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "a"));
	ASSERT_EQ(0, peer_text(p, PING, "b"));
	ASSERT_EQ(0, peer_see_text(p, PONG, "b"));
	/* no cmsg is needed here */
	ASSERT_EQ(32, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 32, &at, TEXT, WHOLE, "a", 1));
	EXPECT_EQ(0, record_is(buf, 32, &at, WS_OP_PING, WHOLE, "b", 1));
}

TEST_F(records, end)
{
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "a"));
	ASSERT_EQ(0, peer_send_close(&self->p, 1000, ""));
	ASSERT_EQ(16, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 16, &at, TEXT, WHOLE, "a", 1));
	EXPECT_EQ(0, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, peer_see_close(&self->p, 1000, ""));
}

TEST_F(records, error_after_the_good_ones)
{
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "a"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(POLLRDHUP, peer_poll(self->fd, POLLRDHUP, PEER_LIMIT));
	ASSERT_EQ(16, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 16, &at, TEXT, WHOLE, "a", 1));
	EXPECT_ERRNO(EPROTO, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, peer_see_close(&self->p, 1002, ""));
	EXPECT_EQ(0, recv(self->fd, buf, sizeof(buf), 0));
}

TEST_F(records, bad_text)
{
	char buf[64];
	size_t at = 0;
	ssize_t n;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "a"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "b\xff" "c"));
	ASSERT_EQ(0, peer_sync(&self->p));
	n = recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_LE(16, n);
	EXPECT_EQ(0, record_is(buf, n, &at, TEXT, WHOLE, "a", 1));
	if (at == n) {
		at = 0;
		n = recv(self->fd, buf, sizeof(buf), 0);
	}
	/* the good byte of the bad message is marked as a part */
	ASSERT_LT(0, n);
	EXPECT_EQ(WS_F_MORE, buf[at + 5] & WS_F_MORE);
	EXPECT_EQ(0, record_is(buf, n, &at, TEXT, buf[at + 5], "b", 1));
	EXPECT_EQ(at, n);
	EXPECT_ERRNO(EILSEQ, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, peer_see_close(&self->p, 1007, ""));
}

TEST_F(records, cut_message)
{
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "cut"));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(16, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(WS_F_MORE, buf[5] & WS_F_MORE);
	EXPECT_EQ(0, record_is(buf, 16, &at, TEXT, buf[5], "cut", 3));
	EXPECT_ERRNO(ECONNRESET, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, recv(self->fd, buf, sizeof(buf), 0));
}

TEST_F(records, fault)
{
	char buf[64];
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "intact"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EFAULT, recv(self->fd, (void *)8, 64, 0));
	ASSERT_EQ(16, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 16, &at, TEXT, WHOLE, "intact", 6));
}

/* The head is written last, when the payload has been taken */
TEST_F(records, fault_in_the_head)
{
	char buf[64];
	struct iovec iov[] = { { (void *)8, 8 }, { buf, sizeof(buf) } };
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "intact"));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT));
	EXPECT_ERRNO(EFAULT, readv(self->fd, iov, 2));
	ASSERT_EQ(16, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 16, &at, TEXT, WHOLE, "intact", 6));
}

/* Nothing may follow a record that is not padded */
TEST_F(records, fault_in_the_padding)
{
	char buf[64];
	struct iovec iov[] = { { buf, 8 + 6 }, { (void *)8, 64 } };
	size_t at = 0;

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "intact"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "next"));
	ASSERT_EQ(0, peer_sync(&self->p));
	EXPECT_ERRNO(EFAULT, readv(self->fd, iov, 2));
	ASSERT_EQ(32, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, record_is(buf, 32, &at, TEXT, WHOLE, "intact", 6));
	EXPECT_EQ(0, record_is(buf, 32, &at, TEXT, WHOLE, "next", 4));
}

TEST_F(records, fault_in_a_later_one)
{
	long page = sysconf(_SC_PAGESIZE);
	char *edge = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buf[64];
	struct peer *p = &self->p;
	size_t at = 0;
	ssize_t n;

	ASSERT_NE(MAP_FAILED, edge);
	ASSERT_EQ(0, munmap(edge + page, page));
	edge += page;
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "a"));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "0123456789"));
	ASSERT_EQ(0, peer_sync(p));
	/* room for the first; the second falls off the edge */
	n = recv(self->fd, edge - 28, 64, 0);
	ASSERT_EQ(16, n);
	EXPECT_EQ(0, record_is(edge - 28, n, &at, TEXT, WHOLE, "a", 1));
	at = 0;
	n = recv(self->fd, buf, sizeof(buf), 0);
	ASSERT_EQ(24, n);
	EXPECT_EQ(0, record_is(buf, n, &at, TEXT, WHOLE, "0123456789", 10));
}

TEST_F(records, longer_than_the_receive_buffer)
{
	size_t len = 4 << 20, got = 0, n, at;
	char *data = malloc(len), *frame = malloc(len + PEER_HEADER);
	char *buf = malloc(65536);
	struct peer_job job;
	struct ws_rec rec;
	ssize_t ret;

	peer_fill(data, len, 40);
	n = peer_build(&self->p, frame, FIN | BINARY, data, len);
	ASSERT_EQ(0, peer_start(&job, self->p.raw, frame, n));
	while (got < len) {
		ret = recv(self->fd, buf, 65536, 0);
		ASSERT_LT(sizeof(rec), ret);
		memcpy(&rec, buf, sizeof(rec));
		at = 0;
		ASSERT_LE(rec.len, len - got);
		ASSERT_EQ(0, record_is(buf, ret, &at, BINARY, rec.flags,
				       data + got, rec.len));
		ASSERT_EQ(at, ret);
		ASSERT_EQ(got == 0, !!(rec.flags & WS_F_FIRST));
		got += rec.len;
		ASSERT_EQ(got < len, !!(rec.flags & WS_F_MORE));
	}
	EXPECT_EQ(n, peer_join(&job));
}

TEST_F(records, fionread)
{
	char buf[256];
	int n = -1;

	ASSERT_EQ(0, ioctl(self->fd, FIONREAD, &n));
	EXPECT_EQ(0, n);
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "abc"));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "defg"));
	ASSERT_EQ(0, peer_sync(&self->p));
	ASSERT_EQ(0, ioctl(self->fd, FIONREAD, &n));
	EXPECT_EQ(n, recv(self->fd, buf, sizeof(buf), 0));
}

/* What a read returns of a message whose end will not come */
TEST_F(records, fionread_of_a_part)
{
	char buf[256];
	int n = -1;

	ASSERT_EQ(0, peer_text(&self->p, TEXT, "cut"));
	ASSERT_EQ(0, shutdown(self->p.raw, SHUT_WR));
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, PEER_LIMIT) & POLLIN);
	ASSERT_EQ(0, ioctl(self->fd, FIONREAD, &n));
	EXPECT_EQ(16, n);
	EXPECT_EQ(n, recv(self->fd, buf, sizeof(buf), 0));
	EXPECT_ERRNO(ECONNRESET, recv(self->fd, buf, sizeof(buf), 0));
}

TEST_F(records, mode_changes_between_messages)
{
	int fd = self->fd;
	char buf[64];

	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "one"));
	ASSERT_EQ(16, recv(fd, buf, sizeof(buf), 0));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_STREAM));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "two"));
	ASSERT_EQ(0, peer_gets(fd, "two"));
	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_RECORDS));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "three"));
	ASSERT_EQ(16, recv(fd, buf, sizeof(buf), 0));
}

/* sendmsg() with WS_RECORDS: bytes or -errno */
static ssize_t send_pieces(int fd, const struct ws_txrec *rec, size_t size,
			   struct iovec *iov, int nr, int flags)
{
	char control[CMSG_SPACE(256 * sizeof(*rec))] = {};
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = nr,
		.msg_control = control, .msg_controllen = CMSG_SPACE(size),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_RECORDS;
	cmsg->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cmsg), rec, size);
	n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static ssize_t send_records(int fd, const struct ws_txrec *rec, size_t size,
			    const void *data, size_t len, int flags)
{
	struct iovec iov = { (void *)data, len };

	return send_pieces(fd, rec, size, &iov, 1, flags);
}

TEST_F(records, send)
{
	struct ws_txrec rec[] = {
		{ 3, WS_OP_TEXT, WS_F_FIN }, { 0, WS_OP_BINARY, WS_F_FIN },
		{ 200, WS_OP_BINARY, WS_F_FIN },
	};
	char data[203];

	peer_fill(data, sizeof(data), 41);
	ASSERT_EQ(203, send_records(self->fd, rec, sizeof(rec), data, 203, 0));
	EXPECT_EQ(0, peer_see(&self->p, FIN | TEXT, data, 3));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, "", 0));
	EXPECT_EQ(0, peer_see(&self->p, FIN | BINARY, data + 3, 200));
}

TEST_F(records, send_has_its_own_keys)
{
	struct ws_txrec rec[32];
	unsigned char keys[32][4];
	char data[32] = {};
	int i, j, same = 0;

	for (i = 0; i < 32; i++)
		rec[i] = (struct ws_txrec){ 1, WS_OP_BINARY, WS_F_FIN };
	ASSERT_EQ(32, send_records(self->fd, rec, sizeof(rec), data, 32, 0));
	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, 1));
		memcpy(keys[i], self->p.key, 4);
		for (j = 0; j < i; j++)
			same += !memcmp(keys[i], keys[j], 4);
	}
	if (variant->role == WS_CLIENT)
		EXPECT_EQ(0, same);
}

TEST_F(records, send_lengths)
{
	struct ws_txrec rec[] = {
		{ 60000, WS_OP_BINARY, WS_F_FIN },
		{ 5536, WS_OP_BINARY, WS_F_FIN },
	};
	char *data = malloc(65537);
	int fd = self->fd;

	peer_fill(data, 65537, 42);
	EXPECT_EQ(-EINVAL, send_records(fd, rec, sizeof(rec), data, 65535, 0));
	EXPECT_EQ(-EINVAL, send_records(fd, rec, sizeof(rec), data, 65537, 0));
	ASSERT_EQ(65536, send_records(fd, rec, sizeof(rec), data, 65536, 0));
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data, 60000));
	ASSERT_EQ(0, peer_see(&self->p, FIN | BINARY, data + 60000, 5536));
	rec[1].len++;
	EXPECT_EQ(-EMSGSIZE, send_records(fd, rec, sizeof(rec), data, 65537,
					  0));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(records, send_overflow)
{
	struct ws_txrec rec[] = {
		{ 0xffffffff, WS_OP_BINARY, WS_F_FIN },
		{ 2, WS_OP_BINARY, WS_F_FIN },
	};

	/* one byte, if lengths were added up in 32 bits */
	EXPECT_EQ(-EMSGSIZE, send_records(self->fd, rec, sizeof(rec), "x", 1,
					  0));
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(records, send_bad)
{
	const struct ws_txrec good = { 1, WS_OP_TEXT, WS_F_FIN };
	struct ws_txrec bad[] = {
		{ 1, WS_OP_TEXT, 0 },
		{ 1, WS_OP_TEXT, WS_F_FIN | WS_F_MORE },
		{ 1, WS_OP_TEXT, WS_F_FIN | 0x80 },
		{ 1, WS_OP_TEXT, WS_F_FIN | WS_F_RSV1 },
		{ 1, WS_OP_TEXT, WS_F_FIN, 1 },
		{ 1, WS_OP_CONT, WS_F_FIN },
		{ 1, 3, WS_F_FIN },
		{ 1, 16 | WS_OP_TEXT, WS_F_FIN },
		{ 1, 0x80 | WS_OP_TEXT, WS_F_FIN },
	}, two[2] = { good };
	int i, fd = self->fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		two[1] = bad[i];
		EXPECT_EQ(-EINVAL, send_records(fd, two, sizeof(two), "ab", 2,
						0))
			TH_LOG("record %d", i);
	}
	EXPECT_EQ(-EINVAL, send_records(fd, &good, 0, "", 0, 0));
	EXPECT_EQ(-EINVAL, send_records(fd, &good, 7, "a", 1, 0));
	EXPECT_EQ(-EINVAL, send_records(fd, two, 12, "a", 1, 0));
	/* not one of them left anything */
	EXPECT_EQ(0, peer_sync(&self->p));
}

TEST_F(records, send_while_a_message_is_open)
{
	const struct ws_txrec rec = { 1, WS_OP_TEXT, WS_F_FIN };
	int fd = self->fd;

	ASSERT_EQ(1, send(fd, "a", 1, MSG_MORE));
	EXPECT_EQ(-EINVAL, send_records(fd, &rec, sizeof(rec), "x", 1, 0));
	ASSERT_EQ(1, send(fd, "b", 1, 0));
	EXPECT_EQ(1, send_records(fd, &rec, sizeof(rec), "x", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, BINARY, "a"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | CONT, "b"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "x"));
}

TEST_F(records, send_all_or_nothing)
{
	enum { LEN = 300000 };
	struct ws_txrec rec[3];
	static char data[3 * LEN];
	struct peer *p = &self->p;
	int small = 4096, i;

	/* no buffers hold that: some of it waits until the peer reads */
	setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_set(self->fd, WS_TX_FRAME_MAX, 1 << 20));
	for (i = 0; i < 3; i++)
		rec[i] = (struct ws_txrec){ LEN, WS_OP_BINARY, WS_F_FIN };
	ASSERT_EQ(3 * LEN, send_records(self->fd, rec, sizeof(rec), data,
					3 * LEN, MSG_DONTWAIT));
	EXPECT_EQ(-EAGAIN, send_records(self->fd, rec, sizeof(rec), data,
					3 * LEN, MSG_DONTWAIT));
	EXPECT_EQ(0, peer_poll(self->fd, POLLOUT, 0));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, peer_see(p, FIN | BINARY, data, LEN));
	EXPECT_EQ(0, peer_sync(p));
}

/* In one piece, in a piece for each message, or in such that cut messages */
static int cut(struct iovec *iov, char *data, size_t len,
	       const struct ws_txrec *rec, int how)
{
	size_t n;
	int i;

	for (i = 0; len; i++, data += n, len -= n) {
		n = how == 0 ? len : how == 1 ? rec[i].len : 40 + i;
		if (n > len)
			n = len;
		iov[i] = (struct iovec){ data, n };
	}
	return i;
}

/* Each short length, among longer ones, at ever other places of the pages */
TEST_F(records, send_each_length)
{
	enum { N = 140 };
	static char data[N * (N - 1) / 2 + 1000];
	struct ws_txrec rec[N];
	struct iovec iov[N];
	size_t sum, at;
	int i, round;

	peer_fill(data, sizeof(data), 43);
	for (round = 0; round < 12; round++) {
		for (i = sum = 0; i < N; sum += rec[i++].len)
			rec[i] = (struct ws_txrec){
				.len = i * 37 % N,
				.opcode = i % 3 ? WS_OP_BINARY : WS_OP_TEXT,
				.flags = WS_F_FIN,
			};
		rec[round * 9].len += round * 70;
		sum += round * 70;
		i = cut(iov, data + round, sum, rec, round % 3);
		ASSERT_EQ(sum, send_pieces(self->fd, rec, sizeof(rec), iov, i,
					   0));
		for (i = at = 0; i < N; at += rec[i++].len)
			ASSERT_EQ(0, peer_see(&self->p, FIN | rec[i].opcode,
					      data + round + at, rec[i].len));
	}
}

/* Empty ones, with nothing to send and behind what there was to send */
TEST_F(records, send_empty)
{
	struct ws_txrec rec[] = {
		{ 0, WS_OP_TEXT, WS_F_FIN }, { 2, WS_OP_TEXT, WS_F_FIN },
		{ 0, WS_OP_BINARY, WS_F_FIN }, { 0, WS_OP_TEXT, WS_F_FIN },
	};
	struct iovec iov[] = { { "a", 1 }, { "", 0 }, { "b", 1 }, { "", 0 } };

	ASSERT_EQ(0, send_pieces(self->fd, rec, sizeof(*rec), NULL, 0, 0));
	ASSERT_EQ(0, send_pieces(self->fd, rec, sizeof(*rec), iov + 1, 1, 0));
	ASSERT_EQ(2, send_pieces(self->fd, rec, sizeof(rec), iov, 4, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, ""));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, ""));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, ""));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, "ab"));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | BINARY, ""));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | TEXT, ""));
}

TEST_F(records, send_fault)
{
	struct ws_txrec rec[] = {
		{ 20, WS_OP_TEXT, WS_F_FIN }, { 1, WS_OP_TEXT, WS_F_FIN },
		{ 200, WS_OP_TEXT, WS_F_FIN }, { 5, WS_OP_TEXT, WS_F_FIN },
		{ 9, WS_OP_TEXT, WS_F_FIN }, { 3, WS_OP_TEXT, WS_F_FIN },
	};
	long page = sysconf(_SC_PAGESIZE);
	char *edge = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[ARRAY_SIZE(rec)];
	int there, i;

	ASSERT_NE(MAP_FAILED, edge);
	ASSERT_EQ(0, munmap(edge + page, page));
	edge += page;
	for (there = 0; there < 238; there++) {
		ASSERT_EQ(-EFAULT, send_records(self->fd, rec, sizeof(rec),
						edge - there, 238, 0));
		i = cut(iov, edge - there, 238, rec, 1);
		ASSERT_EQ(-EFAULT, send_pieces(self->fd, rec, sizeof(rec), iov,
					       i, 0));
	}
	EXPECT_EQ(0, peer_sync(&self->p));
	EXPECT_EQ(238, send_records(self->fd, rec, sizeof(rec), edge - 238,
				    238, 0));
	EXPECT_EQ(0, peer_see(&self->p, FIN | TEXT, edge - 238, 20));
}

TEST_F(records, send_reserved_bits)
{
	const struct ws_txrec rec = { 1, WS_OP_TEXT, WS_F_FIN | WS_F_RSV2 };

	ASSERT_EQ(0, peer_set(self->fd, WS_EXT, WS_RSV2));
	EXPECT_EQ(1, send_records(self->fd, &rec, sizeof(rec), "x", 1, 0));
	EXPECT_EQ(0, peer_see_text(&self->p, FIN | WS_RSV2 | TEXT, "x"));
}

TEST_F(records, send_after_close)
{
	const struct ws_txrec rec = { 1, WS_OP_TEXT, WS_F_FIN };

	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(-EPIPE, send_records(self->fd, &rec, sizeof(rec), "x", 1,
				       0));
}

TEST_F(records, mode_only_between_messages)
{
	struct peer *p = &self->p;
	int fd = self->fd;

	ASSERT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_STREAM));
	ASSERT_EQ(0, peer_text(p, TEXT, "begun "));
	ASSERT_EQ(0, peer_gets(fd, "begun "));
	EXPECT_EQ(EBUSY, peer_set(fd, WS_RX_MODE, WS_RX_RECORDS));
	ASSERT_EQ(0, peer_text(p, FIN | CONT, "done"));
	ASSERT_EQ(0, peer_gets(fd, "done"));
	ASSERT_EQ(0, peer_text(p, TEXT, "not read"));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_EQ(0, peer_set(fd, WS_RX_MODE, WS_RX_RECORDS));
}

/*
 * A short message that is cut is no reason for a piece of it, whatever buffer
 * it lies in: what was read of that does not count.
 */
TEST_F(records, no_pieces_of_short_messages)
{
	char wire[8192], data[286] = {}, buf[16384];
	struct peer *p = &self->p;
	int small = 8192, i;
	size_t n = 0, cut;
	ssize_t len;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	for (i = 0; i < 30; i++)
		n += peer_build(p, wire + n, FIN | BINARY, data, 200);
	cut = n + 200;
	n += peer_build(p, wire + n, FIN | BINARY, data, sizeof(data));
	ASSERT_EQ(0, peer_write(p, wire, cut));
	for (i = 0; i < 30; ) {
		len = recv(self->fd, buf, sizeof(buf), 0);
		ASSERT_LT(0, len);
		ASSERT_EQ(0, len % 208);
		i += len / 208;
	}
	EXPECT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	EXPECT_ERRNO(EAGAIN, recv(self->fd, buf, sizeof(buf), MSG_DONTWAIT));
	ASSERT_EQ(0, peer_write(p, wire + cut, n - cut));
	len = recv(self->fd, buf, sizeof(buf), 0);
	EXPECT_EQ(8 + 288, len);
	EXPECT_EQ(sizeof(data), ((struct ws_rec *)buf)->len);
}

TEST_HARNESS_MAIN
