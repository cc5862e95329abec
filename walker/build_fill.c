/* SPDX-License-Identifier: MIT */
/*
 * Filling the holes of a range. What takes tables or pages from the memory, which may run out of
 * them, is made first, unlinked, and noted; when all of it is there it is linked. What a hole of an
 * existing table becomes directly takes nothing.
 */
#include "build_journal.h"
#include "build_notes.h"
#include "build_trail.h"

enum pass {
	PASS_GATHER,
	PASS_LINK,
};

/* The hole at the trail's place becomes a page of which we know everything. */
static bool is_direct(struct pw_build *b, const struct pw_trail *t)
{
	return b->source == PW_SOURCE_RANGE && pw_may_be_page(b, t->level, t->at) &&
	       pw_trail_whole(t);
}

/* Never linked: pages and tables go straight back; what was, and is replaced, waits for its flush.
 */
static void take_back(struct pw_build *b, unsigned level, uint64_t entry)
{
	struct pw_chain replaced[PW_MAX_LEVELS];

	if (b->journal && b->overflow)
		return; /* what is undone takes all tables back */
	for (unsigned i = 0; i < PW_MAX_LEVELS; i++) {
		replaced[i] = b->dead[i];
		b->dead[i].count = 0;
	}
	b->unlinked = true;
	pw_discard(b, level, 0, entry);
	pw_hand_over(b);
	b->unlinked = false;
	for (unsigned i = 0; i < PW_MAX_LEVELS; i++)
		b->dead[i] = replaced[i];
}

static bool gather(struct pw_build *b, struct pw_trail *t, struct pw_notes *notes)
{
	pw_va last = pw_block_last(pw_row(b, t->level), t->at), limit = t->limit[t->level];
	uint64_t entry;

	if (is_direct(b, t)) {
		pw_trail_skip(t, 1);
		return true;
	}
	if (!pw_grow(b, t->level, t->at, last < limit ? last : limit, &entry) ||
		!pw_note_add(b, notes, t->at, t->level, entry)) {
		pw_journal_drop(b);
		take_back(b, t->level, entry);
		return false;
	}
	pw_trail_skip(t, 1);
	return true;
}

/* The same for the part of a page that a cut will divide. */
static bool gather_part(struct pw_build *b, struct pw_trail *t, struct pw_notes *notes)
{
	pw_va last = pw_block_last(pw_row(b, t->level), t->at), at = t->at, end = at;
	uint64_t entry;

	if (last > t->limit[t->level])
		last = t->limit[t->level];
	for (; end != last; at = end + 1) {
		unsigned level;

		end = pw_map_part(b, t->level, at, last, &level);
		if (b->source == PW_SOURCE_RANGE && pw_may_be_page(b, level, at))
			continue;
		if (!pw_grow(b, level, at, end, &entry) ||
			!pw_note_add(b, notes, at, level, entry)) {
			pw_journal_drop(b);
			take_back(b, level, entry);
			return false;
		}
	}
	pw_trail_skip(t, 1);
	return true;
}

static void link_noted(struct pw_build *b, struct pw_trail *t, struct pw_notes *notes)
{
	const struct pw_level *row = pw_row(b, t->level);
	struct pw_run run = {.table = &t->table[t->level],
		.op = b->replace ? PW_OP_OVERWRITE : PW_OP_STORE,
		.level = t->level,
		.linked = true,
		.index = pw_index(row, t->at),
		.count = 1,
		.at = t->at};
	struct pw_note note;

	while (pw_note_next(b, notes, &note)) {
		/* Not its turn: the hole was in a table that an earlier path has led to too. */
		if (!pw_note_is_for(b, &note, t->at, t->level)) {
			take_back(b, pw_note_level(&note), note.entry);
			continue;
		}
		run.value = note.entry;
		run.tables = pw_kind_in(b, t->level, note.entry) == PW_TABLE;
		if (!pw_commit(b, &run))
			take_back(b, t->level, note.entry);
		break;
	}
	pw_trail_skip(t, 1);
}

/* Holes from the trail's place on; at level 0 there is nothing else. */
static uint64_t holes_at(const struct pw_build *b, const struct pw_trail *t, uint64_t count)
{
	uint64_t index = pw_index(pw_row(b, t->level), t->at), holes = 0, entry;

	/* What is to be replaced is as good as a hole. */
	if (t->level == 0 || b->replace)
		return count;
	while (holes < count && pw_peek_at(b, &t->table[t->level], index + holes, &entry) &&
		!pw_is_present(pw_row(b, t->level), entry))
		holes++;
	return holes;
}

