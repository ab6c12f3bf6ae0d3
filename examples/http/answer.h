/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>
#include <shelf/shelf.h>

#define LIMIT_MAX	1000U	/* members in one answer */

/**
 * struct page - what part of a catalog is asked for
 * @after: ids above it, if @from_start is false
 * @products: their records as well
 */
struct page {
	__s64 after;
	bool from_start;
	bool products;
	__u32 limit;
};

/**
 * struct answer - an object in JSON
 * @body: to be freed
 * @version: the commit that last changed what it tells
 * @generation: the one that was read
 */
struct answer {
	char *body;
	size_t len;
	__u64 version;
	__u64 generation;
};

/*
 * 1: there it is, 0: no such product or catalog, or a negative errno. EAGAIN: commits
 * came so fast that no generation lasted for the time of a read. The shelf is mapped.
 */
int answer_product(const struct shelf *s, __s64 id, struct answer *a);
int answer_catalog(const struct shelf *s, __s64 id, const struct page *page,
		   struct answer *a);

#endif /* ANSWER_H */
