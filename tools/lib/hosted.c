// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The hosted twin's glue: files, where chunks come from, and the clock.
 *
 * A file is as long as its whole reservation from the start, so that a hole
 * reads as zeros, and sparse. Blocks for a chunk are reserved before a draft
 * writes to it: a full disk is then a refused commit and not a SIGBUS.
 *
 * The writer's lock is one of the open file description (not of the process),
 * so two writers in one process exclude each other as well, and it goes with
 * the last descriptor however the writer ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hosted.h"
#include "internal.h"

#define QUARANTINE_MS_MAX	3600000ULL
#define NS			1000000000ULL

/*
 * What the module keeps beside a shelf, the twin keeps in its file: in the
 * last page before the arena, which readers have no business with.
 */
#define SETTINGS_OFFSET		(SHELF_MMAP_ARENA - SHELF_PAGE_BYTES)
#define SETTINGS_MAGIC		0x315453464c454853ULL	/* "SHELFST1" */

struct hosted_settings {
	u64 magic;
	u64 batch_bytes;
	u64 quarantine_ms;
};

long shim_fail_in;
bool shim_grace_held, shim_grace_slow;
unsigned long shim_grace_waits;

static u64 clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (u64)t.tv_sec * NS + (u64)t.tv_nsec;
}

u64 store_clock(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

u64 store_realtime(void)
{
	return clock_read(CLOCK_REALTIME);
}

static struct hosted *hosted_of(struct store *st)
{
	return (struct hosted *)((u8 *)st - offsetof(struct hosted, store));
}

/*
 * A chunk beyond what the last writer used was given back to the file system
 * when the file was opened, so all that comes from here for the first time is
 * zero. ENOMEM stands for the disk too: ENOSPC is the shelf's own maximum.
 */
void *arena_chunk_alloc(struct store *st, u32 index)
{
	struct hosted *h = hosted_of(st);
	u64 offset = SHELF_MMAP_ARENA + ((u64)index << SHELF_CHUNK_SHIFT);

	if (shim_fail_in && --shim_fail_in == 0)
		return ERR_PTR(-ENOMEM);
	if (h->fd >= 0) {
		do {
			h->disk_error = posix_fallocate(h->fd, (off_t)offset,
							SHELF_CHUNK_BYTES);
		} while (h->disk_error == EINTR);
		if (h->disk_error)
			return ERR_PTR(-ENOMEM);
	}
	/* One call instead of 512 faults; where it is refused, those will do. */
	madvise(h->base + offset, SHELF_CHUNK_BYTES, MADV_POPULATE_WRITE);
	return h->base + offset;
}

/* What a file has for a hole is a hole. */
bool arena_chunk_free(struct store *st, u32 index)
{
	struct hosted *h = hosted_of(st);
	u64 offset = SHELF_MMAP_ARENA + ((u64)index << SHELF_CHUNK_SHIFT);

	if (h->fd < 0)
		return !madvise(h->base + offset, SHELF_CHUNK_BYTES, MADV_DONTNEED);
	return !fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)offset, SHELF_CHUNK_BYTES);
}

static u64 reservation(u64 max_bytes)
{
	u64 bytes = SHELF_CHUNK_BYTES;

	while (bytes < max_bytes)
		bytes *= 2;
	return bytes;
}

static struct hosted_settings *settings_of(const struct hosted *h)
{
	return (struct hosted_settings *)(h->base + SETTINGS_OFFSET);
}

