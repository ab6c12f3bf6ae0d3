// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "pins.h"
#include "world.h"

int pin_take(int fd, __u64 generation, __u64 lease_ns, struct shelf_ioc_pin *q)
{
	struct shelf_ioc_pin own;

	q = q ?: &own;
	*q = (struct shelf_ioc_pin){
		.size = sizeof(*q), .generation = generation, .lease_ns = lease_ns,
	};
	return ERRNO(ioctl(fd, SHELF_IOC_PIN, q));
}

int pin_drop(int fd, __u64 pin)
{
	struct shelf_ioc_unpin q = { .size = sizeof(q), .pin = pin };

	return ERRNO(ioctl(fd, SHELF_IOC_UNPIN, &q));
}

const struct shelf_pins *pins_map(int fd)
{
	__u8 *at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, SHELF_MMAP_CONTROL);

	return at == MAP_FAILED ? NULL : (const struct shelf_pins *)(at + PAGE);
}

void pins_unmap(const struct shelf_pins *pins)
{
	munmap((__u8 *)(uintptr_t)pins - PAGE, 2 * PAGE);
}

bool pin_shown(const struct shelf_pins *pins, __u64 pin)
{
	return __atomic_load_n(&pins->token[SHELF_PIN_SLOT(pin)], __ATOMIC_ACQUIRE) == pin;
}

unsigned int pins_shown(const struct shelf_pins *pins)
{
	unsigned int i, n = 0;

	for (i = 0; i < SHELF_PINS; i++)
		n += !!__atomic_load_n(&pins->token[i], __ATOMIC_RELAXED);
	return n;
}

bool told(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, ms) == 1 && p.revents == POLLPRI;
}

unsigned int not_stale(int fd, __u64 pin)
{
	void *b = malloc(WORLD_BUFFER);
	unsigned int n = 0;

	n += world_info(fd, pin, 2) != ESTALE;
	n += world_get(fd, pin, 2, 7, b) != ESTALE;
	n += world_get_many(fd, pin, 2, b) != ESTALE;
	n += world_members(fd, pin, 2, 6, b) != ESTALE;
	n += world_is_member(fd, pin, 2, 6, 0) != ESTALE;
	n += world_scan(fd, pin, 2, b) != ESTALE;
	n += world_scan_catalogs(fd, pin, 2, b) != ESTALE;
	free(b);
	return n;
}

long long value(const struct kit *k, const char *file)
{
	return sysfs_value(k->name, file);
}

bool settled(const struct kit *k)
{
	return sysfs_await(k->name, "bytes_quarantined", 0) == 0;
}

bool nothing_kept(const struct kit *k)
{
	return sysfs_await(k->name, "pins", 0) == 0 &&
	       sysfs_await(k->name, "bytes_pinned", 0) == 0 && settled(k);
}
