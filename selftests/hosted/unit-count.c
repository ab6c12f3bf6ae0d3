// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * SHELF_OPEN_COUNT: each lookup is reported once, whichever threads, processes and
 * opens of a shelf it was of (count.c).
 *
 * There is no kernel here: the ioctl() and the library's clock are the test's own.
 * Built twice, for the address and for the thread sanitizer.
 *
 * Seen to fail with a child that reports what its parent counted; with counters of
 * ended threads not added up, never freed, or begun with what memory held; with
 * counters that the close of their shelf leaves as they are, or reports nothing of;
 * with a report at each look at the clock; with an errno of the library's, and what
 * was refused offered again; with sums that are plain memory, and without the lock
 * in any place where it is taken; with a key that outlives the plugin it calls into.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#include "../../tools/lib/internal.h"

#define SHELVES		4
#define OPENERS		2	/* threads with a shelf each that comes and goes */
#define SECOND		1000000000LL

/* By descriptor, shared with children. */
struct told {
	__u64 lookups;
	__u64 hits;
	__u64 members;
	__u64 reports;
};

static struct told *told;
static int refusal;		/* errno of every report, if any */

int ioctl(int fd, unsigned long request, ...)
{
	const struct shelf_ioc_report *q;
	va_list arg;

	va_start(arg, request);
	q = va_arg(arg, const struct shelf_ioc_report *);
	va_end(arg);
	if (request != SHELF_IOC_REPORT || q->size != sizeof(*q) || q->flags)
		abort();
	__atomic_fetch_add(&told[fd].reports, 1, __ATOMIC_RELAXED);
	errno = refusal;
	if (refusal)
		return -1;
	__atomic_fetch_add(&told[fd].lookups, q->lookups, __ATOMIC_RELAXED);
	__atomic_fetch_add(&told[fd].hits, q->hits, __ATOMIC_RELAXED);
	__atomic_fetch_add(&told[fd].members, q->members, __ATOMIC_RELAXED);
	return 0;
}

static __s64 clock_ns;
static __s64 tick_ns;		/* how far each look moves it */

int clock_gettime(clockid_t id, struct timespec *t)
{
	__s64 now;

	if (id != CLOCK_MONOTONIC_COARSE)
		return (int)syscall(SYS_clock_gettime, id, t);
	now = __atomic_add_fetch(&clock_ns, tick_ns, __ATOMIC_RELAXED);
	*t = (struct timespec){ now / SECOND, now % SECOND };
	return 0;
}

static struct shelf shelves[SHELVES];

/* Shelves with descriptors from 0 on, that nothing was told of. */
static int begin(void **state)
{
	int i;

	(void)state;
	told = mmap(NULL, SHELF_PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return -1;
	tick_ns = 0;
	refusal = 0;
	alarm(60);		/* a list that is a ring fails too */
	for (i = 0; i < SHELVES; i++) {
		shelves[i] = (struct shelf){ .fd = i };
		if (shelf_counts_begin(&shelves[i]))
			return -1;
	}
	return 0;
}

static void close_all(void)
{
	int i;

	for (i = 0; i < SHELVES; i++) {
		shelf_counts_end(&shelves[i]);
		shelves[i].counts = NULL;
	}
}

static int end(void **state)
{
	(void)state;
	close_all();
	munmap(told, SHELF_PAGE_BYTES);
	return 0;
}

/* @n on each shelf. */
static void look(__u64 n)
{
	__u64 i;

	for (i = 0; i < n * SHELVES; i++)
		shelf_count(&shelves[i % SHELVES], 1, i / SHELVES % 2, 3);
}

static void must_be_told(int fd, __u64 n)
{
	assert_int_equal(told[fd].lookups, n);
	assert_int_equal(told[fd].hits, n / 2);
	assert_int_equal(told[fd].members, n * 3);
}

static void start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	assert_int_equal(pthread_create(thread, NULL, run, arg), 0);
}

