// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /sys/class/shelf/NAME/: one value per file. Nothing here takes a lock that
 * the writer holds: the newest root is read under rcu_read_lock(), counters
 * with READ_ONCE(). Values of different files may be of different moments.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "shelf.h"

/* An attribute, and where in its struct the value is. */
struct value_attribute {
	struct device_attribute attr;
	size_t at;
};

static struct shelf *dev_shelf(struct device *dev)
{
	return container_of(dev, struct shelf, dev);
}

static size_t value_at(struct device_attribute *attr)
{
	return container_of(attr, struct value_attribute, attr)->at;
}

/* A u64 of struct shelf, which its writer stores with WRITE_ONCE(). */
static u64 shelf_word(struct device *dev, struct device_attribute *attr)
{
	return READ_ONCE(*(u64 *)((u8 *)dev_shelf(dev) + value_at(attr)));
}

u64 shelf_stat_sum(const struct shelf *s, enum shelf_stat which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(s->stats, cpu)->count[which]);
	return sum;
}

static ssize_t word_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%llu\n", shelf_word(dev, attr));
}

static ssize_t pages_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%llu\n", shelf_word(dev, attr) << PAGE_SHIFT);
}

static ssize_t root_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct shelf_view view;
	u64 value;

	rcu_read_lock();
	shelf_view_rcu(dev_shelf(dev), &view);
	value = *(const u64 *)((const u8 *)view.root + value_at(attr));
	rcu_read_unlock();
	return sysfs_emit(buf, "%llu\n", value);
}

static ssize_t stat_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  shelf_stat_sum(dev_shelf(dev), value_at(attr)));
}

#define VALUE_ATTR(_name, _show, _at)					\
static struct value_attribute _name##_attr = {				\
	.attr = __ATTR(_name, 0444, _show, NULL),			\
	.at = _at,							\
}

#define WORD_ATTR(_name, _field)					\
	VALUE_ATTR(_name, word_show, offsetof(struct shelf, _field))
#define PAGES_ATTR(_name, _field)					\
	VALUE_ATTR(_name, pages_show, offsetof(struct shelf, _field))
#define ROOT_ATTR(_name, _field)					\
	VALUE_ATTR(_name, root_show, offsetof(struct shelf_root, _field))
#define STAT_ATTR(_name, _stat)		VALUE_ATTR(_name, stat_show, _stat)

/* The newest snapshot. bytes_attrs: the sum of what products have. */
ROOT_ATTR(generation, generation);
ROOT_ATTR(products, products);
ROOT_ATTR(catalogs, catalogs);
ROOT_ATTR(memberships, memberships);
ROOT_ATTR(sources, sources);
ROOT_ATTR(bytes_attrs, attrs_bytes);

/* Pages by kind, those in a draft or in quarantine included. */
PAGES_ATTR(bytes_free, store.arena.free_pages);
PAGES_ATTR(bytes_draft, store.draft_pages);
PAGES_ATTR(bytes_products, store.arena.pages[SHELF_KIND_PRODUCTS]);
PAGES_ATTR(bytes_catalogs, store.arena.pages[SHELF_KIND_CATALOGS]);
PAGES_ATTR(bytes_sets, store.arena.pages[SHELF_KIND_SET]);
PAGES_ATTR(bytes_slabs, store.arena.pages[SHELF_KIND_SLAB]);
PAGES_ATTR(bytes_data, store.arena.pages[SHELF_KIND_DATA]);

/* Since the shelf was made; reclaimed_bytes: of whole pages. */
WORD_ATTR(commits, store.commits);
WORD_ATTR(operations, store.operations);
WORD_ATTR(early_reuses, store.early_reuses);
WORD_ATTR(revoked_pins, store.revocations);
PAGES_ATTR(reclaimed_bytes, store.reclaimed_pages);
WORD_ATTR(trims, trims_done);
STAT_ATTR(refused_batches, STAT_REFUSED_BATCHES);
STAT_ATTR(repeated_batches, STAT_REPEATED_BATCHES);
STAT_ATTR(checked_batches, STAT_CHECKED_BATCHES);
STAT_ATTR(aborted_batches, STAT_ABORTED_BATCHES);
STAT_ATTR(lookups, STAT_LOOKUPS);
STAT_ATTR(hits, STAT_HITS);
STAT_ATTR(misses, STAT_MISSES);
STAT_ATTR(members_read, STAT_MEMBERS);
STAT_ATTR(waits, STAT_WAITS);
STAT_ATTR(opens_total, STAT_OPENS);
STAT_ATTR(staged_operations, STAT_STAGED_OPS);
STAT_ATTR(refused_operations, STAT_REFUSED_OPS);
STAT_ATTR(faults, STAT_FAULTS);
STAT_ATTR(huge_faults, STAT_HUGE_FAULTS);
STAT_ATTR(hole_faults, STAT_HOLE_FAULTS);

