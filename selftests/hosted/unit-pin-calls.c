// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3, P4: libshelf's pins against a kernel that is a function here. Every question
 * names its pin, an answer of a revoked one is none and leaves the cursor where it
 * was, and a child of fork() pins on a file of its own, which goes with the pin.
 *
 * Seen to fail with an empty answer taken for the end; with the cursor moved before
 * the answer was looked at; with each kind of question without its pin; with members
 * asked for from the start again; with members that go backwards believed; with the
 * child's pin on its parent's file, and with its own left open by a refused pin or
 * by unpin; with the token not looked at behind a walk; with the attributes of a
 * pinned get, which has no reference, not looked up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "../../tools/lib/internal.h"

#define PRODUCTS	3000U
#define MEMBERS		20000U
#define GENERATION	7U
#define LEASE_MAX	1000U
#define SLOT		5U

/**
 * struct kernel - what answers
 * @fd: of the last pin
 * @token: valid pin, or 0
 * @calls: questions, without pins and unpins
 * @revoke_at: before this one of them, from 1
 * @refuse: errno of a pin
 * @backwards: members begin anew after the first page
 * @root_page: of a shelf that is mapped
 */
static struct kernel {
	int fd;
	__u64 token;
	__u64 tokens;
	__u64 generation;
	u32 calls;
	u32 revoke_at;
	int refuse;
	bool backwards;
	u32 root_page;
	__u64 *page;		/* of tokens, where there is one */
} kernel;

static int pin(int fd, struct shelf_ioc_pin *q)
{
	kernel.fd = fd;
	if (kernel.refuse)
		return -kernel.refuse;
	if (q->generation > kernel.generation)
		return -EINVAL;
	kernel.token = ++kernel.tokens * SHELF_PINS + SLOT;
	if (kernel.page)
		kernel.page[SLOT] = kernel.token;
	q->pin = kernel.token;
	q->generation = q->generation ? q->generation : kernel.generation;
	q->lease_ns = q->lease_ns && q->lease_ns < LEASE_MAX ? q->lease_ns : LEASE_MAX;
	q->root_page = kernel.root_page;
	return 0;
}

static void take_away(void)
{
	kernel.token = 0;
	if (kernel.page)
		kernel.page[SLOT] = 0;
}

static int unpin(int fd, const struct shelf_ioc_unpin *q)
{
	bool valid = fd == kernel.fd && q->pin && q->pin == kernel.token;

	take_away();
	return valid ? 0 : -ESTALE;
}

/* Every second answer is empty and not the end, as of a stretch without records. */
static int scan(struct shelf_ioc_scan *q)
{
	struct shelf_product *p = (void *)(uintptr_t)q->records;
	u32 room = q->count, i;

	assert_true(room >= SHELF_LEAF_SLOTS && room <= SHELF_GET_MANY_MAX);
	q->count = 0;
	q->done = 0;
	if (q->cursor % 2 == 0) {
		q->cursor++;
		return 0;
	}
	for (i = (u32)q->cursor / 2; i < PRODUCTS && q->count < room; i++)
		p[q->count++] = (struct shelf_product){
			.id = i, .price = q->flags, .state = SHELF_PRESENT,
		};
	q->cursor = 2 * i;
	q->done = i == PRODUCTS;
	q->generation = kernel.generation;
	return 0;
}

static int members(struct shelf_ioc_members *q)
{
	__s64 *ids = (void *)(uintptr_t)q->ids;
	u32 room = q->count, i = 0;

	assert_true(room && room <= SHELF_PAGE_MEMBERS_MAX);
	if (q->catalog)
		return -ENOENT;
	if (q->flags & SHELF_MEMBERS_AFTER && !kernel.backwards)
		i = (u32)q->after + 1;
	for (q->count = 0; i < MEMBERS && q->count < room; i++)
		ids[q->count++] = i;
	q->more = i < MEMBERS;
	q->total = MEMBERS;
	q->generation = kernel.generation;
	return 0;
}

/* Of every second id, with three bytes. */
static int get(struct shelf_ioc_get *q)
{
	if (q->id % 2)
		return -ENOENT;
	q->product = (struct shelf_product){
		.id = q->id, .attrs_len = 3, .state = SHELF_PRESENT,
	};
	memcpy((void *)(uintptr_t)q->attrs, "abc", q->attrs_size < 3 ? q->attrs_size : 3);
	return 0;
}

