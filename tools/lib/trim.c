// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Trimming: the kernel's worker does it and is waited for; a hosted shelf is
 * trimmed right here.
 */
#include <errno.h>
#include <time.h>

#include "hosted.h"
#include "internal.h"
#include "netlink.h"

#define NAP_NS		20000000L
#define WAIT_MS_MAX	10000U

static void nap(void)
{
	const struct timespec t = { .tv_nsec = NAP_NS };

	nanosleep(&t, NULL);
}

static __u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000 + (__u64)t.tv_nsec / 1000000;
}

/* Until @ticket is done; with a long quarantine that may be too long to wait for. */
static int wait_trim(struct shelf_nl *nl, const char *name, __u64 ticket,
		     struct shelf_nl_info *info, struct shelf_nl_error *err)
{
	__u64 begin = now_ms();
	int ret = shelf_nl_get(nl, name, info, err);

	while (!ret && info->trims_done < ticket &&
	       (info->quarantine_ms < WAIT_MS_MAX / 5 || now_ms() - begin < WAIT_MS_MAX)) {
		nap();
		ret = shelf_nl_get(nl, name, info, err);
	}
	return ret;
}

static int trim_kernel(const char *name, struct shelf_trimmed *t, struct shelf_nl *nl,
		       struct shelf_nl_error *err)
{
	struct shelf_nl_info info;
	int ret = shelf_nl_trim(nl, name, &info, err);

	if (ret)
		return ret;
	t->before = info.bytes;
	ret = wait_trim(nl, name, info.trims_asked, &info, err);
	t->after = info.bytes;
	return ret;
}

static int trim_hosted(const char *path, struct shelf_trimmed *t)
{
	struct hosted *h;
	u32 commits;
	u64 pages;
	int ret = hosted_open_writer(path, &h);

	if (ret)
		return ret;
	t->before = (u64)h->store.arena.chunks * SHELF_CHUNK_BYTES;
	ret = hosted_trim(h, &commits, &pages);
	t->after = (u64)h->store.arena.chunks * SHELF_CHUNK_BYTES;
	hosted_close(h);
	return ret;
}

int shelf_trim(const char *name, struct shelf_trimmed *trimmed, struct shelf_error *err)
{
	const char *path = shelf_hosted_path(name);
	struct shelf_nl_error nl_err = { 0 };
	struct shelf_nl *nl;
	int ret;

	if (path) {
		ret = trim_hosted(path, trimmed);
		return ret ? shelf_fail_writer(err, ret) : 0;
	}
	ret = shelf_nl_open(&nl, &nl_err);
	if (!ret) {
		ret = trim_kernel(name, trimmed, nl, &nl_err);
		shelf_nl_close(nl);
	}
	if (ret)
		shelf_fail(err, ret, "%s", nl_err.message[0] ? nl_err.message :
							       strerror(-ret));
	return ret;
}
