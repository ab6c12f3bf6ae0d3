// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pinned snapshots: several at a time, held for moments or beyond their lease, and
 * read in place as well as by the library's calls. Whatever was read counts only if
 * the token still stood afterwards.
 */
#include "reader.h"

#define LOOKUPS	200U

static struct source *other(struct reader *r)
{
	return r->ioctl.s && draw(r, 2) ? &r->ioctl : &r->mapped;
}

void pin_drop(struct reader *r, struct held *h)
{
	bool valid = shelf_pin_valid(&h->pin);
	int ret;

	if (options.hosted && !h->weak)
		ret = broker_unpin(r->index, (u32)(h - r->held));
	else
		ret = shelf_unpin(&h->pin);
	if (ret && ret != -ESTALE)
		refused(r, "unpin", ret);
	if (!ret && !valid)
		fault(r->tally, STALE, "a pin whose token had gone was there to end");
	bump(&r->tally->events[OVERHELD], !h->weak && now_ns() > h->lease_ns);
	h->used = false;
}

/* What it was pinned for is over: the writer wants the memory, or the lease is. */
static void revoked(struct reader *r, struct held *h)
{
	bump(&r->tally->events[REVOKED_SEEN], !h->weak);
	pin_drop(r, h);
}

static int pin_hosted(struct reader *r, struct held *h, u64 generation, u64 lease_ns)
{
	const struct shelf *s = h->from->s;
	const struct shelf_pins *page = (const void *)((const u8 *)s->control + SHELF_PAGE_BYTES);
	struct shelf_section c;
	struct pin pin;
	int ret = broker_pin(r->index, (u32)(h - r->held), generation, lease_ns, &pin);

	if (ret)
		return ret;
	shelf_begin(s, &c);
	h->pin = (struct shelf_pin){
		.view = c.view, .generation = pin.generation, .shelf = s, .fd = -1,
		.lease_ns = pin.until_ns - pin.taken_ns, .token = pin.token,
		.at = &page->token[SHELF_PIN_SLOT(pin.token)],
	};
	h->pin.view.root = shelf_view_page(&c.view, pin.root_page);
	return 0;
}

/*
 * False: it has been revoked, or is of another batch than it has to be, which its
 * clock tells.
 */
static bool pin_settle(struct reader *r, struct held *h, const struct moment *m, bool newest)
{
	u64 logged = log_read(h->pin.generation), batch;
	struct shelf_product p;
	int ret = shelf_pin_get(&h->pin, clock_id(), &p, NULL, 0);

	if (ret == -ESTALE) {
		revoked(r, h);
		return false;
	}
	batch = ret == 1 ? (u64)p.price : 0;
	if (!batch || (logged && logged != batch) || batch > load(&shared->staged)) {
		fault(r->tally, STALE, "pinned %llu has batch %llu, not %llu",
		      h->pin.generation, batch, logged);
		pin_drop(r, h);
		return false;
	}
	if (newest && (h->pin.generation < m->generation || batch < m->batch))
		fault(r->tally, OLD, "pinned %llu, acknowledged %llu", h->pin.generation,
		      m->generation);
	world_seek(&h->world, batch);
	return true;
}

/* The newest, one that is pinned already, or one that has just been the newest. */
static u64 pin_which(struct reader *r, const struct source *from)
{
	const struct held *h = &r->held[draw(r, PINS_EACH)];

	if (draw(r, 4) == 0 && h->used && !h->weak)
		return h->pin.generation;
	return draw(r, 8) || !from->last ? 0 : from->last;
}

