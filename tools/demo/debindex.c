// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aptsource.h"
#include "debindex.h"
#include "debversion.h"
#include "die.h"

static const char *const field_names[FIELD_COUNT] = {
	[FIELD_PACKAGE] = "Package",
	[FIELD_VERSION] = "Version",
	[FIELD_SECTION] = "Section",
	[FIELD_PRIORITY] = "Priority",
	[FIELD_MAINTAINER] = "Maintainer",
	[FIELD_HOMEPAGE] = "Homepage",
	[FIELD_DEPENDS] = "Depends",
	[FIELD_DESCRIPTION] = "Description",
	[FIELD_FILENAME] = "Filename",
	[FIELD_TAG] = "Tag",
	[FIELD_SIZE] = "Size",
	[FIELD_INSTALLED_SIZE] = "Installed-Size",
};

/* Where the parser is. */
struct stanza {
	const char *file;
	unsigned long line;
	struct package *package;	/* NULL between stanzas */
	unsigned long lines[FIELD_COUNT];	/* where each field starts */
	int field;	/* that a continuation line belongs to; or one of: */
#define NO_FIELD	(-1)	/* none yet */
#define OTHER_FIELD	(-2)	/* one that is not kept */
};

void package_free(struct package *package)
{
	if (!package)
		return;
	for (int i = 0; i < FIELD_COUNT; i++)
		free(package->fields[i]);
	for (size_t i = 0; i < package->tag_count; i++)
		free(package->tags[i]);
	free(package->tags);
	free(package);
}

/* Tags */

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_tags(struct package *package)
{
	char **tags = package->tags;
	size_t kept = 0;

	if (!package->tag_count)
		return;
	qsort(tags, package->tag_count, sizeof(*tags), compare_strings);
	for (size_t i = 0; i < package->tag_count; i++) {
		if (kept && !strcmp(tags[kept - 1], tags[i]))
			free(tags[i]);
		else
			tags[kept++] = tags[i];
	}
	package->tag_count = kept;
}

static void add_tag(struct stanza *at, size_t *room, const char *prefix,
		    size_t prefix_length, const char *word, size_t length)
{
	struct package *package = at->package;
	char *tag = must_printf("%.*s%.*s", (int)prefix_length, prefix,
				(int)length, word);
	const char *colons = strstr(tag, "::");

	if (!colons || colons == tag || !colons[2] || strpbrk(tag, " \t{}"))
		die_at(at->file, at->lines[FIELD_TAG],
		       "tag \"%s\" is not of the form facet::tag", tag);
	package->tags = must_grow(package->tags, package->tag_count, room,
				  sizeof(*package->tags));
	package->tags[package->tag_count++] = tag;
}

/* The length of a word before a comma or a stop, without trailing blanks. */
static size_t word_length(const char *text, const char *stops)
{
	size_t length = strcspn(text, stops);

	while (length && strchr(" \t", text[length - 1]))
		length--;
	return length;
}

/* "facet::{a,b}" is short for "facet::a, facet::b"; returns what follows. */
static const char *expand_group(struct stanza *at, size_t *room,
				const char *prefix, const char *open)
{
	const char *word = open;

	do {
		word++;
		word += strspn(word, " \t");
		add_tag(at, room, prefix, (size_t)(open - prefix), word,
			word_length(word, ",{}"));
		word += strcspn(word, ",{}");
	} while (*word == ',');
	if (*word != '}')
		die_at(at->file, at->lines[FIELD_TAG],
		       "tag group \"%.40s\" is not closed", prefix);
	return word + 1;
}

static void parse_tags(struct stanza *at)
{
	const char *text = at->package->fields[FIELD_TAG];
	const char *end;
	size_t room = 0;

	while (text && *(text += strspn(text, " \t,"))) {
		end = text + strcspn(text, ",{");
		if (*end == '{')
			end = expand_group(at, &room, text, end);
		else
			add_tag(at, &room, text, 0, text,
				word_length(text, ","));
		end += strspn(end, " \t");
		if (*end && *end != ',')
			die_at(at->file, at->lines[FIELD_TAG],
			       "a comma is missing before \"%.40s\"", end);
		text = end;
	}
	sort_tags(at->package);
}

/* Values */

static int64_t parse_count(const struct stanza *at, enum field field)
{
	const char *text = at->package->fields[field];
	char *end;
	long long value;

	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (!*text || text[strspn(text, "0123456789")] || *end || errno)
		die_at(at->file, at->lines[field], "%s \"%s\" is not a count",
		       field_names[field], text);
	return value;
}

