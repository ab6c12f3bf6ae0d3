/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * libshelf: reading and changing a shelf.
 *
 * A shelf is named by its name ("prices": the device /dev/shelf/prices, changed
 * over netlink) or by the path of a hosted shelf ("hosted:/var/tmp/prices": a
 * file with the same bytes, changed by one process at a time).
 *
 * Reading
 * -------
 *
 *	struct shelf *s;
 *	struct shelf_product p;
 *	int ret = shelf_open("prices", 0, &s);
 *
 *	ret = shelf_get(s, 42, &p);		1: found, 0: not there, < 0: errno
 *
 * takes no lock and makes no system call. Several lookups from one snapshot:
 *
 *	struct shelf_section c;
 *
 *	do {
 *		shelf_begin(s, &c);
 *		product = shelf_view_product(&c.view, id);
 *		...copy what is needed out of the snapshot...
 *	} while (shelf_retry(s, &c));
 *
 * Between the two everything read may be garbage, so copy, don't act. A retry
 * is needed only if the reader was stopped for longer than the quarantine
 * (default one second). The functions below do all that themselves and, after
 * a few retries or where mapping is refused, ask by ioctl.
 *
 * Threads
 * -------
 *
 * What a call may do beside others follows from what it works on, its first argument:
 *
 *	struct shelf		any number of threads at once, and children of fork(), but
 *				for shelf_close(), which comes when no other call has it
 *	struct shelf_pin	the same; shelf_unpin() comes when no other call has it, and
 *				by one thread
 *	struct shelf_section	one thread; it may be another's than the shelf's other ones
 *	struct shelf_cursor	one thread at a time
 *	struct shelf_scan	one thread at a time
 *	struct shelf_writer	one thread at a time, with all its batches
 *	struct shelf_batch	one thread at a time, the one that has its writer
 *	struct shelf_events	one thread at a time
 *
 * Neither a writer, nor its batches, nor events are for a child of fork(). Calls that
 * have nothing of these yet, or only a name, may be made by any number of threads at
 * once: shelf_open(), shelf_writer_open(), shelf_events_open(), shelf_create(),
 * shelf_destroy(), shelf_set(), shelf_trim(), shelf_list(), shelf_list_pins(),
 * shelf_list_sources(). These call @each in the thread that called them, with no lock
 * held: it may call anything.
 *
 * Signal handlers may use sections, and shelf_pin_valid(), of mapped shelves; nothing
 * else.
 */
#ifndef LIBSHELF_H
#define LIBSHELF_H

/* Where it is installed; of what pkg-config says, SHELF_INSTALLED need not be known. */
#if defined(SHELF_INSTALLED) || !__has_include("../../kmod/scan.h")
#include <shelf/scan.h>
#else
#include "../../kmod/scan.h"
#endif

#ifdef __cplusplus
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"	/* as walk.h */
/* A struct and a call of one name, as with stat(): g++ says that it hides a constructor. */
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/* Every function returns a negative errno on failure, unless it says else. */

#define SHELF_OPEN_IOCTL	1U	/* don't map: read by ioctl alone */
/*
 * Count mapped lookups, each thread in memory of its own, and report the sums to
 * the kernel, at most once a second and when the shelf is closed; they are shown
 * in sysfs as reported_*. A thread looks at the clock once in 1024 ids, so what
 * slow readers counted may wait for the close; a lookup that finds a report due
 * makes the ioctl. A child counts what it looks up after the fork(). No lookups in
 * signal handlers then. Of a hosted shelf nobody keeps counters: the flag has no
 * effect. What is read through a pin of a mapped shelf is not counted.
 */
#define SHELF_OPEN_COUNT	2U

struct shelf_counts;

/*
 * @fd, @control, @arena: -1 or NULL where there is none. Treat all of it as
 * private; it is here for the inline functions.
 */
struct shelf {
	int fd;
	unsigned int flags;
	int pid;			/* of who opened it */
	const struct shelf_control *control;
	const struct shelf_pins *pins;	/* NULL: a hosted shelf */
	const __u8 *arena;
	__u64 mask;
	__u64 seed;
	struct shelf_counts *counts;	/* NULL: none are kept */
};

struct shelf_section {
	struct shelf_view view;
	__u64 generation;
};

