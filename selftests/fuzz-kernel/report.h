/* SPDX-License-Identifier: GPL-2.0 */
/* What is kept in a directory: corpus, findings, and what ran last. */
#ifndef WS_FUZZ_REPORT_H
#define WS_FUZZ_REPORT_H

#include <stdbool.h>

#include "program.h"

int report_open(const char *dir);

/* Before a program runs, so that it is known when it takes the kernel along */
void report_next(const struct program *p, unsigned long number);

/* The kernel complained since the last time: the log of that, or NULL */
const char *report_kernel(void);

/* Kept once of each kind, the numbers in what aside. Return: it was new */
bool report_finding(const struct program *p, const char *what,
		    const char *log);
void report_corpus(const struct program *p);

/* Call with each program of the corpus */
void report_read(void (*call)(const struct program *p));

/* A file of that name asks for the end. */
bool report_stop(void);
void report_sum(const char *line);

#endif
