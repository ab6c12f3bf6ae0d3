// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P4: a pin belongs to an open file, is no use to another, and ends with it, however
 * its process ends; then what it kept comes back.
 *
 * Seen to fail with file_pins_exit() left out, without the owner in file_view_rcu(),
 * and with pin_file() of libshelf that uses its parent's file.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/pins.h"
#include "lib/world.h"
#include "lib/harness.h"

#define CHUNKS		64U
#define HOUR_MS		3600000U

FIXTURE(pin_ends)
{
	struct kit k;
	int fd;
};

FIXTURE_SETUP(pin_ends)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .lease_ms = HOUR_MS, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, world_make(&self->k, "pin_ends", &settings));
	self->fd = self->k.fd;
}

FIXTURE_TEARDOWN(pin_ends)
{
	kit_drop(&self->k);
}

/*
 * Whose they are
 * ==============
 */
TEST_F(pin_ends, belongs_to_its_file)
{
	int other = kit_open(&self->k);
	struct shelf_ioc_pin q, r;
	unsigned char byte[16];

	ASSERT_EQ(0, pin_take(self->fd, 0, 0, &q));
	ASSERT_EQ(0, pin_take(other, 0, 0, &r));
	EXPECT_EQ(ESTALE, world_info(other, q.pin, 2));
	EXPECT_EQ(ESTALE, world_info(self->fd, r.pin, 2));
	EXPECT_EQ(ESTALE, world_is_member(other, q.pin, 2, 1, 0));
	EXPECT_EQ(ESTALE, world_get(other, q.pin, 2, 5, byte));
	EXPECT_EQ(-EINVAL, pin_drop(other, q.pin));
	EXPECT_EQ(-EINVAL, pin_drop(self->fd, r.pin));
	EXPECT_EQ(2, value(&self->k, "pins"));
	EXPECT_EQ(0, pin_drop(self->fd, q.pin));
	EXPECT_EQ(-EINVAL, pin_drop(self->fd, q.pin));
	EXPECT_EQ(ESTALE, world_info(self->fd, q.pin, 2));
	EXPECT_EQ(0, world_info(other, r.pin, 2));
	EXPECT_EQ(0, pin_drop(other, r.pin));
	EXPECT_EQ(0, value(&self->k, "pins"));
	close(other);
}

/*
 * Ends
 * ====
 */

