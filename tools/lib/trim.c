// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Trimming: the kernel's worker does it and is waited for; a hosted shelf is
 * trimmed right here.
 */
#include <errno.h>
#include <time.h>

#include "clock.h"
#include "hosted.h"
#include "internal.h"
#include "netlink.h"

#define NAP_NS		20000000L

static void nap(void)
{
	const struct timespec t = { .tv_nsec = NAP_NS };

	nanosleep(&t, NULL);
}

/* Until @ticket is done, by this shelf: another one of its name starts anew. */
static int wait_trim(struct shelf_nl *nl, const char *name, __u64 ticket, __s64 timeout_ns,
		     struct shelf_nl_info *info, struct shelf_error *err)
{
	__s64 begin = clock_ns();
	int ret = shelf_nl_get(nl, name, info, err);

	while (!ret && info->trims_done < ticket) {
		if (info->trims_asked < ticket)
			return shelf_fail(err, -ENODEV, "destroyed meanwhile");
		if (timeout_ns >= 0 && clock_ns() - begin >= timeout_ns)
			return shelf_fail(err, -ETIMEDOUT, "not done in time");
		nap();
		ret = shelf_nl_get(nl, name, info, err);
	}
	return ret;
}

static int trim_kernel(const char *name, __s64 timeout_ns, struct shelf_trimmed *t,
		       struct shelf_nl *nl, struct shelf_error *err)
{
	struct shelf_nl_info info;
	int ret = shelf_nl_trim(nl, name, &info, err);

	if (ret)
		return ret;
	t->before = info.shelf.bytes;
	ret = wait_trim(nl, name, info.trims_asked, timeout_ns, &info, err);
	t->after = info.shelf.bytes;
	return ret;
}

static int trim_hosted(const char *path, __s64 timeout_ns, struct shelf_trimmed *t)
{
	struct hosted *h;
	u32 commits;
	u64 pages;
	int ret = hosted_open_writer(path, &h);

	if (ret)
		return ret;
	t->before = (u64)h->store.arena.chunks * SHELF_CHUNK_BYTES;
	ret = hosted_trim(h, timeout_ns, &commits, &pages);
	t->after = (u64)h->store.arena.chunks * SHELF_CHUNK_BYTES;
	hosted_close(h);
	return ret;
}

int shelf_trim(const char *name, __s64 timeout_ns, struct shelf_trimmed *trimmed,
	       struct shelf_error *err)
{
	const char *path = shelf_hosted_path(name);
	struct shelf_trimmed unused;
	struct shelf_nl *nl;
	int ret;

	if (!trimmed)
		trimmed = &unused;
	if (path) {
		ret = trim_hosted(path, timeout_ns, trimmed);
		return ret ? shelf_fail_writer(err, ret) : 0;
	}
	ret = shelf_nl_open(&nl, err);
	if (!ret) {
		ret = trim_kernel(name, timeout_ns, trimmed, nl, err);
		shelf_nl_close(nl);
	}
	return ret;
}
