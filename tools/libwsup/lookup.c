// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looking up names without blocking the caller. getaddrinfo() cannot be
 * interrupted: a lookup that is not waited for any more goes on until the
 * resolver gives up, and the last of the two that leaves frees it.
 *
 * So threads may outlive their handshakes, and only a process as a whole can
 * have a bound for them: their number is the one state of the library that no
 * caller holds. And the code has to stay where it is, even if it is unloaded.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

#define THREADS_MAX	16

struct lookup {
	atomic_int	users;
	bool		waiting;	/* for other lookups to end */
	int		event;
	char		*host;
	char		*port;
	int		error;		/* EAI_* */
	struct addrinfo	*list;
};

/* Threads of a process, and which one: a fork leaves them behind. */
static _Atomic uint64_t threads;

static uint64_t threads_here(uint64_t old)
{
	uint64_t pid = (uint64_t)getpid() << 32;

	return old >> 32 << 32 == pid ? old : pid;
}

static bool take_thread(void)
{
	uint64_t old = atomic_load(&threads), new;

	do {
		new = threads_here(old);
		if ((uint32_t)new == THREADS_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&threads, &old, new + 1));
	return true;
}

static void give_thread(void)
{
	atomic_fetch_sub(&threads, 1);
}

static int look_up(struct lookup *lookup, int flags)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags,
	};

	return getaddrinfo(lookup->host, lookup->port, &hints, &lookup->list);
}

/* That cannot fail: the counter was 0. */
static void tell(const struct lookup *lookup)
{
	(void)!eventfd_write(lookup->event, 1);
}

static void *run(void *arg)
{
	struct lookup *lookup = arg;

	lookup->error = look_up(lookup, 0);
	tell(lookup);
	lookup_put(lookup);
	give_thread();
	return NULL;
}

/*
 * Whatever object this code is part of, libwsup.so or what was linked with the
 * archive, is not unloaded any more. A program itself cannot be, and is not
 * found.
 */
static void stay_loaded(void)
{
	Dl_info info;
	void *handle;

	if (!dladdr((void *)(uintptr_t)run, &info))
		return;
	handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD |
					RTLD_NODELETE);
	if (handle)
		dlclose(handle);
}

/* Signals are the application's: none is taken by this thread. */
static int start_thread(struct lookup *lookup)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	stay_loaded();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, run, lookup);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static int lookup_new(struct lookup **to, const char *host, const char *port)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	int err = -ENOMEM;

	*to = lookup;
	if (!lookup)
		return err;
	atomic_init(&lookup->users, 1);
	lookup->host = strdup(host);
	lookup->port = strdup(port);
	lookup->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lookup->event < 0)
		err = -errno;
	else if (lookup->host && lookup->port)
		return 0;
	lookup_put(lookup);
	*to = NULL;
	return err;
}

/* Or lets it wait, while too many run. */
static int run_in_thread(struct lookup *lookup)
{
	int err;

	lookup->waiting = !take_thread();
	if (lookup->waiting)
		return 0;
	atomic_fetch_add(&lookup->users, 1);
	err = start_thread(lookup);
	if (!err)
		return 0;
	atomic_fetch_sub(&lookup->users, 1);
	give_thread();
	return err;
}

/**
 * lookup_start() - begin to look up a name
 * @lookup: receives the lookup, to be given back with lookup_put()
 * @host: name or address
 * @port: number
 *
 * An address is known at once and takes no thread.
 *
 * Return: 0 or -errno.
 */
int lookup_start(struct lookup **lookup, const char *host, const char *port)
{
	struct lookup *l;
	int err;

	err = lookup_new(lookup, host, port);
	l = *lookup;
	if (!l)
		return err;
	l->error = look_up(l, AI_NUMERICHOST);
	if (l->error == EAI_NONAME)
		return run_in_thread(l);
	tell(l);
	return 0;
}

/**
 * lookup_fd() - descriptor that becomes readable when the result is there
 * @lookup: lookup
 *
 * Return: the descriptor.
 */
int lookup_fd(const struct lookup *lookup)
{
	return lookup->event;
}

/**
 * lookup_result() - take the result
 * @lookup: lookup
 * @list: receives addresses, to be freed with freeaddrinfo()
 *
 * Return: 0, -EAGAIN not yet, -EBUSY not before other lookups of the process
 * have ended, so that it has to be asked for again; -ENOMEM, -WSUP_ERESOLVE or
 * -errno.
 */
int lookup_result(struct lookup *lookup, struct addrinfo **list)
{
	eventfd_t value;
	int err;

	if (lookup->waiting) {
		err = run_in_thread(lookup);
		if (err || lookup->waiting)
			return err ? err : -EBUSY;
	}
	if (eventfd_read(lookup->event, &value))
		return -EAGAIN;
	if (lookup->error == EAI_MEMORY)
		return -ENOMEM;
	if (lookup->error)
		return -WSUP_ERESOLVE;
	*list = lookup->list;
	lookup->list = NULL;
	return 0;
}

/**
 * lookup_put() - leave a lookup, finished or not
 * @lookup: may be NULL
 */
void lookup_put(struct lookup *lookup)
{
	if (!lookup || atomic_fetch_sub(&lookup->users, 1) > 1)
		return;
	if (lookup->event >= 0)
		close(lookup->event);
	if (lookup->list)
		freeaddrinfo(lookup->list);
	free(lookup->host);
	free(lookup->port);
	free(lookup);
}
