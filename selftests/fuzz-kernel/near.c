// SPDX-License-Identifier: GPL-2.0
/* The near end: system calls on the socket with "ws" attached. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define BUFFER	262144
#define WAIT	500	/* ms that a second thread waits for an event */

/* Buffers end where memory does: a call that goes too far gets EFAULT. */
static uint8_t *buffers[2];	/* a thread each; their ends */
static __thread int thread_index;
static int file = -1, pipes[2] = { -1, -1 }, pair[2];
static struct io_uring ring;
static bool have_ring;

#define PICK(array, n)	((array)[(n) % (sizeof(array) / sizeof(*(array)))])

long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

static uint8_t *buffer(size_t len)
{
	return buffers[thread_index] - (len < BUFFER ? len : BUFFER);
}

static uint8_t *make_buffer(void)
{
	uint8_t *p = mmap(NULL, BUFFER + 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 'x', BUFFER);
	mprotect(p + BUFFER, 4096, PROT_NONE);
	return p + BUFFER;
}

void near_second_thread(void)
{
	thread_index = 1;
}

int near_open(void)
{
	static const uint8_t text[65536 * 3];

	buffers[0] = make_buffer();
	buffers[1] = make_buffer();
	file = memfd_create("fuzz", MFD_CLOEXEC);
	if (write(file, text, sizeof(text)) != sizeof(text) ||
	    pipe2(pipes, O_NONBLOCK | O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair))
		return -1;
	have_ring = !io_uring_queue_init(16, &ring, 0);
	return 0;
}

/* ------- what was read ------- */

/* data may be NULL: what was passed over without being seen */
static void take(struct run *r, const void *data, size_t len)
{
	size_t *count = r->role_set ? &r->taken_len : &r->raw;
	uint8_t *byte = r->role_set ? r->taken : r->raw_byte;
	uint8_t *hole = r->role_set ? r->hole : r->raw_hole;

	if (len > (r->role_set ? TAKEN : STREAM) - *count) {
		r->judge = false;
		return;
	}
	if (data)
		memcpy(byte + *count, data, len);
	memset(hole + *count, !data, len);
	*count += len;
}

/* WS_RX_RECORDS: heads, payload, padding as far as there was room for it */
static void take_records(struct run *r, const uint8_t *p, size_t len)
{
	struct ws_rec rec;
	size_t padded;

	/* another reader may have set another mode meanwhile */
	while (len && r->judge) {
		if (len < sizeof(rec)) {
			wrong(r, "half a record's head: %zu bytes", len);
			return;
		}
		memcpy(&rec, p, sizeof(rec));
		padded = ((size_t)rec.len + 7) & ~7;
		if (padded > len - sizeof(rec))
			padded = len - sizeof(rec);
		if (rec.reserved || rec.len > padded) {
			wrong(r, "a record of %u bytes in %zu", rec.len, len);
			return;
		}
		if (rec.opcode < 8)
			take(r, p + sizeof(rec), rec.len);
		p += sizeof(rec) + padded;
		len -= sizeof(rec) + padded;
	}
}

static void peeked(struct run *r, const void *data, size_t len)
{
	struct peek *k = &r->peek[r->peeks];

	if (!r->role_set || r->peeks == PEEKS || r->mode == WS_RX_RECORDS)
		return;
	r->peeks++;
	k->at = r->taken_len;
	k->len = len < sizeof(k->data) ? len : sizeof(k->data);
	memcpy(k->data, data, k->len);
}

static void received(struct run *r, const uint8_t *data, ssize_t ret,
		     size_t room, int flags)
{
	if (ret <= 0)
		return;
	if (flags & MSG_PEEK) {
		if (!(flags & MSG_TRUNC) && (size_t)ret <= room)
			peeked(r, data, ret);
	} else if (flags & (MSG_TRUNC | MSG_OOB | MSG_ERRQUEUE)) {
		if (r->mode == WS_RX_RECORDS)
			r->judge = false;
		if (flags & MSG_TRUNC)
			take(r, NULL, ret);
	} else if (r->role_set && r->mode == WS_RX_RECORDS) {
		take_records(r, data, ret);
	} else {
		take(r, data, ret);
	}
}

