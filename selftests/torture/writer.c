// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The writer: batch after batch, in bursts, so that readers meet both many commits
 * within one section and a shelf that stands still. Every now and then quarantine
 * and the bytes that pins may keep change, and the shelf is trimmed. What is left
 * when the readers are gone is counted here as well.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../hosted/model.h"
#include "torture.h"

#define BURST		64U
#define SETTLE_MS	10000U

/*
 * No quarantine, and the usual limit to pins; memory that is short before quarantine is
 * over; no limit to pins but the memory there is; little of all.
 */
static const struct {
	u64 quarantine_ms;	/* longer where commits take longer */
	u32 pin_share;		/* of max_bytes, in eighths */
} regimes[] = { { 0, 4 }, { 300, 2 }, { 0, 64 }, { 3, 1 } };

/* How long the sleep behind a burst is, in quarters of it; and how often what comes. */
struct pace {
	u32 sleep;
	u32 regime;		/* batches */
	u32 trim_one_in;	/* bursts */
	u32 quarantine;		/* times that of the regime */
};

static const struct pace pace_processes = { 12, 128, 40, 1 };
static const struct pace pace_threads = { 0, 64, 1, 200 };
static const struct pace pace_kernel = { 2, 64, 0, 100 };

static const struct pace *pace(void)
{
	if (!options.hosted)
		return &pace_kernel;
	return options.threads ? &pace_threads : &pace_processes;
}

static struct world world;
static struct hosted *hosted;
static struct batch staged;
static struct shelf_writer *kernel;
static struct shelf_batch *kernel_batch;
static pthread_t thread, trimmer;
static u64 generation = 1;
static struct shelf_error error;

struct hosted *writer_hosted(void)
{
	return hosted;
}

static const char *hosted_path(void)
{
	return options.name + strlen("hosted:");
}

static int emit_hosted(void *unused, const struct op *op, const void *data)
{
	const char *why = NULL;
	int ret = batch_add(&staged, op, data, &why);

	(void)unused;
	if (ret)
		snprintf(error.message, sizeof(error.message), "staging: %s", why);
	return ret;
}

static int emit_change(const struct op *op, const void *data)
{
	struct shelf_change c = {
		.id = op->id, .fields = op->fields, .price = op->price, .stock = op->stock,
		.flags = op->flags, .attrs = data, .attrs_len = op->len,
	};

	memcpy(c.currency, op->currency, sizeof(c.currency));
	return (op->kind == SHELF_OP_PUT ? shelf_batch_put : shelf_batch_patch)
		(kernel_batch, &c, &error);
}

static int emit_kernel(void *unused, const struct op *op, const void *data)
{
	(void)unused;
	switch (op->kind) {
	case SHELF_OP_DELETE:
		return shelf_batch_delete(kernel_batch, op->id, &error);
	case SHELF_OP_CATALOG_ADD:
		return shelf_batch_add(kernel_batch, op->id, data, op->len, &error);
	case SHELF_OP_CATALOG_REMOVE:
		return shelf_batch_remove(kernel_batch, op->id, data, op->len, &error);
	case SHELF_OP_CATALOG_DELETE:
		return shelf_batch_catalog_delete(kernel_batch, op->id, &error);
	default:
		return emit_change(op, data);
	}
}

static int commit_hosted(void)
{
	struct report report = { 0 };
	int ret;

	batch_init(&staged, hosted->batch_bytes);
	ret = world_step(&world, emit_hosted, NULL);
	if (!ret) {
		log_write(hosted->store.generation + 1, world.batch);
		ret = hosted_commit(hosted, &staged, NULL, &report);
	}
	batch_free(&staged);
	if (report.error)
		snprintf(error.message, sizeof(error.message), "%s", report.message);
	generation = hosted->store.generation;
	return ret;
}

