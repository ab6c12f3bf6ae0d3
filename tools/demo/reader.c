// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The demo's readers: processes that look up packages and walk catalogs, some
 * through the mapping and some by ioctl, while a delta is applied.
 *
 *   reader [--readers N] [--seconds N] SHELF COMMAND [ARG...]
 *
 * Runs the readers for --seconds, then COMMAND (which applies the delta) while
 * they go on, then for as long again, and prints name=value lines. The status
 * is that of COMMAND, or 1 if any read mixed two generations.
 *
 * How a mixture would show (Documentation/demo.md): at revision r the price of
 * product 1 is r and catalog 1 holds product r alone; a package whose
 * attributes say "rev":1 is in catalog 2, one that says 2 is in catalog 3; and
 * a package is always in the catalog of the section that its attributes name.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "../lib/shelf.h"

#define READERS_MAX	16
#define ATTRS_ROOM	16384

enum phase { BEFORE, DURING, AFTER, STOP, PHASES = STOP };

struct tally {
	__u64 lookups[PHASES];
	__u64 walked[PHASES];		/* catalog members read */
	__u64 retries;
	__u64 mixed;
	__u64 changed;			/* packages seen at revision 2 */
	char pad[64];
};

struct shared {
	int phase;
	struct tally tally[READERS_MAX];
};

static struct shared *shared;
static __s64 *ids;
static size_t ids_count;

static enum phase phase_now(void)
{
	return (enum phase)__atomic_load_n(&shared->phase, __ATOMIC_RELAXED);
}

static __u64 next_random(__u64 *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* What one look at a package and at both maps' markers has shown. */
struct look {
	struct shelf_product package;
	struct shelf_product marker;
	char attrs[ATTRS_ROOM + 1];
	bool in_rev1;
	bool in_rev2;
	bool in_section;
	bool marker_member;	/* catalog 1 holds the product of its revision */
};

/* The number or string after "name": in compact JSON. */
static const char *field(const char *json, const char *name)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(json, key);
	return at ? at + strlen(key) : NULL;
}

static __s64 section_id(const char *attrs)
{
	const char *value = field(attrs, "section");
	char name[128] = "section:";
	size_t n;

	if (!value || *value != '"')
		return 0;
	n = strcspn(value + 1, "\"");
	if (n > sizeof(name) - 9)
		n = sizeof(name) - 9;
	memcpy(name + 8, value + 1, n);
	return (__s64)XXH3_64bits(name, 8 + n);
}

static void judge(struct tally *t, const struct look *l)
{
	const char *rev = field(l->attrs, "rev");
	long r = rev ? strtol(rev, NULL, 10) : 0;

	t->lookups[phase_now() < STOP ? phase_now() : AFTER] += 6;
	t->changed += r == 2;
	if (r < 1 || r > l->marker.price || l->in_rev1 != (r == 1) ||
	    l->in_rev2 != (r == 2) || !l->in_section || !l->marker_member) {
		if (!t->mixed++)
			printf("# mixed: package %lld rev %ld marker %lld catalogs %d %d %d %d\n",
			       (long long)l->package.id, r, (long long)l->marker.price,
			       l->in_rev1, l->in_rev2, l->in_section, l->marker_member);
	}
}

static bool view_has(const struct shelf_view *v, __s64 catalog, __s64 id)
{
	const struct shelf_catalog *found = shelf_view_catalog(v, catalog);
	struct shelf_catalog c;

	if (!found)
		return false;
	shelf_copy(&c, found, sizeof(c));
	return shelf_catalog_has(v, &c, id);
}

/* Everything from one snapshot: both maps between begin and validate. */
static bool look_mapped(const struct shelf *s, __s64 id, struct look *l)
{
	const struct shelf_product *package, *marker;
	struct shelf_section c;
	bool found = false;
	__u32 n;

	shelf_begin(s, &c);
	package = shelf_view_product(&c.view, id);
	marker = shelf_view_product(&c.view, 1);
	if (package && marker) {
		shelf_copy(&l->package, package, sizeof(*package));
		shelf_copy(&l->marker, marker, sizeof(*marker));
		n = shelf_view_attrs(&c.view, &l->package, l->attrs, ATTRS_ROOM);
		l->attrs[n] = 0;
		l->in_rev1 = view_has(&c.view, 2, id);
		l->in_rev2 = view_has(&c.view, 3, id);
		l->in_section = view_has(&c.view, section_id(l->attrs), id);
		l->marker_member = view_has(&c.view, 1, l->marker.price);
		found = true;
	}
	return !shelf_retry(s, &c) && found;
}

/* The member's answer, and whether it is of the wanted generation. */
static bool ask_member(const struct shelf *s, __s64 catalog, __s64 id,
		       __u64 generation, bool *has)
{
	struct shelf_ioc_is_member m = {
		.size = sizeof(m), .catalog = catalog, .product = id,
	};

	if (ioctl(s->fd, SHELF_IOC_IS_MEMBER, &m))
		return false;
	*has = m.member;
	return m.generation == generation;
}

