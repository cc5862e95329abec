/* SPDX-License-Identifier: MIT */
/*
 * The iterator. Positions are linear: the va without its extension bits, so that the two halves of
 * a sign-extended space are neighbours and a walk is one loop over [position, end].
 *
 * Three verbs: step down into the table just seen, step side to the next entry, step up when the
 * entry was its table's last.
 */
#include "iter.h"
#include "access.h"

/* The lowest linear position whose address is >= first; false if there is none. */
static bool linear_first(const struct pw_space *s, pw_va first, pw_va *position)
{
	unsigned bits = s->format->va_bits;
	pw_va low = PW_LOW(bits), half = bits ? PW_BIT((bits - 1) & 63) : 0;

	*position = first & low;
	if (pw_takes(s->extension, bits, first))
		return true;
	if (s->extension == PW_SIGN_EXTENDED) {
		*position = half; /* a hole between the halves: the upper one comes next */
		return true;
	}
	*position = 0;
	return s->extension ==
	       PW_ONE_EXTENDED; /* below the upper range; else above the lower one */
}

/* The highest linear position whose address is <= last; false if there is none. */
static bool linear_last(const struct pw_space *s, pw_va last, pw_va *position)
{
	unsigned bits = s->format->va_bits;
	pw_va low = PW_LOW(bits), half = bits ? PW_BIT((bits - 1) & 63) : 0;

	*position = last & low;
	if (pw_takes(s->extension, bits, last))
		return true;
	if (s->extension == PW_SIGN_EXTENDED) {
		*position = half - 1;
		return true;
	}
	*position = low;
	return s->extension == PW_ZERO_EXTENDED;
}

enum pw_status pw_iter_begin(
	struct pw_iter *it, const struct pw_space *space, pw_va first, pw_va last)
{
	unsigned top = space->format->levels ? space->format->levels - 1u : 0;

	if (first > last)
		return PW_E_RANGE;
	*it = (struct pw_iter){.space = space, .level = (uint8_t)top};
	it->done = !linear_first(space, first, &it->position) ||
		   !linear_last(space, last, &it->end) || it->position > it->end;
	it->table[top] = space->root;
	it->and_fold[top] = ~(uint64_t)0;
	it->fresh = true;
	return PW_OK;
}

static unsigned page_shift(const struct pw_iter *it)
{
	return it->space->format->level[it->level].shift;
}

/* The entry's range, clipped, in the linear and then in the canonical form. */
static void set_range(struct pw_iter *it, unsigned shift)
{
	const struct pw_format *f = it->space->format;
	pw_va last = it->position | PW_LOW(shift);

	if (last > it->end)
		last = it->end;
	it->first = pw_extend(it->space->extension, f->va_bits, it->position);
	it->last = pw_extend(it->space->extension, f->va_bits, last);
	it->linear_last = last;
}

static void found_page(struct pw_iter *it, const struct pw_level *row)
{
	const struct pw_space *s = it->space;
	const struct pw_page *shape = pw_shape(row, it->entry);

	if (pw_page_is_bad(s, row, shape, it->level, it->entry)) {
		it->step = PW_STEP_BAD;
		return;
	}
	it->step = PW_STEP_PAGE;
	it->page_size = PW_BIT(shape->size_log2);
	it->pa = pw_page_address(s->format, s, shape, it->entry) |
		 (it->position & PW_LOW(shape->size_log2));
	it->grant = s->grant[pw_attributes(
		s->format, shape, it->entry, it->and_fold[it->level], it->or_fold[it->level])];
}

bool pw_iter_is_register(const struct pw_iter *it)
{
	return (it->space->flags & PW_SPACE_PDPTE) && it->space->format->levels == 3 &&
	       it->level == 2;
}

/* Reads the entry at the position and says what it is. */
static void look(struct pw_iter *it)
{
	const struct pw_space *s = it->space;
	const struct pw_format *f = s->format;
	const struct pw_level *row = &f->level[it->level];
	uint64_t index = it->position >> row->shift & PW_LOW(row->index_bits);

	set_range(it, row->shift);
	it->entry_pa = it->table[it->level] + index * f->entry_bytes;
	it->reads++;
	if (pw_iter_is_register(it)) {
		it->entry = s->pdpte[index];
		it->entry_pa = 0;
	} else if (!pw_load(f, s, it->entry_pa, &it->entry)) {
		it->entry = it->table_entry[it->level];
		it->step = PW_STEP_LOST;
		return;
	}
	pw_iter_judge(it);
}

void pw_iter_judge(struct pw_iter *it)
{
	const struct pw_level *row = &it->space->format->level[it->level];

	it->descend = false;
	if (!pw_is_present(row, it->entry)) {
		it->step = PW_STEP_HOLE;
	} else if (!pw_is_table(row, it->entry)) {
		found_page(it, row);
	} else if (pw_table_is_bad(it->space, row, it->level, it->entry)) {
		it->step = PW_STEP_BAD;
	} else {
		it->step = PW_STEP_TABLE;
		it->pa = pw_table_address(it->space->format, it->space, row, it->entry);
		it->descend = true;
	}
}

