// SPDX-License-Identifier: GPL-2.0
/* The place in the file system where a successor finds a server. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve.h"

static const char *control_path;
static struct sockaddr_un address;	/* where it is bound, for now or ever */
static struct stat bound;

static int set_address(struct sockaddr_un *addr, const char *path,
		       const char *suffix)
{
	int n;

	addr->sun_family = AF_UNIX;
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s%s", path,
		     suffix);
	return *path && (size_t)n < sizeof(addr->sun_path) ? 0 : -ENAMETOOLONG;
}

static int dial(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Whatever else it is, it is not ours to remove. */
static bool is_dead_socket(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd;

	if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = dial(addr);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

static int bind_at(int fd)
{
	const struct sockaddr *addr = (const struct sockaddr *)&address;

	if (!bind(fd, addr, sizeof(address)))
		return 0;
	if (errno != EADDRINUSE || !is_dead_socket(&address))
		return -errno;
	unlink(address.sun_path);
	return bind(fd, addr, sizeof(address)) ? -errno : 0;
}

/**
 * control_open() - be found by a successor, or exit
 * @path: where
 * @suffix: "", or something to keep out of the way until control_rename()
 *
 * Called before there are threads: the mask is the process's.
 *
 * Return: a listening socket.
 */
int control_open(const char *path, const char *suffix)
{
	mode_t mask = umask(0177);
	int err, fd;

	if (set_address(&address, path, suffix))
		die_usage("--control: the path is too long: %s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : bind_at(fd);
	umask(mask);
	if (err == -EADDRINUSE)
		die("--control: %s: something else is there, or a server that runs",
		    address.sun_path);
	if (err || listen(fd, 8) || lstat(address.sun_path, &bound))
		die("--control: %s: %s", address.sun_path,
		    strerror(err ? -err : errno));
	control_path = path;
	return fd;
}

/**
 * control_rename() - take the place of the server before
 */
void control_rename(void)
{
	if (rename(address.sun_path, control_path))
		complain("--control: %s: %s", control_path, strerror(errno));
	else
		set_address(&address, control_path, "");
}

/**
 * control_remove() - leave nothing behind, unless it is a successor's
 */
void control_remove(void)
{
	struct stat st;

	if (control_path && !lstat(address.sun_path, &st) &&
	    st.st_dev == bound.st_dev && st.st_ino == bound.st_ino)
		unlink(address.sun_path);
}

/**
 * control_trusted() - is the other end of the same user?
 * @fd: connected
 *
 * It gives or gets all connections. Rights of a path are not enough: others may
 * have made the path.
 */
bool control_trusted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       peer.uid == geteuid();
}

/**
 * control_dial() - find the server that runs, or exit
 * @path: where
 *
 * Return: a connection to it.
 */
int control_dial(const char *path)
{
	struct sockaddr_un addr;
	int fd;

	if (set_address(&addr, path, ""))
		die_usage("--control: the path is too long: %s", path);
	fd = dial(&addr);
	if (fd < 0)
		die("--takeover: %s: %s", path, strerror(-fd));
	if (!control_trusted(fd))
		die("--takeover: %s: the server there is another user's", path);
	return fd;
}
