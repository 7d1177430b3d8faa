/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two programs under test share: they echo messages over a socket
 * that the module frames, by plain system calls, without our library.
 */
#ifndef _CONFORMANCE_ECHO_H
#define _CONFORMANCE_ECHO_H

#include <stdbool.h>
#include <stddef.h>

#define HEAD_MAX	8192
#define ACCEPT_SIZE	29	/* of Sec-WebSocket-Accept, with its NUL */

/**
 * struct settings - how the sockets are set up, from the command line
 * @mode: WS_RX_STREAM, WS_RX_MESSAGE or WS_RX_RECORDS
 * @message_max: bytes, -1 = leave as it is
 * @frame_max: bytes, -1 = leave as it is
 * @fragments_max: frames, -1 = leave as it is
 * @processes: of the client, each with one connection at a time
 */
struct settings {
	int mode;
	int message_max;
	int frame_max;
	int fragments_max;
	int processes;
};

/**
 * struct head - the other side's half of the HTTP handshake
 * @data: its bytes, NUL behind the blank line
 * @behind: what came in the same segments behind the blank line
 * @extra: number of bytes at @behind
 */
struct head {
	char data[HEAD_MAX + 1];
	const char *behind;
	size_t extra;
};

int read_settings(struct settings *s, int argc, char **argv);
int read_head(int fd, struct head *h);
bool head_field(const struct head *h, const char *name, char *value,
		size_t size);
int write_all(int fd, const char *data, size_t n);
void accept_of(const char *key, char *out);
int attach(int fd, int role, const struct settings *s, const struct head *h);
int echo(int fd, const struct settings *s);

#endif /* _CONFORMANCE_ECHO_H */
