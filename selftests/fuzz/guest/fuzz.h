/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Running programs: what they run in, what is watched, who runs them. */
#ifndef FUZZ_H
#define FUZZ_H

#include <pthread.h>
#include <setjmp.h>

#include "../../guest/lib/wire.h"
#include "program.h"

#define WORKERS_MAX	8U
#define RECENT		8U
#define PCS_MAX		(1U << 20)
#define NOVEL_BITS	(1U << 20)
#define HELPERS_MAX	4U

/*
 * What all processes share
 * ========================
 */
/**
 * struct progress - of one worker
 * @recent: the last programs, the current one at @at modulo RECENT
 * @begun_ns: when its latest call began; 0: none is running
 */
struct progress {
	unsigned int at;
	__u64 begun_ns;
	struct program recent[RECENT];
};

/**
 * struct shared - one for all workers and their children
 * @fault: the first thing that went wrong, @faulted by whom it was seen
 * @pc: which words of the module's text have run in a worker's call
 * @novel: which outcomes there were
 */
struct shared {
	int stop;
	int faulted;
	unsigned int culprit;
	char fault[200];
	__u64 calls;
	__u64 programs;
	__u64 refused;
	__u64 kept;
	__u64 commits;
	unsigned int pcs;
	unsigned int outcomes;
	struct progress progress[WORKERS_MAX];
	__u8 pc[PCS_MAX];
	__u8 novel[NOVEL_BITS];
};

extern struct shared *shared;

/* Only the first is kept. Everybody stops at their next call. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool stopped(void);

/**
 * struct options - as the command line has it
 * @seconds, @calls: until both are reached
 * @journal: directory for what each worker runs, told before it does
 */
struct options {
	__u64 seed;
	double seconds;
	__u64 calls;
	unsigned int workers;
	const char *journal;
	const char *replay;
	bool no_coverage;
};

extern struct options options;

/*
 * What a program runs in
 * ======================
 */
/* Addresses that nothing else is at, a window for each slot. */
#define WINDOW_FIRST	0x100000000000ULL
#define WINDOW_BYTES	(1ULL << 37)

struct window {
	void *at;
	size_t len;
};

/*
 * Threads and children of a program share its slots, and nothing is locked.
 * @awaited: commits whose result is to come, about
 */
struct slots {
	unsigned int worker;
	int file[SLOTS];
	struct wire sock[SLOTS];
	__u64 cookie[SLOTS];
	__u64 pin[SLOTS];
	struct window map[SLOTS];
	__u64 generation;
	int awaited;
	pid_t child[HELPERS_MAX];
	unsigned int children;
	pthread_t thread[HELPERS_MAX];
	unsigned int threads;
};

/**
 * struct lane - what each thread has for itself
 * @alone: a thread or child: nobody interrupts it, so it must not block
 * @fresh: some call of the program did what none had done before
 * @fail: which allocation of the next call fails
 * @news: what there is to tell of the last call besides its result
 */
struct lane {
	struct slots *slots;
	const struct program *program;
	unsigned int next;
	bool alone;
	bool fresh;
	unsigned int fail;
	__u64 news;
	__u8 image[8192];
	struct msg message;
	__u8 answer[64 << 10];
};

/**
 * struct op - a kind of call
 * @args: what each argument is: a slot's letter, n a name, x a number, @ a place
 * @result: the first argument is a slot that it fills
 * @run: the result, or a negative errno
 */
struct op {
	const char *name;
	const char *args;
	bool result;
	unsigned int weight;
	void (*make)(struct rng *r, struct call *c);
	long (*run)(struct lane *l, const struct call *c);
};

extern const struct op ops[];
extern const unsigned int op_count;
unsigned int op_named(const char *name);	/* op_count: there is none */

/* names.c: what n0, n1, ... are; @worker's own come first. */
#define NAMES		14U
#define NAME_WITNESS	(NAMES - 1)
void names_init(const char *witness, const struct wire *family);
const char *name_of(unsigned int worker, __u64 n);
/* Both of them: a fresh start, and how it was found. */
void names_destroy(unsigned int worker);

/* What is known of the generic netlink family. */
extern struct wire family;

/*
 * Calls (call-*.c) and who makes them up (make.c)
 * ===============================================
 */
long run_open(struct lane *l, const struct call *c);
long run_close(struct lane *l, const struct call *c);
long run_dup(struct lane *l, const struct call *c);
long run_read(struct lane *l, const struct call *c);
long run_poll(struct lane *l, const struct call *c);
long run_sysfs(struct lane *l, const struct call *c);
long run_param(struct lane *l, const struct call *c);
long run_ioctl(struct lane *l, const struct call *c);
long run_mmap(struct lane *l, const struct call *c);
long run_munmap(struct lane *l, const struct call *c);
long run_mprotect(struct lane *l, const struct call *c);
long run_mremap(struct lane *l, const struct call *c);
long run_madvise(struct lane *l, const struct call *c);
long run_touch(struct lane *l, const struct call *c);
long run_socket(struct lane *l, const struct call *c);
long run_shut(struct lane *l, const struct call *c);
long run_send(struct lane *l, const struct call *c);
long run_recv(struct lane *l, const struct call *c);
long run_fork(struct lane *l, const struct call *c);
long run_thread(struct lane *l, const struct call *c);
long run_fail(struct lane *l, const struct call *c);
long run_nap(struct lane *l, const struct call *c);

/* Blocks for some milliseconds at most, if nothing else comes. */
void interrupt_soon(struct lane *l, bool on);

/*
 * Workers (worker.c, slots.c)
 * ===========================
 */
void slots_init(struct slots *s, unsigned int worker);
void slots_drop(struct slots *s);
/* The calls from @l->next on, @count at most. */
void run_calls(struct lane *l, unsigned int count);
/* Of a thread that ends, and of a child, whose allocations are other ones. */
void fail_forget(void);
/* A process: runs until it is stopped. */
void worker(unsigned int number);
/* All programs of a file, once. Status for exit(). */
int replay(const char *path);

/*
 * Coverage (cover.c)
 * ==================
 */
/* False: this kernel has none, or it is of no use. */
bool cover_open(void);
void cover_begin(void);
/* Whether the call that began then has been anywhere new. */
bool cover_end(void);
/* The same of outcomes, for kernels without. */
bool outcome_new(const struct call *c, long ret, __u64 news);

/*
 * Watching (watch.c)
 * ==================
 */
int log_open(void);
/* False, and a fault: the kernel has complained since the last time. */
bool log_clean(int fd);
int witness_make(void);
const char *witness_name(void);
/* How much of it is not as it was. */
unsigned int witness_wrong(void);
void witness_drop(void);

#endif /* FUZZ_H */
