// SPDX-License-Identifier: GPL-2.0
/*
 * A stream of frames through the receiver that is made of the pure files: cut
 * anywhere it comes to the same, and to what wslay makes of it. The first byte
 * is a set of options, the second the seed of the cuts.
 */
#include "fuzz.h"
#include "receiver.h"
#ifdef HAVE_WSLAY
#include <wslay/wslay.h>
#endif

#define HEAD	2

/* Bits of the first byte. */
#define AS_SERVER	0x01
#define NO_UTF8		0x02
#define SMALL_FRAMES	0x04
#define SMALL_MESSAGES	0x08
#define FEW_FRAGMENTS	0x10
#define WITH_EXT	0x20

/*
 * The largest message, small and not. wslay's limit holds for control frames
 * too, ours does not, so the small one is above 125.
 */
#define SMALL_MAX	130
#define MESSAGE_MAX	65536

static struct ws_rules rules_of(u8 options)
{
	return (struct ws_rules){
		.masked = options & AS_SERVER,
		.frame_max = options & SMALL_FRAMES ? 40 : 0,
		.message_max = options & SMALL_MESSAGES ? SMALL_MAX :
							MESSAGE_MAX,
		.fragments_max = options & FEW_FRAGMENTS ? 3 : 0,
		.ext = options & WITH_EXT ? 1 << 11 | 1 << 19 | 0x40 : 0,
	};
}

static void check_cut(const struct rx *want, const u8 *p, size_t n, u32 seed)
{
	static struct rx rx;
	size_t at = 0;

	rx_init(&rx, &want->rules, want->utf8);
	while (at < n) {
		size_t piece = fuzz_piece(&seed, n - at);

		rx_feed(&rx, p + at, piece);
		at += piece;
	}
	FUZZ_CHECK(rx_same(&rx, want));
}

#ifdef HAVE_WSLAY
struct peer {
	const u8	*p;
	size_t		n;
	size_t		log_len;
	u8		log[RX_LOG_MAX];
};

static ssize_t peer_recv(wslay_event_context_ptr ctx, u8 *buf, size_t len,
			 int flags, void *user_data)
{
	struct peer *peer = user_data;

	(void)flags;
	if (len > peer->n)
		len = peer->n;
	if (!len) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buf, peer->p, len);
	peer->p += len;
	peer->n -= len;
	return len;
}

static ssize_t peer_send(wslay_event_context_ptr ctx, const u8 *data,
			 size_t len, int flags, void *user_data)
{
	(void)ctx;
	(void)data;
	(void)flags;
	(void)user_data;
	return len;
}

static int peer_key(wslay_event_context_ptr ctx, u8 *buf, size_t len,
		    void *user_data)
{
	(void)ctx;
	(void)user_data;
	memset(buf, 0, len);
	return 0;
}

static void peer_message(wslay_event_context_ptr ctx,
			 const struct wslay_event_on_msg_recv_arg *arg,
			 void *user_data)
{
	struct peer *peer = user_data;

	(void)ctx;
	rx_log(peer->log, &peer->log_len, arg->rsv << 4 | arg->opcode,
	       arg->msg, arg->msg_length);
}

static const struct wslay_event_callbacks peer_callbacks = {
	.recv_callback = peer_recv,
	.send_callback = peer_send,
	.genmask_callback = peer_key,
	.on_msg_recv_callback = peer_message,
};

/*
 * A Close that wslay judges in its own way: it looks at the reason before the
 * code, takes a body of one byte, and refuses codes that were registered after
 * the RFC.
 */
static bool close_differs(const struct rx *rx)
{
	return rx->closed && (rx->fail || (rx->close_code >= 1012 &&
					   rx->close_code <= 1014));
}

/* The end: failed with the same code, or got the same Close. */
static void check_end(wslay_event_context_ptr ctx, const struct rx *rx)
{
	if (close_differs(rx))
		return;
	if (rx->fail)
		FUZZ_CHECK(wslay_event_get_status_code_sent(ctx) == rx->fail);
	if (!rx->closed)
		return;
	FUZZ_CHECK(wslay_event_get_close_received(ctx));
	FUZZ_CHECK(wslay_event_get_status_code_received(ctx) ==
		   rx->close_code);
}

static void check_wslay(const struct rx *rx, const u8 *p, size_t n)
{
	static u8 stream[RX_STREAM_MAX + WS_HDR_MAX];
	static struct peer peer;
	wslay_event_context_ptr ctx;
	size_t both;

	/* wslay judges whole headers only: let it have one */
	memcpy(stream, p, n);
	memset(stream + n, 0, WS_HDR_MAX);
	peer.p = stream;
	peer.n = n + (rx->fail ? WS_HDR_MAX : 0);
	peer.log_len = 0;
	if (rx->rules.masked)
		wslay_event_context_server_init(&ctx, &peer_callbacks, &peer);
	else
		wslay_event_context_client_init(&ctx, &peer_callbacks, &peer);
	wslay_event_config_set_max_recv_msg_length(ctx,
						   rx->rules.message_max);
	/* headers that its lower layer refuses it fails without a code */
	if (wslay_event_recv(ctx)) {
		FUZZ_CHECK(rx->fail == WS_CODE_PROTOCOL);
	} else {
		FUZZ_CHECK(!wslay_event_send(ctx));
		check_end(ctx, rx);
	}
	both = peer.log_len < rx->log_len ? peer.log_len : rx->log_len;
	FUZZ_CHECK(peer.log_len == rx->log_len || close_differs(rx));
	FUZZ_CHECK(!memcmp(peer.log, rx->log, both));
	wslay_event_context_free(ctx);
}
#else
static void check_wslay(const struct rx *rx, const u8 *p, size_t n)
{
	(void)rx;
	(void)p;
	(void)n;
}
#endif

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	struct ws_rules rules;
	static struct rx rx;

	if (n < HEAD || n - HEAD > RX_STREAM_MAX)
		return 0;
	rules = rules_of(data[0]);
	rx_init(&rx, &rules, !(data[0] & NO_UTF8));
	rx_feed(&rx, data + HEAD, n - HEAD);
	check_cut(&rx, data + HEAD, n - HEAD, data[1]);
	/* wslay has no such options */
	if (!(data[0] & (NO_UTF8 | SMALL_FRAMES | FEW_FRAGMENTS | WITH_EXT)))
		check_wslay(&rx, data + HEAD, n - HEAD);
	return 0;
}
