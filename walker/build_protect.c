/* SPDX-License-Identifier: MIT */
/* Protecting: the rights of the pages in the range, and of nothing else. */
#include "build_protect.h"

static bool depends_on_page(const struct pw_build *b)
{
	return b->amend && !b->amend->alike;
}

static unsigned own_attributes(
	const struct pw_build *b, const struct pw_page *shape, uint64_t entry)
{
	return pw_attributes(b->format, shape, entry, ~(uint64_t)0, 0);
}

static struct pw_change change_of(
	const struct pw_build *b, const struct pw_page *shape, uint64_t entry)
{
	return b->amend ? pw_amend_change(b, shape, own_attributes(b, shape, entry))
			: pw_change_of(b, shape);
}

struct pw_change pw_protect_change(
	struct pw_build *b, unsigned level, const struct pw_page *shape, uint64_t entry)
{
	if (shape != &pw_row(b, level)->page || depends_on_page(b))
		return change_of(b, shape, entry);
	if (!(b->changes >> level & 1)) {
		b->change[level] = change_of(b, shape, entry);
		b->changes |= 1u << level;
	}
	return b->change[level];
}

/* The changed page has the wished rights, and the rest of the wish. */
static bool has_wish(
	const struct pw_trail *t, const struct pw_page *shape, uint64_t entry, uint64_t changed)
{
	const struct pw_build *b = t->b;
	uint64_t or_fold = t->or_fold[t->level];

	if (b->amend)
		return pw_amend_holds(t, shape, entry, changed);
	if (pw_attributes(b->format, shape, changed, t->and_fold[t->level], or_fold) !=
		b->wish.attributes)
		return false;
	if (b->wish.type_given && pw_type_index(shape, changed) != b->wish.type)
		return false;
	return b->wish.global ? shape->global || shape->global_clear
			      : !(or_fold & b->format->global_table);
}

enum pw_status pw_protect_plan_page(struct pw_build *b, const struct pw_trail *t, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, t->level);
	const struct pw_page *shape = pw_shape(row, entry);
	uint64_t alike = entry & ~pw_address_mask(shape), changed;
	struct pw_change change;

	if (!pw_can_write(b, &t->table[t->level], pw_index(row, t->at), 1))
		return PW_E_READ_ONLY;
	if (alike == b->alike)
		return PW_OK;
	change = pw_protect_change(b, t->level, shape, entry);
	changed = (entry & change.keep) | change.set;
	b->different |= changed != entry;
	if (pw_kind_in(b, t->level, changed) != PW_PAGE || !has_wish(t, shape, entry, changed))
		return PW_E_RIGHTS;
	if (pw_needs_break(b) && pw_must_break(shape, pw_type_bits(shape, ~0u), entry, changed))
		return PW_E_UNSUPPORTED;
	b->alike = alike;
	return PW_OK;
}

/* The smaller pages that a cut makes of this one must take the same change. */
static enum pw_status plan_smaller(
	const struct pw_build *b, const struct pw_trail *t, uint64_t entry)
{
	const struct pw_level *row = pw_row(b, t->level);
	const struct pw_page *shape = pw_shape(row, entry);
	unsigned level = shape == &row->span ? t->level + 1u : t->level;

	while (level-- > 0 && (level == t->level || b->need[level])) {
		const struct pw_page *smaller = &pw_row(b, level)->page;
		struct pw_change change;
		uint64_t changed;

		if (!pw_convert(b, shape, smaller, level, entry, &entry))
			return PW_OK; /* it is not cut down to here: the cuts are planned */
		change = change_of(b, smaller, entry);
		changed = (entry & change.keep) | change.set;
		if (pw_kind_in(b, level, changed) != PW_PAGE ||
			!has_wish(t, smaller, entry, changed))
			return PW_E_RIGHTS;
		shape = smaller;
	}
	return PW_OK;
}

/* Pages divided by a cut: the smaller ones inside the range must be able to say it too. */
static enum pw_status plan_part(const struct pw_build *b, const struct pw_trail *t, uint64_t entry)
{
	if (b->amend)
		return plan_smaller(b, t, entry);
	for (unsigned i = 0; i < t->level; i++) {
		bool fits = b->last - b->first >= PW_LOW(pw_row(b, i)->shift);

		if (b->need[i] && fits && !b->leaf[i])
			return PW_E_RIGHTS;
	}
	return PW_OK;
}

