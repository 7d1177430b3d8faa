// SPDX-License-Identifier: GPL-2.0
/* net.ws.*: settings of a network namespace, and of those made from it */
#include <limits.h>
#include <sys/wait.h>

#include "fixture.h"

static int connect_alone(struct peer *p, int family, int role)
{
	return peer_netns() ?: peer_connect(p, family, role);
}

PEER_FIXTURE_AS(ns, connect_alone)

static const struct {
	const char *name;
	int min, max, initial;
	bool capped;
} settings[] = {
	{ "enabled", 0, 2, 2, true },
	{ "closing_max", 0, 65536, 4096, true },
	{ "close_discard", 0, 16 << 20, 1 << 20, true },
	{ "close_timeout", 1, 3600000, 30000 },
	{ "close_timeout_max", 1, 3600000, 60000, true },
	{ "ping_interval", 0, 86400000, 0 },
	{ "ping_timeout", 0, 86400000, 0 },
	{ "rx_frame_max", 0, INT_MAX, 0 },
	{ "rx_message_max", 0, INT_MAX, 0 },
	{ "rx_fragments_max", 0, INT_MAX, 0 },
};

TEST_F(ns, initial_values)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		EXPECT_EQ(settings[i].initial,
			  peer_get_sysctl(settings[i].name))
			TH_LOG("setting %d", i);
}

TEST_F(ns, limits)
{
	const char *name;
	int i, max;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		name = settings[i].name;
		/* inherited: what the namespace that we came from has */
		max = settings[i].capped ? settings[i].initial :
					   settings[i].max;
		EXPECT_EQ(EINVAL, peer_set_sysctl(name, settings[i].min - 1));
		if (max < INT_MAX)
			EXPECT_EQ(EINVAL, peer_set_sysctl(name, max + 1));
		EXPECT_EQ(settings[i].initial, peer_get_sysctl(name));
		EXPECT_EQ(0, peer_set_sysctl(name, settings[i].min));
		EXPECT_EQ(settings[i].min, peer_get_sysctl(name));
		EXPECT_EQ(0, peer_set_sysctl(name, max));
		EXPECT_EQ(max, peer_get_sysctl(name));
	}
}

TEST_F(ns, a_child_inherits)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		ASSERT_EQ(0, peer_set_sysctl(settings[i].name,
					     settings[i].min + 1));
	ASSERT_EQ(0, peer_netns());
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		EXPECT_EQ(settings[i].min + 1,
			  peer_get_sysctl(settings[i].name));
}

TEST_F(ns, a_child_can_only_lower)
{
	int i, value;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		ASSERT_EQ(0, peer_set_sysctl(settings[i].name, 1));
	ASSERT_EQ(0, peer_netns());
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		value = settings[i].capped ? EINVAL : 0;
		EXPECT_EQ(value, peer_set_sysctl(settings[i].name, 2))
			TH_LOG("setting %d", i);
		if (!settings[i].capped)
			continue;
		EXPECT_EQ(0, peer_set_sysctl(settings[i].name,
					     settings[i].min));
		EXPECT_EQ(0, peer_set_sysctl(settings[i].name, 1));
	}
	/* nor can a grandchild, in a user namespace of its own */
	ASSERT_EQ(0, peer_set_sysctl("closing_max", 0));
	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	ASSERT_EQ(0, peer_netns());
	EXPECT_EQ(0, peer_get_sysctl("closing_max"));
}

static int in(int netns)
{
	return setns(netns, CLONE_NEWNET);
}

TEST_F(ns, each_for_itself)
{
	int parent = open("/proc/self/ns/net", O_RDONLY), child;

	ASSERT_EQ(0, peer_netns());
	child = open("/proc/self/ns/net", O_RDONLY);
	ASSERT_EQ(0, peer_set_sysctl("close_timeout", 1234));
	ASSERT_EQ(0, in(parent));
	EXPECT_EQ(30000, peer_get_sysctl("close_timeout"));
	/* what the parent forbids later, the child keeps */
	ASSERT_EQ(0, peer_set_sysctl("enabled", 0));
	ASSERT_EQ(0, in(child));
	EXPECT_EQ(1234, peer_get_sysctl("close_timeout"));
	EXPECT_EQ(2, peer_get_sysctl("enabled"));
}

