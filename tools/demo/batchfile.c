// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "batchfile.h"
#include "die.h"

#define MAX_MEMBERS	4000	/* of one line */
#define CURRENCY	"BYT"	/* three letters; a price is in bytes */

void batch_open(struct batch_file *file, const char *path)
{
	*file = (struct batch_file) { .path = path, .out = fopen(path, "w") };
	if (!file->out)
		die("%s: %s", path, strerror(errno));
}

void batch_close(struct batch_file *file)
{
	if (ferror(file->out) || fclose(file->out))
		die("%s: cannot be written: %s", file->path, strerror(errno));
}

/* Takes over the line. */
static void write_line(struct batch_file *file, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	int length;

	if (!text)
		die("%s: out of memory", file->path);
	length = fprintf(file->out, "%s\n", text);
	if (length < 0)
		die("%s: cannot be written: %s", file->path, strerror(errno));
	file->bytes += (size_t)length;
	free(text);
	json_decref(line);
}

bool batch_put(struct batch_file *file, int64_t product, int64_t price,
	       int64_t stock, json_t *attrs)
{
	if (json_dumpb(attrs, NULL, 0, JSON_COMPACT) > MAX_ATTRS) {
		json_decref(attrs);
		return false;
	}
	write_line(file, json_pack("{ss sI sI ss sI so}", "op", "put",
				   "product", (json_int_t)product,
				   "price", (json_int_t)price,
				   "currency", CURRENCY,
				   "stock", (json_int_t)stock,
				   "attrs", attrs));
	file->puts++;
	return true;
}

/* As many links as fit on a line and are of one catalog. */
static size_t write_members(struct batch_file *file, const char *op,
			    const struct link *links, size_t count)
{
	struct catalog *catalog = links->catalog;
	json_t *members = json_array();
	size_t i;

	for (i = 0; i < count && i < MAX_MEMBERS &&
	     links[i].catalog == catalog; i++)
		json_array_append_new(members,
				      json_integer(links[i].product->named.id));
	write_line(file, json_pack("{ss sI so}", "op", op, "catalog",
				   (json_int_t)catalog->named.id,
				   "products", members));
	return i;
}

/* Returns the number of lines. */
static size_t write_links(struct batch_file *file, const char *op,
			  const struct link_list *list)
{
	size_t lines = 0;

	for (size_t done = 0; done < list->count; lines++)
		done += write_members(file, op, list->links + done,
				      list->count - done);
	return lines;
}

void batch_remove(struct batch_file *file, const struct link_list *list)
{
	file->removes += write_links(file, "remove", list);
}

void batch_add(struct batch_file *file, const struct link_list *list)
{
	file->adds += write_links(file, "add", list);
}
