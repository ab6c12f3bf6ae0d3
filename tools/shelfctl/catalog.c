// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl catalog get: members, in the words of the apply file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "watch.h"

/**
 * struct members - a catalog, or a page of it
 * @from: where it begins
 * @to: where what is found is printed
 * @seen: of that, but for the generations
 */
struct members {
	const char *name;
	struct shelf *shelf;
	struct shelf_cursor from;
	__u64 limit;
	FILE *to;
	struct seen seen;
};

static void print_members(const struct members *m, const struct shelf_cursor *c,
			  const __s64 *ids, long n, bool first)
{
	long i;

	if (json_output) {
		print_add(m->to, c, ids, n, true);
		return;
	}
	if (first)
		fprintf(m->to, "catalog %lld members %llu generation %llu\n", c->catalog,
			c->total, c->generation);
	for (i = 0; i < n; i++)
		fprintf(m->to, "%lld\n", ids[i]);
}

/* Pages may be of different generations; each line tells its own. */
static int print_catalog(struct members *m)
{
	__s64 *ids = xalloc(NULL, LINE_IDS, sizeof(*ids));
	struct shelf_cursor c = m->from;
	__u64 left = m->limit;
	bool first = true;
	long n = 0;

	while (left) {
		n = shelf_catalog_next(m->shelf, &c, ids, left < LINE_IDS ? left : LINE_IDS);
		if (n < 0 || (!n && !first) || (!n && json_output))
			break;
		print_members(m, &c, ids, n, first);
		XXH3_64bits_update(m->seen.hash, ids, (size_t)n * sizeof(*ids));
		first = false;
		left -= (__u64)n;
		if (!n)
			break;
	}
	XXH3_64bits_update(m->seen.hash, &c.total, sizeof(c.total));
	free(ids);
	return n < 0 ? (int)n : 0;
}

static int tell(const struct members *m, int ret)
{
	if (ret == -ENOENT)
		return fail(STATUS_ABSENT, ret, "no catalog %lld", m->from.catalog);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", m->name, strerror(-ret));
	return STATUS_OK;
}

/* Held back until it is known to be different from what was printed last. */
static int look(void *arg)
{
	struct members *m = arg;
	char *text;
	size_t bytes;
	int ret;

	m->to = open_memstream(&text, &bytes);
	if (!m->to)
		return tell(m, -ENOMEM);
	ret = print_catalog(m);
	if (fclose(m->to))
		ret = -ENOMEM;
	XXH3_64bits_update(m->seen.hash, &ret, sizeof(ret));
	if (seen_changed(&m->seen)) {
		fwrite(text, 1, ret ? 0 : bytes, stdout);
		ret = tell(m, ret);
	} else {
		ret = STATUS_OK;
	}
	free(text);
	return ret;
}

static int arguments(const struct args *a, struct members *m)
{
	m->limit = ~0ULL;
	m->name = a->shelf;
	if (a->words != 1)
		return fail(STATUS_USAGE, 0, "catalog get takes one ID");
	if (args_id(a->word[0], "ID", &m->from.catalog) ||
	    args_u64(a, OPT_LIMIT, &m->limit))
		return STATUS_USAGE;
	if (!m->limit)
		return fail(STATUS_USAGE, 0, "--limit is 0");
	if (!a->value[OPT_AFTER])
		return 0;
	m->from.started = true;
	return args_id(a->value[OPT_AFTER], "--after", &m->from.after);
}

int run_catalog_get(const struct args *a)
{
	struct members m = { .to = stdout };
	int status = arguments(a, &m);

	if (!status)
		status = open_shelf(a, &m.shelf);
	if (status)
		return status;
	seen_begin(&m.seen);
	if (a->value[OPT_WATCH])
		status = watch(a, m.shelf, look, &m);
	else
		status = tell(&m, print_catalog(&m));
	seen_end(&m.seen);
	shelf_close(m.shelf);
	return status;
}
