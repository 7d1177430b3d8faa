/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks share. They run in a guest with one processor whose
 * clock counts instructions, one a nanosecond (selftests/vm/run -I), so that
 * time means instructions, of all processes and of the kernel together.
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* main.c */
void die(const char *what) __attribute__((noreturn));
void dief(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* measure.c */
typedef void (*loop_fn)(void *arg, unsigned int n);

extern bool profiling;	/* mark the loops for a plugin, measure nothing */

u64 now(void);
double cost(const char *target, const char *what, loop_fn loop, void *arg);
double cost_of(const char *target, const char *what, loop_fn loop, void *arg,
	       unsigned int few);
double slope(const char *target, const char *what, loop_fn few, loop_fn many,
	     void *arg, unsigned int further);
u64 spin(u64 duration);
void profile_begin(void);
void profile_end(const char *target, const char *what, u64 turns);

/* report.c */
extern const char *report_kernel;

void report_open(const char *path);
void report_over(const char *target, const char *what, double value,
		 const char *unit, double limit);
void report_ratio(const char *target, const char *what, double value,
		  const char *of, double limit);
void report_most(const char *target, const char *what, double value,
		 const char *unit, double limit);
void report_least(const char *target, const char *what, double value,
		  const char *unit, double limit);
void report_raw(const char *target, const char *what, double value,
		const char *unit);
int report_close(void);

/* stat.c: what the peers sent must be what the kernel counted */
struct sent {
	u64	rx_frames;	/* by peers, to sockets that frame */
	u64	rx_bytes;	/* payload of their data frames */
	u64	tx_frames;	/* received by peers */
	u64	tx_bytes;
	u64	pings;		/* answered by a pong each */
};

extern struct sent sent;

void stat_begin(void);
void stat_end(const char *of);
u64 stat_get(const char *name);

/* conn.c */
struct pair {
	int	peer;		/* bytes, whatever they mean */
	int	app;		/* the end under test */
};

int listen_any(void);
void pair_open(struct pair *p);
void pair_close(struct pair *p);
void attach(int fd, int role);
void set_int(int fd, int level, int name, int value);
void put(int fd, const void *data, size_t len);
void get(int fd, void *data, size_t len);
ssize_t get_some(int fd, void *data, size_t room);

/* wire.c: framing in user space */
#define WIRE_HDR_MAX	14

size_t wire_frame(u8 *out, u8 b0, const void *payload, size_t len,
		  bool masked);
size_t wire_frames(u8 *out, u8 b0, size_t len, bool masked, unsigned int n);
ssize_t wire_serve(u8 *buf, size_t len, size_t *used);

/* server.c */
enum server_kind {
	SERVE_BYTES,		/* what came, back */
	SERVE_IN_PLACE,		/* frames, in user space */
	SERVE_KERNEL,		/* payload: the kernel frames */
	SERVE_RECORDS,		/* likewise, many messages a call */
};

struct server {
	pid_t		pid;
	u64		*wakeups;	/* returns of its epoll_wait() */
};

void server_start(struct server *s, enum server_kind kind, const int *fd,
		  unsigned int n);
u64 server_switches(const struct server *s);
void server_stop(struct server *s);
pid_t fork_child(void);
void *shared(size_t size);

/* the benchmarks */
void bench_message(void);
void bench_echo(void);
void bench_batch(void);
void bench_pong(void);
void bench_keepalive(void);
void bench_stopped(void);
void bench_idle(void);
void bench_serve(void);
void bench_relay(void);
void bench_handshake(void);

#endif /* _BENCH_H */
