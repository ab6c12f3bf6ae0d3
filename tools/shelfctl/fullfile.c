// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "full.h"

void members_add(struct members *m, const __s64 *ids, size_t n)
{
	if (m->count + n > m->room) {
		m->room = 2 * (m->count + n);
		m->id = xalloc(m->id, m->room, sizeof(*m->id));
	}
	memcpy(m->id + m->count, ids, n * sizeof(*ids));
	m->count += n;
}

static int compare_ids(const void *a, const void *b)
{
	__s64 x = *(const __s64 *)a, y = *(const __s64 *)b;

	return (x > y) - (x < y);
}

void members_sort(struct members *m)
{
	size_t i, n = 1;

	for (i = 1; i < m->count && m->id[i - 1] < m->id[i]; i++)
		;
	if (i >= m->count)
		return;
	qsort(m->id, m->count, sizeof(*m->id), compare_ids);
	for (i = 1; i < m->count; i++)
		if (m->id[i] != m->id[n - 1])
			m->id[n++] = m->id[i];
	m->count = n;
}

int full_file_open(struct full_file *file, const char *name, bool hashed)
{
	int status;

	memset(file, 0, sizeof(*file));
	status = lines_open(&file->lines, name);
	file->lines.whole = true;
	file->lines.hashed = hashed;
	return status;
}

void full_file_close(struct full_file *file)
{
	lines_close(&file->lines);
	free(file->members.id);
}

/* The lines of a catalog end where something else begins. */
static int finish_catalog(struct full_file *file, struct full *f)
{
	int ret;

	if (!file->members.count)
		return 0;
	members_sort(&file->members);
	ret = f->catalog(f, file->catalog, file->members.id, file->members.count);
	file->members.count = 0;
	if (ret == -EEXIST)
		return lines_wrong(&file->lines, file->number,
				   "the lines of this catalog are not one behind the other");
	return ret;
}

static int take_product(struct full_file *file, struct full *f)
{
	int ret = finish_catalog(file, f);

	if (!ret)
		ret = f->product(f, &file->lines.line.change);
	if (ret == -EEXIST)
		return lines_wrong(&file->lines, file->lines.number, "this product is there twice");
	return ret;
}

static int take_members(struct full_file *file, struct full *f)
{
	const struct line *line = &file->lines.line;
	int ret = 0;

	if (line->change.id != file->catalog)
		ret = finish_catalog(file, f);
	file->catalog = line->change.id;
	file->number = file->lines.number;
	members_add(&file->members, line->members, line->members_count);
	return ret;
}

static int take_source(struct full_file *file, struct full *f)
{
	const struct line *line = &file->lines.line;
	int ret = finish_catalog(file, f);

	if (!ret)
		ret = f->source(f, line->source, line->last);
	if (ret == -EEXIST)
		return lines_wrong(&file->lines, file->lines.number, "this source is there twice");
	return ret;
}

static int take_line(struct full_file *file, struct full *f)
{
	struct lines *l = &file->lines;

	switch (l->line.kind) {
	case SHELF_OP_PUT:
		return take_product(file, f);
	case SHELF_OP_CATALOG_ADD:
		return take_members(file, f);
	case SHELF_OP_SOURCE:
		return take_source(file, f);
	case LINE_BEGIN:
		return l->exports ? lines_wrong(l, l->number, "a second export") : 0;
	case LINE_RESTART:
		file->members.count = 0;
		return f->again(f);
	default:
		return lines_wrong(l, l->number, "not an export: it has puts, adds and sources alone");
	}
}

int full_file_read(struct full_file *file, struct full *f)
{
	int ret, status = 0;

	do {
		ret = lines_next(&file->lines);
		if (ret > 0)
			status = take_line(file, f);
	} while (ret > 0 && !status);
	if (!ret && !status)
		status = finish_catalog(file, f);
	return ret < 0 ? -ret : status;
}
