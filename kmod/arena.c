// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The arena: 2 MiB chunks cut into pages of 4 KiB.
 *
 * A page is free, new (a draft's own, reachable by nobody), live (reachable
 * from the newest snapshot) or retired (only from older ones). It goes from
 * retired to free in reclaim.c and pin.c and nowhere else, and that is where P3
 * is kept. A dropped draft's new pages were never reachable and go straight back.
 *
 * To be given back a chunk must be empty. It is closed, so that nothing comes in
 * any more, what is live in it moves out (trim.c), and what is retired goes when
 * its time comes.
 */
#include "core.h"

int arena_init(struct arena *a, u64 max_bytes)
{
	memset(a, 0, sizeof(*a));
	a->max_chunks = (u32)(max_bytes >> SHELF_CHUNK_SHIFT);
	a->chunk = kvcalloc(a->max_chunks, sizeof(*a->chunk), GFP_KERNEL);
	a->meta = kvcalloc(a->max_chunks, sizeof(*a->meta), GFP_KERNEL);
	if (a->chunk && a->meta)
		return 0;
	arena_exit(a);
	return -ENOMEM;
}

void arena_exit(struct arena *a)
{
	u32 i;

	for (i = 0; a->meta && i < a->max_chunks; i++)
		kvfree(a->meta[i]);
	kvfree(a->meta);
	kvfree(a->chunk);
	a->meta = NULL;
	a->chunk = NULL;
}

void page_list_add(struct arena *a, struct page_list *l, u32 page)
{
	struct page_meta *m = page_meta(a, page);

	m->next = l->head;
	m->prev = 0;
	if (l->head)
		page_meta(a, l->head)->prev = page;
	l->head = page;
	l->count++;
}

void page_list_del(struct arena *a, struct page_list *l, u32 page)
{
	struct page_meta *m = page_meta(a, page);

	if (m->prev)
		page_meta(a, m->prev)->next = m->next;
	else
		l->head = m->next;
	if (m->next)
		page_meta(a, m->next)->prev = m->prev;
	l->count--;
}

/* Doubly linked, so that a page can be adopted from the middle. */
static void free_list_add(struct arena *a, u32 page)
{
	page_list_add(a, &a->meta[page / CHUNK_PAGES]->free, page);
	WRITE_ONCE(a->free_pages, a->free_pages + 1);
}

static void free_list_del(struct arena *a, u32 page)
{
	page_list_del(a, &a->meta[page / CHUNK_PAGES]->free, page);
	WRITE_ONCE(a->free_pages, a->free_pages - 1);
}

static void set_kind(struct arena *a, struct page_meta *m, u8 kind)
{
	if (m->kind != SHELF_KIND_FREE)
		WRITE_ONCE(a->pages[m->kind], a->pages[m->kind] - 1);
	if (kind != SHELF_KIND_FREE)
		WRITE_ONCE(a->pages[kind], a->pages[kind] + 1);
	m->kind = kind;
}

static void set_retired(struct arena *a, u32 page, bool retired)
{
	struct page_meta *m = page_meta(a, page);
	struct chunk_meta *chunk = a->meta[page / CHUNK_PAGES];

	if (m->retired != retired)
		chunk->retired += retired ? 1 : -1;
	m->retired = retired;
}

void arena_free_page(struct arena *a, u32 page)
{
	set_kind(a, page_meta(a, page), SHELF_KIND_FREE);
	set_retired(a, page, false);
	free_list_add(a, page);
	a->hint = min(a->hint, page / CHUNK_PAGES);
}

/* A dropped draft would have retired these. */
void arena_keep_pages(struct arena *a, const struct page_list *l)
{
	u32 page;

	for (page = l->head; page; page = page_meta(a, page)->next)
		set_retired(a, page, false);
}

/* Takes a page that a snapshot uses off the free list, after a restart. */
void arena_adopt_page(struct arena *a, u32 page, u8 kind, u64 key)
{
	free_list_del(a, page);
	set_kind(a, page_meta(a, page), kind);
	page_meta(a, page)->birth = 0;
	page_meta(a, page)->key = key;
	page_meta(a, page)->used = 0;
}

static bool has_page(const struct chunk_meta *chunk)
{
	return chunk && chunk->free.count && !chunk->closed;
}

/* The lowest chunk first, so that high ones empty. */
static u32 take_page(struct arena *a)
{
	u32 page;

	while (a->hint < a->max_chunks && !has_page(a->meta[a->hint]))
		a->hint++;
	if (a->hint == a->max_chunks)
		return 0;
	page = a->meta[a->hint]->free.head;
	free_list_del(a, page);
	return page;
}

