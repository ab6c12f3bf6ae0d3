// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A hosted shelf has nobody who keeps a snapshot for a reader. Here its writer's
 * process does, by the functions that the kernel uses: a thread of it takes and ends
 * pins beside commits, and ends those of a reader that has died. The reader finds
 * the token in its own mapping of the file, as ever.
 */
#include "torture.h"

static pthread_t thread;
/* No pin is taken for one who has just died. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pin pins[READERS_MAX][PINS_EACH];

static void serve(struct mail *m, struct pin *of)
{
	struct store *st = &writer_hosted()->store;
	struct pin *p = &of[m->slot];

	if (m->unpin) {
		m->ret = store_unpin(st, p);
		p->token = 0;
		return;
	}
	memset(p, 0, sizeof(*p));
	p->user = (u32)(m - shared->mail);
	m->ret = store_pin(st, p, m->generation, m->lease_ns);
	if (m->ret)
		p->token = 0;
	/* What is revoked from now on is changed under the store's lock. */
	m->pin = (struct pin){
		.token = p->token, .generation = p->generation,
		.root_page = p->root_page, .taken_ns = p->taken_ns,
		.until_ns = p->until_ns,
	};
}

static void *broker(void *unused)
{
	int i;

	for (;;) {
		while (sem_wait(&shared->work))
			;
		if (flag(&shared->stop) > 1)
			return unused;
		pthread_mutex_lock(&lock);
		for (i = 0; i < options.readers; i++) {
			struct mail *m = &shared->mail[i];

			if (!__atomic_exchange_n(&m->posted, 0, __ATOMIC_ACQUIRE))
				continue;
			serve(m, pins[i]);
			sem_post(&m->answer);
		}
		pthread_mutex_unlock(&lock);
	}
}

static int ask(int reader)
{
	struct mail *m = &shared->mail[reader];

	__atomic_store_n(&m->posted, 1, __ATOMIC_RELEASE);
	sem_post(&shared->work);
	while (sem_wait(&m->answer))
		;
	return m->ret;
}

int broker_pin(int reader, u32 slot, u64 generation, u64 lease_ns, struct pin *answer)
{
	struct mail *m = &shared->mail[reader];
	int ret;

	m->unpin = false;
	m->slot = slot;
	m->generation = generation;
	m->lease_ns = lease_ns;
	ret = ask(reader);
	*answer = m->pin;
	return ret;
}

int broker_unpin(int reader, u32 slot)
{
	struct mail *m = &shared->mail[reader];

	m->unpin = true;
	m->slot = slot;
	return ask(reader);
}

void broker_release(int reader)
{
	struct mail *m = &shared->mail[reader];
	u32 i;

	if (!options.hosted)
		return;
	pthread_mutex_lock(&lock);
	__atomic_store_n(&m->posted, 0, __ATOMIC_RELAXED);
	for (i = 0; i < PINS_EACH; i++) {
		if (pins[reader][i].token)
			store_unpin(&writer_hosted()->store, &pins[reader][i]);
		pins[reader][i].token = 0;
	}
	sem_destroy(&m->answer);
	sem_init(&m->answer, 1, 0);
	pthread_mutex_unlock(&lock);
}

void broker_start(void)
{
	int i;

	sem_init(&shared->work, 1, 0);
	for (i = 0; i < READERS_MAX; i++)
		sem_init(&shared->mail[i].answer, 1, 0);
	pthread_create(&thread, NULL, broker, NULL);
}

void broker_stop(void)
{
	__atomic_store_n(&shared->stop, 2, __ATOMIC_RELAXED);
	sem_post(&shared->work);
	pthread_join(thread, NULL);
}
