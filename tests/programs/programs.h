/* SPDX-License-Identifier: MIT */
/* The README's programs: each a function in a file of its own, compiled and run by test_programs.c.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <pagewalk/pagewalk.h>
#include <stdio.h>

/* A user's write at a guest-virtual address: where it goes, or the fault; and the text there. */
void exit_handler(const struct pw_space *space, pw_va gva, FILE *out);

/* The address space as a list. False: it is not complete. */
bool enumerate(const struct pw_space *space, FILE *out);

/* What read_pte and write_pte need. */
struct tables {
	uint64_t *entries; /* of physical memory from 0 on */
	size_t count;
};

/* Counts pages and holes in [first, last] of the 4-level tables at root. */
enum pw_status count_entries(struct tables *tables, pw_pa root, pw_va first, pw_va last, FILE *out);

/*
 * An EPT in *ept that maps 4 GiB of guest memory to host memory, readable and writable, and makes
 * the code in it execute-only.
 */
enum pw_status build_ept(const struct pw_memory *tables, pw_pa host, pw_va code, uint64_t bytes,
	struct pw_flush *flush, struct pw_space *ept);

#endif
