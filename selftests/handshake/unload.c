// SPDX-License-Identifier: GPL-2.0
/*
 * Lookups that no handshake waits for any more, by a resolver that does not
 * answer before it is told to: how many threads there are, and what becomes of
 * them when the library is unloaded.
 *
 *	unload LIBRARY
 *
 * This program has a getaddrinfo() of its own, which the library finds instead
 * of that of libc.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wsup.h>

#define HANDSHAKES	500
#define THREADS_MAX	16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static atomic_bool answers;
static atomic_int asked;

static struct {
	__typeof__(wsup_connect_new) *connect_new;
	__typeof__(wsup_step) *step;
	__typeof__(wsup_free) *free;
	__typeof__(wsup_timeout) *timeout;
} lib;

int getaddrinfo(const char *host, const char *port,
		const struct addrinfo *hints, struct addrinfo **list)
{
	(void)host;
	(void)port;
	(void)list;
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	atomic_fetch_add(&asked, 1);
	/* after a fork, the lock may be that of a thread that is not there */
	if (answers)
		return EAI_NONAME;
	pthread_mutex_lock(&lock);
	while (!answers)
		pthread_cond_wait(&change, &lock);
	pthread_mutex_unlock(&lock);
	return EAI_NONAME;
}

#define CHECK(c)							\
	do {								\
		if (!(c)) {						\
			fprintf(stderr, "line %d: not %s\n", __LINE__, #c); \
			exit(1);					\
		}							\
	} while (0)

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void set_answers(bool on)
{
	pthread_mutex_lock(&lock);
	answers = on;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&lock);
}

static void *load(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);

	CHECK(handle);
	*(void **)&lib.connect_new = dlsym(handle, "wsup_connect_new");
	*(void **)&lib.step = dlsym(handle, "wsup_step");
	*(void **)&lib.free = dlsym(handle, "wsup_free");
	*(void **)&lib.timeout = dlsym(handle, "wsup_timeout");
	CHECK(lib.connect_new && lib.step && lib.free && lib.timeout);
	return handle;
}

static struct wsup_hs *begin(void)
{
	struct wsup_hs *hs;

	CHECK(!lib.connect_new(&hs, "ws://a.name/", -1, NULL));
	lib.step(hs);
	return hs;
}

/* Handshakes that are over before their lookups, and one that waits for it. */
static void too_many(void)
{
	struct wsup_hs *hs;
	int i;

	for (i = 0; i < HANDSHAKES; i++)
		lib.free(begin());
	CHECK(count_threads() == 1 + THREADS_MAX);
	hs = begin();
	CHECK(lib.step(hs) == WSUP_AGAIN);
	CHECK(lib.timeout(hs) < 1000);
	CHECK(count_threads() == 1 + THREADS_MAX);
	set_answers(true);
	while (lib.step(hs) == WSUP_AGAIN)
		sched_yield();
	CHECK(lib.step(hs) == -WSUP_ERESOLVE);
	lib.free(hs);
}

/* What was running is not here. */
static void forked(void)
{
	struct wsup_hs *hs;
	int i, status;

	set_answers(false);
	for (i = 0; i < THREADS_MAX; i++)
		lib.free(begin());
	if (!fork()) {
		answers = true;
		hs = begin();
		while (lib.step(hs) == WSUP_AGAIN)
			sched_yield();
		_exit(lib.step(hs) != -WSUP_ERESOLVE);
	}
	CHECK(wait(&status) > 0 && !status);
}

int main(int argc, char **argv)
{
	void *handle;

	CHECK(argc == 2);
	handle = load(argv[1]);
	too_many();
	while (count_threads() > 1)
		sched_yield();
	CHECK(asked == THREADS_MAX + 1);
	forked();
	/* the threads come back to what they were called by */
	CHECK(!dlclose(handle));
	set_answers(true);
	while (count_threads() > 1)
		sched_yield();
	return 0;
}
