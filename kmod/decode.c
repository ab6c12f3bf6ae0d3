// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reads one operation out of its netlink attributes, strictly: what is
 * malformed, missing, given twice or has no place in its kind of operation is
 * refused, never ignored.
 *
 * What is wrong is said in constant text: before 6.2 an extack can't hold any
 * other, and a poisoned batch remembers it until its commit.
 */
#include <net/genetlink.h>

#include "shelf.h"

static const struct nla_policy op_policy[SHELF_OP_A_MAX + 1] = {
	[SHELF_OP_A_KIND] = NLA_POLICY_RANGE(NLA_U8, SHELF_OP_PUT,
					     SHELF_OP_MAX),
	[SHELF_OP_A_PRODUCT] = { .type = NLA_S64 },
	[SHELF_OP_A_PRICE] = { .type = NLA_S64 },
	[SHELF_OP_A_STOCK] = { .type = NLA_S64 },
	[SHELF_OP_A_FLAGS] = { .type = NLA_U32 },
	[SHELF_OP_A_CURRENCY] = NLA_POLICY_EXACT_LEN(3),
	[SHELF_OP_A_ATTRS] = { .type = NLA_BINARY, .len = SHELF_ATTRS_MAX },
	[SHELF_OP_A_CATALOG] = { .type = NLA_S64 },
	[SHELF_OP_A_MEMBERS] = { .type = NLA_BINARY,
				 .len = SHELF_MEMBERS_MAX * sizeof(s64) },
	[SHELF_OP_A_SOURCE] = { .type = NLA_BINARY, .len = SHELF_SOURCE_MAX },
	[SHELF_OP_A_FIRST] = { .type = NLA_U64 },
	[SHELF_OP_A_LAST] = { .type = NLA_U64 },
	[SHELF_OP_A_NO_GAP] = { .type = NLA_FLAG },
};

#define OP_BIT(a)	BIT(SHELF_OP_A_##a)
#define OP_VALUES	(OP_BIT(PRICE) | OP_BIT(STOCK) | OP_BIT(FLAGS) | \
			 OP_BIT(CURRENCY) | OP_BIT(ATTRS))

/* What an operation must have besides its kind, and what it may. */
static const struct op_rule {
	u32 required;
	u32 optional;
} op_rules[SHELF_OP_MAX + 1] = {
	[SHELF_OP_PUT] = { OP_BIT(PRODUCT), OP_VALUES },
	[SHELF_OP_PATCH] = { OP_BIT(PRODUCT), OP_VALUES },
	[SHELF_OP_DELETE] = { OP_BIT(PRODUCT) },
	[SHELF_OP_CATALOG_ADD] = { OP_BIT(CATALOG) | OP_BIT(MEMBERS) },
	[SHELF_OP_CATALOG_REMOVE] = { OP_BIT(CATALOG) | OP_BIT(MEMBERS) },
	[SHELF_OP_CATALOG_DELETE] = { OP_BIT(CATALOG) },
	[SHELF_OP_SEQUENCE] = { OP_BIT(SOURCE) | OP_BIT(FIRST) | OP_BIT(LAST),
				OP_BIT(NO_GAP) },
	[SHELF_OP_SOURCE] = { OP_BIT(SOURCE) | OP_BIT(LAST) },
	[SHELF_OP_SOURCE_DELETE] = { OP_BIT(SOURCE) },
};

