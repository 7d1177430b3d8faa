/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libwsup: the WebSocket handshake (RFC 6455 section 4), and the attachment of
 * a connection to the kernel's framing. Afterwards read() and write() do.
 *
 * The library keeps no state but what its callers hold, and the number of
 * threads in which it looks up names: at most 16 in a process, more lookups
 * wait. It prints nothing, ends no process and never leaves a descriptor in
 * another mode than it found it. Calls return 0 or a
 * positive value, or a negative number: -errno, or -WSUP_E*. wsup_strerror()
 * has a sentence for each, wsup_error() one with the details.
 *
 * Two ways to use it:
 *
 *	blocking	wsup_accept() or wsup_connect(), and that is all
 *	event loop	wsup_accept_new() or wsup_connect_new(), then
 *			wsup_step() whenever wsup_fd() is ready for
 *			wsup_events() or wsup_timeout() has passed, until it
 *			does not return WSUP_AGAIN
 *
 * A struct wsup_config may serve any number of handshakes in any number of
 * threads as long as nobody changes it; a struct wsup_hs belongs to one thread
 * at a time.
 */
#ifndef _WSUP_H
#define _WSUP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSUP_VERSION_MAJOR	0
#define WSUP_VERSION_MINOR	1

/* What a handshake fails with, beside errno; returned negative. */
enum wsup_errno {
	WSUP_ESYNTAX = 10001,	/* what came is not HTTP/1.1 */
	WSUP_ELIMIT,		/* larger than WSUP_HEAD_MAX, ... allow */
	WSUP_EEOF,		/* the peer closed before the end */
	WSUP_EHTTP,		/* server: answered as HTTP, no upgrade */
	WSUP_ESTATUS,		/* client: the answer is not 101 */
	WSUP_EUPGRADE,		/* client: 101 without the right headers */
	WSUP_EACCEPT,		/* client: wrong Sec-WebSocket-Accept */
	WSUP_ESUBPROTOCOL,	/* client: subprotocol that was not offered */
	WSUP_EEXTENSION,	/* client: extension that was not offered */
	WSUP_EAUTH,		/* client: credentials missing or refused */
	WSUP_EREDIRECT,		/* client: redirected to nowhere or too often */
	WSUP_EPROXY,		/* client: the proxy refused */
	WSUP_ERESOLVE,		/* client: no address for the name */
	WSUP_EURL,		/* not a ws:// URL */
};

/* Numbers of a struct wsup_config, for wsup_config_set(). */
enum wsup_number {
	WSUP_TIMEOUT = 1,	/* ms for the handshake; 10000, 1 to 1 h */
	WSUP_HEAD_MAX,		/* bytes of a head; 16384, 256 to 1 MiB */
	WSUP_FIELDS_MAX,	/* header lines of a head; 100, 8 to 10000 */
	WSUP_BODY_MAX,		/* bytes kept of a body; 16384, 0 to 1 MiB */
	WSUP_REQUESTS_MAX,	/* server: requests of a connection; 100 */
	WSUP_REDIRECTS_MAX,	/* client: redirects followed; 0, to 20 */
	WSUP_ATTACH,		/* 0: handshake only, no kernel; 1 */
	WSUP_ASK,		/* server: 1: step returns WSUP_REQUEST; 0 */
	WSUP_NONBLOCK,		/* client: 1: new socket has O_NONBLOCK; 0 */
	WSUP_PROXY_ENV,		/* client: 1: proxy from environment; 0 */
	WSUP_AUTH,		/* server: WSUP_AUTH_* accepted; both */
	WSUP_USERS_ONLY,	/* server: 1: even if there is no user; 0 */
};

#define WSUP_AUTH_BASIC		1
#define WSUP_AUTH_DIGEST	2

/* Texts of a struct wsup_config, for wsup_config_add(). */
enum wsup_text {
	WSUP_HEADER = 1,	/* "Name: value" to send; any number */
	WSUP_SUBPROTOCOL,	/* to offer or accept, best first; any number */
	WSUP_ORIGIN,		/* client: what to send as Origin */
	WSUP_ALLOW_ORIGIN,	/* server: "https://host[:port]", "null", "*" */
	WSUP_PATH,		/* server: "/a", or "/a/" and "*"; none: all */
	WSUP_USER,		/* "name:password"; server: any number */
	WSUP_REALM,		/* server: for authentication; "websocket" */
	WSUP_PROXY,		/* client: http:// or socks5:// URL; "": none */
	WSUP_HOST,		/* server: a name of its own, "*"; any number */
};

