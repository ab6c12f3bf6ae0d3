/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the unit tests of the core have in common: a shelf in memory, batches,
 * and a look at what came of them.
 */
#ifndef SHELF_UNIT_H
#define SHELF_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model.h"

#define MIB	(1ULL << 20)

static const u64 fixed_seed = 0x5eed;

static inline struct hosted *make(u64 max_bytes, u64 quarantine_ms)
{
	struct hosted_config config = {
		.name = "unit", .max_bytes = max_bytes,
		.quarantine_ms = quarantine_ms, .seed = &fixed_seed,
	};
	struct hosted *h;

	assert_int_equal(hosted_create_memory(&config, &h), 0);
	return h;
}

static inline void stage(struct batch *b, u8 kind, s64 id, u8 fields, s64 price,
		  const void *data, u32 len)
{
	struct op op = {
		.kind = kind, .id = id, .fields = fields, .price = price, .len = len,
	};
	const char *why;

	assert_int_equal(batch_add(b, &op, data, &why), 0);
}

static inline int commit(struct hosted *h, struct batch *b, struct report *report)
{
	int ret = hosted_commit(h, b, NULL, report);

	batch_free(b);
	return ret;
}

static inline struct report must_commit(struct hosted *h, struct batch *b)
{
	struct report report;
	int ret = commit(h, b, &report);

	if (ret)
		print_message("commit: %s\n", report.message);
	assert_int_equal(ret, 0);
	return report;
}

static inline struct batch new_batch(void)
{
	struct batch b;

	batch_init(&b, 4096 * MIB);
	return b;
}

static inline void put_range(struct hosted *h, s64 first, u32 n, s64 price)
{
	struct batch b = new_batch();
	u32 i;

	for (i = 0; i < n; i++)
		stage(&b, SHELF_OP_PUT, first + i, FIELD_PRICE, price, NULL, 0);
	must_commit(h, &b);
}

static inline const struct shelf_product *product(struct hosted *h, s64 id)
{
	struct shelf_view v = hosted_view(h);

	return shelf_view_product(&v, id);
}

static inline const struct shelf_catalog *catalog(struct hosted *h, s64 id)
{
	struct shelf_view v = hosted_view(h);

	return shelf_view_catalog(&v, id);
}
/* An argument is a pattern of the tests to run, such as '*quarantine*'. */
#define UNIT_MAIN(tests, argc, argv) do {				\
	if ((argc) > 1)							\
		cmocka_set_test_filter((argv)[1]);			\
	cmocka_set_message_output(CM_OUTPUT_TAP);			\
	return cmocka_run_group_tests(tests, NULL, NULL);		\
} while (0)

#endif /* SHELF_UNIT_H */
