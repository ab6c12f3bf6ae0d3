/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * Shelf: a product catalogue in kernel memory.
 *
 * This header is the whole ABI: the ioctls of /dev/shelf/NAME, the generic
 * netlink family "shelf", and the bytes that a mapping of the device shows.
 * Documentation/abi.md says the same in prose, with units, ranges and errors.
 *
 * Netlink, in one picture (! required, [] optional, * repeated):
 *
 *   CREATE        !NAME !MAX_BYTES [BATCH_BYTES] [QUARANTINE_MS] [LEASE_MS]
 *                 [LEASE_MAX_MS] [PIN_BYTES] [HASH_SEED] [MAX_CHANGE] [DANGLING]
 *                 [REQUIRE_EXPECT]
 *                                         -> NEW
 *   DESTROY       !NAME
 *   GET           !NAME                   -> NEW        (dump: every shelf)
 *   SET           !NAME [BATCH_BYTES] [QUARANTINE_MS] [LEASE_MS]
 *                 [LEASE_MAX_MS] [PIN_BYTES] [MAX_CHANGE] [DANGLING] [REQUIRE_EXPECT]
 *   BATCH_BEGIN   !NAME                   -> BATCH_BEGIN COOKIE
 *   BATCH_OPS     !COOKIE OP*
 *     OP            !KIND
 *       put           !PRODUCT [PRICE] [STOCK] [FLAGS] [CURRENCY] [ATTRS]
 *       patch         !PRODUCT [PRICE] [STOCK] [FLAGS] [CURRENCY] [ATTRS]
 *       delete        !PRODUCT
 *       cat. add      !CATALOG !MEMBERS
 *       cat. remove   !CATALOG !MEMBERS
 *       cat. delete   !CATALOG
 *       sequence      !SOURCE !FIRST !LAST [NO_GAP]
 *       source        !SOURCE !LAST
 *       source delete !SOURCE
 *   BATCH_COMMIT  !COOKIE [EXPECT] [OPS] [NO_WAIT] [CHECK] [MAX_CHANGE] [DANGLING]
 *                                         -> ack when queued, then, unicast,
 *                                            BATCH_RESULT with the same seq
 *   BATCH_ABORT   !COOKIE
 *   PINS          !NAME                   dump only: a PIN for each
 *   SOURCES       !NAME                   dump only: a SOURCE for each
 *   TRIM          !NAME                   -> NEW, its TRIMS_ASKED a ticket
 *   events (multicast group "events"): CREATED, DESTROYED, COMMITTED
 */
#ifndef _UAPI_SHELF_H
#define _UAPI_SHELF_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SHELF_ABI_VERSION	1

/* Sizes and limits. Any __s64 is a valid id, of products and of catalogs. */
#define SHELF_ID_MIN		(-0x7fffffffffffffffLL - 1)
#define SHELF_NAME_MAX		31		/* bytes, without the NUL */
#define SHELF_PAGE_SHIFT	12
#define SHELF_PAGE_BYTES	(1U << SHELF_PAGE_SHIFT)
#define SHELF_CHUNK_SHIFT	21
#define SHELF_CHUNK_BYTES	(1U << SHELF_CHUNK_SHIFT)
#define SHELF_MIN_BYTES		(2ULL * SHELF_CHUNK_BYTES)
#define SHELF_MAX_BYTES		(1ULL << 36)	/* 64 GiB: 24 bits of pages */
#define SHELF_ATTRS_MAX		61440U		/* attribute bytes of a product */
#define SHELF_MEMBERS_MAX	8000U		/* members in one operation */
#define SHELF_SOURCE_MAX	255U		/* bytes of a source's name, 1 at least */
#define SHELF_GET_MANY_MAX	1024U		/* ids in one SHELF_IOC_GET_MANY */
#define SHELF_PAGE_MEMBERS_MAX	8192U		/* ids from one SHELF_IOC_MEMBERS */
#define SHELF_LEASE_MS_MAX	604800000U	/* a week */
#define SHELF_CHANGE_MAX	1000000U	/* per cent that a guard may allow */

/*
 * Mapped layout
 * =============
 *
 * mmap offsets. Both regions are read-only and MAP_SHARED. The first has the
 * control page and, for those who map two pages, the pin page. The arena may be
 * mapped in part, in multiples of SHELF_CHUNK_BYTES, at addresses congruent to
 * them. A hosted shelf is a file with the same bytes at the same offsets.
 */
