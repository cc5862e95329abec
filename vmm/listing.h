/* SPDX-License-Identifier: MIT */
/* The list of an address space's regions, for the commands that show one. */
#ifndef PAGEWALK_LISTING_H
#define PAGEWALK_LISTING_H

#include <stdbool.h>

#include <jansson.h>
#include <pagewalk/nested.h>

struct listing {
	const struct pw_space *space;
	const struct pw_space *stage2; /* or NULL; otherwise the space is a guest's under this */
	pw_va first, last;
	uint64_t memory_bytes; /* of guest memory: how many tables there can be */
	bool expand;
	bool is_event; /* JSON: records of `pagewalk run` say what event they are */
	bool json;
	const char *indent; /* text: in front of each line */
};

/*
 * Prints every region, and a last record if the list is not complete. EXIT_DATA; EXIT_REASON for a
 * BAD entry, a lost table or an incomplete list; EXIT_SOURCE without memory.
 */
int listing_print(const struct listing *listing);

#endif
