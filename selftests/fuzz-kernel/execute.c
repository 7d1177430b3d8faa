// SPDX-License-Identifier: GPL-2.0
/* Run a program: two threads, the connection before and after. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cover.h"
#include "run.h"

#define STUCK	100	/* seconds that the second thread may take */

struct totals totals;
bool fast_time, verbose;
const struct call_name *call_names[100];
unsigned int call_count;

static struct cover covers[2];
static int fail_nth = -1;

/* The second thread and what it has to do */
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct run *running;
static unsigned int queue[OPERATIONS], queued, done;

void wrong(struct run *r, const char *format, ...)
{
	va_list ap;

	if (*r->wrong)
		return;
	va_start(ap, format);
	vsnprintf(r->wrong, sizeof(r->wrong), format, ap);
	va_end(ap);
}

const struct call *call_of(const struct operation *o)
{
	return o->call < near_count ? &near_calls[o->call] :
		&far_calls[o->call - near_count];
}

static void *second_thread(void *arg)
{
	const struct operation *o;

	near_second_thread();
	cover_open(&covers[1]);
	pthread_mutex_lock(&lock);
	for (;;) {
		while (done == queued)
			pthread_cond_wait(&changed, &lock);
		o = &running->program->op[queue[done]];
		pthread_mutex_unlock(&lock);
		call_of(o)->run(running, o);
		pthread_mutex_lock(&lock);
		if (++done == queued)
			pthread_cond_broadcast(&changed);
	}
	return arg;
}

static void hand_over(unsigned int index)
{
	pthread_mutex_lock(&lock);
	queue[queued++] = index;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	sched_yield();
}

/* Return: whether the second thread came to its end */
static bool join(void)
{
	struct timespec end;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STUCK;
	pthread_mutex_lock(&lock);
	while (done < queued && !ret)
		ret = pthread_cond_timedwait(&changed, &lock, &end);
	ret = done < queued;
	if (!ret) {
		done = 0;
		queued = 0;
	}
	pthread_mutex_unlock(&lock);
	return !ret;
}

static void arm_failure(unsigned int n)
{
	char text[16];

	if (fail_nth >= 0)
		pwrite(fail_nth, text,
		       snprintf(text, sizeof(text), "%u", n), 0);
}

/* The call that is to fail is over: what follows in the operation is not it. */
void disarm(struct run *r)
{
	if (r->fail)
		arm_failure(0);
}

static void run_one(struct run *r, const struct operation *o)
{
	const struct call *call = call_of(o);
	unsigned int fail = r->fail;

	if (fail)
		arm_failure(fail);
	call->run(r, o);
	if (fail) {
		arm_failure(0);
		r->fail = 0;
	}
	r->last = now_ms();
	far_look(r);
	if (call->far)
		judge_memory(r);
	totals.calls += !call->far;
}

/* Whoever else reads or sets options takes the order from the model. */
static bool can_judge(const struct program *p)
{
	const struct operation *o;

	for (o = p->op; o < p->op + p->count; o++)
		if (o->other && !call_of(o)->judged)
			return false;
	return true;
}

static void prepare(struct run *r, const struct program *p)
{
	struct timeval limit = { 0, fast_time ? 200000 : 3000 };

	model_reset(&r->model);
	r->out_len = 0;
	memset(&r->base, 0, offsetof(struct run, preload) -
	       offsetof(struct run, base));
	r->preload_len = 0;
	r->taken_len = 0;
	r->ext = 0;
	r->fail = 0;
	r->peeks = 0;
	*r->wrong = 0;
	r->program = p;
	r->judge = can_judge(p);
	running = r;
	if (far_open(r, p)) {
		wrong(r, "no connection");
		return;
	}
	setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void finish(struct run *r)
{
	int drained;

	if (!join())
		wrong(r, "the second thread is stuck");
	if (r->fd >= 0) {
		drained = near_drain(r);
		far_look(r);
		judge(r, drained);
	}
	near_close(r);
	far_look(r);
	far_reset(r);
}

void execute(struct run *r, const struct program *p)
{
	unsigned int i;

	totals.programs++;
	cover_reset(&covers[0]);
	cover_reset(&covers[1]);
	prepare(r, p);
	if (r->fd < 0)
		return;
	for (i = 0; i < p->count; i++) {
		if (p->op[i].other)
			hand_over(i);
		else if (r->fd >= 0 || call_of(&p->op[i])->far)
			run_one(r, &p->op[i]);
	}
	finish(r);
}

unsigned int execute_cover(void)
{
	return cover_take(&covers[0]) + cover_take(&covers[1]);
}

static void list_calls(const struct call *calls, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		call_names[call_count++] = &calls[i].name;
}

int execute_open(void)
{
	pthread_condattr_t attr;

	list_calls(near_calls, near_count);
	list_calls(far_calls, far_count);

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (near_open())
		return -1;
	cover_open(&covers[0]);
	return pthread_create(&thread, NULL, second_thread, NULL) ? -1 : 0;
}