/* By ioctl each answer tells its generation; only equal ones can be judged. */
static bool look_ioctl(const struct shelf *s, __s64 id, struct look *l)
{
	__u64 g, again;

	if (shelf_get_attrs(s, id, &l->package, l->attrs, ATTRS_ROOM, &g) != 1 ||
	    shelf_get_attrs(s, 1, &l->marker, NULL, 0, &again) != 1 || g != again)
		return false;
	l->attrs[l->package.attrs_len < ATTRS_ROOM ? l->package.attrs_len : ATTRS_ROOM] = 0;
	return ask_member(s, 2, id, g, &l->in_rev1) &&
	       ask_member(s, 3, id, g, &l->in_rev2) &&
	       ask_member(s, section_id(l->attrs), id, g, &l->in_section) &&
	       ask_member(s, 1, l->marker.price, g, &l->marker_member);
}

/* Walks a page of the catalog of packages at revision 1. */
static void walk_some(const struct shelf *s, struct tally *t, __s64 from)
{
	struct shelf_cursor cursor = { .catalog = 2, .after = from, .started = true };
	enum phase phase = phase_now();
	__s64 page[200], last = from;
	long n = shelf_catalog_next(s, &cursor, page, 200), i;

	for (i = 0; i < n; i++) {
		t->mixed += page[i] <= last;
		last = page[i];
	}
	if (n > 0)
		t->walked[phase < STOP ? phase : AFTER] += (__u64)n;
}

static int reader(const char *name, int index)
{
	struct tally *t = &shared->tally[index];
	__u64 random = 88172645463325252ULL + (__u64)index * 2654435761U;
	struct look *l = malloc(sizeof(*l));
	struct shelf *s;
	bool ok;

	if (!l || shelf_open(name, index % 2 ? SHELF_OPEN_IOCTL : 0, &s))
		return 1;
	while (phase_now() < STOP) {
		__s64 id = ids[next_random(&random) % ids_count];

		ok = shelf_is_mapped(s) ? look_mapped(s, id, l) : look_ioctl(s, id, l);
		if (ok)
			judge(t, l);
		else
			t->retries++;
		if (!(next_random(&random) % 64))
			walk_some(s, t, id);
	}
	shelf_close(s);
	free(l);
	return 0;
}

static int load_ids(const char *name)
{
	struct shelf_cursor cursor = { .catalog = 2 };
	struct shelf *s;
	__u64 total;
	long n;
	int ret = shelf_open(name, 0, &s);

	if (ret < 0)
		return ret;
	if (shelf_catalog_count(s, 2, &total) != 1)
		return -ENOENT;
	ids = calloc(total, sizeof(*ids));
	while (ids && ids_count < total &&
	       (n = shelf_catalog_next(s, &cursor, ids + ids_count, total - ids_count)) > 0)
		ids_count += (size_t)n;
	shelf_close(s);
	return ids_count ? 0 : -ENOENT;
}

static void set_phase(enum phase phase)
{
	__atomic_store_n(&shared->phase, phase, __ATOMIC_RELAXED);
}

static int run_command(char **argv)
{
	pid_t child = fork();
	int status = 1;

	if (!child) {
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int report(int readers)
{
	struct tally sum = { 0 };
	int i, p;

	for (i = 0; i < readers; i++) {
		const struct tally *t = &shared->tally[i];

		for (p = 0; p < PHASES; p++) {
			sum.lookups[p] += t->lookups[p];
			sum.walked[p] += t->walked[p];
		}
		sum.retries += t->retries;
		sum.mixed += t->mixed;
		sum.changed += t->changed;
	}
	printf("before=%llu\nduring=%llu\nafter=%llu\n",
	       (unsigned long long)sum.lookups[BEFORE], (unsigned long long)sum.lookups[DURING],
	       (unsigned long long)sum.lookups[AFTER]);
	printf("walked=%llu\nskipped=%llu\nchanged=%llu\nmixed=%llu\n",
	       (unsigned long long)(sum.walked[0] + sum.walked[1] + sum.walked[2]),
	       (unsigned long long)sum.retries, (unsigned long long)sum.changed,
	       (unsigned long long)sum.mixed);
	/* Without a changed package seen, nothing was shown. */
	return sum.mixed || !sum.changed || !sum.lookups[DURING];
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "readers", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ 0 }
	};
	int readers = 4, c, i, ret, status;
	unsigned int seconds = 5;

	while ((c = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		if (c == 'r')
			readers = atoi(optarg);
		else if (c == 's')
			seconds = (unsigned int)atoi(optarg);
		else
			return 2;
	}
	if (argc - optind < 2 || readers < 1 || readers > READERS_MAX) {
		fputs("usage: reader [--readers 1-16] [--seconds N] SHELF COMMAND...\n", stderr);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ret = shared == MAP_FAILED ? -ENOMEM : load_ids(argv[optind]);
	if (ret) {
		fprintf(stderr, "reader: %s: %s\n", argv[optind], strerror(-ret));
		return 1;
	}
	fflush(stdout);
	for (i = 0; i < readers; i++)
		if (!fork())
			_exit(reader(argv[optind], i));
	sleep(seconds);
	set_phase(DURING);
	ret = run_command(argv + optind + 1);
	set_phase(AFTER);
	sleep(seconds);
	set_phase(STOP);
	for (i = 0; i < readers; i++)
		if (wait(&status) > 0 && status)
			ret = 1;
	i = report(readers);
	return ret ? ret : i;
}
