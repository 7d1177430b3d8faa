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
		"HTTP_", "REMOTE_", "SERVER_", "REQUEST_", "PATH_INFO=",
		"QUERY_STRING=", "GATEWAY_INTERFACE=", "WEBSOCKET_PROTOCOL=",
		"LISTEN_", "NOTIFY_SOCKET=",
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

static bool is_set(const struct environment *env, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < env->n; i++)
		if (!strncmp(env->at[i], name, len) && env->at[i][len] == '=')
			return true;
	return false;
}

/*
 * "X-Name" as HTTP_X_NAME, RFC 3875 section 4.1.18; of several the first one.
 * Not credentials, and not HTTP_PROXY, which programs take for a setting.
 */
static void set_header(struct environment *env, const char *name,
		       const char *value)
{
	char variable[128] = "HTTP_";
	size_t i, len = strlen(name);

	if (len + 6 > sizeof(variable) || !strcasecmp(name, "Proxy") ||
	    !strcasecmp(name, "Authorization"))
		return;
	for (i = 0; i < len; i++)
		variable[5 + i] = (char)(isalnum((unsigned char)name[i]) ?
					 toupper((unsigned char)name[i]) : '_');
	if (!is_set(env, variable))
		set(env, variable, value);
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
	set(env, address, host);
	set(env, port, service);
}

static void set_request(struct environment *env, const struct wsup_hs *hs)
{
	const char *target = wsup_target(hs), *name, *value;
	size_t i, len = strcspn(target, "?");

	set(env, "GATEWAY_INTERFACE", "CGI/1.1");
	set(env, "SERVER_SOFTWARE", "wsup/" WSUP_VERSION);
	set(env, "SERVER_PROTOCOL", "HTTP/1.1");
	set(env, "REQUEST_METHOD", wsup_method(hs));
	set(env, "REQUEST_URI", target);
	set_part(env, "PATH_INFO", target, len);
	set(env, "QUERY_STRING", target[len] ? target + len + 1 : "");
	set(env, "WEBSOCKET_PROTOCOL", wsup_subprotocol(hs));
	set(env, "REMOTE_USER", wsup_user(hs));
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
