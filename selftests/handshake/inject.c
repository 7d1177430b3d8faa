// SPDX-License-Identifier: GPL-2.0
/*
 * What a program cannot bring about from outside: memory, descriptors, threads
 * and random numbers that are not to be had, and time that passes. The linker
 * puts these functions in front of the real ones (see the Makefile).
 */
#include <errno.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "inject.h"

static atomic_long left = -1;
static atomic_long late;
static atomic_long digests;
static atomic_long calls;
static atomic_bool flooded;
static const char *addresses;

/* Is it this one? */
static bool fails(void)
{
	return atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_eventfd(unsigned int value, int flags);
int __real_socket(int family, int type, int protocol);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *arg), void *arg);
ssize_t __real_getrandom(void *data, size_t len, unsigned int flags);
int __real_getaddrinfo(const char *host, const char *port,
		       const struct addrinfo *hints, struct addrinfo **list);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
ssize_t __real_recv(int fd, void *data, size_t len, int flags);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
int __real_EVP_Q_digest(OSSL_LIB_CTX *ctx, const char *name, const char *query,
			const void *data, size_t len, unsigned char *hash,
			size_t *hash_len);

static bool no_memory(void)
{
	if (!fails())
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return no_memory() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	return no_memory() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return no_memory() ? NULL : __real_strndup(s, n);
}

int __wrap_eventfd(unsigned int value, int flags)
{
	if (!fails())
		return __real_eventfd(value, flags);
	errno = EMFILE;
	return -1;
}

int __wrap_socket(int family, int type, int protocol)
{
	if (!fails())
		return __real_socket(family, type, protocol);
	errno = EMFILE;
	return -1;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *arg), void *arg)
{
	return fails() ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned int flags)
{
	if (!fails())
		return __real_getrandom(data, len, flags);
	errno = ENOSYS;
	return -1;
}

/* A name with the addresses that a script wants, in its order */
static int resolve_many(const char *port, const struct addrinfo *hints,
			struct addrinfo **list)
{
	char *text = __real_strdup(addresses), *save, *one;
	int err = 0;

	for (one = strtok_r(text, ",", &save); one && !err;
	     one = strtok_r(NULL, ",", &save)) {
		err = __real_getaddrinfo(one, port, hints, list);
		while (!err && *list)
			list = &(*list)->ai_next;
	}
	free(text);
	return err;
}

int __wrap_getaddrinfo(const char *host, const char *port,
		       const struct addrinfo *hints, struct addrinfo **list)
{
	if (fails())
		return EAI_MEMORY;
	if (!addresses || strncmp(host, "many.test", 9))
		return __real_getaddrinfo(host, port, hints, list);
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	return resolve_many(port, hints, list);
}

/* The clock of nonces, not that of time limits. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int ret = __real_clock_gettime(clock, ts);

	if (clock == CLOCK_BOOTTIME)
		ts->tv_sec += atomic_load(&late);
	return ret;
}

/* A peer that is never done, however fast it is read. */
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
	ssize_t n = __real_recv(fd, data, len, flags);

	atomic_fetch_add(&calls, 1);
	if (n >= 0 || !atomic_load(&flooded))
		return n;
	memset(data, 'x', len);
	return (ssize_t)len;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	atomic_fetch_add(&calls, 1);
	return __real_send(fd, data, len, flags);
}

/* What takes time where passwords are compared. */
int __wrap_EVP_Q_digest(OSSL_LIB_CTX *ctx, const char *name, const char *query,
			const void *data, size_t len, unsigned char *hash,
			size_t *hash_len)
{
	atomic_fetch_add(&digests, 1);
	return __real_EVP_Q_digest(ctx, name, query, data, len, hash, hash_len);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? __wrap_malloc(size) : NULL;
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return __wrap_realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/**
 * inject_begin() - count from here
 * @nth: the call that is to fail, from 1; the next ones do not
 *
 * What the crypto library allocates once and for all comes before that: it does
 * not get over a failure there.
 */
void inject_begin(long nth)
{
	static const char * const digests[] = { "MD5", "SHA256", "SHA512-256",
						"SHA1" };
	unsigned char out[EVP_MAX_MD_SIZE];
	size_t i, len;

	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		EVP_Q_digest(NULL, digests[i], NULL, "", 0, out, &len);
	atomic_store(&left, nth);
}

/**
 * inject_reached() - has it failed?
 *
 * Return: false if there were not so many calls.
 */
bool inject_reached(void)
{
	return !atomic_load(&left);
}

/**
 * inject_minute() - let more than a minute pass
 */
void inject_minute(void)
{
	atomic_fetch_add(&late, 61);
}

/**
 * inject_digests() - how many hashes were made
 *
 * Return: since the program began.
 */
long inject_digests(void)
{
	return atomic_load(&digests);
}

/**
 * inject_calls() - how many calls were made that receive or send
 *
 * Return: since the program began.
 */
long inject_calls(void)
{
	return atomic_load(&calls);
}

/**
 * inject_flood() - let the peer send without end
 */
void inject_flood(void)
{
	atomic_store(&flooded, true);
}

/**
 * inject_addresses() - what the name many.test stands for
 * @list: addresses, with commas between them
 */
void inject_addresses(const char *list)
{
	addresses = list;
}
