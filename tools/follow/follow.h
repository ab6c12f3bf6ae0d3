/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * shelf-follow: what its files share.
 *
 * Each file has one part of the way from a topic to a generation:
 *
 *	options.c	what was asked for, on the command line or in a file
 *	parts.c		partitions: which there are, and where the shelf stands in each
 *	message.c	a message as an operation, or why it is none
 *	batch.c		operations on their way into one commit
 *	sighted.c	ids, when the topic is to replace all that there is
 *	letter.c	messages that are no operations, for another topic
 *	places.c	messages by partition and offset
 *	state.c		what is told to people and their tools
 *	commit.c	when a batch ends, and what follows
 *	again.c		beginning where the shelf stands
 *	loop.c		what comes next
 */
#ifndef SHELF_FOLLOW_H
#define SHELF_FOLLOW_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>

#include "../lib/clock.h"
#include "../lib/shelf.h"
#include "../line/line.h"
#include "../line/marks.h"
#include "options.h"

/* Exit statuses. */
enum {
	STATUS_OK,
	STATUS_REFUSED,		/* the shelf, the broker or the system said no */
	STATUS_USAGE,
	STATUS_LOST,		/* the topic no longer has what comes next */
	STATUS_POISON,		/* a message is no operation */
};

/**
 * struct part - a partition
 * @source: what its position is called in the shelf, TOPIC/PARTITION
 * @known: the shelf has a position
 * @next: offset that follows what the shelf has; if not @known, RD_KAFKA_OFFSET_...
 * @seen: offset behind the last message that was looked at
 * @looked: @seen is one; since the last commit or rewind there was a message
 * @first: offset of the first of these, for a partition that isn't @known
 * @end: of the partition, as last heard of
 * @target: its end when we began
 * @ended: we have come to it, or to any end
 * @late: it was not there when we began
 * @begin: where that was, of one that is not known, -1: that is not known either
 * @paused: the broker is not asked for more
 * @behind_marker: the last message was a marker, with this @number, -1: none
 * @marked: it waits at that marker for others
 * @dropped: a message that came all the same was thrown away
 */
struct part {
	const struct topic *topic;
	__s32 id;
	char source[SHELF_SOURCE_MAX + 1];
	bool known;
	__s64 next;
	__s64 seen;
	bool looked;
	__s64 first;
	__s64 end;
	__s64 target;
	bool ended;
	bool late;
	__s64 begin;
	bool paused;
	bool behind_marker;
	bool marked;
	__s64 number;
	bool dropped;
};

struct parts {
	struct part *of;
	size_t n;
};

/* A message by where it is. */
struct place {
	size_t part;
	__s64 offset;
};

struct places {
	struct place *of;
	size_t n;
	size_t room;
};

/* A message that the shelf refused, and what it said. */
struct bad {
	struct place at;
	char why[256];
};

enum phase {
	CONNECTING,
	LOADING,		/* all of a topic, to replace what there is */
	CATCHING_UP,
	FOLLOWING,
	WAITING,		/* after a refusal */
	STOPPED,
};

struct counts {
	__u64 messages;		/* that commits took */
	__u64 commits;
	__u64 rejected;
	__u64 refusals;
	__u64 rewinds;
	__u64 loads;
};

/**
 * struct follow
 * @assigned: how many of the partitions are
 * @whole: the batch begins with the beginning of the topics, and replaces everything
 * @began_ns: when the first message of the batch came, 0: there is none
 * @messages: in the batch
 * @ops: in the batch, to find a message again by @marks, which counts in @placed
 * @bad: messages that the shelf refused, and that are passed over the next time
 * @rejected: messages of the batch that are passed over, in number
 * @lettered: those whose letters are sent, since the last commit
 * @wait_ns: until when nothing is tried again, and @delay_ns: how long that was
 */
struct follow {
	struct options opt;
	rd_kafka_t *kafka;
	rd_kafka_t *letters;
	struct shelf *shelf;
	struct shelf_writer *writer;
	struct shelf_batch *batch;
	struct parts parts;
	size_t assigned;
	struct line line;
	bool whole;
	struct sighted *sighted;
	__s64 began_ns;
	__u64 messages;
	__u64 limit;
	__u64 ops;
	struct marks marks;
	struct places placed;
	struct bad *bad;
	size_t bads;
	__u64 rejected;
	struct places lettered;
	struct letter *letter;
	size_t letter_count;
	size_t letter_room;
	__s64 wait_ns;
	__s64 delay_ns;
	__s64 looked_ns;
	__s64 idle_ns;
	enum phase phase;
	char why[512];
	int status;
	bool ready;
	struct counts counts;
	__u64 generation;
	int lock;
	__s64 told_ns;
	__s64 since;
};

