// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The pages of a large set: members in sorted pages under a copy-on-write tree
 * of fences. One changed member copies its page and the path to it. A page that
 * is left with little joins the one before it, if that leaves room in it.
 */
#include "idset.h"

/* What joins, and what may come of it: far from a split, and from each other. */
#define SPARSE(full)	((full) / 4)
#define JOINED(full)	((full) / 4 * 3)

/* The next member of the merged set; false at its end. */
bool merge_next(struct merge *m, s64 *out)
{
	while (m->j < m->edits_n) {
		s64 id = edit_member(&m->edits[m->j]);
		bool present = m->i < m->members_n && m->members[m->i] == id;
		u64 edit = m->edits[m->j].value;

		if (m->i < m->members_n && m->members[m->i] < id)
			break;
		m->i += present;
		m->j++;
		m->added += edit == EDIT_ADD && !present;
		m->removed += edit == EDIT_REMOVE && present;
		m->touched += edit == EDIT_TOUCH && present;
		if (edit == EDIT_ADD || (edit == EDIT_TOUCH && present)) {
			*out = id;
			return true;
		}
	}
	if (m->i == m->members_n)
		return false;
	*out = m->members[m->i++];
	return true;
}

struct merge merge_begin(const s64 *members, u32 n, const struct sort_item *edits,
			 u32 edits_n)
{
	return (struct merge){
		.members = members, .members_n = n,
		.edits = edits, .edits_n = edits_n,
	};
}

/* How many members come out; @m ends with what was added and removed. */
u64 merge_count(struct merge *m)
{
	u64 count = 0;
	s64 id;

	while (merge_next(m, &id))
		count++;
	return count;
}

static int fence_push(struct fence_vec *v, s64 first, u32 page)
{
	if (v->count == v->room) {
		u32 room = max(v->room * 2, 64U);
		struct shelf_fence *fence;

		fence = kvmalloc_array(room, sizeof(*fence), DRAFT_GFP);
		if (!fence)
			return -ENOMEM;
		if (v->count)
			memcpy(fence, v->fence, v->count * sizeof(*fence));
		kvfree(v->fence);
		v->fence = fence;
		v->room = room;
	}
	v->fence[v->count++] = (struct shelf_fence){ .first = first, .page = page };
	return 0;
}

/* Writes a page of @n members or fences and notes its fence. */
static int write_page(struct draft *d, s64 catalog, u8 level, const void *data,
		      u32 n, s64 first, struct fence_vec *out)
{
	u32 bytes = n * (level ? sizeof(struct shelf_fence) : sizeof(s64));
	struct shelf_page_header h = {
		.kind = SHELF_KIND_SET,
		.count = n,
		.birth = d->generation,
		.key = (u64)catalog,
		.level = level,
	};
	int error;
	u32 page = draft_alloc_page(d, SHELF_KIND_SET, h.key, level, &error);
	u8 *to;

	if (!page)
		return error;
	to = arena_page(&d->store->arena, page);
	arena_put(to, &h, sizeof(h));
	arena_put(to + sizeof(h), data, bytes);
	arena_zero(to + sizeof(h) + bytes, SHELF_PAGE_BYTES - sizeof(h) - bytes);
	return fence_push(out, first, page);
}

/* The size of part @i when @n things are spread over @parts pages. */
static u32 share(u64 n, u32 parts, u32 i)
{
	return (u32)(n / parts) + (i < n % parts);
}

int set_write_members(struct draft *d, s64 catalog, struct merge *m, u64 count,
		      struct fence_vec *out)
{
	u32 parts = (u32)DIV_ROUND_UP(count, SHELF_SET_PAGE_MEMBERS), part, i;
	int ret;

