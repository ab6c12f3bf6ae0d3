// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Messages that are no operations, for another topic: as they are, with headers that say
 * where they were and why. They are there before the commit that passes them over, so
 * after a crash in between one may be there twice, and none is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

#define TIMEOUT_MS	30000
#define BYTES_MAX	(1U << 20)	/* kept of one batch, before they are sent */

struct letter {
	struct place at;
	char *from;
	__s32 partition;
	__s64 offset;
	void *key;
	size_t key_len;
	void *value;
	size_t value_len;
	rd_kafka_headers_t *headers;
	char *why;
	bool sent;
	bool too_large;
};

static size_t kept_bytes;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct letter *l = m->_private;

	(void)rk;
	(void)opaque;
	l->sent = !m->err;
	l->too_large |= m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
	if (m->err)
		say("topic %s: %s", rd_kafka_topic_name(m->rkt), rd_kafka_err2str(m->err));
}

int letter_open(struct follow *f)
{
	rd_kafka_conf_t *conf;
	char why[256];

	if (!f->opt.dead_letter)
		return 0;
	conf = rd_kafka_conf_dup(f->opt.conf);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	if (rd_kafka_conf_set(conf, "enable.idempotence", "true", why, sizeof(why)))
		say("%s", why);
	f->letters = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (f->letters)
		return 0;
	rd_kafka_conf_destroy(conf);
	say("%s", why);
	return STATUS_REFUSED;
}

/* NULL stays NULL: a message without a value isn't one with an empty value. */
static void *copy(const void *from, size_t n)
{
	return from ? memcpy(xalloc(NULL, n + 1, 1), from, n) : NULL;
}

static size_t headers_bytes(const rd_kafka_headers_t *headers)
{
	size_t n = 0, i, size;
	const void *value;
	const char *name;

	for (i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++)
		n += strlen(name) + size;
	return n;
}

static void keep(struct follow *f, struct place at, const rd_kafka_message_t *m,
		 const char *why)
{
	rd_kafka_headers_t *headers = NULL;
	struct letter *l;

	if (f->letter_count == f->letter_room) {
		f->letter_room = f->letter_room ? f->letter_room * 2 : 16;
		f->letter = xalloc(f->letter, f->letter_room, sizeof(*f->letter));
	}
	l = &f->letter[f->letter_count++];
	if (rd_kafka_message_headers(m, &headers))
		headers = NULL;
	*l = (struct letter){
		.at = at,
		.from = copy(rd_kafka_topic_name(m->rkt), strlen(rd_kafka_topic_name(m->rkt)) + 1),
		.partition = m->partition, .offset = m->offset,
		.key = copy(m->key, m->key_len), .key_len = m->key_len,
		.value = copy(m->payload, m->len), .value_len = m->len,
		.headers = headers ? rd_kafka_headers_copy(headers) : rd_kafka_headers_new(4),
		.why = copy(why, strlen(why) + 1),
	};
	kept_bytes += sizeof(*l) + m->key_len + m->len + headers_bytes(l->headers);
}

/* A load may have more of them than there is room for. */
int letter_keep(struct follow *f, struct place at, const rd_kafka_message_t *m,
		const char *why, struct shelf_error *err)
{
	if (!f->opt.dead_letter || places_have(&f->lettered, at))
		return 0;
	keep(f, at, m, why);
	return kept_bytes < BYTES_MAX ? 0 : letter_send(f, err);
}

static void add_header(rd_kafka_headers_t *to, const char *name, const char *value)
{
	rd_kafka_header_add(to, name, -1, value, -1);
}

/* One that is too large with its headers goes without its value. */
static rd_kafka_resp_err_t post_once(struct follow *f, struct letter *l)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_copy(l->headers);
	rd_kafka_resp_err_t err;
	char text[32];

	add_header(headers, "shelf-topic", l->from);
	snprintf(text, sizeof(text), "%d", l->partition);
	add_header(headers, "shelf-partition", text);
	snprintf(text, sizeof(text), "%lld", l->offset);
	add_header(headers, "shelf-offset", text);
	add_header(headers, "shelf-reason", l->why);
	if (l->too_large)
		add_header(headers, "shelf-value", "left out: too large");
	err = rd_kafka_producev(f->letters, RD_KAFKA_V_TOPIC(f->opt.dead_letter),
				RD_KAFKA_V_KEY(l->key, l->key_len),
				RD_KAFKA_V_VALUE(l->too_large ? NULL : l->value,
						 l->too_large ? 0 : l->value_len),
				RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				RD_KAFKA_V_OPAQUE(l), RD_KAFKA_V_HEADERS(headers),
				RD_KAFKA_V_END);
	if (err)
		rd_kafka_headers_destroy(headers);
	return err;
}

static rd_kafka_resp_err_t post(struct follow *f, struct letter *l)
{
	rd_kafka_resp_err_t err = post_once(f, l);
	int tries;

	if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && !l->too_large) {
		l->too_large = true;
		err = post_once(f, l);
	}
	for (tries = 0; err == RD_KAFKA_RESP_ERR__QUEUE_FULL && tries < 300; tries++) {
		rd_kafka_poll(f->letters, 100);
		err = post_once(f, l);
	}
	return err;
}

/* @large: only those that were too large for the broker as they were. */
static rd_kafka_resp_err_t post_all(struct follow *f, bool large)
{
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
	size_t i;

	for (i = 0; !err && i < f->letter_count; i++)
		if (!large || (f->letter[i].too_large && !f->letter[i].sent))
			err = post(f, &f->letter[i]);
	return err ? err : rd_kafka_flush(f->letters, TIMEOUT_MS);
}

static int refused(const struct follow *f, rd_kafka_resp_err_t why, struct shelf_error *err)
{
	*err = (struct shelf_error){ .error = -EIO };
	snprintf(err->message, sizeof(err->message), "topic %s takes no dead letter: %s",
		 f->opt.dead_letter, why ? rd_kafka_err2str(why) : "not delivered");
	return err->error;
}

/*
 * Who has lost the order of what it sent sends nothing any more. Another one may send
 * some of it once more.
 */
static int renew(struct follow *f)
{
	if (f->letters && !rd_kafka_fatal_error(f->letters, NULL, 0))
		return 0;
	if (f->letters)
		rd_kafka_destroy(f->letters);
	return letter_open(f);
}

/* What was delivered is not sent again, whatever became of the rest. */
int letter_send(struct follow *f, struct shelf_error *err)
{
	rd_kafka_resp_err_t ret;
	bool all = true;
	size_t i;

	if (!f->letter_count)
		return 0;
	if (renew(f))
		return refused(f, RD_KAFKA_RESP_ERR__FATAL, err);
	ret = post_all(f, false);
	if (!ret)
		ret = post_all(f, true);
	if (ret) {
		rd_kafka_purge(f->letters, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_flush(f->letters, 1000);
	}
	for (i = 0; i < f->letter_count; i++) {
		if (f->letter[i].sent)
			places_add(&f->lettered, f->letter[i].at);
		all &= f->letter[i].sent;
	}
	places_sort(&f->lettered);
	if (!ret && all) {
		letter_drop(f);
		return 0;
	}
	return refused(f, ret, err);
}

void letter_drop(struct follow *f)
{
	size_t i;

	for (i = 0; i < f->letter_count; i++) {
		free(f->letter[i].from);
		free(f->letter[i].key);
		free(f->letter[i].value);
		free(f->letter[i].why);
		rd_kafka_headers_destroy(f->letter[i].headers);
	}
	f->letter_count = 0;
	kept_bytes = 0;
}
