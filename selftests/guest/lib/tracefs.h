/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The module's tracepoints, as the trace has them. */
#ifndef GUEST_TRACEFS_H
#define GUEST_TRACEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TRACE_EVENTS	"/sys/kernel/tracing/events/shelf"
#define TRACE_LINE	512

/* Before all else. 0 or a negative errno. */
int trace_prepare(void);
/* @event: "/shelf_pin", or "" for all. 0 or a negative errno. */
int trace_enable(const char *event, bool on);
/* The next "name=... generation=..." of @event about shelf @name; @f from trace_open(). */
FILE *trace_open(void);
bool trace_next(FILE *f, const char *event, const char *name, char fields[TRACE_LINE]);
/* The last of them that there is. */
bool trace_last(const char *event, const char *name, char fields[TRACE_LINE]);
/* A number of it, or -1. */
long long trace_field(const char *fields, const char *key);

#endif /* GUEST_TRACEFS_H */
