// SPDX-License-Identifier: GPL-2.0
/*
 * P6: the program wsup serve, with few connections and many, by instructions a
 * message and by its system calls. Each turn writes to all connections, then
 * reads all replies. The same connections and turns against the epoll server
 * that frames in place.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ws.h>

#include "bench.h"
#include "wsup.h"

#define WSUP		"build/tools/bin/wsup"
#define PAYLOAD		20
#define PIPELINED	32	/* messages in one write */
#define CROWD		1000
#define FIN		0x80
#define PLACE_LIMIT	0.80
#define PLAIN_LIMIT	1.00
#define CALLS_LIMIT	0.05
#define TURNS		400	/* messages of a short run */

static const char request[] =
	"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct program {
	pid_t	pid;
	int	port;
};

struct crowd {
	int		fd[CROWD];
	unsigned int	n;
	unsigned int	messages;	/* in a write */
	u8		out[PIPELINED * (PAYLOAD + WIRE_HDR_MAX)];
	size_t		out_len;
	size_t		in_len;
	bool		counted;
};

static unsigned int tracepoint(const char *name)
{
	unsigned int id = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%u", &id) != 1)
		die(path);
	fclose(f);
	return id;
}

/*
 * Of its one thread. Opened for a run of its own: a tracepoint in use makes
 * all system calls dearer, those of the clients as well.
 */
static int count_calls(const struct program *p)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = tracepoint("raw_syscalls/sys_enter"),
	};
	int fd = syscall(SYS_perf_event_open, &attr, p->pid, -1, -1, 0);

	if (fd < 0)
		die("perf_event_open");
	return fd;
}

static u64 calls(int fd)
{
	u64 n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		die("reading a count of system calls");
	return n;
}

static int listening(int from)
{
	char line[128];
	int port = 0;
	FILE *f = fdopen(from, "r");

	if (!f || !fgets(line, sizeof(line), f) ||
	    sscanf(line, "listening on 127.0.0.1:%d", &port) != 1)
		dief("%s does not listen", WSUP);
	return port;	/* f stays: the program may say more */
}

static void program_start(struct program *p, char *mode)
{
	char *const argv[] = { "wsup", "serve", "-j", "1", mode, "127.0.0.1:0",
			       NULL };
	int out[2];

	if (pipe(out))
		die("pipe");
	p->pid = fork_child();
	if (!p->pid) {
		dup2(out[1], STDOUT_FILENO);
		execv(WSUP, argv);
		_exit(127);
	}
	close(out[1]);
	p->port = listening(out[0]);
}

static void program_stop(struct program *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
}

/* -1: nobody listens */
static int try_connect(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	if (errno != ECONNREFUSED)
		die("connect");
	close(fd);
	return -1;
}

/* A connection whose request was answered with this status */
static int ask(int port, const char *status)
{
	int fd = try_connect(port);
	char head[1024];
	size_t n = 0;

	if (fd < 0)
		dief("nobody listens at port %d", port);
	put(fd, request, sizeof(request) - 1);
	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4))
		n += get_some(fd, head + n, sizeof(head) - n);
	if (strncmp(head, "HTTP/1.1 ", 9) ||
	    strncmp(head + 9, status, strlen(status)))
		dief("not answered with %s: %.20s", status, head);
	return fd;
}

static int upgrade(int port)
{
	return ask(port, "101 ");
}

