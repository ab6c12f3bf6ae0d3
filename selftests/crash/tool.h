/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the crash tests share: shelfctl, run and killed, and TAP.
 */
#ifndef CRASH_TOOL_H
#define CRASH_TOOL_H

#include <stdbool.h>
#include <sys/types.h>

#include "../../tools/lib/shelf.h"

/* The program; and the shelf, as libshelf calls it. */
extern const char *tool_path;
extern const char *tool_shelf;

/**
 * struct told - how shelfctl ended
 * @status: its exit status, or 256 and the signal
 * @generation: of an apply that was acknowledged, or of an export, or 0
 * @output: what it printed
 */
struct told {
	int status;
	__u64 generation;
	char output[512];
};

/**
 * struct tool - shelfctl at work
 * @traced: by ptrace; it stands behind its execve()
 * @errors: standard error is to be read as well; else it goes nowhere
 */
struct tool {
	bool traced;
	bool errors;
	pid_t pid;
	int out;
};

/* shelfctl COMMAND A B with standard input from @in, which stays open; -1: none. */
void tool_run(struct tool *t, const char *command, const char *a, const char *b, int in);
/* Waits for its end, and reads what it said. */
void tool_end(struct tool *t, struct told *told);
/* The same, for one that has been waited for. */
void tool_ended(struct tool *t, int status, struct told *told);

/* Ends the test: something that is no part of it went wrong. */
void bail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* A test point; the format is its name. Returns @good. */
bool tap_ok(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How many there were, and whether all were good, as a status to exit with. */
int tap_end(void);

__u64 now_ns(void);
void sleep_until(__u64 ns);

/* A number below @n; n > 0. */
extern __u64 random_state;
__u64 random_below(__u64 n);

#endif /* CRASH_TOOL_H */
