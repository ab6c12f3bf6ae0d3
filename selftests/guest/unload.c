// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Lifetime, as P3, P5 and P8 need it: the module can't go while there is a
 * shelf, or as much as a descriptor or a mapping of one that was destroyed, and
 * can once all is gone. SHELF_KO names the module's file, so that it can be put
 * back; without it, it is not taken out.
 *
 * Seen to fail with try_module_get() and module_put() left out of registry.c, and the
 * owner of shelf_fs_type with them: its mount holds the module as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/module.h"
#include "lib/harness.h"

static int add_name(const struct shelf_listing *l, void *arg)
{
	strcpy(arg, l->name);
	return 1;
}

/* Also what tests before this one may have left. */
static void destroy_all(void)
{
	char name[SHELF_NAME_MAX + 1];

	while (shelf_list(add_name, name, NULL) == 1)
		if (shelf_destroy(name, NULL))
			break;
}

FIXTURE(unload)
{
	struct kit k;
	const char *ko;
};

FIXTURE_SETUP(unload)
{
	self->ko = getenv("SHELF_KO");
	destroy_all();
	ASSERT_EQ(0, kit_make(&self->k, "unload", 4));
	ASSERT_EQ(0, put_products(&self->k, 1, 100, 100, 1));
}

FIXTURE_TEARDOWN(unload)
{
	kit_drop(&self->k);
}

/* EAGAIN is EWOULDBLOCK: the module has users. */
static bool in_use(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (module_unload() != -EAGAIN)
			return false;
		sleep_ms(100);
	}
	return true;
}

/* Closes all but what the test is about. */
static void close_all(struct kit *k)
{
	shelf_writer_close(k->w);
	k->w = NULL;
	close(k->fd);
	k->fd = -1;
}

/* Takes the module out and puts it back, or says why not. */
#define GONE_AND_BACK()							\
	do {								\
		if (!self->ko)						\
			SKIP(return, "SHELF_KO is not set");		\
		ASSERT_EQ(0, module_unload_soon());				\
		EXPECT_EQ(-1, access("/sys/module/shelf", F_OK));	\
		EXPECT_EQ(-1, access("/dev/shelf", F_OK));		\
		ASSERT_EQ(0, module_load(self->ko));				\
	} while (0)

TEST_F(unload, not_with_a_shelf)
{
	close_all(&self->k);
	EXPECT_TRUE(in_use());
	ASSERT_EQ(0, kit_destroy(&self->k));
	GONE_AND_BACK();
}

TEST_F(unload, not_with_a_descriptor)
{
	int fd = kit_open(&self->k);
	struct shelf s = { .fd = fd };

	close_all(&self->k);
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_TRUE(in_use());
	EXPECT_EQ(0, count_wrong(&s, 1, 100, 100, 1));
	close(fd);
	GONE_AND_BACK();
}

TEST_F(unload, not_with_a_mapping)
{
	void *control = map_control(self->k.fd);
	void *a = map_arena(self->k.fd, self->k.arena_bytes);
	const size_t bytes = self->k.arena_bytes;
	struct shelf s = mapped_reader(control, a);

	ASSERT_NE(MAP_FAILED, a);
	close_all(&self->k);
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_TRUE(in_use());
	EXPECT_EQ(0, count_wrong(&s, 1, 100, 100, 1));
	EXPECT_TRUE(survives_reading(a, bytes));
	/* A single chunk of it will do, or the control page. */
	ASSERT_EQ(0, munmap((__u8 *)a + CHUNK, bytes - CHUNK));
	EXPECT_TRUE(in_use());
	ASSERT_EQ(0, munmap(a, CHUNK));
	EXPECT_TRUE(in_use());
	EXPECT_EQ(SHELF_CONTROL_MAGIC, s.control->magic);
	ASSERT_EQ(0, munmap(control, PAGE));
	GONE_AND_BACK();
}

/* Of another process, which is then killed. */
TEST_F(unload, not_with_a_child)
{
	pid_t pid = fork();

	if (!pid) {
		touch(map_arena(self->k.fd, self->k.arena_bytes),
		      self->k.arena_bytes);
		pause();
		_exit(0);
	}
	sleep_ms(300);
	close_all(&self->k);
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_TRUE(in_use());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	GONE_AND_BACK();
}

/* A batch that nobody will commit, of a socket that is still open. */
TEST_F(unload, with_a_batch_of_a_destroyed_shelf)
{
	struct shelf_writer *w;
	struct shelf_batch *b;

	ASSERT_EQ(0, shelf_writer_open(self->k.name, &w, NULL));
	ASSERT_EQ(0, shelf_batch_begin(w, &b, NULL));
	ASSERT_EQ(0, put_one(b, 5, 1000, 1));
	close_all(&self->k);
	EXPECT_TRUE(in_use());
	ASSERT_EQ(0, kit_destroy(&self->k));
	GONE_AND_BACK();
	EXPECT_NE(0, shelf_batch_commit(b, NULL, NULL, NULL));
	shelf_writer_close(w);
}

/* Whatever the last life left behind would show in the next. */
TEST_F_TIMEOUT(unload, again_and_again, 480)
{
	unsigned int i;
	size_t bytes;
	void *a;

	close_all(&self->k);
	ASSERT_EQ(0, kit_destroy(&self->k));
	for (i = 0; i < 5; i++) {
		GONE_AND_BACK();
		ASSERT_EQ(0, kit_make(&self->k, "again", 4));
		EXPECT_EQ(0, put_products(&self->k, 1, 200, 20000, i));
		bytes = self->k.arena_bytes;
		a = map_arena(self->k.fd, bytes);
		touch(a, bytes);
		kit_drop(&self->k);
		EXPECT_TRUE(in_use());
		EXPECT_EQ(0, munmap(a, bytes));
	}
}

TEST_HARNESS_MAIN
