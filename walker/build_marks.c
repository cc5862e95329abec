/* SPDX-License-Identifier: MIT */
/* Accessed and Dirty of a run of entries: found, and cleared where that is asked for. */
#include "build_journal.h"

static uint64_t without_marks(const struct pw_build *b, const struct pw_page *shape,
	const struct pw_take *take, uint64_t entry)
{
	if (take->clear_accessed && pw_is_accessed(shape, entry))
		entry &= ~shape->accessed;
	if (take->clear_dirty && pw_is_dirty(shape, entry)) {
		struct pw_change change = pw_cleaning(b->format, shape);

		entry = (entry & change.keep) | change.set;
	}
	return entry;
}

static void note(struct pw_take *take, const struct pw_page *shape, uint64_t entry, uint64_t n)
{
	take->accessed[n >> 6] |= (uint64_t)pw_is_accessed(shape, entry) << (n & 63);
	take->dirty[n >> 6] |= (uint64_t)pw_is_dirty(shape, entry) << (n & 63);
}

/* One entry, whatever the format and the memory. */
static void take_entry(struct pw_build *b, const struct pw_run *run, uint64_t n)
{
	const struct pw_level *row = pw_row(b, run->level);
	uint64_t index = run->index + n, entry, seen;

	if (!pw_peek_at(b, run->table, index, &entry))
		return;
	for (;;) {
		const struct pw_page *shape = pw_shape(row, entry);
		uint64_t made;

		if (pw_kind_in(b, run->level, entry) != PW_PAGE)
			return;
		made = without_marks(b, shape, run->take, entry);
		seen = entry;
		if (made == entry || pw_swap(b, run, index, &entry, made)) {
			note(run->take, shape, seen, n);
			return;
		}
		if (entry == seen) {
			b->refused = true;
			return;
		}
	}
}

/* Marks that are single bits, in entries that are 8 bytes of the host's: the usual case. */
static bool is_simple(const struct pw_build *b, const struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);

	return run->level == 0 && run->table->host && !b->journal && pw_is_plain(b->format) &&
	       !pw_has_spans(b->space, 0) &&
	       pw_dirty_flag(b->format, &row->page) == row->page.dirty && row->page.dirty &&
	       (row->present_all || row->present_any);
}

void pw_count_marks(struct pw_take *take)
{
	struct pw_take_counts count = {0, 0, 0};

	for (unsigned i = 0; i < PW_TAKE_WORDS; i++) {
		uint64_t accessed = take->accessed[i], dirty = take->dirty[i];

		count.accessed += pw_count_bits(accessed);
		count.dirty += pw_count_bits(dirty);
		count.cleared += pw_count_bits(
			(take->clear_accessed ? accessed : 0) | (take->clear_dirty ? dirty : 0));
	}
	take->count = count;
}

/* In a last table what is present and not BAD is a page. */
static struct pw_take_masks masks_of(
	const struct pw_build *b, const struct pw_run *run, uint64_t clear)
{
	const struct pw_level *row = pw_row(b, run->level);
	const struct pw_page *shape = &row->page;

	return (struct pw_take_masks){
		.present = {row->present_all,
			row->present_any ? row->present_any : row->present_all},
		.reserved = b->space->reserved_page[run->level],
		.illegal_low6 =
			shape->illegal_low6 ? shape->illegal_low6 | b->space->illegal_low6 : 0,
		.accessed = shape->accessed,
		.dirty = shape->dirty,
		.clear = clear};
}

/* A word's entries without a branch on any of them: half of the guesses would be wrong. */
static void look_at_word(const struct pw_take_masks *m, const pw_word *at, uint64_t count,
	uint64_t *accessed, uint64_t *dirty)
{
	uint64_t a = 0, d = 0;

	for (uint64_t n = 0; n < count; n++) {
		uint64_t entry = __atomic_load_n(&at[n], __ATOMIC_RELAXED);
		uint64_t good = ((entry & m->present.all) == m->present.all) &
				((entry & m->present.any) != 0) & !(entry & m->reserved) &
				~(m->illegal_low6 >> (entry & 63));

		a |= (good & ((entry & m->accessed) != 0)) << n;
		d |= (good & ((entry & m->dirty) != 0)) << n;
	}
	*accessed = a;
	*dirty = d;
}

