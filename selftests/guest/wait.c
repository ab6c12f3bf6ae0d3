// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5: who waits for a generation, polls or reads learns of each commit after it
 * is there, neither before nor never; P4: nobody who waits keeps a writer, or
 * destroy, waiting.
 *
 * Seen to fail with wake_up_all() left out of shelf_destroy(), with the same
 * left out after publish, and with EPOLLHUP left out of shelf_poll().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define MS		1000000LL
#define FOREVER		(-1LL)

FIXTURE(wait)
{
	struct kit k;
	int fd;
};

FIXTURE_SETUP(wait)
{
	ASSERT_EQ(0, kit_make(&self->k, "wait", 2));
	self->fd = self->k.fd;
	ASSERT_EQ(1, sysfs_value(self->k.name, "generation"));
}

FIXTURE_TEARDOWN(wait)
{
	kit_drop(&self->k);
}

static int wait_for(int fd, __u64 generation, __s64 timeout, __u64 *now)
{
	struct shelf_ioc_wait w = {
		.size = sizeof(w), .generation = generation, .timeout_ns = timeout,
	};
	int ret = ERRNO(ioctl(fd, SHELF_IOC_WAIT, &w));

	*now = w.generation;
	return ret;
}

/* Whether it was an event that ended a wait of 20 s, and not its time. */
static bool was_soon(__u64 begun)
{
	return now_ns() - begun < 10000 * MS;
}

static int commit(struct kit *k, int salt)
{
	return put_products(k, 1, 1, 8, salt);
}

/* In a process of its own, a while from now. */
static pid_t later(struct kit *k, int (*call)(struct kit *k), unsigned int ms)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	sleep_ms(ms);
	_exit(call(k) ? 1 : 0);
}

/* The parent's connection isn't the child's to use. */
static int commit_anew(struct kit *k)
{
	int ret = shelf_writer_open(k->name, &k->w, NULL);

	return ret ? ret : commit(k, 2);
}

static int destroy(struct kit *k)
{
	return kit_destroy(k);
}

static int ended(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

TEST_F(wait, is_over_at_once_if_it_is_there)
{
	static const __s64 timeouts[] = { 0, 1, FOREVER, INT64_MIN, INT64_MAX };
	unsigned int i;
	__u64 now;

	ASSERT_EQ(0, commit(&self->k, 1));
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		EXPECT_EQ(0, wait_for(self->fd, 0, timeouts[i], &now));
		EXPECT_EQ(2, now);
		EXPECT_EQ(0, wait_for(self->fd, 2, timeouts[i], &now));
		EXPECT_EQ(2, now);
	}
}

TEST_F(wait, ends_in_time)
{
	static const __s64 timeouts[] = { 0, 1, 20 * MS, 300 * MS };
	__u64 now, begun, took;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		begun = now_ns();
		EXPECT_EQ(-ETIMEDOUT, wait_for(self->fd, 2 + i, timeouts[i], &now));
		took = now_ns() - begun;
		EXPECT_EQ(1, now);
		EXPECT_LE(timeouts[i], took);
		EXPECT_GT(timeouts[i] + 5000 * MS, took);
	}
	EXPECT_EQ(-ETIMEDOUT, wait_for(self->fd, UINT64_MAX, 0, &now));
}

TEST_F(wait, ends_with_a_commit)
{
	static const __s64 timeouts[] = { FOREVER, 20000 * MS, INT64_MAX };
	__u64 now, begun = now_ns();
	unsigned int i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		pid = later(&self->k, commit_anew, 200);
		EXPECT_EQ(0, wait_for(self->fd, 2 + i, timeouts[i], &now));
		EXPECT_EQ(2 + i, now);
		EXPECT_EQ(0, ended(pid));
	}
	EXPECT_TRUE(was_soon(begun));
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	alarms++;
}

/* And again, in case that the first comes before what it is to interrupt; 0: no more. */
static void alarm_in(unsigned int ms, int flags)
{
	const struct itimerval t = { { .tv_usec = ms * 1000 }, { .tv_usec = ms * 1000 } };
	struct sigaction a = { .sa_handler = on_alarm, .sa_flags = flags };

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

TEST_F(wait, is_interrupted)
{
	__u64 now;
	pid_t pid;

	alarm_in(200, 0);
	EXPECT_EQ(-EINTR, wait_for(self->fd, 2, 20000 * MS, &now));
	alarm_in(200, 0);
	EXPECT_EQ(-EINTR, wait_for(self->fd, 2, FOREVER, &now));
	/* Begun anew its time would be anew, too. */
	alarm_in(200, SA_RESTART);
	EXPECT_EQ(-EINTR, wait_for(self->fd, 2, 20000 * MS, &now));
	EXPECT_LE(3, alarms);
	alarms = 0;
	alarm_in(100, SA_RESTART);
	pid = later(&self->k, commit_anew, 400);
	EXPECT_EQ(0, wait_for(self->fd, 2, FOREVER, &now));
	EXPECT_EQ(2, now);
	EXPECT_LT(0, alarms);
	alarm_in(0, SA_RESTART);
	EXPECT_EQ(0, ended(pid));
}

TEST_F(wait, ends_with_the_shelf)
{
	__u64 now, begun = now_ns();
	pid_t pid;

	ASSERT_EQ(0, commit(&self->k, 1));
	pid = later(&self->k, destroy, 200);
	EXPECT_EQ(-ENODEV, wait_for(self->fd, 3, 20000 * MS, &now));
	EXPECT_TRUE(was_soon(begun));
	EXPECT_EQ(2, now);
	EXPECT_EQ(0, ended(pid));
	EXPECT_EQ(-ENODEV, wait_for(self->fd, 3, FOREVER, &now));
	EXPECT_EQ(0, wait_for(self->fd, 2, FOREVER, &now));
}

static int events(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT };

	return poll(&p, 1, ms) < 0 ? -errno : p.revents;
}

