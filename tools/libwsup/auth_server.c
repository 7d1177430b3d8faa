// SPDX-License-Identifier: BSD-2-Clause
/*
 * A server's challenges, and what it makes of the answers.
 *
 * Nonces are not remembered before they are used: each has the time of its
 * making in it, under a code that only this configuration's secret can make. An
 * answer is good once (nonces.c), and for NONCE_MS.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "auth.h"

#define NONCE_MS	60000
#define CREDENTIALS_MAX	1024

#define BASIC								\
	"WWW-Authenticate: Basic realm=\"%s\", charset=\"UTF-8\"\r\n"

static const char *realm_of(const struct wsup_config *config)
{
	const char *realm = config_text(config, WSUP_REALM);

	return realm ? realm : "websocket";
}

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (unsigned long long)ts.tv_sec * 1000 +
	       (unsigned long long)ts.tv_nsec / 1000000 + 1;
}

/* time, random, code: each in 16 hexadecimal digits, the code in 32 */
static int make_nonce(const struct wsup_config *config, unsigned long long when,
		      unsigned long long random, char *nonce, size_t size)
{
	unsigned char code[EVP_MAX_MD_SIZE];
	unsigned long long half[2];
	int n;

	n = snprintf(nonce, size, "%016llx%016llx", when, random);
	if (!HMAC(EVP_sha256(), config->secret, SECRET_LEN,
		  (unsigned char *)nonce, (size_t)n, code, NULL))
		return -EIO;
	memcpy(half, code, sizeof(half));
	snprintf(nonce + n, size - (size_t)n, "%016llx%016llx",
		 half[0], half[1]);
	return 0;
}

static bool equal(const char *a, const char *b)
{
	size_t len = strlen(a);

	return len == strlen(b) && !CRYPTO_memcmp(a, b, len);
}

/* 1: it is ours, and neither too old nor used before; 0, -EIO */
static int use_nonce(const struct wsup_config *config, const char *nonce,
		     const char *count)
{
	unsigned long long when, random;
	char ours[80];
	int err;

	if (sscanf(nonce, "%16llx%16llx", &when, &random) != 2)
		return 0;
	err = make_nonce(config, when, random, ours, sizeof(ours));
	if (err)
		return err;
	if (!equal(ours, nonce) || now() - when > NONCE_MS)
		return 0;
	return nonces_use(config->nonces, when, random,
			  strtoul(count, NULL, 16));
}

/*
 * A user of this name, or one that there is not, so that the time of a refusal
 * does not tell. Of a name with a colon, which Digest can carry, a part would
 * be taken for a password: no user of ours has such a name.
 */
static struct user find_user(const struct wsup_config *config, const char *name,
			     bool *known)
{
	const struct texts *users = &config->text[WSUP_USER];
	size_t i, len = strcspn(name, ":");
	struct user user = { "stranger:password", 8 };

	*known = false;
	for (i = 0; i < users->n; i++) {
		if (strcspn(users->at[i], ":") != len || name[len] || *known ||
		    CRYPTO_memcmp(users->at[i], name, len))
			continue;
		user = (struct user){ users->at[i], len };
		*known = true;
	}
	return user;
}

static bool hex_digits(const char *s, size_t n)
{
	if (strlen(s) != n)
		return false;
	while (*s && hex_digit(*s) >= 0)
		s++;
	return !*s;
}

/* RFC 7616 section 3.4: username*=UTF-8''J%C3%A4s%C3%B8n for "username" */
static bool decode_username(struct params *params)
{
	static const char prefix[] = "UTF-8''";
	const char *s = params->v[P_USERNAME_EXT] + sizeof(prefix) - 1;
	char *to = params->v[P_USERNAME];

	if (!*params->v[P_USERNAME_EXT])
		return true;
	if (*to || !ascii_same_n(params->v[P_USERNAME_EXT], prefix,
				 sizeof(prefix) - 1))
		return false;
	for (; *s; s++, to++) {
		*to = *s;
		if (*s != '%')
			continue;
		if (hex_pair(s + 1) < 0)
			return false;
		*to = (char)hex_pair(s + 1);
		s += 2;
	}
	*to = '\0';
	return true;
}

/* RFC 7616 section 3.4: a proxy may have brought it into another form. */
static bool is_target(const struct head *head, const char *uri)
{
	return !strcmp(uri, head_string(head, head->target)) ||
	       !strcmp(uri, head_string(head, head->raw_target));
}

/*
 * RFC 7616 section 3.3: who knew the password, and only took a nonce that is
 * good no more, may try again without asking anybody.
 */
static int check_digest(const struct wsup_config *config,
			const struct head *head, struct params *params,
			bool *stale)
{
	const struct algorithm *a = algorithm_find(params->v[P_ALGORITHM]);
	char response[HEX_MAX];
	struct user user;
	bool known;
	int err;

	if (params->over || !decode_username(params) || !a || a->session ||
	    strcmp(params->v[P_REALM], realm_of(config)) ||
	    !is_target(head, params->v[P_URI]) ||
	    strcmp(params->v[P_QOP], "auth") ||
	    !hex_digits(params->v[P_NC], 8) || !*params->v[P_CNONCE])
		return -WSUP_EAUTH;
	user = find_user(config, params->v[P_USERNAME], &known);
	err = digest_response(a, user, params,
			      head_string(head, head->method), response);
	if (err)
		return err;
	if (!equal(response, params->v[P_RESPONSE]) || !known)
		return -WSUP_EAUTH;
	err = use_nonce(config, params->v[P_NONCE], params->v[P_NC]);
	if (err < 0)
		return err;
	*stale = !err;
	return *stale ? -WSUP_EAUTH : 0;
}

