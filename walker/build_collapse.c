/* SPDX-License-Identifier: MIT */
/*
 * Collapsing: tables of pages that one larger page can say are replaced by it, from below. Pages
 * that stay may become groups.
 */
#include "build_trail.h"
#include <pagewalk/resize.h>

struct goal {
	unsigned highest; /* the level of the largest pages */
	bool groups;
	uint64_t made; /* pages and groups */
};

/* The table entry takes nothing away, and says nothing that the page could not. */
static bool is_plain_link(const struct pw_build *b, unsigned level, uint64_t link,
	const struct pw_page *shape, uint64_t page)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t and_fold = ~(uint64_t)0, or_fold = 0;
	uint64_t known = row->table_address | row->table_bits | row->page.accessed;

	pw_fold(row, link, &and_fold, &or_fold);
	return !(link & ~known) && pw_attributes(b->format, shape, page, and_fold, or_fold) ==
					   pw_attributes(b->format, shape, page, ~(uint64_t)0, 0);
}

/* What the entries of a group have between them. */
struct block {
	bool is_group, every, some; /* Accessed: all of them, one of them */
};

static bool is_accessed(const struct block *block)
{
	return block->is_group ? block->some : block->every;
}

/*
 * pw_are_alike() for pages of which some may be parts of groups, entry by entry. *common tells the
 * marks alone; a page of a group is Accessed if one of them is.
 */
static bool are_alike_in_groups(const struct pw_build *b, unsigned level,
	const struct pw_table *table, uint64_t keep, uint64_t first, struct pw_common *common)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *page = &row->page, *span = &row->span;
	uint64_t stride = PW_BIT(row->shift) >> b->format->address_left, entry, part = 0;
	uint64_t others = PW_LOW(pw_groups_log2(b, level) - row->shift);
	uint64_t part_keep = ~(span->accessed | pw_dirty_flag(b->format, span));
	struct block block = {false, true, false};
	bool spans = pw_has_spans(b->space, level) &&
		     pw_convert(b, page, span, level, first & keep, &part);

	*common = (struct pw_common){~(uint64_t)0, 0, true, true};
	for (uint64_t i = 0; i < pw_entry_count(row); i++) {
		bool is_part;

		if (!(i & others))
			block = (struct block){false, true, false};
		if (!pw_peek_at(b, table, i, &entry))
			return false;
		is_part = spans && (entry & part_keep) == part + (i & ~others) * stride;
		if (!is_part && (entry & keep) != (first & keep) + i * stride)
			return false;
		block.is_group |= is_part || entry & page->hint;
		block.every &= pw_is_accessed(is_part ? span : page, entry);
		block.some |= pw_is_accessed(is_part ? span : page, entry);
		if (pw_is_dirty(is_part ? span : page, entry))
			common->some |= page->dirty;
		if ((i & others) == others && !is_accessed(&block))
			common->all &= ~page->accessed;
	}
	return true;
}

/* The entries of the whole table are `first` and pages that follow it, but for marks and groups. */
static bool are_alike(const struct pw_build *b, unsigned level, const struct pw_table *table,
	const char *ahead, uint64_t keep, uint64_t first, struct pw_common *common)
{
	const struct pw_page *page = &pw_row(b, level)->page;

	if (!pw_are_alike(b, level, table, ahead, keep, first, common))
		return pw_has_spans(b->space, level) &&
		       are_alike_in_groups(b, level, table, keep, first, common);
	return !(common->some & page->hint) || (common->all & page->accessed) ||
	       are_alike_in_groups(b, level, table, keep, first, common);
}

/* The page that says what the whole table of this level says. */
static bool merge(const struct pw_build *b, unsigned level, const struct pw_table *table,
	const char *ahead, uint64_t link, uint64_t *page)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *shape = &row->page, *larger = &pw_row(b, level + 1)->page;
	uint64_t dirty = pw_dirty_flag(b->format, shape), flags = shape->accessed | dirty, first;
	struct pw_common marks;
	pw_pa pa;

	if (!larger->size_log2 || !pw_peek_at(b, table, 0, &first) ||
		pw_kind_in(b, level, first) != PW_PAGE ||
		(pw_shape(row, first) != shape && !pw_loosened(b, level, 0, first, &first)))
		return false;
	pa = pw_page_address(b->format, b->space, shape, first);
	if (pa & PW_LOW(larger->size_log2) ||
		pw_pages_in_stride(b->format, shape, pa, pw_entry_count(row)) <
			pw_entry_count(row) ||
		!is_plain_link(b, level + 1, link, shape, first) ||
		!are_alike(b, level, table, ahead, ~(flags | shape->hint), first, &marks))
		return false;
	/* The hint was about smaller pages. */
	first = (first & ~(flags | shape->hint)) | (marks.all & shape->accessed) |
		(marks.some & dirty);
	if (b->live && pw_may_be_written(b, shape, first))
		first |= dirty;
	return pw_convert(b, shape, larger, level + 1, first, page);
}

