// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Documentation/abi.md against the headers: each offset, size, constant and
 * test vector in its tables, so that who writes a reader from the document
 * alone (P3, P8) reads what the module writes.
 *
 *   abi-check [FILE]		from the root of the repository
 *
 * A table is known by its first row. Offsets belong to the heading above them:
 * "### struct NAME, N bytes".
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../kmod/walk.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define CELLS		10

struct field {
	const char *name;
	size_t offset;
	size_t size;
	unsigned int seen;
};

#define F(s, f)	{ #f, offsetof(struct s, f), sizeof(((struct s *)0)->f), 0 }

static struct field control[] = {
	F(shelf_control, magic), F(shelf_control, abi), F(shelf_control, reserved0),
	F(shelf_control, seed), F(shelf_control, arena_bytes),
	F(shelf_control, max_bytes), F(shelf_control, reserved1),
	F(shelf_control, current_word), F(shelf_control, oldest),
	F(shelf_control, reserved2), F(shelf_control, name),
	F(shelf_control, created_ns), F(shelf_control, reserved3),
};

static struct field root[] = {
	F(shelf_root, magic), F(shelf_root, generation), F(shelf_root, products),
	F(shelf_root, catalogs), F(shelf_root, memberships),
	F(shelf_root, attrs_bytes), F(shelf_root, committed_ns),
	F(shelf_root, sources), F(shelf_root, reserved), F(shelf_root, source_dir),
	F(shelf_root, catalog_dir),
	F(shelf_root, product_dir),
};

static struct field page_header[] = {
	F(shelf_page_header, kind), F(shelf_page_header, count),
	F(shelf_page_header, birth), F(shelf_page_header, key),
	F(shelf_page_header, level), F(shelf_page_header, seed),
	F(shelf_page_header, reserved), F(shelf_page_header, writer),
};

static struct field product[] = {
	F(shelf_product, id), F(shelf_product, generation), F(shelf_product, price),
	F(shelf_product, stock), F(shelf_product, attrs_generation),
	F(shelf_product, attrs_ref), F(shelf_product, flags),
	F(shelf_product, currency), F(shelf_product, attrs_len),
	F(shelf_product, reserved), F(shelf_product, next), F(shelf_product, state),
};

static struct field catalog[] = {
	F(shelf_catalog, id), F(shelf_catalog, generation), F(shelf_catalog, count),
	F(shelf_catalog, members), F(shelf_catalog, set_generation),
	F(shelf_catalog, set_ref), F(shelf_catalog, reserved0),
	F(shelf_catalog, set), F(shelf_catalog, level), F(shelf_catalog, reserved),
	F(shelf_catalog, next), F(shelf_catalog, state),
};

static struct field fence[] = {
	F(shelf_fence, first), F(shelf_fence, page), F(shelf_fence, reserved),
};

static struct field ioc_info[] = {
	F(shelf_ioc_info, size), F(shelf_ioc_info, flags), F(shelf_ioc_info, abi),
	F(shelf_ioc_info, dead), F(shelf_ioc_info, generation),
	F(shelf_ioc_info, oldest), F(shelf_ioc_info, products),
	F(shelf_ioc_info, catalogs), F(shelf_ioc_info, memberships),
	F(shelf_ioc_info, attrs_bytes), F(shelf_ioc_info, max_bytes),
	F(shelf_ioc_info, arena_bytes), F(shelf_ioc_info, committed_ns),
	F(shelf_ioc_info, name), F(shelf_ioc_info, pin), F(shelf_ioc_info, sources),
};

static struct field ioc_get[] = {
	F(shelf_ioc_get, size), F(shelf_ioc_get, flags), F(shelf_ioc_get, id),
	F(shelf_ioc_get, attrs), F(shelf_ioc_get, attrs_size),
	F(shelf_ioc_get, reserved), F(shelf_ioc_get, generation),
	F(shelf_ioc_get, product), F(shelf_ioc_get, pin),
};

static struct field ioc_get_many[] = {
	F(shelf_ioc_get_many, size), F(shelf_ioc_get_many, flags),
	F(shelf_ioc_get_many, ids), F(shelf_ioc_get_many, products),
	F(shelf_ioc_get_many, count), F(shelf_ioc_get_many, found),
	F(shelf_ioc_get_many, generation), F(shelf_ioc_get_many, pin),
};

