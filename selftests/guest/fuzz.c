// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1 to P8, against whoever says what no library would: programs of calls, made up at
 * random and from those that reached something new, over every way into the module.
 *
 *   fuzz [--seed N] [--seconds N] [--calls N] [--workers N] [--journal DIR]
 *        [--no-coverage] [--replay FILE]
 *
 * It runs until both seconds and calls are reached (12 seconds). What is new is told
 * by KCOV where the kernel has it, and by outcomes never seen before. What went wrong
 * is told with the programs that ran, which --replay runs again, and with --journal
 * each program is in DIR/worker.N before it runs, should the kernel not survive it.
 *
 * Wrong is: a word of the kernel's about it; a byte of the witness, a shelf that no
 * call may change, that is not as it was; a shelf that can be written; a SIGBUS from
 * a mapping; an answer with an address of the kernel's, or longer than it should be; a
 * call that never returns; anything left when all is closed and destroyed.
 *
 * Seen to fail on Debian's 6.1, seed 3, two workers: without the bound on GET_MANY's
 * count (after 2,467 calls); with an answer of the caller's size, which has bytes of
 * the stack (3,120); with a lock taken twice where an operation is refused (2,293); and,
 * the kernel having died and the journal told why, without a look whether COOKIE is
 * there (some 220), and with revoked pins left in their file's list when they are freed
 * (some 1,450, with slub_debug=FZPU).
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../fuzz/guest/fuzz.h"
#include "lib/dev.h"

#define STUCK_NS	(90ULL * 1000000000)
#define LOOK_NS		(5ULL * 1000000000)

static unsigned int number;

static bool result(bool good, const char *what)
{
	printf("%s %u - %s\n", good ? "ok" : "not ok", ++number, what);
	return good;
}

static void usage(void)
{
	fputs("usage: fuzz [--seed N] [--seconds N] [--calls N] [--workers 1-8]\n"
	      "            [--journal DIR] [--no-coverage] [--replay FILE]\n", stderr);
	exit(2);
}

static void set_option(int c, const char *value)
{
	if (c == 's')
		options.seed = strtoull(value, NULL, 0);
	else if (c == 't')
		options.seconds = strtod(value, NULL);
	else if (c == 'c')
		options.calls = strtoull(value, NULL, 0);
	else if (c == 'w')
		options.workers = atoi(value);
	else if (c == 'j')
		options.journal = value;
	else if (c == 'r')
		options.replay = value;
	else if (c == 'n')
		options.no_coverage = true;
	else
		usage();
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "calls", required_argument, NULL, 'c' },
		{ "workers", required_argument, NULL, 'w' },
		{ "journal", required_argument, NULL, 'j' },
		{ "replay", required_argument, NULL, 'r' },
		{ "no-coverage", no_argument, NULL, 'n' },
		{ 0 }
	};
	int c;

	options = (struct options){ .seed = now_ns(), .workers = 2 };
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(c, optarg);
	if (optind != argc || options.workers < 1 || options.workers > WORKERS_MAX)
		usage();
	if (!options.seconds && !options.calls)
		options.seconds = 12;
}

/* What the kernel prints when an allocation is made to fail is not of interest. */
static void quieten(void)
{
	static const char *const files[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	char path[64];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", files[i]);
		write_file(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/ignore-gfp-wait", files[i]);
		write_file(path, "N");
	}
}

/* A program's text is the same program: else what failed could not be run again. */
static bool text_right(const struct program *p)
{
	static char text[PROGRAM_TEXT], again[PROGRAM_TEXT];
	static struct program copy;
	size_t len = program_print(p, text);
	FILE *f = fmemopen(text, len, "r");
	bool good = f && program_read(&copy, f) == 1;

	if (f)
		fclose(f);
	return good && program_print(&copy, again) == len && !memcmp(text, again, len);
}

static bool texts_right(void)
{
	struct rng r = { options.seed };
	static struct program p, other;
	unsigned int i, wrong = 0;

	for (i = 0; i < 100; i++) {
		program_make(&r, &other);
		program_make(&r, &p);
		program_mutate(&r, &p, &other);
		program_mutate(&r, &p, &other);
		wrong += !text_right(&p);
	}
	return !wrong;
}

static int setup(void)
{
	struct wire nl;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || wire_open(&nl) || witness_make())
		return -1;
	wire_close(&nl);
	names_init(witness_name(), &nl);
	quieten();
	return 0;
}

static void start(pid_t pid[WORKERS_MAX])
{
	unsigned int i, n = options.replay ? 1 : options.workers;

	fflush(stdout);
	for (i = 0; i < n; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		if (!options.replay)
			worker(i);
		i = replay(options.replay);
		fflush(stdout);
		_exit(i);
	}
}

