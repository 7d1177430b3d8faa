// SPDX-License-Identifier: GPL-2.0
/* Files for browsers, from the port where the connections are. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "serve.h"

static int root = -1;

/**
 * files_open() - serve the files of a directory, or exit
 * @directory: path
 */
void files_open(const char *directory)
{
	root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		die("--static: %s: %s", directory, strerror(errno));
	wsup_config_set(serve.config, WSUP_ASK, 1);
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* The path of a target, decoded, relative; false if it is none. */
static bool decode(const char *target, char *path, size_t size)
{
	size_t n = 0;

	for (target += strspn(target, "/"); *target && *target != '?';
	     target++) {
		if (n + 1 == size)
			return false;
		path[n] = *target;
		if (*target == '%') {
			if (hex(target[1]) < 0 || hex(target[2]) < 0)
				return false;
			path[n] = (char)(hex(target[1]) << 4 | hex(target[2]));
			target += 2;
		}
		if (!path[n++])
			return false;
	}
	path[n] = '\0';
	return true;
}

/* The kernel sees to it that no path, and no link, leads out. */
static int open_below(const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how,
			    sizeof(how));
}

static const char *type_of(const char *path)
{
	static const struct {
		const char *suffix;
		const char *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".ico", "image/x-icon" },
		{ ".wasm", "application/wasm" },
	};
	const char *suffix = strrchr(path, '.');
	size_t i;

	for (i = 0; suffix && i < ARRAY_SIZE(types); i++)
		if (!strcasecmp(types[i].suffix, suffix))
			return types[i].type;
	return "application/octet-stream";
}

static void answer_text(struct wsup_hs *hs, int status, const char *text)
{
	wsup_add_header(hs, "Content-Type: text/plain");
	wsup_respond(hs, status, text, strlen(text));
}

static void answer_file(struct wsup_hs *hs, const char *path, int fd,
			off_t size)
{
	char type[128];

	snprintf(type, sizeof(type), "Content-Type: %s", type_of(path));
	wsup_add_header(hs, type);
	wsup_add_header(hs, "Cache-Control: no-cache");
	wsup_add_header(hs, "X-Content-Type-Options: nosniff");
	wsup_respond_file(hs, 200, fd, (size_t)size);
}

/*
 * "/dir" has to become "/dir/", or the links in its index lead elsewhere. From
 * the last segment on, so that no target can name another host.
 */
static void redirect(struct wsup_hs *hs)
{
	const char *target = wsup_target(hs);
	size_t len = strcspn(target, "?");
	const char *last = memrchr(target, '/', len);
	char *header;

	last = last ? last + 1 : target;
	if (asprintf(&header, "Location: ./%.*s/%s",
		     (int)(target + len - last), last, target + len) < 0)
		die("%s", strerror(ENOMEM));
	wsup_add_header(hs, header);
	free(header);
	answer_text(hs, 301, "there\n");
}

static void answer_path(struct wsup_hs *hs, char *path, size_t size)
{
	bool directory = !*path || path[strlen(path) - 1] == '/';
	struct stat st;
	int fd;

	if (directory && strlen(path) + sizeof("index.html") <= size)
		strcat(path, "index.html");
	fd = open_below(path);
	if (fd < 0 || fstat(fd, &st))
		st.st_mode = 0;
	if (S_ISREG(st.st_mode)) {
		answer_file(hs, path, fd, st.st_size);
		return;
	}
	if (S_ISDIR(st.st_mode))
		redirect(hs);
	else
		answer_text(hs, 404, "there is no such file\n");
	if (fd >= 0)
		close(fd);
}

/**
 * files_answer() - answer a request, if it is one for a file
 * @hs: handshake that returned WSUP_REQUEST
 */
void files_answer(struct wsup_hs *hs)
{
	const char *method = wsup_method(hs);
	char path[4096];

	if (wsup_upgradable(hs) ||
	    (strcmp(method, "GET") && strcmp(method, "HEAD")))
		return;
	if (decode(wsup_target(hs), path, sizeof(path)))
		answer_path(hs, path, sizeof(path));
	else
		answer_text(hs, 400, "the path is malformed\n");
}
