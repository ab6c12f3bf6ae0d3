// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <string.h>

#include "line.h"
#include "text.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Four digits, of which the last @pads are padding; false if they are none. */
static bool decode_group(unsigned char *to, const char *from, unsigned int pads)
{
	unsigned int bits = 0, i;

	for (i = 0; i < 4; i++) {
		int d = i < 4 - pads ? digit(from[i]) : 0;

		if (d < 0)
			return false;
		bits = bits << 6 | (unsigned int)d;
	}
	for (i = 0; i < 3 - pads; i++)
		to[i] = (unsigned char)(bits >> (16 - 8 * i));
	/* Bits that padding cuts off: one spelling for each value. */
	return !(bits & ((1U << 8 * pads) - 1));
}

long base64_decode(unsigned char *to, const char *from, size_t n)
{
	unsigned int pads = 0;
	size_t i;

	if (n % 4)
		return -1;
	while (pads < 2 && pads < n && from[n - 1 - pads] == '=')
		pads++;
	for (i = 0; i < n; i += 4)
		if (!decode_group(to + i / 4 * 3, from + i, i + 4 == n ? pads : 0))
			return -1;
	return (long)(n / 4 * 3 - pads);
}

char *base64_encode(const unsigned char *from, size_t n)
{
	char *out = xalloc(NULL, (n + 2) / 3 * 4 + 1, 1), *to = out;
	size_t i;

	for (i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned int bits = (unsigned int)from[i] << 16;

		if (left > 1)
			bits |= (unsigned int)from[i + 1] << 8;
		if (left > 2)
			bits |= from[i + 2];
		*to++ = alphabet[bits >> 18];
		*to++ = alphabet[bits >> 12 & 63];
		*to++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? alphabet[bits & 63] : '=';
	}
	*to = 0;
	return out;
}
