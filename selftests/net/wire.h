/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A peer that is no TCP stack: the far end of a connection is on a TUN device,
 * and each segment that leaves it is one that a program has made. So sequence
 * numbers, bytes, flags, windows, urgent pointers and timestamps are free; the
 * near end is an ordinary socket of the kernel.
 *
 * A segment is sent in the course of write(), and the kernel has handled it
 * when that returns, unless a system call had locked the socket: no clock and
 * no thread is involved. Knows nothing of WebSocket nor of any test harness.
 *
 * Functions that return int give 0, or -1 after a line about what was wrong,
 * unless it is said otherwise. Ports and numbers are in the host's order.
 */
#ifndef WS_SELFTESTS_WIRE_H
#define WS_SELFTESTS_WIRE_H

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define WIRE_PACKET	65535	/* bytes of the longest packet */
#define WIRE_DATA	65000	/* bytes of payload that always fit in it */
#define WIRE_IN		262144
#define WIRE_LIMIT	10000	/* ms that an answer to a SYN may take */

/* A segment. Sent as it is, whether it makes sense or not. */
struct segment {
	uint16_t from, to;	/* ports */
	uint32_t seq, ack;
	int flags;		/* TH_SYN, TH_ACK, ... */
	uint16_t window;	/* as in the header: scaled */
	uint16_t urgent;	/* the pointer */
	bool stamped;		/* has timestamps: */
	uint32_t stamp, echo;
	int mss;		/* 0: not there */
	int scale;		/* -1: not there */
	bool sack;		/* permitted */
	const void *data;
	size_t len;
};

/* The far end of a connection, and what it knows of the near one */
struct wire {
	/* wire_init() sets these; to be changed before wire_open() */
	int tun;
	int family;
	uint32_t first;		/* sequence number of our SYN */
	uint32_t room;		/* the window that we offer, in bytes */
	int scale;		/* of it; -1: none, and the kernel has none */
	int mss;		/* that we offer */
	bool stamps;		/* offer timestamps */
	bool sack;
	int rcvbuf;		/* SO_RCVBUF of the near end, 0: as it is */

	/* the connection */
	uint16_t port, kernel_port;
	uint32_t next;		/* of our stream: the first byte never sent */
	uint32_t stamp;		/* one more with each segment */
	uint32_t echo;		/* what the kernel stamped last */
	uint32_t acked;		/* the kernel has acknowledged up to here */
	uint32_t window;	/* what it let us send from there, in bytes */
	int kernel_scale;
	uint32_t got;		/* of the kernel's stream: the next byte */
	bool syn, fin, reset;	/* came from the kernel */
	unsigned long sent, seen;	/* segments */

	/* payload that came in order, for wire_take() */
	unsigned char in[WIRE_IN];
	size_t in_len;
	unsigned char packet[WIRE_PACKET];
};

/*
 * The TUN device, in the network namespace of the caller, who should have one
 * of its own: up, with addresses of both families. Return: its descriptor
 */
int wire_tun(void);

/* Defaults: a window of 64 KB, SACK, timestamps, an mss of 1460 */
void wire_init(struct wire *w, int tun, int family);

/* Open a connection. Return: the descriptor of the near end */
int wire_open(struct wire *w, bool kernel_connects);

/* Address of the kernel, or of the far end. Return: its length */
socklen_t wire_address(struct sockaddr_storage *ss, int family, bool kernel,
		       uint16_t port);

/* A segment to be changed and sent: next in order, all acknowledged, empty */
struct segment wire_segment(const struct wire *w);

/* Send this. What goes beyond next moves that. */
int wire_send(struct wire *w, const struct segment *s);

/* Bytes of our stream from seq on, sent before or not, as one segment */
int wire_write(struct wire *w, uint32_t seq, const void *data, size_t len);

/* The next bytes of our stream, in one segment */
int wire_append(struct wire *w, const void *data, size_t len);

/* Acknowledge what came; our FIN; a reset in the place the kernel wants */
int wire_ack(struct wire *w);
int wire_fin(struct wire *w);
int wire_reset(struct wire *w);

/*
 * The next segment of the kernel's on this connection, within so many ms (-1:
 * no limit). It is counted into w; nothing is sent for it. s may be NULL.
 * Return: 1, 0 when there was none in time, -1
 */
int wire_recv(struct wire *w, struct segment *s, int ms);

/* All segments that are there now. Return: how many, -1 */
int wire_drain(struct wire *w);

/*
 * Have the kernel tell where it is: it acknowledges an old byte (of value 0) at
 * once, unless the socket is locked. Waits for that as long as wire_recv()
 * does. Return: 1, 0 when nothing came, -1
 */
int wire_ask(struct wire *w, int ms);

/*
 * Up to len bytes of payload that came, waited for as long as wire_recv() does
 * each time; acknowledged if ack. Return: how many, 0 in the end, -1
 */
ssize_t wire_take(struct wire *w, void *buf, size_t len, int ms, bool ack);

/*
 * A packet of a segment, and back: pure functions. wire_build() returns the
 * length, wire_parse() whether it is a segment at all, of which family.
 */
size_t wire_build(int family, const struct segment *s, void *packet);
int wire_parse(const void *packet, size_t n, struct segment *s);

/* Sequence numbers: a is before b */
static inline bool wire_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

#endif
