// SPDX-License-Identifier: GPL-2.0
/*
 * README's script and server on libwebsockets.
 *
 *	lws client PORT CLOSING_PORT LARGE
 *	lws server
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_S	60	/* the library's limits, which are shorter */

struct frame {
	struct frame	*next;
	int		type;
	size_t		len;
	unsigned char	room[LWS_PRE];
	unsigned char	data[];
};

/* Made and zeroed by the library for each connection. */
struct conn {
	struct frame	*queue;
	struct frame	**tail;
	char		*message;
	size_t		len;
	int		pings;		/* server: sent since it was told to */
};

enum answer { NONE, ECHO, PONG, WHOLE };

/* The script: frames to send, what has to come back, the case it ends. */
struct step {
	int		type;
	const char	*data;
	size_t		len;
	enum answer	answer;
	const char	*ends;
};

#define STEP(type, text, answer, ends) \
	{ type, text, sizeof(text) - 1, answer, ends }

static struct step steps[] = {
	STEP(LWS_WRITE_TEXT, "grüße, мир, 世界, 🌍", ECHO, "text"),
	{ LWS_WRITE_BINARY, NULL, 70000, ECHO, "binary" },
	STEP(LWS_WRITE_TEXT, "", ECHO, NULL),
	STEP(LWS_WRITE_BINARY, "", ECHO, "empty"),
	{ LWS_WRITE_BINARY, NULL, 0, ECHO, "large" },
	STEP(LWS_WRITE_TEXT | LWS_WRITE_NO_FIN, "in ", NONE, NULL),
	STEP(LWS_WRITE_CONTINUATION | LWS_WRITE_NO_FIN, "three ", NONE, NULL),
	STEP(LWS_WRITE_PING, "between", PONG, NULL),
	STEP(LWS_WRITE_CONTINUATION, "fragments", WHOLE, "fragmented"),
	STEP(LWS_WRITE_PING, "", PONG, NULL),
	STEP(LWS_WRITE_PING, "ping", PONG, NULL),
	{ LWS_WRITE_PING, NULL, 125, PONG, NULL },
	STEP(LWS_WRITE_TEXT, "after the pings", ECHO, "pings"),
};

#define LARGE	4		/* index of the step */
#define STEPS	((int)(sizeof(steps) / sizeof(steps[0])))

static struct lws_context *context;
static int closing_port;	/* client: of the second connection */
static int step = -1;
static bool told, done;

static __attribute__((noreturn)) void fail(const char *why)
{
	fprintf(stderr, "lws: %s\n", why);
	exit(1);
}

static char *pattern(size_t len)
{
	char *data = malloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = (char)(i * 31 >> 3);
	return data;
}

static void push(struct lws *wsi, struct conn *conn, int type,
		 const void *data, size_t len)
{
	struct frame *frame = malloc(sizeof(*frame) + len);

	frame->next = NULL;
	frame->type = type;
	frame->len = len;
	memcpy(frame->data, data, len);
	if (!conn->queue)
		conn->tail = &conn->queue;
	*conn->tail = frame;
	conn->tail = &frame->next;
	lws_callback_on_writable(wsi);
}

static void push_text(struct lws *wsi, struct conn *conn, int type,
		      const char *text)
{
	push(wsi, conn, type, text, strlen(text));
}

/* One frame; the library keeps what TCP does not take. */
static int write_one(struct lws *wsi, struct conn *conn)
{
	struct frame *frame = conn->queue;
	int n;

	if (!frame)
		return 0;
	conn->queue = frame->next;
	n = lws_write(wsi, frame->data, frame->len,
		      (enum lws_write_protocol)frame->type);
	if (n < (int)frame->len)
		fail("write");
	free(frame);
	if (conn->queue)
		lws_callback_on_writable(wsi);
	return 0;
}

/* Return: is the message complete? */
static bool gather(struct lws *wsi, struct conn *conn, const void *in,
		   size_t len)
{
	conn->message = realloc(conn->message, conn->len + len + 1);
	memcpy(conn->message + conn->len, in, len);
	conn->len += len;
	conn->message[conn->len] = 0;
	return lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi);
}

/* The client's side */

static void dial(int port)
{
	const struct lws_client_connect_info info = {
		.context = context,
		.address = "127.0.0.1",
		.host = "127.0.0.1",
		.port = port,
		.path = "/",
		.local_protocol_name = "interop",
	};

	if (!lws_client_connect_via_info(&info))
		fail("connect");
}

/* Send up to the next thing that has to come back. Return: -1 to close. */
static int go_on(struct lws *wsi, struct conn *conn)
{
	const struct step *s;

	do {
		if (++step == STEPS) {
			lws_close_reason(wsi, 4001, (void *)"bye", 3);
			return -1;
		}
		s = &steps[step];
		push(wsi, conn, s->type, s->data, s->len);
	} while (s->answer == NONE);
	return 0;
}

static int step_done(struct lws *wsi, struct conn *conn)
{
	if (steps[step].ends)
		puts(steps[step].ends);
	return go_on(wsi, conn);
}

static int message_type(struct lws *wsi)
{
	return lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
}

static int client_message(struct lws *wsi, struct conn *conn)
{
	const struct step *s = &steps[step];
	const char *wanted = s->data;
	size_t len = s->len;

	if (s->answer == WHOLE) {
		wanted = "in three fragments";
		len = strlen(wanted);
	} else if (s->answer != ECHO) {
		fail("a message out of turn");
	}
	if (s->answer == ECHO && message_type(wsi) != s->type)
		fail("wrong type");
	if (conn->len != len || memcmp(conn->message, wanted, len))
		fail("a message came back changed");
	conn->len = 0;
	return step_done(wsi, conn);
}

