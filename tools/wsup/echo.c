// SPDX-License-Identifier: GPL-2.0
/*
 * Echoing, type and boundaries kept. A read brings as many messages as there
 * are (WS_RX_RECORDS), and they leave together (WS_RECORDS): two operations,
 * however many messages. Messages longer than a chunk go part by part.
 *
 * Memory is taken when data arrives, not before. It comes from a fixed number
 * of chunks. A connection that cannot send on at once moves to memory of its
 * own size, so that slow readers do not keep the chunks from others. All that
 * memory together has a limit: beyond it, the connection that has not moved for
 * the longest time is given up.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/ws.h>

#include "serve.h"

#define CHUNKS		256	/* a power of two */
#define CHUNK_DATA	65536	/* WS_TX_FRAME_MAX: a batch is one send */
#define BATCH		512
#define GROUP		0

#define PRIVATE		-1
#define PRIVATE_MAX	(16 << 20)	/* bytes, of all loops */

/* Records as they were received, and the send that takes some of them. */
struct chunk {
	int		number;		/* of the memory, or PRIVATE */
	size_t		at;		/* records before it were sent */
	size_t		next;		/* records before it are being sent */
	size_t		len;
	struct msghdr	msg;
	struct iovec	iov[BATCH];
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(BATCH *
						sizeof(struct ws_txrec))];
	} control;
	char		data[] __attribute__((aligned(8)));
};

#define CHUNK_SIZE	(sizeof(struct chunk) + CHUNK_DATA)

static atomic_long private_bytes;

static struct chunk *chunk_at(struct loop *loop, int number)
{
	return (struct chunk *)(loop->chunk_memory +
				(size_t)number * CHUNK_SIZE);
}

static void lend(struct loop *loop, int number)
{
	io_uring_buf_ring_add(loop->chunks, chunk_at(loop, number)->data,
			      CHUNK_DATA, (unsigned short)number,
			      io_uring_buf_ring_mask(CHUNKS), 0);
	io_uring_buf_ring_advance(loop->chunks, 1);
	loop->lent++;
}

/**
 * echo_init() - give a loop its memory for echoing
 * @loop: its ring exists
 */
