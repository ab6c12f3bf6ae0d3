// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8: there are other ways to memory than loads and stores - another process,
 * a debugger, a pipe, a disk. None writes to the arena, and none takes a
 * reference that would let it see what becomes of a page when the shelf is
 * gone. P4: nor does any of them keep a shelf's memory from going back.
 *
 * Seen to fail on 6.1, whose pin_user_pages_fast() knows no special huge
 * entries, with page_ref_freeze() left out of a chunk's allocation.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/common.h"
#include "lib/harness.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define CHUNKS		4U
#define BYTES		(CHUNKS * CHUNK)
#define COUNT		100U
#define ATTRS		20000U

FIXTURE(gup)
{
	struct kit k;
	__u8 *control;
	__u8 *arena;
	__u8 *copy;
};

FIXTURE_VARIANT(gup)
{
	const char *small;
};

FIXTURE_VARIANT_ADD(gup, huge)
{
	.small = "N",
};

FIXTURE_VARIANT_ADD(gup, small)
{
	.small = "Y",
};

FIXTURE_SETUP(gup)
{
	ASSERT_EQ(0, write_file(SMALL_CHUNKS, variant->small));
	ASSERT_EQ(0, kit_make(&self->k, "gup", CHUNKS));
	ASSERT_EQ(0, put_products(&self->k, 1, COUNT, ATTRS, 3));
	self->control = map_control(self->k.fd);
	self->arena = map_arena(self->k.fd, BYTES);
	self->copy = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->control);
	ASSERT_NE(MAP_FAILED, self->arena);
	ASSERT_NE(MAP_FAILED, self->copy);
	memcpy(self->copy, self->arena, BYTES);
}

FIXTURE_TEARDOWN(gup)
{
	if (self->arena)
		EXPECT_EQ(0, memcmp(self->copy, self->arena, BYTES));
	kit_drop(&self->k);
	EXPECT_EQ(0, write_file(SMALL_CHUNKS, "N"));
}

/* Block's head, its other pages, the second block, a hole. */
static const size_t places[] = {
	0, PAGE, PAGE * 17, CHUNK - PAGE, CHUNK, CHUNK + PAGE, BYTES - CHUNK,
	BYTES - PAGE,
};

/*
 * Bytes that would be seen if a page came into other hands: a process', or, of
 * the same kind and on whichever CPU, other shelves'.
 */
static void use_memory(void)
{
	const size_t bytes = 64 << 20;
	struct kit k[4];
	unsigned int i;
	void *at = malloc(bytes);

	for (i = 0; i < ARRAY_SIZE(k); i++)
		if (!kit_make(&k[i], "other", CHUNKS))
			put_products(&k[i], 1, COUNT, ATTRS * 3, i);
	if (at)
		memset(at, 0x5a, bytes);
	for (i = 0; i < ARRAY_SIZE(k); i++)
		kit_drop(&k[i]);
	free(at);
}

static void let_go(struct kit *k, void *control, void *arena)
{
	munmap(control, PAGE);
	munmap(arena, BYTES);
	kit_drop(k);
	sleep_ms(200);
	use_memory();
}

/* Whether the page went into the pipe, which none should. */
static bool spliced(int pipe, void *page)
{
	struct iovec v = { page, PAGE };

	touch(page, PAGE);
	return vmsplice(pipe, &v, 1, 0) != -1 || errno != EFAULT;
}

/* None is held; or, at the least, those that are stay as they were. */
TEST_F(gup, takes_no_page_into_a_pipe)
{
	size_t taken[ARRAY_SIZE(places)];
	unsigned int i, n = 0;
	__u8 buffer[PAGE];
	int end[2];

	ASSERT_EQ(0, pipe2(end, O_NONBLOCK));
	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (spliced(end[1], self->arena + places[i]))
			taken[n++] = places[i];
	EXPECT_EQ(0, n);
	let_go(&self->k, self->control, self->arena);
	self->arena = NULL;
	for (i = 0; i < n; i++) {
		EXPECT_EQ(PAGE, read(end[0], buffer, PAGE))
			TH_LOG("page %zu", taken[i] / PAGE);
		EXPECT_EQ(0, memcmp(buffer, self->copy + taken[i], PAGE))
			TH_LOG("page %zu is somebody else's", taken[i] / PAGE);
	}
}

/* The control page is an ordinary one: it may be held, and stays what it was. */
TEST_F(gup, control_page_outlives_the_shelf)
{
	struct iovec v = { self->control, PAGE };
	__u8 before[PAGE], after[PAGE];
	int end[2];

	ASSERT_EQ(0, pipe(end));
	memcpy(before, self->control, PAGE);
	ASSERT_EQ(PAGE, vmsplice(end[1], &v, 1, 0));
	let_go(&self->k, self->control, self->arena);
	self->arena = NULL;
	ASSERT_EQ(PAGE, read(end[0], after, PAGE));
	EXPECT_EQ(0, memcmp(before, after, PAGE));
}

TEST_F(gup, other_processes_do_not_write)
{
	__u8 buffer[PAGE], *at[2] = { self->control, self->arena + PAGE };
	struct iovec local = { buffer, PAGE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct iovec remote = { at[i], PAGE };

		memset(buffer, 0xa5, PAGE);
		EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
		/* Refused, or right. */
		if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != -1)
			EXPECT_EQ(0, memcmp(buffer, at[i], PAGE));
	}
}