/* state.c */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One follower of a name; a status, having told. */
int state_open(struct follow *f);
void state_set(struct follow *f, enum phase to, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Tells it, if it is time or @now. */
void state_tell(struct follow *f, bool now);
/* Ready, for systemd; told once. */
void state_ready(struct follow *f);
int state_show(const struct options *o);

/* parts.c */
/* Which partitions there are; true: of each topic, and more than are assigned. */
bool parts_find(struct follow *f);
struct part *parts_of(struct follow *f, const rd_kafka_message_t *m);
/* Where the shelf stands, to @next of each; 0 or a negative errno. */
int parts_read(struct follow *f);
/* Whether the shelf that is open is there, and whether it still stands there. */
bool parts_alive(const struct follow *f);
bool parts_unmoved(struct follow *f);
/* Where partitions end now. */
void parts_aim(struct follow *f);
/* Fetches what follows @next, and nothing that was fetched before. */
void parts_assign(struct follow *f);
void parts_pause(struct follow *f);
void parts_pause_marked(struct follow *f);
void parts_resume_marked(struct follow *f);
/* From its marker on; false: it can't. */
bool parts_resume_one(struct follow *f, struct part *p);
/* For who watches lag by the broker. */
void parts_commit(struct follow *f);

/* message.c */
enum message {
	MESSAGE_OP,		/* in @l */
	MESSAGE_MARKER,		/* its number in @l->change.id, -1: none */
	MESSAGE_POISON,		/* @why */
};

#define WHY_MAX	400
enum message message_read(const struct options *o, const struct topic *t,
			  const rd_kafka_message_t *m, struct line *l, char *why);

/* batch.c: 0, or below it: @err is set, and the batch is to be dropped */
int batch_stage(struct follow *f, struct place at, struct shelf_error *err);
int batch_commit(struct follow *f, struct shelf_result *r, struct shelf_error *err);
void batch_drop(struct follow *f);
/* Which message an operation is of. */
struct place batch_place(const struct follow *f, __u64 op);
/* How many messages have operations in front of it. */
__u64 batch_messages(const struct follow *f, __u64 op);

/* sighted.c: the ids of the line that is to be staged, seen for the first time or not */
int sighted_stage(struct follow *f, struct shelf_error *err);
/* What the shelf has and no message named goes; @generation: that it has it in. */
int sighted_finish(struct follow *f, __u64 *generation, struct shelf_error *err);
void sighted_free(struct follow *f);

/* letter.c */
int letter_open(struct follow *f);
/* 0, or a negative errno: there is no room for it here, and the broker takes none. */
int letter_keep(struct follow *f, struct place at, const rd_kafka_message_t *m,
		const char *why, struct shelf_error *err);
/* All of them are with the broker, or a negative errno. */
int letter_send(struct follow *f, struct shelf_error *err);
void letter_drop(struct follow *f);

/* places.c */
void places_add(struct places *p, struct place at);
void places_sort(struct places *p);
/* Of what is sorted. */
bool places_have(const struct places *p, struct place at);

/* commit.c */
/* Whether it is time for one. */
bool commit_due(struct follow *f);
void commit(struct follow *f);
/* To take it, or a part of it. */
void commit_refused(struct follow *f, const struct shelf_error *err);
/* Stops: what is there is no operation. */
void commit_poison(struct follow *f, struct place at, const char *why);

/* again.c */
/* Now, where the shelf stands. */
void again(struct follow *f);
/* Soon; the second time in a row, less so. */
void again_soon(struct follow *f);
/* Somewhat later each time. */
void again_later(struct follow *f);
void again_refused(struct follow *f, const struct shelf_error *err);
/* The phase without trouble. */
void again_good(struct follow *f);
void again_close(struct follow *f);

/* loop.c: a status */
int follow(struct follow *f);
void follow_stop(int sig);
bool follow_stopped(void);
void follow_end(struct follow *f, int status);
bool follow_all_ended(const struct follow *f);
void follow_error(rd_kafka_t *rk, int error, const char *why, void *arg);

#endif /* SHELF_FOLLOW_H */
