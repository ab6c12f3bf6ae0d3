// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The shelf's worker: batches come in one after the other, and each goes
 * through draft, publish, retire, announce, grace period and answer, in this
 * order.
 *
 * P1, P5: everything that can fail is in draft_make(). draft_publish() makes
 * both maps visible with one store, and nothing after it returns an error.
 *
 * The commit mutex is not held over the grace period.
 */
#include <linux/jiffies.h>
#include <linux/sched/mm.h>

#include "compat.h"
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

static int commit_check(struct commit *c)
{
	struct shelf *s = c->shelf;

	lockdep_assert_held(&s->commit_lock);

	if (READ_ONCE(s->dead))
		return refuse(c, -ENODEV, "the shelf was destroyed");
	if (c->has_expect && c->expect != s->store.generation)
		return refuse_stale(c, s->store.generation);
	return 0;
}

/* What the store has made free again since it was created. */
struct freed {
	u64 pages;
	u64 slot_bytes;
	u64 early;
};

static struct freed freed(const struct store *st)
{
	return (struct freed){
		.pages = st->reclaimed_pages,
		.slot_bytes = st->reclaimed_slot_bytes,
		.early = st->early_reuses,
	};
}

static void trace_freed(const struct shelf *s, const struct freed *before)
{
	struct freed now = freed(&s->store);

	if (memcmp(&now, before, sizeof(now)))
		trace_shelf_reclaim(s->name, s->store.generation,
				    now.pages - before->pages,
				    now.slot_bytes - before->slot_bytes,
				    now.early - before->early);
}

/* Who polls learns that a pin of his was revoked, if one was. */
static void wake_revoked(struct shelf *s)
{
	u64 revocations = s->store.revocations;

	if (revocations == s->revocations_told)
		return;
	s->revocations_told = revocations;
	wake_up_interruptible_all(&s->wait);
}

/* The next snapshot, where no reader can reach it; or ERR_PTR, and no trace. */
static struct draft *draft_make(struct commit *c)
{
	struct draft *d;
	int ret;

	ret = commit_check(c);
	if (ret)
		return ERR_PTR(ret);
	d = draft_begin(&c->shelf->store, &c->batch, &c->report);
	if (IS_ERR(d))
		return d;
	ret = draft_apply(d, &c->batch);
	if (ret)
		goto err_drop;
	return d;

err_drop:
	draft_drop(d);	/* never visible, so no grace period */
	return ERR_PTR(ret);
}

/*
 * Draft and publish. An error if the batch was refused and has changed nothing.
 * @published: when, by store_clock().
 */
static int commit_batch(struct commit *c, u64 *published)
{
	struct shelf *s = c->shelf;
	struct freed before;
	struct draft *d;
	u64 start;

	mutex_lock(&s->commit_lock);
	before = freed(&s->store);
	start = store_clock();
	d = draft_make(c);
	*published = store_clock();
	c->report.draft_ns = *published - start;
	if (!IS_ERR(d)) {
		draft_publish(d);	/* cannot fail, allocates nothing */
		draft_retire(d);
	}
	trace_freed(s, &before);	/* by a draft: before its time */
	wake_revoked(s);
	mutex_unlock(&s->commit_lock);
	return PTR_ERR_OR_ZERO(d);
}

/* The batch's memory goes back before its sender can send the next one. */
static void batch_done(struct commit *c)
{
	atomic64_sub(c->batch.bytes, &c->shelf->staged_bytes);
	batch_free(&c->batch);
}

static void announce(struct commit *c)
{
	wake_up_interruptible_all(&c->shelf->wait);
	netlink_event(SHELF_CMD_COMMITTED, c->shelf, &c->report);
}

/* Frees what has been in quarantine for long enough. Returns when to go on. */
static u64 reclaim_locked(struct shelf *s)
{
	struct freed before = freed(&s->store);
	u64 delay;

	lockdep_assert_held(&s->commit_lock);

	delay = store_reclaim(&s->store);
	trace_freed(s, &before);
	wake_revoked(s);
	return delay;
}

static void reclaim_arm(struct shelf *s, u64 delay_ns)
{
	if (delay_ns)
		mod_delayed_work(s->wq, &s->reclaim,
				 nsecs_to_jiffies(delay_ns) + 1);
}

static void reclaim(struct shelf *s)
{
	u64 delay;

	mutex_lock(&s->commit_lock);
	delay = reclaim_locked(s);
	mutex_unlock(&s->commit_lock);
	reclaim_arm(s, delay);
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

	announce(c);
	announced = store_clock();
	r->publish_ns = announced - published;
	batch_done(c);
	if (!c->no_wait)
		synchronize_rcu();
	r->grace_ns = store_clock() - announced;
	keep_times(c->shelf, r);
	reclaim(c->shelf);
}

static void commit_refuse(struct commit *c)
{
	shelf_count(c->shelf, STAT_REFUSED_BATCHES, 1);
	batch_done(c);
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
	u64 published;
	int ret;

	ret = commit_batch(c, &published);
	set_active_memcg(old);
	if (ret)
		commit_refuse(c);	/* the report says why */
	else
		commit_finish(c, published);
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

/* Frees what leaves quarantine when no commit comes along to do it. */
void shelf_reclaim_work(struct work_struct *work)
{
	reclaim(container_of(to_delayed_work(work), struct shelf, reclaim));
}

void shelf_reclaim_soon(struct shelf *s)
{
	mod_delayed_work(s->wq, &s->reclaim, 1);
}
