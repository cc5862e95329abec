/* SPDX-License-Identifier: MIT */
/* Private: what the two walks through live tables share. */
#ifndef PW_PRIVATE_LIVE_H
#define PW_PRIVATE_LIVE_H

#include "entry.h"
#include <pagewalk/live.h>

PW_INLINE pw_pa pw_step_pa(const struct pw_space *space, const struct pw_trace_step *step)
{
	return step->table + (uint64_t)step->index * space->format->entry_bytes;
}

/* A PAE PDPTE is a register, or was read as if it were one: nobody marks it. */
PW_INLINE bool pw_is_pdpte(const struct pw_space *space, const struct pw_trace_step *step)
{
	return space->format->family == PW_FAMILY_X86 && space->format->levels == 3 &&
	       step->level == 2;
}

/* The step's entry with the flags that hardware sets for an access that it allows. */
uint64_t pw_step_marked(
	const struct pw_space *space, pw_access access, const struct pw_trace_step *step);

/* The answer of a walk that never held still: the entry that changed, as it was walked. */
PW_INLINE enum pw_status pw_unstable(const struct pw_space *space, pw_va va,
	const struct pw_trace_step *changed, struct pw_result *result)
{
	*result = (struct pw_result){
		.va = va,
		.status = PW_UNSTABLE,
		.level = (int8_t)changed->level,
		.entry = changed->entry,
		.entry_pa = pw_step_pa(space, changed),
		.flags = PW_RESULT_ENTRY,
	};
	return PW_UNSTABLE;
}

/* The answer to a call that cannot be made. */
PW_INLINE enum pw_status pw_refused(pw_va va, struct pw_result *result)
{
	*result = (struct pw_result){.va = va, .status = PW_E_ARGUMENT, .level = -1};
	return PW_E_ARGUMENT;
}

#endif
