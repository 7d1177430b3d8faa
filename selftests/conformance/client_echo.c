// SPDX-License-Identifier: GPL-2.0
/*
 * usage: client_echo [-m MODE] [-M BYTES] [-F BYTES] [-N FRAMES] [-j COUNT]
 *                    HOST PORT
 *
 * Client under test: connects again and again and echoes what it is sent,
 * until the server answers with something other than 101. COUNT processes do
 * so at a time; the other options are those of server_echo.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "echo.h"

#define KEY	"d3NfdWxwIGNvbmZvcm0hIQ=="

static const char usage[] =
	"usage: client_echo [-m MODE] [-M BYTES] [-F BYTES] [-N FRAMES]\n"
	"                  [-j COUNT] HOST PORT\n";

static const char request[] =
	"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	"Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
	"Sec-WebSocket-Version: 13\r\n\r\n";

static int upgrade(int fd, struct head *h)
{
	char accept[ACCEPT_SIZE], got[64];

	if (write_all(fd, request, strlen(request)) || read_head(fd, h))
		return -1;
	if (strncmp(h->data, "HTTP/1.1 101 ", 13))
		return -1;
	accept_of(KEY, accept);
	if (head_field(h, "Sec-WebSocket-Accept", got, sizeof(got)) &&
	    !strcmp(got, accept))
		return 0;
	fprintf(stderr, "client_echo: wrong Sec-WebSocket-Accept\n");
	return -1;
}

static int connect_to(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Return: 0 once turned away, 1 when no connection could be attached. */
static int run(const struct addrinfo *ai, const struct settings *s)
{
	struct head h;
	int fd, err;

	for (;;) {
		fd = connect_to(ai);
		if (fd < 0)
			return 0;
		if (upgrade(fd, &h)) {
			close(fd);
			return 0;
		}
		err = attach(fd, WS_CLIENT, s, &h) ? errno : 0;
		if (!err)
			echo(fd, s);
		close(fd);
		/* a reset may come before */
		if (err && err != ENOTCONN)
			return 1;
	}
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	int ret = 0, status, i, first;
	struct addrinfo *ai;
	struct settings s;

	first = read_settings(&s, argc, argv);
	if (first < 0 || argc - first != 2 ||
	    getaddrinfo(argv[first], argv[first + 1], &hints, &ai)) {
		fputs(usage, stderr);
		return 2;
	}
	for (i = 0; i < s.processes; i++)
		if (!fork())
			return run(ai, &s);
	while (wait(&status) > 0)
		ret |= status != 0;
	return ret;
}
