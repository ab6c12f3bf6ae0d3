// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3, P4, P8 as far as a device node goes: who may open it; what stays of a
 * shelf that is destroyed, for those who have it open and for nobody else; and
 * that a reader leaves nothing behind, however it ends.
 *
 * Seen to fail with idr_replace() left out of shelf_hide(), so that a node
 * that somebody kept still leads to the dead shelf; with the mode left out of
 * shelf_devnode(); with atomic_dec() left out of shelf_close(); with one file of
 * sysfs in place of another, or with an address for its value (sysfs_is_as_documented);
 * and with HASH_SEED ignored (has_the_seed_that_was_asked_for).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/doc.h"
#include "lib/harness.h"

#define COUNT		300U
#define ATTRS		500U
#define NOBODY		65534

FIXTURE(device)
{
	struct kit k;
	char path[64];
};

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, kit_make(&self->k, "device", 4));
	ASSERT_EQ(0, put_products(&self->k, 1, COUNT, ATTRS, 1));
	snprintf(self->path, sizeof(self->path), "/dev/shelf/%s", self->k.name);
}

FIXTURE_TEARDOWN(device)
{
	kit_drop(&self->k);
}

/* Results of a child: an errno, or 0. */
static int open_read(void *path)
{
	return open(path, O_RDONLY) < 0 ? errno : 0;
}

static int open_write(void *path)
{
	return open(path, O_WRONLY) < 0 ? errno : 0;
}

static int open_both(void *path)
{
	return open(path, O_RDWR) < 0 ? errno : 0;
}

TEST_F(device, is_roots_alone)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(S_IFCHR | 0640, st.st_mode);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
	EXPECT_EQ(EACCES, as_user(NOBODY, open_read, self->path));
	EXPECT_EQ(EACCES, as_user(NOBODY, open_write, self->path));
	EXPECT_EQ(0, in_child(open_read, self->path));
	EXPECT_EQ(EACCES, in_child(open_write, self->path));
	EXPECT_EQ(EACCES, in_child(open_both, self->path));
}

/* Rights are an administrator's to give, but those to write are nobody's. */
TEST_F(device, is_read_by_whom_root_lets)
{
	ASSERT_EQ(0, chmod(self->path, 0666));
	EXPECT_EQ(0, as_user(NOBODY, open_read, self->path));
	EXPECT_EQ(EACCES, as_user(NOBODY, open_write, self->path));
	EXPECT_EQ(EACCES, as_user(NOBODY, open_both, self->path));
}

static int administer(void *name)
{
	const struct shelf_settings settings = { .max_bytes = 4 << 20 };
	struct shelf_batch *b;
	struct shelf_writer *w;

	if (shelf_create("t.nobody", &settings, NULL) != -EPERM ||
	    shelf_destroy(name, NULL) != -EPERM)
		return 1;
	if (!shelf_writer_open(name, &w, NULL) &&
	    shelf_batch_begin(w, &b, NULL) != -EPERM)
		return 2;
	return 0;
}

TEST_F(device, is_changed_by_root_alone)
{
	EXPECT_EQ(0, as_user(NOBODY, administer, self->k.name));
	EXPECT_EQ(2, sysfs_value(self->k.name, "generation"));
}

/* Numbers, none of which is the kernel's half of addresses, or one word of a few. */
static bool is_value(const char *text)
{
	char *end;

	if (!strcmp(text, "allow\n") || !strcmp(text, "warn\n") || !strcmp(text, "refuse\n"))
		return true;
	while (isdigit(*text)) {
		if (strtoull(text, &end, 10) >> 63)
			return false;
		text = end + (*end == ' ');
	}
	return text[0] == '\n' && !text[1];
}

static bool has_values(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY);
	char text[4096];
	struct stat st;
	ssize_t n;
	bool good;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	good = n > 1 && is_value(text) && !fstat(fd, &st) && (st.st_mode & 07777) == 0444;
	close(fd);
	return good;
}

static bool of_any_device(const char *name)
{
	return name[0] == '.' || !strcmp(name, "dev") || !strcmp(name, "uevent") ||
	       !strcmp(name, "power") || !strcmp(name, "subsystem");
}

static DIR *open_sysfs(const struct kit *k)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/shelf/%s", k->name);
	return opendir(path);
}

TEST_F_TIMEOUT(device, sysfs_is_as_documented, 480)
{
	char cell[DOC_CELL], *name, *rest;
	DIR *dir = open_sysfs(&self->k);
	unsigned int row;
	struct dirent *e;

	ASSERT_NE(NULL, dir);
	while ((e = readdir(dir))) {
		EXPECT_TRUE(of_any_device(e->d_name) || doc_has("sysfs", e->d_name))
			TH_LOG("%s is not in abi.md", e->d_name);
	}
	for (row = 0; doc_cell("sysfs", row, 0, cell); row++) {
		for_each_name(name, cell, rest) {
			EXPECT_TRUE(has_values(dirfd(dir), name))
				TH_LOG("%s", name);
		}
	}
	EXPECT_LT(30, row);
	closedir(dir);
}

