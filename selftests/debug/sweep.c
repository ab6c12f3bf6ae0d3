// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5, P8: every allocation that the module asks for fails once, and every copy from
 * and to user memory: for each step the first, then the second, until nothing of it fails
 * any more; of a commit that grows page by page the first 64, then one in 41, for they
 * are all alike. After each the last generation answers as before, by ioctl and mapped;
 * what was refused left nothing behind; and the same call succeeds.
 * Leaks are found afterwards, by kmemleak (selftests/vm/init).
 *
 * sweep MODULE.ko [STEP]: on a kernel with fail-nth, the module not loaded. TAP.
 *
 * Seen to fail with draft_drop() left out of draft_make() (kmemleak).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../guest/lib/dev.h"
#include "../guest/lib/module.h"
#include "../guest/lib/world.h"
#include "sweep.h"

#define NTH_MAX		20000U
#define NTH_ALIKE	64U
#define MISSES		5U	/* a number is passed over now and then */

static const struct shelf_settings world_settings = {
	.max_bytes = 64 << 20, .quarantine_ms = -1,
};

/* Everything that a reader can see, by each way. */
static const char *world_differs(struct site *s)
{
	__u64 now = dev_generation(s->k.fd);
	struct shelf_pin pin;
	unsigned int wrong;

	if (now != s->generation)
		return "another generation than before";
	if (world_wrong_by_ioctl(s->k.fd, 0, now))
		return "another answer by ioctl than before";
	if (shelf_pin(s->reader, 0, 0, &pin))
		return "no pin can be had";
	wrong = world_wrong(&pin);
	shelf_unpin(&pin);
	return wrong ? "the mapped data is not as before" : NULL;
}

/* An acknowledgment may be what got lost, and then the call was carried out. */
static bool answer_lost(int ret)
{
	return ret == -ENOBUFS || ret == -ETIMEDOUT;
}

/* No result of a commit is EFAULT: that is where the result, or the rest, got lost. */
static bool may_be_done(int ret)
{
	return answer_lost(ret) || ret == -EFAULT;
}

/* EPROTONOSUPPORT: libnl tells nobody why it has not found the family. */
static bool may_fail_so(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -EAGAIN ||
	       ret == -EPROTONOSUPPORT || answer_lost(ret);
}

/* What was queued for the worker may still be on its way. */
static __u64 generation_soon(const struct site *s)
{
	unsigned int tries;
	__u64 now = dev_generation(s->k.fd);

	for (tries = 0; now == s->generation && tries < 20; tries++) {
		sleep_ms(50);
		now = dev_generation(s->k.fd);
	}
	return now;
}

static const char *judge(struct site *s, const struct step *t, int ret, bool hit)
{
	if (ret && !hit)
		return "refused, and nothing had failed";
	if (ret && !may_fail_so(ret))
		return "not an error that says what failed";
	if (ret && !answer_lost(ret) && t->gone && !t->gone(s))
		return "it was refused, but is there";
	if (t->alone)
		return NULL;
	if (t->commits && !ret)
		s->generation++;
	else if (t->commits && may_be_done(ret) && generation_soon(s) == s->generation + 1)
		s->generation++;
	return world_differs(s);
}

static const char *again(struct site *s, const struct step *t, int *ret)
{
	*ret = t->call(s);
	if (*ret)
		return "the same call fails again, though nothing else does";
	s->generation += t->commits;
	return NULL;
}

struct tally {
	unsigned int failed;
	unsigned int refused;
};

/* One round: NULL, or what went wrong. Sets @hit. */
static const char *strike(struct site *s, const struct step *t, unsigned int nth,
			  struct tally *tally, int *ret, int *hit)
{
	const char *wrong;

	*ret = t->prepare ? t->prepare(s) : 0;
	if (*ret)
		return "it could not be prepared";
	*ret = fault_arm(t->who, nth);
	if (*ret)
		return "no fault could be asked for";
	*ret = t->call(s);
	*hit = fault_disarm();
	if (*hit < 0)
		return "what was asked for can't be taken back";
	tally->failed += *hit;
	tally->refused += !!*ret;
	wrong = judge(s, t, *ret, *hit);
	if (!wrong && *ret && !answer_lost(*ret))
		wrong = again(s, t, ret);
	if (!wrong && t->undo && t->undo(s))
		wrong = "it could not be undone";
	return wrong;
}

static unsigned int step_from(const struct step *t, unsigned int nth)
{
	return t->stride && nth >= NTH_ALIKE ? t->stride : 1;
}

/*
 * How many things could fail in it, about: by trying, half as far each time. Sets
 * @wrong.
 */
