/* SPDX-License-Identifier: MIT */
/* Setting and clearing: what becomes of every page, and what stays as it is. */
#include "build_fixture.h"
#include "page_attributes.h"
#include <stdlib.h>

#define PAGE (4 * KIB)
#define RW   (PW_R | PW_W)
#define RWX  (RW | PW_X)

/* ---- Every change of every page ---- */

/* Accessed and software bits, where the manuals have them. */
static uint64_t other_bits(const struct pw_format *format)
{
	uint64_t software = page_software_mask(format);

	return software ^ (software & (~software + 1));
}

static void same_but_rights(
	const struct fixture *f, const struct slow_result *old, const struct slow_result *now)
{
	uint64_t size = old->page_size;

	cr_assert(now->status == SLOW_MAPPED && now->pa == old->pa && now->page_size == size &&
			  now->level == old->level && now->accessed == old->accessed &&
			  now->global == old->global,
		"%s: %#llx became %#llx", f->format->name, (unsigned long long)old->entry,
		(unsigned long long)now->entry);
	cr_assert(page_type(f->format, size, now->entry) == page_type(f->format, size, old->entry));
	cr_assert(page_software(f->format, now->entry) == page_software(f->format, old->entry));
}

static void try_change(
	struct fixture *f, pw_va va, uint64_t size, pw_rights rights, unsigned change)
{
	pw_rights set = change & 15, clear = change >> 4, wanted = (rights & ~clear) | set;
	struct slow_result old = fixture_look(f, va), now;
	enum pw_status status = pw_modify(&f->space, va, size, set, clear, &f->flush);
	bool can = f->format->encode[wanted] != PW_CANNOT || wanted == rights;

	now = fixture_look(f, va);
	/* It may be seen before any page is looked at that no page can be so. */
	cr_assert(status == (can ? PW_OK : PW_E_RIGHTS) ||
			  (wanted == rights && status == PW_E_RIGHTS),
		"%s: %#x, set %#x, clear %#x: %s", f->format->name, rights, set, clear,
		pw_status_name(status));
	if (status == PW_OK) {
		fixture_expect(f, va, va, size, wanted);
		same_but_rights(f, &old, &now);
		if (wanted == rights)
			cr_assert(now.entry == old.entry && f->flush.range_count == 0);
		else
			cr_assert(f->flush.range_count == 1 && f->flush.ranges[0].first == va);
	} else {
		cr_assert(now.entry == old.entry && f->flush.range_count == 0);
	}
	fixture_set_entry(f, va, old.entry);
	pw_flush_done(&f->space, &f->flush);
}

static void every_change(const struct pw_format *format, unsigned level)
{
	static struct fixture f;
	uint64_t size = pw_level_page_size(&format->level[level]);
	unsigned type = page_has_type(format, 1) ? 1 : page_ordinary_type(format);

	if (!format->level[level].page.size_log2)
		return;
	fixture_begin(&f, format, true);
	for (pw_rights rights = 0; rights < 16; rights++) {
		if (format->encode[rights] == PW_CANNOT)
			continue;
		cr_assert(pw_map(&f.space, size, size, size,
				  rights | (format == &pw_format_armv7_short ? 0
									     : PW_MEM_INDEX(type)),
				  NULL) == PW_OK);
		fixture_set_entry(&f, size, fixture_entry(&f, size) | other_bits(format));
		for (unsigned change = 0; change < 256; change++)
			try_change(&f, size, size, rights, change);
		cr_assert(pw_unmap(&f.space, size, size, NULL) == PW_OK);
	}
	fixture_end(&f);
}

Test(build_modify, every_change_of_rights)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		for (unsigned level = 0; level < format->levels; level++)
			every_change(format, level);
	}
}

/* ---- Attributes beside the rights ---- */

