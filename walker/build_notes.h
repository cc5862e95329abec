/* SPDX-License-Identifier: MIT */
/*
 * Private: notes of what holes are to become. An operation that may run out of pages or tables
 * makes everything first, unlinked, notes what is to be linked where, and links it only when all of
 * it is there. Notes are read in the order they were made.
 */
#ifndef PW_PRIVATE_BUILD_NOTES_H
#define PW_PRIVATE_BUILD_NOTES_H

#include "build.h"

#define PW_FIRST_NOTES 32

struct pw_note {
	uint64_t place; /* page number and level, as far as an entry can hold them */
	uint64_t entry; /* what will stand there */
};

/* The first stand here, the others two entries each in spare tables. */
struct pw_notes {
	struct pw_note first[PW_FIRST_NOTES];
	uint64_t made, read;
	struct pw_table table; /* the spare one in use; its entry 0 leads to the next */
	pw_pa head;
	uint64_t slot; /* the next place in it */
};

/* Tables that this many notes take beside what they are about. */
uint64_t pw_notes_tables(const struct pw_build *b, uint64_t notes);

/* False: there is no table for it. */
bool pw_note_add(
	struct pw_build *b, struct pw_notes *notes, pw_va at, unsigned level, uint64_t entry);

/* The next note, if there is one left. */
bool pw_note_next(const struct pw_build *b, struct pw_notes *notes, struct pw_note *note);

bool pw_note_is_for(const struct pw_build *b, const struct pw_note *note, pw_va at, unsigned level);
unsigned pw_note_level(const struct pw_note *note);

/* Gives the spare tables back. */
void pw_notes_end(struct pw_build *b, const struct pw_notes *notes);

#endif
