/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef DEBUG_SWEEP_H
#define DEBUG_SWEEP_H

#include "../guest/lib/common.h"
#include "../guest/lib/wire.h"
#include "fault.h"

/**
 * struct site - what the steps work on
 * @k: the shelf that must not change but by whole commits
 * @reader: of it, mapped
 * @other: name of a shelf that comes and goes
 * @fd, @at, @bytes: what a call made, for undo
 */
struct site {
	const char *ko;
	struct kit k;
	struct shelf *reader;
	__u64 generation;
	const char *other;
	struct wire nl;
	int fd;
	void *at;
	size_t bytes;
	__u64 pin;
	__u64 cookie;
	void *buffer;
};

/**
 * struct step - one call, each of whose allocations fails once
 * @prepare: before each, nothing failing; may be NULL, as @undo
 * @call: 0 or a negative errno, of which EPROTO says that an answer was wrong
 * @undo: of one that succeeded, or whose answer was lost
 * @gone: of one that failed: whether nothing of it is left; may be NULL
 * @least: so many of its allocations fail, or something is amiss
 * @stride: from the 64th on only each so many-th, where hundreds are alike
 * @last: only so many, the last ones: most are the module loader's own
 * @times: gone through so often: what counts differs a little from one call to the next,
 *	and so each number may pass over what failed with it before; 0: once
 * @commits: the generation goes up by one
 * @alone: no shelf is there
 */
struct step {
	const char *name;
	int (*prepare)(struct site *s);
	int (*call)(struct site *s);
	int (*undo)(struct site *s);
	bool (*gone)(struct site *s);
	enum fault_who who;
	unsigned int least;
	unsigned int stride;
	unsigned int last;
	unsigned int times;
	bool commits;
	bool alone;
};

extern const struct step admin_steps[], read_steps[];
extern const unsigned int admin_step_count, read_step_count;

int pin(struct site *s);
int unpin(struct site *s);

/* The shelf that comes and goes, of small chunks, with much to trim, or with sources. */
#define OTHER_CHUNKS	8U
#define OTHER_BYTES	(OTHER_CHUNKS * CHUNK)
#define OTHER_SOURCES	70U		/* of more than one leaf */

int negative(int error);
int connect_anew(struct site *s);
int other_make(struct site *s);
int other_make_small(struct site *s);
int other_make_sourced(struct site *s);
int other_create(struct site *s);
bool other_is_gone(struct site *s);
int other_end(struct site *s);
int other_end_small(struct site *s);
int other_destroy(struct site *s);
int fill(struct site *s);
int thin_out(struct site *s);
/* One product more; of each source the number. @check: a dry run. */
int put_next(struct site *s, __u64 number, bool check);

#endif /* DEBUG_SWEEP_H */
