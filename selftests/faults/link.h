/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection in which something fails once, and a model of what has to
 * arrive all the same. One end has "ws" attached, the other is plain TCP.
 *
 * Functions that return int give 0, or -1 after a line about what was wrong;
 * readers and senders see below. Nothing waits longer than LIMIT for the next
 * step, whatever the whole of it takes.
 */
#ifndef WS_SELFTESTS_LINK_H
#define WS_SELFTESTS_LINK_H

#include "peer.h"

#define LIMIT	10000	/* ms between two steps of progress */

struct bytes {
	unsigned char *p;
	size_t len;
	size_t room;
};

/* Messages one way: each as its opcode, its length and its payload */
struct side {
	struct bytes want;	/* in the order in which they were sent */
	struct bytes got;	/* whole ones */
	struct bytes part;	/* payload of the one that has begun */
	int opcode;		/* of that */
	size_t sure;		/* bytes of want that were accepted whole */
};

struct link {
	struct peer p;
	struct side rx;		/* to the end under test */
	struct side tx;		/* from it */
	bool plain;		/* rx: the reader sees bytes, no boundaries */
	struct bytes ctl;	/* control frames that the reader was given */
	struct bytes want_ctl;
	int deliver;		/* WS_RX_CTRL */

	struct bytes out;	/* that raw is to write */
	size_t out_at;
	size_t step;		/* at most so much in one segment, 0: any */
	bool hold;		/* raw reads nothing for now */
	struct bytes in;	/* that raw has read */
	size_t in_at;		/* frames up to there were taken apart */
	int in_end;		/* 0: open, 1: FIN, or -errno */

	struct bytes ping;	/* of the newest that raw sent */
	struct bytes pong;	/* of the newest that raw got */
	unsigned int pings;	/* that raw got, each answered */
	int code;		/* of the Close that raw got; -1: none came */
	char reason[128];
	bool answered;		/* raw sent its Close */
	bool mute;		/* raw does not answer Close by itself */

	bool to_end;		/* the reader reads on up to the end */
	bool over;		/* the end under test read the end */
	int error;		/* that ended it, 0: none */
	int soft;		/* errors after which a call was repeated */
};

/* Something is to fail, so that what nobody promises may be missing. */
extern bool faulty;

/* A line about what is wrong, always -1 */
int __attribute__((format(printf, 1, 2))) wrong(const char *format, ...);

void bytes_add(struct bytes *b, const void *p, size_t len);
void bytes_free(struct bytes *b);

int link_open(struct link *l, int family, int role);
int link_role(struct link *l);
void link_drop(struct link *l);

/*
 * A call failed, with errno: 1, it may be repeated, as memory was short or a
 * page was not there; 0, the connection has ended, as l->error tells; -1.
 */
int link_failed(struct link *l, const char *call);

/* setsockopt() and getsockopt(), repeated after a fault */
int link_set(struct link *l, int level, int name, const void *p, size_t len);
int link_set_int(struct link *l, int option, int value);
int link_get(struct link *l, int level, int name, void *p, size_t len);

/* Write and read at raw what goes at once. Return: bytes. */
size_t link_pump(struct link *l);

/* Wait until one of the ends has something to do. */
int link_wait(struct link *l, int events);

/* Wait for raw's turn, write and read, and take apart what came. */
int link_step(struct link *l);

/* raw sends a frame, by and by; the message is one that has to arrive */
void link_frame(struct link *l, int b0, const void *p, size_t len);
void link_message(struct link *l, int opcode, const void *p, size_t len,
		  size_t piece);
void link_ping(struct link *l, const char *text);

/* Payload for message number i: text has characters of two bytes */
const unsigned char *payload(int opcode, int i, size_t len);

/*
 * One call of the reader or sender, which does not wait: bytes, and 0 without
 * an error for what has none; -1 with errno. A reader puts what it got into
 * the link: link_got(), link_got_ctl().
 */
typedef int (*reader)(struct link *l);
typedef ssize_t (*sender)(struct link *l, const void *p, size_t len);

void link_got(struct link *l, int opcode, const void *p, size_t len, bool eor);

/* Read until all that was sent has arrived, or the connection has ended. */
int link_read(struct link *l, reader read);

/* Until all that raw has to write is written, its pings answered */
int link_settle(struct link *l);

/* Send a message whole, in as many calls as it takes. */
int link_send(struct link *l, sender send, int opcode, const void *p,
	      size_t len);

/* Until raw has got all that was accepted */
int link_arrive(struct link *l);

/*
 * What link_send() does for messages that leave by other calls: they are
 * wanted, then accepted; a call failed with errno: 1, repeat it; 0, the
 * connection has ended; -1.
 */
void link_want(struct link *l, int opcode, const void *p, size_t len);
void link_accepted(struct link *l);
int link_again(struct link *l, int *spins);

/* close(), the closing handshake, and what the model says to all of it */
int link_finish(struct link *l);

/* The rest of that when the end under test is closed already */
int link_ended(struct link *l);

#endif
