// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Shelves over generic netlink: make, destroy, change, list, watch.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>

#include "nltalk.h"

#define SMALL_BYTES	1024

static int no_memory(struct shelf_error *err)
{
	return shelf_fail(err, -ENOMEM, "out of memory");
}

static struct nl_sock *connected(struct shelf_error *err)
{
	struct nl_sock *sock = nl_socket_alloc();
	int ret;

	if (!sock) {
		no_memory(err);
		return NULL;
	}
	ret = genl_connect(sock);
	if (!ret)
		return sock;
	shelf_fail(err, ret == -NLE_NOMEM ? -ENOMEM : -EPROTONOSUPPORT,
		   "no generic netlink: %s", nl_geterror(ret));
	nl_socket_free(sock);
	return NULL;
}

/*
 * Words of refusals, and acknowledgments that don't echo the request. libnl
 * wants neither while it resolves the family.
 */
static int extend(struct nl_sock *sock)
{
	int fd = nl_socket_get_fd(sock), on = 1;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)))
		return -errno;
	return 0;
}

static int find_family(struct shelf_nl *nl, struct shelf_error *err)
{
	int ret;

	nl->family = genl_ctrl_resolve(nl->sock, SHELF_GENL_NAME);
	if (nl->family < 0)
		return shelf_fail(err, -EPROTONOSUPPORT,
			       "no netlink family " SHELF_GENL_NAME
			       ": is the shelf module loaded?");
	ret = extend(nl->sock);
	return ret ? shelf_fail(err, ret, "%s", strerror(-ret)) : 0;
}

int shelf_nl_open(struct shelf_nl **out, struct shelf_error *err)
{
	struct shelf_error own = { 0 };
	struct shelf_nl *nl = calloc(1, sizeof(*nl));
	int ret;

	if (!nl)
		return no_memory(err);
	nl->timeout_ms = -1;
	nl->sock = connected(&own);
	ret = nl->sock ? find_family(nl, &own) : own.error;
	if (!ret) {
		*out = nl;
		return 0;
	}
	if (err)
		*err = own;
	shelf_nl_close(nl);
	return ret;
}

void shelf_nl_close(struct shelf_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	nl_socket_free(nl->events);
	free(nl);
}

void shelf_nl_set_timeout(struct shelf_nl *nl, int milliseconds)
{
	nl->timeout_ms = milliseconds;
}

static void copy_name(char name[32], struct nlattr *attr)
{
	if (attr)
		nla_strlcpy(name, attr, 32);
}

static void read_info(struct shelf_nl_info *info, struct nlattr **attrs)
{
	struct shelf_listing *l = &info->shelf;

	memset(info, 0, sizeof(*info));
	copy_name(l->name, attrs[SHELF_A_NAME]);
	l->max_bytes = attr_u64(attrs[SHELF_A_MAX_BYTES]);
	l->batch_bytes = attr_u64(attrs[SHELF_A_BATCH_BYTES]);
	l->generation = attr_u64(attrs[SHELF_A_GENERATION]);
	l->products = attr_u64(attrs[SHELF_A_PRODUCTS]);
	l->catalogs = attr_u64(attrs[SHELF_A_CATALOGS]);
	l->memberships = attr_u64(attrs[SHELF_A_MEMBERSHIPS]);
	l->sources = attr_u64(attrs[SHELF_A_SOURCES]);
	l->bytes = attr_u64(attrs[SHELF_A_BYTES]);
	l->quarantine_ms = attr_u32(attrs[SHELF_A_QUARANTINE_MS]);
	l->opens = attr_u32(attrs[SHELF_A_OPENS]);
	l->lease_ms = attr_u32(attrs[SHELF_A_LEASE_MS]);
	l->lease_max_ms = attr_u32(attrs[SHELF_A_LEASE_MAX_MS]);
	l->pin_bytes = attr_u64(attrs[SHELF_A_PIN_BYTES]);
	l->max_change = attr_u32(attrs[SHELF_A_MAX_CHANGE]);
	l->dangling = attr_u8(attrs[SHELF_A_DANGLING]);
	l->require_expect = attr_u8(attrs[SHELF_A_REQUIRE_EXPECT]);
	info->trims_asked = attr_u64(attrs[SHELF_A_TRIMS_ASKED]);
	info->trims_done = attr_u64(attrs[SHELF_A_TRIMS_DONE]);
}

