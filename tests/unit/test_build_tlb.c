/* SPDX-License-Identifier: MIT */
/*
 * Random operations, and after each the instructions that the flush list stands for, on the worst
 * TLB. How much more than necessary they drop is printed.
 */
#include "random.h"
#include "tlb_model.h"
#include <stdio.h>
#include <stdlib.h>

struct play {
	struct fixture f;
	struct tlb tlb;
	struct random random;
	pw_va first;
	uint64_t cells, large; /* of the next larger page */
	struct pw_record records[4096];
	struct pw_journal journal;
	unsigned undone;
};

static bool is_fit(const struct pw_format *format)
{
	return format->levels > 1 && format->level[1].page.size_log2 &&
	       format->level[1].shift - format->level[0].shift <= 10;
}

static pw_rights random_rights(struct play *p)
{
	for (;;) {
		pw_rights rights = (pw_rights)random_below(&p->random, 16);

		if (p->f.format->encode[rights] != PW_CANNOT)
			return rights;
	}
}

static enum pw_status operate(struct play *p, unsigned which, pw_va va, uint64_t size)
{
	const struct pw_space *space = &p->f.space;
	struct pw_flush *flush = &p->f.flush;
	pw_rights set = (pw_rights)random_below(&p->random, 8), clear = 7 & ~set;
	pw_rights how = random_once_in(&p->random, 2) ? PW_REPLACE : 0;
	pw_pa pa = va + (64 + random_below(&p->random, 2)) * p->large * p->tlb.page;

	switch (which) {
	case 0:
		return pw_unmap(space, va, size, flush);
	case 1:
		return pw_protect(space, va, size, random_rights(p), flush);
	case 2:
		return pw_split(space, va, size, 0, flush);
	case 3:
		return pw_collapse(space, va, size,
			1 | (random_once_in(&p->random, 2) ? PW_CONTIGUOUS : 0), NULL, flush);
	case 4:
		return pw_modify(space, va, size, set, clear, flush);
	default:
		return pw_map(space, va, pa, size, random_rights(p) | PW_CONTIGUOUS | how, flush);
	}
}

/* Perhaps flushed before; the CPU has used the tables in between. */
static void undo(struct play *p)
{
	if (random_once_in(&p->random, 2)) {
		tlb_flush(&p->tlb, &p->f.flush);
		p->f.flush.range_count = 0;
		p->f.flush.everything = false;
	}
	tlb_fill(&p->tlb, &p->f, p->first, p->cells);
	cr_assert(pw_undo(&p->f.space, &p->f.flush, 0) == PW_OK);
	p->undone += p->f.flush.range_count > 0;
}

static void one(struct play *p)
{
	static const char *const names[] = {
		"unmap", "protect", "split", "collapse", "modify", "map"};
	unsigned which = (unsigned)random_below(&p->random, 8);
	uint64_t from = random_below(&p->random, p->cells), count;

	count = 1 + random_below(&p->random, random_once_in(&p->random, 2) ? 12 : p->cells);
	if (random_once_in(&p->random, 3))
		from = from / p->large * p->large, count = p->large;
	if (count > p->cells - from)
		count = p->cells - from;
	which = which > 5 ? 5 : which;
	tlb_fill(&p->tlb, &p->f, p->first, p->cells);
	p->f.flush.journal = random_once_in(&p->random, 2) ? &p->journal : NULL;
	(void)operate(p, which, p->first + from * p->tlb.page, count * p->tlb.page);
	if (p->f.flush.journal && random_once_in(&p->random, 2))
		undo(p);
	tlb_flush(&p->tlb, &p->f.flush);
	tlb_check(&p->tlb, names[which]);
	pw_flush_done(&p->f.space, &p->f.flush);
}

static void play(const struct pw_format *format, unsigned operations, uint64_t seed)
{
	const struct pw_rules rules = {.riscv_napot = true};
	static struct play p;

	memset(&p, 0, sizeof p);
	fixture_begin_rules(&p.f, format, true, &rules);
	p.random = random_from(seed);
	p.journal = (struct pw_journal){.records = p.records, .max = 4096};
	p.large = UINT64_C(1) << (format->level[1].shift - format->level[0].shift);
	p.cells = 2 * p.large > TLB_CELLS ? TLB_CELLS : 2 * p.large;
	p.first = pw_level_page_size(&format->level[1]) * (pw_level_entries(&format->level[1]) - 1);
	if (p.first >> (format->va_bits - 1))
		p.first = 0;
	for (unsigned n = 0; n < operations; n++)
		one(&p);
	printf("%s: %llu cells dropped, %llu had to be\n", format->name,
		(unsigned long long)p.tlb.dropped, (unsigned long long)p.tlb.needed);
	cr_expect(
		p.tlb.needed > operations && p.undone > 1, "%s: not much of a test", format->name);
	fixture_end(&p.f);
}