static const int recv_flags[] = {
	MSG_DONTWAIT, MSG_DONTWAIT, MSG_DONTWAIT, MSG_DONTWAIT, 0,
	MSG_DONTWAIT | MSG_PEEK, MSG_DONTWAIT | MSG_PEEK, MSG_PEEK,
	MSG_DONTWAIT | MSG_TRUNC, MSG_WAITALL, MSG_WAITALL | MSG_DONTWAIT,
	MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK, MSG_OOB, MSG_WAITALL | MSG_PEEK,
	MSG_ERRQUEUE, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
};

static void do_recv(struct run *r, const struct operation *o)
{
	int flags = PICK(recv_flags, o->a);
	uint8_t *data = buffer(o->n);
	size_t len = o->n;

	if (o->b % 16 == 1)	/* more than there is memory for */
		len += o->seed % 5000;
	received(r, data, recv(r->fd, data, len, flags), len, flags);
}

/* All in one or in pieces */
static int cut_up(struct iovec *iov, uint8_t *data, size_t len,
		  unsigned int how)
{
	size_t first = how % 4 ? 0 : len / 3, second = how % 8 ? 0 : len / 5;

	iov[0] = (struct iovec){ data, first };
	iov[1] = (struct iovec){ data + first, second };
	iov[2] = (struct iovec){ data + first + second, len - first - second };
	return 3;
}

/* What WS_FRAME tells: -1 nothing */
static int opcode_of(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct ws_frame frame;

	for (; c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_WS || c->cmsg_type != WS_FRAME ||
		    c->cmsg_len < CMSG_LEN(sizeof(frame)))
			continue;
		memcpy(&frame, CMSG_DATA(c), sizeof(frame));
		return frame.opcode;
	}
	return -1;
}

static ssize_t recv_message(struct run *r, size_t len, size_t room, int flags,
			    unsigned int how)
{
	uint8_t *data = buffer(len), control[256];
	struct iovec iov[3];
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = cut_up(iov, data, len, how),
		.msg_control = control, .msg_controllen = room,
	};
	ssize_t ret = recvmsg(r->fd, &msg, flags);
	int op = -1;

	r->ended = !ret && !(msg.msg_flags & MSG_EOR);
	if (ret >= 0 && room)
		op = opcode_of(&msg);
	if (ret > 0 && msg.msg_flags & MSG_CTRUNC && r->role_set)
		r->judge = false;
	if (op < 8 || op == 0xff)
		received(r, data, ret, len, flags);
	return ret;
}

static void do_recvmsg(struct run *r, const struct operation *o)
{
	static const uint8_t rooms[] = { 64, 64, 64, 0, 32, 31, 200, 8, 33 };

	recv_message(r, o->n < BUFFER ? o->n : BUFFER, PICK(rooms, o->b),
		     PICK(recv_flags, o->a), o->seed);
}

/* ------- poll ------- */

static short events_of(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDHUP };

	return poll(&pfd, 1, ms) < 0 ? 0 : pfd.revents;
}

