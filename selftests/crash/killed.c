// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P5: shelfctl apply is killed, at random points of a batch and at each of its
 * system calls. What is there then must be all of the batch or nothing of it: by every
 * product, attribute byte and member. What it had acknowledged is there. Nothing of it
 * stays behind: no draft, no staged batch, no reference to the module. The same batch
 * sent once more is applied.
 *
 *   killed [--points N] [--products N] [--seed N] --tool SHELFCTL NAME
 *
 * NAME is a shelf that this program makes and removes: "hosted:PATH" or a kernel
 * shelf's name.
 *
 * Seen to fail with current_word stored before the catalogs are applied (mixed), which
 * one point in a hundred or so happens to hit.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kill.h"
#include "state.h"

/* What became of the batch that was killed, and what must not become of any. */
enum outcome { UNCHANGED, COMMITTED, LATER, ACKNOWLEDGED, OUTCOMES };

static const char *const outcome_names[OUTCOMES] = {
	"unchanged", "committed, nobody told", "committed after its sender's death",
	"acknowledged first",
};

static const char *const way_names[WAYS] = { "by time", "in the commit", "at system calls" };

enum fault { MIXED, OTHER, LOST, REFUSED, LEFT, FAULTS };

static const char *const fault_names[FAULTS] = {
	"mixed: part of the batch is there",
	"other: the state is neither the one before nor the batch's",
	"lost: what was acknowledged is not there",
	"refused: the same batch did not go through afterwards",
	"left: a draft, a batch, a file or a reference stays behind",
};

static unsigned int points = 150;
static char file[64] = "/tmp/crash-batch.XXXXXX";
static __u64 state;		/* of the last batch that was written to the file */
static bool hosted;
static unsigned int outcomes[WAYS][OUTCOMES];
static unsigned int faults[FAULTS];

static void fault(enum fault what, const char *why, __u64 a, __u64 b)
{
	if (faults[what]++ < 5)
		printf("# batch %llu: %s: %llu, %llu\n", state, why, a, b);
}

static void next_batch(void)
{
	FILE *to = fopen(file, "we");

	if (!to || state_write(to, ++state) < 0 || fclose(to))
		bail("%s: %s", file, strerror(errno));
}

static struct found find(void)
{
	struct found f;
	int ret = state_find(tool_shelf, &f);

	if (ret)
		bail("%s: %s", tool_shelf, strerror(-ret));
	if (!state_is_whole(&f))
		fault(MIXED, "digest is not the state's", f.digest, f.state);
	return f;
}

/* Of the kernel's, -1 where there is none. */
static long long read_number(const char *format, const char *what)
{
	long long value = -1;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), format, tool_shelf, what);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%lld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

static long long counter(const char *what)
{
	return hosted ? 0 : read_number("/sys/class/shelf/%s/%s", what);
}

static long long module_refs(void)
{
	return hosted ? 0 : read_number("/sys/module/shelf/refcnt", "");
}

static __u64 batches_ended(void)
{
	return (__u64)(counter("commits") + counter("aborted_batches") +
		       counter("refused_batches"));
}

/* The kernel's socket, and so its batch, may go a moment after its process. */
static void await(const char *what, long long (*value)(const char *), long long wanted)
{
	__u64 until = now_ns() + 5000000000ULL;

	while (value(what) != wanted && now_ns() < until)
		usleep(1000);
	if (value(what) != wanted)
		fault(LEFT, what, (__u64)value(what), (__u64)wanted);
}

static void apply_again(struct told *told)
{
	struct tool t = { 0 };

	tool_run(&t, "apply", file, NULL, -1);
	tool_end(&t, told);
	if (told->status)
		fault(REFUSED, "status", (__u64)told->status, 0);
}

static enum outcome judge(const struct found *before, const struct found *now,
			  const struct told *killed, const struct told *again)
{
	__u64 commits = again->generation - before->generation;

	if (now->state != before->state && now->state != state)
		fault(OTHER, "state, and before", now->state, before->state);
	if (killed->generation && (now->state != state || now->generation < killed->generation))
		fault(LOST, "state, generation", now->state, now->generation);
	if (again->generation && (commits < 1 || commits > 2))
		fault(OTHER, "commits, of one batch killed and one not", commits, 0);
	if ((now->state == state || killed->generation) && commits == 1)
		fault(OTHER, "the batch is there without a commit", now->state, commits);
	if (killed->generation)
		return ACKNOWLEDGED;
	if (now->state == state)
		return COMMITTED;
	return commits == 2 ? LATER : UNCHANGED;
}

/*
 * A batch that was begun has ended, in one of three ways, and one that wasn't has not;
 * the one that nobody killed has been committed.
 */
