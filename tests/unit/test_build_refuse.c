/* SPDX-License-Identifier: MIT */
/* What builders refuse, with which status, and that nothing is written then. */
#include "build_fixture.h"
#include <stdlib.h>

#define PAGE (4 * KIB)

static void refused(enum pw_status expected, enum pw_status status, const char *what)
{
	cr_expect(status == expected, "%s: %s instead of %s", what, pw_status_name(status),
		pw_status_name(expected));
}

static const struct {
	const char *what;
	enum pw_status status;
	pw_va va;
	pw_pa pa;
	uint64_t size;
} bad_ranges[] = {
	{"size 0", PW_E_RANGE, 0x1000, 0x1000, 0},
	{"odd va", PW_E_ALIGNMENT, 0x1001, 0x1000, 0x1000},
	{"odd pa", PW_E_ALIGNMENT, 0x1000, 0x1800, 0x1000},
	{"odd size", PW_E_ALIGNMENT, 0x1000, 0x1000, 0x1001},
	{"va wraps", PW_E_RANGE, UINT64_C(0xfffffffffffff000), 0, 0x2000},
	{"not canonical", PW_E_RANGE, UINT64_C(0x800000000000), 0, 0x1000},
	{"ends beyond canonical", PW_E_RANGE, UINT64_C(0x7ffffffff000), 0, 0x2000},
	{"over the canonical hole", PW_E_RANGE, UINT64_C(0x7ffffffff000), 0,
		UINT64_C(0xffff000000002000)},
	{"pa wraps", PW_E_RANGE, 0, UINT64_C(0xfffffffffffff000), 0x2000},
	{"pa too wide", PW_E_RANGE, 0, UINT64_C(1) << 52, 0x1000},
	{"pa ends too far", PW_E_RANGE, 0, (UINT64_C(1) << 52) - 0x1000, 0x2000},
};

Test(build_refuse, ranges)
{
	static struct fixture f;
	uint8_t *copy;

	fixture_begin(&f, &pw_format_x86_64, true);
	copy = test_memory_copy(&f.tm);
	for (size_t i = 0; i < sizeof bad_ranges / sizeof bad_ranges[0]; i++) {
		refused(bad_ranges[i].status,
			pw_map(&f.space, bad_ranges[i].va, bad_ranges[i].pa, bad_ranges[i].size,
				PW_R, &f.flush),
			bad_ranges[i].what);
		if (bad_ranges[i].pa)
			continue;
		refused(bad_ranges[i].status,
			pw_unmap(&f.space, bad_ranges[i].va, bad_ranges[i].size, NULL),
			bad_ranges[i].what);
		refused(bad_ranges[i].status,
			pw_free(&f.space, bad_ranges[i].va, bad_ranges[i].size, NULL),
			bad_ranges[i].what);
		refused(bad_ranges[i].status,
			pw_protect(&f.space, bad_ranges[i].va, bad_ranges[i].size, PW_R, NULL),
			bad_ranges[i].what);
		refused(bad_ranges[i].status,
			pw_allocate(&f.space, bad_ranges[i].va, bad_ranges[i].size, PW_R, NULL),
			bad_ranges[i].what);
	}
	cr_assert(test_memory_equals(&f.tm, copy) && f.tm.tables_out == 1);
	free(copy);
	fixture_end(&f);
}

