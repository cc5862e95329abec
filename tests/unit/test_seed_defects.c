/* SPDX-License-Identifier: MIT */
/*
 * The crate that this library follows had sixteen defects, S1 to S16. One test each, for those that
 * a walk, a copy or a format can show; it would fail on the crate's behaviour.
 */
#include "ram.h"
#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x400000)

struct machine {
	struct ram ram;
	const struct pw_format *format;
	struct pw_space space;
	pw_pa root;
	unsigned calls, holes, pages, tables;
	uint64_t clear;
};

static void begin_at(struct machine *m, const struct pw_format *format, uint64_t base)
{
	*m = (struct machine){.format = format};
	ram_begin(&m->ram, base, UINT64_C(1) << 20);
	m->root = ram_new_table(&m->ram, pw_table_bytes(format, format->levels - 1u));
	cr_assert(pw_space_init(&m->space, format, m->root, &m->ram.callbacks) == PW_OK);
}

static void begin(struct machine *m, const struct pw_format *format)
{
	begin_at(m, format, BASE);
}

static pw_pa enter(struct machine *m, pw_va va, unsigned level, uint64_t entry)
{
	return ram_enter(&m->ram, m->format, m->root, va, level, entry);
}

static struct pw_result look(struct machine *m, pw_va va)
{
	struct pw_result hit;

	(void)!pw_translate(&m->space, va, PW_ACCESS_ANY, &hit);
	return hit;
}

static int count(void *ctx, const struct pw_visit *visit)
{
	struct machine *m = ctx;

	m->calls++;
	m->holes += visit->kind == PW_HOLE;
	m->pages += visit->kind == PW_PAGE;
	m->tables += visit->kind == PW_TABLE;
	return 0;
}

static void walk(struct machine *m, pw_va first, pw_va last)
{
	struct pw_walker walker = {.handle_pte = count, .handle_pte_hole = count, .ctx = m};

	m->calls = m->holes = m->pages = m->tables = 0;
	cr_assert(pw_walk(&m->space, first, last, &walker) == PW_OK);
}

static int clear_bits(void *ctx, struct pw_visit *visit)
{
	struct machine *m = ctx;

	if (visit->level == 0)
		visit->entry &= ~m->clear;
	return 0;
}

/* protect_range(first page, clear W) made the tables point at themselves. */
Test(seed, S01_walk_mut_writes_an_entry_where_it_was_read)
{
	struct pw_walker_mut walker = {.handle_pte = clear_bits};
	struct machine m;
	uint64_t upper[3];

	begin(&m, &pw_format_x86_64);
	enter(&m, 0, 0, 0x5000 | PTE_PW);
	for (unsigned i = 0; i < 3; i++)
		upper[i] = ram_load(&m.ram, BASE + i * 0x1000, 8);
	m.clear = PTE_W;
	walker.ctx = &m;
	cr_assert(pw_walk_mut(&m.space, 0, 0xfff, &walker) == PW_OK);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(ram_load(&m.ram, BASE + i * 0x1000, 8), upper[i]);
	cr_assert_eq(ram_load(&m.ram, BASE + 0x3000, 8), 0x5000 | PTE_P);
	cr_assert_eq(look(&m, 0).pa, 0x5000u, "va 0 does not map its own table");
	ram_end(&m.ram);
}

/* An empty root answered with what stood at physical 0; one GiB of it was 262,658 calls. */
Test(seed, S02_a_hole_is_not_descended_into)
{
	struct machine m;

	begin_at(&m, &pw_format_x86_64, 0);
	cr_assert(pw_space_init(&m.space, m.format, 0x1000, &m.ram.callbacks) == PW_OK);
	ram_store(&m.ram, 0, 8, 0xdead0001);
	cr_assert_eq(look(&m, 0).status, PW_NOT_PRESENT);
	cr_assert_eq(look(&m, 0).level, 3);
	walk(&m, 0, 0x3fffffff);
	cr_assert_eq(m.calls, 1u);
	m.ram.reads = 0;
	walk(&m, 0, UINT64_C(0x7fffffffffff));
	cr_assert_eq(m.calls, 256u);
	cr_assert_eq(m.ram.reads, 256u);
	ram_end(&m.ram);
}

