/* SPDX-License-Identifier: GPL-2.0 */
/* Text of others: characters, and what may be shown of them. */
#ifndef _WSUP_TEXT_H
#define _WSUP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What utf8_length() says of a character whose end is still missing. */
#define UTF8_UNFINISHED	((size_t)-1)

bool hex_byte(const char *text, char *byte);
size_t utf8_length(const char *text, size_t len);
size_t utf8_valid(const char *text, size_t len);
size_t printable(char *to, size_t size, const char *text, size_t len,
		 const char *keep);

#endif /* _WSUP_TEXT_H */
