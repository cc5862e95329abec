/* SPDX-License-Identifier: MIT */
/* Private: a hit from a result. */
#ifndef PW_PRIVATE_HIT_H
#define PW_PRIVATE_HIT_H

#include "entry.h"
#include "formats/x86.h"
#include <pagewalk/batch.h>

_Static_assert(
	sizeof(struct pw_hit) == 16 && offsetof(struct pw_hit, status) == 8 &&
		offsetof(struct pw_hit, level) == 9 && offsetof(struct pw_hit, size_log2) == 10 &&
		offsetof(struct pw_hit, flags) == 11 && offsetof(struct pw_hit, rights) == 12,
	"a hit is two words");
_Static_assert(PW_RESULT_ACCESSED == X86_A >> 5 && PW_RESULT_DIRTY == X86_D >> 5 &&
		       PW_RESULT_GLOBAL == X86_G >> 5,
	"flags of x86 are a shift away from the entry");

/* A hit as two words: pa, and `info`, its bytes from the status on, lowest first. */
PW_INLINE void pw_put_hit(struct pw_hit *hit, pw_pa pa, uint64_t info)
{
#if defined(__GNUC__)
	typedef uint64_t pair __attribute__((aligned(8), may_alias));

	if (!PW_HOST_BIG) {
		((pair *)(void *)hit)[0] = pa;
		((pair *)(void *)hit)[1] = info;
		return;
	}
#endif
	*hit = (struct pw_hit){
		.pa = pa,
		.status = (uint8_t)info,
		.level = (int8_t)(info >> 8),
		.size_log2 = (uint8_t)(info >> 16),
		.flags = (uint8_t)(info >> 24),
		.rights = (uint8_t)(info >> 32),
		.user = (uint8_t)(info >> 40),
		.supervisor = (uint8_t)(info >> 48),
		.implicit = (uint8_t)(info >> 56),
	};
}

/* The info of an x86 page. `grant` is the space's quick one. */
PW_INLINE uint64_t pw_x86_info(unsigned level, unsigned size_log2, uint64_t entry, uint64_t grant)
{
	const uint64_t flags = PW_RESULT_ACCESSED | PW_RESULT_DIRTY | PW_RESULT_GLOBAL;

	return (uint64_t)level << 8 | (uint64_t)size_log2 << 16 | (entry << 19 & flags << 24) |
	       grant << 32;
}

PW_INLINE void pw_hit_from(const struct pw_result *r, struct pw_hit *hit)
{
	unsigned size_log2 = 0;

	while (r->page_size >> size_log2 > 1)
		size_log2++;
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
