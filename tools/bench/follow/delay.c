// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From produce to visible: messages are sent to a topic at an even rate, and looked for
 * in the shelf that follows it; and beside that by a plain consumer in this process,
 * which has what the broker, the network and librdkafka take of it.
 *
 *   delay BROKERS TOPIC SHELF RATE SECONDS
 *
 * Prints a line for each: its name, and milliseconds at the median, the 90th and the 99th
 * percentile and at most. The time of a message begins when librdkafka is given it; a
 * reader looks at the shelf each 50 us. The topic has one partition and nothing in it.
 */
#include <pthread.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lib/shelf.h"
#include "../bench.h"

#define PATIENCE	30000000000ULL	/* ns, for the last one */
#define NAP_NS		50000L

struct message {
	uint64_t sent;
	uint64_t consumed;
	uint64_t seen;
};

static struct message *messages;
static size_t count;
static const char *brokers, *topic;
static uint64_t interval;

static void nap(uint64_t ns)
{
	const struct timespec t = { .tv_nsec = (long)ns };

	nanosleep(&t, NULL);
}

static rd_kafka_conf_t *configure(const char *const *pairs)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	for (; *pairs; pairs += 2)
		if (rd_kafka_conf_set(conf, pairs[0], pairs[1], why, sizeof(why)))
			bench_die(pairs[0], why);
	return conf;
}

static rd_kafka_t *open_kafka(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char why[256];
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));

	if (!rk)
		bench_die("kafka", why);
	return rk;
}

/* No message waits for another one: linger.ms is 0. */
static void *produce(void *arg)
{
	const char *const pairs[] = {
		"bootstrap.servers", brokers, "linger.ms", "0", NULL,
	};
	rd_kafka_t *rk = open_kafka(RD_KAFKA_PRODUCER, configure(pairs));
	uint64_t next = bench_now();
	char key[24], value[64];
	size_t i;

	for (i = 0; i < count; i++, next += interval) {
		while (bench_now() < next)
			nap(NAP_NS);
		snprintf(key, sizeof(key), "%zu", i);
		snprintf(value, sizeof(value), "{\"price\":%zu,\"stock\":1}", i);
		messages[i].sent = bench_now();
		if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
				      RD_KAFKA_V_KEY(key, strlen(key)),
				      RD_KAFKA_V_VALUE(value, strlen(value)),
				      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END))
			bench_die("produce", "refused");
		rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, 10000))
		bench_die("produce", "not delivered");
	rd_kafka_destroy(rk);
	return arg;
}

static void *consume(void *arg)
{
	const char *const pairs[] = {
		"bootstrap.servers", brokers, "group.id", "bench-delay",
		"enable.auto.commit", "false", "auto.offset.reset", "earliest",
		"fetch.wait.max.ms", "5", NULL,
	};
	rd_kafka_t *rk = open_kafka(RD_KAFKA_CONSUMER, configure(pairs));
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_message_t *m;
	size_t n = 0;

	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 0;
	rd_kafka_assign(rk, list);
	while (n < count) {
		m = rd_kafka_consumer_poll(rk, 100);
		if (m && !m->err && (size_t)m->offset < count) {
			messages[m->offset].consumed = bench_now();
			n++;
		}
		if (m)
			rd_kafka_message_destroy(m);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return arg;
}

/* All of a commit come into sight at once. */
static size_t look(const struct shelf *s, size_t n)
{
	uint64_t now = bench_now();
	struct shelf_product p;

	while (n < count && shelf_get(s, (__s64)n, &p) > 0 && p.price == (__s64)n)
		messages[n++].seen = now;
	return n;
}

static void watch(const struct shelf *s)
{
	__u64 generation = 0, now;
	uint64_t last = bench_now();
	size_t n = 0;

	while (n < count) {
		now = shelf_generation(s);
		if (now != generation) {
			n = look(s, n);
			generation = now;
			last = bench_now();
		}
		if (bench_now() - last > PATIENCE)
			bench_die("the shelf", "a message does not come");
		nap(NAP_NS);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void figure(const char *name, double *ms)
{
	qsort(ms, count, sizeof(*ms), ascending);
	printf("%s\t%.2f\t%.2f\t%.2f\t%.2f\n", name, bench_quantile(ms, count, 0.5),
	       bench_quantile(ms, count, 0.9), bench_quantile(ms, count, 0.99), ms[count - 1]);
}

int main(int argc, char **argv)
{
	pthread_t producer, consumer;
	struct shelf *s;
	double *ms;
	size_t i;

	if (argc != 6 || atof(argv[4]) <= 0) {
		fputs("usage: delay BROKERS TOPIC SHELF RATE SECONDS\n", stderr);
		return 2;
	}
	brokers = argv[1];
	topic = argv[2];
	interval = (uint64_t)(1e9 / atof(argv[4]));
	count = (size_t)(atof(argv[4]) * atof(argv[5]));
	messages = calloc(count, sizeof(*messages));
	ms = calloc(count, sizeof(*ms));
	if (!count || !messages || !ms)
		bench_die("messages", "none, or no memory for them");
	if (shelf_open(argv[3], 0, &s))
		bench_die(argv[3], "cannot be opened");
	if (pthread_create(&consumer, NULL, consume, NULL) ||
	    pthread_create(&producer, NULL, produce, NULL))
		bench_die("threads", "none");
	watch(s);
	pthread_join(producer, NULL);
	pthread_join(consumer, NULL);
	for (i = 0; i < count; i++)
		ms[i] = (double)(messages[i].consumed - messages[i].sent) / 1e6;
	figure("consumer", ms);
	for (i = 0; i < count; i++)
		ms[i] = (double)(messages[i].seen - messages[i].sent) / 1e6;
	figure("shelf", ms);
	shelf_close(s);
	free(messages);
	free(ms);
	return 0;
}
