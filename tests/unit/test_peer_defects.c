/* SPDX-License-Identifier: MIT */
/*
 * Defects found in other page-table walkers, D1 to D12 and some without a number. Each is a test
 * here that would fail on their behaviour.
 */
#include "ram.h"
#include <criterion/criterion.h>

#define BASE UINT64_C(0x400000)

struct machine {
	struct ram ram;
	const struct pw_format *format;
	struct pw_space space;
	pw_pa root;
};

static void begin_at(struct machine *m, const struct pw_format *format, uint64_t base)
{
	*m = (struct machine){.format = format};
	ram_begin(&m->ram, base, UINT64_C(1) << 18);
	m->root = ram_new_table(&m->ram, pw_table_bytes(format, format->levels - 1u));
	cr_assert(pw_space_init(&m->space, format, m->root, &m->ram.windows) == PW_OK);
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

/* Pages and regions of the whole space; a repetition counts for the pages it stands for. */
static uint64_t mapped_bytes(struct machine *m, unsigned *regions)
{
	static _Alignas(8) char scratch[PW_REGIONS_SCRATCH(64)];
	struct pw_regions it;
	struct pw_region r;
	uint64_t bytes = 0;

	*regions = 0;
	pw_regions_begin(&it, &m->space, 0, UINT64_MAX, scratch, sizeof scratch);
	while (pw_regions_next(&it, &r)) {
		++*regions;
		if (r.kind == PW_REGION_MAPPED || r.kind == PW_REGION_REPEATS)
			bytes += r.last - r.first + 1;
	}
	cr_assert(it.status == PW_OK);
	return bytes;
}

/* Where the first region leads. */
static pw_pa first_pa(const struct machine *m)
{
	static uint64_t scratch[PW_REGIONS_SCRATCH(256) / sizeof(uint64_t)];
	struct pw_regions it;
	struct pw_region r;

	pw_regions_begin(&it, &m->space, 0, UINT64_MAX, scratch, sizeof scratch);
	cr_assert(pw_regions_next(&it, &r) && r.kind == PW_REGION_MAPPED);
	return r.pa;
}

/* libvmi read the 32-bit page directory at physical 0. */
Test(peers, D01_a_32_bit_root_is_where_cr3_says)
{
	struct machine m;

	begin_at(&m, &pw_format_x86_32, 0);
	m.root = ram_new_table(&m.ram, 4096);
	enter(&m, 0xc0001000, 0, 0x7000 | PTE_P);
	cr_assert(m.root != 0);
	cr_assert(pw_space_init(&m.space, m.format, m.root, &m.ram.windows) == PW_OK);
	cr_assert_eq(look(&m, 0xc0001234).pa, 0x7234u);
	ram_end(&m.ram);
}

/* libvmi: success, physical address 0. */
Test(peers, D02_an_absent_pdpte_is_no_success)
{
	struct machine m;

	begin(&m, &pw_format_x86_pae);
	cr_assert_eq(look(&m, 0x80000000).status, PW_NOT_PRESENT);
	cr_assert_eq(look(&m, 0x80000000).level, 2);
	ram_end(&m.ram);
}

/* libvmi computed in 32 bits. */
Test(peers, D03_pae_large_pages_above_4_gib)
{
	struct machine m;

	begin(&m, &pw_format_x86_pae);
	enter(&m, 0x1200000, 1, UINT64_C(0x123400083));
	cr_assert_eq(look(&m, 0x1234567).pa, UINT64_C(0x123434567));
	ram_end(&m.ram);
}

/* libvmi masked tables and pages to 36 bits; memflow pages. */
Test(peers, D04_pae_addresses_above_36_bits)
{
	struct pw_x86_state state = {
		.cr0 = PW_CR0_PE | PW_CR0_PG, .cr4 = PW_CR4_PAE, .pdpte_loaded = true};
	const uint64_t base = UINT64_C(0xfa000000000);
	struct machine m;

	begin_at(&m, &pw_format_x86_pae, base);
	enter(&m, 0x3000, 0, UINT64_C(0xfedcba9876000) | PTE_P);
	/* CR3 has 32 bits: PDPTEs up here are in registers. */
	state.pdpte[0] = ram_load(&m.ram, base, 8);
	cr_assert(pw_space_init_x86(&m.space, &state, &m.ram.windows, NULL) == PW_OK);
	cr_assert_eq(look(&m, 0x3123).pa, UINT64_C(0xfedcba9876123));
	ram_end(&m.ram);
	/* Its list of 4 MiB pages made the address out of the va instead of the entry. */
	begin(&m, &pw_format_x86_32);
	enter(&m, 0x800000, 1, 0x5c00000 | PTE_P | PTE_PS);
	cr_assert_eq(first_pa(&m), 0x5c00000u);
	ram_end(&m.ram);
}

/* libvmi flushed its cache under another key, and asked only whether the old page still exists. */
Test(peers, D05_a_change_shows_at_once)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	cr_assert_eq(look(&m, 0x1000).pa, 0x5000u);
	enter(&m, 0x1000, 0, 0x6000 | PTE_P);
	cr_assert_eq(look(&m, 0x1000).pa, 0x6000u);
	enter(&m, 0x1000, 0, 0);
	cr_assert_eq(look(&m, 0x1000).status, PW_NOT_PRESENT);
	ram_end(&m.ram);
}

