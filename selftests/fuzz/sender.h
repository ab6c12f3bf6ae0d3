/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Senders of batches: two sockets with three batches, and what each has been told.
 */
#ifndef FUZZ_SENDER_H
#define FUZZ_SENDER_H

#include "host.h"

void sender_begin(void);
void sender_choose(u8 batch);

/* Puts an operation into the message at hand; begins a batch if need be. */
void sender_op(const struct op *op, const void *data);
void sender_raw(const u8 *bytes, size_t n);
/* Turns bits of the message at hand before it is sent. */
void sender_flip(u16 at, u8 bits);
void sender_flush(void);

void sender_commit(u8 flags);
void sender_abort(void);
void sender_close(u8 socket);
void sender_set(u8 which, u16 value);
void sender_ask(u8 what);
/* Attributes as they are, behind a cookie or a name if @n says so. */
void sender_message(u8 cmd, u16 n, const u8 *attrs, size_t bytes);

/* A batch has come to its commit: what was sent is what is staged. */
void sender_staged(const struct commit *c);

#endif /* FUZZ_SENDER_H */
