// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

#define KNOBS	"/sys/kernel/debug"
#define MODULE	"ws_ulp"
#define PAGE_MASK	4095ul

/* Frames between an allocator and the code of ours that wanted memory */
#define DEPTH	16

const char *const kind_name[KINDS] = {
	[SLAB] = "failslab",
	[PAGE] = "fail_page_alloc",
	[COPY] = "fail_usercopy",
};

/* What the kernel has counted */
static unsigned long count[KINDS];

/* Knobs that some kinds lack are set where they are. */
static int set(enum kind kind, const char *knob, unsigned long value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), KNOBS "/%s/%s", kind_name[kind], knob);
	file = fopen(path, "w");
	if (!file)
		return -1;
	fprintf(file, "%lu\n", value);
	return fclose(file);
}

static unsigned long get(enum kind kind, const char *knob)
{
	unsigned long value = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), KNOBS "/%s/%s", kind_name[kind], knob);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lu", &value) != 1)
		fprintf(stderr, "# %s: %s\n", path, strerror(errno));
	if (file)
		fclose(file);
	return value;
}

/* The pages that hold the module's functions */
static int find_text(unsigned long *start, unsigned long *end)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long addr;
	char line[256], type;

	*start = -1ul;
	*end = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, "[" MODULE "]") ||
		    sscanf(line, "%lx %c", &addr, &type) != 2 ||
		    (type | 0x20) != 't' || !addr)
			continue;
		if (addr < *start)
			*start = addr & ~PAGE_MASK;
		if (addr >= *end)
			*end = (addr | PAGE_MASK) + 1;
	}
	if (file)
		fclose(file);
	return *start < *end ? 0 : -1;
}

/* Nothing fails below this function of the kernel's. */
static void spare(enum kind kind, const char *function)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long addr, start = 0, end = -1ul;
	char line[256], type, name[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx %c %127s", &addr, &type, name) != 3)
			continue;
		if (!start && !strcmp(name, function)) {
			start = addr;
			rewind(file);
		} else if (start && addr > start && addr < end) {
			end = addr;
		}
	}
	if (file)
		fclose(file);
	set(kind, "reject-start", start);
	set(kind, "reject-end", end);
}

/*
 * Where the kernel's count stands after a fault, of an earlier process too: at
 * the interval. With an interval of 1, which is the default, nothing counts.
 */
static void find_count(enum kind kind)
{
	unsigned long interval = get(kind, "interval");

	count[kind] = interval > 1 ? interval : 0;
}

static int init_kind(enum kind kind, unsigned long start, unsigned long end)
{
	find_count(kind);
	if (count[kind] && get(kind, "times")) {
		fprintf(stderr, "# %s: armed by somebody else\n",
			kind_name[kind]);
		return -1;
	}
	if (set(kind, "require-start", start) ||
	    set(kind, "require-end", end) ||
	    set(kind, "stacktrace-depth", DEPTH) || set(kind, "space", 0) ||
	    set(kind, "verbose", 0)) {
		fprintf(stderr, "# no %s with a filter in this kernel\n",
			kind_name[kind]);
		return -1;
	}
	set(kind, "ignore-gfp-wait", 0);
	set(kind, "ignore-gfp-highmem", 0);
	set(kind, "min-order", 0);
	return 0;
}

int inject_init(void)
{
	unsigned long start, end;
	enum kind kind;

	if (find_text(&start, &end)) {
		fprintf(stderr, "# no text of the module in kallsyms\n");
		return -1;
	}
	for (kind = 0; kind < KINDS; kind++)
		if (init_kind(kind, start, end))
			return -1;
	/*
	 * What these could not do they tell nobody, so that no caller can make
	 * up for it: the control message is missing, and no FIN ever leaves.
	 */
	spare(COPY, "put_cmsg");
	spare(SLAB, "tcp_send_fin");
	return 0;
}

void inject_arm(enum kind kind, unsigned long n)
{
	set(kind, "probability", 0);
	set(kind, "interval", count[kind] + n);
	set(kind, "times", 1);
	set(kind, "probability", 100);
}

bool inject_fired(enum kind kind)
{
	if (get(kind, "times"))
		return false;
	find_count(kind);
	return true;
}

void inject_disarm(enum kind kind)
{
	set(kind, "probability", 0);
	set(kind, "interval", count[kind] > 1 ? count[kind] : 1);
	set(kind, "times", 0);
}

void inject_tell(enum kind kind, bool on)
{
	set(kind, "verbose", on ? 2 : 0);
}
