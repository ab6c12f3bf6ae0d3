// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sums over all readers, and what they amount to.
 */
#include <stdio.h>

#include "torture.h"

static const char *const kind_names[KINDS] = {
	"section", "call", "pinned", "scan", "ioctl",
};

static const char *const event_names[EVENTS] = {
	"retries", "pins", "pins revoked before their readers", "pins held beyond their lease",
	"whole iterations", "stops", "kills", "commits", "trims", "early reuses",
	"revocations", "chunks given back",
};

const char *const fault_names[FAULTS] = {
	"torn", "mixed", "stale", "backward", "old", "late", "lost", "refused", "retained",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void fault_of_others(enum fault what, const char *message)
{
	pthread_mutex_lock(&lock);
	fault(&shared->others, what, "%s", message);
	pthread_mutex_unlock(&lock);
}

void event_of_others(enum event what, u64 n)
{
	pthread_mutex_lock(&lock);
	bump(&shared->others.events[what], n);
	pthread_mutex_unlock(&lock);
}

void event_is(enum event what, u64 n)
{
	pthread_mutex_lock(&lock);
	__atomic_store_n(&shared->others.events[what], n, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
}

static void add(u64 *to, const u64 *from, size_t n)
{
	while (n--)
		to[n] += __atomic_load_n(&from[n], __ATOMIC_RELAXED);
}

static void add_tally(struct tally *to, const struct tally *from)
{
	add(to->reads, from->reads, KINDS);
	add(&to->ages[0][0], &from->ages[0][0], (size_t)KINDS * AGES);
	add(to->faults, from->faults, FAULTS);
	add(to->events, from->events, EVENTS);
}

static struct tally sum_all(void)
{
	struct tally sum = { 0 };
	int i;

	add_tally(&sum, &shared->others);
	for (i = 0; i < options.readers; i++)
		add_tally(&sum, &shared->tally[i]);
	return sum;
}

u64 tally_reads(void)
{
	struct tally sum = sum_all();
	u64 reads = 0;
	int k;

	for (k = 0; k < KINDS; k++)
		reads += sum.reads[k];
	return reads;
}

/* A read's age: how many generations there were after its own when it counted. */
static void print_ages(const struct tally *t)
{
	u32 a, last = 0;
	int k;

	for (k = 0; k < KINDS; k++)
		for (a = 0; a < AGES; a++)
			if (t->ages[k][a])
				last = max(last, a);
	printf("# %12s", "age");
	for (k = 0; k < KINDS; k++)
		printf(" %13s", kind_names[k]);
	for (a = 0; a <= last; a++) {
		if (a < 3)
			printf("\n# %12u", a);
		else
			printf("\n# %6u-%5u", (1U << (a - 2)) + 1, 1U << (a - 1));
		for (k = 0; k < KINDS; k++)
			printf(" %13llu", t->ages[k][a]);
	}
	printf("\n# %12s", "all");
	for (k = 0; k < KINDS; k++)
		printf(" %13llu", t->reads[k]);
	putchar('\n');
}

static bool happened(const struct tally *t)
{
	bool all = true;
	int k, e;

	for (e = 0; e < EVENTS; e++)
		/* Few are, of a shelf of two chunks, or beside a kernel's commits. */
		all &= t->events[e] ||
		       (e == RETURNED && (options.threads || !options.hosted));
	for (k = 0; k < KINDS; k++)
		all &= t->reads[k] || (k == IOCTL && options.hosted);
	return all;
}

bool all_happened(void)
{
	struct tally sum = sum_all();

	return happened(&sum);
}

bool report(void)
{
	struct tally sum = sum_all();
	bool all = happened(&sum), good = true;
	int e, f;

	print_ages(&sum);
	for (e = 0; e < EVENTS; e++)
		printf("# %s: %llu\n", event_names[e], sum.events[e]);
	for (f = 0; f < FAULTS; f++) {
		printf("%s %d - %s: %llu\n", sum.faults[f] ? "not ok" : "ok", f + 1,
		       fault_names[f], sum.faults[f]);
		good &= !sum.faults[f];
	}
	printf("%s %d - reads of all kinds, reuse and torment there were\n",
	       all ? "ok" : "not ok", FAULTS + 1);
	return good && all;
}