int shelf_open(const char *name, unsigned int flags, struct shelf **out);
void shelf_close(struct shelf *s);

static inline bool shelf_is_mapped(const struct shelf *s)
{
	return s->arena != NULL;
}

/*
 * P1, P3. The acquire pairs with the store-release of current_word in
 * draft_publish(): whoever sees the generation sees all of its bytes.
 */
static inline void shelf_begin(const struct shelf *s, struct shelf_section *c)
{
	__u64 word = __atomic_load_n(&s->control->current_word, __ATOMIC_ACQUIRE);

	c->generation = word >> SHELF_ROOT_BITS;
	c->view.arena = s->arena;
	c->view.mask = s->mask;
	c->view.seed = s->seed;
	c->view.root = (const struct shelf_root *)
		shelf_view_page(&c->view, (__u32)(word & SHELF_ROOT_MASK));
}

/*
 * P3. The fence pairs with the smp_wmb() in retired_free() and with the one at
 * the start of a draft: a reader that saw one byte of a reused page sees
 * @oldest above its generation here.
 */
static inline bool shelf_retry(const struct shelf *s, const struct shelf_section *c)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->control->oldest, __ATOMIC_RELAXED) >
	       c->generation;
}

/*
 * The same as symbols, for languages that can't include this header, and the
 * lookups of walk.h with them. @p and @catalog are the caller's own copies of
 * what shelf_section_product() and shelf_section_catalog() point at: in the
 * arena they may change while they are used. shelf_pin_is_valid(), below, is
 * shelf_pin_valid().
 */
void shelf_section_begin(const struct shelf *s, struct shelf_section *c);
bool shelf_section_retry(const struct shelf *s, const struct shelf_section *c);
const struct shelf_product *shelf_section_product(const struct shelf_section *c,
						  __s64 id);
__u32 shelf_section_attrs(const struct shelf_section *c,
			  const struct shelf_product *p, void *to, __u32 room);
const struct shelf_catalog *shelf_section_catalog(const struct shelf_section *c,
						  __s64 id);
/*
 * By the hash of its name. It begins as a product does whose attributes are the name:
 * shelf_section_attrs() gives it, to be compared, for another's may have the same hash.
 */
const struct shelf_source *shelf_section_source(const struct shelf_section *c,
						const char *source);
bool shelf_section_has(const struct shelf_section *c,
		       const struct shelf_catalog *catalog, __s64 product);
__u32 shelf_section_members(const struct shelf_section *c,
			    const struct shelf_catalog *catalog, bool from_start,
			    __s64 after, __s64 *ids, __u32 room, bool *more);
bool shelf_mapped(const struct shelf *s);

/*
 * 1: found and copied, 0: no such product. In answers attrs_ref and next are 0.
 * EAGAIN, of all lookups: a hosted shelf changed too fast for too long. What a
 * lookup that found nothing or failed leaves in its buffers is undefined.
 */
int shelf_get(const struct shelf *s, __s64 id, struct shelf_product *p);

/*
 * The same with up to @room attribute bytes; p->attrs_len tells how many there
 * are. All from one generation, which goes to @generation unless it is NULL.
 */
int shelf_get_attrs(const struct shelf *s, __s64 id, struct shelf_product *p,
		    void *attrs, __u32 room, __u64 *generation);

/*
 * @count products of one generation, in the order of @ids; where there is none,
 * state is 0 and only the id set. Any count. Returns how many were found. EAGAIN:
 * read by ioctl, more than SHELF_GET_MANY_MAX ids, and a commit came between each
 * time.
 */
long shelf_get_many(const struct shelf *s, const __s64 *ids, size_t count,
		    struct shelf_product *products, __u64 *generation);

/*
 * The same with attributes: up to @room bytes of the i-th product at
 * @attrs + i * @room. EAGAIN, read by ioctl: a commit came between each time.
 */
long shelf_get_many_attrs(const struct shelf *s, const __s64 *ids, size_t count,
			  struct shelf_product *products, void *attrs, __u32 room,
			  __u64 *generation);

/* 1: the catalog has the product, 0: it has not, or there is no such catalog. */
int shelf_is_member(const struct shelf *s, __s64 catalog, __s64 product);

/*
 * The same for @count products of one catalog, all of one generation. Returns
 * how many are members. EAGAIN as above.
 */
