// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Creating, destroying and listing shelves.
 */
#include <errno.h>
#include <unistd.h>

#include "hosted.h"
#include "internal.h"
#include "netlink.h"

#define QUARANTINE_MS	1000

static bool has_pin_settings(const struct shelf_settings *s)
{
	return s->lease_ms || s->lease_max_ms || s->pin_bytes;
}

static int create_hosted(const char *path, const struct shelf_settings *s,
			 struct shelf_error *err)
{
	const char *slash = strrchr(path, '/');
	const struct hosted_config config = {
		.name = slash ? slash + 1 : path,
		.max_bytes = s->max_bytes,
		.batch_bytes = s->batch_bytes,
		.quarantine_ms = s->quarantine_ms < 0 ? QUARANTINE_MS :
				 (u64)s->quarantine_ms,
		.seed = s->seed,
	};
	int ret;

	if (has_pin_settings(s))
		return shelf_fail(err, -EOPNOTSUPP, "a hosted shelf keeps nothing for pins");
	if (s->max_change > 0 || s->dangling > 0 || s->require_expect > 0)
		return shelf_fail(err, -EOPNOTSUPP, "of a hosted shelf each commit brings its guards");
	ret = hosted_create_file(path, &config);
	if (ret == -EINVAL)
		return shelf_fail(err, ret, "a shelf has from 4 MiB to 64 GiB and at most an hour of quarantine");
	return ret ? shelf_fail(err, ret, "%s", strerror(-ret)) : 0;
}

static int create_nl(const char *name, const struct shelf_settings *s,
		     struct shelf_error *err)
{
	struct shelf_nl *nl;
	int ret = shelf_nl_open(&nl, err);

	if (ret)
		return ret;
	ret = shelf_nl_create(nl, name, s, NULL, err);
	shelf_nl_close(nl);
	return ret;
}

/* The kernel would see no more of one than fits its attribute. */
static int check_guards(const struct shelf_settings *s, struct shelf_error *err)
{
	if (s->max_change > (int)SHELF_CHANGE_MAX || s->dangling > SHELF_DANGLING_MAX ||
	    s->require_expect > 1)
		return shelf_fail(err, -EINVAL, "a guard is out of its range");
	return 0;
}

int shelf_create(const char *name, const struct shelf_settings *settings,
		 struct shelf_error *err)
{
	const char *path = shelf_hosted_path(name);

	if (check_guards(settings, err))
		return -EINVAL;

	return path ? create_hosted(path, settings, err) :
		      create_nl(name, settings, err);
}

/* Under the writer's lock: not while a batch is being written. */
static int destroy_hosted(const char *path, struct shelf_error *err)
{
	u64 unused;
	int fd, ret = hosted_lock(path, &fd, &unused);

	if (ret == -EBUSY)
		return shelf_fail(err, ret, "another writer has the shelf open");
	if (ret == -EINVAL)
		return shelf_fail(err, ret, "not a shelf");
	if (ret)
		return shelf_fail(err, ret, "%s", strerror(-ret));
	if (unlink(path))
		ret = shelf_fail(err, -errno, "%s", strerror(errno));
	close(fd);
	return ret;
}

int shelf_destroy(const char *name, struct shelf_error *err)
{
	const char *path = shelf_hosted_path(name);
	struct shelf_nl *nl;
	int ret;

	if (path)
		return destroy_hosted(path, err);
	ret = shelf_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = shelf_nl_destroy(nl, name, err);
	shelf_nl_close(nl);
	return ret;
}

int shelf_set(const char *name, const struct shelf_settings *settings,
	      struct shelf_error *err)
{
	struct shelf_nl *nl;
	int ret;

	if (shelf_hosted_path(name))
		return shelf_fail(err, -EOPNOTSUPP, "settings of a hosted shelf stay as they are");
	if (settings->max_bytes || settings->seed)
		return shelf_fail(err, -EINVAL, "max_bytes and seed can't change");
	if (check_guards(settings, err))
		return -EINVAL;
	ret = shelf_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = shelf_nl_set(nl, name, settings, err);
	shelf_nl_close(nl);
	return ret;
}

struct list_arg {
	int (*each)(const struct shelf_listing *l, void *arg);
	void *arg;
};

static int list_each(const struct shelf_nl_info *i, void *arg)
{
	const struct list_arg *l = arg;

	return l->each(&i->shelf, l->arg);
}

int shelf_list(int (*each)(const struct shelf_listing *l, void *arg), void *arg,
	       struct shelf_error *err)
{
	struct list_arg l = { each, arg };
	struct shelf_nl *nl;
	int ret = shelf_nl_open(&nl, err);

	if (ret)
		return ret;
	ret = shelf_nl_list(nl, list_each, &l, err);
	shelf_nl_close(nl);
	return ret;
}

int shelf_list_pins(const char *name,
		    int (*each)(const struct shelf_pin_listing *l, void *arg),
		    void *arg, struct shelf_error *err)
{
	struct shelf_nl *nl;
	int ret;

	if (shelf_hosted_path(name))
		return shelf_fail(err, -EOPNOTSUPP, "a hosted shelf knows nothing of its readers");
	ret = shelf_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = shelf_nl_pins(nl, name, each, arg, err);
	shelf_nl_close(nl);
	return ret;
}

int shelf_list_sources(const char *name,
		       int (*each)(const struct shelf_source_listing *l, void *arg),
		       void *arg, struct shelf_error *err)
{
	struct shelf_nl *nl;
	int ret;

	if (shelf_hosted_path(name))
		return shelf_fail(err, -EOPNOTSUPP, "sources of a hosted shelf are read from a pin");
	ret = shelf_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = shelf_nl_sources(nl, name, each, arg, err);
	shelf_nl_close(nl);
	return ret;
}
