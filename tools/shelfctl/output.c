// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "output.h"

#define STREAM_BYTES	65536

static int broken(const char *name, int error)
{
	return fail(STATUS_REFUSED, error, "%s: %s", name, strerror(-error));
}

static bool write_all(int fd, const char *text, size_t n)
{
	size_t done = 0;
	ssize_t ret;

	while (done < n) {
		ret = write(fd, text + done, n - done);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret <= 0)
			return false;
		done += (size_t)ret;
	}
	return true;
}

/* Without @end what zstd has in hand may stay there. */
static bool write_packed(struct output *o, const char *text, size_t n, bool end)
{
	ZSTD_inBuffer in = { text, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { o->packed, ZSTD_CStreamOutSize(), 0 };

		left = ZSTD_compressStream2(o->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left)) {
			errno = ENOMEM;
			return false;
		}
		if (!write_all(o->fd, o->packed, out.pos))
			return false;
	} while (end ? left : in.pos < n);
	return true;
}

static void digest_lines(struct output *o, const char *text, size_t n)
{
	const char *end;

	while ((end = memchr(text, '\n', n))) {
		XXH3_64bits_update(o->line, text, (size_t)(end - text));
		if (o->lines++)
			o->digest += XXH3_64bits_digest(o->line);
		XXH3_64bits_reset(o->line);
		n -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	XXH3_64bits_update(o->line, text, n);
}

static void reset_hashes(struct output *o)
{
	XXH3_64bits_reset(o->hash);
	XXH3_64bits_reset(o->line);
	o->lines = 0;
	o->digest = 0;
}

/* In place of the C library's own, so that all that is written is hashed on its way. */
static ssize_t write_hashed(void *cookie, const char *text, size_t n)
{
	struct output *o = cookie;

	if (o->zstd ? !write_packed(o, text, n, false) : !write_all(o->fd, text, n))
		return 0;
	XXH3_64bits_update(o->hash, text, n);
	digest_lines(o, text, n);
	return (ssize_t)n;
}

/* With a sum over each frame: zstd and other tools find what flipped, too. */
static void open_zstd(struct output *o)
{
	o->zstd = ZSTD_createCCtx();
	if (!o->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1)))
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	o->packed = xalloc(NULL, ZSTD_CStreamOutSize(), 1);
}

static void open_stream(struct output *o)
{
	static const cookie_io_functions_t calls = { .write = write_hashed };

	o->hash = XXH3_createState();
	o->line = XXH3_createState();
	o->to = o->hash && o->line ? fopencookie(o, "w", calls) : NULL;
	if (!o->to || setvbuf(o->to, NULL, _IOFBF, STREAM_BYTES))
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	reset_hashes(o);
}

static void close_stream(struct output *o)
{
	fclose(o->to);
	XXH3_freeState(o->hash);
	XXH3_freeState(o->line);
	ZSTD_freeCCtx(o->zstd);
	free(o->packed);
	o->to = NULL;
	o->hash = NULL;
	o->line = NULL;
	o->zstd = NULL;
	o->packed = NULL;
}

/*
 * What stands behind where we begin would be lost, so that must be the end of the
 * file, as it is behind > and >>.
 */
static void take_stdout(struct output *o)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat st;

	o->fd = STDOUT_FILENO;
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

static int open_temp(char *temp, const struct stat *old)
{
	int fd = mkostemp(temp, O_CLOEXEC);

	if (fd < 0 || !set_rights(fd, old))
		return fd;
	unlink(temp);
	close(fd);
	return -1;
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
	o->fd = open_temp(o->temp, &old);
	if (o->fd >= 0)
		return 0;
	broken(file, -errno);
	free(o->temp);
	o->temp = NULL;
	return STATUS_REFUSED;
}

static bool is_packed_name(const char *file)
{
	size_t n = file ? strlen(file) : 0;

	return n > 4 && !strcmp(file + n - 4, ".zst");
}

int output_open(struct output *o, const char *file, bool zstd)
{
	int status = STATUS_OK;

	*o = (struct output){ .start = -1 };
	if (file && strcmp(file, "-"))
		status = take_file(o, file);
	else
		take_stdout(o);
	if (!status)
		open_stream(o);
	if (!status && (zstd || is_packed_name(file)))
		open_zstd(o);
	return status;
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
	if (fflush(o->to))
		return last_error();
	reset_hashes(o);
	if (o->start < 0)
		return 0;
	if (o->zstd)
		ZSTD_CCtx_reset(o->zstd, ZSTD_reset_session_only);
	if (ftruncate(o->fd, o->start) || lseek(o->fd, o->start, SEEK_SET) < 0)
		return last_error();
	return 1;
}

__u64 output_hash(struct output *o)
{
	fflush(o->to);	/* whose failure output_error() tells of */
	return XXH3_64bits_digest(o->hash);
}

__u64 output_digest(struct output *o)
{
	fflush(o->to);
	return o->digest;
}

/*
 * The new name, too, is only in memory until its directory is on disk. Who may
 * write to a directory but not read it can't open it; then all of the file system
 * has to go.
 */
static int sync_name(const struct output *o)
{
	char *path = xalloc(NULL, strlen(o->name) + 1, 1);
	int dir, ret;

	strcpy(path, o->name);
	dir = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (dir < 0)
		return syncfs(o->fd);
	ret = fsync(dir);
	close(dir);
	return ret;
}

static int file_finish(struct output *o)
{
	if (fsync(o->fd))
		return broken(o->name, last_error());
	if (rename(o->temp, o->name))
		return broken(o->name, -errno);
	free(o->temp);
	o->temp = NULL;
	if (sync_name(o))
		return broken(o->name, last_error());
	return STATUS_OK;
}

int output_finish(struct output *o)
{
	if (fflush(o->to) || ferror(o->to) ||
	    (o->zstd && !write_packed(o, NULL, 0, true)))
		return output_broken(o, last_error());
	return o->temp ? file_finish(o) : STATUS_OK;
}

void output_drop(struct output *o)
{
	close_stream(o);
	if (o->fd != STDOUT_FILENO)
		close(o->fd);
	if (o->temp)
		unlink(o->temp);
	free(o->temp);
	o->temp = NULL;
}
