// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How a shelf comes and goes.
 *
 *   shelf_create()         all that can fail, then the device, then the table
 *   shelf_destroy()        dead, out of the table, staged batches dropped,
 *                          waiters woken, node and sysfs removed
 *   last shelf_put()       nobody can reach it: no file, hence no mapping, no
 *                          batch, no commit
 *   shelf_release_work()   memory, in process context
 *   shelf_device_release() the minor, the struct, the module reference
 *
 * Between the second and the third what is open lives on.
 */
#include <linux/log2.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "shelf.h"
#include "trace.h"

#define SHELF_FS_MAGIC	0x53484c46	/* "SHLF" */

/*
 * Taken before all other locks, by create and destroy alone. A name is free
 * again only when device_del() is over, which registry_lock is not held for;
 * without this a create right behind a destroy would find the directory in
 * sysfs still there.
 */
static DEFINE_MUTEX(lifecycle_lock);
DEFINE_MUTEX(registry_lock);	/* guards shelf_idr */
DEFINE_IDR(shelf_idr);
struct workqueue_struct *shelf_wq;

static struct vfsmount *shelf_mnt;
static int shelf_mnt_count;

static int shelf_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, SHELF_FS_MAGIC) ? 0 : -ENOMEM;
}

/*
 * Never registered or mounted by anyone else: it gives each shelf an inode of
 * its own, whose address space all opens of the shelf share, through whatever
 * node they came.
 */
static struct file_system_type shelf_fs_type = {
	.name = "shelf",
	.owner = THIS_MODULE,
	.init_fs_context = shelf_init_fs_context,
	.kill_sb = kill_anon_super,
};

/*
 * The mount is pinned by the shelves, not from init to exit: it holds a
 * reference on the module, which then could never be unloaded.
 */
static int inode_make(struct shelf *s)
{
	struct inode *inode;
	int ret;

	ret = simple_pin_fs(&shelf_fs_type, &shelf_mnt, &shelf_mnt_count);
	if (ret)
		return ret;
	inode = alloc_anon_inode(shelf_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		simple_release_fs(&shelf_mnt, &shelf_mnt_count);
		return PTR_ERR(inode);
	}
	s->inode = inode;
	s->mapping = inode->i_mapping;
	return 0;
}

static void inode_drop(struct shelf *s)
{
	if (!s->inode)
		return;
	iput(s->inode);
	simple_release_fs(&shelf_mnt, &shelf_mnt_count);
}

/*
 * The control page and the pin page behind it are ordinary pages with counts of
 * their own, so whoever takes a reference through a mapping keeps them from
 * being reused for anything else.
 */
static int control_make(struct shelf *s, const struct shelf_config *config)
{
	struct shelf_control *c;

	s->control_page = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO,
				      order_base_2(SHELF_CONTROL_PAGES));
	if (!s->control_page)
		return -ENOMEM;
	split_page(s->control_page, order_base_2(SHELF_CONTROL_PAGES));
	c = page_address(s->control_page);
	c->magic = SHELF_CONTROL_MAGIC;
	c->abi = SHELF_ABI_VERSION;
	c->seed = config->seed;
	c->max_bytes = round_up(config->max_bytes, SHELF_CHUNK_BYTES);
	c->arena_bytes = roundup_pow_of_two(c->max_bytes);
	c->created_ns = store_realtime();
	strscpy(c->name, config->name, sizeof(c->name));
	return 0;
}

static void control_free(struct shelf *s)
{
	u32 i;

	for (i = 0; s->control_page && i < SHELF_CONTROL_PAGES; i++)
		__free_page(s->control_page + i);
}

static void shelf_device_release(struct device *dev)
{
	struct shelf *s = container_of(dev, struct shelf, dev);

	mutex_lock(&registry_lock);
	if (s->minor >= 0)
		idr_remove(&shelf_idr, s->minor);
	mutex_unlock(&registry_lock);
	free_percpu(s->stats);
	trace_shelf_object(s->name, "shelf", -1);
	kfree(s);
	/*
	 * The very last: shelf_release_work() gets here by its put_device(),
	 * and exit waits for that work before our code goes.
	 */
	module_put(THIS_MODULE);
}

/*
 * They ask for each other, so that one that was cancelled may be asked for anew, and
 * its timer outlive the queue. The flush ends the one that may not have seen the flag.
 */
