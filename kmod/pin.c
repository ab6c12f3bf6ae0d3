// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3, P4: pins: taken, let go, and revoked when their lease is over, they keep more
 * than they may, or memory is short. What is kept for them: retain.c.
 *
 * A generation that is pinned no longer gives nothing away before a grace
 * period has passed: an ioctl may be walking it. Until then it may be pinned
 * again, since all of it is still there; but not when it was taken away for want of
 * memory, or has been kept for as long as any lease, or else who pins it again and
 * again, before each grace period is over, would have it for ever.
 */
#include "core.h"

static_assert(sizeof(struct shelf_pins) == SHELF_PAGE_BYTES);
static_assert((SHELF_PINS & (SHELF_PINS - 1)) == 0);

int pins_init(struct store *st, struct shelf_pins *page)
{
	struct pins *pins = kvzalloc(sizeof(*pins), DRAFT_GFP);

	spin_lock_init(&st->reclaim_lock);
	if (!pins)
		return -ENOMEM;
	pins->page = page;
	memset(page, 0, sizeof(*page));
	st->pins = pins;
	return 0;
}

/* Nobody holds a pin any more, and the arena's memory is going. */
void pins_exit(struct store *st)
{
	u32 i;

	for (i = 0; st->pins && i < st->pins->count; i++) {
		slot_list_free(NULL, &st->pins->of[i]->slots);
		kfree(st->pins->of[i]);
	}
	kvfree(st->pins);
	st->pins = NULL;
}

