/* SPDX-License-Identifier: GPL-2.0 */
/* What is done while something fails: each of them on a fresh connection */
#ifndef WS_SELFTESTS_SCENES_H
#define WS_SELFTESTS_SCENES_H

#include "link.h"

enum roles {
	SERVER = 1 << WS_SERVER,
	CLIENT = 1 << WS_CLIENT,
	BOTH = SERVER | CLIENT,
};

/**
 * struct scene - one way to use a connection
 * @name: what is shown
 * @run: 0, or -1 after a line about what was wrong; the link is attached and
 *	dormant, and must have come to link_ended()
 * @roles: of the end under test
 */
struct scene {
	const char *name;
	int (*run)(struct link *l);
	enum roles roles;
};

extern const struct scene rx_scenes[], tx_scenes[], end_scenes[];

#endif