TEST_F(wait, poll_tells_of_commits)
{
	__u64 got, begun = now_ns();
	pid_t pid;

	EXPECT_EQ(POLLIN, events(self->fd, 0));
	ASSERT_EQ(8, read(self->fd, &got, 8));
	EXPECT_EQ(1, got);
	EXPECT_EQ(0, events(self->fd, 0));
	EXPECT_EQ(0, events(self->fd, 100));
	pid = later(&self->k, commit_anew, 200);
	EXPECT_EQ(POLLIN, events(self->fd, 20000));
	EXPECT_EQ(0, ended(pid));
	ASSERT_EQ(8, read(self->fd, &got, 8));
	EXPECT_EQ(2, got);
	EXPECT_EQ(0, events(self->fd, 0));
	pid = later(&self->k, destroy, 200);
	EXPECT_EQ(POLLHUP, events(self->fd, 20000));
	EXPECT_EQ(0, ended(pid));
	EXPECT_TRUE(was_soon(begun));
}

/* Each open file has its own idea of what is new. */
TEST_F(wait, epoll_edges)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0), other = kit_open(&self->k);
	__u64 got;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &e));
	EXPECT_EQ(1, epoll_wait(ep, &e, 1, 1000));
	EXPECT_EQ(0, epoll_wait(ep, &e, 1, 50));
	EXPECT_EQ(8, read(other, &got, 8));
	ASSERT_EQ(0, commit(&self->k, 1));
	EXPECT_EQ(1, epoll_wait(ep, &e, 1, 5000));
	EXPECT_EQ(POLLIN, events(other, 0));
	EXPECT_EQ(8, read(self->fd, &got, 8));
	EXPECT_EQ(2, got);
	EXPECT_EQ(POLLIN, events(other, 0));
	ASSERT_EQ(0, kit_destroy(&self->k));
	EXPECT_EQ(1, epoll_wait(ep, &e, 1, 5000));
	EXPECT_EQ(EPOLLHUP, e.events);
	close(other);
	close(ep);
}

TEST_F(wait, read_waits)
{
	__u64 got[4] = { 0 };
	pid_t pid;

	ASSERT_EQ(8, read(self->fd, got, sizeof(got)));
	alarm_in(200, 0);
	EXPECT_EQ(-EINTR, ERRNO(read(self->fd, got, 8)));
	alarm_in(0, 0);
	pid = later(&self->k, commit_anew, 200);
	EXPECT_EQ(8, read(self->fd, got, sizeof(got)));
	EXPECT_EQ(2, got[0]);
	EXPECT_EQ(0, got[1]);
	EXPECT_EQ(0, ended(pid));
	pid = later(&self->k, destroy, 200);
	EXPECT_EQ(0, read(self->fd, got, 8));
	EXPECT_EQ(0, ended(pid));
	EXPECT_EQ(0, read(self->fd, got, 8));
}

TEST_F(wait, read_refuses)
{
	int fd = kit_open(&self->k);
	__u64 got = 0;

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EINVAL, ERRNO(read(fd, &got, 0)));
	EXPECT_EQ(-EINVAL, ERRNO(read(fd, &got, 7)));
	EXPECT_EQ(-EFAULT, ERRNO(read(fd, (void *)PAGE, 8)));
	EXPECT_EQ(-EFAULT, ERRNO(read(fd, (void *)0xffff888000000000, 8)));
	/* What could not be told is still new. */
	EXPECT_EQ(8, read(fd, &got, 8));
	EXPECT_EQ(1, got);
	EXPECT_EQ(-EAGAIN, ERRNO(read(fd, &got, 8)));
	EXPECT_EQ(-EAGAIN, ERRNO(read(fd, &got, 8)));
	EXPECT_EQ(-ESPIPE, ERRNO(pread(fd, &got, 8, 0)));
	EXPECT_EQ(-ESPIPE, ERRNO(lseek(fd, 0, SEEK_SET)));
	EXPECT_EQ(-EBADF, ERRNO(write(fd, &got, 8)));
	ASSERT_EQ(0, commit(&self->k, 1));
	ASSERT_EQ(0, commit(&self->k, 2));
	EXPECT_EQ(8, read(fd, &got, 8));
	EXPECT_EQ(3, got);
	ASSERT_EQ(0, commit(&self->k, 3));
	ASSERT_EQ(0, kit_destroy(&self->k));
	/* The last one is not lost, and then it is over. */
	EXPECT_EQ(8, read(fd, &got, 8));
	EXPECT_EQ(4, got);
	EXPECT_EQ(0, read(fd, &got, 8));
	close(fd);
}

/* Many who wait, some of whom are killed. */
TEST_F(wait, everyone_is_woken)
{
	pid_t pid[40];
	unsigned int i;
	__u64 now;

	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(wait_for(self->fd, 2, FOREVER, &now) || now != 2);
	}
	sleep_ms(300);
	for (i = 0; i < ARRAY_SIZE(pid); i += 4)
		kill(pid[i], SIGKILL);
	ASSERT_EQ(0, commit(&self->k, 1));
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		EXPECT_EQ(i % 4 ? 0 : SIGKILL, ended(pid[i]));
}

TEST_HARNESS_MAIN
