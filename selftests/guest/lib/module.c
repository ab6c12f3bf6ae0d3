// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "module.h"

int module_load(const char *ko)
{
	int ret, fd = open(ko, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret = ERRNO(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return ret;
}

int module_unload(void)
{
	return ERRNO(syscall(SYS_delete_module, "shelf", O_NONBLOCK));
}

int module_unload_soon(void)
{
	unsigned int tries;
	int ret = module_unload();

	for (tries = 0; ret == -EAGAIN && tries < 500; tries++) {
		sleep_ms(10);
		ret = module_unload();
	}
	return ret;
}