TEST_F(ns, counters_of_its_own)
{
	int parent = open("/proc/self/ns/net", O_RDONLY);
	struct peer q;

	ASSERT_EQ(0, peer_attach(self->fd));
	EXPECT_EQ(1, peer_stat("WsAttach"));
	ASSERT_EQ(0, peer_netns());
	EXPECT_EQ(0, peer_stat("WsAttach"));
	ASSERT_EQ(0, peer_open(&q, variant->family, variant->role));
	EXPECT_EQ(1, peer_stat("WsAttach"));
	/* a socket counts where it was made */
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	EXPECT_EQ(1, peer_stat("WsCurrServer") + peer_stat("WsCurrClient"));
	ASSERT_EQ(0, in(parent));
	EXPECT_EQ(1, peer_stat("WsCurrServer") + peer_stat("WsCurrClient"));
	EXPECT_EQ(1, peer_stat("WsAttach"));
}

TEST_F(ns, enabled_for_nobody)
{
	ASSERT_EQ(0, peer_set_sysctl("enabled", 0));
	EXPECT_ERRNO(EPERM, peer_attach(self->fd));
	/* the socket is as it was */
	ASSERT_EQ(0, peer_write(&self->p, "raw", 3));
	EXPECT_EQ(0, peer_gets(self->fd, "raw"));
	ASSERT_EQ(0, peer_set_sysctl("enabled", 2));
	EXPECT_EQ(0, peer_attach(self->fd));
}

TEST_F(ns, enabled_is_asked_once)
{
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set_sysctl("enabled", 0));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "goes on"));
	EXPECT_EQ(0, peer_gets(self->fd, "goes on"));
}

/* A user without any capability */
static int be_nobody(void)
{
	return setresgid(65534, 65534, 65534) ?:
	       setresuid(65534, 65534, 65534);
}

TEST_F(ns, enabled_for_the_administrator)
{
	ASSERT_EQ(0, peer_set_sysctl("enabled", 1));
	EXPECT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_connect(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, be_nobody());
	EXPECT_ERRNO(EPERM, peer_attach(self->p.fd));
}

TEST_F(ns, enabled_for_everybody)
{
	ASSERT_EQ(0, be_nobody());
	ASSERT_EQ(0, peer_attach(self->fd));
	ASSERT_EQ(0, peer_set(self->fd, WS_ROLE, variant->role));
	ASSERT_EQ(0, peer_text(&self->p, FIN | TEXT, "hello"));
	EXPECT_EQ(0, peer_gets(self->fd, "hello"));
}

/* Root of a user namespace is nobody in a network namespace from outside. */
TEST_F(ns, root_elsewhere)
{
	struct peer q;

	ASSERT_EQ(0, peer_set_sysctl("enabled", 1));
	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	EXPECT_ERRNO(EPERM, peer_attach(self->fd));
	ASSERT_EQ(0, peer_netns());
	/* here it is root: and the socket's namespace counts, not its own */
	EXPECT_ERRNO(EPERM, peer_attach(self->fd));
	ASSERT_EQ(0, peer_open(&q, variant->family, variant->role));
	ASSERT_EQ(0, peer_text(&q, FIN | TEXT, "hello"));
	EXPECT_EQ(0, peer_gets(q.fd, "hello"));
	EXPECT_EQ(EINVAL, peer_set_sysctl("enabled", 2));
}

TEST_F(ns, nobody_writes_the_settings)
{
	int i;

	ASSERT_EQ(0, be_nobody());
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		EXPECT_EQ(EACCES, peer_set_sysctl(settings[i].name, 1));
		EXPECT_EQ(settings[i].initial,
			  peer_get_sysctl(settings[i].name));
	}
	EXPECT_EQ(0, peer_stat("WsAttach"));
}

static long references(void)
{
	FILE *file = fopen("/sys/module/ws_ulp/refcnt", "r");
	long n = -1;

	if (!file || fscanf(file, "%ld", &n) != 1)
		n = -1;
	if (file)
		fclose(file);
	return n;
}

static int references_are(long n)
{
	int ms;

	for (ms = 0; ms < PEER_LIMIT && references() != n; ms++)
		poll(NULL, 0, 1);
	return ms < PEER_LIMIT ? 0 : -1;
}

TEST_F(ns, ends_with_its_last_socket)
{
	int status;
	pid_t pid;

	/* nothing else in the guest has a socket of this kind */
	ASSERT_EQ(0, references_are(0));
	pid = fork();
	if (!pid) {
		struct peer q;

		if (peer_netns() || peer_set_sysctl("close_timeout", 200) ||
		    peer_open(&q, variant->family, variant->role) ||
		    references() <= 0)
			_exit(1);
		/* its end of TCP is left to the kernel, and so the namespace */
		_exit(close(q.fd) || peer_stat("WsLinger") != 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, references_are(0));
}

TEST_HARNESS_MAIN
