// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a program runs in, and how it is run. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "make.h"

void slots_init(struct slots *s, unsigned int worker)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->worker = worker;
	for (i = 0; i < SLOTS; i++) {
		s->file[i] = -1;
		s->sock[i].fd = -1;
	}
}

static void helpers_end(struct slots *s)
{
	while (s->threads)
		pthread_join(s->thread[--s->threads], NULL);
	while (s->children) {
		pid_t pid = s->child[--s->children];

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* A program leaves nothing behind but shelves. */
void slots_drop(struct slots *s)
{
	unsigned int i;

	helpers_end(s);
	for (i = 0; i < SLOTS; i++) {
		if (s->file[i] >= 0)
			close(s->file[i]);
		wire_close(&s->sock[i]);
	}
	munmap((void *)WINDOW_FIRST, SLOTS * WINDOW_BYTES);
	slots_init(s, s->worker);
}

static __thread int fail_fd = -2;	/* of this thread's fail-nth; -1: has none */

static int fail_write(unsigned int nth)
{
	char path[64];

	if (fail_fd == -2) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", gettid());
		fail_fd = open(path, O_RDWR | O_CLOEXEC);
	}
	return fail_fd < 0 ? -1 : dprintf(fail_fd, "%u", nth);
}

void fail_forget(void)
{
	if (fail_fd >= 0)
		close(fail_fd);
	fail_fd = -2;
}

/*
 * Only what the module is asked for may fail: not threads, nor pages that are touched.
 * Nor a wait, which a signal ends: if the copy to the handler's frame fails, that is
 * SIGSEGV. debug/sweep has its failures.
 */
static bool may_fail(const struct call *c)
{
	const char *name = ops[c->op].name;

	if (c->arg[IOCTL_CMD] == SHELF_IOC_WAIT && !strcmp(name, "ioctl"))
		return false;
	return !strcmp(name, "ioctl") || !strcmp(name, "send") || !strcmp(name, "open") ||
	       !strcmp(name, "mmap") || !strcmp(name, "sysfs");
}

static long run_call(struct lane *l, const struct call *c)
{
	unsigned int nth = may_fail(c) ? l->fail : 0;
	long ret;

	l->news = 0;
	if (nth) {
		l->fail = 0;
		fail_write(nth);
	}
	ret = ops[c->op].run(l, c);
	if (nth && fail_write(0) < 0)
		fail_write(0);		/* the first attempt was what failed */
	return ret;
}

/* For who looks whether it ever returns. */
static void beat(const struct lane *l)
{
	__atomic_store_n(&shared->progress[l->slots->worker].begun_ns, now_ns(),
			 __ATOMIC_RELAXED);
}

static void count(long ret)
{
	__atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
	if (ret < 0)
		__atomic_fetch_add(&shared->refused, 1, __ATOMIC_RELAXED);
}

void run_calls(struct lane *l, unsigned int n)
{
	while (n-- && l->next < l->program->calls && !stopped()) {
		const struct call *c = &l->program->call[l->next++];
		bool fresh;
		long ret;

		if (!l->alone) {
			beat(l);
			cover_begin();
		}
		ret = run_call(l, c);
		fresh = !l->alone && cover_end();
		if (!l->alone && outcome_new(c, ret, l->news))
			fresh = true;
		l->fresh |= fresh;
		count(ret);
	}
}
