// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the sweep goes through of an administrator's: the module's load, shelves,
 * batches, settings and lists.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../guest/lib/dev.h"
#include "../guest/lib/module.h"
#include "../guest/lib/world.h"
#include "sweep.h"

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
	int ret;

	if (!access("/sys/class/shelf", F_OK) || !access("/sys/module/shelf", F_OK))
		return false;
	ret = wire_open(&nl);
	wire_close(&nl);
	return ret == ENOENT;
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
	int ret = shelf_list_sources(s->other, count_source, &n, NULL);

	return ret ?: n == OTHER_SOURCES ? 0 : -EPROTO;
}

static int set(struct site *s)
{
	const struct shelf_settings same = {
		.quarantine_ms = -1, .lease_max_ms = 60000, .max_change = 0,
		.dangling = SHELF_DANGLING_ALLOW, .require_expect = 0,
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

static int commit_next(struct site *s)
{
	return put_next(s, 2, false);
}

static int check_next(struct site *s)
{
	return put_next(s, 2, true);
}

static int trim(struct site *s)
{
	return shelf_trim(s->other, -1, NULL, NULL);
}

const struct step admin_steps[] = {
	{ "load", unload, load, unload, is_unloaded, .least = 850,
	  .last = 300, .times = 4, .alone = true },
	{ "create", other_destroy, other_create, other_end, other_is_gone, .least = 250 },
	{ "destroy", other_make, other_end, other_destroy, .least = 12 },
	{ "sysfs", NULL, read_sysfs, .least = 700 },
	{ "SHELF_CMD_GET", connect_anew, get_shelf, .least = 15 },
	{ "SHELF_CMD_GET, dump", NULL, list_shelves, .least = 55 },
	{ "SHELF_CMD_PINS", pin, list_pins, unpin, .least = 55 },
	{ "SHELF_CMD_SOURCES", other_make_sourced, list_sources, other_end, .least = 50 },
	{ "SHELF_CMD_SET", NULL, set, .least = 48 },
	{ "multicast", connect_anew, join, leave_batch, .least = 2 },
	{ "a batch, aborted", connect_anew, stage_one, leave_batch, .least = 38 },
	{ "commit of sequences, guarded", other_make_sourced, commit_next, other_end,
	  .least = 75 },
	{ "commit of sequences, guarded, in the worker", other_make_sourced, commit_next,
	  other_end, .who = FAULT_WORKER, .least = 9 },
	{ "check, in the worker", other_make_sourced, check_next, other_end,
	  .who = FAULT_WORKER, .least = 9 },
	/* Where blocks are none it comes to be the next one. */
	{ "commit that grows, in the worker", other_make, fill, other_end,
	  .who = FAULT_WORKER, .least = 13, .stride = 41 },
	{ "commit that grows by pages, in the worker", other_make_small, fill,
	  other_end_small, .who = FAULT_WORKER, .least = 70, .stride = 41 },
	{ "trim, in the worker", thin_out, trim, other_end, .who = FAULT_WORKER,
	  .least = 11 },
	{ "trim", thin_out, trim, other_end, .least = 75 },
	/* Last: a shelf of which much is free trims itself, later, and that is a generation. */
	{ "commit", NULL, commit, .least = 75, .commits = true },
	{ "commit, in the worker", NULL, commit, .who = FAULT_WORKER, .least = 22,
	  .commits = true },
	{ "commit, NO_WAIT, in the worker", NULL, commit_no_wait, .who = FAULT_WORKER,
	  .least = 20, .commits = true },
};

const unsigned int admin_step_count = sizeof(admin_steps) / sizeof(admin_steps[0]);
