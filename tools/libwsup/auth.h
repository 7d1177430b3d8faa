/* SPDX-License-Identifier: BSD-2-Clause */
/* Basic (RFC 7617) and Digest (RFC 7616) authentication, both sides. */
#ifndef _WSUP_AUTH_H
#define _WSUP_AUTH_H

#include "internal.h"

/* "name:password", and the length of the name, which may have colons in it. */
struct user {
	const char	*text;
	size_t		name;
};

int auth_answer(const struct head *head, const char *name, struct user user,
		const char *method, const char *uri, struct buf *out);
bool auth_stale(const struct head *head, const char *name);
int auth_check(const struct wsup_config *config, const struct head *head,
	       char **user, bool *stale);
int auth_challenge(const struct wsup_config *config, bool stale,
		   struct buf *out);

bool nonces_use(struct nonces *nonces, unsigned long long when,
		unsigned long long random, unsigned long count);

/* What the two files behind this share. */

#define PARAM_MAX	1024

enum param {
	P_USERNAME,
	P_USERNAME_EXT,
	P_REALM,
	P_NONCE,
	P_OPAQUE,
	P_URI,
	P_QOP,
	P_NC,
	P_CNONCE,
	P_RESPONSE,
	P_ALGORITHM,
	P_STALE,
	PARAMS,
};

/* Parameters of a challenge or of credentials; "" where there is none. */
struct params {
	char	scheme[16];
	char	v[PARAMS][PARAM_MAX];
	bool	over;		/* something did not fit, or came twice */
	unsigned int seen;	/* a bit for each enum param */
};

bool params_next(struct list *list, struct params *params);

#define HEX_MAX		(2 * 64 + 1)

/* Algorithms of Digest, the best one first. */
struct algorithm {
	const char	*name;
	const char	*digest;	/* OpenSSL's name */
	bool		session;
};

extern const struct algorithm algorithms[];

const struct algorithm *algorithm_find(const char *name);
int digest_hex(const struct algorithm *algorithm, char hex[HEX_MAX],
	       const char *fmt, ...) __printf(3, 4);
int digest_response(const struct algorithm *algorithm, struct user user,
		    const struct params *params, const char *method,
		    char hex[HEX_MAX]);

#endif /* _WSUP_AUTH_H */
