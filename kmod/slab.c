// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Slots: attribute bytes, small sets and lists of pages, in size classes of 16
 * bytes. A slab page's first line holds the slot size and, in the words that
 * readers ignore, which slots are in use. Live pages gain slots, so birth and
 * retirement are kept for each slot, not for the page.
 *
 * A slot in use stays marked until quarantine is over, so an emptied page is
 * known to be reachable by nobody and is freed like any other.
 */
#include "core.h"

#define SLAB_BYTES	(SHELF_PAGE_BYTES - SHELF_LINE)

static void set_closed(struct arena *a, u32 page, bool closed)
{
	struct page_meta *m = page_meta(a, page);

	if (m->closed != closed)
		a->meta[page / CHUNK_PAGES]->slabs_closed += closed ? 1 : -1;
	m->closed = closed;
}

static struct shelf_page_header *slab_header(struct arena *a, u32 page)
{
	return arena_page(a, page);
}

u32 slab_slots(const struct shelf_page_header *h)
{
	return SLAB_BYTES / h->count;
}

static u32 slot_index(const struct shelf_page_header *h, u32 ref)
{
	u32 offset = ref % (SHELF_PAGE_BYTES / SHELF_SLOT_UNIT) * SHELF_SLOT_UNIT;

	return (offset - SHELF_LINE) / h->count;
}

/* The list that a page with room is in. */
static u32 *slab_list(struct arena *a, u32 page)
{
	u32 class = slab_header(a, page)->count / SHELF_SLOT_UNIT;

	return &a->slab[page_meta(a, page)->closed ? 0 : class];
}

static void slab_link(struct arena *a, u32 page)
{
	struct page_meta *m = page_meta(a, page);
	u32 *head = slab_list(a, page);

	m->slab_next = *head;
	m->slab_prev = 0;
	if (*head)
		page_meta(a, *head)->slab_prev = page;
	*head = page;
}

static void slab_unlink(struct arena *a, u32 page)
{
	struct page_meta *m = page_meta(a, page);

	if (m->slab_prev)
		page_meta(a, m->slab_prev)->slab_next = m->slab_next;
	else
		*slab_list(a, page) = m->slab_next;
	if (m->slab_next)
		page_meta(a, m->slab_next)->slab_prev = m->slab_prev;
}

static u32 slab_new(struct draft *d, u32 slot_bytes, int *error)
{
	struct arena *a = &d->store->arena;
	u32 page = draft_alloc_page(d, SHELF_KIND_SLAB, slot_bytes, 0, error);
	struct shelf_page_header h = {
		.kind = SHELF_KIND_SLAB,
		.count = slot_bytes,
		.birth = d->generation,
	};

	if (!page)
		return 0;
	arena_put(arena_page(a, page), &h, sizeof(h));
	slab_link(a, page);
	return page;
}

static void slot_mark(struct shelf_page_header *h, u32 index, bool used)
{
	u64 *word = &h->writer[index / 64], bit = 1ULL << index % 64;

	arena_put_u64(word, used ? *word | bit : *word & ~bit);
}

static u32 first_clear(const u64 *bits)
{
	u32 word = 0;

	while (!~bits[word])
		word++;
	return word * 64 + __ffs64(~bits[word]);
}

/* The slot of which the first SHELF_SLOT_KEY bytes hold @key, or 0. */
u32 slot_alloc(struct draft *d, u32 bytes, s64 key, int *error)
{
	struct arena *a = &d->store->arena;
	u32 slot_bytes = slot_class_bytes(bytes);
	u32 page = a->slab[slot_bytes / SHELF_SLOT_UNIT];
	struct shelf_page_header *h;
	struct page_meta *m;
	u32 index, ref;

	if (!page)
		page = slab_new(d, slot_bytes, error);
	if (!page)
		return 0;
	h = slab_header(a, page);
	m = page_meta(a, page);
	index = first_clear(h->writer);
	ref = slot_ref_of(page, index, slot_bytes);
	/* A dropped draft gives back its pages whole; only others need this. */
	if (!draft_owns(d, page)) {
		*error = slot_list_add(&d->new_slots, ref, slot_bytes,
				       d->generation);
		if (*error)
			return 0;
	}
	slot_mark(h, index, true);
	WRITE_ONCE(a->slot_bytes, a->slot_bytes + slot_bytes);
	if (++m->used == slab_slots(h))
		slab_unlink(a, page);
	arena_put(arena_slot(a, ref), &key, sizeof(key));
	return ref;
}