Test(build_modify, types_and_ipat)
{
	static struct fixture f;
	static const struct {
		pw_rights set, clear;
		unsigned before, after;
	} rows[] = {{PW_MEM_UC, 0, 6, 0}, {PW_MEM_UC, 0, 14, 8}, {PW_MEM_UC, PW_IPAT, 14, 0},
		{PW_MEM_WC | PW_IPAT, 0, 6, 9}, {PW_IPAT, 0, 5, 13}, {0, PW_IPAT, 13, 5},
		{PW_MEM_INDEX(4), 0, 14, 4}, {PW_MEM_INDEX(12), 0, 6, 12},
		{PW_IPAT, PW_IPAT, 6, 14}, {PW_R, 0, 9, 9}, {0, PW_IPAT, 6, 6}};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_begin(&f, &pw_format_ept_4, i & 1);
		cr_assert(pw_map(&f.space, 0, 0, 4 * MIB, RWX | PW_MEM_INDEX(rows[i].before),
				  NULL) == PW_OK);
		cr_assert(pw_modify(&f.space, MIB, 2 * MIB, rows[i].set, rows[i].clear, NULL) ==
			  PW_OK);
		for (pw_va va = 0; va < 4 * MIB; va += PAGE) {
			struct slow_result r = fixture_look(&f, va);
			bool inside = va >= MIB && va < 3 * MIB;

			cr_assert(page_type(f.format, r.page_size, r.entry) ==
				  (inside ? rows[i].after : rows[i].before));
		}
		cr_assert(f.tm.tables_out == (rows[i].before == rows[i].after ? 3 : 5));
		fixture_end(&f);
	}
}

Test(build_modify, global_pages)
{
	static struct fixture f;
	static const struct pw_format *const formats[] = {
		&pw_format_x86_64, &pw_format_arm64_4k, &pw_format_riscv_sv39};

	for (unsigned i = 0; i < 3; i++) {
		fixture_begin(&f, formats[i], true);
		cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, NULL) == PW_OK);
		cr_assert(pw_modify(&f.space, PAGE, PAGE, PW_GLOBAL, PW_W, NULL) == PW_OK);
		cr_assert(fixture_look(&f, PAGE).global && !fixture_look(&f, 0).global);
		fixture_expect(&f, PAGE, PAGE, PAGE, PW_R);
		cr_assert(pw_modify(&f.space, 0, 2 * MIB, PW_W, PW_GLOBAL, NULL) == PW_OK);
		cr_assert(!fixture_look(&f, PAGE).global);
		cr_assert(pw_collapse(&f.space, 0, 2 * MIB, 1, NULL, NULL) == PW_OK);
		fixture_expect(&f, 0, 0, 2 * MIB, RW);
		fixture_end(&f);
	}
	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_modify(&f.space, 0, PAGE, PW_GLOBAL, 0, NULL) == PW_E_RIGHTS);
	cr_assert(pw_modify(&f.space, 0, PAGE, 0, PW_GLOBAL, NULL) == PW_OK);
	fixture_end(&f);
}

/* No TLB holds them: there is nothing to flush but what a split asks for. */
Test(build_modify, software_bits)
{
	static struct fixture f;
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		uint64_t page = format->levels ? pw_level_page_size(&format->level[0]) : 0, value;
		pw_rights rights = format->encode[RWX] != PW_CANNOT ? RWX : RWX | PW_U;

		value = page_software(format, UINT64_MAX);
		if (!value)
			continue;
		fixture_begin(&f, format, true);
		cr_assert(pw_map(&f.space, page, page, 2 * page, rights | PW_SOFTWARE(1), NULL) ==
			  PW_OK);
		cr_assert(pw_modify(&f.space, page, 2 * page, PW_SOFTWARE(value), 0, &f.flush) ==
			  PW_OK);
		cr_assert(page_software(format, fixture_entry(&f, page)) == value);
		cr_assert(pw_modify(&f.space, page, page, PW_SOFTWARE(2), PW_SOFTWARE_MASK,
				  &f.flush) == PW_OK);
		cr_assert(page_software(format, fixture_entry(&f, page)) == 2);
		cr_assert(page_software(format, fixture_entry(&f, 2 * page)) == value);
		cr_assert(f.flush.range_count == 0 && !f.flush.everything &&
			  f.flush.entries_written == 3);
		fixture_expect(&f, page, page, page, rights);
		cr_assert(pw_modify(&f.space, page, page, PW_SOFTWARE(value + 1), 0, NULL) ==
			  PW_E_RIGHTS);
		fixture_end(&f);
	}
	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, NULL) == PW_OK);
	cr_assert(pw_modify(&f.space, 0, PAGE, PW_SOFTWARE(3), 0, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 1 && f.flush.ranges[0].tables);
	fixture_end(&f);
}

