// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What mapped readers see: the control page, the pin page and the arena,
 * read-only.
 *
 * The arena is mapped as page frames (VM_PFNMAP): by 2 MiB where a chunk is
 * one block of memory, by 4 KiB otherwise. Holes read as zeros, so that a
 * reader which follows garbage never gets a signal (P2). The first touch of
 * newly added memory faults once; recycling inside the arena changes no entry.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pfn_t.h>
#include <linux/pgtable.h>
#include <asm/pgalloc.h>

#include "compat.h"
#include "shelf.h"

#define CONTROL_PGOFF	((unsigned long)(SHELF_MMAP_CONTROL >> PAGE_SHIFT))
#define ARENA_PGOFF	((unsigned long)(SHELF_MMAP_ARENA >> PAGE_SHIFT))
#define CHUNK_MASK	((unsigned long)SHELF_CHUNK_BYTES - 1)
#define AROUND_PAGES	16U	/* small entries made by one fault */

static struct shelf *vma_shelf(const struct vm_area_struct *vma)
{
	return ((struct shelf_file *)vma->vm_file->private_data)->shelf;
}

static bool can_map_huge(void)
{
	const unsigned int shift = PMD_SHIFT;

	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) &&
	       shift == SHELF_CHUNK_SHIFT && has_transparent_hugepage();
}

/*
 * Linux 6.1 never calls .huge_fault for VM_PFNMAP; inserting a PMD from .fault
 * works on all. It allocates nothing where page tables need no deposit.
 */
static vm_fault_t insert_huge(struct vm_fault *vmf, struct page *head)
{
	shelf_count(vma_shelf(vmf->vma), STAT_HUGE_FAULTS, 1);
	return vmf_insert_pfn_pmd(vmf, page_to_pfn_t(head), false);
}

/*
 * The page table that the fault handler's caller allocated for us, put where
 * vmf_insert_pfn() would otherwise allocate one: that may wait for memory of
 * the reader's cgroup, and under map_lock the writer would wait along (P4).
 */
static void table_install(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	spinlock_t *ptl = pmd_lock(mm, vmf->pmd);

	if (vmf->prealloc_pte && pmd_none(*vmf->pmd)) {
		mm_inc_nr_ptes(mm);
		/*
		 * The table's zeros before the table; pairs with the address
		 * dependency of all who walk page tables, as in pmd_install().
		 */
		smp_wmb();
		pmd_populate(mm, vmf->pmd, vmf->prealloc_pte);
		vmf->prealloc_pte = NULL;
	}
	spin_unlock(ptl);
}

static unsigned long chunk_pfn(const struct shelf_chunk *c, u32 page)
{
	if (!c)
		return my_zero_pfn(0);
	return c->head ? page_to_pfn(c->head) + page : page_to_pfn(c->pages[page]);
}

/*
 * A run of entries around the address. A mapping is made of whole chunks, so
 * the run, which is aligned, is inside it. Entries that are there stay.
 */
static vm_fault_t insert_small(struct vm_fault *vmf, const struct shelf_chunk *c)
{
	unsigned long run = AROUND_PAGES << PAGE_SHIFT;
	unsigned long address = ALIGN_DOWN(vmf->address, run);
	u32 page = (address & CHUNK_MASK) >> PAGE_SHIFT;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	u32 i;

	table_install(vmf);
	for (i = 0; i < AROUND_PAGES && ret == VM_FAULT_NOPAGE; i++)
		ret = vmf_insert_pfn(vmf->vma, address + i * PAGE_SIZE,
				     chunk_pfn(c, page + i));
	return ret;
}

static vm_fault_t insert_locked(struct vm_fault *vmf, struct shelf *s, u32 index)
{
	struct shelf_chunk *c = index < s->max_chunks ? s->chunk[index] : NULL;
	struct page *head = c ? c->head : shelf_zero_block();
	pmd_t pmd = READ_ONCE(*vmf->pmd);

	lockdep_assert_held(&s->map_lock);
	if (!c) {
		shelf_count(s, STAT_HOLE_FAULTS, 1);
		if (index < s->max_chunks)
			__set_bit(index, s->hole_touched);
	}
	/*
	 * Another thread was faster. Only faults make huge entries, under this
	 * lock, so what is not one now is none until we are done. Were it for a
	 * hole that is gone, a zap is on its way.
	 */
	if (pmd_trans_huge(pmd))
		return VM_FAULT_NOPAGE;
	if (head && can_map_huge() && pmd_none(pmd))
		return insert_huge(vmf, head);
	return insert_small(vmf, c);
}

