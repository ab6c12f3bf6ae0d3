// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The kinds of calls there are, and how often each is made up. */
#include <string.h>

#include "fuzz.h"
#include "make.h"

const struct op ops[] = {
	{ "open", "fnx", true, 8, make_open, run_open },
	{ "close", "f", false, 4, make_slot, run_close },
	{ "dup", "ff", true, 2, make_slots, run_dup },
	{ "read", "f@x", false, 4, make_read, run_read },
	{ "poll", "fxx", false, 3, make_poll, run_poll },
	{ "ioctl", "fpx@xx", false, 70, make_ioctl, run_ioctl },
	{ "sysfs", "nxx", false, 3, make_sysfs, run_sysfs },
	{ "param", "x", false, 1, make_param, run_param },
	{ "mmap", "mfxxxxx", true, 8, make_mmap, run_mmap },
	{ "munmap", "mxx", false, 2, make_range, run_munmap },
	{ "mprotect", "mxxx", false, 2, make_range, run_mprotect },
	{ "mremap", "mmxx", true, 2, make_range, run_mremap },
	{ "madvise", "mxxx", false, 3, make_range, run_madvise },
	{ "touch", "mxx", false, 14, make_touch, run_touch },
	{ "socket", "sx", true, 4, make_socket, run_socket },
	{ "shut", "s", false, 2, make_slot, run_shut },
	{ "send", "scxxxxx", false, 50, make_send, run_send },
	{ "recv", "scx", false, 6, make_recv, run_recv },
	{ "fork", "xx", false, 1, make_helper, run_fork },
	{ "thread", "x", false, 2, make_helper, run_thread },
	{ "fail", "x", false, 3, make_fail, run_fail },
	{ "nap", "x", false, 1, make_nap, run_nap },
};

const unsigned int op_count = sizeof(ops) / sizeof(ops[0]);

unsigned int op_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < op_count && strcmp(ops[i].name, name); i++)
		;
	return i;
}
