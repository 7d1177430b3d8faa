// SPDX-License-Identifier: GPL-2.0
/*
 * A libcurl program: sends three messages and a ping, and compares what comes
 * back. Prints what it sent as JSON.
 */
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CURL *curl;

static void fail(const char *what, CURLcode code)
{
	fprintf(stderr, "curl_ws: %s: %s\n", what, curl_easy_strerror(code));
	exit(1);
}

static void wait_for(short events)
{
	struct pollfd p = { .events = events };
	curl_socket_t fd;

	curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
	p.fd = fd;
	if (poll(&p, 1, 30000) != 1)
		fail("poll", CURLE_OPERATION_TIMEDOUT);
}

static void send_all(const char *data, size_t len, unsigned int flags)
{
	size_t done = 0, n;
	CURLcode code;

	do {
		code = curl_ws_send(curl, data + done, len - done, &n, 0,
				    flags);
		if (code == CURLE_AGAIN)
			wait_for(POLLOUT);
		else if (code)
			fail("send", code);
		done += n;
	} while (done < len || code == CURLE_AGAIN);
}

/* One frame of the given type; a message may come in several. */
static void expect(const char *data, size_t len, unsigned int flags)
{
	static char buf[1 << 16];
	const struct curl_ws_frame *meta;
	size_t done = 0, n;
	CURLcode code;

	for (;;) {
		code = curl_ws_recv(curl, buf, sizeof(buf), &n, &meta);
		if (code == CURLE_AGAIN) {
			wait_for(POLLIN);
			continue;
		}
		if (code)
			fail("receive", code);
		if (!(meta->flags & flags) || done + n > len ||
		    memcmp(buf, data + done, n))
			fail("compare", CURLE_RECV_ERROR);
		done += n;
		if (done == len && !meta->bytesleft &&
		    !(meta->flags & CURLWS_CONT))
			return;
	}
}

int main(int argc, char **argv)
{
	static char big[100000];
	CURLcode code;
	size_t i;

	if (argc != 2)
		return 2;
	for (i = 0; i < sizeof(big); i++)
		big[i] = i * 31 >> 3;
	curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 2L);
	code = curl_easy_perform(curl);
	if (code)
		fail("connect", code);

	send_all("hello from curl", 15, CURLWS_TEXT);
	expect("hello from curl", 15, CURLWS_TEXT);
	send_all(big, sizeof(big), CURLWS_BINARY);
	expect(big, sizeof(big), CURLWS_BINARY);
	send_all("are you there", 13, CURLWS_PING);
	expect("are you there", 13, CURLWS_PONG);
	send_all("\x03\xe8", 2, CURLWS_CLOSE);
	curl_easy_cleanup(curl);
	printf("{\"messages\": 2, \"bytes\": %zu, \"pings\": 1, "
	       "\"said\": \"text 15 B, binary %zu B, 1 ping\"}\n",
	       15 + sizeof(big), sizeof(big));
	return 0;
}
