/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One mapping at a time, with nothing around it, parts of which are handed to system
 * calls; and whether it then is as an oracle said.
 */
#ifndef GUEST_PLACE_H
#define GUEST_PLACE_H

#include "common.h"
#include "probe.h"

#define PLACE_CHUNKS	6U
/* Where it is. There is nothing in 2^42 bytes before and behind. */
#define PLACE_AT	(1ULL << 44)
/* Nothing is here either. */
#define PLACE_ELSEWHERE	(PLACE_AT + (1ULL << 41))
/* The end of the largest address space that there is. */
#define TASK_END	((1ULL << 56) - PAGE)
#define PLACES		5U

/**
 * struct place - what is mapped
 * @unit: what it can be cut into
 */
struct place {
	const char *what;
	__u64 offset;
	__u64 len;
	__u64 unit;
};

extern const struct place places[PLACES];
bool is_arena(const struct place *p);

/**
 * struct part - what a call is told
 * @off: from the beginning of the place, may be before or behind it
 * @len: as it is said, be it nonsense
 */
struct part {
	__s64 off;
	__u64 len;
};

#define PLACE_OFFS	14U
#define PLACE_LENS	16U
#define PARTS		(PLACE_OFFS * PLACE_LENS)
struct part place_part(const struct place *p, unsigned int i);
static inline __u64 part_at(struct part q)
{
	return PLACE_AT + (__u64)q.off;
}

/* Up to a whole page; 0 if there is none. */
static inline __u64 whole_pages(__u64 len)
{
	return (len + PAGE - 1) & ~(PAGE - 1);
}

/* Its end isn't a number. */
static inline bool part_wraps(struct part q)
{
	return part_at(q) + whole_pages(q.len) < part_at(q) || (q.len && !whole_pages(q.len));
}

/**
 * struct cut - what of a place a part hits, in whole pages
 * @from, @to: in the place; equal if none
 * @before, @behind: it reaches out
 */
struct cut {
	__u64 from;
	__u64 to;
	bool before;
	bool behind;
};

/* Of a part whose length doesn't wrap. */
struct cut place_cut(const struct place *p, struct part q);
static inline bool cut_none(struct cut c)
{
	return c.from == c.to;
}

static inline bool cut_out(struct cut c)
{
	return c.before || c.behind;
}

/* It would leave something that isn't made of whole units. */
static inline bool cut_tears(const struct place *p, struct cut c)
{
	return c.from % p->unit || c.to % p->unit;
}

/**
 * struct due - what has to come of a call
 * @error: 0 or an errno
 * @gone: is no longer mapped there
 * @dark: is mapped and can't be read
 * @to: not 0: where [@moved.from, @moved.to) is now
 * @again: the mapping is used up, whatever came of it
 */
struct due {
	int error;
	struct cut gone;
	struct cut dark;
	struct cut moved;
	__u64 to;
	bool again;
};

static inline struct due refused(int error)
{
	return (struct due){ .error = error };
}

/**
 * struct stage - a shelf and its one mapping
 * @fresh: the mapping is whole and as it came
 */
struct stage {
	struct kit k;
	struct sight now;
	struct sight was;
	const struct place *p;
	bool fresh;
	unsigned int asked;
	unsigned int done;
	unsigned int wrong;
	__u64 began;
};

int stage_make(struct stage *s, const char *what);
/* False: it doesn't show what it did, or shows what is nobody's business. */
bool stage_drop(struct stage *s);
/* Maps @p afresh, if it isn't. */
void stage_set(struct stage *s, const struct place *p);

/**
 * struct step - a call and its oracle; @arg is theirs
 * @call: -1 and errno, as a system call
 */
struct step {
	const char *name;
	struct due (*due)(const struct place *p, struct part q, __u64 arg);
	long (*call)(void *at, __u64 len, __u64 arg);
};

void stage_take(struct stage *s, const struct step *step, const struct place *p,
		struct part q, __u64 arg);
/* Every part of every place with every one of @n arguments. */
void stage_take_all(struct stage *s, const struct step *step, const __u64 *args,
		    unsigned int n);
/* What the place shows at @off, wherever that is mapped. */
bool stage_shows(const struct stage *s, const void *at, __u64 off);
/* Prints the counts of this @walk, and returns what was wrong. */
unsigned int stage_tell(const struct stage *s, const char *walk);

#endif /* GUEST_PLACE_H */
