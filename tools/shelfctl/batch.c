// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl --batch: a command a line. Words are cut as a shell does, but nothing in
 * them is replaced.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "input.h"

/**
 * struct batch - a file of commands on its way
 * @force: go on behind a line that failed
 * @status: of the first that did
 */
struct batch {
	const struct args *args;
	const char *file;
	FILE *in;
	__u64 number;
	bool force;
	int status;
};

bool stdin_is_batch;

/* From behind the quote to behind its like, or NULL: there is none. */
static char *unquote(char *from, char **to, char quote)
{
	while (*from && *from != quote) {
		if (*from == '\\' && quote == '"' && from[1])
			from++;
		*(*to)++ = *from++;
	}
	return *from ? from + 1 : NULL;
}

/* Cuts a word off, where it lies; NULL as above. */
static char *cut_word(char *from)
{
	char *to = from;

	while (from && *from && !isspace((unsigned char)*from)) {
		if (*from == '\'' || *from == '"') {
			from = unquote(from + 1, &to, *from);
			continue;
		}
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from++;
	}
	if (from && *from)
		from++;
	*to = 0;
	return from;
}

/* How many words there are, or -1: a quote that is not closed. */
static int cut(char *text, char **word)
{
	int n = 0;

	while (text) {
		text += strspn(text, " \t\r\n\v\f");
		if (!*text || *text == '#')
			return n;
		word[n++] = text;
		text = cut_word(text);
	}
	return -1;
}

static int wrong(const struct batch *b, const char *why)
{
	return fail_at(STATUS_USAGE, 0, b->file, b->number, 0, why);
}

/* What a line says of -j, -p and --color holds for that line; so does what diff makes of 1. */
static int run_command(const struct batch *b, int words, char **word)
{
	bool json = json_output, pretty = json_pretty;
	enum color_when when = color_when;
	int refused = refused_as;
	int status = run_words(words, word, b->args);
	char why[64];

	refused_as = refused;
	snprintf(why, sizeof(why), "this command ended with status %d", status);
	flush_out();
	if (status)
		fail_at(status, 0, b->file, b->number, 0, why);
	json_output = json;
	json_pretty = pretty;
	color_when = when;
	return status;
}

static int run_line(const struct batch *b, char *text, size_t n)
{
	char **word = xalloc(NULL, n / 2 + 2, sizeof(*word));
	char program[] = "shelfctl";
	int words, status = STATUS_OK;

	word[0] = program;
	if (strlen(text) < n) {
		free(word);
		return wrong(b, "a NUL byte");
	}
	words = cut(text, word + 1);
	if (words < 0)
		status = wrong(b, "a quote that is not closed");
	else if (words)
		status = run_command(b, words + 1, word);
	free(word);
	return status;
}

/* Who reads our output through a pipe sees it line by line. */
static void run_lines(struct batch *b)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int status = 0;

	errno = 0;
	while ((!status || b->force) && (n = getline(&text, &room, b->in)) >= 0) {
		b->number++;
		status = run_line(b, text, (size_t)n);
		b->status = b->status ? b->status : status;
		if (flush_out())
			break;
		errno = 0;
	}
	if (!b->status && ferror(b->in))
		b->status = fail(STATUS_REFUSED, -errno, "%s: %s", b->file,
				 strerror(errno));
	free(text);
}

int run_batch(const struct args *a)
{
	struct batch b = {
		.args = a,
		.file = a->value[OPT_BATCH],
		.in = stdin,
		.force = a->value[OPT_FORCE],
	};

	if (a->outer)
		return fail(STATUS_USAGE, 0, "a batch in a batch");
	stdin_is_batch = !strcmp(b.file, "-");
	if (!stdin_is_batch)
		b.in = fopen(b.file, "re");
	if (!b.in)
		return fail(STATUS_REFUSED, -errno, "%s: %s", b.file, strerror(errno));
	run_lines(&b);
	if (b.in != stdin)
		fclose(b.in);
	return b.status;
}
