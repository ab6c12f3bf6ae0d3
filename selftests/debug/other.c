// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A shelf that comes and goes, beside the one that must not change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../guest/lib/dev.h"
#include "sweep.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define OTHER_COUNT	60U		/* products, of so many attribute bytes: two chunks */
#define OTHER_ATTRS	60000U

int negative(int error)
{
	return -error;
}

/* A socket for each call: what the last one was not told must not come now. */
int connect_anew(struct site *s)
{
	wire_close(&s->nl);
	return negative(wire_open(&s->nl));
}

/* The kernel removes a node as it can, and tells nobody if it can't. */
int other_destroy(struct site *s)
{
	int ret = connect_anew(s) ?: wire_destroy(&s->nl, s->other);

	if (ret && ret != ENOENT)
		return negative(ret);
	ret = ERRNO(unlink("/dev/shelf/other"));
	return ret == -ENOENT ? 0 : ret;
}

int other_create(struct site *s)
{
	return negative(wire_create(&s->nl, s->other, OTHER_BYTES, 0, 0));
}

bool other_is_gone(struct site *s)
{
	return access("/sys/class/shelf/other", F_OK) && access("/dev/shelf/other", F_OK);
}

int other_make(struct site *s)
{
	return other_destroy(s) ?: other_create(s);
}

int other_end(struct site *s)
{
	int ret = wire_destroy(&s->nl, s->other);

	return ret == ENOENT && other_is_gone(s) ? 0 : negative(ret);
}

/* Memory that the shelf does not have yet: as blocks, and as single pages. */
int fill(struct site *s)
{
	struct kit k = { .fd = -1 };
	int ret;

	snprintf(k.name, sizeof(k.name), "%s", s->other);
	ret = shelf_writer_open(k.name, &k.w, NULL);
	if (ret)
		return ret;
	ret = put_products(&k, 1, OTHER_COUNT, OTHER_ATTRS, 1);
	shelf_writer_close(k.w);
	return ret;
}

int other_make_small(struct site *s)
{
	return write_file(SMALL_CHUNKS, "Y") ?: other_make(s);
}

int other_end_small(struct site *s)
{
	return other_end(s) ?: write_file(SMALL_CHUNKS, "N");
}

/* One product more; of each source the next number. */
int put_next(struct site *s, __u64 number, bool check)
{
	struct shelf_change c = { .id = (__s64)number };
	struct shelf_writer *w;
	struct shelf_batch *b;
	char source[16];
	unsigned int i;
	int ret = shelf_writer_open(s->other, &w, NULL);

	if (ret)
		return ret;
	ret = shelf_batch_begin(w, &b, NULL) ?: shelf_batch_put(b, &c, NULL);
	for (i = 0; i < OTHER_SOURCES && !ret; i++) {
		snprintf(source, sizeof(source), "topic/%u", i);
		ret = shelf_batch_sequence(b, source, number, number, SHELF_NO_GAP, NULL);
	}
	if (!ret) {
		shelf_batch_max_change(b, SHELF_CHANGE_MAX);
		shelf_batch_dangling(b, SHELF_DANGLING_REFUSE);
		if (check)
			shelf_batch_check(b);
		ret = shelf_batch_commit(b, NULL, NULL, NULL);
	}
	shelf_writer_close(w);
	return ret;
}

int other_make_sourced(struct site *s)
{
	return other_make(s) ?: put_next(s, 1, false);
}

/* Much is deleted, so that there is much to trim. */
int thin_out(struct site *s)
{
	struct shelf_writer *w = NULL;
	struct shelf_batch *b;
	int ret = other_make(s) ?: fill(s);
	unsigned int i;

	ret = ret ?: shelf_writer_open(s->other, &w, NULL) ?: shelf_batch_begin(w, &b, NULL);
	for (i = 1; i <= OTHER_COUNT && !ret; i++)
		if (i % 8)
			ret = shelf_batch_delete(b, i, NULL);
	ret = ret ?: shelf_batch_commit(b, NULL, NULL, NULL);
	if (w)
		shelf_writer_close(w);
	return ret;
}
