// SPDX-License-Identifier: GPL-2.0
/*
 * wsup info: the state of connections. Those of this network namespace are told
 * by sock_diag(7), as to ss(8); one of another process is asked through a copy
 * of its descriptor.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "options.h"

/* Of the nest of INET_DIAG_ULP_INFO, see Documentation/networking. */
#define INET_ULP_INFO_WS	0x57

static const char help[] =
"usage: wsup info [PORT | PID/FD]\n"
"\n"
"Show the WebSocket connections of this network namespace, only those with\n"
"this local or remote port, or the one that a process has as descriptor FD.\n"
"Before Linux 7.2 connections are shown to root only.\n"
"\n"
"  -h, --help  this text\n";

static int wanted_port;
static unsigned int shown;
static bool changed;		/* the list, while it was told */

static void print_end(int family, const void *addr, __be16 port)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, text, sizeof(text));
	printf(family == AF_INET6 ? "[%s]:%u " : "%s:%u ", text, ntohs(port));
}

static const char *state_name(const struct ws_info *info)
{
	static const char * const names[] = {
		[WS_STATE_DORMANT] = "dormant",
		[WS_STATE_OPEN] = "open",
		[WS_STATE_CLOSING] = "closing",
		[WS_STATE_CLOSED] = "closed",
	};

	return info->state < ARRAY_SIZE(names) ? names[info->state] : "?";
}

static const char *role_name(const struct ws_info *info)
{
	if (info->role == WS_SERVER)
		return "server";
	return info->role == WS_CLIENT ? "client" : "-";
}

static void print_closing(const struct ws_info *info)
{
	if (info->flags & WS_INFO_CLOSE_SENT)
		printf(" close-sent:%u", info->close_code_sent);
	if (info->flags & WS_INFO_CLOSE_RCVD)
		printf(" close-rcvd:%u", info->close_code_rcvd);
	if (info->flags & WS_INFO_FAILED)
		printf(" failed");
}

static void print_info(const struct ws_info *info)
{
	printf("%s %s", role_name(info), state_name(info));
	print_closing(info);
	if (info->flags & WS_INFO_TX_OPEN)
		printf(" tx-open");
	if (info->flags & WS_INFO_TX_WAITING)
		printf(" tx-waiting");
	printf("\n\trx %llu bytes %llu frames %u pings %u pongs\n",
	       info->rx_bytes, info->rx_frames, info->rx_pings,
	       info->rx_pongs);
	printf("\ttx %llu bytes %llu frames %u pings %u pongs\n",
	       info->tx_bytes, info->tx_frames, info->tx_pings,
	       info->tx_pongs);
	if (info->rtt_us)
		printf("\trtt %u us\n", info->rtt_us);
	shown++;
}

/* An attribute of a list; NULL if it is not there. */
static const struct nlattr *find(const void *data, size_t len, int type)
{
	const struct nlattr *a = data;
	size_t size;

	while (len >= sizeof(*a) && a->nla_len >= sizeof(*a) &&
	       a->nla_len <= len) {
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		size = NLA_ALIGN(a->nla_len);
		if (size >= len)
			break;
		a = (const void *)((const char *)a + size);
		len -= size;
	}
	return NULL;
}

static const struct nlattr *nested(const struct nlattr *a, int type)
{
	return a ? find(a + 1, a->nla_len - sizeof(*a), type) : NULL;
}

static void show(const struct inet_diag_msg *msg, size_t len)
{
	const struct inet_diag_sockid *id = &msg->id;
	const struct nlattr *ws;
	struct ws_info info = {};
	size_t n;

	ws = nested(find(msg + 1, len - sizeof(*msg), INET_DIAG_ULP_INFO),
		    INET_ULP_INFO_WS);
	if (!ws || (wanted_port && ntohs(id->idiag_sport) != wanted_port &&
		    ntohs(id->idiag_dport) != wanted_port))
		return;
	n = ws->nla_len - sizeof(*ws);
	memcpy(&info, ws + 1, n < sizeof(info) ? n : sizeof(info));
	print_end(msg->idiag_family, id->idiag_src, id->idiag_sport);
	print_end(msg->idiag_family, id->idiag_dst, id->idiag_dport);
	print_info(&info);
}

