// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3, P4: what is kept for pins.
 *
 * What leaves quarantine hangs on the newest pinned generation that it is part
 * of, if there is one, and passes on to the next older one when that goes. So a
 * pin keeps its own snapshot and not a page more, however many commits follow.
 */
#include "core.h"

/*
 * Counts @bytes that were born with @birth for all from the first that has them.
 * Without the lock: behind @heirs others come to be pinned meanwhile.
 */
static void count_fresh(struct pins *pins, u64 birth, u64 bytes)
{
	pins->fresh[pinned_below(pins, pins->heirs, birth)] += bytes;
}

/* Adds up what count_fresh() noted for the generations up to the one at @at. */
static void cover_fresh(struct store *st, u32 at)
{
	struct pins *pins = st->pins;
	u64 sum = 0;
	u32 i;

	spin_lock(&st->reclaim_lock);
	for (i = 0; i <= at; i++) {
		sum += pins->fresh[i];
		pins->of[i]->covered += sum;
		pins->fresh[i] = 0;
	}
	spin_unlock(&st->reclaim_lock);
	WRITE_ONCE(st->retained_bytes, st->retained_bytes + sum);
}

static void page_keep(struct store *st, u32 page, struct pinned *to, bool fresh)
{
	page_list_add(&st->arena, &to->pages, page);
	if (!fresh)
		return;
	st->arena.meta[page / CHUNK_PAGES]->pinned++;
	count_fresh(st->pins, page_meta(&st->arena, page)->birth, SHELF_PAGE_BYTES);
}

static void page_release(struct store *st, u32 page, bool fresh)
{
	arena_free_page(&st->arena, page);
	WRITE_ONCE(st->reclaimed_pages, st->reclaimed_pages + 1);
	if (fresh)
		return;
	st->arena.meta[page / CHUNK_PAGES]->pinned--;
	WRITE_ONCE(st->retained_bytes, st->retained_bytes - SHELF_PAGE_BYTES);
}

static void slot_release(struct store *st, const struct slot_ref *s, bool fresh)
{
	slot_free(&st->arena, s->ref);
	WRITE_ONCE(st->reclaimed_slot_bytes, st->reclaimed_slot_bytes + s->bytes);
	if (!fresh)
		WRITE_ONCE(st->retained_bytes, st->retained_bytes - s->bytes);
}

/*
 * Hangs on @to, which is @generation, what was born by then, and frees the
 * rest. @fresh: it comes out of quarantine, not from another pin.
 */
static void retain_pages(struct store *st, struct page_list *pages, struct pinned *to,
			 u64 generation, bool fresh)
{
	struct arena *a = &st->arena;
	u32 page;

	while ((page = pages->head)) {
		page_list_del(a, pages, page);
		if (to && page_meta(a, page)->birth <= generation)
			page_keep(st, page, to, fresh);
		else
			page_release(st, page, fresh);
		cond_resched();
	}
}

static void retain_slots(struct store *st, struct slot_list *slots, struct pinned *to,
			 u64 generation, bool fresh)
{
	struct slot_block *b;
	u32 i, kept;

	while ((b = slots->head)) {
		slots->head = b->next;
		for (i = 0, kept = 0; i < b->count; i++) {
			struct slot_ref s = b->slot[i];

			if (!to || s.birth > generation) {
				slot_release(st, &s, fresh);
				continue;
			}
			b->slot[kept++] = s;
			if (fresh)
				count_fresh(st->pins, s.birth, s.bytes);
		}
		b->count = kept;
		if (to)
			slot_list_join(&to->slots, b);
		else
			kfree(b);
		cond_resched();
	}
	slots->bytes = 0;
}

void pins_settle(struct store *st, struct retired *r)
{
	struct pins *pins = st->pins;
	struct pinned *to = NULL;
	u64 generation = 0;
	u32 below;

	/*
	 * Since oldest has been raised, whoever pins a generation below
	 * r->generation from now on finds it pinned already: what is below keeps
	 * its place, and goes only under the commit lock, which we have.
	 */
	spin_lock(&st->reclaim_lock);
	below = pinned_below(pins, pins->count, r->generation);
	pins->heirs = below;
	if (below) {
		to = pins->of[below - 1];
		generation = pins->generation[below - 1];
	}
	spin_unlock(&st->reclaim_lock);
	retain_pages(st, &r->pages, to, generation, true);
	retain_slots(st, &r->slots, to, generation, true);
	if (below)
		cover_fresh(st, below - 1);
}

/*
 * P3. What is freed here has been announced in oldest when it left quarantine,
 * and its pins' tokens are gone: the barrier keeps whatever is stored to it
 * behind the tokens, which may have been taken by another thread. Pairs with
 * the fence in shelf_pin_valid().
 */
void pins_let_go(struct store *st)
{
	struct pinned *of, *older;
	u64 generation;

	while ((of = pinned_take(st, &older, &generation))) {
		smp_wmb();	/* as above */
		retain_pages(st, &of->pages, older, generation, false);
		retain_slots(st, &of->slots, older, generation, false);
		kfree(of);
	}
}
