/* SPDX-License-Identifier: MIT */
/*
 * Harvesting: which pages have been used and written since the last time. What is said in
 * pagewalk/build.h about live spaces, ranges and alignment holds here too.
 */
#ifndef PAGEWALK_HARVEST_H
#define PAGEWALK_HARVEST_H

#include <pagewalk/build.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks of a page, as a set. */
#define PW_MARK_ACCESSED 1u
#define PW_MARK_DIRTY    2u

struct pw_marks {
	unsigned clear; /* PW_MARK_...: what is cleared where it is found; 0: only look */

	/*
	 * Bit n (of word n / 64, lowest first) belongs to the n-th smallest page of the range. Bits
	 * of pages that are marked are set, the others stay as they are. NULL: not wanted.
	 */
	uint64_t *accessed, *dirty;

	/* Called for each entry with a mark, in order, after it was cleared. May be NULL. */
	void (*page)(void *ctx, pw_va va, uint64_t bytes, unsigned marks);
	void *ctx;

	/* Added to: marked pages of the range, counted in smallest ones. */
	uint64_t accessed_pages, dirty_pages;
};

/*
 * Finds the pages of the range that are Accessed and Dirty, and clears what `clear` says. A huge
 * page, and a group of entries that one TLB entry may hold, is marked as a whole as far as it lies
 * in the range, and cleared as a whole. Marks of table entries stay.
 *
 * What was cleared is in the flush list: until it is flushed, the hardware may use a page without
 * marking it again. Each entry is taken by one atomic operation if the space is live, so a mark is
 * either found or still there for the next time.
 *
 * Dirty on Arm is the right to write, given by the hardware, in a page with DBM: clearing takes
 * that right away and leaves DBM. A format without the hardware's marks may fault when they are
 * cleared (pw_rules).
 *
 * Holes and BAD entries are passed over. PW_NO_MEMORY: a table of the range is lost, and
 * PW_E_READ_ONLY: one cannot be written; what was found before stands in *marks and is cleared.
 * PW_E_ARGUMENT: a NULL argument, unknown bits in `clear`.
 */
PW_API PW_NODISCARD enum pw_status pw_harvest(const struct pw_space *space, pw_va va, uint64_t size,
	struct pw_marks *marks, struct pw_flush *flush);

#ifdef __cplusplus
}
#endif

#endif