static void pin_take(struct reader *r, struct held *h, struct source *from)
{
	u64 lease = draw(r, 3) ? (1 + draw(r, 2 * LEASE_MS)) * NS_PER_MS : 0;
	u64 generation = pin_which(r, from), now = now_ns();
	struct moment m = moment_begin(from);
	int ret;

	h->from = from;
	h->weak = options.hosted && !draw(r, 4);
	if (options.hosted && !h->weak)
		ret = pin_hosted(r, h, generation, lease);
	else
		ret = shelf_pin(from->s, generation, lease, &h->pin);
	if (ret == -ESTALE && generation)
		return;
	if (ret) {
		refused(r, "pin", ret);
		return;
	}
	h->used = true;
	h->lease_ns = now + h->pin.lease_ns;
	h->until_ns = now + draw(r, 4 * LEASE_MS) * NS_PER_MS;
	bump(&r->tally->events[PINS], 1);
	pin_settle(r, h, &m, !generation);
}

/* In place, and without a copy where nothing forbids it. */
static bool in_place(struct reader *r, const struct held *h, u32 i, bool with_attrs)
{
	const struct shelf_product *p = shelf_view_product(&h->pin.view, world_product_id(i));
	const struct world_product *w = &h->world.product[i];
	struct shelf_product copy;

	if (!p || !w->present)
		return !p == !w->present;
	if (SHELF_LOAD(p->price) != w->price || SHELF_LOAD(p->stock) != w->stock ||
	    SHELF_LOAD(p->flags) != w->flags || SHELF_LOAD(p->attrs_len) != w->len)
		return false;
	if (!with_attrs)
		return true;
	shelf_copy(&copy, p, sizeof(copy));
	return copy.attrs_len == w->len &&
	       shelf_view_attrs(&h->pin.view, &copy, r->attrs, WORLD_ATTRS) == w->len &&
	       !memcmp(r->attrs, world_attrs(w->attrs), w->len);
}

static void read_in_place(struct reader *r, struct held *h)
{
	u32 j, i = 0, n = 1 + draw(r, LOOKUPS);
	bool good = true;

	for (j = 0; j < n && good; j++) {
		i = draw(r, WORLD_RECORDS);
		good = in_place(r, h, i, j % 16 == 0);
		if (j == n / 2)
			stall(r);
	}
	if (!shelf_pin_valid(&h->pin)) {
		revoked(r, h);
		return;
	}
	if (!good)
		fault(r->tally, MIXED, "pinned %llu, batch %llu: product %u",
		      h->pin.generation, h->world.batch, i);
	count_reads(r, h->from, PINNED, n, h->pin.generation);
}

static void read_by_call(struct reader *r, struct held *h)
{
	u32 j, i;

	for (j = draw(r, 30); j; j--) {
		struct shelf_product p;
		int ret;

		i = draw(r, WORLD_RECORDS);
		ret = shelf_pin_get(&h->pin, world_product_id(i), &p, r->attrs, WORLD_ATTRS);
		if (ret == -ESTALE) {
			revoked(r, h);
			return;
		}
		if (ret < 0)
			refused(r, "shelf_pin_get", ret);
		else if (!check_product(r, &h->world, i, ret ? &p : NULL, h->pin.generation))
			return;
		else if (ret)
			check_attrs(r, &h->world, i, r->attrs);
		count_reads(r, h->from, PINNED, 1, h->pin.generation);
	}
}

/* One step: another pin, a look through one, or the end of one. */
void pinned(struct reader *r, struct source *from)
{
	struct held *h = &r->held[draw(r, PINS_EACH)];

	if (!h->used)
		pin_take(r, h, from);
	else if (now_ns() > h->until_ns)
		pin_drop(r, h);
	else if (h->pin.at && draw(r, 4))
		read_in_place(r, h);
	else
		read_by_call(r, h);
}

struct held *pin_any(struct reader *r)
{
	struct held *h = &r->held[draw(r, PINS_EACH)];

	if (!h->used)
		pin_take(r, h, other(r));
	return h->used ? h : NULL;
}

void pinned_drop_all(struct reader *r)
{
	u32 i;

	for (i = 0; i < PINS_EACH; i++)
		if (r->held[i].used)
			pin_drop(r, &r->held[i]);
}
