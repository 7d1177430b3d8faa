// SPDX-License-Identifier: GPL-2.0
/*
 * Echo servers, in a process of their own: the same loop around epoll_wait(),
 * with nothing different but who frames. Each wake-up takes one recv() and
 * one send() for all that is there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "bench.h"

#define ROOM		(512 << 10)
#define RECORDS		4096
#define RECORD_ALIGN	8

/* A frame of which not all has come waits in front of the next bytes. */
struct conn {
	int	fd;
	size_t	kept;
	u8	*rest;
};

static u8 buf[ROOM];

static ssize_t take(int fd, size_t offset)
{
	ssize_t n = recv(fd, buf + offset, ROOM - offset, MSG_DONTWAIT);

	if (n < 0 && errno != ECONNRESET)
		die("recv");
	return n < 0 ? 0 : n;
}

static bool serve_bytes(struct conn *c)
{
	ssize_t n = take(c->fd, 0);

	if (n)
		put(c->fd, buf, n);
	return n;
}

static void keep_rest(struct conn *c, const u8 *p, size_t n)
{
	c->kept = n;
	if (!n)
		return;
	c->rest = malloc(n);
	if (!c->rest)
		die("malloc");
	memcpy(c->rest, p, n);
}

static size_t kept_before(struct conn *c)
{
	size_t n = c->kept;

	if (n) {
		memcpy(buf, c->rest, n);
		free(c->rest);
	}
	return n;
}

static bool serve_in_place(struct conn *c)
{
	size_t before = kept_before(c), used;
	ssize_t n = take(c->fd, before), out;

	if (!n)
		return false;
	out = wire_serve(buf, before + n, &used);
	if (out < 0)
		dief("a peer broke the protocol");
	keep_rest(c, buf + used, before + n - used);
	if (out)
		put(c->fd, buf, out);
	return true;
}

/* Payload of the records, moved together, and what each of them is. */
static size_t gather(size_t len, struct ws_txrec *rec, unsigned int *nr)
{
	size_t in = 0, out = 0;
	struct ws_rec head;
	unsigned int n = 0;

	while (in < len && n < RECORDS) {
		memcpy(&head, buf + in, sizeof(head));
		in += sizeof(head);
		memmove(buf + out, buf + in, head.len);
		rec[n++] = (struct ws_txrec){ .len = head.len,
					      .opcode = head.opcode,
					      .flags = WS_F_FIN };
		out += head.len;
		in += (head.len + RECORD_ALIGN - 1) & -RECORD_ALIGN;
	}
	if (in < len)
		dief("more than %u messages in one recv()", RECORDS);
	*nr = n;
	return out;
}

static bool serve_records(struct conn *c)
{
	static union {
		struct cmsghdr	align;
		u8		room[CMSG_SPACE(RECORDS *
						sizeof(struct ws_txrec))];
	} control;
	struct cmsghdr *cmsg = &control.align;
	struct msghdr msg = { .msg_control = cmsg, .msg_iovlen = 1 };
	struct iovec iov = { .iov_base = buf };
	ssize_t n = take(c->fd, 0);
	unsigned int nr;

	if (!n)
		return false;
	iov.iov_len = gather(n, (struct ws_txrec *)CMSG_DATA(cmsg), &nr);
	msg.msg_iov = &iov;
	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_RECORDS;
	cmsg->cmsg_len = CMSG_LEN(nr * sizeof(struct ws_txrec));
	msg.msg_controllen = CMSG_SPACE(nr * sizeof(struct ws_txrec));
	if (sendmsg(c->fd, &msg, 0) != (ssize_t)iov.iov_len)
		die("sendmsg of records");
	return true;
}

static bool (* const serve[])(struct conn *c) = {
	[SERVE_BYTES]		= serve_bytes,
	[SERVE_IN_PLACE]	= serve_in_place,
	[SERVE_KERNEL]		= serve_bytes,
	[SERVE_RECORDS]		= serve_records,
};

static int watch(struct conn *conns, const int *fd, unsigned int n)
{
	int ep = epoll_create1(0);
	unsigned int i;

	if (ep < 0)
		die("epoll_create1");
	for (i = 0; i < n; i++) {
		struct epoll_event ev = { .events = EPOLLIN };

		conns[i].fd = fd[i];
		ev.data.ptr = &conns[i];
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev))
			die("epoll_ctl");
	}
	return ep;
}

static void loop(struct server *s, enum server_kind kind, int ep)
{
	struct epoll_event ev[64];
	int n, i;

	for (;;) {
		n = epoll_wait(ep, ev, ARRAY_SIZE(ev), -1);
		if (n < 0)
			die("epoll_wait");
		++*s->wakeups;
		for (i = 0; i < n; i++)
			if (!serve[kind](ev[i].data.ptr))
				return;
	}
}

/* Memory that children share with their parent. */
void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* A child that does not outlive its parent. */
pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

/* Serves the connections until one of them ends. */
void server_start(struct server *s, enum server_kind kind, const int *fd,
		  unsigned int n)
{
	struct conn *conns;

	s->wakeups = shared(sizeof(*s->wakeups));
	s->pid = fork_child();
	if (s->pid)
		return;
	conns = calloc(n, sizeof(*conns));
	if (!conns)
		die("calloc");
	loop(s, kind, watch(conns, fd, n));
	_exit(0);
}

/* How often it was put on the processor after having left it by itself. */
u64 server_switches(const struct server *s)
{
	unsigned long long n = 0;
	char line[128];
	bool found = false;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", s->pid);
	f = fopen(line, "r");
	if (!f)
		die(line);
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1;
	fclose(f);
	if (!found)
		dief("no context switches in /proc");
	return n;
}

void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	munmap(s->wakeups, sizeof(*s->wakeups));
}
