// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dev.h"
#include "world.h"

#define MEMBERS_ROOM	500

/* The last generation up to @generation that is @id modulo @period. */
static unsigned int last_of(__s64 id, __u64 generation, unsigned int period)
{
	__u64 back = (generation - (__u64)id) % period;

	return generation < WORLD_FIRST + back ? WORLD_FIRST : generation - back;
}

unsigned int world_salt(__s64 id, __u64 generation)
{
	return last_of(id, generation, 4);
}

unsigned int world_catalog_salt(__s64 id, __u64 generation)
{
	return last_of(id, generation, 2);
}

/* Of each form: none, in a slot to its end, one byte more, pages, the longest. */
__u32 world_attrs_len(__s64 id)
{
	if (id % 100 == 0)
		return SHELF_ATTRS_MAX;
	switch (id % 20) {
	case 1:
		return 9000;
	case 2:
		return SHELF_ATTRS_INLINE;
	case 3:
		return SHELF_ATTRS_INLINE + 1;
	case 4:
		return 0;
	default:
		return 16 + id % 100;
	}
}

__u32 world_count(__s64 catalog)
{
	static const __u32 counts[WORLD_CATALOGS] = {
		1, SHELF_INLINE_MEMBERS, SHELF_INLINE_MEMBERS + 1,
		SHELF_SLOT_MEMBERS, SHELF_SLOT_MEMBERS + 1, 3000,
	};

	return counts[catalog - 1];
}

__s64 world_member(__u32 i, unsigned int salt)
{
	return (__s64)i * 3 + salt;
}

static __u64 world_memberships(void)
{
	__u64 sum = 0;
	__s64 id;

	for (id = 1; id <= WORLD_CATALOGS; id++)
		sum += world_count(id);
	return sum;
}

static int put_catalog(struct shelf_batch *b, __s64 id, unsigned int salt, bool anew)
{
	__s64 ids[SHELF_PAGE_MEMBERS_MAX];
	__u32 i, n = world_count(id);
	int ret = 0;

	for (i = 0; i < n; i++)
		ids[i] = world_member(i, salt);
	if (!anew)
		ret = shelf_batch_catalog_delete(b, id, NULL);
	return ret ? ret : shelf_batch_add(b, id, ids, n, NULL);
}

static int put_due(struct shelf_batch *b, __u64 g)
{
	int ret = 0;
	__s64 id;

	for (id = 1; id <= WORLD_PRODUCTS && !ret; id++)
		if (world_salt(id, g) == g)
			ret = put_one(b, id, world_attrs_len(id), g);
	for (id = 1; id <= WORLD_CATALOGS && !ret; id++)
		if (world_catalog_salt(id, g) == g)
			ret = put_catalog(b, id, g, g == WORLD_FIRST);
	return ret;
}

/* Of the shelf that was made last, by generation. */
#define GENERATIONS	(1U << 16)
static struct {
	bool put;
	unsigned int wrong;
} judged[GENERATIONS];

void world_wrong_at(__u64 generation, unsigned int n)
{
	__atomic_fetch_add(&judged[generation % GENERATIONS].wrong, n, __ATOMIC_RELAXED);
}

/* What was to be written with a generation that a trim took is written four later. */
static bool is_world(unsigned int g)
{
	unsigned int i;

	for (i = 0; i < 4 && g - i >= WORLD_FIRST; i++)
		if (!judged[g - i].put)
			return false;
	return true;
}

unsigned int world_wrong_in_all(unsigned int *worlds)
{
	unsigned int g, wrong = 0;

	*worlds = 0;
	for (g = WORLD_FIRST; g < GENERATIONS; g++) {
		if (!is_world(g))
			continue;
		++*worlds;
		wrong += judged[g].wrong;
	}
	return wrong;
}

static int put_world(struct kit *k, bool no_wait)
{
	__u64 g = dev_generation(k->fd) + 1;
	struct shelf_result r;
	struct shelf_batch *b;
	int ret = g > 1 ? shelf_batch_begin(k->w, &b, NULL) : -EFAULT;

	if (ret)
		return ret;
	ret = put_due(b, g);
	if (ret) {
		shelf_batch_abort(b);
		return ret;
	}
	if (no_wait)
		shelf_batch_no_wait(b);
	ret = shelf_batch_commit(b, NULL, &r, NULL);
	if (!ret && r.generation == g)
		judged[g % GENERATIONS].put = true;
	return ret;
}

