/* SPDX-License-Identifier: MIT */
/*
 * x86 access rules by vectors made by hand: each row is a page, control state and an access, and
 * what the CPU does. SDM vol. 3A "Determination of Access Rights", "Page-Fault Exceptions".
 */
#include "ram.h"
#include <criterion/criterion.h>

#define BASE UINT64_C(0x400000)
#define VA   UINT64_C(0x3000)
#define PA   UINT64_C(0x9000)

#define R  PW_ACCESS_READ
#define W  PW_ACCESS_WRITE
#define X  PW_ACCESS_FETCH
#define U  PW_ACCESS_USER
#define I  PW_ACCESS_IMPLICIT
#define SS PW_ACCESS_SHADOW_STACK

/* Control state of a row. */
#define WP     1u
#define NXE    2u
#define SMEP   4u
#define SMAP   8u
#define AC     16u
#define PKE    32u
#define PKS    64u
#define CET    128u
#define LEGACY 256u /* 32-bit paging */

/* Protection keys: key 1 is no access, key 2 no writes, in both registers. */
#define KEY(n) ((uint64_t)(n) << 59)
#define KEYS   ((1u << 2) | (2u << 4))

#define OK 0xffffu

struct vector {
	unsigned state;
	uint64_t page; /* flags of the PTE, beside P */
	uint64_t gone; /* flags taken from the PDE */
	pw_access access;
	unsigned code; /* error code, or OK */
	enum pw_rule rule;
};

