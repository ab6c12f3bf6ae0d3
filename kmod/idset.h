/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Sets of ids: idset.c has the tree of pages, catalog.c the record and the
 * small forms.
 */
#ifndef SHELF_IDSET_H
#define SHELF_IDSET_H

#include "core.h"

/* Members sort as unsigned keys once their sign is turned. */
#define MEMBER_SIGN	(1ULL << 63)

static inline s64 edit_member(const struct sort_item *edit)
{
	return (s64)(edit->key ^ MEMBER_SIGN);
}

/* What an edit does to its member; a touch has its page written anew. */
enum edit { EDIT_REMOVE, EDIT_ADD, EDIT_TOUCH };

/**
 * struct merge - sorted members and sorted edits (values of enum edit; one a
 * member) becoming one sorted sequence
 */
struct merge {
	const s64 *members;
	const struct sort_item *edits;
	u32 members_n;
	u32 edits_n;
	u32 i;
	u32 j;
	u64 added;
	u64 removed;
	u64 touched;
};

struct merge merge_begin(const s64 *members, u32 n, const struct sort_item *edits,
			 u32 edits_n);
bool merge_next(struct merge *m, s64 *out);
u64 merge_count(struct merge *m);

/* Edits on their way through a tree, and what they came to. */
struct set_edit {
	const struct sort_item *edits;
	u32 n;
	u64 added;
	u64 removed;
	u64 touched;
};

int set_write_members(struct draft *d, s64 catalog, struct merge *m, u64 count,
		      struct fence_vec *out);
int set_write_fences(struct draft *d, s64 catalog, u8 level,
		     const struct fence_vec *in, struct fence_vec *out);
int set_edit_page(struct draft *d, s64 catalog, const struct shelf_fence *f, u8 level,
		  struct set_edit *e, struct fence_vec *out);
void set_retire(struct draft *d, u32 page, u8 level);
u32 set_gather(const struct arena *a, u32 page, u8 level, s64 *to);

#endif /* SHELF_IDSET_H */