/* ---- Refusals ---- */

Test(build_modify, all_or_nothing)
{
	static struct fixture f;
	uint8_t *copy;

	for (unsigned i = 0; i < 2; i++) {
		fixture_begin(&f, &pw_format_ept_4, i);
		cr_assert(pw_map(&f.space, 0, 0, 4 * MIB + 8 * PAGE, RW, NULL) == PW_OK);
		cr_assert(pw_protect(&f.space, 4 * MIB, PAGE, PW_X, NULL) == PW_OK);
		copy = test_memory_copy(&f.tm);
		/* The last but few pages execute only: they cannot be written. */
		cr_assert(pw_modify(&f.space, PAGE, 4 * MIB + 7 * PAGE, PW_W, 0, &f.flush) ==
			  PW_E_RIGHTS);
		cr_assert(pw_modify(&f.space, PAGE, 4 * MIB + 7 * PAGE, 0, PW_R, &f.flush) ==
			  PW_E_RIGHTS);
		cr_assert(pw_modify(&f.space, 0, PAGE, PW_U, 0, NULL) == PW_E_RIGHTS);
		cr_assert(pw_modify(&f.space, 0, PAGE, PW_W, PW_R, NULL) == PW_E_RIGHTS);
		cr_assert(pw_modify(&f.space, 0, PAGE, PW_MEM_INDEX(7), 0, NULL) == PW_E_RIGHTS);
		cr_assert(pw_modify(&f.space, 0, PAGE, 0, PW_MEM_WB, NULL) == PW_E_ARGUMENT);
		cr_assert(
			pw_modify(&f.space, 0, PAGE, (pw_rights)1 << 11, 0, NULL) == PW_E_ARGUMENT);
		cr_assert(pw_modify(&f.space, 0, PAGE - 1, PW_X, 0, NULL) == PW_E_ALIGNMENT);
		cr_assert(pw_modify(NULL, 0, PAGE, PW_X, 0, NULL) == PW_E_ARGUMENT);
		f.tm.fail_at = f.tm.allocations + 1;
		cr_assert(pw_modify(&f.space, PAGE, 4 * MIB - 2 * PAGE, PW_X, 0, &f.flush) ==
			  PW_E_NO_TABLES);
		f.tm.fail_at = -1;
		cr_assert(test_memory_equals(&f.tm, copy) && f.flush.range_count == 0);
		cr_assert(
			pw_modify(&f.space, PAGE, 4 * MIB + 7 * PAGE, PW_X, 0, &f.flush) == PW_OK);
		fixture_expect(&f, 0, 0, PAGE, RW);
		fixture_expect(&f, 4 * MIB, 4 * MIB, PAGE, PW_X);
		fixture_expect(&f, 3 * MIB, 3 * MIB, 2 * MIB, RWX);
		free(copy);
		fixture_end(&f);
	}
}

/* A table that denies what is set is widened inside the range, and else in the way. */
Test(build_modify, denied_above)
{
	static struct fixture f;
	pw_pa pde;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0, 8 * PAGE, RWX | PW_U, NULL) == PW_OK);
	pde = fixture_place(&f, 0, 1);
	test_memory_store(
		&f.tm, pde, 8, (test_memory_load(&f.tm, pde, 8) & ~(PTE_W | PTE_U)) | PTE_XD);
	/* Not asked for: it stays denied, and the pages' own bits stay. */
	cr_assert(pw_modify(&f.space, 0, PAGE, 0, PW_X, NULL) == PW_OK);
	cr_assert((fixture_entry(&f, 0) & (PTE_W | PTE_U | PTE_XD)) == (PTE_W | PTE_U | PTE_XD));
	cr_assert(pw_modify(&f.space, 0, PAGE, PW_W, 0, NULL) == PW_E_RIGHTS);
	cr_assert(pw_modify(&f.space, 0, PAGE, PW_X, 0, NULL) == PW_E_RIGHTS);
	cr_assert(pw_modify(&f.space, 0, 2 * MIB, PW_W, 0, &f.flush) == PW_OK);
	fixture_expect(&f, PAGE, PAGE, PAGE, RW);
	cr_assert((test_memory_load(&f.tm, pde, 8) & (PTE_W | PTE_U | PTE_XD)) == (PTE_W | PTE_XD));
	cr_assert(f.flush.range_count == 1 && f.flush.ranges[0].tables);
	cr_assert(pw_modify(&f.space, 0, 2 * MIB, PW_X | PW_U, PW_W, NULL) == PW_OK);
	fixture_expect(&f, PAGE, PAGE, PAGE, PW_R | PW_X | PW_U);
	fixture_end(&f);
}