TEST_F(device, sysfs_tells_of_the_shelf)
{
	EXPECT_EQ(COUNT, sysfs_value(self->k.name, "products"));
	EXPECT_EQ(1, sysfs_value(self->k.name, "commits"));
	EXPECT_EQ(COUNT * ATTRS, sysfs_value(self->k.name, "bytes_attrs"));
	EXPECT_EQ(1, sysfs_value(self->k.name, "opens"));
	EXPECT_EQ(4 * CHUNK, sysfs_value(self->k.name, "max_bytes"));
	EXPECT_EQ(60000, sysfs_value(self->k.name, "lease_ms"));
	EXPECT_EQ(3600000, sysfs_value(self->k.name, "lease_max_ms"));
	EXPECT_EQ(2 * CHUNK, sysfs_value(self->k.name, "pin_bytes"));
}

/* A file that was held open in sysfs across destroy tells nothing any more. */
TEST_F(device, sysfs_goes_with_the_shelf)
{
	char path[128], text[32];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/shelf/%s/products", self->k.name);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_EQ(-ENODEV, ERRNO(read(fd, text, sizeof(text))));
	EXPECT_EQ(-1, access(path, F_OK));
	close(fd);
}

static short events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST_F(device, what_is_open_lives_on)
{
	struct shelf_ioc_info info = { 0 };
	struct shelf *mapped, *called;
	struct kit k = self->k;

	ASSERT_EQ(0, shelf_open(k.name, 0, &mapped));
	ASSERT_EQ(0, shelf_open(k.name, SHELF_OPEN_IOCTL, &called));
	ASSERT_EQ(0, kit_destroy(&k));
	EXPECT_EQ(-1, access(self->path, F_OK));
	EXPECT_EQ(-ENOENT, kit_open(&k));
	EXPECT_EQ(-ENOENT, kit_destroy(&k));
	EXPECT_EQ(-ENOENT, put_products(&k, 1, 1, 1, 1));
	EXPECT_TRUE(events(k.fd) & POLLHUP);
	EXPECT_EQ(0, shelf_info(called, &info));
	EXPECT_EQ(1, info.dead);
	EXPECT_EQ(COUNT, info.products);
	EXPECT_EQ(0, count_wrong(mapped, 1, COUNT, ATTRS, 1));
	EXPECT_EQ(0, count_wrong(called, 1, COUNT, ATTRS, 1));
	EXPECT_TRUE(survives_reading(mapped->arena, k.arena_bytes));
	shelf_close(mapped);
	/* A mapping may even be made, of all that there will ever be. */
	EXPECT_NE(MAP_FAILED, map_arena(k.fd, k.arena_bytes));
	shelf_close(called);
}

TEST_F(device, a_name_is_free_at_once)
{
	const struct shelf_settings settings = { .max_bytes = 4 * CHUNK,
						 .quarantine_ms = -1 };
	struct kit old = self->k, *k = &self->k;
	struct shelf *s, *t;
	unsigned int i;

	ASSERT_EQ(0, shelf_open(k->name, 0, &s));
	for (i = 2; i < 10; i++) {
		ASSERT_EQ(0, kit_destroy(k));
		ASSERT_EQ(0, shelf_create(k->name, &settings, NULL));
		EXPECT_EQ(0, put_products(k, 1, COUNT, ATTRS, i));
		ASSERT_EQ(0, shelf_open(k->name, 0, &t));
		EXPECT_EQ(0, count_wrong(t, 1, COUNT, ATTRS, i));
		EXPECT_EQ(0, count_wrong(s, 1, COUNT, ATTRS, 1));
		shelf_close(t);
	}
	EXPECT_TRUE(events(old.fd) & POLLHUP);
	shelf_close(s);
}

/* Where an id lies follows from it: what was found with a seed can be had again. */
TEST_F(device, has_the_seed_that_was_asked_for)
{
	const __u64 seed = 0x5eed5eed5eedULL;
	const struct shelf_settings settings = { .max_bytes = 4 * CHUNK,
						 .quarantine_ms = -1, .seed = &seed };
	struct kit *k = &self->k;
	struct shelf *s;

	ASSERT_EQ(0, kit_destroy(k));
	ASSERT_EQ(0, shelf_create(k->name, &settings, NULL));
	ASSERT_EQ(0, shelf_open(k->name, 0, &s));
	EXPECT_EQ(seed, s->control->seed);
	shelf_close(s);
}

