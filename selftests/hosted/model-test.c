// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P3, P5, P7: random batches through the model and through the trees.
 *
 *   model-test [--seed N] [--rounds N] [--batches N]
 *
 * Each round makes a shelf and sends it random batches. Some of them meet an
 * allocation that fails, and must then leave every byte of the answers as it
 * was (P5). After each commit everything is compared, both maps and the
 * totals (P1), and every page and slot is either free, in quarantine or
 * reachable (P3: nothing is both; P7: nothing is kept).
 *
 * Seen to fail with draft_drop() not giving back slots, and with the old leaf
 * not retired (both: accounting), and with draft_retire_page() freeing at once
 * (a commit that fails for another reason than the failed allocation); with a
 * revocation that is not counted (pins are gone).
 */
#include <getopt.h>

#include "model.h"

#define PINS	5

struct options {
	u64 seed;
	u32 rounds;
	u32 batches;
};

struct tally {
	u64 commits;
	u64 failures;
	u64 revocations;
	u64 compared;	/* pinned snapshots */
	u64 ops;
};

/* One batch; with @fail the n-th allocation of its commit is made to fail. */
static void one_batch(struct hosted *h, struct model **m, u64 *random,
		      struct tally *t)
{
	struct model *next = model_copy(*m);
	struct report report;
	struct batch b;
	u64 before = 0;
	bool fail = !model_below(random, 3);
	int ret;

	batch_init(&b, 1ULL << 30);
	model_batch(next, &b, model_below(random, 4) ? 40 : 3000, random);
	if (fail) {
		before = model_hash(*m, h);
		shim_fail_in = 1 + model_below(random, 30);
	}
	ret = hosted_commit(h, &b, NULL, &report);
	shim_fail_in = 0;
	if (ret) {
		if (!fail || ret != -ENOMEM || model_hash(*m, h) != before) {
			fprintf(stderr, "commit: %d %s\n", ret, report.message);
			abort();
		}
		t->failures++;
		ret = hosted_commit(h, &b, NULL, &report);
		if (ret) {
			fprintf(stderr, "commit again: %d %s\n", ret, report.message);
			abort();
		}
	}
	t->commits++;
	t->ops += b.ops;
	batch_free(&b);
	model_free(*m);
	free(*m);
	*m = next;
}

/* A pin, and what its snapshot has to be. */
struct held {
	struct pin pin;
	struct model *model;
};

static void hold(struct hosted *h, const struct model *m, struct held *held)
{
	memset(&held->pin, 0, sizeof(held->pin));
	if (store_pin(&h->store, &held->pin, 0, 0)) {
		fprintf(stderr, "cannot pin\n");
		abort();
	}
	held->model = model_copy(m);
}

/* 1 if it was revoked. */
static u32 let_go(struct hosted *h, struct held *held)
{
	if (!held->model)
		return 0;
	model_free(held->model);
	free(held->model);
	held->model = NULL;
	return store_unpin(&h->store, &held->pin) ? 1 : 0;
}

/* Pins come and go; whatever is pinned reads as it did when it was. */
static u32 check_pins(struct hosted *h, const struct model *m, struct held *held,
		      u64 *random, struct tally *t)
{
	u32 i = model_below(random, PINS), gone = 0;

	if (held[i].model)
		gone = let_go(h, &held[i]);
	else
		hold(h, m, &held[i]);
	i = model_below(random, PINS);
	if (held[i].model && held[i].pin.of) {
		struct shelf_view v = hosted_view(h);

		v.root = held[i].pin.root;
		model_compare(held[i].model, &v, random);
		t->compared++;
	}
	return gone;
}

/* One generation at a time is revoked, and lets go with the next reclaim. */
static void enforce_cap(struct hosted *h)
{
	u64 before;

	do {
		before = h->store.revocations;
		store_reclaim(&h->store);
	} while (h->store.revocations != before);
}

static void one_round(u64 seed, u32 batches, struct tally *t)
{
	u64 random = seed, hash_seed = model_random(&random);
	struct model *m = malloc(sizeof(*m));
	struct hosted_config config = {
		.name = "model",
		.max_bytes = 256ULL << 20,
		.quarantine_ms = model_below(&random, 2),
		.seed = &hash_seed,
	};
	struct held held[PINS] = { 0 };
	struct shelf_view view;
	struct hosted *h;
	u32 i, gone = 0;

	if (hosted_create_memory(&config, &h)) {
		fprintf(stderr, "cannot make a shelf in memory\n");
		abort();
	}
	model_init(m, &random);
	if (!model_below(&random, 3))
		h->store.pin_bytes = 64 << 10;	/* so that pins are revoked */
	for (i = 0; i < batches; i++) {
		one_batch(h, &m, &random, t);
		view = hosted_view(h);
		model_compare(m, &view, &random);
		gone += check_pins(h, m, held, &random, t);
		enforce_cap(h);
		model_account(h);
	}
	for (i = 0; i < PINS; i++)
		gone += let_go(h, &held[i]);
	model_account(h);
	if (gone != h->store.revocations) {
		fprintf(stderr, "%u pins are gone, %llu were revoked\n", gone,
			h->store.revocations);
		abort();
	}
	t->revocations += h->store.revocations;
	hosted_close(h);
	model_free(m);
	free(m);
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "batches", required_argument, NULL, 'b' },
		{ 0 }
	};
	struct options o = { .seed = 0, .rounds = 20, .batches = 40 };
	struct tally t = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 's')
			o.seed = strtoull(optarg, NULL, 0);
		else if (c == 'r')
			o.rounds = (u32)strtoul(optarg, NULL, 0);
		else if (c == 'b')
			o.batches = (u32)strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (!o.seed)
		o.seed = store_clock() | 1;
	printf("TAP version 13\n1..1\n# --seed %llu --rounds %u\n", o.seed, o.rounds);
	fflush(stdout);
	for (u32 i = 0; i < o.rounds; i++)
		one_round(o.seed + i, o.batches, &t);
	printf("# %llu commits, %llu operations, %llu failed allocations, %llu pins revoked\n",
	       t.commits, t.ops, t.failures, t.revocations);
	printf("# %llu pinned snapshots compared\n", t.compared);
	printf("%s 1 - the trees say what the model says\n",
	       t.failures && t.compared ? "ok" : "not ok");
	return !t.failures || !t.compared;
}
