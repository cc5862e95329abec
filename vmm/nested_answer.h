/* SPDX-License-Identifier: MIT */
/* A two-stage translation as text and as a JSON record. */
#ifndef PAGEWALK_NESTED_ANSWER_H
#define PAGEWALK_NESTED_ANSWER_H

#include <stddef.h>

#include <jansson.h>
#include <pagewalk/nested.h>

/* Long enough for the text below. */
#define NESTED_TEXT_BYTES 400

/* "0x1000 -> 0x5000 -> 0x9000  4 KiB  rw-u", or the reason and what the hardware reports. */
const char *nested_text(const struct pw_space *stage1, const struct pw_space *stage2,
	const struct pw_nested_result *result, char *text, size_t size);

/* The translate record of the command line's contract, with the keys of two stages. */
json_t *nested_record(const struct pw_space *stage1, const struct pw_space *stage2,
	const struct pw_nested_result *result);

#endif
