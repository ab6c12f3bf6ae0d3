// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a shelf tells of itself, and waiting for it to change.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "internal.h"

#define POLL_NS		1000000L	/* between looks at a hosted shelf */
#define NS		1000000000LL
#define HOSTED_TRIES	(1U << 16)

/* Nobody tells the readers of a file that it has gone, but its links do. */
static bool hosted_dead(const struct shelf *s)
{
	struct stat st;

	return !fstat(s->fd, &st) && !st.st_nlink;
}

static void info_root(const struct shelf_view *v, __u64 generation,
		      struct shelf_ioc_info *info)
{
	const struct shelf_root *r = v->root;

	info->generation = generation;
	info->products = SHELF_LOAD(r->products);
	info->catalogs = SHELF_LOAD(r->catalogs);
	info->memberships = SHELF_LOAD(r->memberships);
	info->sources = SHELF_LOAD(r->sources);
	info->attrs_bytes = SHELF_LOAD(r->attrs_bytes);
	info->committed_ns = SHELF_LOAD(r->committed_ns);
}

void shelf_info_hosted(const struct shelf *s, const struct shelf_view *v,
		       __u64 generation, struct shelf_ioc_info *info)
{
	info_root(v, generation, info);
	info->abi = s->control->abi;
	info->dead = hosted_dead(s);
	info->oldest = __atomic_load_n(&s->control->oldest, __ATOMIC_RELAXED);
	info->max_bytes = s->control->max_bytes;
	info->arena_bytes = s->control->arena_bytes;
	memcpy(info->name, s->control->name, SHELF_NAME_MAX);
}

static int hosted_info(const struct shelf *s, struct shelf_ioc_info *info)
{
	struct shelf_section c;
	unsigned int tries = 0;

	do {
		if (tries++ == HOSTED_TRIES)
			return -EAGAIN;
		shelf_begin(s, &c);
		shelf_info_hosted(s, &c.view, c.generation, info);
	} while (shelf_retry(s, &c));
	return 0;
}

int shelf_info(const struct shelf *s, struct shelf_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	if (shelf_is_hosted(s))
		return hosted_info(s, info);
	return ioctl(s->fd, SHELF_IOC_INFO, info) < 0 ? -errno : 0;
}

__u64 shelf_generation(const struct shelf *s)
{
	struct shelf_ioc_info info;

	/* P1. Pairs with the release in draft_publish(). */
	if (s->control)
		return __atomic_load_n(&s->control->current_word,
				       __ATOMIC_ACQUIRE) >> SHELF_ROOT_BITS;
	return shelf_info(s, &info) ? 0 : info.generation;
}

static __s64 deadline(__s64 timeout_ns)
{
	__s64 end;

	if (timeout_ns < 0 || __builtin_add_overflow(clock_ns(), timeout_ns, &end))
		return -1;
	return end;
}

static int hosted_wait(const struct shelf *s, __u64 generation, __s64 timeout_ns)
{
	const struct timespec nap = { .tv_nsec = POLL_NS };
	__s64 end = deadline(timeout_ns);

	while (shelf_generation(s) < generation) {
		if (hosted_dead(s))
			return -ENODEV;
		if (end >= 0 && clock_ns() >= end)
			return -ETIMEDOUT;
		if (nanosleep(&nap, NULL))
			return -errno;
	}
	return 0;
}

int shelf_wait(const struct shelf *s, __u64 generation, __s64 timeout_ns, __u64 *now)
{
	struct shelf_ioc_wait q = {
		.size = sizeof(q),
		.generation = generation,
		.timeout_ns = timeout_ns,
	};
	int ret;

	if (shelf_is_hosted(s)) {
		ret = hosted_wait(s, generation, timeout_ns);
		q.generation = shelf_generation(s);
	} else {
		ret = ioctl(s->fd, SHELF_IOC_WAIT, &q) < 0 ? -errno : 0;
	}
	if (!ret && now)
		*now = q.generation;
	return ret;
}
