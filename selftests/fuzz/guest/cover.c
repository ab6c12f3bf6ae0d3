// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where the module's code has been: by KCOV, of the thread that calls; what the
 * module's workers do is not seen. And what came of calls, which any kernel tells.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define TRACE	(256UL << 10)	/* words */

static __u64 *trace;
static __u64 text;

/* Coverage is given as addresses; those of other modules mean nothing to us. */
static __u64 text_base(void)
{
	FILE *f = fopen("/sys/module/shelf/sections/.text", "re");
	unsigned long long base = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%llx", &base) != 1)
		base = 0;
	fclose(f);
	return base;
}

bool cover_open(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	text = text_base();
	if (fd < 0 || !text)
		return false;
	if (ioctl(fd, KCOV_INIT_TRACE, TRACE))
		return false;
	trace = mmap(NULL, TRACE * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED,
		     fd, 0);
	if (trace == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		trace = NULL;
		return false;
	}
	return true;	/* the descriptor goes with the process */
}

void cover_begin(void)
{
	if (trace)
		__atomic_store_n(trace, 0, __ATOMIC_RELAXED);
}

bool cover_end(void)
{
	__u64 i, n, at;
	unsigned int found = 0;

	if (!trace)
		return false;
	n = __atomic_load_n(trace, __ATOMIC_RELAXED);
	for (i = 1; i <= n && i < TRACE; i++) {
		at = trace[i] - text;
		if (at < PCS_MAX && !shared->pc[at])
			found += !__atomic_exchange_n(&shared->pc[at], 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&shared->pcs, found, __ATOMIC_RELAXED);
	return found;
}

bool outcome_new(const struct call *c, long ret, __u64 news)
{
	__u64 cmd = !strcmp(ops[c->op].name, "send") || !strcmp(ops[c->op].name, "ioctl") ?
		    c->arg[2] : 0;
	__u64 x = c->op * 0x100000001b3ULL;

	x = (x ^ cmd) * 0x9e3779b97f4a7c15ULL;
	x = (x ^ (__u64)(ret < 0 ? ret : 0)) * 0x9e3779b97f4a7c15ULL;
	x = (x ^ news ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;
	x >>= 44;
	if (shared->novel[x] || __atomic_exchange_n(&shared->novel[x], 1, __ATOMIC_RELAXED))
		return false;
	__atomic_fetch_add(&shared->outcomes, 1, __ATOMIC_RELAXED);
	return true;
}