u32 pinned_below(const struct pins *pins, u32 n, u64 generation)
{
	u32 low = 0;

	while (n) {
		u32 half = n / 2;

		if (pins->generation[low + half] < generation) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static void pinned_insert(struct pins *pins, u32 at, struct pinned *of, u64 generation)
{
	u32 n = pins->count - at;

	memmove(&pins->of[at + 1], &pins->of[at], n * sizeof(pins->of[0]));
	memmove(&pins->generation[at + 1], &pins->generation[at],
		n * sizeof(pins->generation[0]));
	pins->of[at] = of;
	pins->generation[at] = generation;
	WRITE_ONCE(pins->count, pins->count + 1);	/* pins_check() looks, unlocked */
}

static void pinned_remove(struct pins *pins, u32 at)
{
	u32 n = pins->count - at - 1;

	memmove(&pins->of[at], &pins->of[at + 1], n * sizeof(pins->of[0]));
	memmove(&pins->generation[at], &pins->generation[at + 1],
		n * sizeof(pins->generation[0]));
	WRITE_ONCE(pins->count, pins->count - 1);
}

/* The root page of an intact generation, or 0. */
static u32 root_of(const struct store *st, u64 generation)
{
	/* Pairs with the release in draft_publish(): its chunk is there. */
	u32 page = READ_ONCE(st->pins->roots[generation % ROOTS_KEPT]);
	const struct shelf_root *root = arena_page(&st->arena, page);

	/* Of a later generation, perhaps, and then as intact as any. */
	return page && READ_ONCE(root->generation) == generation ? page : 0;
}

/* Only what is kept is ever short. */
static bool may_pin_again(const struct store *st, const struct pinned *of)
{
	u64 longest = READ_ONCE(st->lease_max_ns);

	if (!of->covered)
		return true;
	return !of->forfeited && (!of->superseded_ns ||
				  store_clock() < of->superseded_ns + longest);
}

/*
 * The place of a pinned generation, taking @spare into use if it is the first
 * pin. Whatever is to be pinned is intact: it is pinned already, or nothing of
 * it has been reused, nor can be before the lock is let go.
 */
static int pinned_find(struct store *st, u64 generation, struct pinned **spare, u32 *at)
{
	struct pins *pins = st->pins;
	u32 root;

	lockdep_assert_held(&st->reclaim_lock);
	*at = pinned_below(pins, pins->count, generation);
	if (*at < pins->count && pins->generation[*at] == generation)
		return may_pin_again(st, pins->of[*at]) ? 0 : -ESTALE;
	if (generation < st->control->oldest)
		return -ESTALE;
	root = root_of(st, generation);
	if (!root)
		return -ESTALE;
	if (pins->count == PINNED_MAX)
		return -ENOSPC;
	(*spare)->root_page = root;
	pinned_insert(pins, *at, *spare, generation);
	*spare = NULL;
	return 0;
}

struct pin *store_slot_pin(const struct store *st, u32 slot)
{
	return rcu_dereference_protected(st->pins->slot[slot],
					 lockdep_is_held(&st->reclaim_lock));
}

/*
 * Whether @user has as much as one may have: in slots, and in generations that he let
 * go but that stay for a grace period, or else he could fill the table with those.
 */
static bool has_enough(const struct store *st, u32 user)
{
	const struct pins *pins = st->pins;
	u32 i, n = 0;

	if (pins->taken + pins->count < SHELF_PINS_PER_USER)
		return false;
	for (i = 0; i < SHELF_PINS; i++)
		n += pins->user[i] == user && store_slot_pin(st, i);
	for (i = 0; i < pins->count; i++)
		n += !pins->of[i]->pins && pins->of[i]->user == user;
	return n >= SHELF_PINS_PER_USER;
}

/* A free slot, or ENOSPC; EDQUOT if the user has enough. */
static int slot_find(struct store *st, u32 user, u32 *slot)
{
	struct pins *pins = st->pins;

	if (pins->taken == SHELF_PINS)
		return -ENOSPC;
	if (has_enough(st, user))
		return -EDQUOT;
	while (store_slot_pin(st, pins->hint % SHELF_PINS))
		pins->hint++;
	*slot = pins->hint++ % SHELF_PINS;
	return 0;
}

static int pin_locked(struct store *st, struct pin *p, u64 generation, u64 lease_ns,
		      struct pinned **spare)
{
	struct pins *pins = st->pins;
	u64 last = store_generation(st);
	u32 slot, at;
	int ret;

	if (generation > last)
		return -EINVAL;
	if (!generation)
		generation = last;
	ret = slot_find(st, p->user, &slot);
	if (!ret)
		ret = pinned_find(st, generation, spare, &at);
	if (ret)
		return ret;
	p->of = pins->of[at];
	p->of->pins++;
	if (generation < last && !p->of->superseded_ns)
		p->of->superseded_ns = store_clock();
	p->generation = generation;
	p->root_page = p->of->root_page;
	p->root = arena_page(&st->arena, p->root_page);
	p->token = ++pins->tokens * SHELF_PINS + slot;
	p->taken_ns = store_clock();
	p->until_ns = p->taken_ns + min(lease_ns, READ_ONCE(st->lease_max_ns));
	pins->user[slot] = p->user;
	/* Pairs with rcu_dereference() in file_view_rcu(): it is filled in. */
	rcu_assign_pointer(pins->slot[slot], p);
	WRITE_ONCE(pins->page->token[slot], p->token);
	WRITE_ONCE(pins->taken, pins->taken + 1);
	return 0;
}

int store_pin(struct store *st, struct pin *p, u64 generation, u64 lease_ns)
{
	struct pinned *spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!spare)
		return -ENOMEM;
	if (!lease_ns)
		lease_ns = READ_ONCE(st->lease_ns);
	spin_lock(&st->reclaim_lock);
	ret = pin_locked(st, p, generation, lease_ns, &spare);
	spin_unlock(&st->reclaim_lock);
	kfree(spare);
	return ret;
}

/* Takes away the token first, so that its reader knows before anything goes. */
static void pin_end(struct store *st, struct pin *p)
{
	struct pins *pins = st->pins;
	u32 slot = p->token % SHELF_PINS;

	lockdep_assert_held(&st->reclaim_lock);
	WRITE_ONCE(pins->page->token[slot], 0);
	smp_wmb();	/* P3. Pairs with the fence in shelf_pin_valid(). */
	RCU_INIT_POINTER(pins->slot[slot], NULL);
	WRITE_ONCE(pins->taken, pins->taken - 1);
	p->of->user = p->user;
	if (!--p->of->pins)
		p->of->ended = start_poll_synchronize_rcu();
	WRITE_ONCE(p->of, NULL);
}

int store_unpin(struct store *st, struct pin *p)
{
	int ret = -ESTALE;

	spin_lock(&st->reclaim_lock);
	if (p->of) {
		pin_end(st, p);
		ret = 0;
	}
	spin_unlock(&st->reclaim_lock);
	return ret;
}

static void revoke(struct store *st, struct pin *p)
{
	if (st->revoked)
		st->revoked(st, p);
	pin_end(st, p);
	WRITE_ONCE(st->revocations, st->revocations + 1);
}

static void revoke_all(struct store *st, const struct pinned *of)
{
	u32 i;

	for (i = 0; of->pins && i < SHELF_PINS; i++) {
		struct pin *p = store_slot_pin(st, i);

		if (p && p->of == of)
			revoke(st, p);
	}
}

struct pinned *pinned_take(struct store *st, struct pinned **older, u64 *generation)
{
	struct pins *pins = st->pins;
	struct pinned *of = NULL;
	u32 i;

	spin_lock(&st->reclaim_lock);
	for (i = 0; i < pins->count; i++)
		if (!pins->of[i]->pins && poll_state_synchronize_rcu(pins->of[i]->ended))
			break;
	if (i < pins->count) {
		of = pins->of[i];
		*older = i ? pins->of[i - 1] : NULL;
		*generation = i ? pins->generation[i - 1] : 0;
		pinned_remove(pins, i);
	}
	spin_unlock(&st->reclaim_lock);
	return of;
}

/*
 * Leases and the cap
 * ==================
 */

/* No chain of pins keeps a generation longer than one pin could. */
u64 pin_lease_end(const struct store *st, const struct pin *p)
{
	u64 longest = READ_ONCE(st->lease_max_ns);

	if (!p->of->superseded_ns)
		return p->until_ns;
	return min(p->until_ns, p->of->superseded_ns + longest);
}

/* A lease is enforced on what holds something. Returns when to look again. */
static u64 leases_check(struct store *st, u64 now)
{
	u64 wait = 0;
	u32 i;

	for (i = 0; st->pins->taken && i < SHELF_PINS; i++) {
		struct pin *p = store_slot_pin(st, i);
		u64 end;

		if (!p || !p->of->covered)
			continue;
		end = pin_lease_end(st, p);
		if (end <= now)
			revoke(st, p);
		else
			wait = wait ? min(wait, end - now) : end - now;
	}
	return wait;
}

static void superseded_note(struct store *st, u64 now)
{
	struct pins *pins = st->pins;
	u64 last = store_generation(st);
	u32 i;

	for (i = 0; i < pins->count && pins->generation[i] < last; i++)
		if (!pins->of[i]->superseded_ns)
			pins->of[i]->superseded_ns = now;
}

static struct pinned *holds_most(const struct pins *pins)
{
	struct pinned *most = NULL;
	u32 i;

	for (i = 0; i < pins->count; i++) {
		struct pinned *of = pins->of[i];

		if (of->pins && of->covered && (!most || of->covered > most->covered))
			most = of;
	}
	return most;
}

/*
 * P4. What is on its way out goes for good: who pins it again would keep it there.
 * Returns one of those, or NULL.
 */
static struct pinned *forfeit_ending(struct pins *pins)
{
	struct pinned *of = NULL;
	u32 i;

	for (i = 0; i < pins->count; i++)
		if (!pins->of[i]->pins && pins->of[i]->covered) {
			of = pins->of[i];
			of->forfeited = true;
		}
	return of;
}

/* And so does what keeps most, if anything does. */
static struct pinned *forfeit_most(struct store *st)
{
	struct pinned *of = holds_most(st->pins);

	if (of) {
		revoke_all(st, of);
		of->forfeited = true;
	}
	return of;
}

static bool any_ending(const struct pins *pins)
{
	u32 i = 0;

	while (i < pins->count && pins->of[i]->pins)
		i++;
	return i < pins->count;
}

u64 pins_check(struct store *st)
{
	u64 now = store_clock(), wait;

	if (!READ_ONCE(st->pins->count))
		return 0;
	spin_lock(&st->reclaim_lock);
	superseded_note(st, now);
	wait = leases_check(st, now);
	/* One at a time: what it gives back may be enough. */
	if (st->retained_bytes > READ_ONCE(st->pin_bytes) && !forfeit_ending(st->pins))
		forfeit_most(st);
	if (any_ending(st->pins))
		wait = GRACE_CHECK_NS;
	spin_unlock(&st->reclaim_lock);
	return wait;
}

/*
 * P4. A writer is never refused because of a reader. Where many generations keep much
 * the same, the one that keeps most passes it on when it goes, so each time that this
 * was not enough twice as many go, and share a grace period: a writer waits for a few.
 */
bool pins_squeeze(struct store *st)
{
	struct pins *pins = st->pins;
	struct pinned *of;
	u64 ended = 0;
	u32 n;

	pins->squeeze = min(2 * pins->squeeze + 1, PINNED_MAX);
	spin_lock(&st->reclaim_lock);
	for (n = 0; n < pins->squeeze; n++) {
		of = n ? NULL : forfeit_ending(pins);
		of = of ?: forfeit_most(st);
		if (!of)
			break;
		ended = of->ended;
	}
	spin_unlock(&st->reclaim_lock);
	if (!n)
		return false;
	cond_synchronize_rcu(ended);
	pins_let_go(st);
	return true;
}