static void hang_up(int fd)
{
	struct linger reset = { .l_onoff = 1 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("SO_LINGER");
	close(fd);
}

/* n rounds: a write and its replies on each connection */
static void turn(void *arg, unsigned int n)
{
	struct crowd *c = arg;
	u64 messages = (u64)n * c->n * c->messages;
	static u8 in[PIPELINED * (PAYLOAD + WIRE_HDR_MAX)];
	unsigned int i;

	if (c->counted) {
		sent.rx_frames += messages;
		sent.rx_bytes += messages * PAYLOAD;
		sent.tx_frames += messages;
		sent.tx_bytes += messages * PAYLOAD;
	}
	while (n--) {
		for (i = 0; i < c->n; i++)
			put(c->fd[i], c->out, c->out_len);
		for (i = 0; i < c->n; i++)
			get(c->fd[i], in, c->in_len);
	}
}

/* Replies have the same lengths, but for the key. */
static void crowd_init(struct crowd *c, unsigned int n, unsigned int messages,
		       bool counted)
{
	c->n = n;
	c->messages = messages;
	c->counted = counted;
	c->out_len = wire_frames(c->out, FIN | WS_OP_BINARY, PAYLOAD, true,
				 messages);
	c->in_len = messages * (PAYLOAD + 2);
}

static double crowd_cost(struct crowd *c, const char *what)
{
	unsigned int all = c->n * c->messages;
	unsigned int few = all < TURNS ? TURNS / all : 1;

	return cost_of("P6", what, turn, c, few) / all;
}

static double place_cost(unsigned int n, unsigned int messages)
{
	static struct pair pairs[CROWD];
	static int app[CROWD];
	static struct crowd c;
	struct server s;
	char what[64];
	unsigned int i;
	double insn;

	crowd_init(&c, n, messages, false);
	for (i = 0; i < n; i++) {
		pair_open(&pairs[i]);
		app[i] = pairs[i].app;
		c.fd[i] = pairs[i].peer;
	}
	server_start(&s, SERVE_IN_PLACE, app, n);
	snprintf(what, sizeof(what), "in-place server %u x %u", n, messages);
	insn = crowd_cost(&c, what);
	server_stop(&s);
	for (i = 0; i < n; i++)
		pair_close(&pairs[i]);
	return insn;
}

static void crowd_open(struct crowd *c, const struct program *p)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		c->fd[i] = upgrade(p->port);
}

static void crowd_close(struct crowd *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		hang_up(c->fd[i]);
}

/* Instructions, and in a run of their own the calls, a message. */
static void measure(struct crowd *c, const struct program *p, const char *what,
		    double *insn, double *per_message)
{
	unsigned int all = c->n * c->messages;
	unsigned int turns = all < TURNS ? TURNS / all : 4;
	int counter;

	*insn = crowd_cost(c, what);
	counter = count_calls(p);
	turn(c, turns);
	*per_message = (double)calls(counter) / ((double)turns * all);
	close(counter);
}

/* With one message at a time each has a wake-up of its own. */
static void report_calls(const char *what, const struct crowd *c, double calls)
{
	if (c->n * c->messages == 1)
		report_raw("P6", what, calls, "calls/message");
	else
		report_most("P6", what, calls, "calls/message", CALLS_LIMIT);
}

static void serve_echo(unsigned int n, unsigned int messages)
{
	double insn, per_message;
	static struct crowd c;
	struct program p;
	char what[64];

	crowd_init(&c, n, messages, true);
	program_start(&p, "--echo");
	crowd_open(&c, &p);
	snprintf(what, sizeof(what), "serve --echo %u x %u", n, messages);
	measure(&c, &p, what, &insn, &per_message);
	crowd_close(&c);
	program_stop(&p);
	report_ratio("P6", what, insn / place_cost(n, messages),
		     "the in-place epoll server", PLACE_LIMIT);
	report_calls(what, &c, per_message);
}

/* Behind it a server that sends back what comes. */
static void serve_to(unsigned int n, unsigned int messages)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	double insn, per_message;
	int behind = listen_any();
	static struct crowd c;
	static int app[CROWD];
	struct program p;
	struct server s;
	char what[64];
	unsigned int i;

	if (getsockname(behind, (struct sockaddr *)&addr, &len))
		die("getsockname");
	snprintf(what, sizeof(what), "--to=127.0.0.1:%d", ntohs(addr.sin_port));
	crowd_init(&c, n, messages, true);
	program_start(&p, what);
	crowd_open(&c, &p);
	for (i = 0; i < n; i++) {
		app[i] = accept(behind, NULL, NULL);
		if (app[i] < 0)
			die("accept");
	}
	server_start(&s, SERVE_BYTES, app, n);
	snprintf(what, sizeof(what), "serve --to %u x %u", n, messages);
	measure(&c, &p, what, &insn, &per_message);
	report_raw("P6", what, insn, "insn/message");
	report_calls(what, &c, per_message);
	crowd_close(&c);
	server_stop(&s);
	for (i = 0; i < n; i++)
		close(app[i]);
	close(behind);
	program_stop(&p);
}