static unsigned int count_points(struct site *s, const struct step *t, struct tally *tally,
				 const char **wrong, int *ret)
{
	unsigned int nth = 0, by;
	int hit = 0;

	for (by = NTH_MAX / 2; by && !*wrong; by /= 2) {
		*wrong = strike(s, t, nth + by, tally, ret, &hit);
		if (hit)
			nth += by;
	}
	return nth;
}

/* From @nth on, until so many in a row did not come. Sets @last. */
static const char *go_through(struct site *s, const struct step *t, unsigned int nth,
			      struct tally *tally, unsigned int *last, int *ret)
{
	unsigned int missed = 0;
	const char *wrong;
	int hit;

	for (; missed < MISSES && nth < NTH_MAX; nth += step_from(t, nth)) {
		*last = nth;
		wrong = strike(s, t, nth, tally, ret, &hit);
		if (wrong)
			return wrong;
		missed = hit ? 0 : missed + 1;
	}
	return nth < NTH_MAX ? NULL : "there is no end of it";
}

static bool sweep(struct site *s, const struct step *t, unsigned int number)
{
	struct tally tally = { 0 };
	const char *wrong = NULL;
	unsigned int nth = 1, last = 0, times = 0;
	int ret = 0;

	if (t->last) {
		nth = count_points(s, t, &tally, &wrong, &ret);
		printf("# %s: about %u\n", t->name, nth);
		nth = nth > t->last ? nth - t->last : 1;
	}
	do {
		if (!wrong)
			wrong = go_through(s, t, nth, &tally, &last, &ret);
	} while (!wrong && ++times < t->times);
	if (!wrong && tally.failed < t->least)
		wrong = "too few failures";
	if (wrong)
		printf("# %s: number %u: %s (%s)\n", t->name, last, wrong,
		       ret < 0 ? strerror(-ret) : "no error");
	printf("%s %u - %s: %u failures, %u calls refused\n", wrong ? "not ok" : "ok",
	       number, t->name, tally.failed, tally.refused);
	fflush(stdout);
	return !wrong;
}

static int world_up(struct site *s)
{
	int ret = world_make(&s->k, "sweep", &world_settings);

	if (ret)
		return ret;
	s->generation = WORLD_FIRST;
	return shelf_open(s->k.name, 0, &s->reader);
}

static void world_down(struct site *s)
{
	if (s->reader)
		shelf_close(s->reader);
	s->reader = NULL;
	if (s->k.name[0])
		kit_drop(&s->k);
}

/* The module is there, and a world unless the step wants to be alone. */
static int stage(struct site *s, const struct step *t)
{
	if (t->alone) {
		world_down(s);
		return 0;
	}
	if (access("/sys/module/shelf", F_OK) && module_load(s->ko))
		return -1;
	return s->k.name[0] ? 0 : world_up(s);
}

/* Those whose names have @asked in them, if it isn't NULL. Negative: bail out. */
static int sweep_all(struct site *s, const struct step *steps, unsigned int count,
		     const char *asked, unsigned int *n)
{
	unsigned int i;
	int bad = 0;

	for (i = 0; i < count; i++) {
		if (asked && !strstr(steps[i].name, asked))
			continue;
		if (stage(s, &steps[i]))
			return -1;
		bad += !sweep(s, &steps[i], ++*n);
	}
	return bad;
}

/* A stack that can't grow is SIGSEGV, whoever's allocation it was. */
static void grow_stack(void)
{
	volatile char room[256 << 10];
	size_t i;

	for (i = 0; i < sizeof(room); i += PAGE)
		room[i] = 0;
}

/*
 * So is a page that can't be copied for the kernel's sake when we are scheduled again:
 * that of our restartable sequences, which fork() has left shared.
 */
static int leave_rseq(void)
{
	if (!__rseq_size)
		return 0;
	return syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
		       sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

int main(int argc, char **argv)
{
	struct site s = { .other = "other", .fd = -1, .ko = argc > 1 ? argv[1] : "" };
	const char *asked = argc > 2 ? argv[2] : NULL;
	unsigned int n = 0;
	int bad = -1, more = -1, ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	grow_stack();
	if (access(s.ko, R_OK) || leave_rseq() || fault_setup()) {
		puts("Bail out! sweep MODULE.ko [STEP], on a kernel with fault injection");
		return 2;
	}
	s.k.fd = -1;
	s.buffer = malloc(WORLD_BUFFER);
	if (s.buffer)
		bad = sweep_all(&s, read_steps, read_step_count, asked, &n);
	if (bad >= 0)
		more = sweep_all(&s, admin_steps, admin_step_count, asked, &n);
	free(s.buffer);
	if (more < 0) {
		puts("Bail out! no shelf to work on");
		return 2;
	}
	world_down(&s);
	ret = module_unload_soon();
	printf("%s %u - nothing keeps the module\n", ret ? "not ok" : "ok", n + 1);
	printf("1..%u\n", n + 1);
	return bad || more || ret || !n;
}
