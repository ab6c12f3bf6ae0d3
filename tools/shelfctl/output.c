// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "output.h"

static int broken(const char *name, int error)
{
	return fail(STATUS_REFUSED, error, "%s: %s", name, strerror(-error));
}

/*
 * What stands behind where we begin would be lost, so that must be the end of the
 * file, as it is behind > and >>.
 */
static void take_stdout(struct output *o)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat st;

	o->to = stdout;
	o->name = "standard output";
	if (flags < 0 || fstat(STDOUT_FILENO, &st) || !S_ISREG(st.st_mode))
		return;
	if (flags & O_APPEND || lseek(STDOUT_FILENO, 0, SEEK_CUR) == st.st_size)
		o->start = st.st_size;
}

/* What is secret stays so: the file in place of another is as that one was. */
static int set_rights(int fd, const struct stat *old)
{
	mode_t mask = umask(0);

	umask(mask);
	if (!old->st_nlink)
		return fchmod(fd, 0666 & ~mask);
	/* Who may not give it away has one of his own, with no more rights on it. */
	if (fchown(fd, old->st_uid, old->st_gid))
		return fchmod(fd, old->st_mode & 0700);
	return fchmod(fd, old->st_mode & 07777);
}

static FILE *open_temp(char *temp, const struct stat *old)
{
	int fd = mkostemp(temp, O_CLOEXEC);
	FILE *f = NULL;

	if (fd < 0)
		return NULL;
	if (!set_rights(fd, old))
		f = fdopen(fd, "w");
	if (f)
		return f;
	unlink(temp);
	close(fd);
	return NULL;
}

/* The rename would replace a device or a link by a file. */
static int take_file(struct output *o, const char *file)
{
	size_t n = strlen(file) + sizeof(".XXXXXX");
	struct stat old = { .st_nlink = 0 };

	if (!lstat(file, &old) && !S_ISREG(old.st_mode))
		return fail(STATUS_REFUSED, 0, "%s: not a regular file", file);
	o->name = file;
	o->start = 0;
	o->temp = xalloc(NULL, n, 1);
	snprintf(o->temp, n, "%s.XXXXXX", file);
	o->to = open_temp(o->temp, &old);
	if (o->to)
		return 0;
	broken(file, -errno);
	free(o->temp);
	o->temp = NULL;
	return STATUS_REFUSED;
}

int output_open(struct output *o, const char *file)
{
	*o = (struct output){ .start = -1 };
	if (file && strcmp(file, "-"))
		return take_file(o, file);
	take_stdout(o);
	return 0;
}

/* To callers ESTALE is a pin's; of a file it is no more than EIO. */
static int last_error(void)
{
	return errno && errno != ESTALE ? -errno : -EIO;
}

int output_error(const struct output *o)
{
	return ferror(o->to) ? last_error() : 0;
}

int output_broken(struct output *o, int error)
{
	__fpurge(o->to);
	clearerr(o->to);
	return broken(o->name, error);
}

int output_rewind(struct output *o)
{
	if (o->start < 0)
		return 0;
	if (fflush(o->to) || ftruncate(fileno(o->to), o->start) ||
	    fseeko(o->to, o->start, SEEK_SET))
		return last_error();
	return 1;
}

int output_finish(struct output *o)
{
	if (!o->temp)
		return 0;	/* main() flushes it, and looks */
	if (fflush(o->to) || ferror(o->to) || fsync(fileno(o->to)))
		return broken(o->name, last_error());
	if (rename(o->temp, o->name))
		return broken(o->name, -errno);
	free(o->temp);
	o->temp = NULL;
	fclose(o->to);
	o->to = NULL;
	return 0;
}

void output_drop(struct output *o)
{
	if (!o->temp)
		return;
	fclose(o->to);
	o->to = NULL;
	unlink(o->temp);
	free(o->temp);
	o->temp = NULL;
}
