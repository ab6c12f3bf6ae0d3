// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Takes records from a numbered stream to a shelf, each exactly once:
 *
 *	push SHELF SOURCE <MESSAGES
 *
 * A line is a message: NUMBER PRODUCT PRICE STOCK, numbers without a gap, as of a partition of a
 * topic. Whoever dies on the way begins again with any message that it still has: how far
 * the shelf has come is part of the shelf, and changed by the commit that applies them. A
 * shelf that has never heard of the source begins with whatever comes first.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <shelf/shelf.h>

#define BATCH	100U

struct message {
	unsigned long long number;
	long long product;
	long long price;
	long long stock;
};

static bool next(struct message *m)
{
	return scanf("%llu %lld %lld %lld", &m->number, &m->product, &m->price, &m->stock) == 4;
}

/* What the shelf has is passed over. */
static int skip(const char *shelf, const char *source, struct message *m, bool *any)
{
	struct shelf_source at;
	struct shelf *s;
	int ret = shelf_open(shelf, 0, &s);

	if (ret)
		return ret;
	ret = shelf_source(s, source, &at, NULL);
	shelf_close(s);
	if (ret < 0)
		return ret;
	do
		*any = next(m);
	while (*any && ret && m->number <= at.last);
	return 0;
}

static int stage(struct shelf_batch *b, const char *source, const struct message *m, unsigned int n,
		 struct shelf_error *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		struct shelf_change c = {
			.id = m[i].product, .fields = SHELF_PRICE | SHELF_STOCK,
			.price = m[i].price, .stock = m[i].stock,
		};

		ret = shelf_batch_put(b, &c, err);
		if (ret)
			return ret;
	}
	return shelf_batch_sequence(b, source, m[0].number, m[n - 1].number, SHELF_NO_GAP, err);
}

/*
 * Whose commit's answer was lost (ETIMEDOUT, or a crash) sends the same batch again: it is
 * a repeat, or it takes effect now.
 */
static int push(struct shelf_writer *w, const char *source, const struct message *m,
		unsigned int n, struct shelf_error *err)
{
	struct shelf_result r;
	struct shelf_batch *b;
	int ret, tries = 3;

	do {
		ret = shelf_batch_begin(w, &b, err);
		if (ret)
			return ret;
		ret = stage(b, source, m, n, err);
		if (ret) {
			shelf_batch_abort(b);
			return ret;
		}
		ret = shelf_batch_commit(b, NULL, &r, err);
	} while (ret == -ETIMEDOUT && --tries);
	if (!ret)
		printf("%llu to %llu: generation %llu%s\n", m[0].number, m[n - 1].number,
		       r.generation, r.repeated ? ", again" : "");
	return ret;
}

static int push_all(struct shelf_writer *w, const char *source, struct message m[BATCH],
		    struct shelf_error *err)
{
	unsigned int n = 1;
	int ret = 0;

	while (n && !ret) {
		while (n < BATCH && next(&m[n]))
			n++;
		ret = push(w, source, m, n, err);
		n = next(&m[0]);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct message m[BATCH];
	struct shelf_error err;
	struct shelf_writer *w;
	bool any;
	int ret;

	if (argc != 3) {
		fprintf(stderr, "usage: push SHELF SOURCE <MESSAGES\n");
		return 2;
	}
	ret = skip(argv[1], argv[2], &m[0], &any);
	if (ret) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	if (!any)
		return 0;
	ret = shelf_writer_open(argv[1], &w, &err);
	if (!ret) {
		ret = push_all(w, argv[2], m, &err);
		shelf_writer_close(w);
	}
	if (ret)
		fprintf(stderr, "%s: %s\n", argv[1], err.message);
	return ret != 0;
}
