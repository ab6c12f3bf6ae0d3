// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * memcached on a Unix socket, with libmemcached and its text protocol: many in one
 * get cost half of what the binary protocol's do. It asks for printable keys.
 */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"
#include "server.h"

#define KEY_BYTES	11U	/* of 6 bits */

struct store {
	struct server server;
	memcached_st *writer;
};

struct client {
	struct store *store;
	memcached_st *m;
	memcached_result_st result;	/* used again and again: no malloc() each */
};

static void must(memcached_st *m, memcached_return_t ret)
{
	if (memcached_failed(ret))
		bench_die("memcached", memcached_last_error_message(m));
}

/* One thread: there is one CPU for it. Errors rather than evictions. */
static void run_server(const char *path, uint64_t products)
{
	char megabytes[24], options[64], bits[8];
	unsigned int power = 16;

	while (1UL << power < products)
		power++;
	snprintf(bits, sizeof(bits), "%u", power);
	snprintf(options, sizeof(options), "hashpower=%s,no_lru_crawler,no_lru_maintainer", bits);
	snprintf(megabytes, sizeof(megabytes), "%lu", (unsigned long)(products / 2500 + 256));
	execlp("memcached", "memcached", "-s", path, "-t", "1", "-M", "-m", megabytes,
	       "-f", "1.08", "-B", "auto", "-u", "root", "-o", options, NULL);
}

static memcached_st *connect_to(const char *path)
{
	memcached_st *m = memcached_create(NULL);

	if (!m || memcached_failed(memcached_server_add_unix_socket(m, path)))
		bench_die("memcached", "no client");
	return m;
}

static memcached_st *connect_again(const struct server *s)
{
	char path[SERVER_PATH_MAX];

	server_path(s, path);
	return connect_to(path);
}

static bool answers(const char *path)
{
	memcached_st *m = connect_to(path);
	bool ready = !access(path, F_OK) && memcached_success(memcached_version(m));

	memcached_free(m);
	return ready;
}

static struct client *client_new(struct store *s)
{
	struct client *c = malloc(sizeof(*c));

	c->store = s;
	c->m = connect_again(&s->server);
	memcached_result_create(c->m, &c->result);
	return c;
}

/* All from '0' to 'o' are printable, and none is a space. */
static void make_key(char *key, int64_t id)
{
	uint64_t bits = (uint64_t)id;
	unsigned int i;

	for (i = 0; i < KEY_BYTES; i++, bits >>= 6)
		key[i] = (char)('0' + (bits & 63));
}

static void set(memcached_st *m, const struct bench_change *change)
{
	union {
		struct bench_record record;
		char bytes[sizeof(struct bench_record) + BENCH_ATTRS_MAX];
	} r;
	char key[KEY_BYTES];
	size_t bytes;

	bench_fill(&r.record, change->index, change->version);
	bytes = sizeof(r.record) + r.record.attrs_len;
	make_key(key, r.record.id);
	must(m, memcached_set(m, key, KEY_BYTES, r.bytes, bytes, 0, 0));
}

/*
 * A connection's commands are carried out in order: when @index has been read,
 * all were. libmemcached doesn't reliably wait after a quit or a version.
 */
static void flush(memcached_st *m, uint64_t index)
{
	memcached_return_t ret;
	char key[KEY_BYTES];
	uint32_t flags;
	size_t bytes;

	make_key(key, bench_id(index));
	free(memcached_get(m, key, KEY_BYTES, &bytes, &flags, &ret));
	must(m, ret);
}

/* Sets gather in a buffer, and only failures would be answered. */
static memcached_st *writer_new(const struct server *s)
{
	memcached_st *m = connect_again(s);

	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_BUFFER_REQUESTS, 1);
	memcached_behavior_set(m, MEMCACHED_BEHAVIOR_NOREPLY, 1);
	return m;
}

