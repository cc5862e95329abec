/* SPDX-License-Identifier: MIT */
/*
 * Private: the trail, a builder's way along the entries of existing tables in its range. Down, side
 * and up; never again from the root.
 */
#ifndef PW_PRIVATE_BUILD_TRAIL_H
#define PW_PRIVATE_BUILD_TRAIL_H

#include "build.h"

struct pw_trail {
	struct pw_build *b;
	unsigned level;
	bool finished; /* the table of this level has no more entries in the range */
	pw_va at;      /* the next entry's first address in the range */
	struct pw_table table[PW_MAX_LEVELS];
	/* Of each table: */
	pw_va limit[PW_MAX_LEVELS];    /* the last address of the range that it serves */
	uint64_t entry[PW_MAX_LEVELS]; /* the entry that leads to it */
	bool whole[PW_MAX_LEVELS];     /* that entry lies inside the range as a whole */
	bool touched[PW_MAX_LEVELS];   /* entries of it have been taken out */
	uint64_t and_fold[PW_MAX_LEVELS], or_fold[PW_MAX_LEVELS];
};

void pw_trail_begin(struct pw_trail *t, struct pw_build *b);
/*
 * Into the table that `entry`, the next one, leads to. An entry that lies inside the range as a
 * whole is folded as widened. PW_E_UNSUPPORTED: the table contains itself.
 */
PW_NODISCARD enum pw_status pw_trail_down(struct pw_trail *t, uint64_t entry);
/* The trail leads through the table at pa. */
bool pw_trail_has(const struct pw_trail *t, pw_pa pa);

/*
 * From a last table: the one after it, if it is directly addressable; to be prefetched, as no
 * hardware prefetcher crosses from page to page.
 */
const char *pw_trail_table_ahead(const struct pw_trail *t);

/* After a table of the trail is done: its entry, if it denied the wish, does so no longer. */
void pw_trail_leave(struct pw_build *b, struct pw_trail *t);

/* ---- Mapping (build_map.c) ---- */

/* What is to be mapped takes the place of this entry, the next one, as a whole. */
bool pw_map_fills(const struct pw_trail *t, uint64_t entry);
/*
 * Of a page that is cut and replaced as far as it lies in the range, down from `level`: the level
 * of the entry at `at` that lies in [at, last] as a whole, and the largest. Returns its last
 * address.
 */
pw_va pw_map_part(const struct pw_build *b, unsigned level, pw_va at, pw_va last, unsigned *part);

/* Past the next `count` entries. */
PW_INLINE void pw_trail_skip(struct pw_trail *t, uint64_t count)
{
	const struct pw_level *row = pw_row(t->b, t->level);
	pw_va last = pw_block_last(row, t->at) + ((count - 1) << row->shift);

	t->finished = last >= t->limit[t->level];
	if (!t->finished)
		t->at = last + 1;
}

/* Entries from the next one on that lie inside the range as a whole, up to the table's end. */
PW_INLINE uint64_t pw_trail_whole(const struct pw_trail *t)
{
	const struct pw_level *row = pw_row(t->b, t->level);
	uint64_t size_less_one = PW_LOW(row->shift), length = t->limit[t->level] - t->at;

	if (t->at & size_less_one)
		return 0;
	return (length >> row->shift) + ((length & size_less_one) == size_less_one);
}

/* Back to the entry that led here, which is then the next one; skip it. */
PW_INLINE void pw_trail_up(struct pw_trail *t)
{
	t->at = t->limit[t->level];
	t->level++;
	t->finished = false;
}

#endif
