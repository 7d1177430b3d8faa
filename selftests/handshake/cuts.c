// SPDX-License-Identifier: GPL-2.0
/*
 * However the stream of a peer is cut, by TCP or by a peer that waits, the
 * handshake comes to the same end and leaves the same bytes behind the blank
 * line: each prefix alone, each pair of places where the stream is short, each
 * byte alone. Only what <wsup.h> has is used.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>

#include <wsup.h>

#include "tap.h"

#define BEHIND	"\x81\x85maskhello\r\n\r\n"
#define LIMIT	30000

/* What the library says first (0: up to a blank line), and the answer to it. */
struct turn {
	size_t		need;
	const char	*text;
	size_t		len;		/* 0: strlen() */
};

struct stream {
	const struct turn *turns;
	const char	*proxy;		/* format of its URL */
	int		result;
	int		status;
	bool		ends;		/* the peer's end is the body's */
	const char	*body;
};

/* One run, cut at these places of the whole stream. */
struct play {
	struct wsup_hs	*hs;
	int		peer;
	int		ret;
	size_t		at;
	size_t		cut[2];
	bool		bytewise;
};

static const struct play bytewise = { .bytewise = true };

static struct play cut_at(size_t a, size_t b)
{
	return (struct play){ .cut = { a, b } };
}

static void wait_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	CHECK(poll(&pfd, 1, LIMIT) == 1, "nothing came");
}

static void step(struct play *p)
{
	struct pollfd pfd = { .fd = wsup_fd(p->hs) };

	if (p->ret != WSUP_AGAIN)
		return;
	pfd.events = wsup_events(p->hs);
	CHECK(poll(&pfd, 1, LIMIT) == 1, "it does not get what it waits for");
	p->ret = wsup_step(p->hs);
}

static void send_piece(struct play *p, const char *text, size_t len)
{
	CHECK_EQ(send(p->peer, text, len, MSG_NOSIGNAL), len);
	p->at += len;
	step(p);
}

static size_t piece(const struct play *p, size_t left)
{
	size_t i;

	if (p->bytewise)
		return 1;
	for (i = 0; i < ARRAY_SIZE(p->cut); i++)
		if (p->cut[i] > p->at && p->cut[i] < p->at + left)
			return p->cut[i] - p->at;
	return left;
}

static void send_text(struct play *p, const char *text, size_t len)
{
	size_t n;

	for (; len; text += n, len -= n) {
		n = piece(p, len);
		send_piece(p, text, n);
	}
}

/* The library's next words: NUL-terminated, as many as @need says. */
static void hear(struct play *p, size_t need, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (need ? len < need : len < 4 || memcmp(text + len - 4,
						     "\r\n\r\n", 4)) {
		/* it may still be on its way to its peer */
		while (recv(p->peer, text, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
			p->ret = wsup_step(p->hs);
			CHECK_EQ(p->ret, WSUP_AGAIN);
		}
		n = recv(p->peer, text + len, size - 1 - len, 0);
		CHECK(n > 0, "it left after %zu bytes", len);
		len += (size_t)n;
	}
	text[len] = '\0';
}

/* The text of a turn with the right answer to the request for its '$'. */
static size_t expand(const struct turn *turn, const char *request, char *to)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	const char *key = strstr(request, "Sec-WebSocket-Key: ");
	size_t i, n = 0, len = turn->len ? turn->len : strlen(turn->text);
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[24 + sizeof(guid)];

	if (key)
		snprintf(text, sizeof(text), "%.24s%s", key + 19, guid);
	for (i = 0; i < len; i++) {
		to[n] = turn->text[i];
		if (to[n++] != '$')
			continue;
		EVP_Q_digest(NULL, "SHA1", NULL, text, sizeof(text) - 1, digest,
			     NULL);
		n += (size_t)EVP_EncodeBlock((unsigned char *)to + n - 1,
					     digest, 20) - 1;
	}
	return n;
}

static struct wsup_config *configure(void)
{
	struct wsup_config *config = wsup_config_new();

	CHECK(config, "no memory");
	wsup_config_set(config, WSUP_ATTACH, 0);
	wsup_config_add(config, WSUP_USER, "me:secret");
	return config;
}

