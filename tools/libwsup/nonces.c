// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which Digest nonces were used, and how often: RFC 7616 section 3.4 lets a
 * server see by the count that an answer is repeated.
 *
 * Processes that were forked after the configuration was made share its secret,
 * so they have to share this, too.
 *
 * What is remembered is bounded. A nonce that has to make room takes with it
 * all that are older and could have had its place: they are stale from then on,
 * and their users get new ones.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "auth.h"

#define SETS	256
#define WAYS	8

struct used {
	unsigned long long	when;
	unsigned long long	random;
	unsigned long		count;
};

struct set {
	unsigned long long	forgotten;	/* so old, or older */
	unsigned int		next;
	struct used		used[WAYS];
};

struct nonces {
	pthread_mutex_t	lock;
	struct set	sets[SETS];
};

static int init_lock(struct nonces *nonces)
{
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(&nonces->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return err;
}

/**
 * nonces_new() - remember nothing yet
 *
 * Return: to be freed with nonces_free(), or NULL without memory.
 */
struct nonces *nonces_new(void)
{
	struct nonces *nonces = mmap(NULL, sizeof(*nonces),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (nonces == MAP_FAILED)
		return NULL;
	if (!init_lock(nonces))
		return nonces;
	nonces_free(nonces);
	return NULL;
}

/**
 * nonces_free() - forget all, in this process
 * @nonces: may be NULL
 *
 * Another process may still use the lock: it goes with the memory.
 */
void nonces_free(struct nonces *nonces)
{
	if (nonces)
		munmap(nonces, sizeof(*nonces));
}

static struct used *find(struct set *set, unsigned long long when,
			 unsigned long long random)
{
	struct used *used;

	for (used = set->used; used < set->used + WAYS; used++)
		if (used->when == when && used->random == random)
			return used;
	return NULL;
}

static struct used *remember(struct set *set, unsigned long long when,
			     unsigned long long random)
{
	struct used *used = &set->used[set->next++ % WAYS];

	if (used->when > set->forgotten)
		set->forgotten = used->when;
	*used = (struct used){ .when = when, .random = random };
	return used;
}

static bool use(struct set *set, unsigned long long when,
		unsigned long long random, unsigned long count)
{
	struct used *used = find(set, when, random);

	if (!used && when > set->forgotten)
		used = remember(set, when, random);
	if (!used || count <= used->count)
		return false;
	used->count = count;
	return true;
}

/**
 * nonces_use() - note that a nonce was used
 * @nonces: remembers
 * @when: the nonce was made, not 0
 * @random: part of the nonce
 * @count: from the client, counting from 1
 *
 * Return: false if it has been used with this count or a higher one, or if that
 * is not known any more.
 */
bool nonces_use(struct nonces *nonces, unsigned long long when,
		unsigned long long random, unsigned long count)
{
	bool good;

	/* who ended with the lock has at worst not counted an answer */
	if (pthread_mutex_lock(&nonces->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&nonces->lock);
	good = use(&nonces->sets[random % SETS], when, random, count);
	pthread_mutex_unlock(&nonces->lock);
	return good;
}
