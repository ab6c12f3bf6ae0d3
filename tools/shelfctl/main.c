// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <string.h>

#include "ctl.h"

/* A full disk or closed pipe shows up here at the latest. */
static int finish(int status)
{
	int error = flush_out();

	if (error || ferror(stdout))
		return fail(STATUS_REFUSED, error, "standard output: %s",
			    error ? strerror(-error) : "write error");
	return status;
}

int run_words(int argc, char **argv, const struct args *outer)
{
	const struct command *command = NULL;
	struct args a = { .outer = outer };
	int status = args_parse(argc, argv, &a, &command);

	if (!status)
		status = command->run(&a);
	args_free(&a);
	return status;
}

int main(int argc, char **argv)
{
	return finish(run_words(argc, argv, NULL));
}
