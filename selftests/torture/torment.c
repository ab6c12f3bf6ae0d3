// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The tormentor: stops readers for longer than quarantine and lease, kills some,
 * starts others in their place. Processes by signals, wherever they are; threads in
 * the middle of a read, by asking them to.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#define TICK_MS		10U
#define STOP_MS		400U	/* at most; and a quarter of it at least */
#define STOP_EVERY	50U	/* ticks, about */
#define KILL_EVERY	170U
#define END_MS		60000U	/* for the last of them to end */
#define PATIENCE	4U	/* times as long, for what comes by chance */

struct victim {
	pid_t pid;
	pthread_t thread;
	u64 until_ns;		/* stopped, or asleep */
	bool stopped;
};

static struct victim victims[READERS_MAX];
static u64 random_state;
static u64 begun;

static void *run_thread(void *index)
{
	reader_run((int)(intptr_t)index, options.seed ^ now_ns());
	return NULL;
}

static void start(int i)
{
	struct victim *v = &victims[i];

	*v = (struct victim){ 0 };
	if (options.threads) {
		pthread_create(&v->thread, NULL, run_thread, (void *)(intptr_t)i);
		return;
	}
	fflush(stdout);
	v->pid = fork();
	if (v->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(!!reader_run(i, options.seed ^ now_ns()));
}

/* In the middle of a read, or wherever it happens to be. */
static void stop(int i)
{
	struct victim *v = &victims[i];
	u32 ms = STOP_MS / 4 + world_below(&random_state, STOP_MS * 3 / 4);

	v->until_ns = now_ns() + ms * NS_PER_MS;
	v->stopped = !options.threads && world_below(&random_state, 3);
	if (v->stopped)
		kill(v->pid, SIGSTOP);
	else
		__atomic_store_n(&shared->nap_ms[i], ms, __ATOMIC_RELAXED);
	event_of_others(STOPS, 1);
}

static void carry_on(int i)
{
	struct victim *v = &victims[i];

	if (v->stopped)
		kill(v->pid, SIGCONT);
	v->stopped = false;
	v->until_ns = 0;
}

static void replace(int i)
{
	if (options.threads) {
		__atomic_store_n(&shared->quit[i], 1, __ATOMIC_RELAXED);
		pthread_join(victims[i].thread, NULL);
		__atomic_store_n(&shared->quit[i], 0, __ATOMIC_RELAXED);
	} else {
		kill(victims[i].pid, SIGKILL);
		waitpid(victims[i].pid, NULL, 0);
	}
	broker_release(i);
	event_of_others(KILLS, 1);
	start(i);
}

/* Nobody ends of himself. */
static void look_after(int i)
{
	char message[64];
	int status;

	if (options.threads || waitpid(victims[i].pid, &status, WNOHANG) != victims[i].pid)
		return;
	snprintf(message, sizeof(message), "reader %d ended with %#x", i, status);
	fault_of_others(REFUSED, message);
	broker_release(i);
	start(i);
}

static void tick(void)
{
	int i, still = 0, n = options.readers;
	u64 now = now_ns();

	for (i = 0; i < n; i++) {
		look_after(i);
		if (victims[i].until_ns && victims[i].until_ns < now)
			carry_on(i);
		still += !!victims[i].until_ns;
	}
	i = (int)world_below(&random_state, (u32)n);
	if (still * 2 < n && !victims[i].until_ns && !world_below(&random_state, STOP_EVERY))
		stop(i);
	i = (int)world_below(&random_state, (u32)n);
	if (!world_below(&random_state, KILL_EVERY))
		replace(i);
}

/* What comes by chance is waited for, on a slow machine too, but not for ever. */
static bool enough(void)
{
	double seconds = (double)(now_ns() - begun) * 1e-9;
	u64 word = load(&shared->acknowledged);

	if (flag(&shared->stop))
		return true;
	if (seconds < options.seconds || (u32)word < options.commits ||
	    tally_reads() < options.reads)
		return false;
	writer_note();
	return all_happened() || seconds >= PATIENCE * options.seconds;
}

static void end(int i, u64 until)
{
	int status = 0;

	carry_on(i);
	if (options.threads) {
		pthread_join(victims[i].thread, NULL);
		return;
	}
	while (!waitpid(victims[i].pid, &status, WNOHANG)) {
		if (now_ns() > until) {
			fault_of_others(REFUSED, "a reader does not come to an end");
			kill(victims[i].pid, SIGKILL);
		}
		sleep_ms(TICK_MS);
	}
	if (status)
		fault_of_others(REFUSED, "a reader has failed");
}

void torment(void)
{
	int i;

	random_state = options.seed;
	begun = now_ns();
	for (i = 0; i < options.readers; i++)
		start(i);
	while (!enough()) {
		sleep_ms(TICK_MS);
		tick();
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < options.readers; i++) {
		end(i, now_ns() + END_MS * NS_PER_MS);
		broker_release(i);
	}
}