Test(build_tlb, nothing_stale_is_left)
{
	uint64_t seed = random_seed(20270130);
	unsigned operations = getenv("PW_EXHAUSTIVE") ? 2000 : 60, formats = 0;
	const struct pw_format *format;

	printf("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!is_fit(format))
			continue;
		play(format, operations, seed + i);
		formats++;
	}
	cr_assert(formats > 10);
}

/* ---- The operands themselves ---- */

static const struct pw_format *const x86 = &pw_format_x86_64;

Test(build_tlb, x86_operands)
{
	struct pw_flush_range ranges[2] = {
		{0x1000, 0x2fff, 0, false, 0}, {0x40000000, 0x405fffff, 1, true, 1}};
	struct pw_flush flush = {.ranges = ranges, .range_count = 2};
	struct pw_x86_use use = {.current = true, .pcid = 7, .pages = 5};
	struct pw_x86_op ops[8];

	cr_assert(pw_invalidate_x86(x86, &flush, &use, ops, 8) == 5);
	cr_assert(ops[0].what == PW_INVLPG && ops[0].va == 0x1000 && ops[1].va == 0x2000);
	cr_assert(ops[2].va == 0x40000000 && ops[4].va == 0x40400000);
	use.pages = 4;
	cr_assert(pw_invalidate_x86(x86, &flush, &use, ops, 8) == 1 && ops[0].what == PW_LOAD_CR3);
	use = (struct pw_x86_use){.has_invpcid = true, .pcid = 7, .pages = 99};
	cr_assert(pw_invalidate_x86(x86, &flush, &use, ops, 8) == 5);
	cr_assert(ops[4].what == PW_INVPCID_ADDRESS && ops[4].pcid == 7 && ops[4].va == 0x40400000);
	cr_assert(pw_invalidate_x86(x86, &flush, &use, ops, 4) == 1);
	cr_assert(ops[0].what == PW_INVPCID_CONTEXT && ops[0].pcid == 7);
	use.global = true;
	cr_assert(pw_invalidate_x86(x86, &flush, &use, ops, 8) == 1);
	cr_assert(ops[0].what == PW_INVPCID_ALL_GLOBAL);
	/* PAE's registers need CR3 beside. */
	flush.everything = true;
	cr_assert(pw_invalidate_x86(&pw_format_x86_pae, &flush, &use, ops, 8) == 2);
	cr_assert(ops[1].what == PW_LOAD_CR3);
	flush = (struct pw_flush){.ranges = ranges};
	cr_assert(pw_invalidate_x86(x86, &flush, &use, ops, 8) == 0);
}

/* Leaves of one level: 4 KiB granule 01, 16 KiB 10, 64 KiB 11; the manual's level. */
Test(build_tlb, level_hints)
{
	static const struct {
		const struct pw_format *format;
		uint8_t level, highest;
		bool tables;
		uint64_t hint;
	} k[] = {
		{&pw_format_arm64_4k, 0, 0, false, 0x7},
		{&pw_format_arm64_4k, 1, 1, false, 0x6},
		{&pw_format_arm64_4k, 2, 2, false, 0x5},
		{&pw_format_arm64_4k, 0, 1, false, 0},
		{&pw_format_arm64_4k, 0, 0, true, 0},
		{&pw_format_arm64_4k, 3, 3, false, 0},
		{&pw_format_arm64_16k, 0, 0, false, 0xb},
		{&pw_format_arm64_16k, 1, 1, false, 0xa},
		{&pw_format_arm64_16k, 2, 2, false, 0},
		{&pw_format_arm64_64k, 0, 0, false, 0xf},
		{&pw_format_arm64_64k, 1, 1, false, 0xe},
		{&pw_format_arm64_s2_4k, 1, 1, false, 0x6},
	};

	for (size_t i = 0; i < sizeof k / sizeof *k; i++) {
		struct pw_flush_range range = {0, 0xfff, k[i].level, k[i].tables, k[i].highest};
		struct pw_flush flush = {.ranges = &range, .range_count = 1};
		struct pw_arm_use use = {.asid = 1, .pages = 5, .has_ttl = true};
		struct pw_tlbi_op op[4];

		cr_assert(pw_invalidate_arm64(k[i].format, &flush, &use, op, 4) >= 1);
		cr_expect((op[0].register_value >> 44 & 0xf) == k[i].hint, "row %zu", i);
		use.has_ttl = false;
		cr_assert(pw_invalidate_arm64(k[i].format, &flush, &use, op, 4) >= 1);
		cr_expect((op[0].register_value >> 44 & 0xf) == 0);
	}
}

/* What operations note: one level, two, table entries. */
Test(build_tlb, levels_in_the_list)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, 4 * MIB + 8 * KIB, PW_R, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 0, 2 * MIB, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 1 && f.ranges[0].level == 1 && f.ranges[0].highest == 1 &&
		  !f.ranges[0].tables);
	pw_flush_done(&f.space, &f.flush);
	cr_assert(pw_protect(&f.space, 2 * MIB, 2 * MIB + 4 * KIB, PW_R | PW_X, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 1 && f.ranges[0].level == 0 && f.ranges[0].highest == 1);
	fixture_end(&f);
}

