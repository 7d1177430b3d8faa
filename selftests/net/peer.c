// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "peer.h"
#include "pump.h"

static int __printf(1, 2) wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("# peer: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return -1;
}

/* An address of loopback with a port of the kernel's choice */
static socklen_t loopback(struct sockaddr_storage *ss, int family)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	if (family == AF_INET6) {
		in6->sin6_addr = in6addr_loopback;
		return sizeof(*in6);
	}
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*in);
}

/* fd[0] called connect(), fd[1] came from accept() */
static int tcp_pair(int family, int fd[2])
{
	struct sockaddr_storage ss;
	socklen_t len = loopback(&ss, family);
	int listener = socket(family, SOCK_STREAM, 0);

	fd[0] = socket(family, SOCK_STREAM, 0);
	if (listener < 0 || fd[0] < 0 ||
	    bind(listener, (void *)&ss, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&ss, &len) ||
	    connect(fd[0], (void *)&ss, len))
		return wrong("no connection: %s", strerror(errno));
	fd[1] = accept(listener, NULL, NULL);
	close(listener);
	return fd[1] < 0 ? wrong("accept: %s", strerror(errno)) : 0;
}

/*
 * Blocking calls end by the limit, and small writes leave at once. A call that
 * sends much takes as long as the other end reads, which has limits of its own.
 */
static void bound(int fd)
{
	struct timeval limit = { .tv_sec = PEER_LIMIT / 1000 };
	struct timeval all = { .tv_sec = 30 * PEER_LIMIT / 1000 };
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &all, sizeof(all));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* In a network namespace of the process's own */
static int wire_pair(struct peer *p, int family, int role, int fd[2])
{
	static bool alone;

	if (!alone && peer_netns())
		return -1;
	alone = true;
	p->end = pump_close;
	return pump_open(family & ~PEER_WIRE, role == WS_CLIENT, fd);
}

static int loopback_pair(int family, int role, int fd[2])
{
	int ends[2];

	if (tcp_pair(family, ends))
		return -1;
	fd[0] = ends[role != WS_SERVER];
	fd[1] = ends[role == WS_SERVER];
	return 0;
}

int peer_connect(struct peer *p, int family, int role)
{
	int fd[2];

	memset(p, 0, sizeof(*p));
	p->fd = -1;
	p->raw = -1;
	if (family & PEER_WIRE ? wire_pair(p, family, role, fd) :
				 loopback_pair(family, role, fd))
		return -1;
	bound(fd[0]);
	bound(fd[1]);
	p->raw = fd[0];
	p->fd = fd[1];
	p->family = family;
	p->role = role;
	p->seed = 1;
	return 0;
}

int peer_attach(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, WS_ULP_NAME,
			  sizeof(WS_ULP_NAME));
}

int peer_open(struct peer *p, int family, int role)
{
	if (peer_connect(p, family, role))
		return -1;
	if (peer_attach(p->fd))
		return wrong("attach: %s", strerror(errno));
	if (peer_set(p->fd, WS_ROLE, role))
		return wrong("role: %s", strerror(errno));
	return 0;
}

void peer_close(struct peer *p)
{
	if (p->raw >= 0)
		close(p->raw);
	if (p->fd >= 0)
		close(p->fd);
	if (p->end)
		p->end();
	p->end = NULL;
	p->raw = -1;
	p->fd = -1;
}

int peer_set(int fd, int option, int value)
{
	if (setsockopt(fd, SOL_WS, option, &value, sizeof(value)))
		return errno;
	return 0;
}

int peer_get(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_WS, option, &value, &len) ||
	    len != sizeof(value))
		return wrong("option %d: %s", option, strerror(errno));
	return value;
}

int peer_set_close(int fd, int code, const char *reason)
{
	struct ws_close c = { .code = code, .len = strlen(reason) };

	memcpy(c.reason, reason, c.len);
	return setsockopt(fd, SOL_WS, WS_CLOSE, &c,
			  offsetof(struct ws_close, reason) + c.len);
}

struct ws_close peer_ended(int fd)
{
	struct ws_close c = {};
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_WS, WS_CLOSE, &c, &len) || len != sizeof(c))
		c.code = 0xffff;
	return c;
}

