// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Waits for generations, and tells of a product whenever one has changed it:
 *
 *	wait SHELF PRODUCT [SECONDS]
 *
 * ends when nothing has been committed for so long. A wait costs no time of a processor,
 * and none is missed: several commits at once are one that is further on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shelf/shelf.h>

/* @seen: of the last version that was told, 0 for none. */
static int react(const struct shelf *s, __s64 id, __u64 *seen)
{
	struct shelf_product p;
	int ret = shelf_get(s, id, &p);

	if (ret < 0)
		return ret;
	if (!ret)
		p.generation = 0;
	if (p.generation == *seen)
		return 0;
	*seen = p.generation;
	if (ret)
		printf("generation %llu: price %lld stock %lld\n", p.generation, p.price, p.stock);
	else
		printf("gone\n");
	fflush(stdout);
	return 0;
}

static int follow(const struct shelf *s, __s64 id, __s64 patience_ns)
{
	__u64 newest = shelf_generation(s), seen = 0;
	int ret;

	/* Look first, wait for what comes after: in this order nothing falls between. */
	for (;;) {
		ret = react(s, id, &seen);
		if (ret)
			return ret;
		do
			ret = shelf_wait(s, newest + 1, patience_ns, &newest);
		while (ret == -EINTR);
		if (ret)
			return ret == -ETIMEDOUT ? 0 : ret;
	}
}

int main(int argc, char **argv)
{
	double seconds = argc == 4 ? strtod(argv[3], NULL) : -1;
	struct shelf *s;
	int ret;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: wait SHELF PRODUCT [SECONDS]\n");
		return 2;
	}
	ret = shelf_open(argv[1], 0, &s);
	if (!ret) {
		ret = follow(s, strtoll(argv[2], NULL, 10),
			     seconds < 0 ? -1 : (__s64)(seconds * 1e9));
		shelf_close(s);
	}
	/* The shelf was destroyed: its name may be another's by now. */
	if (ret == -ENODEV)
		printf("destroyed\n");
	else if (ret)
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-ret));
	return ret != 0;
}
