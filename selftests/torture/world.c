// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The state after each batch, and the batches. See world.h.
 */
#include "world.h"

#define POOL		4096U	/* attributes begin at any byte of it */
#define FLOOD		5U	/* batches */
#define OF_CATALOGS	(1ULL << 32)
#define ALL_FIELDS	(FIELD_PRICE | FIELD_STOCK | FIELD_FLAGS | FIELD_CURRENCY | FIELD_ATTRS)

/* Sets in a record, in a slot, in a tree, and those that go to and fro. */
static const u32 places_of[WORLD_CATALOGS] = {
	7, 7, 31, 31, 127, 509, 509, 1021, 1021, 4093, WORLD_MEMBERS,
};

static const u32 most_of[WORLD_CATALOGS] = {
	4, 4, 12, 30, 120, 447, 500, 700, 1000, 3000, 3800,
};

/* Of a hundred products; an era with few of them makes leaves merge. */
static const u32 densities[] = { 100, 100, 90, 50, 12, 3 };

static u64 world_seed;
static u8 pool[POOL + WORLD_ATTRS];

static u64 scramble(u64 z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static u64 mix(u64 a, u64 b)
{
	return scramble(world_seed + a * 0x9e3779b97f4a7c15ULL + b * 0xd6e8feb86659fd93ULL);
}

u32 world_below(u64 *state, u32 n)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return (u32)(scramble(*state) % n);
}

void world_init(u64 seed)
{
	u32 i;

	world_seed = seed;
	for (i = 0; i < sizeof(pool); i++)
		pool[i] = (u8)mix(i, ~0ULL);
}

s64 world_product_id(u32 i)
{
	return (s64)i * 1000003 - 7000000;
}

u32 world_product_of(s64 id)
{
	s64 i = (id + 7000000) / 1000003;

	return i >= 0 && i < WORLD_RECORDS && world_product_id((u32)i) == id ?
	       (u32)i : WORLD_RECORDS;
}

s64 world_catalog_id(u32 c)
{
	return (s64)c * c - 5;
}

u32 world_catalog_of(s64 id)
{
	u32 c = 0;

	while (c < WORLD_CATALOGS && world_catalog_id(c) != id)
		c++;
	return c;
}

const u8 *world_attrs(u32 at)
{
	return pool + at;
}

/*
 * Which ones a batch touches
 * ==========================
 */

/* Those i below a prime for which (i * turn + low) % prime is below @n. */
struct spread {
	u32 turn;
	u32 low;
	u32 n;
};

static bool era_begins(u64 batch)
{
	return batch % WORLD_ERA == 0;
}

static struct spread spread_of(u64 batch, u64 what, u32 of)
{
	u64 h = mix(batch, what);

	return (struct spread){
		.turn = 1 + (u32)(h >> 8) % (of - 1),
		.low = (u32)(h >> 40) % of,
	};
}

/*
 * One product, some, many, or all; and towards its end an era is a flood, which brings
 * what is in quarantine to where there is no memory left.
 */
static struct spread products_touched(u64 batch)
{
	static const u32 n[16] = {
		1, 1, 1, 1, 1, 1, 8, 8, 8, 8, 60, 60, 60, 200, 200, WORLD_PRODUCTS,
	};
	struct spread s = spread_of(batch, ~0ULL - 1, WORLD_PRODUCTS);

	s.n = era_begins(batch) || batch % WORLD_ERA >= WORLD_ERA - FLOOD ?
	      WORLD_PRODUCTS : n[mix(batch, ~0ULL - 2) % 16];
	return s;
}

static struct spread catalogs_touched(u64 batch)
{
	static const u32 n[8] = { 0, 0, 0, 1, 1, 1, 3, WORLD_CATALOGS };
	struct spread s = spread_of(batch, ~0ULL - 3, WORLD_CATALOGS);

	s.n = era_begins(batch) ? WORLD_CATALOGS : n[mix(batch, ~0ULL - 4) % 8];
	return s;
}

/*
 * Products
 * ========
 */

/* Small ones mostly; some have pages of attributes, or nearly. */
static u32 attrs_len(u32 i, u64 h)
{
	if (i == 3)
		return (u32)(h % WORLD_ATTRS);
	if (i % 50 == 7)
		return 3500 + (u32)(h % 9000);
	if (i % 50 == 8)
		return (u32)(h % 4000);
	return (u32)(h % 257);
}

/* One era in four is full for certain, so that its flood is one. */
static u32 density(u64 batch)
{
	if (batch / WORLD_ERA % 4 == 1)
		return 100;
	return densities[mix(batch / WORLD_ERA, ~0ULL - 5) % ARRAY_SIZE(densities)];
}

