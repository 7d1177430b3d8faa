// SPDX-License-Identifier: GPL-2.0
/*
 * The loop of one thread, on io_uring: accepts, brings handshakes to their end,
 * and hands connections to what the server does with them.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "serve.h"

#define ENTRIES		1024
#define TICK_MS		250
#define HANDSHAKES_MAX	4096	/* in all loops */

enum stop serve_stop;

/**
 * loop_sqe() - a submission for an operation
 * @loop: of this thread
 * @op: gets the completion; it must not have another one outstanding
 *
 * Return: to be filled by an io_uring_prep_*(), which keeps @op.
 */
struct io_uring_sqe *loop_sqe(struct loop *loop, struct op *op)
{
	struct io_uring_sqe *sqe;

	/* the kernel refuses only while it is out of memory */
	while (!(sqe = io_uring_get_sqe(&loop->ring)))
		if (io_uring_submit(&loop->ring) <= 0)
			usleep(1000);
	io_uring_sqe_set_data(sqe, op);
	return sqe;
}

/**
 * loop_poll() - wait once for a descriptor
 * @loop: of this thread
 * @op: gets the completion
 * @fd: descriptor
 * @events: POLLIN or POLLOUT
 */
void loop_poll(struct loop *loop, struct op *op, int fd, short events)
{
	io_uring_prep_poll_add(loop_sqe(loop, op), fd, (unsigned short)events);
}

/**
 * loop_cancel() - end what an operation waits for
 * @loop: of this thread
 * @op: gets its completion all the same, -ECANCELED unless it was faster
 */
void loop_cancel(struct loop *loop, struct op *op)
{
	io_uring_prep_cancel(loop_sqe(loop, &loop->ignore), op, 0);
}

static void ignore(struct loop *loop, struct op *op, int res,
		   unsigned int flags)
{
	(void)loop;
	(void)op;
	(void)res;
	(void)flags;
}

/**
 * loop_want_tick() - look after time limits
 * @loop: of this thread
 */
void loop_want_tick(struct loop *loop)
{
	static struct __kernel_timespec interval = {
		.tv_nsec = TICK_MS * 1000000,
	};

	if (loop->ticking)
		return;
	loop->ticking = true;
	io_uring_prep_timeout(loop_sqe(loop, &loop->tick), &interval, 0, 0);
}

/* How many handshakes one loop has at a time. */
static int handshakes_max(void)
{
	return (HANDSHAKES_MAX + serve.threads - 1) / serve.threads;
}

static bool may_accept(const struct loop *loop)
{
	return !loop->stopping && loop->nr_handshakes < handshakes_max();
}

/* One at a time: a multishot accept brings more than there is room for. */
static void arm_listeners(struct loop *loop)
{
	struct listener *l;

	if (!may_accept(loop))
		return;
	for (l = loop->listeners;
	     l < loop->listeners + loop->nr_listeners; l++) {
		if (l->armed)
			continue;
		l->armed = true;
		io_uring_prep_accept(loop_sqe(loop, &l->op), l->fd, NULL, NULL,
				     SOCK_CLOEXEC);
	}
}

static void disarm_listeners(struct loop *loop)
{
	struct listener *l;

	for (l = loop->listeners; l < loop->listeners + loop->nr_listeners; l++)
		if (l->armed)
			loop_cancel(loop, &l->op);
}

/*
 * A client that has not sent its request yet makes room for the next one, the
 * oldest first: those that never will would keep out all others. An answer that
 * is on its way is not cut off.
 */
static void make_room(struct loop *loop)
{
	struct list *link;
	struct conn *conn;

	for (link = loop->handshakes.next; link != &loop->handshakes;
	     link = link->next) {
		conn = container_of(link, struct conn, list);
		if (conn->unwanted)
			return;		/* it is on its way out */
		if (wsup_events(conn->hs) == POLLOUT)
			continue;
		conn->unwanted = true;
		loop_cancel(loop, &conn->op);
		return;
	}
}

/**
 * conn_new() - a connection, on no list yet
 * @fd: its socket
 *
 * Return: the connection, or NULL without memory.
 */
