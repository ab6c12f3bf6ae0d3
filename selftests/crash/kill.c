// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill.h"

#define TRIALS		5
#define CALLS_MAX	512
#define NEVER		(~0ULL)

static __u64 extent[WAYS];
static unsigned int killed_in[CALLS_MAX];

/* The tool may close its end at any time, by being killed. */
static void feed(int to, const char *file)
{
	char buffer[65536];
	int from = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (from < 0)
		bail("%s: %s", file, strerror(errno));
	do {
		n = read(from, buffer, sizeof(buffer));
	} while (n > 0 && write(to, buffer, (size_t)n) == n);
	close(from);
}

/* Returns when its input came to its end. */
static __u64 start_fed(struct tool *t, const char *file)
{
	int in[2];

	signal(SIGPIPE, SIG_IGN);
	if (pipe2(in, O_CLOEXEC))
		bail("pipe: %s", strerror(errno));
	tool_run(t, "apply", "-", NULL, in[0]);
	close(in[0]);
	feed(in[1], file);
	close(in[1]);
	return now_ns();
}

static __u64 start_timed(struct tool *t, enum kill_way way, const char *file)
{
	__u64 start = now_ns();

	if (way == BY_COMMIT)
		return start_fed(t, file);
	tool_run(t, "apply", file, NULL, -1);
	return start;
}

static void by_time(enum kill_way way, __u64 at, const char *file, struct told *told)
{
	struct tool t = { 0 };
	__u64 start = start_timed(&t, way, file);

	if (at != NEVER) {
		sleep_until(start + at);
		kill(t.pid, SIGKILL);
	}
	tool_end(&t, told);
}

/* Which call the tool stands in, or -1: it isn't one that counts. */
static long stopped_in(pid_t pid, int status, long *nr)
{
	struct __ptrace_syscall_info info;

	if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
		return -1;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return -1;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		*nr = (long)info.entry.nr;
	return *nr == SYS_read ? -1 : *nr;
}

/* Returns how many stops there were until it ended; it is killed at the @at-th. */
static __u64 by_call(__u64 at, const char *file, struct told *told)
{
	struct tool t = { .traced = true };
	long nr = -1, in;
	__u64 stops = 0;
	int status;

	tool_run(&t, "apply", file, NULL, -1);
	ptrace(PTRACE_SETOPTIONS, t.pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	do {
		ptrace(PTRACE_SYSCALL, t.pid, 0, 0);
		if (waitpid(t.pid, &status, 0) != t.pid)
			bail("waitpid: %s", strerror(errno));
		in = stopped_in(t.pid, status, &nr);
		if (in < 0 || stops++ != at)
			continue;
		kill(t.pid, SIGKILL);
		killed_in[in < CALLS_MAX ? in : 0]++;
	} while (!WIFEXITED(status) && !WIFSIGNALED(status));
	tool_ended(&t, status, told);
	return stops;
}

static __u64 measure_time(enum kill_way way, const char *file)
{
	struct tool t = { 0 };
	struct told told;
	__u64 start = start_timed(&t, way, file), took;

	tool_end(&t, &told);
	took = now_ns() - start;
	if (told.status)
		bail("shelfctl apply ended with status %d", told.status);
	return took;
}

/* The median: a machine with others on it has slow moments. */
static __u64 measure_way(enum kill_way way, void (*next_batch)(void), const char *file)
{
	__u64 took[TRIALS], swap;
	int i, j;

	for (i = 0; i < TRIALS; i++) {
		next_batch();
		took[i] = measure_time(way, file);
		for (j = i; j > 0 && took[j] < took[j - 1]; j--) {
			swap = took[j];
			took[j] = took[j - 1];
			took[j - 1] = swap;
		}
	}
	return took[TRIALS / 2];
}

void kill_measure(void (*next_batch)(void), const char *file)
{
	struct told told;

	extent[BY_TIME] = measure_way(BY_TIME, next_batch, file);
	extent[BY_COMMIT] = measure_way(BY_COMMIT, next_batch, file);
	next_batch();
	extent[BY_CALL] = by_call(NEVER, file, &told);
	if (told.status)
		bail("shelfctl apply, traced, ended with status %d", told.status);
}

__u64 kill_extent(enum kill_way way)
{
	return extent[way];
}

void kill_at(enum kill_way way, __u64 at, const char *file, struct told *told)
{
	if (way == BY_CALL)
		by_call(at, file, told);
	else
		by_time(way, at, file, told);
}

void kill_print_calls(void)
{
	int i;

	printf("# killed in system calls (number: times)");
	for (i = 0; i < CALLS_MAX; i++)
		if (killed_in[i])
			printf(" %d: %u", i, killed_in[i]);
	putchar('\n');
}
