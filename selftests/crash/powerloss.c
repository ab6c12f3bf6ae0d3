// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P5, for who keeps checkpoints: power fails while batches are applied and exported to
 * a disk. Whenever that is, the newest checkpoint on the disk is one state, wholly, of
 * those that had been applied, and not older than the last that shelfctl said was done;
 * what an export left half done is refused, by name.
 *
 *   powerloss [--points N] [--seed N] --tool SHELFCTL --base DISK --log LOG
 *             --work DIRECTORY NAME
 *   powerloss --tool SHELFCTL --disk DISK --work DIRECTORY NAME
 *
 * The first: the log is of a disk's writes while it was used by writer.c, and power
 * fails at random places of it (log.h). The second:
 * it has failed, and DIRECTORY is where the disk is mounted. NAME is a shelf that this
 * program makes and removes, to load checkpoints into.
 *
 * Seen to fail with the directory not synced behind the rename (old), and with the file
 * not synced in front of it (torn: it is empty).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checkpoint.h"
#include "disk.h"
#include "log.h"
#include "state.h"
#include "tool.h"

static unsigned int points = 20;
static const char *base, *log_path, *disk, *work;
static struct checkpoints found;
static unsigned int unclean;

/* Returns the status that the command ended with. */
static int __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[1024];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

/* The journal is replayed, as by a mount; what is there then must be in order. */
static void recover(const char *image, size_t at)
{
	int status = run("e2fsck -p %s >%s/fsck 2>&1", image, work);

	if (status > 1 || run("e2fsck -fn %s >%s/fsck 2>&1", image, work)) {
		printf("# entry %zu: e2fsck %d\n", at, status);
		unclean++;
	}
}

static void check_cut(size_t at)
{
	char image[256], files[256], where[64];

	snprintf(image, sizeof(image), "%s/image", work);
	snprintf(files, sizeof(files), "%s/files", work);
	snprintf(where, sizeof(where), "entry %zu", at);
	log_cut(at, image);
	recover(image, at);
	if (run("rm -rf %s && mkdir %s && debugfs -R 'rdump / %s' %s >%s/debugfs 2>&1", files,
		files, files, image, work))
		bail("debugfs can't read %s", image);
	checkpoints_check(&found, files, log_mark(MARK_CHECKPOINT), log_mark(MARK_APPLIED), where);
}

/* One in each of so many equal parts of the log; of a short one some more than once. */
static void check_log(void)
{
	size_t entries = log_open(log_path), i, at, end;

	if (!entries)
		bail("%s: nothing was written", log_path);
	printf("# %zu writes and flushes, power fails %u times\n", entries, points);
	log_rewind(base);
	for (i = 0; i < points; i++) {
		at = entries * i / points;
		end = entries * (i + 1) / points;
		check_cut(at + (end > at ? random_below(end - at) : 0));
	}
	log_print();
	tap_ok(!unclean, "the file system is whole each time");
}

static __u64 read_mark(int fd, enum mark_kind kind)
{
	struct disk_mark m;

	if (pread(fd, &m, sizeof(m), (off_t)mark_offset(kind)) != sizeof(m))
		bail("%s: %s", disk, strerror(errno));
	return m.magic == DISK_MAGIC ? m.generation : 0;
}

static void check_mounted(void)
{
	int fd = open(disk, O_RDONLY | O_CLOEXEC);
	__u64 told, applied;

	if (fd < 0)
		bail("%s: %s", disk, strerror(errno));
	told = read_mark(fd, MARK_CHECKPOINT);
	applied = read_mark(fd, MARK_APPLIED);
	printf("# acknowledged: checkpoint of generation %llu, batch of %llu\n", told, applied);
	checkpoints_check(&found, work, told, applied, disk);
	close(fd);
}

static void report(void)
{
	int i;

	printf("# checkpoints: %u whole, %u times none yet; left half done: %u whole, %u refused\n",
	       found.whole, found.absent, found.left_whole, found.left_refused);
	for (i = 0; i < CP_FAULTS; i++)
		tap_ok(!found.faults[i], "%s", checkpoint_fault_names[i]);
	tap_ok(found.whole, "there were checkpoints");
}

static void usage(void)
{
	fputs("usage: powerloss [--points N] [--seed N] --tool SHELFCTL --base DISK --log LOG\n"
	      "                 --work DIRECTORY NAME\n"
	      "       powerloss --tool SHELFCTL --disk DISK --work DIRECTORY NAME\n", stderr);
	exit(2);
}

static void set_option(int c, const char *value)
{
	if (c == 'p')
		points = (unsigned int)strtoul(value, NULL, 0);
	else if (c == 's')
		random_state = strtoull(value, NULL, 0);
	else if (c == 't')
		tool_path = value;
	else if (c == 'b')
		base = value;
	else if (c == 'l')
		log_path = value;
	else if (c == 'd')
		disk = value;
	else if (c == 'w')
		work = value;
	else
		usage();
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "points", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "tool", required_argument, NULL, 't' },
		{ "base", required_argument, NULL, 'b' },
		{ "log", required_argument, NULL, 'l' },
		{ "disk", required_argument, NULL, 'd' },
		{ "work", required_argument, NULL, 'w' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(c, optarg);
	if (optind != argc - 1 || !tool_path || !work || !(disk || (base && log_path)))
		usage();
	tool_shelf = argv[optind];
}

int main(int argc, char **argv)
{
	random_state = now_ns();
	state_products = 300;
	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n# powerloss --seed %llu\n", random_state);
	if (disk)
		check_mounted();
	else
		check_log();
	report();
	return tap_end();
}
