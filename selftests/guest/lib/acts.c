// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acts.h"
#include "doc.h"

#define SMALL_CHUNKS	"/sys/module/shelf/parameters/small_chunks"
#define FORMAT		"/sys/kernel/tracing/events/shelf/shelf_commit/format"

static struct msg msg;		/* too large for a stack */

/* Opening and closing again: 0 or errno. */
static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/*
 * The device
 * ==========
 */
static int act_open(struct scene *s)
{
	return try_open(s->path, O_RDONLY);
}

static int act_write(struct scene *s)
{
	return try_open(s->path, O_RDWR);
}

static int try_map(const struct scene *s, size_t bytes, int prot, __u64 offset)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, s->fd, offset);

	return at == MAP_FAILED ? errno : munmap(at, bytes);
}

static int act_control(struct scene *s)
{
	return try_map(s, PAGE, PROT_READ, SHELF_MMAP_CONTROL);
}

static int act_pins(struct scene *s)
{
	return try_map(s, 2 * PAGE, PROT_READ, SHELF_MMAP_CONTROL);
}

static int act_arena(struct scene *s)
{
	return try_map(s, CHUNK, PROT_READ, SHELF_MMAP_ARENA);
}

static int act_store(struct scene *s)
{
	return try_map(s, CHUNK, PROT_READ | PROT_WRITE, SHELF_MMAP_ARENA);
}

/* There may be nothing new for a file that others read as well. */
static int act_read(struct scene *s)
{
	__u64 generation;
	ssize_t n;

	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	n = read(s->fd, &generation, sizeof(generation));
	return n < 0 && errno != EAGAIN ? errno : 0;
}

static int act_poll(struct scene *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	if (poll(&p, 1, 0) < 0)
		return errno;
	return p.revents & (POLLERR | POLLNVAL) ? EIO : 0;
}

static const struct {
	const char *name;
	int (*act)(struct scene *s);
	bool needs_fd;
} files[] = {
	{ "open", act_open, false },
	{ "write", act_write, false },
	{ "control", act_control, true },
	{ "pins", act_pins, true },
	{ "arena", act_arena, true },
	{ "store", act_store, true },
	{ "read", act_read, true },
	{ "poll", act_poll, true },
};

/*
 * Ioctls
 * ======
 */
static int try_ioctl(const struct scene *s, unsigned long request, void *arg)
{
	return ioctl(s->fd, request, arg) ? errno : 0;
}

static int ioctl_pin(const struct scene *s, bool unpin)
{
	struct shelf_ioc_pin pin = { .size = sizeof(pin) };
	struct shelf_ioc_unpin q = { .size = sizeof(q) };
	int ret = try_ioctl(s, SHELF_IOC_PIN, &pin), end;

	q.pin = pin.pin;
	end = try_ioctl(s, SHELF_IOC_UNPIN, &q);
	return unpin ? end : ret;
}

static int ioctl_many(const struct scene *s)
{
	struct shelf_product p[1];
	__s64 ids[] = { 1 };
	struct shelf_ioc_get_many q = {
		.size = sizeof(q), .ids = (uintptr_t)ids, .products = (uintptr_t)p, .count = 1,
	};

	return try_ioctl(s, SHELF_IOC_GET_MANY, &q);
}

/* ENOENT is an answer: there is no catalog. */
static int ioctl_members(const struct scene *s)
{
	__s64 ids[1];
	struct shelf_ioc_members q = {
		.size = sizeof(q), .catalog = 1, .ids = (uintptr_t)ids, .count = 1,
	};
	int ret = try_ioctl(s, SHELF_IOC_MEMBERS, &q);

	return ret == ENOENT ? 0 : ret;
}

static int ioctl_scan(const struct scene *s)
{
	static struct shelf_product p[64];
	struct shelf_ioc_scan q = {
		.size = sizeof(q), .records = (uintptr_t)p, .count = 64,
	};

	return try_ioctl(s, SHELF_IOC_SCAN, &q);
}