static void fill_fields(struct op *op, u64 batch, u32 i, u64 h)
{
	u8 letter = (u8)('A' + h % 26);

	if (op->fields & FIELD_PRICE)
		op->price = (s64)batch;
	if (op->fields & FIELD_STOCK)
		op->stock = (s64)mix(h, i);
	if (op->fields & FIELD_FLAGS)
		op->flags = (u32)(h >> 32);
	if (op->fields & FIELD_CURRENCY && h >> 32 & 1)
		memcpy(op->currency, (u8 [4]){ letter, 'E', 'R', 0 }, 4);
	if (op->fields & FIELD_ATTRS)
		op->len = attrs_len(i, mix(h, ~0ULL));
}

/* What the batch does to a product that it touches, given how it is. */
static void product_op(const struct world *w, u32 i, struct op *op)
{
	u64 h = mix(w->batch, i);
	bool anew = era_begins(w->batch) || i == WORLD_CLOCK;

	op->id = world_product_id(i);
	op->kind = SHELF_OP_DELETE;
	if (i != WORLD_CLOCK && h % 100 >= density(w->batch))
		return;
	op->kind = SHELF_OP_PUT;
	op->fields = ALL_FIELDS;
	if (!anew && h >> 8 & 3)
		op->fields = (u8)(FIELD_PRICE | (h >> 10 & ALL_FIELDS));
	if (!anew && w->product[i].present && h >> 16 & 3)
		op->kind = SHELF_OP_PATCH;
	fill_fields(op, w->batch, i, h);
}

static u32 attrs_place(u64 batch, u32 i)
{
	return (u32)(mix(batch, i) >> 20) % POOL;
}

static void product_forget(struct world *w, struct world_product *p)
{
	w->products -= p->present;
	w->attrs_bytes -= p->len;
	memset(p, 0, sizeof(*p));
}

static void product_apply(struct world *w, u32 i, const struct op *op)
{
	struct world_product *p = &w->product[i];

	if (op->kind != SHELF_OP_PATCH)
		product_forget(w, p);
	if (op->kind == SHELF_OP_DELETE)
		return;
	w->products += !p->present;
	p->present = true;
	if (op->fields & FIELD_PRICE)
		p->price = op->price;
	if (op->fields & FIELD_STOCK)
		p->stock = op->stock;
	if (op->fields & FIELD_FLAGS)
		p->flags = op->flags;
	if (op->fields & FIELD_CURRENCY)
		memcpy(p->currency, op->currency, sizeof(p->currency));
	if (!(op->fields & FIELD_ATTRS))
		return;
	w->attrs_bytes += (u64)op->len - p->len;
	p->len = op->len;
	p->attrs = attrs_place(w->batch, i);
}

/* At times what is put was deleted by the same batch, an operation before. */
static int product_emit(const struct world *w, u32 i, const struct op *op, world_emit emit,
			void *arg)
{
	const struct op delete = { .kind = SHELF_OP_DELETE, .id = op->id };
	int ret = 0;

	if (op->kind == SHELF_OP_PUT && mix(w->batch, i) % 16 == 5)
		ret = emit(arg, &delete, NULL);
	return ret ? ret : emit(arg, op, pool + attrs_place(w->batch, i));
}

static int product_step(struct world *w, u32 i, world_emit emit, void *arg)
{
	struct op op = { 0 };
	int ret;

	product_op(w, i, &op);
	ret = emit ? product_emit(w, i, &op, emit, arg) : 0;
	product_apply(w, i, &op);
	return ret;
}

/*
 * Catalogs
 * ========
 */
u32 world_places(u32 c)
{
	return places_of[c];
}

s64 world_member_id(u32 c, u32 place)
{
	return (s64)place * 7 - 50 + c;
}

u32 world_behind(u32 c, s64 id)
{
	s64 place = (id - c + 50) / 7;

	return place < 0 ? 0 : (u32)min(place + 1, (s64)places_of[c]);
}

static bool turned_in(u32 at, u32 low, u32 len, u32 places)
{
	return (at >= low ? at - low : at + places - low) < len;
}

bool world_has(const struct world *w, u32 c, u32 place)
{
	const struct world_catalog *k = &w->catalog[c];
	u32 at = (u32)((u64)place * k->turn % places_of[c]);

	return place < places_of[c] && turned_in(at, k->low, k->len, places_of[c]);
}

static struct world_walk walk_of(const struct world_catalog *of, u32 c, u32 place)
{
	return (struct world_walk){
		.of = *of, .c = c, .places = places_of[c], .place = place,
		.at = (u32)((u64)place * of->turn % places_of[c]),
	};
}

struct world_walk world_walk(const struct world *w, u32 c, u32 place)
{
	return walk_of(&w->catalog[c], c, place);
}

