// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8, P2: whatever is asked of mremap(), a mapping comes to no place that 2 MiB entries
 * don't fit, nor gets larger, nor is there twice; and what a child inherits is no more
 * than what its parent had, whatever had been advised before.
 *
 * Parts, lengths, flags and targets are taken at random, `--seed N`. due_move() has the
 * kernel's rules, in their order, and the module's two: not torn, and aligned.
 *
 * Seen to fail with either of these left out, arena_may_split()'s and arena_mremap()'s
 * (keep_to_what_was_mapped, of_children), and without VM_DONTEXPAND in map_control().
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/place.h"
#include "lib/harness.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define MOVES		5000U
#define CHILD_MOVES	50U

static __u64 seed;

FIXTURE(moves)
{
	struct stage s;
};

FIXTURE_VARIANT(moves)
{
	const char *small;
};

FIXTURE_VARIANT_ADD(moves, huge)
{
	.small = "N",
};

FIXTURE_VARIANT_ADD(moves, small)
{
	.small = "Y",
};

FIXTURE_SETUP(moves)
{
	ASSERT_EQ(0, write_file(SMALL_CHUNKS, variant->small));
	ASSERT_EQ(0, stage_make(&self->s, "moves"));
}

FIXTURE_TEARDOWN(moves)
{
	EXPECT_TRUE(stage_drop(&self->s));
	EXPECT_EQ(0, write_file(SMALL_CHUNKS, "N"));
}

/*
 * What is asked, packed into a step's argument
 * ============================================
 */
static const __u64 new_lens[] = {
	PAGE, CHUNK, 2 * CHUNK, CHUNK + PAGE, CHUNK - PAGE, 2 * PAGE, 3 * CHUNK, 4 * CHUNK,
	0, 1, 1ULL << 40, 1ULL << 63, -(__u64)PAGE, 1 - (__u64)PAGE,
};

#define SAME_LEN	ARRAY_SIZE(new_lens)	/* one more: as it was */

static const int flags[] = {
	MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE, 0, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
	MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_DONTUNMAP, 8,
};

#define ON_ITSELF	0
static const __u64 targets[] = {
	PLACE_ELSEWHERE, PLACE_ELSEWHERE + CHUNK, PLACE_ELSEWHERE + PAGE,
	PLACE_ELSEWHERE + CHUNK / 2, PLACE_ELSEWHERE + CHUNK - PAGE, PLACE_ELSEWHERE + 1,
	ON_ITSELF, TASK_END, -(__u64)PAGE,
};

/**
 * struct move - what mremap() is told
 * @raw: the new length as it is said; @old, @len: both in whole pages
 */
struct move {
	__u64 at;
	__u64 old;
	__u64 raw;
	__u64 len;
	int flags;
	__u64 target;
};

static __u64 pack(unsigned int len, unsigned int flag, unsigned int target)
{
	return len | flag << 8 | target << 16;
}

static struct move unpack(__u64 at, __u64 old, __u64 arg)
{
	unsigned int len = arg & 0xff;
	struct move m = {
		.at = at,
		.old = whole_pages(old),
		.raw = len == SAME_LEN ? old : new_lens[len],
		.flags = flags[(arg >> 8) & 0xff],
		.target = targets[arg >> 16],
	};

	m.len = whole_pages(m.raw);
	if (m.target == ON_ITSELF)
		m.target = at;
	return m;
}

/*
 * The oracle
 * ==========
 */
static bool refused_form(const struct move *m, __u64 old)
{
	if (m->flags & ~7 || ((m->flags & MREMAP_FIXED) && !(m->flags & MREMAP_MAYMOVE)))
		return true;
	if (m->flags & MREMAP_DONTUNMAP && (!(m->flags & MREMAP_MAYMOVE) || old != m->raw))
		return true;
	return m->at % PAGE || !m->len;
}

