// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "program.h"

uint64_t roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Lengths at which something changes: in a header, in a buffer, in a window */
uint32_t length_of(struct dice *d)
{
	static const uint32_t edges[] = {
		0, 1, 2, 3, 4, 7, 8, 16, 23, 64, 124, 125, 126, 127, 128, 255,
		256, 1000, 1460, 2048, 4095, 4096, 4097, 8192, 16384, 32768,
		65535, 65536, 65537,
	};

	switch (roll_below(d, 8)) {
	case 0 ... 2:
		return roll_below(d, 20);
	case 3:
		return roll_below(d, 300);
	case 4:
		return roll_below(d, 5000);
	case 5:
		return roll_below(d, 70000);
	default:
		return edges[roll_below(d, sizeof(edges) / sizeof(*edges))];
	}
}

static unsigned int draw_call(struct dice *d)
{
	static unsigned int sum;
	unsigned int i, at;

	if (!sum)
		for (i = 0; i < call_count; i++)
			sum += call_names[i]->weight;
	at = roll_below(d, sum);
	for (i = 0; at >= call_names[i]->weight; i++)
		at -= call_names[i]->weight;
	return i;
}

static void make_operation(struct operation *o, struct dice *d, bool threads)
{
	o->call = draw_call(d);
	o->other = threads && call_names[o->call]->threaded &&
		roll_one_in(d, 3);
	o->a = roll(d);
	o->b = roll(d);
	o->n = length_of(d);
	o->seed = roll(d);
}

static unsigned int find_call(const char *name)
{
	unsigned int i = 0;

	while (i < call_count && strcmp(call_names[i]->name, name))
		i++;
	return i;
}

/* Most programs get through attach and role, or nothing much would happen. */
void program_make(struct program *p, struct dice *d)
{
	bool threads = roll_one_in(d, 4);
	unsigned int i = 0;

	memset(p, 0, sizeof(*p));
	p->ipv6 = roll_one_in(d, 4);
	p->client = roll_one_in(d, 3);
	p->connects = roll_one_in(d, 2);
	p->count = 3 + roll_below(d, OPERATIONS - 3);
	if (!roll_one_in(d, 20)) {
		p->op[i++].call = find_call("attach");
		if (roll_one_in(d, 3))
			make_operation(&p->op[i++], d, threads);
		p->op[i++].call = find_call("role");
	}
	for (; i < p->count; i++)
		make_operation(&p->op[i], d, threads);
}

static void insert_operation(struct program *p, unsigned int at,
			     const struct operation *o)
{
	if (p->count == OPERATIONS)
		return;
	memmove(p->op + at + 1, p->op + at, (p->count - at) * sizeof(*o));
	p->op[at] = *o;
	p->count++;
}

static void remove_operation(struct program *p, unsigned int at)
{
	p->count--;
	memmove(p->op + at, p->op + at + 1,
		(p->count - at) * sizeof(*p->op));
}

static void change_field(struct operation *o, struct dice *d)
{
	switch (roll_below(d, 8)) {
	case 0:
		o->a = roll(d);
		break;
	case 1:
		o->b = roll(d);
		break;
	case 2:
		o->a ^= 1 << roll_below(d, 8);
		break;
	case 3:
		o->b ^= 1 << roll_below(d, 8);
		break;
	case 4:
		o->n = length_of(d);
		break;
	case 5:
		o->n += roll_below(d, 9) - 4;
		break;
	case 6:
		o->seed = roll(d);
		break;
	default:
		o->other = call_names[o->call]->threaded && !o->other;
	}
}

/* The head of one and the tail of another */
static void cross(struct program *p, const struct program *other,
		  struct dice *d)
{
	unsigned int i, head = roll_below(d, p->count + 1);

	p->count = head;
	for (i = roll_below(d, other->count + 1); i < other->count; i++)
		insert_operation(p, p->count, &other->op[i]);
}

static void mutate_once(struct program *p, const struct program *other,
			struct dice *d)
{
	unsigned int at = p->count ? roll_below(d, p->count) : 0;
	struct operation o;

	switch (roll_below(d, 10)) {
	case 0 ... 2:
		make_operation(&o, d, true);
		insert_operation(p, at, &o);
		break;
	case 3:
		if (p->count > 1)
			remove_operation(p, at);
		break;
	case 4:
		if (p->count)
			insert_operation(p, roll_below(d, p->count),
					 &p->op[at]);
		break;
	case 5:
		if (other->count)
			insert_operation(p, at, other->op +
					 roll_below(d, other->count));
		break;
	case 6:
		if (roll_one_in(d, 4))
			cross(p, other, d);
		break;
	default:
		if (p->count)
			change_field(&p->op[at], d);
	}
}

void program_mutate(struct program *p, const struct program *other,
		    struct dice *d)
{
	unsigned int i = 1 + roll_below(d, 6);

	if (roll_one_in(d, 30))
		p->client = !p->client;
	if (roll_one_in(d, 30))
		p->connects = !p->connects;
	while (i--)
		mutate_once(p, other, d);
}

void program_print(const struct program *p, FILE *out)
{
	const struct operation *o;

	fprintf(out, "%s %s %s\n", p->ipv6 ? "ipv6" : "ipv4",
		p->client ? "client" : "server",
		p->connects ? "connects" : "accepts");
	for (o = p->op; o < p->op + p->count; o++)
		fprintf(out, "%s%s %u %u %u %u\n", o->other ? "& " : "",
			call_names[o->call]->name, o->a, o->b, o->n, o->seed);
}

static int read_operation(struct operation *o, const char *line)
{
	unsigned int a, b, n, seed;
	char name[32];

	memset(o, 0, sizeof(*o));
	if (!strncmp(line, "& ", 2)) {
		o->other = 1;
		line += 2;
	}
	if (sscanf(line, "%31s %u %u %u %u", name, &a, &b, &n, &seed) != 5)
		return -1;
	o->call = find_call(name);
	o->a = a;
	o->b = b;
	o->n = n;
	o->seed = seed;
	return o->call < call_count ? 0 : -1;
}

int program_read(struct program *p, FILE *in)
{
	char line[200], family[8], role[8], how[16];

	memset(p, 0, sizeof(*p));
	while (fgets(line, sizeof(line), in) && (*line == '#' || *line == '\n'))
		;
	if (sscanf(line, "%7s %7s %15s", family, role, how) != 3)
		goto wrong;
	p->ipv6 = !strcmp(family, "ipv6");
	p->client = !strcmp(role, "client");
	p->connects = !strcmp(how, "connects");
	while (p->count < OPERATIONS && fgets(line, sizeof(line), in)) {
		if (*line == '#' || *line == '\n')
			continue;
		if (read_operation(&p->op[p->count++], line))
			goto wrong;
	}
	return 0;

wrong:
	fprintf(stderr, "# no program: %s", line);
	return -1;
}

uint64_t program_hash(const struct program *p)
{
	const struct operation *o;
	struct dice d = { p->ipv6 * 4 + p->client * 2 + p->connects };

	for (o = p->op; o < p->op + p->count; o++) {
		d.state ^= (uint64_t)o->n << 32 | o->seed;
		roll(&d);
		d.state ^= o->call << 24 | o->other << 16 | o->a << 8 | o->b;
		roll(&d);
	}
	return roll(&d);
}
