// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Batches, to the module over netlink or to a hosted shelf in this process.
 * Either way operations are checked as they are added and nothing is applied
 * before the commit.
 */
#include <errno.h>
#include <stdlib.h>

#include "hosted.h"
#include "internal.h"
#include "netlink.h"

static_assert(SHELF_PRICE == FIELD_PRICE);
static_assert(SHELF_STOCK == FIELD_STOCK);
static_assert(SHELF_FLAGS == FIELD_FLAGS);
static_assert(SHELF_CURRENCY == FIELD_CURRENCY);
static_assert(SHELF_ATTRS == FIELD_ATTRS);

/* One of the two. */
struct shelf_writer {
	struct hosted *hosted;
	struct shelf_nl *nl;
	char name[SHELF_NAME_MAX + 1];
};

/* @failed: an operation was refused, so this can't become a commit. */
struct shelf_batch {
	struct hosted *hosted;
	struct batch staged;
	struct shelf_nl_batch *nl;
	bool failed;
	struct shelf_nl_ends ends;
};

int shelf_fail_writer(struct shelf_error *err, int ret)
{
	switch (ret) {
	case -EBUSY:
		return shelf_fail(err, ret, "another writer has the shelf open");
	case -EINVAL:
		return shelf_fail(err, ret, "not a shelf, or a damaged one");
	case -EPROTONOSUPPORT:
		return shelf_fail(err, ret, "a shelf of another version");
	default:
		return shelf_fail(err, ret, "%s", strerror(-ret));
	}
}

static int writer_connect(struct shelf_writer *w, const char *name,
			  struct shelf_error *err)
{
	const char *path = shelf_hosted_path(name);
	int ret;

	if (path) {
		ret = hosted_open_writer(path, &w->hosted);
		return ret ? shelf_fail_writer(err, ret) : 0;
	}
	if (strlen(name) > SHELF_NAME_MAX)
		return shelf_fail(err, -EINVAL, "name is longer than %d bytes",
				  SHELF_NAME_MAX);
	strcpy(w->name, name);
	return shelf_nl_open(&w->nl, err);
}

int shelf_writer_open(const char *name, struct shelf_writer **out,
		      struct shelf_error *err)
{
	struct shelf_writer *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return shelf_fail(err, -ENOMEM, "out of memory");
	ret = writer_connect(w, name, err);
	if (ret)
		free(w);
	else
		*out = w;
	return ret;
}

void shelf_writer_close(struct shelf_writer *w)
{
	if (!w)
		return;
	hosted_close(w->hosted);
	if (w->nl)
		shelf_nl_close(w->nl);
	free(w);
}

int shelf_batch_begin(struct shelf_writer *w, struct shelf_batch **out,
		      struct shelf_error *err)
{
	struct shelf_batch *b = calloc(1, sizeof(*b));
	int ret = 0;

	if (!b)
		return shelf_fail(err, -ENOMEM, "out of memory");
	b->hosted = w->hosted;
	b->ends.max_change = -1;
	b->ends.dangling = -1;
	if (b->hosted)
		batch_init(&b->staged, b->hosted->batch_bytes);
	else
		ret = shelf_nl_begin(w->nl, w->name, &b->nl, err);
	if (ret)
		free(b);
	else
		*out = b;
	return ret;
}

static int stage_hosted(struct shelf_batch *b, const struct op *op, const void *data,
			struct shelf_error *err)
{
	u64 index = b->staged.ops;
	const char *why;
	int ret = batch_add(&b->staged, op, data, &why);

	if (!ret)
		return 0;
	if (op_map(op) == MAP_SOURCES)
		shelf_fail(err, ret, "%s: source %.*s", why, (int)op->len, (const char *)data);
	else
		shelf_fail(err, ret, "%s: %s %lld", why,
			   op_map(op) == MAP_CATALOGS ? "catalog" : "product",
			   (long long)op->id);
	if (err) {
		err->has_op = true;
		err->op = index;
	}
	return ret;
}