static struct field ioc_members[] = {
	F(shelf_ioc_members, size), F(shelf_ioc_members, flags),
	F(shelf_ioc_members, catalog), F(shelf_ioc_members, after),
	F(shelf_ioc_members, ids), F(shelf_ioc_members, count),
	F(shelf_ioc_members, more), F(shelf_ioc_members, total),
	F(shelf_ioc_members, generation), F(shelf_ioc_members, pin),
};

static struct field ioc_is_member[] = {
	F(shelf_ioc_is_member, size), F(shelf_ioc_is_member, flags),
	F(shelf_ioc_is_member, catalog), F(shelf_ioc_is_member, product),
	F(shelf_ioc_is_member, member), F(shelf_ioc_is_member, reserved),
	F(shelf_ioc_is_member, generation), F(shelf_ioc_is_member, pin),
};

static struct field ioc_wait[] = {
	F(shelf_ioc_wait, size), F(shelf_ioc_wait, flags),
	F(shelf_ioc_wait, generation), F(shelf_ioc_wait, timeout_ns),
};

static struct field source[] = {
	F(shelf_source, id), F(shelf_source, generation), F(shelf_source, last),
	F(shelf_source, reserved0), F(shelf_source, name_generation),
	F(shelf_source, name_ref), F(shelf_source, reserved1),
	F(shelf_source, reserved2), F(shelf_source, name_len),
	F(shelf_source, reserved3), F(shelf_source, next), F(shelf_source, state),
};

static struct field pins[] = { F(shelf_pins, token) };

static struct field ioc_pin[] = {
	F(shelf_ioc_pin, size), F(shelf_ioc_pin, flags), F(shelf_ioc_pin, generation),
	F(shelf_ioc_pin, lease_ns), F(shelf_ioc_pin, pin),
	F(shelf_ioc_pin, root_page), F(shelf_ioc_pin, reserved),
};

static struct field ioc_unpin[] = {
	F(shelf_ioc_unpin, size), F(shelf_ioc_unpin, flags), F(shelf_ioc_unpin, pin),
};

static struct field ioc_scan[] = {
	F(shelf_ioc_scan, size), F(shelf_ioc_scan, flags), F(shelf_ioc_scan, cursor),
	F(shelf_ioc_scan, records), F(shelf_ioc_scan, count), F(shelf_ioc_scan, done),
	F(shelf_ioc_scan, generation), F(shelf_ioc_scan, pin),
};

static struct field ioc_report[] = {
	F(shelf_ioc_report, size), F(shelf_ioc_report, flags),
	F(shelf_ioc_report, lookups), F(shelf_ioc_report, hits),
	F(shelf_ioc_report, members),
};

/**
 * struct layout - one struct
 * @stated: its size in the document, 0 until it has been met
 */
struct layout {
	const char *name;
	size_t size;
	struct field *field;
	size_t fields;
	size_t stated;
	unsigned int bad;
};

#define LAYOUT(a)	{						\
	.name = "shelf_" #a, .size = sizeof(struct shelf_##a),		\
	.field = a, .fields = ARRAY_SIZE(a),				\
}

static struct layout layouts[] = {
	LAYOUT(control), LAYOUT(root), LAYOUT(page_header), LAYOUT(product),
	LAYOUT(catalog), LAYOUT(fence), LAYOUT(ioc_info), LAYOUT(ioc_get),
	LAYOUT(ioc_get_many), LAYOUT(ioc_members), LAYOUT(ioc_is_member),
	LAYOUT(ioc_wait), LAYOUT(ioc_report), LAYOUT(pins), LAYOUT(ioc_pin),
	LAYOUT(ioc_unpin), LAYOUT(ioc_scan), LAYOUT(source),
};

struct constant {
	const char *name;
	unsigned long long value;
	unsigned int seen;
};

#define C(c)	{ "SHELF_" #c, SHELF_##c, 0 }

