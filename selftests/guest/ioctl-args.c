// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8: no size, pointer, count, flag or command makes an ioctl read or write
 * what it should not, and each that is wrong has the errno that abi.md gives.
 *
 * Seen to fail with copy_struct_from_user() replaced by a copy of the smaller
 * of both sizes, with the check of op->min left out, and with the answer
 * copied out at the caller's size.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/pins.h"
#include "lib/harness.h"

#define CATALOG		9
#define OUT_BYTES	(8192 * 8)

/**
 * struct command - an ioctl with an argument that is right
 * @size, @min: of its struct, now and at the least
 * @pointer: where in it the pointer to a buffer is that it writes, or 0
 * @bytes: so many of them does it write there
 * @pin: where in it the pin is that it answers from, or 0
 */
struct command {
	unsigned int nr;
	size_t size;
	size_t min;
	size_t pointer;
	size_t bytes;
	size_t pin;
};

#define END(type, field)	(offsetof(struct type, field) + sizeof(((struct type *)0)->field))
#define PIN(type)		offsetof(struct type, pin)

static const struct command commands[] = {
	{ SHELF_IOC_INFO, sizeof(struct shelf_ioc_info),
	  END(shelf_ioc_info, generation), 0, 0, PIN(shelf_ioc_info) },
	{ SHELF_IOC_GET, sizeof(struct shelf_ioc_get), END(shelf_ioc_get, product),
	  offsetof(struct shelf_ioc_get, attrs), 1000, PIN(shelf_ioc_get) },
	{ SHELF_IOC_GET_MANY, sizeof(struct shelf_ioc_get_many),
	  END(shelf_ioc_get_many, generation),
	  offsetof(struct shelf_ioc_get_many, products), 4 * 64,
	  PIN(shelf_ioc_get_many) },
	{ SHELF_IOC_MEMBERS, sizeof(struct shelf_ioc_members),
	  END(shelf_ioc_members, generation),
	  offsetof(struct shelf_ioc_members, ids), 4 * 8, PIN(shelf_ioc_members) },
	{ SHELF_IOC_IS_MEMBER, sizeof(struct shelf_ioc_is_member),
	  END(shelf_ioc_is_member, generation), 0, 0, PIN(shelf_ioc_is_member) },
	{ SHELF_IOC_WAIT, sizeof(struct shelf_ioc_wait),
	  END(shelf_ioc_wait, timeout_ns), 0, 0, 0 },
	{ SHELF_IOC_REPORT, sizeof(struct shelf_ioc_report),
	  END(shelf_ioc_report, members), 0, 0, 0 },
	{ SHELF_IOC_PIN, sizeof(struct shelf_ioc_pin),
	  END(shelf_ioc_pin, reserved), 0, 0, 0 },
	{ SHELF_IOC_UNPIN, sizeof(struct shelf_ioc_unpin),
	  END(shelf_ioc_unpin, pin), 0, 0, 0 },
	{ SHELF_IOC_SCAN, sizeof(struct shelf_ioc_scan), END(shelf_ioc_scan, pin),
	  offsetof(struct shelf_ioc_scan, records), 64, PIN(shelf_ioc_scan) },
};

#define GET		(&commands[1])
#define GET_MANY	(&commands[2])
#define MEMBERS		(&commands[3])
#define IS_MEMBER	(&commands[4])
#define PIN_ONE		(&commands[7])
#define UNPIN		(&commands[8])
#define SCAN		(&commands[9])

union argument {
	__u32 word[2];		/* size and flags */
	struct shelf_ioc_get get;
	struct shelf_ioc_get_many many;
	struct shelf_ioc_members members;
	struct shelf_ioc_is_member is_member;
	struct shelf_ioc_wait wait;
	struct shelf_ioc_pin pin;
	struct shelf_ioc_unpin unpin;
	struct shelf_ioc_scan scan;
	__u8 bytes[2 * SHELF_PAGE_BYTES];
};

static const __s64 ids[SHELF_GET_MANY_MAX] = { 1, 2, 3, 4 };

FIXTURE(args)
{
	struct kit k;
	int fd;
	union argument *arg;
	__u8 *out;
	__u8 *room;	/* two pages, and one that can't be touched */
	const struct shelf_pins *page;
};

