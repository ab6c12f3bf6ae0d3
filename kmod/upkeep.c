// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the shelf's worker does between commits: it frees what leaves quarantine,
 * ends leases, gives back chunks, and trims. On the same ordered queue as commits, in
 * steps, so that a commit waits for one of them at most.
 */
#include <linux/jiffies.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>

#include "compat.h"
#include "shelf.h"
#include "trace.h"

/* Under pressure, or when one has failed, a trim begins once in so long. */
#define TRIM_AGAIN_NS	(1000 * NS_PER_MS)

struct upkeep upkeep_begin(const struct shelf *s)
{
	const struct store *st = &s->store;

	return (struct upkeep){
		.pages = st->reclaimed_pages,
		.slot_bytes = st->reclaimed_slot_bytes,
		.early = st->early_reuses,
		.revoked = st->revocations,
	};
}

void upkeep_end(struct shelf *s, const struct upkeep *before)
{
	struct upkeep now = upkeep_begin(s);

	lockdep_assert_held(&s->commit_lock);

	if (memcmp(&now, before, sizeof(now)))
		trace_shelf_reclaim(s->name, s->store.generation,
				    now.pages - before->pages,
				    now.slot_bytes - before->slot_bytes,
				    now.early - before->early);
	if (now.revoked != before->revoked)
		wake_up_interruptible_all(&s->wait);
}

static bool trim_rests(const struct shelf *s)
{
	return store_clock() - READ_ONCE(s->trimmed_ns) < TRIM_AGAIN_NS;
}

/*
 * Much is free, and none is at work; nor was there so much when the last one was over,
 * if that had done all it could.
 */
static bool trim_due(struct shelf *s)
{
	const struct store *st = &s->store;

	s->trimmed_free = min(s->trimmed_free, st->arena.free_pages);
	if (atomic64_read(&s->trims_asked) != s->trims_done || !trim_wanted(st))
		return false;
	return s->trim_failed ? !trim_rests(s) : st->arena.free_pages > 2 * s->trimmed_free;
}

/*
 * A pass is over, and nothing that was retired by then is in quarantine any more,
 * whether it has served its time or been reused before.
 */
static bool trim_goes_on(struct shelf *s)
{
	if (!s->trim_waits || store_quarantines(&s->store, s->trim_waits))
		return false;
	s->trim_waits = 0;
	return true;
}

bool shelf_reclaim(struct shelf *s)
{
	struct upkeep before;
	bool due, goes_on;
	u64 delay;

	mutex_lock(&s->commit_lock);
	before = upkeep_begin(s);
	delay = store_reclaim(&s->store);
	upkeep_end(s, &before);
	due = trim_due(s);
	goes_on = trim_goes_on(s);
	mutex_unlock(&s->commit_lock);
	if (READ_ONCE(s->gone))
		return false;
	if (delay)
		mod_delayed_work(s->wq, &s->reclaim,
				 nsecs_to_jiffies(delay) + 1);
	if (due)
		shelf_trim_soon(s);
	if (goes_on)
		queue_delayed_work(s->wq, &s->trim, 0);
	return delay == RECLAIM_MORE;
}

/* Frees what leaves quarantine when no commit comes along to do it. */
void shelf_reclaim_work(struct work_struct *work)
{
	shelf_reclaim(container_of(to_delayed_work(work), struct shelf, reclaim));
}

/*
 * A work of its own, queued and never put off: who asks all the time must not keep it
 * from running, nor must a reclaim that ends just now put it off to when that one
 * wants to go on, which may be when the longest lease is over.
 */
void shelf_reclaim_soon(struct shelf *s)
{
	queue_delayed_work(s->wq, &s->soon, 1);
}

void shelf_soon_work(struct work_struct *work)
{
	shelf_reclaim(container_of(to_delayed_work(work), struct shelf, soon));
}

/*
 * Trimming
 * ========
 */
u64 shelf_trim_soon(struct shelf *s)
{
	u64 ticket = atomic64_inc_return(&s->trims_asked);

	queue_delayed_work(s->wq, &s->trim, 0);
	return ticket;
}

