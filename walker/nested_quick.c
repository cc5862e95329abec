/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk of x86-64 over a 4-level EPT whose tables, and the guest's, stand in the first
 * window. It has no word for what goes wrong: then it returns false and the full walk begins anew.
 * Nothing of this attempt is kept, so that the answer always comes from entries that were each
 * loaded once.
 */
#include "formats/ept.h"
#include "nested.h"
#include "quick.h"

/* A page of stage 2. */
struct page {
	pw_pa pa;       /* of the byte asked for */
	pw_pa entry_pa; /* of its entry */
	uint64_t entry, offset;
	uint64_t fold; /* R, W and X over all entries, beside other bits */
	unsigned level;
};

/* The eight bytes at pa, if they are in the first window. */
PW_INLINE bool load(const struct pw_space *machine, pw_pa pa, uint64_t *entry)
{
	uint64_t offset = pa - machine->window.base;

	if (PW_UNLIKELY(offset >= machine->window_reach))
		return false;
	*entry = pw_peek(&pw_row_x86_64, (const char *)machine->window.host + offset);
	return true;
}

/*
 * The tables of stage 2 that the last translations of this call went through. Neighbouring
 * addresses share them, and as in a CPU's paging-structure caches an upper entry that was read for
 * one access of a walk serves the others. Forgotten with the call.
 */
struct near {
	pw_pa top, giga; /* bits 47:39 and 47:30 of their addresses */
	pw_pa pointers, directory;
	uint64_t top_fold, fold; /* R, W and X of the entries that lead there, beside other bits */
};

#define NOWHERE                                                                                    \
	{                                                                                          \
		.top = ~(pw_pa)0, .giga = ~(pw_pa)0                                                \
	}

PW_INLINE bool is_page(
	const struct pw_space *s, unsigned level, pw_pa gpa, uint64_t e, struct page *page)
{
	page->level = level;
	page->entry = e;
	page->fold &= e;
	page->offset = PW_LOW(12 + 9 * level);
	page->pa = (e & EPT_ADDRESS & ~page->offset) | (gpa & page->offset);
	return !(e & s->reserved_page[level]) && !(EPT_NO_TYPES >> (e >> 3 & 7) & 1);
}

PW_INLINE bool entry_for(const struct pw_space *s, pw_pa table, unsigned level, pw_pa gpa,
	uint64_t need, struct page *page, uint64_t *e)
{
	page->entry_pa = table + (gpa >> (12 + 9 * level) & 511) * 8;
	return load(s, page->entry_pa, e) && PW_LIKELY((*e & need) == need);
}

/* Finds the page directory; true with page->offset set: there is a 1 GiB page instead. */
PW_INLINE bool upper(
	const struct pw_space *s, pw_pa gpa, uint64_t need, struct near *n, struct page *page)
{
	uint64_t e;

	if (gpa >> 39 != n->top) {
		if (!entry_for(s, s->root, 3, gpa, need, page, &e) || e & s->reserved_table[3])
			return false;
		n->top = gpa >> 39;
		n->top_fold = e;
		n->pointers = e & EPT_ADDRESS;
	}
	if (!entry_for(s, n->pointers, 2, gpa, need, page, &e))
		return false;
	if (e & EPT_PS) {
		page->fold = n->top_fold;
		return is_page(s, 2, gpa, e, page);
	}
	if (e & s->reserved_table[2])
		return false;
	n->giga = gpa >> 30;
	n->fold = n->top_fold & e;
	n->directory = e & EPT_ADDRESS;
	return true;
}

/*
 * One translation by EPT. R is always among what is needed, so that no entry that gets through can
 * be misconfigured for its rights.
 */
PW_INLINE bool second(
	const struct pw_space *s, pw_pa gpa, uint64_t need, struct near *n, struct page *page)
{
	uint64_t e;

	page->offset = 0;
	if (gpa >> 30 != n->giga) {
		if (PW_UNLIKELY(gpa >> 48) || !upper(s, gpa, need, n, page))
			return false;
		if (page->offset)
			return (page->fold & need) == need;
	}
	page->fold = n->fold;
	if (!entry_for(s, n->directory, 1, gpa, need, page, &e))
		return false;
	if (!(e & EPT_PS)) {
		pw_pa table = e & EPT_ADDRESS;

		if (e & s->reserved_table[1])
			return false;
		page->fold &= e;
		if (!entry_for(s, table, 0, gpa, need, page, &e) || !is_page(s, 0, gpa, e, page))
			return false;
	} else if (!is_page(s, 1, gpa, e, page)) {
		return false;
	}
	return (page->fold & need) == need;
}

/* A page of the guest. */
struct found {
	pw_pa gpa, entry_gpa;
	uint64_t entry, offset;
	uint64_t and_fold, or_fold; /* with the page's entry */
	unsigned level, index;
};

