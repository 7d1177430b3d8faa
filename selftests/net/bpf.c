// SPDX-License-Identifier: GPL-2.0
/* BPF programs of a cgroup, which see a socket from softirq, at any time */
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fixture.h"

#define INSN(op, to, from, offset, value)				\
	((struct bpf_insn){ .code = (op), .dst_reg = (to),		\
			    .src_reg = (from), .off = (offset),		\
			    .imm = (value) })
#define MOVE(to, from)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define SET(to, value)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define ADD(to, value)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define STORE(offset, value)						\
	INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, offset, value)
#define CALL(number)	INSN(BPF_JMP | BPF_CALL, 0, 0, 0, number)
#define EXIT		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* An array of one counter */
static int new_counter(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4, .value_size = 8, .max_entries = 1,
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

static long long counted(int counter)
{
	unsigned long long value = 0;
	unsigned int key = 0;
	union bpf_attr attr = {
		.map_fd = counter,
		.key = (unsigned long)&key, .value = (unsigned long)&value,
	};

	return bpf(BPF_MAP_LOOKUP_ELEM, &attr) ? -1 : value;
}

/*
 * For each event of a connection: ask for those of the round trip and of the
 * state as well, set SO_RCVLOWAT, and count it.
 */
static int load(int counter)
{
	struct bpf_insn program[] = {
		MOVE(BPF_REG_6, BPF_REG_1),
		SET(BPF_REG_2, BPF_SOCK_OPS_STATE_CB_FLAG |
			       BPF_SOCK_OPS_RTT_CB_FLAG),
		CALL(BPF_FUNC_sock_ops_cb_flags_set),
		STORE(-4, 2),
		MOVE(BPF_REG_1, BPF_REG_6),
		SET(BPF_REG_2, SOL_SOCKET),
		SET(BPF_REG_3, SO_RCVLOWAT),
		MOVE(BPF_REG_4, BPF_REG_10),
		ADD(BPF_REG_4, -4),
		SET(BPF_REG_5, 4),
		CALL(BPF_FUNC_setsockopt),
		STORE(-4, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD,
		     0, counter),
		INSN(0, 0, 0, 0, 0),
		MOVE(BPF_REG_2, BPF_REG_10),
		ADD(BPF_REG_2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		SET(BPF_REG_1, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0,
		     BPF_ADD),
		SET(BPF_REG_0, 1),
		EXIT,
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCK_OPS,
		.insns = (unsigned long)program,
		.insn_cnt = ARRAY_SIZE(program),
		.license = (unsigned long)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int program, int cgroup)
{
	union bpf_attr attr = {
		.target_fd = cgroup, .attach_bpf_fd = program,
		.attach_type = BPF_CGROUP_SOCK_OPS,
	};

	return bpf(BPF_PROG_ATTACH, &attr);
}

/* A cgroup of the calling process's own: a descriptor of its directory */
static int enter_cgroup(const char *root, char *path, size_t size)
{
	char procs[100];
	FILE *file;

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", root, "cgroup2", 0, NULL))
		return -1;
	snprintf(path, size, "%s/ws-%d", root, getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	if (mkdir(path, 0700))
		return -1;
	file = fopen(procs, "w");
	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY);
}

FIXTURE(bpf) {
	struct peer p;
	int fd;
	int counter;
	char root[32];
	char path[80];
};

FIXTURE_VARIANT(bpf) {
	int family;
	int role;
};

PEER_VARIANTS(bpf);

FIXTURE_SETUP(bpf)
{
	int cgroup, program;

	signal(SIGPIPE, SIG_IGN);
	strcpy(self->root, "/tmp/ws-bpf-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->root));
	cgroup = enter_cgroup(self->root, self->path, sizeof(self->path));
	ASSERT_LE(0, cgroup) TH_LOG("cgroup: %s", strerror(errno));
	self->counter = new_counter();
	program = load(self->counter);
	ASSERT_LE(0, program) TH_LOG("load: %s", strerror(errno));
	ASSERT_EQ(0, attach(program, cgroup));
	close(program);
	close(cgroup);
	ASSERT_EQ(0, peer_open_alone(&self->p, variant->family,
				     variant->role));
	self->fd = self->p.fd;
}

FIXTURE_TEARDOWN(bpf)
{
	char procs[64];
	FILE *file;

	peer_close(&self->p);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", self->root);
	file = fopen(procs, "w");
	if (file) {
		fprintf(file, "%d\n", getpid());
		fclose(file);
	}
	rmdir(self->path);
	umount(self->root);
	rmdir(self->root);
}

TEST_F(bpf, sees_a_socket_in_use)
{
	long long n = counted(self->counter);
	int i, value = 0;
	socklen_t len = sizeof(value);

	ASSERT_LE(2, n);
	for (i = 0; i < PEER_LIMIT && counted(self->counter) == n; i++) {
		ASSERT_EQ(1, send(self->fd, "x", 1, 0));
		ASSERT_EQ(0, peer_see_text(&self->p, FIN | BINARY, "x"));
	}
	EXPECT_LT(n, counted(self->counter));
	/* what would silence the parser is refused from there as well */
	ASSERT_EQ(0, getsockopt(self->fd, SOL_SOCKET, SO_RCVLOWAT, &value,
				&len));
	EXPECT_EQ(1, value);
}

TEST_F(bpf, sees_a_socket_that_lingers)
{
	struct peer *p = &self->p;
	const char *curr = p->role == WS_SERVER ? "WsCurrServer" :
						  "WsCurrClient";
	long long n;
	int i;

	ASSERT_EQ(0, close(p->fd));
	p->fd = -1;
	ASSERT_EQ(0, peer_see_close(p, 1000, ""));
	EXPECT_EQ(1, peer_stat("WsLinger"));
	/* the acknowledgement of Close may have been an event already */
	n = counted(self->counter);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, peer_text(p, FIN | TEXT, "thrown away"));
	EXPECT_LE(n, counted(self->counter));
	n = counted(self->counter);
	ASSERT_EQ(0, peer_send_close(p, 1000, ""));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, peer_see_fin(p));
	EXPECT_EQ(0, peer_stat_is(curr, 0));
	/* the states to the end of TCP, some of them before sock_release() */
	EXPECT_LT(n, counted(self->counter));
}

TEST_HARNESS_MAIN
