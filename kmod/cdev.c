// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The character device: open, read and poll for generations and revoked pins. Files
 * are read-only; data is written over netlink alone (P8).
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "shelf.h"
#include "trace.h"

struct class *shelf_class;
dev_t shelf_devt;
static struct cdev shelf_cdev;

static struct shelf_file *file_make(unsigned int minor)
{
	struct shelf_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->shelf = shelf_minor_get(minor);
	if (f->shelf)
		return f;
	kfree(f);
	return ERR_PTR(-ENODEV);	/* destroyed: the node is a leftover */
}

static int shelf_open(struct inode *inode, struct file *file)
{
	struct shelf_file *f;

	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	f = file_make(iminor(inode));
	if (IS_ERR(f))
		return PTR_ERR(f);
	file->private_data = f;
	file_pins_init(f, file->f_cred);
	/* One address space for all opens, so that a zap finds every mapping. */
	file->f_mapping = f->shelf->mapping;
	atomic_inc(&f->shelf->opens);
	trace_shelf_object(f->shelf->name, "file", 1);
	shelf_count(f->shelf, STAT_OPENS, 1);
	return stream_open(inode, file);
}

static int shelf_close(struct inode *inode, struct file *file)
{
	struct shelf_file *f = file->private_data;

	file_pins_exit(f);
	trace_shelf_object(f->shelf->name, "file", -1);
	/* What may only go back while nobody has the shelf open goes back now. */
	if (atomic_dec_and_test(&f->shelf->opens))
		shelf_reclaim_soon(f->shelf);
	shelf_put(f->shelf);
	kfree(f);
	return 0;
}

static bool file_news(const struct shelf_file *f)
{
	return shelf_generation(f->shelf) >= READ_ONCE(f->next);
}

/* Returns once there is something to tell, be it the end. */
static int file_wait(struct file *file, struct shelf_file *f)
{
	struct shelf *s = f->shelf;

	if (file_news(f) || READ_ONCE(s->dead))
		return 0;
	if (file->f_flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(s->wait,
					file_news(f) || READ_ONCE(s->dead));
}

/*
 * One generation, newer than the one last read from this file; the end of the
 * file once the shelf is destroyed and nothing newer can come.
 */
static ssize_t shelf_read(struct file *file, char __user *buf, size_t count,
			  loff_t *pos)
{
	struct shelf_file *f = file->private_data;
	u64 generation;
	int ret;

	if (count < sizeof(generation))
		return -EINVAL;
	ret = file_wait(file, f);
	if (ret)
		return ret;
	generation = shelf_generation(f->shelf);
	if (generation < READ_ONCE(f->next))
		return 0;
	if (copy_to_user(buf, &generation, sizeof(generation)))
		return -EFAULT;
	/* Two threads that share a file may both be told of the same one. */
	WRITE_ONCE(f->next, generation + 1);
	return sizeof(generation);
}

static __poll_t shelf_poll(struct file *file, poll_table *wait)
{
	struct shelf_file *f = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &f->shelf->wait, wait);
	if (file_news(f))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (file_pins_revoked(f))
		mask |= EPOLLPRI;
	if (READ_ONCE(f->shelf->dead))
		mask |= EPOLLHUP;
	return mask;
}

static const struct file_operations shelf_fops = {
	.owner = THIS_MODULE,
	.open = shelf_open,
	.release = shelf_close,
	.read = shelf_read,
	.poll = shelf_poll,
	.mmap = shelf_mmap,
	.get_unmapped_area = shelf_get_unmapped_area,
	.unlocked_ioctl = shelf_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* Reading is granted by group, as an administrator sets it; nobody writes. */
static char *shelf_devnode(compat_devnode_const struct device *dev,
			   umode_t *mode)
{
	if (mode)
		*mode = 0640;
	return kasprintf(GFP_KERNEL, "shelf/%s", dev_name(dev));
}

int cdev_init_module(void)
{
	int ret;

	ret = alloc_chrdev_region(&shelf_devt, 0, SHELF_MINORS, "shelf");
	if (ret)
		return ret;
	shelf_class = class_create("shelf");
	ret = PTR_ERR_OR_ZERO(shelf_class);
	if (ret)
		goto err_region;
	shelf_class->devnode = shelf_devnode;
	cdev_init(&shelf_cdev, &shelf_fops);
	shelf_cdev.owner = THIS_MODULE;
	ret = cdev_add(&shelf_cdev, shelf_devt, SHELF_MINORS);
	if (ret)
		goto err_class;
	return 0;

err_class:
	class_destroy(shelf_class);
err_region:
	unregister_chrdev_region(shelf_devt, SHELF_MINORS);
	return ret;
}

void cdev_exit_module(void)
{
	cdev_del(&shelf_cdev);
	class_destroy(shelf_class);
	unregister_chrdev_region(shelf_devt, SHELF_MINORS);
}
