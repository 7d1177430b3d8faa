// SPDX-License-Identifier: BSD-2-Clause
/* The arithmetic of Digest, RFC 7616 section 3.4. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <string.h>

#include "auth.h"

const struct algorithm algorithms[] = {
	{ "SHA-512-256", "SHA512-256", false },
	{ "SHA-512-256-sess", "SHA512-256", true },
	{ "SHA-256", "SHA256", false },
	{ "SHA-256-sess", "SHA256", true },
	{ "MD5", "MD5", false },
	{ "MD5-sess", "MD5", true },
	{}
};

/**
 * algorithm_find() - algorithm of a challenge
 * @name: its name, "" for the default
 *
 * Return: the algorithm, or NULL.
 */
const struct algorithm *algorithm_find(const char *name)
{
	const struct algorithm *a;

	if (!*name)
		name = "MD5";
	for (a = algorithms; a->name; a++)
		if (ascii_same(a->name, name))
			return a;
	return NULL;
}

/**
 * digest_hex() - hash of a text
 * @algorithm: to hash with
 * @hex: receives the hash in hexadecimal digits, NUL-terminated
 * @fmt: as for printf(): the text
 *
 * Return: 0, -ENOMEM, or -EIO: the crypto library refuses the algorithm.
 */
int digest_hex(const struct algorithm *algorithm, char hex[HEX_MAX],
	       const char *fmt, ...)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[EVP_MAX_MD_SIZE];
	struct buf text = {};
	size_t i, len = 0;
	va_list args;
	int ok;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	ok = !text.error && EVP_Q_digest(NULL, algorithm->digest, NULL,
					 text.data, text.len, hash, &len);
	for (i = 0; ok && i < len; i++) {
		*hex++ = digits[hash[i] >> 4];
		*hex++ = digits[hash[i] & 15];
	}
	*hex = '\0';
	buf_free(&text);
	return ok ? 0 : -EIO;
}

/**
 * digest_response() - the proof of knowing the password
 * @algorithm: to hash with
 * @user: whose
 * @params: realm, nonce, uri and, if qop is not empty, nc and cnonce
 * @method: of the request
 * @hex: receives the response
 *
 * Return: 0, -ENOMEM or -EIO.
 */
int digest_response(const struct algorithm *algorithm, struct user user,
		    const struct params *params, const char *method,
		    char hex[HEX_MAX])
{
	char a1[HEX_MAX], a2[HEX_MAX];
	int err;

	err = digest_hex(algorithm, a1, "%.*s:%s:%s", (int)user.name, user.text,
			 params->v[P_REALM], user.text + user.name + 1);
	if (!err && algorithm->session) {
		char secret[HEX_MAX];

		strcpy(secret, a1);
		err = digest_hex(algorithm, a1, "%s:%s:%s", secret,
				 params->v[P_NONCE], params->v[P_CNONCE]);
	}
	if (!err)
		err = digest_hex(algorithm, a2, "%s:%s", method,
				 params->v[P_URI]);
	if (err)
		return err;
	if (!*params->v[P_QOP])
		return digest_hex(algorithm, hex, "%s:%s:%s", a1,
				  params->v[P_NONCE], a2);
	return digest_hex(algorithm, hex, "%s:%s:%s:%s:%s:%s", a1,
			  params->v[P_NONCE], params->v[P_NC],
			  params->v[P_CNONCE], params->v[P_QOP], a2);
}
