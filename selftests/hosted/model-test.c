// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P3, P5, P7: random batches through the model and through the trees.
 *
 *   model-test [--seed N] [--rounds N] [--batches N] [--no-shrink]
 *
 * Each round makes a shelf and sends it random batches. Some of them meet an
 * allocation that fails, and must then leave every byte of the answers as it
 * was (P5). After each commit everything is compared, both maps and the
 * totals (P1), and every page and slot is either free, in quarantine or
 * reachable (P3: nothing is both; P7: nothing is kept).
 *
 * A round runs in a process of its own. If that fails, or dies, as much as possible of
 * it is left out, and what is left is printed as lines for `shelfctl apply`.
 *
 * Seen to fail with draft_drop() not giving back slots, and with the old leaf
 * not retired (both: accounting), and with draft_retire_page() freeing at once
 * (a commit that fails for another reason than the failed allocation); with a
 * revocation that is not counted (pins are gone).
 */
#include <getopt.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

struct options {
	u64 seed;
	u32 rounds;
	u32 batches;
	bool no_shrink;
};

/* In a child, whose counts come back by shared memory. */
static bool one_round(const struct test_case *c, struct tally *shared)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		bool ok = case_run(c, shared);

		fflush(stdout);
		case_leaks();
		_exit(!ok);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("fork");
		return false;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void tell_failure(const struct options *o, struct test_case *c)
{
	printf("# failed: --seed %llu --rounds 1 --batches %u: %u batches, %llu operations\n",
	       c->seed, o->batches, c->count, case_size(c));
	fflush(stdout);
	if (o->no_shrink)
		return;
	if (case_passes(c)) {
		printf("# but not when it is run again\n");
		return;
	}
	case_shrink(c);
	printf("# left: %u batches, %llu operations\n", c->count, case_size(c));
	case_print(c);
}

static bool all_rounds(const struct options *o, struct tally *t)
{
	struct test_case c;
	bool ok = true;
	u32 i;

	for (i = 0; ok && i < o->rounds; i++) {
		case_make(&c, o->seed + i, o->batches);
		ok = one_round(&c, t);
		if (!ok)
			tell_failure(o, &c);
		else
			case_free(&c);	/* what was thinned out is out of its count */
	}
	return ok;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "batches", required_argument, NULL, 'b' },
		{ "no-shrink", no_argument, NULL, 'n' },
		{ 0 }
	};
	struct options o = { .seed = 0, .rounds = 20, .batches = 40 };
	struct tally *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool ok;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 's')
			o.seed = strtoull(optarg, NULL, 0);
		else if (c == 'r')
			o.rounds = (u32)strtoul(optarg, NULL, 0);
		else if (c == 'b')
			o.batches = (u32)strtoul(optarg, NULL, 0);
		else if (c == 'n')
			o.no_shrink = true;
		else
			return 2;
	}
	if (t == MAP_FAILED)
		return 1;
	if (!o.seed)
		o.seed = store_clock() | 1;
	printf("TAP version 13\n1..1\n# --seed %llu --rounds %u --batches %u\n", o.seed, o.rounds,
	       o.batches);
	fflush(stdout);
	ok = all_rounds(&o, t);
	printf("# %llu commits, %llu operations, %llu failed allocations, %llu pins revoked\n",
	       t->commits, t->ops, t->failures, t->revocations);
	printf("# %llu pinned snapshots compared\n", t->compared);
	ok &= t->failures && t->compared;
	printf("%s 1 - the trees say what the model says\n", ok ? "ok" : "not ok");
	return !ok;
}