long shelf_are_members(const struct shelf *s, __s64 catalog, const __s64 *products,
		       size_t count, bool *member, __u64 *generation);

/* 1 and *count: members of the catalog; 0: no such catalog. */
int shelf_catalog_count(const struct shelf *s, __s64 catalog, __u64 *count);

/*
 * A page of a catalog. Begin with a zeroed cursor but for @catalog; each call
 * returns how many members it wrote (ascending, each above the last), 0 at the
 * end. @generation tells which snapshot the page is of: pages of one walk may
 * be of different ones if a commit comes between. ENOENT: no such catalog.
 */
struct shelf_cursor {
	__s64 catalog;
	__s64 after;
	__u64 generation;
	__u64 total;
	bool started;
	bool done;
};

long shelf_catalog_next(const struct shelf *s, struct shelf_cursor *cursor,
			__s64 *ids, size_t room);

/*
 * Adds to this thread's counts what it looked up in sections of its own, which
 * the library does not see: ids, how many of these were found, catalog members
 * copied out. Nothing happens without SHELF_OPEN_COUNT. What one report tells is
 * at most SHELF_REPORT_MAX of each.
 */
void shelf_count(const struct shelf *s, __u64 lookups, __u64 hits, __u64 members);

/*
 * 1: how far the source has come is in @out, 0: it is not known. name_ref and next are
 * 0 there.
 */
int shelf_source(const struct shelf *s, const char *source, struct shelf_source *out,
		 __u64 *generation);

/* All numbers of one snapshot. @size needs no setting. */
int shelf_info(const struct shelf *s, struct shelf_ioc_info *info);
__u64 shelf_generation(const struct shelf *s);

/*
 * Returns 0 when the newest generation is at least @generation and puts it to
 * @now (may be NULL). @timeout_ns below 0: for ever. ETIMEDOUT, ENODEV, EINTR.
 */
int shelf_wait(const struct shelf *s, __u64 generation, __s64 timeout_ns,
	       __u64 *now);

/*
 * Pins
 * ----
 *
 * A pin keeps one snapshot as it is, for long scans, and for use without copying:
 *
 *	struct shelf_pin pin;
 *
 *	ret = shelf_pin(s, 0, 0, &pin);
 *	product = shelf_view_product(&pin.view, id);
 *	...use it where it lies...
 *	if (!shelf_pin_valid(&pin))
 *		...the lease was over: none of that is to be believed...
 *	shelf_unpin(&pin);
 *
 * The kernel may revoke a pin when its lease is over, or when what pins keep is
 * more than the shelf allows; from then on its snapshot is reused piece by piece,
 * and may read as anything, but reading it stays harmless. So what has been read
 * counts once shelf_pin_valid() has said so after. poll() on pin->fd tells of a revoked
 * pin by POLLPRI.
 *
 * A hosted shelf keeps nothing: a pin of it is valid until a commit reuses some of
 * it, by default for a second after it has been replaced at least, but when the
 * file is nearly full.
 *
 * The functions that follow copy and validate, or ask by ioctl where mapping is
 * refused. ESTALE, of each: the pin was revoked. A pin may be used by any number
 * of threads at once, a cursor by one.
 */

/* @view, @generation, @lease_ns (granted), @fd: to be read; the rest is private. */
struct shelf_pin {
	struct shelf_view view;		/* of mapped shelves */
	__u64 generation;
	__u64 lease_ns;
	const struct shelf *shelf;
	const __u64 *at;
	__u64 token;
	int fd;
};

/*
 * Pins @generation, or the newest if it is 0, for @lease_ns, or if that is 0 the
 * shelf's usual time. Errors as of SHELF_IOC_PIN in uapi/shelf.h. In a child of the
 * process that opened the shelf it needs /proc.
 */
int shelf_pin(const struct shelf *s, __u64 generation, __u64 lease_ns,
	      struct shelf_pin *pin);
/* ESTALE: it had been revoked, and is gone. EINVAL: it is gone already. */
int shelf_unpin(struct shelf_pin *pin);
bool shelf_pin_check(const struct shelf_pin *pin);	/* by system call */

/*
 * P3. The fence pairs with the smp_wmb() in pin_end() and with the one in
 * pins_let_go(): a reader that saw a byte of a reused page sees that the token
 * has gone. (Hosted: as shelf_retry().)
 */
