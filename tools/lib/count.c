// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * SHELF_OPEN_COUNT: mapped lookups, which the kernel does not see, are counted
 * here and reported to it now and then.
 *
 * P2. Each thread has a counter for each shelf that it counts on, a cache line
 * that no other thread writes: a lookup adds to it by plain relaxed stores, and
 * once in LOOK_EVERY ids looks at the clock. The lock is for what is rare: a
 * counter comes, its thread or its shelf goes, a report (for which nobody waits:
 * who finds the lock taken leaves it to the next). A counter belongs to its
 * thread; a shelf that is closed lets go of it, and the thread may use it again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include "internal.h"

#define LINE		64
#define LOOK_EVERY	1024U
#define REPORT_NS	1000000000LL

struct sums {
	__u64 lookups;
	__u64 hits;
	__u64 members;
};

/**
 * struct counter - what one thread counted on one shelf
 * @sums: relaxed atomics; stored by the thread alone
 * @of: the shelf's, NULL once that is closed; stored under @lock
 * @mine: the thread's next; the thread's own
 * @next: the shelf's next; under @lock
 */
struct counter {
	struct sums sums;
	struct shelf_counts *of;
	struct counter *mine;
	struct counter *next;
} __attribute__((aligned(LINE)));

/**
 * struct shelf_counts - all that is counted on one open shelf
 * @first: counters of threads that live
 * @ended: sums of threads that don't
 * @told: what was reported, of the sum of both
 * @told_ns: when; relaxed atomic
 */
struct shelf_counts {
	int fd;
	struct counter *first;
	struct sums ended;
	struct sums told;
	__s64 told_ns;
	struct shelf_counts *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shelf_counts *all;	/* under @lock */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t ending;		/* calls thread_ended() */
static int once_error;
static bool began;

static __thread struct counter *mine;

static __s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (__s64)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void add(__u64 *to, __u64 n)
{
	__atomic_store_n(to, __atomic_load_n(to, __ATOMIC_RELAXED) + n,
			 __ATOMIC_RELAXED);
}

static void add_sums(struct sums *to, const struct sums *from)
{
	to->lookups += __atomic_load_n(&from->lookups, __ATOMIC_RELAXED);
	to->hits += __atomic_load_n(&from->hits, __ATOMIC_RELAXED);
	to->members += __atomic_load_n(&from->members, __ATOMIC_RELAXED);
}

static struct sums total_locked(const struct shelf_counts *of)
{
	struct sums sums = of->ended;
	const struct counter *c;

