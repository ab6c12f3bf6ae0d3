// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The same products on a shelf, in a BPF hash map and in a file in memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

#define NAME		"bench"
#define LOAD		1000U	/* elements in one call, to load the BPF map */

union room {
	struct bench_record r;
	uint8_t bytes[sizeof(struct bench_record) + BENCH_ATTRS_MAX];
};

static const struct bench_record *record(uint64_t index)
{
	static union room room;

	memset(&room, 0, sizeof(room));
	bench_fill(&room.r, index, 0);
	return &room.r;
}

static void put(struct shelf_batch *b, uint64_t index)
{
	const struct bench_record *r = record(index);
	struct shelf_change c = {
		.id = r->id,
		.fields = SHELF_PRICE | SHELF_STOCK | SHELF_CURRENCY | SHELF_ATTRS,
		.price = r->price, .stock = r->stock,
		.attrs = r->attrs, .attrs_len = r->attrs_len,
	};
	struct shelf_error err;

	memcpy(c.currency, r->currency, sizeof(c.currency));
	if (shelf_batch_put(b, &c, &err))
		bench_die("put", err.message);
}

static void make_shelf(struct world *w)
{
	struct shelf_settings settings = { .max_bytes = 256 << 20, .quarantine_ms = -1 };
	struct shelf_writer *writer;
	struct shelf_result result;
	struct shelf_batch *b;
	struct shelf_error err;
	uint64_t i;

	if (shelf_create(NAME, &settings, &err) ||
	    shelf_writer_open(NAME, &writer, &err) ||
	    shelf_batch_begin(writer, &b, &err))
		bench_die("shelf", err.message);
	for (i = 0; i < PRODUCTS; i++)
		put(b, i);
	if (shelf_batch_commit(b, NULL, &result, &err))
		bench_die("commit", err.message);
	shelf_writer_close(writer);
	if (shelf_open(NAME, 0, &w->shelf) || !shelf_is_mapped(w->shelf))
		bench_die("shelf", "can't be mapped");
	if (shelf_open(NAME, SHELF_OPEN_COUNT, &w->counted))
		bench_die("shelf", "can't be opened for counted reads");
	w->shelf_fd = open("/dev/shelf/" NAME, O_RDONLY | O_CLOEXEC);
	if (w->shelf_fd < 0)
		bench_die("/dev/shelf/" NAME, strerror(errno));
}

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* Elements are allocated with the map, which is its fast kind. */
static int create_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(__s64),
		.value_size = VALUE_BYTES,
		.max_entries = PRODUCTS,
	};
	long fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		bench_die("BPF map", strerror(errno));
	return (int)fd;
}

static void make_map(struct world *w)
{
	static uint8_t values[LOAD][VALUE_BYTES];
	__s64 keys[LOAD];
	uint64_t i, j;

	w->map_fd = create_map();
	for (i = 0; i < PRODUCTS; i += LOAD) {
		union bpf_attr attr = {
			.batch.map_fd = (__u32)w->map_fd,
			.batch.keys = (__u64)(uintptr_t)keys,
			.batch.values = (__u64)(uintptr_t)values,
			.batch.count = LOAD,
		};

		for (j = 0; j < LOAD; j++) {
			keys[j] = bench_id(i + j);
			memcpy(values[j], record(i + j), VALUE_BYTES);
		}
		if (bpf(BPF_MAP_UPDATE_BATCH, &attr))
			bench_die("BPF map", strerror(errno));
	}
}

static void make_file(struct world *w)
{
	uint64_t i;

	w->file_fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (w->file_fd < 0)
		bench_die("/dev/shm", strerror(errno));
	for (i = 0; i < PRODUCTS; i++)
		if (write(w->file_fd, record(i), VALUE_BYTES) != VALUE_BYTES)
			bench_die("/dev/shm", "a short write");
}

static void make_ids(struct world *w)
{
	uint64_t i, seed = 1;

	w->indexes = bench_memory(PRODUCTS * sizeof(*w->indexes), false);
	w->ids = bench_memory(PRODUCTS * sizeof(*w->ids), false);
	for (i = 0; i < PRODUCTS; i++) {
		w->indexes[i] = bench_random(&seed) % PRODUCTS;
		w->ids[i] = bench_id(w->indexes[i]);
	}
}

void world_make(struct world *w)
{
	printf("loading %u products: shelf", PRODUCTS);
	make_shelf(w);
	printf(", BPF map");
	make_map(w);
	printf(", file\n");
	make_file(w);
	make_ids(w);
	w->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (w->null_fd < 0)
		bench_die("/dev/null", strerror(errno));
}

void world_free(struct world *w)
{
	struct shelf_error err;

	close(w->shelf_fd);
	close(w->map_fd);
	close(w->file_fd);
	close(w->null_fd);
	shelf_close(w->shelf);
	shelf_close(w->counted);
	if (shelf_destroy(NAME, &err))
		bench_die("destroy", err.message);
}
