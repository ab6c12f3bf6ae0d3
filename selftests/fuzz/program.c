// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P3, P4, P5, P8: whatever is sent and whatever fails, the shelf holds what the
 * oracle says, pinned snapshots and those that validate read as they did, every page
 * and slot is free or reachable, and a message that is refused changes nothing.
 */
#include "program.h"

#include "../hosted/account.h"
#include "../hosted/digest.h"
#include "../hosted/unhash.h"
#include "oracle.h"
#include "sender.h"

#define PINS	4U
#define HOLDS	2U

/* What one input may ask for in all, so that it is over soon; few ask for more. */
#define BUDGET_OPS	96U
#define BUDGET_MEMBERS	600U
#define BUDGET_BYTES	(200U << 10)
#define BUDGET_COMMITS	8U
#define BUDGET_LARGE	6U

static struct {
	struct pin pin;
	u64 digest;
} held[PINS];

/* What an optimistic reader has in hand. */
static struct {
	struct shelf_view view;
	u64 generation;
	u64 digest;
} hold[HOLDS];

static struct {
	u32 ops;
	u32 members;
	u32 bytes;
	u32 commits;
} budget;

static struct store *const store = &host_shelf.store;

/*
 * Ids
 * ===
 */
/* Side by side; apart; at the ends; far and wide; in one place, for a deep trie. */
s64 id_of(const struct step *s, u32 i)
{
	u32 more = s->ids >> 3;

	switch (s->ids & 7) {
	case 0:
	case 1:
		return s->base + (s64)i;
	case 2:
		return s->base + (s64)i * (more + 1);
	case 3:
		return INT64_MIN + (u16)s->base + (s64)i;
	case 4:
		return INT64_MAX - (u16)s->base - (s64)i;
	case 5:
		return (s64)((u64)(s->base + (s64)i) * 0x9e3779b97f4a7c15ULL);
	default:
		return shelf_unhash(((u64)(u16)s->base << 48) + ((u64)i << more),
				    store->seed);
	}
}

/*
 * Operations
 * ==========
 */
static u32 take(u32 *of, u32 n)
{
	n = min(n, *of);
	*of -= n;
	return n;
}

static const u8 *attr_bytes(u32 turn)
{
	static u8 bytes[SHELF_ATTRS_MAX + 64];
	u32 i;

	for (i = 0; !bytes[1] && i < sizeof(bytes); i++)
		bytes[i] = (u8)((i * 0x9e3779b9U) >> 23);
	return bytes + turn % 64;
}

/* Mostly short ones: bytes cost time, and a program's time is its length. */
static u32 attrs_len(u8 size)
{
	static const u16 len[] = {
		0, 1, 7, 8, 9, 24, 100, 500, 3575, 3576, 3577, 4095, 4096, 4097, 8192,
		SHELF_ATTRS_MAX,
	};

	return len[size % (size & 48 ? 8 : ARRAY_SIZE(len))];
}

static void send_product(const struct step *s, u8 kind, u32 i)
{
	struct op op = { .kind = kind, .id = id_of(s, i) };

	if (kind != SHELF_OP_DELETE)
		op.fields = s->arg & 31;
	if (op.fields & FIELD_ATTRS)
		op.len = take(&budget.bytes, attrs_len(s->size));
	if (op.fields & FIELD_PRICE)
		op.price = (s64)s->n * 1000 + i;
	if (op.fields & FIELD_STOCK)
		op.stock = s->size;
	if (op.fields & FIELD_FLAGS)
		op.flags = i + s->arg;
	if (op.fields & FIELD_CURRENCY)
		memcpy(op.currency, s->size & 32 ? "\0\0\0" : "EUR", 4);
	sender_op(&op, attr_bytes(i + s->size));
}

static void do_products(const struct step *s, u8 kind)
{
	u32 n = take(&budget.ops, 1 + s->n % 512), i;

	for (i = 0; i < n; i++)
		send_product(s, kind, i);
}

static void do_members(const struct step *s, u8 kind)
{
	static s64 ids[SHELF_MEMBERS_MAX];
	struct op op = { .kind = kind, .id = s->arg & 63 };
	u32 i;

	if (!take(&budget.ops, 1))
		return;
	op.len = take(&budget.members, 1 + s->n % SHELF_MEMBERS_MAX);
	if (!op.len)
		return;
	/* Backwards as well, so that they have to be sorted. */
	for (i = 0; i < op.len; i++)
		ids[s->size & 1 ? op.len - 1 - i : i] = id_of(s, i);
	sender_op(&op, ids);
}

