/* SPDX-License-Identifier: MIT */
/*
 * Cuts. Only the page that lies across an end of the range has to be split, so an end is a cut: a
 * path down to the level where the address is an entry's beginning.
 */
#include "build_journal.h"

/* The way down to a cut. */
struct cut {
	pw_va at; /* the first address behind the cut */
	unsigned level;
	struct pw_table table;
	/* The plan: tables of the levels [from, below) are needed. */
	unsigned from, below;
};

static void begin(const struct pw_build *b, struct cut *cut, pw_va at)
{
	*cut = (struct cut){.at = at, .level = b->top};
	cut->table = pw_table_open(b, b->top, b->space->root);
}

static bool is_beginning(pw_va at, unsigned shift)
{
	return !(at & PW_LOW(shift));
}

static void down(const struct pw_build *b, struct cut *cut, uint64_t entry)
{
	pw_pa pa = pw_table_address(b->format, b->space, pw_row(b, cut->level), entry);

	cut->level--;
	cut->table = pw_table_open(b, cut->level, pa);
}

/* ---- Plan ---- */

/* The smaller pages, level by level down to where the cut is an entry's beginning. */
static enum pw_status plan_split(struct pw_build *b, struct cut *cut, uint64_t entry)
{
	const struct pw_page *shape;
	unsigned level = cut->level;

	if (pw_needs_break(b))
		return PW_E_UNSUPPORTED;
	if (!pw_can_write(b, &cut->table, pw_index(pw_row(b, level), cut->at), 1))
		return PW_E_READ_ONLY;
	/* If it is one of a group, that has been seen to be loosened first. */
	if (!pw_loosened(b, level, pw_index(pw_row(b, level), cut->at), entry, &entry))
		return PW_E_UNSUPPORTED;
	shape = &pw_row(b, level)->page;
	cut->below = level;
	while (!is_beginning(cut->at, pw_row(b, level)->shift)) {
		const struct pw_page *smaller;

		if (!pw_has_tables(pw_row(b, level)))
			return PW_E_UNSUPPORTED;
		smaller = &pw_row(b, --level)->page;
		if (!pw_convert(b, shape, smaller, level, entry, &entry))
			return PW_E_UNSUPPORTED;
		shape = smaller;
	}
	cut->from = level;
	return PW_OK;
}

static enum pw_status plan_cut(struct pw_build *b, struct cut *cut)
{
	enum pw_status status = PW_OK;
	uint64_t entry;

	for (;;) {
		const struct pw_level *row = pw_row(b, cut->level);

		if (pw_has_groups(b, cut->level))
			status = pw_plan_loosen(b, &cut->table, cut->level, cut->at);
		if (status != PW_OK || is_beginning(cut->at, row->shift))
			return status;
		if (!pw_peek_at(b, &cut->table, pw_index(row, cut->at), &entry))
			return PW_NO_MEMORY;
		switch (pw_kind_in(b, cut->level, entry)) {
		case PW_HOLE:
			return PW_OK;
		case PW_BAD:
			return PW_RESERVED;
		case PW_PAGE:
			return plan_split(b, cut, entry);
		case PW_TABLE:
			down(b, cut, entry);
		}
	}
}

/* The two cuts need the same table at this level: below the same entry of the same page. */
static bool shared(
	const struct pw_build *b, unsigned level, const struct cut *one, const struct cut *other)
{
	unsigned shift = pw_row(b, level + 1)->shift;

	return level >= one->from && level < one->below && level >= other->from &&
	       level < other->below && one->at >> shift == other->at >> shift;
}

static void count(struct pw_build *b, unsigned level, const struct cut *cut, bool done)
{
	if (level < cut->from || level >= cut->below || done)
		return;
	b->need[level]++;
	b->kept[level] += pw_has_retained(b, level, cut->at);
}

enum pw_status pw_plan_cuts(struct pw_build *b)
{
	enum pw_status status = PW_OK;
	struct cut front, back;

