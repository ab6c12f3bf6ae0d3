// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Programs to text and back. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"

static const char *const form_names[FORMS] = {
	"u8", "u16", "u32", "u64", "name", "cookie", "pin", "gen", "ptr", "bytes", "ids",
	"{", "}",
};

struct writer {
	char *text;
	size_t at;
};

static void put(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct writer *w, const char *format, ...)
{
	size_t room = PROGRAM_TEXT - w->at;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->text + w->at, room, format, args);
	va_end(args);
	w->at += (size_t)n < room ? (size_t)n : 0;
}

static void put_arg(struct writer *w, char kind, __u64 value)
{
	if (kind == '@')
		put(w, "%s", place_names[value % PLACES]);
	else if (kind == 'x')
		put(w, "0x%llx", value);
	else
		put(w, "%c%llu", kind, value % (kind == 'n' ? NAMES : SLOTS));
}

static void put_field(struct writer *w, const struct field *f)
{
	bool nest = f->form == FORM_OPEN || f->form == FORM_CLOSE;

	put(w, " %u:%s", f->type, form_names[f->form]);
	if (f->form == FORM_PTR)
		put(w, "=%s", place_names[f->value % PLACES]);
	else if (!nest)
		put(w, "=0x%llx", f->value);
	if (f->len && !nest)
		put(w, "*%u", f->len);
	if (f->skew)
		put(w, "~%d", f->skew);
}

static void put_call(struct writer *w, const struct call *c)
{
	const struct op *op = &ops[c->op];
	unsigned int i = 0, n = strlen(op->args);

	if (op->result) {
		put_arg(w, op->args[0], c->arg[0]);
		put(w, " = ");
		i = 1;
	}
	put(w, "%s(", op->name);
	for (; i < n; i++) {
		put_arg(w, op->args[i], c->arg[i]);
		put(w, "%s", i + 1 < n ? ", " : "");
	}
	put(w, ")");
	for (i = 0; i < c->fields; i++)
		put_field(w, &c->field[i]);
	put(w, "\n");
}

size_t program_print(const struct program *p, char text[PROGRAM_TEXT])
{
	struct writer w = { text, 0 };
	unsigned int i;

	text[0] = 0;
	for (i = 0; i < p->calls; i++)
		put_call(&w, &p->call[i]);
	put(&w, "---\n");
	return w.at;
}

/*
 * And back
 * ========
 */
static unsigned int index_of(const char *const *list, unsigned int n, const char *word)
{
	unsigned int i;

	for (i = 0; i < n && strcmp(list[i], word); i++)
		;
	return i;
}

static int read_arg(const char *word, char kind, __u64 *value)
{
	if (kind == '@') {
		*value = index_of(place_names, PLACES, word);
		return *value < PLACES ? 0 : -1;
	}
	if (kind != 'x' && *word++ != kind)
		return -1;
	*value = strtoull(word, NULL, 0);
	return 0;
}

static int read_value(struct field *f, char *value)
{
	char *star = strchr(value, '*'), *wave = strchr(value, '~');

	if (wave) {
		*wave = 0;
		f->skew = atoi(wave + 1);
	}
	if (star) {
		*star = 0;
		f->len = strtoul(star + 1, NULL, 0);
	}
	return read_arg(value, f->form == FORM_PTR ? '@' : 'x', &f->value);
}

/* 8:u32=0x1*2~3; of nests the form has no value, but may have a skew. */
static int read_field(struct field *f, char *word)
{
	char *form = strchr(word, ':'), *value;

	if (!form)
		return -1;
	*form++ = 0;
	f->type = strtoul(word, NULL, 0);
	value = form + strcspn(form, "=~");
	if (*value == '~')
		f->skew = atoi(value + 1);
	f->form = FORMS;
	if (!*value || *value == '~') {
		*value = 0;
		f->form = index_of(form_names, FORMS, form);
		return f->form < FORMS ? 0 : -1;
	}
	*value = 0;
	f->form = index_of(form_names, FORMS, form);
	return f->form < FORMS ? read_value(f, value + 1) : -1;
}

static int read_args(struct call *c, const struct op *op, unsigned int i, char **rest)
{
	char *word;

	for (; op->args[i]; i++) {
		word = strtok_r(NULL, " =(),\n", rest);
		if (!word || read_arg(word, op->args[i], &c->arg[i]))
			return -1;
	}
	return 0;
}

static int read_fields(struct call *c, char **rest)
{
	char *word;

	while ((word = strtok_r(NULL, " )\n", rest)))
		if (c->fields == FIELDS_MAX || read_field(&c->field[c->fields++], word))
			return -1;
	return 0;
}

/* "f1 = open(...)" begins with a slot, all else with a call's name. */
static int read_call(struct call *c, char *line)
{
	char *rest, *word = strtok_r(line, " =(),\n", &rest), *first = NULL;
	const struct op *op;

	memset(c, 0, sizeof(*c));
	if (word && op_named(word) == op_count) {
		first = word;
		word = strtok_r(NULL, " =(),\n", &rest);
	}
	c->op = word ? op_named(word) : op_count;
	if (c->op == op_count)
		return -1;
	op = &ops[c->op];
	if (op->result != !!first)
		return -1;
	if (first && read_arg(first, op->args[0], &c->arg[0]))
		return -1;
	return read_args(c, op, !!first, &rest) || read_fields(c, &rest) ? -1 : 0;
}

int program_read(struct program *p, FILE *f)
{
	static char line[PROGRAM_TEXT];
	char copy[100], *at;

	p->calls = 0;
	while (fgets(line, sizeof(line), f)) {
		at = line + strspn(line, "# \t");
		snprintf(copy, sizeof(copy), "%.90s", at);
		if (!strncmp(at, "---", 3))
			return 1;
		if (*at == '\n' || !*at)
			continue;
		if (p->calls < CALLS_MAX && !read_call(&p->call[p->calls++], at))
			continue;
		printf("# not a call: %s\n", copy);
		return -1;
	}
	return p->calls ? 1 : 0;
}
