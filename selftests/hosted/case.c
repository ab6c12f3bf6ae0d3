// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

#define FAIL(...) do {							\
	fprintf(stderr, "case: " __VA_ARGS__);				\
	fputc('\n', stderr);						\
	abort();							\
} while (0)

/*
 * Making
 * ======
 */
static size_t data_bytes(const struct op *op)
{
	return op_map(op) == MAP_CATALOGS ? (size_t)op->len * 8 : op->len;
}

static void write_down(struct case_batch *to, const struct batch *b)
{
	const struct op_block *block;
	u32 at;

	to->op = calloc(b->ops, sizeof(*to->op));
	for (block = b->first; block; block = block->next) {
		for (at = 0; at < block->used;) {
			const struct op *op = (const struct op *)(block->bytes + at);
			struct case_op *o = &to->op[to->count++];

			at += (u32)op_bytes(op);
			o->op = *op;
			o->data = malloc(data_bytes(op) + 1);
			memcpy(o->data, op->data, data_bytes(op));
		}
	}
}

void case_make(struct test_case *c, u64 seed, u32 batches)
{
	struct model *m = malloc(sizeof(*m));
	u64 random = seed;
	struct batch b;
	u32 i;

	*c = (struct test_case){ .seed = seed, .hash_seed = model_random(&random) };
	c->quarantine_ms = model_below(&random, 2);
	c->batch = calloc(batches, sizeof(*c->batch));
	model_init(m, &random);
	if (!model_below(&random, 3))
		c->pin_bytes = 64 << 10;	/* so that pins are revoked */
	for (i = 0; i < batches; i++) {
		struct case_batch *to = &c->batch[c->count++];

		batch_init(&b, 1ULL << 30);
		if (!model_below(&random, 3))
			to->fail_in = 1 + model_below(&random, 30);
		model_batch(m, &b, model_below(&random, 4) ? 40 : 3000, &random);
		write_down(to, &b);
		batch_free(&b);
		to->pin = model_below(&random, CASE_PINS);
		to->look = model_below(&random, CASE_PINS);
	}
	model_free(m);
	free(m);
}

void case_free(struct test_case *c)
{
	u32 i, j;

	for (i = 0; i < c->count; i++) {
		for (j = 0; j < c->batch[i].count; j++)
			free(c->batch[i].op[j].data);
		free(c->batch[i].op);
	}
	free(c->batch);
}

u64 case_size(const struct test_case *c)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < c->count; i++)
		n += c->batch[i].count;
	return n;
}

/*
 * Running
 * =======
 */

/* A pin, and what its snapshot has to be. */
struct held {
	struct pin pin;
	struct model *model;
};

struct running {
	const struct test_case *c;
	struct tally *t;
	struct hosted *h;
	struct model *model;
	struct held held[CASE_PINS];
	u64 random;		/* of how it is looked at */
	u32 gone;
};

static void drop_model(struct model *m)
{
	model_free(m);
	free(m);
}

static void stage(const struct case_batch *from, struct batch *b)
{
	const char *why;
	u32 i;

	batch_init(b, 1ULL << 30);
	for (i = 0; i < from->count; i++)
		if (batch_add(b, &from->op[i].op, from->op[i].data, &why))
			FAIL("operation %u: %s", i, why);
}

/* With the n-th allocation failing first, if it says so. */
static void commit(struct running *r, const struct case_batch *from)
{
	u64 before = from->fail_in ? model_hash(r->model, r->h) : 0;
	struct report report;
	struct batch b;
	int ret;

	stage(from, &b);
	shim_fail_in = from->fail_in;
	ret = hosted_commit(r->h, &b, NULL, &report);
	shim_fail_in = 0;
	if (ret) {
		if (!from->fail_in || ret != -ENOMEM || model_hash(r->model, r->h) != before)
			FAIL("commit: %d %s", ret, report.message);
		r->t->failures++;
		ret = hosted_commit(r->h, &b, NULL, &report);
		if (ret)
			FAIL("commit again: %d %s", ret, report.message);
	}
	r->t->commits++;
	r->t->ops += b.ops;
	batch_free(&b);
}

/* False: there is nothing to be patched. */
static bool apply(struct running *r, const struct case_batch *from)
{
	struct model *next = model_copy(r->model);
	bool ok = true;
	u32 i;

	for (i = 0; ok && i < from->count; i++)
		ok = model_apply(next, &from->op[i].op, from->op[i].data);
	if (!ok) {
		drop_model(next);
		return false;
	}
	commit(r, from);
	drop_model(r->model);
	r->model = next;
	return true;
}

static void hold(struct running *r, struct held *held)
{
	memset(&held->pin, 0, sizeof(held->pin));
	if (store_pin(&r->h->store, &held->pin, 0, 0))
		FAIL("cannot pin");
	held->model = model_copy(r->model);
}

static void let_go(struct running *r, struct held *held)
{
	if (!held->model)
		return;
	drop_model(held->model);
	held->model = NULL;
	r->gone += store_unpin(&r->h->store, &held->pin) ? 1 : 0;
}

/* Pins come and go; whatever is pinned reads as it did when it was. */
static void check_pins(struct running *r, const struct case_batch *b)
{
	struct held *held = &r->held[b->look];
	struct shelf_view v = hosted_view(r->h);

	if (b->pin == CASE_PINS)
		return;
	if (r->held[b->pin].model)
		let_go(r, &r->held[b->pin]);
	else
		hold(r, &r->held[b->pin]);
	if (!held->model || !held->pin.of)
		return;
	v.root = held->pin.root;
	model_compare(held->model, &v, &r->random);
	r->t->compared++;
}

static void begin(struct running *r)
{
	struct hosted_config config = {
		.name = "model",
		.max_bytes = 256ULL << 20,
		.quarantine_ms = r->c->quarantine_ms,
		.seed = &r->c->hash_seed,
	};
	u64 random = r->c->seed;

	model_random(&random);
	model_random(&random);
	r->model = malloc(sizeof(*r->model));
	model_init(r->model, &random);
	if (hosted_create_memory(&config, &r->h))
		FAIL("cannot make a shelf in memory");
	if (r->c->pin_bytes)
		r->h->store.pin_bytes = r->c->pin_bytes;
}

static void end(struct running *r)
{
	u32 i;

	for (i = 0; i < CASE_PINS; i++)
		let_go(r, &r->held[i]);
	store_account(&r->h->store);
	if (r->gone != r->h->store.revocations)
		FAIL("%u pins are gone, %llu were revoked", r->gone, r->h->store.revocations);
	r->t->revocations += r->h->store.revocations;
	hosted_close(r->h);
	drop_model(r->model);
}

bool case_run(const struct test_case *c, struct tally *t)
{
	struct running r = { .c = c, .t = t, .random = c->seed };
	struct shelf_view v;
	bool ok = true;
	u32 i;

	begin(&r);
	for (i = 0; ok && i < c->count; i++) {
		ok = apply(&r, &c->batch[i]);
		v = hosted_view(r.h);
		model_compare(r.model, &v, &r.random);
		check_pins(&r, &c->batch[i]);
		store_account(&r.h->store);
	}
	end(&r);
	return ok;
}

void case_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
}

/* What hangs has failed, too. */
bool case_passes(const struct test_case *c)
{
	struct tally unused = { 0 };
	int status, null;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		FAIL("cannot fork");
	if (!pid) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		alarm(60);
		case_run(c, &unused);
		case_leaks();
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}
