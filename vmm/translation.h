/* SPDX-License-Identifier: MIT */
/* One translation with all that can be said about it, as text and as a JSON record. */
#ifndef PAGEWALK_TRANSLATION_H
#define PAGEWALK_TRANSLATION_H

#include <stddef.h>

#include <jansson.h>
#include <pagewalk/translate.h>

/* x86: the vector of a fault that is no page fault. */
#define VECTOR_GP 13

/* The space must stay. */
struct translation {
	const struct pw_space *space;
	pw_va va; /* as it was asked for; the result's may be without LAM's metadata */
	pw_access access;
	struct pw_result result;
	struct pw_trace_step steps[PW_MAX_LEVELS]; /* the entries read, root first */
	size_t step_count;
};

/* Long enough for every text below. */
#define TRANSLATION_TEXT_BYTES 320

void translation_make(
	struct translation *translation, const struct pw_space *space, pw_va va, pw_access access);

/* Index of the step whose entry decided the answer; -1: no entry was read. */
int translation_deciding_step(const struct translation *translation);

/* "0x1000 -> 0x5000  4 KiB  rw-u", or "0x1000: not-present: ..." with the reason in words. */
const char *translation_text(const struct translation *translation, char *text, size_t size);

/* The reason alone, for an answer that is a status. */
const char *translation_reason(const struct translation *translation, char *text, size_t size);

/* The translate record of the command line's contract. */
json_t *translation_record(const struct translation *translation);

#endif
