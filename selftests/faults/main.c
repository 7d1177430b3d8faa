// SPDX-License-Identifier: GPL-2.0
/*
 * usage: faults [-1] [-l] [-v] [-k KIND] [-n NTH] [SCENE...]
 *
 * Run each scene again and again. In the n-th run the n-th allocation or copy
 * fails that the module asks for, in whatever context, until the n-th is
 * beyond the last. After each the connection must have worked, or have been
 * closed properly.
 *   -1  once each, and nothing fails
 *   -l  list the scenes
 *   -v  tell the stack of each fault in the kernel's log
 *   -k  only failslab, fail_page_alloc or fail_usercopy
 *   -n  only the NTH
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "scenes.h"

#define WRONG_MAX	3	/* in one sweep */

static const struct scene *const all[] = { rx_scenes, tx_scenes, end_scenes };

static struct {
	bool once;
	bool list;
	bool tell;
	int kind;
	unsigned long nth;
	char **names;
} option = { .kind = -1 };

static unsigned long faults, closed, runs;
static int passed, failed;

/* How a run ended */
enum result {
	WORKED,
	CLOSED,
	WRONG,
};

static enum result run(const struct scene *scene, int role)
{
	int family = role == WS_SERVER ? AF_INET : AF_INET6;
	enum result how;
	struct link l;

	runs++;
	if (link_open(&l, family, role) || scene->run(&l))
		how = WRONG;
	else
		how = l.error || l.in_end < 0 ? CLOSED : WORKED;
	link_drop(&l);
	return how;
}

static const char *role_name(int role)
{
	return role == WS_SERVER ? "server" : "client";
}

static void verdict(bool good, const struct scene *scene, int role,
		    const char *what, unsigned long n, unsigned long ends)
{
	good ? passed++ : failed++;
	printf("%sok %d - %s.%s %s (%lu faults, %lu closed by one)\n",
	       good ? "" : "not ", passed + failed, scene->name,
	       role_name(role), what, n, ends);
	fflush(stdout);
}

/* One sweep: a scene, and one kind of what fails */
struct sweep {
	const struct scene *scene;
	int role;
	enum kind kind;
	unsigned long faults;
	unsigned long closed;
	int wrong;
};

static void note(struct sweep *s, enum result how, bool fired,
		 unsigned long n)
{
	s->faults += fired;
	s->closed += fired && how == CLOSED;
	s->wrong += how == WRONG || (how == CLOSED && !fired);
	if (how != WORKED)
		printf("# %s.%s %s: the %lu. %s%s\n", s->scene->name,
		       role_name(s->role), kind_name[s->kind], n,
		       fired ? "fails" : "is not reached",
		       how == CLOSED ? ", and it is closed" : "");
}

/*
 * Nothing failed in the last run, and how much was counted is unknown: go on
 * until something fails, in another scene if that has to be: the page that one
 * run has got may do for many.
 */
static int recount(struct sweep *s)
{
	const struct scene *scene = s->scene;
	enum result how;
	int i;

	for (i = 0; i < 50; i++) {
		how = run(scene, s->role);
		if (inject_fired(s->kind)) {
			note(s, how, true, 0);
			inject_disarm(s->kind);
			return 0;
		}
		if (i == 2)
			scene = tx_scenes;
	}
	return wrong("the kernel's count is lost");
}

static int sweep(struct sweep *s)
{
	unsigned long n = option.nth ? : 1;
	enum result how;
	bool fired;

	do {
		inject_arm(s->kind, n);
		how = run(s->scene, s->role);
		fired = inject_fired(s->kind);
		note(s, how, fired, n++);
	} while (fired && s->wrong < WRONG_MAX && !option.nth);
	if (!fired && recount(s))
		return -1;
	inject_disarm(s->kind);
	verdict(!s->wrong, s->scene, s->role, kind_name[s->kind], s->faults,
		s->closed);
	faults += s->faults;
	closed += s->closed;
	return 0;
}

static int try_role(const struct scene *scene, int role)
{
	enum kind kind;

	if (option.once) {
		verdict(run(scene, role) == WORKED, scene, role, "once", 0, 0);
		return 0;
	}
	for (kind = 0; kind < KINDS; kind++) {
		struct sweep s = { scene, role, kind };

		if (option.kind >= 0 && option.kind != kind)
			continue;
		if (sweep(&s))
			return -1;
	}
	return 0;
}

/* The whole name, or how it begins up to a dot */
static bool chosen(const char *name)
{
	char **want;

	for (want = option.names; *want; want++) {
		size_t n = strlen(*want);

		if (!strncmp(name, *want, n) && (!name[n] || name[n] == '.'))
			return true;
	}
	return !*option.names;
}

static int try_scene(const struct scene *scene)
{
	int role;

	if (!chosen(scene->name))
		return 0;
	if (option.list) {
		puts(scene->name);
		return 0;
	}
	for (role = WS_SERVER; role <= WS_CLIENT; role++)
		if (scene->roles & 1 << role && try_role(scene, role))
			return -1;
	return 0;
}

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* 0, or -1 where there is none or it is off */
static int kmemleak(const char *command)
{
	FILE *file = fopen(KMEMLEAK, "w");

	if (!file)
		return -1;
	fputs(command, file);
	return fclose(file);
}

/* What it finds; an object that was just freed is no finding. */
static int count_leaks(void)
{
	char line[256];
	FILE *file;
	int i, n = 0;

	for (i = 0; i < 2; i++) {
		if (kmemleak("scan\n"))
			return -1;
		sleep(6);	/* younger ones are not told of */
	}
	file = fopen(KMEMLEAK, "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "unreferenced", 12) ||
		    strstr(line, "[ws_ulp]"))
			n += printf("# %s", line) > 0;
	if (file)
		fclose(file);
	return n;
}

static int find_kind(const char *name)
{
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		if (!strcmp(kind_name[kind], name))
			return kind;
	return -1;
}

static int parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "1lvk:n:")) != -1) {
		if (c == '1')
			option.once = true;
		else if (c == 'l')
			option.list = true;
		else if (c == 'v')
			option.tell = true;
		else if (c == 'n')
			option.nth = strtoul(optarg, NULL, 10);
		else if (c == 'k')
			option.kind = find_kind(optarg);
		if (c == '?' || (c == 'k' && option.kind < 0))
			return -1;
	}
	option.names = argv + optind;
	return 0;
}

int main(int argc, char **argv)
{
	const struct scene *scene;
	int leaks, skipped = 0;
	enum kind kind;
	size_t i;

	if (parse(argc, argv)) {
		fputs("usage: faults [-1] [-l] [-v] [-k KIND] [-n NTH] "
		      "[SCENE...]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	faulty = !option.once;
	if (!option.list && (peer_netns() || (!option.once && inject_init())))
		return 1;
	if (!option.list && !option.once && !kmemleak("scan\n"))
		kmemleak("clear\n");	/* of those who were there before */
	for (kind = 0; option.tell && kind < KINDS; kind++)
		inject_tell(kind, true);
	for (i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (scene = all[i]; scene->name; scene++)
			if (try_scene(scene))
				return 1;
	if (option.list)
		return 0;
	leaks = option.once ? 0 : count_leaks();
	if (leaks < 0)
		skipped++;
	else if (!option.once)
		leaks ? failed++ : passed++;
	printf("# %lu runs, %lu faults, %lu of them closed the connection\n",
	       runs, faults, closed);
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed || !passed;
}
