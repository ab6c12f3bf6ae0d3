// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * shelfctl pins: who keeps what.
 */
#include <pwd.h>
#include <string.h>

#include "../line/text.h"
#include "ctl.h"
#include "document.h"

struct pins {
	struct document out;
	unsigned long count;
};

static void print_json(FILE *to, const struct shelf_pin_listing *p, const char *user)
{
	fprintf(to, "{\"pid\":%u,\"process\":", p->pid);
	put_string(to, p->comm);
	fprintf(to, ",\"user\":%u", p->user);
	if (user) {
		fputs(",\"user_name\":", to);
		put_string(to, user);
	}
	fprintf(to, ",\"generation\":%llu,\"age_ms\":%llu,\"left_ms\":%llu,\"bytes\":%llu}",
		p->generation, p->age_ms, p->left_ms, p->bytes);
}

static void print_text(const struct shelf_pin_listing *p, const char *user)
{
	char process[sizeof(p->comm)], number[16];

	memcpy(process, p->comm, sizeof(process));
	make_plain(process);
	if (!user) {
		snprintf(number, sizeof(number), "%u", p->user);
		user = number;
	}
	printf("%7u %-15s %-12s %12llu %10.1f %10.1f %14llu\n", p->pid, process, user,
	       p->generation, (double)p->age_ms / 1e3, (double)p->left_ms / 1e3,
	       p->bytes);
}

static int print_pin(const struct shelf_pin_listing *p, void *arg)
{
	const struct passwd *known = getpwuid(p->user);
	const char *user = known ? known->pw_name : NULL;
	struct pins *pins = arg;

	if (!json_output) {
		if (!pins->count++)
			printf("%7s %-15s %-12s %12s %10s %10s %14s\n", "PID", "PROCESS",
			       "USER", "GENERATION", "AGE s", "LEFT s", "KEEPS bytes");
		print_text(p, user);
		return 0;
	}
	if (pins->count++)
		putc(',', pins->out.to);
	print_json(pins->out.to, p, user);
	return 0;
}

int run_pins(const struct args *a)
{
	struct shelf_error err;
	struct pins pins = { .count = 0 };
	int ret;

	if (a->words)
		return fail(STATUS_USAGE, 0, "too many arguments: %s", a->word[0]);
	document_begin(&pins.out);
	fputs(",\"pins\":[", pins.out.to);
	ret = shelf_list_pins(a->shelf, print_pin, &pins, &err);
	putc(']', pins.out.to);
	if (json_output && (pins.count || !ret))
		document_end(&pins.out, stdout);
	else
		document_drop(&pins.out);
	return ret ? fail(STATUS_REFUSED, ret, "%s: %s", a->shelf, err.message) : STATUS_OK;
}
