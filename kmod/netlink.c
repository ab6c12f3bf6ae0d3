// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The generic netlink family: shelves are created, changed, listed and
 * destroyed here. Batches on their way in are stage.c's, and what goes out is
 * put together in message.c.
 *
 * P8: only an administrator of the initial user namespace, in the initial
 * network namespace, gets past GENL_ADMIN_PERM; that goes for listing and for
 * events, too. Each command has a policy of its own and is validated strictly:
 * an attribute that a command doesn't know is refused, not ignored.
 */
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "shelf.h"
#include "trace.h"

/* Room for one operation of the largest kind. */
#define BATCH_BYTES_MIN		SZ_64K

/* Not const: before 6.2 a policy can't point to what is. */
static struct netlink_range_validation max_bytes_range = {
	.min = SHELF_MIN_BYTES,
	.max = SHELF_MAX_BYTES,
};

static struct netlink_range_validation batch_bytes_range = {
	.min = BATCH_BYTES_MIN,
	.max = SHELF_MAX_BYTES,
};

static struct netlink_range_validation quarantine_range = {
	.max = SHELF_QUARANTINE_MS_MAX,
};

static struct netlink_range_validation lease_range = {
	.min = 1,
	.max = SHELF_LEASE_MS_MAX,
};

static struct netlink_range_validation pin_bytes_range = {
	.min = 1,
	.max = SHELF_MAX_BYTES,
};

static struct netlink_range_validation change_range = {
	.max = SHELF_CHANGE_MAX,
};

/* Of shelves, and of commits. */
#define GUARD_POLICIES							\
	[SHELF_A_MAX_CHANGE] = NLA_POLICY_FULL_RANGE(NLA_U32, &change_range), \
	[SHELF_A_DANGLING] = NLA_POLICY_MAX(NLA_U8, SHELF_DANGLING_MAX)

/* What CREATE and SET take alike. */
#define SETTING_POLICIES						\
	[SHELF_A_BATCH_BYTES] = NLA_POLICY_FULL_RANGE(NLA_U64, &batch_bytes_range), \
	[SHELF_A_QUARANTINE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &quarantine_range), \
	[SHELF_A_LEASE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &lease_range), \
	[SHELF_A_LEASE_MAX_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &lease_range), \
	[SHELF_A_PIN_BYTES] = NLA_POLICY_FULL_RANGE(NLA_U64, &pin_bytes_range), \
	[SHELF_A_REQUIRE_EXPECT] = NLA_POLICY_MAX(NLA_U8, 1),		\
	GUARD_POLICIES

#define NAME_POLICY { .type = NLA_NUL_STRING, .len = SHELF_NAME_MAX }

static const struct nla_policy create_policy[] = {
	[SHELF_A_NAME] = NAME_POLICY,
	[SHELF_A_MAX_BYTES] = NLA_POLICY_FULL_RANGE(NLA_U64, &max_bytes_range),
	[SHELF_A_HASH_SEED] = { .type = NLA_U64 },
	SETTING_POLICIES,
};

static const struct nla_policy set_policy[] = {
	[SHELF_A_NAME] = NAME_POLICY,
	SETTING_POLICIES,
};

static const struct nla_policy name_policy[] = {
	[SHELF_A_NAME] = NAME_POLICY,
};

static const struct nla_policy ops_policy[] = {
	[SHELF_A_COOKIE] = { .type = NLA_U64 },
	/* Looked into by stage.c, so that what is refused poisons its batch. */
	[SHELF_A_OP] = { .type = NLA_NESTED },
};

static const struct nla_policy commit_policy[] = {
	[SHELF_A_COOKIE] = { .type = NLA_U64 },
	[SHELF_A_EXPECT] = { .type = NLA_U64 },
	[SHELF_A_OPS] = { .type = NLA_U64 },
	[SHELF_A_NO_WAIT] = { .type = NLA_FLAG },
	[SHELF_A_CHECK] = { .type = NLA_FLAG },
	GUARD_POLICIES,
};

static const struct nla_policy cookie_policy[] = {
	[SHELF_A_COOKIE] = { .type = NLA_U64 },
};

/* The policy looks for a NUL, but not for what hides behind it. */
static const struct nlattr *name_attr(struct nlattr *const *attrs,
				      struct netlink_ext_ack *extack)
{
	const struct nlattr *name = attrs[SHELF_A_NAME];

	if (!name) {
		NL_SET_ERR_MSG(extack, "NAME is missing");
		return NULL;
	}
	if (strlen(nla_data(name)) + 1 == nla_len(name))
		return name;
	NL_SET_ERR_MSG_ATTR(extack, name, "NAME goes on behind its NUL");
	return NULL;
}

