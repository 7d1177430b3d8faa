// SPDX-License-Identifier: BSD-2-Clause
/* Sec-WebSocket-Key and Sec-WebSocket-Accept. */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include "internal.h"

/**
 * key_make() - a fresh Sec-WebSocket-Key
 * @key: receives 16 random bytes in base64, NUL-terminated
 *
 * Return: 0 or -errno.
 */
int key_make(char key[KEY_LEN + 1])
{
	unsigned char nonce[16];

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -errno;
	EVP_EncodeBlock((unsigned char *)key, nonce, sizeof(nonce));
	return 0;
}

/**
 * key_valid() - is this the base64 of 16 bytes?
 * @key: value of Sec-WebSocket-Key
 *
 * RFC 6455 section 4.2.1: "a base64-encoded value that, when decoded, is 16
 * bytes in length". Of the last of the 22 characters four bits are not used;
 * browsers of old left them set, and RFC 4648 section 3.5 lets us.
 *
 * Return: true or false.
 */
bool key_valid(const char *key)
{
	size_t n = 0;

	while (is_alnum(key[n]) || key[n] == '+' || key[n] == '/')
		n++;
	return n == KEY_LEN - 2 && !strcmp(key + n, "==");
}

/**
 * key_accept() - the answer to a Sec-WebSocket-Key
 * @key: valid
 * @accept: receives the Sec-WebSocket-Accept, NUL-terminated
 *
 * RFC 6455 section 4.2.2, 5.4: key and GUID, SHA-1, base64.
 *
 * Return: 0 or -EIO: the crypto library refuses SHA-1.
 */
int key_accept(const char *key, char accept[ACCEPT_LEN + 1])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[KEY_LEN + sizeof(guid)];
	unsigned int len;

	memcpy(text, key, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid));
	if (!EVP_Digest(text, sizeof(text) - 1, digest, &len, EVP_sha1(),
			NULL))
		return -EIO;
	EVP_EncodeBlock((unsigned char *)accept, digest, (int)len);
	return 0;
}
