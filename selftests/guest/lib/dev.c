// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dev.h"

#define STATE_IDS	256

int dev_open(const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/shelf/%s", name);
	return open(path, flags | O_CLOEXEC);
}

static bool dev_info(int fd, struct shelf_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return !ioctl(fd, SHELF_IOC_INFO, info);
}

__u64 dev_generation(int fd)
{
	struct shelf_ioc_info info;

	return dev_info(fd, &info) ? info.generation : 0;
}

/* 0, or errno */
static int dev_get(int fd, __s64 id, struct shelf_product *p, void *attrs,
		   __u32 room)
{
	struct shelf_ioc_get get = {
		.size = sizeof(get), .id = id, .attrs = (uintptr_t)attrs,
		.attrs_size = room,
	};

	if (ioctl(fd, SHELF_IOC_GET, &get))
		return errno;
	*p = get.product;
	return 0;
}

__s64 dev_price(int fd, __s64 id)
{
	struct shelf_product p = { 0 };

	return dev_get(fd, id, &p, NULL, 0) ? -1 : p.price;
}

int dev_count(int fd, __s64 first, __u32 count)
{
	static struct shelf_product products[SHELF_GET_MANY_MAX];
	static __s64 ids[SHELF_GET_MANY_MAX];
	struct shelf_ioc_get_many many = {
		.size = sizeof(many), .ids = (uintptr_t)ids,
		.products = (uintptr_t)products, .count = count,
	};
	__u32 i;

	for (i = 0; i < count; i++)
		ids[i] = first + i;
	return ioctl(fd, SHELF_IOC_GET_MANY, &many) ? -1 : (int)many.found;
}

static __u64 hash_bytes(__u64 hash, const void *data, size_t len)
{
	const __u8 *p = data;

	while (len--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	return hash;
}

static __u64 hash_product(__u64 hash, int fd, __s64 id)
{
	static __u8 attrs[SHELF_ATTRS_MAX];
	struct shelf_product p;

	if (dev_get(fd, id, &p, attrs, sizeof(attrs)))
		return hash_bytes(hash, &id, sizeof(id));
	hash = hash_bytes(hash, &p, sizeof(p));
	return hash_bytes(hash, attrs, p.attrs_len);
}

/* No catalog of a test is larger than one answer. */
static __u64 hash_catalog(__u64 hash, int fd, __s64 id)
{
	static __s64 ids[SHELF_PAGE_MEMBERS_MAX];
	struct shelf_ioc_members members = {
		.size = sizeof(members), .catalog = id, .ids = (uintptr_t)ids,
		.count = SHELF_PAGE_MEMBERS_MAX,
	};

	if (ioctl(fd, SHELF_IOC_MEMBERS, &members))
		return hash_bytes(hash, &id, sizeof(id));
	hash = hash_bytes(hash, &members.total, sizeof(members.total));
	return hash_bytes(hash, ids, members.count * sizeof(*ids));
}

struct state state_of(int fd)
{
	struct state s = { .hash = 0xcbf29ce484222325ULL };
	struct shelf_ioc_info info;
	__s64 id;

	if (!dev_info(fd, &info))
		return (struct state){ 0 };
	s.generation = info.generation;
	s.products = info.products;
	s.catalogs = info.catalogs;
	s.memberships = info.memberships;
	s.attrs_bytes = info.attrs_bytes;
	for (id = 0; id < STATE_IDS; id++) {
		s.hash = hash_product(s.hash, fd, id);
		s.hash = hash_catalog(s.hash, fd, id);
	}
	return s;
}

bool state_same(const struct state *a, const struct state *b)
{
	return a->generation && !memcmp(a, b, sizeof(*a));
}

int module_refs(void)
{
	FILE *f = fopen("/sys/module/shelf/refcnt", "re");
	int refs = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &refs) != 1)
		refs = -1;
	fclose(f);
	return refs;
}