static void do_catalogs(const struct step *s)
{
	struct op op = { .kind = SHELF_OP_CATALOG_DELETE };
	u32 i;

	for (i = 0; i <= s->n % 8 && take(&budget.ops, 1); i++) {
		op.id = (s->arg + i) & 63;
		sender_op(&op, NULL);
	}
}

/* Few names, and numbers that mostly follow on each other. */
static void do_source(const struct step *s)
{
	static const u8 kinds[] = {
		SHELF_OP_SEQUENCE, SHELF_OP_SEQUENCE, SHELF_OP_SOURCE, SHELF_OP_SOURCE_DELETE,
	};
	char name[] = "topic/0";
	struct op op = { .kind = kinds[s->arg % 4], .len = sizeof(name) - 1 };

	if (!take(&budget.ops, 1))
		return;
	name[6] += (char)(s->ids % 4);
	op.id = shelf_source_id(name, op.len);
	if (op.kind != SHELF_OP_SOURCE_DELETE)
		op.last = (u64)(u16)s->base + s->n % 8;
	if (op.kind == SHELF_OP_SEQUENCE) {
		op.first = (u16)s->base;
		op.fields = s->size & 1 ? FIELD_NO_GAP : 0;
	}
	sender_op(&op, name);
}

/*
 * Readers
 * =======
 */
static u64 view_digest(const struct shelf_root *root)
{
	struct shelf_view v;

	store_view(store, &v);
	v.root = root;
	return snapshot_digest(&v);
}

static void pin_check(u32 i)
{
	if (held[i].pin.of && view_digest(held[i].pin.root) != held[i].digest)
		FAIL("the pin of generation %llu reads otherwise", held[i].pin.generation);
}

static void unpin(u32 i)
{
	bool there = held[i].pin.of;
	int ret;

	if (!held[i].pin.token)
		return;
	pin_check(i);
	ret = store_unpin(store, &held[i].pin);
	if (ret != (there ? 0 : -ESTALE))
		FAIL("unpin: %d", ret);
	memset(&held[i].pin, 0, sizeof(held[i].pin));
}

static void pin(const struct step *s)
{
	u32 i = s->arg % PINS, turn = s->n % 8;
	u64 generation = turn && turn < store->generation ? store->generation - turn : 0;
	int ret;

	unpin(i);
	ret = store_pin(store, &held[i].pin, generation, (u64)s->size << 20);
	if (!ret)
		held[i].digest = view_digest(held[i].pin.root);
	else if (ret == -ENOMEM && shim_fail_in)
		FAIL("no pin for want of memory, and there is some");
	else if (ret == -ESTALE && generation >= store->control->oldest)
		FAIL("generation %llu is intact, but can't be pinned", generation);
}

static void hold_check(u32 i)
{
	if (hold[i].generation < store->control->oldest)
		return;
	if (snapshot_digest(&hold[i].view) != hold[i].digest)
		FAIL("generation %llu validates but reads otherwise", hold[i].generation);
}

static void hold_now(u32 i)
{
	if (hold[i].generation)
		hold_check(i);
	store_view(store, &hold[i].view);
	hold[i].generation = store->generation;
	hold[i].digest = snapshot_digest(&hold[i].view);
}

/*
 * Commits
 * =======
 */
static u64 word_before, next_before;

void host_staged(const struct commit *c)
{
	sender_staged(c);
	word_before = store->control->current_word;
	next_before = store->generation;
	oracle_do(&c->batch);
}

/* Free or in use as before, but for what reclaim has freed meanwhile. */
static void check_unchanged(void)
{
	if (store->control->current_word != word_before ||
	    store->generation != next_before || store->draft_pages)
		FAIL("a refused commit has changed something");
}

void host_done(const struct commit *c, int ret)
{
	oracle_check_result(store, ret, &c->report);
	if (ret || c->report.repeated || c->batch.checks) {
		check_unchanged();
		oracle_undo();
	}
	oracle_compare_touched(store);
	if (ret == -ENOMEM)
		oracle_do(&c->batch);	/* it is tried once more */
}

static void commit(const struct step *s)
{
	if (!take(&budget.commits, 1))
		return;
	sender_commit(s->arg);
}

/*
 * Steps
 * =====
 */