static struct constant constants[] = {
	C(ABI_VERSION), C(CONTROL_MAGIC), C(ROOT_MAGIC), C(NAME_MAX), C(PAGE_BYTES),
	C(CHUNK_BYTES), C(MIN_BYTES), C(MAX_BYTES), C(MMAP_CONTROL), C(MMAP_ARENA),
	C(ATTRS_MAX), C(MEMBERS_MAX), C(GET_MANY_MAX), C(PAGE_MEMBERS_MAX),
	C(ROOT_BITS), C(GENERATION_MAX), C(TAG_BITS), C(TAG_NODE), C(NODE_BITS),
	C(NODE_ENTRIES), C(LEVELS), C(PRODUCT_DIR_BITS), C(CATALOG_DIR_BITS),
	C(LINE), C(LEAF_SLOTS), C(LEAF_FULL), C(PRESENT), C(SLOT_MAX), C(SLOT_KEY),
	C(SLOT_UNIT), C(ATTRS_INLINE), C(SET_INLINE), C(SET_SLOT), C(SET_TREE),
	C(INLINE_MEMBERS), C(SLOT_MEMBERS), C(SET_PAGE_MEMBERS),
	C(SET_PAGE_FENCES), C(SET_LEVELS), C(MEMBERS_AFTER),
	C(IOC_INFO), C(IOC_GET), C(IOC_GET_MANY), C(IOC_MEMBERS),
	C(IOC_IS_MEMBER), C(IOC_WAIT), C(IOC_REPORT), C(REPORT_MAX),
	C(IOC_PIN), C(IOC_UNPIN), C(IOC_SCAN), C(SCAN_CATALOGS), C(LEASE_MS_MAX),
	C(CHANGE_MAX), C(DANGLING_ALLOW), C(DANGLING_WARN), C(DANGLING_REFUSE),
	C(PINS), C(PINS_PER_FILE), C(PINS_PER_USER), C(ID_MIN), C(PAGE_SHIFT),
	C(CHUNK_SHIFT), C(ROOT_MASK), C(SEEDS), C(KINDS), C(IOC), C(GENL_VERSION),
	C(KIND_FREE), C(KIND_ROOT), C(KIND_NODE), C(KIND_PRODUCTS),
	C(KIND_CATALOGS), C(KIND_SET), C(KIND_SLAB), C(KIND_DATA),
	C(KIND_SOURCES), C(SOURCE_MAX), C(SOURCE_DIR_BITS), C(SOURCE_HASH), C(SOURCE_PRIME),
	C(GET_SOURCE), C(SCAN_SOURCES),
	C(CMD_CREATE), C(CMD_DESTROY), C(CMD_GET), C(CMD_SET), C(CMD_BATCH_BEGIN),
	C(CMD_BATCH_OPS), C(CMD_BATCH_COMMIT), C(CMD_BATCH_ABORT),
	C(CMD_PINS), C(CMD_TRIM), C(CMD_PIN), C(CMD_NEW), C(CMD_SOURCES), C(CMD_SOURCE),
	C(CMD_BATCH_RESULT), C(CMD_CREATED), C(CMD_DESTROYED), C(CMD_COMMITTED),
	C(A_PAD), C(A_NAME), C(A_MAX_BYTES), C(A_BATCH_BYTES), C(A_QUARANTINE_MS),
	C(A_HASH_SEED), C(A_COOKIE), C(A_OP), C(A_EXPECT), C(A_GENERATION),
	C(A_PRODUCTS), C(A_CATALOGS), C(A_MEMBERSHIPS), C(A_BYTES), C(A_OPENS),
	C(A_ERROR), C(A_MESSAGE), C(A_OP_INDEX), C(A_OPS), C(A_ABSENT), C(A_PAGES),
	C(A_DRAFT_NS), C(A_PUBLISH_NS), C(A_GRACE_NS), C(A_NO_WAIT), C(A_LEASE_MS),
	C(A_LEASE_MAX_MS), C(A_PIN_BYTES), C(A_PID), C(A_COMM), C(A_USER), C(A_AGE_MS),
	C(A_LEFT_MS), C(A_TRIMS_ASKED), C(A_TRIMS_DONE), C(A_SOURCES),
	C(A_SOURCE), C(A_LAST), C(A_REPEATED), C(A_CHECK), C(A_MAX_CHANGE),
	C(A_DANGLING), C(A_REQUIRE_EXPECT), C(A_DANGLES),
	C(OP_A_PAD), C(OP_A_KIND), C(OP_A_PRODUCT), C(OP_A_PRICE), C(OP_A_STOCK),
	C(OP_A_FLAGS), C(OP_A_CURRENCY), C(OP_A_ATTRS), C(OP_A_CATALOG),
	C(OP_A_MEMBERS), C(OP_A_SOURCE), C(OP_A_FIRST), C(OP_A_LAST), C(OP_A_NO_GAP),
	C(OP_PUT), C(OP_PATCH), C(OP_DELETE), C(OP_CATALOG_ADD),
	C(OP_CATALOG_REMOVE), C(OP_CATALOG_DELETE), C(OP_SEQUENCE), C(OP_SOURCE),
	C(OP_SOURCE_DELETE),
};

