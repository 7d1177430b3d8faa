// SPDX-License-Identifier: GPL-2.0
/*
 * Media types of files, by their names: those of the system's list, else those
 * here. A browser is told to guess nothing, so a wrong type is a page that
 * does not work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime.h"
#include "wsup.h"

struct mime {
	const char	*suffix;
	const char	*type;
};

/* What browsers load, and what is often there to be fetched. */
static const struct mime builtin[] = {
	{ "aac", "audio/aac" },
	{ "apng", "image/apng" },
	{ "atom", "application/atom+xml" },
	{ "avif", "image/avif" },
	{ "bmp", "image/bmp" },
	{ "cjs", "text/javascript" },
	{ "css", "text/css" },
	{ "csv", "text/csv" },
	{ "eot", "application/vnd.ms-fontobject" },
	{ "epub", "application/epub+zip" },
	{ "flac", "audio/flac" },
	{ "gif", "image/gif" },
	{ "gz", "application/gzip" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "ico", "image/vnd.microsoft.icon" },
	{ "ics", "text/calendar" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "js", "text/javascript" },
	{ "json", "application/json" },
	{ "jsonld", "application/ld+json" },
	{ "log", "text/plain" },
	{ "m3u8", "application/vnd.apple.mpegurl" },
	{ "m4a", "audio/mp4" },
	{ "m4v", "video/mp4" },
	{ "map", "application/json" },
	{ "md", "text/markdown" },
	{ "mjs", "text/javascript" },
	{ "mp3", "audio/mpeg" },
	{ "mp4", "video/mp4" },
	{ "mpd", "application/dash+xml" },
	{ "oga", "audio/ogg" },
	{ "ogg", "audio/ogg" },
	{ "ogv", "video/ogg" },
	{ "opus", "audio/ogg" },
	{ "otf", "font/otf" },
	{ "pdf", "application/pdf" },
	{ "png", "image/png" },
	{ "rss", "application/rss+xml" },
	{ "svg", "image/svg+xml" },
	{ "tar", "application/x-tar" },
	{ "tif", "image/tiff" },
	{ "tiff", "image/tiff" },
	{ "ttf", "font/ttf" },
	{ "txt", "text/plain" },
	{ "vtt", "text/vtt" },
	{ "wasm", "application/wasm" },
	{ "wav", "audio/wav" },
	{ "weba", "audio/webm" },
	{ "webm", "video/webm" },
	{ "webmanifest", "application/manifest+json" },
	{ "webp", "image/webp" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "xhtml", "application/xhtml+xml" },
	{ "xml", "text/xml" },
	{ "zip", "application/zip" },
};

/* From the system, in the order of suffixes; of several the first is meant. */
static struct mime *loaded;
static size_t nr_loaded;

static int compare(const void *a, const void *b)
{
	const struct mime *x = a, *y = b;

	return strcasecmp(x->suffix, y->suffix);
}

static void add(const char *suffix, const char *type)
{
	struct mime *more;

	more = realloc(loaded, (nr_loaded + 1) * sizeof(*more));
	if (!more)
		die("out of memory");
	loaded = more;
	more[nr_loaded].suffix = strdup(suffix);
	more[nr_loaded].type = type;
	if (!more[nr_loaded++].suffix)
		die("out of memory");
}

/* "text/html  html htm"; nothing that could not be a header's value */
static void add_line(char *line)
{
	char *rest = line, *word, *type = NULL;

	line[strcspn(line, "#\r\n")] = '\0';
	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		if (type)
			add(word, type);
		else if (strchr(word, '/'))
			type = strdup(word);
		if (!type)
			return;
	}
}

/**
 * mime_load() - read a list of types
 * @path: a file as mime.types(5); it need not be there
 */
void mime_load(const char *path)
{
	FILE *from = fopen(path, "re");
	size_t size = 0;
	char *line = NULL;

	if (!from)
		return;
	while (getline(&line, &size, from) > 0)
		add_line(line);
	free(line);
	fclose(from);
	if (nr_loaded)
		qsort(loaded, nr_loaded, sizeof(*loaded), compare);
}

/**
 * mime_type() - type of a file
 * @name: its path
 *
 * Return: static, application/octet-stream if nothing is known.
 */
const char *mime_type(const char *name)
{
	const char *dot = strrchr(name, '.');
	const struct mime key = { .suffix = dot ? dot + 1 : "" };
	const struct mime *found = NULL;

	if (dot && !strchr(dot, '/') && nr_loaded)
		found = bsearch(&key, loaded, nr_loaded, sizeof(key), compare);
	if (dot && !found)
		found = bsearch(&key, builtin, ARRAY_SIZE(builtin),
				sizeof(key), compare);
	return found ? found->type : "application/octet-stream";
}
