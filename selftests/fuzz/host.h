/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One shelf, without a file, a thread or a clock of its own: what registry.c,
 * chunk.c, commit.c and upkeep.c do for the module, for an input that is over in
 * microseconds and must do the same when it comes again.
 */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include "kernel.h"

#include "../../kmod/shelf.h"

#define HOST_CHUNKS_MAX	4U
#define HOST_NAME	"fuzz"

/* Says what is wrong, and ends the process, for libFuzzer to keep the input. */
#define FAIL(...) do {							\
	fprintf(stderr, "fuzz: " __VA_ARGS__);				\
	fputc('\n', stderr);						\
	abort();							\
} while (0)

extern struct shelf host_shelf;
extern u64 host_clock;		/* what store_clock() says */

/* An empty shelf of @chunks times 2 MiB. All memory is zeros, as a chunk's. */
void host_begin(u32 chunks);
/* No batch and no pin is left. */
void host_end(void);

/*
 * Called for each commit: the batch as staged, before anything is done; then what
 * came of it.
 */
void host_staged(const struct commit *c);
void host_done(const struct commit *c, int ret);

/* As the module's worker would, some time: false if there is nothing to do. */
bool host_trim_step(void);

#endif /* FUZZ_HOST_H */
