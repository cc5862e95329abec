/* SPDX-License-Identifier: MIT */
/* Making spaces: from control registers, with rules, and what is refused with which words. */
#include "ram.h"
#include "random.h"
#include <criterion/criterion.h>

#define BASE UINT64_C(0x400000)

#define LONG_CR0  (PW_CR0_PE | PW_CR0_PG | PW_CR0_WP)
#define LONG_EFER (PW_EFER_LME | PW_EFER_LMA | PW_EFER_NXE)

static const struct pw_x86_state long_mode = {
	.cr0 = LONG_CR0, .cr3 = BASE, .cr4 = PW_CR4_PAE, .efer = LONG_EFER};

static enum pw_status init(
	const struct pw_x86_state *state, struct pw_space *space, const char **why)
{
	static const struct pw_memory nothing;

	return pw_space_init_x86(space, state, &nothing, why);
}

/* ---- Control registers that contradict each other ---- */

Test(space, contradictions_name_the_rule)
{
	static const uint64_t nw = UINT64_C(1) << 29, cd = UINT64_C(1) << 30;
	const struct {
		uint64_t cr0, cr4, efer;
		const char *text;
	} rows[] = {
		{PW_CR0_PG, 0, 0, "CR0.PG=1 needs CR0.PE=1"},
		{LONG_CR0 | UINT64_C(1) << 32, 0, 0, "CR0[63:32] must be 0"},
		{PW_CR0_PE | nw, 0, 0, "CR0.NW=1 needs CR0.CD=1"},
		{PW_CR0_PE | nw | cd, 0, 0, NULL},
		{PW_CR0_PE, PW_CR4_PAE, PW_EFER_LME | PW_EFER_LMA, "EFER.LMA=1 needs CR0.PG=1"},
		{LONG_CR0, PW_CR4_PAE, PW_EFER_LMA, "EFER.LMA=1 needs EFER.LME=1"},
		{LONG_CR0, PW_CR4_PAE, PW_EFER_LME, "EFER.LME=1 with CR0.PG=1 means EFER.LMA=1"},
		{LONG_CR0, 0, LONG_EFER, "EFER.LMA=1 needs CR4.PAE=1"},
		{LONG_CR0, PW_CR4_PAE | PW_CR4_PCIDE, 0, "CR4.PCIDE=1 needs EFER.LMA=1"},
		{LONG_CR0 & ~PW_CR0_WP, PW_CR4_PAE | PW_CR4_CET, LONG_EFER,
			"CR4.CET=1 needs CR0.WP=1"},
		{LONG_CR0, PW_CR4_PAE | PW_CR4_CET | PW_CR4_PCIDE, LONG_EFER, NULL},
		{0, 0, 0, NULL}, {PW_CR0_PE, 0, PW_EFER_LME, NULL}, /* on the way to long mode */
	};
	struct pw_space space;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pw_x86_state s = {
			.cr0 = rows[i].cr0, .cr4 = rows[i].cr4, .efer = rows[i].efer};
		const char *why = "untouched";

		cr_expect(
			init(&s, &space, &why) == (rows[i].text ? PW_E_STATE : PW_OK), "row %u", i);
		if (rows[i].text && why)
			cr_expect_str_eq(why, rows[i].text);
		cr_expect(!rows[i].text == !why, "row %u", i);
		cr_expect(init(&s, &space, NULL) == (rows[i].text ? PW_E_STATE : PW_OK));
	}
}

/* The bits that a rule speaks of, at random. */
static uint64_t some_of(struct random *random, uint64_t bits)
{
	return random_next(random) & random_next(random) & bits;
}

static bool is_possible(const struct pw_x86_state *s)
{
	const bool pe = s->cr0 & 1, wp = s->cr0 >> 16 & 1, nw = s->cr0 >> 29 & 1;
	const bool cd = s->cr0 >> 30 & 1, pg = s->cr0 >> 31 & 1, pae = s->cr4 >> 5 & 1;
	const bool pcide = s->cr4 >> 17 & 1, cet = s->cr4 >> 23 & 1;
	const bool lme = s->efer >> 8 & 1, lma = s->efer >> 10 & 1;

	return s->cr0 >> 32 == 0 && pe >= pg && cd >= nw && lma == (lme && pg) && pae >= lma &&
	       lma >= pcide && wp >= cet &&
	       (!lma || (s->cr3 & ~(UINT64_C(7) << 61)) >> s->maxphyaddr == 0);
}

