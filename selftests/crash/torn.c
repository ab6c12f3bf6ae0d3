// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5, for who keeps checkpoints: an export that was cut off at any byte, in which a bit
 * flipped in any byte, in which a piece is zeros or another piece, or a line is missing
 * or twice, is refused by name and place, and changes nothing.
 *
 *   torn [--every N] [--seed N] --tool SHELFCTL FILE SHELF
 *
 * FILE is for damaged copies; SHELF a hosted shelf, "hosted:PATH", made and removed. Each
 * N-th byte is tried (1: all of them), beginning anywhere.
 *
 * Seen to fail with the hash of an export not compared.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "tool.h"

#define PRODUCTS	20
#define PIECE		512U

enum damage { CUT, FLIP, ZEROS, MOVED, LINE_LOST, LINE_TWICE, DAMAGES };

static const char *const names[DAMAGES] = {
	"cut off at a byte", "a bit flipped in a byte", "a piece is zeros",
	"a piece is another one", "a line is missing", "a line is twice",
};

static const char *path;
static char *text, *bad;
static size_t size;
static size_t every = 37;
static unsigned int tried[DAMAGES], taken[DAMAGES], unnamed[DAMAGES];

static int load(const char *file, struct told *told)
{
	struct tool t = { .errors = true };

	tool_run(&t, "apply", file, "--whole", -1);
	tool_end(&t, told);
	return told->status;
}

static void write_copy(const char *from, size_t n)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(from, 1, n, f) != n || fclose(f))
		bail("%s: %s", path, strerror(errno));
}

/* FILE:LINE: or, of what has no lines, FILE: */
static bool is_named(const struct told *told)
{
	const char *at = told->output;
	size_t n = strlen(path);

	if (!strncmp(at, "shelfctl: ", 10))
		return !strncmp(at + 10, path, n) && at[10 + n] == ':';
	return !strncmp(at, path, n) && at[n] == ':' && at[n + 1] >= '1' && at[n + 1] <= '9';
}

static void try_copy(enum damage what, size_t at, size_t n)
{
	struct told told;

	/* What is left out may be the newline at the end, which ends nothing. */
	if (n >= size - 1 && !memcmp(bad, text, size - 1))
		return;
	write_copy(bad, n);
	tried[what]++;
	if (!load(path, &told) && taken[what]++ < 5)
		printf("# taken: %s, byte %zu of %zu\n", names[what], at, size);
	else if ((told.status != 4 || !is_named(&told)) && unnamed[what]++ < 5)
		printf("# byte %zu, status %d: %s\n", at, told.status, told.output);
}

static void damage_byte(enum damage what, size_t at)
{
	size_t n = size;

	memcpy(bad, text, size);
	if (what == CUT)
		n = at;
	else
		bad[at] ^= (char)(1 << random_below(8));
	try_copy(what, at, n);
}

static void damage_piece(enum damage what, size_t at)
{
	size_t n = size - at < PIECE ? size - at : PIECE;

	memcpy(bad, text, size);
	if (what == ZEROS)
		memset(bad + at, 0, n);
	else
		memmove(bad + at, text + random_below(size - n), n);
	if (memcmp(bad, text, size))
		try_copy(what, at, size);
}

static size_t next_line(size_t at)
{
	return (size_t)((char *)memchr(text + at, '\n', size - at) - text) + 1;
}

static void damage_line(enum damage what, size_t at)
{
	size_t end = next_line(at);

	memcpy(bad, text, end);
	if (what == LINE_LOST)
		memcpy(bad + at, text + end, size - end);
	else
		memcpy(bad + end, text + at, size - at);
	try_copy(what, at, what == LINE_LOST ? size - (end - at) : size + (end - at));
}

static void damage_all(void)
{
	size_t at;

	for (at = random_below(every); at < size; at += every)
		damage_byte(CUT, at);
	damage_byte(CUT, 0);
	for (at = random_below(every); at < size; at += every)
		damage_byte(FLIP, at);
	for (at = 0; at < size; at += PIECE) {
		damage_piece(ZEROS, at);
		damage_piece(MOVED, at);
	}
	for (at = 0; at < size; at = next_line(at)) {
		damage_line(LINE_LOST, at);
		damage_line(LINE_TWICE, at);
	}
}

static void read_export(void)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f && !fseek(f, 0, SEEK_END))
		n = ftell(f);
	if (n < 0)
		bail("%s: %s", path, strerror(errno));
	size = (size_t)n;
	text = malloc(size);
	bad = malloc(2 * size);
	rewind(f);
	if (!text || !bad || fread(text, 1, size, f) != size)
		bail("%s: %s", path, strerror(errno));
	fclose(f);
}

/* Of a state with few products, so that there is time for all bytes. */
static void make_export(void)
{
	const struct shelf_settings settings = { .max_bytes = 64 << 20 };
	struct tool t = { .errors = true };
	struct told told;
	FILE *f;

	state_products = PRODUCTS;
	shelf_destroy(tool_shelf, NULL);
	if (shelf_create(tool_shelf, &settings, NULL))
		bail("%s: can't be made", tool_shelf);
	f = fopen(path, "we");
	if (!f || state_write(f, 1) < 0 || fclose(f))
		bail("%s: %s", path, strerror(errno));
	tool_run(&t, "apply", path, NULL, -1);
	tool_end(&t, &told);
	if (!told.status) {
		tool_run(&t, "export", "-o", path, -1);
		tool_end(&t, &told);
	}
	if (told.status)
		bail("status %d: %s", told.status, told.output);
	read_export();
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "every", required_argument, NULL, 'e' },
		{ "seed", required_argument, NULL, 's' },
		{ "tool", required_argument, NULL, 't' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'e')
			every = strtoul(optarg, NULL, 0);
		else if (c == 's')
			random_state = strtoull(optarg, NULL, 0);
		else if (c == 't')
			tool_path = optarg;
		else
			exit(2);
	}
	if (!tool_path || optind != argc - 2 || !every) {
		fputs("usage: torn [--every N] [--seed N] --tool SHELFCTL FILE SHELF\n", stderr);
		exit(2);
	}
	path = argv[optind];
	tool_shelf = argv[optind + 1];
}

int main(int argc, char **argv)
{
	struct found before, after;
	struct told told;
	int i;

	random_state = now_ns();
	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n# torn --seed %llu\n", random_state);
	make_export();
	if (state_find(tool_shelf, &before))
		bail("%s can't be read", tool_shelf);
	damage_all();
	if (state_find(tool_shelf, &after))
		bail("%s can't be read", tool_shelf);
	for (i = 0; i < DAMAGES; i++)
		tap_ok(tried[i] && !taken[i] && !unnamed[i], "%s: %u of them are refused, by name",
		       names[i], tried[i]);
	tap_ok(after.generation == before.generation && state_is_whole(&after),
	       "and nothing is changed");
	write_copy(text, size);
	tap_ok(!load(path, &told), "the one that is whole is taken");
	shelf_destroy(tool_shelf, NULL);
	return tap_end();
}
