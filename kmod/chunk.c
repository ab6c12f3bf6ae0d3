// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory of the arena: 2 MiB at a time, one physically contiguous block where
 * it can be had, else single pages side by side in vmalloc space.
 *
 * A page goes back to the system only by its own reference count, never as
 * part of a block, whoever else may hold one. Of a block nobody else can: a
 * PMD entry lets fast GUP of Linux 6.1 take references, although the mapping is
 * VM_PFNMAP, so while a block is in use the count of its first page is frozen
 * at zero; those of the others, the block not being compound, are zero anyway.
 * Behind small entries, which are special, GUP finds no page.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/page_ref.h>
#include <linux/sched/mm.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "shelf.h"
#include "trace.h"

static_assert(PAGE_SHIFT == SHELF_PAGE_SHIFT);

/* A commit fails rather than a process dying for want of memory. */
#define CHUNK_GFP	(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN)

static bool small_chunks;
module_param(small_chunks, bool, 0644);
MODULE_PARM_DESC(small_chunks, "new memory comes as 4 KiB pages, for tests");

static struct page *zero_block;

/* Zeroed and frozen, or NULL. */
static struct page *block_alloc(gfp_t gfp)
{
	struct page *head = alloc_pages(CHUNK_GFP | gfp, SHELF_CHUNK_ORDER);

	/* Just allocated: ours is the one reference. */
	if (head && WARN_ON_ONCE(!page_ref_freeze(head, 1)))
		return NULL;
	return head;
}

static void block_free(struct page *head)
{
	u32 i;

	page_ref_unfreeze(head, 1);
	split_page(head, SHELF_CHUNK_ORDER);
	for (i = 0; i < CHUNK_PAGES; i++)
		__free_page(head + i);
}

static void pages_free(struct page **pages)
{
	u32 i;

	for (i = 0; i < CHUNK_PAGES && pages[i]; i++)
		__free_page(pages[i]);
	kvfree(pages);
}

static struct page **pages_alloc(void)
{
	struct page **pages;
	u32 i;

	pages = kvcalloc(CHUNK_PAGES, sizeof(*pages),
			 GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!pages)
		return NULL;
	for (i = 0; i < CHUNK_PAGES; i++) {
		pages[i] = alloc_page(CHUNK_GFP | __GFP_ACCOUNT);
		if (!pages[i]) {
			pages_free(pages);
			return NULL;
		}
	}
	return pages;
}

static bool chunk_fill(struct shelf_chunk *c)
{
	if (!READ_ONCE(small_chunks))
		c->head = block_alloc(__GFP_ACCOUNT);
	if (c->head) {
		c->address = page_address(c->head);
		return true;
	}
	c->pages = pages_alloc();
	if (!c->pages)
		return false;
	c->address = vmap(c->pages, CHUNK_PAGES, VM_MAP, PAGE_KERNEL);
	if (c->address)
		return true;
	pages_free(c->pages);
	return false;
}

static struct shelf_chunk *chunk_alloc(struct mem_cgroup *memcg)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct shelf_chunk *c = kzalloc(sizeof(*c), CHUNK_GFP | __GFP_ACCOUNT);

	if (c && !chunk_fill(c)) {
		kfree(c);
		c = NULL;
	}
	set_active_memcg(old);
	return c;
}

static void chunk_free(struct shelf *s, struct shelf_chunk *c)
{
	trace_shelf_object(s->name, "chunk", -1);
	if (c->head) {
		block_free(c->head);
	} else {
		vunmap(c->address);
		pages_free(c->pages);
	}
	kfree(c);
}

static void chunk_zap(struct shelf *s, u32 index)
{
	unmap_mapping_range(s->mapping, (loff_t)SHELF_MMAP_ARENA +
			    ((loff_t)index << SHELF_CHUNK_SHIFT),
			    SHELF_CHUNK_BYTES, 1);
}

/*
 * A hole's zero mapping must not outlive the hole. A fault that saw the hole
 * had inserted zeros before it let go of map_lock, so the zap finds them; a
 * later one sees the chunk; and fork() copies no entry of the arena (see
 * arena_open()). Nothing is stored in the chunk before we return.
 *
 * A zap costs time for every mapping that there is, so the usual case, a hole
 * that nobody has touched, goes without.
 */
void *arena_chunk_alloc(struct store *st, u32 index)
{
	struct shelf *s = container_of(st, struct shelf, store);
	struct shelf_chunk *c = chunk_alloc(s->memcg);
	bool touched;

	if (!c)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&s->map_lock);
	s->chunk[index] = c;
	touched = test_and_clear_bit(index, s->hole_touched);
	mutex_unlock(&s->map_lock);
	trace_shelf_object(s->name, "chunk", 1);
	if (touched)
		chunk_zap(s, index);
	return c->address;
}

/*
 * The chunk becomes a hole under map_lock, so that a fault either came before, and
 * the zap finds what it inserted, or sees the hole; fork() copies none (see
 * arena_open()). When the zap is over no CPU has a translation to the chunk any more,
 * and only then do its pages go back (P8), each by its own count.
 *
 * Single pages stay while a file is open; when none is, nothing maps them.
 */
bool arena_chunk_free(struct store *st, u32 index)
{
	struct shelf *s = container_of(st, struct shelf, store);
	struct shelf_chunk *c;
	bool stays;

	mutex_lock(&s->map_lock);
	c = s->chunk[index];
	stays = c->pages && atomic_read(&s->opens);
	if (!stays) {
		s->chunk[index] = NULL;
		clear_bit(index, s->hole_touched);
	}
	mutex_unlock(&s->map_lock);
	if (stays)
		return false;
	chunk_zap(s, index);
	chunk_free(s, c);
	return true;
}

int chunks_init(struct shelf *s, u64 max_bytes)
{
	s->max_chunks = max_bytes >> SHELF_CHUNK_SHIFT;
	s->chunk = kvcalloc(s->max_chunks, sizeof(*s->chunk),
			    GFP_KERNEL_ACCOUNT);
	s->hole_touched = kvcalloc(BITS_TO_LONGS(s->max_chunks), sizeof(long),
				   GFP_KERNEL_ACCOUNT);
	return s->chunk && s->hole_touched ? 0 : -ENOMEM;
}

/*
 * No mapping can exist any more. A mapping holds its file (vm_file) until its
 * page table entries are gone and the TLBs are flushed; a file holds the shelf
 * until its release; and the shelf's last reference is gone. For the same
 * reason no ioctl, dump or worker is still reading; sysfs was drained by
 * device_del().
 */
void chunks_exit(struct shelf *s)
{
	u32 i;

	for (i = 0; s->chunk && i < s->max_chunks; i++) {
		if (s->chunk[i])
			chunk_free(s, s->chunk[i]);
		cond_resched();
	}
	kvfree(s->hole_touched);
	kvfree(s->chunk);
}

/* What holes read as; without one they are mapped by 4 KiB. */
void zero_block_init(void)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		zero_block = block_alloc(0);
}

/* The module is going, so no shelf is left, hence (see above) no mapping. */
void zero_block_exit(void)
{
	if (zero_block)
		block_free(zero_block);
}

struct page *shelf_zero_block(void)
{
	return zero_block;
}

u64 store_clock(void)
{
	return ktime_get_ns();
}

u64 store_realtime(void)
{
	return ktime_get_real_ns();
}
