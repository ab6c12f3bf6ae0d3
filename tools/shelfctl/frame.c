// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define SCALED		16
#define CPU_CELL	26	/* "  12 [##########] 999.9k/s " */
#define CPU_BAR		10
#define CPUS_MAX	4096

/**
 * struct pair - a shelf then and now
 * @before: NULL: it was not there
 */
struct pair {
	const struct values *before;
	const struct values *now;
	double seconds;
};

/* Of what was counted anew meanwhile nothing is known. */
static double grown(__u64 before, __u64 now)
{
	return now > before ? (double)(now - before) : 0;
}

static double growth(const struct pair *p, const char *name)
{
	return p->before ? grown(values_u64(p->before, name), values_u64(p->now, name)) : 0;
}

/* Into @to of SCALED bytes. */
static const char *scale(char *to, double value, double base)
{
	const char *suffix = base == 1000 ? " kMGTPE" : " KMGTPE";
	size_t i = 0;

	while (value >= base && suffix[i + 1]) {
		value /= base;
		i++;
	}
	snprintf(to, SCALED, i ? "%.1f%c" : "%.0f", value, suffix[i]);
	return to;
}

static void print_scaled(FILE *to, double value, double base)
{
	char text[SCALED];

	fputs(scale(text, value, base), to);
}

static void print_rate(FILE *to, const struct pair *p, const char *name)
{
	print_scaled(to, growth(p, name) / p->seconds, 1000);
	fputs("/s", to);
}

static void print_bytes(FILE *to, const struct pair *p, const char *label, const char *name)
{
	fprintf(to, " %s ", label);
	print_scaled(to, (double)values_u64(p->now, name), 1024);
}

static void print_ratio(FILE *to, double part, double whole)
{
	if (whole > 0)
		fprintf(to, "%.1f%%", part / whole * 100);
	else
		putc('-', to);
}

static void print_lookups(FILE *to, const struct pair *p)
{
	fputs("  lookups  ", to);
	print_rate(to, p, "lookups");
	fputs(" by ioctl, hits ", to);
	print_ratio(to, growth(p, "hits"), growth(p, "lookups"));
	fputs("; ", to);
	print_rate(to, p, "reported_lookups");
	fputs(" reported, hits ", to);
	print_ratio(to, growth(p, "reported_hits"), growth(p, "reported_lookups"));
	putc('\n', to);
}

/* How much each CPU has looked up; how many there are. */
static size_t cpu_growth(const struct pair *p, double *rate, size_t room)
{
	const char *before = p->before ? values_get(p->before, "lookups_per_cpu") : NULL;
	const char *now = values_get(p->now, "lookups_per_cpu");
	size_t n;

	for (n = 0; now && n < room; n++) {
		char *end;
		__u64 value = strtoull(now, &end, 10);

		if (end == now)
			break;
		now = end;
		rate[n] = before ? grown(strtoull(before, &end, 10), value) / p->seconds : 0;
		before = before ? end : NULL;
	}
	return n;
}

static double largest(const double *rate, size_t n)
{
	double max = 0;

	while (n--)
		max = rate[n] > max ? rate[n] : max;
	return max;
}

static double sum(const double *rate, size_t n)
{
	double all = 0;

	while (n--)
		all += rate[n];
	return all;
}

/* A bar for each, as many beside each other as fit. */
static void print_bars(FILE *to, const double *rate, size_t n, int width)
{
	int columns = width > CPU_CELL ? width / CPU_CELL : 1;
	double max = largest(rate, n);
	static const char full[] = "##########";
	char text[SCALED];
	size_t i;

	for (i = 0; i < n; i++) {
		int bar = max > 0 ? (int)(rate[i] / max * CPU_BAR + 0.5) : 0;
		bool last = i + 1 == n || (i + 1) % (size_t)columns == 0;

		scale(text, rate[i], 1000);
		fprintf(to, "%4zu [%-*.*s] %s/s%*s", i, CPU_BAR, bar, full, text,
			last ? 0 : (int)(6 - strlen(text)), "");
		if (last)
			putc('\n', to);
	}
}

