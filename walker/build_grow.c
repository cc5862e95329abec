/* SPDX-License-Identifier: MIT */
/*
 * What a hole becomes. Tables are built below it without being linked: each is filled from its
 * first entry to its last, once, and an entry leads to it when it is complete.
 */
#include "build_journal.h"

/* Tables under construction, one a level. */
struct growth {
	unsigned level; /* of the table being filled */
	unsigned above; /* of the entry that all this is for */
	pw_va last;
	struct pw_table table[PW_MAX_LEVELS];
	uint64_t filled[PW_MAX_LEVELS]; /* entries from 0 on that are final */
	struct pw_run run;
};

/* The plan has seen that the addresses fit. */
static bool from_range(struct pw_build *b, unsigned level, pw_va at, struct pw_row_of *pages)
{
	const struct pw_page *shape = &pw_row(b, level)->page;
	pw_pa pa = b->pa + (at - b->first);

	pages->stride = PW_BIT(shape->size_log2) >> b->format->address_left;
	pages->count = pw_pages_in_stride(b->format, shape, pa, pages->count);
	pages->value = pw_with_address(b->format, shape, b->leaf[level], pa);
	if (b->group[level].log2)
		pw_take_groups(b, level, at, pa, pages);
	return true;
}

static bool from_pages(struct pw_build *b, unsigned level, struct pw_row_of *pages)
{
	const struct pw_memory *memory = b->memory;
	const struct pw_page *shape = &pw_row(b, level)->page;
	uint64_t bytes = PW_BIT(shape->size_log2);
	pw_pa pa;

	if (!memory->allocate_page(memory->ctx, bytes, &pa))
		return false;
	pages->stride = 0;
	pages->count = 1;
	if (pw_leaf_at(b, level, shape, b->leaf[level], pa, &pages->value) &&
		pw_journal_page(b, pa, bytes))
		return true;
	/* Too far up for this format, misaligned, or without a record. */
	memory->free_page(memory->ctx, pa, bytes);
	return false;
}

bool pw_take_pages(
	struct pw_build *b, unsigned level, pw_va at, pw_va last, struct pw_row_of *pages)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t size_less_one = PW_LOW(row->shift), length;

	if (b->typed) {
		pw_turn_to(b, at);
		last = b->typed->last < last ? b->typed->last : last;
	}
	length = last - at;
	if (!b->leaf[level] || at & size_less_one || length < size_less_one)
		return false;
	pages->count = (length >> row->shift) + ((length & size_less_one) == size_less_one ? 1 : 0);
	return b->source == PW_SOURCE_RANGE ? from_range(b, level, at, pages)
					    : from_pages(b, level, pages);
}

/*
 * Entries, after holes for those that were left out. Values, not a structure: two words loaded as
 * one that have just been stored as two would wait until the table before has left the store
 * buffer.
 */
static void put(struct pw_build *b, struct growth *g, uint64_t index, uint64_t count,
	uint64_t value, uint64_t stride)
{
	struct pw_run *run = &g->run;

	run->table = &g->table[g->level];
	run->level = (uint8_t)g->level;
	run->index = g->filled[g->level];
	run->count = index - run->index;
	run->value = b->empty;
	run->stride = 0;
	if (run->count)
		(void)pw_commit(b, run);
	run->index = index;
	run->count = count;
	run->value = value;
	run->stride = stride;
	if (count)
		(void)pw_commit(b, run);
	g->filled[g->level] = index + count;
}

static bool open_table(struct pw_build *b, struct growth *g, unsigned level)
{
	pw_pa pa;

	if (!pw_new_table(b, level, &pa))
		return false;
	if (!pw_journal_table(b, level, pa)) {
		pw_return_table(b, level, pa);
		return false;
	}
	b->taken++;
	g->table[level] = pw_table_open(b, level, pa);
	g->level = level;
	g->filled[level] = 0;
	return true;
}

/* The last address that the open table is to serve. */
static pw_va limit(const struct pw_build *b, const struct growth *g, pw_va at)
{
	pw_va last = pw_block_last(pw_row(b, g->level + 1), at);

	return last < g->last ? last : g->last;
}

/*
 * Ends every open table that is done (or, if nothing more can be had, all of them), and puts it
 * into the one above. True when the topmost is done: *entry leads to it.
 */
static bool close_tables(
	struct pw_build *b, struct growth *g, pw_va at, pw_va end, bool all, uint64_t *entry)
{
	while (all || end == limit(b, g, at)) {
		const struct pw_level *row = pw_row(b, g->level);

		if (g->filled[g->level] < pw_entry_count(row))
			put(b, g, pw_entry_count(row), 0, b->empty, 0);
		*entry = pw_link_to(b->format, g->level + 1, g->table[g->level].pa);
		if (++g->level == g->above)
			return true;
		put(b, g, pw_index(pw_row(b, g->level), at), 1, *entry, 0);
	}
	return false;
}

bool pw_grow(struct pw_build *b, unsigned level, pw_va at, pw_va last, uint64_t *entry)
{
	struct growth g;
	struct pw_row_of pages;

	*entry = 0;
	g.level = g.above = level;
	g.last = last;
	g.run = (struct pw_run){.op = PW_OP_STORE};
	if (pw_take_pages(b, level, at, last, &pages)) {
		*entry = pages.value;
		return true;
	}
	if (level == 0 || !open_table(b, &g, level - 1))
		return false;
	for (;;) {
		const struct pw_level *row = pw_row(b, g.level);
		bool more = pw_take_pages(b, g.level, at, limit(b, &g, at), &pages);
		pw_va end = at;

		if (more) {
			put(b, &g, pw_index(row, at), pages.count, pages.value, pages.stride);
			end = pw_block_last(row, at) + ((pages.count - 1) << row->shift);
		} else if (g.level > 0 && open_table(b, &g, g.level - 1)) {
			continue;
		}
		if (close_tables(b, &g, at, end, !more, entry))
			return more;
		at = end + 1;
	}
}
