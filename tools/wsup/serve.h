/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of wsup serve share. */
#ifndef _WSUP_SERVE_H
#define _WSUP_SERVE_H

#include <liburing.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

#include "list.h"
#include "wsup.h"

struct chunk;
struct conn;
struct loop;
struct packet;
struct relay;
struct target;

/* Something that a loop waits for. */
struct op {
	void	(*done)(struct loop *loop, struct op *op, int res,
			unsigned int flags);
};

/**
 * struct mode - what becomes of connections after their handshake
 * @name: the option, for a successor
 * @prepare: a socket before its handshake, for options that have to be set
 *	before the first frame
 * @begin: @hs is the handshake, NULL if a predecessor did it
 * @stop: finish what is pending, then conn_leave(); called once
 * @release: free what belongs to the mode, before fd is closed
 * @pack: what a successor has to know; descriptors go into the packet. NULL:
 *	nothing can be handed over
 * @unpack: the reverse, and go on; 0 or -errno
 */
struct mode {
	const char *name;
	void	(*prepare)(int fd);
	void	(*begin)(struct loop *loop, struct conn *conn,
			 const struct wsup_hs *hs);
	void	(*stop)(struct loop *loop, struct conn *conn);
	void	(*release)(struct loop *loop, struct conn *conn);
	void	(*pack)(struct conn *conn, struct packet *packet);
	int	(*unpack)(struct loop *loop, struct conn *conn,
			  struct packet *packet);
};

extern const struct mode echo_mode;
extern const struct mode relay_mode;
extern const struct mode exec_mode;

struct serve_options {
	struct wsup_config *config;
	const struct mode *mode;
	const char	*to;
	const char	*exec;
	const char	*directory;
	int		text;		/* WS_TX_TYPE of what is not echoed */
	bool		lines;		/* of programs are messages */
	bool		bytes;		/* not so, even with text */
	int		grace;		/* ms for a program without a client */
	int		threads;
	int		connections;	/* at most, in all loops; 0: any */
	int		ping_interval;	/* ms, 0 = off */
	int		ping_timeout;
	int		drain;
	bool		verbose;
};

extern struct serve_options serve;

/*
 * A connection waits for one thing at a time, through @op; a relayed one for
 * several, through operations of its own.
 */
struct conn {
	struct op	op;
	struct list	list;		/* among the loop's others */
	int		fd;
	bool		stopping;
	bool		slot;		/* counts among --connections */
	bool		unwanted;	/* its handshake makes room for others */
	struct wsup_hs	*hs;
	struct list	starved;	/* echo: waits for memory, or is stuck */
	union {
		struct chunk	*chunk;	/* echo: what is being sent */
		struct relay	*relay;
	};
	bool		open;		/* echo: a message, sent in part */
	uint16_t	told;		/* -v: status of the last refusal */
};

struct listener {
	struct op	op;
	int		fd;
	bool		armed;
};

/* One for each thread. */
struct loop {
	struct io_uring	ring;
	pthread_t	thread;
	unsigned int	number;
	struct op	ignore;
	struct op	tick;
	bool		ticking;
	struct op	wake;
	int		wake_fd;
	uint64_t	wakes;
	bool		stopping;
	struct listener	*listeners;
	size_t		nr_listeners;
	struct list	handshakes;	/* the oldest first */
	int		nr_handshakes;	/* with those in @parked */
	struct list	parked;		/* handshakes that wait for a slot */
	struct list	conns;
	pthread_mutex_t	lock;		/* of the next one */
	struct list	inbox;		/* of packets for this loop */
	struct io_uring_buf_ring *chunks;
	char		*chunk_memory;
	int		lent;		/* chunks that the kernel may fill */
	struct list	starved;
	struct list	stuck;		/* echo: sends, longest wait first */
	struct list	pipes;		/* relay: not in use */
	int		nr_pipes;
	struct list	dialing;	/* relay: for a limited time, as are */
	struct list	closing;	/* those that end */
};

