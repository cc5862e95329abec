/* SPDX-License-Identifier: MIT */
/*
 * What no entry points to any more: pages, and tables with everything below them.
 *
 * The tables are chained through their first two entries until the operation ends, and by that are
 * known: entry 0 of each leads to the one before it, whose entry 1 leads back. So a table that two
 * paths lead to is taken out once, and the work is bounded by the number of distinct tables.
 */
#include "build_journal.h"
#include "build_trail.h"

/* Tables open on the way down, from the one that was taken out. */
struct path {
	unsigned top;
	struct pw_table table[PW_MAX_LEVELS];
	uint64_t next[PW_MAX_LEVELS]; /* the entry to look at next */
};

bool pw_is_dead(const struct pw_build *b, pw_pa pa)
{
	struct pw_table table = {pa, NULL};
	uint64_t link, back;
	pw_pa before;

	if (pw_is_retained(b, pa))
		return true;
	for (unsigned level = 0; level <= b->top; level++) {
		if (b->dead[level].count && b->dead[level].tail == pa)
			return true;
	}
	if (!pw_peek_at(b, &table, 0, &link) || (link ^ b->empty) & ~b->link_mask)
		return false;
	before = pw_chain_target(b, link);
	table.pa = before;
	return before != pa && pw_peek_at(b, &table, 1, &back) && back == pw_chain_link(b, pa);
}

/* A chained table's link reads as a hole at every level. */
static bool links_are_holes(const struct pw_build *b)
{
	uint64_t may_be_set = b->link_mask | b->empty;

	for (unsigned i = 0; i <= b->top; i++) {
		const struct pw_level *row = pw_row(b, i);

		if (!(row->present_all & ~may_be_set) &&
			(!row->present_any || (row->present_any & may_be_set)))
			return false;
	}
	return true;
}

static void bury(struct pw_build *b, unsigned level, const struct pw_table *table)
{
	struct pw_chain *chain = &b->dead[level];
	struct pw_table before = pw_table_open(b, level, chain->head);
	uint64_t link = pw_chain_link(b, chain->count ? before.pa : table->pa);

	bool chains =
		links_are_holes(b) && pw_chain_target(b, pw_chain_link(b, table->pa)) == table->pa;

	if (!b->unlinked && !pw_journal_free_table(b, level, table, chains))
		return; /* it will be linked again */
	if (!chains || !pw_poke(b, table, 0, link)) {
		pw_hand_over_table(b, level, table->pa);
		return;
	}
	if (!chain->count)
		chain->tail = table->pa;
	else if (!pw_poke(b, &before, 1, pw_chain_link(b, table->pa)))
		b->refused = true;
	chain->head = table->pa;
	chain->count++;
}

/* Pages go back to the memory: those of pw_free(), and those that pw_allocate() took in vain. */
static bool frees_pages(const struct pw_build *b)
{
	return b->pending || (b->unlinked && b->source == PW_SOURCE_PAGES);
}

/* A table in memory that is neither in use nor on the way here nor dead already. */
static bool enter(struct pw_build *b, struct path *path, unsigned level, pw_pa pa)
{
	uint64_t entry;

	for (unsigned i = level + 1; i <= path->top; i++) {
		if (path->table[i].pa == pa)
			return false;
	}
	if ((b->trail && pw_trail_has(b->trail, pa)) || pw_is_dead(b, pa))
		return false;
	path->table[level] = pw_table_open(b, level, pa);
	path->next[level] = 0;
	return pw_peek_at(b, &path->table[level], 0, &entry);
}

static void free_page(struct pw_build *b, unsigned level, uint64_t index, uint64_t entry, bool wait)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *shape = pw_shape(row, entry);
	pw_pa pa = pw_page_address(b->format, b->space, shape, entry);
	uint64_t bytes = PW_BIT(row->shift);

	pa += index << row->shift & PW_LOW(shape->size_log2);
	if (b->journal && !b->unlinked) {
		(void)pw_journal_free_page(b, pa, bytes);
		return;
	}
	if (b->journal)
		pw_journal_unused(b, pa);
	if (!wait) {
		if (b->unflushed)
			pw_free_pending(b);
		b->memory->free_page(b->memory->ctx, pa, bytes);
		return;
	}
	if (b->pending->count == PW_PENDING_MAX)
		pw_free_pending(b);
	b->unflushed = true;
	b->pending->page[b->pending->count++] = (struct pw_freed_table){pa, bytes};
}

/* Goes on in the table of `level`; true at an entry that leads to a table. */
static bool next_table(struct pw_build *b, struct path *path, unsigned level, pw_pa *pa)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t entry;

	if (level == 0 && !frees_pages(b))
		return false;
	while (path->next[level] < pw_entry_count(row)) {
		uint64_t index = path->next[level]++;

		if (!pw_peek_at(b, &path->table[level], index, &entry))
			continue;
		switch (pw_kind_in(b, level, entry)) {
		case PW_TABLE:
			*pa = pw_table_address(b->format, b->space, row, entry);
			return true;
		case PW_PAGE:
			if (frees_pages(b))
				free_page(b, level, index, entry, false);
			break;
		default:
			break;
		}
	}
	return false;
}

static void bury_tree(struct pw_build *b, unsigned level, pw_pa pa)
{
	struct path path = {.top = level};

	if (!enter(b, &path, level, pa))
		return;
	for (;;) {
		if (next_table(b, &path, level, &pa)) {
			if (enter(b, &path, level - 1, pa))
				level--;
			continue;
		}
		bury(b, level, &path.table[level]);
		if (level == path.top)
			return;
		level++;
	}
}

void pw_discard(struct pw_build *b, unsigned level, uint64_t index, uint64_t entry)
{
	switch (pw_kind_in(b, level, entry)) {
	case PW_PAGE:
		if (frees_pages(b))
			free_page(b, level, index, entry, !b->unlinked);
		break;
	case PW_TABLE:
		b->unflushed |= b->pending && !b->unlinked;
		bury_tree(b, level - 1,
			pw_table_address(b->format, b->space, pw_row(b, level), entry));
		break;
	default:
		break;
	}
}
