// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The command line. getopt() would take the id -5 for an option.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static const struct {
	const char *name;
	char letter;
	bool takes_value;
	bool global;
} options[OPTIONS] = {
	[OPT_JSON] = { "json", 'j', false, true },
	[OPT_PRETTY] = { "pretty", 'p', false, true },
	[OPT_SHELF] = { "shelf", 's', true, true },
	[OPT_HOSTED] = { "hosted", 0, true, true },
	[OPT_HELP] = { "help", 'h', false, true },
	[OPT_VERSION] = { "version", 0, false, true },
	[OPT_BATCH] = { "batch", 'b', true, true },
	[OPT_COLOR] = { "color", 0, true, true },
	[OPT_MAX_BYTES] = { "max-bytes", 0, true, false },
	[OPT_BATCH_BYTES] = { "batch-bytes", 0, true, false },
	[OPT_QUARANTINE_MS] = { "quarantine-ms", 0, true, false },
	[OPT_SEED] = { "seed", 0, true, false },
	[OPT_LEASE_MS] = { "lease-ms", 0, true, false },
	[OPT_LEASE_MAX_MS] = { "lease-max-ms", 0, true, false },
	[OPT_PIN_BYTES] = { "pin-bytes", 0, true, false },
	[OPT_EXPECT] = { "expect", 0, true, false },
	[OPT_NO_WAIT] = { "no-wait", 0, false, false },
	[OPT_WHOLE] = { "whole", 0, false, false },
	[OPT_AFTER] = { "after", 0, true, false },
	[OPT_LIMIT] = { "limit", 0, true, false },
	[OPT_TIMEOUT] = { "timeout", 0, true, false },
	[OPT_OUTPUT] = { "output", 'o', true, false },
	[OPT_LEASE] = { "lease", 0, true, false },
	[OPT_TRIES] = { "tries", 0, true, false },
	[OPT_FORCE] = { "force", 0, false, false },
	[OPT_GENERATION] = { "generation", 0, true, false },
	[OPT_WATCH] = { "watch", 0, false, false },
	[OPT_FORMAT] = { "format", 0, true, false },
	[OPT_ONCE] = { "once", 0, false, false },
	[OPT_INTERVAL] = { "interval", 0, true, false },
	[OPT_ZSTD] = { "zstd", 0, false, false },
	[OPT_STAT] = { "stat", 0, false, false },
	[OPT_MAX_CHANGE] = { "max-change", 0, true, false },
	[OPT_DANGLING] = { "dangling", 0, true, false },
	[OPT_REQUIRE_EXPECT] = { "require-expect", 0, true, false },
};

const char *option_name(enum option o)
{
	return options[o].name;
}

bool option_takes_value(enum option o)
{
	return options[o].takes_value;
}

bool option_is_global(enum option o)
{
	return options[o].global;
}

bool option_is(const char *arg)
{
	return arg[0] == '-' && arg[1] && !isdigit((unsigned char)arg[1]);
}

/* One dash will do for two, as iproute2 has it. */
int option_find(const char *arg, const char **value)
{
	const char *name = arg + 1 + (arg[1] == '-');
	int o;

	*value = NULL;
	for (o = 0; o < OPTIONS; o++) {
		size_t n = strlen(options[o].name);

		if (options[o].letter && arg[1] == options[o].letter && !arg[2])
			return o;
		if (strncmp(name, options[o].name, n))
			continue;
		if (name[n] == '=')
			*value = name + n + 1;
		if (!name[n] || name[n] == '=')
			return o;
	}
	return -1;
}

static int take_option(struct args *a, char **argv, int argc, int *i)
{
	const char *value;
	int o = option_find(argv[*i], &value);

	if (o < 0)
		return fail(STATUS_USAGE, 0, "no such option: %s", argv[*i]);
	if (a->value[o] && options[o].takes_value)
		return fail(STATUS_USAGE, 0, "--%s is given twice", options[o].name);
	if (!options[o].takes_value) {
		if (value)
			return fail(STATUS_USAGE, 0, "--%s takes no value",
				    options[o].name);
		value = "";
	} else if (!value) {
		if (++*i == argc)
			return fail(STATUS_USAGE, 0, "--%s needs a value",
				    options[o].name);
		value = argv[*i];
	}
	a->value[o] = value;
	return 0;
}

/* Errors before -j is reached are JSON as well. */
static void look_for_json(int argc, char **argv)
{
	const char *unused;
	int i, o;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		o = option_is(argv[i]) ? option_find(argv[i], &unused) : -1;
		json_output |= o == OPT_JSON;
		json_pretty |= o == OPT_PRETTY;
	}
}

static int split(int argc, char **argv, struct args *a)
{
	bool ended = false;
	int i, status;

	a->word = xalloc(NULL, (size_t)argc, sizeof(*a->word));
	for (i = 1; i < argc; i++) {
		if (!ended && !strcmp(argv[i], "--")) {
			ended = true;
			continue;
		}
		if (ended || !option_is(argv[i])) {
			a->word[a->words++] = argv[i];
			continue;
		}
		status = take_option(a, argv, argc, &i);
		if (status)
			return status;
	}
	return 0;
}

static char *take_word(struct args *a)
{
	char *word = a->word[0];

	memmove(a->word, a->word + 1, (size_t)--a->words * sizeof(*a->word));
	return word;
}

