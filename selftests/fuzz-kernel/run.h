/* SPDX-License-Identifier: GPL-2.0 */
/* A program while it runs. */
#ifndef WS_FUZZ_RUN_H
#define WS_FUZZ_RUN_H

#include <linux/ws.h>

#include "model.h"
#include "program.h"
#include "wire.h"

#define TAKEN	(2 * STREAM)	/* bytes that a program may read */
#define PEEKS	16

/* What a peek showed: bytes of the payload from there on */
struct peek {
	size_t at, len;
	uint8_t data[256];
};

/*
 * The far end:
 * @w: the connection
 * @out, @out_len: the peer's stream, as its frames were made
 * @base: sequence number of its first byte
 * @acks: what comes is acknowledged after each operation
 * @open: a message of the peer's is
 * @fin_sent, @fin_at: the peer's FIN, which the kernel has, and its place
 * @lost: a segment was not sent after all
 * @sent: what the kernel sends, from its first frame on
 *
 * The near end:
 * @fd: -1 when it was closed
 * @role_set, @raw, @raw_sent: how many bytes were read and sent before that;
 *	@raw_byte, @raw_hole: which ones, and which are not known
 * @preload: bytes that stand before the peer's stream
 * @ext: all that WS_EXT ever allowed
 * @mode: of reading
 * @judge: what is read can be compared with the model
 * @shut: nothing more comes of it
 * @taken, @hole, @peek: payload that was read, or passed over
 */
struct run {
	struct wire w;
	uint8_t out[STREAM];
	size_t out_len;
	uint32_t base;
	bool acks, open, fin_sent, lost;
	size_t fin_at;
	struct dice key;
	struct sent sent;

	int fd;
	bool role_set, judge, shut, ended;
	int mode, rcvbuf;
	size_t raw, raw_sent;
	uint8_t preload[2048];
	uint8_t raw_byte[STREAM], raw_hole[STREAM];
	size_t preload_len;
	unsigned int ext;
	unsigned int fail;		/* this allocation of the next call */
	long last;			/* ms, of the last operation */

	struct model model;
	uint8_t taken[TAKEN];
	uint8_t hole[TAKEN];
	size_t taken_len;
	struct peek peek[PEEKS];
	unsigned int peeks;

	const struct program *program;
	char wrong[400];
};

/* Sums over all programs */
struct totals {
	unsigned long programs, calls, segments;
};

extern struct totals totals;
extern bool fast_time;		/* waiting costs nothing */
extern bool verbose;		/* show what a finding is about */

struct call {
	struct call_name name;
	bool far;		/* segments, and no system call on the socket */
	bool judged;		/* the model holds if another thread does it */
	void (*run)(struct run *r, const struct operation *o);
};

extern const struct call near_calls[], far_calls[];
extern const unsigned int near_count, far_count;
const struct call *call_of(const struct operation *o);

/* The first thing that was wrong stays. */
void wrong(struct run *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* far.c: the connection; what the kernel sent, after each operation; its end */
int far_open(struct run *r, const struct program *p);
void far_look(struct run *r);
void far_reset(struct run *r);
size_t make_frame(struct run *r, struct dice *d, uint8_t *to, size_t room,
		  unsigned int kind, size_t len);

/* near.c: read all that is there. Return: how that ended, an errno or 0 */
int near_open(void);
void near_second_thread(void);
int near_drain(struct run *r);
void near_close(struct run *r);
long now_ms(void);

/* judge.c: at the end, the near end still open, of which all was read */
void judge(struct run *r, int drained);
void judge_memory(struct run *r);

/* execute.c */
int execute_open(void);
void disarm(struct run *r);
void execute(struct run *r, const struct program *p);
unsigned int execute_cover(void);

#endif
