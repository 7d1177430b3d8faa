// SPDX-License-Identifier: GPL-2.0
/* What a program is told of its connection: RFC 3875, the variables of CGI. */
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run.h"
#include "text.h"

static void add(struct environment *env, char *variable)
{
	char **at = realloc(env->at, (env->n + 2) * sizeof(*at));

	if (!at || !variable)
		die("%s", strerror(ENOMEM));
	env->at = at;
	at[env->n++] = variable;
	at[env->n] = NULL;
}

static void set_part(struct environment *env, const char *name,
		     const char *value, size_t len)
{
	char *variable = malloc(strlen(name) + len + 2);

	if (variable)
		sprintf(variable, "%s=%.*s", name, (int)len, value);
	add(env, variable);
}

static void set(struct environment *env, const char *name, const char *value)
{
	if (value)
		set_part(env, name, value, strlen(value));
}

/* What a program must not take for its own, or for the client's. */
static bool is_ours(const char *variable)
{
	static const char * const prefixes[] = {
		"HTTP_", "REMOTE_", "SERVER_", "REQUEST_", "CONTENT_",
		"AUTH_TYPE=", "GATEWAY_INTERFACE=", "PATH_INFO=",
		"PATH_TRANSLATED=", "QUERY_STRING=", "SCRIPT_NAME=",
		"WEBSOCKET_PROTOCOL=", "LISTEN_", "NOTIFY_SOCKET=",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static void inherit(struct environment *env)
{
	char **variable;

	for (variable = environ; *variable; variable++)
		if (!is_ours(*variable))
			add(env, strdup(*variable));
}

/* Position of a variable, or the number of them. */
static size_t find(const struct environment *env, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < env->n; i++)
		if (!strncmp(env->at[i], name, len) && env->at[i][len] == '=')
			break;
	return i;
}

/*
 * Is it none of a program's business? Credentials, and what its own requests
 * would take for a setting: HTTP_PROXY.
 */
static bool is_secret(const char *name)
{
	return !strcasecmp(name, "Authorization") ||
	       !strcasecmp(name, "Proxy") || !strncasecmp(name, "Proxy-", 6);
}

/*
 * "X-Name" as HTTP_X_NAME, RFC 3875 section 4.1.18. Another name that would be
 * the same variable, X_Name, could pass for what a proxy wrote.
 */
static char *variable_of(const char *name)
{
	char *variable, *p;

	if (asprintf(&variable, "HTTP_%s", name) < 0)
		die("%s", strerror(ENOMEM));
	for (p = variable + 5; *p; p++) {
		if (*p == '-') {
			*p = '_';
		} else if (isalnum((unsigned char)*p)) {
			*p = (char)toupper((unsigned char)*p);
		} else {
			free(variable);
			return NULL;
		}
	}
	return variable;
}

/* Lines of the same name are one list: RFC 9110 section 5.3, 6265 5.4. */
static void join(struct environment *env, size_t i, const char *value)
{
	bool cookie = !strncmp(env->at[i], "HTTP_COOKIE=", 12);
	char *joined;

	if (asprintf(&joined, "%s%s%s", env->at[i], cookie ? "; " : ", ",
		     value) < 0)
		die("%s", strerror(ENOMEM));
	free(env->at[i]);
	env->at[i] = joined;
}

static void set_header(struct environment *env, const char *name,
		       const char *value)
{
	char *variable;
	size_t i;

	if (is_secret(name))
		return;
	variable = variable_of(name);
	if (!variable)
		return;
	i = find(env, variable, strlen(variable));
	if (i < env->n)
		join(env, i, value);
	else
		set(env, variable, value);
	free(variable);
}

/* An IPv4 client of an IPv6 socket is one of IPv4 all the same. */
static const char *plain(const char *host)
{
	return strncmp(host, "::ffff:", 7) || !strchr(host, '.') ? host
								 : host + 7;
}

static void set_address(struct environment *env, int fd,
			int (*name_of)(int, struct sockaddr *, socklen_t *),
			const char *address, const char *port)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], service[8];

	if (name_of(fd, (struct sockaddr *)&addr, &len) ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host),
			service, sizeof(service),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	set(env, address, plain(host));
	set(env, port, service);
}

/* The name by which the client knows the server; else its address. */
static void set_server_name(struct environment *env, const struct wsup_hs *hs)
{
	const char *host = wsup_header(hs, "Host");
	size_t i, len;

	if (host && *host) {
		len = *host == '[' ? strcspn(host, "]") + 1
				   : strcspn(host, ":");
		set_part(env, "SERVER_NAME", host, len);
		return;
	}
	i = find(env, "SERVER_ADDR", 11);
	set(env, "SERVER_NAME", i < env->n ? env->at[i] + 12 : "localhost");
}

/* What is no escape stays as it is; a NUL would cut the path. */
static void set_path(struct environment *env, const char *path, size_t len)
{
	char *decoded = strndup(path, len), *to = decoded, *from = decoded;

	if (!decoded)
		die("%s", strerror(ENOMEM));
	for (; *from; from++) {
		*to = *from;
		if (*from == '%' && hex_byte(from + 1, to))
			from += 2;
		if (*to)
			to++;
	}
	*to = '\0';
	set(env, "PATH_INFO", decoded);
	free(decoded);
}

/* "http://host/path" as a proxy asks: the path is what counts. */
static const char *path_of(const char *target)
{
	const char *authority = strstr(target, "://");

	if (*target == '/' || !authority)
		return target;
	target = strpbrk(authority + 3, "/?");
	return target && *target == '/' ? target : "/";
}

static void set_user(struct environment *env, const struct wsup_hs *hs)
{
	const char *credentials = wsup_header(hs, "Authorization");

	if (!wsup_user(hs) || !credentials)
		return;
	set(env, "REMOTE_USER", wsup_user(hs));
	set(env, "AUTH_TYPE", strncasecmp(credentials, "Digest", 6) ? "Basic"
								    : "Digest");
}

static void set_request(struct environment *env, const struct wsup_hs *hs)
{
	const char *target = path_of(wsup_target(hs)), *name, *value;
	size_t i, len = strcspn(target, "?");

	set(env, "GATEWAY_INTERFACE", "CGI/1.1");
	set(env, "SERVER_SOFTWARE", "wsup/" WSUP_VERSION);
	set(env, "SERVER_PROTOCOL", "HTTP/1.1");
	set(env, "REQUEST_METHOD", wsup_method(hs));
	set(env, "REQUEST_URI", wsup_target(hs));
	set(env, "SCRIPT_NAME", "");
	set_path(env, target, len);
	set(env, "QUERY_STRING", target[len] ? target + len + 1 : "");
	set(env, "WEBSOCKET_PROTOCOL", wsup_subprotocol(hs));
	set_server_name(env, hs);
	set_user(env, hs);
	for (i = 0; wsup_field(hs, i, &name, &value); i++)
		set_header(env, name, value);
}

/**
 * environment_fill() - what a program is told about its connection
 * @env: zeroed
 * @fd: the connection
 * @hs: its handshake, a server's; or NULL
 */
void environment_fill(struct environment *env, int fd,
		      const struct wsup_hs *hs)
{
	inherit(env);
	set_address(env, fd, getpeername, "REMOTE_ADDR", "REMOTE_PORT");
	set_address(env, fd, getsockname, "SERVER_ADDR", "SERVER_PORT");
	if (hs && wsup_target(hs))
		set_request(env, hs);
}

/**
 * environment_free() - free an environment
 * @env: filled
 */
void environment_free(struct environment *env)
{
	while (env->n)
		free(env->at[--env->n]);
	free(env->at);
}
