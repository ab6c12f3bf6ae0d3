/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Private to the module: what crosses the glue's files.
 *
 * Locks, outermost first
 * ----------------------
 *
 *  lifecycle_lock (mutex)    create and destroy, one at a time; registry.c's own
 *  registry_lock (mutex)     the table of shelves: create, destroy, lookup by
 *                            name or minor. Never held over device_del(),
 *                            since sysfs show functions don't take it but wait
 *                            for device_del() would.
 *  batches_lock (mutex)      the table of staged batches, of all shelves
 *  batch->lock (mutex)       one staged batch: operations against commit,
 *                            abort and death of its socket
 *  shelf->commit_lock        serialises writers: the worker's draft, publish
 *   (mutex)                  and reclaim. Never taken by a reader.
 *  mmap_lock (the kernel's)  faults come in with it
 *  shelf->map_lock (mutex)   chunk pointers as faults see them: a fault looks
 *                            up and inserts under it, a change of a chunk is
 *                            made under it and followed, outside of it, by
 *                            unmap_mapping_range().
 *  file->pins_lock (mutex)   the pins of one open file
 *  store.reclaim_lock        pins of a shelf come and go, oldest is raised;
 *   (spinlock)               innermost, and short whoever holds it
 *
 * commit_lock is held while map_lock is taken (a draft grows the arena); faults
 * take map_lock under mmap_lock. Nothing touches user memory or takes
 * mmap_lock under commit_lock, so there is no cycle.
 *
 * Readers by ioctl, netlink dump and sysfs take none of these: they hold
 * rcu_read_lock() around rcu_dereference(store.root) and the walk. Mapped
 * readers validate (walk.h, uapi/shelf.h).
 *
 * References: struct shelf has one count (shelf_get(), shelf_put()), held by
 * the registry until destroy, by each open file, staged batch and queued
 * commit. Each shelf holds a reference on the module, given back at the very
 * end by shelf_release_work() on shelf_wq, which module exit drains.
 */
#ifndef SHELF_H
#define SHELF_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core.h"

#define SHELF_MINORS		(1U << 16)
#define SHELF_CHUNK_ORDER	(SHELF_CHUNK_SHIFT - PAGE_SHIFT)
#define SHELF_CONTROL_PAGES	2U	/* control page and pin page */
#define SHELF_QUARANTINE_MS	1000U
#define SHELF_QUARANTINE_MS_MAX	3600000U

/* Counted where it happens, on the CPU where it happens; summed when read. */
enum shelf_stat {
	STAT_LOOKUPS,		/* ids looked up by ioctl: get, get many, is-member */
	STAT_HITS,
	STAT_MISSES,
	STAT_MEMBERS,		/* catalog members copied out by ioctl */
	STAT_WAITS,
	STAT_OPENS,
	STAT_FAULTS,
	STAT_HUGE_FAULTS,	/* of these, mapped with 2 MiB */
	STAT_HOLE_FAULTS,	/* of these, on holes */
	STAT_STAGED_OPS,
	STAT_REFUSED_OPS,	/* messages of operations that were refused */
	STAT_REFUSED_BATCHES,	/* commits that were refused */
	STAT_ABORTED_BATCHES,	/* by command or by death of the socket */
	STAT_REPEATED_BATCHES,	/* acknowledged, since they had been applied before */
	STAT_CHECKED_BATCHES,	/* only, whatever came of it */
	STAT_REPORTED_LOOKUPS,	/* as mapped readers say; may be anything, may wrap */
	STAT_REPORTED_HITS,
	STAT_REPORTED_MEMBERS,
	SHELF_STATS
};

struct shelf_stats {
	u64 count[SHELF_STATS];
};

/**
 * struct shelf_chunk - 2 MiB of memory
 * @head: order-9 block, whose page count is frozen at zero while mapped so that
 *        nobody can take a reference through a PMD entry; NULL if @pages
 * @pages: else single pages, mapped for the kernel by vmap()
 */
struct shelf_chunk {
	struct page *head;
	struct page **pages;
	void *address;
};

/**
 * struct shelf - one named store
 * @ref: see above
 * @dead: written once, under registry_lock, by destroy; open() and begin check it
 * @store: the data; written under @commit_lock
 * @mapping: the one address space that all opens share, so that a zap finds
 *           every mapping; belongs to @inode
 * @control_page: and the pin page behind it
 * @chunk: @max_chunks of them; pointers change under @map_lock
 * @hole_touched: holes that a fault has mapped to zeros; under @map_lock
 * @memcg: whom chunks are charged to: the creator's
 * @batch_bytes: limit of one batch; READ_ONCE()
 * @guards: of commits that bring none of their own; READ_ONCE()
 * @require_expect: a commit has to say upon which generation; READ_ONCE()
 * @staged_bytes: bytes in staged batches of all senders
 * @wq: ordered: drafts, publishes, reclaims
 * @reclaim: frees what leaves quarantine when no commit comes along to do it
 * @soon: the same when there is something to do before
 * @trim: one step of a trim; @trims_done is as far as it has come
 * @trimmed_free: least free pages since the last one's last pass
 * @trimmed_ns, @trim_failed: when that was, and that it could not do all
 * @trim_asked: when it began
 * @trim_waits: for what was retired up to this generation to leave quarantine; 0: for
 *              nothing
 * @trim_over: all that is left of it is to wait for that, and to give chunks back
 * @wait: pollers and waiters for a generation
 */
struct shelf {
	struct kref ref;
	char name[SHELF_NAME_MAX + 1];
	int minor;
	bool dead;
	struct device dev;
	struct inode *inode;
	struct address_space *mapping;

	struct mutex commit_lock;	/* serialises writers of @store */
	struct store store;

	struct page *control_page;
	struct mutex map_lock;		/* @chunk against faults */
	struct shelf_chunk **chunk;
	unsigned long *hole_touched;
	u32 max_chunks;
	struct mem_cgroup *memcg;

	u64 batch_bytes;
	struct guards guards;
	bool require_expect;
	atomic64_t staged_bytes;
	atomic_t opens;

	struct workqueue_struct *wq;
	struct delayed_work reclaim;
	struct delayed_work soon;
	struct delayed_work trim;
	bool gone;			/* its works are to ask for no more */
	atomic64_t trims_asked;
	u64 trims_done;			/* of these; the worker's, as the next six */
	u64 trim_asked;
	u64 trimmed_free;
	u64 trimmed_ns;
	u64 trim_waits;
	bool trim_failed;
	bool trim_over;
	struct work_struct release;
	wait_queue_head_t wait;
	struct shelf_stats __percpu *stats;
	u64 last_draft_ns;
	u64 last_publish_ns;
	u64 last_grace_ns;
};

static inline void shelf_count(struct shelf *s, enum shelf_stat which, u64 n)
{
	this_cpu_add(s->stats->count[which], n);
}

u64 shelf_stat_sum(const struct shelf *s, enum shelf_stat which);

/* Settings of a new shelf, checked by the caller. */
struct shelf_config {
	char name[SHELF_NAME_MAX + 1];
	u64 max_bytes;
	u64 batch_bytes;	/* 0: max_bytes */
	u32 quarantine_ms;
	u32 lease_ms;		/* this and the next two: 0 for the default */
	u32 lease_max_ms;
	u64 pin_bytes;
	struct guards guards;
	bool require_expect;
	u64 seed;
};

/* registry.c: lifetime */
extern struct workqueue_struct *shelf_wq;
extern struct mutex registry_lock;
extern struct idr shelf_idr;		/* minor -> shelf, under registry_lock */

int registry_init(void);
void registry_exit(void);
/*
 * @out: with a reference for the caller. EEXIST, ENOMEM, ENOSPC (no minor is
 * free); nothing is left behind by a failure.
 */
int shelf_create(const struct shelf_config *config, struct shelf **out);
/* ENOENT. What is open lives on; the name is free when this returns. */
int shelf_destroy(struct shelf *s);
struct shelf *shelf_find_get(const char *name);		/* or NULL */
struct shelf *shelf_minor_get(unsigned int minor);	/* or NULL; live ones only */
bool shelf_name_valid(const char *name, size_t len);
static inline void shelf_get(struct shelf *s)
{
	kref_get(&s->ref);
}

void shelf_put(struct shelf *s);

/* chunk.c: memory of the arena; also arena_chunk_alloc() and the clocks */
int chunks_init(struct shelf *s, u64 max_bytes);
void chunks_exit(struct shelf *s);
struct page *shelf_zero_block(void);	/* order 9, or NULL */
void zero_block_init(void);		/* may leave none */
void zero_block_exit(void);

/* mmap.c */
int shelf_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long shelf_get_unmapped_area(struct file *file, unsigned long addr,
				      unsigned long len, unsigned long pgoff,
				      unsigned long flags);

/* cdev.c, ioctl.c */

/**
 * struct shelf_file - an open file
 * @next: read() returns no generation below it
 * @pins_lock: guards @pins and @pin_count; outside of reclaim_lock
 * @user: user id of who opened it, for whom its pins count
 */
struct shelf_file {
	struct shelf *shelf;
	u64 next;
	struct mutex pins_lock;		/* @pins: pin and unpin against each other */
	struct list_head pins;
	u32 pin_count;
	u32 user;
};

union ioctl_arg {
	u32 size;
	struct shelf_ioc_info info;
	struct shelf_ioc_get get;
	struct shelf_ioc_get_many get_many;
	struct shelf_ioc_members members;
	struct shelf_ioc_is_member is_member;
	struct shelf_ioc_wait wait;
	struct shelf_ioc_report report;
	struct shelf_ioc_pin pin;
	struct shelf_ioc_unpin unpin;
	struct shelf_ioc_scan scan;
};

extern struct class *shelf_class;
extern dev_t shelf_devt;
int cdev_init_module(void);
void cdev_exit_module(void);
long shelf_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
/* lookup.c */
int ioctl_get(struct shelf_file *f, union ioctl_arg *a);
int ioctl_get_many(struct shelf_file *f, union ioctl_arg *a);
int ioctl_members(struct shelf_file *f, union ioctl_arg *a);
int ioctl_is_member(struct shelf_file *f, union ioctl_arg *a);
int ioctl_scan(struct shelf_file *f, union ioctl_arg *a);
/* Fills the kernel reader's view; the caller holds rcu_read_lock(). */
void shelf_view_rcu(const struct shelf *s, struct shelf_view *view);
/* The generation of the newest snapshot; any context. */
u64 shelf_generation(const struct shelf *s);

/* A source's record, still with its references, and its name. */
struct source_info {
	struct shelf_source record;
	char name[SHELF_SOURCE_MAX];
};

/*
 * The source in the newest snapshot whose id has the least hash not below *@hash, to
 * which that is set; false: there is none.
 */
bool shelf_source_next(const struct shelf *s, u64 *hash, struct source_info *info);

/* filepin.c: pins of open files */
struct pin_info {
	u64 generation;
	u64 age_ns;
	u64 left_ns;
	u64 bytes;
	u32 user;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

void file_pins_init(struct shelf_file *f, const struct cred *cred);
void file_pins_exit(struct shelf_file *f);
bool file_pins_revoked(struct shelf_file *f);
int ioctl_pin(struct shelf_file *f, union ioctl_arg *a);
/* Of one that succeeded. */
void ioctl_pin_undo(struct shelf_file *f, const union ioctl_arg *a);
int ioctl_unpin(struct shelf_file *f, union ioctl_arg *a);
/* ESTALE. The caller holds rcu_read_lock(). */
int file_view_rcu(const struct shelf_file *f, u64 pin, struct shelf_view *view);
void shelf_pin_revoked(struct store *st, struct pin *pin);
bool shelf_pin_next(struct shelf *s, u32 *slot, struct pin_info *info);

/* sysfs.c */
extern const struct attribute_group *shelf_groups[];

/* commit.c: the shelf's worker */

/**
 * struct commit - a batch on its way through the worker
 * @done: called by the worker with the report filled in; frees the commit
 */
struct commit {
	struct work_struct work;
	struct shelf *shelf;		/* a reference */
	struct batch batch;
	bool has_expect;
	bool no_wait;			/* answer before the grace period is over */
	u64 expect;
	struct report report;
	void (*done)(struct commit *c);
	u32 portid;
	u32 seq;
	u64 cookie;
};

void shelf_commit_queue(struct commit *c);
/* Drafts, publishes, retires; or drafts and drops. @published: when, by store_clock(). */
int shelf_commit_locked(struct shelf *s, const struct batch *b, struct report *report,
			u64 *published);
void shelf_announce(struct shelf *s, const struct report *report);

/* upkeep.c: what the worker does between commits */

/* What the store has done since it was made; begin and end tell the difference. */
struct upkeep {
	u64 pages;
	u64 slot_bytes;
	u64 early;
	u64 revoked;
};

struct upkeep upkeep_begin(const struct shelf *s);
void upkeep_end(struct shelf *s, const struct upkeep *before);
int upkeep_init(void);
void upkeep_exit(void);
/* True: it has more to give back, and will. */
bool shelf_reclaim(struct shelf *s);
void shelf_reclaim_work(struct work_struct *work);
void shelf_soon_work(struct work_struct *work);
/* Returns a ticket: done once s->trims_done is not below it. Any context. */
u64 shelf_trim_soon(struct shelf *s);
void shelf_trim_work(struct work_struct *work);
/* Something can be freed, or a lease may be shorter now; any context. */
void shelf_reclaim_soon(struct shelf *s);

/* netlink.c */
int netlink_init(void);
void netlink_exit(void);
/* Drops every staged batch of @s; called by destroy, may sleep. */
void netlink_drop_batches(struct shelf *s);
void netlink_event(u8 cmd, struct shelf *s, const struct report *report);

/*
 * netlink.c is the family, stage.c its staged batches, decode.c reads their
 * operations, and message.c puts together what goes out.
 */
struct genl_family;
struct genl_info;
struct netlink_ext_ack;
struct nlattr;
struct sk_buff;
extern struct genl_family shelf_genl;
struct shelf *netlink_shelf_get(struct genl_info *info);	/* or ERR_PTR */
void netlink_read_guards(struct nlattr *const *attrs, struct guards *guards);

int stage_begin(struct sk_buff *skb, struct genl_info *info);
int stage_ops(struct sk_buff *skb, struct genl_info *info);
int stage_commit(struct sk_buff *skb, struct genl_info *info);
int stage_abort(struct sk_buff *skb, struct genl_info *info);
void stage_port_closed(u32 portid);
void stage_exit(void);

int op_decode(const struct nlattr *nest, struct op *op, const void **data,
	      const char **why, struct netlink_ext_ack *extack);

int message_shelf(struct sk_buff *skb, const struct shelf *s, u32 portid,
		  u32 seq, int flags);
int message_pin(struct sk_buff *skb, const struct pin_info *pin, u32 portid, u32 seq);
int message_source(struct sk_buff *skb, const struct source_info *source, u32 portid, u32 seq);
int message_cookie(struct genl_info *info, u64 cookie);
void message_result(struct sk_buff *skb, const struct commit *c);

#endif /* SHELF_H */
