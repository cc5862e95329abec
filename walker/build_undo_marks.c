/* SPDX-License-Identifier: MIT */
/* Accessed and Dirty when an operation is undone: they stay with the pages that they belong to. */
#include "build_journal.h"

/* What stands in an entry whose group is being broken, as if it were present (see build_group.c).
 */
static uint64_t shown(const struct pw_build *b, unsigned level, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, level);

	if (pw_breaks(b) && entry != b->empty && !pw_is_present(row, entry))
		entry |= row->present_all;
	return entry;
}

/* The bit that lets the hardware give the right to write, where that is how it says "dirty". */
static bool may_become_dirty(const struct pw_build *b, const struct pw_page *shape, uint64_t entry)
{
	uint64_t lets = shape->dirty & ~pw_rights_mask(b->format, shape);

	return shape->dirty && (pw_dirty_flag(b->format, shape) || (entry & lets) == lets);
}

static uint64_t with_dirty(
	const struct pw_build *b, const struct pw_page *shape, uint64_t entry, bool dirty)
{
	struct pw_change cleaning = pw_cleaning(b->format, shape);

	if (dirty && may_become_dirty(b, shape, entry))
		return (entry | ~cleaning.keep) & ~cleaning.set;
	if (!dirty && pw_is_dirty(shape, entry))
		return (entry & cleaning.keep) | cleaning.set;
	return entry;
}

static uint64_t with_accessed(const struct pw_page *shape, uint64_t entry, bool accessed)
{
	return accessed ? entry | shape->accessed : entry & ~shape->accessed;
}

/* Bits that the hardware may have changed in this entry. */
static uint64_t marks_of(const struct pw_build *b, unsigned level, uint64_t entry)
{
	const struct pw_page *shape = pw_shape(pw_row(b, level), entry);
	struct pw_change cleaning = pw_cleaning(b->format, shape);

	switch (pw_kind_in(b, level, entry)) {
	case PW_TABLE:
		return pw_row(b, level)->page.accessed;
	case PW_PAGE:
		return shape->accessed |
		       (may_become_dirty(b, shape, entry) ? ~cleaning.keep | cleaning.set : 0);
	default:
		return 0;
	}
}

bool pw_is_but_for_marks(
	const struct pw_build *b, unsigned level, uint64_t entry, uint64_t expected)
{
	return !((entry ^ expected) & ~marks_of(b, level, shown(b, level, expected)));
}

/* Where the entry at `index` leads to, if it is a page. */
static bool page_at(
	const struct pw_build *b, unsigned level, uint64_t index, uint64_t entry, pw_pa *pa)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *shape = pw_shape(row, entry);

	if (pw_kind_in(b, level, entry) != PW_PAGE)
		return false;
	*pa = pw_page_address(b->format, b->space, shape, entry) +
	      (index << row->shift & PW_LOW(shape->size_log2));
	return true;
}

static struct pw_table table_below(const struct pw_build *b, unsigned level, uint64_t link)
{
	return pw_table_open(
		b, level - 1, pw_table_address(b->format, b->space, pw_row(b, level), link));
}

/* Entry number `index` of the table is the part of the page at `pa` that it was when it was split.
 */
static bool is_part(const struct pw_build *b, const struct pw_table *table, unsigned level,
	uint64_t index, pw_pa pa, uint64_t *entry)
{
	pw_pa found;

	return pw_peek_at(b, table, index, entry) && page_at(b, level, index, *entry, &found) &&
	       found == pa + (index << pw_row(b, level)->shift);
}

/* A page of which the parts are what `link` leads to: marked as they are. */
static uint64_t joined(
	const struct pw_build *b, unsigned level, uint64_t page, pw_pa pa, uint64_t link)
{
	const struct pw_page *shape = pw_shape(pw_row(b, level), page);
	struct pw_table table = table_below(b, level, link);
	bool any = false, accessed = false, dirty = false;
	uint64_t entry;

	for (uint64_t i = 0; i < pw_entry_count(pw_row(b, level - 1)); i++) {
		const struct pw_page *smaller;

		if (!is_part(b, &table, level - 1, i, pa, &entry))
			continue;
		smaller = pw_shape(pw_row(b, level - 1), entry);
		any = true;
		accessed |= pw_is_accessed(smaller, entry);
		dirty |= pw_is_dirty(smaller, entry);
	}
	if (!any)
		return page;
	page = with_dirty(b, shape, with_accessed(shape, page, accessed), dirty);
	/* Until the flush the hardware may still mark the parts. */
	if (b->live && pw_may_be_written(b, shape, page))
		page |= pw_dirty_flag(b->format, shape);
	return page;
}

static void mark_part(struct pw_build *b, const struct pw_table *table, unsigned level,
	uint64_t index, uint64_t entry, bool accessed, bool dirty)
{
	const struct pw_page *shape = pw_shape(pw_row(b, level), entry);
	uint64_t seen, marked;

	do {
		seen = marked = entry;
		if (accessed)
			marked = with_accessed(shape, marked, true);
		/* Where the right to write itself says it, a clean part has none yet. */
		if (dirty &&
			(!pw_dirty_flag(b->format, shape) || pw_may_be_written(b, shape, marked)))
			marked = with_dirty(b, shape, marked, true);
		if (marked == entry || pw_exchange(b, table, index, &entry, marked))
			return;
	} while (entry != seen);
	b->refused = true;
}

