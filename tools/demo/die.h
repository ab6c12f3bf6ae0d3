/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * How the demo tools give up. They run once, in front of somebody, and own
 * nothing that outlives them, so every failure is one line and exit status 1.
 */
#ifndef DEMO_DIE_H
#define DEMO_DIE_H

#include <stddef.h>

/* Print "PROGRAM: message" to stderr. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then exit(1). */
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Print "FILE:LINE: message" to stderr, then exit(1). */
_Noreturn void die_at(const char *file, unsigned long line,
		      const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Allocation that dies rather than returns NULL. */
void *must_calloc(size_t count, size_t size);
char *must_strndup(const char *text, size_t length);
__attribute__((format(printf, 1, 2)))
char *must_printf(const char *format, ...);

/* Room for one more element in an array that doubles. */
void *must_grow(void *array, size_t count, size_t *room, size_t size);

#endif
