/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the parts of the torture test share: memory that writer, readers and
 * tormentor have in common, and each one's tally.
 *
 *   world.c    what the shelf holds after each batch
 *   writer.c   batches, trims, settings that change
 *   broker.c   pins of a hosted shelf, for which its writer plays the kernel
 *   check.c    what was read against what was to be read
 *   section.c  sections of the mapping
 *   calls.c    the library's calls, and ioctls
 *   pinned.c   pins
 *   scan.c     iterating over what is pinned
 *   reader.c   one reader: some of each, by chance
 *   torment.c  stops readers, kills them, puts others in their place
 *   report.c   sums and TAP
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <pthread.h>
#include <semaphore.h>

#include "../../tools/lib/shelf.h"
#include "world.h"

#define READERS_MAX	32
#define PINS_EACH	4U
#define AGES		24	/* 0, 1, 2, 3-4, 5-8, ... */
#define LOG_MAX		(1U << 27)
#define LEASE_MS	40U
#define LEASE_MAX_MS	150U

enum kind { SECTION, CALL, PINNED, SCAN, IOCTL, KINDS };

/*
 * torn      a part of a record is not of the record
 * mixed     a record is not of the snapshot that it was read from
 * stale     a snapshot is not of its generation
 * backward  a later read is of an earlier generation
 * old       a read is from before a batch that had been acknowledged by then
 * late      a section counts though its generation had been reused as it began
 * lost      an iteration missed a record, or invented one, or totals are wrong
 * refused   a batch was, or a call, without a reason
 * retained  memory is kept for nobody
 */
enum fault { TORN, MIXED, STALE, BACKWARD, OLD, LATE, LOST, REFUSED, RETAINED, FAULTS };

extern const char *const fault_names[FAULTS];

/* What must have happened, or the test has shown nothing. */
enum event {
	RETRIES, PINS, REVOKED_SEEN, OVERHELD, SCANS, STOPS, KILLS,	/* readers' */
	COMMITS, TRIMS, EARLY_REUSES, REVOCATIONS, RETURNED, EVENTS
};

/* Each is written by one alone, and read by all: see bump(). */
struct tally {
	u64 reads[KINDS];
	u64 ages[KINDS][AGES];
	u64 faults[FAULTS];
	u64 events[EVENTS];
} __aligned(64);

/* A reader's request to the broker, and its answer; @posted hands it over. */
struct mail {
	sem_t answer;
	u32 posted;
	u32 slot;
	bool unpin;
	u64 generation;
	u64 lease_ns;
	struct pin pin;
	int ret;
};

/**
 * struct shared - in memory that all have mapped
 * @acknowledged: generation << 32 | batch of the last commit that was
 * @staged: the batch that may be visible by now
 * @nap_ms: for each reader: sleep so long where it hurts most
 * @quit: for each reader: end at once, and leave pins behind
 * @log: the batch of each generation; 0: not known (yet)
 */
struct shared {
	u64 acknowledged;
	u64 staged;
	u32 stop;
	u32 nap_ms[READERS_MAX];
	u32 quit[READERS_MAX];
	sem_t work;
	struct mail mail[READERS_MAX];
	struct tally tally[READERS_MAX];
	struct tally others;		/* the writer's and tormentor's, under a lock */
	u32 *log;
};

extern struct shared *shared;

struct options {
	double seconds;
	u64 reads;
	u64 commits;
	int readers;
	u64 seed;
	u64 max_bytes;
	bool threads;
	bool hosted;
	const char *name;
};

extern struct options options;

static inline u64 load(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline u32 flag(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void bump(u64 *p, u64 n)
{
	__atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

u64 now_ns(void);
void sleep_ms(u64 ms);

/*
 * The log is written before a generation is published, if it is known before, and
 * read after that was seen. That is for the thread sanitizer to say: there the
 * accesses are plain ones, and shelf_begin() alone orders them. A kernel shelf's
 * log is written afterwards.
 */
static inline void log_write(u64 generation, u64 batch)
{
	if (generation >= LOG_MAX)
		return;
#ifdef SHELF_TSAN
	shared->log[generation] = (u32)batch;
#else
	__atomic_store_n(&shared->log[generation], (u32)batch, __ATOMIC_RELAXED);
#endif
}

static inline u64 log_read(u64 generation)
{
	if (generation >= LOG_MAX)
		return 0;
#ifdef SHELF_TSAN
	return *(volatile u32 *)&shared->log[generation];
#else
	return __atomic_load_n(&shared->log[generation], __ATOMIC_RELAXED);
#endif
}

/* Counts, and prints the first of each kind. */
void fault(struct tally *t, enum fault what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of anybody who is no reader. */
void fault_of_others(enum fault what, const char *message);
void event_of_others(enum event what, u64 n);
/* So many there are. */
void event_is(enum event what, u64 n);

/* writer.c */
int writer_open(void);		/* makes the shelf, and the first batch */
void writer_start(void);	/* a thread; and one that trims a kernel shelf */
void writer_stop(void);
/* What the shelf itself has counted up to now. */
void writer_note(void);
/* When all readers are gone: what is still held? Notes events too. */
void writer_settle(void);
void writer_close(void);
struct hosted *writer_hosted(void);

/* broker.c */
void broker_start(void);
void broker_stop(void);
/* As at the release of an open file: @reader is gone, its pins go. */
void broker_release(int reader);
int broker_pin(int reader, u32 slot, u64 generation, u64 lease_ns, struct pin *answer);
int broker_unpin(int reader, u32 slot);

/* reader.c: returns when it is told to stop, or to quit. */
int reader_run(int index, u64 seed);

/* torment.c: starts the readers, and returns when all is done and they are gone. */
void torment(void);

/* report.c: prints it. True: all is well. */
u64 tally_reads(void);
/* There was some of all that a test needs to have shown anything. */
bool all_happened(void);
bool report(void);

#endif /* TORTURE_H */
