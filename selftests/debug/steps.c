// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the sweep goes through: the module's load, and every way into it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest/lib/dev.h"
#include "../guest/lib/module.h"
#include "../guest/lib/pins.h"
#include "../guest/lib/world.h"
#include "sweep.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define OTHER_CHUNKS	8U
#define OTHER_BYTES	(OTHER_CHUNKS * CHUNK)
#define OTHER_COUNT	60U		/* products, of so many attribute bytes: two chunks */
#define OTHER_ATTRS	60000U

/*
 * The module
 * ==========
 */
static int unload(struct site *s)
{
	int ret = module_unload_soon();

	return ret == -ENOENT ? 0 : ret;
}

static int load(struct site *s)
{
	return module_load(s->ko);
}

static bool is_unloaded(struct site *s)
{
	struct wire nl;

	return access("/sys/class/shelf", F_OK) && access("/sys/module/shelf", F_OK) &&
	       wire_open(&nl) == ENOENT;
}

/*
 * Shelves
 * =======
 */
static int negative(int error)
{
	return -error;
}

/* A socket for each call: what the last one was not told must not come now. */
static int connect_anew(struct site *s)
{
	wire_close(&s->nl);
	return negative(wire_open(&s->nl));
}

/* The kernel removes a node as it can, and tells nobody if it can't. */
static int other_destroy(struct site *s)
{
	int ret = connect_anew(s) ?: wire_destroy(&s->nl, s->other);

	if (ret && ret != ENOENT)
		return negative(ret);
	ret = ERRNO(unlink("/dev/shelf/other"));
	return ret == -ENOENT ? 0 : ret;
}

static int other_create(struct site *s)
{
	return negative(wire_create(&s->nl, s->other, OTHER_BYTES, 0, 0));
}

static bool other_is_gone(struct site *s)
{
	return access("/sys/class/shelf/other", F_OK) && access("/dev/shelf/other", F_OK);
}

static int other_make(struct site *s)
{
	return other_destroy(s) ?: other_create(s);
}

static int other_end(struct site *s)
{
	int ret = wire_destroy(&s->nl, s->other);

	return ret == ENOENT && other_is_gone(s) ? 0 : negative(ret);
}

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

static int pin(struct site *s)
{
	struct shelf_ioc_pin q;
	int ret = pin_take(s->k.fd, 0, 0, &q);

	s->pin = ret ? 0 : q.pin;
	return ret;
}

static int unpin(struct site *s)
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

/*
 * Administration
 * ==============
 */
static int get_shelf(struct site *s)
{
	struct answer a;
	struct msg m;

	msg_start(&m, &s->nl, SHELF_CMD_GET);
	msg_string(&m, SHELF_A_NAME, s->k.name);
	return negative(wire_talk(&s->nl, &m, &a));
}

static int find_name(const struct shelf_listing *l, void *arg)
{
	return !strcmp(l->name, arg);
}

static int list_shelves(struct site *s)
{
	int ret = shelf_list(find_name, s->k.name, NULL);

	return ret < 0 ? ret : ret ? 0 : -EPROTO;
}

static int count_pin(const struct shelf_pin_listing *l, void *arg)
{
	return 1;
}

static int list_pins(struct site *s)
{
	int ret = shelf_list_pins(s->k.name, count_pin, NULL, NULL);

	return ret < 0 ? ret : ret ? 0 : -EPROTO;
}

