// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

int shelf_fail(struct shelf_error *err, int error, const char *format, ...)
{
	va_list args;

	if (!err)
		return error;
	memset(err, 0, sizeof(*err));
	err->error = error;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return error;
}