int peer_info(int fd, struct ws_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (getsockopt(fd, SOL_WS, WS_INFO, info, &len) ||
	    len != sizeof(*info))
		return wrong("WS_INFO: %s", strerror(errno));
	return 0;
}

int peer_netns(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, ret;

	if (unshare(CLONE_NEWNET))
		return wrong("unshare: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ret = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return ret ? wrong("lo: %s", strerror(errno)) : 0;
}

long long peer_stat(const char *name)
{
	FILE *file = fopen("/proc/net/ws_stat", "r");
	long long value = -1, v;
	char line[64];

	if (!file)
		return wrong("ws_stat: %s", strerror(errno));
	while (fscanf(file, "%63s %lld", line, &v) == 2)
		if (!strcmp(line, name))
			value = v;
	fclose(file);
	return value;
}

int peer_stat_is(const char *name, long long value)
{
	long long got;
	int ms;

	/* a counter is no event to wait for */
	for (ms = 0; ms < PEER_LIMIT; ms++) {
		got = peer_stat(name);
		if (got == value)
			return 0;
		poll(NULL, 0, 1);
	}
	return wrong("%s is %lld, not %lld", name, got, value);
}

static FILE *open_sysctl(const char *name, const char *mode)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/net/ws/%s", name);
	return fopen(path, mode);
}

int peer_set_sysctl(const char *name, int value)
{
	FILE *file = open_sysctl(name, "w");
	int ret = 0;

	if (!file)
		return errno;
	fprintf(file, "%d\n", value);
	if (fflush(file))
		ret = errno;
	fclose(file);
	return ret;
}

int peer_get_sysctl(const char *name)
{
	FILE *file = open_sysctl(name, "r");
	int value = -1;

	if (!file || fscanf(file, "%d", &value) != 1)
		wrong("net.ws.%s: %s", name, strerror(errno));
	if (file)
		fclose(file);
	return value;
}

int peer_reopen(struct peer *p)
{
	peer_close(p);
	return peer_open(p, p->family, p->role);
}

static void next_key(struct peer *p, unsigned char key[4])
{
	int i;

	for (i = 0; i < 4; i++) {
		p->seed = p->seed * 1103515245 + 12345;
		key[i] = p->seed >> 16;
	}
}

size_t peer_build_as(struct peer *p, void *buf, int b0, int extended,
		     bool masked, const void *data, size_t len)
{
	unsigned char key[4] = {}, *at = buf;
	const unsigned char *from = data;
	unsigned long long rest = len;
	size_t i;

	*at++ = b0;
	*at = extended == 8 ? 127 : extended == 2 ? 126 : len;
	*at++ |= masked ? 0x80 : 0;
	for (i = extended; i > 0; i--, rest >>= 8)
		at[i - 1] = rest;
	at += extended;
	if (masked) {
		next_key(p, key);
		memcpy(at, key, 4);
		at += 4;
	}
	for (i = 0; i < len; i++)
		*at++ = from[i] ^ key[i % 4];
	return at - (unsigned char *)buf;
}

size_t peer_build(struct peer *p, void *buf, int b0, const void *data,
		  size_t len)
{
	int extended = len < 126 ? 0 : len < 65536 ? 2 : 8;

	return peer_build_as(p, buf, b0, extended, p->role == WS_SERVER, data,
			     len);
}

int peer_write(struct peer *p, const void *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = TEMP_FAILURE_RETRY(send(p->raw, buf, len, MSG_NOSIGNAL));
		if (n < 0)
			return wrong("send: %s", strerror(errno));
		buf += n;
		len -= n;
	}
	if (p->family & PEER_WIRE)
		pump_settle(p->raw);
	return 0;
}

int peer_send(struct peer *p, int b0, const void *data, size_t len)
{
	void *buf = malloc(len + PEER_HEADER);
	int ret;

	if (!buf)
		return wrong("no memory");
	ret = peer_write(p, buf, peer_build(p, buf, b0, data, len));
	free(buf);
	return ret;
}

int peer_text(struct peer *p, int b0, const char *text)
{
	return peer_send(p, b0, text, strlen(text));
}

static size_t close_body(unsigned char *body, int code, const char *reason)
{
	if (!code)
		return 0;
	body[0] = code >> 8;
	body[1] = code;
	return 2 + stpcpy((char *)body + 2, reason) - ((char *)body + 2);
}

