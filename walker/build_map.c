/* SPDX-License-Identifier: MIT */
/* Mapping: holes become pages, as large as they can be, and the tables that lead to them. */
#include "build_notes.h"
#include "build_trail.h"

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

/*
 * Counts the tables for [first, last] below a hole of `level`, without looking at each of them: at
 * every level a table for each block in the range that no page of that level or above serves.
 */
static enum pw_status count_tables(struct pw_build *b, unsigned level, pw_va first, pw_va last)
{
	struct blocks served = {0, 0, false};
	unsigned hole = level;

	for (;; level--) {
		const struct pw_level *row = pw_row(b, level);
		struct blocks here = blocks_of(b, level, first, last);
		uint64_t tables = (last >> row->shift) - (first >> row->shift) + 1;

		if (here.any) {
			if (!address_fits(b, level, &here, &served))
				return PW_E_RANGE;
			served = here;
			tables -= ((here.last - here.first) >> row->shift) + 1;
		} else if (served.any) {
			tables -= ((served.last - served.first) >> row->shift) + 1;
		}
		if (!tables)
			return PW_OK;
		if (level == 0 || !pw_has_tables(row))
			return PW_E_UNSUPPORTED;
		b->noted += level == hole;
		b->need[level - 1] += tables;
	}
}

bool pw_map_fills(const struct pw_trail *t, uint64_t entry)
{
	const struct pw_build *b = t->b;

	if (!pw_is_present(pw_row(b, t->level), entry))
		return true;
	if (!b->replace || !pw_trail_whole(t))
		return false;
	return b->leaf[t->level] || pw_kind_in(b, t->level, entry) != PW_TABLE;
}

pw_va pw_map_part(const struct pw_build *b, unsigned level, pw_va at, pw_va last, unsigned *part)
{
	do {
		level--;
	} while (
		at & PW_LOW(pw_row(b, level)->shift) || pw_block_last(pw_row(b, level), at) > last);
	*part = level;
	return pw_block_last(pw_row(b, level), at);
}

/* Below the tables on the way the pages grant what is asked for. */
static bool tables_let_through(const struct pw_build *b, const struct pw_trail *t)
{
	for (unsigned i = 0; i <= t->level; i++) {
		if (b->leaf[i] && !pw_wish_holds(b, i, t->and_fold[t->level], t->or_fold[t->level]))
			return false;
	}
	return true;
}

/* A page at the trail's place is to be cut, and replaced as far as it lies in the range. */
static enum pw_status plan_part(struct pw_build *b, const struct pw_trail *t)
{
	enum pw_status status = tables_let_through(b, t) ? PW_OK : PW_E_RIGHTS;
	pw_va last = pw_block_last(pw_row(b, t->level), t->at), at = t->at, end = at;

	/* How large the pages will be that the memory gives is not known. */
	if (b->source == PW_SOURCE_PAGES)
		return status;
	if (last > t->limit[t->level])
		last = t->limit[t->level];
	for (; status == PW_OK && end != last; at = end + 1) {
		unsigned level;

		end = pw_map_part(b, t->level, at, last, &level);
		status = count_tables(b, level, at, end);
	}
	return status;
}

/* The entry at the trail's place is to be filled. */
static enum pw_status plan_hole(struct pw_build *b, const struct pw_trail *t)
{
	const struct pw_level *row = pw_row(b, t->level);
	pw_va last = pw_block_last(row, t->at);

	if (!pw_can_write(b, &t->table[t->level], pw_index(row, t->at), 1))
		return PW_E_READ_ONLY;
	if (!tables_let_through(b, t))
		return PW_E_RIGHTS;
	if (last > t->limit[t->level])
		last = t->limit[t->level];
	return b->source == PW_SOURCE_RANGE ? count_tables(b, t->level, t->at, last) : PW_OK;
}

/*
 * Nothing but zeros in the range of a last table, or what is there is of no matter: its last entry
 * stands for all of them.
 */
static void skip_empty(const struct pw_build *b, struct pw_trail *t)
{
	const struct pw_table *table = &t->table[0];
	uint64_t index = pw_index(pw_row(b, 0), t->at), count = pw_trail_whole(t);

	if (count > 1 && table->host &&
		(b->replace || !pw_survey_run(b, 0, table->host + index * b->format->entry_bytes,
				       NULL, count)
					.nonzero))
		pw_trail_skip(t, count - 1);
}

static enum pw_status plan_entry(struct pw_build *b, struct pw_trail *t, uint64_t entry)
{
	enum pw_status status;