Test(seed, S03_an_unmapped_range_writes_nothing)
{
	struct pw_walker_mut walker = {.handle_pte = clear_bits, .handle_post_pte = clear_bits};
	struct machine m;

	begin_at(&m, &pw_format_x86_64, 0);
	cr_assert(pw_space_init(&m.space, m.format, 0x1000, &m.ram.callbacks) == PW_OK);
	ram_store(&m.ram, 0, 8, 0x1234);
	m.clear = UINT64_MAX;
	walker.ctx = &m;
	cr_assert(pw_walk_mut(&m.space, 0, 0x5fff, &walker) == PW_OK);
	cr_assert_eq(m.ram.writes, 0u);
	cr_assert_eq(ram_load(&m.ram, 0, 8), 0x1234u);
	ram_end(&m.ram);
}

static int one_page(void *ctx, const struct pw_visit *visit)
{
	struct machine *m = ctx;

	if (visit->level == 0) {
		m->pages++;
		cr_assert(visit->first == 0 && visit->last == 0xfff);
	}
	return 0;
}

Test(seed, S04_range_end_is_exact)
{
	struct machine m;
	struct pw_walker walker = {.handle_pte = one_page, .ctx = &m};
	char byte = 'x';

	begin(&m, &pw_format_x86_64);
	enter(&m, 0, 0, BASE | 0x80000 | PTE_PW);
	enter(&m, 0x1000, 0, BASE | 0x90000 | PTE_PW);
	cr_assert(pw_walk(&m.space, 0, 0xfff, &walker) == PW_OK);
	cr_assert_eq(m.pages, 1u);
	cr_assert_eq(look(&m, 0xfff).entry, BASE | 0x80000 | PTE_PW);
	cr_assert(pw_write(&m.space, 0xfff, &byte, 1) == PW_OK);
	cr_assert_eq(ram_load(&m.ram, BASE + 0x90000, 4), 0u);
	ram_end(&m.ram);
}

/* 16 bytes at 0xff8 came from two physically adjacent pages; a write went into a stranger's. */
Test(seed, S05_copies_follow_the_page_after_an_offset)
{
	struct machine m;
	char text[16];

	begin(&m, &pw_format_x86_64);
	enter(&m, 0, 0, BASE | 0x80000 | PTE_PW);
	enter(&m, 0x1000, 0, BASE | 0x90000 | PTE_PW);
	memcpy(m.ram.bytes + 0x80ff8, "one page", 8);
	memcpy(m.ram.bytes + 0x90000, ", other!", 8);
	memcpy(m.ram.bytes + 0x81000, "stranger", 8);
	cr_assert(pw_read(&m.space, 0xff8, text, 16) == PW_OK);
	cr_assert_arr_eq(text, "one page, other!", 16);
	cr_assert(pw_write(&m.space, 0x1ff8, text, 16) == PW_NOT_PRESENT);
	cr_assert(pw_write(&m.space, 0xff8, "xxxxxxxxxxxxxxxx", 16) == PW_OK);
	cr_assert_arr_eq(m.ram.bytes + 0x81000, "stranger", 8);
	cr_assert(pw_read(&m.space, 0x1ff8, text, 8) == PW_OK, "up to a page's end");
	ram_end(&m.ram);
}

Test(seed, S06_pat_and_pse36_in_large_pages)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x200000, 1, 0x600000 | PTE_P | PTE_PS | PTE_PAT);
	enter(&m, 0x40000000, 2, 0x80000000 | PTE_P | PTE_PS | PTE_PAT);
	cr_assert_eq(look(&m, 0x200123).pa, 0x600123u);
	cr_assert_eq(look(&m, 0x40000123).pa, 0x80000123u);
	cr_assert_eq(look(&m, 0x200123).memory_type, 4u);
	ram_end(&m.ram);
	begin(&m, &pw_format_x86_32);
	enter(&m, 0x400000, 1, 0x00c00000 | 0x1fe000 | PTE_P | PTE_PS);
	cr_assert_eq(look(&m, 0x400123).pa, UINT64_C(0xff00c00123));
	ram_end(&m.ram);
}

Test(seed, S07_non_canonical_addresses_and_the_top)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	enter(&m, UINT64_MAX, 0, 0x6000 | PTE_P);
	cr_assert_eq(look(&m, UINT64_C(0x1000000001000)).status, PW_NON_CANONICAL);
	cr_assert_eq(look(&m, UINT64_C(0xfffffffff000)).status, PW_NON_CANONICAL);
	cr_assert_eq(look(&m, UINT64_MAX).pa, 0x6fffu);
	walk(&m, UINT64_MAX - 0xfff, UINT64_MAX);
	cr_assert_eq(m.pages, 1u);
	cr_assert_eq(m.holes, 0u);
	ram_end(&m.ram);
}

