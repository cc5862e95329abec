/* SPDX-License-Identifier: MIT */
/* x86 vectors; error codes as in Intel SDM "Page-Fault Exceptions". */
#include "slow_selftest_x86.h"

#define READ  SLOW_OP_READ
#define WRITE SLOW_OP_WRITE
#define FETCH SLOW_OP_FETCH

static bool faults(enum slow_status status, uint32_t code)
{
	return got.status == status && got.error_code_valid && got.error_code == code;
}

static void shape_of_long_mode(void)
{
	four_levels(P | W | U | A | D | G | PS | PWT);
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x9123 && got.page_size == 0x1000);
	CHECK(got.level == 0 && got.entry_pa == PT && got.pat_index == 5); /* bit 7 is PAT */
	CHECK(got.accessed && got.dirty && got.global && got.has_user_notion);
	CHECK(are(&got.user, "rwx") && are(&got.supervisor, "rwx") && !got.error_code_valid);
	put8(PDPT, PD | P | U | NX); /* every level is folded */
	CHECK(look(0) == SLOW_MAPPED && are(&got.user, "r--") && are(&got.supervisor, "r--"));
	cfg.cr0_wp = false;
	CHECK(look(0) == SLOW_MAPPED && are(&got.user, "r--") && are(&got.supervisor, "rw-"));

	put8(PD, 0x400000 | BIT(12) | PCD | P | W | PS);
	CHECK(look(0x12345) == SLOW_MAPPED && got.pa == 0x412345 && got.page_size == 0x200000);
	CHECK(got.level == 1 && got.pat_index == 6);
	put8(PD, 0x400000 | BIT(13) | P | W | PS);
	CHECK(look(0) == SLOW_RESERVED && got.level == 1);

	put8(PDPT, BIT(30) | BIT(12) | P | PS);
	CHECK(look(0x3fffffff) == SLOW_MAPPED && got.pa == 0x7fffffff && got.level == 2);
	CHECK(got.pat_index == 4 && got.page_size == 0x40000000);
	put8(PDPT, BIT(30) | BIT(29) | P | PS);
	CHECK(look(0) == SLOW_RESERVED && got.level == 2);
	put8(PDPT, BIT(30) | P | PS);
	cfg.gbpages = false;
	CHECK(look(0) == SLOW_RESERVED);
}

static void reserved_in_long_mode(void)
{
	four_levels(P | BIT(51) | BIT(52) | BIT(62));
	CHECK(look(0) == SLOW_MAPPED && got.pa == (PAGE | BIT(51)) && got.key == 8);
	cfg.maxphyaddr = 51;
	CHECK(look(0) == SLOW_RESERVED && got.level == 0);
	try(0, WRITE, USER);
	CHECK(faults(SLOW_RESERVED, 0xf));

	put8(PML4, PDPT | P | W | U | PS);
	CHECK(look(0) == SLOW_RESERVED && got.level == 3);
	put8(PML4, PDPT | W | U | PS | BIT(51)); /* a hole has no reserved bits */
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 3);
	put8(PML4, PDPT | P | W | U | BIT(8));
	put8(PT, PAGE | P | BIT(8));
	CHECK(look(0) == SLOW_MAPPED);
	cfg.amd = true;
	CHECK(look(0) == SLOW_RESERVED && got.level == 3);
	put8(PML4, PDPT | P | W | U);
	put8(PDPT, PD | P | BIT(8)); /* a PDPTE, a PDE and a PTE may have it */
	put8(PD, PT | P | BIT(8));
	CHECK(look(0) == SLOW_MAPPED);

	put8(PML4, MEMORY_SIZE | P);
	CHECK(look(0) == SLOW_NO_MEMORY && got.level == 2 && got.entry_pa == MEMORY_SIZE);
	CHECK(look(BIT(47)) == SLOW_NON_CANONICAL && got.level == -1);
	CHECK(look(~0ull << 47) == SLOW_NOT_PRESENT && got.entry_pa == PML4 + 8 * 256);
}