#define MISSING(a)	\
	[SHELF_OP_A_##a] = #a " is missing"
#define MISPLACED(a)	\
	[SHELF_OP_A_##a] = #a " has no place in this kind of operation"

static const char * const missing[] = {
	MISSING(PRODUCT), MISSING(CATALOG), MISSING(MEMBERS),
	MISSING(SOURCE), MISSING(FIRST), MISSING(LAST),
};

static const char * const misplaced[] = {
	MISPLACED(PRODUCT), MISPLACED(PRICE), MISPLACED(STOCK),
	MISPLACED(FLAGS), MISPLACED(CURRENCY), MISPLACED(ATTRS),
	MISPLACED(CATALOG), MISPLACED(MEMBERS), MISPLACED(SOURCE),
	MISPLACED(FIRST), MISPLACED(LAST), MISPLACED(NO_GAP),
};

/* nla_parse() keeps the last of two; here that would hide a sender's bug. */
static bool given_twice(const struct nlattr *nest, struct nlattr **tb)
{
	const struct nlattr *attr;
	int rem;

	nla_for_each_nested(attr, nest, rem)
		if (nla_type(attr) <= SHELF_OP_A_MAX &&
		    tb[nla_type(attr)] != attr)
			return true;
	return false;
}

static const char *op_misshapen(struct nlattr **tb)
{
	const struct op_rule *rule;
	u32 given = 0, wrong;
	int i;

	if (!tb[SHELF_OP_A_KIND])
		return "KIND is missing";
	rule = &op_rules[nla_get_u8(tb[SHELF_OP_A_KIND])];
	for (i = SHELF_OP_A_KIND + 1; i <= SHELF_OP_A_MAX; i++)
		if (tb[i])
			given |= BIT(i);
	wrong = rule->required & ~given;
	if (wrong)
		return missing[__ffs(wrong)];
	wrong = given & ~(rule->required | rule->optional);
	return wrong ? misplaced[__ffs(wrong)] : NULL;
}

static void product_decode(struct nlattr **tb, struct op *op,
			   const void **data)
{
	op->id = nla_get_s64(tb[SHELF_OP_A_PRODUCT]);
	if (tb[SHELF_OP_A_PRICE]) {
		op->fields |= FIELD_PRICE;
		op->price = nla_get_s64(tb[SHELF_OP_A_PRICE]);
	}
	if (tb[SHELF_OP_A_STOCK]) {
		op->fields |= FIELD_STOCK;
		op->stock = nla_get_s64(tb[SHELF_OP_A_STOCK]);
	}
	if (tb[SHELF_OP_A_FLAGS]) {
		op->fields |= FIELD_FLAGS;
		op->flags = nla_get_u32(tb[SHELF_OP_A_FLAGS]);
	}
	if (tb[SHELF_OP_A_CURRENCY]) {
		op->fields |= FIELD_CURRENCY;
		memcpy(op->currency, nla_data(tb[SHELF_OP_A_CURRENCY]), 3);
	}
	if (tb[SHELF_OP_A_ATTRS]) {
		op->fields |= FIELD_ATTRS;
		op->len = nla_len(tb[SHELF_OP_A_ATTRS]);
		*data = nla_data(tb[SHELF_OP_A_ATTRS]);
	}
}

static const char *catalog_decode(struct nlattr **tb, struct op *op,
				  const void **data)
{
	struct nlattr *members = tb[SHELF_OP_A_MEMBERS];

	op->id = nla_get_s64(tb[SHELF_OP_A_CATALOG]);
	if (!members)
		return NULL;
	if (!nla_len(members) || nla_len(members) % sizeof(s64))
		return "MEMBERS is not a list of 64-bit ids";
	op->len = nla_len(members) / sizeof(s64);
	*data = nla_data(members);
	return NULL;
}

/* The name, and what it hashes to, are batch_add()'s to look at. */
static void source_decode(struct nlattr **tb, struct op *op, const void **data)
{
	op->len = nla_len(tb[SHELF_OP_A_SOURCE]);
	*data = nla_data(tb[SHELF_OP_A_SOURCE]);
	if (tb[SHELF_OP_A_FIRST])
		op->first = nla_get_u64(tb[SHELF_OP_A_FIRST]);
	if (tb[SHELF_OP_A_LAST])
		op->last = nla_get_u64(tb[SHELF_OP_A_LAST]);
	if (tb[SHELF_OP_A_NO_GAP])
		op->fields |= FIELD_NO_GAP;
}

/**
 * op_decode - reads one operation
 * @nest: SHELF_A_OP
 * @op: zeroed
 * @data: set to the attribute bytes, members or name, inside @nest, or left alone
 * @why: set to constant text if it is refused
 * @extack: for the attribute at fault
 *
 * EINVAL, ERANGE.
 */
int op_decode(const struct nlattr *nest, struct op *op, const void **data,
	      const char **why, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[SHELF_OP_A_MAX + 1];
	int ret;

	ret = nla_parse_nested(tb, SHELF_OP_A_MAX, nest, op_policy, extack);
	if (ret) {
		*why = extack->_msg ?: "malformed operation";
		return ret;
	}
	*why = given_twice(nest, tb) ? "an attribute is given twice" :
	       op_misshapen(tb);
	if (*why)
		return -EINVAL;
	op->kind = nla_get_u8(tb[SHELF_OP_A_KIND]);
	switch (op_map(op)) {
	case MAP_CATALOGS:
		*why = catalog_decode(tb, op, data);
		break;
	case MAP_SOURCES:
		source_decode(tb, op, data);
		break;
	default:
		product_decode(tb, op, data);
	}
	return *why ? -EINVAL : 0;
}
