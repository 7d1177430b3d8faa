// SPDX-License-Identifier: GPL-2.0
/*
 * Relaying to a TCP server. Bytes go from one socket through a pipe to the
 * other by splice(), and never come to user memory. A pipe is only kept while
 * there is something in it.
 *
 * How one side ends is passed on to the other. An orderly end is passed on as
 * one: the other side may still answer, and then the closing handshake is
 * completed. A server that breaks off is Close 1014 for the client; a client
 * that does, or that breaks the protocol, is a reset for the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/ws.h>

#include "serve.h"

#define PIECE		65536	/* a pipe's size, and a frame's */
#define TURNS		16	/* then others have theirs */
#define PIPES_KEPT	16	/* empty ones */
#define DIAL_MS		5000	/* for one address */
#define CLOSING_MS	10000	/* without progress */

struct pipe {
	struct list	list;
	int		fd[2];
};

/* One direction; it waits for its source, or with a full pipe for its sink. */
struct way {
	struct op	op;
	struct relay	*relay;
	int		from;
	int		to;
	struct pipe	*pipe;
	size_t		held;		/* bytes in the pipe */
	bool		waiting;	/* an operation is outstanding */
	bool		ended;		/* the source has */
	bool		done;		/* and the sink knows */
};

/* Which side broke off; ours if it is want of memory. */
enum fault {
	FAULT_NONE,
	FAULT_CLIENT,
	FAULT_SERVER,
	FAULT_OURS,
};

/* As long as there is no connection to the server. */
struct dial {
	struct target	*target;
	const struct addrinfo *next;
	long		since;
	bool		renewed;	/* these are other addresses */
};

struct relay {
	struct conn	*conn;
	int		tcp;
	bool		dialing;
	bool		connecting;	/* an operation is outstanding */
	bool		failed;
	uint8_t		fault;
	union {
		struct dial	dial;
		struct {
			struct way	up;	/* ws to TCP */
			struct way	down;
		};
	};
	struct list	timed;		/* among those with a deadline */
	long		deadline;
};

static void set_deadline(struct loop *loop, struct relay *relay,
			 struct list *list, long ms)
{
	list_del(&relay->timed);
	relay->deadline = now_ms() + ms;
	list_add(list, &relay->timed);
	loop_want_tick(loop);
}

static struct pipe *take_pipe(struct loop *loop)
{
	struct list *link = list_take(&loop->pipes);
	struct pipe *p;

	if (link) {
		loop->nr_pipes--;
		return container_of(link, struct pipe, list);
	}
	p = malloc(sizeof(*p));
	if (p && pipe2(p->fd, O_CLOEXEC | O_NONBLOCK)) {
		free(p);
		return NULL;
	}
	return p;
}

/* With something in it a pipe is of no use to others. */
static void give_pipe(struct loop *loop, struct way *way)
{
	struct pipe *p = way->pipe;

	if (!p)
		return;
	if (!way->held && loop->nr_pipes < PIPES_KEPT) {
		list_add(&loop->pipes, &p->list);
		loop->nr_pipes++;
	} else {
		close(p->fd[0]);
		close(p->fd[1]);
		free(p);
	}
	way->pipe = NULL;
	way->held = 0;
}

static void drop_ways(struct loop *loop, struct relay *relay)
{
	give_pipe(loop, &relay->up);
	give_pipe(loop, &relay->down);
}

