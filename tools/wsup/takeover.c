// SPDX-License-Identifier: GPL-2.0
/*
 * Handing a running server to its successor. Where a connection is in its
 * stream of frames is known to the kernel, so it is the descriptor that goes
 * over, in the middle of a message if need be.
 *
 *	successor			server that runs
 *	HELLO			->
 *				<-	HELLO, or ERROR with the reason
 *				<-	LISTENER, so many as HELLO said
 *	GO, when all is prepared ->
 *				<-	COMMIT, or ERROR
 *				<-	CONN for each connection
 *				<-	END
 *
 * Up to COMMIT nothing has changed for the server that runs, whatever the other
 * does or does not do. All of it goes through the first loop, which never waits
 * for the successor.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/ws.h>

#include "serve.h"

#define VERSION		2
#define MAGIC		"wsup serve"
#define LISTENERS_MAX	65536
#define SPARE		16	/* descriptors, beside those of connections */
#define PATIENCE_MS	10000	/* with a server that does not go on */
#define RECEIVED_MAX	64	/* connections, then others have their turn */

struct hello {
	char		magic[sizeof(MAGIC)];
	char		mode[16];
	uint32_t	version;
	uint32_t	connections;	/* limit; 0: none */
	uint32_t	descriptors;	/* room for so many */
	uint32_t	listeners;	/* that follow */
};

/* The other server, and how far it is with us. */
static struct {
	struct op	op;
	int		fd;
	bool		waiting;	/* for a packet of it */
	bool		greeted;
	bool		dropped;
	uint32_t	connections;	/* its limit */
	long		deadline;
} successor = { .fd = -1 };

static struct {
	struct op	op;
	int		fd;
	bool		armed;
} control = { .fd = -1 };

/* Packets for the successor, from any loop. */
static struct {
	pthread_mutex_t	lock;
	struct list	list;
	struct op	op;
	struct packet	*sending;
	struct packet_frame frame;
	bool		armed;
	bool		ended;
	unsigned int	lost;
	struct op	pause_op;
	bool		pausing;
} outbox = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.list = { &outbox.list, &outbox.list },
};

static bool committed;
static int predecessor = -1;
static struct op predecessor_op;
static uint32_t reserved;	/* slots of connections that come, or do not */

static struct packet *outbox_next(void)
{
	struct list *link;

	pthread_mutex_lock(&outbox.lock);
	link = list_take(&outbox.list);
	pthread_mutex_unlock(&outbox.lock);
	return link ? container_of(link, struct packet, list) : NULL;
}

static void outbox_add(struct packet *packet)
{
	pthread_mutex_lock(&outbox.lock);
	list_add(&outbox.list, &packet->list);
	pthread_mutex_unlock(&outbox.lock);
}

static void close_away(int fd)
{
	struct ws_close close = { .code = 1001 };

	setsockopt(fd, SOL_WS, WS_CLOSE, &close,
		   offsetof(struct ws_close, reason));
}

/* What can go to no successor ends here. */
static void lose(struct packet *packet)
{
	if (packet->kind == PACKET_CONN) {
		close_away(packet->fds[0]);
		slot_put();
		outbox.lost++;
	}
	packet_free(packet);
}

static void lose_all(void)
{
	struct packet *packet;

	while ((packet = outbox_next()))
		lose(packet);
}

static void arm_control(struct loop *loop)
{
	if (control.fd < 0 || control.armed || successor.fd >= 0 ||
	    serve_stop)
		return;
	control.armed = true;
	io_uring_prep_accept(loop_sqe(loop, &control.op), control.fd, NULL,
			     NULL, SOCK_CLOEXEC);
}

static void set_patience(struct loop *loop)
{
	successor.deadline = now_ms() + PATIENCE_MS;
	loop_want_tick(loop);
}

/* When nothing waits for it any more. */
static void forget_successor(struct loop *loop)
{
	if (successor.waiting || outbox.armed || successor.fd < 0)
		return;
	if (outbox.sending)
		lose(outbox.sending);
	outbox.sending = NULL;
	lose_all();
	close(successor.fd);
	successor.fd = -1;
	if (outbox.lost)
		complain("the successor is gone: %u connections with it",
			 outbox.lost);
	outbox.lost = 0;
	arm_control(loop);
}

static void drop_successor(struct loop *loop)
{
	successor.dropped = true;
	if (successor.waiting)
		loop_cancel(loop, &successor.op);
	if (outbox.armed)
		loop_cancel(loop, &outbox.op);
	forget_successor(loop);
}

static void on_sent(struct loop *loop, struct op *op, int res,
		    unsigned int flags);