FIXTURE_SETUP(args)
{
	struct shelf_batch *b;

	ASSERT_EQ(0, kit_make(&self->k, "args", 2));
	ASSERT_EQ(0, shelf_batch_begin(self->k.w, &b, NULL));
	ASSERT_EQ(0, put_one(b, 1, 1000, 1));
	ASSERT_EQ(0, shelf_batch_add(b, CATALOG, ids, 4, NULL));
	ASSERT_EQ(0, shelf_batch_commit(b, NULL, NULL, NULL));
	self->fd = self->k.fd;
	self->page = pins_map(self->fd);
	ASSERT_NE(NULL, self->page);
	self->arg = calloc(1, sizeof(*self->arg));
	self->out = calloc(1, OUT_BYTES);
	self->room = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, mprotect(self->room + 2 * PAGE, PAGE, PROT_NONE));
}

FIXTURE_TEARDOWN(args)
{
	kit_drop(&self->k);
}

/* A new pin, or 0. */
static __u64 take(int fd)
{
	struct shelf_ioc_pin q;

	return pin_take(fd, 0, 0, &q) ? 0 : q.pin;
}

/* One that there is, or 0: no file has any but this test's. */
static __u64 pin_there(const struct shelf_pins *page)
{
	unsigned int i;

	for (i = 0; i < SHELF_PINS; i++)
		if (page->token[i])
			return page->token[i];
	return 0;
}

/* From where on the one product is found: empty stretches end a scan, too. */
static __u64 scan_at(int fd)
{
	struct shelf_product p[SHELF_LEAF_SLOTS];
	struct shelf_ioc_scan q = {
		.size = sizeof(q), .records = (uintptr_t)p, .count = SHELF_LEAF_SLOTS,
	};
	__u64 at;

	do {
		at = q.cursor;
		q.count = SHELF_LEAF_SLOTS;
		if (ioctl(fd, SHELF_IOC_SCAN, &q))
			return 0;
	} while (!q.count && !q.done);
	return at;
}

/* An argument that is right, and its size. */
static void set_right(const FIXTURE_DATA(args) *self, union argument *a,
		      const struct command *c, void *out)
{
	memset(a, 0, sizeof(*a));
	a->word[0] = c->size;
	if (c->pointer)
		memcpy(a->bytes + c->pointer, &out, sizeof(out));
	switch (c->nr) {
	case SHELF_IOC_GET:
		a->get.id = 1;
		a->get.attrs_size = 1000;
		break;
	case SHELF_IOC_GET_MANY:
		a->many.ids = (uintptr_t)ids;
		a->many.count = 4;
		break;
	case SHELF_IOC_MEMBERS:
		a->members.catalog = CATALOG;
		a->members.count = 4;
		break;
	case SHELF_IOC_IS_MEMBER:
		a->is_member.catalog = CATALOG;
		a->is_member.product = 1;
		break;
	case SHELF_IOC_UNPIN:
		a->unpin.pin = pin_there(self->page) ?: take(self->fd);
		break;
	case SHELF_IOC_SCAN:
		a->scan.cursor = scan_at(self->fd);
		a->scan.count = SHELF_GET_MANY_MAX;
		break;
	}
}

#define for_each_command(c)	\
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)

/* A pin that was taken doesn't stay; where nobody was told of it, there is none. */
static int call(const FIXTURE_DATA(args) *self, const struct command *c, void *arg)
{
	int ret = ERRNO(ioctl(self->fd, c->nr, arg));
	__u64 pin = c->nr == SHELF_IOC_PIN ? pin_there(self->page) : 0;

	if (!!pin != (c->nr == SHELF_IOC_PIN && !ret))
		return -EIO;
	return pin && pin_drop(self->fd, pin) ? -EIO : ret;
}

