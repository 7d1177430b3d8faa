// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define SLOT	2048
#define SLOTS	16
#define KINDS	100

static char *dir;
static int journal = -1, kmsg = -1;
static regex_t complaint;

static FILE *open_file(const char *sub, const char *name, const char *mode)
{
	char *path = NULL;
	FILE *file;

	if (asprintf(&path, "%s/%s/%s", dir, sub, name) < 0)
		return NULL;
	file = fopen(path, mode);
	if (!file)
		fprintf(stderr, "# %s: %m\n", path);
	free(path);
	return file;
}

static void make_dir(const char *sub)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, sub) >= 0)
		mkdir(path, 0755);
	free(path);
}

int report_open(const char *name)
{
	FILE *file;

	regcomp(&complaint, "BUG:|BUG [a-z0-9_-]+|WARNING:|KASAN:|UBSAN:|Oops|"
		"ODEBUG:|refcount_t:|locking dependency|inconsistent lock|"
		"suspicious RCU|invalid context|scheduling while|lock held|"
		"list_(add|del) corr|Redzone|poison overw|blocked for more|"
		"bad unlock|held lock", REG_EXTENDED | REG_NOSUB);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(kmsg, 0, SEEK_END);
	dir = name ? strdup(name) : NULL;
	if (!dir)
		return 0;
	make_dir("");
	make_dir("corpus");
	make_dir("found");
	file = open_file("", "journal", "w");
	if (!file)
		return -1;
	journal = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
	fclose(file);
	return 0;
}

/*
 * Written through at once: on hostfs this is a write() of the host, which
 * outlives the kernel.
 */
void report_next(const struct program *p, unsigned long number)
{
	char text[SLOT];
	FILE *file;

	if (journal < 0)
		return;
	memset(text, '\n', sizeof(text));
	file = fmemopen(text, sizeof(text) - 1, "w");
	fprintf(file, "# %lu\n", number);
	program_print(p, file);
	fclose(file);
	text[strlen(text)] = '\n';
	if (pwrite(journal, text, SLOT, number % SLOTS * SLOT) == SLOT)
		sync_file_range(journal, number % SLOTS * SLOT, SLOT,
				SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
}

const char *report_kernel(void)
{
	static char log[1 << 16];
	char line[4096];
	bool bad = false;
	size_t len = 0;
	char *text;
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = 0;
		text = strchr(line, ';');
		text = text ? text + 1 : line;
		text[strcspn(text, "\n")] = 0;
		bad |= !regexec(&complaint, text, 0, NULL, 0);
		if (len + strlen(text) + 4 < sizeof(log))
			len += sprintf(log + len, "# %s\n", text);
	}
	return bad ? log : NULL;
}

/* Two that differ in numbers only are of one kind. */
static bool is_new(const char *what)
{
	static char *kinds[KINDS];
	static unsigned int count;
	char kind[200];
	size_t n = 0;
	unsigned int i;

	for (; *what && n < sizeof(kind) - 1; what++)
		if (!isxdigit((unsigned char)*what))
			kind[n++] = *what;
	kind[n] = 0;
	for (i = 0; i < count; i++)
		if (!strcmp(kinds[i], kind))
			return false;
	if (count < KINDS)
		kinds[count++] = strdup(kind);
	return true;
}

static void write_program(const char *sub, const struct program *p,
			  const char *what, const char *log)
{
	char name[40];
	FILE *file;

	snprintf(name, sizeof(name), "%016" PRIx64, program_hash(p));
	file = open_file(sub, name, "w");
	if (!file)
		return;
	if (what)
		fprintf(file, "# %s\n", what);
	program_print(p, file);
	if (log)
		fputs(log, file);
	fflush(file);
	fsync(fileno(file));
	fclose(file);
}

bool report_finding(const struct program *p, const char *what, const char *log)
{
	if (!log && !is_new(what))
		return false;
	printf("# finding %016" PRIx64 ": %s\n", program_hash(p), what);
	if (dir)
		write_program("found", p, what, log);
	else
		program_print(p, stdout);
	if (log)
		fputs(log, stdout);
	fflush(stdout);
	return true;
}

void report_corpus(const struct program *p)
{
	if (dir)
		write_program("corpus", p, NULL, NULL);
}

void report_read(void (*call)(const struct program *p))
{
	static struct program p;
	struct dirent **list;
	char *path = NULL;
	FILE *file;
	int i, n;

	if (!dir || asprintf(&path, "%s/corpus", dir) < 0)
		return;
	n = scandir(path, &list, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (*list[i]->d_name != '.') {
			file = open_file("corpus", list[i]->d_name, "r");
			if (file && !program_read(&p, file))
				call(&p);
			if (file)
				fclose(file);
		}
		free(list[i]);
	}
	free(path);
}

bool report_stop(void)
{
	char *path = NULL;
	bool stop;

	if (!dir || asprintf(&path, "%s/stop", dir) < 0)
		return false;
	stop = !access(path, F_OK);
	free(path);
	return stop;
}

void report_sum(const char *line)
{
	FILE *file = dir ? open_file("", "ledger", "a") : NULL;

	puts(line);
	if (file) {
		fprintf(file, "%s\n", line);
		fclose(file);
	}
}