/* Anything without a valid pin is answered as if there were nothing. */
static int question(unsigned long request, void *arg)
{
	switch (request) {
	case SHELF_IOC_SCAN:
		return ((struct shelf_ioc_scan *)arg)->pin == kernel.token ? scan(arg) : -ESTALE;
	case SHELF_IOC_MEMBERS:
		return ((struct shelf_ioc_members *)arg)->pin == kernel.token ?
		       members(arg) : -ESTALE;
	case SHELF_IOC_GET:
		return ((struct shelf_ioc_get *)arg)->pin == kernel.token ? get(arg) : -ESTALE;
	case SHELF_IOC_INFO:
		((struct shelf_ioc_info *)arg)->generation = kernel.generation;
		return ((struct shelf_ioc_info *)arg)->pin == kernel.token ? 0 : -ESTALE;
	default:
		return -ENOTTY;
	}
}

static int call(int fd, unsigned long request, void *arg)
{
	if (request == SHELF_IOC_PIN)
		return pin(fd, arg);
	if (request == SHELF_IOC_UNPIN)
		return unpin(fd, arg);
	if (++kernel.calls == kernel.revoke_at)
		take_away();
	if (fd != kernel.fd || !kernel.token)
		return -ESTALE;
	return question(request, arg);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arg;
	int ret;

	va_start(arg, request);
	ret = call(fd, request, va_arg(arg, void *));
	va_end(arg);
	errno = -ret;
	return ret ? -1 : 0;
}

static struct shelf by_ioctl = { .flags = SHELF_OPEN_IOCTL };

static int set_up(void **state)
{
	(void)state;
	kernel = (struct kernel){ .fd = -1, .generation = GENERATION };
	by_ioctl.fd = memfd_create("shelf", 0);
	by_ioctl.pid = getpid();
	return by_ioctl.fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return close(by_ioctl.fd);
}

static void must_pin(const struct shelf *s, struct shelf_pin *p)
{
	assert_int_equal(shelf_pin(s, 0, 0, p), 0);
	assert_int_equal(p->generation, kernel.generation);
}

static void test_pin(void **state)
{
	static const int refusals[] = { ESTALE, EMFILE, EDQUOT, ENOSPC, ENOMEM };
	struct shelf_pin p;
	u32 i;

	(void)state;
	assert_int_equal(shelf_pin(&by_ioctl, 3, 40, &p), 0);
	assert_int_equal(p.generation, 3);
	assert_int_equal(p.lease_ns, 40);
	assert_true(shelf_pin_valid(&p) && shelf_pin_is_valid(&p));
	assert_int_equal(shelf_unpin(&p), 0);
	assert_int_equal(shelf_pin(&by_ioctl, 0, 2 * LEASE_MAX, &p), 0);
	assert_int_equal(p.generation, GENERATION);
	assert_int_equal(p.lease_ns, LEASE_MAX);
	take_away();
	assert_false(shelf_pin_valid(&p));
	assert_int_equal(shelf_unpin(&p), -ESTALE);
	assert_int_equal(shelf_pin(&by_ioctl, GENERATION + 1, 0, &p), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		kernel.refuse = refusals[i];
		assert_int_equal(shelf_pin(&by_ioctl, 0, 0, &p), -refusals[i]);
	}
	assert_int_equal(fcntl(by_ioctl.fd, F_GETFD), 0);	/* open still */
}

static struct shelf_product product_of[5000];

/* From @at to the end or to an error, which must leave @at alone. */
static long scan_on(const struct shelf_pin *p, bool catalogs, struct shelf_scan *at,
		    size_t room, u32 *next)
{
	struct shelf_scan before;
	long n, i;

	do {
		before = *at;
		n = catalogs ? shelf_pin_catalogs(p, at, (void *)product_of, room) :
			       shelf_pin_products(p, at, product_of, room);
		assert_true(n <= (long)room);
		if (n < 0)
			assert_memory_equal(&before, at, sizeof(before));
		for (i = 0; i < n; i++) {
			assert_int_equal(product_of[i].id, (*next)++);
			assert_int_equal(product_of[i].price, catalogs);
		}
	} while (n > 0);
	return n;
}

