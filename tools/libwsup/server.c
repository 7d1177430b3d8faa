// SPDX-License-Identifier: BSD-2-Clause
/*
 * The server's side of the handshake, RFC 6455 section 4.2, on the connections
 * of an ordinary HTTP server: what is no handshake gets an answer of HTTP's,
 * and the connection stays open for the next request where HTTP says so.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/ws.h>

#include "auth.h"

/* How long a peer may go on sending that was refused, and how much. */
#define LINGER_MS	2000

#define FILE_CHUNK	16384

/* Why a request gets this status; the peer is told, and wsup_error(). */
static int refuse(struct wsup_hs *hs, int status, const char *why)
{
	return hs_fail(hs, status, "%s", why);
}

static bool has_body(const struct head *head)
{
	const llhttp_t *parser = &head->parser;

	return head_count(head, "Transfer-Encoding") ||
	       (parser->flags & F_CONTENT_LENGTH && parser->content_length);
}

/* "/a" is one path, "/a/" another; what is under that is "/a/" and "*". */
static bool path_matches(const char *served, const char *path, size_t len)
{
	size_t n = strlen(served);

	if (n >= 2 && !strcmp(served + n - 2, "/*"))
		return len >= n - 1 && !memcmp(served, path, n - 1);
	return n == len && !memcmp(served, path, len);
}

static bool path_served(const struct wsup_hs *hs)
{
	const struct texts *paths = &hs->config->text[WSUP_PATH];
	const char *path = head_string(&hs->head, hs->head.target);
	size_t i, len = strcspn(path, "?");

	for (i = 0; i < paths->n; i++)
		if (path_matches(paths->at[i], path, len))
			return true;
	return !hs->config->tried[WSUP_PATH];
}

static bool is_method(const struct wsup_hs *hs, const char *method)
{
	return !strcmp(head_string(&hs->head, hs->head.method), method);
}

/* A NUL would end the path for those that decode it. */
static bool has_nul(const struct wsup_hs *hs)
{
	const char *path = head_string(&hs->head, hs->head.target);

	return memmem(path, strcspn(path, "?"), "%00", 3);
}

/* What makes a request bad whatever it asks for. */
static int judge_http(struct wsup_hs *hs)
{
	const struct head *head = &hs->head;
	const char *host = head_find(head, "Host");
	const llhttp_t *parser = &head->parser;
	struct url url = {};
	int err;

	if (parser->http_major != 1)
		return refuse(hs, 505, "only HTTP/1.1 is spoken here");
	/* RFC 9112 section 3.2 demands it of HTTP/1.1 */
	if (head_count(head, "Host") != 1 &&
	    (parser->http_minor || head_count(head, "Host")))
		return refuse(hs, 400, "there has to be one Host header");
	err = host ? host_parse(&url, host) : 0;
	url_free(&url);
	if (err == -WSUP_EURL)
		return refuse(hs, 400, "the Host header is malformed");
	if (err)
		return err;
	err = target_normalise(&hs->head);
	if (err == -WSUP_EURL || (!err && has_nul(hs)))
		return refuse(hs, 400, "the request's target is malformed");
	return err;
}

/* RFC 6455 section 4.2.1, points 3 and 4 */
static bool asks_upgrade(const struct head *head)
{
	return head->parser.http_minor >= 1 &&
	       list_has(head, "Upgrade", "websocket", false) &&
	       list_has(head, "Connection", "Upgrade", false);
}

/* Which of these it was */
static const char *no_upgrade(const struct wsup_hs *hs)
{
	const struct head *head = &hs->head;

	if (!is_method(hs, "GET"))
		return "this is a WebSocket server: only GET upgrades";
	if (head->parser.http_minor < 1)
		return "this is a WebSocket server: it needs HTTP/1.1";
	if (!head_find(head, "Upgrade"))
		return "this is a WebSocket server: there is no Upgrade header";
	if (!list_has(head, "Upgrade", "websocket", false))
		return "this is a WebSocket server: Upgrade is not websocket";
	return "this is a WebSocket server: Connection does not have Upgrade";
}

