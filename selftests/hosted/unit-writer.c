// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5: a batch of libshelf of which one operation was refused is refused whole,
 * whatever its sender makes of that. Of a hosted shelf, where nobody but libshelf
 * looks; the module's is guest/netlink's.
 *
 * Seen to fail with a stage() of writer.c that forgets what was refused.
 */
#include <unistd.h>

#include "unit.h"
#include "../../tools/lib/shelf.h"

static char path[64] = "/tmp/unit-writer-XXXXXX";
static char name[sizeof("hosted:") + sizeof(path)];

static int put(struct shelf_batch *b, s64 id, const char *currency, u32 fields)
{
	struct shelf_change c = { .id = id, .fields = fields };

	memcpy(c.currency, currency, 3);
	return shelf_batch_put(b, &c, NULL);
}

static int refused_currency(struct shelf_batch *b)
{
	return put(b, 2, "eur", SHELF_CURRENCY);
}

static int refused_field(struct shelf_batch *b)
{
	return put(b, 2, "EUR", SHELF_CURRENCY | 1U << 31);
}

static int refused_members(struct shelf_batch *b)
{
	return shelf_batch_add(b, 7, NULL, 0, NULL);
}

static int refused_length(struct shelf_batch *b)
{
	struct shelf_change c = {
		.id = 2, .fields = SHELF_ATTRS, .attrs = path, .attrs_len = SHELF_ATTRS_MAX + 1,
	};

	return shelf_batch_put(b, &c, NULL);
}

static void test_refused_batch(void **state)
{
	static int (*const refused[])(struct shelf_batch *b) = {
		refused_currency, refused_field, refused_members, refused_length,
	};
	struct shelf_result result;
	struct shelf_writer *w;
	struct shelf_batch *b;
	u32 i;

	(void)state;
	assert_int_equal(shelf_writer_open(name, &w, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(shelf_batch_begin(w, &b, NULL), 0);
		assert_int_equal(put(b, 1, "EUR", SHELF_CURRENCY), 0);
		assert_true(refused[i](b) < 0);
		assert_true(put(b, 3, "EUR", SHELF_CURRENCY) < 0);
		assert_true(shelf_batch_commit(b, NULL, &result, NULL) < 0);
	}
	/* The first commit that there is. */
	assert_int_equal(shelf_batch_begin(w, &b, NULL), 0);
	assert_int_equal(put(b, 4, "EUR", SHELF_CURRENCY), 0);
	assert_int_equal(shelf_batch_commit(b, NULL, &result, NULL), 0);
	assert_int_equal(result.generation, 2);
	shelf_writer_close(w);
}

static void test_what_is_there(void **state)
{
	struct shelf_product p;
	struct shelf *s;
	s64 id;

	(void)state;
	assert_int_equal(shelf_open(name, 0, &s), 0);
	for (id = 1; id <= 4; id++)
		assert_int_equal(shelf_get(s, id, &p), id == 4);
	shelf_close(s);
}

int main(int argc, char **argv)
{
	const struct hosted_config config = { .max_bytes = 4 * MIB };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_batch),
		cmocka_unit_test(test_what_is_there),
	};
	int fd = mkstemp(path), ret;

	/* It must not be there: what is, is never replaced. */
	if (fd < 0 || close(fd) || unlink(path) || hosted_create_file(path, &config))
		return 1;
	snprintf(name, sizeof(name), "hosted:%s", path);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return ret;
}