#define SHELF_MMAP_CONTROL	0ULL
#define SHELF_MMAP_ARENA	((__u64)SHELF_CHUNK_BYTES)

#define SHELF_CONTROL_MAGIC	0x315443464c454853ULL	/* "SHELFCT1" */
#define SHELF_ROOT_MAGIC	0x31544f4f52464853ULL	/* "SHFROOT1" */

/* current = generation << 24 | root page */
#define SHELF_ROOT_BITS		24
#define SHELF_ROOT_MASK		((1ULL << SHELF_ROOT_BITS) - 1)
#define SHELF_GENERATION_MAX	((1ULL << 40) - 1)

/**
 * struct shelf_control - the control page
 *
 * Line 0 and line 2 never change. Line 1 holds the only two words that do, and
 * both change with a commit or a reuse of memory, nothing else, so a reader
 * that polls them keeps its own copy of the line until then.
 *
 * @magic: SHELF_CONTROL_MAGIC
 * @abi: SHELF_ABI_VERSION
 * @seed: seed of the id hash
 * @arena_bytes: size of the arena's reservation, a power of two; offsets are
 *               masked with arena_bytes - 1
 * @max_bytes: how much of it may ever be backed by memory
 * @current_word: generation and root page of the newest snapshot
 * @oldest: no page of this generation or a later one has been reused
 */
struct shelf_control {
	__u64 magic;
	__u32 abi;
	__u32 reserved0;
	__u64 seed;
	__u64 arena_bytes;
	__u64 max_bytes;
	__u64 reserved1[3];

	__u64 current_word;
	__u64 oldest;
	__u64 reserved2[6];

	char  name[SHELF_NAME_MAX + 1];
	__u64 created_ns;		/* CLOCK_REALTIME, nanoseconds */
	__u64 reserved3[3];
};

/**
 * struct shelf_pins - the pin page
 *
 * @token: of each slot, the pin that has it, 0 for none. A pin is good as long
 *         as it stands in slot SHELF_PIN_SLOT(pin). No number comes twice.
 */
#define SHELF_PINS		512U
#define SHELF_PIN_SLOT(pin)	((pin) & (SHELF_PINS - 1))
#define SHELF_PINS_PER_FILE	32U
#define SHELF_PINS_PER_USER	128U

struct shelf_pins {
	__u64 token[SHELF_PINS];
};

/*
 * A directory entry: page << 8 | tag. Tag below SHELF_TAG_NODE: a leaf, and
 * the tag is its placement seed, an odd number. From SHELF_TAG_NODE on: an
 * inner node of 2^(256 - tag) entries, so that the tag's low six bits are how
 * far a place is shifted. Zero: nothing here (page 0 is all zeros).
 */
#define SHELF_TAG_BITS		8
#define SHELF_TAG_NODE		0xf0U
#define SHELF_SEEDS		SHELF_TAG_NODE
#define SHELF_NODE_BITS		10
#define SHELF_NODE_ENTRIES	(1U << SHELF_NODE_BITS)
#define SHELF_LEVELS		7	/* root table and six nodes: 64 bits */

#define SHELF_LINE		64U
#define SHELF_LEAF_SLOTS	63U	/* slots 1 to 63; slot 0 is the header */
#define SHELF_LEAF_FULL		60U	/* a leaf of more splits */

#define SHELF_PRODUCT_DIR_BITS	9
#define SHELF_CATALOG_DIR_BITS	8
#define SHELF_SOURCE_DIR_BITS	7

/**
 * struct shelf_root - one snapshot: everything a reader needs hangs from here
 *
 * @magic: SHELF_ROOT_MAGIC
 * @generation: of this snapshot
 * @products, @catalogs, @memberships: how many there are
 * @attrs_bytes: sum of the products' attribute lengths
 * @committed_ns: CLOCK_REALTIME of the commit, nanoseconds
 * @sources: how many there are
 * @source_dir, @catalog_dir, @product_dir: the tries' top tables
 */
struct shelf_root {
	__u64 magic;
	__u64 generation;
	__u64 products;
	__u64 catalogs;
	__u64 memberships;
	__u64 attrs_bytes;
	__u64 committed_ns;
	__u64 sources;
	__u64 reserved[56];
	__u32 source_dir[1U << SHELF_SOURCE_DIR_BITS];		/* at 512 */
	__u32 catalog_dir[1U << SHELF_CATALOG_DIR_BITS];	/* at 1024 */
	__u32 product_dir[1U << SHELF_PRODUCT_DIR_BITS];	/* at 2048 */
};