Test(space, random_registers_are_refused_exactly_if_a_rule_is_broken)
{
	static const uint64_t cr0 = UINT64_C(0x1e005003f), cr4 = UINT64_C(0x1ffffff);
	struct random random = random_from(random_seed(20261125));
	unsigned possible = 0, formats[6] = {0};

	for (unsigned i = 0; i < 300000; i++) {
		struct pw_x86_state s = {
			.cr0 = some_of(&random, cr0) |
			       (random_once_in(&random, 3) ? 0 : 0x80010001),
			.cr3 = random_next(&random) >> random_below(&random, 64),
			.cr4 = some_of(&random, cr4) | (random_once_in(&random, 3) ? 0 : 0x20),
			.efer = some_of(&random, 0xd01) | (random_once_in(&random, 3) ? 0 : 0x500),
			.maxphyaddr = (uint8_t)(32 + random_below(&random, 21)),
		};
		const char *why = NULL;
		struct pw_space space;
		enum pw_status status = init(&s, &space, &why);

		cr_assert(status == (is_possible(&s) ? PW_OK : PW_E_STATE),
			"cr0 %#llx cr3 %#llx cr4 %#llx efer %#llx width %u: %s",
			(unsigned long long)s.cr0, (unsigned long long)s.cr3,
			(unsigned long long)s.cr4, (unsigned long long)s.efer, s.maxphyaddr,
			why ? why : "taken");
		cr_assert_eq(!why, status == PW_OK);
		possible += status == PW_OK;
		if (status == PW_OK)
			formats[space.format->levels]++;
	}
	cr_expect(possible > 10000 && formats[0] > 100 && formats[2] > 100 && formats[3] > 100 &&
		  formats[4] > 100 && formats[5] > 100);
}

Test(space, the_mode_follows_from_the_registers)
{
	static const struct {
		uint64_t cr0, cr4, efer;
		const struct pw_format *format;
	} rows[] = {
		{PW_CR0_PE, PW_CR4_PAE | PW_CR4_LA57, 0, &pw_format_x86_none},
		{LONG_CR0, 0, 0, &pw_format_x86_32_no_pse},
		{LONG_CR0, PW_CR4_PSE, 0, &pw_format_x86_32},
		{LONG_CR0, PW_CR4_PAE, 0, &pw_format_x86_pae},
		{LONG_CR0, PW_CR4_PAE, LONG_EFER, &pw_format_x86_64},
		{LONG_CR0, PW_CR4_PAE | PW_CR4_LA57, LONG_EFER, &pw_format_x86_64_la57},
	};
	struct pw_space space;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pw_x86_state s = {.cr0 = rows[i].cr0,
			.cr3 = 0x12345fff,
			.cr4 = rows[i].cr4,
			.efer = rows[i].efer};

		cr_assert(init(&s, &space, NULL) == PW_OK, "row %u", i);
		cr_expect(space.format == rows[i].format, "row %u: %s", i, space.format->name);
		cr_expect_eq(space.root,
			rows[i].format->levels == 0   ? 0
			: rows[i].format->levels == 3 ? 0x12345fe0
						      : 0x12345000,
			"row %u: low bits of CR3 are flags", i);
	}
}

Test(space, cr3_has_flags_at_both_ends)
{
	struct pw_x86_state s = long_mode;
	struct pw_space space;
	const char *why;

	s.cr4 |= PW_CR4_PCIDE;
	s.cr3 = UINT64_C(0xe000000000400fff); /* bit 63, LAM, PCID */
	cr_assert(init(&s, &space, &why) == PW_OK);
	cr_assert_eq(space.root, BASE);
	s.maxphyaddr = 36;
	s.cr3 = UINT64_C(0x1000400000);
	cr_assert(init(&s, &space, &why) == PW_E_STATE);
	cr_assert_str_eq(why, "CR3 has bits set at or above MAXPHYADDR");
	s.encryption_mask = UINT64_C(1) << 36;
	cr_assert(init(&s, &space, &why) == PW_OK);
	cr_assert_eq(space.root, BASE);
	/* Outside long mode only 32 bits are used. */
	s = (struct pw_x86_state){
		.cr0 = LONG_CR0, .cr3 = UINT64_C(0xabc00400000), .maxphyaddr = 32};
	cr_assert(init(&s, &space, &why) == PW_OK);
	cr_assert_eq(space.root, BASE);
}

