// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pins as open files have them. A pin goes with its file's last reference,
 * mappings included, however its holders end; nothing else leaves one behind.
 *
 * P4: the writer revokes a pin without asking; the file learns of it here, by
 * ESTALE and by POLLPRI, and the mapped reader by its token.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "shelf.h"
#include "trace.h"

/*
 * @link: in the file's pins; under its pins_lock
 * @pid, @comm: of who took it
 */
struct file_pin {
	struct pin pin;
	struct list_head link;
	struct rcu_head rcu;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

void file_pins_init(struct shelf_file *f, const struct cred *cred)
{
	mutex_init(&f->pins_lock);
	INIT_LIST_HEAD(&f->pins);
	f->user = from_kuid(&init_user_ns, cred->euid);
}

static struct file_pin *file_pin_make(struct shelf_file *f)
{
	struct file_pin *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	p->pin.owner = f;
	p->pin.user = f->user;
	p->pid = task_tgid_nr(current);
	get_task_comm(p->comm, current);
	trace_shelf_object(f->shelf->name, "pin", 1);
	return p;
}

/* Answered under the lock: behind it another thread may unpin it. */
static int file_pin_add(struct shelf_file *f, struct file_pin *p,
			struct shelf_ioc_pin *arg)
{
	int ret;

	lockdep_assert_held(&f->pins_lock);
	if (f->pin_count == SHELF_PINS_PER_FILE)
		return -EMFILE;
	ret = store_pin(&f->shelf->store, &p->pin, arg->generation, arg->lease_ns);
	if (ret)
		return ret;
	list_add(&p->link, &f->pins);
	f->pin_count++;
	arg->generation = p->pin.generation;
	arg->lease_ns = p->pin.until_ns - p->pin.taken_ns;
	arg->pin = p->pin.token;
	arg->root_page = p->pin.root_page;
	return 0;
}

int ioctl_pin(struct shelf_file *f, union ioctl_arg *a)
{
	struct shelf_ioc_pin *arg = &a->pin;
	struct file_pin *p;
	int ret;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	p = file_pin_make(f);
	if (!p)
		return -ENOMEM;
	mutex_lock(&f->pins_lock);
	ret = file_pin_add(f, p, arg);
	mutex_unlock(&f->pins_lock);
	if (ret) {
		trace_shelf_object(f->shelf->name, "pin", -1);
		kfree(p);
		return ret;
	}
	trace_shelf_pin(f->shelf->name, arg->generation, arg->pin);
	/* Of an old one something may be kept already, and its lease be the next to end. */
	if (arg->generation < shelf_generation(f->shelf))
		shelf_reclaim_soon(f->shelf);
	return 0;
}

/* What it held goes when the grace period is over, whether commits come or not. */
static int file_pin_drop(struct shelf_file *f, struct file_pin *p)
{
	int ret = store_unpin(&f->shelf->store, &p->pin);

	list_del(&p->link);
	f->pin_count--;
	trace_shelf_unpin(f->shelf->name, p->pin.generation, p->pin.token,
			  store_clock() - p->pin.taken_ns, ret == -ESTALE);
	trace_shelf_object(f->shelf->name, "pin", -1);
	kfree_rcu(p, rcu);
	return ret;
}

static struct file_pin *file_pin_find(struct shelf_file *f, u64 token)
{
	struct file_pin *p;

	lockdep_assert_held(&f->pins_lock);
	list_for_each_entry(p, &f->pins, link)
		if (p->pin.token == token)
			return p;
	return NULL;
}

static int unpin(struct shelf_file *f, u64 token)
{
	struct file_pin *p;
	int ret = -EINVAL;

	mutex_lock(&f->pins_lock);
	p = file_pin_find(f, token);
	if (p)
		ret = file_pin_drop(f, p);
	mutex_unlock(&f->pins_lock);
	if (p)
		shelf_reclaim_soon(f->shelf);
	return ret;
}

int ioctl_unpin(struct shelf_file *f, union ioctl_arg *a)
{
	return a->unpin.flags ? -EINVAL : unpin(f, a->unpin.pin);
}

/* Who does not know of a pin would never let it go. */
void ioctl_pin_undo(struct shelf_file *f, const union ioctl_arg *a)
{
	unpin(f, a->pin.pin);
}

/* The file is closed and unmapped for good: nobody else is here. */
void file_pins_exit(struct shelf_file *f)
{
	struct file_pin *p, *next;

	if (list_empty(&f->pins))
		return;
	mutex_lock(&f->pins_lock);
	list_for_each_entry_safe(p, next, &f->pins, link)
		file_pin_drop(f, p);
	mutex_unlock(&f->pins_lock);
	shelf_reclaim_soon(f->shelf);
}

/* Whether one of the file's pins was revoked and is not unpinned yet. */
bool file_pins_revoked(struct shelf_file *f)
{
	struct file_pin *p;
	bool revoked = false;

	if (list_empty(&f->pins))
		return false;
	mutex_lock(&f->pins_lock);
	list_for_each_entry(p, &f->pins, link)
		revoked |= !READ_ONCE(p->pin.of);
	mutex_unlock(&f->pins_lock);
	return revoked;
}

/*
 * The view that an ioctl asks for: of the newest snapshot, or of a pin of its
 * file. What was a pin when we looked keeps its snapshot until the section ends,
 * whoever revokes it meanwhile: what it held waits for a grace period (see
 * pins_let_go()). The caller holds rcu_read_lock().
 */
int file_view_rcu(const struct shelf_file *f, u64 pin, struct shelf_view *view)
{
	const struct store *st = &f->shelf->store;
	const struct pin *p;

	shelf_view_rcu(f->shelf, view);
	if (likely(!pin))
		return 0;
	p = rcu_dereference(st->pins->slot[SHELF_PIN_SLOT(pin)]);
	if (!p || p->token != pin || p->owner != f)
		return -ESTALE;
	view->root = p->root;
	return 0;
}

/* Told by the writer, under reclaim_lock, before it takes the token away. */
void shelf_pin_revoked(struct store *st, struct pin *pin)
{
	struct shelf *s = container_of(st, struct shelf, store);
	const struct file_pin *p = container_of(pin, struct file_pin, pin);

	trace_shelf_revoke(s->name, pin->generation, pin->token, p->pid,
			   pin->of->covered, store_clock() - pin->taken_ns);
}

/* The first pin in a slot from @slot on: what there is to tell, or false. */
bool shelf_pin_next(struct shelf *s, u32 *slot, struct pin_info *info)
{
	struct store *st = &s->store;
	const struct file_pin *p = NULL;
	u64 now = store_clock(), end;

	memset(info, 0, sizeof(*info));
	spin_lock(&st->reclaim_lock);
	for (; *slot < SHELF_PINS; ++*slot) {
		struct pin *pin = store_slot_pin(st, *slot);

		if (!pin)
			continue;
		p = container_of(pin, struct file_pin, pin);
		end = pin_lease_end(st, pin);
		info->generation = pin->generation;
		info->age_ns = now - pin->taken_ns;
		info->left_ns = end > now ? end - now : 0;
		info->bytes = pin->of->covered;
		info->user = pin->user;
		info->pid = p->pid;
		strscpy(info->comm, p->comm, sizeof(info->comm));
		break;
	}
	spin_unlock(&st->reclaim_lock);
	return p;
}