static struct shelf *named_get(struct nlattr *const *attrs, struct netlink_ext_ack *extack)
{
	const struct nlattr *name = name_attr(attrs, extack);
	struct shelf *s;

	if (!name)
		return ERR_PTR(-EINVAL);
	s = shelf_find_get(nla_data(name));
	if (s)
		return s;
	NL_SET_ERR_MSG_ATTR(extack, name, "no such shelf");
	return ERR_PTR(-ENOENT);
}

/* The shelf that a message names, with a reference, or ERR_PTR. */
struct shelf *netlink_shelf_get(struct genl_info *info)
{
	return named_get(info->attrs, info->extack);
}

static int check_name(struct genl_info *info)
{
	const struct nlattr *name = name_attr(info->attrs, info->extack);

	if (!name)
		return -EINVAL;
	if (shelf_name_valid(nla_data(name), strlen(nla_data(name))))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, name,
			    "a name is 1 to 31 of A-Za-z0-9_.- and doesn't begin with . or -");
	return -EINVAL;
}

/* Those that are not given stay. */
void netlink_read_guards(struct nlattr *const *attrs, struct guards *guards)
{
	if (attrs[SHELF_A_MAX_CHANGE])
		WRITE_ONCE(guards->max_change, nla_get_u32(attrs[SHELF_A_MAX_CHANGE]));
	if (attrs[SHELF_A_DANGLING])
		WRITE_ONCE(guards->dangling, nla_get_u8(attrs[SHELF_A_DANGLING]));
}

static int read_config(struct genl_info *info, struct shelf_config *config)
{
	struct nlattr **a = info->attrs;
	int ret = check_name(info);

	if (ret)
		return ret;
	if (!a[SHELF_A_MAX_BYTES]) {
		NL_SET_ERR_MSG(info->extack, "MAX_BYTES is missing");
		return -EINVAL;
	}
	nla_strscpy(config->name, a[SHELF_A_NAME], sizeof(config->name));
	config->max_bytes = ALIGN(nla_get_u64(a[SHELF_A_MAX_BYTES]),
				  SHELF_CHUNK_BYTES);
	config->quarantine_ms = SHELF_QUARANTINE_MS;
	if (a[SHELF_A_BATCH_BYTES])
		config->batch_bytes = nla_get_u64(a[SHELF_A_BATCH_BYTES]);
	if (a[SHELF_A_QUARANTINE_MS])
		config->quarantine_ms = nla_get_u32(a[SHELF_A_QUARANTINE_MS]);
	if (a[SHELF_A_LEASE_MS])
		config->lease_ms = nla_get_u32(a[SHELF_A_LEASE_MS]);
	if (a[SHELF_A_LEASE_MAX_MS])
		config->lease_max_ms = nla_get_u32(a[SHELF_A_LEASE_MAX_MS]);
	if (a[SHELF_A_PIN_BYTES])
		config->pin_bytes = nla_get_u64(a[SHELF_A_PIN_BYTES]);
	netlink_read_guards(a, &config->guards);
	if (a[SHELF_A_REQUIRE_EXPECT])
		config->require_expect = nla_get_u8(a[SHELF_A_REQUIRE_EXPECT]);
	config->seed = a[SHELF_A_HASH_SEED] ?
		       nla_get_u64(a[SHELF_A_HASH_SEED]) : get_random_u64();
	return 0;
}

static void explain_create(struct genl_info *info, int error)
{
	if (error == -EEXIST)
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[SHELF_A_NAME],
				    "a shelf of this name exists");
	else if (error == -ENOSPC)
		NL_SET_ERR_MSG(info->extack, "no device number is left");
	else if (error == -ENOMEM)
		NL_SET_ERR_MSG(info->extack, "the host is out of memory");
	else
		NL_SET_ERR_MSG(info->extack, "the shelf can't be created");
}

static int netlink_create(struct sk_buff *skb, struct genl_info *info)
{
	struct shelf_config config = {};
	struct sk_buff *reply;
	struct shelf *s;
	int ret;

	ret = read_config(info, &config);
	if (ret)
		return ret;
	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	ret = shelf_create(&config, &s);
	if (ret) {
		explain_create(info, ret);
		nlmsg_free(reply);
		return ret;
	}
	WARN_ON_ONCE(message_shelf(reply, s, info->snd_portid,
				   info->snd_seq, 0));
	netlink_event(SHELF_CMD_CREATED, s, NULL);
	shelf_put(s);
	/* It stands, whether or not its creator has room to hear of it. */
	genlmsg_reply(reply, info);
	return 0;
}