/* poll() and a read that takes nothing have to agree. */
static void do_agree(struct run *r, const struct operation *o)
{
	uint8_t data[64], control[64];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	short events = events_of(r->fd, 0);
	int inq = -1, got;
	ssize_t ret;

	if (o->a & 1)
		ioctl(r->fd, FIONREAD, &inq);
	ret = recvmsg(r->fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	got = ret < 0 ? -errno : ret;
	if (!r->role_set || r->fail || thread_index)
		return;
	/* only the caller knows that a part of a record fills its buffer */
	if (!(events & POLLIN) && ret > 0 &&
	    !(r->mode == WS_RX_RECORDS && ret == sizeof(data)))
		wrong(r, "poll() says %x, a peek gets %d bytes", events, got);
	if (events & POLLIN && got == -EAGAIN)
		wrong(r, "poll() says %x, a peek gets EAGAIN", events);
	if (inq > 0 && got == -EAGAIN)
		wrong(r, "FIONREAD says %d, a peek gets EAGAIN", inq);
}

/*
 * A second thread that waits, and slept all the time although nothing happened
 * since the socket became readable, was not woken.
 */
static void do_wait(struct run *r, const struct operation *o)
{
	short before = events_of(r->fd, fast_time ? WAIT : 0), after;
	long quiet;

	(void)o;
	if (before || !thread_index || !fast_time || !r->role_set)
		return;
	after = events_of(r->fd, 0);
	quiet = now_ms() - __atomic_load_n(&r->last, __ATOMIC_RELAXED);
	if (after && r->fd >= 0 && quiet > WAIT - 50)
		wrong(r, "poll() slept for %d ms, then says %x", WAIT, after);
}

static void do_poll(struct run *r, const struct operation *o)
{
	struct pollfd pfd = { .fd = r->fd, .events = o->a };

	poll(&pfd, 1, o->b & 1 ? 0 : 20);
}

static void do_ioctl(struct run *r, const struct operation *o)
{
	static const unsigned int requests[] = {
		FIONREAD, TIOCOUTQ, SIOCATMARK, 0x894b /* SIOCOUTQNSD */,
		FIONREAD, 0x8904 /* SIOCGPGRP */,
	};
	int value = 0;

	ioctl(r->fd, PICK(requests, o->a), &value);
}

/* ------- sending ------- */

static const int send_flags[] = {
	0, 0, MSG_MORE, MSG_MORE, MSG_EOR, MSG_ZEROCOPY, MSG_OOB, MSG_MORE,
	MSG_CONFIRM, MSG_FASTOPEN, MSG_DONTROUTE, MSG_ZEROCOPY | MSG_MORE,
};

static int flags_of(const struct operation *o)
{
	return PICK(send_flags, o->a) | MSG_NOSIGNAL |
		(o->b & 1 ? 0 : MSG_DONTWAIT);
}

static void sent_raw(struct run *r, ssize_t ret)
{
	if (ret > 0 && !r->role_set)
		r->raw_sent += ret;
}

static void do_send(struct run *r, const struct operation *o)
{
	size_t len = o->n;
	uint8_t *data = buffer(len);

	if (o->b % 32 == 2)
		len += o->seed % 5000;
	sent_raw(r, send(r->fd, data, len, flags_of(o)));
}

static size_t put_control(void *control, int type, const void *data, size_t len)
{
	struct cmsghdr *c = control;

	c->cmsg_level = SOL_WS;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return CMSG_SPACE(len);
}

static int type_of(struct dice *d)
{
	static const int types[] = {
		WS_OP_BINARY, WS_OP_TEXT, WS_OP_PING, WS_OP_PONG, WS_OP_PING,
		WS_OP_CLOSE, WS_OP_CONT, 3, 11, WS_OP_TEXT | WS_RSV1,
		WS_OP_BINARY | WS_RSV_MASK, -1,
	};

	return PICK(types, roll(d));
}

static void do_sendmsg(struct run *r, const struct operation *o)
{
	size_t len = o->n < BUFFER ? o->n : BUFFER;
	uint8_t control[128] = { 0 };
	struct dice d = { o->seed };
	struct iovec iov[3];
	struct msghdr msg = { .msg_iov = iov, .msg_control = control };
	int type = type_of(&d);

	if (o->b & 2 && len > 125 && type >= 8)
		len %= 126;
	msg.msg_iovlen = cut_up(iov, buffer(len), len, roll(&d));
	msg.msg_controllen = put_control(control, WS_TX_TYPE, &type,
					 o->b % 32 == 4 ? 3 : 4);
	sent_raw(r, sendmsg(r->fd, &msg, flags_of(o)));
}

static void do_records(struct run *r, const struct operation *o)
{
	unsigned int i, count = 1 + o->a % 40;
	uint8_t control[CMSG_SPACE(40 * sizeof(struct ws_txrec))];
	struct ws_txrec rec[40] = { 0 };
	struct dice d = { o->seed };
	struct iovec iov[3];
	struct msghdr msg = { .msg_iov = iov, .msg_control = control };
	size_t len = 0;

	for (i = 0; i < count; i++) {
		rec[i].len = o->n % (1 + roll_below(&d, 4000));
		rec[i].opcode = 1 + roll_below(&d, 2);
		if (roll_one_in(&d, 30))
			rec[i].opcode = type_of(&d);
		rec[i].flags = roll_one_in(&d, 50) ? roll(&d) : WS_F_FIN;
		len += rec[i].len;
	}
	if (roll_one_in(&d, 20))
		len++;
	msg.msg_iovlen = cut_up(iov, buffer(len), len < BUFFER ? len : BUFFER,
				roll(&d));
	msg.msg_controllen = put_control(control, WS_RECORDS, rec,
					 count * sizeof(*rec));
	sent_raw(r, sendmsg(r->fd, &msg, (o->b & 4 ? MSG_ZEROCOPY : 0) |
			    MSG_NOSIGNAL | (o->b & 1 ? 0 : MSG_DONTWAIT)));
}

/* Control messages that say nothing, or something else */
static void do_control(struct run *r, const struct operation *o)
{
	struct dice d = { o->seed };
	uint8_t control[128];
	struct iovec iov = { buffer(o->n), o->n < BUFFER ? o->n : BUFFER };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	};
	struct cmsghdr *c = (void *)control;
	size_t i;

	for (i = 0; i < sizeof(control); i++)
		control[i] = roll(&d);
	msg.msg_controllen = put_control(control, o->a % 2 ? WS_RECORDS :
					 32 + o->b % 4, control + 64,
					 o->b % 64);
	if (o->a & 4)
		c->cmsg_level = SOL_SOCKET;
	if (o->a & 8)
		c->cmsg_len += o->seed;
	sent_raw(r, sendmsg(r->fd, &msg, flags_of(o)));
}

