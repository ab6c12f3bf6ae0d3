// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pinned snapshots: over the mapping, validated by the pin's token, or by ioctl.
 *
 * A hosted shelf has nobody who would keep a snapshot for a reader. There a pin
 * is what an optimistic section is, valid until some of it is reused.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lookup.h"

static void pin_view(struct shelf_pin *pin, __u32 root_page)
{
	const struct shelf *s = pin->shelf;

	pin->view.arena = s->arena;
	pin->view.mask = s->mask;
	pin->view.seed = s->seed;
	if (s->arena)
		pin->view.root = (const struct shelf_root *)
			shelf_view_page(&pin->view, root_page);
}

static int pin_hosted(struct shelf_pin *pin, __u64 generation)
{
	struct shelf_section c;

	shelf_begin(pin->shelf, &c);
	if (generation && generation != c.generation)
		return generation > c.generation ? -EINVAL : -ESTALE;
	pin->generation = c.generation;
	pin->view = c.view;
	pin->at = &pin->shelf->control->oldest;
	return 0;
}

/*
 * A child of fork() has the file in common with its parent, and a pin that it
 * takes there would stay when it dies. So it opens one of its own.
 */
static int pin_file(struct shelf_pin *pin)
{
	const struct shelf *s = pin->shelf;
	char path[32];

	pin->fd = s->fd;
	if (getpid() == s->pid)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	pin->fd = open_above(path, O_RDONLY, 0);
	return pin->fd < 0 ? -errno : 0;
}

static void pin_close(struct shelf_pin *pin)
{
	if (pin->fd != pin->shelf->fd)
		close(pin->fd);
	pin->fd = -1;
}

static int pin_device(struct shelf_pin *pin, __u64 generation, __u64 lease_ns)
{
	const struct shelf *s = pin->shelf;
	struct shelf_ioc_pin q = {
		.size = sizeof(q), .generation = generation, .lease_ns = lease_ns,
	};
	int ret = pin_file(pin);

	if (ret)
		return ret;
	if (ioctl(pin->fd, SHELF_IOC_PIN, &q) < 0) {
		ret = -errno;
		pin_close(pin);
		return ret;
	}
	pin->generation = q.generation;
	pin->lease_ns = q.lease_ns;
	pin->token = q.pin;
	if (s->pins)
		pin->at = &s->pins->token[SHELF_PIN_SLOT(q.pin)];
	pin_view(pin, q.root_page);
	return 0;
}

int shelf_pin(const struct shelf *s, __u64 generation, __u64 lease_ns,
	      struct shelf_pin *pin)
{
	memset(pin, 0, sizeof(*pin));
	pin->shelf = s;
	pin->fd = -1;
	return shelf_is_hosted(s) ? pin_hosted(pin, generation) :
				    pin_device(pin, generation, lease_ns);
}

int shelf_unpin(struct shelf_pin *pin)
{
	struct shelf_ioc_unpin q = { .size = sizeof(q), .pin = pin->token };
	int ret = 0;

	if (shelf_is_hosted(pin->shelf))
		return shelf_pin_valid(pin) ? 0 : -ESTALE;
	if (pin->fd < 0)
		return -EINVAL;
	if (ioctl(pin->fd, SHELF_IOC_UNPIN, &q) < 0)
		ret = -errno;
	pin_close(pin);
	return ret;
}

int shelf_pin_info(const struct shelf_pin *pin, struct shelf_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->pin = pin->token;
	if (!shelf_is_hosted(pin->shelf))
		return ioctl(pin->fd, SHELF_IOC_INFO, info) < 0 ? -errno : 0;
	shelf_info_hosted(pin->shelf, &pin->view, pin->generation, info);
	return shelf_pin_valid(pin) ? 0 : -ESTALE;
}

bool shelf_pin_check(const struct shelf_pin *pin)
{
	struct shelf_ioc_info info;

	return !shelf_pin_info(pin, &info);
}

/* What was found out about the snapshot, if all of it was of the snapshot. */
static long settled(const struct shelf_pin *pin, long result)
{
	return shelf_pin_valid(pin) ? result : -ESTALE;
}

