// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl diff: what makes one shelf or export into another, as lines for apply.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "delta.h"
#include "print.h"
#include "document.h"

#define TRIES	5

/**
 * struct diff
 * @spool: the lines, until the second of the two has been seen to be whole; NULL: only
 *	counts are wanted
 */
struct diff {
	struct index from;
	struct delta delta;
	FILE *spool;
};

static int spool_broken(void)
{
	return fail(STATUS_REFUSED, -errno, "temporary file: %s", strerror(errno));
}

static int emit(void *arg, const struct line *op)
{
	struct diff *d = arg;

	if (!d->spool)
		return 0;
	print_line(d->spool, op);
	return ferror(d->spool) ? spool_broken() : 0;
}

static int again(void *arg)
{
	struct diff *d = arg;

	if (!d->spool)
		return 0;
	rewind(d->spool);	/* which writes what is in hand */
	return ftruncate(fileno(d->spool), 0) ? spool_broken() : 0;
}

static int read_file(const char *name, struct full *f)
{
	struct full_file file;
	int status = full_file_open(&file, name, false);

	if (status)
		return status;
	status = full_file_read(&file, f);
	full_file_close(&file);
	return status;
}

static int read_pinned(const struct shelf *s, const char *name, struct full *f)
{
	__u64 generation;
	int ret, try = 0;

	do {
		ret = try ? f->again(f) : 0;
		if (!ret)
			ret = full_shelf_read(s, name, f, &generation);
	} while (ret == -ESTALE && ++try < TRIES);
	if (ret == -ESTALE)
		return fail(STATUS_REFUSED, ret, "%s: not read", name);
	return ret;
}

static int read_shelf(const char *name, struct full *f)
{
	const struct args a = { .shelf = (char *)name };
	struct shelf *s;
	int status = open_shelf(&a, &s);

	if (status)
		return status;
	status = read_pinned(s, name, f);
	shelf_close(s);
	return status;
}

static int read_either(const char *name, bool shelf, struct full *f)
{
	if (!strncmp(name, "shelf:", 6))
		return read_shelf(name + 6, f);
	if (shelf || !strncmp(name, "hosted:", 7))
		return read_shelf(name, f);
	return read_file(name, f);
}

static int compare(struct diff *d, const struct args *a)
{
	bool shelf = a->value[OPT_SHELF] || a->value[OPT_HOSTED];
	int status = read_either(a->shelf, shelf, &d->from.full);

	if (!status)
		status = read_either(a->word[0], false, &d->delta.full);
	return status ? status : delta_finish(&d->delta);
}

static int print_spool(struct diff *d)
{
	char buffer[65536];
	size_t n;

	if (fflush(d->spool))
		return spool_broken();
	rewind(d->spool);
	while ((n = fread(buffer, 1, sizeof(buffer), d->spool)) > 0)
		fwrite(buffer, 1, n, stdout);
	return ferror(d->spool) ? spool_broken() : 0;
}

static int print_stat(const struct diff *d)
{
	struct document doc;

	if (json_output) {
		document_begin(&doc);
		delta_print(doc.to, &d->delta.counts);
		document_end(&doc, stdout);
		return 0;
	}
	delta_print(stdout, &d->delta.counts);
	putchar('\n');
	return 0;
}

static int diff(struct diff *d, const struct args *a)
{
	int status;

	if (!a->value[OPT_STAT]) {
		d->spool = tmpfile();
		if (!d->spool)
			return spool_broken();
	}
	status = compare(d, a);
	if (!status)
		status = d->spool ? print_spool(d) : print_stat(d);
	if (d->spool)
		fclose(d->spool);
	if (status)
		return status;
	return d->delta.counts.ops ? STATUS_DIFFERS : STATUS_OK;
}

int run_diff(const struct args *a)
{
	struct diff d = { .spool = NULL };
	int status;

	refused_as = STATUS_TROUBLE;
	if (a->words != 1)
		return fail(STATUS_USAGE, 0, "diff takes two, of which each is a shelf or a FILE");
	if (!strcmp(a->shelf, "-") && !strcmp(a->word[0], "-"))
		return fail(STATUS_USAGE, 0, "standard input twice");
	index_init(&d.from);
	delta_init(&d.delta, &d.from);
	d.delta.emit = emit;
	d.delta.again = again;
	d.delta.arg = &d;
	status = diff(&d, a);
	delta_free(&d.delta);
	index_free(&d.from);
	return status;
}
