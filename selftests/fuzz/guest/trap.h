/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Loads and stores that may not succeed. */
#ifndef FUZZ_TRAP_H
#define FUZZ_TRAP_H

/* Once in each process. */
void trap_init(void);
/* 0, or minus the signal. SIGBUS is a fault. */
long trap_load(void *at);
long trap_store(void *at);

#endif /* FUZZ_TRAP_H */