struct conn *conn_new(int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->fd = fd;
	list_init(&conn->list);
	list_init(&conn->starved);
	return conn;
}

static void end_handshake(struct loop *loop, struct conn *conn)
{
	wsup_free(conn->hs);
	conn->hs = NULL;
	loop->nr_handshakes--;
	arm_listeners(loop);
}

/* The descriptor is closed, or the caller's. */
static void conn_forget(struct loop *loop, struct conn *conn)
{
	list_del(&conn->list);
	list_del(&conn->starved);
	if (conn->slot)
		slot_put();
	if (conn->hs)
		end_handshake(loop, conn);
	free(conn);
}

/**
 * conn_close() - end a connection that waits for nothing
 * @loop: of this thread
 * @conn: freed
 *
 * The kernel completes the closing handshake.
 */
void conn_close(struct loop *loop, struct conn *conn)
{
	if (!conn->hs && serve.mode->release)
		serve.mode->release(loop, conn);
	if (conn->fd >= 0)
		close(conn->fd);
	conn_forget(loop, conn);
}

/**
 * conn_fail() - end a connection with a Close code
 * @loop: of this thread
 * @conn: freed
 * @code: RFC 6455 section 7.4
 * @reason: short text
 */
void conn_fail(struct loop *loop, struct conn *conn, int code,
	       const char *reason)
{
	struct ws_close close = { .code = (__u16)code };

	close.len = (__u16)strlen(reason);
	memcpy(close.reason, reason, close.len);
	/* EALREADY if Close is out: nothing to be done */
	setsockopt(conn->fd, SOL_WS, WS_CLOSE, &close,
		   offsetof(struct ws_close, reason) + close.len);
	conn_close(loop, conn);
}

/**
 * conn_leave() - part from a connection, because the server ends
 * @loop: of this thread
 * @conn: nothing is pending; freed
 */
void conn_leave(struct loop *loop, struct conn *conn)
{
	if (serve_stop == STOP_HANDOVER && serve.mode->pack)
		takeover_give(loop, conn);
	else
		conn_fail(loop, conn, 1001, "");
}

/**
 * conn_set() - set an option of level SOL_WS
 * @conn: attached connection
 * @option: which
 * @value: its value
 *
 * Return: false if the connection is not to be used, being broken, or without
 * memory.
 */
bool conn_set(struct conn *conn, int option, int value)
{
	return !setsockopt(conn->fd, SOL_WS, option, &value, sizeof(value));
}

/* 0 is the default: not given. */
static bool set_option(struct conn *conn, int option, int value)
{
	return !value || conn_set(conn, option, value);
}

static bool set_options(struct conn *conn)
{
	return set_option(conn, WS_PING_INTERVAL, serve.ping_interval) &&
	       set_option(conn, WS_PING_TIMEOUT, serve.ping_timeout) &&
	       set_option(conn, WS_TX_TYPE, serve.text);
}

static void begin(struct loop *loop, struct conn *conn,
		  const struct wsup_hs *hs)
{
	if (!set_options(conn))
		conn_fail(loop, conn, 1011, "");
	else if (loop->stopping && serve.mode->pack)
		conn_leave(loop, conn);
	else
		serve.mode->begin(loop, conn, hs);
}

static void upgraded(struct loop *loop, struct conn *conn)
{
	struct wsup_hs *hs = conn->hs;

	conn->hs = NULL;
	loop->nr_handshakes--;
	list_del(&conn->list);
	list_add(&loop->conns, &conn->list);
	if (!conn->slot)
		conn->slot = slot_take();
	begin(loop, conn, hs);
	wsup_free(hs);
	arm_listeners(loop);
}

static void on_parked(struct loop *loop, struct op *op, int res,
		      unsigned int flags);

