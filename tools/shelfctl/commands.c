// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl: the commands, each with its object, and how words name them.
 */
#include <string.h>

#include "ctl.h"

#define GUARDS_USAGE "[--max-change PERCENT] [--dangling allow|warn|refuse]"
#define GUARDS	(OPT_BIT(OPT_MAX_CHANGE) | OPT_BIT(OPT_DANGLING))

#define LIMITS_USAGE \
	"[--batch-bytes SIZE] [--quarantine-ms N]\n" \
	"      [--lease-ms N] [--lease-max-ms N] [--pin-bytes SIZE]\n" \
	"      " GUARDS_USAGE "\n" \
	"      [--require-expect yes|no]"
#define LIMITS	(OPT_BIT(OPT_BATCH_BYTES) | OPT_BIT(OPT_QUARANTINE_MS) | \
		 OPT_BIT(OPT_LEASE_MS) | OPT_BIT(OPT_LEASE_MAX_MS) | OPT_BIT(OPT_PIN_BYTES) | \
		 OPT_BIT(OPT_REQUIRE_EXPECT) | GUARDS)

const struct command commands[] = {
	{ "shelf create", "create", "--max-bytes SIZE [--seed N] " LIMITS_USAGE,
	  "Makes an empty shelf. SIZE is bytes, or takes a suffix K, M or G. For what the\n"
	  "limits are see help set.",
	  OPT_BIT(OPT_MAX_BYTES) | OPT_BIT(OPT_SEED) | LIMITS, A_SHELF, run_create },
	{ "shelf set", "set", LIMITS_USAGE,
	  "Changes limits of a shelf of the kernel: bytes of a batch; milliseconds for\n"
	  "which what a commit replaces is left alone; those that a pin lasts if it asks\n"
	  "for nothing, and at most; bytes that pins alone may keep.\n"
	  "Guards refuse commits: by --max-change one that would change the number of\n"
	  "products, catalogs or memberships by more per cent (0: none does); by --dangling\n"
	  "refuse one that would leave a catalog with members whose product is missing, and\n"
	  "warn tells how many; by --require-expect yes one without --expect.",
	  LIMITS, A_SHELF, run_set },
	{ "shelf destroy", "destroy", "",
	  "Destroys a shelf. Who has it open keeps what is there.",
	  0, A_SHELF, run_destroy },
	{ "shelf list", "list", "",
	  "Lists the kernel's shelves, as shelfctl without a command does.",
	  0, NO_SHELF, run_list },
	{ "shelf show", "show", "", "Tells generation, sizes and limits of a shelf.",
	  0, A_SHELF, run_show },
	{ "shelf trim", "trim", "[--timeout SECONDS]",
	  "Makes a shelf as dense as it gets after deletes, by commits that change nothing\n"
	  "else, and gives back the memory that is free then. It waits for quarantine, 60\n"
	  "seconds or --timeout in all, behind which a shelf of the kernel goes on and one\n"
	  "in a file leaves the rest to the next trim. In the kernel a shelf does it by\n"
	  "itself, too, when two thirds of it are free.",
	  OPT_BIT(OPT_TIMEOUT), A_SHELF, run_trim },
	{ "shelf stats", "stats", "NAME | [NAME] --format prometheus [--output FILE]",
	  "Prints the shelf's counters, or those of one or all shelves of the kernel as\n"
	  "Prometheus reads them, to a FILE for node_exporter's text-file collector.",
	  OPT_BIT(OPT_FORMAT) | OPT_BIT(OPT_OUTPUT), MAYBE_SHELF, run_stats },
	{ "shelf wait", "wait", "[--generation] GENERATION [--timeout SECONDS]",
	  "Waits until a generation is published, and prints the newest.",
	  OPT_BIT(OPT_TIMEOUT) | OPT_BIT(OPT_GENERATION), A_SHELF, run_wait },
	{ "shelf monitor", "monitor", "[NAME] [--limit N]",
	  "Prints an event a line, of all shelves of the kernel or of one: created,\n"
	  "destroyed, committed; N of them. Events may be lost, which is told. Of a shelf in\n"
	  "a file it prints the generations that it sees.",
	  OPT_BIT(OPT_LIMIT), MAYBE_SHELF, run_monitor },
	{ "shelf top", "top", "[NAME] [--interval SECONDS] [--once]",
	  "Shows what one or all shelves of the kernel do, anew each second: lookups by ioctl\n"
	  "and as readers report them, how they spread over CPUs (skew: the busiest by the\n"
	  "mean), commits, memory, pins. q ends it, arrows scroll. --once prints one frame.",
	  OPT_BIT(OPT_INTERVAL) | OPT_BIT(OPT_ONCE), MAYBE_SHELF, run_top },
	{ "data apply", "apply", "FILE [--expect GENERATION] [--no-wait] [--whole]\n"
	  "      " GUARDS_USAGE,
	  "Applies a file (- is standard input) of one JSON object a line, all of\n"
	  "it or nothing. --expect refuses if another generation is the newest, but for\n"
	  "what trims alone have made.\n"
	  "--no-wait: not for the grace period of the kernel's readers; for many\n"
	  "small batches. --whole refuses what isn't an export from its begin to its\n"
	  "end, unchanged: a file that is empty, too. Guards as of set hold for this commit\n"
	  "in place of the shelf's.",
	  OPT_BIT(OPT_EXPECT) | OPT_BIT(OPT_NO_WAIT) | OPT_BIT(OPT_WHOLE) | GUARDS,
	  A_SHELF, run_apply },
	{ "data check", "check", "FILE [--expect GENERATION] [--whole]\n"
	  "      " GUARDS_USAGE,
	  "Does all that apply does, guards and memory included, but for making the commit\n"
	  "visible: nothing is changed. It prints what would be there. It revokes no pin, so\n"
	  "a full shelf whose pins keep memory may refuse it and take the commit.",
	  OPT_BIT(OPT_EXPECT) | OPT_BIT(OPT_WHOLE) | GUARDS, A_SHELF, run_check },
	{ "data export", "export", "[--output FILE] [--zstd] [--lease SECONDS] [--tries N]",
	  "Prints all of the newest snapshot, which it pins, as lines that apply reads;\n"
	  "with -o or --output to a FILE, which is whole then or not there. If the pin is\n"
	  "revoked, it says so and begins anew, N times (5) in all: in a pipe with a line\n"
	  "that takes back those before. --lease: for how long to ask. --zstd, or a FILE\n"
	  "whose name ends in .zst: packed by zstd, which all who read exports know.",
	  OPT_BIT(OPT_ZSTD) | OPT_BIT(OPT_OUTPUT) | OPT_BIT(OPT_LEASE) | OPT_BIT(OPT_TRIES),
	  A_SHELF, run_export },
	{ "data restore", "restore", "FILE [--tries N] [--no-wait]\n"
	  "      " GUARDS_USAGE,
	  "Makes the shelf what an export says, whole and with its hash: what isn't in it\n"
	  "goes. As sync otherwise.",
	  OPT_BIT(OPT_TRIES) | OPT_BIT(OPT_NO_WAIT) | GUARDS, A_SHELF, run_restore },
	{ "data sync", "sync", "FILE [--tries N] [--no-wait]\n"
	  "      " GUARDS_USAGE,
	  "Makes the shelf what a file says, puts and adds between a begin and an end, by\n"
	  "what differs and in one commit; what isn't in the file goes. If somebody commits\n"
	  "meanwhile, it says so and begins anew, N times (5) in all, or from standard\n"
	  "input (-) once. Memory: 60 to 150 bytes a product and 8 to 16 a membership.",
	  OPT_BIT(OPT_TRIES) | OPT_BIT(OPT_NO_WAIT) | GUARDS, A_SHELF, run_sync },
	{ "data diff", "diff", "OTHER [--stat]",
	  "Prints what makes NAME into OTHER, as lines for apply, or with --stat how much\n"
	  "that is. Each is a FILE, - or shelf:NAME or hosted:PATH; with -s or --hosted that\n"
	  "is the first. Sources are looked at if OTHER has any. Status 0: they hold the same;\n"
	  "1: they don't; more: trouble. Memory as of sync; what differs lies in a temporary\n"
	  "file until all has been read.",
	  OPT_BIT(OPT_STAT), A_SHELF, run_diff },
	{ "product get", NULL, "ID... [--watch]",
	  "Prints products, all from one generation. --watch: and again with each\n"
	  "generation that has changed one of them.",
	  OPT_BIT(OPT_WATCH), A_SHELF, run_product_get },
	{ "catalog get", NULL, "ID [--after ID] [--limit N] [--watch]",
	  "Prints a catalog's members in ascending order. --watch: and again with each\n"
	  "generation that has changed what is printed.",
	  OPT_BIT(OPT_AFTER) | OPT_BIT(OPT_LIMIT) | OPT_BIT(OPT_WATCH), A_SHELF, run_catalog_get },
	{ "pin list", "pins", "",
	  "Lists who keeps which snapshot of a shelf of the kernel, and what that keeps.",
	  0, A_SHELF, run_pins },
	{ "get", "get", "product ID... | catalog ID [--after ID] [--limit N]; [--watch]",
	  "Short for product get and catalog get.",
	  OPT_BIT(OPT_AFTER) | OPT_BIT(OPT_LIMIT) | OPT_BIT(OPT_WATCH), A_SHELF, run_get },
	{ "--batch", "--batch", "FILE [--force]",
	  "Or -b FILE: commands, one a line, from a file (- is standard input). Behind # is\n"
	  "a comment; blanks stand in quotes or behind a backslash. It ends with the first\n"
	  "line that fails, which is told as FILE:LINE, or with --force behind the last;\n"
	  "the status is that of the first failure. -s and --hosted hold for lines without.",
	  OPT_BIT(OPT_FORCE), MAYBE_SHELF, run_batch },
	{ "complete", "complete", "", NULL, 0, NO_SHELF, run_complete },
	{ "help", "help", "[OBJECT] [COMMAND]",
	  "Prints this, or what an object's commands, or a command, take.",
	  0, NO_SHELF, run_help },
	{ "version", "version", "", "Prints the version, and that of the kernel's interface.",
	  0, NO_SHELF, run_version },
	{ 0 }
};