static void store_pages(struct pw_build *b, struct pw_trail *t)
{
	struct pw_run run = {.table = &t->table[t->level],
		.op = b->replace ? PW_OP_OVERWRITE : PW_OP_STORE,
		.level = t->level,
		.linked = true,
		.index = pw_index(pw_row(b, t->level), t->at),
		.at = t->at};
	uint64_t holes = holes_at(b, t, pw_trail_whole(t));
	struct pw_row_of pages;

	(void)pw_take_pages(b, t->level, t->at,
		pw_block_last(pw_row(b, t->level), t->at) +
			((holes - 1) << pw_row(b, t->level)->shift),
		&pages);
	run.value = pages.value;
	run.stride = pages.stride;
	run.count = pages.count;
	(void)pw_commit(b, &run);
	pw_trail_skip(t, run.count);
}

/* False: pages or tables ran out. */
static bool visit(struct pw_build *b, struct pw_trail *t, struct pw_notes *notes, enum pass pass)
{
	if (pass == PASS_GATHER)
		return gather(b, t, notes);
	if (is_direct(b, t))
		store_pages(b, t);
	else
		link_noted(b, t, notes);
	return true;
}

static void leave(struct pw_build *b, struct pw_trail *t, enum pass pass)
{
	if (pass == PASS_LINK) {
		pw_trail_leave(b, t);
	} else {
		pw_trail_up(t);
		pw_trail_skip(t, 1);
	}
}

/* The holes of the last tables are all direct: nothing to gather. */
static bool is_passed_over(const struct pw_build *b, const struct pw_trail *t, enum pass pass)
{
	return pass == PASS_GATHER && t->level == 1 && b->source == PW_SOURCE_RANGE;
}

/* An entry of which a part stays: a table, or a page that a cut divides. False: as visit(). */
static bool enter(struct pw_build *b, struct pw_trail *t, struct pw_notes *notes, enum pass pass,
	uint64_t entry)
{
	const struct pw_level *row = pw_row(b, t->level);
	enum pw_kind kind = pw_kind_in(b, t->level, entry);

	if (kind == PW_PAGE && b->replace && pass == PASS_GATHER)
		return gather_part(b, t, notes);
	if (kind != PW_TABLE || is_passed_over(b, t, pass)) {
		pw_trail_skip(t, 1);
	} else if (b->trail && pw_is_dead(b, pw_table_address(b->format, b->space, row, entry))) {
		/* Reached a second time, by another path, after it was replaced. */
		struct pw_run run = {.table = &t->table[t->level],
			.op = PW_OP_CLEAR,
			.level = t->level,
			.linked = true,
			.index = pw_index(row, t->at),
			.count = 1,
			.at = t->at & ~PW_LOW(row->shift)};

		(void)pw_commit(b, &run);
		pw_trail_skip(t, 1);
	} else if (pw_trail_down(t, entry) != PW_OK) {
		pw_trail_skip(t, 1);
	}
	return true;
}

static bool each_hole(struct pw_build *b, struct pw_notes *notes, enum pass pass)
{
	struct pw_trail t;
	uint64_t entry;

	pw_trail_begin(&t, b);
	b->trail = b->replace && pass == PASS_LINK ? &t : NULL;
	for (;;) {
		if (t.finished) {
			if (t.level == b->top)
				break;
			leave(b, &t, pass);
		} else if (!pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at),
				   &entry)) {
			pw_trail_skip(&t, 1);
		} else if (!(pw_map_fills(&t, entry) ? visit(b, &t, notes, pass)
						     : enter(b, &t, notes, pass, entry))) {
			return false;
		}
	}
	b->trail = NULL;
	return true;
}

/* Tables for the cuts alone: what else is needed is made as it is to be linked. */
static enum pw_status reserve_cuts(struct pw_build *b)
{
	for (unsigned level = 0; level <= b->top; level++)
		b->need[level] = b->cuts[level];
	return pw_build_reserve(b);
}

enum pw_status pw_fill_holes(struct pw_build *b)
{
	struct pw_notes notes;
	struct pw_note note;
	bool complete;

	if (b->replace && reserve_cuts(b) != PW_OK)
		return PW_E_NO_TABLES;
	notes.made = notes.read = 0;
	complete = each_hole(b, &notes, PASS_GATHER) && !b->overflow;
	if (!complete)
		pw_journal_drop(b);
	if (complete && b->replace)
		pw_commit_cuts(b);
	if (complete)
		(void)each_hole(b, &notes, PASS_LINK);
	while (pw_note_next(b, &notes, &note))
		take_back(b, pw_note_level(&note), note.entry);
	pw_notes_end(b, &notes);
	if (complete)
		return pw_build_finish(b);
	pw_build_return(b);
	return b->overflow ? PW_E_BUDGET : PW_E_NO_TABLES;
}
