/* SPDX-License-Identifier: MIT */
/* A range of virtual memory as stretches that can be read, and those that cannot. */
#ifndef PAGEWALK_STRETCH_H
#define PAGEWALK_STRETCH_H

#include <stdbool.h>

#include <jansson.h>

#include "nested_answer.h"
#include "target.h"
#include "translation.h"

struct stretch {
	const struct target *target;
	pw_va first;
	uint64_t bytes;
	const uint8_t *data;            /* NULL: it cannot be read */
	struct translation translation; /* of `first`, if there is one stage */
	struct pw_nested_result nested; /* of `first`, if there are two */
};

/* Long enough for stretch_text(). */
#define STRETCH_TEXT_BYTES 480

struct stretch_walk {
	const struct target *target;
	pw_va next;
	uint64_t left; /* bytes */
};

/* [first, first + bytes) must not wrap. */
struct stretch_walk stretch_begin(const struct target *target, pw_va first, uint64_t bytes);

/*
 * The next stretch: data within one page, or as much as cannot be read for one and the same reason.
 * False at the end.
 */
bool stretch_next(struct stretch_walk *walk, struct stretch *stretch);

/* Why it cannot be read: one line, and the record of the translation with "last" added. */
const char *stretch_text(const struct stretch *stretch, char *text, size_t size);
json_t *stretch_record(const struct stretch *stretch);

#endif