int peer_send_close(struct peer *p, int code, const char *reason)
{
	unsigned char body[128];

	return peer_send(p, CLOSE, body, close_body(body, code, reason));
}

int peer_read(struct peer *p, void *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		/* work of io_uring ends a call with a time limit early */
		n = TEMP_FAILURE_RETRY(recv(p->raw, buf + got, len - got, 0));
		if (n < 0)
			return wrong("recv: %s", strerror(errno));
		if (n == 0)
			return wrong("end after %zu of %zu bytes", got, len);
		got += n;
	}
	return 0;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int peer_read_slowly(struct peer *p, void *buf, size_t len,
		     struct peer_pace *pace)
{
	long long last = now_ms(), now;
	size_t n;

	for (; len; len -= n, buf += n) {
		n = len < pace->step ? len : pace->step;
		poll(NULL, 0, pace->ms);
		if (peer_read(p, buf, n))
			return -1;
		now = now_ms();
		if (now - last > pace->longest)
			pace->longest = now - last;
		last = now;
	}
	return 0;
}

/* The length in its shortest form, RFC 6455 section 5.2 */
static int extended_length(struct peer *p, size_t *len)
{
	int i, width = *len == 126 ? 2 : 8;
	unsigned char b[8];

	if (peer_read(p, b, width))
		return -1;
	for (*len = 0, i = 0; i < width; i++)
		*len = *len << 8 | b[i];
	if (*len < 126 || (width == 8 && *len < 65536))
		return wrong("%zu in %d bytes", *len, width);
	return 0;
}

int peer_header(struct peer *p, int *b0, size_t *len)
{
	bool masked, must = p->role == WS_CLIENT;
	unsigned char b[2];

	if (peer_read(p, b, 2))
		return -1;
	*b0 = b[0];
	*len = b[1] & 127;
	if (*len > 125 && extended_length(p, len))
		return -1;
	memset(p->key, 0, 4);
	masked = b[1] >> 7;
	if (masked != must)
		return wrong("frame %02x has %s mask", b[0],
			     masked ? "a" : "no");
	return masked ? peer_read(p, p->key, 4) : 0;
}

static int compare(const unsigned char *got, const unsigned char *want,
		   size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (got[i] != want[i])
			return wrong("byte %zu of %zu is %02x, not %02x", i,
				     len, got[i], want[i]);
	return 0;
}

/* The payload of a frame whose header was read */
static int see_payload(struct peer *p, const void *data, size_t len)
{
	unsigned char *buf;
	size_t i;
	int ret;

	buf = malloc(len + 1);
	ret = buf ? peer_read(p, buf, len) : wrong("no memory");
	for (i = 0; !ret && i < len; i++)
		buf[i] ^= p->key[i % 4];
	if (!ret)
		ret = compare(buf, data, len);
	free(buf);
	return ret;
}

int peer_see(struct peer *p, int b0, const void *data, size_t len)
{
	size_t got;
	int first;

	if (peer_header(p, &first, &got))
		return -1;
	if (first != b0 || got != len)
		return wrong("frame %02x of %zu bytes, not %02x of %zu", first,
			     got, b0, len);
	return see_payload(p, data, len);
}

int peer_see_message(struct peer *p, int opcode, const void *data, size_t len)
{
	size_t at = 0, n;
	int b0;

	do {
		if (peer_header(p, &b0, &n))
			return -1;
		if ((b0 & ~FIN) != opcode || n > len - at)
			return wrong("frame %02x of %zu bytes at %zu of %zu",
				     b0, n, at, len);
		if (see_payload(p, data + at, n))
			return -1;
		opcode = CONT;
		at += n;
	} while (!(b0 & FIN));
	return at == len ? 0 : wrong("%zu bytes, not %zu", at, len);
}

int peer_see_text(struct peer *p, int b0, const char *text)
{
	return peer_see(p, b0, text, strlen(text));
}

int peer_see_close(struct peer *p, int code, const char *reason)
{
	unsigned char body[128];

	return peer_see(p, CLOSE, body, close_body(body, code, reason));
}

int peer_see_fin(struct peer *p)
{
	char c;
	int n = TEMP_FAILURE_RETRY(recv(p->raw, &c, 1, 0));

	if (n > 0)
		return wrong("%02x, not the end", c & 0xff);
	return n ? wrong("recv: %s", strerror(errno)) : 0;
}