static void do_sendfile(struct run *r, const struct operation *o)
{
	off_t at = o->seed % 65536;

	sent_raw(r, sendfile(r->fd, file, &at, o->n));
}

/* The file changes while its pages are in flight. */
static void do_scribble(struct run *r, const struct operation *o)
{
	uint8_t data[64];

	(void)r;
	memset(data, o->a, sizeof(data));
	pwrite(file, data, o->b % 64, o->n % 65536);
}

static void do_splice_in(struct run *r, const struct operation *o)
{
	loff_t at = o->seed % 65536;
	ssize_t n;

	n = splice(file, &at, pipes[1], NULL, o->n % 65536, SPLICE_F_NONBLOCK);
	if (n > 0)
		sent_raw(r, splice(pipes[0], NULL, r->fd, NULL,
				   o->b & 1 ? n : n / 2, SPLICE_F_NONBLOCK |
				   (o->b & 2 ? SPLICE_F_MORE : 0)));
	while (read(pipes[0], buffer(BUFFER), BUFFER) > 0)
		;
}

static void do_splice_out(struct run *r, const struct operation *o)
{
	uint8_t *data = buffer(BUFFER);
	ssize_t ret;

	ret = splice(r->fd, NULL, pipes[1], NULL, o->n,
		     SPLICE_F_NONBLOCK | (o->a & 1 ? SPLICE_F_MOVE : 0));
	disarm(r);
	if (ret <= 0)
		return;
	ret = read(pipes[0], data, BUFFER);
	received(r, data, ret, BUFFER, 0);
}

/* io_uring: what does not complete at once is called off. */
static void prepare_uring(struct run *r, const struct operation *o,
			  uint8_t *data, size_t len, unsigned long id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	switch (o->a % 4) {
	case 0:
		io_uring_prep_recv(sqe, r->fd, data, len,
				   o->b & 1 ? MSG_WAITALL : 0);
		break;
	case 1:
		io_uring_prep_send(sqe, r->fd, data, len, flags_of(o));
		break;
	case 2:
		io_uring_prep_send_zc(sqe, r->fd, data, len, flags_of(o), 0);
		break;
	default:
		io_uring_prep_poll_add(sqe, r->fd, POLLIN);
	}
	sqe->user_data = id;
}

