// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From a line of JSON to an operation. Strict: what isn't understood is an
 * error and not ignored, since a misspelt field would otherwise be a price of 0.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "text.h"

/* A line being parsed. */
struct parse {
	const char *text;
	size_t start;		/* of the object */
	struct line *line;
	struct line_error *err;
	const struct line_given *given;
	bool attrs_seen;
};

typedef bool (*take_fn)(struct parse *p, const json_t *v, struct span at);

#define KIND(k)		(1U << (k))
#define CHANGES		(KIND(SHELF_OP_PUT) | KIND(SHELF_OP_PATCH))
#define PRODUCT_OPS	(CHANGES | KIND(SHELF_OP_DELETE))
#define MEMBER_OPS	(KIND(SHELF_OP_CATALOG_ADD) | KIND(SHELF_OP_CATALOG_REMOVE))
#define LISTED_OPS	(MEMBER_OPS | KIND(LINE_SET))
#define CATALOG_OPS	(LISTED_OPS | KIND(SHELF_OP_CATALOG_DELETE))
#define SOURCE_OPS	(KIND(SHELF_OP_SEQUENCE) | KIND(SHELF_OP_SOURCE) | \
			 KIND(SHELF_OP_SOURCE_DELETE))
#define NUMBERED_OPS	(KIND(SHELF_OP_SEQUENCE) | KIND(SHELF_OP_SOURCE))
#define MARKS		(KIND(LINE_BEGIN) | KIND(LINE_RESTART) | KIND(LINE_END))
#define HASH_DIGITS	16
#define PRINTED_OPS	(KIND(SHELF_OP_PUT) | KIND(SHELF_OP_CATALOG_ADD) | \
			 KIND(SHELF_OP_SOURCE) | MARKS)

static bool __attribute__((format(printf, 3, 4)))
wrong(struct parse *p, size_t at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->err->message, sizeof(p->err->message), format, args);
	va_end(args);
	p->err->column = scan_column(p->text, at);
	return false;
}

static bool take_integer(struct parse *p, const json_t *v, struct span at,
			 const char *name, __s64 *out)
{
	if (!json_is_integer(v))
		return wrong(p, at.value, "%s is not an integer", name);
	*out = json_integer_value(v);
	return true;
}

static bool take_nothing(struct parse *p, const json_t *v, struct span at)
{
	(void)p;
	(void)v;
	(void)at;
	return true;
}

static bool take_ignored(struct parse *p, const json_t *v, struct span at)
{
	__s64 unused;

	return take_integer(p, v, at, "the field", &unused);
}

static bool take_id(struct parse *p, const json_t *v, struct span at)
{
	const struct line_given *given = p->given;

	if (!take_integer(p, v, at, "the id", &p->line->change.id))
		return false;
	if (given->has_id && p->line->change.id != given->id)
		return wrong(p, at.value, "the %s is %lld, and its key says %lld", given->map,
			     p->line->change.id, given->id);
	return true;
}

static bool take_price(struct parse *p, const json_t *v, struct span at)
{
	p->line->change.fields |= SHELF_PRICE;
	return take_integer(p, v, at, "price", &p->line->change.price);
}

static bool take_stock(struct parse *p, const json_t *v, struct span at)
{
	p->line->change.fields |= SHELF_STOCK;
	return take_integer(p, v, at, "stock", &p->line->change.stock);
}

static bool take_flags(struct parse *p, const json_t *v, struct span at)
{
	__s64 flags = 0;

	if (!take_integer(p, v, at, "flags", &flags))
		return false;
	if (flags < 0 || flags > 0xffffffffLL)
		return wrong(p, at.value, "flags is not from 0 to 4294967295");
	p->line->change.fields |= SHELF_FLAGS;
	p->line->change.flags = (__u32)flags;
	return true;
}

static bool take_currency(struct parse *p, const json_t *v, struct span at)
{
	const char *c = json_string_value(v);
	size_t i;

	if (!c || json_string_length(v) != 3)
		goto bad;
	for (i = 0; i < 3; i++)
		if (c[i] < 'A' || c[i] > 'Z')
			goto bad;
	p->line->change.fields |= SHELF_CURRENCY;
	memcpy(p->line->change.currency, c, 4);
	return true;
bad:
	return wrong(p, at.value, "currency is not three upper-case letters");
}

