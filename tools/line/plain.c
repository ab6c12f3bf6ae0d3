// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <jansson.h>

#include "text.h"

void make_plain(char *text)
{
	json_t *s;
	char *c;

	for (c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	s = json_string(text);
	for (c = text; !s && *c; c++)
		if (*c & 0x80)
			*c = '?';
	json_decref(s);
}