	if (pw_map_fills(t, entry)) {
		/* On a live Arm space what is there is taken out and flushed first. */
		if (pw_needs_break(b) && pw_is_present(pw_row(b, t->level), entry))
			return PW_E_UNSUPPORTED;
		status = plan_hole(b, t);
		pw_trail_skip(t, 1);
		return status;
	}
	switch (pw_kind_in(b, t->level, entry)) {
	case PW_TABLE:
		status = pw_trail_down(t, entry);
		if (status == PW_OK && t->level == 0 && !pw_needs_break(b))
			skip_empty(b, t);
		return status;
	case PW_BAD:
		return pw_is_table(pw_row(b, t->level), entry) ? PW_RESERVED : PW_E_EXISTS;
	default:
		if (!b->replace)
			return PW_E_EXISTS;
		status = plan_part(b, t);
		pw_trail_skip(t, 1);
		return status;
	}
}

enum pw_status pw_plan_map(struct pw_build *b)
{
	enum pw_status status = PW_OK;
	struct pw_trail t;
	uint64_t entry;

	pw_trail_begin(&t, b);
	while (status == PW_OK) {
		if (!t.finished) {
			if (!pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at),
				    &entry))
				return PW_NO_MEMORY;
			status = plan_entry(b, &t, entry);
		} else if (t.level == b->top) {
			return PW_OK;
		} else {
			pw_trail_up(&t);
			pw_trail_skip(&t, 1);
		}
	}
	return status;
}

/* Pages of a level serve only if va and pa agree below its size and all of pa can be said. */
static void choose_sizes(struct pw_build *b)
{
	for (unsigned i = 1; i <= b->top; i++) {
		const struct pw_level *row = pw_row(b, i);
		pw_pa highest = (b->pa + (b->last - b->first)) & ~PW_LOW(row->shift);
		uint64_t entry;

		if (!b->leaf[i])
			continue;
		if ((b->first ^ b->pa) & PW_LOW(row->shift) ||
			!pw_leaf_at(b, i, &row->page, b->leaf[i], highest, &entry))
			b->leaf[i] = 0;
	}
}

enum pw_status pw_map_wish(struct pw_build *b, pw_rights rights)
{
	enum pw_status status = pw_build_wish(b, rights & ~PW_REPLACE);

	b->replace = (rights & PW_REPLACE) != 0;
	if (status == PW_OK && b->replace)
		status = pw_plan_cuts(b);
	for (unsigned level = 0; level <= b->top; level++)
		b->cuts[level] = b->need[level];
	return status;
}

static enum pw_status plan(struct pw_build *b, const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, pw_rights rights, struct pw_flush *flush)
{
	enum pw_status status = pw_build_begin(b, space, va, size, flush);

	if (status != PW_OK)
		return status;
	if (pa & PW_LOW(b->format->level[0].shift))
		return PW_E_ALIGNMENT;
	if (pa + (size - 1) < pa || pa + (size - 1) > PW_LOW(space->pa_bits))
		return PW_E_RANGE;
	b->pa = pa;
	status = pw_map_wish(b, rights);
	if (status != PW_OK)
		return status;
	choose_sizes(b);
	return pw_plan_map(b);
}

enum pw_status pw_map(const struct pw_space *space, pw_va va, pw_pa pa, uint64_t size,
	pw_rights rights, struct pw_flush *flush)
{
	struct pw_build b;
	enum pw_status status = plan(&b, space, va, pa, size, rights, flush);

	return status == PW_OK ? pw_fill_holes(&b) : status;
}

/* ---- Asking first ---- */

static void tell(const struct pw_build *b, struct pw_needs *needs)
{
	*needs = (struct pw_needs){.total = 0};
	for (unsigned level = 0; level <= b->top; level++) {
		needs->tables[level] = b->need[level];
		needs->total += b->need[level];
	}
	needs->spare = pw_notes_tables(b, b->noted);
	needs->total += needs->spare;
}

enum pw_status pw_map_needs(const struct pw_space *space, pw_va va, pw_pa pa, uint64_t size,
	pw_rights rights, struct pw_needs *needs)
{
	struct pw_build b;
	enum pw_status status = needs ? plan(&b, space, va, pa, size, rights, NULL) : PW_E_ARGUMENT;

	if (status == PW_OK)
		tell(&b, needs);
	return status;
}

enum pw_status pw_cut_needs(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_needs *needs)
{
	struct pw_build b;
	enum pw_status status = needs ? pw_build_begin(&b, space, va, size, NULL) : PW_E_ARGUMENT;

	if (status == PW_OK)
		status = pw_plan_cuts(&b);
	if (status == PW_OK)
		tell(&b, needs);
	return status;
}