Test(seed, S08_narrow_formats_are_not_sign_extended)
{
	static const char *const narrow[] = {
		"x86-32", "x86-pae", "armv7-short", "armv7-lpae", "riscv-sv32"};
	struct machine m;

	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(pw_format_extend(pw_format_find(narrow[i]), 0x80000000), 0x80000000u,
			"%s", narrow[i]);
	cr_assert_eq(sizeof(pw_va), 8u, "on every host");
	begin(&m, &pw_format_x86_pae);
	enter(&m, 0xfffff000, 0, 0x5000 | PTE_PW);
	cr_assert_eq(look(&m, 0xfffff123).pa, 0x5123u);
	/* Entries are little-endian, whatever the host is. */
	m.ram.bytes[ram_enter(&m.ram, m.format, m.root, 0xffffe000, 0, 0) - BASE] = 0x03;
	m.ram.bytes[ram_enter(&m.ram, m.format, m.root, 0xfffff000, 0, PTE_P) - BASE + 2] = 0x12;
	cr_assert(pw_space_init(&m.space, m.format, m.root, &m.ram.windows) == PW_OK);
	cr_assert_eq(look(&m, 0xffffe000).entry, 3u);
	cr_assert_eq(look(&m, 0xfffff000).pa, 0x120000u);
	ram_end(&m.ram);
}

Test(seed, S09_arm64_granules)
{
	static const struct {
		const struct pw_format *format;
		unsigned level, shift;
	} rows[] = {
		{&pw_format_arm64_4k, 0, 12},
		{&pw_format_arm64_4k, 1, 21},
		{&pw_format_arm64_4k, 2, 30},
		{&pw_format_arm64_16k, 0, 14},
		{&pw_format_arm64_16k, 1, 25},
		{&pw_format_arm64_64k, 0, 16},
		{&pw_format_arm64_64k, 1, 29},
	};
	struct machine m;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t size = UINT64_C(1) << rows[i].shift;
		uint64_t type = rows[i].level ? 1 : 3;
		const pw_va va = UINT64_C(0x800000000000) + 3 * size;
		struct pw_result hit;

		cr_assert_eq(rows[i].format->va_bits, 48);
		begin(&m, rows[i].format);
		enter(&m, va, rows[i].level, 5 * size | 0x400 | type);
		hit = look(&m, va + size - 1);
		cr_expect_eq(hit.status, PW_OK, "row %u", i);
		cr_expect_eq(hit.pa, 6 * size - 1, "row %u", i);
		cr_expect_eq(hit.page_size, size, "row %u", i);
		ram_end(&m.ram);
	}
}

Test(seed, S10_armv7_short_descriptors)
{
	const pw_va va = 0x12300000;
	struct machine m;

	begin(&m, &pw_format_armv7_short);
	/* A coarse table on a 1 KiB boundary: a small page, a large page. */
	enter(&m, va, 1, (BASE + 0x8400) | 1);
	ram_store(&m.ram, BASE + 0x8400 + 4 * 0x45, 4, 0x77000 | 0x12);
	for (unsigned i = 0; i < 16; i++)
		ram_store(&m.ram, BASE + 0x8400 + 4 * (0x60 + i), 4, 0x880000 | 0x11);
	enter(&m, va + 0x100000, 1, 0x55500000 | 0x402); /* section */
	for (unsigned i = 0; i < 16; i++)                /* supersection, PA[39:32] */
		enter(&m, 0x20000000 + (i << 20), 1, 0x99500000 | 1u << 18 | 3u << 5 | 0x402);
	cr_assert_eq(m.format->entry_bytes, 4);
	cr_assert_eq(look(&m, va + 0x45123).pa, 0x77123u);
	cr_assert_eq(look(&m, va + 0x6f123).pa, 0x88f123u);
	cr_assert_eq(look(&m, va + 0x6f123).page_size, 0x10000u);
	cr_assert_eq(look(&m, va + 0x123456).pa, 0x55523456u);
	cr_assert_eq(look(&m, 0x20f12345).pa, UINT64_C(0x3599f12345));
	cr_assert_eq(look(&m, 0x20f12345).page_size, 0x1000000u);
	cr_assert_eq(look(&m, va + 0x46000).status, PW_NOT_PRESENT);
	ram_end(&m.ram);
}