static void test_scan(void **state)
{
	static const size_t rooms[] = { SHELF_LEAF_SLOTS, 64, 1024, 1025, 5000 };
	struct shelf_scan at = { 0 };
	struct shelf_pin p;
	u32 i, next, calls;

	(void)state;
	must_pin(&by_ioctl, &p);
	assert_int_equal(shelf_pin_products(&p, &at, product_of, SHELF_LEAF_SLOTS - 1),
			 -EINVAL);
	assert_int_equal(kernel.calls, 0);
	for (i = 0; i < 2 * ARRAY_SIZE(rooms); i++) {
		memset(&at, 0, sizeof(at));
		next = 0;
		assert_int_equal(scan_on(&p, i % 2, &at, rooms[i / 2], &next), 0);
		assert_int_equal(next, PRODUCTS);
		calls = kernel.calls;	/* what has ended asks for nothing */
		assert_int_equal(scan_on(&p, i % 2, &at, rooms[i / 2], &next), 0);
		assert_int_equal(kernel.calls, calls);
	}
}

/* Revoked before each call in turn; another pin goes on from there. */
static void test_scan_revoked(void **state)
{
	struct shelf_pin p;
	u32 at_call, next;

	(void)state;
	for (at_call = 1; at_call < 20; at_call++) {
		struct shelf_scan at = { 0 };

		next = 0;
		kernel.calls = 0;
		kernel.revoke_at = at_call;
		must_pin(&by_ioctl, &p);
		if (scan_on(&p, false, &at, 300, &next)) {
			assert_true(next < PRODUCTS);
			assert_int_equal(scan_on(&p, false, &at, 300, &next), -ESTALE);
			assert_int_equal(shelf_unpin(&p), -ESTALE);
			must_pin(&by_ioctl, &p);
			assert_int_equal(scan_on(&p, false, &at, 300, &next), 0);
		}
		assert_int_equal(next, PRODUCTS);
		assert_int_equal(shelf_unpin(&p), 0);
	}
}

static __s64 id_of[10000];

static long members_on(const struct shelf_pin *p, struct shelf_cursor *at, size_t room,
		       u32 *next)
{
	struct shelf_cursor before;
	long n, i;

	do {
		before = *at;
		n = shelf_pin_members(p, at, id_of, room);
		if (n < 0) {
			assert_int_equal(at->after, before.after);
			assert_int_equal(at->started, before.started);
			assert_int_equal(at->done, before.done);
		}
		for (i = 0; i < n; i++)
			assert_int_equal(id_of[i], (*next)++);
	} while (n > 0);
	return n;
}

static void test_members(void **state)
{
	static const size_t rooms[] = { 7, 8000, SHELF_PAGE_MEMBERS_MAX, 10000 };
	struct shelf_pin p;
	u32 i, next;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		struct shelf_cursor at = { 0 };

		next = 0;
		kernel.calls = 0;
		kernel.revoke_at = 2;
		must_pin(&by_ioctl, &p);
		assert_int_equal(members_on(&p, &at, rooms[i], &next), -ESTALE);
		assert_true(next && next < MEMBERS);
		must_pin(&by_ioctl, &p);
		assert_int_equal(members_on(&p, &at, rooms[i], &next), 0);
		assert_int_equal(next, MEMBERS);
		assert_int_equal(at.total, MEMBERS);
		assert_int_equal(at.generation, GENERATION);
	}
}

static void test_members_wrong(void **state)
{
	struct shelf_cursor at = { .catalog = 1 };
	struct shelf_pin p;
	u32 next = 0;

	(void)state;
	must_pin(&by_ioctl, &p);
	assert_int_equal(members_on(&p, &at, 10, &next), -ENOENT);
	assert_int_equal(shelf_pin_members(&p, &at, id_of, 0), -EINVAL);
	kernel.backwards = true;
	at.catalog = 0;
	assert_int_equal(members_on(&p, &at, 10, &next), -EINVAL);
	assert_int_equal(next, 10);
}

static void test_get(void **state)
{
	struct shelf_product product;
	struct shelf_ioc_info info;
	struct shelf_pin p;
	char attrs[4] = "xxx";

	(void)state;
	must_pin(&by_ioctl, &p);
	assert_int_equal(shelf_pin_get(&p, 3, &product, NULL, 0), 0);
	assert_int_equal(shelf_pin_get(&p, 4, &product, attrs, 2), 1);
	assert_int_equal(product.id, 4);
	assert_string_equal(attrs, "abx");
	assert_int_equal(shelf_pin_attrs(&p, &product, attrs, 4), 3);
	assert_string_equal(attrs, "abc");
	assert_int_equal(shelf_pin_attrs(&p, &product, attrs, 1), 1);
	assert_int_equal(shelf_pin_info(&p, &info), 0);
	assert_int_equal(info.generation, GENERATION);
	take_away();
	assert_int_equal(shelf_pin_get(&p, 4, &product, NULL, 0), -ESTALE);
	assert_int_equal(shelf_pin_attrs(&p, &product, attrs, 4), -ESTALE);
	assert_int_equal(shelf_pin_info(&p, &info), -ESTALE);
}

