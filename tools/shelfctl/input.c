// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "input.h"

#define BUFFER_BYTES	131072U

/* No line of JSON begins like this. */
static const unsigned char magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

static bool fill(struct input *in)
{
	ssize_t n;

	do {
		n = read(in->fd, in->buffer + in->in.size, BUFFER_BYTES - in->in.size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;
	in->ended = !n;
	in->in.size += (size_t)n;
	in->taken += (size_t)n;
	return true;
}

static bool refill(struct input *in)
{
	in->in.pos = 0;
	in->in.size = 0;
	return fill(in);
}

/* A pipe may bring them one by one. */
static bool look(struct input *in)
{
	while (in->in.size < sizeof(magic) && !in->ended)
		if (!fill(in))
			return false;
	in->looked = true;
	if (in->in.size < sizeof(magic) || memcmp(in->buffer, magic, sizeof(magic)))
		return true;
	in->zstd = ZSTD_createDCtx();
	if (!in->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax,
							     INPUT_WINDOW_LOG)))
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
	return true;
}

static ssize_t damaged(struct input *in, const char *why)
{
	in->why = why;
	errno = EBADMSG;
	return -1;
}

static bool is_line_long(struct input *in, const char *text, size_t n)
{
	const char *last = memrchr(text, '\n', n);

	if (!last) {
		in->line_bytes += n;
		return in->line_bytes > INPUT_LINE_MAX;
	}
	in->line_bytes = (size_t)(text + n - last - 1);
	return false;
}

static ssize_t unpack(struct input *in, char *to, size_t room)
{
	ZSTD_outBuffer out = { to, room, 0 };
	size_t left;

	while (!out.pos) {
		if (in->in.pos == in->in.size && !in->ended && !refill(in))
			return -1;
		if (in->in.pos == in->in.size && in->ended && !in->frame)
			return 0;
		/* At the end of the file it may have something in hand yet. */
		left = ZSTD_decompressStream(in->zstd, &out, &in->in);
		if (ZSTD_isError(left))
			return damaged(in, ZSTD_getErrorName(left));
		in->frame = left;
		if (in->ended && left && !out.pos && in->in.pos == in->in.size)
			return damaged(in, "it ends within a frame");
	}
	if (is_line_long(in, to, out.pos))
		return damaged(in, "a line in it is above 16 MiB");
	return (ssize_t)out.pos;
}

static ssize_t read_plain(struct input *in, char *to, size_t room)
{
	size_t n;

	if (in->in.pos == in->in.size && !in->ended && !refill(in))
		return -1;
	n = in->in.size - in->in.pos;
	n = n < room ? n : room;
	memcpy(to, in->buffer + in->in.pos, n);
	in->in.pos += n;
	return (ssize_t)n;
}

static ssize_t read_lines(void *cookie, char *to, size_t room)
{
	struct input *in = cookie;

	if (!in->looked && !look(in))
		return -1;
	return in->zstd ? unpack(in, to, room) : read_plain(in, to, room);
}

static void open_stream(struct input *in)
{
	static const cookie_io_functions_t calls = { .read = read_lines };

	in->buffer = xalloc(NULL, BUFFER_BYTES, 1);
	in->in.src = in->buffer;
	in->lines = fopencookie(in, "r", calls);
	if (!in->lines || setvbuf(in->lines, NULL, _IOFBF, BUFFER_BYTES))
		exit(fail(STATUS_REFUSED, -ENOMEM, "out of memory"));
}

int input_open(struct input *in, const char *name)
{
	struct stat st;

	*in = (struct input){ .name = name, .fd = STDIN_FILENO };
	if (!strcmp(name, "-") && stdin_is_batch)
		return fail(STATUS_USAGE, 0, "-: standard input is the batch");
	if (strcmp(name, "-"))
		in->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return fail(STATUS_REFUSED, -errno, "%s: %s", name, strerror(errno));
	if (!fstat(in->fd, &st) && S_ISREG(st.st_mode))
		in->size = (__u64)st.st_size;
	open_stream(in);
	return 0;
}

void input_close(struct input *in)
{
	fclose(in->lines);
	ZSTD_freeDCtx(in->zstd);
	free(in->buffer);
	if (in->fd != STDIN_FILENO)
		close(in->fd);
}

int input_error(const struct input *in)
{
	if (in->why)
		return fail(STATUS_INPUT, 0, "%s: damaged zstd, before byte %llu: %s",
			    in->name, in->taken - in->in.size + in->in.pos, in->why);
	if (feof(in->lines))
		return 0;
	return fail(STATUS_REFUSED, -errno, "%s: %s", in->name, strerror(errno));
}