int world_make(struct kit *k, const char *what, const struct shelf_settings *settings)
{
	int ret = kit_make_as(k, what, settings);

	memset(judged, 0, sizeof(judged));
	return ret ? ret : world_put(k);
}

int world_put(struct kit *k)
{
	return put_world(k, false);
}

int world_put_no_wait(struct kit *k)
{
	return put_world(k, true);
}

int put_worlds(struct kit *k, unsigned int n)
{
	int ret = 0;

	while (n-- && !ret)
		ret = world_put(k);
	return ret;
}

static bool product_as_of(const struct shelf_product *p, __s64 id, __u64 g)
{
	unsigned int salt = world_salt(id, g);

	return product_match(p, id, world_attrs_len(id), salt) && p->generation == salt;
}

/*
 * By libshelf
 * ===========
 */
static unsigned int wrong_info(const struct shelf_pin *pin)
{
	struct shelf_ioc_info info;

	return shelf_pin_info(pin, &info) || info.generation != pin->generation ||
	       info.products != WORLD_PRODUCTS || info.catalogs != WORLD_CATALOGS ||
	       info.memberships != world_memberships();
}

static unsigned int wrong_products(const struct shelf_pin *pin, void *attrs)
{
	unsigned int wrong = 0;
	struct shelf_product p;
	__s64 id;

	for (id = 1; id <= WORLD_PRODUCTS; id++) {
		__u32 len = world_attrs_len(id);

		memset(attrs, 0, len);
		wrong += shelf_pin_get(pin, id, &p, attrs, len) != 1 ||
			 !product_as_of(&p, id, pin->generation) ||
			 !attrs_match(attrs, id, len, world_salt(id, pin->generation));
	}
	wrong += shelf_pin_get(pin, 0, &p, NULL, 0) != 0;
	return wrong + (shelf_pin_get(pin, id, &p, NULL, 0) != 0);
}

static bool scanned_right(const struct shelf_pin *pin, const struct shelf_product *p,
			  void *attrs)
{
	__u32 len = p->attrs_len < SHELF_ATTRS_MAX ? p->attrs_len : SHELF_ATTRS_MAX;

	return p->id > 0 && p->id <= WORLD_PRODUCTS &&
	       product_as_of(p, p->id, pin->generation) &&
	       shelf_pin_attrs(pin, p, attrs, SHELF_ATTRS_MAX) == len &&
	       attrs_match(attrs, p->id, len, world_salt(p->id, pin->generation));
}

static unsigned int wrong_scan(const struct shelf_pin *pin, void *attrs)
{
	struct shelf_product p[2 * SHELF_LEAF_SLOTS];
	bool seen[WORLD_PRODUCTS + 1] = { false };
	unsigned int wrong = 0, total = 0;
	struct shelf_scan c = { 0 };
	long n, i;

	while ((n = shelf_pin_products(pin, &c, p, 2 * SHELF_LEAF_SLOTS)) > 0)
		for (i = 0; i < n; i++) {
			if (!scanned_right(pin, &p[i], attrs) || seen[p[i].id]) {
				wrong++;
				continue;
			}
			seen[p[i].id] = true;
			total++;
		}
	return wrong + (n < 0) + (WORLD_PRODUCTS - total);
}

static bool catalog_as_of(const struct shelf_catalog *c, __u64 g)
{
	return c->id > 0 && c->id <= WORLD_CATALOGS && c->count == world_count(c->id) &&
	       c->generation == world_catalog_salt(c->id, g);
}

static unsigned int wrong_catalogs(const struct shelf_pin *pin)
{
	struct shelf_catalog catalog[SHELF_LEAF_SLOTS];
	unsigned int wrong = 0, seen = 0;
	struct shelf_scan c = { 0 };
	long n, i;

	while ((n = shelf_pin_catalogs(pin, &c, catalog, SHELF_LEAF_SLOTS)) > 0)
		for (i = 0; i < n; i++) {
			wrong += !catalog_as_of(&catalog[i], pin->generation);
			seen |= 1U << (catalog[i].id & 31);
		}
	return wrong + (n < 0) + (seen != (2U << WORLD_CATALOGS) - 2);
}

