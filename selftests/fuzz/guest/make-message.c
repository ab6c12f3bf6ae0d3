// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Netlink messages, made up: as the family wants them, and then spoiled or not. */
#include <string.h>

#include "fuzz.h"
#include "make.h"

#define REQUEST	(NLM_F_REQUEST | NLM_F_ACK)
#define DUMP	(NLM_F_ROOT | NLM_F_MATCH)

static __u64 shelf_name(struct rng *r)
{
	return one_in(r, 3) ? below(r, one_in(r, 4) ? NAMES : 3) : 0;
}

static void add_guards(struct rng *r, struct call *c)
{
	static const __u64 changes[] = { 0, 1, 10, 50, 100, 1000000, 1000001 };

	if (one_in(r, 6))
		add_field(c, SHELF_A_MAX_CHANGE, FORM_U32, PICK(r, changes));
	if (one_in(r, 4))
		add_field(c, SHELF_A_DANGLING, FORM_U8, below(r, one_in(r, 20) ? 256 : 3));
}

static void add_settings(struct rng *r, struct call *c)
{
	static const __u64 bytes[] = { 1 << 16, 1 << 20, 8 << 20, 1, 1ULL << 36, (1ULL << 36) + 1 };
	static const __u64 times[] = { 0, 0, 1, 5, 20, 1000, 3600000, 3600001, 604800000 };

	if (one_in(r, 2))
		add_field(c, SHELF_A_QUARANTINE_MS, FORM_U32, PICK(r, times));
	if (one_in(r, 4))
		add_field(c, SHELF_A_BATCH_BYTES, FORM_U64, PICK(r, bytes));
	if (one_in(r, 4))
		add_field(c, SHELF_A_LEASE_MS, FORM_U32, PICK(r, times));
	if (one_in(r, 4))
		add_field(c, SHELF_A_LEASE_MAX_MS, FORM_U32, PICK(r, times));
	if (one_in(r, 4))
		add_field(c, SHELF_A_PIN_BYTES, FORM_U64, PICK(r, bytes));
	if (one_in(r, 12))
		add_field(c, SHELF_A_REQUIRE_EXPECT, FORM_U8, below(r, 3));
	add_guards(r, c);
}

static void add_create(struct rng *r, struct call *c)
{
	static const __u64 sizes[] = { 4 << 20, 4 << 20, 6 << 20, 8 << 20, 32 << 20 };
	static const __u64 wrong[] = { (4 << 20) - 1, (1ULL << 36) + 1, 0, ~0ULL };

	add_field(c, SHELF_A_MAX_BYTES, FORM_U64,
		  one_in(r, 12) ? PICK(r, wrong) : PICK(r, sizes));
	add_settings(r, c);
	if (one_in(r, 3))
		add_field(c, SHELF_A_HASH_SEED, FORM_U64, one_in(r, 2) ? 0 : rnd(r));
}

static void add_values(struct rng *r, struct call *c)
{
	static const __u32 lengths[] = { 0, 1, 8, 100, 3576, 3577, 4096, 9000, 61440, 61441 };
	static const __u64 currencies[] = { 0x525545, 0x445355, 0, 0x726575, 0x5255 };
	struct field *f;

	if (one_in(r, 2))
		add_field(c, SHELF_OP_A_PRICE, FORM_U64, odd_number(r));
	if (one_in(r, 3))
		add_field(c, SHELF_OP_A_STOCK, FORM_U64, odd_number(r));
	if (one_in(r, 4))
		add_field(c, SHELF_OP_A_FLAGS, FORM_U32, rnd(r) & 0xffff);
	if (one_in(r, 4)) {
		f = add_field(c, SHELF_OP_A_CURRENCY, FORM_U32, PICK(r, currencies));
		f->skew = one_in(r, 8) ? 0 : -1;
	}
	if (one_in(r, 2)) {
		f = add_field(c, SHELF_OP_A_ATTRS, FORM_BYTES, rnd(r) & 0xff);
		f->len = one_in(r, 3) ? PICK(r, lengths) : below(r, 300);
	}
}

