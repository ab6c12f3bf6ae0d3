// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1 to P5: readers of all kinds against a writer that uses memory again as fast as
 * it can, and somebody who stops them and kills them.
 *
 *   torture [--seconds N] [--reads N] [--commits N] [--readers N] [--seed N]
 *           [--max-bytes N] [--threads] NAME
 *
 * NAME is a shelf that this program makes and removes: "hosted:PATH" or a kernel
 * shelf's name. It runs until all of the three are reached. The readers are
 * processes; with --threads, which is for the thread sanitizer, threads of this one,
 * over a hosted shelf in memory.
 *
 * The shelf has little memory and mostly no quarantine. Each read is checked against
 * what the model (world.h) says of its generation; what counts as a fault stands in
 * torture.h, and each must be there 0 times. So must, at the end, whatever is kept for
 * readers that are gone. The seed makes the batches; who meets which of them is chance.
 *
 * Seen to fail, within seconds, with: retired_free() not raising oldest (torn, mixed,
 * lost); shelf_retry() always false (torn, mixed, stale); current_word stored before
 * catalogs are applied (stale, mixed); pins_settle() freeing what a pin needs (mixed,
 * lost, stale); pins_let_go() that hands nothing to an older pin (torn, mixed);
 * pin_end() leaving the token (mixed, lost); store_pin() without the check of oldest
 * (mixed, torn); shelf_scan_next() passing over a leaf (lost); take_leaf() forgetting a
 * record (mixed, old, retained); shelf_get_many() that loses its first id now and then
 * (lost). Under the thread sanitizer: shelf_begin() with a
 * relaxed load, or draft_publish() with a plain store (races in log_read()); a count of
 * pinned generations that is looked at without its lock; stores to the arena past
 * arena_put().
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "torture.h"

struct shared *shared;
struct options options = { .readers = 4 };

u64 now_ns(void)
{
	return store_clock();
}

void sleep_ms(u64 ms)
{
	const struct timespec nap = {
		.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * NS_PER_MS),
	};

	nanosleep(&nap, NULL);
}

static void usage(void)
{
	fputs("usage: torture [--seconds N] [--reads N] [--commits N] [--readers 1-32]\n"
	      "               [--seed N] [--max-bytes N] [--threads] NAME\n", stderr);
	exit(2);
}

static void set_option(int c, const char *value)
{
	if (c == 't')
		options.seconds = strtod(value, NULL);
	else if (c == 'n')
		options.reads = strtoull(value, NULL, 0);
	else if (c == 'c')
		options.commits = strtoull(value, NULL, 0);
	else if (c == 'r')
		options.readers = atoi(value);
	else if (c == 's')
		options.seed = strtoull(value, NULL, 0);
	else if (c == 'm')
		options.max_bytes = strtoull(value, NULL, 0);
	else if (c == 'T')
		options.threads = true;
	else
		usage();
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "reads", required_argument, NULL, 'n' },
		{ "commits", required_argument, NULL, 'c' },
		{ "readers", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' },
		{ "max-bytes", required_argument, NULL, 'm' },
		{ "threads", no_argument, NULL, 'T' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(c, optarg);
	if (optind != argc - 1 || options.readers < 1 || options.readers > READERS_MAX)
		usage();
	options.name = argv[optind];
	options.hosted = !strncmp(options.name, "hosted:", 7);
	if (options.threads && !options.hosted)
		usage();
	/* What is slow shall fill its memory as well. */
	if (!options.max_bytes)
		options.max_bytes = options.hosted && !options.threads ? 8 << 20 : 4 << 20;
	if (!options.seconds && !options.reads && !options.commits)
		options.seconds = 10;
}

static void *map_shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		printf("Bail out! memory\n");
		exit(1);
	}
	return at;
}

int main(int argc, char **argv)
{
	bool good;

	options.seed = now_ns();
	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n# --seed %llu\n", FAULTS + 1, options.seed);
	shared = map_shared(sizeof(*shared));
	shared->log = map_shared(LOG_MAX * sizeof(*shared->log));
	world_init(options.seed);
	if (writer_open())
		return 1;
	if (options.hosted)
		broker_start();
	writer_start();
	torment();
	writer_stop();
	if (options.hosted)
		broker_stop();
	writer_settle();
	writer_close();
	good = report();
	return !good;
}
