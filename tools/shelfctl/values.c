// SPDX-License-Identifier: GPL-2.0-only OR MIT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "values.h"

const char *sysfs_dir(void)
{
	const char *dir = secure_getenv("SHELF_SYSFS");

	return dir ? dir : "/sys/class/shelf";
}

static char *copy(const char *text)
{
	char *new = xalloc(NULL, strlen(text) + 1, 1);

	return strcpy(new, text);
}

static void add(struct values *v, const char *name, const char *text)
{
	v->value = xalloc(v->value, v->n + 1, sizeof(*v->value));
	v->value[v->n++] = (struct value){ copy(name), copy(text) };
}

static void add_u64(struct values *v, const char *name, __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	add(v, name, text);
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

static bool is_name(const char *shelf)
{
	return !strchr(shelf, '/') && shelf[0] != '.' && shelf[0] &&
	       strlen(shelf) <= SHELF_NAME_MAX;
}

static int open_dir(const char *shelf)
{
	char path[PATH_MAX];

	if (!is_name(shelf))
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/%s", sysfs_dir(), shelf);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool sysfs_value(const struct args *a, const char *file, char *value)
{
	int dir = open_dir(a->shelf);
	bool found;

	if (dir < 0)
		return false;
	found = read_file(dir, file, value);
	close(dir);
	return found;
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, "uevent") &&
	       strcmp(e->d_name, "power");
}

static void read_entry(struct values *v, int dir, const char *file, const char *name)
{
	char value[SYSFS_VALUE];

	if (read_file(dir, file, value))
		add(v, name, value);
}

/* Takes @dir. @depth: how many more directories down; groups of attributes are one. */
static void read_dir(struct values *v, int dir, const char *prefix, int depth)
{
	struct dirent **entry;
	int n = scandirat(dir, ".", &entry, visible, alphasort);
	int i;

	for (i = 0; i < n; i++) {
		const char *file = entry[i]->d_name;
		char name[2 * NAME_MAX + 3];
		struct stat st;

		snprintf(name, sizeof(name), "%s%s", prefix, file);
		if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW))
			st.st_mode = 0;
		if (S_ISREG(st.st_mode))
			read_entry(v, dir, file, name);
		if (S_ISDIR(st.st_mode) && depth) {
			int below = openat(dir, file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			strcat(name, "/");
			if (below >= 0)
				read_dir(v, below, name, depth - 1);
		}
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	close(dir);
}

int values_read(const char *shelf, struct values *v)
{
	int dir = open_dir(shelf);

	*v = (struct values){ NULL };
	if (dir < 0)
		return dir == -EINVAL ? dir : -errno;
	v->shelf = copy(shelf);
	read_dir(v, dir, "", 1);
	return 0;
}

static int read_hosted(const struct args *a, struct values *v)
{
	struct shelf_ioc_info info;
	struct shelf *s;
	struct stat st;
	int ret = open_shelf(a, &s);

	*v = (struct values){ NULL };
	if (ret)
		return ret;
	ret = shelf_info(s, &info);
	if (!ret && fstat(s->fd, &st))
		ret = -errno;
	shelf_close(s);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, strerror(-ret));
	v->shelf = copy(info.name);
	add_u64(v, "generation", info.generation);
	add_u64(v, "oldest", info.oldest);
	add_u64(v, "products", info.products);
	add_u64(v, "catalogs", info.catalogs);
	add_u64(v, "memberships", info.memberships);
	add_u64(v, "attrs_bytes", info.attrs_bytes);
	add_u64(v, "bytes", (__u64)st.st_blocks * 512);
	add_u64(v, "max_bytes", info.max_bytes);
	add_u64(v, "committed_ns", info.committed_ns);
	return 0;
}

int values_of(const struct args *a, struct values *v)
{
	int ret;

	if (is_hosted(a))
		return read_hosted(a, v);
	ret = values_read(a->shelf, v);
	if (ret == -EINVAL)
		return fail(STATUS_REFUSED, ret, "%s: not a shelf's name", a->shelf);
	if (ret)
		return fail(STATUS_REFUSED, ret, "%s/%s: %s", sysfs_dir(), a->shelf,
			    strerror(-ret));
	return 0;
}

const char *values_get(const struct values *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (!strcmp(v->value[i].name, name))
			return v->value[i].text;
	return NULL;
}

__u64 values_u64(const struct values *v, const char *name)
{
	const char *text = values_get(v, name);

	return text ? strtoull(text, NULL, 10) : 0;
}

void values_free(struct values *v)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		free(v->value[i].name);
		free(v->value[i].text);
	}
	free(v->value);
	free(v->shelf);
	*v = (struct values){ NULL };
}

int values_read_all(struct values **v, size_t *n)
{
	char **names;
	long shelves = sysfs_shelves(&names), i;

	*n = 0;
	if (shelves < 0)
		return (int)shelves;
	*v = xalloc(NULL, (size_t)shelves, sizeof(**v));
	for (i = 0; i < shelves; i++) {
		*n += !values_read(names[i], &(*v)[*n]);
		free(names[i]);
	}
	free(names);
	return 0;
}

static int is_shelf(const struct dirent *e)
{
	return is_name(e->d_name);
}

long sysfs_shelves(char ***names)
{
	struct dirent **entry;
	long n = scandir(sysfs_dir(), &entry, is_shelf, alphasort), i;

	if (n < 0)
		return -errno;
	*names = xalloc(NULL, (size_t)n, sizeof(**names));
	for (i = 0; i < n; i++) {
		(*names)[i] = copy(entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return n;
}
