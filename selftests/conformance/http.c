// SPDX-License-Identifier: GPL-2.0
/* As much of the opening handshake as a test on loopback needs. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

#define GUID		"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_SIZE	20
#define BLOCK		64

/**
 * read_head() - read up to the blank line, and what came with it
 * @fd: socket
 * @h: result
 *
 * Return: 0, or -1 at the end of the stream, for an error and for a head
 * longer than HEAD_MAX.
 */
int read_head(int fd, struct head *h)
{
	size_t have = 0;
	char *end;
	ssize_t n;

	do {
		n = read(fd, h->data + have, HEAD_MAX - have);
		if (n <= 0)
			return -1;
		have += n;
		end = memmem(h->data, have, "\r\n\r\n", 4);
	} while (!end);
	h->behind = end + 4;
	h->extra = h->data + have - h->behind;
	end[2] = '\0';
	return 0;
}

/**
 * head_field() - value of an HTTP field
 * @h: head from read_head()
 * @name: name of the field, any case
 * @value: result, without white space around it
 * @size: room at @value
 *
 * Return: whether the field is there and its value fits.
 */
bool head_field(const struct head *h, const char *name, char *value,
		size_t size)
{
	const char *line = h->data;
	size_t len = strlen(name);
	size_t n;

	while ((line = strstr(line, "\r\n")) && *(line += 2)) {
		if (strncasecmp(line, name, len) || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		n = strcspn(line, " \t\r");
		if (n >= size)
			return false;
		memcpy(value, line, n);
		value[n] = '\0';
		return true;
	}
	return false;
}

/**
 * write_all() - write, whatever write() takes at once
 * @fd: socket, blocking
 * @data: bytes
 * @n: number of bytes
 *
 * Return: 0 or -1, see errno.
 */
int write_all(int fd, const char *data, size_t n)
{
	ssize_t done;

	for (; n; data += done, n -= done) {
		done = send(fd, data, n, MSG_NOSIGNAL);
		if (done < 0)
			return -1;
	}
	return 0;
}

static uint32_t rol(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t round_function(int i, uint32_t b, uint32_t c, uint32_t d)
{
	if (i < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (i < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (i < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

/* FIPS 180-4, section 6.1.2. */
static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], v[5], t;
	int i;

	for (i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
	for (; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	memcpy(v, h, sizeof(v));
	for (i = 0; i < 80; i++) {
		t = rol(v[0], 5) + round_function(i, v[1], v[2], v[3]) + v[4] +
		    w[i];
		v[4] = v[3];
		v[3] = v[2];
		v[2] = rol(v[1], 30);
		v[1] = v[0];
		v[0] = t;
	}
	for (i = 0; i < 5; i++)
		h[i] += v[i];
}

/* Of a short text: at most three blocks with the padding. */
static void sha1(const char *s, size_t n, uint8_t out[SHA1_SIZE])
{
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
			  0xc3d2e1f0 };
	size_t total = (n + 8) / BLOCK * BLOCK + BLOCK;
	uint8_t buf[3 * BLOCK] = { 0 };
	size_t i;

	memcpy(buf, s, n);
	buf[n] = 0x80;
	buf[total - 2] = n * 8 >> 8;
	buf[total - 1] = n * 8;
	for (i = 0; i < total; i += BLOCK)
		sha1_block(h, buf + i);
	for (i = 0; i < SHA1_SIZE; i++)
		out[i] = h[i / 4] >> (24 - i % 4 * 8);
}

static char base64_digit(uint32_t value)
{
	if (value < 26)
		return 'A' + value;
	if (value < 52)
		return 'a' + value - 26;
	if (value < 62)
		return '0' + value - 52;
	return value == 62 ? '+' : '/';
}

/**
 * accept_of() - Sec-WebSocket-Accept for a key, RFC 6455 section 4.2.2
 * @key: Sec-WebSocket-Key, at most 100 characters
 * @out: result, ACCEPT_SIZE bytes
 */
void accept_of(const char *key, char *out)
{
	uint8_t sum[SHA1_SIZE + 1] = { 0 };
	char text[100 + sizeof(GUID)];
	uint32_t group;
	int i, k;

	snprintf(text, sizeof(text), "%.100s" GUID, key);
	sha1(text, strlen(text), sum);
	for (i = 0; i < 7; i++) {
		group = sum[3 * i] << 16 | sum[3 * i + 1] << 8 | sum[3 * i + 2];
		for (k = 18; k >= 0; k -= 6)
			*out++ = base64_digit(group >> k & 63);
	}
	out[-1] = '=';		/* 20 bytes are not a multiple of 3 */
	*out = '\0';
}
