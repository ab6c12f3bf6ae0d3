// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One reader, a process or a thread: some of everything, by chance, until it is
 * told to stop.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../tools/lib/internal.h"
#include "reader.h"

/* What shelf_open() makes of a file, of memory that this process has itself. */
static struct shelf *open_memory(void)
{
	const struct hosted *h = writer_hosted();
	struct shelf *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct shelf){
		.fd = -1,
		.flags = SHELF_IS_HOSTED,
		.control = (const struct shelf_control *)h->base,
		.arena = h->base + SHELF_MMAP_ARENA,
		.mask = h->arena_bytes - SHELF_PAGE_BYTES,
		.seed = h->store.control->seed,
	};
	return s;
}

static int open_source(struct source *from, unsigned int flags)
{
	struct shelf *s = NULL;
	int ret = 0;

	if (options.threads)
		s = open_memory();
	else
		ret = shelf_open(options.name, flags, &s);
	from->s = s;
	from->by_ioctl = flags & SHELF_OPEN_IOCTL;
	return ret || s ? ret : -ENOMEM;
}

static void close_source(struct source *from)
{
	if (options.threads)
		free((void *)from->s);
	else
		shelf_close((struct shelf *)from->s);
}

static bool told_to_stop(const struct reader *r)
{
	return flag(&shared->stop) || flag(&shared->quit[r->index]);
}

static void read_something(struct reader *r)
{
	struct source *from = r->ioctl.s && draw(r, 2) ? &r->ioctl : &r->mapped;
	u32 what = draw(r, 64);

	if (what < 44)
		section_products(r);
	else if (what < 48)
		section_catalogs(r);
	else if (what < 54)
		calls(r, from);
	else if (what < 63)
		pinned(r, from);
	else
		scan(r);
}

int reader_run(int index, u64 seed)
{
	struct reader *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	r->index = index;
	r->random = (seed + (u64)index * 0x9e3779b97f4a7c15ULL) | 1;
	r->tally = &shared->tally[index];
	ret = open_source(&r->mapped, 0);
	if (!ret && !options.hosted)
		ret = open_source(&r->ioctl, SHELF_OPEN_IOCTL);
	if (ret)
		refused(r, "shelf_open", ret);
	while (!ret && !told_to_stop(r))
		read_something(r);
	/* One that quits is as one that is killed: others clean up behind it. */
	if (!flag(&shared->quit[index]))
		pinned_drop_all(r);
	close_source(&r->mapped);
	close_source(&r->ioctl);
	free(r);
	return ret;
}