static void call_off(unsigned long id)
{
	struct io_uring_sync_cancel_reg reg = {
		.addr = id, .fd = -1, .timeout = { 1, 0 },
	};

	io_uring_register_sync_cancel(&ring, &reg);
}

/* The result of this one, or -1; what others left is not known to anyone. */
static ssize_t uring_result(struct run *r, unsigned long id)
{
	struct __kernel_timespec limit = { 1, 0 };
	struct io_uring_cqe *cqe;
	bool seen = false;
	ssize_t ret = -1;

	while (!seen && !io_uring_wait_cqe_timeout(&ring, &cqe, &limit)) {
		if (cqe->user_data == id &&
		    !(cqe->flags & IORING_CQE_F_NOTIF)) {
			ret = cqe->res;
			seen = true;
		}
		io_uring_cqe_seen(&ring, cqe);
	}
	if (!seen)
		r->judge = false;
	return ret;
}

static void do_uring(struct run *r, const struct operation *o)
{
	size_t len = o->n < BUFFER ? o->n : BUFFER;
	uint8_t *data = buffer(len);
	struct io_uring_cqe *cqe;
	static unsigned long id;
	ssize_t ret;

	if (!have_ring)
		return;
	prepare_uring(r, o, data, len, ++id);
	io_uring_submit(&ring);
	disarm(r);
	if (io_uring_peek_cqe(&ring, &cqe))
		call_off(id);
	ret = uring_result(r, id);
	if (o->a % 4 == 0)
		received(r, data, ret, len, 0);
	else if (o->a % 4 < 3)
		sent_raw(r, ret);
}

/* ------- options ------- */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static void do_attach(struct run *r, const struct operation *o)
{
	(void)o;
	setsockopt(r->fd, IPPROTO_TCP, TCP_ULP, "ws", 3);
}

static void do_role(struct run *r, const struct operation *o)
{
	int role = r->program->client ? WS_CLIENT : WS_SERVER;

	if (o->a > 250)
		role = o->b;
	if (set(r->fd, SOL_WS, WS_ROLE, role) || r->role_set)
		return;
	if (role != (r->program->client ? WS_CLIENT : WS_SERVER))
		r->judge = false;
	r->role_set = true;
}

static int option_value(const struct operation *o)
{
	static const int values[] = {
		0, 1, 2, 3, -1, 125, 1000, 65536, 1 << 20, 86400000,
		WS_RSV1, WS_RSV_MASK | WS_EXT_OP(3) | WS_EXT_OP(11), 0x7fffffff,
	};

	return o->b & 1 ? PICK(values, o->b >> 1) : (int)o->n;
}

static void note_option(struct run *r, int option, int value)
{
	if (option == WS_EXT)
		r->ext |= value;
	else if (option == WS_RX_MODE)
		r->mode = value;
}

static void do_option(struct run *r, const struct operation *o)
{
	static const uint8_t options[] = {
		WS_TX_TYPE, WS_TX_FRAME_MAX, WS_RX_MODE, WS_RX_MODE, WS_RX_MODE,
		WS_RX_FRAME_MAX, WS_RX_MESSAGE_MAX, WS_RX_FRAGMENTS_MAX,
		WS_UTF8, WS_RX_CTRL, WS_PING_INTERVAL, WS_PING_TIMEOUT,
		WS_RX_STALL_TIMEOUT, WS_AUTO_PONG, WS_AUTO_CLOSE,
		WS_CLOSE_TIMEOUT, WS_EXT, WS_INFO, 0, 20, 200,
	};
	int option = PICK(options, o->a), value = option_value(o);

	if (option == WS_RX_MODE && value)
		value = 1 + (value & 1);
	if (!set(r->fd, SOL_WS, option, value))
		note_option(r, option, value);
}

