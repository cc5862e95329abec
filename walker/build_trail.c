/* SPDX-License-Identifier: MIT */
#include "build_trail.h"

static pw_va least(pw_va a, pw_va b)
{
	return a < b ? a : b;
}

void pw_trail_begin(struct pw_trail *t, struct pw_build *b)
{
	t->b = b;
	t->level = b->top;
	t->finished = false;
	t->at = b->first;
	t->limit[b->top] = b->last;
	t->touched[b->top] = false;
	t->table[b->top] = pw_table_open(b, b->top, b->space->root);
	t->and_fold[b->top] = ~(uint64_t)0;
	t->or_fold[b->top] = 0;
}

bool pw_trail_has(const struct pw_trail *t, pw_pa pa)
{
	for (unsigned i = t->level; i <= t->b->top; i++) {
		if (t->table[i].pa == pa)
			return true;
	}
	return false;
}

enum pw_status pw_trail_down(struct pw_trail *t, uint64_t entry)
{
	struct pw_build *b = t->b;
	const struct pw_level *row = pw_row(b, t->level);
	unsigned below = t->level - 1;
	pw_pa pa = pw_table_address(b->format, b->space, row, entry);

	if (pw_trail_has(t, pa))
		return PW_E_UNSUPPORTED;
	t->whole[below] = pw_trail_whole(t) > 0;
	t->limit[below] = least(t->limit[t->level], pw_block_last(row, t->at));
	t->table[below] = pw_table_open(b, below, pa);
	t->entry[below] = entry;
	t->touched[below] = false;
	t->and_fold[below] = t->and_fold[t->level];
	t->or_fold[below] = t->or_fold[t->level];
	if (b->has_wish && t->whole[below]) {
		struct pw_change change = pw_widening(b, t->level);

		entry = (entry & change.keep) | change.set;
	}
	pw_fold(row, entry, &t->and_fold[below], &t->or_fold[below]);
	t->level = below;
	return PW_OK;
}

const char *pw_trail_table_ahead(const struct pw_trail *t)
{
	const struct pw_build *b = t->b;
	const struct pw_level *row = pw_row(b, 1);
	uint64_t index = pw_index(row, t->at) + 1, entry;
	pw_pa pa;

	if (b->top == 0 || index == pw_entry_count(row) ||
		!pw_peek_at(b, &t->table[1], index, &entry))
		return NULL;
	pa = pw_table_address(b->format, b->space, row, entry);
	return pw_window_at(b->memory, pa, pw_table_bytes(b->format, 0), true);
}

void pw_trail_leave(struct pw_build *b, struct pw_trail *t)
{
	unsigned level = t->level + 1;
	uint64_t entry = t->entry[t->level];
	struct pw_change change = {~(uint64_t)0, 0};

	if (t->whole[t->level])
		change = pw_widening(b, level);
	pw_trail_up(t);
	if (((entry & change.keep) | change.set) != entry) {
		const struct pw_level *row = pw_row(b, level);
		struct pw_run run = {.table = &t->table[level],
			.op = PW_OP_CHANGE,
			.level = level,
			.linked = true,
			.tables = true,
			.index = pw_index(row, t->at),
			.count = 1,
			.at = t->at & ~PW_LOW(row->shift),
			.change = change};

		(void)pw_commit(b, &run);
	}
	pw_trail_skip(t, 1);
}