/* A character for each, of the first @width. */
static void print_strip(FILE *to, const double *rate, size_t n, int width)
{
	static const char level[] = " .:-=+*#";
	double max = largest(rate, n);
	size_t i;

	putc('[', to);
	for (i = 0; i < n && i < (size_t)width; i++)
		putc(level[max > 0 ? (int)(rate[i] / max * 7 + 0.5) : 0], to);
	putc(']', to);
	putc('\n', to);
}

static void print_cpus(FILE *to, const struct pair *p, bool bars, int width)
{
	double *rate = xalloc(NULL, CPUS_MAX, sizeof(*rate));
	size_t n = cpu_growth(p, rate, CPUS_MAX);
	double all = sum(rate, n);

	fputs("  cpus     skew ", to);
	if (all > 0)
		fprintf(to, "%.2f", largest(rate, n) * (double)n / all);
	else
		putc('-', to);
	putc(bars ? '\n' : ' ', to);
	if (bars)
		print_bars(to, rate, n, width);
	else
		print_strip(to, rate, n, width - 24);
	free(rate);
}

static void print_commits(FILE *to, const struct pair *p)
{
	fprintf(to, "  commits  %.2f/s, ", growth(p, "commits") / p->seconds);
	print_rate(to, p, "operations");
	fprintf(to, " ops; last: draft %.3f publish %.3f grace %.3f ms\n",
		(double)values_u64(p->now, "last_draft_ns") / 1e6,
		(double)values_u64(p->now, "last_publish_ns") / 1e6,
		(double)values_u64(p->now, "last_grace_ns") / 1e6);
}

static void print_memory(FILE *to, const struct pair *p)
{
	fputs("  memory  ", to);
	print_bytes(to, p, "held", "bytes");
	print_bytes(to, p, "of", "max_bytes");
	putc(':', to);
	print_bytes(to, p, "live", "bytes_live");
	print_bytes(to, p, "free", "bytes_free");
	print_bytes(to, p, "quarantined", "bytes_quarantined");
	print_bytes(to, p, "draft", "bytes_draft");
	fputs("\n  kinds   ", to);
	print_bytes(to, p, "products", "bytes_products");
	print_bytes(to, p, "catalogs", "bytes_catalogs");
	print_bytes(to, p, "sets", "bytes_sets");
	print_bytes(to, p, "slabs", "bytes_slabs");
	print_bytes(to, p, "data", "bytes_data");
	print_bytes(to, p, "directory", "bytes_directory");
	putc('\n', to);
}

static void print_pins(FILE *to, const struct pair *p)
{
	fprintf(to, "  pins     %llu, keep ", values_u64(p->now, "pins"));
	print_scaled(to, (double)values_u64(p->now, "bytes_pinned"), 1024);
	fprintf(to, ", revoked %llu; open %llu\n", values_u64(p->now, "revoked_pins"),
		values_u64(p->now, "opens"));
}

static void print_shelf(FILE *to, const struct pair *p, bool bars, int width)
{
	fprintf(to, "%s  generation %llu products %llu catalogs %llu memberships %llu\n",
		p->now->shelf, values_u64(p->now, "generation"), values_u64(p->now, "products"),
		values_u64(p->now, "catalogs"), values_u64(p->now, "memberships"));
	print_lookups(to, p);
	print_cpus(to, p, bars, width);
	print_commits(to, p);
	print_memory(to, p);
	print_pins(to, p);
}

static const struct values *find(const struct look *l, const char *shelf)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!strcmp(l->shelf[i].shelf, shelf))
			return &l->shelf[i];
	return NULL;
}

void frame_print(FILE *to, const struct look *before, const struct look *now, int width)
{
	struct pair p = { .seconds = (double)(now->ns - before->ns) / 1e9 };
	size_t i;

	if (!now->n)
		fputs("no shelves\n", to);
	if (p.seconds <= 0)
		p.seconds = 1;
	for (i = 0; i < now->n; i++) {
		p.now = &now->shelf[i];
		p.before = find(before, p.now->shelf);
		print_shelf(to, &p, now->n == 1, width);
	}
}
