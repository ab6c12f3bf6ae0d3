/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One line of an apply file, or a message that says the same.
 */
#ifndef SHELF_LINE_H
#define SHELF_LINE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../lib/shelf.h"
#include "xalloc.h"

/* How attributes are parsed, coming in and going out. */
#define ATTRS_PARSE	(JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* Members on a line that is printed: as many as one operation takes. */
#define LINE_IDS	SHELF_MEMBERS_MAX

/* Behind enum shelf_op_kind: what is several operations, and an export's marks. */
enum {
	LINE_SET = SHELF_OP_MAX + 1,	/* a catalog: deleted, and added to if it is not empty */
	LINE_BEGIN,
	LINE_RESTART,
	LINE_END,
};

/**
 * struct line - an operation or mark; its memory is kept from line to line
 * @kind: enum shelf_op_kind, or one of the above
 * @change: of a put or patch; its id is that of every operation
 * @members: of a catalog's add, remove or set
 * @source: a source's name, @first and @last its numbers
 * @hashed: an end tells the @hash of the lines before it
 * @digested: and the @digest of what they say, in any order
 */
struct line {
	unsigned int kind;
	struct shelf_change change;
	bool hashed;
	bool digested;
	__u64 hash;
	__u64 digest;
	__s64 *members;
	size_t members_count;
	size_t members_room;
	char source[SHELF_SOURCE_MAX + 1];
	__u64 first;
	__u64 last;
	bool no_gap;
	unsigned char *attrs;
	size_t attrs_room;
};

/**
 * struct line_error - what is wrong, and at which character, from 1
 */
struct line_error {
	size_t column;
	char message[256];
};

/* @text is NUL-terminated behind @n bytes. False: see @err. */
bool line_parse(struct line *l, const char *text, size_t n, struct line_error *err);

/**
 * struct line_given - what is known of an operation by other means than its text
 * @op: its name, or NULL; and @default_op, if the text has none either
 * @map: "product" or "catalog", what it is about, or NULL
 * @has_id: and which one, @id; only with @map
 *
 * What is given the text may leave out; if it says other than that, it is wrong.
 */
struct line_given {
	const char *op;
	const char *default_op;
	const char *map;
	bool has_id;
	__s64 id;
};

bool line_parse_given(struct line *l, const struct line_given *given, const char *text,
		      size_t n, struct line_error *err);
void line_free(struct line *l);

/*
 * stage.c: a line's operation, put into a batch; errors as of shelf.h. And how many
 * operations a batch counts it for.
 */
int line_stage(const struct line *l, struct shelf_batch *b, struct shelf_error *err);
__u64 line_ops(const struct line *l);

#endif /* SHELF_LINE_H */
