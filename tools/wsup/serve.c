// SPDX-License-Identifier: GPL-2.0
/* wsup serve: servers, without writing one. */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/ws.h>

#include "serve.h"

/* Time limits of handshakes are looked after so often. */
#define TICK_MS		250
#define EVENTS		256

/* A connection: first a handshake, which is freed, then an echo. */
struct conn {
	int		fd;
	short		events;
	struct wsup_hs	*hs;
	struct echo	echo;
	struct conn	*prev;		/* among the handshakes */
	struct conn	*next;
};

static struct serve_options opt;
static int epoll_fd;
static int listener;
static int signals;
static struct conn *handshakes;

static void help(void)
{
	puts("usage: wsup serve --echo [OPTION...] [ADDRESS:]PORT\n\n"
	     "Serve WebSocket connections at an address, 127.0.0.1 by default;\n"
	     "port 0 is any that is free. 'listening on ADDRESS:PORT' is\n"
	     "printed to stdout when connections are accepted.\n\n"
	     "  -e, --echo               send each message back\n"
	     "  -p, --subprotocol NAME   accept a subprotocol, best first\n"
	     "  -o, --origin ORIGIN      allow pages of this origin, beside those\n"
	     "                           of the same host; '*': of any\n"
	     "      --path PATH          serve this path, not all\n"
	     "  -P, --ping-interval MS   ping clients that are silent this long\n"
	     "      --ping-timeout MS    give up those that do not answer\n"
	     "  -t, --timeout MS         for the handshake (10000)\n"
	     "  -v, --verbose            tell about failed handshakes\n"
	     "  -h, --help               this text");
}

static uint32_t epoll_events(short events)
{
	return (events & POLLIN ? EPOLLIN : 0) |
	       (events & POLLOUT ? EPOLLOUT : 0);
}

static void watch(int op, int fd, short events, void *data)
{
	struct epoll_event event = {
		.events = epoll_events(events),
		.data.ptr = data,
	};

	if (epoll_ctl(epoll_fd, op, fd, &event))
		die("epoll: %s", strerror(errno));
}

static void link_handshake(struct conn *conn)
{
	conn->next = handshakes;
	if (handshakes)
		handshakes->prev = conn;
	handshakes = conn;
}

static void unlink_handshake(struct conn *conn)
{
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		handshakes = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	wsup_free(conn->hs);
	conn->hs = NULL;
}

static void conn_close(struct conn *conn)
{
	if (conn->hs)
		unlink_handshake(conn);
	close(conn->fd);
	echo_free(&conn->echo);
	free(conn);
}

/* Return: events to wait for, 0 to close. */
static short begin(struct conn *conn)
{
	unlink_handshake(conn);
	if (opt.ping_interval)
		set_int(conn->fd, WS_PING_INTERVAL, opt.ping_interval);
	if (opt.ping_timeout)
		set_int(conn->fd, WS_PING_TIMEOUT, opt.ping_timeout);
	return echo_step(conn->fd, &conn->echo);
}

static short step_handshake(struct conn *conn)
{
	int ret = wsup_step(conn->hs);

	if (ret == WSUP_AGAIN)
		return wsup_events(conn->hs);
	if (ret == WSUP_DONE)
		return begin(conn);
	if (opt.verbose)
		complain("%s", wsup_error(conn->hs));
	return 0;
}

static void conn_step(struct conn *conn)
{
	short events = conn->hs ? step_handshake(conn)
				: echo_step(conn->fd, &conn->echo);

	if (!events) {
		conn_close(conn);
		return;
	}
	if (events != conn->events)
		watch(EPOLL_CTL_MOD, conn->fd, events, conn);
	conn->events = events;
}

static void conn_open(int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int one = 1;

	if (!conn || wsup_accept_new(&conn->hs, fd, opt.config)) {
		complain("%s", wsup_strerror(-ENOMEM));
		free(conn);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn->fd = fd;
	conn->events = POLLIN;
	link_handshake(conn);
	watch(EPOLL_CTL_ADD, fd, POLLIN, conn);
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC |
						   SOCK_NONBLOCK)) >= 0)
		conn_open(fd);
	if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		complain("accept: %s", strerror(errno));
}

