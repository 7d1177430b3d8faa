// SPDX-License-Identifier: GPL-2.0
/* wsup serve: servers, without writing one. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "options.h"
#include "run.h"
#include "serve.h"

#define EXEC_CONNECTIONS	64	/* as of Accept=yes */

static const char help[] =
"usage: wsup serve MODE [OPTION...] [[ADDRESS:]PORT]\n"
"\n"
"Serve WebSocket connections at an address, 127.0.0.1 by default; port 0 is\n"
"any that is free. 'listening on ADDRESS:PORT' is printed when connections\n"
"are accepted. Sockets of systemd are taken if there are any.\n"
"\n"
"What to do with connections, the MODE:\n"
"  -e, --echo               send each message back\n"
"      --exec COMMAND       run a line for the shell, with payload on its\n"
"                           stdin and stdout, the request in its environment\n"
"      --to HOST:PORT       relay to a TCP server\n"
"\n"
"Who may connect:\n"
"      --auth NAME:PASSWORD demand credentials; may be repeated\n"
"      --auth-file FILE     with a line NAME:PASSWORD for each\n"
"      --realm TEXT         what for (websocket)\n"
"  -o, --origin ORIGIN      allow pages of this origin, beside those of the\n"
"                           same host; '*': of any\n"
"      --host NAME          a name that pages may call this server, beside\n"
"                           addresses and localhost; '*': any\n"
"  -p, --subprotocol NAME   accept a subprotocol, best first\n"
"      --path PATH          serve connections at this path and under it\n"
"\n"
"Other options:\n"
"  -s, --static DIRECTORY   serve files, to requests for no connection\n"
"  -H, --header 'NAME: VALUE'  send a header with every answer\n"
"      --text               send text messages (--exec: lines; --to)\n"
"      --lines              lines of --exec are messages, also binary ones\n"
"  -b, --bytes              --exec --text: bytes, not lines\n"
"      --grace TIME         a program of --exec may go on so long when its\n"
"                           client has closed (5s)\n"
"  -P, --ping-interval TIME ping clients that are silent this long\n"
"      --ping-timeout TIME  give up those that do not answer\n"
"  -t, --timeout TIME       for the handshake (10s)\n"
"  -n, --connections N      at most N at a time; for --exec processes (64)\n"
"  -j, --threads N          loops (one for each processor; --exec: 1)\n"
"      --drain TIME         after SIGTERM: time to answer what came (5s)\n"
"      --control PATH       where a successor finds this server\n"
"      --takeover           be the successor: take sockets and connections\n"
"                           of the server at --control\n"
"  -v, --verbose            tell about refusals and failed handshakes\n"
"  -h, --help               this text\n";

struct serve_options serve = { .drain = 5000, .grace = -1 };

static struct loop *loops;
static int *listeners;
static int nr_listeners;
static atomic_int others;	/* loops that run, beside the first */
static pthread_barrier_t prepared, begun;
static const char *control;
static int control_fd = -1;
static bool takeover;
static bool named;		/* there is a --host */
static int signals;
static struct signalfd_siginfo signal_info;
static struct op signal_op;
static struct op drain_op;

/**
 * loop_give() - give a connection of the predecessor to a loop
 * @number: of the loop
 * @packet: what was told about it
 */
void loop_give(unsigned int number, struct packet *packet)
{
	struct loop *loop = &loops[number];

	pthread_mutex_lock(&loop->lock);
	list_add(&loop->inbox, &packet->list);
	pthread_mutex_unlock(&loop->lock);
	loop_wake(loop);
}

/**
 * serve_begin_stop() - let all loops end
 * @how: STOP_DRAIN or STOP_HANDOVER
 */
void serve_begin_stop(enum stop how)
{
	__atomic_store_n(&serve_stop, how, __ATOMIC_RELEASE);
	serve_wake();
}

/**
 * serve_wake() - let all loops look at what there is to do
 */
void serve_wake(void)
{
	int i;

	for (i = 0; i < serve.threads; i++)
		loop_wake(&loops[i]);
}

