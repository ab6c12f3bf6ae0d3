// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdlib.h>

#include "follow.h"

void places_add(struct places *p, struct place at)
{
	if (p->n == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		p->of = xalloc(p->of, p->room, sizeof(*p->of));
	}
	p->of[p->n++] = at;
}

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

void places_sort(struct places *p)
{
	if (p->n)
		qsort(p->of, p->n, sizeof(*p->of), compare);
}

bool places_have(const struct places *p, struct place at)
{
	return p->n && bsearch(&at, p->of, p->n, sizeof(*p->of), compare);
}
