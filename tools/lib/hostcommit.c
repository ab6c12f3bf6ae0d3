// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Commits of the hosted twin: what the module's worker does, without anybody to
 * wait for.
 */
#include <time.h>

#include "hosted.h"

#define NS	1000000000ULL

static int refuse_stale(const struct hosted *h, u64 expect, struct report *report)
{
	report->error = -ESTALE;
	snprintf(report->message, sizeof(report->message),
		 "generation %llu was expected, but %llu is the newest", expect,
		 h->store.generation);
	return -ESTALE;
}

/* All that can be had back now. Returns nanoseconds until it is worth another call. */
static u64 reclaim(struct hosted *h)
{
	u64 wait;

	do {
		wait = store_reclaim(&h->store);
	} while (wait == RECLAIM_MORE);
	return wait;
}

/*
 * Frees what is in quarantine as its time is over, until @until. False: there is
 * something left.
 */
static bool wait_quarantine(struct hosted *h, u64 until)
{
	u64 wait = reclaim(h);

	while (h->store.first && store_clock() + wait <= until) {
		const struct timespec nap = {
			(time_t)(wait / NS), (long)(wait % NS)
		};

		nanosleep(&nap, NULL);
		wait = reclaim(h);
	}
	return !h->store.first;
}

static int commit(struct hosted *h, const struct batch *b, struct report *report)
{
	u64 start, published;
	struct draft *d;

	store_reclaim(&h->store);
	h->disk_error = 0;
	start = store_clock();
	d = draft_make(&h->store, b, report);
	published = store_clock();
	if (IS_ERR(d)) {
		if (h->disk_error && report->error == -ENOMEM)
			snprintf(report->message, sizeof(report->message),
				 "no room for more of the shelf in its file system: %s",
				 strerror(h->disk_error));
		return PTR_ERR(d);
	}
	if (b->checks) {
		report->generation = h->store.generation;
		report->draft_ns = published - start;
		draft_drop(d);
		return 0;
	}
	draft_publish(d);	/* cannot fail, allocates nothing */
	report->draft_ns = published - start;
	report->publish_ns = store_clock() - published;
	draft_retire(d);
	store_reclaim(&h->store);
	return 0;
}

int hosted_commit(struct hosted *h, const struct batch *b, const u64 *expect,
		  struct report *report)
{
	memset(report, 0, sizeof(*report));
	if (batch_repeats(&h->store, b, report))
		return 0;
	if (expect && (*expect < h->store.content || *expect > h->store.generation))
		return refuse_stale(h, *expect, report);
	return commit(h, b, report);
}

static int trim_step(struct hosted *h, u32 *commits, u64 *pages)
{
	struct report report;
	struct batch b;
	int ret;

	reclaim(h);
	batch_init(&b, U64_MAX);
	ret = trim_stage(&h->store, &b);
	if (!ret && b.ops) {
		ret = commit(h, &b, &report);
		*commits += !ret;
		*pages += ret ? 0 : report.pages;
	}
	batch_free(&b);
	return ret;
}

int hosted_trim(struct hosted *h, s64 timeout_ns, u32 *commits, u64 *pages)
{
	u64 until = timeout_ns < 0 ? U64_MAX : store_clock() + (u64)timeout_ns;
	enum trim_next next;
	int ret;

	*commits = 0;
	*pages = 0;
	h->store.trim = (struct trim){ .page = 0 };
	do {
		ret = trim_step(h, commits, pages);
		next = trim_next(&h->store, ret);
		if (next != TRIM_STEP && !wait_quarantine(h, until))
			return -ETIMEDOUT;
	} while (next != TRIM_OVER);
	return ret == -ENOSPC ? 0 : ret;
}
