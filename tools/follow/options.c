// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What was asked for: on the command line, or in a file, which has the same names, one
 * a line, without the dashes.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

enum {
	OPT_CONFIG = 256, OPT_NAME, OPT_SHELF, OPT_BROKERS, OPT_TOPIC, OPT_PARTITION, OPT_KEY,
	OPT_EVERY, OPT_MESSAGES, OPT_MARKER, OPT_COMPACTED, OPT_FROM, OPT_POISON,
	OPT_DEAD_LETTER, OPT_GROUP, OPT_SET, OPT_MAX_CHANGE, OPT_DANGLING, OPT_METRICS,
	OPT_STATE_DIR, OPT_ONCE, OPT_STATUS, OPT_JSON, OPT_HELP, OPT_VERSION,
};

static const struct option names[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "shelf", required_argument, NULL, OPT_SHELF },
	{ "brokers", required_argument, NULL, OPT_BROKERS },
	{ "topic", required_argument, NULL, OPT_TOPIC },
	{ "partition", required_argument, NULL, OPT_PARTITION },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "every", required_argument, NULL, OPT_EVERY },
	{ "messages", required_argument, NULL, OPT_MESSAGES },
	{ "marker", no_argument, NULL, OPT_MARKER },
	{ "compacted", no_argument, NULL, OPT_COMPACTED },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "poison", required_argument, NULL, OPT_POISON },
	{ "dead-letter", required_argument, NULL, OPT_DEAD_LETTER },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "set", required_argument, NULL, OPT_SET },
	{ "max-change", required_argument, NULL, OPT_MAX_CHANGE },
	{ "dangling", required_argument, NULL, OPT_DANGLING },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "status", no_argument, NULL, OPT_STATUS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 }
};

static const char help[] =
"usage: shelf-follow --shelf NAME --brokers HOST[:PORT],... --topic TOPIC[:products|:catalogs]...\n"
"       shelf-follow --config FILE\n"
"       shelf-follow --status [--json] {--shelf NAME | --name NAME | --config FILE}\n"
"\n"
"Applies the messages of Kafka topics to a shelf, each exactly once. The shelf knows how\n"
"far each partition has come. See shelf-follow(8).\n"
"\n"
"  --config FILE        options, one a line: their names without dashes, and values\n"
"  --shelf NAME         a shelf of the kernel, or hosted:PATH\n"
"  --brokers LIST       to begin with\n"
"  --topic TOPIC[:MAP]  keys are ids of products or of catalogs; without MAP messages say\n"
"                       which; may be repeated\n"
"  --partition N        of all topics, in place of all partitions; may be repeated\n"
"  --key HOW            decimal (the default) or binary: 8 bytes, the highest first\n"
"  --every SECONDS      that a batch takes messages: 1\n"
"  --messages N         or until it has so many: 100000\n"
"  --marker             or, in place of both, until markers come\n"
"  --compacted          topics have everything: load all of it if the shelf has no\n"
"                       position, or one that they no longer have\n"
"  --from WHERE         otherwise: beginning (the default) or end\n"
"  --poison WHAT        a message that is no operation: stop (the default) or skip\n"
"  --dead-letter TOPIC  skip it, and put it there\n"
"  --max-change PERCENT, --dangling WHAT\n"
"                       guards of each commit, as of shelfctl apply\n"
"  --group NAME         commit offsets to it, for those who watch its lag\n"
"  --set PROPERTY=VALUE of librdkafka; may be repeated\n"
"  --metrics FILE       for Prometheus' text-file collector\n"
"  --name NAME          of this follower; that of the file with options, or of the shelf\n"
"  --state-dir DIR      where its state is: /run/shelf-follow\n"
"  --once               end when all is applied that there was\n"
"  --status, --json     tell the state of one that runs\n";

static int usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int usage(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say("%s", text);
	return STATUS_USAGE;
}

static char *copy(char **to, const char *text)
{
	size_t n = strlen(text) + 1;

	free(*to);
	*to = xalloc(NULL, n, 1);
	return memcpy(*to, text, n);
}

static int number(const char *option, const char *text, __u64 least, __u64 most, __u64 *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || *out < least || *out > most)
		return usage("--%s is a number from %llu to %llu, not %s", option, least, most,
			     text);
	return 0;
}

static int seconds(const char *option, const char *text, __s64 *ns)
{
	char *end;
	double s = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end || !(s >= 0.001 && s <= 86400))
		return usage("--%s is a number of seconds from 0.001 to 86400, not %s", option,
			     text);
	*ns = (__s64)(s * 1e9);
	return 0;
}

/* Which of @words, as its place; the last is NULL. */
static int choice(const char *option, const char *text, const char *const *words, int *out)
{
	char all[128] = "";
	int i;

	for (i = 0; words[i]; i++) {
		*out = i;
		if (!strcmp(text, words[i]))
			return 0;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? " or " : "",
			 words[i]);
	}
	return usage("--%s is %s, not %s", option, all, text);
}