static void join(pthread_t thread)
{
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *look_on(void *n)
{
	look(*(const __u64 *)n);
	return NULL;
}

/*
 * Threads
 * -------
 *
 * Nothing is asserted but in the first thread: cmocka does not look at others.
 */
static const __u64 few = 250, many = 50000;

#define COMERS	150

static void *come_and_go(void *failures)
{
	pthread_t thread;
	int i;

	for (i = 0; i < COMERS; i++)
		if (pthread_create(&thread, NULL, look_on, (void *)&few) ||
		    pthread_join(thread, NULL))
			__atomic_fetch_add((int *)failures, 1, __ATOMIC_RELAXED);
	return NULL;
}

#define OPENS	300

/* A shelf that is opened and closed, with the descriptor in @arg. */
static void *open_and_close(void *arg)
{
	int i, j;

	for (i = 0; i < OPENS; i++) {
		struct shelf s = { .fd = *(const int *)arg };

		if (shelf_counts_begin(&s))
			abort();
		for (j = 0; j < 100; j++)
			shelf_count(&s, 1, j % 2, 3);
		shelf_counts_end(&s);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static const int fds[OPENERS] = { SHELVES, SHELVES + 1 };
	pthread_t comer[3], opener[OPENERS], stays;
	int failures = 0, i;

	(void)state;
	tick_ns = SECOND / 10;
	start(&stays, look_on, (void *)&many);
	for (i = 0; i < 3; i++)
		start(&comer[i], come_and_go, &failures);
	for (i = 0; i < OPENERS; i++)
		start(&opener[i], open_and_close, (void *)&fds[i]);
	look(many);
	for (i = 0; i < 3; i++)
		join(comer[i]);
	for (i = 0; i < OPENERS; i++)
		join(opener[i]);
	join(stays);
	assert_int_equal(failures, 0);
	close_all();
	for (i = 0; i < SHELVES; i++) {
		must_be_told(i, 2 * many + 3 * COMERS * few);
		assert_true(told[i].reports > 5);
	}
	for (i = 0; i < OPENERS; i++)
		must_be_told(fds[i], OPENS * 100);
}

/* A thread's counters outlive their shelves, and serve others then. */
struct looker {
	pthread_barrier_t barrier;
};

static void *look_twice(void *arg)
{
	struct looker *l = arg;

	look(few);
	pthread_barrier_wait(&l->barrier);	/* done */
	pthread_barrier_wait(&l->barrier);	/* closed, and opened anew */
	look(few);
	return NULL;
}

static void test_closed_meanwhile(void **state)
{
	struct looker l;
	pthread_t thread;
	int i;

	pthread_barrier_init(&l.barrier, NULL, 2);
	start(&thread, look_twice, &l);
	look(few);
	pthread_barrier_wait(&l.barrier);
	close_all();
	for (i = 0; i < SHELVES; i++)
		must_be_told(i, 2 * few);
	munmap(told, SHELF_PAGE_BYTES);
	assert_int_equal(begin(state), 0);
	look(few);
	pthread_barrier_wait(&l.barrier);
	join(thread);
	pthread_barrier_destroy(&l.barrier);
	close_all();
	for (i = 0; i < SHELVES; i++)
		must_be_told(i, 2 * few);
}

/*
 * Processes
 * ---------
 */
static bool stop;

static void *look_until_stop(void *looked)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		look(100);
		__atomic_fetch_add((__u64 *)looked, 100, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int in_child(void (*run)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		run();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void look_and_close(void)
{
	look(100);
	close_all();
}

#define CHILDREN	20

/*
 * A child reports what it looked up itself. The threads beside it have their
 * counters: what a child would wait for is not the allocator's lock.
 */
static void test_fork(void **state)
{
	__u64 looked[2] = { 0 };
	pthread_t thread[2];
	int i;

	(void)state;
	stop = false;
	tick_ns = SECOND / 10;
	for (i = 0; i < 2; i++)
		start(&thread[i], look_until_stop, &looked[i]);
	for (i = 0; i < 2; i++)
		while (!__atomic_load_n(&looked[i], __ATOMIC_RELAXED))
			sched_yield();
	for (i = 0; i < CHILDREN; i++) {
		look(10);
		assert_int_equal(in_child(look_and_close), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		join(thread[i]);
	close_all();
	for (i = 0; i < SHELVES; i++)
		must_be_told(i, looked[0] + looked[1] + CHILDREN * (100 + 10));
}

/*
 * Reports
 * -------
 */
static void test_once_a_second(void **state)
{
	int i;

	(void)state;
	look(5000);
	clock_ns += SECOND - 1;
	look(5000);
	assert_int_equal(told[0].reports, 0);
	for (i = 1; i < 5; i++) {
		clock_ns += i == 1 ? 1 : SECOND;
		look(5000);
		assert_int_equal(told[0].reports, i);
	}
	close_all();
	must_be_told(0, 6 * 5000);
	assert_int_equal(told[0].reports, 5);
	look(5000);
	assert_int_equal(told[0].reports, 5);
}

/* What is refused is not offered again, and errno stays the caller's. */
static void test_refused(void **state)
{
	(void)state;
	refusal = ENOTTY;
	clock_ns += SECOND;
	errno = EXDEV;
	look(256);		/* of an id and three members each: time to look */
	assert_int_equal(errno, EXDEV);
	assert_int_equal(told[0].reports, 1);
	refusal = 0;
	look(10);
	close_all();
	must_be_told(0, 10);
	assert_int_equal(told[0].reports, 2);
}

/* More than the kernel takes would be refused whole. */
static void test_at_most(void **state)
{
	(void)state;
	shelf_count(&shelves[0], SHELF_REPORT_MAX + 10, 5, ~0ULL >> 1);
	close_all();
	assert_int_equal(told[0].lookups, SHELF_REPORT_MAX);
	assert_int_equal(told[0].hits, 5);
	assert_int_equal(told[0].members, SHELF_REPORT_MAX);
}

/*
 * A plugin that has the library inside
 * ------------------------------------
 */
static void *use_plugin(void *arg)
{
	char path[PATH_MAX], *name;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int (*count_once)(int fd);
	void *plugin;

	path[n < 0 ? 0 : n] = '\0';
	name = strrchr(path, '/');
	strcpy(name ? name + 1 : path, "count-plugin.so");
	plugin = dlopen(path, RTLD_NOW);
	if (!plugin)
		_exit(2);
	count_once = (int (*)(int))dlsym(plugin, "count_once");
	if (!count_once || count_once(*(const int *)arg) || dlclose(plugin))
		_exit(3);
	return NULL;
}

/* Nothing of a plugin that is gone is called: by a thread's end, by a fork. */
static void run_plugin(void)
{
	static const int fd = SHELVES;
	pthread_t thread;
	pid_t pid;
	int i;

	signal(SIGSEGV, SIG_DFL);
	for (i = 0; i < 2; i++) {
		if (pthread_create(&thread, NULL, use_plugin, (void *)&fd) ||
		    pthread_join(thread, NULL))
			_exit(4);
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			_exit(5);
	}
}

static void test_plugin(void **state)
{
	(void)state;
	assert_int_equal(in_child(run_plugin), 0);
	assert_int_equal(told[SHELVES].lookups, 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_threads, begin, end),
		cmocka_unit_test_setup_teardown(test_closed_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(test_fork, begin, end),
		cmocka_unit_test_setup_teardown(test_once_a_second, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_at_most, begin, end),
		cmocka_unit_test_setup_teardown(test_plugin, begin, end),
	};

	UNIT_MAIN(tests, argc, argv);
}