/* A client on a connection of its own, or on one to a proxy that we are. */
static void connect_directly(struct play *p, const struct wsup_config *config)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	CHECK_EQ(wsup_connect_new(&p->hs, "ws://host/", pair[0], config), 0);
	p->peer = pair[1];
}

static void connect_by_proxy(struct play *p, const char *format,
			     struct wsup_config *config)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(addr);
	char url[64];

	CHECK(!bind(listener, (struct sockaddr *)&addr, len) &&
	      !listen(listener, 1) &&
	      !getsockname(listener, (struct sockaddr *)&addr, &len), "listen");
	snprintf(url, sizeof(url), format, ntohs(addr.sin_port));
	CHECK_EQ(wsup_config_add(config, WSUP_PROXY, url), 0);
	CHECK_EQ(wsup_connect_new(&p->hs, "ws://host/", -1, config), 0);
	CHECK_EQ(wsup_step(p->hs), WSUP_AGAIN);
	wait_readable(listener);
	p->peer = accept(listener, NULL, NULL);
	close(listener);
}

/* What whoever comes after the handshake finds. */
static void check_rest(int fd)
{
	char rest[64];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, rest + len, sizeof(rest) - len, 0)) > 0)
		len += (size_t)n;
	CHECK_EQ(len, sizeof(BEHIND) - 1);
	CHECK(!memcmp(rest, BEHIND, len), "the rest is not what was sent");
}

static void check_end(struct play *p, const struct stream *s)
{
	const void *body;
	size_t len;
	int fd;

	shutdown(p->peer, SHUT_WR);
	if (s->ends)
		step(p);
	CHECK(p->ret == s->result, "%d (%s), not %d; cut at %zu and %zu",
	      p->ret, wsup_error(p->hs), s->result, p->cut[0], p->cut[1]);
	CHECK_EQ(wsup_status(p->hs), s->status);
	body = wsup_body(p->hs, &len);
	CHECK(s->result == WSUP_DONE ||
	      (len == strlen(s->body) && (!len || !memcmp(body, s->body, len))),
	      "body of %zu bytes", len);
	fd = wsup_take_fd(p->hs);
	CHECK_EQ(fd >= 0, s->result == WSUP_DONE);
	if (fd >= 0) {
		check_rest(fd);
		close(fd);
	}
}

/* Runs it once; returns how long the peer's stream was. */
static size_t run_client(const struct stream *s, struct play play)
{
	struct wsup_config *config = configure();
	char request[4096], text[4096];
	const struct turn *turn;

	if (s->proxy)
		connect_by_proxy(&play, s->proxy, config);
	else
		connect_directly(&play, config);
	for (turn = s->turns; turn->text; turn++) {
		hear(&play, turn->need, request, sizeof(request));
		send_text(&play, text, expand(turn, request, text));
	}
	check_end(&play, s);
	wsup_free(play.hs);
	close(play.peer);
	wsup_config_free(config);
	return play.at;
}

static void cut_client(const struct stream *s, bool pairs)
{
	size_t a, b, len = run_client(s, bytewise);

	for (a = 0; a < len; a++)
		for (b = pairs ? a : len - 1; b < len; b++)
			CHECK_EQ(run_client(s, cut_at(a, b)), len);
	printf("# %zu bytes%s\n", len, pairs ? ", pairs of places" : "");
}

static void cut_upgrade(const struct turn *turns, const char *proxy,
			bool pairs)
{
	const struct stream stream = {
		.turns = turns,
		.proxy = proxy,
		.result = WSUP_DONE,
		.status = 101,
	};

	cut_client(&stream, pairs);
}

static void cut_answer(const struct turn *turns, int status, const char *body,
		       bool ends)
{
	const struct stream stream = {
		.turns = turns,
		.result = -WSUP_ESTATUS,
		.status = status,
		.body = body,
		.ends = ends,
	};

	cut_client(&stream, true);
}

