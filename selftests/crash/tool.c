// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

const char *tool_path;
const char *tool_shelf;
__u64 random_state;

static int tap_points;
static int tap_failed;

void bail(const char *format, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	exit(1);
}

bool tap_ok(bool good, const char *format, ...)
{
	va_list args;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_points);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	tap_failed += !good;
	return good;
}

int tap_end(void)
{
	printf("1..%d\n", tap_points);
	return tap_failed > 0;
}

__u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000ULL + (__u64)t.tv_nsec;
}

void sleep_until(__u64 ns)
{
	const struct timespec t = { (time_t)(ns / 1000000000ULL), (long)(ns % 1000000000ULL) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* splitmix64 */
__u64 random_below(__u64 n)
{
	__u64 x = random_state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) % n;
}

static void become_tool(const struct tool *t, const char *command, const char *a,
			const char *b, int in, int out)
{
	bool hosted = !strncmp(tool_shelf, "hosted:", 7);
	const char *const words[] = {
		tool_path, hosted ? "--hosted" : "-s", tool_shelf + (hosted ? 7 : 0),
		command, a, b, NULL,
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(in < 0 ? null : in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(t->errors ? out : null, 2) < 0)
		_exit(126);
	if (t->traced && ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(126);
	execv(tool_path, (char *const *)words);
	_exit(127);
}

void tool_run(struct tool *t, const char *command, const char *a, const char *b, int in)
{
	int out[2], status;

	fflush(stdout);
	if (pipe2(out, O_CLOEXEC))
		bail("pipe: %s", strerror(errno));
	t->pid = fork();
	if (!t->pid)
		become_tool(t, command, a, b, in, out[1]);
	if (t->pid < 0)
		bail("fork: %s", strerror(errno));
	close(out[1]);
	t->out = out[0];
	if (t->traced && (waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status)))
		bail("%s can't be traced", tool_path);
}

void tool_ended(struct tool *t, int status, struct told *told)
{
	size_t at = 0;
	ssize_t n;

	memset(told, 0, sizeof(*told));
	told->status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
	do {
		n = read(t->out, told->output + at, sizeof(told->output) - 1 - at);
		at += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	close(t->out);
	if (sscanf(told->output, "generation %llu ", &told->generation) != 1)
		told->generation = 0;
}

void tool_end(struct tool *t, struct told *told)
{
	int status;

	if (waitpid(t->pid, &status, 0) != t->pid)
		bail("waitpid: %s", strerror(errno));
	tool_ended(t, status, told);
}
