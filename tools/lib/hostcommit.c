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

/*
 * Sleeps until some of quarantine is over, and frees it. False: it is empty, or goes
 * on for longer than until @until.
 */
static bool wait_quarantine(struct hosted *h, u64 until)
{
	u64 wait = store_reclaim(&h->store);
	const struct timespec nap = {
		(time_t)(wait / NS), (long)(wait % NS)
	};

	if (!h->store.first || store_clock() + wait > until)
		return false;
	nanosleep(&nap, NULL);
	store_reclaim(&h->store);
	return true;
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
	if (expect && (*expect < h->store.content || *expect > h->store.generation))
		return refuse_stale(h, *expect, report);
	return commit(h, b, report);
}

/*
 * Stages and commits what is to move next: 1, or 0 at the end. ENOSPC: there is no
 * room for as many as @limit until something leaves quarantine.
 */
static int trim_step(struct hosted *h, u32 limit, u64 *pages)
{
	struct report report;
	struct batch b;
	int ret;

	batch_init(&b, U64_MAX);
	ret = trim_stage(&h->store, &b, limit);
	if (!ret && b.ops)
		ret = commit(h, &b, &report) ?: 1;
	if (ret > 0)
		*pages += report.pages;
	batch_free(&b);
	return ret;
}

/* Steps until nothing is left to move, smaller ones where there is little room. */
static int trim_pass(struct hosted *h, u64 until, u32 *commits, u64 *pages)
{
	u32 limit = TRIM_OPS;
	int ret = 1;

	store_reclaim(&h->store);
	trim_plan(&h->store);
	while (ret > 0) {
		ret = trim_step(h, limit, pages);
		*commits += ret > 0;
		if (ret != -ENOSPC)
			continue;
		if (limit > TRIM_OPS_MIN) {
			limit = max(limit / 4, TRIM_OPS_MIN);
			ret = 1;
		} else if (wait_quarantine(h, until)) {
			ret = 1;
		}
	}
	return ret == -ENOSPC ? 0 : ret;
}

/*
 * When quarantine is over, slabs are gone that were left by all that was live in
 * them, and fewer chunks will do: so another pass, until one moves nothing.
 */
int hosted_trim(struct hosted *h, s64 timeout_ns, u32 *commits, u64 *pages)
{
	u64 until = timeout_ns < 0 ? U64_MAX : store_clock() + (u64)timeout_ns;
	u32 before, passes = 0;
	int ret;

	*commits = 0;
	*pages = 0;
	do {
		before = *commits;
		ret = trim_pass(h, until, commits, pages);
		while (wait_quarantine(h, until))
			;
		if (!ret && h->store.first)
			ret = -ETIMEDOUT;
	} while (!ret && *commits != before && ++passes < TRIM_PASSES_MAX);
	return ret;
}
