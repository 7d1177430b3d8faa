/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reader: where the application is in the stream. It follows the scanner,
 * takes payload, and passes over control frames that were handled before.
 *
 * A pass moves ctx->rd and returns a verdict. It fails nothing, frees nothing
 * and calls nothing that could: ws_rx_judge() acts on the verdict of a pass
 * that counts, and one that only looks (MSG_PEEK, FIONREAD) puts ctx->rd back.
 */
#ifndef _WS_READER_H
#define _WS_READER_H

#include "ws.h"

/**
 * struct ws_pass - one walk of the reader
 * @to: where payload goes; NULL counts only
 * @len: most bytes to return
 * @done: bytes returned
 * @cmsg: the caller can tell empty messages apart
 * @peek: stop at the end of the first frame
 * @quiet: stop before anything that a caller could be shown
 * @eor: the last byte of a message was returned
 * @stop: nothing more fits this call
 * @trunc: the rest of the message was thrown away
 * @frame: what the bytes belong to
 * @cur: where the reader is; none at first
 */
struct ws_pass {
	struct iov_iter	*to;
	size_t		len;
	size_t		done;
	bool		cmsg;
	bool		peek;
	bool		quiet;
	bool		eor;
	bool		stop;
	bool		trunc;
	struct ws_frame	frame;
	struct ws_cursor cur;
};

int ws_rx_pass(struct ws_ctx *ctx, struct ws_pass *ps);
bool ws_rx_pass_short(struct ws_ctx *ctx, struct ws_pass *ps, bool records);
int ws_rx_pass_quiet(struct ws_ctx *ctx);

/* Does the application get control frames of this opcode to read? */
static inline bool ws_rx_delivers(const struct ws_ctx *ctx, u8 opcode)
{
	switch (opcode) {
	case WS_OP_CLOSE:
		return ctx->rx_ctrl & WS_CTRL_CLOSE;
	case WS_OP_PING:
		return ctx->rx_ctrl & WS_CTRL_PING;
	case WS_OP_PONG:
		return ctx->rx_ctrl & WS_CTRL_PONG;
	default:
		return ws_opcode_is_ctrl(opcode);	/* negotiated */
	}
}

/* Nothing that the scanner found is left for the application. */
static inline bool ws_rx_caught_up(const struct ws_ctx *ctx)
{
	return !ctx->rd.avail && !ctx->rd.events;
}

/*
 * The reader has consumed all up to the scanner's position: the next header
 * that the scanner parses is the reader's next one as well.
 */
static inline bool ws_rx_side_by_side(const struct ws_ctx *ctx)
{
	return ctx->rd.seq == ctx->scan.seq;
}

/* The reader begins the payload of a data frame. */
static inline void ws_reader_enter(struct ws_reader *rd,
				   const struct ws_hdr *h)
{
	if (ws_hdr_opcode(h) != WS_OP_CONT) {
		rd->msg_b0 = h->b0;
		rd->utf8 = 0;	/* WS_UTF8_OK */
		rd->first = true;
		rd->open = true;
	}
	rd->b0 = h->b0;
	rd->left = h->len;
	rd->key = h->key;
}

/* The reader has taken n bytes of the frame's payload. */
static inline void ws_reader_take(struct ws_reader *rd, u32 n)
{
	rd->seq += n;
	rd->left -= n;
	if (!ws_opcode_is_ctrl(rd->b0))
		WRITE_ONCE(rd->avail, rd->avail - n);
}

#endif /* _WS_READER_H */