static void send_next(struct loop *loop)
{
	if (outbox.armed || outbox.pausing || successor.fd < 0 ||
	    successor.dropped)
		return;
	if (!outbox.sending)
		outbox.sending = outbox_next();
	if (!outbox.sending)
		return;
	packet_frame(outbox.sending, &outbox.frame);
	outbox.armed = true;
	outbox.op.done = on_sent;
	io_uring_prep_sendmsg(loop_sqe(loop, &outbox.op), successor.fd,
			      &outbox.frame.msg, MSG_NOSIGNAL);
	set_patience(loop);
}

static void on_pause(struct loop *loop, struct op *op, int res,
		     unsigned int flags)
{
	(void)op;
	(void)res;
	(void)flags;
	outbox.pausing = false;
	send_next(loop);
}

/* Too many descriptors are under way: the successor is to take some first. */
static void pause_sending(struct loop *loop)
{
	static struct __kernel_timespec moment = { .tv_nsec = 10000000 };

	outbox.pausing = true;
	outbox.pause_op.done = on_pause;
	io_uring_prep_timeout(loop_sqe(loop, &outbox.pause_op), &moment, 0, 0);
}

static bool is_refusal(const struct packet *packet)
{
	return packet->kind == PACKET_ERROR;
}

static void on_sent(struct loop *loop, struct op *op, int res,
		    unsigned int flags)
{
	struct packet *packet = outbox.sending;

	(void)op;
	(void)flags;
	outbox.armed = false;
	if (res == -ETOOMANYREFS && !successor.dropped) {
		pause_sending(loop);
		return;
	}
	outbox.sending = NULL;
	if (res < 0 || is_refusal(packet))
		successor.dropped = true;
	if (res < 0)
		lose(packet);
	else
		packet_free(packet);
	if (successor.dropped)
		drop_successor(loop);
	else
		send_next(loop);
}

static void tell(struct loop *loop, enum packet_kind kind, const void *data,
		 size_t len)
{
	struct packet *packet = packet_new(kind);

	if (packet)
		packet_add(packet, data, len);
	if (!packet || packet->failed) {
		packet_free(packet);
		drop_successor(loop);
		return;
	}
	outbox_add(packet);
	send_next(loop);
}

/* This server goes on; the other is told why. */
static void refuse(struct loop *loop, const char *why)
{
	complain("no takeover: %s", why);
	tell(loop, PACKET_ERROR, why, strlen(why));
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static bool read_hello(const struct packet *packet, struct hello *hello)
{
	if (packet->len != sizeof(*hello))
		return false;
	memcpy(hello, packet->data, sizeof(*hello));
	return !memcmp(hello->magic, MAGIC, sizeof(MAGIC)) &&
	       hello->version == VERSION;
}

static const char *judge_hello(const struct packet *packet,
			       struct hello *hello)
{
	if (!read_hello(packet, hello))
		return "the successor is another version";
	if (strncmp(hello->mode, serve.mode->name, sizeof(hello->mode)))
		return "the successor has another mode";
	if (hello->descriptors < (uint32_t)open_descriptors() + SPARE)
		return "the successor may not have as many descriptors as are open here";
	return NULL;
}

static struct hello new_hello(uint32_t descriptors, uint32_t listeners)
{
	struct hello hello = {
		.magic = MAGIC,
		.version = VERSION,
		.connections = (uint32_t)serve.connections,
		.descriptors = descriptors,
		.listeners = listeners,
	};

	strcpy(hello.mode, serve.mode->name);
	return hello;
}

static void give_listener(struct loop *loop, int fd)
{
	struct packet *packet = packet_new(PACKET_LISTENER);

	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!packet || fd < 0) {
		packet_free(packet);
		drop_successor(loop);
		return;
	}
	packet_add_fd(packet, fd);
	outbox_add(packet);
}

static void greet(struct loop *loop, const struct packet *packet)
{
	const int *listeners;
	struct hello hello;
	const char *why = judge_hello(packet, &hello);
	int i, n;

	if (why) {
		refuse(loop, why);
		return;
	}
	successor.greeted = true;
	successor.connections = hello.connections;
	n = serve_listeners(&listeners);
	hello = new_hello(0, (uint32_t)n);
	tell(loop, PACKET_HELLO, &hello, sizeof(hello));
	for (i = 0; i < n && successor.fd >= 0 && !successor.dropped; i++)
		give_listener(loop, listeners[i]);
	send_next(loop);
}

/* From here on there is no way back. */
static void commit(struct loop *loop)
{
	uint32_t used = slots_freeze(successor.connections);

	if (successor.connections && used > successor.connections) {
		slots_thaw();
		refuse(loop, "there are more connections than the successor may have");
		return;
	}
	committed = true;
	tell(loop, PACKET_COMMIT, &used, sizeof(used));
	serve_begin_stop(STOP_HANDOVER);
}

