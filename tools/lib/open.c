// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Opening a shelf for reading: the control page and the whole reservation are
 * mapped once, for good, so that no later commit concerns the mapping.
 *
 * Where the kernel refuses the mapping (a seccomp filter, an address space
 * limit) a shelf of the module is read by ioctl instead. A
 * hosted one is a file and has nothing to fall back on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define HOSTED_PREFIX	"hosted:"
#define DEVICE_DIR	"/dev/shelf/"
#define CONTROL_BYTES	(2 * SHELF_PAGE_BYTES)	/* control page and pin page */

const char *shelf_hosted_path(const char *name)
{
	const size_t n = sizeof(HOSTED_PREFIX) - 1;

	return strncmp(name, HOSTED_PREFIX, n) ? NULL : name + n;
}

int shelf_check_control(const struct shelf_control *c)
{
	/* Pairs with the release in hosted_fill(): a file may be in the making. */
	if (__atomic_load_n(&c->magic, __ATOMIC_ACQUIRE) != SHELF_CONTROL_MAGIC)
		return -EINVAL;
	if (c->abi != SHELF_ABI_VERSION)
		return -EPROTONOSUPPORT;
	if (c->arena_bytes & (c->arena_bytes - 1) ||
	    c->arena_bytes < SHELF_MIN_BYTES || c->arena_bytes > SHELF_MAX_BYTES)
		return -EINVAL;
	if (c->max_bytes % SHELF_CHUNK_BYTES || c->max_bytes < SHELF_MIN_BYTES ||
	    c->max_bytes > c->arena_bytes)
		return -EINVAL;
	return 0;
}

/*
 * Entries of 2 MiB need an address congruent to the offset. Not every kernel
 * gives one to a file's mapping by itself, so room is reserved first.
 */
void *shelf_map_aligned(size_t bytes, int prot, int flags, int fd, off_t offset)
{
	const size_t align = SHELF_CHUNK_BYTES;
	__u8 *room, *at;
	int error;

	room = mmap(NULL, bytes + align, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return NULL;
	at = (__u8 *)(((uintptr_t)room + align - 1) & ~(uintptr_t)(align - 1));
	if (mmap(at, bytes, prot, flags | MAP_FIXED, fd, offset) == MAP_FAILED) {
		error = errno;
		munmap(room, bytes + align);
		errno = error;
		return NULL;
	}
	if (at != room)
		munmap(room, (size_t)(at - room));
	munmap(at + bytes, align - (size_t)(at - room));
	return at;
}

static void unmap_shelf(struct shelf *s)
{
	if (s->arena)
		munmap((void *)s->arena, s->mask + SHELF_PAGE_BYTES);
	if (s->control)
		munmap((void *)s->control, CONTROL_BYTES);
	s->arena = NULL;
	s->pins = NULL;
	s->control = NULL;
}

static int map_control(struct shelf *s)
{
	void *at = mmap(NULL, CONTROL_BYTES, PROT_READ, MAP_SHARED, s->fd,
			SHELF_MMAP_CONTROL);

	if (at == MAP_FAILED)
		return -errno;
	s->control = at;
	return 0;
}

static int map_arena(struct shelf *s, const struct shelf_control *c)
{
	s->mask = c->arena_bytes - SHELF_PAGE_BYTES;
	s->seed = c->seed;
	if (c->arena_bytes > SIZE_MAX - SHELF_CHUNK_BYTES)
		return -ENOMEM;
	s->arena = shelf_map_aligned((size_t)c->arena_bytes, PROT_READ,
				     MAP_SHARED, s->fd, SHELF_MMAP_ARENA);
	return s->arena ? 0 : -errno;
}

/*
 * Beyond the end of a file lies SIGBUS, so a file that is too short for its
 * reservation is none of ours. (The module's device has no size.)
 */
static int check_file(const struct shelf *s, __u64 bytes)
{
	struct stat st;

	if (fstat(s->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (__u64)st.st_size < bytes)
		return -EINVAL;
	return 0;
}

static int open_hosted(struct shelf *s, const char *path)
{
	struct shelf_control control;
	int ret;

	s->flags |= SHELF_IS_HOSTED;
	if (s->flags & SHELF_OPEN_IOCTL)
		return -EOPNOTSUPP;
	/* NONBLOCK: a fifo must not keep us, and has no other effect on a file. */
	s->fd = open_above(path, O_RDONLY | O_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	ret = check_file(s, CONTROL_BYTES);
	if (!ret)
		ret = map_control(s);
	if (ret)
		return ret;
	/* Checked and used as one copy: others may write the file. */
	shelf_copy(&control, s->control, sizeof(control));
	ret = shelf_check_control(&control);
	if (!ret)
		ret = check_file(s, SHELF_MMAP_ARENA + control.arena_bytes);
	return ret ? ret : map_arena(s, &control);
}

static bool name_valid(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				"0123456789_.-");

	return n && n <= SHELF_NAME_MAX && !name[n] && name[0] != '.' &&
	       name[0] != '-';
}

static int open_device(struct shelf *s, const char *name)
{
	char path[sizeof(DEVICE_DIR) + SHELF_NAME_MAX];
	struct shelf_ioc_info info;
	int ret = 0;

	if (!name_valid(name))
		return -EINVAL;
	snprintf(path, sizeof(path), DEVICE_DIR "%s", name);
	s->fd = open_above(path, O_RDONLY, 0);
	if (s->fd < 0)
		return -errno;
	if (!(s->flags & SHELF_OPEN_IOCTL)) {
		ret = map_control(s);
		if (!ret && shelf_check_control(s->control))
			return shelf_check_control(s->control);
		if (!ret)
			ret = map_arena(s, s->control);
	}
	if (!ret && s->arena) {
		s->pins = (const struct shelf_pins *)
			  ((const __u8 *)s->control + SHELF_PAGE_BYTES);
		return 0;
	}
	unmap_shelf(s);
	ret = shelf_info(s, &info);
	return !ret && info.abi != SHELF_ABI_VERSION ? -EPROTONOSUPPORT : ret;
}

int shelf_open(const char *name, unsigned int flags, struct shelf **out)
{
	const char *path = shelf_hosted_path(name);
	struct shelf *s;
	int ret;

	if (flags & ~(SHELF_OPEN_IOCTL | SHELF_OPEN_COUNT))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->pid = getpid();
	s->flags = flags & ~SHELF_OPEN_COUNT;
	ret = path ? open_hosted(s, path) : open_device(s, name);
	if (!ret && flags & SHELF_OPEN_COUNT && shelf_is_mapped(s) && !path)
		ret = shelf_counts_begin(s);
	if (ret) {
		shelf_close(s);
		return ret;
	}
	*out = s;
	return 0;
}

void shelf_close(struct shelf *s)
{
	if (!s)
		return;
	shelf_counts_end(s);
	unmap_shelf(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