/* RFC 6455 section 4.2.1, points 5 and 6 */
static int judge_upgrade(struct wsup_hs *hs)
{
	const struct head *head = &hs->head;
	const char *version = head_find(head, "Sec-WebSocket-Version");
	const char *key = head_find(head, "Sec-WebSocket-Key");
	int allowed;

	if (!version || strcmp(version, "13") ||
	    head_count(head, "Sec-WebSocket-Version") > 1)
		return refuse(hs, 426, "the WebSocket version has to be 13");
	if (!key || head_count(head, "Sec-WebSocket-Key") > 1)
		return refuse(hs, 400,
			      "there has to be one Sec-WebSocket-Key");
	if (!key_valid(key))
		return refuse(hs, 400, "Sec-WebSocket-Key is malformed");
	if (!subprotocols_valid(head))
		return refuse(hs, 400, "Sec-WebSocket-Protocol is malformed");
	if (!extensions_valid(head))
		return refuse(hs, 400, "Sec-WebSocket-Extensions is malformed");
	allowed = origin_allowed(hs->config, head);
	if (allowed < 0)
		return allowed;
	if (!allowed)
		return refuse(hs, 403, "this Origin is not allowed");
	if (key_accept(key, hs->server.accept)) {
		hs->server.keep = false;
		hs->server.end = -EIO;
		return refuse(hs, 500, "SHA-1 is not available");
	}
	return 101;
}

/*
 * A name that a page's author controls may lead to this server, too (DNS
 * rebinding): then Origin and Host are the same, and both are the author's.
 */
static int judge_host(struct wsup_hs *hs)
{
	const char *host = head_find(&hs->head, "Host");
	int allowed = host_allowed(hs->config, &hs->head);

	if (allowed)
		return allowed < 0 ? allowed : 0;
	if (has_body(&hs->head))
		hs->server.keep = false;
	return hs_fail(hs, 403, "this server was not told that its name is %s",
		       host ? host : "missing");
}

/* Point 1: an upgrade is asked for by GET; for others it is ignored. */
static int judge_method(struct wsup_hs *hs)
{
	bool get = is_method(hs, "GET"), body = has_body(&hs->head);
	struct server *server = &hs->server;

	/* nobody reads the body, so nothing can follow it */
	if (body)
		server->keep = false;
	/* an application has pages: "*" is none */
	server->plain = !body && !(get && asks_upgrade(&hs->head)) &&
			*head_string(&hs->head, hs->head.target) != '*';
	if (!get && !is_method(hs, "HEAD"))
		return refuse(hs, 405, "only GET and HEAD are supported");
	if (body)
		return refuse(hs, 400, "a request with a body is not accepted");
	return 0;
}

/* The status that a well-formed head deserves, or -errno. */
static int judge(struct wsup_hs *hs)
{
	int status = judge_http(hs);

	hs->server.plain = false;
	if (status) {
		hs->server.keep = false;
		return status;
	}
	status = auth_check(hs->config, &hs->head, &hs->server.user,
			    &hs->server.stale);
	if (status == -WSUP_EAUTH && has_body(&hs->head))
		hs->server.keep = false;
	if (status == -WSUP_EAUTH)
		return refuse(hs, 401, hs->config->text[WSUP_USER].n ?
			      "credentials are needed" :
			      "credentials are needed, but there is no user");
	if (!status)
		status = judge_host(hs);
	if (!status)
		status = judge_method(hs);
	if (status)
		return status;
	if (!path_served(hs))
		return refuse(hs, 404, "nothing is served under this path");
	if (hs->server.plain)
		return refuse(hs, 426, no_upgrade(hs));
	return judge_upgrade(hs);
}

/* The first of ours that the client offers; RFC 6455 section 4.2.2, 5. */
static int select_subprotocol(struct wsup_hs *hs)
{
	const struct texts *ours = &hs->config->text[WSUP_SUBPROTOCOL];
	size_t i;

	hs_set_subprotocol(hs, NULL, 0);
	for (i = 0; i < ours->n; i++)
		if (list_has(&hs->head, "Sec-WebSocket-Protocol", ours->at[i],
			     true))
			return hs_set_subprotocol(hs, ours->at[i],
						  strlen(ours->at[i]));
	return 0;
}

