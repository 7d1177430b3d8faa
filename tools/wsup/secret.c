// SPDX-License-Identifier: GPL-2.0
/*
 * What other users shall not read from our arguments: credentials come from
 * files, and those that were given as arguments are wiped.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "secret.h"

static void wipe(char *text, size_t len)
{
	memset(text, '*', len);
}

/* The userinfo of a URL, behind its first colon; NULL if there is none. */
static char *password_of(char *url, size_t *len)
{
	char *start = strstr(url, "://"), *colon, *at;
	size_t n;

	if (!start)
		return NULL;
	start += 3;
	n = strcspn(start, "/?#");
	at = memrchr(start, '@', n);
	colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
	if (!colon)
		return NULL;
	*len = (size_t)(at - colon) - 1;
	return colon + 1;
}

/**
 * take_url() - an argument that may have a password in it
 * @url: wiped of it
 *
 * Return: a copy of what it was, to be freed.
 */
char *take_url(char *url)
{
	char *copy = strdup(url), *password;
	size_t len;

	if (!copy)
		die("%s", strerror(ENOMEM));
	password = password_of(url, &len);
	if (password)
		wipe(password, len);
	return copy;
}

/**
 * add_secret_file() - wsup_config_add() for the lines of a file, or exit
 * @config: to add to
 * @what: which text
 * @option: name of the option, for messages
 * @path: the file; empty lines and such that begin with # do not count
 */
void add_secret_file(struct wsup_config *config, enum wsup_text what,
		     const char *option, const char *path)
{
	FILE *from = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int n = 0;

	if (!from)
		die("%s: %s: %s", option, path, strerror(errno));
	while (getline(&line, &size, from) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		add_text(config, what, option, line);
		n++;
	}
	if (ferror(from))
		die("%s: %s: %s", option, path, strerror(errno));
	if (!n)
		die("%s: %s: there is nothing in it", option, path);
	free(line);
	fclose(from);
}

/**
 * add_secret() - wsup_config_add() for an argument, or exit
 * @config: to add to
 * @what: which text
 * @option: name of the option, for messages
 * @value: the text, which is wiped; "@FILE": the lines of a file
 */
void add_secret(struct wsup_config *config, enum wsup_text what,
		const char *option, char *value)
{
	char *url;

	if (*value == '@') {
		add_secret_file(config, what, option, value + 1);
	} else if (what == WSUP_PROXY) {
		url = take_url(value);
		add_text(config, what, option, url);
		free(url);
	} else {
		add_text(config, what, option, value);
		wipe(value, strlen(value));
	}
}

static const char *netrc_path(char *path, size_t size)
{
	const char *home = getenv("HOME");
	struct passwd *pw;

	if (getenv("NETRC"))
		return getenv("NETRC");
	if (!home) {
		pw = getpwuid(getuid());
		home = pw ? pw->pw_dir : "/";
	}
	snprintf(path, size, "%s/.netrc", home);
	return path;
}

/* The host of a URL, without brackets. */
static void host_of(const char *url, char *host, size_t size)
{
	const char *start = strstr(url, "://"), *at;
	size_t n;

	start = start ? start + 3 : url;
	n = strcspn(start, "/?#");
	at = memrchr(start, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	if (*start == '[')
		n = strcspn(++start, "]");
	else
		n = strcspn(start, ":/?#");
	snprintf(host, size, "%.*s", (int)n, start);
}

/* The first character that is no blank, and of no comment: a line with #. */
static int skip_blanks(FILE *from)
{
	int c, last = ftell(from) ? 0 : '\n';

	while ((c = getc(from)) != EOF) {
		while (c == '#' && last == '\n')
			while ((c = getc(from)) != EOF && c != '\n')
				;
		if (c == EOF || !strchr(" \t\r\n", c))
			break;
		last = c;
	}
	return c;
}

/* A word of a netrc; in quotes it may have blanks, and \ before any. */
static bool read_word(FILE *from, char *word, size_t size)
{
	int c = skip_blanks(from);
	bool quoted = c == '"';
	size_t n = 0;

	if (quoted)
		c = getc(from);
	for (; c != EOF && (quoted ? c != '"' : !strchr(" \t\r\n", c));
	     c = getc(from)) {
		if (quoted && c == '\\')
			c = getc(from);
		if (n + 1 < size)
			word[n++] = (char)c;
	}
	if (c != EOF && !quoted)
		ungetc(c, from);
	word[n] = '\0';
	return n || quoted;
}

/* A macro goes on to an empty line. */
static void skip_macro(FILE *from)
{
	int c, last = 0;

	while ((c = getc(from)) != EOF && !(c == '\n' && last == '\n'))
		last = c;
}

/* Return: true if there is an entry for @host, or one for all. */
static bool find_entry(FILE *from, const char *host, char *login,
		       char *password, size_t size)
{
	bool ours = false;
	char word[256];

	while (read_word(from, word, sizeof(word))) {
		if (!strcmp(word, "machine") || !strcmp(word, "default")) {
			if (ours)
				break;
			ours = *word == 'd' ||
			       (read_word(from, word, sizeof(word)) &&
				!strcasecmp(word, host));
		} else if (!strcmp(word, "macdef")) {
			skip_macro(from);
		} else if (!strcmp(word, "login")) {
			read_word(from, ours ? login : word,
				  ours ? size : sizeof(word));
		} else if (!strcmp(word, "password")) {
			read_word(from, ours ? password : word,
				  ours ? size : sizeof(word));
		} else if (!strcmp(word, "account")) {
			read_word(from, word, sizeof(word));
		}
	}
	return ours;
}

/**
 * add_netrc() - credentials of a server from the user's netrc, if there are any
 * @config: to add to
 * @url: of the server
 */
void add_netrc(struct wsup_config *config, const char *url)
{
	char path[4096], host[256], login[256] = "", password[256] = "";
	char user[sizeof(login) + sizeof(password)];
	const char *name = netrc_path(path, sizeof(path));
	FILE *from = fopen(name, "re");

	if (!from)
		die("--netrc: %s: %s", name, strerror(errno));
	host_of(url, host, sizeof(host));
	if (find_entry(from, host, login, password, sizeof(login))) {
		snprintf(user, sizeof(user), "%s:%s", login, password);
		add_text(config, WSUP_USER, "--netrc", user);
	}
	fclose(from);
}
