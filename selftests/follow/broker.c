// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A broker that speaks Kafka's protocol over TCP, librdkafka's mock cluster, as a process
 * of its own: it prints where it listens, and then does what its standard input says.
 *
 *	topic NAME PARTITIONS
 *	down			all connections are cut, and none is taken
 *	up
 *	rtt MILLISECONDS	that each answer takes
 *	leader TOPIC PARTITION BROKER
 *	refuse API ERROR N	the next N requests of that kind: numbers of the protocol
 *
 * It prints "ok" or why not for each line, and ends with its input. A partition keeps
 * its last 5 MB or 100,000 messages.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rd_kafka_resp_err_t obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	char name[256];
	int a, b, n;

	if (sscanf(line, "topic %255s %d", name, &a) == 2)
		return rd_kafka_mock_topic_create(cluster, name, a, 1);
	if (sscanf(line, "leader %255s %d %d", name, &a, &b) == 3)
		return rd_kafka_mock_partition_set_leader(cluster, name, a, b);
	if (sscanf(line, "refuse %d %d %d", &a, &b, &n) == 3) {
		while (n-- > 0)
			rd_kafka_mock_push_request_errors(cluster, (int16_t)a, 1,
							  (rd_kafka_resp_err_t)b);
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (sscanf(line, "rtt %d", &a) == 1)
		return rd_kafka_mock_broker_set_rtt(cluster, -1, a);
	if (!strcmp(line, "down\n"))
		return rd_kafka_mock_broker_set_down(cluster, -1);
	if (!strcmp(line, "up\n"))
		return rd_kafka_mock_broker_set_up(cluster, -1);
	return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

int main(int argc, char **argv)
{
	int brokers = argc > 1 ? atoi(argv[1]) : 1;
	rd_kafka_mock_cluster_t *cluster;
	rd_kafka_resp_err_t err;
	char line[512], why[256];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));

	if (!rk) {
		fprintf(stderr, "broker: %s\n", why);
		return 1;
	}
	cluster = rd_kafka_mock_cluster_new(rk, brokers);
	if (!cluster)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	while (fgets(line, sizeof(line), stdin)) {
		err = obey(cluster, line);
		puts(err ? rd_kafka_err2str(err) : "ok");
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
