// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

#define TIMEOUT_MS	10000

static bool wanted(const struct options *o, __s32 id)
{
	size_t i;

	for (i = 0; i < o->partitions; i++)
		if (o->partition[i] == id)
			return true;
	return !o->partitions;
}

static bool there(const struct parts *parts, const struct topic *t, __s32 id)
{
	size_t i;

	for (i = 0; i < parts->n; i++)
		if (parts->of[i].topic == t && parts->of[i].id == id)
			return true;
	return false;
}

static void add(struct follow *f, const struct topic *t, __s32 id)
{
	struct parts *parts = &f->parts;
	struct part *p;

	parts->of = xalloc(parts->of, parts->n + 1, sizeof(*parts->of));
	p = &parts->of[parts->n++];
	*p = (struct part){
		.topic = t, .id = id, .end = -1, .target = -1, .begin = -1, .late = f->assigned,
	};
	snprintf(p->source, sizeof(p->source), "%s/%d", t->name, id);
}

/* Partitions are never taken from a topic. */
static void find(struct follow *f, const struct topic *t)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(f->kafka, t->name, NULL);
	const struct rd_kafka_metadata *meta;
	rd_kafka_resp_err_t err = rd_kafka_metadata(f->kafka, 0, handle, &meta, TIMEOUT_MS);
	int i;

	rd_kafka_topic_destroy(handle);
	if (err) {
		state_set(f, f->phase, "topic %s: %s", t->name, rd_kafka_err2str(err));
		return;
	}
	if (meta->topic_cnt == 1 && meta->topics[0].err)
		state_set(f, f->phase, "topic %s: %s", t->name,
			  rd_kafka_err2str(meta->topics[0].err));
	for (i = 0; meta->topic_cnt == 1 && i < meta->topics[0].partition_cnt; i++) {
		__s32 id = meta->topics[0].partitions[i].id;

		if (wanted(&f->opt, id) && !there(&f->parts, t, id))
			add(f, t, id);
	}
	rd_kafka_metadata_destroy(meta);
}

static bool any(const struct parts *parts, const struct topic *t)
{
	size_t i;

	for (i = 0; i < parts->n; i++)
		if (parts->of[i].topic == t)
			return true;
	return false;
}

bool parts_find(struct follow *f)
{
	bool all = true;
	size_t i;

	for (i = 0; i < f->opt.topics && !follow_stopped(); i++) {
		find(f, &f->opt.topic[i]);
		all &= any(&f->parts, &f->opt.topic[i]);
	}
	return all && f->parts.n > f->assigned;
}

struct part *parts_of(struct follow *f, const rd_kafka_message_t *m)
{
	static size_t last;
	const char *name;
	size_t i;

	if (!m->rkt)
		return NULL;
	name = rd_kafka_topic_name(m->rkt);
	for (i = 0; i < f->parts.n; i++) {
		struct part *p = &f->parts.of[(last + i) % f->parts.n];

		if (p->id == m->partition && !strcmp(p->topic->name, name)) {
			last = (last + i) % f->parts.n;
			return p;
		}
	}
	return NULL;
}

/*
 * Where nobody answers in time the others are not asked for: a partition without a
 * target has ended when the broker says so.
 */
void parts_aim(struct follow *f)
{
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
	int64_t low, high;
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		p->ended = false;
		p->target = -1;
		if (err == RD_KAFKA_RESP_ERR__TIMED_OUT || follow_stopped())
			continue;
		err = rd_kafka_query_watermark_offsets(f->kafka, p->topic->name, p->id,
						       &low, &high, TIMEOUT_MS);
		if (!err)
			p->target = high;
	}
}

/* 1, 0: not known, or a negative errno. */
static int position(const struct follow *f, const struct part *p, __s64 *next)
{
	struct shelf_source at;
	int ret = shelf_source(f->shelf, p->source, &at, NULL);

	if (ret > 0)
		*next = (__s64)at.last + 1;
	return ret;
}

/* Where the end was must not move when we begin again before the first commit. */
static __s64 beginning(const struct follow *f, const struct part *p)
{
	size_t i;

	if (!f->opt.from_end || p->late)
		return RD_KAFKA_OFFSET_BEGINNING;
	for (i = 0; i < f->parts.n; i++)
		if (f->parts.of[i].known && f->parts.of[i].topic == p->topic)
			return RD_KAFKA_OFFSET_BEGINNING;
	return p->begin < 0 ? RD_KAFKA_OFFSET_END : p->begin;
}