static int act_ioctl(const struct scene *s, const char *name)
{
	struct shelf_ioc_info info = { .size = sizeof(info) };
	struct shelf_ioc_get get = { .size = sizeof(get), .id = 1 };
	struct shelf_ioc_is_member is = { .size = sizeof(is), .catalog = 1, .product = 1 };
	struct shelf_ioc_wait wait = { .size = sizeof(wait), .generation = 1 };
	struct shelf_ioc_report report = { .size = sizeof(report) };

	if (!strcmp(name, "INFO"))
		return try_ioctl(s, SHELF_IOC_INFO, &info);
	if (!strcmp(name, "GET"))
		return try_ioctl(s, SHELF_IOC_GET, &get);
	if (!strcmp(name, "GET_MANY"))
		return ioctl_many(s);
	if (!strcmp(name, "MEMBERS"))
		return ioctl_members(s);
	if (!strcmp(name, "IS_MEMBER"))
		return try_ioctl(s, SHELF_IOC_IS_MEMBER, &is);
	if (!strcmp(name, "WAIT"))
		return try_ioctl(s, SHELF_IOC_WAIT, &wait);
	if (!strcmp(name, "PIN") || !strcmp(name, "UNPIN"))
		return ioctl_pin(s, name[0] == 'U');
	if (!strcmp(name, "REPORT"))
		return try_ioctl(s, SHELF_IOC_REPORT, &report);
	return strcmp(name, "SCAN") ? ACT_UNKNOWN : ioctl_scan(s);
}

/*
 * Netlink
 * =======
 */
static const char * const commands[] = {
	[SHELF_CMD_CREATE] = "CREATE", [SHELF_CMD_DESTROY] = "DESTROY",
	[SHELF_CMD_GET] = "GET", [SHELF_CMD_SET] = "SET",
	[SHELF_CMD_BATCH_BEGIN] = "BATCH_BEGIN", [SHELF_CMD_BATCH_OPS] = "BATCH_OPS",
	[SHELF_CMD_BATCH_COMMIT] = "BATCH_COMMIT", [SHELF_CMD_BATCH_ABORT] = "BATCH_ABORT",
	[SHELF_CMD_PINS] = "PINS", [SHELF_CMD_TRIM] = "TRIM", [SHELF_CMD_NEW] = "NEW",
	[SHELF_CMD_BATCH_RESULT] = "BATCH_RESULT", [SHELF_CMD_CREATED] = "CREATED",
	[SHELF_CMD_DESTROYED] = "DESTROYED", [SHELF_CMD_COMMITTED] = "COMMITTED",
	[SHELF_CMD_PIN] = "PIN", [SHELF_CMD_SOURCES] = "SOURCES",
	[SHELF_CMD_SOURCE] = "SOURCE",
};

/* A new name is too long for nobody, and destroyed at once. */
static const char *name_for(const struct scene *s, int cmd)
{
	if (cmd == SHELF_CMD_CREATE)
		return "rights-new";
	return cmd == SHELF_CMD_DESTROY ? s->victim : s->name;
}

/* Whoever may not begin a batch uses a cookie that isn't there. */
static __u64 cookie_for(struct wire *nl, const struct scene *s)
{
	__u64 cookie = 0;

	return wire_begin(nl, s->name, &cookie) ? 1 : cookie;
}

static bool takes_cookie(int cmd)
{
	return cmd == SHELF_CMD_BATCH_OPS || cmd == SHELF_CMD_BATCH_COMMIT ||
	       cmd == SHELF_CMD_BATCH_ABORT;
}

static void spell(struct wire *nl, const struct scene *s, int cmd)
{
	__u64 cookie = takes_cookie(cmd) ? cookie_for(nl, s) : 0;

	msg_start(&msg, nl, cmd);
	if (cookie)
		msg_u64(&msg, SHELF_A_COOKIE, cookie);
	else
		msg_string(&msg, SHELF_A_NAME, name_for(s, cmd));
	if (cmd == SHELF_CMD_CREATE)
		msg_u64(&msg, SHELF_A_MAX_BYTES, 8 << 20);
	if (cmd == SHELF_CMD_SET)
		msg_u64(&msg, SHELF_A_BATCH_BYTES, 1 << 20);
	if (cmd == SHELF_CMD_BATCH_OPS)
		op_product(&msg, SHELF_OP_PUT, 1, 10);
	if (cmd == SHELF_CMD_PINS || cmd == SHELF_CMD_SOURCES)
		msg.head.nlmsg_flags |= NLM_F_DUMP;
}

