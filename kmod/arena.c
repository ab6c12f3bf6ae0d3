// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The arena: 2 MiB chunks cut into pages of 4 KiB.
 *
 * A page is free, new (a draft's own, reachable by nobody), live (reachable
 * from the newest snapshot) or retired (only from older ones). It goes from
 * retired to free in reclaim.c and pin.c and nowhere else, and that is where P3
 * is kept. A dropped draft's new pages were never reachable and go straight back.
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

void arena_free_page(struct arena *a, u32 page)
{
	set_kind(a, page_meta(a, page), SHELF_KIND_FREE);
	free_list_add(a, page);
	a->hint = min(a->hint, page / CHUNK_PAGES);
}

/* Takes a page that a snapshot uses off the free list, after a restart. */
void arena_adopt_page(struct arena *a, u32 page, u8 kind)
{
	free_list_del(a, page);
	set_kind(a, page_meta(a, page), kind);
	page_meta(a, page)->birth = 0;
	page_meta(a, page)->used = 0;
}

/* The lowest chunk first, so that high ones empty. */
static u32 take_page(struct arena *a)
{
	u32 page;

	while (a->hint < a->max_chunks &&
	       (!a->meta[a->hint] || !a->meta[a->hint]->free.count))
		a->hint++;
	if (a->hint == a->max_chunks)
		return 0;
	page = a->meta[a->hint]->free.head;
	free_list_del(a, page);
	return page;
}

/* ENOSPC: the shelf's maximum; ENOMEM: the host's memory. */
int arena_grow(struct store *st)
{
	struct arena *a = &st->arena;
	struct chunk_meta *meta;
	void *address;
	u32 index, i;

	for (index = 0; index < a->max_chunks && a->chunk[index]; index++)
		;
	if (index == a->max_chunks)
		return -ENOSPC;
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

u32 draft_alloc_page(struct draft *d, u8 kind, u64 key, u8 level, int *error)
{
	struct arena *a = &d->store->arena;
	struct page_meta *m;
	u32 page;

	while (!(page = take_page(a))) {
		*error = store_refill(d->store);
		if (*error)
			return 0;
	}
	m = page_meta(a, page);
	set_kind(a, m, kind);
	m->birth = d->generation;
	m->key = key;
	m->level = level;
	m->used = 0;
	m->retired = false;
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
		page_meta(a, page)->retired = true;
	}
}
