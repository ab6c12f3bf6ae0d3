// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P4: nobody has more pins than are his, and whoever asks is told who has them.
 *
 * Seen to fail without the limit of a user in slot_find(), and without the slot to go
 * on from in pins_dump().
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/pins.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		64U
#define HOUR_MS		3600000U
#define MS		1000000ULL
#define HOUR		(3600000 * MS)

FIXTURE(pin_limits)
{
	struct kit k;
	int fd;
};

FIXTURE_SETUP(pin_limits)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .lease_ms = HOUR_MS, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, world_make(&self->k, "pin_limits", &settings));
	self->fd = self->k.fd;
}

FIXTURE_TEARDOWN(pin_limits)
{
	kit_drop(&self->k);
}

/* As many as are granted; @last: what the next one was refused with. */
static unsigned int take_all(int fd, int *last)
{
	unsigned int n = 0;

	while (!(*last = pin_take(fd, 0, 0, NULL)))
		n++;
	return n;
}

TEST_F(pin_limits, so_many_a_file)
{
	int other = kit_open(&self->k), same = dup(self->fd), last;
	struct shelf_ioc_pin q;

	ASSERT_EQ(0, pin_take(self->fd, 0, 0, &q));
	EXPECT_EQ(SHELF_PINS_PER_FILE - 1, take_all(same, &last));
	EXPECT_EQ(-EMFILE, last);
	EXPECT_EQ(SHELF_PINS_PER_FILE, value(&self->k, "pins"));
	EXPECT_EQ(0, pin_take(other, 0, 0, NULL));
	EXPECT_EQ(0, pin_drop(same, q.pin));
	EXPECT_EQ(1, take_all(self->fd, &last));
	EXPECT_EQ(-EMFILE, last);
	EXPECT_EQ(SHELF_PINS_PER_FILE + 1, value(&self->k, "pins"));
	/* Each is one of its own, of the same generation. */
	EXPECT_EQ(2, q.generation);
	close(same);
	close(other);
	close(self->fd);
	self->k.fd = -1;
	EXPECT_TRUE(nothing_kept(&self->k));
}

/* A file that @uid opened; it counts for him whoever uses it. */
static int open_as(const struct kit *k, uid_t uid)
{
	int fd;

	if (seteuid(uid))
		return -errno;
	fd = kit_open(k);
	return seteuid(0) ? -errno : fd;
}

#define FILES		(SHELF_PINS_PER_USER / SHELF_PINS_PER_FILE)
#define USERS		(SHELF_PINS / SHELF_PINS_PER_USER)

static unsigned int take_users(const struct kit *k, uid_t uid, int *fd, int *last)
{
	unsigned int i, n = 0;

	for (i = 0; i < FILES; i++) {
		fd[i] = open_as(k, uid);
		n += take_all(fd[i], last);
	}
	return n;
}

TEST_F(pin_limits, so_many_a_user_and_a_shelf)
{
	int fd[USERS][FILES], more, mine, last;
	unsigned int u, i;
	char path[64];

	snprintf(path, sizeof(path), "/dev/shelf/%s", self->k.name);
	ASSERT_EQ(0, chmod(path, 0644));
	for (u = 0; u < USERS; u++) {
		EXPECT_EQ(SHELF_PINS_PER_USER, take_users(&self->k, 1000 + u, fd[u], &last));
		EXPECT_EQ(-EMFILE, last);
		more = open_as(&self->k, 1000 + u);
		EXPECT_EQ(u < USERS - 1 ? -EDQUOT : -ENOSPC, pin_take(more, 0, 0, NULL));
		close(more);
	}
	EXPECT_EQ(SHELF_PINS, value(&self->k, "pins"));
	mine = kit_open(&self->k);
	EXPECT_EQ(-ENOSPC, pin_take(mine, 0, 0, NULL));
	close(fd[1][0]);
	EXPECT_EQ(SHELF_PINS - SHELF_PINS_PER_FILE,
		  sysfs_await(self->k.name, "pins", SHELF_PINS - SHELF_PINS_PER_FILE));
	EXPECT_EQ(0, pin_take(mine, 0, 0, NULL));
	more = open_as(&self->k, 1000);
	EXPECT_EQ(-EDQUOT, pin_take(more, 0, 0, NULL));
	EXPECT_EQ(0, world_put(&self->k));
	close(mine);
	close(more);
	for (u = 0; u < USERS; u++)
		for (i = 0; i < FILES; i++)
			close(fd[u][i]);
	EXPECT_TRUE(nothing_kept(&self->k));
}