static unsigned int wrong_members(const struct shelf_pin *pin, __s64 id)
{
	unsigned int salt = world_catalog_salt(id, pin->generation), wrong = 0, total = 0;
	struct shelf_cursor c = { .catalog = id };
	__s64 ids[MEMBERS_ROOM];
	long n, i;

	while ((n = shelf_pin_members(pin, &c, ids, MEMBERS_ROOM)) > 0) {
		for (i = 0; i < n; i++)
			wrong += ids[i] != world_member(total + i, salt);
		total += n;
	}
	return wrong + (n < 0) + (total != world_count(id)) + (c.total != total);
}

unsigned int world_wrong(const struct shelf_pin *pin)
{
	void *attrs = malloc(SHELF_ATTRS_MAX);
	unsigned int wrong = wrong_info(pin);
	__s64 id;

	wrong += wrong_products(pin, attrs);
	wrong += wrong_scan(pin, attrs);
	wrong += wrong_catalogs(pin);
	for (id = 1; id <= WORLD_CATALOGS; id++)
		wrong += wrong_members(pin, id);
	free(attrs);
	return wrong;
}

/*
 * Where it lies
 * =============
 */
static bool product_lies_right(const struct shelf_pin *pin, __s64 id, __u8 *attrs)
{
	const struct shelf_product *p = shelf_view_product(&pin->view, id);
	__u32 len = world_attrs_len(id);

	return p && product_as_of(p, id, pin->generation) &&
	       shelf_view_attrs(&pin->view, p, attrs, len) == len &&
	       attrs_match(attrs, id, len, world_salt(id, pin->generation));
}

static bool catalog_lies_right(const struct shelf_pin *pin, __s64 id)
{
	const struct shelf_catalog *c = shelf_view_catalog(&pin->view, id);
	unsigned int salt = world_catalog_salt(id, pin->generation);
	__u32 last = world_count(id) - 1;

	return c && catalog_as_of(c, pin->generation) &&
	       shelf_catalog_has(&pin->view, c, world_member(0, salt)) &&
	       shelf_catalog_has(&pin->view, c, world_member(last, salt)) &&
	       !shelf_catalog_has(&pin->view, c, world_member(last, salt) + 1);
}

unsigned int world_wrong_in_place(const struct shelf_pin *pin)
{
	__u8 *attrs = malloc(SHELF_ATTRS_MAX);
	unsigned int wrong = 0;
	__s64 id;

	wrong += pin->view.root->generation != pin->generation;
	for (id = 1; id <= WORLD_PRODUCTS; id++)
		wrong += !product_lies_right(pin, id, attrs);
	for (id = 1; id <= WORLD_CATALOGS; id++)
		wrong += !catalog_lies_right(pin, id);
	free(attrs);
	return wrong + !shelf_pin_valid(pin);
}

/*
 * By ioctl
 * ========
 */
static int right(bool ok)
{
	return ok ? 0 : -1;
}

int world_get(int fd, __u64 pin, __u64 generation, __s64 id, void *buffer)
{
	__u32 len = world_attrs_len(id);
	struct shelf_ioc_get q = {
		.size = sizeof(q), .id = id, .attrs = (uintptr_t)buffer,
		.attrs_size = len, .pin = pin,
	};

	if (ioctl(fd, SHELF_IOC_GET, &q))
		return errno;
	return right(q.generation == generation && product_as_of(&q.product, id, generation) &&
		     attrs_match(buffer, id, len, world_salt(id, generation)));
}

int world_get_many(int fd, __u64 pin, __u64 generation, void *buffer)
{
	struct shelf_product *p = buffer;
	__s64 ids[WORLD_PRODUCTS];
	struct shelf_ioc_get_many q = {
		.size = sizeof(q), .ids = (uintptr_t)ids, .products = (uintptr_t)p,
		.count = WORLD_PRODUCTS, .pin = pin,
	};
	unsigned int i, found = 0;

	for (i = 0; i < WORLD_PRODUCTS; i++)
		ids[i] = i + 1;
	if (ioctl(fd, SHELF_IOC_GET_MANY, &q))
		return errno;
	for (i = 0; i < WORLD_PRODUCTS; i++)
		found += product_as_of(&p[i], i + 1, generation);
	return right(found == WORLD_PRODUCTS && q.found == found && q.generation == generation);
}