struct wsup_config;
struct wsup_hs;

/**
 * wsup_config_new() - what a handshake is to be like
 *
 * Return: to be freed with wsup_config_free(), or NULL without memory. Wherever
 * a configuration is asked for, NULL stands for an unchanged one.
 */
struct wsup_config *wsup_config_new(void);

/**
 * wsup_config_free() - free a configuration that no handshake uses any more
 * @config: may be NULL
 */
void wsup_config_free(struct wsup_config *config);

/**
 * wsup_config_set() - set a number
 * @config: to change
 * @what: which
 * @value: its value, in the unit and range given at enum wsup_number
 *
 * Return: 0 or -EINVAL.
 */
int wsup_config_set(struct wsup_config *config, enum wsup_number what,
		    long value);

/**
 * wsup_config_add() - add a text to a list, or set it where there is but one
 * @config: to change
 * @what: which
 * @value: NUL-terminated; copied
 *
 * Return: 0, -ENOMEM, or -EINVAL: not of the form given at enum wsup_text, with
 * control characters in it, a header that the library itself writes, or there
 * already: a subprotocol, or a header of which a request has one (Host, Origin,
 * Authorization, Proxy-Authorization).
 *
 * A restriction holds even if the call failed: with no other WSUP_USER,
 * WSUP_PATH or WSUP_HOST a server lets nobody in, serves no path, has no name.
 */
int wsup_config_add(struct wsup_config *config, enum wsup_text what,
		    const char *value);

/**
 * wsup_config_read() - add the lines of a file
 * @config: to change
 * @what: which text each of them is
 * @path: of the file; empty lines and those that begin with '#' do not count
 *
 * After a line that is wrong no other one is added.
 *
 * Return: how many were added, -ENODATA if there was none, or -errno.
 */
int wsup_config_read(struct wsup_config *config, enum wsup_text what,
		     const char *path);

/**
 * wsup_config_error() - why the last of these calls failed
 * @config: configuration
 *
 * Return: the rest of a sentence that begins with the value or the file, such
 * as "has to be from 1 to 3600000", without a full stop and never with the
 * value itself; "" as long as none failed.
 */
const char *wsup_config_error(const struct wsup_config *config);

/**
 * wsup_accept() - complete the handshake of an accepted connection, blocking
 * @fd: connected TCP socket; stays the caller's, blocking or not
 * @config: may be NULL; WSUP_ASK does not count here
 * @hs: if not NULL, receives the handshake for wsup_header() and so on, also
 *	after an error; to be freed with wsup_free(). NULL without memory.
 *
 * A request that is no WebSocket handshake is answered as HTTP: 400, 401, 403,
 * 404, 405, 408, 426, 431 or 505; one that is, where the kernel does not take
 * part, with 503. @fd can then only be closed.
 *
 * Return: 0: the kernel frames, send() and recv() carry payload. Else -errno
 * (-ETIMEDOUT: the peer was too slow; -ENOENT: no kernel module) or -WSUP_E*.
 */
int wsup_accept(int fd, const struct wsup_config *config, struct wsup_hs **hs);

/**
 * wsup_connect() - open a WebSocket connection, blocking
 * @url: ws://[USER:PASSWORD@]HOST[:PORT][/PATH][?QUERY]
 * @config: may be NULL
 * @hs: as for wsup_accept()
 *
 * Return: a descriptor with payload on it, or -errno or -WSUP_E*.
 */
int wsup_connect(const char *url, const struct wsup_config *config,
		 struct wsup_hs **hs);

/**
 * wsup_attach() - let the kernel frame after a handshake made elsewhere
 * @fd: connected TCP socket without kernel TLS
 * @role: WS_SERVER or WS_CLIENT of <linux/ws.h>
 * @early: bytes read behind the handshake's blank line, or NULL
 * @len: how many, at most 65536
 *
 * Options that have to be set before the role go between wsup_attach_dormant()
 * and this call, which then completes what that one began.
 *
 * Return: 0 or -errno; wsup_attach_strerror() tells what to do about it.
 */
int wsup_attach(int fd, int role, const void *early, size_t len);

/**
 * wsup_attach_dormant() - first half of wsup_attach()
 * @fd: connected TCP socket
 *
 * Bytes still pass through unchanged: the handshake may come after this.
 *
 * Return: 0 (also if this was done before), or -errno: ENOENT the kernel has no
 * ws_ulp, EPERM not permitted in this network namespace (net.ws.enabled),
 * ENOTCONN, EEXIST another ULP, EBUSY or EOPNOTSUPP the socket is used by
 * something that does not go with it.
 */
