// SPDX-License-Identifier: GPL-2.0
/* What a program read, against the stream that the peer sent. */
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>

#include "run.h"

#define ONE_BUFFER	(4 * 65536)	/* what one segment may take */

static uint8_t stream[STREAM + 2048];
static struct decoded decoded;

static size_t whole_stream(struct run *r)
{
	size_t n = r->preload_len;

	memcpy(stream, r->preload, n);
	if (r->raw < r->model.known) {
		memcpy(stream + n, r->model.byte + r->raw,
		       r->model.known - r->raw);
		n += r->model.known - r->raw;
	}
	return n;
}

/* Where taken differs from what is there; its length if it does not */
static size_t differs(struct run *r)
{
	size_t i;

	for (i = 0; i < r->taken_len; i++)
		if (i >= decoded.len ||
		    (!r->hole[i] && r->taken[i] != decoded.payload[i]))
			break;
	return i;
}

static void judge_peeks(struct run *r)
{
	struct peek *k;

	for (k = r->peek; k < r->peek + r->peeks; k++)
		if (k->at + k->len > decoded.len ||
		    memcmp(k->data, decoded.payload + k->at, k->len))
			wrong(r, "a peek at %zu shows what was not sent",
			      k->at);
}

static void judge_counts(struct run *r)
{
	struct ws_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(r->fd, SOL_WS, WS_INFO, &info, &len))
		return;
	if (info.rx_frames > decoded.frames || info.rx_pings > decoded.pings ||
	    info.rx_pongs > decoded.pongs || info.rx_bytes > decoded.len)
		wrong(r, "counted %llu frames, %u pings, %u pongs, %llu bytes; "
		      "sent were %llu, %u, %u, %zu",
		      (unsigned long long)info.rx_frames, info.rx_pings,
		      info.rx_pongs, (unsigned long long)info.rx_bytes,
		      (unsigned long long)decoded.frames, decoded.pings,
		      decoded.pongs, decoded.len);
}

/* A reader that was told to wait has had all there was. */
static void judge_rest(struct run *r)
{
	size_t wanted = r->mode == WS_RX_STREAM ? decoded.len : decoded.whole;

	if (r->taken_len < wanted)
		wrong(r, "EAGAIN after %zu bytes of %zu", r->taken_len, wanted);
	if (decoded.closed || decoded.broken)
		wrong(r, "EAGAIN although the peer %s", decoded.closed ?
		      "closed" : "broke the protocol");
	if (r->taken_len == decoded.len && !r->w.window && !r->fin_sent &&
	    !r->w.fin && !r->w.reset)
		wrong(r, "all was read, and the window stays closed");
}

/* What TCP itself gave: were the model wrong, this would tell. */
static void judge_raw(struct run *r)
{
	size_t i;

	for (i = 0; i < r->raw; i++)
		if (i >= r->model.known || (!r->raw_hole[i] &&
					    r->raw_byte[i] != r->model.byte[i]))
			break;
	if (i < r->raw)
		wrong(r, "raw byte %zu of %zu is %02x, sent was %02x", i,
		      r->model.known, r->raw_byte[i], r->model.byte[i]);
}

/* For whoever looks into a finding: the stream, what came of it */
static void show(struct run *r, size_t len, int drained)
{
	size_t i;

	printf("# %zu bytes before it, then", r->raw);
	for (i = 0; i < len && i < 600; i++)
		printf("%s%02x", i % 32 ? " " : "\n# ", stream[i]);
	printf("\n# %zu in all: %zu of payload in %llu frames, %s; ", len,
	       decoded.len, (unsigned long long)decoded.frames,
	       decoded.closed ? "closed" : decoded.broken ? "broken" : "open");
	printf("read %zu in mode %d, then %s\n", r->taken_len, r->mode,
	       drained ? strerror(drained) : "the end");
}

void judge(struct run *r, int drained)
{
	size_t len;
	size_t at;

	if (!r->judge || r->model.off || r->lost)
		return;
	judge_raw(r);
	if (!r->role_set)
		return;
	len = whole_stream(r);
	decode(&decoded, stream, len, !r->program->client, r->ext);
	at = differs(r);
	if (at < r->taken_len)
		wrong(r, "byte %zu of the payload is %02x, sent was %s%02x, of "
		      "%zu", at, r->taken[at],
		      at < decoded.len ? "" : "nothing ",
		      at < decoded.len ? decoded.payload[at] : 0, decoded.len);
	judge_peeks(r);
	judge_counts(r);
	if (drained == EAGAIN && !r->shut)
		judge_rest(r);
	if (verbose && *r->wrong)
		show(r, len, drained);
}

/* However it is sent: at most twice the buffer, and one more segment. */
void judge_memory(struct run *r)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len = sizeof(mem);

	if (r->fd < 0 ||
	    getsockopt(r->fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
		return;
	if ((int)mem[SK_MEMINFO_RCVBUF] > r->rcvbuf)
		r->rcvbuf = mem[SK_MEMINFO_RCVBUF];
	if (mem[SK_MEMINFO_RMEM_ALLOC] > 2 * (uint32_t)r->rcvbuf + ONE_BUFFER)
		wrong(r, "%u bytes are held, of a receive buffer of %d",
		      mem[SK_MEMINFO_RMEM_ALLOC], r->rcvbuf);
}
