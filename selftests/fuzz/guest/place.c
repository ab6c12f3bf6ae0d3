// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "place.h"

#define ROOM	(1U << 17)
#define SMALL	(16U << 10)
#define LOOKED_AT	(8U << 10)

const char *const place_names[] = {
	"good", "end", "odd", "fresh", "null", "kernel", "text", "high", "breach",
	"unmapped", "readonly", "room", "device",
};

/*
 * One stretch for each thread: room for answers; memory that is thrown away before
 * each use, so that it has to be faulted in; small memory with nothing behind it;
 * memory that can only be read.
 */
static __thread __u8 *room;

#define FRESH		(room + ROOM)
#define LIMIT		(FRESH + ROOM)		/* PROT_NONE from here on */
#define READONLY	(LIMIT + PAGE)
#define BYTES		(2 * ROOM + PAGE + ROOM)

int places_init(void)
{
	void *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	if (at == MAP_FAILED)
		return -1;
	room = at;
	mprotect(LIMIT, PAGE, PROT_NONE);
	mprotect(READONLY, ROOM, PROT_READ);
	return 0;
}

void places_exit(void)
{
	munmap(room, BYTES);
}

static void *writable_at(__u64 place, size_t bytes, size_t *can)
{
	*can = bytes;
	if (bytes > ROOM)
		bytes = *can = ROOM;
	switch (place) {
	case PLACE_GOOD:
		return room + ROOM - SMALL;
	case PLACE_ODD:
		return room + ROOM - SMALL + 3;
	case PLACE_ROOM:
		return room;
	case PLACE_FRESH:
		madvise(FRESH, ROOM, MADV_DONTNEED);
		return FRESH;
	case PLACE_END:
		return LIMIT - bytes;
	default:
		*can = bytes / 2;
		return LIMIT - bytes / 2;
	}
}

void *place_at(const struct lane *l, __u64 place, size_t bytes, size_t *can)
{
	*can = 0;
	switch (place % PLACES) {
	case PLACE_NULL:
		return NULL;
	case PLACE_KERNEL:
		return (void *)0xffff888000100000ULL;
	case PLACE_TEXT:
		return (void *)0xffffffff81000000ULL;
	case PLACE_HIGH:
		return (void *)0x8000000000000000ULL;
	case PLACE_UNMAPPED:
		return LIMIT;
	case PLACE_READONLY:
		return READONLY;
	case PLACE_DEVICE:
		return l->slots->map[bytes % SLOTS].at;
	default:
		return writable_at(place % PLACES, bytes, can);
	}
}

unsigned int place_group(__u64 place)
{
	switch (place % PLACES) {
	case PLACE_ODD:
		return PLACE_GOOD;
	case PLACE_BREACH:
		return PLACE_END;
	default:
		return place % PLACES;
	}
}

const __u64 *place_room(__u64 place, size_t *bytes)
{
	*bytes = LOOKED_AT;
	return place % PLACES == PLACE_ROOM ? (const __u64 *)room : NULL;
}