/*
 * Looks up and inserts under map_lock, so that arena_chunk_alloc() knows when
 * the last entry for a hole has been made, and can zap it.
 */
static vm_fault_t arena_fault(struct vm_fault *vmf)
{
	struct shelf *s = vma_shelf(vmf->vma);
	u32 index = (vmf->pgoff - ARENA_PGOFF) / CHUNK_PAGES;
	vm_fault_t ret;

	shelf_count(s, STAT_FAULTS, 1);
	mutex_lock(&s->map_lock);
	ret = insert_locked(vmf, s, index);
	mutex_unlock(&s->map_lock);
	return ret;
}

/* Called for munmap, mprotect, madvise, mlock and a partial mremap. */
static int arena_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return addr & CHUNK_MASK ? -EINVAL : 0;
}

/* @vma is the new place; the kernel moves back if we refuse. */
static int arena_mremap(struct vm_area_struct *vma)
{
	return vma->vm_start & CHUNK_MASK ? -EINVAL : 0;
}

/*
 * P8: a child faults for itself. fork() of 6.12 copies huge entries that it has looked
 * at without a lock: the zap of a chunk that is gone could miss the child's copy, and
 * the child read on in what is somebody else's by then. fork() comes here before it
 * looks whether there is anything to copy, so MADV_KEEPONFORK changes nothing.
 */
static void arena_open(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_WIPEONFORK);
}

static const struct vm_operations_struct arena_vm_ops = {
	.open = arena_open,
	.fault = arena_fault,
	.may_split = arena_may_split,
	.mremap = arena_mremap,
};

/* Ordinary pages: the kernel counts their users, however they came by them. */
static vm_fault_t control_fault(struct vm_fault *vmf)
{
	struct shelf *s = vma_shelf(vmf->vma);

	if (vmf->pgoff - CONTROL_PGOFF >= SHELF_CONTROL_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = s->control_page + (vmf->pgoff - CONTROL_PGOFF);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct control_vm_ops = {
	.fault = control_fault,
};

static int map_control(struct vm_area_struct *vma)
{
	if (vma_pages(vma) > SHELF_CONTROL_PAGES)
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &control_vm_ops;
	return 0;
}

/* Page counts, never offset + length, which may wrap. */
static bool arena_range_ok(const struct shelf *s, struct vm_area_struct *vma)
{
	unsigned long total = s->store.control->arena_bytes >> PAGE_SHIFT;
	unsigned long first = vma->vm_pgoff - ARENA_PGOFF;
	unsigned long pages = vma_pages(vma);

	if (first % CHUNK_PAGES || pages % CHUNK_PAGES)
		return false;
	return first < total && pages <= total - first;
}

static int map_arena(struct shelf *s, struct vm_area_struct *vma)
{
	if (vma->vm_start & CHUNK_MASK || !arena_range_ok(s, vma))
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP |
			  VM_WIPEONFORK);	/* see arena_open() */
	vma->vm_ops = &arena_vm_ops;
	return 0;
}

int shelf_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct shelf_file *f = file->private_data;

	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	/* Not VM_SHARED: the kernel clears it when a file is read-only. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	/* For mprotect(); and a mapping that can't be written is never COW. */
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	if (vma->vm_pgoff == CONTROL_PGOFF)
		return map_control(vma);
	if (vma->vm_pgoff < ARENA_PGOFF)
		return -EINVAL;
	return map_arena(f->shelf, vma);
}

/*
 * As thp_get_unmapped_area(), which is missing where huge pages are not
 * configured: room for one chunk more than asked, and up to the first aligned
 * address in it. A hint is only a hint; who insists on a place gets it here
 * and shelf_mmap()'s answer there.
 */
unsigned long shelf_get_unmapped_area(struct file *file, unsigned long addr,
				      unsigned long len, unsigned long pgoff,
				      unsigned long flags)
{
	unsigned long pad = 0;

	if (pgoff >= ARENA_PGOFF && !(flags & MAP_FIXED))
		pad = SHELF_CHUNK_BYTES;
	addr = mm_get_unmapped_area(current->mm, file, addr, len + pad, pgoff,
				    flags);
	if (IS_ERR_VALUE(addr) || !pad)
		return addr;
	return ALIGN(addr, SHELF_CHUNK_BYTES);
}
