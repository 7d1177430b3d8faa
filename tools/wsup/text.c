// SPDX-License-Identifier: GPL-2.0
/* Text of others: characters, and what may be shown of them. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

/**
 * hex_byte() - the byte that two hexadecimal digits are
 * @text: NUL-terminated, what follows a '%'
 * @byte: receives it
 *
 * Return: false if there are no two digits.
 */
bool hex_byte(const char *text, char *byte)
{
	if (hex(text[0]) < 0 || hex(text[1]) < 0)
		return false;
	*byte = (char)(hex(text[0]) << 4 | hex(text[1]));
	return true;
}

/*
 * Length of the sequence that a byte begins, 0 if none does, and the range of
 * its second byte: RFC 3629 section 4.
 */
static size_t begins(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/**
 * utf8_length() - length of the first character
 * @text: bytes
 * @len: how many, at least 1
 *
 * Return: 1 to 4, 0 if the bytes are no UTF-8, UTF8_UNFINISHED if they may
 * become a character with those that follow.
 */
size_t utf8_length(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low, high;
	size_t i, n = begins(*p, &low, &high);

	for (i = 1; i < n; i++) {
		if (i == len)
			return UTF8_UNFINISHED;
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return n;
}

/**
 * utf8_valid() - how much of a text consists of whole characters
 * @text: bytes
 * @len: how many
 *
 * Return: number of bytes up to the first that is no UTF-8 or unfinished.
 */
size_t utf8_valid(const char *text, size_t len)
{
	size_t n, done = 0;

	while (done < len) {
		n = utf8_length(text + done, len - done);
		if (!n || n == UTF8_UNFINISHED)
			break;
		done += n;
	}
	return done;
}

/*
 * Characters that act on a terminal or on the order of what is shown: C0, DEL
 * and C1 controls, line and paragraph separators, directions.
 */
static bool acts(const char *text, size_t n)
{
	static const char * const ranges[][2] = {
		{ "\x01", "\x1f" }, { "\x7f", "\x7f" },
		{ "\xc2\x80", "\xc2\x9f" },
		{ "\xe2\x80\x8e", "\xe2\x80\x8f" },
		{ "\xe2\x80\xa8", "\xe2\x80\xae" },
		{ "\xe2\x81\xa6", "\xe2\x81\xa9" },
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (strlen(ranges[i][0]) == n &&
		    memcmp(text, ranges[i][0], n) >= 0 &&
		    memcmp(text, ranges[i][1], n) <= 0)
			return true;
	return !*text;
}

/**
 * printable() - what may be shown of a text
 * @to: receives it, NUL-terminated
 * @size: of @to; 4 times @len and 1 is always enough
 * @text: bytes that anybody may have written
 * @len: how many
 * @keep: control characters that stay as they are, "\n" for instance
 *
 * What acts on a terminal, and what is no UTF-8, becomes \xNN.
 *
 * Return: length of @to.
 */
size_t printable(char *to, size_t size, const char *text, size_t len,
		 const char *keep)
{
	size_t n, i, used = 0;
	bool plain;

	for (; len; text += n, len -= n) {
		n = utf8_length(text, len);
		plain = n && n != UTF8_UNFINISHED &&
			(!acts(text, n) || (*text && strchr(keep, *text)));
		if (!n || n == UTF8_UNFINISHED)
			n = 1;
		if (used + 4 * n >= size)
			break;
		if (plain) {
			memcpy(to + used, text, n);
			used += n;
		}
		for (i = 0; !plain && i < n; i++)
			used += (size_t)sprintf(to + used, "\\x%02x",
						(unsigned char)text[i]);
	}
	to[used] = '\0';
	return used;
}
