// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl top: what the kernel counts, live. A frame is text, so that --once prints
 * what the screen shows.
 */
#include <errno.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define INTERVAL_NS	1000000000ULL
#define LEAST_NS	100000000ULL
#define PLAIN_WIDTH	80

/**
 * struct top
 * @shelf: the only one, or NULL
 * @skip: lines that are above the screen
 */
struct top {
	const char *shelf;
	__u64 interval_ns;
	struct look before;
	struct look now;
	int skip;
};

static void look_free(struct look *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		values_free(&l->shelf[i]);
	free(l->shelf);
	*l = (struct look){ NULL };
}

/* 0 or an errno. */
static int look(const struct top *t, struct look *l)
{
	int ret;

	*l = (struct look){ .ns = clock_ns() };
	if (!t->shelf)
		return values_read_all(&l->shelf, &l->n);
	l->shelf = xalloc(NULL, 1, sizeof(*l->shelf));
	ret = values_read(t->shelf, l->shelf);
	if (ret)
		look_free(l);
	else
		l->n = 1;
	return ret;
}

static int look_again(struct top *t)
{
	look_free(&t->before);
	t->before = t->now;
	return look(t, &t->now);
}

static int print_once(struct top *t)
{
	const struct timespec nap = { (time_t)(t->interval_ns / 1000000000),
				      (long)(t->interval_ns % 1000000000) };
	int ret;

	nanosleep(&nap, NULL);
	ret = look_again(t);
	if (!ret)
		frame_print(stdout, &t->before, &t->now, PLAIN_WIDTH);
	return ret;
}

/* What is a heading stands at the edge. */
static void draw_lines(char *text, int skip)
{
	char *line, *rest = text;
	int y = -skip;

	erase();
	while ((line = strsep(&rest, "\n")) && y < LINES) {
		if (y >= 0) {
			attrset(line[0] == ' ' ? A_NORMAL : A_BOLD);
			mvaddnstr(y, 0, line, COLS);
		}
		y++;
	}
	refresh();
}

static int draw(const struct top *t)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return -ENOMEM;
	frame_print(to, &t->before, &t->now, COLS);
	if (fclose(to)) {
		free(text);
		return -ENOMEM;
	}
	draw_lines(text, t->skip);
	free(text);
	return 0;
}

/* False: it is to end. */
static bool take_key(struct top *t, int key)
{
	if (key == KEY_DOWN || key == 'j')
		t->skip++;
	if ((key == KEY_UP || key == 'k') && t->skip)
		t->skip--;
	return key != 'q' && key != 'Q';
}

/* Keys, and a new size of the screen, in between change only what is drawn. */
static int show(struct top *t)
{
	__s64 next = t->now.ns, left;
	int key = ERR, ret = 0;

	while (!ret && take_key(t, key)) {
		left = next - clock_ns();
		if (left <= 0) {
			ret = look_again(t);
			next = t->now.ns + (__s64)t->interval_ns;
			left = (__s64)t->interval_ns;
		}
		if (!ret)
			ret = draw(t);
		timeout((int)(left / 1000000) + 1);
		key = ret ? ERR : getch();
	}
	return ret;
}

static int show_screen(struct top *t)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);
	int ret;

	if (!screen)
		return -ENOTTY;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	ret = show(t);
	endwin();
	delscreen(screen);
	return ret;
}

static int arguments(const struct args *a, struct top *t)
{
	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	if (json_output)
		return fail(STATUS_USAGE, 0, "top has no JSON; stats has");
	if (args_seconds(a, OPT_INTERVAL, &t->interval_ns))
		return STATUS_USAGE;
	if (t->interval_ns < LEAST_NS)
		return fail(STATUS_USAGE, 0, "--interval is below 0.1");
	if (is_hosted(a))
		return fail(STATUS_REFUSED, -EOPNOTSUPP, "%s: nobody counts for a hosted shelf",
			    a->shelf);
	if (!a->value[OPT_ONCE] && !(isatty(STDOUT_FILENO) && isatty(STDIN_FILENO)))
		return fail(STATUS_USAGE, 0, "not a terminal: try --once");
	return 0;
}

static int told(const struct top *t, int ret)
{
	if (ret == -ENOTTY)
		return fail(STATUS_REFUSED, ret, "this terminal is not known: try --once");
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s%s%s: %s", sysfs_dir(), t->shelf ? "/" : "",
			    t->shelf ? t->shelf : "", strerror(-ret));
	return STATUS_OK;
}

int run_top(const struct args *a)
{
	struct top t = { .shelf = a->shelf, .interval_ns = INTERVAL_NS };
	int ret = arguments(a, &t);

	if (ret)
		return ret;
	ret = look(&t, &t.now);
	if (!ret)
		ret = a->value[OPT_ONCE] ? print_once(&t) : show_screen(&t);
	look_free(&t.before);
	look_free(&t.now);
	return told(&t, ret);
}
