// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6. A batch has the sequence numbers of what it is made of: of each partition, from
 * behind what the shelf has to the last message that was looked at.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

static int failed(struct shelf_error *err, int error, const char *text)
{
	*err = (struct shelf_error){ .error = error };
	snprintf(err->message, sizeof(err->message), "%s", text);
	return error;
}

void batch_drop(struct follow *f)
{
	if (f->batch)
		shelf_batch_abort(f->batch);
	f->batch = NULL;
	f->began_ns = 0;
	f->messages = 0;
	f->ops = 0;
	f->marks.n = 0;
	f->placed.n = 0;
	f->rejected = 0;
	letter_drop(f);
	sighted_free(f);
}

/*
 * A batch is of the shelf that is there when it begins. If that is not the one whose
 * positions were read, it has been made anew under the same name, and knows nothing.
 */
static int begin(struct follow *f, struct shelf_error *err)
{
	if (shelf_batch_begin(f->writer, &f->batch, err)) {
		f->batch = NULL;
		return err->error;
	}
	if (!parts_alive(f))
		return failed(err, -ENODEV, "the shelf was destroyed");
	if (f->opt.max_change >= 0)
		shelf_batch_max_change(f->batch, (__u32)f->opt.max_change);
	if (f->opt.dangling >= 0)
		shelf_batch_dangling(f->batch, (enum shelf_dangling)f->opt.dangling);
	return 0;
}

__u64 batch_messages(const struct follow *f, __u64 op)
{
	return marks_find(&f->marks, op);
}

struct place batch_place(const struct follow *f, __u64 op)
{
	if (!f->marks.n)
		return (struct place){ 0, -1 };
	return f->placed.of[f->marks.of[marks_find(&f->marks, op)].where];
}

int batch_stage(struct follow *f, struct place at, struct shelf_error *err)
{
	int ret = f->batch ? 0 : begin(f, err);

	if (ret)
		return ret;
	marks_add(&f->marks, f->ops, f->placed.n);
	places_add(&f->placed, at);
	if (f->whole)
		ret = sighted_stage(f, err);
	if (!ret)
		ret = line_stage(&f->line, f->batch, err);
	f->ops += line_ops(&f->line);
	return ret;
}

/* A position that is set is one of a topic that was read anew: it may be before the last. */
static int stage_position(struct follow *f, const struct part *p, struct shelf_error *err)
{
	__u64 last = (__u64)(p->seen - 1);

	if (!p->seen)
		return f->whole && p->known ?
		       shelf_batch_source_delete(f->batch, p->source, err) : 0;
	if (f->whole)
		return shelf_batch_source(f->batch, p->source, last, err);
	return shelf_batch_sequence(f->batch, p->source, (__u64)(p->known ? p->next : p->first),
				    last, SHELF_NO_GAP, err);
}

static int stage_positions(struct follow *f, struct shelf_error *err)
{
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < f->parts.n; i++) {
		const struct part *p = &f->parts.of[i];

		if (p->looked)
			ret = stage_position(f, p, err);
	}
	return ret;
}

static int moved(struct shelf_error *err)
{
	return failed(err, -EILSEQ, "the shelf's positions were changed by others");
}

/*
 * Who comes second sends no letters, if that can be known before. Between the look at the
 * generation and the commit nobody else has changed the shelf,
 * or it is refused: a shelf that was brought back from a checkpoint has other positions,
 * or none, which would take any.
 */
int batch_commit(struct follow *f, struct shelf_result *r, struct shelf_error *err)
{
	int ret = f->batch ? 0 : begin(f, err);
	__u64 generation;

	if (!ret && !f->whole && !parts_unmoved(f))
		ret = moved(err);
	if (!ret)
		ret = letter_send(f, err);
	generation = shelf_generation(f->shelf);
	if (!ret && f->whole)
		ret = sighted_finish(f, &generation, err);
	else if (!ret && !parts_unmoved(f))
		ret = moved(err);
	if (!ret)
		ret = stage_positions(f, err);
	if (!ret) {
		ret = shelf_batch_commit(f->batch, &generation, r, err);
		f->batch = NULL;
	}
	return ret;
}