/* How the server ends. */
enum stop {
	STOP_NO,
	STOP_DRAIN,		/* SIGTERM */
	STOP_HANDOVER,		/* a successor takes all of it */
};

extern enum stop serve_stop;

struct io_uring_sqe *loop_sqe(struct loop *loop, struct op *op);
void loop_poll(struct loop *loop, struct op *op, int fd, short events);
void loop_cancel(struct loop *loop, struct op *op);
void loop_init(struct loop *loop, unsigned int number, const int *listeners,
	       size_t nr_listeners);
void loop_prepare(struct loop *loop);
void loop_run(struct loop *loop);
void loop_wake(struct loop *loop);
void loop_want_tick(struct loop *loop);

struct conn *conn_new(int fd);
bool conn_set(struct conn *conn, int option, int value);
void conn_close(struct loop *loop, struct conn *conn);
void conn_fail(struct loop *loop, struct conn *conn, int code,
	       const char *reason);
void conn_leave(struct loop *loop, struct conn *conn);

void echo_init(struct loop *loop);
bool echo_wake(struct loop *loop);
void relay_tick(struct loop *loop);
void relay_wake(struct loop *loop);

struct addrinfo;

void target_open(const char *to);
struct target *target_get(void);
void target_put(struct target *t);
const struct addrinfo *target_list(const struct target *t);
int target_renew(long since);

void files_open(const char *directory);
void files_answer(struct wsup_hs *hs);

/* The connection, the other end of a relay, and up to two pipes. */
#define PACKET_FDS	6

enum packet_kind {
	PACKET_HELLO = 1,
	PACKET_ERROR,
	PACKET_LISTENER,
	PACKET_GO,
	PACKET_COMMIT,
	PACKET_CONN,
	PACKET_END,
};

/* What one server tells the next; one datagram. */
struct packet {
	struct list	list;
	uint32_t	kind;
	uint32_t	len;
	uint32_t	nr_fds;
	uint32_t	taken;		/* of them */
	int		fds[PACKET_FDS];
	bool		failed;		/* no memory for all of it */
	char		*data;
};

struct packet_frame {
	uint32_t	kind;
	struct iovec	iov[2];
	struct msghdr	msg;
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(PACKET_FDS * sizeof(int))];
	} control;
};

struct packet *packet_new(enum packet_kind kind);
void packet_free(struct packet *packet);
void packet_add(struct packet *packet, const void *data, size_t len);
void packet_add_fd(struct packet *packet, int fd);
int packet_take_fd(struct packet *packet);
void packet_frame(const struct packet *packet, struct packet_frame *frame);
int packet_receive(int fd, int flags, struct packet **packet);

int control_open(const char *path, const char *suffix);
void control_rename(void);
void control_remove(void);
bool control_trusted(int fd);
int control_dial(const char *path);

void takeover_listen(struct loop *loop, int fd);
bool takeover_tick(struct loop *loop);
void takeover_wake(struct loop *loop);
void takeover_give(struct loop *loop, struct conn *conn);
bool takeover_finished(struct loop *loop);
int takeover_begin(const char *path, int **listeners);
void takeover_go(const char *path);
void takeover_continue(struct loop *loop);

void serve_setup(struct loop *loop);
void serve_begin_stop(enum stop how);
void serve_wake(void);
void serve_wake_first(void);
int serve_listeners(const int **listeners);
bool serve_others_ended(void);

bool slot_take(void);
void slot_put(void);
void slot_wait(void);
void slot_wait_end(void);
uint32_t slots_used(void);
uint32_t slots_freeze(uint32_t other);
void slots_thaw(void);
void slots_reserve(int n);
void loop_give(unsigned int number, struct packet *packet);

int sockets_open(const char *address, int count, int **listeners);
void notify(const char *fmt, ...) __printf(1, 2);

#endif /* _WSUP_SERVE_H */