int world_members(int fd, __u64 pin, __u64 generation, __s64 catalog, void *buffer)
{
	unsigned int salt = world_catalog_salt(catalog, generation);
	struct shelf_ioc_members q = {
		.size = sizeof(q), .catalog = catalog, .ids = (uintptr_t)buffer,
		.count = SHELF_PAGE_MEMBERS_MAX, .pin = pin,
	};
	__s64 *ids = buffer;
	__u32 i;

	if (ioctl(fd, SHELF_IOC_MEMBERS, &q))
		return errno;
	for (i = 0; i < q.count; i++)
		if (ids[i] != world_member(i, salt))
			return -1;
	return right(q.count == world_count(catalog) && q.total == q.count && !q.more &&
		     q.generation == generation);
}

/* Each third id is a member. */
int world_is_member(int fd, __u64 pin, __u64 generation, __s64 catalog, __u32 i)
{
	unsigned int salt = world_catalog_salt(catalog, generation);
	struct shelf_ioc_is_member q = {
		.size = sizeof(q), .catalog = catalog, .product = (__s64)salt + i, .pin = pin,
	};

	if (ioctl(fd, SHELF_IOC_IS_MEMBER, &q))
		return errno;
	return right(q.generation == generation &&
		     q.member == (i % 3 == 0 && i / 3 < world_count(catalog)));
}

int world_scan(int fd, __u64 pin, __u64 generation, void *buffer)
{
	struct shelf_ioc_scan q = {
		.size = sizeof(q), .records = (uintptr_t)buffer, .pin = pin,
	};
	const struct shelf_product *p = buffer;
	unsigned int i, total = 0;

	while (!q.done) {
		q.count = 2 * SHELF_LEAF_SLOTS;
		if (ioctl(fd, SHELF_IOC_SCAN, &q))
			return errno;
		for (i = 0; i < q.count; i++)
			if (!product_as_of(&p[i], p[i].id, generation))
				return -1;
		total += q.count;
		if (q.generation != generation)
			return -1;
	}
	return right(total == WORLD_PRODUCTS);
}

int world_scan_catalogs(int fd, __u64 pin, __u64 generation, void *buffer)
{
	struct shelf_ioc_scan q = {
		.size = sizeof(q), .flags = SHELF_SCAN_CATALOGS,
		.records = (uintptr_t)buffer, .pin = pin,
	};
	const struct shelf_catalog *c = buffer;
	unsigned int i, total = 0;

	while (!q.done) {
		q.count = SHELF_LEAF_SLOTS;
		if (ioctl(fd, SHELF_IOC_SCAN, &q))
			return errno;
		for (i = 0; i < q.count; i++)
			if (!catalog_as_of(&c[i], generation))
				return -1;
		total += q.count;
		if (q.generation != generation)
			return -1;
	}
	return right(total == WORLD_CATALOGS);
}

int world_info(int fd, __u64 pin, __u64 generation)
{
	struct shelf_ioc_info q = { .size = sizeof(q), .pin = pin };

	if (ioctl(fd, SHELF_IOC_INFO, &q))
		return errno;
	return right(q.generation == generation && q.products == WORLD_PRODUCTS &&
		     q.catalogs == WORLD_CATALOGS && q.memberships == world_memberships());
}

unsigned int world_wrong_by_ioctl(int fd, __u64 pin, __u64 generation)
{
	void *buffer = malloc(WORLD_BUFFER);
	unsigned int wrong = 0, i;
	__s64 id;

	wrong += world_info(fd, pin, generation) != 0;
	for (id = 1; id <= WORLD_PRODUCTS; id++)
		wrong += world_get(fd, pin, generation, id, buffer) != 0;
	wrong += world_get_many(fd, pin, generation, buffer) != 0;
	for (id = 1; id <= WORLD_CATALOGS; id++) {
		wrong += world_members(fd, pin, generation, id, buffer) != 0;
		for (i = 0; i < 30; i++)
			wrong += world_is_member(fd, pin, generation, id, i) != 0;
	}
	wrong += world_scan(fd, pin, generation, buffer) != 0;
	wrong += world_scan_catalogs(fd, pin, generation, buffer) != 0;
	free(buffer);
	return wrong;
}
