// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a program gives the kernel late, or never: a copy from it lasts
 * as long as the program likes, and holds up nothing else.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "asleep.h"

FIXTURE(held) {
	struct peer p;
	int fd;
	int faults;		/* of userfaultfd */
	char *page;		/* that is not there yet */
	size_t size;
};

FIXTURE_VARIANT(held) {
	int family;
	int role;
};

PEER_VARIANTS(held);

static int watch(int faults, void *page, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range = { (unsigned long)page, size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(faults, UFFDIO_API, &api) ?:
	       ioctl(faults, UFFDIO_REGISTER, &area);
}

FIXTURE_SETUP(held)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, peer_open_alone(&self->p, variant->family,
				     variant->role));
	self->fd = self->p.fd;
	self->size = sysconf(_SC_PAGESIZE);
	self->page = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	self->faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, self->faults);
	ASSERT_EQ(0, watch(self->faults, self->page, self->size));
}

FIXTURE_TEARDOWN(held)
{
	peer_close(&self->p);
	close(self->faults);
	munmap(self->page, self->size);
}

/* Somebody has come to the page: 0 or -1 */
static int fault_seen(int faults)
{
	struct pollfd pfd = { .fd = faults, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, PEER_LIMIT) != 1)
		return -1;
	return read(faults, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT ? 0 : -1;
}

/* The page comes, with this at its beginning */
static int give(int faults, void *page, size_t size, const void *data,
		size_t len)
{
	struct uffdio_copy copy = { .dst = (unsigned long)page, .len = size };
	char *from = calloc(1, size);
	int ret;

	memcpy(from, data, len);
	copy.src = (unsigned long)from;
	ret = ioctl(faults, UFFDIO_COPY, &copy);
	free(from);
	return ret;
}

static ssize_t set_in_thread(struct peer_job *job, int option)
{
	return setsockopt(job->fd, SOL_WS, option, job->buf, job->len);
}

static ssize_t set_int(struct peer_job *job)
{
	return set_in_thread(job, WS_PING_INTERVAL);
}

static ssize_t set_close(struct peer_job *job)
{
	return set_in_thread(job, WS_CLOSE);
}

static ssize_t set_preload(struct peer_job *job)
{
	return set_in_thread(job, WS_RX_PRELOAD);
}

static ssize_t send_close(struct peer_job *job)
{
	return peer_sendmsg(job->fd, WS_OP_CLOSE, job->buf, job->len, 0);
}

static ssize_t get_int(struct peer_job *job)
{
	socklen_t len = job->len;

	return getsockopt(job->fd, SOL_WS, WS_TX_FRAME_MAX, job->buf, &len);
}

static ssize_t get_info(struct peer_job *job)
{
	socklen_t len = job->len;

	return getsockopt(job->fd, SOL_WS, WS_INFO, job->buf, &len);
}

/* A call that is held at the page */
static int start(struct peer_job *job, int faults,
		 ssize_t (*call)(struct peer_job *), int fd, void *page,
		 size_t len)
{
	*job = (struct peer_job){ .call = call, .fd = fd, .buf = page,
				  .len = len };
	return peer_start_call(job) ?: fault_seen(faults);
}

/* The socket is free meanwhile: each of these takes its lock. */
static void in_use(struct __test_metadata *_metadata, struct peer *p)
{
	struct ws_info info;

	ASSERT_EQ(0, peer_sync(p));
	ASSERT_EQ(0, peer_info(p->fd, &info));
	ASSERT_EQ(0, peer_text(p, FIN | TEXT, "to"));
	ASSERT_EQ(0, peer_gets(p->fd, "to"));
	ASSERT_EQ(3, send(p->fd, "fro", 3, 0));
	ASSERT_EQ(0, peer_see_text(p, FIN | BINARY, "fro"));
}

TEST_F(held, setting_an_int)
{
	struct peer_job job;
	int value = 86400000;

	ASSERT_EQ(0, start(&job, self->faults, set_int, self->fd, self->page,
			   sizeof(value)));
	in_use(_metadata, &self->p);
	EXPECT_TRUE(peer_running(&job));
	ASSERT_EQ(0, give(self->faults, self->page, self->size, &value,
			  sizeof(value)));
	EXPECT_EQ(0, peer_join(&job));
	EXPECT_EQ(value, peer_get(self->fd, WS_PING_INTERVAL));
}

