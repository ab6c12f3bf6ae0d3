// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aptsource.h"
#include "die.h"

#define APT_HELPER "/usr/lib/apt/apt-helper"

/* One line of `apt-get indextargets`; the pointers are into .line. */
struct target {
	char *line;
	const char *origin, *codename, *architecture, *path;
};

struct target_list {
	struct target *targets;
	size_t count;
	size_t room;
};

/* No shell: a file's name reaches the program as it is. */
static struct reader reader_open(const char *what, const char *const argv[])
{
	struct reader reader = { .what = what };
	posix_spawn_file_actions_t actions;
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	ret = posix_spawnp(&reader.pid, argv[0], &actions, NULL,
			   (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (ret)
		die("%s: cannot run: %s", argv[0], strerror(ret));
	reader.out = fdopen(ends[0], "r");
	if (!reader.out)
		die("fdopen: %s", strerror(errno));
	return reader;
}

void reader_close(struct reader *reader)
{
	int status;

	if (ferror(reader->out))
		die("%s: read error", reader->what);
	fclose(reader->out);
	while (waitpid(reader->pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status))
		die("%s: reading it ended by signal %d", reader->what,
		    WTERMSIG(status));
	if (WEXITSTATUS(status))
		die("%s: reading it failed with exit status %d", reader->what,
		    WEXITSTATUS(status));
}

struct reader aptsource_open(const char *path)
{
	const char *const argv[] = { APT_HELPER, "cat-file", "--", path, NULL };

	return reader_open(path, argv);
}

/* The next line without its newline, to be freed; NULL at the end. */
static char *next_line(struct reader *reader)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length = getline(&line, &room, reader->out);

	if (length < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static char *native_architecture(void)
{
	static const char *const argv[] = { "dpkg", "--print-architecture", NULL };
	struct reader reader = reader_open("dpkg --print-architecture", argv);
	char *name = next_line(&reader);

	reader_close(&reader);
	if (!name)
		die("dpkg --print-architecture printed nothing");
	return name;
}

static struct target parse_target(char *line)
{
	struct target target = { .line = line };

	target.origin = strsep(&line, "\t");
	target.codename = strsep(&line, "\t");
	target.architecture = strsep(&line, "\t");
	target.path = line;
	if (!target.path)
		die("apt-get indextargets: expected four fields, got \"%s\"",
		    target.line);
	return target;
}

static struct target_list list_targets(void)
{
	static const char *const argv[] = {
		"apt-get", "indextargets", "--format",
		"$(ORIGIN)\t$(CODENAME)\t$(ARCHITECTURE)\t$(FILENAME)",
		"Created-By: Packages", NULL
	};
	struct reader reader = reader_open("apt-get indextargets", argv);
	struct target_list list = { 0 };
	char *line;

	while ((line = next_line(&reader))) {
		list.targets = must_grow(list.targets, list.count, &list.room,
					 sizeof(*list.targets));
		list.targets[list.count++] = parse_target(line);
	}
	reader_close(&reader);
	return list;
}

/* Why a target is of no use here, or NULL. */
static const char *unsuitable(const struct target *target, const char *native)
{
	if (strcmp(target->origin, "Debian"))
		return "its origin is not Debian";
	if (strcmp(target->architecture, native))
		return "it is not of the native architecture";
	return NULL;
}

static const char *base_codename(const struct target_list *list,
				 const char *native)
{
	for (size_t i = 0; i < list->count; i++)
		if (!unsuitable(&list->targets[i], native) &&
		    !strchr(list->targets[i].codename, '-'))
			return list->targets[i].codename;
	die("apt has no index of a Debian release for %s; run `apt-get update`",
	    native);
}

/* -1 for a suite of no interest, such as backports or another release. */
static int suite_revision(const char *codename, const char *base)
{
	size_t length = strlen(base);

	if (strncmp(codename, base, length))
		return -1;
	if (!codename[length])
		return REV_BASE;
	if (!strcmp(codename + length, "-updates") ||
	    !strcmp(codename + length, "-security"))
		return REV_DELTA;
	return -1;
}

static void sort_target(struct index_list *list, const struct target *target,
			const char *native, const char *base)
{
	const char *reason = unsuitable(target, native);
	int revision = suite_revision(target->codename, base);

	if (!reason && revision < 0)
		reason = "its suite is neither the base nor its updates";
	if (reason)
		note("skipped %s: %s", target->path, reason);
	else
		index_list_add(list, (enum revision)revision, target->path);
}

void aptsource_find(struct index_list *list)
{
	char *native = native_architecture();
	struct target_list found = list_targets();
	const char *base = base_codename(&found, native);

	for (size_t i = 0; i < found.count; i++)
		sort_target(list, &found.targets[i], native, base);
	for (size_t i = 0; i < found.count; i++)
		free(found.targets[i].line);
	free(found.targets);
	free(native);
}

void index_list_add(struct index_list *list, enum revision revision,
		    const char *path)
{
	list->files = must_grow(list->files, list->count, &list->room,
				sizeof(*list->files));
	list->files[list->count++] = (struct index_file) {
		.revision = revision,
		.path = must_printf("%s", path),
	};
}

void index_list_free(struct index_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->files[i].path);
	free(list->files);
}
