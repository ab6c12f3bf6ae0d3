// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From retired to free.
 *
 *   retired      by draft_retire(), once its replacement is published
 *   quarantine   until the grace period of kernel readers is over and mapped
 *                readers have had their time, or memory is short
 *   kept         by pins, as long as they need it (pin.c)
 *   free         a draft may write to it
 *
 * P3  retired_free() is the only way out of quarantine. It raises oldest first.
 * P4  What is short of memory takes, in this order: what has served its time;
 *     what was about to be given back; beyond the budget, what was retired
 *     longest; a new chunk; what was retired longest, be it before its time; what
 *     the pins that hold most hold. Only what a grace period still covers is waited
 *     for. No reader makes a commit fail.
 */
#include "core.h"

u64 store_quarantine_bytes(const struct store *st)
{
	return st->quarantined_pages * SHELF_PAGE_BYTES + st->quarantined_slot_bytes;
}

u64 store_quarantine_budget(const struct store *st)
{
	const struct arena *a = &st->arena;
	u64 used = ((u64)a->chunks * CHUNK_PAGES - a->free_pages) * SHELF_PAGE_BYTES;
	u64 not_live = store_quarantine_bytes(st) + st->retained_bytes;

	return max(st->quarantine_bytes, used > not_live ? (used - not_live) / 4 : 0);
}

/*
 * P3. A reader that sees a byte written to any of this later also sees oldest
 * above its own generation: the smp_wmb() pairs with the acquire fence in
 * shelf_retry(). @r is the one that has been in quarantine the longest.
 */
static void retired_free(struct store *st, struct retired *r)
{
	spin_lock(&st->reclaim_lock);
	if (st->control->oldest < r->generation)
		WRITE_ONCE(st->control->oldest, r->generation);
	spin_unlock(&st->reclaim_lock);
	smp_wmb();	/* pairs with the fence in shelf_retry() */

	st->first = r->next;
	if (!st->first)
		st->last = NULL;
	WRITE_ONCE(st->quarantined_pages, st->quarantined_pages - r->pages.count);
	WRITE_ONCE(st->quarantined_slot_bytes,
		   st->quarantined_slot_bytes - r->slots.bytes);
	pins_settle(st, r);
	kfree(r);
}

static bool served(const struct store *st, const struct retired *r, u64 now)
{
	return now - r->since_ns >= READ_ONCE(st->quarantine_ns) &&
	       poll_state_synchronize_rcu(r->grace);
}

static u64 quarantine_wait(const struct store *st, u64 now)
{
	u64 end;

	if (!st->first)
		return 0;
	end = st->first->since_ns + READ_ONCE(st->quarantine_ns);
	return end > now ? end - now : GRACE_CHECK_NS;
}

static void free_served(struct store *st, u64 now)
{
	while (st->first && served(st, st->first, now))
		retired_free(st, st->first);
	pins_let_go(st);
}

u64 store_reclaim(struct store *st)
{
	u64 now = store_clock(), quarantine, pins;

	free_served(st, now);
	if (arena_shrink(st))
		return RECLAIM_MORE;
	pins = pins_check(st);
	quarantine = quarantine_wait(st, now);
	return pins && quarantine ? min(pins, quarantine) : pins + quarantine;
}

static bool reuse_early(struct store *st)
{
	if (!st->first)
		return false;
	WRITE_ONCE(st->early_reuses, st->early_reuses + 1);
	retired_free(st, st->first);
	return true;
}

/* Whatever is there to be had. False if nothing is. */
static bool reclaim_hard(struct store *st, bool spares_pins)
{
	if (st->first) {
		cond_synchronize_rcu(st->first->grace);
		return reuse_early(st);
	}
	return !spares_pins && pins_squeeze(st);
}

int store_refill(struct store *st, bool spares_pins)
{
	u64 before = st->arena.free_pages;
	int ret;

	free_served(st, store_clock());
	if (st->arena.free_pages > before || arena_reopen(&st->arena))
		return 0;
	if (store_quarantine_bytes(st) > store_quarantine_budget(st) &&
	    poll_state_synchronize_rcu(st->first->grace) && reuse_early(st))
		return 0;
	ret = arena_grow(st);
	if (ret && reclaim_hard(st, spares_pins))
		return 0;
	return ret;
}

void store_exit(struct store *st)
{
	struct retired *r;

	while ((r = st->first)) {
		st->first = r->next;
		slot_list_free(NULL, &r->slots);
		kfree(r);
	}
	st->last = NULL;
	pins_exit(st);
	arena_exit(&st->arena);
}
