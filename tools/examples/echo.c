// SPDX-License-Identifier: BSD-2-Clause
/* A WebSocket echo server: after wsup_accept() there is only read and write. */
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <wsup.h>

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(argc > 1 ? atoi(argv[1]) : 8080),
	};
	int fd, ret, listener = socket(AF_INET, SOCK_STREAM, 0);
	char buf[65536];
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);	/* write() tells of it as well */
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 16))
		err(1, "port");
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		ret = wsup_accept(fd, NULL, NULL);
		if (ret)
			warnx("%s", wsup_strerror(ret));
		while (!ret && (n = read(fd, buf, sizeof(buf))) > 0)
			if (write(fd, buf, n) != n)
				break;
		close(fd);
	}
	err(1, "accept");
}
