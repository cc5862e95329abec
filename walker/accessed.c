/* SPDX-License-Identifier: MIT */
/*
 * Accessed and Dirty as the hardware sets them.
 * x86: SDM vol. 3A "Accessed and Dirty Flags". EPT: SDM vol. 3C "Accessed and Dirty Flags for EPT".
 * RISC-V: privileged manual, "Virtual Address Translation Process". Arm: DDI 0487, "Hardware
 * management of the Access flag".
 */
#include "live.h"
#include "store.h"

/* The flag of a table's entry: as in a page, for those formats whose tables are marked at all. */
static uint64_t table_accessed(const struct pw_space *space)
{
	const struct pw_format *format = space->format;

	if (format->family != PW_FAMILY_X86 && format->family != PW_FAMILY_EPT &&
		format->family != PW_FAMILY_NPT)
		return 0;
	return format->level[0].page.accessed;
}

static uint64_t page_flags(
	const struct pw_space *space, pw_access access, unsigned level, uint64_t entry)
{
	const struct pw_page *shape = pw_shape(&space->format->level[level], entry);

	/*
	 * Arm: a page that can be written is dirty already. One that hardware would make writable
	 * (DBM set, read-only) counts as read-only here, so no write to it gets this far.
	 */
	if (!(access & PW_ACCESS_WRITE) || space->format->family == PW_FAMILY_ARM)
		return shape->accessed;
	return shape->accessed | shape->dirty;
}

uint64_t pw_step_marked(
	const struct pw_space *space, pw_access access, const struct pw_trace_step *step)
{
	if (step->kind == PW_PAGE)
		return step->entry | page_flags(space, access, step->level, step->entry);
	if (pw_is_pdpte(space, step))
		return step->entry;
	return step->entry | table_accessed(space);
}

/* What is in memory now: PW_OK with step->entry brought up to date, or PW_UNSTABLE. */
static enum pw_status mark(
	const struct pw_space *space, pw_access access, struct pw_trace_step *step)
{
	uint64_t entry = pw_step_marked(space, access, step);
	enum pw_status status;

	if (entry == step->entry)
		return PW_OK;
	status = pw_store(space, pw_step_pa(space, step), step->entry, entry);
	if (status == PW_UNSTABLE)
		return PW_UNSTABLE;
	if (status == PW_OK)
		step->entry = entry;
	return PW_OK;
}

/* Accessed and Dirty are bits that are set; of the other flags nothing has changed. */
static void show_flags(
	const struct pw_space *space, const struct pw_trace_step *page, struct pw_result *result)
{
	const struct pw_page *shape = pw_shape(&space->format->level[page->level], page->entry);

	result->entry = page->entry;
	if (shape->accessed && (page->entry & shape->accessed))
		result->flags |= PW_RESULT_ACCESSED;
	if (shape->dirty && (page->entry & shape->dirty) == shape->dirty &&
		!(page->entry & shape->dirty_clear))
		result->flags |= PW_RESULT_DIRTY;
}

enum pw_status pw_translate_update(const struct pw_space *space, pw_va va, pw_access access,
	unsigned tries, struct pw_result *result)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_result unwanted;
	size_t count, done;

	if (!result)
		result = &unwanted;
	if (tries == 0 || (access & PW_ACCESS_ANY))
		return pw_refused(va, result);
	do {
		enum pw_status status =
			pw_translate_trace(space, va, access, result, steps, &count);

		if (status != PW_OK || count == 0)
			return status;
		for (done = 0; done < count; done++) {
			if (mark(space, access, &steps[done]) != PW_OK)
				break;
		}
		if (done == count) {
			show_flags(space, &steps[count - 1], result);
			return PW_OK;
		}
	} while (--tries > 0);
	return pw_unstable(space, result->va, &steps[done], result);
}
