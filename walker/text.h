/* SPDX-License-Identifier: MIT */
/* Private: putting a line of text together without a C library. */
#ifndef PW_PRIVATE_TEXT_H
#define PW_PRIVATE_TEXT_H

#include <pagewalk/types.h>

struct text {
	char *at;
	size_t left; /* without the terminator */
};

static inline void put(struct text *text, const char *words)
{
	while (*words && text->left) {
		*text->at++ = *words++;
		text->left--;
	}
}

static inline void put_hex(struct text *text, uint64_t value)
{
	char digits[17];
	unsigned at = sizeof digits - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	put(text, "0x");
	put(text, &digits[at]);
}

static inline void put_rights(struct text *text, pw_rights rights)
{
	char letters[5] = "----";

	if (rights & PW_R)
		letters[0] = 'r';
	if (rights & PW_W)
		letters[1] = 'w';
	if (rights & PW_X)
		letters[2] = 'x';
	if (rights & PW_U)
		letters[3] = 'u';
	put(text, letters);
}

#endif
