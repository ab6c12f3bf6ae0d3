// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Tracepoints of pins and of memory (P4: who is revoked, and what comes back): each
 * has the fields that abi.md names, tells of what happened, and in sum no less and no
 * more than sysfs. That of commits is announce's.
 *
 * Seen to fail with fields in another order; with the number of early reuses left out
 * of upkeep_end(); without trace_shelf_unpin(); with shelf_revoke's pid or bytes, or the
 * generation of shelf_pin or of a trim's last step, taken from elsewhere.
 */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "lib/doc.h"
#include "lib/pins.h"
#include "lib/tracefs.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		4U
#define SPREAD_FIRST	10000
#define SPREAD_COUNT	6000U
#define LIST		256
#define MS		1000000ULL
#define SOON_MS		10000		/* a worker under emulation is slow */

FIXTURE(trace)
{
	struct kit k;
};

FIXTURE_SETUP(trace)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, trace_enable("", true))
		TH_LOG("no tracepoints");
	ASSERT_EQ(0, world_make(&self->k, "trace", &settings));
}

FIXTURE_TEARDOWN(trace)
{
	EXPECT_EQ(0, trace_enable("", false));
	kit_drop(&self->k);
}

/*
 * Names
 * =====
 */
static void list_add(char list[LIST], const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, LIST - len, "%s ", name);
}

/* "\tfield:u64 generation;\toffset:..." */
static void take_field(char *line, char told[LIST])
{
	char *end = strchr(line, ';'), *name;

	if (!end)
		return;
	*end = 0;
	name = strrchr(line, ' ') + 1;
	if (strncmp(name, "common_", 7))
		list_add(told, name);
}

/* "print fmt: \"name=%s generation=%llu\", ..." */
static void take_format(char *line, char printed[LIST])
{
	char *at, *rest;

	line = strchr(line, '"') + 1;
	*strchr(line, '"') = 0;
	for (at = strtok_r(line, " ", &rest); at; at = strtok_r(NULL, " ", &rest)) {
		*strchr(at, '=') = 0;
		list_add(printed, at);
	}
}

/* What a program gets, and what is printed. */
static bool event_fields(const char *event, char told[LIST], char printed[LIST])
{
	char path[128], line[1024];
	FILE *f;

	told[0] = printed[0] = 0;
	snprintf(path, sizeof(path), TRACE_EVENTS "/%s/format", event);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "\tfield:", 7))
			take_field(line, told);
		if (!strncmp(line, "print fmt:", 10))
			take_format(line, printed);
	}
	fclose(f);
	return true;
}

TEST_F(trace, fields_are_as_documented)
{
	char event[DOC_CELL], cell[DOC_CELL], wanted[LIST], told[LIST], printed[LIST];
	char *at, *rest;
	unsigned int row;

	for (row = 0; doc_cell("Tracepoints", row, 0, event); row++) {
		wanted[0] = 0;
		ASSERT_TRUE(doc_cell("Tracepoints", row, 2, cell));
		for_each_name(at, cell, rest)
			list_add(wanted, at);
		at = strstr(event, "shelf:") + 6;
		at[strcspn(at, " ")] = 0;
		ASSERT_TRUE(event_fields(at, told, printed))
			TH_LOG("%s is not there", at);
		EXPECT_STREQ(wanted, told);
		EXPECT_STREQ(wanted, printed);
	}
	EXPECT_LE(7, row);
}

TEST_F(trace, events_are_documented)
{
	DIR *dir = opendir(TRACE_EVENTS);
	struct dirent *e;
	char name[300];

	ASSERT_NE(NULL, dir);
	while ((e = readdir(dir))) {
		snprintf(name, sizeof(name), "shelf:%s", e->d_name);
		EXPECT_TRUE(strncmp(e->d_name, "shelf_", 6) || doc_has("Tracepoints", name))
			TH_LOG("%s is not in abi.md", name);
	}
	closedir(dir);
}

/*
 * Pins
 * ====
 */
TEST_F(trace, pin_and_unpin)
{
	char line[TRACE_LINE];
	struct shelf_ioc_pin q;
	__u64 begun = now_ns();

	ASSERT_EQ(0, pin_take(self->k.fd, 0, 0, &q));
	ASSERT_TRUE(trace_last("shelf_pin", self->k.name, line));
	EXPECT_EQ(WORLD_FIRST, trace_field(line, "generation"));
	EXPECT_EQ(q.pin, trace_field(line, "pin"));
	EXPECT_FALSE(trace_last("shelf_unpin", self->k.name, line));
	sleep_ms(5);
	ASSERT_EQ(0, pin_drop(self->k.fd, q.pin));
	ASSERT_TRUE(trace_last("shelf_unpin", self->k.name, line));
	EXPECT_EQ(WORLD_FIRST, trace_field(line, "generation"));
	EXPECT_EQ(q.pin, trace_field(line, "pin"));
	EXPECT_LE(5 * MS, trace_field(line, "age_ns"));
	EXPECT_GE(now_ns() - begun, trace_field(line, "age_ns"));
	EXPECT_EQ(0, trace_field(line, "revoked"));
}

TEST_F(trace, unpin_by_close)
{
	int fd = kit_open(&self->k);
	char line[TRACE_LINE];
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, pin_take(fd, 0, 0, &q));
	close(fd);
	ASSERT_TRUE(trace_last("shelf_unpin", self->k.name, line));
	EXPECT_EQ(q.pin, trace_field(line, "pin"));
	EXPECT_EQ(0, trace_field(line, "revoked"));
}