/* What has been added to the header must get into the tables, too. */
_Static_assert(SHELF_CMD_MAX == SHELF_CMD_SOURCE, "commands");
_Static_assert(SHELF_A_MAX == SHELF_A_DANGLES, "attributes");
_Static_assert(SHELF_OP_A_MAX == SHELF_OP_A_NO_GAP, "attributes of operations");
_Static_assert(SHELF_OP_MAX == SHELF_OP_SOURCE_DELETE, "kinds of operations");
_Static_assert(SHELF_KIND_SOURCES == SHELF_KINDS - 1, "kinds of pages");

/* Where in the document we are. */
struct parse {
	const char *file;
	unsigned int line;
	struct layout *layout;		/* of the heading above, or NULL */
	bool (*row)(struct parse *p, char **cell);
	char *cell[CELLS];
	unsigned int bad_constants;
	unsigned int hashes, bad_hashes;
	unsigned int places, bad_places;
	unsigned int words, bad_words;
};

static bool __attribute__((format(printf, 2, 3)))
wrong(const struct parse *p, const char *format, ...)
{
	va_list args;

	printf("# %s:%u: ", p->file, p->line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return false;
}

static bool get_number(const struct parse *p, const char *text, __u64 *out)
{
	char *end;

	errno = 0;
	*out = text[0] == '-' ? (__u64)strtoll(text, &end, 0) :
				strtoull(text, &end, 0);
	if (!errno && end != text && !*end)
		return true;
	return wrong(p, "not a number: %s", text);
}

static bool same(const struct parse *p, const char *what, const char *text, __u64 value)
{
	__u64 said;

	if (!get_number(p, text, &said))
		return false;
	if (said == value)
		return true;
	return wrong(p, "%s: %llu (0x%llx), not %s", what, value, value, text);
}

static bool field_row(struct parse *p, char **cell)
{
	struct layout *l = p->layout;
	struct field *f;
	bool ok;

	for (f = l->field; f < l->field + l->fields; f++)
		if (!strcmp(f->name, cell[2]))
			break;
	if (f == l->field + l->fields) {
		l->bad++;
		return wrong(p, "struct %s has no field %s", l->name, cell[2]);
	}
	f->seen++;
	ok = same(p, "the offset", cell[0], f->offset) &&
	     same(p, "the size", cell[1], f->size);
	l->bad += !ok;
	return ok;
}

static bool value_row(struct parse *p, char **cell)
{
	struct constant *c;
	bool ok;

	for (c = constants; c < constants + ARRAY_SIZE(constants); c++)
		if (!strcmp(c->name, cell[1]))
			break;
	if (c == constants + ARRAY_SIZE(constants)) {
		p->bad_constants++;
		return wrong(p, "no such constant: %s", cell[1]);
	}
	c->seen++;
	ok = same(p, c->name, cell[0], c->value);
	p->bad_constants += !ok;
	return ok;
}

static bool hash_row(struct parse *p, char **cell)
{
	__u64 id, seed, hash = 0, place = 0;
	bool ok = get_number(p, cell[0], &id) && get_number(p, cell[1], &seed);

	if (ok) {
		hash = shelf_hash((__s64)id, seed);
		place = shelf_place(hash);
	}
	ok = ok && same(p, "the hash", cell[2], hash) &&
	     same(p, "the place", cell[3], place) &&
	     same(p, "the product index", cell[4],
		  shelf_prefix(place, SHELF_PRODUCT_DIR_BITS)) &&
	     same(p, "the catalog index", cell[5],
		  shelf_prefix(place, SHELF_CATALOG_DIR_BITS)) &&
	     same(p, "home 1", cell[6], shelf_home(hash, 1)) &&
	     same(p, "home 3", cell[7], shelf_home(hash, 3)) &&
	     same(p, "home 239", cell[8], shelf_home(hash, 239));
	p->hashes++;
	p->bad_hashes += !ok;
	return ok;
}

static bool place_row(struct parse *p, char **cell)
{
	__u64 hash;
	bool ok = get_number(p, cell[0], &hash) &&
		  same(p, "the place", cell[1], shelf_place(hash));

	p->places++;
	p->bad_places += !ok;
	return ok;
}

static bool word_row(struct parse *p, char **cell)
{
	__u64 page, entry;
	bool ok = get_number(p, cell[0], &page) && get_number(p, cell[1], &entry) &&
		  same(p, "the word", cell[2],
		       shelf_node_index((__u32)page, (__u32)entry));

	p->words++;
	p->bad_words += !ok;
	return ok;
}

/* A table, by its first cells. */
static const struct {
	const char *head[3];
	bool (*row)(struct parse *p, char **cell);
} tables[] = {
	{ { "offset", "size", "field" }, field_row },
	{ { "value", "name" }, value_row },
	{ { "id", "seed", "hash" }, hash_row },
	{ { "hash", "place" }, place_row },
	{ { "page", "entry", "word" }, word_row },
};

static char *trimmed(char *text)
{
	char *end;

	while (*text == ' ')
		text++;
	end = text + strlen(text);
	while (end > text && end[-1] == ' ')
		*--end = 0;
	return text;
}

/* Cells that are not there are empty. */
static void split(char *line, char **cell)
{
	static char none[1];
	char *at = line + 1, *bar;
	unsigned int n;

	for (n = 0; n < CELLS; n++) {
		bar = strchr(at, '|');
		cell[n] = bar ? at : none;
		if (!bar)
			continue;
		*bar = 0;
		cell[n] = trimmed(at);
		at = bar + 1;
	}
}

static void begin_table(struct parse *p)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (j = 0; j < 3 && tables[i].head[j]; j++)
			if (strcmp(tables[i].head[j], p->cell[j]))
				break;
		if (j == 3 || !tables[i].head[j])
			p->row = tables[i].row;
	}
	if (p->row == field_row && !p->layout)
		p->row = NULL;
}

