// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl help, version
 */
#include <string.h>

#include "ctl.h"
#include "document.h"

#ifndef SHELF_VERSION
#define SHELF_VERSION "unknown"
#endif

static const char general[] =
"usage: shelfctl [-j] OBJECT COMMAND NAME ...             a shelf of the kernel\n"
"       shelfctl [-j] -s NAME OBJECT COMMAND ...          the same\n"
"       shelfctl [-j] --hosted FILE OBJECT COMMAND ...    a shelf in a file\n"
"\n"
"With -s or --hosted the NAME behind the command is left out. Options may\n"
"stand anywhere; -- ends them. A number like -5 is no option; one dash will do\n"
"for two. An object alone is its list, if it has one; without anything shelfctl\n"
"lists the shelves.\n"
"\n"
"  -j, --json          JSON on standard output, and errors as JSON\n"
"  -p, --pretty        with -j: what is one object goes on lines of its own\n"
"  -s, --shelf NAME    the shelf\n"
"      --hosted FILE   the shelf\n"
"      --color WHEN    auto (to a terminal, unless $NO_COLOR is set), always, never\n"
"  -h, --help          this\n"
"      --version\n"
"\n"
"Commands; an object in brackets can be left out:\n";

static const char input_format[] =
"\n"
"Counters are read below /sys/class/shelf, or where $SHELF_SYSFS says.\n"
"\n"
"Lines of an apply file; an id is any 64-bit integer:\n"
"\n"
"  {\"op\":\"put\",\"product\":42,\"price\":1999,\"currency\":\"EUR\",\"stock\":7,\n"
"   \"flags\":0,\"attrs\":{...}}\n"
"  {\"op\":\"patch\",\"product\":42,\"stock\":6}\n"
"  {\"op\":\"delete\",\"product\":42}\n"
"  {\"op\":\"add\",\"catalog\":7,\"products\":[42,43]}\n"
"  {\"op\":\"remove\",\"catalog\":7,\"products\":[43]}\n"
"  {\"op\":\"set\",\"catalog\":7,\"products\":[42,44]}\n"
"  {\"op\":\"delete\",\"catalog\":7}\n"
"  {\"op\":\"sequence\",\"source\":\"prices/3\",\"first\":100,\"last\":149,\"no_gap\":true}\n"
"  {\"op\":\"source\",\"source\":\"prices/3\",\"last\":149}\n"
"  {\"op\":\"delete\",\"source\":\"prices/3\"}\n"
"\n"
"(each on one line). A put sets what is not given to zero, a patch leaves it;\n"
"in a patch \"attrs\":null clears. Attributes that are no JSON object are given\n"
"as \"attrs_base64\":\"...\". The lines that get -j prints are such lines; the\n"
"\"generation\" and \"total\" in them are ignored.\n"
"\n"
"A sequence says which numbers of a source the file has; a shelf that has them all\n"
"takes it for a repeat and changes nothing. A source says where it stands; exports\n"
"have one for each, and sync leaves sources alone if its file has none.\n"
"\n"
"An export stands between two lines more, and where it had to begin anew there is\n"
"a third, which takes back all lines before:\n"
"\n"
"  {\"op\":\"begin\"}  {\"op\":\"end\",\"digest\":\"...\",\"hash\":\"...\"}  {\"op\":\"restart\"}\n"
"\n"
"A begin without its end is refused: what follows it may not be all. So are lines\n"
"that are not those of which the hash is; without a hash they are believed.\n"
"\n"
"Exit status: 0 done; 1 the shelf or the system said no, of diff: they differ; 2\n"
"usage; 3 get: no such product or catalog; 4 a file of lines is wrong, at\n"
"FILE:LINE:COLUMN; 5 diff: the shelf or the system said no.\n";

/* An object that can be left out is in brackets. */
static void print_usage(const struct command *c)
{
	const char *verb = strchr(c->name, ' ');
	bool can_go = verb && c->brief && !strcmp(verb + 1, c->brief);
	int object = verb ? (int)(verb - c->name) : 0;

	if (can_go)
		printf("  [%.*s]%s", object, c->name, verb);
	else
		printf("  %s", c->name);
	printf("%s%s%s", c->takes == A_SHELF ? " NAME" : "", c->usage[0] ? " " : "", c->usage);
	if (verb && c->brief && !can_go)
		printf(", or %s%s", c->brief, c->takes == A_SHELF ? " NAME" : "");
	putchar('\n');
}

static void print_all(void)
{
	const struct command *c;

	fputs(general, stdout);
	for (c = commands; c->name; c++)
		if (c->text)
			print_usage(c);
	fputs(input_format, stdout);
}

static int print_object(const char *object)
{
	const struct command *c;

	printf("usage:\n");
	for (c = commands; c->name; c++)
		if (command_is_of(c, object))
			print_usage(c);
	return STATUS_OK;
}

static int print_command(const struct command *c)
{
	printf("usage:\n");
	print_usage(c);
	if (c->text)
		printf("\n%s\n", c->text);
	return STATUS_OK;
}

int run_help(const struct args *a)
{
	const struct command *c;
	int used;

	if (!a->words) {
		print_all();
		return STATUS_OK;
	}
	c = command_find(a->word, a->words, false, &used);
	if (!c)
		return no_command(a->word, used);
	if (a->words == 1 && strcmp(c->brief, a->word[0]))
		return print_object(a->word[0]);
	return print_command(c);
}

int run_version(const struct args *a)
{
	if (a->words)
		return fail(STATUS_USAGE, 0, "version takes no %s", a->word[0]);
	if (json_output)
		print_document("\"version\":\"%s\",\"abi\":%d", SHELF_VERSION,
			       SHELF_ABI_VERSION);
	else
		printf("shelfctl %s, abi %d\n", SHELF_VERSION, SHELF_ABI_VERSION);
	return STATUS_OK;
}