Test(build_refuse, rights)
{
	static struct fixture f;
	static const struct {
		const struct pw_format *format;
		enum pw_status status;
		pw_rights rights;
	} rows[] = {
		{&pw_format_x86_64, PW_E_RIGHTS, 0},
		{&pw_format_x86_64, PW_E_RIGHTS, PW_W},
		{&pw_format_x86_64, PW_E_RIGHTS, PW_R | PW_MEM_WC},
		{&pw_format_x86_64, PW_E_ARGUMENT, PW_R | (pw_rights)1 << PW_MEM_INDEX_SHIFT},
		{&pw_format_x86_64, PW_E_RIGHTS, PW_R | PW_SOFTWARE(1 << 10)},
		{&pw_format_x86_64, PW_OK, PW_R | PW_MEM_UC},
		{&pw_format_x86_32, PW_E_RIGHTS, PW_R}, /* no XD there */
		{&pw_format_ept_4, PW_E_RIGHTS, PW_W},
		{&pw_format_ept_4, PW_E_RIGHTS, PW_R | PW_U},
		{&pw_format_ept_4, PW_E_RIGHTS, PW_R | PW_GLOBAL},
		{&pw_format_ept_4, PW_OK, PW_X},
		{&pw_format_ept_4, PW_OK, PW_R | PW_MEM_WC},
		{&pw_format_arm64_s2_4k, PW_OK, PW_W},
		{&pw_format_riscv_sv39, PW_E_RIGHTS, PW_W},
		{&pw_format_riscv_sv39, PW_E_RIGHTS, PW_R | PW_MEM_UC},
		{&pw_format_riscv_sv39x4, PW_E_RIGHTS, PW_R | PW_U},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_begin(&f, rows[i].format, true);
		refused(rows[i].status, pw_map(&f.space, 0, 0, PAGE, rows[i].rights, NULL),
			rows[i].format->name);
		fixture_end(&f);
	}
}

Test(build_refuse, what_the_rules_of_the_space_forbid)
{
	static struct fixture f;
	struct pw_rules no_execute_only = {.ept_no_execute_only = true, .pa_bits = 36};
	struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA,
		.no_1g_pages = true};
	struct pw_space space;

	fixture_begin(&f, &pw_format_x86_64, true);
	state.cr3 = f.space.root;
	cr_assert(pw_space_init_x86(&space, &state, &f.tm.memory, NULL) == PW_OK);
	refused(PW_E_RIGHTS, pw_map(&space, 0, 0, PAGE, PW_R, NULL), "no XD without NXE");
	refused(PW_OK, pw_map(&space, GIB, GIB, GIB, PW_R | PW_X, NULL), "no 1 GiB pages");
	fixture_expect(&f, GIB, GIB, 2 * MIB, PW_R | PW_X);
	fixture_end(&f);

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_space_init_rules(&space, &pw_format_ept_4, f.space.root, &f.tm.memory,
			  &no_execute_only) == PW_OK);
	refused(PW_E_RIGHTS, pw_map(&space, 0, 0, PAGE, PW_X, NULL), "execute-only");
	refused(PW_E_RANGE, pw_map(&space, 0, UINT64_C(1) << 36, PAGE, PW_R, NULL), "36 bits");
	refused(PW_OK, pw_map(&space, 0, (UINT64_C(1) << 36) - PAGE, PAGE, PW_R, NULL), "in 36");
	fixture_end(&f);
}

/* Pages that an entry cannot name go back, and smaller ones do not help. */
Test(build_refuse, pages_beyond_the_width)
{
	static struct fixture f;
	struct pw_rules narrow = {.pa_bits = 30};
	struct pw_space space;

	fixture_begin(&f, &pw_format_x86_32, true);
	cr_assert(pw_space_init_rules(&space, f.format, f.space.root, &f.tm.memory, &narrow) ==
		  PW_OK);
	refused(PW_E_NO_TABLES, pw_allocate(&space, 0, 4 * MIB, PW_R | PW_W | PW_X, NULL),
		"pages at 1 GiB");
	cr_assert(f.tm.page_bytes_out == 0 && f.tm.tables_out == 1);
	fixture_end(&f);
}

/* PSE-36: the address of a 4 MiB page has two fields, and only such pages lie above 4 GiB. */
Test(build_refuse, pse36_addresses)
{
	static struct fixture f;
	pw_rights all = PW_R | PW_W | PW_X;

	fixture_begin(&f, &pw_format_x86_32, true);
	refused(PW_OK, pw_map(&f.space, 0, 4 * GIB - 8 * MIB, 16 * MIB, all, NULL), "across 4 GiB");
	fixture_expect(&f, 0, 4 * GIB - 8 * MIB, 4 * MIB, all);
	fixture_expect(&f, 8 * MIB, 4 * GIB, 4 * MIB, all);
	fixture_expect(&f, 12 * MIB + 5, 4 * GIB + 4 * MIB + 5, 4 * MIB, all);
	refused(PW_OK, pw_map(&f.space, 2 * GIB - PAGE, 4 * GIB - PAGE, 4 * MIB + PAGE, all, NULL),
		"a small page below, a large one above");
	fixture_expect(&f, 2 * GIB, 4 * GIB, 4 * MIB, all);
	refused(PW_E_RANGE, pw_map(&f.space, GIB, 4 * GIB, PAGE, all, NULL), "4 KiB above");
	refused(PW_E_RANGE, pw_map(&f.space, GIB, 5 * GIB, 4 * MIB + PAGE, all, NULL), "tail");
	refused(PW_E_UNSUPPORTED, pw_unmap(&f.space, 8 * MIB, PAGE, NULL), "cannot be divided");
	refused(PW_OK, pw_unmap(&f.space, 8 * MIB, 4 * MIB, NULL), "as a whole");
	fixture_end(&f);
}

