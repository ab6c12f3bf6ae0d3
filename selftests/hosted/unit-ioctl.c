// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1: what libshelf puts together from several ioctls is of one generation, or
 * refused; and with SHELF_OPEN_COUNT no lookup is counted twice for that.
 *
 * The kernel is a function here that commits when it is told to.
 *
 * Seen to fail with each kind of pass not looking at the generation, and with the
 * counts of torn passes left standing.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "unit.h"

#include "../../tools/lib/internal.h"

#define IDS		3000U	/* three SHELF_IOC_GET_MANY */
#define GENERATION	7U

/**
 * struct kernel - what answers
 * @commit_at: before this call, counted from 1; @always: and before each other one
 * @error: errno of every call
 * @control: of a shelf that can be read as mapped from the first answer on
 * @report: the sum of reports
 */
static struct kernel {
	u64 generation;
	u32 calls;
	u32 commit_at;
	bool always;
	int error;
	struct shelf_control *control;
	struct shelf_ioc_report report;
} kernel;

/* Every second id is there, and in each catalog; its price is the generation. */
static struct shelf_product answer(__s64 id)
{
	return (struct shelf_product){
		.id = id, .price = (__s64)kernel.generation, .state = SHELF_PRESENT,
	};
}

static int get(struct shelf_ioc_get *q)
{
	q->generation = kernel.generation;
	q->product = answer(q->id);
	if (kernel.control)
		kernel.control->oldest = 0;
	return q->id % 2 ? -ENOENT : 0;
}

static int get_many(struct shelf_ioc_get_many *q)
{
	const __s64 *ids = (const void *)(uintptr_t)q->ids;
	struct shelf_product *p = (void *)(uintptr_t)q->products;
	u32 i;

	for (i = 0; i < q->count; i++) {
		p[i] = ids[i] % 2 ? (struct shelf_product){ .id = ids[i] } : answer(ids[i]);
		q->found += p[i].state;
	}
	q->generation = kernel.generation;
	return 0;
}

static int is_member(struct shelf_ioc_is_member *q)
{
	q->member = !(q->product % 2);
	q->generation = kernel.generation;
	return 0;
}

static int info(struct shelf_ioc_info *q)
{
	q->abi = SHELF_ABI_VERSION;
	q->generation = kernel.generation;
	return 0;
}

static int report(const struct shelf_ioc_report *q)
{
	kernel.report.lookups += q->lookups;
	kernel.report.hits += q->hits;
	kernel.report.members += q->members;
	return 0;
}

