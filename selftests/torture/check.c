// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What was read against what was to be read.
 */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "reader.h"

void fault(struct tally *t, enum fault what, const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	bump(&t->faults[what], 1);
	if (t->faults[what] > 2)
		return;
	n = snprintf(line, sizeof(line), "# %s: ", fault_names[what]);
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	n = min(n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	/* Past stdio: a reader may be killed right here. */
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		return;
}

struct moment moment_begin(const struct source *from)
{
	const struct shelf_control *c = from->s->control;
	u64 word = load(&shared->acknowledged);

	return (struct moment){
		.generation = word >> 32,
		.batch = (u32)word,
		.oldest = c ? __atomic_load_n(&c->oldest, __ATOMIC_RELAXED) : 0,
	};
}

bool saw_generation(struct reader *r, struct source *from, const struct moment *m,
		    u64 generation)
{
	if (generation < from->last)
		fault(r->tally, BACKWARD, "generation %llu after %llu", generation,
		      from->last);
	if (generation < m->generation)
		fault(r->tally, OLD, "generation %llu, acknowledged %llu", generation,
		      m->generation);
	if (generation < m->oldest)
		fault(r->tally, LATE, "generation %llu, oldest %llu", generation, m->oldest);
	if (generation < from->last || generation < m->generation)
		return false;
	from->last = generation;
	return true;
}

bool saw_clock(struct reader *r, struct source *from, const struct moment *m,
	       u64 generation, u64 batch)
{
	u64 logged = log_read(generation);

	if (!saw_generation(r, from, m, generation))
		return false;
	if (batch < m->batch || batch < from->world.batch) {
		fault(r->tally, OLD, "batch %llu, acknowledged %llu, seen %llu", batch,
		      m->batch, from->world.batch);
		return false;
	}
	if (batch > load(&shared->staged) || (logged && logged != batch) ||
	    (generation == m->generation && batch != m->batch)) {
		fault(r->tally, STALE, "generation %llu has batch %llu, not %llu",
		      generation, batch, logged);
		return false;
	}
	world_seek(&from->world, batch);
	return true;
}

/*
 * One record
 * ==========
 */
static bool fields_same(const struct world_product *w, const struct shelf_product *p)
{
	return p->stock == w->stock && p->flags == w->flags && p->attrs_len == w->len &&
	       !memcmp(p->currency, w->currency, sizeof(w->currency));
}

static bool attrs_same(const struct world_product *w, const u8 *attrs)
{
	return !memcmp(attrs, world_attrs(w->attrs), w->len);
}

bool check_product(struct reader *r, const struct world *w, u32 i,
		   const struct shelf_product *p, u64 generation)
{
	const struct world_product *want = &w->product[i];

	if (!p != !want->present || (p && p->price != want->price)) {
		fault(r->tally, MIXED, "generation %llu, batch %llu: product %u of batch %lld, not %lld",
		      generation, w->batch, i, p ? p->price : 0, want->price);
		return false;
	}
	if (!p)
		return true;
	/* A trim moves attributes, and leaves the record's generation as it is. */
	if (p->id != world_product_id(i) || p->generation > generation ||
	    p->attrs_generation > generation || !fields_same(want, p)) {
		fault(r->tally, TORN, "generation %llu, batch %llu: product %u",
		      generation, w->batch, i);
		return false;
	}
	return true;
}

bool check_attrs(struct reader *r, const struct world *w, u32 i, const u8 *attrs)
{
	if (attrs_same(&w->product[i], attrs))
		return true;
	fault(r->tally, TORN, "batch %llu: attributes of product %u", w->batch, i);
	return false;
}

/*
 * Answers
 * =======
 */
bool same_product(const struct world *w, const struct answer *a)
{
	const struct world_product *want = &w->product[a->i];

	if (!a->found || !want->present)
		return a->found == want->present;
	return a->product->price == want->price && fields_same(want, a->product) &&
	       (!a->attrs || attrs_same(want, a->attrs));
}

bool same_page(const struct world *w, const struct answer *a)
{
	struct world_walk k = world_walk(w, a->i, a->place);
	u32 j;
	s64 id;

	if (a->total != w->catalog[a->i].len)
		return false;
	for (j = 0; j < a->n; j++)
		if (!world_next(&k, &id) || id != a->ids[j])
			return false;
	return world_next(&k, &id) == a->more;
}

bool same_total(const struct world *w, const struct answer *a)
{
	return a->total == w->catalog[a->i].len;
}

/* Asked for were the members of a->n places, of which the last may be no places. */
bool same_members(const struct world *w, const struct answer *a)
{
	u32 j;

	for (j = 0; j < a->n; j++)
		if (a->has[j] != world_has(w, a->i, a->place + j))
			return false;
	return true;
}

bool same_info(const struct world *w, const struct answer *a)
{
	return a->info->products == w->products && a->info->catalogs == w->catalogs &&
	       a->info->memberships == w->memberships &&
	       a->info->attrs_bytes == w->attrs_bytes;
}

void check_answer(struct reader *r, struct source *from, const struct moment *m,
		  const struct answer *a, const char *what)
{
	u64 batch = max(m->batch, from->world.batch), last = load(&shared->staged);

	for (; batch <= last; batch++) {
		world_seek(&from->world, batch);
		if (a->same(&from->world, a))
			return;
	}
	fault(r->tally, MIXED, "%s of %u: of no batch from %llu to %llu", what, a->i,
	      m->batch, last);
}

/*
 * Counts
 * ======
 */
static u32 bucket(u64 age)
{
	u32 n = age < 2 ? (u32)age : 65 - (u32)__builtin_clzll(age - 1);

	return min(n, AGES - 1);
}

void count_reads(struct reader *r, const struct source *from, enum kind kind, u64 n,
		 u64 generation)
{
	const struct shelf_control *c = from->s->control;
	u64 newest = c ? __atomic_load_n(&c->current_word, __ATOMIC_RELAXED) >> SHELF_ROOT_BITS
		       : load(&shared->acknowledged) >> 32;

	kind = from->by_ioctl ? IOCTL : kind;
	bump(&r->tally->reads[kind], n);
	bump(&r->tally->ages[kind][bucket(newest > generation ? newest - generation : 0)], n);
}

void refused(struct reader *r, const char *call, long ret)
{
	fault(r->tally, REFUSED, "%s: %s", call, strerror(ret < 0 ? (int)-ret : 0));
}
