// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P6: each message's effect is there once. The shelf has the position of each partition,
 * in the snapshot that has the messages before it, so there is nothing here to be kept:
 * whatever goes wrong, we begin again at the shelf's positions.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "follow.h"

#define POLL_MS		100
#define DELAY_FIRST_NS	1000000LL
#define DELAY_MIN_NS	50000000LL
#define DELAY_MAX_NS	30000000000LL
#define LOOK_NS		60000000000LL	/* for partitions that are new */
#define IDLE_NS		1000000000LL	/* at the shelf, where no batch is under way */

static volatile sig_atomic_t stopped;

void follow_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void end(struct follow *f, int status)
{
	f->status = status;
	stopped = 1;
}

static bool all_ended(const struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (!f->parts.of[i].ended)
			return false;
	return true;
}

/* --- after a refusal, and at the beginning --- */

static void close_shelf(struct follow *f)
{
	batch_drop(f);
	if (f->writer)
		shelf_writer_close(f->writer);
	if (f->shelf)
		shelf_close(f->shelf);
	f->writer = NULL;
	f->shelf = NULL;
}

static int open_shelf(struct follow *f, struct shelf_error *err)
{
	int ret;

	close_shelf(f);
	ret = shelf_open(f->opt.shelf, 0, &f->shelf);
	if (ret) {
		f->shelf = NULL;
		*err = (struct shelf_error){ .error = ret };
		snprintf(err->message, sizeof(err->message), "%s",
			 ret == -EINVAL ? "not a shelf" : strerror(-ret));
		return ret;
	}
	if (!shelf_writer_open(f->opt.shelf, &f->writer, err))
		return 0;
	f->writer = NULL;
	return err->error;
}

/* Twice as long each time, and nothing is fetched meanwhile. */
static void begin_after(struct follow *f, __s64 first_ns)
{
	batch_drop(f);
	f->delay_ns = f->delay_ns ? 2 * f->delay_ns : first_ns;
	if (f->delay_ns > DELAY_MAX_NS)
		f->delay_ns = DELAY_MAX_NS;
	f->wait_ns = clock_ns() + f->delay_ns;
	parts_pause(f);
}

/* At once, if it is the first time. */
static void again(struct follow *f)
{
	begin_after(f, DELAY_FIRST_NS);
}

static void wait(struct follow *f)
{
	begin_after(f, DELAY_MIN_NS);
}

static void refused(struct follow *f, const struct shelf_error *err)
{
	f->counts.refusals++;
	state_set(f, WAITING, "%s: %s", f->opt.shelf, err->message);
	wait(f);
}

static void go_on(struct follow *f)
{
	enum phase phase = f->ready ? FOLLOWING : CATCHING_UP;

	state_set(f, f->whole ? LOADING : phase, "%s", "");
}

/* From the beginning: what was fetched is of no use. */
static void load(struct follow *f)
{
	batch_drop(f);
	f->whole = true;
	f->counts.loads++;
	parts_aim(f);
	state_set(f, LOADING, "all of the topics, to replace what the shelf has");
}

static bool any_known(const struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (f->parts.of[i].known)
			return true;
	return false;
}

/* Begins again where the shelf stands. */
static void rewind_all(struct follow *f)
{
	struct shelf_error err;
	int ret = open_shelf(f, &err);

	f->wait_ns = 0;
	if (!ret) {
		ret = parts_read(f);
		snprintf(err.message, sizeof(err.message), "its positions can't be read: %s",
			 strerror(-ret));
	}
	if (ret) {
		refused(f, &err);
		return;
	}
	f->counts.rewinds += f->assigned > 0;
	f->generation = shelf_generation(f->shelf);
	if (f->whole || (f->opt.compacted && !any_known(f)))
		load(f);
	else if (f->phase != WAITING)	/* which it is until something goes through */
		go_on(f);
	parts_assign(f);
}

/* --- the end of a batch --- */

/* What lies behind the commit was looked at in a batch that was refused. */
static void forget(struct follow *f)
{
	size_t i, n;

	for (i = n = 0; i < f->bads; i++)
		if (f->bad[i].at.offset >= f->parts.of[f->bad[i].at.part].next)
			f->bad[n++] = f->bad[i];
	f->bads = n;
	for (i = n = 0; i < f->lettered.n; i++)
		if (f->lettered.of[i].offset >= f->parts.of[f->lettered.of[i].part].next)
			f->lettered.of[n++] = f->lettered.of[i];
	f->lettered.n = n;
}

static void taken(struct follow *f, const struct shelf_result *r)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		if (!p->looked)
			continue;
		p->known = p->seen > 0;
		p->next = p->seen;
		p->looked = false;
	}
	f->generation = r->generation;
	f->counts.commits++;
	f->counts.messages += f->messages;
	f->counts.rejected += f->rejected;
	if (r->dangling)
		say("%s", r->warning);
	if (f->whole)
		say("loaded: generation %llu, products %llu, catalogs %llu", r->generation,
		    r->products, r->catalogs);
	f->whole = false;
	forget(f);
	f->delay_ns = 0;
	f->limit += f->limit / 8 + 1;
	if (f->limit > f->opt.messages)
		f->limit = f->opt.messages;
	batch_drop(f);
	parts_resume_marked(f);
	if (f->opt.group)
		parts_commit(f);
	go_on(f);
}

static void stop_at(struct follow *f, struct place at, const char *why)
{
	const struct part *p = &f->parts.of[at.part];

	state_set(f, STOPPED, "%s/%d offset %lld: %s", p->topic->name, p->id, at.offset, why);
	batch_drop(f);
	end(f, STATUS_POISON);
}