/* A node that somebody kept leads nowhere, not to the dead nor to another. */
TEST_F(device, a_kept_node_is_dead)
{
	const char *kept = "/dev/shelf-kept";
	struct kit other;
	struct stat st;
	int fd;

	ASSERT_EQ(0, stat(self->path, &st));
	unlink(kept);
	ASSERT_EQ(0, mknod(kept, S_IFCHR | 0600, st.st_rdev));
	fd = open(kept, O_RDONLY);
	EXPECT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_EQ(ENODEV, in_child(open_read, (void *)kept));
	ASSERT_EQ(0, kit_make(&other, "other", 2));
	EXPECT_EQ(ENODEV, in_child(open_read, (void *)kept));
	close(self->k.fd);
	self->k.fd = -1;
	sleep_ms(200);
	fd = in_child(open_read, (void *)kept);
	EXPECT_TRUE(fd == ENODEV || fd == ENXIO);
	kit_drop(&other);
	unlink(kept);
}

/* One address space for all nodes of a shelf, too: a hole goes in both. */
TEST_F(device, a_second_node_is_as_good)
{
	const char *second = "/dev/shelf-second";
	struct stat st;
	struct shelf s;
	void *a, *c;
	int fd;

	ASSERT_EQ(0, stat(self->path, &st));
	unlink(second);
	ASSERT_EQ(0, mknod(second, S_IFCHR | 0600, st.st_rdev));
	fd = open(second, O_RDONLY);
	ASSERT_LE(0, fd);
	a = map_arena(fd, self->k.arena_bytes);
	c = map_control(fd);
	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, c);
	touch(a, self->k.arena_bytes);
	ASSERT_EQ(0, put_products(&self->k, 1000, 80, 50000, 6));
	s = mapped_reader(c, a);
	EXPECT_EQ(0, count_wrong(&s, 1000, 80, 50000, 6));
	unlink(second);
	close(fd);
}

static int read_for_ever(void *name)
{
	struct shelf *s;

	if (shelf_open(name, 0, &s))
		return 1;
	for (;;)
		count_wrong(s, 1, COUNT, ATTRS, 1);
}

TEST_F(device, the_killed_leave_nothing)
{
	pid_t pid[8];
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(pid); i++) {
			pid[i] = fork();
			if (!pid[i])
				_exit(read_for_ever(self->k.name));
		}
		EXPECT_EQ(9, sysfs_await(self->k.name, "opens", 9));
		sleep_ms(100);
		for (i = 0; i < ARRAY_SIZE(pid); i++)
			kill(pid[i], SIGKILL);
		for (i = 0; i < ARRAY_SIZE(pid); i++)
			waitpid(pid[i], NULL, 0);
		EXPECT_EQ(1, sysfs_await(self->k.name, "opens", 1));
		EXPECT_EQ(0, put_products(&self->k, 1, COUNT, ATTRS, 1));
	}
}

/* A shelf's whole life, again and again; how often it went wrong. */
static void *live_and_die(void *arg)
{
	unsigned long i, wrong = 0;
	struct kit k;
	struct shelf s;
	void *a, *c;

	for (i = 0; i < 100; i++) {
		if (kit_make(&k, arg, 2)) {
			wrong++;
			continue;
		}
		a = map_arena(k.fd, k.arena_bytes);
		c = map_control(k.fd);
		wrong += put_products(&k, 1, 20, 100, i) != 0;
		s = mapped_reader(c, a);
		wrong += count_wrong(&s, 1, 20, 100, i);
		kit_drop(&k);
		wrong += count_wrong(&s, 1, 20, 100, i);
		munmap(a, s.mask + SHELF_PAGE_BYTES);
		munmap(c, PAGE);
	}
	return (void *)wrong;
}

TEST_F_TIMEOUT(device, cycles_in_two_threads, 900)
{
	pthread_t thread[2];
	void *wrong;
	int i;

	ASSERT_EQ(0, pthread_create(&thread[0], NULL, live_and_die, "a"));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, live_and_die, "b"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &wrong));
		EXPECT_EQ(NULL, wrong);
	}
}

/* Both want the same name. It is one of theirs, or nobody's, at any time. */
static void *fight_for_a_name(void *name)
{
	const struct shelf_settings settings = { .max_bytes = 4 << 20,
						 .quarantine_ms = -1 };
	unsigned long i, wrong = 0;
	struct shelf *s;
	int ret;

	for (i = 0; i < 100; i++) {
		ret = shelf_create(name, &settings, NULL);
		wrong += ret && ret != -EEXIST;
		ret = shelf_open(name, i % 2 ? SHELF_OPEN_IOCTL : 0, &s);
		wrong += ret && ret != -ENOENT && ret != -ENODEV && ret != -ENXIO;
		if (!ret)
			shelf_close(s);
		ret = shelf_destroy(name, NULL);
		wrong += ret && ret != -ENOENT;
	}
	return (void *)wrong;
}

TEST_F_TIMEOUT(device, one_name_for_two_threads, 480)
{
	pthread_t thread[2];
	void *wrong;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, fight_for_a_name,
					    "t.fight"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &wrong));
		EXPECT_EQ(NULL, wrong);
	}
	EXPECT_EQ(-ENOENT, shelf_destroy("t.fight", NULL));
}

TEST_HARNESS_MAIN