/* As reported by readers: may be anything, so it is part of no other value. */
STAT_ATTR(reported_lookups, STAT_REPORTED_LOOKUPS);
STAT_ATTR(reported_hits, STAT_REPORTED_HITS);
STAT_ATTR(reported_members_read, STAT_REPORTED_MEMBERS);

/* The last commit. */
WORD_ATTR(last_draft_ns, last_draft_ns);
WORD_ATTR(last_publish_ns, last_publish_ns);
WORD_ATTR(last_grace_ns, last_grace_ns);

WORD_ATTR(batch_bytes, batch_bytes);
WORD_ATTR(pin_bytes, store.pin_bytes);

/* What pins alone keep. */
WORD_ATTR(bytes_pinned, store.retained_bytes);

static u64 bytes_held(const struct shelf *s)
{
	return (u64)READ_ONCE(s->store.arena.chunks) << SHELF_CHUNK_SHIFT;
}

static u64 bytes_in_quarantine(const struct shelf *s)
{
	return (READ_ONCE(s->store.quarantined_pages) << PAGE_SHIFT) +
	       READ_ONCE(s->store.quarantined_slot_bytes);
}

/* What the newest snapshot needs; the words are not read at one moment. */
static u64 bytes_in_use(const struct shelf *s)
{
	u64 other = bytes_in_quarantine(s) + READ_ONCE(s->store.retained_bytes);
	u64 held = bytes_held(s);

	other += READ_ONCE(s->store.arena.free_pages) << PAGE_SHIFT;
	other += READ_ONCE(s->store.draft_pages) << PAGE_SHIFT;
	return held > other ? held - other : 0;
}

static ssize_t oldest_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  READ_ONCE(dev_shelf(dev)->store.control->oldest));
}
static DEVICE_ATTR_RO(oldest);

static ssize_t max_bytes_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  dev_shelf(dev)->store.control->max_bytes);
}
static DEVICE_ATTR_RO(max_bytes);

static ssize_t bytes_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%llu\n", bytes_held(dev_shelf(dev)));
}
static DEVICE_ATTR_RO(bytes);

static ssize_t returned_bytes_show(struct device *dev, struct device_attribute *attr,
				   char *buf)
{
	u64 chunks = READ_ONCE(dev_shelf(dev)->store.returned_chunks);

	return sysfs_emit(buf, "%llu\n", chunks << SHELF_CHUNK_SHIFT);
}
static DEVICE_ATTR_RO(returned_bytes);

static ssize_t bytes_live_show(struct device *dev, struct device_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%llu\n", bytes_in_use(dev_shelf(dev)));
}
static DEVICE_ATTR_RO(bytes_live);

static ssize_t bytes_quarantined_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", bytes_in_quarantine(dev_shelf(dev)));
}
static DEVICE_ATTR_RO(bytes_quarantined);

static ssize_t bytes_directory_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	const u64 *pages = dev_shelf(dev)->store.arena.pages;

	return sysfs_emit(buf, "%llu\n", (READ_ONCE(pages[SHELF_KIND_ROOT]) +
			  READ_ONCE(pages[SHELF_KIND_NODE])) << PAGE_SHIFT);
}
static DEVICE_ATTR_RO(bytes_directory);

static ssize_t ms_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", div_u64(shelf_word(dev, attr), NSEC_PER_MSEC));
}

#define MS_ATTR(_name, _field)						\
	VALUE_ATTR(_name, ms_show, offsetof(struct shelf, _field))

MS_ATTR(quarantine_ms, store.quarantine_ns);
MS_ATTR(lease_ms, store.lease_ns);
MS_ATTR(lease_max_ms, store.lease_max_ns);

/* Guards of commits. */
static ssize_t max_change_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(dev_shelf(dev)->guards.max_change));
}
static DEVICE_ATTR_RO(max_change);

