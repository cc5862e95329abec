/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk of x86-64 over 4-level EPT or NPT whose tables, and the guest's, stand in the
 * first window. It has no word for what goes wrong: then it returns false and
 * the full walk begins anew. Nothing of this attempt is kept, so that the answer always comes from
 * entries that were each loaded once.
 *
 * As in the single-stage quick path it may go on through entries that refuse, as if they did not:
 * the loads stay in the window, and before an answer is given the folds tell. Made for stage-2
 * pages of 2 MiB and guest tables within one GiB; others take a step aside for each address.
 */
#include "formats/ept.h"
#include "nested.h"
#include "nested_put.h"
#include "quick.h"

/* The same in both formats. */
#define PS X86_PS
_Static_assert(X86_PS == EPT_PS && X86_P == EPT_R && X86_W == EPT_W, "one mask for both");

/* Write back is 6: the types' upper two bits are set, and the lowest is not. */
#define TYPE_SET   PW_BITS(4, 5)
#define TYPE_CLEAR PW_BIT(3)

/* What the addresses of a call share. */
struct under {
	const void *host; /* the window */
	uint64_t base, reach;
	pw_pa root;    /* of stage 2 */
	uint64_t need; /* what the access to a guest's table needs in every entry of stage 2 */
	bool ept;
	/*
	 * The tables of stage 2 that lead to the guest's root. Neighbouring addresses share them,
	 * and as in a CPU's paging-structure caches an upper entry that was read for one access of
	 * a walk serves the others. Forgotten with the call.
	 */
	pw_pa top, giga; /* bits 47:39 and 47:30 of their addresses; giga ~0: no directory */
	uint64_t top_entry, giga_entry;
	uint64_t directory; /* its offset in the window */
	/* All pages of 2 MiB that hold guest tables. */
	uint64_t and_pages, or_pages;
};

PW_INLINE uint64_t peek(const void *host, uint64_t offset)
{
	return pw_peek(&pw_row_x86_64, (const char *)host + offset);
}

/* The entry at pa, if the window holds it. */
PW_INLINE bool load(const struct under *u, pw_pa pa, uint64_t *entry)
{
	uint64_t offset = pa - u->base;

	if (PW_UNLIKELY(offset >= u->reach))
		return false;
	*entry = peek(u->host, offset);
	return true;
}

/* A stage-2 page of 2 MiB: the address from its entry, and the rest from gpa. */
PW_INLINE pw_pa in_2m(uint64_t entry, pw_pa gpa)
{
	return ((entry ^ gpa) & PW_BITS(21, 51)) ^ gpa;
}

/* Where the entry for gpa stands in a table. */
PW_INLINE pw_pa entry_pa(pw_pa table, unsigned level, pw_pa gpa)
{
	return table + (gpa >> (9 + 9 * level) & 0xff8);
}

/* A bitmap over bits 5:0 of a page: EPT's memory types that are none. NPT has no such thing. */
PW_INLINE uint64_t illegal(const struct pw_space *s)
{
	return s->format->level[0].page.illegal_low6;
}

/* The whole translation of gpa by stage 2, each entry checked; access is judged by the caller. */
static PW_NOINLINE bool aside(const struct pw_space *s, pw_pa gpa, struct nested_page *page)
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

/* The tables that lead to gpa, which is in the guest's root. */
PW_INLINE bool find_tables(struct under *u, pw_pa gpa)
{
	u->and_pages = ~(uint64_t)0;
	u->or_pages = 0;
	if (PW_UNLIKELY(gpa >> 48) || !load(u, entry_pa(u->root, 3, gpa), &u->top_entry))
		return false;
	u->top = gpa >> 39;
	if (!load(u, entry_pa(u->top_entry & EPT_ADDRESS, 2, gpa), &u->giga_entry))
		return false;
	u->giga = gpa >> 30;
	u->directory = (u->giga_entry & EPT_ADDRESS) - u->base;
	/* The directory is in the window as a whole, or is not used. */
	if (PW_UNLIKELY(u->giga_entry & PS || u->directory >= u->reach ||
			u->reach - u->directory <= 511 * 8))
		u->giga = ~(pw_pa)0;
	return true;
}

/* An entry of the guest's. */
PW_INLINE bool guest_entry(struct under *u, const struct pw_space *s, pw_pa gpa, uint64_t *entry)
{
	struct nested_page page;

	if (PW_LIKELY(gpa >> 30 == u->giga)) {
		uint64_t e = peek(u->host, entry_pa(u->directory, 1, gpa));

		if (PW_LIKELY(e & PS)) {
			u->and_pages &= e;
			u->or_pages |= e;
			return load(u, in_2m(e, gpa), entry);
		}
	}
	return aside(s, gpa, &page) && (page.and_fold & u->need) == u->need &&
	       load(u, page.pa, entry);
}

/* Every page of 2 MiB with guest tables, and the entries that lead there, let them be read. */
PW_INLINE bool tables_are_good(const struct under *u, const struct pw_space *s)
{
	uint64_t need = u->need | (u->ept ? TYPE_SET : 0);
	uint64_t refuse = s->reserved_page[1] | (u->ept ? TYPE_CLEAR : 0);

	/* Without such a page nothing was done but steps aside, which saw to it. */
	if (PW_UNLIKELY(!u->or_pages))
		return true;
	return !((~u->and_pages & need) | (u->or_pages & refuse) |
		 (~(u->top_entry & u->giga_entry) & u->need) |
		 ((u->top_entry | u->giga_entry) & s->quick_reserved));
}

