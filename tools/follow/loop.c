// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6: each message's effect is there once. The shelf has the position of each partition,
 * in the snapshot that has the messages before it, so there is nothing here to be kept:
 * whatever goes wrong, we begin again at the shelf's positions.
 */
#include <signal.h>
#include <systemd/sd-daemon.h>

#include "follow.h"

#define POLL_MS		100
#define LOOK_NS		60000000000LL	/* for partitions that are new */
#define IDLE_NS		1000000000LL	/* at the shelf, where no batch is under way */

static volatile sig_atomic_t stopped;

void follow_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

bool follow_stopped(void)
{
	return stopped;
}

void follow_end(struct follow *f, int status)
{
	f->status = status;
	stopped = 1;
}

bool follow_all_ended(const struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (!f->parts.of[i].ended)
			return false;
	return true;
}

/* What stands behind the last marker waits for the next one. */
static void look_if_ready(struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (!f->parts.of[i].ended && !f->parts.of[i].marked)
			return;
	if (f->whole || (f->began_ns && !f->opt.marker))
		return;
	state_ready(f);
	f->delay_ns = 0;
	if (f->phase != FOLLOWING)
		again_good(f);
	if (f->opt.once)
		follow_end(f, STATUS_OK);
}

/* --- messages --- */

static void poison(struct follow *f, struct place at, const rd_kafka_message_t *m,
		   const char *why)
{
	struct shelf_error err;

	if (!f->opt.skip) {
		commit_poison(f, at, why);
		return;
	}
	say("%s/%d offset %lld is passed over: %s", rd_kafka_topic_name(m->rkt), m->partition,
	    (long long)m->offset, why);
	f->rejected++;
	if (letter_keep(f, at, m, why, &err))
		again_refused(f, &err);
}

/* A load has them where it has come to the end. */
static void marker(struct follow *f, struct part *p)
{
	if (!f->opt.marker)
		return;
	p->behind_marker = true;
	p->number = f->line.change.id;
	if (f->whole)
		return;
	p->marked = true;
	parts_pause_marked(f);
}

static const char *refusal(const struct follow *f, struct place at)
{
	size_t i;

	for (i = 0; i < f->bads; i++)
		if (f->bad[i].at.part == at.part && f->bad[i].at.offset == at.offset)
			return f->bad[i].why;
	return NULL;
}

static void take(struct follow *f, struct part *p, const rd_kafka_message_t *m)
{
	struct place at = { (size_t)(p - f->parts.of), m->offset };
	const char *refused_for;
	struct shelf_error err;
	char why[WHY_MAX];

	p->behind_marker = false;
	refused_for = refusal(f, at);
	if (refused_for) {
		poison(f, at, m, refused_for);
		return;
	}
	switch (message_read(&f->opt, p->topic, m, &f->line, why)) {
	case MESSAGE_MARKER:
		marker(f, p);
		return;
	case MESSAGE_POISON:
		poison(f, at, m, why);
		return;
	case MESSAGE_OP:
		if (batch_stage(f, at, &err))
			commit_refused(f, &err);
	}
}

static void looked(struct part *p, __s64 first, __s64 behind)
{
	if (!p->looked)
		p->first = first;
	if (!p->known && p->begin < 0)
		p->begin = first;
	p->looked = true;
	p->seen = behind;
	if (p->target >= 0 && behind >= p->target)
		p->ended = true;
}

static void message(struct follow *f, struct part *p, const rd_kafka_message_t *m)
{
	__s64 from = p->looked ? p->seen : f->whole ? 0 : p->next;

	if (m->offset < from)
		return;
	if (p->marked) {
		p->dropped = true;
		return;
	}
	looked(p, m->offset, m->offset + 1);
	if (!f->began_ns)
		f->began_ns = clock_ns();
	f->messages++;
	take(f, p, m);
}

/*
 * What lies between the last message and the end are the marks of transactions, or
 * nothing any more.
 */
static void at_end(struct follow *f, struct part *p, __s64 offset)
{
	bool first = !p->known && !p->looked;

	p->end = offset;
	if (first && p->begin < 0)
		p->begin = offset;
	if (!p->marked && offset > 0 && offset > (p->looked ? p->seen : f->whole ? 0 : p->next))
		looked(p, offset - 1, offset);
	else if (!offset)
		p->looked = true;
	p->ended = true;
	/* So that it begins here once for all. */
	if (f->opt.from_end && first && p->looked && p->seen > 0 && !f->began_ns)
		f->began_ns = clock_ns();
}

