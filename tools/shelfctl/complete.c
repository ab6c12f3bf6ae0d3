// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl complete: what the last of the words behind it, perhaps empty, can be, a line
 * each, for the shells' completion. ":files" is for names of files.
 */
#include <stdlib.h>
#include <string.h>

#include "values.h"

/**
 * struct line - what stands in front of the word to be completed
 * @word: of these what is no option
 * @awaits: the option whose value it is to be, or -1
 */
struct line {
	char **word;
	int words;
	bool has_shelf;
	bool ended;
	int awaits;
	const char *current;
};

static void offer(const struct line *l, const char *word)
{
	if (!strncmp(word, l->current, strlen(l->current)))
		puts(word);
}

static void offer_files(void)
{
	puts(":files");
}

/* By sysfs, which takes no rights. */
static void offer_shelves(const struct line *l)
{
	char **names;
	long n = sysfs_shelves(&names), i;

	for (i = 0; i < n; i++) {
		offer(l, names[i]);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void offer_value(const struct line *l)
{
	switch (l->awaits) {
	case OPT_COLOR:
		offer(l, "auto");
		offer(l, "always");
		offer(l, "never");
		break;
	case OPT_DANGLING:
		offer(l, "allow");
		offer(l, "warn");
		offer(l, "refuse");
		break;
	case OPT_REQUIRE_EXPECT:
		offer(l, "yes");
		offer(l, "no");
		break;
	case OPT_FORMAT:
		offer(l, "prometheus");
		break;
	case OPT_SHELF:
		offer_shelves(l);
		break;
	case OPT_HOSTED:
	case OPT_OUTPUT:
	case OPT_BATCH:
		offer_files();
		break;
	default:
		break;
	}
}

static void offer_options(const struct line *l, const struct command *c)
{
	char name[64];
	int o;

	for (o = 0; o < OPTIONS; o++) {
		if (!option_is_global(o) && !(c && c->options & OPT_BIT(o)))
			continue;
		snprintf(name, sizeof(name), "--%s", option_name(o));
		offer(l, name);
	}
}

/* Of commands with an object this one's, NULL: the objects, and what needs none. */
static void offer_commands(const struct line *l, const char *object)
{
	const struct command *c;
	char last[32] = "", name[32];

	for (c = commands; c->name; c++) {
		const char *verb = strchr(c->name, ' ');

		if (object && command_is_of(c, object))
			offer(l, verb + 1);
		if (object || !c->text || c->name[0] == '-')
			continue;
		snprintf(name, sizeof(name), "%.*s", verb ? (int)(verb - c->name) : 0, c->name);
		if (verb && strcmp(name, last))
			offer(l, name);
		strcpy(last, name);
		if (c->brief)
			offer(l, c->brief);
	}
}

static bool takes_file(const struct command *c)
{
	return c->run == run_apply || c->run == run_check || c->run == run_restore ||
	       c->run == run_sync || c->run == run_diff;
}

/*
 * @n: how many stand between the command and this one. A name alone is to diff that of a
 * file.
 */
static void offer_word(const struct line *l, const struct command *c, int n)
{
	if (c->takes != NO_SHELF && !l->has_shelf && !n--) {
		if (c->run == run_diff)
			offer_files();
		else
			offer_shelves(l);
		return;
	}
	if (n)
		return;
	if (takes_file(c))
		offer_files();
	if (c->run != run_get)
		return;
	offer(l, "product");
	offer(l, "catalog");
}

/* Help takes the words that the command itself would begin with. */
static void complete(struct line *l)
{
	bool help = l->words && !strcmp(l->word[0], "help");
	const struct command *c = NULL;
	int used = 0;

	l->word += help;
	l->words -= help;
	if (l->words)
		c = command_find(l->word, l->words, l->has_shelf, &used);
	if (l->awaits >= 0)
		offer_value(l);
	else if (l->current[0] == '-' && !l->ended)
		offer_options(l, c);
	else if (!l->words)
		offer_commands(l, NULL);
	else if (l->words == 1 && !command_named(l->word[0]))
		offer_commands(l, l->word[0]);
	else if (c && !help)
		offer_word(l, c, l->words - used);
}

/* Its value may stand behind it, as a word or, as bash cuts lines, behind a = of its own. */
static int take_option(struct line *l, char **word, int i, int n)
{
	const char *value;
	int o = option_find(word[i], &value);

	if (o < 0)
		return i;
	l->has_shelf |= o == OPT_SHELF || o == OPT_HOSTED;
	if (!option_takes_value(o) || value)
		return i;
	i++;
	if (i < n - 1 && !strcmp(word[i], "="))
		i++;
	if (i == n - 1)
		l->awaits = o;
	return i;
}

int run_complete(const struct args *a)
{
	char **word = xalloc(NULL, (size_t)a->words + 1, sizeof(*word));
	struct line l = { .word = word, .awaits = -1 };
	int i;

	for (i = 0; i < a->words - 1; i++) {
		if (l.ended || !option_is(a->word[i]))
			l.word[l.words++] = a->word[i];
		else if (!strcmp(a->word[i], "--"))
			l.ended = true;
		else
			i = take_option(&l, a->word, i, a->words);
	}
	l.current = a->words ? a->word[a->words - 1] : "";
	if (!strcmp(l.current, "="))
		l.current = "";
	complete(&l);
	free(word);
	return STATUS_OK;
}
