// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

int lines_open(struct lines *l, const char *name)
{
	int status;

	memset(l, 0, sizeof(*l));
	status = input_open(&l->in, name);
	if (status)
		return status;
	l->hash = XXH3_createState();
	if (!l->hash)
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	return 0;
}

void lines_close(struct lines *l)
{
	input_close(&l->in);
	line_free(&l->line);
	XXH3_freeState(l->hash);
	free(l->text);
}

static void failed(const struct lines *l)
{
	if (l->failed)
		l->failed(l->arg);
}

int lines_wrong(struct lines *l, __u64 number, const char *why)
{
	failed(l);
	return fail_at(STATUS_INPUT, 0, l->in.name, number, 0, why);
}

/* What was exported before there were hashes is read without. */
static int check_hash(struct lines *l)
{
	__u64 hash = XXH3_64bits_digest(l->hash);
	char why[160];

	if (!l->line.hashed && l->hashed)
		return lines_wrong(l, l->number, "end without a hash");
	if (l->line.hashed && hash != l->line.hash) {
		snprintf(why, sizeof(why),
			 "lines %llu to %llu are not as they were exported: their hash is %016llx, not %016llx",
			 l->begun, l->number - 1, hash, l->line.hash);
		return lines_wrong(l, l->number, why);
	}
	if (!l->line.digested || l->digest == l->line.digest)
		return 0;
	snprintf(why, sizeof(why),
		 "lines %llu to %llu say other than was exported: their digest is %016llx, not %016llx",
		 l->begun, l->number - 1, l->digest, l->line.digest);
	return lines_wrong(l, l->number, why);
}

static void reset(struct lines *l)
{
	XXH3_64bits_reset(l->hash);
	l->digest = 0;
}

static int begin(struct lines *l)
{
	if (l->begun)
		return lines_wrong(l, l->begun, "begin without an end");
	l->begun = l->number;
	reset(l);
	return 0;
}

static int end(struct lines *l)
{
	int status;

	if (!l->begun)
		return lines_wrong(l, l->number, "end without a begin");
	status = check_hash(l);
	l->begun = 0;
	l->exports++;
	return status;
}

/* P1. What has a begin counts only with its end: half an export is none. */
static int mark(struct lines *l)
{
	switch (l->line.kind) {
	case LINE_BEGIN:
		return begin(l);
	case LINE_END:
		return end(l);
	default:
		if (!l->begun)
			return lines_wrong(l, l->number, "restart without a begin");
		reset(l);
		return 0;
	}
}

static int take(struct lines *l, size_t n)
{
	struct line_error err;

	if (!line_parse(&l->line, l->text, n, &err)) {
		failed(l);
		return fail_at(STATUS_INPUT, 0, l->in.name, l->number, err.column,
			       err.message);
	}
	if (l->line.kind >= LINE_BEGIN)
		return mark(l);
	if (l->whole && !l->begun)
		return lines_wrong(l, l->number, "a line that is of no export");
	return 0;
}

static int take_line(struct lines *l, size_t n)
{
	bool blank = strspn(l->text, " \t\r") == n;
	int status = blank ? 0 : take(l, n);

	if (status || !l->begun)
		return status;
	XXH3_64bits_update(l->hash, l->text, n);
	XXH3_64bits_update(l->hash, "\n", 1);
	if (!blank && l->line.kind < LINE_BEGIN)
		l->digest += XXH3_64bits(l->text, n);
	return 0;
}

static int at_end(struct lines *l)
{
	int status;

	failed(l);
	status = input_error(&l->in);
	if (!status && l->begun)
		status = lines_wrong(l, l->begun, "begin without an end");
	if (!status && l->whole && !l->exports)
		status = fail(STATUS_INPUT, 0, "%s: no export in it", l->in.name);
	return -status;
}

int lines_next(struct lines *l)
{
	ssize_t n;
	int status;

	do {
		errno = 0;
		n = getline(&l->text, &l->room, l->in.lines);
		if (n < 0 || ferror(l->in.lines))
			return at_end(l);
		l->number++;
		if (n && l->text[n - 1] == '\n')
			l->text[--n] = 0;
		l->line.kind = LINE_END;
		status = take_line(l, (size_t)n);
		if (status)
			return -status;
	} while (l->line.kind == LINE_END);
	return 1;
}
