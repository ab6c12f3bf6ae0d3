/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What lookups have in common: they are tried over the mapping, and what
 * doesn't succeed there is asked for by ioctl. Internal to libshelf.
 */
#ifndef SHELF_LOOKUP_H
#define SHELF_LOOKUP_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "internal.h"

#define MAPPED_TRIES	8U
/* A hosted shelf has nobody else to ask; each try past the first few yields. */
#define HOSTED_TRIES	(1U << 16)

static inline bool try_again(const struct shelf *s, unsigned int tries)
{
	if (tries < MAPPED_TRIES)
		return true;
	if (!shelf_is_hosted(s))
		return false;
	sched_yield();
	return tries < HOSTED_TRIES;
}

/*
 * Runs @once on the newest snapshot until what it read was valid. Inlined with
 * its argument, so that a lookup is one function without an indirect call.
 * Returns false if the caller must ask by ioctl.
 */
static __always_inline bool
optimistic(const struct shelf *s,
	   long (*once)(const struct shelf_view *v, void *arg), void *arg,
	   __u64 *generation, long *result)
{
	struct shelf_section c;
	unsigned int tries = 0;

	while (s->arena && try_again(s, tries++)) {
		shelf_begin(s, &c);
		*result = once(&c.view, arg);
		if (__builtin_expect(!shelf_retry(s, &c), 1)) {
			if (generation)
				*generation = c.generation;
			return true;
		}
	}
	return false;
}

/* What went by ioctl the kernel has counted itself. */
static __always_inline void count_mapped(const struct shelf *s, __u64 lookups,
				       __u64 hits, __u64 members)
{
	if (__builtin_expect(s->flags & SHELF_OPEN_COUNT, 0))
		shelf_count(s, lookups, hits, members);
}

static inline int by_ioctl(const struct shelf *s, unsigned long request, void *arg)
{
	if (shelf_is_hosted(s))
		return -EAGAIN;
	return ioctl(s->fd, request, arg) < 0 ? -errno : 0;
}

/* What concerns the arena alone does not leave it, as in the ioctl's answer. */
static __always_inline void strip(struct shelf_product *p)
{
	/* Only a file that no writer of ours made says more. */
	if (p->attrs_len > SHELF_ATTRS_MAX)
		p->attrs_len = SHELF_ATTRS_MAX;
	p->attrs_ref = 0;
	p->next = 0;
}

/* Where a damaged file has fewer bytes than it says, the rest is zeros. */
static __always_inline void copy_attrs(const struct shelf_view *v,
				     const struct shelf_product *p, void *to, __u32 room)
{
	__u32 done = shelf_view_attrs(v, p, to, room);

	while (done < p->attrs_len && done < room && done < SHELF_ATTRS_MAX)
		((__u8 *)to)[done++] = 0;
}

/* 1, 0 or an error, as shelf_get_attrs(). */
int shelf_get_by_ioctl(const struct shelf *s, __s64 id, struct shelf_product *p,
		       void *attrs, __u32 room, __u64 *generation);

#endif /* SHELF_LOOKUP_H */
