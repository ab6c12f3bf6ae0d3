/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What is told of a shelf in numbers, by name: by the kernel file by file, so that it
 * needs no list of names here; of a hosted shelf by its file.
 */
#ifndef SHELFCTL_VALUES_H
#define SHELFCTL_VALUES_H

#include "ctl.h"

/* The most that a file of sysfs holds, and a NUL. */
#define SYSFS_VALUE	4097

struct value {
	char *name;
	char *text;
};

/**
 * struct values
 * @shelf: its name
 */
struct values {
	char *shelf;
	struct value *value;
	size_t n;
};

/* /sys/class/shelf, or what $SHELF_SYSFS says. */
const char *sysfs_dir(void);
/*
 * What the kernel shows of a shelf under this name, into @value of SYSFS_VALUE bytes.
 * False: a hosted shelf, or the kernel shows no such thing.
 */
bool sysfs_value(const struct args *a, const char *file, char *value);
/* The kernel's shelves by name, an array to free with its strings; n, or an errno. */
long sysfs_shelves(char ***names);
/* All that the kernel shows of a shelf, by name; 0 or an errno. */
int values_read(const char *shelf, struct values *v);
/* Of all shelves; one that is destroyed meanwhile is left out. */
int values_read_all(struct values **v, size_t *n);
/* The same for the shelf of the command line, perhaps a file; a status, having told. */
int values_of(const struct args *a, struct values *v);
/* NULL: there is none. */
const char *values_get(const struct values *v, const char *name);
/* 0 where there is none. */
__u64 values_u64(const struct values *v, const char *name);
void values_free(struct values *v);

/* prometheus.c */
int print_prometheus(const struct args *a);

#endif /* SHELFCTL_VALUES_H */
