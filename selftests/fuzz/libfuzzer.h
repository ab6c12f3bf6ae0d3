/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What libFuzzer calls, and what it lets its mutators call.
 */
#ifndef FUZZ_LIBFUZZER_H
#define FUZZ_LIBFUZZER_H

#include <stddef.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
size_t LLVMFuzzerMutate(unsigned char *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max, unsigned int seed);

#endif /* FUZZ_LIBFUZZER_H */
