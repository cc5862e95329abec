/* SPDX-License-Identifier: MIT */
/* One address by the quick two-stage walk. */
#include "nested_walk.h"

/* The whole translation of gpa by stage 2, each entry checked; access is judged by the caller. */
PW_NOINLINE bool pw_nested_aside(const struct pw_space *s, pw_pa gpa, struct nested_page *page)
{
	struct under u = {.host = s->window.host, .base = s->window.base, .reach = s->window_reach};
	pw_pa table = s->root;

	if (gpa >> 48)
		return false;
	page->and_fold = ~(uint64_t)0;
	page->or_fold = 0;
	for (unsigned level = 4; level-- > 0;) {
		uint64_t e;

		page->entry_pa = entry_pa(table, level, gpa);
		if (!load(&u, page->entry_pa, &e) || !(e & X86_P))
			return false;
		page->and_fold &= e;
		page->or_fold |= e;
		if (level == 0 || (level < 3 && e & PS)) {
			page->entry = e;
			page->level = level;
			page->offset = PW_LOW(12 + 9 * level);
			page->pa = (e & EPT_ADDRESS & ~page->offset) | (gpa & page->offset);
			return !(e & s->reserved_page[level]) && !(illegal(s) >> (e & 63) & 1);
		}
		if (e & s->reserved_table[level])
			return false;
		table = e & EPT_ADDRESS;
	}
	return false;
}

/* The guest's page. What its entries say is judged when all are read. */
PW_INLINE bool first(struct under *u, const struct pw_space *one, const struct pw_space *two,
	pw_va va, struct nested_page *page)
{
	pw_pa at = entry_pa(one->root, 3, va);
	uint64_t tables = 0, e = 0, offset;

	page->and_fold = ~(uint64_t)0;
	if (!find_tables(u, at))
		return false;
#pragma GCC unroll 4
	for (unsigned level = 4; level-- > 0;) {
		if (PW_UNLIKELY(!guest_at(u, two, at, &offset)))
			return false;
		e = peek(u->host, offset);
		page->level = level;
		page->entry_pa = at;
		page->and_fold &= e;
		if (level == 0 || (level < 3 && e & PS))
			break;
		tables |= e;
		at = entry_pa(e & one->quick_address, level - 1, va);
	}
	page->entry = e;
	page->or_fold = tables | e;
	page->offset = PW_LOW(12 + 9 * page->level);
	page->pa = (e & one->quick_address & ~page->offset) | (va & page->offset);
	return !((tables & one->quick_reserved) | (e & one->quick_page[page->level]));
}

PW_INLINE bool walk(const struct pw_space *one, const struct pw_space *two, uint64_t base, pw_va va,
	pw_access access, struct pw_nested_result *r)
{
	struct under u = under(two, base, access);
	struct nested_page from, to;

	if (!first(&u, one, two, va, &from) || !is_allowed(one, &from, access) ||
		!has_flags(two, access, &from) || !tables_are_good(&u, two))
		return false;
	if (!second(&u, two, from.pa, &to) || !is_allowed(two, &to, by_nobody(access)))
		return false;
	pw_nested_put(one, two, va, &from, &to, r);
	return true;
}

static PW_NOINLINE bool walk_elsewhere(const struct pw_space *one, const struct pw_space *two,
	pw_va va, pw_access access, struct pw_nested_result *r)
{
	return walk(one, two, two->window.base, va, access, r);
}

enum pw_status pw_nested_translate(const struct pw_space *stage1, const struct pw_space *stage2,
	pw_va va, pw_access access, struct pw_nested_result *result)
{
	if (PW_LIKELY(stage1 && stage2 && result) && is_quick_pair(stage1, stage2, access) &&
		is_canonical(va)) {
		if (PW_UNLIKELY(stage2->window.base)) {
			if (walk_elsewhere(stage1, stage2, va, access, result))
				return PW_OK;
		} else if (PW_LIKELY(walk(stage1, stage2, 0, va, access, result))) {
			return PW_OK;
		}
	}
	return pw_nested_in_full(stage1, stage2, va, access, result);
}