static inline bool shelf_pin_valid(const struct shelf_pin *pin)
{
	__u64 word;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!pin->at)
		return shelf_pin_check(pin);
	word = __atomic_load_n(pin->at, __ATOMIC_RELAXED);
	return pin->token ? word == pin->token : word <= pin->generation;
}

bool shelf_pin_is_valid(const struct shelf_pin *pin);

/* As shelf_info() and shelf_get_attrs(), of the pinned snapshot. */
int shelf_pin_info(const struct shelf_pin *pin, struct shelf_ioc_info *info);
int shelf_pin_get(const struct shelf_pin *pin, __s64 id, struct shelf_product *p,
		  void *attrs, __u32 room);

/*
 * All products, all catalogs. Begin with a zeroed cursor; each call returns how
 * many it wrote, 0 at the end. EINVAL: @room below SHELF_LEAF_SLOTS, or a damaged
 * file. The order is the shelf's own and the same in all generations, so a cursor
 * is good for another pin too, to go on with. Of catalogs believe id, generation
 * and count; of products, attrs_ref is for shelf_pin_attrs().
 */
long shelf_pin_products(const struct shelf_pin *pin, struct shelf_scan *cursor,
			struct shelf_product *out, size_t room);
long shelf_pin_catalogs(const struct shelf_pin *pin, struct shelf_scan *cursor,
			struct shelf_catalog *out, size_t room);
/* The same of sources, and the name of one, with a NUL; its length. */
long shelf_pin_sources(const struct shelf_pin *pin, struct shelf_scan *cursor,
		       struct shelf_source *out, size_t room);
long shelf_pin_source_name(const struct shelf_pin *pin, const struct shelf_source *source,
			   char name[SHELF_SOURCE_MAX + 1]);
/* Up to @room attribute bytes of a product that this pin brought; how many. */
long shelf_pin_attrs(const struct shelf_pin *pin, const struct shelf_product *p,
		     void *to, __u32 room);
/* As shelf_catalog_next(), but all pages of one generation. */
long shelf_pin_members(const struct shelf_pin *pin, struct shelf_cursor *cursor,
		       __s64 *ids, size_t room);

/*
 * Changing
 * --------
 *
 * A batch is staged, then committed whole or not at all. Operations of a batch
 * take effect in their order: the last one on an id wins. After an error of any
 * call the batch can only be aborted.
 *
 * A writer of a hosted shelf holds the file's lock until it is closed: others
 * are refused with EBUSY. EINVAL at open: not a shelf, or a damaged one.
 */
struct shelf_writer;
struct shelf_batch;

/* What went wrong, and at which operation of the batch (from 0). */
struct shelf_error {
	int error;
	char message[256];
	__u64 op;
	bool has_op;
};

int shelf_writer_open(const char *name, struct shelf_writer **out,
		      struct shelf_error *err);
void shelf_writer_close(struct shelf_writer *w);

int shelf_batch_begin(struct shelf_writer *w, struct shelf_batch **out,
		      struct shelf_error *err);

#define SHELF_PRICE	1U
#define SHELF_STOCK	2U
#define SHELF_FLAGS	4U
#define SHELF_CURRENCY	8U
#define SHELF_ATTRS	16U

/* What a put or patch gives; @fields says which. */
struct shelf_change {
	__s64 id;
	unsigned int fields;
	__s64 price;
	__s64 stock;
	__u32 flags;
	char currency[4];
	const void *attrs;
	__u32 attrs_len;
};

int shelf_batch_put(struct shelf_batch *b, const struct shelf_change *c,
		    struct shelf_error *err);
int shelf_batch_patch(struct shelf_batch *b, const struct shelf_change *c,
		      struct shelf_error *err);
int shelf_batch_delete(struct shelf_batch *b, __s64 product,
		       struct shelf_error *err);
/* Any number of members; more than SHELF_MEMBERS_MAX are several operations. */
int shelf_batch_add(struct shelf_batch *b, __s64 catalog, const __s64 *products,
		    size_t count, struct shelf_error *err);
int shelf_batch_remove(struct shelf_batch *b, __s64 catalog, const __s64 *products,
		       size_t count, struct shelf_error *err);
int shelf_batch_catalog_delete(struct shelf_batch *b, __s64 catalog,
			       struct shelf_error *err);