/* memflow OR-ed W down the walk. */
Test(peers, D06_write_rights_are_anded)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	cr_assert_eq(look(&m, 0x1000).rights, PW_R | PW_X);
	cr_assert(pw_translate(&m.space, 0x1000, PW_ACCESS_WRITE, NULL) == PW_PROTECTION);
	ram_end(&m.ram);
	begin(&m, &pw_format_x86_32);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	cr_assert_eq(look(&m, 0x1000).rights, PW_R | PW_X);
	ram_end(&m.ram);
	begin(&m, &pw_format_x86_pae);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	cr_assert_eq(look(&m, 0x1000).rights, PW_R | PW_X);
	ram_end(&m.ram);
}

/* memflow dropped the second of two equal entries, libvmi a page equal to its left neighbour. */
Test(peers, D07_the_same_entry_twice_is_two_pages)
{
	static const pw_va va[] = {0x1000, 0x2000, 0x201000, 0x202000, 0x401000, 0x402000};
	struct pw_hit hits[6];
	struct machine m;
	unsigned regions;
	pw_pa shared;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	enter(&m, 0x2000, 0, 0x5000 | PTE_P);
	shared = pw_entry_address(m.format, 1, ram_load(&m.ram, BASE + 0x2000, 8));
	enter(&m, 0x200000, 1, shared | PTE_PWU);
	enter(&m, 0x400000, 1, shared | PTE_PWU);
	cr_assert_eq(mapped_bytes(&m, &regions), 6 * 0x1000u);
	cr_assert_eq(regions, 6u);
	cr_assert_eq(look(&m, 0x402000).pa, 0x5000u);
	cr_assert_eq(pw_translate_batch(&m.space, va, 6, PW_ACCESS_READ, hits), 6u);
	for (unsigned i = 0; i < 6; i++)
		cr_assert_eq(hits[i].pa, 0x5000u, "%u", i);
	ram_end(&m.ram);
}