void hosted_close(struct hosted *h)
{
	if (!h)
		return;
	store_exit(&h->store);
	if (h->base)
		munmap(h->base, SHELF_MMAP_ARENA + h->arena_bytes);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

/* Takes @fd over, also on failure. */
static int hosted_map(int fd, u64 arena_bytes, struct hosted **out)
{
	struct hosted *h = calloc(1, sizeof(*h));
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;

	if (!h) {
		close(fd);
		return -ENOMEM;
	}
	h->fd = fd;
	h->arena_bytes = arena_bytes;
	h->base = shelf_map_aligned(SHELF_MMAP_ARENA + arena_bytes,
				    PROT_READ | PROT_WRITE, flags, fd, 0);
	if (!h->base) {
		hosted_close(h);
		return -ENOMEM;
	}
	*out = h;
	return 0;
}

static int check_config(const struct hosted_config *config)
{
	if (config->max_bytes < SHELF_MIN_BYTES ||
	    config->max_bytes > SHELF_MAX_BYTES ||
	    config->quarantine_ms > QUARANTINE_MS_MAX)
		return -EINVAL;
	return 0;
}

/* Names of the module's kind, whatever the file is called. */
static void set_name(char *to, const char *name)
{
	size_t i;

	for (i = 0; i < SHELF_NAME_MAX && name[i]; i++) {
		char c = name[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("_.-", c);

		to[i] = plain ? c : '_';
	}
}

static int hosted_prepare(struct hosted *h, const struct hosted_settings *s)
{
	int ret = store_prepare(&h->store, (struct shelf_control *)h->base);

	h->store.quarantine_ns = s->quarantine_ms * NS_PER_MS;
	return ret;
}

static int fill_control(struct hosted *h, const struct hosted_config *config)
{
	struct shelf_control *c = (struct shelf_control *)h->base;
	struct hosted_settings *s = settings_of(h);

	c->abi = SHELF_ABI_VERSION;
	c->arena_bytes = h->arena_bytes;
	c->max_bytes = ALIGN(config->max_bytes, SHELF_CHUNK_BYTES);
	c->created_ns = store_realtime();
	set_name(c->name, config->name ? config->name : "hosted");
	if (config->seed)
		c->seed = *config->seed;
	else if (getrandom(&c->seed, sizeof(c->seed), 0) != sizeof(c->seed))
		return -EIO;
	s->magic = SETTINGS_MAGIC;
	s->batch_bytes = config->batch_bytes ? config->batch_bytes : c->max_bytes;
	s->quarantine_ms = config->quarantine_ms;
	h->batch_bytes = s->batch_bytes;
	return hosted_prepare(h, s);
}

/* Makes an empty shelf of zeroed memory; the magic comes last. */
static int hosted_fill(struct hosted *h, const struct hosted_config *config)
{
	int ret = fill_control(h, config);

	if (!ret)
		ret = store_init(&h->store);
	if (!ret)	/* pairs with the load-acquire in check_control() */
		smp_store_release(&h->store.control->magic, SHELF_CONTROL_MAGIC);
	else if (h->disk_error)
		ret = -h->disk_error;
	return ret;
}

int hosted_create_memory(const struct hosted_config *config, struct hosted **out)
{
	struct hosted *h;
	int ret = check_config(config);

	if (!ret)
		ret = hosted_map(-1, reservation(config->max_bytes), &h);
	if (ret)
		return ret;
	if (config->huge_pages)
		madvise(h->base + SHELF_MMAP_ARENA, h->arena_bytes, MADV_HUGEPAGE);
	ret = hosted_fill(h, config);
	if (ret)
		hosted_close(h);
	else
		*out = h;
	return ret;
}

/* Full length, and blocks for the pages that are always written. */
static int file_reserve(int fd, u64 arena_bytes)
{
	int ret;

	if (ftruncate(fd, (off_t)(SHELF_MMAP_ARENA + arena_bytes)))
		return -errno;
	ret = posix_fallocate(fd, SHELF_MMAP_CONTROL, 2 * SHELF_PAGE_BYTES);
	if (!ret)
		ret = posix_fallocate(fd, SETTINGS_OFFSET, SHELF_PAGE_BYTES);
	return -ret;
}

static int file_fill(int fd, const struct hosted_config *config)
{
	u64 arena_bytes = reservation(config->max_bytes);
	struct hosted *h;
	int ret = file_reserve(fd, arena_bytes);

	if (ret) {
		close(fd);
		return ret;
	}
	ret = hosted_map(fd, arena_bytes, &h);
	if (ret)
		return ret;
	ret = hosted_fill(h, config);
	hosted_close(h);
	return ret;
}

/* Names of processes that were killed here may be in the way. */
#define DRAFT_TRIES	1000U

static int draft_open(const char *path, char *draft, size_t n)
{
	unsigned int i;
	int fd = -1;

	for (i = 0; fd < 0 && i < DRAFT_TRIES; i++) {
		if (snprintf(draft, n, "%s.%ld.%u.new", path, (long)getpid(), i) >= (int)n)
			return -ENAMETOOLONG;
		fd = open_above(draft, O_RDWR | O_CREAT | O_EXCL, 0644);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/*
 * The file gets its name when it is a shelf, so that nobody ever opens half of
 * one. link() rather than rename(): it doesn't replace what is there.
 */
int hosted_create_file(const char *path, const struct hosted_config *config)
{
	char draft[PATH_MAX];
	int fd, ret = check_config(config);

	if (ret)
		return ret;
	fd = draft_open(path, draft, sizeof(draft));
	if (fd < 0)
		return fd;
	ret = file_fill(fd, config);
	if (!ret && link(draft, path))
		ret = -errno;
	unlink(draft);
	return ret;
}

static int file_lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &whole))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* The size of the reservation of the shelf in @fd. */
static int file_check(int fd, u64 *arena_bytes)
{
	struct shelf_control control;
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)SHELF_MMAP_ARENA ||
	    pread(fd, &control, sizeof(control), 0) != sizeof(control))
		return -EINVAL;
	ret = shelf_check_control(&control);
	if (ret)
		return ret;
	*arena_bytes = control.arena_bytes;
	return (u64)st.st_size == SHELF_MMAP_ARENA + *arena_bytes ? 0 : -EINVAL;
}

