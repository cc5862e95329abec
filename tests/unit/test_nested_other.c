/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk: AArch64 stage 1 under stage 2 (Arm ARM D8; ESR_ELx, HPFAR_EL2) and RISC-V
 * VS-stage under G-stage (privileged manual, "Hypervisor Extension").
 */
#include "ram.h"
#include <criterion/criterion.h>
#include <string.h>

#define RAM_BYTES (UINT64_C(4) << 20)
#define VA        UINT64_C(0x40001000)
#define GPA       UINT64_C(0x80000000) /* of the page, and of the guest's last table after it */
#define TABLE_GPA UINT64_C(0x80010000)

/* A guest with its last table and its page in second-stage pages of their own. */
struct world {
	struct ram ram;
	const struct pw_format *one, *two;
	pw_pa root1, root2, hpa, table;
	pw_pa page2, table2; /* the second-stage entries of both */
	pw_pa entry1;        /* the guest's entry */
	uint64_t leaf2;      /* a second-stage page with all rights, address 0 */
};

static void begin(struct world *w, const struct pw_format *one, uint64_t leaf1,
	const struct pw_format *two, uint64_t leaf2)
{
	const struct pw_level *last = &one->level[0];
	pw_pa at;

	*w = (struct world){.one = one, .two = two, .leaf2 = leaf2};
	ram_begin(&w->ram, 0, RAM_BYTES);
	(void)ram_new_table(&w->ram, 4096);
	w->root1 = ram_new_table(&w->ram, pw_table_bytes(one, one->levels - 1u));
	w->root2 = ram_new_table(&w->ram, pw_table_bytes(two, two->levels - 1u));
	w->hpa = ram_new_table(&w->ram, 4096);
	at = ram_enter(&w->ram, one, w->root1, VA, 0, leaf1 | GPA >> one->address_left);
	w->table = at - pw_level_index(last, VA) * one->entry_bytes;
	w->entry1 = at;
	/* The guest knows its last table by another address. */
	(void)ram_enter(&w->ram, one, w->root1, VA, 1,
		one->level[1].table_bits | TABLE_GPA >> one->address_left);
	for (pw_pa pa = 0; pa < RAM_BYTES; pa += 4096)
		(void)ram_enter(&w->ram, two, w->root2, pa, 0, leaf2 | pa >> two->address_left);
	w->page2 = ram_enter(&w->ram, two, w->root2, GPA, 0, leaf2 | w->hpa >> two->address_left);
	w->table2 = ram_enter(
		&w->ram, two, w->root2, TABLE_GPA, 0, leaf2 | w->table >> two->address_left);
}

static pw_pa entry_gpa(const struct world *w)
{
	return TABLE_GPA + (w->entry1 - w->table);
}

static void change(struct world *w, pw_pa at, uint64_t clear, uint64_t set)
{
	unsigned bytes = at == w->entry1 ? w->one->entry_bytes : w->two->entry_bytes;

	ram_store(&w->ram, at, bytes, (ram_load(&w->ram, at, bytes) & ~clear) | set);
}

static struct pw_nested_result walk(const struct world *w, const struct pw_rules *one,
	const struct pw_rules *two, pw_access access)
{
	static const struct pw_memory nowhere = {.window_count = 0};
	struct pw_space stage1, stage2;
	struct pw_nested_result r;

	cr_assert(pw_space_init_rules(&stage1, w->one, w->root1, &nowhere, one) == PW_OK);
	cr_assert(pw_space_init_rules(&stage2, w->two, w->root2, &w->ram.windows, two) == PW_OK);
	cr_expect_eq(pw_nested_translate(&stage1, &stage2, VA + 8, access, &r), r.status);
	return r;
}

/* ---- AArch64 ---- */

#define AF      UINT64_C(0x400)
#define S1_PAGE (AF | 3)
#define S2_PAGE (AF | 0xc0 | 0x3c | 3)

static void arm(struct world *w)
{
	begin(w, &pw_format_arm64_4k, S1_PAGE, &pw_format_arm64_s2_4k, S2_PAGE);
}