static void wait_for_successor(struct loop *loop)
{
	successor.waiting = true;
	loop_poll(loop, &successor.op, successor.fd, POLLIN);
}

static void heed(struct loop *loop, const struct packet *packet)
{
	if (packet->kind == PACKET_HELLO && !successor.greeted)
		greet(loop, packet);
	else if (packet->kind == PACKET_GO && successor.greeted && !serve_stop)
		commit(loop);
	else
		refuse(loop, "the successor does not do as it should");
}

static void on_successor(struct loop *loop, struct op *op, int res,
			 unsigned int flags)
{
	struct packet *packet;
	int err;

	(void)op;
	(void)res;
	(void)flags;
	successor.waiting = false;
	err = successor.dropped ? -ECANCELED :
	      packet_receive(successor.fd, MSG_DONTWAIT, &packet);
	if (err == -EAGAIN || err == -EINTR) {
		wait_for_successor(loop);
		return;
	}
	if (err) {
		drop_successor(loop);
		return;
	}
	heed(loop, packet);
	packet_free(packet);
	if (successor.fd >= 0 && !successor.dropped && !committed)
		wait_for_successor(loop);
}

static void on_control(struct loop *loop, struct op *op, int res,
		       unsigned int flags)
{
	(void)op;
	(void)flags;
	control.armed = false;
	if (res < 0) {
		loop_want_tick(loop);
		return;
	}
	if (!control_trusted(res) || serve_stop) {
		if (!serve_stop)
			complain("--control: another user's process is refused");
		close(res);
		arm_control(loop);
		return;
	}
	successor.fd = res;
	successor.greeted = false;
	successor.dropped = false;
	successor.op.done = on_successor;
	set_patience(loop);
	wait_for_successor(loop);
}

/**
 * takeover_listen() - wait for a successor
 * @loop: the first one
 * @fd: from control_open()
 */
void takeover_listen(struct loop *loop, int fd)
{
	control.fd = fd;
	control.op.done = on_control;
	arm_control(loop);
}

/**
 * takeover_tick() - give up a successor that does not go on
 * @loop: of this thread
 *
 * Return: true if there is one, or one cannot be accepted yet.
 */
bool takeover_tick(struct loop *loop)
{
	if (loop->number || control.fd < 0)
		return false;
	arm_control(loop);
	if (successor.fd < 0)
		return false;
	if (now_ms() > successor.deadline &&
	    (!committed || outbox.armed || outbox.pausing)) {
		complain("no takeover: the successor does not go on");
		drop_successor(loop);
	}
	return true;
}

/**
 * takeover_wake() - another loop may have given connections
 * @loop: of this thread
 */
void takeover_wake(struct loop *loop)
{
	if (loop->number)
		return;
	send_next(loop);
	if (committed && successor.fd < 0)
		lose_all();
}

/**
 * takeover_give() - hand a connection to the successor
 * @loop: of this thread
 * @conn: waits for nothing; freed
 */
void takeover_give(struct loop *loop, struct conn *conn)
{
	struct packet *packet = packet_new(PACKET_CONN);

	if (!packet) {
		conn_fail(loop, conn, 1001, "");
		return;
	}
	packet_add_fd(packet, conn->fd);
	conn->fd = -1;
	conn->slot = false;	/* it goes over with the rest */
	serve.mode->pack(conn, packet);
	conn_close(loop, conn);
	if (packet->failed)
		lose(packet);
	else
		outbox_add(packet);
	serve_wake_first();
}

/**
 * takeover_finished() - is all handed over?
 * @loop: the first one; all others have ended
 *
 * Return: true if nothing is left to be told.
 */
bool takeover_finished(struct loop *loop)
{
	uint32_t used = slots_used();

	if (!outbox.ended) {
		outbox.ended = true;
		if (successor.fd >= 0)
			tell(loop, PACKET_END, &used, sizeof(used));
	}
	if (successor.fd < 0)
		lose_all();
	return successor.fd < 0 ||
	       (!outbox.sending && list_empty(&outbox.list));
}

/* What the server that runs says next, or exit. */
static struct packet *expect_packet(const char *path, enum packet_kind kind)
{
	struct packet *packet;
	int err;

	do {
		err = packet_receive(predecessor, 0, &packet);
	} while (err == -EINTR);
	if (err)
		die("--takeover: %s: %s", path,
		    err == -EPIPE ? "it has ended in between" :
		    err == -EAGAIN ? "no answer" : strerror(-err));
	if (packet->kind == PACKET_ERROR)
		die("--takeover: %s: %.*s", path, (int)packet->len,
		    packet->data);
	if (packet->kind != kind)
		die("--takeover: %s: the server is another version", path);
	return packet;
}

