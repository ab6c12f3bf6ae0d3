// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl stats
 */
#include <string.h>

#include "document.h"
#include "values.h"

/* An integer as JSON has it: no leading zero, no plus. */
static bool is_number(const char *value)
{
	const char *digits = value + (*value == '-');

	return *digits && strspn(digits, "0123456789") == strlen(digits) &&
	       (*digits != '0' || !digits[1]);
}

static void print_json(const struct values *v)
{
	struct document d;
	size_t i;

	document_begin(&d);
	for (i = 0; i < v->n; i++) {
		putc(',', d.to);
		put_string(d.to, v->value[i].name);
		putc(':', d.to);
		if (is_number(v->value[i].text))
			fputs(v->value[i].text, d.to);
		else
			put_string(d.to, v->value[i].text);
	}
	document_end(&d, stdout);
}

static void print_text(const struct values *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		printf("%s %s\n", v->value[i].name, v->value[i].text);
}

static int check(const struct args *a, bool prometheus)
{
	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	if (a->value[OPT_FORMAT] && !prometheus)
		return fail(STATUS_USAGE, 0, "--format is not prometheus: %s",
			    a->value[OPT_FORMAT]);
	if (prometheus && json_output)
		return fail(STATUS_USAGE, 0, "either --json or --format");
	if (a->value[OPT_OUTPUT] && !prometheus)
		return fail(STATUS_USAGE, 0, "--output is for --format prometheus");
	if (!a->shelf && !prometheus)
		return fail(STATUS_USAGE, 0, "shelf stats needs the NAME of a shelf");
	return 0;
}

int run_stats(const struct args *a)
{
	const char *format = a->value[OPT_FORMAT];
	bool prometheus = format && !strcmp(format, "prometheus");
	struct values v;
	int status = check(a, prometheus);

	if (status)
		return status;
	if (prometheus)
		return print_prometheus(a);
	status = values_of(a, &v);
	if (status)
		return status;
	(json_output ? print_json : print_text)(&v);
	values_free(&v);
	return STATUS_OK;
}
