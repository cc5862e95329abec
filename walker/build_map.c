/* SPDX-License-Identifier: MIT */
/* Mapping: holes become pages, as large as they can be, and the tables that lead to them. */
#include "build_notes.h"
#include "build_trail.h"

bool pw_map_fills(const struct pw_trail *t, uint64_t entry)
{
	struct pw_build *b = t->b;

	if (!pw_is_present(pw_row(b, t->level), entry))
		return true;
	if (!b->replace || !pw_trail_whole(t))
		return false;
	return pw_may_be_page(b, t->level, t->at) || pw_kind_in(b, t->level, entry) != PW_TABLE;
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
		status = pw_count_tables(b, level, at, end);
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
	return b->source == PW_SOURCE_RANGE ? pw_count_tables(b, t->level, t->at, last) : PW_OK;
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

void pw_choose_sizes(struct pw_build *b)
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

enum pw_status pw_map_begin(struct pw_build *b, const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, struct pw_flush *flush)
{
	enum pw_status status = pw_build_begin(b, space, va, size, flush);

	if (status != PW_OK)
		return status;
	if (pa & PW_LOW(b->format->level[0].shift))
		return PW_E_ALIGNMENT;
	if (pa + (size - 1) < pa || pa + (size - 1) > PW_LOW(space->pa_bits))
		return PW_E_RANGE;
	b->pa = pa;
	return PW_OK;
}

static enum pw_status plan(struct pw_build *b, const struct pw_space *space, pw_va va, pw_pa pa,
	uint64_t size, pw_rights rights, struct pw_flush *flush)
{
	enum pw_status status = pw_map_begin(b, space, va, pa, size, flush);

	if (status == PW_OK)
		status = pw_map_wish(b, rights);
	if (status != PW_OK)
		return status;
	pw_choose_sizes(b);
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
