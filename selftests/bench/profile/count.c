// SPDX-License-Identifier: GPL-2.0
/*
 * Plugin of the emulator: how often each block of instructions ran between
 * two marks of the guest. A mark is a no-operation with a displacement that
 * nothing else has (mark() in measure.c).
 *
 * -plugin count.so,out=PATH: window N, from a start mark to the next stop
 * mark, goes to PATH.N as lines of address and instructions executed.
 *
 * The few declarations that are needed of the emulator's interface stand
 * here: it is stable, and Debian does not package its header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
	void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
	void (*cb)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*cb)(unsigned int cpu, void *data), int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *out,
			     size_t len);

/* nopl 0x575300nn(%rax) */
static const uint8_t mark_bytes[] = { 0x0f, 0x1f, 0x80 };
#define MARK		0x57530000u
#define MARK_START	1
#define MARK_STOP	2

struct block {
	struct block	*next;
	uint64_t	address;
	uint64_t	runs;
	size_t		insns;
};

static struct block *blocks;
static const char *out = "counts";
static unsigned int window;
static bool on;

static void ran(unsigned int cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	b->runs += on;
}

static void dump(void)
{
	const struct block *b;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s.%u", out, window++);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	for (b = blocks; b; b = b->next)
		if (b->runs)
			fprintf(f, "%" PRIx64 " %" PRIu64 "\n", b->address,
				b->runs * b->insns);
	fclose(f);
}

static void marked(unsigned int cpu, void *data)
{
	struct block *b;

	(void)cpu;
	on = (uintptr_t)data == MARK_START;
	if (!on) {
		dump();
		return;
	}
	for (b = blocks; b; b = b->next)
		b->runs = 0;
}

static void find_marks(struct qemu_plugin_insn *insn)
{
	uint8_t bytes[16];
	uint32_t mark;

	if (qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) !=
	    sizeof(mark_bytes) + sizeof(mark) ||
	    memcmp(bytes, mark_bytes, sizeof(mark_bytes)))
		return;
	memcpy(&mark, bytes + sizeof(mark_bytes), sizeof(mark));
	if (mark == (MARK | MARK_START) || mark == (MARK | MARK_STOP))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, 0,
						       (void *)(uintptr_t)
						       (mark & ~MARK));
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));
	size_t i;

	(void)id;
	if (!b)
		abort();
	b->insns = qemu_plugin_tb_n_insns(tb);
	b->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, 0, b);
	for (i = 0; i < b->insns; i++)
		find_marks(qemu_plugin_tb_get_insn(tb, i));
}

__attribute__((visibility("default"))) int qemu_plugin_version = 4;

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

__attribute__((visibility("default")))
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