/* The base64 behind "Basic ", decoded; false: it is none, or too long. */
static bool decode_basic(const char *text, char *plain)
{
	unsigned char out[CREDENTIALS_MAX];
	size_t len;
	int n;

	text += strcspn(text, " ");
	text += strspn(text, " ");
	len = strlen(text);
	if (!len || len % 4 || len / 4 * 3 > sizeof(out))
		return false;
	n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	if (n < 0)
		return false;
	/* EVP_DecodeBlock() counts the padding as zeros */
	n -= (text[len - 1] == '=') + (text[len - 2] == '=');
	memcpy(plain, out, (size_t)n);
	plain[n] = '\0';
	return strlen(plain) == (size_t)n;
}

/* 1, 0 or -errno; in a time that does not tell where two texts differ. */
static int same_secret(const char *a, const char *b)
{
	const struct algorithm *sha256 = algorithm_find("SHA-256");
	char x[HEX_MAX], y[HEX_MAX];
	int err;

	err = digest_hex(sha256, x, "%s", a);
	if (!err)
		err = digest_hex(sha256, y, "%s", b);
	return err ? err : equal(x, y);
}

static int check_basic(const struct wsup_config *config,
		       const struct head *head, struct params *params)
{
	char plain[CREDENTIALS_MAX + 1];
	struct user user;
	char *colon;
	bool known;
	int same;

	if (!decode_basic(head_find(head, "Authorization"), plain))
		return -WSUP_EAUTH;
	colon = strchr(plain, ':');
	if (!colon || colon - plain >= PARAM_MAX)
		return -WSUP_EAUTH;
	memcpy(params->v[P_USERNAME], plain, (size_t)(colon - plain));
	params->v[P_USERNAME][colon - plain] = '\0';
	user = find_user(config, params->v[P_USERNAME], &known);
	same = same_secret(user.text, plain);
	if (same < 0)
		return same;
	return same && known ? 0 : -WSUP_EAUTH;
}

static int check(const struct wsup_config *config, const struct head *head,
		 struct params *params, bool *stale)
{
	long allowed = config->number[WSUP_AUTH];

	if (ascii_same(params->scheme, "Digest") && allowed & WSUP_AUTH_DIGEST)
		return check_digest(config, head, params, stale);
	if (ascii_same(params->scheme, "Basic") && allowed & WSUP_AUTH_BASIC)
		return check_basic(config, head, params);
	return -WSUP_EAUTH;
}

/**
 * auth_check() - is this request from one of the users?
 * @config: has the users; everybody may if there was never to be any
 * @head: the request
 * @user: receives the name, to be freed
 * @stale: receives whether only the nonce was too old
 *
 * Return: 0, -WSUP_EAUTH or -errno.
 */
int auth_check(const struct wsup_config *config, const struct head *head,
	       char **user, bool *stale)
{
	struct list list = LIST(head, "Authorization");
	struct params params;
	int err;

	free(*user);
	*user = NULL;
	*stale = false;
	if (!config->tried[WSUP_USER] && !config->number[WSUP_USERS_ONLY])
		return 0;
	if (head_count(head, "Authorization") != 1 ||
	    !params_next(&list, &params))
		return -WSUP_EAUTH;
	err = check(config, head, &params, stale);
	if (err)
		return err;
	*user = strdup(params.v[P_USERNAME]);
	return *user ? 0 : -ENOMEM;
}

static int challenge_digest(const struct wsup_config *config, bool stale,
			    const char *algorithm, struct buf *out)
{
	unsigned long long random;
	char nonce[80];

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	if (make_nonce(config, now(), random, nonce, sizeof(nonce)))
		return -EIO;
	buf_printf(out, "WWW-Authenticate: Digest realm=\"%s\", nonce=\"%s\"",
		   realm_of(config), nonce);
	return buf_printf(out, ", algorithm=%s, qop=\"auth\", "
			  "charset=UTF-8%s\r\n", algorithm,
			  stale ? ", stale=true" : "");
}

/**
 * auth_challenge() - the headers of a 401
 * @config: has the realm and which schemes are allowed
 * @stale: only the nonce was too old
 * @out: to append to
 *
 * RFC 7616 section 3.7: the better algorithm first, for clients take the first
 * one that they know.
 *
 * Return: 0 or -errno.
 */
int auth_challenge(const struct wsup_config *config, bool stale,
		   struct buf *out)
{
	int err = 0;

	if (config->number[WSUP_AUTH] & WSUP_AUTH_DIGEST) {
		err = challenge_digest(config, stale, "SHA-256", out);
		if (!err)
			err = challenge_digest(config, stale, "MD5", out);
	}
	if (!err && config->number[WSUP_AUTH] & WSUP_AUTH_BASIC)
		err = buf_printf(out, BASIC, realm_of(config));
	return err;
}
