// SPDX-License-Identifier: GPL-2.0
/*
 * net.ws.*: defaults and limits, a set for each network namespace.
 */
#include <linux/slab.h>
#include <linux/sysctl.h>

#include "stats.h"

#define HOUR_MS	(3600 * 1000)
#define DAY_MS	(24 * HOUR_MS)

/**
 * struct setting - one sysctl
 * @name: file below net/ws
 * @value: offset of the value in struct ws_net
 * @limit: offset of the limit that a namespace inherits, 0 = has none
 * @min: smallest value
 * @max: largest value, wherever it is set
 * @def: value in the initial namespace at load
 */
struct setting {
	const char	*name;
	size_t		value;
	size_t		limit;
	int		min;
	int		max;
	int		def;
};

#define FREE(field)							\
	.name = #field, .value = offsetof(struct ws_net, field)
#define CAPPED(field)							\
	FREE(field), .limit = offsetof(struct ws_net, field##_max)

static const struct setting settings[] = {
	{ CAPPED(enabled), .max = 2, .def = 2 },
	{ CAPPED(closing_max), .max = 65536, .def = 4096 },
	{ CAPPED(close_discard), .max = 16 << 20, .def = 1 << 20 },
	{ FREE(close_timeout), .min = 1, .max = HOUR_MS, .def = 30 * 1000 },
	{ CAPPED(close_timeout_max), .min = 1, .max = HOUR_MS,
	  .def = 60 * 1000 },
	{ FREE(ping_interval), .max = DAY_MS },
	{ FREE(ping_timeout), .max = DAY_MS },
	{ FREE(rx_frame_max), .max = INT_MAX },
	{ FREE(rx_message_max), .max = INT_MAX },
	{ FREE(rx_fragments_max), .max = INT_MAX },
};

static int *at(struct ws_net *wn, size_t offset)
{
	return (void *)wn + offset;
}

static int inherited(const struct ws_net *parent, size_t offset)
{
	return READ_ONCE(*(const int *)((const void *)parent + offset));
}

/* A limit in force in the parent holds in the child, whoever is root there. */
static void set_values(struct ws_net *wn, const struct ws_net *parent)
{
	const struct setting *s;
	int i, value;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		s = &settings[i];
		value = parent ? inherited(parent, s->value) : s->def;
		*at(wn, s->value) = value;
		if (s->limit)
			*at(wn, s->limit) = parent ? value : s->max;
	}
}

static void fill_table(struct ctl_table *table, struct ws_net *wn)
{
	const struct setting *s;
	int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		s = &settings[i];
		table[i].procname = s->name;
		table[i].data = at(wn, s->value);
		table[i].maxlen = sizeof(int);
		table[i].mode = 0644;
		table[i].proc_handler = proc_dointvec_minmax;
		table[i].extra1 = (void *)&s->min;
		table[i].extra2 = s->limit ? (void *)at(wn, s->limit) :
					     (void *)&s->max;
	}
}

/**
 * ws_sysctl_init() - the settings of a new namespace, and files to change them
 * @net: namespace
 * @parent: whose settings it starts with, NULL = the compiled-in ones
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int ws_sysctl_init(struct net *net, const struct ws_net *parent)
{
	struct ws_net *wn = ws_net(net);
	struct ctl_table *table;

	set_values(wn, parent);
	table = kcalloc(ARRAY_SIZE(settings), sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	fill_table(table, wn);
	wn->sysctl = register_net_sysctl_sz(net, "net/ws", table,
					    ARRAY_SIZE(settings));
	if (!wn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

/**
 * ws_sysctl_exit() - remove the files
 * @net: namespace
 *
 * Context: process. Waits for readers and writers of the files.
 */
void ws_sysctl_exit(struct net *net)
{
	struct ctl_table_header *header = ws_net(net)->sysctl;
	const struct ctl_table *table = header->ctl_table_arg;

	unregister_net_sysctl_table(header);
	kfree(table);
}
