// SPDX-License-Identifier: BSD-2-Clause
/* Bytes that grow, and lists of texts. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int buf_reserve(struct buf *buf, size_t len)
{
	size_t size = buf->size ? buf->size : 256;
	char *data;

	if (buf->error)
		return buf->error;
	while (size - buf->len < len)
		size *= 2;
	if (size == buf->size)
		return 0;
	data = realloc(buf->data, size);
	if (!data)
		return buf->error = -ENOMEM;
	buf->data = data;
	buf->size = size;
	return 0;
}

/**
 * buf_add() - append bytes
 * @buf: to append to
 * @data: bytes
 * @len: how many
 *
 * Return: 0 or -ENOMEM, now or earlier.
 */
int buf_add(struct buf *buf, const void *data, size_t len)
{
	int err = buf_reserve(buf, len);

	if (err || !len)
		return err;
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	return 0;
}

/**
 * buf_vprintf() - append text; its NUL is written, but not part of @buf
 * @buf: to append to
 * @fmt: as for vprintf()
 * @args: as for vprintf()
 *
 * Return: 0 or -ENOMEM, now or earlier.
 */
int buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int n, err;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return buf->error = -ENOMEM;
	err = buf_reserve(buf, (size_t)n + 1);
	if (err)
		return err;
	vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, args);
	buf->len += (size_t)n;
	return 0;
}

/**
 * buf_printf() - append text; its NUL is written, but not part of @buf
 * @buf: to append to
 * @fmt: as for printf()
 *
 * Return: 0 or -ENOMEM, now or earlier.
 */
int buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = buf_vprintf(buf, fmt, args);
	va_end(args);
	return err;
}

/**
 * buf_reset() - empty, for new use of the same memory
 * @buf: to empty
 */
void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->error = 0;
}

/**
 * buf_free() - free the memory
 * @buf: empty afterwards
 */
void buf_free(struct buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

/**
 * texts_add() - append a copy of a text
 * @texts: to append to
 * @value: NUL-terminated
 *
 * Return: 0 or -ENOMEM.
 */
int texts_add(struct texts *texts, const char *value)
{
	char **at = realloc(texts->at, (texts->n + 1) * sizeof(*at));

	if (!at)
		return -ENOMEM;
	texts->at = at;
	at[texts->n] = strdup(value);
	if (!at[texts->n])
		return -ENOMEM;
	texts->n++;
	return 0;
}

/**
 * texts_free() - free the texts
 * @texts: empty afterwards
 */
void texts_free(struct texts *texts)
{
	while (texts->n)
		free(texts->at[--texts->n]);
	free(texts->at);
	texts->at = NULL;
}
