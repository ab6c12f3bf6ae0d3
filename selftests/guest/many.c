// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1: what is asked of many at once, mapped or by ioctl, is of one generation, the
 * one that the answer names, while a writer commits.
 *
 * The content of generation g follows from g: which products there are, each one's
 * record and attributes, and the catalog's members.
 *
 * Seen to fail with shelf_get_many_attrs() and with shelf_are_members() reading the
 * second half of the ids from a newer snapshot, and with each kind of pass by ioctl
 * not looking at the generation.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/common.h"
#include "lib/harness.h"

#define PRODUCTS	100U
#define MEMBERS		1200U	/* three pages of them */
#define CATALOG		5
#define MOST		2000U
#define ROOM		300U	/* less than some attributes need */

static bool product_in(__s64 id, __u64 g)
{
	return id >= 0 && id < PRODUCTS && (id + g) % 10;
}

static __u32 len_in(__s64 id, __u64 g)
{
	return (id * 17 + g * 29) % 500;
}

static bool member_in(__s64 id, __u64 g)
{
	return id >= 0 && id < 3 * MEMBERS && (id + g) % 3 == 0;
}

static int put_catalog(struct shelf_batch *b, __u64 g)
{
	__s64 ids[MEMBERS], id;
	size_t n = 0;
	int ret;

	for (id = 0; id < 3 * MEMBERS; id++)
		if (member_in(id, g))
			ids[n++] = id;
	ret = shelf_batch_catalog_delete(b, CATALOG, NULL);
	return ret ? ret : shelf_batch_add(b, CATALOG, ids, n, NULL);
}

static int put_generation(struct kit *k, __u64 g)
{
	struct shelf_result result;
	struct shelf_batch *b;
	__s64 id;
	int ret = shelf_batch_begin(k->w, &b, NULL);

	if (ret)
		return ret;
	for (id = 0; id < PRODUCTS && !ret; id++)
		ret = product_in(id, g) ? put_one(b, id, len_in(id, g), g) :
					  shelf_batch_delete(b, id, NULL);
	if (!ret)
		ret = put_catalog(b, g);
	if (ret) {
		shelf_batch_abort(b);
		return ret;
	}
	ret = shelf_batch_commit(b, NULL, &result, NULL);
	return ret ? ret : result.generation == g ? 0 : -EPROTO;
}

/**
 * struct writer - commits one generation after another
 * @acknowledged: the last of them
 * @pause_ms: after each; who is told EAGAIN makes it longer
 */
struct writer {
	struct kit *k;
	__u64 acknowledged;
	unsigned int pause_ms;
	bool stop;
	int ret;
};

static void *commit_on(void *arg)
{
	struct writer *w = arg;
	__u64 g = w->acknowledged;

	while (!w->ret && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		w->ret = put_generation(w->k, ++g);
		if (!w->ret)
			__atomic_store_n(&w->acknowledged, g, __ATOMIC_RELEASE);
		sleep_ms(__atomic_load_n(&w->pause_ms, __ATOMIC_RELAXED));
	}
	return NULL;
}

/* Room for the answers; the ids stay the same. */
FIXTURE(many)
{
	struct kit k;
	struct shelf *s[2];	/* mapped, by ioctl */
	struct writer w;
	__s64 *ids;
	struct shelf_product *p;
	__u8 *attrs;
	bool *has;
};

/* Some are never there, some now and then, and all but the first several times. */
FIXTURE_SETUP(many)
{
	unsigned int i;

	ASSERT_EQ(0, kit_make(&self->k, "many", 16));
	ASSERT_EQ(0, put_generation(&self->k, 2));
	self->w = (struct writer){ .k = &self->k, .acknowledged = 2 };
	ASSERT_EQ(0, shelf_open(self->k.name, 0, &self->s[0]));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_IOCTL, &self->s[1]));
	ASSERT_TRUE(shelf_is_mapped(self->s[0]));
	ASSERT_FALSE(shelf_is_mapped(self->s[1]));
	self->ids = calloc(MOST, sizeof(*self->ids));
	self->p = calloc(MOST, sizeof(*self->p));
	self->attrs = calloc(MOST, ROOM);
	self->has = calloc(MOST, sizeof(*self->has));
	for (i = 0; i < MOST; i++)
		self->ids[i] = i % 13 == 12 ? (__s64)i << 40 :
			       i % 2 ? i * 7 % PRODUCTS : 2 * (__s64)i - 20;
	self->ids[0] = 1;
}

FIXTURE_TEARDOWN(many)
{
	shelf_close(self->s[0]);
	shelf_close(self->s[1]);
	kit_drop(&self->k);
	free(self->ids);
	free(self->p);
	free(self->attrs);
	free(self->has);
}

/* Product @i of an answer, with up to @room attribute bytes. */
static bool right(const FIXTURE_DATA(many) *f, unsigned int i, __u64 g, __u32 room)
{
	struct shelf_product none = { .id = f->ids[i] };
	const struct shelf_product *p = &f->p[i];
	__u32 len = len_in(p->id, g);

	if (!product_in(none.id, g))
		return !memcmp(p, &none, sizeof(none));
	return p->id == f->ids[i] && p->generation == g && p->stock == (__s64)g &&
	       p->state == SHELF_PRESENT && p->attrs_len == len && !p->attrs_ref &&
	       attrs_match(f->attrs + i * ROOM, p->id, len < room ? len : room, g);
}

