/* SPDX-License-Identifier: MIT */
/*
 * Groups: entries that one TLB entry may hold. Of a page that spans several entries all must say
 * the same; pages with Arm's Contiguous bit must be alike and follow each other. So a group of
 * which a part is to change is loosened first: each entry becomes an ordinary page, in its place.
 */
#include "build_journal.h"

/* What the entries of a group have between them: the hardware marks any one for all. */
struct marks {
	bool any, accessed, dirty;
	uint64_t alike; /* the bits that all of them should have */
};

unsigned pw_group_log2(const struct pw_build *b, unsigned level, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *shape;

	if (!pw_has_groups(b, level) || pw_kind_in(b, level, entry) != PW_PAGE)
		return row->shift;
	shape = pw_shape(row, entry);
	if (shape == &row->span)
		return shape->size_log2;
	return entry & shape->hint ? shape->hint_log2 : row->shift;
}

static bool is_grouped(const struct pw_build *b, unsigned level, uint64_t entry)
{
	return pw_group_log2(b, level, entry) > pw_row(b, level)->shift;
}

bool pw_loosened(
	const struct pw_build *b, unsigned level, uint64_t index, uint64_t entry, uint64_t *page)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t part = index << row->shift & PW_LOW(row->span.size_log2), leaf;

	if (pw_shape(row, entry) != &row->span) {
		*page = entry & ~row->page.hint;
		return true;
	}
	if (!pw_convert(b, &row->span, &row->page, level, entry, &leaf))
		return false;
	return pw_leaf_at(b, level, &row->page, leaf,
		pw_page_address(b->format, b->space, &row->page, leaf) + part, page);
}

/* The group of this level around `at`, as a run. */
static struct pw_run group_at(
	const struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at)
{
	const struct pw_level *row = pw_row(b, level);
	unsigned log2 = pw_groups_log2(b, level);

	at &= ~PW_LOW(log2);
	return (struct pw_run){.table = table,
		.op = PW_OP_LOOSEN,
		.level = (uint8_t)level,
		.linked = true,
		.index = pw_index(row, at),
		.count = PW_BIT(log2 - row->shift),
		.at = at};
}

/* The entries on both sides of `at`, or the one around it. */
static bool divides_group(
	const struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at)
{
	const struct pw_level *row = pw_row(b, level);
	uint64_t entry;

	if (!(at & PW_LOW(pw_groups_log2(b, level))))
		return false;
	if (pw_peek_at(b, table, pw_index(row, at), &entry) && is_grouped(b, level, entry))
		return true;
	return pw_peek_at(b, table, pw_index(row, at - 1), &entry) && is_grouped(b, level, entry);
}

enum pw_status pw_plan_loosen(
	struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at)
{
	struct pw_run run = group_at(b, table, level, at);

	if (!divides_group(b, table, level, at))
		return PW_OK;
	for (uint64_t i = run.index; i < run.index + run.count; i++) {
		uint64_t entry, page;

		if (!pw_peek_at(b, table, i, &entry))
			return PW_NO_MEMORY;
		if (!is_grouped(b, level, entry))
			continue;
		if (!pw_loosened(b, level, i, entry, &page) || pw_needs_break(b))
			return PW_E_UNSUPPORTED;
		if (!pw_can_write(b, table, i, 1))
			return PW_E_READ_ONLY;
		b->loosens = true;
	}
	return PW_OK;
}

void pw_commit_loosen(struct pw_build *b, const struct pw_table *table, unsigned level, pw_va at)
{
	struct pw_run run = group_at(b, table, level, at);

	if (divides_group(b, table, level, at))
		(void)pw_commit(b, &run);
}

/* ---- Commit ---- */

/* Bits that the hardware changes in a page. */
static uint64_t marked_bits(const struct pw_build *b, const struct pw_page *shape)
{
	struct pw_change cleaning = pw_cleaning(b->format, shape);

	return shape->accessed | ~cleaning.keep | cleaning.set;
}

static uint64_t without_place(const struct pw_build *b, const struct pw_page *shape, uint64_t entry)
{
	return entry & ~(pw_address_mask(shape) | marked_bits(b, shape));
}

static void take_in(const struct pw_build *b, unsigned level, uint64_t entry, struct marks *marks)
{
	const struct pw_page *shape = pw_shape(pw_row(b, level), entry);
	uint64_t alike = without_place(b, shape, entry);

	if (!marks->any)
		marks->alike = alike;
	marks->any = true;
	if (alike != marks->alike)
		return;
	marks->accessed |= pw_is_accessed(shape, entry);
	marks->dirty |= pw_is_dirty(shape, entry);
}

/* The ordinary page in the place of an entry, with the marks of all. */
static uint64_t single(const struct pw_build *b, unsigned level, uint64_t index, uint64_t entry,
	const struct marks *marks)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_page *shape = pw_shape(row, entry);
	struct pw_change cleaning = pw_cleaning(b->format, &row->page);
	bool alike = without_place(b, shape, entry) == marks->alike;
	uint64_t page = entry;

	/* The plan has seen that it can. */
	if (!pw_loosened(b, level, index, entry, &page) || !alike)
		return page;
	if (marks->accessed)
		page |= row->page.accessed;
	if (marks->dirty)
		page = (page | ~cleaning.keep) & ~cleaning.set;
	/* Until the flush the hardware may still mark an entry that is gone for this one. */
	if (b->live && !pw_breaks(b) && pw_may_be_written(b, &row->page, page))
		page |= pw_dirty_flag(b->format, &row->page);
	return page;
}