/*
 * First line of a leaf, of a set page and of a slab page. In a leaf it takes the
 * place of slot 0: @writer is zero there but for its byte at 62, the slot's
 * @next, and so the slot's @state, at 63, says that there is no record.
 */
#define SHELF_KIND_FREE		0
#define SHELF_KIND_ROOT		1
#define SHELF_KIND_NODE		2
#define SHELF_KIND_PRODUCTS	3	/* leaf of products */
#define SHELF_KIND_CATALOGS	4	/* leaf of catalogs */
#define SHELF_KIND_SET		5	/* page of a large set */
#define SHELF_KIND_SLAB		6
#define SHELF_KIND_DATA		7	/* 4096 attribute bytes */
#define SHELF_KIND_SOURCES	8	/* leaf of sources */
#define SHELF_KINDS		9

struct shelf_page_header {
	__u32 kind;		/* SHELF_KIND_* */
	__u32 count;		/* records, members, entries; slab: slot bytes */
	__u64 birth;		/* generation that wrote the page */
	__u64 key;		/* leaf: hash prefix; set: catalog id */
	__u8  level;		/* leaf: bits of prefix; set: 0 = members */
	__u8  seed;		/* leaf: placement seed */
	__u8  reserved[6];
	__u64 writer[4];	/* the writer's own; readers ignore it */
};

/**
 * struct shelf_product - a product's hot record: one cache line
 *
 * @id: any value
 * @generation: the commit that last changed the record
 * @price: minor units of @currency
 * @stock: units
 * @attrs_generation: the commit that wrote the attribute bytes where they are: the
 *                    last that changed them, or a later trim, which moved them
 * @attrs_ref: where they are, in units of 16 bytes into the arena: of up to
 *             SHELF_ATTRS_INLINE bytes a slot (key, then the bytes), of more a
 *             slot with the numbers of pages that hold 4096 bytes each
 * @flags: the application's
 * @currency: three upper-case letters and a NUL, or all zero
 * @attrs_len: bytes, 0 to SHELF_ATTRS_MAX
 * @next: slot of the next record with the same home, XOR the record's own slot,
 *        so 0 = none (in answers 0)
 * @state: SHELF_PRESENT, or 0 for a free slot (in answers: no such product)
 */
struct shelf_product {
	__s64 id;
	__u64 generation;
	__s64 price;
	__s64 stock;
	__u64 attrs_generation;
	__u32 attrs_ref;
	__u32 flags;
	__u8  currency[4];
	__u32 attrs_len;
	__u8  reserved[6];
	__u8  next;
	__u8  state;
};

#define SHELF_PRESENT		1

#define SHELF_SLOT_MAX		3584U	/* bytes of the largest slot */
#define SHELF_SLOT_KEY		8U	/* a slot begins with its owner's id */
#define SHELF_SLOT_UNIT		16U	/* granularity of slots and refs */
#define SHELF_ATTRS_INLINE	(SHELF_SLOT_MAX - SHELF_SLOT_KEY)

/**
 * struct shelf_catalog - a catalog's record: one cache line
 *
 * @id: any value
 * @generation: the commit that last changed the set
 * @count: members, at least 1
 * @members: SHELF_SET_INLINE: the members, ascending
 * @set_generation: else: the commit that wrote the slot or the root page
 * @set_ref: SHELF_SET_SLOT: in units of 16 bytes (key, then members);
 *           SHELF_SET_TREE: page number of the tree's root
 * @set: SHELF_SET_*
 * @level: SHELF_SET_TREE: level of the root page, 0 = members
 */
struct shelf_catalog {
	__s64 id;
	__u64 generation;
	__u64 count;
	union {
		__s64 members[4];

		__extension__ struct {
			__u64 set_generation;
			__u32 set_ref;
			__u32 reserved0;
		};
	};
	__u8  set;
	__u8  level;
	__u8  reserved[4];
	__u8  next;
	__u8  state;
};

#define SHELF_SET_INLINE	0
#define SHELF_SET_SLOT		1
#define SHELF_SET_TREE		2
#define SHELF_INLINE_MEMBERS	4U
#define SHELF_SLOT_MEMBERS	((SHELF_SLOT_MAX - SHELF_SLOT_KEY) / 8)
#define SHELF_SET_LEVELS	6U