static void lost(struct follow *f, const struct part *p)
{
	int64_t low = -1, high = -1;

	if (rd_kafka_query_watermark_offsets(f->kafka, p->topic->name, p->id, &low, &high, 5000)) {
		state_set(f, f->phase, "%s: where it begins can't be learnt", p->source);
		again_later(f);
		return;
	}
	/* It may be told late: of what is loaded already, or was looked at before. */
	if (f->whole || (p->next >= low && p->next <= high)) {
		again_soon(f);
		return;
	}
	if (f->opt.compacted) {
		say("%s is to go on at %lld, and the topic has %lld to %lld: loads all of it",
		    p->source, p->next, (__s64)low, (__s64)high - 1);
		f->lettered.n = 0;	/* of another topic of that name */
		f->whole = true;
		again_soon(f);
		return;
	}
	state_set(f, STOPPED, "%s is to go on at %lld, and the topic has %lld to %lld: bring the "
		  "shelf back from a later checkpoint, or load it anew (--compacted)", p->source,
		  p->next, (__s64)low, (__s64)high - 1);
	follow_end(f, STATUS_LOST);
}

static void event(struct follow *f, const rd_kafka_message_t *m)
{
	struct part *p = parts_of(f, m);

	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && p)
		at_end(f, p, m->offset);
	else if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && p)
		lost(f, p);
	else if (m->err)
		state_set(f, f->phase, "%s", rd_kafka_message_errstr(m));
	else if (p)
		message(f, p, m);
	if (p && *f->why && (f->phase == CATCHING_UP || f->phase == FOLLOWING))
		again_good(f);
}

void follow_error(rd_kafka_t *rk, int error, const char *why, void *arg)
{
	struct follow *f = arg;

	(void)rk;
	if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && f->phase != WAITING)
		state_set(f, f->phase, "no broker answers: %s", why);
}

/* --- the loop --- */

static int poll_ms(const struct follow *f)
{
	__s64 left;

	if (f->wait_ns)
		left = f->wait_ns - clock_ns();
	else if (f->began_ns && !f->opt.marker && !f->whole)
		left = f->began_ns + f->opt.every_ns - clock_ns();
	else
		return POLL_MS;
	left = left / 1000000 + 1;
	return left < 0 ? 0 : left < POLL_MS ? (int)left : POLL_MS;
}

static void look_for_parts(struct follow *f)
{
	if (clock_ns() - f->looked_ns < LOOK_NS || f->opt.partitions || f->wait_ns)
		return;
	f->looked_ns = clock_ns();
	if (parts_find(f)) {
		say("there are %zu partitions now", f->parts.n);
		parts_aim(f);
		again(f);
	}
}

/* Somebody may have made it anew, or brought it back, while there is nothing for it. */
static void look_at_shelf(struct follow *f)
{
	if (f->wait_ns || f->began_ns || f->whole || clock_ns() - f->idle_ns < IDLE_NS)
		return;
	f->idle_ns = clock_ns();
	if (parts_unmoved(f))
		return;
	say("%s: its positions were changed by others: begins again there", f->opt.shelf);
	again_soon(f);
}

static void step(struct follow *f)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(f->kafka, poll_ms(f));

	if (m && !f->wait_ns)
		event(f, m);
	if (m)
		rd_kafka_message_destroy(m);
	if (f->wait_ns && clock_ns() >= f->wait_ns)
		again(f);
	if (!f->wait_ns && !stopped && commit_due(f))
		commit(f);
	if (!f->wait_ns && !stopped)
		look_if_ready(f);
	if (!stopped)
		look_at_shelf(f);
	if (!stopped)
		look_for_parts(f);
	state_tell(f, false);
}

static void find_parts(struct follow *f)
{
	rd_kafka_message_t *m;

	while (!stopped && !parts_find(f)) {
		m = rd_kafka_consumer_poll(f->kafka, 1000);
		if (m)
			rd_kafka_message_destroy(m);
		state_tell(f, false);
	}
	f->looked_ns = clock_ns();
}

int follow(struct follow *f)
{
	f->limit = f->opt.messages;
	state_set(f, CONNECTING, "%s", "");
	find_parts(f);
	if (!stopped) {
		parts_aim(f);
		again(f);
	}
	while (!stopped)
		step(f);
	sd_notify(0, "STOPPING=1");
	again_close(f);
	if (f->phase != STOPPED)
		state_set(f, STOPPED, "%s", "");
	return f->status;
}