static void error_codes(void)
{
	four_levels(0);
	try(0, READ, SUPERVISOR);
	CHECK(faults(SLOW_NOT_PRESENT, 0x0));
	try(0, WRITE, USER);
	CHECK(faults(SLOW_NOT_PRESENT, 0x6));
	try(0, FETCH, USER);
	CHECK(faults(SLOW_NOT_PRESENT, 0x14));
	cfg.efer_nxe = false;
	try(0, FETCH, USER);
	CHECK(faults(SLOW_NOT_PRESENT, 0x4));
	cfg.cr4_smep = true;
	try(0, FETCH, USER);
	CHECK(faults(SLOW_NOT_PRESENT, 0x14));

	four_levels(P | U | NX);
	try(0, WRITE, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION, 0x3) && got.pa == PAGE);
	try(0, WRITE, USER);
	CHECK(faults(SLOW_PROTECTION, 0x7));
	try(0, FETCH, USER);
	CHECK(faults(SLOW_PROTECTION, 0x15));
	cfg.cr0_wp = false;
	CHECK(try(0, WRITE, SUPERVISOR) == SLOW_MAPPED && !got.error_code_valid);
	CHECK(try(0, WRITE, USER) == SLOW_PROTECTION);
	cfg.efer_nxe = false; /* now bit 63 is reserved */
	try(0, READ, SUPERVISOR);
	CHECK(faults(SLOW_RESERVED, 0x9));
	try(0, FETCH, USER);
	CHECK(faults(SLOW_RESERVED, 0xd));

	four_levels(P | W);
	try(0, READ, USER);
	CHECK(faults(SLOW_PROTECTION, 0x5));
	CHECK(try(0, FETCH, SUPERVISOR) == SLOW_MAPPED);
	CHECK(try(BIT(47), READ, USER) == SLOW_NON_CANONICAL && !got.error_code_valid);
}

static void smep_and_smap(void)
{
	const struct slow_access implicit = {READ, true, true, false};

	four_levels(P | W | U);
	cfg.cr4_smep = true;
	try(0, FETCH, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION, 0x11) && are(&got.supervisor, "rw-"));
	CHECK(try(0, FETCH, USER) == SLOW_MAPPED);
	cfg.cr4_smap = true;
	try(0, READ, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION, 0x1) && are(&got.supervisor, "---"));
	CHECK(try(0, WRITE, USER) == SLOW_MAPPED);
	cfg.rflags_ac = true;
	CHECK(try(0, WRITE, SUPERVISOR) == SLOW_MAPPED);
	try_access(0, implicit); /* at CPL 3, yet a supervisor access, and deaf to AC */
	CHECK(faults(SLOW_PROTECTION, 0x1));
	put8(PT, PAGE | P);
	CHECK(try_access(0, implicit) == SLOW_MAPPED);
}

static void protection_keys(void)
{
	four_levels(P | W | U | BIT(59)); /* key 1 */
	cfg.pkru = 1u << 2;               /* AD1 */
	CHECK(try(0, READ, USER) == SLOW_MAPPED && got.key == 1);
	cfg.cr4_pke = true;
	try(0, READ, USER);
	CHECK(faults(SLOW_PROTECTION_KEY, 0x25));
	try(0, READ, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION_KEY, 0x21));
	CHECK(try(0, FETCH, USER) == SLOW_MAPPED);
	cfg.pkru = 1u << 3; /* WD1 */
	CHECK(try(0, READ, USER) == SLOW_MAPPED);
	try(0, WRITE, USER);
	CHECK(faults(SLOW_PROTECTION_KEY, 0x27));
	try(0, WRITE, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION_KEY, 0x23));
	cfg.cr0_wp = false;
	CHECK(try(0, WRITE, SUPERVISOR) == SLOW_MAPPED);
	CHECK(try(0, WRITE, USER) == SLOW_PROTECTION_KEY);
	put8(PT, PAGE | P | U | BIT(59)); /* both refuse */
	try(0, WRITE, USER);
	CHECK(faults(SLOW_PROTECTION, 0x27));

	four_levels(P | W | BIT(60)); /* a supervisor page, key 2 */
	cfg.cr4_pke = true;
	cfg.pkru = ~0u; /* not its register */
	CHECK(try(0, WRITE, SUPERVISOR) == SLOW_MAPPED);
	cfg.cr4_pks = true;
	cfg.pkrs = 1u << 5; /* WD2 */
	CHECK(try(0, READ, SUPERVISOR) == SLOW_MAPPED);
	try(0, WRITE, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION_KEY, 0x23));
	put8(PD, PT | P | W | U | BIT(61)); /* keys above the leaf do not count */
	try(0, WRITE, SUPERVISOR);
	CHECK(faults(SLOW_PROTECTION_KEY, 0x23) && got.key == 2);
}

static void shadow_stacks(void)
{
	const struct slow_access user_read = {READ, true, false, true};
	const struct slow_access user_write = {WRITE, true, false, true};
	const struct slow_access supervisor_write = {WRITE, false, false, true};

	four_levels(P | U | D);
	cfg.cr4_cet = true;
	CHECK(try_access(0, user_write) == SLOW_MAPPED && are(&got.user, "r-x"));
	try(0, WRITE, USER);
	CHECK(faults(SLOW_PROTECTION, 0x7));
	try_access(0, supervisor_write);
	CHECK(faults(SLOW_PROTECTION, 0x43));
	put8(PT, PAGE | P | U); /* not dirty */
	try_access(0, user_read);
	CHECK(faults(SLOW_PROTECTION, 0x45));
	put8(PT, PAGE | P | W | U | D); /* an ordinary page */
	try_access(0, user_write);
	CHECK(faults(SLOW_PROTECTION, 0x47));
	put8(PT, PAGE | P | U | D);
	put8(PD, PT | P | U); /* read-only above the leaf */
	CHECK(try_access(0, user_read) == SLOW_PROTECTION);
	put8(PD, 0);
	try_access(0, user_write);
	CHECK(faults(SLOW_NOT_PRESENT, 0x46));
	cfg.cr4_cet = false;
	try_access(0, user_write);
	CHECK(faults(SLOW_NOT_PRESENT, 0x6));
}

