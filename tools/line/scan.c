// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where things are in a line of JSON. The parser knows what is wrong with a
 * value but not where it was; its members come in the order of the text, so
 * counting finds them again, whatever their keys are spelt like.
 */
#include <string.h>

#include "text.h"

static int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t scan_space(const char *text, size_t at)
{
	while (is_space(text[at]))
		at++;
	return at;
}

static size_t skip_string(const char *text, size_t at)
{
	for (at++; text[at] != '"'; at++)
		if (text[at] == '\\')
			at++;
	return at + 1;
}

/* Brackets need no telling apart: the parser has matched them. */
static size_t skip_value(const char *text, size_t at)
{
	size_t depth = 0;

	do {
		char c = text[at];

		if (c == '"') {
			at = skip_string(text, at);
		} else if (c == '{' || c == '[') {
			depth++;
			at++;
		} else if (c == '}' || c == ']') {
			depth--;
			at++;
		} else if (depth) {
			at++;
		} else {
			at += strcspn(text + at, ",]} \t\r\n");
		}
	} while (depth);
	return at;
}

struct span scan_child(const char *text, size_t at, size_t n)
{
	int object = text[at] == '{';
	struct span s;

	for (at++;; at++) {		/* behind the bracket or a comma */
		s.key = scan_space(text, at);
		s.value = s.key;
		if (object) {
			at = scan_space(text, skip_string(text, s.key));
			s.value = scan_space(text, at + 1);
		}
		s.end = skip_value(text, s.value);
		if (!n--)
			return s;
		at = scan_space(text, s.end);
	}
}

size_t scan_compact(char *to, const char *from, size_t n)
{
	size_t at = 0, out = 0, end;

	while (at < n) {
		if (is_space(from[at])) {
			at++;
			continue;
		}
		end = from[at] == '"' ? skip_string(from, at) : at + 1;
		memcpy(to + out, from + at, end - at);
		out += end - at;
		at = end;
	}
	return out;
}

size_t scan_column(const char *text, size_t at)
{
	size_t column = 1, i;

	for (i = 0; i < at; i++)
		column += ((unsigned char)text[i + 1] & 0xc0) != 0x80;
	return column;
}