/* The size that a caller states, and what it gets. */
TEST_F(args, sizes)
{
	const struct command *c;

	for_each_command(c) {
		const struct {
			size_t size;
			int ret;
		} cases[] = {
			{ 0, -EINVAL }, { 1, -EINVAL }, { 4, -EINVAL },
			{ c->min - 1, -EINVAL }, { c->min, 0 }, { c->size, 0 },
			{ c->size + 1, 0 }, { c->size + 64, 0 }, { PAGE - 1, 0 },
			{ PAGE, 0 }, { PAGE + 1, -E2BIG }, { 8191, -E2BIG },
			{ 0x7fffffff, -E2BIG }, { 0x80000000, -E2BIG },
			{ 0xffffffff, -E2BIG },
		};
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			set_right(self, self->arg, c, self->out);
			self->arg->word[0] = cases[i].size;
			EXPECT_EQ(cases[i].ret, call(self, c, self->arg))
				TH_LOG("%u, size %zu", _IOC_NR(c->nr), cases[i].size);
			EXPECT_EQ(cases[i].size, self->arg->word[0]);
		}
	}
}

/* A longer struct than the kernel knows: zeros are as if it were not longer. */
TEST_F(args, tails)
{
	const struct command *c;
	size_t at;

	for_each_command(c)
		for (at = c->size; at <= PAGE; at += at < c->size + 9 ? 1 : 501) {
			set_right(self, self->arg, c, self->out);
			self->arg->word[0] = PAGE;
			self->arg->bytes[at] = 1;
			EXPECT_EQ(at < PAGE ? -E2BIG : 0,
				  call(self, c, self->arg))
				TH_LOG("%u, byte %zu", _IOC_NR(c->nr), at);
			EXPECT_EQ(1, self->arg->bytes[at]);
		}
}

/* A shorter one gets no more than it has room for. */
TEST_F(args, heads)
{
	const struct command *c;
	size_t size, i;

	for_each_command(c)
		for (size = c->min; size <= c->size; size++) {
			set_right(self, self->arg, c, self->out);
			self->arg->word[0] = size;
			memset(self->arg->bytes + size, 0xa5, 512);
			EXPECT_EQ(0, call(self, c, self->arg));
			for (i = size; i < size + 512; i++)
				EXPECT_EQ(0xa5, self->arg->bytes[i]);
		}
}

TEST_F(args, pointers)
{
	void *bad[] = {
		NULL, (void *)1, (void *)PAGE, self->room + 2 * PAGE,
		(void *)0x7ffffffff000, (void *)0x800000000000,
		(void *)0xffff888000000000, (void *)0xffffffff81000000,
		(void *)-4096L, (void *)-8L, (void *)-1L,
	};
	const struct command *c;
	unsigned int i;

	for_each_command(c)
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			EXPECT_EQ(-EFAULT, call(self, c, bad[i]));
			if (!c->pointer)
				continue;
			set_right(self, self->arg, c, bad[i]);
			EXPECT_EQ(-EFAULT, call(self, c, self->arg))
				TH_LOG("%u, to %p", _IOC_NR(c->nr), bad[i]);
		}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		set_right(self, self->arg, GET_MANY, self->out);
		self->arg->many.ids = (uintptr_t)bad[i];
		EXPECT_EQ(-EFAULT, call(self, GET_MANY, self->arg));
	}
}

/* A report, and a pin to let go, are only read. */
TEST_F(args, read_only_memory)
{
	const struct command *c;
	void *page;

	for_each_command(c) {
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, page);
		set_right(self, self->arg, c, self->out);
		memcpy(page, self->arg, c->size);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		EXPECT_EQ(c->nr == SHELF_IOC_REPORT || c->nr == SHELF_IOC_UNPIN ? 0 : -EFAULT,
			  call(self, c, page));
		if (!c->pointer)
			continue;
		set_right(self, self->arg, c, page);
		EXPECT_EQ(-EFAULT, call(self, c, self->arg));
	}
}

/* Over a page's end is as good as elsewhere, up to what is not there. */
TEST_F(args, page_ends)
{
	const struct command *c;
	size_t before;
	__u8 *at;

	for_each_command(c)
		for (before = 0; before <= c->size; before++) {
			set_right(self, self->arg, c, self->out);
			at = self->room + PAGE - before;
			memcpy(at, self->arg, c->size);
			EXPECT_EQ(0, call(self, c, at));
			set_right(self, self->arg, c, self->out);
			at = self->room + 2 * PAGE - before;
			memcpy(at, self->arg, before);
			EXPECT_EQ(before < c->size ? -EFAULT : 0,
				  call(self, c, at));
		}
}

