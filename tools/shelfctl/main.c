// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl: the commands, their help, and the way to them.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"

#ifndef SHELF_VERSION
#define SHELF_VERSION "unknown"
#endif

#define LIMITS_USAGE \
	"[--batch-bytes SIZE] [--quarantine-ms N]\n" \
	"      [--lease-ms N] [--lease-max-ms N] [--pin-bytes SIZE]"
#define LIMITS	(OPT_BIT(OPT_BATCH_BYTES) | OPT_BIT(OPT_QUARANTINE_MS) | \
		 OPT_BIT(OPT_LEASE_MS) | OPT_BIT(OPT_LEASE_MAX_MS) | OPT_BIT(OPT_PIN_BYTES))

const struct command commands[] = {
	{ "create", "--max-bytes SIZE [--seed N] " LIMITS_USAGE,
	  "Makes an empty shelf. SIZE is bytes, or takes a suffix K, M or G. For what the\n"
	  "limits are see help set.",
	  OPT_BIT(OPT_MAX_BYTES) | OPT_BIT(OPT_SEED) | LIMITS, true, run_create },
	{ "set", LIMITS_USAGE,
	  "Changes limits of a shelf of the kernel: bytes of a batch; milliseconds for\n"
	  "which what a commit replaces is left alone; those that a pin lasts if it asks\n"
	  "for nothing, and at most; bytes that pins alone may keep.",
	  LIMITS, true, run_set },
	{ "destroy", "", "Destroys a shelf. Who has it open keeps what is there.",
	  0, true, run_destroy },
	{ "list", "", "Lists the kernel's shelves.", 0, false, run_list },
	{ "show", "", "Tells generation, sizes and limits of a shelf.",
	  0, true, run_show },
	{ "apply", "FILE [--expect GENERATION] [--no-wait] [--whole]",
	  "Applies a file (- is standard input) of one JSON object a line, all of\n"
	  "it or nothing. --expect refuses if another generation is the newest, but for\n"
	  "what trims alone have made.\n"
	  "--no-wait: not for the grace period of the kernel's readers; for many\n"
	  "small batches. --whole refuses what isn't an export from its begin to its\n"
	  "end, unchanged: a file that is empty, too.",
	  OPT_BIT(OPT_EXPECT) | OPT_BIT(OPT_NO_WAIT) | OPT_BIT(OPT_WHOLE), true, run_apply },
	{ "export", "[--output FILE] [--zstd] [--lease SECONDS] [--tries N]",
	  "Prints all of the newest snapshot, which it pins, as lines that apply reads;\n"
	  "with -o or --output to a FILE, which is whole then or not there. If the pin is\n"
	  "revoked, it says so and begins anew, N times (5) in all: in a pipe with a line\n"
	  "that takes back those before. --lease: for how long to ask. --zstd, or a FILE\n"
	  "whose name ends in .zst: packed by zstd, which all who read exports know.",
	  OPT_BIT(OPT_ZSTD) | OPT_BIT(OPT_OUTPUT) | OPT_BIT(OPT_LEASE) | OPT_BIT(OPT_TRIES),
	  true, run_export },
	{ "restore", "FILE [--tries N] [--no-wait]",
	  "Makes the shelf what an export says, whole and with its hash: what isn't in it\n"
	  "goes. As sync otherwise.",
	  OPT_BIT(OPT_TRIES) | OPT_BIT(OPT_NO_WAIT), true, run_restore },
	{ "sync", "FILE [--tries N] [--no-wait]",
	  "Makes the shelf what a file says, puts and adds between a begin and an end, by\n"
	  "what differs and in one commit; what isn't in the file goes. If somebody commits\n"
	  "meanwhile, it says so and begins anew, N times (5) in all, or from standard\n"
	  "input (-) once. Memory: 60 to 150 bytes a product and 8 to 16 a membership.",
	  OPT_BIT(OPT_TRIES) | OPT_BIT(OPT_NO_WAIT), true, run_sync },
	{ "diff", "OTHER [--stat]",
	  "Prints what makes NAME into OTHER, as lines for apply, or with --stat how much\n"
	  "that is. Each is a FILE, - or shelf:NAME or hosted:PATH; with -s or --hosted that\n"
	  "is the first. Status 0: they hold the same; 1: they don't; more: trouble. Memory\n"
	  "as of sync; what differs lies in a temporary file until all has been read.",
	  OPT_BIT(OPT_STAT), true, run_diff },
	{ "trim", "[--timeout SECONDS]",
	  "Makes a shelf as dense as it gets after deletes, by commits that change nothing\n"
	  "else, and gives back the memory that is free then. It waits for quarantine, 60\n"
	  "seconds or --timeout in all, behind which a shelf of the kernel goes on and one\n"
	  "in a file leaves the rest to the next trim. In the kernel a shelf does it by\n"
	  "itself, too, when two thirds of it are free.",
	  OPT_BIT(OPT_TIMEOUT), true, run_trim },
	{ "pins", "", "Lists who keeps which snapshot of a shelf of the kernel, and what that keeps.",
	  0, true, run_pins },
	{ "get", "product ID... | catalog ID [--after ID] [--limit N]",
	  "Prints products, all from one generation, or a catalog's members in\n"
	  "ascending order.",
	  OPT_BIT(OPT_AFTER) | OPT_BIT(OPT_LIMIT), true, run_get },
	{ "stats", "", "Prints the shelf's counters.", 0, true, run_stats },
	{ "wait", "GENERATION [--timeout SECONDS]",
	  "Waits until a generation is published, and prints the newest.",
	  OPT_BIT(OPT_TIMEOUT), true, run_wait },
	{ "help", "[COMMAND]", "Prints this, or what a command takes.",
	  0, false, run_help },
	{ 0 }
};

