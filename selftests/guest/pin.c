// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P3: a pinned snapshot reads as it was, by mapping, libshelf and each ioctl,
 * whatever is committed meanwhile. P4: a pin ends with whoever holds it, and what it
 * kept comes back; nobody has more pins than are his.
 *
 * Seen to fail with pins_settle() that frees everything, and with retain_pages() that
 * hands nothing on to an older pin (both end in a panic: an ioctl walks what others
 * write) or keeps what is younger than its pin; with file_pins_exit() left out; without
 * the owner in file_view_rcu(), oldest in pinned_find() and the limit of a user in
 * slot_find(); with tokens that come again after a while; and with pin_file() of
 * libshelf that uses its parent's file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/dev.h"
#include "lib/world.h"
#include "kselftest_harness.h"

#define CHUNKS		64U
#define HOUR_MS		3600000U

FIXTURE(pin)
{
	struct kit k;
	int fd;
};

/* The lease is never over here, and nothing is left in quarantine. */
FIXTURE_SETUP(pin)
{
	const struct shelf_settings settings = {
		.max_bytes = CHUNKS * CHUNK, .lease_ms = HOUR_MS, .pin_bytes = CHUNKS * CHUNK,
	};

	ASSERT_EQ(0, kit_make_as(&self->k, "pin", &settings));
	self->fd = self->k.fd;
	ASSERT_EQ(0, world_put(&self->k));
}

FIXTURE_TEARDOWN(pin)
{
	kit_drop(&self->k);
}

static long long value(const struct kit *k, const char *file)
{
	return sysfs_value(k->name, file);
}

/* Nothing is in quarantine any more. */
static bool settled(const struct kit *k)
{
	return sysfs_await(k->name, "bytes_quarantined", 0) == 0;
}

static bool nothing_kept(const struct kit *k)
{
	return sysfs_await(k->name, "pins", 0) == 0 &&
	       sysfs_await(k->name, "bytes_pinned", 0) == 0 && settled(k);
}

static int put_worlds(struct kit *k, unsigned int n)
{
	int ret = 0;

	while (n-- && !ret)
		ret = world_put(k);
	return ret;
}

static int set_quarantine(const struct kit *k, long long ms)
{
	const struct shelf_settings settings = { .quarantine_ms = ms };

	return shelf_set(k->name, &settings, NULL);
}

TEST_F(pin, reads_as_it_was)
{
	struct shelf_section section;
	struct shelf *mapped, *called;
	struct shelf_pin m, c;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &mapped));
	ASSERT_EQ(0, shelf_open(self->k.name, SHELF_OPEN_IOCTL, &called));
	ASSERT_EQ(0, shelf_pin(mapped, 0, 0, &m));
	ASSERT_EQ(0, shelf_pin(called, 0, 0, &c));
	EXPECT_EQ(2, m.generation);
	EXPECT_EQ(2, c.generation);
	EXPECT_EQ(HOUR_MS * 1000000ULL, m.lease_ns);
	shelf_begin(mapped, &section);
	EXPECT_FALSE(shelf_retry(mapped, &section));
	ASSERT_EQ(0, put_worlds(&self->k, 9));
	ASSERT_TRUE(settled(&self->k));
	EXPECT_EQ(11, value(&self->k, "oldest"));
	EXPECT_TRUE(shelf_retry(mapped, &section));
	EXPECT_EQ(0, world_wrong(&m));
	EXPECT_EQ(0, world_wrong_in_place(&m));
	EXPECT_EQ(0, world_wrong(&c));
	EXPECT_EQ(0, world_wrong_by_ioctl(mapped->fd, m.token, 2));
	EXPECT_EQ(0, world_wrong_by_ioctl(called->fd, c.token, 2));
	EXPECT_EQ(0, world_wrong_by_ioctl(self->fd, 0, 11));
	EXPECT_LT(0, value(&self->k, "bytes_pinned"));
	EXPECT_EQ(0, value(&self->k, "revoked_pins"));
	EXPECT_EQ(0, shelf_unpin(&m));
	EXPECT_FALSE(shelf_pin_valid(&m));
	EXPECT_EQ(0, world_wrong(&c));
	shelf_close(mapped);
	shelf_close(called);
	EXPECT_TRUE(nothing_kept(&self->k));
}