static int check_options(const struct args *a, const struct command *c)
{
	int o;

	for (o = 0; o < OPTIONS; o++)
		if (a->value[o] && !options[o].global && !(c->options & OPT_BIT(o)))
			return fail(STATUS_USAGE, 0, "%s takes no --%s", c->name,
				    options[o].name);
	if (json_pretty && !json_output)
		return fail(STATUS_USAGE, 0, "--pretty is for --json");
	if (a->value[OPT_SHELF] && a->value[OPT_HOSTED])
		return fail(STATUS_USAGE, 0, "either --shelf or --hosted");
	if (c->takes == NO_SHELF && (a->value[OPT_SHELF] || a->value[OPT_HOSTED]))
		return fail(STATUS_USAGE, 0, "%s takes no shelf", c->name);
	return 0;
}

static int take_shelf(struct args *a, const struct command *c)
{
	const char *prefix = a->value[OPT_HOSTED] ? "hosted:" : "";
	const char *name = a->value[OPT_HOSTED] ?
			   a->value[OPT_HOSTED] : a->value[OPT_SHELF];
	size_t n;

	if (!name && !a->words)
		return c->takes == MAYBE_SHELF ? 0 :
		       fail(STATUS_USAGE, 0, "%s needs the NAME of a shelf", c->name);
	if (!name)
		name = take_word(a);
	n = strlen(prefix) + strlen(name) + 1;
	a->shelf = xalloc(NULL, n, 1);
	snprintf(a->shelf, n, "%s%s", prefix, name);
	return 0;
}

int no_command(char **word, int words)
{
	return fail(STATUS_USAGE, 0, words > 1 ? "no such command: %s %s" :
		    "no such command: %s", word[0], words > 1 ? word[1] : "");
}

static bool names_shelf(const struct args *a)
{
	return a->value[OPT_SHELF] || a->value[OPT_HOSTED];
}

/* -h is help on what the words name. */
static int find_command(struct args *a, const struct command **c)
{
	bool has_shelf = names_shelf(a) || (a->outer && names_shelf(a->outer));
	int used = 0;

	if (a->value[OPT_BATCH] && a->words && !a->value[OPT_HELP])
		return fail(STATUS_USAGE, 0, "--batch takes no command: %s", a->word[0]);
	if (a->value[OPT_VERSION] || a->value[OPT_HELP])
		*c = command_named(a->value[OPT_HELP] ? "help" : "version");
	else if (a->value[OPT_BATCH])
		*c = command_named("--batch");
	else if (a->words)
		*c = command_find(a->word, a->words, has_shelf, &used);
	else if (!names_shelf(a))
		*c = command_named("list");
	else
		return fail(STATUS_USAGE, 0, "no command; try shelfctl help");
	if (!*c)
		return no_command(a->word, used);
	while (used--)
		take_word(a);
	return 0;
}

/* What a batch says of the shelf holds for lines that say nothing. */
static void inherit(struct args *a, const struct command *c)
{
	if (!a->outer || c->takes == NO_SHELF || names_shelf(a))
		return;
	a->value[OPT_SHELF] = a->outer->value[OPT_SHELF];
	a->value[OPT_HOSTED] = a->outer->value[OPT_HOSTED];
}

int args_parse(int argc, char **argv, struct args *a, const struct command **c)
{
	int status;

	look_for_json(argc, argv);
	status = split(argc, argv, a);
	if (!status && a->value[OPT_COLOR])
		status = color_choose(a->value[OPT_COLOR]);
	if (!status)
		status = find_command(a, c);
	if (status || a->value[OPT_VERSION] || a->value[OPT_HELP])
		return status;
	status = check_options(a, *c);
	inherit(a, *c);
	if (!status && (*c)->takes != NO_SHELF)
		status = take_shelf(a, *c);
	return status;
}

void args_free(struct args *a)
{
	free(a->shelf);
	free(a->word);
}

static bool parse_u64(const char *text, int base, __u64 *out, const char **end)
{
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*out = strtoull(text, &stop, base);
	*end = stop;
	return !errno;
}

/* Decimal, or behind 0x hexadecimal; 010 is ten. */
int args_u64(const struct args *a, enum option o, __u64 *out)
{
	const char *text = a->value[o], *end;

	if (!text)
		return 0;
	if (parse_u64(text, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10, out, &end) &&
	    !*end)
		return 0;
	return fail(STATUS_USAGE, 0, "--%s is not a number: %s", options[o].name,
		    a->value[o]);
}

int args_size(const struct args *a, enum option o, __u64 *out)
{
	static const char suffix[] = "KMG";
	const char *end, *s;
	unsigned int shift = 0;

	if (!a->value[o])
		return 0;
	if (!parse_u64(a->value[o], 10, out, &end))
		goto bad;
	if (*end) {
		s = strchr(suffix, *end);
		if (!s || end[1])
			goto bad;
		shift = 10 * (unsigned int)(s - suffix + 1);
	}
	if (*out > ~0ULL >> shift)
		goto bad;
	*out <<= shift;
	return 0;
bad:
	return fail(STATUS_USAGE, 0, "--%s is not a size: %s", options[o].name,
		    a->value[o]);
}

int args_seconds(const struct args *a, enum option o, __u64 *out)
{
	const char *text = a->value[o];
	double seconds;
	char *end;

	if (!text)
		return 0;
	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0 && seconds <= 1e9))
		return fail(STATUS_USAGE, 0, "--%s is not a time: %s", options[o].name,
			    text);
	*out = (__u64)(seconds * 1e9);
	return 0;
}

int args_id(const char *text, const char *what, __s64 *out)
{
	const char *digits = text + (text[0] == '-');
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (isdigit((unsigned char)digits[0]) && !*end && !errno)
		return 0;
	return fail(STATUS_USAGE, 0, "%s is not a 64-bit integer: %s", what, text);
}
