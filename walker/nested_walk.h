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

/* Memory types that are none, by bits 8:3 of an entry: so it is a test of one bit of 64. */
#define EPT_NO_TYPES_64 (EPT_NO_TYPES * UINT64_C(0x0101010101010101))

/* Write back is 6: the types' upper two bits are set, and the lowest is not. */
#define TYPE_SET   PW_BITS(4, 5)
#define TYPE_CLEAR PW_BIT(3)

/* What the addresses of a call share. */
struct under {
	const void *host; /* the window */
	uint64_t base, reach;
	bool ept;
	uint64_t need;  /* what the access to a guest's table needs in every entry of stage 2, */
	uint64_t want;  /* of a page of 2 MiB with guest tables what `check` has, */
	uint64_t check; /* and the bits of it that matter */
	/*
	 * The tables of stage 2 that lead to the guest's root. Neighbouring addresses share them,
	 * and as in a CPU's paging-structure caches an upper entry that was read for one access of
	 * a walk serves the others. Forgotten with the call.
	 */
	uint64_t top_entry, giga_entry;
	/*
	 * Where they stand in the window, which holds them whole, and what their first entries are
	 * for: the number of a page of 1 GiB and of 2 MiB. NOTHING: there is no such table.
	 */
	const void *pointers, *directory;
	uint64_t first_1g, first_2m;
	/* Where the entries of pages of 2 MiB with guest tables are not as `want`. */
	uint64_t pages;
};

#define NOTHING PW_BIT(63)

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
 * The whole translation of gpa by stage 2, each entry checked and having all bits of `need`. The
 * rights are judged by the caller. Out of line.
 */
bool pw_nested_aside(const struct pw_space *s, pw_pa gpa, uint64_t need, struct nested_page *page);

/* The window, and what the access needs of stage 2. `base` is the window's. */
PW_INLINE struct under under(const struct pw_space *two, bool ept, uint64_t base, pw_access access)
{
	struct under u = {.host = two->window.host,
		.base = base,
		.reach = two->window_reach,
		.ept = ept,
		.need = X86_P};

	if (!(access & PW_ACCESS_ANY))
		u.need |= (two->stage2 & PW_STAGE2_TABLES_WRITTEN ? X86_W : 0) | (ept ? 0 : X86_U);
	u.want = u.need | (ept ? TYPE_SET : 0);
	u.check = u.want | two->reserved_page[1] | (ept ? TYPE_CLEAR : 0);
	return u;
}

/* The table that an entry leads to, if the window holds all of it. */
PW_INLINE bool find_table(const struct under *u, uint64_t entry, const void **table)
{
	uint64_t offset = (entry & EPT_ADDRESS) - u->base;

	if (PW_UNLIKELY(offset >= u->reach - 511 * 8))
		return false;
	*table = (const char *)u->host + offset;
	return true;
}

/* The tables that lead to gpa, which is in the guest's root. */
PW_INLINE bool find_tables(struct under *u, const struct pw_space *two, pw_pa gpa)
{
	u->pages = 0;
	u->first_2m = NOTHING;
	if (PW_UNLIKELY(gpa >> 48))
		return false;
	u->top_entry = peek(two->quick_root, entry_pa(0, 3, gpa));
	if (PW_UNLIKELY(!find_table(u, u->top_entry, &u->pointers)))
		return false;
	u->first_1g = gpa >> 39 << 9;
	u->giga_entry = peek(u->pointers, entry_pa(0, 2, gpa));
	if (PW_LIKELY(!(u->giga_entry & PS)) &&
		PW_LIKELY(find_table(u, u->giga_entry, &u->directory)))
		u->first_2m = gpa >> 30 << 9;
	else
		u->giga_entry = u->need; /* it is not used, and so not to blame */
	return true;
}

/* Where in the window an entry of the guest's stands. */
PW_INLINE bool guest_at(struct under *u, const struct pw_space *s, pw_pa gpa, uint64_t *offset)
{
	uint64_t index = (gpa >> 21) - u->first_2m;
	struct nested_page page;

	if (PW_LIKELY(index < 512)) {
		uint64_t e = peek(u->directory, index * 8);

		if (PW_LIKELY(e & PS)) {
			u->pages |= e ^ u->want;
			*offset = in_2m(e, gpa) - u->base;
			if (PW_UNLIKELY(*offset >= u->reach))
				return false;
			return true;
		}
	}
	if (!pw_nested_aside(s, gpa, u->need, &page))
		return false;
	*offset = page.pa - u->base;
	return *offset < u->reach;
}