static int trim_locked(struct shelf *s, struct report *report)
{
	struct batch b;
	u64 published;
	int ret;

	if (READ_ONCE(s->dead))
		return -ENODEV;
	batch_init(&b, U64_MAX);
	ret = trim_stage(&s->store, &b);
	if (!ret && b.ops)
		ret = shelf_commit_locked(s, &b, report, &published);
	batch_free(&b);
	return ret;
}

static void trim_step(struct shelf *s)
{
	struct mem_cgroup *old = set_active_memcg(s->memcg);
	struct report report = {};
	enum trim_next next;
	int ret;

	if (!s->store.trim.page) {
		if (!s->store.trim.passes)
			s->trim_asked = atomic64_read(&s->trims_asked);
		shelf_reclaim(s);	/* what is free by now need not move */
	}
	mutex_lock(&s->commit_lock);
	ret = trim_locked(s, &report);
	next = trim_next(&s->store, ret);
	if (next != TRIM_STEP)
		s->trim_waits = s->store.generation;
	if (next == TRIM_OVER)
		s->trimmed_free = s->store.arena.free_pages;
	mutex_unlock(&s->commit_lock);
	set_active_memcg(old);
	if (report.generation)
		shelf_announce(s, &report);
	trace_shelf_trim(s->name, report.generation, report.pages,
			 READ_ONCE(s->store.arena.chunks), ret);
	s->trim_failed = ret;
	s->trim_over = next == TRIM_OVER;
	if (next == TRIM_STEP)
		queue_delayed_work(s->wq, &s->trim, 0);
	shelf_reclaim(s);
}

/*
 * Chunks go back a few at a time. Who has asked since the trim began gets another: what
 * was deleted in between may be too much for what was left of this one.
 */
static void trim_end(struct shelf *s)
{
	s->trim_over = shelf_reclaim(s);
	if (!s->trim_over) {
		WRITE_ONCE(s->trimmed_ns, store_clock());
		/* Pairs with put_settings(): the chunks have gone back. */
		smp_store_release(&s->trims_done, s->trim_asked);
	}
	if (s->trim_over || s->trim_asked != atomic64_read(&s->trims_asked))
		queue_delayed_work(s->wq, &s->trim, s->trim_over);
}

/*
 * One step, so that commits get their turn in between. After a pass there is nothing to
 * do until shelf_reclaim() sees that quarantine is over: one that came before would find
 * nothing to move, and be the last; and a trim is over when its memory can go back.
 */
void shelf_trim_work(struct work_struct *work)
{
	struct shelf *s = container_of(to_delayed_work(work), struct shelf, trim);

	if (s->trim_waits)
		return;
	if (s->trim_over)
		trim_end(s);
	else
		trim_step(s);
}

/*
 * The shrinker only queues: memory is short right now, and a trim needs some.
 * registry_lock may be held by whoever is short of it.
 */
static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long pages = 0;
	struct shelf *s;
	int minor;

	if (!mutex_trylock(&registry_lock))
		return 0;
	idr_for_each_entry(&shelf_idr, s, minor)
		pages += READ_ONCE(s->store.arena.free_pages);
	mutex_unlock(&registry_lock);
	return pages ?: SHRINK_EMPTY;
}

static void shrink_shelf(struct shelf *s)
{
	if (READ_ONCE(s->store.arena.free_pages) >= CHUNK_PAGES &&
	    !trim_rests(s) &&
	    atomic64_read(&s->trims_asked) == READ_ONCE(s->trims_done))
		shelf_trim_soon(s);
}

static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct shelf *s;
	int minor;

	if (!mutex_trylock(&registry_lock))
		return SHRINK_STOP;
	idr_for_each_entry(&shelf_idr, s, minor)
		shrink_shelf(s);
	mutex_unlock(&registry_lock);
	return SHRINK_STOP;
}

static struct shrinker *shrinker;

int upkeep_init(void)
{
	shrinker = compat_shrinker_alloc("shelf");
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
	return compat_shrinker_register(shrinker);
}

/* Returns when neither function is running. */
void upkeep_exit(void)
{
	compat_shrinker_free(shrinker);
}
