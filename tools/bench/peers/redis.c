// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Redis, as its users would have it for reads on one machine: a Unix socket,
 * nothing persistent, and records as binary strings under binary ids.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"
#include "server.h"

#define CHUNK		1000U	/* replies that may be under way */
#define KEY_BYTES	8U
/* "$8\r\n", the id, "\r\n" */
#define ARG_BYTES	(4 + KEY_BYTES + 2)

struct store {
	struct server server;
	redisContext *writer;
};

struct client {
	struct store *store;
	redisContext *c;
};

static void run_server(const char *path, uint64_t products)
{
	(void)products;
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path,
	       "--save", "", "--appendonly", "no", "--daemonize", "no",
	       "--logfile", "/dev/null", "--dir", "/", NULL);
}

static bool answers(const char *path)
{
	redisContext *c = redisConnectUnix(path);
	bool ready = c && !c->err;

	redisFree(c);
	return ready;
}

static redisContext *connect_to(const struct server *s)
{
	char path[SERVER_PATH_MAX];
	redisContext *c;

	server_path(s, path);
	c = redisConnectUnix(path);
	if (!c || c->err)
		bench_die("redis: connection", c ? c->errstr : "no memory");
	return c;
}

static struct client *client_new(struct store *s)
{
	struct client *client = malloc(sizeof(*client));

	client->store = s;
	client->c = connect_to(&s->server);
	return client;
}

/* The next reply; the caller frees it. */
static redisReply *reply(redisContext *c)
{
	void *r;

	if (redisGetReply(c, &r) != REDIS_OK)
		bench_die("redis", c->errstr);
	if (((redisReply *)r)->type == REDIS_REPLY_ERROR)
		bench_die("redis", ((redisReply *)r)->str);
	return r;
}

static void drain(redisContext *c, size_t n)
{
	while (n--)
		freeReplyObject(reply(c));
}

static void send_set(redisContext *c, const struct bench_change *change)
{
	union {
		struct bench_record record;
		char bytes[sizeof(struct bench_record) + BENCH_ATTRS_MAX];
	} r;
	const char *argv[3] = { "SET", (const char *)&r.record.id, r.bytes };
	size_t lengths[3] = { 3, KEY_BYTES, 0 };

	bench_fill(&r.record, change->index, change->version);
	lengths[2] = sizeof(r.record) + r.record.attrs_len;
	redisAppendCommandArgv(c, 3, argv, lengths);
}

static void load(struct store *s, uint64_t products)
{
	struct bench_change c = { 0, 0 };
	uint64_t end;

	while (c.index < products) {
		end = products - c.index < CHUNK ? products : c.index + CHUNK;
		for (; c.index < end; c.index++)
			send_set(s->writer, &c);
		drain(s->writer, end % CHUNK ? end % CHUNK : CHUNK);
	}
}

static void *make(uint64_t products)
{
	struct store *s = malloc(sizeof(*s));

	if (!server_start(&s->server, "redis", products, run_server, answers)) {
		free(s);
		return NULL;
	}
	s->writer = connect_to(&s->server);
	load(s, products);
	return client_new(s);
}

static char *add_id(char *to, int64_t id)
{
	memcpy(to, "$8\r\n", 4);
	memcpy(to + 4, &id, KEY_BYTES);
	memcpy(to + 4 + KEY_BYTES, "\r\n", 2);
	return to + ARG_BYTES;
}

/* Commands are built by hand: hiredis' formatting is slower. */
static redisReply *get(redisContext *c, int64_t id)
{
	static const char head[] = "*2\r\n$3\r\nGET\r\n";
	char command[sizeof(head) - 1 + ARG_BYTES];

	memcpy(command, head, sizeof(head) - 1);
	add_id(command + sizeof(head) - 1, id);
	redisAppendFormattedCommand(c, command, sizeof(command));
	return reply(c);
}

static uint64_t each(redisContext *c, enum bench_work work, const int64_t *ids, size_t n)
{
	const uint64_t zero = work == BENCH_RATE ? 0 : bench_zero_source;
	uint64_t sum = 0, carry = 0, first;
	const struct bench_record *r;
	redisReply *got;
	size_t i;

	for (i = 0; i < n; i++) {
		got = get(c, ids[i] + (int64_t)(carry & zero));
		if (got->type == REDIS_REPLY_STRING) {
			r = (const struct bench_record *)got->str;
			carry = (uint64_t)r->price;
			sum += carry + (uint64_t)r->stock;
			if (work == BENCH_ATTRS) {
				memcpy(&first, r->attrs, sizeof(first));
				carry += first;
				sum += first;
			}
		}
		freeReplyObject(got);
	}
	return sum;
}

/* MGET: it is less to parse, for both sides, than as many GETs in a pipeline. */
static redisReply *get_many(redisContext *c, const int64_t *ids, size_t n)
{
	char command[64 + BENCH_BATCH * ARG_BYTES], *to = command;
	size_t i;

	to += sprintf(to, "*%zu\r\n$4\r\nMGET\r\n", n + 1);
	for (i = 0; i < n; i++)
		to = add_id(to, ids[i]);
	redisAppendFormattedCommand(c, command, (size_t)(to - command));
	return reply(c);
}

static uint64_t many(redisContext *c, const int64_t *ids, size_t n)
{
	const struct bench_record *r;
	uint64_t sum = 0;
	redisReply *got;
	size_t i, j;

	for (i = 0; i < n; i += BENCH_BATCH) {
		got = get_many(c, ids + i, n - i < BENCH_BATCH ? n - i : BENCH_BATCH);
		for (j = 0; j < got->elements; j++) {
			if (got->element[j]->type != REDIS_REPLY_STRING)
				continue;
			r = (const struct bench_record *)got->element[j]->str;
			sum += (uint64_t)(r->price + r->stock);
		}
		freeReplyObject(got);
	}
	return sum;
}

static uint64_t run(void *map, enum bench_work work, const int64_t *ids, size_t n)
{
	redisContext *c = ((struct client *)map)->c;

	return work == BENCH_MANY ? many(c, ids, n) : each(c, work, ids, n);
}

/* QUEUED is read in between: the server would have to keep it otherwise. */
static void apply(void *map, const struct bench_change *changes, size_t n)
{
	redisContext *c = ((struct client *)map)->store->writer;
	size_t i, sent = 1;

	redisAppendCommand(c, "MULTI");
	for (i = 0; i < n; i++) {
		send_set(c, &changes[i]);
		if (++sent >= CHUNK) {
			drain(c, sent);
			sent = 0;
		}
	}
	redisAppendCommand(c, "EXEC");
	drain(c, sent + 1);
}

static void *reader_begin(void *map)
{
	return client_new(((struct client *)map)->store);
}

static void reader_end(void *reader)
{
	redisFree(((struct client *)reader)->c);
	free(reader);
}

static void free_map(void *map)
{
	struct store *s = ((struct client *)map)->store;

	reader_end(map);
	redisFree(s->writer);
	server_stop(&s->server);
	free(s);
}

const struct bench_map bench_redis = {
	.name = "redis",
	.how = "redis-server on a Unix socket and CPU 1, no persistence, hiredis; many: MGET",
	.make = make,
	.run = run,
	.apply = apply,
	.reader_begin = reader_begin,
	.reader_end = reader_end,
	.free = free_map,
	.alien = true,
};