static int stage_nl(struct shelf_batch *b, const struct op *op, const void *data,
		    struct shelf_error *err)
{
	struct shelf_nl_op nl = {
		.kind = op->kind, .fields = op->fields, .id = op->id,
		/* or first and last */
		.price = op->price, .stock = op->stock, .flags = op->flags,
		.len = op->len, .data = data,
	};

	memcpy(nl.currency, op->currency, sizeof(nl.currency));
	return shelf_nl_add(b->nl, &nl, err);
}

static int stage(struct shelf_batch *b, const struct op *op, const void *data,
		 struct shelf_error *err)
{
	int ret;

	if (b->failed)
		return shelf_fail(err, -EINVAL, "the batch has failed before");
	ret = b->hosted ? stage_hosted(b, op, data, err) : stage_nl(b, op, data, err);
	b->failed = ret;
	return ret;
}

static int stage_change(struct shelf_batch *b, u8 kind, const struct shelf_change *c,
			struct shelf_error *err)
{
	struct op op = {
		.kind = kind, .id = c->id, .fields = (u8)c->fields,
		.price = c->price, .stock = c->stock, .flags = c->flags,
		.len = c->fields & SHELF_ATTRS ? c->attrs_len : 0,
	};

	if (c->fields & ~(SHELF_PRICE | SHELF_STOCK | SHELF_FLAGS |
			  SHELF_CURRENCY | SHELF_ATTRS)) {
		b->failed = true;
		return shelf_fail(err, -EINVAL, "unknown field of a change");
	}
	memcpy(op.currency, c->currency, sizeof(op.currency));
	return stage(b, &op, c->attrs, err);
}

int shelf_batch_put(struct shelf_batch *b, const struct shelf_change *c,
		    struct shelf_error *err)
{
	return stage_change(b, SHELF_OP_PUT, c, err);
}

int shelf_batch_patch(struct shelf_batch *b, const struct shelf_change *c,
		      struct shelf_error *err)
{
	return stage_change(b, SHELF_OP_PATCH, c, err);
}

int shelf_batch_delete(struct shelf_batch *b, __s64 product, struct shelf_error *err)
{
	const struct op op = { .kind = SHELF_OP_DELETE, .id = product };

	return stage(b, &op, NULL, err);
}

int shelf_batch_catalog_delete(struct shelf_batch *b, __s64 catalog,
			       struct shelf_error *err)
{
	const struct op op = { .kind = SHELF_OP_CATALOG_DELETE, .id = catalog };

	return stage(b, &op, NULL, err);
}

/* No members at all go through once, to be refused like by anybody else. */
static int stage_members(struct shelf_batch *b, u8 kind, __s64 catalog,
			 const __s64 *products, size_t count,
			 struct shelf_error *err)
{
	struct op op = { .kind = kind, .id = catalog };
	size_t at = 0;
	int ret;

	do {
		op.len = (u32)min_t(size_t, count - at, SHELF_MEMBERS_MAX);
		ret = stage(b, &op, products + at, err);
		at += op.len;
	} while (!ret && at < count);
	return ret;
}

int shelf_batch_add(struct shelf_batch *b, __s64 catalog, const __s64 *products,
		    size_t count, struct shelf_error *err)
{
	return stage_members(b, SHELF_OP_CATALOG_ADD, catalog, products, count, err);
}

int shelf_batch_remove(struct shelf_batch *b, __s64 catalog, const __s64 *products,
		       size_t count, struct shelf_error *err)
{
	return stage_members(b, SHELF_OP_CATALOG_REMOVE, catalog, products, count,
			     err);
}

static int stage_source(struct shelf_batch *b, struct op *op, const char *source,
			struct shelf_error *err)
{
	size_t len = strlen(source);

	/* One too many is refused like by anybody else. */
	op->len = (u32)min_t(size_t, len, SHELF_SOURCE_MAX + 1);
	return stage(b, op, source, err);
}

int shelf_batch_sequence(struct shelf_batch *b, const char *source, __u64 first,
			 __u64 last, unsigned int flags, struct shelf_error *err)
{
	struct op op = {
		.kind = SHELF_OP_SEQUENCE, .first = first, .last = last,
		.fields = flags & SHELF_NO_GAP ? FIELD_NO_GAP : 0,
	};

	if (flags & ~SHELF_NO_GAP) {
		b->failed = true;
		return shelf_fail(err, -EINVAL, "unknown flag of a sequence");
	}
	return stage_source(b, &op, source, err);
}

