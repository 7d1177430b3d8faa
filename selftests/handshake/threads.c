// SPDX-License-Identifier: GPL-2.0
/*
 * One configuration, many threads and forked processes: <wsup.h> allows it as
 * long as nobody changes it. What it remembers for all of them is which Digest
 * answers were used.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <wsup.h>

#include "tap.h"

#define THREADS		8
#define ROUNDS		100

static struct wsup_config *config;
static pthread_barrier_t barrier;
static atomic_int upgraded, stale, failed;

/* What a client sent that had the right answer to a challenge. */
static char request[4096];
static size_t request_len;

static void configure(void)
{
	config = wsup_config_new();
	CHECK(config, "no memory");
	wsup_config_set(config, WSUP_ATTACH, 0);
	wsup_config_set(config, WSUP_AUTH, WSUP_AUTH_DIGEST);
	wsup_config_add(config, WSUP_USER, "me:secret");
	wsup_config_add(config, WSUP_SUBPROTOCOL, "chat");
}

/* Both ends of a connection in turn, until both have come to an end. */
static void shake(struct wsup_hs *server, struct wsup_hs *client)
{
	int theirs, ours;

	do {
		ours = wsup_step(client);
		theirs = wsup_step(server);
	} while (ours == WSUP_AGAIN || theirs == WSUP_AGAIN);
	if (ours == WSUP_DONE && theirs == WSUP_DONE &&
	    !strcmp(wsup_user(server), "me") &&
	    !strcmp(wsup_subprotocol(client), "chat"))
		atomic_fetch_add(&upgraded, 1);
	else
		atomic_fetch_add(&failed, 1);
}

static void handshake(void)
{
	struct wsup_hs *server, *client;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    wsup_accept_new(&server, pair[0], config) ||
	    wsup_connect_new(&client, "ws://host/", pair[1], config)) {
		atomic_fetch_add(&failed, 1);
		return;
	}
	shake(server, client);
	wsup_free(server);
	wsup_free(client);
	close(pair[0]);
}

static void *many(void *arg)
{
	int i;

	pthread_barrier_wait(&barrier);
	for (i = 0; i < ROUNDS; i++)
		handshake();
	return arg;
}

static void run(void *(*fn)(void *arg))
{
	pthread_t threads[THREADS];
	size_t i;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, fn, NULL), "thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

TEST(one_config, "threads with one configuration, Digest")
{
	configure();
	run(many);
	CHECK_EQ(upgraded, THREADS * ROUNDS);
	CHECK_EQ(failed, 0);
	wsup_config_free(config);
}

/* A server's 401, a client's answer to it, which is kept. */
static void capture(void)
{
	struct wsup_hs *server, *client;
	char answer[4096];
	int up[2], down[2];
	ssize_t n;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, up) &&
	      !socketpair(AF_UNIX, SOCK_STREAM, 0, down), "socketpair");
	CHECK(!wsup_accept_new(&server, up[0], config) &&
	      !wsup_connect_new(&client, "ws://host/", down[0], config), "new");
	CHECK_EQ(wsup_step(client), WSUP_AGAIN);
	n = recv(down[1], request, sizeof(request), 0);
	CHECK_EQ(send(up[1], request, (size_t)n, 0), n);
	CHECK_EQ(wsup_step(server), WSUP_AGAIN);
	n = recv(up[1], answer, sizeof(answer), 0);
	CHECK_EQ(send(down[1], answer, (size_t)n, 0), n);
	CHECK_EQ(wsup_step(client), WSUP_AGAIN);
	request_len = (size_t)recv(down[1], request, sizeof(request), 0);
	CHECK(memmem(request, request_len, "\r\nAuthorization: Digest ", 24),
	      "no answer");
	wsup_free(client);
	wsup_free(server);
	close(up[0]);
	close(up[1]);
	close(down[1]);
}

/* The same answer by everybody at once, each to a server of its own. */
static void *repeat(void *arg)
{
	struct wsup_hs *server;
	char answer[4096];
	int pair[2];
	ssize_t n;

	pthread_barrier_wait(&barrier);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    send(pair[1], request, request_len, 0) < 0 ||
	    wsup_accept_new(&server, pair[0], config))
		return NULL;
	if (wsup_step(server) == WSUP_DONE)
		atomic_fetch_add(&upgraded, 1);
	n = recv(pair[1], answer, sizeof(answer), 0);
	if (n > 0 && memmem(answer, (size_t)n, "stale=true", 10))
		atomic_fetch_add(&stale, 1);
	wsup_free(server);
	close(pair[0]);
	close(pair[1]);
	return arg;
}

TEST(replay, "one answer to a challenge, repeated by all at once: one is good")
{
	int i;

	configure();
	for (i = 1; i <= ROUNDS; i++) {
		capture();
		run(repeat);
		CHECK_EQ(upgraded, i);
		CHECK_EQ(stale, i * (THREADS - 1));
	}
	wsup_config_free(config);
}

/* What came of it, as an exit code */
static int repeat_forked(void)
{
	atomic_store(&upgraded, 0);
	atomic_store(&stale, 0);
	pthread_barrier_init(&barrier, NULL, 1);
	repeat(NULL);
	return 2 * stale + upgraded;
}

TEST(replay_forked, "one answer, in each of many forked servers: one is good")
{
	int i, status, seen[4] = {};

	configure();
	capture();
	for (i = 0; i < THREADS; i++)
		if (!fork())
			_exit(repeat_forked());
	for (i = 0; i < THREADS; i++)
		if (wait(&status) > 0 && WIFEXITED(status))
			seen[WEXITSTATUS(status) & 3]++;
	CHECK_EQ(seen[1], 1);
	CHECK_EQ(seen[2], THREADS - 1);
	wsup_config_free(config);
}

/* The lock of one that is killed must not be waited for by the rest. */
TEST(killed, "servers that are killed at any time: the rest goes on")
{
	pid_t pid;
	int i;

	configure();
	for (i = 0; i < ROUNDS; i++) {
		capture();
		pid = fork();
		if (!pid)
			for (;;)
				repeat_forked();
		usleep((useconds_t)(i * 20));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		repeat_forked();
		CHECK_EQ(upgraded + stale, 1);
	}
	wsup_config_free(config);
}

TAP_MAIN("threads")
