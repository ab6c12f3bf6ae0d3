/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The kernel's harness, with time for kernels that check themselves, emulated. */
#ifndef GUEST_HARNESS_H
#define GUEST_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	240

#endif /* GUEST_HARNESS_H */