/* On a table that no CPU walks or, without clearing, any. */
static void take_plain(
	const struct pw_run *run, const struct pw_take_masks *m, struct pw_take *take)
{
	pw_word *at = (pw_word *)(void *)run->table->host + run->index;

	for (uint64_t i = 0; i << 6 < run->count; i++, at += 64) {
		uint64_t count = run->count - (i << 6), found;

		look_at_word(m, at, count < 64 ? count : 64, &take->accessed[i], &take->dirty[i]);
		found = (m->clear & m->accessed ? take->accessed[i] : 0) |
			(m->clear & m->dirty ? take->dirty[i] : 0);
		for (; found; found &= found - 1)
			at[pw_lowest_bit(found)] &= ~m->clear;
	}
	pw_count_marks(take);
}

static void take_simple(
	const struct pw_build *b, const struct pw_run *run, const void *ahead, uint64_t clear)
{
	const struct pw_kernels *kernels = b->memory->kernels;
	const struct pw_take_masks masks = masks_of(b, run, clear);
	struct pw_take *take = run->take;

	if (kernels)
		take->count = kernels->take((void *)(run->table->host + run->index * 8), ahead,
			run->count, &masks, take->accessed, take->dirty);
	else
		take_plain(run, &masks, take);
}

/* A word's entries, each cleared by one atomic operation. The flag is set in all of them. */
static void clear_flag(pw_word *at, uint64_t found, uint64_t flag)
{
	for (; found; found &= found - 1)
		(void)__atomic_fetch_and(&at[pw_lowest_bit(found)], ~flag, __ATOMIC_ACQ_REL);
}

/* The same for both marks: the hardware may have set the other one since the look. */
static void clear_both(
	pw_word *at, const struct pw_page *shape, uint64_t *accessed, uint64_t *dirty)
{
	uint64_t a = *accessed, d = *dirty;

	for (uint64_t found = a | d; found; found &= found - 1) {
		unsigned n = pw_lowest_bit(found);
		uint64_t old = __atomic_fetch_and(
			&at[n], ~(shape->accessed | shape->dirty), __ATOMIC_ACQ_REL);

		a |= (uint64_t)pw_is_accessed(shape, old) << n;
		d |= (uint64_t)pw_is_dirty(shape, old) << n;
	}
	*accessed = a;
	*dirty = d;
}

/* Looks first, then clears what was found. */
static void take_live(const struct pw_build *b, const struct pw_run *run)
{
	const struct pw_page *shape = &pw_row(b, run->level)->page;
	pw_word *at = (pw_word *)(void *)run->table->host + run->index;
	struct pw_take *take = run->take;

	/* What is looked at next comes in while the atomic operations take their time. */
	take_simple(b, run, at, 0);
	for (uint64_t i = 0; i << 6 < run->count; i++) {
		for (uint64_t line = 0; line < 512; line += 64)
			__builtin_prefetch((const char *)take->ahead + (i << 9) + line, 1);
		if (take->clear_accessed && take->clear_dirty)
			clear_both(at + (i << 6), shape, &take->accessed[i], &take->dirty[i]);
		else if (take->clear_accessed)
			clear_flag(at + (i << 6), take->accessed[i], shape->accessed);
		else if (take->clear_dirty)
			clear_flag(at + (i << 6), take->dirty[i], shape->dirty);
	}
	if (take->clear_accessed && take->clear_dirty)
		pw_count_marks(take);
	else
		take->count.cleared = take->clear_accessed ? take->count.accessed
				      : take->clear_dirty  ? take->count.dirty
							   : 0;
}

void pw_take_marks(struct pw_build *b, const struct pw_run *run)
{
	const struct pw_page *shape = &pw_row(b, run->level)->page;
	struct pw_take *take = run->take;
	uint64_t clear = (take->clear_accessed ? shape->accessed : 0) |
			 (take->clear_dirty ? shape->dirty : 0);

	for (unsigned i = 0; i < PW_TAKE_WORDS; i++)
		take->accessed[i] = take->dirty[i] = 0;
	if (!is_simple(b, run)) {
		for (uint64_t n = 0; n < run->count; n++)
			take_entry(b, run, n);
		pw_count_marks(take);
		return;
	}
	if (!take->ahead)
		take->ahead = run->table->host + run->index * 8;
	if (b->live) {
		take_live(b, run);
	} else {
		take_simple(b, run, take->ahead, clear);
	}
}
