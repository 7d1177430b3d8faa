// SPDX-License-Identifier: GPL-2.0
#include "receiver.h"

#define TEXT	0x1
#define CLOSE	0x8
#define RSV	0x70

/**
 * rx_init() - start a receiver
 * @rx: all but its buffers is set
 * @rules: copied
 * @utf8: check text
 */
void rx_init(struct rx *rx, const struct ws_rules *rules, bool utf8)
{
	memset(rx, 0, offsetof(struct rx, hdr));
	rx->rules = *rules;
	rx->utf8 = utf8;
}

/**
 * rx_done() - is the receiver at an end?
 * @rx: the receiver
 *
 * Return: true if it failed the connection or got a Close.
 */
bool rx_done(const struct rx *rx)
{
	return rx->fail || rx->closed;
}

/**
 * rx_log() - append an entry to a log
 * @log: the log, %RX_LOG_MAX bytes
 * @log_len: its length, moved on
 * @b0: first byte of the first frame; FIN is dropped
 * @p: payload
 * @n: its bytes
 */
void rx_log(u8 *log, size_t *log_len, u8 b0, const u8 *p, size_t n)
{
	struct rx_entry e;

	memset(&e, 0, sizeof(e));
	e.b0 = b0 & ~WS_B0_FIN;
	e.len = n;
	memcpy(log + *log_len, &e, sizeof(e));
	*log_len += sizeof(e);
	if (n)
		memcpy(log + *log_len, p, n);
	*log_len += n;
}

/**
 * rx_same() - did two receivers see the same?
 * @a: one
 * @b: the other
 *
 * Return: true if logs, unfinished messages and ends are equal.
 */
bool rx_same(const struct rx *a, const struct rx *b)
{
	return a->fail == b->fail && a->closed == b->closed &&
	       a->close_code == b->close_code && a->log_len == b->log_len &&
	       a->part_len == b->part_len &&
	       !memcmp(a->log, b->log, a->log_len) &&
	       !memcmp(a->part, b->part, a->part_len);
}

static bool is_ctrl(const struct rx *rx)
{
	return ws_opcode_is_ctrl(ws_hdr_opcode(&rx->h));
}

static bool is_checked(const struct rx *rx)
{
	return rx->utf8 && (rx->msg.b0 & WS_B0_OPCODE) == TEXT &&
	       !(rx->msg.b0 & RSV);
}

static void end_ctrl(struct rx *rx)
{
	if (ws_hdr_opcode(&rx->h) == CLOSE) {
		rx->fail = ws_close_parse(rx->ctrl, rx->ctrl_len,
					  &rx->close_code);
		rx->closed = true;
		if (rx->fail)
			return;
	}
	rx_log(rx->log, &rx->log_len, rx->h.b0, rx->ctrl, rx->ctrl_len);
}

static void end_frame(struct rx *rx)
{
	rx->in_payload = false;
	if (is_ctrl(rx)) {
		end_ctrl(rx);
		return;
	}
	if (rx->msg.open)
		return;
	if (is_checked(rx) && rx->utf8_state != WS_UTF8_OK) {
		rx->fail = WS_CODE_BAD_DATA;
		return;
	}
	rx_log(rx->log, &rx->log_len, rx->msg.b0, rx->part, rx->part_len);
	rx->part_len = 0;
}

static void begin_frame(struct rx *rx)
{
	rx->left = rx->h.len;
	rx->key = rx->h.key;
	rx->ctrl_len = 0;
	rx->in_payload = true;
	if (!is_ctrl(rx)) {
		if (!rx->msg.open)
			rx->utf8_state = WS_UTF8_OK;
		ws_msg_advance(&rx->msg, &rx->h);
	}
	if (!rx->left)
		end_frame(rx);
}

static size_t take_header(struct rx *rx, const u8 *p, size_t n)
{
	size_t room = sizeof(rx->hdr) - rx->hdr_len, used;
	bool whole;

	if (n > room)
		n = room;
	memcpy(rx->hdr + rx->hdr_len, p, n);
	whole = ws_hdr_parse(&rx->h, rx->hdr, rx->hdr_len + n);
	rx->fail = ws_rules_check(&rx->rules, &rx->msg, &rx->h);
	if (!whole || rx->fail) {
		rx->hdr_len += n;
		return n;
	}
	used = rx->h.size - rx->hdr_len;
	rx->hdr_len = 0;
	begin_frame(rx);
	return used;
}

static void take_data(struct rx *rx, const u8 *p, size_t n)
{
	u8 *to = rx->part + rx->part_len;
	size_t good = n;

	ws_mask_copy(to, p, n, rx->key);
	if (is_checked(rx))
		good = ws_utf8_check(&rx->utf8_state, to, n);
	rx->part_len += good;
	if (good < n)
		rx->fail = WS_CODE_BAD_DATA;
}

static size_t take_payload(struct rx *rx, const u8 *p, size_t n)
{
	if (n > rx->left)
		n = rx->left;
	if (is_ctrl(rx)) {
		ws_mask_copy(rx->ctrl + rx->ctrl_len, p, n, rx->key);
		rx->ctrl_len += n;
	} else {
		take_data(rx, p, n);
	}
	rx->key = ws_mask_turn(rx->key, n);
	rx->left -= n;
	if (!rx->left && !rx->fail)
		end_frame(rx);
	return n;
}

/**
 * rx_feed() - take the next piece of the stream
 * @rx: the receiver; what comes after its end is ignored
 * @p: the piece, cut anywhere
 * @n: its bytes; all pieces together at most %RX_STREAM_MAX
 */
void rx_feed(struct rx *rx, const u8 *p, size_t n)
{
	while (n && !rx_done(rx)) {
		size_t used = rx->in_payload ? take_payload(rx, p, n) :
					       take_header(rx, p, n);

		p += used;
		n -= used;
	}
}
