// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "place.h"

#define COUNT	200U
#define ATTRS	20000U

/* The arena's memory ends in the middle of the fourth, and its cap in the last. */
const struct place places[PLACES] = {
	{ "control", SHELF_MMAP_CONTROL, PAGE, PAGE },
	{ "control and pins", SHELF_MMAP_CONTROL, 2 * PAGE, PAGE },
	{ "a chunk", SHELF_MMAP_ARENA + CHUNK, CHUNK, CHUNK },
	{ "chunks", SHELF_MMAP_ARENA, 4 * CHUNK, CHUNK },
	{ "over the cap", SHELF_MMAP_ARENA + 5 * CHUNK, 3 * CHUNK, CHUNK },
};

bool is_arena(const struct place *p)
{
	return p->offset >= SHELF_MMAP_ARENA;
}

static __s64 part_off(const struct place *p, unsigned int i)
{
	const __s64 chunk = CHUNK, page = PAGE, len = p->len;
	const __s64 offs[PLACE_OFFS] = {
		0, 1, page, chunk / 2, chunk - page, chunk, chunk + page, 2 * chunk,
		len - chunk, len - page, len, len + page, -page, -chunk,
	};

	return offs[i];
}

static const __u64 lens[PLACE_LENS] = {
	0, 1, PAGE, PAGE + 1, 2 * PAGE, CHUNK - PAGE, CHUNK - 1, CHUNK, CHUNK + PAGE,
	2 * CHUNK, 3 * CHUNK, 4 * CHUNK, 4 * CHUNK + PAGE, 1ULL << 40, 1ULL << 63,
	-(__u64)PAGE,
};

struct part place_part(const struct place *p, unsigned int i)
{
	return (struct part){ part_off(p, i % PLACE_OFFS), lens[i / PLACE_OFFS] };
}

struct cut place_cut(const struct place *p, struct part q)
{
	__u64 begin = part_at(q), end = begin + whole_pages(q.len);
	__u64 last = PLACE_AT + p->len;
	struct cut c = { .before = begin < PLACE_AT, .behind = end > last };

	if (begin >= last || end <= PLACE_AT)
		return c;
	c.from = c.before ? 0 : begin - PLACE_AT;
	c.to = c.behind ? p->len : end - PLACE_AT;
	return c;
}

int stage_make(struct stage *s, const char *what)
{
	const __u64 sown = 7;
	const struct shelf_settings settings = {
		.max_bytes = PLACE_CHUNKS * CHUNK, .quarantine_ms = 0, .seed = &sown,
	};
	int ret;

	memset(s, 0, sizeof(*s));
	s->began = now_ns();
	probe_init();
	ret = mark_memory();
	if (ret >= 0)
		ret = kit_make_as(&s->k, what, &settings);
	if (!ret)
		ret = put_products(&s->k, 1, COUNT, ATTRS, 1);
	if (!ret)
		ret = sight_map(&s->now, &s->k);
	return ret ?: sight_copy(&s->was, &s->now) ? 0 : -ENOMEM;
}

bool stage_drop(struct stage *s)
{
	struct shelf reader = mapped_reader(s->now.control, s->now.arena);
	bool ok = sight_same(&s->now, &s->was) &&
		  !count_wrong(&reader, 1, COUNT, ATTRS, 1);

	kit_drop(&s->k);
	return ok;
}

static void clear(void)
{
	munmap((void *)(PLACE_AT - 4 * CHUNK), 1ULL << 42);
}

void stage_set(struct stage *s, const struct place *p)
{
	void *at = (void *)PLACE_AT;

	if (s->fresh && s->p == p)
		return;
	clear();
	s->p = p;
	s->fresh = mmap(at, p->len, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, s->k.fd,
			p->offset) == at;
	if (!s->fresh)
		s->wrong++;
}

bool stage_shows(const struct stage *s, const void *at, __u64 off)
{
	return readable(at) && page_same(&s->was, at, s->p->offset + off);
}

static bool within(struct cut c, __u64 off)
{
	return off >= c.from && off < c.to;
}

static bool page_wrong(const struct stage *s, const struct due *d, __u64 off)
{
	const void *at = (void *)(PLACE_AT + off);

	if (within(d->moved, off) &&
	    !stage_shows(s, (void *)(d->to + off - d->moved.from), off))
		return true;
	if (within(d->gone, off) || within(d->moved, off))
		return mapped(at);
	if (within(d->dark, off))
		return !mapped(at) || readable(at);
	return !stage_shows(s, at, off);
}

/* Nor is anything where nothing was, before, behind and behind where it moved to. */
static bool surplus(const struct stage *s, const struct due *d)
{
	__u64 moved = d->moved.to - d->moved.from;

	return mapped((void *)(PLACE_AT - PAGE)) || mapped((void *)(PLACE_AT + s->p->len)) ||
	       (d->to && mapped((void *)(d->to + moved)));
}

static bool changed(const struct due *d)
{
	return d->again || !cut_none(d->gone) || !cut_none(d->dark) || !cut_none(d->moved);
}

/* At the ends of the place, and of what the call was about. */
static bool looks_wrong(const struct stage *s, const struct due *d, struct part q)
{
	const __u64 len = s->p->len, at = (__u64)q.off & ~(PAGE - 1);
	const __u64 looks[] = {
		0, len - PAGE, at, at - PAGE, at + whole_pages(q.len),
		at + whole_pages(q.len) - PAGE, CHUNK, len - CHUNK,
	};
	bool wrong = changed(d) && surplus(s, d);
	unsigned int i;

	for (i = 0; i < sizeof(looks) / sizeof(*looks); i++)
		wrong |= looks[i] < len && page_wrong(s, d, looks[i]);
	return wrong;
}

static const char *said(int error)
{
	return error ? strerrorname_np(error) : "done";
}

/* Of what changes nothing every fourth is looked at, for what is wrong then stays so. */
static bool stage_right(const struct stage *s, struct part q, int got, const struct due *d)
{
	if (got != d->error)
		return false;
	return (!changed(d) && got && s->asked % 4) || !looks_wrong(s, d, q);
}

void stage_take(struct stage *s, const struct step *step, const struct place *p,
		struct part q, __u64 arg)
{
	struct due due = step->due(p, q, arg);
	bool right;
	int got;

	stage_set(s, p);
	got = step->call((void *)part_at(q), q.len, arg) == -1 ? errno : 0;
	s->asked++;
	s->done += !got;
	right = stage_right(s, q, got, &due);
	s->fresh &= right && !changed(&due);
	if (right || s->wrong++ >= 20)
		return;
	printf("# %s, %s at %#llx of %#llx, %#llx: %s, due %s%s\n", step->name, p->what,
	       q.off, q.len, arg, said(got), said(due.error),
	       got == due.error ? ", and the mapping isn't as it should be" : "");
}

void stage_take_all(struct stage *s, const struct step *step, const __u64 *args,
		    unsigned int n)
{
	unsigned int i, part;

	for (part = 0; part < PLACES * PARTS; part++)
		for (i = 0; i < n; i++)
			stage_take(s, step, &places[part / PARTS],
				   place_part(&places[part / PARTS], part % PARTS), args[i]);
}

unsigned int stage_tell(const struct stage *s, const char *walk)
{
	printf("# %s: %u combinations, %u done, %u wrong, %llu ms\n", walk, s->asked, s->done,
	       s->wrong, (now_ns() - s->began) / 1000000);
	fflush(stdout);
	return s->wrong;
}
