// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P8, and Documentation/rights.md: who may use which interface. Every cell of the page's
 * table is tried, by a process that is who its column says, so the page is what the
 * kernel does; and every ioctl and netlink command of the header has a row there.
 *
 * Seen to fail with GENL_ADMIN_PERM left out for one command (TRIM), without
 * GENL_MCAST_CAP_NET_ADMIN, with the check of FMODE_WRITE left out of shelf_open(), and
 * with rows left out of the page (have_a_row_each).
 */
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/acts.h"
#include "lib/dev.h"
#include "lib/doc.h"
#include "lib/harness.h"

#define PAGE_NAME	"Documentation/rights.md"
#define TABLE		"Who may do what"
#define HEADER		"kmod/uapi/shelf.h"
#define NAME		"rights-table"
#define VICTIM		"rights-victim"
#define OWNER		4241
#define READERS		4242	/* the device's group */
#define OTHER		65534
#define OUTSIDE		100000	/* who a container's root is */

static struct scene scene;

FIXTURE(rights)
{
	struct wire nl;
};

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, wire_open(&self->nl));
	wire_destroy(&self->nl, NAME);
	wire_destroy(&self->nl, VICTIM);
	ASSERT_EQ(0, wire_create(&self->nl, NAME, 8 << 20, 0, 0));
	ASSERT_EQ(2, wire_commit_one(&self->nl, NAME, 1, 10));
	scene = (struct scene){ NAME, VICTIM, "/dev/shelf/" NAME, -1, self->nl };
	ASSERT_EQ(0, chown(scene.path, OWNER, READERS));
}

FIXTURE_TEARDOWN(rights)
{
	EXPECT_EQ(0, wire_destroy(&self->nl, NAME));
	wire_destroy(&self->nl, VICTIM);
	wire_close(&self->nl);
}

/*
 * The people; each 0 or an errno
 * ==============================
 */
static int become(uid_t uid, gid_t gid, bool reader)
{
	const gid_t groups[] = { READERS };

	if (setgroups(reader, groups) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return errno;
	return prctl(PR_SET_DUMPABLE, 1) ? errno : 0;
}

static int be_root(void)
{
	return 0;
}

static int be_owner(void)
{
	return become(OWNER, OTHER, false);
}

static int be_in_group(void)
{
	return become(OTHER, OTHER, true);
}

static int be_other(void)
{
	return become(OTHER, OTHER, false);
}

static int drop(unsigned int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return errno;
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	return syscall(SYS_capset, &head, data) ? errno : 0;
}

static int be_without_net(void)
{
	return drop(CAP_NET_ADMIN);
}

static int be_without_sys(void)
{
	return drop(CAP_SYS_ADMIN);
}

static int be_elsewhere(void)
{
	return unshare(CLONE_NEWNET) ? errno : 0;
}

/* Root of a user namespace, which is @uid outside. */
static int be_root_inside(uid_t uid, bool reader, int spaces)
{
	int ret = become(uid, uid, reader);
	char map[32];

	if (ret || unshare(CLONE_NEWUSER | spaces))
		return ret ?: errno;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	ret = write_file("/proc/self/uid_map", map);
	if (!ret)
		ret = write_file("/proc/self/setgroups", "deny");
	return -(ret ?: write_file("/proc/self/gid_map", map));
}

static int be_root_of_users(void)
{
	return be_root_inside(OTHER, false, 0);
}

/* The device's node is bound into a file system of the container's own. */
static int be_contained(bool reader)
{
	int fd, ret = be_root_inside(OUTSIDE, reader, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET);

	if (ret || mount("none", "/mnt", "tmpfs", 0, NULL))
		return ret ?: errno;
	fd = open("/mnt/shelf", O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || close(fd) || mount(scene.path, "/mnt/shelf", NULL, MS_BIND, NULL))
		return errno;
	snprintf(scene.path, sizeof(scene.path), "/mnt/shelf");
	return 0;
}

static int be_in_container(void)
{
	return be_contained(false);
}

static int be_reader_in_container(void)
{
	return be_contained(true);
}

/* Opened as root, then somebody else. */
static int be_dropped(void)
{
	scene.fd = dev_open(NAME, O_RDONLY);
	return scene.fd < 0 ? errno : be_other();
}

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int hand_over(int socket, int fd)
{
	union control c = { .head = { CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "", 1 };
	const struct msghdr m = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c),
	};

	memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	return sendmsg(socket, &m, 0) == 1 ? 0 : errno;
}

static int take_over(int socket)
{
	union control c;
	char got;
	struct iovec byte = { &got, 1 };
	struct msghdr m = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c),
	};
	int fd = -1;

	if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) == 1 && m.msg_controllen)
		memcpy(&fd, CMSG_DATA(&c.head), sizeof(fd));
	return fd;
}

static int be_passed(void)
{
	int end[2], fd, ret;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, end))
		return errno;
	fd = dev_open(NAME, O_RDONLY);
	ret = fd < 0 ? errno : hand_over(end[0], fd);
	close(fd);
	if (!ret)
		ret = be_other();
	scene.fd = take_over(end[1]);
	return ret ?: scene.fd < 0 ? EBADF : 0;
}

/* Another program, which finds the descriptors open; see main(). */
static int be_heir(void)
{
	char *args[5] = { "rights-table", "--heir" };
	int fd = open(scene.path, O_RDONLY), roots = dup(scene.roots.fd);

	if (fd < 0 || roots < 0 || be_other())
		return errno;
	if (asprintf(&args[2], "%d", fd) < 0 || asprintf(&args[3], "%d", roots) < 0)
		return errno;
	execv("/proc/self/exe", args);
	return errno;
}