/* memflow and crash took bit 12 of a large page for address; reserved bits as well. */
Test(peers, D08_the_pat_bit_is_no_address_bit)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x200000, 1, 0x600000 | PTE_P | PTE_PS | PTE_PAT);
	enter(&m, 0x40000000, 2, 0x40000000 | PTE_P | PTE_PS | PTE_PAT);
	cr_assert_eq(look(&m, 0x200000).pa, 0x600000u);
	cr_assert_eq(look(&m, 0x40000000).pa, 0x40000000u);
	for (unsigned bit = 13; bit <= 20; bit++) {
		enter(&m, 0x200000, 1, 0x600000 | PTE_P | PTE_PS | UINT64_C(1) << bit);
		cr_assert_eq(look(&m, 0x200000).status, PW_RESERVED, "bit %u", bit);
	}
	ram_end(&m.ram);
	/* In 32-bit paging bits 20:13 of a large page are the address's bits 39:32. */
	begin(&m, &pw_format_x86_32);
	enter(&m, 0x400000, 1, 0x800000 | 0xa5 << 13 | PTE_P | PTE_PS | PTE_PAT);
	cr_assert_eq(look(&m, 0x412345).pa, UINT64_C(0xa500812345));
	ram_end(&m.ram);
}

/* MemProcFS took W and NX from the leaf. */
Test(peers, D09_w_and_xd_are_inherited)
{
	struct machine m;
	unsigned regions;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_PWU);
	ram_store(&m.ram, m.root, 8, (ram_load(&m.ram, m.root, 8) & ~PTE_W) | PTE_XD);
	cr_assert_eq(look(&m, 0x1000).rights, PW_R | PW_U);
	ram_end(&m.ram);
	/* Its map ran on over a page that was paged out. */
	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	enter(&m, 0x2000, 0, 0x6000);
	enter(&m, 0x3000, 0, 0x7000 | PTE_P);
	cr_assert_eq(mapped_bytes(&m, &regions), 0x2000u);
	cr_assert_eq(regions, 2u);
	ram_end(&m.ram);
}

/* volatility3 rejects a table whose 512 entries are equal. */
Test(peers, D10_a_uniform_table_is_a_table)
{
	struct machine m;
	unsigned regions;

	begin(&m, &pw_format_x86_64);
	for (pw_va va = 0; va < 0x200000; va += 0x1000)
		enter(&m, va, 0, 0x5000 | PTE_P);
	cr_assert_eq(look(&m, 0x1ff123).pa, 0x5123u);
	cr_assert_eq(mapped_bytes(&m, &regions), 0x200000u);
	cr_assert_eq(regions, 512u);
	ram_end(&m.ram);
}

/* QEMU's "info mem" skipped what is present and walked what is not; LA57 was walked as 4-level. */
Test(peers, D11_five_levels)
{
	struct machine m;
	unsigned regions;
	const pw_va high = UINT64_C(0xff12345678901000);

	begin(&m, &pw_format_x86_64_la57);
	enter(&m, high, 0, 0x5000 | PTE_P);
	enter(&m, UINT64_C(0x00ff000000000000), 0, 0x6000 | PTE_P);
	cr_assert_eq(look(&m, high + 0x123).pa, 0x5123u);
	cr_assert_eq(look(&m, high ^ UINT64_C(1) << 57).status, PW_NON_CANONICAL);
	cr_assert_eq(mapped_bytes(&m, &regions), 0x2000u);
	ram_end(&m.ram);
}

/* libaddrxlat took the highest bit's number for a width: PA[47] was lost. */
Test(peers, D12_the_highest_address_bit)
{
	struct machine m;

	begin(&m, &pw_format_arm64_64k);
	enter(&m, 0x10000, 0, UINT64_C(0x800000010000) | 0x403);
	cr_assert_eq(look(&m, 0x10000).pa, UINT64_C(0x800000010000));
	ram_end(&m.ram);
	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, UINT64_C(0xf800000001000) | PTE_P);
	cr_assert_eq(look(&m, 0x1000).pa, UINT64_C(0xf800000001000));
	ram_end(&m.ram);
}

/* ---- Without a number ---- */

/* drgn, volatility3 and libaddrxlat honour or ignore PS in a PML4E; some panic. */
Test(peers, ps_in_a_pml4e_is_reserved)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0, 3, (BASE + 0x1000) | PTE_PW | PTE_PS);
	cr_assert_eq(look(&m, 0).status, PW_RESERVED);
	cr_assert_eq(look(&m, 0).level, 3);
	ram_end(&m.ram);
}

