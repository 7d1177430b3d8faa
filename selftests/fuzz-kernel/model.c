// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <string.h>

#include "model.h"

void model_reset(struct model *m)
{
	memset(m->early, BYTE_NONE, sizeof(m->early));
	m->known = 0;
	m->off = false;
}

static void keep_early(struct model *m, size_t at, uint8_t byte)
{
	if (m->early[at] == BYTE_NONE) {
		m->early[at] = BYTE_EARLY;
		m->byte[at] = byte;
	} else if (m->byte[at] != byte) {
		m->early[at] = BYTE_WILD;
	}
}

/*
 * What closes the gap counts from the gap on, over anything that waited behind
 * it; then what waited. What lies before the gap came too late.
 */
void model_segment(struct model *m, long at, const uint8_t *data, size_t len,
		   size_t known)
{
	bool closes = at <= (long)m->known && known > m->known;
	long i, where, old = m->known;

	if (known > STREAM)
		known = STREAM;
	for (i = 0; i < (long)len; i++) {
		where = at + i;
		if (where < old || where >= STREAM)
			continue;
		if (closes && where < (long)known) {
			m->byte[where] = data[i];
			m->early[where] = BYTE_EARLY;
		} else {
			keep_early(m, where, data[i]);
		}
	}
	for (; m->known < known; m->known++)
		if (m->early[m->known] != BYTE_EARLY)
			m->off = true;
}

/* Whether any setting allows this, RFC 6455 section 5.2 */
static bool allowed(unsigned int b0, unsigned int ext)
{
	unsigned int op = b0 & 15;

	if (b0 & 0x70 & ~ext)
		return false;
	if (op <= 2 || (op >= 8 && op <= 10))
		return true;
	return ext >> 8 & 1 << op;
}

struct head {
	unsigned int op;
	bool fin, masked;
	uint64_t len;
	size_t size;
};

/* Return: 1, 0 for want of bytes, -1 broken */
static int take_head(struct head *h, const uint8_t *p, size_t n,
		     unsigned int ext)
{
	unsigned int more, i;

	if (n < 1)
		return 0;
	h->op = p[0] & 15;
	h->fin = p[0] & 0x80;
	if (!allowed(p[0], ext) || (h->op >= 8 && !h->fin))
		return -1;
	if (n < 2)
		return 0;
	h->masked = p[1] & 0x80;
	h->len = p[1] & 127;
	more = h->len == 126 ? 2 : h->len == 127 ? 8 : 0;
	if (h->op >= 8 && more)
		return -1;
	h->size = 2 + more + (h->masked ? 4 : 0);
	if (n < h->size)
		return 0;
	if (more)
		for (h->len = 0, i = 0; i < more; i++)
			h->len = h->len << 8 | p[2 + i];
	return 1;
}

static void count(struct decoded *d, const struct head *h)
{
	d->frames++;
	d->pings += h->op == 9;
	d->pongs += h->op == 10;
}

/* Data, or a control frame of which nothing is kept. Return: all of it came */
static bool take_payload(struct decoded *d, const struct head *h,
			 const uint8_t *p, size_t n)
{
	size_t i, len = h->len < n ? h->len : n;

	if (h->op < 8)
		for (i = 0; i < len; i++)
			d->payload[d->len++] = p[i] ^
				(h->masked ? p[(long)(i & 3) - 4] : 0);
	if (h->op < 8 && h->fin && len == h->len)
		d->whole = d->len;
	return len == h->len;
}

void decode(struct decoded *d, const uint8_t *stream, size_t len, bool masked,
	    unsigned int ext)
{
	bool open = false;
	struct head h;
	int ret = 0;

	memset(&d->len, 0, sizeof(*d) - offsetof(struct decoded, len));
	while (!d->closed && (ret = take_head(&h, stream, len, ext)) > 0) {
		d->broken = h.masked != masked || h.len >> 63 ||
			(h.op < 8 && open != (h.op == 0));
		if (d->broken)
			return;
		if (h.op < 8)
			open = !h.fin;
		count(d, &h);
		stream += h.size;
		len -= h.size;
		if (!take_payload(d, &h, stream, len))
			return;
		d->closed = h.op == 8;
		stream += h.len;
		len -= h.len;
	}
	d->broken = !d->closed && ret < 0;
}

static const char *sent_head(struct sent *s, const struct head *h, bool masked)
{
	if (h->masked != masked)
		return "mask";
	if (h->len > 1 << 20 || (h->size - 4 * masked > 2 && h->len < 126) ||
	    (h->size - 4 * masked > 4 && h->len < 65536))
		return "length";
	if (s->closed)
		return "a frame behind Close";
	if (h->op < 8 && s->open == !!h->op)
		return "continuation";
	if (h->op < 8)
		s->open = !h->fin;
	s->closed = h->op == 8;
	s->left = h->len;
	s->have = 0;
	return NULL;
}

const char *sent_check(struct sent *s, const uint8_t *data, size_t len,
		       bool masked, unsigned int ext)
{
	const char *wrong = NULL;
	struct head h;
	size_t n;
	int ret;

	while (len && !wrong) {
		n = s->left < len ? s->left : len;
		s->left -= n;
		data += n;
		len -= n;
		if (!len)
			break;
		s->header[s->have++] = *data++;
		len--;
		ret = take_head(&h, s->header, s->have, ext);
		if (ret < 0)
			return "first byte";
		if (ret)
			wrong = sent_head(s, &h, masked);
	}
	return wrong;
}