	begin(b, &front, b->first);
	begin(b, &back, b->last + 1);
	/* The beginning and the end of the address space divide nothing. */
	if (b->first)
		status = plan_cut(b, &front);
	if (status == PW_OK && b->last != PW_LOW(b->format->va_bits))
		status = plan_cut(b, &back);
	for (unsigned level = 0; level < b->top && status == PW_OK; level++) {
		bool twice = shared(b, level, &front, &back);

		count(b, level, &front, false);
		count(b, level, &back, twice);
	}
	return status;
}

/* ---- Commit ---- */

/* All smaller pages into the child, in runs whose entries differ only by the stride. */
static void fill_child(
	struct pw_build *b, unsigned level, const struct pw_table *child, uint64_t leaf)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *shape = &row->page;
	pw_pa pa = pw_page_address(b->format, b->space, shape, leaf);
	struct pw_run run = {.table = child, .op = PW_OP_STORE, .level = level};

	leaf &= ~pw_address_mask(shape);
	run.stride = PW_BIT(row->shift) >> b->format->address_left;
	for (uint64_t left = pw_entry_count(row); left; left -= run.count) {
		run.count = pw_pages_in_stride(b->format, shape, pa, left);
		/* They fit: the conversion has tried the first and the last. */
		run.value = pw_with_address(b->format, shape, leaf, pa);
		(void)pw_commit(b, &run);
		run.index += run.count;
		pa += run.count << row->shift;
	}
}

bool pw_split_page(
	struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at, uint64_t *entry)
{
	const struct pw_level *row = pw_row(b, level);
	struct pw_table child;
	struct pw_run run = {.table = table,
		.op = PW_OP_REPLACE,
		.level = (uint8_t)level,
		.linked = true,
		.tables = true,
		.index = pw_index(row, at),
		.count = 1,
		.at = at & ~PW_LOW(row->shift),
		.expected = *entry};
	bool linked = false;
	uint64_t leaf;

	if (!pw_pop_reserve(b, level - 1, at, &child))
		return false;
	if (!pw_journal_table(b, level - 1, child.pa)) {
		pw_return_table(b, level - 1, child.pa);
		return false;
	}
	run.value = pw_link_to(b->format, level, child.pa);
	do {
		/* Again if the hardware has set Accessed or Dirty in the meantime. */
		*entry = run.expected;
		if (pw_kind_in(b, level, *entry) != PW_PAGE ||
			!pw_convert(b, &row->page, &pw_row(b, level - 1)->page, level - 1, *entry,
				&leaf))
			break;
		fill_child(b, level - 1, &child, leaf);
		linked = pw_commit(b, &run);
	} while (!linked && run.expected != *entry);
	if (!linked) {
		pw_journal_unused(b, child.pa);
		pw_return_table(b, level - 1, child.pa);
		return false;
	}
	b->taken++;
	b->splits++;
	*entry = run.value;
	return true;
}

static void commit_cut(struct pw_build *b, pw_va at)
{
	struct cut cut;
	uint64_t entry;

	begin(b, &cut, at);
	for (;;) {
		const struct pw_level *row = pw_row(b, cut.level);

		if (pw_has_groups(b, cut.level))
			pw_commit_loosen(b, &cut.table, cut.level, at);
		if (is_beginning(at, row->shift) ||
			!pw_peek_at(b, &cut.table, pw_index(row, at), &entry))
			return;
		switch (pw_kind_in(b, cut.level, entry)) {
		case PW_PAGE:
			if (!pw_split_page(b, &cut.table, cut.level, at, &entry))
				return;
			down(b, &cut, entry);
			break;
		case PW_TABLE:
			down(b, &cut, entry);
			break;
		default:
			return;
		}
	}
}

void pw_commit_cuts(struct pw_build *b)
{
	if (b->first)
		commit_cut(b, b->first);
	if (b->last != PW_LOW(b->format->va_bits))
		commit_cut(b, b->last + 1);
}