Test(build_tlb, arm32_operands)
{
	struct pw_flush_range ranges[2] = {
		{0x80001000, 0x80002fff, 0, false, 0}, {0x40000000, 0x400fffff, 1, true, 1}};
	struct pw_flush flush = {.ranges = ranges, .range_count = 2};
	struct pw_arm_use use = {.asid = 0x1ab, .pages = 5};
	struct pw_tlbi32_op op[4];

	cr_assert(pw_invalidate_arm32(&pw_format_armv7_short, &flush, &use, op, 4) == 3);
	cr_assert(op[0].what == PW_TLBI32_MVAIS && op[0].register_value == 0x800010ab);
	cr_assert(op[2].what == PW_TLBI32_MVAIS && op[2].register_value == 0x400000ab);
	use.has_last_level = true;
	cr_assert(pw_invalidate_arm32(&pw_format_armv7_short, &flush, &use, op, 4) == 3);
	cr_assert(op[1].what == PW_TLBI32_MVALIS && op[1].register_value == 0x800020ab &&
		  op[2].what == PW_TLBI32_MVAIS);
	use.global = true;
	cr_assert(pw_invalidate_arm32(&pw_format_armv7_short, &flush, &use, op, 4) == 3);
	cr_assert(op[0].what == PW_TLBI32_MVAALIS && op[0].register_value == 0x80001000 &&
		  op[2].what == PW_TLBI32_MVAAIS);
	cr_assert(pw_invalidate_arm32(&pw_format_armv7_short, &flush, &use, op, 2) == 1 &&
		  op[0].what == PW_TLBI32_ALLIS);
	use.global = false;
	use.pages = 2;
	cr_assert(pw_invalidate_arm32(&pw_format_armv7_lpae, &flush, &use, op, 4) == 1 &&
		  op[0].what == PW_TLBI32_ASIDIS && op[0].register_value == 0xab);
	flush.range_count = 0;
	cr_assert(pw_invalidate_arm32(&pw_format_armv7_lpae, &flush, &use, op, 4) == 0);
}

Test(build_tlb, other_operands)
{
	struct pw_flush_range range = {0xffff000000001000, 0xffff000000002fff, 0, false, 0};
	struct pw_flush flush = {.ranges = &range, .range_count = 1};
	struct pw_arm_use arm = {.asid = 0xabcd, .pages = 5};
	struct pw_riscv_use riscv = {.asid = 3, .pages = 5};
	struct pw_tlbi_op tlbi[4];
	struct pw_fence_op fence[4];
	struct pw_invept_op invept;

	cr_assert(pw_invalidate_arm64(&pw_format_arm64_4k, &flush, &arm, tlbi, 4) == 2);
	cr_assert(tlbi[1].what == PW_TLBI_VALE1IS &&
		  tlbi[1].register_value == UINT64_C(0xabcd0ff000000002));
	range.tables = true;
	arm.global = true;
	cr_assert(pw_invalidate_arm64(&pw_format_arm64_4k, &flush, &arm, tlbi, 4) == 2);
	cr_assert(tlbi[0].what == PW_TLBI_VAAE1IS &&
		  tlbi[0].register_value == UINT64_C(0x00000ff000000001));
	range.first = 0x8000001000;
	range.last = 0x8000001fff;
	cr_assert(pw_invalidate_arm64(&pw_format_arm64_s2_4k, &flush, &arm, tlbi, 4) == 2);
	cr_assert(tlbi[0].what == PW_TLBI_IPAS2E1IS && tlbi[0].register_value == 0x8000001);
	cr_assert(tlbi[1].what == PW_TLBI_VMALLE1IS);
	cr_assert(pw_invalidate_riscv(&pw_format_riscv_sv48, &flush, &riscv, fence, 4) == 1);
	cr_assert(fence[0].all_addresses && fence[0].rs2 == 3 && !fence[0].is_gvma);
	range.tables = false;
	cr_assert(pw_invalidate_riscv(&pw_format_riscv_sv48x4, &flush, &riscv, fence, 4) == 1);
	cr_assert(!fence[0].all_addresses && fence[0].is_gvma && fence[0].rs1 == 0x2000000400);
	cr_assert(pw_invalidate_ept(&flush, 0x5000, false, &invept) == 1 && invept.type == 2);
	cr_assert(pw_invalidate_npt(&flush, true) == 3 && pw_invalidate_npt(&flush, false) == 1);
	flush.range_count = 0;
	cr_assert(pw_invalidate_ept(&flush, 0x5000, true, &invept) == 0);
	cr_assert(pw_invalidate_npt(&flush, true) == 0);
}