static const struct vector vectors[] = {
	/* User accesses. */
	{NXE, PTE_W | PTE_U, 0, R | U, OK, PW_RULE_NONE},
	{NXE, PTE_W | PTE_U, 0, W | U, OK, PW_RULE_NONE},
	{NXE, PTE_W | PTE_U, 0, X | U, OK, PW_RULE_NONE},
	{NXE, PTE_W, 0, R | U, 5, PW_RULE_SUPERVISOR_PAGE},
	{NXE, PTE_W, 0, W | U, 7, PW_RULE_SUPERVISOR_PAGE},
	{NXE, PTE_W, 0, X | U, 0x15, PW_RULE_SUPERVISOR_PAGE},
	{NXE, PTE_U, 0, W | U, 7, PW_RULE_NOT_WRITABLE},
	{NXE, PTE_U | PTE_XD, 0, X | U, 0x15, PW_RULE_NO_EXECUTE},
	{NXE, PTE_U | PTE_W, PTE_U, R | U, 5, PW_RULE_SUPERVISOR_PAGE},
	{NXE, PTE_U | PTE_W, PTE_W, W | U, 7, PW_RULE_NOT_WRITABLE},
	/* Supervisor accesses: CR0.WP. */
	{NXE, PTE_U, 0, W, OK, PW_RULE_NONE},
	{NXE, 0, 0, W, OK, PW_RULE_NONE},
	{NXE | WP, 0, 0, W, 3, PW_RULE_NOT_WRITABLE},
	{NXE | WP, PTE_U, 0, W, 3, PW_RULE_NOT_WRITABLE},
	{NXE | WP, PTE_W, PTE_W, W, 3, PW_RULE_NOT_WRITABLE},
	{NXE | WP, PTE_XD, 0, X, 0x11, PW_RULE_NO_EXECUTE},
	{NXE, PTE_U | PTE_W, 0, X, OK, PW_RULE_NONE},
	/* SMEP; the I/D bit without NXE. */
	{NXE | SMEP, PTE_U | PTE_W, 0, X, 0x11, PW_RULE_SMEP},
	{SMEP, PTE_U | PTE_W, 0, X, 0x11, PW_RULE_SMEP},
	{SMEP, PTE_U | PTE_W, PTE_U, X, OK, PW_RULE_NONE},
	{0, PTE_W, 0, X | U, 5, PW_RULE_SUPERVISOR_PAGE},
	{NXE | SMEP, PTE_U | PTE_XD, 0, X, 0x11, PW_RULE_NO_EXECUTE},
	/* SMAP, EFLAGS.AC, implicit accesses. */
	{NXE | SMAP, PTE_U | PTE_W, 0, R, 1, PW_RULE_SMAP},
	{NXE | SMAP | WP, PTE_U | PTE_W, 0, W, 3, PW_RULE_SMAP},
	{NXE | SMAP, PTE_U, 0, W, 3, PW_RULE_SMAP}, /* CR0.WP=0: R/W is not to blame */
	{NXE | SMAP | WP, PTE_U, 0, W, 3, PW_RULE_NOT_WRITABLE},
	{NXE | SMAP | AC, PTE_U, 0, R, OK, PW_RULE_NONE},
	{NXE | SMAP | AC, PTE_U, 0, R | I, 1, PW_RULE_SMAP},
	{NXE | SMAP | AC, PTE_U, 0, R | U | I, 1, PW_RULE_SMAP}, /* implicit: no U in the code */
	{NXE | SMAP, PTE_U, PTE_U, R, OK, PW_RULE_NONE},
	{NXE | SMAP, PTE_U | PTE_W, 0, X, OK, PW_RULE_NONE},
	{NXE | SMAP, PTE_U, 0, R | U, OK, PW_RULE_NONE},
	/* Protection keys. */
	{NXE | PKE, PTE_U | PTE_W | KEY(1), 0, R | U, 0x25, PW_RULE_PKRU},
	{NXE | PKE, PTE_U | PTE_W | KEY(1), 0, R, 0x21, PW_RULE_PKRU},
	{NXE | PKE, PTE_U | PTE_W | KEY(1), 0, X | U, OK, PW_RULE_NONE},
	{NXE | PKE, PTE_U | PTE_W | KEY(2), 0, R | U, OK, PW_RULE_NONE},
	{NXE | PKE, PTE_U | PTE_W | KEY(2), 0, W | U, 0x27, PW_RULE_PKRU},
	{NXE | PKE, PTE_U | PTE_W | KEY(2), 0, W, OK, PW_RULE_NONE},
	{NXE | PKE | WP, PTE_U | PTE_W | KEY(2), 0, W, 0x23, PW_RULE_PKRU},
	{NXE | PKE, PTE_W | KEY(1), 0, R, OK, PW_RULE_NONE},
	{NXE | PKE, PTE_U | KEY(2), 0, W | U, 0x27, PW_RULE_NOT_WRITABLE},
	{NXE | PKE | SMAP, PTE_U | KEY(1), 0, R, 0x21, PW_RULE_SMAP},
	{NXE | PKS, PTE_W | KEY(1), 0, R, 0x21, PW_RULE_PKRS},
	{NXE | PKS, PTE_W | KEY(2), 0, W, OK, PW_RULE_NONE},
	{NXE | PKS | WP, PTE_W | KEY(2), 0, W, 0x23, PW_RULE_PKRS},
	{NXE | PKS, PTE_U | PTE_W | KEY(1), 0, R | U, OK, PW_RULE_NONE},
	{NXE, PTE_U | PTE_W | KEY(1), 0, W | U, OK, PW_RULE_NONE},
	/* Shadow stacks. */
	{NXE | WP | CET, PTE_U | PTE_D, 0, W | U | SS, OK, PW_RULE_NONE},
	{NXE | WP | CET, PTE_U | PTE_D, 0, W | U, 7, PW_RULE_NOT_WRITABLE},
	{NXE | WP | CET, PTE_U | PTE_W | PTE_D, 0, W | U | SS, 0x47, PW_RULE_SHADOW_STACK},
	{NXE | WP | CET, PTE_U, 0, R | U | SS, 0x45, PW_RULE_SHADOW_STACK},
	{NXE | WP | CET, PTE_U | PTE_D, PTE_W, R | U | SS, 0x45, PW_RULE_SHADOW_STACK},
	{NXE | WP | CET, PTE_U | PTE_D, 0, R | SS, 0x41, PW_RULE_SHADOW_STACK},
	{NXE | WP | CET, PTE_D, 0, W | SS, OK, PW_RULE_NONE},
	{NXE | WP | CET | SMAP, PTE_U | PTE_D, 0, R | U | SS, OK, PW_RULE_NONE},
	/* 32-bit paging has neither XD nor keys, but SMEP and SMAP. */
	{LEGACY, PTE_U, 0, X | U, OK, PW_RULE_NONE},
	{LEGACY, PTE_W, 0, X | U, 5, PW_RULE_SUPERVISOR_PAGE},
	{LEGACY | NXE, PTE_W, 0, X | U, 5, PW_RULE_SUPERVISOR_PAGE},
	{LEGACY | SMEP, PTE_U, 0, X, 0x11, PW_RULE_SMEP},
	{LEGACY | SMAP | WP, PTE_U, 0, R, 1, PW_RULE_SMAP},
	{LEGACY | PKE, PTE_U, 0, R | U, OK, PW_RULE_NONE},
};

static struct pw_x86_state state_of(unsigned state, pw_pa root)
{
	struct pw_x86_state s = {
		.cr0 = PW_CR0_PE | PW_CR0_PG | (state & WP ? PW_CR0_WP : 0),
		.cr3 = root,
		.efer = state & NXE ? PW_EFER_NXE : 0,
		.rflags = state & AC ? PW_RFLAGS_AC : 0,
		.pkru = KEYS,
		.pkrs = KEYS,
	};

