// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <sys/mman.h>

#include "alloc.h"
#include "host.h"

struct shelf host_shelf;
struct mutex registry_lock;	/* nobody else is here */
struct idr shelf_idr;
u64 host_clock;
long shim_fail_in;
bool shim_grace_held, shim_grace_slow;
unsigned long shim_grace_waits;
int fuzz_objects;		/* batches and dumps that were made and are not gone */

static u8 *base;		/* control page, pin page, and the arena */
static struct shelf_stats stats;
static u64 randoms;

u64 store_clock(void)
{
	return host_clock;
}

u64 store_realtime(void)
{
	return host_clock;
}

u64 get_random_u64(void)
{
	return ++randoms * 0x9e3779b97f4a7c15ULL;
}

/*
 * Memory
 * ======
 */
void *arena_chunk_alloc(struct store *st, u32 index)
{
	(void)st;
	if (shim_fail_in && --shim_fail_in == 0)
		return ERR_PTR(-ENOMEM);
	return base + SHELF_MMAP_ARENA + ((size_t)index << SHELF_CHUNK_SHIFT);
}

/* Zeros again, but only what a draft has had: that is quick. */
static void chunk_zero(const struct arena *a, u32 index)
{
	u32 i;

	for (i = 0; i < CHUNK_PAGES; i++)
		if (a->meta[index]->page[i].birth)
			memset((u8 *)a->chunk[index] + (size_t)i * SHELF_PAGE_BYTES, 0,
			       SHELF_PAGE_BYTES);
}

bool arena_chunk_free(struct store *st, u32 index)
{
	chunk_zero(&st->arena, index);
	return true;
}

static void map_once(void)
{
	size_t arena = (size_t)HOST_CHUNKS_MAX << SHELF_CHUNK_SHIFT;
	size_t bytes = SHELF_MMAP_ARENA + arena;

	/* A leaf's lines are found by XOR: pages lie at multiples of their size. */
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		FAIL("no memory for an arena");
}

static struct shelf_control *make_control(u32 chunks)
{
	struct shelf_control *c = (struct shelf_control *)base;

	memset(c, 0, sizeof(*c));
	c->magic = SHELF_CONTROL_MAGIC;
	c->abi = SHELF_ABI_VERSION;
	c->seed = 0x5eed;
	c->arena_bytes = (u64)HOST_CHUNKS_MAX << SHELF_CHUNK_SHIFT;
	c->max_bytes = (u64)chunks << SHELF_CHUNK_SHIFT;
	return c;
}

void host_begin(u32 chunks)
{
	struct shelf *s = &host_shelf;

	if (!base)
		map_once();
	memset(s, 0, sizeof(*s));
	memset(&stats, 0, sizeof(stats));
	host_clock = 1;
	randoms = 0;
	shim_fail_in = 0;
	shim_grace_held = false;
	shim_grace_slow = false;
	s->ref.count = 1;
	strcpy(s->name, HOST_NAME);
	s->stats = &stats;
	s->batch_bytes = 1 << 20;
	if (store_prepare(&s->store, make_control(chunks)) || store_init(&s->store))
		FAIL("no empty shelf");
	s->store.quarantine_ns = 0;
}

void host_end(void)
{
	struct shelf *s = &host_shelf;
	u32 i;

	if (s->ref.count != 1)
		FAIL("%d references are left", s->ref.count - 1);
	if (fuzz_objects)
		FAIL("%d batches and dumps are left", fuzz_objects);
	if (s->staged_bytes.value)
		FAIL("%lld staged bytes are left", (long long)s->staged_bytes.value);
	for (i = 0; i < s->store.arena.max_chunks; i++)
		if (s->store.arena.meta[i])
			chunk_zero(&s->store.arena, i);
	store_exit(&s->store);
	if (fuzz_blocks())
		FAIL("%u large blocks of memory are left", fuzz_blocks());
}

/*
 * The module's other files
 * ========================
 */