/* Generations in between were made by trims, which so are known to have moved something. */
static int commit_kernel(void)
{
	struct shelf_result result;
	int ret = shelf_batch_begin(kernel, &kernel_batch, &error);

	if (ret)
		return ret;
	ret = world_step(&world, emit_kernel, NULL);
	if (ret) {
		shelf_batch_abort(kernel_batch);
		return ret;
	}
	if (world.batch % 3 == 0)
		shelf_batch_no_wait(kernel_batch);
	ret = shelf_batch_commit(kernel_batch, NULL, &result, &error);
	if (ret)
		return ret;
	event_of_others(TRIMS, result.generation > generation + 1);
	while (++generation < result.generation)
		log_write(generation, world.batch - 1);
	log_write(generation, world.batch);
	return 0;
}

static int commit_next(void)
{
	int ret;

	__atomic_store_n(&shared->staged, world.batch + 1, __ATOMIC_RELEASE);
	ret = hosted ? commit_hosted() : commit_kernel();
	if (ret) {
		fault_of_others(REFUSED, error.message[0] ? error.message : strerror(-ret));
		return ret;
	}
	__atomic_store_n(&shared->acknowledged, generation << 32 | world.batch,
			 __ATOMIC_RELEASE);
	event_of_others(COMMITS, 1);
	return 0;
}

static void set_regime(u64 number)
{
	u64 ms = regimes[number % ARRAY_SIZE(regimes)].quarantine_ms * pace()->quarantine;
	u64 bytes = options.max_bytes / 8 * regimes[number % ARRAY_SIZE(regimes)].pin_share;
	const struct shelf_settings settings = {
		.quarantine_ms = (long long)ms, .pin_bytes = bytes,
	};

	if (hosted) {
		WRITE_ONCE(hosted->store.quarantine_ns, ms * NS_PER_MS);
		WRITE_ONCE(hosted->store.pin_bytes, bytes);
	} else if (shelf_set(options.name, &settings, &error)) {
		fault_of_others(REFUSED, error.message);
	}
}

/* The log is made out beforehand for more generations than this can make. */
static void trim_hosted(void)
{
	u32 commits, i;
	u64 pages;

	for (i = 1; i < 4096; i++)
		log_write(hosted->store.generation + i, world.batch);
	if (hosted_trim(hosted, -1, &commits, &pages))
		fault_of_others(REFUSED, "a trim");
	generation = hosted->store.generation;
	event_of_others(TRIMS, !!commits);
}

static void *trim_kernel(void *unused)
{
	struct shelf_trimmed trimmed;
	struct shelf_error err = { 0 };

	while (!flag(&shared->stop)) {
		int ret = shelf_trim(options.name, (__s64)(10000 * NS_PER_MS), &trimmed, &err);

		if (ret && ret != -ETIMEDOUT)
			fault_of_others(REFUSED, err.message);
		sleep_ms(500);
	}
	return unused;
}

/* Trims wait for quarantine. */
static bool trim_now(u64 *random)
{
	return hosted && hosted->store.quarantine_ns < 1000 * NS_PER_MS &&
	       !world_below(random, pace()->trim_one_in);
}

static int burst(u32 n)
{
	int ret = 0;

	while (n-- && !ret && !flag(&shared->stop)) {
		ret = commit_next();
		if (world.batch % pace()->regime == 0)
			set_regime(world.batch / pace()->regime);
	}
	return ret;
}

static void *writer(void *unused)
{
	u64 begun, random = options.seed;
	int ret = 0;

	while (!ret && !flag(&shared->stop)) {
		begun = now_ns();
		ret = burst(1 + world_below(&random, BURST));
		sleep_ms((now_ns() - begun) / NS_PER_MS * pace()->sleep / 4);
		if (!ret && trim_now(&random))
			trim_hosted();
	}
	if (ret)
		__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	return unused;
}

