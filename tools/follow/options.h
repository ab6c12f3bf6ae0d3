/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_FOLLOW_OPTIONS_H
#define SHELF_FOLLOW_OPTIONS_H

#include <librdkafka/rdkafka.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define PARTITIONS_MAX	1024

/* @map: "product" or "catalog", what its keys are, or NULL: its messages say that */
struct topic {
	char *name;
	const char *map;
};

/**
 * struct options
 * @name: of this follower, for its state
 * @partition: those of all topics, if not all of them
 * @every_ns, @messages: a batch has a message for so long, or so many
 * @marker: it ends with a marker alone
 * @compacted: a topic has the last message of each key, and so all there is
 * @from_end: where to begin if the shelf has no position
 * @skip: a message that is no operation is passed over; @stop: that was refused
 * @max_change, @dangling: guards, -1: those of the shelf
 */
struct options {
	char *name;
	char *config;
	char *shelf;
	char *brokers;
	char *group;
	char *dead_letter;
	char *metrics;
	char *state_dir;
	struct topic *topic;
	size_t topics;
	__s32 partition[PARTITIONS_MAX];
	size_t partitions;
	bool binary_key;
	__s64 every_ns;
	__u64 messages;
	bool marker;
	bool compacted;
	bool from_end;
	bool skip;
	bool stop;
	int max_change;
	int dangling;
	bool once;
	bool status;
	bool json;
	rd_kafka_conf_t *conf;
};

/* A status, having told; below 0: nothing is left to be done. */
int options_parse(int argc, char **argv, struct options *o);
void options_free(struct options *o);

#endif /* SHELF_FOLLOW_OPTIONS_H */
