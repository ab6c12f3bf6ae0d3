/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pins: a reader's hold on the snapshot of one generation, with a lease and a
 * token that can be revoked.
 *
 * What is retired is made of pages and slots, each with the generation that
 * wrote it (birth) and the one that is the first without it (retirement x). A
 * pin of g needs those with birth <= g < x, and no others are kept for it.
 *
 * Taking a pin and letting it go take reclaim_lock alone, a spinlock that is
 * held for a short time whoever holds it, so that neither a writer waits for a
 * reader that was preempted nor a reader for a commit.
 */
#ifndef SHELF_PIN_H
#define SHELF_PIN_H

#include "arena.h"

/* Generations that pins hold at one time, those just let go included. */
#define PINNED_MAX	(2 * SHELF_PINS)
/* Roots are remembered of so many generations, for a pin that names one. */
#define ROOTS_KEPT	4096U

/**
 * struct pin - one pin; its holder's memory
 * @token: never used twice; its low bits are the slot
 * @user, @owner: set by the holder: whom it counts for, and whose it is
 * @of: NULL once it is revoked; under reclaim_lock
 * @root: of its snapshot
 * @taken_ns, @until_ns: of store_clock(); the end of its lease
 */
struct pin {
	u64 token;
	u64 generation;
	u64 taken_ns;
	u64 until_ns;
	const void *owner;
	struct pinned *of;
	const struct shelf_root *root;
	u32 root_page;
	u32 user;
};

/**
 * struct pinned - a generation that pins hold
 * @pins: how many; at 0 it goes when the grace period @ended is over, unless
 *        somebody pins it again; under reclaim_lock, as is @ended
 * @user: who let it go last
 * @superseded_ns: when it was first seen not to be the newest; 0: it is
 * @forfeited: what it keeps was needed, and nobody may pin it again
 * @covered: bytes of what it is made of that only pins keep; they hang here or
 *           on later ones; under the commit lock and reclaim_lock
 * @pages, @slots: what has this as the newest pinned generation that it is part
 *                 of; under the commit lock
 */
struct pinned {
	u32 pins;
	u32 root_page;
	u32 user;
	bool forfeited;
	u64 superseded_ns;
	u64 ended;
	u64 covered;
	struct page_list pages;
	struct slot_list slots;
};

/**
 * struct pins - all pins of a store
 * @page: the tokens, mapped by readers
 * @slot: by token; kernel readers come here under RCU
 * @user: of the pin in each slot, beside each other so that counting is quick
 * @of, @generation: the pinned generations, ascending
 * @fresh: work space of pins_settle()
 * @heirs: likewise: how many there are that what is retired may be part of
 * @roots: root pages of the last generations, by their low bits
 * @count: of pinned generations
 * @taken: slots
 * @hint: the slot to look at first
 * @tokens: given out so far
 * @squeeze: of the draft at work: generations that went for want of memory, at last
 */
struct pins {
	struct shelf_pins *page;
	struct pin __rcu *slot[SHELF_PINS];
	u32 user[SHELF_PINS];
	struct pinned *of[PINNED_MAX];
	u64 generation[PINNED_MAX];
	u64 fresh[PINNED_MAX];
	u32 heirs;
	u32 roots[ROOTS_KEPT];
	u32 count;
	u32 taken;
	u32 hint;
	u32 squeeze;
	u64 tokens;
};

struct store;
struct retired;

int pins_init(struct store *st, struct shelf_pins *page);	/* ENOMEM */
void pins_exit(struct store *st);

/*
 * Takes a pin of @generation, 0 for the newest, for @lease_ns or, if that is 0,
 * the store's usual time, and never for more than its longest. @p is zeroed but
 * for @user and @owner, and stays until store_unpin() and a grace period. Any
 * context that may sleep; not the commit lock. EINVAL: no such generation yet.
 * ESTALE: some of it has been reused. EDQUOT: the user has SHELF_PINS_PER_USER, or had
 * and let go of them just now.
 * ENOSPC: all slots are taken. ENOMEM.
 */
int store_pin(struct store *st, struct pin *p, u64 generation, u64 lease_ns);
/* ESTALE: it had been revoked. In either case it is no more. */
int store_unpin(struct store *st, struct pin *p);

/* The pin in a slot, or NULL, and when its lease ends; under reclaim_lock. */
struct pin *store_slot_pin(const struct store *st, u32 slot);
u64 pin_lease_end(const struct store *st, const struct pin *p);

/* What follows is for reclaim.c, under the commit lock. */

/*
 * Keeps of what @r retired what a pinned generation needs, and frees the rest.
 * @oldest has been raised to r->generation.
 */
void pins_settle(struct store *st, struct retired *r);
/* Frees, or hands to an older pin, what pins that have ended held. */
void pins_let_go(struct store *st);
/*
 * Revokes pins whose lease is over or, beyond the cap, what holds most. Returns
 * nanoseconds until it is worth another call, 0: until something changes.
 */
u64 pins_check(struct store *st);
/*
 * For want of memory: revokes what holds most, more each time that a draft asks, and
 * waits. False: nothing is held.
 */
bool pins_squeeze(struct store *st);

/* What retain.c asks of pin.c. */

/* How many of the first @n pinned generations are below @generation; reclaim_lock. */
u32 pinned_below(const struct pins *pins, u32 n, u64 generation);
/*
 * The oldest generation that nobody pins nor walks any more, taken out, or NULL; and
 * the pinned one below it, or NULL. Under the commit lock.
 */
struct pinned *pinned_take(struct store *st, struct pinned **older, u64 *generation);

#endif /* SHELF_PIN_H */