Test(space, arguments_that_are_refused)
{
	static const struct pw_memory nothing;
	struct pw_x86_state s = long_mode;
	struct pw_space space;
	struct pw_format tall = pw_format_x86_64;
	const char *why = "untouched";

	for (unsigned bits = 0; bits < 256; bits++) {
		bool good = bits == 0 || (bits >= 32 && bits <= 52);

		s.maxphyaddr = (uint8_t)bits;
		cr_expect(init(&s, &space, &why) == (good ? PW_OK : PW_E_ARGUMENT), "%u", bits);
		cr_expect_null(why);
	}
	tall.levels = PW_MAX_LEVELS + 1;
	cr_expect(pw_space_init_x86(&space, NULL, &nothing, NULL) == PW_E_ARGUMENT);
	cr_expect(pw_space_init_x86(&space, &long_mode, NULL, NULL) == PW_E_ARGUMENT);
	cr_expect(pw_space_init_x86(NULL, &long_mode, &nothing, NULL) == PW_E_ARGUMENT);
	cr_expect(pw_space_init(NULL, &pw_format_x86_64, 0, &nothing) == PW_E_ARGUMENT);
	cr_expect(pw_space_init(&space, NULL, 0, &nothing) == PW_E_ARGUMENT);
	cr_expect(pw_space_init(&space, &pw_format_x86_64, 0, NULL) == PW_E_ARGUMENT);
	cr_expect(pw_space_init(&space, &tall, 0, &nothing) == PW_E_ARGUMENT);
	cr_expect(pw_space_init_rules(&space, &pw_format_x86_64, 0, &nothing, NULL) == PW_OK);
}

Test(space, rules_out_of_range_are_refused)
{
	static const struct pw_memory nothing;
	static const struct pw_rules high = {.arm_high = true};
	const struct pw_format *format;
	struct pw_space space;

	for (unsigned bits = 0; bits < 256; bits++) {
		struct pw_rules rules = {.pa_bits = (uint8_t)bits};
		bool good = bits == 0 || (bits >= 12 && bits <= 64);

		cr_expect(pw_space_init_rules(&space, &pw_format_ept_4, 0, &nothing, &rules) ==
				  (good ? PW_OK : PW_E_ARGUMENT),
			"%u", bits);
	}
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		bool stage1 =
			format->family == PW_FAMILY_ARM && format->has_user && format->va_bits > 32;

		cr_expect(pw_space_init_rules(&space, format, 0, &nothing, &high) ==
				  (stage1 ? PW_OK : PW_E_ARGUMENT),
			"%s", format->name);
	}
}

Test(space, a_root_is_aligned_to_its_table)
{
	static const struct pw_memory nothing;
	const struct pw_format *format;
	struct pw_space space;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		uint64_t bytes = format->levels ? pw_table_bytes(format, format->levels - 1u) : 1;

		cr_expect(pw_space_init(&space, format, bytes * 3, &nothing) == PW_OK, "%s",
			format->name);
		for (uint64_t off = bytes / 2; off > 0; off /= 2)
			cr_expect(pw_space_init(&space, format, bytes + off, &nothing) ==
					  PW_E_ALIGNMENT,
				"%s, %llu", format->name, (unsigned long long)off);
	}
}

/* ---- PAE ---- */

Test(space, pdpte_registers_overrule_the_memory)
{
	struct pw_x86_state s = {.cr0 = LONG_CR0, .cr3 = BASE + 0x40, .cr4 = PW_CR4_PAE};
	struct pw_result hit;
	struct pw_space space;
	struct ram ram;

	ram_begin(&ram, BASE, 0x4000);
	ram_store(&ram, BASE + 0x58, 8, (BASE + 0x1000) | PTE_P);
	ram_store(&ram, BASE + 0x1000, 8, 0x200000 | PTE_P | PTE_PS);
	ram_store(&ram, BASE + 0x2000, 8, 0x600000 | PTE_P | PTE_PS);
	cr_assert(pw_space_init_x86(&space, &s, &ram.windows, NULL) == PW_OK);
	cr_assert(pw_translate(&space, 0xc0000000, PW_ACCESS_ANY, &hit) == PW_OK);
	cr_assert_eq(hit.pa, 0x200000u);
	s.pdpte_loaded = true;
	s.pdpte[3] = (BASE + 0x2000) | PTE_P;
	s.pdpte[2] = UINT64_MAX - 1; /* not present: its other bits do not count */
	cr_assert(pw_space_init_x86(&space, &s, &ram.windows, NULL) == PW_OK);
	cr_assert(pw_translate(&space, 0xc0000123, PW_ACCESS_ANY, &hit) == PW_OK);
	cr_assert_eq(hit.pa, 0x600123u);
	cr_assert(pw_translate(&space, 0x80000000, PW_ACCESS_READ, &hit) == PW_NOT_PRESENT);
	cr_assert_eq(hit.entry, UINT64_MAX - 1);
	cr_assert_eq(hit.error_code, 0u);
	cr_assert(hit.flags & PW_RESULT_ERROR_CODE);
	ram_end(&ram);
}

