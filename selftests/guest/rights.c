// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who may do what (P8): only an administrator of the host's own user namespace
 * changes a shelf, or as much as lists it, and only from the host's own network
 * namespace. Whoever the device's group lets in reads, and changes nothing.
 *
 * Seen to fail: with GENL_ADMIN_PERM dropped, be it of TRIM alone (nobody,
 * no_net_admin, own_user, own_user_and_network, nobodys_user_and_network, readers);
 * with GENL_UNS_ADMIN_PERM in its place and the family let into every network
 * namespace (the two of own user and network, other_network); without
 * GENL_MCAST_CAP_NET_ADMIN (nobody, no_net_admin, own_user, readers); with a device
 * that all can read (readers). GENL_UNS_ADMIN_PERM alone breaks nothing: the family
 * answers in the initial network namespace only, which belongs to the initial user
 * namespace.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/dev.h"
#include "lib/wire.h"
#include "lib/harness.h"

#define NAME	"guest-rights"
#define NOBODY	65534
#define READERS	4242		/* a group of nobody else */

static struct msg msg;		/* too large for a stack */

FIXTURE(shelf)
{
	struct wire nl;
	__u64 cookie;	/* an open batch of this socket, with one put in it */
	int fd;
	struct state before;
};

FIXTURE_SETUP(shelf)
{
	ASSERT_EQ(0, wire_open(&self->nl));
	wire_destroy(&self->nl, NAME);	/* a failed run's */
	ASSERT_EQ(0, wire_create(&self->nl, NAME, 8 << 20, 0, 0));
	ASSERT_EQ(2, wire_commit_one(&self->nl, NAME, 1, 10));
	ASSERT_EQ(0, wire_begin(&self->nl, NAME, &self->cookie));
	ASSERT_EQ(0, wire_put(&self->nl, self->cookie, 2, 20));
	self->fd = dev_open(NAME, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->before = state_of(self->fd);
}

/* Whatever was tried, the shelf is as it was and so is its open batch. */
FIXTURE_TEARDOWN(shelf)
{
	struct state now = state_of(self->fd);
	struct answer a;

	EXPECT_TRUE(state_same(&self->before, &now));
	EXPECT_EQ(0, wire_commit(&self->nl, self->cookie, NULL, &a));
	EXPECT_EQ(1, a.value[SHELF_A_OPS]);
	EXPECT_EQ(0, wire_destroy(&self->nl, NAME));
	EXPECT_NE(0, wire_destroy(&self->nl, "guest-rights-2"));
	close(self->fd);
	wire_close(&self->nl);
}

/*
 * What each of these people does in a child
 * =========================================
 */
struct person {
	int (*become)(void);	/* 0, or an errno */
	struct wire *parents;	/* the socket opened as root, and its batch */
	__u64 cookie;
	int parents_error;	/* how that socket is refused */
	int own_error;		/* how one of their own is */
	bool family;		/* they can look it up */
};

static void spell(struct msg *m, const struct wire *nl, int cmd, __u64 cookie)
{
	msg_start(m, nl, (__u8)cmd);
	if (cmd >= SHELF_CMD_BATCH_OPS && cmd <= SHELF_CMD_BATCH_ABORT)
		msg_u64(m, SHELF_A_COOKIE, cookie);
	else
		msg_string(m, SHELF_A_NAME,
			   cmd == SHELF_CMD_CREATE ? "guest-rights-2" : NAME);
	if (cmd == SHELF_CMD_CREATE)
		msg_u64(m, SHELF_A_MAX_BYTES, 8 << 20);
	if (cmd == SHELF_CMD_SET)
		msg_u64(m, SHELF_A_BATCH_BYTES, 1 << 20);
	if (cmd == SHELF_CMD_BATCH_OPS)
		op_product(m, SHELF_OP_PUT, 3, 30);
	if (cmd == SHELF_CMD_PINS || cmd == SHELF_CMD_SOURCES)
		m->head.nlmsg_flags |= NLM_F_DUMP;
}

/* Says every command, and GET's dump; returns how many weren't refused as due. */
static int say_all(struct wire *nl, __u64 cookie, int error)
{
	struct answer a;
	int cmd, wrong = 0;

	for (cmd = SHELF_CMD_CREATE; cmd <= SHELF_CMD_SOURCES + 1; cmd++) {
		bool list = cmd > SHELF_CMD_SOURCES;

		spell(&msg, nl, list ? SHELF_CMD_GET : cmd, cookie);
		if (list) {
			msg_start(&msg, nl, SHELF_CMD_GET);
			msg.head.nlmsg_flags |= NLM_F_DUMP;
		}
		wire_talk(nl, &msg, &a);
		if (a.error == error && !a.messages)
			continue;
		printf("# command %d%s: errno %d, not %d; %d messages\n", cmd,
		       list ? " (list)" : "", a.error, error, a.messages);
		wrong++;
	}
	return wrong;
}

/* A socket of their own, with the family's number told by the parent. */
static int say_all_anew(const struct person *p)
{
	struct wire nl;
	int wrong = 0;

	if (wire_socket(&nl))
		return 100;
	if (!wire_find_family(&nl) != p->family) {
		printf("# the family is %shere\n", p->family ? "not " : "");
		wrong++;
	}
	nl.family = p->parents->family;
	wrong += say_all(&nl, p->cookie, p->own_error);
	nl.events = p->parents->events;
	if (p->family && wire_join_events(&nl) != EPERM) {
		printf("# may listen\n");
		wrong++;
	}
	wire_close(&nl);
	return wrong;
}

static int live(void *arg)
{
	const struct person *p = arg;
	int ret = p->become();

	if (ret) {
		printf("# %s\n", strerror(ret));
		return 200;
	}
	ret = say_all_anew(p);
	if (p->parents_error)
		ret += say_all(p->parents, p->cookie, p->parents_error);
	fflush(stdout);
	return ret;
}

#define PERSON(...) (struct person) {					\
	.parents = &self->nl, .cookie = self->cookie, __VA_ARGS__ }

