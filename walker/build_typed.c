/* SPDX-License-Identifier: MIT */
/*
 * Mapping with the memory types of MTRRs: one mapping, planned and made as a whole, whose range
 * consists of pieces. The way along the range takes what is asked for from piece to piece.
 */
#include "build.h"
#include <pagewalk/mtrr.h>

static pw_rights rights_of(enum pw_memory_type type)
{
	switch (type) {
	case PW_TYPE_WC:
		return PW_MEM_WC;
	case PW_TYPE_WT:
		return PW_MEM_WT;
	case PW_TYPE_WP:
		return PW_MEM_WP;
	case PW_TYPE_WB:
		return PW_MEM_WB;
	default:
		return PW_MEM_UC;
	}
}

/* The piece that begins at `first`: as far as the type is the same, however often one must look. */
static void find_piece(const struct pw_build *b, struct pw_typed *typed, pw_va first)
{
	pw_pa pa = b->pa + (first - b->first), last = b->pa + (b->last - b->first), same = pa - 1;
	enum pw_memory_type type = pw_mtrr_type(typed->mtrr, pa, NULL);

	do {
		(void)pw_mtrr_range_type(typed->mtrr, same + 1, last, &same);
	} while (same != last && pw_mtrr_type(typed->mtrr, same + 1, NULL) == type);
	typed->first = first;
	typed->last = first + (same - pa);
}

static enum pw_status wish_for_type(struct pw_build *b)
{
	struct pw_typed *typed = b->typed;
	pw_pa pa = b->pa + (typed->first - b->first);
	pw_rights type = rights_of(pw_mtrr_type(typed->mtrr, pa, NULL));
	enum pw_status status;

	if (type == typed->type)
		return PW_OK;
	typed->type = type;
	for (unsigned level = 0; level <= b->top; level++)
		b->group[level].log2 = 0;
	status = pw_build_wish(b, typed->rights | type);
	if (status == PW_OK)
		pw_choose_sizes(b);
	return status;
}

void pw_turn_to(struct pw_build *b, pw_va at)
{
	struct pw_typed *typed = b->typed;

	if (at >= typed->first && at <= typed->last)
		return;
	/* From piece to piece: a place inside one does not tell where it begins. */
	find_piece(b, typed, at < typed->first ? b->first : typed->last + 1);
	while (at > typed->last)
		find_piece(b, typed, typed->last + 1);
	/* The plan has seen that each can be said. */
	(void)wish_for_type(b);
}

/* Every piece can be said, in whole pages. */
static enum pw_status plan_pieces(struct pw_build *b)
{
	struct pw_typed *typed = b->typed;
	enum pw_status status;

	find_piece(b, typed, b->first);
	for (;;) {
		if ((typed->last + 1) & PW_LOW(pw_row(b, 0)->shift))
			return PW_E_ALIGNMENT;
		status = wish_for_type(b);
		if (status != PW_OK || typed->last == b->last)
			return status;
		find_piece(b, typed, typed->last + 1);
	}
}

enum pw_status pw_map_typed(const struct pw_space *space, pw_va va, pw_pa pa, uint64_t size,
	pw_rights rights, const struct pw_mtrr *mtrr, struct pw_flush *flush)
{
	struct pw_typed typed = {.mtrr = mtrr, .rights = rights & ~PW_REPLACE};
	struct pw_build b;
	enum pw_status status;

	if (!mtrr || rights & PW_MEM_MASK)
		return PW_E_ARGUMENT;
	status = pw_map_begin(&b, space, va, pa, size, flush);
	if (status == PW_OK)
		status = pw_map_wish(&b, rights | rights_of(pw_mtrr_type(mtrr, pa, NULL)));
	if (status != PW_OK)
		return status;
	b.typed = &typed;
	status = plan_pieces(&b);
	if (status == PW_OK)
		status = pw_plan_map(&b);
	return status == PW_OK ? pw_fill_holes(&b) : status;
}
