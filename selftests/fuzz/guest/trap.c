// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "fuzz.h"
#include "trap.h"

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t armed;

static void trapped(int sig)
{
	if (armed)
		siglongjmp(back, sig);
	signal(sig, SIG_DFL);	/* our own mistake, then */
}

static void interrupted(int sig)
{
	(void)sig;
}

void trap_init(void)
{
	struct sigaction a = { .sa_handler = trapped };

	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGBUS, &a, NULL);
	a.sa_handler = interrupted;	/* without SA_RESTART */
	sigaction(SIGALRM, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static long trap(volatile __u64 *at, bool store)
{
	int sig = sigsetjmp(back, 1);

	if (!sig) {
		armed = 1;
		if (store)
			*at = ~0ULL;
		else
			(void)*at;
	}
	armed = 0;
	if (sig == SIGBUS)
		fault("SIGBUS in a mapping");
	return -sig;
}

long trap_load(void *at)
{
	return trap(at, false);
}

long trap_store(void *at)
{
	return trap(at, true);
}