static void check_count(memcached_st *m, uint64_t products)
{
	memcached_return_t ret;
	memcached_stat_st *stat = memcached_stat(m, NULL, &ret);

	must(m, ret);
	if (stat->curr_items != products)
		bench_die("memcached", "some products were refused");
	memcached_stat_free(m, stat);
}

static void *make(uint64_t products)
{
	struct store *s = malloc(sizeof(*s));
	struct bench_change c = { 0, 0 };
	struct client *client;

	if (!server_start(&s->server, "memcached", products, run_server, answers)) {
		free(s);
		return NULL;
	}
	s->writer = writer_new(&s->server);
	for (; c.index < products; c.index++)
		set(s->writer, &c);
	flush(s->writer, products - 1);
	client = client_new(s);
	check_count(client->m, products);
	return client;
}

/* mget and fetch into one result: memcached_get() would allocate each value. */
static const struct bench_record *next(struct client *c)
{
	memcached_return_t ret;

	if (!memcached_fetch_result(c->m, &c->result, &ret)) {
		if (memcached_failed(ret) && ret != MEMCACHED_NOTFOUND && ret != MEMCACHED_END)
			bench_die("memcached", memcached_strerror(c->m, ret));
		return NULL;
	}
	return (const struct bench_record *)memcached_result_value(&c->result);
}

static void ask(memcached_st *m, const int64_t *ids, size_t n)
{
	char room[BENCH_BATCH][KEY_BYTES];
	const char *keys[BENCH_BATCH];
	size_t lengths[BENCH_BATCH];
	size_t i;

	for (i = 0; i < n; i++) {
		make_key(room[i], ids[i]);
		keys[i] = room[i];
		lengths[i] = KEY_BYTES;
	}
	must(m, memcached_mget(m, keys, lengths, n));
}

static uint64_t each(struct client *c, enum bench_work work, const int64_t *ids, size_t n)
{
	const uint64_t zero = work == BENCH_RATE ? 0 : bench_zero_source;
	uint64_t sum = 0, carry = 0, first;
	const struct bench_record *r;
	int64_t id;
	size_t i;

	for (i = 0; i < n; i++) {
		id = ids[i] + (int64_t)(carry & zero);
		ask(c->m, &id, 1);
		while ((r = next(c))) {
			carry = (uint64_t)r->price;
			sum += carry + (uint64_t)r->stock;
			if (work == BENCH_ATTRS) {
				memcpy(&first, r->attrs, sizeof(first));
				carry += first;
				sum += first;
			}
		}
	}
	return sum;
}

static uint64_t many(struct client *c, const int64_t *ids, size_t n)
{
	const struct bench_record *r;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i += BENCH_BATCH) {
		ask(c->m, ids + i, n - i < BENCH_BATCH ? n - i : BENCH_BATCH);
		while ((r = next(c)))
			sum += (uint64_t)(r->price + r->stock);
	}
	return sum;
}

static uint64_t run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	return work == BENCH_MANY ? many(map, ids, n) : each(map, work, ids, n);
}

/* There are no transactions: readers see a delta product by product. */
static void apply(void *map, const struct bench_change *changes, size_t n)
{
	memcached_st *m = ((struct client *)map)->store->writer;
	size_t i;

	for (i = 0; i < n; i++)
		set(m, &changes[i]);
	flush(m, 0);
}

static void *reader_begin(void *map)
{
	return client_new(((struct client *)map)->store);
}

static void reader_end(void *reader)
{
	struct client *c = reader;

	memcached_result_free(&c->result);
	memcached_free(c->m);
	free(c);
}

static void free_map(void *map)
{
	struct store *s = ((struct client *)map)->store;

	reader_end(map);
	memcached_free(s->writer);
	server_stop(&s->server);
	free(s);
}

const struct bench_map bench_memcached = {
	.name = "memcached",
	.how = "memcached on a Unix socket and CPU 1, one thread, libmemcached, text protocol; "
	       "many: mget",
	.make = make,
	.run = run,
	.apply = apply,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.free = free_map,
	.alien = true,
};
