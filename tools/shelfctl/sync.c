// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl sync, restore: what is in a file and nothing else, by what differs.
 *
 * P1. The shelf is read from a pin, the file against it, and all that differs is one
 * batch, which expects the pinned generation: who commits in between makes it begin anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "document.h"
#include "guards.h"

#define TRIES	5

/**
 * struct sync
 * @whole: only an end with a hash will do
 * @generation: of the shelf that was read, then of the one that was made
 */
struct sync {
	const struct args *args;
	const char *file;
	bool whole;
	__u64 tries;
	__u64 generation;
	struct guards guards;
	struct shelf_writer *writer;
	struct shelf_batch *batch;
	struct index from;
	struct delta delta;
	struct shelf_result result;
};

static int refused(const struct sync *s, const struct shelf_error *err)
{
	return fail(STATUS_REFUSED, err->error, "%s: %s", s->args->shelf, err->message);
}

static int begin_batch(struct sync *s)
{
	struct shelf_error err;

	if (shelf_batch_begin(s->writer, &s->batch, &err))
		return refused(s, &err);
	if (s->args->value[OPT_NO_WAIT])
		shelf_batch_no_wait(s->batch);
	guards_set(&s->guards, s->batch);
	return 0;
}

static int emit(void *arg, const struct line *op)
{
	struct sync *s = arg;
	struct shelf_error err = { 0 };

	return line_stage(op, s->batch, &err) ? refused(s, &err) : 0;
}

static int again(void *arg)
{
	struct sync *s = arg;

	shelf_batch_abort(s->batch);
	s->batch = NULL;
	return begin_batch(s);
}

static int read_shelf(struct sync *s, const struct shelf *shelf)
{
	s->from.full.again(&s->from.full);
	return full_shelf_read(shelf, s->args->shelf, &s->from.full, &s->generation);
}

/*
 * The batch is of the shelf that has this name now. A generation doesn't tell whether
 * that is the one that was read; the seed, which is random, does.
 */
static int check_same(const struct sync *s, const struct shelf *before)
{
	struct shelf *now;
	int status = open_shelf(s->args, &now);
	bool same;

	if (status)
		return status;
	same = now->seed == before->seed;
	shelf_close(now);
	return same ? 0 : -ESTALE;
}

static int commit(struct sync *s)
{
	struct shelf_batch *batch = s->batch;
	struct shelf_error err;
	int ret;

	s->batch = NULL;
	if (!s->delta.counts.ops) {
		shelf_batch_abort(batch);
		return 0;
	}
	ret = shelf_batch_commit(batch, &s->generation, &s->result, &err);
	if (ret == -ESTALE)
		return ret;
	if (ret)
		return refused(s, &err);
	s->generation = s->result.generation;
	return 0;
}

static int stage(struct sync *s, struct full_file *file, const struct shelf *before)
{
	int ret = begin_batch(s);

	if (!ret)
		ret = check_same(s, before);
	if (!ret)
		ret = full_file_read(file, &s->delta.full);
	if (!ret)
		ret = delta_finish(&s->delta);
	if (!ret)
		ret = commit(s);
	if (s->batch)
		shelf_batch_abort(s->batch);
	s->batch = NULL;
	return ret;
}

/* Nobody else is kept from writing before the file is there to be read. */
static int write_shelf(struct sync *s, const struct shelf *before)
{
	struct full_file file;
	struct shelf_error err;
	int ret = full_file_open(&file, s->file, s->whole);

	if (ret)
		return ret;
	ret = shelf_writer_open(s->args->shelf, &s->writer, &err);
	if (ret) {
		ret = refused(s, &err);
	} else {
		ret = stage(s, &file, before);
		shelf_writer_close(s->writer);
	}
	full_file_close(&file);
	return ret;
}

static int sync_once(struct sync *s)
{
	struct shelf *shelf;
	int ret = open_shelf(s->args, &shelf);

	if (ret)
		return ret;
	delta_init(&s->delta, &s->from);
	s->delta.emit = emit;
	s->delta.again = again;
	s->delta.arg = s;
	s->delta.sources = s->whole;
	ret = read_shelf(s, shelf);
	if (!ret)
		ret = write_shelf(s, shelf);
	delta_free(&s->delta);
	shelf_close(shelf);
	return ret;
}

/* What came through a pipe is gone. */
static int sync_all(struct sync *s)
{
	__u64 try;
	int ret = -ESTALE;

	for (try = 1; ret == -ESTALE && try <= s->tries; try++) {
		ret = sync_once(s);
		if (ret == -ESTALE)
			note("%s: its pin was revoked, or somebody committed meanwhile (try %llu of %llu)",
			     s->args->shelf, try, s->tries);
	}
	if (ret == -ESTALE)
		return fail(STATUS_REFUSED, ret,
			    "%s: it changes too often, or takes too long to read: nothing was done",
			    s->args->shelf);
	return ret;
}

static void print_result(const struct sync *s)
{
	const struct shelf_result *r = &s->result;
	struct document doc;

	guards_warn(s->file, r);
	if (json_output) {
		document_begin(&doc);
		fprintf(doc.to, ",\"generation\":%llu", s->generation);
		delta_print(doc.to, &s->delta.counts);
		fprintf(doc.to, ",\"absent\":%llu,\"pages\":%llu", r->absent, r->pages);
		guards_print(doc.to, r);
		document_end(&doc, stdout);
		return;
	}
	printf("generation %llu ", s->generation);
	delta_print(stdout, &s->delta.counts);
	printf(" absent %llu pages %llu\n", r->absent, r->pages);
}

static int run(const struct args *a, const char *name, bool whole)
{
	struct sync s = { .args = a, .whole = whole, .tries = TRIES };
	int status;

	if (a->words != 1)
		return fail(STATUS_USAGE, 0, "%s takes one FILE", name);
	if (args_u64(a, OPT_TRIES, &s.tries) || guards_read(a, &s.guards))
		return STATUS_USAGE;
	if (!s.tries)
		return fail(STATUS_USAGE, 0, "--tries is 0");
	s.file = a->word[0];
	if (!strcmp(s.file, "-"))
		s.tries = 1;
	index_init(&s.from);
	status = sync_all(&s);
	index_free(&s.from);
	if (!status)
		print_result(&s);
	return status;
}

int run_sync(const struct args *a)
{
	return run(a, "sync", false);
}

int run_restore(const struct args *a)
{
	return run(a, "restore", true);
}