	if (!(state & LEGACY)) {
		s.cr4 = PW_CR4_PAE;
		s.efer |= PW_EFER_LME | PW_EFER_LMA;
	}
	s.cr4 |= (state & SMEP ? PW_CR4_SMEP : 0) | (state & SMAP ? PW_CR4_SMAP : 0) |
		 (state & PKE ? PW_CR4_PKE : 0) | (state & PKS ? PW_CR4_PKS : 0) |
		 (state & CET ? PW_CR4_CET : 0);
	return s;
}

struct page {
	struct ram ram;
	struct pw_space space;
};

static void make(struct page *p, const struct vector *v)
{
	const struct pw_format *f = v->state & LEGACY ? &pw_format_x86_32 : &pw_format_x86_64;
	pw_pa root, pde;
	struct pw_x86_state state;
	const char *why;

	ram_begin(&p->ram, BASE, 0x8000);
	root = ram_new_table(&p->ram, 4096);
	ram_enter(&p->ram, f, root, VA, 0, PA | PTE_P | v->page);
	pde = f == &pw_format_x86_32 ? root : BASE + 0x2000;
	ram_store(&p->ram, pde, f->entry_bytes, ram_load(&p->ram, pde, f->entry_bytes) & ~v->gone);
	state = state_of(v->state, root);
	cr_assert(pw_space_init_x86(&p->space, &state, &p->ram.windows, &why) == PW_OK, "%s", why);
}

static void check(const struct vector *v, unsigned row)
{
	struct pw_result hit;
	struct page p;
	enum pw_status status;
	bool key = v->rule == PW_RULE_PKRU || v->rule == PW_RULE_PKRS;

	make(&p, v);
	status = pw_translate(&p.space, VA + 5, v->access, &hit);
	cr_expect_eq(status,
		v->code == OK ? PW_OK
		: key         ? PW_PROTECTION_KEY
			      : PW_PROTECTION,
		"row %u: %s", row, pw_status_name(status));
	cr_expect_eq(hit.status, status);
	cr_expect_eq(hit.rule, v->rule, "row %u: %s", row, pw_rule_text((enum pw_rule)hit.rule));
	cr_expect_eq(hit.error_code, v->code == OK ? 0 : v->code, "row %u: code %#x", row,
		(unsigned)hit.error_code);
	cr_expect_eq(!!(hit.flags & PW_RESULT_ERROR_CODE), v->code != OK, "row %u", row);
	cr_expect_eq(hit.pa, PA + 5, "row %u: the page is known all the same", row);
	cr_expect(pw_translate(&p.space, VA + 5, v->access, NULL) == status);
	cr_expect(pw_translate(&p.space, VA, PW_ACCESS_ANY, &hit) == PW_OK);
	ram_end(&p.ram);
}

Test(access, vectors)
{
	for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		check(&vectors[i], i);
}

/* ---- Faults without a page ---- */

Test(access, error_codes_without_a_page)
{
	static const struct {
		uint64_t entry;
		pw_access access;
		enum pw_status status;
		unsigned code;
	} rows[] = {
		{0, R, PW_NOT_PRESENT, 0}, {PTE_W | PTE_U | PTE_PS, W, PW_NOT_PRESENT, 2},
		{UINT64_MAX - 1, R | U, PW_NOT_PRESENT,
			4}, /* reserved bits of a hole do not count */
		{0, X | U, PW_NOT_PRESENT, 0x14}, {PTE_PWU | PTE_PS | 0x2000, R, PW_RESERVED, 9},
		{PTE_PWU | PTE_PS | 0x2000, W | U, PW_RESERVED, 0xf},
		{PTE_P | PTE_PS | 0x2000, X, PW_RESERVED, 0x19}, /* before any rights */
	};
	const struct vector v = {.state = NXE | WP};
	struct pw_result hit;
	struct page p;

	make(&p, &v);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ram_store(&p.ram, BASE + 0x2000, 8, rows[i].entry);
		cr_expect(pw_translate(&p.space, VA, rows[i].access, &hit) == rows[i].status);
		cr_expect_eq(
			hit.error_code, rows[i].code, "row %u: %#x", i, (unsigned)hit.error_code);
		cr_expect_eq(hit.level, 1);
		cr_expect_eq(hit.entry, rows[i].entry);
		cr_expect_eq(hit.pa + hit.page_size + hit.rights, 0u);
		cr_expect(pw_translate(&p.space, VA, PW_ACCESS_ANY, &hit) == rows[i].status);
		cr_expect_not(hit.flags & PW_RESULT_ERROR_CODE, "nobody's access is no fault");
	}
	cr_expect(pw_translate(&p.space, UINT64_C(1) << 47, R, &hit) == PW_NON_CANONICAL);
	cr_expect_not(hit.flags & PW_RESULT_ERROR_CODE, "#GP, not #PF");
	cr_expect_eq(hit.level, -1);
	ram_end(&p.ram);
}