static int open_hosted(const struct shelf_settings *settings)
{
	const struct hosted_config config = {
		.name = "torture", .max_bytes = options.max_bytes, .seed = settings->seed,
	};
	int ret = options.threads ? hosted_create_memory(&config, &hosted) :
				    shelf_create(options.name, settings, &error);

	if (!ret && !options.threads)
		ret = hosted_open_writer(hosted_path(), &hosted);
	if (ret)
		return ret;
	hosted->store.lease_ns = LEASE_MS * NS_PER_MS;
	hosted->store.lease_max_ns = LEASE_MAX_MS * NS_PER_MS;
	return 0;
}

static int open_kernel(struct shelf_settings *settings)
{
	int ret;

	settings->lease_ms = LEASE_MS;
	settings->lease_max_ms = LEASE_MAX_MS;
	ret = shelf_create(options.name, settings, &error);
	return ret ? ret : shelf_writer_open(options.name, &kernel, &error);
}

int writer_open(void)
{
	struct shelf_settings settings = {
		.max_bytes = options.max_bytes, .seed = &options.seed,
	};
	int ret = options.hosted ? open_hosted(&settings) : open_kernel(&settings);

	if (ret) {
		printf("Bail out! %s: %s\n", options.name,
		       error.message[0] ? error.message : strerror(-ret));
		return ret;
	}
	set_regime(0);
	return commit_next();
}

void writer_start(void)
{
	pthread_create(&thread, NULL, writer, NULL);
	if (!hosted)
		pthread_create(&trimmer, NULL, trim_kernel, NULL);
}

void writer_stop(void)
{
	pthread_join(thread, NULL);
	set_regime(0);	/* nobody waits for quarantine any more */
	if (!hosted)
		pthread_join(trimmer, NULL);
}

/*
 * What is left
 * ============
 */
static u64 attribute(const char *name)
{
	char path[128];
	u64 value = ~0ULL;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/shelf/%s/%s", options.name, name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &value) != 1)
		printf("# %s can't be read\n", path);
	if (f)
		fclose(f);
	return value;
}

static void settle_kernel(void)
{
	static const char *const none[] = { "bytes_pinned", "pins", "bytes_quarantined" };
	u64 left = 1, waited, i;

	for (waited = 0; left && waited < SETTLE_MS; waited += 50) {
		sleep_ms(50);
		for (i = 0, left = 0; i < ARRAY_SIZE(none); i++)
			left |= attribute(none[i]);
	}
	if (left)
		fault_of_others(RETAINED, "bytes or pins, as sysfs says");
}

static u64 counted(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void writer_note(void)
{
	const struct store *st = hosted ? &hosted->store : NULL;

	event_is(EARLY_REUSES, st ? counted(&st->early_reuses) : attribute("early_reuses"));
	event_is(REVOCATIONS, st ? counted(&st->revocations) : attribute("revoked_pins"));
	event_is(RETURNED, st ? counted(&st->returned_chunks) :
			   attribute("returned_bytes") / SHELF_CHUNK_BYTES);
}

/* model_account() aborts if any page or slot is neither free nor reachable. */
static bool all_accounted(void)
{
	int status = 1;
	pid_t child;

	/* The sanitizer's threads don't survive a fork. */
	if (options.threads) {
		model_account(hosted);
		return true;
	}
	fflush(stdout);
	child = fork();
	if (!child) {
		model_account(hosted);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

static void settle_hosted(void)
{
	struct store *st = &hosted->store;

	store_reclaim(st);
	store_reclaim(st);
	if (st->retained_bytes || st->pins->taken || st->pins->count || st->first)
		fault_of_others(RETAINED, "bytes or pins");
	if (!all_accounted())
		fault_of_others(RETAINED, "pages that the newest snapshot has not");
}

void writer_settle(void)
{
	if (hosted)
		settle_hosted();
	else
		settle_kernel();
	writer_note();
}

void writer_close(void)
{
	hosted_close(hosted);
	shelf_writer_close(kernel);
	if (!options.threads && shelf_destroy(options.name, &error))
		fault_of_others(REFUSED, error.message);
}