/*
 * P6. The batch has the sequence numbers @first to @last of a source, which are part
 * of the snapshot that it makes. Once a snapshot has them, the same batch is a repeat:
 * its commit succeeds, with result.repeated, and changes nothing. A batch may have
 * numbers of several sources; it is a repeat if all have been applied, and refused
 * (EILSEQ) if some have. With SHELF_NO_GAP it is also refused unless @first follows on
 * the last one applied; a source that is not known has no gap. @source: 1 to
 * SHELF_SOURCE_MAX bytes of printable ASCII, such as TOPIC/PARTITION. @last: below
 * 2^63.
 */
#define SHELF_NO_GAP	1U
int shelf_batch_sequence(struct shelf_batch *b, const char *source, __u64 first,
			 __u64 last, unsigned int flags, struct shelf_error *err);
/* Sets what was applied last, whatever it was: for checkpoints. */
int shelf_batch_source(struct shelf_batch *b, const char *source, __u64 last,
		       struct shelf_error *err);
int shelf_batch_source_delete(struct shelf_batch *b, const char *source,
			      struct shelf_error *err);

struct shelf_result {
	__u64 generation;
	__u64 ops;
	__u64 absent;		/* removed what was not there, added what was */
	__u64 pages;
	__u64 products;		/* of the snapshot that it made, or would make */
	__u64 catalogs;
	__u64 memberships;
	__u64 draft_ns;
	__u64 publish_ns;
	__u64 grace_ns;
	bool repeated;		/* it had been applied before; generation: the newest */
	/* Members that it left without their product, if that is SHELF_DANGLING_WARN. */
	__u64 dangling;
	char warning[120];	/* of these; or "" */
};

/*
 * The commit shall not wait for the grace period of the kernel's own readers: for
 * streams of small batches. What it replaces is still not reused before.
 */
void shelf_batch_no_wait(struct shelf_batch *b);

/*
 * Guards of this commit, in place of its shelf's; a hosted shelf has none of its own.
 * A commit that one of them refuses fails with EDOM, and the message says by how much.
 *
 * No count, of products, of catalogs or of memberships, may change by more than
 * @per_cent, 1 to SHELF_CHANGE_MAX; 0: by any. What is none before may become any
 * number.
 */
void shelf_batch_max_change(struct shelf_batch *b, __u32 per_cent);
/* What to do if members are left without their product; see enum shelf_dangling. */
void shelf_batch_dangling(struct shelf_batch *b, enum shelf_dangling what);
/*
 * A dry run: the commit shall do all that a commit does, but publish nothing. Its
 * result is what would come of it, but for @generation, which is the newest, and for
 * @publish_ns and @grace_ns, which are 0. ENOSPC also if it would take memory that
 * pins keep: it revokes none for that. It may reuse what is in quarantine early, as a
 * commit does, which ends a hosted shelf's pins of older generations.
 */
void shelf_batch_check(struct shelf_batch *b);

/*
 * Frees the batch in every case. @expect: refuse (ESTALE) unless this is the
 * newest generation, or trims alone came after it; may be NULL.
 */
int shelf_batch_commit(struct shelf_batch *b, const __u64 *expect,
		       struct shelf_result *result, struct shelf_error *err);
void shelf_batch_abort(struct shelf_batch *b);

/*
 * Shelves
 * -------
 */
struct shelf_settings {
	__u64 max_bytes;
	__u64 batch_bytes;	/* 0: as much as max_bytes */
	long long quarantine_ms;	/* -1: the default, 1000 */
	const __u64 *seed;	/* NULL: random */
	/* 0: the default; hosted shelves have none of these */
	__u32 lease_ms;		/* of pins that don't ask: a minute */
	__u32 lease_max_ms;	/* of all pins: an hour */
	__u64 pin_bytes;	/* that pins alone may keep: half of max_bytes */
	/* Guards of commits; -1: the default, 0; nor has a hosted shelf these */
	int max_change;		/* as of shelf_batch_max_change() */
	int dangling;		/* enum shelf_dangling */
	int require_expect;	/* 1: a commit has to expect a generation (EDOM) */
};

/* Begin with this: quarantine_ms 0 is none, and readers have to try again often. */
#define SHELF_SETTINGS_DEFAULT	{ 0, 0, -1, NULL, 0, 0, 0, -1, -1, -1 }