/* Its end goes first. */
static struct due due_less(const struct place *p, const struct move *m)
{
	struct part tail = { m->at + m->len - PLACE_AT, m->old - m->len };
	struct cut c = place_cut(p, tail);

	if (!tail.len)
		return refused(0);
	if (m->at + m->len > TASK_END || tail.len > TASK_END)
		return refused(EINVAL);
	if (cut_tears(p, c))
		return (struct due){ .error = EINVAL, .again = true };
	return (struct due){ .gone = c };
}

static bool refused_target(const struct move *m)
{
	if (m->target % PAGE || m->len > TASK_END || m->target > TASK_END - m->len)
		return true;
	return m->at + m->old > m->target && m->target + m->len > m->at;
}

/*
 * What is at the target goes first: all of it, if nothing is to be moved there, or the
 * old end is past the end of all addresses, which is no overlap.
 */
static struct due due_onto_itself(const struct place *p, const struct move *m)
{
	struct part q = { m->at - PLACE_AT, m->len };
	struct cut c = place_cut(p, q);

	if (cut_tears(p, c))
		return (struct due){ .error = EINVAL, .again = true };
	return (struct due){ .error = m->old ? EINVAL : EFAULT, .gone = c };
}

static struct due due_elsewhere(const struct place *p, const struct move *m)
{
	struct part rest = { m->at - PLACE_AT, m->len };
	struct cut c = place_cut(p, rest);
	struct due d = { .again = true };

	if (m->target == m->at && m->flags & MREMAP_FIXED)
		return due_onto_itself(p, m);
	if (!m->old)
		return refused(m->flags & MREMAP_DONTUNMAP ? EINVAL : EFAULT);
	if (m->old > m->len)
		d = due_less(p, m);
	d.again = true;
	if (d.error)
		return d;
	if (m->flags & MREMAP_DONTUNMAP)
		d.error = EINVAL;
	else if (m->old < m->len || c.behind)
		d.error = EFAULT;
	else if (cut_tears(p, c) || m->target % p->unit)
		d.error = EINVAL;
	if (d.error)
		return d;
	d.moved = c;
	d.to = m->target;
	return d;
}

static struct due due_move(const struct place *p, struct part q, __u64 arg)
{
	struct move m = unpack(part_at(q), q.len, arg);