static void do_get(struct run *r, const struct operation *o)
{
	uint8_t data[256];
	socklen_t len = o->b & 1 ? sizeof(data) : o->b >> 1;

	getsockopt(r->fd, SOL_WS, o->a % 22, data, &len);
}

static void do_preload(struct run *r, const struct operation *o)
{
	struct dice d = { o->seed };
	uint8_t data[sizeof(r->preload)];
	size_t n;

	n = make_frame(r, &d, data, sizeof(data), o->a, o->n % 1500);
	if (o->b & 1)
		n = n * (o->b >> 1) / 128;
	if (setsockopt(r->fd, SOL_WS, WS_RX_PRELOAD, data, n))
		return;
	if (n)
		r->open = false;	/* what follows is anyone's guess */
	memcpy(r->preload, data, n);
	r->preload_len = n;
}

static void do_close_code(struct run *r, const struct operation *o)
{
	struct ws_close c = {
		.code = o->a & 1 ? 1000u + o->b % 16 : o->n, .len = o->b % 128,
	};

	memset(c.reason, o->a & 2 ? 'x' : o->seed, sizeof(c.reason));
	setsockopt(r->fd, SOL_WS, WS_CLOSE, &c, o->a & 4 ? o->b : sizeof(c));
}

struct other_option {
	int level, name;
};

static void do_other_option(struct run *r, const struct operation *o)
{
	static const struct other_option options[] = {
		{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_SNDBUF },
		{ SOL_SOCKET, SO_RCVLOWAT }, { SOL_SOCKET, SO_KEEPALIVE },
		{ SOL_SOCKET, SO_OOBINLINE }, { SOL_SOCKET, SO_ZEROCOPY },
		{ SOL_SOCKET, SO_PEEK_OFF }, { SOL_SOCKET, SO_PRIORITY },
		{ IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_CORK },
		{ IPPROTO_TCP, TCP_WINDOW_CLAMP }, { IPPROTO_TCP, TCP_REPAIR },
		{ IPPROTO_TCP, TCP_QUICKACK }, { IPPROTO_TCP, TCP_INQ },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT }, { SOL_SOCKET, SO_RCVBUF },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT }, { SOL_SOCKET, SO_SNDBUF },
		{ IPPROTO_TCP, TCP_LINGER2 }, { SOL_SOCKET, SO_BUSY_POLL },
	};
	struct other_option which = PICK(options, o->a);

	set(r->fd, which.level, which.name, o->b & 1 ? (int)o->n : o->b & 2);
	if (which.name == TCP_REPAIR)
		set(r->fd, which.level, which.name, 0);
}

static void do_linger(struct run *r, const struct operation *o)
{
	struct linger l = { o->a & 1, o->b % 3 };

	setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static void do_ulp(struct run *r, const struct operation *o)
{
	static const char *const names[] = { "tls", "mptcp", "ws", "espintcp" };
	const char *name = PICK(names, o->a);

	if (o->a == 0)
		r->judge = false;	/* TLS below */
	setsockopt(r->fd, IPPROTO_TCP, TCP_ULP, name, strlen(name) + 1);
}

/* ------- the rest ------- */

static void do_shutdown(struct run *r, const struct operation *o)
{
	static const int how[] = { SHUT_WR, SHUT_WR, SHUT_RD, SHUT_RDWR, 7 };

	if (!shutdown(r->fd, PICK(how, o->a)) && PICK(how, o->a) != SHUT_WR)
		r->shut = true;
}

void near_close(struct run *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static void do_close(struct run *r, const struct operation *o)
{
	if (o->a % 4 == 0)
		near_close(r);
}

static void do_dup(struct run *r, const struct operation *o)
{
	int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (o->a & 1) {
		dup2(fd, r->fd);
		close(fd);
	} else {
		close(fd);
	}
}

/* By way of a UNIX socket, the only reference being in flight for a while */
static void do_pass(struct run *r, const struct operation *o)
{
	uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = (void *)control;

	(void)o;
	if (r->fd < 0)
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &r->fd, sizeof(int));
	if (sendmsg(pair[0], &msg, 0) != 1)
		return;
	near_close(r);
	msg.msg_controllen = sizeof(control);
	c->cmsg_len = 0;
	if (recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC) == 1 && c->cmsg_len)
		memcpy(&r->fd, CMSG_DATA(c), sizeof(int));
}