static void works_exit(struct shelf *s)
{
	if (!s->wq)
		return;
	WRITE_ONCE(s->gone, true);
	flush_workqueue(s->wq);
	cancel_delayed_work_sync(&s->soon);
	cancel_delayed_work_sync(&s->trim);
	cancel_delayed_work_sync(&s->reclaim);
	destroy_workqueue(s->wq);
}

/* Undoes what shelf_make() got done, all or part of it. */
static void shelf_unmake(struct shelf *s)
{
	works_exit(s);
	store_exit(&s->store);
	chunks_exit(s);
	control_free(s);
	inode_drop(s);
	mem_cgroup_put(s->memcg);
	put_device(&s->dev);
}

static void shelf_release_work(struct work_struct *work)
{
	shelf_unmake(container_of(work, struct shelf, release));
}

static void shelf_release(struct kref *ref)
{
	struct shelf *s = container_of(ref, struct shelf, ref);

	/* Not here: the last reference may be put by a work of s->wq. */
	queue_work(shelf_wq, &s->release);
}

void shelf_put(struct shelf *s)
{
	kref_put(&s->ref, shelf_release);
}

/* The part that can't fail, so that put_device() undoes it from here on. */
static void shelf_setup(struct shelf *s, const struct shelf_config *config)
{
	kref_init(&s->ref);
	strscpy(s->name, config->name, sizeof(s->name));
	s->minor = -1;
	s->batch_bytes = config->batch_bytes ?: config->max_bytes;
	mutex_init(&s->commit_lock);
	mutex_init(&s->map_lock);
	init_waitqueue_head(&s->wait);
	INIT_DELAYED_WORK(&s->reclaim, shelf_reclaim_work);
	INIT_DELAYED_WORK(&s->soon, shelf_soon_work);
	INIT_DELAYED_WORK(&s->trim, shelf_trim_work);
	INIT_WORK(&s->release, shelf_release_work);
	device_initialize(&s->dev);
	s->dev.class = shelf_class;
	s->dev.groups = shelf_groups;
	s->dev.release = shelf_device_release;
}

static int minor_take(struct shelf *s)
{
	/*
	 * The minor is taken, but leads nowhere yet. Cyclic, so that a node
	 * that somebody kept does not soon lead to another shelf.
	 */
	mutex_lock(&registry_lock);
	s->minor = idr_alloc_cyclic(&shelf_idr, NULL, 0, SHELF_MINORS,
				    GFP_KERNEL);
	mutex_unlock(&registry_lock);
	if (s->minor < 0)
		return s->minor;
	s->dev.devt = MKDEV(MAJOR(shelf_devt), s->minor);
	return dev_set_name(&s->dev, "%s", s->name);
}

static int memory_make(struct shelf *s, const struct shelf_config *config)
{
	struct shelf_control *c;
	int ret;

	ret = control_make(s, config);
	if (ret)
		return ret;
	c = page_address(s->control_page);
	ret = chunks_init(s, c->max_bytes);
	if (ret)
		return ret;
	ret = store_prepare(&s->store, c);
	if (ret)
		return ret;
	s->store.revoked = shelf_pin_revoked;
	s->store.quarantine_ns = (u64)config->quarantine_ms * NSEC_PER_MSEC;
	if (config->lease_ms)
		s->store.lease_ns = (u64)config->lease_ms * NSEC_PER_MSEC;
	if (config->lease_max_ms)
		s->store.lease_max_ns = (u64)config->lease_max_ms * NSEC_PER_MSEC;
	if (config->pin_bytes)
		s->store.pin_bytes = config->pin_bytes;
	s->guards = config->guards;
	s->require_expect = config->require_expect;
	return store_init(&s->store);
}

/* Now and later, memory is charged to who creates the shelf. */
static int store_make(struct shelf *s, const struct shelf_config *config)
{
	struct mem_cgroup *old;
	int ret;

	s->memcg = get_mem_cgroup_from_mm(current->mm);
	old = set_active_memcg(s->memcg);
	ret = memory_make(s, config);
	set_active_memcg(old);
	return ret;
}