bool pw_protect_is_uniform(const struct pw_build *b, const struct pw_common *survey)
{
	const struct pw_level *row = pw_row(b, 0);
	const struct pw_page *shape = &row->page;

	if (pw_has_spans(b->space, 0) || survey->some & b->space->reserved_page[0])
		return false;
	if (shape->illegal_low6 && ((survey->some ^ survey->all) & 63))
		return false;
	/* So does whether it becomes that directly. */
	if (pw_needs_break(b) &&
		(survey->some ^ survey->all) & (pw_type_bits(shape, ~0u) | shape->global_clear))
		return false;
	/* What becomes of a page depends on what it is. */
	return !b->amend || !((survey->some ^ survey->all) &
				    (pw_rights_mask(b->format, shape) | pw_type_bits(shape, ~0u)));
}

static enum pw_status plan_last_table(struct pw_build *b, struct pw_trail *t)
{
	const struct pw_table *table = &t->table[0];
	uint64_t index = pw_index(pw_row(b, 0), t->at), count = pw_trail_whole(t);
	struct pw_common survey;
	struct pw_change change;

	if (!table->host || !count) {
		b->all_present = false;
		return PW_OK;
	}
	survey = pw_survey_run(b, 0, table->host + index * b->format->entry_bytes, NULL, count);
	b->all_present &= survey.full;
	if (!pw_protect_is_uniform(b, &survey))
		return PW_OK;
	pw_trail_skip(t, count);
	if (!survey.some)
		return PW_OK;
	change = pw_protect_change(b, 0, &pw_row(b, 0)->page, survey.all);
	/* What some have and none should; what some lack, pw_protect_plan_page() sees in what all
	 * have. */
	b->different |= (survey.some & ~(change.keep | change.set)) != 0;
	return pw_kind_in(b, 0, survey.all) == PW_PAGE ? pw_protect_plan_page(b, t, survey.all)
						       : PW_RESERVED;
}

static enum pw_status plan_table(struct pw_build *b, struct pw_trail *t, uint64_t entry)
{
	enum pw_status status = pw_trail_down(t, entry);

	b->alike = 0;
	if (status != PW_OK)
		return status;
	if (t->whole[t->level]) {
		struct pw_change change = pw_widening(b, t->level + 1);

		b->different |= ((entry & change.keep) | change.set) != entry;
	}
	return t->level == 0 ? plan_last_table(b, t) : PW_OK;
}

static enum pw_status plan_entry(struct pw_build *b, struct pw_trail *t, uint64_t entry)
{
	enum pw_status status = PW_OK;

	switch (pw_kind_in(b, t->level, entry)) {
	case PW_TABLE:
		return plan_table(b, t, entry);
	case PW_BAD:
		return PW_RESERVED;
	case PW_PAGE:
		if (!pw_trail_whole(t))
			status = plan_part(b, t, entry);
		if (status == PW_OK)
			status = pw_protect_plan_page(b, t, entry);
		break;
	case PW_HOLE:
		break;
	}
	pw_trail_skip(t, 1);
	return status;
}

static enum pw_status plan(struct pw_build *b)
{
	enum pw_status status = PW_OK;
	struct pw_trail t;
	uint64_t entry;

	pw_trail_begin(&t, b);
	while (status == PW_OK) {
		if (!t.finished) {
			if (!pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at),
				    &entry))
				return PW_NO_MEMORY;
			status = plan_entry(b, &t, entry);
		} else if (t.level == b->top) {
			return PW_OK;
		} else {
			pw_trail_up(&t);
			pw_trail_skip(&t, 1);
			b->alike = 0;
		}
	}
	return status;
}

/* ---- Commit ---- */

/* Pages and holes from the trail's place on; at level 0 there is nothing else. */
static uint64_t pages_at(const struct pw_build *b, const struct pw_trail *t)
{
	uint64_t index = pw_index(pw_row(b, t->level), t->at), count = pw_trail_whole(t);
	uint64_t pages = 0, entry;

	if (t->level == 0)
		return count;
	while (pages < count && pw_peek_at(b, &t->table[t->level], index + pages, &entry) &&
		pw_kind_in(b, t->level, entry) == PW_PAGE)
		pages++;
	return pages;
}

