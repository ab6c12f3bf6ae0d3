// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Files: open, close, dup, read, poll; sysfs and the module's parameters. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "place.h"

#define INTERRUPT_MS	20

static int *file_slot(struct lane *l, __u64 slot)
{
	return &l->slots->file[slot % SLOTS];
}

static long close_slot(int *slot)
{
	int fd = __atomic_exchange_n(slot, -1, __ATOMIC_ACQ_REL);

	return fd < 0 ? -EBADF : ERRNO(close(fd));
}

static long fill_slot(int *slot, int fd)
{
	if (fd < 0)
		return -errno;
	fd = __atomic_exchange_n(slot, fd, __ATOMIC_ACQ_REL);
	if (fd >= 0)
		close(fd);
	return 0;
}

long run_open(struct lane *l, const struct call *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shelf/%s", name_of(l->slots->worker, c->arg[1]));
	/* No flag that makes or truncates a file. */
	return fill_slot(file_slot(l, c->arg[0]),
			 open(path, (int)(c->arg[2] & ~(__u64)(O_CREAT | O_TRUNC)) | O_CLOEXEC));
}

long run_close(struct lane *l, const struct call *c)
{
	return close_slot(file_slot(l, c->arg[0]));
}

long run_dup(struct lane *l, const struct call *c)
{
	return fill_slot(file_slot(l, c->arg[0]), dup(*file_slot(l, c->arg[1])));
}

/* Again and again: it may come before the call that it is meant for. */
void interrupt_soon(struct lane *l, bool on)
{
	const struct timeval soon = { .tv_usec = on ? INTERRUPT_MS * 1000 : 0 };
	const struct itimerval timer = { soon, soon };

	if (!l->alone)
		setitimer(ITIMER_REAL, &timer, NULL);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

long run_read(struct lane *l, const struct call *c)
{
	int fd = *file_slot(l, c->arg[0]);
	size_t room;
	void *at = place_at(l, c->arg[1], c->arg[2] % 8192, &room);
	ssize_t n;

	if (l->alone && !readable(fd))
		return -EAGAIN;
	interrupt_soon(l, true);
	n = read(fd, at, c->arg[2] % 8192);
	n = n < 0 ? -errno : n;
	interrupt_soon(l, false);
	return n;
}

long run_poll(struct lane *l, const struct call *c)
{
	struct pollfd p = { .fd = *file_slot(l, c->arg[0]), .events = (short)c->arg[1] };

	if (poll(&p, 1, (int)(c->arg[2] % 4)) < 0)
		return -errno;
	l->news = (__u16)p.revents;
	return p.revents;
}

/* The n-th entry of a directory that is no directory itself. */
static bool entry_at(const char *dir, __u64 n, char path[512])
{
	struct dirent *e;
	DIR *d = opendir(dir);
	unsigned int i = 0;

	if (!d)
		return false;
	while ((e = readdir(d)))
		if (e->d_type == DT_REG && i++ == n)
			break;
	if (e)
		snprintf(path, 512, "%.200s/%.255s", dir, e->d_name);
	closedir(d);
	return e;
}

long run_sysfs(struct lane *l, const struct call *c)
{
	char dir[300], path[512], text[4096];
	ssize_t n;
	int fd;

	snprintf(dir, sizeof(dir), "/sys/class/shelf/%s%s",
		 name_of(l->slots->worker, c->arg[0]), c->arg[2] & 2 ? "/power" : "");
	if (!entry_at(dir, c->arg[1] % 80, path))
		return -ENOENT;
	fd = open(path, (c->arg[2] & 1 ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = c->arg[2] & 1 ? write(fd, "1", 1) : read(fd, text, sizeof(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

/* 0, 1: small_chunks; else what there is to be read. */
long run_param(struct lane *l, const struct call *c)
{
	static const char *const text[] = { "N", "Y" };
	char path[512], word[64];
	int fd, ret;

	(void)l;
	if (c->arg[0] < 2)
		return write_file("/sys/module/shelf/parameters/small_chunks",
				  text[c->arg[0]]);
	if (!entry_at("/sys/module/shelf/parameters", c->arg[0] - 2, path))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = read(fd, word, sizeof(word)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}
