/* SPDX-License-Identifier: MIT */
/* The lint: each kind of finding, and that it goes over every BAD entry and no good one. */
#include "ram.h"
#include "random.h"
#include "random_tables.h"
#include <criterion/criterion.h>
#include <pagewalk/lint.h>
#include <stdio.h>
#include <string.h>

static struct pw_finding only(const struct pw_space *space, const char *words)
{
	struct pw_finding finding = {.first = 1}, more;
	struct pw_lint lint;
	char text[120];

	pw_lint_begin(&lint, space, 0, UINT64_MAX, NULL, 0);
	cr_assert(pw_lint_next(&lint, &finding), "%s", words);
	cr_expect(!pw_lint_next(&lint, &more) && lint.status == PW_OK, "%s", words);
	cr_expect_str_eq(pw_finding_text(space, &finding, text, sizeof text), words, "%s", text);
	return finding;
}

static struct pw_space space_in(
	struct ram *ram, const struct pw_format *format, const struct pw_rules *rules)
{
	struct pw_space space;

	ram_begin(ram, 0x100000, 0x100000);
	cr_assert(pw_space_init_rules(&space, format,
			  ram_new_table(ram, pw_table_bytes(format, format->levels - 1u)),
			  &ram->windows, rules) == PW_OK);
	return space;
}

Test(lint, says_why_an_entry_is_refused)
{
	static const struct {
		const struct pw_format *format;
		unsigned level;
		uint64_t entry;
		unsigned kind;
		uint64_t bits;
		const char *words;
	} rows[] = {
		{&pw_format_ept_4, 0, 0x5032, PW_LINT_RIGHTS, 0, "write without read"},
		{&pw_format_ept_4, 0, 0x5036, PW_LINT_RIGHTS, 0, "write without read"},
		{&pw_format_ept_4, 0, 0x5034, PW_LINT_RIGHTS, 0,
			"execute only, which this CPU does not have"},
		{&pw_format_ept_4, 0, 0x501f, PW_LINT_MEMORY_TYPE, 0, "memory type 0x3 is none"},
		{&pw_format_ept_4, 1, 0x2010b1, PW_LINT_RESERVED, 0x1000,
			"reserved bits are set: 0x1000"},
		{&pw_format_ept_4, 3, 0x5087, PW_LINT_RESERVED, 0x80,
			"reserved bits are set: 0x80"},
		{&pw_format_npt_4, 3, 0x5107, PW_LINT_RESERVED, 0x100,
			"reserved bits are set: 0x100"},
		{&pw_format_x86_64, 1, 0x2020b3, PW_LINT_RESERVED, 0x2000,
			"reserved bits are set: 0x2000"},
		{&pw_format_riscv_sv39, 0, 0x2005, PW_LINT_RIGHTS, 0, "write without read"},
		{&pw_format_riscv_sv39, 0, 0x2001, PW_LINT_RIGHTS, 0,
			"a table in the last level, or no rights at all"},
	};
	const struct pw_rules rules = {.ept_no_execute_only = true};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ram ram;
		struct pw_space space = space_in(&ram, rows[i].format, &rules);
		pw_pa at = ram_enter(
			&ram, rows[i].format, space.root, 0x1000, rows[i].level, rows[i].entry);
		struct pw_finding f = only(&space, rows[i].words);

		cr_expect(f.kind == rows[i].kind && f.bits == rows[i].bits, "row %zu", i);
		cr_expect(f.entry == rows[i].entry && f.entry_pa == at, "row %zu", i);
		cr_expect_eq(f.level, rows[i].level, "row %zu", i);
		cr_expect(f.first <= 0x1000 && f.last >= 0x1fff, "row %zu", i);
		cr_expect(pw_lint_is_error((enum pw_lint_kind)f.kind));
		ram_end(&ram);
	}
}

Test(lint, tables_that_cannot_be)
{
	struct ram ram;
	struct pw_space space = space_in(&ram, &pw_format_x86_64, NULL);
	struct pw_finding f;

	(void)ram_enter(&ram, space.format, space.root, 0, 1, UINT64_C(0x40000000) | PTE_PWU);
	f = only(&space, "the table is not in memory");
	cr_expect(f.kind == PW_LINT_LOST && f.first == 0 && f.last == 0x1fffff && f.level == 0);
	(void)ram_enter(&ram, space.format, space.root, 0, 1, space.root | PTE_PWU);
	f = only(&space, "leads back to a table above it, at 0x100000");
	cr_expect(f.kind == PW_LINT_LOOP && f.table == space.root && f.level == 1);
	ram_end(&ram);
}