static void check_leavings(__u64 ended, enum outcome what)
{
	__u64 now = batches_ended() - ended;

	await("bytes_draft", counter, 0);
	await("pins", counter, 0);
	if (!hosted && (now < 1 + (what != UNCHANGED) || now > 2))
		fault(LEFT, "batches ended, of one killed and one not", now, 0);
}

static void one_point(enum kill_way way, __u64 at)
{
	struct found before = find(), now, after;
	__u64 ended = batches_ended();
	struct told killed, again;
	enum outcome what;

	next_batch();
	kill_at(way, at, file, &killed);
	now = find();
	apply_again(&again);
	after = find();
	what = judge(&before, &now, &killed, &again);
	outcomes[way][what]++;
	if (after.state != state || after.generation != again.generation)
		fault(LOST, "after the second time: state, generation", after.state,
		      after.generation);
	check_leavings(ended, what);
}

/*
 * Evenly over the way, and by chance between: each system call has its turn. Where there
 * are fewer points than calls, a quarter of them stand for the last calls: few lie
 * between the commit and its acknowledgment.
 */
static __u64 choose(enum kill_way way, unsigned int i, unsigned int each)
{
	__u64 room = kill_extent(way) + (way == BY_CALL ? 0 : kill_extent(way) / 8);
	__u64 at = room * i / each;

	if (way != BY_CALL)
		return at + random_below(room / each + 1);
	if (room <= each)
		return at;
	if (i >= each - each / 4)
		return room - (each - i);
	return at + random_below(room / each);
}

static void all_points(void)
{
	unsigned int i, each = (points + WAYS - 1) / WAYS;

	for (i = 0; i < points; i++) {
		one_point(i % WAYS, choose(i % WAYS, i / WAYS, each));
		if ((i + 1) % 100 == 0)
			printf("# %u points\n", i + 1);
	}
}

static unsigned int sum(enum outcome what)
{
	unsigned int way, all = 0;

	for (way = 0; way < WAYS; way++)
		all += outcomes[way][what];
	return all;
}

static void report(__u64 began)
{
	unsigned int way, o;

	for (way = 0; way < WAYS; way++) {
		printf("# %s, over %llu %s:", way_names[way], kill_extent(way),
		       way == BY_CALL ? "stops" : "ns");
		for (o = 0; o < OUTCOMES; o++)
			printf(" %u %s%s", outcomes[way][o], outcome_names[o],
			       o + 1 < OUTCOMES ? "," : "\n");
	}
	kill_print_calls();
	printf("# %u points in %llu ms\n", points, (now_ns() - began) / 1000000);
	for (o = 0; o < FAULTS; o++)
		tap_ok(!faults[o], "%s", fault_names[o]);
	tap_ok(sum(UNCHANGED) && sum(COMMITTED) + sum(LATER),
	       "some were killed before and some behind their commit");
}

static void make_shelf(void)
{
	const struct shelf_settings settings = { .max_bytes = 64 << 20 };
	struct shelf_error err;

	shelf_destroy(tool_shelf, NULL);	/* a failed run's */
	if (shelf_create(tool_shelf, &settings, &err))
		bail("%s: %s", tool_shelf, err.message);
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "points", required_argument, NULL, 'p' },
		{ "products", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "tool", required_argument, NULL, 't' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'p')
			points = (unsigned int)strtoul(optarg, NULL, 0);
		else if (c == 'n')
			state_products = (unsigned int)strtoul(optarg, NULL, 0);
		else if (c == 's')
			random_state = strtoull(optarg, NULL, 0);
		else if (c == 't')
			tool_path = optarg;
		else
			exit(2);
	}
	if (!tool_path || optind != argc - 1 || !points || !state_products) {
		fputs("usage: killed [--points N] [--products N] [--seed N] --tool SHELFCTL NAME\n",
		      stderr);
		exit(2);
	}
	tool_shelf = argv[optind];
	hosted = !strncmp(tool_shelf, "hosted:", 7);
}

static long long refs(const char *unused)
{
	(void)unused;
	return module_refs();
}

int main(int argc, char **argv)
{
	__u64 began = now_ns();
	long long before;
	int fd;

	random_state = began;
	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n# killed --seed %llu\n", random_state);
	fd = mkstemp(file);
	if (fd < 0)
		bail("%s: %s", file, strerror(errno));
	close(fd);
	before = module_refs();
	make_shelf();
	kill_measure(next_batch, file);
	all_points();
	shelf_destroy(tool_shelf, NULL);
	await("references to the module", refs, before);
	unlink(file);
	report(began);
	return tap_end();
}