/* Of a page that was merged from what `link` leads to: its parts have the marks that it has got. */
static void share_marks(
	struct pw_build *b, unsigned level, uint64_t link, uint64_t then, uint64_t now, pw_pa pa)
{
	const struct pw_page *shape = pw_shape(pw_row(b, level), then);
	struct pw_table table = table_below(b, level, link);
	bool accessed = pw_is_accessed(shape, now) && !pw_is_accessed(shape, then);
	bool dirty = pw_is_dirty(shape, now) && (!pw_is_dirty(shape, then) || b->live);
	uint64_t entry;

	if (!accessed && !dirty)
		return;
	for (uint64_t i = 0; i < pw_entry_count(pw_row(b, level - 1)); i++) {
		if (is_part(b, &table, level - 1, i, pa, &entry))
			mark_part(b, &table, level - 1, i, entry, accessed, dirty);
	}
}

static bool is_grouped(const struct pw_build *b, unsigned level, uint64_t entry)
{
	return pw_group_log2(b, level, shown(b, level, entry)) > pw_row(b, level)->shift;
}

/* A group of pages that were joined: its first entry, how many they are, and what it serves. */
struct group {
	struct pw_table table;
	unsigned level;
	uint64_t first, count;
	pw_pa pa;
};

/* Entry number `index` leads where the group does. */
static bool is_of_group(
	const struct pw_build *b, const struct group *group, uint64_t index, uint64_t *entry)
{
	pw_pa found;

	return pw_peek_at(b, &group->table, index, entry) &&
	       page_at(b, group->level, index, shown(b, group->level, *entry), &found) &&
	       found == group->pa + ((index - group->first) << pw_row(b, group->level)->shift);
}

/*
 * The hardware may have marked any entry of the group `is` for all pages of it: they get the marks
 * before the first of them is a page of its own again.
 */
static void share_in_group(struct pw_build *b, const struct group *group, uint64_t is)
{
	const struct pw_level *row = pw_row(b, group->level);
	bool was_accessed = pw_is_accessed(pw_shape(row, is), is), accessed = false;
	bool was_dirty = pw_is_dirty(pw_shape(row, is), is), dirty = false;
	uint64_t entry;

	for (uint64_t i = group->first; i < group->first + group->count; i++) {
		const struct pw_page *shape;

		if (!is_of_group(b, group, i, &entry) || !is_grouped(b, group->level, entry))
			continue;
		shape = pw_shape(row, entry);
		accessed |= !was_accessed && pw_is_accessed(shape, entry);
		dirty |= !was_dirty && pw_is_dirty(shape, entry);
	}
	for (uint64_t i = group->first; i < group->first + group->count; i++) {
		if ((accessed || dirty) && is_of_group(b, group, i, &entry))
			mark_part(b, &group->table, group->level, i, entry, accessed, dirty);
	}
}

/* The entry `index` at pa was `before` until it became `is`, a part of a group. */
static uint64_t parted(
	struct pw_build *b, unsigned level, pw_pa pa, uint64_t index, uint64_t before, uint64_t is)
{
	const struct pw_level *row = pw_row(b, level);
	struct group group = {.level = level,
		.table = {pa - index * b->format->entry_bytes, NULL},
		.count = PW_BIT(pw_group_log2(b, level, is) - row->shift)};

	group.first = index & ~(group.count - 1);
	(void)page_at(b, level, index, is, &group.pa);
	group.pa -= (index - group.first) << row->shift;
	share_in_group(b, &group, is);
	/* Until the flush the hardware may still mark the others for this one. */
	if (b->live && !pw_breaks(b) && pw_may_be_written(b, &row->page, before))
		before |= pw_dirty_flag(b->format, &row->page);
	return before;
}

uint64_t pw_restored(struct pw_build *b, const struct pw_record *record, uint64_t n, uint64_t index,
	uint64_t now, bool unseen)
{
	unsigned level = record->level;
	const struct pw_level *row = pw_row(b, level);
	uint64_t before = record->before + n * record->before_step;
	uint64_t after = record->after + n * record->after_step;
	uint64_t was = shown(b, level, before), is = shown(b, level, after);
	const struct pw_page *from = pw_shape(row, is), *to = pw_shape(row, was);
	bool was_page, is_page;
	pw_pa old = 0, pa = 0;

	now = shown(b, level, now);
	was_page = page_at(b, level, index, was, &old);
	is_page = page_at(b, level, index, is, &pa);
	if (was_page && is_page && old == pa) {
		if (pw_is_accessed(from, now) != pw_is_accessed(from, is))
			before = with_accessed(to, before, pw_is_accessed(from, now));
		if (pw_is_dirty(from, now) != pw_is_dirty(from, is))
			before = with_dirty(b, to, before, pw_is_dirty(from, now));
		if (!unseen && is_grouped(b, level, is) && !is_grouped(b, level, was))
			before =
				parted(b, level, record->pa + n * record->bytes, index, before, is);
	} else if (was_page && pw_kind_in(b, level, is) == PW_TABLE && !unseen) {
		before = joined(b, level, before, old, now);
	} else if (pw_kind_in(b, level, was) == PW_TABLE && is_page && !unseen) {
		share_marks(b, level, was, is, now, pa);
	} else if (!((was ^ is) & row->table_address) && pw_kind_in(b, level, is) == PW_TABLE) {
		before = (before & ~((now ^ is) & row->page.accessed)) |
			 (now & (now ^ is) & row->page.accessed);
	}
	return before;
}
