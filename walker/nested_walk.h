/* SPDX-License-Identifier: MIT */
/*
 * Private: the two-stage walk of x86-64 over 4-level EPT or NPT whose tables, and the guest's,
 * stand in the first window. It has no word for what goes wrong: then the full walk begins anew.
 * Nothing of this attempt is kept, so that the answer always comes from entries that were each
 * loaded once.
 *
 * As in the single-stage quick path it may go on through entries that refuse, as if they did not:
 * the loads stay in the window, and before an answer is given the folds tell. Made for stage-2
 * pages of 2 MiB and guest tables within one GiB; others take a step aside for each address.
 */
#ifndef PW_PRIVATE_NESTED_WALK_H
#define PW_PRIVATE_NESTED_WALK_H

#include "nested_put.h"

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

/*
 * The whole translation of gpa by stage 2, each entry checked; access is judged by the caller. Out
 * of line.
 */
bool pw_nested_aside(const struct pw_space *s, pw_pa gpa, struct nested_page *page);

/* The window, and what the access needs of stage 2. `base` is the window's. */
PW_INLINE struct under under(const struct pw_space *two, uint64_t base, pw_access access)
{
	struct under u = {.host = two->window.host,
		.base = base,
		.reach = two->window_reach,
		.root = two->root,
		.need = X86_P,
		.ept = two->engine == PW_ENGINE_EPT_4};

	if (!(access & PW_ACCESS_ANY))
		u.need |=
			(two->stage2 & PW_STAGE2_TABLES_WRITTEN ? X86_W : 0) | (u.ept ? 0 : X86_U);
	return u;
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

/* Where in the window an entry of the guest's stands. */
PW_INLINE bool guest_at(struct under *u, const struct pw_space *s, pw_pa gpa, uint64_t *offset)
{
	struct nested_page page;

	if (PW_LIKELY(gpa >> 30 == u->giga)) {
		uint64_t e = peek(u->host, entry_pa(u->directory, 1, gpa));

		if (PW_LIKELY(e & PS)) {
			u->and_pages &= e;
			u->or_pages |= e;
			*offset = in_2m(e, gpa) - u->base;
			return PW_LIKELY(*offset < u->reach);
		}
	}
	if (!pw_nested_aside(s, gpa, &page) || (page.and_fold & u->need) != u->need)
		return false;
	*offset = page.pa - u->base;
	return *offset < u->reach;
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
		if (!pw_nested_aside(s, gpa, &other))
			return false;
		*page = other;
	}
	return !bad;
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

/* The quick path serves this access to this pair. Only x86-64 has quick accesses. */
PW_INLINE bool is_quick_pair(
	const struct pw_space *one, const struct pw_space *two, pw_access access)
{
	return (two->engine == PW_ENGINE_EPT_4 || two->engine == PW_ENGINE_NPT_4) && access < 64 &&
	       one->quick_accesses >> access & 1;
}

PW_INLINE bool is_canonical(pw_va va)
{
	return (pw_va)((int64_t)(va << 16) >> 16) == va;
}

/* The final access: who makes it does not matter, GMET and mode-based execute being left out. */
PW_INLINE pw_access by_nobody(pw_access access)
{
	return access & ~(PW_ACCESS_USER | PW_ACCESS_IMPLICIT);
}

#endif