static void more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
}

void bench_serve(void)
{
	more_descriptors();
	serve_echo(1, 1);
	serve_echo(1, PIPELINED);
	serve_echo(100, 1);
	serve_echo(100, PIPELINED);
	serve_echo(1000, 1);
}

void bench_relay(void)
{
	more_descriptors();
	serve_to(1, 1);
	serve_to(100, 1);
	serve_to(1000, 1);
}

/*
 * An epoll server that does the same handshake and nothing behind it. Who
 * hangs up is closed.
 */
static void handshakes_only(int listener)
{
	struct wsup_config *config = wsup_config_new();
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = listener };
	int ep = epoll_create1(0);
	struct wsup_hs *hs;
	char c;

	if (wsup_config_set(config, WSUP_ATTACH, 0))
		dief("a handshake without frames cannot be had");
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	while (epoll_wait(ep, &ev, 1, -1) == 1) {
		int fd = ev.data.fd;

		if (fd != listener) {
			if (recv(fd, &c, 1, MSG_DONTWAIT) <= 0)
				close(fd);
			continue;
		}
		fd = accept(listener, NULL, NULL);
		wsup_accept(fd, config, &hs);
		wsup_take_fd(hs);
		wsup_free(hs);
		ev = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
}

static u64 handshakes;

static void handshake(void *arg, unsigned int n)
{
	handshakes += n;
	while (n--)
		hang_up(upgrade(*(int *)arg));
}

static double plain_handshake(void)
{
	u64 attached = stat_get("WsAttach");
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int listener = listen_any(), port;
	pid_t pid = fork_child();
	double insn;

	if (!pid) {
		handshakes_only(listener);
		_exit(1);
	}
	if (getsockname(listener, (struct sockaddr *)&addr, &len))
		die("getsockname");
	port = ntohs(addr.sin_port);
	insn = cost("handshake", "epoll server without frames", handshake,
		    &port);
	if (stat_get("WsAttach") != attached)
		dief("the server without frames attached some");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(listener);
	return insn;
}

static const char nginx_conf[] =
	"daemon off; master_process off; pid /tmp/nginx.pid;\n"
	"error_log /dev/null;\n"
	"events { }\n"
	"http {\n"
	"	access_log off; keepalive_timeout 0;\n"
	"	server { listen 127.0.0.1:8089; location / { return 204; } }\n"
	"}\n";

static void no_content(void *arg, unsigned int n)
{
	while (n--)
		hang_up(ask(*(int *)arg, "204 "));
}

/* What it takes to answer the same request with nothing, and to end there */
static double nginx_answer(void)
{
	pid_t pid = fork_child();
	int port = 8089, fd;
	double insn;
	FILE *f;

	if (!pid) {
		f = fopen("/tmp/nginx.conf", "w");
		if (f && fputs(nginx_conf, f) >= 0 && !fclose(f))
			execl("/usr/sbin/nginx", "nginx", "-e", "/dev/null",
			      "-c", "/tmp/nginx.conf", "-p", "/tmp", NULL);
		_exit(127);
	}
	while ((fd = try_connect(port)) < 0) {
		if (waitpid(pid, NULL, WNOHANG))
			dief("nginx has ended");
		sched_yield();
	}
	hang_up(fd);
	insn = cost("handshake", "nginx 204", no_content, &port);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return insn;
}

void bench_handshake(void)
{
	struct program p;
	u64 attached;
	double insn;

	program_start(&p, "--echo");
	attached = stat_get("WsAttach");
	insn = cost("handshake", "serve --echo", handshake, &p.port);
	attached = stat_get("WsAttach") - attached;
	if (attached != handshakes)
		dief("%llu connections, of which %llu were attached",
		     (unsigned long long)handshakes,
		     (unsigned long long)attached);
	program_stop(&p);
	report_ratio("handshake", "serve --echo", insn / nginx_answer(),
		     "nginx's 204 to the same request", PLAIN_LIMIT);
	report_ratio("handshake", "serve --echo", insn / plain_handshake(),
		     "an epoll server with the same handshake", PLAIN_LIMIT);
}
