// SPDX-License-Identifier: GPL-2.0
/*
 * Relaying to a TCP server. Bytes go from one socket through a pipe to the
 * other by splice(), and never come to user memory. A pipe is only kept while
 * there is something in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "serve.h"

#define PIECE		65536	/* a pipe's size, and a frame's */
#define TURNS		16	/* then others have theirs */
#define CLOSING_MS	10000

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

struct relay {
	struct conn	*conn;
	int		tcp;
	bool		connecting;
	bool		failed;
	struct way	up;		/* ws to TCP */
	struct way	down;
	struct list	closing;
	long		deadline;
};

static struct addrinfo *target;
static int nowhere;		/* /dev/null */

/**
 * relay_resolve() - find the server to relay to, or exit
 * @to: HOST:PORT
 */
void relay_resolve(const char *to)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[256];
	const char *colon = strrchr(to, ':');
	size_t len = colon ? (size_t)(colon - to) : 0;
	int err;

	if (!len || len >= sizeof(host))
		die_usage("--to: not HOST:PORT: %s", to);
	if (*to == '[' && colon[-1] == ']') {
		to++;
		len -= 2;
	}
	memcpy(host, to, len);
	host[len] = '\0';
	err = getaddrinfo(host, colon + 1, &hints, &target);
	if (err)
		die("--to: %s: %s", to, gai_strerror(err));
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere < 0)
		die("/dev/null: %s", strerror(errno));
}

static struct pipe *take_pipe(struct loop *loop)
{
	struct list *link = list_take(&loop->pipes);
	struct pipe *p;

	if (link)
		return container_of(link, struct pipe, list);
	p = malloc(sizeof(*p));
	if (p && pipe2(p->fd, O_CLOEXEC | O_NONBLOCK)) {
		free(p);
		return NULL;
	}
	return p;
}

static void give_pipe(struct loop *loop, struct way *way)
{
	if (way->pipe)
		list_add(&loop->pipes, &way->pipe->list);
	way->pipe = NULL;
}

/* With something in it a pipe is of no use to others. */
static void drop_pipe(struct loop *loop, struct way *way)
{
	if (way->pipe && way->held) {
		close(way->pipe->fd[0]);
		close(way->pipe->fd[1]);
		free(way->pipe);
		way->pipe = NULL;
	}
	give_pipe(loop, way);
}

static void relay_release(struct loop *loop, struct conn *conn)
{
	struct relay *relay = conn->relay;

	if (!relay)
		return;
	drop_pipe(loop, &relay->up);
	drop_pipe(loop, &relay->down);
	list_del(&relay->closing);
	if (relay->tcp >= 0)
		close(relay->tcp);
	free(relay);
}

static bool is_waiting(const struct relay *relay)
{
	return relay->up.waiting || relay->down.waiting || relay->connecting;
}

/* When nothing is outstanding any more, what was to be done is done. */
static void settle(struct loop *loop, struct relay *relay)
{
	struct conn *conn = relay->conn;

	if (is_waiting(relay))
		return;
	if (relay->failed || (relay->up.done && relay->down.done))
		conn_close(loop, conn);
	else if (conn->stopping)
		conn_leave(loop, conn);
}

static void cancel(struct loop *loop, struct relay *relay, bool full)
{
	if (relay->connecting)
		loop_cancel(loop, &relay->conn->op);
	if (relay->up.waiting && (full || !relay->up.held))
		loop_cancel(loop, &relay->up.op);
	if (relay->down.waiting && (full || !relay->down.held))
		loop_cancel(loop, &relay->down.op);
}

static void fail(struct loop *loop, struct relay *relay)
{
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
 * The source has ended and all is through. A client gets Close, and the kernel
 * looks after its answer. After a client's Close nothing can be sent to it:
 * what its server still says is thrown away, for a while, so that what the
 * client had said is not lost to a reset.
 */
static void finish(struct loop *loop, struct way *way)
{
	struct relay *relay = way->relay;

	way->done = true;
	shutdown(way->to, SHUT_WR);
	if (way != &relay->up || relay->down.done)
		return;
	relay->down.to = nowhere;
	relay->deadline = now_ms() + CLOSING_MS;
	list_add(&loop->closing, &relay->closing);
	loop_want_tick(loop);
}

/* Return: 1 go on, 0 waits or is done, -errno. */
static int fill(struct loop *loop, struct way *way)
{
	ssize_t n;

	if (way->ended) {
		finish(loop, way);
		return 0;
	}
	if (way->relay->conn->stopping)
		return 0;
	if (!way->pipe)
		way->pipe = take_pipe(loop);
	if (!way->pipe)
		return -ENOMEM;
	n = splice(way->from, NULL, way->pipe->fd[1], NULL, PIECE,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN) {
		give_pipe(loop, way);
		wait_for(loop, way, way->from, POLLIN);
		return 0;
	}
	if (n < 0)
		return -errno;
	way->ended = !n;
	way->held = (size_t)n;
	return 1;
}

static int empty(struct loop *loop, struct way *way)
{
	ssize_t n;

	n = splice(way->pipe->fd[0], NULL, way->to, NULL, way->held,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno == EAGAIN) {
		wait_for(loop, way, way->to, POLLOUT);
		return 0;
	}
	if (n <= 0)
		return n ? -errno : -EPIPE;
	way->held -= (size_t)n;
	return 1;
}

static void advance(struct loop *loop, struct way *way)
{
	int i, ret = !way->done;

	for (i = 0; i < TURNS && ret > 0; i++)
		ret = way->held ? empty(loop, way) : fill(loop, way);
	if (!way->held)
		give_pipe(loop, way);
	if (ret < 0)
		fail(loop, way->relay);
	else if (ret > 0)
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

static void begin_ways(struct loop *loop, struct relay *relay)
{
	advance(loop, &relay->up);
	if (!relay->failed)
		advance(loop, &relay->down);
	settle(loop, relay);
}

static void on_connect(struct loop *loop, struct op *op, int res,
		       unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);
	struct relay *relay = conn->relay;

	(void)flags;
	relay->connecting = false;
	if (conn->stopping) {
		relay_release(loop, conn);
		conn->relay = NULL;
		conn_leave(loop, conn);
		return;
	}
	if (!res) {
		fcntl(relay->tcp, F_SETFL, O_NONBLOCK);
		begin_ways(loop, relay);
		return;
	}
	if (serve.verbose)
		complain("%s: %s", serve.to, strerror(-res));
	conn_fail(loop, conn, 1014, "no connection to the server behind");
}

static void set_way(struct way *way, struct relay *relay, int from, int to)
{
	way->op.done = on_ready;
	way->relay = relay;
	way->from = from;
	way->to = to;
}

static struct relay *relay_new(struct conn *conn, int tcp)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return NULL;
	relay->conn = conn;
	relay->tcp = tcp;
	list_init(&relay->closing);
	set_way(&relay->up, relay, conn->fd, tcp);
	set_way(&relay->down, relay, tcp, conn->fd);
	conn->relay = relay;
	return relay;
}