int parts_read(struct follow *f)
{
	int ret = 0;
	size_t i;

	for (i = 0; ret >= 0 && i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		ret = position(f, p, &p->next);
		p->known = ret > 0;
		p->looked = p->marked = p->dropped = p->ended = p->behind_marker = false;
		p->seen = 0;
	}
	for (i = 0; ret >= 0 && i < f->parts.n; i++)
		if (!f->parts.of[i].known)
			f->parts.of[i].next = beginning(f, &f->parts.of[i]);
	return ret < 0 ? ret : 0;
}

/* Who has a shelf open that was destroyed goes on to read it. */
bool parts_alive(const struct follow *f)
{
	struct shelf_ioc_info info;

	return !shelf_info(f->shelf, &info) && !info.dead;
}

bool parts_unmoved(struct follow *f)
{
	__s64 next = 0;
	size_t i;
	int ret;

	if (!parts_alive(f))
		return false;
	for (i = 0; i < f->parts.n; i++) {
		ret = position(f, &f->parts.of[i], &next);
		if (ret < 0 || (ret > 0) != f->parts.of[i].known ||
		    (ret && next != f->parts.of[i].next))
			return false;
	}
	return true;
}

static rd_kafka_topic_partition_t *list(rd_kafka_topic_partition_list_t *l,
					const struct part *p)
{
	return rd_kafka_topic_partition_list_add(l, p->topic->name, p->id);
}

/*
 * To pause or resume makes librdkafka forget what it fetched, also of what is paused or
 * not already: it is asked for what changes alone.
 */
static void pause(struct follow *f, bool all)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		if (p->paused || !(all || p->marked))
			continue;
		list(l, p);
		p->paused = true;
	}
	if (l->cnt)
		rd_kafka_pause_partitions(f->kafka, l);
	rd_kafka_topic_partition_list_destroy(l);
}

void parts_pause(struct follow *f)
{
	pause(f, true);
}

void parts_pause_marked(struct follow *f)
{
	pause(f, false);
}

static void resume(struct follow *f)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		if (f->parts.of[i].paused)
			list(l, &f->parts.of[i]);
		f->parts.of[i].paused = false;
	}
	if (l->cnt)
		rd_kafka_resume_partitions(f->kafka, l);
	rd_kafka_topic_partition_list_destroy(l);
}

/*
 * What was fetched for the assignment before is not given out any more. It is resumed
 * while nothing is assigned: to resume afterwards would fetch from where it was paused.
 */
void parts_assign(struct follow *f)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)f->parts.n);
	rd_kafka_resp_err_t err;
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		list(l, &f->parts.of[i])->offset = f->whole ? RD_KAFKA_OFFSET_BEGINNING :
						    f->parts.of[i].next;
	f->assigned = f->parts.n;
	rd_kafka_assign(f->kafka, NULL);
	resume(f);
	err = rd_kafka_assign(f->kafka, l);
	rd_kafka_topic_partition_list_destroy(l);
	if (err)
		say("partitions can't be assigned: %s", rd_kafka_err2str(err));
}

/*
 * Of its batch nothing is committed yet, so it goes on behind what was looked at, also
 * if something was dropped.
 */
bool parts_resume_one(struct follow *f, struct part *p)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
	rd_kafka_error_t *err = NULL;
	bool good;

	list(l, p)->offset = p->seen;
	if (p->dropped)
		err = rd_kafka_seek_partitions(f->kafka, l, TIMEOUT_MS);
	good = !err && !l->elems[0].err;
	rd_kafka_error_destroy(err);
	p->marked = p->dropped = p->paused = false;
	rd_kafka_resume_partitions(f->kafka, l);
	rd_kafka_topic_partition_list_destroy(l);
	return good;
}

/* What came behind a marker nevertheless, and was dropped, is fetched again. */
void parts_resume_marked(struct follow *f)
{
	bool again = false;
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		again |= f->parts.of[i].dropped;
		f->parts.of[i].marked = f->parts.of[i].dropped = false;
	}
	if (again)
		parts_assign(f);
	else
		resume(f);
}

void parts_commit(struct follow *f)
{
	rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)f->parts.n);
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (f->parts.of[i].known)
			list(l, &f->parts.of[i])->offset = f->parts.of[i].next;
	if (l->cnt)
		rd_kafka_commit(f->kafka, l, 1);
	rd_kafka_topic_partition_list_destroy(l);
}