static void five_levels(void)
{
	four_levels(P | W | U);
	cfg.format = "x86-64-la57";
	cfg.root = 0x5000;
	put8(0x5000 + 8 * 256, PML4 | P | W | U);
	CHECK(look(0xff00000000000123) == SLOW_MAPPED && got.pa == 0x9123);
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 4);
	CHECK(look(BIT(47)) == SLOW_NOT_PRESENT && look(BIT(56)) == SLOW_NON_CANONICAL);
	put8(0x5000, PML4 | P | PS);
	CHECK(look(0) == SLOW_RESERVED && got.level == 4);
	put8(0x5000, PML4 | P | BIT(8));
	CHECK(look(0) == SLOW_MAPPED);
	cfg.amd = true;
	CHECK(look(0) == SLOW_RESERVED);
}

static void masking(void)
{
	const struct slow_access implicit = {READ, false, true, false};

	four_levels(P | W | U);
	CHECK(look(0x5500000000000123) == SLOW_NON_CANONICAL);
	cfg.cr3_lam_u48 = true;
	CHECK(look(0x7fff000000000123) == SLOW_MAPPED && got.pa == 0x9123);
	CHECK(try(0x5500000000000123, FETCH, USER) == SLOW_NON_CANONICAL);
	CHECK(try_access(0x5500000000000123, implicit) == SLOW_NON_CANONICAL);
	CHECK(look(0x5500800000000123) == SLOW_NON_CANONICAL); /* bit 47 is not bit 63 */
	cfg.cr3_lam_u57 = true;                                /* overrules the other */
	CHECK(look(0x7e00000000000123) == SLOW_MAPPED);
	CHECK(look(0x7f00000000000123) == SLOW_NON_CANONICAL); /* bit 56 */
	CHECK(look(0x0001000000000123) == SLOW_NON_CANONICAL);
	put8(PML4 + 8 * 511, PDPT | P | W | U);
	CHECK(look(0xffffff8000000123) == SLOW_MAPPED);
	CHECK(look(0x8000ff8000000123) == SLOW_NON_CANONICAL);
	cfg.cr4_lam_sup = true;
	CHECK(look(0x8000ff8000000123) == SLOW_MAPPED);
	CHECK(look(0x80007f8000000123) == SLOW_NON_CANONICAL);
}

static void separation(void)
{
	const struct slow_access implicit = {READ, true, true, false};

	four_levels(P | W | U);
	put8(PML4 + 8 * 511, PDPT | P | W | U);
	cfg.cr4_lass = true;
	CHECK(try(0x123, READ, USER) == SLOW_MAPPED);
	CHECK(try(0xffffff8000000123, READ, USER) == SLOW_LASS && !got.error_code_valid);
	CHECK(try(0xffffff8000000123, FETCH, USER) == SLOW_LASS && got.level == -1);
	CHECK(try(0xffffff8000000123, READ, SUPERVISOR) == SLOW_MAPPED);
	CHECK(try(0x123, FETCH, SUPERVISOR) == SLOW_LASS);
	CHECK(try(0x123, READ, SUPERVISOR) == SLOW_MAPPED); /* without SMAP */
	cfg.cr4_smap = true;
	CHECK(try(0x123, READ, SUPERVISOR) == SLOW_LASS);
	CHECK(try_access(0x123, implicit) == SLOW_LASS);
	cfg.rflags_ac = true;
	CHECK(try(0x123, READ, SUPERVISOR) == SLOW_MAPPED);
	CHECK(try_access(0x123, implicit) == SLOW_LASS);
	CHECK(try(0x123, FETCH, SUPERVISOR) == SLOW_LASS);
	CHECK(look(0x123) == SLOW_MAPPED && try(BIT(47), READ, USER) == SLOW_NON_CANONICAL);
}

static void encryption(void)
{
	four_levels(P | W | U | BIT(47));
	cfg.encryption_mask = BIT(47);
	cfg.maxphyaddr = 43;
	put8(PD, PT | P | W | U | BIT(47));
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x9123 && (got.entry & BIT(47)));
	put8(PT, PAGE | P | BIT(46));
	CHECK(look(0x123) == SLOW_RESERVED);
}

