// SPDX-License-Identifier: BSD-2-Clause
/*
 * Characters of protocols. The C library's functions ask the locale, which is
 * the application's: in a Turkish one "WEBSOCKET-VERSION" and its small letters
 * may differ.
 */
#include <string.h>

#include "internal.h"

/**
 * is_digit() - is this a decimal digit?
 * @c: character
 *
 * Return: true or false.
 */
bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/**
 * is_alnum() - is this a letter or a digit?
 * @c: character
 *
 * Return: true or false.
 */
bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/**
 * is_control() - is this a control character?
 * @c: character
 *
 * Return: true or false.
 */
bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/**
 * is_token() - is this a token of RFC 9110 section 5.6.2?
 * @s: characters
 * @len: how many
 *
 * Return: true or false.
 */
bool is_token(const char *s, size_t len)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	size_t i;

	for (i = 0; i < len; i++)
		if (!is_alnum(s[i]) && (!s[i] || !strchr(others, s[i])))
			return false;
	return len > 0;
}

/**
 * hex_digit() - value of a hexadecimal digit
 * @c: character
 *
 * Return: 0 to 15, or -1.
 */
int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/**
 * hex_pair() - value of two hexadecimal digits
 * @s: the first one
 *
 * Return: 0 to 255, or -1.
 */
int hex_pair(const char *s)
{
	if (hex_digit(s[0]) < 0 || hex_digit(s[1]) < 0)
		return -1;
	return hex_digit(s[0]) << 4 | hex_digit(s[1]);
}

/**
 * ascii_lower() - a small letter for a capital one
 * @c: character
 *
 * Return: the small letter, or @c.
 */
char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/**
 * ascii_same_n() - are these texts the same but for upper and lower case?
 * @a: text
 * @b: text
 * @n: compare so many characters at most
 *
 * Return: true or false.
 */
bool ascii_same_n(const char *a, const char *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
		if (!a[i])
			break;
	}
	return true;
}

/**
 * ascii_same() - are these texts the same but for upper and lower case?
 * @a: text
 * @b: text
 *
 * Return: true or false.
 */
bool ascii_same(const char *a, const char *b)
{
	return ascii_same_n(a, b, (size_t)-1);
}

/* Bits of a character behind the first byte of its UTF-8, or -1 */
static int rest_of(unsigned char c)
{
	if (c >= 0xc2 && c < 0xe0)
		return 1;
	if (c >= 0xe0 && c < 0xf0)
		return 2;
	return c >= 0xf0 && c < 0xf5 ? 3 : -1;
}

/* Length of the character of several bytes at @s; 0: it is not UTF-8 */
static size_t character(const char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	int i, n = rest_of((unsigned char)*s);

	if (n < 0)
		return 0;
	*code = (unsigned char)*s & (0x3f >> n);
	for (i = 1; i <= n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || *code >> 11 == 0x1b)
		return 0;
	return (size_t)n + 1;
}

/* C1, separators of lines, and what changes the direction of writing */
static bool acts(uint32_t code)
{
	return code < 0xa0 || code == 0x61c || code == 0x200e ||
	       code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/**
 * make_harmless() - leave nothing in a text that acts on a terminal
 * @text: any bytes; such a character becomes a question mark
 *
 * Controls of an 8-bit terminal, which are no UTF-8, are among them. Other
 * bytes that are no UTF-8 stay: they may be a reason phrase in an older coding.
 */
void make_harmless(char *text)
{
	const char *from = text;
	uint32_t code;
	size_t n;

	while (*from) {
		n = character(from, &code);
		if (n && !acts(code)) {
			memmove(text, from, n);
			text += n;
		} else {
			*text = is_control(*from) || n ||
				((unsigned char)*from & 0xe0) == 0x80 ? '?'
								      : *from;
			text++;
		}
		from += n ? n : 1;
	}
	*text = '\0';
}
