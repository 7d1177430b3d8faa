/* SPDX-License-Identifier: GPL-2.0 */
/* Whether another thread has come to wait in its system call */
#ifndef WS_SELFTESTS_ASLEEP_H
#define WS_SELFTESTS_ASLEEP_H

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pump.h"

/* State of a thread of ours: 'S' sleeps; 0 if it is gone, or the peer's */
static inline char thread_state(const char *tid)
{
	char path[300], name[32], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%31[^)]) %c", name, &state) != 2 ||
	    !strcmp(name, PUMP_NAME))
		state = 0;
	fclose(file);
	return state;
}

/* How many of the other threads sleep */
static inline int count_asleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *task;
	int n = 0;

	while (dir && (task = readdir(dir)))
		if (atoi(task->d_name) && atoi(task->d_name) != gettid())
			n += thread_state(task->d_name) == 'S';
	if (dir)
		closedir(dir);
	return n;
}

/* Wait until so many of them do: 0, or -1 if they never did. */
static inline int asleep(int want)
{
	int ms, seen = 0;

	/* seen a few times: on the way there a lock may make them sleep */
	for (ms = 0; ms < PEER_LIMIT && seen < 5; ms++) {
		seen = count_asleep() == want ? seen + 1 : 0;
		poll(NULL, 0, 1);
	}
	return seen == 5 ? 0 : -1;
}

#endif