	for (c = of->first; c; c = c->next)
		add_sums(&sums, &c->sums);
	return sums;
}

static __u64 reportable(__u64 n)
{
	return n < SHELF_REPORT_MAX ? n : SHELF_REPORT_MAX;
}

/* What the kernel refuses (one too old, say) is not offered again. */
static void report_locked(struct shelf_counts *of)
{
	struct sums sums = total_locked(of);
	struct shelf_ioc_report q = {
		.size = sizeof(q),
		.lookups = reportable(sums.lookups - of->told.lookups),
		.hits = reportable(sums.hits - of->told.hits),
		.members = reportable(sums.members - of->told.members),
	};
	int error = errno;

	of->told = sums;
	if (q.lookups || q.hits || q.members)
		ioctl(of->fd, SHELF_IOC_REPORT, &q);
	errno = error;
}

static void report_if_due(struct shelf_counts *of)
{
	__s64 now = now_ns();

	if (now - __atomic_load_n(&of->told_ns, __ATOMIC_RELAXED) < REPORT_NS ||
	    pthread_mutex_trylock(&lock))
		return;
	if (now - of->told_ns >= REPORT_NS) {
		__atomic_store_n(&of->told_ns, now, __ATOMIC_RELAXED);
		report_locked(of);
	}
	pthread_mutex_unlock(&lock);
}

static void unlink_locked(struct counter *c)
{
	struct counter **at = &c->of->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	add_sums(&c->of->ended, &c->sums);
}

static void thread_ended(void *unused)
{
	struct counter *c;

	(void)unused;
	pthread_mutex_lock(&lock);
	while ((c = mine)) {
		mine = c->mine;
		if (c->of)
			unlink_locked(c);
		free(c);
	}
	pthread_mutex_unlock(&lock);
}

static bool is_mine(const struct counter *c)
{
	const struct counter *m = mine;

	while (m && m != c)
		m = m->mine;
	return m;
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/* The parent reports what was counted until now; its other threads are not here. */
static void child_after_fork(void)
{
	struct shelf_counts *of;
	struct counter *c, *next;

	for (of = all; of; of = of->next) {
		for (c = of->first; c; c = next) {
			next = c->next;
			if (is_mine(c))
				continue;
			unlink_locked(c);
			free(c);
		}
		of->told = total_locked(of);
	}
	pthread_mutex_unlock(&lock);
}

static void begin_once(void)
{
	once_error = pthread_key_create(&ending, thread_ended);
	began = !once_error;
	if (began)
		once_error = pthread_atfork(before_fork, after_fork,
					    child_after_fork);
}

/* A plugin that has this library in it may be unloaded before its threads end. */
static void __attribute__((destructor)) end_once(void)
{
	if (began)
		pthread_key_delete(ending);
}

int shelf_counts_begin(struct shelf *s)
{
	struct shelf_counts *of;

	pthread_once(&once, begin_once);
	if (once_error)
		return -once_error;
	of = calloc(1, sizeof(*of));
	if (!of)
		return -ENOMEM;
	of->fd = s->fd;
	of->told_ns = now_ns();
	s->counts = of;
	s->flags |= SHELF_OPEN_COUNT;
	pthread_mutex_lock(&lock);
	of->next = all;
	all = of;
	pthread_mutex_unlock(&lock);
	return 0;
}

void shelf_counts_end(struct shelf *s)
{
	struct shelf_counts *of = s->counts, **at;
	struct counter *c;

	if (!of)
		return;
	pthread_mutex_lock(&lock);
	report_locked(of);
	for (c = of->first; c; c = c->next)
		__atomic_store_n(&c->of, NULL, __ATOMIC_RELAXED);
	for (at = &all; *at != of; at = &(*at)->next)
		;
	*at = of->next;
	pthread_mutex_unlock(&lock);
	free(of);
}

/* This thread's counter of @of, or of a closed shelf if @of is NULL. */
static struct counter *find_mine(const struct shelf_counts *of)
{
	struct counter *c;

	for (c = mine; c; c = c->mine)
		if (__atomic_load_n(&c->of, __ATOMIC_RELAXED) == of)
			return c;
	return NULL;
}

/* NULL: this thread has no memory to count in. */
static struct counter *new_mine(void)
{
	struct counter *c = aligned_alloc(LINE, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct counter){ .mine = mine };
	if (pthread_setspecific(ending, c)) {
		free(c);
		return NULL;
	}
	mine = c;
	return c;
}

static struct counter *counter_begin(struct shelf_counts *of)
{
	struct counter *c = find_mine(NULL);

	if (!c)
		c = new_mine();
	if (!c)
		return NULL;
	pthread_mutex_lock(&lock);
	c->sums = (struct sums){ 0 };
	__atomic_store_n(&c->of, of, __ATOMIC_RELAXED);
	c->next = of->first;
	of->first = c;
	pthread_mutex_unlock(&lock);
	return c;
}

void shelf_count(const struct shelf *s, __u64 lookups, __u64 hits, __u64 members)
{
	struct shelf_counts *of = s->counts;
	struct counter *c;
	__u64 before;

	if (!of)
		return;
	c = find_mine(of);
	if (!c)
		c = counter_begin(of);
	if (!c)
		return;
	before = c->sums.lookups + c->sums.members;
	add(&c->sums.lookups, lookups);
	add(&c->sums.hits, hits);
	add(&c->sums.members, members);
	if (before / LOOK_EVERY != (before + lookups + members) / LOOK_EVERY)
		report_if_due(of);
}