/* Return: false: the handshake waits until another connection has ended. */
static bool admit(struct loop *loop, struct conn *conn)
{
	if (!conn->slot && list_empty(&loop->parked)) {
		slot_wait();
		conn->slot = slot_take();
		if (conn->slot)
			slot_wait_end();
	} else if (!conn->slot) {
		slot_wait();
	}
	if (conn->slot)
		return true;
	list_del(&conn->list);
	list_add(&loop->parked, &conn->list);
	conn->op.done = on_parked;
	loop_poll(loop, &conn->op, conn->fd, POLLRDHUP);
	return false;
}

static void print_peer(int fd, char *text, size_t size)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], port[8] = "?";

	if (getpeername(fd, (struct sockaddr *)&addr, &len) ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(host, sizeof(host), "?");
	snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		 port);
}

/* One line for each refusal; a connection that goes on may get others. */
static void tell(struct conn *conn, int ret)
{
	int status = wsup_status(conn->hs);
	bool failed = ret < 0 && ret != -WSUP_EHTTP && !conn->told;
	char peer[80];

	if (!serve.verbose || (!failed && (status < 400 ||
					   status == conn->told)))
		return;
	conn->told = (uint16_t)status;
	print_peer(conn->fd, peer, sizeof(peer));
	complain("%s: %s", peer, wsup_error(conn->hs));
}

static void step(struct loop *loop, struct conn *conn)
{
	int ret;

	while ((ret = wsup_step(conn->hs)) == WSUP_REQUEST) {
		if (!wsup_upgradable(conn->hs)) {
			if (serve.directory)
				files_answer(conn->hs);
		} else if (!admit(loop, conn)) {
			return;
		}
	}
	if (ret == WSUP_DONE) {
		upgraded(loop, conn);
		return;
	}
	tell(conn, ret);
	if (ret == WSUP_AGAIN)
		loop_poll(loop, &conn->op, conn->fd, wsup_events(conn->hs));
	else
		conn_close(loop, conn);
}

static void on_handshake(struct loop *loop, struct op *op, int res,
			 unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);

	(void)res;		/* whatever it was, a step finds out */
	(void)flags;
	if (serve_stop == STOP_DRAIN || conn->unwanted)
		conn_close(loop, conn);
	else
		step(loop, conn);
}

static void answer_full(struct conn *conn)
{
	static const char text[] = "there are as many connections as may be\n";

	conn->unwanted = false;
	wsup_add_header(conn->hs, "Content-Type: text/plain");
	wsup_add_header(conn->hs, "Retry-After: 1");
	wsup_respond(conn->hs, 503, text, strlen(text));
}

/* It has its slot, is to be refused, or the client has left. */
static void on_parked(struct loop *loop, struct op *op, int res,
		      unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);

	(void)res;
	(void)flags;
	if (!conn->slot)
		slot_wait_end();
	if (!conn->slot && (!conn->unwanted || serve_stop == STOP_DRAIN)) {
		conn_close(loop, conn);
		return;
	}
	list_del(&conn->list);
	list_add(&loop->handshakes, &conn->list);
	conn->op.done = on_handshake;
	if (conn->unwanted)
		answer_full(conn);
	step(loop, conn);
}

/* Connections have ended: so many of those that wait for that go on. */
static void unpark(struct loop *loop)
{
	struct list *link;
	struct conn *conn;

	for (link = loop->parked.next; link != &loop->parked;
	     link = link->next) {
		conn = container_of(link, struct conn, list);
		if (conn->slot || conn->unwanted)
			continue;
		conn->slot = slot_take();
		if (!conn->slot)
			return;
		slot_wait_end();
		loop_cancel(loop, &conn->op);
	}
}

static void refuse(struct loop *loop, struct conn *conn)
{
	if (conn->slot || conn->unwanted)
		return;
	conn->unwanted = true;
	loop_cancel(loop, &conn->op);
}

