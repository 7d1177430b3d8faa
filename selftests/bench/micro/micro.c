// SPDX-License-Identifier: GPL-2.0
/*
 * Native speed of the pure files, compiled as the kernel compiles them
 * (general registers only). CSV on stdout, then a line for target P3.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mask.h"
#include "protocol.h"
#include "ref_utf8.h"
#include "utf8.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define ROUNDS		30		/* the best one counts */
#define ROUND_NS	2000000		/* at least so long */
#define BUFFER_SIZE	1048576
#define TEXT_SIZE	16384
#define P3_GBPS		1.3

static u8 *src, *dst;
static size_t size;
static const u32 key = 0x3d21fa37;
static u64 sink;

/* The text of a kind, over and over, ends at a character's boundary. */
static const struct {
	const char	*name;
	const char	*text;
	bool		mixed;	/* counts for P3 */
} texts[] = {
	{ "ascii", "The kernel frames, the program reads and writes. ", false },
	{ "latin", "Süße Äpfel über Möhren, où va l'été à Tromsø? ", true },
	{ "cyrillic", "Ядро считает байты, а программа читает. ", true },
	{ "han", "内核自己解析每一帧，程序只读取文字。", true },
	{ "hindi", "कर्नल हर संदेश जाँचता है. ", true },
	{ "emoji", "😀😃😄 ok 🚀🌍, fine 🎉 ", true },
	{ "mixed", "Hello, мир! 世界 नमस्ते — café, Ωμέγα 🚀 12. ", true },
};

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Nothing may be known of the memory after this, nor left unwritten. */
static void barrier(void)
{
	__asm__ volatile("" : : "r"(src), "r"(dst), "r"(&sink) : "memory");
}

static u64 round_ns(void (*fn)(void), u64 calls)
{
	u64 start = now(), i;

	for (i = 0; i < calls; i++) {
		fn();
		barrier();
	}
	return now() - start;
}

/* Nanoseconds a call, in the best of all rounds. */
static double measure(void (*fn)(void))
{
	u64 calls = 1, ns, best = ~0ull;
	unsigned int i;

	while (round_ns(fn, calls) < ROUND_NS)
		calls *= 2;
	for (i = 0; i < ROUNDS; i++) {
		ns = round_ns(fn, calls);
		if (ns < best)
			best = ns;
	}
	return (double)best / calls;
}

static double report(const char *what, const char *of, void (*fn)(void),
		     size_t bytes)
{
	double ns = measure(fn);

	printf("%s,%s,%zu,%.2f,%.3f\n", what, of, bytes, ns, bytes / ns);
	fflush(stdout);
	return bytes / ns;
}

static void do_memcpy(void)
{
	memcpy(dst, src, size);
}

static void do_mask(void)
{
	ws_mask(dst, size, key);
}

static void do_mask_copy(void)
{
	ws_mask_copy(dst, src, size, key);
}

static void do_mask_copy_odd(void)
{
	ws_mask_copy(dst + 1, src + 3, size, key);
}

static void bench_mask(void)
{
	static const size_t sizes[] = { 20, 125, 1024, 16384, BUFFER_SIZE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size = sizes[i];
		report("memcpy", "libc", do_memcpy, size);
		report("mask", "aligned", do_mask, size);
		report("mask_copy", "aligned", do_mask_copy, size);
		report("mask_copy", "unaligned", do_mask_copy_odd, size);
	}
}

static void do_utf8(void)
{
	u16 state = WS_UTF8_OK;

	sink = ws_utf8_check(&state, src, size);
}

static void do_utf8_reference(void)
{
	bool whole;

	sink = ref_utf8(src, size, &whole);
}

static void fill_text(const char *text, size_t room)
{
	size_t n = strlen(text);

	for (size = 0; size + n <= room || !size; size += n)
		memcpy(src + size, text, n);
	do_utf8();
	if (sink != size) {
		fprintf(stderr, "micro: text is not UTF-8\n");
		exit(1);
	}
}

/* The slowest of the scripts. */
static double bench_utf8(void)
{
	double slowest = 1e9, gbps;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		fill_text(texts[i].text, 1);
		report("utf8", texts[i].name, do_utf8, size);
		fill_text(texts[i].text, TEXT_SIZE);
		gbps = report("utf8", texts[i].name, do_utf8, size);
		if (texts[i].mixed && gbps < slowest)
			slowest = gbps;
		report("utf8_reference", texts[i].name, do_utf8_reference,
		       size);
	}
	return slowest;
}

static struct ws_rules rules = { .masked = true, .message_max = 1 << 24 };
static struct ws_msg msg;

static void do_parse(void)
{
	struct ws_hdr h;

	ws_hdr_parse(&h, src, size);
	sink = h.len;
}

static void do_judge(void)
{
	struct ws_hdr h;

	ws_hdr_parse(&h, src, size);
	sink = ws_rules_check(&rules, &msg, &h);
	ws_msg_advance(&msg, &h);
}

static void do_build(void)
{
	u32 k = key;

	sink = ws_hdr_build(dst, 0x82, size, &k);
}

static void bench_header(void)
{
	static const u64 len[] = { 20, 1000, 100000 };
	char name[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		snprintf(name, sizeof(name), "%u", (unsigned int)len[i]);
		size = ws_hdr_build(src, 0x82, len[i], &key);
		report("hdr_parse", name, do_parse, size);
		report("hdr_parse_and_judge", name, do_judge, size);
		size = len[i];
		report("hdr_build", name, do_build, WS_HDR_MAX);
	}
}

int main(void)
{
	double gbps;

	src = aligned_alloc(64, BUFFER_SIZE + 64);
	dst = aligned_alloc(64, BUFFER_SIZE + 64);
	if (!src || !dst)
		return 1;
	memset(src, 'x', BUFFER_SIZE + 64);
	memset(dst, 'x', BUFFER_SIZE + 64);
	printf("what,of,bytes,ns,GB/s\n");
	bench_mask();
	gbps = bench_utf8();
	bench_header();
	printf("P3 utf8 slowest script %.2f GB/s (target %.1f) %s\n", gbps,
	       P3_GBPS, gbps >= P3_GBPS ? "met" : "missed");
	return 0;
}
