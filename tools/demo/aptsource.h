/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What apt knows: where the package indexes lie, and how to read one. */
#ifndef DEMO_APTSOURCE_H
#define DEMO_APTSOURCE_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum revision { REV_BASE, REV_DELTA, REV_COUNT };

struct index_file {
	enum revision revision;
	char *path;
};

struct index_list {
	struct index_file *files;
	size_t count;
	size_t room;
};

void index_list_add(struct index_list *list, enum revision revision,
		    const char *path);
void index_list_free(struct index_list *list);

/*
 * Appends this machine's indexes of Debian for its native architecture. The
 * first codename without a suffix is the base; that codename with "-updates"
 * or "-security" is the delta; everything else is skipped with a note.
 */
void aptsource_find(struct index_list *list);

/* A program whose standard output is being read. */
struct reader {
	FILE *out;
	pid_t pid;
	const char *what;	/* for messages */
};

/* Opens an index, whatever apt compressed it with. */
struct reader aptsource_open(const char *path);

/* Dies if the program failed: its output may then have been cut short. */
void reader_close(struct reader *reader);

#endif
