// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A case made small: batches and operations go in halves, quarters, down to one by
 * one; then members, attributes, fields and numbers; and again, until a round finds
 * nothing, or for two minutes. Each attempt is a process of its own, so that a crash is
 * a case as well.
 *
 * Seen to leave: of a leaf of 56 that loses a record, one batch of 56 puts; of a leaf
 * that is not retired, a put and a delete; of a set page that is copied over the end of
 * its buffer, two batches that add to one catalog (a crash: three operations).
 */
#include "case.h"

#define ROUNDS		8U
#define LONGEST_NS	(120 * 1000 * NS_PER_MS)

static u32 attempts;
static u64 deadline;

static bool still_fails(const struct test_case *c)
{
	if (store_clock() > deadline)
		return false;
	attempts++;
	return !case_passes(c);
}

/* Takes [@at, @at + @n) out of an array. What is taken out stays behind its end. */
static void turn(char *array, size_t size, u32 count, u32 at, u32 n)
{
	char *gone = malloc(n * size);

	memcpy(gone, array + at * size, n * size);
	memmove(array + at * size, array + (at + n) * size, (count - at - n) * size);
	memcpy(array + (count - n) * size, gone, n * size);
	free(gone);
}

static void turn_back(char *array, size_t size, u32 count, u32 at, u32 n)
{
	char *gone = malloc(n * size);

	memcpy(gone, array + (count - n) * size, n * size);
	memmove(array + (at + n) * size, array + at * size, (count - at - n) * size);
	memcpy(array + at * size, gone, n * size);
	free(gone);
}

/* Takes out of an array, whose @count is part of the case, all that can go. */
static bool thin(const struct test_case *c, void *array, size_t size, u32 *count, u32 least)
{
	bool any = false;
	u32 n, at;

	for (n = *count; n; n /= 2) {
		for (at = *count > n ? *count - n : 0;; at = at > n ? at - n : 0) {
			if (at + n <= *count && *count - n >= least) {
				turn(array, size, *count, at, n);
				*count -= n;
				if (still_fails(c)) {
					any = true;
				} else {
					*count += n;
					turn_back(array, size, *count, at, n);
				}
			}
			if (!at)
				break;
		}
	}
	return any;
}

/* Puts @value in the place of a number, if it still fails then. */
#define SIMPLIFY(c, lvalue, value) ({					\
	__typeof__(lvalue) was_ = (lvalue);				\
	bool better_ = was_ != (value);					\
									\
	if (better_) {							\
		(lvalue) = (value);					\
		better_ = still_fails(c);				\
		if (!better_)						\
			(lvalue) = was_;				\
	}								\
	better_;							\
})

static bool simplify_op(const struct test_case *c, struct case_op *o)
{
	struct op *op = &o->op;
	bool any = false;
	u32 bit;

	if (op_map(op) == MAP_CATALOGS) {
		if (op->kind != SHELF_OP_CATALOG_DELETE)
			any |= thin(c, o->data, sizeof(s64), &op->len, 1);
		return any;
	}
	any |= SIMPLIFY(c, op->len, 0);
	if (op->len)
		any |= thin(c, o->data, 1, &op->len, 0);
	for (bit = 0; bit < 5; bit++)
		if (!(op->fields & FIELD_ATTRS & (1U << bit) && op->len))
			any |= SIMPLIFY(c, op->fields, op->fields & ~(1U << bit));
	any |= SIMPLIFY(c, op->price, op->fields & FIELD_PRICE ? 1 : 0);
	any |= SIMPLIFY(c, op->stock, op->fields & FIELD_STOCK ? 1 : 0);
	any |= SIMPLIFY(c, op->flags, op->fields & FIELD_FLAGS ? 1U : 0U);
	return any;
}

