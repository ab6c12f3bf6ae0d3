// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What must not happen: a word of the kernel's, and any change to the witness. */
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../guest/lib/world.h"
#include "fuzz.h"

static const char complaint[] =
	"WARNING|BUG|Oops|KASAN|UBSAN|KFENCE|general protection|INFO: |refcount_t|"
	"unable to handle|kmemleak: .*new|ad page|corruption|ODEBUG";

static regex_t complaints;

int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || regcomp(&complaints, complaint, REG_EXTENDED | REG_NOSUB))
		fault("the kernel's log can't be read");
	else
		lseek(fd, 0, SEEK_END);
	return fd;
}

bool log_clean(int fd)
{
	static char line[8192];
	ssize_t n;
	char *text;

	while ((n = read(fd, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = 0;
		text = strchr(line, ';');
		if (!text || regexec(&complaints, text, 0, NULL, 0))
			continue;
		text[strcspn(text, "\n")] = 0;
		fault("the kernel says%.150s", text);
		return false;
	}
	return true;
}

/*
 * The witness
 * ===========
 *
 * A world's first generation, read through a pin, which no call of a program can
 * end: it belongs to a file of ours.
 */
static struct kit k;
static struct shelf *reader;
static struct shelf_pin pin;

const char *witness_name(void)
{
	return k.name;
}

int witness_make(void)
{
	static const struct shelf_settings settings = { .max_bytes = 32 << 20 };
	int ret = world_make(&k, "witness", &settings);

	if (!ret)
		ret = shelf_open(k.name, 0, &reader);
	return ret ? ret : shelf_pin(reader, 0, 0, &pin);
}

/* By ioctl from the newest snapshot, by calls from the pin, and where it lies. */
unsigned int witness_wrong(void)
{
	return world_wrong_by_ioctl(k.fd, 0, WORLD_FIRST) + world_wrong(&pin) +
	       world_wrong_in_place(&pin);
}

void witness_drop(void)
{
	if (!reader)
		return;
	shelf_unpin(&pin);
	shelf_close(reader);
	kit_drop(&k);
}