/* RFC 9110 section 5.6.7; strftime() would speak the locale's language. */
static void add_date(struct buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	buf_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
		   days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
		   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void begin_answer(struct wsup_hs *hs, int status)
{
	const struct texts *headers = &hs->config->text[WSUP_HEADER];
	struct server *server = &hs->server;
	size_t i;

	hs->status = status;
	buf_printf(&hs->out, "HTTP/1.1 %d %s\r\n", status,
		   status_phrase(status));
	for (i = 0; i < headers->n; i++)
		buf_printf(&hs->out, "%s\r\n", headers->at[i]);
	buf_add(&hs->out, server->headers.data, server->headers.len);
}

/* What the status itself asks for. */
static void add_required(struct wsup_hs *hs, int status)
{
	if (status == 405)
		buf_printf(&hs->out, "Allow: GET, HEAD\r\n");
	if (status == 426)
		buf_printf(&hs->out, "Upgrade: websocket\r\n"
				     "Sec-WebSocket-Version: 13\r\n");
	if (status == 401 &&
	    auth_challenge(hs->config, hs->server.stale, &hs->out))
		hs->out.error = -EIO;
}

static void add_connection(struct wsup_hs *hs, int status)
{
	const char *upgrade = status == 426 ? "Upgrade" : "";
	const char *close = hs->server.keep ? "" : "close";

	if (*upgrade || *close)
		buf_printf(&hs->out, "Connection: %s%s%s\r\n", upgrade,
			   *upgrade && *close ? ", " : "", close);
}

/* RFC 9110 section 8.6: 204 has no length; that of 304 is another's. */
static bool status_has_body(int status)
{
	return status != 204 && status != 304;
}

static int answer_head(struct wsup_hs *hs, int status, size_t len)
{
	hs->server.state = SERVER_SEND;
	begin_answer(hs, status);
	add_date(&hs->out);
	add_required(hs, status);
	add_connection(hs, status);
	if (status_has_body(status))
		buf_printf(&hs->out, "Content-Length: %zu\r\n", len);
	return buf_printf(&hs->out, "\r\n");
}

static bool wants_body(const struct wsup_hs *hs, int status)
{
	return status_has_body(status) &&
	       !(hs->head.complete && is_method(hs, "HEAD"));
}

static int answer(struct wsup_hs *hs, int status, const void *body, size_t len)
{
	answer_head(hs, status, len);
	if (wants_body(hs, status))
		buf_add(&hs->out, body, len);
	return hs->out.error;
}

/* Tells the peer why, in words. */
static int answer_refusal(struct wsup_hs *hs, int status)
{
	struct buf body = {};
	int err;

	buf_printf(&hs->server.headers, "Content-Type: text/plain\r\n");
	buf_printf(&body, "%s\n", hs->error);
	hs_fail(hs, 0, "answered %d: %.*s", status,
		(int)body.len - 1, body.data ? body.data : "");
	err = body.error ? body.error : answer(hs, status, body.data, body.len);
	buf_free(&body);
	return err;
}

static int answer_upgrade(struct wsup_hs *hs)
{
	begin_answer(hs, 101);
	buf_printf(&hs->out, "Upgrade: websocket\r\n"
			     "Connection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: %s\r\n", hs->server.accept);
	if (hs->subprotocol)
		buf_printf(&hs->out, "Sec-WebSocket-Protocol: %s\r\n",
			   hs->subprotocol);
	buf_printf(&hs->out, "\r\n");
	hs->server.upgrade = true;
	hs->server.state = SERVER_SEND;
	return hs->out.error;
}

/* Who cannot attach must not say 101. */
static int proceed_upgrade(struct wsup_hs *hs)
{
	int err = 0;

	if (hs->config->number[WSUP_ATTACH])
		err = wsup_attach_dormant(hs->fd);
	if (!err)
		return answer_upgrade(hs);
	hs_fail(hs, 0, "%s", wsup_attach_strerror(err));
	hs->server.end = err;
	hs->server.keep = false;
	return answer(hs, 503, "out of order\n", 13);
}

static int proceed(struct wsup_hs *hs)
{
	if (hs->server.verdict == 101)
		return proceed_upgrade(hs);
	return answer_refusal(hs, hs->server.verdict);
}

/* Nothing sensible can follow on this connection. */
static int give_up(struct wsup_hs *hs, int status, const char *why, int end)
{
	int err;

	refuse(hs, status, why);
	hs->server.keep = false;
	hs->server.end = end;
	err = answer_refusal(hs, status);
	return err ? err : STEP_MORE;
}

static void close_file(struct server *server)
{
	if (server->file >= 0)
		close(server->file);
	server->file = -1;
	server->file_left = 0;
}

static int on_request(struct wsup_hs *hs)
{
	struct server *server = &hs->server;
	int err;

	server->requests++;
	server->end = -WSUP_EHTTP;
	/* who speaks HTTP/1.0 may wait for the end of the stream */
	server->keep = llhttp_should_keep_alive(&hs->head.parser) &&
		hs->head.parser.http_minor >= 1 &&
		server->requests < (unsigned long)
				   hs->config->number[WSUP_REQUESTS_MAX];
	server->verdict = judge(hs);
	if (server->verdict < 0)
		return server->verdict;
	if (server->verdict == 101 && select_subprotocol(hs))
		return -ENOMEM;
	if (hs->config->number[WSUP_ASK] &&
	    (server->verdict == 101 || server->plain)) {
		server->state = SERVER_ASKED;
		return WSUP_REQUEST;
	}
	err = proceed(hs);
	return err ? err : STEP_MORE;
}

static int read_request(struct wsup_hs *hs)
{
	int ret = io_read(hs, io_take_head);

	switch (ret) {
	case IO_COMPLETE:
		return on_request(hs);
	case -WSUP_ESYNTAX:
		return give_up(hs, 400, "this is not HTTP/1.1", ret);
	case -WSUP_ELIMIT:
		return give_up(hs, 431, "the request is too large", ret);
	case -WSUP_EEOF:
		/* an ordinary end after ordinary requests */
		return hs->server.requests && !hs->head.bytes ? -WSUP_EHTTP
							       : -WSUP_EEOF;
	}
	return ret;
}

/* The next request on the same connection. */
static void restart(struct wsup_hs *hs)
{
	head_restart(&hs->head);
	hs_set_subprotocol(hs, NULL, 0);
	buf_reset(&hs->server.headers);
	hs->server.state = SERVER_READ;
	hs_set_timeout(hs, hs->config->number[WSUP_TIMEOUT]);
}

static int upgraded(struct wsup_hs *hs)
{
	int err = 0;

	if (hs->config->number[WSUP_ATTACH])
		err = attach_role(hs->fd, WS_SERVER);
	if (err) {
		hs->server.end = err;
		return hs_fail(hs, err, "%s", wsup_attach_strerror(err));
	}
	*hs->error = '\0';
	return WSUP_DONE;
}

/* The next piece of the file that is the body. */
static int read_file(struct wsup_hs *hs)
{
	struct server *server = &hs->server;
	char data[FILE_CHUNK];
	ssize_t n;

	n = read(server->file, data, server->file_left < sizeof(data) ?
				     server->file_left : sizeof(data));
	if (n <= 0)
		return n ? -errno : -EIO;
	server->file_left -= (size_t)n;
	hs_set_timeout(hs, hs->config->number[WSUP_TIMEOUT]);
	return buf_add(&hs->out, data, (size_t)n);
}

static int send_answer(struct wsup_hs *hs)
{
	struct server *server = &hs->server;
	int ret = io_write(hs);

	if (ret != IO_COMPLETE)
		return ret;
	if (server->upgrade)
		return upgraded(hs);
	if (server->file_left) {
		ret = read_file(hs);
		return ret ? ret : STEP_MORE;
	}
	close_file(server);
	if (server->keep) {
		restart(hs);
		return STEP_MORE;
	}
	/* RFC 9112 section 9.6: closing now could destroy the answer */
	shutdown(hs->fd, SHUT_WR);
	if (hs_left(hs) > LINGER_MS)
		hs_set_timeout(hs, LINGER_MS);
	server->state = SERVER_LINGER;
	return STEP_MORE;
}

static int discard(struct wsup_hs *hs, const char *data, size_t len,
		   size_t *used)
{
	(void)hs;
	(void)data;
	*used = len;
	return 0;
}

static int linger(struct wsup_hs *hs)
{
	int ret = io_read(hs, discard);

	return ret == WSUP_AGAIN || ret == STEP_MORE ? ret : hs->server.end;
}

/*
 * The limit is the request's. A response, also one that is only on its way in
 * TCP, lasts as long as its reader takes some of it.
 */
static bool is_answering(const struct wsup_hs *hs)
{
	const struct server *server = &hs->server;
	int queued = 0;

	if (server->state == SERVER_SEND)
		return true;
	if (server->state != SERVER_LINGER &&
	    (server->state != SERVER_READ || hs->head.bytes))
		return false;
	return !ioctl(hs->fd, SIOCOUTQ, &queued) && queued > 0;
}

static int expired(struct wsup_hs *hs)
{
	struct server *server = &hs->server;

	if (is_answering(hs) && io_progress(hs)) {
		hs_set_timeout(hs, server->state == SERVER_LINGER ?
			       LINGER_MS : hs->config->number[WSUP_TIMEOUT]);
		return STEP_MORE;
	}
	if (server->state == SERVER_LINGER)
		return server->end;
	if (server->state == SERVER_READ && hs->head.bytes) {
		hs_set_timeout(hs, LINGER_MS);
		return give_up(hs, 408, "the request took too long",
			       -ETIMEDOUT);
	}
	if (server->state == SERVER_READ && server->requests)
		return -WSUP_EHTTP;
	server->end = -ETIMEDOUT;
	return hs_fail(hs, -ETIMEDOUT, "the peer took too long");
}

static int step_once(struct wsup_hs *hs)
{
	int err;

	if (hs_left(hs) <= 0)
		return expired(hs);
	switch (hs->server.state) {
	case SERVER_READ:
		return read_request(hs);
	case SERVER_ASKED:
		err = proceed(hs);
		return err ? err : STEP_MORE;
	case SERVER_SEND:
		return send_answer(hs);
	case SERVER_LINGER:
		return linger(hs);
	}
	return -EINVAL;
}

static int server_step(struct wsup_hs *hs)
{
	int ret = hs_step(hs, step_once);

	if (hs->more)
		hs->events = hs->server.state == SERVER_SEND ? POLLOUT : POLLIN;
	/* the sentence of an earlier answer says nothing about this */
	if (ret < 0 && ret != -WSUP_EHTTP && ret != hs->server.end)
		return hs_fail(hs, ret, "%s", wsup_strerror(ret));
	return ret;
}

static void server_release(struct wsup_hs *hs)
{
	close_file(&hs->server);
	buf_free(&hs->server.headers);
	free(hs->server.user);
}

int wsup_accept_new(struct wsup_hs **hs, int fd,
		    const struct wsup_config *config)
{
	struct wsup_hs *new = hs_new(config);

	*hs = new;
	if (!new)
		return -ENOMEM;
	new->fd = fd;
	new->poll_fd = fd;
	new->step = server_step;
	new->release = server_release;
	new->server.file = -1;
	if (!head_init(&new->head, HTTP_REQUEST, new->config))
		return 0;
	wsup_free(new);
	*hs = NULL;
	return -ENOMEM;
}

int wsup_accept(int fd, const struct wsup_config *config, struct wsup_hs **hs)
{
	struct wsup_hs *own;
	int ret;

	ret = wsup_accept_new(&own, fd, config);
	if (hs)
		*hs = own;
	if (ret)
		return ret;
	do {
		ret = wsup_run(own);
	} while (ret == WSUP_REQUEST || ret == -EINTR);
	if (!hs)
		wsup_free(own);
	return ret == WSUP_DONE ? 0 : ret;
}

static bool asked(const struct wsup_hs *hs)
{
	return hs->result == WSUP_REQUEST &&
	       hs->server.state == SERVER_ASKED;
}

const char *wsup_user(const struct wsup_hs *hs)
{
	return hs->step == server_step ? hs->server.user : NULL;
}

int wsup_upgradable(const struct wsup_hs *hs)
{
	return asked(hs) && hs->server.verdict == 101;
}

int wsup_select(struct wsup_hs *hs, const char *name)
{
	if (!asked(hs))
		return -EINVAL;
	if (!name)
		return hs_set_subprotocol(hs, NULL, 0);
	if (!list_has(&hs->head, "Sec-WebSocket-Protocol", name, true))
		return -EINVAL;
	return hs_set_subprotocol(hs, name, strlen(name));
}

int wsup_add_header(struct wsup_hs *hs, const char *header)
{
	if (!asked(hs) || !header_valid(header))
		return -EINVAL;
	return buf_printf(&hs->server.headers, "%s\r\n", header);
}

int wsup_respond(struct wsup_hs *hs, int status, const void *body, size_t len)
{
	if (!asked(hs) || status < 200 || status > 599)
		return -EINVAL;
	hs_fail(hs, 0, "answered %d", status);
	return answer(hs, status, body, len);
}

int wsup_respond_file(struct wsup_hs *hs, int status, int file, size_t len)
{
	if (!asked(hs) || status < 200 || status > 599) {
		close(file);
		return -EINVAL;
	}
	hs_fail(hs, 0, "answered %d", status);
	hs->server.file = file;
	if (wants_body(hs, status))
		hs->server.file_left = len;
	return answer_head(hs, status, len);
}