/* A page of a large set, behind its header: level 0 has members, ... */
#define SHELF_SET_PAGE_MEMBERS	504U
/* ... the others have fences: the smallest member below, and the page. */
struct shelf_fence {
	__s64 first;
	__u32 page;
	__u32 reserved;
};

#define SHELF_SET_PAGE_FENCES	252U

/**
 * struct shelf_source - how far a source of batches has come: one cache line
 *
 * Laid out as a product whose attributes are the source's name; what a product has
 * and this has not is zero.
 *
 * @id: of the name's bytes, SHELF_SOURCE_HASH: FNV-1a, 64 bits
 * @generation: the commit that last changed the record
 * @last: sequence number that was applied last
 * @name_generation: the commit that wrote the name where it is
 * @name_ref: where the name is: a slot (key, then the bytes)
 * @name_len: bytes, 1 to SHELF_SOURCE_MAX
 * @next, @state: as of products
 */
#define SHELF_SOURCE_HASH	0xcbf29ce484222325ULL	/* begins with this */
#define SHELF_SOURCE_PRIME	0x100000001b3ULL	/* ^= byte, *= prime */

struct shelf_source {
	__s64 id;
	__u64 generation;
	__u64 last;
	__u64 reserved0;
	__u64 name_generation;
	__u32 name_ref;
	__u32 reserved1;
	__u8  reserved2[4];
	__u32 name_len;
	__u8  reserved3[6];
	__u8  next;
	__u8  state;
};

/*
 * ioctls
 * ======
 *
 * Each struct begins with its own size, as compiled into the caller. Fields
 * beyond what the kernel knows must be zero (E2BIG); a shorter struct is taken
 * as padded with zeros. @flags must be zero where no flag is named (EINVAL).
 * Pointers travel as __u64. Every answer tells the generation it is from.
 * Errors of all: EFAULT, EINVAL, E2BIG, ENOTTY, and ENOMEM of those that answer
 * into buffers; those of one stand beside it.
 */
#define SHELF_IOC		0xc5

struct shelf_ioc_info {
	__u32 size;
	__u32 flags;
	__u32 abi;			/* out, as all that follows */
	__u32 dead;			/* 1: destroyed, lives until closed */
	__u64 generation;
	__u64 oldest;
	__u64 products;
	__u64 catalogs;
	__u64 memberships;
	__u64 attrs_bytes;
	__u64 max_bytes;
	__u64 arena_bytes;
	__u64 committed_ns;
	char  name[SHELF_NAME_MAX + 1];
	__u64 pin;			/* in: see below */
	__u64 sources;			/* out */
};

/*
 * What follows, and info, answers from the snapshot of @pin, or, if that is 0,
 * from the newest. ESTALE: @pin is not, or no longer, a pin of this file.
 */

/*
 * ENOENT: no such product. With SHELF_GET_SOURCE a source's record, as a struct
 * shelf_source, and for attributes its name, which the caller compares.
 */
#define SHELF_GET_SOURCE	1U
struct shelf_ioc_get {
	__u32 size;
	__u32 flags;
	__s64 id;
	__u64 attrs;			/* buffer, may be null if attrs_size is 0 */
	__u32 attrs_size;		/* bytes; product.attrs_len tells the whole */
	__u32 reserved;
	__u64 generation;		/* out */
	struct shelf_product product;	/* out; attrs_ref and next are 0 */
	__u64 pin;
};

/* All from one snapshot. EINVAL: count above SHELF_GET_MANY_MAX. */
struct shelf_ioc_get_many {
	__u32 size;
	__u32 flags;
	__u64 ids;			/* __s64[count] */
	__u64 products;			/* struct shelf_product[count], in order */
	__u32 count;
	__u32 found;			/* out */
	__u64 generation;		/* out */
	__u64 pin;
};

/*
 * Members in ascending order, from the first one above @after (with
 * SHELF_MEMBERS_AFTER) or from the first. ENOENT: no such catalog. EINVAL:
 * count above SHELF_PAGE_MEMBERS_MAX.
 */
