/* SPDX-License-Identifier: MIT */
/* Private: a hit from a result. */
#ifndef PW_PRIVATE_HIT_H
#define PW_PRIVATE_HIT_H

#include "bits.h"
#include <pagewalk/batch.h>

PW_INLINE void pw_hit_from(const struct pw_result *r, struct pw_hit *hit)
{
	unsigned size_log2 = 0;

#if defined(__GNUC__)
	if (r->page_size)
		size_log2 = (unsigned)__builtin_ctzll(r->page_size);
#else
	while (r->page_size >> size_log2 > 1)
		size_log2++;
#endif
	*hit = (struct pw_hit){
		.pa = r->pa,
		.status = r->status,
		.level = r->level,
		.size_log2 = (uint8_t)size_log2,
		.flags = r->flags & (PW_RESULT_ACCESSED | PW_RESULT_DIRTY | PW_RESULT_GLOBAL),
		.rights = r->rights,
		.user = r->user,
		.supervisor = r->supervisor,
		.implicit = r->implicit,
	};
}

#endif
