/* SPDX-License-Identifier: MIT */
/*
 * Private: the memory of an enumeration, in the caller's scratch: which tables were met, in which
 * role.
 */
#ifndef PW_PRIVATE_MEMO_H
#define PW_PRIVATE_MEMO_H

#include "entry.h"
#include <pagewalk/regions.h>

_Static_assert(PW_MAX_LEVELS < 8, "a level and one more are three bits of a role");

/*
 * The role of a table of this level under these folds: the bits of the folds that can make a
 * difference in it or below, each where it stands, and the level, where none of them does. Never 0.
 */
PW_INLINE uint64_t pw_role(
	const struct pw_roles *roles, unsigned level, uint64_t and_fold, uint64_t or_fold)
{
	return (and_fold & roles->all) | (or_fold & roles->any) |
	       (uint64_t)(level + 1) << roles->level_at;
}

/* The role of the table that `entry` of this level leads to. The folds become those below. */
PW_INLINE uint64_t pw_role_below(const struct pw_regions *regions, unsigned level, uint64_t entry,
	uint64_t *and_fold, uint64_t *or_fold)
{
	pw_fold(&regions->it.space->format->level[level], entry, and_fold, or_fold);
	return pw_role(&regions->roles, level, *and_fold, *or_fold);
}

/* The slot where (table, role) belongs, if it is free. There is at least one. */
PW_INLINE size_t pw_memo_slot(const struct pw_regions *regions, pw_pa table, uint64_t role)
{
	uint64_t hash = ((table >> 4) ^ role << 40) * UINT64_C(0x9e3779b97f4a7c15);

	/* A fraction of the slots, without a division. */
	return (size_t)((hash >> 32) * (uint64_t)regions->memo_slots >> 32);
}

/* The slot that holds (table, role), or the free one where it belongs, or NULL if none is free. */
PW_INLINE struct pw_memo *pw_memo_find(const struct pw_regions *regions, pw_pa table, uint64_t role)
{
	size_t slots = regions->memo_slots, at = pw_memo_slot(regions, table, role);

	for (size_t tries = 0; tries < slots; tries++) {
		struct pw_memo *memo = &regions->memo[at];

		if (!memo->role || (memo->table == table && memo->role == role))
			return memo;
		at = at + 1 == slots ? 0 : at + 1;
	}
	return NULL;
}

PW_INLINE void pw_memo_keep(struct pw_regions *regions, const struct pw_memo *seen)
{
	/* One quarter stays free, so that searching stays short. */
	struct pw_memo *memo = NULL;

	if (regions->memo_used < regions->memo_slots - regions->memo_slots / 4)
		memo = pw_memo_find(regions, seen->table, seen->role);
	if (memo && !memo->role) {
		*memo = *seen;
		regions->memo_used++;
	}
}

/* It will be asked for soon. */
PW_INLINE void pw_memo_prefetch(const struct pw_regions *regions, pw_pa table, uint64_t role)
{
#if defined(__GNUC__)
	if (regions->memo_slots)
		__builtin_prefetch(&regions->memo[pw_memo_slot(regions, table, role)]);
#else
	(void)regions, (void)table, (void)role;
#endif
}

#endif
