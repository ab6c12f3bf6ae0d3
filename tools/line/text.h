/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * JSON as text, base64, and text of others.
 */
#ifndef SHELF_TEXT_H
#define SHELF_TEXT_H

#include <stddef.h>

/*
 * These take text that has been parsed as JSON, so they check nothing. All
 * positions are in bytes from the beginning of @text.
 */
struct span {
	size_t key;		/* of a member; of an element as @value */
	size_t value;
	size_t end;		/* behind the value */
};

/* The @n-th member or element, from 0, of the object or array at @at. */
struct span scan_child(const char *text, size_t at, size_t n);
size_t scan_space(const char *text, size_t at);
/* Copies without the white space between tokens; returns bytes written. */
size_t scan_compact(char *to, const char *from, size_t n);
/* Which character, from 1, the byte at @at is of: as jansson counts. */
size_t scan_column(const char *text, size_t at);

/* The most bytes that @n characters of base64 stand for. */
#define BASE64_ROOM(n)	((n) / 4 * 3)
/* Strict: padding required, no white space. Returns bytes, or -1. */
long base64_decode(unsigned char *to, const char *from, size_t n);
/* Returns a NUL-terminated string of xalloc(). */
char *base64_encode(const unsigned char *from, size_t n);

/*
 * Messages quote what others gave us. A terminal must not obey it, and JSON must be
 * UTF-8.
 */
void make_plain(char *text);

#endif /* SHELF_TEXT_H */