#define SHELF_MEMBERS_AFTER	1U
struct shelf_ioc_members {
	__u32 size;
	__u32 flags;
	__s64 catalog;
	__s64 after;
	__u64 ids;			/* __s64[count] */
	__u32 count;			/* in: room; out: written */
	__u32 more;			/* out: 1 if members follow */
	__u64 total;			/* out: members of the catalog */
	__u64 generation;		/* out */
	__u64 pin;
};

struct shelf_ioc_is_member {
	__u32 size;
	__u32 flags;
	__s64 catalog;
	__s64 product;
	__u32 member;			/* out: 1 or 0 */
	__u32 reserved;
	__u64 generation;		/* out */
	__u64 pin;
};

/*
 * All products, or catalogs, or sources, in an order of the snapshot's own. @cursor
 * is 0 at first, then what the last call left there; it is a place in the key space
 * and good for any generation. Of products attrs_ref and next are 0, of sources
 * name_ref and next; of catalogs only id, generation and count are told. EINVAL: count
 * below SHELF_LEAF_SLOTS or above SHELF_GET_MANY_MAX; both flags.
 */
#define SHELF_SCAN_CATALOGS	1U
#define SHELF_SCAN_SOURCES	2U
struct shelf_ioc_scan {
	__u32 size;
	__u32 flags;
	__u64 cursor;			/* in and out */
	__u64 records;			/* struct shelf_product, _catalog or _source[count] */
	__u32 count;			/* in: room; out: written, 0 may not be the end */
	__u32 done;			/* out: 1 at the end */
	__u64 generation;		/* out */
	__u64 pin;
};

/*
 * Takes a pin, which keeps one snapshot as it is. It belongs to the open file:
 * to whoever shares it, and until its last descriptor and mapping are gone. From
 * when its lease is over it is revoked as soon as it keeps memory from being
 * used again; and before, if all that pins keep is above the shelf's limit and
 * this one keeps most. Then the pin's token is gone from the pin page, ioctls
 * with it are refused, and poll() tells POLLPRI until it is unpinned.
 *
 * EINVAL: generation is not there yet. ESTALE: it is no longer intact. EMFILE:
 * the file has SHELF_PINS_PER_FILE. EDQUOT: its user has SHELF_PINS_PER_USER, among
 * them such of other generations as were let go in this grace period. ENOSPC: the
 * shelf has SHELF_PINS, or twice as many with those.
 */
struct shelf_ioc_pin {
	__u32 size;
	__u32 flags;
	__u64 generation;		/* in: 0 for the newest; out: of the pin */
	__u64 lease_ns;			/* in: 0 for the usual; out: granted */
	__u64 pin;			/* out: its token, never 0 */
	__u32 root_page;		/* out: of its snapshot, for mapped readers */
	__u32 reserved;
};

/* ESTALE: it had been revoked, and is gone. EINVAL: not a pin of this file. */
struct shelf_ioc_unpin {
	__u32 size;
	__u32 flags;
	__u64 pin;
};

/*
 * Returns when the newest generation is at least @generation, and tells it.
 * ETIMEDOUT; EINTR (a wait without timeout is restarted where the handler says
 * SA_RESTART); ENODEV: destroyed before it came.
 */
struct shelf_ioc_wait {
	__u32 size;
	__u32 flags;
	__u64 generation;		/* in: awaited; out: newest */
	__s64 timeout_ns;		/* below 0: for ever */
};

/*
 * What a mapped reader counted since its last report. The kernel adds it up in
 * counters of their own and believes none of it. EINVAL: a number above
 * SHELF_REPORT_MAX. Tells no generation.
 */
#define SHELF_REPORT_MAX	(1ULL << 48)
struct shelf_ioc_report {
	__u32 size;
	__u32 flags;
	__u64 lookups;			/* ids looked up */
	__u64 hits;			/* of these */
	__u64 members;			/* of catalogs, copied out */
};

#define SHELF_IOC_INFO		_IO(SHELF_IOC, 0)
#define SHELF_IOC_GET		_IO(SHELF_IOC, 1)
#define SHELF_IOC_GET_MANY	_IO(SHELF_IOC, 2)
#define SHELF_IOC_MEMBERS	_IO(SHELF_IOC, 3)
#define SHELF_IOC_IS_MEMBER	_IO(SHELF_IOC, 4)
#define SHELF_IOC_WAIT		_IO(SHELF_IOC, 5)
#define SHELF_IOC_PIN		_IO(SHELF_IOC, 6)
#define SHELF_IOC_UNPIN		_IO(SHELF_IOC, 7)
#define SHELF_IOC_REPORT	_IO(SHELF_IOC, 8)
#define SHELF_IOC_SCAN		_IO(SHELF_IOC, 9)