/* Both an error and the end carry a negative errno, an end maybe 0. */
static void check_error(const struct nlmsghdr *nlh)
{
	const int *error = NLMSG_DATA(nlh);

	if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) && *error < 0)
		die("sock_diag: %s", strerror(-*error));
	if (nlh->nlmsg_type != NLMSG_DONE)
		die("sock_diag: the kernel's answer is malformed");
}

/* Return: false after the last part. */
static bool show_part(const struct nlmsghdr *nlh, size_t len)
{
	for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			changed = true;
		if (nlh->nlmsg_type == NLMSG_DONE) {
			check_error(nlh);
			return false;
		}
		if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		    nlh->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			check_error(nlh);
		show(NLMSG_DATA(nlh), NLMSG_PAYLOAD(nlh, 0));
	}
	return true;
}

/* A part of the answer; other processes may write to this socket as well. */
static size_t receive(int fd, void *data, size_t size)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, 0);
		if (n < 0 && errno != EINTR)
			die("sock_diag: %s", strerror(errno));
	} while (n < 0 || from.nl_pid);
	if (!n || msg.msg_flags & MSG_TRUNC)
		die("sock_diag: the kernel's answer is cut");
	return (size_t)n;
}

static void dump(int fd, int family)
{
	static char answer[1 << 16] __attribute__((__aligned__(8)));
	struct {
		struct nlmsghdr nlh;
		struct inet_diag_req_v2 req;
	} ask = {
		.nlh = {
			.nlmsg_len = sizeof(ask),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.req = {
			.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1),
			.idiag_states = -1,
		},
	};
	size_t n;

	if (send(fd, &ask, sizeof(ask), 0) < 0)
		die("sock_diag: %s", strerror(errno));
	do {
		n = receive(fd, answer, sizeof(answer));
	} while (show_part((struct nlmsghdr *)answer, n));
}

static int complain_nothing(void)
{
	char port[16] = "";

	if (wanted_port)
		snprintf(port, sizeof(port), " at port %d", wanted_port);
	complain("there is no WebSocket connection%s%s", port, geteuid() ?
		 " that you may see: before Linux 7.2 root only" : "");
	return EXIT_FAILURE;
}

static int show_all(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			NETLINK_SOCK_DIAG);

	if (fd < 0)
		die("sock_diag: %s", strerror(errno));
	dump(fd, AF_INET);
	dump(fd, AF_INET6);
	close(fd);
	if (changed)
		complain("some came or went meanwhile: the list may be wrong");
	return shown ? EXIT_SUCCESS : complain_nothing();
}

/* Takes the right to trace the process, as looking into it does. */
static int show_descriptor(pid_t pid, int number)
{
	struct ws_info info = {};
	socklen_t len = sizeof(info);
	int process, fd;

	process = pidfd_open(pid, 0);
	if (process < 0)
		die("%d: %s", pid, strerror(errno));
	fd = pidfd_getfd(process, number, 0);
	if (fd < 0)
		die("%d/%d: %s", pid, number, strerror(errno));
	if (getsockopt(fd, SOL_WS, WS_INFO, &info, &len))
		die("%d/%d: no WebSocket connection", pid, number);
	print_info(&info);
	return EXIT_SUCCESS;
}

/**
 * cmd_info() - the command
 * @argc: number of arguments
 * @argv: arguments, with the command's name
 *
 * Return: exit code.
 */
int cmd_info(int argc, char **argv)
{
	static const struct opt options[] = { {} };
	char *slash;

	parse_options(argc, argv, options, NULL, help);
	if (optind < argc - 1)
		die_usage("at most one port or descriptor");
	if (optind == argc)
		return show_all();
	slash = strchr(argv[optind], '/');
	if (slash) {
		*slash++ = '\0';
		return show_descriptor(parse_number("PID", argv[optind], 1,
						    INT_MAX),
				       parse_number("FD", slash, 0, INT_MAX));
	}
	wanted_port = parse_number("PORT", argv[optind], 1, 65535);
	return show_all();
}
