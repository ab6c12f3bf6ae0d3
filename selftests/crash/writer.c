// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What goes on while the power fails: batches are applied, checkpoints exported, and of
 * each that is acknowledged a mark goes to the disk (disk.h).
 *
 *   writer SECONDS SHELFCTL NAME DISK FILE
 *
 * The shelf is new, so generation g + 1 is state g. It ends badly if shelfctl does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "state.h"
#include "tool.h"

static int disk;

static void mark(enum mark_kind kind, __u64 generation)
{
	static struct disk_mark m __attribute__((aligned(DISK_MARK_BYTES)));
	static char block[DISK_MARK_BYTES] __attribute__((aligned(DISK_MARK_BYTES)));

	m = (struct disk_mark){ DISK_MAGIC, generation };
	memcpy(block, &m, sizeof(m));
	if (pwrite(disk, block, sizeof(block), (off_t)mark_offset(kind)) != sizeof(block))
		bail("mark: %s", strerror(errno));
	printf("# %s generation %llu\n", kind == MARK_APPLIED ? "applied" : "checkpoint",
	       generation);
}

static void run(enum mark_kind kind, const char *command, const char *a, const char *b)
{
	struct tool t = { .errors = true };
	struct told told;

	tool_run(&t, command, a, b, -1);
	tool_end(&t, &told);
	if (told.status || !told.generation)
		bail("shelfctl %s ended with %d: %s", command, told.status, told.output);
	mark(kind, told.generation);
}

static void apply_for_ever(void)
{
	char path[] = "/tmp/crash-batch.XXXXXX";
	int fd = mkstemp(path);
	__u64 n = 0;
	FILE *to;

	if (fd < 0)
		bail("%s: %s", path, strerror(errno));
	for (;;) {
		to = fopen(path, "we");
		if (!to || state_write(to, ++n) < 0 || fclose(to))
			bail("%s: %s", path, strerror(errno));
		run(MARK_APPLIED, "apply", path, "--no-wait");
	}
}

static void checkpoint_until(__u64 until, const char *file, pid_t applier)
{
	while (now_ns() < until) {
		run(MARK_CHECKPOINT, "export", "-o", file);
		if (waitpid(applier, NULL, WNOHANG))
			bail("nobody applies any more");
	}
}

int main(int argc, char **argv)
{
	const struct shelf_settings settings = { .max_bytes = 64 << 20 };
	pid_t applier;

	if (argc != 6)
		bail("writer SECONDS SHELFCTL NAME DISK FILE");
	setvbuf(stdout, NULL, _IOLBF, 0);
	tool_path = argv[2];
	tool_shelf = argv[3];
	state_products = 300;
	disk = open(argv[4], O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (disk < 0 || shelf_create(tool_shelf, &settings, NULL))
		bail("no %s, or no %s", argv[4], tool_shelf);
	applier = fork();
	if (!applier)
		apply_for_ever();
	checkpoint_until(now_ns() + strtoull(argv[1], NULL, 0) * 1000000000ULL, argv[5], applier);
	kill(applier, SIGKILL);
	waitpid(applier, NULL, 0);
	return shelf_destroy(tool_shelf, NULL) ? 1 : 0;
}
