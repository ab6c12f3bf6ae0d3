/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * In front of files whose large blocks come and go with each input: the address
 * sanitizer's allocator takes a system call for some of them. Put before all else
 * by -include.
 */
#ifndef FUZZ_ALLOC_H
#define FUZZ_ALLOC_H

#include <stdlib.h>

void *fuzz_malloc(size_t bytes);
void *fuzz_calloc(size_t n, size_t bytes);
void fuzz_free(void *p);
/* How many large ones are in use. */
unsigned int fuzz_blocks(void);

#define malloc(bytes)		fuzz_malloc(bytes)
#define calloc(n, bytes)	fuzz_calloc(n, bytes)
#define free(p)			fuzz_free(p)

#endif /* FUZZ_ALLOC_H */
