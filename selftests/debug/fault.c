// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define WORKERS_MAX	256
#define DEBUGFS		"/sys/kernel/debug/"

/* Files that were armed. */
static int armed[WORKERS_MAX];
static unsigned int count;

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int fault_setup(void)
{
	static const char *const settings[][2] = {
		{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
		{ DEBUGFS "failslab/verbose", "0" },
		{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
		{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ DEBUGFS "fail_page_alloc/min-order", "0" },
		{ DEBUGFS "fail_page_alloc/verbose", "0" },
		{ DEBUGFS "fail_usercopy/verbose", "0" },
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]) && !ret; i++)
		ret = file_write(settings[i][0], settings[i][1]);
	return ret ?: file_write("/dev/kmsg", "# allocations fail\n");
}

static int arm_file(const char *path, unsigned int nth)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%u", nth) < 0) {
		close(fd);
		return -errno;
	}
	armed[count++] = fd;
	return 0;
}

/* Works of queues that are bound to no CPU run here; ours are, all of them. */
static bool is_worker(const char *pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	return !strncmp(comm, "kworker/u", 9);
}

static int arm_workers(unsigned int nth)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	char path[64];

	if (!proc)
		return -errno;
	while ((e = readdir(proc)) && count < WORKERS_MAX) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !is_worker(e->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fail-nth", e->d_name);
		arm_file(path, nth);	/* it may have gone meanwhile */
	}
	closedir(proc);
	return count ? 0 : -ESRCH;
}

int fault_arm(enum fault_who who, unsigned int nth)
{
	count = 0;
	return who == FAULT_WORKER ? arm_workers(nth) : arm_file("/proc/self/fail-nth", nth);
}

/*
 * What is left of the count: 0 if it came to its end. To read it is to copy it to user
 * memory, and that may be what fails: then nothing before did.
 */
static int left(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 1;
	return atoi(text);
}

/* An idle worker may be gone, with what was asked of it. */
static int take_back(int fd)
{
	int ret = 0;

	if (pwrite(fd, "0", 1, 0) != 1 && pwrite(fd, "0", 1, 0) != 1 && errno != ESRCH)
		ret = -errno;
	close(fd);
	return ret;
}

/* All of it, or what comes next would fail for no reason of its own. */
int fault_disarm(void)
{
	int hit = 0, error = 0, ret;

	while (count) {
		int fd = armed[--count];

		hit |= !left(fd);
		ret = take_back(fd);
		error = error ?: ret;
	}
	return error ?: hit;
}