/*
 * Generic netlink
 * ===============
 */
#define SHELF_GENL_NAME		"shelf"
#define SHELF_GENL_VERSION	1
#define SHELF_GENL_EVENTS	"events"

enum shelf_cmd {
	SHELF_CMD_UNSPEC,
	SHELF_CMD_CREATE,
	SHELF_CMD_DESTROY,
	SHELF_CMD_GET,
	SHELF_CMD_SET,
	SHELF_CMD_BATCH_BEGIN,
	SHELF_CMD_BATCH_OPS,
	SHELF_CMD_BATCH_COMMIT,
	SHELF_CMD_BATCH_ABORT,
	SHELF_CMD_PINS,
	SHELF_CMD_TRIM,
	SHELF_CMD_SOURCES,
	/* from the kernel only */
	SHELF_CMD_NEW,
	SHELF_CMD_BATCH_RESULT,
	SHELF_CMD_CREATED,
	SHELF_CMD_DESTROYED,
	SHELF_CMD_COMMITTED,
	SHELF_CMD_PIN,
	SHELF_CMD_SOURCE,
	__SHELF_CMD_MAX
};

#define SHELF_CMD_MAX (__SHELF_CMD_MAX - 1)

enum shelf_attr {
	SHELF_A_UNSPEC,
	SHELF_A_PAD,
	/* string, 1 to SHELF_NAME_MAX of [A-Za-z0-9_.-], not . or - first */
	SHELF_A_NAME,
	/* u64, SHELF_MIN_BYTES to SHELF_MAX_BYTES, rounded up to chunks */
	SHELF_A_MAX_BYTES,
	SHELF_A_BATCH_BYTES,		/* u64, most bytes staged in one batch */
	SHELF_A_QUARANTINE_MS,		/* u32, 0 to 3600000 */
	SHELF_A_HASH_SEED,		/* u64, for tests; random if absent */
	SHELF_A_COOKIE,			/* u64, names a batch of this socket */
	SHELF_A_OP,			/* nest of SHELF_OP_A_* */
	SHELF_A_EXPECT,			/* u64: only upon this, or trims of it */

	SHELF_A_GENERATION,		/* u64 */
	SHELF_A_PRODUCTS,		/* u64 */
	SHELF_A_CATALOGS,		/* u64 */
	SHELF_A_MEMBERSHIPS,		/* u64 */
	SHELF_A_BYTES,			/* u64, memory held */
	SHELF_A_OPENS,			/* u32, open files */

	SHELF_A_ERROR,			/* u32, errno, 0 = committed; of a CHECK: would be */
	SHELF_A_MESSAGE,		/* string, what was refused */
	SHELF_A_OP_INDEX,		/* u64, which operation, from 0 */
	/* u64, operations applied; in a commit: how many must be staged */
	SHELF_A_OPS,
	/* u64, deletes and removes of what was not there, adds of what was */
	SHELF_A_ABSENT,
	SHELF_A_PAGES,			/* u64, pages written by the commit */
	SHELF_A_DRAFT_NS,		/* u64, drafting */
	SHELF_A_PUBLISH_NS,		/* u64, publishing and announcing */
	SHELF_A_GRACE_NS,		/* u64, waiting for the grace period */

