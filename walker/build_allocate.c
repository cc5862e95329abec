/* SPDX-License-Identifier: MIT */
/*
 * Allocating: like mapping, to pages that the memory gives one by one and of which it may run out.
 * So what each hole is to become is made first, unlinked, and noted; only when all of it is there
 * are the notes carried into the tables in use.
 */
#include "build_trail.h"

#define FIRST_NOTES 32

/* The entries-to-be, in the order of their places; those that do not fit here, in spare tables. */
struct notes {
	uint64_t first[FIRST_NOTES];
	struct pw_table table; /* the spare one in use; entry 0 leads to the next */
	pw_pa head;
	uint64_t count;
	uint64_t at; /* the next place in the table at hand */
};

static uint64_t notes_per_table(const struct pw_build *b)
{
	return pw_entry_count(pw_row(b, 0)) - 1;
}

/* Steps to the next place; no division, which a 32-bit target would take from a library. */
static uint64_t next_place(const struct pw_build *b, struct notes *notes)
{
	uint64_t place = notes->at;

	notes->at = place + 1 == notes_per_table(b) ? 0 : place + 1;
	return place;
}

static bool add_note(struct pw_build *b, struct notes *notes, uint64_t entry)
{
	uint64_t place, index;
	pw_pa pa;

	if (notes->count < FIRST_NOTES) {
		notes->first[notes->count++] = entry;
		return true;
	}
	place = notes->count - FIRST_NOTES;
	index = next_place(b, notes);
	if (index == 0) {
		if (!pw_new_table(b, 0, &pa))
			return false;
		if (place == 0)
			notes->head = pa;
		else
			b->refused |= !pw_poke(b, &notes->table, 0, pw_chain_link(b, pa));
		notes->table = pw_table_open(b, 0, pa);
	}
	b->refused |= !pw_poke(b, &notes->table, index + 1, entry);
	notes->count++;
	return true;
}

/* The note number n; to be read in order, from 0. */
static uint64_t read_note(const struct pw_build *b, struct notes *notes, uint64_t n)
{
	uint64_t index, entry = 0;

	if (n < FIRST_NOTES)
		return notes->first[n];
	if (n == FIRST_NOTES)
		notes->at = 0;
	index = next_place(b, notes);
	if (n == FIRST_NOTES)
		notes->table = pw_table_open(b, 0, notes->head);
	else if (index == 0 && pw_peek_at(b, &notes->table, 0, &entry))
		notes->table = pw_table_open(b, 0, pw_chain_target(b, entry));
	return pw_peek_at(b, &notes->table, index + 1, &entry) ? entry : 0;
}

static void drop_notes(struct pw_build *b, const struct notes *notes)
{
	struct pw_table table = pw_table_open(b, 0, notes->head);
	uint64_t per_table = notes_per_table(b), left, link;

	for (left = notes->count; left > FIRST_NOTES; left -= per_table) {
		link = 0;
		(void)pw_peek_at(b, &table, 0, &link);
		pw_return_table(b, 0, table.pa);
		if (left - FIRST_NOTES <= per_table)
			return;
		table = pw_table_open(b, 0, pw_chain_target(b, link));
	}
}

/* Never linked: pages and tables go straight back. */
static void take_back(struct pw_build *b, const struct pw_trail *t, uint64_t entry)
{
	b->unlinked = true;
	pw_discard(b, t->level, 0, entry);
	pw_hand_over(b);
	b->unlinked = false;
}

static bool gather(struct pw_build *b, const struct pw_trail *t, struct notes *notes)
{
	pw_va last = pw_block_last(pw_row(b, t->level), t->at), limit = t->limit[t->level];
	uint64_t entry;
	bool whole = pw_grow(b, t->level, t->at, last < limit ? last : limit, &entry);

	if (whole && add_note(b, notes, entry))
		return true;
	take_back(b, t, entry);
	return false;
}

static void carry_over(struct pw_build *b, const struct pw_trail *t, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, t->level);
	struct pw_run run = {.table = t->table[t->level],
		.op = PW_OP_STORE,
		.level = t->level,
		.linked = true,
		.tables = pw_kind_in(b, t->level, entry) == PW_TABLE,
		.index = pw_index(row, t->at),
		.count = 1,
		.at = t->at,
		.value = entry};

	if (!pw_commit(b, &run))
		take_back(b, t, entry);
}

enum pass {
	PASS_GATHER,
	PASS_CARRY_OVER,
	PASS_TAKE_BACK,
};

/* A hole at the trail's place. False: the pass ends here. */
static bool visit(struct pw_build *b, const struct pw_trail *t, struct notes *notes, enum pass pass,
	uint64_t number)
{
	if (pass == PASS_GATHER)
		return gather(b, t, notes);
	if (number == notes->count)
		return false;
	if (pass == PASS_CARRY_OVER)
		carry_over(b, t, read_note(b, notes, number));
	else
		take_back(b, t, read_note(b, notes, number));
	return true;
}

/* The table is done: back to its entry, and past it. */
static void leave(struct pw_build *b, struct pw_trail *t, enum pass pass)
{
	if (pass == PASS_CARRY_OVER) {
		pw_trail_leave(b, t);
	} else {
		pw_trail_up(t);
		pw_trail_skip(t, 1);
	}
}

/* Over the holes of the range in existing tables, in order. False: a visit ended it. */
static bool each_hole(struct pw_build *b, struct notes *notes, enum pass pass)
{
	uint64_t entry, number = 0;
	struct pw_trail t;

	pw_trail_begin(&t, b);
	for (;;) {
		if (t.finished) {
			if (t.level == b->top)
				return true;
			leave(b, &t, pass);
			continue;
		}
		if (pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at), &entry)) {
			if (pw_kind_in(b, t.level, entry) == PW_TABLE &&
				pw_trail_down(&t, entry) == PW_OK)
				continue;
			if (!pw_is_present(pw_row(b, t.level), entry) &&
				!visit(b, &t, notes, pass, number++))
				return false;
		}
		pw_trail_skip(&t, 1);
	}
}

static enum pw_status allocate(struct pw_build *b)
{
	struct pw_pending pending = {.count = 0}; /* pages made in vain go back */
	struct notes notes = {.count = 0};

	b->pending = &pending;
	if (!each_hole(b, &notes, PASS_GATHER)) {
		(void)each_hole(b, &notes, PASS_TAKE_BACK);
		drop_notes(b, &notes);
		return PW_E_NO_TABLES;
	}
	(void)each_hole(b, &notes, PASS_CARRY_OVER);
	drop_notes(b, &notes);
	return pw_build_finish(b);
}

enum pw_status pw_allocate(const struct pw_space *space, pw_va va, uint64_t size, pw_rights rights,
	struct pw_flush *flush)
{
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);

	if (status == PW_OK)
		status = pw_build_wish(&b, rights);
	if (status != PW_OK)
		return status;
	if (!space->memory->allocate_page)
		return PW_E_NO_TABLES;
	if (!space->memory->free_page)
		return PW_E_ARGUMENT; /* could not give back what it took */
	b.source = PW_SOURCE_PAGES;
	status = pw_plan_map(&b);
	return status == PW_OK ? allocate(&b) : status;
}