static unsigned char *attrs_room(struct line *l, size_t n)
{
	if (n > l->attrs_room) {
		l->attrs = xalloc(l->attrs, n, 1);
		l->attrs_room = n;
	}
	return l->attrs;
}

static bool set_attrs(struct parse *p, struct span at, size_t len)
{
	if (len > SHELF_ATTRS_MAX)
		return wrong(p, at.value, "%zu attribute bytes are more than %u", len,
			     SHELF_ATTRS_MAX);
	if (p->attrs_seen)
		return wrong(p, at.key, "both attrs and attrs_base64");
	p->attrs_seen = true;
	p->line->change.fields |= SHELF_ATTRS;
	p->line->change.attrs = p->line->attrs;
	p->line->change.attrs_len = (__u32)len;
	return true;
}

/*
 * The text itself without white space, rather than what the parser would
 * write: 19.99 stays 19.99.
 */
static bool take_attrs(struct parse *p, const json_t *v, struct span at)
{
	size_t n = at.end - at.value;

	if (json_is_null(v) && p->line->kind == SHELF_OP_PATCH)
		return set_attrs(p, at, 0);
	if (!json_is_object(v))
		return wrong(p, at.value, "attrs is not an object");
	n = scan_compact((char *)attrs_room(p->line, n), p->text + at.value, n);
	return set_attrs(p, at, n);
}

static bool take_base64(struct parse *p, const json_t *v, struct span at)
{
	size_t n = json_string_length(v);
	long len = -1;

	if (json_is_string(v))
		len = base64_decode(attrs_room(p->line, BASE64_ROOM(n)),
				    json_string_value(v), n);
	if (len < 0)
		return wrong(p, at.value, "attrs_base64 is not a string of base64");
	return set_attrs(p, at, (size_t)len);
}

static bool take_members(struct parse *p, const json_t *v, struct span at)
{
	struct line *l = p->line;
	size_t n = json_array_size(v), i;

	if (!json_is_array(v))
		return wrong(p, at.value, "products is not an array");
	if (!n && l->kind != LINE_SET)
		return wrong(p, at.value, "products is empty");
	if (n > l->members_room) {
		l->members = xalloc(l->members, n, sizeof(*l->members));
		l->members_room = n;
	}
	for (i = 0; i < n; i++) {
		const json_t *id = json_array_get(v, i);

		if (!json_is_integer(id))
			return wrong(p, scan_child(p->text, at.value, i).value,
				     "the product id is not an integer");
		l->members[i] = json_integer_value(id);
	}
	l->members_count = n;
	return true;
}

static bool take_source(struct parse *p, const json_t *v, struct span at)
{
	const char *name = json_string_value(v);
	size_t n = json_string_length(v), i;

	if (!name || !n || n > SHELF_SOURCE_MAX)
		return wrong(p, at.value, "source is not a string of 1 to %u characters",
			     SHELF_SOURCE_MAX);
	for (i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] > '~')
			return wrong(p, at.value, "source is not printable ASCII");
	memcpy(p->line->source, name, n + 1);
	return true;
}

static bool take_number(struct parse *p, const json_t *v, struct span at,
			const char *name, __u64 *out)
{
	__s64 n = 0;

	if (!take_integer(p, v, at, name, &n))
		return false;
	if (n < 0)
		return wrong(p, at.value, "%s is below 0", name);
	*out = (__u64)n;
	return true;
}

static bool take_first(struct parse *p, const json_t *v, struct span at)
{
	return take_number(p, v, at, "first", &p->line->first);
}

static bool take_last(struct parse *p, const json_t *v, struct span at)
{
	return take_number(p, v, at, "last", &p->line->last);
}

static bool take_no_gap(struct parse *p, const json_t *v, struct span at)
{
	if (!json_is_boolean(v))
		return wrong(p, at.value, "no_gap is not true or false");
	p->line->no_gap = json_is_true(v);
	return true;
}