static void step_down(struct pw_iter *it)
{
	unsigned level = it->level;
	const struct pw_level *row = &it->space->format->level[level];

	it->table[level - 1] = it->pa;
	it->table_entry[level - 1] = it->entry;
	it->entry_place[level - 1] = it->entry_pa;
	it->and_fold[level - 1] = it->and_fold[level];
	it->or_fold[level - 1] = it->or_fold[level];
	pw_fold(row, it->entry, &it->and_fold[level - 1], &it->or_fold[level - 1]);
	it->level--;
	it->descend = false;
}

/* The entry behind us was the last one that its table has in this walk. */
static bool table_is_done(const struct pw_iter *it)
{
	unsigned above = page_shift(it) + it->space->format->level[it->level].index_bits;

	if (it->linear_last >= it->end)
		return true;
	return (it->linear_last + 1) >> (above & 63) != it->linear_last >> (above & 63) &&
	       it->level + 1u < it->space->format->levels;
}

/* Back to the table entry above, to leave it: the range is the one it had. */
static void step_up(struct pw_iter *it)
{
	pw_va here = it->linear_last;

	it->level++;
	it->entry = it->table_entry[it->level - 1];
	it->entry_pa = it->entry_place[it->level - 1];
	it->pa = it->table[it->level - 1];
	it->position = it->position & ~PW_LOW(page_shift(it));
	if (it->position < it->begin)
		it->position = it->begin;
	set_range(it, page_shift(it));
	it->linear_last = here;
	it->step = PW_STEP_LEAVE;
}

/* The end of the walk, or of the half of the space that the position lies in. */
static pw_va end_of_half(const struct pw_iter *it, pw_va position)
{
	const struct pw_space *s = it->space;
	pw_va half = PW_BIT((s->format->va_bits - 1u) & 63);

	if (s->extension == PW_SIGN_EXTENDED && position < half && it->end >= half)
		return half - 1;
	return it->end;
}

uint64_t pw_iter_rest(const struct pw_iter *it, const char **at)
{
	const struct pw_space *s = it->space;
	const struct pw_level *row = &s->format->level[it->level];
	unsigned bytes = s->format->entry_bytes, shift = row->shift & 63;
	pw_va here = it->position | PW_LOW(row->shift), end = end_of_half(it, it->position);
	uint64_t index = here >> shift & PW_LOW(row->index_bits);
	uint64_t count = PW_LOW(row->index_bits) - index, whole;

	if (here >= end || pw_iter_is_register(it))
		return 0;
	/* What the end of the walk cuts is left to the ordinary step. */
	whole = (end - here) >> shift;
	if (count > whole)
		count = whole;
	*at = pw_first_window(s, it->entry_pa + bytes, count * bytes);
	return *at ? count : 0;
}

void pw_iter_pass(struct pw_iter *it, uint64_t count)
{
	unsigned shift = page_shift(it);

	it->position = (it->position & ~PW_LOW(shift)) + (count << shift);
	it->entry_pa += count * it->space->format->entry_bytes;
	it->reads += count;
	set_range(it, shift);
}

void pw_iter_enter(struct pw_iter *it, uint64_t count)
{
	if (!count)
		return;
	step_down(it);
	it->entry_pa = it->table[it->level] - it->space->format->entry_bytes;
	it->position -= PW_BIT(page_shift(it));
	pw_iter_pass(it, count);
}

void pw_iter_identity(struct pw_iter *it)
{
	it->step = PW_STEP_PAGE;
	it->first = it->pa = it->position;
	it->last = it->linear_last = it->end;
	it->page_size = PW_IDENTITY_PAGE;
	it->grant = it->space->grant[0];
}

enum pw_step pw_iter_next(struct pw_iter *it)
{
	if (it->done) {
		it->step = PW_STEP_END;
		return PW_STEP_END;
	}
	if (it->fresh) {
		it->fresh = false;
		it->begin = it->position;
	} else if (it->descend) {
		step_down(it);
	} else if (!table_is_done(it)) {
		it->position = it->linear_last + 1;
	} else if (it->level + 1u < it->space->format->levels) {
		step_up(it);
		return PW_STEP_LEAVE;
	} else {
		it->done = true;
		it->step = PW_STEP_END;
		return PW_STEP_END;
	}
	if (it->space->format->levels == 0)
		pw_iter_identity(it);
	else
		look(it);
	return (enum pw_step)it->step;
}

bool pw_iter_reads_next(const struct pw_iter *it, pw_va *at)
{
	const struct pw_format *format = it->space->format;
	pw_va position = it->position;

	if (it->done || format->levels == 0)
		return false;
	if (!it->fresh && !it->descend) {
		if (table_is_done(it))
			return false;
		position = it->linear_last + 1;
	}
	*at = pw_extend(it->space->extension, format->va_bits, position);
	return true;
}

void pw_iter_skip(struct pw_iter *it)
{
	it->descend = false;
}
