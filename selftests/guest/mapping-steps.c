// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8, P2: what was mapped, or a part of it, may then be handed to any call that changes
 * mappings: each does what is due and no more, and what is left reads as it did. Part by
 * part, at borders of pages and of 2 MiB, before, over and behind the mapping: mprotect,
 * pkey_mprotect, munmap, a mapping put over it, every advice there is, and the calls
 * that only look or lock.
 *
 * Each call has an oracle: the kernel's rules, in their order, with the module's put in,
 * that the arena isn't torn and that nothing gains rights.
 *
 * Seen to fail with VM_MAYEXEC not cleared in shelf_mmap() (gain_no_rights).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/place.h"
#include "lib/harness.h"


FIXTURE(steps)
{
	struct stage s;
};

FIXTURE_SETUP(steps)
{
	ASSERT_EQ(0, stage_make(&self->s, "steps"));
}

FIXTURE_TEARDOWN(steps)
{
	EXPECT_TRUE(stage_drop(&self->s));
}

/*
 * Protection
 * ==========
 *
 * @arg: the protection, and above it the key and one.
 */
#define KEY(key)	((__u64)((key) + 1) << 32)
#define RIGHTS		(PROT_READ | PROT_WRITE | PROT_EXEC)
#define SEM		8U	/* PROT_SEM, which says nothing */
#define GROWS		(PROT_GROWSDOWN | PROT_GROWSUP)

static int refused_protection(struct part q, __u64 arg)
{
	__u32 prot = arg;

	if ((prot & GROWS) == GROWS || q.off % PAGE)
		return -EINVAL;
	if (!q.len)
		return 0;
	if (part_wraps(q))
		return -ENOMEM;
	/* No key but the first was ever given out. */
	return prot & ~(RIGHTS | SEM | GROWS) || arg >= KEY(1) ? -EINVAL : 0;
}

/* A part that long reaches the program, which doesn't grow either. */
static int refused_growth(struct part q, struct cut c, __u32 prot)
{
	if (prot & PROT_GROWSDOWN)
		return cut_none(c) && q.len < TASK_END ? -ENOMEM : -EINVAL;
	if (cut_none(c) || c.before)
		return -ENOMEM;
	return prot & PROT_GROWSUP ? -EINVAL : 0;
}

static struct due due_protect(const struct place *p, struct part q, __u64 arg)
{
	struct cut c = place_cut(p, q);
	struct due d = refused(-refused_protection(q, arg));

	if (d.error || !q.len)
		return d;
	d.error = -refused_growth(q, c, arg);
	if (d.error)
		return d;
	if (arg & (PROT_WRITE | PROT_EXEC))
		return refused(EACCES);
	/* Nothing is to be done, so nothing is torn. */
	if (!(arg & PROT_READ) && cut_tears(p, c))
		return (struct due){ .error = EINVAL, .again = true };
	if (!(arg & PROT_READ))
		d.dark = c;
	d.error = cut_out(c) ? ENOMEM : 0;
	return d;
}

static long call_protect(void *at, __u64 len, __u64 arg)
{
	if (arg < KEY(0))
		return syscall(SYS_mprotect, at, len, (__u32)arg);
	return syscall(SYS_pkey_mprotect, at, len, (__u32)arg, (int)(arg >> 32) - 1);
}

static bool has_keys(void)
{
	void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return !syscall(SYS_pkey_mprotect, at, PAGE, PROT_READ, 0);
}

static const struct step protect = { "mprotect", due_protect, call_protect };

