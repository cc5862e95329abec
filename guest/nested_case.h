/* SPDX-License-Identifier: MIT */
/* Runs cases and judges them. */
#ifndef GUEST_NESTED_CASE_H
#define GUEST_NESTED_CASE_H

#include "nested_world.h"

/* Where an exit says it came from. */
enum nested_place {
	NESTED_AT_NOTHING,
	NESTED_AT_PAGE,       /* the page that is accessed */
	NESTED_AT_ENTRY,      /* the target's entry in the subject, which is a table */
	NESTED_AT_CODE_ENTRY, /* the code's entry in the PML4, before its first instruction */
	NESTED_AT_SUBJECT,    /* its first byte, and no linear address */
	NESTED_AT_ABOVE,      /* the page or the entry below, with the address bits of guest_set */
};

/* How a nested guest should leave. */
struct nested_wanted {
	enum nested_end_kind kind;
	uint64_t qualification; /* of a violation or an exception, */
	uint64_t mask;          /* and which of its bits are known */
	uint64_t gpa, gla;
	uint32_t vector;
	char text[160]; /* for people */
};

/* A vector of the manuals, or of those who measured: an outcome known without the library. */
struct nested_vector {
	enum nested_end_kind kind;
	uint64_t qualification;
	enum nested_place place;
	uint32_t vector; /* of an exception */
};

/* Cases until the next call are of this group; tells how those of the last one went. */
void nested_group(const char *name);

/*
 * Builds what the case asks for, foretells the outcome by the library, lets a nested guest run, and
 * compares the two; and both with the vector, unless it is NULL. Counts one check.
 */
void nested_case_run(const struct nested_case *c, const struct nested_vector *vector);

/* The exit is the one wanted, as far as its bits are defined. */
bool nested_is_as_wanted(const struct nested_case *c, const struct nested_wanted *wanted,
	const struct nested_exit *end);

/* ---- From vmx_cases.c and svm_cases.c ---- */

/* All cases that this processor can be asked. */
void nested_cases(void);

/* ---- From nested_sweep.c ---- */

uint64_t nested_random(void);

/*
 * Pages as the library builds them, of each size, with each of these rights and each memory type,
 * accessed and holding a table; no vector, the library's word alone.
 */
void nested_sweep_built(
	const pw_rights *rights, size_t count, unsigned leaf_levels, uint32_t control);

/*
 * Random cases, the nested guest's own tables spoilt too. `spoil` sets what is done to the
 * second-stage entry. Always the same ones; a hundred times as many with "long".
 */
void nested_sweep_random(
	unsigned leaf_levels, uint32_t control, void (*spoil)(struct nested_case *));

/* ---- From nested_foretell.c ---- */

/* What the library's two-stage walk says of the world as it is now. */
struct nested_wanted nested_foretell(const struct nested_world *world);

/* ---- From nested_marks.c ---- */

/*
 * Accessed and Dirty in both stages after a run, by a walk that is not the library's: exactly those
 * of the accesses made, after one that went through; otherwise none but those of accesses on the
 * way.
 */
bool nested_marks_agree(const struct nested_world *world, const struct nested_exit *end);

/* ---- From vmx_judge.c and svm_judge.c ---- */

/* The second stage's Accessed and Dirty bits; 0: the processor sets none. */
uint64_t nested_second_accessed(const struct nested_case *c);
uint64_t nested_second_dirty(const struct nested_case *c);

/* Bits of the qualification that vectors state. */
extern const uint64_t nested_vector_mask;

/* Bits of the qualification that say something for sure. */
uint64_t nested_defined(const struct nested_case *c, const struct nested_exit *end);

/*
 * The name of a fault in an emulator, which the command line must name, that makes `end` of what is
 * wanted; NULL if there is none.
 */
const char *nested_deviation(const struct nested_world *world, const struct nested_wanted *wanted,
	const struct nested_exit *end);

#endif