/* rust-osdev tests an entry for zero, others for a transition bit: P=0 is a hole, whatever else. */
Test(peers, not_present_and_not_zero_is_a_hole)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, UINT64_MAX & ~PTE_P);
	cr_assert_eq(look(&m, 0x1000).status, PW_NOT_PRESENT);
	for (unsigned level = 1; level < 4; level++) {
		enter(&m, (pw_va)1 << 40, level, 0xfffff8e2);
		cr_assert_eq(look(&m, (pw_va)1 << 40).status, PW_NOT_PRESENT);
		cr_assert_eq(look(&m, (pw_va)1 << 40).level, (int)level);
	}
	ram_end(&m.ram);
}

/* libvmi read EPT entries as IA-32e: execute-only was not present. */
Test(peers, ept_execute_only_is_present)
{
	struct machine m;

	begin(&m, &pw_format_ept_4);
	enter(&m, 0x1000, 0, 0x5000 | 0x30 | 4);
	cr_assert_eq(look(&m, 0x1000).rights, PW_X);
	cr_assert_eq(look(&m, UINT64_C(1) << 48).status, PW_NON_CANONICAL);
	ram_end(&m.ram);
}

/* QEMU and others left keys and software bits in the address. */
Test(peers, keys_and_software_bits_are_no_address)
{
	struct machine m;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, UINT64_C(0xfff0000000005000) | PTE_P);
	cr_assert_eq(look(&m, 0x1000).pa, 0x5000u);
	cr_assert_eq(look(&m, 0x1000).key, 15);
	ram_end(&m.ram);
}

/* memflow: "writable" was bit 10, 0b01 was a page; gdb-pt-dump lost a parent's PXN. */
Test(peers, arm64_descriptors)
{
	struct machine m;

	begin(&m, &pw_format_arm64_4k);
	enter(&m, 0x1000, 0, 0x5000 | 0x400 | 0x80 | 3);
	enter(&m, 0x2000, 0, 0x5000 | 0x400 | 1);
	enter(&m, 0x3000, 0, 0x5000 | 0x440 | 3);
	cr_assert_eq(look(&m, 0x1000).supervisor, PW_R | PW_X);
	cr_assert_eq(look(&m, 0x2000).status, PW_NOT_PRESENT);
	cr_assert_eq(look(&m, 0x3000).user, PW_R | PW_W | PW_X);
	ram_store(&m.ram, m.root, 8, ram_load(&m.ram, m.root, 8) | UINT64_C(15) << 59);
	cr_assert_eq(look(&m, 0x1000).supervisor, PW_R);
	cr_assert_eq(look(&m, 0x3000).user, 0);
	ram_end(&m.ram);
}

/* libvmi's list ended, silently, at the first table that could not be read. */
Test(peers, an_unreadable_table_does_not_end_the_list)
{
	struct machine m;
	unsigned regions;

	begin(&m, &pw_format_x86_64);
	enter(&m, 0x1000, 0, 0x5000 | PTE_P);
	enter(&m, 0x40000000, 1, UINT64_C(0xf000000000) | PTE_P);
	enter(&m, 0x80000000, 0, 0x6000 | PTE_P);
	cr_assert_eq(mapped_bytes(&m, &regions), 0x2000u);
	cr_assert_eq(regions, 3u, "the lost one is listed too");
	ram_end(&m.ram);
}

/* volatility3's canonicalize() was not idempotent. */
Test(peers, extending_twice_changes_nothing)
{
	const struct pw_format *f;

	for (size_t i = 0; (f = pw_format_at(i)); i++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			pw_va va = pw_format_extend(f, UINT64_C(1) << bit);

			cr_assert(pw_format_takes(f, va), "%s bit %u", f->name, bit);
			cr_assert_eq(pw_format_extend(f, va), va, "%s bit %u", f->name, bit);
		}
	}
}