static int client_pong(struct lws *wsi, struct conn *conn, const void *in,
		       size_t len)
{
	const struct step *s = &steps[step];

	if (s->answer != PONG || len != s->len || memcmp(in, s->data, len))
		fail("wrong pong");
	return step_done(wsi, conn);
}

static void client_closed(void)
{
	if (step == STEPS) {		/* our Close was answered */
		puts("close");
		step++;
		dial(closing_port);
	} else if (told) {
		puts("closed");
		done = true;
	} else {
		fail("the connection ended");
	}
}

/* Close of the server's, in the second connection. */
static void client_told(const unsigned char *in, size_t len)
{
	if (step <= STEPS)
		return;
	if (len != 9 || (in[0] << 8 | in[1]) != 4003 ||
	    memcmp(in + 2, "no more", 7))
		fail("wrong code or reason");
	told = true;
}

static int client(struct lws *wsi, enum lws_callback_reasons reason,
		  void *user, void *in, size_t len)
{
	struct conn *conn = user;

	switch (reason) {
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		fail(in ? in : "cannot connect");
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		if (step < 0)
			return go_on(wsi, conn);
		push_text(wsi, conn, LWS_WRITE_TEXT, "close 4003 no more");
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return write_one(wsi, conn);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return gather(wsi, conn, in, len) ? client_message(wsi, conn)
						  : 0;
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		return client_pong(wsi, conn, in, len);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		client_told(in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		free(conn->message);
		client_closed();
		return 0;
	default:
		return 0;
	}
}

/* The server's side */

/*
 * The next ping when the one before was answered. Nothing tells of an empty
 * pong, so that ping goes last: only the module's counters show its answer.
 */
static void server_ping(struct lws *wsi, struct conn *conn)
{
	static const size_t len[] = { 4, 125, 0 };
	static const char data[125];

	push(wsi, conn, LWS_WRITE_PING, data, len[conn->pings++]);
	if (conn->pings == 3) {
		conn->pings = 0;
		push_text(wsi, conn, LWS_WRITE_TEXT, "3 pongs");
	}
}

static int server_command(struct lws *wsi, struct conn *conn)
{
	char *text = conn->message, *why;
	int code;

	if (!strncmp(text, "close ", 6)) {
		code = (int)strtol(text + 6, &why, 10);
		why++;
		lws_close_reason(wsi, (enum lws_close_status)code,
				 (unsigned char *)why, strlen(why));
		return -1;
	}
	if (!strcmp(text, "fragments")) {
		push_text(wsi, conn, LWS_WRITE_TEXT | LWS_WRITE_NO_FIN, "one ");
		push_text(wsi, conn, LWS_WRITE_CONTINUATION | LWS_WRITE_NO_FIN,
			  "two ");
		push_text(wsi, conn, LWS_WRITE_PING, "between");
		push_text(wsi, conn, LWS_WRITE_CONTINUATION, "three");
	} else if (!strcmp(text, "pings")) {
		server_ping(wsi, conn);
	} else {
		push_text(wsi, conn, LWS_WRITE_TEXT, text);
	}
	return 0;
}

static int server_message(struct lws *wsi, struct conn *conn)
{
	int ret = 0;

	if (lws_frame_is_binary(wsi))
		push(wsi, conn, LWS_WRITE_BINARY, conn->message, conn->len);
	else
		ret = server_command(wsi, conn);
	conn->len = 0;
	return ret;
}

static int server(struct lws *wsi, enum lws_callback_reasons reason,
		  void *user, void *in, size_t len)
{
	struct conn *conn = user;
	unsigned char *body = in;

	switch (reason) {
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return write_one(wsi, conn);
	case LWS_CALLBACK_RECEIVE:
		return gather(wsi, conn, in, len) ? server_message(wsi, conn)
						  : 0;
	case LWS_CALLBACK_RECEIVE_PONG:
		if (conn->pings)
			server_ping(wsi, conn);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		printf("closed %d %.*s\n", body[0] << 8 | body[1],
		       (int)len - 2, body + 2);
		return 0;
	case LWS_CALLBACK_CLOSED:
		free(conn->message);
		return 0;
	default:
		return 0;
	}
}

static void make_context(lws_callback_function *callback, int port)
{
	static struct lws_protocols protocols[] = {
		{ "interop", NULL, sizeof(struct conn), 65536, 0, NULL, 0 },
		LWS_PROTOCOL_LIST_TERM
	};
	const struct lws_context_creation_info info = {
		.port = port,
		.iface = "lo",
		.protocols = protocols,
		.pt_serv_buf_size = 65536,
		.timeout_secs = LINGER_S,
		.options = LWS_SERVER_OPTION_DISABLE_IPV6,
	};

	protocols[0].callback = callback;
	lws_set_log_level(LLL_ERR, NULL);
	context = lws_create_context(&info);
	if (!context)
		fail("no context");
}

int main(int argc, char **argv)
{
	struct lws_vhost *vhost;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5 && !strcmp(argv[1], "client")) {
		closing_port = atoi(argv[3]);
		steps[LARGE].len = (size_t)atol(argv[4]);
		for (int i = 0; i < STEPS; i++)
			if (!steps[i].data)
				steps[i].data = pattern(steps[i].len);
		make_context(client, CONTEXT_PORT_NO_LISTEN);
		dial(atoi(argv[2]));
	} else if (argc == 2 && !strcmp(argv[1], "server")) {
		make_context(server, 0);
		vhost = lws_get_vhost_by_name(context, "default");
		printf("listening on %d\n", lws_get_vhost_listen_port(vhost));
	} else {
		return 2;
	}
	while (!done && lws_service(context, 0) >= 0)
		;
	return !done;
}
