/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Debian package versions, [EPOCH:]UPSTREAM[-REVISION], Policy section 5.6.12. */
#ifndef DEMO_DEBVERSION_H
#define DEMO_DEBVERSION_H

#include <stdbool.h>

bool debversion_valid(const char *version);

/* Negative, zero or positive as strcmp(). Both must be valid. */
int debversion_compare(const char *a, const char *b);

#endif