/* ---- Pages that do not change alike ---- */

/* On AArch64 the user's X and the kernel's are two bits; what is taken is taken from both. */
static void mixed(bool windows, bool live)
{
	static struct fixture f;
	static const pw_rights mix[] = {
		RW, RWX, PW_R | PW_X, PW_R | PW_U, RW | PW_U, PW_R | PW_X | PW_U, PW_X | PW_U};
	static const pw_rights set[] = {PW_X, 0, PW_U, 0, PW_R}, clear[] = {0, PW_X, 0, PW_W, 0};

	for (unsigned op = 0; op < 5; op++) {
		fixture_begin(&f, &pw_format_arm64_4k, windows);
		f.flush.live = live;
		for (unsigned n = 0; n < 500; n++) {
			pw_rights was = n % 9 < 7 ? mix[n % 9] : 0;

			if (was && f.format->encode[(was & ~clear[op]) | set[op]] != PW_CANNOT)
				cr_assert(pw_map(&f.space, n * PAGE, n * PAGE, PAGE, was, NULL) ==
					  PW_OK);
		}
		cr_assert(pw_modify(&f.space, PAGE, 498 * PAGE, set[op], clear[op], &f.flush) ==
				  PW_OK,
			"operation %u", op);
		for (unsigned n = 0; n < 500; n++) {
			struct slow_result r = fixture_look(&f, n * PAGE);
			bool inside = n >= 1 && n < 499;
			pw_rights was = n % 9 < 7 ? mix[n % 9] : 0;

			if (r.status == SLOW_NOT_PRESENT)
				continue;
			fixture_expect(&f, n * PAGE, n * PAGE, PAGE,
				inside ? (was & ~clear[op]) | set[op] : was);
			cr_assert(!(inside && clear[op] & PW_X && r.supervisor.execute));
		}
		fixture_end(&f);
	}
}

Test(build_modify, pages_of_all_kinds_in_one_table)
{
	mixed(true, false);
	mixed(false, false);
	mixed(true, true);
	mixed(false, true);
}

/* AP[2] = 1 with DBM: the hardware may let it be written. Who takes W away takes that too. */
Test(build_modify, the_right_to_write_goes_with_its_mark)
{
	static struct fixture f;
	const uint64_t dbm = UINT64_C(1) << 51, ap2 = 1 << 7;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, RW, NULL) == PW_OK);
	fixture_set_entry(&f, 0, fixture_entry(&f, 0) | dbm | ap2);
	cr_assert(pw_modify(&f.space, 0, PAGE, PW_X, 0, NULL) == PW_OK);
	cr_assert((fixture_entry(&f, 0) & (dbm | ap2)) == (dbm | ap2));
	cr_assert(pw_modify(&f.space, 0, PAGE, 0, PW_W, NULL) == PW_OK);
	cr_assert((fixture_entry(&f, 0) & (dbm | ap2)) == ap2);
	fixture_end(&f);
	fixture_begin(&f, &pw_format_arm64_s2_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, PW_R, NULL) == PW_OK);
	fixture_set_entry(&f, 0, fixture_entry(&f, 0) | dbm);
	cr_assert(pw_modify(&f.space, 0, PAGE, 0, PW_W, NULL) == PW_OK);
	cr_assert(!(fixture_entry(&f, 0) & dbm));
	fixture_end(&f);
}
