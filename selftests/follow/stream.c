// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P6: a stream of messages of which each one shows, and a judge of what a follower
 * makes of it. What a shelf must hold follows from the positions in it alone: in every
 * generation that the judge meets, each product and each member is looked at, so that a
 * message that was lost, applied twice behind a later one, or in a snapshot that does not
 * count it, is seen. Positions never go back.
 *
 *	stream print prices|cats PARTITION FROM TO	lines KEY|VALUE for kcat -K'|' -Z
 *	stream judge --messages N SHELF		TAP, when each partition has come to N
 *
 * Topic prices has 3 partitions, cats has one.
 *
 * Seen to fail with a follower that leaves one message of 997 out, that applies one behind
 * a later one, and that commits a position without its last message (it never comes to
 * the end).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../tools/lib/shelf.h"

#define PARTITIONS	3
#define SLOTS		997	/* products of a partition; a prime */
#define STEP		7919
#define CATALOGS	13
#define MEMBERS		101
#define ROUND		(CATALOGS * MEMBERS)
#define DELETED(i)	((i) % 11 == 10)
#define RECORDS		1024
#define PATIENCE	120	/* seconds without a new generation */

static long long positions[PARTITIONS + 1];	/* the last of cats; -1: none */
static unsigned long generations, wrong, told;
static __u64 last_generation;

static void print_price(unsigned int partition, long long i)
{
	long long id = i * STEP % SLOTS * PARTITIONS + partition;

	if (DELETED(i))
		printf("%lld|\n", id);
	else
		printf("%lld|{\"price\":%lld,\"currency\":\"EUR\",\"stock\":%lld}\n", id, i, i % 5);
}

static void print_cat(long long i)
{
	printf("%lld|{\"op\":\"%s\",\"products\":[%lld]}\n", i % CATALOGS,
	       i / ROUND % 2 ? "remove" : "add", i / CATALOGS % MEMBERS);
}

static int print(char **argv)
{
	unsigned int partition = (unsigned int)atoi(argv[1]);
	long long i, to = atoll(argv[3]);

	for (i = atoll(argv[2]); i < to; i++) {
		if (!strcmp(argv[0], "prices"))
			print_price(partition, i);
		else
			print_cat(i);
	}
	return 0;
}

static void say_wrong(const char *what, long long id, long long is, long long should)
{
	wrong++;
	if (told++ < 10)
		printf("# generation %llu: %s %lld: is %lld, should be %lld\n", last_generation,
		       what, id, is, should);
}

/* The last message on slot @k up to @last, or -1. */
static long long last_on(unsigned int k, long long last)
{
	static long long first[SLOTS];
	static int known;
	long long i;

	for (i = 0; !known && i < SLOTS; i++)
		first[i * STEP % SLOTS] = i;
	known = 1;
	return last < first[k] ? -1 : first[k] + (last - first[k]) / SLOTS * SLOTS;
}

static int read_positions(const struct shelf_pin *pin, long long *at)
{
	static struct shelf_source source[RECORDS];
	struct shelf_scan cursor = { 0 };
	char name[SHELF_SOURCE_MAX + 1];
	long n, i;
	int k;

	for (k = 0; k <= PARTITIONS; k++)
		at[k] = -1;
	while ((n = shelf_pin_sources(pin, &cursor, source, RECORDS)) > 0) {
		for (i = 0; i < n; i++) {
			long len = shelf_pin_source_name(pin, &source[i], name);

			if (len < 0)
				return (int)len;
			if (sscanf(name, "prices/%d", &k) == 1 && k >= 0 && k < PARTITIONS)
				at[k] = (long long)source[i].last;
			else if (!strcmp(name, "cats/0"))
				at[PARTITIONS] = (long long)source[i].last;
		}
	}
	return (int)n;
}

static int read_products(const struct shelf_pin *pin, long long *price)
{
	static struct shelf_product found[RECORDS];
	struct shelf_scan cursor = { 0 };
	long n, i;

	for (i = 0; i < SLOTS * PARTITIONS; i++)
		price[i] = -1;
	while ((n = shelf_pin_products(pin, &cursor, found, RECORDS)) > 0)
		for (i = 0; i < n; i++) {
			if (found[i].id < 0 || found[i].id >= SLOTS * PARTITIONS)
				return -EINVAL;
			price[found[i].id] = found[i].price;
		}
	return (int)n;
}

