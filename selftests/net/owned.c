// SPDX-License-Identifier: GPL-2.0
/* Sockets that somebody else owns, or still reads from */
#include <linux/bpf.h>
#include <linux/kcm.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "asleep.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

/* In a namespace of its own, for its counters */
static int connect_alone(struct peer *p, int family, int role)
{
	return peer_netns() ?: peer_connect(p, family, role);
}

PEER_FIXTURE_AS(owned, connect_alone)

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int new_sockmap(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4,
		.value_size = 4, .max_entries = 1,
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

static int sockmap_add(int map, int fd)
{
	int key = 0;
	union bpf_attr attr = {
		.map_fd = map, .key = (uintptr_t)&key,
		.value = (uintptr_t)&fd,
	};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int sockmap_remove(int map)
{
	int key = 0;
	union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&key };

	return bpf(BPF_MAP_DELETE_ELEM, &attr);
}

/* A message goes each way */
static void works(struct __test_metadata *_metadata, struct peer *p)
{
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "to"));
	ASSERT_EQ(0, peer_gets(p->fd, "to"));
	ASSERT_EQ(3, send(p->fd, "fro", 3, 0));
	ASSERT_EQ(0, peer_see_text(p, FIN | BINARY, "fro"));
}

TEST_F(owned, by_a_sockmap)
{
	int map = new_sockmap();

	ASSERT_LE(0, map);
	ASSERT_EQ(0, sockmap_add(map, self->fd));
	EXPECT_ERRNO(EBUSY, peer_attach(self->fd));
	EXPECT_EQ(ENOPROTOOPT, peer_set(self->fd, WS_ROLE, variant->role));
	/* nothing of the attempt is left */
	ASSERT_EQ(0, sockmap_remove(map));
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	works(_metadata, &self->p);
	EXPECT_EQ(1, peer_stat("WsAttach"));
}

TEST_F(owned, no_sockmap_takes_it)
{
	int map = new_sockmap();

	ASSERT_LE(0, map);
	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_EQ(-1, sockmap_add(map, self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_EQ(-1, sockmap_add(map, self->fd));
	works(_metadata, &self->p);
}

/* A program for KCM's parser: every message is one byte */
static int new_parser(void)
{
	struct bpf_insn one_byte[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0,
		  .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = ARRAY_SIZE(one_byte),
		.insns = (uintptr_t)one_byte,
		.license = (uintptr_t)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

TEST_F(owned, by_kcm)
{
	int kcm = socket(AF_KCM, SOCK_DGRAM, KCMPROTO_CONNECTED);
	struct kcm_attach a = { .fd = self->fd, .bpf_fd = new_parser() };
	struct kcm_unattach u = { .fd = self->fd };

	ASSERT_LE(0, kcm);
	ASSERT_LE(0, a.bpf_fd);
	ASSERT_EQ(0, ioctl(kcm, SIOCKCMATTACH, &a));
	EXPECT_ERRNO(EBUSY, peer_attach(self->fd));
	ASSERT_EQ(0, ioctl(kcm, SIOCKCMUNATTACH, &u));
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	works(_metadata, &self->p);
}

TEST_F(owned, by_kernel_tls)
{
	ASSERT_EQ(0, setsockopt(self->fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
	EXPECT_ERRNO(EEXIST, peer_attach(self->fd));
	EXPECT_EQ(ENOPROTOOPT, peer_set(self->fd, WS_ROLE, variant->role));
}

TEST_F(owned, no_kcm_takes_it)
{
	int kcm = socket(AF_KCM, SOCK_DGRAM, KCMPROTO_CONNECTED);
	struct kcm_attach a = { .fd = self->fd, .bpf_fd = new_parser() };

	ASSERT_LE(0, kcm);
	ASSERT_LE(0, a.bpf_fd);
	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_ERRNO(EALREADY, ioctl(kcm, SIOCKCMATTACH, &a));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EALREADY, ioctl(kcm, SIOCKCMATTACH, &a));
	works(_metadata, &self->p);
}

TEST_F(owned, by_mptcp)
{
	int fd = socket(variant->family, SOCK_STREAM, IPPROTO_MPTCP);

	/* MPTCP knows no upper layer: it does not even ask which */
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(ENOPROTOOPT, peer_attach(fd));
	close(fd);
}

TEST_F(owned, in_repair)
{
	int on = 1, off = -1;

	ASSERT_EQ(0, setsockopt(self->fd, IPPROTO_TCP, TCP_REPAIR, &on, 4));
	EXPECT_ERRNO(EOPNOTSUPP, peer_attach(self->fd));
	ASSERT_EQ(0, setsockopt(self->fd, IPPROTO_TCP, TCP_REPAIR, &off, 4));
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	works(_metadata, &self->p);
}

TEST_F(owned, kernel_tls_on_top)
{
	/* "tls" finds the place taken, before and after WS_ROLE */
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_ERRNO(EEXIST, setsockopt(self->fd, IPPROTO_TCP, TCP_ULP, "tls",
					sizeof("tls")));
	works(_metadata, &self->p);
}

/* A reader that began to wait before the socket turned to frames */
static void reader_waits(struct __test_metadata *_metadata, struct peer *p,
			 struct peer_job *job, char *buf, size_t len)
{
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, peer_start_recv(job, p->fd, buf, len));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, p->role));
}

TEST_F(owned, by_a_reader_from_before_role)
{
	struct peer *p = &self->p;
	struct peer_job job;
	char buf[64];
	int n;

	reader_waits(_metadata, p, &job, buf, sizeof(buf));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "taken"));
	/* it gets bytes of a frame, as it asked for, and then all is over */
	n = peer_join(&job);
	ASSERT_LT(0, n);
	EXPECT_EQ((char)(FIN | TEXT), buf[0]);
	EXPECT_EQ(0, peer_fails(self->fd, ECONNABORTED));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(0, peer_see_reset(p));
	EXPECT_EQ(-1, send(self->fd, "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(1, peer_stat("WsAborted"));
	EXPECT_EQ(0, peer_stat("WsFailProtocol"));
}

TEST_F(owned, a_byte_taken_is_enough)
{
	struct peer *p = &self->p;
	struct peer_job job;
	char c;

	reader_waits(_metadata, p, &job, &c, 1);
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "taken"));
	ASSERT_EQ(1, peer_join(&job));
	/* whoever reads next finds it, and senders are told as well */
	ASSERT_EQ(POLLIN, peer_poll(self->fd, POLLIN, 0));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNABORTED));
	EXPECT_EQ(0, peer_see_reset(p));
	EXPECT_ERRNO(ECONNABORTED, send(self->fd, "x", 1, MSG_NOSIGNAL));
}

