// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl apply: a file is a batch is a commit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "input.h"
#include "json.h"

#define PROGRESS_NS	200000000LL

/* From which operation on a line's are; a line of many members has several. */
struct line_mark {
	__u64 first_op;
	__u64 number;
};

/**
 * struct apply - a file on its way
 * @next_op: index of the next operation to be staged
 * @begun: line of a begin that no end has followed yet, or 0
 * @ops_before: operations in front of it
 * @hash: of the lines from there, or from the last restart, on
 * @whole: nothing but exports, and these with their hash
 * @exports: that have come to their end
 */
struct apply {
	const char *file;
	struct input in;
	struct shelf_writer *writer;
	struct shelf_batch *batch;
	const char *shelf;
	bool no_wait;
	__u64 begun;
	__u64 ops_before;
	XXH3_state_t *hash;
	bool whole;
	__u64 exports;
	struct line line;
	__u64 number;
	__u64 next_op;
	struct line_mark *mark;
	size_t marks;
	size_t marks_room;
	bool progress;
	__s64 started;
	__s64 shown;
};

static void progress_begin(struct apply *ap)
{
	ap->progress = isatty(STDERR_FILENO) && !json_output;
	ap->started = clock_ns();
	ap->shown = ap->started;
}

static void progress(struct apply *ap)
{
	static const char bar[] = "########################";
	const unsigned int width = sizeof(bar) - 1;
	__s64 now;
	double done;

	if (!ap->progress || ap->number % 256)
		return;
	now = clock_ns();
	if (now - ap->shown < PROGRESS_NS)
		return;
	ap->shown = now;
	done = ap->in.size ? (double)ap->in.taken / (double)ap->in.size : 0;
	done = done < 1 ? done : 1;
	fprintf(stderr, "\r[%-*.*s] %3.0f%% %llu bytes %.0f ops/s\033[K", width,
		(int)(done * width), bar, done * 100, ap->in.taken,
		(double)ap->next_op * 1e9 / (double)(now - ap->started));
}

static void progress_end(struct apply *ap)
{
	if (ap->progress && ap->shown != ap->started)
		fputs("\r\033[K", stderr);
	ap->progress = false;
}

static void mark_line(struct apply *ap)
{
	if (ap->marks == ap->marks_room) {
		ap->marks_room = ap->marks_room ? ap->marks_room * 2 : 1024;
		ap->mark = xalloc(ap->mark, ap->marks_room, sizeof(*ap->mark));
	}
	ap->mark[ap->marks++] = (struct line_mark){ ap->next_op, ap->number };
}

