// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Events of the kernel's shelves, as they come.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"
#include "netlink.h"

struct shelf_events {
	struct shelf_nl *nl;
};

int shelf_events_open(struct shelf_events **out, struct shelf_error *err)
{
	struct shelf_events *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return shelf_fail(err, -ENOMEM, "%s", strerror(ENOMEM));
	ret = shelf_nl_open(&e->nl, err);
	if (ret)
		goto err_free;
	ret = shelf_nl_subscribe(e->nl, err);
	if (ret)
		goto err_close;
	*out = e;
	return 0;

err_close:
	shelf_nl_close(e->nl);
err_free:
	free(e);
	return ret;
}

int shelf_events_fd(const struct shelf_events *e)
{
	return shelf_nl_event_fd(e->nl);
}

int shelf_events_next(struct shelf_events *e, int timeout_ms, struct shelf_event *event,
		      struct shelf_error *err)
{
	struct shelf_nl_event n;
	int ret = shelf_nl_event(e->nl, timeout_ms, &n, err);

	if (ret <= 0)
		return ret;
	*event = (struct shelf_event){
		.what = n.cmd, .generation = n.generation, .ops = n.ops,
		.absent = n.absent, .pages = n.pages,
	};
	memcpy(event->name, n.name, SHELF_NAME_MAX);
	return ret;
}

void shelf_events_close(struct shelf_events *e)
{
	shelf_nl_close(e->nl);
	free(e);
}