/*
 * P3. What the last writer had in quarantine is free from here on, without its
 * time being over, so readers of older snapshots must try again. The barrier
 * pairs with the acquire fence in shelf_retry(). Chunks that nothing lives in
 * return to the file system, which also makes them zero again.
 */
static void forget_quarantine(struct hosted *h)
{
	u32 chunks = (u32)(h->arena_bytes >> SHELF_CHUNK_SHIFT), i;
	const struct arena *a = &h->store.arena;

	WRITE_ONCE(h->store.control->oldest, h->store.generation);
	smp_wmb();
	for (i = 1; i < chunks; i++)
		if (i >= a->max_chunks || !a->meta[i])
			arena_chunk_free(&h->store, i);	/* no harm if it can't */
}

static int hosted_adopt(struct hosted *h)
{
	const struct hosted_settings *s = settings_of(h);
	int ret;

	if (s->magic != SETTINGS_MAGIC || !s->batch_bytes ||
	    s->quarantine_ms > QUARANTINE_MS_MAX)
		return -EINVAL;
	h->batch_bytes = s->batch_bytes;
	ret = hosted_prepare(h, s);
	if (!ret)
		ret = store_adopt(&h->store);
	if (!ret)
		forget_quarantine(h);
	return ret;
}

/* A file that lost its name while we waited for it is nobody's shelf. */
static int file_linked(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_nlink ? 0 : -ENOENT;
}

int hosted_lock(const char *path, int *fd, u64 *arena_bytes)
{
	int ret;

	*fd = open_above(path, O_RDWR, 0);
	if (*fd < 0)
		return -errno;
	ret = file_check(*fd, arena_bytes);
	if (!ret)
		ret = file_lock(*fd);
	if (!ret)
		ret = file_linked(*fd);
	if (ret)
		close(*fd);
	return ret;
}

int hosted_open_writer(const char *path, struct hosted **out)
{
	struct hosted *h;
	u64 arena_bytes;
	int fd, ret = hosted_lock(path, &fd, &arena_bytes);

	if (!ret)
		ret = hosted_map(fd, arena_bytes, &h);
	if (ret)
		return ret;
	ret = hosted_adopt(h);
	if (ret)
		hosted_close(h);
	else
		*out = h;
	return ret;
}