TEST_F(held, setting_close)
{
	struct ws_close c = { .code = 4321 };
	struct peer_job job;

	ASSERT_EQ(0, start(&job, self->faults, set_close, self->fd, self->page,
			   sizeof(c)));
	in_use(_metadata, &self->p);
	ASSERT_EQ(0, give(self->faults, self->page, self->size, &c,
			  sizeof(c)));
	EXPECT_EQ(0, peer_join(&job));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, peer_see_close(&self->p, 4321, ""));
}

TEST_F(held, setting_the_preload)
{
	struct peer *p = &self->p;
	struct peer_job job;
	char frame[32];
	size_t n;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	n = peer_build(p, frame, FIN | TEXT, "early", 5);
	ASSERT_EQ(0, start(&job, self->faults, set_preload, p->fd, self->page,
			   n));
	EXPECT_EQ(0, peer_set(p->fd, WS_CLOSE_TIMEOUT, 4711));
	EXPECT_EQ(4711, peer_get(p->fd, WS_CLOSE_TIMEOUT));
	ASSERT_EQ(0, give(self->faults, self->page, self->size, frame, n));
	ASSERT_EQ(0, peer_join(&job));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	EXPECT_EQ(0, peer_gets(p->fd, "early"));
}

/* Bytes that come when the connection has got its role are refused. */
TEST_F(held, setting_the_preload_too_late)
{
	struct peer *p = &self->p;
	struct peer_job job;

	peer_close(p);
	ASSERT_EQ(0, peer_connect(p, variant->family, variant->role));
	ASSERT_EQ(0, peer_attach(p->fd));
	ASSERT_EQ(0, start(&job, self->faults, set_preload, p->fd, self->page,
			   100));
	ASSERT_EQ(0, peer_set(p->fd, WS_ROLE, variant->role));
	in_use(_metadata, p);
	ASSERT_EQ(0, give(self->faults, self->page, self->size, "", 1));
	EXPECT_EQ(-EALREADY, peer_join(&job));
	in_use(_metadata, p);
}

TEST_F(held, sending_close)
{
	struct peer_job job;

	ASSERT_EQ(0, start(&job, self->faults, send_close, self->fd,
			   self->page, 6));
	in_use(_metadata, &self->p);
	ASSERT_EQ(0, give(self->faults, self->page, self->size,
			  "\x0f\xa0what", 6));
	EXPECT_EQ(6, peer_join(&job));
	EXPECT_EQ(0, peer_see_close(&self->p, 4000, "what"));
}

TEST_F(held, getting_an_int)
{
	struct peer_job job;

	ASSERT_EQ(0, start(&job, self->faults, get_int, self->fd, self->page,
			   sizeof(int)));
	in_use(_metadata, &self->p);
	ASSERT_EQ(0, give(self->faults, self->page, self->size, "", 1));
	EXPECT_EQ(0, peer_join(&job));
	EXPECT_EQ(65536, *(int *)self->page);
}

TEST_F(held, getting_info)
{
	struct ws_info *info = (void *)self->page;
	struct peer_job job;

	ASSERT_EQ(0, start(&job, self->faults, get_info, self->fd, self->page,
			   sizeof(*info)));
	in_use(_metadata, &self->p);
	ASSERT_EQ(0, give(self->faults, self->page, self->size, "", 1));
	EXPECT_EQ(0, peer_join(&job));
	EXPECT_EQ(WS_STATE_OPEN, info->state);
}

/*
 * A send holds the lock over its copy, as on TCP. What wants to reset the
 * connection meanwhile waits for the owner, and not the work queue, which
 * others need.
 */
TEST_F(held, sending_outlasts_its_peer)
{
	struct peer_job job;
	struct peer q;

	ASSERT_EQ(0, peer_open(&q, variant->family, variant->role));
	ASSERT_EQ(0, peer_start(&job, self->fd, self->page, 1000));
	ASSERT_EQ(0, fault_seen(self->faults));
	ASSERT_EQ(0, peer_text(&self->p, FIN | 3, "bad"));
	ASSERT_EQ(0, close(q.fd));
	q.fd = -1;
	ASSERT_EQ(0, peer_see_close(&q, 1000, ""));
	ASSERT_EQ(0, peer_send_close(&q, 1000, ""));
	if (variant->role == WS_CLIENT)
		ASSERT_EQ(0, shutdown(q.raw, SHUT_WR));
	ASSERT_EQ(0, peer_see_fin(&q));
	EXPECT_TRUE(peer_running(&job));
	ASSERT_EQ(0, give(self->faults, self->page, self->size, "", 1));
	EXPECT_EQ(1000, peer_join(&job));
	EXPECT_EQ(0, peer_fails(self->fd, EPROTO));
	peer_close(&q);
}

TEST_HARNESS_MAIN