/* Makes a chunk of a hole. ENOMEM: the host's memory. */
int arena_add(struct store *st, u32 index)
{
	struct arena *a = &st->arena;
	struct chunk_meta *meta;
	void *address;
	u32 i;

	meta = kvzalloc(sizeof(*meta), DRAFT_GFP);
	if (!meta)
		return -ENOMEM;
	address = arena_chunk_alloc(st, index);
	if (IS_ERR(address)) {
		kvfree(meta);
		return (int)PTR_ERR(address);
	}
	a->meta[index] = meta;
	/* Readers come here by way of a root that is published later. */
	WRITE_ONCE(a->chunk[index], address);
	WRITE_ONCE(a->chunks, a->chunks + 1);
	for (i = CHUNK_PAGES; i-- > !index;)	/* page 0 stays zero */
		free_list_add(a, index * CHUNK_PAGES + i);
	a->hint = min(a->hint, index);
	return 0;
}

/* ENOSPC: the shelf's maximum; ENOMEM. */
int arena_grow(struct store *st)
{
	const struct arena *a = &st->arena;
	u32 index;

	for (index = 0; index < a->max_chunks && a->chunk[index]; index++)
		;
	return index < a->max_chunks ? arena_add(st, index) : -ENOSPC;
}

/* Slabs with it, as many of their slots as there may be left to take. */
void arena_close(struct arena *a, u32 index)
{
	struct chunk_meta *chunk = a->meta[index];
	u32 i;

	if (chunk->closed)
		return;
	chunk->closed = true;
	a->closed++;
	for (i = 0; i < CHUNK_PAGES; i++)
		if (chunk->page[i].kind == SHELF_KIND_SLAB)
			slab_close(a, index * CHUNK_PAGES + i);
}

static void chunk_reopen(struct arena *a, u32 index)
{
	struct chunk_meta *chunk = a->meta[index];
	u32 i;

	chunk->closed = false;
	a->closed--;
	a->hint = min(a->hint, index);
	for (i = 0; i < CHUNK_PAGES; i++)
		if (chunk->page[i].kind == SHELF_KIND_SLAB)
			slab_open(a, index * CHUNK_PAGES + i);
}

/* One at a time: who is short of a few pages need not undo a trim. */
bool arena_reopen(struct arena *a)
{
	u32 index = 0;

	if (!a->closed && !a->slab[0])
		return false;
	while (a->closed && !(a->meta[index] && a->meta[index]->closed))
		index++;
	if (a->closed)
		chunk_reopen(a, index);
	else
		slab_reopen(a);
	return true;
}

/*
 * P3. Every page of the chunk has been free: what was ever part of a snapshot
 * left quarantine, and oldest was raised, before. So a mapped reader who still
 * walks it does not believe what he reads, be it the zeros of a hole, and no
 * kernel reader is there, since their grace periods are over.
 */
static bool chunk_return(struct store *st, u32 index)
{
	struct arena *a = &st->arena;
	struct chunk_meta *meta = a->meta[index];

	if (!arena_chunk_free(st, index))
		return false;
	WRITE_ONCE(a->chunk[index], NULL);
	a->meta[index] = NULL;
	a->closed--;
	WRITE_ONCE(st->returned_chunks, st->returned_chunks + 1);
	WRITE_ONCE(a->chunks, a->chunks - 1);
	WRITE_ONCE(a->free_pages, a->free_pages - CHUNK_PAGES);
	kvfree(meta);
	return true;
}

/* What is returned costs time for every mapping; a commit may be waiting for us. */
#define SHRINK_CHUNKS	8U

bool arena_shrink(struct store *st)
{
	struct arena *a = &st->arena;
	u32 index, n = 0;

	for (index = 1; a->closed && index < a->max_chunks && n < SHRINK_CHUNKS; index++) {
		struct chunk_meta *chunk = a->meta[index];

		if (chunk && chunk->closed && chunk->free.count == CHUNK_PAGES)
			n += chunk_return(st, index);
	}
	return n == SHRINK_CHUNKS;
}

/* A trim takes from nobody; for a while a shelf may grow by what is moving. */
static int trim_refill(struct store *st)
{
	return arena_grow(st) ? -ENOSPC : 0;
}

u32 draft_alloc_page(struct draft *d, u8 kind, u64 key, u8 level, int *error)
{
	struct arena *a = &d->store->arena;
	struct page_meta *m;
	u32 page;

	while (!(page = take_page(a))) {
		*error = d->trims ? trim_refill(d->store) : store_refill(d->store, d->checks);
		if (*error)
			return 0;
	}
	m = page_meta(a, page);
	set_kind(a, m, kind);
	m->birth = d->generation;
	m->key = key;
	m->level = level;
	m->used = 0;
	page_list_add(a, &d->new_pages, page);
	d->pages_written++;
	WRITE_ONCE(d->store->draft_pages, d->new_pages.count);
	return page;
}

void draft_retire_page(struct draft *d, u32 page)
{
	struct arena *a = &d->store->arena;

	if (draft_owns(d, page)) {
		page_list_del(a, &d->new_pages, page);
		arena_free_page(a, page);
	} else {
		page_list_add(a, &d->retired->pages, page);
		set_retired(a, page, true);
	}
}