Test(build_refuse, arguments_that_are_missing)
{
	struct pw_memory empty = {.windows = NULL};
	uint64_t entry;
	pw_pa root;

	refused(PW_E_ARGUMENT, pw_map(NULL, 0, 0, PAGE, PW_R, NULL), "no space");
	refused(PW_E_ARGUMENT, pw_unmap(NULL, 0, PAGE, NULL), "no space");
	refused(PW_E_ARGUMENT, pw_read_pte(NULL, 0, &entry, NULL), "no space");
	refused(PW_E_ARGUMENT, pw_write_pte(NULL, 0, 0, 0), "no space");
	refused(PW_E_ARGUMENT, pw_root_create(NULL, &empty, &root), "no format");
	refused(PW_E_ARGUMENT, pw_root_create(&pw_format_x86_64, NULL, &root), "no memory");
	refused(PW_E_ARGUMENT, pw_root_create(&pw_format_x86_64, &empty, NULL), "no root");
	refused(PW_E_NO_TABLES, pw_root_create(&pw_format_x86_64, &empty, &root), "no allocator");
	refused(PW_E_UNSUPPORTED, pw_root_create(&pw_format_x86_none, &empty, &root), "no levels");
	pw_flush_done(NULL, NULL);
}

/* A memory that has one table, at an address of the test's choice. */
struct far_memory {
	pw_pa at;
	unsigned taken, given;
};

static bool far_take(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct far_memory *far = ctx;

	(void)bytes;
	far->taken++;
	*pa = far->at;
	return true;
}

static void far_give(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct far_memory *far = ctx;

	(void)bytes;
	far->given += pa == far->at;
}

static bool far_read(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	(void)ctx;
	(void)pa;
	(void)bytes;
	*entry = 0;
	return true;
}

static bool far_write(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	(void)ctx;
	(void)pa;
	(void)bytes;
	(void)entry;
	return true;
}

/* CR3 and TTBR0 of 32 bits, satp's PPN of 22 and 44 bits, TTBR0's BADDR, the EPTP. */
Test(build_refuse, roots_that_no_register_holds)
{
	static const struct {
		const struct pw_format *format;
		unsigned bits;
	} rows[] = {{&pw_format_x86_32, 32}, {&pw_format_x86_pae, 32}, {&pw_format_x86_64, 52},
		{&pw_format_ept_4, 52}, {&pw_format_npt_5, 52}, {&pw_format_armv7_short, 32},
		{&pw_format_armv7_lpae, 40}, {&pw_format_arm64_16k, 48},
		{&pw_format_arm64_s2_4k, 48}, {&pw_format_riscv_sv32, 34},
		{&pw_format_riscv_sv39x4, 56}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct far_memory far = {.at = UINT64_C(1) << rows[i].bits};
		const struct pw_memory memory = {.read_pte = far_read,
			.write_pte = far_write,
			.allocate_table = far_take,
			.free_table = far_give,
			.ctx = &far};
		pw_pa root = 1;

		refused(PW_E_NO_TABLES, pw_root_create(rows[i].format, &memory, &root),
			rows[i].format->name);
		cr_expect(far.taken == 1 && far.given == 1 && root == 1);
		far.at = (UINT64_C(1) << rows[i].bits) - (UINT64_C(1) << 20);
		refused(PW_OK, pw_root_create(rows[i].format, &memory, &root),
			rows[i].format->name);
		cr_expect(far.given == 1 && root == far.at);
	}
}