static void relay_begin(struct loop *loop, struct conn *conn,
			const struct wsup_hs *hs)
{
	struct relay *relay;
	int tcp, one = 1;

	(void)hs;
	tcp = socket(target->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (tcp < 0) {
		conn_fail(loop, conn, 1011, "");
		return;
	}
	relay = relay_new(conn, tcp);
	if (!relay) {
		close(tcp);
		conn_fail(loop, conn, 1011, "");
		return;
	}
	fcntl(conn->fd, F_SETFL, O_NONBLOCK);
	setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	relay->connecting = true;
	conn->op.done = on_connect;
	io_uring_prep_connect(loop_sqe(loop, &conn->op), tcp, target->ai_addr,
			      target->ai_addrlen);
}

/* Nothing more is read; what a pipe holds is sent, or goes over with it. */
static void relay_stop(struct loop *loop, struct conn *conn)
{
	if (!conn->relay->failed)
		cancel(loop, conn->relay, serve_stop == STOP_HANDOVER);
}

/**
 * relay_tick() - end connections to servers that do not close
 * @loop: of this thread
 */
void relay_tick(struct loop *loop)
{
	struct relay *relay;

	while (!list_empty(&loop->closing)) {
		relay = container_of(loop->closing.next, struct relay,
				     closing);
		if (relay->deadline > now_ms())
			return;
		list_del(&relay->closing);
		fail(loop, relay);
	}
}

struct way_state {
	uint32_t	held;
	uint8_t		ended;
	uint8_t		done;
	uint16_t	reserved;
};

static void pack_way(const struct way *way, struct packet *packet)
{
	struct way_state state = {
		.held = (uint32_t)way->held,
		.ended = way->ended,
		.done = way->done,
	};

	packet_add(packet, &state, sizeof(state));
	if (!way->held)
		return;
	packet->fds[packet->nr_fds++] = way->pipe->fd[0];
	packet->fds[packet->nr_fds++] = way->pipe->fd[1];
}

/* Without a relay the connection to the server was not there yet. */
static void relay_pack(struct conn *conn, struct packet *packet)
{
	struct relay *relay = conn->relay;

	if (!relay)
		return;
	packet->fds[packet->nr_fds++] = relay->tcp;
	pack_way(&relay->up, packet);
	pack_way(&relay->down, packet);
}

static int unpack_way(struct way *way, const struct packet *packet,
		      size_t number, size_t *fd)
{
	struct way_state state;

	memcpy(&state, packet->data + number * sizeof(state), sizeof(state));
	way->held = state.held;
	way->ended = state.ended;
	way->done = state.done;
	if (!way->held)
		return 0;
	if (*fd + 2 > packet->nr_fds)
		return -EINVAL;
	way->pipe = malloc(sizeof(*way->pipe));
	if (!way->pipe)
		return -ENOMEM;
	way->pipe->fd[0] = packet->fds[(*fd)++];
	way->pipe->fd[1] = packet->fds[(*fd)++];
	return 0;
}

static int relay_unpack(struct loop *loop, struct conn *conn,
			const struct packet *packet)
{
	struct relay *relay;
	size_t fd = 2;
	int err;

	if (packet->nr_fds == 1) {
		relay_begin(loop, conn, NULL);
		return 0;
	}
	if (packet->len != 2 * sizeof(struct way_state))
		return -EINVAL;
	relay = relay_new(conn, packet->fds[1]);
	if (!relay)
		return -ENOMEM;
	err = unpack_way(&relay->up, packet, 0, &fd);
	if (!err)
		err = unpack_way(&relay->down, packet, 1, &fd);
	if (err)
		return err;
	if (relay->up.done && !relay->down.done)
		finish(loop, &relay->up);
	begin_ways(loop, relay);
	return 0;
}

const struct mode relay_mode = {
	.begin = relay_begin,
	.stop = relay_stop,
	.release = relay_release,
	.pack = relay_pack,
	.unpack = relay_unpack,
};
