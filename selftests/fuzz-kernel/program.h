/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program: which connection, and up to so many operations on both of its
 * ends. All that an operation does follows from its numbers. As text it has one
 * operation a line and can be written by hand.
 */
#ifndef WS_FUZZ_PROGRAM_H
#define WS_FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPERATIONS	40

/* Numbers out of a seed: splitmix64 */
struct dice {
	uint64_t state;
};

uint64_t roll(struct dice *d);
static inline unsigned int roll_below(struct dice *d, unsigned int n)
{
	return roll(d) % n;
}

/* true in one of n cases */
static inline bool roll_one_in(struct dice *d, unsigned int n)
{
	return roll_below(d, n) == 0;
}

/*
 * @call: index of the table of calls
 * @other: in the second thread, which the first does not wait for
 * @a, @b: selectors, whatever the call makes of them
 * @n: a length or a value
 * @seed: of bytes and of whatever else is left to chance
 */
struct operation {
	uint8_t call;
	uint8_t other;
	uint8_t a, b;
	uint32_t n;
	uint32_t seed;
};

struct program {
	bool ipv6, client, connects;
	unsigned int count;
	struct operation op[OPERATIONS];
};

/* The calls, as the generator sees them */
struct call_name {
	const char *name;
	unsigned int weight;	/* how often it is drawn */
	bool threaded;		/* may run in the second thread */
};

extern const struct call_name *call_names[100];
extern unsigned int call_count;

void program_make(struct program *p, struct dice *d);
void program_mutate(struct program *p, const struct program *other,
		    struct dice *d);
uint32_t length_of(struct dice *d);

/* As text, and back: 0, or -1 after a line about what was wrong */
void program_print(const struct program *p, FILE *out);
int program_read(struct program *p, FILE *in);
uint64_t program_hash(const struct program *p);

#endif