Test(seed, S11_pae_pdptes_have_no_rights)
{
	struct machine m;
	struct pw_result hit;

	begin(&m, &pw_format_x86_pae);
	enter(&m, 0x40003000, 0, 0x5000 | PTE_PWU);
	cr_assert_eq(look(&m, 0x40003000).rights, PW_R | PW_W | PW_X | PW_U,
		"no rights are missing although the PDPTE names none");
	cr_assert_eq(pw_format_x86_pae.level[2].table_bits, PTE_P);
	for (unsigned bit = 1; bit <= 2; bit++) {
		ram_store(&m.ram, BASE + 8, 8, (BASE + 0x1000) | PTE_P | UINT64_C(1) << bit);
		hit = look(&m, 0x40003000);
		cr_assert(hit.status == PW_RESERVED && hit.level == 2);
	}
	/* The root is aligned to 32 bytes, not to a page. */
	cr_assert(pw_space_init(&m.space, m.format, BASE + 0x20, &m.ram.windows) == PW_OK);
	cr_assert(pw_space_init(&m.space, m.format, BASE + 0x10, &m.ram.windows) == PW_E_ALIGNMENT);
	ram_end(&m.ram);
}

/* A child table was scanned with its parent's number of entries. */
Test(seed, S12_each_table_has_its_own_number_of_entries)
{
	static const struct {
		const struct pw_format *format;
		unsigned entries;
	} rows[] = {
		{&pw_format_x86_pae, 4 + 512 + 512},
		{&pw_format_arm64_16k, 2 + 2048 + 2048 + 2048},
		{&pw_format_arm64_64k, 64 + 8192 + 8192},
		{&pw_format_armv7_short, 4096 + 256},
		{&pw_format_riscv_sv39x4, 2048 + 512 + 512},
	};
	struct machine m;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t page = rows[i].format->level[0].page.bits | 2;

		begin(&m, rows[i].format);
		if (rows[i].format->family == PW_FAMILY_RISCV)
			page |= 0x1e;
		enter(&m, 0, 0, page);
		walk(&m, 0, UINT64_MAX);
		cr_expect_eq(m.calls, rows[i].entries, "%s: %u", m.format->name, m.calls);
		cr_expect_eq(m.pages, 1u, "%s", m.format->name);
		ram_end(&m.ram);
	}
}

/* There were only raw masks: no user, no execute, nothing folded. */
Test(seed, S15_rights_have_names)
{
	struct machine m;
	struct pw_result hit;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_PWU | PTE_XD | PTE_A | PTE_D | PTE_G);
	hit = look(&m, 0x1000);
	cr_assert_eq(hit.rights, PW_R | PW_W | PW_U);
	cr_assert(hit.flags & PW_RESULT_ACCESSED);
	cr_assert(hit.flags & PW_RESULT_DIRTY);
	cr_assert(hit.flags & PW_RESULT_GLOBAL);
	ram_end(&m.ram);
	cr_assert_not_null(pw_format_find("ept-4"));
	cr_assert_not_null(pw_format_find("riscv-sv39"));
}

static int stop(void *ctx, const struct pw_visit *visit)
{
	(void)visit;
	++*(unsigned *)ctx;
	return PW_STOP;
}

/* Walks recursed, could end early only by failing, and a cycle kept them for ever. */
Test(seed, S16_walks_stop_early_and_cycles_have_a_budget)
{
	unsigned calls = 0;
	struct machine m;
	struct pw_walker walker = {.handle_pte = stop, .ctx = &calls};

	begin(&m, &pw_format_x86_64);
	for (unsigned i = 0; i < 512; i++)
		ram_store(&m.ram, m.root + 8 * i, 8, m.root | PTE_PWU);
	cr_assert(pw_walk(&m.space, 0, UINT64_MAX, &walker) == PW_OK);
	cr_assert_eq(calls, 1u);
	walker.handle_pte = NULL;
	walker.budget = 10000;
	m.ram.reads = 0;
	cr_assert(pw_walk(&m.space, 0, UINT64_MAX, &walker) == PW_E_BUDGET);
	cr_assert_eq(m.ram.reads, 10000u);
	ram_end(&m.ram);
}