	/* flag: answer a commit before the grace period is over */
	SHELF_A_NO_WAIT,
	SHELF_A_LEASE_MS,		/* u32, 1 to SHELF_LEASE_MS_MAX: if not asked for */
	SHELF_A_LEASE_MAX_MS,		/* u32, 1 to SHELF_LEASE_MS_MAX: at most */
	/* u64, most bytes that pins alone may keep */
	SHELF_A_PIN_BYTES,
	SHELF_A_PID,			/* u32, of who took the pin */
	SHELF_A_COMM,			/* string, its name then */
	SHELF_A_USER,			/* u32, user id of who opened the file */
	SHELF_A_AGE_MS,			/* u64, of the pin */
	SHELF_A_LEFT_MS,		/* u64, of its lease */
	SHELF_A_TRIMS_ASKED,		/* u64 */
	SHELF_A_TRIMS_DONE,		/* u64, of these */
	SHELF_A_SOURCES,		/* u64, how many there are */
	SHELF_A_SOURCE,			/* 1 to SHELF_SOURCE_MAX bytes: its name */
	SHELF_A_LAST,			/* u64, its sequence number applied last */
	/* flag: the batch had been applied before; nothing was changed */
	SHELF_A_REPEATED,
	/*
	 * flag: all that a commit does but to publish. In its result, too: then GENERATION
	 * is the newest, and the counts are what a commit would have come to.
	 */
	SHELF_A_CHECK,
	/*
	 * Guards, of a shelf or, in their place, of one commit. One that says no is
	 * EDOM, with a MESSAGE.
	 */
	/*
	 * u32, 0 to SHELF_CHANGE_MAX: most per cent by which a commit may change how
	 * many products, catalogs or memberships there are; 0: any. What is none before
	 * may become any number.
	 */
	SHELF_A_MAX_CHANGE,
	SHELF_A_DANGLING,		/* u8, enum shelf_dangling */
	SHELF_A_REQUIRE_EXPECT,		/* u8, 1: a commit without EXPECT is refused */
	/* u64, members left without their product, if that is WARN; MESSAGE tells one */
	SHELF_A_DANGLES,
	__SHELF_A_MAX
};

#define SHELF_A_MAX (__SHELF_A_MAX - 1)

/*
 * What becomes of a commit that leaves members without their product: that adds them
 * so, or deletes the product. Those that were without before are not looked at. Other
 * than ALLOW it costs a lookup for each member added, and, if any product is deleted,
 * a look into all catalogs.
 */
enum shelf_dangling {
	SHELF_DANGLING_ALLOW,
	SHELF_DANGLING_WARN,		/* it is told how many, in DANGLES and MESSAGE */
	SHELF_DANGLING_REFUSE,
	__SHELF_DANGLING_MAX
};

#define SHELF_DANGLING_MAX (__SHELF_DANGLING_MAX - 1)

enum shelf_op_attr {
	SHELF_OP_A_UNSPEC,
	SHELF_OP_A_PAD,
	SHELF_OP_A_KIND,		/* u8, enum shelf_op_kind */
	SHELF_OP_A_PRODUCT,		/* s64 */
	SHELF_OP_A_PRICE,		/* s64, minor units */
	SHELF_OP_A_STOCK,		/* s64 */
	SHELF_OP_A_FLAGS,		/* u32 */
	SHELF_OP_A_CURRENCY,		/* 3 bytes, A to Z, or 3 zero bytes */
	SHELF_OP_A_ATTRS,		/* bytes, 0 to SHELF_ATTRS_MAX */
	SHELF_OP_A_CATALOG,		/* s64 */
	SHELF_OP_A_MEMBERS,		/* s64[1 to SHELF_MEMBERS_MAX] */
	/* 1 to SHELF_SOURCE_MAX bytes of printable ASCII */
	SHELF_OP_A_SOURCE,
	SHELF_OP_A_FIRST,		/* u64, of the batch's sequence numbers */
	SHELF_OP_A_LAST,		/* u64, from FIRST to 2^63 - 1 */
	SHELF_OP_A_NO_GAP,		/* flag: FIRST has to follow what was last */
	__SHELF_OP_A_MAX
};

#define SHELF_OP_A_MAX (__SHELF_OP_A_MAX - 1)

enum shelf_op_kind {
	SHELF_OP_UNSPEC,
	SHELF_OP_PUT,			/* whole record; what is not given is 0 */
	SHELF_OP_PATCH,			/* only what is given; ENOENT if absent */
	SHELF_OP_DELETE,
	SHELF_OP_CATALOG_ADD,		/* makes the catalog if need be */
	SHELF_OP_CATALOG_REMOVE,	/* the last member takes the catalog along */
	SHELF_OP_CATALOG_DELETE,
	/*
	 * The batch has these numbers of a source: refused (EILSEQ) if some of them
	 * have been applied. If that is so of all of them, and of all sources that the
	 * batch names so, it is a repeat: acknowledged, with no effect.
	 */
	SHELF_OP_SEQUENCE,
	SHELF_OP_SOURCE,		/* sets what was applied last, whatever it was */
	SHELF_OP_SOURCE_DELETE,
	__SHELF_OP_MAX
};

#define SHELF_OP_MAX (__SHELF_OP_MAX - 1)

#endif /* _UAPI_SHELF_H */
