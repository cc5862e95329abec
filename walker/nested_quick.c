/* SPDX-License-Identifier: MIT */
/* One address by the quick two-stage walk. */
#include "nested_walk.h"

PW_NOINLINE bool pw_nested_aside(
	const struct pw_space *s, pw_pa gpa, uint64_t need, struct nested_page *page)
{
	struct under u = {.host = s->window.host, .base = s->window.base, .reach = s->window_reach};
	uint64_t and_fold = ~(uint64_t)0, or_fold = 0;
	pw_pa table = s->root;

	if (gpa >> 48)
		return false;
	for (unsigned level = 4; level-- > 0;) {
		uint64_t e;

		page->entry_pa = entry_pa(table, level, gpa);
		if (!load(&u, page->entry_pa, &e) || !(e & X86_P))
			return false;
		and_fold &= e;
		or_fold |= e;
		if (level == 0 || (level < 3 && e & PS)) {
			page->entry = e;
			page->level = level;
			page->offset = PW_LOW(12 + 9 * level);
			page->pa = (e & EPT_ADDRESS & ~page->offset) | (gpa & page->offset);
			page->index = pw_quick_index(and_fold, or_fold);
			return (and_fold & need) == need && !(e & s->reserved_page[level]) &&
			       !(illegal(s) >> (e & 63) & 1);
		}
		if (e & s->reserved_table[level])
			return false;
		table = e & EPT_ADDRESS;
	}
	return false;
}

/* A walk of the guest's tables that has come to an entry. */
struct way {
	pw_pa at; /* of the entry, guest-physical */
	uint64_t entry;
	uint64_t and_fold, or_fold; /* of the entries before it */
};

PW_INLINE bool read_entry(struct under *u, const struct pw_space *two, struct way *w)
{
	uint64_t offset;

	if (PW_UNLIKELY(!guest_at(u, two, w->at, &offset)))
		return false;
	w->entry = peek(u->host, offset);
	return true;
}

/* The entry is that of a table, which leads to the next one, of this level. */
PW_INLINE bool next(struct under *u, const struct pw_space *one, const struct pw_space *two,
	unsigned level, pw_va va, struct way *w)
{
	w->and_fold &= w->entry;
	w->or_fold |= w->entry;
	w->at = entry_pa(w->entry & one->quick_address, level, va);
	return read_entry(u, two, w);
}

/* The answer for the page, if nothing refuses it. */
PW_INLINE bool answer(const struct pw_space *one, const struct pw_space *two, bool ept, pw_va va,
	const struct need *need, const struct nested_page *from, const struct nested_page *to,
	uint64_t bad, struct pw_nested_result *r)
{
	struct nested_grant grant = pw_nested_grant(one, two, from, to);

	if (PW_UNLIKELY(bad | (~grant.both & need->grant)))
		return false;
	pw_nested_put(ept, va, from, to, &grant, r);
	return true;
}

/* The same where stage 2 has no page of 2 MiB close by. */
static PW_SEPARATE bool answer_aside(const struct pw_space *one, const struct pw_space *two,
	pw_va va, const struct need *need, const struct nested_page *from, uint64_t bad,
	struct pw_nested_result *r)
{
	bool ept = two->engine == PW_ENGINE_EPT_4;
	struct nested_page to;

	return pw_nested_aside(two, from->pa, 0, &to) &&
	       answer(one, two, ept, va, need, from, &to, bad, r);
}

/* The entry is a page's. */
PW_INLINE bool finish(struct under *u, const struct pw_space *one, const struct pw_space *two,
	unsigned level, pw_va va, pw_access access, const struct way *w, struct pw_nested_result *r)
{
	const struct need need = needed(two, access);
	struct nested_page to, from = {.entry = w->entry,
				       .entry_pa = w->at,
				       .level = level,
				       .offset = PW_LOW(12 + 9 * level),
				       .index = guest_index(w->and_fold, w->or_fold, w->entry)};
	uint64_t bad = guest_refuses(one, &need, w->and_fold, w->or_fold, &from);

	if (PW_UNLIKELY(!tables_are_good(u, two)))
		return false;
	from.pa = (w->entry & one->quick_address & ~from.offset) | (va & from.offset);
	if (PW_LIKELY(second_2m(u, two, from.pa, &to, &bad)))
		return answer(one, two, u->ept, va, &need, &from, &to, bad, r);

	const struct nested_page page = from;
	const struct need of_page = need;

	return answer_aside(one, two, va, &of_page, &page, bad, r);
}

PW_INLINE bool walk(const struct pw_space *one, const struct pw_space *two, bool ept, uint64_t base,
	pw_va va, pw_access access, struct pw_nested_result *r)
{
	struct under u = under(two, ept, base, access);
	struct way w = {.at = entry_pa(one->root, 3, va), .and_fold = ~(uint64_t)0};
	unsigned level;

	if (PW_UNLIKELY(!find_tables(&u, two, w.at)) || PW_UNLIKELY(!read_entry(&u, two, &w)) ||
		PW_UNLIKELY(!next(&u, one, two, 2, va, &w)))
		return false;
	level = 2;
	if (PW_LIKELY(!(w.entry & PS))) {
		if (PW_UNLIKELY(!next(&u, one, two, 1, va, &w)))
			return false;
		if (PW_LIKELY(!(w.entry & PS))) {
			/* The usual page, for itself: its level is a constant. */
			if (PW_UNLIKELY(!next(&u, one, two, 0, va, &w)))
				return false;
			return finish(&u, one, two, 0, va, access, &w, r);
		}
		level = 1;
	}
	return finish(&u, one, two, level, va, access, &w, r);
}

/* One for each case, so that what tells them apart is constant. */
static PW_SEPARATE enum pw_status under_ept(const struct pw_space *one, const struct pw_space *two,
	pw_va va, pw_access access, struct pw_nested_result *r)
{
	if (PW_LIKELY(walk(one, two, true, 0, va, access, r)))
		return PW_OK;
	return pw_nested_in_full(one, two, va, access, r);
}

static PW_SEPARATE enum pw_status under_npt(const struct pw_space *one, const struct pw_space *two,
	pw_va va, pw_access access, struct pw_nested_result *r)
{
	if (PW_LIKELY(walk(one, two, false, 0, va, access, r)))
		return PW_OK;
	return pw_nested_in_full(one, two, va, access, r);
}

static PW_SEPARATE enum pw_status elsewhere(const struct pw_space *one, const struct pw_space *two,
	pw_va va, pw_access access, struct pw_nested_result *r)
{
	if (walk(one, two, two->engine == PW_ENGINE_EPT_4, two->window.base, va, access, r))
		return PW_OK;
	return pw_nested_in_full(one, two, va, access, r);
}

enum pw_status pw_nested_translate(const struct pw_space *stage1, const struct pw_space *stage2,
	pw_va va, pw_access access, struct pw_nested_result *result)
{
	if (PW_UNLIKELY(!stage1 || !stage2 || !result) || !is_quick_pair(stage1, stage2, access) ||
		PW_UNLIKELY(!is_canonical(va)))
		return pw_nested_in_full(stage1, stage2, va, access, result);
	if (PW_UNLIKELY(stage2->window.base))
		return elsewhere(stage1, stage2, va, access, result);
	if (stage2->engine == PW_ENGINE_EPT_4)
		return under_ept(stage1, stage2, va, access, result);
	return under_npt(stage1, stage2, va, access, result);
}
