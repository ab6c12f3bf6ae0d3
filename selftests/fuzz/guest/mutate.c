// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Whole programs: made up, and made from others. */
#include <string.h>

#include "fuzz.h"
#include "make.h"

static unsigned int some_op(struct rng *r)
{
	unsigned int i, sum = 0;
	__u64 at;

	for (i = 0; i < op_count; i++)
		sum += ops[i].weight;
	at = below(r, sum);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return i;
}

static void make_call(struct rng *r, struct call *c, unsigned int op)
{
	memset(c, 0, sizeof(*c));
	c->op = op;
	ops[op].make(r, c);
}

static struct call *append(struct program *p, const char *name)
{
	struct call *c = &p->call[p->calls++];

	memset(c, 0, sizeof(*c));
	c->op = op_named(name);
	return c;
}

static void append_message(struct rng *r, struct program *p, __u8 cmd)
{
	make_message(r, append(p, "send"), cmd);
}

static void append_ioctl(struct program *p, unsigned int nr, __u64 size, __u8 form,
			 __u64 value)
{
	struct call *c = append(p, "ioctl");

	c->arg[IOCTL_CMD] = 0xc500 + nr;
	c->arg[IOCTL_SIZE] = size;
	add_field(c, form == FORM_PIN ? 8 : 16, form, value);
}

/* Its lease is over when the next commit needs the memory, or long after. */
static void append_pin(struct rng *r, struct program *p)
{
	append_ioctl(p, 6, 40, FORM_U64, one_in(r, 4) ? 0 : 1 + below(r, 2000000));
}

static void append_unpin(struct rng *r, struct program *p)
{
	append(p, "nap")->arg[0] = below(r, 8);
	append_ioctl(p, 7, 16, FORM_PIN, 0);
}

/* What most calls need: a shelf with something in it, a socket, a file, a mapping. */
static void prologue(struct rng *r, struct program *p)
{
	__u64 name = one_in(r, 3) ? below(r, 3) : 0;
	unsigned int batches = below(r, 4);
	bool pinned = one_in(r, 2);
	struct call *c;

	append(p, "socket");
	append_message(r, p, SHELF_CMD_CREATE);
	p->call[p->calls - 1].field[0].value = name;
	if (pinned)
		add_field(&p->call[p->calls - 1], SHELF_A_QUARANTINE_MS, FORM_U32, 0);
	c = append(p, "open");
	c->arg[1] = name;
	c->arg[2] = 04000;	/* O_NONBLOCK */
	while (batches--) {
		if (pinned)
			append_pin(r, p);
		append_message(r, p, SHELF_CMD_BATCH_BEGIN);
		p->call[p->calls - 1].field[0].value = name;
		make_sound_ops(r, append(p, "send"));
		append_message(r, p, SHELF_CMD_BATCH_COMMIT);
		append(p, "recv")->arg[2] = one_in(r, 4) ? 0 : 60;
	}
	if (pinned && one_in(r, 2))
		append_unpin(r, p);
	if (one_in(r, 2)) {
		make_mmap(r, append(p, "mmap"));
		p->call[p->calls - 1].arg[1] = 0;
	}
}

void program_make(struct rng *r, struct program *p)
{
	unsigned int n;

	p->calls = 0;
	if (!one_in(r, 8))
		prologue(r, p);
	n = p->calls + 1 + below(r, CALLS_MAX - p->calls);
	while (p->calls < n) {
		make_call(r, &p->call[p->calls], some_op(r));
		p->calls++;
	}
}

static void insert(struct rng *r, struct program *p)
{
	unsigned int at = below(r, p->calls + 1);

	if (p->calls == CALLS_MAX)
		return;
	memmove(&p->call[at + 1], &p->call[at], (p->calls - at) * sizeof(p->call[0]));
	p->calls++;
	if (at && one_in(r, 3))
		p->call[at] = p->call[below(r, at)];
	else
		make_call(r, &p->call[at], some_op(r));
}

static void delete(struct rng *r, struct program *p)
{
	unsigned int at = below(r, p->calls);

	if (p->calls == 1)
		return;
	p->calls--;
	memmove(&p->call[at], &p->call[at + 1], (p->calls - at) * sizeof(p->call[0]));
}

/* One argument becomes as it would be in another call of the kind, or odd. */
static void change_arg(struct rng *r, struct call *c)
{
	unsigned int n = strlen(ops[c->op].args), i = below(r, n);
	struct call other;

	make_call(r, &other, c->op);
	c->arg[i] = one_in(r, 3) ? odd_number(r) : other.arg[i];
}

static void change_field(struct rng *r, struct call *c)
{
	struct field *f = &c->field[below(r, c->fields)];

	switch (below(r, 6)) {
	case 0:
		f->value = tame(f->value + below(r, 5) - 2);
		break;
	case 1:
		f->len = odd_number(r);
		break;
	case 2:
		f->skew = f->skew ? 0 : (__s8)(below(r, 9) - 4);
		break;
	case 3:
		f->type = one_in(r, 2) ? below(r, 128) : f->type ^ (1 << below(r, 16));
		break;
	case 4:
		c->fields--;
		*f = c->field[c->fields];
		break;
	default:
		f->value = odd_number(r);
	}
}

/* The end of the one behind the beginning of the other. */
static void splice(struct rng *r, struct program *p, const struct program *other)
{
	unsigned int at = 1 + below(r, p->calls), from = below(r, other->calls);
	unsigned int n = other->calls - from;

	if (n > CALLS_MAX - at)
		n = CALLS_MAX - at;
	memcpy(&p->call[at], &other->call[from], n * sizeof(p->call[0]));
	p->calls = at + n;
}

static void change(struct rng *r, struct program *p, const struct program *other)
{
	struct call *c = &p->call[below(r, p->calls)];

	switch (below(r, 8)) {
	case 0:
	case 1:
		insert(r, p);
		break;
	case 2:
		delete(r, p);
		break;
	case 3:
		splice(r, p, other);
		break;
	case 4:
		make_call(r, c, c->op);
		break;
	case 5:
		change_arg(r, c);
		break;
	default:
		if (c->fields)
			change_field(r, c);
		else
			change_arg(r, c);
	}
}

void program_mutate(struct rng *r, struct program *p, const struct program *other)
{
	unsigned int n = 1 + below(r, 4);

	while (n--)
		change(r, p, other);
}