/* What was sent before a reset may be lost; after an end it is not. */
static void close_tcp(struct relay *relay)
{
	struct linger at_once = { .l_onoff = 1 };

	if (relay->tcp < 0)
		return;
	if (relay->fault)
		setsockopt(relay->tcp, SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
	close(relay->tcp);
}

static void relay_release(struct loop *loop, struct conn *conn)
{
	struct relay *relay = conn->relay;

	if (!relay)
		return;
	if (relay->dialing)
		target_put(relay->dial.target);
	else
		drop_ways(loop, relay);
	list_del(&relay->timed);
	close_tcp(relay);
	free(relay);
	conn->relay = NULL;
}

static bool is_waiting(const struct relay *relay)
{
	return relay->up.waiting || relay->down.waiting;
}

static void end(struct loop *loop, struct relay *relay)
{
	struct conn *conn = relay->conn;

	if (relay->fault == FAULT_SERVER)
		conn_fail(loop, conn, 1014, "the server behind broke off");
	else if (relay->fault == FAULT_OURS)
		conn_fail(loop, conn, 1011, "");
	else
		conn_close(loop, conn);
}

/* When nothing is outstanding any more, what was to be done is done. */
static void settle(struct loop *loop, struct relay *relay)
{
	if (is_waiting(relay))
		return;
	if (relay->failed || (relay->up.done && relay->down.done))
		end(loop, relay);
	else if (relay->conn->stopping)
		conn_leave(loop, relay->conn);
}

static void cancel(struct loop *loop, struct relay *relay, bool full)
{
	if (relay->up.waiting && (full || !relay->up.held))
		loop_cancel(loop, &relay->up.op);
	if (relay->down.waiting && (full || !relay->down.held))
		loop_cancel(loop, &relay->down.op);
}

static void fail(struct loop *loop, struct relay *relay, enum fault fault)
{
	if (!relay->fault)
		relay->fault = fault;
	if (relay->failed)
		return;
	relay->failed = true;
	cancel(loop, relay, true);
}

static void wait_for(struct loop *loop, struct way *way, int fd, short events)
{
	way->waiting = true;
	loop_poll(loop, &way->op, fd, events);
}

/*
 * The source has ended in order, and all of it is through. A client that has
 * sent Close may be answered for a while. A server that has ended may hear no
 * more than what the client had sent when it learns of it.
 */
static void finish(struct loop *loop, struct way *way)
{
	struct relay *relay = way->relay;

	way->done = true;
	shutdown(way->to, SHUT_WR);
	if (!relay->up.done || !relay->down.done)
		set_deadline(loop, relay, &loop->closing, CLOSING_MS);
}

/* Did the client end as the protocol has it, and not because of a failure? */
static bool closed_in_order(int fd)
{
	struct ws_close c = {};
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_WS, WS_CLOSE, &c, &len))
		return false;
	return c.code == 1000 || c.code == 1001 || c.code == 1005 ||
	       c.code >= 3000;
}

static enum fault source_of(const struct way *way)
{
	return way == &way->relay->up ? FAULT_CLIENT : FAULT_SERVER;
}

static void end_way(struct loop *loop, struct way *way)
{
	struct relay *relay = way->relay;

	if (relay->fault)
		fail(loop, relay, relay->fault);
	else if (way == &relay->up && !closed_in_order(way->from))
		fail(loop, relay, FAULT_CLIENT);
	else
		finish(loop, way);
}

/*
 * The sink is gone. What a server had said before it broke off is still there
 * to be read, and the client gets it before it learns of that.
 */
static void sink_gone(struct loop *loop, struct way *way)
{
	struct relay *relay = way->relay;

	if (way == &relay->down) {
		fail(loop, relay, FAULT_CLIENT);
		return;
	}
	relay->fault = FAULT_SERVER;
	way->done = true;
	if (relay->down.done)
		fail(loop, relay, FAULT_SERVER);
}

/* Return: whether to go on. */
static bool fill(struct loop *loop, struct way *way)
{
	ssize_t n;

	if (way->ended) {
		end_way(loop, way);
		return false;
	}
	if (way->relay->conn->stopping)
		return false;
	if (!way->pipe)
		way->pipe = take_pipe(loop);
	if (!way->pipe) {
		fail(loop, way->relay, FAULT_OURS);
		return false;
	}
	n = splice(way->from, NULL, way->pipe->fd[1], NULL, PIECE,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN) {
		give_pipe(loop, way);
		wait_for(loop, way, way->from, POLLIN);
		return false;
	}
	if (n < 0) {
		fail(loop, way->relay, errno == ENOMEM ? FAULT_OURS :
							 source_of(way));
		return false;
	}
	way->ended = !n;
	way->held = (size_t)n;
	return true;
}

static bool empty(struct loop *loop, struct way *way)
{
	struct relay *relay = way->relay;
	ssize_t n;

	n = splice(way->pipe->fd[0], NULL, way->to, NULL, way->held,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN) {
		wait_for(loop, way, way->to, POLLOUT);
		return false;
	}
	if (n <= 0) {
		sink_gone(loop, way);
		return false;
	}
	way->held -= (size_t)n;
	/* the answer to a client that has sent Close gets through */
	if (way == &relay->down && relay->up.done)
		set_deadline(loop, relay, &loop->closing, CLOSING_MS);
	return true;
}

static void advance(struct loop *loop, struct way *way)
{
	bool more = !way->done;
	int i;

	for (i = 0; i < TURNS && more; i++)
		more = way->held ? empty(loop, way) : fill(loop, way);
	if (!way->held || way->done)
		give_pipe(loop, way);
	if (more)
		wait_for(loop, way, way->held ? way->to : way->from,
			 way->held ? POLLOUT : POLLIN);
}

static void on_ready(struct loop *loop, struct op *op, int res,
		     unsigned int flags)
{
	struct way *way = container_of(op, struct way, op);
	struct relay *relay = way->relay;

	(void)flags;
	way->waiting = false;
	/* a successor goes on where this ends */
	if (res != -ECANCELED && !relay->failed &&
	    !(relay->conn->stopping && serve_stop == STOP_HANDOVER))
		advance(loop, way);
	settle(loop, relay);
}