/*
 * Who has them
 * ============
 */
struct list {
	unsigned int n, mine, theirs, old, wrong;
	__u64 until_ms;
	pid_t child;
};

static int look(const struct shelf_pin_listing *l, void *arg)
{
	struct list *list = arg;
	bool mine = l->pid == getpid();

	list->n++;
	list->mine += mine && !strcmp(l->comm, "pins-mine");
	list->theirs += l->pid == list->child && !strcmp(l->comm, "pins-theirs");
	list->old += l->generation == 2 && l->bytes > 0;
	list->wrong += l->age_ms > list->until_ms || l->left_ms > 3600000 ||
		       l->left_ms + list->until_ms < 3600000 ||
		       (l->generation != 2 && (l->generation != 3 || l->bytes)) ||
		       (mine ? l->user >= 1000 + 4 || l->user < 1000 : l->user);
	return 0;
}

/* All that users 1000 to 1003 may have, but for one. */
static int take_nearly_all(struct kit *k)
{
	unsigned int i, n;

	for (i = 0; i < SHELF_PINS / SHELF_PINS_PER_FILE; i++) {
		int fd;

		if (seteuid(1000 + i * SHELF_PINS_PER_FILE / SHELF_PINS_PER_USER))
			return -errno;
		fd = kit_open(k);
		if (seteuid(0) || fd < 0)
			return -EIO;
		for (n = 0; n < SHELF_PINS_PER_FILE - !i; n++)
			if (pin_take(fd, i % 2 ? 2 : 3, HOUR, NULL))
				return -EIO;
	}
	return 0;
}

/* One more, by somebody else, who waits to be killed. */
static pid_t take_theirs(struct kit *k)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	prctl(PR_SET_NAME, "pins-theirs");
	fd = kit_open(k);
	if (!pin_take(fd, 2, HOUR, NULL))
		pause();
	_exit(1);
}

static int stop_early(const struct shelf_pin_listing *l, void *arg)
{
	return ++*(int *)arg == 3 ? 77 : 0;
}

TEST_F(pin_limits, who_has_pins)
{
	struct list list = { 0 };
	__u64 begun = now_ns();
	char path[64];
	int n = 0;

	EXPECT_EQ(0, shelf_list_pins(self->k.name, look, &list, NULL));
	EXPECT_EQ(0, list.n);
	snprintf(path, sizeof(path), "/dev/shelf/%s", self->k.name);
	ASSERT_EQ(0, chmod(path, 0644));
	prctl(PR_SET_NAME, "pins-mine");
	ASSERT_EQ(0, pin_take(self->fd, 2, HOUR, NULL));
	ASSERT_EQ(0, world_put(&self->k));
	ASSERT_EQ(0, take_nearly_all(&self->k));
	close(self->fd);
	self->k.fd = -1;
	EXPECT_EQ(SHELF_PINS - 1, sysfs_await(self->k.name, "pins", SHELF_PINS - 1));
	list.child = take_theirs(&self->k);
	EXPECT_EQ(SHELF_PINS, sysfs_await(self->k.name, "pins", SHELF_PINS));
	list.until_ms = (now_ns() - begun) / MS + 100;
	EXPECT_EQ(0, shelf_list_pins(self->k.name, look, &list, NULL));
	EXPECT_EQ(SHELF_PINS, list.n);
	EXPECT_EQ(SHELF_PINS - 1, list.mine);
	EXPECT_EQ(1, list.theirs);
	EXPECT_EQ(SHELF_PINS / 2 + 1, list.old);
	EXPECT_EQ(0, list.wrong);
	kill(list.child, SIGKILL);
	waitpid(list.child, NULL, 0);
	EXPECT_EQ(77, shelf_list_pins(self->k.name, stop_early, &n, NULL));
	EXPECT_EQ(3, n);
	EXPECT_EQ(-ENOENT, shelf_list_pins("t.nowhere", look, &list, NULL));
}

TEST_HARNESS_MAIN