struct shelf *shelf_find_get(const char *name)
{
	if (strcmp(name, HOST_NAME))
		return NULL;
	shelf_get(&host_shelf);
	return &host_shelf;
}

void shelf_put(struct shelf *s)
{
	if (--s->ref.count < 1)
		FAIL("the registry's reference is gone");
}

bool shelf_name_valid(const char *name, size_t len)
{
	return len && len <= SHELF_NAME_MAX && name[0] != '.';
}

int shelf_create(const struct shelf_config *config, struct shelf **out)
{
	(void)out;
	return strcmp(config->name, HOST_NAME) ? -ENOMEM : -EEXIST;
}

int shelf_destroy(struct shelf *s)
{
	(void)s;
	return -ENOENT;
}

void shelf_reclaim_soon(struct shelf *s)
{
	(void)s;
}

u64 shelf_trim_soon(struct shelf *s)
{
	return (u64)++s->trims_asked.value;
}

bool shelf_pin_next(struct shelf *s, u32 *slot, struct pin_info *info)
{
	memset(info, 0, sizeof(*info));
	for (; *slot < SHELF_PINS; ++*slot) {
		const struct pin *p = store_slot_pin(&s->store, *slot);

		if (!p)
			continue;
		info->generation = p->generation;
		info->bytes = p->of->covered;
		return true;
	}
	return false;
}

/* No socket here dumps sources. */
bool shelf_source_next(const struct shelf *s, u64 *hash, struct source_info *info)
{
	(void)s;
	(void)hash;
	(void)info;
	return false;
}

static int commit_check(struct commit *c)
{
	const struct store *st = &c->shelf->store;

	if (!c->has_expect || (c->expect >= st->content && c->expect <= st->generation))
		return 0;
	c->report.error = -ESTALE;
	snprintf(c->report.message, sizeof(c->report.message),
		 "generation %llu was expected, but %llu is the newest", c->expect,
		 st->generation);
	return -ESTALE;
}

static int commit_try(struct store *st, const struct batch *b, struct report *r)
{
	struct draft *d = draft_make(st, b, r);

	if (IS_ERR(d))
		return PTR_ERR(d);
	if (b->checks) {
		r->generation = st->generation;
		draft_drop(d);
		return 0;
	}
	draft_publish(d);
	draft_retire(d);
	return 0;
}

/* P5. What memory alone was lacking for succeeds as soon as there is some. */
static int commit_now(struct commit *c)
{
	struct store *st = &c->shelf->store;
	int ret;

	if (batch_repeats(st, &c->batch, &c->report))
		return 0;
	ret = commit_check(c);
	if (ret)
		return ret;
	ret = commit_try(st, &c->batch, &c->report);
	if (ret != -ENOMEM)
		return ret;
	if (shim_fail_in || !c->report.message[0])
		FAIL("ENOMEM, and no allocation has failed, or no message");
	host_done(c, ret);
	return commit_try(st, &c->batch, &c->report);
}

/* commit.c, at once. */
void shelf_commit_queue(struct commit *c)
{
	struct shelf *s = c->shelf;
	int ret;

	host_staged(c);
	store_reclaim(&s->store);
	ret = commit_now(c);
	host_done(c, ret);
	if (!ret && !c->report.repeated && !c->batch.checks)
		netlink_event(SHELF_CMD_COMMITTED, s, &c->report);
	atomic64_sub(c->batch.bytes, &s->staged_bytes);
	batch_free(&c->batch);
	store_reclaim(&s->store);
	c->done(c);
}

bool host_trim_step(void)
{
	struct store *st = &host_shelf.store;
	struct report report;
	struct batch b;
	int ret;

	store_reclaim(st);
	batch_init(&b, U64_MAX);
	ret = trim_stage(st, &b);
	if (!ret && b.ops)
		ret = commit_try(st, &b, &report);
	batch_free(&b);
	return trim_next(st, ret) == TRIM_STEP;
}
