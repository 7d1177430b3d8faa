// SPDX-License-Identifier: BSD-2-Clause
/* The client's side of the handshake, RFC 6455 section 4.1. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ws.h>

#include "internal.h"

/* Of a body that nobody wants, so much is read to keep the connection. */
#define DISCARD_MAX	(1 << 20)

/* A failure, with the name of the server in front of the sentence. */
static int fail(struct wsup_hs *hs, int error, const char *sentence)
{
	const struct url *url = &hs->client.url;

	return hs_fail(hs, error, "%s:%s: %s", url->host, url->port, sentence);
}

static int fail_plain(struct wsup_hs *hs, int error)
{
	return fail(hs, error, wsup_strerror(error));
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
	if (client->list)
		freeaddrinfo(client->list);
	client->list = NULL;
	client->next = NULL;
}

static int start_lookup(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int err = lookup_start(&client->lookup, client->url.host,
			       client->url.port);

	if (err)
		return fail_plain(hs, err);
	hs->poll_fd = lookup_fd(client->lookup);
	client->state = CLIENT_RESOLVE;
	return STEP_MORE;
}

static int resolve(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int err = lookup_result(client->lookup, &client->list);

	if (err == -EAGAIN)
		return hs_wait(hs, POLLIN);
	if (err)
		return fail_plain(hs, err);
	client->next = client->list;
	client->state = CLIENT_DIAL;
	return STEP_MORE;
}

/* Begins to connect to the next address; the last one's error counts. */
static int dial(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	struct addrinfo *ai = client->next;
	int one = 1;

	disconnect(hs);
	if (!ai)
		return fail_plain(hs, client->error);
	client->next = ai->ai_next;
	hs->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
				       SOCK_NONBLOCK, 0);
	hs->poll_fd = hs->fd;
	client->error = -errno;
	if (hs->fd < 0)
		return STEP_MORE;
	setsockopt(hs->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	client->state = CLIENT_CONNECT;
	if (connect(hs->fd, ai->ai_addr, ai->ai_addrlen) &&
	    errno != EINPROGRESS) {
		client->error = -errno;
		client->state = CLIENT_DIAL;
	}
	return STEP_MORE;
}

static int connected(struct wsup_hs *hs)
{
	struct pollfd pfd = { .fd = hs->fd, .events = POLLOUT };
	struct client *client = &hs->client;
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&pfd, 1, 0) <= 0)
		return hs_wait(hs, POLLOUT);
	getsockopt(hs->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		client->error = -error;
		client->state = CLIENT_DIAL;
		return STEP_MORE;
	}
	if (!hs->config->number[WSUP_NONBLOCK])
		fcntl(hs->fd, F_SETFL, fcntl(hs->fd, F_GETFL) & ~O_NONBLOCK);
	client->state = CLIENT_REQUEST;
	return STEP_MORE;
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

static bool is_header(const char *line, const char *name)
{
	size_t len = strlen(name);

	return !strncasecmp(line, name, len) && line[len] == ':';
}

static void add_headers(struct wsup_hs *hs)
{
	const struct texts *headers = &hs->config->text[WSUP_HEADER];
	const char *origin = config_text(hs->config, WSUP_ORIGIN);
	bool host = false;
	size_t i;

	for (i = 0; i < headers->n; i++) {
		host |= is_header(headers->at[i], "Host");
		buf_printf(&hs->out, "%s\r\n", headers->at[i]);
	}
	if (!host) {
		buf_printf(&hs->out, "Host: ");
		url_authority(&hs->client.url, &hs->out);
		buf_printf(&hs->out, "\r\n");
	}
	if (origin)
		buf_printf(&hs->out, "Origin: %s\r\n", origin);
}

/* Who cannot attach need not bother the server. */
static int request(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int err = 0;

	if (hs->config->number[WSUP_ATTACH])
		err = wsup_attach_dormant(hs->fd);
	if (err)
		return hs_fail(hs, err, "%s", wsup_attach_strerror(err));
	err = key_make(client->key);
	if (err)
		return fail_plain(hs, err);
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

	if (ret < 0)
		return fail_plain(hs, ret);
	if (ret != IO_COMPLETE)
		return ret;
	head_restart(&hs->head);
	hs->client.state = CLIENT_READ;
	return STEP_MORE;
}

