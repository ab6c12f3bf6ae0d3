/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the guest's benchmark keeps its products in, and the ways to read them.
 */
#ifndef GUEST_BENCH_H
#define GUEST_BENCH_H

#include <sys/syscall.h>

#include "../bench.h"
#include "../../lib/shelf.h"

#define PRODUCTS	200000U
#define VALUE_BYTES	200U	/* of a value in the BPF map, and of a record in the file */
#define MANY		BENCH_BATCH

/**
 * struct world - the same products in each of them
 * @shelf: mapped
 * @shelf_fd: the device once more, for ioctls by hand
 * @map_fd: a BPF hash map from id to VALUE_BYTES
 * @file_fd: records of VALUE_BYTES side by side
 * @counted: the same shelf, opened with SHELF_OPEN_COUNT
 * @indexes, @ids: of products in random order
 */
struct world {
	struct shelf *shelf;
	struct shelf *counted;
	int shelf_fd;
	int map_fd;
	int file_fd;
	int null_fd;
	uint64_t *indexes;
	__s64 *ids;
};

/* Exit on failure. */
void world_make(struct world *w);
void world_free(struct world *w);

/**
 * struct way - one way to get at a product
 * @name: in the summary, behind "guest."
 * @title: for a person
 * @batch: products, or empty calls, that each call is about
 * @calls: calls of a window when it is timed; when instructions are counted,
 *         a few, so that most windows see no timer interrupt
 * @any: a call may find fewer than @batch
 * @run: looks up @calls times @batch ids from @ids on; returns how many were
 *       found, or, of an empty call, went as they should
 */
struct way {
	const char *name;
	const char *title;
	unsigned int batch;
	unsigned int calls;
	unsigned int calls_counted;
	bool any;
	uint64_t (*run)(struct world *w, const __s64 *ids, const uint64_t *indexes,
			unsigned int calls);
};

/* Ends with a NULL name. The first is an empty loop, and the second the mapped get. */
extern const struct way ways[];

/* A system call without the C library: a negative errno, and no branch more. */
static inline long raw_call(long nr, long a, long b, long c, long d)
{
	register long r10 asm("r10") = d;
	long ret;

	asm volatile("syscall" : "=a" (ret)
		     : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10)
		     : "rcx", "r11", "memory");
	return ret;
}

#endif /* GUEST_BENCH_H */
