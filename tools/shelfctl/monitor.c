// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl monitor: a line an event. Of a shelf in a file nobody sends any: its
 * generations are waited for, and of those that come at once the last is told.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"

/**
 * struct monitor
 * @name: of the only shelf to tell of, or NULL
 * @left: events to be told
 * @generation: of the file, the last that was told
 */
struct monitor {
	const char *name;
	__u64 left;
	__u64 generation;
};

static const char *word_of(int what)
{
	switch (what) {
	case SHELF_CMD_CREATED:
		return "created";
	case SHELF_CMD_DESTROYED:
		return "destroyed";
	default:
		return "committed";
	}
}

/* A line each, with -p too: who reads events reads lines. */
static void print_json(const struct shelf_event *e)
{
	printf("{\"schema\":1,\"event\":\"%s\",\"shelf\":", word_of(e->what));
	put_string(stdout, e->name);
	if (e->what == SHELF_CMD_COMMITTED)
		printf(",\"generation\":%llu,\"ops\":%llu,\"absent\":%llu,\"pages\":%llu",
		       e->generation, e->ops, e->absent, e->pages);
	puts("}");
}

static void print_text(const struct shelf_event *e)
{
	printf("%s%s%s %s", paint(stdout, PAINT_NAME), e->name, paint(stdout, PAINT_END),
	       word_of(e->what));
	if (e->what == SHELF_CMD_COMMITTED)
		printf(" generation %llu ops %llu absent %llu pages %llu", e->generation,
		       e->ops, e->absent, e->pages);
	putchar('\n');
}

static int tell(struct monitor *m, const struct shelf_event *e)
{
	if (m->name && strcmp(m->name, e->name))
		return 0;
	(json_output ? print_json : print_text)(e);
	m->left--;
	return flush_out();
}

static int monitor_kernel(struct monitor *m)
{
	struct shelf_events *events;
	struct shelf_event e;
	struct shelf_error err;
	int ret;

	if (shelf_events_open(&events, &err))
		return fail(STATUS_REFUSED, err.error, "%s", err.message);
	do {
		ret = shelf_events_next(events, -1, &e, &err);
		if (ret == -ENOBUFS)
			note("events were lost: they came faster than they were read");
	} while (ret == -ENOBUFS || (ret == 1 && !tell(m, &e) && m->left));
	shelf_events_close(events);
	return ret < 0 ? fail(STATUS_REFUSED, ret, "%s", err.message) : STATUS_OK;
}

/* What was done to it is not known, only what it is. */
static void print_generation(const struct monitor *m)
{
	if (!json_output) {
		printf("%s%s%s committed generation %llu\n", paint(stdout, PAINT_NAME),
		       m->name, paint(stdout, PAINT_END), m->generation);
		return;
	}
	fputs("{\"schema\":1,\"event\":\"committed\",\"shelf\":", stdout);
	put_string(stdout, m->name);
	printf(",\"generation\":%llu}\n", m->generation);
}

static int wait_file(struct monitor *m, const struct shelf *s)
{
	int ret;

	for (; m->left; m->left--) {
		ret = shelf_wait(s, m->generation + 1, -1, &m->generation);
		if (ret)
			return ret;
		print_generation(m);
		if (flush_out())
			return 0;	/* main() tells */
	}
	return 0;
}

static int monitor_file(const struct args *a, struct monitor *m)
{
	struct shelf_event gone = { .what = SHELF_CMD_DESTROYED };
	struct shelf_ioc_info info;
	struct shelf *s;
	int ret = open_shelf(a, &s);

	if (ret)
		return ret;
	ret = shelf_info(s, &info);
	if (!ret) {
		m->name = info.name;
		m->generation = info.generation;
		ret = wait_file(m, s);
	}
	shelf_close(s);
	if (ret == -ENODEV) {
		memcpy(gone.name, info.name, sizeof(gone.name));
		tell(m, &gone);
		ret = 0;
	}
	return ret ? fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret)) :
		     STATUS_OK;
}

int run_monitor(const struct args *a)
{
	struct monitor m = { .name = a->shelf, .left = ~0ULL };

	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	if (args_u64(a, OPT_LIMIT, &m.left))
		return STATUS_USAGE;
	if (!m.left)
		return fail(STATUS_USAGE, 0, "--limit is 0");
	return is_hosted(a) ? monitor_file(a, &m) : monitor_kernel(&m);
}
