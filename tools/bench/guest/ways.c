// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Each way to read a product, as a loop over ids. System calls are made by hand:
 * what the C library does with an error would count in favour of those that
 * give none.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* Does what is left of every loop below once the lookup is taken out. */
static uint64_t run_nothing(struct world *w, const __s64 *ids, const uint64_t *indexes,
			    unsigned int calls)
{
	uint64_t found = 0;
	unsigned int i;

	(void)w;
	(void)indexes;
	for (i = 0; i < calls; i++) {
		__s64 id = ids[i];

		asm volatile("" : "+r" (id));
		found += (uint64_t)(id != 0);
	}
	return found;
}

static uint64_t get_each(const struct shelf *s, const __s64 *ids, unsigned int calls)
{
	struct shelf_product p;
	uint64_t found = 0;
	unsigned int i;

	for (i = 0; i < calls; i++)
		found += (uint64_t)(shelf_get(s, ids[i], &p) == 1);
	return found;
}

static uint64_t run_get(struct world *w, const __s64 *ids, const uint64_t *indexes,
			unsigned int calls)
{
	(void)indexes;
	return get_each(w->shelf, ids, calls);
}

static uint64_t run_counted(struct world *w, const __s64 *ids, const uint64_t *indexes,
			    unsigned int calls)
{
	(void)indexes;
	return get_each(w->counted, ids, calls);
}

static uint64_t run_attrs(struct world *w, const __s64 *ids, const uint64_t *indexes,
			  unsigned int calls)
{
	uint8_t attrs[BENCH_ATTRS_MAX];
	struct shelf_product p;
	uint64_t found = 0;
	unsigned int i;

	(void)indexes;
	for (i = 0; i < calls; i++)
		found += (uint64_t)(shelf_get_attrs(w->shelf, ids[i], &p, attrs,
						    sizeof(attrs), NULL) == 1);
	return found;
}

static uint64_t section(const struct shelf *s, const __s64 *ids)
{
	const struct shelf_product *p;
	struct shelf_section c;
	uint64_t found, i;
	__s64 sum;

	do {
		found = 0;
		sum = 0;
		shelf_begin(s, &c);
		for (i = 0; i < MANY; i++) {
			p = shelf_view_product(&c.view, ids[i]);
			if (!p)
				continue;
			sum += SHELF_LOAD(p->price) + SHELF_LOAD(p->stock);
			found++;
		}
	} while (shelf_retry(s, &c));
	asm volatile("" : : "r" (sum));
	return found;
}

static uint64_t run_section(struct world *w, const __s64 *ids, const uint64_t *indexes,
			    unsigned int calls)
{
	uint64_t found = 0;
	unsigned int i;

	(void)indexes;
	for (i = 0; i < calls; i++)
		found += section(w->shelf, ids + i * MANY);
	return found;
}

static uint64_t run_many(struct world *w, const __s64 *ids, const uint64_t *indexes,
			 unsigned int calls)
{
	struct shelf_product p[MANY];
	uint64_t found = 0;
	unsigned int i;

	(void)indexes;
	for (i = 0; i < calls; i++)
		found += (uint64_t)shelf_get_many(w->shelf, ids + i * MANY, MANY, p, NULL);
	return found;
}

static uint64_t ioctl_get(struct world *w, const __s64 *ids, unsigned int calls,
			  struct shelf_ioc_get *q)
{
	uint64_t found = 0;
	unsigned int i;

	for (i = 0; i < calls; i++) {
		q->id = ids[i];
		found += (uint64_t)!raw_call(SYS_ioctl, w->shelf_fd, SHELF_IOC_GET,
					     (long)q, 0);
	}
	return found;
}

static uint64_t run_ioctl(struct world *w, const __s64 *ids, const uint64_t *indexes,
			  unsigned int calls)
{
	struct shelf_ioc_get q = { .size = sizeof(q) };

	(void)indexes;
	return ioctl_get(w, ids, calls, &q);
}

static uint64_t run_ioctl_attrs(struct world *w, const __s64 *ids,
				const uint64_t *indexes, unsigned int calls)
{
	uint8_t attrs[BENCH_ATTRS_MAX];
	struct shelf_ioc_get q = {
		.size = sizeof(q),
		.attrs = (__u64)(uintptr_t)attrs, .attrs_size = sizeof(attrs),
	};

	(void)indexes;
	return ioctl_get(w, ids, calls, &q);
}

static uint64_t run_ioctl_many(struct world *w, const __s64 *ids,
			       const uint64_t *indexes, unsigned int calls)
{
	struct shelf_product p[MANY];
	struct shelf_ioc_get_many q = {
		.size = sizeof(q), .products = (__u64)(uintptr_t)p, .count = MANY,
	};
	uint64_t found = 0;
	unsigned int i;

	(void)indexes;
	for (i = 0; i < calls; i++) {
		q.ids = (__u64)(uintptr_t)(ids + i * MANY);
		if (!raw_call(SYS_ioctl, w->shelf_fd, SHELF_IOC_GET_MANY, (long)&q, 0))
			found += q.found;
	}
	return found;
}