static void tick(void)
{
	struct conn *conn, *next;

	for (conn = handshakes; conn; conn = next) {
		next = conn->next;
		if (!wsup_timeout(conn->hs))
			conn_step(conn);
	}
}

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void handle(void *what)
{
	if (what == &listener)
		accept_all();
	else
		conn_step(what);
}

/* Until SIGTERM or SIGINT; the kernel then closes what is open, with 1001. */
static void loop(void)
{
	struct epoll_event events[EVENTS];
	long next_tick = now();
	int i, n;

	for (;;) {
		n = epoll_wait(epoll_fd, events, EVENTS,
			       handshakes ? TICK_MS : -1);
		if (n < 0 && errno != EINTR)
			die("epoll: %s", strerror(errno));
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == &signals)
				return;
			handle(events[i].data.ptr);
		}
		if (now() >= next_tick) {
			tick();
			next_tick = now() + TICK_MS;
		}
	}
}

static void listen_at(const char *address)
{
	struct addrinfo *ai = parse_address(address);
	char text[80];
	int one = 1;

	listener = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
					 SOCK_NONBLOCK, 0);
	if (listener < 0)
		die("socket: %s", strerror(errno));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, ai->ai_addr, ai->ai_addrlen) ||
	    listen(listener, SOMAXCONN))
		die("%s: %s", address, strerror(errno));
	freeaddrinfo(ai);
	watch(EPOLL_CTL_ADD, listener, POLLIN, &listener);
	print_address(listener, text, sizeof(text));
	printf("listening on %s\n", text);
	fflush(stdout);
}

static void watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		die("signalfd: %s", strerror(errno));
	watch(EPOLL_CTL_ADD, signals, POLLIN, &signals);
}

/* A socket that was never connected tells: no ws_ulp, or merely ENOTCONN. */
static void check_kernel(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : wsup_attach_dormant(fd);

	if (err != -ENOTCONN)
		die("%s", wsup_attach_strerror(err));
	close(fd);
}

static void parse(int argc, char **argv)
{
	enum { PING_TIMEOUT = 256, PATH };
	static const struct option options[] = {
		{ "echo", no_argument, NULL, 'e' },
		{ "subprotocol", required_argument, NULL, 'p' },
		{ "origin", required_argument, NULL, 'o' },
		{ "path", required_argument, NULL, PATH },
		{ "ping-interval", required_argument, NULL, 'P' },
		{ "ping-timeout", required_argument, NULL, PING_TIMEOUT },
		{ "timeout", required_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "ep:o:P:t:vh", options,
				NULL)) != -1) {
		switch (c) {
		case 'e':
			opt.echo = true;
			break;
		case 'p':
			add_text(opt.config, WSUP_SUBPROTOCOL, "--subprotocol",
				 optarg);
			break;
		case 'o':
			add_text(opt.config, WSUP_ALLOW_ORIGIN, "--origin",
				 optarg);
			break;
		case PATH:
			add_text(opt.config, WSUP_PATH, "--path", optarg);
			break;
		case 'P':
			opt.ping_interval = number("--ping-interval", optarg, 0,
						   86400000);
			break;
		case PING_TIMEOUT:
			opt.ping_timeout = number("--ping-timeout", optarg, 0,
						  86400000);
			break;
		case 't':
			wsup_config_set(opt.config, WSUP_TIMEOUT,
					number("--timeout", optarg, 1,
					       3600000));
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'h':
			help();
			exit(0);
		default:
			exit(EXIT_USAGE);
		}
	}
}

/**
 * cmd_serve() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_serve(int argc, char **argv)
{
	opt.config = new_config();
	parse(argc, argv);
	if (optind + 1 != argc)
		die_usage("exactly one address is needed");
	if (!opt.echo)
		die_usage("what to serve? --echo");
	check_kernel();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll: %s", strerror(errno));
	watch_signals();
	listen_at(argv[optind]);
	loop();
	return 0;
}