static void check_name(const struct stanza *at)
{
	const char *name = at->package->fields[FIELD_PACKAGE];

	if (!*name || strchr("+-.", *name) ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.")])
		die_at(at->file, at->lines[FIELD_PACKAGE],
		       "\"%s\" is not a package name", name);
}

static void check_required(const struct stanza *at)
{
	static const enum field required[] = {
		FIELD_PACKAGE, FIELD_VERSION, FIELD_SECTION, FIELD_SIZE
	};
	const struct package *package = at->package;

	for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++)
		if (!package->fields[required[i]] ||
		    !*package->fields[required[i]])
			die_at(at->file, package->line,
			       "the stanza that starts here has no %s",
			       field_names[required[i]]);
}

/* JSON can hold nothing else, and the line is only known here. */
static void check_utf8(const struct stanza *at)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		const char *value = at->package->fields[i];
		json_t *string = value ? json_string(value) : NULL;

		if (value && !string)
			die_at(at->file, at->lines[i], "%s is not UTF-8",
			       field_names[i]);
		json_decref(string);
	}
}

static struct package *finish_stanza(struct stanza *at)
{
	struct package *package = at->package;

	check_required(at);
	check_utf8(at);
	check_name(at);
	if (!debversion_valid(package->fields[FIELD_VERSION]))
		die_at(at->file, at->lines[FIELD_VERSION],
		       "\"%s\" is not a version",
		       package->fields[FIELD_VERSION]);
	package->size = parse_count(at, FIELD_SIZE);
	package->installed_size = parse_count(at, FIELD_INSTALLED_SIZE);
	parse_tags(at);
	at->package = NULL;
	return package;
}

/* Lines */

static int find_field(const char *name, size_t length)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		if (strlen(field_names[i]) == length &&
		    !strncasecmp(field_names[i], name, length))
			return i;
	return OTHER_FIELD;
}

static void start_stanza(struct stanza *at)
{
	at->package = must_calloc(1, sizeof(*at->package));
	at->package->file = at->file;
	at->package->line = at->line;
	at->field = NO_FIELD;
}

static void take_field(struct stanza *at, const char *line)
{
	size_t name_length = strcspn(line, ": \t");
	const char *value = line + name_length + 1;
	int field;

	if (!name_length || line[name_length] != ':')
		die_at(at->file, at->line, "not a \"Field: value\" line");
	if (!at->package)
		start_stanza(at);
	at->field = field = find_field(line, name_length);
	if (field < 0)
		return;
	if (at->package->fields[field])
		die_at(at->file, at->line, "a second %s in one stanza",
		       field_names[field]);
	value += strspn(value, " \t");
	at->package->fields[field] = must_printf("%s", value);
	at->lines[field] = at->line;
}

/* Folded values are joined by a blank; of a description one line is kept. */
static void take_continuation(struct stanza *at, const char *line)
{
	char **value;
	char *joined;

	if (!at->package)
		die_at(at->file, at->line,
		       "a continuation line with no field before it");
	if (at->field < 0 || at->field == FIELD_DESCRIPTION)
		return;
	value = &at->package->fields[at->field];
	line += strspn(line, " \t");
	joined = must_printf("%s%s%s", *value, **value ? " " : "", line);
	free(*value);
	*value = joined;
}

/* Cuts off the line's end; a file cut short by accident must not pass. */
static void trim_line(const struct stanza *at, char *line, size_t length)
{
	if (strlen(line) != length)
		die_at(at->file, at->line, "a zero byte in a line");
	if (line[length - 1] != '\n')
		die_at(at->file, at->line, "the file ends inside a line");
	while (length && strchr(" \t\r\n", line[length - 1]))
		length--;
	line[length] = '\0';
}

static void take_line(struct stanza *at, const char *line, package_fn found,
		      void *context)
{
	if (!*line) {
		if (at->package)
			found(context, finish_stanza(at));
	} else if (*line == ' ' || *line == '\t') {
		take_continuation(at, line);
	} else {
		take_field(at, line);
	}
}

void debindex_read(const char *file, package_fn found, void *context)
{
	struct reader reader = aptsource_open(file);
	struct stanza at = { .file = file };
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&line, &room, reader.out)) > 0) {
		at.line++;
		trim_line(&at, line, (size_t)length);
		take_line(&at, line, found, context);
	}
	/* Before the last stanza is believed: was the file read to its end? */
	reader_close(&reader);
	if (at.package)
		found(context, finish_stanza(&at));
	free(line);
}
