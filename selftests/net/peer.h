/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection over loopback: one end has "ws" attached, the other is plain
 * TCP, so that a test decides and sees each byte. The frames here are built
 * and taken apart on their own, without any code of what is tested.
 *
 * Functions that return int give 0, or -1 after a line about what was wrong.
 * Nothing waits longer than PEER_LIMIT for its next step.
 */
#ifndef WS_SELFTESTS_PEER_H
#define WS_SELFTESTS_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <linux/ws.h>

#define PEER_LIMIT	10000	/* ms */
#define PEER_HEADER	14	/* bytes of the longest header */

/* First bytes of frames */
#define FIN		0x80
#define CONT		WS_OP_CONT
#define TEXT		WS_OP_TEXT
#define BINARY		WS_OP_BINARY
#define CLOSE		(FIN | WS_OP_CLOSE)
#define PING		(FIN | WS_OP_PING)
#define PONG		(FIN | WS_OP_PONG)

/* Or'ed to a family: segments as no TCP makes them are between the ends. */
#define PEER_WIRE	0x100

struct peer {
	int fd;			/* the end under test */
	int raw;		/* the other end, plain TCP */
	int family;
	int role;		/* of fd */
	unsigned int seed;	/* of the keys that raw masks with */
	unsigned char key[4];	/* that fd masked its last frame with */
	void (*end)(void);	/* of another end than raw */
};

/* Connections. role says which end calls connect(): the client. */
int peer_connect(struct peer *p, int family, int role);
int peer_attach(int fd);
int peer_open(struct peer *p, int family, int role);
int peer_reopen(struct peer *p);
void peer_close(struct peer *p);

/* Options of level SOL_WS: 0 or errno */
int peer_set(int fd, int option, int value);
int peer_get(int fd, int option);
int peer_set_close(int fd, int code, const char *reason);

/* How it ended: code 0xffff where that cannot be asked */
struct ws_close peer_ended(int fd);
int peer_info(int fd, struct ws_info *info);

/*
 * The calling process gets a network namespace of its own, so that counters
 * start at 0 and settings concern nobody else. Counters: -1 if there is none
 * of that name; peer_stat_is() waits until it has this value. Settings: 0 or
 * errno.
 */
int peer_netns(void);
long long peer_stat(const char *name);
int peer_stat_is(const char *name, long long value);
int peer_set_sysctl(const char *name, int value);
int peer_get_sysctl(const char *name);

/*
 * Frames from raw. b0 is their first byte as on the wire; peer_build() returns
 * how many bytes it wrote to buf, which has room for PEER_HEADER more than
 * len. peer_build_as() takes the bytes of the extended length (0, 2 or 8) and
 * whether there is a mask.
 */
size_t peer_build(struct peer *p, void *buf, int b0, const void *data,
		  size_t len);
size_t peer_build_as(struct peer *p, void *buf, int b0, int extended,
		     bool masked, const void *data, size_t len);
int peer_write(struct peer *p, const void *buf, size_t len);
int peer_send(struct peer *p, int b0, const void *data, size_t len);
int peer_text(struct peer *p, int b0, const char *text);
int peer_send_close(struct peer *p, int code, const char *reason);

/* What raw gets: exactly this frame, masked as fd's role demands */
int peer_read(struct peer *p, void *buf, size_t len);
int peer_header(struct peer *p, int *b0, size_t *len);

/*
 * Like peer_read(), but by a slow peer: a few bytes in a pause of some ms. It
 * is a slow one for sure if it says how long the longest pause became.
 */
struct peer_pace {
	size_t step;
	int ms;
	int longest;		/* result: ms */
};

int peer_read_slowly(struct peer *p, void *buf, size_t len,
		     struct peer_pace *pace);
int peer_see(struct peer *p, int b0, const void *data, size_t len);
int peer_see_text(struct peer *p, int b0, const char *text);
int peer_see_close(struct peer *p, int code, const char *reason);
int peer_see_fin(struct peer *p);
int peer_see_reset(struct peer *p);

/* A message in frames of any lengths, control frames not among them */
int peer_see_message(struct peer *p, int opcode, const void *data, size_t len);

/* A ping there and a pong back: what raw wrote before has been received */
int peer_sync(struct peer *p);

/* Events of fd: those of events that are there within ms */
int peer_poll(int fd, int events, int ms);

/* recv() until len bytes are there */
int peer_recv(int fd, void *buf, size_t len);

/* recv() gives exactly this; recv() fails with errno */
int peer_gets(int fd, const char *text);
int peer_fails(int fd, int error);

/* recvmsg() with room for WS_FRAME */
struct peer_msg {
	ssize_t len;		/* or -errno */
	int flags;
	bool framed;		/* WS_FRAME was there */
	struct ws_frame frame;
};

struct peer_msg peer_recvmsg(int fd, void *buf, size_t len, int flags);

/* sendmsg() with WS_TX_TYPE: bytes or -errno */
ssize_t peer_sendmsg(int fd, int type, const void *buf, size_t len, int flags);

/*
 * A call in a thread, because it waits for what the test does: job->call, or
 * one of those below. peer_join() gives what it returned, or -errno.
 */
struct peer_job {
	pthread_t thread;
	ssize_t (*call)(struct peer_job *job);
	int fd;
	void *buf;
	size_t len;
	ssize_t ret;
	bool done;
};

int peer_start_call(struct peer_job *job);
int peer_start(struct peer_job *job, int fd, const void *buf, size_t len);
int peer_start_recv(struct peer_job *job, int fd, void *buf, size_t len);
int peer_start_close(struct peer_job *job, int fd);
bool peer_running(struct peer_job *job);
ssize_t peer_join(struct peer_job *job);

/* Bytes that a shift or a swap would show */
void peer_fill(void *buf, size_t len, unsigned int seed);

#endif