static int get_by_ioctl(const struct shelf_pin *pin, __u32 flags, __s64 id,
			struct shelf_product *p, void *attrs, __u32 room)
{
	struct shelf_ioc_get q = {
		.size = sizeof(q),
		.flags = flags,
		.id = id,
		.attrs = (__u64)(uintptr_t)attrs,
		.attrs_size = room < SHELF_ATTRS_MAX ? room : SHELF_ATTRS_MAX,
		.pin = pin->token,
	};

	if (ioctl(pin->fd, SHELF_IOC_GET, &q) < 0)
		return errno == ENOENT ? 0 : -errno;
	*p = q.product;
	return 1;
}

int shelf_pin_get(const struct shelf_pin *pin, __s64 id, struct shelf_product *p,
		  void *attrs, __u32 room)
{
	const struct shelf_product *at;

	if (!pin->at)
		return get_by_ioctl(pin, 0, id, p, attrs, room);
	at = shelf_view_product(&pin->view, id);
	if (!at)
		return (int)settled(pin, 0);
	shelf_copy(p, at, sizeof(*p));
	if (room)
		copy_attrs(&pin->view, p, attrs, room);
	strip(p);
	return (int)settled(pin, 1);
}

static long scan_by_ioctl(const struct shelf_pin *pin, __u32 which, struct shelf_scan *c,
			  void *out, size_t room)
{
	struct shelf_ioc_scan q = {
		.size = sizeof(q),
		.flags = which,
		.cursor = c->place,
		.records = (__u64)(uintptr_t)out,
		.count = room < SHELF_GET_MANY_MAX ? (__u32)room : SHELF_GET_MANY_MAX,
		.pin = pin->token,
	};

	if (ioctl(pin->fd, SHELF_IOC_SCAN, &q) < 0)
		return -errno;
	c->place = q.cursor;
	c->done = q.done;
	return q.count;
}

/* So many stretches are looked at before the pin is: what it pinned may be gone. */
#define SCAN_STEPS	1024U

/* Each stretch has an entry of its own, so only a damaged file has more. */
static bool too_many(const struct shelf_pin *pin, const struct shelf_scan *c)
{
	return pin->at && c->looked / SHELF_NODE_ENTRIES > pin->view.mask / SHELF_PAGE_BYTES;
}

static long scan_mapped(const struct shelf_pin *pin, __u32 which, struct shelf_scan *c,
			void *out, size_t room)
{
	__u32 n = room < UINT32_MAX ? (__u32)room : UINT32_MAX, bits;
	const __u32 *dir = shelf_scan_dir(pin->view.root, which, &bits);

	return shelf_scan_copy(&pin->view, dir, bits, c, out, n, SCAN_STEPS);
}

/*
 * @which: SHELF_SCAN_*, or 0: products. The cursor stays where it was unless what was
 * read is of the snapshot.
 */
static long scan(const struct shelf_pin *pin, __u32 which, struct shelf_scan *cursor,
		 void *out, size_t room)
{
	struct shelf_scan c = *cursor;
	long n = 0;

	if (room < SHELF_LEAF_SLOTS)
		return -EINVAL;
	while (!n && !c.done) {
		n = pin->at ? scan_mapped(pin, which, &c, out, room) :
			      scan_by_ioctl(pin, which, &c, out, room);
		if (pin->at)
			n = settled(pin, n);
		if (n >= 0 && too_many(pin, &c))
			n = -EINVAL;
	}
	if (n >= 0)
		*cursor = c;
	return n;
}

long shelf_pin_products(const struct shelf_pin *pin, struct shelf_scan *cursor,
			struct shelf_product *out, size_t room)
{
	return scan(pin, 0, cursor, out, room);
}

long shelf_pin_catalogs(const struct shelf_pin *pin, struct shelf_scan *cursor,
			struct shelf_catalog *out, size_t room)
{
	return scan(pin, SHELF_SCAN_CATALOGS, cursor, out, room);
}

long shelf_pin_sources(const struct shelf_pin *pin, struct shelf_scan *cursor,
		       struct shelf_source *out, size_t room)
{
	return scan(pin, SHELF_SCAN_SOURCES, cursor, out, room);
}

