/* SPDX-License-Identifier: MIT */
/*
 * Filling the holes of a range. What takes tables or pages from the memory, which may run out of
 * them, is made first, unlinked, and noted; when all of it is there it is linked. What a hole of an
 * existing table becomes directly takes nothing.
 */
#include "build_notes.h"
#include "build_trail.h"

enum pass {
	PASS_GATHER,
	PASS_LINK,
};

/* The hole at the trail's place becomes a page of which we know everything. */
static bool is_direct(const struct pw_build *b, const struct pw_trail *t)
{
	return b->source == PW_SOURCE_RANGE && b->leaf[t->level] && pw_trail_whole(t);
}

/* Never linked: pages and tables go straight back. */
static void take_back(struct pw_build *b, unsigned level, uint64_t entry)
{
	b->unlinked = true;
	pw_discard(b, level, 0, entry);
	pw_hand_over(b);
	b->unlinked = false;
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
		take_back(b, t->level, entry);
		return false;
	}
	pw_trail_skip(t, 1);
	return true;
}

static void link_noted(struct pw_build *b, struct pw_trail *t, struct pw_notes *notes)
{
	const struct pw_level *row = pw_row(b, t->level);
	struct pw_run run = {.table = &t->table[t->level],
		.op = PW_OP_STORE,
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

	if (t->level == 0)
		return count;
	while (holes < count && pw_peek_at(b, &t->table[t->level], index + holes, &entry) &&
		!pw_is_present(pw_row(b, t->level), entry))
		holes++;
	return holes;
}

static void store_pages(struct pw_build *b, struct pw_trail *t)
{
	struct pw_run run = {.table = &t->table[t->level],
		.op = PW_OP_STORE,
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

static bool each_hole(struct pw_build *b, struct pw_notes *notes, enum pass pass)
{
	struct pw_trail t;
	uint64_t entry;

	pw_trail_begin(&t, b);
	for (;;) {
		if (t.finished) {
			if (t.level == b->top)
				return true;
			leave(b, &t, pass);
		} else if (!pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at),
				   &entry)) {
			pw_trail_skip(&t, 1);
		} else if (!pw_is_present(pw_row(b, t.level), entry)) {
			if (!visit(b, &t, notes, pass))
				return false;
		} else if (pw_kind_in(b, t.level, entry) != PW_TABLE ||
			   is_passed_over(b, &t, pass) || pw_trail_down(&t, entry) != PW_OK) {
			pw_trail_skip(&t, 1);
		}
	}
}

enum pw_status pw_fill_holes(struct pw_build *b)
{
	struct pw_notes notes;
	struct pw_note note;
	bool complete;

	notes.made = notes.read = 0;
	complete = each_hole(b, &notes, PASS_GATHER);
	if (complete)
		(void)each_hole(b, &notes, PASS_LINK);
	while (pw_note_next(b, &notes, &note))
		take_back(b, pw_note_level(&note), note.entry);
	pw_notes_end(b, &notes);
	return complete ? pw_build_finish(b) : PW_E_NO_TABLES;
}
