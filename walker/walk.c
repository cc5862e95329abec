/* SPDX-License-Identifier: MIT */
/* The two walks with callbacks: loops over the iterator. */
#include "entry.h"
#include "iter.h"
#include "store.h"

typedef int (*handler)(void *ctx, struct pw_visit *visit);

static enum pw_kind kind_of(const struct pw_iter *it)
{
	switch (it->step) {
	case PW_STEP_HOLE:
		return PW_HOLE;
	case PW_STEP_PAGE:
		return PW_PAGE;
	case PW_STEP_BAD:
		return PW_BAD;
	default:
		return PW_TABLE;
	}
}

static struct pw_visit visit_of(const struct pw_iter *it)
{
	struct pw_visit visit = {
		.space = it->space,
		.first = it->first,
		.last = it->last,
		.entry = it->entry,
		.entry_pa = it->entry_pa,
		.level = it->level,
		.kind = (uint8_t)kind_of(it),
	};

	if (visit.kind == PW_PAGE) {
		visit.pa = it->pa;
		visit.page_size = it->page_size;
		visit.grant = it->grant;
	} else if (visit.kind == PW_TABLE) {
		visit.pa = it->pa;
	}
	return visit;
}

/* Turns a handler's answer into the walk's: *end says whether the walk ends with the status. */
static enum pw_status answer(int code, int *kept, bool *end)
{
	if (code == 0)
		return PW_OK;
	*kept = code;
	*end = true;
	return code == PW_STOP ? PW_OK : PW_E_CALLBACK;
}

/* The budget is spent and the next step would read: *position is what it would have been about. */
static bool over_budget(const struct pw_iter *it, uint64_t budget, pw_va *position)
{
	return budget && it->reads >= budget && pw_iter_reads_next(it, position);
}

enum pw_status pw_walk(
	const struct pw_space *space, pw_va first, pw_va last, struct pw_walker *walker)
{
	struct pw_iter it;
	enum pw_status status = pw_iter_begin(&it, space, first, last);
	bool end = false;

	walker->code = 0;
	walker->position = first;
	while (status == PW_OK && !end) {
		if (over_budget(&it, walker->budget, &walker->position))
			return PW_E_BUDGET;
		if (pw_iter_next(&it) == PW_STEP_END)
			break;

		struct pw_visit visit = visit_of(&it);
		int (*handle)(void *, const struct pw_visit *) =
			it.step == PW_STEP_HOLE    ? walker->handle_pte_hole
			: it.step == PW_STEP_LEAVE ? walker->handle_post_pte
						   : walker->handle_pte;

		walker->position = it.first;
		if (it.step == PW_STEP_LOST)
			return PW_NO_MEMORY;
		if (handle)
			status = answer(handle(walker->ctx, &visit), &walker->code, &end);
	}
	return status;
}

/*
 * After a handler: writes the entry if it was changed, and lets the iterator see the new one. Not
 * after LEAVE: the table is done, there is nothing to descend into.
 */
static enum pw_status write_back(struct pw_iter *it, const struct pw_visit *visit)
{
	enum pw_status status;

	if (visit->entry == it->entry)
		return PW_OK;
	if (pw_iter_is_register(it) || it->space->format->levels == 0)
		return PW_E_UNSUPPORTED;
	status = pw_store(it->space, it->entry_pa, it->entry, visit->entry);
	if (status == PW_OK && it->step != PW_STEP_LEAVE) {
		it->entry = visit->entry;
		pw_iter_judge(it);
	}
	return status;
}

enum pw_status pw_walk_mut(
	const struct pw_space *space, pw_va first, pw_va last, struct pw_walker_mut *walker)
{
	struct pw_iter it;
	enum pw_status status = pw_iter_begin(&it, space, first, last);
	bool end = false;

	walker->code = 0;
	walker->position = first;
	while (status == PW_OK && !end) {
		if (over_budget(&it, walker->budget, &walker->position))
			return PW_E_BUDGET;
		if (pw_iter_next(&it) == PW_STEP_END)
			break;

		struct pw_visit visit = visit_of(&it);
		handler handle = it.step == PW_STEP_HOLE    ? walker->handle_pte_hole
				 : it.step == PW_STEP_LEAVE ? walker->handle_post_pte
							    : walker->handle_pte;

		walker->position = it.first;
		if (it.step == PW_STEP_LOST)
			return PW_NO_MEMORY;
		if (!handle)
			continue;
		status = answer(handle(walker->ctx, &visit), &walker->code, &end);
		if (status == PW_OK)
			status = write_back(&it, &visit);
	}
	return status;
}
