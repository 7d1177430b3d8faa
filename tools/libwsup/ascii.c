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
