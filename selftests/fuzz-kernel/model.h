/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a reader may see: the stream as the first copy of each byte gives it,
 * taken apart by a decoder that shares nothing with the module. It knows no
 * limits and no text: they end a connection sooner, and change no byte.
 */
#ifndef WS_FUZZ_MODEL_H
#define WS_FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM	131072	/* bytes of a stream at most */

enum { BYTE_NONE, BYTE_EARLY, BYTE_WILD };

/*
 * @byte: of the peer's stream, by the distance from its first one
 * @early: what is known of a byte behind the gap: not there, came once, came
 *	with two values (which of them counts is TCP's business)
 * @known: so many bytes are in order
 * @off: the model does not know: nothing is judged any more
 */
struct model {
	uint8_t byte[STREAM];
	uint8_t early[STREAM];
	size_t known;
	bool off;
};

void model_reset(struct model *m);

/* A segment was sent, and the kernel has bytes up to `known` in order now. */
void model_segment(struct model *m, long at, const uint8_t *data, size_t len,
		   size_t known);

/*
 * A decoded stream.
 * @payload, @len: of all data frames, one after the other
 * @whole: so many bytes of it belong to whole messages
 * @frames, @data, @pings, @pongs: as struct ws_info counts them
 * @broken: a frame that no setting allows: nothing behind it counts
 */
struct decoded {
	uint8_t payload[STREAM];
	size_t len, whole;
	uint64_t frames;
	uint32_t pings, pongs;
	bool closed, broken;
};

/* ext: the reserved bits and opcodes that were ever allowed, as in WS_EXT */
void decode(struct decoded *d, const uint8_t *stream, size_t len, bool masked,
	    unsigned int ext);

/* Frames that the kernel sent, checked as they come: NULL, or what is wrong */
struct sent {
	uint8_t header[14];
	size_t have;		/* bytes of the header */
	uint64_t left;		/* of the payload */
	bool open;		/* a message */
	bool closed;
};

const char *sent_check(struct sent *s, const uint8_t *data, size_t len,
		       bool masked, unsigned int ext);

#endif
