// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * When a batch ends, and what follows if the shelf takes it, or doesn't.
 */
#include <errno.h>
#include <string.h>

#include "follow.h"

/* What lies behind the commit was looked at in a batch that was refused. */
static void forget(struct follow *f)
{
	size_t i, n;

	for (i = n = 0; i < f->bads; i++)
		if (f->bad[i].at.offset >= f->parts.of[f->bad[i].at.part].next)
			f->bad[n++] = f->bad[i];
	f->bads = n;
	for (i = n = 0; i < f->lettered.n; i++)
		if (f->lettered.of[i].offset >= f->parts.of[f->lettered.of[i].part].next)
			f->lettered.of[n++] = f->lettered.of[i];
	f->lettered.n = n;
}

static void taken(struct follow *f, const struct shelf_result *r)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		if (!p->looked)
			continue;
		p->known = p->seen > 0;
		p->next = p->seen;
		p->looked = false;
	}
	f->generation = r->generation;
	f->counts.commits++;
	f->counts.messages += f->messages;
	f->counts.rejected += f->rejected;
	if (r->dangling)
		say("%s", r->warning);
	if (f->whole)
		say("loaded: generation %llu, products %llu, catalogs %llu", r->generation,
		    r->products, r->catalogs);
	f->whole = false;
	forget(f);
	f->delay_ns = 0;
	f->limit += f->limit / 8 + 1;
	if (f->limit > f->opt.messages)
		f->limit = f->opt.messages;
	batch_drop(f);
	parts_resume_marked(f);
	if (f->opt.group)
		parts_commit(f);
	again_good(f);
}

void commit_poison(struct follow *f, struct place at, const char *why)
{
	const struct part *p = &f->parts.of[at.part];

	state_set(f, STOPPED, "%s/%d offset %lld: %s", p->topic->name, p->id, at.offset, why);
	batch_drop(f);
	follow_end(f, STATUS_POISON);
}

/* What a message says may be right, and wrong for the shelf that it comes to. */
static bool is_messages_fault(const struct follow *f, const struct shelf_error *err)
{
	static const int faults[] = { -ENOENT, -EINVAL, -EEXIST, -ERANGE, -EMSGSIZE };
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (err->error == faults[i])
			return err->has_op && err->op < f->ops;
	return false;
}

/*
 * The batch is made again, without it; and what is in front of it is made first, so that
 * many of them don't cost as many times all.
 */
static void message_refused(struct follow *f, __u64 op, const struct shelf_error *err)
{
	struct place at = batch_place(f, op);
	__u64 before = batch_messages(f, op);
	struct bad *bad;

	if (!f->opt.skip) {
		commit_poison(f, at, err->message);
		return;
	}
	f->bad = xalloc(f->bad, f->bads + 1, sizeof(*f->bad));
	bad = &f->bad[f->bads++];
	bad->at = at;
	strcpy(bad->why, err->message);
	if (!f->whole && !f->opt.marker && before < f->limit)
		f->limit = before ? before : 1;
	batch_drop(f);
	f->wait_ns = 1;
}

/* More than the shelf takes in one batch, though it is the only one. */
static bool is_too_large(const struct follow *f, const struct shelf_error *err)
{
	return err->error == -EDQUOT && f->messages == 1 && f->marks.n && !f->whole &&
	       !f->opt.marker;
}

void commit_refused(struct follow *f, const struct shelf_error *err)
{
	if (is_messages_fault(f, err)) {
		message_refused(f, err->op, err);
	} else if (is_too_large(f, err)) {
		message_refused(f, 0, err);
	} else if (err->error == -EILSEQ || err->error == -ESTALE) {
		say("%s: %s: begins again at its positions", f->opt.shelf, err->message);
		again_soon(f);
	} else {
		/* More than the shelf takes in one batch: half of it, unless it is one delta. */
		if (err->error == -EDQUOT && !f->whole && !f->opt.marker)
			f->limit = f->messages > 1 ? f->messages / 2 : 1;
		again_refused(f, err);
	}
}

void commit(struct follow *f)
{
	struct shelf_result r;
	struct shelf_error err;

	if (batch_commit(f, &r, &err))
		commit_refused(f, &err);
	else
		taken(f, &r);
}

/*
 * What is loaded may end with a marker, behind which there are none but the marks of
 * transactions; and it may be nothing.
 */
static bool is_empty(const struct follow *f, const struct part *p)
{
	return f->whole && p->ended && !p->seen;
}

static void mark_ended(struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (f->parts.of[i].ended && f->parts.of[i].behind_marker)
			f->parts.of[i].marked = true;
	parts_pause_marked(f);
}

/* Of markers with numbers the partitions with lower ones go on to the highest. */
static bool at_marker(struct follow *f)
{
	bool all = true, any = false, ahead = false;
	__s64 highest = -1;
	size_t i;

	if (f->whole && follow_all_ended(f))
		mark_ended(f);
	for (i = 0; i < f->parts.n; i++) {
		const struct part *p = &f->parts.of[i];

		all &= p->marked || is_empty(f, p);
		any |= p->marked;
		if (p->marked && p->number > highest)
			highest = p->number;
	}
	for (i = 0; all && i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		if (!p->marked || p->number >= highest)
			continue;
		ahead = true;
		if (!parts_resume_one(f, p)) {
			again_soon(f);
			return false;
		}
	}
	return all && any && !ahead;
}

bool commit_due(struct follow *f)
{
	if (f->opt.marker)
		return at_marker(f);
	if (f->whole)
		return follow_all_ended(f);
	if (!f->began_ns)
		return false;
	return f->messages >= f->limit || clock_ns() - f->began_ns >= f->opt.every_ns ||
	       (f->opt.once && follow_all_ended(f));
}