/* The same of the buffers that are pointed to. */
TEST_F(args, buffer_ends)
{
	const struct command *c;
	size_t before;

	for_each_command(c)
		for (before = 0; before <= c->bytes; before += 8) {
			if (!c->pointer)
				continue;
			set_right(self, self->arg, c, self->room + PAGE - before);
			EXPECT_EQ(0, call(self, c, self->arg));
			set_right(self, self->arg, c, self->room + 2 * PAGE - before);
			EXPECT_EQ(before < c->bytes ? -EFAULT : 0,
				  call(self, c, self->arg));
		}
	memcpy(self->room + 2 * PAGE - 24, ids, 24);
	set_right(self, self->arg, GET_MANY, self->out);
	self->arg->many.ids = (uintptr_t)self->room + 2 * PAGE - 24;
	EXPECT_EQ(-EFAULT, call(self, GET_MANY, self->arg));
	self->arg->many.count = 3;
	EXPECT_EQ(0, call(self, GET_MANY, self->arg));
	EXPECT_EQ(1, self->arg->many.found);
}

TEST_F(args, counts)
{
	static const __u32 huge[] = { 1, 0x1fffffff, 0x20000000, 0x20000001,
				      0x7fffffff, 0x80000000, 0xffffffff };
	const __u32 limit[] = { SHELF_GET_MANY_MAX, SHELF_PAGE_MEMBERS_MAX };
	union argument *a = self->arg;
	unsigned int i, n;
	__u32 *count;

	for (n = 0; n < 2; n++) {
		const struct command *c = n ? MEMBERS : GET_MANY;

		count = n ? &a->members.count : &a->many.count;
		for (i = 0; i < ARRAY_SIZE(huge); i++) {
			set_right(self, a, c, self->out);
			*count = i ? huge[i] : limit[n] + 1;
			EXPECT_EQ(-EINVAL, call(self, c, a));
		}
		set_right(self, a, c, self->out);
		*count = limit[n];
		EXPECT_EQ(0, call(self, c, a));
		/* None, from and to nowhere. */
		set_right(self, a, c, NULL);
		if (!n)
			a->many.ids = 0;
		*count = 0;
		EXPECT_EQ(0, call(self, c, a));
		EXPECT_EQ(2, n ? a->members.generation : a->many.generation);
	}
	set_right(self, a, GET, NULL);
	a->get.attrs_size = 0;
	EXPECT_EQ(0, call(self, GET, a));
}