/* A child that has done @call is waited for; it lives until it is killed. */
static pid_t child_with(struct kit *k, int (*call)(struct kit *k))
{
	char done = 0;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		done = !call(k);
		if (write(ends[1], &done, 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	if (pid > 0 && (read(ends[0], &done, 1) != 1 || !done))
		kill(pid, SIGKILL);
	close(ends[0]);
	return done ? pid : -1;
}

static void end(pid_t pid)
{
	if (pid < 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int pin_anew(struct kit *k)
{
	int fd = kit_open(k);

	return fd < 0 ? fd : pin_take(fd, 0, 0, NULL);
}

TEST_F(pin_ends, ends_with_a_kill)
{
	pid_t pid[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pid); i++)
		pid[i] = child_with(&self->k, pin_anew);
	EXPECT_EQ(3, value(&self->k, "pins"));
	ASSERT_EQ(0, put_worlds(&self->k, 2));
	ASSERT_TRUE(settled(&self->k));
	EXPECT_LT(0, value(&self->k, "bytes_pinned"));
	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		end(pid[i]);
		EXPECT_EQ(2 - i, sysfs_await(self->k.name, "pins", 2 - i));
	}
	EXPECT_TRUE(nothing_kept(&self->k));
}

static int exit_with_pin(void *k)
{
	return pin_anew(k) ? 1 : 0;
}

TEST_F(pin_ends, ends_with_an_exit)
{
	ASSERT_EQ(0, in_child(exit_with_pin, &self->k));
	EXPECT_EQ(0, sysfs_await(self->k.name, "pins", 0));
}

/* Becomes another program with the file, or without. */
static pid_t exec_with_pin(const struct kit *k, bool keep)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	fd = kit_open(k);
	if (keep)
		fcntl(fd, F_SETFD, 0);
	if (pin_take(fd, 0, 0, NULL))
		_exit(1);
	execl("/bin/sleep", "sleep", "100", NULL);
	_exit(1);
}

/* The name of the program that @pid runs begins with sleep. */
static bool is_asleep(pid_t pid)
{
	char path[64], name[16] = "";
	unsigned int tries;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	for (tries = 0; tries < 200 && strncmp(name, "sleep", 5); tries++) {
		sleep_ms(25);
		f = fopen(path, "re");
		if (f && !fgets(name, sizeof(name), f))
			name[0] = 0;
		if (f)
			fclose(f);
	}
	return tries < 200;
}

TEST_F(pin_ends, ends_with_an_exec)
{
	pid_t pid = exec_with_pin(&self->k, false);

	EXPECT_TRUE(is_asleep(pid));
	EXPECT_EQ(0, sysfs_await(self->k.name, "pins", 0));
	end(pid);
	pid = exec_with_pin(&self->k, true);
	EXPECT_TRUE(is_asleep(pid));
	sleep_ms(100);
	EXPECT_EQ(1, value(&self->k, "pins"));
	end(pid);
	EXPECT_EQ(0, sysfs_await(self->k.name, "pins", 0));
}

/* Whatever has the file has its pins. */
TEST_F(pin_ends, lasts_as_long_as_its_file)
{
	int fd = kit_open(&self->k), same = dup(fd);
	struct shelf_ioc_pin q;
	const struct shelf_pins *map = pins_map(fd);
	void *arena = map_arena(fd, CHUNK);

	ASSERT_NE(NULL, map);
	ASSERT_NE(MAP_FAILED, arena);
	ASSERT_EQ(0, pin_take(fd, 0, 0, &q));
	close(fd);
	EXPECT_EQ(1, value(&self->k, "pins"));
	EXPECT_EQ(0, world_info(same, q.pin, 2));
	close(same);
	ASSERT_EQ(0, put_worlds(&self->k, 4));
	EXPECT_TRUE(pin_shown(map, q.pin));
	pins_unmap(map);
	sleep_ms(50);
	EXPECT_EQ(1, value(&self->k, "pins"));
	munmap(arena, CHUNK);
	EXPECT_TRUE(nothing_kept(&self->k));
}

static int nothing(struct kit *k)
{
	return 0;
}

TEST_F(pin_ends, lasts_as_long_as_a_child_has_its_file)
{
	int fd = kit_open(&self->k);
	pid_t pid;

	ASSERT_EQ(0, pin_take(fd, 0, 0, NULL));
	pid = child_with(&self->k, nothing);
	close(fd);
	sleep_ms(50);
	EXPECT_EQ(1, value(&self->k, "pins"));
	end(pid);
	EXPECT_EQ(0, sysfs_await(self->k.name, "pins", 0));
}

/* By way of its parent's struct shelf, which is all the same to libshelf. */
static struct shelf *parents;

static int pin_parents(struct kit *k)
{
	struct shelf_pin p, q;

	if (shelf_pin(parents, 0, 0, &p) || shelf_pin(parents, 0, 0, &q) ||
	    world_wrong(&p) || shelf_unpin(&q) || shelf_pin_valid(&q))
		return 1;
	return shelf_is_mapped(parents) && world_wrong_in_place(&p);
}

static void pin_and_lose_child(struct __test_metadata *_metadata, struct kit *k,
			       unsigned int flags)
{
	struct shelf_pin p;
	pid_t pid;

	ASSERT_EQ(0, shelf_open(k->name, flags, &parents));
	ASSERT_EQ(0, shelf_pin(parents, 0, 0, &p));
	pid = child_with(k, pin_parents);
	ASSERT_LT(0, pid);
	EXPECT_EQ(2, value(k, "pins"));
	end(pid);
	EXPECT_EQ(1, sysfs_await(k->name, "pins", 1));
	EXPECT_TRUE(shelf_pin_valid(&p));
	ASSERT_EQ(0, put_worlds(k, 5));
	EXPECT_EQ(0, world_wrong(&p));
	EXPECT_EQ(0, shelf_unpin(&p));
	shelf_close(parents);
	EXPECT_TRUE(nothing_kept(k));
}

TEST_F(pin_ends, of_a_child_ends_with_the_child)
{
	pin_and_lose_child(_metadata, &self->k, SHELF_OPEN_IOCTL);
}

TEST_F(pin_ends, of_a_child_that_maps_ends_with_the_child)
{
	pin_and_lose_child(_metadata, &self->k, 0);
}

TEST_F(pin_ends, outlives_the_shelf)
{
	struct shelf *s;
	struct shelf_pin p;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	ASSERT_EQ(0, shelf_pin(s, 0, 0, &p));
	ASSERT_EQ(0, put_worlds(&self->k, 5));
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_EQ(0, world_wrong(&p));
	EXPECT_EQ(0, world_wrong_by_ioctl(s->fd, p.token, 2));
	EXPECT_EQ(0, shelf_unpin(&p));
	ASSERT_EQ(0, shelf_pin(s, 0, 0, &p));
	EXPECT_EQ(7, p.generation);
	shelf_close(s);
}

TEST_HARNESS_MAIN