TEST_F(owned, control_frames_are_not_taken)
{
	struct peer *p = &self->p;
	struct peer_job job;
	char buf[64];

	reader_waits(_metadata, p, &job, buf, sizeof(buf));
	ASSERT_EQ(0, peer_sync(p));
	EXPECT_TRUE(peer_running(&job));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "taken"));
	ASSERT_LT(0, peer_join(&job));
	EXPECT_EQ(0, peer_fails(self->fd, ECONNABORTED));
}

/* A sender that began to wait before the socket turned to frames */
static void sender_waits(struct __test_metadata *_metadata, struct peer *p,
			 struct peer_job *job, char *buf, size_t len)
{
	int small = 4096;

	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(p->raw, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, peer_start(job, p->fd, buf, len));
	ASSERT_EQ(0, asleep(1));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, p->role));
}

TEST_F(owned, by_a_sender_from_before_role)
{
	static char data[1 << 20], got[4096];
	struct peer *p = &self->p;
	struct peer_job job;
	ssize_t n, sum = 0;

	sender_waits(_metadata, p, &job, data, sizeof(data));
	/* there is room again, and it goes on with its raw bytes */
	do {
		n = recv(p->raw, got, sizeof(got), 0);
		sum += n > 0 ? n : 0;
	} while (n > 0);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_GT(sizeof(data), sum);
	n = peer_join(&job);
	EXPECT_GT(sizeof(data), n);
	EXPECT_EQ(0, peer_fails(self->fd, ECONNABORTED));
	EXPECT_EQ(0, peer_gets(self->fd, ""));
	EXPECT_EQ(1, peer_stat("WsAborted"));
}

static void on_signal(int sig)
{
}

TEST_F(owned, reader_that_gives_up_does_no_harm)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct peer *p = &self->p;
	struct peer_job job;
	char buf[64];

	sigaction(SIGUSR1, &sa, NULL);
	reader_waits(_metadata, p, &job, buf, sizeof(buf));
	ASSERT_EQ(0, pthread_kill(job.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, peer_join(&job));
	works(_metadata, p);
	EXPECT_EQ(0, peer_stat("WsAborted"));
}

TEST_F(owned, sender_that_gives_up_does_no_harm)
{
	struct sigaction sa = { .sa_handler = on_signal };
	static char data[1 << 20];
	struct peer *p = &self->p;
	struct peer_job job;
	ssize_t n;

	sigaction(SIGUSR1, &sa, NULL);
	sender_waits(_metadata, p, &job, data, sizeof(data));
	ASSERT_EQ(0, pthread_kill(job.thread, SIGUSR1));
	n = peer_join(&job);
	ASSERT_LT(0, n);
	/* what it wrote before stands before the first frame */
	ASSERT_EQ(0, peer_read(p, data, n));
	works(_metadata, p);
	EXPECT_EQ(0, peer_stat("WsAborted"));
}

TEST_HARNESS_MAIN
