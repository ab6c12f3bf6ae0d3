// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the sweep goes through of a reader's: the device, mappings, lookups, pins.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest/lib/dev.h"
#include "../guest/lib/pins.h"
#include "../guest/lib/world.h"
#include "sweep.h"

/*
 * The device
 * ==========
 */
static int open_it(struct site *s)
{
	s->fd = kit_open(&s->k);
	return s->fd < 0 ? s->fd : 0;
}

static int close_it(struct site *s)
{
	int ret = s->fd < 0 ? 0 : ERRNO(close(s->fd));

	s->fd = -1;
	return ret;
}

static int map(struct site *s, void *at, size_t bytes)
{
	s->at = at;
	s->bytes = bytes;
	return at == MAP_FAILED ? -errno : 0;
}

static int map_control_page(struct site *s)
{
	return map(s, map_control(s->k.fd), PAGE);
}

static int map_all(struct site *s)
{
	return map(s, map_arena(s->k.fd, s->k.arena_bytes), s->k.arena_bytes);
}

static int unmap(struct site *s)
{
	int ret = ERRNO(munmap(s->at, s->bytes));

	s->at = NULL;
	return ret;
}

/* A fault that finds no memory is tried again: nobody is told. */
static int touch_it(struct site *s)
{
	touch(s->at, s->bytes < 8 * CHUNK ? s->bytes : 8 * CHUNK);
	return 0;
}

/* Mapped by 4 KiB, what is there and what is not. */
static int map_small(struct site *s)
{
	int ret = other_make_small(s) ?: fill(s);

	if (ret)
		return ret;
	s->fd = dev_open(s->other, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	return map(s, map_arena(s->fd, OTHER_BYTES), OTHER_BYTES);
}

static int unmap_small(struct site *s)
{
	return unmap(s) ?: close_it(s) ?: other_end_small(s);
}

static int fork_it(struct site *s)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		touch(s->at, CHUNK);
		_exit(0);
	}
	return waitpid(pid, &status, 0) != pid || status ? -EPROTO : 0;
}

/* Splits the mapping where it may be, and not where it must not. */
static int cut_it(struct site *s)
{
	char *at = s->at;

	if (!munmap(at + PAGE, PAGE))
		return -EPROTO;
	return ERRNO(mprotect(at + CHUNK, CHUNK, PROT_NONE)) ?:
	       ERRNO(mprotect(at + CHUNK, CHUNK, PROT_READ));
}

static int read_it(struct site *s)
{
	__u64 generation = 0;

	if (read(s->fd, &generation, sizeof(generation)) < 0)
		return -errno;
	return generation == s->generation ? 0 : -EPROTO;
}

static int poll_it(struct site *s)
{
	struct pollfd p = { .fd = s->k.fd, .events = POLLIN };
	int n = poll(&p, 1, 0);

	return n < 0 ? -errno : 0;
}

/*
 * Lookups
 * =======
 *
 * Of the newest generation, or of one that is pinned.
 */
static int answered(int ret)
{
	return ret < 0 ? -EPROTO : -ret;
}

static int info(struct site *s)
{
	return answered(world_info(s->k.fd, s->pin, s->generation));
}

/* One with attributes in a slot, one with pages of them. */
static int get(struct site *s)
{
	__s64 id, longest = 1;
	int ret;

	for (id = 1; id <= WORLD_PRODUCTS; id++)
		if (world_attrs_len(id) > world_attrs_len(longest))
			longest = id;
	ret = world_get(s->k.fd, s->pin, s->generation, longest, s->buffer);
	return answered(ret ?: world_get(s->k.fd, s->pin, s->generation, 7, s->buffer));
}

static int get_many(struct site *s)
{
	return answered(world_get_many(s->k.fd, s->pin, s->generation, s->buffer));
}

static int members(struct site *s)
{
	__s64 id;
	int ret = 0;

	for (id = 1; id <= WORLD_CATALOGS && !ret; id++)
		ret = world_members(s->k.fd, s->pin, s->generation, id, s->buffer);
	return answered(ret);
}

static int is_member(struct site *s)
{
	return answered(world_is_member(s->k.fd, s->pin, s->generation, 1, 0));
}

static int scan(struct site *s)
{
	return answered(world_scan(s->k.fd, s->pin, s->generation, s->buffer) ?:
			world_scan_catalogs(s->k.fd, s->pin, s->generation, s->buffer));
}

static int wait_for(struct site *s)
{
	struct shelf_ioc_wait q = { .size = sizeof(q), .generation = s->generation };

	return ERRNO(ioctl(s->k.fd, SHELF_IOC_WAIT, &q));
}

static int report(struct site *s)
{
	struct shelf_ioc_report q = { .size = sizeof(q), .lookups = 1, .hits = 1 };

	return ERRNO(ioctl(s->k.fd, SHELF_IOC_REPORT, &q));
}

int pin(struct site *s)
{
	struct shelf_ioc_pin q;
	int ret = pin_take(s->k.fd, 0, 0, &q);

	s->pin = ret ? 0 : q.pin;
	return ret;
}

int unpin(struct site *s)
{
	int ret = pin_drop(s->k.fd, s->pin);

	if (!ret)
		s->pin = 0;
	return ret;
}

static int unpin_if(struct site *s)
{
	return s->pin ? unpin(s) : 0;
}

/* What a failed pin left would be one too many. */
static bool no_pin(struct site *s)
{
	return sysfs_value(s->k.name, "pins") == 0;
}

/* A file that holds a pin and a mapping, closed. */
static int close_all(struct site *s)
{
	return ERRNO(munmap(s->at, s->bytes)) ?: close_it(s);
}

static int open_all(struct site *s)
{
	int ret = open_it(s);

	if (!ret)
		ret = map(s, map_arena(s->fd, CHUNK), CHUNK);
	return ret ?: pin_take(s->fd, 0, 0, NULL);
}

const struct step read_steps[] = {
	{ "open", NULL, open_it, close_it, .least = 5 },
	{ "map the control page", NULL, map_control_page, unmap, .least = 7 },
	{ "map the arena", NULL, map_all, unmap, .least = 8 },
	{ "touch the arena", map_all, touch_it, unmap, .least = 16 },
	{ "touch the arena, small pages", map_small, touch_it, unmap_small, .least = 16 },
	{ "fork", map_all, fork_it, unmap, .least = 180 },
	{ "mprotect a part", map_all, cut_it, unmap, .least = 24 },
	{ "read", open_it, read_it, close_it, .least = 1 },
	{ "poll", NULL, poll_it, .least = 1 },
	{ "close", open_all, close_all, .least = 7 },
	{ "INFO", NULL, info, .least = 2 },
	{ "GET", NULL, get, .least = 4 },
	{ "GET_MANY", NULL, get_many, .least = 6 },
	{ "MEMBERS", NULL, members, .least = 22 },
	{ "IS_MEMBER", NULL, is_member, .least = 2 },
	{ "SCAN", NULL, scan, .least = 22 },
	{ "WAIT", NULL, wait_for, .least = 2 },
	{ "REPORT", NULL, report, .least = 1 },
	{ "PIN", NULL, pin, unpin_if, no_pin, .least = 5 },
	{ "UNPIN", pin, unpin, unpin_if, .least = 1 },
	{ "GET, pinned", pin, get, unpin, .least = 4 },
	{ "MEMBERS, pinned", pin, members, unpin, .least = 22 },
	{ "SCAN, pinned", pin, scan, unpin, .least = 22 },
};

const unsigned int read_step_count = sizeof(read_steps) / sizeof(read_steps[0]);
