// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mappings, each in a window of addresses of its own, so that whatever is done to
 * them is done to nothing else. P8: none can be written, or made so. P2: none has a
 * page that can't be had (SIGBUS).
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "make.h"
#include "place.h"
#include "trap.h"

static void *window_at(__u64 slot)
{
	return (void *)(WINDOW_FIRST + slot % SLOTS * WINDOW_BYTES);
}

static struct window *window_of(struct lane *l, __u64 slot)
{
	return &l->slots->map[slot % SLOTS];
}

/* Whether these would be a mapping that can be written. */
static void judge(__u64 prot, long ret, const char *how)
{
	if (!ret && prot & PROT_WRITE)
		fault("%s: a shelf that can be written is mapped", how);
}

/* m = mmap(f, offset, length, prot, flags, shift): shift is where in the window. */
long run_mmap(struct lane *l, const struct call *c)
{
	struct window *w = window_of(l, c->arg[0]);
	int fd = l->slots->file[c->arg[1] % SLOTS];
	__u64 len = c->arg[3], shift = c->arg[6] % (1 << 23);
	bool fits = len && len < WINDOW_BYTES - shift;
	int flags = (int)(c->arg[5] & ~(__u64)(MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN));
	void *to = (__u8 *)window_at(c->arg[0]) + shift;
	void *at;

	if (fits && !(c->arg[5] & MAP_GROWSDOWN)) {
		munmap(window_at(c->arg[0]), WINDOW_BYTES);
		w->len = 0;
		flags |= MAP_FIXED;
	}
	at = mmap(to, len, (int)c->arg[4] & 7, flags, fd, (off_t)c->arg[2]);
	if (at == MAP_FAILED)
		return -errno;
	judge(c->arg[4], 0, "mmap");
	if (!(flags & MAP_FIXED)) {
		trap_load(at);
		munmap(at, len);
		return 1;
	}
	w->at = at;
	w->len = (len + PAGE - 1) & ~(PAGE - 1);
	return 0;
}

/* A part of the window, in pages. */
static void *part(const struct window *w, const struct call *c, size_t *len)
{
	__u64 at = c->arg[1] % (w->len + PAGE);

	*len = c->arg[2] % (WINDOW_BYTES / 4);
	return (__u8 *)w->at + at;
}

long run_munmap(struct lane *l, const struct call *c)
{
	struct window *w = window_of(l, c->arg[0]);
	size_t len;
	void *at = part(w, c, &len);

	return w->len ? ERRNO(munmap(at, len)) : -ESRCH;
}

long run_mprotect(struct lane *l, const struct call *c)
{
	struct window *w = window_of(l, c->arg[0]);
	size_t len;
	void *at = part(w, c, &len);
	long ret;

	if (!w->len)
		return -ESRCH;
	ret = ERRNO(mprotect(at, len, (int)c->arg[3] & 7));
	if (len)
		judge(c->arg[3], ret, "mprotect");
	return ret;
}

/* To the same window it grows or shrinks where it is. */
long run_mremap(struct lane *l, const struct call *c)
{
	struct window *to = window_of(l, c->arg[0]), *w = window_of(l, c->arg[1]);
	__u64 len = c->arg[2] % (WINDOW_BYTES / 2);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | ((int)c->arg[3] & MREMAP_DONTUNMAP);
	void *at;

	if (!w->len)
		return -ESRCH;
	at = mremap(w->at, w->len, len, to == w ? 0 : flags,
		    (__u8 *)window_at(c->arg[0]) + (c->arg[3] & 8 ? PAGE : 0));
	if (at == MAP_FAILED)
		return -errno;
	if (!(flags & MREMAP_DONTUNMAP) && to != w)
		w->len = 0;
	to->at = at;
	to->len = (len + PAGE - 1) & ~(PAGE - 1);
	return 0;
}

long run_madvise(struct lane *l, const struct call *c)
{
	struct window *w = window_of(l, c->arg[0]);
	size_t len;
	void *at = part(w, c, &len);

	return w->len ? ERRNO(madvise(at, len, (int)c->arg[3])) : -ESRCH;
}

static long touch_store(void *at)
{
	long ret = trap_store(at);

	if (!ret)
		fault("a byte of a shelf could be written");
	return ret;
}

static long by_pipe(void *at, bool splice)
{
	struct iovec v = { at, 64 };
	int p[2];
	long ret;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	ret = splice ? vmsplice(p[1], &v, 1, SPLICE_F_NONBLOCK) : write(p[1], at, 64);
	ret = ret < 0 ? -errno : 0;
	close(p[0]);
	close(p[1]);
	return ret;
}

static long by_readv(void *at)
{
	char to[64];
	struct iovec from = { at, sizeof(to) }, into = { to, sizeof(to) };

	return process_vm_readv(getpid(), &into, 1, &from, 1, 0) < 0 ? -errno : 0;
}

long run_touch(struct lane *l, const struct call *c)
{
	struct window *w = window_of(l, c->arg[0]);
	void *at = (__u8 *)w->at + (w->len ? c->arg[1] % w->len & ~7ULL : 0);
	void *page = (void *)((uintptr_t)at & ~(PAGE - 1));
	unsigned char in[1];

	if (!w->len)
		return -ESRCH;
	switch (c->arg[2] % TOUCHES) {
	case TOUCH_LOAD:
		return trap_load(at);
	case TOUCH_STORE:
		return touch_store(at);
	case TOUCH_WRITE:
	case TOUCH_SPLICE:
		return by_pipe(at, c->arg[2] % TOUCHES == TOUCH_SPLICE);
	case TOUCH_READV:
		return by_readv(at);
	case TOUCH_MINCORE:
		return ERRNO(mincore(page, PAGE, in));
	case TOUCH_LOCK:
		return ERRNO(mlock(page, PAGE));
	default:
		return ERRNO(msync(page, PAGE, MS_SYNC | MS_INVALIDATE));
	}
}
