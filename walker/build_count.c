/* SPDX-License-Identifier: MIT */
/* How many tables a mapping takes, from the ends of its range. */
#include "build.h"

/* Blocks of one level, in the range below a hole. */
struct blocks {
	pw_va first, last;
	bool any;
};

/* The blocks of this level inside [first, last] that can be pages. */
static struct blocks blocks_of(const struct pw_build *b, unsigned level, pw_va first, pw_va last)
{
	pw_va low = PW_LOW(pw_row(b, level)->shift);
	struct blocks blocks = {(first + low) & ~low, 0, false};

	if (!b->leaf[level] || blocks.first < first || blocks.first > last ||
		last - blocks.first < low)
		return blocks;
	/* One less than a multiple of the block's size; `last + 1` could wrap. */
	blocks.last = (last & low) == low ? last : (last & ~low) - 1;
	blocks.any = true;
	return blocks;
}

/* The highest page of this level, where larger ones do not serve, must be expressible. */
static bool address_fits(const struct pw_build *b, unsigned level, const struct blocks *here,
	const struct blocks *larger)
{
	const struct pw_level *row = pw_row(b, level);
	pw_va highest = here->last;
	uint64_t entry;

	if (larger->any && larger->last == here->last) {
		if (larger->first == here->first)
			return true;
		highest = larger->first - 1;
	}
	highest &= ~PW_LOW(row->shift);
	return pw_leaf_at(
		b, level, &row->page, b->leaf[level], b->pa + (highest - b->first), &entry);
}

/* Of the blocks of each level from `level` down, those that pages of one piece serve. */
static enum pw_status count_served(
	struct pw_build *b, unsigned level, pw_va first, pw_va last, uint64_t *served)
{
	struct blocks larger = {0, 0, false};

	for (;; level--) {
		unsigned shift = pw_row(b, level)->shift;
		struct blocks here = blocks_of(b, level, first, last);

		if (here.any) {
			if (!address_fits(b, level, &here, &larger))
				return PW_E_RANGE;
			larger = here;
		}
		if (larger.any)
			served[level] += ((larger.last - larger.first) >> shift) + 1;
		if (level == 0)
			return PW_OK;
	}
}

static PW_SEPARATE enum pw_status count_pieces(
	struct pw_build *b, unsigned level, pw_va first, pw_va last, uint64_t *served)
{
	enum pw_status status = PW_OK;
	pw_va end;

	for (pw_va at = first; status == PW_OK; at = end + 1) {
		pw_turn_to(b, at);
		end = b->typed->last < last ? b->typed->last : last;
		status = count_served(b, level, at, end, served);
		if (end == last)
			break;
	}
	return status;
}

/* At every level a table for each block in the range that no page of that level or above serves. */
enum pw_status pw_count_tables(struct pw_build *b, unsigned level, pw_va first, pw_va last)
{
	uint64_t served[PW_MAX_LEVELS] = {0};
	unsigned hole = level;
	enum pw_status status = b->typed ? count_pieces(b, level, first, last, served)
					 : count_served(b, level, first, last, served);

	for (; status == PW_OK; level--) {
		const struct pw_level *row = pw_row(b, level);
		uint64_t tables = (last >> row->shift) - (first >> row->shift) + 1 - served[level];

		if (!tables)
			return PW_OK;
		if (level == 0 || !pw_has_tables(row))
			return PW_E_UNSUPPORTED;
		b->noted += level == hole;
		b->need[level - 1] += tables;
	}
	return status;
}
