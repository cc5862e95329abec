/* SPDX-License-Identifier: MIT */
/* A small x86 guest under EPT or NPT, in one memory, with one page whose second stage is at issue.
 */
#ifndef HARNESS_TWO_STAGES_H
#define HARNESS_TWO_STAGES_H

#include "ram.h"

#define STAGES_SUPERVISOR_VA UINT64_C(0x1000) /* both lead to the page at issue */
#define STAGES_USER_VA       UINT64_C(0x2000)

/* Guest-physical memory up to 2 MiB is mapped to itself, with all rights. */
struct stages {
	struct ram ram;
	const struct pw_format *format; /* of stage 2 */
	pw_pa root1, root2;
	pw_pa gpa, hpa;    /* the page at issue */
	pw_pa entry;       /* where the second-stage entry at issue stands */
	pw_pa guest_table; /* the guest's last table */
	pw_pa guest_entry; /* of STAGES_SUPERVISOR_VA, in it */
};

/* `format`: of stage 2. */
void stages_begin(struct stages *s, const struct pw_format *format);
void stages_end(struct stages *s);

/*
 * Puts the page at issue behind a second-stage page of this level (0 to 2); then the entry at issue
 * is the one at entry_level, the page's own or a table's above it.
 */
void stages_place(struct stages *s, unsigned page_level, unsigned entry_level);

/* The same with the guest's last table as the page at issue: it moves to such a place. */
void stages_place_table(struct stages *s, unsigned page_level, unsigned entry_level);

/* Replaces the bits under `mask` of the entry at issue. */
void stages_set(struct stages *s, uint64_t mask, uint64_t bits);

/* A guest in 4-level paging with this CR4 beside PAE. */
struct pw_space stages_guest(const struct stages *s, uint64_t cr4);

#endif