bool command_is_of(const struct command *c, const char *object)
{
	size_t n = strlen(object);

	return !strncmp(c->name, object, n) && c->name[n] == ' ';
}

static bool is_object(const char *word)
{
	const struct command *c;

	for (c = commands; c->name; c++)
		if (command_is_of(c, word))
			return true;
	return false;
}

static const struct command *find_of(const char *object, const char *verb)
{
	const struct command *c;

	for (c = commands; c->name; c++)
		if (command_is_of(c, object) && !strcmp(c->name + strlen(object) + 1, verb))
			return c;
	return NULL;
}

const struct command *command_named(const char *brief)
{
	const struct command *c;

	for (c = commands; c->name; c++)
		if (c->brief && !strcmp(c->brief, brief))
			return c;
	return NULL;
}

/* An object alone: its list, if all that takes is there, or else what it has. */
static const struct command *find_list(const char *object, bool has_shelf)
{
	const struct command *c = find_of(object, "list");

	return c && (c->takes != A_SHELF || has_shelf) ? c : command_named("help");
}

const struct command *command_find(char **word, int words, bool has_shelf, int *used)
{
	const struct command *c;

	if (!is_object(word[0])) {
		*used = 1;
		return command_named(word[0]);
	}
	if (words == 1) {
		c = find_list(word[0], has_shelf);
		*used = c->run != run_help;	/* which wants to know of what */
		return c;
	}
	*used = 2;
	return find_of(word[0], word[1]);
}