int slot_list_add(struct slot_list *l, u32 ref, u32 bytes, u64 birth)
{
	struct slot_block *b = l->head;
	u32 room = b ? SLOT_BLOCK_REFS : SLOT_BLOCK_FIRST;

	if (!b || b->count == b->room) {
		b = kmalloc(sizeof(*b) + room * sizeof(b->slot[0]), DRAFT_GFP);
		if (!b)
			return -ENOMEM;
		b->next = l->head;
		b->count = 0;
		b->room = room;
		l->head = b;
	}
	b->slot[b->count++] = (struct slot_ref){ birth, ref, bytes };
	l->bytes += bytes;
	return 0;
}

void slot_list_join(struct slot_list *l, struct slot_block *b)
{
	struct slot_block *head = l->head;
	u32 i;

	for (i = 0; i < b->count; i++)
		l->bytes += b->slot[i].bytes;
	while (head && b->count && head->count < head->room)
		head->slot[head->count++] = b->slot[--b->count];
	if (!b->count) {
		kfree(b);
		return;
	}
	b->next = l->head;
	l->head = b;
}

int slot_retire(struct draft *d, u32 ref, u32 bytes, u64 birth)
{
	return slot_list_add(&d->retired->slots, ref, slot_class_bytes(bytes), birth);
}

void slot_free(struct arena *a, u32 ref)
{
	u32 page = slot_page(ref);
	struct shelf_page_header *h = slab_header(a, page);
	struct page_meta *m = page_meta(a, page);
	u32 index = slot_index(h, ref);

	slot_mark(h, index, false);
	WRITE_ONCE(a->slot_bytes, a->slot_bytes - h->count);
	if (m->used-- == slab_slots(h))
		slab_link(a, page);
	if (!m->used) {
		slab_unlink(a, page);
		set_closed(a, page, false);
		arena_free_page(a, page);
	}
}

/* Frees the slots, if @a is not NULL, and the list. */
void slot_list_free(struct arena *a, struct slot_list *l)
{
	struct slot_block *b;
	u32 i;

	while ((b = l->head)) {
		for (i = 0; a && i < b->count; i++)
			slot_free(a, b->slot[i].ref);
		l->head = b->next;
		kfree(b);
		cond_resched();
	}
	l->bytes = 0;
}

/* A dropped draft's page goes with all its slots. */
void slab_forget(struct arena *a, u32 page)
{
	struct shelf_page_header *h = slab_header(a, page);
	struct page_meta *m = page_meta(a, page);

	if (m->used < slab_slots(h))
		slab_unlink(a, page);
	WRITE_ONCE(a->slot_bytes, a->slot_bytes - (u64)m->used * h->count);
}

static void slab_set_closed(struct arena *a, u32 page, bool closed)
{
	bool room = page_meta(a, page)->used < slab_slots(slab_header(a, page));

	if (room)
		slab_unlink(a, page);
	set_closed(a, page, closed);
	if (room)
		slab_link(a, page);
}

void slab_close(struct arena *a, u32 page)
{
	if (!page_meta(a, page)->closed)
		slab_set_closed(a, page, true);
}

void slab_open(struct arena *a, u32 page)
{
	if (page_meta(a, page)->closed)
		slab_set_closed(a, page, false);
}

/* What was closed while full was closed with its chunk, and opens with it. */
void slab_reopen(struct arena *a)
{
	while (a->slab[0]) {
		slab_open(a, a->slab[0]);
		cond_resched();
	}
}

/* After a restart: this slot is in use, whatever the page's line says. */
void slab_adopt_slot(struct arena *a, u32 ref)
{
	u32 page = slot_page(ref);
	struct shelf_page_header *h = slab_header(a, page);
	u32 index = slot_index(h, ref);

	if (page_meta(a, page)->kind == SHELF_KIND_FREE) {
		arena_adopt_page(a, page, SHELF_KIND_SLAB, 0);
		memset(h->writer, 0, sizeof(h->writer));
	}
	slot_mark(h, index, true);
	page_meta(a, page)->used++;
	a->slot_bytes += h->count;
}

void slab_adopt_done(struct arena *a, u32 page)
{
	if (page_meta(a, page)->used < slab_slots(slab_header(a, page)))
		slab_link(a, page);
}
