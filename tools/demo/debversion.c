// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stddef.h>
#include <string.h>

#include "debversion.h"

/* A part of a version that is still to be compared. */
struct span {
	const char *at;
	const char *end;
};

struct version {
	struct span epoch;
	struct span upstream;
	struct span revision;
};

/* Not <ctype.h>: the archive's order must not depend on the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* An absent epoch or revision is an empty span, which compares as 0. */
static struct version split(const char *text)
{
	const char *colon = strchr(text, ':');
	const char *start = colon ? colon + 1 : text;
	const char *dash = strrchr(start, '-');
	const char *end = start + strlen(start);

	return (struct version) {
		.epoch = { text, colon ? colon : text },
		.upstream = { start, dash ? dash : end },
		.revision = { dash ? dash + 1 : end, end },
	};
}

static bool made_of(struct span span, const char *punctuation)
{
	for (; span.at < span.end; span.at++)
		if (!is_digit(*span.at) && !is_letter(*span.at) &&
		    !strchr(punctuation, *span.at))
			return false;
	return true;
}

static bool all_digits(struct span span)
{
	while (span.at < span.end && is_digit(*span.at))
		span.at++;
	return span.at == span.end;
}

bool debversion_valid(const char *text)
{
	struct version version = split(text);
	bool has_epoch = version.upstream.at != text;
	bool has_revision = *version.upstream.end == '-';

	if (has_epoch && version.epoch.at == version.epoch.end)
		return false;
	if (has_revision && version.revision.at == version.revision.end)
		return false;
	return version.upstream.at < version.upstream.end &&
	       all_digits(version.epoch) &&
	       made_of(version.upstream, ".+-~:") &&
	       made_of(version.revision, ".+~");
}

/* Tilde sorts before the end of a text, that before letters, they before the rest. */
static int weight(const struct span *span)
{
	if (span->at == span->end || is_digit(*span->at))
		return 0;
	if (*span->at == '~')
		return -1;
	return is_letter(*span->at) ? *span->at : *span->at + 256;
}

static int compare_text(struct span *a, struct span *b)
{
	while (weight(a) == weight(b)) {
		if (!weight(a))
			return 0;
		a->at++;
		b->at++;
	}
	return weight(a) - weight(b);
}

/* Takes the number off the front; its length without leading zeroes. */
static ptrdiff_t take_number(struct span *span, const char **number)
{
	while (span->at < span->end && *span->at == '0')
		span->at++;
	*number = span->at;
	while (span->at < span->end && is_digit(*span->at))
		span->at++;
	return span->at - *number;
}

/* By length, then by digits: dates and hashes overflow any integer type. */
static int compare_number(struct span *a, struct span *b)
{
	const char *x, *y;
	ptrdiff_t m = take_number(a, &x);
	ptrdiff_t n = take_number(b, &y);

	if (m != n)
		return m < n ? -1 : 1;
	return memcmp(x, y, (size_t)m);
}

static int compare_span(struct span a, struct span b)
{
	int ret = 0;

	while (!ret && (a.at < a.end || b.at < b.end)) {
		ret = compare_text(&a, &b);
		if (!ret)
			ret = compare_number(&a, &b);
	}
	return ret;
}

int debversion_compare(const char *a, const char *b)
{
	struct version x = split(a), y = split(b);
	int ret = compare_span(x.epoch, y.epoch);

	if (!ret)
		ret = compare_span(x.upstream, y.upstream);
	if (!ret)
		ret = compare_span(x.revision, y.revision);
	return ret;
}
