// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8: nobody writes to what was mapped in ways that don't ask its protection, at any of
 * its borders: not /proc/PID/mem, process_vm_writev(), a debugger, a pipe, a system call
 * that answers there, nor who would fill its faults (userfaultfd), from Linux 6.7 on by
 * watching writes to any memory.
 *
 * Seen to fail, in a kernel with init_on_alloc=0, without __GFP_ZERO in CHUNK_GFP: what
 * was marked shows. The writes themselves are refused by the kernel for more than one
 * reason, and no single break let one through.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/place.h"
#include "lib/harness.h"

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

#define BYTES	64U

static int own_memory, uffd, end[2];
static __u8 bytes[PAGE];

FIXTURE(writes)
{
	struct stage s;
};

FIXTURE_SETUP(writes)
{
	ASSERT_EQ(0, stage_make(&self->s, "writes"));
	own_memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, own_memory);
	ASSERT_EQ(0, pipe2(end, O_NONBLOCK | O_CLOEXEC));
	ASSERT_EQ(BYTES, write(end[1], bytes, BYTES));
}

FIXTURE_TEARDOWN(writes)
{
	EXPECT_TRUE(stage_drop(&self->s));
}

/* A store may begin before what is mapped and reach into it. */
static __u64 clip(__u64 len)
{
	return len < PAGE ? len : PAGE;
}

static struct due due_fault(const struct place *p, struct part q, __u64 arg)
{
	return refused(q.len ? arg : 0);
}

static long by_proc_mem(void *at, __u64 len, __u64 arg)
{
	return pwrite(own_memory, bytes, clip(len), (off_t)at);
}

static long by_vector(void *at, __u64 len, __u64 arg)
{
	struct iovec from = { bytes, clip(len) }, to = { at, clip(len) };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static long by_answer(void *at, __u64 len, __u64 arg)
{
	return getrandom(at, clip(len), 0);
}

static long by_read(void *at, __u64 len, __u64 arg)
{
	return read(end[0], at, clip(len));
}

/* Here a pipe is emptied into memory. */
static long by_pipe(void *at, __u64 len, __u64 arg)
{
	struct iovec to = { at, clip(len) };

	return vmsplice(end[0], &to, 1, SPLICE_F_NONBLOCK);
}

TEST_F_TIMEOUT(writes, never_are, 480)
{
	static const struct step steps[] = {
		{ "/proc/self/mem", due_fault, by_proc_mem },
		{ "process_vm_writev", due_fault, by_vector },
		{ "getrandom", due_fault, by_answer },
		{ "read", due_fault, by_read },
		{ "vmsplice", due_fault, by_pipe },
	};
	static const __u64 errors[] = { EIO, EFAULT, EFAULT, EFAULT, EFAULT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		stage_take_all(&self->s, &steps[i], &errors[i], 1);
	EXPECT_EQ(0, stage_tell(&self->s, "writes"));
	EXPECT_LE(5 * PLACES * PARTS, self->s.asked);
}

/* Refused, or what is there; never a byte of something else. */
TEST_F_TIMEOUT(writes, and_reads_are_right, 480)
{
	unsigned int i, part, got = 0;

	for (i = 0; i < PLACES; i++) {
		stage_set(&self->s, &places[i]);
		for (part = 0; part < PLACE_OFFS; part++) {
			struct part q = place_part(&places[i], part);
			struct iovec to = { bytes, PAGE }, from = { (void *)part_at(q), PAGE };
			const __u64 offset = places[i].offset + q.off;

			if (q.off % PAGE || q.off < 0 || (__u64)q.off >= places[i].len)
				continue;
			memset(bytes, 0x5a, PAGE);
			if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) == PAGE && ++got)
				EXPECT_TRUE(page_same(&self->s.was, bytes, offset));
			if (pread(own_memory, bytes, PAGE, part_at(q)) == PAGE && ++got)
				EXPECT_TRUE(page_same(&self->s.was, bytes, offset));
		}
	}
	/* The control pages are ordinary ones. */
	EXPECT_LE(6, got);
}

/* A child with each mapping in turn, which its debugger pokes. */
static unsigned int poked(const struct place *p)
{
	unsigned int part, n = 0;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	for (part = 0; part < PLACE_OFFS; part++) {
		void *at = (void *)(part_at(place_part(p, part)) & ~7ULL);

		n += ptrace(PTRACE_POKEDATA, pid, at, 0xa5a5a5a5UL) != -1 || errno != EIO;
		n += ptrace(PTRACE_POKETEXT, pid, at, 0xa5a5a5a5UL) != -1 || errno != EIO;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return n;
}

TEST_F(writes, nor_by_a_debugger)
{
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		stage_set(&self->s, &places[i]);
		EXPECT_EQ(0, poked(&places[i]));
	}
}

static int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || !ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -1;
}

static struct due due_register(const struct place *p, struct part q, __u64 arg)
{
	return refused(EINVAL);
}

static long call_register(void *at, __u64 len, __u64 arg)
{
	struct uffdio_register r = { .range = { (__u64)at, len }, .mode = arg };

	return ioctl(uffd, UFFDIO_REGISTER, &r);
}

TEST_F_TIMEOUT(writes, nor_by_who_fills_faults, 480)
{
	static const struct step fill = { "UFFDIO_REGISTER", due_register, call_register };
	static const __u64 modes[] = { 0, 1, 2, 3, 4, 5, 7, 8 };

	uffd = uffd_open(UFFD_FEATURE_WP_ASYNC);
	if (uffd < 0)
		uffd = uffd_open(0);
	ASSERT_LE(0, uffd);
	stage_take_all(&self->s, &fill, modes, ARRAY_SIZE(modes));
	EXPECT_EQ(0, stage_tell(&self->s, "userfaultfd"));
	EXPECT_EQ(0, self->s.done);
}

TEST_HARNESS_MAIN
