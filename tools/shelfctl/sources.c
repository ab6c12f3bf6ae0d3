// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sources of a shelf, in the order of their names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "sources.h"

#define RECORDS	256
#define TRIES	5

static int take(struct sources *l, const struct shelf_pin *pin, const struct shelf_source *s)
{
	struct source *to;
	long n;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->of = xalloc(l->of, l->room, sizeof(*l->of));
	}
	to = &l->of[l->count];
	to->last = s->last;
	n = shelf_pin_source_name(pin, s, to->name);
	if (n != s->name_len)
		return n < 0 ? (int)n : -EINVAL;
	l->count++;
	return 0;
}

static int read_pinned(struct sources *l, const struct shelf_pin *pin)
{
	static struct shelf_source source[RECORDS];
	struct shelf_scan at = { 0 };
	int ret = 0;
	long n, i;

	l->count = 0;
	do {
		n = shelf_pin_sources(pin, &at, source, RECORDS);
		for (i = 0; !ret && i < n; i++)
			ret = take(l, pin, &source[i]);
	} while (!ret && n > 0);
	return ret ? ret : (int)n;
}

static int compare(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int sources_read(const struct shelf *s, struct sources *l, struct shelf_ioc_info *info)
{
	struct shelf_pin pin;
	int ret, tries = 0;

	do {
		ret = shelf_pin(s, 0, 0, &pin);
		if (ret)
			return ret;
		ret = shelf_pin_info(&pin, info);
		if (!ret)
			ret = read_pinned(l, &pin);
		shelf_unpin(&pin);
	} while (ret == -ESTALE && ++tries < TRIES);
	if (!ret && l->count)
		qsort(l->of, l->count, sizeof(*l->of), compare);
	return ret;
}

void sources_free(struct sources *l)
{
	free(l->of);
}

void sources_print(FILE *to, const struct sources *l)
{
	size_t i;

	for (i = 0; !json_output && i < l->count; i++)
		fprintf(to, "source %s last %llu\n", l->of[i].name, l->of[i].last);
	if (!json_output)
		return;
	fputs(",\"sources\":[", to);
	for (i = 0; i < l->count; i++) {
		fputs(i ? ",{\"source\":" : "{\"source\":", to);
		put_string(to, l->of[i].name);
		fprintf(to, ",\"last\":%llu}", l->of[i].last);
	}
	putc(']', to);
}