TEST_F_TIMEOUT(steps, gain_no_rights, 1200)
{
	static const __u32 prots[] = {
		0, 1, 2, 3, 4, 5, 6, 7, SEM, 1 | SEM, 2 | SEM, 1 | PROT_GROWSDOWN,
		PROT_GROWSDOWN, 1 | PROT_GROWSUP, 3 | PROT_GROWSUP, 1 | GROWS, 16,
	};
	__u64 args[ARRAY_SIZE(prots) + 12];
	unsigned int n = 0;

	for (; n < ARRAY_SIZE(prots); n++)
		args[n] = prots[n];
	for (; n < ARRAY_SIZE(prots) + 4; n++)
		args[n] = (n - ARRAY_SIZE(prots)) | KEY(5);
	if (has_keys())
		for (; n < ARRAY_SIZE(prots) + 12; n++)
			args[n] = (n - ARRAY_SIZE(prots) - 4) | KEY(0);
	stage_take_all(&self->s, &protect, args, n);
	EXPECT_EQ(0, stage_tell(&self->s, "protections"));
	EXPECT_LE(20000, self->s.asked);
}

/*
 * Less of it
 * ==========
 */
static struct due due_unmap(const struct place *p, struct part q, __u64 arg)
{
	struct cut c = place_cut(p, q);

	if (q.off % PAGE || !q.len || q.len > TASK_END)
		return refused(EINVAL);
	if (cut_tears(p, c))
		return (struct due){ .error = EINVAL, .again = true };
	return (struct due){ .gone = c };
}

static long call_unmap(void *at, __u64 len, __u64 arg)
{
	return syscall(SYS_munmap, at, len);
}

static bool before_6_12(void)
{
	static int major, minor;
	struct utsname u;

	if (!major && (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2))
		major = -1;
	return major < 6 || (major == 6 && minor < 12);
}

/* Something else in its place, which goes at once, so that the place can be looked at. */
static struct due due_cover(const struct place *p, struct part q, __u64 arg)
{
	struct due d = due_unmap(p, q, arg);

	if (q.len && q.len > TASK_END)
		return refused(ENOMEM);
	/* Older kernels have one word for all that is in the way. */
	if (d.again && before_6_12())
		d.error = ENOMEM;
	return d;
}

static long call_cover(void *at, __u64 len, __u64 arg)
{
	const int flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
	long ret = syscall(SYS_mmap, at, len, (int)arg, flags, -1, 0L);

	return ret == -1 ? -1 : munmap(at, len);
}

TEST_F_TIMEOUT(steps, are_not_torn, 1200)
{
	static const struct step unmap = { "munmap", due_unmap, call_unmap };
	static const struct step cover = { "mmap over it", due_cover, call_cover };
	static const __u64 prots[] = { PROT_NONE, PROT_READ | PROT_WRITE, RIGHTS };
	static const __u64 none[] = { 0 };

	stage_take_all(&self->s, &unmap, none, 1);
	stage_take_all(&self->s, &cover, prots, ARRAY_SIZE(prots));
	EXPECT_EQ(0, stage_tell(&self->s, "unmapped and covered"));
	EXPECT_LE(4000, self->s.asked);
}

/*
 * Advice
 * ======
 *
 * @arena, @control: the errno; FLAG: it is a flag of the mapping, which is cut for it.
 */
#define FLAG		-1
#define SOFT_OFFLINE	101	/* the C library has forgotten it */

static const struct {
	__u8 advice;
	short arena;
	short control;
} advices[] = {
	{ MADV_NORMAL, 0, 0 },
	{ MADV_RANDOM, FLAG, FLAG },
	{ MADV_SEQUENTIAL, FLAG, FLAG },
	{ MADV_WILLNEED, 0, 0 },
	{ MADV_DONTNEED, EINVAL, 0 },
	{ MADV_FREE, EINVAL, EINVAL },
	{ MADV_REMOVE, EACCES, EACCES },
	{ MADV_DONTFORK, FLAG, FLAG },
	{ MADV_DOFORK, 0, 0 },
	{ MADV_MERGEABLE, 0, 0 },
	{ MADV_UNMERGEABLE, 0, 0 },
	{ MADV_HUGEPAGE, FLAG, FLAG },
	{ MADV_NOHUGEPAGE, FLAG, FLAG },
	{ MADV_DONTDUMP, 0, 0 },
	{ MADV_DODUMP, EINVAL, EINVAL },
	{ MADV_WIPEONFORK, EINVAL, EINVAL },
	{ MADV_KEEPONFORK, FLAG, 0 },
	{ MADV_COLD, EINVAL, 0 },
	{ MADV_PAGEOUT, EINVAL, 0 },
	{ MADV_POPULATE_READ, EINVAL, 0 },
	{ MADV_POPULATE_WRITE, EINVAL, EINVAL },
	{ 24 /* DONTNEED_LOCKED */, EINVAL, 0 },
	{ 25 /* COLLAPSE */, EINVAL, EINVAL },
	{ MADV_HWPOISON, EFAULT, 0 },
	{ SOFT_OFFLINE, EFAULT, 0 },
};

