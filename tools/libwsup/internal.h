/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of libwsup share. Nothing of it leaves the library. */
#ifndef _WSUP_INTERNAL_H
#define _WSUP_INTERNAL_H

#include <llhttp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wsup.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(f, a)	__attribute__((__format__(__printf__, f, a)))

/* RFC 6455 section 4.1: 16 bytes in base64; section 4.2.2: 20 bytes */
#define KEY_LEN		24
#define ACCEPT_LEN	28

/* Bytes that grow. An error sticks, so that it is looked at only once. */
struct buf {
	char	*data;
	size_t	len;
	size_t	size;
	int	error;
};

int buf_add(struct buf *buf, const void *data, size_t len);
int buf_printf(struct buf *buf, const char *fmt, ...) __printf(2, 3);
int buf_vprintf(struct buf *buf, const char *fmt, va_list args);
void buf_reset(struct buf *buf);
void buf_free(struct buf *buf);

/* Texts of one kind in a configuration, in the order of their addition. */
struct texts {
	char	**at;
	size_t	n;
};

int texts_add(struct texts *texts, const char *value);
void texts_free(struct texts *texts);

#define NUMBERS		(WSUP_USERS_ONLY + 1)
#define TEXTS		(WSUP_HOST + 1)
#define SECRET_LEN	32

/* Digest nonces that were used */
struct nonces;

struct nonces *nonces_new(void);
void nonces_free(struct nonces *nonces);

struct wsup_config {
	long		number[NUMBERS];
	struct texts	text[TEXTS];
	bool		tried[TEXTS];	/* to add one, with success or not */
	char		error[160];
	unsigned char	secret[SECRET_LEN];	/* of Digest nonces */
	struct nonces	*nonces;		/* with WSUP_USER */
};

extern const struct wsup_config wsup_default_config;

const char *config_text(const struct wsup_config *config, enum wsup_text what);
bool header_valid(const char *header);
bool header_is(const char *line, const char *name);

/* A head of HTTP, request or response; strings are offsets into @text. */
struct field {
	uint32_t name;
	uint32_t value;
};

struct head {
	llhttp_t	parser;
	struct buf	text;
	struct field	*fields;
	size_t		n;
	size_t		size;		/* fields allocated */
	size_t		bytes;		/* read for this head */
	size_t		bytes_max;
	size_t		n_max;
	uint32_t	start;		/* of the string that is being read */
	uint32_t	method;
	uint32_t	target;		/* or reason phrase */
	uint32_t	raw_target;	/* as it came */
	bool		complete;
	bool		tunnel;		/* it answers a CONNECT */
	bool		over;		/* a limit was exceeded */
	bool		line_end;	/* the first line is complete */
	unsigned int	blanks;		/* in the first line */
	struct buf	body;
	size_t		body_max;
};

int head_init(struct head *head, llhttp_type_t type,
	      const struct wsup_config *config);
void head_restart(struct head *head);
void head_free(struct head *head);
int head_feed(struct head *head, const char *data, size_t len, size_t *used);
int head_feed_body(struct head *head, const char *data, size_t len,
		   size_t *used);
const char *head_string(const struct head *head, uint32_t offset);
const char *head_next(const struct head *head, const char *name, size_t *from);
const char *head_find(const struct head *head, const char *name);
size_t head_count(const struct head *head, const char *name);
int head_set_target(struct head *head, const char *target);
int head_set(struct head *head, const char *name, const char *value);
int target_normalise(struct head *head);

/* Elements of a comma-separated header, over all of its lines. */
struct list {
	const struct head	*head;
	const char		*name;
	const char		*p;
	size_t			from;		/* field to look at next */
};

#define LIST(head_, name_)	{ .head = (head_), .name = (name_) }

bool list_next(struct list *list, const char **item, size_t *len);
bool list_has(const struct head *head, const char *name, const char *token,
	      bool exact);

bool is_digit(char c);
bool is_alnum(char c);
bool is_control(char c);
bool is_token(const char *s, size_t len);
int hex_digit(char c);
int hex_pair(const char *s);
char ascii_lower(char c);
bool ascii_same_n(const char *a, const char *b, size_t n);
bool ascii_same(const char *a, const char *b);
void make_harmless(char *text);

bool subprotocols_valid(const struct head *head);
bool extensions_valid(const struct head *head);

int key_make(char key[KEY_LEN + 1]);
bool key_valid(const char *key);
int key_accept(const char *key, char accept[ACCEPT_LEN + 1]);

/* ws://user:password@host:port/path; strings are owned. */
struct url {
	char	*scheme;
	char	*user;		/* "user:password", decoded; or NULL */
	size_t	name;		/* length of the name in it */
	char	*host;		/* without brackets */
	char	*port;
	char	*path;		/* with the query */
	bool	default_port;
	const char *why;	/* it is none; of static duration */
};

int url_parse(struct url *url, const char *text);
void url_free(struct url *url);
const char *url_public(const char *text, int *scheme);
int url_same(const char *origin, const char *host);
int origin_same(const char *a, const char *b);
bool origin_valid(const char *origin);
int url_host(const struct url *url, struct buf *buf);
int url_authority(const struct url *url, struct buf *buf);
size_t uri_span(const char *s);
int origin_check(const char *origin, const char **why);
size_t host_span(const char *s, bool literal);

