// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A stable sort of (key, value) pairs: by insertion when few, else by radix
 * from the lowest digit up, leaving out digits in which all keys agree. The
 * kernel's sort() is neither stable nor linear, and a batch may have millions
 * of operations.
 */
#include "core.h"

#define DIGIT_MASK	((1U << SORT_DIGIT_BITS) - 1)

static void insertion_sort(struct sort_item *items, u32 n)
{
	u32 i, j;

	for (i = 1; i < n; i++) {
		struct sort_item item = items[i];

		for (j = i; j && items[j - 1].key > item.key; j--)
			items[j] = items[j - 1];
		items[j] = item;
	}
}

static void count_digits(u32 *counts, const struct sort_item *items, u32 n)
{
	u32 i, d;

	memset(counts, 0, SORT_COUNTS * sizeof(*counts));
	for (i = 0; i < n; i++)
		for (d = 0; d < SORT_DIGITS; d++)
			counts[(d << SORT_DIGIT_BITS) +
			       (items[i].key >> d * SORT_DIGIT_BITS & DIGIT_MASK)]++;
}

/* Turns counts into positions; false if all keys have the same digit. */
static bool accumulate(u32 *counts, u32 n)
{
	u32 i, sum = 0;

	for (i = 0; i <= DIGIT_MASK; i++) {
		u32 c = counts[i];

		if (c == n)
			return false;
		counts[i] = sum;
		sum += c;
	}
	return true;
}

void sort_items(struct sorter *s, struct sort_item *items, u32 n)
{
	struct sort_item *from = items, *to = s->spare;
	u32 d, i;

	if (n <= 64) {
		insertion_sort(items, n);
		return;
	}
	count_digits(s->counts, items, n);
	for (d = 0; d < SORT_DIGITS; d++) {
		u32 *counts = s->counts + ((size_t)d << SORT_DIGIT_BITS);

		cond_resched();
		if (!accumulate(counts, n))
			continue;
		for (i = 0; i < n; i++)
			to[counts[from[i].key >> d * SORT_DIGIT_BITS & DIGIT_MASK]++] =
				from[i];
		swap(from, to);
	}
	if (from != items)
		memcpy(items, from, (size_t)n * sizeof(*items));
}