Test(nested_arm, final_accesses)
{
	static const struct {
		uint64_t clear, set;
		pw_access access;
		uint64_t iss;
		bool hpfar;
	} rows[] = {
		{1, 0, PW_ACCESS_READ, 0x07, true},      /* translation fault, level 3 */
		{1, 0, PW_ACCESS_WRITE, 0x47, true},     /* WnR */
		{AF, 0, PW_ACCESS_READ, 0x0b, true},     /* access flag */
		{0x80, 0, PW_ACCESS_WRITE, 0x4f, false}, /* permission */
		{0x40, 0, PW_ACCESS_READ, 0x0f, false},
		{0, UINT64_C(1) << 54, PW_ACCESS_FETCH, 0x0f, false},
		{0, UINT64_C(1) << 47, PW_ACCESS_READ, 0x03, true}, /* address size */
	};
	const struct pw_rules two = {.pa_bits = 40, .arm_access_flag_fault = true};
	struct world w;

	arm(&w);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t before = ram_load(&w.ram, w.page2, 8);
		struct pw_nested_result r;

		change(&w, w.page2, rows[i].clear, rows[i].set);
		r = walk(&w, NULL, &two, rows[i].access);
		cr_expect(r.exit == PW_EXIT_ARM_STAGE2 && r.stage == 2, "row %zu", i);
		cr_expect_eq(r.code, rows[i].iss, "row %zu: %#llx", i, (unsigned long long)r.code);
		cr_expect_eq(r.address_known, rows[i].hpfar, "row %zu", i);
		if (rows[i].hpfar)
			cr_expect_eq(r.address, GPA >> 8, "row %zu", i);
		ram_store(&w.ram, w.page2, 8, before);
	}

	struct pw_nested_result r = walk(&w, NULL, &two, PW_ACCESS_WRITE);

	cr_expect(r.status == PW_OK && r.pa == w.hpa + 8 && r.page_size == 4096);
	ram_end(&w.ram);
}

Test(nested_arm, tables_are_read)
{
	struct pw_nested_result r;
	struct world w;

	arm(&w);
	/* A write-protected table page will do, whatever the access. */
	change(&w, w.table2, 0x80, 0);
	r = walk(&w, NULL, NULL, PW_ACCESS_WRITE);
	cr_expect_eq(r.status, PW_OK);
	change(&w, w.table2, 0x40, 0);
	r = walk(&w, NULL, NULL, PW_ACCESS_WRITE);
	cr_expect(r.exit == PW_EXIT_ARM_STAGE2 && r.during == PW_DURING_TABLE && r.level == 0);
	cr_expect_eq(r.code, 0x8f); /* S1PTW, permission fault, level 3; WnR is not known */
	cr_expect(!(r.code_known & PW_ARM_WNR));
	cr_expect(r.address_known && r.address == entry_gpa(&w) >> 12 << 4);
	cr_expect_eq(r.gpa, entry_gpa(&w));
	ram_end(&w.ram);
}

Test(nested_arm, the_access_flag_is_a_write)
{
	const struct pw_rules software = {.arm_access_flag_fault = true};
	struct pw_nested_result r;
	char text[200];
	struct world w;

	arm(&w);
	change(&w, w.table2, 0x80, 0);
	change(&w, w.entry1, AF, 0);
	r = walk(&w, NULL, NULL, PW_ACCESS_READ);
	cr_expect(r.exit == PW_EXIT_ARM_STAGE2 && r.during == PW_DURING_UPDATE && r.level == 0);
	(void)pw_nested_explain(&r, text, sizeof text);
	cr_expect(strstr(text, "during setting Accessed or Dirty at 0x"), "%s", text);
	cr_expect_eq(r.code, 0x8f);
	change(&w, w.page2, 1, 0); /* comes after it */
	r = walk(&w, NULL, NULL, PW_ACCESS_READ);
	cr_expect(r.during == PW_DURING_UPDATE);
	/* Where software keeps the flag, it is the guest's fault. */
	r = walk(&w, &software, NULL, PW_ACCESS_READ);
	cr_expect(r.stage == 1 && r.exit == PW_EXIT_GUEST && r.code == 0x0b);
	change(&w, w.table2, 0, 0x80);
	change(&w, w.page2, 0, 1);
	cr_expect(walk(&w, NULL, NULL, PW_ACCESS_READ).status == PW_OK);
	ram_end(&w.ram);
}

Test(nested_arm, faults_of_stage_1)
{
	struct pw_nested_result r;
	struct world w;

	arm(&w);
	r = walk(&w, NULL, NULL, PW_ACCESS_READ | PW_ACCESS_USER);
	cr_expect(r.stage == 1 && r.exit == PW_EXIT_GUEST && r.code == 0x0f);
	change(&w, w.entry1, 1, 0);
	r = walk(&w, NULL, NULL, PW_ACCESS_READ);
	cr_expect(r.stage == 1 && r.exit == PW_EXIT_GUEST && r.code == 0x07);
	cr_expect(r.stage2.va == 0 && r.stage2.entry == 0);
	ram_end(&w.ram);
}

/* ---- RISC-V ---- */

#define RV_PAGE  UINT64_C(0xcf) /* D A X W R V */
#define RV_GPAGE UINT64_C(0xdf) /* and U */

static void riscv(struct world *w)
{
	begin(w, &pw_format_riscv_sv39, RV_PAGE, &pw_format_riscv_sv39x4, RV_GPAGE);
}

