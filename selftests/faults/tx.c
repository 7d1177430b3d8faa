// SPDX-License-Identifier: GPL-2.0
/* Sending, by each path through the module */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "scenes.h"

#define FLAGS	(MSG_DONTWAIT | MSG_NOSIGNAL)

static ssize_t plain(struct link *l, const void *p, size_t len)
{
	return send(l->p.fd, p, len, FLAGS);
}

/* Fragments of a call each, a ping of the application behind the first */
static ssize_t in_parts(struct link *l, const void *p, size_t len)
{
	size_t n = len > 9000 ? 9000 : len;
	ssize_t ret;

	if (len > 9000 && l->tx.want.len % 2) {
		ret = peer_sendmsg(l->p.fd, WS_OP_PING, "between", 7, FLAGS);
		if (ret < 0) {
			errno = -ret;
			return -1;
		}
	}
	return send(l->p.fd, p, n, FLAGS | (n < len ? MSG_MORE : 0));
}

/* Buffers in several pieces */
static ssize_t by_iovec(struct link *l, const void *p, size_t len)
{
	struct iovec iov[3] = {
		{ (void *)p, len / 3 }, { (void *)p + len / 3, len / 3 },
		{ (void *)p + len / 3 * 2, len - len / 3 * 2 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

	return sendmsg(l->p.fd, &msg, FLAGS);
}

static unsigned int zerocopies;	/* calls that will be told of */

static ssize_t by_zerocopy(struct link *l, const void *p, size_t len)
{
	ssize_t n = send(l->p.fd, p, len, FLAGS | MSG_ZEROCOPY);

	zerocopies += n > 0;
	return n;
}

/* The pattern that payload() takes binary messages from, as a file */
static int pattern_file(void)
{
	static int fd = -1;
	size_t i, len = 256 << 10;

	if (fd >= 0)
		return fd;
	fd = memfd_create("pattern", 0);
	for (i = 0; i < 2; i++)
		if (pwrite(fd, payload(BINARY, 0, len), len, 0) != len)
			return wrong("memfd: %s", strerror(errno));
	return fd;
}

static ssize_t by_sendfile(struct link *l, const void *p, size_t len)
{
	off_t off = (unsigned char *)p - payload(BINARY, 0, 1);
	int file = pattern_file(), flags = fcntl(l->p.fd, F_GETFL);
	ssize_t n;

	fcntl(l->p.fd, F_SETFL, flags | O_NONBLOCK);
	n = sendfile(l->p.fd, file, &off, len);
	fcntl(l->p.fd, F_SETFL, flags);
	return n;
}

static struct io_uring ring;
static unsigned int notices;	/* that a ring still has to give */

static struct io_uring_cqe *next_cqe(void)
{
	struct __kernel_timespec ts = { .tv_sec = LIMIT / 1000 };
	struct io_uring_cqe *cqe;
	int ret;

	do {
		ret = io_uring_wait_cqe_timeout(&ring, &cqe, &ts);
	} while (ret == -EINTR);
	return ret ? NULL : cqe;
}

static ssize_t by_uring(struct link *l, const void *p, size_t len)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	ssize_t n = 0;
	bool notice;

	if (!ring.ring_fd && io_uring_queue_init(64, &ring, 0))
		return wrong("no io_uring");
	sqe = io_uring_get_sqe(&ring);
	if (l->tx.want.len % 2 && len)
		io_uring_prep_send_zc(sqe, l->p.fd, p, len, FLAGS, 0);
	else
		io_uring_prep_send(sqe, l->p.fd, p, len, FLAGS);
	io_uring_submit(&ring);
	do {
		cqe = next_cqe();
		if (!cqe)
			return wrong("io_uring: nothing ends");
		notice = cqe->flags & IORING_CQE_F_NOTIF;
		n = cqe->res;
		notices += !!(cqe->flags & IORING_CQE_F_MORE);
		notices -= notice;
		io_uring_cqe_seen(&ring, cqe);
	} while (notice);
	if (n >= 0)
		return n;
	errno = -n;
	return -1;
}

/* Messages of all sizes; text where the type can be set between them */
static int send_mixed(struct link *l, sender send)
{
	static const int len[] = {
		5, 0, 125, 126, 400, 600, 4000, 20000, 1, 70000, 100000, 30,
	};
	unsigned int i;

	for (i = 0; i < sizeof(len) / sizeof(*len); i++) {
		int opcode = i % 3 || send == by_sendfile ? BINARY : TEXT;

		if (!len[i] && send == by_sendfile)
			continue;
		if (link_set_int(l, WS_TX_TYPE, opcode) ||
		    link_send(l, send, opcode, payload(opcode, i, len[i]),
			      len[i]))
			return -1;
	}
	return 0;
}

static int mixed(struct link *l, sender send)
{
	return link_role(l) ?: send_mixed(l, send) ?: link_arrive(l) ?:
	       link_finish(l);
}

static int send_plain(struct link *l)
{
	return mixed(l, plain);
}

static int send_parts(struct link *l)
{
	return mixed(l, in_parts);
}

static int send_iovec(struct link *l)
{
	return mixed(l, by_iovec);
}

static int send_file(struct link *l)
{
	return mixed(l, by_sendfile);
}

/* Many that are short */
static int send_short(struct link *l)
{
	int i;

	if (link_role(l))
		return -1;
	for (i = 0; i < 40; i++)
		if (link_send(l, plain, BINARY, payload(BINARY, i, 1 + 12 * i),
			      1 + 12 * i))
			return -1;
	return link_arrive(l) ?: link_finish(l);
}

static void small_buffers(struct link *l)
{
	int size = 8192;

	setsockopt(l->p.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(l->p.raw, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* Frames that TCP takes in part, and the rest waits */
static int send_full(struct link *l)
{
	small_buffers(l);
	if (link_role(l) || link_set_int(l, WS_TX_FRAME_MAX, 30000))
		return -1;
	l->hold = true;
	link_ping(l, "while it is full");
	return send_mixed(l, plain) ?: link_arrive(l) ?: link_settle(l) ?:
	       link_finish(l);
}

static int send_full_file(struct link *l)
{
	small_buffers(l);
	l->hold = true;
	return mixed(l, by_sendfile);
}

/* Each call is told of once, in ranges. */
static int see_notices(struct link *l)
{
	struct pollfd pfd = { .fd = l->p.fd };

	while (zerocopies) {
		char control[128];
		struct msghdr msg = { .msg_control = control,
				      .msg_controllen = sizeof(control) };
		struct sock_extended_err *err;

		if (recvmsg(l->p.fd, &msg, MSG_ERRQUEUE) < 0) {
			if (errno == EAGAIN && poll(&pfd, 1, LIMIT) > 0)
				continue;
			return wrong("%u calls without notice: %s", zerocopies,
				     strerror(errno));
		}
		err = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
		if (err->ee_data - err->ee_info >= zerocopies)
			return wrong("notice of calls that were not made");
		zerocopies -= err->ee_data - err->ee_info + 1;
	}
	return 0;
}

static int send_zerocopy(struct link *l)
{
	int one = 1;

	zerocopies = 0;
	if (setsockopt(l->p.fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return wrong("SO_ZEROCOPY: %s", strerror(errno));
	if (link_role(l) || send_mixed(l, by_zerocopy) || link_arrive(l))
		return -1;
	if (!l->error && !l->in_end && see_notices(l))
		return -1;
	return link_finish(l);
}

static int send_uring(struct link *l)
{
	struct io_uring_cqe *cqe;

	if (mixed(l, by_uring))
		return -1;
	for (; notices; notices--) {
		cqe = next_cqe();
		if (!cqe)
			return wrong("io_uring: %u notices missing", notices);
		io_uring_cqe_seen(&ring, cqe);
	}
	return 0;
}

#define BATCH	24

/* Messages of one call: all of them or none */
static int send_batch(struct link *l, int from, int size)
{
	char control[CMSG_SPACE(BATCH * sizeof(struct ws_txrec))] = {};
	struct ws_txrec rec[BATCH] = {};
	struct iovec iov[BATCH];
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = BATCH,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int i, spins = 0, ret = 1;

	for (i = 0; i < BATCH; i++) {
		rec[i].len = (i + 1) * size % 4001;
		rec[i].opcode = BINARY;
		rec[i].flags = WS_F_FIN;
		iov[i].iov_base = (void *)payload(BINARY, from + i, 1);
		iov[i].iov_len = rec[i].len;
		link_want(l, BINARY, iov[i].iov_base, rec[i].len);
	}
	*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(rec)), SOL_WS, WS_RECORDS };
	memcpy(CMSG_DATA(cmsg), rec, sizeof(rec));
	while (ret > 0 && sendmsg(l->p.fd, &msg, FLAGS) < 0)
		ret = link_again(l, &spins);
	if (ret > 0)
		link_accepted(l);
	return ret < 0 ? -1 : 0;
}

static int send_records(struct link *l)
{
	return link_role(l) ?: send_batch(l, 0, 5) ?: send_batch(l, 7, 100) ?:
	       send_batch(l, 8, 390) ?: send_batch(l, 9, 1) ?:
	       link_arrive(l) ?: link_finish(l);
}

static int send_records_full(struct link *l)
{
	small_buffers(l);
	l->hold = true;
	return send_records(l);
}

/* What came while the other thread was in its call. Return: go on */
static bool watch_call(struct link *l, struct peer_job *job, int *idle)
{
	struct pollfd pfd = { .fd = l->p.raw, .events = POLLIN };

	if (!peer_running(job))
		return false;
	*idle = link_pump(l) ? 0 : *idle + 1;
	poll(&pfd, l->in_end ? 0 : 1, 20);
	return *idle < LIMIT / 20;
}

/* One blocking call, in fragments, to a peer that reads now and then */
static int send_blocking(struct link *l)
{
	const unsigned char *p = payload(BINARY, 1, 200000);
	size_t at = 0, len = 200000;
	struct peer_job job;
	int idle, ret = 1;

	small_buffers(l);
	if (link_role(l))
		return -1;
	link_want(l, BINARY, p, len);
	while (at < len && ret > 0) {
		idle = 0;
		if (peer_start(&job, l->p.fd, p + at, len - at))
			return wrong("no thread");
		while (watch_call(l, &job, &idle))
			;
		if (peer_running(&job))
			shutdown(l->p.raw, SHUT_RDWR);
		errno = -peer_join(&job);
		if (idle >= LIMIT / 20)
			return wrong("send() waits for nothing");
		if (job.ret < 0)
			ret = link_failed(l, "send");
		else
			at += job.ret;
	}
	if (ret > 0)
		link_accepted(l);
	return ret < 0 ? -1 : link_arrive(l) ?: link_finish(l);
}

const struct scene tx_scenes[] = {
	{ "send.plain", send_plain, BOTH },
	{ "send.short", send_short, BOTH },
	{ "send.parts", send_parts, BOTH },
	{ "send.iovec", send_iovec, BOTH },
	{ "send.full", send_full, BOTH },
	{ "send.blocking", send_blocking, BOTH },
	{ "send.records", send_records, BOTH },
	{ "send.records_full", send_records_full, BOTH },
	{ "send.sendfile", send_file, BOTH },
	{ "send.sendfile_full", send_full_file, SERVER },
	{ "send.zerocopy", send_zerocopy, BOTH },
	{ "send.uring", send_uring, BOTH },
	{ }
};
