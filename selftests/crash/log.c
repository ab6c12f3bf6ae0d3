// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "log.h"
#include "tool.h"

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_FLUSH	1ULL
#define LOG_DISCARD	4ULL
#define SECTOR		512ULL
#define BLOCK_SECTORS	8ULL

/* On disk, little endian; at the beginning of a sector each. */
struct log_super {
	__u64 magic;
	__u64 version;
	__u64 entries;
	__u32 sector_bytes;
};

struct log_header {
	__u64 sector;
	__u64 sectors;
	__u64 flags;
	__u64 data_len;
};

struct entry {
	__u64 sector;
	__u64 sectors;
	__u64 flags;
	const unsigned char *data;
};

static struct entry *entries;
static size_t count;
static unsigned char disk[DISK_BYTES];	/* up to the last flush */
static unsigned char image[DISK_BYTES];
static size_t flushed;			/* entries that are in @disk */
static __u64 marks[MARKS];
static unsigned long loose, kept, dropped, torn;

static const unsigned char *map_file(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st))
		bail("%s: %s", path, strerror(errno));
	*bytes = (size_t)st.st_size;
	at = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		bail("%s: %s", path, strerror(errno));
	close(fd);
	return at;
}

static size_t take_entry(const unsigned char *at, struct entry *e)
{
	struct log_header h;

	memcpy(&h, at, sizeof(h));
	e->sector = le64toh(h.sector);
	e->sectors = le64toh(h.sectors);
	e->flags = le64toh(h.flags);
	e->data = at + SECTOR;
	if ((e->sector + e->sectors) * SECTOR > DISK_BYTES)
		bail("the log has a write behind the disk's end");
	return SECTOR + (e->flags & LOG_DISCARD ? 0 : e->sectors * SECTOR);
}

size_t log_open(const char *path)
{
	struct log_super super;
	const unsigned char *log;
	size_t bytes, at = SECTOR;

	log = map_file(path, &bytes);
	if (bytes < SECTOR)
		bail("%s: no log", path);
	memcpy(&super, log, sizeof(super));
	if (le64toh(super.magic) != LOG_MAGIC || le32toh(super.sector_bytes) != SECTOR)
		bail("%s: no log", path);
	entries = calloc(le64toh(super.entries) + 1, sizeof(*entries));
	while (entries && count < le64toh(super.entries) && at + SECTOR <= bytes)
		at += take_entry(log + at, &entries[count++]);
	if (!entries || at > bytes)
		bail("%s: ends in the middle", path);
	return count;
}

void log_rewind(const char *base)
{
	size_t bytes;
	const unsigned char *from = map_file(base, &bytes);

	if (bytes != DISK_BYTES)
		bail("%s: not a disk of %llu bytes", base, DISK_BYTES);
	memcpy(disk, from, bytes);
	munmap((void *)from, bytes);
	flushed = 0;
}

static void put_entry(unsigned char *to, const struct entry *e, __u64 sectors)
{
	if (!(e->flags & LOG_DISCARD))
		memcpy(to + e->sector * SECTOR, e->data, sectors * SECTOR);
}

static void flush_to(size_t at)
{
	size_t last = flushed, i;

	for (i = flushed; i <= at; i++)
		if (entries[i].flags & LOG_FLUSH)
			last = i + 1;
	for (i = flushed; i < last; i++)
		put_entry(disk, &entries[i], entries[i].sectors);
	flushed = last;
}

/* Of the first @sectors those whose block ends in them. */
static __u64 whole_blocks(const struct entry *e, __u64 sectors)
{
	__u64 end = (e->sector + sectors) / BLOCK_SECTORS * BLOCK_SECTORS;

	return end > e->sector ? end - e->sector : 0;
}

static void put_loose(const struct entry *e)
{
	unsigned int fate = (unsigned int)random_below(4);

	loose++;
	if (fate < 2) {
		kept++;
		put_entry(image, e, e->sectors);
	} else if (fate == 2) {
		dropped++;
	} else {
		torn++;
		put_entry(image, e, whole_blocks(e, random_below(e->sectors)));
	}
}

static void write_image(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t done = 0;
	ssize_t n = 1;

	while (fd >= 0 && done < DISK_BYTES && n > 0) {
		n = write(fd, image + done, DISK_BYTES - done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (done < DISK_BYTES || close(fd))
		bail("%s: %s", path, strerror(errno));
}

/* Marks are no part of the disk that fails: all before the cut have been there. */
static void find_marks(size_t at)
{
	struct disk_mark m;
	unsigned int kind;
	size_t i;

	memset(marks, 0, sizeof(marks));
	for (i = 0; i <= at; i++)
		for (kind = 0; kind < MARKS; kind++) {
			if (entries[i].sector * SECTOR != mark_offset(kind) || !entries[i].sectors)
				continue;
			memcpy(&m, entries[i].data, sizeof(m));
			if (m.magic == DISK_MAGIC)
				marks[kind] = m.generation;
		}
}

void log_cut(size_t at, const char *path)
{
	size_t i;

	flush_to(at);
	memcpy(image, disk, sizeof(image));
	for (i = flushed; i <= at; i++)
		if (entries[i].sectors)
			put_loose(&entries[i]);
	find_marks(at);
	write_image(path);
}

__u64 log_mark(unsigned int kind)
{
	return marks[kind];
}

void log_print(void)
{
	printf("# writes since the last flush: %lu, of these kept %lu, lost %lu, torn %lu\n",
	       loose, kept, dropped, torn);
}