static void do_disconnect(struct run *r, const struct operation *o)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	if (o->a & 1)
		listen(r->fd, 1);
	else if (!connect(r->fd, &sa, sizeof(sa)))
		r->judge = false;	/* dormant or not attached */
}

static void do_zerocopy_receive(struct run *r, const struct operation *o)
{
	struct tcp_zerocopy_receive z = { .length = o->n };
	void *p = mmap(NULL, 65536, PROT_READ, MAP_SHARED, r->fd, 0);
	socklen_t len = sizeof(z);

	if (!r->role_set)
		r->judge = false;
	z.address = (unsigned long)p;
	getsockopt(r->fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &z, &len);
	if (p != MAP_FAILED)
		munmap(p, 65536);
}

static void do_sleep(struct run *r, const struct operation *o)
{
	static const int ms[] = { 1, 5, 40, 200, 1000, 5000, 30000, 70000 };
	int n = fast_time ? PICK(ms, o->a) : 1 + o->a % 5;
	struct timespec t = { n / 1000, n % 1000 * 1000000L };

	(void)r;
	nanosleep(&t, NULL);
}

static void do_fail(struct run *r, const struct operation *o)
{
	r->fail = 1 + o->a % 24;
}

#define CALL(name, weight, judged, run) \
	{ { name, weight, true }, false, judged, run }
#define ALONE(name, weight, run) { { name, weight, false }, false, true, run }

const struct call near_calls[] = {
	CALL("attach", 1, false, do_attach),
	CALL("role", 2, false, do_role),
	CALL("option", 18, false, do_option),
	CALL("get", 4, true, do_get),
	CALL("preload", 3, false, do_preload),
	CALL("close_code", 2, true, do_close_code),
	CALL("other_option", 8, false, do_other_option),
	CALL("linger", 2, true, do_linger),
	ALONE("ulp", 1, do_ulp),
	CALL("recv", 24, false, do_recv),
	CALL("recvmsg", 12, false, do_recvmsg),
	CALL("agree", 8, true, do_agree),
	CALL("wait", 6, true, do_wait),
	CALL("poll", 4, true, do_poll),
	CALL("ioctl", 4, true, do_ioctl),
	CALL("splice_out", 4, false, do_splice_out),
	CALL("send", 14, true, do_send),
	CALL("sendmsg", 8, true, do_sendmsg),
	CALL("records", 4, true, do_records),
	CALL("control", 2, true, do_control),
	ALONE("sendfile", 3, do_sendfile),
	ALONE("scribble", 1, do_scribble),
	ALONE("splice_in", 2, do_splice_in),
	ALONE("uring", 4, do_uring),
	CALL("shutdown", 3, false, do_shutdown),
	ALONE("close", 3, do_close),
	ALONE("dup", 1, do_dup),
	ALONE("pass", 1, do_pass),
	CALL("disconnect", 2, false, do_disconnect),
	CALL("zerocopy_receive", 1, false, do_zerocopy_receive),
	ALONE("sleep", 4, do_sleep),
	ALONE("fail", 5, do_fail),
};

const unsigned int near_count = sizeof(near_calls) / sizeof(*near_calls);

int near_drain(struct run *r)
{
	unsigned int i;
	ssize_t ret;

	for (i = 0; i < 20000; i++) {
		ret = recv_message(r, 65536, 64, MSG_DONTWAIT, 1);
		if (ret < 0)
			return errno;
		if (r->ended)
			return 0;
	}
	wrong(r, "reading comes to no end");
	return 0;
}