/* Which pages a server lets in, and by which of its names. */
int host_parse(struct url *url, const char *host);
bool host_valid(const char *host);
int host_allowed(const struct wsup_config *config, const struct head *head);
int origin_allowed(const struct wsup_config *config, const struct head *head);

/* Names are looked up in a thread of their own: getaddrinfo() blocks. */
struct lookup;
struct addrinfo;

int lookup_start(struct lookup **lookup, const char *host, const char *port);
int lookup_fd(const struct lookup *lookup);
int lookup_result(struct lookup *lookup, struct addrinfo **list);
void lookup_put(struct lookup *lookup);

enum server_state {
	SERVER_READ,
	SERVER_ASKED,
	SERVER_SEND,
	SERVER_LINGER,
};

struct server {
	enum server_state state;
	int		end;		/* result after lingering */
	unsigned int	requests;
	bool		keep;		/* connection stays open after this */
	bool		upgrade;	/* 101 is being sent */
	bool		plain;		/* good, but asks for no upgrade */
	int		verdict;	/* status that the request deserves */
	char		accept[ACCEPT_LEN + 1];
	struct buf	headers;	/* from wsup_add_header() */
	int		file;
	size_t		file_left;
	char		*user;
	bool		stale;		/* only the nonce was too old */
};

enum client_state {
	CLIENT_LOOKUP,
	CLIENT_RESOLVE,
	CLIENT_CONNECT,
	CLIENT_SOCKS,
	CLIENT_TUNNEL,
	CLIENT_REQUEST,
	CLIENT_SEND,
	CLIENT_READ,
	CLIENT_BODY,
};

enum socks_state {
	SOCKS_GREET,
	SOCKS_METHOD,
	SOCKS_PASSWORD,
	SOCKS_REPLY,
};

struct socks {
	enum socks_state state;
	size_t		need;
	size_t		len;
	unsigned char	data[4 + 1 + 255 + 2];
};

/* Attempts to connect that are on their way at a time, at most */
#define DIALS_MAX	8

struct dial {
	struct addrinfo	*list;		/* that the lookup found */
	struct addrinfo	**order;	/* in which they are tried */
	size_t		n;
	size_t		next;
	int		fd[DIALS_MAX];	/* of attempts, the oldest first */
	size_t		trying;
	int		epoll;		/* to wait for all of them, or -1 */
	int64_t		due;		/* when the next one joins them */
	int		error;		/* of the last that failed */
};

struct client {
	enum client_state state;
	struct url	url;
	struct url	proxy;		/* no host: there is none */
	bool		tunnel;		/* the request is for the proxy */
	struct socks	socks;
	struct buf	auth;		/* credentials to send */
	struct buf	proxy_auth;
	int		tries;		/* of credentials */
	int		proxy_tries;
	long		redirects;
	bool		foreign;	/* redirected to another host */
	struct lookup	*lookup;
	struct dial	dial;
	bool		given;		/* the connection is the caller's */
	bool		reusable;	/* for another request */
	bool		reused;		/* for the one that is on its way */
	size_t		skipped;	/* bytes of 1xx responses */
	size_t		discarded;	/* bytes of a body */
	char		key[KEY_LEN + 1];
};

struct wsup_hs {
	const struct wsup_config *config;
	int		(*step)(struct wsup_hs *hs);
	void		(*release)(struct wsup_hs *hs);
	bool		begun;
	bool		more;		/* could have been done at once */
	int		result;
	int		fd;
	int		poll_fd;
	short		events;
	int64_t		deadline;	/* ms of CLOCK_MONOTONIC */
	int64_t		wake;		/* before that, to try something */
	int		status;
	struct head	head;
	struct buf	out;
	size_t		sent;		/* of @out */
	int64_t		sent_in_all;
	int64_t		taken;		/* of these, by the peer */
	char		*subprotocol;
	char		error[256];
	union {
		struct server	server;
		struct client	client;
	};
};

struct wsup_hs *hs_new(const struct wsup_config *config);
int hs_fail(struct wsup_hs *hs, int error, const char *fmt, ...) __printf(3, 4);
int hs_wait(struct wsup_hs *hs, short events);
int hs_wait_for(struct wsup_hs *hs, short events, int64_t ms);
int hs_step(struct wsup_hs *hs, int (*part)(struct wsup_hs *hs));
void hs_set_timeout(struct wsup_hs *hs, int64_t ms);
int64_t hs_left(const struct wsup_hs *hs);
int64_t hs_now(void);
int hs_set_subprotocol(struct wsup_hs *hs, const char *name, size_t len);

/* What parts of wsup_step() return, beside what it returns itself. */
#define IO_COMPLETE	1	/* all is read, or written */
#define STEP_MORE	100	/* call the next part */

/* Parts of one wsup_step(): of each, at most a few KB are read or written. */
#define STEP_PARTS	32

typedef int (*io_taker)(struct wsup_hs *hs, const char *data, size_t len,
			size_t *used);

int io_read(struct wsup_hs *hs, io_taker take);
int io_write(struct wsup_hs *hs);
bool io_progress(struct wsup_hs *hs);
int io_take_head(struct wsup_hs *hs, const char *data, size_t len,
		 size_t *used);

int attach_role(int fd, int role);

const char *status_phrase(int status);

#endif /* _WSUP_INTERNAL_H */