static int netlink_destroy(struct sk_buff *skb, struct genl_info *info)
{
	struct shelf *s = netlink_shelf_get(info);
	int ret;

	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = shelf_destroy(s);
	if (ret)
		NL_SET_ERR_MSG(info->extack, "somebody else destroyed it");
	else
		netlink_event(SHELF_CMD_DESTROYED, s, NULL);
	shelf_put(s);
	return ret;
}

static int answer_shelf(struct shelf *s, struct genl_info *info)
{
	struct sk_buff *reply;

	reply = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	WARN_ON_ONCE(message_shelf(reply, s, info->snd_portid,
				   info->snd_seq, 0));
	return genlmsg_reply(reply, info);
}

static int netlink_get(struct sk_buff *skb, struct genl_info *info)
{
	struct shelf *s = netlink_shelf_get(info);
	int ret;

	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = answer_shelf(s, info);
	shelf_put(s);
	return ret;
}

/* Answered at once: what a trim takes, its sender can wait for. */
static int netlink_trim(struct sk_buff *skb, struct genl_info *info)
{
	struct shelf *s = netlink_shelf_get(info);
	int ret;

	if (IS_ERR(s))
		return PTR_ERR(s);
	shelf_trim_soon(s);
	ret = answer_shelf(s, info);
	shelf_put(s);
	return ret;
}

/* What is in the table has the table's reference while the lock is held. */
static struct shelf *next_shelf_get(long *minor)
{
	struct shelf *s;
	int id = *minor;

	mutex_lock(&registry_lock);
	s = idr_get_next(&shelf_idr, &id);
	if (s)
		shelf_get(s);
	mutex_unlock(&registry_lock);
	*minor = id;
	return s;
}

static int dump_start(struct netlink_callback *cb)
{
	if (!nlmsg_attrlen(cb->nlh, GENL_HDRLEN))
		return 0;
	NL_SET_ERR_MSG(cb->extack, "a dump takes no attributes");
	return -EINVAL;
}

/* args[0]: minor to go on from; what comes and goes meanwhile may be missed. */
static int dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct shelf *s;
	int ret;

	while ((s = next_shelf_get(&cb->args[0]))) {
		ret = message_shelf(skb, s, NETLINK_CB(cb->skb).portid,
				    cb->nlh->nlmsg_seq, NLM_F_MULTI);
		shelf_put(s);
		if (ret)
			break;
		cb->args[0]++;
	}
	return skb->len;
}

static void set_ns(u64 *to, const struct nlattr *ms)
{
	if (ms)
		WRITE_ONCE(*to, (u64)nla_get_u32(ms) * NSEC_PER_MSEC);
}

static void set_bytes(u64 *to, const struct nlattr *bytes)
{
	if (bytes)
		WRITE_ONCE(*to, nla_get_u64(bytes));
}

static bool any_setting(struct nlattr *const *a)
{
	return a[SHELF_A_QUARANTINE_MS] || a[SHELF_A_BATCH_BYTES] || a[SHELF_A_LEASE_MS] ||
	       a[SHELF_A_LEASE_MAX_MS] || a[SHELF_A_PIN_BYTES] || a[SHELF_A_MAX_CHANGE] ||
	       a[SHELF_A_DANGLING] || a[SHELF_A_REQUIRE_EXPECT];
}

/*
 * Not under commit_lock: this would have to wait for a draft, with a lock of
 * the whole host's generic netlink held. The writer takes the words one by one.
 */
static int netlink_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **a = info->attrs;
	struct shelf *s;

	if (!any_setting(a)) {
		NL_SET_ERR_MSG(info->extack, "no setting is given");
		return -EINVAL;
	}
	s = netlink_shelf_get(info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	set_bytes(&s->batch_bytes, a[SHELF_A_BATCH_BYTES]);
	set_ns(&s->store.quarantine_ns, a[SHELF_A_QUARANTINE_MS]);
	set_ns(&s->store.lease_ns, a[SHELF_A_LEASE_MS]);
	set_ns(&s->store.lease_max_ns, a[SHELF_A_LEASE_MAX_MS]);
	set_bytes(&s->store.pin_bytes, a[SHELF_A_PIN_BYTES]);
	netlink_read_guards(a, &s->guards);
	if (a[SHELF_A_REQUIRE_EXPECT])
		WRITE_ONCE(s->require_expect, nla_get_u8(a[SHELF_A_REQUIRE_EXPECT]));
	/* What is shorter now holds for what is there already. */
	shelf_reclaim_soon(s);
	shelf_put(s);
	return 0;
}