/* What a child finds wrong; the parent must not be told by assertions of its own. */
static int child(void)
{
	struct shelf_pin p;

	if (shelf_pin(&by_ioctl, 0, 0, &p) || kernel.fd == by_ioctl.fd)
		return 1;
	if (p.fd != kernel.fd || fcntl(p.fd, F_GETFD) != FD_CLOEXEC)
		return 2;
	if (!shelf_pin_valid(&p) || shelf_unpin(&p))
		return 3;
	if (fcntl(kernel.fd, F_GETFD) != -1 || fcntl(by_ioctl.fd, F_GETFD) == -1)
		return 4;
	kernel.refuse = ENOSPC;
	if (shelf_pin(&by_ioctl, 0, 0, &p) != -ENOSPC || kernel.fd == by_ioctl.fd)
		return 5;
	return fcntl(kernel.fd, F_GETFD) == -1 ? 0 : 6;
}

static void test_child(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Mapped, with a page of tokens: no question is asked, and each walk is validated. */
static void test_mapped(void **state)
{
	struct hosted *h = make(4 * MIB, 0);
	static struct shelf_pins page;
	const struct shelf s = {
		.fd = by_ioctl.fd, .pid = getpid(), .control = h->store.control,
		.pins = &page, .arena = h->base + SHELF_MMAP_ARENA,
		.mask = h->arena_bytes - SHELF_PAGE_BYTES, .seed = h->store.control->seed,
	};
	static const s64 member = 1;
	struct batch b = new_batch();
	char attrs[8] = "xxxxx";
	struct shelf_scan at = { 0 };
	struct shelf_cursor of = { .catalog = 5 };
	struct shelf_product got;
	struct shelf_pin p;

	(void)state;
	put_range(h, 0, 1000, 1);
	stage(&b, SHELF_OP_PATCH, 7, FIELD_ATTRS, 0, "abc", 3);
	stage(&b, SHELF_OP_CATALOG_ADD, 5, 0, 0, &member, 1);
	must_commit(h, &b);
	kernel.generation = h->store.generation;
	kernel.root_page = h->store.control->current_word & SHELF_ROOT_MASK;
	kernel.page = page.token;
	must_pin(&s, &p);
	assert_int_equal(shelf_pin_get(&p, 999, &got, NULL, 0), 1);
	assert_int_equal(shelf_pin_get(&p, 1000, &got, NULL, 0), 0);
	assert_int_equal(shelf_pin_get(&p, 7, &got, NULL, 0), 1);
	assert_int_equal(shelf_pin_attrs(&p, &got, attrs, sizeof(attrs)), 3);
	assert_string_equal(attrs, "abcxx");
	assert_int_equal(shelf_pin_products(&p, &at, product_of, 5000), 1000);
	assert_int_equal(shelf_pin_members(&p, &of, id_of, 10), 1);
	take_away();
	assert_false(shelf_pin_valid(&p));
	memset(&at, 0, sizeof(at));
	of = (struct shelf_cursor){ .catalog = 5 };
	assert_int_equal(shelf_pin_get(&p, 999, &got, NULL, 0), -ESTALE);
	assert_int_equal(shelf_pin_get(&p, 1000, &got, NULL, 0), -ESTALE);
	assert_int_equal(shelf_pin_products(&p, &at, product_of, 5000), -ESTALE);
	assert_int_equal(at.place, 0);
	assert_int_equal(shelf_pin_members(&p, &of, id_of, 10), -ESTALE);
	of.catalog = 6;
	assert_int_equal(shelf_pin_members(&p, &of, id_of, 10), -ESTALE);
	assert_int_equal(shelf_pin_attrs(&p, product_of, id_of, 8), -ESTALE);
	assert_int_equal(kernel.calls, 0);
	assert_int_equal(shelf_unpin(&p), -ESTALE);
	assert_int_equal(shelf_unpin(&p), -EINVAL);
	hosted_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pin, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_scan, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_scan_revoked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_members, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_members_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_get, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_child, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mapped, set_up, tear_down),
	};

	UNIT_MAIN(tests, argc, argv);
}
