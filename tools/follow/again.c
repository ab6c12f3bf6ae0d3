// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Beginning where the shelf stands: at first, and whatever went wrong.
 */
#include <errno.h>
#include <string.h>

#include "follow.h"

#define DELAY_FIRST_NS	1000000LL
#define DELAY_MIN_NS	50000000LL
#define DELAY_MAX_NS	30000000000LL

void again_close(struct follow *f)
{
	batch_drop(f);
	if (f->writer)
		shelf_writer_close(f->writer);
	if (f->shelf)
		shelf_close(f->shelf);
	f->writer = NULL;
	f->shelf = NULL;
}

static int open_shelf(struct follow *f, struct shelf_error *err)
{
	int ret;

	again_close(f);
	ret = shelf_open(f->opt.shelf, 0, &f->shelf);
	if (ret) {
		f->shelf = NULL;
		*err = (struct shelf_error){ .error = ret };
		snprintf(err->message, sizeof(err->message), "%s",
			 ret == -EINVAL ? "not a shelf" : strerror(-ret));
		return ret;
	}
	if (!shelf_writer_open(f->opt.shelf, &f->writer, err))
		return 0;
	f->writer = NULL;
	return err->error;
}

/* Twice as long each time, and nothing is fetched meanwhile. */
static void begin_after(struct follow *f, __s64 first_ns)
{
	batch_drop(f);
	f->delay_ns = f->delay_ns ? 2 * f->delay_ns : first_ns;
	if (f->delay_ns > DELAY_MAX_NS)
		f->delay_ns = DELAY_MAX_NS;
	f->wait_ns = clock_ns() + f->delay_ns;
	parts_pause(f);
}

/* At once, if it is the first time. */
void again_soon(struct follow *f)
{
	begin_after(f, DELAY_FIRST_NS);
}

void again_later(struct follow *f)
{
	begin_after(f, DELAY_MIN_NS);
}

void again_refused(struct follow *f, const struct shelf_error *err)
{
	f->counts.refusals++;
	state_set(f, WAITING, "%s: %s", f->opt.shelf, err->message);
	again_later(f);
}

void again_good(struct follow *f)
{
	enum phase phase = f->ready ? FOLLOWING : CATCHING_UP;

	state_set(f, f->whole ? LOADING : phase, "%s", "");
}

/* From the beginning: what was fetched is of no use. */
static void load(struct follow *f)
{
	batch_drop(f);
	f->whole = true;
	f->counts.loads++;
	parts_aim(f);
	state_set(f, LOADING, "all of the topics, to replace what the shelf has");
}

static bool any_known(const struct follow *f)
{
	size_t i;

	for (i = 0; i < f->parts.n; i++)
		if (f->parts.of[i].known)
			return true;
	return false;
}

/* Begins again where the shelf stands. */
void again(struct follow *f)
{
	struct shelf_error err;
	int ret = open_shelf(f, &err);

	f->wait_ns = 0;
	if (!ret) {
		ret = parts_read(f);
		snprintf(err.message, sizeof(err.message), "its positions can't be read: %s",
			 strerror(-ret));
	}
	if (ret) {
		again_refused(f, &err);
		return;
	}
	f->counts.rewinds += f->assigned > 0;
	f->generation = shelf_generation(f->shelf);
	if (f->whole || (f->opt.compacted && !any_known(f)))
		load(f);
	else if (f->phase != WAITING)	/* which it is until something goes through */
		again_good(f);
	parts_assign(f);
}
