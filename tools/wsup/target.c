// SPDX-License-Identifier: GPL-2.0
/*
 * The addresses of the server behind. A name may get others while this server
 * runs, so it is looked up again, by a thread of its own, as getaddrinfo()
 * blocks; connections meanwhile use what there was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

#define FRESH_MS	10000	/* then a name is looked up again */

struct target {
	atomic_int	users;
	struct addrinfo	*list;
	long		since;
};

static char host[256];
static const char *port;
static bool numeric;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static struct target *newest;
static bool looking;		/* the thread has something to do */
static bool started;

static struct target *target_new(struct addrinfo *list)
{
	struct target *t = malloc(sizeof(*t));

	if (!t) {
		freeaddrinfo(list);
		return NULL;
	}
	t->users = 1;
	t->list = list;
	t->since = now_ms();
	return t;
}

static int resolve(int flags, struct addrinfo **list)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};

	return getaddrinfo(host, port, &hints, list);
}

static void split(const char *to)
{
	const char *colon = strrchr(to, ':');
	size_t len = colon ? (size_t)(colon - to) : 0;
	bool bracket = len > 2 && *to == '[' && colon[-1] == ']';

	if (!len || len >= sizeof(host))
		die_usage("--to: not HOST:PORT: %s", to);
	if (!bracket && memchr(to, ':', len))
		die_usage("--to: not [ADDRESS]:PORT: %s", to);
	memcpy(host, to + bracket, len - 2 * bracket);
	port = colon + 1;
	parse_number("--to: port", port, 1, 65535);
}

/**
 * target_open() - find the server to relay to, or exit
 * @to: HOST:PORT
 */
void target_open(const char *to)
{
	struct addrinfo *list;
	int err;

	split(to);
	numeric = !resolve(AI_NUMERICHOST, &list);
	err = numeric ? 0 : resolve(0, &list);
	if (err)
		die("--to: %s: %s", host, gai_strerror(err));
	newest = target_new(list);
	if (!newest)
		die("%s", strerror(ENOMEM));
}

/* Takes over what was found; without that, what there was stays good. */
static void publish(struct target *t)
{
	struct target *old = t ? newest : NULL;

	if (t)
		newest = t;
	else
		newest->since = now_ms();
	looking = false;
	pthread_mutex_unlock(&lock);
	if (old)
		target_put(old);
	serve_wake();
	pthread_mutex_lock(&lock);
}

static void *look_up(void *arg)
{
	struct addrinfo *list;
	int err;

	(void)arg;
	pthread_mutex_lock(&lock);
	for (;;) {
		while (!looking)
			pthread_cond_wait(&wanted, &lock);
		pthread_mutex_unlock(&lock);
		err = resolve(0, &list);
		pthread_mutex_lock(&lock);
		publish(err ? NULL : target_new(list));
	}
	return NULL;
}

static void look_up_again(void)
{
	pthread_t thread;

	if (!started) {
		if (pthread_create(&thread, NULL, look_up, NULL))
			return;
		pthread_detach(thread);
	}
	started = true;
	looking = true;
	pthread_cond_signal(&wanted);
}

/**
 * target_get() - the addresses, as far as they are known
 *
 * Return: to be given back with target_put().
 */
struct target *target_get(void)
{
	struct target *t;

	pthread_mutex_lock(&lock);
	t = newest;
	atomic_fetch_add(&t->users, 1);
	if (!numeric && !looking && now_ms() - t->since > FRESH_MS)
		look_up_again();
	pthread_mutex_unlock(&lock);
	return t;
}

/**
 * target_put() - addresses are not used any more
 * @t: from target_get(); may be NULL
 */
void target_put(struct target *t)
{
	if (!t || atomic_fetch_sub(&t->users, 1) > 1)
		return;
	freeaddrinfo(t->list);
	free(t);
}

/**
 * target_list() - addresses to try in turn
 * @t: from target_get()
 *
 * Return: the first.
 */
const struct addrinfo *target_list(const struct target *t)
{
	return t->list;
}

/**
 * target_renew() - none of the addresses is of use: are there others?
 * @since: when that was begun to be found out, as of now_ms()
 *
 * Return: 1 target_get() has newer ones, 0 they are being looked up and the
 * loops will be woken, -1 there are no others.
 */
int target_renew(long since)
{
	int ret = -1;

	pthread_mutex_lock(&lock);
	if (!numeric) {
		ret = newest->since > since;
		if (!ret && !looking)
			look_up_again();
		if (!ret && !started)
			ret = -1;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}
