// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl stats: what the kernel shows in sysfs, file by file, so that it
 * needs no list of names here; of a hosted shelf, what its file tells.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "document.h"

#define SYSFS_DIR	"/sys/class/shelf/"

struct printer {
	struct document out;
};

/* An integer as JSON has it: no leading zero, no plus. */
static bool is_number(const char *value)
{
	const char *digits = value + (*value == '-');

	return *digits && strspn(digits, "0123456789") == strlen(digits) &&
	       (*digits != '0' || !digits[1]);
}

static void print_value(struct printer *p, const char *name, const char *value)
{
	if (!json_output) {
		printf("%s %s\n", name, value);
		return;
	}
	putc(',', p->out.to);
	put_string(p->out.to, name);
	putc(':', p->out.to);
	if (is_number(value))
		fputs(value, p->out.to);
	else
		put_string(p->out.to, value);
}

static void print_u64(struct printer *p, const char *name, __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	print_value(p, name, text);
}

static void print_begin(struct printer *p)
{
	if (json_output)
		document_begin(&p->out);
}

static void print_end(struct printer *p)
{
	if (json_output)
		document_end(&p->out, stdout);
}

/* False: it is writable only, or gone. */
static bool read_file(int dir, const char *file, char *value)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, value, SYSFS_VALUE - 1);
	close(fd);
	if (n < 0)
		return false;
	while (n && value[n - 1] == '\n')
		n--;
	value[n] = 0;
	return true;
}

bool sysfs_value(const struct args *a, const char *file, char *value)
{
	char path[sizeof(SYSFS_DIR) + SHELF_NAME_MAX + 32];

	if (strchr(a->shelf, '/') || strlen(a->shelf) > SHELF_NAME_MAX)
		return false;
	snprintf(path, sizeof(path), SYSFS_DIR "%s/%s", a->shelf, file);
	return read_file(AT_FDCWD, path, value);
}

static void print_file(struct printer *p, int dir, const char *file, const char *name)
{
	char value[SYSFS_VALUE];

	if (read_file(dir, file, value))
		print_value(p, name, value);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, "uevent") &&
	       strcmp(e->d_name, "power");
}

/* @depth: how many more directories down; groups of attributes are one. */
static void print_dir(struct printer *p, int parent, const char *path,
		     const char *prefix, int depth)
{
	struct dirent **entry;
	int dir = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n, i;

	if (dir < 0)
		return;
	n = scandirat(dir, ".", &entry, visible, alphasort);
	for (i = 0; i < n; i++) {
		char name[2 * NAME_MAX + 2];
		struct stat st;

		snprintf(name, sizeof(name), "%s%s", prefix, entry[i]->d_name);
		if (fstatat(dir, entry[i]->d_name, &st, AT_SYMLINK_NOFOLLOW))
			st.st_mode = 0;
		if (S_ISREG(st.st_mode))
			print_file(p, dir, entry[i]->d_name, name);
		if (S_ISDIR(st.st_mode) && depth) {
			strcat(name, "/");
			print_dir(p, dir, entry[i]->d_name, name, depth - 1);
		}
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	close(dir);
}

static int kernel_stats(const struct args *a)
{
	struct printer p;
	char path[256];

	if (strchr(a->shelf, '/') || a->shelf[0] == '.' ||
	    strlen(a->shelf) > SHELF_NAME_MAX)
		return fail(STATUS_REFUSED, -EINVAL, "%s: not a shelf's name", a->shelf);
	snprintf(path, sizeof(path), SYSFS_DIR "%s", a->shelf);
	if (access(path, F_OK))
		return fail(STATUS_REFUSED, -errno, "%s: %s", path, strerror(errno));
	print_begin(&p);
	print_dir(&p, AT_FDCWD, path, "", 1);
	print_end(&p);
	return STATUS_OK;
}

static int hosted_stats(const struct args *a)
{
	struct printer p;
	struct shelf_ioc_info info;
	struct shelf *s;
	struct stat st;
	int ret = open_shelf(a, &s);

	if (ret)
		return ret;
	ret = shelf_info(s, &info);
	if (!ret && fstat(s->fd, &st))
		ret = -errno;
	shelf_close(s);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
	print_begin(&p);
	print_u64(&p, "generation", info.generation);
	print_u64(&p, "oldest", info.oldest);
	print_u64(&p, "products", info.products);
	print_u64(&p, "catalogs", info.catalogs);
	print_u64(&p, "memberships", info.memberships);
	print_u64(&p, "attrs_bytes", info.attrs_bytes);
	print_u64(&p, "bytes", (__u64)st.st_blocks * 512);
	print_u64(&p, "max_bytes", info.max_bytes);
	print_u64(&p, "committed_ns", info.committed_ns);
	print_end(&p);
	return STATUS_OK;
}

int run_stats(const struct args *a)
{
	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	return is_hosted(a) ? hosted_stats(a) : kernel_stats(a);
}
