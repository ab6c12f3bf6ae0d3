// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* P6. Sources, in a list; what a batch's numbers have to come to. */
#include "oracle.h"

#define SOURCES	64U

static struct source {
	s64 id;
	bool known;
	u64 last;
} sources[SOURCES], before[SOURCES];

static u32 count, count_before;
static bool repeat, refused;

static struct source *find(s64 id)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (sources[i].id == id)
			return &sources[i];
	if (count == SOURCES)
		FAIL("too many sources for the oracle");
	sources[count] = (struct source){ .id = id };
	return &sources[count++];
}

void oracle_sources_reset(void)
{
	count = 0;
	count_before = 0;
}

/* A repeat: it has numbers, and all of them were there before. */
void oracle_sources_begin(const struct batch *b)
{
	const struct op_block *block;
	u32 at;

	repeat = false;
	refused = false;
	memcpy(before, sources, count * sizeof(before[0]));
	count_before = count;
	for (block = b->map_ops[MAP_SOURCES] ? b->first : NULL; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);
			const struct source *s;

			at += (u32)op_bytes(op);
			if (op->kind != SHELF_OP_SEQUENCE)
				continue;
			s = find(op->id);
			repeat = s->known && op->last <= s->last;
			if (!repeat)
				return;
		}
	}
}

u64 oracle_source_do(const struct op *op)
{
	struct source *s = find(op->id);
	bool known = s->known;

	if (op->kind == SHELF_OP_SOURCE_DELETE) {
		s->known = false;
		return !known;
	}
	if (op->kind == SHELF_OP_SEQUENCE && known) {
		refused |= op->first <= s->last;
		refused |= op->fields & FIELD_NO_GAP && op->first != s->last + 1;
	}
	s->known = true;
	s->last = op->last;
	return 0;
}

void oracle_sources_undo(void)
{
	memcpy(sources, before, count_before * sizeof(before[0]));
	count = count_before;
}

bool oracle_sources_repeat(void)
{
	return repeat;
}

bool oracle_sources_refused(void)
{
	return refused;
}

void oracle_sources_compare(const struct shelf_view *v)
{
	u64 known = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		const struct shelf_source *s = shelf_view_source(v, sources[i].id);

		if (!s != !sources[i].known || (s && s->last != sources[i].last))
			FAIL("source %lld is not where it has to be", sources[i].id);
		known += sources[i].known;
	}
	if (known != v->root->sources)
		FAIL("%llu sources, not %llu", v->root->sources, known);
}