int peer_see_reset(struct peer *p)
{
	char c;
	int n = TEMP_FAILURE_RETRY(recv(p->raw, &c, 1, 0));

	if (n >= 0)
		return wrong("%s, not a reset", n ? "a byte" : "the end");
	return errno == ECONNRESET ? 0 : wrong("recv: %s", strerror(errno));
}

int peer_sync(struct peer *p)
{
	return peer_text(p, PING, "sync") ?: peer_see_text(p, PONG, "sync");
}

int peer_poll(int fd, int events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	if (poll(&pfd, 1, ms) < 0)
		return wrong("poll: %s", strerror(errno));
	return pfd.revents;
}

int peer_recv(int fd, void *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = TEMP_FAILURE_RETRY(recv(fd, buf, len, 0));
		if (n <= 0)
			return wrong("%zu bytes missing: %s", len,
				     n ? strerror(errno) : "end");
		buf += n;
		len -= n;
	}
	return 0;
}

int peer_gets(int fd, const char *text)
{
	size_t len = strlen(text);
	unsigned char buf[256];
	ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, sizeof(buf), 0));

	if (n < 0)
		return wrong("recv: %s", strerror(errno));
	if (n != len)
		return wrong("%zd bytes, not %zu", n, len);
	return compare(buf, (const void *)text, len);
}

int peer_fails(int fd, int error)
{
	char c;
	ssize_t n = TEMP_FAILURE_RETRY(recv(fd, &c, 1, 0));

	if (n >= 0)
		return wrong("%zd bytes, not %s", n, strerror(error));
	return errno == error ? 0 : wrong("%s, not %s", strerror(errno),
					  strerror(error));
}

struct peer_msg peer_recvmsg(int fd, void *buf, size_t len, int flags)
{
	char control[CMSG_SPACE(sizeof(struct ws_frame))] = {};
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct peer_msg got = { .len = recvmsg(fd, &msg, flags) };
	struct cmsghdr *cmsg;

	if (got.len < 0) {
		got.len = -errno;
		return got;
	}
	got.flags = msg.msg_flags;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_WS ||
	    cmsg->cmsg_type != WS_FRAME ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(got.frame)))
		return got;
	got.framed = true;
	memcpy(&got.frame, CMSG_DATA(cmsg), sizeof(got.frame));
	return got;
}

ssize_t peer_sendmsg(int fd, int type, const void *buf, size_t len, int flags)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { (void *)buf, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_TX_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &type, sizeof(type));
	n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static void *run_job(void *arg)
{
	struct peer_job *job = arg;

	job->ret = job->call(job);
	if (job->ret < 0)
		job->ret = -errno;
	__atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
	return NULL;
}

int peer_start_call(struct peer_job *job)
{
	return pthread_create(&job->thread, NULL, run_job, job);
}

static ssize_t call_send(struct peer_job *job)
{
	return send(job->fd, job->buf, job->len, MSG_NOSIGNAL);
}

int peer_start(struct peer_job *job, int fd, const void *buf, size_t len)
{
	*job = (struct peer_job){ .call = call_send, .fd = fd,
				  .buf = (void *)buf, .len = len };
	return peer_start_call(job);
}

static ssize_t call_recv(struct peer_job *job)
{
	return recv(job->fd, job->buf, job->len, 0);
}

int peer_start_recv(struct peer_job *job, int fd, void *buf, size_t len)
{
	*job = (struct peer_job){ .call = call_recv, .fd = fd, .buf = buf,
				  .len = len };
	return peer_start_call(job);
}

static ssize_t call_close(struct peer_job *job)
{
	return close(job->fd);
}

int peer_start_close(struct peer_job *job, int fd)
{
	*job = (struct peer_job){ .call = call_close, .fd = fd };
	return peer_start_call(job);
}

bool peer_running(struct peer_job *job)
{
	return !__atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

ssize_t peer_join(struct peer_job *job)
{
	pthread_join(job->thread, NULL);
	return job->ret;
}

void peer_fill(void *buf, size_t len, unsigned int seed)
{
	unsigned char *b = buf;
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		b[i] = seed >> 24;
	}
}
