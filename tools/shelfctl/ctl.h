/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * shelfctl: what its files share.
 */
#ifndef SHELFCTL_H
#define SHELFCTL_H

#include <stdbool.h>
#include <stdio.h>

#include "../lib/clock.h"
#include "../lib/shelf.h"
#include "../line/xalloc.h"

/* Exit statuses, as `shelfctl help` tells them. */
enum {
	STATUS_OK,
	STATUS_REFUSED,		/* the shelf or the system said no */
	STATUS_USAGE,
	STATUS_ABSENT,		/* get: no such product or catalog */
	STATUS_INPUT,		/* the file is not what it should be */
	STATUS_TROUBLE,		/* diff: as STATUS_REFUSED, which would be an answer */
	STATUS_DIFFERS = STATUS_REFUSED,
};

enum option {
	OPT_JSON,
	OPT_PRETTY,
	OPT_SHELF,
	OPT_HOSTED,
	OPT_HELP,
	OPT_VERSION,
	OPT_BATCH,
	OPT_COLOR,
	OPT_MAX_BYTES,
	OPT_BATCH_BYTES,
	OPT_QUARANTINE_MS,
	OPT_SEED,
	OPT_LEASE_MS,
	OPT_LEASE_MAX_MS,
	OPT_PIN_BYTES,
	OPT_EXPECT,
	OPT_NO_WAIT,
	OPT_WHOLE,
	OPT_AFTER,
	OPT_LIMIT,
	OPT_TIMEOUT,
	OPT_OUTPUT,
	OPT_LEASE,
	OPT_TRIES,
	OPT_FORCE,
	OPT_GENERATION,
	OPT_WATCH,
	OPT_FORMAT,
	OPT_ONCE,
	OPT_INTERVAL,
	OPT_ZSTD,
	OPT_STAT,
	OPT_MAX_CHANGE,
	OPT_DANGLING,
	OPT_REQUIRE_EXPECT,
	OPTIONS
};

#define OPT_BIT(o)	(1ULL << (o))

/**
 * struct args - a command line taken apart
 * @outer: of the batch that it is a line of, or NULL
 * @value: of each option given; "" for one that takes none
 * @shelf: what libshelf calls the shelf, for commands that take one
 * @word: what is neither option nor command nor shelf
 */
struct args {
	const struct args *outer;
	const char *value[OPTIONS];
	char *shelf;
	char **word;
	int words;
};

enum takes {
	NO_SHELF,
	A_SHELF,
	MAYBE_SHELF,
};

/**
 * struct command - what it is called and takes
 * @name: "OBJECT COMMAND", or one word if it has no object
 * @brief: what will do in place of that, or NULL
 * @usage: behind the shelf
 * @text: help; NULL: not for people
 * @options: OPT_BIT() of its own
 * @takes: whether a shelf
 */
struct command {
	const char *name;
	const char *brief;
	const char *usage;
	const char *text;
	__u64 options;
	enum takes takes;
	int (*run)(const struct args *a);
};

/* commands.c; ends with a NULL name */
extern const struct command commands[];
/* What the first of the words, as many as go to @used, name; or NULL. */
const struct command *command_find(char **word, int words, bool has_shelf, int *used);
const struct command *command_named(const char *brief);
bool command_is_of(const struct command *c, const char *object);

/* args.c: each returns a status, having told what is wrong */
/* @a: zeroed, but for @outer. */
int args_parse(int argc, char **argv, struct args *a, const struct command **c);
void args_free(struct args *a);
int no_command(char **word, int words);
const char *option_name(enum option o);
bool option_takes_value(enum option o);
bool option_is_global(enum option o);
/* Whether this is to be one; a number isn't. */
bool option_is(const char *arg);
/* Its number, or -1; @value is behind an = sign, if there is one. */
int option_find(const char *arg, const char **value);
int args_size(const struct args *a, enum option o, __u64 *out);
int args_u64(const struct args *a, enum option o, __u64 *out);
/* A time in seconds, as nanoseconds. */
int args_seconds(const struct args *a, enum option o, __u64 *out);
int args_id(const char *text, const char *what, __s64 *out);

/* out.c */
extern bool json_output;
extern bool json_pretty;	/* --pretty */
/* What fail() makes of STATUS_REFUSED. */
extern int refused_as;
/* Says "shelfctl: ..." or its JSON form on stderr and returns @status, or @refused_as. */
int fail(int status, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for FILE:LINE:COLUMN; @column 0: the whole line. */
int fail_at(int status, int error, const char *file, __u64 line, size_t column,
	    const char *message);
void put_string(FILE *to, const char *text);
/* The same for what is no error. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Standard output: 0, or the first error that it had. */
int flush_out(void);
bool is_hosted(const struct args *a);
int open_shelf(const struct args *a, struct shelf **out);

/* color.c: when there is colour, for all that follows; and its beginnings and end */
enum color_when {
	COLOR_AUTO,
	COLOR_ALWAYS,
	COLOR_NEVER,
};

enum paint {
	PAINT_END,
	PAINT_NAME,
	PAINT_ERROR,
};

extern enum color_when color_when;
int color_choose(const char *when);
const char *paint(FILE *to, enum paint what);

/* main.c: a command line, perhaps one of a batch; a status */
int run_words(int argc, char **argv, const struct args *outer);

/* The commands. */
int run_create(const struct args *a);
int run_set(const struct args *a);
int run_destroy(const struct args *a);
int run_list(const struct args *a);
int run_show(const struct args *a);
int run_apply(const struct args *a);
int run_check(const struct args *a);
int run_get(const struct args *a);
int run_product_get(const struct args *a);
int run_catalog_get(const struct args *a);
int run_export(const struct args *a);
int run_restore(const struct args *a);
int run_sync(const struct args *a);
int run_diff(const struct args *a);
int run_pins(const struct args *a);
int run_trim(const struct args *a);
int run_stats(const struct args *a);
int run_wait(const struct args *a);
int run_top(const struct args *a);
int run_monitor(const struct args *a);
int run_complete(const struct args *a);
int run_batch(const struct args *a);
int run_help(const struct args *a);
int run_version(const struct args *a);

#endif /* SHELFCTL_H */