int wsup_attach_dormant(int fd);

/**
 * wsup_attach_strerror() - what to do about a failed attachment
 * @error: negative, from wsup_attach() or wsup_attach_dormant()
 *
 * Return: a sentence without a full stop; static.
 */
const char *wsup_attach_strerror(int error);

/**
 * wsup_accept_new() - a server's handshake, to be driven by wsup_step()
 * @hs: receives the handshake, to be freed with wsup_free()
 * @fd: as for wsup_accept()
 * @config: may be NULL; else it must outlive @hs
 *
 * Return: 0 or -ENOMEM.
 */
int wsup_accept_new(struct wsup_hs **hs, int fd,
		    const struct wsup_config *config);

/**
 * wsup_connect_new() - a client's handshake, to be driven by wsup_step()
 * @hs: receives the handshake, to be freed with wsup_free(); also with
 *	-WSUP_EURL, for wsup_error()
 * @url: as for wsup_connect()
 * @fd: -1, or a connected TCP socket over which @url is reached; it becomes
 *	@hs's if the call succeeds
 * @config: may be NULL; else it must outlive @hs
 *
 * Return: 0, -ENOMEM, -WSUP_EURL or -EPROTONOSUPPORT (a scheme other than ws).
 */
int wsup_connect_new(struct wsup_hs **hs, const char *url, int fd,
		     const struct wsup_config *config);

/**
 * wsup_free() - free a handshake
 * @hs: may be NULL
 *
 * Closes a client's socket unless wsup_take_fd() took it. A server's stays as
 * it is.
 */
void wsup_free(struct wsup_hs *hs);

/* What wsup_step() and wsup_run() return if not negative. */
#define WSUP_AGAIN	0	/* wait, then step again */
#define WSUP_DONE	1	/* upgraded */
#define WSUP_REQUEST	2	/* WSUP_ASK: decide, then step again */

/**
 * wsup_step() - go on with a handshake as far as possible without waiting
 * @hs: handshake
 *
 * May be called at any time; calls after the end repeat the last result. What
 * one call does is limited, however fast the peer is: with more to do,
 * wsup_timeout() is 0. A server's time limit starts with wsup_accept_new(), and
 * again after the answer to a request that was none for an upgrade; while an
 * answer is on its way, the limit is on the time in which the peer takes
 * nothing of it.
 *
 * Return: WSUP_AGAIN, WSUP_DONE, WSUP_REQUEST, -errno or -WSUP_E*.
 */
int wsup_step(struct wsup_hs *hs);

/**
 * wsup_fd() - descriptor to wait on
 * @hs: handshake
 *
 * It may be another one after each wsup_step() of a client.
 *
 * Return: a descriptor, or -1 if there is none at the moment.
 */
int wsup_fd(const struct wsup_hs *hs);

/**
 * wsup_events() - what to wait for
 * @hs: handshake
 *
 * Return: POLLIN or POLLOUT, as for poll(); level-triggered.
 */
short wsup_events(const struct wsup_hs *hs);

/**
 * wsup_timeout() - how long to wait at most
 * @hs: handshake
 *
 * Return: milliseconds from now, as for poll(), at least 0. When they have
 * passed, wsup_step() makes of it what is due. Before the first step it is 0.
 */
int wsup_timeout(const struct wsup_hs *hs);

/**
 * wsup_run() - wsup_step() and poll() until there is something to tell
 * @hs: handshake
 *
 * Return: as wsup_step(), but never WSUP_AGAIN. -EINTR: a signal came; the
 * call can be repeated.
 */
int wsup_run(struct wsup_hs *hs);

/**
 * wsup_take_fd() - take the connection out of a handshake that is done
 * @hs: handshake
 *
 * Return: the descriptor, from now on the caller's; -EBADF if there is none.
 */
int wsup_take_fd(struct wsup_hs *hs);

/*
 * What the peer said: a server's peer its request, a client's peer its last
 * response. The strings stay valid until the next wsup_step() or wsup_free().
 */

/**
 * wsup_method() - method of the request
 * @hs: server's handshake
 *
 * Return: for instance "GET"; NULL if there is no complete request.
 */
const char *wsup_method(const struct wsup_hs *hs);

/**
 * wsup_target() - target of the request
 * @hs: server's handshake
 *
 * A URI that came as target is one with its path and query here, and its host
 * and port are the value of the Host header.
 *
 * Return: for instance "/chat?room=1", nothing in it decoded; NULL if there is
 * no complete request.
 */
