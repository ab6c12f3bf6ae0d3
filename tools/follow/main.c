// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelf-follow: a shelf follows topics of Kafka.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return true;
	say("%s", why);
	return false;
}

/* Where to begin is the shelf's to say, and a position that the topic lacks is told. */
static bool configure(struct follow *f, rd_kafka_conf_t *conf)
{
	return set(conf, "group.id", f->opt.group ? f->opt.group : "shelf-follow") &&
	       set(conf, "enable.auto.commit", "false") &&
	       set(conf, "enable.auto.offset.store", "false") &&
	       set(conf, "auto.offset.reset", "error") &&
	       set(conf, "isolation.level", "read_committed") &&
	       set(conf, "enable.partition.eof", "true");
}

static int connect_kafka(struct follow *f)
{
	rd_kafka_conf_t *conf;
	char why[256];

	if (!set(f->opt.conf, "bootstrap.servers", f->opt.brokers))
		return STATUS_USAGE;
	conf = rd_kafka_conf_dup(f->opt.conf);
	rd_kafka_conf_set_opaque(conf, f);
	rd_kafka_conf_set_error_cb(conf, follow_error);
	if (!configure(f, conf)) {
		rd_kafka_conf_destroy(conf);
		return STATUS_USAGE;
	}
	f->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!f->kafka) {
		rd_kafka_conf_destroy(conf);
		say("%s", why);
		return STATUS_USAGE;
	}
	rd_kafka_poll_set_consumer(f->kafka);
	return letter_open(f);
}

static void disconnect(struct follow *f)
{
	if (f->letters)
		rd_kafka_destroy(f->letters);
	if (f->kafka) {
		rd_kafka_consumer_close(f->kafka);
		rd_kafka_destroy(f->kafka);
	}
}

static int run(struct follow *f)
{
	const struct sigaction stop = { .sa_handler = follow_stop };
	int status;

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	status = state_open(f);
	if (status)
		return status;
	status = connect_kafka(f);
	if (!status)
		status = follow(f);
	disconnect(f);
	return status;
}

int main(int argc, char **argv)
{
	static struct follow f = { .lock = -1 };
	int status = options_parse(argc, argv, &f.opt);

	if (!status)
		status = f.opt.status ? state_show(&f.opt) : run(&f);
	options_free(&f.opt);
	line_free(&f.line);
	free(f.parts.of);
	free(f.marks.of);
	free(f.placed.of);
	free(f.bad);
	free(f.lettered.of);
	free(f.letter);
	return status < 0 ? STATUS_OK : status;
}