/* The lease is shortened when what the pin keeps is known. */
TEST_F(trace, revoke)
{
	const struct shelf_settings over = { .quarantine_ms = -1, .lease_max_ms = 1 };
	char line[TRACE_LINE];
	struct shelf_ioc_pin q;
	long long kept;

	ASSERT_EQ(0, pin_take(self->k.fd, 0, 0, &q));
	ASSERT_EQ(0, world_put(&self->k));
	ASSERT_TRUE(settled(&self->k));
	kept = value(&self->k, "bytes_pinned");
	EXPECT_FALSE(trace_last("shelf_revoke", self->k.name, line));
	ASSERT_EQ(0, shelf_set(self->k.name, &over, NULL));
	ASSERT_TRUE(told(self->k.fd, SOON_MS));
	ASSERT_TRUE(trace_last("shelf_revoke", self->k.name, line));
	EXPECT_EQ(WORLD_FIRST, trace_field(line, "generation"));
	EXPECT_EQ(q.pin, trace_field(line, "pin"));
	EXPECT_EQ(getpid(), trace_field(line, "pid"));
	EXPECT_LT(0, kept);
	EXPECT_EQ(kept, trace_field(line, "bytes"));
	EXPECT_LE(MS, trace_field(line, "age_ns"));
	EXPECT_EQ(-ESTALE, pin_drop(self->k.fd, q.pin));
	ASSERT_TRUE(trace_last("shelf_unpin", self->k.name, line));
	EXPECT_EQ(q.pin, trace_field(line, "pin"));
	EXPECT_EQ(1, trace_field(line, "revoked"));
}

/*
 * Memory
 * ======
 */
static long long trace_sum(const struct kit *k, const char *event, const char *key)
{
	FILE *f = trace_open();
	char line[TRACE_LINE];
	long long sum = 0;

	while (trace_next(f, event, k->name, line))
		sum += trace_field(line, key);
	if (f)
		fclose(f);
	return sum;
}

static long long trace_most(const struct kit *k, const char *event, const char *key)
{
	FILE *f = trace_open();
	char line[TRACE_LINE];
	long long most = -1;

	while (trace_next(f, event, k->name, line))
		if (trace_field(line, key) > most)
			most = trace_field(line, key);
	if (f)
		fclose(f);
	return most;
}

/* What is left lies in all chunks, but they are too few to be trimmed unasked. */
static int spread_out(struct kit *k)
{
	struct shelf_batch *b;
	unsigned int i;
	int ret = put_products(k, SPREAD_FIRST, SPREAD_COUNT, 300, 1) ?:
		  shelf_batch_begin(k->w, &b, NULL);

	for (i = 0; i < SPREAD_COUNT && !ret; i++)
		if (i % 50)
			ret = shelf_batch_delete(b, SPREAD_FIRST + i, NULL);
	return ret ?: shelf_batch_commit(b, NULL, NULL, NULL);
}

TEST_F(trace, trim)
{
	struct shelf_trimmed t;
	char line[TRACE_LINE];
	__u64 before;

	ASSERT_EQ(0, spread_out(&self->k));
	ASSERT_TRUE(settled(&self->k));
	before = value(&self->k, "generation");
	EXPECT_FALSE(trace_last("shelf_trim", self->k.name, line));
	ASSERT_EQ(0, shelf_trim(self->k.name, -1, &t, NULL));
	/* The last step found nothing; one before made the newest generation. */
	ASSERT_TRUE(trace_last("shelf_trim", self->k.name, line));
	EXPECT_EQ(0, trace_field(line, "generation"));
	EXPECT_EQ(0, trace_field(line, "pages"));
	EXPECT_EQ(0, trace_field(line, "error"));
	/* A chunk may still go back behind it. */
	EXPECT_LE(t.after, trace_field(line, "chunks") * CHUNK);
	EXPECT_LT(before, value(&self->k, "generation"));
	EXPECT_EQ(value(&self->k, "generation"),
		  trace_most(&self->k, "shelf_trim", "generation"));
	EXPECT_LT(0, trace_sum(&self->k, "shelf_trim", "pages"));
}

TEST_F(trace, reclaim)
{
	const struct shelf_settings hour = { .quarantine_ms = 3600000 };
	const struct shelf_settings none = { .quarantine_ms = 0 };
	char line[TRACE_LINE];
	unsigned int i;

	ASSERT_EQ(0, shelf_set(self->k.name, &hour, NULL));
	for (i = 0; i < 200 && !value(&self->k, "early_reuses"); i++)
		ASSERT_EQ(0, world_put(&self->k));
	EXPECT_LT(0, value(&self->k, "early_reuses"));
	ASSERT_EQ(0, shelf_set(self->k.name, &none, NULL));
	ASSERT_TRUE(settled(&self->k));
	ASSERT_TRUE(trace_last("shelf_reclaim", self->k.name, line));
	EXPECT_EQ(value(&self->k, "generation"), trace_field(line, "generation"));
	EXPECT_EQ(0, trace_field(line, "early"));
	EXPECT_EQ(value(&self->k, "early_reuses"),
		  trace_sum(&self->k, "shelf_reclaim", "early"));
	EXPECT_EQ(value(&self->k, "reclaimed_bytes"),
		  trace_sum(&self->k, "shelf_reclaim", "pages") * (long long)PAGE);
	EXPECT_LT(0, trace_sum(&self->k, "shelf_reclaim", "slot_bytes"));
}

TEST_HARNESS_MAIN
