/* SPDX-License-Identifier: MIT */
/* Private: whether an access is allowed, and the fault it gets. */
#ifndef PW_PRIVATE_ACCESS_H
#define PW_PRIVATE_ACCESS_H

#include "entry.h"
#include "formats/x86.h"
#include <pagewalk/translate.h>

/* What the identity space reports as its page size. */
#define PW_IDENTITY_PAGE 4096

_Static_assert(PW_ACCESS_READ == PW_R && PW_ACCESS_WRITE == PW_W && PW_ACCESS_FETCH == PW_X,
	"an access is checked against rights bit by bit");

/* Exactly one of READ, WRITE, FETCH, ANY; ANY alone; shadow stacks only where there are any. */
PW_INLINE bool pw_is_access(const struct pw_space *space, pw_access access)
{
	const unsigned one_of = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8;

	if (PW_UNLIKELY(access >> 4)) {
		if (access >> 7 || access & PW_ACCESS_ANY)
			return false;
		if (access & PW_ACCESS_SHADOW_STACK)
			return (space->flags & PW_SPACE_CET) && !(access & PW_ACCESS_FETCH) &&
			       (one_of >> (access & 15) & 1);
	}
	return one_of >> (access & 15) & 1;
}

/* The folded rights alone allow it. */
PW_INLINE bool pw_is_granted(pw_grant grant, pw_access access)
{
	unsigned shift = 4;

	if (access & PW_ACCESS_ANY)
		return true;
	if (access & PW_ACCESS_SHADOW_STACK)
		return false; /* decided by pw_judge() */
	if (access & PW_ACCESS_IMPLICIT)
		shift = 8;
	else if (access & PW_ACCESS_USER)
		shift = 0;
	return (grant >> shift & access & 7) != 0;
}

PW_INLINE uint8_t pw_page_flags(
	const struct pw_format *f, const struct pw_page *shape, uint64_t e, uint64_t or_fold)
{
	unsigned flags = PW_RESULT_ENTRY;

	if (shape->accessed)
		flags |= e & shape->accessed ? PW_RESULT_ACCESSED : 0;
	if (shape->dirty)
		flags |= (e & shape->dirty) == shape->dirty && !(e & shape->dirty_clear)
				 ? PW_RESULT_DIRTY
				 : 0;
	if (shape->global)
		flags |= e & shape->global ? PW_RESULT_GLOBAL : 0;
	if (shape->global_clear)
		flags |= e & shape->global_clear ? 0 : PW_RESULT_GLOBAL;
	if (f->global_table)
		flags |= or_fold & f->global_table ? PW_RESULT_GLOBAL : 0;
	return (uint8_t)flags;
}

/*
 * The complete judgement of an access to a page: the architecture's order of checks. Sets status,
 * rule and, for x86, the error code in *r, whose other fields are filled in already.
 */
PW_NODISCARD enum pw_status pw_judge(const struct pw_space *space, pw_grant grant,
	uint64_t and_fold, pw_access access, struct pw_result *r);

/* x86: sets the #PF error code that r->status and r->rule imply, or that it is a #GP. */
void pw_set_error_code(const struct pw_space *space, pw_access access, struct pw_result *r);

#endif