/* For "hosted:PATH" makes or removes the file. EEXIST, ENOENT, EPERM. */
int shelf_create(const char *name, const struct shelf_settings *settings,
		 struct shelf_error *err);
int shelf_destroy(const char *name, struct shelf_error *err);
/*
 * Changes settings of a kernel shelf: those that are not 0, or, of quarantine_ms and
 * of guards, -1. EINVAL: none, or max_bytes or seed, which can't change. EOPNOTSUPP: a hosted
 * shelf.
 */
int shelf_set(const char *name, const struct shelf_settings *settings,
	      struct shelf_error *err);

/*
 * Makes the shelf as dense as it gets, by commits that change nothing else, and
 * gives back what is free then: bytes of memory held before and after, to @trimmed,
 * which may be NULL. It goes in passes, each of which waits for quarantine.
 * @timeout_ns below 0: for as long as it takes. ETIMEDOUT: @trimmed tells how far it
 * got; the kernel goes on, of a hosted shelf the rest is for the next trim. ENODEV:
 * the shelf was destroyed meanwhile. A shelf of the kernel that was emptied to a third
 * is trimmed without being asked.
 */
struct shelf_trimmed {
	__u64 before;
	__u64 after;
};

int shelf_trim(const char *name, __s64 timeout_ns, struct shelf_trimmed *trimmed,
	       struct shelf_error *err);

struct shelf_listing {
	char name[SHELF_NAME_MAX + 1];
	__u64 max_bytes;
	__u64 batch_bytes;
	__u64 generation;
	__u64 products;
	__u64 catalogs;
	__u64 memberships;
	__u64 bytes;
	__u32 quarantine_ms;
	__u32 opens;
	__u32 lease_ms;
	__u32 lease_max_ms;
	__u64 pin_bytes;
	__u64 sources;
	__u32 max_change;
	__u8 dangling;
	__u8 require_expect;
};

/*
 * Calls @each for every shelf of the kernel until it returns other than 0, and
 * returns that.
 */
int shelf_list(int (*each)(const struct shelf_listing *l, void *arg), void *arg,
	       struct shelf_error *err);

/*
 * @pid, @comm: of who took the pin, as the kernel's first namespaces know it
 * @user: who opened the file
 * @bytes: what its snapshot has that only pins keep
 */
struct shelf_pin_listing {
	__u64 generation;
	__u64 age_ms;
	__u64 left_ms;		/* of its lease */
	__u64 bytes;
	__u32 pid;
	__u32 user;
	char comm[16];
};

/* The same for every pin of a kernel shelf. */
int shelf_list_pins(const char *name,
		    int (*each)(const struct shelf_pin_listing *l, void *arg),
		    void *arg, struct shelf_error *err);

/* @generation: of the commit that last changed it */
struct shelf_source_listing {
	char source[SHELF_SOURCE_MAX + 1];
	__u64 last;
	__u64 generation;
};

/* The same for every source of a kernel shelf; of others shelf_pin_sources() knows. */
int shelf_list_sources(const char *name,
		       int (*each)(const struct shelf_source_listing *l, void *arg),
		       void *arg, struct shelf_error *err);

/*
 * Events
 * ------
 *
 * Of all shelves of the kernel, for administrators. They are hints: lost when memory
 * or this socket's buffer is short. Who must not miss a generation waits for it.
 */
struct shelf_events;

/*
 * @what: SHELF_CMD_CREATED, SHELF_CMD_DESTROYED or SHELF_CMD_COMMITTED. The numbers
 * are of a commit; a trim's has no operations.
 */
struct shelf_event {
	int what;
	char name[SHELF_NAME_MAX + 1];
	__u64 generation;
	__u64 ops;
	__u64 absent;
	__u64 pages;
};

int shelf_events_open(struct shelf_events **out, struct shelf_error *err);
/* To poll(): readable when there is an event. */
int shelf_events_fd(const struct shelf_events *e);
/*
 * 1: an event; 0: none in time, which below 0 is for ever. ENOBUFS: some were lost;
 * those that follow can be read.
 */
int shelf_events_next(struct shelf_events *e, int timeout_ms, struct shelf_event *event,
		      struct shelf_error *err);
void shelf_events_close(struct shelf_events *e);

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif /* LIBSHELF_H */