static int say(struct wire *nl, const struct scene *s, int cmd)
{
	struct answer a;
	int ret;

	spell(nl, s, cmd);
	ret = wire_talk(nl, &msg, &a);
	if (cmd == SHELF_CMD_CREATE && !ret)
		wire_destroy(nl, "rights-new");
	return ret;
}

static int list(struct wire *nl)
{
	struct answer a;

	msg_start(&msg, nl, SHELF_CMD_GET);
	msg.head.nlmsg_flags |= NLM_F_DUMP;
	return wire_talk(nl, &msg, &a);
}

static int act_wire(struct wire *nl, const struct scene *s, const char *name)
{
	unsigned int cmd;

	if (!strcmp(name, "family"))
		return wire_find_family(nl);
	nl->family = s->roots.family;
	nl->events = s->roots.events;
	if (!strcmp(name, "events"))
		return wire_join_events(nl);
	if (!strcmp(name, "list"))
		return list(nl);
	for (cmd = 1; cmd < sizeof(commands) / sizeof(*commands); cmd++)
		if (!strncmp(name, "SHELF_CMD_", 10) && !strcmp(name + 10, commands[cmd]))
			return say(nl, s, cmd);
	return ACT_UNKNOWN;
}

static int act_netlink(struct scene *s, const char *name)
{
	struct wire nl;
	int ret = wire_socket(&nl);

	if (!ret)
		ret = act_wire(&nl, s, name);
	wire_close(&nl);
	return ret;
}

/*
 * What is read as text
 * ====================
 */
static int try_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char c;
	int ret;

	if (!f)
		return errno;
	ret = fread(&c, 1, 1, f) == 1 ? 0 : errno;
	fclose(f);
	return ret;
}

/* Each that abi.md has; the first that is otherwise than the ones before tells. */
static int act_sysfs(const struct scene *s, int flags)
{
	char path[256], cell[DOC_CELL], *at, *rest;
	unsigned int row;
	int ret = 0, one;

	for (row = 0; doc_cell("sysfs", row, 0, cell); row++) {
		for_each_name(at, cell, rest) {
			snprintf(path, sizeof(path), "/sys/class/shelf/%s/%s", s->name, at);
			one = flags == O_RDONLY ? try_read(path) : try_open(path, flags);
			if (row && one != ret)
				return ACT_UNKNOWN;
			ret = one;
		}
	}
	return row ? ret : ACT_UNKNOWN;
}

static int act_text(const struct scene *s, const char *name)
{
	int ret;

	if (!strcmp(name, "sysfs"))
		return act_sysfs(s, O_RDONLY);
	if (!strcmp(name, "sysfs_write"))
		return act_sysfs(s, O_WRONLY);
	if (!strcmp(name, "tracepoints"))
		return try_read(FORMAT);
	if (!strcmp(name, "small_chunks"))
		return try_read(SMALL_CHUNKS);
	ret = write_file(SMALL_CHUNKS, "N");
	return strcmp(name, "small_chunks_write") ? ACT_UNKNOWN : -ret;
}

static bool is_text(const char *name)
{
	return strstr(name, "sysfs") || strstr(name, "small_chunks") || strstr(name, "trace");
}

int act(struct scene *s, const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (!strcmp(name, files[i].name))
			return files[i].needs_fd && s->fd < 0 ? ACT_NONE : files[i].act(s);
	if (!strncmp(name, "SHELF_IOC_", 10))
		return s->fd < 0 ? ACT_NONE : act_ioctl(s, name + 10);
	if (!strcmp(name, "roots_socket"))
		return say(&s->roots, s, SHELF_CMD_GET);
	return is_text(name) ? act_text(s, name) : act_netlink(s, name);
}
