// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

static int kit_connect(struct kit *k)
{
	struct shelf_ioc_info info = { .size = sizeof(info) };
	struct shelf s = { .flags = 0 };
	int ret;

	k->fd = kit_open(k);
	if (k->fd < 0)
		return k->fd;
	s.fd = k->fd;
	ret = shelf_info(&s, &info);
	if (ret)
		return ret;
	k->arena_bytes = info.arena_bytes;
	return shelf_writer_open(k->name, &k->w, NULL);
}

int kit_make_as(struct kit *k, const char *what, const struct shelf_settings *settings)
{
	static unsigned int serial;
	int ret;

	memset(k, 0, sizeof(*k));
	k->fd = -1;
	snprintf(k->name, sizeof(k->name), "t.%.12s.%d.%u", what, getpid(),
		 __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
	ret = shelf_create(k->name, settings, NULL);
	if (ret)
		return ret;
	ret = kit_connect(k);
	if (ret)
		kit_drop(k);
	return ret;
}

int kit_make(struct kit *k, const char *what, unsigned int chunks)
{
	const struct shelf_settings settings = {
		.max_bytes = chunks * (__u64)CHUNK,
		.quarantine_ms = -1,
	};

	return kit_make_as(k, what, &settings);
}

int kit_destroy(const struct kit *k)
{
	return shelf_destroy(k->name, NULL);
}

void kit_drop(struct kit *k)
{
	if (k->w)
		shelf_writer_close(k->w);
	if (k->fd >= 0)
		close(k->fd);
	if (k->name[0])
		kit_destroy(k);
	memset(k, 0, sizeof(*k));
	k->fd = -1;
}

int kit_open(const struct kit *k)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/shelf/%s", k->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static __u64 mix(__u64 x)
{
	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 32);
}

/* Never a zero byte, so that zeros are known to be wrong. */
static __u8 attr_byte(__u64 start, __u32 i)
{
	return (__u8)(start + i * 37) | 1;
}

void attrs_fill(void *to, __s64 id, __u32 len, unsigned int salt)
{
	__u64 start = mix((__u64)id + salt);
	__u8 *p = to;
	__u32 i;

	for (i = 0; i < len; i++)
		p[i] = attr_byte(start, i);
}

bool attrs_match(const void *attrs, __s64 id, __u32 len, unsigned int salt)
{
	__u64 start = mix((__u64)id + salt);
	const __u8 *p = attrs;
	__u32 i;

	for (i = 0; i < len; i++)
		if (p[i] != attr_byte(start, i))
			return false;
	return true;
}

int put_one(struct shelf_batch *b, __s64 id, __u32 attrs_len, unsigned int salt)
{
	static __thread __u8 attrs[SHELF_ATTRS_MAX];
	const struct shelf_change c = {
		.id = id,
		.fields = SHELF_PRICE | SHELF_STOCK | SHELF_FLAGS |
			  SHELF_CURRENCY | SHELF_ATTRS,
		.price = (__s64)mix((__u64)id) ^ salt,
		.stock = salt,
		.flags = (__u32)id,
		.currency = "EUR",
		.attrs = attrs,
		.attrs_len = attrs_len,
	};

	attrs_fill(attrs, id, attrs_len, salt);
	return shelf_batch_put(b, &c, NULL);
}

int put_products(struct kit *k, __s64 first, unsigned int count,
		 __u32 attrs_len, unsigned int salt)
{
	struct shelf_batch *b;
	unsigned int i;
	int ret;

	ret = shelf_batch_begin(k->w, &b, NULL);
	for (i = 0; i < count && !ret; i++) {
		ret = put_one(b, first + i, attrs_len, salt);
		if (ret)
			shelf_batch_abort(b);
	}
	return ret ? ret : shelf_batch_commit(b, NULL, NULL, NULL);
}

bool product_match(const struct shelf_product *p, __s64 id, __u32 attrs_len,
		   unsigned int salt)
{
	return p->id == id && p->stock == salt && p->attrs_len == attrs_len &&
	       p->price == ((__s64)mix((__u64)id) ^ salt);
}

static bool product_right(const struct shelf *s, __s64 id, __u32 attrs_len,
			  unsigned int salt)
{
	static __thread __u8 attrs[SHELF_ATTRS_MAX];
	struct shelf_product p;

	memset(attrs, 0, attrs_len);
	return shelf_get_attrs(s, id, &p, attrs, attrs_len, NULL) == 1 &&
	       product_match(&p, id, attrs_len, salt) &&
	       attrs_match(attrs, id, attrs_len, salt);
}

unsigned int count_wrong(const struct shelf *s, __s64 first, unsigned int count,
			 __u32 attrs_len, unsigned int salt)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < count; i++)
		wrong += !product_right(s, first + i, attrs_len, salt);
	return wrong;
}

void *map_arena(int fd, size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, SHELF_MMAP_ARENA);
}

void *map_control(int fd)
{
	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, SHELF_MMAP_CONTROL);
}

struct shelf mapped_reader(const void *control, const void *arena)
{
	const struct shelf_control *c = control;

	return (struct shelf){
		.fd = -1,
		.control = c,
		.arena = arena,
		.mask = c->arena_bytes - SHELF_PAGE_BYTES,
		.seed = c->seed,
	};
}

__u64 touch(const void *at, size_t bytes)
{
	const volatile __u8 *p = at;
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < bytes; i += PAGE)
		sum |= *(const volatile __u64 *)(p + i);
	return sum;
}

bool all_zero(const void *at, size_t bytes)
{
	const __u64 *p = at;
	size_t i;

	for (i = 0; i < bytes / sizeof(*p); i++)
		if (p[i])
			return false;
	return true;
}

struct reading {
	const void *at;
	size_t bytes;
};

static int read_it(void *arg)
{
	struct reading *r = arg;

	touch(r->at, r->bytes);
	return 0;
}

bool survives_reading(const void *at, size_t bytes)
{
	struct reading r = { at, bytes };

	return in_child(read_it, &r) == 0;
}

int in_child(int (*call)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(call(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

struct user_call {
	uid_t uid;
	int (*call)(void *arg);
	void *arg;
};

static int become_and_call(void *arg)
{
	struct user_call *u = arg;

	if (setgroups(0, NULL) || setresgid(u->uid, u->uid, u->uid) ||
	    setresuid(u->uid, u->uid, u->uid))
		return 255;
	return u->call(u->arg);
}

int as_user(uid_t uid, int (*call)(void *arg), void *arg)
{
	struct user_call u = { uid, call, arg };

	return in_child(become_and_call, &u);
}

long long sysfs_value(const char *name, const char *file)
{
	long long value = -EINVAL;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/shelf/%s/%s", name, file);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (fscanf(f, "%lld", &value) != 1)
		value = -EINVAL;
	fclose(f);
	return value;
}

#define AWAIT_NS	(60 * 1000000000ULL)	/* a loaded emulator takes its time */

long long sysfs_await(const char *name, const char *file, long long wanted)
{
	long long value = sysfs_value(name, file);
	__u64 begin = now_ns();

	while (value != wanted && now_ns() - begin < AWAIT_NS) {
		sleep_ms(25);
		value = sysfs_value(name, file);
	}
	return value;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

void sleep_ms(unsigned int ms)
{
	const struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

__u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000ULL + (__u64)t.tv_nsec;
}