/* Another process, which got only the number of the root page. */
TEST_F(pin, reads_as_it_was_in_a_child)
{
	struct shelf *s;
	struct shelf_pin p;
	pid_t pid;
	int status;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	ASSERT_EQ(0, shelf_pin(s, 0, 0, &p));
	ASSERT_EQ(0, put_worlds(&self->k, 5));
	ASSERT_TRUE(settled(&self->k));
	pid = fork();
	if (!pid)
		_exit(world_wrong(&p) || world_wrong_in_place(&p));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, world_wrong(&p));
	shelf_close(s);
	EXPECT_TRUE(nothing_kept(&self->k));
}

/*
 * What is kept hangs on the newest pin that needs it and passes on to older ones:
 * whichever goes first, the others stay whole.
 */
#define SEVERAL		8

static void take_several(struct kit *k, struct shelf *s, struct shelf_pin *pins, int *ret)
{
	unsigned int i;

	for (i = 0; i < SEVERAL && !*ret; i++) {
		*ret = shelf_pin(s, 0, 0, &pins[i]);
		/* Some neighbours are pinned, and some two or three apart. */
		if (!*ret)
			*ret = put_worlds(k, 1 + i % 3);
	}
}

static unsigned int wrong_of_several(const struct shelf_pin *pins, unsigned int there)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < SEVERAL; i++) {
		if (!(there & 1U << i))
			continue;
		wrong += world_wrong_in_place(&pins[i]);
		wrong += world_wrong_by_ioctl(pins[i].fd, pins[i].token, pins[i].generation);
	}
	return wrong;
}

TEST_F_TIMEOUT(pin, several_generations, 120)
{
	static const unsigned int orders[][SEVERAL] = {
		{ 7, 6, 5, 4, 3, 2, 1, 0 }, { 0, 1, 2, 3, 4, 5, 6, 7 },
		{ 3, 4, 0, 7, 5, 1, 6, 2 },
	};
	struct shelf_pin pins[SEVERAL];
	unsigned int i, n, there;
	struct shelf *s;
	long long kept;
	int ret = 0;

	ASSERT_EQ(0, shelf_open(self->k.name, 0, &s));
	for (n = 0; n < ARRAY_SIZE(orders); n++) {
		take_several(&self->k, s, pins, &ret);
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(settled(&self->k));
		there = (1U << SEVERAL) - 1;
		EXPECT_EQ(0, wrong_of_several(pins, there));
		for (i = 0; i < SEVERAL; i++) {
			kept = value(&self->k, "bytes_pinned");
			EXPECT_EQ(0, shelf_unpin(&pins[orders[n][i]]));
			there &= ~(1U << orders[n][i]);
			ASSERT_EQ(0, put_worlds(&self->k, i % 2));
			ASSERT_TRUE(settled(&self->k));
			sleep_ms(50);
			EXPECT_GE(kept, value(&self->k, "bytes_pinned"));
			EXPECT_EQ(0, wrong_of_several(pins, there));
		}
		EXPECT_TRUE(nothing_kept(&self->k));
	}
	shelf_close(s);
}

/* Round after round: what pins kept is not lost. */
TEST_F_TIMEOUT(pin, gives_everything_back, 60)
{
	long long live = 0, after = 0;
	unsigned int round, i;
	int fd;

	for (round = 0; round < 12; round++) {
		fd = kit_open(&self->k);
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, pin_take(fd, 0, 0, NULL));
			ASSERT_EQ(0, world_put(&self->k));
		}
		ASSERT_TRUE(settled(&self->k));
		EXPECT_LT(0, value(&self->k, "bytes_pinned"));
		close(fd);
		EXPECT_TRUE(nothing_kept(&self->k));
		after = value(&self->k, "bytes") - value(&self->k, "bytes_free");
		/* Slots lie now here, now there. */
		if (round == 1)
			live = after;
	}
	EXPECT_GE(live + live / 8, after);
	EXPECT_EQ(value(&self->k, "bytes_live"), after);
	EXPECT_EQ(0, value(&self->k, "revoked_pins"));
}

/*
 * Limits
 * ======
 */

/* As many as are granted; @last: what the next one was refused with. */
static unsigned int take_all(int fd, int *last)
{
	unsigned int n = 0;

	while (!(*last = pin_take(fd, 0, 0, NULL)))
		n++;
	return n;
}

TEST_F(pin, so_many_a_file)
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

