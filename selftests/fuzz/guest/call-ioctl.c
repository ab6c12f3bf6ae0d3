// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ioctl, with a struct put together from its fields. P8: what is not part of the
 * answer stays as it was, and nothing in it looks like an address of the kernel's.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "make.h"
#include "place.h"

/* Of the struct as the kernel knows it; 0: it doesn't. */
static __u32 known_size(__u32 cmd)
{
	return cmd >= SHELF_IOC_INFO && cmd < SHELF_IOC_INFO + IOCTLS ?
	       ioctl_size[cmd - SHELF_IOC_INFO] : 0;
}

static bool in_only(__u32 cmd)
{
	return cmd == SHELF_IOC_UNPIN || cmd == SHELF_IOC_REPORT;
}

static __u64 field_value(struct lane *l, const struct field *f)
{
	size_t room;

	switch (f->form) {
	case FORM_PIN:
		return l->slots->pin[f->value % SLOTS];
	case FORM_GEN:
		return l->slots->generation + f->value;
	case FORM_PTR:
		return (__u64)(uintptr_t)place_at(l, f->value, f->len, &room);
	default:
		return f->value;
	}
}

/* Returns the place of the last buffer; sets @overlap: one may be where the struct is. */
static __u64 image_build(struct lane *l, const struct call *c, size_t size,
			 bool *overlap)
{
	size_t known = known_size((__u32)c->arg[IOCTL_CMD]);
	__u64 value, place = PLACES;
	unsigned int i;

	*overlap = false;
	memset(l->image, 0, sizeof(l->image));
	if (c->arg[IOCTL_TAIL] && size > known)
		memset(l->image + known, (int)c->arg[IOCTL_TAIL], size - known);
	memcpy(l->image, &c->arg[IOCTL_SIZE], sizeof(__u32));
	for (i = 0; i < c->fields; i++) {
		const struct field *f = &c->field[i];

		value = field_value(l, f);
		memcpy(l->image + f->type % PAGE, &value, f->form == FORM_U32 ? 4 : 8);
		if (f->form != FORM_PTR)
			continue;
		place = f->value;
		*overlap |= place_group(place) == place_group(c->arg[IOCTL_AT]);
	}
	return place;
}

/* What we said ourselves may be said again: @sent, or NULL. */
static bool leaks(const __u64 *word, size_t n, const __u64 *sent)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (looks_like_kernel(word[i]) && (!sent || word[i] != sent[i]))
			return true;
	return false;
}

/* Others are the kernel's, which answers some of any file before the module is asked. */
static bool ours(__u32 cmd)
{
	return _IOC_TYPE(cmd) == SHELF_IOC;
}

/* What came back, at @at; @room bytes of the image were there. */
static void judge(struct lane *l, const struct call *c, long ret, const __u8 *at,
		  size_t room)
{
	__u32 cmd = (__u32)c->arg[IOCTL_CMD], known = known_size(cmd);
	size_t told = c->arg[IOCTL_SIZE] < known ? c->arg[IOCTL_SIZE] : known;
	bool answers = !ret || ret == -ENOENT || ret == -ETIMEDOUT || ret == -ENODEV ||
		       ret == -EFAULT;
	__u64 copy[32] = { 0 };

	if (!ours(cmd))
		return;
	if (!ret && !known)
		fault("ioctl 0x%x succeeds, though there is none such", cmd);
	if (in_only(cmd) || !answers)
		told = 0;
	if (room < told)
		return;
	if (memcmp(at + told, l->image + told, room - told))
		fault("ioctl 0x%x wrote beyond its answer (%ld)", cmd, ret);
	memcpy(copy, at, told);
	if (cmd == SHELF_IOC_SCAN)
		copy[1] = 0;	/* the cursor is a place, which may be any number */
	if (!ret && leaks(copy, told / 8, (const __u64 *)l->image))
		fault("ioctl 0x%x answers with an address of the kernel's", cmd);
}

static void judge_room(const struct call *c, __u64 place)
{
	size_t bytes;
	const __u64 *room = place_room(place, &bytes);

	if (room && leaks(room, bytes / 8, NULL))
		fault("ioctl 0x%llx wrote an address of the kernel's", c->arg[IOCTL_CMD]);
}

/* What is remembered of it, for later calls. */
static void learn(struct lane *l, const struct call *c, const void *at)
{
	struct shelf_ioc_info info;
	struct shelf_ioc_pin pin;

	if (c->arg[IOCTL_CMD] == SHELF_IOC_INFO && c->arg[IOCTL_SIZE] >= 24) {
		memcpy(&info, at, 24);
		l->slots->generation = info.generation;
	}
	if (c->arg[IOCTL_CMD] == SHELF_IOC_PIN) {
		memcpy(&pin, at, sizeof(pin));
		l->slots->pin[c->arg[1] % SLOTS] = pin.pin;
	}
}

/* Another thread must not sleep for long, since nobody wakes it. */
static void limit_wait(struct lane *l, const struct call *c)
{
	__s64 timeout;

	if (c->arg[IOCTL_CMD] != SHELF_IOC_WAIT || !l->alone)
		return;
	memcpy(&timeout, l->image + 16, sizeof(timeout));
	if (timeout < 0 || timeout > 2000000)
		timeout = 2000000;
	memcpy(l->image + 16, &timeout, sizeof(timeout));
}

long run_ioctl(struct lane *l, const struct call *c)
{
	size_t bytes = c->arg[IOCTL_SIZE] % sizeof(l->image), room;
	bool wait = c->arg[IOCTL_CMD] == SHELF_IOC_WAIT, overlap;
	__u64 place = image_build(l, c, bytes, &overlap);
	__u8 *at;
	long ret;

	limit_wait(l, c);
	if (bytes < 128)
		bytes = 128;	/* the kernel may be told of less than there is */
	if (c->arg[IOCTL_AT] % PLACES == PLACE_END || c->arg[IOCTL_AT] % PLACES == PLACE_BREACH)
		bytes = c->arg[IOCTL_SIZE] % sizeof(l->image);
	at = place_at(l, c->arg[IOCTL_AT], bytes, &room);
	memcpy(at, l->image, room);
	if (wait)
		interrupt_soon(l, true);
	ret = ERRNO(ioctl(l->slots->file[c->arg[0] % SLOTS], c->arg[IOCTL_CMD], at));
	if (wait)
		interrupt_soon(l, false);
	if (!overlap)
		judge(l, c, ret, at, room);
	if (!overlap && c->arg[IOCTL_AT] % PLACES != PLACE_ROOM)
		judge_room(c, place);
	if (!ret && room >= known_size((__u32)c->arg[IOCTL_CMD]))
		learn(l, c, at);
	/* Our own words, which may be anything, and be taken for ids one day. */
	memset(at, 0, room);
	return ret;
}