static void pae(void)
{
	fresh("x86-pae", 0x1020); /* 32-byte aligned */
	put8(0x1020 + 8 * 3, PD | P);
	put8(PD, PT | P | W | U);
	put8(PD + 8, 0x600000 | BIT(12) | P | W | U | PS | NX);
	put8(PT, PAGE | P | W | U);
	CHECK(look(0xc0000123) == SLOW_MAPPED && got.pa == 0x9123 && are(&got.user, "rwx"));
	CHECK(look(0xc0212345) == SLOW_MAPPED && got.pa == 0x612345 && got.pat_index == 4);
	CHECK(are(&got.user, "rw-") && got.key == 0);
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 2);
	CHECK(look(BIT(32)) == SLOW_NON_CANONICAL);
	put8(PT, PAGE | P | BIT(52)); /* no ignored bits above the address here */
	try(0xc0000000, READ, USER);
	CHECK(faults(SLOW_RESERVED, 0xd) && got.level == 0);
	for (unsigned n = 1; n <= 8; n += n == 2 ? 3 : 1) { /* bits 1, 2, 5 to 8 */
		put8(0x1020 + 8 * 3, PD | P | BIT(n));
		CHECK(look(0xc0000000) == SLOW_RESERVED && got.level == 2);
	}
	put8(0x1020 + 8 * 3, PD | P | NX);
	CHECK(look(0xc0000000) == SLOW_RESERVED && got.level == 2);
	put8(0x1020 + 8 * 3, PD | P | PWT | PCD | BIT(9));
	CHECK(look(0xc0200000) == SLOW_MAPPED);
	CHECK(are(&got.user, "rw-") && are(&got.supervisor, "rw-"));
	cfg.pdpte_given = true;
	cfg.pdpte[0] = PD | P;
	CHECK(look(0x200000) == SLOW_MAPPED && look(0xc0200000) == SLOW_NOT_PRESENT);
	CHECK(got.level == 2 && got.entry_pa == 0);
}

static void pse36(void)
{
	fresh("x86-32", 0x1000);
	put4(0x1000, 0x2000 | P | W | U);
	put4(0x2000, 0x9000 | P | W | PS); /* PAT */
	put4(0x1004, 0x00400000 | 0xffu << 13 | 0x1000 | P | W | PS);
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x9123 && got.pat_index == 4);
	CHECK(are(&got.user, "---") && are(&got.supervisor, "rwx"));
	CHECK(look(0x412345) == SLOW_MAPPED && got.pa == 0xff00412345 && got.pat_index == 4);
	CHECK(got.page_size == 0x400000 && got.level == 1);
	CHECK(look(0) == SLOW_MAPPED && got.entry_pa == 0x2000);
	put4(0x2004, ~0u); /* entries are four bytes */
	CHECK(look(0) == SLOW_MAPPED && got.entry == (0x9000 | P | W | PS));
	put4(0x1008, ~0u);
	CHECK(look(0x400000) == SLOW_MAPPED && got.entry >> 32 == 0);
	cfg.maxphyaddr = 36; /* bits 21:17 are reserved now */
	CHECK(look(0x400000) == SLOW_RESERVED);
	put4(0x1004, 0x00400000 | 0x0fu << 13 | P | PS);
	CHECK(look(0x400000) == SLOW_MAPPED && got.pa == 0xf00400000);
	cfg.pse36 = false;
	CHECK(look(0x400000) == SLOW_RESERVED);
	cfg.pse36 = true;
	cfg.maxphyaddr = 52; /* still 40 */
	put4(0x1004, 0x00400000 | BIT(21) | P | PS);
	try(0x400000, FETCH, SUPERVISOR);
	CHECK(faults(SLOW_RESERVED, 0x9)); /* PAE=0, SMEP=0: a fetch looks like a read */
	cfg.cr4_pse = false;               /* bit 7 is ignored: a table, at 0x00600000 */
	CHECK(look(0x400000) == SLOW_NO_MEMORY && got.entry_pa == 0x600000);
	CHECK(look(BIT(32)) == SLOW_NON_CANONICAL);
}

void selftest_x86(void)
{
	fresh("x86-none", 0);
	CHECK(try(0xfffff123, WRITE, USER) == SLOW_MAPPED && got.pa == 0xfffff123);
	CHECK(got.page_size == 0x1000 && look(BIT(32)) == SLOW_NON_CANONICAL);
	CHECK(got.level == -1 && got.pat_index == 0 && look(1) == SLOW_MAPPED);
	CHECK(got.level == -1 && are(&got.user, "rwx") && got.pat_index == 0);
	shape_of_long_mode();
	reserved_in_long_mode();
	error_codes();
	smep_and_smap();
	protection_keys();
	shadow_stacks();
	five_levels();
	masking();
	separation();
	encryption();
	pae();
	pse36();
}