Test(nested_riscv, final_accesses)
{
	static const uint64_t spoilt[] = {1, 0x10, 0x40}; /* V, U, A */
	static const struct {
		pw_access access;
		unsigned cause;
	} rows[] = {{PW_ACCESS_FETCH, 20}, {PW_ACCESS_READ, 21}, {PW_ACCESS_WRITE, 23}};
	struct world w;

	riscv(&w);
	for (size_t i = 0; i < 3; i++) {
		for (size_t a = 0; a < 3; a++) {
			struct pw_nested_result r;

			change(&w, w.page2, spoilt[i], 0);
			r = walk(&w, NULL, NULL, rows[a].access);
			cr_expect(r.exit == PW_EXIT_RISCV_GUEST && r.code == rows[a].cause);
			cr_expect_eq(r.address, (GPA + 8) >> 2);
			cr_expect_eq(r.htinst, 0);
			change(&w, w.page2, 0, spoilt[i]);
			r = walk(&w, NULL, NULL, rows[a].access);
			cr_expect(r.status == PW_OK && r.pa == w.hpa + 8);
		}
	}
	ram_end(&w.ram);
}

/* Checked as loads, reported as what the access was. */
Test(nested_riscv, tables_are_loaded)
{
	static const struct {
		pw_access access;
		unsigned cause;
	} rows[] = {{PW_ACCESS_FETCH, 20}, {PW_ACCESS_READ, 21}, {PW_ACCESS_WRITE, 23}};
	struct pw_nested_result r;
	struct world w;

	riscv(&w);
	for (size_t a = 0; a < 3; a++) {
		change(&w, w.table2, 6, 0); /* R and W: only X is left */
		r = walk(&w, NULL, NULL, rows[a].access);
		cr_expect(r.exit == PW_EXIT_RISCV_GUEST && r.during == PW_DURING_TABLE);
		cr_expect_eq(r.code, rows[a].cause);
		cr_expect(r.gpa == entry_gpa(&w) && r.address == entry_gpa(&w) >> 2);
		cr_expect_eq(r.htinst, 0x3000);
		change(&w, w.table2, 0, 2);
		r = walk(&w, NULL, NULL, rows[a].access);
		cr_expect_eq(r.status, PW_OK);
		change(&w, w.table2, 0, 4);
	}
	ram_end(&w.ram);
}

Test(nested_riscv, hardware_updates_are_stores)
{
	const struct pw_rules svadu = {.riscv_hardware_ad = true};
	struct pw_nested_result r;
	struct world w;

	riscv(&w);
	change(&w, w.table2, 4, 0);    /* no W */
	change(&w, w.entry1, 0x80, 0); /* D */
	r = walk(&w, &svadu, NULL, PW_ACCESS_READ);
	cr_expect_eq(r.status, PW_OK);
	r = walk(&w, &svadu, NULL, PW_ACCESS_WRITE);
	cr_expect(r.exit == PW_EXIT_RISCV_GUEST && r.during == PW_DURING_UPDATE);
	cr_expect(r.code == 23 && r.htinst == 0x3020 && r.address == entry_gpa(&w) >> 2);
	change(&w, w.entry1, 0x40, 0); /* A */
	r = walk(&w, &svadu, NULL, PW_ACCESS_FETCH);
	cr_expect(r.code == 20 && r.htinst == 0x3020 && r.during == PW_DURING_UPDATE);
	r = walk(&w, NULL, NULL, PW_ACCESS_FETCH);
	cr_expect(r.stage == 1 && r.exit == PW_EXIT_GUEST && r.code == 12);
	ram_end(&w.ram);
}

Test(nested_riscv, narrow_tables_have_their_own_pseudoinstruction)
{
	struct pw_nested_result r;
	struct world w;

	begin(&w, &pw_format_riscv_sv32, RV_PAGE, &pw_format_riscv_sv32x4, RV_GPAGE);
	change(&w, w.table2, 1, 0);
	r = walk(&w, NULL, NULL, PW_ACCESS_READ);
	cr_expect(r.exit == PW_EXIT_RISCV_GUEST && r.htinst == 0x2000 && r.code == 21);
	change(&w, w.table2, 0, 1);
	r = walk(&w, NULL, NULL, PW_ACCESS_READ);
	cr_expect(r.status == PW_OK && r.pa == w.hpa + 8);
	ram_end(&w.ram);
}

Test(nested_riscv, missing_memory_is_nobodys_fault)
{
	struct pw_nested_result r;
	struct world w;

	riscv(&w);
	ram_store(&w.ram, w.table2, 8, RV_GPAGE | UINT64_C(0x123456789000) >> 2);
	r = walk(&w, NULL, NULL, PW_ACCESS_READ);
	cr_expect(r.status == PW_NO_MEMORY && r.stage == 1 && r.exit == PW_EXIT_NONE);
	ram_end(&w.ram);
}