/* Entries of a group that have been made holes, bit by bit, and bit 0 of what stood there. */
struct hidden {
	uint64_t entries[PW_GROUP_MAX / 64], low[PW_GROUP_MAX / 64];
};

/* Bits without which an entry is a hole, whatever else stands in it. */
static uint64_t present_bits(const struct pw_build *b, const struct pw_run *run)
{
	return pw_row(b, run->level)->present_all | pw_row(b, run->level)->present_any;
}

/* All out, but for what the hardware does not look at in a hole. */
static void hide_group(
	struct pw_build *b, const struct pw_run *run, struct hidden *hidden, struct marks *marks)
{
	for (uint64_t i = 0; i < run->count; i++) {
		uint64_t index = run->index + i, entry, seen = 0;

		if (!pw_peek_at(b, run->table, index, &entry))
			continue;
		while (is_grouped(b, run->level, entry) && entry != seen) {
			seen = entry;
			if (!pw_swap(b, run, index, &entry, entry & ~present_bits(b, run))) {
				b->refused |= entry == seen;
				continue;
			}
			hidden->entries[i >> 6] |= PW_BIT(i & 63);
			hidden->low[i >> 6] |= (seen & 1) << (i & 63);
			take_in(b, run->level, seen, marks);
			break;
		}
	}
}

/*
 * Everything out, flushed, and back: break-before-make. Between the two the entries keep what they
 * say in their own place; of the bits that make them present, bit 0 may differ among them (PXN of
 * supersections).
 */
static void break_group(struct pw_build *b, const struct pw_run *run)
{
	uint64_t same = present_bits(b, run) & ~(uint64_t)1, entry, page;
	struct hidden hidden = {{0}, {0}};
	struct marks marks = {.any = false};

	hide_group(b, run, &hidden, &marks);
	pw_record_whole(b, run->at, run->at | PW_LOW(pw_groups_log2(b, run->level)), run->level);
	(void)pw_flush_now(b);
	for (uint64_t i = 0; i < run->count; i++) {
		uint64_t index = run->index + i;

		if (!(hidden.entries[i >> 6] >> (i & 63) & 1) ||
			!pw_peek_at(b, run->table, index, &entry))
			continue;
		page = entry | (marks.alike & same) | (hidden.low[i >> 6] >> (i & 63) & 1);
		page = single(b, run->level, index, page, &marks);
		b->refused |= b->journal ? !pw_poke_recorded(b, run, index, entry, page)
					 : !pw_poke(b, run->table, index, page);
		b->written += 2;
	}
}

static void loosen_entry(
	struct pw_build *b, const struct pw_run *run, uint64_t index, const struct marks *marks)
{
	uint64_t entry, seen, page;

	if (!pw_peek_at(b, run->table, index, &entry))
		return;
	do {
		if (!is_grouped(b, run->level, entry))
			return;
		seen = entry;
		page = single(b, run->level, index, entry, marks);
		if (pw_swap(b, run, index, &entry, page)) {
			b->written++;
			return;
		}
	} while (entry != seen);
	b->refused = true;
}

void pw_loosen(struct pw_build *b, const struct pw_run *run)
{
	struct marks marks = {.any = false};
	uint64_t entry;

	for (uint64_t i = run->index; i < run->index + run->count; i++) {
		if (pw_peek_at(b, run->table, i, &entry) && is_grouped(b, run->level, entry))
			take_in(b, run->level, entry, &marks);
	}
	if (!marks.any)
		return;
	if (pw_breaks(b)) {
		break_group(b, run);
		return;
	}
	for (uint64_t i = run->index; i < run->index + run->count; i++)
		loosen_entry(b, run, i, &marks);
	pw_record(b, run->at, run->at | PW_LOW(pw_groups_log2(b, run->level)), run->level,
		run->level, false);
}

/* ---- New groups ---- */

/* Pages from `at` on, of which as many as can be are to be groups. */
void pw_take_groups(
	const struct pw_build *b, unsigned level, pw_va at, pw_pa pa, struct pw_row_of *pages)
{
	const struct pw_level *row = pw_row(b, level);
	const struct pw_group *group = &b->group[level];
	uint64_t low = PW_LOW(group->log2), count = PW_BIT(group->log2 - row->shift);
	uint64_t left = (low + 1 - (at & low)) >> row->shift;

	if ((at ^ pa) & low)
		return;
	if (left != count || pages->count < count) {
		/* Up to where a group could begin. */
		pages->count = left < pages->count ? left : pages->count;
		return;
	}
	if (!group->is_span) {
		pages->count &= ~(count - 1);
		pages->value |= row->page.hint;
		return;
	}
	pages->count = count;
	pages->stride = 0;
	pages->value = pw_with_address(b->format, &row->span, group->leaf, pa);
}