static int call(unsigned long request, void *arg)
{
	kernel.calls++;
	if (kernel.error)
		return -kernel.error;
	if (kernel.always || kernel.calls == kernel.commit_at)
		kernel.generation++;
	switch (request) {
	case SHELF_IOC_GET:
		return get(arg);
	case SHELF_IOC_GET_MANY:
		return get_many(arg);
	case SHELF_IOC_IS_MEMBER:
		return is_member(arg);
	case SHELF_IOC_INFO:
		return info(arg);
	case SHELF_IOC_REPORT:
		return report(arg);
	default:
		return -ENOTTY;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arg;
	int ret;

	(void)fd;
	va_start(arg, request);
	ret = call(request, va_arg(arg, void *));
	va_end(arg);
	errno = -ret;
	return ret ? -1 : 0;
}

static const struct shelf by_ioctl = { .fd = 9, .flags = SHELF_OPEN_IOCTL };

static __s64 ids[IDS];
static struct shelf_product products[IDS];
static u8 attrs[IDS];
static bool has[IDS];

enum question { GET, GET_ATTRS, MEMBER, QUESTIONS };

static long ask(enum question q, size_t n, __u64 *generation)
{
	u32 i;

	for (i = 0; i < IDS; i++)
		ids[i] = i;
	memset(products, 0xa5, sizeof(products));
	memset(has, 1, sizeof(has));
	*generation = 0;
	if (q == GET)
		return shelf_get_many(&by_ioctl, ids, n, products, generation);
	if (q == GET_ATTRS)
		return shelf_get_many_attrs(&by_ioctl, ids, n, products, attrs, 1,
					    generation);
	return shelf_are_members(&by_ioctl, 1, ids, n, has, generation);
}

static void must_answer(enum question q, size_t n, u64 expected)
{
	__u64 generation;
	size_t i;

	assert_int_equal(ask(q, n, &generation), (n + 1) / 2);
	assert_int_equal(generation, expected);
	for (i = 0; i < n; i++) {
		struct shelf_product p = { .id = ids[i] };

		if (i % 2 == 0)
			p = answer(ids[i]);
		if (q == MEMBER)
			assert_int_equal(has[i], i % 2 == 0);
		else
			assert_memory_equal(&products[i], &p, sizeof(p));
	}
}

static void set_kernel(u32 commit_at, bool always)
{
	kernel = (struct kernel){
		.generation = GENERATION, .commit_at = commit_at, .always = always,
	};
}

static void test_one_generation(void **state)
{
	__u64 generation;
	u32 q, at;

	(void)state;
	for (q = 0; q < QUESTIONS; q++) {
		set_kernel(0, false);
		must_answer(q, 1, GENERATION);
		must_answer(q, IDS, GENERATION);
		for (at = 1; at <= 3; at++) {
			set_kernel(at, false);
			must_answer(q, IDS, GENERATION + 1);
		}
		set_kernel(0, true);
		must_answer(q, 1, GENERATION + 1);
		assert_int_equal(ask(q, IDS, &generation), -EAGAIN);
	}
}

/* Of no ids too: which generation it is, and that there is no answer. */
static void test_none(void **state)
{
	__u64 generation;
	u32 q, n;

	(void)state;
	for (q = 0; q < QUESTIONS; q++) {
		set_kernel(0, false);
		must_answer(q, 0, GENERATION);
		kernel.error = EBADF;
		for (n = 0; n < 2; n++)
			assert_int_equal(ask(q, n, &generation), -EBADF);
	}
}

/* A mapped shelf of some products and a catalog, whose lookups are counted. */
static struct shelf mapped(struct hosted *h)
{
	static const s64 members[] = { 1, 2, 3 };
	struct batch b = new_batch();
	struct shelf s = {
		.fd = 9,
		.control = h->store.control,
		.arena = h->base + SHELF_MMAP_ARENA,
		.mask = h->arena_bytes - SHELF_PAGE_BYTES,
		.seed = h->store.control->seed,
	};

	put_range(h, 0, 100, 1);
	stage(&b, SHELF_OP_CATALOG_ADD, 5, 0, 0, members, 3);
	must_commit(h, &b);
	set_kernel(0, false);
	assert_int_equal(shelf_counts_begin(&s), 0);
	return s;
}

/* The first id is refused by the mapping, the others are read there. */
static void test_torn_is_counted_once(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct shelf s = mapped(h);
	__s64 few[10];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(few); i++)
		few[i] = 2 * i;
	kernel.control = h->store.control;
	kernel.control->oldest = h->store.generation + 1;
	assert_int_equal(shelf_get_many_attrs(&s, few, ARRAY_SIZE(few), products, attrs, 1,
					      NULL), ARRAY_SIZE(few));
	shelf_counts_end(&s);
	assert_true(kernel.report.lookups <= ARRAY_SIZE(few));
	assert_true(kernel.report.hits <= ARRAY_SIZE(few));
	hosted_close(h);
}

/* How many members there are is not a member that was read. */
static void test_a_count_is_no_member(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	struct shelf s = mapped(h);
	__u64 count;

	(void)state;
	assert_int_equal(shelf_catalog_count(&s, 5, &count), 1);
	assert_int_equal(count, 3);
	shelf_counts_end(&s);
	assert_int_equal(kernel.report.members, 0);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_generation),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_torn_is_counted_once),
		cmocka_unit_test(test_a_count_is_no_member),
	};

	UNIT_MAIN(tests, argc, argv);
}
