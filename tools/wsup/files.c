// SPDX-License-Identifier: GPL-2.0
/* Files for browsers, from the port where the connections are. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mime.h"
#include "serve.h"
#include "text.h"

static int root = -1;

/* Of a file, what is sent. */
struct part {
	long long	first;
	long long	size;
};

/**
 * files_open() - serve the files of a directory, or exit
 * @directory: path
 */
void files_open(const char *directory)
{
	root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		die("--static: %s: %s", directory, strerror(errno));
	mime_load("/etc/mime.types");
	wsup_config_set(serve.config, WSUP_ASK, 1);
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
			if (!hex_byte(target + 1, path + n))
				return false;
			target += 2;
		}
		if (!path[n++])
			return false;
	}
	path[n] = '\0';
	return true;
}

/* What begins with a dot is not meant for others, but for RFC 8615. */
static bool is_hidden(const char *path)
{
	const char *p;

	for (p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (*p == '.' && strncmp(p, ".well-known/", 12))
			return true;
	}
	return false;
}

/*
 * The kernel sees to it that no path, and no link, leads out. Opening a device
 * or a pipe could do something: whatever it is, it is only looked at.
 */
static int find_below(const char *path, struct stat *st)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how,
			  sizeof(how));
	if (fd >= 0 && !fstat(fd, st))
		return fd;
	st->st_mode = 0;
	return fd;
}

/* The file that was looked at, whatever has its name now; closes @fd. */
static int open_found(int fd)
{
	char path[32];
	int file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	close(fd);
	return file;
}

static void answer_text(struct wsup_hs *hs, int status, const char *text)
{
	wsup_add_header(hs, "Content-Type: text/plain");
	wsup_respond(hs, status, text, strlen(text));
}

static void add_header(struct wsup_hs *hs, const char *fmt, ...)
{
	char header[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(header, sizeof(header), fmt, args);
	va_end(args);
	wsup_add_header(hs, header);
}

/* Changes whenever the file does. */
static void make_etag(char *etag, size_t size, const struct stat *st)
{
	snprintf(etag, size, "\"%llx-%llx-%llx.%lx\"",
		 (unsigned long long)st->st_ino,
		 (unsigned long long)st->st_size,
		 (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

/* RFC 9110 section 13.1.2 */
static bool is_known(const struct wsup_hs *hs, const char *etag)
{
	const char *known = wsup_header(hs, "If-None-Match");

	return known && (!strcmp(known, "*") || strstr(known, etag));
}

/* A number of a range; -1: there is none. */
static long long take_number(const char **p)
{
	long long n = 0;

	if (!isdigit((unsigned char)**p))
		return -1;
	for (; isdigit((unsigned char)**p); (*p)++)
		if (n < LLONG_MAX / 10 - 9)
			n = 10 * n + **p - '0';
	return n;
}

/*
 * RFC 9110 section 14: one range of bytes. Several may be answered as if none
 * had been asked for, as may what is malformed. Return: 200, 206 or 416.
 */
static int choose_range(const char *range, long long size, struct part *part)
{
	long long first, last;

	if (!range || strncasecmp(range, "bytes=", 6))
		return 200;
	range += 6;
	first = take_number(&range);
	if (*range++ != '-')
		return 200;
	last = take_number(&range);
	if (*range || (first < 0 && last < 0) || (last >= 0 && last < first))
		return 200;
	if (first < 0) {		/* the last so many */
		first = last < size ? size - last : 0;
		if (!last)
			return 416;
		last = size - 1;
	}
	if (first >= size)
		return 416;
	part->first = first;
	part->size = (last < 0 || last >= size ? size : last + 1) - first;
	return 206;
}

/* Only of the file that the client has the rest of, and only for GET. */
static const char *range_of(const struct wsup_hs *hs, const char *etag)
{
	const char *condition = wsup_header(hs, "If-Range");

	if (strcmp(wsup_method(hs), "GET") ||
	    (condition && strcmp(condition, etag)))
		return NULL;
	return wsup_header(hs, "Range");
}

static void answer_part(struct wsup_hs *hs, const char *path, int fd,
			long long size, const char *etag)
{
	struct part part = { .size = size };
	const char *type = mime_type(path);
	int status = choose_range(range_of(hs, etag), size, &part);

	if (status == 416) {
		add_header(hs, "Content-Range: bytes */%lld", size);
		answer_text(hs, 416, "the file is not so long\n");
		close(fd);
		return;
	}
	if (status == 206)
		add_header(hs, "Content-Range: bytes %lld-%lld/%lld",
			   part.first, part.first + part.size - 1, size);
	add_header(hs, "Content-Type: %s%s", type,
		   strncmp(type, "text/", 5) ? "" : "; charset=utf-8");
	lseek(fd, part.first, SEEK_SET);
	wsup_respond_file(hs, status, fd, (size_t)part.size);
}

static void answer_file(struct wsup_hs *hs, const char *path, int fd,
			const struct stat *st)
{
	char etag[80];

	make_etag(etag, sizeof(etag), st);
	add_header(hs, "ETag: %s", etag);
	add_header(hs, "Accept-Ranges: bytes");
	add_header(hs, "Cache-Control: no-cache");
	add_header(hs, "X-Content-Type-Options: nosniff");
	if (is_known(hs, etag)) {
		wsup_respond(hs, 304, NULL, 0);
		close(fd);
	} else {
		answer_part(hs, path, fd, st->st_size, etag);
	}
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
		     (int)(target + len - last), last, target + len) < 0) {
		answer_text(hs, 503, "there is no memory\n");
		return;
	}
	wsup_add_header(hs, header);
	free(header);
	answer_text(hs, 301, "there\n");
}

static void answer_missing(struct wsup_hs *hs)
{
	answer_text(hs, 404, "there is no such file\n");
}

static void answer_path(struct wsup_hs *hs, char *path, size_t size)
{
	bool directory = !*path || path[strlen(path) - 1] == '/';
	struct stat st = {};
	int fd;

	if (directory && strlen(path) + sizeof("index.html") <= size)
		strcat(path, "index.html");
	fd = is_hidden(path) ? -1 : find_below(path, &st);
	if (S_ISREG(st.st_mode)) {
		fd = open_found(fd);
		if (fd >= 0)
			answer_file(hs, path, fd, &st);
		else
			answer_missing(hs);
		return;
	}
	if (S_ISDIR(st.st_mode))
		redirect(hs);
	else
		answer_missing(hs);
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
