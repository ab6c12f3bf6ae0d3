// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl apply: a file is a batch is a commit; check: but none is made.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../line/marks.h"
#include "document.h"
#include "guards.h"
#include "lines.h"

#define PROGRESS_NS	200000000LL

/**
 * struct apply - a file on its way
 * @next_op: index of the next operation to be staged
 * @marks: the numbers of its lines
 * @ops_before: operations in front of the begin that has no end yet
 */
struct apply {
	const char *file;
	struct lines lines;
	struct shelf_writer *writer;
	struct shelf_batch *batch;
	const char *shelf;
	bool no_wait;
	bool check;
	struct guards guards;
	__u64 ops_before;
	__u64 next_op;
	struct marks marks;
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
	const struct input *in = &ap->lines.in;
	__s64 now;
	double done;

	if (!ap->progress || ap->lines.number % 256)
		return;
	now = clock_ns();
	if (now - ap->shown < PROGRESS_NS)
		return;
	ap->shown = now;
	done = in->size ? (double)in->taken / (double)in->size : 0;
	done = done < 1 ? done : 1;
	fprintf(stderr, "\r[%-*.*s] %3.0f%% %llu bytes %.0f ops/s\033[K", width,
		(int)(done * width), bar, done * 100, in->taken,
		(double)ap->next_op * 1e9 / (double)(now - ap->started));
}

static void progress_end(void *arg)
{
	struct apply *ap = arg;

	if (ap->progress && ap->shown != ap->started)
		fputs("\r\033[K", stderr);
	ap->progress = false;
}

static __u64 line_of(const struct apply *ap, __u64 op)
{
	return ap->marks.n ? ap->marks.of[marks_find(&ap->marks, op)].where : 0;
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
	if (ap->check)
		shelf_batch_check(ap->batch);
	guards_set(&ap->guards, ap->batch);
	ap->next_op = 0;
	ap->marks.n = 0;
	return 0;
}

/*
 * An export that has to begin anew takes back its own lines, and with them all
 * that are staged: they must all have been its own.
 */
static int restart(struct apply *ap)
{
	if (ap->ops_before)
		return lines_wrong(&ap->lines, ap->lines.number,
				   "restart takes back lines in front of its begin as well");
	shelf_batch_abort(ap->batch);
	ap->batch = NULL;
	return begin_batch(ap);
}

static int apply_line(struct apply *ap)
{
	struct shelf_error err = { 0 };

	if (ap->lines.line.kind == LINE_RESTART)
		return restart(ap);
	if (ap->lines.line.kind == LINE_BEGIN) {
		ap->ops_before = ap->next_op;
		return 0;
	}
	marks_add(&ap->marks, ap->next_op, ap->lines.number);
	if (line_stage(&ap->lines.line, ap->batch, &err))
		return refused(ap, &err);
	ap->next_op += line_ops(&ap->lines.line);
	progress(ap);
	return 0;
}

static int apply_lines(struct apply *ap)
{
	int ret, status = 0;

	do {
		ret = lines_next(&ap->lines);
		if (ret > 0)
			status = apply_line(ap);
	} while (ret > 0 && !status);
	return ret < 0 ? -ret : status;
}

static void print_json(const struct apply *ap, const struct shelf_result *r)
{
	struct document d;

	document_begin(&d);
	fprintf(d.to, ",\"generation\":%llu,\"ops\":%llu,\"absent\":%llu,"
		"\"pages\":%llu,\"products\":%llu,\"catalogs\":%llu,"
		"\"memberships\":%llu,\"draft_ns\":%llu,\"publish_ns\":%llu,"
		"\"grace_ns\":%llu,\"repeated\":%s,\"checked\":%s", r->generation, r->ops,
		r->absent, r->pages, r->products, r->catalogs, r->memberships, r->draft_ns,
		r->publish_ns, r->grace_ns, r->repeated ? "true" : "false",
		ap->check ? "true" : "false");
	guards_print(d.to, r);
	document_end(&d, stdout);
}

static void print_commit(const struct shelf_result *r)
{
	printf("generation %llu ops %llu absent %llu pages %llu products %llu catalogs %llu "
	       "memberships %llu draft %.3f ms publish %.3f ms grace %.3f ms\n", r->generation,
	       r->ops, r->absent, r->pages, r->products, r->catalogs, r->memberships,
	       (double)r->draft_ns / 1e6, (double)r->publish_ns / 1e6,
	       (double)r->grace_ns / 1e6);
}

static void print_result(const struct apply *ap, const struct shelf_result *r)
{
	guards_warn(ap->file, r);
	if (json_output)
		print_json(ap, r);
	else if (r->repeated)
		printf("generation %llu has it already: a repeat, nothing %s changed\n",
		       r->generation, ap->check ? "would be" : "was");
	else if (ap->check)
		printf("checked, not applied: generation %llu ops %llu absent %llu pages %llu, "
		       "would have products %llu catalogs %llu memberships %llu\n",
		       r->generation, r->ops, r->absent, r->pages, r->products,
		       r->catalogs, r->memberships);
	else
		print_commit(r);
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
	print_result(ap, &result);
	return STATUS_OK;
}

static int apply_file(struct apply *ap, const struct args *a, const __u64 *expect)
{
	struct shelf_error err;
	int status;

	ap->shelf = a->shelf;
	ap->lines.whole = a->value[OPT_WHOLE];
	ap->lines.hashed = ap->lines.whole;
	ap->lines.failed = progress_end;
	ap->lines.arg = ap;
	if (shelf_writer_open(a->shelf, &ap->writer, &err))
		return fail(STATUS_REFUSED, err.error, "%s: %s", a->shelf, err.message);
	progress_begin(ap);
	status = apply_batch(ap, expect);
	progress_end(ap);
	shelf_writer_close(ap->writer);
	free(ap->marks.of);
	return status;
}

static int run(const struct args *a, const char *name, bool check)
{
	struct apply ap = { .no_wait = a->value[OPT_NO_WAIT], .check = check };
	__u64 expect;
	int status;

	if (a->words != 1)
		return fail(STATUS_USAGE, 0, "%s takes one FILE", name);
	if (args_u64(a, OPT_EXPECT, &expect) || guards_read(a, &ap.guards))
		return STATUS_USAGE;
	ap.file = a->word[0];
	status = lines_open(&ap.lines, ap.file);
	if (status)
		return status;
	status = apply_file(&ap, a, a->value[OPT_EXPECT] ? &expect : NULL);
	lines_close(&ap.lines);
	return status;
}

int run_apply(const struct args *a)
{
	return run(a, "apply", false);
}

int run_check(const struct args *a)
{
	return run(a, "check", true);
}
