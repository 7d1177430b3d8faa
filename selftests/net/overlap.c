// SPDX-License-Identifier: GPL-2.0
/*
 * A retransmission with other boundaries: TCP queues a segment whose first
 * bytes lie in the buffer before it as well. Each byte counts once.
 *
 * The first segment is made by hand, with a raw IP socket. What the peer's own
 * TCP sends next begins with the same bytes and goes further.
 */
#include "fixture.h"

PEER_FIXTURE_ALONE(overlap)

/* Where TCP is in a queue of fd; being asked in repair mode changes nothing */
static unsigned int sequence(int fd, int queue)
{
	int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP;
	socklen_t len = sizeof(unsigned int);
	unsigned int seq = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue));
	if (getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &len))
		perror("sequence");
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off));
	return seq;
}

struct address {
	struct sockaddr_storage ss;
	socklen_t len;
	unsigned short port;
};

static struct address address_of(int fd)
{
	struct address a = { .len = sizeof(a.ss) };

	getsockname(fd, (void *)&a.ss, &a.len);
	/* at the same place in both families */
	a.port = ((struct sockaddr_in *)&a.ss)->sin_port;
	((struct sockaddr_in *)&a.ss)->sin_port = 0;
	return a;
}

static const void *ip_of(const struct address *a, int *len)
{
	if (a->ss.ss_family == AF_INET) {
		*len = 4;
		return &((struct sockaddr_in *)&a->ss)->sin_addr;
	}
	*len = 16;
	return &((struct sockaddr_in6 *)&a->ss)->sin6_addr;
}

/* The bytes, as words of the network's order, added up */
static unsigned int add_up(const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	return sum;
}

static unsigned short checksum(const struct address *from,
			       const struct address *to, const void *segment,
			       size_t len)
{
	unsigned int sum = add_up(segment, len) + IPPROTO_TCP + len;
	const void *ip;
	int n;

	ip = ip_of(from, &n);
	sum += add_up(ip, n);
	ip = ip_of(to, &n);
	sum += add_up(ip, n);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* A segment from raw to fd that raw's own TCP knows nothing of */
static int inject(struct peer *p, unsigned int seq, const void *data,
		  size_t len)
{
	struct address from = address_of(p->raw), to = address_of(p->fd);
	struct {
		struct tcphdr h;
		char data[256];
	} s = { .h = {
		.source = from.port, .dest = to.port, .seq = htonl(seq),
		.ack_seq = htonl(sequence(p->raw, TCP_RECV_QUEUE)),
		.doff = 5, .ack = 1, .psh = 1, .window = htons(0xffff),
	} };
	int fd = socket(p->family, SOCK_RAW, IPPROTO_TCP);
	ssize_t n;

	memcpy(s.data, data, len);
	len += sizeof(s.h);
	s.h.check = checksum(&from, &to, &s, len);
	n = sendto(fd, &s, len, 0, (void *)&to.ss, to.len);
	close(fd);
	return n == len ? 0 : -1;
}

/*
 * All of it, [b, a) by hand first and then again with what follows. The peer's
 * TCP ignores what acknowledges bytes that it has not sent.
 */
static int write_twice(struct peer *p, const char *data, size_t len, size_t a,
		       size_t b)
{
	int one = 1;

	setsockopt(p->raw, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return peer_write(p, data, b) ?:
	       inject(p, sequence(p->raw, TCP_SEND_QUEUE), data + b, a - b) ?:
	       peer_write(p, data + b, len - b);
}

/* Fragments with a ping between them, and an empty message */
static size_t stream_of(struct peer *p, char *buf)
{
	size_t n = peer_build(p, buf, TEXT, "frag", 4);

	n += peer_build(p, buf + n, PING, "p", 1);
	n += peer_build(p, buf + n, FIN | CONT, "ments", 5);
	n += peer_build(p, buf + n, FIN | BINARY, "", 0);
	return n + peer_build(p, buf + n, FIN | TEXT, "next", 4);
}

/*
 * The next cut of n bytes. Not all of the ping is sent by hand: its pong would
 * acknowledge what it came with, and be sent again after a while.
 */
static bool next_cut(size_t *a, size_t *b, size_t n)
{
	if (++*b < *a)
		return true;
	++*a;
	*b = *a > 6 ? *a - 6 : 0;
	return *a < n;
}

TEST_F(overlap, stream)
{
	struct peer *p = &self->p;
	char data[64], buf[16];
	size_t n, a = 1, b = 0;

	do {
		n = stream_of(p, data);
		ASSERT_EQ(0, write_twice(p, data, n, a, b));
		ASSERT_EQ(0, peer_see_text(p, PONG, "p"));
		ASSERT_EQ(0, peer_recv(self->fd, buf, 9));
		ASSERT_EQ(0, memcmp(buf, "fragments", 9));
		ASSERT_EQ(0, peer_gets(self->fd, "next"));
		ASSERT_EQ(0, peer_sync(p));
		ASSERT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	} while (next_cut(&a, &b, n));
}

TEST_F(overlap, message)
{
	struct peer *p = &self->p;
	size_t n, a = 1, b = 0;
	char data[64];

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_MESSAGE));
	do {
		n = stream_of(p, data);
		ASSERT_EQ(0, write_twice(p, data, n, a, b));
		ASSERT_EQ(0, peer_see_text(p, PONG, "p"));
		ASSERT_EQ(0, peer_gets(self->fd, "fragments"));
		ASSERT_EQ(0, peer_gets(self->fd, "next"));
		ASSERT_EQ(0, peer_sync(p));
		ASSERT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	} while (next_cut(&a, &b, n));
}

TEST_F(overlap, records)
{
	static const char want[] =
		"\011\0\0\0\001\003\0\0fragments\0\0\0\0\0\0\0"
		"\0\0\0\0\002\003\0\0"
		"\004\0\0\0\001\003\0\0next\0\0\0";
	struct peer *p = &self->p;
	char data[64], buf[128];
	size_t n, a = 1, b = 0;

	ASSERT_EQ(0, peer_set(self->fd, WS_RX_MODE, WS_RX_RECORDS));
	do {
		n = stream_of(p, data);
		ASSERT_EQ(0, write_twice(p, data, n, a, b));
		ASSERT_EQ(0, peer_see_text(p, PONG, "p"));
		ASSERT_EQ(0, peer_sync(p));
		ASSERT_EQ(sizeof(want), recv(self->fd, buf, sizeof(buf), 0));
		ASSERT_EQ(0, memcmp(buf, want, sizeof(want)));
		ASSERT_EQ(0, peer_poll(self->fd, POLLIN, 0));
	} while (next_cut(&a, &b, n));
}

/* Longer: the reader is behind, in the middle of a masked frame */
TEST_F(overlap, reader_in_a_frame)
{
	struct peer *p = &self->p;
	char data[256], frame[256 + PEER_HEADER], buf[256];
	size_t n, a, b;

	peer_fill(data, 200, 80);
	for (a = 150; a > 20; a -= 10) {
		for (b = a > 100 ? a - 100 : 10; b < a; b += 7) {
			n = peer_build(p, frame, FIN | BINARY, data, 200);
			ASSERT_EQ(0, peer_write(p, frame, 10));
			ASSERT_EQ(1, recv(self->fd, buf, 1, 0));
			ASSERT_EQ(0, write_twice(p, frame + 10, n - 10, a, b));
			ASSERT_EQ(0, peer_recv(self->fd, buf + 1, 199));
			ASSERT_EQ(0, memcmp(buf, data, 200));
			ASSERT_EQ(0, peer_sync(p));
		}
	}
}

TEST_HARNESS_MAIN
