/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The two maps as anyone would write them: arrays that are looked through.
 * Small, slow and obviously right. Tests run the same batches through this and
 * through the trees, and compare everything.
 */
#ifndef SHELF_MODEL_H
#define SHELF_MODEL_H

#include "../../tools/lib/hosted.h"
#include "account.h"

#define MODEL_PRODUCTS	1500U
#define MODEL_CATALOGS	24U

struct model_product {
	bool present;
	s64 price;
	s64 stock;
	u32 flags;
	u8 currency[4];
	u32 len;
	u8 *attrs;
};

struct model_catalog {
	u32 count;
	u8 member[MODEL_PRODUCTS];
};

struct model {
	s64 id[MODEL_PRODUCTS];		/* ascending; products and members */
	s64 catalog_id[MODEL_CATALOGS];
	struct model_product product[MODEL_PRODUCTS];
	struct model_catalog catalog[MODEL_CATALOGS];
};

/* A generator whose state is one word, so that a seed reproduces a run. */
static inline u64 model_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline u32 model_below(u64 *state, u32 n)
{
	return (u32)(model_random(state) % n);
}

void model_init(struct model *m, u64 *random);
void model_free(struct model *m);
struct model *model_copy(const struct model *m);

/* Adds up to @ops random operations to @b and does them to @m. */
void model_batch(struct model *m, struct batch *b, u32 ops, u64 *random);

/* Deletes one of the model's products, be it there or not. */
void model_delete(struct model *m, struct batch *b, u32 i);

/*
 * Does an operation that was written down, on ids that the model has. False: it is a
 * patch of what is not there.
 */
bool model_apply(struct model *m, const struct op *op, const void *data);

/* Aborts with a message unless the snapshot is what the model says. */
void model_compare(const struct model *m, const struct shelf_view *view, u64 *random);

static inline void model_account(struct hosted *h)
{
	store_account(&h->store);
}

/* FNV-1a over everything that the snapshot holds, as readers see it. */
u64 model_hash(const struct model *m, const struct hosted *h);

struct shelf_view hosted_view(const struct hosted *h);

#endif /* SHELF_MODEL_H */
