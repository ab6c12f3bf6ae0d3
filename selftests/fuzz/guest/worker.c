// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Who makes programs up, runs them, and keeps those that did something new. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "place.h"
#include "trap.h"

#define CORPUS_MAX	2048U
#define EPOCH		200U	/* programs between fresh starts */

struct shared *shared;
struct options options;

static unsigned int self;	/* this worker's number */
static struct program *corpus[CORPUS_MAX];
static unsigned int kept;
static int journal = -1;

void fault(const char *format, ...)
{
	int none = 0;
	va_list args;

	if (!__atomic_compare_exchange_n(&shared->faulted, &none, 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	va_start(args, format);
	vsnprintf(shared->fault, sizeof(shared->fault), format, args);
	va_end(args);
	shared->culprit = self;
	__atomic_store_n(&shared->faulted, 2, __ATOMIC_RELEASE);
}

bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&shared->faulted, __ATOMIC_RELAXED);
}

/*
 * What a panic would otherwise take along: all since the last fresh start, on the
 * host before it runs.
 */
static void journal_begin(void)
{
	char path[256];

	if (!options.journal)
		return;
	if (journal >= 0)
		close(journal);
	snprintf(path, sizeof(path), "%s/worker.%u", options.journal, self);
	journal = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
}

static void journal_add(const struct program *p)
{
	static char text[PROGRAM_TEXT + 64];
	size_t len;

	if (journal < 0)
		return;
	len = program_print(p, text) - 1;
	len += sprintf(text + len, " after %llu calls of all workers\n", shared->calls);
	if (write(journal, text, len) != (ssize_t)len)
		fault("the journal can't be written");
}

static void note(const struct program *p)
{
	struct progress *g = &shared->progress[self];

	journal_add(p);
	g->recent[(g->at + 1) % RECENT] = *p;
	g->at++;
	__atomic_store_n(&g->begun_ns, now_ns(), __ATOMIC_RELEASE);
}

/* Whether it did anything new. */
static bool run(struct slots *s, struct lane *l, const struct program *p)
{
	note(p);
	l->slots = s;
	l->program = p;
	l->next = 0;
	l->fail = 0;
	l->fresh = false;
	run_calls(l, CALLS_MAX);
	slots_drop(s);
	__atomic_store_n(&shared->progress[self].begun_ns, 0, __ATOMIC_RELEASE);
	__atomic_fetch_add(&shared->programs, 1, __ATOMIC_RELAXED);
	return l->fresh;
}

static void keep(struct rng *r, const struct program *p)
{
	unsigned int at = kept < CORPUS_MAX ? kept++ : below(r, CORPUS_MAX);

	if (!corpus[at])
		corpus[at] = malloc(sizeof(*p));
	if (!corpus[at])
		return;
	*corpus[at] = *p;
	__atomic_fetch_add(&shared->kept, 1, __ATOMIC_RELAXED);
}

/* A third is made up; the rest comes of what was kept, the latest above all. */
static void next_program(struct rng *r, struct program *p)
{
	unsigned int late = kept > 64 && one_in(r, 2) ? kept - 64 : 0;

	if (!kept || one_in(r, 3)) {
		program_make(r, p);
		return;
	}
	*p = *corpus[late + below(r, kept - late)];
	program_mutate(r, p, corpus[below(r, kept)]);
}

static struct lane *begin(unsigned int number)
{
	struct lane *l = calloc(1, sizeof(*l));

	self = number;
	trap_init();
	if (!l || places_init()) {
		fault("no memory for a worker");
		_exit(1);
	}
	if (!options.no_coverage)
		cover_open();
	return l;
}

void worker(unsigned int number)
{
	struct rng r = { options.seed + number * 0x9e3779b97f4a7c15ULL };
	static struct program p;
	static struct slots s;
	unsigned int n;
	struct lane *l;
	int log;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log = log_open();
	l = begin(number);
	slots_init(&s, number);
	for (n = 0; !stopped(); n++) {
		if (n % EPOCH == 0) {
			names_destroy(number);
			journal_begin();
		}
		next_program(&r, &p);
		if (run(&s, l, &p))
			keep(&r, &p);
		log_clean(log);
	}
	_exit(0);
}

int replay(const char *path)
{
	FILE *f = fopen(path, "re");
	static struct program p;
	static struct slots s;
	struct lane *l;
	int log, more = -1;

	if (!f) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		return 2;
	}
	log = log_open();
	l = begin(0);
	slots_init(&s, 0);
	names_destroy(0);
	while (!stopped() && (more = program_read(&p, f)) > 0) {
		run(&s, l, &p);
		log_clean(log);
	}
	free(l);
	fclose(f);
	return more < 0 ? 2 : 0;
}