static void set_way(struct way *way, struct relay *relay, int from, int to)
{
	*way = (struct way) {
		.op.done = on_ready,
		.relay = relay,
		.from = from,
		.to = to,
	};
}

static void set_ways(struct relay *relay)
{
	set_way(&relay->up, relay, relay->conn->fd, relay->tcp);
	set_way(&relay->down, relay, relay->tcp, relay->conn->fd);
}

static void begin_ways(struct loop *loop, struct relay *relay)
{
	advance(loop, &relay->up);
	if (!relay->failed)
		advance(loop, &relay->down);
	settle(loop, relay);
}

static struct relay *relay_new(struct conn *conn, int tcp)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return NULL;
	relay->conn = conn;
	relay->tcp = tcp;
	list_init(&relay->timed);
	conn->relay = relay;
	return relay;
}

static void on_connect(struct loop *loop, struct op *op, int res,
		       unsigned int flags);

/* Return: the error of this address; none if it is being tried. */
static int dial_address(struct loop *loop, struct relay *relay)
{
	const struct addrinfo *ai = relay->dial.next;
	int one = 1;

	relay->dial.next = ai->ai_next;
	relay->tcp = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (relay->tcp < 0)
		return -errno;
	setsockopt(relay->tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	relay->connecting = true;
	relay->conn->op.done = on_connect;
	io_uring_prep_connect(loop_sqe(loop, &relay->conn->op), relay->tcp,
			      ai->ai_addr, ai->ai_addrlen);
	set_deadline(loop, relay, &loop->dialing, DIAL_MS);
	return 0;
}

static void dial_first(struct relay *relay)
{
	target_put(relay->dial.target);
	relay->dial.target = target_get();
	relay->dial.next = target_list(relay->dial.target);
}

static void no_server(struct loop *loop, struct relay *relay, int error)
{
	if (serve.verbose)
		complain("%s: %s", serve.to, strerror(-error));
	conn_fail(loop, relay->conn, 1014,
		  "no connection to the server behind");
}

/* One address after the other, then those that the name has got meanwhile. */
static void dial(struct loop *loop, struct relay *relay, int error)
{
	for (;;) {
		while (relay->dial.next) {
			error = dial_address(loop, relay);
			if (!error)
				return;
		}
		if (relay->dial.renewed)
			break;
		switch (target_renew(relay->dial.since)) {
		case 0:
			if (list_empty(&relay->timed))
				set_deadline(loop, relay, &loop->dialing,
					     DIAL_MS);
			return;
		case 1:
			relay->dial.renewed = true;
			dial_first(relay);
			continue;
		}
		break;
	}
	no_server(loop, relay, error);
}

/* There is a connection: what was needed for that makes room for the ways. */
static void dial_done(struct loop *loop, struct relay *relay)
{
	target_put(relay->dial.target);
	list_del(&relay->timed);
	relay->dialing = false;
	set_ways(relay);
	fcntl(relay->tcp, F_SETFL, O_NONBLOCK);
	begin_ways(loop, relay);
}

static void leave_undialed(struct loop *loop, struct conn *conn)
{
	relay_release(loop, conn);
	conn_leave(loop, conn);
}

static void on_connect(struct loop *loop, struct op *op, int res,
		       unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);
	struct relay *relay = conn->relay;

	(void)flags;
	relay->connecting = false;
	if (conn->stopping) {
		leave_undialed(loop, conn);
		return;
	}
	if (!res) {
		dial_done(loop, relay);
		return;
	}
	close(relay->tcp);
	relay->tcp = -1;
	dial(loop, relay, res == -ECANCELED ? -ETIMEDOUT : res);
}

/*
 * The client's Close is answered when the server has had its say. That may be
 * the first thing that a client sends, so it is known before the handshake.
 */
static void relay_prepare(int fd)
{
	int off = 0;

	if (!wsup_attach_dormant(fd))
		setsockopt(fd, SOL_WS, WS_AUTO_CLOSE, &off, sizeof(off));
}

static void relay_begin(struct loop *loop, struct conn *conn,
			const struct wsup_hs *hs)
{
	struct relay *relay = relay_new(conn, -1);

	(void)hs;
	if (!relay) {
		conn_fail(loop, conn, 1011, "");
		return;
	}
	fcntl(conn->fd, F_SETFL, O_NONBLOCK);
	relay->dialing = true;
	relay->dial.since = now_ms();
	dial_first(relay);
	dial(loop, relay, 0);
}