/* As export prints it, and no other way. */
static bool take_hex(struct parse *p, const json_t *v, struct span at, const char *name,
		     __u64 *out)
{
	const char *text = json_string_value(v);

	if (!text || json_string_length(v) != HASH_DIGITS ||
	    strspn(text, "0123456789abcdef") != HASH_DIGITS)
		return wrong(p, at.value, "%s is not 16 lower-case hexadecimal digits", name);
	*out = strtoull(text, NULL, 16);
	return true;
}

static bool take_hash(struct parse *p, const json_t *v, struct span at)
{
	p->line->hashed = true;
	return take_hex(p, v, at, "hash", &p->line->hash);
}

static bool take_digest(struct parse *p, const json_t *v, struct span at)
{
	p->line->digested = true;
	return take_hex(p, v, at, "digest", &p->line->digest);
}

/* Fields and the operations that they belong to. */
static const struct field {
	const char *name;
	unsigned int kinds;
	unsigned int required;
	take_fn take;
} fields[] = {
	{ "op", ~0U, 0, take_nothing },		/* see take_op() */
	{ "product", PRODUCT_OPS, PRODUCT_OPS, take_id },
	{ "catalog", CATALOG_OPS, CATALOG_OPS, take_id },
	{ "price", CHANGES, 0, take_price },
	{ "currency", CHANGES, 0, take_currency },
	{ "stock", CHANGES, 0, take_stock },
	{ "flags", CHANGES, 0, take_flags },
	{ "attrs", CHANGES, 0, take_attrs },
	{ "attrs_base64", CHANGES, 0, take_base64 },
	{ "products", LISTED_OPS, LISTED_OPS, take_members },
	{ "source", SOURCE_OPS, SOURCE_OPS, take_source },
	{ "first", KIND(SHELF_OP_SEQUENCE), KIND(SHELF_OP_SEQUENCE), take_first },
	{ "last", NUMBERED_OPS, NUMBERED_OPS, take_last },
	{ "no_gap", KIND(SHELF_OP_SEQUENCE), 0, take_no_gap },
	{ "generation", PRINTED_OPS, 0, take_ignored },
	{ "total", KIND(SHELF_OP_CATALOG_ADD), 0, take_ignored },
	{ "hash", KIND(LINE_END), 0, take_hash },
	{ "digest", KIND(LINE_END), 0, take_digest },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct {
	const char *name;
	unsigned int kind;
} ops[] = {
	{ "put", SHELF_OP_PUT },
	{ "patch", SHELF_OP_PATCH },
	{ "delete", SHELF_OP_DELETE },
	{ "add", SHELF_OP_CATALOG_ADD },
	{ "remove", SHELF_OP_CATALOG_REMOVE },
	{ "set", LINE_SET },
	{ "sequence", SHELF_OP_SEQUENCE },
	{ "source", SHELF_OP_SOURCE },
	{ "begin", LINE_BEGIN },
	{ "restart", LINE_RESTART },
	{ "end", LINE_END },
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

/* Where the value of a key that is there stands. */
static size_t value_of(const struct parse *p, json_t *object, const char *wanted)
{
	const char *key;
	json_t *v;
	size_t n = 0;

	json_object_foreach(object, key, v) {
		if (!strcmp(key, wanted))
			break;
		n++;
	}
	return scan_child(p->text, p->start, n).value;
}

static unsigned int deleted_kind(const struct parse *p, const json_t *object)
{
	if (json_object_get(object, "product"))
		return SHELF_OP_DELETE;
	if (json_object_get(object, "catalog"))
		return SHELF_OP_CATALOG_DELETE;
	if (json_object_get(object, "source"))
		return SHELF_OP_SOURCE_DELETE;
	return p->given->map && !strcmp(p->given->map, "catalog") ?
	       SHELF_OP_CATALOG_DELETE : SHELF_OP_DELETE;
}

static bool take_name(struct parse *p, const json_t *object, const char *name)
{
	size_t i;

	for (i = 0; name && i < OPS; i++) {
		if (strcmp(name, ops[i].name))
			continue;
		p->line->kind = ops[i].kind;
		if (p->line->kind == SHELF_OP_DELETE)
			p->line->kind = deleted_kind(p, object);
		return true;
	}
	return false;
}

/* The operation decides which fields are right, so it is looked at first. */
static bool take_op(struct parse *p, json_t *object)
{
	const char *given = p->given->op, *name = given ? given : p->given->default_op;
	const json_t *v = json_object_get(object, "op");
	size_t at = v ? value_of(p, object, "op") : p->start;

	if (!v && !name)
		return wrong(p, at, "op is missing");
	if (v) {
		name = json_string_value(v);
		if (name && strlen(name) != json_string_length(v))
			name = NULL;
	}
	if (!take_name(p, object, name))
		return wrong(p, at, "op is not put, patch, delete, add, remove, set, sequence, source, begin, restart or end");
	if (given && strcmp(name, given))
		return wrong(p, at, "op is %s, and outside of the text %s", name, given);
	return true;
}

/* What the operation is about is the field that it can't do without. */
static bool take_map(struct parse *p)
{
	const char *map = p->given->map;

	if (!map)
		return true;
	if (!(KIND(p->line->kind) & (strcmp(map, "catalog") ? PRODUCT_OPS : CATALOG_OPS)))
		return wrong(p, p->start, "no operation on a %s", map);
	p->line->change.id = p->given->id;
	return true;
}

static bool is_given(const struct parse *p, const char *field)
{
	return p->given->has_id && !strcmp(p->given->map, field);
}

static bool take_member(struct parse *p, const char *key, const json_t *v, size_t n)
{
	struct span at = scan_child(p->text, p->start, n);
	size_t i;

	for (i = 0; i < FIELDS; i++)
		if (!strcmp(key, fields[i].name))
			break;
	if (i == FIELDS)
		return wrong(p, at.key, "no such field: %.60s", key);
	if (!(fields[i].kinds & KIND(p->line->kind)))
		return wrong(p, at.key, "%s doesn't belong to this op", key);
	return fields[i].take(p, v, at);
}

static bool take_object(struct parse *p, json_t *object)
{
	const char *key;
	size_t n = 0, i;
	json_t *v;

	if (!json_is_object(object))
		return wrong(p, p->start, "not an object");
	if (!take_op(p, object) || !take_map(p))
		return false;
	json_object_foreach(object, key, v)
		if (!take_member(p, key, v, n++))
			return false;
	for (i = 0; i < FIELDS; i++)
		if (fields[i].required & KIND(p->line->kind) &&
		    !is_given(p, fields[i].name) &&
		    !json_object_get(object, fields[i].name))
			return wrong(p, p->start, "%s is missing", fields[i].name);
	return true;
}

bool line_parse(struct line *l, const char *text, size_t n, struct line_error *err)
{
	static const struct line_given nothing;

	return line_parse_given(l, &nothing, text, n, err);
}

bool line_parse_given(struct line *l, const struct line_given *given, const char *text,
		      size_t n, struct line_error *err)
{
	struct parse p = { .text = text, .line = l, .err = err, .given = given };
	const char *nul = memchr(text, 0, n);
	json_error_t json_err;
	json_t *object;
	bool ok;

	memset(&l->change, 0, sizeof(l->change));
	l->members_count = 0;
	l->no_gap = false;
	l->hashed = false;
	l->digested = false;
	if (nul)	/* which the parser would pass over, behind a number */
		return wrong(&p, (size_t)(nul - text), "a NUL byte");
	/* Anything may be a JSON text, so that "not an object" is said by us. */
	object = json_loadb(text, n, ATTRS_PARSE | JSON_DECODE_ANY, &json_err);
	if (!object) {
		snprintf(err->message, sizeof(err->message), "%s", json_err.text);
		err->column = json_err.column > 0 ? (size_t)json_err.column : 1;
		return false;
	}
	p.start = scan_space(text, 0);
	ok = take_object(&p, object);
	json_decref(object);
	return ok;
}

void line_free(struct line *l)
{
	free(l->members);
	free(l->attrs);
}
