/* SPDX-License-Identifier: MIT */
/*
 * Private: the quick path, for x86-64 in one window. It has no word for what goes wrong: then it
 * returns false, and the full path walks anew. Nothing of this attempt is kept, so the answer
 * always comes from entries that were each loaded once.
 *
 * That is also why it may go on through an entry that is not present, or has reserved bits, as if
 * it were a table: the loads stay in the window, and before an answer is given the folds tell. Only
 * a page is told from a table at once.
 */
#ifndef PW_PRIVATE_QUICK_WALK_H
#define PW_PRIVATE_QUICK_WALK_H

#include "quick.h"

struct pw_quick {
	pw_pa at; /* the next entry; in the end, the page's */
	uint64_t and_fold, or_fold;
	uint64_t entry; /* the page's */
	unsigned level;
	unsigned index; /* into the space's quick tables */
};

/* Puts the answer together. Inlined into the walk, so that the level is a constant there. */
typedef void (*pw_quick_put)(
	const struct pw_space *s, const struct pw_quick *q, pw_va va, void *to);

PW_INLINE uint64_t pw_index_at(const struct pw_level *row, pw_va va)
{
	return va >> row->shift & PW_LOW(row->index_bits);
}

/* The page grants the access, which is below 64, and needs no second look for its key. */
PW_INLINE bool pw_is_quick_page(
	const struct pw_space *s, const struct pw_quick *q, pw_access access)
{
	return !(q->entry & s->quick_page[q->level]) && s->quick_allowed[q->index] >> access & 1;
}

/*
 * The root's entry. The bits of a sign-extended va from the root's index on, as a signed number,
 * are in the index's range, and that is all: one comparison.
 */
PW_INLINE bool pw_quick_begin(const struct pw_space *s, pw_va va, struct pw_quick *q)
{
	const struct pw_format *f = &pw_row_x86_64;
	const struct pw_level *row = &f->level[f->levels - 1];
	uint64_t half = PW_BIT(row->index_bits - 1);
	uint64_t index = (uint64_t)((int64_t)va >> row->shift) + half;

	q->at = s->root + (index ^ half) * f->entry_bytes;
	q->and_fold = ~(uint64_t)0;
	q->or_fold = 0;
	return index >> row->index_bits == 0;
}

/* Reads the entry of a level. True: it is no page, q->at is now one level below. */
PW_INLINE bool pw_quick_down(
	const struct pw_space *s, uint64_t base, unsigned level, pw_va va, struct pw_quick *q)
{
	const struct pw_format *f = &pw_row_x86_64;
	const struct pw_level *row = &f->level[level];
	uint64_t offset = q->at - base, e;

	q->entry = 0; /* a hole is not allowed to anyone */
	if (PW_UNLIKELY(offset >= (base ? s->window_reach : s->quick_reach)))
		return false;
	e = pw_peek(f, (const char *)s->window.host + offset);
	q->entry = e;
	if (!pw_is_table(row, e))
		return false;
	pw_fold(row, e, &q->and_fold, &q->or_fold);
	q->at = (e & s->quick_address) + pw_index_at(row - 1, va) * f->entry_bytes;
	return true;
}

PW_INLINE bool pw_quick_end(const struct pw_space *s, unsigned level, pw_va va, pw_access access,
	struct pw_quick *q, pw_quick_put put, void *to)
{
	q->level = level;
	q->index = pw_quick_index(q->and_fold & q->entry, q->or_fold | q->entry);
	if (PW_UNLIKELY(q->or_fold & s->quick_reserved || !pw_is_quick_page(s, q, access)))
		return false;
	put(s, q, va, to);
	return true;
}

/* Unrolled by hand, so that the level is a constant in every instance. `base` is the window's. */
PW_INLINE bool pw_quick_walk(const struct pw_space *s, uint64_t base, pw_va va, pw_access access,
	pw_quick_put put, void *to)
{
	struct pw_quick q;

	if (PW_UNLIKELY(!pw_quick_begin(s, va, &q)))
		return false;
	if (!pw_quick_down(s, base, 3, va, &q))
		return pw_quick_end(s, 3, va, access, &q, put, to);
	if (!pw_quick_down(s, base, 2, va, &q))
		return pw_quick_end(s, 2, va, access, &q, put, to);
	if (!pw_quick_down(s, base, 1, va, &q))
		return pw_quick_end(s, 1, va, access, &q, put, to);
	(void)pw_quick_down(s, base, 0, va, &q);
	return pw_quick_end(s, 0, va, access, &q, put, to);
}

#endif
