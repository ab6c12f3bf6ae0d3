// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The shelf's worker: batches come in one after the other, and each goes
 * through draft, publish, retire, announce, grace period and answer, in this
 * order.
 *
 * P1, P5: everything that can fail is in draft_make(). draft_publish() makes
 * both maps visible with one store, and nothing after it returns an error.
 *
 * The commit mutex is not held over the commit's own grace period. A draft that finds
 * no memory waits for one, though (reclaim.c). What is done between commits is in
 * upkeep.c.
 */
#include <linux/sched/mm.h>

#include "shelf.h"
#include "trace.h"

static int refuse(struct commit *c, int error, const char *message)
{
	c->report.error = error;
	strscpy(c->report.message, message, sizeof(c->report.message));
	return error;
}

/* ESTALE has this one meaning: somebody else has committed meanwhile. */
static int refuse_stale(struct commit *c, u64 newest)
{
	struct report *r = &c->report;

	r->error = -ESTALE;
	scnprintf(r->message, sizeof(r->message),
		  "generation %llu was expected, but %llu is the newest",
		  c->expect, newest);
	return -ESTALE;
}

/*
 * A repeat is one whatever generation its sender expects: what it sent is there, and
 * its answer may have been lost.
 */
static int commit_check(struct commit *c)
{
	struct shelf *s = c->shelf;

	lockdep_assert_held(&s->commit_lock);

	if (READ_ONCE(s->dead))
		return refuse(c, -ENODEV, "the shelf was destroyed");
	if (batch_repeats(&s->store, &c->batch, &c->report))
		return 0;
	if (READ_ONCE(s->require_expect) && !c->has_expect)
		return refuse(c, -EDOM, "the shelf takes only commits that expect a generation");
	/* What only a trim was in between is what the sender knows. */
	if (c->has_expect && (c->expect < s->store.content ||
			      c->expect > s->store.generation))
		return refuse_stale(c, s->store.generation);
	return 0;
}

int shelf_commit_locked(struct shelf *s, const struct batch *b, struct report *report,
			u64 *published)
{
	u64 start = store_clock();
	struct draft *d;

	lockdep_assert_held(&s->commit_lock);

	d = draft_make(&s->store, b, report);
	*published = store_clock();
	report->draft_ns = *published - start;
	if (IS_ERR(d))
		return PTR_ERR(d);
	if (b->checks) {
		report->generation = s->store.generation;
		draft_drop(d);
		return 0;
	}
	draft_publish(d);	/* cannot fail, allocates nothing */
	draft_retire(d);
	return 0;
}

static int commit_batch(struct commit *c, u64 *published)
{
	struct shelf *s = c->shelf;
	struct upkeep before;
	int ret;

	mutex_lock(&s->commit_lock);
	before = upkeep_begin(s);
	ret = commit_check(c);
	if (!ret && !c->report.repeated)
		ret = shelf_commit_locked(s, &c->batch, &c->report, published);
	upkeep_end(s, &before);	/* of a draft that had to reuse, or to revoke */
	mutex_unlock(&s->commit_lock);
	return ret;
}

/* The batch's memory goes back before its sender can send the next one. */
static void batch_done(struct commit *c)
{
	atomic64_sub(c->batch.bytes, &c->shelf->staged_bytes);
	batch_free(&c->batch);
}

void shelf_announce(struct shelf *s, const struct report *report)
{
	wake_up_interruptible_all(&s->wait);
	netlink_event(SHELF_CMD_COMMITTED, s, report);
}

static void keep_times(struct shelf *s, const struct report *r)
{
	WRITE_ONCE(s->last_draft_ns, r->draft_ns);
	WRITE_ONCE(s->last_publish_ns, r->publish_ns);
	WRITE_ONCE(s->last_grace_ns, r->grace_ns);
}

/*
 * The sender is answered when the readers by ioctl, netlink and sysfs are gone
 * that may still walk what was replaced, unless it asked not to wait; then too
 * nothing is reused before. Never the expedited kind of grace period, which would
 * interrupt every CPU.
 */
static void commit_finish(struct commit *c, u64 published)
{
	struct report *r = &c->report;
	u64 announced;

	shelf_announce(c->shelf, r);
	announced = store_clock();
	r->publish_ns = announced - published;
	batch_done(c);
	if (!c->no_wait)
		synchronize_rcu();
	r->grace_ns = store_clock() - announced;
	keep_times(c->shelf, r);
	shelf_reclaim(c->shelf);
}

/*
 * Nothing was changed, so there is nothing to announce or to wait for. But its draft may
 * have made the shelf grow, so that a trim is due.
 */
static void commit_unchanged(struct commit *c, enum shelf_stat as)
{
	shelf_count(c->shelf, as, 1);
	batch_done(c);
	shelf_reclaim_soon(c->shelf);
}

static void trace_commit(const struct commit *c)
{
	const struct report *r = &c->report;

	trace_shelf_commit(c->shelf->name, r->generation, r->ops, r->pages,
			   r->draft_ns, r->publish_ns, r->grace_ns, r->error);
}

static void commit_work(struct work_struct *work)
{
	struct commit *c = container_of(work, struct commit, work);
	struct mem_cgroup *old = set_active_memcg(c->shelf->memcg);
	u64 published = 0;
	int ret;

	ret = commit_batch(c, &published);
	set_active_memcg(old);
	if (c->batch.checks)
		commit_unchanged(c, STAT_CHECKED_BATCHES);
	else if (ret)
		commit_unchanged(c, STAT_REFUSED_BATCHES);	/* the report says why */
	else if (c->report.repeated)
		commit_unchanged(c, STAT_REPEATED_BATCHES);	/* P6 */
	else
		commit_finish(c, published);
	if (!c->batch.checks)
		trace_commit(c);
	c->done(c);	/* frees the commit and puts its shelf */
}

/**
 * shelf_commit_queue - hands a commit to its shelf's worker
 * @c: with @shelf a reference, the batch charged to shelf->staged_bytes, and
 *     @done set, which is called exactly once, from the worker
 *
 * Any context that may take a spinlock.
 */
void shelf_commit_queue(struct commit *c)
{
	INIT_WORK(&c->work, commit_work);
	queue_work(c->shelf->wq, &c->work);
}