/* Pages from `index` on of the shape and with the attributes of the first; holes between them. */
static uint64_t pages_alike(const struct pw_build *b, const struct pw_trail *t, uint64_t index,
	uint64_t count, uint64_t *first)
{
	const struct pw_level *row = pw_row(b, t->level);
	const struct pw_page *shape = NULL;
	uint64_t pages = 0, entry;
	unsigned attributes = 0;

	*first = 0;
	for (; pages < count && pw_peek_at(b, &t->table[t->level], index + pages, &entry);
		pages++) {
		if (!pw_is_present(row, entry))
			continue;
		if (!shape) {
			shape = pw_shape(row, entry);
			attributes = own_attributes(b, shape, entry);
			*first = entry;
		} else if (pw_shape(row, entry) != shape ||
			   own_attributes(b, shape, entry) != attributes) {
			break;
		}
	}
	return pages;
}

static void change_pages(struct pw_build *b, const struct pw_trail *t, uint64_t count)
{
	const struct pw_level *row = pw_row(b, t->level);
	struct pw_run run = {.table = &t->table[t->level],
		.op = PW_OP_CHANGE,
		.level = t->level,
		.linked = true,
		.index = pw_index(row, t->at),
		.count = count,
		.at = t->at,
		.all_present = t->level == 0 && b->all_present};
	uint64_t first = 0;

	for (; count;
		count -= run.count, run.index += run.count, run.at += run.count << row->shift) {
		if (depends_on_page(b))
			run.count = pages_alike(b, t, run.index, count, &first);
		if (!run.count)
			return;
		run.change = pw_protect_change(b, t->level, &row->page, first);
		if (row->span.size_log2)
			run.span = change_of(b, &row->span, first);
		(void)pw_commit(b, &run);
	}
}

static void commit(struct pw_build *b)
{
	struct pw_trail t;
	uint64_t entry, count;

	pw_trail_begin(&t, b);
	for (;;) {
		if (t.finished) {
			if (t.level == b->top)
				return;
			/* After the pages: they never have more than old or new rights. */
			pw_trail_leave(b, &t);
			continue;
		}
		count = pages_at(b, &t);
		if (count) {
			change_pages(b, &t, count);
			pw_trail_skip(&t, count);
		} else if (!pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at),
				   &entry) ||
			   pw_kind_in(b, t.level, entry) != PW_TABLE ||
			   pw_trail_down(&t, entry) != PW_OK) {
			pw_trail_skip(&t, 1);
		}
	}
}

static bool has_cuts(const struct pw_build *b)
{
	for (unsigned i = 0; i <= b->top; i++) {
		if (b->need[i])
			return true;
	}
	return b->loosens;
}

/* Both ends are planned; everything else is planned first, or swept where that is as good. */
enum pw_status pw_protect_run(struct pw_build *b)
{
	struct pw_sweep sweep = {.next = b->first};
	enum pw_status status = PW_OK;

	if (!b->live && !b->journal && !has_cuts(b) && !depends_on_page(b))
		pw_sweep(b, &sweep);
	b->first = sweep.next;
	b->all_present = true;
	b->different = false;
	b->alike = 0;
	if (!sweep.complete)
		status = plan(b);
	/* Where everything is as wished already no page is divided for it. */
	if (status == PW_OK && b->different)
		status = pw_build_reserve(b);
	if (status == PW_OK && b->different) {
		pw_commit_cuts(b);
		commit(b);
	}
	pw_sweep_end(b, &sweep, status == PW_OK);
	return status == PW_OK ? pw_build_finish(b) : status;
}

enum pw_status pw_protect(const struct pw_space *space, pw_va va, uint64_t size, pw_rights rights,
	struct pw_flush *flush)
{
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);

	/* What it keeps it cannot be told to be. */
	if (rights & PW_SOFTWARE_MASK || (rights & PW_IPAT && !(rights & PW_MEM_MASK)))
		return PW_E_ARGUMENT;
	if (status == PW_OK)
		status = pw_build_wish(&b, rights);
	if (status != PW_OK)
		return status;
	status = pw_plan_cuts(&b);
	return status == PW_OK ? pw_protect_run(&b) : status;
}