static void look_for_stuck(void)
{
	__u64 begun, now = now_ns();
	unsigned int i;

	for (i = 0; i < WORKERS_MAX; i++) {
		begun = __atomic_load_n(&shared->progress[i].begun_ns, __ATOMIC_ACQUIRE);
		if (begun && now > begun + STUCK_NS) {
			fault("worker %u: a call does not return", i);
			shared->culprit = i;
		}
	}
}

/* A worker that ends by itself has failed, unless all it had to do was replay. */
static bool ended(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return false;
	if (WIFSIGNALED(status))
		fault("a worker was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		fault("a worker ended with status %d", WEXITSTATUS(status));
	return true;
}

static bool enough(__u64 begin)
{
	return !options.replay && now_ns() >= begin + (__u64)(options.seconds * 1e9) &&
	       __atomic_load_n(&shared->calls, __ATOMIC_RELAXED) >= options.calls;
}

static void tell(__u64 begin)
{
	printf("# %.0f s: %llu programs, %llu calls, %llu refused, %llu commits; %u words of code, %u outcomes, %llu programs kept\n",
	       (double)(now_ns() - begin) / 1e9, shared->programs, shared->calls,
	       shared->refused, shared->commits, shared->pcs, shared->outcomes, shared->kept);
	fflush(stdout);
}

/* When to look again: it shall take a tenth of the time at most. */
static __u64 look_at_witness(void)
{
	__u64 begin = now_ns(), cost;

	if (witness_wrong())
		fault("the witness is not as it was");
	cost = now_ns() - begin;
	return begin + (10 * cost > LOOK_NS ? 10 * cost : LOOK_NS);
}

static void watch(__u64 begin)
{
	int log = log_open();
	__u64 look = begin + LOOK_NS, told = begin;

	while (!stopped() && !enough(begin) && !ended()) {
		sleep_ms(20);
		log_clean(log);
		look_for_stuck();
		if (now_ns() < look)
			continue;
		look = look_at_witness();
		if (now_ns() > told + 60ULL * 1000000000) {
			told = now_ns();
			tell(begin);
		}
	}
	look_at_witness();
}

/* In time for a program to come to its end; then what hangs, hangs. */
static void stop(pid_t pid[WORKERS_MAX])
{
	unsigned int i, tries;

	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < WORKERS_MAX; i++) {
		for (tries = 0; pid[i] > 0 && tries < 600; tries++) {
			if (waitpid(pid[i], NULL, WNOHANG))
				break;
			sleep_ms(50);
		}
		if (pid[i] > 0 && tries == 600)
			fault("worker %u does not end", i);
	}
}

static void print_recent(unsigned int w)
{
	const struct progress *g = &shared->progress[w];
	static char text[PROGRAM_TEXT];
	unsigned int i;
	char *line, *rest;

	if (!g->at)
		return;
	printf("# worker %u's last programs; the last one was at work%s:\n", w,
	       w == shared->culprit ? ", or seen" : "");
	for (i = g->at < RECENT ? 1 : g->at - RECENT + 1; i <= g->at; i++) {
		program_print(&g->recent[i % RECENT], text);
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			printf("#   %s\n", line);
	}
}

/* Whoever still holds the module after some seconds will go on. */
static bool let_go(int refs)
{
	unsigned int tries;

	for (tries = 0; module_refs() != refs && tries < 200; tries++)
		sleep_ms(50);
	return module_refs() == refs;
}

static void clean(void)
{
	unsigned int w;

	for (w = 0; w < options.workers; w++)
		names_destroy(w);
	write_file("/sys/module/shelf/parameters/small_chunks", "N");
	witness_drop();
}

static bool report(__u64 begin, int refs)
{
	unsigned int w;
	bool good;

	tell(begin);
	good = result(!shared->faulted, "no call did what none may do");
	if (!good) {
		printf("# %s\n", shared->fault);
		for (w = 0; w < WORKERS_MAX; w++)
			print_recent(w);
	}
	good &= result(shared->commits || options.replay, "there were commits");
	if (!options.no_coverage && !access("/sys/kernel/debug/kcov", F_OK))
		good &= result(shared->pcs, "coverage was told");
	if (!shared->faulted) {
		clean();
		good &= result(let_go(refs), "nothing holds the module");
	}
	printf("1..%u\n", number);
	fflush(stdout);
	return good;
}

int main(int argc, char **argv)
{
	pid_t pid[WORKERS_MAX] = { 0 };
	int refs = module_refs();
	__u64 begin;

	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n# --seed %llu\n", options.seed);
	if (!result(texts_right(), "programs are what their text says"))
		return 1;
	if (setup()) {
		puts("Bail out! no shelf to work on");
		return 2;
	}
	begin = now_ns();
	start(pid);
	watch(begin);
	stop(pid);
	return !report(begin, refs);
}
