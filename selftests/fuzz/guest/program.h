/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A program: calls with arguments that name slots, not values, so that it means the
 * same wherever it runs, can be changed at random, and reads as text:
 *
 *   f1 = open(n2, 0x0)
 *   ioctl(f1, p3, 0xc506, 0x28, good, 0x0) 8:gen=0x0
 *
 * Slots: f files, s sockets, m mappings, c batches' cookies, p pins' tokens; n is a
 * name of names.c. Behind a call are the attributes of its message, or the fields of
 * its struct by their offsets, as TYPE:FORM=VALUE[*LENGTH][~SKEW].
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdio.h>

#include "../../guest/lib/common.h"

#define SLOTS		8U
#define ARGS_MAX	7U
#define FIELDS_MAX	40U
#define CALLS_MAX	48U

/* GEN: the last generation that was told, and @value; PTR: a place, see place.h. */
enum form {
	FORM_U8, FORM_U16, FORM_U32, FORM_U64, FORM_NAME, FORM_COOKIE, FORM_PIN,
	FORM_GEN, FORM_PTR, FORM_BYTES, FORM_IDS, FORM_OPEN, FORM_CLOSE, FORMS
};

/**
 * struct field - an attribute, or a part of a struct
 * @len: BYTES, IDS: how many
 * @skew: what its length says beyond the truth; IDS: from one to the next
 */
struct field {
	__u16 type;
	__u8 form;
	__s8 skew;
	__u32 len;
	__u64 value;
};

struct call {
	__u8 op;
	__u8 fields;
	__u64 arg[ARGS_MAX];
	struct field field[FIELDS_MAX];
};

struct program {
	unsigned int calls;
	struct call call[CALLS_MAX];
};

/* Random numbers: the same from the same seed. */
struct rng {
	__u64 state;
};

__u64 rnd(struct rng *r);
__u64 below(struct rng *r, __u64 n);
static inline bool one_in(struct rng *r, __u64 n)
{
	return !below(r, n);
}

#define PICK(r, menu)	((menu)[below(r, sizeof(menu) / sizeof((menu)[0]))])

/*
 * Programs as text (text.c)
 * =========================
 */
#define PROGRAM_TEXT	(64U << 10)

/* Returns how long the text is; a line that begins with "---" ends it. */
size_t program_print(const struct program *p, char text[PROGRAM_TEXT]);
/* The next program of @f: 1; 0 at the end; -1, having said why, if it makes no sense. */
int program_read(struct program *p, FILE *f);

/*
 * Programs that were not there before (make.c, mutate.c)
 * ======================================================
 */
void program_make(struct rng *r, struct program *p);
/* Changes @p in one to four ways; @other is a program to take from. */
void program_mutate(struct rng *r, struct program *p, const struct program *other);
/* A number with a meaning to somebody, or just next to it. */
__u64 odd_number(struct rng *r);
/* Nothing that a reader is shown may look like a kernel's address by itself. */
__u64 tame(__u64 value);
bool looks_like_kernel(__u64 value);

#endif /* FUZZ_PROGRAM_H */