Test(space, pdptes_with_reserved_bits_cannot_be_loaded)
{
	static const uint64_t reserved[] = {PTE_W, PTE_U, PTE_A, PTE_D, PTE_PS, PTE_G,
		UINT64_C(1) << 36, UINT64_C(1) << 52, PTE_XD};
	struct pw_x86_state s = {.cr0 = LONG_CR0,
		.cr3 = BASE,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_NXE,
		.pdpte_loaded = true,
		.maxphyaddr = 36};
	struct pw_space space;
	const char *why;

	for (unsigned i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		s.pdpte[i % 4] = (BASE + 0x1000) | PTE_P | reserved[i];
		cr_expect(init(&s, &space, &why) == PW_E_STATE, "%#llx",
			(unsigned long long)reserved[i]);
		cr_expect_str_eq(
			why, "a present PDPTE has reserved bits: loading CR3 raises #GP(0)");
		s.pdpte[i % 4] &= ~PTE_P;
		cr_expect(init(&s, &space, &why) == PW_OK);
	}
	s.pdpte[0] = (BASE + 0x1000) | PTE_P | 0x18; /* PWT and PCD */
	cr_expect(init(&s, &space, &why) == PW_OK);
}

/* As a MOV to CR3 does: once, and not at all if one of them is bad. */
Test(space, pdptes_are_loaded_from_memory_when_asked)
{
	struct pw_x86_state s = {
		.cr0 = LONG_CR0, .cr3 = BASE + 0x40, .cr4 = PW_CR4_PAE, .pdpte_load = true};
	struct pw_result hit;
	struct pw_space space;
	const char *why;
	struct ram ram;

	ram_begin(&ram, BASE, 0x4000);
	ram_store(&ram, BASE + 0x58, 8, (BASE + 0x1000) | PTE_P);
	ram_store(&ram, BASE + 0x1000, 8, 0x200000 | PTE_P | PTE_PS);
	for (unsigned callbacks = 0; callbacks < 2; callbacks++) {
		const struct pw_memory *memory = callbacks ? &ram.callbacks : &ram.windows;

		cr_assert(pw_space_init_x86(&space, &s, memory, &why) == PW_OK);
		ram_store(&ram, BASE + 0x58, 8, 0); /* too late */
		cr_assert(pw_translate(&space, 0xc0000123, PW_ACCESS_ANY, &hit) == PW_OK);
		cr_assert_eq(hit.pa, 0x200123u);
		cr_assert_eq(hit.level, 1);
		ram_store(&ram, BASE + 0x58, 8, (BASE + 0x1000) | PTE_P | PTE_W);
		cr_assert(pw_space_init_x86(&space, &s, memory, &why) == PW_E_STATE);
		cr_assert_str_eq(
			why, "a present PDPTE has reserved bits: loading CR3 raises #GP(0)");
		ram_store(&ram, BASE + 0x58, 8, (BASE + 0x1000) | PTE_P);
	}
	s.cr3 = BASE + 0x3fe0;
	cr_assert(pw_space_init_x86(&space, &s, &ram.windows, &why) == PW_OK);
	s.cr3 = BASE + 0x4000;
	cr_assert(pw_space_init_x86(&space, &s, &ram.windows, &why) == PW_NO_MEMORY);
	ram_end(&ram);
}

/* ---- Which bits are refused ---- */

/* An entry is BAD by its reserved bits exactly if a walk says so; and those bits alone suffice. */
Test(space, reserved_bits_are_those_that_a_walk_refuses)
{
	struct pw_x86_state s = long_mode;
	unsigned refused = 0;
	struct pw_result hit;
	struct pw_space space;
	struct ram ram;

	ram_begin(&ram, BASE, 0x8000);
	s.cr3 = ram_new_table(&ram, 4096);
	for (unsigned n = 0; n < 4 * 64 * 64; n++) {
		unsigned level = n / 64 / 64;
		uint64_t entry = PTE_P | UINT64_C(1) << (n & 63) | UINT64_C(1) << (n >> 6 & 63);
		uint64_t reserved;

		s.maxphyaddr = n & 1 ? 40 : 52;
		s.amd = n & 2;
		s.no_1g_pages = n & 4;
		s.efer = n & 8 ? LONG_EFER : LONG_EFER & ~PW_EFER_NXE;
		cr_assert(pw_space_init_x86(&space, &s, &ram.windows, NULL) == PW_OK);
		ram_enter(&ram, &pw_format_x86_64, s.cr3, 0x3000, level, entry);
		reserved = pw_reserved_bits(&space, level, entry);
		(void)!pw_translate(&space, 0x3000, PW_ACCESS_ANY, &hit);
		cr_expect_eq(reserved != 0, hit.status == PW_RESERVED && hit.level == (int)level,
			"%#llx at level %u", (unsigned long long)entry, level);
		cr_expect_eq(reserved & ~entry, 0u);
		cr_expect_eq(pw_reserved_bits(&space, level, entry & ~reserved), 0u);
		refused += reserved != 0;
		ram_enter(&ram, &pw_format_x86_64, s.cr3, 0x3000, level, 0);
	}
	cr_expect_gt(refused, 1000u);
	ram_end(&ram);
}

