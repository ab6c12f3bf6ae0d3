/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What an operator would ask of a running shelf: what commits cost, who looks
 * things up by ioctl, what becomes of replaced memory. Fields and their units
 * are an interface for scripts: add, don't rename.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM shelf

#if !defined(SHELF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SHELF_TRACE_H

#include <linux/tracepoint.h>

#include "compat.h"

/* One for every batch that reached the worker, refused ones included. */
TRACE_EVENT(shelf_commit,
	TP_PROTO(const char *name, u64 generation, u64 ops, u64 pages,
		 u64 draft_ns, u64 publish_ns, u64 grace_ns, int error),
	TP_ARGS(name, generation, ops, pages, draft_ns, publish_ns, grace_ns,
		error),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(u64, ops)
		__field(u64, pages)
		__field(u64, draft_ns)
		__field(u64, publish_ns)
		__field(u64, grace_ns)
		__field(int, error)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->generation = generation;
		__entry->ops = ops;
		__entry->pages = pages;
		__entry->draft_ns = draft_ns;
		__entry->publish_ns = publish_ns;
		__entry->grace_ns = grace_ns;
		__entry->error = error;
	),
	TP_printk("name=%s generation=%llu ops=%llu pages=%llu draft_ns=%llu publish_ns=%llu grace_ns=%llu error=%d",
		  __get_str(name), __entry->generation, __entry->ops,
		  __entry->pages, __entry->draft_ns, __entry->publish_ns,
		  __entry->grace_ns, __entry->error)
);

/*
 * One ioctl. cmd: the number in its _IO(). ids: asked for, of members how many
 * at most; found: of these.
 */
TRACE_EVENT(shelf_lookup,
	TP_PROTO(const char *name, u32 cmd, u32 ids, u32 found),
	TP_ARGS(name, cmd, ids, found),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u32, cmd)
		__field(u32, ids)
		__field(u32, found)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->cmd = cmd;
		__entry->ids = ids;
		__entry->found = found;
	),
	TP_printk("name=%s cmd=%u ids=%u found=%u",
		  __get_str(name), __entry->cmd, __entry->ids, __entry->found)
);

/*
 * Memory that became free again, pages, and bytes of slots; early: what so many
 * commits replaced had to be reused before its quarantine was over.
 */
TRACE_EVENT(shelf_reclaim,
	TP_PROTO(const char *name, u64 generation, u64 pages, u64 slot_bytes,
		 u64 early),
	TP_ARGS(name, generation, pages, slot_bytes, early),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(u64, pages)
		__field(u64, slot_bytes)
		__field(u64, early)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->generation = generation;
		__entry->pages = pages;
		__entry->slot_bytes = slot_bytes;
		__entry->early = early;
	),
	TP_printk("name=%s generation=%llu pages=%llu slot_bytes=%llu early=%llu",
		  __get_str(name), __entry->generation, __entry->pages,
		  __entry->slot_bytes, __entry->early)
);

/*
 * One step of a trim. generation: that it made, 0 if there was nothing to move;
 * pages: written by it; chunks: that the shelf has; error: negative errno or 0.
 */
TRACE_EVENT(shelf_trim,
	TP_PROTO(const char *name, u64 generation, u64 pages, u32 chunks, int error),
	TP_ARGS(name, generation, pages, chunks, error),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(u64, pages)
		__field(u32, chunks)
		__field(int, error)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->generation = generation;
		__entry->pages = pages;
		__entry->chunks = chunks;
		__entry->error = error;
	),
	TP_printk("name=%s generation=%llu pages=%llu chunks=%u error=%d",
		  __get_str(name), __entry->generation, __entry->pages,
		  __entry->chunks, __entry->error)
);

/* A pin was taken; pin: its token, by which the others name it. */
TRACE_EVENT(shelf_pin,
	TP_PROTO(const char *name, u64 generation, u64 pin),
	TP_ARGS(name, generation, pin),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(u64, pin)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->generation = generation;
		__entry->pin = pin;
	),
	TP_printk("name=%s generation=%llu pin=%llu",
		  __get_str(name), __entry->generation, __entry->pin)
);

/* A pin is gone, by its holder or with his file. revoked: before, already. */
TRACE_EVENT(shelf_unpin,
	TP_PROTO(const char *name, u64 generation, u64 pin, u64 age_ns, bool revoked),
	TP_ARGS(name, generation, pin, age_ns, revoked),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(u64, pin)
		__field(u64, age_ns)
		__field(bool, revoked)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->generation = generation;
		__entry->pin = pin;
		__entry->age_ns = age_ns;
		__entry->revoked = revoked;
	),
	TP_printk("name=%s generation=%llu pin=%llu age_ns=%llu revoked=%d",
		  __get_str(name), __entry->generation, __entry->pin,
		  __entry->age_ns, __entry->revoked)
);

/*
 * Something that lives on for a while was made (change 1) or is gone (-1). Of each kind
 * the sum is what there is; when the module can be unloaded, it is 0.
 */
TRACE_EVENT(shelf_object,
	TP_PROTO(const char *name, const char *kind, int change),
	TP_ARGS(name, kind, change),
	TP_STRUCT__entry(
		__string(name, name)
		__string(kind, kind)
		__field(int, change)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		shelf_assign_str(kind, kind);
		__entry->change = change;
	),
	TP_printk("name=%s kind=%s change=%d",
		  __get_str(name), __get_str(kind), __entry->change)
);

/* The writer revoked a pin of process pid, which kept so many bytes. */
TRACE_EVENT(shelf_revoke,
	TP_PROTO(const char *name, u64 generation, u64 pin, int pid, u64 bytes,
		 u64 age_ns),
	TP_ARGS(name, generation, pin, pid, bytes, age_ns),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, generation)
		__field(u64, pin)
		__field(int, pid)
		__field(u64, bytes)
		__field(u64, age_ns)
	),
	TP_fast_assign(
		shelf_assign_str(name, name);
		__entry->generation = generation;
		__entry->pin = pin;
		__entry->pid = pid;
		__entry->bytes = bytes;
		__entry->age_ns = age_ns;
	),
	TP_printk("name=%s generation=%llu pin=%llu pid=%d bytes=%llu age_ns=%llu",
		  __get_str(name), __entry->generation, __entry->pin, __entry->pid,
		  __entry->bytes, __entry->age_ns)
);

#endif /* SHELF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