TEST_F(pin, so_many_a_user_and_a_shelf)
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
 * By name
 * =======
 */
TEST_F(pin, any_intact_generation)
{
	struct shelf_ioc_pin q[8];
	int fd = self->fd, other = kit_open(&self->k);
	__u64 g;

	ASSERT_EQ(0, set_quarantine(&self->k, HOUR_MS));
	ASSERT_EQ(0, put_worlds(&self->k, 7));
	EXPECT_EQ(2, value(&self->k, "oldest"));
	for (g = 2; g < 10; g += 2) {
		ASSERT_EQ(0, pin_take(fd, g, 0, &q[g - 2]));
		EXPECT_EQ(g, q[g - 2].generation);
	}
	EXPECT_EQ(-EINVAL, pin_take(fd, 10, 0, NULL));
	EXPECT_EQ(-EINVAL, pin_take(fd, SHELF_GENERATION_MAX, 0, NULL));
	ASSERT_EQ(0, set_quarantine(&self->k, 0));
	ASSERT_TRUE(settled(&self->k));
	EXPECT_EQ(9, value(&self->k, "oldest"));
	for (g = 2; g < 9; g++)
		EXPECT_EQ(g % 2 ? -ESTALE : 0, pin_take(other, g, 0, NULL));
	EXPECT_EQ(-ESTALE, pin_take(fd, 1, 0, NULL));
	for (g = 2; g < 10; g += 2) {
		EXPECT_EQ(0, world_wrong_by_ioctl(fd, q[g - 2].pin, g));
		EXPECT_EQ(0, pin_drop(fd, q[g - 2].pin));
	}
	/* They stay as long as there is a pin of theirs. */
	EXPECT_EQ(0, pin_take(fd, 2, 0, &q[0]));
	EXPECT_EQ(0, world_wrong_by_ioctl(fd, q[0].pin, 2));
	EXPECT_EQ(0, pin_drop(fd, q[0].pin));
	close(other);
	EXPECT_TRUE(nothing_kept(&self->k));
	EXPECT_EQ(-ESTALE, pin_take(fd, 2, 0, NULL));
}

/* Empty batches: generations that have nothing but a root of their own. */
static int commit_nothing(struct kit *k, unsigned int n)
{
	struct shelf_batch *b;
	int ret = 0;

	while (n-- && !ret) {
		ret = shelf_batch_begin(k->w, &b, NULL);
		if (ret)
			break;
		shelf_batch_no_wait(b);
		ret = shelf_batch_commit(b, NULL, NULL, NULL);
	}
	return ret;
}

/* Of the last 4096 generations the kernel knows the root, of others by pins. */
TEST_F_TIMEOUT(pin, none_that_is_forgotten, 120)
{
	ASSERT_EQ(0, set_quarantine(&self->k, HOUR_MS));
	ASSERT_EQ(0, pin_take(self->fd, 2, 0, NULL));
	ASSERT_EQ(0, commit_nothing(&self->k, 4100));
	EXPECT_EQ(2, value(&self->k, "oldest"));
	EXPECT_EQ(0, pin_take(self->fd, 2, 0, NULL));
	EXPECT_EQ(-ESTALE, pin_take(self->fd, 3, 0, NULL));
	EXPECT_EQ(-ESTALE, pin_take(self->fd, 4102 - 4096, 0, NULL));
	EXPECT_EQ(0, pin_take(self->fd, 4102 - 4095, 0, NULL));
	EXPECT_EQ(0, pin_take(self->fd, 4102, 0, NULL));
}

/*
 * Whose they are
 * ==============
 */
TEST_F(pin, belongs_to_its_file)
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

TEST_F(pin, ends_with_a_kill)
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

TEST_F(pin, ends_with_an_exit)
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

TEST_F(pin, ends_with_an_exec)
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
TEST_F(pin, lasts_as_long_as_its_file)
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

TEST_F(pin, lasts_as_long_as_a_child_has_its_file)
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

TEST_F(pin, of_a_child_ends_with_the_child)
{
	pin_and_lose_child(_metadata, &self->k, SHELF_OPEN_IOCTL);
}

TEST_F(pin, of_a_child_that_maps_ends_with_the_child)
{
	pin_and_lose_child(_metadata, &self->k, 0);
}

TEST_F(pin, outlives_the_shelf)
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

/*
 * Numbers
 * =======
 */