static void start(struct loop *loop, int fd)
{
	struct conn *conn = conn_new(fd);
	int one = 1;

	if (!conn || wsup_accept_new(&conn->hs, fd, serve.config)) {
		complain("%s", strerror(ENOMEM));
		free(conn);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (serve.mode->prepare)
		serve.mode->prepare(fd);
	conn->op.done = on_handshake;
	list_add(&loop->handshakes, &conn->list);
	loop->nr_handshakes++;
	if (!may_accept(loop))
		make_room(loop);
	loop_want_tick(loop);
	loop_poll(loop, &conn->op, fd, POLLIN);
}

static bool is_passing(int err)
{
	return err == -ECANCELED || err == -ECONNABORTED || err == -EINTR;
}

static void on_accept(struct loop *loop, struct op *op, int res,
		      unsigned int flags)
{
	struct listener *l = container_of(op, struct listener, op);

	(void)flags;
	l->armed = false;
	if (res >= 0)
		start(loop, res);
	if (res >= 0 || is_passing(res)) {
		arm_listeners(loop);
		return;
	}
	/* out of descriptors, say: again when some time has passed */
	complain("accept: %s", strerror(-res));
	make_room(loop);
	loop_want_tick(loop);
}

/* Time limits of handshakes: the step that follows makes of it what is due. */
static void expire(struct loop *loop)
{
	struct list *link;
	struct conn *conn;

	for (link = loop->handshakes.next; link != &loop->handshakes;
	     link = link->next) {
		conn = container_of(link, struct conn, list);
		if (!wsup_timeout(conn->hs))
			loop_cancel(loop, &conn->op);
	}
	/* while there is time to say why */
	for (link = loop->parked.next; link != &loop->parked;
	     link = link->next) {
		conn = container_of(link, struct conn, list);
		if (wsup_timeout(conn->hs) < 2 * TICK_MS)
			refuse(loop, conn);
	}
}

static void on_tick(struct loop *loop, struct op *op, int res,
		    unsigned int flags)
{
	(void)op;
	(void)res;
	(void)flags;
	loop->ticking = false;
	expire(loop);
	relay_tick(loop);
	arm_listeners(loop);
	if (takeover_tick(loop) || loop->nr_handshakes ||
	    !list_empty(&loop->closing) || !list_empty(&loop->dialing))
		loop_want_tick(loop);
}

static void stop_conns(struct loop *loop)
{
	struct list *link, *next;
	struct conn *conn;

	for (link = loop->conns.next; link != &loop->conns; link = next) {
		next = link->next;
		conn = container_of(link, struct conn, list);
		conn->stopping = true;
		serve.mode->stop(loop, conn);
	}
}

/* None of them gets a slot here any more; a successor may have some. */
static void stop_handshakes(struct loop *loop)
{
	struct list *link;

	for (link = loop->parked.next; link != &loop->parked;
	     link = link->next)
		refuse(loop, container_of(link, struct conn, list));
	if (serve_stop != STOP_DRAIN)
		return;
	for (link = loop->handshakes.next; link != &loop->handshakes;
	     link = link->next)
		loop_cancel(loop, &container_of(link, struct conn, list)->op);
}

static void begin_stop(struct loop *loop)
{
	loop->stopping = true;
	disarm_listeners(loop);
	stop_conns(loop);
	stop_handshakes(loop);
}

/* A connection that a predecessor gave us; its slot was reserved. */
static void receive_conn(struct loop *loop, struct packet *packet)
{
	struct conn *conn = conn_new(packet->fds[0]);

	if (!conn) {
		complain("%s", strerror(ENOMEM));
		slot_put();
		return;
	}
	packet_take_fd(packet);
	conn->slot = true;
	list_add(&loop->conns, &conn->list);
	if (serve.mode->unpack(loop, conn, packet))
		conn_fail(loop, conn, 1011, "");
}

static void empty_inbox(struct loop *loop)
{
	struct packet *packet;
	struct list *link;

	for (;;) {
		pthread_mutex_lock(&loop->lock);
		link = list_take(&loop->inbox);
		pthread_mutex_unlock(&loop->lock);
		if (!link)
			return;
		packet = container_of(link, struct packet, list);
		receive_conn(loop, packet);
		packet_free(packet);
	}
}

static void listen_for_wakes(struct loop *loop)
{
	io_uring_prep_read(loop_sqe(loop, &loop->wake), loop->wake_fd,
			   &loop->wakes, sizeof(loop->wakes), 0);
}

static void on_wake(struct loop *loop, struct op *op, int res,
		    unsigned int flags)
{
	(void)op;
	(void)res;
	(void)flags;
	empty_inbox(loop);
	unpark(loop);
	relay_wake(loop);
	takeover_wake(loop);
	if (serve_stop && !loop->stopping)
		begin_stop(loop);
	listen_for_wakes(loop);
}

/**
 * loop_wake() - let a loop look at serve_stop and its inbox
 * @loop: of any thread
 */
void loop_wake(struct loop *loop)
{
	/* EAGAIN: as good as woken */
	(void)eventfd_write(loop->wake_fd, 1);
}

/**
 * loop_init() - set up a loop; loop_prepare() does the rest
 * @loop: zeroed
 * @number: counts loops
 * @listeners: sockets to accept from
 * @nr_listeners: how many
 */
void loop_init(struct loop *loop, unsigned int number, const int *listeners,
	       size_t nr_listeners)
{
	size_t i;

	loop->number = number;
	loop->ignore.done = ignore;
	loop->tick.done = on_tick;
	loop->wake.done = on_wake;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC);
	loop->listeners = calloc(nr_listeners + 1, sizeof(*loop->listeners));
	if (loop->wake_fd < 0 || !loop->listeners)
		die("%s", strerror(errno));
	loop->nr_listeners = nr_listeners;
	for (i = 0; i < nr_listeners; i++) {
		loop->listeners[i].fd = listeners[i];
		loop->listeners[i].op.done = on_accept;
	}
	list_init(&loop->handshakes);
	list_init(&loop->parked);
	list_init(&loop->conns);
	list_init(&loop->inbox);
	list_init(&loop->starved);
	list_init(&loop->stuck);
	list_init(&loop->pipes);
	list_init(&loop->dialing);
	list_init(&loop->closing);
	pthread_mutex_init(&loop->lock, NULL);
}