static void add_members(struct rng *r, struct call *c)
{
	static const __u32 counts[] = { 0, 1, 4, 5, 447, 448, 504, 505, 3000, 8000, 8001 };
	struct field *f = add_field(c, SHELF_OP_A_MEMBERS, FORM_IDS, some_id(r));

	f->len = one_in(r, 3) ? PICK(r, counts) : 1 + below(r, 20);
	f->skew = below(r, 7) - 2;
}

/* Few names, and numbers that meet. */
static void add_source(struct rng *r, struct call *c, __u8 kind)
{
	struct field *f = add_field(c, SHELF_OP_A_SOURCE, FORM_BYTES, some_source(r));
	__u64 first = one_in(r, 10) ? odd_number(r) : below(r, 30);

	f->len = one_in(r, 20) ? below(r, 300) : 1;
	if (kind == SHELF_OP_SEQUENCE)
		add_field(c, SHELF_OP_A_FIRST, FORM_U64, first);
	if (kind != SHELF_OP_SOURCE_DELETE)
		add_field(c, SHELF_OP_A_LAST, FORM_U64, first + below(r, 10));
	if (kind == SHELF_OP_SEQUENCE && one_in(r, 4))
		add_field(c, SHELF_OP_A_NO_GAP, FORM_BYTES, 0);
}

static void add_op(struct rng *r, struct call *c)
{
	__u8 kind = 1 + below(r, one_in(r, 3) ? SHELF_OP_MAX : SHELF_OP_CATALOG_DELETE);

	add_field(c, SHELF_A_OP, FORM_OPEN, 0);
	if (!one_in(r, 40))
		add_field(c, SHELF_OP_A_KIND, FORM_U8, one_in(r, 40) ? below(r, 256) : kind);
	if (kind >= SHELF_OP_SEQUENCE)
		add_source(r, c, kind);
	else if (!one_in(r, 40))
		add_field(c, kind < SHELF_OP_CATALOG_ADD ? SHELF_OP_A_PRODUCT :
			  SHELF_OP_A_CATALOG, FORM_U64, some_id(r));
	if (kind < SHELF_OP_DELETE)
		add_values(r, c);
	if (kind == SHELF_OP_CATALOG_ADD || kind == SHELF_OP_CATALOG_REMOVE)
		add_members(r, c);
	add_field(c, 0, FORM_CLOSE, 0);
}

static void add_ops(struct rng *r, struct call *c)
{
	static const __u64 times[] = { 1, 1, 1, 1, 1, 1, 3, 10, 30, 70 };
	unsigned int n = 1 + below(r, 4);

	while (n--)
		add_op(r, c);
	c->arg[SEND_TIMES] = one_in(r, 60) ? 4000 : PICK(r, times);
}

/* Nothing of which is refused while there is memory. */
void make_sound_ops(struct rng *r, struct call *c)
{
	static const __u32 counts[] = { 1, 4, 5, 20, 100, 447, 448, 1500 };
	static const __u32 lengths[] = { 0, 1, 30, 100, 3576, 3577, 9000, 30000 };
	static const __u64 times[] = { 1, 3, 10, 40, 300 };
	struct field *f;

	make_message(r, c, 0);
	c->arg[SEND_CMD] = SHELF_CMD_BATCH_OPS;
	c->fields = 0;
	add_field(c, SHELF_A_COOKIE, FORM_COOKIE, c->arg[1]);
	add_field(c, SHELF_A_OP, FORM_OPEN, 0);
	add_field(c, SHELF_OP_A_KIND, FORM_U8, SHELF_OP_PUT);
	add_field(c, SHELF_OP_A_PRODUCT, FORM_U64, below(r, 40));
	f = add_field(c, SHELF_OP_A_ATTRS, FORM_BYTES, rnd(r) & 0xff);
	f->len = one_in(r, 3) ? PICK(r, lengths) : below(r, 100);
	add_field(c, 0, FORM_CLOSE, 0);
	add_field(c, SHELF_A_OP, FORM_OPEN, 0);
	add_field(c, SHELF_OP_A_KIND, FORM_U8, SHELF_OP_CATALOG_ADD);
	add_field(c, SHELF_OP_A_CATALOG, FORM_U64, below(r, 20));
	f = add_field(c, SHELF_OP_A_MEMBERS, FORM_IDS, below(r, 40));
	f->len = one_in(r, 2) ? PICK(r, counts) : 1 + below(r, 10);
	add_field(c, 0, FORM_CLOSE, 0);
	c->arg[SEND_TIMES] = PICK(r, times);
}