PW_INLINE bool first(
	const struct pw_pair *pair, pw_va va, uint64_t need, struct near *n, struct found *found)
{
	const struct pw_space *s = pair->stage1;
	uint64_t tables = 0, e;
	pw_pa table = s->root;
	struct page page;

	found->and_fold = ~(uint64_t)0;
	found->or_fold = 0;
#pragma GCC unroll 4
	for (unsigned level = 4; level-- > 0;) {
		unsigned shift = 12 + 9 * level;

		found->entry_gpa = table + (va >> shift & 511) * 8;
		if (!second(pair->stage2, found->entry_gpa, need, n, &page) ||
			!load(pair->stage2, page.pa, &e) || PW_UNLIKELY(!(e & X86_P)))
			return false;
		found->and_fold &= e;
		found->or_fold |= e;
		if (level == 0 || (level < 3 && e & X86_PS)) {
			found->level = level;
			found->entry = e;
			found->offset = PW_LOW(shift);
			found->gpa = (e & s->quick_address & ~found->offset) | (va & found->offset);
			found->index = pw_quick_index(found->and_fold, found->or_fold);
			return !(tables & s->quick_reserved) && !(e & s->quick_page[level]) &&
			       s->quick_allowed[found->index] >> pair->access & 1;
		}
		tables |= e;
		/* What is no page, and should be none: bit 7 of a PML4E. */
		if (PW_UNLIKELY(level == 3 && e & X86_PS))
			return false;
		table = e & s->quick_address;
	}
	return false;
}

/* Every flag that the access needs is set already: nothing has to be written. */
PW_INLINE bool has_flags(const struct pw_pair *pair, const struct found *found)
{
	if (pair->stage2->stage2 & PW_STAGE2_TABLES_WRITTEN || pair->access & PW_ACCESS_ANY)
		return true;
	return found->and_fold & X86_A &&
	       (!(pair->access & PW_ACCESS_WRITE) || found->entry & X86_D);
}

PW_INLINE void put(
	const struct pw_pair *pair, pw_va va, const struct found *one, const struct page *two)
{
	struct pw_nested_result *r = pair->r;
	uint64_t grant = pair->stage1->quick_grant[one->index];
	uint64_t rwx = two->fold & EPT_RWX, all = rwx * 0x01010101;
	uint64_t both = grant & (all | PW_U),
		 smaller = one->offset < two->offset ? one->offset : two->offset;
	uint64_t flags = PW_RESULT_ENTRY | (two->entry & EPT_A ? PW_RESULT_ACCESSED : 0) |
			 (two->entry & EPT_D ? PW_RESULT_DIRTY : 0);

	r->va = va;
	r->gpa = one->gpa;
	r->pa = two->pa;
	r->page_size = smaller + 1;
	r->status = PW_OK;
	r->stage = 0;
	r->during = PW_DURING_FINAL;
	r->level = -1;
	r->rights = (uint8_t)both;
	r->user = (uint8_t)(both >> 8);
	r->supervisor = (uint8_t)(both >> 16);
	r->implicit = (uint8_t)(both >> 24);
	r->exit = PW_EXIT_NONE;
	r->address_known = false;
	r->code = r->code_known = r->address = 0;
	r->htinst = 0;
	r->stage1.va = va;
	r->stage1.pa = one->gpa;
	r->stage1.page_size = one->offset + 1;
	r->stage1.entry = one->entry;
	r->stage1.entry_pa = one->entry_gpa;
	pw_put_tail(&r->stage1, one->level, pw_quick_key(one->entry),
		grant | pw_look(one->level, one->entry));
	r->stage2.va = one->gpa;
	r->stage2.pa = two->pa;
	r->stage2.page_size = two->offset + 1;
	r->stage2.entry = two->entry;
	r->stage2.entry_pa = two->entry_pa;
	pw_put_tail(&r->stage2, two->level, 0, all | flags << 32 | (two->entry >> 3 & 15) << 40);
}

bool pw_nested_quick(const struct pw_pair *pair, pw_va va)
{
	const struct pw_space *one = pair->stage1, *two = pair->stage2;
	pw_access access = pair->access;
	uint64_t need = two->stage2 & PW_STAGE2_TABLES_WRITTEN ? EPT_R | EPT_W : EPT_R;
	uint64_t last = EPT_R | (access & PW_ACCESS_WRITE ? EPT_W : 0) |
			(access & PW_ACCESS_FETCH ? EPT_X : 0);
	struct near near = NOWHERE;
	struct found found;
	struct page page;

	if (one->format != &pw_format_x86_64 || two->format != &pw_format_ept_4 || access > 63 ||
		!(one->quick_accesses >> access & 1))
		return false;
	if ((pw_va)((int64_t)(va << 16) >> 16) != va)
		return false;
	if (access & PW_ACCESS_ANY)
		need = EPT_R;
	if (!first(pair, va, need, &near, &found) || !has_flags(pair, &found) ||
		!second(two, found.gpa, last, &near, &page))
		return false;
	put(pair, va, &found, &page);
	return true;
}