static int count_source(const struct shelf_source_listing *l, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

static int list_sources(struct site *s)
{
	unsigned int n = 0;

	return shelf_list_sources(s->k.name, count_source, &n, NULL);
}

static int set(struct site *s)
{
	const struct shelf_settings same = {
		.quarantine_ms = -1, .lease_max_ms = 60000,
	};

	return shelf_set(s->k.name, &same, NULL);
}

static int join(struct site *s)
{
	return negative(wire_join_events(&s->nl));
}

/* Refused operations poison a batch, so it is begun anew each time. */
static int stage_one(struct site *s)
{
	int ret = wire_begin(&s->nl, s->k.name, &s->cookie);
	struct answer a;

	if (ret)
		return negative(ret);
	ret = wire_put(&s->nl, s->cookie, 1, 1);
	return negative(ret ?: wire_abort(&s->nl, s->cookie, &a));
}

static int leave_batch(struct site *s)
{
	wire_close(&s->nl);
	return 0;
}

static int read_file(const char *dir, const char *name)
{
	char path[512], text[4096];
	int fd, ret;

	snprintf(path, sizeof(path), "%.200s/%.255s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = ERRNO(read(fd, text, sizeof(text)));
	close(fd);
	return ret;
}

static int read_sysfs(struct site *s)
{
	char path[128];
	struct dirent *e;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/shelf/%s", s->k.name);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (e = readdir(dir)))
		if (e->d_type == DT_REG && strcmp(e->d_name, "uevent"))
			ret = read_file(path, e->d_name);
	closedir(dir);
	return ret;
}

/*
 * The worker
 * ==========
 */
static int commit(struct site *s)
{
	return world_put(&s->k);
}

static int commit_no_wait(struct site *s)
{
	return world_put_no_wait(&s->k);
}

/* Memory that the shelf does not have yet: as blocks, and as single pages. */
static int fill(struct site *s)
{
	struct kit k = { .fd = -1 };
	int ret;

	snprintf(k.name, sizeof(k.name), "%s", s->other);
	ret = shelf_writer_open(k.name, &k.w, NULL);
	if (ret)
		return ret;
	ret = put_products(&k, 1, OTHER_COUNT, OTHER_ATTRS, 1);
	shelf_writer_close(k.w);
	return ret;
}

static int other_make_small(struct site *s)
{
	return write_file(SMALL_CHUNKS, "Y") ?: other_make(s);
}

static int other_end_small(struct site *s)
{
	return other_end(s) ?: write_file(SMALL_CHUNKS, "N");
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

/* Much is deleted, so that there is much to trim. */
static int thin_out(struct site *s)
{
	struct shelf_writer *w = NULL;
	struct shelf_batch *b;
	int ret = other_make(s) ?: fill(s);
	unsigned int i;

	ret = ret ?: shelf_writer_open(s->other, &w, NULL) ?: shelf_batch_begin(w, &b, NULL);
	for (i = 1; i <= OTHER_COUNT && !ret; i++)
		if (i % 8)
			ret = shelf_batch_delete(b, i, NULL);
	ret = ret ?: shelf_batch_commit(b, NULL, NULL, NULL);
	if (w)
		shelf_writer_close(w);
	return ret;
}

static int trim(struct site *s)
{
	return shelf_trim(s->other, -1, NULL, NULL);
}

const struct step steps[] = {
	{ "load", unload, load, unload, is_unloaded, .least = 20,
	  .last = 300, .alone = true },
	{ "create", other_destroy, other_create, other_end, other_is_gone, .least = 20 },
	{ "destroy", other_make, other_end, other_destroy },
	{ "destroy, in the worker", other_make, other_end, other_destroy,
	  .who = FAULT_WORKER },
	{ "open", NULL, open_it, close_it, .least = 2 },
	{ "map the control page", NULL, map_control_page, unmap, .least = 1 },
	{ "map the arena", NULL, map_all, unmap, .least = 1 },
	{ "touch the control page", map_control_page, touch_it, unmap },
	{ "touch the arena", map_all, touch_it, unmap },
	{ "touch the arena, small pages", map_small, touch_it, unmap_small },
	{ "fork", map_all, fork_it, unmap, .least = 10 },
	{ "mprotect a part", map_all, cut_it, unmap, .least = 1 },
	{ "read", open_it, read_it, close_it, .least = 1 },
	{ "poll", NULL, poll_it },
	{ "close", open_all, close_all },
	{ "INFO", NULL, info, .least = 2 },
	{ "GET", NULL, get, .least = 4 },
	{ "GET_MANY", NULL, get_many, .least = 4 },
	{ "MEMBERS", NULL, members, .least = 4 },
	{ "IS_MEMBER", NULL, is_member, .least = 2 },
	{ "SCAN", NULL, scan, .least = 4 },
	{ "WAIT", NULL, wait_for, .least = 1 },
	{ "REPORT", NULL, report, .least = 1 },
	{ "PIN", NULL, pin, unpin_if, no_pin, .least = 4 },
	{ "UNPIN", pin, unpin, unpin_if, .least = 1 },
	{ "GET, pinned", pin, get, unpin, .least = 4 },
	{ "MEMBERS, pinned", pin, members, unpin, .least = 4 },
	{ "SCAN, pinned", pin, scan, unpin, .least = 4 },
	{ "sysfs", NULL, read_sysfs, .least = 50 },
	{ "SHELF_CMD_GET", connect_anew, get_shelf, .least = 4 },
	{ "SHELF_CMD_GET, dump", NULL, list_shelves, .least = 10 },
	{ "SHELF_CMD_PINS", pin, list_pins, unpin, .least = 10 },
	{ "SHELF_CMD_SOURCES", NULL, list_sources, .least = 10 },
	{ "SHELF_CMD_SET", NULL, set, .least = 10 },
	{ "multicast", connect_anew, join, leave_batch },
	{ "a batch, aborted", connect_anew, stage_one, leave_batch, .least = 10 },
	{ "commit", NULL, commit, .least = 20, .commits = true },
	{ "commit, in the worker", NULL, commit, .who = FAULT_WORKER, .least = 20,
	  .commits = true },
	{ "commit, NO_WAIT, in the worker", NULL, commit_no_wait, .who = FAULT_WORKER,
	  .least = 20, .commits = true },
	{ "commit that grows, in the worker", other_make, fill, other_end,
	  .who = FAULT_WORKER, .least = 15 },
	{ "commit that grows by pages, in the worker", other_make_small, fill,
	  other_end_small, .who = FAULT_WORKER, .least = 64, .stride = 41 },
	{ "trim, in the worker", thin_out, trim, other_end, .who = FAULT_WORKER,
	  .least = 5 },
	{ "trim", thin_out, trim, other_end, .least = 5 },
};

const unsigned int step_count = sizeof(steps) / sizeof(steps[0]);