/* The table that led to the pages merged; it leads to no table. */
static void take_out(struct pw_build *b, unsigned level, pw_va at, uint64_t index, uint64_t link)
{
	pw_pa pa = pw_table_address(b->format, b->space, pw_row(b, level), link);

	/* What a journal may lead back to must not be used meanwhile. */
	if (!b->journal && pw_keep_table(b, level - 1, at, pa))
		b->flush->tables_freed++;
	else
		pw_discard(b, level, index, link);
}

/* Pages of the trail's table that stay. */
static void join(struct pw_build *b, const struct pw_trail *t, struct goal *goal)
{
	pw_va last = t->limit[t->level], first = b->first;

	if (!goal->groups || t->level > goal->highest)
		return;
	if (t->level < b->top && first < (last & ~PW_LOW(pw_row(b, t->level + 1)->shift)))
		first = last & ~PW_LOW(pw_row(b, t->level + 1)->shift);
	goal->made += pw_join_pages(b, &t->table[t->level], t->level, first, last);
}

/* The table of the trail's level is done; back to its entry, which may become a page. */
static void leave(struct pw_build *b, struct pw_trail *t, struct goal *goal)
{
	const struct pw_table *table = &t->table[t->level];
	const char *ahead = t->level == 0 ? pw_trail_table_ahead(t) : NULL;
	uint64_t link = t->entry[t->level], page;
	bool merges = t->whole[t->level] && t->level < goal->highest &&
		      merge(b, t->level, table, ahead, link, &page);
	const struct pw_level *row;

	if (!merges)
		join(b, t, goal);
	pw_trail_up(t);
	row = pw_row(b, t->level);
	if (merges) {
		struct pw_run run = {.table = &t->table[t->level],
			.op = PW_OP_REPLACE,
			.level = (uint8_t)t->level,
			.linked = true,
			.tables = true,
			.index = pw_index(row, t->at),
			.count = 1,
			.at = t->at & ~PW_LOW(row->shift),
			.value = page,
			.expected = link};

		b->refused |= !pw_can_write(b, run.table, run.index, 1);
		/* The hardware may mark the table entry as accessed in between. */
		while (!b->refused && !pw_commit(b, &run) &&
			!((run.expected ^ link) & ~row->page.accessed))
			;
		if (!b->refused && !((run.expected ^ link) & ~row->page.accessed)) {
			take_out(b, t->level, run.at, run.index, link);
			goal->made++;
		}
	}
	pw_trail_skip(t, 1);
}

static enum pw_status visit(struct pw_build *b, struct pw_trail *t)
{
	const struct pw_level *row = pw_row(b, t->level);
	uint64_t index = pw_index(row, t->at), entry;

	if (!pw_peek_at(b, &t->table[t->level], index, &entry))
		return PW_NO_MEMORY;
	if (t->level > 0 && pw_kind_in(b, t->level, entry) == PW_TABLE) {
		if (!pw_is_dead(b, pw_table_address(b->format, b->space, row, entry)))
			return pw_trail_down(t, entry);
		struct pw_run run = {.table = &t->table[t->level],
			.op = PW_OP_CLEAR,
			.level = (uint8_t)t->level,
			.linked = true,
			.index = index,
			.count = 1,
			.at = t->at & ~PW_LOW(row->shift)};

		(void)pw_commit(b, &run);
	}
	/* Pages and holes of the last table are looked at when it is left. */
	pw_trail_skip(t, t->level == 0 && pw_trail_whole(t) ? pw_trail_whole(t) : 1);
	return PW_OK;
}

enum pw_status pw_collapse(const struct pw_space *space, pw_va va, uint64_t size, unsigned level,
	uint64_t *merged, struct pw_flush *flush)
{
	struct pw_build b;
	struct pw_trail t;
	struct goal goal = {level & ~PW_CONTIGUOUS, level & PW_CONTIGUOUS, 0};
	enum pw_status status = pw_build_begin(&b, space, va, size, flush), end;

	if (status != PW_OK)
		return status;
	if (goal.highest > b.top)
		return PW_E_ARGUMENT;
	if (pw_needs_break(&b))
		return PW_E_UNSUPPORTED;
	pw_trail_begin(&t, &b);
	b.trail = &t;
	while (status == PW_OK) {
		if (!t.finished)
			status = visit(&b, &t);
		else if (t.level == b.top)
			break;
		else
			leave(&b, &t, &goal);
	}
	if (status == PW_OK)
		join(&b, &t, &goal); /* of the root */
	b.trail = NULL;
	end = pw_build_finish(&b);
	if (merged)
		*merged = b.overflow ? 0 : goal.made;
	return status == PW_OK || b.overflow ? end : status;
}