/* A scan wants room for a leaf. */
TEST_F(args, counts_of_a_scan)
{
	static const struct {
		__u32 count;
		int ret;
	} cases[] = {
		{ 0, -EINVAL }, { 1, -EINVAL }, { SHELF_LEAF_SLOTS - 1, -EINVAL },
		{ SHELF_LEAF_SLOTS, 0 }, { SHELF_GET_MANY_MAX, 0 },
		{ SHELF_GET_MANY_MAX + 1, -EINVAL }, { 0x04000000, -EINVAL },
		{ 0x80000000, -EINVAL }, { 0xffffffff, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		set_right(self, self->arg, SCAN, self->out);
		self->arg->scan.count = cases[i].count;
		EXPECT_EQ(cases[i].ret, call(self, SCAN, self->arg))
			TH_LOG("count %u", cases[i].count);
		EXPECT_EQ(cases[i].ret ? cases[i].count : 1, self->arg->scan.count);
	}
	/* Any cursor is one, and there is an end. */
	for (i = 0; i < 64; i++) {
		set_right(self, self->arg, SCAN, self->out);
		self->arg->scan.cursor = ~0ULL >> i;
		EXPECT_EQ(0, call(self, SCAN, self->arg));
		EXPECT_TRUE(i || self->arg->scan.done);
	}
}

/* What was asked for more room than there are members is left alone. */
TEST_F(args, room_is_not_filled)
{
	size_t i;

	memset(self->out, 0xa5, OUT_BYTES);
	set_right(self, self->arg, MEMBERS, self->out);
	self->arg->members.count = SHELF_PAGE_MEMBERS_MAX;
	EXPECT_EQ(0, call(self, MEMBERS, self->arg));
	EXPECT_EQ(4, self->arg->members.count);
	for (i = 4 * 8; i < OUT_BYTES; i++)
		EXPECT_EQ(0xa5, self->out[i]);
	memset(self->out, 0xa5, OUT_BYTES);
	set_right(self, self->arg, GET_MANY, self->out);
	EXPECT_EQ(0, call(self, GET_MANY, self->arg));
	EXPECT_EQ(1, self->arg->many.found);
	EXPECT_TRUE(all_zero(self->out + 64 + 8, 56));
	for (i = 4 * 64; i < OUT_BYTES; i++)
		EXPECT_EQ(0xa5, self->out[i]);
}

/* What a call with this one flag answers; a source of that id is not there. */
static int with_flag(const struct command *c, unsigned int bit)
{
	if (c->nr == SHELF_IOC_GET && 1U << bit == SHELF_GET_SOURCE)
		return -ENOENT;
	if (c->nr == SHELF_IOC_MEMBERS && 1U << bit == SHELF_MEMBERS_AFTER)
		return 0;
	if (c->nr == SHELF_IOC_SCAN && 1U << bit <= SHELF_SCAN_SOURCES)
		return 0;
	return -EINVAL;
}

TEST_F(args, flags)
{
	const struct command *c;
	unsigned int bit;

	set_right(self, self->arg, PIN_ONE, self->out);
	self->arg->pin.reserved = 1;
	EXPECT_EQ(-EINVAL, call(self, PIN_ONE, self->arg));
	for_each_command(c)
		for (bit = 0; bit < 32; bit++) {
			set_right(self, self->arg, c, self->out);
			self->arg->word[1] = 1U << bit;
			EXPECT_EQ(with_flag(c, bit), call(self, c, self->arg));
		}
	set_right(self, self->arg, SCAN, self->out);
	self->arg->word[1] = SHELF_SCAN_CATALOGS | SHELF_SCAN_SOURCES;
	EXPECT_EQ(-EINVAL, call(self, SCAN, self->arg));
	set_right(self, self->arg, GET, self->out);
	self->arg->get.reserved = 1;
	EXPECT_EQ(-EINVAL, call(self, GET, self->arg));
	set_right(self, self->arg, IS_MEMBER, self->out);
	self->arg->is_member.reserved = 1;
	EXPECT_EQ(-EINVAL, call(self, IS_MEMBER, self->arg));
}

static int call_pinned(int fd, const struct command *c, union argument *a, __u64 pin)
{
	memcpy(a->bytes + c->pin, &pin, sizeof(pin));
	return ERRNO(ioctl(fd, c->nr, a));
}

/* Not a pin, no longer one, or another file's. */
TEST_F(args, pins)
{
	int other = kit_open(&self->k);
	__u64 first = take(self->fd), second = take(self->fd);
	__u64 pin = take(self->fd), gone = take(self->fd);
	const __u64 bad[] = {
		1, 511, first, second, pin & 511, pin ^ 1, pin + 512, pin - 512, pin | 1ULL << 63,
		pin | 1ULL << 32, gone, take(other), 0x7fffffffffffffff, ~0ULL,
	};
	const struct command *c;
	unsigned int i;

	ASSERT_NE(0, pin);
	ASSERT_EQ(0, pin_drop(self->fd, first));
	ASSERT_EQ(0, pin_drop(self->fd, second));
	ASSERT_EQ(0, pin_drop(self->fd, gone));
	for_each_command(c)
		for (i = 0; c->pin && i < ARRAY_SIZE(bad); i++) {
			set_right(self, self->arg, c, self->out);
			EXPECT_EQ(-ESTALE, call_pinned(self->fd, c, self->arg, bad[i]))
				TH_LOG("%u, pin %llx", _IOC_NR(c->nr), bad[i]);
			set_right(self, self->arg, c, self->out);
			EXPECT_EQ(0, call_pinned(self->fd, c, self->arg, pin));
			set_right(self, self->arg, c, self->out);
			EXPECT_EQ(-ESTALE, call_pinned(other, c, self->arg, pin));
		}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, pin_drop(self->fd, bad[i]));
	EXPECT_EQ(-EINVAL, pin_drop(self->fd, 0));
	EXPECT_EQ(0, pin_drop(self->fd, pin));
	EXPECT_EQ(-EINVAL, pin_drop(self->fd, pin));
	close(other);
}