/* RFC 6455 section 4.1, points 2 to 4 of what the response is checked for */
static int check_upgrade(struct wsup_hs *hs)
{
	const struct head *head = &hs->head;
	char accept[ACCEPT_LEN + 1];
	const char *theirs;

	if (head->parser.http_major != 1 || head->parser.http_minor < 1 ||
	    !list_has(head, "Upgrade", "websocket", false) ||
	    !list_has(head, "Connection", "Upgrade", false))
		return -WSUP_EUPGRADE;
	theirs = head_find(head, "Sec-WebSocket-Accept", 0);
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
	const char *theirs = head_find(&hs->head, name, 0);
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
		return fail_plain(hs, err);
	if (hs->config->number[WSUP_ATTACH])
		err = attach_role(hs->fd, WS_CLIENT);
	if (err)
		return hs_fail(hs, err, "%s", wsup_attach_strerror(err));
	return WSUP_DONE;
}

static int on_response(struct wsup_hs *hs)
{
	struct client *client = &hs->client;
	int status = llhttp_get_status_code(&hs->head.parser);

	hs->status = status;
	if (status == 101)
		return upgraded(hs);
	if (status < 200) {
		/* RFC 9110 section 15.2: unknown ones are skipped as well */
		client->skipped += hs->head.bytes;
		if (client->skipped > hs->head.bytes_max)
			return fail_plain(hs, -WSUP_ELIMIT);
		head_restart(&hs->head);
		return STEP_MORE;
	}
	client->state = CLIENT_BODY;
	client->discarded = 0;
	return STEP_MORE;
}

static int read_response(struct wsup_hs *hs)
{
	int ret = io_read(hs, io_take_head);

	if (ret == IO_COMPLETE)
		return on_response(hs);
	return ret < 0 ? fail_plain(hs, ret) : ret;
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

/* The whole message was read, or what there was of it. */
static int on_body(struct wsup_hs *hs)
{
	const char *reason = wsup_reason(hs);
	const char *to = wsup_header(hs, "Location");
	const struct url *url = &hs->client.url;

	if (hs->status / 100 == 3 && to)
		return hs_fail(hs, -WSUP_ESTATUS,
			       "%s:%s: the server redirects to %s", url->host,
			       url->port, to);
	return hs_fail(hs, -WSUP_ESTATUS, "%s:%s: the server answered %d%s%s",
		       url->host, url->port, hs->status, *reason ? " " : "",
		       reason);
}

static int read_body(struct wsup_hs *hs)
{
	size_t used;
	int ret;

	/* empty bodies end without another byte */
	ret = head_feed_body(&hs->head, "", 0, &used);
	if (!ret)
		ret = io_read(hs, take_body);
	if (ret == WSUP_AGAIN)
		return ret;
	hs->client.reusable = ret == IO_COMPLETE &&
			      llhttp_should_keep_alive(&hs->head.parser);
	return on_body(hs);
}

static int expired(struct wsup_hs *hs)
{
	if (hs->client.state == CLIENT_BODY)
		return on_body(hs);
	return fail_plain(hs, -ETIMEDOUT);
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
	case CLIENT_DIAL:
		return dial(hs);
	case CLIENT_CONNECT:
		return connected(hs);
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
	int ret;

	do {
		ret = step_once(hs);
	} while (ret == STEP_MORE);
	return ret;
}

static void client_release(struct wsup_hs *hs)
{
	disconnect(hs);
	forget_addresses(&hs->client);
	url_free(&hs->client.url);
}

static int parse_url(struct wsup_hs *hs, const char *url)
{
	struct url *to = &hs->client.url;
	int err = url_parse(to, url);

	if (err)
		return hs_fail(hs, err, "%s: %s", url, wsup_strerror(err));
	if (!strcmp(to->scheme, "ws"))
		return 0;
	/* TLS has its place between connected() and request() */
	return hs_fail(hs, -EPROTONOSUPPORT, "%s: only ws:// is supported",
		       url);
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