/* Nothing more is read; what a pipe holds is sent, or goes over with it. */
static void relay_stop(struct loop *loop, struct conn *conn)
{
	struct relay *relay = conn->relay;

	if (relay->connecting)
		loop_cancel(loop, &conn->op);
	else if (relay->dialing)
		leave_undialed(loop, conn);
	else if (!relay->failed)
		cancel(loop, relay, serve_stop == STOP_HANDOVER);
}

/* The client was, or is not to be, waited for. */
static void expire_closing(struct loop *loop, struct relay *relay)
{
	relay->failed = true;
	cancel(loop, relay, true);
	settle(loop, relay);
}

static void expire_dial(struct loop *loop, struct relay *relay)
{
	if (relay->connecting)
		loop_cancel(loop, &relay->conn->op);
	else
		no_server(loop, relay, -ETIMEDOUT);
}

static void expire_list(struct loop *loop, struct list *list,
			void (*expired)(struct loop *loop, struct relay *relay))
{
	struct relay *relay;

	while (!list_empty(list)) {
		relay = container_of(list->next, struct relay, timed);
		if (relay->deadline > now_ms())
			return;
		list_del(&relay->timed);
		expired(loop, relay);
	}
}

/**
 * relay_tick() - time limits: of servers that are slow to take a connection,
 * or that do not end, and of clients that do not answer Close
 * @loop: of this thread
 */
void relay_tick(struct loop *loop)
{
	expire_list(loop, &loop->dialing, expire_dial);
	expire_list(loop, &loop->closing, expire_closing);
}

/**
 * relay_wake() - addresses may have been found
 * @loop: of this thread
 */
void relay_wake(struct loop *loop)
{
	struct list *link, *next;
	struct relay *relay;

	for (link = loop->dialing.next; link != &loop->dialing; link = next) {
		next = link->next;
		relay = container_of(link, struct relay, timed);
		if (!relay->connecting)
			dial(loop, relay, -EHOSTUNREACH);
	}
}

struct way_state {
	uint32_t	held;
	uint8_t		ended;
	uint8_t		done;
	uint8_t		fault;
	uint8_t		reserved;
};

static void pack_way(struct way *way, struct packet *packet)
{
	struct way_state state = {
		.held = (uint32_t)way->held,
		.ended = way->ended,
		.done = way->done,
		.fault = way->relay->fault,
	};

	packet_add(packet, &state, sizeof(state));
	if (!way->held)
		return;
	packet_add_fd(packet, way->pipe->fd[0]);
	packet_add_fd(packet, way->pipe->fd[1]);
	free(way->pipe);
	way->pipe = NULL;
}

/* Without a relay the connection to the server was not there yet. */
static void relay_pack(struct conn *conn, struct packet *packet)
{
	struct relay *relay = conn->relay;

	if (!relay)
		return;
	packet_add_fd(packet, relay->tcp);
	relay->tcp = -1;
	pack_way(&relay->up, packet);
	pack_way(&relay->down, packet);
}

static bool is_pipe_with(int fd, size_t held)
{
	struct stat st;
	int n;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode) &&
	       !ioctl(fd, FIONREAD, &n) && (size_t)n == held;
}

static int unpack_way(struct way *way, struct packet *packet, size_t number)
{
	struct way_state state;
	struct pipe *p;

	memcpy(&state, packet->data + number * sizeof(state), sizeof(state));
	way->ended = state.ended;
	way->done = state.done;
	way->relay->fault = state.fault;
	if (!state.held)
		return 0;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->fd[0] = packet_take_fd(packet);
	p->fd[1] = packet_take_fd(packet);
	way->pipe = p;
	way->held = state.held;
	return is_pipe_with(p->fd[0], state.held) &&
	       is_pipe_with(p->fd[1], state.held) ? 0 : -EINVAL;
}

static int relay_unpack(struct loop *loop, struct conn *conn,
			struct packet *packet)
{
	struct relay *relay;
	int err;

	if (!packet->len) {
		relay_begin(loop, conn, NULL);
		return 0;
	}
	if (packet->len != 2 * sizeof(struct way_state))
		return -EINVAL;
	relay = relay_new(conn, packet_take_fd(packet));
	if (!relay)
		return -ENOMEM;
	set_ways(relay);
	err = unpack_way(&relay->up, packet, 0);
	if (!err)
		err = unpack_way(&relay->down, packet, 1);
	if (err || relay->tcp < 0)
		return err ? err : -EINVAL;
	if (relay->up.done != relay->down.done)
		set_deadline(loop, relay, &loop->closing, CLOSING_MS);
	begin_ways(loop, relay);
	return 0;
}

const struct mode relay_mode = {
	.name = "relay",
	.prepare = relay_prepare,
	.begin = relay_begin,
	.stop = relay_stop,
	.release = relay_release,
	.pack = relay_pack,
	.unpack = relay_unpack,
};