static const struct person {
	const char *name;
	int (*become)(void);
} people[] = {
	{ "root", be_root }, { "no net", be_without_net }, { "no sys", be_without_sys },
	{ "owner", be_owner }, { "group", be_in_group }, { "other", be_other },
	{ "userns", be_root_of_users }, { "netns", be_elsewhere },
	{ "container", be_in_container }, { "its group", be_reader_in_container },
	{ "passed", be_passed }, { "inherited", be_heir }, { "dropped", be_dropped },
};

#define FIRST_COLUMN	2U	/* behind interface and what it is */

/*
 * Cells
 * =====
 */
static char *trim(char *cell)
{
	char *end = cell + strlen(cell);

	while (end > cell && end[-1] == ' ')
		*--end = 0;
	return cell + strspn(cell, " ");
}

static const char *said(int result)
{
	switch (result) {
	case 0: return "yes";
	case ACT_NONE: return "-";
	case ACT_UNKNOWN: return "what?";
	}
	return strerrorname_np(result);
}

static int row_wrong(unsigned int row, unsigned int column)
{
	char names[DOC_CELL], due[DOC_CELL], *at, *rest;
	int wrong = 0;

	if (!doc_page_cell(PAGE_NAME, TABLE, row, 0, names) ||
	    !doc_page_cell(PAGE_NAME, TABLE, row, column, due))
		return 1;
	for_each_name(at, names, rest) {
		const char *got = said(act(&scene, at));

		if (!strcmp(got, trim(due)))
			continue;
		printf("# %s, %s: %s, page: %s\n", people[column - FIRST_COLUMN].name, at, got,
		       trim(due));
		wrong++;
	}
	return wrong;
}

/* Opens the device as who this is now, unless it came open. */
static int try_column(unsigned int column)
{
	unsigned int row;
	int wrong = 0;
	char cell[DOC_CELL];

	if (scene.fd < 0)
		scene.fd = open(scene.path, O_RDONLY | O_CLOEXEC);
	for (row = 0; doc_page_cell(PAGE_NAME, TABLE, row, 0, cell); row++)
		wrong += row_wrong(row, column);
	fflush(stdout);
	return row > 20 && wrong < 100 ? wrong : 100;
}

static int in_space(void *arg)
{
	return try_column(*(unsigned int *)arg);
}

/* In a child of its own: a PID namespace begins with the next process. */
static int live(void *arg)
{
	unsigned int column = *(unsigned int *)arg;
	int ret = people[column - FIRST_COLUMN].become();

	if (ret) {
		printf("# %s: %s\n", people[column - FIRST_COLUMN].name, strerror(ret));
		fflush(stdout);
		return 200;
	}
	return in_child(in_space, &column);
}

TEST_F_TIMEOUT(rights, are_what_the_page_says, 480)
{
	unsigned int i, column;
	char cell[DOC_CELL];

	for (i = 0; i < ARRAY_SIZE(people); i++) {
		column = FIRST_COLUMN + i;
		ASSERT_TRUE(doc_page_head(PAGE_NAME, TABLE, column, cell));
		ASSERT_STREQ(people[i].name, trim(cell));
		wire_create(&self->nl, VICTIM, 8 << 20, 0, 0);
		EXPECT_EQ(0, in_child(live, &column))
			TH_LOG("%s", people[i].name);
	}
	EXPECT_FALSE(doc_page_head(PAGE_NAME, TABLE, column + 1, cell));
}

static bool has_row(const char *name)
{
	char cell[DOC_CELL], *at, *rest;
	unsigned int row;

	for (row = 0; doc_page_cell(PAGE_NAME, TABLE, row, 0, cell); row++)
		for_each_name(at, cell, rest)
			if (!strcmp(at, name))
				return true;
	return false;
}

/* What the header gives a number: "#define NAME _IO(...)", or "NAME," in its enum. */
static bool interface_of(const char *line, char name[64])
{
	if (sscanf(line, "#define %63s _IO(", name) == 1 && strstr(line, "_IO("))
		return !strncmp(name, "SHELF_IOC_", 10);
	return sscanf(line, "\tSHELF_CMD_%50[A-Z_],", name + 10) == 1 &&
	       memcpy(name, "SHELF_CMD_", 10) && strcmp(name + 10, "UNSPEC");
}

TEST_F(rights, have_a_row_each)
{
	FILE *f = fopen(HEADER, "re");
	unsigned int n = 0;
	char line[256], name[64];

	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (!interface_of(line, name))
			continue;
		n++;
		EXPECT_TRUE(has_row(name))
			TH_LOG("%s has no row", name);
	}
	fclose(f);
	EXPECT_LE(26, n);
}

static unsigned int column_of(const char *name)
{
	unsigned int i = 0;

	while (strcmp(people[i].name, name))
		i++;
	return FIRST_COLUMN + i;
}

/* The number of the family isn't secret: it is asked for again. */
static int live_as_heir(char **argv)
{
	struct wire own;

	if (wire_open(&own))
		return 201;
	scene = (struct scene){ NAME, VICTIM, "/dev/shelf/" NAME, atoi(argv[2]), own };
	scene.roots.fd = atoi(argv[3]);
	return try_column(column_of("inherited"));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--heir"))
		return live_as_heir(argv);
	return test_harness_run(argc, argv);
}
