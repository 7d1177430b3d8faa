// SPDX-License-Identifier: BSD-2-Clause
/* A client's answers to 401 and 407. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "auth.h"

/* Of several challenges the best counts; 0 is one that we cannot answer. */
static int rank(const struct params *params)
{
	const struct algorithm *a = algorithm_find(params->v[P_ALGORITHM]);

	if (params->over)
		return 0;
	if (ascii_same(params->scheme, "Basic"))
		return 1;
	if (!ascii_same(params->scheme, "Digest") || !a || !*params->v[P_NONCE])
		return 0;
	return 2 + (int)(algorithm_find("MD5-sess") - a);
}

/* Of the protections offered "auth" is what we do; none is RFC 2069. */
static bool pick_qop(struct params *params)
{
	static const char blanks[] = ", \t";
	char *save, *item;

	if (!*params->v[P_QOP])
		return true;
	for (item = strtok_r(params->v[P_QOP], blanks, &save); item;
	     item = strtok_r(NULL, blanks, &save)) {
		if (ascii_same(item, "auth")) {
			memmove(params->v[P_QOP], item, strlen(item) + 1);
			return true;
		}
	}
	return false;
}

static int best_challenge(const struct head *head, const char *name,
			  struct params *best)
{
	struct list list = LIST(head, name);
	struct params params;
	int value = 0;

	while (params_next(&list, &params)) {
		if (rank(&params) <= value || !pick_qop(&params))
			continue;
		value = rank(&params);
		*best = params;
	}
	return value;
}

static int answer_basic(const char *user, struct buf *out)
{
	size_t len = strlen(user);
	unsigned char *text = malloc(4 * (len + 3) / 3 + 1);

	if (!text)
		return -ENOMEM;
	EVP_EncodeBlock(text, (const unsigned char *)user, (int)len);
	buf_printf(out, "Basic %s", (char *)text);
	free(text);
	return out->error;
}

static void add_quoted(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, value, 1);
	}
	buf_printf(out, "\"");
}

static int make_cnonce(struct params *params)
{
	unsigned long long random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	snprintf(params->v[P_CNONCE], PARAM_MAX, "%016llx%016llx",
		 random[0], random[1]);
	strcpy(params->v[P_NC], "00000001");
	return 0;
}

static int answer_digest(struct params *params, struct user user,
			 const char *method, const char *uri, struct buf *out)
{
	const struct algorithm *a = algorithm_find(params->v[P_ALGORITHM]);
	char response[HEX_MAX];
	int err;

	if (strlen(uri) >= PARAM_MAX)
		return -WSUP_ELIMIT;
	strcpy(params->v[P_URI], uri);
	snprintf(params->v[P_USERNAME], PARAM_MAX, "%.*s",
		 (int)user.name, user.text);
	err = make_cnonce(params);
	if (!err)
		err = digest_response(a, user, params, method, response);
	if (err)
		return err;
	add_quoted(out, "Digest username", params->v[P_USERNAME]);
	add_quoted(out, ", realm", params->v[P_REALM]);
	add_quoted(out, ", nonce", params->v[P_NONCE]);
	add_quoted(out, ", uri", uri);
	if (*params->v[P_ALGORITHM])
		buf_printf(out, ", algorithm=%s", a->name);
	if (params->seen & 1u << P_OPAQUE)
		add_quoted(out, ", opaque", params->v[P_OPAQUE]);
	if (*params->v[P_QOP])
		buf_printf(out, ", qop=auth, nc=%s", params->v[P_NC]);
	if (*params->v[P_QOP] || a->session)
		buf_printf(out, ", cnonce=\"%s\"", params->v[P_CNONCE]);
	buf_printf(out, ", response=\"%s\"", response);
	return out->error;
}

/**
 * auth_answer() - credentials for a challenge
 * @head: a 401 or 407
 * @name: "WWW-Authenticate" or "Proxy-Authenticate"
 * @user: whose
 * @method: of the request to come
 * @uri: its target
 * @out: receives the header's value
 *
 * Return: 0, -WSUP_EAUTH: no challenge that we can answer, or -errno.
 */
int auth_answer(const struct head *head, const char *name, struct user user,
		const char *method, const char *uri, struct buf *out)
{
	struct params best;

	switch (best_challenge(head, name, &best)) {
	case 0:
		return -WSUP_EAUTH;
	case 1:
		return answer_basic(user.text, out);
	}
	return answer_digest(&best, user, method, uri, out);
}

/**
 * auth_stale() - is it only the nonce that was too old?
 * @head: a 401 or 407, answered to credentials
 * @name: "WWW-Authenticate" or "Proxy-Authenticate"
 *
 * Return: true if the same credentials deserve another try.
 */
bool auth_stale(const struct head *head, const char *name)
{
	struct params best;

	return best_challenge(head, name, &best) > 1 &&
	       ascii_same(best.v[P_STALE], "true");
}
