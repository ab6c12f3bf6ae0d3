/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The module comes and goes. */
#ifndef GUEST_MODULE_H
#define GUEST_MODULE_H

int module_load(const char *ko);
/* EAGAIN: it has users. */
int module_unload(void);
/* The same, but what was let go of in this moment may take another to be freed. */
int module_unload_soon(void);

#endif /* GUEST_MODULE_H */
