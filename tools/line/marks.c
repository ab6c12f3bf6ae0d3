// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "marks.h"
#include "xalloc.h"

void marks_add(struct marks *m, __u64 first_op, __u64 where)
{
	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 1024;
		m->of = xalloc(m->of, m->room, sizeof(*m->of));
	}
	m->of[m->n++] = (struct mark){ first_op, where };
}

size_t marks_find(const struct marks *m, __u64 op)
{
	size_t low = 0, n = m->n;

	while (n > 1) {
		size_t half = n / 2;

		if (m->of[low + half].first_op <= op) {
			low += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return low;
}