	for (part = 0; part < parts; part++) {
		u32 n = share(count, parts, part);

		for (i = 0; i < n; i++)
			merge_next(m, &d->members[i]);
		ret = write_page(d, catalog, 0, d->members, n, d->members[0], out);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

int set_write_fences(struct draft *d, s64 catalog, u8 level,
		     const struct fence_vec *in, struct fence_vec *out)
{
	u32 parts = DIV_ROUND_UP(in->count, SHELF_SET_PAGE_FENCES), part, at = 0;
	int ret;

	for (part = 0; part < parts; part++) {
		u32 n = share(in->count, parts, part);

		ret = write_page(d, catalog, level, &in->fence[at], n,
				 in->fence[at].first, out);
		if (ret)
			return ret;
		at += n;
	}
	return 0;
}

/* The page before, if @n more would fit well into it, or NULL. */
static struct shelf_page_header *left_page(const struct draft *d, const struct fence_vec *out,
					   u64 n, u32 full)
{
	struct shelf_page_header *left;

	if (!n || n > SPARSE(full) || !out->count)
		return NULL;
	left = arena_page(&d->store->arena, out->fence[out->count - 1].page);
	return left->count + n <= JOINED(full) ? left : NULL;
}

/* Writes the few members that are left of a page behind those of the one before. */
static int join_members(struct draft *d, s64 catalog, const struct shelf_page_header *left,
			struct merge *m, struct fence_vec *out)
{
	struct shelf_fence f = out->fence[--out->count];
	u32 n = left->count;

	memcpy(d->members, left + 1, n * sizeof(s64));
	while (merge_next(m, &d->members[n]))
		n++;
	draft_retire_page(d, f.page);
	return write_page(d, catalog, 0, d->members, n, f.first, out);
}

static int edit_members(struct draft *d, s64 catalog, const struct shelf_fence *f,
			struct set_edit *e, struct fence_vec *out)
{
	struct shelf_page_header *h = arena_page(&d->store->arena, f->page);
	struct merge m = merge_begin((s64 *)(h + 1), h->count, e->edits, e->n);
	struct shelf_page_header *left;
	u64 count = merge_count(&m);
	int ret;

	if (!m.added && !m.removed && !m.touched)
		return fence_push(out, f->first, f->page);
	e->added += m.added;
	e->removed += m.removed;
	e->touched += m.touched;
	m = merge_begin(m.members, m.members_n, e->edits, e->n);
	left = left_page(d, out, count, SHELF_SET_PAGE_MEMBERS);
	if (left)
		ret = join_members(d, catalog, left, &m, out);
	else
		ret = set_write_members(d, catalog, &m, count, out);
	if (!ret)
		draft_retire_page(d, f->page);
	return ret;
}

/* Puts the fences of the page before in front of those that are left of a page. */
static int join_fences(struct draft *d, struct fence_vec *mine, struct fence_vec *out)
{
	const struct shelf_page_header *left =
		left_page(d, out, mine->count, SHELF_SET_PAGE_FENCES);
	const struct shelf_fence *f;
	u32 own = mine->count, i;
	int ret = 0;

	if (!left)
		return 0;
	f = (const struct shelf_fence *)(left + 1);
	for (i = 0; i < left->count && !ret; i++)
		ret = fence_push(mine, f[i].first, f[i].page);
	if (ret)
		return ret;
	memmove(mine->fence + left->count, mine->fence, own * sizeof(*f));
	memcpy(mine->fence, f, left->count * sizeof(*f));
	draft_retire_page(d, out->fence[--out->count].page);
	return 0;
}

static u32 edits_below(const struct sort_item *edits, u32 n, s64 id)
{
	u32 low = 0;

	while (n) {
		u32 half = n / 2;

		if (edit_member(&edits[low + half]) < id) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

/*
 * Applies edits to the subtree behind @f and pushes what takes its place, of
 * the same level, to @out. Recursion is as deep as the tree, at most
 * SHELF_SET_LEVELS.
 */
int set_edit_page(struct draft *d, s64 catalog, const struct shelf_fence *f, u8 level,
		  struct set_edit *e, struct fence_vec *out)
{
	struct shelf_page_header *h = arena_page(&d->store->arena, f->page);
	const struct shelf_fence *child = (struct shelf_fence *)(h + 1);
	struct fence_vec *mine = &d->fences[level];
	const struct sort_item *edits = e->edits;
	u64 before = e->added + e->removed + e->touched;
	u32 i, left = e->n;
	int ret = 0;

	if (!level)
		return edit_members(d, catalog, f, e, out);
	mine->count = 0;
	for (i = 0; i < h->count && !ret; i++) {
		u32 n = i + 1 < h->count ?
			edits_below(edits, left, child[i + 1].first) : left;

		e->edits = edits;
		e->n = n;
		if (n)
			ret = set_edit_page(d, catalog, &child[i], level - 1, e, mine);
		else
			ret = fence_push(mine, child[i].first, child[i].page);
		edits += n;
		left -= n;
	}
	if (ret)
		return ret;
	if (e->added + e->removed + e->touched == before)
		return fence_push(out, f->first, f->page);
	ret = join_fences(d, mine, out);
	if (!ret)
		ret = set_write_fences(d, catalog, level, mine, out);
	if (!ret)
		draft_retire_page(d, f->page);
	return ret;
}

void set_retire(struct draft *d, u32 page, u8 level)
{
	struct shelf_page_header *h = arena_page(&d->store->arena, page);
	const struct shelf_fence *child = (struct shelf_fence *)(h + 1);
	u32 i;

	for (i = 0; level && i < h->count; i++)
		set_retire(d, child[i].page, level - 1);
	draft_retire_page(d, page);
	cond_resched();
}

/* Copies all members of a tree that is known to be small. */
u32 set_gather(const struct arena *a, u32 page, u8 level, s64 *to)
{
	struct shelf_page_header *h = arena_page(a, page);
	const struct shelf_fence *child = (struct shelf_fence *)(h + 1);
	u32 i, n = 0;

	if (!level) {
		memcpy(to, h + 1, h->count * sizeof(*to));
		return h->count;
	}
	for (i = 0; i < h->count; i++)
		n += set_gather(a, child[i].page, level - 1, to + n);
	return n;
}
