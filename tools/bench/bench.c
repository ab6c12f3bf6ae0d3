// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

#define HUGE_BYTES	(2UL << 20)

volatile uint64_t bench_zero_source;

static FILE *summary;

void bench_die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

void bench_fill(struct bench_record *r, uint64_t index, uint32_t version)
{
	uint32_t i;

	memset(r, 0, sizeof(*r));
	r->id = bench_id(index);
	r->price = (int64_t)(index % 10000) + version;
	r->stock = (int64_t)(index % 77);
	memcpy(r->currency, "EUR", 4);
	r->attrs_len = 100 + (uint32_t)(index % 73);
	for (i = 0; i < r->attrs_len; i++)
		r->attrs[i] = (uint8_t)('a' + (index + i) % 26);
}

uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15U;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

void *bench_memory(size_t bytes, bool huge)
{
	uint8_t *at = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		bench_die("memory", "not enough");
	at += -(uintptr_t)at % HUGE_BYTES;
	madvise(at, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return at;
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fprintf(stderr, "bench: can't stay on CPU %d\n", cpu);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), ascending);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_quantile(const double *sorted, size_t n, double q)
{
	size_t at = (size_t)(q * (double)n);

	return sorted[at < n ? at : n - 1];
}

void bench_figure(const char *name, double value, const char *unit)
{
	printf("%-32s %10.4g %s\n", name, value, unit);
	if (summary)
		fprintf(summary, "%s\t%.4g\t%s\n", name, value, unit);
	fflush(NULL);
}

void bench_summary(const char *path)
{
	summary = fopen(path, "a");
	if (!summary)
		bench_die(path, "can't be written");
}
