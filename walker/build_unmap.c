/* SPDX-License-Identifier: MIT */
/*
 * Unmapping: whatever lies inside the range as a whole is taken out where it hangs, a subtree by
 * one store; then the tables at the range's two ends go too if nothing is left in them.
 */
#include "build_trail.h"

static struct pw_run run_at(const struct pw_trail *t, uint64_t count)
{
	const struct pw_level *row = pw_row(t->b, t->level);

	return (struct pw_run){.table = &t->table[t->level],
		.op = PW_OP_CLEAR,
		.level = t->level,
		.linked = true,
		.index = pw_index(row, t->at),
		.count = count,
		.at = t->at & ~PW_LOW(row->shift)};
}

/* An entry that is not empty keeps its table, even a hole: somebody has noted something there. */
static bool any_left(
	const struct pw_build *b, const struct pw_table *table, uint64_t from, uint64_t to)
{
	uint64_t entry;

	for (uint64_t i = from; i < to; i++) {
		if (!pw_peek_at(b, table, i, &entry) || entry != b->empty)
			return true;
	}
	return false;
}

/* ---- Plan: what the commit will write can be written ---- */

static enum pw_status plan_run(const struct pw_build *b, const struct pw_trail *t, uint64_t count)
{
	const struct pw_table *table = &t->table[t->level];
	uint64_t index = pw_index(pw_row(b, t->level), t->at), entry;

	if (table->host)
		return PW_OK;
	for (uint64_t i = index; i < index + count; i++) {
		if (!pw_peek_at(b, table, i, &entry))
			return PW_NO_MEMORY;
		if (entry != b->empty && !pw_can_write(b, table, i, 1))
			return PW_E_READ_ONLY;
	}
	return PW_OK;
}

/* An entry of which a part is outside: a table, or a page that the cuts have dealt with. */
static enum pw_status plan_part(struct pw_build *b, struct pw_trail *t)
{
	uint64_t entry;

	if (!pw_peek_at(b, &t->table[t->level], pw_index(pw_row(b, t->level), t->at), &entry))
		return PW_NO_MEMORY;
	if (pw_kind_in(b, t->level, entry) == PW_TABLE)
		return pw_trail_down(t, entry);
	pw_trail_skip(t, 1);
	return PW_OK;
}

static enum pw_status plan(struct pw_build *b)
{
	enum pw_status status = pw_plan_cuts(b);
	struct pw_trail t;

	pw_trail_begin(&t, b);
	while (status == PW_OK) {
		uint64_t count = pw_trail_whole(&t);

		if (!t.finished && !count) {
			status = plan_part(b, &t);
		} else if (!t.finished) {
			status = plan_run(b, &t, count);
			pw_trail_skip(&t, count);
		} else if (t.level == b->top) {
			return PW_OK;
		} else {
			pw_trail_up(&t);
			pw_trail_skip(&t, 1);
		}
	}
	return status;
}

/* ---- Commit ---- */

static void clear(struct pw_build *b, struct pw_trail *t, uint64_t count)
{
	struct pw_run run = run_at(t, count);
	uint64_t before = b->written;

	(void)pw_commit(b, &run);
	t->touched[t->level] |= b->written != before;
}

/* The table of the trail's level is done. */
static void leave(struct pw_build *b, struct pw_trail *t)
{
	const struct pw_table table = t->table[t->level];
	const struct pw_level *row = pw_row(b, t->level);
	/* What follows the range is the likeliest to be left. */
	uint64_t from = pw_index(row, t->limit[t->level]);
	bool empty = t->touched[t->level] && !any_left(b, &table, from, pw_entry_count(row)) &&
		     !any_left(b, &table, 0, from);

	pw_trail_up(t);
	if (empty && pw_can_write(b, &t->table[t->level], pw_index(pw_row(b, t->level), t->at), 1))
		clear(b, t, 1);
	pw_trail_skip(t, 1);
}

static void enter_or_skip(struct pw_build *b, struct pw_trail *t)
{
	uint64_t index = pw_index(pw_row(b, t->level), t->at), entry;

	if (pw_peek_at(b, &t->table[t->level], index, &entry) &&
		pw_kind_in(b, t->level, entry) == PW_TABLE) {
		pw_pa pa = pw_table_address(b->format, b->space, pw_row(b, t->level), entry);

		/* Reached a second time, by another path, after it was taken out. */
		if (pw_is_dead(b, pa))
			clear(b, t, 1);
		else if (pw_trail_down(t, entry) == PW_OK)
			return;
	}
	pw_trail_skip(t, 1);
}

static void commit(struct pw_build *b)
{
	struct pw_trail t;

	pw_trail_begin(&t, b);
	b->trail = &t;
	for (;;) {
		uint64_t count = pw_trail_whole(&t);

		if (!t.finished && !count) {
			enter_or_skip(b, &t);
		} else if (!t.finished) {
			clear(b, &t, count);
			pw_trail_skip(&t, count);
		} else if (t.level == b->top) {
			break;
		} else {
			leave(b, &t);
		}
	}
	b->trail = NULL;
}

static enum pw_status unmap(const struct pw_space *space, pw_va va, uint64_t size,
	struct pw_flush *flush, bool free_pages)
{
	struct pw_pending pending;
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);

	if (status != PW_OK)
		return status;
	/* Pages given back at once must not be in any TLB. */
	if (free_pages &&
		(!space->memory->free_page || (b.live && !flush->flush_now && !b.journal)))
		return PW_E_ARGUMENT;
	pending.count = 0;
	b.pending = free_pages ? &pending : NULL;
	status = plan(&b);
	if (status == PW_OK)
		status = pw_build_reserve(&b);
	if (status != PW_OK)
		return status;
	pw_commit_cuts(&b);
	commit(&b);
	return pw_build_finish(&b);
}

enum pw_status pw_unmap(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush)
{
	return unmap(space, va, size, flush, false);
}

enum pw_status pw_free(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush)
{
	return unmap(space, va, size, flush, true);
}