static bool spoils(__u64 advice)
{
	return advice == MADV_HWPOISON || advice == SOFT_OFFLINE;
}

/* Newer kernels go page by page with these two, and end where there is none. */
static bool populates(__u64 advice)
{
	return !before_6_12() &&
	       (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE);
}

static struct due due_known_advice(const struct place *p, struct part q, unsigned int i)
{
	int error = is_arena(p) ? advices[i].arena : advices[i].control;
	struct cut c = place_cut(p, q);
	struct due d = { .again = error == FLAG };

	if (q.off % PAGE || part_wraps(q))
		return refused(EINVAL);
	if (!q.len)
		return refused(0);
	if (spoils(advices[i].advice))
		return refused(EFAULT);
	if (cut_none(c) || (c.before && populates(advices[i].advice)))
		return refused(ENOMEM);
	if (error > 0)
		return refused(error);
	if (error == FLAG && cut_tears(p, c))
		d.error = EINVAL;
	else
		d.error = cut_out(c) ? ENOMEM : 0;
	return d;
}

static long call_advice(void *at, __u64 len, __u64 arg)
{
	return syscall(SYS_madvise, at, len, (int)arg);
}

/* A kernel that can't handle broken memory knows nothing of these two. */
static bool is_known(__u64 advice)
{
	return !spoils(advice) || !call_advice(NULL, 0, advice);
}

static struct due due_advice(const struct place *p, struct part q, __u64 arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].advice == arg && is_known(arg))
			return due_known_advice(p, q, i);
	return refused(EINVAL);
}

/*
 * A page of the control region is an ordinary one: an administrator may break it. What
 * is so long that it reaches the program would have the program forget itself.
 */
static bool may_advise(const struct place *p, struct part q, __u64 advice)
{
	return q.len != 1ULL << 63 && (is_arena(p) || !spoils(advice));
}

static void advise(struct stage *s, const struct step *step, __u64 advice)
{
	unsigned int part;

	for (part = 0; part < PLACES * PARTS; part++) {
		const struct place *p = &places[part / PARTS];
		struct part q = place_part(p, part % PARTS);

		if (may_advise(p, q, advice))
			stage_take(s, step, p, q, advice);
	}
}

TEST_F_TIMEOUT(steps, take_any_advice, 1200)
{
	static const struct step madvise = { "madvise", due_advice, call_advice };
	__u64 advice;

	for (advice = 0; advice <= 104; advice += advice == 30 ? 70 : 1)
		advise(&self->s, &madvise, advice);
	EXPECT_EQ(0, stage_tell(&self->s, "advice"));
	EXPECT_LE(35000, self->s.asked);
}

/* By way of a descriptor for the process; only some advice goes this way. */
static int self_fd;

static struct due due_advice_from(const struct place *p, struct part q, __u64 arg)
{
	return q.len ? due_advice(p, q, arg) : refused(0);
}

static long call_advice_from(void *at, __u64 len, __u64 arg)
{
	struct iovec v = { at, len };

	return syscall(SYS_process_madvise, self_fd, &v, 1UL, (int)arg, 0) < 0 ? -1 : 0;
}