/* What a message says may be right, and wrong for the shelf that it comes to. */
static bool is_messages_fault(const struct follow *f, const struct shelf_error *err)
{
	static const int faults[] = { -ENOENT, -EINVAL, -EEXIST, -ERANGE, -EMSGSIZE };
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (err->error == faults[i])
			return err->has_op && err->op < f->ops;
	return false;
}

/*
 * The batch is made again, without it; and what is in front of it is made first, so that
 * many of them don't cost as many times all.
 */
static void message_refused(struct follow *f, __u64 op, const struct shelf_error *err)
{
	struct place at = batch_place(f, op);
	__u64 before = batch_messages(f, op);
	struct bad *bad;

	if (!f->opt.skip) {
		stop_at(f, at, err->message);
		return;
	}
	f->bad = xalloc(f->bad, f->bads + 1, sizeof(*f->bad));
	bad = &f->bad[f->bads++];
	bad->at = at;
	strcpy(bad->why, err->message);
	if (!f->whole && !f->opt.marker && before < f->limit)
		f->limit = before ? before : 1;
	batch_drop(f);
	f->wait_ns = 1;
}

/* More than the shelf takes in one batch, though it is the only one. */
static bool is_too_large(const struct follow *f, const struct shelf_error *err)
{
	return err->error == -EDQUOT && f->messages == 1 && f->marks && !f->whole &&
	       !f->opt.marker;
}

static void not_taken(struct follow *f, const struct shelf_error *err)
{
	if (is_messages_fault(f, err)) {
		message_refused(f, err->op, err);
	} else if (is_too_large(f, err)) {
		message_refused(f, 0, err);
	} else if (err->error == -EILSEQ || err->error == -ESTALE) {
		say("%s: %s: begins again at its positions", f->opt.shelf, err->message);
		again(f);
	} else {
		/* More than the shelf takes in one batch: half of it, unless it is one delta. */
		if (err->error == -EDQUOT && !f->whole && !f->opt.marker)
			f->limit = f->messages > 1 ? f->messages / 2 : 1;
		refused(f, err);
	}
}

static void commit(struct follow *f)
{
	struct shelf_result r;
	struct shelf_error err;

	if (batch_commit(f, &r, &err))
		not_taken(f, &err);
	else
		taken(f, &r);
}

/*
 * What is loaded may end with a marker, behind which there are none but the marks of
 * transactions; and it may be nothing.
 */
static bool is_empty(const struct follow *f, const struct part *p)
{
	return f->whole && p->ended && !p->seen;
}

static void mark_ended(struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (f->parts.of[i].ended && f->parts.of[i].behind_marker)
			f->parts.of[i].marked = true;
	parts_pause_marked(f);
}

/* Of markers with numbers the partitions with lower ones go on to the highest. */
static bool at_marker(struct follow *f)
{
	bool all = true, any = false, ahead = false;
	__s64 highest = -1;
	size_t i;

	if (f->whole && all_ended(f))
		mark_ended(f);
	for (i = 0; i < f->parts.n; i++) {
		const struct part *p = &f->parts.of[i];

		all &= p->marked || is_empty(f, p);
		any |= p->marked;
		if (p->marked && p->number > highest)
			highest = p->number;
	}
	for (i = 0; all && i < f->parts.n; i++) {
		struct part *p = &f->parts.of[i];

		if (!p->marked || p->number >= highest)
			continue;
		ahead = true;
		if (!parts_resume_one(f, p)) {
			again(f);
			return false;
		}
	}
	return all && any && !ahead;
}

static bool is_due(struct follow *f)
{
	if (f->opt.marker)
		return at_marker(f);
	if (f->whole)
		return all_ended(f);
	if (!f->began_ns)
		return false;
	return f->messages >= f->limit || clock_ns() - f->began_ns >= f->opt.every_ns ||
	       (f->opt.once && all_ended(f));
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
		go_on(f);
	if (f->opt.once)
		end(f, STATUS_OK);
}

/* --- messages --- */

static void poison(struct follow *f, struct place at, const rd_kafka_message_t *m,
		   const char *why)
{
	if (!f->opt.skip) {
		stop_at(f, at, why);
		return;
	}
	say("%s/%d offset %lld is passed over: %s", rd_kafka_topic_name(m->rkt), m->partition,
	    (long long)m->offset, why);
	f->rejected++;
	letter_keep(f, at, m, why);
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
			not_taken(f, &err);
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
		wait(f);
		return;
	}
	/* It may be told late: of what is loaded already, or was looked at before. */
	if (f->whole || (p->next >= low && p->next <= high)) {
		again(f);
		return;
	}
	if (f->opt.compacted) {
		say("%s is to go on at %lld, and the topic has %lld to %lld: loads all of it",
		    p->source, p->next, (__s64)low, (__s64)high - 1);
		f->whole = true;
		again(f);
		return;
	}
	state_set(f, STOPPED, "%s is to go on at %lld, and the topic has %lld to %lld: bring the "
		  "shelf back from a later checkpoint, or load it anew (--compacted)", p->source,
		  p->next, (__s64)low, (__s64)high - 1);
	end(f, STATUS_LOST);
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
		go_on(f);
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
		rewind_all(f);
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
	again(f);
}

static void step(struct follow *f)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(f->kafka, poll_ms(f));

	if (m && !f->wait_ns)
		event(f, m);
	if (m)
		rd_kafka_message_destroy(m);
	if (f->wait_ns && clock_ns() >= f->wait_ns)
		rewind_all(f);
	if (!f->wait_ns && !stopped && is_due(f))
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
		rewind_all(f);
	}
	while (!stopped)
		step(f);
	sd_notify(0, "STOPPING=1");
	close_shelf(f);
	if (f->phase != STOPPED)
		state_set(f, STOPPED, "%s", "");
	return f->status;
}