/* What @s may answer at once; -EAGAIN if commits came too fast. */
enum question { GET, GET_ATTRS, MEMBER, QUESTIONS };

static long ask(FIXTURE_DATA(many) *f, const struct shelf *s, enum question q, size_t n,
		__u64 *g)
{
	memset(f->p, 0xa5, MOST * sizeof(*f->p));
	memset(f->attrs, 0xa5, MOST * ROOM);
	memset(f->has, 1, MOST * sizeof(*f->has));
	*g = 0;
	if (q == GET)
		return shelf_get_many(s, f->ids, n, f->p, g);
	if (q == GET_ATTRS)
		return shelf_get_many_attrs(s, f->ids, n, f->p, f->attrs, ROOM, g);
	return shelf_are_members(s, CATALOG, f->ids, n, f->has, g);
}

/* How many of @n answers are not as generation @g has it. */
static unsigned int wrong_of(const FIXTURE_DATA(many) *f, enum question q, size_t n,
			     __u64 g, long found)
{
	unsigned int i, wrong = 0;
	long is = 0;

	for (i = 0; i < n; i++) {
		if (q == MEMBER) {
			wrong += f->has[i] != member_in(f->ids[i], g);
			is += member_in(f->ids[i], g);
		} else {
			wrong += !right(f, i, g, q == GET ? 0 : ROOM);
			is += product_in(f->ids[i], g);
		}
	}
	return wrong + (is != found);
}

/* Also of a generation that nobody can have seen. */
static unsigned int ask_wrong(FIXTURE_DATA(many) *f, const struct shelf *s,
			      enum question q, size_t n, __u64 *g)
{
	__u64 before = __atomic_load_n(&f->w.acknowledged, __ATOMIC_ACQUIRE);
	long found = ask(f, s, q, n, g);

	while (found == -EAGAIN && !shelf_is_mapped(s) && f->w.pause_ms < 2000) {
		__atomic_store_n(&f->w.pause_ms, 2 * f->w.pause_ms + 5, __ATOMIC_RELAXED);
		found = ask(f, s, q, n, g);
	}
	if (found < 0 || *g < before ||
	    *g > __atomic_load_n(&f->w.acknowledged, __ATOMIC_ACQUIRE) + 1)
		return 1;
	return wrong_of(f, q, n, *g, found);
}

static const size_t counts[] = { 0, 1, MOST };

/* Asks everything of one reader; how much of it is answered wrong. */
static unsigned int ask_all(FIXTURE_DATA(many) *f, const struct shelf *s, __u64 *g)
{
	static unsigned int said;
	unsigned int q, i, n, wrong = 0;

	for (q = 0; q < QUESTIONS; q++)
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			n = ask_wrong(f, s, q, counts[i], g);
			wrong += n;
			if (n && said++ < 5)
				printf("# question %u of %zu: %u wrong of generation %llu\n",
				       q, counts[i], n, (unsigned long long)*g);
		}
	return wrong;
}

TEST_F(many, while_nobody_writes)
{
	__u64 g;

	EXPECT_EQ(0, ask_all(self, self->s[0], &g));
	EXPECT_EQ(0, ask_all(self, self->s[1], &g));
	EXPECT_EQ(2, g);
}

#define PATIENCE_NS	120000000000ULL

/*
 * How much was wrong in @seconds, or in more, until there were @wanted generations;
 * *@changes: of how many it was.
 */
static int ask_beside_writer(FIXTURE_DATA(many) *f, const struct shelf *s,
			     unsigned int seconds, unsigned int wanted, unsigned int *changes)
{
	__u64 begun = now_ns(), end = begun + seconds * 1000000000ULL, g, last = 0;
	unsigned int wrong = 0, rounds = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, commit_on, &f->w))
		return -1;
	while (now_ns() < end || rounds < 3 ||
	       (*changes < wanted && now_ns() < begun + PATIENCE_NS)) {
		wrong += ask_all(f, s, &g);
		*changes += g != last;
		last = g;
		rounds++;
	}
	__atomic_store_n(&f->w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("# %u rounds, %u generations of %llu, %u ms between them\n", rounds, *changes,
	       (unsigned long long)f->w.acknowledged, f->w.pause_ms);
	return wrong;
}

TEST_F_TIMEOUT(many, mapped_while_a_writer_commits, 240)
{
	unsigned int changes = 0;

	EXPECT_EQ(0, ask_beside_writer(self, self->s[0], 5, 10, &changes));
	EXPECT_EQ(0, self->w.ret);
	EXPECT_LE(10, changes);
}

TEST_F_TIMEOUT(many, by_ioctl_while_a_writer_commits, 480)
{
	unsigned int changes = 0;

	EXPECT_EQ(0, ask_beside_writer(self, self->s[1], 10, 3, &changes));
	EXPECT_EQ(0, self->w.ret);
	EXPECT_LE(3, changes);
}

TEST_HARNESS_MAIN
