// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Redis, as its users would have it for reads on one machine: a Unix socket,
 * nothing persistent, and records as binary strings under binary ids.
 *
 * The server is a child on CPU 1 that dies with the benchmark.
 */
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"

#define CHUNK		1000U	/* replies that may be under way */
#define START_MS	10000U
#define KEY_BYTES	8U
/* "$8\r\n", the id, "\r\n" */
#define ARG_BYTES	(4 + KEY_BYTES + 2)

struct server {
	pid_t pid;
	int socket;	/* O_PATH */
	redisContext *writer;
};

struct client {
	struct server *server;
	redisContext *c;
};

static void start_child(const char *path)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path,
	       "--save", "", "--appendonly", "no", "--daemonize", "no",
	       "--logfile", "/dev/null", "--dir", "/", NULL);
	fprintf(stderr, "bench: redis-server: %s\n", strerror(errno));
	_exit(127);
}

/* 0 once the socket accepts connections. */
static int wait_for(pid_t pid, const char *path)
{
	redisContext *c;
	unsigned int i;
	int ready;

	for (i = 0; i < START_MS && !waitpid(pid, NULL, WNOHANG); i++) {
		c = redisConnectUnix(path);
		ready = c && !c->err;
		redisFree(c);
		if (ready)
			return 0;
		usleep(1000);
	}
	return -1;
}

/* The socket is kept without its name, so that nothing stays behind. */
static struct server *start(void)
{
	char dir[] = "/tmp/bench-redis-XXXXXX", path[64];
	struct server *s = calloc(1, sizeof(*s));
	int ret;

	if (!mkdtemp(dir))
		bench_die("redis", "no directory in /tmp");
	snprintf(path, sizeof(path), "%s/socket", dir);
	s->pid = fork();
	if (!s->pid)
		start_child(path);
	ret = wait_for(s->pid, path);
	s->socket = open(path, O_PATH | O_CLOEXEC);
	unlink(path);
	rmdir(dir);
	if (!ret)
		return s;
	kill(s->pid, SIGKILL);
	fprintf(stderr, "bench: redis: the server didn't start\n");
	free(s);
	return NULL;
}

static redisContext *connect_to(struct server *s)
{
	char path[64];
	redisContext *c;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->socket);
	c = redisConnectUnix(path);
	if (!c || c->err)
		bench_die("redis: connection", c ? c->errstr : "no memory");
	return c;
}

static struct client *client_new(struct server *s)
{
	struct client *client = malloc(sizeof(*client));

	client->server = s;
	client->c = connect_to(s);
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

static void load(struct server *s, uint64_t products)
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
	struct server *s = start();

	if (!s)
		return NULL;
	s->writer = connect_to(s);
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
	redisContext *c = ((struct client *)map)->server->writer;
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
	return client_new(((struct client *)map)->server);
}

static void reader_end(void *reader)
{
	redisFree(((struct client *)reader)->c);
	free(reader);
}

static void free_map(void *map)
{
	struct server *s = ((struct client *)map)->server;

	reader_end(map);
	redisFree(s->writer);
	close(s->socket);
	kill(s->pid, SIGKILL);	/* nothing to save */
	waitpid(s->pid, NULL, 0);
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
