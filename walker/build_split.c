/* SPDX-License-Identifier: MIT */
/* Splitting: pages of the range become smaller ones, level by level on the way down. */
#include "build_notes.h"
#include "build_trail.h"
#include <pagewalk/resize.h>

/* The page at the trail's place can be told in pages of every level down to `target`. */
static enum pw_status check_page(
	struct pw_build *b, const struct pw_trail *t, unsigned target, uint64_t entry)
{
	const struct pw_page *shape = &pw_row(b, t->level)->page;

	if (pw_needs_break(b) || pw_shape(pw_row(b, t->level), entry) != shape)
		return PW_E_UNSUPPORTED;
	if (!pw_can_write(b, &t->table[t->level], pw_index(pw_row(b, t->level), t->at), 1))
		return PW_E_READ_ONLY;
	if (entry & shape->hint) {
		/* Any place inside the entry divides its group. */
		enum pw_status status = pw_plan_loosen(b, &t->table[t->level], t->level, t->at | 1);

		if (status != PW_OK)
			return status;
		entry &= ~shape->hint;
	}
	for (unsigned level = t->level; level > target; level--) {
		const struct pw_page *smaller = &pw_row(b, level - 1)->page;

		if (!pw_has_tables(pw_row(b, level)) ||
			!pw_convert(b, shape, smaller, level - 1, entry, &entry))
			return PW_E_UNSUPPORTED;
		shape = smaller;
	}
	return PW_OK;
}

static bool stock_table(struct pw_build *b, unsigned level)
{
	pw_pa pa;

	if (!pw_new_table(b, level, &pa))
		return false;
	if (pw_note_add(b, b->stock, 0, level, pw_chain_link(b, pa)))
		return true;
	pw_return_table(b, level, pa);
	return false;
}

/* The tables for one page, in the order in which the commit will come to need them. */
static bool stock_page(struct pw_build *b, const struct pw_trail *t, unsigned target)
{
	pw_va end = pw_block_last(pw_row(b, t->level), t->at), at = t->at;

	if (end > t->limit[t->level])
		end = t->limit[t->level];
	for (;;) {
		pw_va last = pw_block_last(pw_row(b, target + 1), at);

		for (unsigned level = t->level; level-- > target;) {
			if ((at == t->at || !(at & PW_LOW(pw_row(b, level + 1)->shift))) &&
				!pw_has_retained(b, level, at) && !stock_table(b, level))
				return false;
		}
		if (last >= end)
			return true;
		at = last + 1;
	}
}

/* What has not been used goes back. */
static void return_stock(struct pw_build *b)
{
	struct pw_note note;

	while (pw_note_next(b, b->stock, &note))
		pw_return_table(b, pw_note_level(&note), pw_chain_target(b, note.entry));
	pw_notes_end(b, b->stock);
}

static bool split_page(struct pw_build *b, struct pw_trail *t, uint64_t entry)
{
	const struct pw_table *table = &t->table[t->level];

	if (entry & pw_row(b, t->level)->page.hint) {
		pw_commit_loosen(b, table, t->level, t->at | 1);
		if (!pw_peek_at(b, table, pw_index(pw_row(b, t->level), t->at), &entry))
			return false;
	}
	return pw_split_page(b, table, t->level, t->at, &entry);
}

enum pass {
	PASS_CHECK,
	PASS_STOCK,
	PASS_SPLIT,
};

static enum pw_status visit_page(
	struct pw_build *b, struct pw_trail *t, unsigned target, enum pass pass, uint64_t entry)
{
	switch (pass) {
	case PASS_CHECK:
		return check_page(b, t, target, entry);
	case PASS_STOCK:
		return stock_page(b, t, target) ? PW_OK : PW_E_NO_TABLES;
	default:
		return split_page(b, t, entry) ? PW_OK : PW_UNSTABLE;
	}
}

/* Down into tables and, once they are split, pages. */
static enum pw_status visit(struct pw_build *b, struct pw_trail *t, unsigned target, enum pass pass)
{
	enum pw_status status = PW_OK;
	uint64_t entry;

	if (!pw_peek_at(b, &t->table[t->level], pw_index(pw_row(b, t->level), t->at), &entry))
		return PW_NO_MEMORY;
	switch (pw_kind_in(b, t->level, entry)) {
	case PW_TABLE:
		if (t->level > target + 1)
			return pw_trail_down(t, entry);
		break;
	case PW_PAGE:
		if (t->level > target)
			status = visit_page(b, t, target, pass, entry);
		if (pass == PASS_SPLIT && status == PW_OK && t->level > target)
			return PW_OK; /* it is a table now */
		break;
	case PW_BAD:
		status = PW_RESERVED;
		break;
	default:
		break;
	}
	pw_trail_skip(t, 1);
	return pass == PASS_SPLIT ? PW_OK : status;
}

static enum pw_status each_page(struct pw_build *b, unsigned target, enum pass pass)
{
	enum pw_status status = PW_OK;
	struct pw_trail t;

	pw_trail_begin(&t, b);
	while (status == PW_OK) {
		if (!t.finished) {
			status = visit(b, &t, target, pass);
		} else if (t.level == b->top) {
			break;
		} else {
			pw_trail_up(&t);
			pw_trail_skip(&t, 1);
		}
	}
	return status;
}

enum pw_status pw_split(const struct pw_space *space, pw_va va, uint64_t size, unsigned level,
	struct pw_flush *flush)
{
	struct pw_notes stock;
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);

	if (status != PW_OK)
		return status;
	if (level > b.top)
		return PW_E_ARGUMENT;
	if (level == b.top)
		return PW_OK; /* nothing is larger */
	status = each_page(&b, level, PASS_CHECK);
	if (status != PW_OK)
		return status;
	stock.made = stock.read = 0;
	b.stock = &stock;
	status = each_page(&b, level, PASS_STOCK);
	if (status == PW_OK)
		(void)each_page(&b, level, PASS_SPLIT);
	return_stock(&b);
	return status == PW_OK ? pw_build_finish(&b) : status;
}