/*
 * The people
 * ==========
 */
static int become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return errno;
	return 0;
}

/* Root in every respect but one. */
static int drop_net_admin(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return errno;
	data[0].effective &= ~(1U << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, data) ? errno : 0;
}

static int map_root(void)
{
	int ret = write_file("/proc/self/setgroups", "deny");

	if (ret >= 0)
		ret = write_file("/proc/self/uid_map", "0 0 1");
	return ret < 0 ? -ret : 0;
}

static int own_user(void)
{
	return unshare(CLONE_NEWUSER) ? errno : map_root();
}

static int own_user_and_network(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) ? errno : map_root();
}

static int nobodys_user_and_network(void)
{
	int ret = become_nobody();

	if (ret)
		return ret;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) ? errno : 0;
}

static int own_network(void)
{
	return unshare(CLONE_NEWNET) ? errno : 0;
}

TEST_F(shelf, nobody)
{
	struct person p = PERSON(.become = become_nobody, .own_error = EPERM,
				 .parents_error = EPERM, .family = true);

	EXPECT_EQ(0, in_child(live, &p));
}

TEST_F(shelf, no_net_admin)
{
	struct person p = PERSON(.become = drop_net_admin, .own_error = EPERM,
				 .parents_error = EPERM, .family = true);

	EXPECT_EQ(0, in_child(live, &p));
}

/* All capabilities, but over a namespace of their own. */
TEST_F(shelf, own_user)
{
	struct person p = PERSON(.become = own_user, .own_error = EPERM,
				 .parents_error = EPERM, .family = true);

	EXPECT_EQ(0, in_child(live, &p));
}

TEST_F(shelf, own_user_and_network)
{
	struct person p = PERSON(.become = own_user_and_network,
				 .own_error = ENOENT, .parents_error = EPERM);

	EXPECT_EQ(0, in_child(live, &p));
}

/* As anyone may make them. */
TEST_F(shelf, nobodys_user_and_network)
{
	struct person p = PERSON(.become = nobodys_user_and_network,
				 .own_error = ENOENT, .parents_error = EPERM);

	EXPECT_EQ(0, in_child(live, &p));
}