bool world_next(struct world_walk *k, s64 *id)
{
	bool found = false;

	while (!found && k->place < k->places) {
		found = turned_in(k->at, k->of.low, k->of.len, k->places);
		*id = world_member_id(k->c, k->place++);
		k->at += k->of.turn;
		k->at -= k->at >= k->places ? k->places : 0;
	}
	return found;
}

/* One operation on the catalog: all that @of says are its members, or none. */
static int members_emit(u8 kind, u32 c, const struct world_catalog *of, world_emit emit,
			void *arg)
{
	struct op op = { .kind = kind, .id = world_catalog_id(c) };
	struct world_walk k = walk_of(of, c, 0);
	s64 ids[WORLD_MEMBERS];

	if (!emit)
		return 0;
	while (of->len && world_next(&k, &ids[op.len]))
		op.len++;
	return emit(arg, &op, ids);
}

static int catalog_delete(struct world_catalog *k, u32 c, world_emit emit, void *arg)
{
	k->len = 0;
	return members_emit(SHELF_OP_CATALOG_DELETE, c, k, emit, arg);
}

static int catalog_renew(struct world_catalog *k, u32 c, u64 h, world_emit emit, void *arg)
{
	int ret = catalog_delete(k, c, emit, arg);

	k->turn = 1 + (u32)(h >> 8) % (places_of[c] - 1);
	k->low = (u32)(h >> 32) % places_of[c];
	k->len = 1 + (u32)(h >> 16) % most_of[c];
	return ret ? ret : members_emit(SHELF_OP_CATALOG_ADD, c, k, emit, arg);
}

/* One of those that are added is there already. */
static int catalog_add(struct world_catalog *k, u32 c, u32 n, world_emit emit, void *arg)
{
	struct world_catalog more = *k;

	n = min(n, places_of[c] - k->len);
	more.low = (k->low + k->len - 1) % places_of[c];
	more.len = n + 1;
	k->len += n;
	return members_emit(SHELF_OP_CATALOG_ADD, c, &more, emit, arg);
}

/* The last member takes the catalog along. */
static int catalog_remove(struct world_catalog *k, u32 c, u32 n, world_emit emit, void *arg)
{
	struct world_catalog less = *k;

	less.len = min(n, k->len);
	k->low = (k->low + less.len) % places_of[c];
	k->len -= less.len;
	return members_emit(SHELF_OP_CATALOG_REMOVE, c, &less, emit, arg);
}

static int catalog_touch(struct world_catalog *k, u32 c, u64 batch, world_emit emit, void *arg)
{
	u64 h = mix(batch, OF_CATALOGS + c);
	u32 n = 1 + (u32)(h >> 8) % (h >> 40 & 1 ? 6 : places_of[c] / 4 + 1);

	if (h % 16 == 1)
		return catalog_delete(k, c, emit, arg);
	if (era_begins(batch) || !k->len || h % 16 == 0)
		return catalog_renew(k, c, h, emit, arg);
	return (h % 2 ? catalog_add : catalog_remove)(k, c, n, emit, arg);
}

static int catalog_step(struct world *w, u32 c, world_emit emit, void *arg)
{
	struct world_catalog *k = &w->catalog[c];
	u32 before = k->len;
	int ret = catalog_touch(k, c, w->batch, emit, arg);

	w->memberships += (u64)k->len - before;
	w->catalogs += (u64)!!k->len - !!before;
	return ret;
}

/*
 * Batches
 * =======
 */
static int all_touched(struct world *w, struct spread s, u32 of,
		       int (*step)(struct world *, u32, world_emit, void *),
		       world_emit emit, void *arg)
{
	u32 i, at = s.low;
	int ret = 0;

	for (i = 0; i < of && !ret; i++) {
		if (at < s.n)
			ret = step(w, i, emit, arg);
		at += s.turn;
		at -= at >= of ? of : 0;
	}
	return ret;
}

int world_step(struct world *w, world_emit emit, void *arg)
{
	int ret;

	w->batch++;
	ret = all_touched(w, catalogs_touched(w->batch), WORLD_CATALOGS, catalog_step, emit,
			  arg);
	if (!ret)
		ret = all_touched(w, products_touched(w->batch), WORLD_PRODUCTS, product_step,
				  emit, arg);
	return ret ? ret : product_step(w, WORLD_CLOCK, emit, arg);
}

void world_seek(struct world *w, u64 batch)
{
	u64 era = batch - batch % WORLD_ERA;

	if (w->batch > batch || w->batch + 1 < era) {
		/* What begins an era looks at nothing, but totals are kept. */
		if (!era)
			memset(w, 0, sizeof(*w));
		else
			w->batch = era - 1;
	}
	while (w->batch < batch)
		world_step(w, NULL, NULL);
}