static void make_ring(struct loop *loop)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 8 * ENTRIES,
	};
	int err = io_uring_queue_init_params(ENTRIES, &loop->ring, &params);

	if (err)
		die("io_uring: %s ('wsup doctor' tells more)", strerror(-err));
	/* a program's keeper is a copy of us, and has no use for it */
	io_uring_ring_dontfork(&loop->ring);
}

static void handle_completions(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	struct op *op;

	io_uring_for_each_cqe(&loop->ring, head, cqe) {
		op = io_uring_cqe_get_data(cqe);
		op->done(loop, op, cqe->res, cqe->flags);
		n++;
	}
	io_uring_cq_advance(&loop->ring, n);
}

/* Waits, unless there is something to be done beside completions. */
static int submit(struct loop *loop)
{
	if (echo_wake(loop))
		return io_uring_submit_and_get_events(&loop->ring);
	return io_uring_submit_and_wait(&loop->ring, 1);
}

/* Want of memory passes; requests that had none fail one by one. */
static bool is_temporary(int err)
{
	return err == -EINTR || err == -EAGAIN || err == -ENOMEM ||
	       err == -EBUSY;
}

static bool finished(struct loop *loop)
{
	if (!loop->stopping || !list_empty(&loop->conns) ||
	    loop->nr_handshakes)
		return false;
	if (loop->number || serve_stop != STOP_HANDOVER)
		return true;
	return serve_others_ended() && takeover_finished(loop);
}

/**
 * loop_prepare() - get all that a loop needs, or exit
 * @loop: initialised
 *
 * Context: the thread that runs the loop.
 */
void loop_prepare(struct loop *loop)
{
	make_ring(loop);
	echo_init(loop);
	listen_for_wakes(loop);
}

/**
 * loop_run() - run a loop in the calling thread until the server ends
 * @loop: prepared
 */
void loop_run(struct loop *loop)
{
	int ret;

	arm_listeners(loop);
	if (!loop->number)
		serve_setup(loop);
	while (!finished(loop)) {
		ret = submit(loop);
		if (ret < 0 && !is_temporary(ret))
			die("io_uring: %s", strerror(-ret));
		handle_completions(loop);
	}
	io_uring_queue_exit(&loop->ring);
}
