/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The arena's bookkeeping, which no reader sees: chunks, pages and slots, and
 * the stores into what readers do see.
 */
#ifndef SHELF_ARENA_H
#define SHELF_ARENA_H

#ifdef __KERNEL__
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/types.h>
#else
#include "../tools/lib/shim.h"
#endif

#include "walk.h"

/*
 * For all that a commit needs: charged to whom the shelf belongs to, and sooner
 * refused than that a process is killed for it.
 */
#define DRAFT_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

#define CHUNK_PAGES	(1U << (SHELF_CHUNK_SHIFT - SHELF_PAGE_SHIFT))
#define SLOT_CLASSES	(SHELF_SLOT_MAX / SHELF_SLOT_UNIT + 1)

/*
 * Stores into the arena. Readers may be looking at the page's former life, so
 * for a sanitizer every store is a release that pairs with SHELF_LOAD().
 * Never non-temporal: publish orders ordinary stores only.
 */
static inline void arena_put(void *to, const void *from, size_t bytes)
{
#ifdef SHELF_TSAN
	const u8 *f = from;
	u8 *t = to;
	size_t i;

	for (i = 0; i < bytes; i++)
		__atomic_store_n(&t[i], f[i], __ATOMIC_RELEASE);
#else
	memcpy(to, from, bytes);
#endif
}

static inline void arena_put_u32(u32 *to, u32 value)
{
#ifdef SHELF_TSAN
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
#else
	*to = value;
#endif
}

static inline void arena_put_u64(__u64 *to, u64 value)
{
#ifdef SHELF_TSAN
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
#else
	*to = value;
#endif
}

static inline void arena_zero(void *to, size_t bytes)
{
#ifdef SHELF_TSAN
	u8 *t = to;
	size_t i;

	for (i = 0; i < bytes; i++)
		__atomic_store_n(&t[i], 0, __ATOMIC_RELEASE);
#else
	memset(to, 0, bytes);
#endif
}

/**
 * struct page_meta - what the writer knows of a page; not mapped
 * @next, @prev: of the free list, of a draft's new pages or of retired ones
 * @slab_next, @slab_prev: of the pages of one slot class that have room
 * @birth: generation that wrote it
 * @key, @level: by which its parent is found
 * @kind: SHELF_KIND_*
 * @retired: not part of the newest snapshot any more, nor free yet
 * @closed: a slab that is being emptied: it gets no more slots
 * @used: slots in use, of a slab
 */
struct page_meta {
	u32 next;
	u32 prev;
	u32 slab_next;
	u32 slab_prev;
	u64 birth;
	u64 key;		/* for data: the product; else as in its header */
	u8  level;
	u8  kind : 6;
	u8  retired : 1;
	u8  closed : 1;
	u16 used;
};

/* Pages linked through their page_meta; 0 ends. */
struct page_list {
	u32 head;
	u32 count;
};

/*
 * @retired: pages that are neither part of the newest snapshot nor free
 * @pinned: of these, those that a pin keeps
 * @slabs_closed: of its pages, slabs that are being emptied
 * @closed: it is being emptied, and none of its pages are handed out
 */
struct chunk_meta {
	struct page_list free;
	u32 retired;
	u32 pinned;
	u32 slabs_closed;
	bool closed;
	struct page_meta page[CHUNK_PAGES];
};

/**
 * struct arena - the shelf's memory
 * @chunk: their addresses, NULL for a hole; read by kernel readers under RCU
 * @meta: likewise
 * @max_chunks: the cap
 * @closed: chunks that are being emptied
 * @hint: no chunk below it has a free page to hand out
 * @slab: first page with room, of each size; at 0, which is none, of the closed
 */
struct arena {
	void **chunk;
	struct chunk_meta **meta;
	u32 max_chunks;
	u32 chunks;
	u32 closed;
	u32 hint;
	u64 free_pages;
	u64 pages[SHELF_KINDS];
	u64 slot_bytes;			/* in use by slots, quarantined included */
	u32 slab[SLOT_CLASSES];
};

/* A slot and when it was born, which tells the pins that hold it. */
struct slot_ref {
	u64 birth;
	u32 ref;
	u32 bytes;
};

/* The first block of a list is small: most commits are. */
#define SLOT_BLOCK_FIRST	6U
#define SLOT_BLOCK_REFS		254U

