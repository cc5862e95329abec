/* SPDX-License-Identifier: MIT */
/* A walk level by level, for the commands that show one. */
#ifndef PAGEWALK_WALK_LINES_H
#define PAGEWALK_WALK_LINES_H

#include <jansson.h>

#include "translation.h"

/* A table with a line for each entry read, each behind `indent`. */
void walk_print_steps(const struct translation *translation, const char *indent);

/* One record for each entry read, then the translate record. */
void walk_print_records(const struct translation *translation);

#define WALK_BITS_BYTES 512

/* The names of an entry's bits, as "P RW US" or "-", and as an array of strings. */
const char *walk_bits_text(const struct pw_space *space, unsigned level, uint64_t entry,
	enum pw_kind kind, char text[WALK_BITS_BYTES]);
json_t *walk_bits_array(
	const struct pw_space *space, unsigned level, uint64_t entry, enum pw_kind kind);

/* The record of one step. */
json_t *walk_step_record(const struct translation *translation, size_t step);

#endif
