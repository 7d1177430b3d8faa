// SPDX-License-Identifier: BSD-2-Clause
/* One handshake: what both roles have in common. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/**
 * hs_now() - what time it is
 *
 * Return: milliseconds of CLOCK_MONOTONIC.
 */
int64_t hs_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/**
 * hs_new() - a handshake of neither role yet
 * @config: may be NULL
 *
 * Return: the handshake, or NULL without memory.
 */
struct wsup_hs *hs_new(const struct wsup_config *config)
{
	struct wsup_hs *hs = calloc(1, sizeof(*hs));

	if (!hs)
		return NULL;
	hs->config = config ? config : &wsup_default_config;
	hs->fd = -1;
	hs->poll_fd = -1;
	hs_set_timeout(hs, hs->config->number[WSUP_TIMEOUT]);
	return hs;
}

void wsup_free(struct wsup_hs *hs)
{
	if (!hs)
		return;
	hs->release(hs);
	head_free(&hs->head);
	buf_free(&hs->out);
	free(hs->subprotocol);
	free(hs);
}

/**
 * hs_fail() - write down why a handshake fails
 * @hs: handshake
 * @error: negative
 * @fmt: as for printf(): the sentence
 *
 * Return: @error.
 */
int hs_fail(struct wsup_hs *hs, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(hs->error, sizeof(hs->error), fmt, args);
	va_end(args);
	/* parts come from the peer, and the sentence goes to terminals */
	make_harmless(hs->error);
	return error;
}

/**
 * hs_wait() - note what the handshake waits for
 * @hs: handshake
 * @events: POLLIN or POLLOUT
 *
 * Return: WSUP_AGAIN.
 */
int hs_wait(struct wsup_hs *hs, short events)
{
	hs->events = events;
	return WSUP_AGAIN;
}

/**
 * hs_wait_for() - note what the handshake waits for, and for how long
 * @hs: handshake
 * @events: POLLIN or POLLOUT
 * @ms: when to step again even if nothing happens
 *
 * Return: WSUP_AGAIN.
 */
int hs_wait_for(struct wsup_hs *hs, short events, int64_t ms)
{
	hs->wake = hs_now() + ms;
	return hs_wait(hs, events);
}

/**
 * hs_step() - go on part by part, but not for longer than it takes to be fair
 * @hs: handshake
 * @part: returns STEP_MORE when another part can follow at once
 *
 * A caller may have thousands of connections to look after, and the peer of
 * this one decides how much there is to do.
 *
 * Return: what @part returned last, or WSUP_AGAIN with no time to wait.
 */
int hs_step(struct wsup_hs *hs, int (*part)(struct wsup_hs *hs))
{
	int ret, parts = 0;

	hs->more = false;
	hs->wake = INT64_MAX;
	do {
		ret = part(hs);
	} while (ret == STEP_MORE && ++parts < STEP_PARTS);
	if (ret != STEP_MORE)
		return ret;
	hs->more = true;
	return WSUP_AGAIN;
}

/**
 * hs_set_timeout() - set the time limit anew
 * @hs: handshake
 * @ms: from now
 */
void hs_set_timeout(struct wsup_hs *hs, int64_t ms)
{
	hs->deadline = hs_now() + ms;
}

/**
 * hs_left() - time that is left
 * @hs: handshake
 *
 * Return: milliseconds, 0 or negative when the time is over.
 */
int64_t hs_left(const struct wsup_hs *hs)
{
	return hs->deadline - hs_now();
}

/**
 * hs_set_subprotocol() - note the subprotocol
 * @hs: handshake
 * @name: its first character, or NULL
 * @len: its length
 *
 * Return: 0 or -ENOMEM.
 */
int hs_set_subprotocol(struct wsup_hs *hs, const char *name, size_t len)
{
	free(hs->subprotocol);
	hs->subprotocol = name ? strndup(name, len) : NULL;
	return name && !hs->subprotocol ? -ENOMEM : 0;
}

int wsup_step(struct wsup_hs *hs)
{
	if (hs->result != WSUP_AGAIN && hs->result != WSUP_REQUEST)
		return hs->result;
	hs->begun = true;
	hs->result = hs->step(hs);
	if (hs->result < 0 && !*hs->error)
		hs_fail(hs, hs->result, "%s", wsup_strerror(hs->result));
	return hs->result;
}

int wsup_fd(const struct wsup_hs *hs)
{
	return hs->poll_fd;
}

short wsup_events(const struct wsup_hs *hs)
{
	return hs->events;
}

int wsup_timeout(const struct wsup_hs *hs)
{
	int64_t left = hs_left(hs), wake = hs->wake - hs_now();

	/* only the first step finds out what there is to wait for */
	if (left < 0 || !hs->begun || hs->more)
		return 0;
	if (wake < left)
		left = wake < 0 ? 0 : wake;
	return left < INT_MAX ? (int)left : INT_MAX;
}

int wsup_run(struct wsup_hs *hs)
{
	struct pollfd pfd;
	int ret;

	while ((ret = wsup_step(hs)) == WSUP_AGAIN) {
		pfd.fd = wsup_fd(hs);
		pfd.events = wsup_events(hs);
		if (poll(&pfd, 1, wsup_timeout(hs)) < 0)
			return -errno;
	}
	return ret;
}

const char *wsup_method(const struct wsup_hs *hs)
{
	if (!hs->head.complete || hs->head.parser.type != HTTP_REQUEST)
		return NULL;
	return head_string(&hs->head, hs->head.method);
}

const char *wsup_target(const struct wsup_hs *hs)
{
	if (!hs->head.complete || hs->head.parser.type != HTTP_REQUEST)
		return NULL;
	return head_string(&hs->head, hs->head.target);
}

int wsup_status(const struct wsup_hs *hs)
{
	return hs->status;
}

const char *wsup_reason(const struct wsup_hs *hs)
{
	if (!hs->head.complete || hs->head.parser.type != HTTP_RESPONSE)
		return NULL;
	return head_string(&hs->head, hs->head.target);
}

const char *wsup_header(const struct wsup_hs *hs, const char *name)
{
	return hs->head.complete ? head_find(&hs->head, name) : NULL;
}

int wsup_field(const struct wsup_hs *hs, size_t i, const char **name,
	       const char **value)
{
	if (!hs->head.complete || i >= hs->head.n)
		return 0;
	*name = head_string(&hs->head, hs->head.fields[i].name);
	*value = head_string(&hs->head, hs->head.fields[i].value);
	return 1;
}

const void *wsup_body(const struct wsup_hs *hs, size_t *len)
{
	*len = hs->head.body.len;
	return *len ? hs->head.body.data : NULL;
}

const char *wsup_subprotocol(const struct wsup_hs *hs)
{
	return hs->subprotocol;
}

const char *wsup_error(const struct wsup_hs *hs)
{
	return hs->error;
}