/* Where the struct ends before its pin there is none, whatever lies behind. */
TEST_F(args, pins_of_short_structs)
{
	const struct command *c;

	for_each_command(c) {
		if (!c->pin || c->pin == c->min - sizeof(__u64))
			continue;
		set_right(self, self->arg, c, self->out);
		self->arg->word[0] = c->pin;
		EXPECT_EQ(0, call_pinned(self->fd, c, self->arg, 12345));
		self->arg->word[0] = c->pin + 4;
		EXPECT_EQ(-ESTALE, call_pinned(self->fd, c, self->arg, 12345));
		EXPECT_EQ(0, call_pinned(self->fd, c, self->arg, 12345ULL << 32));
	}
}

TEST_F(args, what_is_pinned)
{
	static const __u64 none[] = { 3, 1ULL << 24, 1ULL << 40, 1ULL << 63, ~0ULL };
	union argument *a = self->arg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		set_right(self, a, PIN_ONE, NULL);
		a->pin.generation = none[i];
		EXPECT_EQ(-EINVAL, call(self, PIN_ONE, a));
	}
	for (i = 0; i < 64; i++) {
		__u64 lease = ~0ULL >> i, longest = 3600000000000ULL;

		set_right(self, a, PIN_ONE, NULL);
		a->pin.lease_ns = lease;
		EXPECT_EQ(0, call(self, PIN_ONE, a));
		EXPECT_EQ(lease < longest ? lease : longest, a->pin.lease_ns);
		EXPECT_EQ(2, a->pin.generation);
		EXPECT_NE(0, a->pin.root_page);
	}
}

TEST_F(args, unknown_commands)
{
	static const unsigned int other[] = {
		0, 0xffffffff, _IO(SHELF_IOC, 255), _IO(SHELF_IOC + 1, 0),
		_IOR(SHELF_IOC, 0, int), _IOW(SHELF_IOC, 1, int),
		_IOWR(SHELF_IOC, 1, struct shelf_ioc_get), 0x80000000U | SHELF_IOC_GET,
	};
	const struct command none = { 0 }, *c;
	bool known[256] = { false };
	unsigned int i;

	set_right(self, self->arg, &none, self->out);
	for (i = 0; i < ARRAY_SIZE(other); i++)
		EXPECT_EQ(-ENOTTY, ERRNO(ioctl(self->fd, other[i], self->arg)));
	for_each_command(c)
		known[_IOC_NR(c->nr)] = true;
	for (i = 0; i < 256; i++)
		if (!known[i])
			EXPECT_EQ(-ENOTTY, ERRNO(ioctl(self->fd, _IO(SHELF_IOC, i),
						       self->arg)));
}

/*
 * As a program of 32 bits calls it: pointers of four bytes, and the structs are
 * the same.
 */
TEST_F(args, from_32_bits)
{
	const struct command *c;
	union argument *low;
	void *out;
	long ret;

	low = mmap(NULL, OUT_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, low);
	out = low + 1;
	for_each_command(c) {
		set_right(self, self->arg, c, out);
		ASSERT_EQ(0, call(self, c, self->arg));
		set_right(self, low, c, out);
		asm volatile("int $0x80" : "=a" (ret)
			     : "a" (54), "b" (self->fd), "c" (c->nr), "d" (low)
			     : "memory", "r8", "r9", "r10", "r11");
		if (ret == -ENOSYS)
			SKIP(return, "no system calls of 32 bits");
		EXPECT_EQ(0, ret);
		/* No pin has the number of another. */
		if (c != PIN_ONE && c != UNPIN)
			EXPECT_EQ(0, memcmp(self->arg, low, c->size));
		if (c == PIN_ONE)
			EXPECT_EQ(0, pin_drop(self->fd, low->pin.pin));
	}
}

TEST_HARNESS_MAIN