/* @arg: struct shelf_nl_info, or NULL */
static int take_info(const struct genlmsghdr *head, struct nlattr **attrs,
		     void *arg, struct shelf_error *err)
{
	(void)err;
	if (arg && head->cmd == SHELF_CMD_NEW)
		read_info(arg, attrs);
	return 0;
}

/* A request about one shelf. A name that is too long, though cut off, is refused. */
static struct nl_msg *about(struct shelf_nl *nl, __u8 cmd, int flags, const char *name)
{
	struct nl_msg *msg = shelf_nl_request(nl, cmd, flags, SMALL_BYTES);
	char cut[SHELF_NAME_MAX + 2];

	snprintf(cut, sizeof(cut), "%s", name);
	if (msg && nla_put_string(msg, SHELF_A_NAME, cut)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Those that are given. */
static int put_guards(struct nl_msg *msg, const struct shelf_settings *s)
{
	if (s->max_change >= 0 && nla_put_u32(msg, SHELF_A_MAX_CHANGE, (__u32)s->max_change))
		return -1;
	if (s->dangling >= 0 && nla_put_u8(msg, SHELF_A_DANGLING, (__u8)s->dangling))
		return -1;
	return s->require_expect < 0 ? 0 :
	       nla_put_u8(msg, SHELF_A_REQUIRE_EXPECT, (__u8)s->require_expect);
}

static int put_settings(struct nl_msg *msg, const struct shelf_settings *s)
{
	long long ms = s->quarantine_ms;

	if (ms > 0xffffffffLL)
		ms = 0xffffffffLL;	/* refused all the same */
	if (ms >= 0 && nla_put_u32(msg, SHELF_A_QUARANTINE_MS, (__u32)ms))
		return -1;
	if (s->batch_bytes && nla_put_u64(msg, SHELF_A_BATCH_BYTES, s->batch_bytes))
		return -1;
	if (s->lease_ms && nla_put_u32(msg, SHELF_A_LEASE_MS, s->lease_ms))
		return -1;
	if (s->lease_max_ms && nla_put_u32(msg, SHELF_A_LEASE_MAX_MS, s->lease_max_ms))
		return -1;
	if (s->pin_bytes && nla_put_u64(msg, SHELF_A_PIN_BYTES, s->pin_bytes))
		return -1;
	return put_guards(msg, s);
}

int shelf_nl_create(struct shelf_nl *nl, const char *name,
		    const struct shelf_settings *settings, struct shelf_nl_info *out,
		    struct shelf_error *err)
{
	struct nl_talk talk = { .take = take_info, .arg = out };
	struct nl_msg *msg = about(nl, SHELF_CMD_CREATE, 0, name);

	if (msg && !nla_put_u64(msg, SHELF_A_MAX_BYTES, settings->max_bytes) &&
	    !put_settings(msg, settings) &&
	    (!settings->seed || !nla_put_u64(msg, SHELF_A_HASH_SEED, *settings->seed)))
		return shelf_nl_talk(nl, msg, &talk, err);
	nlmsg_free(msg);
	return no_memory(err);
}

int shelf_nl_destroy(struct shelf_nl *nl, const char *name,
		     struct shelf_error *err)
{
	struct nl_msg *msg = about(nl, SHELF_CMD_DESTROY, 0, name);

	return msg ? shelf_nl_talk(nl, msg, NULL, err) : no_memory(err);
}

int shelf_nl_set(struct shelf_nl *nl, const char *name,
		 const struct shelf_settings *settings, struct shelf_error *err)
{
	struct nl_msg *msg = about(nl, SHELF_CMD_SET, 0, name);

	if (msg && !put_settings(msg, settings))
		return shelf_nl_talk(nl, msg, NULL, err);
	nlmsg_free(msg);
	return no_memory(err);
}

/* A request that is answered with what there is to tell of a shelf. */
static int ask_info(struct shelf_nl *nl, __u8 cmd, const char *name,
		    struct shelf_nl_info *out, struct shelf_error *err)
{
	struct nl_talk talk = {
		.take = take_info, .arg = out, .wants_result = true,
	};
	struct nl_msg *msg = about(nl, cmd, 0, name);

	return msg ? shelf_nl_talk(nl, msg, &talk, err) : no_memory(err);
}

int shelf_nl_get(struct shelf_nl *nl, const char *name,
		 struct shelf_nl_info *out, struct shelf_error *err)
{
	return ask_info(nl, SHELF_CMD_GET, name, out, err);
}

int shelf_nl_trim(struct shelf_nl *nl, const char *name,
		  struct shelf_nl_info *out, struct shelf_error *err)
{
	return ask_info(nl, SHELF_CMD_TRIM, name, out, err);
}

/* What a dump tells, gathered: entries of one size, which @read fills in. */
struct listing {
	char *entries;
	size_t count;
	size_t size;
	int cmd;
	void (*read)(void *entry, struct nlattr **attrs);
};

static int take_listed(const struct genlmsghdr *head, struct nlattr **attrs,
		       void *arg, struct shelf_error *err)
{
	struct listing *l = arg;
	char *more;

	if (head->cmd != l->cmd)
		return 0;
	more = realloc(l->entries, (l->count + 1) * l->size);
	if (!more)
		return no_memory(err);
	l->entries = more;
	l->read(more + l->count++ * l->size, attrs);
	return 0;
}

/* Gathered before anybody is told, so that the socket is idle however it ends. */
static int gather(struct shelf_nl *nl, struct nl_msg *msg, struct listing *l,
		  struct shelf_error *err)
{
	struct nl_talk talk = { .take = take_listed, .arg = l };

	return msg ? shelf_nl_talk(nl, msg, &talk, err) : no_memory(err);
}

static void read_listed_info(void *entry, struct nlattr **attrs)
{
	read_info(entry, attrs);
}

int shelf_nl_list(struct shelf_nl *nl,
		  int (*each)(const struct shelf_nl_info *, void *), void *arg,
		  struct shelf_error *err)
{
	struct listing l = {
		.size = sizeof(struct shelf_nl_info), .cmd = SHELF_CMD_NEW,
		.read = read_listed_info,
	};
	struct nl_msg *msg = shelf_nl_request(nl, SHELF_CMD_GET, NLM_F_DUMP,
					SMALL_BYTES);
	size_t i;
	int ret = gather(nl, msg, &l, err);

	for (i = 0; !ret && i < l.count; i++)
		ret = each((struct shelf_nl_info *)l.entries + i, arg);
	free(l.entries);
	return ret;
}

static void read_pin(void *entry, struct nlattr **attrs)
{
	struct shelf_pin_listing *p = entry;

	memset(p, 0, sizeof(*p));
	p->generation = attr_u64(attrs[SHELF_A_GENERATION]);
	p->age_ms = attr_u64(attrs[SHELF_A_AGE_MS]);
	p->left_ms = attr_u64(attrs[SHELF_A_LEFT_MS]);
	p->bytes = attr_u64(attrs[SHELF_A_BYTES]);
	p->pid = attr_u32(attrs[SHELF_A_PID]);
	p->user = attr_u32(attrs[SHELF_A_USER]);
	if (attrs[SHELF_A_COMM])
		nla_strlcpy(p->comm, attrs[SHELF_A_COMM], sizeof(p->comm));
}

int shelf_nl_pins(struct shelf_nl *nl, const char *name,
		  int (*each)(const struct shelf_pin_listing *, void *), void *arg,
		  struct shelf_error *err)
{
	struct listing l = {
		.size = sizeof(struct shelf_pin_listing), .cmd = SHELF_CMD_PIN,
		.read = read_pin,
	};
	struct nl_msg *msg = about(nl, SHELF_CMD_PINS, NLM_F_DUMP, name);
	int ret = gather(nl, msg, &l, err);
	size_t i;

	for (i = 0; !ret && i < l.count; i++)
		ret = each((struct shelf_pin_listing *)l.entries + i, arg);
	free(l.entries);
	return ret;
}

static void read_source(void *entry, struct nlattr **attrs)
{
	struct shelf_source_listing *s = entry;
	struct nlattr *name = attrs[SHELF_A_SOURCE];

	memset(s, 0, sizeof(*s));
	s->generation = attr_u64(attrs[SHELF_A_GENERATION]);
	s->last = attr_u64(attrs[SHELF_A_LAST]);
	if (name && nla_len(name) <= (int)SHELF_SOURCE_MAX)
		memcpy(s->source, nla_data(name), (size_t)nla_len(name));
}

int shelf_nl_sources(struct shelf_nl *nl, const char *name,
		     int (*each)(const struct shelf_source_listing *, void *), void *arg,
		     struct shelf_error *err)
{
	struct listing l = {
		.size = sizeof(struct shelf_source_listing), .cmd = SHELF_CMD_SOURCE,
		.read = read_source,
	};
	struct nl_msg *msg = about(nl, SHELF_CMD_SOURCES, NLM_F_DUMP, name);
	int ret = gather(nl, msg, &l, err);
	size_t i;

	for (i = 0; !ret && i < l.count; i++)
		ret = each((struct shelf_source_listing *)l.entries + i, arg);
	free(l.entries);
	return ret;
}

static int join_events(struct nl_sock *sock, struct shelf_error *err)
{
	int group = genl_ctrl_resolve_grp(sock, SHELF_GENL_NAME,
					  SHELF_GENL_EVENTS);

	if (group < 0)
		return shelf_fail(err, -EPROTONOSUPPORT,
			       "no group of events: is the shelf module loaded?");
	if (setsockopt(nl_socket_get_fd(sock), SOL_NETLINK,
		       NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return shelf_fail(err, -errno, "subscribing to events: %s",
			       strerror(errno));
	return 0;
}

int shelf_nl_subscribe(struct shelf_nl *nl, struct shelf_error *err)
{
	struct nl_sock *sock;
	int ret;

	if (nl->events)
		return 0;
	sock = connected(err);
	if (!sock)
		return -EPROTONOSUPPORT;
	ret = join_events(sock, err);
	if (ret)
		nl_socket_free(sock);
	else
		nl->events = sock;
	return ret;
}

int shelf_nl_event_fd(const struct shelf_nl *nl)
{
	return nl->events ? nl_socket_get_fd(nl->events) : -1;
}

static int read_event(struct nlmsghdr *h, struct shelf_nl_event *event,
		      struct shelf_error *err)
{
	struct nlattr *attrs[SHELF_A_MAX + 1] = { NULL };
	const struct genlmsghdr *head = nlmsg_data(h);

	if (genlmsg_parse(h, 0, attrs, SHELF_A_MAX, NULL) < 0)
		return shelf_fail(err, -EPROTO, "malformed event");
	memset(event, 0, sizeof(*event));
	event->cmd = head->cmd;
	copy_name(event->name, attrs[SHELF_A_NAME]);
	event->generation = attr_u64(attrs[SHELF_A_GENERATION]);
	event->ops = attr_u64(attrs[SHELF_A_OPS]);
	event->absent = attr_u64(attrs[SHELF_A_ABSENT]);
	event->pages = attr_u64(attrs[SHELF_A_PAGES]);
	return 1;
}

int shelf_nl_event(struct shelf_nl *nl, int milliseconds,
		   struct shelf_nl_event *event, struct shelf_error *err)
{
	struct nlmsghdr *h = (struct nlmsghdr *)nl->answer;
	int len;

	if (!nl->events)
		return shelf_fail(err, -EINVAL, "not subscribed to events");
	len = shelf_nl_receive(nl, nl->events, milliseconds, err);
	if (len == -ETIMEDOUT)
		return 0;
	if (len < 0)
		return len;
	if (!nlmsg_ok(h, len))
		return shelf_fail(err, -EPROTO, "malformed event");
	return read_event(h, event, err);
}