/* A source's name is TOPIC/PARTITION, and a partition's number has up to ten digits. */
static int add_topic(struct options *o, const char *text)
{
	const char *map = strrchr(text, ':');
	struct topic *t;
	size_t n = map ? (size_t)(map - text) : strlen(text);

	if (map && strcmp(map, ":products") && strcmp(map, ":catalogs"))
		return usage("--topic: %s has neither products nor catalogs behind its colon",
			     text);
	if (!n || n > 249 || n + 11 > SHELF_SOURCE_MAX ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") < n)
		return usage("--topic: not the name of a topic: %.*s", (int)n, text);
	o->topic = xalloc(o->topic, o->topics + 1, sizeof(*o->topic));
	t = &o->topic[o->topics++];
	*t = (struct topic){ 0 };
	copy(&t->name, text)[n] = 0;
	if (map)
		t->map = map[1] == 'p' ? "product" : "catalog";
	return 0;
}

static int add_partition(struct options *o, const char *text)
{
	__u64 n = 0;
	int status = number("partition", text, 0, 0x7fffffff, &n);

	if (!status && o->partitions == PARTITIONS_MAX)
		return usage("--partition: more than %u", PARTITIONS_MAX);
	if (!status)
		o->partition[o->partitions++] = (__s32)n;
	return status;
}

/* What exactly once rests on. */
static int set_property(struct options *o, const char *text)
{
	static const char *const ours[] = {
		"bootstrap.servers", "metadata.broker.list", "group.id", "enable.auto.commit",
		"enable.auto.offset.store", "auto.offset.reset", "enable.partition.eof",
		"isolation.level", "auto.commit.enable",
	};
	const char *value = strchr(text, '=');
	char name[128], why[256];
	size_t i;

	if (!value || value == text || (size_t)(value - text) >= sizeof(name))
		return usage("--set: not PROPERTY=VALUE: %s", text);
	memcpy(name, text, (size_t)(value - text));
	name[value - text] = 0;
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcmp(name, ours[i]))
			return usage("--set: %s is not for you to set", name);
	if (rd_kafka_conf_set(o->conf, name, value + 1, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		return usage("--set: %s", why);
	return 0;
}

static int read_config(struct options *o, const char *file);

static char **text_of(struct options *o, int option)
{
	switch (option) {
	case OPT_NAME:
		return &o->name;
	case OPT_SHELF:
		return &o->shelf;
	case OPT_BROKERS:
		return &o->brokers;
	case OPT_GROUP:
		return &o->group;
	case OPT_METRICS:
		return &o->metrics;
	case OPT_STATE_DIR:
		return &o->state_dir;
	case OPT_DEAD_LETTER:
		o->skip = true;
		return &o->dead_letter;
	default:
		return NULL;
	}
}

static bool *flag_of(struct options *o, int option)
{
	switch (option) {
	case OPT_MARKER:
		return &o->marker;
	case OPT_COMPACTED:
		return &o->compacted;
	case OPT_ONCE:
		return &o->once;
	case OPT_STATUS:
		return &o->status;
	case OPT_JSON:
		return &o->json;
	default:
		return NULL;
	}
}

static int take_choice(struct options *o, int option, const char *value)
{
	static const char *const keys[] = { "decimal", "binary", NULL };
	static const char *const froms[] = { "beginning", "end", NULL };
	static const char *const poisons[] = { "stop", "skip", NULL };
	static const char *const danglings[] = { "allow", "warn", "refuse", NULL };
	int which = 0, status;

	switch (option) {
	case OPT_KEY:
		status = choice("key", value, keys, &which);
		o->binary_key = which;
		return status;
	case OPT_FROM:
		status = choice("from", value, froms, &which);
		o->from_end = which;
		return status;
	case OPT_POISON:
		status = choice("poison", value, poisons, &which);
		o->skip |= which;
		o->stop = !which;
		return status;
	default:
		return choice("dangling", value, danglings, &o->dangling);
	}
}

static int take_number(struct options *o, int option, const char *value)
{
	__u64 n = 0;
	int status;

	if (option == OPT_EVERY)
		return seconds("every", value, &o->every_ns);
	if (option == OPT_MESSAGES)
		return number("messages", value, 1, 1ULL << 32, &o->messages);
	status = number("max-change", value, 0, SHELF_CHANGE_MAX, &n);
	o->max_change = (int)n;
	return status;
}

static int tell(int option)
{
	if (option == OPT_HELP)
		fputs(help, stdout);
	else
		printf("shelf-follow %s, librdkafka %s\n", SHELF_VERSION, rd_kafka_version_str());
	return -1;
}

static int take(struct options *o, int option, const char *value)
{
	if (flag_of(o, option)) {
		*flag_of(o, option) = true;
		return 0;
	}
	if (text_of(o, option)) {
		copy(text_of(o, option), value);
		return 0;
	}
	switch (option) {
	case OPT_CONFIG:
		copy(&o->config, value);
		return read_config(o, value);
	case OPT_TOPIC:
		return add_topic(o, value);
	case OPT_PARTITION:
		return add_partition(o, value);
	case OPT_SET:
		return set_property(o, value);
	case OPT_KEY:
	case OPT_FROM:
	case OPT_POISON:
	case OPT_DANGLING:
		return take_choice(o, option, value);
	case OPT_EVERY:
	case OPT_MESSAGES:
	case OPT_MAX_CHANGE:
		return take_number(o, option, value);
	case OPT_HELP:
	case OPT_VERSION:
		return tell(option);
	default:
		return STATUS_USAGE;	/* getopt has told */
	}
}

static int take_line(struct options *o, char *text)
{
	char *name = text + strspn(text, " \t"), *value;
	const struct option *known;

	name[strcspn(name, "\r\n")] = 0;
	if (!*name || *name == '#')
		return 0;
	value = name + strcspn(name, " \t=");
	if (*value) {
		*value++ = 0;
		value += strspn(value, " \t=");
		while (*value && strchr(" \t", value[strlen(value) - 1]))
			value[strlen(value) - 1] = 0;
	}
	for (known = names; known->name; known++)
		if (!strcmp(known->name, name))
			break;
	if (!known->name || known->val == OPT_CONFIG || known->val == OPT_STATUS ||
	    known->val == OPT_HELP || known->val == OPT_VERSION)
		return usage("no such option in a file: %s", name);
	if (known->has_arg && !*value)
		return usage("%s needs a value", name);
	if (!known->has_arg && *value)
		return usage("%s takes no value", name);
	return take(o, known->val, value);
}

static int read_config(struct options *o, const char *file)
{
	FILE *from = fopen(file, "re");
	char *text = NULL;
	size_t room = 0, number = 0;
	int status = 0;

	if (!from)
		return usage("%s: %s", file, strerror(errno));
	while (!status && getline(&text, &room, from) >= 0) {
		number++;
		status = take_line(o, text);
	}
	if (!status && ferror(from))
		status = usage("%s: %s", file, strerror(errno));
	else if (status)
		say("%s:%zu: is wrong", file, number);
	free(text);
	fclose(from);
	return status;
}

static int is_name(const char *name)
{
	size_t n = strlen(name);

	return n && n < 200 && *name != '.' && !strchr(name, '/');
}

static int check(struct options *o)
{
	const char *at;
	char *dot;

	if (!o->name && o->config) {
		at = strrchr(o->config, '/');
		copy(&o->name, at ? at + 1 : o->config);
		dot = strrchr(o->name, '.');
		if (dot && !strcmp(dot, ".conf"))
			*dot = 0;
	}
	if (!o->name && o->shelf) {
		at = strncmp(o->shelf, "hosted:", 7) ? o->shelf : o->shelf + 7;
		copy(&o->name, strrchr(at, '/') ? strrchr(at, '/') + 1 : at);
	}
	if (!o->name)
		return usage("--shelf is missing");
	if (!is_name(o->name))
		return usage("--name: not a file's name: %s", o->name);
	if (o->status)
		return 0;
	if (!o->shelf)
		return usage("--shelf is missing");
	if (!o->brokers)
		return usage("--brokers is missing");
	if (!o->topics)
		return usage("--topic is missing");
	if (o->stop && o->skip)
		return usage("--poison stop, and --dead-letter or --poison skip");
	if (o->compacted && o->from_end)
		return usage("--compacted loads from the beginning, and --from end does not");
	return 0;
}

int options_parse(int argc, char **argv, struct options *o)
{
	int c, status = 0;

	*o = (struct options){
		.every_ns = 1000000000LL, .messages = 100000, .max_change = -1, .dangling = -1,
		.conf = rd_kafka_conf_new(),
	};
	copy(&o->state_dir, "/run/shelf-follow");
	while (!status && (c = getopt_long(argc, argv, "", names, NULL)) != -1)
		status = take(o, c, optarg);
	if (!status && optind < argc)
		status = usage("what is %s?", argv[optind]);
	return status ? status : check(o);
}

void options_free(struct options *o)
{
	size_t i;

	for (i = 0; i < o->topics; i++)
		free(o->topic[i].name);
	free(o->topic);
	free(o->name);
	free(o->config);
	free(o->shelf);
	free(o->brokers);
	free(o->group);
	free(o->dead_letter);
	free(o->metrics);
	free(o->state_dir);
	if (o->conf)
		rd_kafka_conf_destroy(o->conf);
}
