/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A test program in TAP: each TEST() runs in a child of its own, so that one
 * that crashes (or that a sanitizer ends) is one "not ok" and the rest runs.
 * Arguments are names of tests to run; none means all.
 */
#ifndef _UNIT_TAP_H
#define _UNIT_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct tap_test {
	const char	*name;
	const char	*clause;
	void		(*fn)(void);
	struct tap_test	*next;
};

static struct tap_test *tap_first, **tap_last = &tap_first;

/* Constructors of one file run in the order in which they stand in it. */
#define TEST(name_, clause_)						\
	static void name_(void);					\
	static struct tap_test tap_##name_ = {				\
		.name = #name_, .clause = clause_, .fn = name_,		\
	};								\
	__attribute__((constructor)) static void tap_add_##name_(void)	\
	{								\
		*tap_last = &tap_##name_;				\
		tap_last = &tap_##name_.next;				\
	}								\
	static void name_(void)

/* Ends the test when @cond does not hold; the rest is printf()'s. */
#define CHECK(cond, ...) do {						\
	if (!(cond)) {							\
		printf("# %s:%d: %s: ", __FILE__, __LINE__, #cond);	\
		printf(__VA_ARGS__);					\
		printf("\n");						\
		exit(1);						\
	}								\
} while (0)

#define CHECK_EQ(got, want) do {					\
	unsigned long long got_ = (got), want_ = (want);		\
	CHECK(got_ == want_, #got " is %#llx, not %#llx", got_, want_);	\
} while (0)

static inline bool tap_wanted(const struct tap_test *t, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(t->name, argv[i]))
			return true;
	return argc == 1;
}

static inline bool tap_child(const struct tap_test *t)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		t->fn();
		exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static inline int tap_main(const char *suite, int argc, char **argv)
{
	unsigned int n = 0, failed = 0;
	struct tap_test *t;

	printf("TAP version 13\n");
	for (t = tap_first; t; t = t->next) {
		bool ok;

		if (!tap_wanted(t, argc, argv))
			continue;
		ok = tap_child(t);
		failed += !ok;
		printf("%sok %u - %s.%s (%s)\n", ok ? "" : "not ", ++n, suite,
		       t->name, t->clause);
	}
	printf("1..%u\n", n);
	return failed || !n;
}

#define TAP_MAIN(suite)							\
	int main(int argc, char **argv)					\
	{								\
		return tap_main(suite, argc, argv);			\
	}

/* A small generator with a fixed seed: the same numbers in every run. */
static inline unsigned int tap_random(unsigned long long *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

#endif /* _UNIT_TAP_H */