int shelf_batch_source(struct shelf_batch *b, const char *source, __u64 last,
		       struct shelf_error *err)
{
	struct op op = { .kind = SHELF_OP_SOURCE, .last = last };

	return stage_source(b, &op, source, err);
}

int shelf_batch_source_delete(struct shelf_batch *b, const char *source,
			      struct shelf_error *err)
{
	struct op op = { .kind = SHELF_OP_SOURCE_DELETE };

	return stage_source(b, &op, source, err);
}

static void take_report(const struct report *r, struct shelf_result *result)
{
	*result = (struct shelf_result){
		.generation = r->generation, .ops = r->ops, .absent = r->absent,
		.pages = r->pages, .products = r->products, .catalogs = r->catalogs,
		.memberships = r->memberships, .draft_ns = r->draft_ns,
		.publish_ns = r->publish_ns, .grace_ns = r->grace_ns,
		.repeated = r->repeated, .dangling = r->dangling,
	};
	if (r->dangling)
		memcpy(result->warning, r->message, sizeof(result->warning));
}

static int commit_hosted(struct shelf_batch *b, const __u64 *expect,
			 struct shelf_result *result, struct shelf_error *err)
{
	const struct shelf_nl_ends *e = &b->ends;
	struct report r;
	int ret;

	b->staged.checks = e->check;
	b->staged.guards.max_change = e->max_change < 0 ? 0 : (u32)e->max_change;
	b->staged.guards.dangling = e->dangling < 0 ? 0 : (u8)e->dangling;
	ret = hosted_commit(b->hosted, &b->staged, expect, &r);
	if (!ret) {
		take_report(&r, result);
		return 0;
	}
	shelf_fail(err, ret, "%s", r.message[0] ? r.message : strerror(-ret));
	if (err) {
		err->has_op = r.has_op;
		err->op = r.op;
	}
	return ret;
}

static int commit_nl(struct shelf_batch *b, const __u64 *expect,
		     struct shelf_result *result, struct shelf_error *err)
{
	int ret;

	b->ends.expect = expect;
	ret = shelf_nl_commit(b->nl, &b->ends, result, err);
	b->nl = NULL;
	return ret;
}

/* A hosted commit waits for nobody anyway. */
void shelf_batch_no_wait(struct shelf_batch *b)
{
	b->ends.no_wait = true;
}

void shelf_batch_max_change(struct shelf_batch *b, __u32 per_cent)
{
	b->ends.max_change = per_cent;
}

void shelf_batch_dangling(struct shelf_batch *b, enum shelf_dangling what)
{
	b->ends.dangling = what;
}

void shelf_batch_check(struct shelf_batch *b)
{
	b->ends.check = true;
}

/* As the kernel would, of attributes that hold no more than they may. */
static bool guards_valid(const struct shelf_batch *b)
{
	return b->ends.max_change <= (__s64)SHELF_CHANGE_MAX &&
	       b->ends.dangling <= SHELF_DANGLING_MAX;
}

int shelf_batch_commit(struct shelf_batch *b, const __u64 *expect,
		       struct shelf_result *result, struct shelf_error *err)
{
	struct shelf_result unused;
	int ret;

	if (!result)
		result = &unused;
	if (b->failed)
		ret = shelf_fail(err, -EINVAL, "the batch has failed before");
	else if (!guards_valid(b))
		ret = shelf_fail(err, -EINVAL, "a guard is out of its range");
	else if (b->hosted)
		ret = commit_hosted(b, expect, result, err);
	else
		ret = commit_nl(b, expect, result, err);
	shelf_batch_abort(b);
	return ret;
}

void shelf_batch_abort(struct shelf_batch *b)
{
	if (!b)
		return;
	if (b->hosted)
		batch_free(&b->staged);
	if (b->nl)
		shelf_nl_abort(b->nl);
	free(b);
}
