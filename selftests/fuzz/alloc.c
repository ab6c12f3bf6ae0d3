// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large blocks are kept when they are freed, poisoned, and behind each is poison as
 * well. Small ones are the sanitizer's.
 */
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#undef malloc
#undef calloc
#undef free

#define LARGE	(16U << 10)
#define ROOM	(320U << 10)	/* the largest, and what is poison behind it */
#define BLOCKS	64U

static unsigned char *blocks;
static unsigned int unused[BLOCKS], unused_count;
static unsigned char used[BLOCKS];

static void map_once(void)
{
	unsigned int i;

	blocks = malloc((size_t)BLOCKS * ROOM);
	if (!blocks)
		abort();
	ASAN_POISON_MEMORY_REGION(blocks, (size_t)BLOCKS * ROOM);
	for (i = 0; i < BLOCKS; i++)
		unused[i] = BLOCKS - 1 - i;
	unused_count = BLOCKS;
}

void *fuzz_malloc(size_t bytes)
{
	unsigned char *p;

	if (!blocks)
		map_once();
	if (bytes < LARGE || bytes > ROOM - 64 || !unused_count)
		return malloc(bytes);
	used[unused[--unused_count]] = 1;
	p = blocks + (size_t)unused[unused_count] * ROOM;
	ASAN_UNPOISON_MEMORY_REGION(p, bytes);
	return p;
}

void *fuzz_calloc(size_t n, size_t bytes)
{
	void *p;

	if (n * bytes < LARGE)
		return calloc(n, bytes);
	p = fuzz_malloc(n * bytes);
	return p ? memset(p, 0, n * bytes) : NULL;
}

void fuzz_free(void *p)
{
	size_t at = (size_t)((unsigned char *)p - blocks);

	if (!p || !blocks || at >= (size_t)BLOCKS * ROOM) {
		free(p);
		return;
	}
	if (at % ROOM || !used[at / ROOM]) {
		fprintf(stderr, "alloc: freed twice, or not from here\n");
		abort();
	}
	ASAN_POISON_MEMORY_REGION(p, ROOM);
	used[at / ROOM] = 0;
	unused[unused_count++] = (unsigned int)(at / ROOM);
}

unsigned int fuzz_blocks(void)
{
	return blocks ? BLOCKS - unused_count : 0;
}
