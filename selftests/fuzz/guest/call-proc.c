// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Others who run the calls that come next, beside this process: children, other users,
 * other network namespaces, threads. And allocations that fail.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "make.h"
#include "place.h"

static struct lane *lane_make(const struct lane *from)
{
	struct lane *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->slots = from->slots;
	l->program = from->program;
	l->next = from->next;
	l->alone = true;
	return l;
}

static int become(__u64 who)
{
	static const struct rlimit few = { 16, 16 };

	switch (who) {
	case WHO_USER:
		return setresuid(1000, 1000, 1000);
	case WHO_NET:
		return unshare(CLONE_NEWNET);
	case WHO_FEW:
		return setrlimit(RLIMIT_NOFILE, &few);
	default:
		return 0;
	}
}

static void child(const struct lane *from, const struct call *c)
{
	struct lane *l = lane_make(from);

	fail_forget();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (l && !become(c->arg[1] % 4))
		run_calls(l, c->arg[0] % CALLS_MAX);
	_exit(0);
}

/* It shares the mappings' files, and finds the arenas wiped. */
long run_fork(struct lane *l, const struct call *c)
{
	struct slots *s = l->slots;
	pid_t pid;

	if (l->alone || s->children == HELPERS_MAX)
		return -EAGAIN;
	fflush(NULL);
	pid = fork();
	if (!pid)
		child(l, c);
	if (pid < 0)
		return -errno;
	s->child[s->children++] = pid;
	return 0;
}

static void *thread(void *arg)
{
	struct lane *l = arg;
	unsigned int n = l->fail;

	l->fail = 0;
	if (!places_init()) {
		run_calls(l, n);
		places_exit();
	}
	fail_forget();
	free(l);
	return NULL;
}

long run_thread(struct lane *l, const struct call *c)
{
	struct slots *s = l->slots;
	struct lane *other;

	if (l->alone || s->threads == HELPERS_MAX)
		return -EAGAIN;
	other = lane_make(l);
	if (!other)
		return -ENOMEM;
	other->fail = c->arg[0] % CALLS_MAX;	/* until it runs: how many */
	if (pthread_create(&s->thread[s->threads], NULL, thread, other)) {
		free(other);
		return -EAGAIN;
	}
	s->threads++;
	return 0;
}

/* Where the kernel can do that: of the next call so many-th allocation fails. */
long run_fail(struct lane *l, const struct call *c)
{
	l->fail = c->arg[0] % 256;
	return 0;
}

long run_nap(struct lane *l, const struct call *c)
{
	(void)l;
	sleep_ms(c->arg[0] % 8);
	return 0;
}