static __u64 line_of(const struct apply *ap, __u64 op)
{
	size_t low = 0, n = ap->marks;

	while (n > 1) {
		size_t half = n / 2;

		if (ap->mark[low + half].first_op <= op) {
			low += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return ap->marks ? ap->mark[low].number : 0;
}

static int refused(struct apply *ap, const struct shelf_error *err)
{
	progress_end(ap);
	if (err->has_op)
		return fail_at(STATUS_REFUSED, err->error, ap->file,
			       line_of(ap, err->op), 0, err->message);
	return fail(STATUS_REFUSED, err->error, "%s: %s", ap->file, err->message);
}

static int begin_batch(struct apply *ap)
{
	struct shelf_error err;

	if (shelf_batch_begin(ap->writer, &ap->batch, &err)) {
		progress_end(ap);
		return fail(STATUS_REFUSED, err.error, "%s: %s", ap->shelf, err.message);
	}
	if (ap->no_wait)
		shelf_batch_no_wait(ap->batch);
	ap->next_op = 0;
	ap->marks = 0;
	return 0;
}

static int misplaced(struct apply *ap, __u64 number, const char *why)
{
	progress_end(ap);
	return fail_at(STATUS_INPUT, 0, ap->file, number, 0, why);
}

/*
 * An export that has to begin anew takes back its own lines, and with them all
 * that are staged: they must all have been its own.
 */
static int restart(struct apply *ap)
{
	if (!ap->begun)
		return misplaced(ap, ap->number, "restart without a begin");
	if (ap->ops_before)
		return misplaced(ap, ap->number,
				 "restart takes back lines in front of its begin as well");
	shelf_batch_abort(ap->batch);
	ap->batch = NULL;
	XXH3_64bits_reset(ap->hash);
	return begin_batch(ap);
}

/* What was exported before there were hashes is read without. */
static int check_hash(struct apply *ap)
{
	__u64 hash = XXH3_64bits_digest(ap->hash);
	char why[160];

	if (!ap->line.hashed)
		return ap->whole ? misplaced(ap, ap->number, "end without a hash") : 0;
	if (hash == ap->line.hash)
		return 0;
	snprintf(why, sizeof(why),
		 "lines %llu to %llu are not as they were exported: their hash is %016llx, not %016llx",
		 ap->begun, ap->number - 1, hash, ap->line.hash);
	return misplaced(ap, ap->number, why);
}

static int end(struct apply *ap)
{
	int status;

	if (!ap->begun)
		return misplaced(ap, ap->number, "end without a begin");
	status = check_hash(ap);
	ap->begun = 0;
	ap->ops_before = 0;
	ap->exports++;
	return status;
}

/* P1. What has a begin counts only with its end: half an export is none. */
static int mark(struct apply *ap)
{
	switch (ap->line.kind) {
	case LINE_BEGIN:
		if (ap->begun)
			return misplaced(ap, ap->begun, "begin without an end");
		ap->begun = ap->number;
		ap->ops_before = ap->next_op;
		XXH3_64bits_reset(ap->hash);
		return 0;
	case LINE_END:
		return end(ap);
	default:
		return restart(ap);
	}
}

static int stage(struct apply *ap, struct shelf_error *err)
{
	const struct line *l = &ap->line;

	switch (l->kind) {
	case SHELF_OP_PUT:
		return shelf_batch_put(ap->batch, &l->change, err);
	case SHELF_OP_PATCH:
		return shelf_batch_patch(ap->batch, &l->change, err);
	case SHELF_OP_DELETE:
		return shelf_batch_delete(ap->batch, l->change.id, err);
	case SHELF_OP_CATALOG_ADD:
		return shelf_batch_add(ap->batch, l->change.id, l->members,
				       l->members_count, err);
	case SHELF_OP_CATALOG_REMOVE:
		return shelf_batch_remove(ap->batch, l->change.id, l->members,
					  l->members_count, err);
	default:
		return shelf_batch_catalog_delete(ap->batch, l->change.id, err);
	}
}

static __u64 ops_of(const struct line *l)
{
	return l->members_count ?
	       (l->members_count + SHELF_MEMBERS_MAX - 1) / SHELF_MEMBERS_MAX : 1;
}

static bool is_blank(const char *text, size_t n)
{
	return strspn(text, " \t\r") == n;
}

static int take_line(struct apply *ap, const char *text, size_t n)
{
	struct line_error line_err;
	struct shelf_error err = { 0 };

	if (is_blank(text, n))
		return 0;
	if (!line_parse(&ap->line, text, n, &line_err)) {
		progress_end(ap);
		return fail_at(STATUS_INPUT, 0, ap->file, ap->number,
			       line_err.column, line_err.message);
	}
	if (ap->line.kind >= LINE_BEGIN)
		return mark(ap);
	if (ap->whole && !ap->begun)
		return misplaced(ap, ap->number, "a line that is of no export");
	mark_line(ap);
	if (stage(ap, &err))
		return refused(ap, &err);
	ap->next_op += ops_of(&ap->line);
	progress(ap);
	return 0;
}

static int apply_line(struct apply *ap, char *text, size_t n)
{
	int status;

	ap->number++;
	if (n && text[n - 1] == '\n')
		text[--n] = 0;
	status = take_line(ap, text, n);
	if (ap->begun) {
		XXH3_64bits_update(ap->hash, text, n);
		XXH3_64bits_update(ap->hash, "\n", 1);
	}
	return status;
}

static int apply_lines(struct apply *ap)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int status = 0;

	errno = 0;
	while (!status && (n = getline(&text, &room, ap->in.lines)) >= 0 &&
	       !ferror(ap->in.lines)) {
		status = apply_line(ap, text, (size_t)n);
		errno = 0;
	}
	if (!status)
		status = input_error(&ap->in);
	if (!status && ap->begun)
		status = misplaced(ap, ap->begun, "begin without an end");
	if (!status && ap->whole && !ap->exports)
		status = fail(STATUS_INPUT, 0, "%s: no export in it", ap->file);
	free(text);
	return status;
}

static void print_result(const struct shelf_result *r)
{
	if (json_output)
		printf("{\"generation\":%llu,\"ops\":%llu,\"absent\":%llu,"
		       "\"pages\":%llu,\"draft_ns\":%llu,\"publish_ns\":%llu,"
		       "\"grace_ns\":%llu}\n", r->generation, r->ops, r->absent,
		       r->pages, r->draft_ns, r->publish_ns, r->grace_ns);
	else
		printf("generation %llu ops %llu absent %llu pages %llu "
		       "draft %.3f ms publish %.3f ms grace %.3f ms\n",
		       r->generation, r->ops, r->absent, r->pages,
		       (double)r->draft_ns / 1e6, (double)r->publish_ns / 1e6,
		       (double)r->grace_ns / 1e6);
}

/* Everything is read and staged before anything is committed. */
static int apply_batch(struct apply *ap, const __u64 *expect)
{
	struct shelf_result result;
	struct shelf_error err;
	int status = begin_batch(ap);

	if (!status)
		status = apply_lines(ap);
	if (status) {
		shelf_batch_abort(ap->batch);
		return status;
	}
	if (shelf_batch_commit(ap->batch, expect, &result, &err))
		return refused(ap, &err);
	progress_end(ap);
	print_result(&result);
	return STATUS_OK;
}

static int apply_file(struct apply *ap, const struct args *a, const __u64 *expect)
{
	struct shelf_error err;
	int status;

	ap->shelf = a->shelf;
	ap->whole = a->value[OPT_WHOLE];
	if (shelf_writer_open(a->shelf, &ap->writer, &err))
		return fail(STATUS_REFUSED, err.error, "%s: %s", a->shelf, err.message);
	ap->hash = XXH3_createState();
	if (!ap->hash)
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	progress_begin(ap);
	status = apply_batch(ap, expect);
	progress_end(ap);
	shelf_writer_close(ap->writer);
	line_free(&ap->line);
	free(ap->mark);
	XXH3_freeState(ap->hash);
	return status;
}

int run_apply(const struct args *a)
{
	struct apply ap = { .no_wait = a->value[OPT_NO_WAIT] };
	__u64 expect;
	int status;

	if (a->words != 1)
		return fail(STATUS_USAGE, 0, "apply takes one FILE");
	if (args_u64(a, OPT_EXPECT, &expect))
		return STATUS_USAGE;
	ap.file = a->word[0];
	status = input_open(&ap.in, ap.file);
	if (status)
		return status;
	status = apply_file(&ap, a, a->value[OPT_EXPECT] ? &expect : NULL);
	input_close(&ap.in);
	return status;
}
