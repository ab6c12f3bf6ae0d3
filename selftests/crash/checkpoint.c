// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "state.h"
#include "tool.h"

#define NAME	"checkpoint"

const char *const checkpoint_fault_names[CP_FAULTS] = {
	"torn: a checkpoint is not one state, or what is not was taken for one",
	"old: an acknowledged checkpoint is gone",
	"unknown: a checkpoint is of no state that was applied",
};

static void fault(struct checkpoints *c, enum checkpoint_fault what, const char *where,
		  const char *why)
{
	if (c->faults[what]++ < 5)
		printf("# %s: %s: %s\n", where, checkpoint_fault_names[what], why);
}

/* Into a shelf of its own. Returns shelfctl's status; 0: @f tells what is there then. */
static int load(const char *path, struct told *told, struct found *f)
{
	const struct shelf_settings settings = { .max_bytes = 64 << 20 };
	struct tool t = { .errors = true };
	struct shelf_error err;

	shelf_destroy(tool_shelf, NULL);
	if (shelf_create(tool_shelf, &settings, &err))
		bail("%s: %s", tool_shelf, err.message);
	tool_run(&t, "apply", path, "--whole", -1);
	tool_end(&t, told);
	if (state_find(tool_shelf, f))
		bail("%s can't be read", tool_shelf);
	shelf_destroy(tool_shelf, NULL);
	return told->status;
}

/* A refusal names the file, at its beginning. */
static bool is_refusal(const struct told *told, const char *path)
{
	const char *text = told->output;

	if (!strncmp(text, "shelfctl: ", 10))
		text += 10;
	return told->status == 4 && !strncmp(text, path, strlen(path));
}

static void check_left(struct checkpoints *c, const char *path, const char *where)
{
	struct told told;
	struct found f;

	if (!load(path, &told, &f)) {
		c->left_whole++;
		if (!state_is_whole(&f))
			fault(c, CP_TORN, where, path);
		return;
	}
	c->left_refused++;
	if (!is_refusal(&told, path) || f.generation != 1)
		fault(c, CP_TORN, where, told.output);
}

static void check_named(struct checkpoints *c, const char *path, __u64 told_of,
			__u64 applied, const char *where)
{
	struct told told;
	struct found f;

	if (load(path, &told, &f)) {
		fault(c, CP_TORN, where, told.output);
		return;
	}
	c->whole++;
	if (!state_is_whole(&f))
		fault(c, CP_TORN, where, "digest");
	if (told_of && f.state + 1 < told_of)
		fault(c, CP_OLD, where, "an older one");
	if (f.state > applied)	/* generation applied + 1 may be on its way */
		fault(c, CP_UNKNOWN, where, "the future");
}

void checkpoints_check(struct checkpoints *c, const char *directory, __u64 told,
		       __u64 applied, const char *where)
{
	DIR *d = opendir(directory);
	char path[512];
	struct dirent *e;
	bool there = false;

	if (!d)
		bail("%s: %s", directory, strerror(errno));
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%.255s", directory, e->d_name);
		if (!strcmp(e->d_name, NAME)) {
			there = true;
			check_named(c, path, told, applied, where);
		} else if (!strncmp(e->d_name, NAME ".", sizeof(NAME))) {
			check_left(c, path, where);
		}
	}
	closedir(d);
	if (!there && told)
		fault(c, CP_OLD, where, "none");
	c->absent += !there && !told;
}