/* The product with the reference that shelf_pin_get() does not give. */
static const struct shelf_product *with_attrs(const struct shelf_pin *pin, __s64 id,
					      struct shelf_product *p)
{
	const struct shelf_product *at = shelf_view_product(&pin->view, id);

	memset(p, 0, sizeof(*p));
	if (at)
		shelf_copy(p, at, sizeof(*p));
	return p;
}

long shelf_pin_attrs(const struct shelf_pin *pin, const struct shelf_product *p, void *to,
		     __u32 room)
{
	struct shelf_product again;
	int ret;

	if (pin->at && p->attrs_len && !p->attrs_ref)
		p = with_attrs(pin, p->id, &again);
	if (pin->at)
		return settled(pin, shelf_view_attrs(&pin->view, p, to, room));
	ret = get_by_ioctl(pin, 0, p->id, &again, to, room);
	if (ret <= 0)
		return ret;
	return again.attrs_len < room ? again.attrs_len : room;
}

static long name_mapped(const struct shelf_pin *pin, __s64 id, char *name)
{
	const struct shelf_source *at = shelf_view_source(&pin->view, id);
	struct shelf_product p;

	if (!at)
		return settled(pin, 0);
	shelf_copy(&p, at, sizeof(p));
	return settled(pin, shelf_view_attrs(&pin->view, &p, name, SHELF_SOURCE_MAX));
}

long shelf_pin_source_name(const struct shelf_pin *pin, const struct shelf_source *source,
			   char name[SHELF_SOURCE_MAX + 1])
{
	struct shelf_product p;
	long n;

	if (pin->at) {
		n = name_mapped(pin, source->id, name);
	} else {
		n = get_by_ioctl(pin, SHELF_GET_SOURCE, source->id, &p, name,
				 SHELF_SOURCE_MAX);
		n = n > 0 ? p.attrs_len : n;
	}
	name[n > 0 ? n : 0] = 0;
	return n;
}

static long members_by_ioctl(const struct shelf_pin *pin, struct shelf_cursor *cursor,
			     __s64 *ids, __u32 room, bool *more)
{
	struct shelf_ioc_members q = {
		.size = sizeof(q),
		.flags = cursor->started ? SHELF_MEMBERS_AFTER : 0,
		.catalog = cursor->catalog,
		.after = cursor->after,
		.ids = (__u64)(uintptr_t)ids,
		.count = room,
		.pin = pin->token,
	};

	if (ioctl(pin->fd, SHELF_IOC_MEMBERS, &q) < 0)
		return -errno;
	cursor->total = q.total;
	*more = q.more;
	return q.count;
}

static long members_mapped(const struct shelf_pin *pin, struct shelf_cursor *cursor,
			   __s64 *ids, __u32 room, bool *more)
{
	const struct shelf_catalog *c = shelf_view_catalog(&pin->view, cursor->catalog);
	struct shelf_catalog copy;

	if (!c)
		return settled(pin, -ENOENT);
	shelf_copy(&copy, c, sizeof(copy));
	cursor->total = copy.count;
	return settled(pin, shelf_catalog_copy(&pin->view, &copy, !cursor->started,
					       cursor->after, ids, room, more));
}

long shelf_pin_members(const struct shelf_pin *pin, struct shelf_cursor *cursor,
		       __s64 *ids, size_t room)
{
	bool more = false;
	long n;

	if (!room)
		return -EINVAL;
	if (cursor->done)
		return 0;
	if (room > SHELF_PAGE_MEMBERS_MAX)
		room = SHELF_PAGE_MEMBERS_MAX;
	n = pin->at ? members_mapped(pin, cursor, ids, (__u32)room, &more) :
		      members_by_ioctl(pin, cursor, ids, (__u32)room, &more);
	if (n < 0)
		return n;
	/* As in shelf_catalog_next(): only a damaged file goes backwards. */
	if (n && (ids[n - 1] < ids[0] || (cursor->started && ids[0] <= cursor->after)))
		return -EINVAL;
	cursor->generation = pin->generation;
	cursor->done = !more || !n;
	cursor->started = true;
	if (n)
		cursor->after = ids[n - 1];
	return n;
}
