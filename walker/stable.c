/* SPDX-License-Identifier: MIT */
/* Translation that is sure of what it read. */
#include "live.h"

/*
 * The second read must not be made before the first of any entry. An address dependency orders the
 * first reads, root before page; nothing but this fence orders the second after them.
 */
static bool still_reads(const struct pw_space *space, const struct pw_trace_step *step)
{
	uint64_t entry = 0;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return pw_load(space->format, space, pw_step_pa(space, step), &entry) &&
	       entry == step->entry;
}

/* The first of the steps that has changed, or NULL. */
static const struct pw_trace_step *changed_step(
	const struct pw_space *space, const struct pw_trace_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* Registers change only with the space. */
		if (pw_is_pdpte(space, &steps[i]) && (space->flags & PW_SPACE_PDPTE))
			continue;
		if (!still_reads(space, &steps[i]))
			return &steps[i];
	}
	return NULL;
}

enum pw_status pw_translate_stable(const struct pw_space *space, pw_va va, pw_access access,
	unsigned tries, struct pw_result *result)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	const struct pw_trace_step *changed;
	struct pw_result unwanted;
	size_t count;

	if (!result)
		result = &unwanted;
	if (tries == 0)
		return pw_refused(va, result);
	do {
		enum pw_status status =
			pw_translate_trace(space, va, access, result, steps, &count);

		changed = changed_step(space, steps, count);
		if (!changed)
			return status;
	} while (--tries > 0);
	return pw_unstable(space, result->va, changed, result);
}