static const char general[] =
"usage: shelfctl [-j] COMMAND NAME ...             a shelf of the kernel\n"
"       shelfctl [-j] -s NAME COMMAND ...          the same\n"
"       shelfctl [-j] --hosted FILE COMMAND ...    a shelf in a file\n"
"\n"
"With -s or --hosted the NAME behind the command is left out. Options may\n"
"stand anywhere; -- ends them. A number like -5 is no option.\n"
"\n"
"  -j, --json          JSON on standard output, and errors as JSON\n"
"  -s, --shelf NAME    the shelf\n"
"      --hosted FILE   the shelf\n"
"  -h, --help          this\n"
"      --version\n"
"\n"
"Commands:\n";

static const char input_format[] =
"\n"
"Lines of an apply file; an id is any 64-bit integer:\n"
"\n"
"  {\"op\":\"put\",\"product\":42,\"price\":1999,\"currency\":\"EUR\",\"stock\":7,\n"
"   \"flags\":0,\"attrs\":{...}}\n"
"  {\"op\":\"patch\",\"product\":42,\"stock\":6}\n"
"  {\"op\":\"delete\",\"product\":42}\n"
"  {\"op\":\"add\",\"catalog\":7,\"products\":[42,43]}\n"
"  {\"op\":\"remove\",\"catalog\":7,\"products\":[43]}\n"
"  {\"op\":\"delete\",\"catalog\":7}\n"
"\n"
"(each on one line). A put sets what is not given to zero, a patch leaves it;\n"
"in a patch \"attrs\":null clears. Attributes that are no JSON object are given\n"
"as \"attrs_base64\":\"...\". The lines that get -j prints are such lines; the\n"
"\"generation\" and \"total\" in them are ignored.\n"
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

static void print_usage(const struct command *c)
{
	printf("  %s %s%s\n", c->name, c->takes_shelf ? "NAME " : "", c->usage);
}

static void print_help(const struct command *only)
{
	const struct command *c;

	if (only) {
		printf("usage:\n");
		print_usage(only);
		printf("\n%s\n", only->text);
		return;
	}
	fputs(general, stdout);
	for (c = commands; c->name; c++)
		print_usage(c);
	fputs(input_format, stdout);
}

int run_help(const struct args *a)
{
	const struct command *c;

	if (!a->words) {
		print_help(NULL);
		return STATUS_OK;
	}
	for (c = commands; c->name; c++) {
		if (!strcmp(c->name, a->word[0])) {
			print_help(c);
			return STATUS_OK;
		}
	}
	return fail(STATUS_USAGE, 0, "no such command: %s", a->word[0]);
}

static int print_version(void)
{
	if (json_output)
		printf("{\"version\":\"%s\",\"abi\":%d}\n", SHELF_VERSION,
		       SHELF_ABI_VERSION);
	else
		printf("shelfctl %s, abi %d\n", SHELF_VERSION, SHELF_ABI_VERSION);
	return STATUS_OK;
}

/* A full disk or closed pipe shows up here at the latest. */
static int finish(int status)
{
	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		return fail(STATUS_REFUSED, -errno, "standard output: %s",
			    errno ? strerror(errno) : "write error");
	return status;
}

int main(int argc, char **argv)
{
	const struct command *command = NULL;
	struct args a = { 0 };
	int status = args_parse(argc, argv, &a, &command);

	if (!status && a.value[OPT_VERSION])
		status = print_version();
	else if (!status && a.value[OPT_HELP])
		print_help(command);
	else if (!status)
		status = command->run(&a);
	args_free(&a);
	return finish(status);
}