static void add_commit(struct rng *r, struct call *c)
{
	if (one_in(r, 4))
		add_field(c, SHELF_A_EXPECT, FORM_GEN, one_in(r, 4) ? below(r, 5) - 2 : 0);
	if (one_in(r, 8))
		add_field(c, SHELF_A_OPS, FORM_U64, below(r, 9));
	if (one_in(r, 3))
		add_field(c, SHELF_A_NO_WAIT, FORM_BYTES, 0);
	if (one_in(r, 6))
		add_field(c, SHELF_A_CHECK, FORM_BYTES, 0);
	add_guards(r, c);
}

void make_message(struct rng *r, struct call *c, __u8 cmd)
{
	c->arg[SEND_CMD] = cmd;
	c->arg[SEND_FLAGS] = REQUEST;
	c->arg[SEND_VERSION] = SHELF_GENL_VERSION;
	c->arg[SEND_TIMES] = 1;
	if (cmd >= SHELF_CMD_BATCH_OPS && cmd <= SHELF_CMD_BATCH_ABORT)
		add_field(c, SHELF_A_COOKIE, FORM_COOKIE, c->arg[1]);
	else if (cmd != SHELF_CMD_GET || !one_in(r, 3))
		add_field(c, SHELF_A_NAME, FORM_NAME, shelf_name(r));
	if (cmd == SHELF_CMD_PINS || cmd == SHELF_CMD_SOURCES ||
	    (cmd == SHELF_CMD_GET && !c->fields))
		c->arg[SEND_FLAGS] |= DUMP;
	if (cmd == SHELF_CMD_CREATE)
		add_create(r, c);
	if (cmd == SHELF_CMD_SET)
		add_settings(r, c);
	if (cmd == SHELF_CMD_BATCH_OPS)
		add_ops(r, c);
	if (cmd == SHELF_CMD_BATCH_COMMIT)
		add_commit(r, c);
}

static void spoil_field(struct rng *r, struct call *c)
{
	struct field *f;

	if (!c->fields)
		return;
	f = &c->field[below(r, c->fields)];
	switch (below(r, 4)) {
	case 0:
		f->skew += below(r, 3) - 1;
		break;
	case 1:
		f->type = one_in(r, 2) ? below(r, 40) : f->type ^ (1 << below(r, 16));
		break;
	case 2:
		f->form = below(r, FORM_OPEN);
		break;
	default:
		f->value = odd_number(r);
	}
}

static void spoil(struct rng *r, struct call *c)
{
	switch (below(r, 8)) {
	case 0:
		c->arg[SEND_SKEW] = (__u64)(below(r, 33) - 16);
		break;
	case 1:
		c->arg[SEND_FLAGS] ^= 1ULL << below(r, 12);
		break;
	case 2:
		c->arg[SEND_CMD] = below(r, 256);
		break;
	case 3:
		c->arg[SEND_VERSION] = below(r, 256);
		break;
	case 4:
		if (c->fields)
			c->fields--;
		break;
	case 5:
		if (c->fields && c->fields < FIELDS_MAX) {
			c->field[c->fields] = c->field[below(r, c->fields)];
			c->fields++;
		}
		break;
	default:
		spoil_field(r, c);
	}
}

void make_send(struct rng *r, struct call *c)
{
	static const __u8 often[] = {
		SHELF_CMD_CREATE, SHELF_CMD_BATCH_BEGIN, SHELF_CMD_BATCH_BEGIN,
		SHELF_CMD_BATCH_OPS, SHELF_CMD_BATCH_OPS, SHELF_CMD_BATCH_OPS,
		SHELF_CMD_BATCH_COMMIT, SHELF_CMD_BATCH_COMMIT,
	};

	c->arg[0] = one_in(r, 8) ? below(r, SLOTS) : 0;
	c->arg[1] = one_in(r, 8) ? below(r, SLOTS) : below(r, 2);
	make_message(r, c, one_in(r, 3) ? 1 + below(r, SHELF_CMD_SOURCES) : PICK(r, often));
	if (one_in(r, 4))
		spoil(r, c);
	if (one_in(r, 20))
		c->arg[SEND_TIMES] |= SEND_DEAF;
}
