// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Arguments of every call but netlink's, made up; mostly such as make sense. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "make.h"
#include "place.h"

__u64 rnd(struct rng *r)
{
	__u64 x = r->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

__u64 below(struct rng *r, __u64 n)
{
	return rnd(r) % n;
}

bool looks_like_kernel(__u64 value)
{
	return value >= 0xffff800000000000ULL && value < 0xffffffffffff0000ULL;
}

__u64 tame(__u64 value)
{
	return looks_like_kernel(value) ? value & 0x7fffffffffffULL : value;
}

__u64 odd_number(struct rng *r)
{
	static const __u64 menu[] = {
		0, 1, 2, 4, 7, 8, 31, 32, 62, 63, 64, 127, 128, 255, 256, 447, 448, 504,
		511, 512, 1023, 1024, 1025, 3576, 3577, 4095, 4096, 4097, 7999, 8000,
		8001, 8191, 8192, 8193, 61439, 61440, 61441, 65535, 65536, 1 << 20,
		1 << 21, 1 << 22, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
		1ULL << 36, 1ULL << 40, 1ULL << 48, 0x7fffffffffffffff,
		0x8000000000000000, ~0ULL,
	};
	__u64 value = PICK(r, menu);

	if (one_in(r, 4))
		value += below(r, 5) - 2;
	if (one_in(r, 16))
		value = rnd(r);
	return tame(value);
}

/* Few, so that they meet; and the ends of what there is. */
__u64 some_id(struct rng *r)
{
	static const __u64 ends[] = {
		0, 1, ~0ULL, 0x7fffffffffffffff, 0x8000000000000000, 1ULL << 32,
	};

	if (one_in(r, 12))
		return PICK(r, ends);
	return one_in(r, 20) ? tame(rnd(r)) : below(r, one_in(r, 3) ? 2000 : 40);
}

/* A name of one byte. */
__u64 some_source(struct rng *r)
{
	return 'a' + 2 * below(r, 4);
}

__u64 some_place(struct rng *r)
{
	return one_in(r, 5) ? below(r, PLACES) : one_in(r, 3) ? PLACE_FRESH : PLACE_ROOM;
}

struct field *add_field(struct call *c, __u16 type, __u8 form, __u64 value)
{
	static struct field none;
	struct field *f = c->fields < FIELDS_MAX ? &c->field[c->fields++] : &none;

	*f = (struct field){ .type = type, .form = form, .value = value };
	return f;
}

static __u64 slot(struct rng *r)
{
	return one_in(r, 3) ? below(r, one_in(r, 4) ? SLOTS : 3) : 0;
}

static __u64 some_name(struct rng *r)
{
	return one_in(r, 2) ? below(r, one_in(r, 4) ? NAMES : 3) : 0;
}

/*
 * Files
 * =====
 */
void make_open(struct rng *r, struct call *c)
{
	static const __u64 odd[] = {
		O_RDWR, O_WRONLY, O_PATH, O_DIRECTORY, O_APPEND, O_ASYNC, O_DIRECT, 3,
	};

	c->arg[0] = slot(r);
	c->arg[1] = one_in(r, 8) ? NAME_WITNESS : some_name(r);
	c->arg[2] = one_in(r, 2) ? O_NONBLOCK : 0;
	if (one_in(r, 12))
		c->arg[2] |= PICK(r, odd);
}

void make_slot(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
}

void make_slots(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
	c->arg[1] = slot(r);
}

void make_read(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
	c->arg[1] = some_place(r);
	c->arg[2] = one_in(r, 4) ? odd_number(r) : 8;
}

void make_poll(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
	c->arg[1] = one_in(r, 3) ? below(r, 65536) : POLLIN | POLLPRI;
	c->arg[2] = below(r, 4);
}

void make_sysfs(struct rng *r, struct call *c)
{
	c->arg[0] = one_in(r, 6) ? NAME_WITNESS : some_name(r);
	c->arg[1] = below(r, 80);
	c->arg[2] = one_in(r, 4) ? below(r, 4) : 0;
}

void make_param(struct rng *r, struct call *c)
{
	c->arg[0] = below(r, 6);
}

/*
 * ioctl
 * =====
 */
static __u64 some_pin(struct rng *r, struct call *c, __u16 at)
{
	if (one_in(r, 2))
		add_field(c, at, FORM_PIN, slot(r));
	return 0;
}

static void make_buffer(struct rng *r, struct call *c, __u16 at)
{
	add_field(c, at, FORM_PTR, some_place(r))->len = below(r, 64) * 64;
}

#define AT(what, field)	offsetof(struct shelf_ioc_##what, field)

static void query_get(struct rng *r, struct call *c)
{
	const __u8 source = (__u8)some_source(r);

	if (one_in(r, 4)) {
		add_field(c, AT(get, flags), FORM_U32, SHELF_GET_SOURCE);
		add_field(c, AT(get, id), FORM_U64, (__u64)shelf_source_id(&source, 1));
	} else {
		add_field(c, AT(get, id), FORM_U64, some_id(r));
	}
	if (one_in(r, 3))
		return;
	make_buffer(r, c, AT(get, attrs));
	add_field(c, AT(get, attrs_size), FORM_U32, one_in(r, 4) ? odd_number(r) : below(r, 9000));
	some_pin(r, c, AT(get, pin));
}

static void query_many(struct rng *r, struct call *c)
{
	make_buffer(r, c, AT(get_many, ids));
	make_buffer(r, c, AT(get_many, products));
	add_field(c, AT(get_many, count), FORM_U32, one_in(r, 4) ? odd_number(r) : below(r, 70));
	some_pin(r, c, AT(get_many, pin));
}

static void query_members(struct rng *r, struct call *c)
{
	add_field(c, AT(members, flags), FORM_U32, below(r, 2));
	add_field(c, AT(members, catalog), FORM_U64, some_id(r));
	add_field(c, AT(members, after), FORM_U64, some_id(r));
	make_buffer(r, c, AT(members, ids));
	add_field(c, AT(members, count), FORM_U32, one_in(r, 4) ? odd_number(r) : below(r, 600));
	some_pin(r, c, AT(members, pin));
}

static void query_wait(struct rng *r, struct call *c)
{
	static const __u64 times[] = { 0, 1, 1000, 1000000, 5000000, ~0ULL };

	add_field(c, AT(wait, generation), FORM_GEN, below(r, 3));
	add_field(c, AT(wait, timeout_ns), FORM_U64, one_in(r, 6) ? odd_number(r) : PICK(r, times));
}

static void query_pin(struct rng *r, struct call *c)
{
	if (one_in(r, 2))
		add_field(c, AT(pin, generation), FORM_GEN, one_in(r, 2) ? 0 : -below(r, 5));
	if (one_in(r, 2))
		add_field(c, AT(pin, lease_ns), FORM_U64,
			  one_in(r, 2) ? odd_number(r) : below(r, 5000000));
}

static void query_scan(struct rng *r, struct call *c)
{
	add_field(c, AT(scan, flags), FORM_U32, below(r, 3));
	add_field(c, AT(scan, cursor), FORM_U64, one_in(r, 2) ? 0 : rnd(r));
	make_buffer(r, c, AT(scan, records));
	add_field(c, AT(scan, count), FORM_U32, one_in(r, 4) ? odd_number(r) : 63 + below(r, 100));
	some_pin(r, c, AT(scan, pin));
}

static void query_two(struct rng *r, struct call *c)
{
	add_field(c, AT(is_member, catalog), FORM_U64, some_id(r));
	add_field(c, AT(is_member, product), FORM_U64, some_id(r));
}

static void make_query(struct rng *r, struct call *c, unsigned int nr)
{
	switch (nr + SHELF_IOC_INFO) {
	case SHELF_IOC_INFO:
		some_pin(r, c, AT(info, pin));
		break;
	case SHELF_IOC_GET:
		query_get(r, c);
		break;
	case SHELF_IOC_GET_MANY:
		query_many(r, c);
		break;
	case SHELF_IOC_MEMBERS:
		query_members(r, c);
		break;
	case SHELF_IOC_WAIT:
		query_wait(r, c);
		break;
	case SHELF_IOC_PIN:
		query_pin(r, c);
		break;
	case SHELF_IOC_UNPIN:
		add_field(c, AT(unpin, pin), FORM_PIN, slot(r));
		break;
	case SHELF_IOC_SCAN:
		query_scan(r, c);
		break;
	case SHELF_IOC_IS_MEMBER:
		query_two(r, c);
		some_pin(r, c, AT(is_member, pin));
		break;
	default:		/* a report: two numbers as well */
		query_two(r, c);
	}
}

static void spoil_ioctl(struct rng *r, struct call *c)
{
	switch (below(r, 6)) {
	case 0:
		c->arg[IOCTL_AT] = below(r, PLACES);
		break;
	case 1:
		c->arg[IOCTL_SIZE] += below(r, 17) - 8;
		break;
	case 2:
		c->arg[IOCTL_SIZE] = odd_number(r);
		break;
	case 3:
		c->arg[IOCTL_SIZE] += below(r, 64);
		c->arg[IOCTL_TAIL] = below(r, 128);
		break;
	case 4:
		add_field(c, below(r, 32) * 4, FORM_U32, odd_number(r));
		break;
	default:
		c->arg[IOCTL_CMD] = one_in(r, 2) ? SHELF_IOC_INFO + below(r, 256) : rnd(r) >> 32;
	}
}

void make_ioctl(struct rng *r, struct call *c)
{
	unsigned int nr = below(r, IOCTLS);

	c->arg[0] = slot(r);
	c->arg[1] = slot(r);
	c->arg[IOCTL_CMD] = SHELF_IOC_INFO + nr;
	c->arg[IOCTL_AT] = PLACE_GOOD;
	c->arg[IOCTL_SIZE] = ioctl_size[nr];
	make_query(r, c, nr);
	if (one_in(r, 4))
		spoil_ioctl(r, c);
}

/*
 * Mappings
 * ========
 */
void make_mmap(struct rng *r, struct call *c)
{
	static const __u64 offsets[] = { 0, 0, 4096, 2 << 20, 2 << 20, 4 << 20, 8192, 2 << 12 };
	static const __u64 lengths[] = { 4096, 8192, 12288, 2 << 20, 4 << 20, 8 << 20 };
	static const __u64 protections[] = { PROT_NONE, PROT_WRITE | PROT_READ, PROT_EXEC, 7 };
	static const __u64 flags[] = { MAP_PRIVATE, 0, MAP_SHARED_VALIDATE, MAP_POPULATE,
				       MAP_GROWSDOWN | MAP_SHARED, MAP_LOCKED | MAP_SHARED };

	c->arg[0] = slot(r);
	c->arg[1] = slot(r);
	c->arg[2] = one_in(r, 10) ? odd_number(r) : PICK(r, offsets);
	c->arg[3] = one_in(r, 10) ? odd_number(r) : PICK(r, lengths);
	if (c->arg[2] == 2 << 20 && !one_in(r, 4))
		c->arg[3] = 4 << 20;
	c->arg[4] = one_in(r, 6) ? PICK(r, protections) : PROT_READ;
	c->arg[5] = one_in(r, 6) ? PICK(r, flags) : MAP_SHARED;
	c->arg[6] = one_in(r, 6) ? PAGE * below(r, 600) : 0;
}

/* munmap, mprotect, mremap, madvise: a slot, then numbers. */
void make_range(struct rng *r, struct call *c)
{
	static const __u64 parts[] = { 0, 0, 4096, 2 << 20, 1 << 20, 4 << 20, 8192 };
	static const __u64 advice[] = { 4, 9, 10, 11, 14, 15, 18, 19, 20, 21, 22, 23, 25 };
	const char *name = ops[c->op].name;

	c->arg[0] = slot(r);
	c->arg[1] = PICK(r, parts);
	c->arg[2] = one_in(r, 8) ? odd_number(r) : PICK(r, parts);
	c->arg[3] = below(r, 8);
	if (!strcmp(name, "madvise"))
		c->arg[3] = one_in(r, 4) ? below(r, 26) : PICK(r, advice);
	if (strcmp(name, "mremap"))
		return;
	c->arg[1] = slot(r);
	c->arg[3] = one_in(r, 4) ? MREMAP_DONTUNMAP : below(r, 16);
}

void make_touch(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
	c->arg[1] = below(r, 8 << 20);
	c->arg[2] = one_in(r, 2) ? TOUCH_LOAD : below(r, TOUCHES);
}

/*
 * The rest
 * ========
 */
void make_socket(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
	c->arg[1] = one_in(r, 3) ? below(r, 8) : 0;
}

void make_recv(struct rng *r, struct call *c)
{
	c->arg[0] = slot(r);
	c->arg[1] = slot(r);
	c->arg[2] = below(r, 40);
}

void make_helper(struct rng *r, struct call *c)
{
	if (!strcmp(ops[c->op].name, "fork"))
		c->arg[1] = one_in(r, 20) ? WHO_NET : one_in(r, 2) ? below(r, 2) : 0;
	c->arg[0] = 1 + below(r, 10);
}

void make_fail(struct rng *r, struct call *c)
{
	c->arg[0] = one_in(r, 4) ? below(r, 100) : 1 + below(r, 12);
}

void make_nap(struct rng *r, struct call *c)
{
	c->arg[0] = below(r, 8);
}
