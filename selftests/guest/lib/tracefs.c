// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common.h"
#include "tracefs.h"

#define TRACING	"/sys/kernel/tracing"

/*
 * With the names of commands recorded, each switch also puts breakpoints into the
 * scheduler for a moment. Older QEMUs run on with one that is no longer there, and the
 * guest hangs; on lines that only we run it can't happen.
 */
int trace_prepare(void)
{
	if (access(TRACE_EVENTS, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	return write_file(TRACING "/options/record-cmd", "0");
}

int trace_enable(const char *event, bool on)
{
	char path[128];
	int ret = trace_prepare();

	if (ret)
		return ret;
	snprintf(path, sizeof(path), TRACE_EVENTS "%s/enable", event);
	return write_file(path, on ? "1" : "0");
}

FILE *trace_open(void)
{
	return fopen(TRACING "/trace", "re");
}

bool trace_next(FILE *f, const char *event, const char *name, char fields[TRACE_LINE])
{
	char line[TRACE_LINE], wanted[TRACE_LINE];
	const char *at;

	snprintf(wanted, sizeof(wanted), " %s: name=%s ", event, name);
	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, wanted);
		if (at) {
			strcpy(fields, strstr(at, "name="));
			return true;
		}
	}
	return false;
}

bool trace_last(const char *event, const char *name, char fields[TRACE_LINE])
{
	FILE *f = trace_open();
	bool found = false;

	while (trace_next(f, event, name, fields))
		found = true;
	if (f)
		fclose(f);
	return found;
}

long long trace_field(const char *fields, const char *key)
{
	char wanted[64];
	const char *at;

	snprintf(wanted, sizeof(wanted), " %s=", key);
	at = strstr(fields, wanted);
	return at ? strtoll(at + strlen(wanted), NULL, 10) : -1;
}