static bool simplify_batch(const struct test_case *c, struct case_batch *b)
{
	bool any = false;
	u32 i;

	any |= SIMPLIFY(c, b->fail_in, 0U);
	any |= SIMPLIFY(c, b->pin, CASE_PINS);
	for (i = 0; i < b->count; i++)
		any |= simplify_op(c, &b->op[i]);
	return any;
}

void case_shrink(struct test_case *c)
{
	bool any = true;
	u32 round, i;

	deadline = store_clock() + LONGEST_NS;
	for (round = 0; any && round < ROUNDS; round++) {
		any = thin(c, c->batch, sizeof(c->batch[0]), &c->count, 1);
		for (i = 0; i < c->count; i++)
			any |= thin(c, c->batch[i].op, sizeof(c->batch[i].op[0]),
				    &c->batch[i].count, 0);
		for (i = 0; i < c->count; i++)
			any |= simplify_batch(c, &c->batch[i]);
	}
	SIMPLIFY(c, c->quarantine_ms, 0U);
	SIMPLIFY(c, c->pin_bytes, 0ULL);
	printf("# %u attempts\n", attempts);
}

/*
 * Telling
 * =======
 */
static void print_base64(const u8 *from, u32 n)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	u32 i, k;

	for (i = 0; i < n; i += 3) {
		u32 bits = 0;

		for (k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < n ? from[i + k] : 0);
		for (k = 0; k < 4; k++)
			putchar(i + k <= n ? digit[bits >> (18 - 6 * k) & 63] : '=');
	}
}

static void print_change(const struct case_op *o)
{
	const struct op *op = &o->op;

	printf("{\"op\":\"%s\",\"product\":%lld",
	       op->kind == SHELF_OP_PUT ? "put" : "patch", op->id);
	if (op->fields & FIELD_PRICE)
		printf(",\"price\":%lld", op->price);
	if (op->fields & FIELD_CURRENCY)
		printf(",\"currency\":\"%.3s\"", (const char *)op->currency);
	if (op->fields & FIELD_STOCK)
		printf(",\"stock\":%lld", op->stock);
	if (op->fields & FIELD_FLAGS)
		printf(",\"flags\":%u", op->flags);
	if (op->fields & FIELD_ATTRS) {
		printf(",\"attrs_base64\":\"");
		print_base64(o->data, op->len);
		putchar('"');
	}
	puts("}");
}

static void print_op(const struct case_op *o)
{
	const struct op *op = &o->op;
	const s64 *ids = o->data;
	u32 i;

	if (op->kind < SHELF_OP_DELETE) {
		print_change(o);
		return;
	}
	printf("{\"op\":\"%s\",\"%s\":%lld", op->kind == SHELF_OP_CATALOG_ADD ? "add" :
	       op->kind == SHELF_OP_CATALOG_REMOVE ? "remove" : "delete",
	       op_map(op) == MAP_CATALOGS ? "catalog" : "product", op->id);
	for (i = 0; op_map(op) == MAP_CATALOGS && i < op->len; i++)
		printf("%s%lld", i ? "," : ",\"products\":[", ids[i]);
	puts(op->len ? "]}" : "}");
}

void case_print(const struct test_case *c)
{
	const struct case_batch *b;
	u32 i, j;

	printf("# shelfctl --hosted FILE create --max-bytes 256M --seed %llu --quarantine-ms %u\n",
	       c->hash_seed, c->quarantine_ms);
	if (c->pin_bytes)
		printf("# with pins of %llu bytes at most\n", c->pin_bytes);
	for (i = 0; i < c->count; i++) {
		b = &c->batch[i];
		printf("# batch %u of %u, for shelfctl --hosted FILE apply:", i + 1, c->count);
		if (b->fail_in)
			printf(" first with allocation %u failing", b->fail_in);
		puts("");
		for (j = 0; j < b->count; j++)
			print_op(&b->op[j]);
		if (b->pin < CASE_PINS)
			printf("# pin %u is taken, or let go; pin %u is looked at\n", b->pin,
			       b->look);
	}
}
