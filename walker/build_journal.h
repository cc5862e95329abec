/* SPDX-License-Identifier: MIT */
/*
 * Private: what the commit tells the caller's journal. Where there is no room b->overflow is set:
 * nothing more is recorded then, what has no record is not done, and pw_build_finish() undoes what
 * was done. Entries of tables that were never linked are of no matter: they are written anyway.
 */
#ifndef PW_PRIVATE_BUILD_JOURNAL_H
#define PW_PRIVATE_BUILD_JOURNAL_H

#include "build.h"
#include <pagewalk/journal.h>

/* The entry at `index` is about to change. False: no room. */
bool pw_journal_entry(struct pw_build *b, const struct pw_run *run, uint64_t index, uint64_t before,
	uint64_t after);
/* It did not. */
void pw_journal_retract(struct pw_build *b);
/* A run of PW_OP_STORE into a table that is not linked. */
void pw_journal_fill(struct pw_build *b, const struct pw_run *run);

/* A table or a page that was taken from the memory. False: no room. */
bool pw_journal_table(struct pw_build *b, unsigned level, pw_pa pa);
bool pw_journal_page(struct pw_build *b, pw_pa pa, uint64_t bytes);
/* It goes back without having been linked. */
void pw_journal_unused(struct pw_build *b, pw_pa pa);

/* A table that is no longer linked; `chained`: its first two entries will serve the library. */
bool pw_journal_free_table(
	struct pw_build *b, unsigned level, const struct pw_table *table, bool chained);
bool pw_journal_free_page(struct pw_build *b, pw_pa pa, uint64_t bytes);

/* The operation fails and has linked nothing: its records go, and there will be no more. */
void pw_journal_drop(struct pw_build *b);

/* Undoes the operation, for which the journal has no room (build_undo.c). */
void pw_journal_roll_back(struct pw_build *b);

/* ---- Marks, when undone (build_undo_marks.c) ---- */

/* What stands in an entry is `expected`, perhaps with other marks. */
bool pw_is_but_for_marks(
	const struct pw_build *b, unsigned level, uint64_t entry, uint64_t expected);
/*
 * What the record's `before` number n, entry `index` of its table, is now that `after` has become
 * `now`: the marks stay where they belong. `unseen`: no CPU has walked the tables in between.
 */
uint64_t pw_restored(struct pw_build *b, const struct pw_record *record, uint64_t n, uint64_t index,
	uint64_t now, bool unseen);

/* ---- Stores ---- */

/* Stores by way of the journal; false also if that has no room. */
bool pw_swap_recorded(struct pw_build *b, const struct pw_run *run, uint64_t index,
	uint64_t *expected, uint64_t entry);
bool pw_poke_recorded(
	struct pw_build *b, const struct pw_run *run, uint64_t index, uint64_t old, uint64_t entry);

/*
 * An entry of a table in use, that reads *expected, becomes `entry`: by compare-exchange if the
 * space is live. False as pw_exchange(), without a change of *expected also if there is no room.
 */
PW_INLINE bool pw_swap(struct pw_build *b, const struct pw_run *run, uint64_t index,
	uint64_t *expected, uint64_t entry)
{
	if (b->journal)
		return pw_swap_recorded(b, run, index, expected, entry);
	return b->live ? pw_exchange(b, run->table, index, expected, entry)
		       : pw_poke(b, run->table, index, entry);
}

#endif
