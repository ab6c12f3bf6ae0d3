// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What reading a product costs, by way of the mapping, of the shelf's ioctls and
 * of what a kernel offers without a shelf. In a guest, which the emulator makes
 * slower by a factor of its own for each kind of code.
 *
 *   guest time|count [SUMMARY.tsv]
 *
 * time: nanoseconds, as ratios to a mapped get. Says how the ways compare here,
 * where entering the kernel costs less against a lookup than on hardware.
 *
 * count: instructions, in a guest whose time stamp counter advances by one with
 * each (vm --icount). A string instruction counts each time round, so what is
 * copied to or from user space, or cleared, counts one more for each 8 bytes.
 *
 * Windows alternate between the ways; a figure is a median of theirs, without
 * the loop. Few windows of a count see a timer interrupt, and the median none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "guest.h"

#define WINDOWS		41U
#define WAYS_MAX	32U

static bool counting;

struct figures {
	double median;
	double low;
	double high;
};

static uint64_t stamp(void)
{
	if (!counting)
		return bench_now();
	_mm_lfence();
	return __rdtsc();
}

static unsigned int calls_of(const struct way *way)
{
	return counting ? way->calls_counted : way->calls;
}

static void check(const struct way *way, uint64_t found, uint64_t n)
{
	if (found > n || found < (way->any ? 1 : n))
		bench_die(way->name, "didn't find what is there");
}

/* What one product costs, in one window at a random place of the ids. */
static double window(struct world *w, const struct way *way, uint64_t *seed)
{
	unsigned int calls = calls_of(way), n = calls * way->batch;
	uint64_t at = bench_random(seed) % (PRODUCTS - n);
	uint64_t begin, end, found;

	begin = stamp();
	found = way->run(w, w->ids + at, w->indexes + at, calls);
	end = stamp();
	check(way, found, n);
	return (double)(end - begin) / (double)found;
}

static void measure(struct world *w, struct figures *f)
{
	static double values[WAYS_MAX][WINDOWS];
	unsigned int round, i;
	uint64_t seed = 2;

	for (round = 0; round < WINDOWS; round++)
		for (i = 0; ways[i].name; i++)
			values[i][round] = window(w, &ways[i], &seed);
	for (i = 0; ways[i].name; i++) {
		f[i].median = bench_median(values[i], WINDOWS);
		f[i].low = bench_quantile(values[i], WINDOWS, 0.1);
		f[i].high = bench_quantile(values[i], WINDOWS, 0.9);
	}
}

/* Every page of everything once, so that no window has a fault. */
static void touch(struct world *w)
{
	unsigned int i, calls;

	for (i = 0; ways[i].name; i++) {
		calls = PRODUCTS / ways[i].batch;
		check(&ways[i], ways[i].run(w, w->ids, w->indexes, calls), PRODUCTS);
	}
}

static const struct figures *named(const struct figures *f, const char *name)
{
	unsigned int i;

	for (i = 0; ways[i].name; i++)
		if (!strcmp(ways[i].name, name))
			return &f[i];
	bench_die(name, "not measured");
	return NULL;
}

static void print_table(const struct figures *f)
{
	const char *unit = counting ? "instructions" : "ns";
	double loop = f[0].median, get = f[1].median - loop;
	unsigned int i;

	printf("\n%-42s %14s  %-22s %s\n", "for one product or empty call", unit,
	       "10% to 90% of windows", "mapped gets");
	for (i = 0; ways[i].name; i++) {
		double loops = i ? loop / ways[i].batch : 0;

		printf("%-42s %14.1f  %9.1f to %9.1f %11.2f\n", ways[i].title,
		       f[i].median - loops, f[i].low - loops, f[i].high - loops,
		       (f[i].median - loops) / get);
	}
	printf("\n");
}

static void summarise(const struct figures *f)
{
	double loop = f[0].median, get = f[1].median - loop;
	char name[64];
	unsigned int i;

	for (i = 1; ways[i].name; i++) {
		double value = f[i].median - loop / ways[i].batch;

		snprintf(name, sizeof(name), "guest.%s.%s", ways[i].name,
			 counting ? "instructions" : "ratio");
		if (counting)
			bench_figure(name, value, "instructions");
		else if (i > 1)
			bench_figure(name, value / get, "ratio");
	}
	if (counting)
		bench_figure("ioctl.extra_instructions",
			     named(f, "ioctl_get")->median -
			     named(f, "empty_ioctl")->median, "instructions");
}

/* 1000 instructions must count as such, or the guest's clock is another one. */
static void check_counter(void)
{
	uint64_t n = 500, begin = stamp(), end;

	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n));
	end = stamp();
	if (end - begin < 1000 || end - begin > 1020)
		bench_die("count", "the time stamp counter doesn't count instructions");
}

int main(int argc, char **argv)
{
	static struct figures f[WAYS_MAX];
	struct world w;

	if (argc < 2 || argc > 3 || (strcmp(argv[1], "time") && strcmp(argv[1], "count"))) {
		fprintf(stderr, "usage: guest time|count [SUMMARY.tsv]\n");
		return 2;
	}
	setlinebuf(stdout);
	counting = !strcmp(argv[1], "count");
	if (counting)
		check_counter();
	if (argc > 2)
		bench_summary(argv[2]);
	bench_pin(0);
	world_make(&w);
	touch(&w);
	measure(&w, f);
	print_table(f);
	summarise(f);
	world_free(&w);
	return 0;
}