/* args[1]: the shelf of a dump of one, with a reference. */
static int shelf_dump_start(struct netlink_callback *cb)
{
	const struct genl_dumpit_info *info = genl_dumpit_info(cb);
	struct shelf *s = named_get(compat_dump_attrs(info), cb->extack);

	if (IS_ERR(s))
		return PTR_ERR(s);
	cb->args[1] = (long)s;
	trace_shelf_object(s->name, "dump", 1);
	return 0;
}

/* args[0]: slot to go on from. */
static int pins_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct shelf *s = (struct shelf *)cb->args[1];
	u32 slot = cb->args[0];
	struct pin_info pin;

	while (shelf_pin_next(s, &slot, &pin)) {
		if (message_pin(skb, &pin, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq))
			break;
		slot++;
	}
	cb->args[0] = slot;
	return skb->len;
}

/* args[0]: hash to go on from; args[2]: all have been told. */
static int sources_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct shelf *s = (struct shelf *)cb->args[1];
	u64 hash = cb->args[0];
	struct source_info source;

	while (!cb->args[2] && shelf_source_next(s, &hash, &source)) {
		if (message_source(skb, &source, NETLINK_CB(cb->skb).portid,
				   cb->nlh->nlmsg_seq))
			break;
		cb->args[2] = ++hash == 0;
	}
	cb->args[0] = hash;
	return skb->len;
}

static int shelf_dump_done(struct netlink_callback *cb)
{
	struct shelf *s = (struct shelf *)cb->args[1];

	trace_shelf_object(s->name, "dump", -1);
	shelf_put(s);
	return 0;
}

#define COMMAND(command, call, rules)		\
	.cmd = SHELF_CMD_##command,		\
	.flags = GENL_ADMIN_PERM,		\
	.doit = call,				\
	.policy = rules##_policy,		\
	.maxattr = ARRAY_SIZE(rules##_policy) - 1

#define SHELF_DUMP(command, call)		\
	.cmd = SHELF_CMD_##command,		\
	.flags = GENL_ADMIN_PERM,		\
	.start = shelf_dump_start,		\
	.dumpit = call,				\
	.done = shelf_dump_done,		\
	.policy = name_policy,			\
	.maxattr = ARRAY_SIZE(name_policy) - 1

static const struct genl_ops commands[] = {
	{ COMMAND(CREATE, netlink_create, create) },
	{ COMMAND(DESTROY, netlink_destroy, name) },
	{ COMMAND(GET, netlink_get, name), .start = dump_start, .dumpit = dump },
	{ COMMAND(SET, netlink_set, set) },
	{ COMMAND(BATCH_BEGIN, stage_begin, name) },
	{ COMMAND(BATCH_OPS, stage_ops, ops) },
	{ COMMAND(BATCH_COMMIT, stage_commit, commit) },
	{ COMMAND(BATCH_ABORT, stage_abort, cookie) },
	{ COMMAND(TRIM, netlink_trim, name) },
	{ SHELF_DUMP(PINS, pins_dump) },
	{ SHELF_DUMP(SOURCES, sources_dump) },
};

static const struct genl_multicast_group groups[] = {
	{ .name = SHELF_GENL_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

struct genl_family shelf_genl __ro_after_init = {
	.name = SHELF_GENL_NAME,
	.version = SHELF_GENL_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = commands,
	.n_ops = ARRAY_SIZE(commands),
	.resv_start_op = SHELF_CMD_UNSPEC + 1,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

/* A batch is gone with its socket: nobody else can finish it. */
static int netlink_notify(struct notifier_block *nb, unsigned long event,
			  void *data)
{
	const struct netlink_notify *n = data;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC &&
	    net_eq(n->net, &init_net))
		stage_port_closed(n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = netlink_notify };

int netlink_init(void)
{
	int ret;

	ret = netlink_register_notifier(&notifier);
	if (ret)
		return ret;
	ret = genl_register_family(&shelf_genl);
	if (ret)
		netlink_unregister_notifier(&notifier);
	return ret;
}

void netlink_exit(void)
{
	genl_unregister_family(&shelf_genl);
	netlink_unregister_notifier(&notifier);
	stage_exit();
}

/* Whoever asks for the family loads the module. */
MODULE_ALIAS_GENL_FAMILY(SHELF_GENL_NAME);