void echo_init(struct loop *loop)
{
	int i, err;

	if (serve.mode != &echo_mode)
		return;
	loop->chunk_memory = mmap(NULL, CHUNKS * CHUNK_SIZE,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (loop->chunk_memory == MAP_FAILED)
		die("%s", strerror(errno));
	loop->chunks = io_uring_setup_buf_ring(&loop->ring, CHUNKS, GROUP, 0,
					       &err);
	if (!loop->chunks)
		die("io_uring: %s", strerror(-err));
	for (i = 0; i < CHUNKS; i++)
		lend(loop, i);
}

static void on_receive(struct loop *loop, struct op *op, int res,
		       unsigned int flags);
static void send_next(struct loop *loop, struct conn *conn);

static void receive(struct loop *loop, struct conn *conn)
{
	struct io_uring_sqe *sqe = loop_sqe(loop, &conn->op);

	conn->op.done = on_receive;
	io_uring_prep_recv(sqe, conn->fd, NULL, CHUNK_DATA,
			   conn->stopping ? MSG_DONTWAIT : 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

/**
 * echo_wake() - let connections that waited for memory read again
 * @loop: of this thread
 *
 * As many as there are chunks. One that finds nothing to read takes none, and
 * nobody tells: so the rest has its turn as soon as these have been tried.
 *
 * Return: true if there are both connections that wait and chunks.
 */
bool echo_wake(struct loop *loop)
{
	struct list *link;
	int n;

	for (n = loop->lent; n > 0; n--) {
		link = list_take(&loop->starved);
		if (!link)
			return false;
		receive(loop, container_of(link, struct conn, starved));
	}
	return loop->lent > 0 && !list_empty(&loop->starved);
}

static size_t private_size(const struct chunk *chunk)
{
	return sizeof(*chunk) + chunk->len;
}

static struct chunk *private_new(size_t len)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + len);

	if (!chunk)
		return NULL;
	chunk->number = PRIVATE;
	chunk->at = 0;
	chunk->len = len;
	atomic_fetch_add(&private_bytes, (long)private_size(chunk));
	return chunk;
}

static void give_back(struct loop *loop, struct chunk *chunk)
{
	if (chunk->number == PRIVATE) {
		atomic_fetch_sub(&private_bytes, (long)private_size(chunk));
		free(chunk);
	} else {
		lend(loop, chunk->number);
	}
}

static void echo_release(struct loop *loop, struct conn *conn)
{
	if (conn->chunk)
		give_back(loop, conn->chunk);
}

static const struct ws_rec *record(const struct chunk *chunk, size_t at)
{
	return (const struct ws_rec *)(chunk->data + at);
}

static size_t after(const struct chunk *chunk, size_t at)
{
	size_t len = sizeof(struct ws_rec) + record(chunk, at)->len;

	return at + ((len + 7) & ~(size_t)7);
}

static void set_control(struct chunk *chunk, int type, const void *data,
			size_t len)
{
	struct cmsghdr *head = &chunk->control.head;

	head->cmsg_len = CMSG_LEN(len);
	head->cmsg_level = SOL_WS;
	head->cmsg_type = type;
	memcpy(CMSG_DATA(head), data, len);
	chunk->msg.msg_control = head;
	chunk->msg.msg_controllen = CMSG_SPACE(len);
}

static void add_payload(struct chunk *chunk, const struct ws_rec *rec)
{
	struct iovec *iov = &chunk->iov[chunk->msg.msg_iovlen++];

	iov->iov_base = (void *)(rec + 1);
	iov->iov_len = rec->len;
}

/* The type goes with the first part of a message only. */
static int prepare_part(struct conn *conn, struct chunk *chunk)
{
	const struct ws_rec *rec = record(chunk, chunk->at);
	int type = rec->opcode;

	if (!conn->open)
		set_control(chunk, WS_TX_TYPE, &type, sizeof(type));
	add_payload(chunk, rec);
	chunk->next = after(chunk, chunk->at);
	return rec->flags & WS_F_MORE ? MSG_MORE : 0;
}

/* All the whole messages that follow one another. */
static void prepare_batch(struct chunk *chunk)
{
	struct ws_txrec batch[BATCH];
	const struct ws_rec *rec;
	size_t n = 0, at;

	for (at = chunk->at; at < chunk->len && n < BATCH;
	     at = after(chunk, at)) {
		rec = record(chunk, at);
		if (rec->flags & WS_F_MORE)
			break;
		batch[n++] = (struct ws_txrec) {
			.len = rec->len,
			.opcode = rec->opcode,
			.flags = WS_F_FIN,
		};
		add_payload(chunk, rec);
	}
	set_control(chunk, WS_RECORDS, batch, n * sizeof(*batch));
	chunk->next = at;
}

/* Return: flags for the call. */
static int prepare(struct conn *conn, struct chunk *chunk)
{
	bool more = record(chunk, chunk->at)->flags & WS_F_MORE;
	bool single = after(chunk, chunk->at) >= chunk->len;

	memset(&chunk->msg, 0, sizeof(chunk->msg));
	chunk->msg.msg_iov = chunk->iov;
	if (conn->open || more || single)
		return prepare_part(conn, chunk);
	prepare_batch(chunk);
	return 0;
}

/* What is left moves out of the loop's memory. */
static bool make_private(struct loop *loop, struct conn *conn)
{
	struct chunk *old = conn->chunk, *chunk;
	size_t len = old->len - old->at;

	if (old->number == PRIVATE)
		return true;
	chunk = private_new(len);
	if (!chunk)
		return false;
	memcpy(chunk->data, old->data + old->at, len);
	conn->chunk = chunk;
	give_back(loop, old);
	return true;
}

/*
 * The connections whose send waits are in the order of their last progress. The
 * first one's Close tells why, if it ever reads again.
 */
static void give_up_stuck(struct loop *loop)
{
	struct conn *conn;

	if (atomic_load(&private_bytes) <= PRIVATE_MAX ||
	    list_empty(&loop->stuck))
		return;
	conn = container_of(list_take(&loop->stuck), struct conn, starved);
	conn->unwanted = true;
	loop_cancel(loop, &conn->op);
}

static bool handing_over(const struct conn *conn)
{
	return conn->stopping && serve_stop == STOP_HANDOVER;
}

static void after_send(struct loop *loop, struct conn *conn)
{
	struct chunk *chunk = conn->chunk;

	if (chunk->number == PRIVATE)
		list_del(&conn->starved);
	/* the last record of the send tells whether its message goes on */
	conn->open = record(chunk, chunk->at)->flags & WS_F_MORE;
	chunk->at = chunk->next;
	if (chunk->at < chunk->len) {
		send_next(loop, conn);
		return;
	}
	conn->chunk = NULL;
	give_back(loop, chunk);
	receive(loop, conn);
}

/* All or nothing: a send is no longer than WS_TX_FRAME_MAX. */
static void on_sent(struct loop *loop, struct op *op, int res,
		    unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);

	(void)flags;
	if (conn->unwanted)
		conn_fail(loop, conn, 1008, "what is sent back is not read");
	else if (res >= 0)
		after_send(loop, conn);
	else if ((res == -ECANCELED || res == -EAGAIN) && handing_over(conn))
		conn_leave(loop, conn);
	else if (res == -EAGAIN && make_private(loop, conn))
		send_next(loop, conn);
	else
		conn_close(loop, conn);
}