/* Every page of 2 MiB with guest tables, and the entries that lead there, let them be read. */
PW_INLINE bool tables_are_good(const struct under *u, const struct pw_space *s)
{
	return !((u->pages & u->check) | (~(u->top_entry & u->giga_entry) & u->need) |
		 ((u->top_entry | u->giga_entry) & s->quick_reserved));
}

/*
 * The final address, in a page of 2 MiB under the same PML4E as the guest's root, which is known to
 * be good; false: it is not, or there is no such memory type. Whatever waits for the guest's page
 * is in the way of the next walks' loads: so it is kept short, and *bad gathers what there is to
 * refuse.
 */
PW_INLINE bool second_2m(const struct under *u, const struct pw_space *s, pw_pa gpa,
	struct nested_page *page, uint64_t *bad)
{
	uint64_t index = (gpa >> 30) - u->first_1g, upper, e, offset;

	if (PW_UNLIKELY(index >= 512))
		return false;
	upper = peek(u->pointers, index * 8);
	page->entry_pa = entry_pa(upper & EPT_ADDRESS, 1, gpa);
	offset = page->entry_pa - u->base;
	if (PW_UNLIKELY(upper & PS) || PW_UNLIKELY(offset >= u->reach))
		return false;
	e = peek(u->host, offset);
	if (PW_UNLIKELY(!(e & PS)))
		return false;
	page->entry = e;
	page->level = 1;
	page->offset = PW_LOW(21);
	page->pa = in_2m(e, gpa);
	page->index = pw_quick_index(u->top_entry & upper & e,
		u->ept ? 0 : u->top_entry | upper | e); /* there is no XD in EPT */
	*bad |= (upper & s->quick_reserved) | (e & s->reserved_page[1]);
	return !(u->ept && PW_UNLIKELY(EPT_NO_TYPES_64 >> (e >> 3 & 63) & 1));
}

/* As pw_quick_need(), by a load; ANY needs some right. */
#define NEEDS_8(shift)                                                                             \
	0, 1u << (shift), 2u << (shift), 3u << (shift), 4u << (shift), 5u << (shift),              \
		6u << (shift), 7u << (shift)
#define NEEDS_ANY PW_R, PW_R, PW_R, PW_R, PW_R, PW_R, PW_R, PW_R
static const uint32_t needs[64] = {NEEDS_8(16), NEEDS_ANY, NEEDS_8(8), NEEDS_ANY, NEEDS_8(24),
	NEEDS_ANY, NEEDS_8(24), NEEDS_ANY};
_Static_assert(PW_ACCESS_ANY == 8 && PW_ACCESS_USER == 16 && PW_ACCESS_IMPLICIT == 32,
	"as the table has it");

/* What the access needs of the guest's pages, and of the rights of both stages. */
struct need {
	uint64_t flags; /* Accessed and Dirty, unless stage 2 has been asked to write them */
	uint32_t grant; /* never 0: what is not present grants nothing */
};

PW_INLINE struct need needed(const struct pw_space *two, pw_access access)
{
	struct need need = {.flags = 0, .grant = needs[access]};

	if (PW_UNLIKELY(!(two->stage2 & PW_STAGE2_TABLES_WRITTEN) && !(access & PW_ACCESS_ANY)))
		need.flags = X86_A | (access & PW_ACCESS_WRITE ? X86_D : 0);
	return need;
}

/*
 * The index of the guest's page's rights. What is made of the tables' entries is ready when the
 * page's comes.
 */
PW_INLINE uint64_t guest_index(uint64_t tables_and, uint64_t tables_or, uint64_t entry)
{
	uint64_t keep = (tables_and << 1 & 14) | 1;

	return ((entry << 1 | entry >> 63) & keep) | tables_or >> 63;
}

/* What there is to refuse in the guest's page, `tables` being folded over the entries above it. */
PW_INLINE uint64_t guest_refuses(const struct pw_space *one, const struct need *need,
	uint64_t tables_and, uint64_t tables_or, const struct nested_page *page)
{
	return (~tables_and & need->flags & X86_A) | (tables_or & one->quick_reserved) |
	       ((page->entry ^ need->flags) & (one->quick_page[page->level] | need->flags));
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

#endif