static uint64_t run_bpf(struct world *w, const __s64 *ids, const uint64_t *indexes,
			unsigned int calls)
{
	uint8_t value[VALUE_BYTES];
	union bpf_attr attr = {
		.map_fd = (__u32)w->map_fd, .value = (__u64)(uintptr_t)value,
	};
	uint64_t found = 0;
	unsigned int i;

	(void)indexes;
	for (i = 0; i < calls; i++) {
		attr.key = (__u64)(uintptr_t)(ids + i);
		/* No longer than what this command reads, as libbpf does. */
		found += (uint64_t)!raw_call(SYS_bpf, BPF_MAP_LOOKUP_ELEM, (long)&attr,
					     offsetof(union bpf_attr, flags) + 8, 0);
	}
	return found;
}

/*
 * The map's own order: it has no call for many keys that the caller names. One
 * long walk, which begins anew at the map's end.
 */
static uint64_t run_bpf_batch(struct world *w, const __s64 *ids, const uint64_t *indexes,
			      unsigned int calls)
{
	static uint8_t values[MANY][VALUE_BYTES];
	static __u32 cursor;
	static bool begun;
	__s64 keys[MANY];
	uint64_t found = 0;
	unsigned int i;
	long ret;

	(void)ids;
	(void)indexes;
	for (i = 0; i < calls; i++) {
		union bpf_attr attr = {
			.batch.map_fd = (__u32)w->map_fd,
			.batch.in_batch = begun ? (__u64)(uintptr_t)&cursor : 0,
			.batch.out_batch = (__u64)(uintptr_t)&cursor,
			.batch.keys = (__u64)(uintptr_t)keys,
			.batch.values = (__u64)(uintptr_t)values,
			.batch.count = MANY,
		};

		ret = raw_call(SYS_bpf, BPF_MAP_LOOKUP_BATCH, (long)&attr,
			       sizeof(attr.batch), 0);
		begun = !ret;
		if (!ret || ret == -ENOENT)	/* the end, with the last few */
			found += attr.batch.count;
	}
	return found;
}

static uint64_t run_pread(struct world *w, const __s64 *ids, const uint64_t *indexes,
			  unsigned int calls)
{
	uint8_t value[VALUE_BYTES];
	uint64_t found = 0;
	unsigned int i;

	(void)ids;
	for (i = 0; i < calls; i++)
		found += (uint64_t)(raw_call(SYS_pread64, w->file_fd, (long)value,
					     VALUE_BYTES,
					     (long)(indexes[i] * VALUE_BYTES)) ==
				    VALUE_BYTES);
	return found;
}

static uint64_t empty(int fd, unsigned long request, unsigned int calls)
{
	struct shelf_ioc_get q = { .size = sizeof(q) };
	uint64_t refused = 0;
	unsigned int i;

	for (i = 0; i < calls; i++)
		refused += (uint64_t)(raw_call(SYS_ioctl, fd, (long)request,
					       (long)&q, 0) == -ENOTTY);
	return refused;
}

static uint64_t run_empty(struct world *w, const __s64 *ids, const uint64_t *indexes,
			  unsigned int calls)
{
	(void)ids;
	(void)indexes;
	return empty(w->shelf_fd, _IO(SHELF_IOC, 255), calls);
}

static uint64_t run_null(struct world *w, const __s64 *ids, const uint64_t *indexes,
			 unsigned int calls)
{
	(void)ids;
	(void)indexes;
	return empty(w->null_fd, _IO(SHELF_IOC, 255), calls);
}

static uint64_t run_getpid(struct world *w, const __s64 *ids, const uint64_t *indexes,
			   unsigned int calls)
{
	uint64_t found = 0;
	unsigned int i;

	(void)w;
	(void)ids;
	(void)indexes;
	for (i = 0; i < calls; i++)
		found += (uint64_t)(raw_call(SYS_getpid, 0, 0, 0, 0) > 0);
	return found;
}

const struct way ways[] = {
	{ "nothing", "the loop alone (taken off below)", 1, 20000, 5000, false, run_nothing },
	{ "mapped_get", "mapped: shelf_get", 1, 10000, 1000, false, run_get },
	{ "mapped_counted", "mapped: shelf_get, counted and reported", 1, 10000, 1000, false,
	  run_counted },
	{ "mapped_attrs", "mapped: shelf_get_attrs, 136 bytes", 1, 10000, 1000, false,
	  run_attrs },
	{ "mapped_section", "mapped: a section of 100 lookups", MANY, 100, 10, false, run_section },
	{ "mapped_many", "mapped: shelf_get_many of 100", MANY, 100, 10, false, run_many },
	{ "ioctl_get", "ioctl: get", 1, 1000, 100, false, run_ioctl },
	{ "ioctl_attrs", "ioctl: get with 136 attribute bytes", 1, 1000, 100, false,
	  run_ioctl_attrs },
	{ "ioctl_many", "ioctl: get many, 100", MANY, 50, 5, false, run_ioctl_many },
	{ "bpf", "BPF hash map: lookup, 200 bytes", 1, 1000, 100, false, run_bpf },
	{ "bpf_batch", "BPF hash map: next 100 in its own order", MANY, 50, 5, true,
	  run_bpf_batch },
	{ "pread", "tmpfs file: pread of 200 bytes", 1, 1000, 100, false, run_pread },
	{ "empty_ioctl", "ioctl on the shelf, unknown", 1, 1000, 100, false, run_empty },
	{ "null_ioctl", "ioctl on /dev/null, unknown", 1, 1000, 100, false, run_null },
	{ "getpid", "getpid", 1, 1000, 100, false, run_getpid },
	{ 0 }
};