static ssize_t dangling_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const word[] = {
		[SHELF_DANGLING_ALLOW] = "allow",
		[SHELF_DANGLING_WARN] = "warn",
		[SHELF_DANGLING_REFUSE] = "refuse",
	};

	return sysfs_emit(buf, "%s\n", word[READ_ONCE(dev_shelf(dev)->guards.dangling)]);
}
static DEVICE_ATTR_RO(dangling);

static ssize_t require_expect_show(struct device *dev, struct device_attribute *attr,
				   char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(dev_shelf(dev)->require_expect));
}
static DEVICE_ATTR_RO(require_expect);

static ssize_t pins_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(dev_shelf(dev)->store.pins->taken));
}
static DEVICE_ATTR_RO(pins);

static ssize_t opens_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&dev_shelf(dev)->opens));
}
static DEVICE_ATTR_RO(opens);

/*
 * One line, a number for each possible CPU in their order, spaces between.
 * Counted where the ioctl ran, so their skew tells how readers are spread. What
 * does not fit into a page is left out.
 */
static ssize_t lookups_per_cpu_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	const struct shelf *s = dev_shelf(dev);
	const char *space = "";
	int cpu, len = 0;

	for_each_possible_cpu(cpu) {
		const struct shelf_stats *stats = per_cpu_ptr(s->stats, cpu);

		len += sysfs_emit_at(buf, len, "%s%llu", space,
				     READ_ONCE(stats->count[STAT_LOOKUPS]));
		space = " ";
	}
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(lookups_per_cpu);

static struct attribute *shelf_attrs[] = {
	&generation_attr.attr.attr,
	&dev_attr_oldest.attr,
	&products_attr.attr.attr,
	&catalogs_attr.attr.attr,
	&memberships_attr.attr.attr,
	&sources_attr.attr.attr,
	&dev_attr_max_bytes.attr,
	&dev_attr_bytes.attr,
	&dev_attr_bytes_live.attr,
	&bytes_free_attr.attr.attr,
	&dev_attr_bytes_quarantined.attr,
	&bytes_pinned_attr.attr.attr,
	&bytes_draft_attr.attr.attr,
	&bytes_products_attr.attr.attr,
	&bytes_catalogs_attr.attr.attr,
	&dev_attr_bytes_directory.attr,
	&bytes_sets_attr.attr.attr,
	&bytes_slabs_attr.attr.attr,
	&bytes_data_attr.attr.attr,
	&bytes_attrs_attr.attr.attr,
	&commits_attr.attr.attr,
	&operations_attr.attr.attr,
	&refused_batches_attr.attr.attr,
	&repeated_batches_attr.attr.attr,
	&checked_batches_attr.attr.attr,
	&aborted_batches_attr.attr.attr,
	&lookups_attr.attr.attr,
	&hits_attr.attr.attr,
	&misses_attr.attr.attr,
	&dev_attr_lookups_per_cpu.attr,
	&faults_attr.attr.attr,
	&huge_faults_attr.attr.attr,
	&hole_faults_attr.attr.attr,
	&reported_lookups_attr.attr.attr,
	&reported_hits_attr.attr.attr,
	&reported_members_read_attr.attr.attr,
	&members_read_attr.attr.attr,
	&waits_attr.attr.attr,
	&opens_total_attr.attr.attr,
	&staged_operations_attr.attr.attr,
	&refused_operations_attr.attr.attr,
	&early_reuses_attr.attr.attr,
	&reclaimed_bytes_attr.attr.attr,
	&trims_attr.attr.attr,
	&dev_attr_returned_bytes.attr,
	&last_draft_ns_attr.attr.attr,
	&last_publish_ns_attr.attr.attr,
	&last_grace_ns_attr.attr.attr,
	&batch_bytes_attr.attr.attr,
	&quarantine_ms_attr.attr.attr,
	&lease_ms_attr.attr.attr,
	&lease_max_ms_attr.attr.attr,
	&pin_bytes_attr.attr.attr,
	&dev_attr_max_change.attr,
	&dev_attr_dangling.attr,
	&dev_attr_require_expect.attr,
	&dev_attr_pins.attr,
	&revoked_pins_attr.attr.attr,
	&dev_attr_opens.attr,
	NULL
};

static const struct attribute_group shelf_group = {
	.attrs = shelf_attrs,
};

const struct attribute_group *shelf_groups[] = {
	&shelf_group,
	NULL
};
