/* SPDX-License-Identifier: MIT */
/* Private: what vector code a hosted build can offer. */
#ifndef PW_PRIVATE_KERNELS_H
#define PW_PRIVATE_KERNELS_H

#include "scan.h"
#include <pagewalk/batch.h>

/* Which entries are present: (entry & all) == all and (entry & any) != 0. */
struct pw_presence {
	uint64_t all, any;
};

/* How marks of pages are found in present entries that are not BAD, and which are cleared. */
struct pw_take_masks {
	struct pw_presence present;
	uint64_t reserved, illegal_low6;
	uint64_t accessed, dirty, clear;
};

/* Entries with the marks, and those of which one was cleared. */
struct pw_take_counts {
	uint64_t accessed, dirty, cleared;
};

/* What the present entries of a run have in common. */
struct pw_common {
	uint64_t all, some; /* AND and OR of the present entries */
	bool nonzero;       /* any entry that is not 0, present or not */
	bool full;          /* every entry is present */
};

struct pw_kernels {
	const char *name;
	/*
	 * Translates through the space's first window, for an access that the quick path serves.
	 * What it cannot decide it leaves to the caller: status PW_UNSTABLE, nothing else in the
	 * hit. Returns how many were decided; all of these are PW_OK.
	 */
	size_t (*batch)(const struct pw_space *space, const pw_va *va, size_t count,
		pw_access access, struct pw_hit *hits);

	/* ---- Runs of entries of 8 bytes in the host's byte order, aligned to 8 ---- */

	/* Stores value, value + stride, value + 2 * stride, ... */
	void (*fill)(uint64_t *at, uint64_t count, uint64_t value, uint64_t stride);
	/*
	 * Present entries become (entry & keep) | set; `present` NULL: all are. Returns the OR of
	 * all bits that changed. Of `ahead`, which need not be there, half as much is prefetched.
	 */
	uint64_t (*change)(uint64_t *at, const uint64_t *ahead, uint64_t count,
		const struct pw_presence *present, uint64_t keep, uint64_t set);
	/*
	 * `ahead` is what will be looked at next; it need not be there. Half as much of it is
	 * prefetched: a change, if one follows, can do the rest.
	 */
	void (*survey)(const uint64_t *at, const uint64_t *ahead, uint64_t count,
		const struct pw_presence *present, struct pw_common *common);
	/*
	 * Entry n is expected + n * stride but for the bits outside `keep`: then `all` and `some`
	 * are set.
	 */
	bool (*alike)(const uint64_t *at, const uint64_t *ahead, uint64_t count, uint64_t keep,
		uint64_t expected, uint64_t stride, struct pw_common *common);
	/* Clears marks. Bit n of the words says that entry n had the mark before. */
	struct pw_take_counts (*take)(uint64_t *at, const uint64_t *ahead, uint64_t count,
		const struct pw_take_masks *masks, uint64_t *accessed, uint64_t *dirty);

	/* pw_scan_plain() and pw_find_tables() for such entries. */
	uint64_t (*scan)(struct pw_scan *scan);
	void (*find_tables)(const struct pw_level *row, const char *at, const char *next,
		uint64_t count, uint64_t *tables, uint64_t *present);
};

/* The same in plain C. */
size_t pw_batch_plain(const struct pw_space *space, const pw_va *va, size_t count, pw_access access,
	struct pw_hit *hits);

#endif
