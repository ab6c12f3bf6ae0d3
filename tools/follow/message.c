// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A message as an operation: its key says which product or catalog, its value what of
 * it, in the words of shelfctl apply, and its header "op" which operation, if the value
 * doesn't. A value of null is a delete, as it is for who compacts the topic.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

/* The last header of that name, into @to; false: there is none, or none that fits. */
static bool header(const rd_kafka_message_t *m, const char *name, char *to, size_t room)
{
	rd_kafka_headers_t *all;
	const void *value;
	size_t n;

	if (rd_kafka_message_headers(m, &all) || rd_kafka_header_get_last(all, name, &value, &n))
		return false;
	if (!value || n >= room || memchr(value, 0, n))
		n = 0;
	else
		memcpy(to, value, n);
	to[n] = 0;
	return true;
}

static bool decimal(const char *key, size_t n, __s64 *id)
{
	char text[32], *end, first;

	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, key, n);
	text[n] = 0;
	errno = 0;
	*id = strtoll(text, &end, 10);
	/* strtoll() would pass over a blank or a plus. */
	first = text[*text == '-'];
	return !errno && end == text + n && first >= '0' && first <= '9';
}

static bool read_key(const struct options *o, const rd_kafka_message_t *m, __s64 *id, char *why)
{
	if (!m->key)
		snprintf(why, WHY_MAX, "it has no key");
	else if (!o->binary_key && !decimal(m->key, m->key_len, id))
		snprintf(why, WHY_MAX, "its key is not a decimal 64-bit integer");
	else if (o->binary_key && m->key_len != sizeof(*id))
		snprintf(why, WHY_MAX, "its key has %zu bytes and not 8", m->key_len);
	else
		goto good;
	return false;
good:
	if (o->binary_key) {
		memcpy(id, m->key, sizeof(*id));
		*id = (__s64)be64toh((__u64)*id);
	}
	return true;
}

static const char *read_map(const struct topic *t, const rd_kafka_message_t *m, char *why)
{
	char map[16];

	if (t->map || !header(m, "map", map, sizeof(map)))
		return t->map;
	if (!strcmp(map, "products"))
		return "product";
	if (!strcmp(map, "catalogs"))
		return "catalog";
	snprintf(why, WHY_MAX, "its header map is neither products nor catalogs");
	return NULL;
}

static bool is_change(unsigned int kind)
{
	return kind == SHELF_OP_PUT || kind == SHELF_OP_PATCH || kind == SHELF_OP_DELETE ||
	       kind == SHELF_OP_CATALOG_ADD || kind == SHELF_OP_CATALOG_REMOVE ||
	       kind == SHELF_OP_CATALOG_DELETE || kind == LINE_SET;
}

/* Parsed text ends with a NUL, which a value does not. */
static bool parse(struct line *l, const struct line_given *given, const void *value, size_t n,
		  char *why)
{
	static char *text;
	static size_t room;
	struct line_error err;

	if (n >= room) {
		room = 2 * n + 1024;
		text = xalloc(text, room, 1);
	}
	memcpy(text, value, n);
	text[n] = 0;
	if (!line_parse_given(l, given, text, n, &err)) {
		snprintf(why, WHY_MAX, "column %zu of its value: %s", err.column, err.message);
		return false;
	}
	if (!is_change(l->kind))
		snprintf(why, WHY_MAX, "its op is for files alone");
	return is_change(l->kind);
}

/* As the last message of its key says all of it: whole records, whole catalogs. */
static const char *default_op(const char *map)
{
	if (!map)
		return NULL;
	return *map == 'p' ? "put" : "set";
}

static bool tombstone(struct line_given *given, struct line *l, char *why)
{
	static const char nothing[] = "{}";

	if (!given->map) {
		snprintf(why, WHY_MAX, "nothing says whether it deletes a product or a catalog");
		return false;
	}
	if (given->op && strcmp(given->op, "delete")) {
		snprintf(why, WHY_MAX, "its value is null and its op not delete");
		return false;
	}
	given->op = "delete";
	return parse(l, given, nothing, 2, why);
}

static bool read_op(const struct options *o, const struct topic *t, const rd_kafka_message_t *m,
		    const char *op, struct line *l, char *why)
{
	struct line_given given = { .op = op };

	*why = 0;
	given.map = read_map(t, m, why);
	if (*why || (given.map && !read_key(o, m, &given.id, why)))
		return false;
	given.has_id = given.map;
	if (!m->payload)
		return tombstone(&given, l, why);
	given.default_op = default_op(given.map);
	return parse(l, &given, m->payload, m->len, why);
}

/* The end of a delta, which may have a number; those of a partition ascend. */
static bool read_marker(const rd_kafka_message_t *m, struct line *l, char *why)
{
	l->change.id = -1;
	if (!m->len || (decimal(m->payload, m->len, &l->change.id) && l->change.id >= 0))
		return true;
	snprintf(why, WHY_MAX, "a marker whose value is not a number from 0");
	return false;
}

enum message message_read(const struct options *o, const struct topic *t,
			  const rd_kafka_message_t *m, struct line *l, char *why)
{
	char op[16];
	bool has_op = header(m, "op", op, sizeof(op));

	if (has_op && !strcmp(op, "commit"))
		return read_marker(m, l, why) ? MESSAGE_MARKER : MESSAGE_POISON;
	return read_op(o, t, m, has_op ? op : NULL, l, why) ? MESSAGE_OP : MESSAGE_POISON;
}
