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
	uint64_t index; /* into the space's quick tables */
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
 * *at is the root's entry. False: the quick path does not serve this address, or nothing of this
 * space. The bits of a sign-extended va from the root's index on, as a signed number, are in the
 * index's range, and that is all: one comparison.
 */
PW_INLINE bool pw_quick_begin(const struct pw_space *s, pw_va va, const pw_word **at)
{
	const struct pw_level *row = &pw_row_x86_64.level[pw_row_x86_64.levels - 1];
	uint64_t index = (uint64_t)((int64_t)va >> row->shift);

	if (PW_UNLIKELY(index + PW_BIT(row->index_bits - 1) >= s->quick_roots))
		return false;
	*at = (const pw_word *)s->quick_root + (index & PW_LOW(row->index_bits));
	return true;
}

/* Folds the entry, of a table, and goes on to the one that it leads to, of this level. */
PW_INLINE void pw_quick_next(
	const struct pw_space *s, unsigned level, pw_va va, uint64_t e, struct pw_quick *q)
{
	const struct pw_level *row = &pw_row_x86_64.level[level];

	pw_fold(row + 1, e, &q->and_fold, &q->or_fold);
	/* Shifted once: what stands in the way of a register less is another translation less. */
	q->at = (e & s->quick_address) + (va >> (row->shift - 3) & PW_LOW(row->index_bits) << 3);
}

/* Reads the entry that q->at has come to. */
PW_INLINE bool pw_quick_read(const struct pw_space *s, uint64_t base, struct pw_quick *q)
{
	uint64_t offset = q->at - base;

	if (PW_UNLIKELY(offset >= (base ? s->window_reach : s->quick_reach)))
		return false;
	q->entry = pw_peek(&pw_row_x86_64, (const char *)s->window.host + offset);
	return true;
}

/*
 * Few instructions depend on the page's entry: they all wait for it, and where many wait, the
 * processor has no room left for the next translations, whose entries it could be fetching
 * meanwhile. So what can be made of the tables' entries is ready, and the rights are an index.
 */
PW_INLINE bool pw_quick_end(const struct pw_space *s, unsigned level, pw_va va, pw_access access,
	struct pw_quick *q, pw_quick_put put, void *to)
{
	uint64_t e = q->entry, keep = (q->and_fold * 2 + 1) & 15;

	q->level = level;
	q->index = (e << 1 | e >> 63) & keep;
	if (PW_UNLIKELY(q->or_fold & s->quick_unusual)) {
		if (q->or_fold & s->quick_reserved)
			return false;
		q->index |= 1; /* XD */
	}
	if (PW_UNLIKELY(!pw_is_quick_page(s, q, access)))
		return false;
	put(s, q, va, to);
	return true;
}

/* Unrolled by hand, so that the level is a constant in every instance. `base` is the window's. */
PW_INLINE bool pw_quick_walk(const struct pw_space *s, uint64_t base, pw_va va, pw_access access,
	pw_quick_put put, void *to)
{
	struct pw_quick q = {.and_fold = ~(uint64_t)0};
	const pw_word *root;

	if (PW_UNLIKELY(!pw_quick_begin(s, va, &root)))
		return false;
	pw_quick_next(s, 2, va, pw_peek(&pw_row_x86_64, root), &q);
	if (PW_UNLIKELY(!pw_quick_read(s, base, &q)))
		return false;
	if (!pw_is_table(&pw_row_x86_64.level[2], q.entry))
		return pw_quick_end(s, 2, va, access, &q, put, to);
	pw_quick_next(s, 1, va, q.entry, &q);
	if (PW_UNLIKELY(!pw_quick_read(s, base, &q)))
		return false;
	if (!pw_is_table(&pw_row_x86_64.level[1], q.entry))
		return pw_quick_end(s, 1, va, access, &q, put, to);
	pw_quick_next(s, 0, va, q.entry, &q);
	if (PW_UNLIKELY(!pw_quick_read(s, base, &q)))
		return false;
	return pw_quick_end(s, 0, va, access, &q, put, to);
}

#endif
