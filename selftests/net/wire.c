// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

/* Addresses for documentation: RFC 5737, RFC 3849 */
#define KERNEL4		0xc0000201
#define FAR4		0xc0000202
#define PREFIX6		0x20010db8

#define SYN_AGAIN	500	/* ms */

static int __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("# wire: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return -1;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ------- packets ------- */

static void put16(unsigned char *p, unsigned int v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(unsigned char *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned int get16(const unsigned char *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* The bytes as words of 16 bits, of any order that all sums have */
static uint64_t add_up(uint64_t sum, const unsigned char *p, size_t n)
{
	uint32_t word;
	uint16_t rest = 0;

	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	for (; n >= 2; p += 2, n -= 2) {
		memcpy(&rest, p, 2);
		sum += rest;
	}
	rest = 0;
	memcpy(&rest, p, n);
	return sum + rest;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void address(unsigned char *p, int family, bool kernel)
{
	if (family == AF_INET) {
		put32(p, kernel ? KERNEL4 : FAR4);
		return;
	}
	memset(p, 0, 16);
	put32(p, PREFIX6);
	p[15] = kernel ? 1 : 2;
}

/* The IP header, from the far end to the kernel. Return: its length */
static size_t build_ip(int family, unsigned char *p, size_t len)
{
	uint16_t sum;

	if (family == AF_INET6) {
		put32(p, 0x60000000);
		put16(p + 4, len);
		p[6] = IPPROTO_TCP;
		p[7] = 64;
		address(p + 8, family, false);
		address(p + 24, family, true);
		return 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	put16(p + 2, 20 + len);
	p[6] = 0x40;	/* do not fragment */
	p[8] = 64;
	p[9] = IPPROTO_TCP;
	address(p + 12, family, false);
	address(p + 16, family, true);
	sum = fold(add_up(0, p, 20));
	memcpy(p + 10, &sum, 2);
	return 20;
}

/* Padded to words. Return: their length */
static size_t build_options(const struct segment *s, unsigned char *p)
{
	size_t n = 0;

	if (s->mss) {
		put16(p, 0x0204);
		put16(p + 2, s->mss);
		n += 4;
	}
	if (s->scale >= 0) {
		put32(p + n, 0x01030300 | s->scale);
		n += 4;
	}
	if (s->sack) {
		put32(p + n, 0x01010402);
		n += 4;
	}
	if (s->stamped) {
		put32(p + n, 0x0101080a);
		put32(p + n + 4, s->stamp);
		put32(p + n + 8, s->echo);
		n += 12;
	}
	return n;
}

/* The checksum of IP's addresses and of the segment behind them */
static void put_checksum(int family, unsigned char *packet, unsigned char *tcp,
			 size_t len)
{
	size_t n = family == AF_INET ? 8 : 32;
	unsigned char rest[4];
	uint64_t sum;
	uint16_t c;

	put16(rest, IPPROTO_TCP);
	put16(rest + 2, len);
	sum = add_up(0, packet + (family == AF_INET ? 12 : 8), n);
	c = fold(add_up(add_up(sum, rest, 4), tcp, len));
	memcpy(tcp + 16, &c, 2);
}

size_t wire_build(int family, const struct segment *s, void *packet)
{
	unsigned char *p = packet, *tcp = p + (family == AF_INET ? 20 : 40);
	size_t n = 20 + build_options(s, tcp + 20);

	put16(tcp, s->from);
	put16(tcp + 2, s->to);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = n / 4 << 4;
	tcp[13] = s->flags;
	put16(tcp + 14, s->window);
	put16(tcp + 16, 0);
	put16(tcp + 18, s->urgent);
	if (s->len)
		memcpy(tcp + n, s->data, s->len);
	n += s->len;
	build_ip(family, p, n);
	put_checksum(family, p, tcp, n);
	return tcp + n - p;
}

static void parse_option(struct segment *s, const unsigned char *p, size_t n)
{
	switch (p[0] << 8 | n) {
	case 0x0204:
		s->mss = get16(p + 2);
		break;
	case 0x0303:
		s->scale = p[2];
		break;
	case 0x0402:
		s->sack = true;
		break;
	case 0x080a:
		s->stamped = true;
		s->stamp = get32(p + 2);
		s->echo = get32(p + 6);
	}
}

static void parse_options(struct segment *s, const unsigned char *p, size_t n)
{
	size_t i = 0, len;

	while (i < n && p[i] != 0) {
		len = p[i] == 1 ? 1 : i + 1 < n ? p[i + 1] : 0;
		if (!len || len > n - i)
			return;
		parse_option(s, p + i, len);
		i += len;
	}
}

/* Where TCP begins in a packet; 0: it does not */
static size_t parse_ip(const unsigned char *p, size_t n, int *family)
{
	if (n >= 40 && p[0] == 0x45 && p[9] == IPPROTO_TCP) {
		*family = AF_INET;
		return 20;
	}
	if (n >= 60 && p[0] >> 4 == 6 && p[6] == IPPROTO_TCP) {
		*family = AF_INET6;
		return 40;
	}
	return 0;
}

int wire_parse(const void *packet, size_t n, struct segment *s)
{
	const unsigned char *p = packet;
	size_t at, head;
	int family;

	at = parse_ip(p, n, &family);
	if (!at)
		return 0;
	p += at;
	n -= at;
	head = p[12] >> 4 << 2;
	if (head < 20 || head > n)
		return 0;
	*s = (struct segment){
		.from = get16(p), .to = get16(p + 2), .seq = get32(p + 4),
		.ack = get32(p + 8), .flags = p[13], .window = get16(p + 14),
		.urgent = get16(p + 18), .scale = -1, .data = p + head,
		.len = n - head,
	};
	parse_options(s, p + 20, head - 20);
	return family;
}

/* ------- the device ------- */

/* The kernel may have TUN as a module, and the node may not be there. */
static int open_node(void)
{
	static const char node[] = "/dev/net/tun";
	char path[64];
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (system("modprobe -q tun 2>/dev/null") == 0)
		fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/tmp/ws-tun-%d", getpid());
	if (!mknod(path, S_IFCHR | 0600, makedev(10, 200)))
		fd = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	return fd;
}

static int set_address6(int fd, int index)
{
	struct {
		struct in6_addr address;
		uint32_t prefix;
		int index;
	} request = { .prefix = 64, .index = index };

	address(request.address.s6_addr, AF_INET6, true);
	return ioctl(fd, SIOCSIFADDR, &request);
}

/* An address of IPv6 can be used when work of the kernel has made it so. */
static int wait_for_address6(int fd)
{
	long long end = now_ms() + WIRE_LIMIT;
	struct sockaddr_storage ss;
	socklen_t len = wire_address(&ss, AF_INET6, true, 0);

	while (bind(fd, (void *)&ss, len)) {
		if (errno != EADDRNOTAVAIL || now_ms() > end)
			return -1;
		poll(NULL, 0, 1);
	}
	return 0;
}

static int set_address4(int fd, struct ifreq *ifr)
{
	struct sockaddr_in *in = (void *)&ifr->ifr_addr;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(KERNEL4);
	if (ioctl(fd, SIOCSIFADDR, ifr))
		return -1;
	in->sin_addr.s_addr = htonl(0xffffff00);
	return ioctl(fd, SIOCSIFNETMASK, ifr);
}

static int bring_up(struct ifreq *ifr)
{
	int in = socket(AF_INET, SOCK_DGRAM, 0), ret = -1;
	int in6 = socket(AF_INET6, SOCK_DGRAM, 0);

	ifr->ifr_qlen = 10000;
	if (ioctl(in, SIOCSIFTXQLEN, ifr) || set_address4(in, ifr))
		goto out;
	ifr->ifr_flags = IFF_UP;
	if (ioctl(in, SIOCSIFFLAGS, ifr) || ioctl(in, SIOCGIFINDEX, ifr))
		goto out;
	ret = set_address6(in6, ifr->ifr_ifindex) ?: wait_for_address6(in6);
out:
	close(in);
	close(in6);
	return ret;
}

static int new_device(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open_node();

	if (fd < 0)
		return wrong("no TUN: %s", strerror(errno));
	if (!ioctl(fd, TUNSETIFF, &ifr) && !bring_up(&ifr))
		return fd;
	wrong("TUN: %s", strerror(errno));
	close(fd);
	return -1;
}

/* A port where nobody listens refuses a connection at once. */
static bool refuses(int tun, int family)
{
	struct segment syn = {
		.from = 9, .to = 9, .flags = TH_SYN, .scale = -1,
	};
	struct pollfd pfd = { .fd = tun, .events = POLLIN };
	unsigned char packet[2048];
	struct segment s;
	ssize_t n = wire_build(family, &syn, packet);

	if (write(tun, packet, n) != n)
		return false;
	while (poll(&pfd, 1, SYN_AGAIN) > 0) {
		n = read(tun, packet, sizeof(packet));
		if (n > 0 && wire_parse(packet, n, &s) == family &&
		    s.to == 9 && s.flags & TH_RST)
			return true;
	}
	return false;
}

/*
 * On a busy machine a new device was seen to send for an address of IPv6, and
 * never to receive: then another one is made.
 */
int wire_tun(void)
{
	int i, fd;

	for (i = 0; i < 10; i++) {
		fd = new_device();
		if (fd < 0)
			return -1;
		if (refuses(fd, AF_INET) && refuses(fd, AF_INET6))
			return fd;
		close(fd);
	}
	return wrong("nothing answers");
}

/* ------- the connection ------- */

socklen_t wire_address(struct sockaddr_storage *ss, int family, bool kernel,
		       uint16_t port)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	/* at the same place in both families */
	in->sin_port = htons(port);
	if (family == AF_INET6) {
		address(in6->sin6_addr.s6_addr, family, kernel);
		return sizeof(*in6);
	}
	address((void *)&in->sin_addr, family, kernel);
	return sizeof(*in);
}

void wire_init(struct wire *w, int tun, int family)
{
	static uint16_t port = 20000;

	memset(w, 0, offsetof(struct wire, in));
	w->tun = tun;
	w->family = family;
	w->port = __atomic_fetch_add(&port, 1, __ATOMIC_RELAXED);
	w->first = -3000;	/* numbers wrap around early */
	w->room = 65535;
	w->mss = family == AF_INET ? 1460 : 1440;
	w->stamps = true;
	w->sack = true;
	w->stamp = 1000;
	w->in_len = 0;
}

struct segment wire_segment(const struct wire *w)
{
	return (struct segment){
		.from = w->port, .to = w->kernel_port, .seq = w->next,
		.ack = w->got, .flags = TH_ACK,
		.window = w->room >> (w->scale > 0 ? w->scale : 0),
		.stamped = w->stamps, .stamp = w->stamp, .echo = w->echo,
		.scale = -1,
	};
}

int wire_send(struct wire *w, const struct segment *s)
{
	unsigned char packet[WIRE_PACKET + 100];
	size_t n = wire_build(w->family, s, packet);
	uint32_t end = s->seq + s->len + !!(s->flags & (TH_SYN | TH_FIN));

	if (wire_before(w->next, end))
		w->next = end;
	w->sent++;
	w->stamp++;
	if (write(w->tun, packet, n) != n)
		return wrong("write: %s", strerror(errno));
	return 0;
}

int wire_write(struct wire *w, uint32_t seq, const void *data, size_t len)
{
	struct segment s = wire_segment(w);

	s.seq = seq;
	s.flags |= TH_PUSH;
	s.data = data;
	s.len = len;
	return wire_send(w, &s);
}

int wire_append(struct wire *w, const void *data, size_t len)
{
	return wire_write(w, w->next, data, len);
}

int wire_ack(struct wire *w)
{
	struct segment s = wire_segment(w);

	return wire_send(w, &s);
}

int wire_fin(struct wire *w)
{
	struct segment s = wire_segment(w);

	s.flags |= TH_FIN;
	return wire_send(w, &s);
}

/* In the order of the kernel's stream, each byte once */
static void track_data(struct wire *w, const struct segment *s)
{
	uint32_t old = w->got - s->seq;
	size_t n;

	if (old <= s->len) {
		n = s->len - old;
		if (n > sizeof(w->in) - w->in_len)
			n = sizeof(w->in) - w->in_len;
		memcpy(w->in + w->in_len, s->data + old, n);
		w->in_len += n;
		w->got += n;
	}
	if (s->flags & TH_FIN && !w->fin && w->got == s->seq + s->len) {
		w->fin = true;
		w->got++;
	}
}

static void track(struct wire *w, const struct segment *s)
{
	w->seen++;
	if (s->flags & TH_RST) {
		w->reset = true;
		return;
	}
	if (s->stamped && !wire_before(w->got, s->seq))
		w->echo = s->stamp;
	if (s->flags & TH_SYN) {
		if (w->syn)
			return;
		w->syn = true;
		w->kernel_scale = w->scale < 0 || s->scale < 0 ? 0 : s->scale;
		w->stamps = w->stamps && s->stamped;
		w->got = s->seq + 1;
	} else {
		track_data(w, s);
	}
	if (s->flags & TH_ACK && !wire_before(s->ack, w->acked)) {
		w->acked = s->ack;
		w->window = s->window;
		if (!(s->flags & TH_SYN))
			w->window <<= w->kernel_scale;
	}
}

/* A packet that is there. Return: it is a segment to us */
static bool ours(struct wire *w, struct segment *s, size_t n)
{
	if (wire_parse(w->packet, n, s) != w->family || s->to != w->port)
		return false;
	if (!w->kernel_port)
		w->kernel_port = s->from;
	return s->from == w->kernel_port;
}

int wire_recv(struct wire *w, struct segment *s, int ms)
{
	struct pollfd pfd = { .fd = w->tun, .events = POLLIN };
	long long end = now_ms() + ms, left = ms;
	struct segment mine;
	ssize_t n;
	int ret;

	s = s ?: &mine;
	for (;;) {
		ret = poll(&pfd, 1, left);
		if (ret < 0 && errno != EINTR)
			return wrong("poll: %s", strerror(errno));
		if (ret > 0) {
			n = read(w->tun, w->packet, sizeof(w->packet));
			if (n < 0)
				return wrong("read: %s", strerror(errno));
			if (ours(w, s, n)) {
				track(w, s);
				return 1;
			}
		}
		if (ms >= 0)
			left = end - now_ms();
		if (!ret && left <= 0)
			return 0;
		if (ms >= 0 && left < 0)
			left = 0;
	}
}

int wire_drain(struct wire *w)
{
	int n = 0, ret;

	while ((ret = wire_recv(w, NULL, 0)) > 0)
		n++;
	return ret ?: n;
}

int wire_ask(struct wire *w, int ms)
{
	if (wire_drain(w) < 0 || wire_write(w, w->acked - 1, "", 1))
		return -1;
	return wire_recv(w, NULL, ms);
}

int wire_reset(struct wire *w)
{
	struct segment s;

	if (wire_drain(w) < 0)
		return -1;
	s = wire_segment(w);
	s.seq = w->acked;
	s.flags |= TH_RST;
	return w->reset ? 0 : wire_send(w, &s);
}

ssize_t wire_take(struct wire *w, void *buf, size_t len, int ms, bool ack)
{
	int ret;

	while (!w->in_len) {
		if (w->fin || w->reset)
			return 0;
		ret = wire_recv(w, NULL, ms);
		if (ret < 0)
			return -1;
		if (!ret)
			return wrong("nothing came for %d ms", ms);
	}
	if (len > w->in_len)
		len = w->in_len;
	memcpy(buf, w->in, len);
	w->in_len -= len;
	memmove(w->in, w->in + len, w->in_len);
	if (ack && wire_ack(w))
		return -1;
	return len;
}

/* ------- opening it ------- */

static int send_syn(struct wire *w, int flags)
{
	struct segment s = wire_segment(w);

	s.seq = w->first;
	w->acked = w->first;
	s.flags = TH_SYN | flags;
	s.window = w->room < 65535 ? w->room : 65535;
	s.mss = w->mss;
	s.scale = w->scale;
	s.sack = w->sack;
	return wire_send(w, &s);
}

/*
 * A segment with these flags. Until it comes our SYN is sent again, if we have
 * sent one: an address may be new, and the kernel not yet receive for it.
 */
static int see_flags(struct wire *w, int want, int syn)
{
	long long end = now_ms() + WIRE_LIMIT;
	struct segment s;
	int ret;

	while (now_ms() < end) {
		ret = wire_recv(w, &s, SYN_AGAIN);
		if (ret < 0 || (ret && s.flags & TH_RST))
			return wrong("refused");
		if (ret && (s.flags & (TH_SYN | TH_ACK)) == want)
			return 0;
		if (!ret && syn >= 0 && send_syn(w, syn))
			return -1;
	}
	return wrong("no answer with flags %x", want);
}

static int open_passive(struct wire *w, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int ret;

	if (listen(fd, 1) || getsockname(fd, (void *)&ss, &len))
		return wrong("listen: %s", strerror(errno));
	w->kernel_port = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	if (send_syn(w, 0) || see_flags(w, TH_SYN | TH_ACK, 0) || wire_ack(w))
		return -1;
	ret = accept(fd, NULL, NULL);
	close(fd);
	return ret < 0 ? wrong("accept: %s", strerror(errno)) : ret;
}

static int open_active(struct wire *w, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	struct sockaddr_storage ss;
	socklen_t len = wire_address(&ss, w->family, false, w->port);
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (!connect(fd, (void *)&ss, len) || errno != EINPROGRESS)
		return wrong("connect: %s", strerror(errno));
	if (see_flags(w, TH_SYN, -1) || send_syn(w, TH_ACK) ||
	    see_flags(w, TH_ACK, TH_ACK))
		return -1;
	if (poll(&pfd, 1, WIRE_LIMIT) != 1 || pfd.revents != POLLOUT)
		return wrong("no connection: %x", pfd.revents);
	fcntl(fd, F_SETFL, flags);
	return fd;
}

int wire_open(struct wire *w, bool kernel_connects)
{
	struct sockaddr_storage ss;
	socklen_t len = wire_address(&ss, w->family, true, 0);
	int fd = socket(w->family, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	w->next = w->first;
	if (fd < 0 || bind(fd, (void *)&ss, len) ||
	    (w->rcvbuf && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &w->rcvbuf,
				     sizeof(w->rcvbuf)))) {
		wrong("socket: %s", strerror(errno));
		close(fd);
		return -1;
	}
	ret = kernel_connects ? open_active(w, fd) : open_passive(w, fd);
	if (ret < 0)
		close(fd);
	return ret;
}
