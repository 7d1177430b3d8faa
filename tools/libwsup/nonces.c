// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which Digest nonces were used, and how often: RFC 7616 section 3.4 lets a
 * server see by the count that an answer is repeated.
 *
 * What is remembered is bounded. A nonce that has to make room takes with it
 * all that are older and could have had its place: they are stale from then on,
 * and their users get new ones.
 */
#include <pthread.h>
#include <stdlib.h>

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

/**
 * nonces_new() - remember nothing yet
 *
 * Return: to be freed with nonces_free(), or NULL without memory.
 */
struct nonces *nonces_new(void)
{
	struct nonces *nonces = calloc(1, sizeof(*nonces));

	if (nonces)
		pthread_mutex_init(&nonces->lock, NULL);
	return nonces;
}

/**
 * nonces_free() - forget all
 * @nonces: may be NULL
 */
void nonces_free(struct nonces *nonces)
{
	if (nonces)
		pthread_mutex_destroy(&nonces->lock);
	free(nonces);
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

	pthread_mutex_lock(&nonces->lock);
	good = use(&nonces->sets[random % SETS], when, random, count);
	pthread_mutex_unlock(&nonces->lock);
	return good;
}