static void trim(const struct step *s)
{
	u32 n = 1 + s->n % 16;

	while (n-- && host_trim_step())
		;
	oracle_compare(store);
}

static void do_grace(const struct step *s)
{
	shim_grace_slow = s->arg & 1;
	if (!shim_grace_slow)
		shim_grace_held = false;
}

/* Returns how many bytes behind the step it took. */
static size_t step(const struct step *s, const u8 *rest, size_t n)
{
	switch (s->kind % STEP_KINDS) {
	case STEP_PUT:
		do_products(s, SHELF_OP_PUT);
		break;
	case STEP_PATCH:
		do_products(s, SHELF_OP_PATCH);
		break;
	case STEP_DELETE:
		do_products(s, SHELF_OP_DELETE);
		break;
	case STEP_ADD:
		do_members(s, SHELF_OP_CATALOG_ADD);
		break;
	case STEP_REMOVE:
		do_members(s, SHELF_OP_CATALOG_REMOVE);
		break;
	case STEP_SOURCE:
		do_source(s);
		break;
	case STEP_CATALOG_DELETE:
		do_catalogs(s);
		break;
	case STEP_COMMIT:
		commit(s);
		break;
	case STEP_SEND:
		sender_flush();
		break;
	case STEP_ABORT:
		sender_abort();
		break;
	case STEP_BATCH:
		sender_choose(s->arg);
		break;
	case STEP_FAIL:
		shim_fail_in = 1 + s->n % 64;
		break;
	case STEP_PIN:
		pin(s);
		break;
	case STEP_UNPIN:
		unpin(s->arg % PINS);
		break;
	case STEP_HOLD:
		hold_now(s->arg % HOLDS);
		break;
	case STEP_TRIM:
		trim(s);
		break;
	case STEP_CLOCK:
		host_clock += (u64)s->n << (s->arg % 32);
		store_reclaim(store);
		break;
	case STEP_GRACE:
		do_grace(s);
		break;
	case STEP_SET:
		sender_set(s->arg, s->n);
		break;
	case STEP_ASK:
		sender_ask(s->arg);
		break;
	case STEP_CLOSE:
		sender_close(s->arg);
		break;
	case STEP_FLIP:
		sender_flip(s->n, s->arg);
		break;
	case STEP_RAW:
		n = min(n, (size_t)s->size);
		sender_raw(rest, n);
		return n;
	case STEP_MESSAGE:
		n = min(n, (size_t)s->size);
		sender_message(s->arg, s->n, rest, n);
		return n;
	}
	return 0;
}

static void begin(const struct program_head *h)
{
	u32 times = h->flags / 8 == 1 ? BUDGET_LARGE : 1;

	memset(held, 0, sizeof(held));
	memset(hold, 0, sizeof(hold));
	budget.ops = BUDGET_OPS * times;
	budget.members = BUDGET_MEMBERS * times;
	budget.bytes = BUDGET_BYTES * times;
	budget.commits = BUDGET_COMMITS;
	oracle_reset();
	host_begin(h->chunks & 1 ? HOST_CHUNKS_MAX : 2);
	store->quarantine_ns = (u64)(h->quarantine % 4) * 1000;
	if (h->pin_bytes & 1)
		store->pin_bytes = (u64)(h->pin_bytes & ~1) << 12;
	if (h->flags & 1)
		store->quarantine_bytes = 64 << 10;
	sender_begin();
}

/* Readers first, since accounting ends all quarantine. */
static void finish(void)
{
	u32 i;

	shim_fail_in = 0;
	sender_close(0);
	sender_close(1);
	shim_grace_slow = false;
	shim_grace_held = false;
	oracle_compare(store);
	for (i = 0; i < HOLDS; i++)
		if (hold[i].generation)
			hold_check(i);
	for (i = 0; i < PINS; i++)
		pin_check(i);
	store_account(store);
	for (i = 0; i < PINS; i++)
		unpin(i);
	store_account(store);
	host_end();
}

void program_run(const u8 *data, size_t size)
{
	struct program_head head = { 0 };
	size_t n = min(size, sizeof(head));
	struct step s;

	memcpy(&head, data, n);
	data += n;
	size -= n;
	begin(&head);
	while (size >= sizeof(s)) {
		size_t used = sizeof(s);

		memcpy(&s, data, sizeof(s));
		used += step(&s, data + used, size - used);
		data += used;
		size -= used;
	}
	finish();
}
