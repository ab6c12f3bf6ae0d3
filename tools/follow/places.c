// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "follow.h"

void places_add(struct places *p, struct place at)
{
	if (p->n == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		p->of = xalloc(p->of, p->room, sizeof(*p->of));
	}
	p->of[p->n++] = at;
}

bool places_have(const struct places *p, struct place at)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->of[i].part == at.part && p->of[i].offset == at.offset)
			return true;
	return false;
}