static void heading(struct parse *p, const char *line)
{
	unsigned long long bytes;
	char name[64];
	size_t i;

	p->layout = NULL;
	if (sscanf(line, "### struct %63[a-z_], %llu bytes", name, &bytes) != 2)
		return;
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		if (!strcmp(layouts[i].name, name))
			break;
	if (i == ARRAY_SIZE(layouts)) {
		p->bad_constants++;
		wrong(p, "no such struct: %s", name);
		return;
	}
	p->layout = &layouts[i];
	p->layout->stated = bytes;
}

static void parse_line(struct parse *p, char *line, bool *in_table)
{
	bool first = !*in_table;

	*in_table = line[0] == '|';
	if (line[0] == '#')
		heading(p, line);
	if (!*in_table) {
		p->row = NULL;
		return;
	}
	split(line, p->cell);
	if (first)
		begin_table(p);
	else if (p->row && strncmp(p->cell[0], "---", 3))
		p->row(p, p->cell);
}

static int parse_file(struct parse *p)
{
	FILE *in = fopen(p->file, "re");
	bool in_table = false;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (!in)
		return -errno;
	while ((n = getline(&line, &room, in)) > 0) {
		p->line++;
		line[n - (line[n - 1] == '\n')] = 0;
		parse_line(p, line, &in_table);
	}
	free(line);
	fclose(in);
	return 0;
}

static unsigned int tests, failures;

static void test(bool ok, const char *what, const char *name)
{
	printf("%s %u - %s%s\n", ok ? "ok" : "not ok", ++tests, what, name);
	failures += !ok;
}

static bool layout_ok(const struct layout *l)
{
	unsigned int bad = l->bad;
	size_t i;

	if (l->stated != l->size) {
		printf("# struct %s has %zu bytes, not %zu\n", l->name, l->size, l->stated);
		bad++;
	}
	for (i = 0; i < l->fields; i++) {
		if (l->field[i].seen == 1)
			continue;
		printf("# struct %s: %s is there %u times\n", l->name,
		       l->field[i].name, l->field[i].seen);
		bad++;
	}
	return !bad;
}

static bool constants_ok(const struct parse *p)
{
	unsigned int bad = p->bad_constants;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(constants); i++) {
		if (constants[i].seen)
			continue;
		printf("# %s is not there\n", constants[i].name);
		bad++;
	}
	return !bad;
}

int main(int argc, char **argv)
{
	struct parse p = { .file = argc > 1 ? argv[1] : "Documentation/abi.md" };
	size_t i;
	int ret;

	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(layouts) + 4);
	ret = parse_file(&p);
	if (ret) {
		printf("Bail out! %s: %s\n", p.file, strerror(-ret));
		return 1;
	}
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		test(layout_ok(&layouts[i]), "struct ", layouts[i].name);
	test(constants_ok(&p), "constants", "");
	test(p.hashes && !p.bad_hashes, "test vectors of hash and home", "");
	test(p.places && !p.bad_places, "test vectors of place", "");
	test(p.words && !p.bad_words, "test vectors of nodes", "");
	return failures != 0;
}
