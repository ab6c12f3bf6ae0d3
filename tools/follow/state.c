// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is told of a follower: a file with its state, for --status, metrics, a file's lock
 * that says whether it runs, and what systemd wants to know.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "../line/text.h"
#include "follow.h"

#define TELL_NS	1000000000LL

static const char *const phases[] = {
	[CONNECTING] = "connecting",
	[LOADING] = "loading",
	[CATCHING_UP] = "catching up",
	[FOLLOWING] = "following",
	[WAITING] = "waiting",
	[STOPPED] = "stopped",
};

void say(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	make_plain(text);
	fprintf(stderr, "shelf-follow: %s\n", text);
}

void *xalloc(void *old, size_t n, size_t size)
{
	void *new = reallocarray(old, n ? n : 1, size);

	if (!new) {
		say("out of memory");
		exit(STATUS_REFUSED);
	}
	return new;
}

static void path(const struct options *o, const char *suffix, char *to, size_t room)
{
	snprintf(to, room, "%s/%s.%s", o->state_dir, o->name, suffix);
}

/*
 * A lock goes with the process, however that ends. Others may look at it for a moment;
 * who may not write here can't open it, or could keep us from it.
 */
static int lock(const struct options *o)
{
	char file[4096];
	int fd, tries = 0, busy = 0;

	path(o, "lock", file, sizeof(file));
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	while (fd >= 0 && (busy = flock(fd, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK &&
	       tries++ < 50)
		usleep(10000);
	if (fd >= 0 && !busy)
		return fd;
	say("%s: %s", file, errno == EWOULDBLOCK ? "another one has this name" :
	    strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int state_open(struct follow *f)
{
	f->since = (__s64)time(NULL);
	if (mkdir(f->opt.state_dir, 0755) && errno != EEXIST) {
		say("%s: %s", f->opt.state_dir, strerror(errno));
		return STATUS_REFUSED;
	}
	f->lock = lock(&f->opt);
	return f->lock < 0 ? STATUS_REFUSED : STATUS_OK;
}

/* Changes are for the journal too; what is only repeated is not. */
void state_set(struct follow *f, enum phase to, const char *format, ...)
{
	char why[sizeof(f->why)];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	make_plain(why);
	if (f->phase == to && !strcmp(f->why, why))
		return;
	if (f->phase != to)
		f->since = (__s64)time(NULL);
	f->phase = to;
	strcpy(f->why, why);
	say("%s%s%s", phases[to], *why ? ": " : "", why);
	sd_notifyf(0, "STATUS=%s%s%s", phases[to], *why ? ": " : "", why);
	state_tell(f, true);
}

void state_ready(struct follow *f)
{
	if (f->ready)
		return;
	f->ready = true;
	sd_notify(0, "READY=1");
}

static __s64 applied(const struct part *p)
{
	return p->known ? p->next - 1 : -1;
}

/* Messages, or where some are left out by compaction a little less; -1: not known. */
static __s64 lag(const struct follow *f, const struct part *p)
{
	int64_t low = -1, end = -1;
	__s64 at = p->known ? p->next : -1;

	rd_kafka_get_watermark_offsets(f->kafka, p->topic->name, p->id, &low, &end);
	if (end < p->end)
		end = p->end;
	if (end < 0)
		return -1;
	if (p->looked && !f->began_ns)	/* none of which is to be committed */
		at = p->seen;
	if (at < 0)
		at = low > 0 ? low : 0;
	return end > at ? end - at : 0;
}

static json_t *parts(const struct follow *f)
{
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		const struct part *p = &f->parts.of[i];

		json_array_append_new(all, json_pack("{sssisIsIsb}", "topic", p->topic->name,
			"partition", (int)p->id, "applied", (json_int_t)applied(p),
			"lag", (json_int_t)lag(f, p), "at_marker", (int)p->marked));
	}
	return all;
}

static json_t *state(const struct follow *f)
{
	const struct counts *c = &f->counts;

	return json_pack("{sisssssssssIsisbsIsIsIsIsIsIsIso}", "schema", 1, "name", f->opt.name,
		"shelf", f->opt.shelf, "state", phases[f->phase], "reason", f->why,
		"since", (json_int_t)f->since, "pid", (int)getpid(), "ready", (int)f->ready,
		"generation", (json_int_t)f->generation, "messages", (json_int_t)c->messages,
		"commits", (json_int_t)c->commits, "rejected", (json_int_t)c->rejected,
		"refusals", (json_int_t)c->refusals, "rewinds", (json_int_t)c->rewinds,
		"loads", (json_int_t)c->loads, "partitions", parts(f));
}

/* Whole or as it was: who reads it may come at any moment. */
static void replace(const char *file, bool (*write)(FILE *to, const struct follow *f),
		    const struct follow *f)
{
	char temp[4200];
	FILE *to;
	bool good;

	snprintf(temp, sizeof(temp), "%s.new", file);
	to = fopen(temp, "we");
	if (!to) {
		say("%s: %s", temp, strerror(errno));
		return;
	}
	good = write(to, f);
	if (fclose(to) || !good || rename(temp, file))
		say("%s: %s", file, strerror(errno));
}

static bool write_state(FILE *to, const struct follow *f)
{
	json_t *s = state(f);
	bool good = s && !json_dumpf(s, to, JSON_COMPACT) && putc('\n', to) != EOF;

	json_decref(s);
	return good;
}

static void metric(FILE *to, const char *name, const char *type, const char *what,
		   const struct follow *f, __u64 value)
{
	fprintf(to, "# HELP shelf_follow_%s %s\n# TYPE shelf_follow_%s %s\n"
		"shelf_follow_%s{name=\"%s\"} %llu\n", name, what, name, type, name, f->opt.name,
		value);
}

static void metric_parts(FILE *to, const struct follow *f, const char *name, const char *what,
			 __s64 (*value)(const struct follow *f, const struct part *p))
{
	size_t i;

	fprintf(to, "# HELP shelf_follow_%s %s\n# TYPE shelf_follow_%s gauge\n", name, what, name);
	for (i = 0; i < f->parts.n; i++)
		fprintf(to, "shelf_follow_%s{name=\"%s\",topic=\"%s\",partition=\"%d\"} %lld\n",
			name, f->opt.name, f->parts.of[i].topic->name, f->parts.of[i].id,
			value(f, &f->parts.of[i]));
}

static __s64 applied_of(const struct follow *f, const struct part *p)
{
	(void)f;
	return applied(p);
}

static bool write_metrics(FILE *to, const struct follow *f)
{
	const struct counts *c = &f->counts;
	size_t i;

	metric(to, "messages_total", "counter", "Messages that commits took since the start.",
	       f, c->messages);
	metric(to, "commits_total", "counter", "Commits since the start.", f, c->commits);
	metric(to, "rejected_total", "counter", "Messages passed over since the start.", f,
	       c->rejected);
	metric(to, "refusals_total", "counter", "Batches that were refused.", f, c->refusals);
	metric(to, "rewinds_total", "counter", "Times that it began again at the shelf's position.",
	       f, c->rewinds);
	metric(to, "loads_total", "counter", "Times that all of the topics was loaded.", f,
	       c->loads);
	metric(to, "generation", "gauge", "Generation of the last commit, or the newest at first.",
	       f, f->generation);
	metric(to, "ready", "gauge", "1 once it has caught up.", f, f->ready);
	metric(to, "since_seconds", "gauge", "Time of the last change of state.", f,
	       (__u64)f->since);
	fprintf(to, "# HELP shelf_follow_state 1 for the state that it is in.\n"
		"# TYPE shelf_follow_state gauge\n");
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		fprintf(to, "shelf_follow_state{name=\"%s\",state=\"%s\"} %d\n", f->opt.name,
			phases[i], f->phase == i);
	metric_parts(to, f, "lag", "Messages that are not in the shelf, -1: not known.", lag);
	metric_parts(to, f, "applied", "Last offset that is in the shelf, -1: none.", applied_of);
	return !ferror(to);
}

void state_tell(struct follow *f, bool now)
{
	__s64 t = clock_ns();
	char file[4096];

	if (f->lock < 0 || (!now && t - f->told_ns < TELL_NS))
		return;
	f->told_ns = t;
	path(&f->opt, "json", file, sizeof(file));
	replace(file, write_state, f);
	if (f->opt.metrics)
		replace(f->opt.metrics, write_metrics, f);
}

/* Who may not open the lock goes by the process. */
static bool runs(const struct options *o, const json_t *s)
{
	char file[4096];
	bool held;
	int fd;

	path(o, "lock", file, sizeof(file));
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES &&
		       (!kill((pid_t)json_integer_value(json_object_get(s, "pid")), 0) ||
			errno == EPERM);
	held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

static const char *text(const json_t *of, const char *key)
{
	const char *value = json_string_value(json_object_get(of, key));

	return value ? value : "";
}

static void show_part(const json_t *p)
{
	printf("partition %s/%lld applied %lld lag %lld%s\n",
	       text(p, "topic"),
	       (long long)json_integer_value(json_object_get(p, "partition")),
	       (long long)json_integer_value(json_object_get(p, "applied")),
	       (long long)json_integer_value(json_object_get(p, "lag")),
	       json_is_true(json_object_get(p, "at_marker")) ?
	       ", at a marker that others have not come to" : "");
}

static void show(json_t *s)
{
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach(s, key, v) {
		if (json_is_string(v) && *json_string_value(v))
			printf("%s %s\n", key, json_string_value(v));
		else if (json_is_integer(v))
			printf("%s %lld\n", key, (long long)json_integer_value(v));
		else if (json_is_boolean(v))
			printf("%s %s\n", key, json_is_true(v) ? "yes" : "no");
	}
	json_array_foreach(json_object_get(s, "partitions"), i, v)
		show_part(v);
}

int state_show(const struct options *o)
{
	char file[4096];
	json_error_t err;
	bool running, ready;
	json_t *s;

	path(o, "json", file, sizeof(file));
	s = json_load_file(file, 0, &err);
	if (!s) {
		say("%s: %s", file, access(file, F_OK) ? "no follower of this name" : err.text);
		return STATUS_REFUSED;
	}
	running = runs(o, s);
	json_object_set_new(s, "running", json_boolean(running));
	if (o->json) {
		json_dumpf(s, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		show(s);
	}
	ready = json_is_true(json_object_get(s, "ready")) &&
		strcmp(text(s, "state"), phases[WAITING]);
	json_decref(s);
	return running && ready ? STATUS_OK : STATUS_REFUSED;
}