/* The host's root, elsewhere: the family isn't there. */
TEST_F(shelf, other_network)
{
	struct person p = PERSON(.become = own_network, .own_error = ENOENT);

	EXPECT_EQ(0, in_child(live, &p));
}

/*
 * The group's number can be joined in one's own network namespace, where one is
 * an administrator. Nothing is said there.
 */
struct listener {
	__u32 events;
	int ready;
	int go;
};

static int listen_elsewhere(void *arg)
{
	struct listener *l = arg;
	struct answer a = { 0 };
	struct wire nl;
	char byte;

	if (own_user_and_network() || wire_socket(&nl))
		return 200;
	nl.events = l->events;
	wire_join_events(&nl);
	if (write(l->ready, "", 1) != 1 || read(l->go, &byte, 1) != 1)
		return 201;
	wire_set_wait(&nl, 300);
	return wire_receive(&nl, 0, &a);
}

TEST_F(shelf, listens_elsewhere)
{
	int ready[2], go[2], status;
	struct listener l;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready) + pipe(go));
	l = (struct listener){ self->nl.events, ready[1], go[0] };
	pid = fork();
	if (!pid)
		_exit(listen_elsewhere(&l));
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(3, wire_commit_one(&self->nl, NAME, 1, 11));
	ASSERT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("an event was heard in another namespace");
	self->before = state_of(self->fd);
}

/*
 * Readers
 * =======
 */
static int become_reader(void)
{
	if (setgroups(0, NULL) || setresgid(READERS, READERS, READERS) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return errno;
	return 0;
}

/* Returns a number that tells the line that failed. */
static int try_to_write(int fd)
{
	struct shelf_control *c = map_control(fd);
	char byte = 1;

	if (c == MAP_FAILED)
		return 10;
	if (c->current_word >> SHELF_ROOT_BITS != 2)
		return 11;
	if (mmap(NULL, SHELF_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 SHELF_MMAP_CONTROL) != MAP_FAILED)
		return 12;
	if (!mprotect(c, SHELF_PAGE_BYTES, PROT_READ | PROT_WRITE))
		return 13;
	if (write(fd, &byte, 1) >= 0 || pwrite(fd, &byte, 1, 0) >= 0)
		return 14;
	if (!ftruncate(fd, 0))
		return 15;
	return 0;
}

static int read_as_reader(void *arg)
{
	int fd, ret = become_reader();

	(void)arg;
	if (ret)
		return 1;
	fd = dev_open(NAME, O_RDONLY);
	if (fd < 0)
		return 2;
	if (dev_generation(fd) != 2 || dev_price(fd, 1) != 10)
		return 3;
	if (dev_open(NAME, O_RDWR) >= 0 || dev_open(NAME, O_WRONLY) >= 0)
		return 4;
	return try_to_write(fd);
}

static int open_as_nobody(void *arg)
{
	(void)arg;
	if (become_nobody())
		return 1;
	return dev_open(NAME, O_RDONLY) >= 0 || errno != EACCES;
}

TEST_F(shelf, readers)
{
	struct person p = PERSON(.become = become_reader, .own_error = EPERM,
				 .parents_error = EPERM, .family = true);

	EXPECT_EQ(0, in_child(open_as_nobody, NULL));
	EXPECT_EQ(2, in_child(read_as_reader, NULL));
	ASSERT_EQ(0, chown("/dev/shelf/" NAME, 0, READERS));
	EXPECT_EQ(0, in_child(read_as_reader, NULL));
	EXPECT_EQ(0, in_child(open_as_nobody, NULL));
	EXPECT_EQ(0, in_child(live, &p));
}

/* Nobody writes through the device, root included. */
TEST_F(shelf, root_writes_no_device)
{
	EXPECT_EQ(-1, dev_open(NAME, O_RDWR));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, dev_open(NAME, O_WRONLY));
	EXPECT_EQ(0, try_to_write(self->fd));
}

TEST_HARNESS_MAIN