TEST_F(gup, proc_mem_does_not_write)
{
	const size_t at[] = { (size_t)self->control, (size_t)self->arena,
			      (size_t)self->arena + CHUNK + PAGE,
			      (size_t)self->arena + BYTES - PAGE };
	int fd = open("/proc/self/mem", O_RDWR);
	__u8 buffer[PAGE];
	unsigned int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		memset(buffer, 0xa5, PAGE);
		EXPECT_EQ(-1, pwrite(fd, buffer, PAGE, at[i]));
		if (pread(fd, buffer, PAGE, at[i]) != -1)
			EXPECT_EQ(0, memcmp(buffer, (void *)at[i], PAGE));
	}
	close(fd);
}

TEST_F(gup, debugger_does_not_write)
{
	void *at[] = { self->control, self->arena, self->arena + BYTES - PAGE };
	unsigned int i;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, at[i], 0xa5a5a5a5UL));
		ptrace(PTRACE_PEEKDATA, pid, at[i], NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* System calls that store where they are told to. */
TEST_F(gup, kernel_does_not_write)
{
	__u8 *at[] = { self->control, self->arena + PAGE, self->arena + BYTES - PAGE };
	unsigned int i;
	int end[2];

	ASSERT_EQ(0, pipe(end));
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		struct shelf_ioc_get_many q = {
			.size = sizeof(q),
			.ids = (size_t)self->copy,
			.products = (size_t)at[i],
			.count = 8,
		};

		ASSERT_EQ(8, write(end[1], "evil\n\n\n\n", 8));
		EXPECT_EQ(-EFAULT, ERRNO(read(end[0], at[i], 8)));
		EXPECT_EQ(-EFAULT, ERRNO(getrandom(at[i], 8, 0)));
		EXPECT_EQ(-EFAULT, ERRNO(pipe((int *)at[i])));
		EXPECT_EQ(-EFAULT, ERRNO(ioctl(self->k.fd, SHELF_IOC_GET_MANY, &q)));
		EXPECT_NE(0, ERRNO(ioctl(self->k.fd, SHELF_IOC_INFO, at[i])));
		EXPECT_NE(0, ERRNO(read(self->k.fd, at[i], 8)));
		EXPECT_NE(0, ERRNO(syscall(SYS_futex, at[i], FUTEX_LOCK_PI, 0,
					   NULL, NULL, 0)));
		syscall(SYS_futex, at[i], FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

static int moved(void **pages, int n, int flags)
{
	int nodes[8] = { 0 }, status[8];

	return syscall(SYS_move_pages, 0, (long)n, pages, nodes, status, flags);
}

/* Nor does it move, offer to move, or look for twins of, these pages. */
TEST_F(gup, pages_stay)
{
	void *pages[] = { self->control, self->arena, self->arena + CHUNK - PAGE };

	moved(pages, ARRAY_SIZE(pages), 2);
	moved(pages, ARRAY_SIZE(pages), 4);
	write_file("/proc/sys/vm/compact_memory", "1");
	madvise(self->arena, BYTES, MADV_MERGEABLE);
	madvise(self->control, PAGE, MADV_MERGEABLE);
	EXPECT_EQ(0, memcmp(self->arena, self->copy, BYTES));
}

static bool same(int fd, const void *as, size_t bytes)
{
	__u8 *buffer = malloc(bytes);
	bool equal = pread(fd, buffer, bytes, 0) == (ssize_t)bytes &&
		     !memcmp(buffer, as, bytes);

	free(buffer);
	return equal;
}

/* A mapping is as good a source as any for what copies. */
TEST_F(gup, is_written_from)
{
	int fd = memfd_create("gup", 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(BYTES, write(fd, self->arena, BYTES));
	EXPECT_TRUE(same(fd, self->copy, BYTES));
	ASSERT_EQ(PAGE, pwrite(fd, self->control, PAGE, 0));
	EXPECT_TRUE(same(fd, self->control, PAGE));
	close(fd);
}

/* A disk takes pages, not bytes. It gets none, or the right ones. */
TEST_F(gup, is_not_read_by_a_device)
{
	int fd = open("/dev/ram0", O_RDWR | O_DIRECT);
	unsigned int i;
	ssize_t n;

	if (fd < 0 && !system("modprobe brd rd_nr=1 rd_size=16384")) {
		sleep_ms(500);
		fd = open("/dev/ram0", O_RDWR | O_DIRECT);
	}
	if (fd < 0)
		SKIP(return, "no block device for O_DIRECT");
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		n = pwrite(fd, self->arena + places[i], PAGE, 0);
		EXPECT_EQ(-1, n);
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, pread(fd, self->arena + places[i], PAGE, 0));
	}
	EXPECT_EQ(-1, pread(fd, self->control, PAGE, 0));
	if (pwrite(fd, self->control, PAGE, 0) == PAGE) {
		EXPECT_EQ(PAGE, pread(fd, self->copy, PAGE, 0));
		EXPECT_EQ(0, memcmp(self->copy, self->control, PAGE));
		memcpy(self->copy, self->arena, PAGE);
	}
	close(fd);
}

TEST_HARNESS_MAIN