Test(lint, notes_what_is_legal_but_worth_a_look)
{
	struct ram ram;
	struct pw_space space = space_in(&ram, &pw_format_x86_64, NULL);
	static uint64_t scratch[600];
	struct pw_finding f;
	struct pw_lint lint;

	/* Three pages in a row, as one finding; a fourth that cannot be written is none. */
	for (unsigned i = 0; i < 3; i++)
		(void)ram_enter(&ram, space.format, space.root, i * 4096, 0, 0x800007 + i * 4096);
	(void)ram_enter(&ram, space.format, space.root, 0x3000, 0, 0x803005);
	f = only(&space, "can be written and executed: rwxu");
	cr_expect(f.kind == PW_LINT_WRITE_EXECUTE && f.first == 0 && f.last == 0x2fff);
	cr_expect(!pw_lint_is_error((enum pw_lint_kind)f.kind));

	/* The root itself among the pages. */
	(void)ram_enter(&ram, space.format, space.root, 0x1000, 0, 0);
	(void)ram_enter(&ram, space.format, space.root, 0x2000, 0, 0);
	(void)ram_enter(&ram, space.format, space.root, 0, 0, space.root | PTE_PW | PTE_XD);
	f = only(&space, "can be written, and holds the root table at 0x100000");
	cr_expect_eq(f.kind, PW_LINT_WRITABLE_TABLE);
	(void)ram_enter(&ram, space.format, space.root, 0, 0, 0);

	/* A table met twice: with scratch it is told of. */
	uint64_t pde = ram_load(&ram, ram_enter(&ram, space.format, space.root, 0x3000, 1, 0), 8);

	cr_expect_eq(pde, 0);
	(void)ram_enter(&ram, space.format, space.root, 0, 1, 0x1c0000 | PTE_PWU);
	(void)ram_enter(&ram, space.format, space.root, 0x200000, 1, 0x1c0000 | PTE_PWU);
	pw_lint_begin(&lint, &space, 0, UINT64_MAX, scratch, sizeof scratch);
	cr_assert(pw_lint_next(&lint, &f));
	cr_expect(f.kind == PW_LINT_SHARED && f.first == 0x200000 && f.table == 0x1c0000);
	cr_expect(!pw_lint_next(&lint, &f) && lint.status == PW_OK);
	ram_end(&ram);
}

Test(lint, without_paging_there_is_no_entry_to_speak_of)
{
	static const struct pw_memory nothing;
	struct pw_finding f;
	struct pw_lint lint;
	struct pw_space space;

	cr_assert_eq(pw_space_init(&space, &pw_format_x86_none, 0, &nothing), PW_OK);
	pw_lint_begin(&lint, &space, 0, UINT64_MAX, NULL, 0);
	cr_expect(!pw_lint_next(&lint, &f) && lint.status == PW_OK);
}

Test(lint, hostile_tables_end_by_budget_or_memory)
{
	struct ram ram;
	struct pw_space space = space_in(&ram, &pw_format_x86_64, NULL);
	pw_pa next = ram_new_table(&ram, 4096), last = ram_new_table(&ram, 4096);
	static uint64_t scratch[600];
	struct pw_finding f;
	struct pw_lint lint;
	unsigned findings = 0;

	/* Every entry of each level leads to one table below: 512^3 paths to four tables. */
	for (unsigned i = 0; i < 512; i++) {
		ram_store(&ram, space.root + 8 * i, 8, next | PTE_PWU);
		ram_store(&ram, next + 8 * i, 8, last | PTE_PWU);
	}
	pw_lint_begin(&lint, &space, 0, UINT64_MAX, scratch, sizeof scratch);
	lint.budget = 100000;
	while (pw_lint_next(&lint, &f))
		findings += f.kind == PW_LINT_SHARED;
	cr_expect(lint.status == PW_OK && findings == 511 + 511, "%u", findings);
	pw_lint_begin(&lint, &space, 0, UINT64_MAX, NULL, 0);
	lint.budget = 100000;
	while (pw_lint_next(&lint, &f))
		findings++;
	cr_expect(lint.status == PW_E_BUDGET && lint.position > 0);
	pw_lint_begin(&lint, &space, 1, 0, NULL, 0);
	cr_expect(lint.status == PW_E_RANGE && !pw_lint_next(&lint, &f));
	ram_end(&ram);
}

/* In random tables the errors are the BAD and LOST regions, no more and no less. */
Test(lint, finds_what_the_regions_have)
{
	uint64_t seed = random_seed(20260941);
	struct random random = random_from(seed);
	static uint8_t bytes[0x100000] __attribute__((aligned(4096)));
	struct image image = {bytes, 0x400000, sizeof bytes};
	const struct pw_window window = {0x400000, sizeof bytes, bytes, true};
	const struct pw_memory memory = {.windows = &window, .window_count = 1};
	const struct pw_format *format;

	for (size_t number = 0; (format = pw_format_at(number)); number++) {
		for (int round = 0; round < 60 && format->levels; round++) {
			uint64_t bad = 0, lost = 0, found_bad = 0, found_lost = 0;
			struct pw_regions regions;
			struct pw_finding finding;
			struct pw_region region;
			struct pw_space space;
			struct pw_lint lint;

			memset(bytes, 0, sizeof bytes);
			cr_assert(pw_space_init(&space, format, 0x400000, &memory) == PW_OK);
			for (int i = 0; i < 6; i++)
				random_path(&random, &image, format, space.root,
					random_va(&random, format, false));
			pw_regions_begin(&regions, &space, 0, UINT64_MAX, NULL, 0);
			regions.budget = 100000;
			while (pw_regions_next(&regions, &region)) {
				bad += region.kind == PW_REGION_BAD;
				if (region.kind == PW_REGION_LOST)
					lost += region.last - region.first + 1;
			}
			pw_lint_begin(&lint, &space, 0, UINT64_MAX, NULL, 0);
			lint.budget = 100000;
			bool loop = false;

			while (pw_lint_next(&lint, &finding)) {
				found_bad += finding.kind <= PW_LINT_NO_PAGE;
				loop |= finding.kind == PW_LINT_LOOP;
				if (finding.kind == PW_LINT_LOST)
					found_lost += finding.last - finding.first + 1;
			}
			if (loop || regions.status != PW_OK || lint.status != PW_OK)
				continue;
			cr_expect_eq(found_bad, bad, "%s: %llu, %llu", format->name,
				(unsigned long long)found_bad, (unsigned long long)bad);
			cr_expect_eq(found_lost, lost, "%s", format->name);
		}
	}
	printf("seed %llu\n", (unsigned long long)seed);
}