/* The final address, in a page of 2 MiB under the same PML4E; false: it is not. */
PW_INLINE bool second_2m(const struct under *u, const struct pw_space *s, pw_pa gpa,
	struct nested_page *page, uint64_t *bad)
{
	uint64_t upper, e;

	if (PW_UNLIKELY(gpa >> 39 != u->top) ||
		!load(u, entry_pa(u->top_entry & EPT_ADDRESS, 2, gpa), &upper))
		return false;
	page->entry_pa = entry_pa(upper & EPT_ADDRESS, 1, gpa);
	if (PW_UNLIKELY(upper & PS) || !load(u, page->entry_pa, &e) || PW_UNLIKELY(!(e & PS)))
		return false;
	page->entry = e;
	page->level = 1;
	page->offset = PW_LOW(21);
	page->pa = in_2m(e, gpa);
	page->and_fold = u->top_entry & upper & e;
	page->or_fold = u->top_entry | upper | e;
	*bad = ((u->top_entry | upper) & s->quick_reserved) | (e & s->reserved_page[1]) |
	       (illegal(s) >> (e & 63) & 1);
	return true;
}

PW_INLINE bool second(
	const struct under *u, const struct pw_space *s, pw_pa gpa, struct nested_page *page)
{
	struct nested_page other; /* its address is not known to the quick case */
	uint64_t bad = 0;

	if (PW_UNLIKELY(!second_2m(u, s, gpa, page, &bad))) {
		if (!aside(s, gpa, &other))
			return false;
		*page = other;
	}
	return !bad;
}

/* The guest's page. What its entries say is judged when all are read. */
PW_INLINE bool first(struct under *u, const struct pw_space *one, const struct pw_space *two,
	pw_va va, struct nested_page *page)
{
	pw_pa at = entry_pa(one->root, 3, va);
	uint64_t tables = 0, e = 0;

	page->and_fold = ~(uint64_t)0;
	if (!find_tables(u, at))
		return false;
#pragma GCC unroll 4
	for (unsigned level = 4; level-- > 0;) {
		if (PW_UNLIKELY(!guest_entry(u, two, at, &e)))
			return false;
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

/* Every flag that the access needs is set already, or stage 2 has been asked to write them. */
PW_INLINE bool has_flags(
	const struct pw_space *two, pw_access access, const struct nested_page *page)
{
	if (two->stage2 & PW_STAGE2_TABLES_WRITTEN || access & PW_ACCESS_ANY)
		return true;
	return page->and_fold & X86_A && (!(access & PW_ACCESS_WRITE) || page->entry & X86_D);
}

/* The folded rights allow the access. */
PW_INLINE bool is_allowed(const struct pw_space *s, const struct nested_page *page, unsigned access)
{
	return s->quick_allowed[pw_quick_index(page->and_fold, page->or_fold)] >> access & 1;
}

PW_INLINE bool walk(const struct pw_space *one, const struct pw_space *two, uint64_t base, pw_va va,
	pw_access access, struct pw_nested_result *r)
{
	bool ept = two->engine == PW_ENGINE_EPT_4;
	struct under u = {.host = two->window.host,
		.base = base,
		.reach = two->window_reach,
		.root = two->root,
		.ept = ept,
		.need = X86_P};
	struct nested_page from, to;

	if (!(access & PW_ACCESS_ANY))
		u.need |= (two->stage2 & PW_STAGE2_TABLES_WRITTEN ? X86_W : 0) | (ept ? 0 : X86_U);
	if (!first(&u, one, two, va, &from) || !is_allowed(one, &from, access) ||
		!has_flags(two, access, &from) || !tables_are_good(&u, two))
		return false;
	/* Who makes the access does not matter here: GMET and mode-based execute are left out. */
	if (!second(&u, two, from.pa, &to) ||
		!is_allowed(two, &to, access & ~(PW_ACCESS_USER | PW_ACCESS_IMPLICIT)))
		return false;
	pw_nested_put(one, two, va, &from, &to, r);
	return true;
}

static PW_NOINLINE bool walk_elsewhere(const struct pw_space *one, const struct pw_space *two,
	pw_va va, pw_access access, struct pw_nested_result *r)
{
	return walk(one, two, two->window.base, va, access, r);
}

/* Only x86-64 has quick accesses. */
PW_INLINE bool is_quick(
	const struct pw_space *one, const struct pw_space *two, pw_va va, pw_access access)
{
	return (two->engine == PW_ENGINE_EPT_4 || two->engine == PW_ENGINE_NPT_4) && access < 64 &&
	       one->quick_accesses >> access & 1 && (pw_va)((int64_t)(va << 16) >> 16) == va;
}

enum pw_status pw_nested_translate(const struct pw_space *stage1, const struct pw_space *stage2,
	pw_va va, pw_access access, struct pw_nested_result *result)
{
	if (PW_LIKELY(stage1 && stage2 && result) && is_quick(stage1, stage2, va, access)) {
		if (PW_UNLIKELY(stage2->window.base)) {
			if (walk_elsewhere(stage1, stage2, va, access, result))
				return PW_OK;
		} else if (PW_LIKELY(walk(stage1, stage2, 0, va, access, result))) {
			return PW_OK;
		}
	}
	return pw_nested_in_full(stage1, stage2, va, access, result);
}
