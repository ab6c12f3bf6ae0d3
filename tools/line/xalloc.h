/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_XALLOC_H
#define SHELF_XALLOC_H

#include <stddef.h>

/*
 * realloc() of @n things of @size bytes. Out of memory there is nothing to save: it
 * does not return. Each program has its own.
 */
void *xalloc(void *old, size_t n, size_t size);

#endif /* SHELF_XALLOC_H */