static int shelf_fill(struct shelf *s, const struct shelf_config *config)
{
	int ret;

	s->stats = alloc_percpu(struct shelf_stats);
	if (!s->stats)
		return -ENOMEM;
	s->wq = alloc_ordered_workqueue("shelf-%.17s", 0, s->name);
	if (!s->wq)
		return -ENOMEM;
	ret = minor_take(s);
	if (ret)
		return ret;
	ret = inode_make(s);
	if (ret)
		return ret;
	return store_make(s, config);
}

static struct shelf *shelf_make(const struct shelf_config *config)
{
	struct shelf *s;
	int ret;

	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s) {
		module_put(THIS_MODULE);
		return ERR_PTR(-ENOMEM);
	}
	shelf_setup(s, config);
	trace_shelf_object(s->name, "shelf", 1);
	ret = shelf_fill(s, config);
	if (ret) {
		shelf_unmake(s);
		return ERR_PTR(ret);
	}
	return s;
}

static struct shelf *find_locked(const char *name)
{
	struct shelf *s;
	int minor;

	lockdep_assert_held(&registry_lock);
	/* Minors without a shelf behind them are passed over. */
	idr_for_each_entry(&shelf_idr, s, minor)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/*
 * The lock is held over device_add(), so that an open() that runs ahead of us,
 * from udev say, waits for the minor to lead somewhere, and a device that
 * can't be added was never found by anyone.
 */
static int shelf_reveal(struct shelf *s)
{
	int ret;

	mutex_lock(&registry_lock);
	ret = device_add(&s->dev);
	if (!ret)
		idr_replace(&shelf_idr, s, s->minor);
	mutex_unlock(&registry_lock);
	return ret;
}

int shelf_create(const struct shelf_config *config, struct shelf **out)
{
	struct shelf *s;
	int ret = -EEXIST;

	mutex_lock(&lifecycle_lock);
	s = shelf_find_get(config->name);
	if (s) {
		shelf_put(s);
		goto out_unlock;
	}
	s = shelf_make(config);
	ret = PTR_ERR_OR_ZERO(s);
	if (ret)
		goto out_unlock;
	shelf_get(s);		/* the caller's, before anyone can destroy it */
	ret = shelf_reveal(s);
	if (ret)
		shelf_unmake(s);
	else
		*out = s;
out_unlock:
	mutex_unlock(&lifecycle_lock);
	return ret;
}

/* Takes it out of the table; the table's reference becomes the caller's. */
static bool shelf_hide(struct shelf *s)
{
	bool mine;

	mutex_lock(&registry_lock);
	mine = !s->dead;
	if (mine) {
		WRITE_ONCE(s->dead, true);
		/* Taken until the device is gone, so nobody else gets it. */
		idr_replace(&shelf_idr, NULL, s->minor);
	}
	mutex_unlock(&registry_lock);
	return mine;
}

/* @s, of which the caller has a reference, and no other of its name. */
int shelf_destroy(struct shelf *s)
{
	bool mine;

	mutex_lock(&lifecycle_lock);
	mine = shelf_hide(s);
	if (mine) {
		netlink_drop_batches(s);
		wake_up_all(&s->wait);
		device_del(&s->dev);
	}
	mutex_unlock(&lifecycle_lock);
	if (!mine)
		return -ENOENT;
	shelf_put(s);
	return 0;
}

struct shelf *shelf_find_get(const char *name)
{
	struct shelf *s;

	mutex_lock(&registry_lock);
	s = find_locked(name);
	if (s)
		shelf_get(s);
	mutex_unlock(&registry_lock);
	return s;
}

struct shelf *shelf_minor_get(unsigned int minor)
{
	struct shelf *s;

	mutex_lock(&registry_lock);
	s = idr_find(&shelf_idr, minor);
	if (s)
		shelf_get(s);
	mutex_unlock(&registry_lock);
	return s;
}

/* Not isalnum(): it takes Latin-1 for letters. */
static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* What is safe as a file name everywhere, and never looks like an option. */
bool shelf_name_valid(const char *name, size_t len)
{
	size_t i;

	if (!len || len > SHELF_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (i = 0; i < len; i++)
		if (!name_char(name[i]))
			return false;
	return true;
}

int registry_init(void)
{
	shelf_wq = alloc_workqueue("shelf", WQ_UNBOUND, 0);
	return shelf_wq ? 0 : -ENOMEM;
}

void registry_exit(void)
{
	destroy_workqueue(shelf_wq);	/* waits for the last release */
	idr_destroy(&shelf_idr);
}