/**
 * serve_wake_first() - let the first loop look at what there is to do
 */
void serve_wake_first(void)
{
	loop_wake(&loops[0]);
}

/**
 * serve_listeners() - the sockets that this server listens at
 * @fds: receives them
 *
 * Return: how many.
 */
int serve_listeners(const int **fds)
{
	*fds = listeners;
	return nr_listeners;
}

/**
 * serve_others_ended() - have all loops but the first?
 *
 * Return: true if so.
 */
bool serve_others_ended(void)
{
	return !atomic_load(&others);
}

/*
 * What is still open then is closed by the kernel, with code 1001. Other
 * threads still run: exit() would take away what they use.
 */
static void on_drained(struct loop *loop, struct op *op, int res,
		       unsigned int flags)
{
	(void)loop;
	(void)op;
	(void)res;
	(void)flags;
	control_remove();
	_exit(EXIT_SUCCESS);
}

static void wait_for_signal(struct loop *loop)
{
	io_uring_prep_read(loop_sqe(loop, &signal_op), signals, &signal_info,
			   sizeof(signal_info), 0);
}

static void on_signal(struct loop *loop, struct op *op, int res,
		      unsigned int flags)
{
	static struct __kernel_timespec limit;

	(void)op;
	(void)flags;
	if (res <= 0) {
		wait_for_signal(loop);
		return;
	}
	/* a second one, or one that a successor is too slow for */
	if (serve_stop) {
		control_remove();
		_exit(serve_stop == STOP_DRAIN ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	wait_for_signal(loop);
	notify("STOPPING=1");
	limit.tv_sec = serve.drain / 1000;
	limit.tv_nsec = serve.drain % 1000 * 1000000L;
	io_uring_prep_timeout(loop_sqe(loop, &drain_op), &limit, 0, 0);
	serve_begin_stop(STOP_DRAIN);
}

/**
 * serve_setup() - let the first loop look after the server as a whole
 * @loop: the first one; its ring exists
 */
void serve_setup(struct loop *loop)
{
	signal_op.done = on_signal;
	drain_op.done = on_drained;
	wait_for_signal(loop);
	if (takeover)
		takeover_continue(loop);
	if (control)
		takeover_listen(loop, control_fd);
	notify("READY=1\nMAINPID=%d", getpid());
}

/*
 * SIGPIPE would let one broken connection end all: splice() and write() know no
 * MSG_NOSIGNAL, and stderr may be a pipe as well. With SIGCHLD ignored, which a
 * parent may have left to us, programs leave no status.
 */
static void block_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		die("signalfd: %s", strerror(errno));
}

static uint64_t namespace_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	return cookie;
}

/*
 * A socket that was never connected tells what the kernel would do to one that
 * is: ENOTCONN is good. Whether it may be attached depends on the network
 * namespace, and sockets of systemd may come from another one than ours.
 */