TEST_F_TIMEOUT(steps, take_advice_from_others, 1200)
{
	static const struct step from = { "process_madvise", due_advice_from, call_advice_from };
	static const __u64 most[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, 25 };
	unsigned int part, i;

	self_fd = syscall(SYS_pidfd_open, getpid(), 0);
	ASSERT_LE(0, self_fd);
	for (part = 0; part < PLACES * PARTS; part++) {
		struct part q = place_part(&places[part / PARTS], part % PARTS);

		/* A vector isn't let in with these, nor cut to what it was let in with. */
		if (q.len >= 1ULL << 40)
			continue;
		for (i = 0; i < ARRAY_SIZE(most); i++)
			stage_take(&self->s, &from, &places[part / PARTS], q, most[i]);
	}
	EXPECT_EQ(0, stage_tell(&self->s, "advice from others"));
	EXPECT_LE(3000, self->s.asked);
}

/*
 * What looks and locks
 * ====================
 */
static struct due due_lock(const struct place *p, struct part q, __u64 arg)
{
	struct part whole = { q.off & ~(PAGE - 1), q.len + q.off % PAGE };
	struct cut c = place_cut(p, whole);

	if (!whole_pages(whole.len))
		return refused(0);
	if (part_wraps(whole))
		return refused(EINVAL);
	return refused(cut_none(c) || cut_out(c) ? ENOMEM : 0);
}

static long call_lock(void *at, __u64 len, __u64 arg)
{
	return arg < 2 ? syscall(SYS_mlock2, at, len, (int)arg) : syscall(SYS_munlock, at, len);
}

static struct due due_sync(const struct place *p, struct part q, __u64 arg)
{
	struct cut c = place_cut(p, q);

	if (q.off % PAGE || arg > 7 || (arg & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return refused(EINVAL);
	if (!q.len)
		return refused(0);
	return refused(part_wraps(q) || cut_none(c) || cut_out(c) ? ENOMEM : 0);
}

static long call_sync(void *at, __u64 len, __u64 arg)
{
	return syscall(SYS_msync, at, len, (int)arg);
}

static struct due due_core(const struct place *p, struct part q, __u64 arg)
{
	struct cut c = place_cut(p, q);

	if (q.off % PAGE)
		return refused(EINVAL);
	if (!q.len)
		return refused(0);
	return refused(part_wraps(q) || cut_none(c) || cut_out(c) ? ENOMEM : 0);
}

static long call_core(void *at, __u64 len, __u64 arg)
{
	static unsigned char in_core[64 * CHUNK / PAGE];

	return syscall(SYS_mincore, at, len, in_core);
}

/* It is for mappings that may be written. */
static struct due due_remap(const struct place *p, struct part q, __u64 arg)
{
	return refused(EINVAL);
}

static long call_remap(void *at, __u64 len, __u64 arg)
{
	return syscall(SYS_remap_file_pages, at, len, 0, arg & 0xffff, (int)(arg >> 16));
}

/* Long parts reach over so much nothing that it would take the time of everything. */
TEST_F_TIMEOUT(steps, are_looked_at, 1200)
{
	static const struct step lock = { "mlock", due_lock, call_lock };
	static const struct step sync = { "msync", due_sync, call_sync };
	static const struct step core = { "mincore", due_core, call_core };
	static const struct step remap = { "remap_file_pages", due_remap, call_remap };
	static const __u64 locks[] = { 0, 1, 2 };
	static const __u64 syncs[] = { 0, 1, 2, 3, 4, 5, 6, 8 };
	static const __u64 none[] = { 0 };
	static const __u64 pages[] = { 0, 1, 512, 1024, (__u64)MAP_NONBLOCK << 16 };

	stage_take_all(&self->s, &lock, locks, ARRAY_SIZE(locks));
	stage_take_all(&self->s, &sync, syncs, ARRAY_SIZE(syncs));
	stage_take_all(&self->s, &core, none, ARRAY_SIZE(none));
	stage_take_all(&self->s, &remap, pages, ARRAY_SIZE(pages));
	EXPECT_EQ(0, stage_tell(&self->s, "looked at and locked"));
	EXPECT_LE(19000, self->s.asked);
}

TEST_HARNESS_MAIN
