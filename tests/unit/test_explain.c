/* SPDX-License-Identifier: MIT */
/* The words: names of statuses, kinds and sizes, and the one line about a result. */
#include "ram.h"
#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x400000)

struct page {
	struct ram ram;
	struct pw_space space;
	pw_pa root;
};

static void begin(struct page *p, const struct pw_format *format)
{
	ram_begin(&p->ram, BASE, 0x10000);
	p->root = ram_new_table(&p->ram, pw_table_bytes(format, format->levels - 1u));
	cr_assert(pw_space_init(&p->space, format, p->root, &p->ram.windows) == PW_OK);
}

static void expect_text(struct page *p, pw_va va, pw_access access, const char *text)
{
	char line[200];
	struct pw_result hit;

	(void)!pw_translate(&p->space, va, access, &hit);
	cr_expect_str_eq(pw_explain(&hit, line, sizeof line), text);
}

Test(explain, pages)
{
	struct page p;

	begin(&p, &pw_format_x86_64);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, 0x3000, 0, 0x9000 | PTE_PWU | PTE_XD);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, 0x200000, 1, 0x800000 | PTE_P | PTE_PS);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, UINT64_MAX, 2, 0x40000000 | PTE_PW | PTE_PS);
	expect_text(&p, 0x3123, PW_ACCESS_ANY, "0x3123 -> 0x9123 (4 KiB page, rw-u)");
	expect_text(&p, 0x200000, PW_ACCESS_READ, "0x200000 -> 0x800000 (2 MiB page, r-x-)");
	expect_text(&p, UINT64_MAX, PW_ACCESS_FETCH,
		"0xffffffffffffffff -> 0x7fffffff (1 GiB page, rwx-)");
	ram_end(&p.ram);
}

Test(explain, page_faults)
{
	struct page p;

	begin(&p, &pw_format_x86_64);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, 0x3000, 0, 0x9000 | PTE_P | PTE_U);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, 0x4000, 0, 0x9000 | PTE_PW | PTE_XD);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, 0x200000, 1, 0x802000 | PTE_P | PTE_PS);
	expect_text(&p, 0x3000, PW_ACCESS_WRITE | PW_ACCESS_USER,
		"page fault, error code 0x7: not writable at level 0");
	expect_text(&p, 0x4000, PW_ACCESS_READ | PW_ACCESS_USER,
		"page fault, error code 0x5: user access to a supervisor page at level 0");
	expect_text(&p, 0x4000, PW_ACCESS_FETCH,
		"page fault, error code 0x11: not executable at level 0");
	expect_text(
		&p, 0x5000, PW_ACCESS_READ, "page fault, error code 0x0: not present at level 0");
	expect_text(&p, 0x200000, PW_ACCESS_WRITE,
		"page fault, error code 0xb: reserved bits or an illegal combination in the entry "
		"0x802081 at level 1");
	expect_text(&p, 0x5000, PW_ACCESS_ANY, "not present at level 0");
	ram_end(&p.ram);
}

Test(explain, no_page_fault)
{
	struct page p;

	begin(&p, &pw_format_x86_64);
	ram_enter(&p.ram, &pw_format_x86_64, p.root, 0x3000, 1, 0x100000000 | PTE_PWU);
	expect_text(&p, 0x3000, PW_ACCESS_READ, "the table is not in memory at level 0");
	expect_text(&p, UINT64_C(0x800000000000), PW_ACCESS_READ,
		"0x800000000000 is not an address that this format takes (not canonical)");
	expect_text(&p, 0, 0, "bad-argument");
	ram_end(&p.ram);

	begin(&p, &pw_format_riscv_sv39);
	ram_enter(&p.ram, &pw_format_riscv_sv39, p.root, 0x3000, 0, 0x2400 | 0x0f);
	expect_text(&p, 0x3000, PW_ACCESS_READ,
		"Accessed or Dirty is clear and has to be set by software at level 0");
	expect_text(&p, 0x3000, PW_ACCESS_ANY, "0x3000 -> 0x9000 (4 KiB page, rwx-)");
	ram_end(&p.ram);
}

Test(explain, every_rule_has_words)
{
	for (unsigned i = 0; i < PW_RULE_COUNT; i++) {
		cr_assert_not_null(pw_rule_text((enum pw_rule)i));
		cr_expect_gt(strlen(pw_rule_text((enum pw_rule)i)), 5u, "rule %u", i);
		for (unsigned j = 0; j < i; j++)
			cr_expect_str_neq(
				pw_rule_text((enum pw_rule)i), pw_rule_text((enum pw_rule)j));
	}
	cr_expect_str_eq(pw_rule_text((enum pw_rule)PW_RULE_COUNT), "?");
	cr_expect_str_eq(pw_rule_text((enum pw_rule) - 1), "?");
}