#define TOKENS		10000U

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* Exactly those are in the page that are held. */
static bool page_is_right(const struct shelf_pins *page, const __u64 *held, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (held[i] && !pin_shown(page, held[i]))
			return false;
	return pins_shown(page) == n;
}

TEST_F_TIMEOUT(pin, no_number_comes_twice, 60)
{
	const struct shelf_pins *page = pins_map(self->fd);
	__u64 *all = calloc(TOKENS, sizeof(*all)), held[24];
	unsigned int i, n = 0, wrong = 0, twice = 0;
	struct shelf_ioc_pin q;

	ASSERT_NE(NULL, page);
	for (i = 0; i < TOKENS; i++) {
		/* Now few are held, now many, and not the last one goes first. */
		while (n > i / 8 % ARRAY_SIZE(held)) {
			unsigned int at = (i * 7 + n) % n;

			wrong += pin_drop(self->fd, held[at]) != 0;
			wrong += pin_shown(page, held[at]);
			held[at] = held[--n];
		}
		wrong += pin_take(self->fd, 0, 0, &q) != 0 || !q.pin;
		all[i] = held[n++] = q.pin;
		wrong += i % 16 == 0 && !page_is_right(page, held, n);
	}
	EXPECT_EQ(0, wrong);
	qsort(all, TOKENS, sizeof(*all), compare);
	for (i = 1; i < TOKENS; i++)
		twice += all[i] == all[i - 1];
	EXPECT_EQ(0, twice);
	EXPECT_EQ(n, value(&self->k, "pins"));
}

/*
 * Many at once, beside a writer
 * =============================
 */
struct holder {
	const char *name;
	unsigned int seed;
	unsigned int pins;
	unsigned int wrong;
};

static bool holders_stop;

static unsigned int random_of(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static unsigned int look_around(const struct shelf_pin *p, struct holder *h, void *buffer)
{
	__s64 id = 1 + random_of(&h->seed, WORLD_PRODUCTS);
	__s64 catalog = 1 + random_of(&h->seed, WORLD_CATALOGS);
	unsigned int wrong = 0;

	wrong += world_get(p->fd, p->token, p->generation, id, buffer) != 0;
	wrong += world_members(p->fd, p->token, p->generation, catalog, buffer) != 0;
	wrong += world_is_member(p->fd, p->token, p->generation, catalog, 3) != 0;
	return wrong + !shelf_pin_valid(p);
}

/* Up to 16 pins, some long, some short. */
static void *hold_pins(void *arg)
{
	struct shelf_pin pins[16] = { { .token = 0 } }, *p;
	void *buffer = malloc(WORLD_BUFFER);
	struct holder *h = arg;
	struct shelf *s;

	if (shelf_open(h->name, 0, &s))
		return NULL;
	while (!__atomic_load_n(&holders_stop, __ATOMIC_RELAXED)) {
		p = &pins[random_of(&h->seed, 16)];
		if (!p->token) {
			h->wrong += shelf_pin(s, 0, 0, p) != 0;
			h->pins++;
		}
		h->wrong += look_around(p, h, buffer);
		if (random_of(&h->seed, 4))
			continue;
		h->wrong += world_wrong_in_place(p);
		h->wrong += shelf_unpin(p) != 0;
		p->token = 0;
	}
	shelf_close(s);
	free(buffer);
	return NULL;
}

TEST_F_TIMEOUT(pin, many_at_once, 60)
{
	__u64 until = now_ns() + 4000000000ULL;
	struct holder h[4] = { { .name = NULL } };
	unsigned int i, commits = 0;
	pthread_t thread[4];

	for (i = 0; i < 4; i++) {
		h[i] = (struct holder){ .name = self->k.name, .seed = i };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, hold_pins, &h[i]));
	}
	while (now_ns() < until && !world_put_no_wait(&self->k))
		commits++;
	__atomic_store_n(&holders_stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(0, h[i].wrong);
		EXPECT_LT(3, h[i].pins);
	}
	EXPECT_LT(10, commits);
	TH_LOG("%u commits, %u pins", commits,
	       h[0].pins + h[1].pins + h[2].pins + h[3].pins);
	EXPECT_EQ(0, value(&self->k, "revoked_pins"));
	EXPECT_TRUE(nothing_kept(&self->k));
}

TEST_HARNESS_MAIN
