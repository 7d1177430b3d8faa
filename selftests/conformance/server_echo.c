// SPDX-License-Identifier: GPL-2.0
/*
 * usage: server_echo [-m MODE] [-M BYTES] [-F BYTES] [-N FRAMES] HOST PORT
 *
 * Server under test: upgrades every connection and echoes its messages, a
 * thread each. MODE: stream, message or records; the others are limits for
 * messages (bytes), frames (bytes) and messages (frames).
 */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "echo.h"

#define BACKLOG		128

static const char usage[] =
	"usage: server_echo [-m MODE] [-M BYTES] [-F BYTES] [-N FRAMES]\n"
	"                   HOST PORT\n";

static struct settings settings;

static int upgrade(int fd, struct head *h)
{
	char accept[ACCEPT_SIZE], key[64], out[256];
	int n;

	if (read_head(fd, h))
		return -1;
	if (!head_field(h, "Sec-WebSocket-Key", key, sizeof(key))) {
		n = snprintf(out, sizeof(out), "HTTP/1.1 400 Bad Request\r\n"
			     "Content-Length: 0\r\n\r\n");
		write_all(fd, out, n);
		return -1;
	}
	accept_of(key, accept);
	n = snprintf(out, sizeof(out),
		     "HTTP/1.1 101 Switching Protocols\r\n"
		     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		     "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
	return write_all(fd, out, n);
}

static void *serve(void *arg)
{
	int fd = (int)(long)arg;
	struct head h;

	if (!upgrade(fd, &h) && !attach(fd, WS_SERVER, &settings, &h))
		echo(fd, &settings);
	close(fd);
	return NULL;
}

static int listen_on(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE };
	struct addrinfo *ai;
	int one = 1;
	int fd, err;

	err = getaddrinfo(host, port, &hints, &ai);
	if (err) {
		fprintf(stderr, "server_echo: %s\n", gai_strerror(err));
		return -1;
	}
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		perror("server_echo: listen");
		return -1;
	}
	freeaddrinfo(ai);
	return fd;
}

int main(int argc, char **argv)
{
	int first = read_settings(&settings, argc, argv);
	pthread_t thread;
	int fd, conn;

	if (first < 0 || argc - first != 2) {
		fputs(usage, stderr);
		return 2;
	}
	fd = listen_on(argv[first], argv[first + 1]);
	if (fd < 0)
		return 1;
	for (;;) {
		conn = accept(fd, NULL, NULL);
		if (conn < 0)
			continue;
		if (pthread_create(&thread, NULL, serve, (void *)(long)conn))
			close(conn);
		else
			pthread_detach(thread);
	}
}