static int read_members(const struct shelf_pin *pin, char has[CATALOGS][MEMBERS])
{
	__s64 ids[MEMBERS + 1];
	int c;

	memset(has, 0, CATALOGS * MEMBERS);
	for (c = 0; c < CATALOGS; c++) {
		struct shelf_cursor at = { .catalog = c };
		long n, i;

		while ((n = shelf_pin_members(pin, &at, ids, MEMBERS)) > 0)
			for (i = 0; i < n; i++)
				if (ids[i] >= 0 && ids[i] < MEMBERS)
					has[c][ids[i]] = 1;
		if (n < 0 && n != -ENOENT)
			return (int)n;
	}
	return 0;
}

static void judge_products(const long long *at, const long long *price)
{
	unsigned int p, k;

	for (p = 0; p < PARTITIONS; p++)
		for (k = 0; k < SLOTS; k++) {
			long long i = last_on(k, at[p]), is = price[k * PARTITIONS + p];

			if (i >= 0 && DELETED(i))
				i = -1;
			if (is != i)
				say_wrong("product", k * PARTITIONS + p, is, i);
		}
}

static void judge_members(long long last, char has[CATALOGS][MEMBERS])
{
	int c, m;

	for (c = 0; c < CATALOGS; c++)
		for (m = 0; m < MEMBERS; m++) {
			long long first = c + CATALOGS * (long long)m;
			int should = last >= first && (last - first) / ROUND % 2 == 0;

			if (has[c][m] != should)
				say_wrong("member", c * 1000 + m, has[c][m], should);
		}
}

static void judge_positions(const long long *at)
{
	int k;

	for (k = 0; k <= PARTITIONS; k++) {
		if (at[k] < positions[k])
			say_wrong("position", k, at[k], positions[k]);
		positions[k] = at[k];
	}
}

/* 0 or a negative errno; nothing is judged before the pin was looked at. */
static int look(const struct shelf *s)
{
	static long long price[SLOTS * PARTITIONS];
	static char has[CATALOGS][MEMBERS];
	long long at[PARTITIONS + 1];
	struct shelf_pin pin;
	int ret = shelf_pin(s, 0, 0, &pin);

	if (ret)
		return ret;
	ret = read_positions(&pin, at);
	if (!ret)
		ret = read_products(&pin, price);
	if (!ret)
		ret = read_members(&pin, has);
	if (!shelf_pin_is_valid(&pin))
		ret = -ESTALE;
	if (!ret && pin.generation != last_generation) {
		last_generation = pin.generation;
		generations++;
		judge_positions(at);
		judge_products(at, price);
		judge_members(at[PARTITIONS], has);
	}
	shelf_unpin(&pin);
	return ret;
}

static int all_there(long long messages)
{
	int k;

	for (k = 0; k <= PARTITIONS; k++)
		if (positions[k] != messages - 1)
			return 0;
	return 1;
}

static int judge(const char *name, long long messages)
{
	time_t end = time(NULL) + PATIENCE;
	struct shelf *s;
	unsigned long before;
	int ret = shelf_open(name, 0, &s), k;

	if (ret) {
		printf("not ok - %s: %s\n", name, strerror(-ret));
		return 1;
	}
	for (k = 0; k <= PARTITIONS; k++)
		positions[k] = -1;
	while ((!ret || ret == -ESTALE || ret == -EAGAIN) && !all_there(messages) &&
	       time(NULL) < end) {
		before = generations;
		ret = look(s);
		if (generations > before)
			end = time(NULL) + PATIENCE;
		shelf_wait(s, last_generation + 1, 500000000, NULL);
	}
	shelf_close(s);
	if (ret)
		printf("# last look: %s\n", strerror(-ret));
	printf("# %lu generations looked at; positions %lld %lld %lld, %lld\n", generations,
	       positions[0], positions[1], positions[2], positions[3]);
	printf("%s - each generation has what its positions say, and no other: %lu wrong\n",
	       wrong ? "not ok" : "ok", wrong);
	printf("%s - all messages are there\n", all_there(messages) ? "ok" : "not ok");
	return wrong || !all_there(messages);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 65536);
	if (argc == 6 && !strcmp(argv[1], "print"))
		return print(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "judge") && !strcmp(argv[2], "--messages"))
		return judge(argv[4], atoll(argv[3]));
	fputs("usage: stream print prices|cats PARTITION FROM TO\n"
	      "       stream judge --messages N SHELF\n", stderr);
	return 2;
}
