// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A topic from its beginning, to replace all that there is, in one commit. What a
 * message is about is emptied before the first of its kind, and what no message was
 * about is deleted at the end, so that the shelf comes to what the topic says, whatever
 * it had.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

#define SCAN_RECORDS	1024

/* Ids in a table of open addressing, never more than half full. */
struct ids {
	__s64 *id;
	bool *used;
	size_t n;
	size_t room;
};

struct sighted {
	struct ids products;
	struct ids catalogs;
};

static size_t slot(const struct ids *s, __s64 id)
{
	size_t at = (size_t)(((__u64)id * 0x9e3779b97f4a7c15ULL) >> 20) & (s->room - 1);

	while (s->used[at] && s->id[at] != id)
		at = (at + 1) & (s->room - 1);
	return at;
}

static bool has(const struct ids *s, __s64 id)
{
	return s->room && s->used[slot(s, id)];
}

static void grow(struct ids *s)
{
	struct ids bigger = { .room = s->room ? s->room * 2 : 1024, .n = s->n };
	size_t i, at;

	bigger.id = xalloc(NULL, bigger.room, sizeof(*bigger.id));
	bigger.used = xalloc(NULL, bigger.room, sizeof(*bigger.used));
	memset(bigger.used, 0, bigger.room * sizeof(*bigger.used));
	for (i = 0; i < s->room; i++) {
		if (!s->used[i])
			continue;
		at = slot(&bigger, s->id[i]);
		bigger.id[at] = s->id[i];
		bigger.used[at] = true;
	}
	free(s->id);
	free(s->used);
	*s = bigger;
}

/* True: it was not there. */
static bool add(struct ids *s, __s64 id)
{
	size_t at;

	if (2 * (s->n + 1) > s->room)
		grow(s);
	at = slot(s, id);
	if (s->used[at])
		return false;
	s->id[at] = id;
	s->used[at] = true;
	s->n++;
	return true;
}

static void begin(struct follow *f)
{
	if (f->sighted)
		return;
	f->sighted = xalloc(NULL, 1, sizeof(*f->sighted));
	memset(f->sighted, 0, sizeof(*f->sighted));
}

/* Puts, sets and deletes replace what is there anyway. */
int sighted_stage(struct follow *f, struct shelf_error *err)
{
	const struct line *l = &f->line;
	int ret = 0;

	begin(f);
	switch (l->kind) {
	case SHELF_OP_PUT:
	case SHELF_OP_DELETE:
		add(&f->sighted->products, l->change.id);
		return 0;
	case SHELF_OP_PATCH:
		if (!add(&f->sighted->products, l->change.id))
			return 0;
		ret = shelf_batch_delete(f->batch, l->change.id, err);
		break;
	case LINE_SET:
	case SHELF_OP_CATALOG_DELETE:
		add(&f->sighted->catalogs, l->change.id);
		return 0;
	default:
		if (!add(&f->sighted->catalogs, l->change.id))
			return 0;
		ret = shelf_batch_catalog_delete(f->batch, l->change.id, err);
	}
	f->ops++;
	return ret;
}

static int delete_products(struct follow *f, const struct shelf_pin *pin,
			   struct shelf_error *err)
{
	static struct shelf_product found[SCAN_RECORDS];
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_products(pin, &at, found, SCAN_RECORDS);
		for (i = 0; !ret && i < n; i++)
			if (!has(&f->sighted->products, found[i].id))
				ret = shelf_batch_delete(f->batch, found[i].id, err);
	} while (!ret && n > 0);
	if (!ret && n < 0)
		err->error = ret = (int)n;
	return ret;
}

static int delete_catalogs(struct follow *f, const struct shelf_pin *pin,
			   struct shelf_error *err)
{
	static struct shelf_catalog found[SCAN_RECORDS];
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	do {
		n = shelf_pin_catalogs(pin, &at, found, SCAN_RECORDS);
		for (i = 0; !ret && i < n; i++)
			if (!has(&f->sighted->catalogs, found[i].id))
				ret = shelf_batch_catalog_delete(f->batch, found[i].id, err);
	} while (!ret && n > 0);
	if (!ret && n < 0)
		err->error = ret = (int)n;
	return ret;
}

int sighted_finish(struct follow *f, __u64 *generation, struct shelf_error *err)
{
	struct shelf_pin pin;
	int ret = shelf_pin(f->shelf, 0, 0, &pin);

	begin(f);	/* of topics that are empty */
	if (ret) {
		*err = (struct shelf_error){ .error = ret };
		snprintf(err->message, sizeof(err->message), "no pin: %s", strerror(-ret));
		return ret;
	}
	*generation = pin.generation;
	*err = (struct shelf_error){ 0 };
	ret = delete_products(f, &pin, err);
	if (!ret)
		ret = delete_catalogs(f, &pin, err);
	if (!ret && !shelf_pin_is_valid(&pin))
		err->error = ret = -ESTALE;
	if (ret && !*err->message)
		snprintf(err->message, sizeof(err->message), "the shelf can't be read: %s",
			 strerror(-ret));
	shelf_unpin(&pin);
	return ret;
}

void sighted_free(struct follow *f)
{
	if (!f->sighted)
		return;
	free(f->sighted->products.id);
	free(f->sighted->products.used);
	free(f->sighted->catalogs.id);
	free(f->sighted->catalogs.used);
	free(f->sighted);
	f->sighted = NULL;
}
