// SPDX-License-Identifier: BSD-2-Clause
/* The client's side of the handshake, RFC 6455 section 4.1. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "auth.h"
#include "client.h"

/* Of a body that nobody wants, so much is read to keep the connection. */
#define DISCARD_MAX	0x100000

/* With too many lookups in the process: when to see whether one ended */
#define LOOKUP_MS	20

/* Who we talk to at the moment. */
static const struct url *hop(const struct client *client)
{
	return client->proxy.host ? &client->proxy : &client->url;
}

/* The place that a sentence is about, as in a URL */
__printf(4, 5)
static int fail_at(struct wsup_hs *hs, const struct url *url, int error,
		   const char *fmt, ...)
{
	bool literal = strchr(url->host, ':');
	char rest[sizeof(hs->error)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(rest, sizeof(rest), fmt, args);
	va_end(args);
	return hs_fail(hs, error, "%s%s%s:%s: %s", literal ? "[" : "",
		       url->host, literal ? "]" : "", url->port, rest);
}

/**
 * client_fail() - write down why a handshake fails
 * @hs: client's handshake
 * @error: negative
 * @sentence: without the server's name; NULL: the one for @error
 *
 * Return: @error.
 */
int client_fail(struct wsup_hs *hs, int error, const char *sentence)
{
	const struct url *url = &hs->client.url;

	if (hs->client.tunnel)
		url = hop(&hs->client);
	return fail_at(hs, url, error, "%s",
		       sentence ? sentence : wsup_strerror(error));
}

static int fail(struct wsup_hs *hs, int error)
{
	return client_fail(hs, error, NULL);
}

static void disconnect(struct wsup_hs *hs)
{
	if (hs->fd >= 0)
		close(hs->fd);
	hs->fd = -1;
	hs->poll_fd = -1;
}

static void forget_addresses(struct client *client)
{
	lookup_put(client->lookup);
	client->lookup = NULL;
	dial_stop(&client->dial);
}

static int start_lookup(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int err;

	forget_addresses(client);
	disconnect(hs);
	err = proxy_choose(hs);
	if (err)
		return err;
	client->tunnel = client->proxy.host;
	err = lookup_start(&client->lookup, hop(client)->host,
			   hop(client)->port);
	if (err)
		return fail(hs, err);
	hs->poll_fd = lookup_fd(client->lookup);
	client->state = CLIENT_RESOLVE;
	return STEP_MORE;
}

static int resolve(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	struct addrinfo *list;
	int err = lookup_result(client->lookup, &list);

	if (err == -EBUSY)
		return hs_wait_for(hs, POLLIN, LOOKUP_MS);
	if (err == -EAGAIN)
		return hs_wait(hs, POLLIN);
	if (err)
		return fail(hs, err);
	err = dial_begin(&client->dial, list);
	if (err)
		return fail(hs, err);
	client->state = CLIENT_CONNECT;
	return STEP_MORE;
}

static int connected(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int ret = dial_step(hs);

	if (ret != IO_COMPLETE)
		return ret < 0 ? fail(hs, ret) : ret;
	dial_stop(&client->dial);
	if (!hs->config->number[WSUP_NONBLOCK])
		fcntl(hs->fd, F_SETFL, fcntl(hs->fd, F_GETFL) & ~O_NONBLOCK);
	if (!client->tunnel)
		client->state = CLIENT_REQUEST;
	else if (!strcmp(client->proxy.scheme, "http"))
		client->state = CLIENT_TUNNEL;
	else
		client->state = CLIENT_SOCKS;
	memset(&client->socks, 0, sizeof(client->socks));
	return STEP_MORE;
}

/*
 * Through the proxy: from here on the server is at the other end. Another
 * tunnel, if there has to be one, is another request: a Digest answer to the
 * proxy is used up.
 */
static int tunnelled(struct wsup_hs *hs)
{
	struct client *client = &hs->client;

	hs->status = 0;
	buf_reset(&client->proxy_auth);
	client->proxy_tries = 0;
	client->tunnel = false;
	client->state = CLIENT_REQUEST;
	return STEP_MORE;
}

static int negotiate_socks(struct wsup_hs *hs)
{
	int ret = socks_step(hs);

	return ret == IO_COMPLETE ? tunnelled(hs) : ret;
}

static int request_tunnel(struct wsup_hs *hs)
{
	int err = proxy_request(hs);

	hs->client.state = CLIENT_SEND;
	return err ? fail(hs, err) : STEP_MORE;
}

static void add_subprotocols(struct wsup_hs *hs)
{
	const struct texts *offer = &hs->config->text[WSUP_SUBPROTOCOL];
	size_t i;

	for (i = 0; i < offer->n; i++)
		buf_printf(&hs->out, "%s%s",
			   i ? ", " : "Sec-WebSocket-Protocol: ", offer->at[i]);
	if (offer->n)
		buf_printf(&hs->out, "\r\n");
}

/* What was meant for one server is not told to the next. */
static bool is_private(const char *line)
{
	return header_is(line, "Authorization") || header_is(line, "Cookie") ||
	       header_is(line, "Host") ||
	       header_is(line, "Proxy-Authorization");
}

/* A proxy that was asked for a tunnel has been told what is meant for it. */
static bool is_for_proxy(const struct wsup_hs *hs, const char *line)
{
	return hs->client.proxy.host && header_is(line, "Proxy-Authorization");
}

/* Is there something better to say? */
static bool is_superseded(const struct wsup_hs *hs, const char *line)
{
	if (header_is(line, "Authorization"))
		return hs->client.auth.len;
	return header_is(line, "Origin") &&
	       config_text(hs->config, WSUP_ORIGIN);
}

static void add_headers(struct wsup_hs *hs)
{
	const struct texts *headers = &hs->config->text[WSUP_HEADER];
	const char *origin = config_text(hs->config, WSUP_ORIGIN);
	bool host = false;
	size_t i;

	for (i = 0; i < headers->n; i++) {
		if ((hs->client.foreign && is_private(headers->at[i])) ||
		    is_superseded(hs, headers->at[i]) ||
		    is_for_proxy(hs, headers->at[i]))
			continue;
		host |= header_is(headers->at[i], "Host");
		buf_printf(&hs->out, "%s\r\n", headers->at[i]);
	}
	if (!host) {
		buf_printf(&hs->out, "Host: ");
		url_authority(&hs->client.url, &hs->out);
		buf_printf(&hs->out, "\r\n");
	}
	if (origin)
		buf_printf(&hs->out, "Origin: %s\r\n", origin);
	if (hs->client.auth.len)
		buf_printf(&hs->out, "Authorization: %.*s\r\n",
			   (int)hs->client.auth.len, hs->client.auth.data);
}

/*
 * RFC 9112 section 9.3.1: a connection that was kept may have ended before it
 * was used again. The request has not been answered then, and is repeated.
 */
static int repeat(struct wsup_hs *hs)
{
	struct client *client = &hs->client;

	if (client->given)
		return client_fail(hs, -WSUP_EEOF,
				   "the server closed, asking for another try");
	client->reused = false;
	client->state = CLIENT_LOOKUP;
	return STEP_MORE;
}

/* Who cannot attach need not bother the server. */
static int request(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int err = 0;

	if (hs->config->number[WSUP_ATTACH])
		err = wsup_attach_dormant(hs->fd);
	if (err == -ENOTCONN && client->reused)
		return repeat(hs);
	if (err)
		return hs_fail(hs, err, "%s", wsup_attach_strerror(err));
	err = key_make(client->key);
	if (err)
		return fail(hs, err);
	buf_printf(&hs->out, "GET %s HTTP/1.1\r\n", client->url.path);
	add_headers(hs);
	buf_printf(&hs->out, "Upgrade: websocket\r\n"
			     "Connection: Upgrade\r\n"
			     "Sec-WebSocket-Key: %s\r\n"
			     "Sec-WebSocket-Version: 13\r\n", client->key);
	add_subprotocols(hs);
	buf_printf(&hs->out, "\r\n");
	client->state = CLIENT_SEND;
	return STEP_MORE;
}

static int send_request(struct wsup_hs *hs)
{
	int ret = io_write(hs);

	if (ret == STEP_MORE)
		return ret;
	/* RFC 9112 section 9.5: who answers too early has still answered */
	if (ret < 0 && ret != -EPIPE && ret != -ECONNRESET)
		return fail(hs, ret);
	if (ret == WSUP_AGAIN)
		return ret;
	hs->sent = 0;
	buf_reset(&hs->out);
	head_restart(&hs->head);
	hs->head.tunnel = hs->client.tunnel;
	hs->client.state = CLIENT_READ;
	return STEP_MORE;
}

/*
 * A server may know several protocols, but switches to one: RFC 9110 section
 * 7.8 would have two of them mean one within the other.
 */
static bool only_websocket(const struct head *head)
{
	struct list list = LIST(head, "Upgrade");
	bool any = false;
	const char *item;
	size_t len;

	while (list_next(&list, &item, &len)) {
		if (len != 9 || !ascii_same_n(item, "websocket", len))
			return false;
		any = true;
	}
	return any;
}

/* RFC 6455 section 4.1, points 2 to 4 of what the response is checked for */
static int check_upgrade(struct wsup_hs *hs)
{
	const struct head *head = &hs->head;
	char accept[ACCEPT_LEN + 1];
	const char *theirs;

	if (head->parser.http_major != 1 || head->parser.http_minor < 1 ||
	    !only_websocket(head) ||
	    !list_has(head, "Connection", "Upgrade", false))
		return -WSUP_EUPGRADE;
	theirs = head_find(head, "Sec-WebSocket-Accept");
	if (key_accept(hs->client.key, accept))
		return -EIO;
	if (!theirs || strcmp(theirs, accept) ||
	    head_count(head, "Sec-WebSocket-Accept") > 1)
		return -WSUP_EACCEPT;
	return 0;
}

/* Point 6: exactly one, and one of those that were offered */
static int check_subprotocol(struct wsup_hs *hs)
{
	const struct texts *offer = &hs->config->text[WSUP_SUBPROTOCOL];
	const char *name = "Sec-WebSocket-Protocol";
	const char *theirs = head_find(&hs->head, name);
	size_t i;

	if (!theirs)
		return 0;
	if (head_count(&hs->head, name) > 1)
		return -WSUP_ESUBPROTOCOL;
	for (i = 0; i < offer->n; i++)
		if (!strcmp(offer->at[i], theirs))
			return hs_set_subprotocol(hs, theirs, strlen(theirs));
	return -WSUP_ESUBPROTOCOL;
}

/* Point 5: none was offered */
static int check_extensions(struct wsup_hs *hs)
{
	struct list list = LIST(&hs->head, "Sec-WebSocket-Extensions");
	const char *item;
	size_t len;

	return list_next(&list, &item, &len) ? -WSUP_EEXTENSION : 0;
}

static int upgraded(struct wsup_hs *hs)
{
	int err = check_upgrade(hs);

	if (!err)
		err = check_subprotocol(hs);
	if (!err)
		err = check_extensions(hs);
	if (err)
		return fail(hs, err);
	if (hs->config->number[WSUP_ATTACH])
		err = attach_role(hs->fd, WS_CLIENT);
	if (err)
		return hs_fail(hs, err, "%s", wsup_attach_strerror(err));
	return WSUP_DONE;
}

static int skip_interim(struct wsup_hs *hs)
{
	/* RFC 9110 section 15.2: those that we do not know as well */
	hs->client.skipped += hs->head.bytes;
	if (hs->client.skipped > hs->head.bytes_max)
		return fail(hs, -WSUP_ELIMIT);
	head_restart(&hs->head);
	return STEP_MORE;
}

static int on_response(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int status = llhttp_get_status_code(&hs->head.parser);

	hs->status = status;
	client->reused = false;
	if (status == 101 && !client->tunnel)
		return upgraded(hs);
	if (status < 200 && status != 101)
		return skip_interim(hs);
	if (status / 100 == 2 && client->tunnel)
		return tunnelled(hs);
	client->state = CLIENT_BODY;
	client->discarded = 0;
	return STEP_MORE;
}

static int read_response(struct wsup_hs *hs)
{
	int ret = io_read(hs, io_take_head);

	if (ret == IO_COMPLETE)
		return on_response(hs);
	if (hs->client.reused && !hs->head.bytes &&
	    (ret == -WSUP_EEOF || ret == -ECONNRESET || ret == -EPIPE))
		return repeat(hs);
	return ret < 0 ? fail(hs, ret) : ret;
}

static int take_body(struct wsup_hs *hs, const char *data, size_t len,
		     size_t *used)
{
	struct client *client = &hs->client;

	client->discarded += len;
	if (client->discarded > DISCARD_MAX) {
		*used = len;
		return -WSUP_ELIMIT;
	}
	return head_feed_body(&hs->head, data, len, used);
}

/* Once more, on the same connection if it can take it. */
static int again(struct wsup_hs *hs)
{
	struct client *client = &hs->client;

	client->skipped = 0;
	if (!client->reusable)
		return repeat(hs);
	client->reused = true;
	client->state = client->tunnel ? CLIENT_TUNNEL : CLIENT_REQUEST;
	return STEP_MORE;
}

/* Without a text where there are none */
static struct user credentials(const struct wsup_hs *hs)
{
	const struct url *url = &hs->client.url;
	const char *user;

	if (hs->client.tunnel)
		url = &hs->client.proxy;
	if (url->user || hs->client.tunnel || hs->client.foreign)
		return (struct user){ url->user, url->name };
	user = config_text(hs->config, WSUP_USER);
	return (struct user){ user, user ? strcspn(user, ":") : 0 };
}

static int make_answer(struct wsup_hs *hs, struct user user)
{
	struct client *client = &hs->client;
	struct buf authority = {};
	int err;

	if (!client->tunnel) {
		buf_reset(&client->auth);
		return auth_answer(&hs->head, "WWW-Authenticate", user, "GET",
				   client->url.path, &client->auth);
	}
	buf_reset(&client->proxy_auth);
	err = proxy_authority(hs, &authority);
	if (!err)
		err = auth_answer(&hs->head, "Proxy-Authenticate", user,
				  "CONNECT", authority.data,
				  &client->proxy_auth);
	buf_free(&authority);
	return err;
}

/* 401 or 407 */
static int on_challenge(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	struct user user = credentials(hs);
	const char *name = client->tunnel ? "Proxy-Authenticate"
					  : "WWW-Authenticate";
	int *tries = client->tunnel ? &client->proxy_tries : &client->tries;
	int err;

	if (!user.text)
		return client_fail(hs, -WSUP_EAUTH, "credentials are needed");
	if ((*tries)++ && (*tries > 3 || !auth_stale(&hs->head, name)))
		return client_fail(hs, -WSUP_EAUTH,
				   "the credentials are refused");
	err = make_answer(hs, user);
	if (err == -WSUP_EAUTH)
		return client_fail(hs, err,
				   "asked for credentials of an unknown kind");
	return err ? fail(hs, err) : again(hs);
}

/* RFC 9110 section 15.4: 300, 304 and 305 leave the choice to others. */
static bool is_redirect(int status)
{
	return (status >= 301 && status <= 303) || status == 307 ||
	       status == 308;
}

static bool same_server(const struct url *a, const struct url *b)
{
	return ascii_same(a->host, b->host) && !strcmp(a->port, b->port);
}

/* Where it leads, without the credentials that may stand in it. */
static int fail_redirect(struct wsup_hs *hs, int error, const char *what,
			 const char *location)
{
	const struct url *url = &hs->client.url;
	const char *rest;
	int scheme;

	rest = url_public(location, &scheme);
	return fail_at(hs, url, error, "%s %.*s%s", what, scheme, location,
		       rest);
}

static int follow(struct wsup_hs *hs, const char *location)
{
	struct client *client = &hs->client;
	struct url to = {};
	int err;

	if (client->redirects++ == hs->config->number[WSUP_REDIRECTS_MAX])
		return client_fail(hs, -WSUP_EREDIRECT,
				   "redirected too often");
	err = redirect_resolve(&client->url, location, &to);
	if (!err && client->given)
		err = -WSUP_EREDIRECT;
	if (err) {
		url_free(&to);
		return fail_redirect(hs, err, "redirected to", location);
	}
	if (!same_server(&client->url, &to)) {
		client->foreign = true;
	} else if (!to.user) {
		to.user = client->url.user;
		to.name = client->url.name;
		client->url.user = NULL;
	}
	url_free(&client->url);
	client->url = to;
	client->tries = 0;
	client->skipped = 0;
	buf_reset(&client->auth);
	client->state = CLIENT_LOOKUP;
	return STEP_MORE;
}

static int refused(struct wsup_hs *hs)
{
	const struct client *client = &hs->client;
	const struct url *url = client->tunnel ? hop(client) : &client->url;
	const char *reason = wsup_reason(hs);

	return fail_at(hs, url, client->tunnel ? -WSUP_EPROXY : -WSUP_ESTATUS,
		       "the %s answered %d%s%s",
		       client->tunnel ? "proxy" : "server", hs->status,
		       *reason ? " " : "", reason);
}

/* The whole message was read, or what there was of it. */
static int on_body(struct wsup_hs *hs)
{
	const char *to = wsup_header(hs, "Location");

	if (hs->status == (hs->client.tunnel ? 407 : 401))
		return on_challenge(hs);
	if (hs->client.tunnel || !is_redirect(hs->status) || !to)
		return refused(hs);
	if (hs->config->number[WSUP_REDIRECTS_MAX])
		return follow(hs, to);
	return fail_redirect(hs, -WSUP_ESTATUS, "the server redirects to", to);
}

static int read_body(struct wsup_hs *hs)
{
	size_t used;
	int ret;

	/* empty bodies end without another byte */
	ret = head_feed_body(&hs->head, "", 0, &used);
	if (!ret)
		ret = io_read(hs, take_body);
	if (ret == WSUP_AGAIN || ret == STEP_MORE)
		return ret;
	hs->client.reusable = ret == IO_COMPLETE &&
			      llhttp_should_keep_alive(&hs->head.parser);
	return on_body(hs);
}

static int expired(struct wsup_hs *hs)
{
	if (hs->client.state == CLIENT_BODY)
		return refused(hs);
	return fail(hs, -ETIMEDOUT);
}

static int step_once(struct wsup_hs *hs)
{
	if (hs_left(hs) <= 0)
		return expired(hs);
	switch (hs->client.state) {
	case CLIENT_LOOKUP:
		return start_lookup(hs);
	case CLIENT_RESOLVE:
		return resolve(hs);
	case CLIENT_CONNECT:
		return connected(hs);
	case CLIENT_SOCKS:
		return negotiate_socks(hs);
	case CLIENT_TUNNEL:
		return request_tunnel(hs);
	case CLIENT_REQUEST:
		return request(hs);
	case CLIENT_SEND:
		return send_request(hs);
	case CLIENT_READ:
		return read_response(hs);
	case CLIENT_BODY:
		return read_body(hs);
	}
	return -EINVAL;
}

static int client_step(struct wsup_hs *hs)
{
	int ret = hs_step(hs, step_once);

	/* whatever comes next, a connection that is there can be written to */
	if (hs->more)
		hs->events = POLLOUT;
	return ret;
}

static void client_release(struct wsup_hs *hs)
{
	disconnect(hs);
	forget_addresses(&hs->client);
	url_free(&hs->client.url);
	url_free(&hs->client.proxy);
	buf_free(&hs->client.auth);
	buf_free(&hs->client.proxy_auth);
}

static int parse_url(struct wsup_hs *hs, const char *url)
{
	struct url *to = &hs->client.url;
	int err = url_parse(to, url), scheme;
	const char *rest = url_public(url, &scheme);

	if (err)
		return hs_fail(hs, err, "%.*s%s: %s", scheme, url, rest,
			       to->why ? to->why : wsup_strerror(err));
	if (!strcmp(to->scheme, "ws"))
		return 0;
	/* TLS has its place between connected() and request() */
	return hs_fail(hs, -EPROTONOSUPPORT,
		       strcmp(to->scheme, "wss") ?
		       "%.*s%s: only ws:// is supported" :
		       "%.*s%s: wss:// is not supported yet, only ws:// is",
		       scheme, url, rest);
}

int wsup_connect_new(struct wsup_hs **hs, const char *url, int fd,
		     const struct wsup_config *config)
{
	struct wsup_hs *new = hs_new(config);
	int err;

	*hs = new;
	if (!new)
		return -ENOMEM;
	new->step = client_step;
	new->release = client_release;
	new->client.dial.epoll = -1;
	err = parse_url(new, url);
	if (!err)
		err = head_init(&new->head, HTTP_RESPONSE, new->config);
	if (err)
		return new->result = err;
	new->client.state = fd < 0 ? CLIENT_LOOKUP : CLIENT_REQUEST;
	new->client.given = fd >= 0;
	new->fd = fd;
	new->poll_fd = fd;
	return 0;
}

int wsup_connect(const char *url, const struct wsup_config *config,
		 struct wsup_hs **hs)
{
	struct wsup_hs *own;
	int ret;

	ret = wsup_connect_new(&own, url, -1, config);
	if (hs)
		*hs = own;
	while (!ret || ret == -EINTR)
		ret = wsup_run(own);
	if (ret == WSUP_DONE)
		ret = wsup_take_fd(own);
	if (!hs)
		wsup_free(own);
	return ret;
}

int wsup_take_fd(struct wsup_hs *hs)
{
	int fd = hs->fd;

	if (hs->result != WSUP_DONE || fd < 0)
		return -EBADF;
	hs->fd = -1;
	hs->poll_fd = -1;
	return fd;
}