const char *wsup_target(const struct wsup_hs *hs);

/**
 * wsup_status() - HTTP status, sent by a server or received by a client
 * @hs: handshake
 *
 * Return: 100 to 999; 0 as long as there is none.
 */
int wsup_status(const struct wsup_hs *hs);

/**
 * wsup_reason() - reason phrase that a client received
 * @hs: client's handshake
 *
 * Return: any text, maybe empty or not UTF-8; NULL as long as there is none.
 */
const char *wsup_reason(const struct wsup_hs *hs);

/**
 * wsup_header() - value of a header of the peer
 * @hs: handshake
 * @name: name, in upper or lower case
 *
 * Return: the first one's value without blanks at its ends, or NULL.
 */
const char *wsup_header(const struct wsup_hs *hs, const char *name);

/**
 * wsup_field() - headers of the peer one by one, in their order
 * @hs: handshake
 * @i: counts from 0
 * @name: receives the name as the peer wrote it
 * @value: receives the value
 *
 * Return: 1, or 0 if there are not so many.
 */
int wsup_field(const struct wsup_hs *hs, size_t i, const char **name,
	       const char **value);

/**
 * wsup_body() - what a server sent instead of upgrading
 * @hs: client's handshake that ended with -WSUP_ESTATUS, -WSUP_EAUTH,
 *	-WSUP_EREDIRECT or -WSUP_EPROXY
 * @len: receives the number of bytes, at most WSUP_BODY_MAX
 *
 * Return: the bytes, not NUL-terminated; NULL if there are none.
 */
const void *wsup_body(const struct wsup_hs *hs, size_t *len);

/**
 * wsup_subprotocol() - subprotocol that was agreed upon
 * @hs: handshake
 *
 * Return: its name, or NULL for none.
 */
const char *wsup_subprotocol(const struct wsup_hs *hs);

/**
 * wsup_user() - who the peer is
 * @hs: server's handshake
 *
 * Return: name from Basic or Digest authentication; NULL without WSUP_USER.
 */
const char *wsup_user(const struct wsup_hs *hs);

/**
 * wsup_error() - why a handshake failed
 * @hs: handshake
 *
 * Return: a sentence without a full stop, with details such as the status;
 * "" as long as nothing failed. A request that a server answered without an
 * upgrade counts as a failure until the next one succeeds.
 */
const char *wsup_error(const struct wsup_hs *hs);

/**
 * wsup_strerror() - what a negative return value means
 * @error: negative
 *
 * Return: a sentence without a full stop; static.
 */
const char *wsup_strerror(int error);

/*
 * WSUP_REQUEST comes for handshakes that will succeed, and for other requests
 * that are well-formed, authorised and without a body; the rest is refused
 * without asking. The server may look at the request and call some of these;
 * without any, wsup_step() goes on as it would have done without WSUP_ASK.
 */

/**
 * wsup_upgradable() - is the request a WebSocket handshake that may succeed?
 * @hs: handshake that returned WSUP_REQUEST
 *
 * Return: 1 if wsup_step() will answer 101, else 0.
 */
int wsup_upgradable(const struct wsup_hs *hs);

/**
 * wsup_select() - choose the subprotocol
 * @hs: handshake that returned WSUP_REQUEST
 * @name: one of those offered, or NULL for none
 *
 * Return: 0; -EINVAL: not offered.
 */
int wsup_select(struct wsup_hs *hs, const char *name);

/**
 * wsup_add_header() - send a header with the answer to this request
 * @hs: handshake that returned WSUP_REQUEST
 * @header: "Name: value"
 *
 * Return: 0, -ENOMEM or -EINVAL as wsup_config_add().
 */
int wsup_add_header(struct wsup_hs *hs, const char *header);

/**
 * wsup_respond() - answer as HTTP
 * @hs: handshake that returned WSUP_REQUEST
 * @status: 200 to 599
 * @body: bytes, or NULL
 * @len: how many
 *
 * Further requests on the connection come as WSUP_REQUEST again.
 *
 * Return: 0, -ENOMEM or -EINVAL.
 */
int wsup_respond(struct wsup_hs *hs, int status, const void *body, size_t len);

/**
 * wsup_respond_file() - answer with a file
 * @hs: handshake that returned WSUP_REQUEST
 * @status: 200 to 599
 * @file: read from where it stands; @hs closes it, also after an error
 * @len: how many bytes
 *
 * Return: 0, -ENOMEM or -EINVAL.
 */
int wsup_respond_file(struct wsup_hs *hs, int status, int file, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* _WSUP_H */
