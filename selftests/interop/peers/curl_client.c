// SPDX-License-Identifier: GPL-2.0
/* curl_client PORT CLOSING_PORT LARGE: README's script on libcurl. */
#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS	600000
#define CONTROL		(CURLWS_PONG | CURLWS_CLOSE)
#define BETWEEN		"between"

/* What came: a whole message (its fragments joined), a pong, or Close. */
struct event {
	unsigned int	type;
	char		*data;
	size_t		len;
};

static CURL *curl;
static struct event message, control;

static void fail(const char *what, CURLcode code)
{
	fprintf(stderr, "curl_client: %s: %s\n", what,
		curl_easy_strerror(code));
	exit(1);
}

static void check(bool good, const char *what)
{
	if (!good)
		fail(what, CURLE_RECV_ERROR);
}

static void done(const char *name)
{
	puts(name);
	fflush(stdout);
}

static void dial(const char *port)
{
	char url[40];
	CURLcode code;

	snprintf(url, sizeof(url), "ws://127.0.0.1:%s/", port);
	curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 2L);
	code = curl_easy_perform(curl);
	if (code)
		fail("connect", code);
}

static void wait_for(short events)
{
	struct pollfd p = { .events = events };
	curl_socket_t fd;

	curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
	p.fd = fd;
	if (poll(&p, 1, TIMEOUT_MS) != 1)
		fail("poll", CURLE_OPERATION_TIMEDOUT);
}

static void append(struct event *to, const char *data, size_t len,
		   unsigned int type)
{
	to->data = realloc(to->data, to->len + len + 1);
	memcpy(to->data + to->len, data, len);
	to->len += len;
	to->type = type;
}

/* Return: what is complete with the part that came, or NULL. */
static struct event *receive_part(CURLcode *code)
{
	static char buf[1 << 16];
	const struct curl_ws_frame *meta;
	struct event *to;
	size_t n;

	*code = curl_ws_recv(curl, buf, sizeof(buf), &n, &meta);
	if (*code == CURLE_AGAIN)
		return NULL;
	if (*code)
		fail("receive", *code);
	to = meta->flags & CONTROL ? &control : &message;
	append(to, buf, n, (unsigned int)meta->flags);
	return meta->bytesleft || meta->flags & CURLWS_CONT ? NULL : to;
}

static struct event *receive(void)
{
	struct event *event;
	CURLcode code;

	while (!(event = receive_part(&code)))
		if (code == CURLE_AGAIN)
			wait_for(POLLIN);
	return event;
}

/* The server echoes a long message as it comes, and waits for us to take it. */
static void send_frame(const char *data, size_t len, unsigned int flags)
{
	CURLcode code, ignored;
	size_t sent = 0, n;

	do {
		n = 0;
		code = curl_ws_send(curl, data + sent, len - sent, &n, 0,
				    flags);
		if (code == CURLE_AGAIN) {
			wait_for(POLLIN | POLLOUT);
			check(!receive_part(&ignored), "an early answer");
		} else if (code) {
			fail("send", code);
		}
		sent += n;
	} while (sent < len || code == CURLE_AGAIN);
}

static void expect(const char *data, size_t len, unsigned int type)
{
	struct event *event = receive();

	check(event->type & type, "wrong type");
	check(event->len == len && !memcmp(event->data, data, len),
	      "a message came back changed");
	event->len = 0;
}

static void echo(const char *data, size_t len, unsigned int type)
{
	send_frame(data, len, type);
	expect(data, len, type);
}

static void echo_pattern(size_t len)
{
	char *data = malloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = (char)(i * 31 >> 3);
	echo(data, len, CURLWS_BINARY);
	free(data);
}

static void ping(const char *data, size_t len)
{
	send_frame(data, len, CURLWS_PING);
	expect(data, len, CURLWS_PONG);
}

static void fragmented(void)
{
	send_frame("in ", 3, CURLWS_TEXT | CURLWS_CONT);
	send_frame("three ", 6, CURLWS_TEXT | CURLWS_CONT);
	ping(BETWEEN, strlen(BETWEEN));
	send_frame("fragments", 9, CURLWS_TEXT);
	expect("in three fragments", 18, CURLWS_TEXT);
}

static void pings(void)
{
	char longest[125];

	memset(longest, 'p', sizeof(longest));
	ping("", 0);
	ping("ping", 4);
	ping(longest, sizeof(longest));
	echo("after the pings", 15, CURLWS_TEXT);
}

/* An answer to Close repeats the code, and maybe not the reason. */
static void expect_close(const char *body, size_t len)
{
	struct event *event = receive();

	check(event->type & CURLWS_CLOSE, "no Close");
	check(event->len >= len && !memcmp(event->data, body, len),
	      "wrong code or reason");
	event->len = 0;
}

int main(int argc, char **argv)
{
	static const char text[] = "grüße, мир, 世界, 🌍";

	if (argc != 4)
		return 2;
	dial(argv[1]);
	echo(text, strlen(text), CURLWS_TEXT);
	done("text");
	echo_pattern(70000);
	done("binary");
	echo("", 0, CURLWS_TEXT);
	echo("", 0, CURLWS_BINARY);
	done("empty");
	echo_pattern((size_t)atol(argv[3]));
	done("large");
	fragmented();
	done("fragmented");
	pings();
	done("pings");
	send_frame("\017\241bye", 5, CURLWS_CLOSE);		/* 4001 */
	expect_close("\017\241", 2);
	done("close");
	curl_easy_cleanup(curl);

	dial(argv[2]);
	send_frame("close 4003 no more", 18, CURLWS_TEXT);
	expect_close("\017\243no more", 9);
	send_frame("\017\243", 2, CURLWS_CLOSE);
	done("closed");
	curl_easy_cleanup(curl);
	return 0;
}