/* ---- Memory encryption ---- */

Test(space, an_encryption_bit_is_no_address_bit)
{
	const uint64_t c = UINT64_C(1) << 47;
	struct pw_x86_state s = long_mode;
	struct pw_result hit;
	struct pw_space space;
	struct ram ram;
	uint64_t pdpte;

	ram_begin(&ram, BASE, 0x8000);
	s.cr3 = ram_new_table(&ram, 4096) | c;
	ram_enter(&ram, &pw_format_x86_64, BASE, 0x3000, 0, 0x9000 | PTE_PW | c);
	ram_enter(&ram, &pw_format_x86_64, BASE, 0x200000, 1, 0x800000 | PTE_P | PTE_PS | c);
	ram_store(&ram, BASE, 8, ram_load(&ram, BASE, 8) | c);
	s.encryption_mask = c;
	s.maxphyaddr = 43; /* what is left of 48 bits with the key bits taken away */
	cr_assert(pw_space_init_x86(&space, &s, &ram.windows, NULL) == PW_OK);
	cr_assert(pw_translate(&space, 0x3123, PW_ACCESS_WRITE, &hit) == PW_OK);
	cr_assert_eq(hit.pa, 0x9123u);
	cr_assert_eq(hit.entry, 0x9000 | PTE_PW | c, "the entry is shown as it is");
	cr_assert(pw_translate(&space, 0x200000, PW_ACCESS_READ, &hit) == PW_OK);
	cr_assert_eq(hit.pa, 0x800000u);
	/* Other bits above the width stay reserved. */
	pdpte = ram_load(&ram, BASE + 0x1000, 8);
	ram_store(&ram, BASE + 0x1000, 8, pdpte | UINT64_C(1) << 45);
	cr_assert(pw_translate(&space, 0x3000, PW_ACCESS_READ, &hit) == PW_RESERVED);
	cr_assert_eq(hit.level, 2);
	ram_end(&ram);
}

/* ---- What is an access ---- */

static bool is_access(unsigned access, bool shadow_stacks)
{
	unsigned kind = access & 15;

	if (access == PW_ACCESS_ANY)
		return true;
	if (access >= 128 || (kind != 1 && kind != 2 && kind != 4))
		return false;
	return !(access & PW_ACCESS_SHADOW_STACK) || (shadow_stacks && kind != 4);
}

Test(space, every_value_that_is_no_access_is_refused)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_x86_state s = long_mode;
	struct pw_space space;
	struct pw_result hit;
	size_t count;

	for (unsigned cet = 0; cet < 2; cet++) {
		s.cr4 |= cet ? PW_CR4_CET : 0;
		cr_assert(init(&s, &space, NULL) == PW_OK);
		for (unsigned access = 0; access < 256; access++) {
			enum pw_status wanted =
				is_access(access, cet) ? PW_NO_MEMORY : PW_E_ARGUMENT;

			hit = (struct pw_result){.pa = 1, .page_size = 1, .flags = 255};
			cr_expect(pw_translate(&space, 5, access, &hit) == wanted, "access %#x",
				access);
			cr_expect(hit.status == wanted && hit.va == 5 && hit.pa == 0 &&
				  hit.page_size == 0 &&
				  hit.level == (wanted == PW_NO_MEMORY ? 3 : -1));
			cr_expect(pw_translate(&space, 5, access, NULL) == wanted);
			cr_expect(pw_translate_trace(&space, 5, access, NULL, steps, &count) ==
				  wanted);
			cr_expect_eq(count, 0u);
		}
		cr_expect(pw_translate(&space, 5, 0x101, &hit) == PW_E_ARGUMENT);
		cr_expect(pw_translate(&space, 5, UINT32_MAX, &hit) == PW_E_ARGUMENT);
	}
}
