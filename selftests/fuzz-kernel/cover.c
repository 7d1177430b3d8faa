// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cover.h"

#define AREA	262144	/* words: longer traces are cut */
#define MAP	1048576	/* bits */

struct map {
	unsigned char bit[MAP / 8];
	unsigned int count;
};

static struct map blocks, pairs;

/* Return: it is new */
static bool mark(struct map *m, uint64_t key)
{
	unsigned int at = key * 0x9e3779b97f4a7c15 >> 44;

	if (m->bit[at / 8] & 1 << at % 8)
		return false;
	m->bit[at / 8] |= 1 << at % 8;
	m->count++;
	return true;
}

int cover_open(struct cover *c)
{
	c->area = NULL;
	c->fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (c->fd < 0 || ioctl(c->fd, KCOV_INIT_TRACE, AREA))
		return -1;
	c->area = mmap(NULL, AREA * sizeof(*c->area), PROT_READ | PROT_WRITE,
		       MAP_SHARED, c->fd, 0);
	if (c->area == MAP_FAILED || ioctl(c->fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		c->area = NULL;
		return -1;
	}
	return 0;
}

void cover_reset(struct cover *c)
{
	if (c->area)
		__atomic_store_n(c->area, 0, __ATOMIC_RELAXED);
}

unsigned int cover_take(struct cover *c)
{
	unsigned long i, n, last = 0;
	unsigned int new = 0;

	if (!c->area)
		return 0;
	n = __atomic_load_n(c->area, __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < AREA; i++) {
		mark(&blocks, c->area[i]);
		new += mark(&pairs, c->area[i] ^ last << 20);
		last = c->area[i];
	}
	return new;
}

unsigned int cover_blocks(void)
{
	return blocks.count;
}

unsigned int cover_pairs(void)
{
	return pairs.count;
}