static void check_kernel(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : wsup_attach_dormant(fd);

	if (err == -EPERM && namespace_of(fd) != namespace_of(listeners[0]))
		err = -ENOTCONN;
	if (err != -ENOTCONN)
		die("%s", wsup_attach_strerror(err));
	close(fd);
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool add_user(const char *name, const char *path, char *line, size_t len)
{
	if (strlen(line) != len)
		die("%s: %s: a line has a NUL byte in it", name, path);
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return false;
	add_text(serve.config, WSUP_USER, name, line);
	return true;
}

/* A file without users would let everybody in: that is never what is meant. */
static void add_users(const char *name, const char *path)
{
	FILE *from = fopen(path, "re");
	bool found = false;
	size_t size = 0;
	char *line = NULL;
	ssize_t n;

	if (!from)
		die("%s: %s: %s", name, path, strerror(errno));
	while ((n = getline(&line, &size, from)) > 0)
		found |= add_user(name, path, line, (size_t)n);
	if (!feof(from))
		die("%s: %s: %s", name, path, strerror(errno));
	if (!found)
		die("%s: %s: there is no line NAME:PASSWORD in it", name, path);
	free(line);
	fclose(from);
}

static void *run_thread(void *arg)
{
	struct loop *loop = arg;

	loop_prepare(loop);
	pthread_barrier_wait(&prepared);
	pthread_barrier_wait(&begun);
	loop_run(loop);
	atomic_fetch_sub(&others, 1);
	serve_wake_first();
	return NULL;
}

static void init_loops(void)
{
	int i, first, share, n = nr_listeners;

	loops = calloc((size_t)serve.threads, sizeof(*loops));
	if (!loops)
		die("%s", strerror(ENOMEM));
	/* each has its share of the listeners, and at least one */
	for (i = 0; i < serve.threads; i++) {
		first = i * n / serve.threads;
		share = (i + 1) * n / serve.threads - first;
		loop_init(&loops[i], (unsigned int)i, listeners + first,
			  share ? (size_t)share : 1);
	}
}

/* Whatever may fail has failed when this returns; nothing is served yet. */
static void prepare_loops(void)
{
	unsigned int n = (unsigned int)serve.threads;
	int i;

	others = serve.threads - 1;
	if (pthread_barrier_init(&prepared, NULL, n) ||
	    pthread_barrier_init(&begun, NULL, n))
		die("%s", strerror(ENOMEM));
	for (i = 1; i < serve.threads; i++)
		if (pthread_create(&loops[i].thread, NULL, run_thread,
				   &loops[i]))
			die("no thread");
	loop_prepare(&loops[0]);
	pthread_barrier_wait(&prepared);
}

static void print_listeners(void)
{
	char text[80], first[80] = "";
	int i;

	/* what follows is the same for other threads */
	for (i = 0; i < nr_listeners; i++) {
		print_address(listeners[i], text, sizeof(text));
		if (!strcmp(text, first))
			break;
		printf("listening on %s\n", text);
		if (!i)
			strcpy(first, text);
	}
	fflush(stdout);
}

static void add_host(const char *name, const char *value)
{
	add_text(serve.config, WSUP_HOST, name, value);
	named = true;
}

static bool is_loopback(int fd)
{
	struct sockaddr_storage addr = {};
	const struct sockaddr_in6 *in6 = (const void *)&addr;
	const struct sockaddr_in *in = (const void *)&addr;
	socklen_t len = sizeof(addr);

	getsockname(fd, (struct sockaddr *)&addr, &len);
	if (addr.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/*
 * A page whose name was led to this machine reads files without saying where it
 * comes from. What only this machine reaches has no name but those of loopback,
 * unless --host gives it others.
 */
static void protect_files(void)
{
	int i;

	for (i = 0; i < nr_listeners; i++)
		if (!is_loopback(listeners[i]))
			return;
	if (serve.directory && !named)
		add_text(serve.config, WSUP_HOST, "--host", "localhost");
}

static void run(const char *address)
{
	int i;

	if (takeover)
		nr_listeners = takeover_begin(control, &listeners);
	else
		nr_listeners = sockets_open(address, serve.threads, &listeners);
	if (!nr_listeners)
		die("there is nothing to listen at");
	check_kernel();
	protect_files();
	if (control)
		control_fd = control_open(control, takeover ? ".new" : "");
	init_loops();
	prepare_loops();
	if (takeover)
		takeover_go(control);
	print_listeners();
	pthread_barrier_wait(&begun);
	loop_run(&loops[0]);
	for (i = 1; i < serve.threads; i++)
		pthread_join(loops[i].thread, NULL);
	control_remove();
}

static void choose_mode(void)
{
	bool echo = serve.mode;

	if (echo + !!serve.to + !!serve.exec != 1)
		die_usage("what to serve? --echo, --exec or --to");
	if (serve.to) {
		serve.mode = &relay_mode;
		target_open(serve.to);
	} else if (serve.exec) {
		serve.mode = &exec_mode;
	}
}

static void check_options(void)
{
	static const char without[] = "without --exec";

	warn_foreign(serve.text && serve.mode == &echo_mode, "--text",
		     "with --echo");
	warn_foreign(serve.lines && !serve.exec, "--lines", without);
	warn_foreign(serve.bytes && !serve.exec, "--bytes", without);
	warn_foreign(serve.grace >= 0 && !serve.exec, "--grace", without);
	if (serve.grace < 0)
		serve.grace = GRACE_MS;
}

static void choose_threads(void)
{
	cpu_set_t set;

	if (serve.threads)
		return;
	serve.threads = 1;
	if (!serve.exec && !sched_getaffinity(0, sizeof(set), &set))
		serve.threads = CPU_COUNT(&set);
}

static void set_echo(const char *name, const char *value)
{
	(void)name;
	(void)value;
	serve.mode = &echo_mode;
}

static void parse(int argc, char **argv)
{
	static const struct opt options[] = {
		{ 'e', "echo", OPT_CALL, .call = set_echo },
		{ 0, "exec", OPT_STRING, .to = &serve.exec },
		{ 0, "to", OPT_STRING, .to = &serve.to },
		{ 0, "auth", OPT_SECRET, WSUP_USER },
		{ 0, "auth-file", OPT_CALL, 1, .call = add_users },
		{ 0, "realm", OPT_TEXT, WSUP_REALM },
		{ 'o', "origin", OPT_TEXT, WSUP_ALLOW_ORIGIN },
		{ 0, "host", OPT_CALL, 1, .call = add_host },
		{ 'p', "subprotocol", OPT_TEXT, WSUP_SUBPROTOCOL },
		{ 0, "path", OPT_PATH },
		{ 's', "static", OPT_STRING, .to = &serve.directory },
		{ 'H', "header", OPT_TEXT, WSUP_HEADER },
		{ 0, "text", OPT_VALUE, WS_OP_TEXT, &serve.text },
		{ 0, "lines", OPT_FLAG, .to = &serve.lines },
		{ 'b', "bytes", OPT_FLAG, .to = &serve.bytes },
		{ 0, "grace", OPT_TIME, .to = &serve.grace, .max = DAY_MS },
		{ 'P', "ping-interval", OPT_TIME, .to = &serve.ping_interval,
		  .max = DAY_MS },
		{ 0, "ping-timeout", OPT_TIME, .to = &serve.ping_timeout,
		  .max = DAY_MS },
		{ 't', "timeout", OPT_TIME, WSUP_TIMEOUT,
		  .min = 1, .max = HOUR_MS },
		{ 'n', "connections", OPT_INT, .to = &serve.connections,
		  .min = 1, .max = INT_MAX },
		{ 'j', "threads", OPT_INT, .to = &serve.threads, .min = 1,
		  .max = 1024 },
		{ 0, "drain", OPT_TIME, .to = &serve.drain, .max = DAY_MS },
		{ 0, "control", OPT_STRING, .to = &control },
		{ 0, "takeover", OPT_FLAG, .to = &takeover },
		{ 'v', "verbose", OPT_FLAG, .to = &serve.verbose },
		{}
	};

	parse_options(argc, argv, options, serve.config, help);
	if (optind + 1 < argc)
		die_usage("one address is enough");
	if (takeover && !control)
		die_usage("--takeover: of whom? --control tells");
	if (control && !*control)
		die_usage("--control: an empty path");
	if (serve.exec && !*serve.exec)
		die_usage("--exec: an empty command");
	choose_mode();
	check_options();
	choose_threads();
	if (serve.exec && !serve.connections)
		serve.connections = EXEC_CONNECTIONS;
	if (serve.connections)
		wsup_config_set(serve.config, WSUP_ASK, 1);
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
	serve.config = new_config();
	parse(argc, argv);
	if (serve.directory)
		files_open(serve.directory);
	raise_limit();
	block_signals();
	run(optind < argc ? argv[optind] : NULL);
	/* a thread may be looking up names, which exit() would disturb */
	_exit(EXIT_SUCCESS);
}
