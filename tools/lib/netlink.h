/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Talking to the kernel: shelves, batches and events over generic netlink.
 *
 * Internal to libshelf. Every call returns 0 or a negative errno, and then
 * fills @err, which may be NULL, with the kernel's words if there are any. One
 * struct shelf_nl, with its batches, belongs to one thread at a time.
 */
#ifndef SHELF_NETLINK_H
#define SHELF_NETLINK_H

#include "shelf.h"

struct shelf_nl;

/* EPROTONOSUPPORT: the module isn't loaded; EPERM: not an administrator. */
int shelf_nl_open(struct shelf_nl **nl, struct shelf_error *err);
void shelf_nl_close(struct shelf_nl *nl);
/*
 * How long to wait for an answer; below 0, the default: for ever. A commit
 * that fails with ETIMEDOUT may yet be carried out.
 */
void shelf_nl_set_timeout(struct shelf_nl *nl, int milliseconds);

struct shelf_nl_info {
	struct shelf_listing shelf;
	__u64 trims_asked;
	__u64 trims_done;
};

/* @out: or NULL. */
int shelf_nl_create(struct shelf_nl *nl, const char *name,
		    const struct shelf_settings *settings, struct shelf_nl_info *out,
		    struct shelf_error *err);
int shelf_nl_destroy(struct shelf_nl *nl, const char *name,
		     struct shelf_error *err);
/* What is at its default stays as it is. */
int shelf_nl_set(struct shelf_nl *nl, const char *name,
		 const struct shelf_settings *settings, struct shelf_error *err);
int shelf_nl_get(struct shelf_nl *nl, const char *name,
		 struct shelf_nl_info *out, struct shelf_error *err);
/* Stops at the first value other than 0 that @each returns, and returns it. */
int shelf_nl_list(struct shelf_nl *nl,
		  int (*each)(const struct shelf_nl_info *, void *), void *arg,
		  struct shelf_error *err);

/* @out: with the ticket in trims_asked. */
int shelf_nl_trim(struct shelf_nl *nl, const char *name,
		  struct shelf_nl_info *out, struct shelf_error *err);
int shelf_nl_pins(struct shelf_nl *nl, const char *name,
		  int (*each)(const struct shelf_pin_listing *, void *), void *arg,
		  struct shelf_error *err);

struct shelf_nl_batch;

/* @each is called for each source; other than 0 ends the dump with that value. */
int shelf_nl_sources(struct shelf_nl *nl, const char *name,
		     int (*each)(const struct shelf_source_listing *, void *), void *arg,
		     struct shelf_error *err);

/**
 * struct shelf_nl_op - one operation
 * @kind: SHELF_OP_*
 * @fields: which of the values are given: bit 0 price, 1 stock, 2 flags,
 *          3 currency, 4 attributes, 5 no gap (FIELD_* in kmod/core.h)
 * @id: of the product or the catalog
 * @first, @last: sequence numbers
 * @len: attribute bytes, or members, or bytes of a source's name
 * @data: the attribute bytes, or the members as __s64, or the name
 */
struct shelf_nl_op {
	int kind;
	unsigned int fields;
	__s64 id;
	union {
		__s64 price;
		__u64 first;
	};
	union {
		__s64 stock;
		__u64 last;
	};
	__u32 flags;
	unsigned char currency[4];
	__u32 len;
	const void *data;
};

int shelf_nl_begin(struct shelf_nl *nl, const char *name,
		   struct shelf_nl_batch **b, struct shelf_error *err);
/*
 * Copies the operation into the message that is being put together. The kernel
 * may refuse it at a later add or at the commit; @err names it. From then on
 * every add and the commit fail with that same error.
 */
int shelf_nl_add(struct shelf_nl_batch *b, const struct shelf_nl_op *op,
		 struct shelf_error *err);

/**
 * struct shelf_nl_ends - how a batch is to end
 * @expect: only upon this generation, or NULL
 * @max_change, @dangling: guards in place of the shelf's; below 0: the shelf's
 */
struct shelf_nl_ends {
	const __u64 *expect;
	bool no_wait;
	bool check;
	__s64 max_change;
	int dangling;
};

/* Frees @b in every case. ESTALE: the newest generation isn't the expected one. */
int shelf_nl_commit(struct shelf_nl_batch *b, const struct shelf_nl_ends *ends,
		    struct shelf_result *out, struct shelf_error *err);
void shelf_nl_abort(struct shelf_nl_batch *b);

/* @generation and @ops: of SHELF_CMD_COMMITTED; @cmd: SHELF_CMD_* */
struct shelf_nl_event {
	int cmd;
	char name[32];
	__u64 generation;
	__u64 ops;
	__u64 absent;
	__u64 pages;
};

/* Opens a second socket, for events alone. */
int shelf_nl_subscribe(struct shelf_nl *nl, struct shelf_error *err);
int shelf_nl_event_fd(const struct shelf_nl *nl);
/* 1: an event; 0: none in time; ENOBUFS: some were lost, go on. */
int shelf_nl_event(struct shelf_nl *nl, int milliseconds,
		   struct shelf_nl_event *event, struct shelf_error *err);

#endif /* SHELF_NETLINK_H */