/* Whatever the size of the buffer: its beginning, terminated, and nothing behind it. */
Test(explain, cut_to_any_size)
{
	static const char whole[] = "page fault, error code 0x7: not writable at level 0";
	const struct pw_result refused = {.status = PW_PROTECTION,
		.rule = PW_RULE_NOT_WRITABLE,
		.flags = PW_RESULT_ERROR_CODE,
		.error_code = 7};
	char line[sizeof whole + 8];

	for (size_t size = 0; size < sizeof line; size++) {
		size_t length = size < sizeof whole ? size : sizeof whole;
		const char *text;

		memset(line, '#', sizeof line);
		text = pw_explain(&refused, line, size);
		if (size == 0) {
			cr_assert_str_eq(text, "");
		} else {
			cr_assert(text == line);
			cr_assert_eq(strlen(line), length - 1);
			cr_assert(memcmp(line, whole, length - 1) == 0);
		}
		for (size_t i = length; i < sizeof line; i++)
			cr_assert(line[i] == '#', "wrote behind %u bytes", (unsigned)size);
	}
	cr_assert_str_eq(pw_explain(&refused, NULL, 0), "");
}

/* ---- Names ---- */

Test(explain, every_status_has_a_name_of_its_own)
{
	for (int i = 0; i < PW_STATUS_COUNT; i++) {
		const char *name = pw_status_name((enum pw_status)i);

		cr_assert_not_null(name);
		for (const char *c = name; *c; c++)
			cr_expect((*c >= 'a' && *c <= 'z') || *c == '-', "%s", name);
		for (int j = 0; j < i; j++)
			cr_expect_str_neq(name, pw_status_name((enum pw_status)j));
	}
	cr_expect_str_eq(pw_status_name(PW_OK), "ok");
	cr_expect_str_eq(pw_status_name(PW_NOT_PRESENT), "not-present");
	cr_expect_str_eq(pw_status_name(PW_RESERVED), "reserved");
	cr_expect_str_eq(pw_status_name(PW_NON_CANONICAL), "non-canonical");
	cr_expect_str_eq(pw_status_name(PW_NO_MEMORY), "no-memory");
	cr_expect_str_eq(pw_status_name(PW_PROTECTION), "protection");
	cr_expect_str_eq(pw_status_name(PW_PROTECTION_KEY), "protection-key");
	cr_expect_str_eq(pw_status_name(PW_ACCESS_FLAG), "access-flag");
	cr_expect_str_eq(pw_status_name(PW_UNSTABLE), "unstable");
	cr_expect_str_eq(pw_status_name((enum pw_status)PW_STATUS_COUNT), "?");
	cr_expect_str_eq(pw_status_name((enum pw_status) - 1), "?");
}

Test(explain, kinds_and_sizes)
{
	const struct pw_format *f;

	cr_expect_str_eq(pw_kind_name(PW_HOLE), "hole");
	cr_expect_str_eq(pw_kind_name(PW_PAGE), "page");
	cr_expect_str_eq(pw_kind_name(PW_TABLE), "table");
	cr_expect_str_eq(pw_kind_name(PW_BAD), "bad");
	cr_expect_str_eq(pw_kind_name((enum pw_kind)4), "?");
	cr_expect_str_eq(pw_size_name(4096), "4 KiB");
	cr_expect_str_eq(pw_size_name(UINT64_C(1) << 30), "1 GiB");
	cr_expect_str_eq(pw_size_name(UINT64_C(1) << 48), "256 TiB");
	cr_expect_str_eq(pw_size_name(0), "?");
	cr_expect_str_eq(pw_size_name(4095), "?");
	for (size_t i = 0; (f = pw_format_at(i)); i++) {
		for (unsigned level = 0; level < f->levels; level++) {
			uint64_t page = UINT64_C(1) << f->level[level].page.size_log2;
			uint64_t span = UINT64_C(1) << f->level[level].span.size_log2;

			cr_expect(page == 1 || *pw_size_name(page) != '?', "%s", f->name);
			cr_expect(span == 1 || *pw_size_name(span) != '?', "%s", f->name);
		}
	}
}