static size_t run_server(const char *text, struct play play)
{
	struct wsup_config *config = wsup_config_new();
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	wsup_config_set(config, WSUP_ATTACH, 0);
	CHECK_EQ(wsup_accept_new(&play.hs, pair[0], config), 0);
	play.peer = pair[1];
	play.ret = wsup_step(play.hs);
	send_text(&play, text, strlen(text));
	CHECK(play.ret == WSUP_DONE, "%d (%s), cut at %zu and %zu", play.ret,
	      wsup_error(play.hs), play.cut[0], play.cut[1]);
	shutdown(play.peer, SHUT_WR);
	check_rest(pair[0]);
	wsup_free(play.hs);
	close(pair[0]);
	close(pair[1]);
	wsup_config_free(config);
	return play.at;
}

static void cut_server(const char *text, bool pairs)
{
	size_t a, b, len = run_server(text, bytewise);

	for (a = 0; a < len; a++)
		for (b = pairs ? a : len - 1; b < len; b++)
			CHECK_EQ(run_server(text, cut_at(a, b)), len);
	printf("# %zu bytes%s\n", len, pairs ? ", pairs of places" : "");
}

#define REQUEST								\
	"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"		\
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"		\
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define SWITCHED							\
	"HTTP/1.1 101 \r\nUpgrade: websocket\r\n"			\
	"Connection: Upgrade\r\nSec-WebSocket-Accept: $\r\n\r\n"

TEST(server_upgrade, "a request, frames right behind it: any two places")
{
	cut_server(REQUEST BEHIND, true);
}

TEST(server_pipeline, "requests of other kinds before it: any place")
{
	cut_server("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"
		   "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
		   "POST http://a/ HTTP/1.1\r\nHost: a\r\n\r\n" REQUEST BEHIND,
		   false);
}

TEST(client_upgrade, "a 101, frames right behind it: any two places")
{
	static const struct turn turns[] = { { 0, SWITCHED BEHIND }, {} };

	cut_upgrade(turns, NULL, true);
}

TEST(client_interim, "1xx before the 101: any place")
{
	static const struct turn turns[] = {
		{ 0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n"
		     "Link: x\r\n\r\nHTTP/1.1 199\r\n\r\n" SWITCHED BEHIND },
		{} };

	cut_upgrade(turns, NULL, false);
}

TEST(client_retry, "401 with a body, then 101: any place")
{
	static const struct turn turns[] = {
		{ 0, "HTTP/1.1 401 x\r\nWWW-Authenticate: Digest realm=\"r\","
		     " nonce=\"n\", qop=\"auth\"\r\nTransfer-Encoding: chunked"
		     "\r\n\r\n4\r\nwho?\r\n0\r\nT: x\r\n\r\n" },
		{ 0, SWITCHED BEHIND }, {} };

	cut_upgrade(turns, NULL, false);
}

TEST(client_bodies, "other answers, their bodies of each kind: any place")
{
	static const struct turn length[] = {
		{ 0, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"
		     "hello" }, {} };
	static const struct turn chunks[] = {
		{ 0, "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "2;a=b\r\nhe\r\n03\r\nllo\r\n0\r\n\r\n" }, {} };
	static const struct turn end[] = {
		{ 0, "HTTP/1.1 500 x\r\n\r\nhello" }, {} };
	static const struct turn none[] = {
		{ 0, "HTTP/1.1 204 x\r\nX: y\r\n\r\n" }, {} };

	cut_answer(length, 404, "hello", false);
	cut_answer(chunks, 503, "hello", false);
	cut_answer(end, 500, "hello", true);
	cut_answer(none, 204, "", false);
}

TEST(proxy_http, "407, then 200, then 101: any place")
{
	static const struct turn turns[] = {
		{ 0, "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\""
		     "\r\nContent-Length: 2\r\n\r\nno" },
		{ 0, "HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n" },
		{ 0, SWITCHED BEHIND }, {} };

	cut_upgrade(turns, "http://me:pw@127.0.0.1:%d", false);
}

TEST(proxy_socks, "a password, an answer with a name, then 101: any place")
{
	static const struct turn turns[] = {
		{ 4, "\x05\x02", 2 }, { 7, "\x01\0", 2 },
		{ 11, "\x05\0\0\x03\x04name\x12\x34", 11 },
		{ 0, SWITCHED BEHIND }, {} };

	cut_upgrade(turns, "socks5://me:pw@127.0.0.1:%d", false);
}

TAP_MAIN("cuts")
