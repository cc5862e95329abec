/* SPDX-License-Identifier: MIT */
/* Private: the list that an enumeration puts regions into, and what it knows of the roles. */
#ifndef PW_PRIVATE_LIST_H
#define PW_PRIVATE_LIST_H

#include "bits.h"
#include <pagewalk/regions.h>

/*
 * Where the list goes. The last region stands in it, and may still grow. Where there is no room for
 * another the list is cut: that region is taken back, to be the first of the next list.
 */
struct pw_list {
	struct pw_region *first, *next, *end; /* room for two at least */
	bool cut;
};

/* The region that may still grow, if there is one. */
PW_INLINE struct pw_region *pw_list_last(
	const struct pw_regions *regions, const struct pw_list *list)
{
	return regions->has_pending ? list->next - 1 : NULL;
}

PW_INLINE void pw_list_append(
	struct pw_regions *regions, struct pw_list *list, const struct pw_region *region)
{
	*list->next++ = *region;
	regions->has_pending = true;
}

/* There is one, of this kind, and it ends before `first`. */
PW_INLINE bool pw_follows(const struct pw_region *region, enum pw_region_kind kind, pw_va first)
{
	return region && region->kind == kind && region->last + 1 == first;
}

/*
 * Notes what the attributes of pages of that level become in a role, that is under these folds
 * (regions_begin.c).
 */
void pw_regions_fold(struct pw_regions *regions, unsigned level, uint64_t role, uint64_t and_fold,
	uint64_t or_fold);

#endif
