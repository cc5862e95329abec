/* SPDX-License-Identifier: MIT */
/*
 * The worst TLB: it holds every translation and every table entry that the tables of a range allow
 * it to hold, and drops only what an instruction must drop. After an operation on the tables and
 * the instructions for its flush list nothing that it still holds may contradict the tables.
 */
#ifndef HARNESS_TLB_MODEL_H
#define HARNESS_TLB_MODEL_H

#include "build_fixture.h"

#define TLB_CELLS  2048
#define TLB_TABLES 512

/* A translation of one smallest page, as part of a page of `bytes` at `base`. */
struct tlb_leaf {
	bool held, hole;
	unsigned level;
	pw_va base;
	uint64_t bytes;
	pw_pa pa;
	pw_rights rights;
	uint64_t entry;
};

/* A table entry: for [first, last] the walk goes on at `table`. */
struct tlb_entry {
	bool held;
	pw_va first, last;
	unsigned level;
	pw_pa table;
};

struct tlb {
	const struct fixture *f;
	pw_va first;
	uint64_t page, cells;
	struct tlb_leaf leaf[TLB_CELLS];
	struct tlb_entry entry[TLB_TABLES];
	size_t entries;
	/* How far from minimal: cells dropped, and those of them that had to be. */
	uint64_t dropped, needed;
};

/* Takes in everything that the tables of [first, first + cells * page) say now. */
void tlb_fill(struct tlb *tlb, const struct fixture *f, pw_va first, uint64_t cells);
/* Executes what the flush list amounts to on this format. */
void tlb_flush(struct tlb *tlb, const struct pw_flush *flush);
/* Fails the test if something that is still held is wrong. */
void tlb_check(struct tlb *tlb, const char *after);
/*
 * Arm, after each store of an operation: fails the test if a translation that is still held and the
 * tables differ in more than break-before-make lets them. What the tables say beside is held now.
 */
void tlb_check_break(struct tlb *tlb, const char *during);

#endif