	if (refused_form(&m, q.len))
		return refused(EINVAL);
	if (q.off < 0 || (__u64)q.off >= p->len)
		return refused(EFAULT);
	if (!(m.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return m.old >= m.len ? due_less(p, &m) : refused(EFAULT);
	return refused_target(&m) ? refused(EINVAL) : due_elsewhere(p, &m);
}

static long call_move(void *at, __u64 len, __u64 arg)
{
	struct move m = unpack((__u64)at, len, arg);

	return syscall(SYS_mremap, m.at, len, m.raw, m.flags, m.target);
}

static const struct step move = { "mremap", due_move, call_move };

/*
 * The walks
 * =========
 */
/* One of @n, of the @good first of them as a rule. */
static unsigned int pick(unsigned int good, unsigned int n)
{
	__u64 r = walk_next(&seed);

	return (r >> 32) % ((r & 3) ? good : n);
}

static __u64 pick_move(void)
{
	unsigned int same = walk_next(&seed) & 1;

	return pack(same ? SAME_LEN : pick(4, ARRAY_SIZE(new_lens)), pick(2, ARRAY_SIZE(flags)),
		    pick(3, ARRAY_SIZE(targets)));
}

/* Whole chunks or pages from a border on as a rule, else any part. */
static struct part pick_part(const struct place *p)
{
	__u64 r = walk_next(&seed), units = p->len / p->unit, from = (r >> 8) % units;

	if (r & 1)
		return place_part(p, (r >> 8) % PARTS);
	return (struct part){ from * p->unit, (1 + (r >> 32) % (units - from)) * p->unit };
}

static void move_about(struct stage *s, const struct place *p, unsigned int n)
{
	while (n--)
		stage_take(s, &move, p, pick_part(p), pick_move());
}

TEST_F_TIMEOUT(moves, keep_to_what_was_mapped, 1200)
{
	unsigned int i;

	for (i = 0; i < PLACES; i++)
		move_about(&self->s, &places[i], MOVES / PLACES);
	EXPECT_EQ(0, stage_tell(&self->s, "moves"));
	EXPECT_LT(MOVES / 10, self->s.done);
	EXPECT_LE(MOVES, self->s.asked);
}

/* Moved on and on, back and forth, it is what it was. */
TEST_F_TIMEOUT(moves, come_back, 480)
{
	const int how = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *home = (void *)PLACE_AT, *away = (void *)PLACE_ELSEWHERE;
	unsigned int i, j;

	for (i = 0; i < PLACES; i++) {
		const __u64 len = places[i].len;

		stage_set(&self->s, &places[i]);
		for (j = 0; j < 50; j++) {
			ASSERT_EQ(away, mremap(home, len, len, how, away));
			EXPECT_TRUE(stage_shows(&self->s, away, 0));
			ASSERT_EQ(home, mremap(away, len, len, how, home));
			EXPECT_TRUE(stage_shows(&self->s, home + len - PAGE, len - PAGE));
			EXPECT_FALSE(mapped(away));
		}
	}
}

/*
 * Children
 * ========
 */
static bool all_shown(const struct stage *s)
{
	__u64 off;

	for (off = 0; off < s->p->len; off += s->p->len > CHUNK ? 61 * PAGE : PAGE)
		if (!stage_shows(s, (void *)(PLACE_AT + off), off))
			return false;
	return true;
}

static unsigned int rights(const struct stage *s)
{
	void *at = (void *)PLACE_AT;
	unsigned int n = writable(at);
	int prot;

	for (prot = PROT_WRITE; prot < 8; prot++)
		n += !mprotect(at, s->p->len, prot) || errno != EACCES;
	return n + !!mprotect(at, s->p->len, PROT_READ);
}

struct heir {
	struct stage *s;
	bool inherits;
	unsigned int generations;
};

/* A child's own child has what the child has. */
static int live(void *arg)
{
	struct heir h = *(struct heir *)arg;

	if (!h.inherits)
		return mapped((void *)PLACE_AT) ? 1 : 0;
	if (!all_shown(h.s) || rights(h.s))
		return 2;
	if (--h.generations && in_child(live, &h))
		return 3;
	h.s->fresh = false;
	move_about(h.s, h.s->p, CHILD_MOVES);
	return h.s->wrong ? 4 : 0;
}

/* DONTFORK alone keeps it from the child; nothing makes the child's another's. */
static const struct {
	int advice;
	bool inherits;
} before[] = {
	{ MADV_NORMAL, true },
	{ MADV_DONTFORK, false },
	{ MADV_KEEPONFORK, true },
	{ MADV_RANDOM, true },
};

TEST_F_TIMEOUT(moves, of_children, 480)
{
	struct heir h = { .s = &self->s };
	unsigned int i, j;

	for (i = 0; i < PLACES; i++) {
		for (j = 0; j < ARRAY_SIZE(before); j++) {
			self->s.fresh = false;
			stage_set(&self->s, &places[i]);
			EXPECT_TRUE(all_shown(&self->s));
			ASSERT_EQ(0, madvise((void *)PLACE_AT, places[i].len, before[j].advice));
			h.inherits = before[j].inherits;
			h.generations = 2;
			EXPECT_EQ(0, in_child(live, &h))
				TH_LOG("%s, advice %d", places[i].what, before[j].advice);
			EXPECT_TRUE(all_shown(&self->s));
		}
	}
}

int main(int argc, char **argv)
{
	seed = walk_seed(&argc, argv);
	return test_harness_run(argc, argv);
}