static void say(const char *path, enum packet_kind kind, const void *data,
		size_t len)
{
	struct packet packet = { .kind = kind };
	struct packet_frame frame;

	packet.data = (char *)data;
	packet.len = (uint32_t)len;
	packet_frame(&packet, &frame);
	if (sendmsg(predecessor, &frame.msg, MSG_NOSIGNAL) < 0)
		die("--takeover: %s: %s", path, strerror(errno));
}

static uint32_t room_for_descriptors(void)
{
	struct rlimit limit;
	int used = open_descriptors();

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > INT32_MAX)
		return INT32_MAX;
	return (uint32_t)limit.rlim_cur - (uint32_t)used;
}

static uint32_t hear_hello(const char *path)
{
	struct packet *packet = expect_packet(path, PACKET_HELLO);
	struct hello hello;

	if (!read_hello(packet, &hello))
		die("--takeover: %s: the server is another version", path);
	if (hello.listeners > LISTENERS_MAX)
		die("--takeover: %s: too many listening sockets", path);
	packet_free(packet);
	return hello.listeners;
}

/**
 * takeover_begin() - get the listening sockets of the server that runs, or exit
 * @path: where it is found
 * @listeners: receives them, to be freed
 *
 * That server goes on until takeover_go().
 *
 * Return: how many.
 */
int takeover_begin(const char *path, int **listeners)
{
	struct timeval patience = { .tv_sec = 3 * PATIENCE_MS / 1000 };
	struct hello hello = new_hello(room_for_descriptors(), 0);
	struct packet *packet;
	uint32_t i, n;

	predecessor = control_dial(path);
	setsockopt(predecessor, SOL_SOCKET, SO_RCVTIMEO, &patience,
		   sizeof(patience));
	say(path, PACKET_HELLO, &hello, sizeof(hello));
	n = hear_hello(path);
	*listeners = calloc(n + 1, sizeof(**listeners));
	if (!*listeners)
		die("%s", strerror(ENOMEM));
	for (i = 0; i < n; i++) {
		packet = expect_packet(path, PACKET_LISTENER);
		(*listeners)[i] = packet_take_fd(packet);
		packet_free(packet);
		if ((*listeners)[i] < 0)
			die("--takeover: %s: a socket is missing", path);
	}
	return (int)n;
}

/**
 * takeover_go() - all is prepared: take over, or exit
 * @path: where the server that runs is found
 */
void takeover_go(const char *path)
{
	struct packet *packet;

	say(path, PACKET_GO, NULL, 0);
	packet = expect_packet(path, PACKET_COMMIT);
	if (packet->len != sizeof(reserved))
		die("--takeover: %s: the server is another version", path);
	memcpy(&reserved, packet->data, sizeof(reserved));
	packet_free(packet);
	slots_reserve((int)reserved);
	control_rename();
}

static void wait_for_predecessor(struct loop *loop)
{
	loop_poll(loop, &predecessor_op, predecessor, POLLIN);
}

/* Connections that ended meanwhile do not come. */
static void end_takeover(const struct packet *packet)
{
	uint32_t used = reserved;

	close(predecessor);
	predecessor = -1;
	if (packet && packet->len == sizeof(used))
		memcpy(&used, packet->data, sizeof(used));
	else
		complain("--takeover: the server before has ended too early");
	slots_reserve((int)used - (int)reserved);
}

/* Return: whether there may be more. One after the other, each loop gets one. */
static bool take(struct packet *packet)
{
	static unsigned int turn;

	if (packet->kind == PACKET_CONN && packet->nr_fds) {
		loop_give(turn++ % (unsigned int)serve.threads, packet);
		return true;
	}
	end_takeover(packet->kind == PACKET_END ? packet : NULL);
	packet_free(packet);
	return false;
}

static void on_predecessor(struct loop *loop, struct op *op, int res,
			   unsigned int flags)
{
	struct packet *packet;
	int i, err = 0;

	(void)op;
	(void)res;
	(void)flags;
	for (i = 0; i < RECEIVED_MAX && !err; i++) {
		err = packet_receive(predecessor, MSG_DONTWAIT, &packet);
		if (!err && !take(packet))
			return;
	}
	if (err == -EBADMSG)
		complain("--takeover: a connection is lost: out of descriptors");
	if (!err || err == -EAGAIN || err == -EINTR || err == -EBADMSG ||
	    err == -ENOMEM)
		wait_for_predecessor(loop);
	else
		end_takeover(NULL);
}

/**
 * takeover_continue() - get the connections, after takeover_go()
 * @loop: the first one
 */
void takeover_continue(struct loop *loop)
{
	predecessor_op.done = on_predecessor;
	wait_for_predecessor(loop);
}
