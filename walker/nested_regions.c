/* SPDX-License-Identifier: MIT */
/*
 * The composed address space: stage 1's regions, each cut where stage 2 maps its guest-physical
 * range otherwise.
 */
#include "nested.h"
#include "space.h"

#define DEFAULT_BUDGET PW_BIT(26)

void pw_nested_regions_begin(struct pw_nested_regions *regions, const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va first, pw_va last, bool regardless, void *scratch,
	size_t scratch_bytes)
{
	*regions = (struct pw_nested_regions){
		.stage2 = stage2, .stage1 = *stage1, .budget = DEFAULT_BUDGET, .position = first};
	pw_nested_memory_begin(&regions->through, stage2, regardless);
	pw_space_move(&regions->stage1, &regions->through.memory);
	pw_regions_begin(&regions->outer, &regions->stage1, first, last, scratch, scratch_bytes);
	regions->status = regions->outer.status;
	regions->done = regions->status != PW_OK;
}

/* ---- Growing the pending region ---- */

static bool continues(const struct pw_nested_region *a, const struct pw_nested_region *b)
{
	uint64_t size = b->first - a->first;

	if (a->kind != b->kind || a->stage != b->stage || a->last + 1 != b->first)
		return false;
	switch (a->kind) {
	case PW_REGION_MAPPED:
		return a->page_size == b->page_size && a->grant == b->grant &&
		       a->pa + size == b->pa && a->gpa + size == b->gpa;
	case PW_REGION_UNBACKED:
		return a->gpa + size == b->gpa;
	default:
		return false; /* merged already, each in its stage */
	}
}

/* `next` goes on with the pending region, or takes its place and sends it out. */
static bool add(struct pw_nested_regions *regions, const struct pw_nested_region *next,
	struct pw_nested_region *region)
{
	bool out = regions->has_pending;

	if (out && continues(&regions->pending, next)) {
		regions->pending.last = next->last;
		return false;
	}
	if (out)
		*region = regions->pending;
	regions->pending = *next;
	regions->has_pending = true;
	return out;
}

/* ---- Stage 2 under one region of stage 1 ---- */

static uint64_t left(const struct pw_nested_regions *regions)
{
	uint64_t spent = regions->outer.it.reads + regions->inner_reads;

	return regions->budget > spent ? regions->budget - spent : 0;
}

static void enter(struct pw_nested_regions *regions)
{
	const struct pw_region *from = &regions->from;

	regions->inside = true;
	regions->gpa = from->pa;
	regions->gpa_last = from->pa + (from->last - from->first);
	pw_regions_begin(
		&regions->inner, regions->stage2, regions->gpa, regions->gpa_last, NULL, 0);
	regions->inner.budget = left(regions);
	regions->has_piece = false;
}

static pw_va va_of(const struct pw_nested_regions *regions, pw_pa gpa)
{
	return regions->from.first + (gpa - regions->from.pa);
}

/* [gpa, last] of the region, of which stage 2 says `piece`, or nothing at all. */
static struct pw_nested_region compose(
	const struct pw_nested_regions *regions, pw_pa last, const struct pw_region *piece)
{
	struct pw_nested_region next = {
		.first = va_of(regions, regions->gpa),
		.last = va_of(regions, last),
		.kind = PW_REGION_UNBACKED,
		.stage = 2,
		.gpa = regions->gpa,
		.grant = regions->from.grant,
		.page_size = regions->from.page_size,
	};

	if (!piece)
		return next;
	next.kind = piece->kind;
	next.level = piece->level;
	next.entry = piece->entry;
	if (piece->kind != PW_REGION_MAPPED)
		return next;
	next.stage = 0;
	next.pa = piece->pa + (regions->gpa - piece->first);
	if (piece->page_size < next.page_size)
		next.page_size = piece->page_size;
	/* A page of an x86 user's is one that the user can at least read. */
	next.grant = pw_both_grants(
		regions->stage2, regions->from.grant, piece->grant, (regions->from.grant & 7) != 0);
	return next;
}

static bool end_early(struct pw_nested_regions *regions, enum pw_status status, pw_va position)
{
	regions->done = true;
	regions->status = status;
	regions->position = position;
	return false;
}

/* The next stretch of the region of stage 1. True if it completed a region. */
static bool advance_inside(struct pw_nested_regions *regions, struct pw_nested_region *region)
{
	struct pw_nested_region next;
	pw_pa last = regions->gpa_last;

	if (!regions->has_piece) {
		regions->has_piece = pw_regions_fill(&regions->inner, &regions->piece, 1) > 0;
		if (!regions->has_piece && regions->inner.status != PW_OK)
			return end_early(
				regions, regions->inner.status, va_of(regions, regions->gpa));
	}
	if (!regions->has_piece) {
		next = compose(regions, last, NULL);
	} else if (regions->piece.first > regions->gpa) {
		last = regions->piece.first - 1;
		next = compose(regions, last, NULL);
	} else {
		last = regions->piece.last;
		next = compose(regions, last, &regions->piece);
		regions->has_piece = false;
	}
	if (last == regions->gpa_last) {
		regions->inside = false;
		regions->inner_reads += regions->inner.it.reads;
	}
	regions->gpa = last + 1;
	return add(regions, &next, region);
}

/* ---- Stage 1 ---- */

static bool advance(struct pw_nested_regions *regions, struct pw_nested_region *region)
{
	const struct pw_region *from = &regions->from;
	struct pw_nested_region next;

	/* What stage 2 has read counts against stage 1 too. One by one: nothing read ahead may use
	 * up what the stage 2 of the regions before needs.
	 */
	regions->outer.budget = regions->outer.it.reads + left(regions);
	regions->outer.expand = regions->expand;
	if (!pw_regions_fill(&regions->outer, &regions->from, 1)) {
		regions->done = true;
		regions->status = regions->outer.status;
		regions->position = regions->outer.position;
		return false;
	}
	if (from->kind == PW_REGION_MAPPED) {
		enter(regions);
		return false;
	}
	next = (struct pw_nested_region){
		.first = from->first,
		.last = from->last,
		.kind = from->kind,
		.stage = 1,
		.level = from->level,
		.entry = from->entry,
		.repeats = from->repeats,
	};
	return add(regions, &next, region);
}

bool pw_nested_regions_next(struct pw_nested_regions *regions, struct pw_nested_region *region)
{
	while (!regions->done) {
		if (regions->inside ? advance_inside(regions, region) : advance(regions, region))
			return true;
	}
	if (!regions->has_pending)
		return false;
	*region = regions->pending;
	regions->has_pending = false;
	return true;
}