/* From the loop's memory only what is taken at once; a successor can wait. */
static void send_next(struct loop *loop, struct conn *conn)
{
	struct chunk *chunk = conn->chunk;
	int flags = MSG_NOSIGNAL | prepare(conn, chunk);

	if (chunk->number != PRIVATE || handing_over(conn))
		flags |= MSG_DONTWAIT;
	else
		list_add(&loop->stuck, &conn->starved);
	conn->op.done = on_sent;
	io_uring_prep_sendmsg(loop_sqe(loop, &conn->op), conn->fd, &chunk->msg,
			      (unsigned int)flags);
	give_up_stuck(loop);
}

static void received(struct loop *loop, struct conn *conn, int number, int len)
{
	struct chunk *chunk = chunk_at(loop, number);

	chunk->number = number;
	chunk->at = 0;
	chunk->len = (size_t)len;
	conn->chunk = chunk;
	send_next(loop, conn);
}

static void on_receive(struct loop *loop, struct op *op, int res,
		       unsigned int flags)
{
	struct conn *conn = container_of(op, struct conn, op);

	if (flags & IORING_CQE_F_BUFFER)
		loop->lent--;
	if (res > 0) {
		received(loop, conn, (int)(flags >> IORING_CQE_BUFFER_SHIFT),
			 res);
		return;
	}
	if (flags & IORING_CQE_F_BUFFER)
		lend(loop, (int)(flags >> IORING_CQE_BUFFER_SHIFT));
	if (res == -ENOBUFS)
		list_add(&loop->starved, &conn->starved);
	else if (res == -ECANCELED && conn->stopping)
		receive(loop, conn);	/* what is there, and no more */
	else if (res == -EAGAIN)
		conn_leave(loop, conn);
	else
		conn_close(loop, conn);
}

static void echo_begin(struct loop *loop, struct conn *conn,
		       const struct wsup_hs *hs)
{
	(void)hs;
	if (conn_set(conn, WS_RX_MODE, WS_RX_RECORDS))
		receive(loop, conn);
	else
		conn_fail(loop, conn, 1011, "");
}

/*
 * A read ends, a second one then takes what is there. A send goes on unless
 * there is somebody to go on with it.
 */
static void echo_stop(struct loop *loop, struct conn *conn)
{
	/* Without a chunk it waits for memory; with one its send is stuck. */
	if (!conn->chunk && !list_empty(&conn->starved))
		return;
	if (!conn->chunk || serve_stop == STOP_HANDOVER)
		loop_cancel(loop, &conn->op);
}

struct echo_state {
	uint32_t	open;
	uint32_t	len;		/* of the records that follow */
};

static void echo_pack(struct conn *conn, struct packet *packet)
{
	struct chunk *chunk = conn->chunk;
	struct echo_state state = {
		.open = conn->open,
		.len = chunk ? (uint32_t)(chunk->len - chunk->at) : 0,
	};

	packet_add(packet, &state, sizeof(state));
	if (chunk)
		packet_add(packet, chunk->data + chunk->at, state.len);
}

/* Is each record of a known length, and are they all there? */
static bool records_valid(const struct chunk *chunk)
{
	size_t at = 0;

	while (chunk->len - at >= sizeof(struct ws_rec)) {
		if (record(chunk, at)->len > chunk->len - at)
			return false;
		at = after(chunk, at);
		if (at > chunk->len)
			return false;
	}
	return at == chunk->len;
}

static int echo_unpack(struct loop *loop, struct conn *conn,
		       struct packet *packet)
{
	struct echo_state state;

	if (packet->len < sizeof(state))
		return -EINVAL;
	memcpy(&state, packet->data, sizeof(state));
	if (state.len > CHUNK_DATA ||
	    packet->len != sizeof(state) + state.len)
		return -EINVAL;
	conn->open = state.open;
	if (!state.len) {
		echo_begin(loop, conn, NULL);
		return 0;
	}
	conn->chunk = private_new(state.len);
	if (!conn->chunk)
		return -ENOMEM;
	memcpy(conn->chunk->data, packet->data + sizeof(state), state.len);
	if (!records_valid(conn->chunk))
		return -EINVAL;
	send_next(loop, conn);
	return 0;
}

const struct mode echo_mode = {
	.name = "echo",
	.begin = echo_begin,
	.stop = echo_stop,
	.release = echo_release,
	.pack = echo_pack,
	.unpack = echo_unpack,
};