struct slot_block {
	struct slot_block *next;
	u32 count;
	u32 room;
	struct slot_ref slot[];
};

struct slot_list {
	struct slot_block *head;
	u64 bytes;
};

struct draft;
struct store;

/* arena.c */
static inline struct page_meta *page_meta(const struct arena *a, u32 page)
{
	return &a->meta[page / CHUNK_PAGES]->page[page % CHUNK_PAGES];
}

static inline void *arena_page(const struct arena *a, u32 page)
{
	return (u8 *)a->chunk[page / CHUNK_PAGES] +
	       ((size_t)(page % CHUNK_PAGES) << SHELF_PAGE_SHIFT);
}

static inline void *arena_slot(const struct arena *a, u32 ref)
{
	const u32 per_page = SHELF_PAGE_BYTES / SHELF_SLOT_UNIT;

	return (u8 *)arena_page(a, ref / per_page) +
	       (size_t)(ref % per_page) * SHELF_SLOT_UNIT;
}

int arena_init(struct arena *a, u64 max_bytes);
void arena_exit(struct arena *a);
int arena_grow(struct store *st);
int arena_add(struct store *st, u32 index);
void arena_close(struct arena *a, u32 index);
/* Opens a closed chunk, or then closed slabs, again. False if there were none. */
bool arena_reopen(struct arena *a);
/* Gives some closed chunks that have emptied back to the system. False: all of them. */
bool arena_shrink(struct store *st);
void arena_free_page(struct arena *a, u32 page);
void arena_keep_pages(struct arena *a, const struct page_list *l);
void arena_adopt_page(struct arena *a, u32 page, u8 kind, u64 key);

void page_list_add(struct arena *a, struct page_list *l, u32 page);
void page_list_del(struct arena *a, struct page_list *l, u32 page);

/* Page number, or 0 and *@error: ENOSPC (the cap), ENOMEM (the host). */
u32 draft_alloc_page(struct draft *d, u8 kind, u64 key, u8 level, int *error);
/* Takes a page out of the draft: frees it if it is the draft's own. */
void draft_retire_page(struct draft *d, u32 page);

/*
 * The glue's part of the arena: memory for chunk @index, zeroed, or an
 * ERR_PTR. No reader may see a hole there once it returns.
 */
void *arena_chunk_alloc(struct store *st, u32 index);

/*
 * Takes it back. Every page of it is free, so that no reader who would believe
 * what he reads is there; others read zeros from now on. False if it can't be had
 * back now.
 */
bool arena_chunk_free(struct store *st, u32 index);

/* slab.c */
u32 slot_alloc(struct draft *d, u32 bytes, s64 key, int *error);
int slot_retire(struct draft *d, u32 ref, u32 bytes, u64 birth);
void slot_free(struct arena *a, u32 ref);
void slot_list_free(struct arena *a, struct slot_list *l);
int slot_list_add(struct slot_list *l, u32 ref, u32 bytes, u64 birth);
/* Takes the block over, or its slots if they fit into the list's first one. */
void slot_list_join(struct slot_list *l, struct slot_block *b);
void slab_forget(struct arena *a, u32 page);
void slab_close(struct arena *a, u32 page);
void slab_open(struct arena *a, u32 page);
void slab_reopen(struct arena *a);
u32 slab_slots(const struct shelf_page_header *h);
void slab_adopt_slot(struct arena *a, u32 ref);
void slab_adopt_done(struct arena *a, u32 page);

/* Whether a page is being emptied, for itself or with its chunk. */
static inline bool page_closed(const struct arena *a, u32 page)
{
	return a->meta[page / CHUNK_PAGES]->closed || page_meta(a, page)->closed;
}

static inline u32 slot_page(u32 ref)
{
	return ref / (SHELF_PAGE_BYTES / SHELF_SLOT_UNIT);
}

static inline u32 slot_ref_of(u32 page, u32 index, u32 slot_bytes)
{
	return page * (SHELF_PAGE_BYTES / SHELF_SLOT_UNIT) +
	       (SHELF_LINE + index * slot_bytes) / SHELF_SLOT_UNIT;
}

static inline u32 slot_class_bytes(u32 bytes)
{
	return ALIGN(bytes, SHELF_SLOT_UNIT);
}

#endif /* SHELF_ARENA_H */
